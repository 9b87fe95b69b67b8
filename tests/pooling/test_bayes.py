"""Bayesian pooling against brute-force integration of the model itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

import metagrove as mg
from metagrove.pooling.bayes import bayes
from metagrove.pooling.tau_priors import COMPARISONS, RHODES_OUTCOMES, TURNER_OUTCOMES

Y, SE = np.array([-0.9, -1.6, -1.3, 0.2]), np.array([0.57, 0.44, 0.64, 0.5])
PRIORS = {
    "half-normal": lambda t: stats.halfnorm.pdf(t, scale=0.5),
    "half-Cauchy": lambda t: stats.halfcauchy.pdf(t, scale=0.5),
    "turner": lambda t: stats.lognorm.pdf(t**2, s=1.34, scale=np.exp(-3.95)) * 2 * t,
    "rhodes": lambda t: stats.t.pdf((np.log(t**2) + 3.44) / 2.59, 5) / 2.59 * 2 / t,
}


def prior(name):
    if name == "turner":
        return mg.turner_prior("all-cause mortality", "pharmacological vs. placebo / control")
    return mg.rhodes_prior() if name == "rhodes" else name


def joint(mu, t, density):
    return density(t) * np.prod(stats.norm.pdf(Y, mu, np.sqrt(SE**2 + t**2)))


@pytest.mark.parametrize("name", PRIORS)
def test_posterior_of_the_mean_against_brute_force(name):
    found = bayes(Y, SE, prior=prior(name))
    density = PRIORS[name]

    def over_tau(f):
        g = lambda x: f(np.exp(x)) * np.exp(x)  # noqa: E731
        return integrate.quad(g, -25, 8, limit=400, epsabs=0, epsrel=1e-9, points=[-5, -2, 0, 1])[0]

    mus = np.linspace(-12, 12, 4801)
    step = mus[1] - mus[0]
    inner = lambda t, m: np.sum(np.prod(stats.norm.pdf(Y[:, None], m, np.sqrt(SE**2 + t**2)[:, None]), axis=0)) * step  # noqa: E731
    near = mus[mus < -0.5]
    total = over_tau(lambda t: density(t) * inner(t, mus))
    share = over_tau(lambda t: density(t) * inner(t, near)) / total
    assert found.probability_below(float(near[-1] + step / 2)) == pytest.approx(share, abs=2e-5)
    tau_share = over_tau(lambda t: density(t) * inner(t, mus) * (t < 0.4)) / total
    assert found.tau_below(0.4) == pytest.approx(tau_share, abs=1e-4)


def test_priors_are_densities():
    for name, density in PRIORS.items():
        found = prior(name)
        log_density = (
            found.log_density if not isinstance(found, str) else mg.bayes(Y, SE, prior=found).prior.log_density
        )
        t = np.array([0.01, 0.2, 1.0, 3.0])
        assert np.exp(log_density(t)) == pytest.approx(density(t), rel=1e-12)


def test_limits_match_probabilities_and_the_grid_is_fine_enough(monkeypatch):
    found = bayes(Y, SE, prior="half-normal", scale=1.0)
    lower, upper = found.mu.limits(0.95)
    assert found.mu.below(lower) == pytest.approx(0.025, abs=1e-10)
    assert found.mu.below(upper) == pytest.approx(0.975, abs=1e-10)
    assert found.tau_below(found.tau_limits[1]) == pytest.approx(0.975, abs=1e-8)
    monkeypatch.setattr("metagrove.pooling.bayes._STEP", 0.01)
    finer = bayes(Y, SE, prior="half-normal", scale=1.0)
    assert finer.mu.quantile(0.025) == pytest.approx(lower, abs=1e-9)
    assert finer.tau_quantile(0.5) == pytest.approx(found.tau_median, abs=1e-8)


def test_a_sure_homogeneity_is_the_common_effect():
    found, common = bayes(Y, SE, prior="half-normal", scale=1e-8), mg.metagen(Y, SE)
    assert found.mu.mean == pytest.approx(common.TE_common, abs=1e-9)
    assert found.mu.limits(0.95)[0] == pytest.approx(common.lower_common, abs=1e-9)
    assert [m.mean for m in found.shrinkage] == pytest.approx([common.TE_common] * 4, abs=1e-9)


def test_one_study_keeps_its_prior_of_tau():
    found = bayes([0.3], [0.2], prior="half-Cauchy", scale=0.7)
    assert found.tau_median == pytest.approx(0.7, rel=1e-6)
    assert found.mu.quantile(0.5) == pytest.approx(0.3, abs=1e-9)


def test_marginal_likelihood_with_a_normal_prior():
    found = bayes(Y, SE, prior="half-normal", scale=0.5, mu_prior=(0.0, 2.0))

    def over_mu(t):
        cov = np.diag(SE**2 + t**2) + 4.0
        return stats.multivariate_normal.pdf(Y, np.zeros(4), cov) * stats.halfnorm.pdf(t, scale=0.5)

    wanted = integrate.quad(over_mu, 0, 6, epsrel=1e-11, points=[0.2, 0.6])[0]
    assert found.log_marginal == pytest.approx(np.log(wanted), abs=1e-8)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.sampled_from(["half-normal", "half-Cauchy"]), st.sampled_from([0.1, 1.0, 5.0]))
def test_laws(seed, name, scale):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 7))
    se = 10 ** rng.uniform(-2, 1, k)
    y = rng.normal(0, np.sqrt(se**2 + 0.3))
    order = rng.permutation(k)
    found, shuffled = (bayes(a, b, prior=name, scale=scale) for a, b in ((y, se), (y[order], se[order])))
    shifted = bayes(10 * y + 3, 10 * se, prior=name, scale=10 * scale)
    middle = found.mu.quantile(0.5)
    assert shuffled.mu.quantile(0.5) == pytest.approx(middle, abs=1e-8)
    assert shifted.mu.quantile(0.5) == pytest.approx(10 * middle + 3, abs=1e-6)
    lower, upper = found.mu.limits(0.95)
    wider = found.predictive.limits(0.95)
    assert wider[0] < lower < middle < upper < wider[1]
    assert found.weight.sum() == pytest.approx(1)
    for m, effect in zip(found.shrinkage, y, strict=True):
        assert min(found.mu.mean, effect) - 1e-9 <= m.mean <= max(found.mu.mean, effect) + 1e-9 or k > 1


def test_result_shows_itself_and_refuses_nonsense():
    m = mg.metagen(Y, SE, sm="OR", studlab=["a", "b", "c", "d"])
    found = m.bayes(mg.turner_prior("pain", COMPARISONS[1]))
    assert "log-normal" in found.explain().sentence and len(found.explain().references) == 2
    assert [row["label"] for row in found.rows()][-3:] == ["Mean effect", "New study", "tau"]
    assert "New study" in found.summary()
    with pytest.raises(mg.MethodError, match="needs three studies"):
        bayes(Y[:2], SE[:2], prior="uniform")
    with pytest.raises(mg.UnknownName, match="half-Cauchy"):
        bayes(Y, SE, prior="cauchy")
    with pytest.raises(mg.MethodError, match="contradicts"):
        mg.rhodes_prior("mental health", COMPARISONS[3])
    with pytest.raises(mg.UnknownName, match="nearest: pain"):
        mg.turner_prior("Pains", COMPARISONS[0])


@pytest.mark.parametrize("outcome", RHODES_OUTCOMES)
def test_every_listed_setting_has_a_prior(outcome):
    for area in ("other", "respiratory", "cancer"):
        for comparison in COMPARISONS[:2]:
            if (outcome, area, comparison) != ("internal / external structure-related", "cancer", COMPARISONS[0]):
                assert np.isfinite(mg.rhodes_prior(outcome, comparison, area=area).centre)
    for turner in TURNER_OUTCOMES:
        assert mg.turner_prior(turner, COMPARISONS[4]).centre > 0
