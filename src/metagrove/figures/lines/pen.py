"""The pen that a line was drawn with, and how soft the picture is, by its level pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array

__all__ = ["Ink", "Pen", "pen_of", "soft_edge"]

#: Places a pixel at which the soft edge of a blurred area is tabulated.
_FINE = 32
_BLURS = (0.05, 0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.35)
_FEWEST = 12


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """The share of each pixel covered by a line, shape (rows, columns), and where that is known."""

    cover: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pen:
    """A pen's width and the blur of the picture, a standard deviation, in pixels."""

    width: float
    blur: float


@cache
def soft_edge(blur: float) -> Array:
    """The share of a pixel beyond an edge, by the distance of its middle from the edge in steps of 1 / `_FINE`."""
    reach = 0.5 + 3.5 * blur
    count = 2 * int(np.ceil(reach * _FINE)) + 1
    place = (np.arange(count) - count // 2) / _FINE

    def below(z: float) -> float:
        t = z / blur
        return blur * (t * 0.5 * (1 + math.erf(t / math.sqrt(2))) + math.exp(-t * t / 2) / math.sqrt(2 * math.pi))

    out = np.array([below(p + 0.5) - below(p - 0.5) for p in place])
    out.flags.writeable = False
    return out


def pen_of(ink: Ink, begin: Array, height: Array, end: float, width: tuple[float, float]) -> tuple[Pen, int] | None:
    """The pen that draws the level pieces of a staircase as the picture shows them, and in how many columns.

    None where they are too few. `width` holds two guesses at its width.
    """
    rows, wide = ink.cover.shape
    calm: list[tuple[int, float]] = []
    ends = np.append(begin[1:], end)
    clear = max(width) / 2 + 3
    reach = int(clear + 2)
    for start, stop, level in zip(begin.tolist(), ends.tolist(), height.tolist(), strict=True):
        for c in range(int(np.ceil(start + clear)), int(stop - clear)):
            a, b = int(level) - reach, int(level) + reach + 1
            if a >= 0 and b <= rows and c < wide and ink.known[a:b, c].all():
                calm.append((c, level))
    if len(calm) < _FEWEST:
        return None
    profiles = np.array([ink.cover[int(v) - reach : int(v) + reach + 1, c] for c, v in calm])
    total = profiles.sum(axis=1)
    near = np.abs(total - (width[0] + width[1]) / 2) < abs(width[1] - width[0]) / 2 + 0.4
    if near.sum() < _FEWEST:
        return None
    usual = float(np.median(total[near]))
    alike = np.abs(total - usual) < 0.4
    if not alike.any():
        return None
    usual = float(np.median(total[alike]))
    plain = np.abs(total - usual) < 0.3
    if plain.sum() < _FEWEST:
        return None
    blur = _blur_of(profiles[plain], np.array([int(v) - reach for _, v in calm])[plain], usual)
    return Pen(usual, blur), int(plain.sum())


def _blur_of(profiles: Array, first: Array, width: float) -> float:
    """The blur with which level pieces of a line look most like `profiles`, which begin at rows `first`."""
    rows = first[:, None] + np.arange(profiles.shape[1]) + 0.5
    middle = ((profiles * rows).sum(axis=1) / profiles.sum(axis=1))[:, None]
    best = (np.inf, 0.0)
    for blur in _BLURS:
        table = soft_edge(blur)
        place = (np.arange(len(table)) - len(table) // 2) / _FINE
        top = np.interp(rows - (middle - width / 2), place, table, left=0.0, right=1.0)
        low = np.interp(rows - (middle + width / 2), place, table, left=0.0, right=1.0)
        best = min(best, (float(np.median(((profiles - top + low) ** 2).sum(axis=1))), blur))
    return best[1]
