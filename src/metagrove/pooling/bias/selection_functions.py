"""Selection functions: how likely a study is to be seen, given its p-value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import expit

from metagrove.core.errors import MethodError
from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = ["SELECTION_FUNCTIONS", "SelectionFunction", "step_function"]

#: Log-weight and its derivatives: from p-values (broadcast with precisions), delta and precisions to arrays of the
#: broadcast shape and of shape (number of deltas, *broadcast shape).
LogWeight: TypeAlias = Callable[[Array, Array, Array], tuple[Array, Array]]

PRESTON = (
    "Preston C, Ashby D, Smyth R (2004) Adjusting for publication bias: modelling the selection process. Journal of "
    "Evaluation in Clinical Practice 10:313-322. doi:10.1111/j.1365-2753.2003.00457.x"
)
CITKOWICZ = (
    "Citkowicz M, Vevea JL (2017) A parsimonious weight function for modeling publication bias. Psychological Methods "
    "22:28-41. doi:10.1037/met0000119"
)
VEVEA_HEDGES = (
    "Vevea JL, Hedges LV (1995) A general linear model for estimating effect size in the presence of publication bias. "
    "Psychometrika 60:419-435. doi:10.1007/BF02294384"
)
BEGG = (
    "Begg CB, Mazumdar M (1994) Operating characteristics of a rank correlation test for publication bias. Biometrics "
    "50:1088-1101. doi:10.2307/2533446"
)
VIECHTBAUER = (
    "Viechtbauer W (2010) Conducting meta-analyses in R with the metafor package. Journal of Statistical Software "
    "36(3):1-48. doi:10.18637/jss.v036.i03"
)


@dataclass(frozen=True, slots=True)
class SelectionFunction:
    """A family of selection functions w(p; delta).

    Parameters
    ----------
    log_weight : log w and its derivatives by delta.
    null : the delta under which every study is equally likely to be seen.
    lower, upper : bounds of each delta.
    starts : where the search for the best delta begins.
    p_min : p-values are kept between `p_min` and 1 - `p_min`, where the weight would otherwise be infinite or 0.
    cuts : p-values between which the weight is constant (step functions), ending with 1; empty for smooth functions.
    """

    log_weight: LogWeight
    null: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    p_min: float = 0.0
    cuts: tuple[float, ...] = ()


#: Smooth selection functions by metafor's codes; step functions are made from their cut points by `step_function`.
SELECTION_FUNCTIONS: Registry[SelectionFunction] = Registry("selection function")

_ONE_DELTA = ((0.5,), (2.0,), (8.0,), (30.0,))


def _one(log_weight: LogWeight, p_min: float = 0.0) -> SelectionFunction:
    return SelectionFunction(log_weight, (0.0,), (0.0,), (100.0,), _ONE_DELTA, p_min)


def _half_normal(p: Array, delta: Array, prec: Array) -> tuple[Array, Array]:
    slope = -prec * p * p
    return delta[0] * slope, slope[None]


def _negative_exponential(p: Array, delta: Array, prec: Array) -> tuple[Array, Array]:
    slope = -prec * p
    return delta[0] * slope, slope[None]


def _logistic(p: Array, delta: Array, prec: Array) -> tuple[Array, Array]:
    x = delta[0] * prec * p
    return np.log(2.0) - np.logaddexp(0.0, x), -(prec * p * expit(x))[None]


def _power(p: Array, delta: Array, prec: Array) -> tuple[Array, Array]:
    slope = prec * np.log1p(-p)
    return delta[0] * slope, slope[None]


def _beta(p: Array, delta: Array, prec: Array) -> tuple[Array, Array]:
    p = p + 0.0 * prec
    slopes = np.stack((np.log(p), np.log1p(-p)))
    return (delta[0] - 1) * slopes[0] + (delta[1] - 1) * slopes[1], slopes


def _negative_exponential_power(p: Array, delta: Array, prec: Array) -> tuple[Array, Array]:
    safe = np.maximum(p, 1e-300)
    base = prec * np.exp(np.log(safe) / delta[1])
    return -delta[0] * base, np.stack((-base, delta[0] * base * np.log(safe) / delta[1] ** 2))


SELECTION_FUNCTIONS.put("halfnorm", _one(_half_normal), title="half-normal", cite=PRESTON)
SELECTION_FUNCTIONS.put("negexp", _one(_negative_exponential), title="negative-exponential", cite=PRESTON)
SELECTION_FUNCTIONS.put("logistic", _one(_logistic), title="logistic", cite=PRESTON)
SELECTION_FUNCTIONS.put("power", _one(_power, 1e-5), title="power", cite=VIECHTBAUER)
SELECTION_FUNCTIONS.put(
    "beta",
    SelectionFunction(
        _beta, (1.0, 1.0), (1e-5, 1e-5), (100.0, 100.0), ((1.0, 1.0), (0.8, 2.0), (1.5, 1.5), (0.3, 1.0)), 1e-5
    ),
    title="beta",
    cite=CITKOWICZ,
)
SELECTION_FUNCTIONS.put(
    "negexppow",
    SelectionFunction(
        _negative_exponential_power,
        (0.0, 1.0),
        (0.0, 0.05),
        (100.0, 100.0),
        ((1.0, 1.0), (3.0, 1.0), (3.0, 3.0), (8.0, 0.5)),
    ),
    title="negative-exponential power",
    cite=BEGG,
)


def step_function(steps: tuple[float, ...]) -> SelectionFunction:
    """The step function with cut points `steps` between 0 and 1 (1 is added); the first interval has weight 1.

    References
    ----------
    Vevea JL, Hedges LV (1995) Psychometrika 60:419-435. doi:10.1007/BF02294384
    """
    cuts = tuple(sorted({*(float(step) for step in steps), 1.0}))
    if len(cuts) < 2:
        raise MethodError("a step function needs at least one cut point below 1, as in steps=0.025")
    if not cuts[0] > 0 or cuts[-1] > 1:
        raise MethodError(f"steps {steps}: cut points are p-values between 0 and 1")
    edges = np.array(cuts)

    def log_weight(p: Array, delta: Array, prec: Array) -> tuple[Array, Array]:
        interval = np.minimum(np.searchsorted(edges, p, side="left"), edges.size - 1)
        hit = interval[None] == np.arange(edges.size).reshape(-1, *[1] * interval.ndim)
        return np.log(delta)[interval], hit / delta.reshape(-1, *[1] * interval.ndim)

    c = edges.size
    falling = tuple(np.linspace(1, 0.2, c))
    return SelectionFunction(
        log_weight, (1.0,) * c, (1e-8,) * c, (100.0,) * c, ((1.0,) * c, (1.0, *(0.5,) * (c - 1)), falling), cuts=cuts
    )
