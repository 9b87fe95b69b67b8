"""What each study does to the summary curve: the curve again without it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.curves.summary import PooledCurve, pooled_curve

__all__ = ["CurveInfluence", "leave_one_out"]


@dataclass(frozen=True, slots=True, eq=False)
class CurveInfluence(Result):
    """The summary curve with each study left out in turn.

    Parameters
    ----------
    whole : the curve of all studies.
    omitted : the k names.
    curves : the k curves without each.
    horizon : the time that every curve reaches; areas are compared up to it.
    shift : shape (k,), the largest absolute change of survival up to the horizon.
    mean_change : shape (k,), area up to the horizon with all studies less that without each: what each study adds.
    """

    whole: PooledCurve
    omitted: tuple[str, ...]
    curves: tuple[PooledCurve, ...] = field(repr=False)
    horizon: float
    shift: Array
    mean_change: Array

    def rows(self) -> list[dict[str, Any]]:
        """One line per omitted study, the whole first."""
        first = self._row("", self.whole, 0.0, 0.0)
        return [first] + [
            self._row(name, curve, float(shift), float(change))
            for name, curve, shift, change in zip(self.omitted, self.curves, self.shift, self.mean_change, strict=True)
        ]

    def _row(self, name: str, curve: PooledCurve, shift: float, change: float) -> dict[str, Any]:
        mean, low, high = curve.restricted_mean(self.horizon)
        return {
            "omitted": name,
            "studies": len(curve.grid.studies),
            "median": curve.median,
            "median_lower": curve.median_lower,
            "median_upper": curve.median_upper,
            "mean": mean,
            "mean_lower": low,
            "mean_upper": high,
            "I2": curve.I2,
            "largest_shift": shift,
            "mean_change": change,
        }

    def summary(self) -> str:
        """The range of the median and the study that moves the curve most."""
        medians = [curve.median for curve in self.curves if math.isfinite(curve.median)]
        span = f"median {min(medians):.4g} to {max(medians):.4g}" if medians else "no median"
        i = int(np.argmax(self.shift))
        return f"Leaving out one study at a time: {span}; {self.omitted[i]} moves survival most, by {self.shift[i]:.3f}"

    def explain(self) -> Explanation:
        """The methods sentence and the references of the pooled curve."""
        whole = self.whole.explain()
        return Explanation("The summary curve was computed again without each study in turn.", whole.references)


def leave_one_out(curve: PooledCurve) -> CurveInfluence:
    """The curve again without each study, with the same settings.

    Raises
    ------
    MethodError : fewer than 3 studies, for then nothing is left to pool.
    """
    grid = curve.grid
    k = len(grid.studies)
    if k < 3:
        raise MethodError(f"{k} studies; leaving one out needs at least 3")
    others = tuple(pooled_curve(grid.without(i), curve.settings) for i in range(k))
    horizon = min(float(c.time[-1]) for c in others)
    times = curve.time[curve.time <= horizon * (1 + 1e-9)]
    base, area = curve.at(times), curve.restricted_mean(horizon)[0]
    shift = np.array([np.abs(c.at(times) - base).max() for c in others])
    change = np.array([area - c.restricted_mean(horizon)[0] for c in others])
    return CurveInfluence(curve, grid.studies, others, horizon, shift, change)
