"""Arms in which one death lies below the reading error: the same inference with the normal law of their states."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from metagrove.survival.evidence.click_noise import disorder_of
from metagrove.survival.evidence.curve_input import DigitizedCurve
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading, steps_of
from metagrove.survival.paths.belief_screen import likely_shapes
from metagrove.survival.paths.censoring import Shape
from metagrove.survival.paths.censoring_trends import drawn_shapes
from metagrove.survival.paths.draws import (
    SURPLUS,
    VARIANTS,
    coarsened,
    corrected_paths,
    drawn_errors,
    evidence_power,
    picked,
    scaled,
)
from metagrove.survival.paths.normal_law import Law, law_errors, law_evidence, law_of, lots_of
from metagrove.survival.paths.plan import Plan, plan_of
from metagrove.survival.paths.point import point_of, pulled_point
from metagrove.survival.paths.search import Beam, blurred, weights_kept

__all__ = ["LargeArm", "large_arm", "large_draws", "large_paths"]

#: How many deaths' falls a reading error must blur (see `search.blurred`) for the law to take the place of states.
LAWFUL = 1.5
#: The same once the error has been estimated, and how many times the usual error that may be before the printed facts are
#: thought to contradict the curve.
STILL, FURTHEST = 1.0, 3.0
#: Change of the logarithm of the reading error up to which the steps are kept.
SETTLED = 0.1
#: Beam of the pass that finds the point.
NEAR_LAW = Beam(keep=200, cut=1e-4, bins=0.8)
#: How near to the mean of the laws the point is held at least, in patients, and otherwise, in standard deviations: loosely,
#: because where single drops can be told apart the law knows less than the path.
LEAST, TIMES = 1.0, 2.0
#: States kept by lot in a pass of which paths are drawn, and in another try where none came through.
KEEP, MORE = 40, 160
#: Courses of censoring and reading errors of which draws are made, and paths drawn for each one kept.
COURSES, SPARE = 16, 4
#: Courses, and states kept by lot, where numbers at risk lead the way and leave little to choose between.
LED = (10, 32)
#: Paths drawn where no draws are asked for, to say what is open.
SEEN = 40


@dataclass(frozen=True, slots=True, eq=False)
class LargeArm:
    """An arm whose states follow the normal law.

    Parameters
    ----------
    plan, reading, facts : what was solved. laws : under the beliefs about censoring, likeliest first. spread : uncertainty of
        the logarithm of the reading error.
    point : shape (1, k + 1), the likeliest path, once it has been found.
    """

    plan: Plan
    reading: Reading
    facts: Facts
    laws: list[Law]
    spread: float
    point: NDArray[np.int32] = field(default_factory=lambda: np.zeros((1, 1), np.int32))

    @property
    def beliefs(self) -> list[Shape]:
        """The beliefs about censoring, likeliest first."""
        return [law.shape for law in self.laws]

    @property
    def evidence(self) -> float:
        """Log likelihood of the readings, averaged over beliefs."""
        return float(np.logaddexp.reduce([law.evidence for law in self.laws]) - np.log(len(self.laws)))


def large_arm(
    curve: DigitizedCurve,
    facts: Facts,
    decimals: int,
    rng: np.random.Generator,
    *,
    twice: bool = False,
    first: Reading | None = None,
) -> LargeArm | None:
    """The arm by the normal law; None where single deaths can be seen, or no path comes through.

    Parameters
    ----------
    twice : whether clicks are taken for twice as far off as usual to begin with; then it is less sure, too, on which side of
        a number at risk a drop lies.
    first : the curve as read, where it has been.
    """
    reading = steps_of(curve, facts) if first is None else first
    if not reading.level.size or blurred(reading, facts) < LAWFUL or (twice and reading.sigma_t <= 0):
        return None
    if twice:
        reading = steps_of(curve, facts, sigma=2 * reading.sigma_s)
    return _read_as(curve, facts, reading, decimals, rng)


def _read_as(
    curve: DigitizedCurve, facts: Facts, reading: Reading, decimals: int, rng: np.random.Generator
) -> LargeArm | None:
    """The arm by the normal law from a reading of its curve, whose error is where the search for the likeliest begins."""
    plan = plan_of(reading, facts, decimals)
    beliefs = likely_shapes(plan, reading, facts, law_evidence)
    spread = 0.0
    if not np.isfinite(beliefs[0][0]):
        return None
    if curve.kind != "trace":
        known = plan, reading, facts
        settled = _settled(curve, known, beliefs[0][1], decimals, rng)
        if settled is None:
            return None
        plan, reading, spread = settled
    laws = [law_of(plan, reading, facts, shape) for _, shape in beliefs]
    laws = sorted((law for law in laws if np.isfinite(law.evidence)), key=lambda law: -law.evidence)
    return _pointed(LargeArm(plan, reading, facts, laws, spread), rng) if laws else None


def _settled(
    curve: DigitizedCurve,
    known: tuple[Plan, Reading, Facts],
    belief: Shape,
    decimals: int,
    rng: np.random.Generator,
) -> tuple[Plan, Reading, float] | None:
    """Plan and reading under the likeliest reading error, and the spread of its logarithm; None where it is not to be believed."""
    plan, reading, facts = known
    disorder = disorder_of(curve, facts.axis, rng)

    @cache
    def shown(error: float) -> tuple[float, float]:
        return disorder.shown(error) if disorder else (0.0, 1.0)

    sigma, left, spread = law_errors(known, belief, shown)
    if sigma > FURTHEST * reading.sigma_s:
        return None  # what is printed contradicts the curve, as far as the law tells
    if abs(np.log(sigma / reading.sigma_s)) > SETTLED:
        reading = scaled(steps_of(curve, facts, sigma=sigma), left)
        plan = plan_of(reading, facts, decimals)
    else:
        factor = left * sigma / reading.usual_error
        reading = replace(scaled(reading, factor), sigma_s=sigma)
    return None if blurred(reading, facts) < STILL else (plan, reading, spread)


def _pointed(arm: LargeArm, rng: np.random.Generator) -> LargeArm | None:
    """The arm with its likeliest path near the mean of its laws; None where none is found."""
    plan, reading, facts, laws = arm.plan, arm.reading, arm.facts, arm.laws
    weights = weights_kept(plan, reading, facts, laws[0].shape)
    if facts.median is not None or facts.rates:
        drawn = large_paths(arm, SURPLUS * SEEN, rng)
        return None if drawn is None else replace(arm, point=point_of(plan, weights, drawn, reading, facts, NEAR_LAW))
    share = coarsened(np.array([law.evidence for law in laws]))[:, None]
    means = np.array([law.law[1:, 0, 0] for law in laws])
    mean = (share * means).sum(axis=0)
    square = (share * (np.array([law.law[1:, 1, 0] for law in laws]) + means**2)).sum(axis=0)
    spread = np.maximum(LEAST, TIMES * np.sqrt(np.maximum(square - mean**2, 0.0)))
    # A normal law knows no bounds: where many leave at once it lets the number at risk rise again.
    within = np.maximum(np.minimum.accumulate(np.minimum(mean, facts.n)), plan.low)
    near = within, np.maximum(spread, np.abs(within - mean))
    point = pulled_point(
        plan,
        weights,
        near,
        lambda: large_paths(arm, SEEN, rng),
        reading,
        facts,
        NEAR_LAW,
        enough=reading.level.size / 2,
    )
    return None if point is None else replace(arm, point=point)


def large_paths(arm: LargeArm, count: int, rng: np.random.Generator) -> NDArray[np.int32] | None:
    """Some `count` paths under the beliefs and the reading error as they stand, shape (paths, k + 1); None where none comes through."""
    share = coarsened(np.array([law.evidence for law in arm.laws]))
    counts = np.round(share * count).astype(np.int64).tolist()
    pairs, kept = [], []
    for law, some, part in zip(arm.laws, counts, share.tolist(), strict=True):
        found = lots_of(law, arm.reading, arm.facts, KEEP, some, rng) if some else None
        if found is not None:
            pairs.append(found[:2])
            kept.append(part)
    if not pairs:
        return None
    least = min(SEEN, sum(gain.size for _, gain in pairs))
    return corrected_paths((arm.plan, arm.reading, arm.facts), pairs, np.array(kept), least, rng)


def large_draws(arm: LargeArm, draws: int, rng: np.random.Generator) -> NDArray[np.int32] | None:
    """Paths that vary the reading error and the course of censoring as far as both are unknown, shape (draws, k + 1)."""
    plan, reading, facts = arm.plan, arm.reading, arm.facts
    known = plan, reading, facts
    shapes = [*arm.beliefs, *drawn_shapes(arm.beliefs, reading, facts, VARIANTS, rng)]
    # Draws err as much as the clicks did before they were brought to order, or the area under the curve would be too sure.
    usual = reading.sigma_s / reading.usual_error if arm.spread > 0 else 1.0
    evidence = law_evidence(plan, reading, facts, shapes)
    evidence[~np.isfinite(evidence)] = -np.inf
    if not np.isfinite(evidence).any():
        return None
    courses, keep = LED if facts.risk_time.size else (COURSES, KEEP)
    places = picked(evidence, evidence_power(facts), courses, rng)
    errors = drawn_errors(known, (arm.spread, float(np.log(usual))), courses, rng)
    count = -(-(SURPLUS if facts.median is not None or facts.rates else SPARE) * draws // courses)
    pairs, more = [], []
    for i, read in zip(places, errors, strict=True):
        law = law_of(plan, read, facts, shapes[i], rng)
        found = lots_of(law, read, facts, keep, count, rng) or lots_of(law, read, facts, MORE, count, rng)
        if found is not None:
            pairs.append(found[:2])
            more.append(found[2] - law.evidence)
    # The law's evidence has picked the courses; what it had wrong is made up.
    share = coarsened(np.array(more), evidence_power(facts)) if pairs else np.zeros(0)
    return corrected_paths(known, pairs, share, draws, rng) if pairs else None
