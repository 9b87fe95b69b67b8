"""Filled outlines of lines turned back into the lines: rectangles, and step lines outlined as one polygon.

Converters of drawings write a line of some width as the area that its pen covers. For a step line that area is the line
itself, moved by a square as wide as the pen: its upper edge is the line shifted by half the pen up and to the right (where
it falls), its lower edge by as much down and to the left, so each edge alone gives every corner. The two must agree, and
the line drawn again must give the outline back; what fails that is an area, and stays one. Our own construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array

__all__ = ["Piece", "centre_line", "piece_of"]

# points: what is one place; how exactly edges agree, at least and of the pen
_SAME, _AGREE, _PEN = 1e-3, 0.02, 0.03
# a pen is no wider, an outline has no more corners, and so much of its length is level or upright
_WIDEST, _CORNERS, _UPRIGHT = 10.0, 6_000, 0.6
# how exactly a pen turns at a corner
_TURN = 0.003
# how a line may end: whether upright, and how many level stretches of an edge are none of its levels there
_End: TypeAlias = tuple[bool, int]
_ENDS: tuple[_End, ...] = ((False, 0), (True, 1), (True, 2), (False, 1))
# the area of a circle in its box
_ROUND = (0.74, 0.82)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One dash, or a whole line: corners of shape (m, 2), left to right, or a single place for a dot.

    `reach` is how far a dot stretches along its line, to either side.
    """

    line: Array
    reach: float = 0.0


def piece_of(points: Array, width: float) -> Piece | None:
    """The dash that a closed outline draws with a pen of `width`, in points; None where it draws none."""
    low, high = points.min(axis=0), points.max(axis=0)
    wide, tall = high - low
    middle = (low + high) / 2
    near = max(_AGREE, _PEN * width)
    if _rectangular(points):
        if abs(wide - width) < near and abs(tall - width) < near:
            return Piece(middle[None], width / 2)
        if abs(tall - width) < near:
            return Piece(np.array([[low[0], middle[1]], [high[0], middle[1]]]))
        if abs(wide - width) < near:
            return Piece(np.array([[middle[0], low[1]], [middle[0], high[1]]]))
        return None
    if abs(wide - width) < near and abs(tall - width) < near and _ROUND[0] < _area(points) / (wide * tall) < _ROUND[1]:
        return Piece(middle[None])
    pivoted = _pivoted(points, width / 2)
    if pivoted is not None:
        return Piece(pivoted)
    found = centre_line(points, width)
    return None if found is None else Piece(found[0])


def _pivoted(points: Array, half: float) -> Array | None:
    """The line of an outline that touches each corner of its line, as Skia's do: there and back by half the pen.

    None where the corners and the ends, in the middles of edges as long as the pen is wide, make no line.
    """
    keep = np.concatenate([[True], np.abs(np.diff(points, axis=0)).max(axis=1) > _SAME])
    ring = points[keep]
    ring = ring[:-1] if len(ring) > 1 and np.abs(ring[0] - ring[-1]).max() < _SAME else ring
    if len(ring) < 6:
        return None
    to, after = np.roll(ring, -1, axis=0) - ring, ring - np.roll(ring, 1, axis=0)
    upright = (np.abs(to).min(axis=1) < _SAME) & (np.abs(after).min(axis=1) < _SAME)
    short = (np.abs(np.abs(to).max(axis=1) - half) < _TURN) & (np.abs(np.abs(after).max(axis=1) - half) < _TURN)
    turns = np.abs(to * after).sum(axis=1) < _SAME
    corners = ring[upright & short & turns]
    caps = (np.abs(to).min(axis=1) < _SAME) & (np.abs(np.abs(to).max(axis=1) - 2 * half) < 2 * _TURN)
    ends = (ring + to / 2)[caps]
    if not len(corners) or len(ends) < 2:
        return None
    for way in (1.0, -1.0):
        inner = corners[np.lexsort((way * corners[:, 1], np.round(corners[:, 0], 2)))]
        lines = [np.vstack([a, inner, b]) for a in ends for b in ends if a is not b]
        lines = [line for line in lines if _steps(line, way) and _fills(line, ring, half)]
        if lines:
            return min(lines, key=lambda line: -float(np.abs(np.diff(line, axis=0)).sum()))
    return None


def _steps(line: Array, way: float) -> bool:
    """Whether a line turns at each corner and only goes right, and down (1) or up (-1)."""
    move = np.diff(line, axis=0) * [1.0, way]
    across = np.abs(move[:, 0]) > np.abs(move[:, 1])
    return bool(
        (move > -_SAME).all() and (np.abs(move).min(axis=1) < _SAME).all() and (np.diff(across.astype(int)) != 0).all()
    )


