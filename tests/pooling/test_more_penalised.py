"""Penalised logistic regression of 2x2 tables, and pooling with weights and moments of the user's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from known import reference_json
from metagrove.core.errors import DataError, MethodError
from metagrove.effects.arms import Tables
from metagrove.pooling.counts.penalised import penalised_fit

LAW = settings(derandomize=True, deadline=None, max_examples=30)


@LAW
@given(*(st.integers(0, 300) for _ in range(4)))
def test_one_table_is_the_odds_ratio_with_a_half_in_each_cell(a, b, c, d):
    """Firth 1993, section 4: Jeffreys' prior of a saturated table adds 1/2 to its cells."""
    if a + b == 0 or c + d == 0:
        return
    found = penalised_fit(Tables(*(np.array([float(v)]) for v in (a, b, c, d))))
    want = np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5)))
    assert found.theta == pytest.approx(want, abs=1e-9)


def penalised(beta, x, y, n):
    eta = x @ beta
    w = n / (2 + np.exp(eta) + np.exp(-eta))
    return float(y @ eta - n @ np.logaddexp(0, eta)) + 0.5 * float(np.linalg.slogdet(x.T @ (x * w[:, None]))[1])


@LAW
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_the_estimate_is_where_the_penalised_likelihood_is_highest(seed, k):
    rng = np.random.default_rng(seed)
    n = rng.integers(5, 80, (2, k)).astype(float)
    y = rng.binomial(n.astype(int), rng.uniform(0.005, 0.3, k)).astype(float)
    found = penalised_fit(Tables.from_arms(y[0], n[0], y[1], n[1]))
    x = np.column_stack([np.tile(np.eye(k), (2, 1)), np.repeat([1.0, 0.0], k)])
    beta = np.append(found.levels, found.theta)
    flat_y, flat_n = y.ravel(), n.ravel()
    here = penalised(beta, x, flat_y, flat_n)
    assert found.log_likelihood == pytest.approx(here, abs=1e-8)
    for j in range(k + 1):
        for step in (-1e-3, 1e-3):
            moved = beta.copy()
            moved[j] += step
            assert penalised(moved, x, flat_y, flat_n) < here + 1e-12
    # Fisher's information at the estimate
    p = 1 / (1 + np.exp(-x @ beta))
    information = x.T @ (x * (flat_n * p * (1 - p))[:, None])
    assert found.se == pytest.approx(np.sqrt(np.linalg.inv(information)[-1, -1]), rel=1e-8)


def test_large_tables_lose_the_penalty():
    d = reference_json("meta/bin_bcg.json")["data"]
    big = {name: np.array(values, dtype=float) * 1000 for name, values in d.items() if name != "study"}
    m = mg.metabin(big["event.e"], big["n.e"], big["event.c"], big["n.c"], sm="OR", method="LRP")
    glmm = mg.rma_glmm(big["event.e"], n1i=big["n.e"], ci=big["event.c"], n2i=big["n.c"], measure="OR", method="EE")
    assert m.TE_common == pytest.approx(float(glmm.b[0]), abs=1e-5)


def test_metabin_pools_rare_events_by_penalised_likelihood():
    d = reference_json("meta/bin_sparse_nissen2007.json")["data"]
    m = mg.metabin(d["event.e"], d["n.e"], d["event.c"], d["n.c"], studlab=d["study"], method="LRP")
    assert m.sm == "OR" and m.k == len(d["study"])  # studies without events count
    peto = mg.metabin(d["event.e"], d["n.e"], d["event.c"], d["n.c"], method="Peto")
    assert m.TE_common == pytest.approx(peto.TE_common, abs=0.15)
    assert m.seTE_random >= m.seTE_common and np.isnan(m.tau2)
    swapped = mg.metabin(d["event.c"], d["n.c"], d["event.e"], d["n.e"], method="LRP")
    assert swapped.TE_common == pytest.approx(-m.TE_common)
    assert "Evrenoglou" in str(m.explain()) and "tau²" not in m.explain().sentence
    assert 'method = "LRP"' in m.to_r()
    with pytest.raises(MethodError, match="penalised"):
        m.to_stata()
    assert m.forest().data()[-1]["estimate"] == pytest.approx(m.back.TE_random)
    assert m.leave_one_out("common").TE.size == m.k
    with pytest.raises(MethodError, match="RR"):
        mg.metabin([1, 2], [10, 20], [3, 4], [11, 22], sm="RR", method="LRP")
    with pytest.raises(MethodError, match="classic"):
        mg.metabin([1, 2], [10, 20], [3, 4], [11, 22], method="LRP", method_random_ci="HK")


def bcg():
    d = reference_json("meta/metareg_bcg.json")["data"]
    return np.array(d["yi"]), np.sqrt(d["vi"]), d["alloc"]


