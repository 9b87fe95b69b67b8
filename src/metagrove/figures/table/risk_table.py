"""Numbers at risk: the rows of counts under a figure, in line with its time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from metagrove.figures.page import Word
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.arm_blocks import named_by_block
from metagrove.figures.table.doubted_counts import without_ticks
from metagrove.figures.table.labels import labelled, title, unticked, untitled
from metagrove.figures.table.lattice import with_lost_rows
from metagrove.figures.table.lines import CountLine, count_line, lines_of
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.writing.naming import in_numerals
from metagrove.figures.writing.ocr import Finder

__all__ = ["risk_rows"]

# letter heights without any words after which a page has no more of a table, and where its heading says that it has
_BLANK, _ANNOUNCED = 7.0, 12.0
# of the columns with as many counts, those in which one row is the sum of the others
_SUMMED = 0.8


def risk_rows(words: Sequence[Word], x: Axis, *, below: float, find: Finder | None = None) -> list[RiskRow]:
    """The rows of counts under the page height `below`, top to bottom.

    `find` reads a number at a place, for rows that were not read as lines. A row has counts under at least three ticks (two where the axis has fewer than four) and never rises; the label row
    of the axis itself is left out, and so are sums of the other rows. The search ends where the page has been empty for
    seven letter heights, or twelve where a heading "at risk" follows.
    """
    lines = labelled(_table_lines(words, x, below))
    paired = [(line, row) for line in lines if (row := _row(line, x)) is not None]
    rows = _beyond(without_ticks([row for _, row in paired]), x)
    rows = with_lost_rows(rows, lines, x, find)
    rows = _without_sum(_block(named_by_block(rows, lines)))
    # bars of colour before the rows may be written as signs
    signs = len(rows) > 1 and len({r.label for r in rows}) == 1 and not any(c.isalnum() for c in rows[0].label)
    labels = in_numerals(unticked(["" if signs else untitled(r.label) for r in rows]))
    return [replace(r, label=label) for r, label in zip(rows, labels, strict=True)]


def _table_lines(words: Sequence[Word], x: Axis, below: float) -> list[CountLine]:
    """The lines below the plot, cut into names and counts, without those of the axis and what lies below the table."""
    left, right = min(x.pixels), max(x.pixels)
    margin = max(x.spacing, (right - left) / 6)
    upright = [w for w in words if w.angle == 0 and w.cy > below and w.x0 < right + margin]
    out: list[CountLine] = []
    bottom = x.band[1]
    for line in lines_of(upright):
        size = float(np.median([w.size for w in line]))
        top = float(np.median([w.cy for w in line]))
        if x.band[0] - 0.3 * size <= top <= x.band[1] + 0.3 * size:
            continue
        announced = any("risk" in w.text.lower() for w in line)
        if top > bottom + (_ANNOUNCED if announced else _BLANK) * max(size, x.band[1] - x.band[0]):
            break
        out.append(count_line(line, x))
        if top > x.band[1] and any(left - 3 * margin <= w.cx <= right + margin for w in line):
            bottom = max(bottom, top)
    return out


def _row(line: CountLine, x: Axis) -> RiskRow | None:
    """The line as a row of numbers at risk; None where it is none."""
    cells, before, places = line.counts, line.words, line.places
    cells = _cut_first(cells, line.label)
    rises = any(a.n < b.n for a, b in pairwise(cells)) and bool(cells) and cells[0].n < cells[-1].n
    if not cells or (rises and (cells[0].sure or not any(c.sure for c in cells))):
        return None
    strokes = len(cells) > 3 and all(w.text in "1l|!I-" for w in line.every)
    if all(c.n == 1 for c in cells) and (line.height < x.band[0] or strokes):
        return None  # tick marks read as ones
    stride = min((b - a for a, b in pairwise(places)), default=1)
    holes = (places[-1] - places[0]) // stride + 1 - len(places) - len(line.empty)
    holes += places[0] if stride == 1 else 0
    left = cells[0].box[0]
    colour = before[-1].colour if before else next(w.colour for w in line.every if w.x0 == left)
    size = float(np.median([w.size for w in before])) if before else 0.0
    return RiskRow(line.label, colour, cells, line.height, max(holes, 0), size, line.shift, line.empty, line.strays)


def _cut_first(cells: tuple[Cell, ...], label: str) -> tuple[Cell, ...]:
    """The cells, the first in doubt where it alone is less than the next: the edge of a panel may have cut a digit off."""
    after = cells[1:]
    cut = len(after) > 2 and cells[0].n < after[0].n and all(a.n >= b.n for a, b in pairwise(after))
    if not cut or after[0].n == after[-1].n or title(label):
        return cells
    return (replace(cells[0], sure=False), *after)


def _beyond(rows: list[RiskRow], x: Axis) -> list[RiskRow]:
    """The rows without those above the labels of the axis where there are some below: ticks and grid lines read as counts."""
    below = [r for r in rows if r.height > x.band[1]]
    return [r for r in rows if r in below or r.label] if below else rows


def _block(rows: list[RiskRow]) -> list[RiskRow]:
    """The first run of rows at an even distance; a second table (events, censored) further down is dropped.

    A lone row before the first run is a scrap of the axis unless it has a label or as many counts.
    """
    if len(rows) < 3:
        return rows
    steps = np.diff([r.height for r in rows])
    pitch = float(np.min(steps))
    cut = [int(c) + 1 for c in np.flatnonzero(steps > 1.9 * pitch)]
    runs = [rows[a:b] for a, b in pairwise([0, *cut, len(rows)])]
    scrap = (
        len(runs) > 1 and len(runs[0]) == 1 and not runs[0][0].label and len(runs[0][0].cells) < len(runs[1][0].cells)
    )
    return runs[1] if scrap else runs[0]


def _without_sum(rows: list[RiskRow]) -> list[RiskRow]:
    """The rows without a first or last one that is the sum of all others."""
    if len(rows) < 3:
        return rows
    for k in (0, len(rows) - 1):
        counts = [{c.time: c.n for c in r.cells} for i, r in enumerate(rows) if i != k]
        shared = [c for c in rows[k].cells if all(c.time in t for t in counts)]
        equal = [c for c in shared if c.n == sum(t[c.time] for t in counts)]
        if len(shared) > 2 and len(equal) >= _SUMMED * len(shared) and any(c.n for c in equal):
            return [r for i, r in enumerate(rows) if i != k]
    return rows
