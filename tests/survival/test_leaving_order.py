"""Who was censored before a death is not at risk for it, whatever rule of ties and however many digits the times are read with."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.app.products import csv_bytes
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.paths.leaving_order import in_order
from metagrove.survival.reconstruction.rebuilt import levels_at, product_limit
from reconstruction_cases import BY_NAME, known


def read_again(time, event, digits):
    """Patients as a table gives them back."""
    rows = [[float(f"{t:.{digits}g}"), int(e)] for t, e in zip(time, event, strict=True)]
    frame = pd.read_csv(io.BytesIO(csv_bytes(["time", "event"], rows)))
    return frame["time"].to_numpy(), frame["event"].to_numpy() == 1


def levels_in_order(event):
    """Survival after each death of patients who leave one by one."""
    risk = np.arange(event.size, 0, -1)
    return np.cumprod(np.where(event, 1 - 1 / risk, 1.0))


def check(time, event):
    """The curve of the table, times within R's tolerance taken for one, shows the levels of the patients in their order."""
    for digits in (17, 6):
        curve = mg.survival_curve(*read_again(time, event, digits))
        gone = np.cumsum(curve.n_event + curve.n_censor).astype(int)
        np.testing.assert_allclose(curve.survival, levels_in_order(event)[gone - 1], atol=1e-12)


@pytest.mark.parametrize("level", ["risk+events+marks", "n+marks", "risk"])
@pytest.mark.parametrize("source", ["exact", "clicks_s1", "trace_s2"])
def test_an_arm_s_order_outlives_its_table(level, source):
    people, curves, risk, marks = BY_NAME["sim_heavy_censor-A"]
    rebuilt = mg.reconstruct(np.array(curves[source]), **known(people, risk, marks, level), draws=40)
    check(rebuilt.time, rebuilt.event)
    for one in zip(rebuilt.sampled.time, rebuilt.sampled.event, strict=True):
        check(*one)


CONTROL = {"curve": [[0, 1], [2, 0.8], [5, 0.6], [7, 0.4], [12, 0.2], [15, 0.2]], "n": 10, "events": 7}
TREATED = {"curve": [[0, 1], [3, 0.9], [6, 0.7], [9, 0.6], [14, 0.4], [18, 0.4]], "n": 10, "events": 6}


@pytest.mark.parametrize("printed", [{"p": 0.27}, {"p": 0.25}, {"p": 0.27, "hr": 0.53}, {"hr": 0.5}, {"p": 0.2}])
def test_what_two_arms_are_to_show_does_not_break_a_curve(printed):
    pair = mg.reconstruct_arms(CONTROL, TREATED, draws=10, **printed)
    for arm, given_ in ((pair.control, CONTROL), (pair.treated, TREATED)):
        time, level = np.array(given_["curve"]).T
        np.testing.assert_allclose(mg.survival_curve(arm.time, arm.event).at(time), level, atol=1e-9)
        check(arm.time, arm.event)


def pair_of(n, seed, months):
    """Two arms by the exact corners of their curves, most patients censored early."""
    arms = []
    for a in range(2):
        rng = np.random.default_rng(2 * seed + a)
        died, left = rng.weibull(1.2, n) * 10 * 0.65 ** (-a / 1.2), 0.5 + 5.5 * rng.random((3, n))[2]
        time, event = np.minimum(died, left), died <= left
        time = np.maximum(np.round(time), 1) if months else time
        when, level = product_limit(time, event)
        t = np.concatenate(([0.0], np.repeat(when, 2), [time.max()]))
        s = np.repeat(np.append(1.0, level), 2)
        arms.append({"curve": np.column_stack((t, s)), "n": n, "events": int(event.sum())})
    return arms


@pytest.mark.parametrize(
    "n, seed, months, hr, p", [(15, 3, False, (0.9, 0.13, 6.45), 0.92), (40, 4, True, (0.42, 0.15, 1.21), 0.093)]
)
def test_pairs_of_few_patients_keep_their_curves(n, seed, months, hr, p):
    arms = pair_of(n, seed, months)
    if months:
        for arm in arms:
            del arm["events"]
    pair = mg.reconstruct_arms(*arms, hr=hr, p=p, draws=10, rng=seed)
    assert abs(np.exp(pair.loghr) - hr[0]) <= 0.0051
    for arm, given_ in zip((pair.control, pair.treated), arms, strict=True):
        check(arm.time, arm.event)
        time, level = given_["curve"][2::2].T
        shown = levels_at(product_limit(arm.time, arm.event), time)
        np.testing.assert_allclose(shown, level, atol=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_patients_are_moved_as_little_as_keeps_their_order(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    time = np.sort(np.round(rng.random((1, n)) * 5, 1) + rng.integers(0, 3, (1, n)) * 1e-6)
    event = rng.random((1, n)) < 0.5
    risk = np.array([2.0])
    count = (time[0] >= 2).sum()
    facts = Facts(n, risk_time=risk, risk_n=np.array([count]))
    moved = in_order(time.copy(), event, facts, 5.0)
    assert (np.diff(moved[0]) >= 0).all() and np.abs(moved - time).max() < n * 3e-4
    assert (moved[0] >= 2).sum() == count
    check(moved[0], event[0])
    np.testing.assert_array_equal(in_order(moved.copy(), event, facts, 5.0), moved)
