"""Trim and fill: the studies that a symmetric funnel would have and this one has not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData

__all__ = ["MISSING_STUDIES", "Centre", "FilledFunnel", "MissingStudies", "TrimFill", "filled_funnel"]

DUVAL_TWEEDIE_JASA = (
    "Duval S, Tweedie R (2000) A nonparametric 'trim and fill' method of accounting for publication bias in "
    "meta-analysis. Journal of the American Statistical Association 95:89-98. doi:10.1080/01621459.2000.10473905"
)
DUVAL_TWEEDIE_BIOMETRICS = (
    "Duval S, Tweedie R (2000) Trim and fill: a simple funnel-plot-based method of testing and adjusting for "
    "publication bias in meta-analysis. Biometrics 56:455-463. doi:10.1111/j.0006-341X.2000.00455.x"
)


@dataclass(frozen=True, slots=True)
class MissingStudies:
    """An estimate of the number of missing studies (not rounded) and its standard error."""

    k0: float
    se: float


#: Estimators of the number of missing studies, from signed ranks of the deviations, shape (k,).
MISSING_STUDIES: Registry[Callable[[Array], MissingStudies]] = Registry("estimator of missing studies")

#: Share of the largest effect up to which a deviation is taken for rounding.
ROUNDING = 1e-13

#: The centre of a funnel, from effects and variances.
Centre: TypeAlias = Callable[[Array, Array], float]


def _wilcoxon(signed: Array) -> float:
    return float(signed[signed > 0].sum())


def _variance_of_score(k: int, k0: float) -> float:
    """Variance of the rank sum when `k0` studies are missing (Duval & Tweedie 2000, JASA, 3.2)."""
    full = k * (k + 1) * (2 * k + 1)
    return (full + 10 * k0**3 + 27 * k0**2 + 17 * k0 - 18 * k * k0**2 - 18 * k * k0 + 6 * k * k * k0) / 24


@MISSING_STUDIES.add("L0", title="the linear estimator L0", cite=DUVAL_TWEEDIE_JASA)
def linear_estimator(signed: Array) -> MissingStudies:
    """L0, from the Wilcoxon rank sum."""
    k = signed.size
    k0 = (4 * _wilcoxon(signed) - k * (k + 1)) / (2 * k - 1)
    return MissingStudies(k0, 4 * np.sqrt(max(0.0, _variance_of_score(k, k0))) / (2 * k - 1))


@MISSING_STUDIES.add("R0", title="the run estimator R0", cite=DUVAL_TWEEDIE_JASA)
def run_estimator(signed: Array) -> MissingStudies:
    """R0, from the length of the rightmost run of ranks."""
    left = -signed[signed < 0]
    k0 = signed.size - (float(left.max()) if left.size else 0.0) - 1
    return MissingStudies(k0, float(np.sqrt(2 * max(0.0, k0) + 2)))


@MISSING_STUDIES.add("Q0", title="the quadratic estimator Q0", cite=DUVAL_TWEEDIE_JASA)
def quadratic_estimator(signed: Array) -> MissingStudies:
    """Q0, from the Wilcoxon rank sum."""
    k = signed.size
    inner = 2.0 * k * k - 4 * _wilcoxon(signed) + 0.25
    if inner < 0:
        raise MethodError("the quadratic estimator Q0 does not exist for this funnel; use L0 or R0")
    k0 = k - 0.5 - float(np.sqrt(inner))
    spread = (k - 0.5) ** 2 - k0 * (2 * k - k0 - 1)
    se = 2 * np.sqrt(max(0.0, _variance_of_score(k, k0)) / spread) if spread > 0 else np.inf
    return MissingStudies(k0, float(se))


@dataclass(frozen=True, slots=True, eq=False)
class FilledFunnel:
    """The studies with their missing counterparts appended.

    `y`, `v` and `filled` have shape (k + k0,); `filled` is True for the `k0` added studies; `side` is where they lie
    ("left" or "right"); `p_k0` is the p-value of "none is missing", which R0 alone gives.
    """

    estimator: str
    side: str
    k0: int
    se_k0: float
    p_k0: float | None
    iterations: int
    centre: float
    y: Array
    v: Array
    filled: np.ndarray[tuple[int], np.dtype[np.bool_]]
    labels: tuple[str, ...]


def _signed_ranks(deviation: Array) -> Array:
    """Ranks of the sizes of deviations with their signs; equal sizes on both sides share their mean rank."""
    size = np.abs(deviation)
    order = np.argsort(size, kind="stable")
    rank = np.empty(size.size)
    rank[order] = np.arange(1, size.size + 1)
    apart = np.diff(size[order]) > 1e-10 * max(float(size.max()), 1e-300)
    for tied in np.split(order, np.flatnonzero(apart) + 1):
        if tied.size > 1 and np.ptp(np.sign(deviation[tied])) > 0:
            rank[tied] = rank[tied].mean()
    return np.asarray(np.sign(deviation) * rank, dtype=np.float64)


def _off(y: Array, middle: float) -> Array:
    """How far studies lie off the centre; those that differ from it by rounding alone lie on it."""
    off = y - middle
    return np.asarray(np.where(np.abs(off) <= ROUNDING * max(float(np.abs(y).max()), abs(middle)), 0.0, off))


def filled_funnel(
    funnel: FunnelData, centre: Centre, *, estimator: str = "L0", side: str = "left", max_iterations: int = 100
) -> FilledFunnel:
    """The funnel made symmetric about `centre` by studies on `side`, where they are thought to be missing.

    The extreme studies of the other side are trimmed until their number settles, then mirrored.

    Raises MethodError for fewer than 3 studies and where the number does not settle.

    References
    ----------
    Duval S, Tweedie R (2000) Biometrics 56:455-463. doi:10.1111/j.0006-341X.2000.00455.x
    """
    if side not in ("left", "right"):
        raise UnknownName("side of the funnel", side, ["left", "right"])
    if funnel.k < 3:
        raise MethodError(f"trim and fill needs at least 3 studies; there are {funnel.k}")
    missing = MISSING_STUDIES[estimator]
    flip = -1.0 if side == "right" else 1.0
    order = np.argsort(flip * funnel.y, kind="stable")
    y, v = flip * funnel.y[order], funnel.v[order]
    k0, last, found, middle, turn = 0, -1, MissingStudies(0.0, 0.0), 0.0, 0
    while k0 != last:
        turn += 1
        if turn > max_iterations:
            raise MethodError(
                f"trim and fill did not settle: the number of missing studies goes between {last} and {k0}"
            )
        last = k0
        middle = centre(y[: y.size - k0], v[: v.size - k0])
        found = missing(_signed_ranks(_off(y, middle)))
        k0 = min(max(0, round(found.k0)), y.size - 2)
    trimmed = slice(y.size - k0, None)
    names = [funnel.labels[i] for i in order[trimmed]]
    return FilledFunnel(
        estimator=estimator,
        side=side,
        k0=k0,
        se_k0=max(0.0, found.se),
        p_k0=0.5 ** (k0 + 1) if estimator == "R0" else None,
        iterations=turn,
        centre=flip * middle,
        y=np.concatenate((funnel.y, flip * (2 * middle - y[trimmed]))),
        v=np.concatenate((funnel.v, v[trimmed])),
        filled=np.arange(funnel.k + k0) >= funnel.k,
        labels=(*funnel.labels, *(f"Filled: {name}" for name in names)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class TrimFill(Result):
    """A trim-and-fill analysis: the filled funnel and its pooled result.

    Whatever the pooled result `fit` knows (`TE_random`, `b`, `forest()`, ...) is found here under the same name; the
    names below come first. Under metafor's names: `k0`, `se_k0`, `side`, `p_k0`; under meta's: `left`, `trimfill`.
    """

    fit: Result
    filling: FilledFunnel
    script: Script | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in TrimFill.__slots__:
            raise AttributeError(name)
        return getattr(self.fit, name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *dir(self.fit)})

    @property
    def k0(self) -> int:
        """Number of studies added."""
        return self.filling.k0

    @property
    def se_k0(self) -> float:
        """Standard error of their number."""
        return self.filling.se_k0

    @property
    def side(self) -> str:
        """Where they were added: "left" or "right"."""
        return self.filling.side

    @property
    def left(self) -> bool:
        """Whether they were added on the left."""
        return self.filling.side == "left"

    @property
    def p_k0(self) -> float | None:
        """P-value of "no study is missing", for R0 alone."""
        return self.filling.p_k0

    @property
    def trimfill(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """True for the added studies, shape (k + k0,)."""
        return self.filling.filled

    @property
    def yi_filled(self) -> Array:
        """Effects of the added studies, shape (k0,)."""
        return self.filling.y[self.filling.filled]

    @property
    def vi_filled(self) -> Array:
        """Variances of the added studies, shape (k0,)."""
        return self.filling.v[self.filling.filled]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the pooled result."""
        return self.fit.rows()

    def summary(self) -> str:
        """How many studies were added where, and the pooled result with them."""
        f = self.filling
        chance = "" if f.p_k0 is None else f", p = {f.p_k0:.4f}"
        head = f"Trim and fill ({f.estimator}): {f.k0} studies added on the {f.side} (SE {f.se_k0:.2f}{chance})"
        return f"{head}\n\n{self.fit.summary()}"

    def to_r(self) -> str:
        """Code in R: the analysis and its filling, or the pooling of the filled effects."""
        return self.script.r if self.script is not None else self.fit.to_r()

    def to_stata(self) -> str:
        """Code in Stata: the analysis and its filling, or the pooling of the filled effects."""
        return self.script.stata if self.script is not None and self.script.stata else self.fit.to_stata()

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        entry = MISSING_STUDIES.entry(self.filling.estimator)
        sentence = f"Missing studies were estimated by trim and fill with {entry.title} ({self.k0} added)."
        return Explanation(sentence, (DUVAL_TWEEDIE_BIOMETRICS, DUVAL_TWEEDIE_JASA)) + self.fit.explain()
