"""Prediction intervals that R meta's stored cases do not pin: NNF against its own definition, and the rest of the codes."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.pooling.prediction import PREDICTION
from metagrove.pooling.quadratic_forms import chi_square_mixture_cdf

Y = np.array([-0.328, -0.384, -0.219, -0.222, -0.225, 0.124, -0.110])
SE = np.array([0.197, 0.203, 0.143, 0.254, 0.188, 0.098, 0.039])


def simulated(draws):
    """Nagashima and colleagues' algorithm: tau2 from its confidence distribution, then mean - t se + tau z."""
    rng = np.random.default_rng(5)
    v, w = SE**2, SE**-2
    a = np.diag(w) - np.outer(w, w) / w.sum()
    q = Y @ a @ Y
    grid = np.concatenate([[0.0], np.geomspace(1e-6, 5, 300)])
    share = []
    for t in grid:
        s = np.sqrt(v + t)
        share.append(1 - chi_square_mixture_cdf(q, np.clip(np.linalg.eigvalsh(s[:, None] * a * s)[1:], 0, None)))
    tau2 = np.interp(rng.random(draws), share, grid)  # below the share at 0 it is 0
    w = 1 / (v + tau2[:, None])
    mean = (w @ Y) / w.sum(axis=1)
    se = np.sqrt((w * (Y - mean[:, None]) ** 2).sum(axis=1) / ((Y.size - 1) * w.sum(axis=1)))
    return mean - rng.standard_t(Y.size - 1, draws) * se + np.sqrt(tau2) * rng.standard_normal(draws)


def test_nnf_is_the_limit_of_its_simulation():
    m = mg.metagen(Y, SE, method_predict="NNF")
    found = np.quantile(simulated(400_000), [0.025, 0.975])
    assert [m.lower_predict, m.upper_predict] == pytest.approx(found, abs=0.01)
    assert m.df_predict == 6


@pytest.mark.parametrize("code", PREDICTION)
def test_every_code_gives_limits_around_the_mean_with_its_name_and_paper(code):
    m = mg.metagen(Y, SE, method_predict=code, prediction=True)
    assert m.lower_predict < m.TE_random < m.upper_predict
    entry = PREDICTION.entry(code)
    assert entry.title in m.explain().sentence and entry.cite in m.explain().references


def test_order_of_the_intervals():
    width = {
        code: (lambda m: m.upper_predict - m.lower_predict)(mg.metagen(Y, SE, method_predict=code))
        for code in ("S", "V", "HTS", "KR", "KR-PR")
    }
    assert width["S"] < width["V"] < width["HTS"]
    assert width["KR"] < width["KR-PR"]


def test_too_few_studies_give_no_limits_and_say_so():
    m = mg.metagen([0.1, 0.2], [0.1, 0.1], method_predict="HTS")
    assert np.isnan(m.lower_predict)
    assert m.notes
