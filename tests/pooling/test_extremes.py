"""Extremes give a number or a named refusal: never a silent NaN, never a hang."""

import numpy as np
import pytest
from scipy import special

import metagrove as mg
from metagrove.pooling.tau2 import TAU2, Design, tau2_estimate

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


GIANTS = [([2.35, -0.70, -0.45], [1e-10, 1, 1]), ([0.1, 0.5, -0.4, 0.2], [1e-14, 0.3, 0.4, 0.5])]


@pytest.mark.parametrize(("y", "v"), GIANTS)
def test_questions_about_one_giant_study(y, v):
    fit = mg.rma(y, v)
    assert np.isfinite(fit.se_tau2)
    assert 0 <= fit.regtest().pval <= 1 and 0 <= fit.regtest(predictor="vi").pval <= 1
    assert fit.trimfill().k0 >= 0
    assert 0 <= mg.rma(y, v, mods=np.arange(float(len(y)))).QM_p <= 1
    assert fit.outliers() is not None


@pytest.mark.parametrize("share", [0.5, 1e-4, 1e-8, 1e-12])
def test_traces_with_one_giant_study(share):
    # With three studies and an intercept tr(P) and tr(PP) follow from the other two and the giant's pull on them.
    v = np.array([share, 1.0, 2.0])
    w = 1 / v
    design = Design(np.array([0.3, -0.2, 0.5]), v, np.ones((3, 1)))
    pr = design.at(w)
    rest = [w[(np.arange(3) != i)].sum() for i in range(3)]
    slack = np.array(rest) / w.sum()
    assert pr.slack == pytest.approx(slack, rel=1e-7)
    assert pr.trace() == pytest.approx(float(w @ slack), rel=1e-7)
    pairs = np.outer(w, w) / w.sum()
    np.fill_diagonal(pairs, w * slack)
    assert pr.trace2() == pytest.approx(float((pairs**2).sum()), rel=1e-7)


def test_diagnostics_that_do_not_exist_are_refused():
    with pytest.raises(mg.MethodError, match="more studies than coefficients"):
        mg.rma([0.3], [0.1]).influence()
    with pytest.raises(mg.MethodError, match="all effects are equal"):
        mg.metagen([0.3] * 5, [0.1] * 5, method_random_ci="HK").influence()


def test_leaving_out_among_effects_apart_by_nine_orders():
    left = mg.metagen([-1e6, 1e6, 0.0], [1e-3] * 3).leave_one_out()
    assert left.TE == pytest.approx([5e5, -5e5, 0], abs=1)
    assert (left.I2_tau2 > 0.999).all()


def test_equal_effects_in_a_multilevel_model():
    fit = mg.rma_mv([0.3] * 4, [0.1, 0.2, 0.3, 1e-6], random="~ 1 | lab", data={"lab": [0, 1, 2, 3]})
    assert fit.b[0] == pytest.approx(0.3) and fit.sigma2[0] == pytest.approx(0, abs=1e-6)


def test_a_singular_sampling_covariance_leaves_the_model_and_says_so():
    # As metafor: estimates stand, QE does not exist.
    V = np.diag([0.1, 0.1, 0.2, 0.3, 0.1])
    V[0, 1] = V[1, 0] = 0.1
    fit = mg.rma_mv([0.1, 0.3, 0.5, -0.2, 0.4], V, random="~ 1 | i", data={"i": range(5)})
    assert np.isfinite(fit.b[0]) and np.isnan(fit.QE) and np.isnan(fit.QE_p)
    assert "V is singular" in fit.summary()
    with pytest.raises(mg.MethodError, match="V is singular"):
        fit.I2  # noqa: B018


@pytest.mark.parametrize("data", [{"measure": "OR", "ai": [3], "n1i": [9], "ci": [4], "n2i": [11]}])
def test_one_table_with_random_levels(data):
    fit = mg.rma_glmm(**data, model="UM.RS")
    assert (fit.QE_Wld, fit.QE_LRT) == (0, 0) and "LRT 0.00" in fit.summary()


CLUSTERED = {
    "y": [0.1, 0.4, 0.3, 0.9, -0.2, 0.2, 0.5, 0.7, 0.1, 0.6],
    "v": [0.05, 0.1, 0.08, 0.04, 0.1, 0.2, 0.1, 0.07, 0.09, 0.1],
    "cluster": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
}


@pytest.mark.parametrize("club", [False, True])
def test_a_coefficient_of_one_cluster_has_no_robust_error(club):
    fit = mg.rma(CLUSTERED["y"], CLUSTERED["v"], mods="~ 0 + g", data={"g": list("aabbbbbbbb")})
    with pytest.raises(mg.MethodError, match="'ga' rests on one cluster"):
        fit.robust(CLUSTERED["cluster"], clubSandwich=club)


