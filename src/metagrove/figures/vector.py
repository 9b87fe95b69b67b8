"""Vector pages to readings: axes, curves, marks and numbers at risk, exact to the precision of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.doubts.checks import judged
from metagrove.figures.doubts.dashes import BEYOND_END, UNPLACED_DROP, UNREAD_DASHES
from metagrove.figures.findings import Finding
from metagrove.figures.hints import Hints
from metagrove.figures.legend.entries import coloured_name, legend_entries, sample_names
from metagrove.figures.page import Page, Stroke, Word, colour_distance
from metagrove.figures.reading import ArmReading, FigureReading
from metagrove.figures.scales.axes import MIN_LABELS, Axis, column_axes, row_axes
from metagrove.figures.scales.insets import is_inset
from metagrove.figures.scales.surroundings import axis_unit, near_plot
from metagrove.figures.scales.survival_axis import drawn_scale, from_zero, hinted_scale
from metagrove.figures.scales.tick_marks import snapped, with_flush
from metagrove.figures.strokes.dash_chains import with_lines
from metagrove.figures.strokes.left import all_explained, beyond_end, outlined_dashes, unread_bars
from metagrove.figures.strokes.staircases import Staircase, censor_marks, ragged_lines, staircases, without_limits
from metagrove.figures.table.blanks import with_blanks
from metagrove.figures.table.columns import column_axis
from metagrove.figures.table.evidence import Ground
from metagrove.figures.table.recount import recounted
from metagrove.figures.table.risk_table import risk_rows
from metagrove.figures.table.rows import RiskRow
from metagrove.figures.table.swatches import drawn_patches, keyed
from metagrove.figures.table.tying import named_and_counted
from metagrove.figures.writing.ocr import Finder
from metagrove.figures.writing.words import phrases, tokens

__all__ = ["page_readings"]

_LABEL_TOLERANCE = 1.6
_MARK_SIZE = 14.0
_START = 0.004
# points: how far from time 0 and survival 1 a curve begins
_NEAR_START = 1.5
# points: how exactly a label that is set flush has its tick mark
_FLUSH = 0.3
# points: how wide a tick mark is at most that is drawn as an area, and how many corners that has, the first twice
_THICK, _BAR = 2.0, 6
# of the width and height: how late and how low curves may begin that programs draw from their first time on
_LATE, _LOW = 0.05, 0.07
# points: how near curves begin to the corner that labels without tick marks give, and how straight these stand
_BEGUN, _STRAIGHT = 0.6, 0.3
# points: half a pixel of any screen, and how exactly all curves begin at one place
_CRISP, _FIRM = (0.2, 0.8), 0.05


@dataclass(frozen=True, slots=True)
class _Plot:
    x: Axis
    y: Axis
    scale: float
    curves: tuple[Staircase, ...]

    @property
    def frame(self) -> tuple[float, float, float, float]:
        ends = self.y.pixel([0.0, self.scale]) if not self.y.log else np.array(self.y.pixels)
        right = max(*self.x.pixels, *(float(c.points[-1, 0]) for c in self.curves))
        return min(self.x.pixels), float(min(ends)), right, float(max(ends))


def page_readings(page: Page, hints: Hints | None = None, *, find: Finder | None = None) -> list[FigureReading]:
    """Every Kaplan-Meier figure drawn on the page, top to bottom; empty where there is none.

    `find` reads a number at a place, where the page's words were read from its picture.
    """
    hints = hints or Hints()
    page = replace(page, strokes=with_lines(page.strokes))
    curves = [c for c in staircases(page.strokes) if len(c.levels[0]) > 1]
    if not curves:
        return []
    words = tokens(page.words)
    plots = _plots(page, words, curves, hints)
    axes = [(p.x, p.y) for p in plots]
    plots = [p for p in plots if not is_inset((p.x, p.y), axes)]
    readings = [_reading(page, words, plot, [p for p in plots if p is not plot], hints, find) for plot in plots]
    return sorted(readings, key=lambda r: (round(r.frame[1] / 40), r.frame[0]))


def _plots(page: Page, words: list[Word], curves: list[Staircase], hints: Hints) -> list[_Plot]:
    if hints.x is not None and hints.y is not None:
        rows, columns = [hints.x], [hints.y]
    else:
        rows = [_on_ticks(a, page.strokes, words, across=True) for a in row_axes(words, tolerance=_LABEL_TOLERANCE)]
        columns = [
            from_zero(_on_ticks(a, page.strokes, words, across=False))
            for a in column_axes(words, tolerance=_LABEL_TOLERANCE)
        ]
        rows = [hints.x] if hints.x is not None else rows
        columns = [hints.y] if hints.y is not None else columns
    offers: list[tuple[tuple[float, ...], _Plot]] = []
    for x in rows:
        for y in columns:
            if hints.x is None and hints.y is None and not _corner(x, y):
                continue
            scale = hinted_scale(y) if hints.y is not None else drawn_scale(y)
            own = [c for c in curves if scale is not None and _starts(c, x, y, scale)]
            if scale is not None and own:
                support = (len(own), x.on_ticks + y.on_ticks, len(x.values) + len(y.values), -x.band[0])
                offers.append((support, _Plot(x, y, scale, tuple(own))))
    chosen: list[_Plot] = []
    taken: set[int] = set()
    for _, plot in sorted(offers, key=lambda o: o[0], reverse=True):
        free = [c for c in plot.curves if id(c) not in taken]
        if free and len(free) == len(plot.curves):
            taken |= {id(c) for c in free}
            chosen.append(plot)
    return chosen


def _corner(x: Axis, y: Axis) -> bool:
    """Whether a row and a column of labels can frame one plot: the column left of or at the row's start, above it."""
    width = max(x.pixels) - min(x.pixels)
    low, high = max(y.pixels), min(y.pixels)
    height = low - high
    beside = y.band[1] < min(x.pixels) + 0.2 * width and min(x.pixels) - y.band[1] < 0.5 * width
    under = x.band[0] > low - 0.1 * height and x.band[0] - low < 0.8 * height
    return beside and under


