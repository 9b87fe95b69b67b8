"""Common-effect and random-effects estimates with their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special

from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = [
    "ADHOC",
    "INTERVALS",
    "Estimate",
    "common_effect",
    "normal_quantile",
    "quantile",
    "random_effects",
    "tail_probability",
    "wald",
]


class Estimate(NamedTuple):
    """A pooled effect on the analysis scale; `df` is infinite where the normal distribution is used."""

    TE: float
    seTE: float
    lower: float
    upper: float
    statistic: float
    pval: float
    df: float


_SQRT2 = math.sqrt(2.0)


def wald(te: float, se: float, *, df: float = float("inf"), level: float = 0.95, null: float = 0.0) -> Estimate:
    """Estimate with limits te ± quantile * se, from the t distribution with `df` degrees of freedom.

    A standard error of 0 gives a statistic of ± infinity (0 if te is the null) and limits at te.
    """
    half = se * quantile(level, df)
    gap = te - null
    statistic = gap / se if se > 0 else (0.0 if gap == 0 else math.copysign(math.inf, gap))
    return Estimate(te, se, te - half, te + half, statistic, tail_probability(statistic, df), df)


def tail_probability(statistic: float, df: float) -> float:
    """The two-sided p-value of a t statistic; `df` infinite means normal."""
    return math.erfc(abs(statistic) / _SQRT2) if df == math.inf else 2 * float(special.stdtr(df, -abs(statistic)))


def quantile(level: float, df: float) -> float:
    """The quantile that limits of coverage `level` are made with; `df` infinite means normal."""
    return normal_quantile(level) if df == math.inf else -float(special.stdtrit(df, (1 - level) / 2))


@lru_cache(maxsize=64)
def normal_quantile(level: float) -> float:
    """The normal quantile that limits of coverage `level` are made with, such as 1.96."""
    return -float(special.ndtri((1 - level) / 2))


def common_effect(y: Array, v: Array, *, level: float = 0.95, null: float = 0.0) -> Estimate:
    """Inverse-variance estimate of one common effect, normal interval."""
    w = 1 / v
    total = float(w.sum())
    return wald(float(w @ y) / total, total**-0.5, level=level, null=null)


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard error of the random-effects mean and its degrees of freedom."""

    se: float
    df: float


def _classic(y: Array, v: Array, tau2: float, adhoc: str) -> Spread:
    """The square root of one over the sum of the weights, normal quantiles."""
    return Spread(float((1 / (v + tau2)).sum()) ** -0.5, float("inf"))


def _hartung_knapp(y: Array, v: Array, tau2: float, adhoc: str) -> Spread:
    """The weighted residual spread with k - 1 degrees of freedom; `adhoc` guards against intervals too narrow.

    "se": never below the classic standard error; "ci": the wider of the two intervals is used (see random_effects);
    "IQWiG6": "se" if the estimate of tau2 is above 0 and the Hartung-Knapp interval is narrower.
    """
    w = 1 / (v + tau2)
    total = float(w.sum())
    residual = y - float(w @ y) / total
    df = y.size - 1
    se = float(np.sqrt(w @ residual**2 / (df * total)))
    return Spread(max(se, total**-0.5) if adhoc == "se" else se, df)


def _kenward_roger(y: Array, v: Array, tau2: float, adhoc: str) -> Spread:
    """Kenward-Roger standard error and degrees of freedom, with the expected information of REML.

    The standard error is that of Kenward and Roger 1997 (doi:10.2307/2533558); their degrees of freedom, 2 I / (Φ s2)²
    with the plain variance Φ = 1/s1, are taken with the adjusted variance in its place, as R meta does.
    """
    # The most precise study is kept apart: where it dwarfs the others the differences would lose all digits.
    best = int(v.argmin())
    first, others = 1 / float(v[best] + tau2), 1 / (np.delete(v, best) + tau2)
    o1, o2, o3 = float(others.sum()), float(others @ others), float(others @ (others * others))
    s1, s2 = first + o1, first**2 + o2
    h = first / s1
    information = 0.5 * (o2 - 2 * o3 / s1 + (o2 / s1) ** 2 + 2 * o2 * h**2 + (h * o1) ** 2)
    spread = first * ((first * o1 - o2) / s1) ** 2 + float(others @ (others - s2 / s1) ** 2)
    variance = 1 / s1 + 2 / (information * s1**2) * spread
    return Spread(float(np.sqrt(variance)), 2 * information / (variance * s2) ** 2)


INTERVALS = Registry[Callable[[Array, Array, float, str], Spread]]("interval of the random-effects estimate")
INTERVALS.put("classic", _classic, title="classic (normal)", cite=(
    "DerSimonian R, Laird N. Control Clin Trials 1986;7:177-88. doi:10.1016/0197-2456(86)90046-2"
))  # fmt: skip
INTERVALS.put("HK", _hartung_knapp, title="Hartung-Knapp", cite=(
    "Hartung J, Knapp G. Stat Med 2001;20:3875-89. doi:10.1002/sim.1009"
))  # fmt: skip
INTERVALS.put("KR", _kenward_roger, title="Kenward-Roger", cite=(
    "Partlett C, Riley RD. Stat Med 2017;36:301-17. doi:10.1002/sim.7140"
))  # fmt: skip

ADHOC = Registry[str]("ad hoc correction of the Hartung-Knapp interval")
_ROVER = "Röver C, Knapp G, Friede T. BMC Med Res Methodol 2015;15:99. doi:10.1186/s12874-015-0091-1"
_WIKSTEN = "Wiksten A, Rücker G, Schwarzer G. Stat Med 2016;35:2503-15. doi:10.1002/sim.6879"
ADHOC.put("", "", title="no ad hoc correction", cite=_WIKSTEN)
ADHOC.put("se", "se", title="standard error never below the classic one", cite=_ROVER)
ADHOC.put("ci", "ci", title="classic interval where it is wider", cite=_WIKSTEN)
ADHOC.put("IQWiG6", "IQWiG6", title="standard error never below the classic one where tau2 is 0", cite=_WIKSTEN)


def random_effects(
    y: Array,
    v: Array,
    tau2: float,
    *,
    interval: str = "classic",
    adhoc: str = "",
    level: float = 0.95,
    null: float = 0.0,
) -> Estimate:
    """Random-effects mean for a given `tau2` (0 or above), with the interval of that name.

    One study has no spread between studies: its interval is the normal one whatever was asked for.
    """
    w = 1 / (v + tau2)
    te = float(w @ y) / float(w.sum())
    if y.size == 1:
        interval = "classic"
    spread = INTERVALS[interval](y, v, tau2, ADHOC[adhoc])
    found = wald(te, spread.se, df=spread.df, level=level, null=null)
    if interval != "HK" or adhoc in ("", "se"):
        return found
    return _guarded(found, y, v, tau2, adhoc, level, null)


def _guarded(found: Estimate, y: Array, v: Array, tau2: float, adhoc: str, level: float, null: float) -> Estimate:
    classic = _classic(y, v, tau2, "")
    plain = wald(found.TE, classic.se, level=level, null=null)
    narrower = found.upper - found.lower < plain.upper - plain.lower
    if adhoc == "ci":
        return plain if narrower else found
    if narrower and tau2 == 0:
        return wald(found.TE, max(found.seTE, classic.se), df=found.df, level=level, null=null)
    return found
