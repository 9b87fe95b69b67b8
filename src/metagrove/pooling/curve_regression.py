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
from metagrove.pooling.curve_fit import ArcsineCells, ArcsineFit, arcsine_cells, between_covariance
from metagrove.pooling.curve_grid import CurveGrid, curve_grid
from metagrove.pooling.curve_intervals import (
    arcsine_survival,
    fall_to,
    percentile_band,
    simulated_curves,
)
from metagrove.pooling.curve_strata import study_values
from metagrove.pooling.curves import COMBESCURE, SEED, CurveSettings

__all__ = ["CurveAt", "CurveRegression", "summary_curve_regression"]

_JACKSON = (
    "Jackson D, White IR, Riley RD. A matrix-based method of moments for fitting the multivariate random effects model "
    "for meta-analysis and meta-regression. Biom J 2013;55:231-245. doi:10.1002/bimj.201200152"
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
    slope, se : shift of asin sqrt(conditional survival) per unit of the covariate; above 0 means longer survival.
    statistic, df, p : slope / se, against the t distribution with k - 2 degrees of freedom.
    tau2_explained : share of the trace of the between-study covariance that the covariate takes away, 0 to 1.
    values : shape (k,), the covariate of each study.
    centre : the mean of the covariate over studies, where the J intercepts of `fit` stand.
    """

    time: Array
    slope: float
    se: float
    statistic: float
    df: int
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
        test = f"t = {self.statistic:.3g} on {self.df} df, p = {self.p:.3g}"
        return f"slope {self.slope:.4g} (se {self.se:.3g}, {test}); {medians}"

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Conditional survival on the arcsine scale was regressed on a covariate of the studies with one shift for "
            "all intervals; the covariance between studies was estimated by moments after the shift was taken out.",
            (COMBESCURE, _JACKSON),
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
    from scipy.special import stdtr

    p = float(2 * stdtr(k - 2, -abs(slope / se)))
    return CurveRegression(grid.time, slope, se, slope / se, k - 2, p, explained, x, float(x.mean()), how, fit, grid)


def _shifted(cells: ArcsineCells, shift: Array) -> ArcsineCells:
    """The cells less a shift for each study, absent cells at their column's new mean."""
    present = cells.present
    y = np.where(present, cells.y - shift[:, None], 0.0)
    column = y.sum(axis=0) / present.sum(axis=0)
    return ArcsineCells(np.where(present, y, column), cells.v, present)


def _fit(cells: ArcsineCells, x: Array, random: bool) -> ArcsineFit:
    """Intercepts of the J intervals and the slope; moments and least squares in turn until the slope settles."""
    times = cells.y.shape[1]
    fit = _least_squares(cells, x, np.zeros((times, times)))
    for _ in range(50 if random else 0):
        tau2 = between_covariance(_shifted(cells, fit.b[-1] * x))
        again = _least_squares(cells, x, tau2)
        moved, fit = abs(float(again.b[-1] - fit.b[-1])), again
        if moved < 1e-10:
            break
    return fit


def _least_squares(cells: ArcsineCells, x: Array, tau2: Array) -> ArcsineFit:
    times = cells.y.shape[1]
    information, score = np.zeros((times + 1, times + 1)), np.zeros(times + 1)
    for y, v, present, value in zip(cells.y, cells.v, cells.present, x, strict=True):
        design = np.concatenate((np.eye(times), np.full((times, 1), value)), axis=1)[present]
        weight = np.linalg.inv((tau2 + np.diag(v))[np.ix_(present, present)])
        information += design.T @ weight @ design
        score += design.T @ weight @ y[present]
    cov: Array = np.linalg.inv(information).astype(np.float64)
    return ArcsineFit(cov @ score, cov, tau2)
