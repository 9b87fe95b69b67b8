"""Patients without a curve: every set shows what is printed, and the rest is as uncertain as it deserves."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.survival.reconstruction.rebuilt import levels_at, product_limit


def median_of(time, event):
    when, level = product_limit(time, event)
    below = np.flatnonzero(level <= 0.5 + 1e-9)
    return float(when[below[0]]) if below.size else np.inf


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
        if not np.isfinite(median_of(time, event)):
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
