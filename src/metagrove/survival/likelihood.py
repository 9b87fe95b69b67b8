"""Reconstruction as inference: the hidden integer path behind a curve, its best value and draws from it.

Forward filter and backward sampling over (number at risk, deaths so far, survival), with every printed fact a condition
on the path. The number at risk falls by deaths where the curve drops and by censorings between; survival is the product
of 1 - d / n along the path, and the curve was read with a normal error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.censoring import Shape, shapes
from metagrove.survival.curve_input import DigitizedCurve
from metagrove.survival.path_model import DROP, Plan, Weights, plan_of, weights_of
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import CLICK_S, Reading, steps_of

__all__ = ["Paths", "solve"]

#: Paths drawn to find the mean path, whatever number is asked for.
DRAWS = 100
#: Paths drawn for each one kept.
SURPLUS = 6
#: Readings that the usual error of a click counts for, beside the residuals.
PRIOR_READINGS = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Solved paths.

    Parameters
    ----------
    plan, reading, facts : what was solved; `facts` may lack one that contradicts the others.
    point : shape (1, k + 1), numbers at risk before each operation and at the end.
    drawn : shape (draws, k + 1), the same for draws, in random order.
    evidence : log likelihood. fallback : what had to be given up to find a path, in words; "" for nothing.
    """

    plan: Plan
    reading: Reading
    facts: Facts
    point: NDArray[np.int32]
    drawn: NDArray[np.int32]
    evidence: float
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Beam:
    """How wide the search is: states kept, smallest weight kept, width of a level bin and reach in standard errors."""

    keep: int = 200
    cut: float = 1e-5
    bins: float = 0.4
    reach: float = 4.5


NARROW = Beam(keep=80, cut=1e-5, bins=0.5)
WIDE = Beam(keep=1500, cut=1e-11, bins=0.2, reach=6.0)
#: Levels hardly told apart: finds a path where many are nearly as good; drawn paths are reweighted afterwards.
COARSE = Beam(keep=1500, cut=1e-11, bins=1.0, reach=6.0)


def solve(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator) -> Paths | None:
    """Best path and draws for one arm, or None where no path explains the curve even without the at-risk table.

    The standard error of clicks is estimated along the way. Where nothing fits all facts, the search widens first; then
    the error is doubled; then single facts are left out, and the one that had to go is named in `fallback`.
    """
    decimals = _time_decimals(curve)
    wanted = max(draws, DRAWS)
    for label, sigma, tried, beam in _ladder(curve, facts):
        found = _attempt(steps_of(curve, facts, sigma=sigma), tried, beam, (decimals, wanted), rng)
        if found is None and curve.kind == "clicks" and beam is COARSE:
            # Rows that are not one per drop: places on the curve.
            curve = replace(curve, kind="points")
            found = _attempt(steps_of(curve, facts), tried, Beam(), (decimals, wanted), rng)
        if found is not None:
            found = replace(found, fallback=label)
            return _noise_settled(curve, found, beam, (decimals, wanted), rng)
    return None


def _time_decimals(curve: DigitizedCurve) -> int:
    for digits in range(6):
        if np.all(np.abs(curve.time - np.round(curve.time, digits)) < 1e-9):
            return digits
    return 6


def _ladder(curve: DigitizedCurve, facts: Facts) -> Iterator[tuple[str, float | None, Facts, Beam]]:
    """What to try, in order: label, standard error (None: as read), facts, beam."""
    reading = steps_of(curve, facts)
    usual = Beam(keep=300, bins=0.8) if reading.columns or reading.time.size > 100 else Beam()
    first = reading.sigma_s
    yield "", None, facts, usual
    yield "", None, facts, WIDE
    yield "", None, facts, COARSE
    if curve.kind == "exact":
        yield from (("", s, facts, usual) for s in (1e-5, 1e-4, 1e-3) if s > 1.5 * first)
    larger = max(2 * first, CLICK_S)
    yield "", larger, facts, WIDE
    for i, (t, k) in enumerate(zip(facts.risk_time.tolist(), facts.risk_n.tolist(), strict=True)):
        less = replace(facts, risk_time=np.delete(facts.risk_time, i), risk_n=np.delete(facts.risk_n, i))
        yield f"at risk at {t:g}: {k}", first, less, usual
    if facts.marks is not None:
        yield "censor marks", larger, replace(facts, marks=None), WIDE
    bare = replace(facts, risk_time=facts.risk_time[:0], risk_n=facts.risk_n[:0], marks=None)
    if facts.risk_n.size:
        # A printed table is trusted before a curve that may have been read with larger errors.
        for wider in (2 * larger, 4 * larger):
            yield "reading error", wider, replace(facts, marks=None), WIDE
        yield "numbers at risk", larger, bare, WIDE
    yield "reading error", max(4 * first, 0.01), bare, WIDE


