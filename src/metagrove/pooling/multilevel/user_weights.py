"""Coefficients of a mixed model under weights of the user's own, with the covariance they then have.

Weighted least squares with weights W has covariance (X'WX)^-1 X'W M W X (X'WX)^-1 under the marginal covariance M.
Bement TR, Williams JS. J Am Stat Assoc 1969;64:1369-82. doi:10.1080/01621459.1969.10501063.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.pooling.multilevel.fit import MixedFit

__all__ = ["weighted_fit"]


def weighted_fit(fit: MixedFit, W: Array) -> MixedFit:
    """`fit` with the coefficients that the weights `W` (k, k) give; its variances stay.

    Raises
    ------
    DataError where W is not symmetric, is negative on its diagonal, or cannot tell the coefficients apart.
    """
    X, y = fit.like.X, fit.like.y
    if not np.isfinite(W).all() or not np.allclose(W, W.T, rtol=1e-8, atol=1e-12):
        raise DataError("W is not a symmetric matrix of numbers")
    if (np.diag(W) < 0).any():
        raise DataError(f"the weight of effect {int(np.argmax(np.diag(W) < 0)) + 1} is below 0")
    cross = X.T @ W @ X
    if np.linalg.matrix_rank(cross) < X.shape[1]:
        raise DataError("these weights cannot tell the coefficients apart; too few effects have a weight above 0")
    left = np.linalg.solve(cross, X.T @ W)
    vb = left @ fit.M @ left.T
    return replace(fit, at=replace(fit.at, b=left @ y, vb=0.5 * (vb + vb.T)), weights=W)
