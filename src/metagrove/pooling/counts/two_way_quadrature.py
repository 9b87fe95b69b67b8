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
from metagrove.pooling.counts.maximum import Batch, Evaluation, Evaluations, together
from metagrove.pooling.counts.quadrature import Likelihood, hermite_nodes

__all__ = ["TwoWayIntegrand", "two_way_batch", "two_way_evaluation", "two_way_marginal"]


@dataclass(frozen=True, slots=True, eq=False)
class TwoWayIntegrand:
    """Studies (k) by arms (A): design `X` (k, A, P), treatment coding `c` (A,), `nodes` per axis."""

    likelihood: Likelihood
    X: Array
    c: Array
    nodes: int = 1

    def repeated(self, copies: int) -> TwoWayIntegrand:
        """The same studies, so many times one after another."""
        if copies == 1:
            return self
        return TwoWayIntegrand(self.likelihood.repeated(copies), np.concatenate([self.X] * copies), self.c, self.nodes)


def _loads(c: Array, sigma: Array | float, tau: Array | float, k: int) -> Array:
    """What level and effect of each study are multiplied by in each arm, (k, 2, A)."""
    loads = np.empty((k, 2, c.size))
    loads[:, 0] = np.reshape(sigma, (-1, 1))
    loads[:, 1] = np.reshape(tau, (-1, 1)) * c
    return loads


def _inverse(m: Array) -> Array:
    """Inverses of symmetric 2x2 matrices, (k, 2, 2)."""
    a, b, d = m[:, 0, 0], m[:, 0, 1], m[:, 1, 1]
    found = np.empty_like(m)
    found[:, 0, 0], found[:, 1, 1] = d, a
    found[:, 0, 1] = found[:, 1, 0] = -b
    return np.asarray(found / (a * d - b * b)[:, None, None])


def _eta(fixed: Array, u: Array, loads: Array) -> Array:
    return np.asarray(fixed + np.matmul(u[:, None, :], loads)[:, 0, :, None])


def _modes(likelihood: Likelihood, fixed: Array, loads: Array, start: Array) -> tuple[Array, Array]:
    """Modes (k, 2) of the integrands and minus their Hessians there (k, 2, 2)."""
    u = start

    def height(at: Array) -> Array:
        return np.asarray(likelihood.value(_eta(fixed, at, loads)).sum(axis=(1, 2)) - 0.5 * (at * at).sum(axis=1))

    def bend(at: Array) -> tuple[Array, Array]:
        first, second, _ = likelihood.derivatives(_eta(fixed, at, loads))
        curve = np.eye(2) - np.matmul(loads * second[:, None, :, 0], loads.transpose(0, 2, 1))
        return np.matmul(loads, first)[:, :, 0] - at, np.asarray(curve)

    now = height(u)
    slope, curve = bend(u)
    for _ in range(100):
        move = np.matmul(_inverse(curve), slope[:, :, None])[:, :, 0]
        if np.abs(move).max() < 1e-9 * (1.0 + np.abs(u).max()):
            break
        size = np.ones(u.shape[0])
        for _ in range(40):
            trial = u + size[:, None] * move
            then = height(trial)
            worse = ~(then >= now - 1e-12 * (1 + np.abs(now)))
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        u, now = trial, then
        slope, curve = bend(u)
    return u, curve


def two_way_marginal(
    integrand: TwoWayIntegrand, beta: Array, sigma: float, tau: float, start: Array | None = None
) -> tuple[Array, Array]:
    """Marginal log-likelihoods (k,) and modes (k, 2) at the given parameters."""
    fixed = (integrand.X @ beta)[:, :, None]
    k = fixed.shape[0]
    loads = _loads(integrand.c, sigma, tau, k)
    u, curve = _modes(integrand.likelihood, fixed, loads, np.zeros((k, 2)) if start is None else start)
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


