"""Arithmetic that answers NaN where a value does not exist, without a warning and without a silent infinity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.values import Array

__all__ = ["broadcast", "logarithm", "ratio", "root", "small_sample_factor"]


def broadcast(*columns: ArrayLike) -> tuple[Array, ...]:
    """The columns as float arrays of one common shape (k,)."""
    return tuple([array.copy() for array in _aligned(columns)])


def _aligned(columns: tuple[ArrayLike, ...]) -> list[Array]:
    """The columns as float arrays of one common shape (k,), the caller's own ones among them."""
    arrays = [np.asarray(column, dtype=float) for column in columns]
    shape = arrays[0].shape
    if len(shape) == 1 and all(array.shape == shape for array in arrays):
        return arrays
    return list(np.broadcast_arrays(*map(np.atleast_1d, arrays)))


def ratio(above: ArrayLike, below: ArrayLike) -> Array:
    """`above / below`, NaN where `below` is zero or either is not finite."""
    a, b = _aligned((above, below))
    fine = np.isfinite(a) & np.isfinite(b) & (b != 0)
    quotient: Array = np.divide(a, b, out=np.full(a.shape, np.nan), where=fine)
    return quotient


def logarithm(x: ArrayLike) -> Array:
    """The natural logarithm, NaN where `x` is not above zero."""
    (a,) = _aligned((x,))
    return np.log(a, out=np.full(a.shape, np.nan), where=np.isfinite(a) & (a > 0))


def root(x: ArrayLike) -> Array:
    """The square root, NaN where `x` is below zero."""
    (a,) = _aligned((x,))
    return np.sqrt(a, out=np.full(a.shape, np.nan), where=np.isfinite(a) & (a >= 0))


def small_sample_factor(m: ArrayLike) -> Array:
    """The exact small-sample factor of a standardised difference with `m` degrees of freedom, NaN where m <= 1.

    References
    ----------
    Hedges LV. J Educ Stat 1981;6:107-28. doi:10.3102/10769986006002107
    """
    from scipy.special import gammaln

    (df,) = _aligned((m,))
    fine = np.isfinite(df) & (df > 1)
    safe = np.where(fine, df, 2.0)
    factor = np.exp(gammaln(safe / 2) - 0.5 * np.log(safe / 2) - gammaln((safe - 1) / 2))
    return np.where(fine, factor, np.nan)
