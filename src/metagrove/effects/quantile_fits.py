"""Means and SDs of skewed data from reported quantiles: quantile estimation, Box-Cox and maximum likelihood.

McGrath S, Zhao X, Steele R, et al. Estimating the sample mean and standard deviation from commonly reported quantiles in
meta-analysis. Stat Methods Med Res 2020;29:2520-37 (doi:10.1177/0962280219889080). Cai S, Zhou J, Pan J. Estimating the
sample mean and standard deviation from order statistics and sample size in meta-analysis. Stat Methods Med Res
2021;30:2701-19 (doi:10.1177/09622802211047348). Where the papers draw random numbers, 10,000 equally likely quantiles
stand in for them, so that the answers are the same on every run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = ["SKEWED_RULES", "Moments", "Quantiles", "box_cox", "maximum_likelihood", "quantile_estimation"]

_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Reported values in rising order among `n` people, with the ranks that the order statistics have.

    `case` is "range" (minimum, median, maximum), "quartiles" or "all". `normal` gives mean and SD of values taken as
    normal, which the transformed scale uses.
    """

    values: tuple[float, ...]
    n: float
    case: str
    normal: Callable[[tuple[float, ...], float, str], tuple[float, float]]

    @property
    def median(self) -> float:
        """The middle value."""
        return self.values[len(self.values) // 2]

    @property
    def shares(self) -> Array:
        """The probability of each quantile; a minimum stands at 1/n."""
        ends = {"range": (1 / self.n, 0.5, 1 - 1 / self.n), "quartiles": (0.25, 0.5, 0.75)}
        return np.array(ends.get(self.case, (1 / self.n, 0.25, 0.5, 0.75, 1 - 1 / self.n)))

    @property
    def ranks(self) -> Array:
        """The rank of each order statistic, 1 to n."""
        inner = np.floor(np.array([0.25, 0.5, 0.75]) * self.n + 1)
        if self.case == "quartiles":
            return np.minimum(inner, self.n)
        whole = np.array([1.0, *(inner if self.case == "all" else inner[1:2]), self.n])
        return np.maximum.accumulate(np.minimum(whole, self.n))


@dataclass(frozen=True, slots=True)
class Moments:
    """A mean and an SD, and what they rest on: a distribution's name or a Box-Cox power."""

    mean: float
    sd: float
    basis: str


def _positive(q: Quantiles, method: str) -> None:
    if q.values[0] <= 0:
        raise DataError(f"the {method} method needs values above 0; the lowest is {q.values[0]:g}")


def _varied(q: Quantiles) -> bool:
    return q.values[-1] > q.values[0]


# --- quantile estimation (McGrath 2020, section 2.2) ---


def _normal(p: Array, theta: Array) -> Array:
    from scipy import special

    return np.asarray(theta[0] + np.exp(theta[1]) * special.ndtri(p))


def _log_normal(p: Array, theta: Array) -> Array:
    return np.asarray(np.exp(np.clip(_normal(p, theta), -700, 700)))


def _gamma(p: Array, theta: Array) -> Array:
    from scipy import special

    return np.asarray(special.gammaincinv(np.exp(theta[0]), p) * np.exp(theta[1]))


def _weibull(p: Array, theta: Array) -> Array:
    power = np.clip(np.exp(-theta[0]) * np.log(-np.log1p(-p)) + theta[1], -700, 700)
    return np.asarray(np.exp(power))


def _beta(p: Array, theta: Array) -> Array:
    from scipy import special

    return np.asarray(special.betaincinv(np.exp(theta[0]), np.exp(theta[1]), p))


def _fitted_moments(name: str, theta: Array) -> tuple[float, float]:
    from scipy import special

    a, b = float(theta[0]), float(theta[1])
    if name == "normal":
        return a, float(np.exp(b))
    if name == "log-normal":
        s2 = float(np.exp(2 * b))
        mean = float(np.exp(a + s2 / 2))
        return mean, mean * float(np.sqrt(np.expm1(s2)))
    if name == "gamma":
        shape, scale = float(np.exp(a)), float(np.exp(b))
        return shape * scale, float(np.sqrt(shape)) * scale
    if name == "Weibull":
        k, scale = float(np.exp(a)), float(np.exp(b))
        first, second = (float(special.gamma(1 + i / k)) for i in (1, 2))
        return scale * first, scale * float(np.sqrt(max(second - first**2, 0.0)))
    one, two = float(np.exp(a)), float(np.exp(b))
    total = one + two
    return one / total, float(np.sqrt(one * two / (total**2 * (total + 1))))


_FAMILIES: dict[str, Callable[[Array, Array], Array]] = {
    "normal": _normal,
    "log-normal": _log_normal,
    "gamma": _gamma,
    "Weibull": _weibull,
    "beta": _beta,
}


def _start(name: str, q: Quantiles) -> Array:
    m, s = q.normal(q.values, q.n, q.case)
    m, s = (m if name == "normal" else max(m, 1e-8)), max(s, 1e-8)
    if name == "normal":
        return np.array([m, np.log(s)])
    if name == "log-normal":
        s2 = np.log1p((s / m) ** 2)
        return np.array([np.log(m) - s2 / 2, 0.5 * np.log(s2)])
    if name == "gamma":
        return np.array([2 * np.log(m / s), np.log(s * s / m)])
    if name == "Weibull":
        from scipy import special

        k = float(np.clip((s / m) ** -1.086, 0.1, 100.0))
        return np.array([np.log(k), np.log(m / float(special.gamma(1 + 1 / k)))])
    m = min(max(m, 0.01), 0.99)
    common = max(m * (1 - m) / s**2 - 1, 0.1)
    return np.array([np.log(m * common), np.log((1 - m) * common)])


def _gaps(family: Callable[[Array, Array], Array], p: Array, seen: Array) -> Callable[[Array], Array]:
    """Fitted less reported quantiles, large where the distribution does not exist."""

    def gaps(theta: Array) -> Array:
        return np.asarray(np.nan_to_num(family(p, theta) - seen, nan=1e6, posinf=1e6, neginf=-1e6), dtype=float)

    return gaps


@lru_cache(maxsize=4096)
def quantile_estimation(q: Quantiles) -> Moments:
    """Mean and SD of the distribution whose quantiles lie nearest to the reported ones.

    Normal, log-normal, gamma, Weibull and (for values within 0 and 1) beta distributions are fitted by least squares;
    the nearest wins. Values below 0 leave the normal only.
    """
    from scipy.optimize import least_squares

    if not _varied(q):
        return Moments(q.median, 0.0, "constant")
    low, high = q.values[0], q.values[-1]
    names = ["normal"] if low < 0 else ["normal", "log-normal", "gamma", "Weibull"]
    names += ["beta"] if low >= 0 and high <= 1 else []
    seen, p = np.array(q.values), q.shares
    best: tuple[float, str, Array] | None = None
    for name in names:
        family = _FAMILIES[name]
        with np.errstate(all="ignore"):
            start = _start(name, q)
            found = least_squares(
                _gaps(family, p, seen), start, xtol=1e-14, ftol=1e-14, gtol=1e-14,
                x_scale=np.maximum(np.abs(start), 0.1), max_nfev=2000,
            )  # fmt: skip
        if best is None or found.cost < best[0] * (1 - 1e-12):
            best = (float(found.cost), name, np.asarray(found.x))
    assert best is not None
    return Moments(*_fitted_moments(best[1], best[2]), best[1])


# --- Box-Cox transforms (McGrath 2020, section 2.3; Cai 2021) ---


def _transformed(u: Array, power: float) -> Array:
    """(u^power - 1) / power, the logarithm at 0."""
    logs = np.log(u)
    return np.asarray(logs if abs(power) < 1e-8 else np.expm1(power * logs) / power)


def _back(q: Quantiles, power: float, mean: float, sd: float, method: str) -> Moments:
    """Moments of median * (power Z + 1)^(1/power), Z normal, over 10,000 equally likely quantiles.

    Where power Z + 1 would not be above 0 the tail is left out, and the same share of the other tail with it.
    """
    from scipy import special

    share = (np.arange(_DRAWS) + 0.5) / _DRAWS
    z = mean + sd * special.ndtri(share)
    if abs(power) < 1e-8:
        x = np.exp(z)
    else:
        inside = power * z + 1 > 0
        inside &= inside[::-1]
        if inside.sum() < 2:
            raise DataError(f"the {method} method finds no distribution for these quantiles; use 'QE'")
        x = np.exp(np.log(power * z[inside] + 1) / power)
    m = q.median
    return Moments(m * float(x.mean()), m * float(x.std()), f"Box-Cox power {power:.3g}")


def _asymmetry(u: Array, power: float) -> Array:
    """How far each pair of outer quantiles is from symmetric about the median, on the transformed scale."""
    f = _transformed(u, power)
    half = u.size // 2
    return np.asarray(f[:half] + f[::-1][:half] - 2 * f[half])


def _lowest(value: Callable[[float], float], grid: Array) -> float:
    """The lowest point of a function near the lowest of a grid."""
    from scipy.optimize import minimize_scalar

    heights = np.array([value(float(power)) for power in grid])
    i = int(np.nanargmin(heights))
    low, high = float(grid[max(i - 1, 0)]), float(grid[min(i + 1, grid.size - 1)])
    found = minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    return float(found.x)


_POWERS = np.linspace(-6.0, 6.0, 121)


@lru_cache(maxsize=4096)
def box_cox(q: Quantiles) -> Moments:
    """Mean and SD by the Box-Cox power that makes the quantiles most nearly symmetric; values lie above 0.

    On the transformed scale the mean is Luo's and the SD Wan's. Values are divided by the median first, so that powers
    are compared on one scale.
    """
    _positive(q, "Box-Cox")
    if not _varied(q):
        return Moments(q.median, 0.0, "constant")
    u = np.array(q.values) / q.median
    power = _lowest(lambda p: float((_asymmetry(u, p) ** 2).sum()), _POWERS)
    mean, sd = q.normal(tuple(float(v) for v in _transformed(u, power)), q.n, q.case)
    return _back(q, power, mean, sd, "Box-Cox")


def _likelihood(z: Array, ranks: Array, n: float, mean: float, sd: float) -> float:
    """The log-density of order statistics of a normal sample, up to a constant."""
    from scipy import special

    t = (z - mean) / sd
    edges = np.array([0.0, *ranks, n + 1])
    between = np.maximum(np.diff(edges) - 1, 0.0)
    cdf = np.concatenate([[0.0], special.ndtr(t), [1.0]])
    steps = np.maximum(np.diff(cdf), 1e-300)
    return float(-0.5 * (t @ t) - t.size * np.log(sd) + between @ np.log(steps))


@lru_cache(maxsize=4096)
def maximum_likelihood(q: Quantiles) -> Moments:
    """Mean and SD by a Box-Cox power of highest likelihood of the order statistics; values lie above 0.

    The power is the one of highest likelihood with Luo's mean and Wan's SD on its scale; mean and SD there are then
    those of highest likelihood themselves (Cai 2021, the method for unknown non-normal distributions).
    """
    from scipy.optimize import minimize

    _positive(q, "MLN")
    if not _varied(q):
        return Moments(q.median, 0.0, "constant")
    u = np.array(q.values) / q.median
    logs, ranks = float(np.log(u).sum()), q.ranks

    def loss(power: float) -> float:
        z = _transformed(u, power)
        mean, sd = q.normal(tuple(float(v) for v in z), q.n, q.case)
        return -_likelihood(z, ranks, q.n, mean, sd) - (power - 1) * logs if sd > 0 else np.inf

    power = _lowest(loss, _POWERS)
    z = _transformed(u, power)
    mean, sd = q.normal(tuple(float(v) for v in z), q.n, q.case)

    def own(t: Array) -> float:
        return -_likelihood(z, ranks, q.n, mean + sd * float(t[0]), sd * float(np.exp(t[1])))

    steps: Any = {"xatol": 1e-10, "fatol": 1e-12, "maxiter": 2000}
    found = minimize(own, np.zeros(2), method="Nelder-Mead", options=steps)
    return _back(q, power, mean + sd * float(found.x[0]), sd * float(np.exp(found.x[1])), "MLN")


_MCGRATH = "McGrath S, et al. Stat Methods Med Res 2020;29:2520-37. doi:10.1177/0962280219889080"
_CAI = "Cai S, et al. Stat Methods Med Res 2021;30:2701-19. doi:10.1177/09622802211047348"

#: Rules for mean and SD of data that need not be normal.
SKEWED_RULES: Registry[Callable[[Quantiles], Moments]] = Registry("rule for mean and SD of skewed data")
SKEWED_RULES.put("QE", quantile_estimation, title="the distribution whose quantiles are nearest", cite=_MCGRATH)
SKEWED_RULES.put("BC", box_cox, title="a Box-Cox transform that makes the quantiles symmetric", cite=_MCGRATH)
SKEWED_RULES.put("MLN", maximum_likelihood, title="a Box-Cox transform of highest likelihood", cite=_CAI)
