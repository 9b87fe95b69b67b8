"""Parametric survival of one group of patients: fits, information criteria, extrapolation marked as such."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import ConvergenceError, DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array, PatientTimes
from metagrove.survival.families import FAMILIES, Family
from metagrove.survival.risk_sets import patient_times
from metagrove.survival.splines import ROYSTON_PARMAR, spline_family, spline_knots

__all__ = ["FamilyTable", "ParametricSurvival", "best_parameters", "compare_families", "parametric_survival"]

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

        def height(b: Array, u: Array) -> Array:
            return np.log(np.clip(self.form.cumulative(b, u), 1e-300, 1e300))

        times = np.maximum(np.atleast_1d(np.asarray(t, dtype=float)).ravel() / self.unit, 1e-12)
        step = 1e-5
        slopes = [
            (height(self.b + e, times) - height(self.b - e, times)) / (2 * step) for e in step * np.eye(self.b.size)
        ]
        gradient = np.array(slopes)
        half = ndtri(0.5 + self.level / 2) * np.sqrt(np.einsum("pi,pq,qi->i", gradient, self.cov, gradient))
        middle = height(self.b, times)
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


def best_parameters(loglik: Callable[[Array], float], start: Array, name: str) -> tuple[Array, Array, float]:
    """The maximum of a smooth log likelihood: parameters, their covariance, and the value there.

    Raises
    ------
    ConvergenceError : no maximum, or a flat one; the message names the family.
    """
    from scipy.optimize import minimize

    def slope(b: Array) -> Array:
        return np.array([(loglik(b + e) - loglik(b - e)) / 2e-6 for e in 1e-6 * np.eye(b.size)])

    def cost(b: Array) -> float:
        return -loglik(b)

    def cost_slope(b: Array) -> Array:
        return -slope(b)

    found: Any = minimize(cost, start, jac=cost_slope, method="BFGS", options={"gtol": 1e-7})
    b = np.asarray(found.x, dtype=np.float64)
    hessian = _curvature(loglik, b)
    for _ in range(20):
        try:
            step = -np.linalg.solve(hessian, slope(b))
        except np.linalg.LinAlgError:
            break
        if not np.isfinite(step).all() or np.abs(step).max() > 1 or loglik(b + step) < loglik(b) - 1e-9:
            break
        b, hessian = b + step, _curvature(loglik, b + step)
        if np.abs(step).max() < 1e-9:
            break
    peaked = np.isfinite(hessian).all() and np.linalg.eigvalsh(-hessian)[0] > 0
    rise = slope(b)
    # Where the likelihood still rises by a noticeable share of a log unit, the search ended on the way to infinity.
    if not peaked or rise @ np.linalg.solve(-hessian, rise) > 1e-5:
        raise ConvergenceError(f"{name}: the likelihood has no peak; these patients do not determine its parameters")
    return b, np.linalg.inv(-hessian).astype(np.float64), loglik(b)


def _curvature(loglik: Callable[[Array], float], b: Array) -> Array:
    step, p = 1e-4, b.size
    e = step * np.eye(p)
    middle = loglik(b)
    found = np.empty((p, p))
    for i in range(p):
        found[i, i] = (loglik(b + e[i]) - 2 * middle + loglik(b - e[i])) / step**2
        for j in range(i):
            cross = (
                loglik(b + e[i] + e[j]) - loglik(b + e[i] - e[j]) - loglik(b - e[i] + e[j]) + loglik(b - e[i] - e[j])
            )
            found[i, j] = found[j, i] = cross / (4 * step**2)
    return found


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
    else:
        form = FAMILIES[family]

    def loglik(b: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            value = float(form.log_hazard(b, t[died]).sum() - form.cumulative(b, t).sum())
        return value if math.isfinite(value) else -1e12

    b, cov, best = best_parameters(loglik, form.start(float(died.sum()) / float(t.sum())), family)
    events = int(died.sum())
    return ParametricSurvival(
        family,
        form.parameters,
        b,
        cov,
        unit,
        best - events * math.log(unit),
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
