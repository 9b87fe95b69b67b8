"""Kaplan-Meier against R survival, and what must hold for any patients."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from known import reference, reference_json
from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.survival.kaplan_meier import survival_curve

CASES = sorted(path.name for path in reference("survival/cases").iterdir())
#: The reference prints 15 digits.
EXACT = 1e-9


def arms(case):
    found = {}
    with (reference(f"survival/cases/{case}/truth_ipd.csv")).open() as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["arm"], []).append((float(row["time"]), int(row["event"])))
    return {arm: tuple(np.array(column) for column in zip(*rows, strict=True)) for arm, rows in found.items()}


def same(got, want):
    assert (want is None and math.isnan(got)) or got == pytest.approx(want, rel=EXACT, abs=EXACT)


@pytest.mark.parametrize("case", CASES)
def test_curve_matches_r(case):
    truth, patients = reference_json(f"survival/cases/{case}/truth.json"), arms(case)
    for known in truth["km"]:
        curve = survival_curve(*patients[known["arm"]], transform=known["conf_type"])
        assert (curve.n, curve.events) == (known["n"], known["events"])
        same(curve.median, known["median"])
        low, high = curve.median_ci()
        same(low, known["median_lo"])
        same(high, known["median_hi"])
        np.testing.assert_allclose(curve.at(known["t"]), known["S"], rtol=EXACT, atol=EXACT)
        lower, upper = curve.interval_at(known["t"])
        for i, s in enumerate(known["S"]):
            if s in (0, 1):  # nothing to pin: R gives NA there in some transforms
                continue
            same(lower[i], known["S_lo"][i])
            same(upper[i], known["S_hi"][i])
            same(curve.std_err_at(known["t"][i]), known["std_err"][i])
    for known in truth["rmst"]:
        mean = survival_curve(*patients[known["arm"]]).restricted_mean(known["tau"])
        same(mean.estimate, known["rmst"])
        same(mean.se, known["se"])


@pytest.mark.parametrize("case", CASES)
def test_numbers_at_risk_match(case):
    patients = arms(case)
    curves = {arm: survival_curve(*rows) for arm, rows in patients.items()}
    with reference(f"survival/cases/{case}/at_risk.csv").open() as lines:
        for row in csv.DictReader(lines):
            assert curves[row["arm"]].n_risk_at(float(row["time"])) == int(row["n_risk"])


def test_median_is_the_middle_of_a_flat_piece():
    assert survival_curve([1, 2, 3, 4], [1, 1, 1, 1]).median == 2.5
    assert survival_curve([1, 2, 3, 5], [1, 1, 0, 0]).median == 3.5
    assert survival_curve([1, 2, 3], [1, 1, 1]).median == 2
    assert math.isnan(survival_curve([1, 2, 3], [1, 0, 0]).median)


def test_times_out_of_arithmetic_are_ties():
    curve = survival_curve([0.1 + 0.2, 0.3, 1.0], [1, 1, 0])
    assert curve.time.tolist() == [pytest.approx(0.3), 1.0]
    assert curve.at(0.3) == pytest.approx(1 / 3)


def test_one_value_or_many():
    curve = survival_curve([1, 2, 3, 4], [1, 0, 1, 1])
    assert isinstance(curve.at(2), float)
    assert curve.at([[0, 5], [1, 3]]).tolist() == [[1, 0], [0.75, 0.375]]


def test_everybody_dies_and_nobody_dies():
    dead = survival_curve([1, 1, 1], [1, 1, 1])
    assert dead.at(1) == 0
    assert dead.median == 1
    assert dead.std_err_at(2) == 0
    assert dead.restricted_mean(5).estimate == 1
    alive = survival_curve([1, 2, 3], [0, 0, 0])
    assert alive.at(3) == 1
    assert alive.interval()[0].tolist() == [1, 1, 1]
    with pytest.raises(MethodError, match="ends at 3"):
        alive.restricted_mean(4)


@pytest.mark.parametrize(
    ("time", "event", "text"),
    [
        ([1, -2], [1, 1], "not negative"),
        ([1, math.nan], [1, 1], "finite"),
        ([1, 2], [1, 2], "0 or 1"),
        ([1, 2], [1], "2 times for 1"),
        ([], [], "no patients"),
        (["a"], [1], "could not convert"),
    ],
)
def test_impossible_patients_are_refused(time, event, text):
    with pytest.raises(DataError, match=text):
        survival_curve(time, event)


def test_unknown_transform_names_the_known():
    with pytest.raises(UnknownName, match="log-log"):
        survival_curve([1, 2], [1, 1], transform="loglog")


patients = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=25)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(patients)
def test_laws(rows):
    time, event = (np.array(column) for column in zip(*rows, strict=True))
    curve = survival_curve(time, event)
    assert (np.diff(np.concatenate(([1.0], curve.survival))) <= 0).all()
    for transform in ("log", "log-log", "plain"):
        lower, upper = curve.interval(transform)
        alive = curve.survival > 0
        assert (lower[alive] <= curve.survival[alive]).all()
        assert (curve.survival[alive] <= upper[alive]).all()
    again = survival_curve(time[::-1] * 7.0, event[::-1])
    np.testing.assert_allclose(again.survival, curve.survival)
    mean = curve.restricted_mean(float(time.max()))
    assert 0 < mean.estimate <= time.max()
    if event.all():  # without censoring the curve is the empirical distribution and the area is the sample mean
        assert mean.estimate == pytest.approx(time.mean())
        assert curve.at(6) == pytest.approx((time > 6).mean())
