"""One arm's curve from its trace: pixels to times and survival, the first level, the last drop and the marks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.legend.arms import ArmSpec
from metagrove.figures.lines.evidence import ArmLook
from metagrove.figures.lines.marks import mark_places
from metagrove.figures.lines.readout import Steps
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.lines.tracking import Path
from metagrove.figures.plot import Plot
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import Axis

__all__ = ["curve_of"]

# the share of a pixel that counts as ink; of the rows above and below an end that hold none, and all of a last drop
_INKED, _BARE, _DRAWN = 0.4, 0.15, 0.85


def curve_of(
    plot: Plot, own: NDArray[np.float32], spec: ArmSpec, trace: Trace, index: int, snap: float | None
) -> ArmReading:
    """The curve of arm `index`; `own` is its own ink, `snap` the fraction of a pixel that strokes were fitted to."""
    steps = trace.steps[index]
    look = spec.look
    right = snap - _tick_snap(plot.scales.x) if snap is not None else 0.0
    down = snap - _tick_snap(plot.scales.y) if snap is not None else 0.0
    down = -down if plot.rising else down
    time = np.maximum(plot.time(steps.begin - right), 0.0)
    height = _on_foot(steps, plot, look) - down
    first = float(height[0]) - plot.start
    # the first level is 1 by definition: half of its offset is the drawing's own, half the scale's
    whole = _whole_at_start(own, steps, look)
    shift = np.clip(first, -1.0, 1.0) / 2 if abs(first) < 1.3 and snap is None and whole else 0.0
    level = np.clip(plot.survival(height - shift), 0.0, 1.0)
    level[0] = 1.0 if abs(first) < 2.5 + look.width else level[0]
    time[0] = 0.0
    end = max(float(plot.time(np.array(steps.end))), float(time[-1]))
    per_x = abs(float(plot.time(np.array(1.0)) - plot.time(np.array(0.0))))
    per_y = abs(float(plot.survival(np.array(1.0)) - plot.survival(np.array(0.0))))
    x, y = plot.scales.x, plot.scales.y
    seen = np.append(steps.seen, steps.seen[-1])
    s_error = np.where(seen > 0, 0.5 + y.residual, 0.5 + y.residual + look.width) * per_y
    # a drop inside a gap of a dashed line may stand anywhere in it
    t_error = np.full(len(seen), 0.75 + x.residual + look.dash.off / 2) * per_x
    marks = mark_places(trace.paths[index], steps, own, look.width)
    marks = marks[marks <= steps.end + 1]
    if level[0] < 1 and trace.paths[index].enter[0] + 0.5 - plot.start < 4.5 + look.width:
        # the first drop falls into the first column
        time, level = np.append(0.0, time), np.append(1.0, level)
        s_error, t_error = np.append(s_error[0], s_error), np.append(t_error[0], t_error)
    falls = _falls_at_border(plot, trace.paths[index], own, look)
    lowest = _falls_at_end(steps, trace.paths[index], own, look)
    last = float(level[-1])
    if lowest is not None:
        last = min(last, float(np.clip(plot.survival(np.array(lowest - down)), 0.0, 1.0)))
    border = float(x.pixel(max(x.values)))
    if abs(plot.columns[0] + steps.end - border) < 3 and plot.columns[1] - border <= 6:
        end = max(x.values)  # the line runs into the right border, which stands at the last label
    order = np.maximum.accumulate(np.append(time, end))
    return ArmReading(
        spec.name,
        look.colour,
        look.style,
        order,
        np.minimum.accumulate(np.append(level, 0.0 if falls else last)),
        t_error,
        s_error,
        np.maximum(plot.time(marks - right), 0.0) if len(marks) else np.zeros(0),
    )


def _whole_at_start(own: NDArray[np.float32], steps: Steps, look: ArmLook) -> bool:
    """Whether the first level shows its full width; many programs cut lines at the upper edge of the plot."""
    row, stop = round(float(steps.height[0]) - 0.5), int(steps.begin[1] if len(steps.begin) > 1 else steps.end)
    block = own[max(row - 6, 0) : row + 7, min(2, stop) : stop]
    return bool(block.size) and float(np.median(block.sum(axis=0))) > 0.85 * (look.width - 0.2)


def _tick_snap(axis: Axis) -> float:
    """Half a pixel where every tick mark is centred on a pixel (an odd width fitted to the grid), else nothing."""
    if axis.on_ticks < 3:
        return 0.0
    part = np.mod(axis.pixels, 1.0)
    return 0.5 if bool((np.abs(part - 0.5) < 0.13).all()) else 0.0


def _on_foot(steps: Steps, plot: Plot, look: ArmLook) -> Array:
    """The heights, a last drop that ends within a line's width of survival 0 taken all the way down."""
    height = steps.height.copy()
    zero = _zero_row(plot)
    near = look.width + 1.5 + (look.dash.off if look.style != "solid" else 0.0)
    if len(height) > 1 and 0 < zero - height[-1] < near and height[-1] - height[-2] > near:
        height[-1] = zero
    return height


def _zero_row(plot: Plot) -> float:
    """The row of survival 0 in the plot."""
    y = plot.scales.y
    return plot.rows[1] - float(y.pixel(plot.scales.scale)) if plot.rising else float(y.pixel(0.0)) - plot.rows[0]


def _falls_at_end(steps: Steps, path: Path, own: NDArray[np.float32], look: ArmLook) -> float | None:
    """The row to which the line drops where it ends, too near its end to be a step; None where it does not.

    Ink of the arm must run down from its last level and none stand above that, as it would in a censor mark.
    """
    row, lowest = float(steps.height[-1]), float(path.leave[-1]) + 0.5
    clear = look.width / 2 + 1
    if lowest - row < 3 * look.width + 2 or steps.end - steps.begin[-1] < look.width + 2:
        return None
    columns = slice(max(path.last - 2, 0), path.last + 3)
    above = own[max(round(2 * row - lowest), 0) : max(round(row - clear), 0), columns]
    below = own[round(row + clear) : round(lowest), columns]
    if not above.size or not below.size:
        return None
    stands, falls = ((part.max(axis=1) > _INKED).mean() for part in (above, below))
    # on another arm's line it may fall further
    seen = own[round(lowest) - 2 : round(lowest) + 1, columns].max() > _INKED
    return lowest if stands < _BARE and falls > _DRAWN and seen else None


def _falls_at_border(plot: Plot, path: Path, own: NDArray[np.float32], look: ArmLook) -> bool:
    """Whether the line drops to 0 on the right border, where only a part of its width is inside the plot.

    Ink of the arm must run from its last level to the foot, and none above the level (that would be a frame).
    """
    row, zero = int(path.leave[-1]), round(_zero_row(plot))
    edge = own[:, max(path.last - 1, 0) : path.last + 3].max(axis=1)
    clear = round(look.width) + 2
    if zero - row < 4 * clear or path.last < own.shape[1] - 8 or zero > len(edge):
        return False
    below, above = edge[row + clear : zero - 3], edge[max(row - 60, 0) : max(row - clear, 0)]
    return bool((below > 0.3).mean() > 0.95 and (above > 0.3).mean() < 0.1) if len(above) else False
