"""Whether a curve falls in steps, as survival does, or slopes: a fitted line, or points that were joined."""

from __future__ import annotations

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.reading_checks import Read
from metagrove.figures.findings import Finding

__all__ = ["STEPS", "patients_by_evenness", "sloping_share"]

# columns between two drops of one slope, how many drops make one, and the share of a curve's fall in slopes that is much
_NEXT, _MANY, _MUCH = 1.6, 10, 0.5
# columns of a window, the fall in pixels from which a window tells, how many windows must
_WINDOW, _FALLS, _WINDOWS = 8, 0.5, 6
# the median of a squared standard normal deviate, and the variance of a second difference of independent ones
_HALF, _SECOND = 0.455, 6.0
# patients from which steps are finer than pixels show, and how far beyond the printed number an estimate may go
_FINE, _BEYOND = 1800, 4.0

_SLOPES = "'{arm}' slopes evenly where survival falls in steps: a fitted line, or points that were joined"


def sloping_share(column: Array, height: Array) -> float:
    """The share, 0 to 1, of a curve's fall that lies in long rows of drops in neighbouring columns.

    `column` and `height` in pixels, shape (steps,): each height holds from its column on, from the first column at the
    beginning.
    """
    drops = np.abs(np.diff(height))
    if drops.sum() <= 0:
        return 0.0
    slope = np.cumsum(np.append(0, np.diff(column[1:]) > _NEXT))
    long = np.bincount(slope) >= _MANY
    return float(drops[long[slope]].sum() / drops.sum())


def patients_by_evenness(column: Array, height: Array, tall: float) -> float:
    """How many patients a curve must have, at least, to fall as evenly as it does; 0 where it falls too little to tell.

    Deaths fall into windows of equal length by chance: with a drop of `tall / n` pixels for each, the variance of the
    fall in a window is about that drop times its mean. `column`, `height` and `tall` (survival 1 to 0) in pixels; a
    straight line has no variance and counts as infinitely many.
    """
    edges = np.arange(column[0], column[-1], _WINDOW)
    fall = np.abs(np.diff(height[np.searchsorted(column, edges + 1e-9, side="right") - 1]))
    if len(fall) < _WINDOWS:
        return 0.0
    bend = fall[:-2] - 2 * fall[1:-1] + fall[2:]
    mean = (fall[:-2] + fall[1:-1] + fall[2:]) / 3
    tells = mean > _FALLS
    if tells.sum() < _WINDOWS:
        return 0.0
    drop = float(np.median(bend[tells] ** 2 / mean[tells])) / _SECOND / _HALF
    return tall / drop if drop > 0 else float("inf")


def _slopes(read: Read) -> list[Finding]:
    """The arms of a picture whose fall is too even for deaths, given how many people are printed for them."""
    reading = read.reading
    if reading.source != "raster":
        return []
    tall = abs(float(np.diff(reading.y.pixel(np.array([0.0, reading.scale])))[0])) if not reading.y.log else 0.0
    out = []
    for arm in reading.arms:
        column = np.asarray(reading.x.pixel(arm.time))
        height = arm.survival * tall
        printed = max((c.n for c in reading.cells if c.arm == arm.name), default=0)
        if sloping_share(column, height) < _MUCH:
            continue
        if patients_by_evenness(column, height, tall) > max(_FINE, _BEYOND * printed):
            out.append(Finding(_SLOPES.format(arm=arm.name)))
    return out


STEPS = Check("steps", "curves that slope where survival falls in steps", (_SLOPES,), _slopes)