def _starts(curve: Staircase, x: Axis, y: Axis, scale: float) -> bool:
    """Whether the line begins at time 0 and survival 1 (falling) or 0 (rising) and stays inside the axes."""
    zero = float(x.pixel(0.0)) if not x.log else min(x.pixels)
    full = float(y.pixel(0.0 if curve.rising else scale))
    if not np.isfinite(full):
        return False
    begins = abs(curve.points[0, 0] - zero) < _NEAR_START and abs(curve.points[0, 1] - full) < _NEAR_START
    begins = begins or _late(curve, zero, full, x, abs(float(y.pixel(scale)) - float(y.pixel(0.0))))
    inside = float(curve.points[-1, 0]) <= max(x.pixels) + 1.2 * x.spacing
    if _frames(curve, zero, abs(float(y.pixel(scale)) - float(max(y.pixels)))):
        return False
    values = y.value(curve.points[[0, -1], 1]) / scale
    return bool(begins and inside and values.min() > -0.03 and values.max() < 1.03)


def _late(curve: Staircase, zero: float, full: float, x: Axis, tall: float) -> bool:
    """Whether a line of many steps begins a little right of time 0, at survival 1 or one step below it."""
    right = float(curve.points[0, 0]) - zero
    below = float(curve.points[0, 1]) - full if not curve.rising else full - float(curve.points[0, 1])
    wide = max(x.pixels) - min(x.pixels)
    many = len(curve.levels[0]) > 3 and float(curve.points[-1, 0]) - zero > 0.3 * wide
    return not x.log and many and -1.5 < right < _LATE * wide and -1.5 < below < _LOW * tall


