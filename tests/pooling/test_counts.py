"""Mantel-Haenszel, Peto and the tests that go with them, against metafor; and the laws they obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meta_reference as ref
import metagrove as mg
from metagrove.effects.arms import PersonTimes, Tables
from metagrove.pooling.counts import tables as counts
from reference_blocks import PROPORTIONS

CASES = ["bin_bcg", "bin_sparse_nissen2007", "bin_cisapride"]


def tables(case):
    d = ref.expected(case)["data"]
    return {"ai": d["event.e"], "n1i": d["n.e"], "ci": d["event.c"], "n2i": d["n.c"]}


def agree(result, wanted, tol=ref.CLOSED):
    bad = []
    for key, value in wanted.items():
        found = getattr(result, key) * (100 if key == "I2" else 1)
        bad += ref.differences((key,), found, value, tol)
    return bad


@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
@pytest.mark.parametrize("case", CASES)
def test_mantel_haenszel_as_metafor(case, measure):
    wanted = dict(ref.expected(case)["expected"][f"rma_mh_{measure}"])
    result = mg.rma_mh(**tables(case), measure=measure)
    # metafor finds the fitted cells with a root finder; ours is the quadratic's root.
    homogeneity = {key: wanted.pop(key) for key in ("BD", "BDp", "TA", "TAp")}
    assert agree(result, wanted) == []
    assert agree(result, homogeneity, 1e-9) == []


@pytest.mark.parametrize("case", CASES)
def test_peto_as_metafor(case):
    assert agree(mg.rma_peto(**tables(case)), ref.expected(case)["expected"]["rma_peto"]) == []


def test_person_time_as_metafor():
    loaded = ref.expected("irr_nielweise2008")
    result = mg.rma_mh(x1i="x1i", x2i="x2i", t1i="t1i", t2i="t2i", measure="IRR", data=loaded["data"])
    assert agree(result, loaded["expected"]["rma_mh_IRR"]) == []
    assert pytest.approx(4.79504816866, rel=1e-10) == result.MH  # R 4.2.2, metafor 3.8
    other = mg.rma_mh(x1i="x1i", x2i="x2i", t1i="t1i", t2i="t2i", measure="IRD", data=loaded["data"])
    assert (other.b, other.se, other.QE) == pytest.approx((-0.000992500, 0.000435569, 7.953188278), rel=1e-5)
    assert np.isnan(other.MH) and np.isnan(result.BD)


def test_cochrans_test_and_the_counts_of_studies():
    result = mg.rma_mh(**tables("bin_sparse_nissen2007"))
    assert (result.CO, result.COp) == pytest.approx((3.0745416198, 0.0795270096), rel=1e-9)
    assert (result.k, result.k_yi) == (42, 23)
    assert result.to_frame().shape[0] == 43 and "Tarone" in result.summary() and "doi" in str(result.explain())


def glmm(case, model, measure):
    if measure == "OR":
        return mg.rma_glmm(**tables(case), measure="OR", model=model)
    d = ref.expected(case)["data"]
    return mg.rma_glmm(x1i=d["x1i"], x2i=d["x2i"], t1i=d["t1i"], t2i=d["t2i"], measure="IRR", model=model)


def test_tight_lme4():
    """glmer with tolPwrss = 1e-13 in R 4.2.2: what lme4 gives once its inner iterations converge."""
    result = glmm("irr_nielweise2008", "UM.RS", "IRR")
    assert result.b[0] == pytest.approx(-0.4677597220, abs=1e-7)
    assert result.se[0] == pytest.approx(0.2263489259, rel=1e-5)
    assert result.tau2 == pytest.approx(0.09134648935, rel=1e-5)
    assert result.log_likelihood == pytest.approx(-48.68429943, abs=1e-7)


@pytest.mark.parametrize(
    ("model", "wanted"),  # b, se, tau2, QE.Wld, QE.LRT from metafor 3.8 and lme4 in R 4.2.2
    [
        ("UM.FS", (0.5092165862895, 0.2727326270654, 0, 1.017138739591, 16.95127832951)),
        ("CM.AL", (0.5063931834167, 0.2720063826206, 0, 1.006199116927, 16.918092807645)),
        ("UM.RS", (0.4462907826128, 0.2717113511891, 0, 24.914295511893, 23.250650183111)),
    ],
)
def test_glmm_of_sparse_tables(model, wanted):
    found = mg.rma_glmm(**tables("bin_sparse_nissen2007"), measure="OR", model=model)
    values = (found.b[0], found.se[0], found.tau2, found.QE_Wld, found.QE_LRT)
    assert values == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    assert found.k == 23 and len(found.excluded) == 19


def test_exact_conditional_model_is_the_maximum_of_its_integral():
    """Brute force on small tables: the integral by scipy's quadrature, its maximum by a simplex."""
    from scipy.integrate import quad
    from scipy.optimize import minimize
    from scipy.special import gammaln

    a, n1, c, n2 = np.array([[3, 20, 6, 18], [1, 15, 7, 22], [8, 30, 5, 25], [2, 12, 9, 16], [0, 9, 2, 10]]).T

    def log_choose(n, r):
        return gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)

    def study(i, theta, tau):
        m = a[i] + c[i]
        j = np.arange(max(0, m - n2[i]), min(n1[i], m) + 1)
        w = log_choose(n1[i], j) + log_choose(n2[i], m - j)
        at = w[j == a[i]][0]

        def density(z):
            eta = theta + tau * z
            return np.exp(at + a[i] * eta - np.logaddexp.reduce(w + j * eta) - z * z / 2) / np.sqrt(2 * np.pi)

        return np.log(quad(density, -9, 9, epsrel=1e-11)[0])

    def minus(p):
        return -sum(study(i, p[0], abs(p[1])) for i in range(a.size))

    best = minimize(minus, [-0.8, 0.5], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    found = mg.rma_glmm(ai=a, n1i=n1, ci=c, n2i=n2, measure="OR", model="CM.EL")
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-7)
    assert found.b[0] == pytest.approx(best.x[0], abs=1e-4) and found.tau == pytest.approx(abs(best.x[1]), abs=1e-3)


