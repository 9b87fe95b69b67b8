"""The frame of a plot in pixels: straight axis lines, where they begin and end, and the tick marks on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.colours import commonest_colour, largest
from metagrove.figures.runs import runs_of

__all__ = ["Line", "dark_lines", "darkness", "levelled", "panel_edges", "ridges", "tick_places"]

_TICK_NEAR, _TICK_FAR = 2, 6
# ink of a tick mark
_TICK = 0.2
# a row inked along more than this share of an axis line is its soft edge
_BESIDE = 0.5
# how many pixels to either side of a panel's edge are looked at, and how much the colour changes there, of 255
_EDGE, _CHANGE = 3, 6
# a panel on a page of another colour: how far their colours are apart, of 255, and how flat they are; the share of the
# picture that the panel takes and of its box that shows its colour, of the picture's edge that is page, and of a row or
# column of the picture that is panel; below this level a page is dark
_PANEL_APART, _PAGE_FLAT, _PANEL_LEAST, _PANEL_FULL, _PANEL_LINE, _PALEST_PAGE = 30.0, 9.0, 0.35, 0.97, 0.25, 110.0


@dataclass(frozen=True, slots=True)
class Line:
    """A straight dark line: its place across, and where it begins and ends, in pixels; `level` if horizontal."""

    place: float
    begin: float
    end: float
    level: bool
    strength: float

    @property
    def length(self) -> float:
        """How long it is."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of one row that is inked, and how strongly."""

    row: int
    begin: int
    end: int
    strength: float

    @property
    def ink(self) -> float:
        return self.strength * (self.end - self.begin)


