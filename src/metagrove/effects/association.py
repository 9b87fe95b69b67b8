"""Association in one 2x2 table as a correlation or a standardised difference; change in paired tables."""

from __future__ import annotations

import numpy as np

from metagrove.core.values import Array
from metagrove.effects.arms import Tables
from metagrove.effects.estimates import Estimates
from metagrove.effects.guarded import logarithm, ratio, root
from metagrove.effects.two_arm import log_odds_ratio

__all__ = [
    "conditional_paired_log_odds_ratio",
    "fisher_z",
    "log_odds_ratio_as_difference",
    "marginal_log_odds_ratio",
    "marginal_log_risk_ratio",
    "marginal_risk_difference",
    "paired_peto_log_odds_ratio",
    "phi",
    "probit_difference",
    "tetrachoric",
    "yule_q",
    "yule_y",
]

#: Cox & Snell's divisor that turns a log odds ratio into a standardised difference under normality.
COX = 1.65
LOGISTIC = float(np.sqrt(3) / np.pi)


def phi(tables: Tables, vtype: str = "LS") -> Estimates:
    """Phi coefficients; `vtype` "CS" (also "LS") for a cross-sectional sample, "ST" for arms of fixed size.

    References
    ----------
    Yule GU. J R Stat Soc 1912;75:579-652. doi:10.2307/2340126
    """
    t, n = tables, tables.n
    spread = root(t.n1 * t.n2 * (t.a + t.c) * (t.b + t.d))
    y = ratio(t.a * t.d - t.b * t.c, spread)
    if vtype in ("CS", "LS"):
        g, h = ratio(t.n1, n), ratio(t.a + t.c, n)
        skew_g, skew_h = ratio(1 - 2 * g, root(g * (1 - g))), ratio(1 - 2 * h, root(h * (1 - h)))
        v = ratio(1 - y**2 + y * (1 + y**2 / 2) * skew_g * skew_h - 0.75 * y**2 * (skew_g**2 + skew_h**2), n)
        return Estimates(y, v)
    return Estimates(y, _phi_variance_stratified(t))


def _phi_variance_stratified(t: Tables) -> Array:
    # phi = (p1 - p2) sqrt(w1 w2) / sqrt(m (1 - m)), m = w1 p1 + w2 p2; the delta method in p1 and p2.
    w1, w2 = ratio(t.n1, t.n), ratio(t.n2, t.n)
    p1, p2 = ratio(t.a, t.n1), ratio(t.c, t.n2)
    m = w1 * p1 + w2 * p2
    scale = ratio(root(w1 * w2), root(m * (1 - m)))
    pull = ratio((p1 - p2) * (1 - 2 * m), 2 * m * (1 - m))
    g1, g2 = scale * (1 - pull * w1), scale * (-1 - pull * w2)
    return g1**2 * ratio(p1 * (1 - p1), t.n1) + g2**2 * ratio(p2 * (1 - p2), t.n2)


def yule_q(tables: Tables) -> Estimates:
    """Yule's Q with its delta-method variance."""
    odds = log_odds_ratio(tables)
    q = np.tanh(odds.y / 2)
    return Estimates(q, 0.25 * (1 - q**2) ** 2 * odds.v)


def yule_y(tables: Tables) -> Estimates:
    """Yule's Y (coefficient of colligation) with its delta-method variance."""
    odds = log_odds_ratio(tables)
    y = np.tanh(odds.y / 4)
    return Estimates(y, (1 - y**2) ** 2 / 16 * odds.v)


def probit_difference(tables: Tables) -> Estimates:
    """Differences of probits of the two risks; NaN where a risk is 0 or 1."""
    from scipy.special import ndtri

    t = tables
    v, z = np.zeros(t.k), []
    for events, n in ((t.a, t.n1), (t.c, t.n2)):
        p = ratio(events, n)
        inside = (p > 0) & (p < 1)
        score = np.where(inside, ndtri(np.where(inside, p, 0.5)), np.nan)
        z.append(score)
        v = v + ratio(2 * np.pi * p * (1 - p) * np.exp(score**2), n)
    return Estimates(z[0] - z[1], v)


def log_odds_ratio_as_difference(tables: Tables, shape: str) -> Estimates:
    """Log odds ratios as standardised differences, `shape` "normal" (divided by 1.65) or "logistic" (times √3/π).

    References
    ----------
    Chinn S. Stat Med 2000;19:3127-31. doi:10.1002/1097-0258(20001130)19:22<3127::AID-SIM784>3.0.CO;2-M
    Sánchez-Meca J. Psychol Methods 2003;8:448-67. doi:10.1037/1082-989X.8.4.448
    """
    return log_odds_ratio(tables).scaled(1 / COX if shape == "normal" else LOGISTIC)


