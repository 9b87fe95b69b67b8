"""What turns studies into one estimate: the inverse-variance model, and the shape any other model has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.pooling.estimate import Estimate, common_effect, random_effects, wald
from metagrove.pooling.intervals import Limits
from metagrove.pooling.prediction import Prediction, prediction
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies
from metagrove.pooling.tau2 import Design, Tau2, tau2_estimate, tau2_of

__all__ = ["Fit", "InverseVariance", "Model", "indicators"]

_NAN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One model fitted to one set of pooled studies.

    Parameters
    ----------
    common, random : the two estimates.
    tau2 : between-study variance and its standard error; NaN for one study.
    Q, df_Q : heterogeneity statistic that H and I² are made from, and its degrees of freedom.
    w_common, w_random : weights of the pooled studies, shape (k,); NaN where the model has none.
    design : effects and variances behind tau2, or None where limits of tau2, Rb and profile methods do not apply.
    parts : the parts of tau2 by level where it has several, else empty; `part_limits` gives their limits at a level.
    extra_Q : further statistics on df_Q degrees of freedom (the likelihood ratio of a GLMM).
    """

    common: Estimate
    random: Estimate
    tau2: Tau2
    Q: float
    df_Q: float
    w_common: Array
    w_random: Array
    design: Design | None
    extra_Q: tuple[float, ...] = ()
    parts: tuple[float, ...] = ()
    part_limits: Callable[[float], tuple[Limits, ...]] | None = None


class Model(Protocol):
    """What a result needs from a model, to fit all studies, subgroups and leave-one-out subsets alike."""

    def fit(self, studies: Studies, settings: Settings, tau2: Tau2 | None = None) -> Fit:
        """The fit to `studies` (all pooled, k >= 1), with `tau2` given from outside where it is not None."""
        ...

    def common_tau2(self, studies: Studies, settings: Settings, groups: NDArray[np.intp]) -> Tau2:
        """One between-study variance within `groups` (a number per study)."""
        ...

    def predict(self, fit: Fit, settings: Settings) -> Prediction:
        """The prediction interval of a fit."""
        ...


def indicators(groups: NDArray[np.intp]) -> Array:
    """Design matrix with one column per group, shape (k, groups)."""
    return np.asarray(groups[:, None] == np.unique(groups), dtype=float)


@dataclass(frozen=True, slots=True)
class InverseVariance:
    """The classic model: effects weighted by one over their variance."""

    def fit(self, studies: Studies, settings: Settings, tau2: Tau2 | None = None) -> Fit:
        """Common and random effects by inverse-variance weights; one study gives both estimates and no tau2."""
        y, v = studies.TE, studies.seTE**2
        design = Design(y, v)
        if tau2 is None:
            tau2 = _tau2(design, settings)
        used = tau2.value if tau2.value >= 0 else 0.0
        common, q = _common(design, settings)
        return Fit(common, _random(design, used, settings), tau2, q, y.size - 1, 1 / v, 1 / (v + used), design)

    def common_tau2(self, studies: Studies, settings: Settings, groups: NDArray[np.intp]) -> Tau2:
        """Residual tau2 with one mean per group; NaN if no group has two studies."""
        if settings.tau_preset is not None:
            return Tau2(settings.tau_preset**2, _NAN)
        x = indicators(groups)
        if studies.TE.size <= x.shape[1]:
            return Tau2(_NAN, _NAN)
        return tau2_estimate(studies.TE, studies.seTE**2, settings.method_tau, X=x)

    def predict(self, fit: Fit, settings: Settings) -> Prediction:
        """Prediction interval by the rule of the settings."""
        if fit.design is None:
            return Prediction(_NAN, _NAN, _NAN, _NAN)
        return prediction(
            fit.design.y,
            fit.design.v,
            fit.tau2.value,
            method=settings.method_predict,
            adhoc=settings.adhoc_hakn_pi,
            level=settings.level_predict,
        )


def _tau2(design: Design, settings: Settings) -> Tau2:
    if settings.tau_preset is not None:
        return Tau2(settings.tau_preset**2, _NAN)
    if design.k < 2:
        return Tau2(_NAN, _NAN)
    return tau2_of(design, settings.method_tau)


def _common(design: Design, settings: Settings) -> tuple[Estimate, float]:
    """The common effect and Q."""
    level, null = settings.level_ma, settings.null_effect
    if design.scalar:
        sums = design.sums(0.0)
        return wald(design.base + sums.mean, sums.w**-0.5, level=level, null=null), sums.q
    found = common_effect(design.y, design.v, level=level, null=null)
    return found, float((1 / design.v) @ (design.y - found.TE) ** 2)


def _random(design: Design, tau2: float, settings: Settings) -> Estimate:
    """The random-effects mean."""
    level, null, interval = settings.level_ma, settings.null_effect, settings.method_random_ci
    if design.scalar and interval == "classic":
        sums = design.sums(tau2)
        return wald(design.base + sums.mean, sums.w**-0.5, level=level, null=null)
    return random_effects(
        design.y, design.v, tau2, interval=interval, adhoc=settings.adhoc_hakn_ci, level=level, null=null
    )


def weighted_mean(te: Array, se: Array, *, level: float, null: float) -> Estimate:
    """Inverse-variance mean of group estimates."""
    w = 1 / se**2
    return wald(float(w @ te / w.sum()), float(w.sum()) ** -0.5, level=level, null=null)
