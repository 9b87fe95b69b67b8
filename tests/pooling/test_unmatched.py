"""The expected values we do not match are the peer's errors: ours solve the equations that define them, R's do not."""

from fractions import Fraction
from functools import cache, partial

import numpy as np
import pytest
from scipy.optimize import minimize

import independent_laplace as check
import metagrove as mg
import unmatched_values as why
from known import reference_json
from metagrove.pooling.quadratic_forms import chi_square_mixture_cdf
from metagrove.pooling.tau2 import Design, log_likelihood
from reference_blocks import PROPORTIONS, column, loaded, results


@cache
def _claims(case):
    return {tuple(part for part in claim.path if part != "alternatives"): claim.result for claim in results(case)}


def ours(case, *block):
    return _claims(case)[block]


def theirs(case, *path):
    found = loaded(case)["expected"]
    found = found["alternatives"] if path[0] not in found else found
    for part in path:
        found = found[part]
    return found


def blocks(reason):
    return sorted({path[:2] for path in why.listed(reason)})


# limits of tau2


def form(case, block):
    """Effects, the method of the limits, and the limits by us and by the peer, each with its share of the tail."""
    result = ours(case, block)
    if block.startswith("metafor_confint"):
        y, v = column(case, "yi", "vi")
        return Design(y, v), "BJ", [(result["tau2"][1], theirs(case, block, "ci_lb")[0], 0.975)]
    keys = [path[2] for path in why.listed(why.ROOT) if path[:2] == (case, block)]
    sides = {key.replace("_", ".").split(".")[0] for key in keys}
    names = {"lower": 0.975, "upper": 0.025}
    stored = theirs(case, block)
    peer = {side: stored.get(f"{side}.tau2", stored.get(f"{side}_tau2")) for side in sides}
    return (
        result.fit.design,
        result.method_tau_ci,
        [(getattr(result, f"{side}_tau2"), peer[side], names[side]) for side in sides],
    )


def share_below(design, t, ci):
    w = 1 / design.v if ci == "BJ" else design.v**-0.5
    a = np.diag(w) - np.outer(w, w) / w.sum()
    s = np.sqrt(design.v + t)
    eigenvalues = np.linalg.eigvalsh(s[:, None] * a * s)[1:]
    return chi_square_mixture_cdf(float(design.y @ a @ design.y), np.maximum(eigenvalues, 0))


@pytest.mark.parametrize(("case", "block"), blocks(why.ROOT))
def test_limits_are_roots(case, block):
    design, ci, limits = form(case, block)
    for limit, peer, share in limits:
        found = share_below(design, limit, ci)
        assert found == pytest.approx(share, abs=1e-9) or (limit == 0 and found < share)
        assert abs(found - share) < abs(share_below(design, peer, ci) - share) or limit == 0
        assert abs(limit - peer) < 1.3e-4 * max(1.0, limit)


# tau2 itself


def model_of(case, block):
    """The design of the model whose tau2 the block rests on, with our tau2 and the peer's."""
    result = ours(case, block)
    if block == "thompson":
        event, n = column(case, *PROPORTIONS[case])
        whole = mg.metaprop(event, n, sm="PFT", method="Inverse")
        X = np.column_stack((np.ones(event.size), whole.seTE))
        return Design(whole.TE, whole.seTE**2, X), result.tau2, theirs(case, block, "tau2")
    if block.startswith("REML_"):
        return Design(result.yi, result.vi), result.tau2, theirs(case, block, "tau2")
    return result.fit.design, result.tau2, theirs(case, block, "tau2")


def score(design, t):
    """Slope of the restricted likelihood in tau2, twice, and its scale."""
    pr = design.at(1 / (design.v + t))
    return float(pr.py @ pr.py) - pr.trace(), pr.trace()


