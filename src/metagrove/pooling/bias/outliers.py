"""Studies that do not belong with the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.weighted_line import residual_tau2

__all__ = ["OutlierTest", "outlier_test"]

VIECHTBAUER_CHEUNG = (
    "Viechtbauer W, Cheung MWL (2010) Outlier and influence diagnostics for meta-analysis. Research Synthesis Methods "
    "1:112-125. doi:10.1002/jrsm.11"
)
HOLM = "Holm S (1979) A simple sequentially rejective multiple test procedure. Scand J Stat 6:65-70. jstor:4615733"
HARRER = (
    "Harrer M, Cuijpers P, Furukawa TA, Ebert DD (2021) Doing Meta-Analysis with R: A Hands-On Guide. Chapman & Hall. "
    "doi:10.1201/9781003107347"
)


@dataclass(frozen=True, slots=True, eq=False)
class OutlierTest(Result):
    """Outlier tests, arrays of shape (k,).

    `rstudent` are studentised deleted residuals (each study against the model of the others, heterogeneity estimated
    without it), `pval` their p-values, `pval_holm` those adjusted for k tests; `apart` marks studies whose confidence
    interval does not meet that of the pooled effect. `outlier` are those with an adjusted p-value below `alpha`.
    """

    k: int
    method: str
    alpha: float
    labels: tuple[str, ...]
    rstudent: Array
    pval: Array
    pval_holm: Array
    apart: NDArray[np.bool_]
    estimate: float
    estimate_without: float | None
    script: Script | None = None

    @property
    def outlier(self) -> NDArray[np.bool_]:
        """True where the adjusted p-value is below `alpha`."""
        return np.asarray(self.pval_holm < self.alpha)

    def rows(self) -> list[dict[str, Any]]:
        """One row per study."""
        columns = zip(self.labels, self.rstudent, self.pval, self.pval_holm, self.outlier, self.apart, strict=True)
        return [
            {
                "study": a,
                "rstudent": float(b),
                "pval": float(c),
                "pval_holm": float(d),
                "outlier": bool(e),
                "apart": bool(f),
            }
            for a, b, c, d, e, f in columns
        ]

    def summary(self) -> str:
        """The outliers, and the pooled effect without them."""
        found = [name for name, out in zip(self.labels, self.outlier, strict=True) if out]
        apart = [name for name, out in zip(self.labels, self.apart, strict=True) if out]
        lines = [f"Outlier tests, k = {self.k}, {self.method}: {', '.join(found) or 'none'} (Holm, {self.alpha:g})"]
        lines.append(f"Interval apart from the pooled one: {', '.join(apart) or 'none'}")
        if self.estimate_without is not None:
            lines.append(f"Pooled effect {self.estimate:.4f}; without outliers {self.estimate_without:.4f}")
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Outliers were sought by studentised deleted residuals with Holm's correction, and by confidence intervals "
            "that do not meet that of the pooled effect.",
            (VIECHTBAUER_CHEUNG, HOLM, HARRER),
        )


def _mean(y: Array, v: Array, method: str) -> tuple[float, float, float]:
    """The pooled effect, its variance and tau²."""
    tau2 = residual_tau2(y, v, np.ones((y.size, 1)), method) if y.size > 1 else 0.0
    w = 1 / (v + tau2)
    return float(w @ y) / float(w.sum()), 1 / float(w.sum()), tau2


def _holm(p: Array) -> Array:
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    adjusted = np.empty(p.size)
    adjusted[order] = scaled
    return adjusted


def outlier_test(funnel: FunnelData, *, method: str = "REML", alpha: float = 0.05, level: float = 0.95) -> OutlierTest:
    """Studentised deleted residuals of at least 3 studies, tested with Holm's correction.

    References
    ----------
    Viechtbauer W, Cheung MWL (2010) Research Synthesis Methods 1:112-125. doi:10.1002/jrsm.11
    """
    if funnel.k < 3:
        raise MethodError(f"outlier tests compare each study with at least 2 others; there are {funnel.k} studies")
    y, v = funnel.y, funnel.v
    everyone = np.arange(funnel.k)
    t = np.empty(funnel.k)
    for i in everyone:
        rest = everyone != i
        mean, variance, tau2 = _mean(y[rest], v[rest], method)
        t[i] = (y[i] - mean) / np.sqrt(v[i] + tau2 + variance)
    p = np.asarray(2 * ndtr(-np.abs(t)), dtype=np.float64)
    adjusted = _holm(p)
    reach = float(ndtri((1 + level) / 2))
    mean, variance, _ = _mean(y, v, method)
    keep = adjusted >= alpha
    return OutlierTest(
        k=funnel.k,
        method=method,
        alpha=alpha,
        labels=funnel.labels,
        rstudent=t,
        pval=p,
        pval_holm=adjusted,
        apart=np.abs(y - mean) > reach * (funnel.se + np.sqrt(variance)),
        estimate=mean,
        estimate_without=_mean(y[keep], v[keep], method)[0] if 0 < keep.sum() < funnel.k else None,
    )
