"""Hatching: confidence bands filled with thin parallel oblique strokes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["hatched"]

# degrees from level that strokes may slope, either way
_SLOPES = range(25, 66, 5)
# pixels: the shortest stroke, and from one stroke to the next, down the page or across it
_LONG, _PITCHES = 9, range(4, 40)
# the share of the ink of strokes with two more on both sides, and of the ink that no curve explains that strokes take at least
_BETWEEN, _LEAST = 0.08, 0.1


def hatched(loose: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of oblique strokes that stand side by side at an even distance, of ink that no curve explains.

    A curve that was not found may slope like one stroke, but has not others on both sides of it all along.
    """
    out = np.zeros(loose.shape, dtype=bool)
    if not loose.any():
        return out
    for side in (1, -1):
        strokes = max((_strokes(loose, side * a) for a in _SLOPES), key=lambda f: int(f.sum()))
        if strokes.sum() > _LEAST * loose.sum() and _repeated(strokes):
            out |= strokes
    return out


def _strokes(loose: NDArray[np.bool_], angle: int) -> NDArray[np.bool_]:
    """The thin ink in straight runs at an angle, in degrees anticlockwise from level."""
    import cv2

    soft = cv2.dilate(loose.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    reach = _LONG // 2
    kernel = np.zeros((_LONG, _LONG), dtype=np.uint8)
    away = np.array([-np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    for k in np.linspace(-reach, reach, 4 * _LONG):
        row, column = np.round(reach + k * away).astype(int)
        kernel[row, column] = 1
    runs = cv2.morphologyEx(soft, cv2.MORPH_OPEN, kernel)
    solid = cv2.morphologyEx(loose.astype(np.uint8), cv2.MORPH_OPEN, np.ones((4, 4), np.uint8))
    return np.asarray((runs > 0) & loose & (solid == 0))


def _repeated(strokes: NDArray[np.bool_]) -> bool:
    """Whether strokes stand in fives or more at one distance, below or beside each other, with paper between them."""
    far = 2 * max(_PITCHES)
    for way in (strokes, strokes.T):
        rows, columns = np.nonzero(way)
        rows += far
        framed = np.pad(way, ((far, far), (0, 0)))
        for pitch in _PITCHES:
            five = ~(framed[rows - pitch // 2, columns] | framed[rows + pitch // 2, columns])
            for k in (-2, -1, 1, 2):
                five &= framed[rows + k * pitch, columns]
            if five.sum() > _BETWEEN * len(rows):
                return True
    return False
