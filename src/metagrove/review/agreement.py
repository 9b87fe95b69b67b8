"""Agreement of two reviewers beyond chance: Cohen's kappa with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

__all__ = ["Agreement", "cohen_kappa"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on `n` items judged by both: the share agreed on, kappa and its limits.

    `kappa`, `lower` and `upper` are None where kappa is not defined; `why` then says so.
    """

    n: int
    agreed: float
    kappa: float | None = None
    lower: float | None = None
    upper: float | None = None
    why: str = ""


def cohen_kappa(first: Sequence[str], second: Sequence[str], *, level: float = 0.95) -> Agreement:
    """Cohen's kappa of two lists of judgements on the same items, with a normal interval.

    Cohen J, Educ Psychol Meas 1960;20:37-46 (doi:10.1177/001316446002000104); the standard error is that of Fleiss JL,
    Cohen J, Everitt BS, Psychol Bull 1969;72:323-327 (doi:10.1037/h0028106).

    >>> cohen_kappa(list("yyyn"), list("yynn")).kappa
    0.5
    """
    n = len(first)
    if n == 0:
        return Agreement(0, 0.0, why="no record was judged by both")
    labels = sorted({*first, *second})
    pairs = list(zip(first, second, strict=True))
    row = {a: sum(x == a for x in first) / n for a in labels}
    column = {a: sum(y == a for y in second) / n for a in labels}
    agreed = sum(x == y for x, y in pairs) / n
    chance = sum(row[a] * column[a] for a in labels)
    if chance >= 1:
        return Agreement(n, agreed, why="both gave one and the same judgement throughout")
    kappa = (agreed - chance) / (1 - chance)
    share = {(a, b): pairs.count((a, b)) / n for a in labels for b in labels}
    on = sum(share[a, a] * (1 - (row[a] + column[a]) * (1 - kappa)) ** 2 for a in labels)
    off = sum(share[a, b] * (column[a] + row[b]) ** 2 for a in labels for b in labels if a != b)
    spread = on + (1 - kappa) ** 2 * off - (kappa - chance * (1 - kappa)) ** 2
    error = sqrt(max(0.0, spread) / n) / (1 - chance)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    return Agreement(n, agreed, kappa, max(-1.0, kappa - z * error), min(1.0, kappa + z * error))
