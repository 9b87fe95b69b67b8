"""The summary survival curve against metaSurvival, and what must hold for any table."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from known import reference, reference_json
from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.pooling.curves.grid import grid_table
from metagrove.pooling.curves.summary import summary_curve

SETS = [f"survival/msurv/{path.stem}" for path in sorted(reference("survival/msurv").glob("*.json"))]
SETS += [f"atc/survival_synthetic/{p.stem}" for p in sorted(reference("atc/survival_synthetic").glob("msurv_*.json"))]
RUNS = {"continuity_correction_0.25_0.5": (0.25, 0.5), "no_correction": None}
FITTED = [name for name in SETS if "gap_in_grid" not in name]


def table(name):
    with reference(f"{name}_input.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    return [row["study"] for row in rows], *(np.array([float(r[c]) for r in rows]) for c in ("time", "n_risk", "surv"))


def within(got, want, tolerance):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)


@pytest.mark.parametrize("model", ["fixed", "random"])
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", FITTED)
def test_compatible_numbers(name, run, model):
    known = reference_json(f"{name}.json")["runs"][run]
    pooled = summary_curve(*table(name), model=model, correction=RUNS[run], compat="msurv")
    between, curve = known["heterogeneity"], known[model]
    within([pooled.Q, pooled.H2, 100 * pooled.I2], [between["Q"], between["H2"], between["I2_percent"]], 1e-8)
    within(pooled.time, curve["time"], 0)
    within(pooled.survival, curve["surv"], 1e-8)
    within(pooled.lower, curve["ci_greenwood"]["lower"], 1e-8)
    within(pooled.upper, curve["ci_greenwood"]["upper"], 1e-8)
    within([pooled.median, pooled.mean], [curve["median"], curve["mean"]], 1e-8)
    within(pooled.n_risk, curve["n_risk"], 0.51)  # the peer rounds sums of fractional inputs
    if curve["median_ci_20_seeds"]["n_seeds_available"] == 20:
        assert pooled.median_reason == ""


def simulated_limits(seed, draws):
    """Ours, the peer's mean and its SD over 20 seeds, for every simulated limit of every set."""
    found = []
    for name in FITTED:
        for run, correction in RUNS.items():
            for model in ("fixed", "random"):
                curve = reference_json(f"{name}.json")["runs"][run][model]
                pooled = summary_curve(
                    *table(name),
                    model=model,
                    correction=correction,
                    compat="msurv",
                    rng=np.random.default_rng(seed),
                    draws=draws,
                )
                theirs = curve["ci_montecarlo_20_seeds"]
                for ours, side in zip(pooled.simulated_band(), ("lower", "upper"), strict=True):
                    found += zip(ours, theirs[f"{side}_mean"], theirs[f"{side}_sd"], strict=True)
                pairs = [(pooled.mean_lower, pooled.mean_upper, curve["mean_ci_20_seeds"])]
                if curve["median_ci_20_seeds"]["n_seeds_available"] == 20:
                    pairs.append((pooled.median_lower, pooled.median_upper, curve["median_ci_20_seeds"]))
                for low, high, seeds in pairs:
                    found += zip((low, high), seeds["mean"], seeds["sd"], strict=True)
    ours, mean, sd = np.array(found).T
    within(ours[sd == 0], mean[sd == 0], 1e-9)
    return (ours - mean)[sd > 0] / sd[sd > 0]


# An SD over 20 seeds leaves 19 degrees of freedom, so that of 2,200 honest differences 5 % lie beyond 2.1 standard errors
# and the largest may reach 5; many are of one simulation and go together. Our error is taken to be no smaller than theirs.
@pytest.mark.parametrize(("seed", "draws"), [(1, 10_000), (2, 40_000)])
def test_simulated_limits_are_as_far_off_as_another_seed(seed, draws):
    apart = np.abs(simulated_limits(seed, draws)) / np.sqrt(1 / 20 + 10_000 / draws)
    assert np.mean(apart > 2.1) < 0.07
    assert apart.max() < 6


