"""Two arms with a printed comparison: it holds in the point and the draws, is never forced, and costs the curve nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.evidence.printed_comparison import printed_comparison
from metagrove.survival.evidence.printed_facts import printed_facts
from metagrove.survival.paths.solution import tilted_draws
from metagrove.survival.reconstruction.comparison_kernels import compared
from metagrove.survival.reconstruction.comparison_tilt import OtherArm, comparison_tilt, levelled
from metagrove.survival.reconstruction.likely_patients import solved_arm
from reconstruction_cases import BY_NAME, known


def pair_of(
    first="sim_front_loaded_censor-A", second="sim_front_loaded_censor-B", level="n+events", source="clicks_s1"
):
    """The arguments for both arms, and their true patients."""
    arms, true = [], []
    for name in (first, second):
        people, curves, risk, marks = BY_NAME[name]
        arms.append({"curve": np.array(curves[source]), **known(people, risk, marks, level)})
        true.append((people[:, 0], people[:, 1] == 1))
    return arms, true


def true_cox(true):
    time, event = (np.concatenate([arm[i] for arm in true]) for i in (0, 1))
    return mg.cox(time, event, np.repeat([0, 1], [arm[0].size for arm in true]))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.booleans())
def test_the_compiled_comparison_is_cox_and_log_rank(seed, ties):
    rng = np.random.default_rng(seed)
    sets = []
    for _ in range(2):
        n = int(rng.integers(6, 40))
        time, event = rng.weibull(1.0, n) * 10, rng.random(n) < 0.7
        time = np.ceil(time) if ties else time
        event[:2] = True
        order = np.lexsort((~event, time))
        sets.append((time[order], event[order]))
    loghr, error, z = compared(*((t[None], e[None]) for t, e in sets), np.zeros((1, 2), dtype=np.int64))[0]
    fitted = true_cox(sets)
    if abs(fitted.loghr) < 5:
        assert loghr == pytest.approx(fitted.loghr, abs=1e-6)
        assert error == pytest.approx(fitted.se, rel=1e-5)
    group = np.repeat([0, 1], [t.size for t, _ in sets])
    test = mg.log_rank(np.concatenate([t for t, _ in sets]), np.concatenate([e for _, e in sets]), group)
    assert z**2 == pytest.approx(test.chisq, rel=1e-9)


@pytest.mark.parametrize("level", ["risk+events", "n+events", "n"])
@pytest.mark.parametrize("source", ["exact", "clicks_s1", "trace_s1"])
def test_the_printed_hazard_ratio_holds_in_point_and_draws(level, source):
    arms, true = pair_of(level=level, source=source)
    fitted = true_cox(true)
    printed = round(float(np.exp(fitted.loghr)), 2)
    limits = [round(float(np.exp(fitted.loghr + z * fitted.se)), 2) for z in (-1.96, 1.96)]
    pair = mg.reconstruct_arms(*arms, hr=(printed, *limits), draws=50)
    assert pair.contradictions == ()
    assert abs(np.exp(pair.loghr) - printed) <= 0.0051
    assert np.mean(np.abs(np.exp(pair.drawn_loghr) - printed) <= 0.0055) > 0.8
    assert abs(pair.loghr - fitted.loghr) <= 0.011 / printed
    assert max(np.abs(pair.cost)) < 0.003
    for arm, people, given_ in zip((pair.control, pair.treated), true, arms, strict=True):
        assert arm.n == people[0].size and arm.sampled.time.shape == (50, arm.n)
        if "events" in given_:
            assert arm.events == given_["events"] and (arm.sampled.event.sum(axis=1) == given_["events"]).all()


def test_the_log_rank_p_alone_moves_the_arms_towards_it():
    arms, true = pair_of(level="n", source="clicks_s2")
    time, event = (np.concatenate([arm[i] for arm in true]) for i in (0, 1))
    p = mg.log_rank(time, event, np.repeat([0, 1], [arm[0].size for arm in true])).p
    told = float(f"{p:.2g}")
    alone, pair = (mg.reconstruct_arms(*arms, p=x, draws=40) for x in (None, told))
    off = [abs(one.loghr - true_cox(true).loghr) for one in (alone, pair)]
    assert off[1] <= off[0] + 0.002
    assert pair.drawn_loghr.std() < alone.drawn_loghr.std()


def test_what_contradicts_is_named_and_not_forced():
    arms, _ = pair_of()
    alone = mg.reconstruct_arms(*arms, draws=10)
    wrong = mg.reconstruct_arms(*arms, hr=2.4, draws=10)
    assert wrong.loghr == alone.loghr
    assert "no rebuilt pair shows hazard ratio 2.4" in wrong.contradictions[0].message
    both = mg.reconstruct_arms(*arms, hr=0.69, p=0.9, draws=10)
    assert [c.facts[:-1] for c in both.contradictions] == [("log-rank p",)]
    narrow = mg.reconstruct_arms(*arms, hr=(0.69, 0.5, 0.96), p=0.9, draws=10)
    assert [c.facts[:-1] for c in narrow.contradictions] == [("limits of the hazard ratio", "log-rank p")]
    assert abs(np.exp(both.loghr) - 0.69) <= 0.0051
    loose = mg.reconstruct_arms(*arms, hr=0.76, hr_error=0.05, draws=10)
    assert loose.contradictions == () and abs(loose.loghr - alone.loghr) < 0.06


def test_a_tilt_moves_the_draws_by_what_it_says():
    """An exponential tilt by lambda moves the mean of the value by lambda times its variance, to first order."""
    arms, true = pair_of(level="n", source="clicks_s1")
    given_ = dict(arms[1])
    curve = digitized_curve(given_.pop("curve"))
    arm = solved_arm(curve, printed_facts(curve, **given_), 400, np.random.default_rng(1))
    drawn = arm.paths.drawn
    other = OtherArm(np.sort(true[0][0]), true[0][1][np.argsort(true[0][0])], -0.3, treated=False)
    tilt = comparison_tilt(arm.paths.plan, drawn[:, 1:].mean(axis=0), arm.facts.n, arm.paths.reading.end, other)
    level = levelled(tilt, arm.paths.plan, arm.facts.n, counted=False)
    before = tilt.of(drawn)
    assert np.ptp(level.of(drawn) - before) < 1e-9  # the same weights but for a constant
    mean = []
    for way in (-1, 1):
        strength = way * 0.7 / before.std()
        moved = tilt.of(tilted_draws(arm.paths, level.times(strength), 400, np.random.default_rng(2)))
        mean.append(moved.mean() / before.std())
    # Both ways together: the tilted draws vary neither the course of censoring nor the reading error.
    assert 0.4 < (mean[1] - mean[0]) / 2 < 1.1


def test_the_tilt_is_the_change_of_the_log_hazard_ratio():
    arms, true = pair_of(level="n", source="clicks_s2")
    given_ = dict(arms[0])
    curve = digitized_curve(given_.pop("curve"))
    arm = solved_arm(curve, printed_facts(curve, **given_), 200, np.random.default_rng(1))
    order = np.argsort(true[1][0])
    other = OtherArm(true[1][0][order], true[1][1][order], -0.3, treated=True)
    drawn = arm.paths.drawn
    tilt = comparison_tilt(arm.paths.plan, drawn[:, 1:].mean(axis=0), arm.facts.n, arm.paths.reading.end, other)
    sets = [arm.point(path[None]) for path in drawn]
    number = np.column_stack((np.arange(len(drawn)), np.zeros(len(drawn), dtype=np.int64)))
    stacked = (np.array([s[0] for s in sets]), np.array([s[1] for s in sets]))
    exact = compared(stacked, (other.time[None], other.event[None]), number)[:, 0]
    told = tilt.of(drawn)
    # The tilt is linear about the mean path; a rare draw far off it follows the same way, but not as far.
    far = np.abs(told - np.median(told))
    near = far < 6 * np.median(far)
    assert near.mean() > 0.97 and np.corrcoef(told, exact)[0, 1] > 0.9
    assert 0.6 < np.polyfit(told[near], exact[near], 1)[0] < 1.6


def test_arms_without_deaths_or_with_one_patient_are_no_crash():
    flat = [[0, 1], [10, 1]]
    pair = mg.reconstruct_arms({"curve": flat, "n": 10}, {"curve": [[0, 1], [3, 0.8], [10, 0.8]], "n": 10}, draws=5)
    assert pair.control.events == 0 and pair.treated.events == 2
    pair = mg.reconstruct_arms({"curve": flat, "n": 10}, {"curve": flat, "n": 10}, hr=1.0, p=0.9, draws=5)
    assert pair.loghr == 0.0


def test_curves_with_more_drops_than_patients_keep_their_totals_in_different_draws():
    curve = [[0, 1], *[[t, 1 - 0.07 * t] for t in range(1, 13)], [14, 0.16]]
    rebuilt = mg.reconstruct(curve, n=8, events=6, draws=20)
    assert rebuilt.contradictions
    assert (rebuilt.sampled.event.sum(axis=1) == 6).all() and rebuilt.sampled.time.shape == (20, 8)
    assert len({tuple(t) for t in rebuilt.sampled.time}) == 20


def test_what_is_printed_is_read_with_its_last_digit():
    printed = printed_comparison((0.69, 0.5, 0.96), 0.03)
    np.testing.assert_allclose(np.exp((printed.loghr.low, printed.loghr.high)), (0.685, 0.695), rtol=1e-12)
    assert printed.error.low < np.log(0.96 / 0.5) / 3.92 < printed.error.high
    assert printed.z.low == pytest.approx(2.108, abs=0.001) and printed.z.high == pytest.approx(2.241, abs=0.001)
    bound = printed_comparison(None, "<0.001").z
    assert bound.low == pytest.approx(3.2905, abs=1e-3) and np.isinf(bound.high)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"hr": 0}, "lies above 0"),
        ({"hr": (0.7, 0.8, 0.9)}, "does not contain"),
        ({"hr": (0.7, 0.8)}, "estimate, lower, upper"),
        ({"p": 1.2}, "between 0 and 1"),
        ({"p": "small"}, "a bound such as"),
        ({"hr": 0.7, "hr_error": -1}, "hr_error"),
        ({"draws": -1}, "draws"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong, message):
    arm = {"curve": [[0, 1], [3, 0.8], [10, 0.8]], "n": 10}
    with pytest.raises((mg.DataError, mg.MethodError), match=message):
        mg.reconstruct_arms(arm, arm, **wrong)


CONTROL = {"curve": [[0, 1], [2, 0.8], [5, 0.6], [7, 0.4], [12, 0.2], [15, 0.2]], "n": 10, "events": 7}
TREATED = {"curve": [[0, 1], [3, 0.9], [6, 0.7], [9, 0.6], [14, 0.4], [18, 0.4]], "n": 10, "events": 6}


def test_a_p_that_no_order_of_censoring_gives_is_named_and_leaves_the_arms_alone():
    alone = mg.reconstruct_arms(CONTROL, TREATED, draws=10)
    for p in (0.27, "<0.05", 0.1):
        pair = mg.reconstruct_arms(CONTROL, TREATED, p=p, draws=10)
        assert [c.facts for c in pair.contradictions] == [("log-rank p", "curves")]
        assert "they show log-rank p from 0.19 to 0.226" in pair.contradictions[0].message
        for one, other in ((pair.control, alone.control), (pair.treated, alone.treated)):
            np.testing.assert_array_equal(one.time, other.time)
            np.testing.assert_array_equal(one.event, other.event)


@pytest.mark.parametrize("p", [0.19, 0.21, 0.23])
def test_a_p_that_some_order_of_censoring_gives_is_shown_to_its_last_digit(p):
    pair = mg.reconstruct_arms(CONTROL, TREATED, p=p, draws=10)
    group = np.repeat([0, 1], 10)
    time, event = (np.concatenate((getattr(pair.control, x), getattr(pair.treated, x))) for x in ("time", "event"))
    assert round(mg.log_rank(time, event, group).p, 2) == p and pair.contradictions == ()


def test_two_arms_show_what_is_printed_beside_what_they_give():
    pair = mg.reconstruct_arms(CONTROL, TREATED, hr=(0.49, 0.17, 1.49), p=0.21, draws=10)
    rows = {row["fact"]: row for row in pair.fit}
    assert list(rows) == ["hazard ratio", "hazard ratio, lower limit", "hazard ratio, upper limit", "log-rank p"]
    table = pair.patients
    group = (table["arm"] == "treated").astype(int)
    fitted = mg.cox(table["time"], table["event"], group)
    test = mg.log_rank(table["time"], table["event"], group)
    values = (fitted.hr, *fitted.hr_ci, test.p)
    for row, value in zip(rows.values(), values, strict=True):
        assert row["rebuilt"] == pytest.approx(value, rel=1e-5)
        assert row["agrees"] == (abs(value - row["printed"]) <= 0.005)
    assert rows["hazard ratio"]["agrees"] and rows["log-rank p"]["agrees"]
    assert pair.to_frame()["printed"].tolist() == [0.49, 0.17, 1.49, 0.21]
    assert "log-rank p: printed 0.21, rebuilt 0.21" in pair.summary() and "control: 10 patients" in pair.summary()
    told = "with the printed hazard ratio, limits of the hazard ratio and log-rank p as evidence on both."
    assert told in str(pair.explain())
    assert {line["arm"] for line in pair.report["fit"]} == {"both", "control", "treated"}
    assert pair.draws.groupby(["draw", "arm"]).size().tolist() == [10] * 20
    assert b"Treated" in pair.plot().svg() and b"patients" in pair.control.plot().svg()


def test_two_arms_say_where_they_differ_from_what_is_printed():
    pair = mg.reconstruct_arms(CONTROL, TREATED, p="<0.05", draws=0)
    assert [(row["fact"], row["printed"], row["agrees"]) for row in pair.fit] == [("log-rank p", "<0.05", False)]
    assert "printed <0.05, rebuilt 0.2101, which differs" in pair.summary()
    assert "rebuilt side by side." in str(pair.explain())
    none = mg.reconstruct_arms(CONTROL, TREATED, draws=0)
    assert none.fit == [] and [row["agrees"] for row in none.rows()] == [None] * 4
    ten = {"curve": TREATED["curve"], "n": 200}
    assert mg.reconstruct_arms({**CONTROL, "n": 200, "events": 150}, ten, p="<0.001", draws=0).fit[0]["agrees"]
