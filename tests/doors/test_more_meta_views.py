"""`metareg`, `metacum`, `metainf`, `metabind`, `simulate`: R meta's and metafor's functions on results."""

import numpy as np
import pytest

import metagrove as mg
from known import reference_json
from metagrove.core.errors import DataError, MethodError, UnknownName


@pytest.fixture(scope="module")
def case():
    return reference_json("meta/metareg_bcg.json")


def analysis(case, **options):
    d = case["data"]
    se = np.sqrt(d["vi"])
    return mg.metagen(d["yi"], se, studlab=[f"{i} {s}" for i, s in enumerate(d["study"])], sm="RR", **options)


@pytest.mark.parametrize(("key", "formula"), [("ablat", "~ ablat"), ("alloc", "~ factor(alloc)")])
def test_metareg_is_the_regression_of_metafor(case, key, formula):
    expected = case["expected"][f"{key}_REML_z"]
    fit = mg.metareg(analysis(case), formula, data=case["data"])
    want = expected["b"]
    assert list(fit.b) == pytest.approx(want, rel=1e-6)
    assert fit.tau2 == pytest.approx(expected["tau2"], rel=1e-6)
    hartung = mg.metareg(analysis(case), formula, data=case["data"], hakn=True)
    assert list(hartung.se) == pytest.approx(case["expected"][f"{key}_REML_knha"]["se"], rel=1e-6)


def test_metareg_takes_the_subgroups_and_leaves_excluded_studies_out(case):
    m = analysis(case, subgroup=case["data"]["alloc"], exclude=[0, 5])
    fit = m.metareg()
    assert fit.k == 11 and fit.measure == "RR"
    same = mg.metareg(m, "alloc", data=case["data"])
    assert fit.tau2 == pytest.approx(same.tau2)
    assert fit.plot().data()[0]["label"].startswith("1 ")
    with pytest.raises(DataError, match="give covariates"):
        mg.metareg(analysis(case))
    gap = {"x": [float("nan"), *range(12)]}
    with pytest.raises(DataError, match="0 Aronson: x is missing"):
        mg.metareg(analysis(case), "~ x", data=gap)


def test_metacum_and_metainf_are_the_methods(case):
    m = analysis(case)
    year = case["data"]["year"]
    assert mg.metacum(m, sortvar=year).TE == pytest.approx(m.cumulative(order=np.array(year)).TE)
    assert mg.metainf(m, "common").TE == pytest.approx(m.leave_one_out("common").TE)
    last = mg.metacum(m, sortvar=year)
    assert last.TE[-1] == pytest.approx(m.TE_random)
    assert last.plot().data()[-1]["estimate"] == pytest.approx(m.back.TE_random)


def test_metabind_lists_analyses_and_their_subgroups(case):
    m = analysis(case, subgroup=case["data"]["alloc"])
    other = analysis(case, method_tau="DL")
    bound = mg.metabind(m, other, name=["By allocation", "DL"])
    rows = bound.rows()
    assert [row["name"] for row in rows] == ["random", "alternate", "systematic", "By allocation", "DL"]
    assert rows[0]["estimate"] == pytest.approx(float(m.back.TE_random_w[0]))
    assert rows[3]["estimate"] == pytest.approx(m.back.TE_random) and rows[4]["tau2"] == pytest.approx(other.tau2)
    drawn = bound.plot()
    assert [row["kind"] for row in drawn.data()] == ["study"] * 3 + ["random", "study"]
    assert "metabind(m1, m2" in bound.to_r()
    with pytest.raises(MethodError, match="different measures"):
        mg.metabind(m, mg.metagen([0.1, 0.2], [0.1, 0.1], sm="MD"))
    with pytest.raises(DataError, match="1 names for 2 analyses"):
        mg.metabind(m, other, name=["one"])


def test_simulated_effects_have_the_model_s_mean_and_covariance(case):
    d = case["data"]
    fit = mg.rma("yi", "vi", mods="~ ablat", data=d)
    drawn = mg.simulate(fit, 4000, rng=3)
    assert drawn.mean(axis=1) == pytest.approx(fit.fitted, abs=0.06)
    assert drawn.var(axis=1) == pytest.approx(fit.vi + fit.tau2, rel=0.12)
    k = reference_json("meta/mv_konstantopoulos2011.json")["data"]
    nested = mg.rma_mv("yi", "vi", random="~ 1 | district/school", data=k)
    many = nested.simulate(6000, rng=np.random.default_rng(4))
    assert np.cov(many)[0, 1] == pytest.approx(nested.M[0, 1], rel=0.15)
    assert np.array_equal(mg.simulate(fit, 2, rng=9), mg.simulate(fit, 2, rng=9))
    with pytest.raises(MethodError, match="nsim"):
        mg.simulate(fit, 0, rng=1)


