"""Selection models: the reference, the likelihood against independent quadrature, laws and refusals."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import metagrove as mg
from bias_reference import expected, listed, mismatches
from metagrove.core.errors import MethodError, UnknownName
from metagrove.pooling.bias.descent import lowest_point
from metagrove.pooling.bias.funnel_data import funnel_data
from metagrove.pooling.bias.selection import selection_model
from metagrove.pooling.bias.selection_functions import SELECTION_FUNCTIONS, step_function
from metagrove.pooling.bias.selection_likelihood import selection_likelihood

CASE = "selmodel_hackshaw1998"
BLOCKS = expected(CASE)["expected"]
STEPS = {
    "step_025": 0.025,
    "step_025_05_50": (0.025, 0.1, 0.5),
    "step_fixed_delta": (0.005, 0.01, 0.05, 0.1, 0.25, 0.35, 0.5, 0.65, 0.75, 0.9, 0.95, 0.99, 0.995, 1),
}
FITTED = [block for block in BLOCKS if block != "ML_unadjusted"]


def data():
    values = expected(CASE)["data"]
    return np.array(values["yi"]), np.array(values["vi"])


@pytest.fixture(scope="module")
def fits():
    model = mg.rma(*data(), method="ML")
    found = {}
    for block in FITTED:
        if block in STEPS:
            delta = BLOCKS[block]["delta"] if block == "step_fixed_delta" else None
            found[block] = mg.selmodel(model, "stepfun", steps=STEPS[block], delta=delta)
        else:
            found[block] = mg.selmodel(model, block)
    return found


@pytest.mark.parametrize("block", FITTED)
def test_reference(block, fits):
    """Tolerance 1e-3, as the reference's README says."""
    assert mismatches(CASE, block, fits[block], 1e-3) == []


@pytest.mark.parametrize("block", FITTED)
def test_likelihoods_are_at_least_the_peers(block, fits):
    assert fits[block].ll >= BLOCKS[block]["ll"] - 1e-8


@pytest.mark.parametrize("block", ["halfnorm", "power", "beta"])
def test_listed_values_are_near(block, fits):
    for key in listed(CASE, block):
        if key in ("pval", "ci_lb"):
            continue
        assert np.asarray(getattr(fits[block], key), float) == pytest.approx(BLOCKS[block][key], rel=0.07)


def log_likelihood(weight, mu, tau2, p_min=0.0):
    """The selection log-likelihood by adaptive quadrature, one study at a time."""
    total = 0.0
    for y, v in zip(*data(), strict=True):
        s, spread = np.sqrt(v), np.sqrt(v + tau2)

        def p(x, s=s):
            return np.clip(norm.sf(x / s), p_min, 1 - p_min)

        edges = np.unique(
            np.clip(
                [mu - 12 * spread, *np.linspace(-5, 5, 11) * s, mu + 12 * spread], mu - 12 * spread, mu + 12 * spread
            )
        )
        if p_min:
            edges = np.unique([*edges, -norm.isf(p_min) * s, norm.isf(p_min) * s])
        area = sum(
            quad(lambda x: weight(p(x)) * norm.pdf(x, mu, spread), a, b, epsabs=1e-13, epsrel=1e-12)[0]  # noqa: B023
            for a, b in itertools.pairwise(edges)
        )
        total += norm.logpdf(y, mu, spread) + np.log(weight(p(y))) - np.log(area)
    return total


WEIGHTS = {
    "halfnorm": lambda d: lambda p: np.exp(-d[0] * p**2),
    "negexp": lambda d: lambda p: np.exp(-d[0] * p),
    "logistic": lambda d: lambda p: 2 * np.exp(-d[0] * p) / (1 + np.exp(-d[0] * p)),
    "power": lambda d: lambda p: (1 - p) ** d[0],
    "beta": lambda d: lambda p: p ** (d[0] - 1) * (1 - p) ** (d[1] - 1),
    "negexppow": lambda d: lambda p: np.exp(-d[0] * p ** (1 / d[1])),
}


@pytest.mark.parametrize("code", WEIGHTS)
def test_likelihood_is_that_of_independent_quadrature(code):
    delta = [1.7, 1.2][: len(SELECTION_FUNCTIONS[code].null)]
    y, v = data()
    ours = selection_likelihood(y, v, np.ones((37, 1)), SELECTION_FUNCTIONS[code])
    value = ours.value(np.array([0.15]), 0.03, np.array(delta))[0]
    peer = log_likelihood(WEIGHTS[code](delta), 0.15, 0.03, SELECTION_FUNCTIONS[code].p_min)
    assert value == pytest.approx(peer, abs=1e-8)