def fisher_z(correlations: Estimates) -> Estimates:
    """Fisher's z of correlations with the delta-method variance; NaN at ±1."""
    inside = np.abs(correlations.y) < 1
    r = np.where(inside, correlations.y, np.nan)
    return Estimates(np.arctanh(r), correlations.v / (1 - r**2) ** 2)


def tetrachoric(tables: Tables) -> Estimates:
    """Tetrachoric correlations by maximum likelihood; NaN where a cell is empty.

    The 2x2 table has as many free cells as the model has parameters, so the fit is exact: the correlation solves
    Φ₂(h, k; ρ) = a/n at the margins' normal scores. The variance is the multinomial delta method.

    References
    ----------
    Brown MB. Appl Stat 1977;26:343-51. doi:10.2307/2346985
    """
    pairs = [_tetrachoric_of(*cells) for cells in zip(tables.a, tables.b, tables.c, tables.d, strict=True)]
    columns = np.array(pairs, dtype=float).reshape(-1, 2)
    return Estimates(columns[:, 0], columns[:, 1])


def _orthant(h: float, k: float, rho: float) -> float:
    """P(X < h, Y < k) for standard normals with correlation `rho`, by Gauss-Legendre in the angle (Drezner 1990)."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    from scipy.special import ndtr

    top = np.arcsin(rho)
    angle = top * (nodes + 1) / 2
    density = np.exp(-(h * h + k * k - 2 * h * k * np.sin(angle)) / (2 * np.cos(angle) ** 2))
    return float(ndtr(h) * ndtr(k) + top / 2 * (weights @ density) / (2 * np.pi))


def _tetrachoric_of(a: float, b: float, c: float, d: float) -> tuple[float, float]:
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    if not min(a, b, c, d) > 0:
        return np.nan, np.nan
    n = a + b + c + d
    p, row, col = a / n, (a + b) / n, (a + c) / n
    h, k = float(ndtri(row)), float(ndtri(col))
    rho = float(brentq(lambda r: _orthant(h, k, r) - p, -0.999999, 0.999999, xtol=1e-14))
    spread = np.sqrt(1 - rho**2)
    density = np.exp(-(h * h + k * k - 2 * rho * h * k) / (2 * spread**2)) / (2 * np.pi * spread)
    by_row, by_col = ndtr((k - rho * h) / spread), ndtr((h - rho * k) / spread)
    # Gradient of rho over the cells a, b, c (d has none of the three margins).
    gradient = np.array([1 - by_row - by_col, -by_row, -by_col, 0.0]) / density
    cells = np.array([a, b, c, d]) / n
    return rho, float((cells @ gradient**2 - (cells @ gradient) ** 2) / n)


def marginal_risk_difference(tables: Tables) -> Estimates:
    """Differences of the two marginal risks of paired tables (`b`, `c` discordant pairs)."""
    t, n = tables, tables.n
    y = ratio(t.b - t.c, n)
    return Estimates(y, ratio(t.b + t.c, n**2) - ratio((t.b - t.c) ** 2, n**3))


def marginal_log_risk_ratio(tables: Tables) -> Estimates:
    """Log ratios of the two marginal risks of paired tables."""
    t = tables
    y = logarithm(ratio(t.a + t.b, t.a + t.c))
    return Estimates(y, ratio(t.b + t.c, (t.a + t.b) * (t.a + t.c)))


def marginal_log_odds_ratio(tables: Tables) -> Estimates:
    """Log ratios of the two marginal odds of paired tables (Becker 1993, doi:10.1002/sim.4780120405)."""
    t = tables
    first, second = (t.a + t.b, t.c + t.d), (t.a + t.c, t.b + t.d)
    y = logarithm(ratio(first[0] * second[1], first[1] * second[0]))
    apart = ratio(1, first[0]) + ratio(1, first[1]) + ratio(1, second[0]) + ratio(1, second[1])
    together = ratio(t.n * (t.a * t.d - t.b * t.c), first[0] * first[1] * second[0] * second[1])
    return Estimates(y, apart - 2 * together)


def conditional_paired_log_odds_ratio(tables: Tables) -> Estimates:
    """Log odds ratios of the discordant pairs, log(b/c)."""
    return Estimates(logarithm(ratio(tables.b, tables.c)), ratio(1, tables.b) + ratio(1, tables.c))


def paired_peto_log_odds_ratio(tables: Tables) -> Estimates:
    """Peto's one-step log odds ratios of the discordant pairs."""
    discordant = tables.b + tables.c
    return Estimates(ratio(2 * (tables.b - tables.c), discordant), ratio(4, discordant))
