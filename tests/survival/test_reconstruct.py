"""Reconstruction: exact totals, the end of the curve, robust input, clear refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.survival.reconstruction.one_arm import RECONSTRUCTIONS
from reconstruction_cases import BY_NAME, corners, known, simulated

ITERATIVE = ("guyot", "bounded")


@pytest.mark.parametrize("method", ITERATIVE)
@pytest.mark.parametrize("name", list(BY_NAME))
def test_totals_and_end_hold_in_every_case(name, method):
    people, curves, risk, marks = BY_NAME[name]
    for curve in curves.values():
        for level in ("risk+events", "risk", "n+events", "n", "n+marks"):
            rebuilt = mg.reconstruct(np.array(curve), **known(people, risk, marks, level), method=method)
            assert rebuilt.n == len(people)
            assert rebuilt.time.max() == pytest.approx(people[:, 0].max(), rel=0.01)
            if "events" in level:
                assert rebuilt.events == people[:, 1].sum()
            if people[np.argmax(people[:, 0]), 1] and "events" in level:
                assert rebuilt.event[-1], "the final fall to zero is lost"


def test_bounded_meets_every_number_at_risk():
    for name, (_people, curves, risk, _marks) in BY_NAME.items():
        rebuilt = mg.reconstruct(np.array(curves["trace_s1"]), risk, method="bounded")
        for t, count in risk:
            assert np.sum(rebuilt.time >= t) == count, name


@pytest.mark.parametrize("method", ITERATIVE)
def test_four_patients_by_hand(method):
    rebuilt = mg.reconstruct([[0, 1], [2, 0.75], [5, 0.5], [9, 0.5]], n=4, events=2, method=method)
    assert rebuilt.time.tolist() == [2, 5, 9, 9]
    assert rebuilt.event.tolist() == [True, True, False, False]


FORMS = {
    "percent": lambda t, s: (t, 100 * s),
    "incidence": lambda t, s: (t, 1 - s),
    "incidence in percent": lambda t, s: (t, 100 * (1 - s)),
}


@pytest.mark.parametrize("form", FORMS)
def test_scale_and_direction_do_not_matter(form):
    time, event = simulated(3)
    t, s = corners(time, event)
    plain = mg.reconstruct([t, s], n=60, events=int(event.sum()), method="bounded")
    other = mg.reconstruct(list(FORMS[form](t, s)), n=60, events=int(event.sum()), method="bounded")
    np.testing.assert_allclose(other.time, plain.time)
    assert (other.event == plain.event).all()


def test_order_of_clicks_does_not_matter():
    _people, curves, risk, _ = BY_NAME["sim_long_plateau-B"]
    clicks = np.array(curves["clicks_s1"])
    shuffled = clicks[np.random.default_rng(5).permutation(len(clicks))]
    plain = mg.reconstruct(clicks, risk, method="bounded")
    other = mg.reconstruct(shuffled, risk, method="bounded")
    np.testing.assert_allclose(other.time, plain.time)
    assert (other.event == plain.event).all()


def test_names_of_columns_are_understood():
    import pandas as pd

    frame = pd.DataFrame({"Time": [0, 2, 5, 9.0], "surv": [100, 75, 50, 50.0]})
    risk = pd.DataFrame({"time": [0, 4.0, 8], "n_risk": [4, 3, np.nan]})
    rebuilt = mg.reconstruct(frame, risk, events=2, method="bounded")
    assert rebuilt.patients.to_dict("list") == {"time": [2, 5, 9, 9], "event": [1, 1, 0, 0]}


BAD = {
    "above one": ({"curve": [[0, 1], [3, 1.2], [5, 0.4]], "n": 10}, r"survival is 1\.2 at 3"),
    "rising": ({"curve": [[0, 1], [3, 0.4], [8.2, 0.47]], "n": 10}, r"rises from 0\.4 to 0\.47 at 8\.2"),
    "missing": ({"curve": [[0, 1], [3, float("nan")]], "n": 10}, "survival is nan in row 2"),
    "text": ({"curve": [[0, 1], [3, "x"]], "n": 10}, "'x'"),
    "events": ({"curve": [[0, 1], [3, 0.4]], "n": 10, "events": 11}, "11 events among 10 patients"),
    "fraction": ({"curve": [[0, 1], [3, 0.4]], "n": 10.5}, r"n is 10\.5"),
    "no n": ({"curve": [[0, 1], [3, 0.4]]}, "neither n nor numbers at risk"),
    "risk rises": ({"curve": [[0, 1], [3, 0.4]], "at_risk": [[0, 9], [1, 4], [2, 6]]}, "rise from 4 to 6 at 2"),
    "negative time": ({"curve": [[-3, 1], [3, 0.4]], "n": 10}, "time is -3"),
    "no follow-up": ({"curve": [[0, 1]], "n": 10}, "follow-up must be above 0"),
    "mark outside": ({"curve": [[0, 1], [3, 0.4]], "n": 10, "marks": [7]}, "censor mark is at 7"),
}


@pytest.mark.parametrize("what", BAD)
def test_impossible_input_is_refused_in_one_line(what):
    given, message = BAD[what]
    with pytest.raises(mg.DataError, match=message) as caught:
        mg.reconstruct(**given, method="bounded")
    assert "\n" not in str(caught.value)


def test_unknown_method_lists_the_known():
    with pytest.raises(mg.UnknownName, match="bounded, guyot, likelihood"):
        mg.reconstruct([[0, 1], [3, 0.4]], n=5, method="magic")


def test_each_method_has_its_paper():
    for name in RECONSTRUCTIONS:
        assert "doi:10." in RECONSTRUCTIONS.entry(name).cite


def test_facts_that_disagree_are_named():
    rebuilt = mg.reconstruct([[0, 1], [2, 0.75], [5, 0.5]], [[0, 12], [3, 8], [9, 2]], n=10, method="bounded")
    said = " ".join(item["message"] for item in rebuilt.report["contradictions"])
    assert "12 patients are at risk at time 0 but n is 10" in said
    assert "2 are at risk at 9 but the curve ends at 5" in said


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(0, 10_000), st.sampled_from(ITERATIVE), st.booleans(), st.booleans())
def test_any_arm_gives_its_patients(n, seed, method, with_events, with_risk):
    rng = np.random.default_rng(seed)
    time, event = np.round(rng.weibull(1.2, n) * 10 + 0.05, 1), rng.random(n) < rng.random()
    t, s = corners(time, event)
    risk = [(x, int(np.sum(time >= x))) for x in np.linspace(0, time.max(), 5)] if with_risk else None
    given = {"events": int(event.sum())} if with_events else {}
    rebuilt = mg.reconstruct([t, np.round(s, 4)], risk, n=n, **given, method=method)
    assert rebuilt.n == n and (rebuilt.time >= 0).all() and rebuilt.time.max() <= time.max() + 1e-9
    if with_events:
        assert rebuilt.events == event.sum()
