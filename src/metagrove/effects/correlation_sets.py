"""Correlations that share people: their sampling covariance.

Steiger JH. Tests for comparing elements of a correlation matrix. Psychol Bull 1980;87:245-51
(doi:10.1037/0033-2909.87.2.245); Olkin I, Finn JD. Testing correlated correlations. Psychol Bull 1990;108:330-3
(doi:10.1037/0033-2909.108.2.330).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array

__all__ = ["correlation_covariance", "correlation_matrix"]


def correlation_matrix(pairs: Sequence[tuple[str, str]], r: Array) -> tuple[tuple[str, ...], Array]:
    """The variables of one study in order of appearance and their correlation matrix, NaN where it was not reported.

    Raises
    ------
    DataError where a correlation is not within -1 and 1, is of a variable with itself, or is given twice.
    """
    names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    place = {name: i for i, name in enumerate(names)}
    R = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(R, 1.0)
    for (one, other), value in zip(pairs, r, strict=True):
        if one == other:
            raise DataError(f"a correlation of '{one}' with itself")
        if not -1 <= value <= 1:
            raise DataError(f"the correlation of '{one}' and '{other}' is {value:g}; it lies between -1 and 1")
        i, j = place[one], place[other]
        if np.isfinite(R[i, j]):
            raise DataError(f"the correlation of '{one}' and '{other}' is given twice")
        R[i, j] = R[j, i] = value
    return names, R


def correlation_covariance(R: Array, pairs: Sequence[tuple[int, int]], n: float, *, fisher_z: bool = False) -> Array:
    """The sampling covariance of the correlations at `pairs` of positions in `R` from `n` people, shape (m, m).

    With `fisher_z` that of their z values (variances 1 / (n - 3)).

    Raises
    ------
    DataError where a correlation that a covariance needs is missing (NaN) in `R`.

    >>> R = np.array([[1.0, 0.5, 0.3], [0.5, 1.0, 0.2], [0.3, 0.2, 1.0]])
    >>> correlation_covariance(R, [(0, 1), (0, 2)], 101).round(6).tolist()
    [[0.005625, 0.000855], [0.000855, 0.008281]]
    """
    m = len(pairs)
    found = np.empty((m, m))
    for a, (s, t) in enumerate(pairs):
        for b, (u, v) in enumerate(pairs):
            found[a, b] = _covariance(R, s, t, u, v)
    if np.isnan(found).any():
        raise DataError("a covariance needs correlations that were not reported; leave one of the pairs out")
    if not fisher_z:
        return found / (n - 1)
    r = np.array([R[i, j] for i, j in pairs])
    spread = 1 - r**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(found / np.outer(spread, spread) / (n - 3))


def _covariance(R: Array, s: int, t: int, u: int, v: int) -> float:
    """The covariance of r_st and r_uv, times n (Steiger 1980, equation 1)."""
    if (s, t) in ((u, v), (v, u)):
        return float((1 - R[s, t] ** 2) ** 2)
    squares = R[s, u] ** 2 + R[s, v] ** 2 + R[t, u] ** 2 + R[t, v] ** 2
    crossed = R[s, u] * R[t, v] + R[s, v] * R[t, u]
    triples = (
        R[s, t] * R[s, u] * R[s, v] + R[t, s] * R[t, u] * R[t, v] + R[u, s] * R[u, t] * R[u, v]
        + R[v, s] * R[v, t] * R[v, u]
    )  # fmt: skip
    return float(0.5 * R[s, t] * R[u, v] * squares + crossed - triples)
