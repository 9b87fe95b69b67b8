"""Hypotheses about coefficients: Wald tests of sets and combinations, likelihood-ratio tests, inflation factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.regression.coefficients import Coefficients
from metagrove.pooling.regression.columns import ColumnResult, text_table
from metagrove.pooling.regression.linear_model import FitStatistics, critical_value, omnibus, two_sided

__all__ = [
    "Compared",
    "Contrasts",
    "Inflation",
    "LikelihoodRatio",
    "WaldTest",
    "chosen",
    "combinations",
    "inflation",
    "likelihood_ratio",
    "wald",
]


def chosen(btt: Any, names: Sequence[str]) -> tuple[int, ...]:
    """Indices of coefficients named by position (from 1, as in R), by a text they contain, or by a list of either."""
    items = [btt] if isinstance(btt, (str, int, np.integer)) else list(btt)
    found: list[int] = []
    for item in items:
        if isinstance(item, str):
            hits = [i for i, name in enumerate(names) if item in name]
            if not hits:
                raise DataError(f"btt '{item}' is part of no coefficient's name; they are {', '.join(names)}")
            found += hits
        elif 1 <= int(item) <= len(names):
            found.append(int(item) - 1)
        else:
            raise DataError(f"btt {item} names no coefficient; there are {len(names)}, counted from 1")
    return tuple(sorted(set(found)))


@dataclass(frozen=True, slots=True, eq=False)
class WaldTest(Result):
    """A Wald test that some coefficients are all 0: `QM`, `QMdf` (m, ddf or NaN), `QMp`."""

    tested: tuple[str, ...]
    QM: float
    QMdf: Array
    QMp: float

    def rows(self) -> list[dict[str, Any]]:
        """One row."""
        return [
            {"tested": ", ".join(self.tested), "QM": self.QM, "df": self.QMdf[0], "ddf": self.QMdf[1], "p": self.QMp}
        ]

    def summary(self) -> str:
        """The test as one line."""
        name = "QM" if np.isnan(self.QMdf[1]) else "F"
        df = f"{self.QMdf[0]:.0f}" if np.isnan(self.QMdf[1]) else f"{self.QMdf[0]:.0f}, {self.QMdf[1]:.4g}"
        return f"Test of {', '.join(self.tested)}: {name}({df}) = {self.QM:.4f}, p = {self.QMp:.4g}"

    def explain(self) -> Explanation:
        """The methods sentence."""
        return Explanation("Sets of coefficients were tested by Wald tests.")


def wald(model: Coefficients, btt: Any) -> WaldTest:
    """The Wald test of the coefficients that `btt` names (see `chosen`)."""
    index = list(chosen(btt, model.names))
    qm, df, p = omnibus(model.b[index], model.vb[np.ix_(index, index)], float(model.ddf[index].min()))
    return WaldTest(tuple(model.names[i] for i in index), qm, df, p)


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts(ColumnResult):
    """Linear combinations of coefficients: `Xb`, `se`, `zval`, `pval`, `ci_lb`, `ci_ub`, and their joint test `QM`."""

    labels: tuple[str, ...]
    Xb: Array
    se: Array
    zval: Array
    pval: Array
    ci_lb: Array
    ci_ub: Array
    QM: float
    QMdf: Array
    QMp: float

    COLUMNS: ClassVar[tuple[str, ...]] = ("Xb", "se", "zval", "pval", "ci_lb", "ci_ub")
    TITLE: ClassVar[str] = "Linear combinations of coefficients"
    SENTENCE: ClassVar[str] = "Linear combinations of coefficients were tested by Wald tests."


def combinations(model: Coefficients, X: ArrayLike, *, rhs: ArrayLike = 0.0, level: float = 0.95) -> Contrasts:
    """Tests of X b = rhs; `X` has p columns, or p - 1 where the intercept takes no part (0 is put before them)."""
    rows = np.atleast_2d(np.asarray(X, dtype=float))
    p = model.b.size
    if model.has_intercept and rows.shape[1] == p - 1:
        rows = np.column_stack([np.zeros(rows.shape[0]), rows])
    if rows.shape[1] != p:
        raise DataError(f"X has {rows.shape[1]} columns; the model has {p} coefficients")
    value = rows @ model.b - np.broadcast_to(np.asarray(rhs, dtype=float), (rows.shape[0],))
    covariance = rows @ model.vb @ rows.T
    se = np.sqrt(np.diag(covariance))
    ddf = np.array([model.ddf[row != 0].min(initial=np.inf) for row in rows])
    z, crit = value / se, critical_value(level, ddf)
    full = np.linalg.matrix_rank(rows) == rows.shape[0]
    qm, df, pm = omnibus(value, covariance, float(ddf.min())) if full else (np.nan, np.array([np.nan, np.nan]), np.nan)
    labels = tuple(_equation(row, model.names) for row in rows)
    return Contrasts(
        labels, value, se, z, two_sided(z, ddf), value - crit * se, value + crit * se, float(qm), df, float(pm)
    )


def _equation(row: Array, names: Sequence[str]) -> str:
    parts = [name if c == 1 else f"{c:g}*{name}" for c, name in zip(row, names, strict=True) if c != 0]
    return " + ".join(parts) if parts else "0"


@dataclass(frozen=True, slots=True, eq=False)
class LikelihoodRatio(Result):
    """A likelihood-ratio test of two nested models: `LRT`, `df`, `pval`, and both models' fit statistics.

    `AICf` and `AICr` hold (ll, deviance, AIC, BIC, AICc) of the full and the reduced model.
    """

    LRT: float
    df: int
    pval: float
    full: FitStatistics
    reduced: FitStatistics
    parms_f: int
    parms_r: int
    QE_f: float
    QE_r: float
    tau2_f: float
    tau2_r: float
    R2: float

    @property
    def AICf(self) -> Array:
        """Fit statistics of the full model, shape (5,)."""
        return _five(self.full)

    @property
    def AICr(self) -> Array:
        """Fit statistics of the reduced model, shape (5,)."""
        return _five(self.reduced)

    def rows(self) -> list[dict[str, Any]]:
        """The full and the reduced model."""
        pairs = (
            ("full", self.full, self.parms_f, self.QE_f, self.tau2_f),
            ("reduced", self.reduced, self.parms_r, self.QE_r, self.tau2_r),
        )
        return [
            {"model": n, "parameters": m, "AIC": f.AIC, "BIC": f.BIC, "AICc": f.AICc, "ll": f.ll, "QE": q, "tau2": t}
            for n, f, m, q, t in pairs
        ]

    def summary(self) -> str:
        """Both models and the test as text."""
        return f"{text_table(self.rows())}\nLRT = {self.LRT:.4f} (df = {self.df}), p = {self.pval:.4g}"

    def explain(self) -> Explanation:
        """The methods sentence."""
        return Explanation(
            "Nested models were compared by likelihood-ratio tests.",
            ("Huizenga HM, Visser I, Dolan CV. Br J Math Stat Psychol 2011;64:1-19. doi:10.1348/000711010X522687",),
        )


def _five(stats: FitStatistics) -> Array:
    return np.array([stats.ll, stats.dev, stats.AIC, stats.BIC, stats.AICc])


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What a likelihood-ratio test needs of a model."""

    stats: FitStatistics
    parameters: int
    restricted: bool
    X: Array
    y: Array
    QE: float
    tau2: float


