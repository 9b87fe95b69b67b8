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

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np

from metagrove.core.values import Array

__all__ = ["Integrand", "Likelihood", "Marginal", "hermite_nodes", "marginal_likelihood"]

SQRT2 = float(np.sqrt(2.0))
_HALF_LOG_PI = 0.5 * float(np.log(np.pi))


class Likelihood(Protocol):
    """Log-likelihoods of counts given linear predictors, with three derivatives; arrays end in a node axis."""

    @property
    def cells(self) -> int:
        """Numbers that one node of every study takes."""
        ...

    def repeated(self, copies: int) -> Likelihood:
        """The same studies, so many times one after another."""
        ...

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
def _ones_and_nodes(n: int) -> Array:
    """A column of ones and the nodes, (n, 2)."""
    return np.column_stack([np.ones(n), hermite_nodes(n)[0]])


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
    _reach: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    def __post_init__(self) -> None:
        if self._reach.size:
            return
        k, arms, _ = self.X.shape
        rest = [self.c] if self.local is None else [self.c, self.local]
        columns = [np.broadcast_to(column[:, None], (k, arms, 1)) for column in rest]
        object.__setattr__(self, "_reach", np.concatenate([self.X, *columns], axis=2))

    @property
    def reach(self) -> Array:
        """How linear predictors move with β, τ (times z) and the study's own parameter, shape (k, A, P + 1 + local)."""
        return self._reach

    def repeated(self, copies: int) -> Integrand:
        """The same studies, so many times one after another."""
        if copies == 1:
            return self
        x, reach = (np.concatenate([rows] * copies) for rows in (self.X, self._reach))
        return Integrand(self.likelihood.repeated(copies), x, self.c, self.local, self.nodes, reach)


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """Marginal log-likelihoods (k,), gradient (k, P + 1 + local) in β, τ and the local parameter, and modes (k,).

    `drift` (k, P + 1 + local) is how modes move with the parameters.
    """

    value: Array
    gradient: Array
    mode: Array
    drift: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Mode:
    """Modes (k,), and there the three derivatives in the linear predictors, each (k, A)."""

    z: Array
    first: Array
    second: Array
    third: Array


def _dot(a: Array, b: Array) -> Array:
    """Sums over arms of products, shape (k,)."""
    return np.asarray(a[:, 0] * b[:, 0] if a.shape[1] == 1 else np.einsum("ka,ka->k", a, b))


def _modes(likelihood: Likelihood, fixed: Array, load: Array, start: Array) -> _Mode:
    """The mode of each study's integrand in z, which is log-concave; NaN where a hundred steps do not find it."""
    z, load2 = start, load * load
    low = high = steep = None
    for step in range(100):
        first, second, third = (d[:, :, 0] for d in likelihood.derivatives((fixed + load * z[:, None])[:, :, None]))
        slope = _dot(first, load) - z
        move = slope / (1.0 - _dot(second, load2))
        size, reach = math.sqrt(move @ move), 1.0 + math.sqrt(z @ z / z.size)
        # Rounding in the slope of huge counts may keep steps from getting smaller than this.
        if size < (1e-11 if step < 20 else 1e-6) * reach:
            return _Mode(z, first, second, third)
        before, z = z, z + move
        if step < 4:
            continue
        if low is None or high is None or steep is None:
            # The mode lies between 0 and the slope at 0: from here on Newton's steps stay inside that bracket, and
            # where they do not quarter the slope (far out it falls by e a step) the bracket is halved.
            edge = _dot(likelihood.slope(fixed[:, :, None])[:, :, 0], load)
            low, high, steep = np.minimum(0.0, edge), np.maximum(0.0, edge), np.full(z.size, np.inf)
            z = np.clip(z, low, high)
        else:
            low, high = np.where(slope > 0, before, low), np.where(slope < 0, before, high)
            # A step onto an end of the bracket would be taken back by the next one; studies at rest are left alone.
            astray = ((z <= low) | (z >= high) | (np.abs(slope) > steep)) & (np.abs(move) > 1e-6 * (1.0 + np.abs(z)))
            z, steep = np.where(astray, (low + high) / 2, z), 0.25 * np.abs(slope)
    return _Mode(np.where(np.abs(move) < 1e-6 * reach, z, np.nan), first, second, third)


