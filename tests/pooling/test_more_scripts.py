"""Every result explains itself, and gives code in R and Stata or says why there is none: a walk over their classes."""

import importlib
import pkgutil
import re

import numpy as np
import pytest

import metagrove as mg
import metagrove.pooling
from known import reference_json
from metagrove.core.errors import MethodError
from metagrove.core.results import Result


def classes():
    for module in pkgutil.walk_packages(metagrove.pooling.__path__, "metagrove.pooling."):
        importlib.import_module(module.name)
    found, todo = set(), [Result]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind is not Result and kind.__module__.startswith("metagrove.pooling"):
            found.add(kind)
    return found


@pytest.fixture(scope="module")
def results():
    d, r = reference_json("meta/bin_bcg.json")["data"], reference_json("meta/metareg_bcg.json")["data"]
    k = reference_json("meta/mv_konstantopoulos2011.json")["data"]
    slab = [f"{i} {name}" for i, name in enumerate(d["study"])]
    cells = {"ai": d["event.e"], "n1i": d["n.e"], "ci": d["event.c"], "n2i": d["n.c"], "slab": slab}
    counts = (d["event.e"], d["n.e"], d["event.c"], d["n.c"])
    m = mg.metabin(*counts, studlab=slab, sm="OR", method="Inverse", subgroup=r["alloc"])
    rma = mg.rma(mg.escalc("OR", **cells))
    return {
        "MetaResult": m,
        "Refits": m.leave_one_out(),
        "BoundAnalyses": mg.metabind(m, m),
        "BayesResult": m.bayes(),
        "Regression": mg.rma("yi", "vi", mods="~ ablat", data=r),
        "LocationScale": mg.rma("yi", "vi", scale="~ ablat", data=r),
        "MixedModel": mg.rma_mv("yi", "vi", random="~ 1 | district/school", data=k),
        "Robust": rma.robust(r["alloc"]),
        "CountResult": mg.rma_mh(**cells),
        "GlmmResult": mg.rma_glmm(**cells, measure="OR"),
        "AsymmetryTest": m.metabias("Egger"),
        "RegressionTest": rma.regtest(),
        "RankTest": rma.ranktest(),
        "FailSafe": rma.fsn(),
        "ExcessSignificance": rma.tes(),
        "TrimFill": m.trimfill(),
        "LimitMeta": m.limitmeta(),
        "CopasModel": m.copas(ngrid=6, nlevels=4),
        "SelectionModel": rma.selmodel("stepfun", steps=0.025, alternative="less"),
        "PetPeese": rma.pet_peese(),
        "LfkIndex": m.lfkindex(),
        "HenmiCopas": mg.hc(rma),
        "OutlierTest": rma.outliers(),
        "Gosh": mg.gosh(mg.rma([0.1, 0.3, 0.5, 0.2], [0.02, 0.02, 0.03, 0.01])),
    }


def gives_code(kind):
    """Whether a class has code of its own to give, or a place for it."""
    return "to_r" in vars(kind) or "script" in getattr(kind, "__slots__", ())


def test_every_class_that_gives_code_is_walked(results):
    kinds = classes()
    assert {kind.__name__ for kind in kinds if gives_code(kind)} == set(results)
    for kind in kinds:
        for name in ("explain", "to_r", "to_stata"):
            assert callable(getattr(kind, name)) and getattr(kind, name).__doc__


# what a reader must find in the code: the function that does it
CALLS = {
    "MetaResult": "m <- metabin(", "Refits": "metainf(m", "BoundAnalyses": "metabind(m1, m2", "BayesResult": "bayesmeta(",
    "Regression": "rma(yi, vi", "LocationScale": "scale = ~", "MixedModel": "rma.mv(yi, V", "Robust": "robust(model",
    "CountResult": "rma.mh(", "GlmmResult": "rma.glmm(", "AsymmetryTest": 'metabias(m, method.bias = "Egger"',
    "RegressionTest": 'regtest(model, model = "rma", predictor = "sei")', "RankTest": "ranktest(yi, vi",
    "FailSafe": 'fsn(model, type = "General"', "ExcessSignificance": "tes(yi, vi", "TrimFill": "trimfill(m, left = ",
    "LimitMeta": 'limitmeta(m, method.adjust = "beta0"', "CopasModel": "copas(m, ", "LfkIndex": "lfkindex(m)",
    "SelectionModel": 'selmodel(model, type = "stepfun", alternative = "less", steps = c(0.025', "Gosh": "gosh(model",
    "PetPeese": 'regtest(model, model = "lm"', "OutlierTest": "rstudent(model)",
    "HenmiCopas": "hc(model",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CALLS))
