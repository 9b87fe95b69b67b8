"""The upper and lower edge of a traced line, column by column, and the falling curve that both edges bound.

A pen of width w that draws a falling staircase leaves ink whose upper edge is the curve moved up and right by w / 2 and
whose lower edge is the curve moved down and left by w / 2. So each edge alone holds every step, also those finer than
the pen, and ink that sticks out of a line (a censor mark) can only push the upper edge up and the lower edge down.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.evidence import above_tints
from metagrove.figures.lines.tracking import Path
from metagrove.survival.evidence.steps import falling

__all__ = ["Edges", "bounded_curve", "edges_of", "level_rows"]

F = TypeVar("F", bound=Callable[..., object])

#: Cells a pixel in which the two edges are laid over each other.
CELLS = 4
_BRIDGE = 9
_DOUBTFUL = 0.05
_ASTRAY = 0.75
_STRAY = 1.5
_WAVER = 0.3
_EVEN = 0.1
_STILL = 0.02
# pixels: how much thinner than the pen the line looks where its ink has a gap, and how far the fewest levels may leave
# the fitted curve where neither edge is sure
_GAP, _LOOSE = 0.5, 0.4
# pixels: pieces of a line nearer to each other are one level that a mark cuts
_SAME_LEVEL = 0.3


def _compiled(function: F) -> F:
    return cast(F, numba.njit(cache=True, nogil=True)(function))


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Rows of the upper and the lower edge of a line in each column of its path; NaN where other ink hides an edge.

    `middle` is the middle of the ink within the line's reach of the path, known also where an edge is not. `width` is the line's own thickness in pixels: the median distance of the edges on level pieces.
    """

    upper: Array
    lower: Array
    middle: Array
    width: float


@_compiled
def _ink_beyond(ink: Any, unknown: Any, column: int, row: int, way: int, bridge: int) -> Any:
    """Summed ink from `row` on in direction `way` until paper; whether paper, not other ink, ended it."""
    rows = ink.shape[0]
    total = 0.0
    r = row
    while 0 <= r < rows:
        if unknown[r, column]:
            ahead = r
            while 0 <= ahead < rows and abs(ahead - r) <= bridge and unknown[ahead, column]:
                ahead += way
            if not (0 <= ahead < rows) or unknown[ahead, column] or ink[ahead, column] < 0.6:
                return total, False
            total += abs(ahead - r)
            r = ahead
            continue
        total += ink[r, column]
        if ink[r, column] < 0.22:
            return total, True
        r += way
    return total, False


@_compiled
def _edge_rows(ink: Any, unknown: Any, leave: Any, first: int, half: float, least: float, bridge: int) -> Any:
    columns = leave.shape[0]
    rows = ink.shape[0]
    upper = np.full(columns, np.nan)
    lower = np.full(columns, np.nan)
    centre = np.full(columns, np.nan)
    reach = int(np.ceil(half + 1))
    for i in range(columns):
        c = first + i
        weight, moment, peak = 0.0, 0.0, 0.0
        for r in range(max(leave[i] - reach, 0), min(leave[i] + reach + 1, rows)):
            if not unknown[r, c]:
                weight += ink[r, c]
                moment += ink[r, c] * (r + 0.5)
                peak = max(peak, ink[r, c])
        if peak < least or weight <= 0:
            continue
        middle = moment / weight
        row = int(np.floor(middle))
        if row >= rows or unknown[row, c] or ink[row, c] < 0.22:
            continue
        centre[i] = middle
        part = middle - row
        up, up_ends = _ink_beyond(ink, unknown, c, row - 1, -1, bridge)
        down, down_ends = _ink_beyond(ink, unknown, c, row + 1, 1, bridge)
        if up_ends:
            upper[i] = middle - part * ink[row, c] - up
        if down_ends:
            lower[i] = middle + (1 - part) * ink[row, c] + down
    return upper, lower, centre


def edges_of(path: Path, ink: NDArray[np.float32], unknown: NDArray[np.bool_], width: float) -> Edges:
    """The edges of the line under a path.

    Parameters
    ----------
    path : the traced line.
    ink : share of each pixel covered by the arm, 0 to 1, shape (rows, columns).
    unknown : where other ink hides the arm, same shape.
    width : line width in pixels, roughly.
    """
    due = np.flatnonzero(path.inked)
    at = np.clip(path.leave, 0, ink.shape[0] - 1)
    shown = due[~unknown[at[due], path.first + due]]
    peaks = ink[at[shown], path.first + shown]
    least = 0.6 * float(np.quantile(peaks, 0.7)) if len(peaks) else 0.6
    # wider than any line with a mark on it
    ink = above_tints(ink, 2 * round(1.5 * width + 3) + 1)
    upper, lower, middle = _edge_rows(ink, unknown, path.leave, path.first, width / 2, least, _BRIDGE)
    upper[~path.inked] = lower[~path.inked] = middle[~path.inked] = np.nan
    level = np.ones(len(path.leave), bool)
    drop = path.leave - path.enter > 0
    reach = round(width / 2) + 1
    for k in range(-reach, reach + 1):
        level &= ~np.roll(drop, k)
    thick = (lower - upper)[level]
    thick = thick[np.isfinite(thick) & (thick < 2 * width + 2)]
    own = _usual(thick) if len(thick) > 8 else width - 0.2
    return Edges(upper, lower, middle, own)


