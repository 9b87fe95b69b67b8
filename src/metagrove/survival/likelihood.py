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
from metagrove.survival.click_noise import Disorder, disorder_of
from metagrove.survival.curve_input import DigitizedCurve, Kind
from metagrove.survival.path_draws import COARSENED, SURPLUS, drawn_paths, scaled, widened_paths
from metagrove.survival.path_model import Plan, Weights, plan_of, weights_of
from metagrove.survival.path_search import (
    COARSE,
    LARGE,
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
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import CLICK_S, Reading, steps_of

__all__ = ["Paths", "point_near", "solve", "tilted_draws", "time_decimals"]

#: Paths drawn to find the mean path, whatever number is asked for.
DRAWS = 100
#: Paths drawn for each one kept where they serve only to find the mean path.
FEW = 2
#: Readings that the usual error of a click counts for, beside those at hand.
PRIOR_READINGS = 6.0
#: Smallest and largest standard error of a click that is considered.
ERRORS = (1e-4, 0.02)
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
        found = _searched(steps_of(curve, facts, sigma=sigma), tried, beam, wanted)
        if found is None and curve.kind in ("clicks", "digitized") and beam is COARSE:
            # Rows that are not one per drop: some none at all, or places on the curve.
            others: tuple[tuple[Kind, Beam], ...] = (("steps", Beam()), ("steps", WIDE), ("points", Beam()))
            for kind, within in others:
                other = replace(curve, kind=kind)
                found = _searched(steps_of(other, facts), tried, within, wanted)
                if found is not None:
                    curve = other
                    break
        if found is not None:
            settled = _noise_settled(curve, found, wanted, rng)
            found, spread = settled if label else _loosened(curve, settled, wanted, rng)
            paths = replace(_finished(found, wanted, rng), fallback=label)
            return _widened(paths, spread, wanted, rng) if wanted.uncertain else paths
    return None


def _loosened(
    curve: DigitizedCurve, known: tuple[_Search, float], wanted: Wanted, rng: np.random.Generator
) -> tuple[_Search, float]:
    """The solution with rows that may be no drop, where clicks agree only with large errors and it is likelier."""
    found = known[0]
    if curve.kind not in ("clicks", "digitized") or found.reading.sigma_s < 1.5 * CLICK_S:
        return known
    loose: DigitizedCurve = replace(curve, kind="steps")
    other = _searched(steps_of(loose, found.facts), found.facts, Beam(), wanted)
    if other is None:
        return known
    other, spread = _noise_settled(loose, other, wanted, rng)
    gain = other.evidence - found.evidence
    gain += found.reading.level.size * np.log(found.reading.sigma_s)
    gain -= other.reading.level.size * np.log(other.reading.sigma_s)
    return (other, spread) if gain > 0 else known


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
    if facts.n >= 1000:
        yield "", None, facts, LARGE
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


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """The ways through a curve under several beliefs about censoring, before a path is chosen; no runs without steps."""

    plan: Plan
    reading: Reading
    facts: Facts
    beam: Beam
    runs: list[Run]

    @property
    def evidence(self) -> float:
        """Log likelihood of the readings, averaged over beliefs."""
        if not self.runs:
            return 0.0
        return float(np.logaddexp.reduce([run.evidence for run in self.runs]) - np.log(len(self.runs)))

    @property
    def beliefs(self) -> list[Shape]:
        """The beliefs, the likeliest first."""
        order = np.argsort([-run.evidence for run in self.runs], kind="stable")
        return [self.runs[i].shape for i in order.tolist()]


def _searched(
    reading: Reading, facts: Facts, beam: Beam, wanted: Wanted, *, beliefs: list[Shape] | None = None
) -> _Search | None:
    """The search of one reading, None where no path is left."""
    plan = plan_of(reading, facts, wanted.decimals)
    if not plan.kind.size:
        return None if facts.events else _Search(plan, reading, facts, beam, [])
    runs = runs_of(plan, reading, facts, beam, beliefs or likely_shapes(plan, reading, facts))
    return _Search(plan, reading, facts, beam, runs) if runs else None


def _finished(found: _Search, wanted: Wanted, rng: np.random.Generator) -> Paths:
    """The paths of a search: the best one and those drawn."""
    plan, reading, facts, beam = found.plan, found.reading, found.facts, found.beam
    if not found.runs:
        only = np.full((1, 1), facts.n, dtype=np.int32)
        return Paths(plan, reading, facts, only, np.repeat(only, wanted.paths, axis=0), 0.0)
    weighed = wanted.uncertain or facts.median is not None or bool(facts.rates)
    drawn = drawn_paths(plan, reading, facts, found.runs, wanted.paths, rng, surplus=SURPLUS if weighed else FEW)
    best = max(found.runs, key=lambda run: run.evidence).weights
    point = _point(plan, best, drawn, reading, facts, beam)
    return Paths(plan, reading, facts, point, drawn, found.evidence, found.beliefs, beam=beam)


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
    """The reading error after its likelihood.

    Parameters
    ----------
    sigma : standard error of a click in survival. left : the share of it that is left once clicks are brought to order.
    spread : standard deviation of the logarithm of `sigma`.
    """

    sigma: float
    left: float
    spread: float


def _noise(found: _Search, disorder: Disorder | None) -> _Noise:
    """Reading error of clicks: the mode of its likelihood, summed over all paths, and a prior from careful clicks.

    Clicks in order lie closer to any curve than they were set; what their order as set tells is part of the likelihood. The
    prior is that of `PRIOR_READINGS` readings with the usual error.
    """
    known: dict[int, float] = {}
    reading, base = found.reading, found.reading.sigma_s

    def score(i: int) -> float:
        if i not in known:
            sigma = base * RATIO**i
            known[i] = -np.inf
            if ERRORS[0] <= sigma <= ERRORS[1]:
                order, left = disorder.shown(sigma) if disorder else (0.0, 1.0)
                prior = -PRIOR_READINGS * (np.log(sigma) + 0.5 * (CLICK_S / sigma) ** 2)
                error = scaled(reading, left * RATIO**i * base / float(np.median(reading.error)))
                seen = evidence_of(found.plan, error, found.facts, found.beliefs[:1])
                known[i] = seen - reading.level.size * np.log(left * sigma) + order + prior
        return known[i]

    best = 0
    for step in (1, -1):
        while score(best + step) > score(best):
            best += step
    low, mid, high = score(best - 1), score(best), score(best + 1)
    if not np.isfinite(low + mid + high):
        sigma = base * RATIO**best
        return _Noise(sigma, disorder.shown(sigma)[1] if disorder else 1.0, float(np.log(RATIO)) / 2)
    bend = max(2 * mid - low - high, 1e-3)
    sigma = base * RATIO ** (best + float(np.clip((high - low) / (2 * bend), -0.5, 0.5)))
    return _Noise(sigma, disorder.shown(sigma)[1] if disorder else 1.0, float(np.log(RATIO) / np.sqrt(bend)))


def _noise_settled(
    curve: DigitizedCurve, found: _Search, wanted: Wanted, rng: np.random.Generator
) -> tuple[_Search, float]:
    """The search under the likeliest reading error of clicks, and how uncertain the logarithm of that error is."""
    if curve.kind in ("exact", "trace") or not found.reading.level.size or not found.runs:
        return found, 0.0
    noise = _noise(found, disorder_of(curve, found.facts.axis, rng))
    if abs(np.log(noise.sigma / found.reading.sigma_s)) > 0.1 or noise.left < 0.9:
        for sigma in (noise.sigma, np.sqrt(noise.sigma * found.reading.sigma_s)):
            read = scaled(steps_of(curve, found.facts, sigma=float(sigma)), noise.left)
            again = _searched(read, found.facts, found.beam, wanted, beliefs=found.beliefs)
            if again is not None:
                found = again
                break
    return found, min(noise.spread, 0.4)


def _widened(found: Paths, spread: float, wanted: Wanted, rng: np.random.Generator) -> Paths:
    """The solution with draws that vary the reading error and the course of censoring as far as both are unknown."""
    known = (found.plan, found.reading, found.facts)
    drawn = widened_paths(known, found.beliefs, spread, found.beam, wanted.paths, rng) if found.plan.kind.size else None
    return found if drawn is None else replace(found, drawn=drawn)


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
    return drawn_paths(found.plan, found.reading, found.facts, runs, draws, rng) if runs else None


def point_near(found: Paths, centre: Array, spread: Array, drawn: NDArray[np.int32]) -> NDArray[np.int32]:
    """The likeliest path near `centre`, shape (1, k + 1); of the `drawn` ones where the curve denies it."""
    weights = weights_of(found.plan, found.reading, found.facts, found.beliefs[0])
    return _pulled(found.plan, weights, (centre, spread, drawn), found.reading, found.facts, found.beam)
