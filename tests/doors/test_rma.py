"""The doors `rma`, `rma_mv` and R's extractor functions: arguments read as metafor reads them."""

import numpy as np
import pandas as pd
import pytest

import metagrove as mg
from metagrove.pooling.regression.design import formula_design
from metagrove.pooling.regression.formula import deparse, expression, random_term

Y = [0.1, 0.4, 0.35, 0.8, 0.2, 0.65]
V = [0.02, 0.03, 0.05, 0.04, 0.02, 0.06]
TABLE = pd.DataFrame(
    {
        "yi": Y,
        "vi": V,
        "x": [1.0, 2, 3, 4, 5, 6],
        "g": list("abcabc"),
        "h": ["u", "v", "u", "v", "v", "u"],
        "t": [True, False, True, True, False, False],
        "lab": [1, 1, 2, 2, 3, 3],
        "of the year": [3, 1, 2, 5, 4, 9],
    }
)

#: Enough rows for every cell of an interaction.
FULL = {
    "x": np.arange(1.0, 37) ** 1.5 / 6,
    "g": np.tile(list("abc"), 12),
    "h": np.repeat(["u", "v"], 18),
    "t": np.arange(36) % 5 < 2,
}

# column names that R 4.2.2's model.matrix gives for this table
NAMES = {
    "~ x:g:h": "intrcpt x:ga:hu x:gb:hu x:gc:hu x:ga:hv x:gb:hv x:gc:hv",
    "~ factor(x > 3)": "intrcpt factor(x > 3)TRUE",
    "~ g:h - 1": "ga:hu gb:hu gc:hu ga:hv gb:hv gc:hv",
    "~ log(x) - 1 + h": "log(x) hu hv",
    "~ (x + g + h)^2": "intrcpt x gb gc hv x:gb x:gc x:hv gb:hv gc:hv",
    "~ x * g - x": "intrcpt gb gc x:ga x:gb x:gc",
    "~ g / x": "intrcpt gb gc ga:x gb:x gc:x",
    "~ 0 + g + h + x:h": "ga gb gc hv hu:x hv:x",
    "~ t": "intrcpt tTRUE",
    "~ I(x^2)": "intrcpt I(x^2)",
}


@pytest.mark.parametrize("formula", NAMES)
def test_columns_are_named_as_in_r(formula):
    assert " ".join(formula_design(formula, FULL, 36).names) == NAMES[formula]


@pytest.mark.parametrize(
    ("formula", "column", "values"),
    [
        ("~ I((x - mean(x))/2)", 1, (np.arange(6) - 2.5) / 2),
        ("~ relevel(factor(g), ref = 'b')", 1, [1, 0, 0, 1, 0, 0]),
        ("~ scale(x)", 1, (np.arange(6) - 2.5) / np.sqrt(3.5)),
        ("~ sqrt(x)", 1, np.sqrt(np.arange(1, 7))),
        ("~ `of the year`", 1, [3, 1, 2, 5, 4, 9]),
        ("~ g:x", 3, [0, 0, 3, 0, 0, 6]),
        ("~ I(x > 2 & t)", 1, [0, 0, 1, 1, 0, 0]),
    ],
)
def test_columns_hold_the_values(formula, column, values):
    assert np.allclose(formula_design(formula, TABLE, 6).X[:, column], values)


def test_empty_cells_of_an_interaction_are_dropped_aloud():
    # as metafor does: no study is c and v
    table = {"g": list("aabbccabc"), "h": list("uvuvuuuvu")}
    y, v = np.linspace(0, 1, 9) ** 2, np.full(9, 0.1)
    fit = mg.rma(y, v, mods="~ g * h", data=table)
    assert fit.coef_names == ("intrcpt", "gb", "gc", "hv", "gb:hv")
    assert fit.notes == ("'gc:hv' was dropped: the studies cannot tell it from the other columns",)
    assert np.allclose(fit.predict({"g": ["b", "c"], "h": ["v", "u"]}).pred, fit.fitted[[3, 4]])


def test_formulas_are_spaced_as_in_r():
    assert deparse(expression("~x+I( x^2-1 )*factor(g,levels=3)")) == "~x + I(x^2 - 1) * factor(g, levels = 3)"
    assert random_term("~1|a/b").outer == ("a", "b")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("~ x +", "name or number is missing"),
        ("~ (x", r"'\)' expected"),
        ("~ x ? y", "cannot be read"),
        ("~ x^1.5", "whole number"),
        ("~ 2 + x", "'2' is not a term"),
        ("~ zz", "no column 'zz'"),
        ("~ foo(x)", "No function in a formula 'foo'"),
        ("~ log(x - 1)", "is -inf for study 1"),
        ("~ relevel(g, ref = 'q')", "'q'"),
    ],
)
def test_wrong_formulas_are_explained(formula, message):
    with pytest.raises(mg.MetagroveError, match=message):
        mg.rma("yi", "vi", mods=formula, data=TABLE)


