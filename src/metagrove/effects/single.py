"""Effects of one group: proportions, rates, means, correlations and reliabilities, in metafor's forms."""

from __future__ import annotations

import numpy as np

from metagrove.core.values import Array
from metagrove.effects.arms import Correlations, OneMeans, Proportions, Rates, Reliabilities
from metagrove.effects.estimates import Estimates
from metagrove.effects.guarded import logarithm, ratio, root, small_sample_factor

__all__ = [
    "arcsine_proportion",
    "bonett_alpha",
    "correlation",
    "double_arcsine_proportion",
    "double_root_rate",
    "fisher_z",
    "hakstian_whalen_alpha",
    "log_mean",
    "log_proportion",
    "log_rate",
    "log_standard_deviation",
    "log_variation",
    "logit_proportion",
    "mean",
    "probit_proportion",
    "proportion",
    "rate",
    "raw_alpha",
    "root_rate",
    "standardised_mean",
    "unbiased_correlation",
]


def proportion(data: Proportions, vtype: str = "LS") -> Estimates:
    """Proportions, variance p(1 - p)/n; `vtype` "UB" divides by n - 1, "AV" uses the pooled proportion."""
    p = ratio(data.x, data.n)
    q = ratio(_expected(data), data.n) if vtype == "AV" else p
    return Estimates(p, ratio(q * (1 - q), data.n - (1 if vtype == "UB" else 0)))


def _expected(data: Proportions) -> Array:
    """The events each study would have at the proportion of all people together."""
    return np.asarray(data.n * (np.nansum(data.x) / np.nansum(data.n)))


def log_proportion(data: Proportions, vtype: str = "LS") -> Estimates:
    """Log proportions, variance 1/x - 1/n; `vtype` "AV" uses the pooled proportion."""
    x = _expected(data) if vtype == "AV" else data.x
    return Estimates(logarithm(ratio(data.x, data.n)), ratio(1, x) - ratio(1, data.n))


def logit_proportion(data: Proportions, vtype: str = "LS") -> Estimates:
    """Log odds, variance 1/x + 1/(n - x); `vtype` "AV" uses the pooled proportion."""
    x = _expected(data) if vtype == "AV" else data.x
    return Estimates(logarithm(ratio(data.x, data.n - data.x)), ratio(1, x) + ratio(1, data.n - x))


def probit_proportion(data: Proportions) -> Estimates:
    """Probits; NaN where the proportion is 0 or 1."""
    from scipy.special import ndtri

    p = ratio(data.x, data.n)
    inside = (p > 0) & (p < 1)
    z = np.where(inside, ndtri(np.where(inside, p, 0.5)), np.nan)
    return Estimates(z, ratio(2 * np.pi * p * (1 - p) * np.exp(z**2), data.n))


def arcsine_proportion(data: Proportions) -> Estimates:
    """Arcsine-root proportions, variance 1/(4n)."""
    return Estimates(np.arcsin(np.minimum(root(ratio(data.x, data.n)), 1)), ratio(1, 4 * data.n))


def double_arcsine_proportion(data: Proportions) -> Estimates:
    """Freeman-Tukey double arcsines (half the sum of both angles), variance 1/(4n + 2).

    References
    ----------
    Freeman MF, Tukey JW. Ann Math Stat 1950;21:607-11. doi:10.1214/aoms/1177729756
    """
    low, high = root(ratio(data.x, data.n + 1)), root(ratio(data.x + 1, data.n + 1))
    return Estimates((np.arcsin(low) + np.arcsin(np.minimum(high, 1))) / 2, 1 / (4 * data.n + 2))


def rate(data: Rates) -> Estimates:
    """Incidence rates, variance x/t²."""
    return Estimates(data.x / data.t, data.x / data.t**2)


def log_rate(data: Rates) -> Estimates:
    """Log incidence rates, variance 1/x."""
    return Estimates(logarithm(data.x / data.t), ratio(1, data.x))


def root_rate(data: Rates) -> Estimates:
    """Square-root incidence rates, variance 1/(4t)."""
    return Estimates(root(data.x / data.t), 1 / (4 * data.t))


def double_root_rate(data: Rates) -> Estimates:
    """Freeman-Tukey rates (half the sum of both roots), variance 1/(4t) (Freeman & Tukey 1950)."""
    return Estimates((root(data.x / data.t) + root((data.x + 1) / data.t)) / 2, 1 / (4 * data.t))


def mean(data: OneMeans) -> Estimates:
    """Means, variance sd²/n."""
    return Estimates(data.m.copy(), data.sd**2 / data.n)


def log_mean(data: OneMeans) -> Estimates:
    """Log means, variance sd²/(n m²); NaN where the mean is not above zero."""
    y = logarithm(data.m)
    return Estimates(y, np.where(np.isfinite(y), ratio(data.sd**2, data.n * data.m**2), np.nan))


