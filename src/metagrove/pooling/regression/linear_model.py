"""The meta-analytic linear model: effects y with variances v, design X, and a between-study variance.

y_i = x_i'b + u_i + e_i with var(u_i) = tau2 and var(e_i) = v_i. Viechtbauer W. J Stat Softw 2010;36(3):1-48.
doi:10.18637/jss.v036.i03. Case: `metareg_bcg`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.pooling.estimate import quantile, tail_probability
from metagrove.pooling.regression.likelihood_modes import highest_peak
from metagrove.pooling.studies import sound
from metagrove.pooling.tau2 import TAU2, log_likelihood, tau2_estimate, tau2_of
from metagrove.pooling.tau2 import Design as Weighted

__all__ = [
    "TESTS",
    "FitStatistics",
    "LinearFit",
    "Settings",
    "critical_value",
    "fit_statistics",
    "linear_fit",
    "omnibus",
    "two_sided",
]

EQUAL_EFFECTS = ("EE", "FE", "CE")

TESTS: Registry[str] = Registry("test of coefficients")
TESTS.put("z", "z", title="Wald-type", cite="Viechtbauer W. J Stat Softw 2010;36(3):1-48. doi:10.18637/jss.v036.i03")
TESTS.put(
    "t",
    "t",
    title="t-distribution with k - p degrees of freedom",
    cite="Follmann DA, Proschan MA. Biometrics 1999;55:732-737. doi:10.1111/j.0006-341X.1999.00732.x",
)
_KNAPP = "Knapp G, Hartung J. Stat Med 2003;22:2693-2710. doi:10.1002/sim.1482"
TESTS.put("knha", "knha", title="Knapp-Hartung", cite=_KNAPP)
TESTS.put("hksj", "knha", title="Knapp-Hartung", cite=_KNAPP)
TESTS.put(
    "adhoc",
    "adhoc",
    title="Knapp-Hartung that never narrows",
    cite="Jackson D, Law M, Rücker G, Schwarzer G. Stat Med 2017;36:3923-3934. doi:10.1002/sim.7411",
)


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """What was asked of a fit.

    Parameters
    ----------
    method : "EE" (also "FE", "CE") or a code of TAU2.
    test : a code of TESTS.
    level : confidence level in (0, 1).
    tau2 : a between-study variance to hold fixed, or None to estimate it.
    weights : user weights, shape (k,), or None for inverse variances.
    weighted : False fits by ordinary least squares (with correct standard errors).
    """

    method: str = "REML"
    test: str = "z"
    level: float = 0.95
    tau2: float | None = None
    weights: Array | None = None
    weighted: bool = True

    def __post_init__(self) -> None:
        if self.method not in EQUAL_EFFECTS and self.method not in TAU2:
            raise UnknownName("method", self.method, [*EQUAL_EFFECTS, *TAU2])
        if not 0 < self.level < 1:
            raise MethodError(f"level is {self.level:g}; a confidence level lies between 0 and 1 (0.95 or 95)")
        if self.tau2 is not None and not 0 <= self.tau2 < np.inf:
            raise MethodError(f"tau2 is {self.tau2}; a variance is 0 or more")
        object.__setattr__(self, "test", TESTS[self.test])
        if self.method in EQUAL_EFFECTS:
            object.__setattr__(self, "method", "EE")

    def only(self, keep: NDArray[np.intp]) -> Settings:
        """The same settings for the studies that `keep` (indices) names."""
        return self if self.weights is None else replace(self, weights=self.weights[keep])


@dataclass(frozen=True, slots=True)
class FitStatistics:
    """Log-likelihood, deviance and information criteria of a fit; also read as `fit["AIC"]`."""

    ll: float
    dev: float
    AIC: float
    BIC: float
    AICc: float

    def __getitem__(self, key: str) -> float:
        return float(getattr(self, key))


@dataclass(frozen=True, slots=True, eq=False)
class LinearFit:
    """A fitted linear model.

    Parameters
    ----------
    y, v : effects and sampling variances, shape (k,).
    X : design, shape (k, p), full rank.
    settings : what was asked.
    tau2, se_tau2 : between-study variance (0 for equal effects) and its standard error (NaN where it has none).
    b : coefficients, shape (p,).
    vb : their covariance, shape (p, p).
    s2w : the Knapp-Hartung factor contained in `vb`, else 1.
    mean : the sums over studies where the model is one inverse-variance mean, else None.
    """

    y: Array
    v: Array
    X: Array
    settings: Settings
    tau2: float
    se_tau2: float
    b: Array
    vb: Array
    s2w: float
    mean: Weighted | None = None

    @property
    def k(self) -> int:
        """Number of studies."""
        return int(self.y.size)

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return int(self.X.shape[1])

    @property
    def ddf(self) -> float:
        """Degrees of freedom of the coefficients' tests, infinite for "z"."""
        return float("inf") if self.settings.test == "z" else float(self.k - self.p)

    @property
    def equal_effects(self) -> bool:
        """Whether the model has no between-study variance."""
        return self.settings.method == "EE"

    @property
    def total(self) -> Array:
        """Marginal variances v + tau2, shape (k,)."""
        return self.v + self.tau2

    @property
    def default_weights(self) -> bool:
        """Whether the weights are the inverse marginal variances."""
        return self.settings.weighted and self.settings.weights is None

    @property
    def A(self) -> Array:
        """Weights used for the coefficients, shape (k,)."""
        if not self.settings.weighted:
            return np.ones(self.k)
        return self.settings.weights if self.settings.weights is not None else 1 / self.total

    @property
    def residuals(self) -> Array:
        """Effects less fitted values, shape (k,)."""
        return self.y - self.X @ self.b

    def subset(self, keep: NDArray[np.intp]) -> LinearFit:
        """The model refitted to the studies that `keep` (indices) names."""
        return linear_fit(self.y[keep], self.v[keep], self.X[keep], self.settings.only(keep))


