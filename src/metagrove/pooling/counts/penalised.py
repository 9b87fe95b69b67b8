"""Penalised logistic regression of 2x2 tables: a common odds ratio that exists for rare events and empty arms.

The likelihood of a logistic model with a level per study and one log odds ratio is penalised by Jeffreys' prior, which
takes the first-order bias away and keeps every estimate finite. Firth D. Biometrika 1993;80:27-38
(doi:10.1093/biomet/80.1.27); for meta-analysis Evrenoglou T, White IR, Afach S, Mavridis D, Chaimani A. Network
meta-analysis of rare events using penalized likelihood regression. Stat Med 2022;41:5203-19 (doi:10.1002/sim.9562).
Heterogeneity inflates the variance by an overdispersion parameter, estimated as Fletcher DJ does. Biometrika
2012;99:230-7 (doi:10.1093/biomet/asr083).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metagrove.core.errors import ConvergenceError, MethodError
from metagrove.core.values import Array
from metagrove.effects.arms import Tables
from metagrove.pooling.estimate import wald
from metagrove.pooling.model import Fit
from metagrove.pooling.prediction import Prediction
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies
from metagrove.pooling.tau2 import Tau2

__all__ = ["EVRENOGLOU", "FLETCHER", "PenalisedFit", "PenalisedPooling", "penalised_fit"]

EVRENOGLOU = "Evrenoglou T, White IR, Afach S, et al. Stat Med 2022;41:5203-19. doi:10.1002/sim.9562"
FLETCHER = "Fletcher DJ. Biometrika 2012;99:230-7. doi:10.1093/biomet/asr083"
_NAN = float("nan")
_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class PenalisedFit:
    """A penalised logistic regression of k tables.

    Parameters
    ----------
    theta, se : log odds ratio of the first arm and its standard error, from the information at the estimate.
    levels : log odds in the second arm of each study, shape (k,).
    pearson, df : Pearson's statistic on k - 1 degrees of freedom.
    phi : overdispersion, 1 at least.
    log_likelihood : the penalised log-likelihood.
    """

    theta: float
    se: float
    levels: Array
    pearson: float
    df: int
    phi: float
    log_likelihood: float


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The model at one point: fitted probabilities (2k,), weights, leverages, information of the slope, likelihood."""

    probability: Array
    weights: Array
    leverage: Array
    slope_information: float
    ll: float


def _state(levels: Array, theta: float, events: Array, n: Array) -> _State:
    """Arms stand as (2, k): the first with the treatment. The information is arrowhead-shaped and needs no matrix."""
    eta = np.vstack([levels + theta, levels])
    p = special.expit(eta)
    w = n * p * (1 - p)
    study = w.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(study > 0, w[0] / study, 0.5)
        slope = float((w[0] * (1 - share)).sum())
        # h = w x' I^-1 x: the level's part, and what the slope adds
        gap = np.vstack([1 - share, -share])
        leverage = w / np.where(study > 0, study, 1.0) + w * gap**2 / slope
        log_det = float(np.log(study).sum()) + np.log(slope)
    ll = float((events * eta - n * np.logaddexp(0.0, eta)).sum()) + 0.5 * log_det
    return _State(p, w, leverage, slope, ll)


def penalised_fit(tables: Tables) -> PenalisedFit:
    """The penalised logistic regression of complete `tables`, those without events included.

    Raises
    ------
    MethodError where an arm is empty; ConvergenceError.
    """
    events = np.vstack([tables.a, tables.c])
    n = np.vstack([tables.a + tables.b, tables.c + tables.d])
    if (n <= 0).any():
        raise MethodError("penalised logistic regression needs people in both arms of every study")
    levels = special.logit((events.sum(axis=0) + 0.5) / (n.sum(axis=0) + 1.0))
    theta = 0.0
    here = _state(levels, theta, events, n)
    for _ in range(_STEPS):
        score = events + here.leverage / 2 - (n + here.leverage) * here.probability
        study, own = here.weights.sum(axis=0), here.weights[0]
        by_level = score.sum(axis=0)
        move = (float(score[0].sum()) - float((own / study * by_level).sum())) / here.slope_information
        shift = (by_level - own * move) / study
        size = max(abs(move), float(np.abs(shift).max()))
        share = min(1.0, 5.0 / size) if size > 0 else 1.0
        for _ in range(40):
            there = _state(levels + share * shift, theta + share * move, events, n)
            if np.isfinite(there.ll) and there.ll >= here.ll - 1e-12 * (1 + abs(here.ll)):
                break
            share /= 2
        levels, theta, here = levels + share * shift, theta + share * move, there
        if size < 1e-11 * (1 + abs(theta)) or share * size < 1e-13:
            return _found(theta, levels, here, events, n)
    raise ConvergenceError(f"the penalised likelihood did not settle after {_STEPS} steps")


def _found(theta: float, levels: Array, at: _State, events: Array, n: Array) -> PenalisedFit:
    resid = events - n * at.probability
    pearson = float((resid**2 / at.weights).sum())
    k = levels.size
    df = k - 1
    phi = 1.0
    if df > 0:
        lean = float(((1 - 2 * at.probability) / at.weights * resid).mean())
        phi = max(1.0, pearson / df / (1 + lean)) if lean > -1 else max(1.0, pearson / df)
    return PenalisedFit(theta, at.slope_information**-0.5, levels, pearson, df, phi, at.ll)


@dataclass(frozen=True, slots=True)
class PenalisedPooling:
    """Penalised logistic regression as a model of a meta-analysis: one estimate, its variance with or without phi."""

    def fit(self, studies: Studies, settings: Settings, tau2: Tau2 | None = None) -> Fit:
        """The common effect, and the same with its variance times phi as the random one; there is no tau2."""
        if settings.method_random_ci != "classic":
            raise MethodError("penalised logistic regression has classic (normal) intervals only")
        columns = [np.asarray(studies.columns[name], dtype=float) for name in ("event_e", "n_e", "event_c", "n_c")]
        found = penalised_fit(Tables.from_arms(*columns))
        level, null = settings.level_ma, settings.null_effect
        common = wald(found.theta, found.se, level=level, null=null)
        random = wald(found.theta, found.se * found.phi**0.5, level=level, null=null)
        none = np.full(len(studies.studlab), _NAN)
        return Fit(common, random, Tau2(_NAN, _NAN), found.pearson, found.df, none, none, None)

    def common_tau2(self, studies: Studies, settings: Settings, groups: NDArray[np.intp]) -> Tau2:
        """None: the model has no between-study variance."""
        raise MethodError("penalised logistic regression has no tau2, so subgroups cannot share one (tau_common)")

    def predict(self, fit: Fit, settings: Settings) -> Prediction:
        """None: the model has no between-study variance."""
        return Prediction(_NAN, _NAN, _NAN, _NAN)
