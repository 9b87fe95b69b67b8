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

__all__ = ["RGB", "Page", "Plate", "Stroke", "Word", "boxed", "colour_distance", "hex_colour", "number", "rgb_colour"]

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
    `hidden` are stretches (left, right) between two dashes in which a drop stands that the file does not place.
    """

    points: Array
    colour: RGB | None
    width: float
    dash: tuple[float, ...] = ()
    fill: RGB | None = None
    closed: bool = False
    path: int = 0
    hidden: tuple[tuple[float, float], ...] = ()

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True)
class Plate:
    """A bitmap set upright into a drawing: the bytes of its file, and its box (left, top, right, bottom) on the page."""

    content: bytes
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on one page; `number` counts from 1, `pictured` says that a bitmap covers a good part of it.

    `fineness` is the pixels per unit of the finest bitmap that covers a good part of the page, 0 where none does;
    `plates` are bitmaps that the drawing holds itself, `outside` names pictures that it only points to.
    """

    width: float
    height: float
    words: tuple[Word, ...]
    strokes: tuple[Stroke, ...]
    number: int = 1
    pictured: bool = False
    fineness: float = 0.0
    plates: tuple[Plate, ...] = ()
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
    """The colour behind `#rgb`, `#rrggbb`, `rgb(…)` or a name of CSS; None where it is none of these.

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


# the colours that CSS names
_NAMED: dict[str, RGB] = {
    name: (int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16))
    for name, _, code in (
        pair.partition(":")
        for pair in (
            "aliceblue:f0f8ff antiquewhite:faebd7 aqua:00ffff aquamarine:7fffd4 azure:f0ffff beige:f5f5dc "
            "bisque:ffe4c4 black:000000 blanchedalmond:ffebcd blue:0000ff blueviolet:8a2be2 brown:a52a2a "
            "burlywood:deb887 cadetblue:5f9ea0 chartreuse:7fff00 chocolate:d2691e coral:ff7f50 "
            "cornflowerblue:6495ed cornsilk:fff8dc crimson:dc143c cyan:00ffff darkblue:00008b darkcyan:008b8b "
            "darkgoldenrod:b8860b darkgray:a9a9a9 darkgreen:006400 darkgrey:a9a9a9 darkkhaki:bdb76b "
            "darkmagenta:8b008b darkolivegreen:556b2f darkorange:ff8c00 darkorchid:9932cc darkred:8b0000 "
            "darksalmon:e9967a darkseagreen:8fbc8f darkslateblue:483d8b darkslategray:2f4f4f "
            "darkslategrey:2f4f4f darkturquoise:00ced1 darkviolet:9400d3 deeppink:ff1493 deepskyblue:00bfff "
            "dimgray:696969 dimgrey:696969 dodgerblue:1e90ff firebrick:b22222 floralwhite:fffaf0 "
            "forestgreen:228b22 fuchsia:ff00ff gainsboro:dcdcdc ghostwhite:f8f8ff gold:ffd700 goldenrod:daa520 "
            "gray:808080 green:008000 greenyellow:adff2f grey:808080 honeydew:f0fff0 hotpink:ff69b4 "
            "indianred:cd5c5c indigo:4b0082 ivory:fffff0 khaki:f0e68c lavender:e6e6fa lavenderblush:fff0f5 "
            "lawngreen:7cfc00 lemonchiffon:fffacd lightblue:add8e6 lightcoral:f08080 lightcyan:e0ffff "
            "lightgoldenrodyellow:fafad2 lightgray:d3d3d3 lightgreen:90ee90 lightgrey:d3d3d3 lightpink:ffb6c1 "
            "lightsalmon:ffa07a lightseagreen:20b2aa lightskyblue:87cefa lightslategray:778899 "
            "lightslategrey:778899 lightsteelblue:b0c4de lightyellow:ffffe0 lime:00ff00 limegreen:32cd32 "
            "linen:faf0e6 magenta:ff00ff maroon:800000 mediumaquamarine:66cdaa mediumblue:0000cd "
            "mediumorchid:ba55d3 mediumpurple:9370db mediumseagreen:3cb371 mediumslateblue:7b68ee "
            "mediumspringgreen:00fa9a mediumturquoise:48d1cc mediumvioletred:c71585 midnightblue:191970 "
            "mintcream:f5fffa mistyrose:ffe4e1 moccasin:ffe4b5 navajowhite:ffdead navy:000080 oldlace:fdf5e6 "
            "olive:808000 olivedrab:6b8e23 orange:ffa500 orangered:ff4500 orchid:da70d6 palegoldenrod:eee8aa "
            "palegreen:98fb98 paleturquoise:afeeee palevioletred:db7093 papayawhip:ffefd5 peachpuff:ffdab9 "
            "peru:cd853f pink:ffc0cb plum:dda0dd powderblue:b0e0e6 purple:800080 rebeccapurple:663399 red:ff0000 "
            "rosybrown:bc8f8f royalblue:4169e1 saddlebrown:8b4513 salmon:fa8072 sandybrown:f4a460 "
            "seagreen:2e8b57 seashell:fff5ee sienna:a0522d silver:c0c0c0 skyblue:87ceeb slateblue:6a5acd "
            "slategray:708090 slategrey:708090 snow:fffafa springgreen:00ff7f steelblue:4682b4 tan:d2b48c "
            "teal:008080 thistle:d8bfd8 tomato:ff6347 turquoise:40e0d0 violet:ee82ee wheat:f5deb3 white:ffffff "
            "whitesmoke:f5f5f5 yellow:ffff00 yellowgreen:9acd32 "
        ).split()
    )
}


def colour_distance(a: RGB, b: RGB) -> float:
    """The Euclidean distance of two colours, levels 0 to 255."""
    return float(np.sqrt(sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True))))
