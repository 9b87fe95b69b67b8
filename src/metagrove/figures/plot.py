"""One plot cut out of a picture: writing and legend painted over, its rows and columns given scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.colours import middle_colour
from metagrove.figures.files.image import Picture
from metagrove.figures.hints import Hints
from metagrove.figures.legend.arms import Scene
from metagrove.figures.legend.clearing import (
    axis_mask,
    enclosed,
    key_lines,
    letters,
    unframed,
    unguided,
)
from metagrove.figures.legend.keys import Sample
from metagrove.figures.page import Word
from metagrove.figures.scales.calibration import Scales
from metagrove.figures.scales.frame import Line, dark_lines
from metagrove.figures.writing.words import statistics

__all__ = ["MARGIN", "Plot", "inside", "scene_of"]

MARGIN = 7
_IN_COLUMN = 6.0
# the share of a plot's height that a side of its frame is seen along at least, and pixels right of the last label
_FRAME, _ASIDE = 0.9, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """A plot cut out of a picture: its scales, the rows and columns it takes, flipped where curves rise."""

    scales: Scales
    rows: tuple[int, int]
    columns: tuple[int, int]
    start: float
    rising: bool

    def survival(self, row: Array) -> Array:
        """Survival (proportion) at rows of the cut."""
        place = self.rows[1] - row if self.rising else self.rows[0] + row
        value = self.scales.y.value(place) / self.scales.scale
        return 1 - value if self.rising else value

    def here(self, word: Word) -> Word:
        """The word of the picture in rows and columns of the cut."""
        y0, y1 = word.y0 - self.rows[0], word.y1 - self.rows[0]
        tall = self.rows[1] - self.rows[0]
        y0, y1 = (tall - y1, tall - y0) if self.rising else (y0, y1)
        return replace(word, x0=word.x0 - self.columns[0], x1=word.x1 - self.columns[0], y0=y0, y1=y1)

    def time(self, column: Array) -> Array:
        """Time at columns of the cut."""
        return self.scales.x.value(self.columns[0] + column)


def scene_of(
    picture: Picture,
    ink: NDArray[np.float32],
    scales: Scales,
    words: list[Word],
    samples: list[Sample],
    hints: Hints,
) -> tuple[Plot, Scene]:
    """The plot cut out, with letters and legend painted over and axis lines marked as saying nothing."""
    cut = _cut_of(scales, ink.shape)
    (r0, r1), (c0, c1) = cut.rows, cut.columns
    erased = _erased(ink, words, samples)
    for inset in scales.insets:
        erased[_within(inset)] = True
    crop, dark = picture.rgb[r0:r1, c0:c1].copy(), ink[r0:r1, c0:c1]
    crop[erased[r0:r1, c0:c1]] = middle_colour(crop).astype(np.uint8)
    level = dark_lines(ink, level=True, least=0.9 * (c1 - c0), threshold=0.18)
    upright = dark_lines(ink, level=False, least=_FRAME * (cut.bottom - cut.top), threshold=0.18)
    blank: NDArray[np.bool_] = np.array(axis_mask(dark, round(cut.bottom) - r0) | erased[r0:r1, c0:c1])
    blank[round(cut.bottom) - r0 + 2 :] = True
    _without_frame(blank, cut, [*level, *upright], max(scales.x.pixels))
    if not scales.y.log:
        unguided(blank, dark, float(scales.y.pixel(0.5 * scales.scale)) - r0, cut.bottom - r0)
    # where the axis line runs clear of survival 0, lines that lie on 0 show
    clear = np.isfinite(scales.foot) and scales.foot > cut.bottom + 4
    floor = cut.bottom - r0 + (1.5 if clear else -1)
    rising = hints.direction == "incidence" or (
        hints.direction is None and (_below_one(scales) or _rises(dark, blank, cut.top - r0, cut.bottom - r0, floor))
    )
    start = cut.top - r0
    if rising:
        _without_head(blank, cut, level)
        crop, blank, start = crop[::-1], blank[::-1], r1 - float(scales.y.pixel(0.0))
    plot = Plot(scales, cut.rows, cut.columns, start, rising)
    crop = np.ascontiguousarray(crop)
    return plot, Scene(picture.rgb, ink, crop, np.ascontiguousarray(blank), (r0, c0), erased)


@dataclass(frozen=True, slots=True)
class _Cut:
    """The rows and columns of a picture that a plot takes; curves run between rows `top` and `bottom`."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    top: float
    bottom: float


def _cut_of(scales: Scales, shape: tuple[int, ...]) -> _Cut:
    tall, wide = shape
    left = float(scales.x.pixel(0.0)) if not scales.x.log else min(scales.x.pixels)
    last = max(scales.x.pixels)
    right = scales.right if np.isfinite(scales.right) else last + 0.6 * scales.x.spacing
    right = min(max(right, last) + 2, last + 1.2 * scales.x.spacing, wide)
    top, bottom = float(scales.y.pixel(scales.scale)), _foot(scales, tall)
    rows = max(int(top) - MARGIN, 0), min(int(np.ceil(bottom)) + MARGIN, tall)
    return _Cut(rows, (max(int(left), 0), int(right)), top, bottom)


