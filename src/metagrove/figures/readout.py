"""From a path of pixels to a step curve: levels to a fraction of a pixel, jumps on the upright stroke."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.tracking import Path

__all__ = ["Steps", "grid_phase", "snapped_by", "steps_of"]

_SAME = 0.33
_FEWEST = 5
_TOGETHER = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A step curve in pixels of the plot: level `height[i]` begins at `begin[i]`; the line ends at `end`.

    `seen[i]` is the number of columns in which level i was visible and inked.
    """

    begin: Array
    height: Array
    end: float
    seen: NDArray[np.int64]


def steps_of(path: Path, gain: NDArray[np.float32], hidden: NDArray[np.bool_], width: float) -> Steps:
    """The corners of the path.

    Long levels are read as one, jumps between them on their upright stroke; where steps are finer than the line is
    wide, each column gives the middle of its ink.

    Parameters
    ----------
    path : the traced line.
    gain : the arm's gain at each pixel, shape (rows, columns).
    hidden : where another arm lies on top, same shape.
    width : line width in pixels.
    """
    ink = np.where(hidden, 0, np.clip((gain + 1) / 2, 0, 1)).astype(np.float32)
    leave, enter = path.leave, path.enter
    cuts = [0] + [c for c in range(1, len(leave)) if leave[c] != leave[c - 1]] + [len(leave)]
    begin: list[float] = []
    height: list[float] = []
    seen: list[int] = []
    for a, b in itertools.pairwise(cuts):
        fine = _fine(ink, path, a, b, width)
        if fine is not None:
            begin.extend(float(c) for c in range(a, b))
            height.extend(fine)
            seen.extend([1] * (b - a))
            continue
        level, count = _level(ink, path, a, b, width)
        height.append(level)
        seen.append(count)
        begin.append(_jump(ink, a, int(enter[a]), int(leave[a]), width) if a else 0.0)
    levels = _never_back(np.array(height), np.array(seen, dtype=float))
    return _merged(np.maximum.accumulate(np.array(begin)), levels, _end(ink, path, width), np.array(seen), width)


def snapped_by(path: Path, cover: NDArray[np.float32]) -> float | None:
    """How far a drawing program pushed the line right and down to fit whole pixels: 0.5 or 0, None if it did not.

    Levels of a line that was fitted to the pixel grid all stand at one fraction of a pixel. A line centred on pixels
    was moved to the pixel that follows the true place (anti-grain geometry, as used by matplotlib), half a pixel off
    on average; one centred between pixels was not moved on average.
    """
    cuts = np.flatnonzero(np.diff(path.leave)) + 1
    runs = [(int(a), int(b)) for a, b in pairwise([0, *cuts.tolist(), len(path.leave)]) if b - a >= 8]
    places: list[float] = []
    for a, b in runs:
        row, low, high = int(path.leave[a]), path.first + a + 3, path.first + b - 3
        top = max(row - 5, 0)
        profile = cover[top : row + 6, low:high].mean(axis=1)
        profile = np.where(profile > 0.12 * profile.max(initial=0.0), profile, 0)
        if path.inked[a:b].all() and profile.max(initial=0.0) > 0.4 and profile[0] == profile[-1] == 0:
            places.append(top + float((profile * (np.arange(len(profile)) + 0.5)).sum() / profile.sum()))
    return grid_phase(places)


def grid_phase(places: Sequence[float]) -> float | None:
    """0.5 where places on a picture stand in the middle of pixels, 0 where between them, None where they do neither."""
    if len(places) < _FEWEST:
        return None
    turn = np.exp(2j * np.pi * np.asarray(places)).mean()
    if abs(turn) < _TOGETHER or abs(turn.imag) > 0.8 * abs(turn.real):
        return None
    return 0.0 if turn.real > 0 else 0.5


def _fine(ink: NDArray[np.float32], path: Path, a: int, b: int, width: float) -> list[float] | None:
    """The middle of the ink in each column of a short level; None where hidden, off a dash or a long drop."""
    if b - a > round(width) + 2 or not path.inked[a:b].all():
        return None
    out = []
    tallest = 2.6 * width + 2
    for c in range(a, b):
        row = (int(path.enter[c]) + int(path.leave[c])) // 2
        column = ink[:, path.first + c]
        if column[row] < 0.5 or path.leave[c] - path.enter[c] > width + 1:
            return None
        top, bottom = row, row
        while top > 0 and column[top - 1] > 0.3 and row - top < tallest:
            top -= 1
        while bottom < len(column) - 1 and column[bottom + 1] > 0.3 and bottom - row < tallest:
            bottom += 1
        if bottom - top + 1 > tallest:
            return None
        low, high = max(top - 1, 0), min(bottom + 2, len(column))
        weight = column[low:high]
        out.append(float((weight * (np.arange(low, high) + 0.5)).sum() / weight.sum()))
    return out