def _laplace(integrand: TwoWayIntegrand, shared: Array, start: Array) -> tuple[Array, Array, Array]:
    """The Laplace approximation (k,) with its exact gradient (k, P + 2), and the modes (k, 2).

    `shared` (k, P + 2) holds the parameters of each study. Modes and curvature move with the parameters.
    """
    p, c, likelihood = integrand.X.shape[2], integrand.c, integrand.likelihood
    k = shared.shape[0]
    loads = _loads(c, shared[:, p], shared[:, p + 1], k)
    fixed = np.matmul(integrand.X, shared[:, :p, None])
    u, curve = _modes(likelihood, fixed, loads, start)
    eta = _eta(fixed, u, loads)
    inverse = _inverse(curve)
    value = likelihood.value(eta).sum(axis=(1, 2)) - 0.5 * (u * u).sum(axis=1)
    value = value - 0.5 * np.log(curve[:, 0, 0] * curve[:, 1, 1] - curve[:, 0, 1] ** 2)
    first, second, third = (d[:, :, 0] for d in likelihood.derivatives(eta))
    # How each linear predictor moves with (beta, sigma, tau) while the random effects stay: (k, A, P + 2).
    stay = np.empty((k, c.size, p + 2))
    stay[:, :, :p], stay[:, :, p], stay[:, :, p + 1] = integrand.X, u[:, :1], u[:, 1:] * c
    slope = np.matmul(loads * second[:, None, :], stay)
    # The loads' own derivatives, 1 by sigma and c by tau, act on level and effect alone.
    slope[:, 0, p] += first.sum(axis=1)
    slope[:, 1, p + 1] += first @ c
    d_eta = stay + np.matmul(loads.transpose(0, 2, 1), np.matmul(inverse, slope))
    # Minus the derivative of the curvature, traced with its inverse.
    pulled = np.matmul(inverse, loads)  # (k, 2, A)
    reach = (loads * pulled).sum(axis=1)
    bend = np.matmul((third * reach)[:, None, :], d_eta)[:, 0, :]
    bend[:, p] += 2 * (second * pulled[:, 0]).sum(axis=1)
    bend[:, p + 1] += 2 * (second * pulled[:, 1]) @ c
    return value, np.matmul(first[:, None, :], stay)[:, 0, :] + 0.5 * bend, u


def two_way_evaluation(integrand: TwoWayIntegrand, shared: Array, start: Array | None) -> tuple[Evaluation, Array]:
    """The objective in (β, σ, τ) with its gradient, and the modes; by central differences for several nodes."""
    k = integrand.X.shape[0]
    if integrand.nodes == 1:
        rows = np.tile(shared, (k, 1))
        value, gradient, modes = _laplace(integrand, rows, np.zeros((k, 2)) if start is None else start)
        return Evaluation(float(value.sum()), gradient.sum(axis=0), None), modes
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
    return Evaluation(float(here.sum()), gradient.sum(axis=0), None), modes


#: Studies that one call for several points may take at once.
_ROOM = 200_000


def two_way_batch(integrand: TwoWayIntegrand) -> Batch:
    """The objective in (β, σ, τ) at several points, each search for modes starting where the last call's first ended."""
    k = integrand.X.shape[0]
    stacks: dict[int, TwoWayIntegrand] = {1: integrand}
    last = np.zeros((k, 2))

    def batch(shared: Array, own: Array | None) -> Evaluations:
        nonlocal last
        copies = shared.shape[0]
        if integrand.nodes > 1 or copies * k > _ROOM:
            found = []
            for point in shared:
                out, last = two_way_evaluation(integrand, point, last)
                found.append(Evaluations(np.array([out.value]), out.shared[None, :], None))
            return together(found)
        if copies not in stacks:
            stacks[copies] = integrand.repeated(copies)
        value, gradient, modes = _laplace(stacks[copies], np.repeat(shared, k, axis=0), np.tile(last, (copies, 1)))
        last = modes[:k]
        return Evaluations(value.reshape(copies, k).sum(axis=1), gradient.reshape(copies, k, -1).sum(axis=1), None)

    return batch
