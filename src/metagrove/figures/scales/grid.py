"""Ruled paper taken off a plot: squared paper, then grid lines, straight and in one pale colour, at the labels of an axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.scales.axes import Axis
from metagrove.figures.scales.squared import unsquared

__all__ = ["ungridded", "unruled"]

# distances of colours, 0 to 441: ink from paper, the strongest grid line, how grey it must be, how exactly it is met
_SEEN, _STRONGEST, _GREY, _ALIKE = 9.0, 150.0, 30.0, 20.0
# share of a solid line that shows between curves, of each tenth of a dashed one, and of the labels that have lines
_SOLID, _DASHED, _LABELS = 0.6, 0.2, 0.6
# the share of a line that shows where others of its colour are known
_PARTLY = 0.3
_REACH, _STEP = 3, 2.0
# pixels from a line to the paper beside it, and the share by which the line is the more inked
_ASIDE, _CLEAR = 5, 0.12
# intervals of labels
_BEYOND = 1.2


def unruled(rgb: NDArray[np.uint8], x: Axis, y: Axis) -> NDArray[np.uint8]:
    """The picture without the lattice behind the plot with these scales; untouched where there is none.

    Squared paper goes first: its lines at the labels alone would pass for a grid, and the fine ones between them stay. What
    runs beyond it, a frame or a coarser grid, is left for the second look.
    """
    return ungridded(unsquared(rgb, x, y), x, y)


def ungridded(rgb: NDArray[np.uint8], x: Axis, y: Axis) -> NDArray[np.uint8]:
    """The picture without the grid lines of the plot with these scales; shape kept, untouched where there are none.

    A grid line runs along the whole plot at a label, paler than curves and grey; most labels of its axis have one, all in
    one colour. What stands on a line (curves, writing) stays: only pixels between paper and the line's own colour go, and
    only where nothing else is near across the line.
    """
    # the last label may stand a whole interval before the end of the plot
    columns, rows = _extent(x.pixels, rgb.shape[1], beyond=_BEYOND), _extent(_to_zero(y), rgb.shape[0])
    plot = rgb[rows[0] : rows[1], columns[0] : columns[1]].astype(np.float32)
    if plot.size == 0:
        return rgb
    paper = np.median(plot.reshape(-1, 3), axis=0)
    down, across = [p - rows[0] for p in y.pixels], [p - columns[0] for p in x.pixels]
    out = _cleared(plot, paper, down, across)
    turned = np.ascontiguousarray(out.transpose(1, 0, 2))
    out = np.ascontiguousarray(_cleared(turned, paper, across, down).transpose(1, 0, 2))
    if not np.array_equal(out, plot):
        _uncrossed(out, paper, down, across)
    if np.array_equal(out, plot):
        return rgb
    found = rgb.copy()
    found[rows[0] : rows[1], columns[0] : columns[1]] = out.round().astype(np.uint8)
    return found


def _extent(pixels: Sequence[float], size: int, *, beyond: float = 0.5) -> tuple[int, int]:
    """The pixels of an axis from half a label's distance before its first label to `beyond` of one after its last."""
    apart = float(np.diff(np.sort(pixels)).min()) if len(pixels) > 1 else 0.0
    return max(int(min(pixels) - 0.5 * apart), 0), min(int(max(pixels) + beyond * apart) + 1, size)


def _to_zero(y: Axis) -> tuple[float, ...]:
    """The places of the labels of the y axis, and of 0 where its label was lost."""
    zero = float(y.pixel(0.0)) if not y.log else np.inf
    return (*y.pixels, zero) if 0 < zero - max(y.pixels) < _BEYOND * y.spacing else y.pixels


def _uncrossed(
    plot: NDArray[np.float32], paper: NDArray[np.float32], rows: Sequence[float], columns: Sequence[float]
) -> None:
    """Paper in place of the dots that are left where translucent grid lines cross: nothing else is near them."""
    for row in rows:
        for column in columns:
            a, b = round(row - 0.5) - _REACH - 1, round(column - 0.5) - _REACH - 1
            if a < 0 or b < 0:
                continue
            patch = plot[a : a + 2 * _REACH + 3, b : b + 2 * _REACH + 3]
            far = np.linalg.norm(patch - paper, axis=2) > _SEEN
            if far.any() and not (far[0].any() or far[-1].any() or far[:, 0].any() or far[:, -1].any()):
                patch[:] = paper


