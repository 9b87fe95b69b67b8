"""Curves and facts at the edges of what is printed: an answer that keeps n and events, or one line that says why not."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.core.errors import MetagroveError
from metagrove.survival.reconstruction.likely_patients import with_total

LEVELS = ("n", "n+events", "risk", "risk+events", "n+marks", "risk+events+marks")


def arm(seed, n, *, scale=12.0, grid=0.0):
    """Sorted times and events of `n` simulated patients."""
    rng = np.random.default_rng(seed)
    died, left = scale * rng.weibull(1.1, n), 2 * scale * rng.random(n) + 1e-3
    time, event = np.minimum(died, left), died <= left
    time = np.maximum(np.ceil(time / grid), 1) * grid if grid else np.round(time, 6) + 1e-6
    order = np.lexsort((~event, time))
    return time[order], event[order]


def rows_of(time, event, form, rng):
    """The curve as corners, clicks or trace."""
    when = np.unique(time[event])
    at_risk = np.array([np.sum(time >= t) for t in when])
    deaths = np.array([np.sum((time == t) & event) for t in when])
    level = np.cumprod(1 - deaths / np.maximum(at_risk, 1)) if when.size else np.zeros(0)
    end, last = time.max(), float(level[-1]) if when.size else 1.0
    if form == "exact":
        before = np.concatenate(([1.0], level))[:-1] if when.size else level
        pairs = [row for t, a, b in zip(when, before, level, strict=True) for row in ((t, a), (t, b))]
        return np.array([(0, 1.0), *pairs, (end, last)])
    if form == "clicks":
        seen = np.column_stack((when + 0.001 * end * rng.standard_normal(when.size), level))
        rows = np.vstack(([(0, 1.0)], seen, [(end, last)]))
    else:
        grid = np.linspace(0, end, 200)
        rows = np.column_stack((grid, np.concatenate(([1.0], level))[np.searchsorted(when, grid, side="right")]))
        rows = np.vstack((rows, [(end, last)]))
    rows[1:, 1] += 0.001 * rng.standard_normal(len(rows) - 1)
    return np.clip(rows, 0, [np.inf, 1])


def given(time, event, level):
    """What the level of information tells."""
    ticks = np.linspace(0, time.max(), 5)[:-1]
    facts = {"n": time.size} if level.startswith("n") else {"at_risk": [(t, int(np.sum(time >= t))) for t in ticks]}
    if "events" in level:
        facts["events"] = int(event.sum())
    if "marks" in level:
        facts["marks"] = np.unique(np.round(time[~event], 2)).clip(0, time.max())
    return facts


def answered(rows, facts, *, draws=0):
    """The rebuilt patients, with n, events and numbers at risk as given unless a contradiction is named."""
    found = mg.reconstruct(rows, **facts, draws=draws)
    n = facts.get("n") or int(np.asarray(facts["at_risk"], dtype=float)[0, 1])
    assert found.n == n and np.isfinite(found.time).all() and found.time.min() >= 0
    assert found.events == facts.get("events", found.events)
    if draws:
        assert found.sampled.time.shape == (draws, n)
        assert "events" not in facts or np.all(found.sampled.event.sum(axis=1) == facts["events"])
    for t, k in facts.get("at_risk", ()):
        assert found.contradictions or not np.isfinite(k) or int(np.sum(found.time >= t)) == k
    assert found.summary() and found.report
    return found


@pytest.mark.parametrize("form", ["exact", "clicks", "trace"])
@pytest.mark.parametrize("level", LEVELS)
def test_three_patients(form, level):
    for seed in range(4):
        time, event = arm(seed, 3)
        rng = np.random.default_rng(seed)
        answered(rows_of(time, event, form, rng), given(time, event, level), draws=3)


def _nobody(time, event):
    return time, np.zeros(time.size, dtype=bool)


def _one(time, event):
    return time, np.arange(time.size) == time.size // 2


def _all_at_first(time, event):
    return np.full(time.size, 7.0), np.ones(time.size, dtype=bool)


def _to_zero(time, event):
    return time, event | (np.arange(time.size) == time.size - 1)


@pytest.mark.parametrize("form", ["exact", "clicks", "trace"])
@pytest.mark.parametrize("change", [_nobody, _one, _all_at_first, _to_zero])
@pytest.mark.parametrize("level", LEVELS)
def test_flat_curves_one_drop_and_falls_to_zero(form, change, level):
    time, event = change(*arm(3, 24))
    rows = rows_of(time, event, form, np.random.default_rng(3))
    found = answered(rows, given(time, event, level), draws=2)
    assert change is not _nobody or found.events == 0
    assert change is not _all_at_first or (found.events > 0 and float(found.time.max()) == pytest.approx(7, rel=0.01))


@pytest.mark.parametrize("level", LEVELS)
def test_recorded_times_percent_and_incidence(level):
    rng = np.random.default_rng(5)
    time, event = arm(5, 60, grid=1.0)
    rows = rows_of(time, event, "clicks", rng)
    answered(rows * [1, 100], given(time, event, level))
    answered(np.column_stack((rows[:, 0], 1 - rows[:, 1])), given(time, event, level))
    days, died = arm(6, 80, scale=1700.0, grid=1.0)
    for form in ("exact", "clicks", "trace"):
        answered(rows_of(days, died, form, rng), given(days, died, level))


@pytest.mark.parametrize("form", ["clicks", "trace"])
def test_tables_that_deny_the_curve_are_named(form):
    time, event = arm(7, 80)
    rows = rows_of(time, event, form, np.random.default_rng(7))
    facts = given(time, event, "risk+events")
    low = [(t, k if i == 0 else k // 3) for i, (t, k) in enumerate(facts["at_risk"])]
    flat = [(t, 80) for t, _ in facts["at_risk"]]
    for table in (low, flat):
        assert answered(rows, facts | {"at_risk": table}).contradictions
    assert answered(rows, facts | {"events": 80}).contradictions


@pytest.mark.parametrize("form", ["exact", "clicks", "trace"])
def test_missing_cells_and_zeros_before_the_end(form):
    time, event = arm(8, 50)
    rows = rows_of(time, event, form, np.random.default_rng(8))
    facts = given(time, event, "risk+events")
    answered(rows, facts | {"at_risk": [(t, np.nan if i % 2 else k) for i, (t, k) in enumerate(facts["at_risk"])]})
    zeros = [(t, k if i == 0 else 0) for i, (t, k) in enumerate(facts["at_risk"])]
    assert answered(rows, facts | {"at_risk": zeros}).contradictions


def test_marks_at_and_behind_the_end():
    time, event = arm(9, 30)
    rows = rows_of(time, event, "clicks", np.random.default_rng(9))
    facts = given(time, event, "n+marks")
    answered(rows, facts | {"marks": [*facts["marks"], time.max(), 1.02 * time.max()]})
    with pytest.raises(MetagroveError, match="a censor mark is at"):
        answered(rows, facts | {"marks": [*facts["marks"], 1.5 * time.max()]})
    assert answered(rows, facts | {"marks": []}, draws=2).n == 30


def test_more_marks_than_the_falls_leave_are_named():
    rows = [[0, 1], [2, 0.75], [4, 0.5], [6, 0.25], [9, 0.25]]
    said = answered(rows, {"n": 4, "marks": [1, 3, 5]}).contradictions
    assert any("3 censor marks are too many" in c.message for c in said)


@pytest.mark.parametrize("level", ["n", "n+events", "risk", "risk+events"])
def test_thousands_of_patients_keep_their_totals(level):
    time, event = arm(10, 5000)
    rows = rows_of(time, event, "trace", np.random.default_rng(10))[::3]
    found = answered(rows, given(time, event, level), draws=2)
    assert found.contradictions == ()
    assert "events" in level or found.fit[1]["rebuilt"] < 0.004


def test_a_total_is_met_by_few_flags_over_the_whole_follow_up():
    rng = np.random.default_rng(2)
    time = np.sort(rng.uniform(0, 10, (3, 400)), axis=1)
    event = rng.random((3, 400)) < 0.5
    for total in (150, 200, 260, 400, 0):
        found = with_total(time, event, total)
        assert np.all(found.sum(axis=1) == total)
        assert np.array_equal((found != event).sum(axis=1), np.abs(event.sum(axis=1) - total))
    moved = time[0][with_total(time, event, 250)[0] != event[0]]
    assert moved.size > 20 and moved[0] < 1 and moved[-1] > 9 and np.diff(moved).max() < 1.5
