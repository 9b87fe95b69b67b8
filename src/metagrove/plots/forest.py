"""Forest plots whose size follows from what they hold.

Layout after Lewis S, Clarke M. Forest plots: trying to see the wood and the trees. BMJ 2001;322:1479-80
(doi:10.1136/bmj.322.7300.1479): squares have areas in proportion to weights, diamonds are summaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from metagrove.plots.axes import Axis, fitting_ticks, limits_for, tick_texts
from metagrove.plots.bias_colours import dot, legend_of
from metagrove.plots.canvas import Drawing
from metagrove.plots.forest_columns import Spread, header, spread
from metagrove.plots.forest_table import ForestRow, ForestTable
from metagrove.plots.marks import CAPITAL, LEADING, Line, Mark, Page, Shape, Text, fold, paragraph, tidy
from metagrove.plots.style import Style, style_of

__all__ = ["forest_drawing", "forest_page"]


@dataclass(frozen=True, slots=True)
class _Band:
    """One stripe of the plot from `top`, `height` points high: a row (by number) or lines of text."""

    height: float
    row: int = -1
    lines: tuple[str, ...] = ()
    bold: bool = False
    top: float = 0.0


def forest_drawing(table: ForestTable, *, style: Style | str | None = None) -> Drawing:
    """The forest plot of a table."""
    look = style_of(style)
    return Drawing(lambda width: forest_page(table, look, width), look, tuple(table.records()))


def forest_page(table: ForestTable, style: Style, width: float | None = None) -> Page:
    """The forest plot composed for a page `width` points wide; it may come out wider where the text needs it."""
    s, placed = style.size, spread(table, style, width)
    marks: list[Mark] = []
    y = 0.8 * s
    if table.title:
        lines = fold(table.title, 1.15 * s, placed.width - 2 * placed.margin, bold=True)
        marks += paragraph(lines, Text(placed.margin, y + 1.1 * s, "", 1.15 * s, style.palette.ink, True))
        y += (len(lines) * LEADING * 1.15 + 0.5) * s
    heads, height = header(placed, style, y)
    y += height
    marks += heads
    marks.append(Line(((placed.margin, y), (placed.width - placed.margin, y)), style.palette.ink, 0.6))
    y += 0.35 * s
    bands = _stacked(_bands(table, style, placed), y)
    bottom = bands[-1].top + bands[-1].height
    axis, ticks = _axis(table, style, placed)
    marks = _shades(bands, placed, style) + marks + _guides(table, style, axis, bands, bottom)
    rows = list(table.rows())
    for band in bands:
        marks += _row_marks(band, rows[band.row], table, style, placed, axis) if band.row >= 0 else []
        marks += _text_lines(band, style, placed)
    foot, end = _below(table, style, placed, axis, ticks, bottom + 0.2 * s)
    title = table.title or f"Forest plot: {table.effect}"
    return Page(placed.width, end + 0.8 * s, tuple(marks + foot), tidy(title))


def _bands(table: ForestTable, style: Style, placed: Spread) -> Iterator[_Band]:
    s, number = style.size, 0
    small, gap = 0.9 * s, _Band(0.7 * s)

    def row_band(i: int) -> _Band:
        return _Band((len(placed.labels[i]) * LEADING + 0.45) * s, i)

    def text_band(text: str, size: float, bold: bool) -> _Band:
        lines = tuple(fold(text, size, placed.text_span, bold=bold))
        return _Band(len(lines) * LEADING * size + 0.3 * s, lines=lines, bold=bold)

    for block in table.blocks:
        if block.heading:
            yield text_band(block.heading, s, True)
        for _ in (*block.rows, *block.summaries):
            yield row_band(number)
            number += 1
        yield from (text_band(note, small, False) for note in block.notes)
        yield gap
    for _ in table.summaries:
        yield row_band(number)
        number += 1
    yield from (text_band(note, small, False) for note in table.notes)


def _stacked(bands: Iterator[_Band], top: float) -> list[_Band]:
    from dataclasses import replace

    placed = []
    for band in bands:
        placed.append(replace(band, top=top))
        top += band.height
    return placed


def _shades(bands: list[_Band], placed: Spread, style: Style) -> list[Mark]:
    if not style.shaded:
        return []
    left, right = placed.margin - 0.3 * style.size, placed.width - placed.margin + 0.3 * style.size
    striped = [band for band in bands if band.row >= 0][::2]
    return [
        Shape(((left, b.top), (right, b.top), (right, b.top + b.height), (left, b.top + b.height)), style.palette.faint)
        for b in striped
    ]


def _text_lines(band: _Band, style: Style, placed: Spread) -> list[Text]:
    if not band.lines:
        return []
    size = style.size if band.bold else 0.9 * style.size
    colour = style.palette.ink if band.bold else style.palette.muted
    first = band.top + 0.15 * style.size + 0.95 * size
    return paragraph(band.lines, Text(placed.margin, first, "", size, colour, band.bold))


def _axis(table: ForestTable, style: Style, placed: Spread) -> tuple[Axis, list[float]]:
    plot = placed.named("plot")
    rows = [row for row in table.rows() if row.shown]
    if table.limits:
        low, high = table.limits
    else:
        studies = [row for row in rows if row.kind == "study"]
        keep = [v for row in rows if row.kind in ("common", "random") for v in (row.lower, row.upper)]
        keep += [table.reference] if table.reference is not None else []
        low, high = limits_for(
            [row.estimate for row in rows if isfinite(row.estimate)],
            [(row.lower, row.upper) for row in studies or rows],
            logarithmic=table.logarithmic,
            keep=keep,
        )
        low, high = _natural_ends(table, low, high)
    pad = 0.5 * style.size
    axis = Axis(low, high, plot.x + pad, plot.width - 2 * pad, table.logarithmic)
    return axis, fitting_ticks(axis, style.size, texts=lambda ticks: _tick_texts(table, ticks))


def _natural_ends(table: ForestTable, low: float, high: float) -> tuple[float, float]:
    """Ends that respect what the effect can be: a proportion lies in 0 to 1, and starts at 0 where its data do."""
    floor = min((row.lower for row in table.rows() if row.shown), default=low)
    top = max((row.upper for row in table.rows() if row.shown), default=high)
    if table.logarithmic or floor < 0:
        return low, high
    if low < 0.25 * high:
        low = 0.0
    return max(low, 0.0), min(high, 1.0) if table.percent or (top <= 1 and high > 0.95) else high


def _tick_texts(table: ForestTable, ticks: Sequence[float]) -> list[str]:
    shown = [round(tick * 100, 9) for tick in ticks] if table.percent else ticks
    return tick_texts(shown, logarithmic=table.logarithmic)


def _guides(table: ForestTable, style: Style, axis: Axis, bands: list[_Band], bottom: float) -> list[Mark]:
    """The line of no effect and the dashed line through the main summary, behind everything."""
    marks: list[Mark] = []
    top = bands[0].top
    if table.reference is not None and axis.low <= table.reference <= axis.high:
        x = axis.at(table.reference)
        marks.append(Line(((x, top), (x, bottom)), style.palette.reference, 0.6))
    rows = list(table.rows())
    mains = [
        b for b in bands if b.row >= 0 and rows[b.row] in table.summaries and rows[b.row].kind in ("common", "random")
    ]
    if mains and isfinite(rows[mains[-1].row].estimate) and axis.low <= rows[mains[-1].row].estimate <= axis.high:
        x = axis.at(rows[mains[-1].row].estimate)
        end = mains[-1].top + mains[-1].height / 2
        marks.append(Line(((x, top), (x, end)), style.palette.summary, 0.5, (2.0, 2.0)))
    return marks


def _row_marks(band: _Band, row: ForestRow, table: ForestTable, style: Style, placed: Spread, axis: Axis) -> list[Mark]:
    s, bold = style.size, row.kind in ("common", "random")
    middle = band.top + band.height / 2
    base = middle + CAPITAL / 2 * s
    indent = 0.9 * s if row.kind == "study" and any(block.heading for block in table.blocks) else 0.0
    study, lines = placed.named("study"), placed.labels[band.row]
    first = base - (len(lines) - 1) / 2 * LEADING * s
    colour = style.palette.ink if row.kind != "prediction" else style.palette.muted
    marks: list[Mark] = list(paragraph(lines, Text(study.x + indent, first, "", s, colour, bold)))
    for leaf in placed.leaves:
        if leaf.texts and leaf.texts.get(band.row):
            marks.append(Text(leaf.edge, base, leaf.texts[band.row], s, colour, bold, leaf.anchor))
        if leaf.key.startswith("bias") and row.bias and row.bias[int(leaf.key[4:])]:
            marks += dot(row.bias[int(leaf.key[4:])], leaf.x + leaf.width / 2, middle, 0.62 * s)
    if row.shown:
        marks += _symbol(row, table, style, axis, middle)
    return marks


def _symbol(row: ForestRow, table: ForestTable, style: Style, axis: Axis, y: float) -> list[Mark]:
    """Square and line for a study, diamond for a summary, bar for a prediction; cut with arrows at the axis' ends."""
    s, palette = style.size, style.palette
    low, high = max(row.lower, axis.low), min(row.upper, axis.high)
    known = low <= high
    arrows: list[Mark] = []
    colour = {"study": palette.ink, "common": palette.common, "random": palette.summary}.get(
        row.kind, palette.prediction
    )
    if known and row.lower < axis.low:
        arrows.append(_arrow(axis.start, y, -1, 0.42 * s, colour))
    if known and row.upper > axis.high:
        arrows.append(_arrow(axis.start + axis.length, y, 1, 0.42 * s, colour))
    left, right = axis.at(low), axis.at(high)
    if row.kind == "prediction":
        h = 0.17 * s
        return (
            [Shape(((left, y - h), (right, y - h), (right, y + h), (left, y + h)), palette.prediction), *arrows]
            if known
            else []
        )
    x = axis.at(min(max(row.estimate, axis.low), axis.high))
    if row.kind != "study":
        h = 0.5 * s
        return [Shape(((left, y), (x, y - h), (right, y), (x, y + h)), colour), *arrows] if known else []
    line: list[Mark] = [Line(((left, y), (right, y)), palette.ink, 0.7)] if known and right > left else []
    if not axis.low <= row.estimate <= axis.high:
        return [*line, *arrows]
    half = _half_side(row, table, s)
    square = Shape(
        ((x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)), palette.square
    )
    return [*line, square, Line(((x, y - half), (x, y + half)), palette.ink, 0.4), *arrows]


