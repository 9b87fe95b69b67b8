"""A straight line through study effects: with dispersion that multiplies or with heterogeneity that adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.pooling.tau2 import tau2_estimate

__all__ = ["EQUAL_EFFECTS", "WeightedLine", "residual_tau2", "weighted_line"]

#: Codes of the model without heterogeneity.
EQUAL_EFFECTS = ("EE", "FE", "CE")


@dataclass(frozen=True, slots=True, eq=False)
class WeightedLine:
    """Coefficients `b`, their covariance `cov` with unit dispersion, residual degrees of freedom, dispersion.

    `b[0]` is the intercept and `b[1]` the slope; `dispersion` is the weighted residual mean square.
    """

    b: Array
    cov: Array
    df: int
    dispersion: float

    def se(self, *, multiplicative: bool) -> Array:
        """Standard errors of the coefficients, with the dispersion estimated or taken as 1."""
        return np.sqrt(np.diag(self.cov) * (self.dispersion if multiplicative else 1.0))


def weighted_line(y: Array, X: Array, w: Array) -> WeightedLine:
    """The weighted least-squares fit of `y` (shape (k,)) on `X` (shape (k, p)) with weights `w` > 0.

    Raises MethodError where the columns of `X` do not differ or fewer than p + 1 studies are given.
    """
    k, p = X.shape
    if k <= p:
        raise MethodError(f"{k} studies for {p} coefficients; a regression test needs at least {p + 1} studies")
    root = np.sqrt(w)
    scale = np.linalg.norm(X * root[:, None], axis=0)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise MethodError("the predictor of the regression has no finite, positive size")
    q, r = np.linalg.qr(X * root[:, None] / scale)
    if np.abs(np.diag(r)).min() < 1e-10:
        raise MethodError("the predictor is the same for all studies, so its relation to the effects is unknown")
    inverse = np.linalg.inv(r) / scale[:, None]
    b = inverse @ (q.T @ (root * y))
    residual = root * (y - X @ b)
    return WeightedLine(b, inverse @ inverse.T, k - p, float(residual @ residual) / (k - p))


def residual_tau2(y: Array, v: Array, X: Array, method: str) -> float:
    """Heterogeneity left by the regression of `y` on `X`: 0 for equal effects, else by the estimator `method`."""
    return 0.0 if method in EQUAL_EFFECTS else tau2_estimate(y, v, method, X=X).value
