"""The frame of a chart with two axes: room for its labels first, then the plot; keys in rows that never cover it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from metagrove.plots.axes import Axis, Texts, fitting_ticks, tick_texts
from metagrove.plots.marks import CAPITAL, LEADING, Disc, Line, Mark, Shape, Text, fold, paragraph, text_width
from metagrove.plots.style import Style

__all__ = ["Frame", "KeyEntry", "Side", "foot_lines", "framed", "key_rows", "title_lines"]


@dataclass(frozen=True, slots=True)
class Side:
    """One axis as asked for: its ends, its title, whether it is logarithmic, how ticks are written and where."""

    low: float
    high: float
    title: str = ""
    logarithmic: bool = False
    texts: Texts | None = None
    ticks: tuple[float, ...] = ()

    def labels(self, ticks: Sequence[float]) -> list[str]:
        """The labels of ticks."""
        return self.texts(ticks) if self.texts else tick_texts(ticks, logarithmic=self.logarithmic)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame in place: both axes in points, their ticks, the marks drawn so far, and where they end below."""

    x: Axis
    y: Axis
    x_ticks: tuple[float, ...]
    marks: tuple[Mark, ...]
    bottom: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """The place of (x, y) in points."""
        return self.x.at(x), self.y.at(y)

    def path(self, xs: Sequence[float], ys: Sequence[float]) -> tuple[tuple[float, float], ...]:
        """The places of a polyline."""
        return tuple(self.point(a, b) for a, b in zip(xs, ys, strict=True))


def _y_ticks(side: Side, axis: Axis, size: float) -> list[float]:
    """Round ticks up the axis, at most nine, at least two line heights apart."""
    if side.ticks:
        return list(side.ticks)
    tall = max(2, min(9, int(abs(axis.length) / (2.4 * size))))
    upright = Axis(axis.low, axis.high, 0.0, abs(axis.length), axis.logarithmic)
    return fitting_ticks(upright, size, texts=lambda ticks: ["0"] * len(ticks), most=tall, gap=1.2)


def framed(style: Style, x: Side, y: Side, *, box: tuple[float, float, float, float], gutter: float = 0.0) -> Frame:
    """A frame whose outer box starts at (left, top) with the given width and height of the plot area below `top`.

    Parameters
    ----------
    box : left, top, outer width, and height of the plot itself.
    gutter : room asked for at the left of the y axis by something below the plot (a table's labels).
    """
    s, colour = style.size, style.palette.ink
    left, top, width, height = box
    rough = _y_ticks(y, Axis(y.low, y.high, 0, height, y.logarithmic), s)
    labels = max((text_width(t, s) for t in y.labels(rough)), default=0.0)
    titled = fold(y.title, s, height) if y.title else []
    room = max(labels + 0.9 * s + (len(titled) * LEADING + 0.5) * s * bool(titled), gutter)
    end = 0.6 * max(text_width(t, s) for t in (*x.labels((x.low, x.high)), "00.0")) + 0.3 * s
    across = Axis(x.low, x.high, left + room, max(width - room - end, 4 * s), x.logarithmic)
    upward = Axis(y.low, y.high, top + height, -height, y.logarithmic)
    ticks = tuple(x.ticks) or tuple(fitting_ticks(across, s, texts=x.labels, most=10))
    marks = [*_x_axis(across, ticks, x, style, top + height), *_y_axis(upward, rough, y, style, across.start)]
    if titled:
        x0 = across.start - labels - 1.4 * s - (len(titled) - 1) * LEADING * s
        for i, line in enumerate(titled):
            place = x0 + i * LEADING * s
            marks.append(Text(place, top + height / 2, line, s, colour, anchor="middle", turn=90))
    bottom = top + height + 1.75 * s
    if x.title:
        middle = across.start + across.length / 2
        lines = fold(x.title, s, 2 * min(middle - left, left + width - middle))
        marks += paragraph(lines, Text(middle, bottom + 1.05 * s, "", s, colour, anchor="middle"))
        bottom += (len(lines) * LEADING + 0.3) * s
    return Frame(across, upward, ticks, tuple(marks), bottom)


