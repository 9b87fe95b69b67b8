"""The likelihood of the Copas selection model, with its gradient, at a given strength of selection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, log_ndtr

from metagrove.core.errors import ConvergenceError
from metagrove.core.values import Array
from metagrove.pooling.bias.descent import lowest_point

__all__ = ["CopasFit", "copas_fit", "copas_log_likelihood", "publication_probability"]

_HALF_LOG_TWO_PI = 0.5 * float(np.log(2 * np.pi))
_ROOT_TWO_BY_PI, _ROOT_HALF = float(np.sqrt(2 / np.pi)), float(np.sqrt(0.5))


@dataclass(frozen=True, slots=True)
class CopasFit:
    """Maximum-likelihood estimates at one pair (gamma0, gamma1): mean `mu`, correlation `rho`, `tau`, trend `slope`.

    `slope` is the coefficient of the standard error in the mean, 0 unless it was asked for.
    """

    mu: float
    rho: float
    tau: float
    slope: float
    log_likelihood: float


def publication_probability(se: Array, gamma0: float, gamma1: float) -> Array:
    """The probability that a study with standard error `se` is published, shape of `se`."""
    return np.exp(log_ndtr(gamma0 + gamma1 / se))


def _mills(u: Array) -> Array:
    """The ratio of the normal density to the distribution function at `u`."""
    return np.asarray(_ROOT_TWO_BY_PI / erfcx(-u * _ROOT_HALF), dtype=np.float64)


def copas_log_likelihood(theta: Array, y: Array, se: Array, gamma0: float, gamma1: float) -> tuple[float, Array]:
    """The log-likelihood of `theta` = (mu, rho, tau, slope) and its gradient, shape (4,).

    y_i = mu + slope se_i + error, published where gamma0 + gamma1 / se_i + delta_i > 0, with correlation rho between
    the within-study error and delta. The sampling variance is that before selection (Copas & Shi 2001).

    References
    ----------
    Copas J, Shi JQ (2000) Meta-analysis, funnel plots and sensitivity analysis. Biostatistics 1:247-262.
    doi:10.1093/biostatistics/1.3.247
    Copas JB, Shi JQ (2001) A sensitivity analysis for publication bias in systematic reviews. Statistical Methods in
    Medical Research 10:251-265. doi:10.1177/096228020101000402
    """
    mu, rho, tau, slope = theta
    u = gamma0 + gamma1 / se
    ratio = _mills(u)
    c2 = np.clip(ratio * (u + ratio), 0.0, 1.0)  # rounding for very unlikely publication
    shrink = 1 - c2 * rho * rho
    sigma2 = se * se / shrink
    total = tau * tau + sigma2
    residual = y - mu - slope * se
    # v = (u + a residual) / root with a = rho sigma / total and root² = 1 - rho² sigma² / total
    sigma = np.sqrt(sigma2)
    a = rho * sigma / total
    root2 = 1 - rho * rho * sigma2 / total
    root = np.sqrt(root2)
    v = (u + a * residual) / root
    ratio_v = _mills(v)
    value = -0.5 * np.log(total) - 0.5 * residual**2 / total - log_ndtr(u) + log_ndtr(v) - _HALF_LOG_TWO_PI
    by_residual = -residual / total + ratio_v * a / root
    by_total = -0.5 / total + 0.5 * residual**2 / total**2
    by_total = by_total + ratio_v * (-a * residual / (total * root) - 0.5 * v * rho * rho * sigma2 / (total**2 * root2))
    by_sigma2 = ratio_v * (0.5 * a * residual / (sigma2 * root) + 0.5 * v * rho * rho / (total * root2))
    by_rho = ratio_v * (sigma / total * residual / root + v * rho * sigma2 / (total * root2))
    chain = (by_total + by_sigma2) * sigma2 * 2 * c2 * rho / shrink
    gradient = (-by_residual, by_rho + chain, by_total * 2 * tau, -by_residual * se)
    return float(value.sum()), np.array([float(part.sum()) for part in gradient])


def copas_fit(
    y: Array,
    se: Array,
    gamma: tuple[float, float],
    starts: list[Array],
    *,
    rho_bound: float,
    trend: bool = False,
) -> CopasFit:
    """The best fit at `gamma` = (gamma0, gamma1) found from all `starts`, each (mu, rho, tau, slope).

    `trend` frees the slope of the mean on the standard error, which is 0 otherwise.
    """
    free = 4 if trend else 3

    def loss(part: Array) -> tuple[float, Array]:
        theta = np.zeros(4)
        theta[:free] = part
        value, gradient = copas_log_likelihood(theta, y, se, *gamma)
        return (-value, -gradient[:free]) if np.isfinite(value) else (1e10, np.zeros(free))

    low = np.array([-np.inf, -rho_bound, 0.0, -np.inf])[:free]
    high = np.array([np.inf, rho_bound, np.inf, np.inf])[:free]
    best, point = np.inf, np.zeros(0)
    for start in starts:
        there, value = lowest_point(loss, start[:free], low, high)
        if value < best - 1e-10:
            best, point = value, there
    if not point.size or best >= 1e10:
        raise ConvergenceError(f"the Copas model has no finite likelihood at gamma0 {gamma[0]:g}, gamma1 {gamma[1]:g}")
    mu, rho, tau, slope = np.append(point, 0.0)[:4]
    return CopasFit(float(mu), float(rho), float(tau), float(slope), -best)
