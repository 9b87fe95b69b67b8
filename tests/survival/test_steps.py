"""A digitized curve brought to levels that never rise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from metagrove.survival.evidence.steps import falling

LEVELS = st.lists(st.floats(0, 1), max_size=40)


@settings(max_examples=80, deadline=None)
@given(LEVELS, st.integers(0, 2**16))
def test_levels_that_never_rise_are_those_of_weighted_isotonic_regression(levels, seed):
    given_ = np.array(levels)
    weights = np.random.default_rng(seed).uniform(0.1, 3, given_.size)
    fitted = falling(given_, weights)
    assert fitted.shape == given_.shape
    if given_.size:
        assert fitted == pytest.approx(isotonic_regression(given_, weights=weights, increasing=False).x, abs=1e-12)


def test_a_curve_that_falls_already_stays_as_it_is():
    assert falling(np.array([1.0, 0.9, 0.9, 0.2])).tolist() == [1.0, 0.9, 0.9, 0.2]
