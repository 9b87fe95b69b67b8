"""The drawing as a list of marks in points: text, lines, shapes and discs, with text measured before it is placed.

Every plot is composed as marks on a page whose size follows from them; the same page then becomes SVG, PDF or pixels.
The origin is the top left corner, y points down, one unit is a point (1/72 inch).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

__all__ = [
    "Disc",
    "Line",
    "Mark",
    "Page",
    "Shape",
    "Text",
    "fold",
    "moved",
    "paragraph",
    "text_box",
    "text_width",
    "tidy",
]

Point: TypeAlias = tuple[float, float]

#: Height of capitals, reach above and below the baseline, and line pitch, in ems of DejaVu Sans.
CAPITAL, ASCENT, DESCENT, LEADING = 0.73, 0.78, 0.24, 1.22


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text with its baseline at (x, y); `anchor` is start, middle or end, `turn` degrees counterclockwise.

    `over` says that the text is meant to lie on a shape or a line (a number in a cell, a watermark).
    """

    x: float
    y: float
    text: str
    size: float
    colour: str = "#1a1a1a"
    bold: bool = False
    anchor: str = "start"
    turn: float = 0.0
    over: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A polyline through `points`; `dash` lists lengths of dashes and gaps."""

    points: tuple[Point, ...]
    colour: str = "#1a1a1a"
    width: float = 0.6
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """A filled polygon; `hatch` draws rising diagonals, `opacity` holds for the fill."""

    points: tuple[Point, ...]
    fill: str = "none"
    edge: str = "none"
    width: float = 0.6
    hatch: str = ""
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Disc:
    """A circle of radius `r` around (x, y)."""

    x: float
    y: float
    r: float
    fill: str = "none"
    edge: str = "none"
    width: float = 0.6
    opacity: float = 1.0


Mark: TypeAlias = Text | Line | Shape | Disc


@dataclass(frozen=True, slots=True)
class Page:
    """A finished drawing: its size in points and its marks, later ones on top."""

    width: float
    height: float
    marks: tuple[Mark, ...]
    title: str = ""


@lru_cache(maxsize=8)
def _pen(family: str, bold: bool) -> object:
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=family, weight="bold" if bold else "normal", size=100)


@lru_cache(maxsize=50_000)
def _width_in_ems(text: str, bold: bool, family: str) -> float:
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(text, _pen(family, bold), ismath=False)  # type: ignore[arg-type]
    return float(width) / 100


@lru_cache(maxsize=4)
def _glyphs(family: str) -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(family)).get_charmap())


@lru_cache(maxsize=50_000)
def tidy(text: str, family: str = "DejaVu Sans") -> str:
    r"""`text` on one line: line breaks and tabs become spaces, and letters that the font lacks a hollow square.

    >>> tidy("Ha\n2010")
    'Ha 2010'
    """
    known = _glyphs(family)
    return "".join(c if ord(c) in known else "□" for c in " ".join(str(text).split(None)))


def text_width(text: str, size: float, *, bold: bool = False, family: str = "DejaVu Sans") -> float:
    """The width of one line in points at `size` points, unhinted, so that it is the same on every machine."""
    return _width_in_ems(text, bold, family) * size if text else 0.0


def _pieces(word: str, size: float, width: float, *, bold: bool) -> list[str]:
    """`word` cut where it would pass `width`."""
    parts, rest = [], word
    while text_width(rest, size, bold=bold) > width and len(rest) > 1:
        take = len(rest) - 1
        while take > 1 and text_width(rest[:take], size, bold=bold) > width:
            take -= 1
        parts.append(rest[:take])
        rest = rest[take:]
    return [*parts, rest]


def fold(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """`text` in lines no wider than `width` points, broken at spaces, and inside words longer than a line.

    A no-break space holds words together; it is drawn as a space.

    >>> fold("Overall survival", 8, 50)
    ['Overall', 'survival']
    """
    lines: list[str] = []
    for word in _words(text):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size, bold=bold) <= width:
            lines[-1] = joined
        else:
            lines.extend(_pieces(word, size, width, bold=bold))
    return lines or [""]


def _words(text: str) -> list[str]:
    return [
        tidy(word.replace("\u00a0", " ")) for word in str(text).replace("\n", " ").replace("\t", " ").split(" ") if word
    ]


def text_box(mark: Text, *, family: str = "DejaVu Sans") -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a line of text that lies flat or stands upright (turned by 90 degrees)."""
    wide = text_width(mark.text, mark.size, bold=mark.bold, family=family)
    before = {"start": 0.0, "middle": wide / 2, "end": wide}[mark.anchor]
    up, down = ASCENT * mark.size, DESCENT * mark.size
    if mark.turn == 90:
        return mark.x - up, mark.y - (wide - before), mark.x + down, mark.y + before
    return mark.x - before, mark.y - up, mark.x - before + wide, mark.y + down


def moved(marks: Iterable[Mark], dx: float, dy: float, scale: float = 1.0) -> tuple[Mark, ...]:
    """The marks shifted by (dx, dy), after scaling about the origin; lines and letters scale too."""
    return tuple(_moved(mark, dx, dy, scale) for mark in marks)


def _moved(mark: Mark, dx: float, dy: float, s: float) -> Mark:
    if isinstance(mark, Text):
        return replace(mark, x=mark.x * s + dx, y=mark.y * s + dy, size=mark.size * s)
    if isinstance(mark, Disc):
        return replace(mark, x=mark.x * s + dx, y=mark.y * s + dy, r=mark.r * s, width=mark.width * s)
    points = tuple((x * s + dx, y * s + dy) for x, y in mark.points)
    if isinstance(mark, Line):
        return replace(mark, points=points, width=mark.width * s, dash=tuple(d * s for d in mark.dash))
    return replace(mark, points=points, width=mark.width * s)


def paragraph(lines: Sequence[str], like: Text) -> list[Text]:
    """Lines of text one below the other; the first has the baseline, colour and anchor of `like`."""
    return [replace(like, text=line, y=like.y + i * LEADING * like.size) for i, line in enumerate(lines)]
