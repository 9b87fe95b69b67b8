"""Pictures to readings: scales, arms, traces, marks and numbers at risk, each doubt named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.anchors import anchored
from metagrove.figures.doubts.checks import judged, trace_doubts
from metagrove.figures.doubts.furniture import words_in
from metagrove.figures.doubts.ink import witnesses_of
from metagrove.figures.doubts.traced_plot import traced_plot
from metagrove.figures.files.image import Picture
from metagrove.figures.hints import Hints
from metagrove.figures.hypotheses import listed_arms_traced, unlisted_arms_traced
from metagrove.figures.last_drop import with_last_drops
from metagrove.figures.legend.arms import arm_specs, with_marks
from metagrove.figures.legend.arrows import arrows_from, counted_by_arrows, names_with_arrows, pointed_at
from metagrove.figures.legend.curve_labels import called
from metagrove.figures.legend.numerals import relabelled, with_numerals
from metagrove.figures.legend.samples import unlined
from metagrove.figures.legend.searches import listed_arms, samples_of
from metagrove.figures.page import Word
from metagrove.figures.plot import Plot, scene_of
from metagrove.figures.reading import FigureReading
from metagrove.figures.scales.calibration import Scales, plot_scales
from metagrove.figures.scales.frame import darkness, levelled
from metagrove.figures.scales.grid import unruled
from metagrove.figures.scales.surroundings import axis_unit, near_plot
from metagrove.figures.table.blanks import with_blanks
from metagrove.figures.table.columns import column_axis
from metagrove.figures.table.doubted_counts import centred
from metagrove.figures.table.evidence import Ground
from metagrove.figures.table.recount import recounted
from metagrove.figures.table.risk_table import risk_rows
from metagrove.figures.table.rows import RiskRow
from metagrove.figures.table.swatches import coloured_patches, keyed
from metagrove.figures.table.tying import named_and_counted, respelled
from metagrove.figures.writing.ocr import Finder
from metagrove.figures.writing.words import legible, phrases, romans, tenths, tokens

__all__ = ["picture_readings"]

# pixels that a plot is wide and high at least
_LEAST = 40.0


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
    real = [p for p, r in zip(plots, readings, strict=True) if r is not None]
    if 0 < len(real) < len(plots):
        # numbers of a table that pass for the scales of a plot keep it from the plot that it belongs to
        around = [_around(small, p, plots) for p in real]
        if around != [_around(small, p, real) for p in real]:
            readings = _readings(picture, small, real, hints, find)
    found = sorted((r for r in readings if r is not None), key=lambda r: (round(r.frame[1] / 60), r.frame[0]))
    return [_in_file(r, picture) for r in found]


def _readings(
    picture: Picture, words: list[Word], plots: Sequence[Scales], hints: Hints, find: Finder | None
) -> list[FigureReading | None]:
    """What was read in each plot; None where it has no curves."""
    return [
        _reading(picture, _around(words, scales, plots), scales, hints, find) if _spacious(scales) else None
        for scales in plots
    ]


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
    x = reading.x.refitted([picture.there(p, low)[0] for p in reading.x.pixels])
    y = reading.y.refitted([picture.there(left, p)[1] for p in reading.y.pixels])
    corners = picture.there(*reading.frame[:2]) + picture.there(*reading.frame[2:])
    cells = tuple(replace(c, box=picture.there(*c.box[:2]) + picture.there(*c.box[2:])) for c in reading.cells)
    return replace(reading, x=x, y=y, frame=corners, cells=cells, rotation=picture.rotation)


def _reading(
    picture: Picture, near: list[Word], scales: Scales, hints: Hints, find: Finder | None
) -> FigureReading | None:
    picture = replace(picture, rgb=unruled(picture.rgb, scales.x, scales.y))
    ink = darkness(picture.rgb)
    read = phrases(near)
    names = with_numerals(read, ink)
    rows = relabelled(_counted(picture, ink, near, names, scales, find), read, names)
    samples = listed_arms(samples_of(picture.rgb, ink, names, [r.label for r in rows]), rows, scales.x)
    plot, scene = scene_of(picture, ink, scales, near, samples, hints)
    scene = with_marks(scene, samples)
    specs, witnesses, findings = arm_specs(scene, samples, rows, names, hints)
    findings = [*findings, *unlined(samples, names)] if not hints.arms else findings
    if not specs:
        return None
    prose = words_in(plot, near)
    listed = len(samples) > 1 or bool(hints.arms)
    if listed:
        found = listed_arms_traced(scene, plot, specs, prose)
    else:
        found = unlisted_arms_traced(scene, plot, specs, prose, most=len(rows))
    seen = traced_plot(plot, found.specs, found.field, found.trace, picture.rgb)
    pointing = names_with_arrows(names, rows) if any(not s.name for s in found.specs) else []
    arrows = arrows_from([plot.here(w) for w in pointing], seen.field, seen.trace, seen.looks)
    arms = pointed_at(seen.arms, arrows)
    witnesses = counted_by_arrows(arms, arrows, witnesses)
    if not plot.rising and picture.rotation == 0:
        arms = with_last_drops(arms, scales.x, scales.y, scales.scale, picture.rgb)
    ground = Ground(scales.x, scales.y, scales.scale, plot.rising)
    if not (listed or rows or arrows) and (len(arms) < 2 or not all(a.name for a in arms)):
        arms, witnesses, more = called(arms, phrases(near, gap=1.1), ground, witnesses)
        findings = [*findings, *more]
    arms, cells, more = named_and_counted(arms, rows, hints, names, ground)
    seen = seen.named(arms, np.any([prose, found.limits, *(a.ink for a in arrows)], axis=0))
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
        unit=axis_unit(near, scales.x) if scales.x.printed else "",
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
