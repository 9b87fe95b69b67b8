"""Arms in which one death lies below the reading error: the normal law beside single states, and patients from it."""

from dataclasses import replace

import numpy as np
import pytest

import metagrove as mg
from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.evidence.printed_facts import printed_facts
from metagrove.survival.evidence.steps import steps_of
from metagrove.survival.passes.drawing import misfits
from metagrove.survival.passes.normal_states import normal_paths
from metagrove.survival.paths import large_arms, normal_law
from metagrove.survival.paths.plan import plan_of
from metagrove.survival.paths.search import Beam, limits_of, operations_of, passed_through, run_of, weights_kept
from metagrove.survival.reconstruction.conflicts import conflicts


def patients(n, seed, early=0.3):
    """Times and events of a simulated arm, some of whom leave early."""
    rng = np.random.default_rng(seed)
    died = 12 * rng.weibull(1.1, n)
    left = np.where(rng.random(n) < early, 8 * rng.random(n), rng.uniform(14, 30, n))
    time, event = np.minimum(died, left), died <= left
    order = np.argsort(time)
    return time[order], event[order]


def clicks(time, event, seed):
    """Clicks on the drops that 600 pixels show."""
    rng = np.random.default_rng(seed)
    n, level, seen = time.size, 1.0, [(0.0, 1.0)]
    s = 1.0
    for i in np.flatnonzero(event):
        s *= 1 - 1 / (n - i)
        if level - s >= 1.5 / 600:
            seen.append((time[i], s))
            level = s
    rows = np.array([*seen, (time[-1], s)])
    rows[1:, 0] += 0.0015 * time[-1] * rng.standard_normal(len(rows) - 1)
    rows[1:, 1] += 0.002 * rng.standard_normal(len(rows) - 1)
    rows = np.clip(rows, 0, [np.inf, 1])
    return rows[np.argsort(rows[:, 0], kind="stable")]


def known(n, seed, **printed):
    """Plan, reading and facts of a simulated arm."""
    time, event = patients(n, seed)
    rows = clicks(time, event, seed)
    given = {"n": n, "axis": 1.02 * time[-1]} | printed
    curve = digitized_curve(rows)
    facts = printed_facts(curve, given.pop("at_risk", None), **given)
    reading = steps_of(curve, facts)
    return plan_of(reading, facts), reading, facts


def deaths(n, seed):
    return int(patients(n, seed)[1].sum())


@pytest.mark.parametrize("told", ["n", "events", "at risk"])
def test_law_has_the_evidence_and_the_mean_of_all_states(told):
    n, seed = 220, 3
    time, _ = patients(n, seed)
    ticks = np.arange(0, time[-1], 6.0)
    table = [(t, int(np.sum(time >= t))) for t in ticks]
    printed = {"n": {}, "events": {"events": deaths(n, seed)}, "at risk": {"at_risk": table}}[told]
    plan, reading, facts = known(n, seed, **printed)
    beliefs = large_arms.likely_shapes(plan, reading, facts, normal_law.law_evidence)
    law = normal_law.law_of(plan, reading, facts, beliefs[0][1])
    whole = run_of(plan, reading, facts, beliefs[0][1], Beam(keep=20_000, cut=1e-12, bins=0.4, reach=6.0))
    assert abs(law.evidence - whole.evidence) < 6.0  # a narrow beam errs by 10 to 40
    paths, gain, evidence = normal_law.lots_of(law, reading, facts, 2000, 400, np.random.default_rng(1))
    mean, error = law.law[1:, 0, 0], np.sqrt(law.law[1:, 1, 0])
    apart = np.abs(paths[:, 1:].mean(axis=0) - mean) / np.maximum(error, 1.0)
    assert np.median(apart) < 1.0 and apart.max() < 2.5
    assert np.isfinite(gain).all() and abs(evidence - whole.evidence) < 3.0


def test_lots_leave_the_evidence_as_it_is_on_the_whole():
    plan, reading, facts = known(200, 5, events=deaths(200, 5))
    beliefs = large_arms.likely_shapes(plan, reading, facts, normal_law.law_evidence)
    law = normal_law.law_of(plan, reading, facts, beliefs[0][1])

    def evidence(keep, seed):
        rows = normal_law._with_outlook(law, np.random.default_rng(seed))
        limits = limits_of(reading, facts, Beam(keep=keep, cut=1e-7, bins=0.8), len(rows), peak=False)
        return passed_through(rows, limits)[3]

    few = np.array([evidence(60, seed) for seed in range(24)])
    many = evidence(20_000, 0)
    assert few.std() > 0.01  # lots are drawn
    assert abs(np.log(np.mean(np.exp(few - many)))) < 0.5