def _attempt(
    reading: Reading, facts: Facts, beam: Beam, wanted: tuple[int, int], rng: np.random.Generator
) -> Paths | None:
    from metagrove.survival.path_kernels import sampled_gains

    decimals, draws = wanted
    plan = plan_of(reading, facts, decimals)
    k = plan.kind.size
    if not k:
        only = np.full((1, 1), facts.n, dtype=np.int32)
        fits = not facts.events
        return Paths(plan, reading, facts, only, np.repeat(only, draws, axis=0), 0.0) if fits else None
    runs = _runs(plan, reading, facts, beam)
    if not runs:
        return None
    evidence = np.array([run[0][3] for run in runs])
    share = np.exp(evidence - evidence.max())
    counts = _shared(share / share.sum(), SURPLUS * draws)
    pairs = [
        sampled_gains(run[0], run[1], run[2], operations, count, int(rng.integers(2**62)))
        for (run, operations, _), count in zip(runs, counts.tolist(), strict=True)
        if count
    ]
    paths = np.concatenate([pair[0] for pair in pairs])
    gains = np.concatenate([pair[1] for pair in pairs])
    drawn = _corrected(plan, reading, facts, (paths, gains), draws, rng)
    best = runs[int(np.argmax(evidence))][2]
    point = _point(plan, best, drawn, reading, facts, beam)
    total = float(np.logaddexp.reduce(evidence) - np.log(evidence.size))
    return Paths(plan, reading, facts, point, drawn, total)


def path_levels(plan: Plan, paths: NDArray[np.int32]) -> Array:
    """Survival after each drop of each path, shape (paths, drops): the product of 1 - d / n along it."""
    drop = plan.kind == DROP
    before, after = paths[:, :-1][:, drop], paths[:, 1:][:, drop]
    return np.cumprod(after / np.maximum(before, 1), axis=1, dtype=np.float64)


def _misfit(plan: Plan, reading: Reading, levels: Array) -> Array:
    """Half the squared distance of each path from the levels read, in standard errors; shape (paths,)."""
    row = plan.row[plan.kind == DROP]
    return np.asarray(0.5 * np.sum(((levels - reading.level[row]) / reading.error[row]) ** 2, axis=1))


