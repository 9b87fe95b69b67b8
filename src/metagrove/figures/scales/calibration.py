"""The scales of a plot in a picture: rows and columns of labels, put onto the tick marks of straight axis lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.image import Picture, Pixels
from metagrove.figures.hints import Hints
from metagrove.figures.lines.readout import grid_phase
from metagrove.figures.page import Word
from metagrove.figures.scales.axes import MIN_LABELS, Axis, column_axes, row_axes
from metagrove.figures.scales.frame import Line, dark_lines, darkness, panel_edges, ridges, tick_places
from metagrove.figures.scales.insets import inset_boxes
from metagrove.figures.scales.survival_axis import from_zero, hinted_scale, printed_scale
from metagrove.figures.scales.tick_marks import confirmed, continued, snapped, with_flush

__all__ = ["Scales", "hinted_here", "plot_scales"]

_PALE = 0.2
# pixels: how straight labels without tick marks must stand, and how near the ends of their axis line
_EVEN, _ENDS = 0.7, 2.6
_SHORTEST = 80.0
# pixels: how near tick marks with labels set flush stand to one scale
_FLUSH = 1.2
# how far grid lines may be off a straight scale, in pixels
_STRAIGHT = 1.2
# how near the edge of a panel its outermost label stands, in pixels: half of a grid line may hide it
_EDGE = 3.0
# pixels, and letter heights, that tick marks stand off the middles of their labels at most, and of how many labels the doubt is worth
_OFF_CENTRE, _OF_LETTER, _BESIDE = 1.5, 0.1, 1.5


@dataclass(frozen=True, slots=True)
class Scales:
    """The two axes of one plot in pixels, what 100 % is on the y axis, and where the plot's lines run.

    `right` is where the x axis line ends, `foot` its row (NaN where none was found), `insets` the boxes (left, top, right,
    bottom) of smaller plots drawn inside, labels included.
    """

    x: Axis
    y: Axis
    scale: float
    right: float
    foot: float = float("nan")
    insets: tuple[tuple[float, float, float, float], ...] = ()


def hinted_here(hints: Hints, picture: Picture) -> tuple[Axis | None, Axis | None]:
    """The hinted axes in the pixels of the picture, a rotation taken into account.

    A hinted x pixel is meant along the x axis line, a hinted y pixel along the y axis line.
    """
    x, y = hints.x, hints.y
    if picture.scale == 1 and picture.rotation == 0:
        return x, y
    low = max(y.pixels) if y is not None else picture.rgb.shape[0] / picture.scale
    left = min(x.pixels) if x is not None else 0.0
    here_x = here_y = None
    if x is not None:
        here_x = x.refitted([picture.here(p, low)[0] for p in x.pixels])
    if y is not None:
        here_y = y.refitted([picture.here(left, p)[1] for p in y.pixels])
    return here_x, here_y


def plot_scales(picture: Picture, words: Sequence[Word], hints: Hints) -> list[Scales]:
    """The plots of a picture that could hold survival curves, best supported first.

    Each pairs a row of numbers (times) with a column of numbers (survival) that meet at a corner; labels are moved onto
    tick marks where axis lines have them.
    """
    dark = darkness(picture.rgb)
    tall, wide = dark.shape
    x_hint, y_hint = hinted_here(hints, picture)
    tolerance = max(2.5, 0.004 * wide)
    across = row_axes(words, tolerance=tolerance) if x_hint is None else []
    down = column_axes(words, tolerance=tolerance) if y_hint is None else []
    level = dark_lines(dark, level=True, least=_least(across, 0.18 * wide), threshold=_PALE)
    upright = dark_lines(dark, level=False, least=_least(down, 0.18 * tall), threshold=_PALE)
    if x_hint is not None:
        own = _banded(_refined(x_hint, dark, level, across=True), row_axes(words, tolerance=tolerance), y_hint)
        rows = [(own, own)]
    else:
        grid = _grid(picture, across=True)
        rows = [(a, _on_ticks(a, dark, level, grid, words)) for a in across]
    net = _grid(picture, across=False)
    if y_hint is not None:
        own = _refined(y_hint, dark, upright, across=False)
        columns = [(own, own)]
    else:
        columns = [(from_zero(a), from_zero(_on_ticks(a, dark, upright, net, words))) for a in down]
    found: list[tuple[tuple[float, ...], Scales]] = []
    for x_read, x in rows:
        for y_read, y in columns:
            scale = hinted_scale(y) if y_hint is not None else printed_scale(y, words)
            if scale is None or not (x_hint is not None or y_hint is not None or _corner(x_read, y_read)):
                continue
            right, foot = _axis_line(x, y, level)
            right = right if np.isfinite(right) else _grid_end(x, y, net)
            support = (x.on_ticks + y.on_ticks, len(x.values) + len(y.values), -x.band[0])
            found.append((support, Scales(x, y, scale, right, foot)))
    found.sort(key=lambda item: item[0], reverse=True)
    ticked = [
        (x, y)
        for x_read, x in rows
        for y_read, y in columns
        if min(x.on_ticks, y.on_ticks) >= MIN_LABELS and y.slope < 0 and _corner(x_read, y_read)
    ]
    return [replace(s, insets=inset_boxes((s.x, s.y), ticked)) for s in _apart([scales for _, scales in found])]


def _least(axes: Sequence[Axis], usual: float) -> float:
    """How long an axis line is at least: a figure may be a small part of its page."""
    spans = [max(a.pixels) - min(a.pixels) for a in axes if len(a.values) > MIN_LABELS]
    return min([usual, *(max(0.7 * s, _SHORTEST) for s in spans)])


def _corner(x: Axis, y: Axis) -> bool:
    """Whether the column of labels stands left of the row's first label and the row under the column's last."""
    wide = max(x.pixels) - min(x.pixels)
    low, tall = max(y.pixels), max(y.pixels) - min(y.pixels)
    begin = min(x.pixels)
    if not x.log and 0 < min(x.values) <= 2 * _step(x) and y.band[1] < float(x.pixel(0.0)):
        # the first labels may have been missed, 0 among them
        begin = float(x.pixel(0.0))
    beside = y.band[1] < begin + 0.12 * wide and begin - y.band[1] < 0.35 * wide
    if not y.log and 0 < min(y.values) <= 2 * _step(y) and float(y.pixel(0.0)) < x.band[0]:
        # so may the last labels down, 0 among them
        low = max(low, float(y.pixel(0.0)))
    under = x.band[0] > low - 0.06 * tall and x.band[0] - low < 0.6 * tall
    return beside and under and wide > 60 and tall > 40


def _step(axis: Axis) -> float:
    """The commonest difference of neighbouring labels."""
    return float(np.median(np.diff(np.sort(axis.values))))


def _apart(scales: list[Scales]) -> list[Scales]:
    """Plots that do not overlap, the best supported of each place.

    A second plot over one row of labels needs a scale of its own: counts in a column beside it are none, nor are two
    counts above each other that stand at no tick mark. Beside a plot with tick marks or a grid on both axes, numbers in
    lines with neither are a table.
    """
    out: list[Scales] = []
    ticked = any(s.x.on_ticks >= MIN_LABELS and s.y.on_ticks >= MIN_LABELS for s in scales)
    for one in scales:
        if ticked and not one.x.on_ticks and not one.y.on_ticks:
            continue
        shared = any(one.x.band == other.x.band and one.x.pixels == other.x.pixels for other in out)
        stray = bool(out) and len(one.y.values) < MIN_LABELS and not one.y.on_ticks
        if stray or (shared and one.y.on_ticks < MIN_LABELS):
            continue
        if not any(_overlap(one, other) for other in out):
            out.append(one)
    return out


def _overlap(a: Scales, b: Scales) -> bool:
    def box(s: Scales) -> tuple[float, float, float, float]:
        return min(s.x.pixels), min(s.y.pixels), max(s.x.pixels), max(s.y.pixels)

    p, q = box(a), box(b)
    return min(p[2], q[2]) > max(p[0], q[0]) and min(p[3], q[3]) > max(p[1], q[1])


def _near_lines(axis: Axis, lines: Sequence[Line], *, across: bool) -> list[Line]:
    """Axis lines that the labels can belong to: above the row, or right of the column, and along most of it."""
    low, high = min(axis.pixels), max(axis.pixels)
    wide = axis.band[1] - axis.band[0]
    # a column is as wide as two letters are high, or as one where the labels stand upright
    size = max(wide, 6.0) if across else max(14.0, 0.12 * (high - low) / 3.2, wide / 1.6)
    out = []
    for line in lines:
        gap = axis.band[0] - line.place if across else line.place - axis.band[1]
        span = min(line.end, high + 8) - max(line.begin, low - 8)
        if -2 <= gap <= 3.2 * size and span > 0.75 * (high - low):
            out.append(line)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The grid lines that one axis may have its labels on, and the picture they are in; `across` if labels run across."""

    lines: tuple[Line, ...]
    rgb: Pixels
    across: bool

    def beside(self, axis: Axis) -> list[Line]:
        """The lines that begin above the row of labels or end right of their column."""
        return [g for g in self.lines if (g.begin < axis.band[0] if self.across else g.end > axis.band[1])]

    def edges(self, lines: Sequence[Line]) -> Array:
        """The edges of a coloured panel, which carry no line of their own, along the longest of the lines."""
        longest = max(lines, key=lambda g: g.length)
        return panel_edges(self.rgb, level=not self.across, begin=longest.begin, end=longest.end)