def _frames(curve: Staircase, zero: float, tall: float) -> bool:
    """Whether a line is a piece of the frame: a full height at one end, or one corner only, where it ends."""
    starts, heights = curve.levels
    jump = float(np.abs(np.diff(heights)).max())
    corner = float(starts[int(np.argmax(np.abs(np.diff(heights)))) + 1])
    at_end = corner - zero < 1.5 or float(curve.points[-1, 0]) - corner < 1.5
    return at_end and (jump > 0.97 * tall or (len(heights) == 2 and curve.pieces > 1))


def _on_ticks(axis: Axis, strokes: Sequence[Stroke], words: Sequence[Word], *, across: bool) -> Axis:
    """The axis refitted to short strokes (else grid lines) that begin within a letter or two of its labels."""
    along, aside = (0, 1) if across else (1, 0)
    edge = axis.band[0] if across else axis.band[1]
    size = max(axis.band[1] - axis.band[0], 5.0) if across else 8.0
    short: list[float] = []
    long: list[float] = []
    for stroke in strokes:
        box = stroke.box
        if stroke.colour is None and stroke.fill is None:
            continue
        extent = box[aside + 2] - box[aside]
        # a mark drawn as an area is as wide as its pen; letters are no bars
        bar = stroke.colour is None and len(stroke.points) <= _BAR
        thick = min(_THICK, extent / 2) if bar else 0.0
        if box[along + 2] - box[along] > max(1.0, thick):
            continue
        end = box[aside + 2] if across else box[aside]
        gap = (edge - end) if across else (end - edge)
        if -0.6 * size <= gap <= 2.2 * size and extent > 0.8:
            (short if extent < 16 else long).append((box[along] + box[along + 2]) / 2)
    marks = np.unique(short)
    fitted = snapped(axis, marks, reach=2.6)
    if fitted.on_ticks < 2:
        marks = np.unique(long)
        fitted = snapped(axis, marks, reach=2.6)
    return with_flush(fitted, words, marks, across=across, reach=_FLUSH)


def _reading(
    page: Page, words: list[Word], plot: _Plot, others: Sequence[_Plot], hints: Hints, find: Finder | None
) -> FigureReading:
    findings: list[Finding] = []
    plot = plot if hints.x is not None or hints.y is not None else _anchored(_uncrisped(plot))
    near = near_plot(words, plot.x, plot.y, [(p.x, p.y) for p in others])
    names = phrases(near)
    rows = _counted(page, near, plot, find)
    entries = {w.text for _, w in legend_entries(page.strokes, names)}
    listed = len(entries)
    curves, limits = without_limits(plot.curves, ragged_lines(page.strokes), expected=len(rows) or listed)
    directions = {c.rising for c in curves}
    if len(directions) > 1:
        findings.append(Finding("some lines fall from 1 and some rise from 0; only the falling ones were kept"))
        curves = [c for c in curves if not c.rising]
    rising = curves[0].rising
    left, top, right, bottom = plot.frame
    found = sample_names(curves, page.strokes, names)
    # a curve may be named by a sample that is longer than the others
    listed = len(entries | {n for n in found if n}) if entries else 0
    found = [
        n or coloured_name(c.colour, names, (left, top, right + 4, bottom)) for n, c in zip(found, curves, strict=True)
    ]
    kept = [i for i, c in enumerate(curves) if found[i] is not None or not _thin_limit(c, curves, found)]
    curves, found, limits = [curves[i] for i in kept], [found[i] for i in kept], limits + len(curves) - len(kept)
    marks = censor_marks(curves, [s for s in page.strokes if _within(s, plot)], size=_MARK_SIZE)
    arms = [_arm(c, plot, n, m) for c, n, m in zip(curves, found, marks, strict=True)]
    ground = Ground(plot.x, plot.y, plot.scale, rising)
    arms, cells, more = named_and_counted(arms, rows, hints, names, ground)
    findings += more
    witnesses = [w for w in (_named_count(listed, found, names, plot), len(rows)) if w]
    if not witnesses and _all_drawn(page, plot, curves):
        witnesses = [len(arms)]
    unread = max(outlined_dashes(page.strokes, plot.frame), unread_bars(page.strokes, plot.frame))
    reading = FigureReading(
        tuple(arms),
        plot.x,
        plot.y,
        plot.scale,
        "vector",
        "ok",
        (),
        tuple(cells),
        unit=axis_unit(near, plot.x),
        direction="incidence" if rising else "survival",
        page=page.number,
        frame=(left, top, right, bottom),
        checks=(
            ("limits_left_out", float(limits)),
            (UNREAD_DASHES, float(unread)),
            (UNPLACED_DROP, max((_unplaced(c, plot) for c in curves), default=0.0)),
            (BEYOND_END, max((_beyond(c, page.strokes, plot) for c in curves), default=0.0)),
        ),
    )
    return judged(reading, findings, witnesses=witnesses, hints=hints, words=near)


