"""Printed limits beside those of the rebuilt patients, and limits and rates that the curve or so few patients cannot have."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.survival.evidence.printed_facts import Facts, Interval
from metagrove.survival.reconstruction.printed_limits import narrow_rates, shown_limits
from reconstruction_cases import BY_NAME

CURVE = [[0, 1], [2, 0.8], [5, 0.6], [7, 0.4], [12, 0.2], [15, 0.2]]


@pytest.mark.parametrize("kind", ["log", "log-log", "plain"])
def test_limits_of_each_transformation_are_recognised_and_agree_when_rounded(kind):
    people, curves, *_ = BY_NAME["sim_front_loaded_censor-A"]
    true = mg.survival_curve(people[:, 0], people[:, 1])
    median = (true.median, *true.median_ci(kind))
    rate = (true.at(6), *true.interval_at(6, kind))
    rebuilt = mg.reconstruct(
        np.array(curves["exact"]),
        n=len(people),
        events=int(people[:, 1].sum()),
        median=tuple(None if np.isnan(x) else round(x, 1) for x in median),
        rates={6: tuple(round(x, 2) for x in rate)},
    )
    rows = [row for row in rebuilt.report["fit"] if "limit" in row["fact"]]
    assert [row["fact"] for row in rows] == [
        f"{what}, {side} limit ({kind})" for what in ("median", "survival at 6") for side in ("lower", "upper")
    ]
    assert all(row["agrees"] for row in rows) and rebuilt.contradictions == ()
    for row, value in zip(rows[2:], rate[1:], strict=True):
        assert row["rebuilt"] == pytest.approx(value, abs=0.005)


def test_limits_too_narrow_for_so_few_patients_contradict():
    rebuilt = mg.reconstruct(CURVE, n=10, events=7, median=(7, 6.9, 7.1), rates={6: (0.6, 0.59, 0.61)})
    assert [c.facts[0] for c in rebuilt.contradictions] == [
        "lower limit of the median",
        "upper limit of the median",
        "limits of survival at 6",
    ]
    assert "the narrowest that 10 patients give are 0.256 to 0.831" in rebuilt.contradictions[2].message
    limits = [row for row in rebuilt.fit if "limit" in row["fact"]]
    assert len(limits) == 4 and not any(row["agrees"] for row in limits)
    apart = mg.reconstruct_summary(10, rates={6: (0.6, 0.59, 0.61)}, draws=5)
    assert [c.facts for c in apart.contradictions] == [("limits of survival at 6", "n")]


def test_limits_of_any_arm_are_not_called_too_narrow():
    rng = np.random.default_rng(5)
    for _ in range(60):
        n = int(rng.integers(8, 150))
        died, left = 10 * rng.weibull(rng.choice([0.7, 1.0, 1.5]), n), rng.uniform(3, 25, n)
        curve = mg.survival_curve(np.minimum(died, left), died <= left)
        when = np.repeat(curve.time[curve.n_event > 0], 2)
        level = np.repeat(np.append(1.0, curve.survival[curve.n_event > 0]), 2)
        corners = np.column_stack((np.concatenate(([0], when, curve.time[-1:])), level))
        kind = rng.choice(["log", "log-log", "plain"])
        median = [None if np.isnan(x) else round(x, 1) for x in (curve.median, *curve.median_ci(kind))]
        rates = {t: tuple(np.round((curve.at(t), *curve.interval_at(t, kind)), 2)) for t in (2, 5)}
        rates = {t: x for t, x in rates.items() if t < curve.time[-1] and not np.isnan(x).any()}
        rebuilt = mg.reconstruct(corners, n=n, median=median if median[0] is not None else None, rates=rates)
        assert [c.message for c in rebuilt.contradictions if "limit" in c.message] == []


@pytest.mark.parametrize("printed", [0.1, 0.2])
def test_a_rate_behind_the_curve_is_called_so(printed):
    rebuilt = mg.reconstruct(CURVE, n=10, rates={24: printed})
    message = f"survival at 24 is printed as {printed:g} but the curve ends before, at 15"
    assert [c.message for c in rebuilt.contradictions] == [message]
    row = next(row for row in rebuilt.fit if row["fact"] == "survival at 24")
    assert row["rebuilt"] is None and not row["agrees"]
    dead = mg.reconstruct([[0, 1], [4, 0.5], [9, 0]], n=2, rates={24: 0.0})
    assert dead.contradictions == () and all(row["agrees"] for row in dead.fit)


def test_a_limit_that_is_not_reached_agrees_with_none_printed():
    time, event = np.arange(1.0, 11), np.arange(10) < 5
    rows = shown_limits(Facts(10, median=Interval(5.0, 3.0, None)), time, event)
    assert [(row.printed, row.rebuilt) for row in rows] == [(3.0, 3.0), (None, None)]
    assert narrow_rates(Facts(10, rates={3: Interval(0.7, 0.47, 1.0)})) == []


@pytest.mark.parametrize("events, least", [(2, 4), (3, 4), (0, 4)])
def test_events_fewer_than_the_falls_are_counted(events, least):
    found = mg.reconstruct(CURVE, n=10, events=events).contradictions
    assert found[0].message == f"{events} events are too few: the curve shows at least {least}"
    ended = [*CURVE[:-1], [15, 0.198]]  # the end, read a little lower
    assert mg.reconstruct(ended, n=10, events=4).contradictions == ()


def test_what_arithmetic_leaves_of_nothing_is_nothing():
    text = mg.reconstruct(CURVE, n=10, events=7).summary()
    assert "e-" not in text and "mean absolute difference from the curve: printed 0, rebuilt 0\n" in text
