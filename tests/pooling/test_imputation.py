"""Draws as multiple imputations: Rubin's rules, and that the interval holds what reconstruction cost."""

import math

import numpy as np
import pytest

import metagrove as mg
from metagrove.core.errors import DataError, MethodError
from metagrove.pooling.curves.imputation import combine_imputations, imputed_curve, imputed_estimate
from metagrove.pooling.curves.summary import CurveSettings


def patients(seed, n=60, mean=8.0):
    rng = np.random.default_rng(seed)
    time, censor = rng.exponential(mean, n), rng.uniform(6, 20, n)
    return np.minimum(time, censor), (time <= censor).astype(int)


def drawn(time, event, draws, jitter, seed=0):
    """Copies of one study, each with every time moved at random."""
    rng = np.random.default_rng(seed)
    moved = [np.maximum(time * np.exp(jitter * rng.standard_normal()), 0.01) for _ in range(draws)]
    return {
        "draw": np.repeat(np.arange(draws), time.size),
        "time": np.concatenate(moved),
        "event": np.tile(event, draws),
    }


def test_rubin_by_hand():
    q, u = np.array([1.0, 1.5, 0.8, 1.1]), np.array([0.2, 0.25, 0.15, 0.2])
    found = combine_imputations(q, u)
    between = q.var(ddof=1) * 1.25
    assert found.estimate == pytest.approx(q.mean())
    assert found.se == pytest.approx(math.sqrt(u.mean() + between))
    assert found.share == pytest.approx(between / (u.mean() + between))
    assert found.df == pytest.approx(3 * (1 + u.mean() / between) ** 2)
    alike = combine_imputations([1, 1], [0.04, 0.04])
    assert alike.share == 0
    assert alike.ci == pytest.approx((1 - 0.39199, 1 + 0.39199), abs=1e-4)


def test_draws_that_agree_change_nothing():
    studies = {f"S{i}": patients(i) for i in range(4)}
    plain = mg.summary_curve(*mg.grid_table(studies, 1).to_numpy().T)
    found = imputed_curve({name: drawn(*rows, 5, 0.0) for name, rows in studies.items()}, 1)
    np.testing.assert_allclose(found.curve.survival, plain.survival, atol=1e-12)
    np.testing.assert_allclose(found.curve.upper, plain.upper, atol=1e-9)
    assert pytest.approx(plain.Q) == found.curve.Q
    assert found.share == pytest.approx(0, abs=1e-12)
    assert found.share_median == pytest.approx(0, abs=1e-12)


def test_draws_that_differ_widen_the_interval():
    studies = {f"S{i}": patients(i) for i in range(4)}
    steady = imputed_curve({name: drawn(*rows, 20, 0.0) for name, rows in studies.items()}, 1, horizon=15)
    shaken = imputed_curve(
        {n: drawn(*rows, 20, 0.3, seed=i) for i, (n, rows) in enumerate(studies.items())}, 1, horizon=15
    )
    assert shaken.share[4] > 0.2
    assert 0.1 < shaken.share_median < 1
    assert 0.1 < shaken.share_mean < 1
    widths = [c.curve.median_upper - c.curve.median_lower for c in (steady, shaken)]
    assert widths[1] > 1.1 * widths[0]
    assert "due to reconstruction" in shaken.summary()
    assert shaken.rows()[4]["share"] == pytest.approx(shaken.share[4])
    assert "Rubin" in str(shaken.explain())


def test_a_study_without_draws_holds_in_all():
    sure, unsure = patients(1), drawn(*patients(2), 10, 0.2)
    found = imputed_curve(
        {"sure": {"time": sure[0], "event": sure[1]}, "unsure": unsure}, 2, settings=CurveSettings(model="fixed")
    )
    assert found.draws == 10
    assert 0 < found.share[2] < 1
    assert found.medians.std() > 0


def test_any_estimate_can_be_combined():
    studies = {"A": drawn(*patients(3), 8, 0.1)}

    def log_rate(one):
        events, time = one["A"].event.sum(), one["A"].time.sum()
        return math.log(events / time), events**-0.5

    found = imputed_estimate(studies, log_rate)
    assert math.exp(found.estimate) == pytest.approx(1 / 8, rel=0.4)
    assert 0 < found.share < 1


def test_impossible_draws_are_refused():
    time, event = patients(1)
    with pytest.raises(MethodError, match="at least 2 draws"):
        imputed_curve({"A": {"time": time, "event": event}})
    with pytest.raises(DataError, match="A: draws are a table"):
        imputed_curve({"A": {"draw": [1, 2], "time": [1, 2]}})
    with pytest.raises(DataError, match="A: times are finite"):
        imputed_curve({"A": {"draw": [1, 2], "time": [1, -2], "event": [1, 1]}})
    with pytest.raises(DataError, match="draw 2 has no"):
        combine_imputations([1, math.nan], [1, 1])


def test_only_the_study_that_was_read_badly_moves_the_curve():
    steady = {"time": patients(1)[0], "event": patients(1)[1]}
    studies = {
        "A": steady,
        "B": drawn(*patients(2), draws=12, jitter=0.2),
        "C": drawn(*patients(3), draws=12, jitter=0.02),
    }
    found = mg.digitizing_sensitivity(studies, step=1)
    assert found.share[0] == 0 and found.shift[0] == 0
    assert found.share[1] > 0.9 and found.shift[1] > found.shift[2] > 0
    assert found.share.sum() == pytest.approx(1)
    assert found.summary().startswith("The reading of B moves the pooled curve most")
    low, high = found.rows()[1]["median_low"], found.rows()[1]["median_high"]
    assert low < imputed_curve(studies, step=1).curve.median < high
    assert found.medians.shape == (3, 12) and "figure" in str(found.explain())
    alone = mg.digitizing_sensitivity({"A": steady, "B": drawn(*patients(2), draws=4, jitter=0.0)}, step=1)
    assert alone.summary().startswith("No draw of any study moves")
    with pytest.raises(MethodError, match="at least 2"):
        mg.digitizing_sensitivity({"A": steady}, step=1)


def test_the_summary_says_what_a_new_trial_may_show():
    studies = {name: patients(i) for i, name in enumerate("ABCD")}
    grid = mg.grid_table(studies, step=1)
    pooled = mg.summary_curve(grid.study, grid.time, grid.n_risk, grid.survival)
    assert "in a new trial" in pooled.summary()
    fixed = mg.summary_curve(grid.study, grid.time, grid.n_risk, grid.survival, model="fixed")
    assert "in a new trial" not in fixed.summary()
