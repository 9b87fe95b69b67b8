"""Thousands to millions of meta-analyses in one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metagrove.core.errors import ConvergenceError, DataError, MethodError, UnknownName
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling import one_mean
from metagrove.pooling.compiled import kernels
from metagrove.pooling.estimate import INTERVALS
from metagrove.pooling.tau2 import TAU2

__all__ = ["Many", "pool_many"]

_COLUMNS = ("k", "TE_common", "w_common", "TE_random", "w_random", "spread", "tau2", "Q")


@dataclass(frozen=True, slots=True, eq=False)
class Many(Result):
    """m meta-analyses: every field and property is an array of length m, named as in a single result.

    Parameters
    ----------
    k : studies present in each row; rows of none have NaN everywhere else.
    TE_common, TE_random : estimates; `w_common`, `w_random` their total weights.
    tau2, Q : between-study variance (NaN for one study) and Cochran's Q.
    spread : weighted squares around the random mean, behind the Hartung-Knapp standard error.
    method_tau, method_random_ci, adhoc_hakn_ci, level_ma : the settings.
    """

    k: NDArray[np.int64]
    TE_common: Array
    w_common: Array
    TE_random: Array
    w_random: Array
    tau2: Array
    Q: Array
    spread: Array
    method_tau: str
    method_random_ci: str
    adhoc_hakn_ci: str
    level_ma: float

    @property
    def seTE_common(self) -> Array:
        """Standard error of the common effect."""
        return np.asarray(self.w_common**-0.5, dtype=float)

    @property
    def seTE_random(self) -> Array:
        """Standard error of the random-effects mean, by the interval method asked for."""
        classic = np.asarray(self.w_random**-0.5, dtype=float)
        if self.method_random_ci == "classic":
            return classic
        df = np.maximum(self.k - 1, 1)
        found = np.where(self.k > 1, np.sqrt(self.spread / (df * self.w_random)), classic)
        return np.maximum(found, classic) if self.adhoc_hakn_ci == "se" else found

    @property
    def df_random(self) -> Array:
        """Degrees of freedom of the interval, infinite for the normal one."""
        if self.method_random_ci == "classic":
            return np.full(self.k.size, np.inf)
        return np.where(self.k > 1, self.k - 1.0, np.inf)

    @property
    def df_Q(self) -> Array:
        """Degrees of freedom of Q."""
        return np.where(self.k > 0, self.k - 1.0, np.nan)

    @property
    def pval_Q(self) -> Array:
        """P-value of Q, NaN for one study."""
        several = self.k > 1
        df = np.where(several, self.k - 1, 1)
        return np.where(several, special.chdtrc(df, np.where(several, self.Q, 0.0)), np.nan)

    @property
    def H(self) -> Array:
        """H from Q, at least 1, NaN for one study."""
        several = self.k > 1
        ratio = np.where(several, self.Q, np.nan) / np.where(several, self.k - 1, 1)
        return np.maximum(np.sqrt(ratio), 1.0)

    @property
    def I2(self) -> Array:
        """I² from Q, a fraction."""
        h = self.H
        return np.asarray(1 - 1 / h**2, dtype=float)

    @property
    def lower_common(self) -> Array:
        """Lower limit of the common effect."""
        return self.TE_common - self._z * self.seTE_common

    @property
    def upper_common(self) -> Array:
        """Upper limit of the common effect."""
        return self.TE_common + self._z * self.seTE_common

    @property
    def pval_common(self) -> Array:
        """Two-sided p-value of no common effect."""
        return np.asarray(2 * special.ndtr(-np.abs(self.TE_common / self.seTE_common)), dtype=float)

    @property
    def lower_random(self) -> Array:
        """Lower limit of the random-effects mean."""
        return self.TE_random - self._quantile * self.seTE_random

    @property
    def upper_random(self) -> Array:
        """Upper limit of the random-effects mean."""
        return self.TE_random + self._quantile * self.seTE_random

    @property
    def pval_random(self) -> Array:
        """Two-sided p-value of no mean effect; 0 where the standard error is 0 and the effect is not."""
        se, te = self.seTE_random, np.abs(self.TE_random)
        sure = se > 0
        ratio = np.where(sure, te / np.where(sure, se, 1.0), np.where(te > 0, np.inf, 0.0))
        ratio = np.where(np.isnan(te), np.nan, ratio)
        df = self.df_random
        normal = np.isinf(df)
        tails = np.where(normal, special.ndtr(-ratio), special.stdtr(np.where(normal, 1.0, df), -ratio))
        return np.asarray(2 * tails, dtype=float)

    @property
    def lower_predict(self) -> Array:
        """Lower prediction limit (t with k - 1 degrees of freedom), NaN for one study."""
        return self.TE_random - self._predict_half

    @property
    def upper_predict(self) -> Array:
        """Upper prediction limit (t with k - 1 degrees of freedom), NaN for one study."""
        return self.TE_random + self._predict_half

    @property
    def _predict_half(self) -> Array:
        several = self.k > 1
        t = special.stdtrit(np.where(several, self.k - 1.0, 1.0), (1 + self.level_ma) / 2)
        return np.where(several, t * np.sqrt(1 / self.w_random + self.tau2), np.nan)

    @property
    def _z(self) -> float:
        return float(special.ndtri((1 + self.level_ma) / 2))

    @property
    def _quantile(self) -> Array:
        df = self.df_random
        normal = np.isinf(df)
        t = special.stdtrit(np.where(normal, 1.0, df), (1 + self.level_ma) / 2)
        return np.where(normal, self._z, t)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per meta-analysis."""
        names = ("k", "TE_common", "seTE_common", "TE_random", "seTE_random", "lower_random", "upper_random",
                 "pval_random", "tau2", "I2", "Q", "pval_Q")  # fmt: skip
        columns = [getattr(self, name).tolist() for name in names]
        return [dict(zip(names, line, strict=True)) for line in zip(*columns, strict=True)]

    def summary(self) -> str:
        """How many, of how many studies, and the spread of the estimates."""
        if not (self.k > 0).any():
            return f"{self.k.size} meta-analyses without studies"
        low, middle, high = np.nanquantile(self.TE_random, (0.05, 0.5, 0.95))
        return (
            f"{self.k.size} meta-analyses of {self.k.min()} to {self.k.max()} studies; random-effects estimates: "
            f"median {middle:.4g}, 5% to 95% {low:.4g} to {high:.4g}; {(self.k == 0).sum()} without studies"
        )

    def explain(self) -> Explanation:
        """The methods sentence."""
        if self.method_tau == "CE":
            return Explanation("Each row was pooled as a common effect by inverse variance.")
        estimator, interval = TAU2.entry(self.method_tau), INTERVALS.entry(self.method_random_ci)
        return Explanation(
            f"Each row was pooled by inverse variance with the {estimator.title} estimator of the between-study "
            f"variance and {interval.title} intervals.",
            (estimator.cite, interval.cite),
        )


