"""Parametric survival of one group of patients: fits, information criteria, extrapolation marked as such."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import ConvergenceError, DataError, MethodError, UnknownName
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array, PatientTimes
from metagrove.survival.families import FAMILIES, Family
from metagrove.survival.likelihood_peak import FamilyLikelihood, likelihood_peak
from metagrove.survival.risk_sets import patient_times
from metagrove.survival.splines import ROYSTON_PARMAR, spline_family, spline_knots

__all__ = ["FamilyTable", "ParametricSurvival", "compare_families", "parametric_survival"]

_LATIMER = (
    "Latimer NR. Survival analysis for economic evaluations alongside clinical trials: extrapolation with "
    "patient-level data. Med Decis Making 2013;33:743-754. doi:10.1177/0272989X12472398"
)


@dataclass(frozen=True, slots=True, eq=False)
class ParametricSurvival(Result):
    """A fitted distribution of survival times.

    Parameters
    ----------
    family : its name; `knots` (of log time, in `unit`s) and `scale` only for splines.
    parameters : names; those that begin with "log " are logarithms.
    b, cov : shapes (p,) and (p, p), estimates with time measured in `unit`, and their covariance.
    unit : the length of time that was 1 while fitting (the mean follow-up).
    loglik : on the scale of the times given.
    n, events : patients and events.
    observed_until : the last time of any patient; everything after it is extrapolation.
    """

    family: str
    parameters: tuple[str, ...]
    b: Array
    cov: Array
    unit: float
    loglik: float
    n: int
    events: int
    observed_until: float
    level: float = 0.95
    knots: Array | None = None
    scale: str = "hazard"
    form: Family = field(repr=False, kw_only=True)

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return -2 * self.loglik + 2 * self.b.size

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, with the number of patients."""
        return -2 * self.loglik + math.log(self.n) * self.b.size

    @property
    def estimates(self) -> dict[str, float]:
        """Parameters in the units of the times given (splines: in `unit`s)."""
        b = self.b if self.knots is not None else self.form.rescale(self.b, self.unit)
        return dict(zip(self.parameters, map(float, b), strict=True))

    def _evaluate(self, t: ArrayLike, value: Callable[[Array], Array]) -> Any:
        times = np.asarray(t, dtype=float)
        if times.size and (not np.isfinite(times).all() or times.min() < 0):
            raise DataError("survival is asked for at a time that is negative or not a number")
        found = value(np.atleast_1d(times).ravel() / self.unit).reshape(times.shape)
        return float(found) if found.ndim == 0 else found

    def at(self, t: ArrayLike) -> Any:
        """Survival at each time in `t`."""
        return self._evaluate(t, lambda u: np.where(u > 0, np.exp(-self.form.cumulative(self.b, u)), 1.0))

    def hazard_at(self, t: ArrayLike) -> Any:
        """Hazard at each time in `t` (above 0), per unit of the times given."""
        return self._evaluate(t, lambda u: np.exp(self.form.log_hazard(self.b, u)) / self.unit)

    def extrapolated(self, t: ArrayLike) -> Any:
        """Whether each time in `t` lies beyond what was observed."""
        found = np.asarray(t, dtype=float) > self.observed_until
        return bool(found) if found.ndim == 0 else found

    def interval_at(self, t: ArrayLike) -> Any:
        """Limits of survival at each time in `t` by the delta method on log(-log S)."""
        from scipy.special import ndtri

        times = np.maximum(np.atleast_1d(np.asarray(t, dtype=float)).ravel() / self.unit, 1e-12)
        hazard = np.clip(self.form.cumulative(self.b, times), 1e-300, 1e300)
        gradient = self.form.slopes(self.b, times)[0] / hazard[:, None]
        gradient = np.where(np.isfinite(gradient), gradient, 0.0)
        half = ndtri(0.5 + self.level / 2) * np.sqrt(np.einsum("ip,pq,iq->i", gradient, self.cov, gradient))
        middle = np.log(hazard)
        shape = np.shape(np.asarray(t))
        return np.exp(-np.exp(middle + half)).reshape(shape), np.exp(-np.exp(middle - half)).reshape(shape)

    def quantile(self, p: float = 0.5) -> float:
        """The time by which a fraction `p` has had the event; NaN where the distribution never gets there.

        A Gompertz distribution with a falling hazard leaves some people without the event.
        """
        if not 0 < p < 1:
            raise DataError(f"the quantile asked for is {p:g}; it lies between 0 and 1")
        target, low, high = -math.log1p(-p), 0.0, self.observed_until
        for _ in range(200):
            if float(self.form.cumulative(self.b, np.array([high / self.unit]))[0]) >= target:
                break
            low, high = high, 2 * high
            if high > 1e9 * self.observed_until:
                return math.nan
        for _ in range(200):
            middle = (low + high) / 2
            reached = float(self.form.cumulative(self.b, np.array([middle / self.unit]))[0]) >= target
            low, high = (low, middle) if reached else (middle, high)
        return (low + high) / 2

    @property
    def median(self) -> float:
        """Median survival; look at `extrapolated(median)`."""
        return self.quantile(0.5)

    def restricted_mean(self, tau: float) -> float:
        """Mean survival time up to `tau`."""
        if not tau > 0 or not math.isfinite(tau):
            raise DataError(f"the horizon of a restricted mean is {tau:g}; it is a time above 0")
        nodes, weights = np.polynomial.legendre.leggauss(200)
        # The square pulls nodes towards 0, where a hazard may be infinite.
        share = (nodes + 1) / 2
        return float((weights * share * self.at(tau * share**2)).sum() * tau)

    def rows(self) -> list[dict[str, Any]]:
        """One line per point of a grid up to twice the follow-up: time, survival, limits, extrapolated."""
        times = np.linspace(0, 2 * self.observed_until, 101)
        lower, upper = self.interval_at(times[1:])
        lower, upper = np.append(1.0, lower), np.append(1.0, upper)
        return [
            {"time": float(t), "survival": float(s), "lower": float(a), "upper": float(z), "extrapolated": bool(x)}
            for t, s, a, z, x in zip(times, self.at(times), lower, upper, self.extrapolated(times), strict=True)
        ]

    def summary(self) -> str:
        """The family, its median and criteria as text."""
        median = self.median
        shown = "not reached" if math.isnan(median) else f"{median:.4g}"
        mark = " (extrapolated)" if not math.isnan(median) and self.extrapolated(median) else ""
        return f"{self._title()}: median {shown}{mark}, AIC {self.aic:.2f}, BIC {self.bic:.2f}"

    def _title(self) -> str:
        if self.knots is not None:
            return f"Royston-Parmar spline, {self.scale} scale, {self.knots.size - 2} inner knots"
        return FAMILIES.entry(self.family).title

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        cite = ROYSTON_PARMAR if self.knots is not None else FAMILIES.entry(self.family).cite
        return Explanation(
            f"A {self._title()} distribution was fitted by maximum likelihood; survival beyond the observed "
            f"{self.observed_until:g} is extrapolation.",
            (cite, _LATIMER),
        )


