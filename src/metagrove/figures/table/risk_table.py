"""Numbers at risk: the rows of counts under a figure, in line with its time axis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.page import Word
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.arm_blocks import CountLine, named_by_block
from metagrove.figures.table.doubted_counts import without_ticks
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.writing.words import cut_to, tokens

__all__ = ["count_places", "risk_rows"]

_COUNT = re.compile(r"^(\d{1,3}(?:,\d{3})+|\d{1,6})(?:[.,·]?\((\d{1,6})\))?$")
_CENSORED = re.compile(r"^[(\[](\d{1,6})[)\]]$")
_TOUCHING = ".·,:;'`-–—_"
_LONGEST = 5


def risk_rows(words: Sequence[Word], x: Axis, *, below: float) -> list[RiskRow]:
    """The rows of counts under the page height `below`, top to bottom.

    A row has counts under at least three ticks (two where the axis has fewer than four) and never rises; the label row
    of the axis itself is left out. The search ends where the page has been empty for seven letter heights.
    """
    left, right = min(x.pixels), max(x.pixels)
    margin = max(x.spacing, (right - left) / 6)
    upright = [w for w in words if w.angle == 0 and w.cy > below and w.x0 < right + margin]
    rows: list[RiskRow] = []
    lines: list[CountLine] = []
    bottom = x.band[1]
    for line in _lines(upright):
        size = float(np.median([w.size for w in line]))
        top = float(np.median([w.cy for w in line]))
        if x.band[0] - 0.3 * size <= top <= x.band[1] + 0.3 * size:
            continue
        if top > bottom + 7 * max(size, x.band[1] - x.band[0]):
            break
        cut = _cut(line, x)
        row = _row(cut, x)
        lines.append(CountLine(cut.before, cut.label, cut.cells, cut.height))
        if top > x.band[1] and _inside(line, left - 3 * margin, right + margin):
            bottom = max(bottom, top)
        if row is not None:
            rows.append(row)
    return _block(named_by_block(without_ticks(rows), lines))


def _inside(line: Sequence[Word], left: float, right: float) -> bool:
    return any(left <= w.cx <= right for w in line)


def _lines(words: Sequence[Word]) -> list[list[Word]]:
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda w: w.cy):
        if lines and word.cy - float(np.mean([w.cy for w in lines[-1]])) < 0.45 * word.size:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda w: w.x0) for line in lines]


def _bare(text: str) -> str:
    """A count without what touches it on the page: tick marks and grid lines are read as points and hyphens."""
    return text.replace(" ", "").strip(_TOUCHING)


def _cleaned(word: Word) -> Word:
    """The word as a bare count, where it is one in both readings of a picture."""
    if word.second is None or word.text.isdigit() or not _COUNT.match(_bare(word.text)):
        return word
    plain = replace(word, text=word.text.replace(" ", ""))
    return replace(cut_to(plain, _bare(plain.text)), second=_bare(word.second))


def _united(line: Sequence[Word], x: Axis) -> list[Word]:
    """The line with the pieces of a count put together: `1 50` under one tick, with less than a digit between them."""
    ticks = count_places(x)[0]
    out: list[Word] = []
    for word in line:
        last = out[-1] if out else None
        if (
            last is not None
            and last.text.isdigit()
            and word.text.isdigit()
            and len(last.text + word.text) <= _LONGEST
            and 0 < word.x0 - last.x1 < 0.55 * min(last.size, word.size)
        ):
            both = (last.x0 + word.x1) / 2
            nearest = float(ticks[int(np.abs(ticks - both).argmin())])
            if abs(both - nearest) < min(abs(last.cx - nearest), abs(word.cx - nearest)):
                second = None if None in (last.second, word.second) else f"{last.second}{word.second}"
                box = replace(last, x1=word.x1, y0=min(last.y0, word.y0), y1=max(last.y1, word.y1))
                out[-1] = replace(box, text=last.text + word.text, second=second)
                continue
        out.append(word)
    return out


def _counts(line: Sequence[Word]) -> list[tuple[float, int, int | None, list[Word]]]:
    """Counts of a line with their middles: `12`, `12 (3)` or `12(3)`."""
    out: list[tuple[float, int, int | None, list[Word]]] = []
    for word in line:
        plain = _COUNT.match(word.text.replace(" ", ""))
        inside = _CENSORED.match(word.text)
        if plain:
            count, more = int(plain[1].replace(",", "")), plain[2]
            out.append((word.cx, count, int(more) if more else None, [word]))
        elif inside and out and out[-1][2] is None and word.x0 - out[-1][3][-1].x1 < 1.6 * word.size:
            _, count, _, held = out.pop()
            held = [*held, word]
            out.append(((held[0].x0 + word.x1) / 2, count, int(inside[1]), held))
    return out


def count_places(x: Axis) -> tuple[Array, Array]:
    """Where counts may stand and for which times: under the labels, and where a label at 0 or the end was missed."""
    order = np.argsort(x.pixels)
    ticks, times = np.asarray(x.pixels)[order], np.asarray(x.values)[order]
    if x.log or len(times) < 2:
        return ticks, times
    step = float(np.diff(times).min())
    # labels are rounded: 166.67, 333.33, …
    lowest = 0.0 if abs(times[0] - step) < 2e-3 * step else times[0]
    full = np.arange(round((times[-1] - lowest) / step) + 1) * step + lowest
    fitted = x.pixel(full)
    nearest = np.abs(fitted[:, None] - ticks[None, :]).argmin(axis=1)
    known = np.abs(fitted - ticks[nearest]) < 0.2 * x.spacing
    return np.where(known, ticks[nearest], fitted), np.where(known, times[nearest], full)


def _unglued(line: Sequence[Word], x: Axis) -> list[Word]:
    """The line with a count that touches the name before it cut off: `A755` under the first tick is `A` and `755`."""
    first = float(count_places(x)[0][0])
    out: list[Word] = []
    for word in line:
        found = re.fullmatch(r"(.*?[^\d,.])(\d{1,5})", word.text)
        if found is None or not word.x0 < first < word.x1 or word.angle:
            out.append(word)
            continue
        head, tail = tokens([replace(word, text=f"{found[1]} {found[2]}", second=_parted(word.second, found[1]))])
        if abs(tail.cx - first) < max(1.2 * word.size, 0.12 * x.spacing):
            # digits lost where name and count touch leave no trace, so one reading of a picture is not enough
            out.extend((head, tail if tail.second is None else replace(tail, second="")))
        else:
            out.append(word)
    return out


def _parted(second: str | None, head: str) -> str | None:
    """The second reading of a glued word, cut after the same number of letters."""
    if second is None:
        return None
    return f"{second[: len(head)]} {second[len(head) :]}" if len(second) > len(head) else ""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line cut into what stands before its counts and the counts under ticks, by the number of the tick."""

    words: tuple[Word, ...]
    before: tuple[Word, ...]
    cells: tuple[Cell, ...]
    places: tuple[int, ...]
    shift: float

    @property
    def height(self) -> float:
        return float(np.median([w.cy for w in self.words]))

    @property
    def label(self) -> str:
        return " ".join(w.text for w in self.before)


