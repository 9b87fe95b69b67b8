"""What a digitized curve may look like: crowded clicks, rows that are no drops, offsets, grids of time."""

import numpy as np
import pytest

import metagrove as mg
from reconstruction_cases import corners, simulated, survival


def clicked(time, event, seed=0, error=0.002):
    """One click per drop and one at the end, on an axis as long as the follow-up."""
    rng = np.random.default_rng(seed)
    t, s = corners(time, event)
    last = np.flatnonzero(np.append(np.diff(t) > 0, True))
    rows = np.column_stack((t[last], s[last]))
    rows[1:] += rng.standard_normal((len(rows) - 1, 2)) * (0.75 * error * time.max(), error)
    return np.clip(rows[np.argsort(rows[:, 0])], 0, [np.inf, 1])


def at_risk(time, ticks=6):
    return [(t, int(np.sum(time >= t))) for t in np.linspace(0, time.max() * 0.9, ticks)]


def curve_error(time, event, rebuilt):
    t = np.linspace(0, time.max() * 0.999, 1000)
    return float(np.mean(np.abs(survival(rebuilt.time, rebuilt.event, t) - survival(time, event, t))))


def test_crowded_clicks_are_still_one_per_drop():
    rng = np.random.default_rng(4)
    cured = rng.random(145) < 0.35
    time = np.sort(np.where(cured, 260.0, np.round(rng.exponential(12, 145), 2) + 0.01))
    event = time < 260
    assert mg.reconstruct(clicked(time, event), n=145).curve.kind == "clicks"


def test_rows_that_are_no_drops_do_not_become_deaths():
    rng = np.random.default_rng(5)
    died, left = rng.exponential(30, 200), rng.exponential(12, 200)
    time, event = np.minimum(died, left), died <= left
    rows = clicked(time, event, error=0.0008)
    level = np.concatenate(([1.0], survival(time, event, np.sort(time[event]))))
    spurious = np.sort(rng.uniform(0, 5, 14))
    more = np.column_stack((spurious, level[np.searchsorted(np.sort(time[event]), spurious)] - 0.0005))
    rows = np.vstack((rows, more))
    rebuilt = mg.reconstruct(rows[np.argsort(rows[:, 0])], at_risk(time))
    assert rebuilt.contradictions == ()
    assert abs(rebuilt.events - event.sum()) <= 4
    assert curve_error(time, event, rebuilt) < 0.004


@pytest.mark.parametrize("source", ["exact", "clicks"])
def test_a_curve_that_starts_off_one_is_raised_and_says_so(source):
    time, event = simulated(11)
    rows = np.column_stack(corners(time, event)) if source == "exact" else clicked(time, event)
    plain = mg.reconstruct(rows, n=60, events=int(event.sum()))
    low = rows - [0, 0.012]
    rebuilt = mg.reconstruct(low[low[:, 1] > -0.01], n=60, events=int(event.sum()))
    assert "survival starts at 0.988" in rebuilt.curve.notes[0] and rebuilt.contradictions == ()
    assert abs(curve_error(time, event, rebuilt) - curve_error(time, event, plain)) < 0.001


@pytest.mark.parametrize("late", [0.003, 0.02])
def test_survival_above_one_is_an_offset_wherever_the_rows_begin(late):
    time, event = simulated(11)
    rows = clicked(time, event) + [late * time.max(), 0]
    plain, high = (mg.reconstruct(rows + [0, off], n=60, events=int(event.sum())) for off in (0, 0.012))
    assert "all values were moved by -0.012" in high.curve.notes[0]
    assert abs(curve_error(time, event, high) - curve_error(time, event, plain)) < 0.001


def test_a_curve_that_starts_before_zero_is_moved_and_says_so():
    time, event = simulated(12)
    rows = np.column_stack(corners(time, event)) - [0.4, 0]
    rebuilt = mg.reconstruct(rows, n=60, events=int(event.sum()))
    assert rebuilt.curve.notes == ("the curve starts at -0.4: all times were moved by 0.4",)
    np.testing.assert_allclose(np.sort(rebuilt.time[rebuilt.event]), np.sort(time[event]), atol=1e-6)


WEEK = 7 / 30.4375


@pytest.mark.parametrize("step, name", [(WEEK, "weeks on an axis of months"), (1.0, "whole units of the axis")])
def test_recorded_times_keep_their_grid(step, name):
    time, event = simulated(13, n=80)
    time = np.ceil(time / step) * step
    rebuilt = mg.reconstruct(np.round(np.column_stack(corners(time, event)), 5), n=80, events=int(event.sum()), draws=8)
    assert f"times were recognised as {name}" in rebuilt.notes
    for t in (rebuilt.time, rebuilt.sampled.time):
        np.testing.assert_allclose(t / step, np.round(t / step), atol=1e-3)


def test_continuous_times_have_no_grid():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        time, event = rng.exponential(10, 50), rng.random(50) < 0.7
        event[0] = True
        for rows in (np.round(np.column_stack(corners(time, event)), 6), clicked(time, event)):
            assert mg.reconstruct(rows, n=50).notes == ()


@pytest.mark.parametrize("gone", [[1, 3], [0], [0, 1, 4]])
def test_missing_cells_and_late_tables_leave_the_rest_met(gone):
    time, event = simulated(14, n=90)
    table = np.array(at_risk(time))
    kept = np.delete(table, gone, axis=0)
    cells = table.copy()
    cells[gone, 1] = np.nan
    for risk in (kept, cells):
        rebuilt = mg.reconstruct(clicked(time, event), risk, n=90, events=int(event.sum()), draws=5)
        for t, count in kept:
            assert (np.sum(rebuilt.sampled.time >= t, axis=1) == count).all()
        assert rebuilt.contradictions == () and rebuilt.n == 90


def test_zeros_at_the_end_of_the_table_agree_with_the_curve():
    time, event = simulated(15, n=40)
    risk = [*at_risk(time), (time.max() * 1.1, 0), (time.max() * 1.3, 0)]
    assert mg.reconstruct(clicked(time, event), risk, events=int(event.sum())).contradictions == ()


@pytest.mark.parametrize("form", ["incidence", "percent", "incidence in percent"])
def test_clicks_of_incidence_and_percent_give_the_same_patients(form):
    time, event = simulated(16)
    rows = clicked(time, event)
    other = rows.copy()
    if "incidence" in form:
        other[:, 1] = 1 - other[:, 1]
    if "percent" in form:
        other[:, 1] *= 100
    plain, same = (mg.reconstruct(x, n=60, events=int(event.sum())) for x in (rows, other))
    np.testing.assert_allclose(same.time, plain.time, rtol=1e-6)
    assert (same.event == plain.event).all()


def test_a_slightly_rising_trace_is_read():
    time, event = simulated(17, n=100)
    t = np.linspace(0, time.max(), 400)
    s = survival(time, event, t) + 0.001 * np.random.default_rng(1).standard_normal(400)
    rebuilt = mg.reconstruct([t, np.clip(s, 0, 1)], n=100, events=int(event.sum()))
    assert rebuilt.curve.kind == "trace" and curve_error(time, event, rebuilt) < 0.002


def test_rows_written_twice_count_once():
    time, event = simulated(8, 120)
    rows = clicked(time, event)
    once, twice = (mg.reconstruct(r, n=120, events=int(event.sum())) for r in (rows, np.repeat(rows, 2, axis=0)))
    assert np.array_equal(once.time, twice.time)
    assert twice.curve.notes == (f"{len(rows)} of {2 * len(rows)} rows repeat the one before and were left out",)
