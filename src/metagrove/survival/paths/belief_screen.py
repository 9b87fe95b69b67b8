"""Beliefs about censoring that stand a quick screen: by the normal law of the states first, then by passes through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.paths.censoring import Shape, shapes
from metagrove.survival.paths.normal_law import law_evidence
from metagrove.survival.paths.plan import Plan
from metagrove.survival.paths.search import HUGE, Beam, Weighed, blurred, runs_each
from metagrove.survival.paths.weights import VISIBLE

__all__ = ["all_shapes", "evidence_of", "lawful", "likely_shapes"]

#: What finds the evidence of each of several beliefs.
Weigh: TypeAlias = Callable[[Plan, Reading, Facts, list[Shape]], Array]

#: The smallest fall seen as a drop, beside the usual one: what one eye clicks, another passes over.
SEEN = 1.35
#: Beliefs about censoring that are weighed at most, the same with marks, and how far their log evidence may lie behind the best.
MOST, MARKED, FAR = 4, 5, 6.0
#: Beliefs that are gone through where the normal law of the states has put all in order, and the reading error up to which it
#: does not: there single paths tell it all, as do marks.
SIFTED, STEPS, SHARP = 7, 20, 1e-5
#: To tell which beliefs are far behind; where it finds no path, `NARROW` decides.
SCREEN = Beam(keep=80, cut=1e-4, bins=0.7)
NARROW = Beam(keep=80, cut=1e-5, bins=0.5)
#: The same where numbers at risk lead the way: fewer states need be kept for the evidence to order the beliefs as well.
LED = Beam(keep=80, cut=1e-3, bins=0.7)


def likely_shapes(plan: Plan, reading: Reading, facts: Facts, weigh: Weigh | None = None) -> list[Weighed]:
    """The beliefs about censoring that a quick screen leaves standing, with their evidence there, likeliest first.

    Two beliefs or one are not screened where they differ little and the deaths are counted; they come with an evidence of 0.

    Parameters
    ----------
    weigh : what finds their evidence; if left out, `evidence_of`, of those whose normal law has not put them far behind.
    """
    beliefs, blind = all_shapes(reading, facts)
    free = facts.events is None and facts.marks is None and facts.n < HUGE and not reading.sparse
    if len(beliefs) <= 2 and not blind and not free:
        return [(0.0, shape) for shape in beliefs]
    sifted = weigh is None and len(beliefs) > SIFTED and lawful(reading, facts)
    weigh = evidence_of if weigh is None else weigh
    if sifted:
        beliefs = [shape for _, shape in _screened(plan, reading, facts, beliefs, law_evidence)[:SIFTED]] or beliefs
    most = MOST if facts.marks is None else MARKED
    known = _screened(plan, reading, facts, beliefs, weigh)[:most]
    if free:
        # Without the total of deaths the drops alone tell it: either most are single ones, or ties and merged ones abound.
        known += _screened(plan, reading, facts, [replace(shape, single=True) for _, shape in known], weigh)
        known.sort(key=lambda pair: -pair[0])
    kept = [(evidence, shape) for evidence, shape in known if evidence > known[0][0] - FAR]
    return kept[: most if facts.n < HUGE else 2] or [(0.0, shape) for shape in beliefs]


def lawful(reading: Reading, facts: Facts) -> bool:
    """Whether the normal law of the states puts beliefs about censoring in much the same order as the states do."""
    return facts.marks is None and reading.sigma_s > SHARP and reading.level.size >= STEPS


def all_shapes(reading: Reading, facts: Facts) -> tuple[list[Shape], bool]:
    """Every belief about censoring and about how small a drop is seen, and whether the second differ."""
    beliefs = shapes(reading, facts)
    blind = facts.n * VISIBLE > 1 and not reading.columns and reading.sigma_t > 0
    if facts.n >= HUGE:  # each pass costs much, and little tells them apart
        beliefs = beliefs[::3]
    if blind:  # One death may be too small to be seen; then clicks stand for several.
        every = [replace(shape, blind=VISIBLE) for shape in beliefs]
        # The larger size for a few of them: draws vary the course of censoring anyway.
        some = [] if facts.risk_time.size else [replace(shape, blind=SEEN * VISIBLE) for shape in beliefs[::3]]
        beliefs = beliefs + every + some
    return beliefs, blind


def _screened(plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape], weigh: Weigh) -> list[Weighed]:
    """The beliefs with their evidence, best first, but for those under which no path comes through."""
    found = weigh(plan, reading, facts, beliefs) if beliefs else np.zeros(0)
    order = [int(i) for i in np.argsort(-found, kind="stable") if np.isfinite(found[i])]
    return [(float(found[i]), beliefs[i]) for i in order]


def evidence_of(plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape]) -> Array:
    """Log evidence of each belief in a beam that is narrow; minus infinity where no path comes through.

    Where most beliefs come through, those that do not are far behind. Else there are too many states for the beam, and a
    narrower one of finer levels tries those left.
    """
    found = np.full(len(beliefs), -np.inf)
    for beam in (LED if facts.risk_time.size else _screen(reading, facts), NARROW):
        left = np.flatnonzero(~np.isfinite(found)).tolist()
        for i, run in runs_each(plan, reading, facts, [beliefs[i] for i in left], beam, light=True):
            found[left[i]] = run.evidence
        if 2 * int(np.isfinite(found).sum()) >= len(beliefs) or facts.n >= HUGE:
            break
    return found


def _screen(reading: Reading, facts: Facts) -> Beam:
    """The beam in which the evidence of beliefs is compared, where no number at risk leads the way.

    The smaller the fall of one death beside the reading error, the more levels go with each number at risk. A beam that
    tells them apart then drops most of the weight, more so under beliefs that spread it widest: at n = 800 by 10 to 40
    nats. Told apart by up to four errors, they are kept, and the evidence is that of a beam ten times as wide.
    """
    blur = blurred(reading, facts)
    return SCREEN if blur < 1 else Beam(keep=200, cut=1e-5, bins=min(blur, 4.0))
