"""Ink in a plot that is no curve whatever its colour: tick marks, frames of boxes and tables, upright landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["rulings"]

# pixels: how thick ruled lines are at most
_THICK = 4
# shares of a box's sides that its frame shows, of the plot's height that a landmark's dashes take, of a tick's length
_SIDES, _UPRIGHT, _TICK = 0.75, 0.3, 0.02
_SMALLEST = 12


def rulings(loose: NDArray[np.bool_], *, margin: int) -> NDArray[np.bool_]:
    """The pieces of ink apart from all curves that are ruled, shape (rows, columns).

    Short marks at the edges (rows from `margin` on), pieces that lie on three sides of their own box, and pieces that
    stand upright above each other for much of the height. A Kaplan-Meier curve turns at corners and is none of these.
    """
    import cv2

    tall, wide = loose.shape
    _, found, stats, _ = cv2.connectedComponentsWithStats(loose.astype(np.uint8), connectivity=8)
    labels = np.asarray(found, dtype=np.int32)
    x, y, w, h = (np.asarray(stats[:, k], dtype=int) for k in range(4))
    reach = max(9.0, _TICK * max(tall, wide))
    level = (w >= h) & (w < reach) & (h <= _THICK) & ((x < reach) | (x + w > wide - 2 * reach))
    upright = (h >= w) & (h < reach) & (w <= _THICK) & (y < reach + margin)
    ruled = level | upright
    thin = (w <= _THICK + 1) & (h > w)
    for column in np.unique(x[thin]):
        near = thin & (np.abs(x - column) <= 1)
        inked = np.zeros(tall, dtype=bool)
        for k in np.flatnonzero(near):
            inked[y[k] : y[k] + h[k]] = True
        if inked.sum() > _UPRIGHT * tall:
            ruled |= near
    for k in np.flatnonzero((w > _SMALLEST) & (h > _SMALLEST) & ~ruled):
        if k and _framed(labels[y[k] : y[k] + h[k], x[k] : x[k] + w[k]] == k):
            ruled[k] = True
    ruled[0] = False
    return np.asarray(ruled[labels])


def _framed(piece: NDArray[np.bool_]) -> bool:
    """Whether a piece draws at least three sides of its box, the corners of which may be round."""
    edge = min(_THICK, piece.shape[0] // 3, piece.shape[1] // 3)
    sides = (
        piece[:edge].any(axis=0),
        piece[-edge:].any(axis=0),
        piece[:, :edge].any(axis=1),
        piece[:, -edge:].any(axis=1),
    )
    return sum(float(side.mean()) > _SIDES for side in sides) >= 3