def _fills(line: Array, ring: Array, half: float) -> bool:
    """Whether a line and half its pen reach as far each way as an outline does."""
    first, last = line[1] - line[0], line[-1] - line[-2]
    grow = np.array([half, half])
    low, high = line.min(axis=0) - grow, line.max(axis=0) + grow
    # flat ends
    for others, end, step in ((line[1:], line[0], -first), (line[:-1], line[-1], last)):
        axis = int(np.abs(step).argmax())
        inner = others[:, axis]
        if step[axis] < 0:
            low[axis] = min(end[axis], float(inner.min(initial=np.inf)) - half)
        else:
            high[axis] = max(end[axis], float(inner.max(initial=-np.inf)) + half)
    off = np.concatenate([ring.min(axis=0) - low, ring.max(axis=0) - high])
    return bool(np.abs(off).max() < max(_AGREE, _PEN * 2 * half))


def centre_line(points: Array, width: float | None = None) -> tuple[Array, float] | None:
    """The step line whose outline a closed polygon is, corners of shape (m, 2) from left to right, and its width.

    None where it is the outline of none, or of a line without a step.
    """
    if len(points) > _CORNERS or _rectangular(points) or not _mostly_upright(points):
        return None
    for sign in (1.0, -1.0):
        line = _falling(points * [1.0, sign], width)
        if line is not None:
            return line[0] * [1.0, sign], line[1]
    return None


def _mostly_upright(points: Array) -> bool:
    move = np.abs(np.diff(points, axis=0))
    lengths = move.max(axis=1)
    straight = lengths[move.min(axis=1) < _SAME].sum()
    return bool(lengths.sum() > 0 and straight > _UPRIGHT * lengths.sum())


def _rectangular(points: Array) -> bool:
    low, high = points.min(axis=0), points.max(axis=0)
    border = np.minimum(np.abs(points - low), np.abs(points - high)).min(axis=1).max()
    return bool(border < _SAME) and abs(_area(points) - float(np.prod(high - low))) < _SAME * float((high - low).sum())


def _area(points: Array) -> float:
    x, y = points[:, 0], points[:, 1]
    return abs(float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() + x[-1] * y[0] - x[0] * y[-1])) / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Edge:
    """One edge of an area, column by column: its heights, and whether it is level there."""

    xs: Array
    height: Array
    level: NDArray[np.bool_]

    def levels(self) -> list[tuple[float, float, float]]:
        """The level stretches: begin, end and height of each."""
        out: list[list[float]] = []
        for k in np.flatnonzero(self.level):
            begin, end, h = float(self.xs[k]), float(self.xs[k + 1]), float(self.height[k])
            if out and abs(out[-1][2] - h) < _SAME and abs(out[-1][1] - begin) < _SAME:
                out[-1][1] = end
            else:
                out.append([begin, end, h])
        return [(a, b, h) for a, b, h in out]


def _edges(points: Array) -> tuple[_Edge, _Edge] | None:
    """The upper and the lower edge of a polygon; None where it has no area."""
    x = np.sort(points[:, 0])
    xs = x[np.concatenate([[True], np.diff(x) > _SAME])]
    a, b = points, np.roll(points, -1, axis=0)
    use = np.abs(a[:, 0] - b[:, 0]) > _SAME
    a, b = a[use], b[use]
    if len(xs) < 2 or not len(a):
        return None
    middle = (xs[1:] + xs[:-1]) / 2
    low, high = np.minimum(a[:, 0], b[:, 0]), np.maximum(a[:, 0], b[:, 0])
    slope = (b[:, 1] - a[:, 1]) / (b[:, 0] - a[:, 0])
    height = a[:, 1] + (middle[:, None] - a[:, 0]) * slope
    over = (middle[:, None] > low) & (middle[:, None] < high)
    if not over.any(axis=1).all():
        return None
    flat = np.abs(slope) < _SAME
    top, foot = np.where(over, height, np.inf), np.where(over, height, -np.inf)
    rows = np.arange(len(middle))
    up, down = top.argmin(axis=1), foot.argmax(axis=1)
    return _Edge(xs, top[rows, up], flat[up]), _Edge(xs, foot[rows, down], flat[down])


