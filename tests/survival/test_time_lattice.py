import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.survival.rebuilt import levels_at, product_limit
from metagrove.survival.time_lattice import on_lattice, time_lattice


def test_times_that_were_not_rounded_have_no_lattice():
    rng = np.random.default_rng(3)
    found = [time_lattice(rng.weibull(1.2, 25) * 10, 0.02) for _ in range(400)]
    assert sum(f is not None for f in found) <= 2


@pytest.mark.parametrize(("step", "unit", "error"), [(0.1, "months", 0.025), (1.0, "months", 0.2), (7.0, "days", 1.5)])
def test_rounding_is_found_under_the_reading_error(step, unit, error):
    rng = np.random.default_rng(5)
    times = step * np.unique(rng.integers(1, 230, 30))
    read = times + rng.uniform(-error, error, times.size)
    assert time_lattice(read, error, unit).step == step


def test_an_error_as_wide_as_the_step_shows_nothing():
    assert time_lattice(np.arange(1, 40) * 0.1, 0.05) is None or time_lattice(np.arange(1, 40) * 0.1, 0.05).step > 0.1


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(8, 40))
def test_moving_keeps_survival_between_the_multiples_and_the_numbers_at_risk(seed, n):
    rng = np.random.default_rng(seed)
    true = 0.1 * rng.integers(1, 240, n)
    event = rng.random(n) < 0.7
    read = true + rng.uniform(-0.028, 0.028, n)
    order = np.lexsort((~event, read))
    read, event = read[order], event[order]
    lattice = time_lattice(read, 0.028)
    if lattice is None or lattice.step != 0.1:
        return
    ticks = np.arange(0, 25, 3.0)
    moved = on_lattice(read, event, lattice, error=0.028, at_risk=ticks)
    between = 0.1 * np.arange(245) + 0.05
    before, after = product_limit(read, event), product_limit(moved, event)
    assert np.allclose(levels_at(before, between), levels_at(after, between))
    assert [(read >= t).sum() for t in ticks] == [(moved >= t - 1e-9).sum() for t in ticks]
    assert np.abs(moved - read).max() <= 0.028 + 1e-12


def test_a_death_just_after_the_milestone_comes_back_to_it():
    rng = np.random.default_rng(1)
    true = np.append(0.1 * np.unique(rng.integers(1, 200, 25)), 24.0)
    read = true + 0.02
    event = np.ones(read.size, dtype=bool)
    moved = on_lattice(read, event, time_lattice(read, 0.028), error=0.028)
    assert moved[-1] == pytest.approx(24.0, abs=1e-12)
    assert levels_at(product_limit(moved, event), np.array(24.0)) == 0
