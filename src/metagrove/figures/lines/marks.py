"""Censor marks on a traced curve: upright strokes, crosses or discs centred on the line, all of one size."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.evidence import above_tints
from metagrove.figures.lines.readout import Steps
from metagrove.figures.lines.tracking import Path

__all__ = ["mark_places"]

# ink below the first is paper; a stroke reaches the second in its own column or the next
_PAPER, _SOLID = 0.15, 0.4
# how far marks stand out of the line, in pixels and in line widths; the runs of a mark begin at this share of its height
_LEAST, _PER_WIDTH, _SHARE = 1.0, 0.3, 0.45
_FEWEST, _ALIKE, _MOST_ALIKE = 2, 0.25, 0.6
_QUIET_SHARE, _STILL = 0.4, 0.6
_LONGEST = 12
# half the height of a mark at most: in pixels, in line widths and two pixels, and of the plot's height
_TALLEST, _PENS, _OF_PLOT = 4.0, 2.2, 0.02
# where the line is nowhere level: how many alike make marks, which share of all they are, and their least height
_CROWD, _CROWD_SHARE, _CROWD_HEIGHT = 8, 0.7, 1.8
# two marks that touch: the ink between them is less than this share of theirs
_DIP = 0.85
# a block without dips holds another mark for every so many times the ink of one
_NEXT = 1.2


def mark_places(path: Path, steps: Steps, ink: NDArray[np.float32], width: float) -> Array:
    """Columns, to a fraction of a pixel, at which ink stands out above and below the curve by the same small amount.

    Parameters
    ----------
    ink : the arm's coverage of each pixel, 0 to 1, other arms' ink removed; shape (rows, columns).
    width : line width in pixels.

    A step reaches out to one side only; a mark reaches out to both. The size of a curve's marks is learnt where the line
    runs level; none are told where too few stand there or most differ, since ripples beside steps then look like marks,
    unless many stand all along a line that is never level and nearly all are of one height. Elsewhere only ink of that
    size counts. A block of marks that touch is as many as its dips and its ink need at least.
    """
    tallest = max(_TALLEST, _PENS * width + 2, _OF_PLOT * len(ink))
    ink = above_tints(ink, 2 * int(np.ceil(2 * tallest + width)) + 1)
    # dense marks thicken what is seen of the line
    half = min(steps.width, width + 0.2) / 2
    both = _standing_out(path, steps, ink, half, tallest)
    least = max(_LEAST, _PER_WIDTH * steps.width)
    level = _level(steps, len(both))
    size = _usual_height(both, level, least)
    crowded = size is None
    size = _crowd_height(both, least) if size is None else size
    if size is None:
        return np.zeros(0)
    begins, ends = _runs(both >= max(least, _SHARE * size))
    tall = np.array([both[b:e].max() for b, e in zip(begins, ends, strict=True)])
    quiet = _within(level, begins, ends)
    slack = np.where(quiet, _ALIKE * size + 0.5, 0.8 * _ALIKE * size + 0.3)
    keep = np.abs(tall - size) <= slack
    known = keep & quiet if (keep & quiet).sum() >= _FEWEST else keep
    if not known.any() or not (crowded or (keep & quiet).any()):
        return np.zeros(0)
    wide = float(np.quantile((ends - begins)[known], 0.3))
    pairs = list(zip(begins.tolist(), ends.tolist(), strict=True))
    ink_of_one = float(np.quantile([both[b:e].sum() for (b, e), own in zip(pairs, known, strict=True) if own], 0.3))
    return np.array(
        [
            path.first + c
            for (b, e), kept in zip(pairs, keep, strict=True)
            if kept and e - b <= _LONGEST * wide
            for c in _middles(both, b, e, wide, ink_of_one)
        ]
    )


def _usual_height(both: Array, level: NDArray[np.bool_], least: float) -> float | None:
    """How far most marks stand out where the line is level; None where the curve shows none."""
    begins, ends = _runs(both >= least)
    quiet = _within(level, begins, ends)
    if quiet.sum() < _FEWEST or quiet.mean() < _QUIET_SHARE * level.mean():
        return None
    tall = np.array([both[b:e].max() for b, e in zip(begins[quiet], ends[quiet], strict=True)])
    near = np.abs(tall[:, None] - tall[None, :]) <= _ALIKE * tall[None, :] + 0.5
    best = near[:, int(near.sum(axis=0).argmax())]
    return float(np.median(tall[best])) if best.mean() >= _MOST_ALIKE else None


def _crowd_height(both: Array, least: float) -> float | None:
    """How far nearly all of many marks stand out of a line that hardly runs level; None where it shows no such marks."""
    begins, ends = _runs(both >= least)
    if len(begins) < _CROWD:
        return None
    tall = np.array([both[b:e].max() for b, e in zip(begins, ends, strict=True)])
    near = np.abs(tall[:, None] - tall[None, :]) <= _ALIKE * tall[None, :] + 0.3
    best = near[:, int(near.sum(axis=0).argmax())]
    size = float(np.median(tall[best]))
    return size if best.mean() >= _CROWD_SHARE and size >= _CROWD_HEIGHT else None


def _runs(inked: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First columns of the runs and the columns after their last."""
    change = np.diff(np.concatenate([[0], inked.astype(np.int8), [0]]))
    return np.flatnonzero(change == 1), np.flatnonzero(change == -1)


