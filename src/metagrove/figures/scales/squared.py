"""Squared paper: a fine lattice of thin lines that divides the intervals of the labels evenly, taken off the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.scales.axes import Axis

__all__ = ["unsquared"]

# into how many parts a lattice divides the interval of two labels, finest first, and from how many on it is one
_PARTS, _FINE = range(25, 0, -1), 3
# pixels between two lines at least, and round the place of a line
_APART, _REACH = 4.0, 2
# how much stronger than the paper beside it a line is, of 441, and the share of the places that show one
_CLEAR, _SEEN = 4.0, 0.85
# lines in one direction at most
_MOST = 500
# how much stronger than the usual a line may be before it is something else on it, which one is usual, and which pixel's ink is full
_STRONGER, _USUAL, _INK = 1.4, 0.25, 0.995
# the strongest line, of the ink, and the quantile of the plot that is paper between the lines
_PALE, _PAPER = 0.6, 0.75


@dataclass(frozen=True, slots=True)
class _Ruling:
    """Lines in one direction: into how many parts they divide an interval, and for every row what they add to paper."""

    parts: int
    colour: NDArray[np.float32]


def unsquared(rgb: NDArray[np.uint8], x: Axis, y: Axis) -> NDArray[np.uint8]:
    """The picture without the squared paper of the plot with these scales; shape kept, untouched where there is none.

    The lines divide the intervals of the labels evenly, at least in three in one direction, and are paler than the ink.
    Each pixel is taken for ink over paper and line; the line's part becomes paper.
    """
    if x.log or y.log or min(len(x.pixels), len(y.pixels)) < 2:
        return rgb
    rows, columns = _span(y, rgb.shape[0]), _span(x, rgb.shape[1])
    plot = rgb[rows[0] : rows[1], columns[0] : columns[1]].astype(np.float32)
    if not plot.size:
        return rgb
    paper = np.asarray(np.quantile(plot[::3, ::3].reshape(-1, 3), _PAPER, axis=0), dtype=np.float32)
    level = _ruling(plot, paper, y, rows[0])
    upright = _ruling(plot.transpose(1, 0, 2), paper, x, columns[0])
    if not any(r.parts >= _FINE for r in (level, upright) if r is not None):
        return rgb
    ink = float(np.quantile(np.linalg.norm(plot - paper, axis=2), _INK))
    lattice = _crossed(_added(level, plot.shape[0]), _added(upright, plot.shape[1]), plot - paper)
    strength = np.linalg.norm(lattice, axis=2, keepdims=True)
    if float(strength.max()) > _PALE * ink:
        return rgb
    left = np.clip(1 - np.linalg.norm(plot - paper - lattice, axis=2, keepdims=True) / (ink - strength), 0, 1)
    cleared = plot - lattice * left
    # what is nearer to paper than the line lies on it
    low, high = np.minimum(plot, paper), np.maximum(plot, paper)
    out = rgb.copy()
    out[rows[0] : rows[1], columns[0] : columns[1]] = np.clip(cleared, low, high).round().astype(np.uint8)
    return out


def _added(ruling: _Ruling | None, size: int) -> NDArray[np.float32]:
    return np.zeros((size, 3), dtype=np.float32) if ruling is None else ruling.colour


def _crossed(
    level: NDArray[np.float32], upright: NDArray[np.float32], seen: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What level and upright lines add to paper together: where they cross the darker one, their sum, or something between.

    `seen` is what the picture adds to paper; it says how much of a line shows through another.
    """
    down, across = level[:, None], upright[None]
    one = np.where(np.abs(down) > np.abs(across), down, across)
    over = down + across - one
    rows, columns = (np.flatnonzero(np.linalg.norm(c, axis=1) > _CLEAR) for c in (level, upright))
    here = np.ix_(rows, columns)
    extra, most = ((seen - one)[here] * over[here]).sum(axis=2), (over[here] ** 2).sum(axis=2)
    share = float(np.clip(np.median(extra[most > 0] / most[most > 0]), 0, 1)) if (most > 0).any() else 0.0
    return np.asarray(one + share * over, dtype=np.float32)


def _span(axis: Axis, size: int) -> tuple[int, int]:
    """The pixels of an axis from its first label, or 0, to its last."""
    ends = [*axis.pixels, *([float(axis.pixel(0.0))] if min(axis.values) > 0 else [])]
    return max(int(min(ends)) - 2 * _REACH, 0), min(int(max(ends)) + 2 * _REACH + 1, size)


def _ruling(plot: NDArray[np.float32], paper: NDArray[np.float32], axis: Axis, first: int) -> _Ruling | None:
    """The finest even lines along the rows of the plot, which begins at pixel `first` of the axis; None where not even the labels have lines."""
    profile = np.median(plot, axis=1) - paper
    strength = np.linalg.norm(profile, axis=1)
    step = float(np.diff(np.sort(axis.values)).min())
    for parts in _PARTS:
        pitch = step / parts / abs(axis.slope)
        if pitch < _APART:
            continue
        places = np.sort(axis.pixel(min(axis.values) + step / parts * np.arange(-parts, _MOST)) - first)
        places = places[(places > _REACH) & (places < len(plot) - _REACH - 1)]
        if len(places) > 2 and _shown(strength, places, pitch) >= _SEEN:
            return _Ruling(parts, _colours(profile, strength, places, [p - first for p in axis.pixels]))
    return None


def _peaks(strength: NDArray[np.floating], places: Array) -> Array:
    near = np.round(places - 0.5).astype(int)[:, None] + np.arange(-1, 2)
    return np.asarray(strength[np.clip(near, 0, len(strength) - 1)].max(axis=1))


def _shown(strength: NDArray[np.floating], places: Array, pitch: float) -> float:
    """The share of the places that show a line, paper on both sides of it."""
    between = np.round(np.concatenate([places - pitch / 2, places[-1:] + pitch / 2]) - 0.5).astype(int)
    valleys = strength[np.clip(between, 0, len(strength) - 1)]
    beside = np.maximum(valleys[:-1], valleys[1:])
    return float((_peaks(strength, places) > beside + _CLEAR).mean())


def _colours(
    profile: NDArray[np.float32], strength: NDArray[np.floating], places: Array, labels: Sequence[float]
) -> NDArray[np.float32]:
    """What the lines add to the paper in each row: lines at labels may be stronger; what is stronger still lies on them."""
    out = np.zeros_like(profile)
    own = np.abs(places[:, None] - np.asarray(labels)[None, :]).min(axis=1) < _REACH
    for group in (places[own], places[~own]):
        if not len(group):
            continue
        # sides of the frame stand at labels too
        usual = float(np.quantile(_peaks(strength, group), _USUAL))
        middle = np.round(group - 0.5).astype(int)
        rows = np.unique(np.clip(middle[:, None] + np.arange(-_REACH, _REACH + 1), 0, len(out) - 1))
        typical = np.median(profile[middle[strength[middle] <= _STRONGER * usual]], axis=0)
        strong = strength[rows] > _STRONGER * usual
        out[rows] = np.where(strong[:, None], typical, profile[rows])
    return out
