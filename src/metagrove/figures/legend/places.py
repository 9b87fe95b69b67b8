"""Entries of a legend found by where they must stand: keys of one legend are as long as each other and as far from their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.colours import middle_colour
from metagrove.figures.files.image import Pixels
from metagrove.figures.legend.keys import Sample, alike, drawn_style, ink_colour, runs_of
from metagrove.figures.legend.marked_keys import unmarked
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import Word, number
from metagrove.figures.writing.naming import likeness, named_like

__all__ = ["completed"]

# in letter heights: how far entries of one row or column are apart at most, how far a name may begin off its column
_NEAR_ACROSS, _NEAR_DOWN, _OFF = 14.0, 3.2, 0.35
# pixels that the ends of a key may be off, and letter heights that its row may be
_ENDS, _ROWS = 2.5, 0.3
# a line is this much thicker than the other keys at most; of a dotted one this share is inked at least
_THICKER, _LEAST = 2.0, 0.22
_INK, _FAINT, _WHOLE = 0.5, 0.12, 0.8
_GROWS = 3
_CODE_READ = 0.9
# letter heights from line to line of a legend
_PITCHES = (1.2, 1.5, 1.8, 2.1, 2.4)
# letter heights to the second line of a name at most; the next entry is this many times further off
_LEADING, _NEXT = 1.9, 1.2


@dataclass(frozen=True, slots=True)
class _Keys:
    """Where the keys of a legend stand: how far before their names they begin, how long, thick and how low they are.

    `rows` are the heights of the known ones on the page, `size` is that of the letters.
    """

    before: float
    length: float
    thick: float
    lower: float
    size: float
    rows: tuple[float, ...]


def completed(
    samples: Sequence[Sample], rgb: Pixels, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str] = ()
) -> list[Sample]:
    """The entries with those that a look at the place of their key finds: paler, cut, crossed by curves, or in other columns.

    Parameters
    ----------
    samples : the entries known so far, in one column or one row.
    rgb, ink : the picture and how far each pixel is from the paper, words included.
    names : phrases of the picture.
    labels : the names of the arms in the order of the table, where one is printed; an entry that only they promise is
        looked for where its turn is, even if no name was read there.
    """
    out = list(samples)
    if not out:
        return out
    paper = middle_colour(rgb[ink < 0.03]) if (ink < 0.03).any() else np.full(3, 255.0)
    for _ in range(_GROWS):
        keys = _keys(out, ink)
        found = [_entry(rgb, ink, word, keys, paper) for word in _level_names(out, names, keys)]
        for word in _promised(out, labels, keys):
            clear = _entry(rgb, ink, word, keys, paper)
            found.append(clear or _entry(rgb, ink, word, keys, paper, free=False))
        if len(out) == 1:
            found += [_entry(rgb, ink, word, keys, paper) for word in _next_to(out[0], labels, keys)]
        known = len(out)
        for sample in found:
            if sample is not None and not any(_same(sample, o) for o in out):
                out.append(sample)
        if len(out) == known:
            break
    out = _continued(out, names, labels)
    spelled = [named_like(s.name, labels) for s in out]
    out = [
        replace(s, name=labels[k]) if k is not None and spelled.count(k) == 1 else s
        for s, k in zip(out, spelled, strict=True)
    ]
    return sorted(out, key=lambda s: (round(s.box[1] / 8), s.box[0]))


def _continued(samples: Sequence[Sample], names: Sequence[Word], labels: Sequence[str]) -> list[Sample]:
    """The entries under names of two lines: a second one stands close below, and the table prints both or the next is far."""
    out = list(samples)
    for k, sample in enumerate(out):
        size, middle = sample.box[3] - sample.box[1], _middle(sample)
        column = [s for s in out if abs(s.start - sample.start) <= max(_OFF * size, 3.0)]
        below = [
            w
            for w in names
            if abs(w.x0 - sample.start) <= max(_OFF * size, 3.0)
            and 0.8 * size < w.cy - middle < _LEADING * size
            and sum(c.isalpha() for c in w.text) > 1
            and not any(_at(w, s) for s in out)
        ]
        if not below:
            continue
        line = min(below, key=lambda w: w.cy)
        both = f"{sample.name} {line.text}"
        after = min((_middle(s) for s in column if _middle(s) > middle + 1), default=np.inf)
        whole = max((likeness(both, n) for n in labels), default=0.0) > max(
            (likeness(sample.name, n) for n in labels), default=0.0
        )
        if whole or (not any(labels) and after - line.cy > _NEXT * (line.cy - middle) and np.isfinite(after)):
            box = (*sample.box[:2], max(sample.box[2], line.x1), line.y1)
            out[k] = replace(sample, name=both, box=box)
    return out


def _keys(samples: Sequence[Sample], ink: NDArray[np.float32]) -> _Keys:
    size = float(np.median([s.box[3] - s.box[1] for s in samples]))
    before = float(np.median([s.start - s.box[0] - 1 for s in samples]))
    places = []
    for s in samples:
        middle, left = round(_middle(s)), round(s.box[0] + 1)
        rows = np.arange(max(middle - round(0.45 * size), 0), min(middle + round(0.45 * size) + 1, len(ink)))
        total = ink[rows, left : left + round(s.length)].sum(axis=1)
        places.append(float(rows[int(total.argmax())]) + 0.5)
    lower = float(np.median([p - _middle(s) for p, s in zip(places, samples, strict=True)]))
    thick = float(np.median([s.width for s in samples]))
    return _Keys(before, max(s.length for s in samples), thick, lower, size, tuple(places))


def _middle(sample: Sample) -> float:
    return (sample.box[1] + sample.box[3]) / 2


def _same(a: Sample, b: Sample) -> bool:
    """Whether two entries are one, in place or in look."""
    place = abs(a.start - b.start) < a.length / 2 and abs(_middle(a) - _middle(b)) < 5
    return place or alike(a, b)


def _level_names(samples: Sequence[Sample], names: Sequence[Word], keys: _Keys) -> list[Word]:
    """The names in a column or a row with known entries."""
    out = []
    for word in names:
        letters, signs = (sum(map(kind, word.text)) for kind in (str.isalpha, str.isalnum))
        # a letter and a number, T1, is a name where it is read surely
        named = letters > 1 or (letters and signs > 1 and word.score > _CODE_READ)
        if word.angle or not named or number(word.text) is not None:
            continue
        if not 0.45 < (word.y1 - word.y0) / keys.size < 2.2 or any(_at(word, s) for s in samples):
            continue
        for s in samples:
            off, down = abs(word.x0 - s.start), abs(word.cy - _middle(s))
            column = off <= max(_OFF * keys.size, 3.0) and down < _NEAR_DOWN * keys.size
            gap = max(word.x0 - s.box[2], s.box[0] - word.x1)
            row = down < 0.4 * keys.size and keys.before < gap + keys.size < _NEAR_ACROSS * keys.size + keys.before
            if column or row:
                out.append(word)
                break
    return out


def _at(word: Word, sample: Sample) -> bool:
    return abs(word.x0 - sample.start) < 3 and sample.box[1] - 2 < word.cy < sample.box[3] + 2


def _promised(samples: Sequence[Sample], labels: Sequence[str], keys: _Keys) -> list[Word]:
    """The names of the table that the legend still lacks, each with its key where its turn is in a column of that order."""
    place = {k: i for i, s in enumerate(samples) if (k := named_like(s.name, labels)) is not None}
    if len(place) < 2 or len(place) < len(samples) or len(labels) <= len(samples):
        return []
    start = float(np.median([s.start for s in samples]))
    turns = sorted(place)
    heights = np.array([keys.rows[place[k]] for k in turns])
    pitch, first = np.polyfit(turns, heights, 1)
    off = float(np.abs(heights - pitch * np.array(turns) - first).max())
    astray = max(abs(s.start - start) for s in samples) > max(_OFF * keys.size, 3.0)
    if astray or pitch < keys.size or off > 1.5:
        return []
    out = []
    for k, label in enumerate(labels):
        if k not in place:
            middle = float(first + pitch * k) - keys.lower
            box = (start, middle - keys.size / 2, start + 0.5 * keys.size * len(label), middle + keys.size / 2)
            out.append(Word(label, *box, 0, 0.5))
    return out


def _next_to(sample: Sample, labels: Sequence[str], keys: _Keys) -> list[Word]:
    """The name of the table before or after that of the one entry known, at the distances that lines of a legend have."""
    turn = named_like(sample.name, labels)
    if turn is None:
        return []
    out = []
    for k in (turn - 1, turn + 1):
        for lines in _PITCHES if 0 <= k < len(labels) and labels[k] else ():
            middle = _middle(sample) + (k - turn) * lines * keys.size
            box = (sample.start, middle - keys.size / 2, sample.box[2], middle + keys.size / 2)
            out.append(Word(labels[k], *box, 0, 0.5))
    return out


def _entry(
    rgb: Pixels, ink: NDArray[np.float32], word: Word, keys: _Keys, paper: Array, *, free: bool = True
) -> Sample | None:
    """The entry whose key stands before a name as the other keys do; curves may run through it only where not `free`."""
    a = round(word.x0 - keys.before)
    b = a + round(keys.length)
    half = max(3, round(0.45 * keys.size))
    middle = round(word.cy + keys.lower - 0.5)
    if a < 6 or b + 6 > ink.shape[1] or middle - 2 * half < 0 or middle + 2 * half + 1 > len(ink):
        return None
    best: tuple[float, Sample] | None = None
    for row in range(middle - round(_ROWS * keys.size), middle + round(_ROWS * keys.size) + 1):
        seen = _key_in(ink, row, (a, b), half, keys, free=free)
        if seen is None or (best is not None and best[0] >= seen[0]):
            continue
        total, style, dash, thick = seen
        colour = ink_colour(rgb[row - 1 : row + 2, a:b], paper)
        box = (float(a) - 1, word.y0, word.x1, word.y1)
        sample = Sample(word.text.rstrip(" -–—.:"), colour, style, dash, box, thick, word.x0, float(b - a))
        best = total, sample
    return None if best is None else best[1]


def _key_in(
    ink: NDArray[np.float32], row: int, columns: tuple[int, int], half: int, keys: _Keys, *, free: bool
) -> tuple[float, str, Dash, float] | None:
    """How much ink the key in a row has, its style, dashes and thickness; None where none has its ends there."""
    a, b = columns
    block = unmarked(ink[row - half : row + half + 1, a:b])
    line = block[half]
    level = float(np.quantile(line, 0.9))
    if level < _FAINT:
        return None
    pieces = [p for p in runs_of(line > _INK * level) if p[1] - p[0] > 1 or level > 0.3]
    thick = _thickness(block, half, level)
    if sum(q - p for p, q in pieces) < _LEAST * (b - a) or thick > max(_THICKER * keys.thick, keys.thick + 1.5):
        return None
    beyond = np.concatenate([ink[row, a - 4 : a - 2], ink[row, b + 3 : b + 5]])
    if free and (pieces[0][0] > _ENDS or pieces[-1][1] < 0.6 * (b - a) or float(beyond.max()) > 0.5 * level):
        return None
    style, dash = _drawn(line / level, pieces, thick)
    return float(line.sum()), style, dash, thick


def _drawn(row: NDArray[np.float32], pieces: list[tuple[int, int]], thick: float) -> tuple[str, Dash]:
    """The style of a key of known length: one stretch that ends early is a long dash, uneven ones are dashes and dots."""
    length = max(b - a for a, b in pieces)
    if len(pieces) == 1 and length < _WHOLE * len(row):
        return "dashed", Dash(float(length), 0.5 * length)
    drawn = drawn_style(row, pieces, thick)
    if drawn is not None:
        return drawn
    long = [p for p in pieces if p[1] - p[0] > 0.6 * length]
    period = float(np.diff([p[0] for p in long]).mean()) if len(long) > 1 else 1.6 * length
    return "dashed", Dash(float(length), max(period - length, 0.8))


def _thickness(block: NDArray[np.float32], row: int, level: float) -> float:
    """The median height of the ink round a row, over its inked columns, in pixels."""
    columns = np.flatnonzero(block[row] > _INK * level)
    heights = []
    for c in columns:
        top = foot = row
        while top > 0 and block[top - 1, c] > 0.3 * level:
            top -= 1
        while foot < len(block) - 1 and block[foot + 1, c] > 0.3 * level:
            foot += 1
        heights.append(float(block[top : foot + 1, c].sum()) / level)
    return float(np.median(heights)) if heights else 0.0
