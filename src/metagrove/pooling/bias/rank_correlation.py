"""Kendall's rank correlation: its score, the variance with ties, and the exact distribution without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from metagrove.core.errors import MethodError
from metagrove.core.values import Array

__all__ = ["RankCorrelation", "rank_correlation"]

#: Largest k for which the exact distribution of the score is computed; beyond, the normal limit agrees to 1e-4.
EXACT_LIMIT = 400


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """Kendall's score `s` (concordant less discordant pairs), its standard error, `tau_b` and two p-values.

    `pval_normal` is the normal limit without continuity correction; `pval_exact` is None where there are ties.
    """

    s: float
    se: float
    tau_b: float
    pval_normal: float
    pval_exact: float | None

    @property
    def z(self) -> float:
        """The standardised score."""
        return self.s / self.se


def _tie_sizes(x: Array) -> Array:
    return np.unique(x, return_counts=True)[1].astype(np.float64)


def _variance(k: int, t: Array, u: Array) -> float:
    """Variance of the score under independence with tie groups of sizes `t` and `u` (Kendall & Gibbons 1990, 4.9)."""

    def v(m: Array) -> float:
        return float((m * (m - 1) * (2 * m + 5)).sum())

    first = (k * (k - 1.0) * (2 * k + 5) - v(t) - v(u)) / 18
    pairs = float((t * (t - 1)).sum() * (u * (u - 1)).sum()) / (2.0 * k * (k - 1))
    triples = float((t * (t - 1) * (t - 2)).sum() * (u * (u - 1) * (u - 2)).sum())
    return first + pairs + (triples / (9.0 * k * (k - 1) * (k - 2)) if k > 2 else 0.0)


def _exact(k: int, s: float) -> float:
    """Two-sided probability of a score as far from 0 as `s` under independence without ties (Kendall 1938)."""
    pmf = np.ones(1)
    for size in range(2, k + 1):  # inversions of permutations, one element at a time
        total = np.concatenate((np.cumsum(pmf), np.full(size - 1, 1.0)))
        total[pmf.size :] = total[pmf.size - 1]
        total[size:] -= np.cumsum(pmf)[: total.size - size]
        pmf = total / size
    most = k * (k - 1) // 2
    discordant = round((most - abs(s)) / 2)
    return min(1.0, 2 * float(pmf[: discordant + 1].sum()))


def rank_correlation(x: Array, y: Array) -> RankCorrelation:
    """Kendall's correlation of `x` and `y`, both of shape (k,), k >= 3.

    Raises MethodError where one of them is the same for all studies.

    References
    ----------
    Kendall MG, Gibbons JD (1990) Rank Correlation Methods, 5th ed. Edward Arnold, London.
    Kendall MG (1938) A new measure of rank correlation. Biometrika 30:81-93. doi:10.1093/biomet/30.1-2.81
    """
    k = x.size
    if k < 3:
        raise MethodError(f"a rank correlation of {k} studies says nothing; it needs at least 3")
    above = np.triu_indices(k, 1)
    signs = np.sign(x[above[0]] - x[above[1]]) * np.sign(y[above[0]] - y[above[1]])
    s = float(signs.sum())
    t, u = _tie_sizes(x), _tie_sizes(y)
    if t.size == 1 or u.size == 1:
        raise MethodError("a rank correlation needs studies that differ; all effects or all variances are the same")
    se = float(np.sqrt(_variance(k, t, u)))
    pairs = k * (k - 1) / 2
    untied_x, untied_y = pairs - (t * (t - 1)).sum() / 2, pairs - (u * (u - 1)).sum() / 2
    free = t.size == k and u.size == k
    return RankCorrelation(
        s=s,
        se=se,
        tau_b=s / float(np.sqrt(untied_x * untied_y)),
        pval_normal=float(2 * ndtr(-abs(s / se))),
        pval_exact=_exact(k, s) if free and k <= EXACT_LIMIT else None,
    )