@pytest.mark.parametrize("case", PROPORTIONS)
def test_laplace_is_at_least_as_high_as_lme4s(case):
    """With one node lme4's optimum is loose; the same likelihood is higher at ours."""
    from metagrove.pooling.counts.likelihoods import Binomial
    from metagrove.pooling.counts.quadrature import Integrand, marginal_likelihood

    loaded = ref.expected(case)
    event, n = (np.array(loaded["data"][name], dtype=float)[:, None] for name in PROPORTIONS[case])
    wanted = loaded["expected"].get("alternatives", loaded["expected"])["rma_glmm_nAGQ1"]
    result = mg.rma_glmm(xi=event[:, 0], ni=n[:, 0], measure="PLO", nAGQ=1)
    integrand = Integrand(Binomial(event, n, np.zeros_like(n)), np.ones((n.size, 1, 1)), np.ones(1), None, 1)

    def height(mu, tau2):
        return marginal_likelihood(integrand, np.array([mu]), np.sqrt(tau2)).value.sum()

    assert height(result.b[0], result.tau2) == pytest.approx(result.log_likelihood)
    assert result.log_likelihood >= height(wanted["b"][0], wanted["tau2"]) - 1e-9
    assert result.b[0] == pytest.approx(wanted["b"][0], rel=1e-3) and result.nAGQ == 1
    assert result.tau2 == pytest.approx(wanted["tau2"], rel=3e-3)