def test_law_learns_from_what_comes_later():
    plan, reading, facts = known(300, 1, events=deaths(300, 1))
    beliefs = large_arms.likely_shapes(plan, reading, facts, normal_law.law_evidence)
    rows = operations_of(plan, weights_kept(plan, reading, facts, beliefs[0][1]))
    _, smoothed, _ = normal_paths(rows, facts.n, facts.events, reading.ends_at_zero)
    _, blind, _ = normal_paths(rows, facts.n, -1, reading.ends_at_zero)
    assert abs(smoothed[-1, 0, 1] - facts.events) < 0.2
    middle = len(rows) // 2
    assert smoothed[middle, 1, 0] < blind[middle, 1, 0]
    assert np.all(np.diff(smoothed[:, 0, 0]) < 0.5)  # nobody comes back


def test_large_arms_keep_their_totals_in_every_set():
    time, event = patients(420, 11)
    table = [(t, int(np.sum(time >= t))) for t in np.arange(0, time[-1], 5.0)]
    rebuilt = mg.reconstruct(clicks(time, event, 11), table, events=int(event.sum()), draws=40)
    assert not rebuilt.contradictions
    assert rebuilt.n == 420 and rebuilt.events == event.sum()
    assert np.all(rebuilt.sampled.event.sum(axis=1) == event.sum())
    for t, k in table:
        assert np.sum(rebuilt.time >= t) == k
        assert np.all(np.sum(rebuilt.sampled.time >= t, axis=1) == k)


def test_draws_of_large_arms_are_as_wide_as_they_are_wrong():
    z = []
    for seed in range(8):
        time, event = patients(400, 100 + seed)
        rebuilt = mg.reconstruct(clicks(time, event, seed), n=400, events=int(event.sum()), draws=60, rng=seed)
        for t in np.quantile(time, (0.3, 0.5, 0.7)):
            drawn = np.sum(rebuilt.sampled.time >= t, axis=1)
            z.append((np.sum(time >= t) - drawn.mean()) / max(drawn.std(), 1.0))
    assert 0.4 < np.sqrt(np.mean(np.square(z))) < 1.6


def test_a_point_is_the_same_with_and_without_draws_and_near_the_curve():
    time, event = patients(350, 4)
    rows = clicks(time, event, 4)
    alone, drawn = (mg.reconstruct(rows, n=350, draws=k) for k in (0, 20))
    assert np.array_equal(alone.time, drawn.time) and np.array_equal(alone.event, drawn.event)
    assert alone.guesses  # worked out from paths that are drawn only now
    _, reading, facts = known(350, 4)
    arm = large_arms.large_arm(digitized_curve(rows), facts, 6, np.random.default_rng(1))
    law = arm.laws[0]
    assert misfits(law.rows, arm.point)[0] < reading.level.size


def test_small_arms_and_contradictions_are_left_to_single_states():
    rng = np.random.default_rng(1)
    time, event = patients(60, 2)
    curve = digitized_curve(clicks(time, event, 2))
    assert large_arms.large_arm(curve, printed_facts(curve, n=60), 6, rng) is None
    time, event = patients(400, 2)
    curve = digitized_curve(clicks(time, event, 2))
    wrong = [(0, 400), (5, 395), (10, 20)]
    assert large_arms.large_arm(curve, printed_facts(curve, wrong), 6, rng) is None
    assert mg.reconstruct(clicks(time, event, 2), wrong).contradictions


def test_law_knows_that_clicks_stand_for_deaths_too_small_to_be_seen():
    printed = dict.fromkeys(("events", "marks", "median", "rates"))
    plan, reading, facts = known(700, 2, **printed)
    belief = large_arms.likely_shapes(plan, reading, facts, normal_law.law_evidence)[0][1]
    pair = [replace(belief, single=False, blind=blind) for blind in (0.0, 0.003)]
    law = normal_law.law_evidence(plan, reading, facts, pair)
    states = [run_of(plan, reading, facts, shape, Beam(keep=3000, cut=1e-9, bins=4.0)).evidence for shape in pair]
    assert states[1] > states[0] + 20
    assert law[1] - law[0] == pytest.approx(states[1] - states[0], abs=15)


def test_clicks_twice_the_usual_error_off_are_no_contradiction():
    time, event = patients(300, 8)
    rows = clicks(time, event, 8)
    half = int(np.argmin(np.abs(rows[:, 0] - 10)))
    rows[half - 3 : half + 4, 1] -= 0.009  # about four usual errors too low, all of them
    rows[1:, 1] = np.minimum.accumulate(rows[1:, 1])
    curve = digitized_curve(rows)
    at = float(rows[half, 0])
    left = int(np.floor(300 * (rows[half, 1] + 0.0085)))
    given = {"n": 300, "events": None, "marks": None, "median": None, "rates": None, "axis": 1.02 * time[-1]}
    facts = printed_facts(curve, [(0, 300), (at + 0.3, left)], **given)
    assert any("too many" in c.message for c in conflicts(curve, facts))
    assert not conflicts(curve, facts, sigma=0.004)
