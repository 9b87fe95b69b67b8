"""Sample lines of a legend that a censor mark crosses: the ink of the line without the mark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.runs import runs_of

__all__ = ["unmarked"]

_INK = 0.3
# an upright stroke is this much higher than the line it crosses, and no wider than this share of its height
_HIGHER, _WIDEST = 1.8, 0.4
# the arm of a plus is thinner than the line it lies on
_THINNER = 0.8
# pixels of line on both sides of a ring, and the share of its width that its upper and lower halves both take
_ARM, _ROUND = 4, 0.6


def unmarked(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """The ink left of a name with `|` and `+` taken off the line that runs through the middle.

    What an upright stroke covers is filled where the line shows on both of its sides.
    """
    tall, wide = block.shape
    if tall < 5 or wide < 9:
        return block
    block = _ring_filled(block)
    inked = block > _INK
    extent = _extents(inked)
    line = extent[extent > 0]
    usual = float(np.median(line)) if len(line) else 0.0
    upright = extent > max(_HIGHER * usual, usual + 2.5)
    if not upright.any():
        return block
    out = block.copy()
    for a, b in runs_of(upright):
        high = float(extent[a:b].max())
        if b - a > max(_WIDEST * high, 3.0):
            continue
        _taken_off(out, (max(a - 1, 0), min(b + 1, wide)), high)
    return out


def _ring_filled(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """The block with the line drawn on through a ring that stands on its middle, as web charts draw their keys."""
    inked = block > _INK
    row = int(inked.sum(axis=1)[1:-1].argmax()) + 1
    middle = inked[row]
    above = np.asarray(inked[:row].any(axis=0))
    below = np.asarray(inked[row + 1 :].any(axis=0))
    out = block
    for a, b in runs_of(~middle):
        left, right = middle[max(a - _ARM, 0) : a], middle[b : b + _ARM]
        # an upright mark stands in the gap of a dashed key, a ring lies over and under all of it
        ring = (above & below)[a:b].mean() > _ROUND and 2 < b - a <= len(block)
        if ring and len(left) == len(right) == _ARM and left.all() and right.all():
            out = out.copy() if out is block else out
            out[row, a:b] = np.minimum(block[row, a - _ARM], block[row, b + _ARM - 1])
    return out


def _extents(inked: NDArray[np.bool_]) -> NDArray[np.int_]:
    """The height of the longest run of ink in each column that comes near its middle."""
    tall, wide = inked.shape
    framed = np.zeros((wide, tall + 2), dtype=np.int8)
    framed[:, 1:-1] = inked.T
    change = np.diff(framed, axis=1)
    columns, begins = np.nonzero(change == 1)
    ends = np.nonzero(change == -1)[1]
    near = (begins - 0.25 * tall <= tall // 2) & (tall // 2 < ends + 0.25 * tall)
    out = np.zeros(wide, dtype=int)
    np.maximum.at(out, columns[near], (ends - begins)[near])
    return out


def _taken_off(block: NDArray[np.float32], columns: tuple[int, int], high: float) -> None:
    """Take one mark off: its stroke in these columns, and the level arm that a plus has on both sides of it."""
    a, b = columns
    wide = block.shape[1]
    left = block[:, a - 1] if a > 0 else np.zeros(len(block), dtype=np.float32)
    right = block[:, b] if b < wide else np.zeros(len(block), dtype=np.float32)
    block[:, a:b] = np.minimum(left, right)[:, None]
    half = round(0.5 * high)
    centre = (a + b) // 2
    arm = slice(max(centre - half - 1, 0), min(centre + half + 2, wide))
    outside = np.ones(wide, dtype=bool)
    outside[arm] = False
    weight = block.sum(axis=0)
    thick = float(np.median(weight[outside & (weight > _INK)])) if (outside & (weight > _INK)).any() else 0.0
    thin = (weight > 0) & (weight < _THINNER * thick) & ~outside
    if thick >= 2 and thin.mean() > 0:
        block[:, thin] = 0
