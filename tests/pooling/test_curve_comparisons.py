"""Leave-one-out, strata and regression of the summary curve."""

import csv

import numpy as np
import pytest

import metagrove as mg
from known import reference
from metagrove.core.errors import DataError, MethodError
from metagrove.pooling.curves.summary import CurveSettings


def table(name):
    with reference(f"survival/msurv/msurv_{name}_input.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    return [row["study"] for row in rows], *(np.array([float(r[c]) for r in rows]) for c in ("time", "n_risk", "surv"))


def trials(hazards, n=400, times=8, seed=1):
    """Trials with constant hazards, their share alive counted each month."""
    rng, rows = np.random.default_rng(seed), []
    for i, hazard in enumerate(hazards):
        alive = n
        for t in range(1, times + 1):
            after = rng.binomial(alive, np.exp(-hazard))
            rows.append((f"T{i}", t, alive, after / n))
            alive = after
    return tuple(map(list, zip(*rows, strict=True)))


def test_leaving_a_study_out_is_pooling_the_rest():
    columns = table("five_trials_10arms_monthly")
    whole = mg.summary_curve(*columns)
    influence = whole.leave_one_out()
    keep = [i for i, s in enumerate(columns[0]) if s != "4"]
    rest = mg.summary_curve(*([column[i] for i in keep] for column in columns))
    without = influence.curves[influence.omitted.index("4")]
    np.testing.assert_allclose(without.survival, rest.survival, atol=1e-9)
    assert without.median_upper == pytest.approx(rest.median_upper, abs=1e-9)
    rows = influence.rows()
    assert [row["omitted"] for row in rows] == ["", *(str(i) for i in range(1, 11))]
    assert all(row["studies"] == 9 for row in rows[1:])
    assert (influence.shift > 0).all()
    with pytest.raises(MethodError, match="at least 3"):
        mg.summary_curve(["A", "B"], [1, 1], [9, 9], [0.5, 0.6]).leave_one_out()


def test_strata_carry_the_curves_of_their_studies():
    asia, west = table("hcc_Asia"), table("hcc_NortAmericaEurope")
    names = [f"a{s}" for s in asia[0]] + [f"w{s}" for s in west[0]]
    columns = [np.concatenate(pair) for pair in zip(asia[1:], west[1:], strict=True)]
    stratum = ["Asia"] * len(asia[0]) + ["West"] * len(west[0])
    found = mg.summary_curve_strata(names, *columns, stratum)
    assert found.names == ("Asia", "West")
    np.testing.assert_allclose(found.curves[0].survival, mg.summary_curve(*asia).survival, atol=1e-9)
    assert found.curves[0].median < found.curves[1].median
    assert found.p < 0.05
    assert found.p_mean < 0.01
    # Q within and between add up to Q of all.
    fixed = CurveSettings(model="fixed")
    apart = mg.summary_curve_strata(names, *columns, stratum, settings=fixed)
    whole = mg.summary_curve(names, *columns, model="fixed")
    assert sum(c.Q for c in apart.curves) + apart.Q_b == pytest.approx(whole.Q)
    assert sum(c.df_Q for c in apart.curves) + apart.df_Q_b == whole.df_Q


def test_strata_that_are_alike_do_not_differ_too_often():
    rejected = 0
    for seed in range(40):
        columns = trials([0.2] * 8, n=200, times=5, seed=seed)
        stratum = ["x" if int(s[1:]) < 4 else "y" for s in columns[0]]
        found = mg.summary_curve_strata(*columns, stratum, settings=CurveSettings(model="fixed", draws=500))
        rejected += (found.p < 0.05) + (found.p_mean < 0.05) + (found.pval_Q_b < 0.05)
    assert rejected <= 15  # 6 of 120 expected


def test_bad_strata_are_refused():
    columns = trials([0.2, 0.3], times=2)
    with pytest.raises(DataError, match="T0: stratum is x and y"):
        mg.summary_curve_strata(*columns, ["x", "y", "x", "x"])
    with pytest.raises(DataError, match="needs two"):
        mg.summary_curve_strata(*columns, ["x"] * 4)


def test_regression_finds_the_shift():
    dose = np.arange(8)
    # A shift of 0.02 a dose on the arcsine scale of monthly survival.
    hazards = -2 * np.log(np.sin(np.arcsin(np.sqrt(0.8)) + 0.02 * (dose - 3.5)))
    columns = trials(hazards, n=600, seed=3)
    x = [float(s[1:]) for s in columns[0]]
    found = mg.summary_curve_regression(*columns, x)
    assert abs(found.slope - 0.02) < 3 * found.se
    assert found.p < 0.001
    assert found.tau2_explained > 0.5
    low, high = found.at(0), found.at(7)
    assert high.median > low.median
    assert (low.lower <= low.survival).all()
    np.testing.assert_allclose(low.survival[0], np.exp(-hazards[0]), atol=0.03)
    again = mg.summary_curve_regression(*columns, [10 * v for v in x])
    assert again.slope == pytest.approx(found.slope / 10, rel=1e-6)


def test_regression_on_nothing_seldom_finds_something():
    found = 0
    for seed in range(60):
        frail = np.exp(0.3 * np.random.default_rng(seed).standard_normal(10))
        columns = trials(0.1 * frail, n=60, times=10, seed=seed)
        x = [float(s[1:]) for s in columns[0]]
        found += mg.summary_curve_regression(*columns, x, settings=CurveSettings(draws=100)).p < 0.05
    assert found <= 8  # 3 expected


def test_bad_covariates_are_refused():
    columns = trials([0.2] * 4, times=2)
    with pytest.raises(DataError, match="must vary"):
        mg.summary_curve_regression(*columns, [1] * 8)
    with pytest.raises(DataError, match="is a number"):
        mg.summary_curve_regression(*columns, ["a", "a", "b", "b", "c", "c", "d", "d"])
    with pytest.raises(DataError, match="T3: the covariate is missing"):
        mg.summary_curve_regression(*columns, [1.0] * 6 + [None] * 2)
    with pytest.raises(MethodError, match="at least 4"):
        mg.summary_curve_regression(*trials([0.2] * 3, times=2), [1, 1, 2, 2, 3, 3])
