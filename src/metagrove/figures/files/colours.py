"""Colours of many pixels at once: the commonest, the middle one, and the channel that differs most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array

__all__ = ["commonest_colour", "largest", "middle_colour", "tallied"]


def largest(channels: NDArray[Any]) -> NDArray[Any]:
    """The largest of the three channels of each pixel; shape (rows, columns) from (rows, columns, 3)."""
    return np.asarray(np.maximum(np.maximum(channels[..., 0], channels[..., 1]), channels[..., 2]))


def middle_colour(pixels: NDArray[np.uint8]) -> Array:
    """The median of each channel of pixels, shape (..., 3)."""
    out = np.empty(3)
    for channel in range(3):
        below = np.cumsum(np.bincount(pixels[..., channel].ravel(), minlength=256))
        lower, upper = np.searchsorted(below, [(below[-1] - 1) // 2 + 1, below[-1] // 2 + 1])
        out[channel] = (lower + upper) / 2
    return out


def tallied(codes: NDArray[np.int_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The whole numbers that occur, in order, and how often; none is negative."""
    counts = np.bincount(codes)
    names = np.flatnonzero(counts)
    return names, counts[names]


def commonest_colour(pixels: NDArray[np.uint8]) -> Array:
    """The middle of the commonest colours of pixels, shape (pixels, 3), in steps of eight."""
    codes = (pixels // 8).astype(np.int32) @ np.array([4096, 64, 1])
    names, counts = tallied(codes)
    return middle_colour(pixels[codes == names[counts.argmax()]])
