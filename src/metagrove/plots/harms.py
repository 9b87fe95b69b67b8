"""The adverse-event matrix: terms by body system down, studies across; what was not reported is hatched, never zero.

Reporting after Junqueira DR, Zorzela L, Golder S, et al. CONSORT Harms 2022. BMJ 2023;381:e073725
(doi:10.1136/bmj-2022-073725).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from metagrove.core.errors import DataError
from metagrove.core.values import Counts
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import foot_lines, title_lines
from metagrove.plots.marks import CAPITAL, LEADING, Line, Mark, Page, Shape, Text, fold, paragraph, text_width, tidy
from metagrove.plots.style import Style, style_of

__all__ = ["HarmRow", "HarmsTable", "harms_drawing", "harms_table"]

_HATCH = "#c3c9cf"


@dataclass(frozen=True, slots=True)
class HarmRow:
    """One adverse event.

    Parameters
    ----------
    term : the harmonised term; `group` is its body system.
    cells : for each study its counts, or None where the study does not report the term.
    pooled : estimate and limits as proportions, NaN where not pooled; None where there is no pooled value.
    note : said in the pooled column where there is no estimate, such as "one study".
    """

    term: str
    cells: tuple[Counts | None, ...]
    group: str = ""
    pooled: tuple[float, float, float] | None = None
    note: str = ""

    @property
    def reporting(self) -> int:
        """Number of studies that report the term."""
        return sum(cell is not None for cell in self.cells)

    @property
    def crude(self) -> tuple[int, int]:
        """Events and people summed over the studies that report the term."""
        known = [cell for cell in self.cells if cell is not None]
        return sum(cell.events for cell in known), sum(cell.n for cell in known)


@dataclass(frozen=True, slots=True)
class HarmsTable:
    """An adverse-event matrix: `rows` in the order of the plot, neighbours of one group under one heading."""

    studies: tuple[str, ...]
    rows: tuple[HarmRow, ...]
    title: str = ""
    pooled_heading: str = "Pooled, % [95% CI]"
    footer: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.rows or not self.studies:
            raise DataError("an adverse-event matrix without events or without studies")
        for row in self.rows:
            if len(row.cells) != len(self.studies):
                raise DataError(f"{row.term}: {len(row.cells)} cells for {len(self.studies)} studies")
            if not row.reporting:
                raise DataError(f"{row.term}: no study reports it; leave the row out")

    def records(self) -> list[dict[str, Any]]:
        """One dict for each term and study; events and n are None where not reported."""
        found = []
        for row in self.rows:
            for study, cell in zip(self.studies, row.cells, strict=True):
                place = {"group": row.group, "term": row.term, "study": study, "reported": cell is not None}
                found.append(place | {"events": cell and cell.events, "n": cell and cell.n})
        return found


def harms_table(
    facts: Iterable[Mapping[str, Any]],
    *,
    pooled: Mapping[str, tuple[float, float, float]] | None = None,
    title: str = "",
    footer: Sequence[str] = (),
) -> HarmsTable:
    """The matrix of a long table, one fact a row.

    Parameters
    ----------
    facts : mappings with `study`, `term`, `events`, `n` and, where known, `group` (the body system).
    pooled : for each term estimate and limits as proportions.

    Raises
    ------
    DataError : a study reports one term twice.
    """
    cells: dict[tuple[str, str], Counts] = {}
    groups: dict[str, str] = {}
    for fact in facts:
        study, term = str(fact["study"]), str(fact["term"])
        if (study, term) in cells:
            raise DataError(f"{study}: '{term}' is reported twice; one row for each term and study")
        cells[study, term] = Counts(int(fact["events"]), int(fact["n"]))
        groups.setdefault(term, str(fact.get("group") or ""))
    studies = tuple(dict.fromkeys(study for study, _ in cells))
    rows = [
        HarmRow(term, tuple(cells.get((study, term)) for study in studies), group, (pooled or {}).get(term))
        for term, group in groups.items()
    ]
    rows.sort(key=lambda row: (row.group == "", row.group, -row.reporting, -row.crude[0] / row.crude[1], row.term))
    return HarmsTable(studies, tuple(rows), title, footer=tuple(footer))


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where the columns stand: the term column, the studies' cells, the crude sums and the pooled column."""

    terms: float
    cells: tuple[float, ...]
    cell: float
    sums: float
    pooled: float
    width: float


def harms_drawing(table: HarmsTable, *, style: Style | str | None = None) -> Drawing:
    """The adverse-event matrix."""
    look = style_of(style)
    return Drawing(lambda width: harms_page(table, look, width), look, tuple(table.records()))