def test_coefficients_that_cannot_be_tested_together_keep_their_own_tests():
    # Levels b and c share their clusters pairwise, so two scores vary only along one line.
    x = {"g": list("abcabcabcabc"), "y": [0.1, 0.5, 0.2, 0.3, 0.9, 0.4, -0.1, 0.3, 0.6, 0.2, 0.1, 0.8]}
    fit = mg.rma("y", [0.1] * 12, mods="~ g + h", data=x | {"h": [0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0]})
    found = fit.robust(np.repeat([1, 2, 3, 4, 5, 6], 2), clubSandwich=True)
    assert (found.se > 0).all() and np.isfinite(found.pval).all()
    assert np.isfinite(found.QM) or "cannot test these coefficients together" in found.summary()


def test_a_study_that_a_coefficient_rests_on_has_no_standardised_residual_and_says_why():
    fit = mg.rma([0.1, 0.4, 0.3, 0.9], [0.1] * 4, mods="~ g", data={"g": list("abbb")}, slab=list("wxyz"))
    found = fit.rstandard()
    assert np.isnan(found.z).tolist() == [True, False, False, False]
    assert found.reasons == ("w: fitted exactly, as a coefficient rests on it alone",)


@pytest.mark.parametrize("ci", ["J", "BJ"])
def test_effects_that_differ_by_a_million_errors_have_limits_of_tau2(ci):
    y = np.array([2.7, -16.9, -13.7, 3.8, 19.6, -3.7, 6.2, -4.3])
    m = mg.metagen(y, np.full(8, 6e-6), method_tau_ci=ci)
    crude = float(np.var(y, ddof=1))
    # without sampling error the limits are those of a variance of normal values
    assert m.lower_tau2 == pytest.approx(7 * crude / special.chdtri(7, 0.025), rel=1e-8)
    assert m.upper_tau2 == pytest.approx(7 * crude / special.chdtri(7, 0.975), rel=1e-8)


@pytest.mark.parametrize("v", [[1e-12, 0.3, 0.4, 0.5], [1e-12, 1e-12, 1.0, 1.0], [1e-7, 1e5, 1e9]])
def test_kenward_roger_next_to_giants(v):
    m = mg.metagen(np.linspace(0, 1, len(v)), np.sqrt(v), method_random_ci="KR", tau_preset=0)
    assert m.seTE_random > 0 and m.lower_random < m.TE_random < m.upper_random


def test_h_stays_finite_where_i2_rounds_to_one():
    m = mg.metagen([0.0, 10.0, -4.0], [1e-9, 2e-9, 1e-9], method_I2="tau2")
    assert m.I2 == pytest.approx(1, abs=1e-12) and 1e9 < m.H < 1e11


def test_a_group_of_equal_effects_fixes_the_mean_of_the_groups():
    y, group = [0.1, 0.1, 0.5, 0.9, 0.4], list("aabbb")
    m = mg.metagen(y, [0.2, 0.3, 0.2, 0.3, 0.2], subgroup=group, method_random_ci="HK", method_tau="DL")
    te, se = m.TE_random_w, m.seTE_random_w
    assert se[0] == pytest.approx(0, abs=1e-12) and m.Q_b_random > 0
    exact = mg.metagen([0.25, 0.25, 0.5, 0.9, 0.4], [0.5, 0.5, 0.2, 0.3, 0.2], subgroup=group, method_random_ci="HK")
    te, se = exact.TE_random_w, exact.seTE_random_w
    assert se[0] == 0 and exact.Q_b_random == pytest.approx(((te[1] - te[0]) / se[1]) ** 2)


def test_studies_without_an_error_are_named():
    m = mg.metaprop([4, 9, 5], [9, 9, 12], sm="PLN", method="Inverse", incr=0)
    assert m.excluded == (("2", "the standard error is 0, not above 0"),)
    with pytest.raises(mg.DataError, match="1: the effect does not exist on this scale"):
        mg.metaprop([0, 0], [7, 14], sm="PLN", method="Inverse", incr=0)
    with pytest.raises(mg.DataError, match="the standard error is infinite"):
        mg.metagen([0.1], [np.inf])


def test_no_events_at_all_leave_a_rate_difference_without_an_error():
    found = mg.rma_mh(measure="IRD", x1i=[0, 0], t1i=[17, 17], x2i=[0, 0], t2i=[1, 1])
    assert (found.b, found.se, found.zval, found.pval) == (0, 0, 0, 1)


