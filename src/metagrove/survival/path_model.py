"""The operations of a hidden path, in time order, from a curve's steps and the printed facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import erf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.censor_marks import MarkPlan, mark_error, marks_in_gaps
from metagrove.survival.censoring import Shape, mean_levels
from metagrove.survival.lattice import lattice_of
from metagrove.survival.printed_facts import Facts, Interval
from metagrove.survival.steps import Reading

__all__ = [
    "ARRIVE",
    "CENSOR",
    "CONSUME",
    "DROP",
    "FORCE",
    "LOOK",
    "SCORE",
    "VISIBLE",
    "WITNESS",
    "Plan",
    "Weights",
    "plan_of",
    "weights_of",
]

CENSOR, DROP, LOOK, FORCE, ARRIVE, CONSUME, SCORE = 0, 1, 2, 3, 4, 5, 6
#: A printed rate seen: to the kernels a drop without deaths.
WITNESS = 7

#: Ratio of two deaths to one in a drop where nearly all are single.
TIES = 0.05
#: Smallest fall of a curve that is seen as a drop of its own: 1.5 pixels of 600.
VISIBLE = 0.0025
#: Error of a mark, in steps of a grid of times, up to which the nearest grid time is taken for its own.
NEAREST = 0.25
#: Times their usual number that hidden marks may be to make up what the printed totals say.
MOST_HIDDEN = 1000.0
#: Odds that a row is a drop where rows may be none.
REAL = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What happens when, before any belief about censoring.

    Parameters
    ----------
    kind : shape (k,), codes of path_kernels. a, b, c : shape (k,), see path_kernels.Operations.
    start, stop : shape (k,), the stretch of time that an operation stands for.
    row : shape (k,), the step of a DROP, else -1. gap : shape (k,), the gap between boundaries it lies in.
    low, most : shape (k,), see path_kernels.Operations.
    marks : marks by gap, None without marks.
    kept : what has been worked out for the plan, by belief.
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
    kept: dict[Shape, tuple[Array, Facts, Weights]] = field(default_factory=dict, repr=False)


def _before_tick(reading: Reading, tick: float) -> Array:
    """Chance of each step lying before `tick`, shape (m,). A death at the tick itself is still at risk there."""
    time = reading.time
    if reading.columns:
        return np.clip((tick - reading.since) / np.maximum(time - reading.since, 1e-12), 0.0, 1.0)
    if reading.sigma_t <= 0:
        return np.where(time < tick, 1.0, 0.0)
    z = (tick - time) / (reading.sigma_t * np.sqrt(2))
    near = np.abs(z) < 2.4
    chance = np.where(z > 0, 1.0, 0.0)
    chance[near] = [0.5 * (1 + erf(x)) for x in z[near]]
    return chance


def _windows(reading: Reading, ticks: Array) -> list[dict[int, float]]:
    """For each tick, the gaps (numbered by the steps before them) in which it may lie, with their chances."""
    found: list[dict[int, float]] = []
    for tick in ticks.tolist():
        chance = _before_tick(reading, tick)
        first = int(np.argmax(chance < 1.0)) if np.any(chance < 1.0) else chance.size
        last = int(chance.size - np.argmax(chance[::-1] > 0.0)) if np.any(chance > 0.0) else 0
        gaps = range(min(first, last), max(first, last) + 1)
        product = {g: float(np.prod(chance[first:g]) * np.prod(1 - chance[g:last])) for g in gaps}
        most = max(product.values())
        found.append({g: p / most for g, p in product.items() if p > 1e-4 * most})
    for left, right in pairwise(found):
        limit = max(right, key=lambda g: right[g])
        for g in [g for g in left if g > limit and len(left) > 1]:
            del left[g]
        for g in [g for g in right if g < max(left) and len(right) > 1]:
            del right[g]
    return found


class _Piece(NamedTuple):
    """A stretch for censoring, and what stands at its end: the number at risk `look`, the step `row`, or the rate `seen`."""

    start: float
    stop: float
    row: int = -1
    look: int = -1
    weight: float = 1.0
    force: bool = False
    boundary: bool = True
    seen: float = -1.0
    error: float = 0.0


def _rate_error(reading: Reading, t: float, printed: Interval) -> float:
    """Standard error with which the path's survival at `t` is known from a printed rate.

    Half a unit of the last digit, and the falls of which it is unknown on which side of `t` they lie.
    """
    level = np.concatenate(([1.0], mean_levels(reading)))
    before = _before_tick(reading, t) if reading.time.size else np.zeros(0)
    return float(np.sqrt(min(printed.half_unit, 0.005) ** 2 / 3 + np.sum(before * (1 - before) * np.diff(level) ** 2)))


def _witnesses(reading: Reading, facts: Facts) -> dict[int, list[tuple[float, float, float]]]:
    """Time, value and error of the printed rates by the gap in which they lie, in order of time.

    A rate that the curve denies is not used; it is reported as a contradiction.
    """
    level = np.concatenate(([1.0], mean_levels(reading)))
    found: dict[int, list[tuple[float, float, float]]] = {}
    for t, rate in facts.rates.items():
        if rate.estimate is None or not 0 < t <= reading.end:
            continue
        g = int(np.searchsorted(reading.time, t, side="right"))
        error = _rate_error(reading, t, rate)
        if abs(level[g] - rate.estimate) < 3 * np.hypot(error, reading.sigma_s):
            found.setdefault(g, []).append((t, rate.estimate, error))
    return found


def _pieces(reading: Reading, facts: Facts) -> list[_Piece]:
    edges = np.concatenate(([0.0], reading.time, [reading.end])).tolist()
    windows = _windows(reading, facts.risk_time)
    looks: dict[int, list[int]] = {}
    for j, window in enumerate(windows):
        for g in window:
            looks.setdefault(g, []).append(j)
    rates = _witnesses(reading, facts)
    found = []
    for g in range(reading.time.size + 1):
        here = edges[g]
        inside: list[tuple[float, int, float, float]] = [(float(facts.risk_time[j]), j, 0, 0) for j in looks.get(g, ())]
        inside += [(t, -1, value, error) for t, value, error in rates.get(g, ())]
        for time, j, value, error in sorted(inside, key=lambda x: x[0]):
            if j < 0:  # survival alone is seen; censorings pass by
                found.append(_Piece(here, here, boundary=False, seen=value, error=error))
                continue
            stop = min(max(time, here), edges[g + 1])
            weight, force = windows[j][g], g == max(windows[j])
            inner = weight >= 1.0 or edges[g] < time < edges[g + 1]
            found.append(_Piece(here, stop, look=j, weight=weight, force=force, boundary=inner))
            here = stop
        if g < reading.time.size:
            found.append(_Piece(here, edges[g + 1], row=g))
    return found


def _mark_plan(reading: Reading, facts: Facts, pieces: list[_Piece], decimals: int) -> MarkPlan | None:
    if facts.marks is None:
        return None
    spread = 0.3 * (reading.time - reading.since) if reading.columns else np.full(reading.time.size, reading.sigma_t)
    edges = np.array([p.stop for p in pieces if p.boundary])
    drops = np.array([p.row >= 0 for p in pieces if p.boundary], dtype=bool)
    errors = np.array([spread[p.row] if p.row >= 0 else 0.0 for p in pieces if p.boundary])
    lattice = lattice_of(reading, decimals, time_error=facts.time_error)
    marks, error = facts.marks, mark_error(reading, facts.marks, facts.axis, decimals, lattice)
    if lattice is None:
        if reading.columns:  # a death of a column lies anywhere in it
            edges[drops] = ((reading.since + reading.time) / 2)[[p.row for p in pieces if p.row >= 0]]
        elif error <= 1e-6 * reading.end:
            marks = marks + 10 * error
    elif error < NEAREST * lattice.step:
        # Recorded times: a mark at the time of a death left after it.
        marks, error = lattice.nearest(marks) + 1e-3 * lattice.step, 1e-5 * lattice.step
        put = lattice.before if reading.columns else lattice.nearest
        edges[drops], errors[drops] = put(edges[drops]), error
    return marks_in_gaps(marks, np.maximum.accumulate(edges), errors + 1e-12 * reading.end, reading, error)


def _carriers(pieces: list[_Piece]) -> set[int]:
    """The pieces that hold the marks of their gap: of those up to each boundary, the longest."""
    found: set[int] = set()
    best = 0
    for i, piece in enumerate(pieces):
        if piece.stop - piece.start > pieces[best].stop - pieces[best].start:
            best = i
        if piece.boundary:
            found.add(best)
            best = i + 1
    return found


def plan_of(reading: Reading, facts: Facts, decimals: int = 9) -> Plan:
    """The operations for one arm.

    Parameters
    ----------
    decimals : digits after the point of the curve's times, against which exact censor marks are recognised.
    """
    pieces = _pieces(reading, facts)
    marks = _mark_plan(reading, facts, pieces, decimals)
    rows: list[tuple[int, float, float, float, float, float, int, int]] = []
    gap = 0
    carriers = _carriers(pieces)
    for i, piece in enumerate(pieces):
        stretch = (piece.start, piece.stop)
        place = (piece.stop, piece.stop)
        if piece.error > 0:
            rows.append((WITNESS, piece.seen, piece.error, 0.0, *place, -1, gap))
            continue
        sure = 0.0
        if marks is not None and i in carriers:
            sure = float(marks.sure[gap])
            if marks.arrive[gap]:
                rows.append((ARRIVE, float(marks.arrive[gap]), 0.0, 0.0, piece.start, piece.start, -1, gap))
        rows.append((CENSOR, 0.0, 0.0, sure, *stretch, -1, gap))
        if marks is not None and i in carriers and _waiting(marks, gap):
            rows.append((CONSUME, float(marks.consume[gap]), float(marks.remain[gap]), 0.0, *stretch, -1, gap))
        if piece.row >= 0:
            rows.append((DROP, 0.0, 0.0, 0.0, *place, piece.row, gap))
        else:
            rows.append((LOOK, float(facts.risk_n[piece.look]), piece.weight, 0.0, *place, -1, gap))
            if piece.force:
                rows.append((FORCE, 0.0, 0.0, 0.0, *place, -1, gap))
        gap += int(piece.boundary)
    if marks is not None:
        rows += _ending(marks, gap, reading)
    return _plan(rows, reading, facts, marks)


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


def _plan(
    rows: list[tuple[int, float, float, float, float, float, int, int]],
    reading: Reading,
    facts: Facts,
    marks: MarkPlan | None,
) -> Plan:
    table = np.array(rows, dtype=np.float64).reshape(-1, 8)
    kind = table[:, 0].astype(np.int64)
    whole = table[:, 6:].astype(np.int64)
    low, most = _bounds(kind, table[:, 1], table[:, 3], whole[:, 0], reading, facts)
    a, b, c, start, stop = (table[:, i].copy() for i in range(1, 6))
    return Plan(kind, a, b, c, start, stop, whole[:, 0], whole[:, 1], low, most, marks)


def _bounds(
    kind: NDArray[np.int64], a: Array, c: Array, row: NDArray[np.int64], reading: Reading, facts: Facts
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fewest patients and most deaths after each operation that leave room for everything printed later."""
    low, most = np.zeros(kind.size, dtype=np.int64), np.zeros(kind.size, dtype=np.int64)
    need = 0 if reading.ends_at_zero else 1
    room = facts.events if facts.events is not None else facts.n
    first = _first_looks(kind)
    sure = _sure_drops(reading)
    for o in range(kind.size - 1, -1, -1):
        low[o], most[o] = need, room
        if kind[o] == DROP and sure[row[o]]:
            need, room = need + 1, room - 1
        elif kind[o] == CENSOR:
            need += int(c[o])
        elif kind[o] == LOOK and first[o]:
            need = max(need, int(a[o]))
    return low, most


