"""The operations of a hidden path, in time order, from a curve's steps and the printed facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import erf

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.lattice import DIGITS, Lattice, recorded_grid
from metagrove.survival.evidence.printed_facts import Facts, Interval
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.passes.tables import ARRIVE, CENSOR, CONSUME, DROP, FORCE, LOOK, SCORE
from metagrove.survival.paths.censor_marks import MarkPlan, mark_error, marks_in_gaps
from metagrove.survival.paths.censoring import Shape, hidden_share, mean_levels

__all__ = [
    "ARRIVE",
    "CENSOR",
    "CONSUME",
    "DROP",
    "FORCE",
    "LOOK",
    "SCORE",
    "WITNESS",
    "Ground",
    "Plan",
    "Weights",
    "plan_of",
]

#: A printed rate seen: to the kernels a drop without deaths.
WITNESS = 7

#: Error of a mark, in steps of a grid of times, up to which the nearest grid time is taken for its own.
NEAREST = 0.25
#: Distance from a tick, in standard errors times the root of 2, from which on it is known on which side a drop lies.
NEVER = 2.4


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Beliefs that fill a plan, shape (k,) each: see passes.tables."""

    a: Array
    b: Array
    c: Array
    hazard: Array
    mass: Array
    dying: Array
    staying: Array
    count: Array
    seen: Array

    def read_with(self, drop: NDArray[np.bool_], error: Array) -> Weights:
        """The same with other errors of the levels, shape (m,), at the operations that are a `drop`."""
        b = self.b.copy()
        b[drop] = error
        return Weights(self.a, b, self.c, self.hazard, self.mass, self.dying, self.staying, self.count, self.seen)


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What the weights of every belief have in common.

    Parameters
    ----------
    level, fall : shape (m,), mean survival after each step and how far it fell there. before : shape (gaps,), survival at the
        start of each stretch for censoring.
    gap, drop : shape (k,), which operations are of that kind.
    times : where the hazard of censoring is asked: starts and stops of the stretches, steps, stops of the operations, ticks
        and the start. split : where each of these begins.
    here, past : survival at the stop of each operation, shape (k,), and the number of steps up to there.
    tick : shape (k,), the number at risk that an operation is steered to; the last is none. count : these numbers, -1 for none.
    """

    level: Array
    fall: Array
    before: Array
    gap: NDArray[np.bool_]
    drop: NDArray[np.bool_]
    times: Array
    split: tuple[int, int, int, int]
    here: Array
    past: NDArray[np.int64]
    tick: NDArray[np.int64]
    count: Array
    at_ticks: Array


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What happens when, before any belief about censoring.

    Parameters
    ----------
    kind : shape (k,), codes of passes.tables. a, b, c : shape (k,), see passes.tables.
    start, stop : shape (k,), the stretch of time that an operation stands for.
    row : shape (k,), the step of a DROP, else -1. gap : shape (k,), the gap between boundaries it lies in.
    low, most : shape (k,), see passes.tables.
    marks : marks by gap, None without marks. lattice : the grid on which times were recorded, None where none is seen.
    kept, ground : what has been worked out for the plan: by belief, and for all.
    """

    kind: NDArray[np.int64]
    a: Array
    b: Array
    c: Array
    start: Array
    stop: Array
    row: NDArray[np.int64]
    gap: NDArray[np.int64]
    low: NDArray[np.int64]
    most: NDArray[np.int64]
    marks: MarkPlan | None = None
    lattice: Lattice | None = None
    kept: dict[Shape, tuple[Array, Facts, Weights]] = field(default_factory=dict, repr=False)
    ground: dict[str, tuple[Array, Facts, Ground]] = field(default_factory=dict, repr=False)


#: Chance that a death of a column that ends at the time of a number at risk lies at that time itself, and so still counts.
AT_TICK = 0.05


def _before_ticks(reading: Reading, ticks: Array) -> list[tuple[int, list[float]]]:
    """For each tick the first step that may not lie before it, and the chances of it and the next ones to lie before it.

    All earlier steps do lie before, all later ones do not. A death at the tick itself is still at risk there.
    """
    time, width = reading.time, reading.sigma_t * np.sqrt(2)
    if reading.columns:
        first, last = time.searchsorted(ticks - 1e-9 * reading.end), reading.since.searchsorted(ticks)
    elif reading.sigma_t <= 0:
        first = last = time.searchsorted(ticks)
    else:
        first, last = time.searchsorted(ticks - NEVER * width), time.searchsorted(ticks + NEVER * width)
    found: list[tuple[int, list[float]]] = []
    for tick, i, j in zip(ticks.tolist(), first.tolist(), last.tolist(), strict=True):
        near = time[i:j].tolist()
        if reading.columns:
            inside = zip(reading.since[i:j].tolist(), near, strict=True)
            found.append((i, [min((tick - since) / max(t - since, 1e-12), 1 - AT_TICK) for since, t in inside]))
        else:
            found.append((i, [0.5 * (1 + erf((tick - t) / width)) for t in near]))
    return found


