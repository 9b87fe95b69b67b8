"""Words cut out of a picture for the reader of digits: one height for all, upright, with what stands close by."""

from __future__ import annotations

from math import ceil
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDE", "TALL", "Edges", "moved", "strip"]

#: Left, top, right and bottom of a word, in pixels or parts of them.
Edges: TypeAlias = tuple[float, float, float, float]

#: Rows of a strip; the word itself is `LETTER` rows high, and `SIDE` columns stand on each side of it.
TALL, LETTER, SIDE = 24, 16, 6
_WIDEST = 40


def moved(box: Edges, by: Edges) -> Edges:
    """The box with each of its edges moved."""
    return box[0] + by[0], box[1] + by[1], box[2] + by[2], box[3] + by[3]


def strip(ink: NDArray[np.float32], box: Edges, angle: int = 0) -> NDArray[np.uint8]:
    """The word in a box as ink of 0 to 255, shape (24, 12 + its width in sixteenths of its height).

    Parameters
    ----------
    ink : the picture's ink, 0 to 1, shape (rows, columns).
    box : left, top, right, bottom in pixels.
    angle : 90 for a word that reads upwards.
    """
    import cv2

    left, top, right, bottom = box
    tall, wide = (right - left, bottom - top) if angle else (bottom - top, right - left)
    scale = LETTER / max(tall, 1)
    columns = min(max(round(wide * scale), 4), _WIDEST * LETTER) + 2 * SIDE
    above = (TALL - LETTER) / 2
    # where the strip's pixels (u, v) lie on the picture, both counted from their middles
    step = 1 / scale
    u0, v0 = -SIDE * step + 0.5 * step - 0.5, -above * step + 0.5 * step - 0.5
    if angle:
        back = np.array([[0, step, left + v0], [-step, 0, bottom - 1 - u0]])
    else:
        back = np.array([[step, 0, left + u0], [0, step, top + v0]])
    kind = cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_LINEAR
    source = ink if scale > 0.6 else cv2.blur(ink, (2, 2))
    out = cv2.warpAffine(source, back, (columns, TALL), flags=kind | cv2.WARP_INVERSE_MAP)
    held = ink[max(int(top), 0) : max(ceil(bottom), 0), max(int(left), 0) : max(ceil(right), 0)]
    strongest = float(held.max()) if held.size else 0.0
    return np.asarray(np.clip(255 * out / max(strongest, 0.2), 0, 255), dtype=np.uint8)
