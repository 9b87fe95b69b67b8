"""Heterogeneity that a regression leaves: tau² given a design matrix."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from metagrove.core.errors import UnknownName
from metagrove.core.values import Array

__all__ = ["residual_tau2"]


def residual_tau2(y: Array, v: Array, X: Array, method: str) -> float:
    """tau² left over by the regression of `y` on `X`, by REML, ML or DL; 0 for the equal-effects codes."""
    if method in ("EE", "FE", "CE"):
        return 0.0
    if method == "DL":
        return _moment(y, v, X)
    if method not in ("REML", "ML"):
        raise UnknownName("tau2 estimator", method, ["DL", "EE", "ML", "REML"])
    return _likelihood(y, v, X, restricted=method == "REML")


def _moment(y: Array, v: Array, X: Array) -> float:
    w = 1 / v
    inner = np.linalg.inv((X.T * w) @ X)
    P = np.diag(w) - (w[:, None] * X) @ inner @ (X.T * w)
    return max(0.0, float(y @ P @ y - (y.size - X.shape[1])) / float(np.trace(P)))


def _likelihood(y: Array, v: Array, X: Array, *, restricted: bool) -> float:
    def score(t: float) -> float:
        w = 1 / (v + t)
        inner = np.linalg.inv((X.T * w) @ X)
        trace = w.sum()
        if restricted:
            trace = trace - np.einsum("ij,ij->", X * (w * w)[:, None], X @ inner)
        r = y - X @ (inner @ (X.T @ (w * y)))
        return float(((w * r) ** 2).sum() - trace)

    if score(0.0) <= 0:
        return 0.0
    top = float(v.max() + y.var()) * 4
    while score(top) > 0:
        top *= 4
    return float(brentq(score, 0.0, top, xtol=1e-14, rtol=1e-14, maxiter=500))
