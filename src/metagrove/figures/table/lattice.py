"""Rows of a table whose letters were too small or too blurred to be read as lines, looked for where rows must stand.

Rows of a table are as far from each other as their neighbours are, and their counts stand under the ticks of the axis. So a
row that was read says where the next ones stand, and each of their cells can be looked at by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.labels import title
from metagrove.figures.table.lines import CountLine, count_places
from metagrove.figures.table.recount import expected_times, settled_row
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.writing.ocr import Finder, Sight

__all__ = ["with_lost_rows"]

# letter heights between neighbouring rows, where only one is known; rows of a lattice are off their places by so much at most
_NEAREST, _FURTHEST, _OFF = 1.15, 3.2, 0.3
# the share of a row's cells that must be seen, and how probable its counts are on average
_SEEN, _PROBABLE = 0.6, 0.3
_MOST = 12


def with_lost_rows(rows: Sequence[RiskRow], lines: Sequence[CountLine], x: Axis, find: Finder | None) -> list[RiskRow]:
    """The rows, and those beside them that are seen only where each of their cells is looked for.

    `lines` are all lines below the plot, which say what stands before the counts.
    """
    out = sorted(rows, key=lambda r: r.height)
    if find is None or not out:
        return out
    times = expected_times(out, x)
    if len(times) < 3:
        return out
    for way in (1, -1):
        for _ in range(_MOST):
            beside = _next(out, way, lines, x, find, times)
            if beside is None:
                break
            out = sorted([*out, beside], key=lambda r: r.height)
    return _between(out, lines, x, find, times)


def _next(
    rows: Sequence[RiskRow], way: int, lines: Sequence[CountLine], x: Axis, find: Finder, times: Sequence[float]
) -> RiskRow | None:
    """The row below the last (`way` 1) or above the first (-1)."""
    last = rows[-1 if way > 0 else 0]
    size = _size(last)
    steps = np.diff([r.height for r in rows])
    if len(steps):
        wanted = [last.height + way * float(np.min(steps))]
    else:
        near = [way * (line.height - last.height) / size for line in lines]
        wanted = [last.height + way * size * d for d in sorted(near) if _NEAREST < d < _FURTHEST][:1]
    for height in wanted:
        own = [line for line in lines if abs(line.height - height) < _OFF * size]
        place = own[0].height if own else height
        if place < x.band[1] < last.height:
            return None
        if own and (title(own[0].label) or not _outside(place, x, size)):
            return None
        seen = _seen(place, own[0] if own else None, last, x, find, times)
        if seen is not None:
            return seen
    return None


def _between(
    rows: Sequence[RiskRow], lines: Sequence[CountLine], x: Axis, find: Finder, times: Sequence[float]
) -> list[RiskRow]:
    """The rows with one between any two that stand twice as far apart as others."""
    out = list(rows)
    pitch = float(min(np.diff([r.height for r in rows]), default=0.0))
    for a, b in pairwise(rows):
        gap = b.height - a.height
        if 1.8 * pitch < gap < 2.2 * pitch:
            height = (a.height + b.height) / 2
            own = [line for line in lines if abs(line.height - height) < _OFF * _size(a)]
            seen = _seen(height, own[0] if own else None, a, x, find, times)
            if seen is not None:
                out.append(seen)
    return sorted(out, key=lambda r: r.height)


def _outside(height: float, x: Axis, size: float) -> bool:
    """Whether a line is none of the labels of the axis."""
    return not x.band[0] - size <= height <= x.band[1] + size or not x.printed


def _seen(
    height: float, line: CountLine | None, like: RiskRow, x: Axis, find: Finder, times: Sequence[float]
) -> RiskRow | None:
    """The row at a height, its cells looked at one by one; None where there is none."""
    ticks, at = count_places(x)
    size = _size(like)
    sights: dict[float, Sight] = {}
    for time in times:
        place = float(ticks[int(np.abs(at - time).argmin())]) + like.shift
        sight = find(place, height, size)
        if sight is not None and abs((sight.box[1] + sight.box[3]) / 2 - height) < 0.5 * size:
            sights[time] = sight
    if len(sights) < max(3, _SEEN * len(times)):
        return None
    cells = settled_row({}, sights)
    if not _plausible(cells, sights):
        return None
    first = min(c.box[0] for c in cells.values())
    words = [w for w in (line.every if line is not None else ()) if w.cx < first and w.x0 < first - 0.3 * size]
    colour = words[-1].colour if words else like.colour if not like.label else None
    lettering = float(np.median([w.size for w in words])) if words else 0.0
    label = " ".join(w.text for w in words)
    return RiskRow(label, colour, tuple(cells[t] for t in sorted(cells)), height, 0, lettering, like.shift, ())


def _plausible(cells: dict[float, Cell], sights: dict[float, Sight]) -> bool:
    """Whether what was seen at the ticks is a row of counts: it falls, and the readers believe it more or less."""
    counts = [cells[t].n for t in sorted(cells)]
    chances = [max(dict(sights[t].values).get(cells[t].n, 0.0), 1e-3) for t in cells]
    falls = all(a >= b for a, b in pairwise(counts)) and counts[0] > counts[-1]
    return falls and float(np.exp(np.mean(np.log(chances)))) > _PROBABLE


def _size(row: RiskRow) -> float:
    return max(float(np.median([c.box[3] - c.box[1] for c in row.cells])), 3.0)