def _grid(picture: Picture, *, across: bool) -> _Grid:
    """The grid lines of the picture, upright ones where labels run across."""
    ridge = ridges(picture.rgb, level=not across)
    lines = dark_lines(ridge, level=not across, least=0.2 * ridge.shape[0 if across else 1], threshold=0.025)
    return _Grid(tuple(lines), picture.rgb, across)


def _on_ticks(axis: Axis, dark: NDArray[np.float32], lines: Sequence[Line], grid: _Grid, words: Sequence[Word]) -> Axis:
    best, held = axis, np.zeros(0)
    reach = max(4.0, 0.12 * min(axis.spacing, 80.0))
    near = _near_lines(axis, lines, across=grid.across)
    for short in (False, True):
        for line in near:
            for outward in (1, -1) if grid.across else (-1, 1):
                marks = tick_places(dark, line, outward=outward, short=short)
                fitted = snapped(axis, marks, reach=reach)
                if line.level == grid.across and not short:
                    fitted = with_flush(fitted, words, marks, across=grid.across, reach=_FLUSH)
                if _support(fitted, axis) > _support(best, axis):
                    best, held = fitted, marks
            if best.on_ticks >= len(axis.values):
                break
        if best.on_ticks >= max(2, len(axis.values) - 1):
            if short:
                return best
            return continued(best, held) if grid.across else confirmed(best, held)
    meshed = _on_grid(axis, grid, reach=reach)
    best = meshed if meshed.on_ticks > best.on_ticks else best
    spans = best.on_ticks < 2 and _spans(axis, near)
    return replace(axis, on_ticks=len(axis.values)) if spans else best


