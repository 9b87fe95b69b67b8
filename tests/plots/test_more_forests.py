"""Forest and funnel plots of counts, their mixed models, location-scale models, robust tests and repeated analyses."""

import numpy as np
import pytest

import metagrove as mg
from known import reference_json
from metagrove.core.errors import MethodError
from metagrove.plots.marks import Disc


def columns(name):
    return reference_json(f"meta/{name}.json")["data"]


@pytest.fixture(scope="module")
def results():
    d, r = columns("bin_bcg"), columns("metareg_bcg")
    cells = {"ai": d["event.e"], "n1i": d["n.e"], "ci": d["event.c"], "n2i": d["n.c"], "slab": d["study"]}
    rma = mg.rma(mg.escalc("RR", **cells))
    return {
        "mh": mg.rma_mh(**cells, measure="OR"),
        "peto": mg.rma_peto(**cells),
        "glmm": mg.rma_glmm(**cells, measure="OR"),
        "logit": mg.rma_glmm(xi=[2, 0, 2, 4, 1, 5], ni=[8, 15, 20, 17, 34, 42], measure="PLO", slab=list("ABCDEF")),
        "scale": mg.rma("yi", "vi", scale="~ ablat", data=r, slab=r["study"]),
        "rma": rma,
        "robust": rma.robust(r["alloc"]),
    }


NAMES = ["mh", "peto", "glmm", "logit", "scale", "rma", "robust"]


@pytest.mark.parametrize("name", NAMES)
def test_every_model_has_a_lawful_forest_with_its_own_estimate(results, lawful, name):
    result = results[name]
    drawing = result.plot()
    lawful(drawing)
    lawful(result.forest("JAMA"), 180)
    summary = next(row for row in drawing.data() if row["kind"] in ("common", "random"))
    b, low, high = (float(np.ravel(v)[0]) for v in (result.b, result.ci_lb, result.ci_ub))
    turn = {"logit": lambda x: 1 / (1 + np.exp(-x)), "scale": float}.get(name, np.exp)
    assert [summary[key] for key in ("estimate", "lower", "upper")] == pytest.approx([turn(b), turn(low), turn(high)])
    studies = [row for row in drawing.data() if row["kind"] == "study"]
    assert sum(row["weight"] for row in studies) == pytest.approx(100)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_has_a_lawful_funnel(results, lawful, name):
    result = results[name]
    drawing = result.funnel()
    lawful(drawing)
    model = getattr(result, "source_model", None) or result
    assert [row["seTE"] for row in drawing.data()] == pytest.approx(list(np.sqrt(model.vi)))
    assert len([mark for mark in drawing.page().marks if isinstance(mark, Disc)]) >= len(model.yi)


def test_the_measure_decides_the_scale_unless_told_otherwise(results):
    ratio, logs = results["rma"].forest().data()[0], results["rma"].forest(ratio=False).data()[0]
    assert ratio["estimate"] == pytest.approx(np.exp(logs["estimate"]))
    assert "Risk ratio" in {getattr(mark, "text", "") for mark in results["rma"].forest().page().marks}


def test_studies_without_an_effect_are_named():
    d = columns("bin_sparse_nissen2007")
    fit = mg.rma_peto(d["event.e"], n1i=d["n.e"], ci=d["event.c"], n2i=d["n.c"], slab=d["study"])
    without = [label for label, y in zip(fit.slab, fit.yi, strict=True) if not np.isfinite(y)]
    assert without
    shown = {row["label"]: row["estimate"] for row in fit.forest().data()}
    assert all(np.isnan(shown[label]) for label in without)
    texts = " ".join(getattr(mark, "text", "") for mark in fit.funnel().page().marks)
    assert "Without an effect of their own" in texts and without[0] in texts


def test_a_factor_model_shows_the_mean_of_each_level(lawful):
    d = columns("mv_berkey1998")
    V = np.array([d[key] for key in d if key.startswith("V_matrix")])
    fit = mg.rma_mv("yi", V, mods="~ 0 + outcome", random="~ outcome | trial", struct="UN", data=d)
    drawing = fit.forest()
    lawful(drawing)
    found = {row["label"]: row["estimate"] for row in drawing.data() if row["kind"] == "random"}
    assert found == {f"Mean: {name}": pytest.approx(float(b)) for name, b in zip(fit.coef_names, fit.b, strict=True)}


def test_predictions_stand_below_the_studies(lawful):
    d = columns("metareg_bcg")
    fit = mg.rma("yi", "vi", mods="~ ablat", data=d, slab=d["study"])
    said = fit.predict([10, 30, 50])
    drawing = fit.forest(predictions=said, ratio=True)
    lawful(drawing)
    rows = [row for row in drawing.data() if row["label"].startswith("Predicted")]
    assert [row["estimate"] for row in rows] == pytest.approx(list(np.exp(said.pred)))
    with pytest.raises(MethodError, match="residuals=True"):
        fit.funnel()
    residual = fit.funnel(residuals=True)
    lawful(residual)
    assert [row["TE"] for row in residual.data()] == pytest.approx(list(fit.rstandard().resid))


def test_repeated_analyses_draw_themselves(results, lawful):
    d = columns("bin_bcg")
    m = mg.metabin(d["event.e"], d["n.e"], d["event.c"], d["n.c"], studlab=d["study"], sm="RR", method="Inverse")
    drawn = m.leave_one_out().plot()
    lawful(drawn)
    other = results["rma"].leave_one_out().plot()
    lawful(other)
    ours = [row["estimate"] for row in drawn.data() if row["kind"] == "study"]
    theirs = [row["estimate"] for row in other.data() if row["kind"] == "study"]
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert drawn.data()[-1]["estimate"] == pytest.approx(m.back.TE_random)
    assert other.data()[-1]["estimate"] == pytest.approx(m.back.TE_random, rel=1e-6)


def test_robust_tests_made_by_hand_know_no_model(results):
    from dataclasses import replace

    orphan = replace(results["robust"], source_model=None)
    with pytest.raises(MethodError, match="robust"):
        orphan.forest()