def likelihood_ratio(one: Compared, two: Compared) -> LikelihoodRatio:
    """The test of the smaller of two models within the larger, in either order."""
    if one.y.shape != two.y.shape or not np.array_equal(one.y, two.y):
        raise MethodError(
            "the two models were fitted to different data; a likelihood-ratio test needs the same studies"
        )
    if one.restricted != two.restricted:
        raise MethodError("one model was fitted by REML and the other not; refit both by the same method")
    full, reduced = (one, two) if one.parameters >= two.parameters else (two, one)
    df = full.parameters - reduced.parameters
    if df == 0:
        raise MethodError("the two models have the same number of parameters; one must be nested in the other")
    if full.restricted and not _same_space(full.X, reduced.X):
        raise MethodError(
            "REML likelihoods of models with different moderators cannot be compared; use method='ML' or refit=True"
        )
    lrt = max(0.0, 2 * (full.stats.ll - reduced.stats.ll))
    r2 = 100 * max(0.0, (reduced.tau2 - full.tau2) / reduced.tau2) if reduced.tau2 > 0 else np.nan
    return LikelihoodRatio(
        LRT=lrt,
        df=df,
        pval=float(special.chdtrc(df, lrt)),
        full=full.stats,
        reduced=reduced.stats,
        parms_f=full.parameters,
        parms_r=reduced.parameters,
        QE_f=full.QE,
        QE_r=reduced.QE,
        tau2_f=full.tau2,
        tau2_r=reduced.tau2,
        R2=r2,
    )


