"""L'Abbé, radial, drapery, normal quantile and profile plots: lawful pictures of the right numbers."""

import numpy as np
import pytest

import metagrove as mg
from known import reference_json
from metagrove.core.errors import MethodError, UnknownName


def columns(name):
    return reference_json(f"meta/{name}.json")["data"]


def bcg(**options):
    d = columns("bin_bcg")
    return mg.metabin(d["event.e"], d["n.e"], d["event.c"], d["n.c"], studlab=d["study"], **options)


@pytest.fixture(scope="module")
def model():
    d = columns("bin_bcg")
    sizes = mg.escalc("RR", d["event.e"], ci=d["event.c"], n1i=d["n.e"], n2i=d["n.c"], slab=d["study"])
    return mg.rma(sizes)


@pytest.mark.parametrize("sm", ["OR", "RR", "RD", "ASD"])
def test_labbe_plots_the_risks_and_every_measure_s_curve(lawful, sm):
    m = bcg(sm=sm, method="Inverse")
    drawing = m.labbe()
    lawful(drawing)
    d = columns("bin_bcg")
    want = [a / n for a, n in zip(d["event.c"], d["n.c"], strict=True)]
    assert [row["control arm"] for row in drawing.data()] == pytest.approx(want)


def test_labbe_curve_of_a_constant_odds_ratio():
    from metagrove.plots.labbe import _CURVES

    p = np.array([0.1, 0.4, 0.9])
    q = _CURVES["OR"](p, 0.7)
    assert np.log(q / (1 - q)) - np.log(p / (1 - p)) == pytest.approx(np.full(3, 0.7))
    back = _CURVES["ASD"](p, 0.05)
    assert np.arcsin(np.sqrt(back)) - np.arcsin(np.sqrt(p)) == pytest.approx(np.full(3, 0.05))


def test_labbe_of_rates_and_of_count_results(lawful):
    d = columns("irr_nielweise2008")
    m = mg.metainc(d["x1i"], d["t1i"], d["x2i"], d["t2i"])
    lawful(mg.labbe(m))
    fit = mg.rma_mh(x1i=d["x1i"], t1i=d["t1i"], x2i=d["x2i"], t2i=d["t2i"], measure="IRR")
    ours, theirs = mg.labbe(m).data(), fit.labbe().data()
    assert [row["control arm"] for row in ours] == pytest.approx([row["control arm"] for row in theirs])
    with pytest.raises(MethodError, match="two arms"):
        mg.labbe(mg.metaprop([2, 3], [10, 12]))


def test_radial_slopes_are_the_effects(lawful, model):
    m = bcg(sm="OR")
    for drawing in (m.radial(), m.radial("BMJ", model="random"), model.galbraith()):
        lawful(drawing)
    for row in m.radial(model="random").data():
        assert row["standardised"] / row["precision"] == pytest.approx(row["TE"])
    i = 3
    want = 1 / np.sqrt(m.pooled.seTE[i] ** 2 + m.tau2)
    assert m.radial(model="random").data()[i]["precision"] == pytest.approx(want)
    with pytest.raises(MethodError, match="one mean"):
        mg.radial(mg.rma([0.1, 0.2, 0.4], [0.1, 0.1, 0.1], mods=[1.0, 2.0, 4.0]))


def test_drapery_meets_the_limits_at_its_level(lawful):
    m = bcg(sm="RR", method="Inverse", prediction=True)
    drawing = m.drapery()
    lawful(drawing)
    lawful(m.drapery("JAMA", labels=True), 180)
    from metagrove.plots.drapery import _table

    table = _table(m, False, "")
    inside = table.pooled[1][1] >= 0.05
    edges = np.log(table.shown[inside][[0, -1]])
    step = float(np.ptp(table.x)) / (table.x.size - 1)
    assert edges == pytest.approx([m.lower_random, m.upper_random], abs=step)
    assert table.pooled[1][1].max() <= 1
    with pytest.raises(MethodError, match="PFT"):
        mg.drapery(mg.metaprop([2, 3, 4], [10, 12, 15], sm="PFT", method="Inverse"))


