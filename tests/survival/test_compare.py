"""Log-rank tests and restricted means of two groups against R."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from known import reference, reference_json
from metagrove.core.errors import DataError, MethodError
from metagrove.survival.compare import log_rank, restricted_mean_difference
from metagrove.survival.cox import cox

# R survival 3.5: survdiff.
R_PLAIN, R_LAYERS = (0.956390568132, 0.619901128348), (2.319497935773, 0.313564885859)
CASES = [p.name for p in sorted(reference("survival/cases").iterdir()) if p.name != "sim_tiny_n8"]


def two_arms(case):
    arms = reference_json(f"survival/cases/{case}/truth.json")["arms"]
    with reference(f"survival/cases/{case}/truth_ipd.csv").open() as lines:
        rows = [(float(r["time"]), int(r["event"]), arms.index(r["arm"])) for r in csv.DictReader(lines)]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@pytest.mark.parametrize(("test", "rho"), [("logrank", 0), ("peto_peto", 1)])
@pytest.mark.parametrize("case", CASES)
def test_log_rank_matches_r(case, test, rho):
    known, found = reference_json(f"survival/cases/{case}/truth.json")[test], log_rank(*two_arms(case), rho=rho)
    np.testing.assert_allclose(found.observed, known["obs"], rtol=1e-9)
    np.testing.assert_allclose(found.expected, known["exp"], rtol=1e-9)
    np.testing.assert_allclose(found.variance, known["var"], rtol=1e-9)
    assert (found.chisq, found.p) == pytest.approx((known["chisq"], known["p"]), rel=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_restricted_means_match_r(case):
    with reference("survival/rmst_two_arm.csv").open() as lines:
        row = next(row for row in csv.DictReader(lines) if row["case"] == case)
    known = {name: float(value) for name, value in row.items() if name != "case"}
    found = restricted_mean_difference(*two_arms(case), tau=known["tau"])
    got = {
        "arm1_rmst": found.group1.estimate,
        "arm1_se": found.group1.se,
        "arm0_rmst": found.group0.estimate,
        "arm0_se": found.group0.se,
        "diff": found.difference,
        "diff_lo": found.difference_ci[0],
        "diff_hi": found.difference_ci[1],
        "diff_p": found.p,
        "ratio": found.ratio,
        "ratio_lo": found.ratio_ci[0],
        "ratio_hi": found.ratio_ci[1],
        "ratio_p": found.ratio_p,
        "rmtl_ratio": found.lost_ratio,
        "rmtl_lo": found.lost_ratio_ci[0],
        "rmtl_hi": found.lost_ratio_ci[1],
        "rmtl_p": found.lost_ratio_p,
    }
    assert got == pytest.approx({name: known[name] for name in got}, rel=1e-9, abs=1e-12)  # printed with 12 digits


@pytest.mark.parametrize("case", CASES)
def test_default_horizon_matches_r(case):
    known = reference_json(f"survival/cases/{case}/truth.json")["rmst_diff"]
    found = restricted_mean_difference(*two_arms(case))
    assert found.group1.tau == pytest.approx(known["tau"])
    assert (found.difference, found.se) == pytest.approx((known["diff"], known["se"]), rel=1e-9)


def test_three_groups_and_strata():
    time = [1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10]
    event = [1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1]
    group = list("abcabcabcabc")
    strata = list("xxxxxxyyyyyy")
    for found, known in (
        (log_rank(time, event, group), R_PLAIN),
        (log_rank(time, event, group, strata=strata), R_LAYERS),
    ):
        assert found.df == 2
        assert (found.chisq, found.p) == pytest.approx(known, rel=1e-6)


def test_a_group_without_events_still_has_a_difference():
    found = restricted_mean_difference([1, 2, 4, 4, 4, 4], [1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1])
    assert found.difference == pytest.approx(4 - 7 / 3)
    assert found.p < 0.2
    assert math.isnan(found.lost_ratio)
    assert math.isnan(found.lost_ratio_p)


def test_impossible_comparisons_are_refused():
    with pytest.raises(DataError, match="two groups"):
        log_rank([1, 2], [1, 1], ["a", "a"])
    with pytest.raises(DataError, match="one for each patient"):
        log_rank([1, 2], [1, 1], ["a"])
    with pytest.raises(MethodError, match="nothing can be compared"):
        log_rank([1, 2], [0, 0], ["a", "b"])
    with pytest.raises(DataError, match="0 and 1"):
        restricted_mean_difference([1, 2], [1, 1], [1, 2])
    with pytest.raises(MethodError, match="no event in either group"):
        restricted_mean_difference([2, 2], [0, 0], [0, 1], tau=1)
    with pytest.raises(MethodError, match="ends at 2"):
        restricted_mean_difference([1, 2, 3, 4], [1, 0, 1, 0], [0, 0, 1, 1], tau=3)


patients = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.booleans()), min_size=6, max_size=40)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(patients)
def test_laws(rows):
    time, event, group = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    try:
        found = log_rank(time, event, group)
    except (DataError, MethodError):
        return
    assert found.observed.sum() == pytest.approx(found.expected.sum())
    assert found.observed.sum() == pytest.approx(event.sum())
    assert 0 <= found.p <= 1
    swapped = log_rank(time, event, 1 - group)
    assert swapped.chisq == pytest.approx(found.chisq, abs=1e-9)
    if np.unique(time).size == time.size and all(event[group == g].any() for g in (0, 1)):
        try:
            fit = cox(time, event, group)
        except MethodError as refused:
            assert "without bound" in str(refused)
            return
        # Without ties the log-rank statistic is the score test of Cox's model.
        assert fit.score_test == pytest.approx(found.chisq, abs=1e-8)
    assert math.isfinite(found.loghr)
