"""Inks that are one line's: strong JPEG compression gives its thin and its thick pieces two shades of one hue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.image import Pixels
from metagrove.figures.lines.inks import Ink

__all__ = ["along", "whole_inks"]

# the cosine of two shades of one hue at least, how far a pixel is from its ink at most
_HUE, _OWN = 0.97, 45.0
# pieces of the rarer shade: how many there are at least, the share that the other shade continues, how long they are in
# plot widths at most
_PIECES, _CONTINUED, _LONG = 4, 0.8, 0.25
_SMALLEST = 4


def whole_inks(rgb: Pixels, inks: Sequence[Ink], paper: Array, blank: NDArray[np.bool_]) -> list[Ink]:
    """The inks without rarer shades of others: one that comes in short pieces nearly all of which another continues.

    A curve in a shade of its own is one long piece, or dashes that stand apart from the other curve.
    """
    out: list[Ink] = []
    for ink in sorted(inks, key=lambda i: -i.pixels):
        other = next((o for o in out if _shade(rgb, ink, o, paper, blank)), None)
        if other is None:
            out.append(ink)
    return [i for i in inks if i in out]


def along(a: Sequence[int], b: Sequence[int], paper: Array) -> float:
    """The cosine between two colours as seen from the paper."""
    p, q = np.array(a) - paper, np.array(b) - paper
    return float(p @ q / max(float(np.linalg.norm(p) * np.linalg.norm(q)), 1e-9))


def _shade(rgb: Pixels, ink: Ink, other: Ink, paper: Array, blank: NDArray[np.bool_]) -> bool:
    import cv2

    if ink.neutral or other.neutral or along(ink.colour, other.colour, paper) < _HUE:
        return False
    pixels = rgb.astype(np.float32)
    off = [((pixels - np.array(i.colour, dtype=np.float32)) ** 2).sum(axis=2) for i in (ink, other)]
    own = (off[0] < _OWN**2) & (off[0] < off[1]) & ~blank
    rest = (off[1] < _OWN**2) & (off[1] < off[0]) & ~blank
    count, labels, stats, _ = cv2.connectedComponentsWithStats(own.astype(np.uint8), connectivity=8)
    near = cv2.dilate(rest.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    pieces = [k for k in range(1, count) if stats[k, 4] >= _SMALLEST]
    met = np.bincount(np.asarray(labels)[near], minlength=count)
    short = all(stats[k, 2] <= _LONG * rgb.shape[1] for k in pieces)
    return len(pieces) >= _PIECES and short and float(np.mean([met[k] > 0 for k in pieces])) > _CONTINUED
