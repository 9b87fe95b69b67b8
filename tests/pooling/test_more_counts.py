"""Refits, residuals and predictions of `rma_mh` and `rma_peto`, against metafor 3.8."""

import numpy as np
import pytest

import metagrove as mg
from known import reference_json


@pytest.fixture(scope="module")
def cells():
    d = reference_json("meta/bin_bcg.json")["data"]
    return {"ai": d["event.e"], "n1i": d["n.e"], "ci": d["event.c"], "n2i": d["n.c"], "slab": d["study"]}


def test_leave_one_out_and_cumulative_mantel_haenszel(cells):
    fit = mg.rma_mh(**cells, measure="OR")
    out = mg.leave1out(fit)
    assert list(out.estimate[:3]) == pytest.approx([-0.4709553016404, -0.4601716430815, -0.4690139782197], rel=1e-11)
    assert list(out.se[:3]) == pytest.approx([0.0411115690380, 0.0412400368186, 0.0411055623513], rel=1e-10)
    assert list(out.Q[:3]) == pytest.approx([163.2308677457081, 156.4999786442079, 161.8285758897097], rel=1e-11)
    assert list(100 * out.I2[:3]) == pytest.approx([93.2610785252110, 92.9712450472548, 93.2026838032012], rel=1e-11)
    more = mg.cumul(fit)
    assert list(more.estimate[[0, 2, 12]]) == pytest.approx([-0.9386941408704, -1.4135131818833, fit.b], rel=1e-11)
    turned = fit.cumulative(order=np.arange(13)[::-1])
    assert turned.labels[0] == f"+ {cells['slab'][-1]}" and turned.estimate[-1] == pytest.approx(fit.b)


def test_residuals_of_mantel_haenszel_and_peto(cells):
    fit = mg.rma_mh(**cells, measure="OR")
    assert list(fit.rstandard().z[:3]) == pytest.approx([-0.77858714637, -2.61451064592, -1.38664181013], rel=1e-10)
    assert list(mg.rstudent(fit).z[:3]) == pytest.approx([-0.780850818525, -2.632795620922, -1.390612708263], rel=1e-10)
    peto = mg.rma_peto(**cells)
    assert list(peto.rstudent().z[:3]) == pytest.approx([-0.727816523671, -2.686031070941, -1.392422242986], rel=1e-10)
    out = peto.leave_one_out()
    assert list(out.estimate[:3]) == pytest.approx([-0.4721772692485, -0.4615959645251, -0.4701918144199], rel=1e-11)


def test_views_of_common_effects_from_counts(cells):
    fit = mg.rma_mh(**cells, measure="OR")
    told = mg.predict(fit, transf=np.exp)
    assert told.pred[0] == pytest.approx(fit.back["b"]) and told.ci_ub[0] == pytest.approx(fit.back["ci_ub"])
    drawn = fit.leave_one_out().plot().data()
    assert drawn[0]["estimate"] == pytest.approx(np.exp(-0.4709553016404))
    assert drawn[-1]["estimate"] == pytest.approx(fit.back["b"])
    assert len(fit.qqnorm().data()) == 13


def test_sets_that_say_nothing_have_no_estimate():
    fit = mg.rma_mh([0, 3], n1i=[20, 20], ci=[0, 5], n2i=[20, 20], measure="OR")
    out = fit.leave_one_out()
    assert np.isnan(out.estimate[1]) and out.estimate[0] == pytest.approx(fit.b)
    residuals = fit.rstudent()
    assert np.isnan(residuals.z[1]) and residuals.reasons[0].startswith("2: ")
