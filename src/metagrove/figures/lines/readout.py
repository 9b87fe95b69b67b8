"""From a path of pixels to a step curve: levels to a fraction of a pixel, jumps on the upright stroke."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.edges import CELLS, bounded_curve, edges_of, level_rows
from metagrove.figures.lines.tracking import Path

__all__ = ["Steps", "grid_phase", "snapped_by", "steps_of"]

_SAME = 0.33
_FEWEST = 5
_TOGETHER = 0.75
_NEAR_GRID = 0.13
_MANY, _HALF = 20, 0.55
# columns that levels on both sides of one jump run at least, and that its stroke takes at most
_PLATEAU, _DROP = 6.0, 3.2
_ALIKE = 0.4
_PARTLY = 0.2
_BARE = 12


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A step curve in pixels of the plot: level `height[i]` begins at `begin[i]`; the line ends at `end`.

    `seen[i]` is the number of columns in which level i was visible and inked. `levels` are the rows of the level pieces
    that show the line's own `width` undisturbed. `unseen` are the columns and depths, shape (k, 2) in pixels, of deep
    drops whose upright stroke does not show. `places` are rows and columns of long levels and deep drops that were fitted.
    """

    begin: Array
    height: Array
    end: float
    seen: NDArray[np.int64]
    levels: Array
    width: float
    unseen: Array
    places: Array = field(default_factory=lambda: np.zeros(0))


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
    edges = edges_of(path, ink, hidden, width)
    cells, seen = bounded_curve(edges, path)
    begin, height = _corners(cells)
    unseen = []
    for i in range(1, len(begin)):
        found = _upright(ink, begin[i], height[i - 1], height[i], edges.width)
        deep = height[i] - height[i - 1] > 2 * edges.width + 4
        shown = _shown(ink, hidden, begin[i], height[i - 1 : i + 1], width) if deep else np.ones(0, bool)
        if found is not None:
            begin[i] = found
        if deep and (_interrupted(shown) if found is not None else not _inked(shown)):
            unseen.append((begin[i], height[i] - height[i - 1]))
    begin = np.maximum.accumulate(begin)
    counts = np.diff(np.append(np.searchsorted(np.flatnonzero(seen) + 0.5, begin), seen.sum()))
    begin, height, end, counts = _merged(begin, height, _end(ink, path, width), counts, width)
    return Steps(begin, height, end, counts, level_rows(edges), edges.width, np.array(unseen).reshape(-1, 2))


def _corners(cells: Array) -> tuple[Array, Array]:
    """Where each level of the curve begins, in columns, and its height.

    Between two long levels a drop over a column or two is one jump; where levels are short it may be several steps.
    """
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(cells) > 1e-6) + 1, [len(cells)]])
    begin: list[float] = []
    height: list[float] = []
    length: list[float] = []
    for a, b in itertools.pairwise(cuts.tolist()):
        own, size = float(cells[a]), (b - a) / CELLS
        if height and own - height[-1] < _SAME:
            height[-1] = (height[-1] * length[-1] + own * size) / (length[-1] + size)
            length[-1] += size
        else:
            begin.append(a / CELLS)
            height.append(own)
            length.append(size)
    kept = []
    i = 0
    while i < len(begin):
        kept.append(i)
        following = next((k for k in range(i + 1, len(begin)) if length[k] >= _PLATEAU), len(begin))
        if length[i] >= _PLATEAU and i + 1 < following < len(begin):
            gone = height[following] - height[i]
            if begin[following] - begin[i + 1] <= _DROP and gone > 1.5:
                part = sum((height[following] - height[k]) * length[k] for k in range(i + 1, following)) / gone
                begin[following] = begin[i + 1] + part
                i = following
                continue
        i += 1
    return np.array(begin)[kept], np.array(height)[kept]


def snapped_by(steps: Sequence[Steps]) -> list[float | None]:
    """How far a drawing program pushed each line right and down to fit whole pixels: 0.5 or 0, None if it did not.

    Levels of a line that was fitted to the pixel grid all stand at one fraction of a pixel. A line centred on pixels
    was moved to the pixel that follows the true place (anti-grain geometry, as used by matplotlib), half a pixel off
    on average; one centred between pixels was not moved on average. Lines of one width are judged together.
    """
    out = []
    for own in steps:
        places = [v for other in steps if abs(other.width - own.width) < _ALIKE for v in other.levels.tolist()]
        phase = grid_phase(places)
        if phase is None:
            phase = _mostly(
                [v for other in steps if abs(other.width - own.width) < _ALIKE for v in other.places.tolist()]
            )
        out.append(phase)
    return out


