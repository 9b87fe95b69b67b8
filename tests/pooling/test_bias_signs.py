"""Excess significance, fail-safe numbers, p-curve, LFK index, GOSH, outliers, Baujat: reference, laws, refusals."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

import metagrove as mg
from bias_reference import expected, mismatches
from metagrove.core.errors import MethodError, UnknownName
from metagrove.pooling.bias.excess import poisson_binomial
from metagrove.pooling.bias.fail_safe import FAIL_SAFE
from metagrove.pooling.bias.funnel_data import funnel_data
from metagrove.pooling.bias.gosh import all_subsets, random_subsets
from metagrove.pooling.bias.p_curve import p_curve

CASE = "bias_egger2001"


def magnesium():
    data = {key: np.array(value, float) for key, value in expected(CASE)["data"].items() if key != "study"}
    a, n1, c, n2 = (data[key] for key in ("event.e", "n.e", "event.c", "n.c"))
    add = 0.5 * ((a == 0) | (c == 0) | (a == n1) | (c == n2))
    cells = (a + add, n1 - a + add, c + add, n2 - c + add)
    return np.log(cells[0] * cells[3] / (cells[1] * cells[2])), sum(1 / cell for cell in cells)


Y, V = magnesium()


def test_reference_tes():
    """1e-5: the peer's root finder stops within 2e-6 of the limit estimate."""
    assert mismatches(CASE, "tes", mg.tes(Y, V), 1e-5) == []


@pytest.mark.parametrize("kind", FAIL_SAFE)
def test_reference_fsn(kind):
    wanted = expected(CASE)["expected"]["fsn"][kind]
    found = mg.fsn(Y, V, type=kind)
    for key, value in wanted.items():
        got = getattr(found, key)
        assert got == (None if value is None else pytest.approx(value, rel=1e-5)), key


def test_reference_lfk():
    assert mismatches(CASE, "lfk_index_OR", mg.lfkindex(Y, np.sqrt(V)), 1e-9) == []


@pytest.mark.parametrize("case", ["influence_bcg", "influence_raudenbush1985"])
def test_reference_baujat(case):
    data = expected(case)["data"]
    found = mg.baujat(data["yi"], vi=data["vi"])
    assert mismatches(case, "baujat_common", found, 1e-8) == []
    assert mg.rma(data["yi"], data["vi"], method="EE").baujat().y == pytest.approx(found.y)


def test_baujat_after_rma_is_metafors():
    """R metafor 3.8-1: baujat(rma(yi, vi, mods=~c(1,2,3,1,2,5))) with REML at its default tolerance of 1e-5."""
    y, v = [0.1, 0.5, 0.3, 0.9, -0.2, 0.4], [0.02, 0.05, 0.03, 0.1, 0.04, 0.06]
    found = mg.baujat(mg.rma(y, v, mods=[1.0, 2, 3, 1, 2, 5]))
    assert found.x[[0, 3, 4]] == pytest.approx([0.28318046, 2.00365581, 1.79710733], rel=1e-4)
    assert found.y[[0, 3, 5]] == pytest.approx([0.19302622, 1.28188592, 0.13555495], rel=1e-4)


def test_excess_by_all_three_tests():
    """R metafor 3.8-1, tes() on ten simulated studies: p-values and limit estimates for each test and side."""
    y = [0.3982873, 0.2495987, 0.324884, 0.3215693, 0.6112751, 0.5229605, 0.1210255, 0.5519597, 0.7007604, 0.5526751]
    v = [
        0.02084857,
        0.06291278,
        0.1781881,
        0.03389936,
        0.04493694,
        0.02855442,
        0.0261054,
        0.184896,
        0.1712361,
        0.05219685,
    ]
    peer = {
        ("exact", "greater"): (0.7285797, 0.2283135),
        ("exact", "less"): (0.5440399, 0.5230834),
        ("exact", "two.sided"): (1.0, (0.1953379, 0.558738)),
        ("chi2", "greater"): (0.5897128, 0.2574341),
        ("chi2", "less"): (0.4102872, 0.5119925),
        ("chi2", "two.sided"): (0.8205744, (0.2305155, 0.5565749)),
        ("binom", "greater"): (0.7024532, 0.2251444),
        ("binom", "less"): (0.5419555, 0.5540864),
        ("binom", "two.sided"): (1.0, (0.1924173, 0.6069306)),
    }
    for (test, side), (p, limit) in peer.items():
        found = mg.tes(y, v, test=test, tes_alternative=side)
        assert found.pval == pytest.approx(p, rel=1e-6)
        assert found.theta_lim == pytest.approx(limit, rel=2e-4)
    random = mg.tes(mg.rma(y, v))
    assert random.power[:3] == pytest.approx([0.7786728, 0.3485723, 0.1541319], rel=1e-6)
    assert random.tau2 == 0 and "Francis" in str(random.explain())