def test_half_normal_errors():
    """Standard errors of the half-normal model from second differences of the independent likelihood."""
    fit = mg.selmodel(mg.rma(*data(), method="ML"), "halfnorm")
    theta, h = np.array([fit.b[0], fit.tau2, fit.delta[0]]), np.array([1e-3, 1e-4, 1e-2])
    y, v = data()
    z = np.linspace(-12, 12, 4001)  # the trapezoid rule on a smooth peak converges faster than any power

    def value(x):
        spread = np.sqrt(v + x[1])
        grid = x[0] + spread[:, None] * z
        weight = np.exp(-x[2] * norm.sf(grid / np.sqrt(v)[:, None]) ** 2)
        area = (weight * norm.pdf(z)).sum(axis=1) * (z[1] - z[0])
        seen = -x[2] * norm.sf(y / np.sqrt(v)) ** 2
        return float((norm.logpdf(y, x[0], spread) + seen - np.log(area)).sum())

    assert value(theta) == pytest.approx(fit.ll, abs=1e-9)

    hessian = np.empty((3, 3))
    for i in range(3):
        for j in range(i + 1):
            a, b = np.eye(3)[i] * h, np.eye(3)[j] * h
            four = value(theta + a + b) - value(theta + a - b) - value(theta - a + b) + value(theta - a - b)
            hessian[i, j] = hessian[j, i] = four / (4 * h[i] * h[j])
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    assert [fit.se[0], fit.se_tau2, fit.se_delta[0]] == pytest.approx(errors, rel=1e-3)


@pytest.mark.parametrize("code", [*WEIGHTS, "stepfun"])
@pytest.mark.parametrize("alternative", ["greater", "less", "two.sided"])
def test_gradients(code, alternative):
    function = step_function((0.05, 0.5)) if code == "stepfun" else SELECTION_FUNCTIONS[code]
    y, v = data()
    X = np.column_stack((np.ones(37), np.linspace(-1, 1, 37)))
    threshold = 0.1 if code in ("halfnorm", "power") else None
    prec = np.sqrt(v / v.max())
    ours = selection_likelihood(y, v, X, function, alternative=alternative, threshold=threshold, prec=prec)
    theta = np.array([0.2, 0.05, 0.04, *np.linspace(1.3, 0.6, len(function.null))])

    def at(x):
        value, by_b, by_tau2, by_delta = ours.value(x[:2], x[2], x[3:])
        return value, np.array([*by_b, by_tau2, *by_delta])

    gradient = at(theta)[1]
    for i in range(theta.size):
        step = 1e-6 * np.eye(theta.size)[i]
        slope = (at(theta + step)[0] - at(theta - step)[0]) / 2e-6
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=2e-6)


def test_no_selection_is_the_plain_model():
    y, v = data()
    plain = mg.rma(y, v, method="ML")
    fit = mg.selmodel(plain, "halfnorm", delta=0)
    assert fit.b == pytest.approx(plain.b, rel=1e-6)
    assert fit.tau2 == pytest.approx(plain.tau2, rel=1e-5)
    assert abs(fit.LRT) < 1e-8 and fit.LRTp is None
    flat = mg.selmodel(plain, "stepfun", steps=0.025, delta=[1, 1])
    assert flat.ll == pytest.approx(fit.ll)


def test_mirrored_data_mirror_the_model():
    y, v = data()
    for code, kw in (("negexp", {}), ("stepfun", {"steps": 0.025})):
        there = mg.selmodel(y, code, vi=v, **kw)
        back = mg.selmodel(-y, code, vi=v, alternative="less", **kw)
        assert back.b == pytest.approx(-there.b, rel=1e-4)
        assert back.delta == pytest.approx(there.delta, rel=1e-4)
        assert back.ll == pytest.approx(there.ll, abs=1e-8)


def test_units_do_not_matter():
    y, v = data()
    one, other = (mg.selmodel(u * y, "negexp", vi=u * u * v) for u in (1.0, 1e-7))
    assert 1e7 * other.b == pytest.approx(one.b, rel=1e-4)
    assert 1e7 * other.se == pytest.approx(one.se, rel=1e-2)  # tau² below 1e-4 counts as 0, as in metafor
    assert other.delta == pytest.approx(one.delta, rel=1e-4)
    assert abs(other.LRT - one.LRT) < 1e-6


def test_order_does_not_matter():
    y, v = data()
    order = np.random.default_rng(0).permutation(37)
    one, other = (mg.selmodel(a, "logistic", vi=b) for a, b in ((y, v), (y[order], v[order])))
    assert one.b == pytest.approx(other.b, rel=1e-5)


def test_selection_in_simulated_data_is_found():
    rng = np.random.default_rng(11)
    se = rng.uniform(0.1, 0.5, 900)
    y = rng.normal(0.1, np.sqrt(se**2 + 0.02))
    seen = (norm.sf(y / se) < 0.025) | (rng.random(900) < 0.2)
    fit = mg.selmodel(y[seen], "stepfun", vi=se[seen] ** 2, steps=0.025)
    assert fit.b[0] == pytest.approx(0.1, abs=0.06)
    assert fit.delta[1] == pytest.approx(0.2, abs=0.12)
    assert fit.LRTp < 1e-4


