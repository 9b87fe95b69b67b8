"""What single effects or clusters do to a mixed model, and the predicted random effects.

Viechtbauer W, Cheung MWL. Res Synth Methods 2010;1:112-125. doi:10.1002/jrsm.11. Robinson GK. Stat Sci 1991;6:15-32.
doi:10.1214/ss/1177011926
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import ConvergenceError, DataError, MethodError
from metagrove.core.values import Array
from metagrove.pooling.multilevel.fit import MixedFit, mixed_fit
from metagrove.pooling.multilevel.marginal_likelihood import Component
from metagrove.pooling.multilevel.user_weights import weighted_fit
from metagrove.pooling.regression.case_diagnostics import Residuals
from metagrove.pooling.regression.design import Design
from metagrove.pooling.regression.linear_model import critical_value
from metagrove.pooling.regression.predictions import Predictions

__all__ = ["cooks_distances", "deleted_residuals", "hat_matrix", "random_effects", "standardised_residuals"]

Index = NDArray[np.intp]


def hat_matrix(fit: MixedFit) -> Array:
    """H with fitted values Hy, shape (k, k)."""
    X = fit.like.X
    if fit.weights is not None:
        return np.asarray(X @ np.linalg.solve(X.T @ fit.weights @ X, X.T @ fit.weights))
    return np.asarray(X @ fit.vb @ X.T @ np.linalg.inv(fit.M))


def standardised_residuals(fit: MixedFit, labels: tuple[str, ...]) -> Residuals:
    """Internally standardised residuals."""
    y, X = fit.like.y, fit.like.X
    resid = y - X @ fit.b
    rest = np.eye(y.size) - hat_matrix(fit)
    se = np.sqrt(np.maximum(np.diag(rest @ fit.M @ rest.T), 0.0))
    some = se > 1e-12
    return Residuals(labels, resid, se, np.where(some, resid / np.where(some, se, 1.0), np.nan))


def _kept(c: Component, keep: Index) -> Component:
    return replace(c, Z=c.Z[keep], outer=c.outer[keep])


def _without(fit: MixedFit, design: Design, rows: Index) -> MixedFit:
    y, V = fit.like.y, fit.like.V
    keep = np.setdiff1d(np.arange(y.size), rows)
    parts = [_kept(c, keep) for c in fit.like.components]
    plain = len(fit.plain)
    cut = replace(design, X=design.X[keep])
    square = np.ix_(keep, keep)
    other = mixed_fit(y[keep], V[square], cut, plain=parts[:plain], inner=parts[plain:], method=fit.method)
    return other if fit.weights is None else weighted_fit(other, fit.weights[square])


def _deletions(fit: MixedFit, design: Design, codes: Index) -> Iterator[tuple[Index, MixedFit | str]]:
    """The rows of each cluster with the model of the others, or the reason why there is none."""
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        try:
            yield rows, _without(fit, design, rows)
        except (MethodError, ConvergenceError, DataError) as error:
            yield rows, str(error)


def deleted_residuals(fit: MixedFit, design: Design, codes: Index, labels: tuple[str, ...]) -> Residuals:
    """Externally standardised residuals: each cluster's effects against the model of the others."""
    y, X = fit.like.y, fit.like.X
    resid, se, reasons = np.full(y.size, np.nan), np.full(y.size, np.nan), []
    for rows, other in _deletions(fit, design, codes):
        if isinstance(other, str):
            reasons.append(f"{labels[rows[0]]}: {other}")
            continue
        spread = np.diag(fit.like.covariance(other.theta))[rows]
        resid[rows] = y[rows] - X[rows] @ other.b
        se[rows] = np.sqrt(spread + np.einsum("ij,jk,ik->i", X[rows], other.vb, X[rows]))
    return Residuals(labels, resid, se, resid / se, tuple(reasons))


def cooks_distances(fit: MixedFit, design: Design, codes: Index) -> Array:
    """Cook's distance of each cluster, in order of the codes; NaN where the others do not carry the model."""
    precision = np.linalg.inv(fit.vb)
    found = []
    for _, other in _deletions(fit, design, codes):
        shift = np.full(fit.b.shape, np.nan) if isinstance(other, str) else fit.b - other.b
        found.append(float(shift @ precision @ shift))
    return np.array(found)


def random_effects(fit: MixedFit, *, level: float, ddf: float) -> dict[str, Predictions]:
    """Best linear unbiased predictions of every component's random effects, with prediction limits."""
    X, M = fit.like.X, fit.M
    W = np.linalg.inv(M)
    Wr = W @ (fit.like.y - X @ fit.b)
    # the predictor is linear in y: C A y with A = W (I - H), whatever weights made H
    A = W @ (np.eye(M.shape[0]) - hat_matrix(fit))
    P = A + A.T - A @ M @ A.T
    crit = critical_value(level, ddf)
    found = {}
    for number, component in enumerate(fit.like.components):
        labels, C, prior = _shared(component, component.G(fit.parameters_of(number)))
        pred = C @ Wr
        se = np.sqrt(np.maximum(prior - np.einsum("ij,jk,ik->i", C, P, C), 0.0))
        none = np.full(pred.shape, np.nan)
        found[component.name] = Predictions(labels, pred, se, none, none, pred - crit * se, pred + crit * se)
    return found


def _shared(c: Component, G: Array) -> tuple[tuple[str, ...], Array, Array]:
    """Labels of a component's effects, their covariance with y (m, k), and their variances (m,)."""
    labels, rows, variances = [], [], []
    for group, name in enumerate(c.groups):
        members = np.flatnonzero(c.outer == group)
        if not members.size:
            continue
        together = c.shared(members[:1], np.arange(c.outer.size))
        own = float(together[members[0]])
        for j in np.flatnonzero((c.Z[members] != 0).any(axis=0)):
            rows.append((c.Z @ G[j]) * together)
            variances.append(G[j, j] * own)
            labels.append(f"{c.levels[j]} | {name}" if c.levels[j] else name)
    return tuple(labels), np.array(rows), np.array(variances)