@pytest.mark.parametrize(("case", "block"), [pair for pair in blocks(why.PEAK) if pair[1] != "fsn"])
def test_peaks(case, block):
    design, here, there = model_of(case, block)
    slope, scale = score(design, here)
    assert abs(slope) < 1e-9 * scale < 10 * abs(score(design, there)[0])
    found, peer = (log_likelihood(design, t, restricted=True) for t in (here, there))
    assert found >= peer
    assert abs(here - there) < 1e-4 * here


def test_peak_of_the_general_fail_safe_number():
    effects = mg.escalc("OR", **tables("bias_egger2001"))
    model = mg.rma(effects.yi, effects.vi)
    assert ours("bias_egger2001", "fsn", "General").meanes == pytest.approx(model.b[0], rel=1e-12)
    slope, scale = score(Design(effects.yi, effects.vi), model.tau2)
    assert abs(slope) < 1e-9 * scale
    loose = theirs("bias_egger2001", "fsn", "General", "meanes")
    stepped = mg.rma(effects.yi, effects.vi, tau2=model.tau2 * (1 + 1e-5)).b[0]
    assert abs(loose - model.b[0]) < 2 * abs(stepped - model.b[0])  # a tau2 that is off by 1e-5 or so


def tables(case):
    return dict(zip(("ai", "n1i", "ci", "n2i"), column(case, "event.e", "n.e", "event.c", "n.c"), strict=True))


@pytest.mark.parametrize(("case", "block"), blocks(why.ZERO))
def test_zeros(case, block):
    result, stored = ours(case, block), theirs(case, block)
    if block.startswith("cumul"):
        y, v = column(case, "yi", "vi")
        for size in (7, 8, 9):
            assert ours(case, block)["tau2"][size - 1] == 0 < stored["tau2"][size - 1] < 1e-10
            peak_at_zero(Design(y[:size], v[:size]))
    elif case == "metareg_bcg":
        assert result.tau2 == 0 < stored["tau2"] < 1e-10
        peak_at_zero(Design(result.yi, result.vi, result.X), restricted=False)
    elif block == "CHE_rho06":
        assert result.sigma2[0] == 0 < stored["sigma2"][0] < 1e-10
        assert result.loglik >= stored["fit_REML"]["ll"] - 1e-12
    else:
        assert result.tau2 == 0 < stored["tau2"] < 1e-10
        peak_at_zero(result.fit.design)


def peak_at_zero(design, restricted=True):
    at = [log_likelihood(design, t, restricted=restricted) for t in (0.0, 1e-6, 1e-4)]
    assert at[0] > at[1] > at[2]


# mixed models for counts


def one_way(case):
    x, n = column(case, *PROPORTIONS[case])
    parts = check.family("binomial", x[:, None].astype(float), n[:, None].astype(float))

    def height(mu, tau, nodes):
        eta, loads = np.full((x.size, 1), mu), np.array([[tau]])
        return (check.laplace(parts, eta, loads) if nodes == 1 else check.adaptive(parts, eta, loads, nodes)).sum()

    return height


def two_way(case):
    """The Laplace approximation of UM.RS in (level, effect, sd of levels, sd of effects)."""
    if case == "irr_nielweise2008":
        x1, t1, x2, t2 = column(case, "x1i", "t1i", "x2i", "t2i")
        kind, events, sizes = "poisson", np.column_stack((x1, x2)), np.column_stack((t1, t2))
    else:
        a, n1, c, n2 = column(case, "event.e", "n.e", "event.c", "n.c")
        kind, events, sizes = "binomial", np.column_stack((a, c)), np.column_stack((n1, n2))
    return check.family(kind, events.astype(float), sizes.astype(float)), events.shape[0]


def level_and_effect(parts, k):
    def height(at):
        level, effect, sigma, tau = at
        eta = np.broadcast_to([level + effect, level], (k, 2))
        return check.laplace(parts, eta, np.array([[sigma, tau / 2], [sigma, -tau / 2]])).sum()

    return height


