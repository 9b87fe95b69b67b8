"""The screen of beliefs about censoring: quick, and no belief that the states hold for likely is lost in it."""

from dataclasses import replace

import numpy as np
import pytest

from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.evidence.printed_facts import printed_facts
from metagrove.survival.evidence.steps import steps_of
from metagrove.survival.paths import belief_screen
from metagrove.survival.paths.belief_screen import FAR, MOST, all_shapes, evidence_of, likely_shapes
from metagrove.survival.paths.plan import plan_of
from metagrove.survival.paths.weights import weights_each, weights_of


def problem(n, seed, *, trace=False, marks=False):
    """Plan, reading and facts of clicks (or a trace) on the curve of n simulated patients, nothing but n known."""
    rng = np.random.default_rng(seed)
    died, left = rng.weibull(1.2, n) * 14, rng.uniform(2, 30, n)
    time, event = np.minimum(died, left), died <= left
    drops = np.sort(time[event])
    level = np.cumprod([1 - 1 / np.sum(time >= t) for t in drops])
    if trace:
        at = np.arange(0, time.max(), time.max() / 400)
        seen = np.concatenate(([1.0], level))[np.searchsorted(drops, at, side="right")]
        rows = np.column_stack([at, np.round(600 * seen + 0.4 * rng.standard_normal(at.size)) / 600])
    else:
        level = level + 0.001 * rng.standard_normal(drops.size)
        rows = np.column_stack([np.r_[0, drops, time.max()], np.r_[1, level, level[-1]]])
    curve = digitized_curve(rows)
    given = np.sort(time[~event]) if marks else None
    facts = printed_facts(curve, None, n=n, events=None, marks=given, median=None, rates=None, axis=None)
    reading = steps_of(curve, facts)
    return plan_of(reading, facts), reading, facts


@pytest.mark.parametrize(("n", "seed", "trace"), [(50, 1, False), (120, 2, False), (80, 3, True)])
def test_the_likeliest_belief_comes_through_the_normal_law(n, seed, trace):
    plan, reading, facts = problem(n, seed, trace=trace)
    every = all_shapes(reading, facts)[0]
    every = every + [replace(shape, single=True) for shape in every]
    evidence = evidence_of(plan, reading, facts, every)
    kept = likely_shapes(plan, reading, facts)
    assert 1 <= len(kept) <= MOST
    assert kept[0][0] > evidence.max() - 0.7
    assert all(kept[0][0] - e < FAR for e, _ in kept)
    told = {(shape.name, shape.single): e for e, shape in zip(evidence, every, strict=True)}
    assert all(e == pytest.approx(told[shape.name, shape.single], abs=1e-6) for e, shape in kept)


def test_few_beliefs_are_gone_through(monkeypatch):
    plan, reading, facts = problem(60, 5)
    gone = []

    def counted(plan, reading, facts, beliefs):
        gone.extend(beliefs)
        return evidence_of(plan, reading, facts, beliefs)

    monkeypatch.setattr(belief_screen, "evidence_of", counted)
    likely_shapes(plan, reading, facts)
    assert len(gone) <= belief_screen.SIFTED + MOST < len(all_shapes(reading, facts)[0])


@pytest.mark.parametrize(("trace", "marks"), [(False, False), (True, False), (False, True)])
def test_weights_of_all_beliefs_at_once_are_those_of_each(trace, marks):
    plan, reading, facts = problem(70, 6, trace=trace, marks=marks)
    beliefs = all_shapes(reading, facts)[0]
    beliefs = [replace(shape, single=i % 2 == 0, blind=0.002 * (i % 3)) for i, shape in enumerate(beliefs)]
    for shape, together in zip(beliefs, weights_each(plan, reading, facts, beliefs), strict=True):
        alone = weights_of(plan, reading, facts, shape)
        for name in ("a", "b", "c", "hazard", "mass", "dying", "staying", "count", "seen"):
            assert np.array_equal(getattr(together, name), getattr(alone, name)), name