def _cut(line: Sequence[Word], x: Axis) -> _Line:
    """The line with those of its counts that stand under ticks, all shifted alike."""
    line = _united([_cleaned(w) for w in _unglued(line, x)], x)
    plain = _Line(tuple(line), tuple(line), (), (), 0.0)
    counts = _counts(line)
    ticks, times = count_places(x)
    if len(counts) < 2:
        return plain
    size = float(np.median([w.size for w in line]))
    reach = min(0.3 * x.spacing, 2.5 * size)
    middle = np.array([c[0] for c in counts])
    gap = middle[:, None] - ticks[None, :]
    nearest = np.abs(gap).argmin(axis=1)
    off = gap[np.arange(len(counts)), nearest]
    close = np.abs(off) < reach
    if not close.any():
        return plain
    shift = float(np.median(off[close]))
    wide = max(1.2 * size, 0.12 * x.spacing)
    chosen: dict[int, int] = {}
    for i in np.flatnonzero(np.abs(off - shift) < wide):
        t = int(nearest[i])
        if t not in chosen or abs(off[i] - shift) < abs(off[chosen[t]] - shift):
            chosen[t] = int(i)
    if len(chosen) < (2 if len(ticks) < 4 else 3):
        return plain
    places = sorted(chosen)
    first = counts[chosen[places[0]]][3][0]
    # a name may be printed into the first count
    before = [w for w in line if w.cx < first.x0 and (w.x1 <= first.x0 + 0.5 or w.text[:1].isalpha())]
    before = [w for w in before if w.x1 > min(ticks) - 12 * x.spacing]
    cells = tuple(_cell(float(times[t]), counts[chosen[t]]) for t in places)
    return _Line(tuple(line), tuple(_adjoining(before, first.x0)), cells, tuple(places), shift)


def _row(line: _Line, x: Axis) -> RiskRow | None:
    """The line as a row of numbers at risk; None where it is none."""
    cells, before, places = line.cells, line.before, line.places
    if not cells or (any(a.n < b.n for a, b in pairwise(cells)) and cells[0].n < cells[-1].n):
        return None
    strokes = len(cells) > 3 and all(w.text in "1l|!I-" for w in line.words)
    if all(c.n == 1 for c in cells) and (line.height < x.band[0] or strokes):
        return None  # tick marks read as ones
    stride = min((b - a for a, b in pairwise(places)), default=1)
    holes = (places[-1] - places[0]) // stride + 1 - len(places)
    holes += places[0] if stride == 1 else 0
    left = cells[0].box[0]
    colour = before[-1].colour if before else next(w.colour for w in line.words if w.x0 == left)
    size = float(np.median([w.size for w in before])) if before else 0.0
    return RiskRow(line.label, colour, cells, line.height, holes, size, line.shift)


def _adjoining(before: list[Word], start: float) -> list[Word]:
    """The last words before the counts that stand together; words of another column of text are dropped."""
    out: list[Word] = []
    edge = start
    for word in reversed(before):
        if edge - word.x1 > (14 if not out else 2.2) * word.size:
            break
        out.insert(0, word)
        edge = word.x0
    return out


def _cell(time: float, count: tuple[float, int, int | None, list[Word]]) -> Cell:
    """The cell of a count; it is sure where both readings give it, and the censored in brackets only count so too."""
    held = count[3]
    once = held[0].second is None
    again = _COUNT.match("".join((w.text if once else w.second or "") for w in held[:1]).replace(" ", ""))
    sure = again is not None and int(again[1].replace(",", "")) == count[1]
    alike = all(w.second is None or w.second == w.text for w in held)
    box = (min(w.x0 for w in held), min(w.y0 for w in held), max(w.x1 for w in held), max(w.y1 for w in held))
    return Cell(time, count[1], count[2] if alike else None, sure, box, " ".join(w.text for w in held))


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