def test_normal_quantiles_are_those_of_r(lawful, model):
    drawing = model.qqnorm()
    lawful(drawing)
    first = drawing.data()[0]
    # metafor 3.8: qqnorm(rma(yi, vi)) of the BCG trials
    assert first["label"] == "Hart & Sutherland"
    assert first["expected"] == pytest.approx(-1.768825038519, rel=1e-11)
    assert first["residual"] == pytest.approx(-1.325291946825, rel=1e-7)
    rows = drawing.data()
    assert all(row["lower"] < row["expected"] < row["upper"] for row in rows)
    lawful(mg.qqnorm(bcg(sm="OR", method="Inverse"), type="rstudent"))
    with pytest.raises(UnknownName):
        mg.qqnorm(model, type="raw")


def test_normal_quantile_band_holds_its_share_of_normal_residuals():
    from metagrove.plots.normal_quantiles import _table

    rng = np.random.default_rng(5)
    k, inside = 9, 0
    for _ in range(400):
        z = np.sort(rng.standard_normal(k))
        table = _table(tuple("abcdefghi"), z, "rstandard", 0.9, "")
        inside += int(((z >= table.lower) & (z <= table.upper)).sum())
    assert inside / (400 * k) == pytest.approx(0.9, abs=0.02)


def test_profiles_are_those_of_r(lawful, model):
    found = mg.profile(model, steps=7)
    one = found["tau2"]
    # metafor 3.8: profile(res, xlim=c(0, 1), steps=5) at tau2 = 0.25 and 1
    from metagrove.pooling.tau2 import Design, log_likelihood

    design = Design(model.yi, model.vi, model.X)
    assert log_likelihood(design, 0.25, restricted=True) == pytest.approx(-12.2931287526103, rel=1e-12)
    assert log_likelihood(design, 1.0, restricted=True) == pytest.approx(-14.2380106327817, rel=1e-12)
    assert one.highest == pytest.approx(model.loglik) and one.peaks == 1
    assert float(one.ll.max()) == pytest.approx(one.highest)
    lawful(found.plot())


def test_profiles_of_a_multilevel_model(lawful):
    from metagrove.pooling.multilevel.profile_limits import profile_values

    fit = mg.rma_mv("yi", "vi", random="~ 1 | district/school", data=columns("mv_konstantopoulos2011"))
    # metafor 3.8: profile(res, sigma2=1, xlim=c(0.02, 0.2), steps=4)
    want = [-10.24039389933, -8.02893197453, -8.85362549225, -9.77405137078]
    assert profile_values(fit.fit, 0, np.array([0.02, 0.08, 0.14, 0.2])) == pytest.approx(want, abs=1e-7)
    found = fit.profile(steps=9, components="sigma2.2")
    assert [p.name for p in found.profiles] == ["sigma2.2"]
    lawful(found.plot())
    with pytest.raises(MethodError, match="REML"):
        mg.profile(mg.rma([0.1, 0.4, 0.6], [0.1, 0.1, 0.2], method="DL"))


def test_influence_panels_show_every_measure_and_mark_what_is_influential(lawful, model):
    m = bcg(sm="OR")
    for found in (m.influence(), model.influence()):
        drawing = found.plot()
        lawful(drawing)
        assert len(drawing.data()) == 13
    d = columns("selmodel_hackshaw1998")
    y = [*d["yi"][:12], 6.0]
    odd = mg.rma(y, [*d["vi"][:12], 0.02], slab=[*"abcdefghijklm"]).influence()
    assert odd.is_infl[-1]
    from metagrove.plots.marks import Disc

    red = [mark for mark in odd.plot().page().marks if isinstance(mark, Disc) and mark.fill == "#b5524a"]
    assert len(red) == 1 + 8 * int(odd.is_infl.sum())  # the key, and each flagged study in each panel


