"""Tests for small-study effects: the reference, laws and refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln

import metagrove as mg
from bias_reference import expected, mismatches
from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.pooling.bias.asymmetry import asymmetry_test, default_test
from metagrove.pooling.bias.funnel_data import funnel_data
from metagrove.pooling.bias.rank_correlation import rank_correlation
from metagrove.pooling.bias.regression_tests import PREDICTORS, pet_peese_estimate, rank_test, regression_test
from metagrove.pooling.bias.small_study import (
    BIAS_TESTS,
    TEST_SYNONYMS,
    hypergeometric_moments,
    mantel_haenszel_odds_ratio,
)
from metagrove.pooling.tau2 import Design, log_likelihood

CLOSED = 1e-9


def egger2001(measure):
    """Log odds or risk ratios of the magnesium trials, 0.5 added where a cell is 0."""
    data = {key: np.array(value, float) for key, value in expected("bias_egger2001")["data"].items() if key != "study"}
    a, n1, c, n2 = (data[key] for key in ("event.e", "n.e", "event.c", "n.c"))
    add = 0.5 * ((a == 0) | (c == 0) | (a == n1) | (c == n2))
    x, z = a + add, c + add
    if measure == "OR":
        b, d = n1 - a + add, n2 - c + add
        y, v = np.log(x * d / (b * z)), 1 / x + 1 / b + 1 / z + 1 / d
    else:
        y = np.log(x / (n1 + add) / (z / (n2 + add)))
        v = 1 / x - 1 / (n1 + add) + 1 / z - 1 / (n2 + add)
    return funnel_data(y, v, tables=(a, n1, c, n2), measure=measure, method_tau="DL")


def furukawa2003(measure):
    """Mean differences, or Hedges' g with its exact variance."""
    data = expected("bias_cont_furukawa2003")["data"]
    ne, me, se, nc, mc, sc = (np.array(data[key], float) for key in ("Ne", "Me", "Se", "Nc", "Mc", "Sc"))
    if measure == "MD":
        y, v = me - mc, se**2 / ne + sc**2 / nc
    else:
        m = ne + nc - 2
        j = np.exp(gammaln(m / 2) - gammaln((m - 1) / 2) - 0.5 * np.log(m / 2))
        y = j * (me - mc) / np.sqrt(((ne - 1) * se**2 + (nc - 1) * sc**2) / m)
        v = 1 / ne + 1 / nc + (1 - (m - 2) / (m * j**2)) * y**2
    return funnel_data(y, v, tables=(None, ne, None, nc), measure=measure, method_tau="DL")


def cases(case):
    blocks = expected(case)["expected"]
    return [(block, *block.split("_")) for block in blocks if block.split("_")[0] in ("OR", "RR", "SMD", "MD")]


@pytest.mark.parametrize(("block", "measure", "method"), cases("bias_egger2001"))
def test_reference_binary(block, measure, method):
    result = asymmetry_test(egger2001(measure), method)
    if block == "RR_Harbord":  # R's meta has a variance of its own
        result = replace(asymmetry_test(egger2001(measure), "HarbordBalanced"), method=method)
    assert mismatches("bias_egger2001", block, result, CLOSED, skip=tau2_of_ranks(method)) == []


@pytest.mark.parametrize(("block", "measure", "method"), cases("bias_cont_furukawa2003"))
def test_reference_continuous(block, measure, method):
    result = asymmetry_test(furukawa2003(measure), method)
    assert mismatches("bias_cont_furukawa2003", block, result, CLOSED, skip=tau2_of_ranks(method)) == []


def tau2_of_ranks(method):
    return ("tau2",) if method in ("Begg", "Schwarzer") else ()


@pytest.mark.parametrize("case", ["seed_atc_orr", "seed_atc_dcr", "seed_atc_orr_table1_n"])
@pytest.mark.parametrize("method", ["egger", "begg", "thompson"])
def test_reference_proportions(case, method):
    data = expected(case)["data"]
    result = mg.metaprop(data["event"], data["n"], sm="PFT")
    test = result.metabias(method, k_min=3)
    tolerance = 1e-7 if method == "thompson" else CLOSED
    assert mismatches(case, method, test, tolerance, skip=tau2_of_ranks(method.title())) == []
    assert "variance depends on the sample size" in test.reason


@pytest.mark.parametrize("case", ["seed_atc_orr", "seed_atc_dcr", "seed_atc_orr_table1_n"])
def test_thompson_tau2_is_the_peak(case):
    data, block = expected(case)["data"], expected(case)["expected"]["thompson"]
    result = mg.metaprop(data["event"], data["n"], sm="PFT")
    test = result.metabias("Thompson", k_min=3)
    assert test.estimate == pytest.approx(block["estimate"], rel=2e-4)
    assert test.statistic == pytest.approx(block["statistic"], rel=1e-4)
    design = Design(result.TE, result.seTE**2, np.column_stack((np.ones(6), result.seTE)))
    here, there = (log_likelihood(design, tau2, restricted=True) for tau2 in (test.tau2, block["tau2"]))
    assert here > there


