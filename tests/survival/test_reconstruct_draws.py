"""What the draws leave open: the course of censoring, the reading error, marks hidden under marks, recorded times."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.survival.evidence.click_noise import disorder_of
from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.evidence.lattice import recorded_grid
from metagrove.survival.evidence.printed_facts import printed_facts
from metagrove.survival.evidence.steps import steps_of
from metagrove.survival.paths.censoring import hidden_share, shapes
from metagrove.survival.paths.censoring_trends import drawn_shapes
from metagrove.survival.paths.draws import corrected_paths
from reconstruction_cases import corners, simulated


def people(seed, n, death, censoring):
    """Sorted times and events of `n` patients."""
    rng = np.random.default_rng(seed)
    died, left = death(rng, n), censoring(rng, n)
    time, event = np.maximum(np.minimum(died, left), 0.01), died <= left
    order = np.lexsort((~event, time))
    return time[order], event[order]


def clicked(time, event, rng, noise):
    """One click a drop, with `noise` times the usual error, and the end."""
    t, s = corners(time, event)
    last = np.flatnonzero(np.append(np.diff(t) > 0, True))[1:]
    axis = 1.02 * time.max()
    t = t[last] + noise * 0.0015 * axis * rng.standard_normal(last.size)
    s = s[last] + noise * 0.002 * rng.standard_normal(last.size)
    rows = np.column_stack((np.maximum(t, 0.0), np.clip(s, 0, 1)))
    return np.vstack(([0.0, 1.0], rows[np.argsort(rows[:, 0], kind="stable")]))


@given(seed=st.integers(0, 10_000), events=st.booleans(), table=st.booleans())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_drawn_courses_of_censoring_keep_what_is_printed(seed, events, table):
    time, event = simulated(seed, n=60)
    t, s = corners(time, event)
    curve = digitized_curve(np.column_stack((t, s)))
    ticks = np.linspace(0, time.max() * 0.9, 5)
    at_risk = [(x, int(np.sum(time >= x))) for x in ticks] if table else None
    facts = printed_facts(curve, at_risk, n=60, events=int(event.sum()) if events else None)
    reading = steps_of(curve, facts)
    beliefs = shapes(reading, facts)
    for shape in drawn_shapes(beliefs, reading, facts, 6, np.random.default_rng(seed)):
        assert shape.hazard[0] == 0 and np.all(np.diff(shape.hazard) >= -1e-12) and np.all(np.diff(shape.time) >= 0)
        if table:
            np.testing.assert_allclose(shape.at(facts.risk_time), beliefs[0].at(facts.risk_time), atol=1e-9)


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_the_error_of_crowded_clicks_is_seen_in_their_disorder(noise):
    found = []
    for seed in range(4):
        time, event = people(seed, 300, lambda r, n: r.exponential(12, n), lambda r, n: r.uniform(5, 36, n))
        rows = clicked(time, event, np.random.default_rng(seed), noise)
        rebuilt = mg.reconstruct(rows, n=300, events=int(event.sum()), axis=1.02 * time.max())
        found.append(rebuilt.sigma / 0.002)
    assert 0.65 * noise < np.median(found) < 1.4 * noise


def test_clicks_in_order_tell_no_disorder():
    curve = digitized_curve(np.column_stack((np.arange(1.0, 21), 1 - 0.03 * np.arange(1, 21))))
    assert disorder_of(curve, 20.0, np.random.default_rng(1)) is None


def test_marks_that_touch_hide_more():
    curve = digitized_curve(np.array([[1.0, 0.9], [4.2, 0.8], [9.1, 0.7], [90.0, 0.7]]))
    marks = np.concatenate((np.arange(20.0, 24, 0.25), [60.0]))
    facts = printed_facts(curve, n=100, marks=marks)
    reading = steps_of(curve, facts)
    share = hidden_share(marks, reading, recorded_grid(reading, facts))
    assert share[8] > 5 * share[-1]


def test_censorings_behind_few_marks_of_monthly_visits_are_found():
    time, event = people(3, 150, lambda r, n: np.ceil(r.exponential(40, n)), lambda r, n: np.ceil(r.uniform(0, 14, n)))
    rows = clicked(time, event, np.random.default_rng(3), 1.0)
    marks = np.unique(time[~event])
    rebuilt = mg.reconstruct(rows, n=150, marks=marks, draws=40, axis=1.02 * time.max())
    deaths = rebuilt.sampled.event.sum(axis=1)
    assert deaths.min() <= event.sum() <= deaths.max()
    assert abs(rebuilt.events - event.sum()) <= 0.25 * event.sum()


def test_one_mark_may_stand_for_nearly_all():
    time = np.append(np.full(39, 20.0), 25.0)
    event = np.zeros(40, dtype=bool)
    event[0] = True
    rows = [[0, 1], [20.01, 0.9745], [25.02, 0.975]]
    at_risk = [(t, int(np.sum(time >= t))) for t in (0, 5, 10, 15, 21.3)]
    rebuilt = mg.reconstruct(rows, at_risk, events=1, marks=[19.98, 25.0], axis=25.5, draws=10)
    assert rebuilt.contradictions == () and rebuilt.events == 1 == event.sum()


def test_a_mark_takes_the_recorded_time_and_leaves_after_a_death_at_it():
    death, leave = [1, 3, 3, 6, 7, 8, 10, 13], [3, 5, 5, 9, 10, 12, 14]
    time = np.array(death + leave, dtype=float)
    event = np.arange(time.size) < len(death)
    order = np.lexsort((~event, time))
    rng = np.random.default_rng(2)
    rows = clicked(time[order], event[order], rng, 1.0)
    marks = np.unique(leave) + 0.02 * rng.standard_normal(6)
    rebuilt = mg.reconstruct(rows, n=15, events=8, marks=marks, axis=14.3)
    assert any("whole units" in note for note in rebuilt.notes)
    np.testing.assert_allclose(rebuilt.time[rebuilt.event], np.sort(death))
    left = rebuilt.time[~rebuilt.event]
    assert set(np.round(left[:-1], 6)) == {3.0, 5.0, 9.0, 10.0, 12.0} and abs(left[-1] - 14) < 0.1


def test_a_number_at_risk_beside_a_drop_leaves_the_marks_where_they_are():
    # The number at risk at 5.97 and the death at 6 are one reading apart; three marks follow at 8 to 9.
    time = np.array([1, 2.5, 4, 6, 8, 8.5, 9, 11, 12.5, 14.0])
    event = np.array([1, 1, 1, 1, 0, 0, 0, 1, 1, 0], dtype=bool)
    rows = clicked(time, event, np.random.default_rng(5), 0.5)
    rebuilt = mg.reconstruct(rows, [(0, 10), (5.97, 7)], events=6, marks=[8, 8.5, 9, 14.0], axis=14.3, draws=30)
    np.testing.assert_allclose(rebuilt.time[~rebuilt.event][:3], [8, 8.5, 9], atol=0.1)
    assert np.all(rebuilt.sampled.time[~rebuilt.sampled.event].reshape(30, 4)[:, :3] > 7)


def test_a_thousand_patients_with_events_from_a_trace():
    time, event = people(7, 1500, lambda r, n: 20 * r.weibull(1.2, n), lambda r, n: r.uniform(6, 36, n))
    t, s = corners(time, event)
    axis = 1.02 * time.max()
    columns = np.arange(0, time.max(), 2 * axis / 900)
    level = s[np.searchsorted(t, columns, side="right") - 1]
    rng = np.random.default_rng(1)
    rows = np.column_stack((columns, np.round(600 * level + 0.5 * rng.standard_normal(level.size)) / 600))
    rebuilt = mg.reconstruct(rows, n=1500, events=int(event.sum()))
    assert rebuilt.contradictions == () and rebuilt.events == event.sum()


def test_no_belief_about_censoring_takes_the_draws_of_another():
    known = None, None, printed_facts(digitized_curve([[0, 1], [3, 0.5], [9, 0.5]]), n=9)
    share = np.array([0.5, 0.3, 0.2])
    # What the filter left out scatters by tens of nats between beliefs with many patients.
    pairs = [(np.full((60, 2), i, dtype=np.int32), np.full(60, gain)) for i, gain in enumerate((-40.0, 0.0, -90.0))]
    drawn = corrected_paths(known, pairs, share, 100, np.random.default_rng(1))
    assert np.bincount(drawn[:, 0]).tolist() == [50, 30, 20]


def test_of_one_belief_the_better_paths_are_drawn():
    known = None, None, printed_facts(digitized_curve([[0, 1], [3, 0.5], [9, 0.5]]), n=9)
    paths = np.arange(200, dtype=np.int32)[:, None] * np.ones(2, dtype=np.int32)
    gain = np.where(np.arange(200) < 100, 0.0, -6.0)
    drawn = corrected_paths(known, [(paths, gain)], np.ones(1), 80, np.random.default_rng(1))
    assert np.mean(drawn[:, 0] < 100) > 0.9 and np.unique(drawn[:, 0]).size == 80
