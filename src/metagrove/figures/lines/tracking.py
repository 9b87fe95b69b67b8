"""The best descending path through a picture's evidence, with dash phase: one dynamic programme per arm.

The state is a row and a phase. Going right or down advances the phase by three sub-steps a pixel along the arc, so that
a dashed line must show ink where its dashes are and may show nothing where its gaps are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array

__all__ = ["SUBSTEPS", "Dash", "Path", "tracked"]

F = TypeVar("F", bound=Callable[..., object])

SUBSTEPS = 3
_SLIP = 0.4
_JUMP = 1.5
_DOWN_GAIN = 0.7
# states this far behind the best are given up: more than any gap in a line costs
_BEAM = 90.0
_OFF_START = 0.4
# a move into a pixel: how it came from the left (0 to 2), more where it fell from above, and how it fell (0 to 5) times this
_FELL, _FALLS = 8, 16


def _compiled(function: F) -> F:
    return cast(F, numba.njit(cache=True, nogil=True)(function))


@dataclass(frozen=True, slots=True)
class Dash:
    """A dash pattern in pixels: `on` of ink, then `off` of nothing; solid where `off` is 0."""

    on: float = 1.0
    off: float = 0.0

    @property
    def period(self) -> float:
        """Length of one dash and one gap; 0 for a solid line."""
        return self.on + self.off if self.off else 0.0

    def phases(self) -> NDArray[np.float32]:
        """Ink at each sub-step of one period: shape (1,) for a solid line."""
        if not self.off:
            return np.ones(1, dtype=np.float32)
        steps = max(4, round(SUBSTEPS * self.period))
        inked = np.arange(steps) + 0.5 < self.on / self.period * steps
        return inked.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A traced line: in column `first + i` it runs from row `enter[i]` down to row `leave[i]`.

    `inked[i]` says whether a dash is due at the level of column i; `score` is the evidence gathered.
    """

    first: int
    enter: NDArray[np.int32]
    leave: NDArray[np.int32]
    inked: NDArray[np.bool_]
    score: float

    @property
    def last(self) -> int:
        """The last column."""
        return self.first + len(self.leave) - 1


@_compiled
def _peak(bits: Any) -> Any:
    """The bits of the largest of some numbers of 32 bits, by their bits: whole numbers compare many at a time."""
    top = np.int32(-0x7FFFFFFF)
    for p in range(bits.shape[0]):
        # negative numbers count down
        own = bits[p] ^ ((bits[p] >> np.int32(31)) & np.int32(0x7FFFFFFF))
        top = own if own > top else top
    return top ^ ((top >> np.int32(31)) & np.int32(0x7FFFFFFF))


@_compiled
def _row(
    before: Any,
    above: Any,
    falling: Any,
    across: Any,
    down: Any,
    now: Any,
    moves: Any,
    on: Any,
    gain: Any,
    fall_gain: Any,
    slip: Any,
    jump: Any,
) -> None:
    """The scores of one row: from the left (`before`), or fallen from the row above, at once (`above`) or going on (`falling`).

    Rows of scores have those of the last four phases before those of all, so that `row[p + 1]` is three steps behind phase p.
    """
    for p in range(on.shape[0]):
        right, came = before[p + 1], np.int32(0)
        score = before[p] - slip
        came = np.int32(1) if score > right else came
        right = score if score > right else right
        score = before[p + 2] - slip
        came = np.int32(2) if score > right else came
        right = score if score > right else right
        across[p + 4] = right
        best, fell = above[p + 1] - jump, np.int32(0)
        score = falling[p + 1]
        fell = np.int32(3) if score > best else fell
        best = score if score > best else best
        score = above[p] - jump - slip
        fell = np.int32(1) if score > best else fell
        best = score if score > best else best
        score = falling[p] - slip
        fell = np.int32(4) if score > best else fell
        best = score if score > best else best
        score = above[p + 2] - jump - slip
        fell = np.int32(2) if score > best else fell
        best = score if score > best else best
        score = falling[p + 2] - slip
        fell = np.int32(5) if score > best else fell
        best = (score if score > best else best) + on[p] * fall_gain
        down[p + 4] = best
        came = came + np.int32(_FELL) if best > right else came
        now[p + 4] = (best if best > right else right) + on[p] * gain
        moves[p] = came + np.int32(_FALLS) * fell
    for p in range(4):
        across[p], down[p], now[p] = across[p + on.shape[0]], down[p + on.shape[0]], now[p + on.shape[0]]


@_compiled
def _solid(level: Any, upright: Any, start: Any, reach: Any, jump: Any, down_gain: Any, beam: Any, moves: Any) -> Any:
    """The best score in each column of a line without dashes, and its row; `moves` takes the move into each pixel."""
    rows, columns = level.shape
    ends, end_row = np.full(columns, -1e9, dtype=np.float32), np.zeros(columns, dtype=np.int32)
    before = np.full(rows, -1e9, dtype=np.float32)
    for r in range(max(0, start - reach), min(rows, start + reach + 1)):
        before[r] = -_OFF_START * abs(r - start)
    best = np.float32(0)
    for c in range(columns):
        floor = best - beam
        best, row = np.float32(-1e9), 0
        across, down, falling = np.float32(-1e9), np.float32(-1e9), False
        for r in range(rows):
            alive = before[r] >= floor
            if not falling and not alive:
                before[r] = -1e9
                continue
            move = 0
            if falling:
                fresh = across - jump
                if fresh <= down:
                    fresh, move = down, 3 * _FALLS
                down = fresh + down_gain * upright[r, c]
            else:
                down = np.float32(-1e9)
            across = before[r] if alive else np.float32(-1e9)
            move += _FELL if down > across else 0
            before[r] = max(down, across) + level[r, c]
            moves[c, r, 0] = move
            if before[r] > best:
                best, row = before[r], r
            falling = alive or down >= floor
        ends[c], end_row[c] = best, row
    return ends, end_row, np.zeros(columns, dtype=np.int32)


