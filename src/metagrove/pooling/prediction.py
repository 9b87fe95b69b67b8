"""Where the effect of a new study is expected: prediction intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from metagrove.core.errors import MethodError
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.pooling.estimate import INTERVALS, Estimate, random_effects
from metagrove.pooling.intervals import q_distribution
from metagrove.pooling.roots import bracketed_root
from metagrove.pooling.tau2 import Design

__all__ = ["PREDICTION", "Prediction", "prediction"]

_NAN = float("nan")


class Prediction(NamedTuple):
    """Limits for the effect of a new study on the analysis scale; NaN where too few studies allow none."""

    seTE: float
    df: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Rule:
    """How an interval is made: spread of the mean by `interval`, degrees of freedom k - `cost` (None: its own)."""

    interval: str
    cost: int | None
    normal: bool = False


PREDICTION = Registry[Rule]("prediction interval")
_HTS = (
    "Higgins JPT, Thompson SG, Spiegelhalter DJ. J R Stat Soc A 2009;172:137-59. doi:10.1111/j.1467-985X.2008.00552.x"
)
_VERONIKI = "Veroniki AA, et al. Res Synth Methods 2019;10:23-43. doi:10.1002/jrsm.1319"
_PARTLETT = "Partlett C, Riley RD. Stat Med 2017;36:301-17. doi:10.1002/sim.7140"
_NAGASHIMA = "Nagashima K, Noma H, Furukawa TA. Stat Methods Med Res 2019;28:1689-702. doi:10.1177/0962280218773520"
_SKIPKA = "Skipka G. Stat Med 2006;25:2917. doi:10.1002/sim.2580"

PREDICTION.put("V", Rule("classic", 1), title="t distribution with k - 1 degrees of freedom", cite=_VERONIKI)
PREDICTION.put("HTS", Rule("classic", 2), title="Higgins-Thompson-Spiegelhalter (k - 2)", cite=_HTS)
PREDICTION.put("HK", Rule("HK", 1), title="Hartung-Knapp variance, k - 1 degrees of freedom", cite=_VERONIKI)
PREDICTION.put("HK-PR", Rule("HK", 2), title="Hartung-Knapp variance, k - 2 degrees of freedom", cite=_PARTLETT)
PREDICTION.put("KR", Rule("KR", None), title="Kenward-Roger", cite=_VERONIKI)
PREDICTION.put("KR-PR", Rule("KR", -1), title="Kenward-Roger, degrees of freedom less one", cite=_PARTLETT)
PREDICTION.put("S", Rule("classic", None, normal=True), title="normal quantiles", cite=_SKIPKA)
PREDICTION.put("NNF", Rule("NNF", 1), title="Nagashima-Noma-Furukawa confidence distribution", cite=_NAGASHIMA)


def prediction(
    y: Array, v: Array, tau2: float, *, method: str = "V", adhoc: str = "", level: float = 0.95
) -> Prediction:
    """Prediction interval around the random-effects mean for a given `tau2`.

    Parameters
    ----------
    method : a code of PREDICTION.
    adhoc : "se" keeps the Hartung-Knapp standard error from falling below the classic one; "" does not.
    level : coverage, between 0 and 1.

    Limits are NaN where the degrees of freedom are below 1. Pinned by `hk_pi_raudenbush1985` and `hk_pi_fleiss1993`.
    """
    rule = PREDICTION[method]
    if adhoc not in ("", "se"):
        raise MethodError(f"adhoc_hakn_pi is '{adhoc}'; it is '' or 'se'")
    if y.size < 2 or not tau2 >= 0:
        return Prediction(_NAN, _NAN, _NAN, _NAN)
    if rule.interval == "NNF":
        return _confidence_distribution(y, v, level)
    w = 1 / (v + tau2)
    mean = float(w @ y) / float(w.sum())
    spread = INTERVALS[rule.interval](y, v, tau2, adhoc)
    return _limits(rule, mean, float(np.hypot(spread.se, np.sqrt(tau2))), spread.df, y.size, level)


def _limits(rule: Rule, mean: float, se: float, own: float, k: int, level: float) -> Prediction:
    if rule.normal:
        df = float("inf")
    elif rule.interval == "KR":
        df = own if rule.cost is None else own + rule.cost
    else:
        df = float(k - (rule.cost or 0))
    if df <= 0:
        return Prediction(se, _NAN, _NAN, _NAN)
    tail = (1 + level) / 2
    half = se * float(special.ndtri(tail) if rule.normal else special.stdtrit(df, tail))
    return Prediction(se, df, mean - half, mean + half)


def prediction_around(estimate: Estimate, tau2: float, k: int, *, method: str, level: float) -> Prediction:
    """Prediction interval around any estimate with standard error, such as that of a GLMM; t or normal rules only."""
    rule = PREDICTION[method]
    if rule.interval not in ("classic", "HK") or k < 2 or not tau2 >= 0:
        return Prediction(_NAN, _NAN, _NAN, _NAN)
    return _limits(rule, estimate.TE, float(np.hypot(estimate.seTE, np.sqrt(tau2))), float("inf"), k, level)


_QUANTILES = 200


def _tau2_quantiles(y: Array, v: Array) -> Array:
    """Midpoint quantiles of the confidence distribution of tau2 that Cochran's Q gives, shape (_QUANTILES,)."""
    below = q_distribution(Design(y, v), 1 / v)

    def confidence(t: float) -> float:
        return 1.0 - below(t)

    shares = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    found = np.zeros(_QUANTILES)
    low, floor = 0.0, confidence(0.0)
    for i, share in enumerate(shares):
        if share <= floor:
            continue
        high = max(2 * low, float(np.median(v)))
        while confidence(high) < share:
            high *= 2
        low = bracketed_root(lambda t, aim=share: confidence(t) - aim, low, high, close=1e-7)  # type: ignore[misc]
        found[i] = low
    return found


def _confidence_distribution(y: Array, v: Array, level: float) -> Prediction:
    """Limits of mean(tau2) + tau z - t se(tau2), tau2 from its confidence distribution, z normal, t with k - 1 df.

    The authors simulate; here the mixture is integrated over quantiles of tau2 and of t.
    """
    tau2 = _tau2_quantiles(y, v)
    pieces = [random_effects(y, v, float(t), interval="HK") for t in tau2]
    df = y.size - 1
    t_values = special.stdtrit(df, (np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    centre = np.array([p.TE for p in pieces])[:, None] - np.array([p.seTE for p in pieces])[:, None] * t_values
    tau = np.sqrt(tau2)[:, None]

    def below(x: float) -> float:
        gap = x - centre
        steps = np.where(gap > 0, 1.0, np.where(gap < 0, 0.0, 0.5))
        smooth = special.ndtr(gap / np.where(tau > 0, tau, 1.0))
        return float(np.where(tau > 0, smooth, steps).mean())

    width = 40 * float(tau.max()) + 1.0
    low, high = float(centre.min()) - width, float(centre.max()) + width
    tail = (1 - level) / 2
    lower = bracketed_root(lambda x: below(x) - tail, low, high, close=1e-8)
    upper = bracketed_root(lambda x: below(x) - 1 + tail, low, high, close=1e-8)
    return Prediction(_NAN, float(df), lower, upper)