def _counted(page: Page, near: list[Word], plot: _Plot, find: Finder | None) -> list[RiskRow]:
    """The rows of numbers at risk under or over the plot."""
    below, above = min(plot.frame[3], max(plot.y.pixels)) + 1, min(plot.frame[1], *plot.y.pixels)
    x = column_axis(near, plot.x, below=below)
    rows = recounted(risk_rows(near, x, below=below, above=above), x, find)
    rows = with_blanks(rows, x, None) if find is None else rows
    return keyed(rows, drawn_patches(rows, near, page.strokes))


def _all_drawn(page: Page, plot: _Plot, curves: Sequence[Staircase]) -> bool:
    """Whether the curves are all that the plot shows; lines of one look may be an arm and its limits."""
    looks = {(c.colour, c.dash) for c in curves}
    return len(looks) == len(curves) and all_explained(page.strokes, [c.points for c in plot.curves], plot.frame)


def _uncrisped(plot: _Plot) -> _Plot:
    """The plot with its axes where its curves begin, if these stand off them by the same across and down.

    Programs that draw for screens (D3, ECharts) move ticks and axis lines, but no curve, by half a pixel both ways.
    """
    if plot.x.log or plot.y.log:
        return plot
    top = float(plot.y.pixel(0.0 if plot.curves[0].rising else plot.scale))
    off = np.array([[c.points[0, 0] - float(plot.x.pixel(0.0)), c.points[0, 1] - top] for c in plot.curves])
    # those drawn from their first time on begin elsewhere
    off = off[np.abs(off).max(axis=1) < _NEAR_START]
    if not len(off):
        return plot
    right, down = off.mean(axis=0)
    # marks on whole pixels say only about where the axis is
    slack = max(_FIRM, plot.x.residual, plot.y.residual)
    if np.ptp(off, axis=0).max() > _FIRM or abs(right - down) > slack or not _CRISP[0] < abs(right) < _CRISP[1]:
        return plot
    return replace(plot, x=plot.x.moved(float(right)), y=plot.y.moved(float(down)))


def _anchored(plot: _Plot) -> _Plot:
    """The plot, its labels without tick marks confirmed by curves that begin where the labels put time 0 and survival 1."""
    starts = np.array([c.points[0] for c in plot.curves])
    full = 0.0 if plot.curves[0].rising else plot.scale
    x, y = plot.x, plot.y
    if not x.log and np.abs(starts[:, 0] - float(x.pixel(0.0))).max() < _BEGUN:
        x = _confirmed(x)
    if not y.log and np.abs(starts[:, 1] - float(y.pixel(full))).max() < _BEGUN:
        y = _confirmed(y)
    return replace(plot, x=x, y=y)


def _confirmed(axis: Axis) -> Axis:
    """An even scale of four labels or more, straight to a fraction of a point, as good as on tick marks."""
    firm = not axis.on_ticks and len(axis.values) > MIN_LABELS and axis.even and axis.residual < _STRAIGHT
    return replace(axis, on_ticks=len(axis.values)) if firm else axis


