"""Cox's model against R survival, and what must hold for any patients."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from known import reference, reference_json
from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.survival.cox import cox
from metagrove.survival.frailty import shared_frailty
from metagrove.survival.partial_likelihood import likelihood, score_residuals

R_TWO = {
    "b": (0.328431305468, -0.212789303191),
    "se": (0.486561393034, 0.907101115359),
    "robust": (0.335345207140, 0.925820158847),
    "zph": {"km": 1.4114348401, "identity": 1.2289456980, "log": 1.9170562610, "rank": 1.4452030085},
}
CASES = [p.name for p in sorted(reference("survival/cases").iterdir()) if p.name != "sim_tiny_n8"]


def two_arms(case):
    """time, event, group: group 1 is the second arm, as the reference's contrast has it."""
    arms = reference_json(f"survival/cases/{case}/truth.json")["arms"]
    with reference(f"survival/cases/{case}/truth_ipd.csv").open() as lines:
        rows = [(float(r["time"]), int(r["event"]), arms.index(r["arm"])) for r in csv.DictReader(lines)]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("case", CASES)
def test_hazard_ratio_matches_r(case, ties):
    truth = reference_json(f"survival/cases/{case}/truth.json")
    known, fit = truth[f"cox_{ties}"], cox(*two_arms(case), ties=ties)
    # R stops its iteration at a relative change of 1e-9 in the likelihood.
    assert fit.loghr == pytest.approx(known["loghr"], rel=1e-6, abs=1e-7)
    assert fit.se == pytest.approx(known["se"], rel=1e-6)
    assert fit.hr == pytest.approx(known["hr"], rel=1e-6)
    assert fit.hr_ci == pytest.approx((known["lo"], known["hi"]), rel=1e-6)
    assert fit.loglik == pytest.approx(known["loglik"], rel=1e-11)
    assert fit.lr_test == pytest.approx(known["lrt"], rel=1e-6, abs=1e-8)
    assert fit.score_test == pytest.approx(known["score"], rel=1e-8)
    assert fit.wald_test == pytest.approx(known["wald"], abs=0.0051)  # printed with two digits


@pytest.mark.parametrize("case", CASES)
def test_proportionality_matches_r(case):
    known = reference_json(f"survival/cases/{case}/truth.json")["zph_km"]
    test = cox(*two_arms(case)).proportionality("km")
    assert (test.chisq, test.p) == pytest.approx((known["chisq"], known["p"]), rel=1e-5)


def pooled(name):
    trials = reference_json(name)["trials"]
    rows = [(*row, i) for i, trial in enumerate(trials) for row in zip(*two_arms(trial), strict=True)]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("name", ["survival/pooled_reference.json", "survival/pooled_reference_sim.json"])
def test_strata_and_clusters_match_r(name):
    known = reference_json(name)
    time, event, group, trial = pooled(name)
    layered, want = cox(time, event, group, strata=trial), known["one_stage_stratified_cox"]
    assert layered.loghr == pytest.approx(want["loghr"], rel=1e-6)
    assert layered.se == pytest.approx(want["se"], rel=1e-6)
    assert layered.loglik[1] == pytest.approx(want["loglik"], rel=1e-10)
    clustered, want = cox(time, event, group, cluster=trial), known["one_stage_unstratified_robust"]
    assert clustered.loghr == pytest.approx(want["loghr"], rel=1e-6)
    assert clustered.se == pytest.approx(want["se_robust"], rel=1e-5)
    assert clustered.clusters == len(known["trials"])


@pytest.mark.parametrize("name", ["survival/pooled_reference.json", "survival/pooled_reference_sim.json"])
def test_shared_frailty_matches_r(name):
    known = reference_json(name)["one_stage_gamma_frailty"]
    time, event, group, trial = pooled(name)
    fit = shared_frailty(time, event, group, cluster=trial, theta=known["theta"])
    # R's last outer step updates theta once more after the coefficients; with 8 trials it also drops the off-diagonal
    # of the frailties' information (its sparse form), which moves the standard error.
    assert fit.loghr == pytest.approx(np.atleast_1d(known["loghr"])[0], abs=2e-4)
    assert fit.se == pytest.approx(known["se"], rel=5e-4 if len(fit.clusters) == 5 else 0.05)
    best = shared_frailty(time, event, group, cluster=trial)
    assert best.loglik[1] >= fit.loglik[1]
    assert np.exp(best.log_frailty).mean() == pytest.approx(1, abs=1e-6)