def _usable(time: ArrayLike, event: ArrayLike, name: str) -> PatientTimes:
    patients = patient_times(time, event)
    at_zero = patients.time == 0
    if (at_zero & patients.event).any():
        raise DataError("an event at time 0; parametric families need event times above 0")
    if int(patients.event.sum()) < 2:
        raise MethodError(f"{name}: {int(patients.event.sum())} events; a distribution needs at least 2")
    if np.ptp(patients.time[patients.event]) == 0:
        raise MethodError(
            f"{name}: every event is at {patients.time[patients.event][0]:g}; no distribution can be fitted"
        )
    return PatientTimes(patients.time[~at_zero], patients.event[~at_zero])


def parametric_survival(
    time: ArrayLike,
    event: ArrayLike,
    family: str = "weibull",
    *,
    knots: int = 2,
    scale: str = "hazard",
    level: float = 0.95,
) -> ParametricSurvival:
    """A distribution of survival times fitted by maximum likelihood.

    Parameters
    ----------
    time, event : shape (n,), follow-up above 0 and whether it ended in the event.
    family : a name in FAMILIES, or "royston-parmar" for a spline.
    knots : inner knots of a spline, at centiles of the log event times.
    scale : of a spline: "hazard", "odds" or "normal".

    Raises
    ------
    UnknownName : lists the families.
    MethodError, ConvergenceError : too few events, or a likelihood without a peak.

    Notes
    -----
    Patients censored at time 0 carry nothing and are left out. Pinned by R survival's `survreg` and closed forms.

    >>> fit = parametric_survival([2, 3, 5, 8], [1, 1, 0, 1], "exponential")
    >>> round(fit.estimates["log rate"], 4), round(fit.median, 3)
    (-1.7918, 4.159)
    """
    patients = _usable(time, event, family)
    unit = float(patients.time.mean())
    t, died = patients.time / unit, patients.event
    places: Array | None = None
    if family == "royston-parmar":
        places = spline_knots(np.log(t[died]), knots)
        form = spline_family(places, scale)
    elif family in FAMILIES:
        form = FAMILIES[family]
    else:
        raise UnknownName(FAMILIES.kind, family, [*FAMILIES, "royston-parmar"])

    likelihood, start = FamilyLikelihood(form, t, died), form.start(float(died.sum()) / float(t.sum()))
    peak = likelihood_peak(likelihood.value, likelihood.slope, start, family, axes=likelihood.axes(start))
    events = int(died.sum())
    return ParametricSurvival(
        family,
        form.parameters,
        peak.b,
        peak.cov,
        unit,
        peak.loglik - events * math.log(unit),
        int(np.size(np.asarray(time))),
        events,
        float(patients.time.max()),
        level,
        places,
        scale,
        form=form,
    )


