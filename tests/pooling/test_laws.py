"""What must hold for any set of studies: order, shift, scale, doubling, brackets, many equals one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.core.scales import SCALES, double_arcsine
from metagrove.pooling.tau2 import TAU2, Design, log_likelihood, tau2_estimate

few = settings(derandomize=True, deadline=None, max_examples=25)
METHODS = [name for name in TAU2 if name != "GENQ"]


@st.composite
def studies(draw, smallest=2, largest=12):
    k = draw(st.integers(smallest, largest))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    v = 10 ** rng.uniform(-3, 0.5, k)
    tau = draw(st.sampled_from([0.0, 0.05, 0.5, 3.0]))
    return rng.normal(0.3, np.sqrt(v + tau**2)), v


@few
@given(studies(), st.sampled_from(METHODS))
def test_tau2_is_not_negative_and_ignores_order_and_shift(data, method):
    y, v = data
    order = np.random.default_rng(1).permutation(y.size)
    first = tau2_estimate(y, v, method).value
    scale = first + np.median(v)
    assert first >= 0
    assert tau2_estimate(y[order], v[order], method).value == pytest.approx(first, abs=1e-8 * scale)
    assert tau2_estimate(y + 7.5, v, method).value == pytest.approx(first, abs=1e-8 * scale)


@few
@given(studies(), st.sampled_from(METHODS), st.sampled_from([1e-4, 0.1, 1e3]))
def test_a_change_of_units_changes_tau2_by_its_square(data, method, c):
    y, v = data
    first = tau2_estimate(y, v, method).value
    assert tau2_estimate(c * y, c**2 * v, method).value == pytest.approx(c**2 * first, abs=1e-8 * c**2 * np.median(v))


@few
@given(studies(), st.sampled_from(METHODS))
def test_scalar_and_array_arithmetic_agree(data, method):
    y, v = data
    column = np.ones((y.size, 1))
    first, second = tau2_estimate(y, v, method), tau2_estimate(y, v, method, X=column)
    assert second.value == pytest.approx(first.value, rel=1e-9, abs=1e-11)
    assert second.se == pytest.approx(first.se, rel=1e-8, nan_ok=True)


@few
@given(studies(smallest=3), st.booleans())
def test_no_point_of_a_grid_beats_the_likelihood_estimate(data, restricted):
    y, v = data
    design = Design(y, v)
    found = tau2_estimate(y, v, "REML" if restricted else "ML").value
    best = log_likelihood(design, found, restricted=restricted)
    for t in np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 60)]):
        assert log_likelihood(design, float(t), restricted=restricted) <= best + 1e-9


@few
@given(studies(smallest=4), st.sampled_from([1, 2]))
def test_regression_tau2_ignores_how_the_design_is_coded(data, shift):
    y, v = data
    x = np.column_stack([np.ones(y.size), np.arange(y.size) % 2])
    other = x @ np.array([[2.0, 1.0], [shift, -1.0]])
    for method in METHODS:
        a, b = (tau2_estimate(y, v, method, X=design).value for design in (x, other))
        assert b == pytest.approx(a, rel=1e-8, abs=1e-10)


@few
@given(studies())
def test_doubling_the_studies_keeps_the_common_effect_and_halves_its_variance(data):
    y, v = data
    once, twice = mg.metagen(y, np.sqrt(v)), mg.metagen(np.tile(y, 2), np.sqrt(np.tile(v, 2)))
    assert twice.TE_common == pytest.approx(once.TE_common, abs=1e-12)
    assert twice.seTE_common == pytest.approx(once.seTE_common / np.sqrt(2), rel=1e-12)
    assert pytest.approx(2 * once.Q, rel=1e-9, abs=1e-12) == twice.Q


@few
@given(studies())
def test_merging_two_studies_keeps_the_common_effect(data):
    y, v = data
    w = 1 / v
    merged_y = np.append(y[2:], (w[:2] @ y[:2]) / w[:2].sum())
    merged_v = np.append(v[2:], 1 / w[:2].sum())
    assert mg.metagen(merged_y, np.sqrt(merged_v)).TE_common == pytest.approx(
        mg.metagen(y, np.sqrt(v)).TE_common, abs=1e-12
    )


@few
@given(studies(smallest=3), st.sampled_from(["REML", "DL", "PM", "SJ"]), st.sampled_from(["classic", "HK"]))
def test_limits_bracket_and_ranges_hold(data, method, interval):
    y, v = data
    m = mg.metagen(y, np.sqrt(v), method_tau=method, method_random_ci=interval, method_tau_ci="QP")
    assert m.lower_random <= m.TE_random <= m.upper_random
    assert m.lower_predict <= m.TE_random <= m.upper_predict
    assert 0 <= m.lower_tau2 <= m.upper_tau2
    assert 0 <= m.lower_I2 <= m.I2 <= m.upper_I2 < 1
    assert 0 <= m.lower_Rb <= m.Rb <= m.upper_Rb <= 1
    assert y.min() <= m.TE_random <= y.max()
    assert m.w_random.sum() <= m.w_common.sum() * (1 + 1e-12)


@few
@given(studies(smallest=3))
def test_likelihood_limits_hold_their_estimate(data):
    y, v = data
    for method, ci in (("REML", "PL"), ("ML", "PL")):
        m = mg.metagen(y, np.sqrt(v), method_tau=method, method_tau_ci=ci)
        assert m.lower_tau2 <= m.tau2 <= m.upper_tau2
    for ci in ("J", "BJ"):
        m = mg.metagen(y, np.sqrt(v), method_tau="DL", method_tau_ci=ci)
        assert 0 <= m.lower_tau2 <= m.upper_tau2


@few
@given(st.integers(1, 60), st.floats(0, 1), st.sampled_from(["PLN", "PLOGIT", "PAS", "PFT", "PRAW"]))
def test_proportions_come_back(n, share, sm):
    event = round(share * n)
    m = mg.metaprop([event], [n], sm=sm, method="Inverse")
    added = m.incr_event[0]
    size = n + (2 * added if sm in ("PLOGIT",) else added)
    wanted = event / n if sm in ("PAS", "PFT", "PRAW") else (event + added) / size
    assert m.back.TE[0] == pytest.approx(wanted, abs=1e-7)
    assert m.back.TE_random == pytest.approx(wanted, abs=1e-7)


@few
@given(st.floats(0.01, 5.0), st.floats(0.5, 500.0))
def test_freeman_tukey_rates_come_back(rate, time):
    x = 0.5 * (np.sqrt(rate) + np.sqrt(rate + 1 / time))
    assert SCALES["IRFT"].back(np.array([x]), np.array([time]))[0] == pytest.approx(rate, rel=1e-9)


@few
@given(st.floats(0, 1), st.integers(1, 10_000))
def test_double_arcsine_is_inverted_at_its_own_n(p, n):
    x = double_arcsine(np.array([p * n]), np.array([float(n)]))
    assert SCALES["PFT"].back(x, np.array([float(n)]))[0] == pytest.approx(p, abs=2e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("interval", ["classic", "HK"])
def test_many_equal_one_by_one(method, interval):
    rng = np.random.default_rng(4)
    v = 10 ** rng.uniform(-2, 0, (40, 7))
    y = rng.normal(0.2, np.sqrt(v + 0.1))
    y[::3, 2] = np.nan
    y[5, 1:] = np.nan
    many = mg.pool_many(y, v, method_tau=method, method_random_ci=interval)
    names = ["TE_common", "seTE_common", "lower_common", "upper_common", "pval_common", "TE_random", "seTE_random",
             "lower_random", "upper_random", "pval_random", "df_random", "tau2", "Q", "df_Q", "pval_Q", "H", "I2",
             "lower_predict", "upper_predict"]  # fmt: skip
    for i in range(len(y)):
        here = np.isfinite(y[i])
        one = mg.metagen(y[i][here], np.sqrt(v[i][here]), method_tau=method, method_random_ci=interval)
        for name in names:
            found, wanted = getattr(many, name)[i], getattr(one, name)
            assert found == pytest.approx(wanted, rel=1e-10, abs=1e-12, nan_ok=True), (i, name)


def test_many_without_studies_and_with_bad_variances():
    many = mg.pool_many([[np.nan, np.nan], [0.1, 0.2]], [[1.0, 1.0], [0.1, 0.2]])
    assert many.k.tolist() == [0, 2]
    assert np.isnan(many.TE_random[0]) and np.isfinite(many.TE_random[1])
    assert "1 without studies" in many.summary()
    with pytest.raises(mg.DataError, match="row 1, study 0"):
        mg.pool_many([[0.1], [0.2]], [[1.0], [0.0]])
    with pytest.raises(mg.UnknownName, match="GENQ"):
        mg.pool_many([[0.1]], [[1.0]], method_tau="GENQ")


@few
@given(studies(smallest=2), st.sampled_from(["REML", "ML"]), st.sampled_from([1.0, 1e-8]))
def test_plain_and_compiled_arithmetic_agree(data, method, giant):
    from metagrove.pooling.compiled import kernels

    y, v = data
    v = np.append(v[:-1], v[-1] * giant)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metagrove.pooling.tau2.loaded", lambda: None)
        plain = mg.metagen(y, np.sqrt(v), method_tau=method)
    kernels()
    quick = mg.metagen(y, np.sqrt(v), method_tau=method)
    for name in ("tau2", "se_tau2", "TE_common", "seTE_common", "TE_random", "seTE_random", "Q", "lower_random"):
        assert getattr(quick, name) == pytest.approx(getattr(plain, name), rel=1e-11, abs=1e-14), name


def test_a_result_is_the_same_after_pickling_and_after_questions():
    import pickle

    m = mg.metagen([0.1, 0.4, 0.3], [0.2, 0.1, 0.3])
    before = pickle.loads(pickle.dumps(m))
    first = m.to_json()
    after = pickle.loads(pickle.dumps(m))
    assert before.to_json() == first == after.to_json() == m.to_json()
