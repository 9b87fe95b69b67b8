"""The axis that survival is read from: it begins at 0, and says what 100 % is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from metagrove.figures.page import Word
from metagrove.figures.scales.axes import MIN_LABELS, Axis

__all__ = ["drawn_scale", "from_zero", "hinted_scale", "printed_scale"]

# how far an axis goes on below 0 at most, as a share of what it shows above
_BELOW_ZERO = 0.25
# the lowest end of an axis of cumulative incidence
_LEAST = 0.02


def from_zero(axis: Axis) -> Axis:
    """The axis without its labels below 0, where it begins a little below it and three labels or more are left.

    No survival and no time lies there: the scale is the same, but the plot begins at 0.
    """
    kept = [k for k, v in enumerate(axis.values) if v >= 0]
    low, high = min(axis.values), max(axis.values)
    if axis.log or len(kept) in (0, len(axis.values)) or len(kept) < MIN_LABELS or -low > _BELOW_ZERO * high:
        return axis
    places, values = tuple(axis.pixels[k] for k in kept), tuple(axis.values[k] for k in kept)
    return replace(axis, pixels=places, values=values, on_ticks=max(axis.on_ticks - len(axis.values) + len(kept), 0))


def hinted_scale(y: Axis) -> float:
    """What 100 % is on an axis of the hints."""
    return 1.0 if max(y.values) <= 1 else 100.0


def drawn_scale(y: Axis) -> float | None:
    """What 100 % is on the axis of a drawing; None where no survival is drawn."""
    top = max(y.values)
    if min(y.values) < -0.01 * top:
        return None
    return 1.0 if top <= 1.3 else 100.0 if 5 < top <= 130 else None


def printed_scale(y: Axis, words: Sequence[Word]) -> float | None:
    """What 100 % is on the axis of a picture; None where no survival is drawn.

    A small cumulative incidence from 0 may end far below 1; between 2 and 20 its numbers are percent if a sign says so.
    """
    top = max(y.values)
    if min(y.values) < 0 or y.slope >= 0:
        return None
    if min(y.values) < 0.4 * top and y.on_ticks >= MIN_LABELS and len(y.values) >= MIN_LABELS and not y.log:
        if _LEAST <= top <= 1.3:
            return 1.0
        if 2 <= top < 20 and any("%" in w.text and (w.angle or w.x1 < y.band[1] + 4 * w.size) for w in words):
            return 100.0
    return 1.0 if 0.3 <= top <= 1.3 else 100.0 if 20 <= top <= 130 else None
