"""One patient, no events, everybody at once, time 0, missing and huge values: a number or an error that says why."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.core.errors import DataError, MetagroveError, MethodError
from metagrove.pooling.curves.grid import grid_table
from metagrove.pooling.curves.summary import summary_curve
from metagrove.survival.compare import log_rank, restricted_mean_difference
from metagrove.survival.cox import cox
from metagrove.survival.frailty import shared_frailty
from metagrove.survival.kaplan_meier import survival_curve
from metagrove.survival.parametric import compare_families, parametric_survival
from metagrove.survival.reconstruction.one_arm import reconstruct


def test_one_patient():
    alive, dead = survival_curve([5], [0]), survival_curve([5], [1])
    assert alive.at(5) == 1 and math.isnan(alive.median)
    assert dead.at([4, 5]).tolist() == [1, 0] and dead.median == 5
    assert dead.restricted_mean().estimate == 5
    with pytest.raises(MethodError, match="needs events"):
        cox([5, 6], [0, 0], [0, 1])
    with pytest.raises(MethodError, match="needs at least 2"):
        parametric_survival([5], [1])


@pytest.mark.parametrize("call", [survival_curve, lambda t, e: cox(t, e, np.arange(len(t)) % 2), parametric_survival])
@pytest.mark.parametrize("time", [[-1.0, 2, 3], [math.nan, 2, 3], [math.inf, 2, 3]])
def test_times_that_are_none_are_refused(call, time):
    with pytest.raises(DataError, match=r"patient 1|negative|not a number|missing|finite"):
        call(time, [1, 1, 0])


def test_everybody_dies_at_once():
    time, event, group = [5.0] * 6, [1] * 6, [0, 1] * 3
    assert survival_curve(time, event).median == 5
    assert cox(time, event, group).loghr == pytest.approx(0, abs=1e-12)
    with pytest.raises(MethodError, match="robust errors do not exist"):
        cox(time, event, group, cluster=[0, 0, 1, 1, 2, 2])
    with pytest.raises(MethodError, match="every event is at 5"):
        parametric_survival(time, event, "weibull")
    with pytest.raises(MethodError, match="no family can be fitted: every event is at 5"):
        compare_families(time, event)


def test_groups_that_never_meet_cost_a_degree_of_freedom():
    time, event = [1, 2, 3, 4] * 2, [1, 1, 0, 1] * 2
    apart = log_rank(time, event, [0, 1, 0, 1, 2, 3, 2, 3], strata=[0] * 4 + [1] * 4)
    one = log_rank(time[:4], event[:4], [0, 1, 0, 1])
    assert apart.df == 2
    assert apart.chisq == pytest.approx(2 * one.chisq)


def test_events_at_time_zero():
    contrast = restricted_mean_difference([37, 0, 5], [1, 1, 1], [0, 1, 0], tau=20)
    assert contrast.difference == pytest.approx(-12.5)
    assert math.isnan(contrast.ratio)
    assert "-12.5" in contrast.summary()
    with pytest.raises(DataError, match="time 0"):
        parametric_survival([0, 3, 4], [1, 1, 1])


def test_a_grid_without_end_is_refused():
    with pytest.raises(DataError, match="grid times"):
        grid_table({"A": ([3e9, 2e9], [1, 0])}, step=1)
    frame = grid_table({"A": ([3e9, 2e9], [1, 0])}, step=1, horizon=10)
    assert len(frame) == 10
    fine = grid_table({"A": ([3.0, 2.0], [1, 0])}, step=0.001)
    with pytest.raises(DataError, match="wider intervals"):
        summary_curve(fine.study, fine.time, fine.n_risk, fine.survival)


def test_a_large_arm_is_rebuilt_in_full():
    n = 2000
    time = np.arange(1.0, 41)
    survival = 0.97 ** np.arange(1, 41)
    rebuilt = reconstruct(np.column_stack((time, survival.round(3))), n=n)
    assert rebuilt.n == n
    # How many were censored before the last fall is not told; at most as many die as with none.
    assert 0.5 * n * (1 - survival[-1]) < rebuilt.events < 1.01 * n * (1 - survival[-1])


_TIMES = st.one_of(st.floats(0, 1e6, allow_nan=False), st.sampled_from([0.0, 1.0, 2.0, 1e-9, 1e12]))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.tuples(_TIMES, st.booleans(), st.booleans(), st.integers(0, 2)), min_size=1, max_size=14))
def test_any_patients_give_numbers_or_a_reason(rows):
    time, event, group, cluster = (np.array(column) for column in zip(*rows, strict=True))
    curve = survival_curve(time, event)
    assert ((curve.survival >= 0) & (curve.survival <= 1)).all()
    if time.max() > 0:
        assert math.isfinite(curve.restricted_mean().se)
    checks = (
        lambda: (log_rank(time, event, group).chisq,),
        lambda: (cox(time, event, group).loghr, cox(time, event, group).se),
        lambda: (cox(time, event, group, cluster=cluster).se,),
        lambda: (shared_frailty(time, event, group, cluster=cluster).se,),
        lambda: (restricted_mean_difference(time, event, group).se,),
        lambda: (parametric_survival(time, event, "weibull").loglik,),
    )
    for check in checks:
        try:
            assert all(math.isfinite(value) for value in check())
        except MetagroveError as refused:
            assert "\n" not in str(refused) and len(str(refused)) < 250
