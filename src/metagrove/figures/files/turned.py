"""Drawings that lie on their side or their head on their page, as wide figures are printed: the page turned until its words stand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.files.image import Pixels
from metagrove.figures.page import Page, Word

__all__ = ["lying", "turned_page", "turned_picture"]

# numbers that must lie on their side: those of an axis
_LYING = 3


def lying(page: Page) -> int:
    """The angle, 90, 180 or 270 degrees, of most of the numbers on a page that do not stand upright; 0 where few do not."""
    angles = Counter(w.angle for w in page.words if w.angle in (90, 180, 270) and any(c.isdigit() for c in w.text))
    angle, count = max(angles.items(), key=lambda pair: pair[1], default=(0, 0))
    return angle if count >= _LYING else 0


def turned_page(page: Page, angle: int) -> Page:
    """The page turned so that words at `angle`, as `lying` gives it, stand upright; its corner is the top left again."""
    strokes = tuple(replace(s, points=_turned(s.points, page, angle), hidden=()) for s in page.strokes)
    words = tuple(_word(w, page, angle) for w in page.words)
    wide, tall = (page.width, page.height) if angle == 180 else (page.height, page.width)
    return replace(page, width=wide, height=tall, words=words, strokes=strokes)


def turned_picture(rgb: Pixels, angle: int) -> Pixels:
    """A picture of the page, turned as `turned_page` turns it."""
    return np.ascontiguousarray(np.rot90(rgb, -angle // 90))


def _turned(points: Array, page: Page, angle: int) -> Array:
    x, y = points[:, 0], points[:, 1]
    if angle == 180:
        return np.column_stack([page.width - x, page.height - y])
    return np.column_stack([page.height - y, x] if angle == 90 else [y, page.width - x])


def _word(word: Word, page: Page, angle: int) -> Word:
    corners = _turned(np.array([[word.x0, word.y0], [word.x1, word.y1]]), page, angle)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return replace(
        word, x0=float(low[0]), y0=float(low[1]), x1=float(high[0]), y1=float(high[1]), angle=(word.angle - angle) % 360
    )
