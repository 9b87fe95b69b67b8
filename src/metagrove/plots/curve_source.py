"""From survival results to their plots: pooled curves, strata, arms, draws of patients, curves without each study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.plots.canvas import Drawing
from metagrove.plots.comparison_panels import SOURCES, arm_track
from metagrove.plots.curve_panel import CurvePanel, CurveTrack
from metagrove.plots.curves import curves_drawing
from metagrove.plots.style import Style

if TYPE_CHECKING:
    from metagrove.pooling.curves.influence import CurveInfluence
    from metagrove.pooling.curves.strata import CurveStrata
    from metagrove.pooling.curves.summary import PooledCurve
    from metagrove.survival.kaplan_meier import KaplanMeier
    from metagrove.survival.parametric import ParametricSurvival
    from metagrove.survival.reconstruction.rebuilt import RebuiltPatients

__all__ = ["arms_panel", "families_panel", "influence_panel", "pooled_panel", "strata_panel", "survival_plot"]


def survival_plot(
    result: Any,
    style: Style | str | None = None,
    *,
    outcome: str = "Survival",
    unit: str = "",
    studies: bool = True,
    prediction: bool | None = None,
    synthetic: str = "",
    horizon: float | None = None,
    observed: KaplanMeier | None = None,
    title: str = "",
) -> Drawing:
    """The plot of a survival result, with numbers at risk under the axis.

    Parameters
    ----------
    result : a pooled curve (also one combined over draws), its strata, its regression, its leave-one-out curves, one
        Kaplan-Meier curve, a mapping from the names of arms to Kaplan-Meier curves, rebuilt patients of one arm or two, one
        parametric fit or a table of families, also with a frailty between trials, survival pooled at several times, a
        log-rank test, a difference of restricted means, or Cox's model of two groups.
    outcome, unit : over the axes; no unit where it is not given.
    studies, prediction : of a pooled curve: the studies' own curves, and the band for a new trial, by default drawn for
        random effects of three studies or more.
    synthetic : words of warning where the data are not real; the plot is then marked SYNTHETIC.
    horizon : where the time axis ends; for parametric fits half as far again as was observed where not given.
    observed : the Kaplan-Meier curve under parametric fits.
    """
    name = type(result).__name__
    if name == "ImputedCurve":
        result, name = result.curve, "PooledCurve"
    elif name == "RebuiltPatients":
        result, name = _curve_of(result), "KaplanMeier"
    elif name == "RebuiltArms":
        result = {"Control": _curve_of(result.control), "Treated": _curve_of(result.treated)}
    if name == "PooledCurve":
        panel = pooled_panel(result, outcome=outcome, studies=studies, prediction=prediction)
    elif name == "CurveStrata":
        panel = strata_panel(result, outcome=outcome)
    elif name == "CurveInfluence":
        panel = influence_panel(result, outcome=outcome)
    elif name == "KaplanMeier":
        panel = arms_panel({"All patients": result}, outcome=outcome)
    elif name in ("ParametricSurvival", "FamilyTable"):
        fits = (result,) if name == "ParametricSurvival" else result.fits
        panel = families_panel(fits, observed, outcome=outcome, horizon=horizon)
    elif name in SOURCES:
        panel = SOURCES[name](result, outcome)
    elif isinstance(result, Mapping):
        panel = arms_panel(result, outcome=outcome)
    else:
        raise MethodError(f"no survival plot for a {name}")
    panel = replace(panel, unit=unit, synthetic=synthetic, horizon=horizon or panel.horizon, title=title)
    return curves_drawing(panel, style=style)


def _curve_of(patients: RebuiltPatients) -> KaplanMeier:
    from metagrove.survival.kaplan_meier import survival_curve

    return survival_curve(patients.time, patients.event)


def pooled_panel(
    result: PooledCurve,
    *,
    outcome: str = "Survival",
    unit: str = "",
    studies: bool = True,
    prediction: bool | None = None,
    synthetic: str = "",
) -> CurvePanel:
    """The plot of a pooled curve over its studies, with their numbers at risk.

    `studies` draws the studies' own curves, `prediction` the band for the curve of a new trial, by default for random
    effects of three studies or more.
    """
    if prediction is None:
        prediction = result.model == "random" and len(result.curves) >= 3
    starts = np.append(0.0, result.time[:-1])
    reliable = result.reliable_until()
    pooled = CurveTrack(
        f"Pooled ({result.model} effects)",
        result.time,
        np.clip(result.survival, 0.0, 1.0),
        result.lower,
        result.upper,
        result.prediction() if prediction else None,
        "pooled",
        steps=False,
        at_risk=_counts(starts, result.n_risk, float(result.time[-1]), ended=False),
        median=result.median,
        median_lower=result.median_lower,
        median_upper=result.median_upper,
        thin_after=reliable if 0 < reliable < result.time[-1] else None,
    )
    own = tuple(
        CurveTrack(
            curve.study,
            curve.time,
            curve.survival,
            kind="study",
            steps=False,
            at_risk=_counts(
                np.append(0.0, curve.time[:-1]),
                curve.n_risk,
                float(curve.time[-1]),
                ended=bool(curve.survival[-1] == 0),
            ),
        )
        for curve in result.curves
    )
    footer = (*result.notes, *((f"Median: {result.median_reason}",) if result.median_reason else ()))
    return CurvePanel(
        (*(own if studies else ()), pooled),
        unit,
        outcome,
        level=result.level,
        risk_times=tuple(float(t) for t in (*starts, result.time[-1])),
        synthetic=synthetic,
        footer=footer,
    )


def _counts(starts: Array, n_risk: Array, last: float, *, ended: bool) -> Callable[[float], int | None]:
    """Numbers at risk known at the starts of intervals; 0 after the last time, and at it where nobody is left."""
    slack = 1e-6 * max(last, 1.0)

    def at_risk(t: float) -> int | None:
        hit = np.flatnonzero(np.abs(starts - t) <= slack)
        if hit.size:
            return round(float(n_risk[hit[0]]))
        return 0 if t > last + slack or (ended and abs(t - last) <= slack) else None

    return at_risk


def arms_panel(
    arms: Mapping[str, KaplanMeier],
    *,
    outcome: str = "Survival",
    unit: str = "",
    band: bool = True,
    synthetic: str = "",
) -> CurvePanel:
    """The Kaplan-Meier plot of arms by name, with bands, censoring marks and numbers at risk."""
    return CurvePanel(
        tuple(arm_track(name, curve, band=band) for name, curve in arms.items()), unit, outcome, synthetic=synthetic
    )


def strata_panel(result: CurveStrata, *, outcome: str = "Survival") -> CurvePanel:
    """The pooled curves of strata side by side, each with its band."""
    tracks, times = [], set[float]()
    for name, curve in zip(result.names, result.curves, strict=True):
        whole = pooled_panel(curve, studies=False)
        tracks.append(replace(whole.tracks[-1], label=name, kind="arm"))
        times = times & set(whole.risk_times) if times else set(whole.risk_times)
    test = f"Test of differences between strata: χ² = {result.chisq:.2f}, df = {result.df}, p = {result.p:.3g}"
    said = (f"{test}.",) if np.isfinite(result.p) else ()
    level = result.curves[0].level
    return CurvePanel(tuple(tracks), outcome=outcome, level=level, risk_times=tuple(sorted(times)), footer=said)


def families_panel(
    fits: Sequence[ParametricSurvival],
    observed: KaplanMeier | None = None,
    *,
    outcome: str = "Survival",
    horizon: float | None = None,
) -> CurvePanel:
    """Parametric survival curves, best AIC first, over the observed one; dashed beyond what was observed."""
    last = horizon or 1.5 * max(fit.observed_until for fit in fits)
    times = np.linspace(0.0, last, 201)[1:]
    tracks = []
    for fit in sorted(fits, key=lambda fit: fit.aic):
        lower, upper = fit.interval_at(times) if len(fits) == 1 else (None, None)
        level = np.clip(np.asarray(fit.at(times), dtype=float), 0.0, 1.0)
        name = f"{fit.family} (AIC {fit.aic:.1f})"
        end = fit.observed_until if fit.observed_until < last else None
        tracks.append(CurveTrack(name, times, level, lower, upper, steps=False, thin_after=end))
    if observed is not None:
        tracks.append(arm_track("Observed", observed, band=False))
    words = "Curves are dashed beyond the last observed time: there they are extrapolated."
    return CurvePanel(tuple(tracks), outcome=outcome, level=fits[0].level, horizon=horizon, thin_words=words)


def influence_panel(result: CurveInfluence, *, outcome: str = "Survival") -> CurvePanel:
    """The pooled curve and, thin, the curve without each study in turn."""
    whole = pooled_panel(result.whole, outcome=outcome, studies=False)
    without = tuple(
        CurveTrack(f"Without {name}", curve.time, np.clip(curve.survival, 0.0, 1.0), kind="study", steps=False)
        for name, curve in zip(result.omitted, result.curves, strict=True)
    )
    return replace(whole, tracks=(*without, *whole.tracks))