def _x_axis(axis: Axis, ticks: Sequence[float], side: Side, style: Style, y: float) -> list[Mark]:
    s, colour = style.size, style.palette.ink
    marks: list[Mark] = [Line(((axis.start, y), (axis.start + axis.length, y)), colour, 0.6)]
    for tick, words in zip(ticks, side.labels(ticks), strict=True):
        x = axis.at(tick)
        marks.append(Line(((x, y), (x, y + 0.35 * s)), colour, 0.6))
        marks.append(Text(x, y + 1.4 * s, words, s, colour, anchor="middle"))
    return marks


def _y_axis(axis: Axis, ticks: Sequence[float], side: Side, style: Style, x: float) -> list[Mark]:
    s, colour = style.size, style.palette.ink
    marks: list[Mark] = [Line(((x, axis.start), (x, axis.start + axis.length)), colour, 0.6)]
    for tick, words in zip(ticks, side.labels(ticks), strict=True):
        y = axis.at(tick)
        marks.append(Line(((x - 0.35 * s, y), (x, y)), colour, 0.6))
        marks.append(Text(x - 0.6 * s, y + CAPITAL / 2 * s, words, s, colour, anchor="end"))
    return marks


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One entry of a key: its words and its sample: a line, a band (a ground without edge), a box, a dot or a ring."""

    label: str
    colour: str
    kind: str = "line"
    width: float = 1.0
    dash: tuple[float, ...] = field(default=())
    opacity: float = 1.0


def key_rows(
    entries: Sequence[KeyEntry], style: Style, left: float, right: float, top: float
) -> tuple[list[Mark], float]:
    """The key laid out in rows between `left` and `right` from `top` on, and where it ends; long words are folded."""
    s, sample = style.size, 2.0 * style.size
    marks: list[Mark] = []
    x, y, deepest = left, top, 1
    for entry in entries:
        lines = fold(entry.label, s, max(right - left - sample - 0.6 * s, 4 * s))
        wide = sample + 0.5 * s + max(text_width(line, s) for line in lines)
        if x > left and x + wide > right:
            x, y, deepest = left, y + (deepest * LEADING + 0.25) * s, 1
        marks += _sample(entry, x, y + 0.65 * s, sample, s)
        marks += paragraph(lines, Text(x + sample + 0.5 * s, y + 1.0 * s, "", s, style.palette.ink))
        x, deepest = x + wide + 1.6 * s, max(deepest, len(lines))
    return marks, y + (deepest * LEADING + 0.25) * s if entries else top


def _sample(entry: KeyEntry, x: float, y: float, wide: float, s: float) -> list[Mark]:
    if entry.kind == "ring":
        return [Disc(x + wide / 2, y, 0.32 * s, "#ffffff", entry.colour, 0.9)]
    if entry.kind == "dot":
        return [Disc(x + wide / 2, y, 0.32 * s, entry.colour, opacity=entry.opacity)]
    if entry.kind in ("band", "box"):
        h, inset = (0.42 * s, 0.0) if entry.kind == "band" else (0.42 * s, 0.25 * wide)
        corners = ((x + inset, y - h), (x + wide - inset, y - h), (x + wide - inset, y + h), (x + inset, y + h))
        edge = "#b9c0c7" if entry.kind == "box" else "none"
        return [Shape(corners, entry.colour, edge, 0.4, opacity=entry.opacity)]
    return [Line(((x, y), (x + wide, y)), entry.colour, entry.width, entry.dash)]


def title_lines(text: str, style: Style, left: float, right: float, top: float) -> tuple[list[Mark], float]:
    """A bold title folded between `left` and `right`, and where it ends; nothing where there is none."""
    if not text:
        return [], top
    size = 1.15 * style.size
    lines = fold(text, size, right - left, bold=True)
    marks: list[Mark] = list(paragraph(lines, Text(left, top + size, "", size, style.palette.ink, True)))
    return marks, top + len(lines) * LEADING * size + 0.5 * style.size


def foot_lines(texts: Sequence[str], style: Style, left: float, right: float, top: float) -> tuple[list[Mark], float]:
    """Small lines of text folded between `left` and `right`, and where they end."""
    s, marks = 0.88 * style.size, list[Mark]()
    for text in texts:
        lines = fold(text, s, right - left)
        marks += paragraph(lines, Text(left, top + 1.1 * s, "", s, style.palette.muted))
        top += len(lines) * LEADING * s + 0.3 * s
    return marks, top