@pytest.mark.parametrize("name", FITTED)
def test_default_differs_in_the_variance_alone(name):
    columns = table(name)
    ours = summary_curve(*columns, correction=None, model="fixed")
    theirs = summary_curve(*columns, correction=None, model="fixed", compat="msurv")
    within(ours.survival, theirs.survival, 1e-12)
    assert pytest.approx(4 * theirs.Q) == ours.Q
    assert pytest.approx(4 * theirs.H2) == ours.H2
    widths = [np.log(c.upper / c.lower)[theirs.upper < 1] for c in (ours, theirs)]
    np.testing.assert_allclose(2 * widths[0], widths[1], rtol=1e-6)
    with_correction = summary_curve(*columns)
    same = summary_curve(*columns, compat="msurv")
    within(with_correction.survival, same.survival, 1e-12)
    assert pytest.approx(same.Q) == with_correction.Q


def test_a_median_limit_outlives_one_missing_draw():
    columns = table("atc/survival_synthetic/msurv_atc_PFS")
    pooled = summary_curve(*columns, correction=None, compat="msurv")
    assert 1.5 < pooled.median_lower < pooled.median < pooled.median_upper < 7
    assert pooled.median_reason == ""


def test_a_missing_limit_says_why():
    pooled = summary_curve(*table("survival/msurv/msurv_plateau_2arms_6monthly"))
    assert math.isfinite(pooled.median)
    assert math.isfinite(pooled.median_lower)
    assert math.isnan(pooled.median_upper)
    assert "48" in pooled.median_reason
    high = summary_curve(["A", "B"], [1, 1], [50, 60], [0.9, 0.8])
    assert math.isnan(high.median)
    assert "not reached" in high.median_reason


def test_a_gap_is_filled_and_named():
    columns = table("survival/msurv/msurv_gap_in_grid")
    full = table("survival/msurv/msurv_five_trials_10arms_monthly")
    filled, whole = summary_curve(*columns), summary_curve(*full)
    assert "2: no row for time 5" in filled.notes[0]
    within(filled.survival, whole.survival, 0.01)
    with pytest.raises(MethodError, match="2: no row for time 5"):
        summary_curve(*columns, compat="msurv")


def test_times_out_of_arithmetic_are_one_time():
    pooled = summary_curve(["A", "A", "B", "B"], [0.3, 0.6, 0.1 + 0.2, 0.6], [20, 12, 30, 20], [0.6, 0.4, 0.7, 0.3])
    assert pooled.time.tolist() == [0.3, 0.6]
    assert pooled.notes == ()


def test_survival_of_zero():
    study, time = ["A"] * 4 + ["B"] * 3, [1, 2, 3, 4, 1, 2, 3]
    n, s = [8, 5, 2, 0, 10, 8, 5], [0.6, 0.3, 0, 0, 0.8, 0.5, 0]
    for correction in (None, (0.25, 0.5)):
        for model in ("fixed", "random"):
            pooled = summary_curve(study, time, n, s, correction=correction, model=model)
            assert pooled.time.tolist() == [1, 2, 3]
            assert "A: rows after survival reached 0 at 3" in pooled.notes[0]
            assert np.isfinite(pooled.lower).all()
            assert ((pooled.lower <= pooled.survival) & (pooled.survival <= pooled.upper)).all()
    assert pooled.studies.tolist() == [2, 2, 2]


