"""The hidden-path reconstruction: exact where the curve is exact, exact totals in every draw, honest otherwise."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from reconstruction_cases import BY_NAME, corners, known, simulated, survival


@pytest.mark.parametrize("name", ["sim_tiny_n8-A", "sim_tiny_14_16-B", "sim_heavy_censor-A", "sim_drop_to_zero-B"])
@pytest.mark.parametrize("level", ["risk+events", "n+events", "n", "n+marks", "risk+events+marks"])
def test_totals_hold_in_the_point_and_every_draw(name, level):
    people, curves, risk, marks = BY_NAME[name]
    for source in ("exact", "clicks_s1", "trace_s1"):
        rebuilt = mg.reconstruct(np.array(curves[source]), **known(people, risk, marks, level), draws=20)
        sampled = rebuilt.sampled
        assert rebuilt.n == len(people) and sampled.time.shape == (20, len(people))
        if "events" in level:
            assert rebuilt.events == people[:, 1].sum()
            assert (sampled.event.sum(axis=1) == people[:, 1].sum()).all()
        if "risk" in level:
            for t, count in risk[risk[:, 0] < people[:, 0].max() * 0.98]:
                assert np.sum(rebuilt.time >= t) == count
        assert rebuilt.contradictions == ()


def distance(people, rebuilt, shift):
    """Largest difference of the curves where a shift in time is forgiven."""
    time, event = people[:, 0], people[:, 1] == 1
    t = np.linspace(0, time.max() * 0.999, 2000)
    ours = survival(rebuilt.time, rebuilt.event, t)
    high, low = survival(time, event, t - shift), survival(time, event, t + shift)
    return max(0.0, float(np.max(ours - high)), float(np.max(low - ours)))


@pytest.mark.parametrize("name", list(BY_NAME))
def test_an_exact_curve_gives_the_deaths_back(name):
    people, curves, _risk, _ = BY_NAME[name]
    rebuilt = mg.reconstruct(np.array(curves["exact"]), n=len(people), events=int(people[:, 1].sum()))
    assert distance(people, rebuilt, 1e-6) < 1e-6
    np.testing.assert_allclose(np.sort(rebuilt.time[rebuilt.event]), np.sort(people[people[:, 1] == 1, 0]), atol=1e-9)


#: Largest errors over the simulated arms, a little above what was measured (see docs/reconstruction.md).
BOUNDS = {("risk+events", "clicks_s1"): 0.006, ("risk+events", "trace_s1"): 0.003, ("n", "clicks_s2"): 0.012}


@pytest.mark.parametrize("level, source", list(BOUNDS))
def test_error_of_the_curve_stays_small(level, source):
    for name, (people, curves, risk, marks) in BY_NAME.items():
        rebuilt = mg.reconstruct(np.array(curves[source]), **known(people, risk, marks, level))
        assert distance(people, rebuilt, 0.01 * people[:, 0].max()) < BOUNDS[level, source], name


def test_draws_are_reproducible_and_differ():
    _people, curves, risk, _ = BY_NAME["sim_long_plateau-A"]
    one = mg.reconstruct(np.array(curves["clicks_s1"]), risk, draws=10, rng=4).draws
    two = mg.reconstruct(np.array(curves["clicks_s1"]), risk, draws=10, rng=4).draws
    assert one.equals(two)
    assert list(one.columns) == ["draw", "time", "event"] and one["draw"].nunique() == 10
    assert len({tuple(part["time"]) for _, part in one.groupby("draw")}) == 10


def test_draws_cover_the_true_median_and_events():
    inside = []
    for seed in range(12):
        time, event = simulated(seed, n=40)
        t, s = corners(time, event)
        rng = np.random.default_rng(seed)
        last = np.flatnonzero(np.append(np.diff(t) > 0, True))
        clicks = np.column_stack((t[last] + 0.0015 * 26 * rng.standard_normal(last.size), s[last]))
        clicks[:, 1] = np.clip(clicks[:, 1] + 0.002 * rng.standard_normal(last.size), 0, 1)
        clicks[0] = 0, 1
        sampled = mg.reconstruct(np.clip(clicks, 0, None), n=40, events=int(event.sum()), draws=60).sampled
        mean = [np.mean(np.minimum(x, 15)) for x in sampled.time]
        low, high = np.quantile(mean, (0.025, 0.975))
        inside.append(low - 0.05 <= np.mean(np.minimum(time, 15)) <= high + 0.05)
    assert np.mean(inside) >= 0.75


def test_reading_error_is_estimated():
    time, event = simulated(8, n=60)
    t, s = corners(time, event)
    last = np.flatnonzero(np.append(np.diff(t) > 0, True))
    rows = np.column_stack((t[last], s[last]))
    estimates = []
    for error in (0.0003, 0.002, 0.006):
        rng = np.random.default_rng(1)
        level = np.clip(rows[:, 1] + error * rng.standard_normal(len(rows)), 0, 1)
        level[0] = 1
        rebuilt = mg.reconstruct([rows[:, 0], level], n=60, events=int(event.sum()))
        estimates.append(rebuilt.sigma)
    assert estimates[0] < estimates[1] < estimates[2]
    assert estimates[0] < 0.0015 and estimates[2] > 0.003


def test_corners_clicked_by_hand_are_not_taken_for_drops():
    rng = np.random.default_rng(3)
    died = np.sort(rng.exponential(10, 80))
    died = died[died < 20]
    level = 1 - np.arange(1, died.size + 1) / 80
    t = np.concatenate(([0.0], np.repeat(died, 2), [20.0]))
    s = np.concatenate(([1.0], np.column_stack((np.append(1, level[:-1]), level)).ravel(), [level[-1]]))
    t[1:] += 0.03 * rng.standard_normal(t.size - 1)
    s[1:] += 0.002 * rng.standard_normal(t.size - 1)
    rebuilt = mg.reconstruct([np.clip(t, 0, None), np.clip(s, 0, 1)], n=80)
    assert rebuilt.curve.kind == "points" and rebuilt.contradictions == ()
    assert abs(rebuilt.events - died.size) <= 3
    at = np.linspace(0, 19.5, 50)
    true = 1 - np.searchsorted(died, at) / 80
    assert np.mean(np.abs(survival(rebuilt.time, rebuilt.event, at) - true)) < 0.006


def test_contradictions_are_named_and_survived():
    _people, curves, risk, _ = BY_NAME["sim_heavy_censor-A"]
    wrong = risk.copy()
    wrong[1, 1] = 60  # nobody left, although the curve has fallen
    rebuilt = mg.reconstruct(np.array(curves["exact"]), wrong)
    assert rebuilt.n == 60
    assert any("60" in item.message and "curve" in item.message for item in rebuilt.contradictions)
    rebuilt = mg.reconstruct([[0, 1], [3, 0.9], [6, 0.8], [12, 0.7], [20, 0.6]], [[0, 40], [12, 30]], events=23)
    said = [item.message for item in rebuilt.contradictions]
    assert any(message.startswith("23 events cannot leave 30 at risk at 12") for message in said)
    assert rebuilt.events == 23


def test_open_stretches_are_flagged_only_where_open():
    _people, curves, risk, marks = BY_NAME["sim_heavy_censor-A"]
    bare = mg.reconstruct(np.array(curves["clicks_s1"]), n=60)
    full = mg.reconstruct(np.array(curves["exact"]), risk, events=14, marks=marks)
    assert any(guess.what == "censored" for guess in bare.guesses)
    assert len(full.guesses) < len(bare.guesses)


def test_guesses_are_the_same_whenever_they_are_read():
    _people, curves, _risk, _ = BY_NAME["sim_heavy_censor-A"]
    one, other = (mg.reconstruct(np.array(curves["clicks_s1"]), n=60) for _ in range(2))
    carried = pickle.loads(pickle.dumps(one))
    assert len(one.guesses) > 0 and isinstance(carried.guesses, tuple)
    assert one.guesses == other.guesses == carried.guesses and hash(one.guesses) == hash(carried.guesses)
    assert repr(one.guesses) == repr(carried.guesses) and one.guesses[0] in other.guesses
    assert one.report == carried.report and one.summary() == carried.summary()


def test_flat_curve_and_single_patient():
    flat = mg.reconstruct([[0, 1], [20, 1]], n=10)
    assert flat.events == 0 and flat.time.max() == 20
    one = mg.reconstruct([[0, 1], [5, 0]], n=1)
    assert one.time.tolist() == [5] and one.event.tolist() == [True]


def test_printed_rates_pull_the_curve():
    _people, curves, _risk, _ = BY_NAME["sim_long_plateau-B"]
    clicks = np.array(curves["clicks_s1"])
    rebuilt = mg.reconstruct(clicks, n=100, rates={20: 0.55})
    facts = {row["fact"]: row for row in rebuilt.report["fit"]}
    assert abs(facts["survival at 20"]["difference"]) < 0.006
    off = mg.reconstruct(clicks, n=100, rates={20: 0.9})
    assert any("survival at 20 is printed as 0.9" in item.message for item in off.contradictions)


def test_two_arms_agree_with_the_printed_hazard_ratio():
    arms = []
    for name in ("sim_front_loaded_censor-A", "sim_front_loaded_censor-B"):
        people, curves, risk, marks = BY_NAME[name]
        arms.append({"curve": np.array(curves["clicks_s1"]), **known(people, risk, marks, "n+events")})
    pair = mg.reconstruct_arms(*arms, hr=0.69, draws=30)
    assert np.exp(pair.loghr) == pytest.approx(0.69, abs=0.0051)
    assert np.exp(np.median(pair.drawn_loghr)) == pytest.approx(0.69, abs=0.0051)
    assert pair.control.events == arms[0]["events"] and pair.contradictions == ()
    wrong = mg.reconstruct_arms(*arms, hr=2.4, draws=5)
    assert "no rebuilt pair" in wrong.contradictions[0].message


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(1, 30), st.integers(0, 10_000), st.booleans(), st.booleans())
def test_any_arm_is_rebuilt_with_its_totals(n, seed, with_events, with_risk):
    rng = np.random.default_rng(seed)
    time, event = np.round(rng.weibull(1.2, n) * 10 + 0.05, 1), rng.random(n) < rng.random()
    t, s = corners(time, event)
    risk = [(x, int(np.sum(time >= x))) for x in np.linspace(0, time.max(), 5)] if with_risk else None
    given = {"events": int(event.sum())} if with_events else {}
    rebuilt = mg.reconstruct([t, np.round(s, 4)], risk, n=n, **given, draws=3)
    assert rebuilt.n == n and rebuilt.sampled.time.shape == (3, n)
    assert rebuilt.time.max() == pytest.approx(time.max())
    if with_events:
        assert rebuilt.events == event.sum()


def traced(time, event, columns=450, seed=0):
    """A trace with half a pixel of error on 600 rows."""
    t = np.append(np.arange(columns) * time.max() / columns, time.max())
    s = survival(time, event, t)
    rng = np.random.default_rng(seed)
    return [t, np.clip(np.round(600 * s + 0.5 * rng.standard_normal(t.size)) / 600, 0, 1)]


def test_drawn_patients_show_the_curve_of_their_path_without_bias():
    """Censored before a death on the path, censored before it in time: else survival is too high, by .0007 before this held."""
    bias = []
    for seed in range(8):
        time, event = simulated(seed + 30, n=150)
        risk = [(t, np.sum(time >= t)) for t in np.linspace(0, 20, 6)]
        sampled = mg.reconstruct(traced(time, event), risk, events=int(event.sum()), draws=30).sampled
        t = np.linspace(0, time.max() * 0.99, 500)
        drawn = np.mean([survival(a, b, t) for a, b in zip(sampled.time, sampled.event, strict=True)], axis=0)
        bias.append(np.mean(drawn - survival(time, event, t)))
    assert abs(np.mean(bias)) < 0.0003


def test_draws_allow_for_a_curve_that_is_cut_where_many_are_followed():
    rng = np.random.default_rng(2)
    time = np.minimum(rng.exponential(30, 60), 24.0)
    event = time < 24
    event &= time < 12  # nobody dies late, all others are followed to the cut
    time = np.where(event, time, 24.0)
    t, s = corners(time, event)
    sampled = mg.reconstruct([t, s], n=60, events=int(event.sum()), draws=100).sampled
    late = np.sum(sampled.time >= 18, axis=1)
    true = np.sum(time >= 18)
    assert late.min() < true / 2 and np.mean(late > 0.8 * true) > 0.05


def greenwood(time, event, t):
    """Survival at `t` with log-log limits, by hand."""
    when, deaths = np.unique(time[event & (time <= t)], return_counts=True)
    risk = np.array([np.sum(time >= x) for x in when])
    s = float(np.prod(1 - deaths / risk))
    error = 1.96 * np.sqrt(np.sum(deaths / (risk * (risk - deaths)))) / -np.log(s)
    return round(s, 3), round(s ** np.exp(error), 3), round(s ** np.exp(-error), 3)


def test_printed_limits_tell_how_many_were_at_risk():
    """With n alone the curve hardly shows censoring; the width of a printed interval does."""
    closer = []
    for seed in range(6):
        rng = np.random.default_rng(seed + 50)
        died, left = rng.exponential(14, 160), np.where(rng.random(160) < 0.5, rng.uniform(0, 6, 160), 24.0)
        time, event = np.minimum(died, left), died <= left
        t, s = corners(time, event)
        last = np.flatnonzero(np.append(np.diff(t) > 0, True))
        clicks = np.column_stack((t[last], np.clip(s[last] + 0.004 * rng.standard_normal(last.size), 0, 1)))
        rates = {x: greenwood(time, event, x) for x in (8.0, 16.0)}
        true = np.array([np.sum(time >= x) for x in rates])
        errors = []
        for printed in ({}, {"rates": rates}):
            sampled = mg.reconstruct(clicks, n=160, **printed, draws=50).sampled
            errors.append(np.abs(np.mean([np.sum(sampled.time >= x, axis=1) for x in rates], axis=1) - true).sum())
        closer.append(errors[1] - errors[0])
    assert np.mean(closer) < 0 and np.mean(np.array(closer) < 0) >= 0.5


def test_printed_rates_hold_in_every_draw():
    people, curves, _, _ = BY_NAME["sim_long_plateau-B"]
    time, event = people[:, 0], people[:, 1] == 1
    rates = {x: round(float(survival(time, event, np.array([x]))[0]), 3) for x in (10.0, 20.0, 30.0)}
    off = []
    for printed in ({}, {"rates": rates}):
        sampled = mg.reconstruct(np.array(curves["clicks_s2"]), n=len(people), **printed, draws=40).sampled
        drawn = [
            [survival(a, b, np.array([x]))[0] for x in rates] for a, b in zip(sampled.time, sampled.event, strict=True)
        ]
        off.append(np.mean(np.abs(np.array(drawn) - list(rates.values()))))
    assert off[1] < 0.7 * off[0]


def test_a_large_trial_is_no_contradiction():
    """Two thousand patients: every drop holds several deaths, and thousands of states are alive between two drops."""
    rng = np.random.default_rng(0)
    died, end = 12 * rng.weibull(1.1, 2000), rng.uniform(6, 30, 2000)
    time, event = np.minimum(died, end), died <= end
    drops = np.sort(time[event])
    level = survival(time, event, drops)
    shown = np.flatnonzero(np.diff(np.floor(level * 400), prepend=400) < 0)  # what 400 pixels tell apart
    clicks = np.column_stack((drops[shown], level[shown] + 0.001 * rng.standard_normal(shown.size)))
    curve = np.vstack(([0, 1], clicks, [time.max(), level[-1]]))
    ticks = np.arange(0, time.max(), 6)
    risk = np.array([(t, np.sum(time >= t)) for t in ticks])
    for printed in ({"at_risk": risk}, {"n": 2000}):
        rebuilt = mg.reconstruct(curve, **printed, events=int(event.sum()))
        assert rebuilt.report["contradictions"] == []
        assert rebuilt.time.size == 2000 and rebuilt.event.sum() == event.sum()
        grid = np.linspace(0.5, 25, 50)
        error = np.abs(survival(rebuilt.time, rebuilt.event, grid) - survival(time, event, grid))
        assert error.mean() < 0.003


@pytest.mark.parametrize("n", [20, 40, 200])
def test_equal_falls_are_many_deaths_among_all_not_one_among_a_few_left(n):
    rebuilt = mg.reconstruct([[0, 1], [2, 0.8], [5, 0.6], [9, 0.4], [12, 0.2]], n=n, draws=60, rng=1)
    first = rebuilt.event & (rebuilt.time == rebuilt.time[rebuilt.event].min())
    assert rebuilt.events > 0.5 * n
    assert first.sum() > 0.1 * n
    # nothing printed denies heavy censoring, so that the draws range widely
    assert np.ptp(rebuilt.sampled.event.sum(axis=1)) > 0.3 * n


@pytest.mark.parametrize("level", ["n", "risk"])
@pytest.mark.parametrize("source", ["trace_s1", "trace_s2", "trace_s3"])
def test_a_fall_to_zero_is_one_death_after_the_last_but_one_has_left(level, source):
    """Of two at risk one leaves and one dies: no two deaths on a day, where all others came one by one."""
    people, curves, risk, marks = BY_NAME["sim_tiny_14_16-B"]
    rebuilt = mg.reconstruct(np.array(curves[source]), **known(people, risk, marks, level))
    assert rebuilt.events == int(people[:, 1].sum()) == 15
    last = rebuilt.time[rebuilt.event].max()
    assert np.sum(rebuilt.event & (rebuilt.time == last)) == 1