def _never_back(height: Array, weight: Array) -> Array:
    """The nearest heights that never rise on the page (pool adjacent violators; row numbers grow downwards)."""
    values: list[float] = []
    weights: list[float] = []
    sizes: list[int] = []
    for h, w in zip(height, np.maximum(weight, 0.2), strict=True):
        values.append(float(h))
        weights.append(float(w))
        sizes.append(1)
        while len(values) > 1 and values[-2] > values[-1]:
            total = weights[-2] + weights[-1]
            values[-2:] = [(values[-2] * weights[-2] + values[-1] * weights[-1]) / total]
            weights[-2:] = [total]
            sizes[-2:] = [sizes[-2] + sizes[-1]]
    return np.repeat(values, sizes)


def _level(ink: NDArray[np.float32], path: Path, a: int, b: int, width: float) -> tuple[float, int]:
    """The height of the line over columns a to b: median centroid of ink where it is visible."""
    row = int(path.leave[a])
    reach = int(np.ceil(width / 2 + 1))
    top, bottom = max(row - reach, 0), min(row + reach + 1, ink.shape[0])
    margin = round(width / 2) + 1
    inner = (
        slice(path.first + a + margin, path.first + b - margin)
        if b - a > 2 * margin + 1
        else slice(path.first + a, path.first + b)
    )
    due = path.inked[inner.start - path.first : inner.stop - path.first]
    block = ink[top:bottom, inner][:, due]
    weight = block.sum(axis=0)
    shown = weight > 0.35 * min(width, 2.0)
    if not shown.any():
        return row + 0.5, 0
    rows = np.arange(top, bottom)[:, None] + 0.5
    middle = (block[:, shown] * rows).sum(axis=0) / weight[shown]
    near = np.abs(middle - row - 0.5) <= 1.5
    return (float(np.median(middle[near])), int(near.sum())) if near.any() else (row + 0.5, 0)


def _jump(ink: NDArray[np.float32], column: int, high: int, low: int, width: float) -> float:
    """Where a jump stands: the centroid of ink across, over the rows strictly between the two levels."""
    reach = int(np.ceil(width / 2 + 1))
    left, right = max(column - reach, 0), min(column + reach + 1, ink.shape[1])
    clear = int(np.ceil(width / 2))
    rows = (
        slice(high + clear, low - clear + 1)
        if low - high > 2 * clear
        else slice((high + low) // 2, (high + low) // 2 + 1)
    )
    block = ink[rows, left:right]
    if low - high > 2 * clear and block.size:
        weight = block.sum(axis=1)
        shown = weight > 0.35 * min(width, 2.0)
        if shown.any():
            across = np.arange(left, right) + 0.5
            middle = (block[shown] * across).sum(axis=1) / weight[shown]
            found = float(np.median(middle))
            if abs(found - column - 0.5) <= 1.5:
                return found
    return column + 0.5


def _end(ink: NDArray[np.float32], path: Path, width: float) -> float:
    """Where the line stops: the last column, its soft edge counted by its share."""
    row, last = int(path.leave[-1]), path.last
    beyond = ink[max(row - 1, 0) : row + 2, last + 1 : last + 3]
    extra = float(np.clip(beyond.max(axis=0), 0, 1).sum()) if beyond.size else 0.0
    return last + 1.0 + min(extra, 0.5)


def _merged(begin: Array, height: Array, end: float, seen: NDArray[np.int64], width: float) -> Steps:
    """The steps with levels less than a third of a pixel apart taken as one."""
    keep_b, keep_h, keep_s = [float(begin[0])], [float(height[0])], [int(seen[0])]
    for b, h, s in zip(begin[1:], height[1:], seen[1:], strict=True):
        if h - keep_h[-1] < _SAME:
            total = keep_s[-1] + s
            keep_h[-1] = (keep_h[-1] * keep_s[-1] + float(h) * s) / total if total else keep_h[-1]
            keep_s[-1] = int(total)
        else:
            keep_b.append(float(b))
            keep_h.append(float(h))
            keep_s.append(int(s))
    while len(keep_b) > 1 and end - keep_b[-1] <= width / 2 + 2 and keep_h[-1] - keep_h[-2] <= 3 * width + 3:
        # the lower half of a censor mark on the end of the line
        keep_b, keep_h, keep_s = keep_b[:-1], keep_h[:-1], keep_s[:-1]
    return Steps(np.array(keep_b), np.array(keep_h), max(end, keep_b[-1]), np.array(keep_s))