def grid_phase(places: Sequence[float]) -> float | None:
    """0.5 where places on a picture stand in the middle of pixels, 0 where between them, None where they do neither."""
    part = np.asarray(places)
    for phase in (0.5, 0.0):
        off = np.abs(np.mod(part - phase + 0.5, 1.0) - 0.5)
        few = 3 <= len(part) < _FEWEST and bool((off < 0.06).all())
        if few or (len(part) >= _FEWEST and (off < _NEAR_GRID).mean() > _TOGETHER):
            return phase
    return None


def _mostly(places: Sequence[float]) -> float | None:
    """The fraction of a pixel at which more than half of many places stand, of which chance would put a quarter."""
    part = np.asarray(places)
    for phase in (0.5, 0.0):
        if len(part) >= _MANY and (np.abs(np.mod(part - phase + 0.5, 1.0) - 0.5) < _NEAR_GRID).mean() > _HALF:
            return phase
    return None


def _upright(ink: NDArray[np.float32], begin: float, above: float, below: float, width: float) -> float | None:
    """Where the upright stroke between two levels stands: the middle of its ink; None where it is short or unseen."""
    half = width / 2
    top, bottom = int(np.ceil(above + half + 0.5)), int(np.floor(below - half - 0.5))
    if bottom - top < 2:
        return None
    reach = int(np.ceil(half + 2))
    left, right = max(int(begin) - reach, 0), min(int(begin) + reach + 1, ink.shape[1])
    block = ink[top:bottom, left:right]
    weight = block.sum(axis=1)
    shown = (weight > 0.5 * width) & (weight < 1.3 * width + 0.5)
    if shown.sum() < max(2, 0.25 * len(shown)):
        return None
    middle = (block[shown] * (np.arange(left, right) + 0.5)).sum(axis=1) / weight[shown]
    found = float(np.median(middle))
    return found if abs(found - begin) <= 2.5 and float(np.abs(middle - found).mean()) < 0.5 else None


def _shown(
    ink: NDArray[np.float32], hidden: NDArray[np.bool_], begin: float, ends: Array, width: float
) -> NDArray[np.bool_]:
    """Whether each row between two levels shows ink of the arm near the drop, be it in two strokes or under a mark.

    Shape (2, rows): rows that show it; rows that show it or in which another stroke runs just where the drop is, which
    speak neither way.
    """
    rows = slice(int(np.ceil(ends[0] + width)), int(np.floor(ends[1] - width)))
    reach = int(np.ceil(width / 2 + 2))
    weight = ink[rows, max(int(begin) - reach, 0) : int(begin) + reach + 1].sum(axis=1)
    beneath = hidden[rows, max(int(begin) - 1, 0) : int(begin) + 2].all(axis=1)
    shown = weight > 0.5 * width
    return np.array([shown, shown | beneath])


def _inked(shown: NDArray[np.bool_]) -> bool:
    """Whether most rows of a drop may show their ink, and some do."""
    return bool(shown.size and shown[1].mean() > 0.75 and shown[0].mean() > _PARTLY)


def _interrupted(shown: NDArray[np.bool_]) -> bool:
    """Whether a long piece of a drop that shows elsewhere is bare paper, longer than the gap of any dashes."""
    if not shown.size:
        return False
    change = np.flatnonzero(np.diff(np.concatenate([[True], shown[1], [True]]).astype(np.int8)))
    longest = int((change[1::2] - change[::2]).max(initial=0))
    return bool(longest > max(_BARE, 0.4 * shown.shape[1]))


def _end(ink: NDArray[np.float32], path: Path, width: float) -> float:
    """Where the line stops: the last column, its soft edge counted by its share."""
    row, last = int(path.leave[-1]), path.last
    beyond = ink[max(row - 1, 0) : row + 2, last + 1 : last + 3]
    extra = float(np.clip(beyond.max(axis=0), 0, 1).sum()) if beyond.size else 0.0
    return last + 1.0 + min(extra, 0.5)


def _merged(
    begin: Array, height: Array, end: float, seen: NDArray[np.int64], width: float
) -> tuple[Array, Array, float, NDArray[np.int64]]:
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
    return np.array(keep_b), np.array(keep_h), max(end, keep_b[-1]), np.array(keep_s)