def test_harbord_of_risk_ratios_is_the_published_one():
    """Z = (d1 n - d n1) / h and V = n1 n0 d / (n h): Harbord, Harris, Sterne 2009 (Stata Journal 9:197-210)."""
    funnel = egger2001("RR")
    a, n1, c, n2 = funnel.tables("x")
    n, d = n1 + n2, a + c
    z, v = (a * n - d * n1) / (n - d), n1 * n2 * d / (n * (n - d))
    slope, intercept = np.polyfit(np.sqrt(v), z / np.sqrt(v), 1)
    test = asymmetry_test(funnel, "Harbord")
    assert test.estimate[0] == pytest.approx(intercept, rel=1e-9)
    assert test.intercept == pytest.approx(slope, rel=1e-9)
    # the variance of the log risk ratio where both risks are d / n is 1 / V
    assert 1 / v == pytest.approx((n / d - 1) * (1 / n1 + 1 / n2), rel=1e-12)


def test_the_door_has_the_variance_of_rs_meta_and_names_the_published_test():
    block = expected("bias_egger2001")["expected"]["RR_Harbord"]
    funnel = egger2001("RR")
    a, n1, c, n2 = funnel.tables("x")
    result = mg.metabin(a, n1, c, n2, sm="RR")
    test = result.metabias("Harbord")
    assert test.estimate == pytest.approx(block["estimate"], rel=1e-9)
    assert test.pval == pytest.approx(block["pval"], rel=1e-9)
    published = result.metabias("Harbord2009")
    assert published.pval == asymmetry_test(funnel, "Harbord").pval != test.pval
    assert f"{published.pval:.4f}" in test.reason
    assert not published.reason
    # with arms of one size the two are one
    equal = mg.metabin(a, n1, np.minimum(c, n1 - 1), n1, sm="RR")
    assert equal.metabias("Harbord").pval == pytest.approx(equal.metabias("Harbord2009").pval, rel=1e-9)


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_reference_regtest(predictor):
    block = f"metafor_regtest_rma_{predictor}"
    data = expected("bias_egger2001")["data"]
    funnel = egger2001("OR")
    ni = np.array(data["n.e"]) + np.array(data["n.c"])
    test = mg.regtest(funnel.y, funnel.v, ni=ni, predictor=predictor)
    assert mismatches("bias_egger2001", block, test, 1e-6) == []
    after = mg.rma(funnel.y, funnel.v).regtest(predictor=predictor) if predictor in ("sei", "vi") else test
    assert after.zval == pytest.approx(test.zval, rel=1e-12)


def test_reference_regtest_lm_and_ranktest():
    funnel = egger2001("OR")
    lm = mg.regtest(funnel.y, funnel.v, model="lm")
    assert mismatches("bias_egger2001", "metafor_regtest_lm_sei", lm, CLOSED) == []
    rank = mg.ranktest(funnel.y, funnel.v)
    assert rank.exact
    assert mismatches("bias_egger2001", "metafor_ranktest", rank, CLOSED) == []


def test_regression_on_moderators_comes_first():
    """R metafor 3.8-1: regtest(rma(yi, vi, mods=~c(1,2,3,1,2,5), test="knha")) gives t = 1.7393, df = 3."""
    y, v = [0.1, 0.5, 0.3, 0.9, -0.2, 0.4], [0.02, 0.05, 0.03, 0.1, 0.04, 0.06]
    test = mg.regtest(mg.rma(y, v, mods=[1.0, 2, 3, 1, 2, 5], test="knha"))
    assert (round(test.zval, 4), test.dfs, test.est) == (1.7393, 3, None)


def test_pet_peese_are_the_two_limits():
    funnel = furukawa2003("SMD")
    found = pet_peese_estimate(funnel)
    assert found.pet.est == pytest.approx(asymmetry_test(funnel, "Egger").intercept, rel=1e-12)
    assert found.chosen == ("PEESE" if found.pet.fit.pval[0] < 0.1 else "PET")
    assert {row["model"] for row in found.rows()} == {"PET", "PEESE"}
    strong = funnel_data(2 + 0.1 * funnel.se, funnel.v + 0.01 * np.arange(funnel.k))
    assert pet_peese_estimate(strong).chosen == "PEESE"


def test_exact_rank_probabilities():
    """Kendall's table: with k = 4 the scores 6, 4, 2, 0 have tails 1/24, 4/24, 9/24, 15/24."""
    x = np.arange(4.0)
    for order, tail in (((0, 1, 2, 3), 2 / 24), ((1, 0, 2, 3), 8 / 24), ((1, 0, 3, 2), 18 / 24)):
        assert rank_correlation(x, np.array(order, float)).pval_exact == pytest.approx(tail)


