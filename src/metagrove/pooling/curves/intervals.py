"""Intervals of a pooled survival curve: Greenwood's on the log scale, simulated curves, medians and means."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.pooling.curves.fit import ArcsineFit

__all__ = [
    "Bounded",
    "Crossing",
    "arcsine_survival",
    "area",
    "crossing",
    "crossings",
    "fall_to",
    "greenwood_limits",
    "log_covariance",
    "log_log_curves",
    "log_log_limits",
    "normal_quantile",
    "observed_curves",
    "percentile_band",
    "percentile_limits",
    "simulated_curves",
]


class Bounded(NamedTuple):
    """An estimate between its limits."""

    estimate: float
    lower: float
    upper: float


class Crossing(NamedTuple):
    """The time at which a curve falls to a level, and its limits; NaN with a reason for what does not exist."""

    estimate: float
    lower: float
    upper: float
    reason: str


def normal_quantile(level: float) -> float:
    """The two-sided normal quantile; 1.96 for 0.95, as the method was published and is implemented elsewhere."""
    from scipy.special import ndtri

    return 1.96 if level == 0.95 else float(ndtri(0.5 + level / 2))


def arcsine_survival(b: Array) -> Array:
    """Survival at each time, the running product of sin² b along the first axis."""
    return np.cumprod(np.sin(b) ** 2, axis=0)


def log_covariance(fit: ArcsineFit) -> Array:
    """Covariance of log survival at the J times by the delta method, shape (J, J); not finite after a fall to 0."""
    sine = np.sin(fit.b)
    alive = np.abs(sine) > 1e-8
    cot = np.where(alive, np.cos(fit.b) / np.where(alive, sine, 1.0), np.inf)
    finite = np.where(alive, cot, 0.0)
    cov: Array = 4 * np.cumsum(np.cumsum(fit.cov * np.outer(finite, finite), axis=0), axis=1)
    gone = np.cumsum(~alive) > 0
    cov[gone, :] = np.inf
    cov[:, gone] = np.inf
    return cov


def greenwood_limits(survival: Array, log_cov: Array, level: float) -> tuple[Array, Array]:
    """Limits symmetric on the log scale, not clipped; NaN where survival is 0."""
    variance = np.diag(log_cov)
    exists = np.isfinite(variance) & (survival > 0)
    half = np.minimum(normal_quantile(level) * np.sqrt(np.where(exists, np.maximum(variance, 0.0), 0.0)), 600.0)
    lower, upper = survival * np.exp(-half), survival * np.exp(half)
    return np.where(exists, lower, np.nan), np.where(exists, upper, np.nan)


def log_log_covariance(survival: Array, log_cov: Array) -> tuple[NDArray[np.intp], Array]:
    """The times at which survival lies between 0 and 1, and the covariance of log(-log S) there by the delta method."""
    inside = np.flatnonzero(np.isfinite(np.diag(log_cov)) & (survival > 0) & (survival < 1))
    logs = np.log(survival[inside])
    return inside, log_cov[np.ix_(inside, inside)] / np.outer(logs, logs)


def log_log_limits(survival: Array, log_cov: Array, level: float, *, df: float) -> tuple[Array, Array]:
    """Limits symmetric on the log(-log) scale by Student's t with `df`; survival itself where it is 0 or 1."""
    from scipy.special import stdtrit

    inside, cov = log_log_covariance(survival, log_cov)
    half = np.minimum(float(stdtrit(df, 0.5 + level / 2)) * np.sqrt(np.maximum(np.diag(cov), 0.0)), 600.0)
    lower, upper = survival.copy(), survival.copy()
    logs = np.log(survival[inside])
    lower[inside], upper[inside] = np.exp(logs * np.exp(half)), np.exp(logs * np.exp(-half))
    return lower, upper