@pytest.mark.parametrize(("case", "block"), [pair for pair in blocks(why.EARLY_GLMM) if pair[1] != "GLMM_UM.RS"])
def test_glmm_is_higher(case, block):
    result, stored, height = ours(case, block), theirs(case, block), one_way(case)
    if block.startswith("rma"):
        nodes = int(block[-1])
        pairs = (result.b[0], result.tau2), (stored["b"][0], stored["tau2"])
    else:
        nodes = 7
        pairs = (result.TE_random, result.tau2), (stored["TE.random"], stored["tau2"])
    here, there = (height(mu, np.sqrt(tau2), nodes) for mu, tau2 in pairs)
    assert here > there
    assert pairs[0][0] == pytest.approx(pairs[1][0], rel=1e-3)


def test_glmm_with_random_levels_is_higher():
    case, block = "irr_nielweise2008", "GLMM_UM.RS"
    assert (case, block) in blocks(why.EARLY_GLMM)
    result, stored = ours(case, block), theirs(case, block)
    height = level_and_effect(*two_way(case))

    def best(effect, tau2):
        """The highest value over the level and its spread, which the file does not hold."""
        found = minimize(
            lambda p: -height([p[0], effect, p[1], np.sqrt(tau2)]), [-5.0, 1.0], method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 2000},
        )  # fmt: skip
        return -found.fun

    assert best(result.b[0], result.tau2) > best(stored["b"][0], stored["tau2"])


ONE_WAY = [pair for pair in blocks(why.LAPLACE_HESSIAN) if pair[1] != "GLMM_UM.RS"]


@pytest.mark.parametrize(("case", "block"), ONE_WAY)
def test_laplace_errors(case, block):
    result = ours(case, block)
    height, at = one_way(case), [result.b[0], np.sqrt(result.tau2)]
    information = -check.hessian(lambda p: height(p[0], p[1], 1), at)
    se = np.sqrt(np.linalg.inv(information)[0, 0])
    assert result.se[0] == pytest.approx(se, rel=1e-5)
    assert result.ci_ub[0] == pytest.approx(result.b[0] + 1.959963984540054 * se, rel=1e-5)
    slope = [height(at[0] + h, at[1], 1) for h in (1e-4, -1e-4)], [height(at[0], at[1] + h, 1) for h in (1e-4, -1e-4)]
    assert all(abs(up - down) / 2e-4 < 1e-5 * np.sqrt(information.diagonal().max()) for up, down in slope)


@pytest.mark.parametrize("case", ["bin_bcg", "irr_nielweise2008"])
def test_laplace_errors_with_random_levels(case):
    result, (parts, k) = ours(case, "GLMM_UM.RS"), two_way(case)
    height = level_and_effect(parts, k)
    tau, sigma = np.sqrt(result.tau2), np.sqrt(result.sigma2)
    level = minimize(lambda p: -height([p[0], result.b[0], sigma, tau]), [-3.0], method="BFGS").x[0]
    covariance = np.linalg.inv(-check.hessian(height, [level, result.b[0], sigma, tau]))
    assert result.se[0] == pytest.approx(np.sqrt(covariance[1, 1]), rel=1e-5)
    assert result.QE_Wld == pytest.approx(wald_of_own_effects(parts, k), rel=1e-5)


