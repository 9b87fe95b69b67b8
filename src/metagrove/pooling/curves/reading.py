"""How far the reading of each study's figure moves the pooled curve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array, PatientTimes
from metagrove.pooling.curves.fit import arcsine_cells, arcsine_fit, between_covariance
from metagrove.pooling.curves.grid import CurveGrid, automatic_step, curve_grid, grid_rows
from metagrove.pooling.curves.imputation import drawn_sets
from metagrove.pooling.curves.intervals import arcsine_survival, area, crossing
from metagrove.pooling.curves.summary import COMBESCURE, CurveSettings

__all__ = ["DigitizingSensitivity", "digitizing_sensitivity"]


@dataclass(frozen=True, slots=True, eq=False)
class DigitizingSensitivity(Result):
    """The pooled curve over the draws of one study at a time, the others held at their first draw.

    Parameters
    ----------
    studies : the k names. draws : m, patient sets tried for each.
    horizon : the time up to which survival and its area are compared.
    medians : shape (k, m), pooled medians; infinite where the curve does not fall so far.
    means : shape (k, m), pooled areas up to `horizon`.
    shift : shape (k,), the largest change of pooled survival among the draws at any time up to `horizon`.
    """

    studies: tuple[str, ...]
    draws: int
    horizon: float
    medians: Array
    means: Array
    shift: Array

    @property
    def share(self) -> Array:
        """Each study's share of the variance of the pooled area that comes from reading figures, shape (k,)."""
        variance = np.where(np.ptp(self.means, axis=1) > 0, self.means.var(axis=1, ddof=1), 0.0)
        total = float(variance.sum())
        return np.asarray(variance / total if total > 0 else variance)

    def rows(self) -> list[dict[str, Any]]:
        """One line per study: range of the pooled median and area over its draws, largest shift of survival, share."""
        return [
            {
                "study": name,
                "median_low": float(medians.min()) if np.isfinite(medians.min()) else math.nan,
                "median_high": float(medians.max()) if np.isfinite(medians.max()) else math.nan,
                "mean_low": float(means.min()),
                "mean_high": float(means.max()),
                "largest_shift": float(shift),
                "share": float(share),
            }
            for name, medians, means, shift, share in zip(
                self.studies, self.medians, self.means, self.shift, self.share, strict=True
            )
        ]

    def summary(self) -> str:
        """The study whose figure matters most, and the range of the pooled median."""
        if not self.shift.any():
            return f"No draw of any study moves the pooled curve up to {self.horizon:g}."
        i = int(np.argmax(self.share))
        seen = self.medians[np.isfinite(self.medians)]
        span = f"; pooled median {seen.min():.4g} to {seen.max():.4g} over all draws" if seen.size else ""
        return (
            f"The reading of {self.studies[i]} moves the pooled curve most: survival by up to {self.shift[i]:.3f}, "
            f"{self.share[i]:.0%} of the variance that comes from reading figures{span}"
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            f"The summary curve was computed again for {self.draws} draws of each study's reconstructed patients, the "
            "other studies held at one draw, to see which figure's reading matters.",
            (COMBESCURE,),
        )


def digitizing_sensitivity(
    studies: Mapping[str, Any],
    step: float | None = None,
    *,
    horizon: float | None = None,
    draws: int = 20,
    settings: CurveSettings | None = None,
) -> DigitizingSensitivity:
    """How far the pooled curve moves over the draws of one study at a time.

    Parameters
    ----------
    studies : for each study a frame of `draw, time, event`, as for `imputed_curve`; a frame without `draw` is taken as sure.
    step, horizon : of the grid; what is compared ends where the shortest curve does.
    draws : the most that are tried for each study.

    Raises
    ------
    MethodError : no study with two draws.
    """
    how = settings or CurveSettings()
    sets = drawn_sets(studies)[:draws]
    if len(sets) < 2:
        raise MethodError(f"{len(sets)} draw; the reading of a figure is judged from at least 2")
    width = automatic_step(max(float(p.time.max()) for p in sets[0].values())) if step is None else step
    names = tuple(sets[0])
    curves = [[_pooled({**sets[0], name: one[name]}, width, horizon, how) for one in sets] for name in names]
    times = min((time for row in curves for time, _ in row), key=len)
    levels = np.array([[curve[: times.size] for _, curve in row] for row in curves])
    medians = np.array([[crossing(times, curve) for curve in row] for row in levels])
    means = np.array([area(times, row.T) for row in levels])
    return DigitizingSensitivity(
        names, len(sets), float(times[-1]), medians, means, np.ptp(levels, axis=1).max(axis=1).astype(np.float64)
    )


def _pooled(
    patients: Mapping[str, PatientTimes], step: float, horizon: float | None, how: CurveSettings
) -> tuple[Array, Array]:
    """Grid times and pooled survival, without limits."""
    grid: CurveGrid = curve_grid(*grid_rows(patients, step, horizon=horizon))
    cells = arcsine_cells(grid, how.correction, msurv=how.compat == "msurv")
    fit = arcsine_fit(cells, None if how.model == "fixed" else between_covariance(cells))
    return grid.time, arcsine_survival(fit.b)
