"""One plot cut out of a picture: writing and legend painted over, its rows and columns given scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

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
    grown_together,
    key_lines,
    letters,
    unframed,
    unguided,
)
from metagrove.figures.legend.marker_keys import marker_keys
from metagrove.figures.legend.samples import Sample, legend_samples, parted
from metagrove.figures.legend.unusual_keys import keys_after, patch_keys
from metagrove.figures.lines.stripes import stripes
from metagrove.figures.page import Word, colour_distance
from metagrove.figures.scales.calibration import Scales
from metagrove.figures.scales.frame import dark_lines
from metagrove.figures.writing.words import statistics

__all__ = ["MARGIN", "Plot", "inside", "samples_of", "scene_of"]

MARGIN = 7
_IN_COLUMN = 6.0
# the share of a plot's height that a side of its frame is seen along at least, and pixels right of the last label
_FRAME, _ASIDE = 0.9, 3.0
# colours that are two
_TWO = 25.0


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

    def time(self, column: Array) -> Array:
        """Time at columns of the cut."""
        return self.scales.x.value(self.columns[0] + column)


def samples_of(
    picture: Picture, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str]
) -> list[Sample]:
    """The legend, keys after names and filled patches last; where lines inside filled keys, or keys that were read as letters, give these entries and more, that."""
    samples = legend_samples(picture.rgb, ink, names, labels)
    if not names:
        return samples
    marked = marker_keys(picture.rgb, names)
    if marked and len(marked) >= len(samples):
        apart = all(colour_distance(a.colour, b.colour) > _TWO for a, b in combinations(marked, 2))
        if not apart or not _same_places(marked, samples):
            return marked
    bare = parted(names, picture.rgb)
    reach = round(0.42 * float(np.median([w.size for w in names])))
    both = [*names, *(w for w, n in zip(bare, names, strict=True) if w is not n)]
    offers = [legend_samples(picture.rgb, stripes(picture.rgb, max(reach, 3)), both, labels)]
    if len(both) > len(names):
        offers.append(legend_samples(picture.rgb, ink, bare, labels))
    for offer in offers:
        if len(offer) > max(len(samples), 1) and {s.name for s in samples[1:]} <= {s.name for s in offer}:
            samples = offer
    if len(samples) < 2:
        others = (find(picture.rgb, ink, names, labels) for find in (keys_after, patch_keys))
        samples = next((offer for offer in others if offer), samples)
    else:
        # patches may pass for lines, one less easily than another
        patches = patch_keys(picture.rgb, ink, names, labels)
        more = len(patches) > len(samples) and {s.name for s in samples} <= {s.name for s in patches}
        samples = patches if more else samples
    return [] if len(samples) == 1 and grown_together(ink, samples[0]) else samples


def _same_places(marked: Sequence[Sample], samples: Sequence[Sample]) -> bool:
    """Whether two readings of a legend have their names at the same places."""
    found = [
        any(
            abs(m.start - s.start) < _IN_COLUMN and abs(m.box[1] + m.box[3] - s.box[1] - s.box[3]) < m.box[3] - m.box[1]
            for s in samples
        )
        for m in marked
    ]
    return len(marked) == len(samples) and all(found)


def scene_of(
    picture: Picture,
    ink: NDArray[np.float32],
    scales: Scales,
    words: list[Word],
    samples: list[Sample],
    hints: Hints,
) -> tuple[Plot, Scene]:
    """The plot cut out, with letters and legend painted over and axis lines marked as saying nothing."""
    tall, wide = ink.shape
    left = float(scales.x.pixel(0.0)) if not scales.x.log else min(scales.x.pixels)
    last = max(scales.x.pixels)
    right = scales.right if np.isfinite(scales.right) else last + 0.6 * scales.x.spacing
    right = min(max(right, last) + 2, last + 1.2 * scales.x.spacing, wide)
    top = float(scales.y.pixel(scales.scale))
    bottom = _foot(scales, tall)
    r0, r1 = max(int(top) - MARGIN, 0), min(int(np.ceil(bottom)) + MARGIN, tall)
    c0, c1 = max(int(left), 0), int(right)
    cut = picture.rgb.copy()
    paper = middle_colour(cut[r0:r1, c0:c1]).astype(np.uint8)
    keys = [*letters(words), *statistics(words), *_keys(samples)]
    erased = enclosed(ink, keys) | key_lines(ink, samples)
    cut[erased] = paper
    unframed(erased, ink, samples)
    for inset in scales.insets:
        erased[_within(inset)] = True
    cut[erased] = paper
    crop, dark = cut[r0:r1, c0:c1], ink[r0:r1, c0:c1]
    blank: NDArray[np.bool_] = np.array(axis_mask(dark, round(bottom) - r0) | erased[r0:r1, c0:c1])
    blank[round(bottom) - r0 + 2 :] = True
    lines = dark_lines(ink, level=True, least=0.9 * (c1 - c0), threshold=0.18)
    for line in lines:
        row = round(line.place - 0.5) - r0
        beyond = line.begin < c0 - 2 and line.end > min(c1 - 12, last - 3) and abs(row - (top - r0)) > 3
        if 0 <= row < len(blank) and (beyond or row < top - r0 - 3):
            blank[max(row - 2, 0) : row + 3] = True
    for line in dark_lines(ink, level=False, least=_FRAME * (bottom - top), threshold=0.18):
        column = round(line.place - 0.5) - c0
        # a side of the frame, drawn at the last label or right of it
        if last - _ASIDE < line.place < c1 and line.begin < top + 3 and line.end > bottom - 3:
            blank[:, max(column - 2, 0) :] = True
    if not scales.y.log:
        unguided(blank, dark, float(scales.y.pixel(0.5 * scales.scale)) - r0, bottom - r0)
    # where the axis line runs clear of survival 0, lines that lie on 0 show
    clear = np.isfinite(scales.foot) and scales.foot > bottom + 4
    floor = bottom - r0 + (1.5 if clear else -1)
    rising = hints.direction == "incidence" or (
        hints.direction is None and (_below_one(scales) or _rises(dark, blank, top - r0, bottom - r0, floor))
    )
    start = top - r0
    if rising:
        # no rising curve is level from side to side but at 0: such a line is the frame's head
        for line in lines:
            row = round(line.place - 0.5) - r0
            if line.begin < c0 + 3 and 0 <= row < bottom - r0 - 4:
                blank[max(row - 2, 0) : row + 3] = True
        crop, blank, start = crop[::-1], blank[::-1], r1 - float(scales.y.pixel(0.0))
    plot = Plot(scales, (r0, r1), (c0, c1), start, rising)
    crop = np.ascontiguousarray(crop)
    return plot, Scene(picture.rgb, ink, crop, np.ascontiguousarray(blank), (r0, c0), erased)


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
