"""The assignment of least cost, against the one of SciPy."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from metagrove.figures.assignment import assigned


@pytest.mark.parametrize("kinds", [2, 4, 1000])
def test_the_pairs_are_those_of_scipy_ties_among_them(kinds):
    rng = np.random.default_rng(kinds)
    for _ in range(300):
        costs = rng.integers(0, kinds, rng.integers(1, 7, 2)) * rng.choice([1.0, 0.1])
        own, other = assigned(costs), linear_sum_assignment(costs)
        np.testing.assert_array_equal(own[0], other[0])
        np.testing.assert_array_equal(own[1], other[1])


def test_nothing_is_assigned_to_nothing():
    rows, columns = assigned(np.zeros((0, 3)))
    assert len(rows) == len(columns) == 0
