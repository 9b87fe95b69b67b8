"""Two-stage, one-stage and multivariate pooling of patients against R (metafor, survival)."""

import csv
import math

import numpy as np
import pytest
from scipy.special import gammaln

import metagrove as mg
from known import reference, reference_json
from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.pooling.curves.frail_trials import frail_distribution
from metagrove.pooling.curves.multivariate_survival import multivariate_survival
from metagrove.pooling.curves.one_stage import one_stage_curve, one_stage_hazard_ratio
from metagrove.pooling.curves.two_stage import QUANTITIES, two_stage
from metagrove.pooling.settings import Settings
from metagrove.survival.parametric import parametric_survival

SETS = ["survival/pooled_reference.json", "survival/pooled_reference_sim.json"]
#: metafor's REML stops at a change of 1e-5 in the likelihood, its Paule-Mandel search at 1e-4 in tau2; DL is closed.
LOOSE = {"DL": 1e-9, "REML": 1e-6, "PM": 5e-5}


def trials(name):
    found = {}
    for case in reference_json(name)["trials"]:
        arms = reference_json(f"survival/cases/{case}/truth.json")["arms"]
        with reference(f"survival/cases/{case}/truth_ipd.csv").open() as lines:
            rows = [(float(r["time"]), int(r["event"]), arms.index(r["arm"])) for r in csv.DictReader(lines)]
        found[case] = tuple(np.array(column) for column in zip(*rows, strict=True))
    return found


def single_arms(name):
    return {f"{case} {g}": (t[a == g], e[a == g]) for case, (t, e, a) in trials(name).items() for g in (0, 1)}


def same(result, known, tolerance):
    assert result.TE_random == pytest.approx(known["est"], abs=tolerance)
    assert result.seTE_random == pytest.approx(known["se"], abs=tolerance)
    if "lo" in known:
        assert (result.lower_random, result.upper_random) == pytest.approx(
            (known["lo"], known["hi"]), abs=4 * tolerance
        )
    if "tau2" in known:
        assert result.tau2 == pytest.approx(known["tau2"], abs=2 * tolerance, rel=1e-5)
        assert pytest.approx(known["I2"], abs=100 * tolerance) == 100 * result.I2
        assert pytest.approx(known["Q"], rel=1e-8) == result.Q


@pytest.mark.parametrize("method", LOOSE)
@pytest.mark.parametrize("name", SETS)
def test_two_stage_matches_metafor(name, method):
    known, patients = reference_json(name), trials(name)
    how = Settings(method_tau=method, method_I2="tau2")
    same(two_stage(patients, "hazard-ratio", settings=how), known["two_stage_loghr"][method], LOOSE[method])
    # The reference holds the last value of one arm that ends at 11.95 up to the horizon of 12.
    means = two_stage(patients, "restricted-mean-difference", at=known["tau"], carry=True, settings=how)
    same(means, known["two_stage_rmst_diff"][method], LOOSE[method])


@pytest.mark.parametrize("name", SETS)
def test_hartung_knapp_and_prediction_match_metafor(name):
    known, patients = reference_json(name), trials(name)
    for quantity, key in (("hazard-ratio", "two_stage_loghr"), ("restricted-mean-difference", "two_stage_rmst_diff")):
        at = known["tau"] if "mean" in quantity else None
        result = two_stage(patients, quantity, at=at, carry=True, settings=Settings(method_random_ci="HK"))
        same(result, known[key]["REML_HKSJ"], 1e-6)
        normal = two_stage(patients, quantity, at=at, carry=True, settings=Settings(method_predict="S"))
        limits = known[key]["REML_prediction"]
        assert (normal.lower_predict, normal.upper_predict) == pytest.approx((limits["lo"], limits["hi"]), abs=4e-6)
        fixed = known[key]["FE"]
        assert (normal.TE_common, normal.seTE_common) == pytest.approx((fixed["est"], fixed["se"]), abs=1e-9)


