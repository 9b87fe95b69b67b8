"""Reconstruction as inference: the hidden integer path behind a curve, its best value and draws from it.

Forward filter and backward sampling over (number at risk, deaths so far, survival), with every printed fact a condition
on the path. The number at risk falls by deaths where the curve drops and by censorings between; survival is the product
of 1 - d / n along the path, and the curve was read with a normal error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.censoring import Shape
from metagrove.survival.curve_input import DigitizedCurve, Kind
from metagrove.survival.path_model import Plan, Weights, plan_of, weights_of
from metagrove.survival.path_search import (
    COARSE,
    LONG,
    WIDE,
    Beam,
    Run,
    Tilt,
    evidence_of,
    likely_shapes,
    limits_of,
    misfit,
    operations_of,
    passed_through,
    path_levels,
    run_of,
    runs_of,
)
from metagrove.survival.printed_evidence import printed_fit
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import CLICK_S, Reading, steps_of

__all__ = ["Paths", "point_near", "solve", "tilted_draws", "time_decimals"]

#: Paths drawn to find the mean path, whatever number is asked for.
DRAWS = 100
#: Paths drawn for each one kept, and where they serve only to find the mean path.
SURPLUS, FEW = 6, 2
#: Readings that the usual error of a click counts for, beside those at hand.
PRIOR_READINGS = 6.0
#: Power of the evidence with which beliefs about censoring share the draws (Miller JW, Dunson DB. Robust Bayesian inference
#: via coarsening. J Am Stat Assoc 2019;114:1113-1125. doi:10.1080/01621459.2018.1469995).
COARSENED = 0.5
#: Smallest and largest standard error of a click that is considered.
ERRORS = (1e-4, 0.02)
#: Standard deviation of the error's logarithm below which draws need not vary it.
SPREAD = 0.08
#: Steps between the errors tried.
RATIO = 1.4


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Solved paths.

    Parameters
    ----------
    plan, reading, facts : what was solved; `facts` may lack one that contradicts the others.
    point : shape (1, k + 1), numbers at risk before each operation and at the end.
    drawn : shape (draws, k + 1), the same for draws, in random order.
    beliefs : shapes of censoring that were weighed, likeliest first. evidence : log likelihood. fallback : what had to be given up to find a path, in words; "" for nothing.
    beam : how wide the search was.
    """

    plan: Plan
    reading: Reading
    facts: Facts
    point: NDArray[np.int32]
    drawn: NDArray[np.int32]
    evidence: float
    beliefs: list[Shape] = field(default_factory=list)
    fallback: str = ""
    beam: Beam = field(default_factory=Beam)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a solution.

    Parameters
    ----------
    decimals : digits of the curve's times. paths : paths to draw. uncertain : whether draws are to vary the reading error.
    """

    decimals: int
    paths: int
    uncertain: bool


def solve(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator) -> Paths | None:
    """Best path and draws for one arm, or None where no path explains the curve even without the at-risk table.

    The standard error of clicks is estimated along the way. Where nothing fits all facts, the search widens first; then
    the error is doubled; then single facts are left out, and the one that had to go is named in `fallback`.
    """
    wanted = Wanted(time_decimals(curve), max(draws, DRAWS), draws > 0)
    for label, sigma, tried, beam in _ladder(curve, facts, draws > 0):
        found = _attempt(steps_of(curve, facts, sigma=sigma), tried, beam, wanted, rng)
        if found is None and curve.kind in ("clicks", "digitized") and beam is COARSE:
            # Rows that are not one per drop: some none at all, or places on the curve.
            others: tuple[tuple[Kind, Beam], ...] = (("steps", Beam()), ("steps", WIDE), ("points", Beam()))
            for kind, within in others:
                other = replace(curve, kind=kind)
                found = _attempt(steps_of(other, facts), tried, within, wanted, rng)
                if found is not None:
                    curve, beam = other, within
                    break
        if found is not None:
            found = _noise_settled(curve, replace(found, fallback=label), beam, wanted, rng)
            return _loosened(curve, found, wanted, rng)
    return None


def _loosened(curve: DigitizedCurve, found: Paths, wanted: Wanted, rng: np.random.Generator) -> Paths:
    """The solution with rows that may be no drop, where clicks agree only with large errors and it is likelier."""
    if curve.kind not in ("clicks", "digitized") or found.fallback or found.reading.sigma_s < 1.5 * CLICK_S:
        return found
    loose: DigitizedCurve = replace(curve, kind="steps")
    other = _attempt(steps_of(loose, found.facts), found.facts, Beam(), wanted, rng)
    if other is None:
        return found
    other = _noise_settled(loose, other, Beam(), wanted, rng)
    gain = other.evidence - found.evidence
    gain += found.reading.level.size * np.log(found.reading.sigma_s)
    gain -= other.reading.level.size * np.log(other.reading.sigma_s)
    return other if gain > 0 else found


def time_decimals(curve: DigitizedCurve) -> int:
    """Digits after the point with which the times of a curve are written, at most 6."""
    for digits in range(6):
        if np.all(np.abs(curve.time - np.round(curve.time, digits)) < 1e-9):
            return digits
    return 6


def _ladder(curve: DigitizedCurve, facts: Facts, uncertain: bool) -> Iterator[tuple[str, float | None, Facts, Beam]]:
    """What to try, in order: label, standard error (None: as read), facts, beam.

    Where a point is all that is asked for, unlikely states need not be kept for the tails of draws.
    """
    reading = steps_of(curve, facts)
    usual = (
        Beam(keep=300, cut=1e-5 if uncertain else 1e-4, bins=0.8)
        if reading.columns or reading.time.size > 100
        else Beam()
    )
    first = reading.sigma_s
    yield "", None, facts, usual
    yield "", None, facts, LONG
    yield "", None, facts, WIDE
    yield "", None, facts, COARSE
    if facts.rates:
        yield "printed rates", None, replace(facts, rates={}), usual
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
    reading: Reading,
    facts: Facts,
    beam: Beam,
    wanted: Wanted,
    rng: np.random.Generator,
    *,
    beliefs: list[Shape] | None = None,
) -> Paths | None:
    draws = wanted.paths
    plan = plan_of(reading, facts, wanted.decimals)
    k = plan.kind.size
    if not k:
        only = np.full((1, 1), facts.n, dtype=np.int32)
        fits = not facts.events
        return Paths(plan, reading, facts, only, np.repeat(only, draws, axis=0), 0.0) if fits else None
    runs = runs_of(plan, reading, facts, beam, beliefs or likely_shapes(plan, reading, facts))
    if not runs:
        return None
    evidence = np.array([run.evidence for run in runs])
    weighed = wanted.uncertain or facts.median is not None or bool(facts.rates)
    drawn = _drawn(plan, reading, facts, runs, draws, rng, surplus=SURPLUS if weighed else FEW)
    best = runs[int(np.argmax(evidence))].weights
    point = _point(plan, best, drawn, reading, facts, beam)
    total = float(np.logaddexp.reduce(evidence) - np.log(evidence.size))
    order = np.argsort(-evidence, kind="stable").tolist()
    return Paths(plan, reading, facts, point, drawn, total, [runs[i].shape for i in order], beam=beam)


def _drawn(
    plan: Plan,
    reading: Reading,
    facts: Facts,
    runs: list[Run],
    draws: int,
    rng: np.random.Generator,
    *,
    surplus: int = SURPLUS,
) -> NDArray[np.int32]:
    """Paths drawn from the runs, shared out by their evidence; shape (draws, k + 1)."""
    from metagrove.survival.path_kernels import sampled_gains

    evidence = np.array([run.evidence for run in runs])
    # Beliefs about censoring are crude, so the evidence between them is worth less than it says.
    share = np.exp(COARSENED * (evidence - evidence.max()))
    counts = _shared(share / share.sum(), surplus * draws)
    pairs = [
        sampled_gains(run.passed[0], run.passed[1], run.passed[2], run.operations, count, int(rng.integers(2**62)))
        for run, count in zip(runs, counts.tolist(), strict=True)
        if count
    ]
    paths = np.concatenate([pair[0] for pair in pairs])
    gains = np.concatenate([pair[1] for pair in pairs])
    return _corrected(plan, reading, facts, (paths, gains), draws, rng)


def _draws(
    found: Paths, reading: Reading, beam: Beam, draws: int, rng: np.random.Generator
) -> NDArray[np.int32] | None:
    """Paths drawn under another reading error, None where no path is left."""
    runs = runs_of(found.plan, reading, found.facts, beam, found.beliefs)
    return _drawn(found.plan, reading, found.facts, runs, draws, rng) if runs else None


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
        gain = gain + printed_fit(plan, reading, facts, paths)
    noise = rng.gumbel(size=gain.size)
    keep = np.argsort(-(np.clip(gain - gain.max(), -60.0, 0.0) + noise), kind="stable")[:draws]
    return np.asarray(paths[rng.permutation(keep)])


def _shared(share: Array, total: int) -> NDArray[np.int64]:
    """`total` split in proportion, the rest to the largest remainders."""
    ideal = share * total
    counts = np.floor(ideal).astype(np.int64)
    for i in np.argsort(counts - ideal, kind="stable")[: total - int(counts.sum())]:
        counts[i] += 1
    return counts


def _point(
    plan: Plan,
    weights: Weights,
    drawn: NDArray[np.int32],
    reading: Reading,
    facts: Facts,
    beam: Beam,
) -> NDArray[np.int32]:
    """The likeliest path among those whose numbers at risk stay near the mean of the draws."""
    after = drawn[:, 1:]
    near = (after.mean(axis=0), np.maximum(0.6, 0.5 * after.std(axis=0)), drawn)
    return _pulled(plan, weights, near, reading, facts, beam)


def _pulled(
    plan: Plan,
    weights: Weights,
    near: tuple[Array, Array, NDArray[np.int32]],
    reading: Reading,
    facts: Facts,
    beam: Beam,
) -> NDArray[np.int32]:
    """The likeliest path near a centre with a spread, else the one of those drawn that is nearest to it."""
    from metagrove.survival.path_kernels import sampled

    centre, spread, drawn = near
    operations = operations_of(plan, weights, centre, spread)
    run = passed_through(operations, limits_of(reading, facts, beam, plan.kind.size, peak=True))
    if run[4] == plan.kind.size:
        pulled = np.asarray(sampled(run[0], run[1], run[2], operations, 1, 1, 1)[0])
        fit = misfit(plan, reading, path_levels(plan, np.concatenate((pulled, drawn))))
        if fit[0] <= np.median(fit[1:]) + 3:
            return pulled
    nearest = int(np.argmin((((drawn[:, 1:] - centre) / spread) ** 2).sum(axis=1)))
    return drawn[nearest : nearest + 1]


@dataclass(frozen=True, slots=True)
class _Noise:
    """The reading error after its likelihood: `sigma` and the standard deviation `spread` of its logarithm."""

    sigma: float
    spread: float


def _scaled(reading: Reading, factor: float) -> Reading:
    """The same steps read with `factor` times the error in survival."""
    return replace(reading, error=reading.error * factor, sigma_s=reading.sigma_s * factor)


def _noise(found: Paths) -> _Noise:
    """Reading error of clicks: the mode of its likelihood, summed over all paths, and a prior from careful clicks.

    The prior is that of `PRIOR_READINGS` readings with the usual error.
    """
    known: dict[int, float] = {}
    reading, base = found.reading, found.reading.sigma_s

    def score(i: int) -> float:
        if i not in known:
            sigma = base * RATIO**i
            prior = -PRIOR_READINGS * (np.log(sigma) + 0.5 * (CLICK_S / sigma) ** 2)
            known[i] = -np.inf
            if ERRORS[0] <= sigma <= ERRORS[1]:
                seen = evidence_of(found.plan, _scaled(reading, RATIO**i), found.facts, found.beliefs[:1])
                known[i] = seen - reading.level.size * np.log(sigma) + prior
        return known[i]

    best = 0
    for step in (1, -1):
        while score(best + step) > score(best):
            best += step
    low, mid, high = score(best - 1), score(best), score(best + 1)
    if not np.isfinite(low + mid + high):
        return _Noise(base * RATIO**best, np.log(RATIO) / 2)
    bend = max(2 * mid - low - high, 1e-3)
    shift = float(np.clip((high - low) / (2 * bend), -0.5, 0.5))
    return _Noise(base * RATIO ** (best + shift), float(np.log(RATIO) / np.sqrt(bend)))


def _noise_settled(curve: DigitizedCurve, found: Paths, beam: Beam, wanted: Wanted, rng: np.random.Generator) -> Paths:
    """The solution under the likeliest reading error of clicks, with draws under errors nearly as likely.

    The draws weigh three errors as Gauss and Hermite do a normal distribution of their logarithm.
    """
    if curve.kind in ("exact", "trace") or not found.reading.level.size:
        return found
    noise = _noise(found)
    if abs(np.log(noise.sigma / found.reading.sigma_s)) > 0.1:
        for sigma in (noise.sigma, np.sqrt(noise.sigma * found.reading.sigma_s)):
            read = steps_of(curve, found.facts, sigma=float(sigma))
            again = _attempt(read, found.facts, beam, wanted, rng, beliefs=found.beliefs)
            if again is not None:
                found = replace(again, fallback=found.fallback)
                break
    if noise.spread < SPREAD or not wanted.uncertain:
        return found
    side = max(wanted.paths // 6, 1)
    drawn = found.drawn.copy()
    for i, way in enumerate((-1.0, 1.0)):
        reading = _scaled(found.reading, float(np.exp(way * np.sqrt(3) * min(noise.spread, 0.4))))
        other = _draws(found, reading, beam, side, rng)
        if other is not None:
            drawn[i * side : (i + 1) * side] = other
    return replace(found, drawn=drawn[rng.permutation(len(drawn))])


def tilted_draws(found: Paths, tilt: Tilt, draws: int, rng: np.random.Generator) -> NDArray[np.int32] | None:
    """Paths drawn with the log weights of `tilt` besides their own, shape (draws, k + 1); None where none is left."""
    plain = runs_of(found.plan, found.reading, found.facts, found.beam, found.beliefs)
    runs = []
    for run in plain:
        leaning = run_of(found.plan, found.reading, found.facts, run.shape, found.beam, tilt=tilt)
        if not np.isfinite(leaning.evidence):
            leaning = run_of(found.plan, found.reading, found.facts, run.shape, WIDE, tilt=tilt)
        if np.isfinite(leaning.evidence):
            # Between beliefs the curve's own evidence is coarsened, that of the tilt is not.
            runs.append(replace(leaning, evidence=run.evidence + (leaning.evidence - run.evidence) / COARSENED))
    return _drawn(found.plan, found.reading, found.facts, runs, draws, rng) if runs else None


def point_near(found: Paths, centre: Array, spread: Array, drawn: NDArray[np.int32]) -> NDArray[np.int32]:
    """The likeliest path near `centre`, shape (1, k + 1); of the `drawn` ones where the curve denies it."""
    weights = weights_of(found.plan, found.reading, found.facts, found.beliefs[0])
    return _pulled(found.plan, weights, (centre, spread, drawn), found.reading, found.facts, found.beam)
