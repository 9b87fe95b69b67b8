"""The bias functions after the doors: the same reference numbers from the tables to the test."""

import numpy as np
import pandas as pd
import pytest

import metagrove as mg
from bias_reference import expected, mismatches
from metagrove.core.errors import DataError, MethodError

BINARY, CONTINUOUS = "bias_egger2001", "bias_cont_furukawa2003"
NAMES = {"event.e": "ai", "n.e": "n1i", "event.c": "ci", "n.c": "n2i"}


def magnesium():
    return pd.DataFrame(expected(BINARY)["data"]).rename(columns=NAMES)


def blocks(case):
    known = ("OR", "RR", "SMD", "MD")
    return [(block, *block.split("_")) for block in expected(case)["expected"] if block.split("_")[0] in known]


def skipped(method):
    return ("tau2",) if method in ("Begg", "Schwarzer") else ()


@pytest.mark.parametrize(("block", "sm", "method"), blocks(BINARY))
def test_metabin(block, sm, method):
    result = mg.metabin("ai", "n1i", "ci", "n2i", data=magnesium(), sm=sm, method_tau="DL")
    assert mismatches(BINARY, block, result.metabias(method), 1e-9, skip=skipped(method)) == []


@pytest.mark.parametrize(("block", "sm", "method"), blocks(CONTINUOUS))
def test_metacont(block, sm, method):
    data = pd.DataFrame(expected(CONTINUOUS)["data"])
    result = mg.metacont("Ne", "Me", "Se", "Nc", "Mc", "Sc", data=data, sm=sm, method_tau="DL")
    assert mismatches(CONTINUOUS, block, result.metabias(method), 1e-9, skip=skipped(method)) == []


def test_the_default_test_suits_the_measure():
    wanted = {"OR": "Harbord", "RR": "Egger", "RD": "Egger", "ASD": "Egger"}
    for sm, method in wanted.items():
        result = mg.metabin("ai", "n1i", "ci", "n2i", data=magnesium(), sm=sm, method="Inverse")
        assert result.metabias().method == method
    with pytest.raises(MethodError, match="not for RD"):
        mg.metabin("ai", "n1i", "ci", "n2i", data=magnesium(), sm="RD").metabias("Harbord")


@pytest.mark.parametrize("predictor", ["sei", "vi", "ni", "ninv", "sqrtni", "sqrtninv"])
def test_escalc_rma_regtest(predictor):
    """Sample sizes are found in the table that the model was fitted to."""
    effects = mg.escalc("OR", ai="ai", n1i="n1i", ci="ci", n2i="n2i", data=magnesium())
    model = mg.rma("yi", "vi", data=effects)
    test = model.regtest(predictor=predictor)
    assert mismatches(BINARY, f"metafor_regtest_rma_{predictor}", test, 1e-6) == []
    by_meta = mg.metabin("ai", "n1i", "ci", "n2i", data=magnesium(), sm="OR").regtest(predictor=predictor)
    assert by_meta.zval == pytest.approx(test.zval, rel=1e-9)


def test_subsets_take_their_sample_sizes_along():
    effects = mg.escalc("OR", ai="ai", n1i="n1i", ci="ci", n2i="n2i", data=magnesium())
    keep = np.arange(15)
    model = mg.rma("yi", "vi", data=effects, subset=keep)
    part = magnesium().iloc[:15]
    direct = mg.regtest(model.yi, model.vi, ni=part.n1i + part.n2i, predictor="ninv")
    assert model.regtest(predictor="ninv").zval == pytest.approx(direct.zval)
    named = mg.regtest(model, predictor="ninv", ni=(magnesium().n1i + magnesium().n2i))
    assert named.zval == pytest.approx(direct.zval)
    with pytest.raises(DataError, match="3 sample sizes for 15"):
        mg.regtest(model, predictor="ni", ni=[1, 2, 3])


def test_columns_by_name():
    data = magnesium().assign(y=np.linspace(-1, 1, 16), se=np.linspace(0.1, 0.9, 16))
    by_name = mg.metabias("y", "Egger", seTE="se", data=data)
    assert by_name.pval == pytest.approx(mg.metabias(data.y, "Egger", seTE=data.se).pval)
    assert mg.fsn("y", sei="se", data=data, subset=np.arange(16) > 5).k == 10
    with pytest.raises(DataError, match="no column 'x'"):
        mg.tes("x", sei="se", data=data)
    with pytest.raises(DataError, match="sampling variances"):
        mg.tes("y", data=data)


def test_one_result_many_doors():
    result = mg.metabin("ai", "n1i", "ci", "n2i", data=magnesium(), sm="OR", studlab="study")
    filled = result.trimfill()
    assert filled.back.TE_random == pytest.approx(np.exp(filled.TE_random))
    assert filled.studlab[0] == "Morton"
    assert filled.metabias("Egger").k == 16 + filled.k0
    assert result.limitmeta().TE_random == pytest.approx(result.TE_random, rel=1e-9)
    below = int((result.TE < 0).sum())
    assert result.selmodel("stepfun", steps=0.5, alternative="less").ptable == (below, 16 - below)
    assert result.fsn().type == "General" and result.fsn(type="Rosenthal").fsnum == 131
    assert result.outliers().labels[0] == "Morton"


def test_only_single_funnels_are_taken():
    y, v = [0.1, 0.3, 0.8, 0.6, -0.2, 0.1, 0.4, 0.9], [0.02] * 8
    nested = mg.rma_mv(y, v, random="~ 1 | lab/study", data={"lab": list("aabbccdd"), "study": range(8)})
    with pytest.raises(MethodError, match="no single funnel of independent studies"):
        mg.ranktest(nested)
    moderated = mg.rma(y, [0.02, 0.03] * 4, mods=np.arange(8.0))
    for door in (mg.fsn, mg.tes, mg.trimfill):
        with pytest.raises(MethodError, match="without moderators"):
            door(moderated)