def wald_of_own_effects(parts, k):
    """Wald statistic that the effects of a model with one for each study, and random levels, are equal."""

    def heights(at, own):
        """Of each study, at (level, spread, a shift of its own effect)."""
        level, spread, shift = at
        eta = np.column_stack((level + own + shift, np.full(k, level)))
        return check.laplace(parts, eta, np.array([[spread], [spread]]))

    def information(shared, own):
        pieces = -check.hessian(partial(heights, own=own), [*shared, 0.0])
        whole = np.diag(np.r_[0.0, 0.0, pieces[2, 2]])
        whole[:2, :2] = pieces[:2, :2].sum(axis=2)
        whole[:2, 2:] = pieces[:2, 2]
        whole[2:, :2] = pieces[:2, 2].T
        return whole

    own = np.zeros(k)
    shared = minimize(lambda p: -heights([*p, 0.0], own).sum(), [-4.0, 1.0], method="Nelder-Mead").x
    for _ in range(12):
        slopes = check.gradient(partial(heights, own=own), [*shared, 0.0])
        step = np.linalg.solve(information(shared, own), np.r_[slopes[:2].sum(axis=1), slopes[2]])
        step = step / max(1.0, np.abs(step).max())
        shared, own = shared + step[:2], own + step[2:]
    assert np.abs(step).max() < 1e-6
    w = np.linalg.inv(np.linalg.inv(information(shared, own))[2:, 2:])
    mean = (w @ own).sum() / w.sum()
    return float((own - mean) @ w @ (own - mean))


CONVERGED = reference_json("metafor/tight_glmm.json")


@pytest.mark.parametrize("where", CONVERGED)
def test_converged_lme4(where):
    """lme4 with its inner iterations converged as far as rounding lets them (validation/tight_glmm.R)."""
    case, block = where.split()
    result, wanted = ours(case, block), CONVERGED[where]
    noisy = (case, block) in blocks(why.LAPLACE_HESSIAN) or wanted["tolPwrss"] > 1e-12
    for key in ("b", "tau2", "ll") + (() if noisy else ("se", "ci_lb", "ci_ub", "QE_LRT")):
        found = np.ravel(result.fit_ML.ll if key == "ll" else getattr(result, key))[0]
        assert found == pytest.approx(wanted[key], rel=1e-4 if noisy else 2e-5), key


def test_limits_next_to_zero():
    for case, block, key in why.listed(why.NEAR_ZERO):
        result, stored = ours(case, block), theirs(case, block)
        name = key.replace(".", "_")
        found = np.ravel(getattr(result, name))[0]
        if block.startswith("GLMM"):
            room = 1e-4 * (abs(result.b[0]) + 1.96 * result.se[0])
        elif key == "lower.Rb":
            room = 1e-7 * (result.Rb + (result.Rb - found))
        else:
            room = 1e-7 * (abs(result.TE_random) + 1.96 * result.seTE_random)
        assert abs(found - stored[key]) < room


# two arms


def test_sample_size_weights():
    result = ours("bin_sparse_nissen2007", "OR_SSW")
    keep = result.studies.pooled
    w = result.n_e[keep] * result.n_c[keep] / (result.n_e[keep] + result.n_c[keep])
    assert result.TE_common == pytest.approx(theirs("bin_sparse_nissen2007", "OR_SSW", "TE.common"), rel=1e-10)
    assert result.seTE_common == pytest.approx(np.sqrt(w**2 @ result.seTE[keep] ** 2) / w.sum(), rel=1e-12)
    assert theirs("bin_sparse_nissen2007", "OR_SSW", "seTE.common") is None
    whole = ours("bin_bcg", "OR_SSW")  # where nobody is left out, the same rule is the peer's
    assert whole.seTE_common == pytest.approx(theirs("bin_bcg", "OR_SSW", "seTE.common"), rel=1e-10)


def test_zero_by_construction():
    case, block = "bin_sparse_nissen2007", "RR_Inverse_TACC_allstudies"
    result = ours(case, block)
    stored = np.array(theirs(case, block, "TE"))
    a, c = column(case, "event.e", "event.c")
    empty = (a == 0) & (c == 0)
    assert empty.any() and np.abs(result.TE[empty]).max() < 1e-15 and np.abs(stored[empty]).max() < 1e-15
    far = ~np.isclose(result.TE, stored, rtol=1e-10, atol=0)
    assert (far <= empty).all()


# meta-regression in exact arithmetic