def test_marginal_likelihood_of_a_frailty_matches_r():
    # R survival 3.5, coxph(... + frailty(trial, theta)), five simulated trials.
    time, event, group, trial = pooled("survival/pooled_reference_sim.json")
    for theta, loghr, loglik in ((0.3, -0.4001704, -1834.5576769), (1.2, -0.4076982, -1834.8841192)):
        fit = shared_frailty(time, event, group, cluster=trial, theta=theta)
        assert fit.loghr == pytest.approx(loghr, abs=1e-6)
        assert fit.loglik[1] == pytest.approx(loglik, abs=1e-5)
    # The same with frailty(trial, theta, sparse = FALSE), eight trials.
    time, event, group, trial = pooled("survival/pooled_reference.json")
    fit = shared_frailty(time, event, group, cluster=trial, theta=1.0139740682284)
    assert (fit.loghr, fit.se) == pytest.approx((-0.321632803507, 0.0542841115042), rel=2e-6)


def test_two_covariates_and_their_strata():
    # R survival 3.5: coxph(Surv(time, event) ~ a + b + strata(s)), Efron.
    time = [4, 3, 1, 1, 2, 2, 3, 5, 6, 6, 7, 8]
    event = [1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1]
    a = [0, 2, 1, 1, 1, 0, 0, 1, 2, 0, 1, 0]
    b = [0.5, 1.5, 0.3, 2.2, 1.1, 0.9, 0.2, 1.8, 0.4, 0.7, 1.3, 0.6]
    s = list("xxxxxxyyyyyy")
    fit = cox(time, event, np.column_stack((a, b)), strata=s)
    np.testing.assert_allclose(fit.b, R_TWO["b"], rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.cov)), R_TWO["se"], rtol=1e-6)
    robust = cox(time, event, np.column_stack((a, b)), strata=s, robust=True)
    np.testing.assert_allclose(np.sqrt(np.diag(robust.cov)), R_TWO["robust"], rtol=1e-6)
    for transform, chisq in R_TWO["zph"].items():
        assert fit.proportionality(transform).chisq == pytest.approx(chisq, rel=1e-5)
    with pytest.raises(MethodError, match="2 covariates"):
        _ = fit.loghr


@pytest.mark.parametrize(
    ("group", "error", "text"),
    [
        ([0, 0, 0, 0], DataError, "must vary"),
        ([0, 0, 1, math.nan], DataError, "missing for patient 4"),
        (["a", "a", "b", "b"], DataError, "code the two groups"),
        ([0, 1, 1], DataError, "4 patients"),
        ([0, 0, 0, 1], MethodError, "no event where covariate 1 is 1"),
    ],
)
def test_impossible_groups_are_refused(group, error, text):
    with pytest.raises(error, match=text):
        cox([1, 2, 3, 4], [1, 1, 1, 0], group)


def test_what_has_no_maximum_is_refused():
    with pytest.raises(MethodError, match="no patient has the event"):
        cox([1, 2], [0, 0], [0, 1])
    with pytest.raises(MethodError, match="without bound"):
        cox([1, 2, 3, 4], [1, 1, 1, 1], [4.0, 3.0, 2.0, 1.0])
    with pytest.raises(MethodError, match="say the same"):
        cox([1, 2, 3, 4], [1, 1, 1, 1], [[0, 0], [1, 2], [1, 2], [0, 0]])
    with pytest.raises(MethodError, match="1 clusters"):
        cox([1, 2, 3, 4], [1, 1, 1, 1], [0, 1, 0, 1], cluster=["a"] * 4)
    with pytest.raises(MethodError, match="drifts"):
        cox([2, 2, 3, 3], [1, 1, 0, 0], [0, 1, 0, 1]).proportionality()
    with pytest.raises(UnknownName, match="efron"):
        cox([1, 2], [1, 1], [0, 1], ties="exact")


patients = st.lists(st.tuples(st.integers(1, 8), st.booleans(), st.booleans()), min_size=8, max_size=30)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(patients, st.sampled_from(["efron", "breslow"]))
def test_laws(rows, ties):
    time, event, group = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    try:
        fit = cox(time, event, group, ties=ties)
    except (MethodError, DataError):
        return
    flipped = cox(time * 3, event, 1 - group, ties=ties)
    assert flipped.loghr == pytest.approx(-fit.loghr, abs=1e-6)
    assert flipped.se == pytest.approx(fit.se, rel=1e-6)
    twice = cox(np.tile(time, 2), np.tile(event, 2), np.tile(group, 2), strata=np.repeat([0, 1], time.size), ties=ties)
    assert twice.loghr == pytest.approx(fit.loghr, abs=1e-6)
    assert twice.se == pytest.approx(fit.se / math.sqrt(2), rel=1e-6)
    # Each patient's part of the score adds up to the score, here and away from the maximum.
    away = likelihood(fit.design, np.array([0.3]))
    np.testing.assert_allclose(score_residuals(fit.design, away).sum(axis=0), away.score, atol=1e-9)
