"""Extremes give a number or a named refusal: never a silent NaN, never a hang."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.pooling.tau2 import TAU2, tau2_estimate

METHODS = [name for name in TAU2 if name != "GENQ"]
SMS = ["PRAW", "PLN", "PLOGIT", "PAS", "PFT"]
ESTIMATES = ["TE_common", "seTE_common", "lower_common", "upper_common", "TE_random", "seTE_random", "lower_random",
             "upper_random"]  # fmt: skip


def assert_finite(m, names=ESTIMATES):
    for name in names:
        assert np.isfinite(getattr(m, name)), name


def test_no_studies():
    with pytest.raises(mg.DataError, match="the table is empty"):
        mg.metagen([], [])
    with pytest.raises(mg.DataError, match="the table is empty"):
        mg.metaprop([], [], sm="PFT")


@pytest.mark.parametrize("interval", ["classic", "HK", "KR"])
def test_one_study_keeps_its_estimate_and_says_what_is_missing(interval):
    m = mg.metagen([0.4], [0.2], method_random_ci=interval)
    assert_finite(m)
    assert m.TE_random == pytest.approx(0.4, rel=1e-15)
    assert np.isnan(m.tau2) and np.isnan(m.lower_predict) and np.isnan(m.I2)
    assert "One study is pooled: tau2, I2 and a prediction interval need two." in m.notes
    assert "One study is pooled" in m.summary()


@pytest.mark.parametrize("method", METHODS)
def test_two_studies(method):
    m = mg.metagen([0.1, 0.9], [0.2, 0.3], method_tau=method, method_tau_ci="QP")
    assert_finite(m, [*ESTIMATES, "tau2", "lower_tau2", "upper_tau2", "I2", "H", "Rb", "lower_predict"])


@pytest.mark.parametrize("sm", SMS)
@pytest.mark.parametrize("event", [[0, 0, 0], [5, 12, 1]])
def test_all_zero_and_all_full(sm, event):
    m = mg.metaprop(event, [5, 12, 1], sm=sm, method="Inverse")
    assert_finite(m)
    assert 0 <= m.back.TE_random <= 1 + 1e-12


@pytest.mark.parametrize("sm", SMS)
def test_studies_of_one_person(sm):
    assert_finite(mg.metaprop([0, 1, 1, 0], [1, 1, 1, 1], sm=sm, method="Inverse"))


@pytest.mark.parametrize("sm", ["IR", "IRLN", "IRS", "IRFT"])
def test_rates_without_events(sm):
    m = mg.metarate([0, 0], [10.0, 1e6], sm=sm)
    assert_finite(m)
    assert m.back.TE_random >= 0


@pytest.mark.parametrize("method", METHODS)
def test_variances_over_twelve_orders(method):
    v = np.geomspace(1e-6, 1e6, 9)
    rng = np.random.default_rng(2)
    for spread in (0.0, 1e-4, 1.0, 1e4):
        m = mg.metagen(rng.normal(0, np.sqrt(v + spread**2)), np.sqrt(v), method_tau=method, method_tau_ci="QP")
        assert_finite(m, [*ESTIMATES, "tau2", "lower_tau2", "upper_tau2"])


@pytest.mark.parametrize("ci", ["QP", "J", "BJ", "PL"])
def test_limits_of_tau2_over_twelve_orders(ci):
    v = np.geomspace(1e-6, 1e6, 9)
    y = np.random.default_rng(2).normal(0, np.sqrt(v + 1))
    m = mg.metagen(y, np.sqrt(v), method_tau_ci=ci)
    assert 0 <= m.lower_tau2 <= m.upper_tau2 < np.inf


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("interval", ["classic", "HK"])
def test_identical_studies(method, interval):
    m = mg.metagen([0.3] * 5, [0.1] * 5, method_tau=method, method_random_ci=interval)
    assert_finite(m)
    assert m.tau2 == 0 and pytest.approx(0, abs=1e-25) == m.Q
    assert m.TE_random == pytest.approx(0.3)


@pytest.mark.parametrize("method", METHODS)
def test_one_giant_study(method):
    m = mg.metagen([0.1, 0.5, -0.4, 0.2], [1e-7, 0.3, 0.4, 0.5], method_tau=method)
    assert_finite(m)
    assert m.TE_common == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_effects_far_from_zero(method):
    y, v = np.array([0.1, 0.5, -0.4, 0.2]), np.array([0.01, 0.03, 0.04, 0.05])
    near, far = (tau2_estimate(y + shift, v, method).value for shift in (0.0, 1e6))
    assert far == pytest.approx(near, abs=1e-8)


def test_a_row_that_scoring_alone_would_not_finish():
    rng = np.random.default_rng(1)
    v = rng.uniform(0.01, 0.2, (20_000, 6))
    y = rng.normal(0, np.sqrt(v + 0.05))
    found = mg.pool_many(y, v).tau2
    assert (found >= 0).all()


def test_too_few_studies_for_the_design():
    with pytest.raises(mg.MethodError, match="2 studies cannot give"):
        tau2_estimate(np.array([0.1, 0.2]), np.array([1.0, 1.0]), X=np.eye(2))


def test_settings_are_refused_by_name():
    with pytest.raises(mg.UnknownName, match="nearest: HK"):
        mg.metagen([0.1, 0.2], [0.1, 0.1], method_random_ci="hk")
    with pytest.raises(mg.MethodError, match="between 0 and 1"):
        mg.metagen([0.1, 0.2], [0.1, 0.1], level_ma=95)
    with pytest.raises(mg.MethodError, match="need method_tau 'REML'"):
        mg.metagen([0.1, 0.2], [0.1, 0.1], method_tau="DL", method_random_ci="KR")
    with pytest.raises(mg.MethodError, match="needs weights"):
        mg.metagen([0.1, 0.2], [0.1, 0.1], method_tau="GENQ")


#: Found by comparing with R on random data: likelihoods with a peak at 0 and a higher one away from it.
TWO_PEAKS = [
    ([0.0, 0.002, 3.0, -2.5, 2.0], [1e-5, 1e-5, 0.05, 0.05, 0.05]),
    ([0.3, 0.301, 0.299, 2.5, -1.9, 1.4], [4e-6, 4e-6, 4e-6, 0.3, 0.3, 0.3]),
]


@pytest.mark.parametrize(("y", "v"), TWO_PEAKS)
@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("with_slope", [False, True])
def test_the_higher_of_two_peaks_is_taken(y, v, method, with_slope):
    from metagrove.pooling.tau2 import Design, log_likelihood

    y, v = np.array(y), np.array(v)
    x = np.column_stack([np.ones(y.size), np.arange(y.size) % 2]) if with_slope else None
    design = Design(y, v, x)
    found = tau2_estimate(y, v, method, X=x).value
    grid = [0.0, *np.geomspace(1e-7, 100, 2000)]
    values = [log_likelihood(design, t, restricted=method == "REML") for t in grid]
    assert log_likelihood(design, found, restricted=method == "REML") >= max(values) - 1e-9
    peaks = sum(values[i] > values[i - 1] and values[i] > values[i + 1] for i in range(1, len(grid) - 1))
    assert peaks + (values[0] > values[1]) >= (1 if with_slope else 2)


def test_compiled_rows_take_the_higher_peak_too():
    for y, v in TWO_PEAKS:
        assert mg.pool_many([y], [v]).tau2[0] == pytest.approx(tau2_estimate(np.array(y), np.array(v)).value, rel=1e-9)
