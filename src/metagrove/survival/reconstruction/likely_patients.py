"""One arm as inferred: the solved paths, and the patients of its point and of its draws."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.curve_input import DigitizedCurve
from metagrove.survival.evidence.lattice import Lattice
from metagrove.survival.evidence.printed_facts import Contradiction, Facts
from metagrove.survival.evidence.steps import CLICK_S, CLICK_T, steps_of
from metagrove.survival.paths.leaving_order import in_order
from metagrove.survival.paths.patients import patients_of
from metagrove.survival.paths.solution import Paths, solve
from metagrove.survival.reconstruction.conflicts import conflicts, left_out, open_stretches
from metagrove.survival.reconstruction.guyot import guyot_patients
from metagrove.survival.reconstruction.papers import GODSILL, PATHS
from metagrove.survival.reconstruction.rebuilt import Draws, Guess, LaterGuesses, RebuiltPatients

__all__ = [
    "SEEN",
    "THOUSANDS",
    "SolvedArm",
    "likeliest_arm",
    "rebuilt_arm",
    "solved_arm",
    "thinned_arm",
    "unexplained",
    "with_total",
]

#: Patients that a path is followed for at most where there are thousands, and from how many on there are.
THINNED, THOUSANDS = 1000, 3000
#: Patient sets that are drawn at least, to say what is open.
SEEN = 40


@dataclass(frozen=True, slots=True, eq=False)
class SolvedArm:
    """The paths of one arm and the grid its times lie on; `known` are the contradictions among what was printed."""

    curve: DigitizedCurve
    facts: Facts
    paths: Paths
    lattice: Lattice | None
    known: tuple[Contradiction, ...]

    def point(self, path: NDArray[np.int32] | None = None) -> tuple[Array, NDArray[np.bool_]]:
        """The patients of a path at their likeliest times, shape (n,) each; without a path, of the likeliest one."""
        p = self.paths
        time, event = patients_of(p.plan, p.reading, p.facts, p.point if path is None else path, lattice=self.lattice)
        event = self._counted(time, event)
        return time[0], event[0]

    def guesses(self, draws: int, seed: int) -> tuple[Guess, ...]:
        """What is left open, as the first `draws` of the paths drawn tell."""
        sets = self.sets(self.paths.some(draws), np.random.default_rng(seed))
        return open_stretches(self.facts, sets, self.curve.end)

    def sets(self, drawn: NDArray[np.int32], rng: np.random.Generator) -> Draws:
        """Patients of drawn paths, their times drawn too."""
        p = self.paths
        time, event = patients_of(p.plan, p.reading, p.facts, drawn, rng, lattice=self.lattice)
        return Draws(time, self._counted(time, event))

    def _counted(self, time: Array, event: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The flags with the printed number of events in every row; see `with_total`."""
        total = self.paths.facts.events
        return event if total is None or self.paths.facts.counted else with_total(time, event, total)


def with_total(time: Array, event: NDArray[np.bool_], total: int) -> NDArray[np.bool_]:
    """Flags with `total` events in each row: those too few or too many are taken evenly over the follow-up.

    Parameters
    ----------
    time, event : shape (rows, n), sorted. One of thousands of patients more or less is far below the error of any reading,
        so the number of deaths is no condition on their path.
    """
    event = event.copy()
    for when, row in zip(time, event, strict=True):
        more = total - int(row.sum())
        pool = np.flatnonzero(row != (more > 0))
        # Those followed to the end are the last that may have died.
        pool = pool[np.argsort(when[pool] >= when[-1], kind="stable")]
        early = int(np.sum(when[pool] < when[-1])) if abs(more) <= int(np.sum(when[pool] < when[-1])) else pool.size
        row[pool[((np.arange(abs(more)) + 0.5) * early / max(abs(more), 1)).astype(np.int64)]] = more > 0
    return event


