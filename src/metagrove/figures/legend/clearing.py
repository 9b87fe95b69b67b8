"""What is taken off a plot before its curves are traced: writing, legends, axis lines and guides of the median."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.legend.keys import Sample
from metagrove.figures.page import Word
from metagrove.figures.runs import runs_of
from metagrove.figures.writing.words import phrases

__all__ = [
    "axis_mask",
    "enclosed",
    "grown_together",
    "key_lines",
    "letters",
    "unframed",
    "unguided",
    "written",
]

# dashes of an upright guide from one half to the foot
_DASHES = 6
# dashes of a level guide that must be known before others are told by them, and pixels that they may differ by
_KNOWN, _EVEN = 3, 2
# rows between the frame of a legend and what is compared with it
_BESIDE = 5
# columns beyond the ends of a key that are compared with it; what counts as a line's ink, and how much longer and higher
# than a key a curve is
_ENDS, _LINE_INK, _MUCH_LONGER = 4, 0.3, 3.0
# a pale line at time 0: how dark it is, in how many columns, along how much of the plot, and the column that shows the paper beside
_PALE_LINE, _AT_ZERO, _ALONG, _ASIDE = 0.05, 3, 0.85, 6
_SECOND_P = re.compile(r"[?pP<>=≤ ]*[01o]?[.,]\d{2,}")
_P_VALUE = re.compile(r"(?i)^p ?(-?value)? ?[-<=>≤]? ?[01o]?[.,] ?\d{2,}$")


def letters(words: list[Word]) -> list[tuple[float, float, float, float]]:
    """Boxes of what surely is writing: words of three letters or digits and what stands in line with them."""
    return [(p.x0, p.y0, p.x1, p.y1) for p in phrases(words, gap=1.1) if written(p)]


def written(phrase: Word, *, least: float = 0.7) -> bool:
    """Whether a phrase is writing and not a piece of a curve with its marks, which reads as `XXXK` or `111`."""
    if phrase.score >= least and _P_VALUE.match(phrase.text):
        return True
    if phrase.text[:1] in "pP" and phrase.score >= least and _SECOND_P.fullmatch(phrase.second or ""):
        return True
    solid = [c for c in phrase.text if c.isalnum()]
    if len(solid) < 3 or phrase.score < least or len(solid) < 0.5 * len(phrase.text.replace(" ", "")):
        return False
    sure = phrase.score > 0.95 and len(solid) > 3
    vowels = any(c in "aeiou" or (sure and c in "AEIOU") for c in solid)
    figures = len({c for c in solid if c.isdigit()}) > (1 if phrase.score > 0.9 else 2)
    return len(set(solid)) > 1 and (vowels or figures)


def enclosed(ink: NDArray[np.float32], boxes: Sequence[tuple[float, float, float, float]]) -> NDArray[np.bool_]:
    """The pieces of ink that lie wholly inside one of the boxes: letters go, a line that passes through stays."""
    import cv2

    out = np.zeros(ink.shape, dtype=np.uint8)
    for box in boxes:
        left, top, right, bottom = (round(v) for v in box)
        rows = slice(max(top - 3, 0), bottom + 3)
        columns = slice(max(left - 3, 0), right + 3)
        piece = (ink[rows, columns] > 0.15).astype(np.uint8)
        if not piece.any():
            continue
        tall, wide = piece.shape
        count, labels, stats, _ = cv2.connectedComponentsWithStats(piece, connectivity=8)
        x, y, w, h = stats[:, 0], stats[:, 1], stats[:, 2], stats[:, 3]
        inside = (x > 0) & (y > 0) & (x + w < wide) & (y + h < tall)
        inside[0] = False
        if count > 1:
            out[rows, columns] |= inside[labels].astype(np.uint8)
    return np.asarray(cv2.dilate(out, np.ones((5, 5), np.uint8)) > 0)


def key_lines(ink: NDArray[np.float32], samples: Sequence[Sample]) -> NDArray[np.bool_]:
    """The lines of legend entries, where grid lines or frames that touch them keep them from standing alone."""
    out = np.zeros(ink.shape, dtype=bool)
    for s in samples:
        left, right = round(s.box[0]) + 1, round(s.box[0] + 1 + s.length)
        rows = _key_rows(ink, s)
        if left < _ENDS or right + _ENDS > ink.shape[1] or rows.stop <= rows.start or s.start < right:
            continue
        line = ink[rows, left:right].max(axis=0)
        beyond = ink[rows, [left - _ENDS, right + _ENDS - 1]].max()
        if float(np.median(line)) > 2 * float(beyond) + 0.1:
            out[rows, left - 1 : right + 1] = True
    return out


def _key_rows(ink: NDArray[np.float32], sample: Sample) -> slice:
    """The rows that the line of a legend entry takes, soft edges included."""
    left, right = round(sample.box[0]) + 1, round(sample.box[0] + 1 + sample.length)
    size = sample.box[3] - sample.box[1]
    middle, half = (sample.box[1] + sample.box[3]) / 2, 0.45 * size
    rows = np.arange(max(round(middle - half), 0), min(round(middle + half) + 1, len(ink)))
    row = int(rows[int(ink[rows, left:right].sum(axis=1).argmax())]) if len(rows) else 0
    reach = int(np.ceil(sample.width / 2 + 1))
    return slice(max(row - reach, 0), min(row + reach + 1, len(ink)))


def grown_together(ink: NDArray[np.float32], sample: Sample) -> bool:
    """Whether the line of a legend entry is a piece of something much longer or higher: a curve, not a key."""
    import cv2

    rows = _key_rows(ink, sample)
    left, right = round(sample.box[0]) + 1, round(sample.box[0] + 1 + sample.length)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((ink > _LINE_INK).astype(np.uint8), connectivity=8)
    own = np.bincount(np.asarray(labels)[rows, left:right].ravel(), minlength=len(stats))
    own[0] = 0
    if not own.any():
        return False
    wide, high = (int(v) for v in stats[int(own.argmax()), 2:4])
    size = sample.box[3] - sample.box[1]
    return wide > _MUCH_LONGER * sample.length and high > _MUCH_LONGER * size


def unframed(erased: NDArray[np.bool_], ink: NDArray[np.float32], samples: Sequence[Sample]) -> None:
    """Also erase the box drawn round a legend: straight lines just outside its entries."""
    if not samples:
        return
    boxes = np.array([s.box for s in samples])
    size = float(np.median(boxes[:, 3] - boxes[:, 1]))
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    reach = round(1.8 * size)
    left, top = max(int(low[0]) - reach, 0), max(int(low[1]) - reach, 0)
    right, bottom = int(high[0]) + reach, int(high[1]) + reach
    block = ink[top:bottom, left:right]
    inner = slice(reach, max(block.shape[1] - reach, reach + 1)), slice(reach, max(block.shape[0] - reach, reach + 1))
    level, upright = _thin(block), _thin(block.T).T
    for r in [*range(reach), *range(max(block.shape[0] - reach, 0), block.shape[0])]:
        if level[r, inner[0]].mean() > 0.9:
            erased[max(top + r - 1, 0) : top + r + 2, left:right] |= level[r]
    for c in [*range(reach), *range(max(block.shape[1] - reach, 0), block.shape[1])]:
        if upright[inner[1], c].mean() > 0.9:
            erased[top:bottom, max(left + c - 1, 0) : left + c + 2] |= upright[:, c : c + 1]


def _thin(ink: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where ink is darker than five rows above and below: level lines are, bands and panels are not."""
    around = np.pad(ink, ((_BESIDE, _BESIDE), (0, 0)))
    beside = np.maximum(around[: -2 * _BESIDE], around[2 * _BESIDE :])
    return np.asarray((ink > 0.12) & (ink - beside > 0.08))


