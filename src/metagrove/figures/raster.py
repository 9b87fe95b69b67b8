"""Pictures to readings: scales, arms, traces, marks and numbers at risk, each doubt named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.alignment import centred
from metagrove.figures.arms import ArmSpec, Scene, arm_specs
from metagrove.figures.axes import Axis, axis_unit, near_plot
from metagrove.figures.calibration import Scales, plot_scales
from metagrove.figures.checks import Finding, judged
from metagrove.figures.clearing import axis_mask, enclosed, letters, unframed, unguided, written
from metagrove.figures.dashes import dash_fit
from metagrove.figures.evidence import ArmLook, Canvas, canvas, coverage, gains
from metagrove.figures.frame import dark_lines, darkness
from metagrove.figures.hints import Hints
from metagrove.figures.hues import miscoloured
from metagrove.figures.image import Picture
from metagrove.figures.limits import limit_lines
from metagrove.figures.marks import mark_places
from metagrove.figures.ocr import Finder
from metagrove.figures.page import Word, colour_distance
from metagrove.figures.reading import ArmReading, FigureReading
from metagrove.figures.readout import Steps, snapped_by
from metagrove.figures.recount import recounted
from metagrove.figures.risk_table import risk_rows
from metagrove.figures.samples import Sample, legend_samples, lined, parted, unlined
from metagrove.figures.stripes import marked, stripes
from metagrove.figures.tracing import Trace, traced
from metagrove.figures.tracking import Path
from metagrove.figures.tying import Ground, named_and_counted, respelled
from metagrove.figures.words import legible, phrases, statistics, tokens

__all__ = ["picture_readings"]

_MARGIN = 7
# contrast between dashes and gaps: above the first a solid line is none, below the second a dashed one is none;
# another arm's pattern must explain a dashed line clearly worse than its own
_PLAIN, _FAINT_DASH, _RIVAL = 0.45, 0.15, 0.7
_DEEP = 0.09


@dataclass(frozen=True, slots=True, eq=False)
class _Plot:
    """A plot cut out of a picture: its scales, the rows and columns it takes, flipped where curves rise."""

    scales: Scales
    rows: tuple[int, int]
    columns: tuple[int, int]
    start: float
    rising: bool

    def survival(self, row: Array) -> Array:
        place = self.rows[1] - row if self.rising else self.rows[0] + row
        value = self.scales.y.value(place) / self.scales.scale
        return 1 - value if self.rising else value

    def time(self, column: Array) -> Array:
        return self.scales.x.value(self.columns[0] + column)


def picture_readings(
    picture: Picture, words: Sequence[Word], hints: Hints | None = None, *, find: Finder | None = None
) -> list[FigureReading]:
    """Every Kaplan-Meier figure in the picture; `words` are its words in pixels of the picture.

    `find` reads a number at a place where one is expected.
    """
    hints = hints or Hints()
    small = tokens(legible(words))
    readings = []
    plots = plot_scales(picture, small, hints)
    for scales in plots:
        others = [(p.x, p.y) for p in plots if p is not scales]
        reading = _reading(picture, near_plot(small, scales.x, scales.y, others), scales, hints, find)
        if reading is not None:
            readings.append(reading)
    readings.sort(key=lambda r: (round(r.frame[1] / 60), r.frame[0]))
    return [_in_file(r, picture) for r in readings]


def _in_file(reading: FigureReading, picture: Picture) -> FigureReading:
    """The same reading with its scales in the pixels of the file."""
    if picture.scale == 1 and picture.rotation == 0:
        return reading
    low, left = max(reading.y.pixels), min(reading.x.pixels)
    x = _refit(reading.x, [picture.there(p, low)[0] for p in reading.x.pixels])
    y = _refit(reading.y, [picture.there(left, p)[1] for p in reading.y.pixels])
    corners = picture.there(*reading.frame[:2]) + picture.there(*reading.frame[2:])
    cells = tuple(replace(c, box=picture.there(*c.box[:2]) + picture.there(*c.box[2:])) for c in reading.cells)
    return replace(reading, x=x, y=y, frame=corners, cells=cells, rotation=picture.rotation)


def _refit(axis: Axis, pixels: Sequence[float]) -> Axis:
    values = np.log10(axis.values) if axis.log else np.asarray(axis.values)
    slope, intercept = np.polyfit(np.asarray(pixels), values, 1)
    return replace(axis, pixels=tuple(map(float, pixels)), slope=float(slope), intercept=float(intercept))


def _reading(
    picture: Picture, near: list[Word], scales: Scales, hints: Hints, find: Finder | None
) -> FigureReading | None:
    names = phrases(near)
    ink = darkness(picture.rgb)
    foot = max(scales.y.pixels) if scales.y.log else min(float(scales.y.pixel(0.0)), max(scales.y.pixels))
    counted = recounted(risk_rows(near, scales.x, below=foot + 2), scales.x, find)
    rows = respelled(centred(counted, scales.x), names)
    samples = _samples(picture, ink, names, [r.label for r in rows])
    if len(samples) == 1 and any(r.label for r in rows) and samples[0].name not in [r.label for r in rows]:
        samples = []
    plot, scene = _scene(picture, ink, scales, near, samples, hints)
    specs, witnesses, findings = arm_specs(scene, samples, rows, names, hints)
    findings = [*findings, *unlined(samples, names)] if not hints.arms else findings
    if not specs:
        return None
    looks = [s.look for s in specs]
    field = canvas(scene.rgb, [s.look.colour for s in specs], scene.blank)
    trace = traced(field, looks, start=plot.start)
    foreign = [_foreign(trace, i) for i in range(len(looks))]
    own = [np.where(hidden, 0, coverage(field, look)) for hidden, look in zip(foreign, looks, strict=True)]
    snaps = snapped_by(trace.steps)
    if _lossless(field):
        # other lines stand where they should, while tick marks may have been fitted to the grid
        snaps = [0.0 if snap is None else snap for snap in snaps]
    arms = [_arm(plot, own[i], spec, trace, i, snaps[i]) for i, spec in enumerate(specs)]
    ground = Ground(scales.x, scales.y, scales.scale, plot.rising)
    arms, cells, more = named_and_counted(arms, rows, hints, names, ground)
    said = [(p.x0, p.y0, p.x1, p.y1) for p in phrases(near, gap=1.1) if written(p, least=0.45)]
    prose = _inside([*said, *statistics(near)], plot)
    findings = [*findings, *more, *_ink_doubts(field, prose, trace, looks, arms, plot)]
    findings += _dash_doubts(field, trace, looks, arms)
    findings += miscoloured(field, foreign, looks, trace.paths, arms)
    findings += _hidden_drops(trace, arms, plot)
    left, right = scales.x.pixel(0.0) if not scales.x.log else min(scales.x.pixels), plot.columns[1]
    ends = scales.y.pixel([0.0, scales.scale])
    reading = FigureReading(
        tuple(arms),
        scales.x,
        scales.y,
        scales.scale,
        "raster",
        "ok",
        (),
        tuple(cells),
        unit=axis_unit(near, scales.x) if scales.x.band != (0.0, 0.0) else "",
        direction="incidence" if plot.rising else "survival",
        frame=(float(left), float(ends.min()), float(right), float(ends.max())),
    )
    return judged(reading, findings, witnesses=witnesses, hints=hints, words=near)


def _samples(picture: Picture, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str]) -> list[Sample]:
    """The legend; where lines inside filled keys give these entries and more, that."""
    samples = legend_samples(picture.rgb, ink, names, labels)
    if not names:
        return samples
    names = parted(names, picture.rgb)
    reach = round(0.42 * float(np.median([w.size for w in names])))
    inside = legend_samples(picture.rgb, stripes(picture.rgb, max(reach, 3)), names, labels)
    more = len(inside) > max(len(samples), 1) and {s.name for s in samples[1:]} <= {s.name for s in inside}
    return inside if more else samples


def _scene(
    picture: Picture,
    ink: NDArray[np.float32],
    scales: Scales,
    words: list[Word],
    samples: list[Sample],
    hints: Hints,
) -> tuple[_Plot, Scene]:
    """The plot cut out, with letters and legend painted over and axis lines marked as saying nothing."""
    tall, wide = ink.shape
    left = float(scales.x.pixel(0.0)) if not scales.x.log else min(scales.x.pixels)
    last = max(scales.x.pixels)
    right = scales.right if np.isfinite(scales.right) else last + 0.6 * scales.x.spacing
    right = min(max(right, last) + 2, last + 1.2 * scales.x.spacing, wide)
    top = float(scales.y.pixel(scales.scale))
    bottom = _foot(scales, tall)
    r0, r1 = max(int(top) - _MARGIN, 0), min(int(np.ceil(bottom)) + _MARGIN, tall)
    c0, c1 = max(int(left), 0), int(right)
    cut = picture.rgb.copy()
    paper = np.median(cut[r0:r1, c0:c1].reshape(-1, 3), axis=0).astype(np.uint8)
    keys = [*letters(words), *statistics(words), *(_key(s) for s in samples)]
    erased = enclosed(ink, keys) | lined(samples, ink.shape)
    cut[erased] = paper
    unframed(erased, ink, samples)
    cut[erased] = paper
    crop, dark = cut[r0:r1, c0:c1], ink[r0:r1, c0:c1]
    blank: NDArray[np.bool_] = np.array(axis_mask(dark, round(bottom) - r0) | erased[r0:r1, c0:c1])
    blank[round(bottom) - r0 + 2 :] = True
    for line in dark_lines(ink, level=True, least=0.9 * (c1 - c0), threshold=0.25):
        row = round(line.place - 0.5) - r0
        beyond = line.begin < c0 - 2 and line.end > c1 - 12 and abs(row - (top - r0)) > 3
        if 0 <= row < len(blank) and (beyond or row < top - r0 - 3):
            blank[max(row - 2, 0) : row + 3] = True
    if not scales.y.log:
        unguided(blank, dark, float(scales.y.pixel(0.5 * scales.scale)) - r0, bottom - r0)
    rising = hints.direction == "incidence" or (hints.direction is None and _rises(dark, blank, top - r0, bottom - r0))
    start = top - r0
    if rising:
        crop, blank, start = crop[::-1], blank[::-1], r1 - float(scales.y.pixel(0.0))
    plot = _Plot(scales, (r0, r1), (c0, c1), start, rising)
    crop = np.ascontiguousarray(crop)
    return plot, Scene(picture.rgb, ink, crop, np.ascontiguousarray(blank), (r0, c0), erased)


def _key(sample: Sample) -> tuple[float, float, float, float]:
    """The box of a legend entry with its key, which may be filled and higher than the letters."""
    left, top, right, bottom = sample.box
    more = 0.7 * (bottom - top)
    return left - more, top - more, right, bottom + more


def _foot(scales: Scales, tall: int) -> float:
    """The lowest row in which curves can run: survival 0, or the x axis line where the axis begins above 0."""
    lowest = max(scales.y.pixels)
    if min(scales.y.values) < 0.06 * scales.scale and not scales.y.log:
        return float(scales.y.pixel(0.0))
    if np.isfinite(scales.foot) and scales.foot >= lowest - 3:
        return max(scales.foot - 1, lowest)
    low = scales.x.band[0] - 4 if scales.x.band[0] > lowest else lowest
    zero = tall if scales.y.log else float(scales.y.pixel(0.0))
    return max(min(low, zero), lowest)


def _inside(boxes: Sequence[tuple[float, float, float, float]], plot: _Plot) -> NDArray[np.bool_]:
    """The pixels of the plot that lie in boxes of the picture."""
    out = np.zeros((plot.rows[1], plot.columns[1]), dtype=bool)
    for box in boxes:
        left, top, right, bottom = (round(v) for v in box)
        out[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2] = True
    own = out[plot.rows[0] :, plot.columns[0] :]
    return np.asarray(own[::-1] if plot.rising else own)


def _rises(dark: NDArray[np.float32], blank: NDArray[np.bool_], top: float, bottom: float) -> bool:
    """Whether the lines begin at the foot of the plot: no ink near 1 at the start, some near 0.

    Lines that run on the axis at first show neither; then the first third of the plot tells.
    """
    wide = dark.shape[1]
    inked = (dark > 0.2) & ~blank
    first = inked[:, max(3, wide // 60) : max(10, wide // 20)]
    near = max(4.0, 0.12 * (bottom - top))
    rows = np.arange(dark.shape[0]) + 0.5
    head = first[np.abs(rows - top) < near].any(axis=0).mean()
    foot = first[(rows > bottom - near) & (rows < bottom - 1)].any(axis=0).mean()
    if head == foot == 0:
        third = inked[:, max(3, wide // 60) : wide // 3]
        head = third[np.abs(rows - top) < near].any(axis=0).mean()
        foot = 3 * third[(rows > bottom - near) & (rows < bottom - 1)].any(axis=0).mean()
    return bool(head < 0.2 and foot > 0.5)


def _arm(
    plot: _Plot, own: NDArray[np.float32], spec: ArmSpec, trace: Trace, index: int, snap: float | None
) -> ArmReading:
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
    shift = np.clip(first, -1.0, 1.0) / 2 if abs(first) < 2.5 and snap is None and whole else 0.0
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
    marks = mark_places(
        trace.paths[index], steps, own, look.width, tallest=max(4.0, 2.2 * look.width + 2, 0.02 * len(own))
    )
    marks = marks[marks <= steps.end + 1]
    if level[0] < 1 and trace.paths[index].enter[0] + 0.5 - plot.start < 4.5 + look.width:
        # the first drop falls into the first column
        time, level = np.append(0.0, time), np.append(1.0, level)
        s_error, t_error = np.append(s_error[0], s_error), np.append(t_error[0], t_error)
    falls = _falls_at_border(plot, trace.paths[index], own, look)
    border = float(x.pixel(max(x.values)))
    if abs(plot.columns[0] + steps.end - border) < 3 and plot.columns[1] - border <= 6:
        end = max(x.values)  # the line runs into the right border, which stands at the last label
    order = np.maximum.accumulate(np.append(time, end))
    return ArmReading(
        spec.name,
        look.colour,
        look.style,
        order,
        np.minimum.accumulate(np.append(level, 0.0 if falls else level[-1])),
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


def _foreign(trace: Trace, index: int) -> NDArray[np.bool_]:
    """Where other arms' strokes lie."""
    out = np.zeros(trace.covers[index].shape, dtype=bool)
    for j, cover in enumerate(trace.covers):
        if j != index:
            out |= cover == 2
    return out


