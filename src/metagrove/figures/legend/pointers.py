"""Names with an arrow or a line to their curve: which curve each points at, and the ink of the arrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.page import Word

__all__ = ["Pointer", "pointers"]

# in letter heights: how near an arrow begins, how long it is at least, how far its tip may stop from the curve
_BEGINS, _LENGTH, _STOPS = 3.0, 1.2, 1.0
# its axis, drawn on backwards, passes the name's box as near as this
_AIMS = 0.5
# the next curve must be this much further from the tip
_FURTHER = 2.0
# a straight thin line: pixels off its axis, and ink for its length
_CROOKED, _BROAD = 0.07, 0.45
_STEP = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Pointer:
    """A name's arrow: the index of the name and of the curve that it ends at (None where two are as near).

    `ink` marks its pixels, shape (rows, columns) of the plot.
    """

    name: int
    curve: int | None
    ink: NDArray[np.bool_]


def pointers(
    loose: NDArray[np.bool_], inked: NDArray[np.bool_], curves: Sequence[NDArray[np.bool_]], names: Sequence[Word]
) -> list[Pointer]:
    """The arrows that lead from names to curves.

    Parameters
    ----------
    loose : ink that no curve explains, shape (rows, columns).
    inked : all ink.
    curves : the strokes of each curve.
    names : words whose boxes are in rows and columns of the plot.
    """
    import cv2

    if not names or not curves:
        return []
    _, found = cv2.connectedComponents(loose.astype(np.uint8), connectivity=8)
    labels = np.asarray(found, dtype=np.int32)
    far = [cv2.distanceTransform((~c).astype(np.uint8), cv2.DIST_L2, 5) for c in curves]
    out = []
    for index, word in enumerate(names):
        shafts = [s for k in _near(labels, word) if (s := _shaft(labels == k, word)) is not None]
        if not shafts:
            continue
        start, end, piece = max(shafts, key=lambda s: float(np.hypot(*(s[1] - s[0]))))
        tip, ink = _followed(loose, inked, start, end)
        row, column = (int(np.clip(round(v), 0, n - 1)) for v, n in zip(tip, loose.shape, strict=True))
        off = np.array([f[row, column] for f in far])
        order = np.argsort(off)
        clear = len(off) == 1 or off[order[1]] > _FURTHER * off[order[0]] + 2
        reached = off[order[0]] < max(_STOPS * word.size, 6.0)
        if reached:
            out.append(Pointer(index, int(order[0]) if clear else None, piece | ink))
    return out


def _near(labels: NDArray[np.int32], word: Word) -> list[int]:
    """The pieces of ink that come close to a word's box."""
    reach = _BEGINS * word.size
    rows = slice(max(int(word.y0 - reach), 0), max(int(word.y1 + reach) + 1, 0))
    columns = slice(max(int(word.x0 - reach), 0), max(int(word.x1 + reach) + 1, 0))
    return [int(k) for k in np.unique(labels[rows, columns]) if k]


def _shaft(piece: NDArray[np.bool_], word: Word) -> tuple[Array, Array, NDArray[np.bool_]] | None:
    """The ends (row, column) of a straight thin piece of ink, the one at the word first; None for any other piece."""
    points = np.argwhere(piece).astype(float)
    if len(points) < 6:
        return None
    middle = points.mean(axis=0)
    _, _, axes = np.linalg.svd(points - middle, full_matrices=False)
    along, aside = (points - middle) @ axes[0], (points - middle) @ axes[1]
    length = float(np.ptp(along))
    thin = len(points) < _BROAD * word.size * length
    if length < _LENGTH * word.size or not thin or float(np.median(np.abs(aside))) > max(1.2, _CROOKED * length):
        return None
    ends = [middle + along.min() * axes[0], middle + along.max() * axes[0]]
    gaps = [_gap(word, e) for e in ends]
    near, tip = (0, 1) if gaps[0] < gaps[1] else (1, 0)
    # it leads away from the word
    if gaps[near] > _BEGINS * word.size or gaps[tip] < 0.6 * length:
        return None
    back = ends[near] + np.linspace(0, _BEGINS * word.size, 12)[:, None] * (ends[near] - ends[tip]) / length
    if min(_gap(word, p) for p in back) > _AIMS * word.size:
        return None
    return ends[near], ends[tip], piece


def _gap(word: Word, point: Array) -> float:
    down = max(word.y0 - point[0], point[0] - word.y1, 0.0)
    across = max(word.x0 - point[1], point[1] - word.x1, 0.0)
    return float(np.hypot(down, across))


def _followed(
    loose: NDArray[np.bool_], inked: NDArray[np.bool_], start: Array, end: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """The tip of an arrow that may run on behind curves, and its ink there."""
    way = (end - start) / max(float(np.hypot(*(end - start))), 1e-9)
    own = np.zeros(loose.shape, dtype=bool)
    tip, place, held = end, end, 0.0
    while held < 16:
        place = place + _STEP * way
        row, column = round(float(place[0])), round(float(place[1]))
        if not (2 <= row < loose.shape[0] - 2 and 2 <= column < loose.shape[1] - 2):
            break
        window = slice(row - 2, row + 3), slice(column - 2, column + 3)
        if loose[window].any():
            tip, held = place, 0.0
            own[window] |= loose[window]
        elif inked[window].any():
            held += _STEP
        else:
            break
    return tip, own
