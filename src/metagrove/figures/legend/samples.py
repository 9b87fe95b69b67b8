"""Legends in pictures: the short sample line left of a name, with its colour, style and dash pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.image import Pixels
from metagrove.figures.findings import Finding
from metagrove.figures.legend.marked_keys import unmarked
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import RGB, Word, colour_distance, number
from metagrove.figures.writing.naming import named_like, plain_name

__all__ = ["Sample", "legend_samples", "parted", "unlined"]

_LONGEST, _SHORTEST = 110, 9
# names of one legend are printed in one size; descenders make boxes taller
_UNEVEN = 2.1
_FAINT, _PALE = 0.14, 0.6
# a line must differ this much from the paper
_BLANK = 40.0
# what rows of censor marks are misread as
_MARKS = set("IlTtLHJiK1|!+-.,:;'\" ")
_KEY_READ = re.compile(r"^(?:\W*\w{0,2}\W* |[-+–—=|]+)([^\W\d].{2,})$")
_STATISTIC = re.compile(r"(?i)^(hr|p|log.?rank|hazard)\b|95 ?%|\bCI\b|censored")


@dataclass(frozen=True, slots=True)
class Sample:
    """One legend entry: the name, the colour and style of its line, and the box of line and name together.

    `start` is where the name begins, `length` is the line's.
    """

    name: str
    colour: RGB
    style: str
    dash: Dash
    box: tuple[float, float, float, float]
    width: float
    start: float = 0.0
    length: float = 0.0


def legend_samples(
    rgb: Pixels, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str] = ()
) -> list[Sample]:
    """The entries of the legend, top to bottom, left to right; empty where no two names stand beside sample lines.

    Parameters
    ----------
    rgb : the picture.
    ink : how far each pixel is from the paper, 0 to 1.
    names : phrases of the picture.
    labels : names of the arms as other places print them; where two of them stand beside lines, no other name counts.
    """
    found = []
    ink = _without_words(ink, names)
    paper = np.median(rgb[ink < 0.03], axis=0) if (ink < 0.03).any() else np.full(3, 255.0)
    for word in sorted(names, key=lambda w: -w.score):
        letters = sum(c.isalpha() for c in word.text)
        if (
            word.angle
            or letters < 2
            or number(word.text) is not None
            or word.score < 0.35
            or not set(word.text) - _MARKS
            or len({c for c in word.text if c.isalpha()}) < 2
            or _STATISTIC.search(word.text)
        ):
            continue
        sample = _sample(rgb, ink, word, paper)
        if sample is not None:
            found.append(sample)
    listed = [
        replace(s, name=labels[k] if plain_name(s.name) != plain_name(labels[k]) else s.name)
        for s in found
        if (k := named_like(s.name, labels)) is not None
    ]
    known = _aligned(_dots(listed)) if len({plain_name(s.name) for s in listed}) > 1 else []
    if 0 < len(known) < len(labels):
        # a name that was read too badly to be known still counts where the legend has its line
        every = _aligned(_dots([next((k for k in listed if k.box == s.box), s) for s in found]))
        return every if len(every) == len(labels) else known
    return known or _aligned(_dots(found))


def unlined(samples: Sequence[Sample], names: Sequence[Word]) -> list[Finding]:
    """Doubts about a legend in a column: a name between two entries, in line with theirs, whose own line was not seen."""
    starts = [s.start for s in samples]
    if len(samples) < 2 or max(starts) - min(starts) > 6:
        return []
    rows = [(s.box[1] + s.box[3]) / 2 for s in samples]
    size = float(np.median([s.box[3] - s.box[1] for s in samples]))
    between = [
        w
        for w in names
        if abs(w.x0 - starts[0]) <= 6
        and min(rows) < w.cy < max(rows)
        and min(abs(w.cy - r) for r in rows) > 0.7 * size
        and sum(c.isalpha() for c in w.text) > 1
    ]
    return [Finding(f"'{w.text}' stands in the legend without a line") for w in between]


def _dots(found: list[Sample]) -> list[Sample]:
    """The samples with short dashes called dots, judged by the usual width: pale dots look thin."""
    usual = float(np.median([s.width for s in found])) if found else 1.0
    return [replace(s, style="dotted") if s.style == "dashed" and s.dash.on <= 2.2 * usual else s for s in found]


def _without_words(ink: NDArray[np.float32], names: Sequence[Word]) -> NDArray[np.float32]:
    """The ink without what was read as words of two letters or more; strokes read at their ends may be sample lines."""
    out = ink.copy()
    for word in names:
        if sum(c.isalnum() for c in word.text) > 1 and word.score > 0.6 and set(word.text) - _MARKS:
            top, left = max(int(word.y0) - 1, 0), max(int(word.x0) - 1, 0)
            own = len(word.text.rstrip(" -–—_~=+|.")) / len(word.text)
            right = word.x1 if own > 0.95 else word.x0 + (word.x1 - word.x0) * own
            out[top : int(word.y1) + 2, left : int(right) + 2] = 0
    return out


def parted(names: Sequence[Word], rgb: Pixels) -> list[Word]:
    """The names, those with a key read as a letter or two before them without it: `E Placebo`, `+ Drug A`."""
    return [_without_key(word, rgb) for word in names]


def _without_key(word: Word, rgb: Pixels) -> Word:
    """The word from the widest gap in its first half on, where what stands before that may be a key."""
    found = _KEY_READ.match(word.text)
    if not found or word.angle:
        return word
    top, bottom, left, right = int(word.y0), int(word.y1) + 1, int(word.x0), int(word.x1) + 1
    block = rgb[top:bottom, left:right].astype(np.int16)
    paper = np.median(block.reshape(-1, 3), axis=0)
    blank = np.abs(block - paper).max(axis=(0, 2)) < 40
    ends = np.flatnonzero(np.diff(np.concatenate([[0], blank.astype(np.int8), [0]])))
    gaps = [(b - a, b) for a, b in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True) if 0 < a < len(blank) / 2]
    if not gaps or max(gaps)[0] <= 0.25 * word.size:
        return word
    return replace(word, text=found[1], x0=float(left + max(gaps)[1]), score=max(word.score, 0.5))


def _sample(rgb: Pixels, ink: NDArray[np.float32], word: Word, paper: Array) -> Sample | None:
    size = max(word.size, 6.0)
    middle = round(word.cy - 0.5)
    half = max(2, round(0.45 * size))
    right = round(word.x0) - 1
    left = max(right - _LONGEST - round(2 * size), 0)
    if right - left < _SHORTEST or middle - half < 0 or middle + half + 1 > ink.shape[0]:
        return None
    block = ink[middle - half : middle + half + 1, left:right]
    # a legend may stand on a band
    block = np.maximum(block - np.float32(np.median(block)), 0)
    near = block[:, -round(3 * size) :]
    # a pale line is judged by its own darkness
    block = unmarked(block * max(1.0, 0.75 / max(float(near.max(initial=0.0)), 0.2)))
    runs = _row_runs(block, nearest=2.6 * size + 4, whole=2.0 * size)
    if runs is None:
        return None
    row, pieces = runs
    begin, end = pieces[0][0], pieces[-1][1]
    if not _SHORTEST <= end - begin <= _LONGEST:
        return None
    thick = _thickness(block, row, pieces)
    if thick > max(7.0, 0.6 * size):
        return None
    colour = _core_colour(rgb[middle - half + row - 1 : middle - half + row + 2, left + begin : left + end], paper)
    drawn = _style(block[row], pieces, thick)
    if drawn is None:
        return None
    style, dash = drawn
    box = (left + begin - 1.0, word.y0, word.x1, word.y1)
    if float(np.linalg.norm(np.array(colour) - paper)) < _BLANK:
        return None
    return Sample(word.text.rstrip(" -–—.:"), colour, style, dash, box, thick, word.x0, float(end - begin))


def _row_runs(block: NDArray[np.float32], *, nearest: float, whole: float) -> tuple[int, list[tuple[int, int]]] | None:
    """The row with most ink that comes within `nearest` of the right end, and its runs, leftwards to a wide gap.

    A run of at least `whole` pixels is no dash but a sample by itself.
    """
    best: tuple[float, int, list[tuple[int, int]]] | None = None
    for r in range(1, block.shape[0] - 1):
        inked = _inked(block[r], nearest)
        change = np.diff(np.concatenate([[0], inked.astype(np.int8), [0]]))
        runs = list(zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True))
        kept: list[tuple[int, int]] = []
        for a, b in reversed(runs):
            if kept and not _continues(kept[0], (a, b), cut=len(kept) == 1, whole=whole):
                break
            kept.insert(0, (a, b))
        total = sum(float(block[r, a:b].sum()) for a, b in kept)
        if not kept or block.shape[1] - kept[-1][1] > nearest:
            continue
        if kept[-1][1] - kept[0][0] >= _SHORTEST and (best is None or total > best[0]):
            best = total, r, kept
    return None if best is None else (best[1], best[2])


def _inked(row: NDArray[np.float32], nearest: float) -> NDArray[np.bool_]:
    """Where a row is inked like what stands nearest to its right end: pale lines do not run on into dark ones.

    A pixel or two before the name may be the edge of a dash that the sample cuts.
    """
    seen = np.flatnonzero(row > _FAINT)
    if not len(seen) or len(row) - seen[-1] > nearest:
        return np.asarray(row > 0.3)
    last = np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1)
    runs = [r for r in last[-2:] if len(r) > 2] or last[-1:]
    end = int(runs[-1][-1])
    own = float(row[max(end - 8, 0) : end + 1].max())
    if own > _PALE:
        return np.asarray(row > 0.3)
    return np.asarray((row > 0.5 * own) & (row < 1.7 * own))


def _continues(right: tuple[int, int], left: tuple[int, int], *, cut: bool, whole: float) -> bool:
    """Whether a run can be the dash before another: near it and about as long; the last may be `cut` short."""
    own, other = right[1] - right[0], left[1] - left[0]
    gap = right[0] - left[1]
    if max(own, other) > whole:
        return gap <= 2
    if cut and own < other <= _LONGEST // 2 and gap <= 1.2 * other:
        return True
    return gap <= max(8, 1.4 * own) and 0.4 * own - 1 <= other <= 2.5 * own + 1


def _thickness(block: NDArray[np.float32], row: int, pieces: list[tuple[int, int]]) -> float:
    """How thick the sample is: the median over its columns of the summed ink round its row."""
    columns = [c for a, b in pieces for c in range(a, b)]
    sums = []
    for c in columns:
        top = bottom = row
        while top > 0 and block[top - 1, c] > 0.3:
            top -= 1
        while bottom < block.shape[0] - 1 and block[bottom + 1, c] > 0.3:
            bottom += 1
        sums.append(float(block[top : bottom + 1, c].sum() / max(float(block[row, c]), 0.3)))
    return float(np.median(sums))


def _core_colour(patch: Pixels, paper: Array) -> RGB:
    flat = patch.reshape(-1, 3).astype(float)
    far = ((flat - paper) ** 2).sum(axis=1)
    core = flat[far >= 0.8 * np.quantile(far, 0.9)]
    r, g, b = np.median(core, axis=0)
    return int(r), int(g), int(b)


def _style(row: NDArray[np.float32], pieces: list[tuple[int, int]], thick: float) -> tuple[str, Dash] | None:
    if len(pieces) < 2 or sum(b - a for a, b in pieces) > 0.93 * (pieces[-1][1] - pieces[0][0]):
        return "solid", Dash()
    if max(b - a for a, b in pieces) > 0.62 * (pieces[-1][1] - pieces[0][0]) and not _long_dash(pieces, thick):
        return "solid", Dash()
    if not _regular(pieces):
        return None
    inner = pieces[1:-1] if len(pieces) > 3 else pieces
    on = float(np.mean([row[max(a - 1, 0) : b + 1].sum() / max(float(row[a:b].max()), 0.3) for a, b in inner]))
    starts = [(a + b) / 2 for a, b in (inner if len(inner) > 2 else pieces)]
    period = float(np.mean(np.diff(starts)))
    if len(pieces) == 2:
        on, period = max(b - a for a, b in pieces), pieces[1][0] - pieces[0][0]
    style = "dotted" if on <= 2.2 * max(thick, 1.0) else "dashed"
    return style, Dash(on, max(period - on, 0.8))


def _long_dash(pieces: list[tuple[int, int]], thick: float) -> bool:
    """Whether a long run and a short one are a long dash and the next one, cut where the sample ends."""
    if len(pieces) != 2:
        return False
    (a, b), (c, d) = pieces
    return b - a > d - c >= 2 and c - b >= max(1.4 * thick, 4.0) and b - a <= 3.2 * (c - b)


def _regular(pieces: list[tuple[int, int]]) -> bool:
    """Whether the runs could be one dash pattern: the middle ones alike, no gap twice another."""
    lengths = np.array([b - a for a, b in pieces], dtype=float)
    gaps = np.array([c - b for (_, b), (c, _) in pairwise(pieces)], dtype=float)
    if len(lengths) == 2:
        # the box of a legend cuts its dashes
        return bool(lengths[0] >= 0.3 * lengths.max() and gaps[0] <= 1.2 * lengths.max())
    middle = lengths[1:-1]
    even = middle.max() <= 1.5 * middle.min() + 2 and gaps.max() <= 1.6 * gaps.min() + 2
    return bool(even and lengths.max() <= 1.4 * middle.max() + 2)


def _aligned(found: list[Sample]) -> list[Sample]:
    """The largest group of entries that stand in one column or in one row and differ in colour or style."""
    best: list[Sample] = []
    for anchor in found:
        size = anchor.box[3] - anchor.box[1]
        alike = [s for s in found if 1 / _UNEVEN < (s.box[3] - s.box[1]) / size < _UNEVEN]
        column = [s for s in alike if abs(s.box[0] - anchor.box[0]) < 6 and abs(s.box[1] - anchor.box[1]) < 14 * size]
        row = [s for s in alike if abs(s.box[1] + s.box[3] - anchor.box[1] - anchor.box[3]) < 1.3 * size]
        for group in (column, row):
            distinct = _distinct(_cut_short(group))
            if len(distinct) > len(best):
                best = distinct
    return sorted(best, key=lambda s: (round(s.box[1] / 8), s.box[0]))


def _cut_short(group: list[Sample]) -> list[Sample]:
    """The group with those solid lines called dashed that end clearly before the others of their colour.

    A sample that shows one long dash ends where the gap begins, while all samples of a legend are drawn in one length.
    """
    out = []
    for s in group:
        alike = [o for o in group if o.style == "solid" and colour_distance(s.colour, o.colour) < 25]
        longest = max((o.length for o in alike), default=s.length)
        short = s.style == "solid" and s.length < 0.87 * longest and longest - s.length > max(s.width, 2.0)
        out.append(replace(s, style="dashed", dash=Dash(s.length, 0.5 * s.length)) if short else s)
    return out


def _distinct(group: list[Sample]) -> list[Sample]:
    out: list[Sample] = []
    for sample in group:
        if not any(colour_distance(sample.colour, o.colour) < 25 and sample.style == o.style for o in out):
            out.append(sample)
    return out
