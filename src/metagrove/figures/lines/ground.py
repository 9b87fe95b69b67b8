"""What a plot shows behind its curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.lines.evidence import ArmLook, Canvas, above_tints, coverage

__all__ = ["ground"]

# how far marks reach at most, in pens and in shares of the plot's height; coverage that is an arm's ink
_TALL, _TALLEST, _LEAST = 2.2, 0.02, 4.0
_INKED, _NEAR = 0.2, 3


def ground(field: Canvas, looks: Sequence[ArmLook], covers: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The plot without its curves and their marks, what lies beside them carried on under them."""
    import cv2

    hidden, beside = np.zeros(field.blank.shape, bool), np.zeros(field.blank.shape, bool)
    amount = np.zeros(field.blank.shape, np.float32)
    for cover, look in zip(covers, looks, strict=True):
        tall = max(_LEAST, _TALL * look.width + 2, _TALLEST * len(cover))
        hidden |= cv2.dilate((cover > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        beside |= cv2.dilate((cover == 2).astype(np.uint8), np.ones((2 * int(tall + 2) + 1, 5), np.uint8)) > 0
        own = above_tints(coverage(field, look), 2 * int(np.ceil(2 * tall + look.width)) + 1)
        amount = np.maximum(amount, own)
    hidden |= beside & cv2.dilate((amount > _INKED).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(cv2.inpaint(field.rgb.astype(np.uint8), hidden.astype(np.uint8), _NEAR, cv2.INPAINT_TELEA))
