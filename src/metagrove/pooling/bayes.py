"""Bayesian random-effects meta-analysis by deterministic quadrature: no sampling, the same numbers every time.

Given tau the mean effect is normal; tau itself is integrated on a logarithmic grid with the trapezoidal rule, which
converges geometrically for such integrands. Every posterior is then a known mixture of normal distributions.

Röver C. Bayesian random-effects meta-analysis using the bayesmeta R package. J Stat Softw 2020;93(6):1-51.
doi:10.18637/jss.v093.i06
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.scales import scale as scale_of
from metagrove.core.values import Array
from metagrove.pooling.roots import bracketed_root
from metagrove.pooling.tau_priors import TAU_PRIORS, TauPrior

__all__ = ["BayesResult", "Mixture", "bayes", "tau_prior"]

_JSS = "Röver C. J Stat Softw 2020;93(6):1-51. doi:10.18637/jss.v093.i06"
_STEP = 0.02  # of log tau; halving it changes no digit that is shown
_DEPTH = 42.0  # the grid ends where the integrand is below exp(-42) of its peak


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A mixture of normal distributions: `weight`, `mean`, `sd` of shape (g,)."""

    weight: Array
    centre: Array
    spread: Array

    @property
    def mean(self) -> float:
        """Mean."""
        return float(self.weight @ self.centre)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return float(np.sqrt(self.weight @ (self.spread**2 + (self.centre - self.mean) ** 2)))

    def below(self, x: float) -> float:
        """P(value < x)."""
        return float(self.weight @ special.ndtr((x - self.centre) / self.spread))

    def density(self, x: ArrayLike) -> Array:
        """Density at each x, shape of x."""
        at = np.asarray(x, dtype=float)[..., None]
        z = (at - self.centre) / self.spread
        return np.asarray((self.weight / self.spread * np.exp(-0.5 * z**2)).sum(axis=-1) / np.sqrt(2 * np.pi))

    def quantile(self, p: float) -> float:
        """The value below which the share `p` lies, 0 < p < 1."""
        if not 0 < p < 1:
            raise MethodError(f"a quantile is asked for at {p!r}; it lies between 0 and 1")
        z = float(special.ndtri(p))
        ends = self.centre + z * self.spread
        used = self.weight > 1e-18
        return bracketed_root(
            lambda x: self.below(x) - p, float(ends[used].min()) - 1e-9, float(ends[used].max()) + 1e-9, close=1e-11
        )

    def limits(self, level: float) -> tuple[float, float]:
        """Equal-tailed limits."""
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class BayesResult(Result):
    """Posterior of a random-effects meta-analysis.

    Parameters
    ----------
    studlab, TE, seTE : the studies, on the analysis scale.
    tau, weight : grid of tau and its posterior probabilities, shape (g,).
    mu : posterior of the mean effect; `predictive` : of a new study's effect, both mixtures.
    prior, mu_prior : what was assumed; `mu_prior` is (mean, sd), infinite sd for a flat prior.
    log_marginal : log marginal likelihood; NaN where a prior is improper.
    level, sm : coverage of the limits, and the effect measure for reporting.
    """

    studlab: tuple[str, ...]
    TE: Array
    seTE: Array
    tau: Array
    weight: Array
    mu: Mixture
    predictive: Mixture
    prior: TauPrior
    mu_prior: tuple[float, float]
    log_marginal: float
    level: float
    sm: str

    def _tau_distribution(self) -> Callable[[float], float]:
        """Distribution function of log tau: the integral of a cubic spline through its posterior density."""
        from scipy.interpolate import CubicSpline

        grid = np.log(self.tau)
        integral = CubicSpline(grid, self.weight).antiderivative()
        whole = float(integral(grid[-1]))
        return lambda log_tau: float(integral(log_tau)) / whole

    def tau_below(self, x: float) -> float:
        """P(tau < x)."""
        if x <= self.tau[0]:
            return 0.0
        return 1.0 if x >= self.tau[-1] else self._tau_distribution()(float(np.log(x)))

    def tau_quantile(self, p: float) -> float:
        """The tau below which the share `p` of its posterior lies, 0 < p < 1."""
        below = self._tau_distribution()
        low, high = float(np.log(self.tau[0])), float(np.log(self.tau[-1]))
        return float(np.exp(bracketed_root(lambda t: below(t) - p, low, high, close=1e-11)))

    @property
    def tau_median(self) -> float:
        """Posterior median of tau."""
        return self.tau_quantile(0.5)

    @property
    def tau_limits(self) -> tuple[float, float]:
        """Equal-tailed limits of tau."""
        return self.tau_quantile((1 - self.level) / 2), self.tau_quantile((1 + self.level) / 2)

    def probability_above(self, x: float, *, new_study: bool = False) -> float:
        """P(mean effect > x), or of a new study's effect; `x` on the analysis scale."""
        return 1 - (self.predictive if new_study else self.mu).below(x)

    def probability_below(self, x: float, *, new_study: bool = False) -> float:
        """P(mean effect < x), or of a new study's effect; `x` on the analysis scale."""
        return (self.predictive if new_study else self.mu).below(x)

    @property
    def shrinkage(self) -> tuple[Mixture, ...]:
        """Posterior of each study's own effect, drawn towards the mean."""
        t2 = self.tau**2
        found = []
        for y, v in zip(self.TE, self.seTE**2, strict=True):
            pull = v / (v + t2)
            spread = np.sqrt(t2 * pull + (pull * self.mu.spread) ** 2)
            found.append(Mixture(self.weight, pull * self.mu.centre + (1 - pull) * y, spread))
        return tuple(found)

    def _row(self, kind: str, label: str, m: Mixture) -> dict[str, Any]:
        lower, upper = m.limits(self.level)
        return {"kind": kind, "label": label, "median": m.quantile(0.5), "mean": m.mean, "sd": m.sd, "lower": lower,
                "upper": upper}  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """One dict per study (shrunken), then the mean, a new study, and tau; analysis scale."""
        found = [self._row("study", lab, m) for lab, m in zip(self.studlab, self.shrinkage, strict=True)]
        found += [self._row("mean", "Mean effect", self.mu), self._row("prediction", "New study", self.predictive)]
        lower, upper = self.tau_limits
        mean = float(self.weight @ self.tau)
        sd = float(self.weight @ ((self.tau - mean) ** 2)) ** 0.5
        found.append(
            {"kind": "tau", "label": "tau", "median": self.tau_median, "mean": mean, "sd": sd, "lower": lower,
             "upper": upper}
        )  # fmt: skip
        return found

    def summary(self) -> str:
        """Posterior medians with limits, reported on the scale of the measure where it needs no sample size."""
        scale = scale_of(self.sm)
        change = (lambda x: x) if scale.needs_n else (lambda x: float(scale.back(np.array(x), np.array(1.0))))
        lines = []
        for row in self.rows():
            of = (lambda x: x) if row["kind"] == "tau" else change
            lines.append(
                f"{row['label']:<28} {of(row['median']):>9.4f} [{of(row['lower']):.4f}; {of(row['upper']):.4f}]"
            )
        return "\n".join(["Posterior median and limits"] + lines + [self.explain().sentence])

    def to_r(self) -> str:
        """Code in R with package bayesmeta; MethodError for a prior that it has no density of."""
        kind, _, scale = self.prior.label.partition(" with scale ")
        densities = {"half-normal": "dhalfnormal", "half-Cauchy": "dhalfcauchy"}
        if kind not in densities or not scale:
            raise MethodError(
                f"there is no code in R for the prior '{self.prior.label}'; known: half-normal, half-Cauchy"
            )
        labels = ", ".join('"' + name.replace('"', '\\"') + '"' for name in self.studlab)
        y, s = (", ".join(f"{float(v):.17g}" for v in values) for values in (self.TE, self.seTE))
        mean, sd = self.mu_prior
        mu = f", mu.prior.mean = {mean:.17g}, mu.prior.sd = {sd:.17g}" if np.isfinite(sd) else ""
        return (
            f"library(bayesmeta)\n\nfit <- bayesmeta(\n  y = c({y}),\n  sigma = c({s}),\n  labels = c({labels}),\n"
            f"  tau.prior = function(t) {densities[kind]}(t, scale = {scale}){mu}\n)\nprint(fit)\n"
        )

    def explain(self) -> Explanation:
        """The methods sentence, with references."""
        mean, sd = self.mu_prior
        mu = "a flat prior" if sd == np.inf else f"a normal prior with mean {mean:g} and SD {sd:g}"
        return Explanation(
            f"A Bayesian normal-normal random-effects model was fitted by numerical integration, with {mu} for the "
            f"mean effect and a {self.prior.label} prior for the between-study standard deviation; limits are "
            f"equal-tailed {100 * self.level:g}% credible limits.",
            (_JSS, self.prior.cite),
        )