def test_covariates_and_equal_effects():
    x = np.arange(13.0)
    found = mg.rma_glmm(**tables("bin_bcg"), measure="OR", model="CM.AL", mods=x)
    assert found.b.shape == (2,) and found.coef_names == ("intrcpt", "mods") and found.QM >= 0
    year = {"year": x, **ref.expected("bin_bcg")["data"]}
    names = {"ai": "event.e", "n1i": "n.e", "ci": "event.c", "n2i": "n.c"}
    written = mg.rma_glmm(**names, measure="OR", model="CM.AL", mods="~ year", data=year)
    assert written.coef_names == ("intrcpt", "year") and written.b[1] == pytest.approx(found.b[1])
    moved = mg.rma_glmm(**tables("bin_bcg"), measure="OR", model="CM.AL", mods=x + 5)
    assert moved.b[1] == pytest.approx(found.b[1], rel=1e-5)
    assert moved.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-7)
    plain = mg.rma_glmm(**tables("bin_bcg"), measure="OR", model="CM.AL", method="FE")
    assert plain.tau2 == 0 and plain.se[0] < found.se[0]


def test_more_points_for_two_random_effects():
    one, many = (
        mg.rma_glmm(**tables("bin_bcg"), measure="OR", model="UM.RS", nAGQ=q) for q in (1, 5)
    )  # metafor refuses more than one
    assert abs(one.tau2 - many.tau2) < 0.01 and many.nAGQ == 5 and one.log_likelihood != many.log_likelihood


COUNT = st.tuples(st.integers(0, 9), st.integers(1, 20), st.integers(0, 9), st.integers(1, 20))


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(COUNT, min_size=1, max_size=6))
def test_laws_of_mantel_haenszel(rows):
    a, b, c, d = (np.array(column, dtype=float) for column in zip((2, 7, 3, 8), *rows, strict=True))
    table, other = Tables(a, b, c, d), Tables(c, d, a, b)
    for measure in ("OR", "RR", "RD"):
        one, back = counts.mantel_haenszel(table, measure), counts.mantel_haenszel(other, measure)
        assert one.estimate == pytest.approx(-back.estimate, abs=1e-10)
        assert one.se == pytest.approx(back.se, rel=1e-9)
    by_hand = np.log((a * d / table.n).sum() / (b * c / table.n).sum())
    assert counts.mantel_haenszel(table).estimate == pytest.approx(by_hand)
    times = counts.mantel_haenszel_rates(PersonTimes(a, c, b, d), "IRR")
    assert times.estimate == pytest.approx(-counts.mantel_haenszel_rates(PersonTimes(c, a, d, b), "IRR").estimate)


