"""The small angle by which a page was turned, from the edges of its straight lines, whatever their colour."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.colours import largest

__all__ = ["skew_angle"]

_Points: TypeAlias = tuple[Array, Array]
_MOST = 120_000
_EDGE = 18
_GAIN = 1.02
# the last search: degrees to either side and apart, cells a pixel, and how far an edge of one line is spread, in pixels
_WITHIN, _APART = 0.08, 0.016
_CELLS, _SPREAD = 4, 0.4


def skew_angle(rgb: NDArray[np.uint8], *, furthest: float) -> float:
    """How far the picture is turned, in degrees (counter-clockwise positive), at most `furthest`; 0 where unsure.

    The angle is the one that gathers the edges of level lines into the fewest rows and those of upright lines into the
    fewest columns; it must gather them two per cent better than no turn at all (level pictures reach a tenth of one per cent).
    """
    import cv2

    tall, wide = rgb.shape[:2]
    level = _edges(largest(cv2.absdiff(rgb[2:], rgb[:-2])))
    upright = _edges(largest(cv2.absdiff(rgb[:, 2:], rgb[:, :-2])).T)
    if len(level[0]) < 50:
        return 0.0

    def gathered(angle: float) -> float:
        slope = math.tan(math.radians(angle))
        return _gathered(level, slope, tall) + _gathered(upright, -slope, wide)

    still = gathered(0.0)
    coarse = max(np.arange(-furthest, furthest + 0.01, 0.1), key=lambda a: gathered(float(a)))
    fine = max(np.arange(coarse - 0.1, coarse + 0.101, 0.02), key=lambda a: gathered(float(a)))
    best = _finest(level, upright, float(fine), (tall, wide))
    return best if gathered(best) > _GAIN * still else 0.0


def _finest(level: _Points, upright: _Points, angle: float, size: tuple[int, int]) -> float:
    """The angle near `angle` that gathers best, to a hundredth of a degree.

    Whole rows alone tell an angle to a pixel over the width; here an edge counts for the rows between which it falls.
    """
    angles = angle + np.arange(-_WITHIN, _WITHIN + 1e-9, _APART)
    slopes = np.tan(np.radians(angles))
    score = np.array([_sharpness(level, s, size[0]) + _sharpness(upright, -s, size[1]) for s in slopes.tolist()])
    top = int(score.argmax())
    near = slice(max(top - 2, 0), top + 3)
    curve, slope, _ = np.polyfit(angles[near] - angles[top], score[near], 2)
    moved = -slope / (2 * curve) if curve < 0 else 0.0
    return float(angles[top] + np.clip(moved, -_APART, _APART))


def _sharpness(points: _Points, slope: float, size: int) -> float:
    """The sum of squared counts per quarter of a row once the rows are sheared by `slope`, edges spread a little."""
    place = (points[0] + slope * points[1]) * _CELLS
    cell = np.floor(place).astype(int)
    part = place - cell
    last = size * _CELLS
    counts = np.bincount(np.clip(cell, 0, last), weights=1 - part, minlength=last + 2)
    counts += np.bincount(np.clip(cell + 1, 0, last + 1), weights=part, minlength=last + 2)
    reach = np.arange(-2 * _CELLS, 2 * _CELLS + 1) / _CELLS
    spread = np.exp(-0.5 * (reach / _SPREAD) ** 2)
    return float((np.convolve(counts, spread / spread.sum(), "same") ** 2).sum())


def _edges(jump: NDArray[np.uint8]) -> _Points:
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
