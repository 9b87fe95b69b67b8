"""Parametric survival against R survival's survreg, closed forms, and what must hold for any patients."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from known import reference
from metagrove.core.errors import ConvergenceError, DataError, MethodError, UnknownName
from metagrove.survival.families import FAMILIES
from metagrove.survival.parametric import compare_families, parametric_survival
from metagrove.survival.splines import SCALES, spline_family

# R survival 3.5: survreg(Surv(time, event) ~ 1) on arm sex1 of real_lung_sex: location, log scale, their errors, log
# likelihood.
SURVREG = {
    "exponential": (5.8550207543, None, 0.0944911183, None, -767.7623244810),
    "weibull": (5.8745799801, -0.2126618865, 0.0770021055, 0.0752098133, -764.1697041127),
    "log-normal": (5.4520975045, 0.1012880675, 0.0978718639, 0.0680872533, -772.8859507367),
    "log-logistic": (5.5214205573, -0.5213570077, 0.0882456709, 0.0801422829, -768.8505897033),
}


# validation/royston_parmar.R, arm A of sim_front_loaded_censor: by inner knots the log likelihood, and survival at the
# median follow-up with its limits.
SPLINES = {
    1: (-152.1970918479, 0.8716089774, 0.7881661885, 0.9237408748),
    2: (-151.8492499292, 0.8857606607, 0.7937927119, 0.9382648077),
    5: (-149.2143486903, 0.8867163249, 0.7942269248, 0.9391840821),
}


def lung():
    return arm_of("real_lung_sex", "sex1")


def arm_of(case, arm):
    with reference(f"survival/cases/{case}/truth_ipd.csv").open() as lines:
        rows = [(float(r["time"]), int(r["event"])) for r in csv.DictReader(lines) if r["arm"] == arm]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("knots", SPLINES)
def test_splines_match_r(knots):
    time, event = arm_of("sim_front_loaded_censor", "A")
    fit = parametric_survival(time, event, "royston-parmar", knots=knots)
    at = float(np.median(time))
    assert fit.loglik == pytest.approx(SPLINES[knots][0], abs=1e-7)
    assert (fit.at(at), *fit.interval_at(at)) == pytest.approx(SPLINES[knots][1:], abs=1e-6)


@pytest.mark.parametrize("scale", ["hazard", "odds", "normal"])
def test_splines_have_their_maximum(scale):
    for seed in range(100, 120):
        rng = np.random.default_rng(seed)
        time, end = rng.weibull(1.3, 300) * 10, rng.uniform(4, 25, 300)
        logs = [
            parametric_survival(np.minimum(time, end), time <= end, "royston-parmar", knots=k, scale=scale).loglik
            for k in (0, 1, 2, 5)
        ]
        assert logs[0] <= min(logs[1:]) and max(logs[1:]) < min(logs[1:]) + 15


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.sampled_from([*FAMILIES, *SCALES]), st.integers(0, 1000))
def test_slopes_are_derivatives(name, seed):
    rng = np.random.default_rng(seed)
    knots = np.sort(rng.normal(0, 1, 4))
    form = spline_family(knots, name) if name in SCALES else FAMILIES[name]
    b = form.start(float(rng.uniform(0.3, 3))) + rng.normal(0, 0.05, len(form.parameters))
    times = rng.exponential(1, 9) + 0.05
    step = 1e-6 * np.eye(b.size)
    for found, value in zip(form.slopes(b, times), (form.cumulative, form.log_hazard), strict=True):
        want = np.array([(value(b + e, times) - value(b - e, times)) / 2e-6 for e in step]).T
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [0.0, 1e-5, 0.01, -0.3])
def test_slopes_of_the_generalized_gamma_about_the_log_normal(shape):
    b, times = np.array([0.2, -0.1, shape]), np.array([0.1, 1.0, 4.0])
    at = [FAMILIES["generalized-gamma"].slopes(b + [0, 0, x], times)[0] for x in (-0.02, 0.0, 0.02)]
    np.testing.assert_allclose(at[1], (at[0] + at[2]) / 2, atol=2e-3)


@pytest.mark.parametrize("family", SURVREG)
def test_fits_match_survreg(family):
    location, log_scale, location_se, scale_se, loglik = SURVREG[family]
    fit = parametric_survival(*lung(), family)
    found, errors = list(fit.estimates.values()), np.sqrt(np.diag(fit.cov))
    assert fit.loglik == pytest.approx(loglik, abs=1e-8)
    if family == "exponential":
        assert (found[0], errors[0]) == pytest.approx((-location, location_se), rel=1e-6)
    elif family == "log-normal":
        assert (*found, *errors) == pytest.approx((location, log_scale, location_se, scale_se), rel=1e-5)
    else:  # shape is one over R's scale, and the order is the other way round
        assert (*found, *errors) == pytest.approx((-log_scale, location, scale_se, location_se), rel=1e-5)


def test_exponential_is_events_over_time():
    time, event = lung()
    fit = parametric_survival(time, event, "exponential")
    rate = event.sum() / time.sum()
    assert fit.estimates["log rate"] == pytest.approx(math.log(rate))
    assert fit.median == pytest.approx(math.log(2) / rate)
    assert fit.at([0, 100]) == pytest.approx([1, math.exp(-100 * rate)])
    assert fit.restricted_mean(500) == pytest.approx((1 - math.exp(-500 * rate)) / rate)
    assert fit.hazard_at(77) == pytest.approx(rate)
    assert fit.aic == pytest.approx(-2 * fit.loglik + 2)
    assert fit.bic == pytest.approx(-2 * fit.loglik + math.log(time.size))


def test_families_nest():
    time, event = lung()
    fits = {f.family: f for f in compare_families(time, event).fits}
    assert set(fits) == {*FAMILIES, "royston-parmar"}
    for inner, outer in (
        ("exponential", "weibull"),
        ("exponential", "gompertz"),
        ("weibull", "generalized-gamma"),
        ("log-normal", "generalized-gamma"),
        ("weibull", "royston-parmar"),
    ):
        assert fits[outer].loglik >= fits[inner].loglik - 1e-6
    for scale, twin in (("hazard", "weibull"), ("odds", "log-logistic"), ("normal", "log-normal")):
        spline = parametric_survival(time, event, "royston-parmar", knots=0, scale=scale)
        assert spline.loglik == pytest.approx(fits[twin].loglik, abs=1e-6)
        assert spline.at(200) == pytest.approx(fits[twin].at(200), abs=1e-6)


@pytest.mark.parametrize("family", [*FAMILIES, "royston-parmar"])
def test_survival_hazard_and_quantile_agree(family):
    fit = parametric_survival(*lung(), family)
    times = np.linspace(20, 900, 23)
    slope = -(np.log(fit.at(times + 0.01)) - np.log(fit.at(times - 0.01))) / 0.02
    np.testing.assert_allclose(fit.hazard_at(times), slope, rtol=1e-4)
    assert fit.at(fit.quantile(0.3)) == pytest.approx(0.7)
    grid = np.linspace(0, 400, 40_001)
    assert fit.restricted_mean(400) == pytest.approx(np.trapezoid(fit.at(grid), grid), rel=1e-5)
    lower, upper = fit.interval_at(times)
    assert ((lower < fit.at(times)) & (fit.at(times) < upper)).all()


def test_extrapolation_is_marked():
    time, event = lung()
    fit = parametric_survival(time, event, "log-normal")
    assert fit.observed_until == time.max()
    assert fit.extrapolated([time.max(), time.max() + 1]).tolist() == [False, True]
    rows = fit.rows()
    assert [row["extrapolated"] for row in rows] == [row["time"] > time.max() for row in rows]
    early = parametric_survival(np.minimum(time, 100), np.where(time < 100, event, 0))
    assert early.extrapolated(early.median)
    assert "(extrapolated)" in early.summary()


def test_a_cured_share_has_no_median():
    rng = np.random.default_rng(2)
    time = np.where(rng.random(300) < 0.3, rng.exponential(1, 300), 20)
    fit = parametric_survival(np.minimum(time, 10), time < 10, "gompertz")
    assert math.isnan(fit.median)
    assert fit.at(1000) == pytest.approx(0.7, abs=0.05)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(UnknownName, match=r"nearest: weibull\. Known: .*royston-parmar, weibull"):
        parametric_survival([1, 2], [1, 1], "weibul")
    with pytest.raises(UnknownName, match=r"nearest: royston-parmar\."):
        parametric_survival([1, 2], [1, 1], "royston")
    with pytest.raises(MethodError, match="at least 2"):
        parametric_survival([1, 2], [1, 0])
    with pytest.raises(MethodError, match="every event is at 2"):
        parametric_survival([2, 2, 3], [1, 1, 0])
    with pytest.raises(DataError, match="time 0"):
        parametric_survival([0, 1, 2], [1, 1, 1])
    with pytest.raises(MethodError, match="inner knots"):
        parametric_survival([1, 2, 2, 2, 3], [1, 1, 1, 1, 1], "royston-parmar", knots=3)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from(list(FAMILIES)))
def test_units_do_not_matter(seed, family):
    rng = np.random.default_rng(seed)
    time = rng.weibull(1.3, 40) * 5 + 0.01
    event = rng.random(40) < 0.8
    try:
        months, days = parametric_survival(time, event, family), parametric_survival(time * 30, event, family)
    except ConvergenceError:
        return
    assert days.median == pytest.approx(30 * months.median, rel=1e-5)
    assert days.loglik == pytest.approx(months.loglik - event.sum() * math.log(30), abs=1e-6)
    for name, value in months.estimates.items():
        if "rate" in name:
            assert days.estimates[name] == pytest.approx(value - math.log(30), abs=1e-4)
