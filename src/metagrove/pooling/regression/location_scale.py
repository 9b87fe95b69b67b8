"""Location-scale models: moderators of the mean effect and of the between-study variance, log tau2_i = z_i'alpha.

Viechtbauer W, López-López JA. Location-scale models for meta-analysis. Res Synth Methods 2022;13:697-715.
doi:10.1002/jrsm.1562. Case: `metareg_bcg`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metagrove.core.errors import ConvergenceError, DataError, MethodError, UnknownName
from metagrove.core.results import Explanation
from metagrove.core.values import Array
from metagrove.pooling.regression.coefficients import CoefficientResult, Coefficients, view
from metagrove.pooling.regression.columns import text_table
from metagrove.pooling.regression.contrasts import Compared, LikelihoodRatio, WaldTest, likelihood_ratio, wald
from metagrove.pooling.regression.design import Design, check_rank
from metagrove.pooling.regression.linear_model import FitStatistics, Settings, critical_value, omnibus, two_sided
from metagrove.pooling.regression.predictions import Predictions, new_rows, prediction_width, transformed
from metagrove.pooling.regression.scripts import r_matrix, r_vector
from metagrove.pooling.tau2 import Design as Weighted
from metagrove.pooling.tau2 import tau2_estimate

__all__ = ["LocationScale", "location_scale"]

_PAPER = "Viechtbauer W, López-López JA. Res Synth Methods 2022;13:697-715. doi:10.1002/jrsm.1562"


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """The profile likelihood at alpha: value, gradient (q,), Hessian (q, q), coefficients, covariance, variances."""

    ll: float
    gradient: Array
    hessian: Array
    b: Array
    vb: Array
    tau2: Array


def _point(y: Array, v: Array, X: Array, Z: Array, alpha: Array, restricted: bool) -> _Point:
    tau2 = np.exp(np.clip(Z @ alpha, -300, 300))
    w = 1 / (v + tau2)
    root = np.sqrt(w)
    q, r = np.linalg.qr(X * root[:, None])
    b = np.linalg.solve(r, q.T @ (root * y))
    inverse = np.linalg.inv(r)
    resid = y - X @ b
    py = w * resid
    P = np.diag(w) - (root[:, None] * q) @ (root[:, None] * q).T
    k, p = X.shape
    ll = -0.5 * float((np.log(v + tau2) + w * resid**2).sum()) - 0.5 * k * float(np.log(2 * np.pi))
    if restricted:
        logdet = np.linalg.slogdet(X.T @ X)[1] - 2 * np.log(np.abs(np.diag(r))).sum()
        ll += 0.5 * float(logdet) + 0.5 * p * float(np.log(2 * np.pi))
    trace, square = (np.diag(P), P**2) if restricted else (w, np.diag(w**2))
    score = 0.5 * (py**2 - trace) * tau2
    curve = (0.5 * square - np.outer(py, py) * P) * np.outer(tau2, tau2) + np.diag(score)
    return _Point(ll, Z.T @ score, Z.T @ curve @ Z, b, inverse @ inverse.T, tau2)


def _climb(at: Callable[[Array], _Point], alpha: Array, smallest: float) -> tuple[Array, _Point]:
    """Newton steps, damped until the likelihood rises (Levenberg-Marquardt), to a gradient of rounding size."""
    here, damping = at(alpha), 1e-3
    for _ in range(500):
        curvature = -here.hessian
        scale = np.abs(np.diag(curvature)) + 1e-10
        lowest = float(np.linalg.eigvalsh(curvature / np.sqrt(np.outer(scale, scale)))[0])
        shift = max(0.0, 1e-6 - lowest) + (0.0 if damping < 1e-6 else damping)
        step = np.linalg.solve(curvature + shift * np.diag(scale), here.gradient)
        there = at(alpha + step)
        if there.ll >= here.ll - 1e-12 * abs(here.ll):
            decrement = float(step @ here.gradient)
            alpha, here, damping = alpha + step, there, damping / 10
            if lowest > 0 and decrement < 1e-16 * (1 + abs(here.ll)):
                return alpha, here
        else:
            damping = max(damping, 1e-6) * 10
        if here.tau2.max() < smallest:
            raise MethodError(
                "the between-study variance goes to 0 for every study; a scale model has nothing to describe"
            )
        if damping > 1e12:
            if np.abs(here.gradient / scale).max() < 1e-6:
                return alpha, here
            break
    raise ConvergenceError(f"the location-scale model did not converge; log-likelihood stood at {here.ll:.6f}")


def _maximum(y: Array, v: Array, X: Array, Z: Array, restricted: bool) -> tuple[Array, _Point]:
    """The best of several climbs, from a common variance and from larger ones."""
    centre, spread = Z.mean(axis=0), Z.std(axis=0)
    constant = spread == 0
    turn = np.eye(Z.shape[1])
    if constant.sum() == 1:
        turn[constant, :] = np.where(constant, 1.0, -centre / np.where(constant, 1.0, spread))
        turn[np.diag_indices(Z.shape[1])] = np.where(constant, 1.0, 1 / np.where(constant, 1.0, spread))
    scaled = Z @ turn
    typical = float(np.median(v))
    first = max(tau2_estimate(y, v, "HE", X=X).value, 0.1 * typical)
    found: list[tuple[Array, _Point]] = []
    failure: Exception | None = None
    for start in (first, 10 * first, 0.1 * first):
        alpha = np.linalg.lstsq(scaled, np.full(y.size, np.log(start)), rcond=None)[0]
        try:
            found.append(_climb(lambda a: _point(y, v, X, scaled, a, restricted), alpha, 1e-10 * typical))
        except (ConvergenceError, MethodError) as error:
            failure = error
    if not found:
        raise failure or ConvergenceError("the location-scale model did not converge")
    alpha, _ = max(found, key=lambda pair: pair[1].ll)
    back = turn @ alpha
    return back, _point(y, v, X, Z, back, restricted)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LocationScale(CoefficientResult):
    """A location-scale model: coefficients of the mean (`b`, metafor's names) and of log tau2 (`alpha`).

    `tau2` is one variance per study, shape (k,); `va` the covariance of alpha; QM and QS test the moderators of the
    mean and of the variance.
    """

    yi: Array
    vi: Array
    design: Design
    scale: Design
    settings: Settings
    slab: tuple[str, ...]
    location: tuple[Array, Array]
    alpha: Array
    va: Array
    tau2: Array
    s2w: float
    excluded: tuple[str, ...] = ()
    measure: str = ""

    @property
    def coefficients(self) -> Coefficients:
        """Coefficients of the mean with their covariance and degrees of freedom."""
        free = np.full(self.p, self._free(self.p))
        return Coefficients(*self.location, free, self.design.names, self.design.intercept)

    @property
    def scale_coefficients(self) -> Coefficients:
        """Coefficients of log tau2 with their covariance and degrees of freedom."""
        return Coefficients(
            self.alpha, self.va, np.full(self.q, self._free(self.q)), self.scale.names, self.scale.intercept
        )

    @property
    def k(self) -> int:
        """Number of studies."""
        return int(self.yi.size)

    @property
    def p(self) -> int:
        """Number of coefficients of the mean."""
        return self.design.p

    @property
    def q(self) -> int:
        """Number of coefficients of the variance."""
        return self.scale.p

    @property
    def X(self) -> Array:
        """Design of the mean, shape (k, p)."""
        return self.design.X

    @property
    def Z(self) -> Array:
        """Design of the variance, shape (k, q)."""
        return self.scale.X

    @property
    def scale_names(self) -> tuple[str, ...]:
        """Names of alpha."""
        return self.scale.names

    @property
    def method(self) -> str:
        """One of "REML" or "ML"."""
        return self.settings.method

    @property
    def test(self) -> str:
        """How coefficients are tested."""
        return self.settings.test

    @property
    def level(self) -> float:
        """Confidence level, a proportion."""
        return self.settings.level

    def _free(self, lost: int) -> float:
        return float("inf") if self.settings.test == "z" else float(self.yi.size - lost)

    @property
    def se_alpha(self) -> Array:
        """Standard errors of alpha, shape (q,)."""
        return np.sqrt(np.diag(self.va))

    @property
    def zval_alpha(self) -> Array:
        """Statistics of alpha, shape (q,)."""
        return self.alpha / self.se_alpha

    @property
    def pval_alpha(self) -> Array:
        """P-values of alpha, shape (q,)."""
        return two_sided(self.zval_alpha, self._free(self.q))

    @property
    def ci_lb_alpha(self) -> Array:
        """Lower limits of alpha, shape (q,)."""
        return self.alpha - critical_value(self.level, self._free(self.q)) * self.se_alpha

    @property
    def ci_ub_alpha(self) -> Array:
        """Upper limits of alpha, shape (q,)."""
        return self.alpha + critical_value(self.level, self._free(self.q)) * self.se_alpha

    def _omnibus(self, b: Array, vb: Array, design: Design) -> tuple[float, Array, float]:
        index = list(range(1 if design.intercept and design.p > 1 else 0, design.p))
        return omnibus(b[index], vb[np.ix_(index, index)], self._free(design.p))

    @property
    def QM(self) -> float:
        """Test of the moderators of the mean."""
        return self._omnibus(self.b, self.vb, self.design)[0]

    @property
    def QM_p(self) -> float:
        """Its p-value."""
        return self._omnibus(self.b, self.vb, self.design)[2]

    @property
    def QS(self) -> float:
        """Test of the moderators of the variance."""
        return self._omnibus(self.alpha, self.va, self.scale)[0]

    @property
    def QS_p(self) -> float:
        """Its p-value."""
        return self._omnibus(self.alpha, self.va, self.scale)[2]

    QMp, QSp = QM_p, QS_p

    @property
    def QE(self) -> float:
        """Q of residual heterogeneity."""
        return Weighted(self.yi, self.vi, self.design.X).at(1 / self.vi).rss

    def _statistics(self, restricted: bool) -> FitStatistics:
        ll = _point(self.yi, self.vi, self.design.X, self.scale.X, self.alpha, restricted).ll
        m, k = self.design.p + self.scale.p, int(self.yi.size)
        n = k - self.design.p if restricted else k
        saturated = -0.5 * float(np.log(2 * np.pi * self.vi).sum())
        size = max(n, m + 2)
        return FitStatistics(
            ll,
            -2 * ll if restricted else -2 * (ll - saturated),
            -2 * ll + 2 * m,
            -2 * ll + m * float(np.log(n)),
            -2 * ll + 2 * m * size / (size - m - 1),
        )

    @property
    def fit_ML(self) -> FitStatistics:
        """Fit statistics by the likelihood."""
        return self._statistics(False)

    @property
    def fit_REML(self) -> FitStatistics:
        """Fit statistics by the restricted likelihood."""
        return self._statistics(True)

    @property
    def fit_stats(self) -> FitStatistics:
        """Fit statistics by the method's own likelihood."""
        return self._statistics(self.settings.method == "REML")

    @property
    def ll(self) -> float:
        """The method's own log-likelihood."""
        return self.fit_stats.ll

    @property
    def compared(self) -> Compared:
        """What a likelihood-ratio test needs of this model."""
        tau2 = float(self.tau2.mean())
        restricted = self.settings.method == "REML"
        return Compared(self.fit_stats, self.design.p + self.scale.p, restricted, self.design.X, self.yi, self.QE, tau2)

    def anova(self, other: Any = None, *, btt: Any = None, att: Any = None) -> LikelihoodRatio | WaldTest:
        """A likelihood-ratio test against `other`, or Wald tests of `btt` (mean) or `att` (variance)."""
        if other is not None:
            return likelihood_ratio(self.compared, other.compared)
        if att is not None:
            return wald(self.scale_coefficients, att)
        tested = range(2 if self.design.intercept and self.p > 1 else 1, self.p + 1)
        return wald(self.coefficients, list(tested) if btt is None else btt)

    def predict(
        self, newmods: Any = None, *, newscale: Any = None, level: float | None = None, predtype: str = "default",
        transf: Callable[[Any], Any] | None = None,
    ) -> Predictions:  # fmt: skip
        """Predicted means at `newmods`, with prediction intervals where `newscale` is given too.

        With `newscale` alone the predicted log tau2; without either, the studies' own means.
        """
        chance = self.level if level is None else (level / 100 if level > 1 else level)
        rows = self.design.X if newmods is None else new_rows(newmods, self.p, has_intercept=self.design.intercept)
        if newmods is None and newscale is not None:
            rows = new_rows(newscale, self.q, has_intercept=self.scale.intercept)
            return transformed(_means(rows, self.alpha, self.va, chance, self._free(self.q)), transf)
        tau2: Array | None = self.tau2 if newmods is None else None
        if newscale is not None:
            tau2 = np.exp(new_rows(newscale, self.q, has_intercept=self.scale.intercept) @ self.alpha)
            if tau2.size not in (1, rows.shape[0]):
                raise DataError(f"newscale has {tau2.size} rows for {rows.shape[0]} rows of newmods")
        found = _means(rows, self.b, self.vb, chance, self._free(self.p))
        if tau2 is not None:
            own, residual = np.asarray(self._free(self.p)), float(self.k - self.p)
            width = prediction_width(found.se, tau2, own=own, residual=residual, level=chance, predtype=predtype)
            found = replace(found, pi_lb=found.pred - width, pi_ub=found.pred + width)
        return transformed(found, transf)

    def __getattr__(self, name: str) -> Any:
        """A view of the result by its name: forest, funnel."""
        return view(self, name)

    def rows(self) -> list[dict[str, Any]]:
        """One row per coefficient of the mean, then of the variance."""
        keys = ("part", "term", "estimate", "se", "statistic", "p", "lower", "upper")
        mean = zip(self.coef_names, self.b, self.se, self.zval, self.pval, self.ci_lb, self.ci_ub, strict=True)
        part = (self.alpha, self.se_alpha, self.zval_alpha, self.pval_alpha, self.ci_lb_alpha, self.ci_ub_alpha)
        spread = zip(self.scale_names, *part, strict=True)
        listed = [("location", *line) for line in mean] + [("scale", *line) for line in spread]
        return [dict(zip(keys, (a, n, *map(float, values)), strict=True)) for a, n, *values in listed]

    def summary(self) -> str:
        """The model as text."""
        tests = f"QM {self.QM:.4f}, p = {self.QM_p:.4g}; QS {self.QS:.4f}, p = {self.QS_p:.4g}"
        return f"Location-scale model (k = {self.k}; {self.method})\n{tests}\n\n{text_table(self.rows())}"

    def explain(self) -> Explanation:
        """The methods sentence and its reference."""
        return Explanation(
            f"A location-scale model with a log link for the between-study variance was fitted by {self.method}.",
            (_PAPER,),
        )

    def to_r(self) -> str:
        """R code that reproduces this fit with metafor."""
        ones = "" if self.design.intercept else ", intercept = FALSE"
        first, scale_first = int(self.design.intercept), int(self.scale.intercept)
        mods = f", mods = {r_matrix(self.X[:, first:])}{ones}" if self.p > first else ""
        scale = f"~ {r_matrix(self.Z[:, scale_first:])}" if self.q > scale_first else "~ 1"
        scale += "" if scale_first else " - 1"
        options = f'method = "{self.method}", test = "{self.test}", level = {100 * self.level:g}'
        return f"library(metafor)\nrma({r_vector(self.yi)}, {r_vector(self.vi)}{mods}, scale = {scale}, {options})\n"

    def to_stata(self) -> str:
        """Stata has no such model: MethodError."""
        raise MethodError("Stata's meta commands have no location-scale model; use to_r()")


def _means(rows: Array, b: Array, vb: Array, level: float, ddf: float) -> Predictions:
    pred, vcov = rows @ b, rows @ vb @ rows.T
    se = np.sqrt(np.diag(vcov))
    crit, width = critical_value(level, ddf), np.full(pred.shape, np.nan)
    names = tuple(str(i + 1) for i in range(pred.size))
    return Predictions(names, pred, se, pred - crit * se, pred + crit * se, pred - width, pred + width, rows, vcov)


def location_scale(
    y: Array,
    v: Array,
    *,
    design: Design,
    scale: Design,
    settings: Settings | None = None,
    slab: Sequence[str] | None = None,
) -> LocationScale:
    """The location-scale model of effects `y` and variances `v`, shape (k,), by REML or ML, with a log link.

    Raises
    ------
    MethodError where the method is neither, where there are too few studies, or where the variance goes to 0.
    """
    chosen = settings or Settings()
    if chosen.method not in ("REML", "ML"):
        raise UnknownName("method of a location-scale model", chosen.method, ("REML", "ML"))
    if chosen.weights is not None or chosen.tau2 is not None or not chosen.weighted:
        raise MethodError("a location-scale model takes neither user weights nor a fixed tau2")
    k = y.size
    if k <= design.p + scale.p:
        raise MethodError(f"{k} studies cannot carry {design.p} + {scale.p} coefficients of a location-scale model")
    check_rank(design.X, design.names)
    check_rank(scale.X, scale.names)
    alpha, at = _maximum(y, v, design.X, scale.X, chosen.method == "REML")
    va = np.asarray(np.linalg.inv(-at.hessian), dtype=float)
    if (np.diag(va) <= 0).any():
        raise ConvergenceError("the location-scale likelihood is flat at its maximum; simplify the scale model")
    factor = 1.0
    if chosen.test in ("knha", "adhoc"):
        resid = y - design.X @ at.b
        factor = float((resid**2 / (v + at.tau2)).sum()) / (k - design.p)
        factor = max(1.0, factor) if chosen.test == "adhoc" else factor
    labels = tuple(slab) if slab is not None else tuple(str(i + 1) for i in range(k))
    return LocationScale(y, v, design, scale, chosen, labels, (at.b, factor * at.vb), alpha, va, at.tau2, factor)