def _windows(reading: Reading, ticks: Array) -> list[dict[int, float]]:
    """For each tick, the gaps (numbered by the steps before them) in which it may lie, with their chances."""
    found: list[dict[int, float]] = []
    for first, before in _before_ticks(reading, ticks):
        product = dict.fromkeys(range(first, first + len(before) + 1), 1.0)
        for i, chance in enumerate(before):
            for g in range(len(before) + 1):
                product[first + g] *= chance if i < g else 1 - chance
        most = max(product.values())
        found.append({g: p / most for g, p in product.items() if p > 1e-4 * most})
    for left, right in pairwise(found):
        limit = max(right, key=lambda g: right[g])
        for g in [g for g in left if g > limit and len(left) > 1]:
            del left[g]
        for g in [g for g in right if g < max(left) and len(right) > 1]:
            del right[g]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """Stretches for censoring and what stands at their ends, shape (p,) each.

    Parameters
    ----------
    start, stop : the stretch. row : the step at its end, else -1. look : the number at risk that may be seen there, else -1.
    weight, force : of that look: its chance beside the likeliest place, and whether the number must have been seen.
    boundary : whether the end parts gaps. seen, error : a printed rate there and its standard error, else 0.
    """

    start: Array
    stop: Array
    row: NDArray[np.int64]
    look: NDArray[np.int64]
    weight: Array
    force: NDArray[np.bool_]
    boundary: NDArray[np.bool_]
    seen: Array
    error: Array


def _rate_error(reading: Reading, t: float, printed: Interval) -> float:
    """Standard error with which the path's survival at `t` is known from a printed rate.

    Half a unit of the last digit, and the falls of which it is unknown on which side of `t` they lie.
    """
    level = np.concatenate(([1.0], mean_levels(reading)))
    first, chances = _before_ticks(reading, np.array([t]))[0]
    before = np.array(chances)
    fall = np.diff(level[first : first + before.size + 1])
    return float(np.sqrt(min(printed.half_unit, 0.005) ** 2 / 3 + np.sum(before * (1 - before) * fall**2)))


def _witnesses(reading: Reading, facts: Facts) -> dict[int, list[tuple[float, float, float]]]:
    """Time, value and error of the printed rates by the gap in which they lie, in order of time.

    A rate that the curve denies is not used; it is reported as a contradiction.
    """
    found: dict[int, list[tuple[float, float, float]]] = {}
    if not facts.rates:
        return found
    level = np.concatenate(([1.0], mean_levels(reading)))
    for t, rate in facts.rates.items():
        if rate.estimate is None or not 0 < t <= reading.end:
            continue
        g = int(np.searchsorted(reading.time, t, side="right"))
        error = _rate_error(reading, t, rate)
        if abs(level[g] - rate.estimate) < 3 * np.hypot(error, reading.sigma_s):
            found.setdefault(g, []).append((t, rate.estimate, error))
    return found


