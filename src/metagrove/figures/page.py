"""What a page shows, before anything is understood: words with their places, and strokes with their colours.

Coordinates run from the top left, y downwards: points in PDF and SVG, continuous pixels in images (pixel i covers
[i, i + 1)).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from metagrove.core.values import Array

__all__ = ["RGB", "Inset", "Page", "Stroke", "Word", "boxed", "colour_distance", "hex_colour", "number", "rgb_colour"]

RGB: TypeAlias = tuple[int, int, int]

_NUMBER = re.compile(r"^[+\-−–]?(\d{1,3}(,\d{3})+|\d+)?([.·,]\d+)?%?$")


@dataclass(frozen=True, slots=True)
class Word:
    """Text in a box; `angle` is 0 (upright), 90 (reads upwards) or 270; `score` is the reader's confidence in [0, 1].

    `second` is what an independent second reading of the same box gave, or None where there was none.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    angle: int = 0
    score: float = 1.0
    colour: RGB | None = None
    second: str | None = None

    @property
    def cx(self) -> float:
        """The middle of the box, across."""
        return (self.x0 + self.x1) / 2

    @property
    def cy(self) -> float:
        """The middle of the box, down."""
        return (self.y0 + self.y1) / 2

    @property
    def size(self) -> float:
        """The height of the letters."""
        return self.x1 - self.x0 if self.angle else self.y1 - self.y0


def boxed(text: str, box: Array, angle: int = 0, colour: RGB | None = None) -> Word:
    """The word in `box`, an array of left, top, right, bottom."""
    left, top, right, bottom = (float(v) for v in box)
    return Word(text, left, top, right, bottom, angle, 1.0, colour)


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """One drawn line: `points` of shape (m, 2); `path` is shared by the pieces that were drawn in one go.

    `colour` is None where nothing is stroked, `fill` is None where nothing is filled; `dash` is empty for solid lines.
    """

    points: Array
    colour: RGB | None
    width: float
    dash: tuple[float, ...] = ()
    fill: RGB | None = None
    closed: bool = False
    path: int = 0

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True)
class Inset:
    """A bitmap set upright into a drawing: the bytes of its file, and its box (left, top, right, bottom) on the page."""

    content: bytes
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on one page; `number` counts from 1, `pictured` says that a bitmap covers a good part of it.

    `fineness` is the pixels per unit of the finest bitmap that covers a good part of the page, 0 where none does;
    `insets` are bitmaps that the drawing holds itself, `outside` names pictures that it only points to.
    """

    width: float
    height: float
    words: tuple[Word, ...]
    strokes: tuple[Stroke, ...]
    number: int = 1
    pictured: bool = False
    fineness: float = 0.0
    insets: tuple[Inset, ...] = ()
    outside: tuple[str, ...] = ()


def number(text: str) -> float | None:
    """The number a label prints, None where it prints none; `%` is dropped, `·` and `−` are understood.

    >>> number("1,400"), number("0·25"), number("0,5"), number("100%"), number("N")
    (1400.0, 0.25, 0.5, 100.0, None)
    """
    plain = text.strip().replace(" ", "").replace("\u00a0", "")
    if not plain or not any(c.isdigit() for c in plain) or not _NUMBER.match(plain):
        return None
    plain = plain.rstrip("%").replace("−", "-").replace("–", "-").replace("·", ".")
    if re.match(r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$", plain):
        plain = plain.replace(",", "")
    plain = plain.replace(",", ".")
    return float(plain) if plain.count(".") <= 1 else None


def hex_colour(colour: RGB) -> str:
    """The colour as `#rrggbb`.

    >>> hex_colour((0, 122, 255))
    '#007aff'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def rgb_colour(text: str) -> RGB | None:
    """The colour behind `#rgb`, `#rrggbb`, `rgb(…)` or a basic name; None where it is none of these.

    >>> rgb_colour("#08f"), rgb_colour("rgb(10%, 0, 255)"), rgb_colour("none")
    ((0, 136, 255), (26, 0, 255), None)
    """
    value = text.strip().lower()
    if re.fullmatch(r"#[0-9a-f]{3}", value):
        value = "#" + "".join(c * 2 for c in value[1:])
    if re.fullmatch(r"#[0-9a-f]{6}", value):
        return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)
    inside = re.fullmatch(r"rgba?\(([^)]*)\)", value)
    if inside:
        parts = [p for p in re.split(r"[,\s/]+", inside[1].strip()) if p][:3]
        try:
            levels = [float(p[:-1]) * 2.55 if p.endswith("%") else float(p) for p in parts]
        except ValueError:
            return None
        if len(levels) == 3:
            r, g, b = (round(min(max(v, 0.0), 255.0)) for v in levels)
            return r, g, b
    return _NAMED.get(value)


_NAMED: dict[str, RGB] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "green": (0, 128, 0),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "orange": (255, 165, 0),
    "purple": (128, 0, 128),
    "darkgreen": (0, 100, 0),
    "darkblue": (0, 0, 139),
    "darkred": (139, 0, 0),
    "navy": (0, 0, 128),
    "brown": (165, 42, 42),
    "steelblue": (70, 130, 180),
    "firebrick": (178, 34, 34),
    "lightgray": (211, 211, 211),
    "lightgrey": (211, 211, 211),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
}


def colour_distance(a: RGB, b: RGB) -> float:
    """The Euclidean distance of two colours, levels 0 to 255."""
    return float(np.sqrt(sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True))))
