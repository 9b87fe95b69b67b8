"""Censor marks and the gaps between drops they belong to; a mark close to a drop may lie on either side of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import erf

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.lattice import Lattice
from metagrove.survival.evidence.steps import CLICK_T, Reading

__all__ = ["MarkPlan", "mark_error", "marks_in_gaps"]

#: Farther than this many standard errors from a drop, the side on which a mark lies is known.
NEAR = 3.3


@dataclass(frozen=True, slots=True, eq=False)
class MarkPlan:
    """Marks by gap.

    Parameters
    ----------
    sure : shape (g,), marks that certainly lie in each gap. The last gap is the tail behind everything else.
    expected : shape (g,), marks expected in each gap. hidden : shape (g,), those expected to hide under them.
    arrive : marks whose first possible gap it is, by gap; `consume` the chance that one waiting lies in the gap;
        `remain` how many may wait on after it.
    time : shape (m,), the marks. error : standard error of these times.
    gap : shape (m,), the gap of each mark, or the first one that may hold it. waits : shape (m,), which of the two.
    share : shape (m,), censorings expected to hide under each mark.
    """

    sure: NDArray[np.int64]
    expected: Array
    hidden: Array
    arrive: NDArray[np.int64]
    consume: Array
    remain: NDArray[np.int64]
    time: Array
    gap: NDArray[np.int64]
    waits: NDArray[np.bool_]
    share: Array
    error: float = 0.0

    def gaps_of(self, consumed: NDArray[np.int64]) -> NDArray[np.int64]:
        """The gap that each mark lies in along each path, shape (paths, m); marks that wait are taken in order.

        Parameters
        ----------
        consumed : shape (paths, gaps), marks that had waited and became censorings in each gap; the others lie behind all.
        """
        paths, gaps = consumed.shape
        found = np.broadcast_to(self.gap, (paths, self.gap.size)).copy()
        late = int(self.waits.sum())
        if late:
            taken = np.cumsum(consumed, axis=1) + (late + 1) * np.arange(paths)[:, None]
            wanted = np.arange(late) + (late + 1) * np.arange(paths)[:, None]
            place = np.searchsorted(taken.ravel(), wanted.ravel(), side="right").reshape(paths, late)
            found[:, self.waits] = np.minimum(place - gaps * np.arange(paths)[:, None], gaps - 1)
        return found


def mark_error(reading: Reading, marks: Array, axis: float, decimals: int, lattice: Lattice | None = None) -> float:
    """Standard error of a mark's time: none where marks and an exact curve share their written digits or their grid."""
    exact = not reading.columns and reading.sigma_t <= 0
    if exact and np.all(np.abs(marks - np.round(marks, decimals)) < 1e-9):
        return 1e-9 * reading.end
    if exact and lattice is not None and np.all(np.abs(marks - lattice.nearest(marks)) < 1e-4 * lattice.step):
        return 1e-9 * reading.end
    return max(reading.sigma_t, CLICK_T * axis)


def marks_in_gaps(marks: Array, edges: Array, errors: Array, shares: Array, error: float) -> MarkPlan:
    """Marks shared out over the gaps before, between and after the boundaries `edges`.

    Parameters
    ----------
    edges : shape (b,), times of drops and numbers at risk, rising. errors : shape (b,), their standard errors.
    shares : shape (m,), censorings expected to hide under each mark. error : standard error of the marks.
    """
    gaps = edges.size + 1
    sure, arrive, remain = (np.zeros(gaps, dtype=np.int64) for _ in range(3))
    expected, share, waiting = np.zeros(gaps), np.zeros(gaps), np.zeros(gaps)
    under = np.zeros(gaps)
    where, waits = np.zeros(marks.size, dtype=np.int64), np.zeros(marks.size, dtype=np.bool_)
    for j, (near, (first, chance)) in enumerate(
        zip(shares.tolist(), _chances(marks, edges, np.hypot(errors, error)), strict=True)
    ):
        where[j], waits[j] = first, len(chance) > 1
        for i, p in enumerate(chance):
            expected[first + i] += p
            under[first + i] += p * near
        if len(chance) == 1:
            sure[first] += 1
            continue
        arrive[first] += 1
        left = 1.0
        for i, p in enumerate(chance):
            share[first + i] += p / max(left, 1e-9)
            waiting[first + i] += 1
            left -= p
            remain[first + i] += int(i + 1 < len(chance))
    consume = np.clip(share / np.maximum(waiting, 1.0), 0.02, 0.98)
    return MarkPlan(sure, expected, under, arrive, consume, remain, marks, where, waits, shares, error)


def _chances(marks: Array, edges: Array, errors: Array) -> Iterator[tuple[int, list[float]]]:
    """For each mark the first gap that may hold it and the chances of it and the following."""
    far = NEAR * errors
    behind, ahead = edges > marks[:, None] - far, edges < marks[:, None] + far
    first = np.where(behind.any(axis=1), behind.argmax(axis=1), edges.size) if edges.size else np.zeros(marks.size)
    last = np.where(ahead.any(axis=1), edges.size - ahead[:, ::-1].argmax(axis=1), 0) if edges.size else first
    for mark, i, j in zip(marks.tolist(), first.astype(int).tolist(), last.astype(int).tolist(), strict=True):
        yield _chance(mark, i, edges[i:j].tolist(), errors[i:j].tolist())


def _chance(mark: float, first: int, edges: list[float], errors: list[float]) -> tuple[int, list[float]]:
    """The first gap that may hold a mark and the chances of it and the following; `edges` are those near the mark."""
    if not edges:
        return first, [1.0]
    before = [0.5 * (1 + erf((mark - edge) / (error * 2**0.5))) for edge, error in zip(edges, errors, strict=True)]
    chance = []
    for g in range(len(before) + 1):
        product = 1.0
        for i, p in enumerate(before):
            product *= p if i < g else 1 - p
        chance.append(product)
    total = sum(chance)
    chance = [p / total for p in chance]
    while len(chance) > 1 and chance[-1] < 1e-3:
        chance.pop()
    while len(chance) > 1 and chance[0] < 1e-3:
        chance.pop(0)
        first += 1
    total = sum(chance)
    return first, [p / total for p in chance]
