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


def with_blanks(rows: Sequence[RiskRow], x: Axis, dark: NDArray[np.float32] | None) -> list[RiskRow]:
    """The rows with the cells after their last count that are blank as empty, all others that other rows have as holes.

    `dark` is the ink of the picture, 0 to 1; without one the words of the page are exact, and what they lack is blank.
    """
    times = expected_times(rows, x) if rows else []
    return [_blanked(row, times, x, dark) for row in rows]


def _blanked(row: RiskRow, times: Sequence[float], x: Axis, dark: NDArray[np.float32] | None) -> RiskRow:
    known = {c.time for c in row.cells}
    missing = [t for t in times if t not in known and t not in row.empty]
    after = [t for t in missing if t > row.cells[-1].time]
    blank = [t for t in after if dark is None or _blank(dark, row, t, x)]
    return replace(row, empty=(*row.empty, *blank), holes=len(missing) - len(blank))


def _blank(dark: NDArray[np.float32], row: RiskRow, time: float, x: Axis) -> bool:
    """Whether the page shows nothing where the count of a time would stand."""
    ticks, at = count_places(x)
    place = float(ticks[int(np.abs(at - time).argmin())]) + row.shift
    size = float(np.median([c.box[3] - c.box[1] for c in row.cells]))
    top, foot = round(row.height - _DOWN * size), round(row.height + _DOWN * size) + 1
    left, right = round(place - _ACROSS * size), round(place + _ACROSS * size) + 1
    cell = dark[max(top, 0) : max(foot, 0), max(left, 0) : max(right, 0)]
    return bool(cell.size and (cell > _INK).mean() <= _DUST)