def _on_foot(steps: Steps, plot: _Plot, look: ArmLook) -> Array:
    """The heights, a last drop that ends within a line's width of survival 0 taken all the way down."""
    height = steps.height.copy()
    zero = _zero_row(plot)
    near = look.width + 1.5 + (look.dash.off if look.style != "solid" else 0.0)
    if len(height) > 1 and 0 < zero - height[-1] < near and height[-1] - height[-2] > near:
        height[-1] = zero
    return height


def _lossless(field: Canvas) -> bool:
    """Whether paper near lines is as clean as elsewhere: strong JPEG compression leaves ripples there."""
    import cv2

    ink = (field.e_paper > 900).astype(np.uint8)
    near = cv2.dilate(ink, np.ones((15, 15), np.uint8)) > 0
    ring = near & (cv2.dilate(ink, np.ones((7, 7), np.uint8)) == 0)
    return bool(ring.any() and (field.e_paper[ring] < 2).mean() > 0.9)


def _zero_row(plot: _Plot) -> float:
    """The row of survival 0 in the plot."""
    y = plot.scales.y
    return plot.rows[1] - float(y.pixel(plot.scales.scale)) if plot.rising else float(y.pixel(0.0)) - plot.rows[0]


def _falls_at_border(plot: _Plot, path: Path, own: NDArray[np.float32], look: ArmLook) -> bool:
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