def _half_side(row: ForestRow, table: ForestTable, s: float) -> float:
    """Half the side of a study's square: its area follows the last weight, the largest weight fills the row."""
    weights = [r.weights[-1] for r in table.studies() if r.weights and r.weights[-1] is not None]
    if not row.weights or row.weights[-1] is None or not weights or max(weights) <= 0:
        return 0.3 * s
    return max(0.58 * s * sqrt(row.weights[-1] / max(weights)), 0.13 * s)


def _arrow(x: float, y: float, side: int, size: float, colour: str) -> Shape:
    return Shape(
        ((x - side * size, y - 0.62 * size), (x + side * 0.3 * size, y), (x - side * size, y + 0.62 * size)), colour
    )


def _below(
    table: ForestTable, style: Style, placed: Spread, axis: Axis, ticks: list[float], y: float
) -> tuple[list[Mark], float]:
    """Axis, tick labels, axis title, directions, risk-of-bias key and footer; and where the last line ends."""
    s, palette = style.size, style.palette
    marks: list[Mark] = [Line(((axis.start, y), (axis.start + axis.length, y)), palette.ink, 0.6)]
    for tick, words in zip(ticks, _tick_texts(table, ticks), strict=True):
        x = axis.at(tick)
        marks.append(Line(((x, y), (x, y + 0.35 * s)), palette.ink, 0.6))
        marks.append(Text(x, y + 1.35 * s, words, s, palette.ink, anchor="middle"))
    y += 1.6 * s
    middle, edge = axis.start + axis.length / 2, placed.margin
    name = f"{table.effect} (%)" if table.percent else table.effect
    lines = fold(name, s, 2 * min(middle - edge, placed.width - edge - middle))
    marks += paragraph(lines, Text(middle, y + 1.05 * s, "", s, palette.ink, anchor="middle"))
    y += (len(lines) * LEADING + 0.2) * s
    sides, y = _directions(table, style, placed, axis, y)
    marks += sides
    if table.bias_domains:
        key, y = legend_of(
            table.bias_domains, [row.bias for row in table.rows()], style, edge, placed.width - edge, y + 0.6 * s
        )
        marks += key
    if table.footer:
        y += 0.5 * s
    for text in table.footer:
        lines = fold(text, 0.88 * s, placed.width - 2 * edge)
        marks += paragraph(lines, Text(edge, y + 0.9 * s, "", 0.88 * s, palette.muted))
        y += len(lines) * LEADING * 0.88 * s + 0.15 * s
    return marks, y


def _directions(table: ForestTable, style: Style, placed: Spread, axis: Axis, y: float) -> tuple[list[Mark], float]:
    """What each side of the reference favours, with arrows, folded within the page."""
    left, right = table.directions
    if not (left or right) or table.reference is None:
        return [], y
    s, colour = style.size, style.palette.muted
    x = min(max(axis.at(table.reference), axis.start), axis.start + axis.length)
    room = [x - placed.margin - s, placed.width - placed.margin - x - s]
    marks: list[Mark] = []
    deepest = 0
    for text, side, anchor, width in ((left, -1, "end", room[0]), (right, 1, "start", room[1])):
        if text:
            first = f"←\u00a0{text}" if side < 0 else f"{text}\u00a0→"
            lines = fold(first, s, max(width, 4 * s))
            marks += paragraph(lines, Text(x + side * 0.6 * s, y + 1.05 * s, "", s, colour, anchor=anchor))
            deepest = max(deepest, len(lines))
    return marks, y + (deepest * LEADING + 0.2) * s
