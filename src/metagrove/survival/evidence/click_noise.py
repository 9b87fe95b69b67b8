"""What the disorder of clicks tells about their error: rows in order of time whose survival rises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.values import Array
from metagrove.survival.evidence.curve_input import DigitizedCurve
from metagrove.survival.evidence.steps import CLICK_S, CLICK_T

__all__ = ["Disorder", "disorder_of"]

#: Sets of clicks simulated.
SETS = 24
#: Fewest clicks whose disorder is used.
FEWEST = 12


@dataclass(frozen=True, slots=True, eq=False)
class Disorder:
    """Clicks as they came, in order of time, against the same clicks in order.

    Parameters
    ----------
    time, level : shape (m,), sorted times and falling levels. risen : the sum of all rises from row to row.
    axis : length of the time axis. score : shape (sets, 2, m), standard normal errors, common to all errors tried.
    """

    time: Array
    level: Array
    risen: float
    axis: float
    score: Array

    def shown(self, sigma: float) -> tuple[float, float]:
        """What clicks with standard error `sigma` would show: log likelihood of the rises, and the error left after sorting.

        Clicks closer than their error change places; brought to order they lie nearer to the curve than they were, by the
        factor returned. The rises they make are compared with those of simulated clicks on the same curve.
        """
        from metagrove.survival.evidence.click_kernels import disturbed

        spread = CLICK_T / CLICK_S * sigma * self.axis
        rises, left = disturbed(self.time, self.level, sigma, spread, self.score)
        mean = float(rises.sum()) / rises.size
        error = max(float(np.sqrt(((rises - mean) ** 2).sum() / (rises.size - 1))), 0.1 * sigma)
        z = (self.risen - mean) / error
        return -0.5 * z * z - float(np.log(error)), min(max(float(np.sqrt(left)) / sigma, 0.2), 1.0)


def disorder_of(curve: DigitizedCurve, axis: float, rng: np.random.Generator) -> Disorder | None:
    """The disorder of clicks, None where there are few or where somebody has brought them to order."""
    inner = slice(int(curve.time[0] <= 0.005 * curve.end), None)
    time, level = curve.time[inner], curve.survival[inner]
    risen = float(np.maximum(np.diff(level), 0.0).sum())
    if curve.kind not in ("clicks", "steps") or time.size < FEWEST or risen <= 0:
        return None
    score = rng.standard_normal((SETS, 2, time.size))
    return Disorder(time, np.sort(level)[::-1], risen, axis, score)
