"""Pictures to readings: scales, arms, traces, marks and numbers at risk, each doubt named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metagrove.figures.checks import judged
from metagrove.figures.curve import curve_of
from metagrove.figures.curve_labels import labels_beside
from metagrove.figures.files.image import Picture
from metagrove.figures.findings import Finding
from metagrove.figures.hints import Hints
from metagrove.figures.hypotheses import supposed
from metagrove.figures.legend.arms import arm_specs
from metagrove.figures.legend.clearing import written
from metagrove.figures.legend.samples import unlined
from metagrove.figures.lines.evidence import Canvas, coverage
from metagrove.figures.lines.hues import miscoloured
from metagrove.figures.lines.readout import snapped_by
from metagrove.figures.page import Word
from metagrove.figures.plot import inside, samples_of, scene_of
from metagrove.figures.reading import ArmReading, FigureReading
from metagrove.figures.scales.axes import Axis, axis_unit, near_plot
from metagrove.figures.scales.calibration import Scales, plot_scales
from metagrove.figures.scales.frame import darkness
from metagrove.figures.table.doubted_counts import centred
from metagrove.figures.table.recount import recounted
from metagrove.figures.table.risk_table import risk_rows
from metagrove.figures.table.swatches import coloured_patches, keyed
from metagrove.figures.table.tying import Ground, named_and_counted, respelled
from metagrove.figures.trace_doubts import dash_doubts, hidden_drops, ink_doubts
from metagrove.figures.writing.ocr import Finder
from metagrove.figures.writing.words import legible, phrases, statistics, tokens

__all__ = ["picture_readings"]


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
    counted = keyed(counted, coloured_patches(counted, picture.rgb))
    rows = respelled(centred(counted, scales.x), names)
    samples = samples_of(picture, ink, names, [r.label for r in rows])
    if len(samples) == 1 and any(r.label for r in rows) and samples[0].name not in [r.label for r in rows]:
        samples = []
    plot, scene = scene_of(picture, ink, scales, near, samples, hints)
    specs, witnesses, findings = arm_specs(scene, samples, rows, names, hints)
    findings = [*findings, *unlined(samples, names)] if not hints.arms else findings
    if not specs:
        return None
    said = [(p.x0, p.y0, p.x1, p.y1) for p in phrases(near, gap=1.1) if written(p, least=0.45)]
    prose = inside([*said, *statistics(near)], plot)
    free = len(samples) < 2 and not hints.arms
    specs, field, trace = supposed(scene, specs, prose, start=plot.start, most=len(rows), free=free)
    looks = [s.look for s in specs]
    foreign = [trace.foreign(i) for i in range(len(looks))]
    own = [np.where(hidden, 0, coverage(field, look)) for hidden, look in zip(foreign, looks, strict=True)]
    snaps = snapped_by(trace.steps)
    if _lossless(field):
        # other lines stand where they should, while tick marks may have been fitted to the grid
        snaps = [0.0 if snap is None else snap for snap in snaps]
    arms = [curve_of(plot, own[i], spec, trace, i, snaps[i]) for i, spec in enumerate(specs)]
    ground = Ground(scales.x, scales.y, scales.scale, plot.rising)
    if free and not rows:
        arms, witnesses, more = _called(arms, phrases(near, gap=1.1), ground, witnesses)
        findings = [*findings, *more]
    arms, cells, more = named_and_counted(arms, rows, hints, names, ground)
    findings = [*findings, *more, *ink_doubts(field, prose, trace, looks, arms, plot)]
    findings += dash_doubts(field, trace, looks, arms)
    findings += miscoloured(field, foreign, looks, trace.paths, arms)
    findings += hidden_drops(trace, arms, plot)
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


def _lossless(field: Canvas) -> bool:
    """Whether paper near lines is as clean as elsewhere: strong JPEG compression leaves ripples there."""
    import cv2

    ink = (field.e_paper > 900).astype(np.uint8)
    near = cv2.dilate(ink, np.ones((15, 15), np.uint8)) > 0
    ring = near & (cv2.dilate(ink, np.ones((7, 7), np.uint8)) == 0)
    return bool(ring.any() and (field.e_paper[ring] < 2).mean() > 0.9)
