"""Traced curves read once more by drawing them: levels and jumps where the drawing agrees with the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.drawing import PER, Drawing, Line, tones
from metagrove.figures.lines.evidence import ArmLook, Canvas, above_tints, coverage
from metagrove.figures.lines.ground import ground
from metagrove.figures.lines.marks import mark_places
from metagrove.figures.lines.pen import Ink, Pen, pen_of
from metagrove.figures.lines.readout import Steps
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.lines.tracking import Path

__all__ = ["redrawn"]


# pixels: how far the first level may be from survival 1 before it is taken for a later one
_FIRST = 1.3
# arms of widths so alike are drawn with one pen; what shows no such share of its ink is a gap of dashes
_ALIKE, _SHOWN = 0.5, 0.6
# how far lines are looked for from where they were traced, in pens; what a picture that shows none is taken to be blurred
_REACH, _SOFTNESS = 2.0, 0.5
# pixels of the largest plot that is drawn
_LARGEST = 1_500_000
# half the height of marks in pens, at first
_HALF = 1.5
# squares of usual differences that a step explains at least; cells of a level that may be part of a drop
_WORTH, _SHORT = 6.0, 6
# pixels that a level runs to tell to what fraction of a pixel strokes were fitted
_LONG = 6.0
# pixels by which a look's width includes its soft edge, and of the thinnest pen
_SOFT, _THINNEST = 0.2, 0.6


def redrawn(field: Canvas, looks: Sequence[ArmLook], trace: Trace, start: float) -> Trace:
    """The trace with its arms drawn together and moved to where drawing and picture agree; `start` is the row of survival 1.

    On a plot of many pixels the edges say enough, and drawing would take too much memory: there the trace stays.
    """
    if field.blank.size > _LARGEST:
        return trace
    inks = [_ink_of(field, look, trace, i) for i, look in enumerate(looks)]
    began = [
        _begun(s, p.enter[0], start, look.width) for s, p, look in zip(trace.steps, trace.paths, looks, strict=True)
    ]
    guesses = [(max(look.width - _SOFT, _THINNEST), s.width) for look, s in zip(looks, began, strict=True)]
    shown = [pen_of(ink, s.begin, s.height, s.end, g) for ink, s, g in zip(inks, began, guesses, strict=True)]
    pens = [_pen(shown, guesses, i) for i in range(len(looks))]
    widths = [pen.width if pen else sum(guess) / 2 for pen, guess in zip(pens, guesses, strict=True)]
    lines = [
        _line(s, look, width, _share(look, path, field.blank.shape[1]), _clear_marks(field, look, trace, i, s))
        for i, (s, path, look, width) in enumerate(zip(began, trace.paths, looks, widths, strict=True))
    ]
    blur = next((pen.blur for pen in pens if pen), _SOFTNESS)
    drawing = Drawing(
        tones(field.rgb),
        tones(ground(field, looks, trace.covers)),
        _told(field),
        lines,
        np.ascontiguousarray(tones(np.array([look.colour for look in looks], dtype=np.float32)).T),
        blur,
    )
    drawing.fit()
    drawing.simplify(_WORTH, _SHORT)
    return replace(
        trace,
        steps=tuple(_read(line, s, path) for line, s, path in zip(drawing.lines, began, trace.paths, strict=True)),
    )


def _told(field: Canvas) -> NDArray[np.bool_]:
    """The pixels that tell where lines are: none beside what is blank, nor beside the axis."""
    import cv2

    told = cv2.dilate(field.blank.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    told[:, :2] = False
    return np.asarray(told)


def _line(steps: Steps, look: ArmLook, width: float, share: Array, marks: Array) -> Line:
    """An arm as it is drawn, a row for each cell, with the marks that are known."""
    count = max(int(np.ceil(steps.end * PER)), 2)
    middle = (np.arange(count) + 0.5) / PER
    rows = steps.height[np.clip(np.searchsorted(steps.begin, middle, side="right") - 1, 0, None)]
    reach = _REACH * look.width + 2
    half = _HALF * width if marks.any() else 0.0
    return Line(np.maximum.accumulate(rows), float(steps.end), width, reach, share, marks, half)


def _read(line: Line, steps: Steps, path: Path) -> Steps:
    """The step curve of a line, a level of one cell inside a drop being where in the cell it falls.

    `places` are the rows and columns that tell whether strokes were fitted to the pixel grid.
    """
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(line.h) > 0) + 1, [len(line.h)]])
    begin, height = cuts[:-1] / PER, line.h[cuts[:-1]].copy()
    keep = np.ones(len(begin), bool)
    for k in range(1, len(begin) - 1):
        if cuts[k + 1] - cuts[k] == 1 and keep[k - 1]:
            depth = height[k + 1] - height[k - 1]
            begin[k + 1] -= (height[k] - height[k - 1]) / depth / PER
            keep[k] = False
    begin, height = begin[keep], height[keep]
    counts = np.diff(np.append(np.searchsorted(np.flatnonzero(path.inked) + 0.5, begin), path.inked.sum()))
    level, deep = np.diff(np.append(begin, steps.end)) >= _LONG, np.diff(height) > line.width + 2
    places = np.concatenate([height[level], begin[1:][deep]])
    return replace(steps, begin=begin, height=height, seen=counts, width=line.width, places=places)


def _pen(shown: Sequence[tuple[Pen, int] | None], guesses: Sequence[tuple[float, float]], index: int) -> Pen | None:
    """The pen of an arm with the blur of the whole picture, which the arms with most level columns show best.

    An arm that does not show its width has that of others which looked as wide, or the middle of its two guesses.
    """
    blurs = [(pen.blur, count) for pen, count in filter(None, shown)]
    if not blurs:
        return None
    blur = float(np.median(np.repeat([b for b, _ in blurs], [count for _, count in blurs])))
    own, looked = shown[index], guesses[index][1]
    if own is not None:
        return Pen(own[0].width, blur)
    alike = [p[0].width for p, (_, other) in zip(shown, guesses, strict=True) if p and abs(other - looked) < _ALIKE]
    return Pen(float(np.median(alike)) if alike else sum(guesses[index]) / 2, blur)


def _begun(steps: Steps, first: int, start: float, width: float) -> Steps:
    """The steps with a level at survival 1 before them, where the line starts there and drops at once."""
    off = float(steps.height[0]) - start
    if abs(off) <= _FIRST or abs(first + 0.5 - start) > 4.5 + width:
        return steps
    if off < 0:
        return replace(steps, height=np.append(start, np.maximum(steps.height[1:], start)))
    at = min(max(steps.begin[0], 0.3), 0.5 * (steps.begin[1] if len(steps.begin) > 1 else steps.end))
    return replace(
        steps,
        begin=np.concatenate([[0.0, at], steps.begin[1:]]),
        height=np.concatenate([[start], steps.height]),
        seen=np.concatenate([[0], steps.seen]),
    )


def _ink_of(field: Canvas, look: ArmLook, trace: Trace, index: int) -> Ink:
    """The arm's ink; not known are other strokes with their rings, what is blank, and the gaps of dashes."""
    import cv2

    others = np.zeros(field.blank.shape, np.uint8)
    for j, cover in enumerate(trace.covers):
        if j != index:
            others |= (cover > 0).astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    near = cv2.dilate(others, kernel) > 0
    blank = cv2.dilate(field.blank.astype(np.uint8), kernel) > 0
    amount = above_tints(coverage(field, look), 2 * round(1.5 * look.width + 3) + 1)
    known = ~near & ~blank
    known[:, :2] = False
    steps = trace.steps[index]
    known[:, max(int(steps.end - look.width / 2 - 3), 0) :] = False
    if look.dash.off:
        known &= ~_gaps(amount, trace.paths[index], look.width)
    return Ink(amount.astype(np.float64), known)


