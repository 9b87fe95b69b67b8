"""Adaptive Gauss-Hermite quadrature over one random effect per study, with the exact gradient of the approximation.

A study's marginal likelihood is the integral over z ~ N(0, 1) of prod_a f_a(eta_a), with linear predictors
eta_a = offset_a + X_a β + l_a α (α the study's own) + τ c_a z. Nodes are centred at the mode of the integrand and
scaled by its curvature, so one node is the Laplace approximation. The gradient follows nodes as they move; it is the
derivative of what is maximised, not of the integral it approximates.

References
----------
Liu Q, Pierce DA. Biometrika 1994;81:624-9. doi:10.1093/biomet/81.3.624
Pinheiro JC, Chao EC. J Comput Graph Stat 2006;15:58-81. doi:10.1198/106186006X96962
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from metagrove.core.values import Array

__all__ = ["Integrand", "Likelihood", "Marginal", "hermite_nodes", "marginal_likelihood"]

SQRT2 = float(np.sqrt(2.0))


class Likelihood(Protocol):
    """Log-likelihoods of counts given linear predictors, with three derivatives; arrays end in a node axis."""

    def value(self, eta: Array) -> Array:
        """Log-likelihood of each arm, shape of `eta` (k, arms, nodes), constants included."""
        ...

    def derivatives(self, eta: Array) -> tuple[Array, Array, Array]:
        """First, second and third derivative in `eta`, each of its shape."""
        ...

    def slope(self, eta: Array) -> Array:
        """The first derivative alone."""
        ...

    def value_and_slope(self, eta: Array) -> tuple[Array, Array]:
        """Log-likelihood and first derivative together."""
        ...


@lru_cache(maxsize=32)
def hermite_nodes(n: int) -> tuple[Array, Array]:
    """Nodes x (n,) and log weights log(ω) + x² (n,) of Gauss-Hermite quadrature with `n` points."""
    x, weights = np.polynomial.hermite.hermgauss(n)
    log_weights = np.log(weights) + x * x
    x.setflags(write=False)
    log_weights.setflags(write=False)
    return x, log_weights


@dataclass(frozen=True, slots=True, eq=False)
class Integrand:
    """The studies to integrate over.

    Parameters
    ----------
    likelihood : of the counts, k studies by A arms.
    X : fixed-effect design, shape (k, A, P).
    c : what the random effect is multiplied by in each arm, shape (A,).
    local : what each study's own parameter is multiplied by in each arm, shape (A,); None without such a parameter.
    nodes : points of the quadrature; 1 is the Laplace approximation.
    """

    likelihood: Likelihood
    X: Array
    c: Array
    local: Array | None = None
    nodes: int = 7


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """Marginal log-likelihoods (k,), gradient (k, P + 1 + local) in β, τ and the local parameter, and modes (k,)."""

    value: Array
    gradient: Array
    mode: Array


def _modes(integrand: Integrand, fixed: Array, tau: float, start: Array) -> Array:
    """The mode of each study's integrand in z; the integrands are log-concave."""
    likelihood, c, z = integrand.likelihood, integrand.c, start
    low = high = None
    for step in range(100):
        first, second, _ = likelihood.derivatives(fixed + tau * (c * z[:, None])[:, :, None])
        slope = tau * (first[:, :, 0] @ c) - z
        move = slope / (1.0 - tau * tau * (second[:, :, 0] @ (c * c)))
        z = z + move
        # Newton's steps square the distance: the mode is now within 1e-12 or so.
        if np.abs(move).max() < 1e-6 * (1.0 + np.abs(z).max()):
            return z
        if step == 4:
            # The mode lies between 0 and the slope at 0: from here on Newton's steps stay inside that bracket.
            edge = tau * (likelihood.slope(fixed)[:, :, 0] @ c)
            low, high = np.minimum(0.0, edge), np.maximum(0.0, edge)
            z = np.clip(z, low, high)
        elif low is not None and high is not None:
            before = z - move
            low, high = np.where(slope > 0, before, low), np.where(slope < 0, before, high)
            # A step onto an end of the bracket would be taken back by the next one; studies at rest are left alone.
            astray = ((z <= low) | (z >= high)) & (np.abs(move) > 1e-6 * (1.0 + np.abs(z)))
            z = np.where(astray, (low + high) / 2, z)
    return z


