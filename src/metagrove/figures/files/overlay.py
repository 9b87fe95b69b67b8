"""A reading drawn over its figure, for a person to check."""

from __future__ import annotations

from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from metagrove.figures.files.image import Pixels
from metagrove.figures.reading import ArmReading, FigureReading

__all__ = ["arm_inks", "overlay_png"]

RGB: TypeAlias = tuple[int, int, int]

#: Inks for arms that have no colour of their own, or one that another arm has too.
_SPARE: tuple[RGB, ...] = (
    (214, 39, 40),
    (31, 119, 180),
    (44, 160, 44),
    (148, 103, 189),
    (230, 110, 0),
    (0, 150, 170),
    (190, 60, 140),
    (120, 100, 0),
)
#: Smallest saturation of a colour of its own; least distance of two inks that the eye keeps apart; lightness of an ink.
_COLOURED, _APART, _LIGHTNESS = 0.25, 90.0, (0.25, 0.45)
#: Contrast that is left of the figure.
_PALE = 0.35
#: Pixels of the longer side for which lines are one pixel and letters 14 pixels high.
_USUAL = 1000


def overlay_png(rgb: Pixels, reading: FigureReading, *, scale: float = 1.0) -> bytes:
    """A PNG of the figure, paled, with the read curves, censor marks, axis labels and numbers at risk drawn on it.

    Above it stand the names, each behind its ink; see `arm_inks`. Lines and letters grow with the picture.

    Parameters
    ----------
    scale : pixels of `rgb` per unit of the reading's coordinates.
    """
    import cv2

    grow = 2 if max(rgb.shape[:2]) < 1600 else 1
    base = cv2.resize(rgb, None, fx=grow, fy=grow, interpolation=cv2.INTER_CUBIC)
    paled = (255 - (255 - base.astype(np.float32)) * _PALE).astype(np.uint8)
    sheet = _Sheet(paled, scale * grow, max(1, round(max(base.shape[:2]) / _USUAL)))
    inks = arm_inks([arm.colour for arm in reading.arms])
    for arm, ink in zip(reading.arms, inks, strict=True):
        sheet.curve(reading, arm, ink)
    sheet.axes(reading)
    for cell in reading.cells:
        sheet.box(cell.box, (0, 130, 0) if cell.sure else (220, 0, 0))
    key = _key([arm.name for arm in reading.arms], inks, base.shape[1], sheet.pen)
    done, png = cv2.imencode(".png", np.vstack([key, sheet.pixels])[:, :, ::-1])
    return bytes(png.tobytes()) if done else b""


def arm_inks(colours: list[RGB]) -> list[RGB]:
    """An ink for each arm: its own colour, dark enough to be seen; another where it has none or shares it."""
    own = [_deep(colour) for colour in colours]
    inks: list[RGB | None] = []
    for place, ink in enumerate(own):
        others = [o for i, o in enumerate(own) if i != place and o is not None]
        inks.append(ink if ink is not None and all(_distance(ink, o) >= _APART for o in others) else None)
    for place, ink in enumerate(inks):
        if ink is None:
            taken = [i for i in (*inks, *own) if i is not None]
            away = [min((_distance(s, t) for t in taken), default=_APART) for s in _SPARE]
            inks[place] = _SPARE[int(np.argmax(np.minimum(away, _APART)))]
    return [ink for ink in inks if ink is not None]


def _deep(colour: RGB) -> RGB | None:
    """A colour at a lightness that shows on a paled figure; None for black, white and grey."""
    hue, light, full = rgb_to_hls(*(c / 255 for c in colour))
    if full < _COLOURED or max(colour) - min(colour) < 40:
        return None
    red, green, blue = hls_to_rgb(hue, min(max(light, _LIGHTNESS[0]), _LIGHTNESS[1]), max(full, 0.6))
    return round(255 * red), round(255 * green), round(255 * blue)


def _distance(a: RGB, b: RGB) -> float:
    return float(np.linalg.norm(np.subtract(a, b, dtype=float)))


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """A picture to draw on: `scale` of its pixels are one unit of a reading, lines are `pen` pixels wide."""

    pixels: Any
    scale: float
    pen: int

    def curve(self, reading: FigureReading, arm: ArmReading, ink: RGB) -> None:
        """The steps of an arm, and rings at its censor marks."""
        import cv2

        x, y = _places(reading, arm.time, arm.survival)
        corners = self._turned(reading, np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1])
        cv2.polylines(self.pixels, [np.round(corners * 16).astype(np.int32)], False, ink, self.pen, cv2.LINE_AA, 4)
        for mark in self._turned(reading, *_places(reading, arm.marks, arm.at(arm.marks))):
            at = round(float(mark[0])), round(float(mark[1]))
            cv2.circle(self.pixels, at, 5 * self.pen, ink, self.pen, cv2.LINE_AA)

    def axes(self, reading: FigureReading) -> None:
        """Crosses where the labels of the axes were placed."""
        import cv2

        x, y = np.asarray(reading.x.pixels), np.asarray(reading.y.pixels)
        for place in [*self._turned(reading, x, y.max()), *self._turned(reading, x.min(), y)]:
            at = round(float(place[0])), round(float(place[1]))
            cv2.drawMarker(self.pixels, at, (0, 0, 0), cv2.MARKER_TILTED_CROSS, 10 * self.pen, self.pen, cv2.LINE_AA)

    def box(self, box: tuple[float, float, float, float], ink: RGB) -> None:
        """A frame around what was read."""
        import cv2

        a, b, c, d = (round(v * self.scale) for v in box)
        gap = 2 * self.pen
        cv2.rectangle(self.pixels, (a - gap, b - gap), (c + gap, d + gap), ink, self.pen)

    def _turned(self, reading: FigureReading, x: Any, y: Any) -> Any:
        """Places along the axes in pixels of the sheet, shape (k, 2); in a scan the axes may lean by `rotation`."""
        lean = float(np.tan(np.radians(reading.rotation)))
        left, low = min(reading.x.pixels), max(reading.y.pixels)
        return np.column_stack(np.broadcast_arrays(x + (y - low) * lean, y - (x - left) * lean)) * self.scale


def _places(reading: FigureReading, time: Any, survival: Any) -> tuple[Any, Any]:
    """Where along either axis times and survival stand, in the reading's coordinates."""
    level = 1 - survival if reading.direction == "incidence" else survival
    return reading.x.pixel(np.maximum(time, 1e-9)), reading.y.pixel(level * reading.scale)


def _key(names: list[str], inks: list[RGB], width: int, pen: int) -> Any:
    """A white strip with the names of the arms, as many rows as they need; shape (rows, width, 3)."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    size, pad, stroke = 14 * pen, 8 * pen, 24 * pen
    face = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(str(face), size)
    places, x, row = [], pad, 0
    for name in names:
        wide = stroke + pad + int(font.getlength(name)) + 3 * pad
        if x > pad and x + wide > width:
            x, row = pad, row + 1
        places.append((x, row))
        x += wide
    tall = size + pad
    strip = Image.new("RGB", (width, (row + 1) * tall + pad), "white")
    pencil = ImageDraw.Draw(strip)
    for name, ink, (left, line) in zip(names, inks, places, strict=True):
        middle = pad + line * tall + size // 2
        pencil.line([(left, middle), (left + stroke, middle)], fill=ink, width=2 * pen)
        pencil.text((left + stroke + pad, middle), name, fill=ink, font=font, anchor="lm")
    return np.asarray(strip)