def test_the_p_curve_plot_counts_and_expects(lawful):
    from metagrove.pooling.bias.p_curve import expected_shares

    found = bcg(sm="OR").pcurve()
    drawing = found.plot()
    lawful(drawing)
    assert sum(row["observed"] for row in drawing.data()) == pytest.approx(100)
    edges = np.array([0, 0.01, 0.02, 0.03, 0.04, 0.05])
    assert expected_shares(0.05, edges) == pytest.approx(np.full(5, 0.2))
    third = expected_shares(1 / 3, edges)
    assert third.sum() == pytest.approx(1) and (np.diff(third) < 0).all()
    # simulated: normal scores with a power of one third
    z = np.abs(np.random.default_rng(2).standard_normal(400_000) + 1.5274)
    from scipy.special import ndtr

    p = 2 * ndtr(-z)
    assert (p < 0.05).mean() == pytest.approx(1 / 3, abs=0.004)
    assert np.histogram(p[p < 0.05], edges)[0] / (p < 0.05).sum() == pytest.approx(third, abs=0.006)


def test_selection_plots_show_the_function_that_was_found(lawful):
    d = columns("selmodel_hackshaw1998")
    fit = mg.rma(d["yi"], d["vi"])
    steps = fit.selmodel("stepfun", steps=[0.025, 0.5])
    drawing = steps.plot()
    lawful(drawing)
    rows = drawing.data()
    assert rows[0]["weight"] == 1.0
    assert {round(row["weight"], 9) for row in rows} == {round(float(v), 9) for v in steps.delta}
    falling = fit.selmodel("negexp")
    lawful(falling.plot("BMJ"))
    row = falling.plot().data()[10]
    first = falling.plot().data()[0]
    assert row["weight"] / first["weight"] == pytest.approx(np.exp(-falling.delta[0] * (row["p"] - first["p"])))


def test_the_limit_funnel_draws_its_line_through_the_adjusted_mean(lawful):
    for m in (bcg(sm="OR"), bcg(sm="RR", method="Inverse")):
        found = m.limitmeta()
        drawing = found.plot()
        lawful(drawing)
        assert [row["TE_limit"] for row in drawing.data()] == pytest.approx(list(found.TE_limit))
        assert found.beta_r + found.alpha_r * found.tau == pytest.approx(found.TE_adjust)


def test_funnels_against_sample_size(lawful):
    m = mg.metaprop([2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42], sm="PLOGIT", studlab=list("ABCDEF"))
    drawing = m.funnel(yaxis="sqrtninv")
    lawful(drawing)
    assert drawing.data()[0]["seTE"] == pytest.approx(8**-0.5)
    texts = {getattr(mark, "text", "") for mark in drawing.page().marks}
    assert "Egger's line" not in texts and not any("Hunter" in text for text in texts)
    with pytest.raises(UnknownName, match="sqrtninv"):
        m.funnel(yaxis="ni")
    with pytest.raises(MethodError, match="sample sizes"):
        mg.metagen([0.1, 0.2], [0.1, 0.1]).funnel(yaxis="sqrtninv")


def test_bayesian_analyses_have_a_forest_of_shrunken_effects(lawful):
    m = bcg(sm="OR")
    found = m.bayes()
    drawing = found.plot()
    lawful(drawing)
    lawful(found.plot("JAMA"), 180)
    rows = drawing.data()
    assert rows[-2]["estimate"] == pytest.approx(np.exp(found.mu.quantile(0.5)))
    assert rows[-1]["upper"] == pytest.approx(np.exp(found.predictive.limits(0.95)[1]))
    assert rows[0]["Shrunken"].startswith(f"{np.exp(found.shrinkage[0].quantile(0.5)):.2f}")
    one_arm = mg.metaprop([2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42], sm="PLOGIT", method="Inverse")
    lawful(one_arm.bayes().plot())


def test_copas_panels_follow_the_path(lawful):
    found = bcg(sm="OR").copas(ngrid=8, nlevels=6)
    drawing = found.plot()
    lawful(drawing)
    assert [row["TE"] for row in drawing.data()] == pytest.approx(list(found.TE_slope))


def test_arms_and_sides_are_called_by_their_names(lawful):
    m = bcg(sm="OR", label_e="BCG", label_c="No vaccine", label_left="Favours BCG", label_right="Favours none")
    drawing = m.forest()
    lawful(drawing)
    texts = " ".join(getattr(mark, "text", "") for mark in drawing.page().marks)
    assert "No vaccine" in texts and "Favours BCG" in texts
    assert 'label.c = "No vaccine"' in m.to_r()
    other = m.forest(directions=("less", "more"))
    assert "Favours BCG" not in " ".join(getattr(mark, "text", "") for mark in other.page().marks)
