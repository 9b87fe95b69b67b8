"""Names for arms: beside the sample line of a legend, or written in the colour of the curve."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.legend.fits import without_fits
from metagrove.figures.page import RGB, Stroke, Word, colour_distance, number
from metagrove.figures.strokes.staircases import Staircase

__all__ = ["coloured_name", "legend_entries", "sample_names"]

# how the name of a key of censor marks ends
_OF_MARKS = re.compile(r"(?i)\bcensored\W*$")


def legend_entries(strokes: Sequence[Stroke], names: Sequence[Word]) -> list[tuple[Stroke, Word]]:
    """The entries of the legend, whether or not a curve was found for them: sample lines of one length with a name.

    They stand in one column or one row and differ in colour, dash or width; the largest such group is the legend.
    """
    samples = without_fits(_samples(strokes, names), lambda entry: entry[1].text)
    best: list[tuple[Stroke, Word]] = []
    for anchor, _ in samples:
        left, top, right, _ = anchor.box
        alike = [(s, w) for s, w in samples if abs((s.box[2] - s.box[0]) - (right - left)) < 1]
        column = [(s, w) for s, w in alike if abs(s.box[0] - left) < 1]
        row = [(s, w) for s, w in alike if abs(s.box[1] - top) < 1]
        for group in (column, row, alike):
            distinct = _unlike(group)
            if len(distinct) > len(best):
                best = distinct
    return best


def _unlike(group: Sequence[tuple[Stroke, Word]]) -> list[tuple[Stroke, Word]]:
    """Entries that differ from each other in name and in look."""
    out: list[tuple[Stroke, Word]] = []
    for stroke, word in group:
        same = [
            s
            for s, w in out
            if w.text == word.text
            or (s.colour == stroke.colour and _same_dash(s.dash, stroke.dash) and abs(s.width - stroke.width) < 0.05)
        ]
        if not same:
            out.append((stroke, word))
    return out


def _samples(strokes: Sequence[Stroke], names: Sequence[Word]) -> list[tuple[Stroke, Word]]:
    """Short level lines with a phrase to their right, or else, where there are more such, to their left."""
    right, left = _sampled(strokes, names, after=True), _sampled(strokes, names, after=False)
    return left if len({w.text for _, w in left}) > max(len({w.text for _, w in right}), 1) else right


def _sampled(strokes: Sequence[Stroke], names: Sequence[Word], *, after: bool) -> list[tuple[Stroke, Word]]:
    """Short level lines, or short stairs, with the phrase that stands after or before them."""
    samples = []
    for stroke in strokes:
        left, top, right, bottom = stroke.box
        level = bottom - top < 1.0 or _is_step(stroke.points)
        if stroke.colour is not None and not stroke.closed and level and 5 <= right - left <= 90:
            height = (top + bottom) / 2
            word = _beside(names, right, height) if after else _before(names, left, height)
            if word is not None:
                samples.append((stroke, word))
    return samples


def _is_step(points: Array) -> bool:
    """Whether a line goes level, straight down less far than across, and level again: a curve's sign in a legend."""
    if len(points) != 4:
        return False
    (a, b, c), (d, e, f) = np.diff(points, axis=0).T
    return bool(max(abs(d), abs(b), abs(f)) < 0.1 and min(a, c) > 0 and 1.0 < e < a + c)


def sample_names(curves: Sequence[Staircase], strokes: Sequence[Stroke], names: Sequence[Word]) -> list[str | None]:
    """For each curve the phrase beside a short level line of its colour, dash and (where it decides) width."""
    samples = _samples(strokes, names)
    out: list[str | None] = []
    for curve in curves:
        alike = [
            (s, w)
            for s, w in samples
            if s.colour is not None and colour_distance(s.colour, curve.colour) < 6 and _same_dash(s.dash, curve.dash)
        ]
        texts = {w.text for _, w in alike}
        if len(texts) > 1:
            texts = {w.text for s, w in alike if abs(s.width - curve.width) < 0.3}
        out.append(texts.pop() if len(texts) == 1 else None)
    return out


def _same_dash(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return len(a) == len(b) and all(abs(p - q) < 0.2 * max(p, q, 1.0) for p, q in zip(a, b, strict=True))


def _beside(names: Sequence[Word], right: float, height: float) -> Word | None:
    """The phrase that begins just right of a sample line, level with it."""
    near = [
        w for w in names if -1 < w.x0 - right < 2.5 * max(w.size, 6.0) and abs(w.cy - height) < 0.8 * max(w.size, 5.0)
    ]
    near = [w for w in near if number(w.text) is None and any(c.isalnum() for c in w.text)]
    if any(_OF_MARKS.search(w.text) for w in near):
        return None
    return min(near, key=lambda w: w.x0 - right, default=None)


def _before(names: Sequence[Word], left: float, height: float) -> Word | None:
    """The phrase that ends left of a sample line, level with it; names set flush left end at different distances."""
    near = [
        w for w in names if -1 < left - w.x1 < 12 * max(w.size, 6.0) and abs(w.cy - height) < 0.8 * max(w.size, 5.0)
    ]
    near = [w for w in near if not w.angle and number(w.text) is None and any(c.isalpha() for c in w.text)]
    return max(near, key=lambda w: w.x1, default=None)


def coloured_name(colour: RGB, names: Sequence[Word], frame: tuple[float, float, float, float]) -> str | None:
    """The one phrase inside the plot that is written in the curve's own colour."""
    if max(colour) - min(colour) < 40:
        return None
    left, top, right, bottom = frame
    inside = [
        w.text
        for w in names
        if w.colour is not None
        and colour_distance(w.colour, colour) < 40
        and left <= w.cx <= right
        and top <= w.cy <= bottom
        and number(w.text) is None
        and any(c.isalnum() for c in w.text)
    ]
    return inside[0] if len(inside) == 1 else None
