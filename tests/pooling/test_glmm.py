"""GLMMs against lme4's numbers by way of metafor and meta, against the integrals themselves, and at the extremes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

import meta_reference as ref
import metagrove as mg
from metagrove.effects.arms import PersonTimes, Proportions, Rates, Tables
from metagrove.pooling.counts.likelihoods import Binomial, Hypergeometric, Poisson
from metagrove.pooling.counts.maximum import Differences, maximum
from metagrove.pooling.counts.mixed_model import MarginalBatch, fixed_fit
from metagrove.pooling.counts.models import count_model, glmm_fit
from metagrove.pooling.counts.quadrature import Integrand, marginal_likelihood
from metagrove.pooling.counts.two_way_quadrature import TwoWayIntegrand, two_way_evaluation, two_way_marginal

SEEDS = ["seed_atc_orr", "seed_atc_dcr", "seed_atc_orr_table1_n"]
COLUMNS = {
    "prop_pritz1997": ("xi", "ni"),
    "prop_rare_crisafulli2020": ("cases", "total"),
    "prop_hannum2020": ("xi", "ni"),
}


def proportion_case(case):
    loaded = ref.expected(case)
    event, n = COLUMNS.get(case, ("event", "n"))
    return loaded["expected"].get("alternatives", loaded["expected"]), loaded["data"][event], loaded["data"][n]


@pytest.mark.parametrize("block", ["GLMM", "GLMM_HK"])
@pytest.mark.parametrize("case", [*SEEDS, *COLUMNS])
def test_proportions_as_meta_gives_them(case, block):
    blocks, event, n = proportion_case(case)
    result = mg.metaprop(event, n, method="GLMM", method_random_ci="HK" if "HK" in block else "classic")
    assert ref.compare(result, blocks[block], case=case, block=block) == []


def test_subgroups_of_proportions():
    loaded = ref.expected("prop_hannum2020")
    d = loaded["data"]
    result = mg.metaprop(d["xi"], d["ni"], method="GLMM", subgroup=d["group"])
    assert ref.compare(result, loaded["expected"]["subgroup_GLMM"], case="prop_hannum2020", block="subgroup_GLMM") == []


def test_rates_as_meta_gives_them():
    loaded = ref.expected("rate_smoking")
    d = loaded["data"]
    result = mg.metarate(d["event"], d["time"], method="GLMM")
    assert ref.compare(result, loaded["expected"]["GLMM"], case="rate_smoking", block="GLMM") == []


def test_listed_glmm_is_higher():
    blocks, event, n = proportion_case("prop_hannum2020")
    x, size = np.array(event, dtype=float)[:, None], np.array(n, dtype=float)[:, None]
    ours = mg.metaprop(event, n, method="GLMM")
    integrand = Integrand(Binomial(x, size, np.zeros_like(x)), np.ones((x.size, 1, 1)), np.ones(1), None, 7)

    def height(mu, tau2):
        return marginal_likelihood(integrand, np.array([mu]), np.sqrt(tau2)).value.sum()

    peer = blocks["GLMM"]
    assert height(ours.TE_random, ours.tau2) > height(peer["TE.random"], peer["tau2"])


def exact(log_density, mu, tau, c=1.0):
    value, _ = quad(
        lambda z: np.exp(log_density(mu + c * tau * z) - z * z / 2) / np.sqrt(2 * np.pi), -25, 25, epsabs=0, limit=200
    )
    return np.log(value)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(1, 60), st.floats(0, 1), st.floats(-3, 3), st.floats(0, 1.5))
def test_quadrature_is_the_integral(n, share, mu, tau):
    x = float(round(n * share))
    cases = [
        Binomial(np.array([[x]]), np.array([[float(n)]]), np.zeros((1, 1))),
        Poisson(np.array([[x]]), np.log(np.array([[float(n)]]))),
        Hypergeometric([min(x, 5.0)], [float(n) + 4], [9.0], [8.0]),
    ]
    for likelihood in cases:
        if isinstance(likelihood, Hypergeometric) and not likelihood.low[0] <= likelihood.a[0] <= likelihood.high[0]:
            continue

        def log_density(eta, f=likelihood):
            return float(f.value(np.array([[[eta]]]))[0, 0, 0])

        found = marginal_likelihood(
            Integrand(likelihood, np.ones((1, 1, 1)), np.ones(1), None, 41), np.array([mu]), tau
        ).value[0]
        assert found == pytest.approx(exact(log_density, mu, tau), rel=1e-7, abs=1e-7)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), min_size=2, max_size=5),
    st.floats(-2, 2),
    st.floats(0.05, 2),
    st.sampled_from([1, 3, 7]),
)
def test_gradients_are_those_of_the_approximation(rows, mu, tau, nodes):
    x, rest = (np.array(column, dtype=float)[:, None] for column in zip(*rows, strict=True))
    integrand = Integrand(Binomial(x, x + rest, np.zeros_like(x)), np.ones((len(rows), 1, 1)), np.ones(1), None, nodes)

    def total(at):
        return marginal_likelihood(integrand, np.array([at[0]]), at[1]).value.sum()

    found = marginal_likelihood(integrand, np.array([mu]), tau).gradient.sum(axis=0)
    h = 1e-5
    for j, ahead in enumerate(([h, 0.0], [0.0, h])):
        up, down = total([mu + ahead[0], tau + ahead[1]]), total([mu - ahead[0], tau - ahead[1]])
        assert found[j] == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-6)


TABLES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 15), st.integers(0, 9), st.integers(1, 15)), min_size=3, max_size=7
)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(TABLES)
def test_swapping_arms_and_order_of_studies(rows):
    a, b, c, d = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    a[0], c[1] = a[0] + 1, c[1] + 1
    keep = ~Tables(a, b, c, d).uninformative
    a, b, c, d = a[keep], b[keep], c[keep], d[keep]
    if a.size < 2 or not a.any() or not c.any():
        return
    for model in ("UM.FS", "CM.EL", "CM.AL"):
        problem = count_model(Tables(a, b, c, d), model)
        if problem.unbounded:
            continue
        one = glmm_fit(problem)
        assert one.mixed.log_likelihood >= one.fixed.log_likelihood - 1e-8
        assert one.QE_LRT >= 0 and one.mixed.tau2 >= 0
        back = glmm_fit(count_model(Tables(a[::-1], b[::-1], c[::-1], d[::-1]), model))
        assert back.mixed.beta[0] == pytest.approx(one.mixed.beta[0], abs=1e-6)
        if model != "CM.AL":  # its approximation is not symmetric in the arms
            other = glmm_fit(count_model(Tables(c, d, a, b), model))
            assert other.mixed.beta[0] == pytest.approx(-one.mixed.beta[0], abs=1e-5)
            assert other.mixed.tau2 == pytest.approx(one.mixed.tau2, abs=1e-4)


@pytest.mark.parametrize(
    ("event", "n"),
    [([0, 0, 0], [10, 12, 9]), ([10, 12, 9], [10, 12, 9]), ([0], [15]), ([1, 0], [1, 1]), ([1], [1]), ([0, 5], [9, 9])],
)
def test_extremes_of_proportions(event, n):
    result = mg.metaprop(event, n, method="GLMM")
    total, size = sum(event), sum(n)
    assert result.back.TE_common == pytest.approx(total / size)
    if total in (0, size):
        tail = 0.025 ** (1 / size)
        limit = result.back.upper_random if total == 0 else result.back.lower_random
        assert limit == pytest.approx(1 - tail if total == 0 else tail)
        assert np.isnan(result.tau2)
    else:
        assert np.isfinite([result.TE_random, result.lower_random, result.upper_random]).all()
    assert isinstance(result.summary(), str) and str(result.explain())


def test_a_subgroup_without_events_leaves_the_test_to_the_others():
    event, n = [0, 0, 4, 6, 3, 9], [10, 15, 20, 25, 21, 24]
    result = mg.metaprop(event, n, method="GLMM", subgroup=["a", "a", "b", "b", "c", "c"])
    assert result.back.TE_random_w[0] == 0 and 0.1 < result.back.upper_random_w[0] < 0.2
    assert np.isfinite(result.Q_b_random) and result.df_Q_b_random == 1


@pytest.mark.parametrize(
    "data",
    [
        (Tables([0, 0, 0], [9, 8, 7], [1, 2, 3], [9, 9, 9]), "UM.FS"),
        (Tables([0, 0, 0], [9, 8, 7], [1, 2, 3], [9, 9, 9]), "CM.EL"),
        (Tables([9, 8], [0, 0], [1, 2], [9, 9]), "CM.EL"),
        (PersonTimes([0, 0], [3, 4], [10, 10], [10, 10]), "CM.EL"),
        (PersonTimes([0, 0], [3, 4], [10, 10], [10, 10]), "UM.FS"),
        (PersonTimes([0, 0], [3, 4], [10, 10], [10, 10]), "UM.RS"),
        (Rates([0, 0], [10, 10]), ""),
        (Proportions([5, 6], [5, 6]), ""),
    ],
)
def test_what_has_no_maximum_is_refused_with_the_reason(data):
    with pytest.raises(mg.MethodError, match=r"no maximum: (one arm|nobody|everybody)"):
        glmm_fit(count_model(*data))


def test_nodes_are_honoured_and_agree_when_many():
    _, event, n = proportion_case("seed_atc_dcr")
    found = [glmm_fit(count_model(Proportions(event, n), nodes=q)).mixed for q in (1, 7, 25, 51)]
    assert [f.nodes for f in found] == [1, 7, 25, 51]
    assert abs(found[0].tau2 - found[3].tau2) > 0.01
    assert found[2].tau2 == pytest.approx(found[3].tau2, rel=1e-6)


def test_no_data_make_it_hang():
    rng = np.random.default_rng(5)
    for scale in (1.0, 1e3, 1e6):
        n = np.ceil(scale * rng.uniform(1, 50, 12))
        x = rng.binomial(n.astype(int), rng.beta(0.2, 2, 12)).astype(float)
        if 0 < x.sum() < n.sum():
            fit = glmm_fit(count_model(Proportions(x, n)))
            assert fit.mixed.iterations < 100 and np.isfinite(fit.mixed.tau2)
        fit = glmm_fit(count_model(Rates(np.maximum(x, 1), n)))
        assert np.isfinite(fit.mixed.log_likelihood)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(TABLES, st.floats(-1, 1), st.floats(0.1, 1.5), st.floats(0.1, 1.5))
def test_laplace_gradient_of_two_random_effects(rows, theta, sigma, tau):
    a, b, c, d = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    x = np.zeros((a.size, 2, 2))
    x[:, :, 0], x[:, 0, 1] = 1, 1
    likelihood = Binomial(np.column_stack([a, c]), np.column_stack([a + b, c + d]), np.zeros((a.size, 2)))
    integrand = TwoWayIntegrand(likelihood, x, np.array([0.5, -0.5]))
    at = np.array([-0.5, theta, sigma, tau])
    found, _ = two_way_evaluation(integrand, at, None)

    def total(p):
        return two_way_marginal(integrand, p[:2], p[2], p[3])[0].sum()

    assert found.value == pytest.approx(total(at), abs=1e-10)
    for j in range(4):
        h = np.zeros(4)
        h[j] = 1e-5
        assert found.shared[j] == pytest.approx((total(at + h) - total(at - h)) / 2e-5, rel=1e-5, abs=1e-6)


def test_a_second_peak_is_found():
    """Two arms whose likelihood peaks at tau = 0 and, 8 units higher, at tau = 3.3."""
    data = Tables([175, 32, 251, 1], [203, 136, 37, 63], [0, 1, 1, 3], [9, 48, 26, 3])
    found = glmm_fit(count_model(data, "UM.FS"))
    assert found.mixed.log_likelihood > found.fixed.log_likelihood + 8
    assert np.sqrt(found.mixed.tau2) == pytest.approx(3.3203, abs=1e-3)


def test_the_mirror_image_of_tau_is_no_trap():
    found = glmm_fit(count_model(PersonTimes([2, 1], [1, 2], [3, 1.5], [3, 1.5]), "CM.EL"))
    assert found.mixed.tau2 == 0 and abs(found.mixed.beta[0]) < 1e-6


def test_a_likelihood_flat_in_tau_ends_at_zero():
    found = glmm_fit(count_model(Proportions([3, 1, 1, 0, 2, 1], [3, 1, 2, 1, 2, 1])))
    assert found.mixed.tau2 == 0 and found.mixed.beta[0] == pytest.approx(np.log(4))


#: Rates whose modes at a standard deviation of 3 are far from those at 0.3, where the search for them begins.
FAR_MODES = [
    ([39, 16, 12, 639, 625, 596, 8, 32, 1], [539, 454, 379, 600, 162, 389, 302, 64, 159]),
    ([5, 154, 77, 1480], [289, 101, 335, 499]),
    ([4, 609, 19, 15, 4, 224, 3], [60, 52, 13, 9, 38, 53, 13]),
]


@pytest.mark.parametrize(("events", "time"), FAR_MODES)
def test_widely_spread_rates_are_fitted(events, time):
    problem = count_model(Rates(events, time))
    found = glmm_fit(problem).mixed
    tau = np.sqrt(found.tau2)
    best = exact_rates(events, time, found.beta[0], tau)
    for mu, sd in ((0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)):
        assert exact_rates(events, time, found.beta[0] + mu, tau + sd) < best
    assert found.log_likelihood == pytest.approx(best, abs=1e-3)


def exact_rates(events, time, mu, tau):
    """Marginal log-likelihood on a fine grid of the random effect."""
    z = np.linspace(-12, 12, 40_001)
    total = 0.0
    for x, t in zip(events, time, strict=True):
        logs = Poisson(np.array([[x]], dtype=float), np.log([[t]])).value((mu + tau * z)[None, None, :])[0, 0]
        logs = logs - z * z / 2 - 0.5 * np.log(2 * np.pi)
        top = logs.max()
        total += top + np.log(np.trapezoid(np.exp(logs - top), z))
    return total


@pytest.mark.parametrize("far", [-30.0, -3.0, 0.0, 3.0, 30.0, 300.0])
def test_modes_are_found_from_anywhere(far):
    x, t = np.array([[4.0], [609.0], [3.0]]), np.array([[60.0], [52.0], [13.0]])
    integrand = Integrand(Poisson(x, np.log(t)), np.ones((3, 1, 1)), np.ones(1), None, 7)
    near = marginal_likelihood(integrand, np.array([-0.6]), 1.0)
    found = marginal_likelihood(integrand, np.array([-0.6]), 1.0, None, np.full(3, far))
    assert found.mode == pytest.approx(near.mode, abs=1e-7) and found.value == pytest.approx(near.value, abs=1e-9)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(TABLES)
def test_central_and_forward_differences_lead_to_one_maximum(rows):
    a, b, c, d = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    tables = Tables(a + 1, b, c + 1, d)
    problem = count_model(tables, "UM.FS")
    fixed = fixed_fit(problem.integrand, problem.start, problem.own)
    ends = []
    for exact_steps in (True, False):
        surface = Differences(MarginalBatch(problem.integrand), exact_steps)
        ends.append(maximum(surface, np.append(fixed.beta, 0.7), fixed.own))
    assert ends[1].value == pytest.approx(ends[0].value, abs=1e-9)
    assert np.abs(ends[1].shared) == pytest.approx(np.abs(ends[0].shared), abs=2e-4)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=7))
def test_no_other_start_leads_higher(rows):
    x, rest = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    data = Proportions(x, x + rest + 1)
    if not x.any():
        return
    problem = count_model(data)
    found = glmm_fit(problem)
    for start in (0.15, 0.6, 1.8, 5.0):
        surface = Differences(MarginalBatch(problem.integrand), exact=True)
        other = maximum(surface, np.array([found.fixed.beta[0], start]))
        assert found.mixed.log_likelihood >= other.value - 1e-7


def test_a_test_with_t_needs_degrees_of_freedom():
    with pytest.raises(mg.MethodError, match="more studies than coefficients; here are 1 and 1"):
        mg.rma_glmm(measure="PLO", xi=[3], ni=[9], test="t")
