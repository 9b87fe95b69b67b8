"""Signs between words that are too flat to be words themselves: the two bars of `=` in `group = 0`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.page import Word

__all__ = ["with_equals"]

# letter heights: between the words beside a sign, its width, and the height of each of its bars
_NEAR, _FAR = 0.5, 2.4
_NARROW, _WIDE, _FLAT = 0.35, 1.1, 0.3
_INK = 0.3


def with_equals(words: Sequence[Word], ink: NDArray[np.float32]) -> list[Word]:
    """The words and the signs of equality between two of them on one line; `ink` is the picture's, 0 to 1."""
    upright = [w for w in words if w.angle == 0 and w.text[-1:].isalnum()]
    out = list(words)
    for left in upright:
        behind = [w for w in upright if w is not left and _follows(left, w)]
        right = min(behind, key=lambda w: w.x0, default=None)
        if right is None or any(w is not left and left.x1 <= w.x0 < right.x0 and _level(left, w) for w in words):
            continue
        sign = _equals(left, right, ink)
        if sign is not None:
            out.append(sign)
    return out


def _follows(left: Word, right: Word) -> bool:
    return _NEAR * left.size < right.x0 - left.x1 < _FAR * left.size and _level(left, right)


def _level(left: Word, right: Word) -> bool:
    return abs(right.cy - left.cy) < 0.4 * left.size


def _equals(left: Word, right: Word, ink: NDArray[np.float32]) -> Word | None:
    """The sign between two words, if two level bars of one length and nothing else stand there."""
    top, first = round(min(left.y0, right.y0)), round(left.x1) + 1
    part = ink[max(top, 0) : round(max(left.y1, right.y1)), max(first, 0) : round(right.x0) - 1] > _INK
    rows = np.flatnonzero(part.any(axis=1)) if part.size else np.zeros(0, int)
    bars = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    if len(bars) != 2:
        return None
    size = left.size
    ends = [np.flatnonzero(part[bar].any(axis=0))[[0, -1]] for bar in bars]
    wide = [int(b - a) + 1 for a, b in ends]
    flat = all(len(bar) <= max(_FLAT * size, 2) for bar in bars)
    alike = max(abs(int(ends[0][k] - ends[1][k])) for k in (0, 1)) <= max(1, 0.12 * size)
    solid = all(part[bar].any(axis=0)[a : b + 1].all() for bar, (a, b) in zip(bars, ends, strict=True))
    if not (flat and alike and solid and _NARROW * size < min(wide) <= max(wide) < _WIDE * size):
        return None
    x0, x1 = first + int(min(e[0] for e in ends)), first + int(max(e[1] for e in ends)) + 1
    y0, y1 = top + int(bars[0][0]), top + int(bars[1][-1]) + 1
    middle = (y0 + y1) / 2
    # as high as its neighbours, so that it counts as a letter of their size
    return Word("=", float(x0), middle - size / 2, float(x1), middle + size / 2, 0, 0.9, left.colour, "=")
