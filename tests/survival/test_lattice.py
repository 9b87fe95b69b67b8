"""The grid of recorded times: found from the drops however they were read, never where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.survival.evidence.lattice import lattice_of
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.reconstruction.rebuilt import levels_at, product_limit


def clicks(time, sigma, end):
    """Drops read with a normal error of their times."""
    level = np.linspace(1, 0.1, time.size + 1)[1:]
    return Reading(time, level, time, np.full(time.size, 0.002), False, 0.002, sigma, end)


def columns(time, width):
    """Drops seen between two columns of a trace."""
    stop = np.ceil(time / width) * width
    level = np.linspace(1, 0.1, time.size + 1)[1:]
    return Reading(stop, level, stop - width, np.full(time.size, 0.001), True, 0.001, 0.0, float(stop[-1]))


def test_times_that_were_not_rounded_have_no_lattice():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(300):
        time = np.sort(rng.weibull(1.2, 25) * 10)
        found += [
            lattice_of(clicks(time, 0.045, 30), 6),
            lattice_of(clicks(time, 0.045, 30), 6, time_error=0.02),
            lattice_of(columns(np.unique(time), 0.06), 6),
        ]
    assert sum(f is not None for f in found) <= 3


@pytest.mark.parametrize("step, error", [(0.1, 0.025), (1.0, 0.2), (7.0, 1.5)])
def test_rounding_is_found_under_the_error_of_the_figure(step, error):
    rng = np.random.default_rng(5)
    times = step * np.unique(rng.integers(1, 230, 30))
    read = times + rng.uniform(-error, error, times.size)
    assert lattice_of(clicks(np.sort(read), 0.0, 231 * step), 6, time_error=error).step == step


def test_weeks_are_found_in_clicks_and_columns():
    rng = np.random.default_rng(8)
    week = 7 / 30.4375
    times = week * np.unique(rng.integers(1, 130, 60))
    for reading in (clicks(np.sort(times + 0.03 * rng.standard_normal(times.size)), 0.03, 30), columns(times, 0.07)):
        assert lattice_of(reading, 6).step == pytest.approx(week, rel=1e-3)


def test_an_error_as_wide_as_the_step_shows_nothing():
    found = lattice_of(clicks(np.arange(1, 40) * 0.1, 0.0, 4.0), 6, time_error=0.05)
    assert found is None or found.step > 0.1


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(15, 40))
def test_patients_on_the_grid_keep_survival_between_and_numbers_at_risk(seed, n):
    rng = np.random.default_rng(seed)
    true = np.sort(0.1 * rng.integers(1, 240, n))
    event = rng.random(n) < 0.8
    when, level = product_limit(true, event)
    read = when + rng.uniform(-0.028, 0.028, when.size)
    curve = [[0.0, 1.0], *zip(read.tolist(), level.tolist(), strict=True), [float(true[-1]), float(level[-1])]]
    risk = [[t, int(np.sum(true >= t))] for t in np.arange(0.05, true[-1], 3.0)]
    rebuilt = mg.reconstruct(curve, [[0, n], *risk], events=int(event.sum()), time_error=0.028)
    if rebuilt.lattice is None or rebuilt.lattice.step != 0.1 or rebuilt.contradictions:
        return
    between = 0.1 * np.arange(1, int(true[-1] / 0.1)) + 0.05
    ours = levels_at(product_limit(rebuilt.time, rebuilt.event), between)
    assert np.abs(ours - levels_at((when, level), between)).max() < 0.02
    assert [int(np.sum(rebuilt.time >= t)) for t, _ in risk] == [k for _, k in risk]


def test_a_death_just_after_the_milestone_comes_back_to_it():
    rng = np.random.default_rng(1)
    true = np.append(0.1 * np.unique(rng.integers(1, 200, 25)), 24.0)
    level = 1 - np.arange(1, true.size + 1) / true.size
    curve = [[0, 1], *zip((true + 0.02).tolist(), level.tolist(), strict=True)]
    rebuilt = mg.reconstruct(curve, n=true.size, events=true.size, time_error=0.028)
    assert rebuilt.lattice.step == 0.1
    assert rebuilt.time[-1] == pytest.approx(24.0, abs=1e-9)
    assert levels_at(product_limit(rebuilt.time, rebuilt.event), np.array(24.0)) == 0
    with pytest.raises(mg.DataError, match="time_error"):
        mg.reconstruct(curve, n=true.size, time_error=0)


def test_marks_show_a_grid_that_few_drops_do_not():
    rng = np.random.default_rng(4)
    week, axis = 7 / 30.4375, 30.0
    drops = clicks(np.sort(week * np.array([5, 31, 64, 90]) + 0.03 * rng.standard_normal(4)), 0.03, axis)
    weekly = week * np.arange(10, 100, 3) + 0.03 * rng.standard_normal(30)
    assert lattice_of(drops, 6) is None
    assert lattice_of(drops, 6, marks=(weekly, 0.03)).step == pytest.approx(week, rel=1e-3)
    never = [lattice_of(drops, 6, marks=(np.sort(rng.uniform(0, axis, 30)), 0.03)) for _ in range(200)]
    assert sum(f is not None for f in never) <= 2


@pytest.mark.parametrize("seed", [3, 8])
def test_on_a_monthly_grid_patients_leave_at_its_times_after_the_deaths_there(seed):
    rng = np.random.default_rng(seed)
    died, left = np.ceil(rng.weibull(0.9, 260) * 14), np.ceil(rng.uniform(9, 20, 260))
    time, event = np.minimum(died, left), died <= left
    months = np.unique(time[event])
    risk = np.array([np.sum(time >= t) for t in months])
    dead = np.array([np.sum(event & (time == t)) for t in months])
    level = np.concatenate(([1.0], np.cumprod(1 - dead / risk)))
    at = np.append(np.arange(0, time.max(), 0.045), time.max())
    seen = np.round(600 * level[np.searchsorted(months, at, side="right")] + 0.3 * rng.standard_normal(at.size)) / 600
    ticks = np.arange(0, time.max(), 4.1)
    table = [(t, int(np.sum(time >= t))) for t in ticks]
    found = mg.reconstruct(np.column_stack([at, seen]), at_risk=table, events=int(event.sum()), draws=20, rng=1)
    assert found.lattice.step == 1.0
    inner = found.time[~found.event & (found.time < found.time.max())]
    assert np.mean(np.abs(inner - np.round(inner)) < 1e-6) > 0.9
    ours = np.array([np.sum(found.event & (np.abs(found.time - t) < 0.05)) for t in months])
    assert np.abs(ours - dead).sum() <= 3
    # Who is at risk at the last death before each number at risk hangs on the order of deaths and departures there.
    late = (months > 9) & (months < months.max())
    told = np.array([np.sum(found.time >= t - 0.05) for t in months])
    assert np.all(np.abs(told - risk)[late] <= 0.25 * risk[late])


def test_marks_written_in_tenths_are_no_grid_of_the_deaths():
    """Rounding says how marks were written; only the deaths' own times say that they lie on tenths."""
    rng = np.random.default_rng(0)
    marks = np.unique(np.round(rng.uniform(0.5, 6, 40), 1))
    for _ in range(200):
        time = np.sort(rng.uniform(0.2, 6, 4))
        drops = Reading(time, 1 - 0.02 * np.arange(1, 5), time, np.full(4, 0.002), False, 0.002, 0.009, 6.1)
        assert lattice_of(drops, 6, marks=(marks, 0.009)) is None
    for _ in range(20):
        time = np.sort(rng.choice(np.arange(2, 60), 30, replace=False)) / 10
        drops = Reading(time, 1 - 0.02 * np.arange(1, 31), time, np.full(30, 0.002), False, 0.002, 0.009, 6.1)
        assert lattice_of(drops, 6, marks=(marks, 0.009)).step == 0.1
