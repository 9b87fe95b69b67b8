"""The last drop of a curve that ends just above the axis, where too little of it is seen for tracing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.files.image import Pixels
from metagrove.figures.page import colour_distance
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import Axis

__all__ = ["with_last_drops"]

#: Pixels above the foot within which a drop may have been lost, and under which nothing can be told.
_HIGHEST, _LOWEST = 18.0, 5.0
_INKED = 0.35
_FAR = 110.0


def with_last_drops(arms: Sequence[ArmReading], x: Axis, y: Axis, scale: float, rgb: Pixels) -> list[ArmReading]:
    """The arms of a picture with drops to 0 that an upright stroke at a curve's end shows.

    The stroke must run from the last level to the foot of the plot in the arm's colour, with nothing beside it and
    nothing above it (that would be a censor mark or a grid line).

    Parameters
    ----------
    x, y : the scales, in pixels of `rgb`; a survival axis that grows downwards or is logarithmic is left alone.
    scale : what the axis calls survival 1.
    """
    if y.slope > 0 or y.log:
        return list(arms)
    grey = rgb.min(axis=2).astype(np.float64)
    paper = max(float(np.percentile(grey, 80)), 1.0)
    ink = np.clip((paper - grey) / paper, 0.0, 1.0)
    return [_ended(arm, x, y, scale, ink, rgb) for arm in arms]


def _ended(arm: ArmReading, x: Axis, y: Axis, scale: float, ink: Array, rgb: Pixels) -> ArmReading:
    level = float(arm.survival[-1])
    column, border = float(x.pixel(arm.end)), float(x.pixel(max(x.values)))
    row, foot = (float(y.pixel(value)) for value in (level * scale, 0.0))
    if not _LOWEST <= foot - row <= _HIGHEST or border - column < 6:
        return arm
    top, bottom = int(np.ceil(row + 2)), int(np.floor(foot - 1.5))
    columns = np.arange(round(column) - 4, round(column) + 3)
    if bottom - top < 2 or columns[0] < 12 or columns[-1] + 12 >= ink.shape[1] or top < 12 or bottom >= ink.shape[0]:
        return arm
    stroke = ink[top:bottom, columns].min(axis=0)
    full = columns[stroke >= _INKED]
    beside = ink[top:bottom][:, [columns[0] - 5, columns[0] - 4, columns[-1] + 4, columns[-1] + 5]].max(axis=0)
    if not full.size or full.size > 6 or (beside > _INKED).any() or ink[top - 11 : top - 6, full].max() > _INKED:
        return arm
    r, g, b = np.median(rgb[top:bottom, columns[int(stroke.argmax())]], axis=0)
    if colour_distance((int(r), int(g), int(b)), arm.colour) > _FAR:
        return arm
    place = float(np.average(full + 0.5, weights=stroke[stroke >= _INKED]))
    time = max(float(x.value(place)), float(arm.time[-2]))
    return replace(
        arm,
        time=np.concatenate([arm.time[:-1], [time, max(arm.end, time)]]),
        survival=np.concatenate([arm.survival[:-1], [0.0, 0.0]]),
        time_error=np.append(arm.time_error, arm.time_error[-1]),
        survival_error=np.append(arm.survival_error, arm.survival_error[-1]),
    )
