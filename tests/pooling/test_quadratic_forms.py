"""The distribution of quadratic forms against chi-squared, eigenvalues and simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metagrove.pooling.quadratic_forms import chi_square_mixture_cdf


@pytest.mark.parametrize("df", [1, 2, 5, 20, 100, 1000])
@pytest.mark.parametrize("p", [1e-6, 0.025, 0.5, 0.975, 1 - 1e-6])
def test_equal_weights_are_chi_squared(df, p):
    assert chi_square_mixture_cdf(3 * stats.chi2.ppf(p, df), np.full(df, 3.0)) == pytest.approx(p, abs=1e-12)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.integers(0, 10_000), st.floats(0.01, 6.0), st.sampled_from([0.0, 0.01, 1.0, 100.0]))
def test_shares_stand_for_eigenvalues(seed, spread, tau2):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 40))
    v = 10 ** rng.uniform(-3, 3, k)
    w = 1 / v if seed % 2 else v**-0.5
    a = np.diag(w) - np.outer(w, w) / w.sum()
    s = np.sqrt(v + tau2)
    eigenvalues = np.maximum(np.linalg.eigvalsh(s[:, None] * a * s)[1:], 0)
    x = spread * eigenvalues.sum()
    found = chi_square_mixture_cdf(x, w * (v + tau2), w / w.sum())
    assert found == pytest.approx(chi_square_mixture_cdf(x, eigenvalues), abs=1e-11)


def test_unequal_weights_against_simulation():
    w = np.array([0.01, 0.5, 3.0, 12.0])
    draws = np.random.default_rng(3).chisquare(1, (400_000, 4)) @ w
    for x in (1.0, 10.0, 50.0):
        assert chi_square_mixture_cdf(x, w) == pytest.approx((draws <= x).mean(), abs=0.003)


def test_it_rises_from_0_to_1():
    w = np.array([1e-6, 1.0, 1e6])
    values = [chi_square_mixture_cdf(x, w) for x in np.concatenate([[-1.0, 0.0], np.geomspace(1e-9, 1e9, 60)])]
    assert values[:2] == [0.0, 0.0] and values[-1] == pytest.approx(1, abs=1e-12)
    assert (np.diff(values) >= -1e-12).all()
