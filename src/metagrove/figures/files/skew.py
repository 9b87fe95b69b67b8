"""The small angle by which a page was turned, from the edges of its straight lines, whatever their colour."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array

__all__ = ["skew_angle"]

_Points: TypeAlias = tuple[Array, Array]
_MOST = 120_000
_EDGE = 18
_GAIN = 1.02


def skew_angle(rgb: NDArray[np.uint8], *, furthest: float) -> float:
    """How far the picture is turned, in degrees (counter-clockwise positive), at most `furthest`; 0 where unsure.

    The angle is the one that gathers the edges of level lines into the fewest rows and those of upright lines into the
    fewest columns; it must gather them two per cent better than no turn at all (level pictures reach a tenth of one per cent).
    """
    tall, wide = rgb.shape[:2]
    grey = rgb.astype(np.int16)
    level = _edges(np.abs(grey[2:] - grey[:-2]).max(axis=2))
    upright = _edges(np.abs(grey[:, 2:] - grey[:, :-2]).max(axis=2).T)
    if len(level[0]) < 50:
        return 0.0

    def gathered(angle: float) -> float:
        slope = math.tan(math.radians(angle))
        return _gathered(level, slope, tall) + _gathered(upright, -slope, wide)

    still = gathered(0.0)
    coarse = max(np.arange(-furthest, furthest + 0.01, 0.1), key=lambda a: gathered(float(a)))
    fine = max(np.arange(coarse - 0.1, coarse + 0.101, 0.02), key=lambda a: gathered(float(a)))
    steps = np.array([fine - 0.02, fine, fine + 0.02])
    left, middle, right = (gathered(float(a)) for a in steps)
    curve = left - 2 * middle + right
    best = float(fine) + (0.01 * (left - right) / curve if curve < 0 else 0.0)
    return best if gathered(best) > _GAIN * still else 0.0


def _edges(jump: NDArray[np.int16]) -> _Points:
    """Rows and columns of pixels on an edge of a line: an edge that goes on for a while along its row."""
    edge = jump > _EDGE
    run = edge[:, :-6] & edge[:, 2:-4] & edge[:, 4:-2] & edge[:, 6:]
    rows, columns = np.nonzero(run)
    stride = max(1, len(rows) // _MOST)
    return rows[::stride].astype(float), columns[::stride].astype(float) - run.shape[1] / 2


def _gathered(points: _Points, slope: float, size: int) -> float:
    """The sum of squared counts per row once the rows are sheared by `slope`."""
    rows = np.round(points[0] + slope * points[1]).astype(int)
    counts = np.bincount(np.clip(rows, 0, size), minlength=size + 1).astype(float)
    return float((counts**2).sum())