def _checked(y: ArrayLike, v: ArrayLike) -> tuple[Array, Array]:
    effects, variances = np.ascontiguousarray(y, dtype=float), np.ascontiguousarray(v, dtype=float)
    if effects.ndim != 2 or effects.shape != variances.shape:
        raise DataError(f"y has shape {effects.shape}, v {variances.shape}; both are (m, k)")
    with np.errstate(invalid="ignore"):
        bad = np.argwhere((variances <= 0) | np.isinf(variances) | np.isinf(effects))
    if bad.size:
        i, j = (int(n) for n in bad[0])
        raise DataError(
            f"row {i}, study {j}: effect {effects[i, j]:g} with variance {variances[i, j]:g}; "
            "effects are finite and variances finite and above 0 (NaN for absent)"
        )
    return effects, variances


def pool_many(
    y: ArrayLike,
    v: ArrayLike,
    *,
    method_tau: str = "REML",
    method_random_ci: str = "classic",
    adhoc_hakn_ci: str = "",
    level_ma: float = 0.95,
) -> Many:
    """Meta-analyses in rows: m independent ones of up to k studies each.

    Parameters
    ----------
    y, v : effects and variances of shape (m, k); NaN in either marks an absent study.
    method_tau : a code of TAU2 (not GENQ), or "CE" for tau2 = 0.
    method_random_ci, adhoc_hakn_ci : "classic" or "HK"; "" or "se".

    Raises
    ------
    DataError naming row and study for a variance that is not above 0; ConvergenceError naming the row.

    The numbers are those of one `metagen` per row: the same source runs compiled here.

    >>> many = pool_many([[0.1, 0.5, 0.3], [0.2, float("nan"), 0.9]], [[0.04, 0.09, 0.02], [0.05, 1.0, 0.05]])
    >>> many.k.tolist(), many.TE_random.round(4).tolist()
    ([3, 2], [0.2677, 0.55])
    """
    if method_tau not in one_mean.CODES:
        raise UnknownName("tau2 estimator for many analyses", method_tau, one_mean.CODES)
    if method_random_ci not in ("classic", "HK") or adhoc_hakn_ci not in ("", "se"):
        raise MethodError("pool_many knows method_random_ci 'classic' and 'HK' with adhoc_hakn_ci '' or 'se'")
    effects, variances = _checked(y, v)
    m, width = effects.shape
    df = np.arange(width + 1) - 1.0
    targets = df.copy()
    if method_tau == "PMM":
        targets[2:] = special.chdtri(df[2:], 0.5)
    out = np.empty((m, len(_COLUMNS)))
    failed = kernels().pool_rows(
        effects, variances, one_mean.CODES[method_tau], targets, out, np.empty(width), np.empty(width)
    )
    if failed >= 0:
        raise ConvergenceError(f"row {failed}: the {method_tau} estimate of tau2 did not converge")
    k, te_common, w_common, te_random, w_random, spread, tau2, q = out.T
    return Many(
        k.astype(np.int64), te_common, w_common, te_random, w_random, np.where(k == 1, np.nan, tau2), q, spread,
        method_tau, method_random_ci, adhoc_hakn_ci, level_ma,
    )  # fmt: skip
