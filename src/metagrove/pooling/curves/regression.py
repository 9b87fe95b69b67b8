"""Summary curves that shift with a covariate of the studies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.curves.fit import ArcsineCells, ArcsineFit, arcsine_cells, arcsine_fit, between_covariance
from metagrove.pooling.curves.grid import CurveGrid, curve_grid
from metagrove.pooling.curves.intervals import (
    arcsine_survival,
    fall_to,
    percentile_band,
    simulated_curves,
)
from metagrove.pooling.curves.strata import study_values
from metagrove.pooling.curves.summary import COMBESCURE, SEED, CurveSettings

__all__ = ["CurveAt", "CurveRegression", "summary_curve_regression"]

_JACKSON = (
    "Jackson D, White IR, Riley RD. A matrix-based method of moments for fitting the multivariate random effects model "
    "for meta-analysis and meta-regression. Biom J 2013;55:231-245. doi:10.1002/bimj.201200152"
)


_HEDGES = (
    "Hedges LV, Tipton E, Johnson MC. Robust variance estimation in meta-regression with dependent effect size "
    "estimates. Res Synth Methods 2010;1:39-65. doi:10.1002/jrsm.5"
)


@dataclass(frozen=True, slots=True, eq=False)
class CurveAt:
    """The summary curve at one value of the covariate, with simulated limits; NaN for a median that does not exist."""

    value: float
    time: Array
    survival: Array
    lower: Array
    upper: Array
    median: float
    median_lower: float
    median_upper: float
    median_reason: str


@dataclass(frozen=True, slots=True, eq=False)
class CurveRegression(Result):
    """A summary curve whose conditional survival shifts with a covariate, by the same step over every interval.

    Parameters
    ----------
    slope, se : shift of asin sqrt(conditional survival) per unit of the covariate; above 0 means longer survival;
        under the random model `se` comes from the studies' own residuals.
    statistic, df, p : slope / se, against the t distribution with k - 2 degrees of freedom (fixed model: normal).
    tau2_explained : share of the trace of the between-study covariance that the covariate takes away, 0 to 1.
    values : shape (k,), the covariate of each study.
    centre : the mean of the covariate over studies, where the J intercepts of `fit` stand.
    """

    time: Array
    slope: float
    se: float
    statistic: float
    df: float
    p: float
    tau2_explained: float
    values: Array
    centre: float
    settings: CurveSettings
    fit: ArcsineFit = field(repr=False)
    grid: CurveGrid = field(repr=False)

    def at(self, value: float, rng: np.random.Generator | None = None) -> CurveAt:
        """The curve at one value of the covariate."""
        lift = np.concatenate((np.eye(self.time.size), np.full((self.time.size, 1), value - self.centre)), axis=1)
        b, cov = lift @ self.fit.b, lift @ self.fit.cov @ lift.T
        survival = arcsine_survival(b)
        source = np.random.default_rng(SEED) if rng is None else rng
        curves = simulated_curves(b, cov, source, draws=self.settings.draws)
        lower, upper = percentile_band(curves, self.settings.level)
        median = fall_to(self.time, survival, curves, level=self.settings.level)
        return CurveAt(value, self.time, survival, lower, upper, *median)

    def rows(self) -> list[dict[str, Any]]:
        """One line: the slope, its error and test."""
        return [
            {
                "slope": self.slope,
                "se": self.se,
                "statistic": self.statistic,
                "df": self.df,
                "p": self.p,
                "tau2_explained": self.tau2_explained,
            }
        ]

    def summary(self) -> str:
        """The slope and the medians at the ends of the covariate."""
        ends = [self.at(float(value)) for value in (self.values.min(), self.values.max())]
        medians = "; ".join(
            f"median {'not reached' if math.isnan(e.median) else format(e.median, '.4g')} at {e.value:g}" for e in ends
        )
        test = f"t = {self.statistic:.3g} on {self.df:g} df, p = {self.p:.3g}"
        return f"slope {self.slope:.4g} (se {self.se:.3g}, {test}); {medians}"

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Conditional survival on the arcsine scale was regressed on a covariate of the studies with one shift for "
            "all intervals and a standard error from the studies' residuals; the covariance between studies was estimated "
            "by moments after the shift was taken out.",
            (COMBESCURE, _JACKSON, _HEDGES),
        )


def summary_curve_regression(
    study: Iterable[Any],
    time: ArrayLike,
    n_risk: ArrayLike,
    survival: ArrayLike,
    covariate: Iterable[Any],
    *,
    settings: CurveSettings | None = None,
) -> CurveRegression:
    """The summary curve as it shifts with a number that each study has.

    Parameters
    ----------
    study, time, n_risk, survival : as for `summary_curve`.
    covariate : shape (r,), the study's value in each row; a number.

    Raises
    ------
    DataError : a study with two values or none, a covariate that does not vary.
    MethodError : fewer than 4 studies.
    """
    names, column = [str(s) for s in study], list(covariate)
    if len(names) != len(column):
        raise DataError(f"{len(names)} rows but {len(column)} values of the covariate")
    how = settings or CurveSettings()
    grid = curve_grid(names, time, n_risk, survival)
    try:
        x = np.array([float(v) for v in study_values(grid, names, column, "the covariate")])
    except (TypeError, ValueError) as problem:
        if isinstance(problem, DataError):
            raise
        raise DataError(f"the covariate is a number: {problem}") from None
    k = len(grid.studies)
    if k < 4:
        raise MethodError(f"{k} studies; a regression on a covariate needs at least 4")
    if np.ptp(x) == 0:
        raise DataError(f"the covariate is {x[0]:g} in every study; it must vary")
    centred = x - x.mean()
    cells = arcsine_cells(grid, how.correction, msurv=how.compat == "msurv")
    fit = _fit(cells, centred, how.model == "random")
    slope, se = float(fit.b[-1]), math.sqrt(float(fit.cov[-1, -1]))
    bare = float(np.trace(between_covariance(cells))) if how.model == "random" else 0.0
    explained = max(0.0, 1 - float(np.trace(fit.tau2)) / bare) if bare > 0 else 0.0
    from scipy.special import ndtr, stdtr

    df = float(k - 2) if how.model == "random" else math.inf
    p = float(2 * (ndtr(-abs(slope / se)) if math.isinf(df) else stdtr(df, -abs(slope / se))))
    return CurveRegression(grid.time, slope, se, slope / se, df, p, explained, x, float(x.mean()), how, fit, grid)


def _shifted(cells: ArcsineCells, shift: Array) -> ArcsineCells:
    """The cells less a shift for each study, absent cells at their column's new mean."""
    present = cells.present
    y = np.where(present, cells.y - shift[:, None], 0.0)
    column = y.sum(axis=0) / present.sum(axis=0)
    return ArcsineCells(np.where(present, y, column), cells.v, present)