def test_moderators_and_equal_effects_are_kept():
    y, v = data()
    x = np.linspace(-1, 1, 37)
    fit = mg.selmodel(mg.rma(y, v, mods=x, method="ML"), "negexp")
    assert fit.b.size == 2 and fit.coef_names[0] == "intrcpt"
    equal = mg.selmodel(mg.rma(y, v, method="EE"), "negexp")
    assert equal.tau2 == 0 and equal.se_tau2 is None and equal.LRT_tau2 is None


def test_precision_and_threshold():
    y, v = data()
    by_size = mg.selmodel(y, "halfnorm", vi=v, prec="sei")
    assert np.isfinite(by_size.ll)
    unscaled = mg.selmodel(y, "halfnorm", vi=v, prec="sei", scaleprec=False)
    assert unscaled.ll == pytest.approx(by_size.ll, abs=1e-6)
    assert unscaled.delta[0] * np.sqrt(v).max() == pytest.approx(by_size.delta[0], rel=1e-3)
    kept = mg.selmodel(y, "negexp", vi=v, steps=0.05)
    assert kept.ptable == (int((norm.sf(y / np.sqrt(v)) <= 0.05).sum()), int((norm.sf(y / np.sqrt(v)) > 0.05).sum()))
    with pytest.raises(MethodError, match="sample size"):
        mg.selmodel(y, "halfnorm", vi=v, prec="ninv")
    with pytest.raises(MethodError, match="sei, vi, ninv"):
        mg.selmodel(y, "halfnorm", vi=v, prec="z")


def test_refusals():
    y, v = data()
    with pytest.raises(UnknownName, match="stepfun"):
        mg.selmodel(y, "weibull", vi=v)
    with pytest.raises(UnknownName, match=r"two\.sided"):
        mg.selmodel(y, "beta", vi=v, alternative="both")
    with pytest.raises(MethodError, match="at least one cut point"):
        mg.selmodel(y, "stepfun", vi=v)
    with pytest.raises(MethodError, match="no study has a p-value up to"):
        mg.selmodel(-np.abs(y), "stepfun", vi=v, steps=0.025)
    with pytest.raises(MethodError, match="between 0 and 1"):
        mg.selmodel(y, "stepfun", vi=v, steps=[-0.1, 0.5])
    with pytest.raises(MethodError, match="3 values of delta"):
        mg.selmodel(y, "stepfun", vi=v, steps=0.025, delta=[1, 1, 1])
    with pytest.raises(MethodError, match="not negative"):
        mg.selmodel(y, "halfnorm", vi=v, delta=-1)
    with pytest.raises(MethodError, match="needs more studies"):
        mg.selmodel(y[:3], "halfnorm", vi=v[:3])
    with pytest.raises(MethodError, match="takes one"):
        mg.selmodel(y, "halfnorm", vi=v, steps=[0.05, 0.1])


def test_empty_intervals_are_said_aloud():
    y, v = data()
    fit = mg.selmodel(y, "stepfun", vi=v, steps=[0.025, 0.985, 0.99])
    assert 0 in fit.ptable and "runs to 0" in fit.notes[0] and fit.notes[0] in fit.summary()


def test_result_shows_itself(fits):
    fit = fits["step_025_05_50"]
    assert "cut points 0.025, 0.1, 0.5, 1" in str(fit.explain())
    assert [row["term"] for row in fit.rows()][:2] == ["intrcpt", "tau2"]
    assert fit.zval_delta[0] is None and fit.pval_delta[1] is not None
    assert "Selection: LRT" in fit.summary()
    assert "beta function" in str(fits["beta"].explain())


def test_extremes_give_a_number_or_a_refusal():
    for y, v in (
        (np.full(12, 0.4), np.linspace(0.01, 0.2, 12)),
        (np.linspace(1, 9, 12), np.full(12, 0.01)),
        (np.linspace(-1, 1, 12), 10.0 ** np.linspace(-6, 6, 12)),
    ):
        for code in ("halfnorm", "beta", "logistic"):
            try:
                fit = selection_model(funnel_data(y, v), code)
            except (MethodError, ArithmeticError) as refusal:
                assert str(refusal)
            else:
                assert np.isfinite(fit.ll) and np.isfinite(fit.b).all() and np.isfinite(fit.se).all()


def test_descent_finds_bounded_minima():
    def rosenbrock(x):
        a, b = 1 - x[0], x[1] - x[0] ** 2
        return a * a + 100 * b * b, np.array([-2 * a - 400 * x[0] * b, 200 * b])

    free = np.full(2, np.inf)
    point, value = lowest_point(rosenbrock, np.array([-1.2, 1.0]), -free, free)
    assert point == pytest.approx([1, 1], abs=1e-6) and value < 1e-12
    held, _ = lowest_point(rosenbrock, np.array([-1.2, 1.0]), -free, np.array([0.5, 5.0]))
    assert held == pytest.approx([0.5, 0.25], abs=1e-6)
    assert all("doi:" in SELECTION_FUNCTIONS.entry(code).cite for code in SELECTION_FUNCTIONS)
