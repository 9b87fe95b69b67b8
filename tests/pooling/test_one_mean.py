"""Scalar arithmetic of one mean: the climb with its proof against the search over all peaks and the general path."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.pooling import one_mean
from metagrove.pooling.one_mean import (
    Peak,
    climbed_peak,
    falls_after,
    likelihood_peak,
    rises_to,
    searched_peak,
    sums_at,
)
from metagrove.pooling.tau2 import Design, tau2_of


def row(y, v):
    """Effects relative to the most precise study, which comes first, and variances."""
    order = np.argsort(v, kind="stable")
    y, v = np.asarray(y, dtype=float)[order], np.asarray(v, dtype=float)[order]
    return (y - y[0]).tolist(), v.tolist()


def draws(seed, count, spreads=(0.3, 1.0, 2.0), widths=(0.0, 0.3, 1.0, 3.0)):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        k = int(rng.integers(2, 31))
        v = np.exp(rng.normal(0, rng.choice(spreads), k))
        yield row(rng.normal(0, np.sqrt(v + rng.choice(widths) ** 2)), v)


def slope(y, v, t, restricted):
    """Twice the score, from matrices."""
    w = 1 / (np.array(v) + t)
    P = np.diag(w) - np.outer(w, w) / w.sum()
    return float(np.array(y) @ P @ P @ np.array(y)) - float(np.trace(P) if restricted else w.sum())


@pytest.mark.parametrize("restricted", [True, False])
def test_the_climb_finds_what_the_search_over_all_peaks_finds(restricted):
    proved = 0
    for y, v in draws(1, 400):
        peak = climbed_peak(y, v, restricted, sums_at(y, v, 0.0))
        proved += peak.tau2 >= 0 and rises_to(y, v, restricted, peak) and falls_after(y, v, restricted, peak)
        found = likelihood_peak(y, v, restricted)
        assert found.tau2 == pytest.approx(searched_peak(y, v, restricted), rel=1e-11, abs=1e-14)
        for ours, theirs in zip(
            (*found.sums, *found.at_zero), (*sums_at(y, v, found.tau2), *sums_at(y, v, 0.0)), strict=True
        ):
            assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-300)
    assert proved > 380  # else the search does the work


@pytest.mark.parametrize("restricted", [True, False])
def test_what_is_proved_is_true_on_a_fine_grid(restricted):
    for y, v in draws(2, 60, spreads=(1.0, 2.0, 3.0)):
        peak = climbed_peak(y, v, restricted, sums_at(y, v, 0.0))
        if peak.tau2 < 0:
            continue
        top = 10 * (max(y) - min(y)) ** 2 + peak.tau2
        if peak.tau2 > 0 and rises_to(y, v, restricted, peak):
            assert all(slope(y, v, t, restricted) > 0 for t in np.linspace(0, peak.tau2 * (1 - 1e-6), 200))
        if falls_after(y, v, restricted, peak):
            start = max(peak.tau2 * (1 + 1e-6), 1e-9 * min(v))
            assert all(slope(y, v, t, restricted) < 0 for t in np.geomspace(start, top, 200))


# a precise pair that agrees beside an imprecise pair far apart: one peak at or near 0 and one far out
TWO_PEAKS = [0.0, 0.001, -30.0, 30.0, 25.0], [1e-4, 1e-4, 10.0, 10.0, 10.0]


def test_of_two_peaks_the_higher_one_is_found():
    y, v = row(*TWO_PEAKS)
    grid = [0.0, *np.geomspace(1e-9, 1e5, 4000)]
    signs = np.sign([slope(y, v, t, True) for t in grid])
    crossings = int(((signs[:-1] > 0) & (signs[1:] <= 0)).sum()) + int(signs[0] <= 0)
    assert crossings == 2
    values = [one_mean.log_likelihood_core(y, v, t, True) for t in grid]
    found = likelihood_peak(y, v, True).tau2
    assert one_mean.log_likelihood_core(y, v, found, True) >= max(values)
    low = climbed_peak(y, v, True, sums_at(y, v, 0.0))
    assert not (rises_to(y, v, True, low) and falls_after(y, v, True, low))


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(-6, 6)), min_size=2, max_size=20),
    st.sampled_from(["REML", "ML"]),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_scalar_and_general_arithmetic_agree(pairs, method):
    y, v = np.array([a for a, _ in pairs]), 10.0 ** np.array([b for _, b in pairs])
    scalar, general = tau2_of(Design(y, v), method), tau2_of(Design(y, v, np.ones((y.size, 1))), method)
    restricted = method == "REML"
    rows = row(y, v)
    best = one_mean.log_likelihood_core(*rows, scalar.value, restricted)
    assert best >= one_mean.log_likelihood_core(*rows, general.value, restricted) - 1e-9 * (1 + abs(best))
    if scalar.value == pytest.approx(general.value, rel=1e-6, abs=1e-9 * v.min()):
        assert scalar.se == pytest.approx(general.se, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-40, 1e-9, 1e9, 1e40])
def test_the_unit_of_the_effects_does_not_matter(scale):
    for y, v in draws(3, 20):
        plain = likelihood_peak(y, v, True).tau2
        moved = likelihood_peak([a * scale for a in y], [b * scale * scale for b in v], True).tau2
        assert moved == pytest.approx(plain * scale * scale, rel=1e-9, abs=1e-13 * scale * scale)


def test_equal_effects_have_no_variance_between_them():
    found = likelihood_peak([0.0] * 4, [0.1, 0.2, 0.3, 0.4], True)
    assert isinstance(found, Peak) and found.tau2 == 0 and math.isfinite(found.sums.w)


def test_limits_of_studies_are_those_of_the_call_whenever_they_are_read():
    effects, errors = np.array([0.1, 0.4, 0.2]), np.array([0.2, 0.1, 0.3])
    low, high = np.array([-0.4, np.nan, -0.5]), np.array([0.6, np.nan, 0.9])
    made = [mg.metagen(effects, errors), mg.metagen(effects, errors, lower=low, upper=high)]
    again = [pickle.loads(pickle.dumps(m)) for m in made]
    expected = effects - 1.959963984540054 * errors
    for column in (effects, errors, low, high):
        column[:] = 9.0
    for plain, printed in (made, again):
        assert plain.lower == pytest.approx(expected)
        assert printed.lower == pytest.approx([-0.4, expected[1], -0.5])
        assert not plain.lower.flags.writeable


@pytest.mark.parametrize("sm", ["PFT", "PLOGIT", "PRAW"])
def test_limits_of_proportions_are_those_of_the_call_whenever_they_are_read(sm):
    events, n = np.array([2.0, 0.0, 5.0]), np.array([10.0, 12.0, 20.0])
    first, later = (mg.metaprop(events, n, sm=sm, method="Inverse") for _ in range(2))
    expected = first.upper.copy()
    events[:], n[:] = 1.0, 2.0
    assert later.upper == pytest.approx(expected, nan_ok=True)