def test_excess_defaults_to_chi_squared_when_the_sum_is_long():
    rng = np.random.default_rng(2)
    v = rng.uniform(0.02, 0.2, 30)
    assert mg.tes(rng.normal(0, np.sqrt(v)), v).test == "chi2"
    assert mg.tes(rng.normal(1, np.sqrt(v)), v).test == "exact"


def test_poisson_binomial_by_enumeration():
    p = np.array([0.1, 0.5, 0.7, 0.35])
    counts = np.zeros(5)
    for outcome in product((0, 1), repeat=4):
        counts[sum(outcome)] += np.prod([a if hit else 1 - a for a, hit in zip(p, outcome, strict=True)])
    assert poisson_binomial(p) == pytest.approx(counts)


def test_fail_safe_numbers_are_the_smallest():
    """One study fewer leaves the finding standing, by the definition of each number."""
    y, v = np.array([0.5, 0.4, 0.6, 0.3, 0.55]), np.array([0.02, 0.03, 0.02, 0.05, 0.04])
    n = mg.fsn(y, v).fsnum
    z = (y / np.sqrt(v)).sum()
    assert norm.sf(z / np.sqrt(5 + n)) >= 0.05 > norm.sf(z / np.sqrt(5 + n - 1))
    n = mg.fsn(y, v, type="Rosenberg").fsnum
    w, added = 1 / v, (1 / v).mean()
    tail = [2 * norm.sf((w * y).sum() / np.sqrt(w.sum() + m * added)) for m in (n - 1, n)]
    assert tail[0] < 0.05 <= tail[1]
    n = mg.fsn(y, type="Orwin", target=0.1).fsnum
    assert y.sum() / (5 + n) <= 0.1 + 1e-12 < y.sum() / (5 + n - 1)
    general = mg.fsn(mg.rma(y, v), target=-0.1)
    assert general.est_fsn <= 0.1 and general.target == pytest.approx(0.1)
    assert mg.fsn(-y, v).fsnum == mg.fsn(y, v).fsnum


def test_fail_safe_is_zero_where_nothing_stands():
    found = mg.fsn([0.1, -0.1, 0.05], [0.1, 0.2, 0.1])
    assert found.fsnum == 0 and "0 studies" in found.summary()
    assert mg.fsn([0.1, 0.3], [0.1, 0.2], type="Orwin", target=1).fsnum == 0
    with pytest.raises(MethodError, match="0; the target must differ"):
        mg.fsn([0.1, 0.3], [0.1, 0.2], type="Orwin", target=0)
    with pytest.raises(UnknownName, match="Rosenthal"):
        mg.fsn([0.1, 0.3], [0.1, 0.2], type="Orvin")
    with pytest.raises(MethodError, match="alpha"):
        mg.fsn([0.1, 0.3], [0.1, 0.2], alpha=2)


def test_p_curve_of_33_percent_power_is_flat_and_power_is_found():
    rng = np.random.default_rng(4)
    z = rng.normal(1.5263, 1, 30000)  # the mean at which |z| > 1.96 has chance 1/3
    curve = p_curve(funnel_data(z, np.ones(z.size)))
    assert curve.power == pytest.approx(1 / 3, abs=0.03)
    assert curve.power_lower < curve.power < curve.power_upper
    assert abs(curve.flatness.z_full) < 3 and abs(curve.flatness.z_half) < 3
    assert curve.evidential_value and not curve.inadequate


def test_p_curve_of_null_effects_is_uniform():
    rng = np.random.default_rng(8)
    z = rng.normal(0, 1, 40000)
    curve = p_curve(funnel_data(z, np.ones(z.size)))
    assert abs(curve.right_skew.z_full) < 3 and abs(curve.right_skew.z_half) < 3
    assert curve.inadequate and not curve.evidential_value
    assert "absent or inadequate" in curve.summary() and len(curve.rows()) == 2


def test_p_curve_limits():
    with pytest.raises(MethodError, match="none of the 3 studies"):
        mg.pcurve([0.1, 0.2, -0.1], [1, 1, 1])
    one = mg.pcurve([2.1, 0.2, -0.1], [1, 1, 1])
    assert one.k_half == 0 and one.right_skew.p_half is None and one.flatness.z_half is None
    huge = mg.pcurve([60.0, 80.0], [1, 1])
    assert huge.power == 0.99 and np.isfinite(huge.right_skew.z_full)


