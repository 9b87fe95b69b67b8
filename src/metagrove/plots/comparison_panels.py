"""Groups compared and trials pooled over time, as survival plots: tests, hazard ratios, restricted means, frailties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.plots.canvas import Drawing
from metagrove.plots.curve_panel import CurvePanel, CurveTrack
from metagrove.plots.forest import forest_drawing
from metagrove.plots.forest_table import ForestBlock, ForestRow, ForestTable
from metagrove.plots.style import Style

if TYPE_CHECKING:
    from metagrove.pooling.curves.frail_trials import FrailDistribution
    from metagrove.pooling.curves.multivariate_survival import MultivariateSurvival
    from metagrove.pooling.curves.regression import CurveRegression
    from metagrove.survival.cox import Cox
    from metagrove.survival.kaplan_meier import KaplanMeier
    from metagrove.survival.restricted_mean import RestrictedMeanContrast

__all__ = ["SOURCES", "arm_track", "covariates_forest"]


def arm_track(name: str, curve: KaplanMeier, *, band: bool = True) -> CurveTrack:
    """A Kaplan-Meier curve as a track, with its limits where asked for, censoring marks and numbers at risk."""
    lower, upper = curve.interval()
    low, high = curve.median_ci()

    def at_risk(t: float) -> int | None:
        return int(curve.n_risk_at(t))

    return CurveTrack(
        name,
        curve.time,
        curve.survival,
        lower if band else None,
        upper if band else None,
        censored=tuple(float(t) for t in curve.time[np.asarray(curve.n_censor) > 0]),
        at_risk=at_risk,
        median=curve.median,
        median_lower=low,
        median_upper=high,
    )


def _name(group: Any) -> str:
    shown = f"{group:g}" if isinstance(group, (int, float, np.number)) else str(group)
    return f"Group {shown}" if len(shown) <= 3 else shown


def _tracks(curves: Mapping[Any, KaplanMeier], band: bool = True) -> tuple[CurveTrack, ...]:
    return tuple(arm_track(_name(group), curve, band=band) for group, curve in curves.items())


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def _tested(result: Any, outcome: str) -> CurvePanel:
    """The curves of the groups of a log-rank test, with the test."""
    weighted = f", weights rho {result.rho:g}, gamma {result.gamma:g}" if result.rho or result.gamma else ""
    said = f"Log-rank test{weighted}: χ² = {result.chisq:.2f}, df = {result.df}, {_p(result.p)}."
    return CurvePanel(_tracks(result.curves, len(result.groups) <= 3), outcome=outcome, footer=(said,))


def _hazards(result: Cox, outcome: str) -> CurvePanel:
    """The curves of the two groups of Cox's model, with the hazard ratio."""
    low, high = result.hr_ci
    curves = result.curves
    first, second = (_name(value) for value in curves)
    strata = f", {result.strata} strata" if result.strata > 1 else ""
    said = (
        f"Hazard ratio, {second[0].lower() + second[1:]} against {first[0].lower() + first[1:]}: {result.hr:.2f} "
        f"({100 * result.level:g}% CI {low:.2f} to {high:.2f}), {_p(result.p)} (Cox{strata})."
    )
    return CurvePanel(_tracks(curves), outcome=outcome, level=result.level, footer=(said,))


def covariates_forest(result: Cox, style: Style | str | None = None) -> Drawing:
    """The hazard ratios of Cox's model with several covariates, or one that is no group, as a forest plot."""
    rows = tuple(
        ForestRow(f"Covariate {j + 1}", line["hr"], line["lower"], line["upper"])
        for j, line in enumerate(result.rows())
    )
    table = ForestTable(
        (ForestBlock(rows),),
        "Hazard ratio",
        logarithmic=True,
        reference=1.0,
        footer=(f"{result.n} patients, {result.events} events.", result.explain().sentence),
        label_heading="Covariate",
        level=result.level,
    )
    return forest_drawing(table, style=style)


def _shared_times(*curves: KaplanMeier, until: float) -> Array:
    """The times of all curves up to `until`, which is the last."""
    times = np.unique(np.concatenate([curve.time for curve in curves]))
    return np.append(times[times < until], until).astype(np.float64)


