"""The PRISMA 2020 flow diagram: boxes that grow with their text, and numbers that close.

Page MJ, McKenzie JE, Bossuyt PM, et al. The PRISMA 2020 statement. BMJ 2021;372:n71 (doi:10.1136/bmj.n71), CC BY 4.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metagrove.plots.canvas import Drawing
from metagrove.plots.flow_counts import BOXES, FlowCounts, flow_counts
from metagrove.plots.frame import foot_lines, title_lines
from metagrove.plots.marks import LEADING, Line, Mark, Page, Shape, Text, fold, text_width
from metagrove.plots.style import Style, style_of

__all__ = ["flow", "flow_drawing", "flow_page"]

CREDIT = "Flow diagram after PRISMA 2020: Page MJ, et al. BMJ 2021;372:n71, doi:10.1136/bmj.n71, CC BY 4.0."

_GOLD, _GREY, _BLUE, _EDGE = "#f7e7bd", "#e4e8eb", "#d3e2ef", "#7d8790"

#: The rows of the diagram from top to bottom: the phase, and the boxes of each column in that row.
_ROWS: tuple[tuple[str, Mapping[str, str]], ...] = (
    (
        "Identification",
        {"previous": "previous_studies", "main": "identified", "side": "removed_before", "other": "other_identified"},
    ),
    ("Screening", {"main": "screened", "side": "excluded"}),
    (
        "Screening",
        {"main": "sought", "side": "not_retrieved", "other": "other_sought", "other_side": "other_not_retrieved"},
    ),
    (
        "Screening",
        {"main": "assessed", "side": "reports_excluded", "other": "other_assessed", "other_side": "other_excluded"},
    ),
    ("Included", {"main": "included"}),
    ("Included", {"previous": "total"}),
)

_TITLES = {
    "previous": "Previous studies",
    "main": "Identification of new studies via databases and registers",
    "other": "Identification of new studies via other methods",
}


@dataclass(frozen=True, slots=True)
class _Box:
    """A box in place with its folded lines."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[tuple[float, str], ...] = ()

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        right, low = self.x + self.width, self.y + self.height
        return ((self.x, self.y), (right, self.y), (right, low), (self.x, low))


def flow(boxes: Mapping[str, Any], style: Style | str | None = None, *, title: str = "") -> Drawing:
    """The PRISMA 2020 flow diagram of a review.

    Parameters
    ----------
    boxes : counts by box name, see `metagrove.plots.flow_counts.flow_counts`.

    Raises
    ------
    DataError : the numbers do not close; the message names the boxes.
    """
    return flow_drawing(flow_counts(boxes), style=style, title=title)


def flow_drawing(counts: FlowCounts, *, style: Style | str | None = None, title: str = "") -> Drawing:
    """The flow diagram of checked counts."""
    look = style_of(style)
    return Drawing(lambda width: flow_page(counts, look, width, title=title), look, tuple(counts.records()))


def flow_page(counts: FlowCounts, style: Style, width: float | None = None, *, title: str = "") -> Page:
    """The flow composed for a page `width` points wide; columns are 15 to 30 ems wide."""
    s, margin, gap = style.size, 0.8 * style.size, 2.0 * style.size
    columns = _columns(counts)
    bar = 1.9 * s
    natural = (22.0 if len(columns) < 3 else 19.0) * s
    inner = natural
    if width is not None:
        inner = (width - 2 * margin - bar - gap * 0.5 - gap * (len(columns) - 1)) / len(columns)
    inner = min(max(inner, 15 * s), 30 * s)
    xs = {name: margin + bar + 0.5 * gap + i * (inner + gap) for i, name in enumerate(columns)}
    wide = margin * 2 + bar + 0.5 * gap + inner * len(columns) + gap * (len(columns) - 1)
    marks, y = title_lines(title, style, margin, wide - margin, 0.8 * s)
    heads, y = _headings(columns, xs, inner, style, y)
    placed, phases, y = _placed(counts, xs, inner, style, y + 1.4 * s)
    bars = [mark for name, (top, low) in phases.items() for mark in _phase(name, margin, bar, top, low, style)]
    drawn = [mark for name, box in placed.items() for mark in _drawn(name, box, style)]
    arrows = _arrows(placed, style)
    foot, y = foot_lines([CREDIT], style, margin, wide - margin, y + 0.3 * s)
    return Page(wide, y + 0.8 * s, (*marks, *heads, *bars, *arrows, *drawn, *foot), title or "PRISMA 2020 flow diagram")