def test_tied_ranks_have_kendalls_variance():
    from scipy.stats import kendalltau

    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 4, 25).astype(float), rng.integers(0, 5, 25).astype(float)
    found = rank_correlation(x, y)
    peer = kendalltau(x, y, method="asymptotic")
    assert found.pval_exact is None
    assert found.tau_b == pytest.approx(peer.statistic)
    assert found.pval_normal == pytest.approx(peer.pvalue)


def test_continuity_correction_moves_the_score_by_one():
    funnel = egger2001("OR")
    plain, corrected = (asymmetry_test(funnel, "Begg", correct=on) for on in (False, True))
    assert corrected.statistic == pytest.approx((plain.estimate[0] - 1) / plain.estimate[1])
    assert mg.metabias(funnel.y, "Begg", vi=funnel.v, correct=True).pval == pytest.approx(corrected.pval)


def test_hypergeometric_moments_against_scipy():
    from scipy.stats import nchypergeom_fisher

    mean, variance = hypergeometric_moments(30.0, 25.0, 12.0, 1.7)
    peer = nchypergeom_fisher(55, 30, 12, 1.7)
    assert (mean, variance) == pytest.approx((peer.mean(), peer.var()))


def test_skewness_test_against_scipy():
    from scipy.stats import skew

    funnel = egger2001("OR")
    fit = np.polyfit(1 / funnel.se, funnel.y / funnel.se, 1)
    residual = funnel.y / funnel.se - np.polyval(fit, 1 / funnel.se)
    test = asymmetry_test(funnel, "skewness")
    assert test.estimate[0] == pytest.approx(skew(residual))
    assert test.statistic == pytest.approx(skew(residual) / np.sqrt(6 / 16))


effects = st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 4)), min_size=10, max_size=25)
ON_EFFECTS = ("Egger", "Begg", "Thompson", "LinChu")


def spread(pairs):
    y, v = np.array(pairs).T
    v = v * (1 + 0.01 * np.arange(v.size))
    return y + 0.001 * np.sin(np.arange(y.size)), v


