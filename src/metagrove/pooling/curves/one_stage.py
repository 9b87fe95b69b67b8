"""Patients of all trials analysed at once: naive, stratified, clustered, with a shared frailty."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError
from metagrove.core.registry import Registry
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.curves.trial_patients import TrialPatients, trial_patients
from metagrove.survival.cox import cox
from metagrove.survival.frailty import shared_frailty
from metagrove.survival.kaplan_meier import KaplanMeier, survival_curve
from metagrove.survival.parametric import best_parameters, parametric_survival

__all__ = [
    "ONE_STAGE",
    "FrailDistribution",
    "OneStageHazardRatio",
    "frail_distribution",
    "one_stage_curve",
    "one_stage_hazard_ratio",
]

_DE_JONG = (
    "de Jong VMT, Moons KGM, Riley RD, et al. Individual participant data meta-analysis of intervention studies with "
    "time-to-event outcomes: a review of the methodology and an applied example. Res Synth Methods 2020;11:148-168. "
    "doi:10.1002/jrsm.1384"
)
_TUDUR_SMITH = (
    "Tudur Smith C, Williamson PR, Marson AG. Investigating heterogeneity in an individual patient data meta-analysis "
    "of time to event outcomes. Stat Med 2005;24:1307-1319. doi:10.1002/sim.2050"
)
_HOUGAARD = "Hougaard P. Analysis of Multivariate Survival Data. Springer 2000. doi:10.1007/978-1-4612-1304-8"


@dataclass(frozen=True, slots=True)
class OneStageHazardRatio(Result):
    """A hazard ratio of group 1 against group 0 from the patients of all trials at once.

    `loghr` and `se` on the log scale; `hr`, `lower`, `upper` the ratio with its limits; `theta` the frailty's variance
    (NaN in other models); `loglik` the log partial (or marginal) likelihood.
    """

    model: str
    loghr: float
    se: float
    loglik: float
    studies: int
    patients: int
    events: int
    theta: float = math.nan
    level: float = 0.95

    @property
    def hr(self) -> float:
        """Hazard ratio."""
        return math.exp(self.loghr)

    @property
    def lower(self) -> float:
        """Lower limit of the hazard ratio."""
        return math.exp(self.loghr - self._half())

    @property
    def upper(self) -> float:
        """Upper limit of the hazard ratio."""
        return math.exp(self.loghr + self._half())

    @property
    def p(self) -> float:
        """Two-sided p value."""
        from scipy.special import ndtr

        return float(2 * ndtr(-abs(self.loghr) / self.se))

    def _half(self) -> float:
        from scipy.special import ndtri

        return float(ndtri(0.5 + self.level / 2)) * self.se

    def rows(self) -> list[dict[str, Any]]:
        """One line."""
        return [
            {
                "model": self.model,
                "hr": self.hr,
                "lower": self.lower,
                "upper": self.upper,
                "p": self.p,
                "loghr": self.loghr,
                "se": self.se,
                "theta": self.theta,
            }
        ]

    def summary(self) -> str:
        """The hazard ratio as text."""
        frailty = "" if math.isnan(self.theta) else f", frailty variance {self.theta:.3g}"
        return (
            f"{self.model}: HR {self.hr:.3g} ({self.level:.0%} CI {self.lower:.3g} to {self.upper:.3g}), "
            f"{self.studies} trials, {self.patients} patients, {self.events} events{frailty}"
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        entry = ONE_STAGE.entry(self.model)
        return Explanation(
            f"The patients of all trials were analysed at once by {entry.title}.",
            tuple(dict.fromkeys((_DE_JONG, entry.cite))),
        )


ONE_STAGE: Registry[Callable[[TrialPatients, float], OneStageHazardRatio]] = Registry("one-stage model")
"""Models for `one_stage_hazard_ratio`: (patients, level) to the result."""


def _from_cox(model: str, trials: TrialPatients, level: float, strata: Any, cluster: Any) -> OneStageHazardRatio:
    fit = cox(trials.time, trials.event, _groups(trials), strata=strata, cluster=cluster)
    return OneStageHazardRatio(
        model, fit.loghr, fit.se, fit.loglik[1], len(trials.studies), fit.n, fit.events, level=level
    )


def _groups(trials: TrialPatients) -> np.ndarray:
    if trials.group is None:
        raise DataError("arms are compared, but no group was given")
    return trials.group


@ONE_STAGE.add("naive", title="Cox's model that ignores the trials", cite=_DE_JONG)
def _naive(trials: TrialPatients, level: float) -> OneStageHazardRatio:
    return _from_cox("naive", trials, level, None, None)


@ONE_STAGE.add("stratified", title="Cox's model with a baseline hazard for each trial", cite=_TUDUR_SMITH)
def _stratified(trials: TrialPatients, level: float) -> OneStageHazardRatio:
    return _from_cox("stratified", trials, level, trials.study, None)


@ONE_STAGE.add("clustered", title="Cox's model with errors clustered within trials", cite=_DE_JONG)
def _clustered(trials: TrialPatients, level: float) -> OneStageHazardRatio:
    return _from_cox("clustered", trials, level, None, trials.study)


@ONE_STAGE.add("frailty", title="Cox's model with a gamma frailty shared within trials", cite=_HOUGAARD)
def _frailty(trials: TrialPatients, level: float) -> OneStageHazardRatio:
    fit = shared_frailty(trials.time, trials.event, _groups(trials), cluster=trials.study)
    return OneStageHazardRatio(
        "frailty", fit.loghr, fit.se, fit.loglik[1], len(trials.studies), fit.n, fit.events, fit.theta, level
    )


def one_stage_hazard_ratio(
    patients: Mapping[str, Any], model: str = "stratified", *, level: float = 0.95
) -> OneStageHazardRatio:
    """The hazard ratio of group 1 against group 0 from the patients of all trials at once.

    Parameters
    ----------
    patients : for each trial a frame with `time`, `event` and `group` (0 or 1), or a tuple of them.
    model : a name in ONE_STAGE: "naive", "stratified", "clustered", "frailty".

    Notes
    -----
    De Jong et al. (2020), doi:10.1002/jrsm.1384. Pinned by `one_stage_*` of `survival/pooled_reference*.json`.
    """
    return ONE_STAGE[model](trial_patients(patients, groups=True), level)


def one_stage_curve(patients: Mapping[str, Any], *, level: float = 0.95, transform: Any = "log") -> KaplanMeier:
    """The naive pooled Kaplan-Meier curve: all patients as if of one trial, differences between trials ignored.

    Pinned by `naive_pooled_km` of `survival/pooled_reference*.json`.
    """
    trials = trial_patients(patients)
    return survival_curve(trials.time, trials.event, level=level, transform=transform)


@dataclass(frozen=True, slots=True, eq=False)
class FrailDistribution(Result):
    """A parametric distribution whose hazard is multiplied by a gamma frailty of each trial.

    Parameters
    ----------
    family, parameters, b, cov : the distribution at frailty 1, times in `unit`s, and log theta as the last of `b`.
    theta : variance of the frailty between trials.
    frailty : shape (k,), each trial's factor on the hazard, given its patients.
    loglik, aic, bic : marginal, on the scale of the times given.
    observed_until : everything after it is extrapolation.
    """

    family: str
    parameters: tuple[str, ...]
    b: Array
    cov: Array
    unit: float
    theta: float
    studies: tuple[str, ...]
    frailty: Array
    loglik: float
    n: int
    events: int
    observed_until: float
    level: float = 0.95
    cumulative: Callable[[Array, Array], Array] = field(repr=False, kw_only=True)

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return -2 * self.loglik + 2 * self.b.size

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, with the number of patients."""
        return -2 * self.loglik + math.log(self.n) * self.b.size

    def _hazard(self, t: ArrayLike) -> Array:
        times = np.asarray(t, dtype=float)
        if times.size and (not np.isfinite(times).all() or times.min() < 0):
            raise DataError("survival is asked for at a time that is negative or not a number")
        return self.cumulative(self.b[:-1], np.maximum(times / self.unit, 0.0))

    def at(self, t: ArrayLike) -> Any:
        """Survival of patients over all trials at each time, (1 + theta H)^(-1/theta)."""
        found = np.exp(-np.log1p(self.theta * self._hazard(t)) / self.theta)
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

        tail = (1 - self.level) / 2
        low, high = (float(gammaincinv(1 / self.theta, p)) * self.theta for p in (tail, 1 - tail))
        hazard = self._hazard(t)
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
        return f"{self.family} with gamma frailty of variance {self.theta:.3g} between trials, AIC {self.aic:.2f}"

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            f"A {self.family} distribution with a gamma frailty for each trial was fitted to all patients by marginal "
            f"likelihood; survival beyond {self.observed_until:g} is extrapolation.",
            (_HOUGAARD, _DE_JONG),
        )


