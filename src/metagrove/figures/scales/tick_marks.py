"""Scales put onto the tick marks of their axis: the labels' own, those of labels set flush, and marks without a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metagrove.core.values import Array
from metagrove.figures.page import Word
from metagrove.figures.scales.axes import MIN_LABELS, Axis, axis_through, is_even, line_through, printed_numbers

__all__ = ["confirmed", "continued", "snapped", "with_flush"]

# of the distance of two labels: farther off, a scale is another plot's
_ELSEWHERE = 0.5
# more labels than this are many
_MANY = 4
# pixels: a tick mark this far off the line through the others is none; the middle of a label is known to about this
_SPOILT, _CENTRED = 0.8, 1.5
# tick marks that make two labels a scale, and how near their ends come to 0 and 1, in half intervals
_LATTICE, _ROUND = 5, 0.1
# how exactly a number is expected of which a 0 was lost
_MISSED = 0.02


def snapped(axis: Axis, ticks: ArrayLike, *, reach: float) -> Axis:
    """The scale refitted to the tick marks under its labels; unchanged where fewer than two labels have one.

    A constant shift between labels and ticks is allowed for (numbers set beside their tick), up to `reach`.
    """
    t = np.asarray(ticks, dtype=float)
    if not len(t):
        return axis
    p = np.asarray(axis.pixels)
    nearest = t[np.abs(t[None, :] - p[:, None]).argmin(axis=1)]
    near = np.abs(nearest - p) <= reach
    if near.sum() < 2:
        return axis
    shift = float(np.median((nearest - p)[near]))
    nearest = t[np.abs(t[None, :] - (p + shift)[:, None]).argmin(axis=1)]
    near = np.abs(nearest - p - shift) <= reach / 2
    distinct = len(set(nearest[near].tolist())) == int(near.sum())
    # where a scale has tick marks most labels have one: what two of many meet are a line's end and the axis beside it
    if near.sum() < (3 if len(near) > _MANY and axis.even else 2) or not distinct:
        return axis
    return _on_marks(axis, np.asarray(nearest), np.asarray(near), shift, reach)


def _on_marks(axis: Axis, marks: Array, near: NDArray[np.bool_], shift: float, reach: float) -> Axis:
    """The scale through the tick marks of the labels that are `near` one.

    A mark that spoils the line through many others belongs to something else. Labels without a mark of their own agree
    with the scale where they stand on the line through three marks or more, at least half of all.
    """
    shown = np.log10(axis.values) if axis.log else np.asarray(axis.values)
    slope, intercept = line_through(marks[near], shown[near])
    off = np.where(near, np.abs((shown - intercept) / slope - marks), 0.0)
    while off.max() > _SPOILT and near.sum() > max(MIN_LABELS, 0.7 * len(near)):
        # beside a mark at the end its neighbour is as far off: the one to go is the one without which the rest is straight
        fewer = [near & (np.arange(len(near)) != k) for k in np.flatnonzero(near)]
        lines = [line_through(marks[rest], shown[rest]) for rest in fewer]
        left = [np.where(rest, np.abs((shown - b) / m - marks), 0.0) for rest, (m, b) in zip(fewer, lines, strict=True)]
        k = int(np.argmin([o.max() for o in left]))
        if left[k].max() > 0.6 * off.max():
            break
        near, (slope, intercept), off = fewer[k], lines[k], left[k]
    line = (shown - intercept) / slope
    firm = near.sum() >= max(MIN_LABELS, len(near) / 2)
    # two marks and a third label in line with them are a scale as well, though that label has no mark
    third = not firm and near.sum() == 2 and len(near) == MIN_LABELS
    stays = ~near & (firm | third) & (np.abs(line - np.asarray(axis.pixels) - shift) <= max(_CENTRED, reach / 4))
    pixels = np.where(near, marks, line)
    kept = near | stays
    return replace(
        axis,
        pixels=tuple(map(float, pixels[kept])),
        values=tuple(v for v, k in zip(axis.values, kept, strict=True) if k),
        slope=slope,
        intercept=intercept,
        residual=float(off.max()),
        on_ticks=int((near if third else kept).sum()),
        left_out=axis.left_out + int((~kept).sum()),
    )


def continued(axis: Axis, ticks: ArrayLike) -> Axis:
    """The axis with the tick marks that go on after its last label at the labels' distance, two of them at least.

    Labels that run into each other are not read; the marks over them say how far the scale goes.
    """
    marks, values = np.asarray(ticks, dtype=float), np.asarray(axis.values)
    steps = np.diff(values)
    if axis.log or axis.on_ticks < len(values) or len(values) < MIN_LABELS or np.ptp(steps) > 1e-6 * steps[0]:
        return axis
    more: list[tuple[float, float]] = []
    while True:
        value = float(values[-1] + (len(more) + 1) * steps[0])
        gaps = np.abs(marks - axis.pixel(value))
        if not len(gaps) or gaps.min() > _SPOILT:
            break
        more.append((float(marks[gaps.argmin()]), value))
    if len(more) < 2:
        return axis
    pixels, beyond = zip(*more, strict=True)
    return replace(
        axis, pixels=(*axis.pixels, *pixels), values=(*axis.values, *beyond), on_ticks=axis.on_ticks + len(more)
    )


def confirmed(axis: Axis, ticks: ArrayLike) -> Axis:
    """The axis with the first and the last of its tick marks, where these say that the scale runs from 0 to 1 or 100.

    Labels that would touch are not printed: 25 and 75 % may be the only two. Five even tick marks or more, two of them
    under the labels, of which the first comes to stand at 0 and the last at 1 or 100, are no chance.
    """
    marks = np.sort(np.asarray(ticks, dtype=float))
    if axis.log or len(axis.values) != 2 or axis.on_ticks != 2 or len(marks) < _LATTICE:
        return axis
    even = np.linspace(marks[0], marks[-1], len(marks))
    ends = axis.value(marks[[-1, 0]])
    top = 1.0 if max(axis.values) <= 1 else 100.0
    near = 0.5 * abs(axis.slope) * np.ptp(marks) / (len(marks) - 1) * _ROUND
    if np.abs(even - marks).max() > _SPOILT or np.abs(ends - (0.0, top)).max() > near:
        return axis
    known = {round(v, 9): float(p) for v, p in zip(axis.values, axis.pixels, strict=True)}
    known |= {0.0: float(marks[-1]), top: float(marks[0])}
    values = tuple(sorted(known))
    pixels = tuple(known[v] for v in values)
    slope, intercept = line_through(np.array(pixels), np.array(values))
    off = float(np.abs((np.array(values) - intercept) / slope - pixels).max())
    whole = replace(axis, pixels=pixels, values=values, slope=slope, intercept=intercept, residual=off)
    return replace(whole, on_ticks=len(values), even=is_even(np.array(values)))


def with_flush(axis: Axis, words: Sequence[Word], ticks: ArrayLike, *, across: bool, reach: float) -> Axis:
    """The scale with labels that are set flush with their tick marks instead of centred on them, as the outermost often are.

    Every number in line with the labels counts for the tick mark nearest to its middle, if that stands under it; where these
    agree on one scale within `reach` pixels, it is taken if more labels stand on it.
    """
    t = np.asarray(ticks, dtype=float)
    if axis.log or not len(t):
        return axis
    pixels, values = [], []
    for word, value in printed_numbers([w for w in words if w.angle == 0]):
        low, high, middle = (word.x0, word.x1, word.cx) if across else (word.y0, word.y1, word.cy)
        near = float(t[int(np.abs(t - middle).argmin())])
        aside = word.cy if across else word.x1 - 0.5
        if axis.band[0] <= aside <= axis.band[1] and low - reach - 1 <= near <= high + reach + 1:
            pixels.append(near)
            values.append(_whole(word.text, value, float(axis.value(near))))
    found = axis_through(pixels, values, tolerance=reach) if len(pixels) > axis.on_ticks else None
    own = len(found.values) if found is not None else 0
    if found is None or own < MIN_LABELS or own <= axis.on_ticks or found.slope * axis.slope < 0 or not found.even:
        return axis
    # a neighbouring plot's labels may stand on the same line
    moved = np.abs(found.pixel(axis.values) - axis.pixel(axis.values)).max()
    return replace(found, on_ticks=own, band=axis.band) if moved < _ELSEWHERE * axis.spacing else axis


def _whole(text: str, value: float, expected: float) -> float:
    """The number of a label; the one expected there where that is the printed one and a last 0, which readers lose."""
    rounded = float(f"{expected:.3g}")
    lost = text.isdigit() and value > 0 and f"{rounded:g}" == text + "0" and abs(expected / rounded - 1) < _MISSED
    return rounded if lost else value
