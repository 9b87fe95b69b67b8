"""Summary curves of strata of studies, and the tests between them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.curves.fit import arcsine_cells, arcsine_fit, cochran_q
from metagrove.pooling.curves.grid import CurveGrid, curve_grid
from metagrove.pooling.curves.intervals import area
from metagrove.pooling.curves.summary import CurveSettings, PooledCurve, chi_square_tail, pooled_curve

__all__ = ["CurveStrata", "study_values", "summary_curve_strata"]


@dataclass(frozen=True, slots=True, eq=False)
class CurveStrata(Result):
    """Summary curves of g strata and the tests that they are one.

    Parameters
    ----------
    names : the g strata in order of first appearance.
    curves : their curves.
    Q_b, df_Q_b, pval_Q_b : Cochran's Q of all studies less the sum of Q within strata, against the fixed curves.
    chisq, df, p : Wald's test under the chosen model that conditional survival is the same in all strata over every
        interval that all of them reach.
    horizon : the last time that all strata reach.
    means, mean_se : shape (g,), areas up to the horizon and their standard errors.
    chisq_mean, df_mean, p_mean : the test that the areas are the same.
    """

    names: tuple[str, ...]
    curves: tuple[PooledCurve, ...]
    Q_b: float
    df_Q_b: int
    pval_Q_b: float
    chisq: float
    df: int
    p: float
    horizon: float
    means: Array
    mean_se: Array
    chisq_mean: float
    df_mean: int
    p_mean: float

    def rows(self) -> list[dict[str, Any]]:
        """One line per stratum: studies, patients, median and mean with limits, heterogeneity."""
        found = []
        for i, (name, curve) in enumerate(zip(self.names, self.curves, strict=True)):
            mean, low, high = curve.restricted_mean(self.horizon)
            found.append(
                {
                    "stratum": name,
                    "studies": len(curve.grid.studies),
                    "patients": float(curve.n_risk[0]),
                    "median": curve.median,
                    "median_lower": curve.median_lower,
                    "median_upper": curve.median_upper,
                    "mean": mean,
                    "mean_lower": low,
                    "mean_upper": high,
                    "mean_se": float(self.mean_se[i]),
                    "I2": curve.I2,
                }
            )
        return found

    def summary(self) -> str:
        """The strata and the tests as text."""
        lines = [
            f"{name}: {curve.summary().splitlines()[1]}" for name, curve in zip(self.names, self.curves, strict=True)
        ]
        tests = (
            f"between strata: chi² = {self.chisq:.2f} (df {self.df}, p = {self.p:.3g}); mean to {self.horizon:g}: "
            f"chi² = {self.chisq_mean:.2f} (df {self.df_mean}, p = {self.p_mean:.3g}); "
            f"Q between = {self.Q_b:.2f} (df {self.df_Q_b}, p = {self.pval_Q_b:.3g})"
        )
        return "\n".join([*lines, tests])

    def explain(self) -> Explanation:
        """The methods sentence and the references of the pooled curves."""
        first = self.curves[0].explain()
        tests = (
            "Strata were compared by Wald's test of conditional survival over the intervals that all reach, by the "
            f"area under the curves up to {self.horizon:g}, and by the partition of Cochran's Q."
        )
        return Explanation(f"{first.sentence} {tests}", first.references)


def study_values(grid: CurveGrid, study: Iterable[Any], values: Iterable[Any], name: str) -> list[Any]:
    """One value for each study of the grid, from a column beside the rows; DataError where a study has two."""
    found: dict[str, Any] = {}
    for one, value in zip(map(str, study), values, strict=True):
        if value is None or (isinstance(value, float) and math.isnan(value)):
            raise DataError(f"{one}: {name} is missing")
        if found.setdefault(one, value) != value:
            raise DataError(f"{one}: {name} is {found[one]} and {value}; a study has one")
    return [found[label] for label in grid.studies]


def summary_curve_strata(
    study: Iterable[Any],
    time: ArrayLike,
    n_risk: ArrayLike,
    survival: ArrayLike,
    stratum: Iterable[Any],
    *,
    settings: CurveSettings | None = None,
) -> CurveStrata:
    """The summary curve of each stratum of studies and the tests between them.

    Parameters
    ----------
    study, time, n_risk, survival : as for `summary_curve`.
    stratum : shape (r,), the stratum of the study in each row.
    settings : model, correction and the like; the same for all strata.

    Raises
    ------
    DataError : a study in two strata, one stratum only.
    """
    names, strata = [str(s) for s in study], list(stratum)
    if len(names) != len(strata):
        raise DataError(f"{len(names)} rows but {len(strata)} values of stratum")
    how = settings or CurveSettings()
    grid = curve_grid(names, time, n_risk, survival, gaps="refuse" if how.compat else "fill")
    member = np.array([str(s) for s in study_values(grid, names, strata, "stratum")])
    labels = tuple(dict.fromkeys(member.tolist()))
    if len(labels) < 2:
        raise DataError(f"every study is in stratum '{labels[0]}'; a comparison needs two")
    curves = tuple(pooled_curve(grid.subset(member == label), how) for label in labels)
    q_b, df_b = _partition(grid, curves, how)
    chisq, df = _wald(curves)
    horizon = min(float(c.time[-1]) for c in curves)
    means = np.array([c.restricted_mean(horizon)[0] for c in curves])
    se = np.array([float(np.std(area(c.time, c.draws, horizon), ddof=1)) for c in curves])
    weight = 1 / se**2
    chisq_mean = float((weight * (means - weight @ means / weight.sum()) ** 2).sum())
    more = len(labels) - 1
    return CurveStrata(
        names=labels,
        curves=curves,
        Q_b=q_b,
        df_Q_b=df_b,
        pval_Q_b=chi_square_tail(q_b, df_b),
        chisq=chisq,
        df=df,
        p=chi_square_tail(chisq, df),
        horizon=horizon,
        means=means,
        mean_se=se,
        chisq_mean=chisq_mean,
        df_mean=more,
        p_mean=chi_square_tail(chisq_mean, more),
    )


def _partition(grid: CurveGrid, curves: tuple[PooledCurve, ...], how: CurveSettings) -> tuple[float, int]:
    """Q of all studies less that within strata, and its degrees of freedom, on cells as one table."""
    cells = arcsine_cells(grid, how.correction, msurv=how.compat == "msurv")
    total = float(cochran_q(cells, arcsine_fit(cells, None).b).sum())
    within = sum(curve.Q for curve in curves)
    return max(total - within, 0.0), sum(curve.time.size for curve in curves) - grid.time.size


def _wald(curves: tuple[PooledCurve, ...]) -> tuple[float, int]:
    shared = min(curve.time.size for curve in curves)
    first = curves[0].time
    common = [t for t in first if all(np.isclose(t, c.time).any() for c in curves)][:shared]
    if not common:
        raise MethodError("the strata share no grid time; they cannot be compared")
    at = [[int(np.argmin(np.abs(c.time - t))) for t in common] for c in curves]
    b = [c.fit.b[i] for c, i in zip(curves, at, strict=True)]
    cov = [c.fit.cov[np.ix_(i, i)] for c, i in zip(curves, at, strict=True)]
    precision = [np.linalg.inv(matrix) for matrix in cov]
    centre = np.linalg.solve(sum(precision), sum(p @ v for p, v in zip(precision, b, strict=True)))
    chisq = sum(float((v - centre) @ p @ (v - centre)) for p, v in zip(precision, b, strict=True))
    return chisq, (len(curves) - 1) * len(common)
