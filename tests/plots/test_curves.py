import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metagrove as mg
from known import reference
from metagrove.core.errors import DataError, MethodError
from metagrove.plots.canvas import draw
from metagrove.plots.curve_panel import CurvePanel, CurveTrack
from metagrove.plots.curve_source import arms_panel, pooled_panel, survival_plot
from metagrove.plots.curves import curves_drawing
from metagrove.plots.marks import Line, Shape, Text

LAW = settings(derandomize=True, deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
NAMES = st.text("abcdefghijklmnoprstuvwyzÄéßŁ ,.-0123456789&()$_", min_size=1, max_size=80)


@st.composite
def panels(draw_):
    tracks = []
    for _ in range(draw_(st.integers(1, 13))):
        m = draw_(st.integers(1, 30))
        time = np.cumsum(draw_(st.lists(st.floats(0.01, 9), min_size=m, max_size=m)))
        survival = np.cumprod(draw_(st.lists(st.floats(0, 1), min_size=m, max_size=m)))
        band = draw_(st.booleans())
        n = draw_(st.integers(1, 20000))
        tracks.append(
            CurveTrack(
                draw_(NAMES),
                time,
                survival,
                survival * 0.5 if band else None,
                np.minimum(survival * 1.5, 1) if band else None,
                kind=draw_(st.sampled_from(["pooled", "study", "arm"])),
                steps=draw_(st.booleans()),
                censored=tuple(time[::3]),
                at_risk=(lambda t, n=n: int(n / (1 + t))) if draw_(st.booleans()) else None,
                median=draw_(st.sampled_from([float("nan"), 1.5])),
                thin_after=draw_(st.sampled_from([None, 1.0])),
            )
        )
    warning = draw_(st.sampled_from(["", "made by a computer search; never quote them as clinical results " * 2]))
    unit = draw_(st.sampled_from(["days", "weeks", "months", "years"]))
    return CurvePanel(tuple(tracks), unit, draw_(NAMES), draw_(NAMES), synthetic=warning, footer=("A note. " * 20,))


@LAW
@given(panels(), st.sampled_from([None, 60.0, 85.0, 180.0, 400.0]))
def test_nothing_overlaps_and_nothing_is_clipped(lawful, panel, width):
    lawful(curves_drawing(panel), width)


@pytest.fixture(scope="module")
def pooled():
    patients = pd.read_csv(reference("atc/survival_synthetic/synthetic_truth_ipd.csv"))
    patients = patients[patients.endpoint == "OS"]
    by_study = {s: (g.time.to_numpy(), g.event.to_numpy()) for s, g in patients.groupby("study", sort=False)}
    grid = pd.DataFrame(mg.grid_table(by_study, 1.0, horizon=24))
    return mg.summary_curve(grid.study, grid.time, grid.n_risk, grid.survival, correction=None)


def numbers_under(page, tick):
    """The column of texts set at the place of the axis label `tick`."""
    label = next(m for m in page.marks if isinstance(m, Text) and m.text == tick and m.anchor == "middle")
    below = [m for m in page.marks if isinstance(m, Text) and m.x == label.x and m.y > label.y and m.anchor == "middle"]
    return [m.text for m in sorted(below, key=lambda m: m.y)]


def test_numbers_at_risk_stand_under_their_times(lawful, pooled):
    drawing = curves_drawing(pooled_panel(pooled, outcome="Overall survival", prediction=True, synthetic="made up"))
    lawful(drawing, 180)
    lawful(drawing, 85)
    patients = pd.read_csv(reference("atc/survival_synthetic/synthetic_truth_ipd.csv"))
    os = patients[patients.endpoint == "OS"]
    beyond_six = [str(int((os[os.study == c.study].time > 6).sum())) for c in pooled.curves]
    shown = numbers_under(drawing.page(180), "6")
    assert shown[:-1] == beyond_six
    assert shown[-1] == str(round(float(pooled.n_risk[6])))


def test_synthetic_curves_are_marked_and_others_are_not(pooled):
    marked = curves_drawing(pooled_panel(pooled, synthetic="made up")).svg().decode()
    assert marked.count("SYNTHETIC") == 2
    assert "SYNTHETIC" not in curves_drawing(pooled_panel(pooled)).svg().decode()


def test_the_curve_passes_through_its_points(pooled):
    drawing = curves_drawing(pooled_panel(pooled, studies=False))
    thick = next(m for m in drawing.page().marks if isinstance(m, Line) and m.width == 2.0 and len(m.points) > 2)
    heights = [y for _, y in thick.points]
    share = [(heights[0] - y) for y in heights[: len(pooled.survival) + 1]]
    drop = share[5] / share[1]
    assert drop == pytest.approx((1 - pooled.survival[4]) / (1 - pooled.survival[0]))


def test_arms_have_censoring_marks_bands_and_medians():
    arms = {"A": mg.survival_curve([1, 2, 3, 4, 5], [1, 1, 0, 1, 0]), "B": mg.survival_curve([2, 3, 8], [0, 1, 1])}
    drawing = draw(arms_panel(arms))
    words = drawing.svg().decode()
    assert "median 4.0 (95% CI" in words and ">Time<" in words and "Number at risk" in words
    words = draw(arms_panel(arms, unit="weeks")).svg().decode()
    assert "median 4.0 weeks" in words and "Time (weeks)" in words
    marks = drawing.page().marks
    upright = [m for m in marks if isinstance(m, Line) and len(m.points) == 2 and m.width == 0.8 and not m.dash]
    assert len(upright) == 3
    assert len([m for m in marks if isinstance(m, Shape)]) == 2


def test_bytes_are_the_same_on_repeat(pooled):
    assert curves_drawing(pooled_panel(pooled)).svg() == curves_drawing(pooled_panel(pooled)).svg()


def test_data_are_the_points(pooled):
    rows = curves_drawing(pooled_panel(pooled, synthetic="yes")).data()
    mine = [row for row in rows if row["kind"] == "pooled"]
    assert [row["survival"] for row in mine] == pytest.approx(list(pooled.survival))
    assert all(row["synthetic"] for row in rows)


def test_refusals_name_the_curve():
    with pytest.raises(DataError, match="Lee: survival lies between 0 and 1"):
        CurveTrack("Lee", np.array([1.0]), np.array([1.2]))
    with pytest.raises(DataError, match="without curves"):
        CurvePanel(())


def test_every_survival_result_has_its_plot(lawful, pooled):
    single = mg.survival_curve([1, 2, 3, 4, 5], [1, 1, 0, 1, 0])
    lawful(single.plot())
    assert "All patients" in single.plot().svg().decode()
    lawful(pooled.plot(), 180)
    without = pooled.leave_one_out()
    drawing = survival_plot(without, outcome="Overall survival", unit="weeks", synthetic="made up", title="A title")
    lawful(drawing, 180)
    text = drawing.svg().decode()
    assert all(f"Without {curve.study}" in text for curve in pooled.curves)
    assert "Time (weeks)" in text and "SYNTHETIC" in text
    drugs = [curve.study.split("_")[1] for curve in pooled.curves]
    rows = [(c.study, t, n, s) for c in pooled.curves for t, n, s in zip(c.time, c.n_risk, c.survival, strict=True)]
    by_study = dict(zip([c.study for c in pooled.curves], drugs, strict=True))
    lenvatinib = ["lenvatinib" if by_study[r[0]] == "lenvatinib" else "other" for r in rows]
    columns = [list(column) for column in zip(*rows, strict=True)]
    strata = mg.summary_curve_strata(*columns, lenvatinib)
    lawful(survival_plot(strata), 180)
    assert {"lenvatinib", "other"} <= {row["curve"] for row in strata.plot().data()}


def test_no_plot_is_refused_by_name():
    with pytest.raises(MethodError, match="no survival plot for a int"):
        survival_plot(3)


def test_parametric_fits_are_dashed_where_they_extrapolate(lawful):
    time, event = [1, 2, 2.5, 3, 4, 5, 6, 8, 9, 12], [1, 1, 1, 0, 1, 1, 1, 0, 1, 0]
    table = mg.compare_families(time, event, ["exponential", "weibull"])
    observed = mg.survival_curve(time, event)
    drawing = survival_plot(table, observed=observed, horizon=20)
    lawful(drawing, 150)
    words = drawing.svg().decode()
    assert "extrapolated" in words and "weibull (AIC" in words and "Observed" in words
    dashed = [m for m in drawing.page().marks if isinstance(m, Line) and m.dash == (1.6, 1.6)]
    solid = [m for m in drawing.page().marks if isinstance(m, Line) and m.width == 1.3 and not m.dash]
    assert len(dashed) == 2
    ends = {round(m.points[0][0], 3) for m in dashed}
    assert len(ends) == 1 and ends <= {round(m.points[-1][0], 3) for m in solid}
    assert table.fits[0].plot().svg().count(b"95%") == 0
