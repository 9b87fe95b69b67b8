"""Regression from a correlation or covariance matrix, of one sample or of a meta-analysis.

Becker BJ. Using results from replicated studies to estimate linear models. J Educ Stat 1992;17:341-62
(doi:10.3102/10769986017004341): coefficients of pooled correlations by the multivariate delta method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation
from metagrove.core.values import Array
from metagrove.pooling.regression.coefficients import CoefficientResult, Coefficients
from metagrove.pooling.regression.columns import text_table

__all__ = ["MatrixRegression", "matrix_regression"]

_BECKER = "Becker BJ. J Educ Stat 1992;17:341-62. doi:10.3102/10769986017004341"
_STEP = 1e-30


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatrixRegression(CoefficientResult):
    """Coefficients of an outcome on predictors, from their matrix; `R2` is the share of variance they explain."""

    table: Coefficients
    R2: float
    confidence: float
    outcome: str
    pooled: bool

    @property
    def coefficients(self) -> Coefficients:
        """Coefficients with their covariance and degrees of freedom."""
        return self.table

    @property
    def level(self) -> float:
        """Confidence level, a proportion."""
        return self.confidence

    def summary(self) -> str:
        """The coefficients as text."""
        return f"Regression of {self.outcome} from a matrix (R2 = {100 * self.R2:.1f}%)\n{text_table(self.rows())}"

    def explain(self) -> Explanation:
        """The methods sentence and its reference."""
        how = "pooled correlations by the multivariate delta method" if self.pooled else "the matrix of one sample"
        return Explanation(f"Coefficients of {self.outcome} were calculated from {how}.", (_BECKER,))


def _lower(size: int, *, diagonal: bool) -> list[tuple[int, int]]:
    """Positions of the lower triangle by columns."""
    return [(i, j) for j in range(size) for i in range(j if diagonal else j + 1, size)]


def _solved(R: NDArray[np.complex128], y: int, x: Sequence[int]) -> NDArray[np.complex128]:
    return np.asarray(np.linalg.solve(R[np.ix_(x, x)], R[list(x), y]), dtype=complex)


def matrix_regression(
    R: Array,
    y: int,
    x: Sequence[int],
    *,
    names: Sequence[str],
    n: float | None = None,
    V: Array | None = None,
    cov: bool = False,
    means: Array | None = None,
    level: float = 0.95,
) -> MatrixRegression:
    """The regression of variable `y` on variables `x` (positions) of the matrix `R`.

    Parameters
    ----------
    names : of all variables.
    n, V : the size of the one sample behind R, or the covariance of R's lower triangle by columns (with its diagonal
        where `cov`); one of the two.
    cov, means : whether R is a covariance matrix, and the variables' means, which give an intercept (with `n`).

    Raises
    ------
    DataError where shapes do not fit; MethodError where the predictors' matrix cannot be inverted.
    """
    if (n is None) == (V is None):
        raise DataError(
            "give n, the size of the sample, or V, the covariance of the pooled correlations (one of the two)"
        )
    inner = R[np.ix_(x, x)]
    if np.linalg.matrix_rank(inner) < len(x):
        raise MethodError("the predictors' matrix cannot be inverted; leave out predictors that repeat others")
    b = _solved(R.astype(complex), y, x).real
    explained = float(b @ R[list(x), y]) / float(R[y, y])
    told = [names[i] for i in x]
    if V is not None:
        places = _lower(R.shape[0], diagonal=cov)
        if V.shape != (len(places), len(places)):
            raise DataError(f"V has shape {V.shape}; {len(places)} elements need ({len(places)}, {len(places)})")
        slope = np.empty((len(x), len(places)))
        for k, (i, j) in enumerate(places):
            moved = R.astype(complex)
            moved[i, j] += 1j * _STEP
            if i != j:
                moved[j, i] += 1j * _STEP
            slope[:, k] = _solved(moved, y, x).imag / _STEP
        vb, ddf = slope @ V @ slope.T, np.full(len(x), np.inf)
        return MatrixRegression(Coefficients(b, vb, ddf, tuple(told), False), explained, level, names[y], True)
    assert n is not None
    return _one_sample(R, y, x, told, b, explained, n=n, cov=cov, means=means, level=level, outcome=names[y])


def _one_sample(
    R: Array, y: int, x: Sequence[int], told: list[str], b: Array, explained: float, *, n: float, cov: bool,
    means: Array | None, level: float, outcome: str,
) -> MatrixRegression:  # fmt: skip
    """Coefficients with the t tests of a sample of n."""
    m = len(x)
    intercept = cov and means is not None
    df = n - m - (1 if cov else 0)
    if df <= 0:
        raise MethodError(f"{n:g} people cannot carry {m} coefficients")
    inverse = np.asarray(np.linalg.inv(R[np.ix_(x, x)]), dtype=float)
    spread = float(R[y, y]) * (1 - explained)
    if not cov:
        vb = spread / df * inverse
        table = Coefficients(b, vb, np.full(m, float(df)), tuple(told), False)
        return MatrixRegression(table, explained, level, outcome, False)
    mse = spread * (n - 1) / df
    vb = mse / (n - 1) * inverse
    if not intercept or means is None:
        table = Coefficients(b, vb, np.full(m, float(df)), tuple(told), False)
        return MatrixRegression(table, explained, level, outcome, False)
    centre = np.asarray(means, dtype=float)[list(x)]
    start = float(means[y]) - float(centre @ b)
    across = -vb @ centre
    whole = np.block([[np.array([[mse / n + centre @ vb @ centre]]), across[None, :]], [across[:, None], vb]])
    table = Coefficients(np.append(start, b), whole, np.full(m + 1, float(df)), ("intrcpt", *told), True)
    return MatrixRegression(table, explained, level, outcome, False)
