"""How much the studies differ: Q, H, I² and Rb with their limits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from metagrove.pooling.estimate import normal_quantile
from metagrove.pooling.intervals import Limits
from metagrove.pooling.tau2 import Design, moment_se

__all__ = ["Heterogeneity", "Share", "heterogeneity", "rb_share", "tau2_share", "typical_variance"]

_NAN = float("nan")


class Share(NamedTuple):
    """A share between 0 and 1 with its limits (NaN where there is no limit)."""

    value: float
    lower: float
    upper: float


class Heterogeneity(NamedTuple):
    """Cochran's Q with `df_Q` degrees of freedom, and H and I² (a fraction) with their limits."""

    Q: float
    df_Q: float
    pval_Q: float
    H: float
    lower_H: float
    upper_H: float
    I2: float
    lower_I2: float
    upper_I2: float


def _h_limits(q: float, df: float, level: float) -> Limits:
    """Test-based limits of H; those below 1 count as 1.

    Higgins JPT, Thompson SG. Stat Med 2002;21:1539-58. doi:10.1002/sim.1186
    """
    k = df + 1
    if q > k:
        se = 0.5 * (math.log(q) - math.log(df)) / (math.sqrt(2 * q) - math.sqrt(2 * k - 3))
    elif k > 2:
        se = math.sqrt(1 / (2 * (k - 2)) * (1 - 1 / (3 * (k - 2) ** 2)))
    else:
        return Limits(_NAN, _NAN)
    # the interval is centred at H cut to 1, as in R meta
    centre = max(0.0, 0.5 * math.log(q / df)) if q > 0 else 0.0
    z = normal_quantile(level)
    return Limits(max(1.0, math.exp(centre - z * se)), max(1.0, math.exp(centre + z * se)))


def heterogeneity(q: float, df: float, *, level: float = 0.95) -> Heterogeneity:
    """Q-based heterogeneity of `df` + 1 studies (or with `df` residual degrees of freedom).

    H and I² and their limits are NaN for df < 1; the p-value then too.
    """
    if df < 1:
        return Heterogeneity(q, df, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN)
    h = max(1.0, math.sqrt(q / df))
    limits = _h_limits(q, df, level)
    return Heterogeneity(
        q, df, float(special.chdtrc(df, q)), h, limits.lower, limits.upper,
        i2_of_h(h), i2_of_h(limits.lower), i2_of_h(limits.upper),
    )  # fmt: skip


def i2_of_h(h: float) -> float:
    """I² = 1 - 1/H², a fraction."""
    return (h * h - 1) / (h * h)


def tau2_share(design: Design, tau2: float, limits: Limits) -> Share:
    """I² as tau2 / (tau2 + s²), with s² the typical sampling variance, and limits from those of tau2.

    Higgins JPT, Thompson SG. Stat Med 2002;21:1539-58. doi:10.1002/sim.1186
    """
    typical = typical_variance(design)
    return Share(*(float(t / (t + typical)) for t in (tau2, *limits)))


def typical_variance(design: Design) -> float:
    """The typical sampling variance s² of Higgins and Thompson (2002)."""
    return (design.k - design.p) / design.at(1 / design.v).trace()


def rb_share(
    design: Design, tau2: float, *, se: float | None = None, level: float = 0.95, q: float | None = None
) -> Share:
    """Rb, the mean over studies of tau2 / (tau2 + v), with delta-method limits cut to [0, 1].

    With the standard error `se` of the random-effects mean it is tau2 / (k se²), the same for two levels.

    As in the authors' software the limits carry the variance of Q at `tau2` through the derivative of Rb at the
    moment estimate (below 0 too) from Cochran's Q, or from the Q given as `q`. NaN for fewer than two studies.

    Crippa A, Khudyakov P, Wang M, Orsini N, Spiegelman D. Stat Med 2016;35:3661-75. doi:10.1002/sim.6980
    """
    if not tau2 >= 0 or design.k < 2:
        return Share(_NAN, _NAN, _NAN)
    v = design.v
    value = float(np.mean(tau2 / (v + tau2))) if se is None else tau2 / (design.k * se**2)
    pr = design.at(1 / v)
    divisor = pr.trace()
    moment = ((pr.rss if q is None else q) - (design.k - 1)) / divisor
    slope = float(np.mean(v / np.maximum((v + moment) ** 2, 1e-300)))
    half = normal_quantile(level) * moment_se(design, pr, divisor, tau2) * slope
    return Share(value, max(0.0, value - half), min(1.0, value + half))
