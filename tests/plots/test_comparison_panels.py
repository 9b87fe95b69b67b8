"""Plots of compared groups and of trials pooled over time: what they show, and that nothing overlaps."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.core.errors import MethodError
from metagrove.plots.curve_source import survival_plot
from metagrove.plots.marks import Disc, Line, Shape
from metagrove.survival.restricted_mean import restricted_mean_contrast


def arms(seed=1, n=80):
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    time, end = rng.exponential(10, n) * np.exp(0.6 * group), rng.uniform(4, 30, n)
    return np.minimum(time, end), time <= end, group


@pytest.fixture(scope="module")
def trials():
    found = {}
    for i, factor in enumerate((0.4, 0.8, 1.2, 2.5)):
        time, event, _ = arms(i, 70)
        found[f"Trial {i}"] = (time * factor, event)
    return found


def words(drawing):
    return drawing.svg().decode()


def test_a_log_rank_test_shows_its_curves_and_the_test(lawful):
    test = mg.log_rank(*arms())
    drawing = test.plot()
    lawful(drawing, 120)
    assert f"χ² = {test.chisq:.2f}, df = 1, p = " in words(drawing)
    assert "Group 0: median" in words(drawing) and "Number at risk" in words(drawing)
    shown = [row["survival"] for row in drawing.data() if row["curve"] == "Group 1"]
    time, event, group = arms()
    assert shown == pytest.approx(mg.survival_curve(time[group == 1], event[group == 1]).survival)
    named = mg.log_rank(time, event, np.where(group, "Drug", "Placebo"), rho=1).plot()
    assert "Placebo: median" in words(named) and "weights rho 1" in words(named)


def test_a_cox_model_shows_its_groups_or_its_covariates(lawful):
    time, event, group = arms()
    fit = mg.cox(time, event, group)
    lawful(fit.plot(), 120)
    assert f"Hazard ratio, group 1 against group 0: {fit.hr:.2f}" in words(fit.plot())
    assert list(fit.curves) == [0.0, 1.0] and fit.curves[1.0].n == 40
    several = mg.cox(time, event, np.column_stack((group, np.sin(np.arange(80)))))
    lawful(several.plot(), 120)
    assert "Covariate 2" in words(several.plot())
    with pytest.raises(MethodError, match="values; curves are those of two groups"):
        _ = mg.cox(time, event, np.sin(np.arange(80))).curves


def test_restricted_means_shade_the_area_between(lawful):
    found = mg.restricted_mean_difference(*arms(), tau=10)
    drawing = survival_plot(found, unit="weeks")
    lawful(drawing, 120)
    assert f"{found.difference:.2f} (" in words(drawing) and "Time (weeks)" in words(drawing)
    shade = max((m for m in drawing.page().marks if isinstance(m, Shape)), key=lambda m: len(m.points))
    x, y = np.array(shade.points).T
    area = 0.5 * float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    axes = [m.points for m in drawing.page().marks if isinstance(m, Line) and len(m.points) == 2 and not m.dash]
    across = max(abs(b[0] - a[0]) for a, b in axes)
    upward = max(abs(b[1] - a[1]) for a, b in axes)
    assert abs(area) / (across * upward) * 10 == pytest.approx(abs(found.difference), rel=1e-6)
    with pytest.raises(MethodError, match="curves behind these restricted means"):
        restricted_mean_contrast(found.group1, found.group0).plot()


def test_residuals_show_the_course_of_each_log_hazard_ratio(lawful):
    time, event, group = arms()
    test = mg.cox(time, event, np.column_stack((group, np.sin(np.arange(80))))).proportionality()
    drawing = test.plot()
    lawful(drawing, 150)
    assert len([m for m in drawing.page().marks if isinstance(m, Disc)]) == 2 * event.sum() + 1
    assert "covariate 2" in words(drawing) and f"χ² = {test.chisq:.2f}" in words(drawing)
    few = mg.cox([1, 2, 3, 4, 5, 6], [1, 1, 0, 1, 1, 1], [0, 1, 0, 1, 1, 0]).proportionality().plot()
    lawful(few, 100)


def test_trials_pooled_over_time_have_their_plots(lawful, trials):
    together = mg.multivariate_survival(trials, [3, 6, 9])
    lawful(together.plot(), 120)
    assert len([m for m in together.plot().page().marks if isinstance(m, Disc)]) == 4
    frail = mg.frail_distribution(trials)
    lawful(frail.plot(), 120)
    assert {row["curve"] for row in frail.plot().data()} == {*trials, "All trials (weibull)"}
    alike = mg.frail_distribution(dict.fromkeys("ABC", trials["Trial 1"]))
    lawful(alike.plot(), 120)
    assert "at its boundary" in words(alike.plot())
    grid = mg.grid_table(trials, step=2)
    order = grid.study.map(lambda name: float(name[-1]))
    trend = mg.summary_curve_regression(grid.study, grid.time, grid.n_risk, grid.survival, order)
    lawful(trend.plot(), 120)
    assert "Covariate 0: median" in words(trend.plot()) and "Covariate 3" in words(trend.plot())
