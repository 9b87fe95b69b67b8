"""Printed confidence limits of a median or a rate beside those that rebuilt patients give, and limits that no patients can give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_facts import Contradiction, Facts, Interval
from metagrove.survival.kaplan_meier import Transform, confidence_limits, survival_curve

__all__ = ["ShownLimit", "narrow_median", "narrow_rates", "shown_limits"]

#: Half a unit of the last digit of a rate at most, as trailing zeros may have been lost.
COARSEST = 0.005
#: Share of the narrowest width below which no program's interval lies: score and logit limits, or 90 % taken for 95 %.
NARROWER = 0.8
#: The same for the limits of survival where a median's limits are read off.
ASIDE = 0.03


class ShownLimit(NamedTuple):
    """A limit as printed and as rebuilt patients give it, None where it is not reached; `slack`: difference that rounding explains."""

    fact: str
    printed: float | None
    rebuilt: float | None
    slack: float


def shown_limits(facts: Facts, time: Array, event: NDArray[np.bool_], *, error: float = 0.0) -> list[ShownLimit]:
    """Every printed limit beside that of the patients, by the transformation in use that comes nearest to both of a pair.

    Parameters
    ----------
    error : with which times of the curve were read, added to the rounding of a median's limits.
    """
    printed: list[tuple[str, Interval, float | None]]
    printed = [(f"survival at {t:g}", rate, t) for t, rate in facts.rates.items()]
    if facts.median is not None:
        printed.insert(0, ("median", facts.median, None))
    printed = [row for row in printed if row[1].lower is not None or row[1].upper is not None]
    if not printed:
        return []
    curve = survival_curve(time, event)
    found = []
    for name, interval, t in printed:
        pairs = {kind: _limits(curve, t, kind, interval.level, error) for kind in get_args(Transform)}
        half = interval.half_unit if t is None else min(interval.half_unit, COARSEST)
        slack = 1.001 * half + (error if t is None else 0.0)
        kind = min(pairs, key=lambda k: _off(pairs[k], interval, slack))
        for side, told, value in zip(("lower", "upper"), (interval.lower, interval.upper), pairs[kind], strict=True):
            if told is not None or t is None:
                found.append(ShownLimit(f"{name}, {side} limit ({kind})", told, value, slack))
    return found


def _limits(curve: Any, t: float | None, kind: Transform, level: float, error: float) -> list[float | None]:
    if t is not None and t > curve.time[-1] + error and curve.survival[-1] > 0:
        return [None, None]
    pair = curve.median_ci(kind, level) if t is None else curve.interval_at(t, kind, level)
    return [None if np.isnan(x) else float(x) for x in pair]


def _off(pair: list[float | None], interval: Interval, slack: float) -> float:
    """How far a pair of limits lies from the printed one, in units of what rounding explains."""
    off = 0.0
    for told, value in zip((interval.lower, interval.upper), pair, strict=True):
        if told is not None and value is not None:
            off += abs(told - value) / slack
        elif told is not None or value is not None:
            off += 100.0
    return off


def _possible(level: float, n: int, coverage: float) -> list[tuple[float, float]]:
    """Limits at a survival, by transformation, where nobody of `n` was censored before; they are the narrowest."""
    s = np.array([level])
    variance = (1 - s) / (n * s)
    found = (confidence_limits(s, variance, transform=kind, level=coverage) for kind in get_args(Transform))
    return [(float(low[0]), float(high[0])) for low, high in found]


def narrow_rates(facts: Facts) -> list[Contradiction]:
    """Limits of rates that lie closer together than so many patients can bring them."""
    found = []
    for t, rate in facts.rates.items():
        if rate.estimate is None or rate.lower is None or rate.upper is None or not 0 < rate.estimate < 1:
            continue
        half = min(rate.half_unit, COARSEST)
        near = (x for x in (rate.estimate - half, rate.estimate, rate.estimate + half) if 0 < x < 1)
        low, high = min((pair for x in near for pair in _possible(x, facts.n, rate.level)), key=lambda p: p[1] - p[0])
        if rate.upper - rate.lower + 2 * half < NARROWER * (high - low):
            text = (
                f"survival at {t:g} is printed with limits {rate.lower:g} to {rate.upper:g}; the narrowest that"
                f" {facts.n} patients give are {low:.3g} to {high:.3g}"
            )
            found.append(Contradiction((f"limits of survival at {t:g}", "n"), text))
    return found


def narrow_median(facts: Facts, low: Callable[[float], float], high: Callable[[float], float]) -> list[Contradiction]:
    """Limits of the median at which the curve's own limits cannot meet one half with so many patients.

    Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41.
    doi:10.2307/2530286

    Parameters
    ----------
    low, high : the lowest and highest survival that the curve allows just before a time.
    """
    median, found = facts.median, []
    if median is None:
        return []
    told = f"of {facts.n} patients no {median.level:.0%} interval leaves 0.5 out there"
    if median.lower:
        s = high(median.lower - median.half_unit)
        if 0 < s < 1 and max(lower for lower, _ in _possible(s, facts.n, median.level)) < 0.5 - ASIDE:
            text = f"the median's lower limit is printed as {median.lower:g}, where survival is {s:.3f}; {told}"
            found.append(Contradiction(("lower limit of the median", "curve", "n"), text))
    if median.upper:
        s = low(median.upper + median.half_unit)
        if 0 < s < 1 and min(upper for _, upper in _possible(s, facts.n, median.level)) > 0.5 + ASIDE:
            text = f"the median's upper limit is printed as {median.upper:g}, where survival is {s:.3f}; {told}"
            found.append(Contradiction(("upper limit of the median", "curve", "n"), text))
    return found
