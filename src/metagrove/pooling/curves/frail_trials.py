"""A distribution of survival whose hazard differs between trials by a gamma frailty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import ConvergenceError, DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.curves.one_stage import DE_JONG, HOUGAARD
from metagrove.pooling.curves.trial_patients import trial_patients
from metagrove.survival.families import Family
from metagrove.survival.likelihood_peak import Peak, likelihood_peak
from metagrove.survival.parametric import parametric_survival

__all__ = ["FrailDistribution", "frail_distribution"]


@dataclass(frozen=True, slots=True, eq=False)
class FrailDistribution(Result):
    """A parametric distribution whose hazard is multiplied by a gamma frailty of each trial.

    Parameters
    ----------
    family, parameters, b, cov : the distribution at frailty 1, times in `unit`s, with log theta as the last of `b` where
        theta is above 0.
    theta, theta_lower, theta_upper : variance of the frailty between trials, with the limits of its profile likelihood
        (NaN where that has no peak for some variances, which `summary` says); a theta of 0 is the boundary, where the fit is that without frailty.
    frailty : shape (k,), each trial's factor on the hazard, given its patients.
    loglik, aic, bic : marginal, on the scale of the times given; theta counts as a parameter also where it is 0.
    observed_until : everything after it is extrapolation.
    """

    family: str
    parameters: tuple[str, ...]
    b: Array
    cov: Array
    unit: float
    theta: float
    theta_lower: float
    theta_upper: float
    studies: tuple[str, ...]
    frailty: Array
    loglik: float
    n: int
    events: int
    observed_until: float
    level: float = 0.95
    form: Family = field(repr=False, kw_only=True)

    @property
    def _counted(self) -> int:
        return len(self.form.parameters) + 1

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return -2 * self.loglik + 2 * self._counted

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, with the number of patients."""
        return -2 * self.loglik + math.log(self.n) * self._counted

    def _hazard(self, t: ArrayLike) -> Array:
        times = np.asarray(t, dtype=float)
        if times.size and (not np.isfinite(times).all() or times.min() < 0):
            raise DataError("survival is asked for at a time that is negative or not a number")
        flat = np.atleast_1d(times).ravel() / self.unit
        found = np.where(flat > 0, self.form.cumulative(self.b[: self._counted - 1], flat), 0.0)
        return np.asarray(found.reshape(times.shape))

    def at(self, t: ArrayLike) -> Any:
        """Survival of patients over all trials at each time, (1 + theta H)^(-1/theta); exp(-H) where theta is 0."""
        hazard = self._hazard(t)
        found = np.exp(-np.log1p(self.theta * hazard) / self.theta if self.theta > 0 else -hazard)
        return float(found) if np.ndim(found) == 0 else found

    def of_study(self, name: str, t: ArrayLike) -> Any:
        """Survival in one trial at each time."""
        if name not in self.studies:
            raise DataError(f"no trial '{name}'; there are {', '.join(self.studies)}")
        found = np.exp(-self.frailty[self.studies.index(name)] * self._hazard(t))
        return float(found) if np.ndim(found) == 0 else found

    def prediction(self, t: ArrayLike) -> tuple[Array, Array]:
        """Limits for the survival of a new trial at each time, from the frailty's quantiles, parameters as known."""
        from scipy.special import gammaincinv

        tail, hazard = (1 - self.level) / 2, self._hazard(t)
        if self.theta == 0:
            return np.exp(-hazard), np.exp(-hazard)
        low, high = (float(gammaincinv(1 / self.theta, p)) * self.theta for p in (tail, 1 - tail))
        return np.exp(-high * hazard), np.exp(-low * hazard)

    def extrapolated(self, t: ArrayLike) -> Any:
        """Whether each time in `t` lies beyond what was observed."""
        found = np.asarray(t, dtype=float) > self.observed_until
        return bool(found) if found.ndim == 0 else found

    def rows(self) -> list[dict[str, Any]]:
        """One line per trial: its frailty and survival at half and the whole of follow-up."""
        half, whole = self.observed_until / 2, self.observed_until
        return [
            {
                "study": s,
                "frailty": float(z),
                "survival_half": self.of_study(s, half),
                "survival_end": self.of_study(s, whole),
            }
            for s, z in zip(self.studies, self.frailty, strict=True)
        ]

    def summary(self) -> str:
        """The family, the frailty and the criteria as text."""
        limits = f"{self.level:.0%} CI {self.theta_lower:.3g} to {self.theta_upper:.3g}"
        if math.isnan(self.theta_lower):
            limits = "its limits were not found, the profile likelihood has no peak for some variances"
        bound = "" if self.theta > 0 else ", at its boundary: the fit is that without frailty"
        return (
            f"{self.family} with gamma frailty of variance {self.theta:.3g} ({limits}) between trials{bound}, "
            f"AIC {self.aic:.2f}"
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        bound = "" if self.theta > 0 else " The likelihood is highest without any frailty, which is the fit shown."
        return Explanation(
            f"A {self.family} distribution with a gamma frailty for each trial was fitted to all patients by marginal "
            f"likelihood, with limits of the frailty's variance from the profile likelihood.{bound} Survival beyond "
            f"{self.observed_until:g} is extrapolation.",
            (HOUGAARD, DE_JONG),
        )


@dataclass(frozen=True, slots=True)
class _FrailLikelihood:
    """The marginal log likelihood of the distribution's parameters and theta, 0 or above.

    Parameters
    ----------
    t, died, study : shape (n,), follow-up above 0, whether it ended in the event, the index of the trial.
    deaths : shape (k,).
    """

    form: Family
    t: Array
    died: np.ndarray
    study: np.ndarray
    deaths: Array

    def hazards(self, b: Array) -> Array:
        """The cumulative hazard of each trial's patients at frailty 1, shape (k,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            cumulative = self.form.cumulative(b, self.t)
        return np.bincount(self.study, weights=cumulative, minlength=self.deaths.size).astype(np.float64)

    def value(self, b: Array, theta: float) -> float:
        """The log likelihood; minus infinity outside of bounds."""
        if not theta >= 0:
            return -math.inf
        hazard = self.hazards(b)
        with np.errstate(over="ignore", invalid="ignore"):
            found = float(self.form.log_hazard(b, self.t[self.died]).sum())
            if theta > 0:
                rise = sum(float(np.log1p(theta * np.arange(d)).sum()) for d in self.deaths)
                found += rise - float(((1 / theta + self.deaths) * np.log1p(theta * hazard)).sum())
            else:
                found -= float(hazard.sum())
        return found if math.isfinite(found) else -math.inf

    def frailty(self, b: Array, theta: float) -> Array:
        """What is expected of each trial's factor on the hazard, given its patients, shape (k,)."""
        return np.asarray((1 + theta * self.deaths) / (1 + theta * self.hazards(b)))

    def slope(self, b: Array, theta: float) -> Array:
        """First derivatives with respect to the distribution's parameters, shape (p,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            hazard, rate = self.form.slopes(b, self.t)
        return np.asarray(rate[self.died].sum(axis=0) - self.frailty(b, theta)[self.study] @ hazard)

    def rise(self, b: Array, theta: float) -> float:
        """The first derivative with respect to theta; at 0 half the sum of (d - H)² - d over trials."""
        hazard = self.hazards(b)
        x = theta * hazard
        # (log(1 + x) - x/(1 + x))/x², by its series where the difference would round.
        bend = 0.5 - x * (2 / 3 - x * (3 / 4 - x * (4 / 5 - x * 5 / 6)))
        far = np.abs(x) > 1e-3
        bend[far] = (np.log1p(x[far]) - x[far] / (1 + x[far])) / x[far] ** 2
        pairs = sum(float((np.arange(d) / (1 + theta * np.arange(d))).sum()) for d in self.deaths)
        return pairs + float((bend * hazard**2 - self.deaths * hazard / (1 + x)).sum())

    def given(self, theta: float, start: Peak, name: str) -> Peak:
        """The maximum over the distribution's parameters for a given theta."""
        axes = np.asarray(np.linalg.cholesky(start.cov) * math.sqrt(self.t.size), dtype=np.float64)
        return likelihood_peak(lambda b: self.value(b, theta), lambda b: self.slope(b, theta), start.b, name, axes=axes)

    def jointly(self, theta: float, start: Peak, name: str) -> Peak:
        """The maximum over all parameters, theta the last, searched from a given theta."""
        axes = np.eye(start.b.size + 1)
        axes[:-1, :-1] = np.linalg.cholesky(start.cov) * math.sqrt(self.t.size)
        return likelihood_peak(
            lambda b: self.value(b[:-1], float(b[-1])),
            lambda b: np.append(self.slope(b[:-1], float(b[-1])), self.rise(b[:-1], float(b[-1]))),
            np.append(start.b, theta),
            name,
            axes=axes,
        )


#: Values of theta from whose best one the search starts.
_STARTS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def _with_frailty(likelihood: _FrailLikelihood, alone: Peak, name: str) -> Peak | None:
    """The maximum with a theta above 0; None where no frailty is likelier than any."""
    grows = likelihood.rise(alone.b, 0.0) > 0
    starts = sorted(_STARTS, key=lambda theta: -likelihood.value(alone.b, theta))[:1]
    # Where the likelihood rises from 0, the search from 0 finds the maximum that must be there.
    for theta in (*starts, 0.0) if grows else starts:
        try:
            peak = likelihood.jointly(theta, alone, name)
        except ConvergenceError:
            continue
        if peak.b[-1] > 0 and peak.loglik > alone.loglik:
            return peak
    if grows:
        raise ConvergenceError(f"{name}: the likelihood has no peak; these trials do not determine the frailty")
    return None


def _theta_limits(
    likelihood: _FrailLikelihood, alone: Peak, best: float, theta: float, level: float, name: str
) -> tuple[float, float]:
    """Where the profile likelihood has fallen from `best` by half the chi-square quantile; 0 and infinity if nowhere."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    floor = best - 0.5 * float(ndtri(0.5 + level / 2)) ** 2

    def above(theta: float) -> float:
        return likelihood.given(theta, alone, name).loglik - floor

    lower = 0.0 if alone.loglik >= floor else float(brentq(above, 0.0, theta, xtol=1e-9, rtol=1e-7))
    low, high = theta, max(2 * theta, 0.01)
    while above(high) > 0:
        low, high = high, 2 * high
        if high > 1e4:
            return lower, math.inf
    return lower, float(brentq(above, low, high, xtol=1e-9, rtol=1e-7))


def frail_distribution(
    patients: Mapping[str, Any], family: str = "weibull", *, level: float = 0.95
) -> FrailDistribution:
    """A distribution of survival with a gamma frailty for each trial, by marginal maximum likelihood.

    Parameters
    ----------
    patients : for each trial a frame with `time` and `event`, or a tuple of them; at least 3 trials.
    family : a name in `metagrove.survival.families.FAMILIES`, or "royston-parmar".

    Notes
    -----
    The likelihood of a trial with d events and cumulative hazard H over its patients is the product of its hazards
    times G(1/theta + d) theta^d / (G(1/theta) (1 + theta H)^(1/theta + d)) (Hougaard 2000,
    doi:10.1007/978-1-4612-1304-8); its limit for theta = 0 is the likelihood without frailty.
    """
    trials = trial_patients(patients)
    k = len(trials.studies)
    if k < 3:
        raise MethodError(f"{k} trials; a frailty between trials needs at least 3")
    plain = parametric_survival(trials.time, trials.event, family)
    use, events, name = trials.time > 0, int(trials.event.sum()), f"{family} with frailty"
    deaths = np.bincount(trials.study, weights=trials.event.astype(float), minlength=k).astype(np.float64)
    likelihood = _FrailLikelihood(
        plain.form, trials.time[use] / plain.unit, trials.event[use], trials.study[use], deaths
    )
    alone = Peak(plain.b, plain.cov, likelihood.value(plain.b, 0.0))
    found = _with_frailty(likelihood, alone, name)
    b, cov, theta, best = plain.b, plain.cov, 0.0, alone.loglik
    if found is not None:
        theta, best = float(found.b[-1]), found.loglik
        b = np.append(found.b[:-1], math.log(theta))
        turn = np.append(np.ones(b.size - 1), 1 / theta)
        cov = found.cov * np.outer(turn, turn)
    try:
        lower, upper = _theta_limits(likelihood, alone, best, theta, level, name)
    except ConvergenceError:
        lower = upper = math.nan
    return FrailDistribution(
        family,
        (*plain.parameters, *(("log theta",) if theta > 0 else ())),
        b,
        cov,
        plain.unit,
        theta,
        lower,
        upper,
        trials.studies,
        likelihood.frailty(b[: plain.b.size], theta),
        best - events * math.log(plain.unit),
        int(trials.time.size),
        events,
        float(trials.time.max()),
        level,
        form=plain.form,
    )