def test_one_table_is_its_own_estimate():
    table = Tables([6], [14], [3], [22])
    assert counts.mantel_haenszel(table).estimate == pytest.approx(np.log(6 * 22 / (14 * 3)))
    assert counts.mantel_haenszel(table, "RD").estimate == pytest.approx(6 / 20 - 3 / 25)
    assert counts.peto(table).estimate == pytest.approx((6 - 9 * 20 / 45) / (9 * 36 * 20 * 25 / (45**2 * 44)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mg.rma_mh(ai=[0, 0], n1i=[9, 9], ci=[1, 2], n2i=[8, 8]), "does not exist"),
        (lambda: mg.rma_mh(ai=[0], n1i=[9], ci=[1], n2i=[8], measure="RR"), "one arm is without events"),
        (lambda: mg.rma_peto(ai=[0, 0], n1i=[9, 9], ci=[0, 0], n2i=[8, 8]), "nobody or everybody"),
        (lambda: mg.rma_mh(ai=[1], n1i=[9], ci=[1], n2i=[8], measure="SMD"), "no Mantel-Haenszel"),
        (lambda: mg.rma_glmm(xi=[1, 2], ni=[3, 4]), "measure 'None' has no GLMM"),
        (lambda: mg.rma_glmm(xi=[0, 0], ni=[3, 4], measure="PLO"), "nobody had the event"),
        (lambda: mg.rma_glmm(xi=[0, 0], ti=[3, 4], measure="IRLN"), "nobody had the event"),
        (lambda: mg.rma_glmm(xi=[1, 2], ni=[3, 4], measure="PLO", nAGQ=0), "nAGQ is 0"),
        (lambda: mg.rma_glmm(ai=[1], n1i=[3], ci=[1], n2i=[4], measure="OR", model="UM"), "UM.FS"),
        (lambda: mg.rma_mh(ai=[1, 2], n1i=[9], ci=[1], n2i=[8]), "one length"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(mg.MetagroveError, match=message):
        call()


TRIALS = {"ai": [0, 3, 0, 9], "n1i": [20, 40, 25, 60], "ci": [0, 5, 4, 6], "n2i": [22, 38, 25, 62]}


def added(tables, amount):
    return {
        name: np.array(column) + (amount if name in ("ai", "ci") else 2 * amount) for name, column in tables.items()
    }


def pooled(result):
    return (result.b, result.se, result.QE)


def test_a_second_rule_is_for_the_pooled_tables_and_their_tests():
    # metafor: the second of a pair holds for the tables that are pooled and tested, after Peto's method too.
    pair = {"add": (0.5, 0.5), "to": ("all", "all"), "drop00": (False, False)}
    for measure in ("OR", "RR", "RD"):
        found = mg.rma_mh(**TRIALS, measure=measure, **pair)
        plain = mg.rma_mh(**added(TRIALS, 0.5), measure=measure, drop00=False)
        assert pooled(found) == pytest.approx(pooled(plain), rel=1e-12)
        assert pytest.approx((plain.MH, plain.CO, plain.TA, plain.BD), rel=1e-12, nan_ok=True) == (
            found.MH,
            found.CO,
            found.TA,
            found.BD,
        )
    found, plain = mg.rma_peto(**TRIALS, **pair), mg.rma_peto(**added(TRIALS, 0.5), drop00=False)
    assert pooled(found) == pytest.approx(pooled(plain), rel=1e-12)


def test_studies_without_events_leave_the_pooled_tables_where_asked():
    rest = {name: column[1:] for name, column in TRIALS.items()}
    kept = mg.rma_mh(**TRIALS, measure="RD", drop00=True)
    left = mg.rma_mh(**TRIALS, measure="RD", drop00=(True, True))
    assert pooled(left) == pytest.approx(pooled(mg.rma_mh(**rest, measure="RD")), rel=1e-12)
    assert abs(left.b) > abs(kept.b) and left.weights[0] == 0


def test_rates_with_an_addition_asked_for():
    rates = {"x1i": [0, 3], "x2i": [2, 4], "t1i": [10.0, 20.0], "t2i": [11.0, 19.0]}
    more = rates | {"x1i": [0.5, 3.5], "x2i": [2.5, 4.5]}
    found = mg.rma_mh(**rates, measure="IRR", add=(0.5, 0.5), to=("only0", "all"))
    assert (found.b, found.MH) == pytest.approx(
        (mg.rma_mh(**more, measure="IRR").b, mg.rma_mh(**more, measure="IRR").MH), rel=1e-12
    )


@pytest.mark.parametrize("method", ["ML", "EE"])
def test_random_study_levels_that_do_not_vary(method):
    # dat.hine1989: the levels' variance is 0, so both fits are the logistic regression on the arm (R 4.2.2, metafor 3.8).
    found = mg.rma_glmm(
        ai=[2, 4, 6, 7, 7, 11], n1i=[39, 44, 107, 103, 110, 154], ci=[1, 4, 4, 5, 3, 4], n2i=[43, 44, 110, 100, 106, 146],
        measure="OR", model="UM.RS", method=method,
    )  # fmt: skip
    assert found.b[0] == pytest.approx(0.58166294705, rel=1e-7)
    assert found.se[0] == pytest.approx(0.280112646108, rel=1e-6)
    assert (found.tau2, found.QE_LRT) == pytest.approx((0, 0.8131196293), abs=1e-6)
    assert found.QE_Wld == pytest.approx(0.8252052839, rel=1e-5)