def _within(level: NDArray[np.bool_], begins: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which runs lie wholly where the line is level."""
    return np.array([bool(level[b:e].all()) for b, e in zip(begins, ends, strict=True)], dtype=bool)


def _middles(both: Array, b: int, e: int, wide: float, ink_of_one: float) -> list[float]:
    """The marks of one run: cut at its dips, each piece its middle, or evenly spaced ones where it holds ink of several."""
    out: list[float] = []
    cuts = _cuts(both, b, e)
    for first, last in itertools.pairwise(cuts):
        weight = both[first:last]
        count = max(1, round(float(weight.sum()) / (_NEXT * ink_of_one)))
        if count == 1:
            out.append(float((weight * (np.arange(first, last) + 0.5)).sum() / weight.sum()))
        else:
            out += np.linspace(first + wide / 2, last - wide / 2, count).tolist()
    return out


def _cuts(both: Array, b: int, e: int) -> list[int]:
    """The ends of a run and the dips inside it."""
    cuts = [b]
    k = b + 1
    while k < e - 1:
        last = k
        while last + 1 < e - 1 and both[last + 1] == both[k]:
            last += 1
        lower = both[k] <= both[k - 1] and both[k] <= both[last + 1]
        if lower and both[k] < _DIP * min(both[cuts[-1] : k].max(), both[last + 1 : e].max()):
            cuts.append((k + last + 1) // 2)
        k = last + 1
    return [*cuts, e]


def _level(steps: Steps, columns: int) -> NDArray[np.bool_]:
    """In which columns the curve does not drop within the pen's width."""
    places: Array = np.arange(columns, dtype=float) + 0.5
    reach = steps.width / 2 + 2
    return np.asarray(_height(steps, places + reach) - _height(steps, places - reach) < _STILL)


def _standing_out(path: Path, steps: Steps, ink: NDArray[np.float32], half: float, tallest: float) -> Array:
    """For each column of the path the ink in pixels that stands out of the line on both sides alike, else 0."""
    columns = len(path.leave)
    places = np.arange(columns, dtype=float) + 0.5
    # the pen's upper edge is the curve half a width earlier, its lower edge the curve half a width later
    before, after = _height(steps, places - half), _height(steps, places + half)
    wide = np.pad(ink, ((0, 0), (1, 1)))
    near = np.maximum(np.maximum(wide[:, :-2], wide[:, 2:]), ink)
    solid = np.where((near >= _SOLID) & (ink >= _PAPER), ink, np.float32(0))
    out = np.zeros(columns)
    own = slice(path.first, path.first + columns)
    inks, solids = np.ascontiguousarray(ink[:, own].T), np.ascontiguousarray(solid[:, own].T)
    for i, (above, below) in enumerate(zip(before.tolist(), after.tolist(), strict=True)):
        up = _beyond(inks[i], solids[i], above, -1, half + tallest) - half
        down = _beyond(inks[i], solids[i], below, 1, half + tallest) - half
        if max(up, down) < tallest - 0.5 and abs(up - down) <= 0.5 * max(up, down) + 0.8:
            out[i] = max(min(up, down), 0.0)
    return out


def _beyond(ink: NDArray[np.float32], solid: NDArray[np.float32], level: float, way: int, reach: float) -> float:
    """The ink of a column from a level on, up (-1) or down (1), until paper or `reach` pixels."""
    row = math.floor(level)
    if not 0 <= row < len(ink):
        return 0.0
    part = level - row if way < 0 else row + 1 - level
    stop = math.ceil(reach) + 1
    rest = solid[max(row - stop, 0) : row][::-1] if way < 0 else solid[row + 1 : row + 1 + stop]
    # what is no paper is more than 0
    paper = int(rest.argmin()) if len(rest) else 0
    return float(part * ink[row] + np.add.reduce(rest[:paper] if len(rest) and rest[paper] == 0 else rest))


def _height(steps: Steps, columns: Array) -> Array:
    """The height of the curve at each column."""
    index = np.searchsorted(steps.begin, columns, side="right") - 1
    return np.asarray(steps.height[np.clip(index, 0, None)])