def frail_distribution(
    patients: Mapping[str, Any], family: str = "weibull", *, level: float = 0.95
) -> FrailDistribution:
    """A distribution of survival with a gamma frailty for each trial, by marginal maximum likelihood.

    Parameters
    ----------
    patients : for each trial a frame with `time` and `event`, or a tuple of them; at least 3 trials.
    family : a name in `metagrove.survival.families.FAMILIES`.

    Notes
    -----
    The likelihood of a trial with d events and cumulative hazard H over its patients is the product of its hazards
    times G(1/theta + d) theta^d / (G(1/theta) (1 + theta H)^(1/theta + d)) (Hougaard 2000,
    doi:10.1007/978-1-4612-1304-8).
    """
    trials = trial_patients(patients)
    k = len(trials.studies)
    if k < 3:
        raise MethodError(f"{k} trials; a frailty between trials needs at least 3")
    alone = parametric_survival(trials.time, trials.event, family)
    form, unit = alone.form, alone.unit
    t, died = trials.time / unit, trials.event
    use = t > 0
    deaths = np.bincount(trials.study, weights=died.astype(float), minlength=k)
    from scipy.special import gammaln

    def loglik(b: Array) -> float:
        theta = math.exp(min(max(float(b[-1]), -12.0), 5.0))
        with np.errstate(over="ignore", invalid="ignore"):
            hazard = np.bincount(trials.study[use], weights=form.cumulative(b[:-1], t[use]), minlength=k)
            value = float(form.log_hazard(b[:-1], t[died]).sum())
        nu = 1 / theta
        rise = gammaln(nu + deaths) - gammaln(nu) + deaths * math.log(theta) - (nu + deaths) * np.log1p(theta * hazard)
        value += float(rise.sum())
        return value if math.isfinite(value) else -1e12

    b, cov, best = best_parameters(loglik, np.append(alone.b, math.log(0.2)), f"{family} with frailty")
    theta = math.exp(float(b[-1]))
    hazard = np.bincount(trials.study[use], weights=form.cumulative(b[:-1], t[use]), minlength=k)
    events = int(died.sum())
    return FrailDistribution(
        family,
        (*form.parameters, "log theta"),
        b,
        cov,
        unit,
        theta,
        trials.studies,
        (1 / theta + deaths) / (1 / theta + hazard),
        best - events * math.log(unit),
        int(trials.time.size),
        events,
        float(trials.time.max()),
        level,
        cumulative=form.cumulative,
    )
