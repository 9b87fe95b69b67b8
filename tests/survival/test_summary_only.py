"""Patients without a curve: every set shows what is printed, and the rest is as uncertain as it deserves."""

import itertools

import numpy as np
import pytest

import metagrove as mg
from metagrove.survival.reconstruction.rebuilt import levels_at, median_of, product_limit
from metagrove.survival.reconstruction.summary_points import _nearest_level


def test_every_set_shows_the_median_and_the_events_and_the_rest_is_wide():
    rebuilt = mg.reconstruct_summary(40, median=(5.6, 3.9, 8.0), events=30, draws=60)
    assert rebuilt.n == 40 and rebuilt.events == 30
    sets = list(zip(rebuilt.sampled.time, rebuilt.sampled.event, strict=True))
    assert (rebuilt.sampled.event.sum(axis=1) == 30).all()
    assert rebuilt.guesses[0].what == "everything"
    medians = np.array([median_of(*one) for one in sets])
    assert np.mean(np.abs(medians - 5.6) <= 0.0501) > 0.95
    early = [float(levels_at(product_limit(*one), np.array(2.8))) for one in sets]
    assert np.quantile(early, 0.95) - np.quantile(early, 0.05) > 0.15
    with pytest.raises(mg.DataError, match="median or a rate"):
        mg.reconstruct_summary(40)


def test_rates_are_met_and_limits_tell_how_many_were_censored():
    """The same rates with wider limits mean fewer at risk, so fewer deaths."""
    few, many = (
        mg.reconstruct_summary(100, rates={6: (0.7, 0.7 - x, 0.7 + 0.8 * x), 12: (0.5, 0.5 - y, 0.5 + y)}, follow_up=18)
        for x, y in ((0.10, 0.10), (0.115, 0.145))
    )
    for rebuilt in (few, many):
        steps = [product_limit(t, e) for t, e in zip(rebuilt.sampled.time, rebuilt.sampled.event, strict=True)]
        for t, s in ((6, 0.7), (12, 0.5)):
            assert np.mean([abs(float(levels_at(one, np.array(t))) - s) < 0.015 for one in steps]) > 0.9
    assert np.median(many.sampled.event.sum(axis=1)) < np.median(few.sampled.event.sum(axis=1)) - 5


def test_draws_cover_the_truth():
    inside = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(25, 120))
        died, left = 10 * rng.weibull(rng.choice([0.8, 1.0, 1.4]), n), rng.uniform(6, 24, n)
        time, event = np.minimum(died, left), died <= left
        order = np.argsort(time)
        time, event = time[order], event[order]
        if median_of(time, event) is None:
            continue
        rebuilt = mg.reconstruct_summary(
            n, median=round(median_of(time, event), 1), events=int(event.sum()), follow_up=float(time[-1]), draws=60
        )
        for t in (3.0, 9.0):
            drawn = [
                float(levels_at(product_limit(*one), np.array(t)))
                for one in zip(rebuilt.sampled.time, rebuilt.sampled.event, strict=True)
            ]
            low, high = np.quantile(drawn, (0.025, 0.975))
            inside.append(low - 1e-9 <= float(levels_at(product_limit(time, event), np.array(t))) <= high + 1e-9)
    assert len(inside) > 30 and np.mean(inside) > 0.85


@pytest.mark.parametrize(
    "given",
    [
        {"n": 136, "median": 12.3, "events": 100},
        {"n": 40, "median": 5.6, "events": 5},
        {"n": 1, "median": 5.6, "events": 1},
        {"n": 12, "median": 5.0, "events": 12},
        {"n": 20, "median": 6.1, "rates": {3: 0.8, 12: 0.3}, "events": 16},
        {"n": 20, "rates": {3: 1.0, 6: 0.8, 12: 0.4}},
        {"n": 30, "rates": {6: 0.5, 12: 0.5}, "follow_up": 20},
    ],
)
def test_every_set_shows_the_printed_median_by_the_rule_of_r_and_the_printed_rates(given):
    rebuilt = mg.reconstruct_summary(**given, draws=60)
    assert rebuilt.contradictions == () and all(row["agrees"] for row in rebuilt.fit)
    sets = [mg.survival_curve(t, e) for t, e in zip(rebuilt.sampled.time, rebuilt.sampled.event, strict=True)]
    for curve in (*sets, mg.survival_curve(rebuilt.time, rebuilt.event)):
        assert curve.events == given.get("events", curve.events)
        if "median" in given:
            assert curve.median == pytest.approx(given["median"], abs=0.0501 if given["median"] % 1 else 0.501)
        for t, rate in given.get("rates", {}).items():
            assert curve.at(t) == pytest.approx(rate, abs=0.00501)
        assert curve.time[-1] <= given.get("follow_up", np.inf) + 1e-9


@pytest.mark.parametrize(
    "given, facts, message",
    [
        (
            {"n": 40, "rates": {6: 0.5, 12: 0.7}},
            ("survival at 12", "survival at 6"),
            "survival of 0.5 at 6 and survival of 0.7 at 12 are printed; survival never rises",
        ),
        (
            {"n": 40, "median": 5.6, "rates": {6: 0.9}},
            ("survival at 6", "median"),
            "a median of 5.6 and survival of 0.9",
        ),
        ({"n": 40, "median": 5.6, "rates": {5: 0.3}}, ("median", "survival at 5"), "survival never rises"),
        ({"n": 40, "median": 5.6, "events": 0}, ("median", "n", "events"), "but there were no events"),
        ({"n": 3, "rates": {6: 0.71}}, ("survival at 6", "n"), "the nearest that 3 patients can show is 0.667"),
        ({"n": 20, "events": 20, "rates": {6: 0.71}}, ("survival at 6", "n", "events"), "can show is 0.7"),
        (
            {"n": 20, "rates": {6: 0.7, 30: 0.2}, "follow_up": 24},
            ("survival at 30", "follow-up"),
            "follow-up ends at 24",
        ),
        ({"n": 40, "median": (None, 5, None), "rates": {6: 0.3}}, ("median", "survival at 6"), "as not reached"),
    ],
)
def test_what_cannot_hold_is_named_without_a_curve(given, facts, message):
    found = mg.reconstruct_summary(**given, draws=10).contradictions
    assert [c.facts for c in found] == [facts] and message in found[0].message


def test_a_median_behind_follow_up_is_called_so():
    with pytest.raises(mg.DataError, match="a median of 5 is printed but follow-up ends at 3"):
        mg.reconstruct_summary(20, median=5, follow_up=3)


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_levels_said_to_be_out_of_reach_are_those_that_no_order_of_deaths_shows(n):
    for events in range(n + 1):
        levels = {1.0}
        for order in itertools.product((True, False), repeat=n):
            if sum(order) == events:
                levels.update(product_limit(np.arange(1.0, n + 1), np.array(order))[1].round(9).tolist())
        for level in np.arange(0.005, 1, 0.03):
            far = min(abs(x - level) for x in levels)
            assert abs(abs(_nearest_level(level, n, events) - level) - far) < 1e-8
