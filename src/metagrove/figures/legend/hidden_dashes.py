"""The dashes of a key whose middle a symbol hides."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.tracking import Dash

__all__ = ["dashes_shown"]

# a key whose visible columns lack no more than this is solid
_SOLID = 0.08
# of a line's width: the shortest gap and dash, the longest dot, and the steps in which they are tried; dashes end by the key's end
_SHORTEST, _DOT, _STEP = 0.7, 2.2, 0.5
# squared difference for each column that another part of a pattern must explain
_PART = 0.6
# above this mean squared difference a key shows no pattern
_ASTRAY = 0.09


def dashes_shown(line: Array, hidden: NDArray[np.bool_], width: float) -> tuple[str, Dash] | None:
    """The style of a key and its dashes from the columns that show, a pattern beginning at its first column; None where none fits.

    Parameters
    ----------
    line : how much of each column of the key is inked, 0 to 1.
    hidden : where a symbol hides it.
    width : how thick the line is.
    """
    seen = ~hidden
    # the ends of a key are soft
    seen[[0, -2, -1]] = False
    if not seen.any():
        return None
    if float((1 - line[seen]).mean()) <= _SOLID:
        return "solid", Dash()
    found = [*_dashes(line, seen, width), *_dashes_and_dots(line, seen, width)]
    loss, _, on, off = min(found, key=lambda f: f[0] + f[1] * _PART)
    if loss / int(seen.sum()) > _ASTRAY:
        return None
    return "dotted" if on <= _DOT * max(width, 1.0) else "dashed", Dash(on, off)


def _dashes(line: Array, seen: NDArray[np.bool_], width: float) -> list[tuple[float, int, float, float]]:
    """What the best dashes leave unexplained, of how many parts they are, their length and gap."""
    long = len(line)
    least = max(_SHORTEST * width, 1.0)
    lengths, gaps = np.arange(least, long, _STEP), np.arange(least, 0.6 * long, _STEP)
    on, off = (a.ravel() for a in np.meshgrid(lengths, gaps))
    loss = _losses(line, seen, np.stack([on, off], axis=1))
    k = int(loss.argmin())
    return [(float(loss[k]), 2, float(on[k]), float(off[k]))]


def _dashes_and_dots(line: Array, seen: NDArray[np.bool_], width: float) -> list[tuple[float, int, float, float]]:
    """The same of long and short dashes in turn; the short one and both gaps count as the gap between long ones."""
    long = len(line)
    least = max(_SHORTEST * width, 1.0)
    lengths, gaps = np.arange(2.5 * width, 0.7 * long, 2 * _STEP), np.arange(least, 0.35 * long, 2 * _STEP)
    dots = np.arange(least, _DOT * width, 2 * _STEP)
    rows = np.array(list(itertools.product(lengths, gaps, dots)))
    if not len(rows):
        return []
    loss = _losses(line, seen, np.stack([rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 1]], axis=1))
    k = int(loss.argmin())
    return [(float(loss[k]), 4, float(rows[k, 0]), float(2 * rows[k, 1] + rows[k, 2]))]


def _losses(line: Array, seen: NDArray[np.bool_], parts: Array) -> Array:
    """The summed squared difference of a key's visible columns from each pattern, rows of dash and gap in turn."""
    ends = np.cumsum(parts, axis=1)
    place = np.arange(len(line))[None, :]
    inked = np.zeros((len(parts), len(line)))
    # the soft ends of dashes: each column is inked by its share
    for turn in range(0, parts.shape[1], 2):
        begin = ends[:, turn] - parts[:, turn]
        for again in range(int(np.ceil(len(line) / float(ends[:, -1].min()))) + 1):
            shift = again * ends[:, -1]
            low, high = (begin + shift)[:, None], (ends[:, turn] + shift)[:, None]
            inked += np.clip(np.minimum(place + 1, high) - np.maximum(place, low), 0, 1)
    return np.asarray((((inked - line[None, :]) ** 2) * seen[None, :]).sum(axis=1))
