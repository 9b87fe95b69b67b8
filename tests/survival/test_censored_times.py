"""Censored patients stand at their marks, those without one beside a mark, and on the grid where times lie on one."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.evidence.lattice import Lattice
from metagrove.survival.paths.censor_marks import MarkPlan
from metagrove.survival.paths.censored_times import _spread

WEEK = 7 / 30.4375


def corners(time, event):
    """Both corners of every step of the curve of some patients, as written to eight digits."""
    when, deaths = np.unique(time[event], return_counts=True)
    risk = time.size - np.searchsorted(np.sort(time), when)
    level = np.cumprod(1 - deaths / risk)
    before = np.concatenate(([1.0], level[:-1]))
    rows = [(0.0, 1.0)] + [row for t, a, b in zip(when, before, level, strict=True) for row in ((t, a), (t, b))]
    return np.round([*rows, (time.max(), level[-1])], 8)


def patients(seed, n=60, unit=0.0):
    rng = np.random.default_rng(seed)
    died, left = rng.exponential(12, n), rng.uniform(1, 24, n)
    time = np.minimum(died, left)
    time = np.maximum(np.ceil(time / unit), 1) * unit if unit else np.round(time, 4) + 1e-4
    event = died <= left
    event[np.argmax(time)] = False
    return time, event


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_mark_of_an_exact_curve_is_one_patient_where_none_is_hidden(seed):
    time, event = patients(seed)
    marks = np.sort(time[~event])
    made = mg.reconstruct(corners(time, event), n=time.size, marks=marks, draws=40)
    assert np.allclose(made.time[~made.event], marks, atol=1e-6)
    for t, e in zip(made.sampled.time, made.sampled.event, strict=True):
        assert np.allclose(t[~e], marks, atol=1e-6)


@pytest.mark.parametrize("seed", [4, 5])
def test_patients_of_equal_weeks_share_them_with_deaths_and_other_arms(seed):
    arms = [patients(10 * seed + a, unit=WEEK) for a in range(2)]
    made = [mg.reconstruct(corners(*arm), n=60, marks=np.unique(arm[0][~arm[1]]), draws=20) for arm in arms]
    assert {m.lattice.step for m in made} == {WEEK}
    weeks = np.round(WEEK * np.arange(1, 200), 8)
    for arm, found in zip(arms, made, strict=True):
        assert np.isin(found.time, weeks).all() and np.isin(found.sampled.time, weeks).all()
        # A mark at the time of a death left after it, so that the death still saw the patient.
        assert np.allclose(np.unique(found.time[~found.event]), np.round(np.unique(arm[0][~arm[1]]), 8))


def test_a_hidden_patient_left_within_a_mark_of_one_that_shows():
    time, event = patients(6)
    everybody = np.sort(time[~event])
    marks = np.delete(everybody, 5)
    twice = np.sort(np.append(marks, marks[4]))  # the hidden one left with the mark before
    time = np.concatenate((np.sort(time[event]), twice))
    event = np.arange(time.size) < event.sum()
    made = mg.reconstruct(corners(time, event), n=time.size, marks=marks, axis=25.0, draws=200)
    off = [np.abs(t[~e][:, None] - marks).min(axis=1).max() for t, e in zip(*sets(made), strict=True)]
    assert max(off) < 25 * 2 / 900 * np.exp(4 * 0.4)
    assert any(np.abs(np.sort(t[~e]) - twice).max() < 0.2 for t, e in zip(*sets(made), strict=True))


def sets(made):
    return made.sampled.time, made.sampled.event


def test_marks_that_wait_are_taken_in_their_order():
    none = np.zeros(4)
    whole = np.zeros(4, dtype=np.int64)
    marks = MarkPlan(
        whole,
        none,
        none,
        whole,
        none,
        whole,
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.array([0, 0, 1, 2]),
        np.array([True, False, True, True]),
        np.ones(4),
    )
    consumed = np.array([[1, 1, 1, 0], [0, 2, 0, 0], [0, 0, 0, 0]])
    assert marks.gaps_of(consumed).tolist() == [[0, 0, 1, 2], [1, 0, 1, 3], [3, 0, 3, 3]]


def test_a_stretch_of_the_grid_holds_each_of_its_times_alike():
    month = Lattice(1.0, "whole units")
    share = (np.arange(1000) + 0.5) / 1000
    start, stop = np.full(1000, 31.0), np.full(1000, 32.13)
    at, count = np.unique(_spread(share, start, stop, month), return_counts=True)
    assert at.tolist() == [31.0, 32.0] and count.tolist() == [500, 500]
    assert np.unique(_spread(share, start, np.full(1000, 32.0), month)).tolist() == [31.0]


def test_one_click_a_week_is_no_trace():
    rng = np.random.default_rng(3)
    time = 0.23 * np.arange(1, 90)
    level = 0.985 ** np.arange(1, 90)
    clicks = np.column_stack((time + 0.03 * rng.standard_normal(89), level + 0.002 * rng.standard_normal(89)))
    assert digitized_curve(clicks[np.argsort(clicks[:, 0])]).kind == "clicks"
    assert digitized_curve(np.column_stack((time, level))).kind == "trace"


def test_a_large_arm_known_by_n_alone_is_open_and_says_so_in_its_draws():
    rng = np.random.default_rng(8)
    died, left = rng.weibull(1, 900) * 28, rng.uniform(0.6, 30, 900)
    time, event = np.minimum(died, left), died <= left
    when = np.sort(time[event])
    level = np.cumprod([1 - 1 / np.sum(time >= t) for t in when])
    seen = [0]
    for i in range(when.size):
        if level[seen[-1]] - level[i] > 0.0025:
            seen.append(i)
    rows = np.column_stack((when[seen], level[seen])) + [0.04, 0.002] * rng.standard_normal((len(seen), 2))
    rows = np.vstack(([0, 1], rows[np.argsort(rows[:, 0])], [time.max(), level[-1]]))
    made = mg.reconstruct(np.clip(rows, 0, [40, 1]), n=900, draws=100)
    counts = made.sampled.event.sum(axis=1)
    assert len(counts) == 100
    assert np.quantile(counts, 0.975) - np.quantile(counts, 0.025) > 0.1 * event.sum()


def test_who_hides_under_a_mark_past_a_death_left_before_it():
    """Marks written in tenths lie beyond deaths that they came before; at the death their patients are gone."""
    worst = []
    for seed in range(40):
        rng = np.random.default_rng([seed, 60])
        died, left = 10 * rng.weibull(1.2, 100), rng.uniform(0.5, 6, 100)
        time, event = np.minimum(died, left), died <= left
        when = np.sort(time[event])
        level = np.cumprod([1 - 1 / np.sum(time >= t) for t in when])
        rows = np.column_stack((when, level)) + [0.009, 0.002] * rng.standard_normal((when.size, 2))
        rows = np.vstack(([0, 1], rows[np.argsort(rows[:, 0])], [time.max(), level[-1]]))
        marks = np.unique(np.round(time[~event], 1))
        rebuilt = mg.reconstruct(np.clip(rows, 0, [7, 1]), n=100, events=int(event.sum()), marks=marks)
        worst.append(rebuilt.fit[0]["difference"])
    assert max(worst) < 0.009
