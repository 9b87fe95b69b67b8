"""Curves, tests, Cox's model, frailty and families against R on simulated patients (validation/survival_models.R)."""

import numpy as np
import pytest

from known import reference_json
from metagrove.core.errors import ConvergenceError, MethodError
from metagrove.survival.compare import log_rank
from metagrove.survival.cox import cox
from metagrove.survival.frailty import shared_frailty
from metagrove.survival.kaplan_meier import survival_curve
from metagrove.survival.parametric import parametric_survival

CASES = reference_json("survival/r_survival.json")


def columns(name):
    patients = CASES[name]["patients"]
    return tuple(np.array(patients[key], dtype=float) for key in ("time", "event", "g", "x", "s", "cl"))


def near(got, want, tolerance):
    got, want = np.asarray(got, dtype=float).ravel(), np.array(want, dtype=float).ravel()
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("transform", ["log", "log-log", "plain"])
@pytest.mark.parametrize("name", CASES)
def test_curve_limits_and_quantiles(name, transform):
    time, event, *_ = columns(name)
    known = CASES[name][transform]
    curve = survival_curve(time, event, transform=transform)
    at = CASES[name]["at"]
    near(curve.at(at), known["survival"], 1e-12)
    near(curve.std_err_at(at), known["se"], 1e-12)
    for got, side in zip(curve.interval_at(at), ("lower", "upper"), strict=True):
        near(got, known[side], 1e-10)
    quarters = (0.25, 0.5, 0.75)
    near([curve.quantile(p) for p in quarters], known["quantile"], 1e-10)
    near([curve.quantile_ci(p)[0] for p in quarters], known["quantile_lower"], 1e-10)
    near([curve.quantile_ci(p)[1] for p in quarters], known["quantile_upper"], 1e-10)
    near(curve.hazard_at(at), CASES[name]["hazard"], 1e-12)


@pytest.mark.parametrize("name", CASES)
def test_restricted_means_and_rank_tests(name):
    time, event, g, _, s, _ = columns(name)
    known = CASES[name]
    means = [survival_curve(time[g == k], event[g == k]).restricted_mean(known["tau"]) for k in (0, 1)]
    near([m.estimate for m in means], known["rmst"], 1e-10)
    near([m.se for m in means], known["rmst_se"], 1e-10)
    for row in known["ranks"]:
        test = log_rank(time, event, g, rho=row["rho"])
        near([test.chisq, *test.observed, *test.expected], [row["chisq"], *row["observed"], *row["expected"]], 1e-9)
        near(test.variance, row["variance"], 1e-9)
    near(log_rank(time, event, g, strata=s).chisq, known["stratified_rank"], 1e-9)
    near(log_rank(time, event, s).chisq, known["three_groups"], 1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("name", CASES)
def test_proportional_hazards(name, ties):
    time, event, g, x, s, cl = columns(name)
    known, design = CASES[name][ties], np.column_stack((g, x))
    plain, layered = cox(time, event, design, ties=ties), cox(time, event, design, ties=ties, strata=s)
    for fit, prefix in ((plain, ""), (layered, "strata_")):
        near(fit.b, known[f"{prefix}b"], 1e-7)
        near(fit.cov, known[f"{prefix}cov"], 1e-7)
        near(fit.loglik, known[f"{prefix}loglik"], 1e-9)
        for transform, chisq in known[f"{prefix}zph"].items():
            if chisq is None:  # R has no logarithm of an event at time 0
                continue
            near(fit.proportionality(transform).chisq, chisq, 1e-6)
    near([plain.score_test, plain.wald_test], [known["score"], known["wald"]], 1e-7)
    near(cox(time, event, design, ties=ties, robust=True).cov, known["robust"], 1e-7)
    near(cox(time, event, design, ties=ties, cluster=cl).cov, known["cluster"], 1e-7)
    near(cox(time, event, design, ties=ties, strata=s, cluster=cl).cov, known["strata_cluster"], 1e-7)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("name", CASES)
def test_frailty_of_a_given_variance(name, ties):
    time, event, g, x, _, cl = columns(name)
    for row in CASES[name][ties]["frailty"]:
        fit = shared_frailty(time, event, np.column_stack((g, x)), cluster=cl, theta=row["theta"], ties=ties)
        near(fit.b, row["b"], 1e-6)
        near(np.sqrt(np.diag(fit.cov)), row["se"], 1e-6)


@pytest.mark.parametrize("name", CASES)
def test_families(name):
    time, event, *_ = columns(name)
    for family, known in CASES[name]["survreg"].items():
        fit = parametric_survival(time, event, family)
        near(fit.loglik, known["loglik"], 1e-9)
        near(fit.median, known["median"], 1e-6)
    hand = CASES[name]["hand"]
    for family in ("gompertz", "generalized-gamma"):
        if hand[family] is None:  # R finds no maximum either
            with pytest.raises(ConvergenceError, match="no peak"):
                parametric_survival(time, event, family)
            continue
        near(parametric_survival(time, event, family).loglik, hand[family], 1e-7)
    for scale, knots in (("hazard", 2), ("odds", 2), ("normal", 1)):
        fit = parametric_survival(time, event, "royston-parmar", knots=knots, scale=scale)
        near(fit.loglik, hand[scale], 1e-7)


def test_a_covariate_that_the_strata_hold_fixed_is_named():
    time, event, g, _, s, _ = columns("ties")
    with pytest.raises(MethodError, match="covariate 2 is the same for all patients within each stratum"):
        cox(time, event, np.column_stack((g, s == 1)), strata=s)


def test_many_small_clusters_stay_cheap():
    rng = np.random.default_rng(4)
    pair = np.repeat(np.arange(150), 2)
    group = np.tile([0.0, 1.0], 150)
    own = rng.gamma(2, 0.5, 150)[pair]
    time = rng.exponential(1 / (own * np.exp(0.5 * group)))
    fit = shared_frailty(np.minimum(time, 2), time < 2, group, cluster=pair)
    assert 0.15 < fit.theta < 1.2
    assert abs(fit.loghr - 0.5) < 3 * fit.se


# R survival 3.5: cox.zph(coxph(Surv(time, event) ~ g + x), transform = "km"): chi² of g, of x, of both, and the first
# scaled Schoenfeld residuals of g (R averages them within ties, so they are compared where there are none).
ZPH = {
    "ties": (0.06276615914, 2.080748862, 2.142676753),
    "distinct": (0.0178272157, 0.0005226922515, 0.02999016947),
    "censored": (0.1221935977, 0.0690221382, 0.1555637185),
}


@pytest.mark.parametrize("name", ZPH)
def test_proportionality_of_each_covariate(name):
    time, event, g, x, *_ = columns(name)
    fit = cox(time, event, np.column_stack((g, x)))
    test = fit.proportionality("km")
    near([row["chisq"] for row in test.rows()], ZPH[name], 1e-8)
    assert [row["covariate"] for row in test.rows()] == ["1", "2", "GLOBAL"]
    assert [row["df"] for row in test.rows()] == [1, 1, 2]
    near(test.residuals.mean(axis=0), fit.b, 1e-9)
    assert "covariate 2" in test.summary()
    if name == "distinct":
        near(test.residuals[:3, 0], (4.0232488, -3.1725407, -4.3983492), 1e-7)