def _pieces(reading: Reading, facts: Facts) -> _Pieces:
    edges = [0.0, *reading.time.tolist(), reading.end]
    inside: list[tuple[int, float, int, float, float, bool]] = []
    for j, (tick, window) in enumerate(zip(facts.risk_time.tolist(), _windows(reading, facts.risk_time), strict=True)):
        last = max(window)
        inside += [(g, tick, j, weight, 0.0, g == last) for g, weight in window.items()]
    for g, rates in _witnesses(reading, facts).items():
        inside += [(g, t, -1, value, error, False) for t, value, error in rates]
    inside.sort(key=lambda x: x[:2])
    # Of what lies inside a gap: stop, number at risk, weight, whether it is forced and parts gaps, rate and error.
    rows: list[tuple[float, int, float, bool, bool, float, float]] = []
    gap, here = -1, 0.0
    for g, time, j, weight, error, force in inside:
        gap, here = g, here if g == gap else edges[g]
        if j < 0:  # survival alone is seen; censorings pass by
            rows.append((here, -1, 0.0, False, False, weight, error))
            continue
        here = min(max(time, here), edges[g + 1])
        rows.append((here, j, weight, force, weight >= 1.0 or edges[g] < time < edges[g + 1], 0.0, 0.0))
    m, gaps = reading.time.size, np.array([x[0] for x in inside], dtype=np.int64)
    drops = np.arange(m) + np.bincount(gaps, minlength=m + 1)[:m].cumsum()
    place, size = np.arange(gaps.size) + gaps, m + gaps.size
    start, stop, row, look = np.zeros(size), np.zeros(size), np.full(size, -1), np.full(size, -1)
    weights, seen, errors = np.zeros((3, size))
    forced, boundary = np.zeros(size, dtype=np.bool_), np.ones(size, dtype=np.bool_)
    stop[drops], row[drops] = reading.time, np.arange(m)
    if rows:
        fields = zip(*rows, strict=True)
        for field_, values in zip((stop, look, weights, forced, boundary, seen, errors), fields, strict=True):
            field_[place] = values
    start[1:] = stop[:-1]  # a stretch begins where the one before it ended
    return _Pieces(start, stop, row, look, weights, forced, boundary, seen, errors)


def _mark_plan(
    reading: Reading, facts: Facts, pieces: _Pieces, decimals: int, lattice: Lattice | None
) -> MarkPlan | None:
    if facts.marks is None:
        return None
    spread = 0.3 * (reading.time - reading.since) if reading.columns else np.full(reading.time.size, reading.sigma_t)
    edges, row = pieces.stop[pieces.boundary], pieces.row[pieces.boundary]
    drops = row >= 0
    errors = np.zeros(edges.size)
    errors[drops] = spread[row[drops]]
    marks, error = facts.marks, mark_error(reading, facts.marks, facts.axis, decimals, lattice)
    # Of clicks the grid is the same for any number of digits.
    clicked = not reading.columns and reading.sigma_t > 0
    usual = lattice if clicked or decimals == DIGITS else recorded_grid(reading, facts)
    if lattice is None:
        if reading.columns:  # a death of a column lies anywhere in it
            edges[drops] = ((reading.since + reading.time) / 2)[row[drops]]
        elif error <= 1e-6 * reading.end:
            marks = marks + 10 * error
    elif error < NEAREST * lattice.step:
        # Recorded times: a mark at the time of a death left after it.
        marks, error = lattice.nearest(marks) + 1e-3 * lattice.step, 1e-5 * lattice.step
        put = lattice.before if reading.columns else lattice.nearest
        edges[drops], errors[drops] = put(edges[drops]), error
    return marks_in_gaps(
        marks, np.maximum.accumulate(edges), errors + 1e-12 * reading.end, hidden_share(marks, reading, usual), error
    )