def log_log_curves(survival: Array, log_cov: Array, rng: np.random.Generator, *, draws: int, df: float) -> Array:
    """Falling curves around `survival` whose log(-log) values are multivariate t, shape (J, draws)."""
    inside, cov = log_log_covariance(survival, log_cov)
    values, vectors = np.linalg.eigh(cov)
    step = (vectors * np.sqrt(np.maximum(values, 0.0))) @ rng.standard_normal((inside.size, draws))
    step *= np.sqrt(df / rng.chisquare(df, draws))
    curves = np.repeat(survival[:, None], draws, axis=1)
    curves[inside] = np.exp(np.log(survival[inside])[:, None] * np.exp(np.minimum(step, 600.0)))
    return np.minimum.accumulate(curves, axis=0)


def simulated_curves(
    b: Array, cov: Array, rng: np.random.Generator, *, draws: int = 10_000, df: float | None = None, fold: bool = True
) -> Array:
    """Survival curves simulated from the pooled vector, shape (J, draws).

    Normal vectors with mean `b` and covariance `cov` (multivariate t when `df` is given). Those directions that move
    the curve most are filled evenly and the sample moments are made exact, so that percentiles hardly depend on the
    seed. Not in mirrored pairs: an interval in which nobody died sits at the top of the sine, where mirrored values are
    one. A vector beyond the ends of the arcsine scale folds back, as published; with `fold` False it stays at
    the end.
    """
    values, vectors = np.linalg.eigh((cov + cov.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    slope = np.clip(2 * np.cos(b) / np.where(np.abs(np.sin(b)) > 0.1, np.sin(b), 0.1), -10, 10)
    root = root @ np.linalg.svd(np.tri(b.size) * slope @ root)[2].T
    # Single precision: seven digits of a simulated curve are more than its percentiles have, and it is twice as fast.
    z = _even_normals(b.size, draws, rng)
    if draws > 4 * b.size:
        z -= z.mean(axis=1, keepdims=True)
        root = root @ np.linalg.inv(np.linalg.cholesky((z @ z.T).astype(np.float64) / draws))
    step = root.astype(np.float32) @ z
    if df is not None:
        step *= np.sqrt(df / rng.chisquare(df, draws)).astype(np.float32)
    step += b[:, None].astype(np.float32)
    if not fold:
        np.clip(step, 0.0, np.pi / 2, out=step)
    sine = np.sin(step, out=step)
    return np.cumprod(np.square(sine, out=sine), axis=0).astype(np.float64)


def observed_curves(curves: Array, patients: int, rng: np.random.Generator) -> Array:
    """The share alive at each time in trials of `patients`, none censored, one trial for each true curve (J, m)."""
    before = np.vstack([np.ones(curves.shape[1]), curves[:-1]])
    conditional = np.clip(np.where(before > 0, curves / np.where(before > 0, before, 1.0), 0.0), 0.0, 1.0)
    alive = np.full(curves.shape[1], patients)
    seen = np.empty_like(curves)
    for j, p in enumerate(conditional):
        alive = rng.binomial(alive, p)
        seen[j] = alive / patients
    return seen


def _even_normals(size: int, draws: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Standard normal values, shape (size, draws), whose first ten rows fill space evenly from a random start.

    The points step by powers of the root of x^11 = x + 1, the golden ratio's relative for ten dimensions (Niederreiter,
    Random Number Generation and Quasi-Monte Carlo Methods, 1992, doi:10.1137/1.9781611970081).
    """
    from scipy.special import ndtri

    even = min(size, 10)
    root = 1.0
    for _ in range(60):
        root = (1 + root) ** (1 / (even + 1))
    z = np.empty((size, draws), dtype=np.float32)
    steps = root ** -np.arange(1.0, even + 1)
    points = (rng.random(even)[:, None] + steps[:, None] * np.arange(draws)) % 1.0
    z[:even] = ndtri(np.clip(points, 1e-12, 1 - 1e-12))
    rng.standard_normal(out=z[even:], dtype=np.float32)
    return z


def _percentiles(sorted_values: Array, level: float) -> tuple[float, float]:
    """Percentiles by linear interpolation of order statistics; infinite where the upper neighbour is."""
    found = []
    for p in (0.5 - level / 2, 0.5 + level / 2):
        place = (sorted_values.size - 1) * p
        i = min(math.floor(place), sorted_values.size - 2) if sorted_values.size > 1 else 0
        low, high = sorted_values[i], sorted_values[min(i + 1, sorted_values.size - 1)]
        found.append(float(low + (place - i) * (high - low)) if math.isfinite(high) else math.inf)
    return found[0], found[1]


def percentile_limits(values: Array, level: float) -> tuple[float, float]:
    """The central `level` of simulated values; infinite values count as large."""
    size = values.size
    wanted = {min(math.floor((size - 1) * p) + k, size - 1) for p in (0.5 - level / 2, 0.5 + level / 2) for k in (0, 1)}
    return _percentiles(np.partition(values, sorted(wanted)), level)


def percentile_band(curves: Array, level: float) -> tuple[Array, Array]:
    """The central `level` of simulated curves at each time, for curves of shape (J, draws)."""
    limits = [percentile_limits(line, level) for line in curves]
    return np.array([low for low, _ in limits]), np.array([high for _, high in limits])


def crossing(time: Array, survival: Array, target: float = 0.5) -> float:
    """The time at which a curve, 1 at time 0 and straight between times, falls to `target`; infinite if never."""
    return float(crossings(time, survival[:, None], target)[0])


def crossings(time: Array, curves: Array, target: float = 0.5) -> Array:
    """`crossing` for each of many curves of shape (J, m); shape (m,)."""
    passed = (curves > target).sum(axis=0)
    reached = passed < time.size
    i = np.minimum(passed, time.size - 1)
    columns = np.arange(curves.shape[1])
    after = curves[i, columns]
    before = np.where(i > 0, curves[np.maximum(i - 1, 0), columns], 1.0)
    t1, t0 = time[i], np.where(i > 0, time[np.maximum(i - 1, 0)], 0.0)
    drop = np.where(reached, before - after, 1.0)
    return np.where(reached, t0 + (before - target) / np.where(drop > 0, drop, 1.0) * (t1 - t0), np.inf)


def fall_to(time: Array, survival: Array, curves: Array, *, level: float, target: float = 0.5) -> Crossing:
    """The time at which the curve falls to `target`, with limits from simulated curves of shape (J, m).

    A simulated curve that never falls so far counts as later than the last time, so that a limit exists as long as more
    than its tail of the curves falls in time.
    """
    found = crossing(time, survival, target)
    times = crossings(time, curves, target)
    lower, upper = percentile_limits(times, level)
    reasons = []
    if math.isinf(found):
        reasons.append(
            f"the curve is still {survival[-1]:.3f} at the last time, {time[-1]:g}, and {target:g} is not reached"
        )
    if math.isinf(upper):
        which = "neither limit exists" if math.isinf(lower) else "no upper limit exists"
        above = float(np.isinf(times).mean())
        reasons.append(f"{which}: {above:.1%} of the simulated curves are still above {target:g} at {time[-1]:g}")
    estimate, low, high = (value if math.isfinite(value) else math.nan for value in (found, lower, upper))
    return Crossing(estimate, low, high, "; ".join(reasons))


def area(time: Array, survival: Array, tau: float | None = None) -> Array:
    """The area under curves that are straight between grid times, from 1 at time 0 to `tau` (the last time).

    `survival` has shape (J,) or (J, m); the result is a scalar array or has shape (m,).
    """
    horizon = float(time[-1]) if tau is None else tau
    inside = time < horizon
    t0, t1 = np.concatenate(([0.0], time[inside])), np.concatenate((time[inside], [horizon]))
    width = t1 - t0
    count = int(inside.sum())
    weights = np.zeros(time.size)
    weights[:count] += width[:-1] / 2 + width[1:] / 2
    j = min(count, time.size - 1)
    left = float(time[j - 1]) if j else 0.0
    share = min((horizon - left) / (float(time[j]) - left), 1.0)  # survival at the horizon lies between two times
    weights[j] += width[-1] / 2 * share
    constant = width[0] / 2
    if j:
        weights[j - 1] += width[-1] / 2 * (1 - share)
    else:
        constant += width[-1] / 2 * (1 - share)
    return np.asarray(constant + weights @ survival)