def two_sided(statistic: Array, ddf: Array | float) -> Array:
    """Two-sided p-values of t statistics; `ddf` infinite means normal."""
    ratio, freedom = np.asarray(statistic, dtype=float), np.asarray(ddf, dtype=float)
    if ratio.size == freedom.size == 1:
        return np.array(tail_probability(ratio.item(), freedom.item()), ndmin=max(ratio.ndim, freedom.ndim))
    size, freedom = np.broadcast_arrays(np.abs(ratio), freedom)
    finite = np.isfinite(freedom)
    p = 2 * special.ndtr(-size)
    if finite.any():
        p = np.where(finite, 2 * special.stdtr(np.where(finite, freedom, 1.0), -size), p)
    return np.asarray(p)


def critical_value(level: float, ddf: Array | float) -> Array:
    """The two-sided critical value at a confidence level; `ddf` infinite means normal."""
    freedom = np.asarray(ddf, dtype=float)
    if freedom.size == 1:
        return np.array(quantile(level, freedom.item()), ndmin=freedom.ndim)
    tail = (1 + level) / 2
    finite = np.isfinite(freedom)
    normal = np.full(freedom.shape, special.ndtri(tail))
    if finite.any():
        normal = np.where(finite, special.stdtrit(np.where(finite, freedom, 1.0), tail), normal)
    return normal


def omnibus(estimate: Array, covariance: Array, ddf: float) -> tuple[float, Array, float]:
    """Wald test that all of `estimate` (m,) is 0: statistic, degrees of freedom (m, ddf or NaN), p-value.

    Chi-squared where `ddf` is infinite, else F.
    """
    m = estimate.size
    scale = np.sqrt(np.diag(covariance))
    z = estimate / scale
    chi2 = float(z @ np.linalg.solve(covariance / np.outer(scale, scale), z))
    if not np.isfinite(ddf):
        return chi2, np.array([m, np.nan]), float(special.chdtrc(m, max(chi2, 0.0)))
    f = chi2 / m
    return f, np.array([m, ddf]), float(special.fdtrc(m, ddf, max(f, 0.0)))


def _checked(y: Array, v: Array, X: Array, settings: Settings) -> Settings:
    k, p = X.shape
    if k == 0:
        raise MethodError("no studies with an effect and a variance; at least one is needed")
    if k == 1 and p == 1:
        return replace(settings, method="EE", test="z") if settings.tau2 is None else replace(settings, test="z")
    if k <= p:
        raise MethodError(f"{k} studies cannot carry {p} coefficients; the model needs more studies than coefficients")
    if sound(y, v):
        return settings
    if not np.isfinite(y).all() or not np.isfinite(v).all():
        raise DataError("effects and variances must be finite")
    if (v < 0).any():
        raise DataError(f"the variance of study {int(np.argmax(v < 0)) + 1} is {v.min():g}; variances are above 0")
    if (v == 0).any():
        raise DataError(f"the variance of study {int(np.argmax(v == 0)) + 1} is 0; variances are above 0")
    return settings