def axis_mask(dark: NDArray[np.float32], foot: int) -> NDArray[np.bool_]:
    """Columns at the sides and rows at the foot and head that are dark for most of their length, and a pale line at time 0."""
    mask = np.zeros(dark.shape, dtype=bool)
    tall, wide = dark.shape
    inked = dark > 0.15
    for c in [*range(min(7, wide)), *range(max(wide - 9, 0), wide)]:
        mask[:, c] |= _ruled(inked[:, max(c - 1, 0) : c + 2], c - max(c - 1, 0))
    if wide > _ASIDE:
        # a grid line where the axis would stand
        pale = (dark[:, : _ASIDE + 1] > _PALE_LINE).mean(axis=0)
        mask[:, :_AT_ZERO] |= (pale[:_AT_ZERO] > _ALONG) & (pale[_ASIDE] < _ALONG / 2)
    for r in [*range(min(9, tall)), *range(max(foot - 4, 0), tall)]:
        mask[r] |= _ruled(inked[max(r - 1, 0) : r + 2].T, r - max(r - 1, 0))
    return mask


def _ruled(strip: NDArray[np.bool_], own: int) -> bool:
    """Whether a column belongs to a straight line; one that is not quite level changes columns on its way."""
    share = float(strip[:, own].mean())
    beside = max(float((strip[:, own] | strip[:, k]).mean()) for k in range(strip.shape[1]) if k != own)
    return share > 0.7 or (share > 0.12 and beside > 0.85)


