"""Limit meta-analysis: the effect of studies as large as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.weighted_line import weighted_line

__all__ = ["LimitMeta", "limit_meta"]

RUECKER = (
    "Rücker G, Schwarzer G, Carpenter JR, Binder H, Schumacher M (2011) Treatment-effect estimates adjusted for "
    "small-study effects via a limit meta-analysis. Biostatistics 12:122-142. doi:10.1093/biostatistics/kxq046"
)
RUECKER_DETECT = (
    "Rücker G, Carpenter JR, Schwarzer G (2011) Detecting and adjusting for small-study effects in meta-analysis. "
    "Biometrical Journal 53:351-368. doi:10.1002/bimj.201000151"
)
_ADJUSTMENTS = {
    "beta0": "the expectation of the extended random-effects model",
    "betalim": "the regression estimate of the limit meta-analysis",
    "mulim": "the mean of the limit meta-analysis",
}


@dataclass(frozen=True, slots=True, eq=False)
class LimitMeta(Result):
    """A limit meta-analysis, in the terms of R's `limitmeta`.

    `TE_limit` are the study effects shrunken to infinite precision, `TE_adjust` the adjusted overall effect with its
    limits; `alpha_r` and `beta_r` are intercept and slope of the generalised radial plot; `Q` splits into `Q_small`
    (1 degree of freedom) and `Q_resid` (k - 2); `G_squared` is the share of variation that small-study effects leave.
    """

    method_adjust: str
    k: int
    level: float
    labels: tuple[str, ...]
    TE: Array
    seTE: Array
    TE_limit: Array
    seTE_limit: Array
    TE_random: float
    seTE_random: float
    TE_adjust: float
    seTE_adjust: float
    lower_adjust: float
    upper_adjust: float
    statistic_adjust: float
    pval_adjust: float
    alpha_r: float
    beta_r: float
    tau: float
    Q: float
    Q_small: float
    Q_resid: float
    G_squared: float
    script: Script | None = None

    @property
    def pval_Q_small(self) -> float:
        """The p-value of small-study effects."""
        return float(chdtrc(1, self.Q_small))

    @property
    def pval_Q_resid(self) -> float:
        """The p-value of heterogeneity beyond small-study effects."""
        return float(chdtrc(self.k - 2, self.Q_resid))

    def rows(self) -> list[dict[str, Any]]:
        """One row per study: its effect and its limit."""
        columns = zip(self.labels, self.TE, self.seTE, self.TE_limit, strict=True)
        return [{"study": a, "TE": float(b), "seTE": float(c), "TE_limit": float(d)} for a, b, c, d in columns]

    def summary(self) -> str:
        """Adjusted and unadjusted effect, and how heterogeneity splits."""
        return "\n".join(
            [
                f"Limit meta-analysis, k = {self.k}",
                f"Unadjusted {self.TE_random:.4f} (SE {self.seTE_random:.4f})",
                f"Adjusted   {self.TE_adjust:.4f} [{self.lower_adjust:.4f}; {self.upper_adjust:.4f}], "
                f"p = {self.pval_adjust:.4f} ({self.method_adjust})",
                f"Small-study effects: Q = {self.Q_small:.2f}, df = 1, p = {self.pval_Q_small:.4f}; "
                f"beyond: Q = {self.Q_resid:.2f}, df = {self.k - 2}, p = {self.pval_Q_resid:.4f}; "
                f"G² = {100 * self.G_squared:.1f} %",
            ]
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        what = _ADJUSTMENTS[self.method_adjust]
        return Explanation(
            f"The effect was adjusted for small-study effects by a limit meta-analysis ({what}).",
            (RUECKER, RUECKER_DETECT),
        )


def limit_meta(funnel: FunnelData, tau2: float, *, method_adjust: str = "beta0", level: float = 0.95) -> LimitMeta:
    """The limit meta-analysis of the studies given their heterogeneity `tau2` (>= 0).

    Raises MethodError for fewer than 3 studies and where all standard errors are the same.

    References
    ----------
    Rücker G, Schwarzer G, Carpenter JR, Binder H, Schumacher M (2011) Biostatistics 12:122-142.
    doi:10.1093/biostatistics/kxq046
    """
    if method_adjust not in _ADJUSTMENTS:
        raise UnknownName("adjustment of the limit meta-analysis", method_adjust, _ADJUSTMENTS)
    if funnel.k < 3:
        raise MethodError(f"a limit meta-analysis needs at least 3 studies; there are {funnel.k}")
    y, se, tau = funnel.y, funnel.se, float(np.sqrt(tau2))
    spread = np.sqrt(funnel.v + tau2)
    radial = weighted_line(y / spread, np.column_stack((np.ones(funnel.k), 1 / spread)), np.ones(funnel.k))
    alpha, beta = (float(b) for b in radial.b)
    limits = beta + tau / spread * (y - beta)
    adjusted, se_adjusted = _adjusted(method_adjust, funnel, limits, (tau, radial.b, radial.cov))
    reach = float(ndtri((1 + level) / 2)) * se_adjusted
    w = 1 / (funnel.v + tau2)
    plain = weighted_line(y, np.ones((funnel.k, 1)), 1 / funnel.v)
    egger = weighted_line(y, np.column_stack((np.ones(funnel.k), se)), 1 / funnel.v)
    q, q_resid = plain.dispersion * plain.df, egger.dispersion * egger.df
    return LimitMeta(
        method_adjust=method_adjust,
        k=funnel.k,
        level=level,
        labels=funnel.labels,
        TE=y,
        seTE=se,
        TE_limit=limits,
        seTE_limit=se,
        TE_random=float(w @ y) / float(w.sum()),
        seTE_random=float(1 / np.sqrt(w.sum())),
        TE_adjust=adjusted,
        seTE_adjust=se_adjusted,
        lower_adjust=adjusted - reach,
        upper_adjust=adjusted + reach,
        statistic_adjust=adjusted / se_adjusted,
        pval_adjust=float(2 * ndtr(-abs(adjusted / se_adjusted))),
        alpha_r=alpha,
        beta_r=beta,
        tau=tau,
        Q=q,
        Q_small=max(0.0, q - q_resid),
        Q_resid=q_resid,
        G_squared=_unexplained(limits, se),
    )


def _adjusted(
    method: str, funnel: FunnelData, limits: Array, radial: tuple[float, Array, Array]
) -> tuple[float, float]:
    """The adjusted effect and its standard error."""
    tau, b, cov = radial
    if method == "beta0":
        along = np.array([tau, 1.0])
        return float(along @ b), float(np.sqrt(along @ cov @ along))
    columns = np.ones((funnel.k, 1))
    if method == "betalim":
        columns = np.column_stack((columns, funnel.se))
    line = weighted_line(limits, columns, 1 / funnel.v)
    return float(line.b[0]), float(np.sqrt(line.cov[0, 0]))


def _unexplained(limits: Array, se: Array) -> float:
    """One less the squared correlation of the limit radial plot; 0 where every limit is the same."""
    x, z = 1 / se, limits / se
    x, z = x - x.mean(), z - z.mean()
    xx, zz, xz = float(x @ x), float(z @ z), float(x @ z)
    return max(0.0, 1 - xz * xz / (xx * zz)) if zz > 0 else 0.0
