"""What a printed median, printed rates and their confidence limits say about a path of patients."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_facts import Facts, Interval
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.paths.plan import DROP, Plan

__all__ = ["printed_fit"]

#: Error of a confidence limit beside its rounding: softwares differ in ties and in the limits' definition.
LIMIT_ERROR = 0.003
#: A fact counts this many times its squared distance in standard errors at most: it may be misprinted.
WORST = 40.0


@dataclass(frozen=True, slots=True, eq=False)
class _Bands:
    """Survival of each path and its limits by transformation, on the steps between drops; shapes (paths, drops + 1)."""

    survival: Array
    limits: tuple[tuple[Array, Array], ...]


def _bands(plan: Plan, paths: NDArray[np.int32], level: float) -> _Bands:
    """Greenwood's limits, plain, log and log-log, of every path.

    Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data. 2nd ed. Wiley 2002.
    doi:10.1002/9781118032985
    """
    drop = plan.kind == DROP
    before = np.maximum(paths[:, :-1][:, drop], 1).astype(np.float64)
    after = np.maximum(paths[:, 1:][:, drop], 0).astype(np.float64)
    one = np.ones((paths.shape[0], 1))
    s = np.concatenate((one, np.cumprod(after / before, axis=1)), axis=1)
    terms = (before - after) / (before * np.maximum(after, 0.5))
    error = np.sqrt(np.concatenate((0 * one, np.cumsum(terms, axis=1)), axis=1))
    z = NormalDist().inv_cdf(0.5 + level / 2)
    inner = np.clip(s, 1e-9, 1 - 1e-9)
    power = np.exp(np.clip(z * error / -np.log(inner), 0, 50))
    plain = (np.clip(s - z * s * error, 0, 1), np.clip(s + z * s * error, 0, 1))
    log = (s * np.exp(-z * error), np.minimum(s * np.exp(z * error), 1))
    return _Bands(s, (plain, log, (inner**power, inner ** (1 / power))))


def printed_fit(plan: Plan, reading: Reading, facts: Facts, paths: NDArray[np.int32]) -> Array:
    """Log weight of each path for the printed median, rates and their limits, shape (paths,); zero where none is printed.

    Rates themselves are conditions on the path and weigh here only by their limits. A limit agrees if any of the
    transformations in use gives it.
    """
    weight = np.zeros(paths.shape[0])
    if facts.median is None and not facts.rates:
        return weight
    printed = [*facts.rates.values()] + ([facts.median] if facts.median is not None else [])
    bands = _bands(plan, paths, printed[0].level)
    costs = [np.zeros(paths.shape[0]) for _ in bands.limits]
    for t, rate in facts.rates.items():
        if t <= reading.end:
            _add_rate(costs, bands, reading, t, rate)
    median = facts.median
    if median is not None:
        weight -= _crossing(bands.survival, reading, median, median.estimate, 0.002)
        for cost, (low, high) in zip(costs, bands.limits, strict=True):
            cost += _crossing(low, reading, median, median.lower, 2 * LIMIT_ERROR)
            cost += _crossing(high, reading, median, median.upper, 2 * LIMIT_ERROR)
    return np.asarray(weight - np.min(costs, axis=0), dtype=np.float64)


def _add_rate(costs: list[Array], bands: _Bands, reading: Reading, t: float, rate: Interval) -> None:
    here = int(np.searchsorted(reading.time, t, side="right"))
    for cost, (low, high) in zip(costs, bands.limits, strict=True):
        for limit, printed in ((low, rate.lower), (high, rate.upper)):
            if printed is not None:
                cost += np.minimum(0.5 * ((limit[:, here] - printed) / LIMIT_ERROR) ** 2, WORST)


def _crossing(level: Array, reading: Reading, median: Interval, t: float | None, error: float) -> Array:
    """Cost of a step function, shape (paths, drops + 1), that does not cross one half at about `t`."""
    if t is None or t > reading.end:
        return np.zeros(level.shape[0])
    slack = median.half_unit + max(2 * reading.sigma_t, 0.001 * reading.end)
    early = int(np.searchsorted(reading.time, t - slack, side="right"))
    late = int(np.searchsorted(reading.time, t + slack, side="right"))
    off = np.maximum(0.0, np.maximum(0.5 - level[:, early], level[:, late] - 0.5))
    return np.asarray(np.minimum(0.5 * (off / error) ** 2, WORST), dtype=np.float64)