def test_lfk_laws():
    se = np.sqrt(V)
    index = mg.lfkindex(Y, se).lfkindex
    assert mg.lfkindex(10 * Y, 10 * se).lfkindex == pytest.approx(index)
    order = np.random.default_rng(0).permutation(16)
    assert mg.lfkindex(Y[order], se[order]).lfkindex == pytest.approx(index)
    d = np.array([0.1, 0.4, 0.9])
    even = mg.lfkindex(np.concatenate((-d, [0.0], d)), np.full(7, 0.2))
    assert even.interpretation == "no asymmetry"
    with pytest.raises(MethodError, match="effects are the same"):
        mg.lfkindex(np.ones(4), np.array([0.1, 0.2, 0.3, 0.4]))
    with pytest.raises(MethodError, match="at least 3"):
        mg.lfkindex([0.1, 0.2], [0.1, 0.1])
    assert "does not reliably" in str(mg.lfkindex(Y, se).explain())


@pytest.mark.parametrize("method", ["EE", "DL", "REML"])
def test_gosh_is_every_subset_one_by_one(method):
    y, v = np.array([0.1, 0.5, 0.3, 0.9, -0.2]), np.array([0.02, 0.05, 0.03, 0.1, 0.04])
    found = mg.gosh(y, v, method=method)
    assert found.complete and found.estimate.size == 31
    for i in (2, 6, 11, 22, 30):
        chosen = found.included[i]
        one = mg.rma(y[chosen], v[chosen], method=method)
        assert found.estimate[i] == pytest.approx(one.b[0], rel=1e-7)
        assert found.tau2[i] == pytest.approx(one.tau2, rel=1e-5, abs=1e-8)
        assert found.Q[i] == pytest.approx(one.QE, abs=1e-10)
    assert len(found.rows()) == 5 and (found.I2 >= 0).all() and (found.I2 < 1).all()


def test_gosh_draws_with_its_seed():
    y, v = np.linspace(0, 1, 30), np.full(30, 0.05)
    one, same, other = (mg.gosh(y, v, subsets=500, seed=seed, method="DL") for seed in (3, 3, 4))
    assert not one.complete and "seed 3" in one.summary() and "seed 3" in str(one.explain())
    assert (one.included == same.included).all() and (one.included != other.included).any()
    assert (one.size >= 1).all()
    assert one.without("5").sum() == (~one.included[:, 4]).sum()
    with pytest.raises(MethodError, match="no study 'x'"):
        one.without("x")


def test_gosh_finds_the_odd_study():
    y = np.array([0.1, 0.12, 0.09, 0.11, 0.13, 2.0])
    found = mg.gosh(y, np.full(6, 0.01))
    assert "by 6" in found.summary()
    with pytest.raises(MethodError, match="at least 2"):
        mg.gosh([0.1], [0.2])
    with pytest.raises(MethodError, match="without moderators"):
        mg.gosh(mg.rma(y, np.full(6, 0.01), mods=np.arange(6.0)))


def test_subsets():
    masks = all_subsets(4)
    assert masks.shape == (15, 4) and masks.any(axis=1).all() and len({tuple(row) for row in masks}) == 15
    drawn = random_subsets(2, 4000, np.random.default_rng(1))
    shares = [np.mean((drawn == want).all(axis=1)) for want in ([True, False], [False, True], [True, True])]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.04)


def test_outliers_are_deleted_residuals():
    y, v = Y, V
    found = mg.outliers(y, v)
    peer = mg.rma(y, v).rstudent()
    assert found.rstudent == pytest.approx(peer.z, rel=1e-6)
    assert (found.pval_holm >= found.pval).all() and (found.pval_holm <= 1).all()
    odd = mg.outliers([0.1, 0.12, 0.09, 0.11, 0.13, 2.0], [0.01] * 6)
    assert list(odd.outlier) == [False] * 5 + [True] and odd.apart[-1]
    assert odd.estimate_without == pytest.approx(0.11)
    assert "6" in odd.summary() and len(odd.rows()) == 6
    with pytest.raises(MethodError, match="at least 2 others"):
        mg.outliers([0.1, 0.2], [0.1, 0.1])


def test_results_offer_their_methods():
    result = mg.metagen(Y, np.sqrt(V), sm="OR")
    for name in "metabias regtest ranktest trimfill limitmeta fsn tes lfkindex pcurve pet_peese gosh outliers".split():
        options = {"subsets": 50} if name == "gosh" else {"method": "Egger"} if name == "metabias" else {}
        found = getattr(result, name)(**options)
        assert found.summary() and found.rows() is not None and "doi:" in str(found.explain())
        assert found.to_json()
    assert result.selmodel("negexp", alternative="less").summary()
    model = mg.rma(Y, V)
    assert model.regtest().pval == pytest.approx(result.regtest().pval)
    assert model.ranktest().tau == pytest.approx(0.15)
    assert model.baujat().x.size == 16
    assert mg.tes(model).theta == pytest.approx(model.b[0])