def tau_prior(name: str | TauPrior = "half-normal", scale: float = 0.5) -> TauPrior:
    """A prior by its code in TAU_PRIORS and its scale; a prior that is one already is kept."""
    return name if isinstance(name, TauPrior) else TAU_PRIORS[name](scale)


def _log_integrand(y: Array, v: Array, tau: Array, prior: TauPrior, mu: tuple[float, float]) -> tuple[Array, ...]:
    """Log of posterior density of log tau up to a constant, and mean and variance of mu given tau; shape (g,)."""
    total = v[:, None] + tau**2
    w = 1 / total
    precision = 0.0 if mu[1] == np.inf else mu[1] ** -2
    s1 = w.sum(axis=0) + precision
    mean = (w.T @ y + precision * mu[0]) / s1
    squares = (w * (y[:, None] - mean) ** 2).sum(axis=0) + precision * (mean - mu[0]) ** 2
    log_likelihood = -0.5 * (np.log(total).sum(axis=0) + np.log(s1) + squares)
    return log_likelihood + prior.log_density(tau) + np.log(tau), mean, 1 / s1


def bayes(
    TE: ArrayLike,
    seTE: ArrayLike,
    *,
    studlab: tuple[str, ...] | None = None,
    prior: TauPrior | str = "half-normal",
    scale: float = 0.5,
    mu_prior: tuple[float, float] | None = None,
    level: float = 0.95,
    sm: str = "",
) -> BayesResult:
    """Bayesian random-effects meta-analysis of effects `TE` with standard errors `seTE`, shape (k,).

    Parameters
    ----------
    prior : a code of TAU_PRIORS, or a TauPrior such as `turner_prior(...)`; `scale` goes with a code.
    mu_prior : mean and standard deviation of a normal prior of the mean effect, or None for a flat one.
    level : coverage of the credible limits.

    Raises
    ------
    DataError for effects that are not finite or standard errors not above 0; MethodError where an improper prior
    leaves the posterior improper (uniform tau with fewer than three studies).

    >>> b = bayes([-0.9, -1.6, -1.3], [0.57, 0.44, 0.64], prior="half-normal", scale=0.5)
    >>> round(b.mu.quantile(0.5), 3), round(b.probability_below(0.0), 3)
    (-1.314, 0.998)
    """
    y, se = np.atleast_1d(np.asarray(TE, dtype=float)), np.atleast_1d(np.asarray(seTE, dtype=float))
    if y.size == 0 or y.shape != se.shape or y.ndim != 1:
        raise DataError(f"{y.size} effects with {se.size} standard errors")
    if not (np.isfinite(y).all() and np.isfinite(se).all() and (se > 0).all()):
        raise DataError("effects must be finite and standard errors finite and above 0")
    assumed = tau_prior(prior, scale)
    if not assumed.proper and y.size < 3:
        raise MethodError(f"an improper prior of tau needs three studies; there are {y.size}")
    if mu_prior is not None and not mu_prior[1] > 0:
        raise MethodError(f"the standard deviation of mu_prior is {mu_prior[1]!r}; it must be above 0")
    given = (0.0, float("inf")) if mu_prior is None else (float(mu_prior[0]), float(mu_prior[1]))
    v = se**2
    start = np.log(np.sqrt(np.median(v)) + assumed.centre)
    wide = np.arange(start - 45, start + 45, 0.1)
    rough = _log_integrand(y, v, np.exp(wide), assumed, given)[0]
    inside = wide[rough > rough.max() - _DEPTH]
    grid = np.arange(inside[0] - 0.1, inside[-1] + 0.1, _STEP)
    tau = np.exp(grid)
    log_density, mean, variance = _log_integrand(y, v, tau, assumed, given)
    peak = float(log_density.max())
    weight = np.exp(log_density - peak)
    area = float(weight.sum()) * _STEP
    weight = weight / weight.sum()
    proper = assumed.proper and given[1] < np.inf
    constant = -0.5 * y.size * np.log(2 * np.pi) - (np.log(given[1]) if proper else 0.0)
    return BayesResult(
        studlab or tuple(str(i) for i in range(1, y.size + 1)), y, se, tau, weight,
        Mixture(weight, mean, np.sqrt(variance)), Mixture(weight, mean, np.sqrt(variance + tau**2)), assumed, given,
        float(peak + np.log(area) + constant) if proper else float("nan"), level, sm,
    )  # fmt: skip