def _carriers(pieces: _Pieces, gap: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pieces hold the marks of their gap, shape (p,): of those up to each boundary, the longest."""
    length = np.where(pieces.error > 0, -1.0, pieces.stop - pieces.start)
    order = np.lexsort((np.arange(gap.size), -length, gap))
    found = np.zeros(gap.size, dtype=np.bool_)
    found[order[np.diff(gap[order], prepend=-1) > 0]] = True
    return np.asarray(found & (gap < int(pieces.boundary.sum())))


def plan_of(reading: Reading, facts: Facts, decimals: int = 9) -> Plan:
    """The operations for one arm.

    Parameters
    ----------
    decimals : digits after the point of the curve's times, against which exact censor marks are recognised.
    """
    pieces = _pieces(reading, facts)
    lattice = recorded_grid(reading, facts, decimals)
    marks = _mark_plan(reading, facts, pieces, decimals, lattice)
    gap: NDArray[np.int64] = np.cumsum(pieces.boundary) - pieces.boundary
    # Per piece the fields of up to five operations, in their order: marks that arrive, censoring, marks consumed, what
    # stands at the end, and that it must have been seen.
    rows = np.zeros((8, gap.size, 5))
    kind, a, b, c, start, stop, row, gaps = rows
    wanted = np.zeros((gap.size, 5), dtype=np.bool_)
    seen, look = pieces.error > 0, pieces.look >= 0
    kind[:] = ARRIVE, CENSOR, CONSUME, DROP, FORCE
    kind[seen, 3], kind[look, 3] = WITNESS, LOOK
    a[:, 3] = np.where(look, facts.risk_n[pieces.look], pieces.seen) if facts.risk_n.size else pieces.seen
    b[:, 3] = np.where(look, pieces.weight, pieces.error)
    start[:, :3], start[:, 3:] = pieces.start[:, None], pieces.stop[:, None]
    stop[:, 0], stop[:, 1:] = pieces.start, pieces.stop[:, None]
    row[:], gaps[:] = -1, gap[:, None]
    row[:, 3] = pieces.row
    wanted[:, 1], wanted[:, 3], wanted[:, 4] = ~seen, True, look & pieces.force
    ending = np.zeros((8, 0))
    if marks is not None:
        carrier = _carriers(pieces, gap)
        here = gap[carrier]
        a[carrier, 0], c[carrier, 1] = marks.arrive[here], marks.sure[here]
        a[carrier, 2], b[carrier, 2] = marks.consume[here], marks.remain[here]
        wanted[:, 0] = a[:, 0] > 0
        wanted[carrier, 2] = [_waiting(marks, g) for g in here.tolist()]
        ending = np.array(_ending(marks, int(pieces.boundary.sum()), reading), dtype=np.float64).reshape(-1, 8).T
    return _plan(np.concatenate((rows[:, wanted], ending), axis=1), reading, facts, marks, lattice)


def _waiting(marks: MarkPlan, gap: int) -> bool:
    return bool(marks.arrive[gap]) or (gap > 0 and bool(marks.remain[gap - 1]))


def _ending(
    marks: MarkPlan, gap: int, reading: Reading
) -> list[tuple[int, float, float, float, float, float, int, int]]:
    """Marks that may lie behind the last boundary, then the number of patients left against the marks there."""
    end = reading.end
    rows: list[tuple[int, float, float, float, float, float, int, int]] = []
    tail = float(marks.sure[gap])
    if _waiting(marks, gap):
        # A mark that waits to the end belongs to those left; it is let go without a censoring of its own.
        rows.append((CONSUME, -1.0, 0.0, 0.0, end, end, -1, gap))
        tail += max(marks.expected[gap] - tail, 0.0)
    if reading.ends_at_zero:
        return rows
    tail = max(round(tail), 1)
    hidden = float(marks.hidden[gap]) + 0.05
    rows.append((SCORE, float(tail), hidden / (1 + hidden), 0.05, end, end, -1, gap))
    return rows


def _plan(table: Array, reading: Reading, facts: Facts, marks: MarkPlan | None, lattice: Lattice | None) -> Plan:
    """The plan of a table of operations, shape (8, k)."""
    kind, row, gap = table[0].astype(np.int64), table[6].astype(np.int64), table[7].astype(np.int64)
    low, most = _bounds(kind, table[1], table[3], row, reading, facts)
    a, b, c, start, stop = table[1:6]
    return Plan(kind, a, b, c, start, stop, row, gap, low, most, marks, lattice)


def _bounds(
    kind: NDArray[np.int64], a: Array, c: Array, row: NDArray[np.int64], reading: Reading, facts: Facts
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fewest patients and most deaths after each operation that leave room for everything printed later."""
    drops = kind == DROP
    deaths = np.zeros(kind.size, dtype=np.int64)
    deaths[drops] = _sure_drops(reading)[row[drops]]
    leave = deaths + np.where(kind == CENSOR, c, 0.0).astype(np.int64)
    later = leave.sum() - leave.cumsum()  # who is sure to leave after each operation
    need = np.full(kind.size + 1, 0 if reading.ends_at_zero else 1, dtype=np.int64)
    first = _first_looks(kind)
    need[first] = a[first].astype(np.int64) - later[first]
    need = np.maximum.accumulate(need[::-1])[::-1][1:]
    room = facts.deaths if facts.deaths is not None else facts.n
    return later + need, room - deaths.sum() + deaths.cumsum()


def _sure_drops(reading: Reading) -> NDArray[np.bool_]:
    """Which steps hold at least one death: every click, and other rows that lie far below the row before."""
    if not reading.columns and not reading.loose:
        return np.ones(reading.level.size, dtype=bool)
    before = np.concatenate(([1.0], reading.level[:-1]))
    error = np.hypot(reading.error, np.concatenate(([0.0], reading.error[:-1])))
    return np.asarray(before - reading.level > 6 * error)


def _first_looks(kind: NDArray[np.int64]) -> list[int]:
    """The operations that are the first chance to see their number at risk."""
    found: list[int] = []
    fresh = True
    for o in np.flatnonzero((kind == LOOK) | (kind == FORCE)).tolist():
        if kind[o] == LOOK and fresh:
            found.append(o)
        fresh = bool(kind[o] == FORCE)
    return found