def _support(fitted: Axis, axis: Axis) -> tuple[float, float]:
    """How many labels stand on tick marks, and how straight: what lies further from the middles of labels than their own error is less worth.

    Digits close under an axis line are as thin as tick marks; their strokes stand beside the middles.
    """
    aside = float(np.median(np.abs(fitted.pixel(np.asarray(axis.values)) - axis.pixels)))
    off = aside > max(_OFF_CENTRE, _OF_LETTER * (axis.band[1] - axis.band[0]))
    return fitted.on_ticks - (_BESIDE if off else 0.0), -fitted.residual


def _spans(axis: Axis, lines: Sequence[Line]) -> bool:
    """Whether one of the axis lines, all without tick marks, begins under the first of many labels and ends under the last."""
    low, high = min(axis.pixels), max(axis.pixels)
    straight = len(axis.values) > MIN_LABELS and axis.even and axis.residual < _EVEN
    return straight and any(abs(line.begin - low) < _ENDS and abs(line.end - high) < _ENDS for line in lines)


def _on_grid(axis: Axis, grid: _Grid, *, reach: float) -> Axis:
    """The axis refitted to grid lines that pass its labels, where there are no tick marks.

    Labels without a line may stand at the edges of a coloured panel, where its grid is not seen; they confirm the scale.
    """
    lines = grid.beside(axis)
    fitted = snapped(axis, np.array([g.place for g in lines]), reach=reach)
    if fitted.on_ticks < 2 or fitted.residual >= _STRAIGHT:
        return axis
    lost = [v for v in axis.values if v not in fitted.values]
    edges = grid.edges(lines) if lost else np.zeros(0)
    kept = [v for v in lost if len(edges) and np.abs(edges - float(fitted.pixel(v))).min() < _EDGE]
    places = dict(zip(fitted.values, fitted.pixels, strict=True)) | {v: float(fitted.pixel(v)) for v in kept}
    values = tuple(v for v in axis.values if v in places)
    return replace(
        fitted,
        pixels=tuple(places[v] for v in values),
        values=values,
        on_ticks=fitted.on_ticks + len(kept),
        left_out=fitted.left_out - len(kept),
    )