def _falling(points: Array, width: float | None) -> tuple[Array, float] | None:
    """The line that goes right and down (y grows downwards) and has this outline."""
    edges = _edges(points)
    if edges is None:
        return None
    top, foot = edges
    both = top.level & foot.level
    if not both.any():
        return None
    pen = float((foot.height - top.height)[both].min()) if width is None else width
    if not 0.05 < pen < _WIDEST:
        return None
    above, below = top.levels(), foot.levels()
    offers = (_joined(above, below, pen / 2, start=start, end=end) for start in _ENDS for end in _ENDS)
    lines = [line for line in offers if line is not None and _gives(line, top, foot, pen / 2)]
    # an upright end has the outline of one that turns and goes on for half the width of the pen
    return (min(lines, key=len), pen) if lines else None


def _joined(
    top: list[tuple[float, float, float]],
    foot: list[tuple[float, float, float]],
    half: float,
    *,
    start: _End,
    end: _End,
) -> Array | None:
    """The line of two edges, each level known from the upper edge, the lower edge, or both.

    Where a line ends in a piece shorter than half its pen is wide, the end of the piece before shows as a level, too.
    """
    (rises, fore), (falls, aft) = start, end
    if len(top) < fore + (not rises) or len(foot) < aft + (not falls) or len(top) + len(foot) == fore + aft:
        return None
    left = top[0][0] + half if rises else top[fore][0]
    right = foot[-1][1] - half if falls else foot[-1 - aft][1]
    first, last, edge = top[0][2], foot[-1][2], top[-1][1] - half
    top, foot = top[fore:], foot[: len(foot) - aft]
    known: list[list[float | None]] = []
    for height, begin, stop in sorted(
        [(h + half, a - half, None) for a, _, h in top] + [(h - half, None, b + half) for _, b, h in foot],
        key=lambda v: v[0],
    ):
        same = known and known[-1][0] is not None and abs(known[-1][0] - height) < _AGREE
        if same and (known[-1][1] is None) != (begin is None):
            known[-1][1] = known[-1][1] if begin is None else begin
            known[-1][2] = known[-1][2] if stop is None else stop
        else:
            known.append([height, begin, stop])
    here = float(known[0][0] or 0.0)
    corners: list[tuple[float, float]] = [(left, first)] if rises else []
    corners.append((left, here))
    for before, after in pairwise(known):
        # a short end beside an upright hides where its level turns: there the upright is the farthest that shows
        places = [v for v in (before[2], after[1]) if v is not None] or [edge]
        at, here = float(np.mean(places)), float(after[0] or 0.0)
        corners += [(at, corners[-1][1]), (at, here)]
    corners.append((right, here))
    if falls:
        corners.append((right, last))
    line = np.array(corners)
    return line if (np.diff(line, axis=0) >= -_SAME).all() and len(line) > 2 else None


def _gives(line: Array, top: _Edge, foot: _Edge, half: float) -> bool:
    """Whether the line, drawn with its pen, has these edges wherever they are level."""
    a, b = line[:-1], line[1:]
    level = np.abs(b[:, 1] - a[:, 1]) <= np.abs(b[:, 0] - a[:, 0])
    across, down = np.where(level, 0.0, half), np.where(level, half, 0.0)
    boxes = [np.column_stack([a[:, 0] - across, a[:, 1] - down, b[:, 0] + across, b[:, 1] + down])]
    # the squares on the outer side of the corners
    corner, falls = line[1:-1], level[:-1][:, None]
    before = np.where(falls, [0.0, -half], [-half, 0.0])
    after = np.where(falls, [half, 0.0], [0.0, half])
    boxes.append(np.column_stack([corner + before, corner + after]))
    left, up, right, low = np.vstack(boxes).T
    middle = (top.xs[1:] + top.xs[:-1]) / 2
    over = (middle[:, None] > left - _SAME) & (middle[:, None] < right + _SAME)
    # round caps and joins are short of the square ones
    seen = over.any(axis=1)
    drawn_top, drawn_foot = np.where(over, up, np.inf).min(axis=1), np.where(over, low, -np.inf).max(axis=1)
    level_edge = top.level | foot.level
    bare = float(np.diff(top.xs)[~seen & level_edge].sum())
    judged = float(np.diff(top.xs)[seen & level_edge].sum())
    if bare > _AGREE or judged < _UPRIGHT * (float(np.ptp(top.xs)) - 2 * half):
        return False
    near = max(_AGREE, _PEN * 2 * half)
    off_top = np.abs(drawn_top - top.height)[seen & top.level]
    off_foot = np.abs(drawn_foot - foot.height)[seen & foot.level]
    return bool(off_top.max(initial=0.0) < near and off_foot.max(initial=0.0) < near)