def _sure_drops(reading: Reading) -> NDArray[np.bool_]:
    """Which steps hold at least one death: every click, and other rows that lie far below the row before."""
    if not reading.columns and not reading.loose:
        return np.ones(reading.level.size, dtype=bool)
    before = np.concatenate(([1.0], reading.level[:-1]))
    error = np.hypot(reading.error, np.concatenate(([0.0], reading.error[:-1])))
    return np.asarray(before - reading.level > 6 * error)


def _first_looks(kind: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which operations are the first chance to see their number at risk; shape (k,)."""
    first = np.zeros(kind.size, dtype=bool)
    fresh = True
    for o, code in enumerate(kind.tolist()):
        if code == LOOK:
            first[o], fresh = fresh, False
        elif code == FORCE:
            fresh = True
    return first


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Beliefs that fill a plan, shape (k,) each: see path_kernels.Operations."""

    a: Array
    b: Array
    c: Array
    hazard: Array
    mass: Array
    dying: Array
    staying: Array
    count: Array
    seen: Array


def weights_of(plan: Plan, reading: Reading, facts: Facts, shape: Shape) -> Weights:
    """Chances of censorings and deaths under one shape of censoring."""
    level = mean_levels(reading)
    a, b, c = plan.a.copy(), plan.b.copy(), plan.c.copy()
    hazard = np.full(a.size, -1.0)
    gap = plan.kind == CENSOR
    before = np.concatenate(([1.0], level))[np.searchsorted(reading.time, plan.start[gap], side="right")]
    from_, to = shape.at(plan.start[gap]), shape.at(plan.stop[gap])
    mu = facts.n * before * np.exp(-from_) * (to - from_)
    if plan.marks is not None:
        mu = _hidden(plan, plan.marks, facts, gap, mu, shape)
    else:
        some = np.where(plan.stop[gap] > plan.start[gap], 1.0, 0.2)
        mu = np.maximum(mu, 0.015 * some / (4.0 if reading.columns else 1.0))
    # Three times the variance of a Poisson number at least: the trend of censoring within the belief is not known.
    most = 1.0 if not reading.columns and reading.sigma_t > 0 else 0.5
    clump = np.clip(mu, 1e-3, most)
    a[gap], b[gap] = clump, mu / clump / (1 + mu / clump)
    if shape.cut:
        b[plan.kind == SCORE] = 0.95
    else:
        odds = shape.hidden * b[plan.kind == SCORE] / (1 - b[plan.kind == SCORE])
        b[plan.kind == SCORE] = odds / (1 + odds)
    drop = plan.kind == DROP
    own, usual, rate = _expected_deaths(reading, level, facts, shape)
    a[drop], b[drop] = reading.level, reading.error
    mass = np.zeros(a.size)
    if reading.columns:
        hazard[drop] = rate
        own, usual = 1 + own, 1 + usual
    elif reading.loose:
        hazard[drop] = REAL / np.maximum(
            facts.n * np.concatenate(([1.0], level[:-1])) * np.exp(-shape.at(reading.time)), 0.5
        )
    smallest = _smallest_falls(plan, drop, shape)
    enough = np.maximum(np.ceil(smallest[drop] * facts.n * np.exp(-shape.at(reading.time)) - 0.1), 1.0)
    c[drop] = TIES if shape.single else np.clip((usual - enough) / np.maximum(usual - enough + 1, 0.1), TIES, 0.97)
    mass[drop] = np.clip((own - enough) / np.maximum(own - enough + 1, 0.1), 2 * TIES, 0.97)
    seen = plan.kind == WITNESS
    hazard[seen], c[seen], mass[seen] = 0.0, 0.05, 0.1
    return Weights(a, b, c, hazard, mass, *_outlook(plan, reading, level, facts, shape), smallest)


def _smallest_falls(plan: Plan, drop: NDArray[np.bool_], shape: Shape) -> Array:
    """The fall below which a drop would not have been seen, 0 where there is none; shape (k,)."""
    smallest = np.where(drop, VISIBLE if shape.blind else 0.0, 0.0)
    smallest[np.flatnonzero(drop)[-1:]] = 0.0  # the last fall is clicked however small it is
    return smallest


def _outlook(plan: Plan, reading: Reading, level: Array, facts: Facts, shape: Shape) -> tuple[Array, Array, Array]:
    """Shares of those at risk after each operation that are expected to die later and to be at the next tick."""
    steps = np.concatenate(([1.0], level))

    def path(t: Array) -> Array:
        share = steps[np.searchsorted(reading.time, t, side="right")] * np.exp(-shape.at(t))
        return np.asarray(np.maximum(share, 1e-9), dtype=np.float64)

    fall = -np.diff(steps)
    dead = np.cumsum(np.exp(-shape.at(reading.time)) * fall)
    now = path(plan.stop)
    past = np.concatenate(([0.0], dead))[np.searchsorted(reading.time, plan.stop, side="right")]
    dying = np.clip(((dead[-1] if dead.size else 0.0) - past) / now, 0.0, 1.0)
    ticks = np.append(facts.risk_time, np.inf)
    j = np.searchsorted(ticks, plan.stop, side="left")
    # Within the reach of a tick it is unknown whether it has been seen; the one after it steers.
    near = np.flatnonzero(plan.kind == LOOK)
    if near.size:
        closest = np.argmin(np.abs(facts.risk_time - plan.start[near][:, None]), axis=1) + 1
        for shift in (-1, 0, 1, 2):
            at = near + shift
            inside = (at >= 0) & (at < j.size)
            np.maximum.at(j, at[inside], closest[inside])
    count = np.append(facts.risk_n.astype(np.float64), -1.0)[np.minimum(j, ticks.size - 1)]
    then = path(np.append(facts.risk_time, 0.0))[np.minimum(j, ticks.size - 1)]
    return dying, np.clip(then / now, 0.0, 1.0), count


def _hidden(plan: Plan, marks: MarkPlan, facts: Facts, gap: NDArray[np.bool_], mu: Array, shape: Shape) -> Array:
    """Censorings expected beside the marks seen: hidden under another mark, more where marks crowd."""
    index = plan.gap[gap]
    seen = marks.expected[index]
    hidden = seen * (marks.hidden[index] / np.maximum(seen, 1e-9)) ** shape.steep + 0.001
    if facts.risk_time.size:
        # Between two numbers at risk the belief says how many were censored; what the marks lack was hidden.
        tick = np.searchsorted(facts.risk_time, plan.stop[gap], side="left")
        for j in np.unique(tick):
            here = tick == j
            short = max(float(mu[here].sum() - seen[here].sum()), 0.02)
            hidden[here] *= min(short / max(float(hidden[here].sum()), 1e-9), MOST_HIDDEN)
    elif facts.events is not None:
        short = max(float(mu.sum() - seen.sum()), 0.02)
        hidden *= min(short / max(float(hidden.sum()), 1e-9), MOST_HIDDEN)
    else:
        hidden *= shape.hidden
    return np.maximum(hidden, 0.001)


def _expected_deaths(reading: Reading, level: Array, facts: Facts, shape: Shape) -> tuple[Array, Array, Array]:
    """Deaths expected at each step on the mean path: from its own fall, and from the falls around it; the hazard.

    A fall carries the error of its reading, so a belief built on it alone would use the curve twice and drift towards
    more deaths; the falls around are the belief, its own fall only the exception for many deaths at once.
    """
    before = np.concatenate(([1.0], level[:-1])) if level.size else level
    fall = np.maximum(1 - level / np.maximum(before, 1e-9), 0.0)
    at_risk = facts.n * before * np.exp(-shape.at(reading.time))
    own = at_risk * fall
    if not level.size:
        return own, own, fall
    if not reading.columns:
        width = min(9, own.size)
        around = np.convolve(own, np.ones(width), mode="same") / np.convolve(
            np.ones(own.size), np.ones(width), mode="same"
        )
        return own, around, fall
    rate = np.cumsum(fall)
    half = 0.035 * reading.end
    high = np.interp(reading.time + half, reading.time, rate)
    low = np.interp(reading.time - half, np.append(0.0, reading.time), np.append(0.0, rate))
    span = np.minimum(reading.time + half, reading.end) - np.maximum(reading.time - half, 0.0)
    past = np.diff(np.append(0.0, reading.time))
    smooth = (high - low) / span * np.maximum(past, 0.0)
    least = 0.02 / facts.n / max(fall.size, 1)
    return own, at_risk * smooth, np.maximum(0.7 * smooth + 0.3 * fall, least)
