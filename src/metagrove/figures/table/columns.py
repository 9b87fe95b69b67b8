"""Tables whose columns are as many as the ticks of the time axis but stand on a measure of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.page import Word
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.lines import count_places, lines_of

__all__ = ["column_axis"]

_COUNT = re.compile(r"\d{1,6}")
# letter heights: how evenly the columns stand, how far a count may be from its column, and between ticks and columns at least
_EVEN, _NEAR, _OFF = 0.5, 0.7, 1.2
# how much further apart or closer together than the ticks the columns stand at least
_OTHERWISE = 0.04
_FEWEST, _MOST_PITCH = 4, 1.6


def column_axis(words: Sequence[Word], x: Axis, *, below: float) -> Axis:
    """The time axis with its ticks over the columns of the table, where these clearly are its columns.

    They are where a line has as many counts as the axis has ticks, evenly spaced and never rising, but further apart or
    closer together than the ticks, and every other line of counts stands in the same columns. Else the axis as it is.
    """
    ticks, times = count_places(x)
    if x.log or len(ticks) < _FEWEST:
        return x
    lines = [_counts(line, x) for line in lines_of([w for w in words if w.angle == 0 and w.cy > below])]
    lines = [line for line in lines if len(line) >= _FEWEST]
    whole = [line for line in lines if len(line) == len(ticks)]
    if not whole:
        return x
    size = float(np.median([w.size for line in lines for w in line]))
    for line in whole:
        columns = _columns(line, ticks, size)
        if columns is not None and all(_within(other, columns, size) for other in lines):
            slope, intercept = np.polyfit(columns, times, 1)
            pixels = tuple(float(columns[int(np.abs(times - v).argmin())]) for v in x.values)
            return replace(x, pixels=pixels, slope=float(slope), intercept=float(intercept))
    return x


def _counts(line: Sequence[Word], x: Axis) -> list[Word]:
    """The bare numbers of a line; none of a line that is the labels of the axis."""
    middle = float(np.median([w.cy for w in line]))
    size = float(np.median([w.size for w in line]))
    if x.band[0] - 0.3 * size <= middle <= x.band[1] + 0.3 * size:
        return []
    return [w for w in line if _COUNT.fullmatch(w.text)]


def _columns(line: Sequence[Word], ticks: Array, size: float) -> Array | None:
    """The even columns on which the counts of a line stand, if they fall and their pitch is not that of the ticks."""
    counts = [int(w.text) for w in line]
    places = np.array([w.cx for w in line])
    index = np.arange(len(places))
    pitch, first = np.polyfit(index, places, 1)
    own = float(np.diff(ticks).mean())
    even = float(np.abs(places - first - pitch * index).max()) < _EVEN * size
    falls = all(a >= b for a, b in pairwise(counts)) and counts[0] > counts[-1]
    apart = abs(pitch / own - 1) > _OTHERWISE and 1 / _MOST_PITCH < pitch / own < _MOST_PITCH
    shift = places - ticks
    off = float(np.abs(shift - np.median(shift)).max()) > _OFF * size
    return np.asarray(first + pitch * index) if even and falls and apart and off else None


def _within(line: Sequence[Word], columns: Array, size: float) -> bool:
    """Whether each count of a line stands in a column of its own."""
    nearest = [int(np.abs(columns - w.cx).argmin()) for w in line]
    near = all(abs(float(columns[k]) - w.cx) < _NEAR * size for k, w in zip(nearest, line, strict=True))
    return near and len(set(nearest)) == len(line)