def test_everybody_dies_before_the_first_time():
    pooled = summary_curve(["A", "B"], [1, 1], [8, 9], [0, 0], correction=None)
    assert pooled.survival.tolist() == [0]
    assert pooled.upper[0] > 0
    assert 0 < pooled.median < 1


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ((["A"], [1], [9], [1.2]), "A: survival is 1.2 at 1"),
        ((["A", "A"], [1, 2], [9, 8], [0.5, 0.6]), "A: survival rises from 0.5 to 0.6 at 2"),
        ((["A", "A"], [1, 2], [9, math.nan], [0.5, 0.4]), "A: n_risk is missing at 2"),
        ((["A", "A"], [1, 2], [9, None], [0.5, 0.4]), "A: n_risk is missing at 2"),
        ((["A", "A"], [1, 2], [9, -1], [0.5, 0.4]), "A: n_risk is -1 at 2"),
        ((["A", None], [1, 2], [9, 8], [0.5, 0.4]), "name is missing in row 2"),
        ((["A", "A"], [1, 1], [9, 9], [0.5, 0.4]), "A: two rows for time 1"),
        ((["A", "A"], [1, math.nan], [9, 9], [0.5, 0.4]), "A: time is missing"),
        ((["A"], [-1], [9], [0.5]), "A: time is -1"),
        ((["A"], [0], [9], [0.9]), "A: survival is 0.9 at time 0"),
        ((["A"], [1], [0], [0.9]), "nobody at risk"),
        (([], [], [], []), "0 study names"),
        ((["A"], [1, 2], [9], [0.9]), "one row per study and time"),
        ((["A"], ["x"], [9], [0.9]), "are numbers"),
    ],
)
def test_bad_rows_are_refused_by_name(columns, text):
    with pytest.raises(DataError, match=text):
        summary_curve(*columns)


def test_bad_settings_are_refused():
    row = (["A", "B"], [1, 1], [9, 9], [0.9, 0.8])
    with pytest.raises(UnknownName, match="random"):
        summary_curve(*row, model="randm")
    with pytest.raises(MethodError, match="pair"):
        summary_curve(*row, correction=(0.5, 0.25))
    with pytest.raises(UnknownName, match="msurv"):
        summary_curve(*row, compat="metafor")


def test_numbers_at_risk_that_rise_are_noted():
    pooled = summary_curve(["A", "A", "B"], [1, 2, 1], [9, 10, 7], [0.9, 0.8, 0.7])
    assert pooled.notes == ("A: n_risk rises from 9 to 10 at 2.",)


def test_a_row_at_time_zero_changes_nothing():
    columns = table("survival/msurv/msurv_tiny_3arms_monthly")
    zero = (columns[0] + ["1"], *(np.append(c, x) for c, x in zip(columns[1:], (0, 8, 1), strict=True)))
    within(summary_curve(*zero).survival, summary_curve(*columns).survival, 0)


def test_frame_and_words():
    pooled = summary_curve(*table("survival/msurv/msurv_tiny_3arms_monthly"))
    frame = pooled.to_frame()
    assert list(frame)[:6] == ["time", "survival", "lower", "upper", "n_risk", "studies"]
    assert frame.n_risk[0] == 8 + 14 + 16
    assert frame.studies.iloc[-1] == 1
    assert "Combescure" in str(pooled.explain())
    assert "median 3.172" in pooled.summary()
    assert pooled.reliable_until(10) == 10
    assert pooled.at(0) == 1
    with pytest.raises(DataError, match="outside"):
        pooled.at(100)


def test_prediction_band_is_wider():
    pooled = summary_curve(*table("survival/msurv/msurv_hcc_untreated_27"))
    low, high = pooled.prediction()
    assert (low[1:] < pooled.lower[1:]).all()
    assert (high[1:] >= pooled.upper[1:]).all()
    assert (high < 1).any()
    drawn = summary_curve(*table("survival/msurv/msurv_hcc_untreated_27"), interval="monte-carlo")
    assert (drawn.prediction()[0][1:] < drawn.lower[1:]).all()
    assert (drawn.prediction()[1][1:] > drawn.upper[1:]).all()
    band = {t: limits for t, *limits in zip(pooled.time, low, high, strict=True)}
    cells = [(s, *band[t]) for c in pooled.curves for t, s in zip(c.time, c.survival, strict=True)]
    # The band is for true curves; the studies' own scatter about theirs.
    assert np.mean([lower <= s <= upper for s, lower, upper in cells]) > 0.8
    observed_low, observed_high = pooled.prediction(patients=40)
    assert (observed_low[1:] < low[1:]).all()
    assert (observed_high[1:] > high[1:] - 1 / 40).all()  # shares of 40 patients
    assert np.mean([lower <= s <= upper for s, lower, upper in cells]) < 0.95


