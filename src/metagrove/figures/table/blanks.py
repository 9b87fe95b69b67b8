"""Cells of a table that are blank on the page, as after the end of an arm, and cells that should have been read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.lines import count_places
from metagrove.figures.table.recount import expected_times
from metagrove.figures.table.rows import RiskRow

__all__ = ["with_blanks"]

# what paper may show after strong JPEG compression, and the share of a cell that dust may take
_INK, _DUST = 0.3, 0.01
# letter heights round the middle of a cell that must be blank
_ACROSS, _DOWN = 1.0, 0.5
# the height of a dash at most
_FLAT = 0.25


def with_blanks(rows: Sequence[RiskRow], x: Axis, dark: NDArray[np.float32] | None) -> list[RiskRow]:
    """The rows with cells as empty that hold a dash, or that are blank after the last count; all others missing are holes.

    `dark` is the ink of the picture, 0 to 1; without one the words of the page are exact, and what they lack is blank.
    """
    times = expected_times(rows, x) if rows else []
    if dark is None:
        known = {t for row in rows for t in (*(c.time for c in row.cells), *row.empty)}
        times = [t for t in times if t in known]
    else:
        times = [t for t in times if not _unprinted(rows, t, x, dark)]
    return [_blanked(row, times, x, dark) for row in rows]


def _unprinted(rows: Sequence[RiskRow], time: float, x: Axis, dark: NDArray[np.float32]) -> bool:
    """Whether a column is blank paper in every row."""
    if any(time in row.empty or any(c.time == time for c in row.cells) for row in rows):
        return False
    sizes = [float(np.median([c.box[3] - c.box[1] for c in row.cells])) for row in rows]
    return all(_cell(dark, row, time, x, size).mean() <= _DUST for row, size in zip(rows, sizes, strict=True))


def _blanked(row: RiskRow, times: Sequence[float], x: Axis, dark: NDArray[np.float32] | None) -> RiskRow:
    known = {c.time for c in row.cells}
    missing = [t for t in times if t not in known and t not in row.empty]
    last = row.cells[-1].time
    if dark is None:
        empty = [t for t in missing if t > last]
    else:
        size = float(np.median([c.box[3] - c.box[1] for c in row.cells]))
        seen = {t: _cell(dark, row, t, x, size) for t in missing}
        empty = [t for t, ink in seen.items() if _dash(ink, size) or (t > last and ink.mean() <= _DUST)]
    return replace(row, empty=(*row.empty, *empty), holes=len(missing) - len(empty))


def _cell(dark: NDArray[np.float32], row: RiskRow, time: float, x: Axis, size: float) -> NDArray[np.bool_]:
    """The ink where the count of a time would stand; at least one pixel."""
    ticks, at = count_places(x)
    place = float(ticks[int(np.abs(at - time).argmin())]) + row.shift
    top, foot = round(row.height - _DOWN * size), round(row.height + _DOWN * size) + 1
    left, right = round(place - _ACROSS * size), round(place + _ACROSS * size) + 1
    cell = dark[max(top, 0) : max(foot, 0), max(left, 0) : max(right, 0)]
    return np.asarray(cell > _INK) if cell.size else np.ones((1, 1), dtype=bool)


def _dash(ink: NDArray[np.bool_], size: float) -> bool:
    """Whether a cell holds one flat bar near its middle and nothing else."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) < 1 or len(columns) < 3:
        return False
    high, wide = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    middle = abs(float(rows.mean()) - (len(ink) - 1) / 2) < 0.3 * size
    return middle and high <= max(_FLAT * size, 2.0) and wide >= 2 * high and ink.sum() > 0.7 * high * wide