def test_levels_of_a_category_keep_their_order():
    table = TABLE.assign(g=pd.Categorical(TABLE["g"], categories=["c", "a", "b"]))
    assert mg.rma("yi", "vi", mods="~ g", data=table).coef_names == ("intrcpt", "ga", "gb")
    assert mg.rma("yi", "vi", mods="~ factor(g)", data=table).coef_names[1] == "factor(g)a"


def test_moderators_may_come_in_any_form():
    fits = [
        mg.rma("yi", "vi", mods="~ x", data=TABLE),
        mg.rma("yi ~ x", "vi", data=TABLE),
        mg.rma(Y, V, mods=TABLE["x"].to_numpy()),
        mg.rma(Y, V, mods=[[1], [2], [3], [4], [5], [6]]),
        mg.rma(Y, V, mods=TABLE[["x"]]),
        mg.rma("yi", "vi", mods=["x"], data=TABLE),
        mg.rma(Y, sei=np.sqrt(V), mods=np.column_stack([np.ones(6), TABLE["x"]])),
        mg.rma(TABLE["yi"], TABLE["vi"], mods="x", data=TABLE),
    ]
    for fit in fits:
        assert np.allclose(fit.b, fits[0].b) and np.allclose(fit.vb, fits[0].vb)
    assert fits[2].coef_names == ("intrcpt", "mods")
    assert mg.rma(Y, V, mods=np.column_stack([TABLE["x"], TABLE["lab"]])).coef_names == ("intrcpt", "X1", "X2")
    assert mg.rma(Y, V, mods=TABLE["x"].to_numpy(), intercept=False).coef_names == ("mods",)


def test_effects_may_be_computed_on_the_way():
    table = {
        "tpos": [4, 6, 3, 62, 33, 180],
        "tneg": [119, 300, 228, 13536, 5036, 1361],
        "cpos": [11, 29, 11, 248, 47, 372],
        "cneg": [128, 274, 209, 12619, 5761, 1079],
        "ablat": [44, 55, 42, 52, 13, 44],
    }
    cells = {"ai": "tpos", "bi": "tneg", "ci": "cpos", "di": "cneg"}
    sizes = mg.escalc("RR", **cells, data=table)
    fits = [
        mg.rma(measure="RR", **cells, mods="~ ablat", data=table),
        mg.rma(sizes, mods="~ ablat"),
        mg.rma("yi", "vi", mods="~ ablat", data=sizes),
        mg.rma(sizes.yi, sizes.vi, mods=table["ablat"]),
    ]
    for fit in fits:
        assert np.allclose(fit.b, fits[0].b) and np.allclose(fit.vb, fits[0].vb)
    several = mg.rma_mv(sizes, mods="~ ablat", random="~ 1 | ablat")
    assert several.k == 6 and several.s_nlevels == (5,)


def test_results_lead_to_their_views():
    fit = mg.rma("yi", "vi", data=TABLE)
    assert fit.regtest(predictor="vi").pval == mg.regtest(fit, predictor="vi").pval
    assert fit.baujat().x.shape == (6,)
    assert fit.trimfill(estimator="R0").k0 == mg.trimfill(fit, estimator="R0").k0
    assert repr(fit) == fit.summary()
    with pytest.raises(AttributeError, match="a Regression has no 'TE_random'"):
        fit.TE_random  # noqa: B018


def test_levels_are_read_as_percent_or_proportion():
    assert np.array_equal(mg.rma(Y, V, level=90).ci_lb, mg.rma(Y, V, level=0.9).ci_lb)
    assert mg.rma(Y, V).level == 0.95
    with pytest.raises(mg.MethodError, match="level is 0;"):
        mg.rma(Y, V, level=0)


def test_subset_labels_and_equal_effects_by_any_name():
    part = mg.rma("yi", "vi", data=TABLE, subset=TABLE["g"] != "a", slab="g")
    assert part.k == 4 and part.slab == ("b", "c", "b", "c")
    codes = [mg.rma(Y, V, method=name) for name in ("EE", "FE", "CE")]
    assert {fit.method for fit in codes} == {"EE"}
    assert np.isnan(codes[0].se_tau2) and codes[0].tau2 == 0.0