def _fit(cells: ArcsineCells, x: Array, random: bool) -> ArcsineFit:
    """Intercepts of the J intervals and, last, the slope, with their joint covariance.

    The slope is a weighted regression that takes times of a study as independent, with one between-study variance for
    all; its standard error comes from the studies' own residuals (Hedges, Tipton and Johnson 2010,
    doi:10.1002/jrsm.5), enlarged by each study's leverage as in a jackknife. Weights from the whole covariance between
    times would follow its noise: in simulation they doubled the error rate of the test. The intercepts are then the
    summary curve of the values less the slope's part.
    """
    tau2 = np.zeros((cells.y.shape[1],) * 2)
    slope, variance = _slope(cells, x, 0.0, robust=False)
    for _ in range(100 if random else 0):
        tau2 = between_covariance(_shifted(cells, slope * x))
        here = np.maximum(np.diag(tau2), 0.0)
        typical = float((here * cells.present.sum(axis=0)).sum()) / float(cells.present.sum())
        again, variance = _slope(cells, x, typical, robust=True)
        moved, slope = abs(again - slope), again
        if moved < 1e-10:
            break
    level = arcsine_fit(_shifted(cells, slope * x), tau2 if random else None)
    spread = ArcsineCells(np.broadcast_to(x[:, None], cells.y.shape), cells.v, cells.present)
    middle = arcsine_fit(_shifted(spread, np.zeros_like(x)), tau2 if random else None).b
    joint = np.concatenate((-middle, [1.0]))
    cov = variance * np.outer(joint, joint)
    cov[:-1, :-1] += level.cov
    return ArcsineFit(np.append(level.b, slope), cov, level.tau2)


def _slope(cells: ArcsineCells, x: Array, tau2: float, *, robust: bool) -> tuple[float, float]:
    """The slope and its variance with one intercept for each time, weights 1 / (v + tau2)."""
    present = cells.present
    w = np.where(present, 1 / (cells.v + tau2), 0.0)
    total = w.sum(axis=0)
    xc = np.where(present, x[:, None] - (w * x[:, None]).sum(axis=0) / total, 0.0)
    yc = np.where(present, cells.y - (w * cells.y).sum(axis=0) / total, 0.0)
    size = float((w * xc**2).sum())
    if size <= 0:
        raise MethodError("the covariate does not vary among the studies that share a time")
    slope = float((w * xc * yc).sum()) / size
    if not robust:
        return slope, 1 / size
    k = x.size
    pull = (w * xc * (yc - slope * xc)).sum(axis=1) / size
    leverage = (w * xc**2).sum(axis=1) / size + 1 / k
    return slope, (k - 1) / k * float(((pull / np.maximum(1 - leverage, 1 / k)) ** 2).sum())
