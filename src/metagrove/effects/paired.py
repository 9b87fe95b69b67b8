"""Change within one group: the same people measured twice."""

from __future__ import annotations

from metagrove.core.values import Array
from metagrove.effects.arms import Changes
from metagrove.effects.estimates import Estimates
from metagrove.effects.guarded import logarithm, ratio, root, small_sample_factor

__all__ = [
    "log_ratio_of_means_change",
    "log_variability_change",
    "log_variation_change",
    "mean_change",
    "standardised_change",
    "standardised_change_raw",
]


def change_sd(data: Changes) -> Array:
    """Standard deviations of the individual changes."""
    c = data
    return root(c.sd1**2 + c.sd2**2 - 2 * c.r * c.sd1 * c.sd2)


def mean_change(data: Changes) -> Estimates:
    """Mean changes m1 - m2, variance of the change over n."""
    return Estimates(data.m1 - data.m2, change_sd(data) ** 2 / data.n)


def standardised_change(data: Changes, *, correct: bool = True) -> Estimates:
    """Mean changes over the SD of the changes (Gibbons 1993, doi:10.3102/10769986018003271)."""
    factor = small_sample_factor(data.n - 1) if correct else 1
    y = ratio(data.m1 - data.m2, change_sd(data)) * factor
    return Estimates(y, 1 / data.n + y**2 / (2 * data.n))


def standardised_change_raw(
    data: Changes, over: str = "first", *, unequal: bool = False, correct: bool = True
) -> Estimates:
    """Mean changes over a raw SD: the `first` measurement's, or the mean of both variances (`both`).

    `unequal` gives variances that do not assume equal SDs.

    References
    ----------
    Becker BJ. Br J Math Stat Psychol 1988;41:257-78. doi:10.1111/j.2044-8317.1988.tb00901.x
    Bonett DG. Psychol Methods 2008;13:99-109. doi:10.1037/1082-989X.13.2.99
    """
    c = data
    var1, var2, covariance = c.sd1**2, c.sd2**2, c.r * c.sd1 * c.sd2
    sd, df = (c.sd1, c.n - 1) if over == "first" else (root((var1 + var2) / 2), 2 * (c.n - 1) / (1 + c.r**2))
    y = ratio(c.m1 - c.m2, sd) * (small_sample_factor(df) if correct else 1)
    spread = change_sd(c) ** 2
    if unequal and over == "first":
        return Estimates(y, ratio(spread, var1 * (c.n - 1)) + ratio(y**2, 2 * (c.n - 1)))
    if unequal:
        tail = ratio(y**2 * (var1**2 + var2**2 + 2 * covariance**2), 8 * sd**4 * (c.n - 1))
        return Estimates(y, tail + ratio(spread, sd**2 * (c.n - 1)))
    if over == "first":
        return Estimates(y, 2 * (1 - c.r) / c.n + y**2 / (2 * c.n))
    return Estimates(y, 2 * (1 - c.r) / c.n + y**2 * (1 + c.r**2) / (4 * c.n))


def log_ratio_of_means_change(data: Changes, *, correct: bool = True) -> Estimates:
    """Log ratios of the two means of the same people (Lajeunesse 2011, doi:10.1890/11-0423.1)."""
    c = data
    first, second = ratio(c.sd1**2, c.n * c.m1**2), ratio(c.sd2**2, c.n * c.m2**2)
    y = logarithm(ratio(c.m1, c.m2)) + ((first - second) / 2 if correct else 0)
    return Estimates(y, first + second - ratio(2 * c.r * c.sd1 * c.sd2, c.m1 * c.m2 * c.n))


def log_variability_change(data: Changes) -> Estimates:
    """Log ratios of the two SDs of the same people (Nakagawa 2015, doi:10.1111/2041-210X.12309)."""
    c = data
    return Estimates(logarithm(ratio(c.sd1, c.sd2)), ratio(1 - c.r**2, c.n - 1))


def log_variation_change(data: Changes, *, correct: bool = True) -> Estimates:
    """Log ratios of the two coefficients of variation of the same people (Nakagawa 2015)."""
    c = data
    y = logarithm(ratio(c.sd1, c.m1)) - logarithm(ratio(c.sd2, c.m2))
    if correct:
        y = y - (ratio(c.sd1**2, c.n * c.m1**2) - ratio(c.sd2**2, c.n * c.m2**2)) / 2
    return Estimates(y, ratio(1 - c.r**2, c.n - 1) + log_ratio_of_means_change(c).v)