def _named_count(listed: int, found: Sequence[str | None], names: Sequence[Word], plot: _Plot) -> int:
    """How many arms the legend lists; without a legend, how many names in colour stand in the plot.

    Coloured names fewer than the curves say nothing, since names are often black.
    """
    if listed > 1:
        return listed
    left, top, right, bottom = plot.frame
    inks = [
        w.colour
        for w in names
        if w.colour is not None and max(w.colour) - min(w.colour) >= 40 and sum(c.isalpha() for c in w.text) > 2
        if left <= w.cx <= right + 4 and top <= w.cy <= bottom
    ]
    count = len(set(inks))
    return max(listed, count) if max(listed, count) >= len(found) else 0


def _thin_limit(curve: Staircase, curves: Sequence[Staircase], names: Sequence[str | None]) -> bool:
    """Whether a line without a name is a thinner companion of a named curve in its colour: a confidence limit."""
    return any(
        name is not None and colour_distance(c.colour, curve.colour) < 6 and curve.width < 0.8 * c.width
        for c, name in zip(curves, names, strict=True)
    )


def _within(stroke: Stroke, plot: _Plot) -> bool:
    left, top, right, bottom = plot.frame
    box = stroke.box
    return box[0] > left - 8 and box[2] < right + 8 and box[1] > top - 8 and box[3] < bottom + 8


def _arm(curve: Staircase, plot: _Plot, name: str | None, marks: Array) -> ArmReading:
    starts, heights = curve.levels
    time = plot.x.value(starts) if not plot.x.log else np.maximum(plot.x.value(starts), 0)
    level = plot.y.value(heights) / plot.scale
    level = 1 - level if curve.rising else level
    end = float(plot.x.value(float(curve.points[-1, 0])))
    time, level = np.append(time, end), np.append(level, level[-1])
    level = np.clip(level, 0, 1)
    if abs(level[0] - 1) >= _START:
        # before its first time nobody has died
        time, level = np.append(0.0, time), np.append(1.0, level)
    level[0] = 1.0 if abs(level[0] - 1) < _START else level[0]
    time = np.maximum(time, 0)
    time[0] = 0.0
    # a drawing program rounds coordinates; 0.01 points is the coarsest rounding seen in practice
    per_x, per_y = abs(_per_pixel(plot.x)), abs(_per_pixel(plot.y)) / plot.scale
    t_error = np.full(len(time), (0.01 + plot.x.residual) * per_x)
    s_error = np.full(len(time), (0.01 + plot.y.residual) * per_y)
    for stretch in curve.hidden:
        # a drop between two dashes may stand anywhere between them
        left, right = (float(plot.x.value(v)) for v in (stretch[0] - _FLUSH, stretch[1] + _FLUSH))
        inside = (time >= left) & (time <= right)
        t_error[inside] = np.maximum(t_error[inside], (right - left) / 2)
    style = "solid" if not curve.dash else "dotted" if max(curve.dash[:1]) <= 2 * max(curve.width, 0.5) else "dashed"
    return ArmReading(
        name or "", curve.colour, style, time, np.minimum.accumulate(level), t_error, s_error, plot.x.value(marks)
    )


def _beyond(curve: Staircase, strokes: Sequence[Stroke], plot: _Plot) -> float:
    others = [c.points for c in plot.curves if c is not curve]
    return beyond_end(strokes, curve, others, plot.frame[2])


def _unplaced(curve: Staircase, plot: _Plot) -> float:
    """The deepest drop between two dashes that the file does not place, as survival."""
    drops = [float(np.ptp(curve.height(np.linspace(*h, 12)[1:-1]))) for h in curve.hidden]
    return max(drops, default=0.0) * abs(_per_pixel(plot.y)) / plot.scale


def _per_pixel(axis: Axis) -> float:
    if not axis.log:
        return axis.slope
    middle = float(np.mean(axis.pixels))
    return float(axis.value(middle + 0.5) - axis.value(middle - 0.5))