def test_restricted_mean_and_quantiles():
    pooled = summary_curve(*table("survival/msurv/msurv_five_trials_10arms_monthly"))
    assert pooled.restricted_mean()[0] == pytest.approx(pooled.mean)
    inside, at_knot = pooled.restricted_mean(6.5), pooled.restricted_mean(6)
    grid = np.linspace(0, 6.5, 65_001)
    assert inside[0] == pytest.approx(np.trapezoid(pooled.at(grid), grid), abs=1e-6)
    assert inside[1] < inside[0] < inside[2]
    assert at_knot[0] < inside[0]
    assert pooled.quantile(0.5).estimate == pooled.median
    assert pooled.quantile(0.25).estimate < pooled.median
    with pytest.raises(MethodError, match="reaches"):
        pooled.restricted_mean(1000)


def test_limits_depend_on_the_generator_alone():
    columns = table("survival/msurv/msurv_tiny_3arms_monthly")
    again = [summary_curve(*columns).median_upper for _ in range(2)]
    other = summary_curve(*columns, rng=np.random.default_rng(5)).median_upper
    assert again[0] == again[1] != other
    assert other == pytest.approx(again[0], rel=0.05)


@pytest.mark.parametrize("endpoint", ["OS", "PFS"])
@pytest.mark.parametrize(("last", "suffix"), [("contains", ""), ("strict", "_strict")])
def test_patients_on_a_grid(endpoint, last, suffix):
    groups = {}
    with reference("atc/survival_synthetic/synthetic_truth_ipd.csv").open() as lines:
        for row in csv.DictReader(lines):
            if row["endpoint"] == endpoint:
                groups.setdefault(row["study"], []).append((float(row["time"]), int(row["event"])))
    patients = {study: tuple(zip(*rows, strict=True)) for study, rows in groups.items()}
    frame = grid_table(patients, 1, last=last, horizon=24)
    _, time, n_risk, survival = table(f"atc/survival_synthetic/msurv_atc_{endpoint}{suffix}")
    within(frame.time, time, 0)
    within(frame.n_risk, n_risk, 0)
    within(frame.survival, survival, 1e-12)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ((["A"], [1], [20], [0.6]), "one study"),
        ((["A", "A", "A"], [1, 2, 3], [20, 11, 7], [0.6, 0.33, 0.1]), "one study"),
        ((["A", "B"], [1, 1], [20, 30], [0.6, 0.3]), "every study has one time"),
    ],
)
def test_heterogeneity_that_does_not_exist_has_no_number(columns, why):
    pooled = summary_curve(*columns, draws=100)
    assert math.isnan(pooled.I2) and math.isnan(pooled.H2)
    assert why in pooled.notes[-1] and "no I²" in pooled.summary()
    lone = pooled.studies == 1
    assert (pooled.I2_time[lone] == 0).all() and (pooled.I2_time[~lone] > 0).all()
    if lone.all():
        assert (pooled.Q, pooled.df_Q, pooled.pval_Q) == (0, 0, 1)


def test_times_with_few_at_risk_are_marked():
    pooled = summary_curve(["A", "A", "A"], [1, 2, 3], [20, 10, 9], [0.6, 0.33, 0.1], draws=100)
    assert list(pooled.to_frame()) == ["time", "survival", "lower", "upper", "n_risk", "studies", "sparse"]
    assert [row["sparse"] for row in pooled.rows()] == [False, False, True]