def linear_fit(y: Array, v: Array, X: Array, settings: Settings | None = None) -> LinearFit:
    """The linear model of effects `y` and variances `v`, shape (k,), on the design `X`, shape (k, p) of full rank.

    One study without moderators is fitted by equal effects with a z test, the only model it can carry.

    Raises
    ------
    MethodError where there are not more studies than coefficients; DataError for an impossible variance.
    """
    chosen = _checked(y, v, X, settings or Settings())
    mean = Weighted(y, v, None, chosen.weights) if _is_mean(X) else None
    tau2, se = 0.0, float("nan")
    if chosen.method != "EE" and chosen.tau2 is None:
        tau2, se = _estimated(y, v, X, chosen) if mean is None else tau2_of(mean, chosen.method)
    elif chosen.tau2 is not None:
        tau2 = chosen.tau2
    if mean is not None and chosen.weighted and chosen.weights is None:
        b, vb = _mean(mean, tau2)
    else:
        b, vb = _solved(y, v + tau2, X, chosen)
        mean = None
    factor = 1.0
    if chosen.test in ("knha", "adhoc"):
        w = 1 / (v + tau2)
        rss = Weighted(y, v, X).at(w).rss
        exact = rss <= 1e-26 * float(w @ y**2)  # what rounding leaves of a perfect fit
        factor = _hartung_factor(0.0 if exact else rss / (y.size - X.shape[1]), chosen.test)
    return LinearFit(y, v, X, chosen, tau2, se, b, vb if factor == 1.0 else factor * vb, factor, mean)


def _mean(design: Weighted, tau2: float) -> tuple[Array, Array]:
    """The weighted mean and its variance, as coefficients."""
    if design.scalar:
        sums = design.sums(tau2)
        return np.array([design.base + sums.mean]), np.array([[1.0 / sums.w]])
    w = 1 / (design.v + tau2)
    total = w.sum()
    return np.array([design.base + w @ (design.y - design.base) / total]), np.array([[1 / total]])


def _solved(y: Array, total: Array, X: Array, settings: Settings) -> tuple[Array, Array]:
    """Coefficients and their covariance for marginal variances `total`, under the settings' weights."""
    default = settings.weighted and settings.weights is None
    if default:
        a = 1 / total
    else:
        a = settings.weights if settings.weighted and settings.weights is not None else np.ones(y.size)
    root = np.sqrt(a)
    q, r = np.linalg.qr(X * root[:, None])
    inverse = np.linalg.inv(r)
    b = inverse @ (q.T @ (root * y))
    spread = np.eye(X.shape[1]) if default else q.T @ (q * (a * total)[:, None])
    return b, inverse @ spread @ inverse.T


def _estimated(y: Array, v: Array, X: Array, settings: Settings) -> tuple[float, float]:
    """The between-study variance and its standard error."""
    found = tau2_estimate(y, v, settings.method, X=X, weights=settings.weights)
    if settings.method not in ("REML", "ML"):
        return found
    restricted = settings.method == "REML"
    tau2 = highest_peak(y, v, X, found.value, restricted=restricted)
    if tau2 == found.value:
        return found
    w = 1 / (v + tau2)
    return tau2, float(np.sqrt(2 / (Weighted(y, v, X).at(w).trace2() if restricted else w @ w)))


def _is_mean(X: Array) -> bool:
    return X.shape[1] == 1 and bool(X[:, 0].tolist().count(1.0) == X.shape[0])


def _hartung_factor(factor: float, test: str) -> float:
    """Knapp and Hartung's variance factor, the mean weighted square around the model."""
    if test == "adhoc":
        return max(1.0, factor)
    if factor <= 0:
        raise MethodError(
            "all effects lie exactly on the model: Knapp-Hartung standard errors are 0; use test='adhoc' or 'z'"
        )
    return factor


def fit_statistics(fit: LinearFit, *, restricted: bool) -> FitStatistics:
    """Log-likelihood, deviance, AIC, BIC and small-sample AIC of a fit under ML or REML."""
    k, p = fit.k, fit.p
    if fit.default_weights:
        mean = _is_mean(fit.X)
        ll = log_likelihood(Weighted(fit.y, fit.v, None if mean else fit.X), fit.tau2, restricted=restricted)
    else:
        ll = _log_likelihood_at(fit, restricted)
    parameters = p + (0 if fit.equal_effects or fit.settings.tau2 is not None else 1)
    n = k - p if restricted else k
    saturated = -0.5 * k * float(np.log(2 * np.pi)) - 0.5 * float(np.log(fit.v).sum())
    dev = -2 * ll if restricted else -2 * (ll - saturated)
    size = max(n, parameters + 2)
    return FitStatistics(
        ll=ll,
        dev=dev,
        AIC=-2 * ll + 2 * parameters,
        BIC=-2 * ll + parameters * float(np.log(n)) if n > 0 else float("nan"),
        AICc=-2 * ll + 2 * parameters * size / (size - parameters - 1),
    )


def _log_likelihood_at(fit: LinearFit, restricted: bool) -> float:
    """The log-likelihood at coefficients that are not its maximum (user weights)."""
    total = fit.total
    ll = -0.5 * float((np.log(total) + fit.residuals**2 / total).sum())
    if not restricted:
        return ll - 0.5 * fit.k * float(np.log(2 * np.pi))
    logdet = np.linalg.slogdet(fit.X.T @ fit.X)[1] - np.linalg.slogdet(fit.X.T @ (fit.X / total[:, None]))[1]
    return ll + 0.5 * float(logdet) - 0.5 * (fit.k - fit.p) * float(np.log(2 * np.pi))
