"""Reconstruction as inference: the hidden integer path behind a curve, its best value and draws from it.

Forward filter and backward sampling over (number at risk, deaths so far, survival), with every printed fact a condition
on the path. The number at risk falls by deaths where the curve drops and by censorings between; survival is the product
of 1 - d / n along the path, and the curve was read with a normal error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.click_noise import disorder_of
from metagrove.survival.evidence.curve_input import DigitizedCurve, Kind
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import CLICK_S, Reading, steps_of
from metagrove.survival.paths.belief_screen import likely_shapes
from metagrove.survival.paths.censoring import Shape
from metagrove.survival.paths.draws import (
    COARSENED,
    SURPLUS,
    Known,
    Sample,
    drawn_paths,
    paths_each,
    samples_of,
    scaled,
    shared_samples,
    widened_paths,
)
from metagrove.survival.paths.large_arms import large_arm, large_draws, large_paths
from metagrove.survival.paths.noise import likely_noise
from metagrove.survival.paths.plan import Plan, plan_of
from metagrove.survival.paths.point import point_of, pulled_point
from metagrove.survival.paths.search import (
    COARSE,
    FLAT,
    HUGE,
    LARGE,
    LONG,
    MANY,
    WIDE,
    Beam,
    Run,
    Tilt,
    Weighed,
    blurred,
    run_of,
    runs_of,
)
from metagrove.survival.paths.weights import weights_of

__all__ = ["Paths", "point_near", "solve", "tilted_draws", "time_decimals"]

#: Paths drawn to find the mean path, whatever number is asked for.
DRAWS = 100
#: Change of the logarithm of the reading error up to which a search under another one is kept.
SETTLED = 0.1
#: Fewest paths drawn to tell how the likelihood changes with the reading error.
FEWEST = 60
#: Patients from whose number on the total of events is met after the paths are drawn.
COUNTED = 3000
#: Standard error of levels that are written in full.
FULL = 1e-7
#: Rounding error of levels in patients from which on it is asked whether they are written in full.
COARSE_ROUNDING = 0.1
#: Digits to which levels are rounded about as often as they are written in full, and log odds by which each digit less is rarer.
WRITTEN, RARER = 3, 5.0
#: Paths drawn for each one kept where they serve only to find the mean path.
FEW = 2


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Solved paths.

    Parameters
    ----------
    plan, reading, facts : what was solved; `facts` may lack one that contradicts the others.
    point : shape (1, k + 1), numbers at risk before each operation and at the end.
    drawn : shape (draws, k + 1), the same for draws, in random order.
    beliefs : shapes of censoring that were weighed, likeliest first. evidence : log likelihood. fallback : what had to be given up to find a path, in words; "" for nothing.
    beam : how wide the search was. later : draws paths, where `drawn` holds none but the point.
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
    later: Callable[[], NDArray[np.int32]] | None = field(default=None, repr=False)

    def some(self, count: int) -> NDArray[np.int32]:
        """The first `count` of the paths drawn, or of those that are drawn now where none have been; shape (paths, k + 1)."""
        return (self.drawn if self.later is None else self.later())[:count]


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


def solve(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator, first: Reading) -> Paths | None:
    """Best path and draws for one arm, or None where no path explains the curve even without the at-risk table.

    The standard error of clicks is estimated along the way. Where nothing fits all facts, the search widens first; then
    the error is doubled; then single facts are left out, and the one that had to go is named in `fallback`.

    Parameters
    ----------
    first : the curve as read, see `steps.steps_of`.
    """
    wanted = Wanted(time_decimals(curve), max(draws, DRAWS), draws > 0)
    facts = replace(facts, counted=facts.n < COUNTED)
    first = _as_written(curve, facts, first, wanted, rng)
    large = _large(curve, facts, first, wanted, rng)
    if large is not None:
        return large
    for rung, (label, sigma, tried, beam) in enumerate(_ladder(curve, facts, first)):
        if rung == 1:
            large = _large(curve, facts, first, wanted, rng, twice=True)
            if large is not None:
                return large
        reading = first if sigma is None and tried is facts else steps_of(curve, tried, sigma=sigma)
        settled = _settled(curve, tried, reading, beam, wanted, rng)
        if settled is None and curve.kind in ("clicks", "digitized") and beam is COARSE:
            # Rows that are not one per drop: some none at all, or places on the curve.
            others: tuple[tuple[Kind, Beam], ...] = (("steps", Beam()), ("steps", WIDE), ("points", Beam()))
            for kind, within in others:
                other = replace(curve, kind=kind)
                settled = _settled(other, tried, steps_of(other, tried), within, wanted, rng)
                if settled is not None:
                    curve = other
                    break
        if settled is not None:
            found, spread = settled if label else _loosened(curve, settled, wanted, rng)
            paths = replace(_finished(found, wanted, rng), fallback=label)
            return _widened(paths, spread, wanted, rng) if wanted.uncertain else paths
    return None


def _as_written(
    curve: DigitizedCurve, facts: Facts, first: Reading, wanted: Wanted, rng: np.random.Generator
) -> Reading:
    """The reading of exact corners with levels as they are written, where these are likelier in full than rounded.

    Levels of 0.9 and 0.8 are products of 1 - d / n as often as rounded ones; one with fewer digits than anybody prints is
    hardly rounded. With totals or numbers at risk, rounded levels are hardly ever products that agree with them.
    """
    if curve.kind != "exact" or first.sigma_s * facts.n < COARSE_ROUNDING:
        return first
    full = steps_of(curve, facts, sigma=FULL)
    known = _settled(curve, facts, full, _usual_beam(full, facts), wanted, rng)
    if known is None:
        return first
    rounded = _settled(curve, facts, first, _usual_beam(first, facts), wanted, rng)
    if rounded is None:
        return full
    gain = known[0].evidence - rounded[0].evidence
    return full if gain + RARER * (WRITTEN - curve.decimals) > 0 else first


def _large(
    curve: DigitizedCurve,
    facts: Facts,
    first: Reading,
    wanted: Wanted,
    rng: np.random.Generator,
    *,
    twice: bool = False,
) -> Paths | None:
    """The paths of an arm whose states follow the normal law, None where they do not; for `twice` see `large_arm`."""
    arm = large_arm(curve, facts, wanted.decimals, rng, twice=twice, first=first)
    if arm is None:
        return None
    beam = _usual_beam(arm.reading, arm.facts)
    found = Paths(arm.plan, arm.reading, arm.facts, arm.point, arm.point, arm.evidence, arm.beliefs, beam=beam)
    if wanted.uncertain:
        drawn = large_draws(arm, wanted.paths, rng)
        if drawn is None:  # the law led every lot astray; a beam keeps too few states, but it keeps some
            drawn = widened_paths((arm.plan, arm.reading, arm.facts), arm.beliefs, arm.spread, FLAT, wanted.paths, rng)
        return None if drawn is None else replace(found, drawn=drawn)
    seed = int(rng.integers(2**62))

    def later() -> NDArray[np.int32]:
        some = large_paths(arm, wanted.paths, np.random.default_rng(seed))
        return arm.point if some is None else some

    return replace(found, later=later)


def _loosened(
    curve: DigitizedCurve, known: tuple[_Search, float], wanted: Wanted, rng: np.random.Generator
) -> tuple[_Search, float]:
    """The solution with rows that may be no drop, where clicks agree only with large errors and it is likelier."""
    found = known[0]
    if curve.kind not in ("clicks", "digitized") or found.reading.sigma_s < 1.5 * CLICK_S:
        return known
    loose: DigitizedCurve = replace(curve, kind="steps")
    settled = _settled(loose, found.facts, steps_of(loose, found.facts), Beam(), wanted, rng)
    if settled is None:
        return known
    other = settled[0]
    gain = other.evidence - found.evidence
    gain += found.reading.level.size * np.log(found.reading.sigma_s)
    gain -= other.reading.level.size * np.log(other.reading.sigma_s)
    return settled if gain > 0 else known


def time_decimals(curve: DigitizedCurve) -> int:
    """Digits after the point with which the times of a curve are written, at most 6."""
    for digits in range(6):
        if np.all(np.abs(curve.time - np.round(curve.time, digits)) < 1e-9):
            return digits
    return 6


def _usual_beam(reading: Reading, facts: Facts) -> Beam:
    """The beam that is tried first."""
    if not facts.risk_time.size and facts.events is None and facts.marks is None and blurred(reading, facts) > 3:
        return FLAT  # any beam that tells levels apart would lose most ways
    return Beam(keep=300, cut=1e-4, bins=0.8) if reading.columns or reading.time.size > 100 else Beam()


def _ladder(curve: DigitizedCurve, facts: Facts, reading: Reading) -> Iterator[tuple[str, float | None, Facts, Beam]]:
    """What to try, in order: label, standard error (None: as read), facts, beam."""
    usual = _usual_beam(reading, facts)
    first = reading.sigma_s
    yield "", None, facts, usual
    if facts.n >= 1000:
        yield "", None, facts, LARGE
    if facts.n >= HUGE:
        yield from _short_ladder(facts, max(2 * first, CLICK_S))
        return
    yield "", None, facts, LONG
    yield "", None, facts, WIDE
    yield "", None, facts, COARSE
    if facts.marks is not None and facts.n < 1000:
        yield "", None, facts, MANY
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
        # A narrow beam finds ways that a wide one, of more states than there is room for, does not.
        yield "censor marks", None, replace(facts, marks=None), usual
        yield "censor marks", None, replace(facts, marks=None), LONG
        yield "censor marks", larger, replace(facts, marks=None), WIDE
    bare = replace(facts, risk_time=facts.risk_time[:0], risk_n=facts.risk_n[:0], marks=None)
    if facts.risk_n.size:
        # A printed table is trusted before a curve that may have been read with larger errors.
        for wider in (2 * larger, 4 * larger):
            yield "reading error", wider, replace(facts, marks=None), WIDE
        yield "numbers at risk", None, bare, usual
        yield "numbers at risk", larger, bare, WIDE
    yield "reading error", max(4 * first, 0.01), bare, WIDE


def _short_ladder(facts: Facts, larger: float) -> Iterator[tuple[str, float | None, Facts, Beam]]:
    """What to try further with thousands of patients, where every search takes its time."""
    if facts.deaths is not None:
        facts = replace(facts, counted=False)
        yield "", None, facts, LARGE
    bare = replace(facts, risk_time=facts.risk_time[:0], risk_n=facts.risk_n[:0], marks=None)
    if facts.marks is not None:
        yield "censor marks", None, replace(facts, marks=None), LARGE
    if facts.risk_n.size:
        yield "numbers at risk", None, bare, LARGE
    yield "reading error", max(2 * larger, 0.01), bare, LARGE


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """Ways through a curve under several beliefs about censoring, before a path is chosen; no samples without steps."""

    plan: Plan
    reading: Reading
    facts: Facts
    beam: Beam
    samples: list[Sample]

    @property
    def known(self) -> Known:
        """Plan, reading and facts."""
        return self.plan, self.reading, self.facts

    @property
    def evidence(self) -> float:
        """Log likelihood of the readings, averaged over beliefs."""
        if not self.samples:
            return 0.0
        return float(np.logaddexp.reduce([s.evidence for s in self.samples]) - np.log(len(self.samples)))

    @property
    def beliefs(self) -> list[Shape]:
        """The beliefs, the likeliest first."""
        return [s.shape for s in sorted(self.samples, key=lambda s: -s.evidence)]


def _settled(
    curve: DigitizedCurve,
    facts: Facts,
    reading: Reading,
    beam: Beam,
    wanted: Wanted,
    rng: np.random.Generator,
) -> tuple[_Search, float] | None:
    """The search of a curve under its likeliest reading error, and how uncertain the logarithm of that error is.

    None where no path is left.

    Parameters
    ----------
    reading : the curve as read, with the error from which the search for the likeliest starts.
    """
    plan = plan_of(reading, facts, wanted.decimals)
    if not plan.kind.size:
        return None if facts.deaths else (_Search(plan, reading, facts, beam, []), 0.0)
    beliefs = likely_shapes(plan, reading, facts)
    total = (SURPLUS if facts.median is not None or facts.rates else FEW) * wanted.paths
    noise = None
    if curve.kind not in ("exact", "trace") and reading.level.size:
        disorder, count = disorder_of(curve, facts.axis, rng), max(paths_each(beliefs, total)[0], FEWEST)
        noise = likely_noise((plan, reading, facts), beliefs[0][1], disorder, beam, count, rng)
    if noise is None:
        found = _searched((plan, reading, facts), beliefs, beam, total, rng)
        return None if found is None else (found, 0.0)
    tries = [noise.sigma, float(np.sqrt(noise.sigma * noise.tried))]
    for error in tries if abs(np.log(noise.sigma / reading.sigma_s)) > SETTLED else []:
        read = scaled(steps_of(curve, facts, sigma=error), noise.left)
        found = _searched((plan_of(read, facts, wanted.decimals), read, facts), beliefs, beam, total, rng)
        if found is not None:
            return found, noise.spread
    read = replace(noise.reading, sigma_s=noise.tried)
    found = _searched((plan, read, facts), beliefs, beam, total, rng, first=noise.sample)
    return None if found is None else (found, noise.spread)


def _searched(
    known: Known,
    beliefs: list[Weighed],
    beam: Beam,
    total: int,
    rng: np.random.Generator,
    *,
    first: Sample | None = None,
) -> _Search | None:
    """The search of one reading, None where no path is left."""
    plan, reading, facts = known
    if not plan.kind.size:
        return None
    samples = samples_of(known, beliefs, beam, total, rng, first=first)
    return _Search(plan, reading, facts, beam, samples) if samples else None


def _finished(found: _Search, wanted: Wanted, rng: np.random.Generator) -> Paths:
    """The paths of a search: the best one and those drawn."""
    plan, reading, facts, beam = found.plan, found.reading, found.facts, found.beam
    if not found.samples:
        only = np.full((1, 1), facts.n, dtype=np.int32)
        return Paths(plan, reading, facts, only, np.repeat(only, wanted.paths, axis=0), 0.0)
    drawn = drawn_paths(found.known, found.samples, wanted.paths, rng)
    best = max(found.samples, key=lambda sample: sample.evidence).weights
    point = point_of(plan, best, drawn, reading, facts, beam)
    return Paths(plan, reading, facts, point, drawn, found.evidence, found.beliefs, beam=beam)


def _widened(found: Paths, spread: float, wanted: Wanted, rng: np.random.Generator) -> Paths:
    """The solution with draws that vary the reading error and the course of censoring as far as both are unknown."""
    known = (found.plan, found.reading, found.facts)
    drawn = widened_paths(known, found.beliefs, spread, found.beam, wanted.paths, rng) if found.plan.kind.size else None
    return found if drawn is None else replace(found, drawn=drawn)


def tilted_draws(found: Paths, tilt: Tilt, draws: int, rng: np.random.Generator) -> NDArray[np.int32] | None:
    """Paths drawn with the log weights of `tilt` besides their own, shape (draws, k + 1); None where none is left."""
    known = found.plan, found.reading, found.facts
    plain = runs_of(found.plan, found.reading, found.facts, found.beam, found.beliefs)
    runs: list[Run] = []
    for run in plain:
        leaning = run_of(found.plan, found.reading, found.facts, run.shape, found.beam, tilt=tilt)
        if not np.isfinite(leaning.evidence):
            leaning = run_of(found.plan, found.reading, found.facts, run.shape, WIDE, tilt=tilt)
        if np.isfinite(leaning.evidence):
            # Between beliefs the curve's own evidence is coarsened, that of the tilt is not.
            runs.append(replace(leaning, evidence=run.evidence + (leaning.evidence - run.evidence) / COARSENED))
    return drawn_paths(known, shared_samples(runs, SURPLUS * draws, rng), draws, rng) if runs else None


def point_near(found: Paths, centre: Array, spread: Array, drawn: NDArray[np.int32]) -> NDArray[np.int32]:
    """The likeliest path near `centre`, shape (1, k + 1); of the `drawn` ones where the curve denies it."""
    weights = weights_of(found.plan, found.reading, found.facts, found.beliefs[0])
    near = centre, spread
    point = pulled_point(found.plan, weights, near, lambda: drawn, found.reading, found.facts, found.beam)
    return drawn[:1] if point is None else point
