"""Limit meta-analysis and the Copas model: the reference, laws and refusals."""

import numpy as np
import pytest
from scipy.special import chdtri

import metagrove as mg
from bias_reference import expected, listed, mismatches
from metagrove.core.errors import MethodError, UnknownName
from metagrove.pooling.bias.contours import level_crossings, round_levels
from metagrove.pooling.bias.copas_likelihood import copas_fit, copas_log_likelihood, publication_probability
from metagrove.pooling.bias.copas_model import copas_model
from metagrove.pooling.bias.funnel_data import funnel_data
from metagrove.pooling.tau2 import Design, log_likelihood

CASES = ("limit_copas_moore1998", "limit_copas_fleiss1993")


def data(case):
    values = expected(case)["data"]
    return np.array(values["yi"]), np.array(values["sei"])


def analysis(case):
    """The analysis with the reference's tau², which pins the methods apart from the estimator."""
    y, se = data(case)
    return mg.metagen(y, se, tau_preset=expected(case)["expected"]["copas"]["tau"])


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    return request.param, analysis(request.param).copas()


@pytest.mark.parametrize("case", CASES)
def test_reference_limit(case):
    assert mismatches(case, "limitmeta", analysis(case).limitmeta(), 1e-8) == []
    y, se = data(case)
    whole = mg.limitmeta(y, sei=se, method="DL")
    wanted = expected(case)["expected"]["limitmeta"]
    assert whole.TE_adjust == pytest.approx(wanted["TE.adjust"], rel=1e-6)
    assert whole.tau == pytest.approx(wanted["tau"], rel=1e-6)


def test_reference_copas(fitted):
    """Tolerance 1e-3, as the reference's README says; ours agree to about 1e-4."""
    case, model = fitted
    assert mismatches(case, "copas", model, 1e-3) == []


def test_trend_fits_reach_higher(fitted):
    """Where the p-value of residual bias is not the peer's, ours has the higher likelihood, and never a lower one."""
    case, model = fitted
    path, peer = model.path, expected(case)["expected"]["copas"]["pval.rsb"]
    ours = chdtri(1, path.pval_rsb)
    theirs = chdtri(1, np.array(peer))
    assert (ours >= theirs - 1e-4).all()
    if "pval.rsb" in listed(case, "copas"):
        assert (ours > theirs + 1e-3).sum() == 4


def test_gradient_of_the_copas_likelihood():
    y, se = data(CASES[0])
    theta = np.array([1.2, 0.7, 0.6, 0.1])
    gradient = copas_log_likelihood(theta, y, se, 0.3, 0.2)[1]
    for i in range(4):
        step = 1e-6 * np.eye(4)[i]
        up, down = (copas_log_likelihood(theta + sign * step, y, se, 0.3, 0.2)[0] for sign in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / 2e-6, rel=1e-6)


def test_without_selection_copas_is_maximum_likelihood(fitted):
    """A peak of the plain likelihood; seven trials have a second, by 0.003 the higher, at tau = 0 (which is noted)."""
    case, model = fitted
    y, se = data(case)
    design, tau2 = Design(y, se**2), float(model.tau_slope[0]) ** 2
    at = [log_likelihood(design, tau2 * factor, restricted=False) for factor in (1, 0.98, 1.02)]
    assert at[0] > max(at[1:])
    w = 1 / (se**2 + tau2)
    assert model.TE_slope[0] == pytest.approx((w * y).sum() / w.sum(), rel=1e-6)
    if case.endswith("moore1998"):
        ml = mg.rma(y, sei=se, method="ML")
        assert tau2 == pytest.approx(ml.tau2, rel=1e-4)


def test_path_points_are_stationary(fitted):
    case, model = fitted
    y, se = data(case)
    path = model.path
    for i in range(1, path.TE.size):
        theta = np.array([path.TE[i], path.rho[i], path.tau[i], 0.0])
        gradient = copas_log_likelihood(theta, y, se, path.gamma0[i], path.gamma1[i])[1][:3]
        free = [0, 2] if abs(path.rho[i]) > 0.9998 else [0, 1, 2]
        assert np.abs(gradient[free]).max() < 1e-5
    assert (np.diff(path.publprob) < 0).all()


def test_mirrored_effects_mirror_copas():
    y, se = data(CASES[1])
    there, back = (copas_model(funnel_data(s * y, se**2), 0.01, ngrid=8) for s in (1, -1))
    assert back.TE_slope == pytest.approx(-there.TE_slope, rel=1e-5, abs=1e-7)
    assert back.left != there.left


def test_order_of_studies_does_not_matter():
    y, se = data(CASES[1])
    order = [3, 0, 6, 1, 5, 2, 4]
    one, other = (mg.limitmeta(a, sei=b) for a, b in ((y, se), (y[order], se[order])))
    assert one.TE_adjust == pytest.approx(other.TE_adjust)
    a, b = (copas_model(funnel_data(p, q**2), 0.01, ngrid=6) for p, q in ((y, se), (y[order], se[order])))
    assert a.TE_slope == pytest.approx(b.TE_slope, rel=1e-6, abs=1e-8)


