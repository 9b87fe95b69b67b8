"""Meta-regression against the reference, R's numbers for what the reference lacks, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from known import reference_json
from nested_reference import compare

FORMULAS = {
    "ablat": "~ ablat",
    "year_ablat": "~ ablat + year",
    "alloc": "~ factor(alloc)",
    "full": "~ ablat + year + factor(alloc)",
    "interaction": "~ ablat * year",
    "no_intercept": "~ 0 + factor(alloc)",
}
#: Not matched: the peer's scoring stops 4e-14 above the boundary, where ours is 0 and the likelihood no lower.
AT_THE_BOUNDARY = {(f"interaction_ML_{test}", key) for test in ("z", "knha") for key in ("tau2", "I2")}
# coefficients and their errors carry the error of the reference's tau2 (about 1e-12 absolute), magnified in the tails
ITERATED = 1e-7


@pytest.fixture(scope="module")
def bcg():
    return reference_json("meta/metareg_bcg.json")


def fits(case):
    for block in case["expected"]:
        for method in ("REML", "DL", "ML"):
            name, sep, test = block.partition(f"_{method}_")
            if sep and name in FORMULAS and test in ("z", "knha"):
                yield block, FORMULAS[name], method, test


def test_every_block_is_compared(bcg):
    blocks = {block for block, *_ in fits(bcg)}
    others = {"FE_ablat", "predict_ablat_10_30_50", "vif_ablat_year", "hat_full", "lrt_ml_alloc", "location_scale"}
    assert blocks | others == set(bcg["expected"])
    assert len(blocks) == 36


def test_meta_regression_is_metafors(bcg):
    bad = []
    for block, formula, method, test in fits(bcg):
        result = mg.rma("yi", "vi", mods=formula, method=method, test=test, data=bcg["data"])
        wanted = bcg["expected"][block]
        for key in ("tau2", "I2"):
            if (block, key) in AT_THE_BOUNDARY:
                assert 0 == getattr(result, key) <= wanted[key] < 1e-9
        wanted = {key: value for key, value in wanted.items() if (block, key) not in AT_THE_BOUNDARY}
        bad += compare(result, wanted, case="metareg_bcg", block=block, tol=ITERATED)
    assert not bad, "\n".join(bad)


def test_equal_effects_regression(bcg):
    result = mg.rma("yi", "vi", mods="~ ablat", method="FE", data=bcg["data"])
    assert not compare(result, bcg["expected"]["FE_ablat"], tol=1e-9)


def test_predictions_diagnostics_and_comparisons(bcg):
    data, wanted = bcg["data"], bcg["expected"]
    ablat = mg.rma("yi", "vi", mods="~ ablat", data=data)
    assert not compare(ablat.predict([10, 30, 50]), wanted["predict_ablat_10_30_50"], tol=ITERATED)
    year = mg.rma("yi", "vi", mods="~ ablat + year", data=data)
    assert np.allclose(mg.vif(year), wanted["vif_ablat_year"], rtol=1e-9)
    # the block called hat_full belongs to ~ ablat + year: its leverages add up to 3
    assert np.allclose(mg.hatvalues(year), wanted["hat_full"], rtol=1e-9)
    full = mg.rma("yi", "vi", mods="~ ablat + factor(alloc)", method="ML", data=data)
    part = mg.rma("yi", "vi", mods="~ ablat", method="ML", data=data)
    assert not compare(mg.anova(full, part), wanted["lrt_ml_alloc"], tol=ITERATED)


def test_location_scale(bcg):
    result = mg.rma("yi", "vi", mods="~ ablat", scale="~ ablat", data=bcg["data"])
    assert not compare(result, bcg["expected"]["location_scale"], tol=1e-4)


def test_subgroups_as_moderators():
    case = reference_json("meta/subgroup_bcg.json")
    table = {**case["data"], "g": case["data"]["alloc"]}
    for method in ("REML", "DL"):
        result = mg.rma("yi", "vi", mods="~ factor(g)", method=method, data=table)
        assert not compare(result, case["expected"][f"rma_mods_factor_{method}"], tol=ITERATED)


def test_regression_of_proportions():
    case = reference_json("meta/prop_hannum2020.json")
    x, n = (np.array(case["data"][name], dtype=float) for name in ("xi", "ni"))
    half = 0.5 * ((x == 0) | (x == n))
    x, n = x + half, n + 2 * half
    wanted = {key: value for key, value in case["expected"]["metareg_PLO"].items() if key != "coef_names"}
    result = mg.rma(
        np.log(x / (n - x)), 1 / x + 1 / (n - x), mods="~ objectivity", data={"objectivity": case["data"]["group"]}
    )
    assert result.coef_names == ("intrcpt", "objectivitySubjective")
    assert not compare(result, wanted, tol=ITERATED)


@pytest.mark.parametrize("method", ["FE", "DL", "PM", "REML", "ML", "HS", "HSk", "SJ", "HE", "EB", "PMM"])
def test_models_without_moderators(method):
    case = reference_json("meta/tau2_raudenbush1985.json")
    wanted = dict(case["expected"][method])
    predicted = wanted.pop("predict")
    result = mg.rma("yi", "vi", method=method, data=case["data"])
    assert not compare(result, wanted, tol=ITERATED)
    assert not compare(result.predict(), predicted, tol=ITERATED)


def test_best_linear_unbiased_predictions():
    case = reference_json("meta/tau2_raudenbush1985.json")
    wanted = case["expected"]["REML_ranef"]
    result = mg.rma("yi", "vi", data=case["data"])
    found = {
        "blup": result.blup().pred,
        "blup_se": result.blup().se,
        "blup_pi_lb": result.blup().pi_lb,
        "blup_pi_ub": result.blup().pi_ub,
        "weights_pct": result.weights(),
    }
    assert set(found) == set(wanted)
    for key, values in found.items():
        assert np.allclose(values, wanted[key], rtol=ITERATED, atol=0), key


@pytest.mark.parametrize("case", ["influence_bcg", "influence_raudenbush1985"])
def test_influence(case):
    found = reference_json(f"meta/{case}.json")
    wanted = found["expected"]
    result = mg.rma("yi", "vi", data=found["data"])
    assert not compare(result.rstandard(), wanted["rstandard_REML"], tol=ITERATED)
    assert not compare(result.influence(), wanted["influence_REML"], tol=ITERATED)
    assert not compare(result.leave_one_out(), wanted["leave1out_REML"], tol=ITERATED)
    # the peer stops within 1e-11 of tau2 = 0 where ours is 0, so its I2 and tau2 differ by rounding there
    for key, values in wanted["cumul_REML"].items():
        wanted_here = np.array(values) / 100 if key == "I2" else values  # a percentage there
        assert np.allclose(result.cumulative()[key], wanted_here, rtol=ITERATED, atol=1e-8), key


# What follows was made by R 4.2.2 with metafor 3.8-1 on dat.bcg (log RR), control = list(threshold = 1e-13).


def test_diagnostics_with_moderators(bcg):
    table = bcg["data"]
    z = mg.rma("yi", "vi", mods="~ ablat + factor(alloc)", data=table)
    t = mg.rma("yi", "vi", mods="~ ablat + factor(alloc)", test="knha", data=table)
    assert np.allclose(z.rstandard().se[:2], [0.651559228867707, 0.513786258992514])
    assert np.allclose(z.rstudent().z[:2], [0.436922726812373, -0.202481013874876])
    assert np.allclose(t.rstudent().se[:2], [0.773759632839006, 0.720710529238625])
    one = z.influence()
    assert np.allclose(one.dffits[:2], [0.1734814941063, -0.1024677611250])
    assert np.allclose(one.cook_d[:2], [0.03427992449751724, 0.01774247817344657])
    assert np.allclose(one.cov_r[:2], [1.68406640239, 2.30671547266])
    assert np.allclose(one.tau2_del[:2], [0.165370327745, 0.173992442344])
    assert np.allclose(one.QE_del[:2], [26.1147078984, 26.0477767658])
    assert np.allclose(one.dfbs[0], [-0.0227686580743642, 0.0395278806294316, 0.0829209524743258, -0.0239006561222182])
    other = t.influence()
    assert np.allclose(other.dffits[:2], [0.1657439249961, -0.0984560073412])
    assert np.allclose(other.cook_d[:2], [0.03205063735766088, 0.01658865187420508])
    assert np.allclose(t.blup().pi_lb[:2], [-1.881854246286288, -2.270054447164481])
    assert np.allclose(t.ranef().se[:2], [0.3236429704203268, 0.3123611647916140])


def test_wald_tests_and_inflation(bcg):
    z = mg.rma("yi", "vi", mods="~ ablat + factor(alloc)", data=bcg["data"])
    t = mg.rma("yi", "vi", mods="~ ablat + factor(alloc)", test="knha", data=bcg["data"])
    assert np.allclose([z.anova(btt="alloc").QM, z.anova(btt=[3, 4]).QMp], [1.285017960466091, 0.525971116035061])
    assert t.anova(btt="alloc").QMp == pytest.approx(0.569000377430745)
    both = z.anova(X=[[1, 30, 0, 0], [0, 0, 1, -1]])
    assert np.allclose(both.Xb, [-0.5250783329407265, -0.3259524984411865])
    assert np.allclose([both.QM, both.QMp], [4.3235274015701108, 0.1151219012936411])
    assert np.allclose(mg.vif(z), [1.0151, 1.7224, 1.7111], atol=5e-5)
    assert np.allclose(z.vif(btt=["alloc"]).vif, [1.0151], atol=5e-5)


def test_user_weights_and_least_squares(bcg):
    table, w = bcg["data"], np.arange(1.0, 14.0)
    plain = mg.rma("yi", "vi", weights=w, data=table)
    assert np.allclose([plain.b[0], plain.se[0], plain.QM], [-0.521658092102543, 0.213238526109497, 5.984674757088534])
    assert plain.fit_ML.ll == pytest.approx(-13.2632492684925)
    assert plain.fit_REML.AICc == pytest.approx(30.889031375964663)
    knapp = mg.rma("yi", "vi", weights=w, test="knha", data=table)
    assert np.allclose([knapp.se[0], knapp.s2w], [0.214436755670501, 1.011269971966851])
    mods = mg.rma("yi", "vi", mods="~ ablat", weights=w, test="knha", data=table)
    assert np.allclose(mods.se, [0.31305593798846110, 0.00952911070646605])
    assert np.allclose(mods.influence().dffits[:2], [-0.00767725084795, -0.21887264957661])
    least = mg.rma("yi", "vi", mods="~ ablat", weighted=False, data=table)
    assert np.allclose(least.se, [0.28467486982518586, 0.00834132526038842])
    assert least.fit_REML.AICc == pytest.approx(25.79885840319637838)
    crude = mg.rma("yi", "vi", mods="~ ablat", weighted=False, method="FE", data=table)
    assert np.allclose([*crude.se, crude.R2], [0.20252665062450223, 0.00625123480646143, 23.79016118003466218])


def test_other_ways_to_fit(bcg):
    table = bcg["data"]
    adhoc = mg.rma("yi", "vi", mods="~ ablat", test="adhoc", data=table)
    assert np.allclose([*adhoc.se, adhoc.s2w], [0.28392528374342046, 0.00820141741103757, 1.29920215898263725])
    fixed = mg.rma("yi", "vi", mods="~ ablat", tau2=0.1, data=table)
    assert np.allclose([*fixed.se, fixed.I2], [0.27619232533785681, 0.00793978465206859, 0.7391737573164220976])
    assert np.isclose(fixed.fit_REML.AIC, 20.24746246246870998)
    general = mg.rma("yi", "vi", mods="~ ablat", method="GENQ", weights=1 / (np.array(table["vi"]) + 0.1), data=table)
    assert np.allclose([*general.b, general.tau2], [0.23903476182613023, -0.02888781507994586, 0.13151501244249686])
    scale = mg.rma("yi", "vi", mods="~ ablat", scale="~ ablat", method="ML", test="knha", data=table)
    assert np.allclose(scale.alpha, [-4.9575, 0.0386], atol=5e-5)
    assert np.allclose(scale.pval_alpha, [0.1574, 0.6077], atol=5e-5)


def test_intervals_of_tau2_with_moderators(bcg):
    result = mg.rma("yi", "vi", mods="~ ablat + factor(alloc)", data=bcg["data"])
    # R's roots are good to 1e-3
    assert np.allclose(result.confint()["tau2"][1:], [0.022876814503228, 0.919481962554083], rtol=1e-3)
    assert np.allclose(result.confint(type="PL")["I2"][1:], [20.2243762965683977, 92.0772414517142343], rtol=1e-3)
    assert np.allclose(result.confint(fixed=True)["ablat"], [-0.02727576, -0.04530609, -0.009245421], rtol=1e-6)


@pytest.mark.parametrize("block", ["QP_REML", "PL_REML", "PL_ML", "GENQ_DL"])
def test_intervals_of_tau2_without_moderators(block):
    case = reference_json("meta/tau2_ci_raudenbush1985.json")
    kind, method = block.split("_")
    wanted = case["expected"][f"metafor_confint_{block}"]
    found = mg.rma("yi", "vi", method=method, data=case["data"]).confint(type=kind)
    assert np.allclose(found.estimate, wanted["estimate"], rtol=ITERATED)
    # R's root finder for the quadratic form stops within 1.2e-4 of a lower limit near 0
    rtol = 1e-2 if kind == "GENQ" else 1e-6
    assert np.allclose(found.ci_lb, wanted["ci_lb"], rtol=rtol)
    assert np.allclose(found.ci_ub, wanted["ci_ub"], rtol=1e-5)


def test_intervals_of_a_general_moment_estimate(bcg):
    table = bcg["data"]
    crude = mg.rma("yi", "vi", mods="~ ablat", method="HE", data=table).confint(type="GENQ")
    equal = mg.rma("yi", "vi", mods="~ ablat", method="GENQ", weights=np.ones(13), data=table).confint()
    assert equal.method == "GENQ" and np.allclose(crude.random, equal.random, rtol=1e-9)
    assert 0 <= crude["tau2"][1] < crude["tau2"][0] < crude["tau2"][2]
    with pytest.raises(mg.MethodError, match="moment estimators"):
        mg.rma("yi", "vi", data=table).confint(type="GENQ")


def test_the_higher_of_two_peaks_is_found(bcg):
    # an iteration from below ends at the lower peak, tau2 = 0
    table = bcg["data"]
    result = mg.rma("yi", "vi", mods="~ ablat + year + factor(alloc)", method="ML", data=table)
    at_zero = mg.rma("yi", "vi", mods="~ ablat + year + factor(alloc)", method="ML", tau2=0.0, data=table)
    assert result.tau2 == pytest.approx(0.0329039, abs=1e-6)
    assert result.fit_ML.ll > at_zero.fit_ML.ll + 0.2


def test_permutation_tests(bcg):
    table = bcg["data"]
    result = mg.rma("yi", "vi", mods="~ ablat", data=table)
    found = mg.permutest(result, iter=400, rng=1)
    assert found.iterations == 400 and not found.exact
    assert found.pval[1] < 0.02
    assert found.QMp == pytest.approx(found.pval[1])
    again = mg.permutest(result, iter=400, rng=np.random.default_rng(1))
    assert np.array_equal(found.pval, again.pval)
    few = {name: values[:6] for name, values in table.items()}
    exact = mg.permutest(mg.rma("yi", "vi", mods="~ ablat", data=few), exact=True)
    assert exact.exact and exact.iterations == 360  # 6! / 2: two studies share a latitude
    signs = mg.permutest(mg.rma("yi", "vi", data=few))
    assert signs.iterations == 64 and signs.pval[0] == pytest.approx(2 / 64)
    with pytest.raises(mg.MethodError, match="needs a generator"):
        mg.permutest(result)


# laws

effects = st.lists(st.tuples(st.floats(-2, 2), st.floats(0.01, 1), st.floats(-3, 3)), min_size=6, max_size=12)


def columns(rows):
    y, v, x = (np.array(column) for column in zip(*rows, strict=True))
    steps = np.arange(len(x))
    return y + np.sin(3.0 * steps), v, x + steps  # uneven, and distinct enough to carry a slope


@settings(derandomize=True, deadline=None, max_examples=25)
@given(effects, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows, random):
    y, v, x = columns(rows)
    order = list(range(len(y)))
    random.shuffle(order)
    one, two = mg.rma(y, v, mods=x), mg.rma(y[order], v[order], mods=x[order])
    assert np.allclose(one.b, two.b, rtol=1e-6, atol=1e-8)
    assert one.tau2 == pytest.approx(two.tau2, rel=1e-6, abs=1e-9)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(effects, st.floats(-5, 5), st.floats(0.1, 10), st.floats(-5, 5), st.floats(0.1, 10))
def test_shifts_and_scales_pass_through(rows, shift, scale, xshift, xscale):
    y, v, x = columns(rows)
    one = mg.rma(y, v, mods=x, test="knha")
    two = mg.rma(scale * y + shift, scale**2 * v, mods=xscale * x + xshift, test="knha")
    assert two.b[1] == pytest.approx(scale * one.b[1] / xscale, rel=1e-6, abs=1e-8)
    assert two.se[1] == pytest.approx(scale * one.se[1] / xscale, rel=1e-6)
    assert two.tau2 == pytest.approx(scale**2 * one.tau2, rel=1e-6, abs=1e-9)
    assert np.allclose(two.pval[1], one.pval[1], rtol=1e-5, atol=1e-9)
    assert np.allclose(two.fitted, scale * one.fitted + shift, rtol=1e-6, atol=1e-7)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(effects)
def test_intercept_alone_is_the_pooled_estimate(rows):
    y, v, _ = columns(rows)
    pooled = mg.metagen(y, np.sqrt(v), method_random_ci="HK")
    model = mg.rma(y, v, test="knha")
    assert model.b[0] == pytest.approx(pooled.TE_random, rel=1e-8, abs=1e-10)
    assert model.tau2 == pytest.approx(pooled.tau2, rel=1e-8, abs=1e-12)
    assert model.se[0] == pytest.approx(pooled.seTE_random, rel=1e-7)
    assert mg.rma(y, v, mods="~ 1", data={}).b[0] == pytest.approx(model.b[0])


@settings(derandomize=True, deadline=None, max_examples=15)
@given(effects)
def test_groups_by_indicators_are_their_own_means(rows):
    y, v, _ = columns(rows)
    group = np.array(["a", "b"] * len(y))[: len(y)]
    model = mg.rma(y, v, mods="~ 0 + g", data={"g": group}, method="FE")
    for i, name in enumerate("ab"):
        alone = mg.rma(y[group == name], v[group == name], method="FE")
        assert model.b[i] == pytest.approx(alone.b[0], rel=1e-9, abs=1e-12)
        assert model.se[i] == pytest.approx(alone.se[0], rel=1e-9)
    assert np.isclose(mg.rma(y, v, mods="~ g", data={"g": group}).QE, model.QE, rtol=1e-9)


# refusals and extremes


def test_moderators_that_repeat_one_another_are_refused():
    y, v, x = [0.1, 0.4, 0.2, 0.6, 0.3], [0.1] * 5, [1.0, 2, 3, 4, 5]
    with pytest.raises(mg.DataError, match=r"'z' is a combination of 'intrcpt', 'x'"):
        mg.rma(y, v, mods="~ x + z", data={"x": x, "z": [3.0, 5, 7, 9, 11]})
    with pytest.raises(mg.DataError, match="'X2' is a combination of 'X1'"):
        mg.rma(y, v, mods=np.column_stack([x, x]))
    with pytest.raises(mg.DataError, match="single level 'a'"):
        mg.rma(y, v, mods="~ g", data={"g": ["a"] * 5})


def test_too_few_studies_are_refused():
    with pytest.raises(mg.MethodError, match="2 studies cannot carry 2 coefficients"):
        mg.rma([0.1, 0.2], [0.1, 0.1], mods=[1.0, 2.0])
    with pytest.raises(mg.MethodError, match="no studies"):
        mg.rma([np.nan], [0.1])
    one = mg.rma([0.1], [0.04])
    assert one.b[0] == 0.1 and one.se[0] == pytest.approx(0.2) and one.notes == ("one study: fitted by equal effects",)


@pytest.mark.parametrize("method", ["REML", "ML", "DL", "PM", "HE", "SJ", "HS", "EE"])
@pytest.mark.parametrize(
    ("y", "v"),
    [
        ([0.5, 0.5, 0.5, 0.5], [0.1, 0.1, 0.1, 0.1]),
        ([0.1, 0.2, 0.3, 5.0], [1e-8, 1e4, 1.0, 1e-3]),
        ([1e6, -1e6, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]),
        ([0.1, 0.2, 0.1, 0.3], [1e-12, 1e-12, 1e-12, 1.0]),
    ],
)
def test_extremes_give_numbers(method, y, v):
    for result in (mg.rma(y, v, method=method), mg.rma(y, v, mods=[0.0, 1.0, 3.0, 2.0], method=method)):
        assert np.isfinite([*result.b, *result.se, *result.pval, result.tau2, result.QE, result.QM]).all()
        assert (result.ci_lb <= result.b).all() and (result.b <= result.ci_ub).all()
        assert result.summary() and str(result.explain())


def test_wrong_values_are_named():
    with pytest.raises(mg.DataError, match="row 2: vi is -1"):
        mg.rma([0.1, 0.2, 0.3], [0.1, -1, 0.1])
    with pytest.raises(mg.DataError, match="C: the sampling variance is 0"):
        mg.rma([0.1, 0.2, 0.3], [0.1, 0.1, 0.0], slab=["A", "B", "C"])
    with pytest.raises(mg.UnknownName, match="REML"):
        mg.rma([0.1, 0.2, 0.3], [0.1, 0.1, 0.2], method="REM")
    with pytest.raises(mg.UnknownName, match="knha"):
        mg.rma([0.1, 0.2, 0.3], [0.1, 0.1, 0.2], test="kh")
    with pytest.raises(mg.DataError, match="no column 'yeer'"):
        mg.rma([0.1, 0.2, 0.3], [0.1, 0.1, 0.2], mods="~ yeer", data={"year": [1, 2, 3]})
    with pytest.raises(mg.MethodError, match="variance goes to 0"):
        mg.rma([0.5] * 8, [0.1] * 8, scale=np.arange(8.0))


def test_incomplete_studies_are_left_out_and_named():
    result = mg.rma(
        [0.1, None, 0.3, 0.2, 0.5], [0.1] * 5, mods="~ x", data={"x": [1.0, 2, np.nan, 4, 7]}, slab=list("ABCDE")
    )
    assert result.k == 3
    assert result.excluded == ("B left out: the effect is missing", "C left out: x is missing")
    assert "left out" in result.summary()


def test_predictions_take_raw_columns(bcg):
    result = mg.rma("yi", "vi", mods="~ ablat + factor(alloc)", data=bcg["data"])
    raw = result.predict({"ablat": [30.0, 30.0], "alloc": ["alternate", "random"]})
    coded = result.predict([[30, 0, 0], [30, 1, 0]])
    assert np.allclose(raw.pred, coded.pred)
    ratio = result.predict([30, 0, 0], transf=np.exp)
    assert ratio.pred[0] == pytest.approx(np.exp(coded.pred[0])) and np.isnan(ratio.se[0])
    with pytest.raises(mg.UnknownName, match="systematic"):
        result.predict({"ablat": 30.0, "alloc": "systemic"})


@pytest.mark.parametrize(("predtype", "width"), [("default", 1.959964), ("Riley", 2.228139), ("t", 2.200985)])
def test_prediction_intervals_by_type(bcg, predtype, width):
    result = mg.rma("yi", "vi", mods="~ ablat", data=bcg["data"])
    at = result.predict(30.0, predtype=predtype)
    assert (at.pi_ub[0] - at.pred[0]) / np.sqrt(at.se[0] ** 2 + result.tau2) == pytest.approx(width, abs=1e-6)


def test_results_tell_themselves(bcg):
    result = mg.rma("yi", "vi", mods="~ ablat", test="knha", data=bcg["data"])
    assert [row["term"] for row in result.rows()] == ["intrcpt", "ablat"]
    assert result.to_frame().shape[0] == 2
    assert "Knapp-Hartung" in str(result.explain()) and "10.1002/sim.1482" in str(result.explain())
    assert "rma(yi, mods = X" not in result.to_r() and 'test = "knha"' in result.to_r()
    assert "meta regress ablat, random(reml) se(khartung)" in result.to_stata()
    with pytest.raises(mg.MethodError, match="HSk"):
        mg.rma("yi", "vi", method="HSk", data=bcg["data"]).to_stata()
