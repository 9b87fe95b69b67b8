"""Scales without tick marks that the curves themselves confirm: curves begin at time 0 and survival 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.scales.axes import MIN_LABELS, Axis

__all__ = ["anchored"]

# pixels: how straight labels without tick marks stand, how near the curves begin to survival 1 and to time 0
_STRAIGHT, _LEVEL, _BEGUN = 0.8, 1.3, 4
# the same as a share of the letters' height, where these are large
_OFF = 0.05
# the share of a pixel that counts as ink, and how near an arm's colour is met
_INKED, _OWN = 0.4, 60.0


def anchored(seen: TracedPlot) -> tuple[Axis, Axis]:
    """The x and y axes of a plot, as good as on tick marks where many even labels put the corner at which a curve is seen to begin."""
    x, y = seen.plot.scales.x, seen.plot.scales.y
    slack = max(_LEVEL, _OFF * (x.band[1] - x.band[0]))
    if not (_loose(x) or _loose(y)):
        return x, y
    arms = range(len(seen.arms))
    if _loose(y) and any(_level(seen, i, slack) for i in arms):
        y = replace(y, on_ticks=len(y.values))
    if _loose(x) and any(_begins(seen, i) for i in arms):
        x = replace(x, on_ticks=len(x.values))
    return x, y


def _loose(axis: Axis) -> bool:
    many = len(axis.values) > MIN_LABELS and not axis.left_out
    return many and not axis.on_ticks and not axis.log and axis.even and axis.residual < _STRAIGHT


def _level(seen: TracedPlot, index: int, slack: float) -> bool:
    """Whether the curve's first pixels lie in the row of survival 1."""
    reach = seen.looks[index].width / 2 + 3 * slack
    rows = np.arange(max(int(seen.plot.start - reach), 0), int(seen.plot.start + reach) + 2)
    ink = seen.own[index][rows, 1:4].sum(axis=1)
    return bool(ink.sum() > _INKED) and abs(float((rows + 0.5) @ ink / ink.sum()) - seen.plot.start) < slack


def _begins(seen: TracedPlot, index: int) -> bool:
    """Whether the curve's ink is there from time 0 on and not before."""
    plot, look = seen.plot, seen.looks[index]
    row = plot.rows[1] - plot.start if plot.rising else plot.rows[0] + plot.start
    half = round(look.width / 2) + 1
    low, left = max(round(row - 0.5) - half, 0), plot.columns[0]
    strip = seen.picture[low : low + 2 * half + 1, max(left - 4 * _BEGUN, 0) : left + 3 * _BEGUN].astype(np.float32)
    own = (np.linalg.norm(strip - np.array(look.colour, dtype=np.float32), axis=2) < _OWN).any(axis=0)
    if not own.any() or left < 4 * _BEGUN:
        return False
    return abs(int(own.argmax()) - 4 * _BEGUN + look.width / 2) <= _BEGUN
