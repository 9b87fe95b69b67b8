"""The LFK index: the asymmetry of the Doi plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData

__all__ = ["LfkIndex", "lfk_index"]

FURUYA = (
    "Furuya-Kanamori L, Barendregt JJ, Doi SAR (2018) A new improved graphical and quantitative method for detecting "
    "bias in meta-analysis. International Journal of Evidence-Based Healthcare 16:195-203. "
    "doi:10.1097/XEB.0000000000000141"
)
SCHWARZER_LFK = (
    "Schwarzer G, Rücker G, Semaca C (2024) LFK index does not reliably detect small-study effects in meta-analysis: "
    "a simulation study. Research Synthesis Methods 15:603-615. doi:10.1002/jrsm.1714"
)


@dataclass(frozen=True, slots=True, eq=False)
class LfkIndex(Result):
    """The LFK index with the coordinates of its Doi plot (effects `TE` ascending against |`zscore`|), shape (k,)."""

    lfkindex: float
    k: int
    labels: tuple[str, ...]
    TE: Array
    seTE: Array
    percentile: Array
    zscore: Array
    script: Script | None = None

    @property
    def abs_zscore(self) -> Array:
        """Heights of the Doi plot."""
        return np.abs(self.zscore)

    @property
    def interpretation(self) -> str:
        """What its authors call an index of this size."""
        size = abs(self.lfkindex)
        return "no asymmetry" if size <= 1 else "minor asymmetry" if size <= 2 else "major asymmetry"

    def rows(self) -> list[dict[str, Any]]:
        """One row per study: a point of the Doi plot."""
        columns = zip(self.labels, self.TE, self.seTE, self.abs_zscore, strict=True)
        return [{"study": a, "TE": float(b), "seTE": float(c), "abs_zscore": float(d)} for a, b, c, d in columns]

    def summary(self) -> str:
        """The index, its reading and its caution."""
        return (
            f"LFK index {self.lfkindex:.2f} ({self.interpretation}), k = {self.k}\n"
            "Its false-positive rate depends on the number and size of studies; read it beside a test."
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation("Asymmetry of the Doi plot was quantified by the LFK index.", (FURUYA, SCHWARZER_LFK))


def lfk_index(funnel: FunnelData) -> LfkIndex:
    """The LFK index of at least 3 studies whose effects differ.

    Effects are ranked with each study counted by its precision (100 times the largest variance over its own); normal
    scores of the mid-ranks and effects about the study nearest the middle, scaled to the same range, are summed.

    References
    ----------
    Furuya-Kanamori L, Barendregt JJ, Doi SAR (2018) Int J Evid Based Healthc 16:195-203.
    doi:10.1097/XEB.0000000000000141
    """
    if funnel.k < 3:
        raise MethodError(f"the LFK index needs at least 3 studies; there are {funnel.k}")
    order = np.argsort(funnel.y, kind="stable")
    y, v = funnel.y[order], funnel.v[order]
    size = 100 * v.max() / v
    percentile = (np.cumsum(size) - size / 2 - 0.5) / size.sum()
    z = ndtri(np.clip(percentile, 1e-16, 1 - 1.2e-16))  # one giant study leaves no room beside it
    centred = y - y[np.argmin(np.abs(z))]
    spread = float(np.ptp(centred))
    if spread == 0:
        raise MethodError("all effects are the same, so the Doi plot has no limbs")
    index = 5 / (2 * funnel.k) * float((z + float(np.ptp(z)) / spread * centred).sum())
    labels = tuple(funnel.labels[i] for i in order)
    return LfkIndex(index, funnel.k, labels, y, np.sqrt(v), percentile, np.asarray(z, dtype=np.float64))