def test_code_in_r_names_its_package_its_data_and_its_call(results, name):
    code = results[name].to_r()
    assert re.match(r"library\((meta|metafor|bayesmeta)\)", code)
    assert CALLS[name] in code
    assert code.endswith("\n") and code.count("(") == code.count(")")
    numbers = re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", code)
    assert len(numbers) > 8, "the data are in the code"


@pytest.mark.parametrize("name", sorted(CALLS))
def test_code_in_stata_is_given_or_refused_by_name(results, name):
    try:
        code = results[name].to_stata()
    except MethodError as error:
        assert "Stata" in str(error)
        return
    assert code.startswith("clear\n") and "\nend\n" in code


@pytest.mark.parametrize("name", sorted(CALLS))
def test_every_explanation_is_a_sentence_with_papers(results, name):
    told = results[name].explain()
    assert told.sentence.endswith(".") and len(told.sentence) > 20
    assert told.references and all(re.search(r"doi:10\.\d{4,}|\d{4}", text) for text in told.references)


def test_code_where_there_is_none_says_so(results):
    with pytest.raises(MethodError, match="no code in R for a Baujat"):
        results["MetaResult"].baujat().to_r()
    with pytest.raises(MethodError, match="no code in Stata for a RankTest"):
        results["RankTest"].to_stata()
    with pytest.raises(MethodError, match="location-scale"):
        results["LocationScale"].to_stata()
    with pytest.raises(MethodError, match="clusters"):
        results["Robust"].to_stata()


def test_code_of_filled_and_cumulative_analyses_repeats_what_was_done(results):
    m = results["MetaResult"]
    assert 'type = "L", ma.common = TRUE' in m.trimfill().to_r()
    assert "meta trimfill, estimator(linear)" in m.trimfill().to_stata()
    assert 'trimfill(model, side = "left", estimator = "R0")' in mg.rma(
        mg.escalc("OR", [1, 2, 3, 4], n1i=[9, 9, 9, 9], ci=[2, 2, 4, 7], n2i=[9, 9, 9, 9])
    ).trimfill(estimator="R0", side="left").to_r()  # fmt: skip
    code = m.cumulative(order=np.arange(13)[::-1]).to_r()
    assert "sortvar = c(13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)" in code
    assert "meta bias, egger" in m.metabias("Egger").to_stata()


def test_the_peak_of_the_likelihood_is_the_highest_with_moderators_too():
    from metagrove.pooling.tau2 import Design, log_likelihood, tau2_estimate

    rng, several = np.random.default_rng(0), 0
    for _ in range(120):
        k = int(rng.integers(4, 12))
        p = int(rng.integers(1, min(4, k - 1)))
        v = 0.05 * np.exp(rng.normal(0, 2, k))
        X = np.column_stack([np.ones(k), rng.normal(size=(k, p - 1))]) if p > 1 else None
        y = rng.normal(0, np.sqrt(v + np.exp(rng.normal(-2, 2)))) + (rng.random(k) < 0.2) * rng.normal(0, 4, k)
        design = Design(y, v, X)
        grid = np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 60)])
        for method, restricted in (("REML", True), ("ML", False)):
            found = tau2_estimate(y, v, method, X=X).value
            ll = np.array([log_likelihood(design, t, restricted=restricted) for t in grid])
            several += int(((ll[1:-1] > ll[:-2]) & (ll[1:-1] > ll[2:])).sum() + (ll[0] > ll[1]) > 1)
            assert log_likelihood(design, found, restricted=restricted) >= ll.max() - 1e-8
    assert several > 3  # likelihoods with more than one peak were among them
