"""A test of skewness from reported quantiles alone.

Shi J, Luo D, Wan X, et al. Detecting the skewness of data from the five-number summary and its application in
meta-analysis. Stat Methods Med Res 2023;32:1338-60 (doi:10.1177/09622802231172043).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.effects.quantile_fits import Quantiles

__all__ = ["SkewnessTest", "skewness_test"]


@dataclass(frozen=True, slots=True)
class SkewnessTest:
    """The statistic (a share of the spread, 0 for symmetric quantiles) and its critical value at 5%."""

    statistic: float
    critical: float

    @property
    def skewed(self) -> bool:
        """Whether the quantiles are those of skewed data."""
        return self.statistic > self.critical


def _lean(low: float, middle: float, high: float) -> float:
    return abs(low + high - 2 * middle) / (high - low) if high > low else 0.0


def skewness_test(q: Quantiles) -> SkewnessTest:
    """The test for what was reported; samples of fewer than five people are never called skewed."""
    n, v = q.n, q.values
    root = float(np.sqrt(n))
    if n < 5:
        return SkewnessTest(0.0, float("inf"))
    if q.case == "range":
        return SkewnessTest(_lean(*v), 1.01 / float(np.log(n + 9)) + 2.43 / (n + 1))
    if q.case == "quartiles":
        return SkewnessTest(_lean(*v), 2.66 / root - 5.92 / n**2)
    outer = 2.65 * float(np.log(0.6 * n)) / root * _lean(v[0], v[2], v[4])
    return SkewnessTest(max(outer, _lean(v[1], v[2], v[3])), 2.97 / root - 39.1 / n**3)
