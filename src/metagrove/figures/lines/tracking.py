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
def _turned(scores: Any, out: Any) -> None:
    """The scores of all phases with those of the last four before them, so that `out[p + 1]` is three steps behind p."""
    phases = scores.shape[0]
    for p in range(4):
        out[p] = scores[(p - 4) % phases]
    for p in range(phases):
        out[p + 4] = scores[p]


@_compiled
def _go_right(before: Any, across: Any, came: Any, slip: Any, behind: Any) -> None:
    """The scores of one row after one column to the right."""
    phases = before.shape[0]
    if phases == 1:
        across[0] = before[0]
        return
    _turned(before, behind)
    for p in range(phases):
        best, how = behind[p + 1], np.uint8(0)
        longer, shorter = behind[p] - slip, behind[p + 2] - slip
        how = np.uint8(1) if longer > best else how
        best = max(longer, best)
        how = np.uint8(2) if shorter > best else how
        across[p] = max(shorter, best)
        came[p] = how


@_compiled
def _go_down(above: Any, falling: Any, down: Any, fell: Any, slip: Any, jump: Any, behind: Any, further: Any) -> None:
    """The best scores of falling into a row, and the moves that give them (3 more where the fall goes on)."""
    phases = above.shape[0]
    if phases == 1:
        fresh, going = above[0] - jump, falling[0]
        down[0], fell[0] = (fresh, np.uint8(0)) if fresh > going else (going, np.uint8(3))
        return
    _turned(above, behind)
    _turned(falling, further)
    for p in range(phases):
        best, how = behind[p + 1] - jump, np.uint8(0)
        score = further[p + 1]
        how = np.uint8(3) if score > best else how
        best = max(score, best)
        score = behind[p] - jump - slip
        how = np.uint8(1) if score > best else how
        best = max(score, best)
        score = further[p] - slip
        how = np.uint8(4) if score > best else how
        best = max(score, best)
        score = behind[p + 2] - jump - slip
        how = np.uint8(2) if score > best else how
        best = max(score, best)
        score = further[p + 2] - slip
        how = np.uint8(5) if score > best else how
        down[p] = max(score, best)
        fell[p] = how


@_compiled
def _settled(across: Any, down: Any, now: Any, came: Any, on: Any, gain: Any, fall_gain: Any) -> Any:
    """The scores of one row, from the left or from above; the best of all and the best of those from above."""
    best, lowest = np.float32(-1e9), np.float32(-1e9)
    for p in range(on.shape[0]):
        fallen, right = down[p], across[p]
        score = max(fallen, right) + on[p] * gain
        came[p] += np.uint8(8) if fallen > right else np.uint8(0)
        now[p] = score
        best, lowest = max(best, score), max(lowest, fallen)
    return best, lowest


@_compiled
def _column(
    gain: Any,
    fall_gain: Any,
    on: Any,
    before: Any,
    across: Any,
    down: Any,
    now: Any,
    peaks: Any,
    came: Any,
    fell: Any,
    slip: Any,
    jump: Any,
    floor: Any,
    behind: Any,
    further: Any,
) -> Any:
    """All scores of one column from those of the column before; the best score with its row and phase.

    `peaks` is the best score of each row. Rows that no state reaches above `floor` are given up: they are not looked at.
    """
    best, row = np.float32(-1e9), 0
    falling = False
    for r in range(before.shape[0]):
        alive = peaks[r] >= floor
        peaks[r] = -1e9
        if not falling and not alive:
            continue
        if alive:
            _go_right(before[r], across[r], came[r], slip, behind)
        else:
            across[r, :] = -1e9
        if r > 0 and falling:
            _go_down(across[r - 1], down[r - 1], down[r], fell[r], slip, jump, behind, further)
            for p in range(on.shape[0]):
                down[r, p] += on[p] * fall_gain[r]
        else:
            down[r, :] = -1e9
        peaks[r], lowest = _settled(across[r], down[r], now[r], came[r], on, gain[r], fall_gain[r])
        if peaks[r] > best:
            best, row = peaks[r], r
        falling = alive or lowest >= floor
    phase = 0
    while now[row, phase] < best:
        phase += 1
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
    now = np.full((rows, phases), -1e9, dtype=np.float32)
    came = np.zeros((columns, rows, phases), dtype=np.uint8)
    fell = np.zeros((columns, rows, phases), dtype=np.uint8)
    ends = np.full(columns, -1e9, dtype=np.float32)
    end_row = np.zeros(columns, dtype=np.int32)
    end_phase = np.zeros(columns, dtype=np.int32)
    peaks = np.full(rows, -1e9, dtype=np.float32)
    behind, further = np.empty(phases + 4, dtype=np.float32), np.empty(phases + 4, dtype=np.float32)
    for r in range(max(0, start - reach), min(rows, start + reach + 1)):
        before[r, :] = -_OFF_START * abs(r - start)
        peaks[r] = before[r, 0]
    best = np.float32(0)
    for c in range(columns):
        gain, fall_gain = level[:, c].copy(), down_gain * upright[:, c]
        best, row, phase = _column(
            gain,
            fall_gain,
            on,
            before,
            across,
            down,
            now,
            peaks,
            came[c],
            fell[c],
            slip,
            jump,
            best - beam,
            behind,
            further,
        )
        ends[c], end_row[c], end_phase[c] = best, row, phase
        before, now = now, before
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