OPTIONS = {
    "method_tau": ["REML", "DL", "PM", "ML", "SJ", "HE", "HS", "HSk", "EB", "PMM", "DL2"],
    "method_tau_ci": ["QP", "J", "BJ", "PL"],
    "method_random_ci": ["classic", "HK", "KR"],
    "adhoc_hakn_ci": ["", "se", "ci", "IQWiG6"],
    "method_predict": ["V", "HTS", "HK", "HK-PR", "KR", "KR-PR", "S"],
    "method_I2": ["Q", "tau2"],
    "tau_common": [True, False],
    "tau_preset": [None, 0, 0.3],
    "level_ma": [0.95, 0.5, 0.999],
}
DOORS = ["metagen", "metaprop", "metarate", "metabin", "metainc", "metacont", "metamean"]


def random_effects_table(rng, k):
    kinds = {
        "wild": lambda: 10 ** rng.uniform(-6, 6, k),
        "giant": lambda: np.where(np.arange(k) == 0, 1e-12, rng.uniform(0.1, 1, k)),
        "equal": lambda: np.full(k, 0.04),
        "tiny": lambda: rng.uniform(1e-14, 1e-10, k),
    }
    kind = rng.choice(list(kinds))
    v = kinds[kind]()
    return (np.full(k, 0.3) if kind == "equal" else rng.normal(0, np.sqrt(v + rng.choice([0.0, 1.0, 100.0])))), v


def random_counts(rng, k):
    n = rng.integers(1, 60, k).astype(float)
    kind = rng.choice(["none", "all", "one", "mixed", "large", "separated"])
    n = np.ones(k) if kind == "one" else (np.ceil(10 ** rng.uniform(3, 7, k)) if kind == "large" else n)
    x = rng.binomial(n.astype(int), rng.beta(0.4, 1.5, k)).astype(float)
    fixed = {"none": np.zeros(k), "all": n, "separated": np.where(np.arange(k) % 2 == 0, n, 0.0)}
    return fixed.get(kind, x), n


def random_call(rng):
    """A door, its data and options, drawn from what is extreme."""
    k, door = int(rng.choice([0, 1, 1, 2, 2, 3, 4, 7])), str(rng.choice(DOORS))
    keep = [name for name in OPTIONS if rng.random() < 0.4]
    options = {name: OPTIONS[name][rng.integers(len(OPTIONS[name]))] for name in keep}
    if rng.random() < 0.3 and k:
        options["subgroup"] = [str(rng.choice(list("ab"))) for _ in range(k)]
    (y, v), (x, n), (x2, n2) = random_effects_table(rng, k), random_counts(rng, k), random_counts(rng, k)
    if door == "metagen":
        return door, (y, np.sqrt(v)), options
    if door == "metaprop":
        return door, (x, n), options | {"sm": str(rng.choice(SMS)), "incr": float(rng.choice([0.5, 0.0]))}
    if door == "metarate":
        return door, (x, n), options | {"sm": str(rng.choice(["IR", "IRLN", "IRS", "IRFT"]))}
    if door == "metabin":
        method = str(rng.choice(["MH", "Inverse", "Peto", "GLMM"]))
        return door, (x, n, x2, n2), options | {"sm": str(rng.choice(["OR", "RR", "RD"])), "method": method}
    if door == "metainc":
        return door, (x, n, x2, n2), options | {"sm": "IRR", "method": str(rng.choice(["MH", "Inverse", "GLMM"]))}
    sd = np.where(rng.random(k) < 0.1, 0.0, 10 ** rng.uniform(-3, 3, k))
    if door == "metamean":
        return door, (n, y, sd), options
    return door, (n, y, sd, n2, y[::-1] + 0.1, sd[::-1]), options | {"sm": str(rng.choice(["MD", "SMD", "ROM"]))}


@pytest.mark.parametrize("seed", range(8))
def test_any_door_with_any_option_gives_a_number_or_a_named_refusal(seed):
    rng = np.random.default_rng(seed)
    answered = 0
    for _ in range(40):
        door, data, options = random_call(rng)
        try:
            m = getattr(mg, door)(*data, **options)
            assert_numbers(m, (door, data, options))
        except mg.MetagroveError as refusal:
            assert len(str(refusal)) > 10
            continue
        answered += 1
    assert answered >= 8


def assert_numbers(m, call):
    for name in ESTIMATES:
        assert not np.isnan(getattr(m, name)), (name, call)
    for name in ("TE_common", "TE_random", "lower_random", "upper_random"):
        assert not np.isnan(getattr(m.back, name)), (name, call)
    assert m.lower_random <= m.TE_random * (1 + 1e-9 * np.sign(m.TE_random)) or np.isinf(m.TE_random), call
    if m.k > 1 and np.isfinite(m.TE_random):
        assert m.tau2 >= 0 and 0 <= m.I2 <= 1 and np.all((m.pval_Q >= 0) & (m.pval_Q <= 1)), call
    elif m.k == 1:
        assert any("One study is pooled" in note for note in m.notes), call
    assert m.summary() and m.rows() and str(m.explain())