def test_names_of_the_quantities():
    fit = mg.rma("yi", "vi", mods="~ x", test="knha", data=TABLE)
    for one, other in (
        ("b", "beta"),
        ("zval", "tval"),
        ("zval", "stat"),
        ("QEp", "QE_p"),
        ("QMp", "QM_p"),
        ("QMdf", "QM_df"),
    ):
        assert np.array_equal(getattr(fit, one), getattr(fit, other))
    assert fit.ddf == 4 and np.array_equal(fit.QM_df, [1, 4])
    assert fit.fit_ML["AIC"] == fit.fit_ML.AIC
    assert mg.rma(Y, V).int_only and not fit.int_only


def test_extractors_ask_the_model():
    fit = mg.rma("yi", "vi", mods="~ x", data=TABLE)
    assert np.array_equal(mg.coef(fit), fit.b) and np.array_equal(mg.vcov(fit), fit.vb)
    assert np.allclose(mg.fitted(fit) + mg.residuals(fit), Y)
    assert np.array_equal(mg.model_matrix(fit)[:, 1], TABLE["x"])
    assert mg.fitstats(fit) == fit.fit_REML
    assert np.allclose(mg.weights(fit).sum(), 100)
    assert np.allclose(mg.hatvalues(fit).sum(), 2)
    assert np.array_equal(mg.influence(fit).cook_d, mg.cooks_distance(fit))
    assert mg.dfbetas(fit).shape == (6, 2)
    assert np.array_equal(mg.predict(fit).pred, fit.fitted)
    assert mg.confint(fit).labels == ("tau2", "tau", "I2", "H2")
    assert mg.anova(fit).QMp == pytest.approx(fit.pval[1])
    assert np.allclose(mg.blup(fit).pred - mg.fitted(fit), mg.ranef(fit).pred)
    assert mg.rstandard(fit).labels == mg.rstudent(fit).labels == fit.slab
    mean = mg.rma("yi", "vi", data=TABLE)
    assert len(mg.leave1out(mean).rows()) == len(mg.cumul(mean).rows()) == 6
    assert mg.cumul(mean).estimate[-1] == mean.b[0]
    with pytest.raises(mg.MethodError, match=r"has no blup\(\)"):
        mg.blup(mg.vif(mg.rma("yi", "vi", mods="~ x + lab", data=TABLE)))


def test_nested_models_are_compared_within_their_rules():
    one, two = (mg.rma("yi", "vi", mods=f, data=TABLE) for f in ("~ x", "~ 1"))
    with pytest.raises(mg.MethodError, match="REML likelihoods"):
        mg.anova(one, two)
    assert 0 <= mg.anova(one, two, refit=True).pval <= 1
    with pytest.raises(mg.MethodError, match="different data"):
        mg.anova(one, mg.rma(Y[:5], V[:5]))
    with pytest.raises(mg.MethodError, match="no likelihood"):
        mg.anova(mg.rma(Y, V, method="DL"), two)


def test_rma_mv_reads_its_arguments():
    fit = mg.rma_mv("yi", "vi", random="~ 1 | lab", data=TABLE, slab="g")
    assert fit.k == 6 and fit.s_nlevels == (3,) and fit.slab[0] == "a"
    fixed = mg.rma_mv("yi", "vi", random="~ 1 | lab", data=TABLE, sigma2=0.1)
    assert fixed.sigma2[0] == 0.1 and fixed.parms == 1
    equal = mg.rma_mv("yi", "vi", data=TABLE, method="EE")
    assert equal.b[0] == pytest.approx(mg.rma(Y, V, method="EE").b[0])
    gap = TABLE.assign(lab=[1, 1, None, 2, 3, 3])
    left = mg.rma_mv("yi", "vi", random="~ 1 | lab", data=gap)
    assert left.k == 5 and left.excluded == ("3 left out: lab is missing",)
    known = pd.DataFrame(np.eye(3), index=["1", "2", "3"], columns=["1", "2", "3"])
    same = mg.rma_mv("yi", "vi", random="~ 1 | lab", R={"lab": known}, data=TABLE)
    assert same.sigma2[0] == pytest.approx(fit.sigma2[0], abs=1e-9)
    with pytest.raises(mg.UnknownName, match="dfs"):
        mg.rma_mv("yi", "vi", random="~ 1 | lab", data=TABLE, test="t", dfs="kr")


def test_clusters_by_name_follow_the_studies_used():
    gap = TABLE.assign(yi=[0.1, None, 0.35, 0.8, 0.2, 0.65])
    fit = mg.rma("yi", "vi", data=gap)
    by_name = mg.robust(fit, "lab")
    assert by_name.n_clusters == 3
    assert np.array_equal(by_name.vb, mg.robust(fit, TABLE["lab"]).vb)
    assert np.array_equal(by_name.vb, mg.robust(fit, [1, 2, 2, 3, 3]).vb)
    with pytest.raises(mg.UnknownName, match="lab"):
        mg.robust(fit, "labs")