def _refined(axis: Axis, dark: NDArray[np.float32], lines: Sequence[Line], *, across: bool) -> Axis:
    """A hinted axis, moved halfway to the tick marks where those agree with it to a pixel.

    Hint and tick marks are two measurements of one scale, each good to half a pixel.
    """
    if axis.log or len(axis.pixels) < 2:
        return axis
    low, high = min(axis.pixels), max(axis.pixels)
    shifts: list[tuple[int, float]] = []
    for line in lines:
        if min(line.end, high + 8) - max(line.begin, low - 8) < 0.75 * (high - low):
            continue
        ticks = tick_places(dark, line, outward=1 if across else -1)
        # ticks fitted to the pixel grid stand half a pixel late on average; the hint does not
        ticks = ticks - (grid_phase(ticks.tolist()) or 0.0)
        gaps = _gaps(np.asarray(axis.pixels), ticks)
        if len(gaps) >= 2 and len(gaps) >= 0.7 * len(axis.pixels):
            shifts.append((len(gaps), float(np.mean(gaps))))
    if not shifts:
        return axis
    shift = max(shifts)[1]
    move = shift / 2 if abs(shift) <= 1 else shift
    return replace(axis.moved(move), on_ticks=max(shifts)[0])


def _banded(axis: Axis, rows: Sequence[Axis], y: Axis | None) -> Axis:
    """A hinted x axis with the band of the row of labels that agrees with it, else one just under the plot."""
    for row in rows:
        if not row.log and np.abs(np.asarray(axis.value(row.pixels)) - row.values).max() < 0.06 * np.ptp(row.values):
            return replace(axis, band=row.band)
    foot = max(y.pixels) if y is not None else 0.0
    return replace(axis, band=(foot + 6.0, foot + 20.0))


def _gaps(pixels: Array, ticks: Array) -> Array:
    if not len(ticks):
        return np.zeros(0)
    near = ticks[np.abs(ticks[None, :] - pixels[:, None]).argmin(axis=1)] - pixels
    return np.asarray(near[np.abs(near) <= 2.5])


def _grid_end(x: Axis, y: Axis, grid: _Grid) -> float:
    """Where level grid lines of a plot without an axis line end, right of its last label; NaN where there are none."""
    last, low, high = max(x.pixels), min(y.pixels) - 3, max(y.pixels) + 3
    ends = [g.end for g in grid.lines if low < g.place < high and last - 3 < g.end < last + 1.2 * x.spacing]
    return float(np.median(ends)) if len(ends) >= 2 else float("nan")


def _axis_line(x: Axis, y: Axis, lines: Sequence[Line]) -> tuple[float, float]:
    """Where the x axis line ends and its row: the line that spans the labels and lies nearest under the y labels."""
    low, high = min(x.pixels), max(x.pixels)
    under, tall = max(y.pixels), max(y.pixels) - min(y.pixels)
    found = [
        line
        for line in lines
        if line.begin < low + 12 and line.end > high - 12 and under - 6 < line.place < under + 0.45 * tall
    ]
    if not found:
        return float("nan"), float("nan")
    own = [line for line in found if not x.printed or line.place < x.band[0] + 2]
    return float(min(line.end for line in found)), float(max((line.place for line in own), default=np.nan))
