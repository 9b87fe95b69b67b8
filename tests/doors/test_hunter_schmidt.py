"""Correlations pooled as Hunter and Schmidt do: average sampling variance, weights by size."""

import numpy as np
import pytest

import metagrove as mg
from known import reference_json

CASE = reference_json("meta/cor_molloy2014.json")
EXPECTED = CASE["expected"]["HS_COR"]


@pytest.fixture(scope="module")
def fit():
    data = CASE["data"]
    effects = mg.escalc("COR", ri=data["ri"], ni=data["ni"], vtype="AV").to_frame()
    return mg.rma(effects["yi"], effects["vi"], weights=data["ni"], method="HS")


@pytest.mark.parametrize("name", ["b", "se", "pval", "ci_lb", "ci_ub", "tau2", "se_tau2", "H2", "QE"])
def test_values(fit, name):
    assert float(np.ravel(getattr(fit, name))[0]) == pytest.approx(EXPECTED[name], rel=1e-9)


def test_i2_is_a_fraction_here_and_a_percentage_there(fit):
    assert pytest.approx(EXPECTED["I2"] / 100, rel=1e-9) == fit.I2