@settings(derandomize=True, deadline=None, max_examples=25)
@given(effects, st.sampled_from(ON_EFFECTS))
def test_mirrored_effects_mirror_the_test(pairs, method):
    funnel = funnel_data(*spread(pairs))
    there, back = asymmetry_test(funnel, method), asymmetry_test(funnel.mirrored(), method)
    assert back.statistic == pytest.approx(-there.statistic, rel=1e-7, abs=1e-9)
    assert back.pval == pytest.approx(there.pval, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("method", ["Harbord", "Schwarzer", "Deeks", "Peters", "Macaskill"])
def test_exchanged_arms_mirror_the_test(method):
    funnel = egger2001("OR")
    there, back = asymmetry_test(funnel, method), asymmetry_test(funnel.mirrored(), method)
    sign = -1.0
    assert back.statistic == pytest.approx(sign * there.statistic, rel=1e-8)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(effects, st.sampled_from(ON_EFFECTS), st.randoms(use_true_random=False))
def test_order_of_studies_does_not_matter(pairs, method, random):
    y, v = spread(pairs)
    order = list(range(len(y)))
    random.shuffle(order)
    one, other = (asymmetry_test(funnel_data(a, b), method) for a, b in ((y, v), (y[order], v[order])))
    assert one.statistic == pytest.approx(other.statistic, rel=1e-7, abs=1e-9)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(effects, st.floats(0.1, 50))
def test_units_do_not_matter(pairs, unit):
    y, v = spread(pairs)
    for method in ("Egger", "Begg"):
        one, other = (asymmetry_test(funnel_data(y * u, v * u * u), method) for u in (1.0, unit))
        assert one.statistic == pytest.approx(other.statistic, rel=1e-6, abs=1e-9)


def test_few_studies_are_said_aloud():
    few = mg.metagen([0.1, 0.4, 0.8, 0.3], [0.1, 0.2, 0.4, 0.15])
    test = few.metabias()
    assert test.pval is None and test.estimate is None
    assert "4 studies, fewer than k_min = 10" in test.reason and "k_min=4" in test.reason
    assert "not done" in test.summary() and test.rows()[0]["reason"] == test.reason
    asked = few.metabias("Egger", k_min=4)
    assert 0 < asked.pval < 1 and "below 10" in asked.reason
    assert "little power" in str(asked.explain())
    with pytest.raises(MethodError, match="below 3 studies"):
        few.metabias(k_min=2)
    grouped = mg.metagen([0.1, 0.4, 0.8, 0.3], [0.1, 0.2, 0.4, 0.15], subgroup=["a", "a", "b", "b"])
    assert "subgroups were taken together" in grouped.metabias(k_min=4).reason


@pytest.mark.parametrize(
    ("method", "data", "message"),
    [
        ("Harbord", {}, "2x2 tables"),
        ("Schwarzer", {}, "2x2 tables"),
        ("Deeks", {}, "2x2 tables"),
        ("Peters", {}, "counts of events"),
        ("Macaskill", {}, "sample size"),
        ("Pustejovsky", {}, "sizes of both arms"),
        ("Pustejovsky", {"measure": "MD"}, "standardised mean differences"),
    ],
)
def test_unsuitable_tests_are_refused(method, data, message):
    funnel = funnel_data(np.linspace(0, 1, 12), np.linspace(0.1, 1, 12), **data)
    with pytest.raises(MethodError, match=message):
        asymmetry_test(funnel, method)


def test_harbord_is_refused_for_risk_differences():
    funnel = egger2001("OR")
    tables = funnel.tables("x")
    with pytest.raises(MethodError, match="not for RD"):
        asymmetry_test(funnel_data(funnel.y, funnel.v, tables=tables, measure="RD"), "Harbord")


def test_double_zero_studies_are_named():
    funnel = egger2001("OR")
    a, n1, c, n2 = (column.copy() for column in funnel.tables("x"))
    a[3] = c[3] = 0
    bad = funnel_data(funnel.y, funnel.v, tables=(a, n1, c, n2), measure="OR", labels=tuple(f"T{i}" for i in range(16)))
    for method in ("Harbord", "Peters", "Schwarzer"):
        with pytest.raises(MethodError, match="study T3 has no event"):
            asymmetry_test(bad, method)
    with pytest.raises(MethodError, match="0 or infinite"):
        mantel_haenszel_odds_ratio(np.zeros(2), np.array([5.0, 5]), np.ones(2), np.array([5.0, 5]))


@pytest.mark.parametrize("method", ["Egger", "Thompson", "Begg", "LinChu"])
def test_equal_variances_are_refused(method):
    funnel = funnel_data(np.linspace(0, 1, 12), np.full(12, 0.2))
    with pytest.raises(MethodError, match=r"same for all studies|all variances are the same"):
        asymmetry_test(funnel, method)


@pytest.mark.parametrize("method", ["Egger", "Begg", "Thompson", "LinChu"])
def test_identical_effects_are_refused_or_give_a_number(method):
    funnel = funnel_data(np.full(12, 0.3), np.linspace(0.1, 1, 12))
    try:
        test = asymmetry_test(funnel, method)
    except MethodError as refusal:
        assert "exactly on a line" in str(refusal) or "differ" in str(refusal)
    else:
        assert np.isfinite(test.statistic) and 0 <= test.pval <= 1


def test_extreme_variances_give_numbers():
    rng = np.random.default_rng(1)
    v = 10.0 ** np.linspace(-6, 6, 13)
    funnel = funnel_data(rng.normal(0, np.sqrt(v)), v)
    for method in ("Egger", "Thompson", "LinChu"):
        test = asymmetry_test(funnel, method)
        assert np.isfinite(test.statistic) and 0 <= test.pval <= 1
    assert np.isfinite(regression_test(funnel).zval)
    assert 0 <= rank_test(funnel).pval <= 1


def test_unknown_names_list_the_known():
    funnel = egger2001("OR")
    with pytest.raises(UnknownName, match="Egger"):
        asymmetry_test(funnel, "Eger")
    with pytest.raises(UnknownName, match="sqrtninv"):
        regression_test(funnel, predictor="n")
    with pytest.raises(UnknownName, match="lm, rma"):
        regression_test(funnel, model="ols")


def test_bad_effects_are_refused():
    with pytest.raises(DataError, match="2 effects for 3 variances"):
        funnel_data([1, 2], [1, 2, 3])
    with pytest.raises(DataError, match="study 2: effect 2 with variance 0"):
        funnel_data([1, 2], [1, 0])
    assert funnel_data([1, np.nan, 3], [1, 1, np.nan]).k == 1
    with pytest.raises(DataError, match="vi"):
        mg.metabias([1, 2, 3])


def test_every_test_has_a_citation_and_a_default_exists():
    for name in BIAS_TESTS:
        entry = BIAS_TESTS.entry(name)
        assert "doi:" in entry.cite and entry.title and (entry.value.__doc__ or "").strip()
    assert {default_test(sm) for sm in ("OR", "DOR", "SMD", "RR", "")} <= set(BIAS_TESTS)
    assert set(TEST_SYNONYMS.values()) <= set(BIAS_TESTS)
    assert asymmetry_test(egger2001("OR")).method == "Harbord"
    assert asymmetry_test(egger2001("OR"), "linreg").method == "Egger"
