"""Arithmetic that answers NaN where a value does not exist, without a warning and without a silent infinity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.values import Array

__all__ = ["broadcast", "logarithm", "ratio", "root", "small_sample_factor"]


def broadcast(*columns: ArrayLike) -> tuple[Array, ...]:
    """The columns as float arrays of one common shape (k,)."""
    arrays = [np.atleast_1d(np.asarray(column, dtype=float)) for column in columns]
    if len({array.shape for array in arrays}) == 1:
        return tuple(array.copy() for array in arrays)
    return tuple(np.array(array, dtype=float) for array in np.broadcast_arrays(*arrays))


def ratio(above: ArrayLike, below: ArrayLike) -> Array:
    """`above / below`, NaN where `below` is zero or either is not finite."""
    a, b = broadcast(above, below)
    fine = np.isfinite(a) & np.isfinite(b) & (b != 0)
    quotient: Array = np.divide(a, b, out=np.full(a.shape, np.nan), where=fine)
    return quotient


def logarithm(x: ArrayLike) -> Array:
    """The natural logarithm, NaN where `x` is not above zero."""
    (a,) = broadcast(x)
    return np.log(a, out=np.full(a.shape, np.nan), where=np.isfinite(a) & (a > 0))


def root(x: ArrayLike) -> Array:
    """The square root, NaN where `x` is below zero."""
    (a,) = broadcast(x)
    return np.sqrt(a, out=np.full(a.shape, np.nan), where=np.isfinite(a) & (a >= 0))


def small_sample_factor(m: ArrayLike) -> Array:
    """The exact small-sample factor of a standardised difference with `m` degrees of freedom, NaN where m <= 1.

    References
    ----------
    Hedges LV. J Educ Stat 1981;6:107-28. doi:10.3102/10769986006002107
    """
    from scipy.special import gammaln

    (df,) = broadcast(m)
    fine = np.isfinite(df) & (df > 1)
    safe = np.where(fine, df, 2.0)
    factor = np.exp(gammaln(safe / 2) - 0.5 * np.log(safe / 2) - gammaln((safe - 1) / 2))
    return np.where(fine, factor, np.nan)