def marginal_likelihood(
    integrand: Integrand,
    beta: Array,
    tau: Array | float,
    local: Array | None = None,
    start: Array | None = None,
) -> Marginal:
    """Marginal log-likelihood and gradient of each study.

    Parameters
    ----------
    integrand : the studies.
    beta : fixed effects, shape (P,), or (k, P) where they differ by study.
    tau : standard deviation of the random effect, or one for each study; its sign does not matter.
    local : the studies' own parameters, shape (k,), where the integrand has them.
    start : modes to start from, shape (k,).
    """
    likelihood, c = integrand.likelihood, integrand.c
    fixed = integrand.X @ beta if beta.ndim == 1 else np.matmul(integrand.X, beta[:, :, None])[:, :, 0]
    if local is not None and integrand.local is not None:
        fixed = fixed + local[:, None] * integrand.local
    k = fixed.shape[0]
    t = np.full(k, tau) if np.ndim(tau) == 0 else np.asarray(tau)
    load = t[:, None] * c
    mode = _modes(likelihood, fixed, load, np.zeros(k) if start is None else start)
    x, log_weights = hermite_nodes(integrand.nodes)
    s = 1.0 / np.sqrt(1.0 - _dot(mode.second, load * load))
    z = mode.z[:, None] + (SQRT2 * s)[:, None] * x
    heights, slopes = likelihood.value_and_slope(fixed[:, :, None] + load[:, :, None] * z[:, None, :])
    one = c.size == 1
    logs = (heights[:, 0] if one else heights.sum(axis=1)) - 0.5 * z * z + log_weights
    # The middle node is near the mode, so nothing can be far above it.
    top = logs[:, x.size // 2]
    terms = np.exp(logs - top[:, None])
    both = _ones_and_nodes(x.size)
    total = terms @ both[:, 0]
    value = top + np.log(total * s) - _HALF_LOG_PI
    share = terms / total[:, None]
    # d g / d z at the nodes, and how mode and scale move with each parameter.
    pull = share * ((load * slopes[:, 0] if one else np.einsum("ka,kaq->kq", load, slopes)) - z)
    weights = np.empty((k, x.size, 2))
    weights[:, :, 0], weights[:, :, 1] = share, share * z
    return _marginal(integrand, t, mode, s, value, pull @ both, np.matmul(slopes, weights))


def _marginal(
    integrand: Integrand, tau: Array, mode: _Mode, s: Array, value: Array, pulls: Array, weighted: Array
) -> Marginal:
    """Value and gradient.

    `pulls` (k, 2): how the value moves with mode and scale / √2; `weighted` (k, A, 2): slopes by themselves and times z.
    """
    c, p, z = integrand.c, integrand.X.shape[2], mode.z
    load = tau[:, None] * c
    rows = np.empty((z.size, 3, c.size))
    rows[:, 0] = weighted[:, :, 0]
    rows[:, 1] = mode.second * load
    rows[:, 2] = curved = mode.third * load * load
    parts = np.matmul(rows, integrand.reach)  # (k, 3, P + 1 + local), the middle column for τ still without its z
    spread = parts[:, 1, p].copy()
    parts[:, 0, p] = weighted[:, :, 1] @ c
    parts[:, 1, p] = mode.first @ c + z * spread
    parts[:, 2, p] = 2.0 * spread + z * parts[:, 2, p]
    s2 = (s * s)[:, None]
    drift = s2 * parts[:, 1]
    d_log_s = (0.5 * s2) * (parts[:, 2] + _dot(curved, load)[:, None] * drift)
    gradient = parts[:, 0] + pulls[:, :1] * drift + d_log_s * (1.0 + SQRT2 * pulls[:, 1] * s)[:, None]
    return Marginal(value, np.asarray(gradient), z, drift)
