"""A vector page painted as a picture."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from metagrove.figures.files.image import Pixels
from metagrove.figures.page import Page

__all__ = ["painted"]

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
