"""Paths of arms in which one death lies below the reading error, by the normal law of their states.

There a beam of single states keeps a small part of those that are as good, and its draws are too sure of themselves; the
law has a mean and a covariance in their place, at a hundredth of the time.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.reading_error import ERRORS, Shown, error_mode
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.passes.tables import LOW, A, B
from metagrove.survival.paths.censoring import Shape
from metagrove.survival.paths.plan import FORCE, LOOK, Plan
from metagrove.survival.paths.search import Beam, limits_of, operations_each, operations_of, weights_all, weights_kept

__all__ = ["Law", "law_errors", "law_evidence", "law_of", "lots_of"]


#: Beam of passes that draw lots: paths that are unlikely so far may be the ones that all that follows asks for.
LOTS = Beam(cut=1e-5, bins=0.8)
#: Room for states to begin with, for each operation; standard deviations below the law's mean at which no state is looked for.
ROOM, FAR = 200, 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """The normal law of the states under one belief about censoring.

    Parameters
    ----------
    shape : the belief. evidence : log likelihood of the readings, its prior included. rows : the operations, each number at risk
        at one place. law, outlook : shape (k + 1, 4, 3), see normal_states.normal_paths.
    """

    shape: Shape
    evidence: float
    rows: Array
    law: Array
    outlook: Array


def _bounds(reading: Reading, facts: Facts) -> tuple[int, int, bool]:
    return facts.n, -1 if facts.deaths is None else facts.deaths, reading.ends_at_zero


def law_evidence(plan: Plan, reading: Reading, facts: Facts, beliefs: list[Shape]) -> Array:
    """Log evidence of each belief under the normal law, its prior included."""
    from metagrove.survival.passes.normal_states import normal_evidence

    tables = operations_each(plan, weights_all(plan, reading, facts, beliefs))
    prior = np.array([shape.prior for shape in beliefs])
    return np.asarray(normal_evidence(tables, *_bounds(reading, facts)) + prior)


def law_of(plan: Plan, reading: Reading, facts: Facts, shape: Shape, rng: np.random.Generator | None = None) -> Law:
    """The law under one belief; numbers at risk at their likeliest place, or with `rng` at a drawn one."""
    from metagrove.survival.passes.normal_states import normal_paths

    rows = operations_of(plan, weights_kept(plan, reading, facts, shape))
    if facts.risk_time.size:
        rows = _placed(plan, rows, rng)
    evidence, law, outlook = normal_paths(rows, *_bounds(reading, facts))
    return Law(shape, evidence + shape.prior, rows, law, outlook)


def _placed(plan: Plan, rows: Array, rng: np.random.Generator | None) -> Array:
    """The operations with every number at risk at one of its places; at the others there is none."""
    rows = rows.copy()
    looks: list[int] = []
    for o in np.flatnonzero((plan.kind == LOOK) | (plan.kind == FORCE)).tolist():
        if plan.kind[o] == LOOK:
            looks.append(o)
            continue
        weight = rows[looks, B].tolist()
        place = weight.index(max(weight))
        if rng is not None:
            load = list(accumulate(weight))
            place = min(bisect_right(load, load[-1] * rng.random()), len(looks) - 1)
        rows[looks[:place] + looks[place + 1 :], A] = -1.0
        rows[looks[place], B] = 1.0
        looks = []
    return rows


def law_errors(known: tuple[Plan, Reading, Facts], belief: Shape, shown: Shown) -> tuple[float, float, float]:
    """The likeliest reading error, the share of it left in readings brought to order, and the spread of its logarithm.

    As `noise.likely_noise`, the likelihood of each error by the normal law.
    """
    from metagrove.survival.passes.normal_states import normal_evidence

    plan, reading, facts = known
    usual = reading.usual_error

    def likelihood(error: float) -> float:
        tried = replace(reading, error=reading.error * (error / usual))
        rows = operations_of(plan, weights_kept(plan, tried, facts, belief))
        evidence = float(normal_evidence([rows], *_bounds(reading, facts))[0])
        return evidence - reading.level.size * float(np.log(error))

    return error_mode(likelihood, shown, float(np.clip(reading.sigma_s, *ERRORS)))


def lots_of(
    law: Law, reading: Reading, facts: Facts, keep: int, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], Array, float] | None:
    """`count` paths from a pass that keeps some `keep` states by the law's outlook, their gains, and the evidence of the pass.

    None where no path comes through. Paths have shape (count, k + 1); for the gains see drawing.sampled_gains.
    """
    from metagrove.survival.passes.drawing import sampled_gains
    from metagrove.survival.passes.forward_pass import forward

    rows = _with_outlook(law, rng)
    limits = limits_of(reading, facts, replace(LOTS, keep=keep), len(rows), peak=False)
    room = ROOM * len(rows)
    passed = forward(rows, limits._replace(nodes=room, edges=room, bits=13))
    if passed[4] != len(rows):
        return None
    paths, gain, _ = sampled_gains(passed[0], passed[1], passed[2], rows, count, int(rng.integers(2**62)))
    return paths, gain, float(passed[3]) + law.shape.prior


def _with_outlook(law: Law, rng: np.random.Generator) -> Array:
    """The operations of a law with what it expects of all that follows, shape (k, 29); see tables.OUTLOOK."""
    look = law.outlook[1:]
    own = law.rows.copy()
    far = law.law[1:, 0, 0] - FAR * np.sqrt(np.maximum(law.law[1:, 1, 0], 0.0)) - 3.0
    own[:, LOW] = np.maximum(own[:, LOW], np.floor(far))
    parts = (own, law.law[1:, 0], look[:, 0], look[:, 1], look[:, 2, 1:], look[:, 3, 2:])
    return np.concatenate((*parts, np.full((len(look), 1), rng.random())), axis=1)