def _same_space(A: Array, B: Array) -> bool:
    if A.shape[1] != B.shape[1]:
        return False
    return bool(np.linalg.matrix_rank(np.column_stack([A, B])) == A.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Inflation(ColumnResult):
    """(Generalised) variance inflation factors `vif` and their comparable roots `sif` = vif^(1/(2m)), m coefficients.

    Behaves as the array of factors: ``np.asarray(result)``, `len`, indexing.
    """

    labels: tuple[str, ...]
    vif: Array
    sif: Array
    m: Array

    COLUMNS: ClassVar[tuple[str, ...]] = ("vif", "sif", "m")
    TITLE: ClassVar[str] = "Variance inflation factors"
    SENTENCE: ClassVar[str] = "Collinearity was judged by (generalised) variance inflation factors."
    REFERENCES: ClassVar[tuple[str, ...]] = ("Fox J, Monette G. J Am Stat Assoc 1992;87:178-183. doi:10.2307/2290467",)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.vif, dtype=dtype)

    def __len__(self) -> int:
        return int(self.vif.size)

    def __getitem__(self, index: int) -> float:
        return float(self.vif[index])


def inflation(model: Coefficients, btt: Any = None) -> Inflation:
    """Inflation factors of each coefficient (the intercept left out), or of the sets `btt` lists.

    `btt` is one set or a list of sets of coefficients, each as in `chosen`.
    """
    first = 1 if model.has_intercept else 0
    if model.b.size - first < 2:
        raise MethodError(
            "variance inflation needs at least two moderators; the model has " + str(model.b.size - first)
        )
    free = list(range(first, model.b.size))
    inner = model.vb[np.ix_(free, free)]
    scale = np.sqrt(np.diag(inner))
    corr = inner / np.outer(scale, scale)
    if btt is None:
        sets: list[tuple[int, ...]] = [(i,) for i in free]
    else:
        listed = isinstance(btt, (list, tuple)) and any(isinstance(item, (list, tuple)) for item in btt)
        sets = [chosen(item, model.names) for item in (btt if listed else [btt])]
    total = np.linalg.slogdet(corr)[1]
    values = []
    for group in sets:
        a = [i - first for i in group if i >= first]
        b = [i for i in range(len(free)) if i not in a]
        logdet = (np.linalg.slogdet(corr[np.ix_(part, part)])[1] if part else 0.0 for part in (a, b))
        values.append(np.exp(sum(logdet) - total))
    sizes = np.array([len(group) for group in sets], dtype=float)
    vif = np.array(values)
    labels = tuple("+".join(model.names[i] for i in group) for group in sets)
    return Inflation(labels, vif, vif ** (1 / (2 * sizes)), sizes)
