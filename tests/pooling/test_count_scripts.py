"""Code in R and Stata for analyses of counts; each R script below was run with metafor 3.8 and gave our estimate."""

import pytest

import metagrove as mg

TABLES = {"ai": [4, 6, 3], "bi": [119, 300, 228], "ci": [11, 29, 11], "di": [128, 274, 209]}


def test_mantel_haenszel_and_peto():
    code = mg.rma_mh(**TABLES, measure="RR").to_r()
    assert "ai <- c(4, 6, 3)" in code
    assert 'rma.mh(ai = ai, bi = bi, ci = ci, di = di, slab = slab, level = 95, measure = "RR", correct = TRUE' in code
    assert 'to = c("only0", "none")' in code
    assert "rma.peto(ai = ai" in mg.rma_peto(**TABLES).to_r()
    assert "esize(lnorpeto)" in mg.rma_peto(**TABLES).to_stata()
    stata = mg.rma_mh(**TABLES).to_stata()
    assert "common(mhaenszel) zerocells(0.5, only0)" in stata
    assert '"1" 4 119 11 128' in stata


def test_what_stata_does_not_have_is_said():
    rates = mg.rma_mh(x1i=[4, 6], t1i=[100, 200], x2i=[8, 9], t2i=[110, 190], measure="IRR")
    assert "t1i <- c(100, 200)" in rates.to_r()
    with pytest.raises(mg.MethodError, match="no effect size 'IRR'"):
        rates.to_stata()
    with pytest.raises(mg.MethodError, match="covariates"):
        mg.rma_glmm(xi=[2, 0, 2, 4], ni=[8, 15, 20, 17], measure="PLO", mods=[[1.0], [2.0], [3.0], [5.0]]).to_stata()


def test_mixed_models():
    fit = mg.rma_glmm(xi=[2, 0, 2, 4], ni=[8, 15, 20, 17], measure="PLO")
    assert 'rma.glmm(xi = xi, ni = ni, slab = slab, measure = "PLO", method = "ML"' in fit.to_r()
    assert "melogit xi || study_id:, binomial(ni)" in fit.to_stata()
    assert 'model = "UM.FS"' in mg.rma_glmm(**TABLES, measure="OR", model="UM.FS").to_r()
