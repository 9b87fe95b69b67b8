"""Reconstruction as inference: the hidden integer path behind a curve, its best value and draws from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.censoring import Shape, shapes
from metagrove.survival.path_model import CENSOR, DROP, Plan, Weights, plan_of, weights_of
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import Reading

__all__ = ["Paths", "solve"]

DRAWS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Solved paths.

    Parameters
    ----------
    plan, reading : what was solved.
    point : shape (k + 1,), numbers at risk before each operation and at the end.
    drawn : shape (draws, k + 1), the same for draws; levels of the same shape in `levels`.
    evidence : log likelihood. steps : which fallbacks were needed, in words.
    """

    plan: Plan
    reading: Reading
    point: NDArray[np.int32]
    drawn: NDArray[np.int32]
    levels: Array
    evidence: float
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Beam:
    """How wide the search is."""

    keep: int = 400
    cut: float = 1e-7
    bins: float = 0.35
    reach: float = 4.5


def _limits(reading: Reading, facts: Facts, beam: _Beam, *, peak: bool, centre: int) -> object:
    from metagrove.survival.path_kernels import Limits

    exact = reading.sigma_s < 1e-5
    width = max(beam.bins * float(np.median(reading.error)) if reading.error.size else 1.0, 1e-7)
    nodes = min(max((beam.keep * 12 + 2000) * (centre + 2) // 2, 100_000), 6_000_000)
    return Limits(
        facts.n,
        -1 if facts.events is None else facts.events,
        0 if reading.ends_at_zero else 1,
        width,
        beam.reach,
        beam.cut,
        1e-200 if exact else beam.cut * 1e-2,
        beam.keep,
        int(peak),
        nodes,
        nodes,
    )


def _operations(plan: Plan, weights: Weights, centre: Array, spread: Array) -> object:
    from metagrove.survival.path_kernels import Operations

    return Operations(plan.kind, weights.a, weights.b, weights.c, weights.hazard, plan.low, plan.most, centre, spread)


def solve(reading: Reading, facts: Facts, draws: int, seed: int) -> Paths | None:
    """Best path and draws, or None where no path explains the curve and the facts together."""
    from metagrove.survival.path_kernels import forward, sampled

    plan = plan_of(reading, facts)
    k = plan.kind.size
    beam = _Beam()
    none = np.zeros(k)
    runs = []
    for shape in shapes(reading, facts):
        weights = weights_of(plan, reading, facts, shape)
        operations = _operations(plan, weights, none, none)
        run = forward(operations, _limits(reading, facts, beam, peak=False, centre=k))
        if run[4] == k:
            runs.append((run, operations, weights))
    if not runs:
        return None
    evidence = np.array([run[0][3] for run in runs])
    share = np.exp(evidence - evidence.max())
    share /= share.sum()
    counts = _shared(share, max(draws, DRAWS))
    paths, levels = [], []
    for (run, operations, _), count in zip(runs, counts, strict=True):
        if count:
            n, level = sampled(run[0], run[1], run[2], operations, count, seed, 0)
            paths.append(n)
            levels.append(level)
            seed += 1
    drawn, level = np.concatenate(paths), np.concatenate(levels)
    best = runs[int(np.argmax(evidence))]
    point = _point(plan, best[2], drawn, reading, facts, beam)
    return Paths(plan, reading, point, drawn, level, float(np.logaddexp.reduce(evidence)))


def _shared(share: Array, total: int) -> NDArray[np.int64]:
    """`total` split in proportion, the rest to the largest remainders."""
    ideal = share * total
    counts = np.floor(ideal).astype(np.int64)
    for i in np.argsort(counts - ideal, kind="stable")[: total - int(counts.sum())]:
        counts[i] += 1
    return counts


def _point(
    plan: Plan, weights: Weights, drawn: NDArray[np.int32], reading: Reading, facts: Facts, beam: _Beam
) -> NDArray[np.int32]:
    """The likeliest path among those whose numbers at risk stay near the mean of the draws."""
    from metagrove.survival.path_kernels import forward, sampled

    after = drawn[:, 1:]
    centre, spread = after.mean(axis=0), np.maximum(0.6, 0.5 * after.std(axis=0))
    operations = _operations(plan, weights, centre, spread)
    limits = _limits(reading, facts, beam, peak=True, centre=plan.kind.size)
    run = forward(operations, limits)
    if run[4] == plan.kind.size:
        return np.asarray(sampled(run[0], run[1], run[2], operations, 1, 1, 1)[0][0])
    return drawn[int(np.argmin(((after - centre) ** 2).sum(axis=1)))]


def patients_of(
    paths: Paths, n: NDArray[np.int32], rng: np.random.Generator | None = None
) -> tuple[Array, NDArray[np.bool_]]:
    """Patient times and events of one path, sorted; with `rng` times are drawn within what the reading leaves open."""
    plan, reading = paths.plan, paths.reading
    change = (n[:-1] - n[1:]).astype(np.int64)
    drop, gap = plan.kind == DROP, plan.kind == CENSOR
    when = _death_times(reading, rng)
    deaths = np.repeat(when[plan.row[drop]], change[drop])
    edges = np.concatenate(([0.0], when, [reading.end]))
    censored = _censor_times(plan, gap, change[gap], edges, rng)
    tail = _tail_times(plan, reading, int(n[-1]), rng)
    time = np.concatenate((deaths, censored, tail))
    event = np.repeat([True, False], [deaths.size, censored.size + tail.size])
    order = np.lexsort((~event, time))
    return time[order], event[order]


def _death_times(reading: Reading, rng: np.random.Generator | None) -> Array:
    time = reading.time
    if reading.columns:
        last = reading.since
        share = 0.5 if rng is None else rng.random(time.size)
        when = last + (time - last) * share
        if when.size and (reading.ends_at_zero or time[-1] >= reading.end):
            when[-1] = time[-1]
        return when
    if rng is None or reading.sigma_t <= 0:
        return time
    moved = np.sort(time + reading.sigma_t * rng.standard_normal(time.size))
    if reading.ends_at_zero and moved.size:
        moved[-1] = reading.end
    return np.clip(moved, 1e-4 * reading.end, reading.end)


def _censor_times(
    plan: Plan, gap: NDArray[np.bool_], counts: NDArray[np.int64], edges: Array, rng: np.random.Generator | None
) -> Array:
    start, stop = plan.start[gap], plan.stop[gap]
    owner = np.repeat(np.arange(counts.size), counts)
    place = np.arange(owner.size) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (place + 1.0) / (counts[owner] + 1.0) if rng is None else rng.random(owner.size)
    return np.asarray(start[owner] + (stop - start)[owner] * share, dtype=np.float64)


def _tail_times(plan: Plan, reading: Reading, left: int, rng: np.random.Generator | None) -> Array:
    """Who is left after the last operation: one at the end of the curve, the others evenly up to it."""
    if left <= 0:
        return np.zeros(0)
    start = float(plan.stop[-1]) if plan.stop.size else 0.0
    share = np.arange(1, left + 1) / left if rng is None else np.append(rng.random(left - 1), 1.0)
    return np.asarray(start + (reading.end - start) * share, dtype=np.float64)
