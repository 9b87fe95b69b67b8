"""Numbers at risk looked at a second time, each in the place where its row and its tick expect it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from metagrove.figures.page import Word
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.lines import count_places
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.writing.ocr import Finder

__all__ = ["recounted"]


def recounted(rows: Sequence[RiskRow], x: Axis, find: Finder | None) -> list[RiskRow]:
    """The rows with missing counts found at their ticks and doubtful ones settled where a second look agrees.

    A count is missing where another row has one, or where a row leaves out a tick between others. What is found there
    is sure where it was read alike at two scales; a count that was read otherwise before stays unsure.
    """
    if find is None or any(c.censored is not None for r in rows for c in r.cells):
        return list(rows)
    return [_filled(row, _expected(rows, x), x, find) for row in rows]


def _expected(rows: Sequence[RiskRow], x: Axis) -> list[float]:
    """The times for which counts are printed: those of any row, and those between at their usual distance."""
    _, times = count_places(x)
    known = sorted({c.time for r in rows for c in r.cells})
    places = [int(np.abs(times - t).argmin()) for t in known]
    stride = min((b - a for a, b in pairwise(places)), default=1)
    if any((p - places[0]) % stride for p in places):
        return known
    return [float(times[k]) for k in range(places[0] % stride, places[-1] + 1, stride)]


def _filled(row: RiskRow, times: Sequence[float], x: Axis, find: Finder) -> RiskRow:
    ticks, at = count_places(x)
    size = float(np.median([c.box[3] - c.box[1] for c in row.cells]))
    cells = {c.time: c for c in row.cells}
    for time in times:
        old = cells.get(time)
        if time in row.empty or (old is not None and old.sure):
            continue
        place = float(ticks[int(np.abs(at - time).argmin())]) + row.shift
        seen = find(place, row.height, size)
        if seen is not None and (old is None or abs(seen.cx - place) < size):
            cells[time] = _settled(time, seen, old)
    found = tuple(cells[t] for t in sorted(cells))
    holes = sum(t not in cells and t not in row.empty for t in times)
    return replace(row, cells=found, holes=holes)


def _settled(time: float, seen: Word, old: Cell | None) -> Cell:
    """The count as seen now, sure where both scales agree and nothing that was read before in full says otherwise."""
    n = int(seen.text)
    alike = seen.second == seen.text and (old is None or old.n == n or str(n).endswith(str(old.n)))
    return Cell(time, n, None, alike, (seen.x0, seen.y0, seen.x1, seen.y1), seen.text)
