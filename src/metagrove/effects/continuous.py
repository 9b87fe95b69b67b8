"""Effects of two arms measured on a continuous scale."""

from __future__ import annotations

import numpy as np

from metagrove.core.values import Array
from metagrove.effects.arms import TwoMeans
from metagrove.effects.estimates import Estimates
from metagrove.effects.guarded import logarithm, ratio, root, small_sample_factor

__all__ = [
    "biserial",
    "glass_difference",
    "log_ratio_of_means",
    "log_variability_ratio",
    "log_variation_ratio",
    "mean_difference",
    "point_biserial",
    "standardised_difference",
    "standardised_difference_unequal",
]


def pooled_sd(data: TwoMeans) -> Array:
    """Standard deviations pooled over the arms with n - 1 weights."""
    d = data
    return root(ratio((d.n1 - 1) * d.sd1**2 + (d.n2 - 1) * d.sd2**2, d.n1 + d.n2 - 2))


def mean_difference(data: TwoMeans, vtype: str = "LS") -> Estimates:
    """Mean differences; `vtype` "LS" or "UB" with an SD for each arm, "HO" with the pooled SD."""
    d = data
    if vtype == "HO":
        return Estimates(d.m1 - d.m2, pooled_sd(d) ** 2 * (1 / d.n1 + 1 / d.n2))
    return Estimates(d.m1 - d.m2, d.sd1**2 / d.n1 + d.sd2**2 / d.n2)


def standardised_difference(data: TwoMeans, vtype: str = "LS", *, correct: bool = True) -> Estimates:
    """Standardised mean differences (Hedges's g; Cohen's d where `correct` is False).

    `vtype` "LS" is the large-sample variance at g, "LS2" at d times the squared factor, "UB" unbiased, "H0" exact under
    no effect, "AV" at the n-weighted mean of g.

    References
    ----------
    Hedges LV. J Educ Stat 1981;6:107-28. doi:10.3102/10769986006002107
    """
    n1, n2 = data.n1, data.n2
    m = n1 + n2 - 2
    d = ratio(data.m1 - data.m2, pooled_sd(data))
    factor = small_sample_factor(m) if correct else np.ones_like(d)
    g, base = factor * d, 1 / n1 + 1 / n2
    if vtype == "UB":
        c = small_sample_factor(m)
        v = base + (1 - ratio(m - 2, m * c**2)) * g**2
    elif vtype == "LS2":
        v = factor**2 * (base + d**2 / (2 * (n1 + n2)))
    elif vtype == "H0":
        v = np.where(np.isfinite(g), factor**2 * ratio(m, m - 2) * base, np.nan)
    elif vtype == "AV":
        seen = np.isfinite(g)
        centre = float(np.average(g[seen], weights=(n1 + n2)[seen])) if seen.any() else np.nan
        v = base + centre**2 / (2 * (n1 + n2))
    else:
        v = base + g**2 / (2 * (n1 + n2))
    return Estimates(g, v)


def standardised_difference_unequal(data: TwoMeans, *, correct: bool = True) -> Estimates:
    """Differences over the root mean of the two variances, with a variance that does not assume them equal.

    References
    ----------
    Bonett DG. Psychol Methods 2009;14:225-38. doi:10.1037/a0016619
    """
    q = data
    var1, var2 = q.sd1**2, q.sd2**2
    sd = root((var1 + var2) / 2)
    y = ratio(q.m1 - q.m2, sd) * (small_sample_factor(q.n1 + q.n2 - 2) if correct else 1)
    tail = ratio(y**2 * (ratio(var1**2, q.n1 - 1) + ratio(var2**2, q.n2 - 1)), 8 * sd**4)
    return Estimates(y, tail + ratio(ratio(var1, q.n1 - 1) + ratio(var2, q.n2 - 1), sd**2))


def glass_difference(data: TwoMeans, *, correct: bool = True, unequal: bool = False) -> Estimates:
    """Differences over the SD of the second arm (Glass 1976); `unequal` does not assume equal variances.

    References
    ----------
    Glass GV. Educ Res 1976;5:3-8. doi:10.3102/0013189X005010003
    """
    q = data
    y = ratio(q.m1 - q.m2, q.sd2) * (small_sample_factor(q.n2 - 1) if correct else 1)
    if unequal:
        v = ratio(q.sd1**2, q.sd2**2 * (q.n1 - 1)) + ratio(1, q.n2 - 1) + ratio(y**2, 2 * (q.n2 - 1))
    else:
        v = 1 / q.n1 + 1 / q.n2 + y**2 / (2 * q.n2)
    return Estimates(y, v)