@_compiled
def _dashed(
    level: Any,
    upright: Any,
    on: Any,
    start: Any,
    reach: Any,
    slip: Any,
    jump: Any,
    down_gain: Any,
    beam: Any,
    moves: Any,
) -> Any:
    """The best score in each column of a dashed line, its row and phase; `moves` takes the move into each pixel and phase."""
    rows, columns = level.shape
    phases = on.shape[0]
    ends, end_row = np.full(columns, -1e9, dtype=np.float32), np.zeros(columns, dtype=np.int32)
    end_phase = np.zeros(columns, dtype=np.int32)
    none = np.full(phases + 4, -1e9, dtype=np.float32)
    across, down = np.empty((2, phases + 4), dtype=np.float32), np.empty((2, phases + 4), dtype=np.float32)
    before = np.full((rows, phases + 4), -1e9, dtype=np.float32)
    now = np.full((rows, phases + 4), -1e9, dtype=np.float32)
    peaks = np.full(rows, -1e9, dtype=np.float32)
    top = np.zeros(1, dtype=np.float32)
    for r in range(max(0, start - reach), min(rows, start + reach + 1)):
        before[r, :] = -_OFF_START * abs(r - start)
        peaks[r] = before[r, 0]
    best = np.float32(0)
    for c in range(columns):
        floor = best - beam
        best, row = np.float32(-1e9), 0
        falling = False
        for r in range(rows):
            alive = peaks[r] >= floor
            peaks[r] = -1e9
            if not falling and not alive:
                continue
            own, other = r % 2, (r + 1) % 2
            _row(
                before[r] if alive else none,
                across[other] if falling else none,
                down[other] if falling else none,
                across[own],
                down[own],
                now[r],
                moves[c, r],
                on,
                level[r, c],
                down_gain * upright[r, c],
                slip,
                jump,
            )
            top.view(np.int32)[0] = _peak(now[r].view(np.int32))
            peaks[r] = top[0]
            if peaks[r] > best:
                best, row = peaks[r], r
            falling = alive
            if not alive:
                top.view(np.int32)[0] = _peak(down[own].view(np.int32))
                falling = top[0] >= floor
        ends[c], end_row[c] = best, row
        while now[row, 4 + end_phase[c]] < best:
            end_phase[c] += 1
        before, now = now, before
    return ends, end_row, end_phase


@_compiled
def _backward(last: Any, row: Any, phase: Any, moves: Any) -> Any:
    phases = moves.shape[2]
    enter = np.zeros(last + 1, dtype=np.int32)
    leave = np.zeros(last + 1, dtype=np.int32)
    at = np.zeros(last + 1, dtype=np.int32)
    steps = np.array([3, 4, 2])
    for c in range(last, -1, -1):
        leave[c] = row
        at[c] = phase
        if moves[c, row, phase] & _FELL:
            while True:
                how = moves[c, row, phase] // _FALLS
                row -= 1
                phase = (phase - steps[how % 3]) % phases if phases > 1 else 0
                if how < 3:
                    break
        enter[c] = row
        if phases > 1:
            phase = (phase - steps[moves[c, row, phase] % _FELL]) % phases
    return enter, leave, at


def tracked(level: Array, upright: Array, dash: Dash, *, start: int, reach: int) -> Path:
    """The path of most evidence that starts within `reach` rows of row `start` in column 0 and never rises.

    Parameters
    ----------
    level, upright : shape (rows, columns), gain of covering a pixel by a level or an upright piece of line, -1 to 1.
    dash : the pattern; off a dash nothing is gained and nothing lost.

    Starting a row off costs 0.4. The path ends where its gathered evidence is largest:
    paper costs, so the end needs no rule of its own.
    """
    on = dash.phases()
    level32 = np.ascontiguousarray(level, dtype=np.float32)
    upright32 = np.ascontiguousarray(upright, dtype=np.float32)
    slip, jump, down_gain, beam = (np.float32(v) for v in (_SLIP, _JUMP, _DOWN_GAIN, _BEAM))
    moves = np.zeros((level.shape[1], level.shape[0], len(on)), dtype=np.uint8)
    if dash.off:
        ends, rows, phases = _dashed(level32, upright32, on, start, reach, slip, jump, down_gain, beam, moves)
    else:
        ends, rows, phases = _solid(level32, upright32, start, reach, jump, down_gain, beam, moves)
    last = int(np.argmax(ends))
    enter, leave, at = _backward(last, int(rows[last]), int(phases[last]), moves)
    return Path(0, enter, leave, on[at] > 0.5, float(ends[last]))
