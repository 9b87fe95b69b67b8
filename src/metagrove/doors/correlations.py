"""metafor's functions for correlations that share people: `rcalc` and `matreg`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.doors.columns import Columns
from metagrove.effects.correlation_sets import correlation_covariance, correlation_matrix
from metagrove.pooling.regression.matrix_regression import MatrixRegression, matrix_regression

__all__ = ["CorrelationSet", "matreg", "rcalc"]

_COMMON: dict[str, Callable[[Array], float]] = {
    "min": lambda n: float(n.min()),
    "harmonic": lambda n: float(n.size / np.sum(1 / n)),
    "mean": lambda n: float(n.mean()),
}


@dataclass(frozen=True, slots=True, eq=False)
class CorrelationSet:
    """Correlations (or their z values) `yi` with their sampling covariance `V` (k, k), ready for `rma_mv`.

    `id` is the study, `var1`, `var2` and `pair` the variables, `ni` the common sample size of the study; all (k,).
    """

    id: tuple[str, ...]
    var1: tuple[str, ...]
    var2: tuple[str, ...]
    yi: Array
    ni: Array
    V: Array

    @property
    def pair(self) -> tuple[str, ...]:
        """The two variables of each correlation, as one label."""
        return tuple(f"{one}.{other}" for one, other in zip(self.var1, self.var2, strict=True))

    @property
    def dat(self) -> Any:
        """The table as a DataFrame."""
        import pandas as pd

        columns = {"id": self.id, "var1": self.var1, "var2": self.var2, "var1.var2": self.pair}
        return pd.DataFrame({**columns, "yi": self.yi, "ni": self.ni})


def _parts(formula: str) -> tuple[str, str, str, str]:
    """The four names of "ri ~ var1 + var2 | study"; the last is "" for one study."""
    left, sign, right = formula.partition("~")
    variables, _, study = right.partition("|")
    pair = [name.strip() for name in variables.split("+")]
    if not sign or len(pair) != 2 or not left.strip() or not all(pair):
        raise DataError(f"'{formula}' is not of the form 'ri ~ var1 + var2 | study'")
    return left.strip(), pair[0], pair[1], study.strip()


def rcalc(
    x: str, ni: Any, data: Any, *, rtoz: bool = False, nfun: str | Callable[[Array], float] = "min"
) -> CorrelationSet:
    """Correlations of the same people with their sampling covariance, as metafor's `rcalc`.

    Parameters
    ----------
    x : "ri ~ var1 + var2 | study", columns of `data`; without "| study" all are of one study.
    ni : sample sizes, a column.
    rtoz : Fisher's z values instead of correlations.
    nfun : how the sizes within a study become one: "min", "harmonic", "mean", or a function.

    Rows without a correlation are left out.

    Raises
    ------
    DataError where a correlation is impossible or given twice, a covariance needs one that was not reported, or a study
    has fewer than five people.

    References
    ----------
    Steiger JH. Psychol Bull 1980;87:245-51. doi:10.1037/0033-2909.87.2.245

    >>> table = {"r": [0.5, 0.3, 0.2], "a": ["x", "x", "y"], "b": ["y", "z", "z"], "n": [101, 101, 101]}
    >>> rcalc("r ~ a + b", "n", table).V.round(6)[0].tolist()
    [0.005625, 0.000855, 0.00182]
    """
    left, one, other, study = _parts(x)
    source = Columns(data)
    r = source.numbers(left, "ri")
    k = r.size
    first, second = source.texts(one, "var1", k), source.texts(other, "var2", k)
    assert first is not None and second is not None
    studies = (source.texts(study, "study", k) if study else None) or ("1",) * k
    sizes = source.numbers(ni, "ni", k)
    known = np.flatnonzero(np.isfinite(r))
    if known.size < k:
        r, sizes, k = r[known], sizes[known], int(known.size)
        first, second, studies = (tuple(labels[i] for i in known) for labels in (first, second, studies))
    if isinstance(nfun, str) and nfun not in _COMMON:
        raise UnknownName("rule for a common sample size (nfun)", nfun, _COMMON)
    common = _COMMON[nfun] if isinstance(nfun, str) else nfun
    V, people = np.zeros((k, k)), np.empty(k)
    for name in dict.fromkeys(studies):
        rows = np.flatnonzero(np.array([label == name for label in studies]))
        n = float(common(sizes[rows]))
        if not n >= 5:
            raise DataError(f"study {name}: {n:g} people; covariances of correlations need at least five")
        pairs = [(first[i], second[i]) for i in rows]
        try:
            names, R = correlation_matrix(pairs, r[rows])
        except DataError as error:
            raise DataError(f"study {name}: {error}") from None
        at = {label: i for i, label in enumerate(names)}
        places = [(at[a], at[b]) for a, b in pairs]
        if rtoz and (np.abs(r[rows]) >= 1).any():
            raise DataError(f"study {name}: a correlation of 1 or -1 has no z value")
        try:
            V[np.ix_(rows, rows)] = correlation_covariance(R, places, n, fisher_z=rtoz)
        except DataError as error:
            raise DataError(f"study {name}: {error}") from None
        people[rows] = n
    return CorrelationSet(studies, first, second, np.arctanh(r) if rtoz else r, people, V)


def matreg(
    y: int | str,
    x: Sequence[int | str] | int | str,
    R: Any,
    n: float | None = None,
    V: Any = None,
    *,
    cov: bool = False,
    means: Any = None,
    ztor: bool = False,
    level: float = 95,
) -> MatrixRegression:
    """A regression from a correlation or covariance matrix, as metafor's `matreg`.

    Parameters
    ----------
    y, x : the outcome and the predictors: names of R's columns (a frame), or positions from 1.
    R : the matrix, of one sample of `n` people or of pooled elements.
    V : the covariance of the pooled elements, the lower triangle of R by columns (with the diagonal where `cov`).
    cov, means : R is a covariance matrix; means of the variables, for an intercept.
    ztor : R (and V) hold Fisher's z values, to be turned back into correlations.
    level : confidence level, 95 or 0.95.

    References
    ----------
    Becker BJ. J Educ Stat 1992;17:341-62. doi:10.3102/10769986017004341

    >>> fit = matreg(1, [2, 3], [[1, 0.5, 0.4], [0.5, 1, 0.2], [0.4, 0.2, 1]], n=100)
    >>> fit.b.round(4).tolist(), round(fit.R2, 4)
    ([0.4375, 0.3125], 0.3438)
    """
    matrix = np.array(R, dtype=float)
    size = matrix.shape[0]
    if matrix.ndim != 2 or matrix.shape != (size, size):
        raise DataError(f"R has shape {matrix.shape}; a square matrix is needed")
    matrix = np.tril(matrix) + np.tril(matrix, -1).T
    labels = getattr(R, "columns", None)
    names = [str(i + 1) for i in range(size)] if labels is None else [str(label) for label in labels]

    def position(item: int | str) -> int:
        if isinstance(item, str):
            if item not in names:
                raise UnknownName("variable", item, names)
            return names.index(item)
        if not 1 <= int(item) <= size:
            raise DataError(f"variable {item}; the matrix has {size}, counted from 1")
        return int(item) - 1

    outcome = position(y)
    predictors = [position(item) for item in ([x] if isinstance(x, (int, str)) else x)]
    if outcome in predictors or len(set(predictors)) < len(predictors) or not predictors:
        raise DataError("predictors are one or more, each once, and not the outcome")
    square = None if V is None else np.asarray(V, dtype=float)
    if ztor:
        if cov:
            raise MethodError("z values are of correlations; ztor does not go with cov")
        places = [(i, j) for j in range(size) for i in range(j + 1, size)]
        z = np.array([matrix[i, j] for i, j in places])
        slope = 1 - np.tanh(z) ** 2
        matrix = np.tanh(matrix)
        np.fill_diagonal(matrix, 1.0)
        square = None if square is None else square * np.outer(slope, slope)
    share = level / 100 if level > 1 else level
    middle = None if means is None else np.asarray(means, dtype=float)
    return matrix_regression(
        matrix, outcome, predictors, names=names, n=n, V=square, cov=cov, means=middle, level=share
    )
