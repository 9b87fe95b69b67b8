"""The Kenward-Roger interval against the general formulas for mixed models."""

import numpy as np
import pytest

import metagrove as mg


def kenward_roger(v, tau2):
    """Adjusted variance and degrees of freedom of the mean by Kenward and Roger 1997 (doi:10.2307/2533558)."""
    x, w = np.ones((v.size, 1)), np.diag(1 / (v + tau2))
    phi = np.linalg.inv(x.T @ w @ x)
    p, q = -x.T @ w @ w @ x, x.T @ w @ w @ w @ x
    information = 0.5 * (np.trace(w @ w) - np.trace(2 * phi @ q - phi @ p @ phi @ p))
    adjusted = phi + 2 * phi @ (q - p @ phi @ p) @ phi / information
    a = float((phi @ p)[0, 0] ** 2) / information  # both traces of the paper, for one coefficient
    b, g = 7 * a / 2, -1.0
    c1, c2, c3 = g / (3 + 2 * (1 - g)), (1 - g) / (3 + 2 * (1 - g)), (3 - g) / (3 + 2 * (1 - g))
    e, spread = 1 / (1 - a), 2 * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    m = 4 + 3 / (spread / (2 * e * e) - 1)
    return float(adjusted[0, 0]), float(phi[0, 0]), m


@pytest.mark.parametrize("seed", range(5))
def test_kenward_roger_is_that_of_mixed_models(seed):
    """The standard error is the paper's; the degrees of freedom are its with the adjusted variance in place of the plain."""
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.02, 0.3, 9)
    found = mg.metagen(rng.normal(0, np.sqrt(v + 0.1)), np.sqrt(v), method_random_ci="KR")
    adjusted, plain, m = kenward_roger(v, found.tau2)
    assert found.seTE_random == pytest.approx(np.sqrt(adjusted), rel=1e-10)
    assert found.df_random == pytest.approx(m * (plain / adjusted) ** 2, rel=1e-10)
