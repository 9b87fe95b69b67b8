"""Numbers at risk: the rows of counts under or over a figure, in line with its time axis."""

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
from metagrove.figures.writing.naming import in_numerals, in_one_case
from metagrove.figures.writing.ocr import Finder, Sight

__all__ = ["risk_rows"]

# letter heights without any words after which a page has no more of a table, and where its heading says that it has
_BLANK, _ANNOUNCED = 7.0, 12.0
# of the columns with as many counts, those in which one row is the sum of the others
_SUMMED = 0.8
# letter heights from the head of the axis to the middle of a line over the plot
_OFF_PLOT = 0.5
# letter heights between two words of a name at most
_NEXT = 1.2


def risk_rows(
    words: Sequence[Word], x: Axis, *, below: float, above: float | None = None, find: Finder | None = None
) -> list[RiskRow]:
    """The rows of counts under the page height `below`, top to bottom; if there are none, those over the height `above`.

    `find` reads a number at a place, for rows that were not read as lines. A row has counts under at least three ticks (two where the axis has fewer than four) and never rises; the label row
    of the axis itself is left out, and so are sums of the other rows. The search ends where the page has been empty for
    seven letter heights, or twelve where a heading "at risk" follows. Over a plot the rows need such a heading or a name each,
    and stop under the labels of another axis.
    """
    rows = _named_rows(_table_lines(words, x, below), x, find)
    if rows or above is None:
        return rows
    lines = _lines_over(words, x, above)
    rows = _named_rows(lines, x, _found_over(find, above))
    announced = any("risk" in w.text.lower() for line in lines for w in line.every)
    return [replace(r, over=True) for r in rows] if announced or all(r.label for r in rows) else []


def _named_rows(found: Sequence[CountLine], x: Axis, find: Finder | None) -> list[RiskRow]:
    """The rows of counts among lines, under their names, without sums and other tables."""
    lines = labelled(found)
    paired = [(line, row) for line in lines if (row := _row(line, x)) is not None]
    rows = _beyond(without_ticks([row for _, row in paired]), x)
    rows = with_lost_rows(rows, lines, x, find)
    rows = _without_sum(_block(named_by_block(rows, lines)))
    # bars of colour before the rows may be written as signs
    signs = len(rows) > 1 and len({r.label for r in rows}) == 1 and not any(c.isalnum() for c in rows[0].label)
    labels = in_one_case(in_numerals(unticked(["" if signs else untitled(r.label) for r in rows])))
    return [replace(r, label=label) for r, label in zip(rows, labels, strict=True)]


def _table_lines(words: Sequence[Word], x: Axis, below: float) -> list[CountLine]:
    """The lines below the plot, cut into names and counts, without those of the axis and what lies below the table."""
    left, right = min(x.pixels), max(x.pixels)
    margin = _margin(x)
    upright = [w for w in _beside(words, x) if w.cy > below]
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


def _lines_over(words: Sequence[Word], x: Axis, above: float) -> list[CountLine]:
    """The lines over the plot, top to bottom, cut into names and counts; none over the labels of another axis."""
    upright = [w for w in _beside(words, x) if w.cy < above - _OFF_PLOT * w.size]
    out: list[CountLine] = []
    foot = above
    for line in lines_of(upright)[::-1]:
        size = float(np.median([w.size for w in line]))
        height = float(np.median([w.cy for w in line]))
        if height < foot - _BLANK * max(size, x.band[1] - x.band[0]):
            break
        cut = count_line(line, x)
        if len(cut.counts) > 2 and all(a.n < b.n for a, b in pairwise(cut.counts)):
            # a table between two axes is the upper one's
            return []
        out.insert(0, cut)
        foot = height
    return out


def _found_over(find: Finder | None, above: float) -> Finder | None:
    """The finder, which sees nothing in the plot."""
    if find is None:
        return None

    def over(across: float, height: float, size: float) -> Sight | None:
        return find(across, height, size) if height < above - _OFF_PLOT * size else None

    return over


def _margin(x: Axis) -> float:
    """How far beside the axis counts of its table stand."""
    return max(x.spacing, (max(x.pixels) - min(x.pixels)) / 6)


def _beside(words: Sequence[Word], x: Axis) -> list[Word]:
    """The level words that begin at most a third of the axis behind its end, where names of rows may stand, and what follows them."""
    right = max(x.pixels) + max(x.spacing, (max(x.pixels) - min(x.pixels)) / 3)
    out: list[Word] = []
    for word in sorted((w for w in words if w.angle == 0), key=lambda w: w.x0):
        if word.x0 < right or any(_follows(word, w) for w in out if w.x1 > right - _NEXT * w.size):
            out.append(word)
    return out


def _follows(word: Word, before: Word) -> bool:
    """Whether a word is the next one of a phrase."""
    return abs(word.cy - before.cy) < 0.45 * word.size and 0 <= word.x0 - before.x1 < _NEXT * word.size


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
