"""Data sets that are not among the reference cases, every family of functions, against metafor (validation/other_data.R)."""

import numpy as np
import pandas as pd
import pytest

import metagrove as mg
from known import reference_json

CASES = reference_json("metafor/other_data.json")
#: what the peer leaves loose: permutation and profile root finders, optimisers of several variances
LOOSE = {"confint": 1e-4, "mv": 1e-3}
PAIR = "~ factor(arm) | pair"


def numbers(values):
    return np.array([np.nan if x is None else float(x) for x in np.ravel(np.asarray(values, dtype=object))])


class Study:
    """One data set, and what we compute for each block of the peer's numbers."""

    def __init__(self, name):
        case = CASES[name]
        self.expected, self.measure = case["expected"], case["measure"][0]
        self.columns = {key: numbers(values) for key, values in case["columns"].items()}
        table = {key: values if key == "g" else numbers(values) for key, values in case["table"].items()}
        self.table = pd.DataFrame(table | {"pair": table["pair"].astype(int), "arm": table["arm"].astype(int)})
        self.y, self.v = table["y"], table["v"]

    def fit(self, **options):
        return mg.rma("y", "v", data=self.table, **options)

    def several(self, V="v", **options):
        return mg.rma_mv("y", V, data=self.table, **options)

    def found(self, block):
        kind, *rest = block.split()
        return getattr(self, f"of_{kind}")(*rest)

    def of_rma(self, method):
        more = {"weights": 1 / (self.v + 0.1)} if method == "GENQ" else {}
        return self.fit(method=method, **more)

    def of_mods(self, method, test):
        return self.fit(method=method, test=test, mods="~ x + g")

    def of_weights(self):
        return self.fit(weights="n")

    def of_least(self, _):
        return self.fit(mods="~ x", weighted=False)

    def of_confint(self, kind):
        return self.fit(mods="~ x").confint() if kind == "mods" else self.fit().confint(type=kind)

    def of_predict(self, kind=""):
        if kind == "mods":
            return self.fit(mods="~ x").predict([0, 1, 2.5])
        return self.fit(test="knha" if kind else "z").predict()

    def of_blup(self, kind=""):
        return self.fit(mods="~ x" if kind else None).blup()

    def of_ranef(self, _):
        return self.fit(mods="~ x").ranef()

    def of_influence(self, kind=""):
        return self.fit(mods="~ x" if kind else None).influence()

    def of_leave1out(self):
        return self.fit().leave_one_out()

    def of_cumul(self):
        return self.fit().cumulative()

    def of_ranktest(self):
        return mg.ranktest(self.y, self.v)

    def of_trimfill(self, method, estimator, side):
        return mg.trimfill(self.fit(method=method), estimator=estimator, side=side)

    def of_fsn(self, kind):
        return mg.fsn(self.y, self.v, type=kind)

    def of_tes(self, test):
        return mg.tes(self.y, self.v, test=test)

    def of_robust(self, kind="CR1"):
        model = self.fit(mods=None if kind == "CR1" else "~ x")
        return mg.robust(model, self.table["pair"], adjust=kind != "CR0", clubSandwich=kind == "CR2")

    def of_permutest(self):
        return mg.permutest(self.fit(), exact=True)

    def of_gosh(self):
        found = mg.gosh(self.fit(method="DL"))
        return {key: np.sort(getattr(found, key)) for key in ("estimate", "tau2", "Q")}

    def of_mv(self, struct, method="REML"):
        if struct == "nested":
            mods = "~ x" if method == "ML" else None
            return self.several(mods=mods, random="~ 1 | pair/id", method=method)
        V = mg.vcalc("v", "pair", obs="arm", rho=0.6, data=self.table)
        return self.several(V, random=PAIR, struct=struct)


def value(found, key, block):
    if key in ("I2",):
        return 100 * numbers(found["I2"] if block in ("leave1out", "cumul") else found.I2)
    if isinstance(found, dict) or not hasattr(found, key):
        return numbers(found[key])
    return numbers(getattr(found, key))


def differences(study, block, wanted):
    found, tolerance = study.found(block), LOOSE.get(block.split()[0], 1e-6)
    for key, values in wanted.items():
        theirs = numbers(values)
        if theirs.size == 0:  # a quantity that the peer does not have here
            continue
        ours = value(found, key, block)
        if key == "R2" and not np.isfinite(theirs).all():
            continue
        if block.startswith("mv") and key in ("tau2", "rho", "sigma2") and found.loglik > wanted["loglik"][0] + 1e-7:
            continue  # ours is the higher likelihood
        if key == "rho" and (np.asarray(found.tau2) < 1e-8).any():
            continue  # a variance of 0 has no correlation
        there = np.isfinite(theirs)  # the peer gives up on single studies
        if ours.size != theirs.size or not np.allclose(ours[there], theirs[there], rtol=tolerance, atol=1e-8):
            yield block, key, ours, theirs


@pytest.mark.parametrize("name", CASES)
def test_every_family_is_metafors(name):
    study, bad, seen = Study(name), [], 0
    for block, wanted in study.expected.items():
        if wanted:
            seen += sum(len(np.ravel(np.asarray(values, dtype=object))) for values in wanted.values())
            bad += differences(study, block, wanted)
    assert bad == []
    assert seen > 1000


@pytest.mark.parametrize("name", CASES)
def test_effects_are_metafors(name):
    study = Study(name)
    effects = mg.escalc(study.measure, **study.columns)
    assert np.allclose(effects.yi, numbers(CASES[name]["yi"]), rtol=1e-9, atol=1e-15)
    assert np.allclose(effects.vi, numbers(CASES[name]["vi"]), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_several_variances_reach_metafors_likelihood(name):
    study = Study(name)
    for block, wanted in study.expected.items():
        if block.startswith("mv") and wanted:
            assert study.found(block).loglik >= wanted["loglik"][0] - 1e-6, block