def _columns(counts: FlowCounts) -> list[str]:
    found = ["previous"] if "previous_studies" in counts or "total" in counts else []
    found += ["main", "side"]
    if "other_identified" in counts:
        found.append("other")
        if "other_not_retrieved" in counts or "other_excluded" in counts:
            found.append("other_side")
    return found


def _headings(
    columns: Sequence[str], xs: Mapping[str, float], inner: float, style: Style, top: float
) -> tuple[list[Mark], float]:
    s, marks = style.size, list[Mark]()
    spans = []
    for name, text in _TITLES.items():
        if name in columns:
            last = {"main": "side", "other": "other_side"}.get(name, name)
            end = xs[last if last in columns else name] + inner
            spans.append((xs[name], end, fold(text, s, end - xs[name] - s, bold=True), name))
    tall = (max(len(lines) for _, _, lines, _ in spans) * LEADING + 0.9) * s
    for left, right, lines, name in spans:
        box = _Box(left, top, right - left, tall)
        marks.append(Shape(box.corners, _GOLD if name == "main" else _GREY))
        first = top + tall / 2 - (len(lines) - 1) / 2 * LEADING * s + 0.36 * s
        for i, line in enumerate(lines):
            marks.append(Text(box.middle, first + i * LEADING * s, line, s, style.palette.ink, True, "middle"))
    return marks, top + tall


def _wording(name: str, counts: FlowCounts) -> list[tuple[int, str]]:
    """The lines of a box with their level: 0 for its own words, 1 for listed sources and reasons."""
    lines, text = counts.boxes[name], BOXES[name]
    if name in ("previous_studies", "included", "total"):
        new = "previous_studies" in counts or "total" in counts
        text = text if new or name != "included" else "Studies included in review"
        said = [(0, f"{text} (n\u00a0=\u00a0{lines[0][1]})")]
        reports = "Reports of " + text[0].lower() + text[1:].replace(" in review", "")
        reports = {"included": "Reports of new included studies" if new else "Reports of included studies"}.get(
            name, reports
        )
        return said + [(0, f"{reports} (n\u00a0=\u00a0{n})") for _, n in lines[1:]]
    if len(lines) == 1 and not lines[0][0]:
        plain = text.removesuffix(" from") if name in ("identified", "other_identified") else text
        return [(0, f"{plain} (n\u00a0=\u00a0{lines[0][1]})")]
    return [(0, f"{text}:")] + [(1, f"{label} (n\u00a0=\u00a0{n})") for label, n in lines]


def _placed(
    counts: FlowCounts, xs: Mapping[str, float], inner: float, style: Style, top: float
) -> tuple[dict[str, _Box], dict[str, tuple[float, float]], float]:
    """Every box in its row, the reach of each phase, and where the last row ends."""
    s = style.size
    placed: dict[str, _Box] = {}
    phases: dict[str, tuple[float, float]] = {}
    rows = [(phase, {c: name for c, name in row.items() if name in counts and c in xs}) for phase, row in _ROWS]
    rows = [(phase, present) for phase, present in rows if present]
    for i, (phase, present) in enumerate(rows):
        tall = 0.0
        for column, name in present.items():
            lines = _folded(_wording(name, counts), inner, s)
            box = _Box(xs[column], top, inner, (len(lines) * LEADING + 1.1) * s, lines)
            placed[name], tall = box, max(tall, box.height)
        first = phases.get(phase, (top, top))[0]
        ends = i + 1 == len(rows) or rows[i + 1][0] != phase
        least = first + 1.4 * s + text_width(phase, s, bold=True) if ends else 0.0
        phases[phase] = (first, max(top + tall, least))
        top = phases[phase][1] + 1.8 * s
    return placed, phases, top - 1.2 * s


