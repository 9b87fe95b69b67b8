"""Hazard ratios from the patients of all trials at once: naive, stratified, clustered, with a shared frailty."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.registry import Registry
from metagrove.core.results import Explanation, Result
from metagrove.pooling.curves.trial_patients import TrialPatients, trial_patients
from metagrove.survival.cox import cox
from metagrove.survival.frailty import shared_frailty
from metagrove.survival.kaplan_meier import KaplanMeier, survival_curve

__all__ = [
    "DE_JONG",
    "HOUGAARD",
    "ONE_STAGE",
    "OneStageHazardRatio",
    "one_stage_curve",
    "one_stage_hazard_ratio",
]

DE_JONG = (
    "de Jong VMT, Moons KGM, Riley RD, et al. Individual participant data meta-analysis of intervention studies with "
    "time-to-event outcomes: a review of the methodology and an applied example. Res Synth Methods 2020;11:148-168. "
    "doi:10.1002/jrsm.1384"
)
_TUDUR_SMITH = (
    "Tudur Smith C, Williamson PR, Marson AG. Investigating heterogeneity in an individual patient data meta-analysis "
    "of time to event outcomes. Stat Med 2005;24:1307-1319. doi:10.1002/sim.2050"
)
HOUGAARD = "Hougaard P. Analysis of Multivariate Survival Data. Springer 2000. doi:10.1007/978-1-4612-1304-8"


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
            tuple(dict.fromkeys((DE_JONG, entry.cite))),
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


@ONE_STAGE.add("naive", title="Cox's model that ignores the trials", cite=DE_JONG)
def _naive(trials: TrialPatients, level: float) -> OneStageHazardRatio:
    return _from_cox("naive", trials, level, None, None)


@ONE_STAGE.add("stratified", title="Cox's model with a baseline hazard for each trial", cite=_TUDUR_SMITH)
def _stratified(trials: TrialPatients, level: float) -> OneStageHazardRatio:
    return _from_cox("stratified", trials, level, trials.study, None)


@ONE_STAGE.add("clustered", title="Cox's model with errors clustered within trials", cite=DE_JONG)
def _clustered(trials: TrialPatients, level: float) -> OneStageHazardRatio:
    return _from_cox("clustered", trials, level, None, trials.study)


@ONE_STAGE.add("frailty", title="Cox's model with a gamma frailty shared within trials", cite=HOUGAARD)
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