def darkness(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much each pixel differs from the paper, 0 to 1, on the channel that differs most; shape (rows, columns)."""
    paper = commonest_colour(rgb[::3, ::3].reshape(-1, 3))
    far = largest(np.abs(rgb.astype(np.float32) - paper.astype(np.float32)))
    return np.asarray(np.clip(far / 255, 0, 1), dtype=np.float32)


def levelled(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with the page round a panel of another colour in the panel's colour; shape kept, untouched without such.

    Only what lies outside the panel changes, by one factor for each channel, so that ticks and letters stay as dark.
    """
    edge = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(np.float32)
    page = np.median(edge, axis=0)
    sample = rgb[::3, ::3].reshape(-1, 3)
    inner = sample[np.abs(sample.astype(np.float32) - page).max(axis=1) > _PANEL_APART]
    if len(inner) < _PANEL_LEAST * len(sample) or (np.abs(edge - page).max(axis=1) < _PAGE_FLAT).mean() < _PANEL_FULL:
        return rgb
    panel = commonest_colour(inner)
    own = largest(np.abs(rgb.astype(np.float32) - panel)) < _PAGE_FLAT
    rows, columns = (np.flatnonzero(own.mean(axis=k) > _PANEL_LINE) for k in (1, 0))
    if min(page.min(), panel.min()) < _PALEST_PAGE or not len(rows) or not len(columns):
        return rgb
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    if own[box].mean() < _PANEL_LEAST or own[box].size < _PANEL_LEAST * own.size:
        return rgb
    out: NDArray[np.uint8] = np.clip(np.rint(rgb * (panel / np.maximum(page, 1.0))), 0, 255).astype(np.uint8)
    out[box] = rgb[box]
    return out


def ridges(rgb: NDArray[np.uint8], *, level: bool) -> NDArray[np.float32]:
    """How much each pixel differs, in one direction of colour, from what lies four pixels to either side of it, 0 to 1.

    Grid lines stand out whether they are lighter or darker than the panel and whatever the paper is; edges do not.
    """
    import cv2

    # averaged along the line, so that the noise of a scan does not break it
    soft = cv2.blur(rgb, (15, 1) if level else (1, 15), borderType=cv2.BORDER_REPLICATE)
    field = np.asarray(soft if level else soft.transpose(1, 0, 2), dtype=np.int16)
    out = np.zeros(field.shape[:2], dtype=np.float32)
    before, after = field[4:-4] - field[:-8], field[4:-4] - field[8:]
    same = largest(np.where(before * after > 0, np.minimum(np.abs(before), np.abs(after)), 0))
    out[4:-4] = same / np.float32(255)
    return np.ascontiguousarray(out if level else out.T)


def panel_edges(rgb: NDArray[np.uint8], *, level: bool, begin: float, end: float) -> Array:
    """Where the paper changes its colour along a straight line from `begin` to `end`: the edges of a coloured panel.

    Places are in pixels, to a fraction of one, where half of the change has happened.
    """
    strip = rgb[:, int(begin) : int(end)] if level else rgb[int(begin) : int(end)].transpose(1, 0, 2)
    if strip.shape[0] < 2 * _EDGE + 2 or strip.shape[1] < 2 * _EDGE:
        return np.zeros(0)
    profile = np.median(strip, axis=1)
    change = np.abs(profile[2 * _EDGE :] - profile[: -2 * _EDGE]).max(axis=1)
    found: list[float] = []
    for row in np.flatnonzero(change > _CHANGE):
        before, after = profile[row], profile[row + 2 * _EDGE]
        away = after - before
        part = (profile[row : row + 2 * _EDGE + 1] - before) @ away / float(away @ away)
        # flat on both sides and for longer than a line is wide
        beyond = profile[max(row - 2 * _EDGE, 0)] - before, profile[min(row + 4 * _EDGE, len(profile) - 1)] - after
        if (
            max(np.abs(b).max() for b in beyond) > _CHANGE / 2
            or abs(part[1]) > 0.1
            or abs(part[-2] - 1) > 0.1
            or (np.diff(part) < -0.1).any()
        ):
            continue
        place = row + float(np.interp(0.5, np.maximum.accumulate(part), np.arange(len(part)))) + 0.5
        if not found or place - found[-1] > 1:
            found.append(place)
    return np.array(found)


def dark_lines(dark: NDArray[np.float32], *, level: bool, least: float, threshold: float = 0.35) -> list[Line]:
    """Straight lines at least `least` pixels long, neighbouring rows merged into one; longest first."""
    field = dark if level else dark.T
    inked = field > threshold
    tall, wide = inked.shape
    found: list[_Run] = []
    for r in np.flatnonzero(inked.sum(axis=1) >= least):
        # two figures on a page may have their lines in one row
        runs = [(a, b) for a, b in runs_of(_closed(inked[r])) if b - a >= least]
        found += [_Run(int(r), a, b, float(field[r, a:b].mean())) for a, b in runs]
    groups: list[list[_Run]] = []
    for item in found:
        near = [g for g in groups[-8:] if item.row - g[-1].row <= 1 and _along(item, g[-1], 0.2 * wide)]
        if near:
            near[-1].append(item)
        else:
            groups.append([item])
    lines = []
    for group in groups:
        if len(group) > 9:
            continue
        weight = np.array([g.ink for g in group])
        rows = np.array([g.row for g in group]) + 0.5
        core = max(group, key=lambda g: g.ink)
        low, high = max(group[0].row - 1, 0), min(group[-1].row + 2, tall)
        span = field[low:high, core.begin : core.end].mean(axis=1)
        place = (
            float((span * (np.arange(low, high) + 0.5)).sum() / max(float(span.sum()), 1e-6))
            if len(span)
            else float(np.average(rows, weights=weight))
        )
        lines.append(Line(place, float(core.begin), float(core.end), level, core.strength))
    return sorted(lines, key=lambda line: -line.length)


def _along(a: _Run, b: _Run, reach: float) -> bool:
    """Whether two runs of neighbouring rows are one line: they overlap and begin near each other."""
    return abs(a.begin - b.begin) < reach and min(a.end, b.end) > max(a.begin, b.begin)


def _closed(row: NDArray[np.bool_], gap: int = 2) -> NDArray[np.bool_]:
    """The row with gaps of at most `gap` pixels filled."""
    out = row.copy()
    inked = np.flatnonzero(row)
    steps = np.diff(inked)
    for i in np.flatnonzero((steps > 1) & (steps <= gap + 1)):
        out[inked[i] : inked[i + 1]] = True
    return out


def _half_thickness(field: NDArray[np.float32], line: Line, outward: int) -> int:
    """How many pixels a line goes on beyond the two that every line takes, to its `outward` side."""
    base, middle = round(line.place - 0.5), slice(max(round(line.begin), 0), round(line.end))
    half = 0
    while half < 6:
        row = base + outward * (_TICK_NEAR + half)
        if not 0 <= row < field.shape[0] or float((field[row, middle] > _TICK).mean()) < 0.8:
            break
        half += 1
    return half


def tick_places(dark: NDArray[np.float32], line: Line, *, outward: int, short: bool = False) -> Array:
    """Where tick marks meet an axis line, in pixels along it, to a fraction of a pixel.

    `outward` is +1 where ticks point down or right of the line, -1 up or left. A tick is ink in the strip 2 to 6 pixels
    beside the line (beyond its edge where it is thick) that is no wider than a tick; a `short` one is two pixels long, as
    in small pictures, and its strip the two rows beside the line that do not run along it.
    """
    field = dark if line.level else dark.T
    base = round(line.place - 0.5)
    half = _half_thickness(field, line, outward)
    first, deep = (1, 2) if short else (_TICK_NEAR + half, 3)
    rows = [base + outward * k for k in range(first, _TICK_FAR + half + 1)]
    rows = [r for r in rows if 0 <= r < field.shape[0]]
    if short:
        middle = slice(max(round(line.begin), 0), round(line.end))
        rows = [r for r in rows if float((field[r, middle] > _TICK).mean()) < _BESIDE]
    if len(rows) < deep:
        return np.zeros(0)
    strip = field[rows[:deep]].mean(axis=0)
    begin, end = max(round(line.begin) - 4, 0), min(round(line.end) + 4, field.shape[1])
    inked = strip > _TICK
    inked[:begin] = False
    inked[end:] = False
    out = []
    for a, b in runs_of(inked):
        if b - a <= 7 + 2 * half:
            low, high = max(a - 1, 0), min(b + 1, len(strip))
            weight = strip[low:high]
            out.append(float((weight * (np.arange(low, high) + 0.5)).sum() / weight.sum()))
    return np.array(out)
