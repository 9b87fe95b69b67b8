"""Effects of two arms counted as events: from 2x2 tables, paired tables and person-time.

Every function takes whole columns and returns estimates and sampling variances on the analysis scale. NaN means that
the effect does not exist for that study (an empty cell without a correction); corrections are in `corrections`.
"""

from __future__ import annotations

import numpy as np

from metagrove.core.values import Array
from metagrove.effects.arms import PersonTimes, Tables
from metagrove.effects.estimates import Estimates
from metagrove.effects.guarded import logarithm, ratio, root

__all__ = [
    "arcsine_difference",
    "log_odds_ratio",
    "log_rate_ratio",
    "log_risk_ratio",
    "peto_log_odds_ratio",
    "rate_difference",
    "risk_difference",
    "root_rate_difference",
]


def log_odds_ratio(tables: Tables) -> Estimates:
    """Log odds ratios, variance by Woolf's 1/a + 1/b + 1/c + 1/d."""
    t = tables
    y = logarithm(ratio(t.a * t.d, t.b * t.c))
    v = ratio(1, t.a) + ratio(1, t.b) + ratio(1, t.c) + ratio(1, t.d)
    return Estimates(y, v)


def log_risk_ratio(tables: Tables) -> Estimates:
    """Log risk ratios with the delta-method variance of Katz 1978 (doi:10.2307/2530610)."""
    t = tables
    y = logarithm(ratio(t.a, t.n1)) - logarithm(ratio(t.c, t.n2))
    return Estimates(y, ratio(1, t.a) - ratio(1, t.n1) + ratio(1, t.c) - ratio(1, t.n2))


def risk_difference(tables: Tables, vtype: str = "LS") -> Estimates:
    """Risk differences; `vtype` "LS" plug-in, "UB" unbiased (n - 1), "AV" with the pooled risk of each arm."""
    t = tables
    p1, p2 = ratio(t.a, t.n1), ratio(t.c, t.n2)
    less = 1 if vtype == "UB" else 0
    q1, q2 = p1, p2
    if vtype == "AV":
        q1 = np.full_like(p1, np.nansum(t.a) / np.nansum(t.n1))
        q2 = np.full_like(p2, np.nansum(t.c) / np.nansum(t.n2))
    return Estimates(p1 - p2, ratio(q1 * (1 - q1), t.n1 - less) + ratio(q2 * (1 - q2), t.n2 - less))


def arcsine_difference(tables: Tables) -> Estimates:
    """Differences of arcsine-root risks (Rücker 2009, doi:10.1002/sim.3511); defined for every table."""
    t = tables
    y = np.arcsin(np.minimum(root(ratio(t.a, t.n1)), 1)) - np.arcsin(np.minimum(root(ratio(t.c, t.n2)), 1))
    return Estimates(y, ratio(1, 4 * t.n1) + ratio(1, 4 * t.n2))


def observed_minus_expected(tables: Tables) -> tuple[Array, Array]:
    """Events beyond expectation in the first arm, and their hypergeometric variance (Yusuf 1985)."""
    t = tables
    events, n = t.a + t.c, t.n
    expected = ratio(events * t.n1, n)
    return t.a - expected, ratio(events * (t.b + t.d) * t.n1 * t.n2, n * n * (n - 1))


def peto_log_odds_ratio(tables: Tables) -> Estimates:
    """One-step log odds ratios (O - E) / V with variance 1 / V (Yusuf 1985, doi:10.1016/S0033-0620(85)80003-7)."""
    excess, v = observed_minus_expected(tables)
    return Estimates(ratio(excess, v), ratio(1, v))


def log_rate_ratio(data: PersonTimes) -> Estimates:
    """Log incidence-rate ratios, variance 1/x1 + 1/x2."""
    y = logarithm(ratio(data.x1, data.t1)) - logarithm(ratio(data.x2, data.t2))
    return Estimates(y, ratio(1, data.x1) + ratio(1, data.x2))


def rate_difference(data: PersonTimes) -> Estimates:
    """Incidence-rate differences, variance x1/t1² + x2/t2²."""
    y = data.x1 / data.t1 - data.x2 / data.t2
    return Estimates(y, data.x1 / data.t1**2 + data.x2 / data.t2**2)


def root_rate_difference(data: PersonTimes) -> Estimates:
    """Differences of square-root incidence rates, variance 1/(4 t1) + 1/(4 t2)."""
    y = root(data.x1 / data.t1) - root(data.x2 / data.t2)
    return Estimates(y, 1 / (4 * data.t1) + 1 / (4 * data.t2))