def log_ratio_of_means(data: TwoMeans, vtype: str = "LS", *, correct: bool = False) -> Estimates:
    """Log ratios of two means; NaN where the means are not both above zero or both below.

    `correct` removes the small-sample bias to second order (Lajeunesse 2015, doi:10.1890/14-2402.1).

    `vtype` "LS" with an SD for each arm, "HO" with the pooled SD, "AV" with the averaged coefficients of variation,
    "AVHO" with their pooled average.

    References
    ----------
    Hedges LV. Ecology 1999;80:1150-6. doi:10.1890/0012-9658(1999)080[1150:TMAORR]2.0.CO;2
    """
    q = data
    y = logarithm(ratio(q.m1, q.m2))
    cv1, cv2 = ratio(q.sd1, q.m1) ** 2, ratio(q.sd2, q.m2) ** 2
    if vtype == "HO":
        s2 = pooled_sd(q) ** 2
        v = ratio(s2, q.n1 * q.m1**2) + ratio(s2, q.n2 * q.m2**2)
    elif vtype in ("AV", "AVHO"):
        seen = np.isfinite(cv1) & np.isfinite(cv2)
        mean1 = float(np.average(np.sqrt(cv1[seen]), weights=q.n1[seen])) if seen.any() else np.nan
        mean2 = float(np.average(np.sqrt(cv2[seen]), weights=q.n2[seen])) if seen.any() else np.nan
        if vtype == "AVHO":
            share = q.n1[seen].sum() / (q.n1 + q.n2)[seen].sum() if seen.any() else np.nan
            mean1 = mean2 = share * mean1 + (1 - share) * mean2
        v = mean1**2 / q.n1 + mean2**2 / q.n2
    else:
        v = cv1 / q.n1 + cv2 / q.n2
    if correct:
        y = y + (cv1 / q.n1 - cv2 / q.n2) / 2
    return Estimates(y, np.where(np.isfinite(y), v, np.nan))


def log_variation_ratio(data: TwoMeans, *, correct: bool = True) -> Estimates:
    """Log ratios of two coefficients of variation (Nakagawa 2015, doi:10.1111/2041-210X.12309).

    `correct` removes the small-sample bias of both parts (Senior 2020, doi:10.1002/jrsm.1423).
    """
    q = data
    y = logarithm(ratio(q.sd1, q.m1)) - logarithm(ratio(q.sd2, q.m2))
    if correct:
        y = y + ratio(1, 2 * (q.n1 - 1)) - ratio(1, 2 * (q.n2 - 1))
        y = y - (ratio(q.sd1, q.m1) ** 2 / q.n1 - ratio(q.sd2, q.m2) ** 2 / q.n2) / 2
    v = ratio(1, 2 * (q.n1 - 1)) + ratio(1, 2 * (q.n2 - 1))
    return Estimates(y, v + ratio(q.sd1**2, q.n1 * q.m1**2) + ratio(q.sd2**2, q.n2 * q.m2**2))


def log_variability_ratio(data: TwoMeans, *, correct: bool = True) -> Estimates:
    """Log ratios of two standard deviations (Nakagawa 2015, doi:10.1111/2041-210X.12309)."""
    q = data
    y = logarithm(ratio(q.sd1, q.sd2))
    if correct:
        y = y + ratio(1, 2 * (q.n1 - 1)) - ratio(1, 2 * (q.n2 - 1))
    return Estimates(y, ratio(1, 2 * (q.n1 - 1)) + ratio(1, 2 * (q.n2 - 1)))


def point_biserial(data: TwoMeans, vtype: str = "ST") -> Estimates:
    """Point-biserial correlations of arm and outcome; `vtype` "ST" for fixed arms, "CS" for a cross-section.

    References
    ----------
    Tate RF. Ann Math Stat 1954;25:603-7. doi:10.1214/aoms/1177728730
    """
    r, d, h, p = _correlation_with_arm(data)
    n = data.n1 + data.n2
    if vtype == "CS":
        return Estimates(r, ratio((1 - r**2) ** 2 * (1 - 1.5 * r**2 + r**2 / (4 * p * (1 - p))), n))
    return Estimates(r, ratio(h**2 * (1 / data.n1 + 1 / data.n2 + d**2 / (2 * n)), (d**2 + h) ** 3))


def biserial(data: TwoMeans) -> Estimates:
    """Biserial correlations: the outcome against a normal trait cut into the two arms.

    The estimate can pass 1 in absolute value; its variance is then taken at 1.

    References
    ----------
    Soper HE. Biometrika 1914;10:384-90. doi:10.1093/biomet/10.2-3.384
    """
    from scipy.special import ndtri

    r, _, _, p = _correlation_with_arm(data)
    z = ndtri(1 - p)
    height = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    y = np.sqrt(p * (1 - p)) / height * r
    skew, at = 1.5 + (1 - p * z / height) * (1 + (1 - p) * z / height), np.minimum(np.abs(y), 1)
    return Estimates(y, ratio(p * (1 - p) / height**2 - skew * at**2 + at**4, data.n1 + data.n2 - 1))


def _correlation_with_arm(data: TwoMeans) -> tuple[Array, Array, Array, Array]:
    """The correlation r, the difference d, h = m/n1 + m/n2, and the share of the first arm."""
    n1, n2 = data.n1, data.n2
    m = n1 + n2 - 2
    d = ratio(data.m1 - data.m2, pooled_sd(data))
    h = m / n1 + m / n2
    return ratio(d, root(d**2 + h)), d, h, n1 / (n1 + n2)