def test_units_do_not_matter():
    y, se = data(CASES[1])
    one, other = (mg.copas(u * y, sei=u * se, ngrid=6, method="DL") for u in (1.0, 1e-6))
    assert 1e6 * other.TE_slope == pytest.approx(one.TE_slope, rel=1e-4)
    assert 1e6 * other.seTE_slope == pytest.approx(one.seTE_slope, rel=1e-4)
    assert other.publprob == pytest.approx(one.publprob, rel=1e-4)


def test_limit_laws():
    y, se = data(CASES[0])
    limit = mg.limitmeta(y, sei=se)
    assert pytest.approx(limit.Q_small + limit.Q_resid) == limit.Q
    assert 0 <= limit.G_squared <= 1
    assert mg.limitmeta(-y, sei=se).TE_adjust == pytest.approx(-limit.TE_adjust)
    homogeneous = mg.limitmeta(y, sei=se, method="EE")
    assert homogeneous.TE_limit == pytest.approx(np.full(37, homogeneous.beta_r))
    for adjust in ("betalim", "mulim"):
        other = mg.limitmeta(y, sei=se, method_adjust=adjust)
        assert other.lower_adjust < other.TE_adjust < other.upper_adjust
    assert len(limit.rows()) == 37
    assert "G²" in limit.summary() and "Biostatistics" in str(limit.explain())


def test_copas_shows_itself(fitted):
    case, model = fitted
    assert ("Adjusted: none" in model.summary()) == (model.TE_adjust is None)
    assert len(model.rows()) == model.TE_slope.size
    assert "least selection" in str(model.explain())
    if case.endswith("fleiss1993"):
        assert "second, higher mode" in model.notes[0]


def test_refusals():
    y, se = data(CASES[1])
    with pytest.raises(MethodError, match="at least 3"):
        mg.copas(y[:2], sei=se[:2])
    with pytest.raises(MethodError, match="at least 3"):
        mg.limitmeta(y[:2], sei=se[:2])
    with pytest.raises(MethodError, match="standard errors are the same"):
        mg.copas(y, sei=np.full(7, 0.2))
    with pytest.raises(MethodError, match="same for all studies"):
        mg.limitmeta(y, sei=np.full(7, 0.2))
    with pytest.raises(MethodError, match="rho_bound"):
        mg.copas(y, sei=se, rho_bound=1)
    with pytest.raises(MethodError, match="must be the smaller"):
        mg.copas(y, sei=se, gamma0_range=(2, 1))
    with pytest.raises(MethodError, match="ngrid"):
        mg.copas(y, sei=se, ngrid=2)
    with pytest.raises(UnknownName, match="beta0"):
        mg.limitmeta(y, sei=se, method_adjust="beta")


def test_extremes_give_a_number_or_a_refusal():
    for y, se in (
        (np.full(6, 0.4), np.linspace(0.1, 0.5, 6)),
        (np.array([0.1, 5.0, 0.3, 0.2]), np.array([1e-6, 1.0, 0.5, 0.7])),
        (np.linspace(-2, 2, 5), np.array([0.1, 0.1, 0.1, 0.1, 0.1000001])),
    ):
        for door in (mg.limitmeta, lambda a, sei: mg.copas(a, sei=sei, ngrid=5)):
            try:
                result = door(y, sei=se)
            except (MethodError, ArithmeticError) as refusal:
                assert str(refusal)
            else:
                assert result.summary() and np.isfinite(result.TE_random)


def test_publication_grows_with_precision():
    p = publication_probability(np.array([0.1, 0.5, 2.0]), -0.3, 0.2)
    assert (np.diff(p) < 0).all() and (p > 0).all() and (p < 1).all()
    y, se = data(CASES[1])
    with pytest.raises(ArithmeticError):
        copas_fit(y * np.nan, se, (0.1, 0.1), [np.zeros(4)], rho_bound=0.9)


def test_round_levels_are_those_of_r():
    """R 4.2.2: pretty(c(0.2422, 1.3052), 10), pretty(c(-0.1259, -0.0004), 10), pretty(c(0, 97), 5)."""
    assert round_levels(0.2422, 1.3052, 10) == pytest.approx(np.arange(2, 15) / 10)
    assert round_levels(-0.1259, -0.0004, 10) == pytest.approx(np.arange(-13, 1) / 100)
    assert round_levels(0, 97, 5) == pytest.approx([0, 20, 40, 60, 80, 100])
    assert round_levels(1, 1, 5) == pytest.approx([1])


def test_crossings_of_a_plane():
    x, y = np.linspace(0, 1, 5), np.linspace(0, 2, 4)
    plane = x[:, None] + y[None, :]
    points = level_crossings(x, y, plane, 1.3)
    assert points.sum(axis=1) == pytest.approx(np.full(len(points), 1.3))
    assert len(points) >= 5
