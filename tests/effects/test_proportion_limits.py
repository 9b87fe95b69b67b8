"""The exact binomial test against its definition, and limits against each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metagrove.effects.proportion_limits import PROPORTION_INTERVALS, binomial_test


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.integers(1, 250), st.floats(0, 1), st.sampled_from([0.01, 0.2, 0.5, 0.77, 0.999]))
def test_exact_test_sums_what_is_no_more_likely(n, share, p):
    x = round(share * n)
    assert binomial_test(float(x), float(n), p) == pytest.approx(stats.binomtest(x, n, p).pvalue, rel=1e-7, abs=1e-12)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from(list(PROPORTION_INTERVALS)))
def test_limits_bracket_and_mirror(n, share, method):
    x = float(round(share * n))
    lower, upper = PROPORTION_INTERVALS[method](np.array([x]), np.array([float(n)]), 0.95)
    mirrored = PROPORTION_INTERVALS[method](np.array([n - x]), np.array([float(n)]), 0.95)
    assert upper[0] == pytest.approx(1 - mirrored[0][0], abs=1e-9)
    if method in ("CP", "WS", "AC"):
        assert 0 <= lower[0] <= x / n + 1e-12 and x / n - 1e-12 <= upper[0] <= 1


def test_clopper_pearson_limits_have_the_tail_they_promise():
    lower, upper = PROPORTION_INTERVALS["CP"](np.array([3.0]), np.array([20.0]), 0.9)
    assert stats.binom.sf(2, 20, lower[0]) == pytest.approx(0.05)
    assert stats.binom.cdf(3, 20, upper[0]) == pytest.approx(0.05)