def solved(matrix, columns):
    rows = [list(row) + list(more) for row, more in zip(matrix, columns, strict=True)]
    for i in range(len(rows)):
        pivot = next(r for r in range(i, len(rows)) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for r in range(len(rows)):
            if r != i and rows[r][i]:
                rows[r] = [x - rows[r][i] * y for x, y in zip(rows[r], rows[i], strict=True)]
    return [row[len(rows) :] for row in rows]


def exact_regression(X, y, v):
    """DerSimonian and Laird's tau2 with moderators, the coefficients, their covariance and QE, as fractions."""
    k, p = len(y), len(X[0])

    def fit(w):
        cross = [[sum(w[i] * X[i][a] * X[i][b] for i in range(k)) for b in range(p)] for a in range(p)]
        inverse = solved(cross, [[Fraction(int(a == b)) for b in range(p)] for a in range(p)])
        right = [sum(w[i] * X[i][a] * y[i] for i in range(k)) for a in range(p)]
        return inverse, [sum(inverse[a][b] * right[b] for b in range(p)) for a in range(p)]

    w = [1 / x for x in v]
    inverse, b = fit(w)
    q = sum(w[i] * (y[i] - sum(X[i][a] * b[a] for a in range(p))) ** 2 for i in range(k))
    square = [[sum(w[i] ** 2 * X[i][a] * X[i][c] for i in range(k)) for c in range(p)] for a in range(p)]
    trace = sum(w) - sum(inverse[a][c] * square[c][a] for a in range(p) for c in range(p))
    tau2 = max(Fraction(0), (q - (k - p)) / trace)
    covariance, b = fit([1 / (x + tau2) for x in v])
    return {"tau2": [tau2], "QE": [q], "b": b, "vb": [x for row in covariance for x in row]}


@pytest.mark.parametrize("block", sorted({block for _, block in blocks(why.ROUNDING) if block.endswith("z")}))
def test_exact_fractions(block):
    result = ours("metareg_bcg", block)
    X = [[Fraction(float(x)) for x in row] for row in result.X]
    y, v = ([Fraction(float(x)) for x in column("metareg_bcg", name)[0]] for name in ("yi", "vi"))
    for key, values in exact_regression(X, y, v).items():
        exact = np.array([float(x) for x in values])
        far = np.abs(np.ravel(getattr(result, key)) / exact - 1).max()
        peer = np.abs(np.ravel(theirs("metareg_bcg", block, key)) / exact - 1).max()
        assert far < 1e-11 and (far < peer or peer < 1e-12), key


# nested and sensitivity


def test_tightened_profile_limits():
    tightened = [limits[0][1] for limits in theirs("mv_konstantopoulos2011", "profile_ci")]
    result, stored = ours("mv_konstantopoulos2011", "meta_cluster"), theirs("mv_konstantopoulos2011", "meta_cluster")
    assert result.lower_tau2 == pytest.approx(tightened, rel=1e-7)
    assert result.lower_tau2 == pytest.approx(stored["lower.tau2"], rel=6e-4)


def test_excess_limit_is_a_root():
    from scipy.stats import norm

    effects = mg.escalc("OR", **tables("bias_egger2001"))
    result = ours("bias_egger2001", "tes")
    critical, se = norm.isf(0.05 / 2), np.sqrt(effects.vi)
    observed = int((np.abs(effects.yi / se) > critical).sum())
    assert observed == result.O

    def tail(theta):
        """Chance of as many significant studies or more, of independent trials with their own power."""
        power = norm.sf(critical - theta / se) + norm.cdf(-critical - theta / se)
        chances = np.ones(1)
        for p in power:
            chances = np.convolve(chances, [1 - p, p])
        return chances[observed:].sum()

    here, there = (abs(tail(limit) - 0.1) for limit in (result.theta_lim, theirs("bias_egger2001", "tes", "theta_lim")))
    assert here < 1e-9 < there
