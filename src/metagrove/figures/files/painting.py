"""A vector page painted as a picture, and a reading painted over its figure for a person to check."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from metagrove.figures.files.image import Pixels
from metagrove.figures.page import Page
from metagrove.figures.reading import FigureReading

__all__ = ["overlay_png", "painted"]

_INKS = ((214, 39, 40), (31, 119, 180), (44, 160, 44), (148, 103, 189), (255, 127, 14), (23, 190, 207))
_SHIFT = 4


def painted(page: Page, scale: float) -> Pixels:
    """The page's strokes and fills at `scale` pixels a point, on white; letters that are text stay out."""
    import cv2

    wide, tall = max(8, round(page.width * scale)), max(8, round(page.height * scale))
    out = np.full((tall, wide, 3), 255, dtype=np.uint8)
    for _, group in groupby(page.strokes, key=lambda s: s.path):
        pieces = list(group)
        corners = [np.round(s.points * scale * (1 << _SHIFT)).astype(np.int32) for s in pieces]
        first = pieces[0]
        if first.fill is not None:
            cv2.fillPoly(out, corners, first.fill, cv2.LINE_AA, _SHIFT)
        if first.colour is not None:
            thick = max(1, round(first.width * scale))
            cv2.polylines(out, corners, False, first.colour, thick, cv2.LINE_AA, _SHIFT)
    return out


def overlay_png(rgb: Pixels, reading: FigureReading, *, scale: float = 1.0) -> bytes:
    """A PNG of the figure, paled, with the read curves, censor marks, axis labels and numbers at risk drawn on it.

    `scale` is pixels of `rgb` per unit of the reading's coordinates.
    """
    import cv2

    grow = 2 if max(rgb.shape[:2]) < 1600 else 1
    base = cv2.resize(rgb, None, fx=grow, fy=grow, interpolation=cv2.INTER_CUBIC)
    out = (255 - (255 - base.astype(np.float32)) * 0.35).astype(np.uint8)
    k = scale * grow
    for place, arm in enumerate(reading.arms):
        ink = _INKS[place % len(_INKS)]
        level = 1 - arm.survival if reading.direction == "incidence" else arm.survival
        x, y = reading.x.pixel(np.maximum(arm.time, 1e-9)) * k, reading.y.pixel(level * reading.scale) * k
        corners = np.column_stack([np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]])
        cv2.polylines(out, [np.round(corners * 16).astype(np.int32)], False, ink, 1, cv2.LINE_AA, 4)
        shown = 1 - arm.at(arm.marks) if reading.direction == "incidence" else arm.at(arm.marks)
        for t, s in zip(arm.marks, shown, strict=True):
            at = round(float(reading.x.pixel(t)) * k), round(float(reading.y.pixel(s * reading.scale)) * k)
            cv2.circle(out, at, 2 + 2 * grow, ink, 1, cv2.LINE_AA)
        cv2.putText(out, _plain(arm.name), (8, 18 * (place + 1)), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA)
    left, bottom = float(min(reading.x.pixels)) * k, float(max(reading.y.pixels)) * k
    for pixel in reading.x.pixels:
        cv2.drawMarker(out, (round(pixel * k), round(bottom)), (0, 0, 0), cv2.MARKER_TILTED_CROSS, 5 * grow)
    for pixel in reading.y.pixels:
        cv2.drawMarker(out, (round(left), round(pixel * k)), (0, 0, 0), cv2.MARKER_TILTED_CROSS, 5 * grow)
    for cell in reading.cells:
        a, b, c, d = (round(v * k) for v in cell.box)
        ink = (0, 130, 0) if cell.sure else (220, 0, 0)
        cv2.rectangle(out, (a - 2, b - 2), (c + 2, d + 2), ink, 1)
    done, png = cv2.imencode(".png", out[:, :, ::-1])
    return bytes(png.tobytes()) if done else b""


def _plain(name: str) -> str:
    return name.encode("ascii", "replace").decode()