def _erased(ink: NDArray[np.float32], words: list[Word], samples: Sequence[Sample]) -> NDArray[np.bool_]:
    """The pixels of the picture that letters, statistics and the legend take."""
    erased = enclosed(ink, [*letters(words), *statistics(words), *_keys(samples)]) | key_lines(ink, samples)
    unframed(erased, ink, samples)
    return erased


def _without_frame(blank: NDArray[np.bool_], cut: _Cut, lines: Sequence[Line], last: float) -> None:
    """Also let the sides of the frame say nothing; `last` is the column of the last label."""
    (r0, _), (c0, c1) = cut.rows, cut.columns
    top = cut.top - r0
    for line in lines:
        if line.level:
            row = round(line.place - 0.5) - r0
            beyond = line.begin < c0 - 2 and line.end > min(c1 - 12, last - 3) and abs(row - top) > 3
            if 0 <= row < len(blank) and (beyond or row < top - 3):
                blank[max(row - 2, 0) : row + 3] = True
        # a side of the frame, drawn at the last label or right of it
        elif last - _ASIDE < line.place < c1 and line.begin < cut.top + 3 and line.end > cut.bottom - 3:
            blank[:, max(round(line.place - 0.5) - c0 - 2, 0) :] = True


def _without_head(blank: NDArray[np.bool_], cut: _Cut, lines: Sequence[Line]) -> None:
    """Also let the frame's head say nothing: no rising curve is level from side to side but at 0."""
    for line in lines:
        row = round(line.place - 0.5) - cut.rows[0]
        if line.begin < cut.columns[0] + 3 and 0 <= row < cut.bottom - cut.rows[0] - 4:
            blank[max(row - 2, 0) : row + 3] = True


def _below_one(scales: Scales) -> bool:
    """Whether the y axis begins at 0 and ends far below 1, where no falling curve begins."""
    y = scales.y
    reach = float(y.pixel(scales.scale)) < min(y.pixels) - 2 * y.spacing
    return not y.log and min(y.values) == 0 and max(y.values) < 0.6 * scales.scale and reach


def _keys(samples: Sequence[Sample]) -> list[tuple[float, float, float, float]]:
    """The boxes of legend entries with their keys, which may be filled, higher than the letters, and touch each other."""
    out = []
    for s in samples:
        more = 0.7 * (s.box[3] - s.box[1])
        out.append((s.box[0] - more, s.box[1] - more, s.box[2], s.box[3] + more))
    column = len(samples) > 1 and max(s.box[0] for s in samples) - min(s.box[0] for s in samples) < _IN_COLUMN
    if column:
        out.append(
            (min(b[0] for b in out), min(b[1] for b in out), max(s.start for s in samples), max(b[3] for b in out))
        )
    return out


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


def _within(box: tuple[float, float, float, float]) -> tuple[slice, slice]:
    """The rows and columns of a picture that a box takes, two pixels around it included."""
    left, top, right, bottom = (round(v) for v in box)
    return slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)


def inside(boxes: Sequence[tuple[float, float, float, float]], plot: Plot) -> NDArray[np.bool_]:
    """The pixels of the plot that lie in boxes of the picture."""
    out = np.zeros((plot.rows[1], plot.columns[1]), dtype=bool)
    for box in boxes:
        out[_within(box)] = True
    own = out[plot.rows[0] :, plot.columns[0] :]
    return np.asarray(own[::-1] if plot.rising else own)


def _rises(dark: NDArray[np.float32], blank: NDArray[np.bool_], top: float, bottom: float, floor: float) -> bool:
    """Whether the lines begin at the foot of the plot: no ink near 1 at the start, some near 0 and above row `floor`.

    Lines that run on the axis at first show neither; then the first third of the plot tells.
    """
    wide = dark.shape[1]
    inked = (dark > 0.2) & ~blank
    # a line from side to side is the frame's, above what the axis prints
    inked &= (inked.mean(axis=1) < 0.9)[:, None]
    first = inked[:, max(3, wide // 60) : max(10, wide // 20)]
    near = max(4.0, 0.12 * (bottom - top))
    rows = np.arange(dark.shape[0]) + 0.5
    head = first[np.abs(rows - top) < near].any(axis=0).mean()
    foot = first[(rows > bottom - near) & (rows < floor)].any(axis=0).mean()
    if head == foot == 0:
        third = inked[:, max(3, wide // 60) : wide // 3]
        head = third[np.abs(rows - top) < near].any(axis=0).mean()
        foot = 3 * third[(rows > bottom - near) & (rows < floor)].any(axis=0).mean()
    return bool(head < 0.2 and foot > 0.5)
