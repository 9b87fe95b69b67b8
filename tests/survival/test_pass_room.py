"""Room for the states of a pass: it grows where a pass needs it and changes nothing."""

import numpy as np
import pytest

from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.evidence.printed_facts import printed_facts
from metagrove.survival.evidence.steps import steps_of
from metagrove.survival.passes import drawing, forward_pass, tables
from metagrove.survival.paths.belief_screen import NARROW
from metagrove.survival.paths.censoring import shapes
from metagrove.survival.paths.plan import plan_of
from metagrove.survival.paths.search import limits_of, run_of, runs_each


def problem(n=120, seed=4):
    """A plan with its reading, facts and first belief, for clicks on the curve of n simulated patients."""
    rng = np.random.default_rng(seed)
    time, event = rng.weibull(1.1, n) * 12, rng.random(n) < 0.8
    drops = np.sort(time[event])
    level = np.cumprod([1 - 1 / np.sum(time >= t) for t in drops])
    curve = digitized_curve(np.column_stack([np.r_[0, drops, time.max()], np.r_[1, level, level[-1]]]))
    facts = printed_facts(curve, None, n=n, events=int(event.sum()), marks=None, median=None, rates=None, axis=None)
    reading = steps_of(curve, facts, sigma=0.002)
    plan = plan_of(reading, facts)
    return plan, reading, facts, shapes(reading, facts)[0]


@pytest.mark.parametrize("room", [300, 5_000])
def test_a_pass_that_outgrows_its_room_goes_on_where_it_stood(room):
    plan, reading, facts, shape = problem()
    run = run_of(plan, reading, facts, shape, NARROW)
    limits = limits_of(reading, facts, NARROW, plan.kind.size, peak=False)
    assert run.passed[4] == plan.kind.size and run.passed[2][-1] > room
    small = forward_pass.forward(run.operations, limits._replace(nodes=room, edges=room, bits=7))
    assert small[3] == run.passed[3] and small[4] == run.passed[4]
    assert np.array_equal(small[2], run.passed[2])
    made = int(small[2][-1])
    assert np.array_equal(small[0].real[:made, 1], run.passed[0].real[:made, 1])
    drawn = [drawing.sampled(*passed[:3], run.operations, 20, 3, 0)[0] for passed in (small, run.passed)]
    assert np.array_equal(*drawn)


def test_a_pass_stops_where_it_has_all_the_room_there_is():
    plan, reading, facts, shape = problem()
    operations = run_of(plan, reading, facts, shape, NARROW).operations
    limits = limits_of(reading, facts, NARROW, plan.kind.size, peak=False)
    assert forward_pass.forward(operations, limits._replace(nodes=200, edges=200, most=400))[4] < 0


def test_weights_under_another_error_are_those_made_anew():
    from dataclasses import replace

    plan, reading, facts, shape = problem()
    run_of(plan, reading, facts, shape, NARROW)
    wider = replace(reading, error=1.3 * reading.error, sigma_s=1.3 * reading.sigma_s)
    kept = run_of(plan, wider, facts, shape, NARROW)
    fresh = run_of(replace(plan, kept={}), wider, facts, shape, NARROW)
    assert kept.evidence == fresh.evidence
    assert np.array_equal(kept.operations, fresh.operations)


@pytest.mark.parametrize("room", [300, 700, 5_000])
def test_a_pass_that_forgets_its_layers_tells_the_same_evidence(room):
    plan, reading, facts, shape = problem()
    run = run_of(plan, reading, facts, shape, NARROW)
    limits = limits_of(reading, facts, NARROW, plan.kind.size, peak=False, light=True)
    light = forward_pass.forward(run.operations, limits._replace(nodes=room, edges=room, bits=8))
    assert light[3] == run.passed[3] and light[4] == run.passed[4]
    assert light[0].real.shape[0] < run.passed[2][-1]


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("room", [300, 50_000])
def test_passes_that_begin_alike_are_those_made_one_by_one(light, room):
    plan, reading, facts, shape = problem()
    rows = run_of(plan, reading, facts, shape, NARROW).operations
    limits = limits_of(reading, facts, NARROW, plan.kind.size, peak=False, light=light)
    limits = limits._replace(nodes=room, edges=room, bits=8)
    several = np.array([rows] * 4)
    gaps = np.flatnonzero(rows[:, tables.KIND] == tables.CENSOR)
    for table, since, factor in zip(several[1:], (0.9, 0.6, 0.05), (2.0, 0.5, 3.0), strict=True):
        late = gaps[int(since * gaps.size) :]
        table[late, tables.A] = np.minimum(table[late, tables.A] * factor, 1.0)
    found = {}
    for i, passed in forward_pass.forward_each(several, limits):
        drawn = None if light else drawing.sampled(*passed[:3], several[i], 20, 3, 0)[0]
        found[i] = passed[3], passed[4], drawn
    assert sorted(found) == [0, 1, 2, 3]
    for i, table in enumerate(several):
        alone = forward_pass.forward(table, limits)
        assert found[i][0] == pytest.approx(alone[3], abs=1e-9) and found[i][1] == alone[4] == len(rows)
        if not light:
            assert np.array_equal(found[i][2], drawing.sampled(*alone[:3], table, 20, 3, 0)[0])


def test_after_the_last_drop_only_the_printed_number_of_deaths_is_left():
    plan, reading, facts, shape = problem()
    run = run_of(plan, reading, facts, shape, NARROW)
    beam, _, starts = run.passed[:3]
    last = int(np.flatnonzero(run.operations[:, tables.KIND] == tables.DROP)[-1])
    alive = np.arange(starts[last + 1], starts[last + 2])
    alive = alive[beam.real[alive, tables.WEIGHT] > 0]
    assert alive.size and np.all(beam.whole[alive, tables.DIED] == facts.events)


def test_passes_that_share_their_room_tell_what_each_tells_alone():
    plan, reading, facts, _ = problem()
    beliefs = shapes(reading, facts)
    together = {i: run.evidence for i, run in runs_each(plan, reading, facts, beliefs, NARROW)}
    alone = [run_of(plan, reading, facts, shape, NARROW).evidence for shape in beliefs]
    assert [together[i] for i in range(len(beliefs))] == pytest.approx(alone, abs=1e-9)
