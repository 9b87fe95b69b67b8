"""What is printed round a plot and belongs to it: its words, and the unit under its time axis."""

from __future__ import annotations

from collections.abc import Sequence

from metagrove.figures.page import Word
from metagrove.figures.scales.axes import Axis

__all__ = ["axis_unit", "near_plot"]

# heights of the plot that a table with a block for each arm takes at most below it
_BELOW = 1.8
# letter heights that a table of numbers at risk takes at most
_TABLE = 32.0
_UNITS = {
    "day": "days",
    "week": "weeks",
    "wk": "weeks",
    "month": "months",
    "mo": "months",
    "year": "years",
    "yr": "years",
}


def near_plot(words: Sequence[Word], x: Axis, y: Axis, others: Sequence[tuple[Axis, Axis]]) -> list[Word]:
    """The words round the plot of two axes: names, titles, numbers at risk; those of neighbouring plots left out."""
    left, right, top, bottom = min(x.pixels), max(x.pixels), min(y.pixels), max(y.pixels)
    wide, tall = right - left, bottom - top
    # under a low plot the table is higher than the plot
    below = max(_BELOW * tall, _TABLE * (x.band[1] - x.band[0]))
    # the highest label may be one below the head of the axis
    above = 0.4 * tall + (y.spacing if 3 * y.spacing <= tall else 0.0)
    box = [left - 0.7 * wide, top - above, right + 0.8 * wide, bottom + below]
    for a, b in others:
        beside = min(bottom, max(b.pixels)) > max(top, min(b.pixels))
        in_line = min(right, max(a.pixels)) > max(left, min(a.pixels))
        if beside and min(a.pixels) > right:
            box[2] = min(box[2], b.band[0] - 1 if b.printed else (right + min(a.pixels)) / 2)
        elif beside and max(a.pixels) < left:
            box[0] = max(box[0], max(a.pixels) + 0.05 * wide)
        elif in_line and min(b.pixels) > bottom:
            box[3] = min(box[3], min(b.pixels) - 0.12 * tall)
        elif in_line and max(b.pixels) < top:
            box[1] = max(box[1], (max(b.pixels) + top) / 2)
    return [w for w in words if box[0] < w.cx < box[2] and box[1] < w.cy < box[3]]


def axis_unit(words: Sequence[Word], axis: Axis) -> str:
    """The unit of time named under the labels of an x axis; empty where none is printed."""
    low, high = min(axis.pixels), max(axis.pixels)
    size = max(axis.band[1] - axis.band[0], 4.0)
    for word in sorted(words, key=lambda w: w.cy):
        if word.angle == 0 and low - size < word.cx < high + 4 * size and 0 <= word.cy - axis.band[0] < 5 * size:
            text = word.text.strip("()[],.:; ").lower()
            for stem, unit in _UNITS.items():
                if text in (stem, stem + "s") or (text.startswith(stem) and len(stem) > 3):
                    return unit
    return ""
