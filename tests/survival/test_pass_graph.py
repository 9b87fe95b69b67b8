"""States of one pass under other weights, and the reading error that they tell: what passes of their own say, for less."""

from dataclasses import replace

import numpy as np
import pytest

from metagrove.survival.evidence.click_kernels import disturbed
from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.evidence.printed_facts import printed_facts
from metagrove.survival.evidence.reading_error import PRIOR_READINGS, RATIO
from metagrove.survival.evidence.steps import CLICK_S, steps_of
from metagrove.survival.passes import tables
from metagrove.survival.passes.drawing import sampled_gains
from metagrove.survival.passes.graph import Graph
from metagrove.survival.paths.censoring import shapes
from metagrove.survival.paths.censoring_trends import drawn_shapes
from metagrove.survival.paths.draws import scaled
from metagrove.survival.paths.noise import likely_noise
from metagrove.survival.paths.plan import plan_of
from metagrove.survival.paths.search import Beam, operations_of, run_of, weights_kept

BROAD = Beam(keep=600, cut=1e-7, bins=0.4)


def problem(*, marks=False, events=True, n=90, seed=2):
    """Plan, reading, facts and beliefs of clicks on the curve of simulated patients, with numbers at risk."""
    rng = np.random.default_rng(seed)
    died, left = rng.weibull(1.1, n) * 14, rng.uniform(4, 30, n)
    time, event = np.minimum(died, left), died <= left
    drops = np.sort(time[event])
    level = np.cumprod([1 - 1 / np.sum(time >= t) for t in drops]) + 0.001 * rng.standard_normal(drops.size)
    curve = digitized_curve(np.column_stack([np.r_[0, drops, time.max()], np.r_[1, level, level[-1]]]))
    risk = [(t, int(np.sum(time >= t))) for t in np.arange(0, time.max(), 6)]
    marked = np.sort(time[~event]) if marks else None
    facts = printed_facts(
        curve, risk, n=n, events=int(event.sum()) if events else None, marks=marked, median=None, rates=None, axis=None
    )
    reading = steps_of(curve, facts, sigma=0.002)
    return plan_of(reading, facts), reading, facts, shapes(reading, facts)


def graph_of(plan, reading, facts, shape):
    run = run_of(plan, reading, facts, shape, BROAD)
    return run, Graph(run.passed, run.operations, -1 if facts.events is None else facts.events)


@pytest.mark.parametrize("marks", [False, True])
@pytest.mark.parametrize("events", [False, True])
def test_a_graph_tells_the_evidence_of_its_own_pass_and_of_beliefs_nearby(marks, events):
    plan, reading, facts, beliefs = problem(marks=marks, events=events)
    run, graph = graph_of(plan, reading, facts, beliefs[0])
    assert graph.evidence(run.operations) == pytest.approx(run.evidence - beliefs[0].prior, abs=0.02)
    others = drawn_shapes(beliefs, reading, facts, 8, np.random.default_rng(1))
    near = [replace(beliefs[0], cut=True), *others] if marks else others
    for shape in near:
        told = graph.evidence(operations_of(plan, weights_kept(plan, reading, facts, shape))) + shape.prior
        own = run_of(plan, reading, facts, shape, BROAD).evidence
        assert told == pytest.approx(own, abs=0.7), shape.name  # a tenth of what sets beliefs apart


@pytest.mark.parametrize("marks", [False, True])
def test_only_states_that_lead_to_an_allowed_end_are_weighed(marks):
    plan, reading, facts, beliefs = problem(marks=marks)
    run, graph = graph_of(plan, reading, facts, beliefs[0])
    order, _, links, _ = graph.parts
    spots, made = graph.firsts
    assert spots[-1] < 0.5 * run.passed[2][-1]
    assert np.isfinite(graph.evidence(run.operations))
    # Whatever is kept is left again: by an edge, into a gap, or down a gap to one patient less.
    whole, gap = run.passed[0].whole, run.operations[:, tables.KIND] == tables.CENSOR
    layers = [order[spots[o] : spots[o + 1]] for o in range(gap.size)]
    for o, layer in enumerate(layers[:-1]):
        left = whole[layers[o + 1], tables.FIRST] if gap[o + 1] else links[made[o + 1] : made[o + 2], 0]
        down = whole[layer, tables.UP] if gap[o] else []
        assert set(layer.tolist()) <= {*left.tolist(), *map(int, down)}


