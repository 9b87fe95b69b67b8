"""Hazard ratios from every form in which papers print them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from known import reference_json
from metagrove.effects import reported
from metagrove.effects.reported_curves import FollowUp, from_curves

STEURER = reference_json("meta/hr_steurer2006.json")


def test_from_limits_alone_and_with_the_ratio():
    d, expected = STEURER["data"], STEURER["expected"]
    for i in range(4):
        both = reported.from_interval(d["lowHR"][i], d["uppHR"][i], d["HR"][i])
        assert both.log_hr == pytest.approx(expected["HR_and_CI"]["TE"][i], rel=1e-10)
        assert both.se == pytest.approx(expected["HR_and_CI"]["seTE"][i], rel=1e-10)
        alone = reported.from_interval(d["lowHR"][i], d["uppHR"][i])
        assert alone.log_hr == pytest.approx(expected["CI_only"]["TE"][i], rel=1e-10)
        assert not both.notes


def test_from_the_ratio_and_its_p_value():
    expected = STEURER["expected"]["HR_and_p"]
    for i in range(4):
        out = reported.from_p_value(STEURER["data"]["HR"][i], expected["p_given"][i])
        assert out.se == pytest.approx(expected["seTE"][i], rel=1e-10)


def test_from_observed_minus_expected():
    case = reference_json("meta/hr_pignon2000.json")
    for excess, v, y, variance in zip(
        case["data"]["OmE"], case["data"]["V"], case["expected"]["yi"], case["expected"]["vi"], strict=True
    ):
        out = reported.from_excess(excess, v)
        assert (out.log_hr, out.v) == (pytest.approx(y, rel=1e-10, abs=1e-15), pytest.approx(variance, rel=1e-10))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.floats(-1.5, 1.5), st.floats(0.05, 1), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_forms_agree_on_one_trial(y, se, level):
    from scipy.special import ndtr

    base = reported.from_standard_error(y, se)
    lower, upper = base.limits(level)
    assert reported.from_interval(lower, upper, base.hr, level=level).se == pytest.approx(se, rel=1e-9)
    v = 1 / se**2
    assert reported.from_excess(y * v, v).log_hr == pytest.approx(y, abs=1e-12)
    if 0.01 < abs(y) / se < 6:
        p = float(2 * ndtr(-abs(y) / se))
        assert reported.from_p_value(base.hr, p).se == pytest.approx(se, rel=1e-6)
        favours = "experimental" if y < 0 else "control"
        assert reported.from_log_rank(v, p=p, favours=favours).log_hr == pytest.approx(y, rel=1e-6)
        assert reported.from_log_rank(v, chisq=(y / se) ** 2, favours=favours).log_hr == pytest.approx(y, rel=1e-6)
    assert reported.from_events(base.hr, v).se == pytest.approx(se, rel=1e-9)


def test_variance_from_events():
    assert reported.log_rank_variance(100) == 25
    assert reported.log_rank_variance(100, n_e=200, n_c=100) == pytest.approx(100 * 2 / 9)
    assert reported.log_rank_variance(events_e=40, events_c=60) == 24


def test_exponential_arms_give_one_answer_in_every_form():
    """Two exponential arms with hazards 0.05 and 0.08: medians, milestones and curves know the same ratio."""
    truth = np.log(0.05 / 0.08)
    medians = reported.from_medians(np.log(2) / 0.05, np.log(2) / 0.08, 80, 90)
    assert medians.log_hr == pytest.approx(truth) and medians.notes
    milestone = reported.from_milestones(np.exp(-0.05 * 12), np.exp(-0.08 * 12), n_e=100, n_c=100)
    assert milestone.log_hr == pytest.approx(truth)
    t = np.arange(1.0, 31.0)
    curves = from_curves(t, np.exp(-0.05 * t), np.exp(-0.08 * t), n_e=200, n_c=200, follow_up=FollowUp(18, 36))
    assert curves.log_hr == pytest.approx(truth, abs=0.02)
    # log-rank variance with the events of the curves: e/4
    events = sum(float(word) for word in curves.notes[0].split(" events")[0].split(" and "))
    assert curves.se == pytest.approx(2 / np.sqrt(events), rel=0.06)


def test_milestone_limits_give_the_variance():
    s, n = 0.6, 80
    se_hazard = np.sqrt((1 - s) / (n * s)) / abs(np.log(s))
    low, high = (np.exp(-np.exp(np.log(-np.log(s)) + sign * 1.959964 * se_hazard)) for sign in (1, -1))
    by_limits = reported.from_milestones(s, 0.5, limits_e=(low, high), n_c=80)
    by_count = reported.from_milestones(s, 0.5, n_e=80, n_c=80)
    assert by_limits.se == pytest.approx(by_count.se, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reported.from_interval(0.9, 0.5), "lower limit is below"),
        (lambda: reported.from_interval(0.5, 0.9, 1.2), "outside its own limits"),
        (lambda: reported.from_interval(-0.5, 0.9), "above 0"),
        (lambda: reported.from_p_value(0.7, 0.0), "p is 0"),
        (lambda: reported.from_p_value(1.0, 0.5), "says nothing"),
        (lambda: reported.from_milestones(1.0, 0.5, n_e=10, n_c=10), "survival is 1"),
        (lambda: reported.log_rank_variance(50, n_e=20, n_c=20), "50 events among 40"),
        (lambda: reported.from_log_rank(10, p=0.1, favours="left"), "favours"),
        (lambda: from_curves([1, 2], [0.9, 0.95], [0.9, 0.8], n_e=9, n_c=9, follow_up=FollowUp(0, 5)), "never rises"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(mg.DataError, match=message):
        call()


def test_an_off_centre_ratio_is_noted():
    out = reported.from_interval(0.5, 0.9, 0.85)
    assert "not in the middle" in out.notes[0] and "not in the middle" in out.summary()


def test_the_door_takes_the_best_form_and_names_contradictions():
    out = mg.hazard_ratio(0.79, 0.60, 1.05, p=0.1, events=200)
    assert out.form == "interval" and not out.notes
    other = mg.hazard_ratio(0.79, 0.60, 1.05, p=0.001, events=200)
    assert other.form == "interval" and "its p value it would be" in other.notes[0]
    assert mg.hazard_ratio(0.79, p=0.1).form == "p value"
    assert mg.hazard_ratio(0.79, p=0.1, events=200, form="events").form == "events"
    assert mg.hazard_ratio(excess=-8.0, v=20.0, chisq=3.2, favours="experimental").log_hr == -0.4
    assert mg.hazard_ratio(median_e=9, median_c=6, events_e=30, events_c=35).hr == pytest.approx(2 / 3)
    assert mg.hazard_ratio(survival_e=0.6, survival_c=0.5, n_e=50, n_c=50).form == "milestones"
    assert mg.hazard_ratio(events_e=40, expected_e=50, events_c=60, expected_c=50).hr == pytest.approx(2 / 3)
    curves = mg.hazard_ratio(
        survival_e=[0.9, 0.8], survival_c=[0.8, 0.6], time=[3, 6], n_e=50, n_c=50, follow_up=(6, 12)
    )
    assert curves.form == "curves" and curves.hr < 1
    assert "adjusted" in mg.hazard_ratio(0.79, se=0.1, stratified=True).notes[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"hr": 0.8}, "not enough for any form"),
        ({"p": 0.03, "events": 100}, "not enough"),
        ({"hr": 0.8, "p": 0.1, "form": "interval"}, "the form 'interval'"),
        ({"hr": 0.8, "se": 0.1, "form": "guess"}, "known: interval"),
        ({"survival_e": 0.5, "survival_c": 0.4}, "needs its limits"),
        ({"survival_e": [0.5], "survival_c": [0.4], "time": [1]}, "follow_up"),
        ({"hr": -0.8, "se": 0.1}, "above 0"),
    ],
)
def test_the_door_refuses_what_says_nothing(given, message):
    with pytest.raises(mg.DataError, match=message):
        mg.hazard_ratio(**given)