def harms_page(table: HarmsTable, style: Style, width: float | None = None) -> Page:
    """The matrix composed for a page `width` points wide; it may come out wider where its cells need it."""
    s, margin = style.size, 0.8 * style.size
    limit, grid = _grid(table, style, width)
    marks, y = title_lines(table.title, style, margin, grid.width - margin, 0.8 * s)
    head, y = _headings(table, grid, style, y)
    marks += head
    group = None
    for row in table.rows:
        if row.group != group and (row.group or group):
            group = row.group
            lines = fold(group or style.label("Other"), s, grid.width - 2 * margin, bold=True)
            y += 0.45 * s
            marks += paragraph(lines, Text(margin, y + 1.0 * s, "", s, style.palette.ink, True))
            y += (len(lines) * LEADING + 0.15) * s
        stripe, y = _row(row, table, grid, style, limit, y)
        marks += stripe
    key, y = _key(style, margin, grid.width - margin, y + 0.8 * s)
    foot, y = foot_lines(table.footer, style, margin, grid.width - margin, y)
    title = table.title or "Adverse events by study"
    return Page(grid.width, y + 0.8 * s, (*marks, *key, *foot), tidy(title))


def _pooled_text(row: HarmRow, style: Style) -> str:
    if row.pooled is None or not isfinite(row.pooled[0]):
        return row.note
    note, values = style.notation, [100 * v for v in row.pooled]
    decimals = 1 if style.decimals is None else style.decimals
    point, low, high = (note.number(v, decimals) for v in values)
    return f"{point} {note.opening}{low}{note.between} {high}{note.closing}"


def _grid(table: HarmsTable, style: Style, width: float | None) -> tuple[float, _Grid]:
    """The fold of the terms and the columns' places: terms fold sooner and cells close up on a narrow page."""
    s, margin = style.size, 0.8 * style.size
    texts = [f"{c.events}/{c.n}" for row in table.rows for c in row.cells if c is not None]
    least = max(text_width(t, s) for t in texts) + 0.8 * s
    words = [word for name in table.studies for word in tidy(name).split(" ")]
    wish = min(max(text_width(word, s, bold=True) for word in words) + 0.6 * s, 8 * s)
    sums = max(text_width("{}/{}".format(*row.crude), s) for row in table.rows)
    sums = max(sums, text_width(style.label("Events/n"), s, bold=True))
    pooled = max([text_width(_pooled_text(row, style), s) for row in table.rows])
    pooled = max(pooled, text_width("Pooled,", s, bold=True)) if pooled else 0.0
    k = len(table.studies)
    fixed = 2 * margin + sums + 1.2 * s + (pooled + 1.2 * s if pooled else 0.0) + 0.8 * s
    for limit in (24.0, 19.0, 15.0, 12.0):
        lines = [line for row in table.rows for line in fold(row.term, s, (limit - 0.9) * s)]
        terms = max(text_width(line, s) for line in lines) + 0.9 * s
        terms = max(terms, text_width(style.label("Event"), s, bold=True))
        cell = max(least, wish)
        if width is None:
            break
        room = (width - fixed - terms) / k
        cell = min(max(room, least, 3.2 * s), max(wish, 9 * s))
        if room >= max(least, min(wish, 6 * s)):
            break
    start = margin + terms + 0.8 * s
    cells = tuple(start + i * cell for i in range(k))
    after = start + k * cell + 1.2 * s + sums
    end = after + (1.2 * s + pooled if pooled else 0.0)
    return limit, _Grid(margin, cells, cell, after, end if pooled else 0.0, end + margin)


def _headings(table: HarmsTable, grid: _Grid, style: Style, top: float) -> tuple[list[Mark], float]:
    s, ink = style.size, style.palette.ink
    folded, upright = _names(table.studies, grid.cell, s)
    right = [(grid.sums, fold(style.label("Events/n"), s, 8 * s, bold=True))]
    if grid.pooled:
        room = grid.pooled - grid.sums - 1.2 * s
        right.append((grid.pooled, fold(style.label(table.pooled_heading), s, room, bold=True)))
    longest = max(text_width(line, s, bold=True) for lines in folded for line in lines)
    tall = longest + 0.2 * s if upright else max(map(len, folded)) * LEADING * s
    base = top + max(tall, max(len(lines) for _, lines in right) * LEADING * s) - 0.2 * s
    marks: list[Mark] = [Text(grid.terms, base, style.label("Event"), s, ink, True)]
    for x, lines in zip(grid.cells, folded, strict=True):
        if upright:
            left = x + grid.cell / 2 - (len(lines) - 1) / 2 * LEADING * s + 0.34 * s
            marks += [Text(left + i * LEADING * s, base, t, s, ink, True, "start", 90) for i, t in enumerate(lines)]
        else:
            first = base - (len(lines) - 1) * LEADING * s
            marks += paragraph(lines, Text(x + grid.cell / 2, first, "", s, ink, True, "middle"))
    for x, lines in right:
        marks += paragraph(lines, Text(x, base - (len(lines) - 1) * LEADING * s, "", s, ink, True, "end"))
    y = base + 0.6 * s
    marks.append(Line(((grid.terms, y), (grid.width - grid.terms, y)), ink, 0.6))
    return marks, y + 0.25 * s