def _corrected(
    plan: Plan,
    reading: Reading,
    facts: Facts,
    found: tuple[NDArray[np.int32], Array],
    draws: int,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """`draws` of the paths found, resampled by what the filter left out.

    A merged state carries a mean level, so a path is drawn with a likelihood a little off its own; the ratio of the two,
    and the fit to a printed median and printed rates, are its weight (sampling-importance resampling, without
    replacement).
    """
    paths, gain = found
    if facts.median is not None or facts.rates:
        gain = gain + _printed_fit(reading, facts, path_levels(plan, paths))
    noise = rng.gumbel(size=gain.size)
    keep = np.argsort(-(np.clip(gain - gain.max(), -60.0, 0.0) + noise), kind="stable")[:draws]
    return np.asarray(paths[rng.permutation(keep)])


def _printed_fit(reading: Reading, facts: Facts, levels: Array) -> Array:
    """Log weight of each path for a printed median and printed rates; zero where none is printed."""
    steps = np.concatenate((np.ones((levels.shape[0], 1)), levels), axis=1)
    slack = max(2 * reading.sigma_t, 0.004 * reading.end)

    def between(t: float) -> tuple[Array, Array]:
        early = np.searchsorted(reading.time, t - slack, side="right")
        late = np.searchsorted(reading.time, t + slack, side="right")
        return steps[:, late], steps[:, early]

    weight = np.zeros(levels.shape[0])
    for t, rate in facts.rates.items():
        if rate.estimate is not None and t <= reading.end:
            low, high = between(t)
            off = np.maximum(0.0, np.maximum(rate.estimate - high, low - rate.estimate))
            weight -= 0.5 * (off / 0.004) ** 2
    if facts.median is not None and facts.median.estimate is not None and facts.median.estimate <= reading.end:
        low, high = between(facts.median.estimate)
        off = np.maximum(0.0, np.maximum(0.5 - high, low - 0.5))
        weight -= 0.5 * (off / 0.002) ** 2
    return weight


def _runs(plan: Plan, reading: Reading, facts: Facts, beam: Beam) -> list[tuple[Any, Any, Weights]]:
    """Forward passes for every belief about censoring that a quick screen leaves standing."""
    beliefs = shapes(reading, facts)
    if len(beliefs) > 2:
        quick = [_run(plan, reading, facts, shape, NARROW) for shape in beliefs]
        evidence = np.array([run[0][3] if run[0][4] == plan.kind.size else -np.inf for run in quick])
        if np.isfinite(evidence).any():
            order = [int(i) for i in np.argsort(-evidence)[:4] if evidence[i] > evidence.max() - 4]
            beliefs = [beliefs[i] for i in order]
    runs = [_run(plan, reading, facts, shape, beam) for shape in beliefs]
    return [run for run in runs if run[0][4] == plan.kind.size]


def _run(plan: Plan, reading: Reading, facts: Facts, shape: Shape, beam: Beam) -> tuple[Any, Any, Weights]:
    from metagrove.survival.path_kernels import forward

    weights = weights_of(plan, reading, facts, shape)
    none = np.zeros(plan.kind.size)
    operations = _operations(plan, weights, none, none)
    return forward(operations, _limits(reading, facts, beam, plan.kind.size, peak=False)), operations, weights


def _operations(plan: Plan, weights: Weights, centre: Array, spread: Array) -> Any:
    from metagrove.survival.path_kernels import Operations

    return Operations(
        plan.kind,
        weights.a,
        weights.b,
        weights.c,
        weights.hazard,
        plan.low,
        plan.most,
        centre,
        spread,
        weights.mass,
        weights.dying,
        weights.staying,
        weights.count,
    )


def _limits(reading: Reading, facts: Facts, beam: Beam, k: int, *, peak: bool) -> Any:
    from metagrove.survival.path_kernels import Limits

    width = max(beam.bins * float(np.median(reading.error)), 1e-7) if reading.error.size else 1.0
    room = min(max((beam.keep * 12 + 2000) * (k + 2) // 2, 100_000), 4_000_000)
    return Limits(
        n=facts.n,
        events=-1 if facts.events is None else facts.events,
        alive=0 if reading.ends_at_zero else 1,
        bin=width,
        reach=beam.reach,
        cut=beam.cut,
        chain_cut=1e-200 if reading.sigma_s < 1e-5 else beam.cut,
        keep=beam.keep,
        peak=int(peak),
        nodes=room,
        edges=room,
        bits=15 if beam.keep < 1000 else 19,
    )


def _shared(share: Array, total: int) -> NDArray[np.int64]:
    """`total` split in proportion, the rest to the largest remainders."""
    ideal = share * total
    counts = np.floor(ideal).astype(np.int64)
    for i in np.argsort(counts - ideal, kind="stable")[: total - int(counts.sum())]:
        counts[i] += 1
    return counts


def _point(
    plan: Plan, weights: Weights, drawn: NDArray[np.int32], reading: Reading, facts: Facts, beam: Beam
) -> NDArray[np.int32]:
    """The likeliest path among those whose numbers at risk stay near the mean of the draws."""
    from metagrove.survival.path_kernels import forward, sampled

    after = drawn[:, 1:]
    centre, spread = after.mean(axis=0), np.maximum(0.6, 0.5 * after.std(axis=0))
    operations = _operations(plan, weights, centre, spread)
    run = forward(operations, _limits(reading, facts, beam, plan.kind.size, peak=True))
    if run[4] == plan.kind.size:
        pulled = np.asarray(sampled(run[0], run[1], run[2], operations, 1, 1, 1)[0])
        fit = _misfit(plan, reading, path_levels(plan, np.concatenate((pulled, drawn))))
        if fit[0] <= np.median(fit[1:]) + 3:
            return pulled
    nearest = int(np.argmin((((after - centre) / spread) ** 2).sum(axis=1)))
    return drawn[nearest : nearest + 1]


def _noise_settled(
    curve: DigitizedCurve, found: Paths, beam: Beam, wanted: tuple[int, int], rng: np.random.Generator
) -> Paths:
    """The solution under a standard error that its own residuals confirm (expectation-maximisation, of clicks)."""
    if curve.kind in ("exact", "trace"):
        return found
    for _ in range(4):
        now = found.reading.sigma_s
        better = residual_error(found)
        if 0.8 < better / now < 1.25:
            break
        step = float(np.clip(better * min(better / now, 1.0), 1e-5, 0.02))
        again = None
        for sigma in (step, better):
            again = _attempt(steps_of(curve, found.facts, sigma=sigma), found.facts, beam, wanted, rng)
            if again is not None:
                break
        if again is None:
            break
        found = replace(again, fallback=found.fallback)
    return found


def residual_error(paths: Paths) -> float:
    """Standard error of a reading, from the distances between the levels read and those of the drawn paths."""
    drop = paths.plan.kind == DROP
    if not drop.any():
        return paths.reading.sigma_s
    level = path_levels(paths.plan, paths.drawn)
    inside = paths.reading.level > 0  # a level of 0 was read as such
    square = np.mean((level - paths.reading.level) ** 2, axis=0)[inside]
    return float(np.sqrt((PRIOR_READINGS * CLICK_S**2 + square.sum()) / (PRIOR_READINGS + square.size)))
