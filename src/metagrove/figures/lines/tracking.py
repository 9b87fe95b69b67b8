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
def _go_right(before: Any, across: Any, alive: Any, came: Any, slip: Any, floor: Any, back: Any) -> Any:
    """Scores after one column to the right; rows that no state reaches above `floor` are given up."""
    rows, phases = before.shape
    for r in range(rows):
        peak = before[r, 0]
        for p in range(1, phases):
            peak = max(peak, before[r, p])
        alive[r] = peak >= floor
        for p in range(phases):
            if not alive[r]:
                across[r, p] = -1e9
            elif phases == 1:
                across[r, 0] = before[r, 0]
            else:
                best, how = before[r, back[0, p]], 0
                if before[r, back[1, p]] - slip > best:
                    best, how = before[r, back[1, p]] - slip, 1
                if before[r, back[2, p]] - slip > best:
                    best, how = before[r, back[2, p]] - slip, 2
                across[r, p] = best
                came[r, p] = how


@_compiled
def _go_down(across: Any, down: Any, r: Any, p: Any, slip: Any, jump: Any, back: Any) -> Any:
    """The best score of falling into row r at phase p, and the move that gives it (3 more where the fall goes on)."""
    phases = across.shape[1]
    if phases == 1:
        fresh, going = across[r - 1, 0] - jump, down[r - 1, 0]
        return (fresh, 0) if fresh > going else (going, 3)
    best, how = np.float32(-2e9), 0
    for k in range(3):
        q = back[k, p]
        cost = slip if k else np.float32(0)
        fresh, going = across[r - 1, q] - jump - cost, down[r - 1, q] - cost
        if fresh > best:
            best, how = fresh, k
        if going > best:
            best, how = going, k + 3
    return best, how


@_compiled
def _column(
    gain: Any,
    fall_gain: Any,
    on: Any,
    across: Any,
    down: Any,
    now: Any,
    alive: Any,
    came: Any,
    fell: Any,
    slip: Any,
    jump: Any,
    floor: Any,
    back: Any,
) -> Any:
    """All scores of one column from those that came from the left; the best score with its row and phase."""
    rows, phases = across.shape
    best, row, phase = np.float32(-1e9), 0, 0
    falling = False
    for r in range(rows):
        if not falling and not alive[r]:
            down[r, :] = -1e9
            now[r, :] = -1e9
            continue
        lowest = np.float32(-1e9)
        for p in range(phases):
            if r > 0 and falling:
                score, how = _go_down(across, down, r, p, slip, jump, back)
                down[r, p] = score + on[p] * fall_gain[r]
                fell[r, p] = how
            else:
                down[r, p] = -1e9
            lowest = max(lowest, down[r, p])
            if down[r, p] > across[r, p]:
                now[r, p] = down[r, p] + on[p] * gain[r]
                came[r, p] += 8
            else:
                now[r, p] = across[r, p] + on[p] * gain[r]
            if now[r, p] > best:
                best, row, phase = now[r, p], r, p
        falling = alive[r] or lowest >= floor
    return best, row, phase


@_compiled
def _forward(
    level: Any, upright: Any, on: Any, start: Any, reach: Any, slip: Any, jump: Any, down_gain: Any, beam: Any
) -> Any:
    rows, columns = level.shape
    phases = on.shape[0]
    before = np.full((rows, phases), -1e9, dtype=np.float32)
    across = np.empty((rows, phases), dtype=np.float32)
    down = np.empty((rows, phases), dtype=np.float32)
    now = np.empty((rows, phases), dtype=np.float32)
    came = np.zeros((columns, rows, phases), dtype=np.uint8)
    fell = np.zeros((columns, rows, phases), dtype=np.uint8)
    ends = np.full(columns, -1e9, dtype=np.float32)
    end_row = np.zeros(columns, dtype=np.int32)
    end_phase = np.zeros(columns, dtype=np.int32)
    alive = np.ones(rows, dtype=np.bool_)
    back = np.empty((3, phases), dtype=np.int64)
    for p in range(phases):
        back[0, p], back[1, p], back[2, p] = (p - 3) % phases, (p - 4) % phases, (p - 2) % phases
    for r in range(max(0, start - reach), min(rows, start + reach + 1)):
        before[r, :] = -_OFF_START * abs(r - start)
    best = np.float32(0)
    for c in range(columns):
        floor = best - beam
        _go_right(before, across, alive, came[c], slip, floor, back)
        gain, fall_gain = level[:, c], down_gain * upright[:, c]
        best, row, phase = _column(
            gain, fall_gain, on, across, down, now, alive, came[c], fell[c], slip, jump, floor, back
        )
        ends[c], end_row[c], end_phase[c] = best, row, phase
        before[:] = now
    return ends, end_row, end_phase, came, fell


@_compiled
def _backward(last: Any, row: Any, phase: Any, came: Any, fell: Any, phases: Any) -> Any:
    enter = np.zeros(last + 1, dtype=np.int32)
    leave = np.zeros(last + 1, dtype=np.int32)
    at = np.zeros(last + 1, dtype=np.int32)
    steps = np.array([3, 4, 2])
    for c in range(last, -1, -1):
        leave[c] = row
        at[c] = phase
        if came[c, row, phase] >= 8:
            while True:
                how = fell[c, row, phase]
                row -= 1
                phase = (phase - steps[how % 3]) % phases if phases > 1 else 0
                if how < 3:
                    break
        enter[c] = row
        if phases > 1:
            phase = (phase - steps[came[c, row, phase] % 8]) % phases
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
    costs = (np.float32(v) for v in (_SLIP, _JUMP, _DOWN_GAIN, _BEAM))
    ends, rows, phases, came, fell = _forward(level32, upright32, on, start, reach, *costs)
    last = int(np.argmax(ends))
    enter, leave, at = _backward(last, int(rows[last]), int(phases[last]), came, fell, len(on))
    return Path(0, enter, leave, on[at] > 0.5, float(ends[last]))
