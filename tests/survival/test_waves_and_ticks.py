"""Traces whose patients leave in waves between the numbers at risk, and deaths at the very time of one."""

import numpy as np
import pytest

import metagrove as mg
from reconstruction_cases import survival


def traced(time, event, columns=440, noise=0.0, seed=0):
    """A trace of `columns` columns of the arm's curve, with its last fall."""
    rng = np.random.default_rng(seed)
    at = np.linspace(0, time.max(), columns)
    level = survival(time, event, at) + noise * rng.standard_normal(columns)
    return np.column_stack([at, np.clip(np.round(level * 600) / 600, 0, 1)])


def at_risk(time, ticks):
    return [[t, int(np.sum(time >= t))] for t in ticks]


def wave(n, seed):
    """Patients of whom a third leave at the beginning, more than the first number at risk could tell."""
    rng = np.random.default_rng(seed)
    died = 6 * rng.exponential(size=n) + np.where(rng.random(n) < 0.3, 30, 0)
    left = np.where(rng.random(n) < 0.4, rng.uniform(0, 0.8, n), rng.uniform(12, 32, n))
    return np.minimum(died, left), died <= left


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("n", [150, 450])
def test_a_wave_before_the_first_number_at_risk_is_told_by_the_deaths(n, seed):
    time, event = wave(n, seed)
    curve = traced(time, event, noise=0.0008, seed=seed)
    rebuilt = mg.reconstruct(curve, at_risk=at_risk(time, np.arange(0, 32, 4)), events=int(event.sum()))
    assert rebuilt.report["contradictions"] == []
    assert rebuilt.events == event.sum()
    grid = np.linspace(0.5, 30, 60)
    off = survival(rebuilt.time, rebuilt.event, grid) - survival(time, event, grid)
    assert np.abs(off).mean() < 0.003
    early, there = np.sum(~event & (time < 2)), np.sum(~rebuilt.event & (rebuilt.time < 2))
    assert there > 0.6 * early


def test_a_death_at_the_time_of_a_number_at_risk_is_still_at_risk():
    time = np.array([2.0, 4, 6, 6, 9, 12, 12, 13, 14, 18, 20, 20])
    event = np.array([True, True, True, False, True, True, False, True, False, True, False, False])
    columns = np.linspace(0, 20, 201)  # a column ends at each number at risk
    curve = np.column_stack([columns, survival(time, event, columns)])
    rebuilt = mg.reconstruct(curve, at_risk=at_risk(time, [0, 6, 12, 18]), events=int(event.sum()))
    assert rebuilt.report["contradictions"] == []
    assert rebuilt.events == 7
    assert np.abs(survival(rebuilt.time, rebuilt.event, columns) - curve[:, 1]).max() < 1e-6


def test_draws_differ_in_who_leaves_behind_the_last_number_at_risk():
    rng = np.random.default_rng(4)
    died, left = 25 * rng.exponential(size=120), rng.uniform(18, 24, 120)
    time, event = np.minimum(died, left), died <= left
    event &= time < 15
    time = np.where(event, time, np.maximum(left, 18))
    table = at_risk(time, [0, 5, 10, 16])
    rebuilt = mg.reconstruct(traced(time, event, noise=0.001), at_risk=table, events=int(event.sum()), draws=100, rng=2)
    left_at_20 = (rebuilt.sampled.time >= 20).sum(axis=1)
    assert np.quantile(left_at_20, 0.9) - np.quantile(left_at_20, 0.1) > 0.2 * table[-1][1]
    assert np.quantile(left_at_20, 0.1) <= np.sum(time >= 20) <= np.quantile(left_at_20, 0.95)


@pytest.mark.parametrize("seed", [1, 3])
def test_marks_that_hide_a_wave_leave_no_arm_unexplained(seed):
    time, event = wave(450, seed)
    pixel = time.max() / 900
    marks, last = [], -np.inf
    for t in np.sort(time[~event]):
        if t - last >= 2 * pixel:
            marks.append(t)
            last = t
    curve = traced(time, event, noise=0.0008, seed=seed)
    table = at_risk(time, np.arange(0, 32, 4))
    rebuilt = mg.reconstruct(curve, at_risk=table, events=int(event.sum()), marks=marks)
    grid = np.linspace(0.5, 30, 60)
    off = survival(rebuilt.time, rebuilt.event, grid) - survival(time, event, grid)
    assert np.abs(off).mean() < 0.002
    assert rebuilt.events == event.sum()
    assert [int(np.sum(rebuilt.time >= t)) for t, _ in table] == [k for _, k in table]