def _clear_marks(field: Canvas, look: ArmLook, trace: Trace, index: int, steps: Steps) -> Array:
    """1 in the columns where a mark clearly stands out of an arm's line, else 0."""
    own = np.where(trace.foreign(index), 0, coverage(field, look))
    places = mark_places(trace.paths[index], steps, own, look.width)
    marks = np.zeros(own.shape[1])
    marks[np.clip(places.astype(int), 0, len(marks) - 1)] = 1.0
    return marks


def _share(look: ArmLook, path: Path, wide: int) -> Array:
    """How much of each column an arm's dashes take."""
    if not look.dash.off:
        return np.ones(wide)
    inked = np.zeros(wide)
    inked[path.first : path.last + 1] = path.inked
    edge = np.pad(inked, 1, mode="edge")
    return np.asarray(0.25 * edge[:-2] + 0.5 * inked + 0.25 * edge[2:])


def _gaps(amount: NDArray[np.float32], path: Path, width: float) -> NDArray[np.bool_]:
    """The pixels on and beside a path that show no ink of it."""
    import cv2

    size = 2 * round(width / 2) + 1
    thick = cv2.dilate(amount, np.ones((size, size), np.uint8))
    bare = np.zeros(amount.shape, np.uint8)
    for i in range(len(path.leave)):
        rows = slice(path.enter[i], path.leave[i] + 1)
        bare[rows, path.first + i] = thick[rows, path.first + i] < _SHOWN
    reach = 2 * round(width / 2 + 2) + 1
    return np.asarray(cv2.dilate(bare, np.ones((reach, reach), np.uint8)) > 0)
