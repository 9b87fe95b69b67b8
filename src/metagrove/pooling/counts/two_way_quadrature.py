"""Quadrature over two independent random effects per study: one for its level, one for its treatment effect.

Linear predictors are eta_a = X_a β + σ w + τ c_a z with (w, z) standard normal. One node per axis is the Laplace
approximation; more are a product rule, turned and scaled by the curvature at the mode.

References
----------
Liu Q, Pierce DA. Biometrika 1994;81:624-9. doi:10.1093/biomet/81.3.624
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.values import Array
from metagrove.pooling.counts.maximum import Evaluation
from metagrove.pooling.counts.quadrature import Likelihood, hermite_nodes

__all__ = ["TwoWayIntegrand", "two_way_evaluation", "two_way_marginal"]


@dataclass(frozen=True, slots=True, eq=False)
class TwoWayIntegrand:
    """Studies (k) by arms (A): design `X` (k, A, P), treatment coding `c` (A,), `nodes` per axis."""

    likelihood: Likelihood
    X: Array
    c: Array
    nodes: int = 1


def _modes(integrand: TwoWayIntegrand, fixed: Array, sigma: float, tau: float, start: Array) -> tuple[Array, Array]:
    """Modes (k, 2) of the integrands and minus their Hessians there (k, 2, 2)."""
    likelihood = integrand.likelihood
    loads = np.stack([np.full_like(integrand.c, sigma), tau * integrand.c])  # (2, A)
    outer = loads[:, None, :] * loads[None, :, :]
    u = start

    def height(at: Array) -> Array:
        eta = fixed + (at @ loads)[:, :, None]
        return np.asarray(likelihood.value(eta).sum(axis=(1, 2)) - 0.5 * (at * at).sum(axis=1))

    now = height(u)
    for _ in range(100):
        first, second, _ = likelihood.derivatives(fixed + (u @ loads)[:, :, None])
        slope = first[:, :, 0] @ loads.T - u
        curve = np.eye(2) - np.einsum("ka,ija->kij", second[:, :, 0], outer)
        move = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        size = np.ones(u.shape[0])
        for _ in range(40):
            trial = u + size[:, None] * move
            then = height(trial)
            worse = ~(then >= now - 1e-12 * (1 + np.abs(now)))
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        u, now = trial, then
        if np.abs(move).max() < 1e-9 * (1.0 + np.abs(u).max()):
            break
    second = likelihood.derivatives(fixed + (u @ loads)[:, :, None])[1]
    return u, np.asarray(np.eye(2) - np.einsum("ka,ija->kij", second[:, :, 0], outer))


def two_way_marginal(
    integrand: TwoWayIntegrand, beta: Array, sigma: float, tau: float, start: Array | None = None
) -> tuple[Array, Array]:
    """Marginal log-likelihoods (k,) and modes (k, 2) at the given parameters."""
    fixed = (integrand.X @ beta)[:, :, None]
    k = fixed.shape[0]
    u, curve = _modes(integrand, fixed, sigma, tau, np.zeros((k, 2)) if start is None else start)
    root = np.linalg.cholesky(np.linalg.inv(curve))  # (k, 2, 2)
    x, log_w = hermite_nodes(integrand.nodes)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)  # (Q, 2)
    log_weights = (log_w[:, None] + log_w[None, :]).ravel()
    points = u[:, None, :] + np.sqrt(2.0) * np.einsum("kij,qj->kqi", root, grid)
    eta = fixed + (sigma * points[:, None, :, 0] + tau * integrand.c[None, :, None] * points[:, None, :, 1])
    logs = integrand.likelihood.value(eta).sum(axis=1) - 0.5 * (points * points).sum(axis=2) + log_weights
    top = logs.max(axis=1, keepdims=True)
    total = np.log(np.exp(logs - top).sum(axis=1)) + top[:, 0]
    log_scale = np.log(root[:, 0, 0]) + np.log(root[:, 1, 1])
    return np.asarray(total + log_scale - np.log(np.pi)), u


def _laplace(integrand: TwoWayIntegrand, shared: Array, start: Array | None) -> tuple[Evaluation, Array]:
    """The Laplace approximation with its exact gradient: modes and curvature move with the parameters."""
    p, c = integrand.X.shape[2], integrand.c
    sigma, tau = float(shared[p]), float(shared[p + 1])
    fixed = (integrand.X @ shared[:p])[:, :, None]
    k = fixed.shape[0]
    u, curve = _modes(integrand, fixed, sigma, tau, np.zeros((k, 2)) if start is None else start)
    loads = np.stack([np.full_like(c, sigma), tau * c])  # (2, A)
    eta = fixed + (u @ loads)[:, :, None]
    value = integrand.likelihood.value(eta).sum(axis=(1, 2)) - 0.5 * (u * u).sum(axis=1)
    first, second, third = (d[:, :, 0] for d in integrand.likelihood.derivatives(eta))
    inverse = np.linalg.inv(curve)
    value = value + 0.5 * np.log(np.linalg.det(inverse))
    # How each linear predictor moves with (beta, sigma, tau) while the random effects stay: (k, A, P + 2).
    stay = np.concatenate(
        [integrand.X, np.broadcast_to(u[:, None, :1], (k, c.size, 1)), u[:, None, 1:] * c[:, None]], 2
    )
    turns = np.zeros((p + 2, 2, c.size))  # the loads' own derivatives
    turns[p, 0], turns[p + 1, 1] = 1.0, c
    slope = np.einsum("ja,ka,kat->kjt", loads, second, stay) + np.einsum("tja,ka->kjt", turns, first)
    d_eta = stay + np.einsum("ja,kjt->kat", loads, inverse @ slope)
    # Minus the derivative of the curvature, traced with its inverse.
    reach = np.einsum("kij,ia,ja->ka", inverse, loads, loads)
    twist = np.einsum("kij,tia,ja->kta", inverse, turns, loads)
    bend = np.einsum("ka,kat,ka->kt", third, d_eta, reach) + 2 * np.einsum("ka,kta->kt", second, twist)
    gradient = np.einsum("ka,kat->kt", first, stay) + 0.5 * bend
    return Evaluation(float(value.sum()), np.asarray(gradient), None), u


def two_way_evaluation(integrand: TwoWayIntegrand, shared: Array, start: Array | None) -> tuple[Evaluation, Array]:
    """The objective in (β, σ, τ) with its gradient, and the modes; by central differences for several nodes."""
    if integrand.nodes == 1:
        return _laplace(integrand, shared, start)
    p = integrand.X.shape[2]

    def values(at: Array, modes: Array | None) -> tuple[Array, Array]:
        return two_way_marginal(integrand, at[:p], float(at[p]), float(at[p + 1]), modes)

    here, modes = values(shared, start)
    gradient = np.empty((here.size, shared.size))
    for j in range(shared.size):
        h = 1e-5 * max(1.0, abs(float(shared[j])))
        ahead = np.zeros(shared.size)
        ahead[j] = h
        gradient[:, j] = (values(shared + ahead, modes)[0] - values(shared - ahead, modes)[0]) / (2 * h)
    return Evaluation(float(here.sum()), gradient, None), modes
