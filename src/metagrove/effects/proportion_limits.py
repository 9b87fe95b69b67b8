"""Confidence limits of one proportion, seven methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy import special

from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = ["PROPORTION_INTERVALS", "Pair", "binomial_test"]

Pair: TypeAlias = tuple[Array, Array]
PROPORTION_INTERVALS = Registry[Callable[[Array, Array, float], Pair]]("interval of a proportion")

_NEWCOMBE = "Newcombe RG. Stat Med 1998;17:857-72. doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E"


def _z(level: float) -> float:
    return float(special.ndtri((1 + level) / 2))


@PROPORTION_INTERVALS.add(
    "CP", title="Clopper-Pearson", cite="Clopper CJ, Pearson ES. Biometrika 1934;26:404-13. doi:10.1093/biomet/26.4.404"
)
def clopper_pearson(events: Array, n: Array, level: float) -> Pair:
    """Exact binomial limits."""
    tail = (1 - level) / 2
    inner, outer = np.maximum(events, 0.5), np.minimum(events, n - 0.5)
    lower = np.where(events > 0, special.betaincinv(inner, n - np.minimum(events, n) + 1, tail), 0.0)
    upper = np.where(events < n, special.betaincinv(events + 1, n - outer, 1 - tail), 1.0)
    return lower, upper


@PROPORTION_INTERVALS.add("WS", title="Wilson score", cite=_NEWCOMBE)
def wilson(events: Array, n: Array, level: float) -> Pair:
    """Limits where the score test has p = 1 - level; exactly 0 and 1 at the ends."""
    z2, p = _z(level) ** 2, events / n
    half = np.sqrt(z2 * (z2 + 4 * n * p * (1 - p)))
    centre, width = 2 * n * p + z2, 2 * (n + z2)
    lower = np.where(events == 0, 0.0, (centre - half) / width)
    return lower, np.where(events == n, 1.0, (centre + half) / width)


@PROPORTION_INTERVALS.add("WSCC", title="Wilson score with continuity correction", cite=_NEWCOMBE)
def wilson_corrected(events: Array, n: Array, level: float) -> Pair:
    """Continuity-corrected score limits; a lower limit at no events is not set to 0, as in R meta."""
    z, p = _z(level), events / n
    base, width = 2 * n * p + z * z, 2 * (n + z * z)
    low = z * np.sqrt(np.maximum(z * z - 2 - 1 / n + 4 * p * (n * (1 - p) + 1), 0.0))
    high = z * np.sqrt(np.maximum(z * z + 2 - 1 / n + 4 * p * (n * (1 - p) - 1), 0.0))
    return (base - 1 - low) / width, (base + 1 + high) / width


@PROPORTION_INTERVALS.add(
    "AC", title="Agresti-Coull", cite="Agresti A, Coull BA. Am Stat 1998;52:119-26. doi:10.1080/00031305.1998.10480550"
)
def agresti_coull(events: Array, n: Array, level: float) -> Pair:
    """Wald limits after adding z²/2 successes and z²/2 failures."""
    z = _z(level)
    size = n + z * z
    p = (events + z * z / 2) / size
    return _cut(p, z * np.sqrt(p * (1 - p) / size))


def _cut(p: Array, half: Array) -> Pair:
    return np.clip(p - half, 0.0, 1.0), np.clip(p + half, 0.0, 1.0)


@PROPORTION_INTERVALS.add("SA", title="simple approximation", cite=_NEWCOMBE)
def simple_approximation(events: Array, n: Array, level: float) -> Pair:
    """Wald limits cut to [0, 1]; of no width at 0 or n events."""
    p = events / n
    return _cut(p, _z(level) * np.sqrt(p * (1 - p) / n))


@PROPORTION_INTERVALS.add("SACC", title="simple approximation with continuity correction", cite=_NEWCOMBE)
def simple_approximation_corrected(events: Array, n: Array, level: float) -> Pair:
    """Wald limits widened by 1/(2n), cut to [0, 1]."""
    p = events / n
    return _cut(p, _z(level) * np.sqrt(p * (1 - p) / n) + 1 / (2 * n))


def _log_probability(x: float, n: float, p: float) -> float:
    ways = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    return float(ways + special.xlogy(x, p) + special.xlog1py(n - x, -p))


def binomial_test(events: float, n: float, p: float) -> float:
    """Exact two-sided p-value of `events` among `n` under the proportion `p`.

    The probability of all counts that are no more likely than the observed one, up to a relative 1e-7, as in R:
    Clopper CJ, Pearson ES. Biometrika 1934;26:404-13. doi:10.1093/biomet/26.4.404
    """
    mode = float(min(np.floor((n + 1) * p), n))
    bound = _log_probability(events, n, p) + 1e-7
    if _log_probability(mode, n, p) <= bound:
        return 1.0
    below = events < mode
    # the likelihood falls away from the mode: bisect the other side for its first count that is unlikely enough
    near, far = (mode, n + 1.0) if below else (mode, -1.0)
    while abs(far - near) > 1:
        middle = float(np.floor((near + far) / 2)) if below else float(np.ceil((near + far) / 2))
        if _log_probability(middle, n, p) <= bound:
            far = middle
        else:
            near = middle
    low, high = (events, far) if below else (far, events)
    lower = float(special.betainc(n - low, low + 1, 1 - p)) if low >= 0 else 0.0
    upper = float(special.betainc(high, n - high + 1, p)) if high <= n else 0.0
    return min(1.0, lower + upper)
