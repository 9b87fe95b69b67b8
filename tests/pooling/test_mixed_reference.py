"""Structures, sandwiches, diagnostics and limits of mixed models against metafor (validation/mixed_models.R)."""

import numpy as np
import pandas as pd
import pytest

import metagrove as mg
from known import reference_json

CASE = reference_json("metafor/mixed_models.json")
TABLE = pd.DataFrame(CASE["data"])
V = mg.vcalc("vi", "st", obs="tm", rho=0.5, data=TABLE)
KNOWN = pd.DataFrame(0.3 ** abs(np.subtract.outer(range(14), range(14))), index=[str(i) for i in range(1, 15)])
MODELS = {
    "UN": {"mods": "~ x", "random": "~ o | st", "struct": "UN"},
    "HCS": {"mods": "~ x", "random": "~ o | st", "struct": "HCS"},
    "CS": {"mods": "~ x", "random": "~ o | st", "struct": "CS"},
    "AR": {"mods": "~ x", "random": "~ tm | st", "struct": "AR"},
    "HAR": {"mods": "~ x", "random": "~ tm | st", "struct": "HAR"},
    "CAR": {"mods": "~ x", "random": "~ ti | st", "struct": "CAR"},
    "GEN": {"mods": "~ x", "random": "~ x | st", "struct": "GEN"},
    "GDIAG": {"mods": "~ x", "random": "~ x | st", "struct": "GDIAG", "method": "ML"},
    "two_inner": {"mods": "~ x", "random": ["~ o | st", "~ arm | st"], "struct": ["DIAG", "CS"]},
    "mixed": {"mods": "~ x + z", "random": ["~ 1 | id", "~ arm | st"], "struct": "HCS"},
    "crossed": {"random": ["~ 1 | st", "~ 1 | o", "~ 1 | id"]},
    "known": {"mods": "~ x", "random": "~ 1 | st", "R": {"st": KNOWN}},
    "contain": {"mods": "~ x + z", "random": "~ 1 | st/id", "dfs": "contain"},
}


def fit(**options):
    return mg.rma_mv("yi", V, data=TABLE, **options)


@pytest.fixture(scope="module")
def nested():
    return fit(mods="~ x + z", random="~ 1 | st/id")


def test_every_model_is_here():
    assert set(MODELS) == set(CASE["models"])


@pytest.mark.parametrize("name", MODELS)
def test_models_are_metafors(name):
    result, wanted = fit(**MODELS[name]), CASE["models"][name]
    for key, value in wanted.items():
        # the peer's components are good to 1e-4 of themselves; components on the boundary stop near 1e-8 there
        found = np.ravel(getattr(result, key))
        assert np.allclose(found, np.ravel(value), rtol=2e-4, atol=1e-6), (name, key, found, value)
    assert result.loglik >= wanted["loglik"] - 1e-9


@pytest.mark.parametrize("kind", CASE["robust"])
def test_sandwiches(kind, nested):
    model = nested if kind.startswith("mv") else mg.rma("yi", "vi", mods="~ x + z", data=TABLE)
    found = mg.robust(model, "st", adjust=not kind.endswith("CR0"), clubSandwich=kind.endswith("CR2"))
    for key, value in CASE["robust"][kind].items():
        assert np.allclose(np.ravel(getattr(found, key)), np.ravel(value), rtol=1e-5), (kind, key)


def test_diagnostics(nested):
    wanted = CASE["diagnostics"]
    deleted = nested.rstudent()
    for key, value in wanted["rstudent"].items():
        assert np.allclose(getattr(deleted, key), value, rtol=1e-4, atol=1e-6)
    assert np.allclose(nested.rstandard().z, wanted["rstandard_z"], rtol=1e-5)
    assert np.allclose(nested.cooks_distance(), wanted["cooks"], rtol=1e-4, atol=1e-7)
    assert np.allclose(nested.cooks_distance("st"), wanted["cooks_cluster"], rtol=1e-4, atol=1e-7)
    assert np.allclose(mg.hatvalues(nested), wanted["hat"], rtol=1e-5)
    assert np.allclose(mg.weights(nested), wanted["weights"], rtol=1e-5)
    for found, effects in zip(nested.ranef().values(), wanted["ranef"].values(), strict=True):
        for key, value in effects.items():
            assert np.allclose(getattr(found, key), value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "model"),
    [("nested", {"mods": "~ x + z", "random": "~ 1 | st/id"}), ("UN", MODELS["UN"]), ("CS", MODELS["CS"])],
)
def test_profile_limits(name, model):
    rows = [row for block in CASE["limits"][name] for row in block]
    found = fit(**model).confint()
    assert len(found.labels) == len(rows)
    for label, row in zip(found.labels, rows, strict=True):
        # R's roots are good to about 1e-3
        assert np.allclose(found[label], row, rtol=1e-3, atol=1e-3), label


def test_likelihood_ratio():
    test = mg.anova(fit(**MODELS["UN"]), fit(**MODELS["CS"]))
    assert np.isclose(test.LRT, CASE["lrt"]["LRT"], rtol=1e-6) and np.isclose(test.pval, CASE["lrt"]["pval"], rtol=1e-6)


def test_exact_permutations():
    few = TABLE.iloc[:6]
    moderator = mg.permutest(mg.rma("yi", "vi", mods="~ x", data=few), exact=True)
    assert np.allclose([*moderator.pval, moderator.QMp], CASE["permutation"]["moderator"])
    signs = mg.permutest(mg.rma("yi", "vi", data=few), exact=True)
    assert np.allclose([*signs.pval, signs.QMp], CASE["permutation"]["signs"])
