"""Counts that cannot be what was printed: off their column, no counts at all, or at odds with the arm's curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.reading import ArmReading, RiskCell
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.rows import Cell, RiskRow

__all__ = ["allowed_by_curve", "centred", "out_of_line", "too_fine", "without_ticks"]

_FEWEST = 5
# in letter heights: how exactly centred counts stand, and half of what a lost digit moves the middle
_EXACT, _LOST = 0.08, 0.2
# the share of counts with a second number behind them from which on a table is one of pairs
_BRACKETED = 0.3
# people whom a curve leaves, and the share of them still there, below which a count is out of line
_MANY, _GONE = 20, 0.2
# one drop of less than the second part of a person is none; several must each be less than the first
_PERSON, _PART = 0.97, 0.6
# the share of an interval's drops that must be too small
_GOOD_PART = 0.3


def centred(rows: Sequence[RiskRow], x: Axis) -> list[RiskRow]:
    """The rows with those counts unsure that stand off the middle of their columns where all others are centred."""
    every = [c for r in rows for c in r.cells]
    cells = [c for c in every if c.censored is None]
    # where others have a second number behind them, one that stands aside has not lost a digit but that
    if len(cells) < _FEWEST or sum(not c.text.isdigit() for c in every) > _BRACKETED * len(every):
        return list(rows)
    size = float(np.median([c.box[3] - c.box[1] for c in cells]))
    off = np.array([(c.box[0] + c.box[2]) / 2 - float(x.pixel(c.time)) for c in cells]) / max(size, 1.0)
    middle = float(np.median(off))
    if float(np.median(np.abs(off - middle))) > _EXACT:
        return list(rows)
    if _flush_right(cells, size):
        return list(rows)
    columns: dict[float, list[float]] = {}
    for c, o in zip(cells, off, strict=True):
        columns.setdefault(c.time, []).append(float(o - middle))
    # a whole column that stands aside has lost nothing: its heading or its ticks are off, not its digits
    moved = {t: float(np.median(o)) for t, o in columns.items() if len(o) > 1 and np.ptp(o) < 2 * _EXACT}
    aside = [abs(o - middle - moved.get(c.time, 0.0)) > _LOST for c, o in zip(cells, off, strict=True)]
    astray = {id(c) for c, a in zip(cells, aside, strict=True) if a}
    return [replace(r, cells=tuple(replace(c, sure=c.sure and id(c) not in astray) for c in r.cells)) for r in rows]


def _flush_right(cells: Sequence[Cell], size: float) -> bool:
    """Whether counts of different lengths in one column end together instead of having one middle."""
    pairs = [
        (abs(a.box[2] - b.box[2]), abs(a.box[0] + a.box[2] - b.box[0] - b.box[2]) / 2)
        for i, a in enumerate(cells)
        for b in cells[i + 1 :]
        if a.time == b.time and len(str(a.n)) != len(str(b.n))
    ]
    if not pairs:
        return False
    ends, middles = np.median(np.array(pairs), axis=0) / max(size, 1.0)
    return bool(ends < _LOST / 2 < middles)


def without_ticks(rows: list[RiskRow]) -> list[RiskRow]:
    """The rows without tick marks and grid lines that were read as ones: not as high as other counts, or hairlines."""
    tall = [float(np.median([c.box[3] - c.box[1] for c in r.cells])) for r in rows]
    thin = [float(np.median([(c.box[2] - c.box[0]) / max(c.box[3] - c.box[1], 1.0) for c in r.cells])) for r in rows]
    ones = [all(set(str(c.n)) == {"1"} for c in r.cells) for r in rows]
    usual = [t for t, one in zip(tall, ones, strict=True) if not one]
    if not usual or not any(ones):
        return rows
    size = max(float(np.median(usual)), 1.0)
    ticks = [one and (not 0.8 < t / size < 1.25 or w < 0.22) for t, w, one in zip(tall, thin, ones, strict=True)]
    return [r for r, tick in zip(rows, ticks, strict=True) if not tick]


def allowed_by_curve(cells: Sequence[Cell | RiskCell], arm: ArmReading, *, slack: float = 0.012) -> bool:
    """Whether the counts could belong to the curve: between two counts at least the drop's share of people leaves.

    n2 <= n1 * S2 / S1 + 1, since censoring only removes more; each S may be wrong by `slack`, each drop late or early
    by twice the curve's error of time.
    """
    times = np.array([c.time for c in cells])
    n = np.array([c.n for c in cells], dtype=float)
    if not len(n):
        return True
    late = 2 * float(np.median(arm.time_error))
    before = np.where(times <= 0, 1.0, arm.at(np.nextafter(times - late, -np.inf)))
    after = np.where(times <= 0, 1.0, arm.at(times + late))
    for i in range(len(n) - 1):
        if after[i] <= slack:
            continue
        if n[i + 1] > n[i] * (before[i + 1] + slack) / max(after[i] - slack, 1e-9) + 1:
            return False
    return True


def out_of_line(rows: Sequence[tuple[Sequence[RiskCell], ArmReading]]) -> list[RiskCell]:
    """Counts after which all but a few of the people are gone whom the curve leaves, in one arm alone.

    A digit too many makes ten times as many people; where all arms lose as many, follow-up ends.
    """
    kept: dict[tuple[float, float], list[tuple[float, RiskCell]]] = {}
    for cells, arm in rows:
        for first, after in pairwise(cells):
            before, then = (float(v) for v in arm.at(np.array([first.time, after.time])))
            left = first.n * then / before if before > 0 else 0.0
            # where the curve ends nobody is left to count
            over = after.n == 0 and arm.end <= after.time + 4 * float(np.median(arm.time_error))
            if left >= _MANY and not over:
                kept.setdefault((first.time, after.time), []).append((after.n / left, first))
    return [c for many in kept.values() for share, c in many if share < _GONE and max(s for s, _ in many) > 3 * _GONE]


@dataclass(frozen=True, slots=True)
class Fine:
    """The interval with a drop of less than one of `n` people."""

    time: float
    until: float
    n: int


def too_fine(cells: Sequence[RiskCell], arm: ArmReading) -> Fine | None:
    """The first interval with drops smaller than one person of those at risk at its start, errors allowed for.

    A count that is too small makes most drops after it too small, so a good part of the interval's must be: a level under
    another line or a mark is read a few tenths of a person off now and then. One such drop in all must be much smaller;
    of several each need only be smaller.
    """
    # a censor mark beside a drop may split it in two
    apart = 10 * float(np.median(arm.time_error))
    steps = np.arange(1, len(arm.time) - 1)
    # steps closer than the reading can tell apart count as one drop
    groups = np.split(steps, np.flatnonzero(np.diff(arm.time[1:-1]) > apart) + 1) if len(steps) else []
    found: list[tuple[float, Fine]] = []
    for first, after in pairwise(cells):
        # a drop at a tick of the table may be read before and after it
        inside = [g for g in groups if arm.time[g[0]] > first.time + apart and arm.time[g[-1]] < after.time - apart]
        people = [first.n * part for part in map(partial(_part_lost, arm), inside) if part is not None]
        small = [p for p in people if p < _PERSON] if first.n > 0 else []
        if small and len(small) >= _GOOD_PART * len(people):
            found += [(p, Fine(first.time, after.time, first.n)) for p in small]
    sure = [fine for people, fine in found if people < _PART or len(found) > 1]
    return sure[0] if sure else None


def _part_lost(arm: ArmReading, steps: NDArray[np.int_]) -> float | None:
    """The share of the people at risk that a drop takes at most; None where it may be no drop at all."""
    before = float(arm.survival[steps[0] - 1])
    error = float(arm.survival_error[steps[0] - 1 : steps[-1] + 1].max())
    drop = before - float(arm.survival[steps[-1]])
    return (drop + 2.5 * error) / before if drop > 4 * error and before > 0 else None
