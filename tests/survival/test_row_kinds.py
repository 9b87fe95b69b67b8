"""What rows are taken for: one click per drop, both corners of the steps, or places anywhere on the curve."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.core.errors import UnknownName
from reconstruction_cases import corners, survival


def patients(n, seed):
    rng = np.random.default_rng([n, seed])
    died, left = 10 * rng.weibull(1.2, n), rng.uniform(3, 25, n)
    return np.minimum(died, left), died <= left


def by_hand(at, level, seed, end):
    """Rows with the noise of a hand, in order of time, from (0, 1) on."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack((at, level)) + [0.0015 * end, 0.002] * rng.standard_normal((len(at), 2))
    rows = np.clip(np.vstack(([0, 1], rows)), 0, [np.inf, 1])
    return rows[np.argsort(rows[:, 0], kind="stable")]


def places(form, time, event, many, seed):
    end = time.max()
    at = np.linspace(0, end, many + 1)[1:]
    if form == "random":
        at = np.append(np.sort(np.random.default_rng(seed).uniform(0, end, many - 1)), end)
    return by_hand(at, survival(time, event, at), seed, end)


@pytest.mark.parametrize("form", ["random", "even"])
@pytest.mark.parametrize(("n", "many"), [(25, 40), (80, 25), (200, 20), (200, 50), (600, 40)])
@pytest.mark.parametrize("known", ["n", "n+events", "risk"])
def test_places_anywhere_are_not_taken_for_drops(form, n, many, known):
    time, event = patients(n, 1)
    ticks = np.arange(0, time.max(), 4)
    given = {"at_risk": [(t, int(np.sum(time >= t))) for t in ticks]} if known == "risk" else {"n": n}
    given |= {"events": int(event.sum())} if "events" in known else {}
    rebuilt = mg.reconstruct(places(form, time, event, many, 1), **given)
    assert rebuilt.curve.kind == "points" and rebuilt.contradictions == ()
    at = np.linspace(0, 0.8 * time.max(), 1000)
    true, ours = survival(time, event, at), survival(rebuilt.time, rebuilt.event, at)
    assert ours.mean() == pytest.approx(true.mean(), rel=0.025)


def test_readings_of_a_smooth_curve_are_places():
    at = np.linspace(0, 24, 21)
    rebuilt = mg.reconstruct(np.column_stack((at, np.round(np.exp(-at / 10), 3))), n=200)
    assert rebuilt.curve.kind == "points"
    grid = np.linspace(0, 20, 2001)
    assert 20 * survival(rebuilt.time, rebuilt.event, grid).mean() == pytest.approx(10 * (1 - np.exp(-2)), abs=0.08)


@pytest.mark.parametrize("n", [25, 80, 200])
def test_both_corners_are_not_too_many_drops(n):
    for seed in range(4):
        time, event = patients(n, seed)
        t, s = corners(time, event)
        rebuilt = mg.reconstruct(by_hand(t[1:], s[1:], seed, time.max()), n=n, events=int(event.sum()))
        assert rebuilt.curve.kind == "points" and rebuilt.contradictions == ()


@pytest.mark.parametrize("n", [25, 80, 200, 600])
@pytest.mark.parametrize("step", [0, 7 / 30.4375, 1.0])
def test_one_click_per_drop_stays_so_on_any_grid_of_times(n, step):
    for seed in range(4):
        time, event = patients(n, seed)
        time = np.ceil(time / step) * step if step else time
        when = np.unique(time[event])
        rows = by_hand(np.append(when, time.max()), survival(time, event, np.append(when, 99.0)), seed, time.max())
        assert mg.reconstruct(rows, n=n).curve.kind in ("clicks", "digitized")


def test_the_kind_can_be_stated():
    time, event = patients(60, 2)
    when = np.unique(time[event])
    rows = by_hand(when, survival(time, event, when), 2, time.max())
    read = {k: mg.reconstruct(rows, n=60, kind=k).curve.kind for k in ("drops", "places", "corners", "trace")}
    assert read == {"drops": "clicks", "places": "points", "corners": "points", "trace": "trace"}
    exact = np.column_stack(corners(time, event))
    assert mg.reconstruct(exact, n=60, kind="corners").curve.kind == "exact"
    arms = [{"curve": rows, "n": 60, "kind": "places"}] * 2
    assert mg.reconstruct_arms(*arms).control.curve.kind == "points"
    with pytest.raises(UnknownName, match="No kind of rows 'place'; nearest: places"):
        mg.reconstruct(rows, n=60, kind="place")