def test_a_time_of_one_study_adds_no_heterogeneity():
    columns = (["A", "A", "B", "B", "C", "C", "C"], [1, 2, 1, 2, 1, 2, 3], [20, 9, 30, 17, 41, 30, 13])
    pooled = summary_curve(*columns, [0.5, 0.3, 0.6, 0.5, 0.7, 0.4, 0.13], draws=100)
    assert pooled.heterogeneity()[2] == {
        "time": 3,
        "studies": 1,
        "Q": 0,
        "df": 0,
        "I2": 0,
        "tau2": pytest.approx(0, abs=1e-12),
    }
    assert pooled.I2 == pytest.approx(max(0, 1 - 4 / pooled.Q))


def test_a_flat_end_is_not_carried_past_follow_up():
    trials = {"ended": ([1, 4, 7], [1, 0, 0]), "dead": ([1, 4, 7], [1, 0, 1]), "longer": ([2, 12], [1, 0])}
    ends = {
        last: grid_table(trials, 3, last=last).groupby("study").time.max().to_dict()
        for last in ("observed", "contains", "strict")
    }
    assert ends["observed"] == {"ended": 6, "dead": 9, "longer": 12}
    assert ends["contains"] == {"ended": 9, "dead": 9, "longer": 12}
    assert ends["strict"] == {"ended": 6, "dead": 6, "longer": 12}
    frame = grid_table(trials, 3)
    assert frame[frame.study == "dead"].survival.iloc[-1] == 0
    assert frame.equals(grid_table(trials, 3, last="observed"))
    with pytest.raises(DataError, match="ended: follow-up ends at 7, before the first grid time 8"):
        grid_table(trials, 8)
    with pytest.raises(UnknownName, match="observed"):
        grid_table(trials, 3, last="all")


def test_the_pooled_tail_is_not_biased_by_where_follow_up_ends():
    off = []
    for seed in range(30):
        rng, trials = np.random.default_rng(seed), {}
        for i in range(6):
            end, time = rng.uniform(9, 24), rng.exponential(10, 50)
            trials[f"t{i}"] = (np.minimum(time, end), time <= end)
        grid = grid_table(trials, 6)
        pooled = summary_curve(grid.study, grid.time, grid.n_risk, grid.survival, draws=100)
        if pooled.time[-1] >= 18:
            off.append(pooled.at(18) - math.exp(-1.8))
    # Standard error of the mean 0.009; with flat ends carried on it is 0.04 off.
    assert abs(np.mean(off)) < 0.015


grids = st.lists(
    st.tuples(st.integers(8, 40), st.lists(st.floats(0, 1), min_size=1, max_size=8)), min_size=1, max_size=5
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(grids, st.sampled_from(["fixed", "random"]), st.sampled_from([None, (0.25, 0.5)]))
def test_laws(studies, model, correction):
    rows = []
    for i, (n, steps) in enumerate(studies):
        s, alive = 1.0, n
        for j, p in enumerate(steps, 1):
            rows.append((f"S{i}", j, alive, s * p))
            s, alive = s * p, max(int(alive * p), 0)
    columns = tuple(zip(*rows, strict=True))
    try:
        pooled = summary_curve(*columns, model=model, correction=correction, draws=400)
    except DataError as refused:
        assert "nobody at risk" in str(refused)
        return
    assert (np.diff(np.append(1.0, pooled.survival)) <= 1e-12).all()
    assert ((pooled.lower >= 0) & (pooled.lower <= pooled.survival + 1e-12)).all()
    assert ((pooled.survival <= pooled.upper + 1e-12) & (pooled.upper <= 1)).all()
    assert 0 <= pooled.I2 <= 1 or (math.isnan(pooled.I2) and "do not exist" in pooled.notes[-1])
    assert math.isfinite(pooled.median) or pooled.median_reason
    backwards = summary_curve(*(column[::-1] for column in columns), model=model, correction=correction, draws=400)
    np.testing.assert_allclose(backwards.survival, pooled.survival, atol=1e-9)