def _areas(result: RestrictedMeanContrast, outcome: str) -> CurvePanel:
    """Both curves up to the horizon with the area between them, which is the difference of restricted means."""
    if result.curves is None:
        raise MethodError("the curves behind these restricted means are not known; compare groups of patients")
    zero, one = result.curves
    tau = result.group1.tau
    times = _shared_times(zero, one, until=tau)
    between = CurveTrack("Area between the curves", times, one.at(times), zero.at(times), one.at(times), kind="shade")
    means = "; ".join(
        f"{name} {mean.estimate:.2f} ({100 * result.level:g}% CI {mean.ci[0]:.2f} to {mean.ci[1]:.2f})"
        for name, mean in (("group 0", result.group0), ("group 1", result.group1))
    )
    low, high = result.difference_ci
    said = (
        f"Restricted mean up to {tau:g}: {means}.",
        f"Difference, the shaded area: {result.difference:.2f} ({low:.2f} to {high:.2f}), {_p(result.p)}.",
    )
    nan = float("nan")
    arms = (
        replace(track, median=nan, median_lower=nan, median_upper=nan) for track in _tracks({0: zero, 1: one}, False)
    )
    tracks = (between, *arms)
    return CurvePanel(tracks, outcome=outcome, level=result.level, horizon=tau, footer=said)


def _milestones(result: MultivariateSurvival, outcome: str) -> CurvePanel:
    """Survival at the chosen times with its limits and those for a new trial."""
    track = CurveTrack(
        "Pooled at the chosen times",
        result.time,
        result.survival,
        result.lower,
        result.upper,
        (result.predict_lower, result.predict_upper),
        "points",
        steps=False,
    )
    counts = ", ".join(f"{n:g} at {t:g}" for t, n in zip(result.time, result.studies, strict=True))
    return CurvePanel(
        (track,),
        outcome=outcome,
        level=result.level,
        horizon=1.08 * float(result.time[-1]),
        footer=(f"Trials that contribute: {counts}.", *result.notes),
    )


def _frail(result: FrailDistribution, outcome: str) -> CurvePanel:
    """The distribution over all trials with the band for a new one, and each trial's own; dashed beyond follow-up."""
    last = 1.5 * result.observed_until
    times = np.linspace(0.0, last, 151)[1:]
    own = tuple(
        CurveTrack(
            name, times, result.of_study(name, times), kind="study", steps=False, thin_after=result.observed_until
        )
        for name in result.studies
    )
    lower, upper = result.prediction(times)
    whole = CurveTrack(
        f"All trials ({result.family})",
        times,
        result.at(times),
        predicted=(lower, upper) if result.theta > 0 else None,
        kind="pooled",
        steps=False,
        thin_after=result.observed_until,
    )
    return CurvePanel(
        (*own, whole) if result.theta > 0 else (whole,),
        outcome=outcome,
        level=result.level,
        thin_words="Curves are dashed beyond the last observed time: there they are extrapolated.",
        footer=(f"{result.summary()[0].upper() + result.summary()[1:]}.",),
    )


def _shifted(result: CurveRegression, outcome: str) -> CurvePanel:
    """The summary curve at the lowest and the highest value of the covariate."""
    found = [(value, result.at(value)) for value in (float(result.values.min()), float(result.values.max()))]
    tracks = tuple(
        CurveTrack(
            f"Covariate {value:.4g}",
            curve.time,
            curve.survival,
            curve.lower,
            curve.upper,
            steps=False,
            median=curve.median,
            median_lower=curve.median_lower,
            median_upper=curve.median_upper,
        )
        for value, curve in found
    )
    slope = f"{result.slope:.3g}".replace("-", "−")
    said = f"Shift per unit of the covariate on the arcsine scale: {slope} (SE {result.se:.2g}), {_p(result.p)}."
    return CurvePanel(tracks, outcome=outcome, level=result.settings.level, footer=(said,))


#: Which panel shows which kind of result: (result, outcome) to a panel.
SOURCES = {
    "LogRank": _tested,
    "Cox": _hazards,
    "RestrictedMeanContrast": _areas,
    "MultivariateSurvival": _milestones,
    "FrailDistribution": _frail,
    "CurveRegression": _shifted,
}
