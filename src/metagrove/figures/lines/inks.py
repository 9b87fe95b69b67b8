"""The inks of a plot: the colours that its lines are drawn in, commonest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.page import RGB

__all__ = ["Ink", "inks_of"]

_BIN = 16


@dataclass(frozen=True, slots=True)
class Ink:
    """A colour and how many pixels it explains; `neutral` for black and greys."""

    colour: RGB
    pixels: int
    neutral: bool


def inks_of(
    rgb: NDArray[np.uint8], paper: NDArray[np.float32], ignore: NDArray[np.bool_], *, least: float, noise: float
) -> list[Ink]:
    """The inks that explain at least `least` pixels of the plot.

    Parameters
    ----------
    rgb : the plot, shape (rows, columns, 3).
    paper : its flat colours, shape (k, 3).
    ignore : pixels of axis lines, letters and legends.
    noise : how far colours stray from their mean (large for strong JPEG compression).

    The commonest of the pixels farthest from the paper names an ink; it and its mixtures with the paper, and mixtures
    of two inks, are taken out before the next.
    """
    pixels = rgb[~ignore].astype(np.float32)
    far = np.min([((pixels - p) ** 2).sum(axis=1) for p in paper], axis=0)
    pixels = pixels[far > (28 + noise) ** 2]
    main = paper[0]
    found: list[Ink] = []
    colours: list[NDArray[np.float32]] = []
    tolerance = 26 + 1.5 * noise
    for _ in range(14):
        if len(pixels) < least:
            break
        colour = _mode(pixels, main)
        taken = np.zeros(len(pixels), dtype=bool)
        for flat in paper:
            taken |= _off_segment(pixels, flat, colour, 1.3) < tolerance
        count = int(taken.sum())
        mixed = any(
            float(_off_segment(colour[None], a, b)[0]) < 30 for i, a in enumerate(colours) for b in colours[i + 1 :]
        )
        pixels = pixels[~taken]
        if count < least or mixed:
            continue
        r, g, b = (int(v) for v in np.clip(np.round(colour), 0, 255))
        found.append(Ink((r, g, b), count, max(r, g, b) - min(r, g, b) < 32))
        colours.append(colour)
        for other in colours[:-1]:
            pixels = pixels[_off_segment(pixels, other, colour) > 0.6 * tolerance]
    return found


def _mode(pixels: NDArray[np.float32], main: NDArray[np.float32]) -> NDArray[np.float32]:
    """The commonest colour, each pixel counted by its squared distance from the paper."""
    codes = (pixels // _BIN).astype(np.int32) @ np.array([1024, 32, 1])
    weight = ((pixels - main) ** 2).sum(axis=1)
    names, where = np.unique(codes, return_inverse=True)
    total = np.bincount(where, weights=weight)
    seed = pixels[codes == names[int(np.argmax(total))]].mean(axis=0)
    for _ in range(3):
        near = ((pixels - seed) ** 2).sum(axis=1) < 24.0**2
        if not near.any():
            break
        seed = np.median(pixels[near], axis=0)
    return np.asarray(seed, dtype=np.float32)


def _off_segment(
    pixels: NDArray[np.float32], a: NDArray[np.float32], b: NDArray[np.float32], beyond: float = 1.0
) -> NDArray[np.float32]:
    """Distance of each colour from the mixtures of `a` and `b`, and from what lies a little past `b`."""
    line = b - a
    share = np.clip(((pixels - a) @ line) / max(float(line @ line), 1.0), 0, beyond)
    return np.asarray(np.sqrt(((pixels - a - share[:, None] * line) ** 2).sum(axis=1)), dtype=np.float32)
