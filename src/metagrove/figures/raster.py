"""Pictures to readings: scales, arms, traces, marks and numbers at risk, each doubt named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.anchors import anchored
from metagrove.figures.curve_labels import labels_beside
from metagrove.figures.doubts.checks import judged, trace_doubts
from metagrove.figures.doubts.furniture import words_in
from metagrove.figures.doubts.ink import witnesses_of
from metagrove.figures.doubts.traced_plot import TracedPlot, traced_plot
from metagrove.figures.files.image import Picture
from metagrove.figures.findings import Finding
from metagrove.figures.hints import Hints
from metagrove.figures.hypotheses import supposed
from metagrove.figures.last_drop import with_last_drops
from metagrove.figures.legend.arms import arm_specs, with_marks
from metagrove.figures.legend.numerals import relabelled, with_numerals
from metagrove.figures.legend.pointers import Pointer, pointers
from metagrove.figures.legend.samples import Sample, unlined
from metagrove.figures.page import Word, number
from metagrove.figures.plot import Plot, samples_of, scene_of
from metagrove.figures.reading import ArmReading, FigureReading
from metagrove.figures.scales.axes import Axis, axis_unit, near_plot
from metagrove.figures.scales.calibration import Scales, plot_scales
from metagrove.figures.scales.frame import darkness, levelled
from metagrove.figures.scales.grid import ungridded
from metagrove.figures.scales.squared import unsquared
from metagrove.figures.table.blanks import with_blanks
from metagrove.figures.table.columns import column_axis
from metagrove.figures.table.doubted_counts import centred
from metagrove.figures.table.recount import recounted
from metagrove.figures.table.risk_table import risk_rows
from metagrove.figures.table.rows import RiskRow, towards_plot
from metagrove.figures.table.swatches import coloured_patches, keyed
from metagrove.figures.table.tying import Ground, named_and_counted, respelled
from metagrove.figures.writing.naming import named_like, names_a_fit
from metagrove.figures.writing.ocr import Finder
from metagrove.figures.writing.words import legible, phrases, romans, tenths, tokens

__all__ = ["picture_readings"]

# pixels that a plot is wide and high at least
_LEAST = 40.0
# how near pixels are to a colour, of 441, from where on it is one, and the share of a box that words printed in it take
_OWN, _COLOURED, _PRINTED = 60.0, 60.0, 0.05


def picture_readings(
    picture: Picture, words: Sequence[Word], hints: Hints | None = None, *, find: Finder | None = None
) -> list[FigureReading]:
    """Every Kaplan-Meier figure in the picture; `words` are its words in pixels of the picture.

    `find` reads a number at a place where one is expected.
    """
    hints = hints or Hints()
    small = tenths(tokens(legible(romans(words))))
    picture = replace(picture, rgb=levelled(picture.rgb))
    plots = plot_scales(picture, small, hints)
    plots = [p for p in plots if _ruled(p)] or plots
    readings = _readings(picture, small, plots, hints, find)
    if 0 < len(readings) < len(plots):
        # numbers of a table that pass for the scales of a plot keep it from the plot that it belongs to
        real = [p for p in plots if id(p) in readings]
        around = [_around(small, p, plots) for p in real]
        if around != [_around(small, p, real) for p in real]:
            readings = _readings(picture, small, real, hints, find)
    found = sorted(readings.values(), key=lambda r: (round(r.frame[1] / 60), r.frame[0]))
    return [_in_file(r, picture) for r in found]


def _readings(
    picture: Picture, words: list[Word], plots: Sequence[Scales], hints: Hints, find: Finder | None
) -> dict[int, FigureReading]:
    """What was read in each plot that has curves, by the identity of its scales."""
    found = {}
    for scales in plots:
        if not _spacious(scales):
            continue
        plain = unsquared(picture.rgb, scales.x, scales.y)
        clear = replace(picture, rgb=ungridded(plain, scales.x, scales.y))
        reading = _reading(clear, _around(words, scales, plots), scales, hints, find)
        if reading is not None:
            found[id(scales)] = reading
    return found


def _around(words: list[Word], scales: Scales, plots: Sequence[Scales]) -> list[Word]:
    return near_plot(words, scales.x, scales.y, [(p.x, p.y) for p in plots if p is not scales])


def _ruled(scales: Scales) -> bool:
    """Whether each scale has tick marks or is even: numbers of a table in line with each other have neither."""
    return all(axis.even or axis.on_ticks or axis.log for axis in (scales.x, scales.y))


def _spacious(scales: Scales) -> bool:
    """Whether a curve has room between the axes: a figure crowded out by its own table has none."""
    high = abs(float(scales.y.pixel(scales.scale)) - max(scales.y.pixels))
    return high > _LEAST and max(scales.x.pixels) - min(scales.x.pixels) > _LEAST


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
    ink = darkness(picture.rgb)
    read = phrases(near)
    names = with_numerals(read, ink)
    rows = relabelled(_counted(picture, ink, near, names, scales, find), read, names)
    samples = _apart(samples_of(picture, ink, names, [r.label for r in rows]), rows, scales.x)
    samples = [s for s in samples if not names_a_fit(s.name)]
    if len(samples) == 1 and any(r.label for r in rows) and samples[0].name not in [r.label for r in rows]:
        samples = []
    plot, scene = scene_of(picture, ink, scales, near, samples, hints)
    scene = with_marks(scene, samples)
    specs, witnesses, findings = arm_specs(scene, samples, rows, names, hints)
    findings = [*findings, *unlined(samples, names)] if not hints.arms else findings
    if not specs:
        return None
    prose = words_in(plot, near)
    free = len(samples) < 2 and not hints.arms
    specs, field, trace, limits = supposed(scene, plot, specs, prose, most=len(rows), free=free)
    seen = traced_plot(plot, specs, field, trace, picture.rgb)
    arrows = _arrows(seen, plot, _pointing(names, rows) if any(not s.name for s in specs) else [])
    arms = _pointed_at(seen.arms, arrows)
    witnesses = _counted_by_arrows(arms, arrows, witnesses)
    if not plot.rising and picture.rotation == 0:
        arms = with_last_drops(arms, scales.x, scales.y, scales.scale, picture.rgb)
    ground = Ground(scales.x, scales.y, scales.scale, plot.rising)
    if free and not rows and not arrows and (len(arms) < 2 or not all(a.name for a in arms)):
        arms, witnesses, more = _called(arms, phrases(near, gap=1.1), ground, witnesses)
        findings = [*findings, *more]
    arms, cells, more = named_and_counted(arms, rows, hints, names, ground)
    seen = seen.named(arms, np.any([prose, limits, *(a.ink for _, a in arrows)], axis=0))
    if seen.curveless and not hints.arms:
        return None
    findings = [*findings, *more, *trace_doubts(seen)]
    x, y = (scales.x, scales.y) if hints.x is not None or hints.y is not None else anchored(seen)
    reading = FigureReading(
        tuple(arms),
        x,
        y,
        scales.scale,
        "raster",
        "ok",
        (),
        tuple(cells),
        unit=axis_unit(near, scales.x) if scales.x.band != (0.0, 0.0) else "",
        direction="incidence" if plot.rising else "survival",
        frame=_frame(scales, plot),
    )
    return judged(reading, findings, witnesses=witnesses_of(seen, witnesses), hints=hints, words=near)


def _counted(
    picture: Picture,
    ink: NDArray[np.float32],
    near: list[Word],
    names: Sequence[Word],
    scales: Scales,
    find: Finder | None,
) -> list[RiskRow]:
    """The rows of numbers at risk under or over the plot."""
    foot = max(scales.y.pixels) if scales.y.log else min(float(scales.y.pixel(0.0)), max(scales.y.pixels))
    x = column_axis(near, scales.x, below=foot + 2)
    rows = recounted(risk_rows(near, x, below=foot + 2, above=min(scales.y.pixels), find=find), x, find)
    rows = with_blanks(rows, x, ink)
    rows = keyed(rows, coloured_patches(rows, picture.rgb))
    return respelled(centred(rows, x), names)


def _frame(scales: Scales, plot: Plot) -> tuple[float, float, float, float]:
    left = scales.x.pixel(0.0) if not scales.x.log else min(scales.x.pixels)
    ends = scales.y.pixel([0.0, scales.scale])
    return float(left), float(ends.min()), float(plot.columns[1]), float(ends.max())


def _called(
    arms: list[ArmReading], names: Sequence[Word], ground: Ground, witnesses: list[int]
) -> tuple[list[ArmReading], list[int], list[Finding]]:
    """The arms under the names beside their curves, which confirm their number; a legend of one entry says nothing."""
    near, labels = labels_beside(arms, names, ground)
    if labels is not None:
        return [replace(a, name=label) for a, label in zip(arms, labels, strict=True)], [len(arms)], []
    if near > 1:
        return arms, [near], [Finding("the names beside the curves do not say clearly which is whose")]
    return arms, witnesses if len(arms) == 1 or max(witnesses, default=1) > 1 else [], []


def _apart(samples: list[Sample], rows: Sequence[RiskRow], x: Axis) -> list[Sample]:
    """The legend without strokes in the heading of a table whose rows bear other names."""
    labels = [r.label for r in rows if r.label]
    if len(labels) < len(rows) or not rows or x.band == (0.0, 0.0):
        return samples
    foot = max(r.height for r in rows)
    heading = [
        s for s in samples if x.band[1] < (s.box[1] + s.box[3]) / 2 < foot and named_like(s.name, labels) is None
    ]
    return [] if heading and len(heading) == len(samples) else [s for s in samples if s not in heading]


def _pointing(names: Sequence[Word], rows: Sequence[RiskRow]) -> list[Word]:
    """The phrases that may point at a curve: those that head rows of numbers at risk, else any of three letters."""
    labels = [r.label for r in rows if r.label]
    words = [w for w in names if sum(c.isalpha() for c in w.text) > 2 and number(w.text) is None]
    if not labels:
        return [w for w in words if w.score > 0.8 and not any(c.isdigit() for c in w.text)]
    return [w for w in towards_plot(words, rows, off=1.0) if named_like(w.text, labels) is not None]


def _arrows(seen: TracedPlot, plot: Plot, names: Sequence[Word]) -> list[tuple[Word, Pointer]]:
    """The names of the plot with an arrow to a curve; marks in a colour that no name is printed in are no arrows."""
    import cv2

    if not names:
        return []
    field, trace = seen.field, seen.trace
    tall, wide = field.blank.shape
    placed = []
    for word in names:
        y0, y1 = word.y0 - plot.rows[0], word.y1 - plot.rows[0]
        y0, y1 = (tall - y1, tall - y0) if plot.rising else (y0, y1)
        placed.append(replace(word, x0=word.x0 - plot.columns[0], x1=word.x1 - plot.columns[0], y0=y0, y1=y1))
    known = [k for k, w in enumerate(placed) if 0 < w.cx < wide and 0 < w.cy < tall]
    curves = [c == 2 for c in trace.covers]
    inked = (field.e_paper > 70.0**2) & ~field.blank
    near = cv2.dilate(np.any(curves, axis=0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    loose = inked & ~near
    for look in seen.looks:
        own = np.linalg.norm(field.rgb - np.array(look.colour, dtype=np.float32), axis=2) < _OWN
        boxes = (own[max(int(w.y0), 0) : int(w.y1) + 1, max(int(w.x0), 0) : int(w.x1) + 1] for w in placed)
        if np.ptp(look.colour) > _COLOURED and not any(box.size and box.mean() > _PRINTED for box in boxes):
            loose &= ~own
    found = pointers(loose, inked, curves, [placed[k] for k in known])
    return [(names[known[p.name]], p) for p in found]


def _counted_by_arrows(
    arms: Sequence[ArmReading], arrows: Sequence[tuple[Word, Pointer]], witnesses: list[int]
) -> list[int]:
    """How many arms legend and table count; a legend of one is none where an arrow from its own name ends at every arm."""
    named = {a.curve: w.text for w, a in arrows}
    whole = len(arrows) == len(named) == len(set(named.values())) == len(arms) > 1
    if whole and witnesses in ([], [1]) and all(arm.name == named[i] for i, arm in enumerate(arms)):
        return [len(arms)]
    return witnesses


def _pointed_at(arms: Sequence[ArmReading], arrows: Sequence[tuple[Word, Pointer]]) -> list[ArmReading]:
    """The arms without a name under that of the one arrow that ends at them."""
    out = list(arms)
    for i, arm in enumerate(arms):
        texts = [w.text for w, a in arrows if a.curve == i]
        if not arm.name and len(texts) == 1:
            out[i] = replace(arm, name=texts[0])
    return out