def _in_step(alone: NDArray[np.bool_], end: int) -> list[tuple[int, int]]:
    """The dashes of a level guide beyond a place where curves cross it: as long as those before and in step with them."""
    runs = runs_of(alone)
    first, after = [r for r in runs if r[1] <= end + 1][1:-1], [r for r in runs if r[0] > end]
    if len(first) < _KNOWN:
        return []
    starts, lengths = np.array([a for a, _ in first]), np.array([b - a for a, b in first])
    apart, long = np.diff(starts), float(np.median(lengths))
    period = float(np.mean(apart))
    if np.ptp(lengths) > _EVEN or np.ptp(apart) > _EVEN or period < long + 2:
        return []
    out = []
    last = float(starts[-1])
    for a, b in after:
        off = (a - last + period / 2) % period - period / 2
        if abs(off) <= _EVEN and abs(b - a - long) <= _EVEN:
            out.append((a, b))
            # small errors of the period add up
            last = float(a)
    return out if len(out) > 1 else []


def unguided(blank: NDArray[np.bool_], dark: NDArray[np.float32], half: float, foot: float) -> None:
    """Also let the guide lines of the median say nothing: level at one half from the axis on, upright down to it.

    A curve is near 1 where it begins, so ink at one half beside the axis is no curve. Guides are thin: bands stay.
    """
    row, wide = round(half - 0.5), dark.shape[1]
    if not 8 < row < len(dark) - 10 or round(foot) - row < 20:
        return
    level = dark[row - 2 : row + 3].max(axis=0) - np.maximum(dark[row - 7 : row - 4].min(axis=0), dark[row + 5])
    alone = level > 0.15
    first = np.flatnonzero(alone[: max(12, wide // 12)])
    if len(first) < max(4, wide // 50):
        return
    places = np.flatnonzero(alone)
    gaps = np.flatnonzero(np.diff(places) > max(14, wide // 35))
    end = int(places[gaps[0]] if len(gaps) else places[-1])
    blank[row - 2 : row + 3, : max(end - 4, 0)] = True
    for a, b in _in_step(alone, end):
        blank[row - 2 : row + 3, max(a - 1, 0) : b + 1] = True
        end = max(end, b)
    below = dark[row + 4 : round(foot) - 1]
    thin = np.zeros(below.shape, dtype=bool)
    thin[:, 5:-5] = below[:, 5:-5] - np.maximum(below[:, :-10], below[:, 10:]) > 0.15
    share = thin.mean(axis=0)
    dashes = (np.diff(thin.astype(np.int8), axis=0) == 1).sum(axis=0)
    # the level line may be lost among the curves before the last median; an upright one in dashes is no curve
    guide = (share > 0.4) & (np.arange(len(share)) < end + 6) | (share > 0.3) & (dashes >= _DASHES)
    for c in np.flatnonzero(guide & (np.arange(len(share)) > 6)):
        blank[row + 4 :, max(int(c) - 1, 0) : int(c) + 2] = True