@dataclass(frozen=True, slots=True, eq=False)
class FamilyTable(Result):
    """Families fitted to the same patients, best AIC first, and those that failed with the reason."""

    fits: tuple[ParametricSurvival, ...]
    failed: tuple[tuple[str, str], ...]

    @property
    def best(self) -> ParametricSurvival:
        """The fit with the lowest AIC."""
        return self.fits[0]

    def rows(self) -> list[dict[str, Any]]:
        """One line per family: AIC, BIC, weight, median, restricted mean to the end of follow-up."""
        weights = np.exp(-(np.array([fit.aic for fit in self.fits]) - self.best.aic) / 2)
        weights /= weights.sum()
        return [
            {
                "family": fit.family,
                "parameters": fit.b.size,
                "loglik": fit.loglik,
                "aic": fit.aic,
                "bic": fit.bic,
                "weight": float(weight),
                "median": fit.median,
                "median_extrapolated": bool(fit.extrapolated(fit.median)),
                "restricted_mean": fit.restricted_mean(fit.observed_until),
            }
            for fit, weight in zip(self.fits, weights, strict=True)
        ]

    def summary(self) -> str:
        """One line per family."""
        lines = [fit.summary() for fit in self.fits]
        return "\n".join([*lines, *(f"{name}: {why}" for name, why in self.failed)])

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        names = ", ".join(fit.family for fit in self.fits)
        cites = tuple(dict.fromkeys(text for fit in self.fits for text in fit.explain().references[:1]))
        return Explanation(
            f"Parametric families ({names}) were compared by AIC and BIC within follow-up; criteria say nothing about "
            "extrapolation.",
            (_LATIMER, *cites),
        )


def compare_families(
    time: ArrayLike, event: ArrayLike, families: Sequence[str] | None = None, *, knots: int = 2, level: float = 0.95
) -> FamilyTable:
    """All families fitted to the same patients, ordered by AIC; a family that fails is named with the reason."""
    names = [*FAMILIES, "royston-parmar"] if families is None else list(families)
    fits: list[ParametricSurvival] = []
    failed: list[tuple[str, str]] = []
    for name in names:
        try:
            fits.append(parametric_survival(time, event, name, knots=knots, level=level))
        except (ConvergenceError, MethodError) as problem:
            failed.append((name, str(problem)))
    if not fits:
        reasons = dict.fromkeys(why.removeprefix(f"{name}: ") for name, why in failed)
        raise MethodError(f"no family can be fitted: {'; '.join(list(reasons)[:3])}")
    return FamilyTable(tuple(sorted(fits, key=lambda fit: fit.aic)), tuple(failed))