def _cleared(
    plot: NDArray[np.float32], paper: NDArray[np.float32], labels: Sequence[float], along: Sequence[float]
) -> NDArray[np.float32]:
    """The plot without level grid lines at the labels and half-way between them, and without frames beyond them.

    `along` are the places of the labels of the other axis, between which every line runs.
    """
    inner = plot[:, round(min(along)) : round(max(along))]
    places = sorted(labels)
    # no curve runs level beyond the first and the last label: a line there is a frame
    beyond = [*np.arange(2.0, places[0] - _REACH, _STEP), *np.arange(places[-1] + _REACH, len(plot) - 2.0, _STEP)]
    lines = {place: _line_colour(inner, paper, place) for place in [*places, *beyond]}
    gridded = sum(lines[p] is not None for p in places) >= max(2, _LABELS * len(places))
    halves = [(a + b) / 2 for a, b in pairwise(places)]
    lines |= {place: _line_colour(inner, paper, place) for place in halves}
    if gridded:
        known = np.median([own for p in places if (own := lines[p]) is not None], axis=0)
        hidden = [p for p in [*places, *halves] if lines[p] is None and _hidden_line(inner, paper, known, p)]
        lines |= dict.fromkeys(hidden, known)
    out = plot.copy()
    for place in [*beyond, *((*places, *halves) if gridded else ())]:
        own = lines[place]
        if own is not None:
            _erase(out, paper, own, place)
    return out


def _hidden_line(
    plot: NDArray[np.float32], paper: NDArray[np.float32], colour: NDArray[np.float32], place: float
) -> bool:
    """Whether a line in the colour of the other grid lines shows at a row, if only in parts: a legend and curves hide some."""
    rows = slice(max(round(place) - 2, 0), min(round(place) + 2, len(plot)))
    if float(np.linalg.norm(colour - paper)) < 2 * _ALIKE or rows.stop <= rows.start:
        return False
    own = np.linalg.norm(plot[rows] - colour, axis=2) < _ALIKE
    return bool(own.mean(axis=1).max() > _PARTLY)


def _line_colour(plot: NDArray[np.float32], paper: NDArray[np.float32], place: float) -> NDArray[np.float32] | None:
    """The commonest colour of the pale line nearest to a row; None where there is no line along the whole row."""
    best: tuple[float, NDArray[np.float32]] | None = None
    for row in range(max(round(place) - 2, 0), min(round(place) + 2, len(plot))):
        away = plot[row] - paper
        far = np.linalg.norm(away, axis=1)
        inked = far > _SEEN
        if inked.mean() < _DASHED:
            continue
        colour = (
            paper + np.median(away[inked & (far < _STRONGEST)], axis=0) if (inked & (far < _STRONGEST)).any() else None
        )
        if colour is None or np.ptp(colour - paper) > _GREY:
            continue
        strength = float(np.linalg.norm(colour - paper))
        own = inked & (np.linalg.norm(plot[row] - colour, axis=1) < _ALIKE)
        share = float(own.mean())
        # on grainy paper every row is as dark
        beside = [plot[r] for r in (row - _ASIDE, row + _ASIDE) if 0 <= r < len(plot)]
        if share < _CLEAR + min(float((np.linalg.norm(r - paper, axis=1) > _SEEN).mean()) for r in beside):
            continue
        tenths = sorted(float(part.mean()) for part in np.array_split(own, 10))
        # a legend may hide two tenths
        if (share > _SOLID or tenths[2] > _DASHED) and (best is None or strength > best[0]):
            best = strength, colour
    return None if best is None else best[1]


def _erase(plot: NDArray[np.float32], paper: NDArray[np.float32], colour: NDArray[np.float32], place: float) -> None:
    """Paper in place of the grid line at a row, where nothing but the line and paper is near across it."""
    first, last = max(round(place) - _REACH - 2, 0), min(round(place) + _REACH + 2, len(plot))
    strip = plot[first:last]
    ink = colour - paper
    along = (strip - paper) @ ink / max(float(ink @ ink), 1.0)
    off = np.linalg.norm(strip - paper - along[..., None] * ink, axis=2)
    slack = _ALIKE / max(float(np.linalg.norm(ink)), 1.0)
    # black is what white lines on a grey panel are not, though all three are greys
    plain = (off < _ALIKE) & (along < 1 + slack) & (along > -slack)
    alone = plain.all(axis=0)
    strip[2:-2, alone] = np.where((np.abs(along) > 0.02)[2:-2, alone][..., None], paper, strip[2:-2, alone])