def _dash_doubts(field: Canvas, trace: Trace, looks: Sequence[ArmLook], arms: Sequence[ArmReading]) -> list[Finding]:
    """Doubts whether arms of one ink were told apart by their dashes: each must fit its own pattern best."""
    out = []
    for i, look in enumerate(looks):
        rivals = [
            j
            for j, other in enumerate(looks)
            if j != i and colour_distance(other.colour, look.colour) < 60 and other.dash != look.dash
        ]
        if not rivals:
            continue
        gain = gains(field, looks, i, [None] * len(looks))
        hidden = _foreign(trace, i) | field.blank
        own = dash_fit(trace.paths[i], gain, hidden, look.dash)
        for j in rivals:
            other = dash_fit(trace.paths[i], gain, hidden, looks[j].dash)
            if other > (_RIVAL * own if look.dash.off else _PLAIN):
                out.append(Finding(f"'{arms[i].name}' is drawn in the dashes of '{arms[j].name}'"))
            elif look.dash.off and own < _FAINT_DASH:
                out.append(Finding(f"'{arms[i].name}' does not show its own dashes"))
    return list(dict.fromkeys(out))


def _hidden_drops(trace: Trace, arms: Sequence[ArmReading], plot: _Plot) -> list[Finding]:
    """Doubts about deep drops that no ink of their own shows: a tenth of the patients at an unproven time."""
    out = []
    for arm, steps in zip(arms, trace.steps, strict=True):
        for column, depth in steps.unseen:
            level = float(np.interp(column, steps.begin, steps.height))
            drop = float(plot.survival(np.array(level)) - plot.survival(np.array(level + depth)))
            if drop > _DEEP:
                time = float(plot.time(np.array(column)))
                out.append(
                    Finding(f"'{arm.name}' drops by {drop:.2f} at {time:g}, where its upright line does not show")
                )
    return out