def _folded(wording: Sequence[tuple[int, str]], inner: float, s: float) -> tuple[tuple[float, str], ...]:
    found: list[tuple[float, str]] = []
    for level, text in wording:
        indent = 0.9 * s * level
        lines = fold(text, s, inner - 1.4 * s - indent - (0.7 * s if level else 0))
        found += [(indent + (0.7 * s if i and level else 0.0), line) for i, line in enumerate(lines)]
    return tuple(found)


def _drawn(name: str, box: _Box, style: Style) -> list[Mark]:
    s, ink = style.size, style.palette.ink
    marks: list[Mark] = [Shape(box.corners, "#ffffff", _EDGE, 0.7)]
    for i, (indent, line) in enumerate(box.lines):
        marks.append(Text(box.x + 0.7 * s + indent, box.y + (1.4 + i * LEADING) * s, line, s, ink))
    return marks


def _phase(name: str, x: float, bar: float, top: float, low: float, style: Style) -> list[Mark]:
    s = style.size
    box = _Box(x, top, bar, low - top)
    word = Text(x + bar / 2 + 0.34 * s, (top + low) / 2, name, s, style.palette.ink, True, "middle", 90)
    return [Shape(box.corners, _BLUE), word]


def _arrows(placed: Mapping[str, _Box], style: Style) -> list[Mark]:
    down = [("identified", "screened"), ("screened", "sought"), ("sought", "assessed"), ("assessed", "included")]
    down += [("other_identified", "other_sought"), ("other_sought", "other_assessed")]
    across = [("identified", "removed_before"), ("screened", "excluded"), ("sought", "not_retrieved")]
    across += [("assessed", "reports_excluded"), ("other_sought", "other_not_retrieved")]
    across += [("other_assessed", "other_excluded")]
    marks: list[Mark] = []
    for a, b in down:
        if a in placed and b in placed:
            marks += _arrow(
                [(placed[a].middle, placed[a].y + placed[a].height), (placed[b].middle, placed[b].y)], style
            )
    for a, b in across:
        if a in placed and b in placed:
            y = placed[b].y + min(placed[a].height, placed[b].height) / 2
            marks += _arrow([(placed[a].x + placed[a].width, y), (placed[b].x, y)], style)
    if "other_assessed" in placed:
        start, end = placed["other_assessed"], placed["included"]
        y = end.y + end.height / 2
        marks += _arrow([(start.middle, start.y + start.height), (start.middle, y), (end.x + end.width, y)], style)
    if "total" in placed:
        total, new = placed["total"], placed["included"]
        y = total.y + total.height / 2
        marks += _arrow([(new.middle, new.y + new.height), (new.middle, y), (total.x + total.width, y)], style)
        if "previous_studies" in placed:
            old = placed["previous_studies"]
            marks += _arrow([(old.middle, old.y + old.height), (total.middle, total.y)], style)
    return marks


def _arrow(points: list[tuple[float, float]], style: Style) -> list[Mark]:
    """A line through `points` with a head at its end; the last piece is upright or level."""
    s, colour = style.size, style.palette.muted
    (x0, y0), (x1, y1) = points[-2:]
    h = 0.55 * s
    if abs(x1 - x0) > abs(y1 - y0):
        side = 1 if x1 > x0 else -1
        head = ((x1, y1), (x1 - side * h, y1 - 0.45 * h), (x1 - side * h, y1 + 0.45 * h))
        end = (x1 - side * h, y1)
    else:
        head = ((x1, y1), (x1 - 0.45 * h, y1 - h), (x1 + 0.45 * h, y1 - h))
        end = (x1, y1 - h)
    return [Line((*points[:-1], end), colour, 0.8), Shape(head, colour)]
