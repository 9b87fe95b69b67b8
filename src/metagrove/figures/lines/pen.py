"""A falling staircase drawn by a pen and blurred, fitted to the ink of a traced line.

A square pen of width w that draws a falling staircase h covers in column x the rows from h(x - w/2) - w/2 to
h(x + w/2) + w/2. The picture shows that area averaged over each pixel and blurred. Levels and jumps are moved until
this drawing agrees with the picture in least squares, and a step is left out where the drawing is hardly worse without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.staircase_search import column_drawn, difference, fewer, finer, swept

__all__ = ["Ink", "Pen", "fitted_steps", "pen_of", "soft_edge"]

#: Places a pixel at which the soft edge of a blurred area is tabulated.
_FINE = 32
_BLURS = (0.05, 0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.35)
_FEWEST = 12
# squared coverage that a step must explain at least, besides so many times the variance of a pixel
_FLOOR, _SHARES = 0.005, 1.5
# columns beyond which a level is long, and how much of what a step must explain counts in each round
_REACH, _ROUNDS = 12.0, (0.1, 0.3, 1.0)
# how much more that is for a jump to be parted in two
_PARTED = 8.0
# so much ink so many pixels above the drawn line is a mark
_MARK, _BEYOND = 0.35, 1.5
# coverage that is an edge's; how many pixels of edges tell how far picture and drawing differ, and what is taken else
_FAINT, _EDGE, _UNSURE = 0.03, 50, 0.1
# how far above its first reading the first level may stand
_RAISED = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """The share of each pixel covered by a line, shape (rows, columns), and where that is known."""

    cover: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pen:
    """A pen's width and the blur of the picture down and across, standard deviations in pixels."""

    width: float
    down: float
    across: float