def _ink_doubts(
    field: Canvas,
    prose: NDArray[np.bool_],
    trace: Trace,
    looks: Sequence[ArmLook],
    arms: Sequence[ArmReading],
    plot: _Plot,
) -> list[Finding]:
    """Doubts from what the traces and the `prose` leave unexplained and from how well each arm shows its own ink."""
    import cv2

    out = []
    inked = (field.e_paper > 70.0**2) & ~field.blank & ~prose
    distance = np.full(inked.shape, 1e9, dtype=np.float32)
    for cover in trace.covers:
        distance = np.minimum(distance, cv2.distanceTransform((cover != 2).astype(np.uint8), cv2.DIST_L2, 3))
    for arm, path in zip(arms, trace.paths, strict=True):
        if arm.survival[-1] == 0 < arm.survival[-2]:
            distance[path.leave[-1] :, max(path.last - 2, 0) :] = 0
    inked &= ~limit_lines(field, inked & (distance > 2), looks, trace.paths)
    total = max(int(inked.sum()), 1)
    width = max(look.width for look in looks)
    cover = np.any([c == 2 for c in trace.covers], axis=0)
    inked &= ~marked(inked, cover, max(12.0, 0.09 * len(inked)))
    far = float((inked & (distance > max(9.0, 2.2 * width + 2, 0.018 * len(inked)))).sum() / total)
    near = float((inked & (distance > 2)).sum() / total)
    if far > 0.04:
        out.append(Finding(f"{100 * far:.0f} % of the ink in the plot belongs to no curve that was found"))
    if near > 0.3:
        out.append(Finding(f"{100 * near:.0f} % of the ink lies beside the curves that were found"))
    wide = plot.columns[1] - plot.columns[0]
    foot = len(inked) - _MARGIN - 1
    for arm, path, look in zip(arms, trace.paths, looks, strict=True):
        cut = not plot.rising and float(plot.survival(np.array(float(foot)))) > 0.03
        if cut and path.leave[-1] + look.width + 2 > foot:
            out.append(Finding(f"'{arm.name}' runs into the foot of the plot at {float(arm.survival[-1]):.2f}"))
    for arm, path, power, shown, look in zip(arms, trace.paths, trace.strength, trace.visible, looks, strict=True):
        if power < (0.1 if look.style == "solid" else 0.0):
            out.append(Finding(f"'{arm.name}' is faint along its own line"))
        if shown < 0.25:
            out.append(
                Finding(f"'{arm.name}' is hidden behind other curves for {100 * (1 - shown):.0f} % of its length")
            )
        if len(path.leave) < 0.25 * wide:
            out.append(Finding(f"'{arm.name}' ends after {100 * len(path.leave) / wide:.0f} % of the time axis"))
    return out