def test_another_reading_error_on_the_same_states():
    plan, reading, facts, beliefs = problem()
    _, graph = graph_of(plan, reading, facts, beliefs[0])
    for factor in (0.85, 1.2, 1.0):
        read = scaled(reading, factor)
        told = graph.evidence(operations_of(plan, weights_kept(plan, read, facts, beliefs[0])))
        assert told == pytest.approx(run_of(plan, read, facts, beliefs[0], BROAD).evidence, abs=0.15)


def test_paths_of_a_graph_are_those_of_a_pass_of_their_own():
    plan, reading, facts, beliefs = problem()
    _, graph = graph_of(plan, reading, facts, beliefs[0])
    other = drawn_shapes(beliefs, reading, facts, 1, np.random.default_rng(5))[0]
    run = run_of(plan, reading, facts, other, BROAD)
    assert np.isfinite(graph.evidence(run.operations))
    ours = graph.sampled(run.operations, 2000, 1)[0].astype(float)
    theirs = sampled_gains(*run.passed[:3], run.operations, 2000, 2)[0].astype(float)
    assert np.all(ours[:, 0] == facts.n) and np.all(np.diff(ours, axis=1) <= 0)
    error = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / 2000)
    assert np.all(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 5 * error + 0.05)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.7])
def test_the_mode_is_that_of_the_evidence_of_passes_at_many_errors(factor):
    plan, reading, facts, beliefs = problem()
    noise = likely_noise((plan, reading, facts), beliefs[0], None, BROAD, 400, np.random.default_rng(1))
    # The same readings, the search begun elsewhere.
    begun = replace(scaled(reading, factor), sigma_s=factor * reading.sigma_s)
    again = likely_noise((plan, begun, facts), beliefs[0], None, BROAD, 400, np.random.default_rng(1))
    errors = 0.002 * np.exp(np.linspace(-1.2, 0.6, 37))

    def score(sigma):
        seen = run_of(plan, scaled(reading, sigma / reading.sigma_s), facts, beliefs[0], BROAD, light=True).evidence
        return (
            seen - (reading.level.size + PRIOR_READINGS) * np.log(sigma) - PRIOR_READINGS / 2 * (CLICK_S / sigma) ** 2
        )

    best = errors[int(np.argmax([score(sigma) for sigma in errors]))]
    assert noise.sigma == pytest.approx(best, rel=0.08)
    assert again.sigma == pytest.approx(best, rel=0.08)
    bend = -(score(1.2 * best) + score(best / 1.2) - 2 * score(best)) / np.log(1.2) ** 2
    assert noise.spread == pytest.approx(1 / np.sqrt(bend), rel=0.25)


def test_the_error_is_not_stretched_until_contradictory_facts_fit(monkeypatch):
    from metagrove.survival.paths import noise

    tried = []

    def recorded(plan, reading, facts, shape, beam):
        tried.append(float(np.median(reading.error)))
        return run_of(plan, reading, facts, shape, beam)

    monkeypatch.setattr(noise, "run_of", recorded)
    plan, reading, facts, beliefs = problem()
    known = plan, reading, replace(facts, events=facts.events // 4)
    assert likely_noise(known, beliefs[0], None, BROAD, 50, np.random.default_rng(1)) is None
    assert max(tried) <= 2.0 * float(np.median(reading.error)) < 2.0 * RATIO * max(tried)


def test_clicks_change_places_as_sorting_says():
    rng = np.random.default_rng(4)
    time, level = np.sort(rng.random(80)), np.sort(rng.random(80))[::-1].copy()
    score = rng.standard_normal((5, 2, 80))
    rises, left = disturbed(time, level, 0.01, 0.02, score)
    t, s = time + 0.02 * score[:, 0], level + 0.01 * score[:, 1]
    told = np.take_along_axis(s, np.argsort(t, axis=1), axis=1)
    assert rises == pytest.approx(np.maximum(np.diff(told, axis=1), 0).sum(axis=1))
    assert left == pytest.approx(np.mean((np.sort(s, axis=1)[:, ::-1] - level) ** 2))