@pytest.mark.parametrize(("scale", "sign"), [("loglog", -1), ("logit", 1), ("arcsine", 1), ("raw", 1)])
@pytest.mark.parametrize("name", SETS)
def test_milestones_match_metafor(name, scale, sign):
    known, patients = reference_json(name)["milestone"], single_arms(name)
    pooled = known["cloglog" if scale == "loglog" else scale]
    columns = {"loglog": ("cll", "se_cll"), "logit": ("lg", "se_lg"), "arcsine": ("as", "se_as"), "raw": ("S", "se")}
    for method, tolerance in LOOSE.items():
        how = Settings(method_tau=method)
        result = two_stage(
            patients, f"milestone-{scale}", at=reference_json(name)["milestone_time"], carry=True, settings=how
        )
        assert sign * result.TE_random == pytest.approx(pooled[method]["est"], abs=tolerance)
        assert result.tau2 == pytest.approx(pooled[method]["tau2"], abs=2 * tolerance, rel=1e-5)
        ends = sorted((sign * result.lower_random, sign * result.upper_random))
        assert ends == pytest.approx([pooled[method]["lo"], pooled[method]["hi"]], abs=4 * tolerance)
    value, error = columns[scale]
    for row in known["per_study"]:
        i = result.studies.studlab.index(row["study"])
        assert sign * result.TE[i] == pytest.approx(row[value], rel=1e-9)
        assert result.seTE[i] == pytest.approx(row[error], rel=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_one_stage_matches_r(name):
    known, patients = reference_json(name), trials(name)
    stratified = one_stage_hazard_ratio(patients)
    want = known["one_stage_stratified_cox"]
    assert (stratified.loghr, stratified.se) == pytest.approx((want["loghr"], want["se"]), rel=1e-6)
    clustered = one_stage_hazard_ratio(patients, "clustered")
    want = known["one_stage_unstratified_robust"]
    assert (clustered.loghr, clustered.se) == pytest.approx((want["loghr"], want["se_robust"]), rel=1e-5)
    # R stopped its search for theta early; the hazard ratio moves little with it (see tests/survival/test_cox.py).
    frailty = one_stage_hazard_ratio(patients, "frailty")
    want = known["one_stage_gamma_frailty"]
    assert frailty.loghr == pytest.approx(np.atleast_1d(want["loghr"])[0], abs=0.003)
    assert frailty.theta > 0
    naive = known["naive_pooled_km"]
    curve = one_stage_curve(single_arms(name))
    assert (curve.median, *curve.median_ci()) == pytest.approx((naive["median"], naive["lo"], naive["hi"]))
    assert curve.at(naive["times"]) == pytest.approx(naive["S"])
    assert curve.interval_at(naive["times"])[0] == pytest.approx(naive["lower"])
    assert curve.interval_at(naive["times"])[1] == pytest.approx(naive["upper"])


@pytest.mark.parametrize("name", SETS)
def test_multivariate_matches_metafor(name):
    known = reference_json(name)["multivariate_loglog_random_intercept"]
    found = multivariate_survival(single_arms(name), known["times"], carry=True)
    assert found.sigma2 == pytest.approx(known["sigma2"], abs=2e-6)
    np.testing.assert_allclose(found.b, known["b"], atol=1e-6)
    np.testing.assert_allclose(found.se, known["se"], atol=1e-6)
    np.testing.assert_allclose(found.survival, known["S"], atol=1e-6)
    np.testing.assert_allclose(found.lower, known["S_lo"], atol=1e-6)
    np.testing.assert_allclose(found.upper, known["S_hi"], atol=1e-6)
    assert (found.predict_lower < found.lower).all()
    assert any("no event between" in note for note in found.notes)


def test_trials_without_the_number_are_named():
    patients = {"A": ([1, 2, 3, 9], [1, 1, 0, 1]), "B": ([2, 3, 5, 9], [1, 1, 1, 0]), "C": ([1, 2], [1, 0])}
    result = two_stage(patients, "milestone-logit", at=4)
    assert result.studies.excluded == (("C", "follow-up ends at 2, before 4"),)
    assert math.isnan(result.pval_random)
    more = {"E": (range(1, 41), [1] * 40), "D": ([5, 6], [0, 0])}
    reached = two_stage(more, "median")
    assert dict(reached.studies.excluded)["D"] == "the median is not reached"
    with pytest.raises(DataError, match="C: no event where"):
        two_stage({"C": ([1, 2], [1, 0], [1, 0])}, "hazard-ratio")


def test_impossible_requests_are_refused():
    patients = {"A": ([1, 2, 3, 9], [1, 1, 0, 1])}
    with pytest.raises(UnknownName, match="milestone-logit"):
        two_stage(patients, "milestone")
    with pytest.raises(MethodError, match="its horizon"):
        two_stage(patients, "restricted-mean")
    with pytest.raises(DataError, match="A: 2 columns"):
        two_stage(patients, "hazard-ratio")
    with pytest.raises(DataError, match="A: no column 'event'"):
        two_stage({"A": {"time": [1]}}, "median")
    with pytest.raises(DataError, match="code the two arms 0 and 1"):
        one_stage_hazard_ratio({"A": ([1, 2], [1, 1], [1, 2])})
    with pytest.raises(MethodError, match="at least 2"):
        multivariate_survival(patients, [2])
    with pytest.raises(DataError, match="increase"):
        multivariate_survival(patients, [2, 1])
    with pytest.raises(UnknownName, match="stratified"):
        one_stage_hazard_ratio({"A": ([1, 2], [1, 1], [0, 1])}, "strata")


SAID = {
    "milestone-loglog": ("Survival at 6", "on the log-log scale (milestone 6), read from", "10.1002/sim.3311"),
    "milestone-logit": ("Survival at 6", "on the logit scale (milestone 6)", "10.1002/sim.3311"),
    "milestone-arcsine": ("Survival at 6", "on the arcsine scale (milestone 6)", "10.1002/sim.3311"),
    "milestone-raw": ("Survival at 6", "Greenwood's standard error", "10.1002/sim.3311"),
    "restricted-mean": ("Restricted mean to 6", "restricted mean survival time (horizon 6)", "10.1002/sim.6556"),
    "median": ("Median survival", "divided by 2 × 1.96, as the standard error", "10.1002/sim.8013"),
    "restricted-mean-difference": (
        "Difference in restricted mean to 6",
        "difference in restricted mean survival time (horizon 6), group 1 less group 0",
        "10.1002/sim.6556",
    ),
    "hazard-ratio": ("Hazard ratio", "log hazard ratio of Cox's model, group 1 against", "10.1002/(SICI)1097-0258"),
}


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_two_stage_results_speak_of_their_quantity(quantity):
    label, said, doi = SAID[quantity]
    found = {
        name: (time, event, np.arange(time.size) % 2)
        for name, (time, event) in homogeneous(1, (60,) * 3, (1,) * 3).items()
    }
    timed = QUANTITIES[quantity].timed
    pooled = two_stage(found, quantity, at=6 if timed else None, carry=bool(timed))
    methods = pooled.explain()
    assert label in pooled.summary().splitlines()[2] and said in pooled.summary()
    assert said in methods.sentence and doi in methods.references[0]
    assert ("carried on at its last value" in methods.sentence) == bool(timed)
    for other in ("Warton", "Hedges LV, Gurevitch", "Fleiss", "Cochrane Handbook"):
        assert other not in str(methods)
    assert pooled.scale.label == label
    assert label in pooled.forest().svg().decode()
    words = (
        label
        if pooled.scale.ratio or quantity.endswith(("mean", "difference", "raw"))
        else QUANTITIES.entry(quantity).title
    )
    assert words[1:] in pooled.funnel().svg().decode()


def homogeneous(seed, sizes=(40,) * 5, factor=(1.0,) * 5):
    rng, found = np.random.default_rng(seed), {}
    for i, (n, z) in enumerate(zip(sizes, factor, strict=True)):
        time, end = rng.weibull(1.2, n) * 10 / z, rng.uniform(4, 25, n)
        found[f"t{i}"] = (np.minimum(time, end), (time <= end).astype(int))
    return found


@pytest.mark.parametrize("family", ["weibull", "log-logistic"])
def test_trials_that_do_not_differ_have_no_frailty(family):
    fits = [frail_distribution(homogeneous(seed), family) for seed in range(20)]
    assert sum(fit.theta == 0 for fit in fits) >= 8 and sum(fit.theta_lower == 0 for fit in fits) >= 18
    for seed, fit in enumerate(fits):
        together = [np.concatenate(column) for column in zip(*homogeneous(seed).values(), strict=True)]
        alone = parametric_survival(*together, family)
        assert fit.theta_lower <= fit.theta < fit.theta_upper < 2
        assert fit.aic == pytest.approx(-2 * fit.loglik + 2 * 3)
        if fit.theta > 0:
            assert fit.loglik > alone.loglik
            continue
        assert (fit.loglik, fit.at(7)) == pytest.approx((alone.loglik, alone.at(7)))
        assert fit.frailty == pytest.approx(np.ones(5))
        assert [float(limit) for limit in fit.prediction(7)] == pytest.approx([alone.at(7)] * 2)
        assert "boundary" in fit.summary() and "without any frailty" in fit.explain().sentence


def test_limits_of_a_frailty_hold_its_variance():
    fit = frail_distribution(homogeneous(3, (200,) * 5, (0.4, 0.7, 1.0, 1.5, 2.2)), "weibull")
    assert 0 < fit.theta_lower < fit.theta < fit.theta_upper < 3
    assert fit.parameters[-1] == "log theta" and fit.b[-1] == pytest.approx(math.log(fit.theta))
    se = math.sqrt(fit.cov[-1, -1])
    # The profile is steeper below; Wald's limits on the log scale lie between.
    assert math.log(fit.theta_lower) == pytest.approx(fit.b[-1] - 1.96 * se, abs=0.5)
    assert math.log(fit.theta_upper) == pytest.approx(fit.b[-1] + 1.96 * se, abs=0.7)


def test_frail_distribution_integrates_the_frailty():
    patients = single_arms(SETS[1])
    fit = frail_distribution(patients, "weibull")
    # The likelihood of each trial, by quadrature over the frailty.
    shape, scale = math.exp(fit.b[0]), fit.unit * math.exp(fit.b[1])
    total = 0.0
    for t, e in patients.values():
        hazard = float(((t / scale) ** shape).sum())
        log_h = float((math.log(shape / scale) + (shape - 1) * np.log(t[e == 1] / scale)).sum())
        d, peak = int(e.sum()), (1 / fit.theta + e.sum()) / (1 / fit.theta + hazard)
        z = np.linspace(1e-9, 12 * peak, 200_001)
        rest = (1 / fit.theta - 1) * np.log(z) - z / fit.theta
        inner = d * np.log(z) - z * hazard + rest - gammaln(1 / fit.theta) - math.log(fit.theta) / fit.theta
        top = inner.max()
        inside = np.trapezoid(np.exp(inner - top), z)
        total += log_h + top + math.log(inside)
    assert fit.loglik == pytest.approx(total, abs=1e-5)
    assert fit.frailty.mean() == pytest.approx(1, abs=0.02)
    low, high = fit.prediction([5, 10])
    assert ((low < fit.at([5, 10])) & (fit.at([5, 10]) < high)).all()
    name = fit.studies[0]
    assert fit.of_study(name, 10) == pytest.approx(math.exp(-fit.frailty[0] * (10 / scale) ** shape))
    assert fit.extrapolated(1000)
    with pytest.raises(MethodError, match="at least 3"):
        frail_distribution({k: patients[k] for k in fit.studies[:2]})


def test_every_quantity_runs_and_cites():
    patients = trials(SETS[1])
    for name in QUANTITIES:
        assert "doi" in QUANTITIES.entry(name).cite
        result = mg.two_stage(patients, name, at=8)
        assert math.isfinite(result.TE_random)
        assert result.lower_random < result.TE_random < result.upper_random
