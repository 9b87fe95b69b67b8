"""Spatial structures, user weights and known correlations of `rma_mv`, against metafor 3.8 run with these data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from known import reference_json
from metagrove.core.errors import DataError, UnknownName
from metagrove.pooling.multilevel.distances import DISTANCES, SPATIAL, spatial_structure

LAW = settings(derandomize=True, deadline=None, max_examples=15)

PLACES = {
    "yi": [
        0.2775,
        0.4273,
        0.8282,
        1.3347,
        0.1269,
        1.4452,
        1.2218,
        1.2138,
        1.5861,
        1.0171,
        0.0167,
        0.2497,
        0.5585,
        0.5011,
        0.2254,
        1.1724,
        1.2421,
        0.8966,
        -0.1875,
        -0.0309,
        1.7137,
        0.8819,
        1.1945,
        0.9078,
        0.234,
        0.3851,
        0.1339,
        1.1478,
        1.1696,
        0.6808,
        1.1999,
        0.5619,
        0.5346,
        0.9282,
        0.2209,
        0.9402,
        0.0282,
        -0.0925,
        0.7882,
        0.9886,
    ],
    "vi": [
        0.067,
        0.033,
        0.049,
        0.072,
        0.082,
        0.065,
        0.039,
        0.027,
        0.027,
        0.044,
        0.073,
        0.02,
        0.037,
        0.095,
        0.094,
        0.079,
        0.047,
        0.061,
        0.08,
        0.07,
        0.07,
        0.037,
        0.037,
        0.051,
        0.095,
        0.097,
        0.079,
        0.079,
        0.063,
        0.02,
        0.069,
        0.087,
        0.08,
        0.056,
        0.063,
        0.063,
        0.02,
        0.048,
        0.069,
        0.086,
    ],
    "lon": [
        9.15,
        9.37,
        2.86,
        8.3,
        6.42,
        5.19,
        7.37,
        1.35,
        6.57,
        7.05,
        4.58,
        7.19,
        9.35,
        2.55,
        4.62,
        9.4,
        9.78,
        1.17,
        4.75,
        5.6,
        9.04,
        1.39,
        9.89,
        9.47,
        0.82,
        5.14,
        3.9,
        9.06,
        4.47,
        8.36,
        7.38,
        8.11,
        3.88,
        6.85,
        0.04,
        8.33,
        0.07,
        2.08,
        9.07,
        6.12,
    ],
    "lat": [
        3.8,
        4.36,
        0.37,
        9.74,
        4.32,
        9.58,
        8.88,
        6.4,
        9.71,
        6.19,
        3.33,
        3.47,
        3.98,
        7.85,
        0.39,
        7.49,
        6.77,
        1.71,
        2.61,
        5.14,
        6.76,
        9.83,
        7.6,
        5.66,
        8.5,
        1.89,
        2.71,
        8.28,
        6.93,
        2.41,
        0.43,
        1.4,
        2.16,
        4.79,
        1.97,
        7.19,
        0.08,
        3.75,
        5.14,
        0.02,
    ],
    "const": [1] * 40,
    "g": [1, 2, 3, 4] * 10,
}

# b, se, tau2, rho, log-likelihood of rma.mv(yi, vi, random = ~ lon + lat | const, struct = ..., data = dat)
METAFOR = {
    "SPEXP": (0.791610107, 0.340595046, 0.307591305, 5.754262888, -18.580467207),
    "SPGAU": (0.731060167, 0.141713253, 0.196394237, 2.056659747, -19.176235781),
    "SPRAT": (0.752460493, 0.213500859, 0.219871457, 2.141574351, -18.540637843),
    "SPSPH": (0.751947063, 0.204660867, 0.227395277, 7.402051632, -18.578989201),
}


@pytest.mark.parametrize("code", METAFOR)
def test_spatial_structures_are_those_of_metafor(code):
    b, se, tau2, rho, ll = METAFOR[code]
    fit = mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct=code, data=PLACES)
    assert fit.loglik == pytest.approx(ll, abs=1e-8)
    # the likelihood is flat: its peer's own optimum carries five digits
    found = (fit.b[0], fit.se[0], fit.tau2[0], fit.rho[0])
    assert found == pytest.approx((b, se, tau2, rho), rel=3e-5)


def test_the_linear_structure_is_searched_beyond_its_lower_peak():
    fit = mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPLIN", data=PLACES)
    # metafor 3.8 stops at rho = 3.29 with log-likelihood -19.834
    assert fit.loglik > -18.4017
    assert fit.rho[0] == pytest.approx(6.650, abs=0.001)


@pytest.mark.parametrize("code", ["SPEXP", "SPGAU", "SPSPH"])
def test_ranges_are_found_across_scales(code):
    """Places in two regions that are very far apart are two independent fields."""
    half = [i // 20 for i in range(40)]
    apart = [lon + 1e5 * h for lon, h in zip(PLACES["lon"], half, strict=True)]
    far = mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct=code, data={**PLACES, "lon": apart})
    split = mg.rma_mv("yi", "vi", random="~ lon + lat | half", struct=code, data={**PLACES, "half": half})
    assert far.loglik == pytest.approx(split.loglik, abs=1e-6)
    assert (far.tau2[0], far.rho[0]) == pytest.approx((split.tau2[0], split.rho[0]), rel=1e-3)


def test_limits_of_a_range_that_the_data_do_not_bound_are_open():
    fit = mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPEXP", data=PLACES)
    found = fit.confint()
    # metafor 3.8: tau2 0.1030 to > 30.76, rho 1.3909 to > 57.54
    assert found["tau2"][1] == pytest.approx(0.1030, abs=1e-4) and np.isnan(found["tau2"][2])
    assert found["rho"][1] == pytest.approx(1.3909, abs=1e-4) and np.isnan(found["rho"][2])
    closed = mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPGAU", data=PLACES).confint()
    assert closed["rho"][1] < 2.0566 < closed["rho"][2] < 100


def test_two_terms_take_two_distances():
    two = mg.rma_mv(
        "yi", "vi", random=["~ lon + lat | g", "~ lon + lat | const"], struct=["SPEXP", "SPGAU"],
        dist=["manhattan", "euclidean"], data=PLACES,
    )  # fmt: skip
    one = mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPGAU", data=PLACES)
    assert two.loglik >= one.loglik - 1e-6 and two.gamma2.size == 1
    with pytest.raises(DataError, match="dist has 1 entries for 2 terms"):
        mg.rma_mv(
            "yi", "vi", random=["~ lon + lat | g", "~ lon + lat | const"], struct="SPEXP", dist=["gcd"], data=PLACES
        )


def test_distances_by_code_by_function_and_by_matrix():
    fit = mg.rma_mv("yi", "vi", random="~ lon + lat | g", struct="SPEXP", dist="manhattan", method="ML", data=PLACES)
    assert fit.loglik == pytest.approx(-25.080135830, abs=1e-8)
    assert (fit.tau2[0], fit.rho[0]) == pytest.approx((0.192984380, 3.347523502), rel=1e-5)
    globe = mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPEXP", dist="gcd", data=PLACES)
    # metafor's formula on the same ellipsoid differs by a few metres
    assert globe.rho[0] == pytest.approx(632.9687, rel=1e-4)
    square = mg.rma_mv(
        "yi", "vi", random="~ lon + lat | g", struct="SPEXP", method="ML", data=PLACES,
        dist=lambda at: np.abs(at[:, None, :] - at[None, :, :]).sum(axis=2),
    )  # fmt: skip
    assert square.loglik == pytest.approx(fit.loglik)
    names = [f"p{i}" for i in range(40)]
    xy = np.column_stack([PLACES["lon"], PLACES["lat"]])
    matrix = pd.DataFrame(DISTANCES["euclidean"](xy), index=names, columns=names)
    named = mg.rma_mv(
        "yi", "vi", random="~ where | const", struct="SPRAT", dist=matrix, data={**PLACES, "where": names}
    )
    assert named.loglik == pytest.approx(METAFOR["SPRAT"][4], abs=1e-8)


def test_spatial_inputs_that_do_not_fit_are_refused():
    with pytest.raises(UnknownName, match="SPEXP"):
        mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPXX", data=PLACES)
    with pytest.raises(UnknownName, match="gcd"):
        mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPEXP", dist="crow", data=PLACES)
    with pytest.raises(DataError, match="matrix of distances"):
        names = {**PLACES, "lon": ["x"] * 40}
        mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPEXP", data=names)
    with pytest.raises(DataError, match="one place"):
        spatial_structure("SPEXP", np.zeros((3, 3)))
    with pytest.raises(DataError, match="longitude and latitude"):
        DISTANCES["gcd"](np.zeros((2, 3)))


def test_great_circle_distances():
    quarter = DISTANCES["gcd"](np.array([[0.0, 0.0], [90.0, 0.0], [0.0, 90.0]]))
    assert quarter[0, 1] == pytest.approx(6378.137 * np.pi / 2, rel=1e-12)
    assert quarter[0, 2] == pytest.approx(10001.966, abs=0.05)  # the quarter meridian of WGS84
    assert quarter[0, 0] == 0


@LAW
@given(st.sampled_from(sorted(SPATIAL)), st.floats(0.05, 20), st.floats(0.1, 5))
def test_a_spatial_covariance_falls_with_distance_and_its_slope_is_exact(code, rho, tau2):
    rng = np.random.default_rng(3)
    distances = DISTANCES["euclidean"](rng.uniform(0, 10, (6, 2)))
    structure = spatial_structure(code, distances)

    def G(theta):
        return structure.matrix(np.asarray(theta, dtype=complex), np.arange(6.0)).real

    found = G([tau2, rho])
    assert np.diag(found) == pytest.approx(np.full(6, tau2))
    order = np.argsort(distances[0])
    assert (np.diff(found[0, order]) <= 1e-12).all()
    step = 1e-30
    slope = structure.matrix(np.array([tau2, rho + step * 1j]), np.arange(6.0)).imag / step
    h = 1e-5 * rho
    inside = np.abs(distances - rho) > 2 * h  # a linear correlation has a corner at its range
    rough = (G([tau2, rho + h]) - G([tau2, rho - h])) / (2 * h)
    assert slope[inside] == pytest.approx(rough[inside], rel=1e-4, abs=1e-7)


def test_user_weights_are_those_of_metafor():
    d = reference_json("meta/mv_konstantopoulos2011.json")["data"]
    w = np.linspace(1, 3, 56)
    fit = mg.rma_mv("yi", "vi", w, random="~ 1 | district/school", data=d)
    # metafor 3.8: rma.mv(yi, vi, W = seq(1, 3, length.out = 56), random = ~ 1 | district/school)
    assert (fit.b[0], fit.se[0]) == pytest.approx((0.12242207792, 0.09470497575), rel=1e-6)
    assert list(fit.sigma2) == pytest.approx([0.06506194428, 0.03273651703], rel=1e-4)
    assert fit.weights()[:2] == pytest.approx([0.8928571429, 0.9253246753])
    assert fit.rstandard().z[:2] == pytest.approx([-0.6489460265, -0.7349448200], rel=1e-5)
    line = mg.rma_mv("yi", "vi", w, mods="~ year", random="~ 1 | district/school", data=d)
    assert list(line.b) == pytest.approx([-12.253908387068, 0.006215107623], rel=1e-6)
    assert list(line.se) == pytest.approx([21.152442216973, 0.010620930444], rel=1e-5)
    assert line.QM == pytest.approx(0.342430293114, rel=1e-5)


def test_the_model_s_own_weights_given_by_the_user_change_nothing():
    d = reference_json("meta/mv_konstantopoulos2011.json")["data"]
    plain = mg.rma_mv("yi", "vi", random="~ 1 | district/school", data=d)
    same = mg.rma_mv("yi", "vi", plain.W, random="~ 1 | district/school", data=d)
    assert same.b == pytest.approx(plain.b) and same.se == pytest.approx(plain.se)
    one, other = plain.ranef()["district"], same.ranef()["district"]
    assert one.pred == pytest.approx(other.pred) and one.se == pytest.approx(other.se)
    w = np.linspace(1, 3, 56)
    mine = mg.rma_mv("yi", "vi", w, random="~ 1 | district/school", data=d)
    rest = mg.rma_mv("yi", "vi", w, random="~ 1 | district/school", data=d, subset=list(range(1, 56)))
    assert mine.rstudent().resid[0] == pytest.approx(d["yi"][0] - rest.b[0])
    with pytest.raises(DataError, match="below 0"):
        mg.rma_mv("yi", "vi", [-1.0, *[1.0] * 55], random="~ 1 | district/school", data=d)
    with pytest.raises(DataError, match="symmetric"):
        mg.rma_mv("yi", "vi", np.triu(np.ones((56, 56))), random="~ 1 | district/school", data=d)


def test_code_in_r_says_weights_known_correlations_and_distances():
    d = reference_json("meta/mv_konstantopoulos2011.json")["data"]
    code = mg.rma_mv("yi", "vi", np.linspace(1, 3, 56), random="~ 1 | district/school", data=d).to_r()
    assert "W <- matrix(" in code and "rma.mv(yi, V, W = W, random = list(~ 1 | district/school)" in code
    R = pd.DataFrame(0.5 * np.eye(4) + 0.5, index=list("1234"), columns=list("1234"))
    g = [str(value) for value in PLACES["g"]]
    known = mg.rma_mv("yi", "vi", random="~ 1 | g", R={"g": R}, data={**PLACES, "g": g})
    assert "R = list(`g` = matrix(c(1, 0.5, 0.5" in known.to_r()
    places = mg.rma_mv("yi", "vi", random="~ lon + lat | const", struct="SPEXP", data=PLACES).to_r()
    assert "random = list(~ place1 | const)" in places and "dist = list(matrix(c(0, " in places
