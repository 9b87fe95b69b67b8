"""Numbers at risk looked at a second time, each in the place where its row and its tick expect it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import gcd

import numpy as np

from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.lines import count_places
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.writing.digits import SURE
from metagrove.figures.writing.ocr import Finder, Sight

__all__ = ["expected_times", "recounted", "settled_row"]

# how often a first, doubted reading is right where a second look at the same place sees no count
_FIRST = 0.6
# what the readers must give all counts together that they think of, or nothing was read
_LEGIBLE = 0.5


def recounted(rows: Sequence[RiskRow], x: Axis, find: Finder | None) -> list[RiskRow]:
    """The rows with missing counts found at their ticks and doubtful ones settled where a second look agrees.

    A count is missing where another row has one, or where a row leaves out a tick between others. What is found there
    is sure where both readers and the counts beside it, which never rise, leave no other value.
    """
    if find is None or not rows:
        return list(rows)
    expected, further = _expected(rows, x)
    filled = [_filled(row, expected, further, x, find) for row in rows]
    grown, _ = _expected(filled, x)
    return filled if grown == expected else [_filled(row, grown, [], x, find) for row in filled]


def expected_times(rows: Sequence[RiskRow], x: Axis) -> list[float]:
    """The times for which counts are printed: those of any row, and those between at their usual distance."""
    return _expected(rows, x)[0]


def _expected(rows: Sequence[RiskRow], x: Axis) -> tuple[list[float], list[float]]:
    """The times for which counts are printed (those of any row and those between, at their usual distance), and later ones."""
    _, times = count_places(x)
    known = sorted({c.time for r in rows for c in r.cells})
    places = [int(np.abs(times - t).argmin()) for t in known]
    stride = max(gcd(*(b - a for a, b in pairwise(places))), 1)
    all_of = [float(times[k]) for k in range(places[0] % stride, len(times), stride)]
    return [t for t in all_of if t <= known[-1]], [t for t in all_of if t > known[-1]]


def _filled(row: RiskRow, times: Sequence[float], further: Sequence[float], x: Axis, find: Finder) -> RiskRow:
    """The row with what is seen at `times`, and at `further` ones where that is sure."""
    if any("/" in c.text for c in row.cells):
        # no finder knows two numbers with a stroke between them
        return row
    ticks, at = count_places(x)
    size = float(np.median([c.box[3] - c.box[1] for c in row.cells]))
    cells = {c.time: c for c in row.cells}
    seen: dict[float, Sight] = {}
    for time in [*times, *further]:
        old = cells.get(time)
        if time in row.empty or (old is not None and old.sure):
            continue
        place = float(ticks[int(np.abs(at - time).argmin())]) + row.shift
        if old is not None and "(" in old.text:
            place = _before_bracket(old)
        sight = find(place, row.height, size)
        if sight is not None and (old is None or abs((sight.box[0] + sight.box[2]) / 2 - place) < size):
            seen[time] = sight if old is None else _with_first(sight, old.n)
    found = settled_row({t: c.n for t, c in cells.items() if c.sure}, seen)
    legible = {t for t, s in seen.items() if t in cells or sum(p for _, p in s.values) >= _LEGIBLE}
    cells |= {t: _beside(c, cells.get(t)) for t, c in found.items() if c.sure or (t not in further and t in legible)}
    holes = sum(t not in cells and t not in row.empty for t in times)
    return replace(row, cells=tuple(cells[t] for t in sorted(cells)), holes=holes)


def _before_bracket(cell: Cell) -> float:
    """The middle of the count of a cell, the number in brackets behind it left out."""
    count, _, behind = cell.text.partition("(")
    digits, more = len(count.strip()), sum(c.isdigit() for c in behind)
    # a bracket is as narrow as a space
    letters = digits + more + 0.6 * (len(cell.text) - digits - more)
    left, _, right, _ = cell.box
    return left + (right - left) * digits / letters / 2


def _with_first(sight: Sight, n: int) -> Sight:
    """The sight, with a first reading of the place where it leaves room for one."""
    chances = dict(sight.values)
    unread = max(1 - sum(chances.values()), 0.0)
    chances[n] = chances.get(n, 0.0) + _FIRST * unread
    return Sight(tuple(sorted(chances.items(), key=lambda c: (-c[1], c[0]))), sight.box)


def _beside(cell: Cell, old: Cell | None) -> Cell:
    """The cell with the number in brackets that stood behind the count when it was first read."""
    if old is None or old.censored is None or old.n != cell.n:
        return cell
    return replace(cell, censored=old.censored, text=old.text)


def settled_row(known: dict[float, int], seen: dict[float, Sight]) -> dict[float, Cell]:
    """The counts seen, chosen together so that they never rise, and sure where no other count comes near.

    Each count's probability is that of all ways to read the row that give it, among those in which nothing rises.
    """
    times = sorted({*known, *seen})
    options = [((known[t], 1.0),) if t in known else seen[t].values for t in times]
    before = _sums(options, rising=False)
    after = _sums(options[::-1], rising=True)[::-1]
    out: dict[float, Cell] = {}
    for time, values, ahead, behind in zip(times, options, before, after, strict=True):
        if time in known:
            continue
        rest = 1 - sum(p for _, p in values)
        whole = [p * a * b for (_, p), a, b in zip(values, ahead, behind, strict=True)]
        other = rest * max(*ahead, *behind, 0.0) if any(whole) else 1.0
        best = int(np.argmax(whole)) if any(whole) else 0
        n = values[best][0]
        sure = whole[best] >= SURE * (sum(whole) + other)
        out[time] = Cell(time, n, None, sure, seen[time].box, str(n), values)
    return out


def _sums(options: Sequence[Sequence[tuple[int, float]]], *, rising: bool) -> list[list[float]]:
    """For each value of each cell the summed probability of the cells before it that it does not contradict."""
    out: list[list[float]] = []
    for k, values in enumerate(options):
        if not k:
            out.append([1.0] * len(values))
            continue
        last = list(zip(options[k - 1], out[-1], strict=True))
        sums = [sum(p * w for (m, p), w in last if (m <= n if rising else m >= n)) for n, _ in values]
        top = max(sums)
        out.append([s / top for s in sums] if top > 0 else [1.0] * len(values))
    return out
