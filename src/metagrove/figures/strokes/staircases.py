"""Kaplan-Meier curves among the strokes of a page: chains of level and upright pieces that never turn back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.page import RGB, Stroke, colour_distance

__all__ = ["Staircase", "censor_marks", "ragged_lines", "staircases", "without_limits"]

_FLAT = 0.03
_JOIN = 0.12
# drawing programs that simplify paths merge steps that stay within a ninth of a point of a straight line
_SLANT = 0.15
# others leave out a corner where two steps meet within a pixel; so much of the line's length may lean
_LEANING, _LEANT = 0.6, 0.25
# points: the longest segment by itself that may be merged steps
_MERGED = 8.0
_WHITE = (255, 255, 255)
# points: what is narrower is no panel
_PANEL = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Staircase:
    """A step line on the page: corners of shape (m, 2), left to right; `rising` on the page means incidence.

    `hidden` are stretches (left, right) in each of which a drop stands that the file does not place.
    """

    points: Array
    colour: RGB
    width: float
    dash: tuple[float, ...]
    rising: bool
    pieces: int = 1
    hidden: tuple[tuple[float, float], ...] = ()

    @property
    def levels(self) -> tuple[Array, Array]:
        """Where each level begins and its height on the page; zero-length levels are dropped."""
        x, y = self.points[:, 0], self.points[:, 1]
        starts, heights = [float(x[0])], [float(y[0])]
        for i in range(1, len(x)):
            if abs(y[i] - heights[-1]) > 1e-4:
                if x[i] - starts[-1] < 1e-4 and len(starts) > 1:
                    heights[-1] = float(y[i])
                else:
                    starts.append(float(x[i]))
                    heights.append(float(y[i]))
        return np.array(starts), np.array(heights)

    def height(self, x: Array) -> Array:
        """The level drawn at each x; shape kept."""
        starts, heights = self.levels
        return np.asarray(heights[np.clip(np.searchsorted(starts, x, side="right") - 1, 0, None)])


def _tidy(points: Array) -> Array:
    """The corners without repeats, left to right."""
    keep = np.ones(len(points), bool)
    keep[1:] = np.abs(np.diff(points, axis=0)).max(axis=1) > 1e-6
    points = points[keep]
    return points[::-1] if len(points) > 1 and points[-1, 0] < points[0, 0] else points


def _upright(points: Array) -> bool:
    move = np.abs(np.diff(points, axis=0))
    return bool(len(move)) and bool((move.min(axis=1) <= _FLAT).all())


def _nearly_upright(points: Array) -> bool:
    """Whether the line is level or upright but for steps that a drawing program merged because they are tiny."""
    move = np.abs(np.diff(points, axis=0))
    off = move.min(axis=1)
    if len(move) <= 3 or (off <= _FLAT).mean() <= 0.6:
        return False
    slanted = float(move[off > _FLAT].sum() / move.sum())
    return bool((off <= _SLANT).all()) or (bool((off <= _LEANING).all()) and slanted < _LEANT)


def _slant(points: Array) -> bool:
    """Whether a lone segment is a tiny step or two that a drawing program merged."""
    move = np.abs(points[-1] - points[0])
    return len(points) == 2 and bool(move.min() <= _SLANT) and bool(move.max() < _MERGED)


def _one_way(points: Array) -> int:
    """1 where the line only goes right and down, -1 right and up, 0 otherwise."""
    dx, dy = np.diff(points[:, 0]), np.diff(points[:, 1])
    if (dx < -_FLAT).any() or np.ptp(points[:, 0]) < 1:
        return 0
    if (dy >= -_FLAT).all() and dy.max(initial=0) > _FLAT:
        return 1
    return -1 if (dy <= _FLAT).all() and dy.min(initial=0) < -_FLAT else 0


def staircases(strokes: Sequence[Stroke]) -> list[Staircase]:
    """Every step line among the strokes, whether drawn in one go or piece by piece."""
    groups: dict[tuple[RGB, float, tuple[float, ...]], list[Array]] = defaultdict(list)
    hidden: dict[tuple[RGB, float, tuple[float, ...]], list[tuple[float, float]]] = defaultdict(list)
    shades = [s for s in strokes if s.fill is not None and s.box[2] - s.box[0] > _PANEL]
    for stroke in strokes:
        if stroke.colour is None or stroke.closed or (stroke.fill is not None and len(stroke.points) > 2):
            continue
        if stroke.colour == _WHITE and not _on_dark(stroke, shades):
            continue
        points = _tidy(stroke.points)
        if len(points) > 1 and (_upright(points) or (_one_way(points) and _nearly_upright(points)) or _slant(points)):
            groups[stroke.colour, round(stroke.width, 2), stroke.dash].append(points)
            hidden[stroke.colour, round(stroke.width, 2), stroke.dash] += stroke.hidden
    found = []
    for (colour, width, dash), lines in groups.items():
        whole = [p for p in lines if len(p) > 3 and _one_way(p)]
        loose = [p for p in lines if not (len(p) > 3 and _one_way(p))]
        for points, pieces in _continued([(p, 1) for p in whole] + _chained(loose)):
            way = _one_way(points)
            if way and len(points) >= 3:
                lost = tuple(h for h in hidden[colour, width, dash] if _in_gap(points, h))
                found.append(Staircase(points, colour, width, dash, way < 0, pieces, lost))
    return [s for s in found if len(s.levels[0]) > 1]


def _in_gap(points: Array, stretch: tuple[float, float]) -> bool:
    """Whether a line drops in the middle of a stretch, where a drop that is not placed is put."""
    upright = np.abs(np.diff(points[:, 0])) <= _FLAT
    off = np.abs(points[:-1, 0][upright] - (stretch[0] + stretch[1]) / 2)
    return bool((off <= (stretch[1] - stretch[0]) / 2 + _FLAT).any())


def _on_dark(stroke: Stroke, shades: Sequence[Stroke]) -> bool:
    """Whether the last filled panel under a stroke is dark, so that white shows."""
    left, top, right, bottom = stroke.box
    under = [
        s.fill
        for s in shades
        if s.fill and s.box[0] <= left and s.box[1] <= top and s.box[2] >= right and s.box[3] >= bottom
    ]
    return bool(under) and colour_distance(under[-1], _WHITE) > 150


def _chained(pieces: list[Array]) -> list[tuple[Array, int]]:
    """Pieces joined end to start, each used once; a fork is followed to the piece drawn next, else the longest one."""
    if len(pieces) > 20_000:
        return []
    pieces = [p if p[-1, 0] - p[0, 0] > _FLAT or p[-1, 1] >= p[0, 1] else p[::-1] for p in pieces]
    starts: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, piece in enumerate(pieces):
        starts[_cell(piece[0])].append(index)
        if abs(piece[-1, 0] - piece[0, 0]) <= _FLAT:
            starts[_cell(piece[-1])].append(~index)
    used = [False] * len(pieces)
    out = []
    for index in sorted(range(len(pieces)), key=lambda i: (pieces[i][0, 0], pieces[i][0, 1])):
        if used[index] or pieces[index][-1, 0] - pieces[index][0, 0] <= _FLAT:
            continue
        used[index] = True
        chain, count = [pieces[index]], 1
        here = index
        while (following := _next(chain[-1][-1], starts, pieces, used, here)) is not None:
            here = following if following >= 0 else ~following
            used[here] = True
            chain.append(pieces[following] if following >= 0 else pieces[~following][::-1])
            count += 1
        out.append((_tidy(np.vstack(chain)), count))
    return out


def _continued(lines: list[tuple[Array, int]]) -> list[tuple[Array, int]]:
    """The lines, those joined that go on where another ends."""
    out: list[tuple[Array, int]] = []
    for points, pieces in sorted(lines, key=lambda line: float(line[0][0, 0])):
        way = _one_way(points)
        for k, (before, count) in enumerate(out):
            near = np.abs(before[-1] - points[0]).max() <= _JOIN and np.ptp(points[:, 0]) > _FLAT
            if near and (not way or way == _one_way(before)) and _one_way(before):
                out[k] = (_tidy(np.vstack([before, points])), count + pieces)
                break
        else:
            out.append((points, pieces))
    return out


def _cell(point: Array) -> tuple[int, int]:
    return round(float(point[0]) / _JOIN), round(float(point[1]) / _JOIN)


def _next(
    end: Array, starts: dict[tuple[int, int], list[int]], pieces: list[Array], used: list[bool], here: int
) -> int | None:
    a, b = _cell(end)
    near = [i for da in (-1, 0, 1) for db in (-1, 0, 1) for i in starts.get((a + da, b + db), ())]
    free = [i for i in near if not used[i if i >= 0 else ~i]]
    free = [i for i in free if np.abs((pieces[i][0] if i >= 0 else pieces[~i][-1]) - end).max() <= _JOIN]
    return max(free, key=lambda i: _worth(i if i >= 0 else ~i, pieces, here), default=None)


def _worth(index: int, pieces: list[Array], here: int) -> tuple[bool, float]:
    """How well a piece goes on from piece `here`: drawn next to it, in either order, then its length."""
    return abs(index - here) == 1, float(np.ptp(pieces[index], axis=0).sum())


def ragged_lines(strokes: Sequence[Stroke]) -> list[Staircase]:
    """Level and upright lines that turn back somewhere: confidence limits do, survival never does."""
    out = []
    for stroke in strokes:
        if stroke.colour is None or stroke.closed or len(stroke.points) < 4:
            continue
        points = _tidy(stroke.points)
        if len(points) < 4 or np.ptp(points[:, 0]) <= 5 or np.ptp(points[:, 1]) <= _FLAT:
            continue
        onward = not (np.diff(points[:, 0]) < -_FLAT).any()
        if onward and not _one_way(points) and (_upright(points) or _nearly_upright(points)):
            out.append(Staircase(points, stroke.colour, round(stroke.width, 2), stroke.dash, False))
    return out


def without_limits(
    curves: Sequence[Staircase], others: Sequence[Staircase] = (), *, expected: int = 0
) -> tuple[list[Staircase], int]:
    """The curves without confidence limits drawn as lines, and how many pairs of limits there were.

    Two lines of one colour and one dash that run above and below a third of that colour throughout are its limits;
    `others` are lines that could be limits only. Limits drawn exactly like their curve are told from arms by the number
    of arms `expected` from the legend or the numbers at risk (0 where nothing says).
    """
    pool = [*curves, *others]
    limits = _limits(curves, pool, alike=False)
    if expected and len(curves) - len([i for i in limits if i < len(curves)]) > expected:
        more = _limits(curves, pool, alike=True)
        if len(curves) - len([i for i in more if i < len(curves)]) == expected:
            limits = more
    return [c for i, c in enumerate(curves) if i not in limits], len(limits) // 2


def _limits(curves: Sequence[Staircase], pool: Sequence[Staircase], *, alike: bool) -> set[int]:
    """Places in `pool` of the lines that bound one of the curves in pairs; `alike` allows limits of the same look."""
    limits: set[int] = set()
    for i, middle in enumerate(curves):
        pairs = [
            j
            for j, c in enumerate(pool)
            if j != i and j not in limits and colour_distance(c.colour, middle.colour) < 6
            if alike or c.dash != middle.dash or c.width < 0.9 * middle.width
        ]
        for n, j in enumerate(pairs):
            for k in pairs[n + 1 :]:
                same = pool[j].dash == pool[k].dash and abs(pool[j].width - pool[k].width) < 0.05
                if same and i not in limits and _between(middle, pool[j], pool[k]):
                    limits |= {j, k}
    return limits


def _between(middle: Staircase, a: Staircase, b: Staircase) -> bool:
    left = max(float(c.points[0, 0]) for c in (middle, a, b))
    right = min(float(c.points[-1, 0]) for c in (middle, a, b))
    if right - left < 5:
        return False
    x = np.linspace(left, right, 200)[1:-1]
    m, p, q = middle.height(x), a.height(x), b.height(x)
    inside = ((m >= np.minimum(p, q) - 0.6) & (m <= np.maximum(p, q) + 0.6)).mean()
    apart = (np.abs(p - q) > 1.0).mean()
    opposite = np.sign(p - m) * np.sign(q - m)
    return bool(inside > 0.97 and apart > 0.5 and (opposite <= 0).mean() > 0.97)


def censor_marks(curves: Sequence[Staircase], strokes: Sequence[Stroke], *, size: float) -> list[Array]:
    """For each curve, where small symbols of its colour sit on it: x on the page, ascending.

    `size` is the largest extent of a symbol. A symbol between two curves of one colour goes
    to the nearest.
    """
    symbols: dict[tuple[int, RGB], list[tuple[float, float, float, float]]] = defaultdict(list)
    for stroke in strokes:
        ink = stroke.colour if stroke.colour is not None else stroke.fill
        left, top, right, bottom = stroke.box
        if ink is not None and max(right - left, bottom - top) <= size:
            symbols[stroke.path, ink].append((left, top, right, bottom))
    found: list[list[float]] = [[] for _ in curves]
    for (_, ink), boxes in symbols.items():
        whole = np.array(boxes)
        x = float(whole[:, 0].min() + whole[:, 2].max()) / 2
        y = float(whole[:, 1].min() + whole[:, 3].max()) / 2
        tall, wide = float(np.ptp(whole[:, [1, 3]])), float(np.ptp(whole[:, [0, 2]]))
        if tall < 1.0 or wide > size or tall > size:
            continue
        best = min(
            ((_off(c, x, y), i) for i, c in enumerate(curves) if colour_distance(c.colour, ink) < 12),
            default=(9.0, -1),
        )
        if best[0] <= 0.75:
            found[best[1]].append(x)
    return [_apart(sorted(xs)) for xs in found]


def _off(curve: Staircase, x: float, y: float) -> float:
    """How far a symbol's middle is from the curve; symbols beyond its ends belong to nobody."""
    if not curve.points[0, 0] - 0.5 <= x <= curve.points[-1, 0] + 0.5:
        return 9.0
    near = curve.height(np.array([x - 0.3, x, x + 0.3]))
    return float(np.abs(near - y).min())


def _apart(xs: list[float]) -> Array:
    out: list[float] = []
    for x in xs:
        if not out or x - out[-1] > 0.02:
            out.append(x)
    return np.array(out)