def test_update_is_the_door_called_again(case):
    m = analysis(case)
    new = m.update(method_tau="DL", method_random_ci="HK", prediction=True, level_ma=0.9)
    same = analysis(case, method_tau="DL", method_random_ci="HK", prediction=True, level_ma=0.9)
    for name in ("TE_random", "lower_random", "tau2", "lower_tau2", "lower_predict", "method_tau_ci"):
        assert getattr(new, name) == getattr(same, name)
    grouped = mg.update(m, subgroup=case["data"]["alloc"])
    assert grouped.TE_random_w == pytest.approx(analysis(case, subgroup=case["data"]["alloc"]).TE_random_w)
    assert mg.update(grouped, subgroup="").studies.subgroup is None
    fewer = m.update(exclude=[0, 5])
    assert fewer.k == 11 and fewer.TE_random == pytest.approx(analysis(case, exclude=[0, 5]).TE_random)
    with pytest.raises(MethodError, match="call metagen again"):
        m.update(sm="OR")
    with pytest.raises(UnknownName, match="method_tau"):
        m.update(methodtau="DL")


def test_numbers_needed_to_treat():
    m = mg.metabin([4, 6, 3], [123, 306, 231], [11, 29, 11], [139, 303, 220], sm="RR", common=False)
    found = m.nnt([0.05, 0.2])
    rr = m.back.TE_random
    assert list(found.nnt) == pytest.approx([1 / (0.05 * (1 - rr)), 1 / (0.2 * (1 - rr))])
    assert list(found.lower) == pytest.approx([1 / (p * (1 - m.back.lower_random)) for p in (0.05, 0.2)])
    assert (found.lower < found.nnt).all() and (found.nnt < found.upper).all()
    assert [row["baseline"] for row in m.nnt().rows()] == pytest.approx([0.05, 11 / 139, 29 / 303])
    odds = mg.nnt(np.log(0.5), 0.2, sm="OR", lower=np.log(0.25), upper=np.log(1.5))
    control = 0.2 / 0.8 * 0.5
    assert odds.nnt[0] == pytest.approx(1 / (0.2 - control / (1 + control)))
    assert odds.through_infinity[0] and odds.lower[0] > 0 > odds.upper[0]
    harm = mg.nnt(0.1, 0.3, sm="RD")
    assert harm.nnt[0] == pytest.approx(-10)
    hazard = mg.nnt(np.log(0.7), 0.4, sm="HR")
    assert hazard.difference[0] == pytest.approx(0.6 - 0.6**0.7)
    assert mg.nnt(0.05, 0.3, sm="ASD").nnt[0] < 0
    with pytest.raises(DataError, match=r"baseline risk of 1\.2"):
        m.nnt(1.2)
    with pytest.raises(DataError, match="p_c"):
        mg.metagen([0.1, 0.2], [0.1, 0.1], sm="RR").nnt()
    with pytest.raises(MethodError, match="SMD"):
        mg.nnt(0.1, 0.3, sm="SMD")


def test_metareg_of_mixed_models_of_counts_keeps_the_counts(case):
    d = reference_json("meta/bin_bcg.json")["data"]
    m = mg.metaprop(d["event.c"], d["n.c"], sm="PLOGIT", method="GLMM")
    fit = m.metareg("~ ablat", data=case["data"])
    # metafor 3.8 with lme4: rma.glmm(measure = "PLO", xi = cpos, mi = cneg, mods = ~ ablat, data = dat.bcg)
    assert list(fit.b) == pytest.approx([-6.4182681384, 0.0690807132], rel=1e-5)
    assert list(fit.se) == pytest.approx([0.9071536479, 0.0250338463], rel=1e-4)
    assert fit.tau2 == pytest.approx(1.5390507540, rel=1e-4)
    told = fit.predict([20, 40])
    assert list(told.pred) == pytest.approx([-5.036653875, -3.655039612], rel=1e-5)
    assert list(told.ci_lb) == pytest.approx([-5.987874874, -4.412887520], rel=1e-4)
    assert list(told.pi_lb) == pytest.approx([-7.647596518, -6.201907010], rel=1e-4)
    assert fit.predict().pred.size == 13
    two = mg.metabin(d["event.e"], d["n.e"], d["event.c"], d["n.c"], sm="OR", method="GLMM")
    same = mg.rma_glmm(
        d["event.e"], n1i=d["n.e"], ci=d["event.c"], n2i=d["n.c"], measure="OR", mods="~ ablat", data=case["data"]
    )
    assert list(two.metareg("~ ablat", data=case["data"]).b) == pytest.approx(list(same.b))
    plain = mg.rma_glmm(xi=d["event.c"], ni=d["n.c"], measure="PLO")
    assert np.log(plain.predict(transf=np.exp).pred[0]) == pytest.approx(plain.predict()["pred"])
