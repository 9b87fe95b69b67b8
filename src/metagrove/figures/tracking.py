"""The best descending path through a picture's evidence, with dash phase: one dynamic programme per arm.

The state is a row and a phase. Going right or down advances the phase by three sub-steps a pixel along the arc, so that
a dashed line must show ink where its dashes are and may show nothing where its gaps are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

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
_BEAM = 160.0
_NEVER = np.float32(-1e9)


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
def _forward(level, upright, on, start, reach, slip, jump, down_gain, beam):  # type: ignore[no-untyped-def]
    rows, columns = level.shape
    phases = on.shape[0]
    solid = phases == 1
    before = np.full((rows, phases), -1e9, dtype=np.float32)
    across = np.empty((rows, phases), dtype=np.float32)
    down = np.empty((rows, phases), dtype=np.float32)
    now = np.empty((rows, phases), dtype=np.float32)
    came = np.zeros((columns, rows, phases), dtype=np.uint8)
    fell = np.zeros((columns, rows, phases), dtype=np.uint8)
    ends = np.full(columns, -1e9, dtype=np.float32)
    end_row = np.zeros(columns, dtype=np.int32)
    end_phase = np.zeros(columns, dtype=np.int32)
    for r in range(max(0, start - reach), min(rows, start + reach + 1)):
        before[r, :] = -0.4 * abs(r - start)
    alive = np.ones(rows, dtype=np.bool_)
    was_best = np.float32(0)
    for c in range(columns):
        for r in range(rows):
            peak = before[r, 0]
            for p in range(1, phases):
                peak = max(peak, before[r, p])
            alive[r] = peak >= was_best - beam
            if not alive[r]:
                for p in range(phases):
                    across[r, p] = -1e9
                continue
            for p in range(phases):
                if solid:
                    across[r, p] = before[r, 0]
                    continue
                best, how = before[r, (p - 3) % phases], 0
                if before[r, (p - 4) % phases] - slip > best:
                    best, how = before[r, (p - 4) % phases] - slip, 1
                if before[r, (p - 2) % phases] - slip > best:
                    best, how = before[r, (p - 2) % phases] - slip, 2
                across[r, p] = best
                came[c, r, p] = how
        for p in range(phases):
            down[0, p] = -1e9
        falling = False
        for r in range(rows):
            if not falling and not alive[r]:
                for p in range(phases):
                    down[r, p] = -1e9
                    now[r, p] = -1e9
                falling = False
                continue
            gain = level[r, c]
            fall = down_gain * upright[r, c]
            for p in range(phases):
                if r > 0 and falling:
                    if solid:
                        start_fall, keep_fall = across[r - 1, 0] - jump, down[r - 1, 0]
                        how = 0
                    else:
                        q = (p - 3) % phases
                        start_fall, keep_fall, how = across[r - 1, q] - jump, down[r - 1, q], 0
                        for k in range(1, 3):
                            q = (p - 4) % phases if k == 1 else (p - 2) % phases
                            other = max(across[r - 1, q] - jump, down[r - 1, q]) - slip
                            if other > max(start_fall, keep_fall):
                                start_fall, keep_fall, how = across[r - 1, q] - jump - slip, down[r - 1, q] - slip, k
                    if start_fall > keep_fall:
                        down[r, p] = start_fall + on[p] * fall
                        fell[c, r, p] = how
                    else:
                        down[r, p] = keep_fall + on[p] * fall
                        fell[c, r, p] = how + 3
                else:
                    down[r, p] = -1e9
                if down[r, p] > across[r, p]:
                    now[r, p] = down[r, p] + on[p] * gain
                    came[c, r, p] += 8
                else:
                    now[r, p] = across[r, p] + on[p] * gain
                if now[r, p] > ends[c]:
                    ends[c] = now[r, p]
                    end_row[c] = r
                    end_phase[c] = p
            lowest = down[r, 0]
            for p in range(1, phases):
                lowest = max(lowest, down[r, p])
            falling = alive[r] or lowest >= was_best - beam
        was_best = ends[c]
        for r in range(rows):
            for p in range(phases):
                before[r, p] = now[r, p]
    return ends, end_row, end_phase, came, fell


@_compiled
def _backward(last, row, phase, came, fell, phases):  # type: ignore[no-untyped-def]
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

    Starting a row off costs 0.4. The path ends where its gathered evidence is largest: paper costs, so the end needs no rule of its own.
    """
    on = dash.phases()
    level32 = np.ascontiguousarray(level, dtype=np.float32)
    upright32 = np.ascontiguousarray(upright, dtype=np.float32)
    ends, rows, phases, came, fell = _forward(
        level32, upright32, on, start, reach, np.float32(_SLIP), np.float32(_JUMP), np.float32(_DOWN_GAIN), np.float32(_BEAM)
    )
    last = int(np.argmax(ends))
    enter, leave, at = _backward(last, int(rows[last]), int(phases[last]), came, fell, len(on))
    return Path(0, enter, leave, on[at] > 0.5, float(ends[last]))
