"""Means and SDs of log-normal data from reported quantiles.

Shi J, Tong T, Wang Y, Genton MG. Estimating the mean and variance from the five-number summary of a log-normal
distribution. Stat Interface 2020;13:519-31 (doi:10.4310/SII.2020.v13.n4.a9). Logarithms of the quantiles give mean and
SD of the logarithms; the back-transform takes the bias away that is left in samples of n.
"""

from __future__ import annotations

import numpy as np

from metagrove.core.errors import DataError
from metagrove.effects.quantile_fits import Quantiles

__all__ = ["log_normal_moments", "log_scale_moments"]

#: Bias constants by what was reported: of the mean and of the square of the mean per n (the paper's equations 9 to 17).
_BIAS = {"range": (0.565, 0.37), "quartiles": (0.57, 0.75), "all": (0.405, 0.315)}


def log_scale_moments(q: Quantiles, mean: float, sd: float) -> tuple[float, float]:
    """Mean and SD of the logarithms: Luo's mean, and the SD without the bias of its square.

    `mean` and `sd` are the estimates from the logarithms of the quantiles, taken as normal.
    """
    log_n = float(np.log(q.n))
    shrink = {
        "range": 1.01 + 0.25 / log_n**2,
        "quartiles": 1 + 1.58 / q.n,
        "all": 1 + 0.28 / log_n**2,
    }[q.case]
    return mean, sd / float(np.sqrt(shrink))


def log_normal_moments(q: Quantiles, mean: float, sd: float) -> tuple[float, float]:
    """Mean and SD of log-normal data from mean and SD of the logarithms; DataError where values are not above 0."""
    if q.values[0] <= 0:
        raise DataError(f"log-normal data lie above 0; the lowest value is {q.values[0]:g}")
    m, s = log_scale_moments(q, mean, sd)
    one, two = (c / q.n for c in _BIAS[q.case])
    s2 = s * s
    expected = float(np.exp(m + s2 / 2)) / (1 + one * s2 + two * s2**2)
    square = float(np.exp(2 * m + 2 * s2)) / (1 + 4 * one * s2 + 16 * two * s2**2)
    squared_mean = float(np.exp(2 * m + s2)) / (1 + 4 * one * s2 + 4 * two * s2**2)
    return expected, float(np.sqrt(max(square - squared_mean, 0.0)))
