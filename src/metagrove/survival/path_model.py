"""The operations of a hidden path, in time order, from a curve's steps and the printed facts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.censoring import Shape, mean_levels
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import Reading

__all__ = ["ARRIVE", "CENSOR", "CONSUME", "DROP", "FORCE", "LOOK", "Plan", "plan_of", "weights_of"]

CENSOR, DROP, LOOK, FORCE, ARRIVE, CONSUME = 0, 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What happens when, before any belief about censoring.

    Parameters
    ----------
    kind : shape (k,), codes of path_kernels. a, b : shape (k,), count and weight of LOOK, and so on.
    start, stop : shape (k,), the stretch of time that an operation stands for.
    row : shape (k,), the step of a DROP, else -1.
    low, most : shape (k,), see path_kernels.Operations.
    """

    kind: NDArray[np.int64]
    a: Array
    b: Array
    start: Array
    stop: Array
    row: NDArray[np.int64]
    low: NDArray[np.int64]
    most: NDArray[np.int64]


def _before_tick(reading: Reading, tick: float) -> Array:
    """Chance of each step lying before `tick`, shape (m,). A death at the tick itself is still at risk there."""
    from math import erf

    time = reading.time
    if reading.columns:
        last = reading.since
        return np.clip((tick - last) / np.maximum(time - last, 1e-12), 0.0, 1.0)
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
    for left, right in zip(found, found[1:], strict=False):
        limit = max(right, key=lambda g: right[g])
        for g in [g for g in left if g > limit and len(left) > 1]:
            del left[g]
        for g in [g for g in right if g < max(left) and len(right) > 1]:
            del right[g]
    return found


def plan_of(reading: Reading, facts: Facts) -> Plan:
    """The operations for one arm."""
    m = reading.time.size
    edges = np.concatenate(([0.0], reading.time, [reading.end]))
    rows: list[tuple[int, float, float, float, float, int]] = []
    windows = _windows(reading, facts.risk_time)
    looks: dict[int, list[int]] = {}
    for j, window in enumerate(windows):
        for g in window:
            looks.setdefault(g, []).append(j)
    for g in range(m + 1):
        here = float(edges[g])
        for j in looks.get(g, ()):
            tick = float(np.clip(facts.risk_time[j], here, edges[g + 1]))
            rows.append((CENSOR, 0.0, 0.0, here, tick, -1))
            rows.append((LOOK, float(facts.risk_n[j]), windows[j][g], tick, tick, -1))
            if g == max(windows[j]):
                rows.append((FORCE, 0.0, 0.0, tick, tick, -1))
            here = tick
        if g < m:
            rows.append((CENSOR, 0.0, 0.0, here, float(edges[g + 1]), -1))
            rows.append((DROP, 0.0, 0.0, float(edges[g + 1]), float(edges[g + 1]), g))
    kind, a, b, start, stop, row = (np.array(x) for x in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 6
    low, most = _bounds(kind, a, reading, facts)
    return Plan(kind.astype(np.int64), a, b, start, stop, row.astype(np.int64), low, most)


def _bounds(kind: Array, a: Array, reading: Reading, facts: Facts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fewest patients and most deaths after each operation that leave room for everything printed later."""
    low, most = np.zeros(kind.size, dtype=np.int64), np.zeros(kind.size, dtype=np.int64)
    need = 0 if reading.ends_at_zero else 1
    room = facts.events if facts.events is not None else facts.n
    for o in range(kind.size - 1, -1, -1):
        low[o], most[o] = need, room
        if kind[o] == DROP and not reading.columns:
            need, room = need + 1, room - 1
        elif kind[o] == LOOK and (o < 2 or kind[o - 2] != LOOK or a[o - 2] != a[o]):
            need = max(need, int(a[o])) if _first_look(kind, a, o) else need
    return low, most


def _first_look(kind: Array, a: Array, o: int) -> bool:
    """Whether no LOOK at the same number comes before operation `o` without a FORCE between."""
    for p in range(o - 1, -1, -1):
        if kind[p] == FORCE:
            return True
        if kind[p] == LOOK:
            return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Beliefs that fill a plan, shape (k,) each: see path_kernels.Operations."""

    a: Array
    b: Array
    c: Array
    hazard: Array


def weights_of(plan: Plan, reading: Reading, facts: Facts, shape: Shape) -> Weights:
    """Chances of censorings and deaths under one shape of censoring."""
    level = mean_levels(reading)
    a, b = plan.a.copy(), plan.b.copy()
    c, hazard = np.zeros(a.size), np.full(a.size, -1.0)
    gap = plan.kind == CENSOR
    before = np.concatenate(([1.0], level))[np.searchsorted(reading.time, plan.start[gap], side="right")]
    from_, to = shape.at(plan.start[gap]), shape.at(plan.stop[gap])
    mu = facts.n * before * np.exp(-from_) * (to - from_)
    mu = np.maximum(
        mu, 0.015 * np.where(plan.stop[gap] > plan.start[gap], 1.0, 0.2) / (4.0 if reading.columns else 1.0)
    )
    clump = 1.0 if not reading.columns and reading.sigma_t > 0 else 0.5
    a[gap], b[gap] = clump, mu / clump / (1 + mu / clump)
    drop = plan.kind == DROP
    expected, rate = _expected_deaths(reading, level, facts, shape)
    a[drop], b[drop] = reading.level, reading.error
    if reading.columns:
        hazard[drop] = rate
        c[drop] = np.clip(expected / (1 + expected), 0.05, 0.97)
    else:
        c[drop] = np.clip((expected - 1) / np.maximum(expected, 1e-9), 0.1, 0.97)
    return Weights(a, b, c, hazard)


def _expected_deaths(reading: Reading, level: Array, facts: Facts, shape: Shape) -> tuple[Array, Array]:
    """Deaths expected at each step on the mean path, and their hazard (of traces, smoothed)."""
    before = np.concatenate(([1.0], level[:-1])) if level.size else level
    fall = np.maximum(1 - level / np.maximum(before, 1e-9), 0.0)
    at_risk = facts.n * before * np.exp(-shape.at(reading.time))
    if not reading.columns:
        return at_risk * fall, fall
    rate = np.cumsum(fall)
    half = 0.035 * reading.end
    high = np.interp(reading.time + half, reading.time, rate)
    low = np.interp(reading.time - half, np.append(0.0, reading.time), np.append(0.0, rate))
    span = np.minimum(reading.time + half, reading.end) - np.maximum(reading.time - half, 0.0)
    past = np.diff(np.append(0.0, reading.time))
    smooth = (high - low) / span * np.maximum(past, 0.0)
    return at_risk * fall, np.maximum(np.maximum(smooth, 0.5 * fall), 0.02 / facts.n / max(fall.size, 1))
