"""The drawing as a list of marks in points: text, lines, shapes and discs, with text measured before it is placed.

Every plot is composed as marks on a page whose size follows from them; the same page then becomes SVG, PDF or pixels.
The origin is the top left corner, y points down, one unit is a point (1/72 inch).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from metagrove.core.errors import MethodError

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
    "text_width",
    "tidy",
    "typeface",
]

Point: TypeAlias = tuple[float, float]

#: Height of capitals and pitch of lines, in ems of DejaVu Sans.
CAPITAL, LEADING = 0.73, 1.22


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


#: The font that text is measured in while a page is composed.
_FACE: ContextVar[str] = ContextVar("_FACE", default="DejaVu Sans")


@contextmanager
def typeface(family: str) -> Iterator[None]:
    """A stretch of work in which text is measured in `family`; raises MethodError where the machine lacks the font."""
    from matplotlib.font_manager import findfont

    try:
        findfont(family, fallback_to_default=False)
    except ValueError:
        raise MethodError(f"no font '{family}' on this machine; 'DejaVu Sans' is always there") from None
    token = _FACE.set(family)
    try:
        yield
    finally:
        _FACE.reset(token)


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


def missing_letters(text: str, family: str = "DejaVu Sans") -> frozenset[str]:
    """The letters of `text` that the font lacks.

    >>> sorted(missing_letters("Müller 王"))
    ['王']
    """
    known = _glyphs(family)
    return frozenset(letter for letter in text if ord(letter) not in known)


@lru_cache(maxsize=50_000)
def tidy(text: str) -> str:
    r"""`text` on one line: line breaks, tabs and control characters become spaces.

    >>> tidy("Ha\n2010")
    'Ha 2010'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split(None))


def text_width(text: str, size: float, *, bold: bool = False, family: str = "") -> float:
    """The width of one line in points at `size` points, unhinted, so that it is the same on every machine.

    The font is `family`, or the one of `typeface`. Letters that it lacks count as one em, the width of Chinese,
    Japanese and Korean letters in any font.
    """
    if not text:
        return 0.0
    family = family or _FACE.get()
    missing = missing_letters(text, family)
    if not missing:
        return _width_in_ems(text, bold, family) * size
    known = "".join(letter for letter in text if letter not in missing)
    own = _width_in_ems(known, bold, family) if known else 0.0
    return (own + len(text) - len(known)) * size


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