def thinned_arm(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator) -> RebuiltPatients | None:
    """The patients of an arm of thousands, from a path on which each step stands for several; None where none is found.

    A curve is the same for twice as many patients, and single ones lie far below the error of any reading. What is left of
    the totals and of the numbers at risk is made up by patients evenly taken.
    """
    block = -(-facts.n // THINNED)
    deaths = None if facts.events is None else min(round(facts.events / block), facts.n // block)
    fewer = replace(facts, n=facts.n // block, events=deaths, risk_n=facts.risk_n // block, marks=None)
    arm = solved_arm(curve, fewer, draws, rng)
    if arm is None:
        return None
    small = arm.sets(arm.paths.some(max(draws, SEEN)), rng)
    sets, one = _thickened(small.time, small.event, facts, block, curve.end), arm.point()
    point = _thickened(one[0][None], one[1][None], facts, block, curve.end)
    whole = replace(arm, facts=facts, known=conflicts(curve, facts))
    found = rebuilt_arm(whole, (point.time[0], point.event[0]), sets, draws)
    marks = "; the censor marks are not used" if facts.marks is not None else ""
    return replace(found, notes=(*found.notes, f"each step of the path stands for {block} patients{marks}"))


def _thickened(time: Array, event: NDArray[np.bool_], facts: Facts, block: int, end: float) -> Draws:
    """`block` patients for each, and the few that are left, with the printed total and numbers at risk."""
    rest = facts.n - block * time.shape[1]
    order = np.sort(
        np.concatenate(
            (np.repeat(np.arange(time.shape[1]), block), np.linspace(0, time.shape[1] - 1, rest).astype(np.int64))
        )
    )
    event = event[:, order]
    time = in_order(time[:, order], event, facts, end)
    again = np.argsort(time, axis=1, kind="stable")
    time, event = np.take_along_axis(time, again, axis=1), np.take_along_axis(event, again, axis=1)
    return Draws(time, event if facts.events is None else with_total(time, event, facts.events))


def solved_arm(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator) -> SolvedArm | None:
    """The paths of one arm, None where no patients explain curve and totals together."""
    first = steps_of(curve, facts)
    paths = solve(curve, facts, draws, rng, first)
    if paths is None:
        return None
    sigma = None
    if not paths.fallback and paths.reading.sigma_t > 0:
        # A path that meets every fact was found: up to twice the usual error, the clicks were off and nothing contradicts.
        sigma = min(max(paths.reading.sigma_s, CLICK_S), 2 * CLICK_S)
    return SolvedArm(curve, facts, paths, paths.plan.lattice, conflicts(curve, facts, sigma=sigma, first=first))


def likeliest_arm(arm: SolvedArm, draws: int, rng: np.random.Generator) -> RebuiltPatients:
    """The arm's likeliest patients and `draws` of its sets."""
    if draws:
        return rebuilt_arm(arm, arm.point(), arm.sets(arm.paths.drawn[: max(draws, SEEN)], rng), draws)
    seed = int(rng.integers(2**62))
    return _rebuilt(arm, arm.point(), None, LaterGuesses(lambda: arm.guesses(SEEN, seed)))


def rebuilt_arm(arm: SolvedArm, point: tuple[Array, NDArray[np.bool_]], sets: Draws, draws: int) -> RebuiltPatients:
    """The arm's point and the first `draws` of its sets, with what contradicts and what is open."""
    sampled = Draws(sets.time[:draws], sets.event[:draws]) if draws else None
    return _rebuilt(arm, point, sampled, LaterGuesses(lambda: open_stretches(arm.facts, sets, arm.curve.end)))


def _rebuilt(
    arm: SolvedArm, point: tuple[Array, NDArray[np.bool_]], sampled: Draws | None, guesses: LaterGuesses
) -> RebuiltPatients:
    notes = arm.curve.notes
    if arm.lattice is not None:
        notes = (*notes, f"times were recognised as {arm.lattice.name}")
    if arm.facts.events is not None and not arm.paths.facts.counted:
        notes = (*notes, "too many patients for their path to be counted: the number of events was met afterwards")
    return RebuiltPatients(
        point[0],
        point[1],
        "likelihood",
        (PATHS, GODSILL),
        arm.curve,
        arm.facts,
        sampled=sampled,
        sigma=arm.paths.reading.sigma_s,
        contradictions=left_out(arm.paths.fallback, arm.facts, arm.known),
        guesses=guesses,
        notes=notes,
        lattice=arm.lattice,
    )


def unexplained(curve: DigitizedCurve, facts: Facts, draws: int, rng: np.random.Generator) -> RebuiltPatients:
    """The iterative answer where no patients explain curve and totals together, and that they contradict.

    Draws keep patients and events; their times scatter about the curve.
    """
    time, event = guyot_patients(curve, facts, bounded=True)
    text = "no patients explain curve and totals together"
    known = (*conflicts(curve, facts), Contradiction(("curve", "n", "events"), text))
    sets = [_scattered(curve, facts, rng) for _ in range(draws)]
    sampled = Draws(np.array([x[0] for x in sets]), np.array([x[1] for x in sets])) if sets else None
    return RebuiltPatients(time, event, "likelihood", (PATHS,), curve, facts, sampled=sampled, contradictions=known)


def _scattered(curve: DigitizedCurve, facts: Facts, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Patients whose chances to have died follow the curve, one from each nth of it; the printed events hold."""
    at = 1 - (np.arange(facts.n) + rng.random(facts.n)) / facts.n
    level = np.minimum.accumulate(curve.survival)
    place = np.searchsorted(-level, -at, side="left")
    event = place < level.size
    last = np.maximum(curve.end - rng.exponential(0.05 * curve.end, facts.n) * (rng.random(facts.n) < 0.5), 0.0)
    seen = curve.time[np.minimum(place, level.size - 1)]
    if curve.kind != "exact":
        seen = seen + CLICK_T * facts.axis * rng.standard_normal(facts.n)
    time = np.where(event, seen, last)
    if facts.events is not None:
        extra = int(event.sum()) - facts.events
        pick = rng.permutation(np.flatnonzero(event if extra > 0 else ~event))[: abs(extra)]
        event[pick] = extra < 0
    time = np.clip(time, 1e-4 * curve.end, curve.end)
    order = np.lexsort((~event, time))
    return time[order], event[order]