def _usual(thick: Array) -> float:
    """The middle thickness, or where censor marks thicken much of a line that of its thinner parts."""
    low, middle = np.quantile(thick, [0.15, 0.5])
    return float(middle if middle - low < 1.2 else np.median(thick[thick < low + 0.6]))


def level_rows(edges: Edges, *, shortest: int = 5) -> Array:
    """The rows, to a fraction of a pixel, of the levels on which the line runs in full for `shortest` columns."""
    with np.errstate(invalid="ignore"):
        calm = np.abs(edges.lower - edges.upper - edges.width) < 0.3
        calm[1:] &= (np.abs(np.diff(edges.upper)) < 0.08) & (np.abs(np.diff(edges.lower)) < 0.08)
    change = np.diff(np.concatenate([[0], calm.astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist()
    middle = (edges.upper + edges.lower) / 2
    rows = [float(np.median(middle[a:b])) for a, b in zip(begins, ends, strict=True) if b - a >= shortest]
    return np.array([v for k, v in enumerate(rows) if k == 0 or v - rows[k - 1] > _SAME_LEVEL])


def bounded_curve(edges: Edges, path: Path) -> tuple[Array, NDArray[np.int64]]:
    """The height of the curve in each cell (a quarter of a column) of the path, and whether its ink was seen there.

    Both edges are laid over each other where the pen's width puts them; the result never rises on the page, stays
    between what the upper edge allows (its furthest fall so far) and what the lower edge allows (its least fall still
    to come), and in stretches without ink follows the path.
    """
    half = edges.width / 2
    # where the whole pen shows, no gap in the ink pulls an edge in
    whole = edges.lower - edges.upper >= edges.width - _GAP
    upper = np.where(whole, edges.upper, _calmed(edges.upper)) + half
    lower = np.where(whole, edges.lower, -_calmed(-edges.lower)) - half
    upper, lower = _near_path(upper, lower, path, half), _near_path(lower, upper, path, half)
    high, low = _rows_near(path, round(half) + 1)
    trust = np.where((upper < high - _STRAY) & (lower > low + _STRAY), 0.0, _trust(upper, lower))
    shift = round(CELLS * half)
    above, weight_above = _cells(upper, trust, -shift)
    below, weight_below = _cells(lower, trust, shift)
    # where ink sticks out on both sides, the line runs through its middle
    both = np.isfinite(upper) & np.isfinite(lower)
    neither = ~np.isfinite(upper) & ~np.isfinite(lower)
    doubtful = np.where(both, (upper + lower) / 2, np.where(neither, edges.middle, np.nan))
    middle, weight_middle = _cells(doubtful, _DOUBTFUL * np.where(neither, 1.0, 1 - trust), 0)
    layers = ((above, weight_above), (below, weight_below), (middle, weight_middle))
    total = sum((w for _, w in layers), np.zeros(len(above)))
    mean = sum((np.nan_to_num(v) * w for v, w in layers), np.zeros(len(above))) / np.maximum(total, 1e-9)
    seen = total > 0
    mean, total = _filled(mean, total, seen, np.repeat(path.leave + 0.5, CELLS))
    # rows grow as survival falls
    fitted = -falling(-mean, total)
    least = np.maximum.accumulate(np.where(np.isfinite(above), above, -np.inf))
    most = np.minimum.accumulate(np.where(np.isfinite(below), below, np.inf)[::-1])[::-1]
    fitted = np.maximum.accumulate(np.where(least <= most, np.clip(fitted, least, np.maximum(least, most)), fitted))
    sure = np.maximum(weight_above, weight_below) > 0
    slack = [np.repeat(rows, CELLS) for rows in _rows_near(path, round(half))]
    held = np.pad(fitted, shift, mode="edge")
    before, after = held[: len(fitted)], held[2 * shift :]
    low = np.maximum(least, np.where(seen, before - _WAVER, np.minimum(fitted, slack[0]) - _STRAY))
    high = np.minimum(most, np.where(seen, after + _WAVER, np.maximum(fitted, slack[1]) + _STRAY))
    plain = sure | (low > fitted) | (high < fitted)
    low = np.maximum(np.where(plain, fitted, low) - _EVEN, fitted - _LOOSE)
    high = np.minimum(np.where(plain, fitted, high) + _EVEN, fitted + _LOOSE)
    return _fewest_levels(fitted, low, high), sure.reshape(-1, CELLS).max(axis=1).astype(np.int64)


def _fewest_levels(fitted: Array, low: Array, high: Array) -> Array:
    """The falling curve of fewest levels within bounds, each level where the fitted curve is on the average.

    Between two levels the jump stands where the fitted curve passes their middle, as far as the bounds allow.
    """
    cuts, floor, ceiling = [0], -np.inf, np.inf
    lows, highs = low.tolist(), high.tolist()
    for k, (least, most) in enumerate(zip(lows, highs, strict=True)):
        floor, ceiling = max(floor, least), min(ceiling, most)
        if floor > ceiling:
            cuts.append(k)
            floor, ceiling = least, most
    cuts.append(len(fitted))
    for n in range(1, len(cuts) - 1):
        a, k, b = cuts[n - 1], cuts[n], cuts[n + 1]
        least, most = max(lows[k:b]), min(highs[k:b])
        own = min(max(float(fitted[k:b].sum()) / (b - k), least), most)
        # the next level may begin earlier
        first = k
        while first > a + 1 and lows[first - 1] <= own <= highs[first - 1]:
            first -= 1
        before = float(fitted[a:first].sum()) / (first - a) if first > a else float(fitted[a])
        middle = (before + own) / 2
        cuts[n] = first + int(np.searchsorted(fitted[first:k], middle)) if first < k else k
    out = np.empty(len(fitted))
    for a, b in itertools.pairwise(cuts):
        if b > a:
            least = max(lows[a:b])
            out[a:b] = min(max(float(fitted[a:b].sum()) / (b - a), least), max(least, min(highs[a:b])))
    return np.maximum.accumulate(out)


def _near_path(edge: Array, other: Array, path: Path, half: float) -> Array:
    """The edge, left out where it stands alone and far from the path: what it then bounds is not the line."""
    high, low = _rows_near(path, round(half) + 1)
    with np.errstate(invalid="ignore"):
        far = (edge < high - _STRAY) | (edge > low + _STRAY)
    return np.where(far & ~np.isfinite(other), np.nan, edge)


def _rows_near(path: Path, reach: int) -> tuple[Array, Array]:
    """The highest and the lowest row of the path within `reach` columns of each column."""
    size = len(path.leave)
    begun, held = np.pad(path.enter, reach, mode="edge"), np.pad(path.leave, reach, mode="edge")
    high = np.min([begun[k : k + size] for k in range(2 * reach + 1)], axis=0) + 0.5
    low = np.max([held[k : k + size] for k in range(2 * reach + 1)], axis=0) + 0.5
    return high, low


def _calmed(edge: Array) -> Array:
    """The upper edge without falls of one or two columns that rise again: gaps in the ink make them, no line does."""
    out = edge.copy()
    places = np.flatnonzero(np.isfinite(edge))
    # in a picture without noise a level line's edge stands still, and each column is as good as another
    if len(places) > 2 and (np.abs(np.diff(edge[places])) < _STILL).mean() < 0.5:
        held = np.pad(edge[places], 2, mode="edge")
        eroded = np.lib.stride_tricks.sliding_window_view(held, 3).min(axis=1)
        out[places] = np.lib.stride_tricks.sliding_window_view(eroded, 3).max(axis=1)
    return out


def _trust(upper: Array, lower: Array) -> Array:
    """1 where the edges fall as a line's do, 0 where one turns back and ink therefore sticks out on both sides."""
    high = np.fmax.accumulate(np.nan_to_num(upper, nan=-np.inf))
    low = np.fmin.accumulate(np.nan_to_num(lower, nan=np.inf)[::-1])[::-1]
    with np.errstate(invalid="ignore"):
        out = (upper < high - _ASTRAY) | (lower > low + _ASTRAY)
    return np.where(out, 0.0, 1.0)


def _cells(values: Array, weight: Array, shift: int) -> tuple[Array, Array]:
    """Values and weights of columns on the grid of cells, moved right by `shift`; NaN and 0 where there are none."""
    shift = min(max(shift, -len(values)), len(values))
    cells, weights = np.repeat(values, CELLS), np.repeat(np.where(np.isfinite(values), weight, 0.0), CELLS)
    out, heavy = np.full(len(cells), np.nan), np.zeros(len(cells))
    to = slice(shift, None) if shift >= 0 else slice(None, shift)
    of = slice(None, len(cells) - shift) if shift >= 0 else slice(-shift, None)
    out[to], heavy[to] = cells[of], weights[of]
    return out, heavy


def _filled(mean: Array, weight: Array, seen: NDArray[np.bool_], rows: Array) -> tuple[Array, Array]:
    """Heights in unseen cells: those beside the gap where the path keeps their row, else the path's row."""
    mean, weight = mean.copy(), weight.copy()
    if not seen.any():
        return rows.astype(float), np.ones(len(rows))
    change = np.diff(np.concatenate([[0], (~seen).astype(np.int8), [0]]))
    for a, b in zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True):
        own = rows[a:b].astype(float)
        if a > 0 and abs(mean[a - 1] - rows[a - 1]) <= _STRAY:
            own = np.where(np.abs(own - rows[a - 1]) < 0.5, mean[a - 1], np.maximum(own, mean[a - 1]))
        if b < len(rows) and abs(mean[b] - rows[b]) <= _STRAY:
            own = np.where(np.abs(rows[a:b] - rows[b]) < 0.5, mean[b], np.minimum(own, mean[b]))
        mean[a:b] = own
        weight[a:b] = 0.02
    return mean, weight
