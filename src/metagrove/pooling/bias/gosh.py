"""GOSH: the pooled effect of every subset of studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.weighted_line import EQUAL_EFFECTS
from metagrove.pooling.many import pool_many

__all__ = ["Gosh", "all_subsets", "gosh_diagnostics", "random_subsets"]

OLKIN = (
    "Olkin I, Dahabreh IJ, Trikalinos TA (2012) GOSH - a graphical display of study heterogeneity. Research Synthesis "
    "Methods 3:214-223. doi:10.1002/jrsm.1053"
)
#: Subsets pooled at once, so that memory stays within some tens of megabytes.
_BLOCK = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Gosh(Result):
    """Pooled results of subsets, arrays of shape (m,).

    `included` (shape (m, k)) says which studies each subset holds; `complete` whether these are all 2^k - 1 subsets or
    a random draw with `seed`. `I2` is a fraction, from Q.
    """

    k: int
    method: str
    complete: bool
    seed: int | None
    labels: tuple[str, ...]
    included: NDArray[np.bool_]
    size: NDArray[np.int64]
    estimate: Array
    tau2: Array
    Q: Array
    I2: Array
    script: Script | None = None

    def without(self, study: str) -> NDArray[np.bool_]:
        """True for the subsets that leave out `study`, shape (m,)."""
        if study not in self.labels:
            raise MethodError(f"no study '{study}'; studies: {', '.join(self.labels)}")
        return ~self.included[:, self.labels.index(study)]

    def rows(self) -> list[dict[str, Any]]:
        """One row per study: the median effect and I² of subsets with and without it."""
        found = []
        several = self.size > 1
        for i, name in enumerate(self.labels):
            with_it, without = self.included[:, i], ~self.included[:, i]
            found.append(
                {
                    "study": name,
                    "estimate_with": _median(self.estimate[with_it]),
                    "estimate_without": _median(self.estimate[without]),
                    "I2_with": _median(self.I2[with_it & several]),
                    "I2_without": _median(self.I2[without & several]),
                }
            )
        return found

    def summary(self) -> str:
        """How many subsets, their spread, and the study that moves them most."""
        kind = "all subsets" if self.complete else f"a random draw, seed {self.seed}"
        low, middle, high = np.quantile(self.estimate, (0.025, 0.5, 0.975))
        lines = [
            f"GOSH: {self.estimate.size} subsets of {self.k} studies ({kind}), {self.method}",
            f"Estimates: median {middle:.4f}, 95 % of them in [{low:.4f}; {high:.4f}]",
        ]
        moved = [
            (abs(row["estimate_with"] - row["estimate_without"]), row["study"])
            for row in self.rows()
            if row["estimate_with"] is not None and row["estimate_without"] is not None
        ]
        if moved:
            shift, study = max(moved)
            lines.append(f"Largest shift of the median: {shift:.4f}, by {study}")
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence and its reference."""
        drawn = "all" if self.complete else f"{self.estimate.size} randomly drawn (seed {self.seed})"
        return Explanation(f"Heterogeneity was explored by pooling {drawn} subsets of studies (GOSH).", (OLKIN,))


def _median(values: Array) -> float | None:
    return float(np.median(values)) if values.size else None


def all_subsets(k: int) -> NDArray[np.bool_]:
    """Every non-empty subset of `k` studies as rows of a mask, shape (2^k - 1, k)."""
    numbers = np.arange(1, 2**k, dtype=np.int64)
    return np.asarray((numbers[:, None] >> np.arange(k)) & 1 == 1)


def random_subsets(k: int, m: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """`m` subsets as rows of a mask, shape (m, k), each drawn with equal chance among the non-empty ones."""
    masks = rng.integers(0, 2, size=(m, k)).astype(bool)
    while not (held := masks.any(axis=1)).all():
        masks[~held] = rng.integers(0, 2, size=(int((~held).sum()), k)).astype(bool)
    return masks


def gosh_diagnostics(
    funnel: FunnelData,
    *,
    method: str = "REML",
    subsets: int = 100_000,
    seed: int = 1,
) -> Gosh:
    """The pooled effect, heterogeneity, Q and I² of all subsets of studies, or of `subsets` random ones if more.

    References
    ----------
    Olkin I, Dahabreh IJ, Trikalinos TA (2012) Research Synthesis Methods 3:214-223. doi:10.1002/jrsm.1053
    """
    k = funnel.k
    if k < 2:
        raise MethodError(f"subsets need at least 2 studies; there are {k}")
    if subsets < 1:
        raise MethodError(f"subsets is {subsets}; at least one is needed")
    complete = k <= 40 and 2**k - 1 <= subsets
    masks = all_subsets(k) if complete else random_subsets(k, subsets, np.random.default_rng(seed))
    equal = method in EQUAL_EFFECTS
    columns: dict[str, list[Array]] = {"estimate": [], "tau2": [], "Q": []}
    for start in range(0, len(masks), _BLOCK):
        block = masks[start : start + _BLOCK]
        many = pool_many(
            np.where(block, funnel.y, np.nan), np.where(block, funnel.v, np.nan), method_tau="CE" if equal else method
        )
        columns["estimate"].append(many.TE_common if equal else many.TE_random)
        columns["tau2"].append(np.zeros(len(block)) if equal else np.where(many.k > 1, many.tau2, 0.0))
        columns["Q"].append(many.Q)
    estimate, tau2, q = (np.concatenate(parts) for parts in columns.values())
    size = masks.sum(axis=1).astype(np.int64)
    positive = q > 0
    share = np.where(positive, 1 - (size - 1) / np.where(positive, q, 1.0), 0.0)
    return Gosh(
        k=k,
        method=method,
        complete=complete,
        seed=None if complete else seed,
        labels=funnel.labels,
        included=masks,
        size=size,
        estimate=estimate,
        tau2=tau2,
        Q=q,
        I2=np.maximum(0.0, share),
    )