def _names(studies: Sequence[str], cell: float, s: float) -> tuple[list[list[str]], bool]:
    """The studies' names folded into their cells; upright where a word is wider than a cell."""
    words = [word for name in studies for word in tidy(name).split(" ")]
    if max(text_width(word, s, bold=True) for word in words) <= cell - 0.4 * s:
        return [fold(name, s, cell - 0.4 * s, bold=True) for name in studies], False
    deep = max(1, int(cell / (LEADING * s)))
    folded = []
    for name in studies:
        limit = 10 * s
        while len(fold(name, s, limit, bold=True)) > deep:
            limit *= 1.2
        folded.append(fold(name, s, limit, bold=True))
    return folded, True


def _row(
    row: HarmRow, table: HarmsTable, grid: _Grid, style: Style, limit: float, top: float
) -> tuple[list[Mark], float]:
    s, ink = style.size, style.palette.ink
    indent = 0.9 * s if any(r.group for r in table.rows) else 0.0
    lines = fold(row.term, s, (limit - 0.9) * s)
    tall = (len(lines) * LEADING + 0.6) * s
    base = top + tall / 2 + CAPITAL / 2 * s
    first = base - (len(lines) - 1) / 2 * LEADING * s
    marks: list[Mark] = list(paragraph(lines, Text(grid.terms + indent, first, "", s, ink)))
    for x, cell in zip(grid.cells, row.cells, strict=True):
        box = ((x, top), (x + grid.cell, top), (x + grid.cell, top + tall), (x, top + tall))
        if cell is None:
            marks.append(Shape(box, "#ffffff", "#ffffff", 1.0, _HATCH))
            continue
        fill, letters = shade(cell.events / cell.n, style)
        marks.append(Shape(box, fill, "#ffffff", 1.0))
        words = f"{cell.events}/{cell.n}"
        marks.append(Text(x + grid.cell / 2, base, words, s, letters, anchor="middle"))
    marks.append(Text(grid.sums, base, "{}/{}".format(*row.crude), s, style.palette.muted, anchor="end"))
    pooled = _pooled_text(row, style)
    if pooled:
        marks.append(Text(grid.pooled, base, pooled, s, ink, anchor="end"))
    return marks, top + tall


def shade(rate: float, style: Style) -> tuple[str, str]:
    """The ground and the letters of a cell: white at 0, the summary colour from one half on."""
    depth = min(rate / 0.5, 1.0) ** 0.8
    full = [int(style.palette.summary[i : i + 2], 16) for i in (1, 3, 5)]
    mixed = [round(247 + (c - 247) * depth) for c in full]
    light = sum(w * c for w, c in zip((0.299, 0.587, 0.114), mixed, strict=True)) > 140
    return "#" + "".join(f"{c:02x}" for c in mixed), style.palette.ink if light else "#ffffff"


def _key(style: Style, left: float, right: float, top: float) -> tuple[list[Mark], float]:
    """The key: shades by rate and the hatching, folded where the page is narrow."""
    s = 0.88 * style.size
    steps = [(0.0, "0%"), (0.1, "10%"), (0.25, "25%"), (0.5, "50% or more")]
    items = [(Shape((), shade(rate, style)[0], "#d5dade", 0.4), words) for rate, words in steps]
    items.append((Shape((), "#ffffff", "#d5dade", 0.4, _HATCH), "not reported (unknown, not zero)"))
    marks: list[Mark] = []
    x = left
    for shape, words in items:
        lines = fold(words, s, right - left - 2.4 * s)
        wide = 2.4 * s + max(text_width(line, s) for line in lines)
        if x > left and x + wide > right:
            x, top = left, top + 1.5 * s
        corners = ((x, top + 0.1 * s), (x + 1.8 * s, top + 0.1 * s), (x + 1.8 * s, top + 1.15 * s), (x, top + 1.15 * s))
        marks.append(Shape(corners, shape.fill, shape.edge, shape.width, shape.hatch))
        marks += paragraph(lines, Text(x + 2.4 * s, top + 0.95 * s, "", s, style.palette.muted))
        x, top = x + wide + 1.3 * s, top + (len(lines) - 1) * LEADING * s
    return marks, top + 1.7 * s