#: Clicks on the curve of 100 patients under heavy censoring, the last of whom dies at 5.976.
TO_ZERO = [
    [0.0, 1.0],
    [0.232, 0.992],
    [0.409, 0.981],
    [0.653, 0.967],
    [1.001, 0.956],
    [1.057, 0.949],
    [1.367, 0.937],
    [1.43, 0.924],
    [1.796, 0.915],
    [2.21, 0.899],
    [2.387, 0.885],
    [2.432, 0.869],
    [2.625, 0.854],
    [2.83, 0.838],
    [3.095, 0.821],
    [3.252, 0.802],
    [3.588, 0.783],
    [3.864, 0.76],
    [3.946, 0.741],
    [4.051, 0.718],
    [5.976, 0.004],
    [5.979, -0.001],
]


def test_a_last_fall_to_zero_says_nothing_about_the_rows():
    for kind in (None, "places"):
        rebuilt = mg.reconstruct(TO_ZERO, n=100, kind=kind)
        assert rebuilt.curve.kind == ("clicks" if kind is None else "points")
        assert rebuilt.time.max() == pytest.approx(5.976, abs=0.02) and rebuilt.event[-1]


def test_deaths_between_two_places_are_spread_between_them():
    rows = [[0, 1], [4, 0.7], [8, 0.5], [13, 0.36], [20, 0.3]]
    rebuilt = mg.reconstruct(rows, n=100, events=65, kind="places", draws=20)
    deaths = rebuilt.time[rebuilt.event]
    assert np.unique(deaths).size > 40
    assert survival(rebuilt.time, rebuilt.event, np.array(rows)[:, 0]) == pytest.approx(np.array(rows)[:, 1], abs=0.008)
    assert survival(rebuilt.time, rebuilt.event, np.array([2.0, 6.0])) == pytest.approx([0.85, 0.6], abs=0.02)
    drawn = [np.unique(t[e]).size for t, e in zip(rebuilt.sampled.time, rebuilt.sampled.event, strict=True)]
    assert min(drawn) > 40


def staircase(n, seed, pixels):
    """Steps as a program reads them off a picture: levels to a part of a pixel, steep stretches cut into single columns."""
    rng = np.random.default_rng([n, seed])
    time, event = patients(n, seed)
    column = time.max() / 600
    rows, level = [(0.0, 1.0)], 1.0
    for t in np.arange(column, time.max(), column):
        seen = float(survival(time, event, np.array([t]))[0]) + rng.uniform(-0.1, 0.1) / pixels
        if level - seen > 0.35 / pixels:
            if level - seen > 2 / pixels and rng.random() < 0.7:  # the edge of a thick line, read as a step of its own
                rows.append((t - rng.uniform(0.1, 0.5) * column, level - rng.uniform(0.3, 1.0) / pixels))
            rows.append((t + rng.uniform(0, 0.3) * column, seen))
            level = seen
    return time, event, np.array([*rows, (0.99 * time.max(), level), (time.max(), level)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [60, 120, 200])
def test_the_steps_that_a_program_reads_are_no_places(n, seed):
    time, event, rows = staircase(n, seed, 400)
    ticks = np.arange(0, time.max(), 5)
    table = [(t, int(np.sum(time >= t))) for t in ticks]
    assert mg.reconstruct(rows, at_risk=table).curve.kind == "digitized"
    rebuilt = mg.reconstruct(
        rows[:-2], at_risk=table[: int(np.sum(ticks < rows[-3, 0]))]
    )  # without the end of the line
    assert rebuilt.curve.kind in ("digitized", "clicks")
    at = np.linspace(0, 0.99 * rows[-3, 0], 500)
    assert np.mean(np.abs(survival(rebuilt.time, rebuilt.event, at) - survival(time, event, at))) < 0.004
