"""Rows of numbers at risk that a short line in their arm's colour names instead of words, as survminer draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metagrove.figures.files.image import Pixels
from metagrove.figures.page import RGB, Stroke, Word
from metagrove.figures.table.rows import RiskRow

__all__ = ["Patch", "coloured_patches", "drawn_patches", "keyed"]

# how far left of the first count a key may stand, and how far keys may be out of line, in letter heights
_REACH, _ASTRAY = 9.0, 0.7
_COLOURED = 40


@dataclass(frozen=True, slots=True)
class Patch:
    """A small evenly coloured area: its box (left, top, right, bottom) and its colour."""

    box: tuple[float, float, float, float]
    colour: RGB


def keyed(rows: Sequence[RiskRow], patches: Sequence[Patch]) -> list[RiskRow]:
    """The rows in the colours of the patches before them, where each row has one patch and all are in line.

    Rows printed in colour themselves keep it.
    """
    if not rows or any(r.colour is not None and _saturation(r.colour) > _COLOURED for r in rows):
        return list(rows)
    size = _size(rows)
    edge = min(r.cells[0].box[0] for r in rows)
    near = [p for p in patches if edge - _REACH * size < p.box[0] and p.box[2] <= edge + 0.2 * size]
    own: list[Patch] = []
    for row in rows:
        level = [p for p in near if p.box[1] - 0.15 * size <= row.height <= p.box[3] + 0.15 * size]
        if len(level) != 1:
            return list(rows)
        own.append(level[0])
    lefts, rights = [p.box[0] for p in own], [p.box[2] for p in own]
    if max(np.ptp(lefts), np.ptp(rights)) > _ASTRAY * size:
        return list(rows)
    return [replace(r, colour=p.colour) for r, p in zip(rows, own, strict=True)]


def _size(rows: Sequence[RiskRow]) -> float:
    return float(np.median([c.box[3] - c.box[1] for r in rows for c in r.cells]))


def _saturation(colour: RGB) -> int:
    return max(colour) - min(colour)


def coloured_patches(rows: Sequence[RiskRow], rgb: Pixels) -> list[Patch]:
    """The evenly coloured, level bars left of the first counts of the rows, in a picture of shape (rows, columns, 3)."""
    import cv2

    if not rows:
        return []
    size = _size(rows)
    edge = min(r.cells[0].box[0] for r in rows)
    left, right = max(int(edge - _REACH * size), 0), max(int(edge), 0)
    top = max(int(min(r.height for r in rows) - size), 0)
    bottom = min(int(max(r.height for r in rows) + size) + 1, rgb.shape[0])
    part = rgb[top:bottom, left:right]
    if not part.size:
        return []
    spread = part.max(axis=2).astype(np.int16) - part.min(axis=2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((spread > _COLOURED).astype(np.uint8), connectivity=8)
    out = []
    for k in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[k])
        # letters are as high as they are wide, and full of holes
        if w < 1.5 * h or w < 0.5 * size or area < 0.75 * w * h:
            continue
        pixels = part[labels == k]
        vivid = pixels[spread[labels == k] >= np.quantile(spread[labels == k], 0.5)]
        r, g, b = (int(v) for v in np.median(vivid, axis=0))
        out.append(Patch((float(left + x), float(top + y), float(left + x + w), float(top + y + h)), (r, g, b)))
    return out


def drawn_patches(rows: Sequence[RiskRow], words: Sequence[Word], strokes: Sequence[Stroke]) -> list[Patch]:
    """The coloured level bars of a drawing near the rows: hyphens, strokes and filled boxes."""
    if not rows:
        return []
    size = _size(rows)
    top, bottom = min(r.height for r in rows) - size, max(r.height for r in rows) + size
    out = [
        Patch((w.x0, w.cy - 0.2 * size, w.x1, w.cy + 0.2 * size), w.colour)
        for w in words
        if w.colour is not None and not any(c.isalnum() for c in w.text) and top < w.cy < bottom
    ]
    for stroke in strokes:
        colour = stroke.colour if stroke.colour is not None else stroke.fill
        left, high, right, low = stroke.box
        if colour is not None and top < high and low < bottom and right - left > max(0.5 * size, 1.5 * (low - high)):
            out.append(Patch((left, high, right, low), colour))
    return [p for p in out if _saturation(p.colour) > _COLOURED]
