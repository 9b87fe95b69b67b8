"""Legends in pictures whose keys are not lines before the names: lines after the names, filled patches, steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.image import Pixels
from metagrove.figures.legend.keys import Sample, ink_colour, paper_of
from metagrove.figures.legend.samples import in_turn, legend_samples, named_entries, turns
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import Word
from metagrove.figures.runs import runs_of
from metagrove.figures.writing.naming import named_like

__all__ = ["keys_after", "patch_keys", "step_keys"]

# letter heights: how far names of one column begin off it, to the next line, how much of a key may be hidden
_OFF, _LINE, _SHORTER = 0.35, 2.4, 0.2
# letter heights: how high a patch is at least and most, how wide at most, how far before its name and off its middle
_LOW, _HIGH, _WIDE, _BEFORE, _ASIDE = 0.45, 1.9, 5.0, 1.8, 0.45
# a circle fills .785 of its box; how far its colour is from paper at least, how alike patches of one legend are
_FILLED, _SEEN, _ALIKE = 0.68, 30.0, 0.2
_SMALLEST, _THIN = 5, 3
# letter heights between a patch and the name behind it at least
_APART = 0.2
# a step: how wide it is for its height, the share of its width at which it falls, its thickest line in pixels, and how much
# of it and of what is drawn is the same
_LEVEL, _FALLS, _THICKEST, _SAME = 1.6, (0.3, 0.7), 5, 0.75
# of its strongest ink: what is paler is no part of a step
_FRINGE = 0.5


def keys_after(
    rgb: Pixels, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str] = ()
) -> list[Sample]:
    """The entries of a legend that has its lines right of the names, as gnuplot and lattice draw it; empty where there is none.

    Found as the usual kind in the mirrored picture; all lines of such a legend must be as long as each other.
    """
    wide = rgb.shape[1]
    level = [w for w in names if not w.angle]
    words = [replace(w, x0=wide - x1, x1=wide - w.x0) for w, x1 in zip(level, _ends(level), strict=True)]
    found = legend_samples(np.ascontiguousarray(rgb[:, ::-1]), np.ascontiguousarray(ink[:, ::-1]), words, labels)
    longest = max((s.length for s in found), default=0.0)
    known = len(found) == 1 and named_like(found[0].name, labels) is not None
    if (len(found) < 2 and not known) or any(longest - s.length > max(_SHORTER * longest, 4.0) for s in found):
        return []
    out = []
    for s in found:
        more = 0.7 * (s.box[3] - s.box[1])
        box = (wide - s.box[2], s.box[1], wide - s.box[0] + more, s.box[3])
        out.append(replace(s, box=box, start=wide - s.start))
    return sorted(out, key=lambda s: (round(s.box[1] / 8), s.box[0]))


def _ends(names: Sequence[Word]) -> list[float]:
    """Where each name ends, those of one column where the longest of them does."""
    out = []
    for word in names:
        column = [w for w in names if abs(w.x0 - word.x0) <= max(_OFF * word.size, 3.0)]
        reach, grown = {id(word)}, True
        while grown:
            more = {id(w) for w in column for o in column if id(o) in reach and abs(w.cy - o.cy) < _LINE * word.size}
            grown, reach = len(more | reach) > len(reach), more | reach
        out.append(max(w.x1 for w in column if id(w) in reach))
    return out


def patch_keys(
    rgb: Pixels, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str] = ()
) -> list[Sample]:
    """The entries of a legend with squares, bars or circles of colour before its names; empty where there are no two."""
    paper = paper_of(rgb, ink)
    worded = [_behind_patch(w, rgb, paper) for w in names if sum(c.isalnum() for c in w.text) > 1]
    best = _entries([w for w in worded if any(c.isalpha() for c in w.text)], rgb, paper, labels, _patch)
    if len(best) > 1:
        return best
    numbers = _entries(turns(names), rgb, paper, labels, _patch)
    return numbers if in_turn(numbers) else []


def step_keys(rgb: Pixels, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str] = ()) -> list[Sample]:
    """The entries of a legend whose keys are a step of a curve, as SPSS draws it; empty where there are no two."""
    paper = paper_of(rgb, ink)
    found = _entries([w for w in names if sum(c.isalnum() for c in w.text) > 1], rgb, paper, labels, _step)
    return found if len(found) > 1 else []


def _entries(
    names: Sequence[Word],
    rgb: Pixels,
    paper: Array,
    labels: Sequence[str],
    find: Callable[[Pixels, Word, Array], Sample | None],
) -> list[Sample]:
    """The most entries in one column or row whose keys are as wide as each other."""
    found = [s for w in names if (s := find(rgb, w, paper)) is not None]
    best: list[Sample] = []
    for anchor in found:
        even = [s for s in found if abs(s.length - anchor.length) <= max(_ALIKE * anchor.length, 2.0)]
        entries = named_entries(even, labels)
        best = entries if len(entries) > len(best) else best
    return best


def _behind_patch(word: Word, rgb: Pixels, paper: Array) -> Word:
    """The word from behind a patch on that was taken into its box: its first piece, wide and filled, then a gap."""
    top, foot, left, right = int(word.y0), int(word.y1) + 1, int(word.x0), int(word.x1) + 1
    block = rgb[max(top, 0) : foot, max(left, 0) : right].astype(np.float32)
    if word.angle or not block.size:
        return word
    seen = np.linalg.norm(block - paper, axis=2) > _SEEN
    runs = runs_of(seen.any(axis=0))
    if len(runs) < 2 or runs[0][0] > 2:
        return word
    begin, end = runs[0]
    filled = seen[:, begin:end].mean() > _FILLED and end - begin > _LOW * word.size
    gap = runs[1][0] - end
    # a letter is no wider than high
    wide = end - begin > 1.2 * word.size and gap >= _APART * word.size
    return replace(word, x0=float(max(left, 0) + runs[1][0])) if filled and wide else word


def _before(rgb: Pixels, word: Word) -> tuple[tuple[int, int], Pixels]:
    """The part of the picture in which a key before a name stands, with its left upper corner; empty for turned names."""
    size = max(word.size, 6.0)
    top, foot = max(round(word.cy - 1.4 * size), 0), round(word.cy + 1.4 * size) + 1
    left, right = max(round(word.x0 - (_WIDE + _BEFORE) * size), 0), round(word.x0)
    return (left, top), rgb[top:foot, left : left if word.angle else right]


def _patch(rgb: Pixels, word: Word, paper: Array) -> Sample | None:
    """The entry of a name with the one patch of colour before it, apart from everything else; None where there is none."""
    import cv2

    size, (left, top), block = max(word.size, 6.0), *_before(rgb, word)
    if min(block.shape[:2]) < _SMALLEST:
        return None
    seen = (np.linalg.norm(block.astype(np.float32) - paper, axis=2) > _SEEN).astype(np.uint8)
    count, marks, stats, _ = cv2.connectedComponentsWithStats(seen, connectivity=8)
    for k in sorted(range(1, count), key=lambda i: -int(stats[i, 0] + stats[i, 2])):
        x, y, w, h, area = (int(v) for v in stats[k])
        # a grid line from side to side
        if area < 4 or (h <= _THIN and x == 0 and w == len(seen[0])):
            continue
        fits = _LOW * size <= h <= _HIGH * size and max(_SMALLEST, 0.6 * h) <= w <= _WIDE * size
        apart = x > 0 and y > 0 and y + h < len(seen) and len(seen[0]) - x - w < _BEFORE * size
        level = abs(top + y + h / 2 - word.cy) <= _ASIDE * size
        if not (fits and apart and level and area > _FILLED * w * h):
            return None
        inner = block[y + 1 : y + h - 1, x + 1 : x + w - 1]
        own = inner[marks[y + 1 : y + h - 1, x + 1 : x + w - 1] == k]
        if not len(own) or np.median(np.abs(own - np.median(own, axis=0)).max(axis=1)) > _SEEN:
            return None
        box = (left + x - 1.0, min(word.y0, top + y), word.x1, max(word.y1, top + y + h))
        return Sample(
            word.text.rstrip(" -–—.:"), ink_colour(inner, paper), "solid", Dash(), box, 2.0, word.x0, float(w)
        )
    return None


def _step(rgb: Pixels, word: Word, paper: Array) -> Sample | None:
    """The entry of a name with the one step of a curve before it, apart from everything else; None where there is none."""
    import cv2

    size, (left, top), block = max(word.size, 6.0), *_before(rgb, word)
    if min(block.shape[:2]) < _SMALLEST:
        return None
    far = np.linalg.norm(block.astype(np.float32) - paper, axis=2)
    count, marks, _, _ = cv2.connectedComponentsWithStats((far > 2 * _SEEN).astype(np.uint8), connectivity=8)
    fits = []
    for k in range(1, count):
        # a faint fringe changes the shape of so thin a line
        key = (marks == k) & (far > _FRINGE * far[marks == k].max())
        x, y, w, h = cv2.boundingRect(key.astype(np.uint8))
        sized = _LOW * size <= h <= _HIGH * size and _LEVEL * h <= w <= _WIDE * size
        near = len(block[0]) - x - w < _BEFORE * size and abs(top + y + h / 2 - word.cy) <= _ASIDE * size
        own = key[y : y + h, x : x + w]
        if sized and near and _step_width(own):
            fits.append((x, y, w, h, own))
    if len(fits) != 1:
        return None
    x, y, w, h, own = fits[0]
    box = (left + x - 1.0, min(word.y0, top + y), word.x1, max(word.y1, top + y + h))
    colour = ink_colour(block[y : y + h, x : x + w][own][None], paper)
    return Sample(word.text.rstrip(" -–—.:"), colour, "solid", Dash(), box, float(_step_width(own)), word.x0, float(w))


def _step_width(own: NDArray[np.bool_]) -> int:
    """How thick the line is of a shape that is one step down, in pixels; 0 where it is another shape."""
    high, wide = own.shape
    best, width = _SAME, 0
    for thick in range(1, min(_THICKEST, high // 2) + 1):
        for fall in range(round(_FALLS[0] * wide), round(_FALLS[1] * wide) + 1):
            step = np.zeros_like(own)
            step[:thick, : fall + thick] = step[:, fall : fall + thick] = step[-thick:, fall:] = True
            same = float((own & step).sum() / (own | step).sum())
            if same > best:
                best, width = same, thick
    return width