def standardised_mean(data: OneMeans, vtype: str = "LS", *, correct: bool = True) -> Estimates:
    """Means over their SD with Hedges's factor, variance 1/n + y²/(2n) ("LS")."""
    factor = small_sample_factor(data.n - 1)
    d = ratio(data.m, data.sd)
    y = factor * d if correct else d
    if vtype == "UB":
        m = data.n - 1
        return Estimates(y, 1 / data.n + (1 - ratio(m - 2, m * factor**2)) * y**2)
    if vtype == "LS2":
        return Estimates(y, (factor**2 if correct else 1) * (1 / data.n + d**2 / (2 * data.n)))
    return Estimates(y, 1 / data.n + y**2 / (2 * data.n))


def log_variation(data: OneMeans) -> Estimates:
    """Log coefficients of variation (Nakagawa 2015, doi:10.1111/2041-210X.12309)."""
    half = ratio(1, 2 * (data.n - 1))
    return Estimates(logarithm(ratio(data.sd, data.m)) + half, half + ratio(data.sd**2, data.n * data.m**2))


def log_standard_deviation(data: OneMeans) -> Estimates:
    """Log standard deviations, variance 1/(2(n - 1)) (Nakagawa 2015, doi:10.1111/2041-210X.12309)."""
    half = ratio(1, 2 * (data.n - 1))
    return Estimates(logarithm(data.sd) + half, half)


def correlation(data: Correlations, vtype: str = "LS") -> Estimates:
    """Correlations, variance (1 - r²)²/(n - 1); "AV" at the n-weighted mean."""
    centre = np.full_like(data.r, np.average(data.r, weights=data.n)) if vtype == "AV" else data.r
    return Estimates(data.r.copy(), ratio((1 - centre**2) ** 2, data.n - 1))


def unbiased_correlation(data: Correlations, vtype: str = "LS") -> Estimates:
    """Correlations corrected for their small negative bias (Olkin & Pratt 1958).

    `vtype` "LS" is (1 - y²)²/(n - 1); "AV" the same at the n-weighted mean of all; "UB" the unbiased variance.

    References
    ----------
    Olkin I, Pratt JW. Ann Math Stat 1958;29:201-11. doi:10.1214/aoms/1177706717
    """
    r, n = data.r, data.n
    fine = n > 4
    safe = np.where(fine, n, 5.0)
    y = np.where(fine, r * _hypergeometric(0.5, (safe - 2) / 2, 1 - r**2), np.nan)
    if vtype == "UB":
        square = 1 - (safe - 3) / (safe - 2) * (1 - r**2) * _hypergeometric(1.0, safe / 2, 1 - r**2)
        return Estimates(y, np.where(fine, y**2 - square, np.nan))
    known = np.isfinite(y)
    centre = np.full_like(y, np.average(y[known], weights=n[known])) if vtype == "AV" and known.any() else y
    return Estimates(y, ratio((1 - centre**2) ** 2, n - 1))


def _hypergeometric(a: float, c: Array, x: Array) -> Array:
    """Gauss's F(a, a; c; x) for 0 <= x <= 1.

    From c = 20 its series ends within 200 terms; SciPy, good below that, has no value above about c = 160.
    """
    from scipy.special import hyp2f1

    j = np.arange(200.0)
    large, x = np.maximum(c, 20.0)[:, None], np.asarray(x)
    terms = np.cumprod((a + j) ** 2 / ((large + j) * (j + 1)) * x[:, None], axis=1)
    near = hyp2f1(a, a, np.minimum(c, 20.0), x)
    return np.asarray(np.where(c >= 20, 1 + terms.sum(axis=1), near))


def fisher_z(data: Correlations) -> Estimates:
    """Fisher's z of correlations, variance 1/(n - 3); NaN at a correlation of ±1.

    References
    ----------
    Fisher RA. Metron 1921;1:1-32.
    """
    inside = np.abs(data.r) < 1
    z = np.where(inside, np.arctanh(np.where(inside, data.r, 0.0)), np.nan)
    v = ratio(1, data.n - 3)
    return Estimates(z, np.where(v > 0, v, np.nan))


def raw_alpha(data: Reliabilities) -> Estimates:
    """Cronbach's alphas with the variance of van Zyl 2000 (doi:10.1007/BF02296146)."""
    y = data.alpha
    return Estimates(y.copy(), ratio(2 * data.items * (1 - y) ** 2, (data.items - 1) * (data.n - 2)))


def hakstian_whalen_alpha(data: Reliabilities) -> Estimates:
    """One minus the cube root of 1 - alpha (Hakstian & Whalen 1976, doi:10.1007/BF02291840)."""
    m, n = data.items, data.n
    y = np.cbrt(1 - data.alpha)
    return Estimates(1 - y, ratio(18 * m * (n - 1) * y**2, (m - 1) * (9 * n - 11) ** 2))


def bonett_alpha(data: Reliabilities) -> Estimates:
    """Minus the logarithm of 1 - alpha (Bonett 2002, doi:10.3102/10769986027004335)."""
    y = logarithm(1 - data.alpha)
    return Estimates(-y, ratio(2 * data.items, (data.items - 1) * (data.n - 2)))
