"""Thin ink: lines inside filled boxes, and the upright strokes of censor marks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.files.colours import largest
from metagrove.figures.files.image import Pixels

__all__ = ["marked", "stripes"]


def stripes(rgb: Pixels, reach: int) -> NDArray[np.float32]:
    """How far each pixel is from both the colour `reach` rows above it and that as far below, 0 to 1.

    The sample lines of legends stand out so inside keys that are filled with a band's colour or a panel's grey. A censor
    mark that crosses a sample does not cut it: what lies above and below is looked up beside the mark too, and the middle
    of the three differences counts.
    """
    import cv2

    tall, wide = rgb.shape[:2]
    out = np.zeros((tall, wide), dtype=np.float32)
    if tall <= 2 * reach + 1 or wide <= 2 * reach + 1:
        return out
    middle = rgb[reach:-reach, reach:-reach]
    aside = max(2, reach // 2 + 1)
    found = np.full(middle.shape[:2], np.inf, dtype=np.float32)
    for down in (-reach, reach):
        rows = slice(reach + down, tall - reach + down)
        here = [
            largest(cv2.absdiff(middle, rgb[rows, reach + right : wide - reach + right]))
            for right in (-aside, 0, aside)
        ]
        # the middle one of three: neither the edge of a box on one side nor the mark above changes it
        far = np.maximum(np.minimum(here[0], here[1]), np.minimum(np.maximum(here[0], here[1]), here[2]))
        found = np.minimum(found, far)
    out[reach:-reach, reach:-reach] = found / np.float32(255)
    return out


def marked(inked: NDArray[np.bool_], cover: NDArray[np.bool_], tallest: float) -> NDArray[np.bool_]:
    """The ink that stands on a line as a censor mark does: in runs down a column, at most `tallest`, that cross it.

    Parameters
    ----------
    inked : where there is ink, shape (rows, columns).
    cover : where lines that were found lie, same shape.
    """
    tall, wide = inked.shape
    flat = np.zeros((wide, tall + 2), dtype=np.int8)
    flat[:, 1:-1] = (inked | cover).T
    change = np.diff(flat.ravel())
    begins, ends = np.flatnonzero(change == 1) + 1, np.flatnonzero(change == -1) + 1
    if not len(begins):
        return np.zeros_like(inked)
    held = np.zeros((wide, tall + 2), dtype=np.int64)
    held[:, 1:-1] = cover.T
    total = np.concatenate([[0], np.cumsum(held.ravel())])
    kept = (total[ends] > total[begins]) & (ends - begins <= tallest)
    steps = np.zeros(flat.size + 1, dtype=np.int64)
    np.add.at(steps, begins[kept], 1)
    np.add.at(steps, ends[kept], -1)
    inside = np.cumsum(steps)[:-1].reshape(wide, tall + 2)[:, 1:-1].T > 0
    return np.asarray(inside & inked)