# metafor 3.8, rma(yi, vi, weights = 1:13): b, se, p
@pytest.mark.parametrize(
    ("options", "se", "p"),
    [
        ({}, 0.2132385261095, 0.0144307033512),
        ({"method_random_ci": "HK"}, 0.2144367556705, 0.0315769474343),
        ({"method_random_ci": "HK", "adhoc_hakn_ci": "se"}, 0.2144367556705, 0.0315769474343),
    ],
)
def test_user_weights_give_metafor_s_estimate(options, se, p):
    y, s, _ = bcg()
    m = mg.metagen(y, s, sm="RR", weights=np.arange(1, 14), **options)
    assert m.TE_random == pytest.approx(-0.5216580921025, rel=1e-10) == m.TE_common
    assert m.seTE_random == pytest.approx(se, rel=1e-8) and m.pval_random == pytest.approx(p, rel=1e-7)
    assert m.seTE_common == pytest.approx(0.120376769205, rel=1e-10)
    plain = mg.metagen(y, s, sm="RR")
    assert m.tau2 == plain.tau2 and m.Q == plain.Q and np.isnan(m.lower_predict)
    assert "weights.common = weights.common" in m.to_r() and "given by the authors" in m.explain().sentence
    assert m.w_random == pytest.approx(np.arange(1, 14))
    with pytest.raises(MethodError, match="weights"):
        m.to_stata()


def test_user_weights_of_one_model_follow_subgroups_and_subsets():
    y, s, alloc = bcg()
    w = np.arange(1.0, 14)
    m = mg.metagen(y, s, subgroup=alloc, weights_random=w)
    assert m.TE_common == pytest.approx(mg.metagen(y, s).TE_common)
    rows = np.flatnonzero(np.array(alloc) == "alternate")
    alone = mg.metagen(y[rows], s[rows], weights_random=w[rows])
    assert m.TE_random_w[1] == pytest.approx(alone.TE_random) and m.subgroup_levels[1] == "alternate"
    assert m.leave_one_out().TE[0] == pytest.approx(mg.metagen(y[1:], s[1:], weights=w[1:]).TE_random)
    with pytest.raises(DataError, match="weights_random"):
        mg.metagen(y, s, weights_random=-w)
    with pytest.raises(MethodError, match="three-level"):
        mg.metagen(y, s, weights=w, cluster=alloc)


def test_own_inverse_variances_as_weights_change_nothing():
    y, s, _ = bcg()
    plain = mg.metagen(y, s, sm="RR")
    same = mg.metagen(y, s, sm="RR", weights_common=1 / s**2, weights_random=1 / (s**2 + plain.tau2))
    assert (same.TE_common, same.seTE_common) == pytest.approx((plain.TE_common, plain.seTE_common))
    assert (same.TE_random, same.seTE_random) == pytest.approx((plain.TE_random, plain.seTE_random))
    assert same.lower_predict == pytest.approx(plain.lower_predict)


def test_moments_around_a_given_mean():
    y, s, _ = bcg()
    plain = mg.metagen(y, s, method_tau="DL")
    same = mg.metagen(y, s, method_tau="DL", TE_tau=plain.TE_common)
    assert same.tau2 == pytest.approx(plain.tau2, rel=1e-12)
    assert mg.metagen(y, s, method_tau="DL", TE_tau=0.5).tau2 > plain.tau2
    with pytest.raises(MethodError, match="TE_tau"):
        mg.metagen(y, s, TE_tau=0.0)


def test_ways_of_approximation_are_chosen_by_study():
    te, se = [0.1, 0.2, 0.3], [0.05, 0.1, 0.2]
    lower, upper, p = [0.0, 0.1, -0.3], [0.4, 0.5, 1.1], [0.04, 0.5, 0.01]
    asked = {"lower": lower, "upper": upper, "pval": p}
    m = mg.metagen(te, se, **asked, approx_TE=["", "ci", ""], approx_seTE=["ci", "", "pval"])
    z = 1.959963984540054
    assert list(m.TE) == pytest.approx([0.1, 0.3, 0.3])
    assert list(m.seTE) == pytest.approx([0.4 / (2 * z), 0.1, 0.3 / 2.5758293035489])
    means = mg.metagen(
        [1.0, 2.0], [0.3, 0.3], n_e=[40, 50], median=[8, 9], q1=[5, 6], q3=[12, 13], min=[1, 2], max=[20, 22],
        approx_TE=["iqr", ""], approx_seTE="range",
    )  # fmt: skip
    quartiles = mg.conv_fivenum(q1=[5], median=[8], q3=[12], n=[40])
    assert means.TE[0] == pytest.approx(quartiles["mean"].iloc[0]) and means.TE[1] == 2.0
    only = mg.metamean([40, 50], median=[8, 9], min=[1, 2], max=[20, 22])
    assert list(means.seTE) == pytest.approx(list(only.seTE))
    with pytest.raises(MethodError, match="approx_TE is 'pval'"):
        mg.metagen(te, se, **asked, approx_TE="pval")
    with pytest.raises(DataError, match="lower is missing"):
        mg.metagen(te, se, approx_TE="ci")


def test_the_doors_take_the_rules_for_skewed_data():
    quantiles = {"median": [4, 6], "q1": [3, 4], "q3": [6, 9]}
    for door, metafor in (("QE-McGrath", "qe"), ("BC-McGrath", "bc"), ("Cai", "mln")):
        m = mg.metamean([100, 80], **quantiles, method_mean=door, method_sd=door)
        want = mg.conv_fivenum(**quantiles, n=[100, 80], method=metafor)
        assert list(m.TE) == pytest.approx(want["mean"].tolist())
