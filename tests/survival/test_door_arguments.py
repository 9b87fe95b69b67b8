"""What a caller can get wrong at the doors of the reconstruction is told in one line."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.core.errors import DataError, MetagroveError, MethodError

CURVE = [[0, 1], [2, 0.8], [5, 0.6], [7, 0.4], [12, 0.2], [15, 0.2]]
ARM = {"curve": CURVE, "n": 10}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rates": {"six": 0.6}}, "the time of a rate is 'six'"),
        ({"rates": {6: "most"}}, "'most' is not an estimate"),
        ({"rates": 0.6}, "the rates is 0.6; rows of time and survival are needed"),
        ({"median": "six"}, "'six' is not an estimate"),
        ({"axis": -1}, "axis is -1; it is where the time axis ends"),
        ({"axis": "far"}, "axis is 'far'"),
        ({"axis": float("nan")}, "axis is nan"),
        ({"time_error": "small"}, "time_error is 'small'"),
        ({"at_risk": 5}, "the at-risk table is 5; rows of time and n are needed"),
        ({"at_risk": [[0, 6, 12], [10, 6, 2]]}, r"the at-risk table has shape \(2, 3\); two columns"),
        ({"at_risk": np.array([[0, 6, 12], [10, 6, 2]])}, r"has shape \(2, 3\)"),
    ],
)
def test_impossible_facts(given, said):
    with pytest.raises(DataError, match=said) as caught:
        mg.reconstruct(CURVE, n=10, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("curve", [None, 5, "curve.csv", np.zeros((2, 2, 2)), [], [[0, 1], [2]]])
def test_what_is_no_curve(curve):
    with pytest.raises(DataError, match="the curve"):
        mg.reconstruct(curve, n=10)


@pytest.mark.parametrize(
    "given", [{"rng": "a"}, {"rng": -1}, {"rng": 1.5}, {"draws": "many"}, {"draws": None}, {"draws": np.nan}]
)
def test_generators_and_draws(given):
    (name,) = given
    doors = [
        lambda: mg.reconstruct(CURVE, n=10, **given),
        lambda: mg.reconstruct_arms(ARM, ARM, **given),
        lambda: mg.reconstruct_summary(40, median=5.6, **given),
    ]
    for door in doors:
        with pytest.raises(MethodError, match=f"{name} is "):
            door()


@pytest.mark.parametrize(
    ("arms", "given", "said"),
    [
        ((None, ARM), {}, "control has no curve"),
        ((ARM, {"n": 10}), {}, "treated has no curve"),
        ((ARM, {**ARM, "event": 3}), {}, "treated has 'event'; known: curve, at_risk"),
        ((ARM, ARM), {"hr": ["half"]}, r"\['half'\] is no hazard ratio"),
        ((ARM, ARM), {"hr_error": "small"}, "hr_error is 'small'"),
    ],
)
def test_two_arms(arms, given, said):
    with pytest.raises(DataError, match=said):
        mg.reconstruct_arms(*arms, **given)


@pytest.mark.parametrize("given", [{"median": "six"}, {"rates": {"six": 0.5}}, {"median": 5, "follow_up": "long"}])
def test_a_summary_alone(given):
    with pytest.raises(MetagroveError):
        mg.reconstruct_summary(40, **given)


def test_a_rate_in_per_cent_and_a_pair_of_columns_are_understood():
    rates = mg.reconstruct(CURVE, n=10, rates={6: "60%", 8: ("40 %", "20%", "60%")}).facts.rates
    assert [(t, r.estimate, r.lower, r.upper) for t, r in rates.items()] == [(6, 0.6, None, None), (8, 0.4, 0.2, 0.6)]
    assert mg.reconstruct(CURVE, ([0, 6, 12], [10, 6, 2])).facts.risk_n.tolist() == [6, 2]


def test_times_in_two_columns_are_no_patients():
    with pytest.raises(DataError, match=r"times have shape \(2, 2\); one number a patient"):
        mg.survival_curve([[1, 2], [3, 4]], [[1, 0], [1, 1]])