def marginal_likelihood(
    integrand: Integrand, beta: Array, tau: float, local: Array | None = None, start: Array | None = None
) -> Marginal:
    """Marginal log-likelihood and gradient of each study.

    Parameters
    ----------
    integrand : the studies.
    beta : fixed effects, shape (P,).
    tau : standard deviation of the random effect; its sign does not matter.
    local : the studies' own parameters, shape (k,), where the integrand has them.
    start : modes to start from, shape (k,).
    """
    likelihood, c = integrand.likelihood, integrand.c
    fixed = (integrand.X @ beta)[:, :, None]
    if local is not None and integrand.local is not None:
        fixed = fixed + (local[:, None] * integrand.local)[:, :, None]
    k = fixed.shape[0]
    mode = _modes(integrand, fixed, tau, np.zeros(k) if start is None else start)
    x, log_weights = hermite_nodes(integrand.nodes)
    first, second, third = (d[:, :, 0] for d in likelihood.derivatives(fixed + tau * (c * mode[:, None])[:, :, None]))
    s = 1.0 / np.sqrt(1.0 - tau * tau * (second @ (c * c)))
    z = mode[:, None] + SQRT2 * s[:, None] * x
    eta = fixed + tau * c[None, :, None] * z[:, None, :]
    heights, slopes = likelihood.value_and_slope(eta)
    logs = heights.sum(axis=1) - 0.5 * z * z + log_weights
    top = logs.max(axis=1, keepdims=True)
    terms = np.exp(logs - top)
    total = terms.sum(axis=1, keepdims=True)
    value = (top + np.log(total))[:, 0] + np.log(s) - 0.5 * np.log(np.pi)
    share = terms / total
    # d g / d z at the nodes, and how mode and scale move with each parameter.
    pull = share * (tau * np.matmul(c, slopes) - z)
    by_mode, by_scale = pull.sum(axis=1), SQRT2 * (pull @ x)
    weighted = np.matmul(slopes, share[:, :, None])[:, :, 0]
    weighted_z = np.matmul(slopes, (share * z)[:, :, None])[:, :, 0]
    return Marginal(
        value,
        _gradient(integrand, tau, (first, second, third), mode, s, (by_mode, by_scale), (weighted, weighted_z)),
        mode,
    )


def _project(per_arm: Array, X: Array) -> Array:
    return np.asarray(np.matmul(per_arm[:, None, :], X)[:, 0, :])


def _gradient(
    integrand: Integrand,
    tau: float,
    derivatives: tuple[Array, Array, Array],
    mode: Array,
    s: Array,
    pulls: tuple[Array, Array],
    weighted: tuple[Array, Array],
) -> Array:
    first, second, third = derivatives
    X, c = integrand.X, integrand.c
    c2, c3 = c * c, c * c * c
    s2, bend = s * s, tau**3 * (third @ c3)
    slope_fixed = tau * second * c
    curve_fixed = tau * tau * third * c2
    direct = [_project(weighted[0], X), (weighted[1] @ c)[:, None]]
    of_slope = [_project(slope_fixed, X), (first @ c + tau * mode * (second @ c2))[:, None]]
    of_curve = [
        _project(curve_fixed, X),
        (2 * tau * (second @ c2) + tau * tau * mode * (third @ c3))[:, None],
    ]
    if integrand.local is not None:
        direct.append((weighted[0] @ integrand.local)[:, None])
        of_slope.append((slope_fixed @ integrand.local)[:, None])
        of_curve.append((curve_fixed @ integrand.local)[:, None])
    d_mode = s2[:, None] * np.concatenate(of_slope, axis=1)
    d_log_s = 0.5 * s2[:, None] * (np.concatenate(of_curve, axis=1) + bend[:, None] * d_mode)
    return np.asarray(
        np.concatenate(direct, axis=1) + pulls[0][:, None] * d_mode + d_log_s * (1.0 + (pulls[1] * s)[:, None])
    )