def soft_edge(blur: float) -> Array:
    """The share of a pixel beyond an edge, by the distance of its middle from the edge in steps of 1 / `_FINE`."""
    reach = 0.5 + 3.5 * blur
    count = 2 * int(np.ceil(reach * _FINE)) + 1
    place = (np.arange(count) - count // 2) / _FINE

    def below(z: float) -> float:
        t = z / blur
        return blur * (t * 0.5 * (1 + math.erf(t / math.sqrt(2))) + math.exp(-t * t / 2) / math.sqrt(2 * math.pi))

    return np.array([below(p + 0.5) - below(p - 0.5) for p in place])


def _bounds(begin: Array, height: Array, shape: tuple[int, ...], width: float, margin: float) -> NDArray[np.int64]:
    """The rows of each column in which the line may show, shape (2, columns)."""
    columns = np.arange(shape[1])
    first = np.clip(np.searchsorted(begin, columns - width / 2 - margin, side="right") - 1, 0, None)
    last = np.clip(np.searchsorted(begin, columns + 1 + width / 2 + margin, side="right") - 1, 0, None)
    top, bottom = height[first] - width / 2 - margin, height[last] + width / 2 + margin
    return np.asarray(np.clip(np.array([np.floor(top), np.ceil(bottom)]), 0, shape[0]), dtype=np.int64)


def _drawn(begin: Array, height: Array, pen: Pen, bounds: NDArray[np.int64], shape: tuple[int, ...]) -> Array:
    """The drawing of a staircase within bounds, shape (rows, columns)."""
    out = np.zeros(shape)
    down, across = soft_edge(pen.down), soft_edge(pen.across)
    room = np.zeros(shape[0])
    for c in range(shape[1]):
        top, bottom = int(bounds[0, c]), int(bounds[1, c])
        if bottom > top:
            column_drawn(c, top, bottom, begin, height, pen.width, down, across, room)
            out[top:bottom, c] = room[: bottom - top]
    return out


def pen_of(ink: Ink, begin: Array, height: Array, end: float, width: tuple[float, float]) -> tuple[Pen, int] | None:
    """The pen that draws the level pieces of a staircase as the picture shows them, and in how many columns.

    None where they are too few. `width` holds two guesses at its width.
    """
    rows, wide = ink.cover.shape
    calm: list[tuple[int, float]] = []
    ends = np.append(begin[1:], end)
    clear = max(width) / 2 + 3
    reach = int(clear + 2)
    for start, stop, level in zip(begin.tolist(), ends.tolist(), height.tolist(), strict=True):
        for c in range(int(np.ceil(start + clear)), int(stop - clear)):
            a, b = int(level) - reach, int(level) + reach + 1
            if a >= 0 and b <= rows and c < wide and ink.known[a:b, c].all():
                calm.append((c, level))
    if len(calm) < _FEWEST:
        return None
    profiles = np.array([ink.cover[int(v) - reach : int(v) + reach + 1, c] for c, v in calm])
    total = profiles.sum(axis=1)
    near = np.abs(total - (width[0] + width[1]) / 2) < abs(width[1] - width[0]) / 2 + 0.4
    if near.sum() < _FEWEST:
        return None
    usual = float(np.median(total[near]))
    alike = np.abs(total - usual) < 0.4
    if not alike.any():
        return None
    usual = float(np.median(total[alike]))
    plain = np.abs(total - usual) < 0.3
    if plain.sum() < _FEWEST:
        return None
    blur = _blur_of(profiles[plain], np.array([int(v) - reach for _, v in calm])[plain], usual)
    return Pen(usual, blur, blur), int(plain.sum())


def _blur_of(profiles: Array, first: Array, width: float) -> float:
    """The blur with which level pieces of a line look most like `profiles`, which begin at rows `first`."""
    rows = first[:, None] + np.arange(profiles.shape[1]) + 0.5
    middle = ((profiles * rows).sum(axis=1) / profiles.sum(axis=1))[:, None]
    best = (np.inf, 0.0)
    for blur in _BLURS:
        table = soft_edge(blur)
        place = (np.arange(len(table)) - len(table) // 2) / _FINE
        top = np.interp(rows - (middle - width / 2), place, table, left=0.0, right=1.0)
        low = np.interp(rows - (middle + width / 2), place, table, left=0.0, right=1.0)
        best = min(best, (float(np.median(((profiles - top + low) ** 2).sum(axis=1))), blur))
    return best[1]


def _seen(known: NDArray[np.bool_], bounds: NDArray[np.int64], margin: float) -> Array:
    """The number of known pixels and of all pixels within bounds up to each column, shape (2, columns + 1)."""
    out = np.zeros((2, known.shape[1] + 1))
    inner = int(margin)
    for c in range(known.shape[1]):
        part = known[bounds[0, c] + inner : max(bounds[1, c] - inner, bounds[0, c] + inner), c]
        out[:, c + 1] = out[:, c] + (part.sum(), part.size)
    return out


def fitted_steps(ink: Ink, begin: Array, height: Array, end: float, pen: Pen) -> tuple[Array, Array, Pen]:
    """The jumps and levels of the drawing that agrees best with the picture, and its pen.

    Parameters
    ----------
    begin, height : where each level begins and its row, in pixels; what the search starts from.
    end : where the line ends.
    """
    cover, known = np.ascontiguousarray(ink.cover, dtype=np.float64), np.array(ink.known)
    begin, height = np.array(begin, dtype=float), np.array(height, dtype=float)
    floor = float(height[0]) - _RAISED
    margin = 0.5 + 3.5 * pen.down + 2
    bounds = _bounds(begin, height, cover.shape, pen.width, margin)
    room = np.zeros(cover.shape[0])
    down = soft_edge(pen.down)
    known &= ~_marks(cover, known, begin, height, pen, bounds)
    seen = _seen(known, bounds, margin - 1)
    scene = (seen, cover, known, bounds)
    tools = (pen.width, down, down, room)
    for size in (0.5, 0.3):
        swept(begin, height, floor, end, size, *scene, *tools, 0, len(begin))
    blur = min(
        _BLURS,
        key=lambda v: difference(0, cover.shape[1], *scene[1:], begin, height, pen.width, down, soft_edge(v), room),
    )
    pen = Pen(pen.width, pen.down, blur)
    tools = (pen.width, down, soft_edge(blur), room)
    swept(begin, height, floor, end, 0.2, *scene, *tools, 0, len(begin))
    worth = _FLOOR + _SHARES * _spread(ink, begin, height, pen, bounds) ** 2
    for part in _ROUNDS:
        begin, height = fewer(begin, height, floor, end, part * worth, _REACH, *scene, *tools)
        swept(begin, height, floor, end, 0.3, *scene, *tools, 0, len(begin))
    begin, height = finer(begin, height, floor, end, _PARTED * worth, *scene, *tools)
    swept(begin, height, floor, end, 0.15, *scene, *tools, 0, len(begin))
    return begin, height, pen


def _spread(ink: Ink, begin: Array, height: Array, pen: Pen, bounds: NDArray[np.int64]) -> float:
    """The usual difference of picture and drawing along the edges of the line."""
    drawn = _drawn(begin, height, pen, bounds, ink.cover.shape)
    edge = ink.known & (drawn > _FAINT) & (drawn < 1 - _FAINT)
    return 1.48 * float(np.median(np.abs(ink.cover - drawn)[edge])) if edge.sum() > _EDGE else _UNSURE


def _marks(
    cover: Array, known: NDArray[np.bool_], begin: Array, height: Array, pen: Pen, bounds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The columns in which ink stands out above the line, which no later part of it reaches: censor marks."""
    marked = np.zeros(cover.shape[1], bool)
    half = pen.width / 2 + _BEYOND
    for c in range(cover.shape[1]):
        top = int(bounds[0, c])
        upper = height[max(int(np.searchsorted(begin, c + 0.5 - half, side="right")) - 1, 0)] - half
        rows = slice(top, max(int(upper), top))
        marked[c] = (known[rows, c] & (cover[rows, c] > _MARK)).any()
    for _ in range(2):
        marked[1:-1] |= marked[:-2] | marked[2:]
    return np.broadcast_to(marked, cover.shape)
