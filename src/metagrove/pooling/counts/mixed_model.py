"""Maximum-likelihood fits of count models: without a random effect, with one, with two, and one effect per study."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.pooling.counts.likelihoods import Binomial, Hypergeometric, Poisson
from metagrove.pooling.counts.maximum import Blocks, Differences, Evaluation, Evaluations, Optimum, maximum, together
from metagrove.pooling.counts.quadrature import Integrand, Marginal, marginal_likelihood
from metagrove.pooling.counts.two_way_quadrature import TwoWayIntegrand, two_way_batch

__all__ = [
    "FixedFit",
    "MixedFit",
    "Saturated",
    "fixed_fit",
    "mixed_fit",
    "mixed_fit_at",
    "two_way_fit",
]


@dataclass(frozen=True, slots=True, eq=False)
class FixedFit:
    """A model without a random effect: `beta` (P,), its `covariance` (P, P), the log-likelihood, the largest slope left."""

    beta: Array
    covariance: Array
    log_likelihood: float
    own: Array | None = None
    gradient: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class MixedFit:
    """A model with random effects, at its maximum likelihood.

    Parameters
    ----------
    beta, covariance : fixed effects (P,) and their covariance (P, P), from the full information.
    tau2 : variance of the effect between studies.
    sigma2 : variance of the study intercepts, None where they are fixed or conditioned away.
    log_likelihood : at the maximum, all constants included.
    own : the studies' intercepts, where the model has them.
    modes : the random effects' modes in units of tau, shape (k,).
    nodes, iterations, gradient : quadrature points, steps taken, largest slope left.
    se_tau2 : standard error of tau2, NaN at tau2 = 0.
    """

    beta: Array
    covariance: Array
    tau2: float
    log_likelihood: float
    nodes: int
    iterations: int
    gradient: float
    se_tau2: float = float("nan")
    sigma2: float | None = None
    own: Array | None = None
    modes: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Saturated:
    """One effect for each study: its log-likelihood, estimates (k,) and variances (k,); infinite at a boundary."""

    log_likelihood: float
    y: Array
    v: Array


def _inverse(information: Array) -> Array:
    try:
        covariance = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        raise MethodError("the fixed effects cannot be told apart: the design is singular") from None
    if not (np.diag(covariance) > 0).all():
        raise MethodError("the likelihood has no maximum in the fixed effects: the data do not bound them")
    return np.asarray(covariance)


@dataclass(frozen=True, slots=True, eq=False)
class _Flat:
    """The log-likelihood without a random effect in β alone (and the studies' own parameters), with its curvature."""

    integrand: Integrand
    exact: bool = True

    def at(self, shared: Array, own: Array | None) -> Evaluation:
        """Value and slopes."""
        return self.bent(shared, own)[0]

    def bent(self, shared: Array, own: Array | None) -> tuple[Evaluation, Blocks]:
        """Value, slopes and minus the Hessian."""
        likelihood, X, local = self.integrand.likelihood, self.integrand.X, self.integrand.local
        eta = (X @ shared)[:, :, None]
        if own is not None and local is not None:
            eta = eta + (own[:, None] * local)[:, :, None]
        first, second, _ = (d[:, :, 0] for d in likelihood.derivatives(eta))
        value = float(likelihood.value(eta).sum())
        rows = X.reshape(-1, X.shape[2])
        gradient = first.ravel() @ rows
        big = -(rows.T @ (second.reshape(-1, 1) * rows))
        if own is None or local is None:
            return Evaluation(value, gradient, None), (big, None, None)
        cross = -np.matmul((second * local)[:, None, :], X)[:, 0, :]
        return Evaluation(value, gradient, first @ local), (big, cross, -(second @ (local * local)))

    def curvature(self, shared: Array, own: Array | None) -> Blocks:
        """Minus the Hessian."""
        return self.bent(shared, own)[1]


def fixed_fit(integrand: Integrand, start: Array, own: Array | None = None) -> FixedFit:
    """The maximum-likelihood fit without a random effect."""
    found = maximum(_Flat(integrand), start, own)
    return FixedFit(found.shared, _inverse(found.information), found.value, found.own, found.gradient)


#: Numbers that one call for several points may take at once, and up to which the call costs more than they do.
_ROOM, _SMALL = 4_000_000, 4_000


class MarginalBatch:
    """The marginal log-likelihood in (β, τ), or in β with τ `held`, at several points at once.

    The search for modes starts where those of the last call's first point have drifted to.
    """

    __slots__ = ("_base", "_drift", "_held", "_integrand", "_last", "_modes", "_stacks")

    def __init__(self, integrand: Integrand, held: float | None = None) -> None:
        self._integrand, self._held, self._stacks = integrand, held, {1: integrand}
        self._modes = np.zeros(integrand.X.shape[0])
        self._base: tuple[Array, Array | None] | None = None
        self._drift = np.zeros(0)
        self._last: Marginal | None = None

    @property
    def small(self) -> bool:
        """Whether a call costs more than what is in it."""
        return self._integrand.likelihood.cells * self._integrand.nodes <= _SMALL

    def _start(self, shared: Array, own: Array | None) -> Array:
        if self._base is None:
            return np.tile(self._modes, shared.shape[0])
        base, base_own = self._base
        moved = (shared - base) @ self._drift[:, : base.size].T
        if own is not None and base_own is not None:
            moved += (np.atleast_2d(own) - base_own) * self._drift[:, -1]
        return np.asarray((self._modes + np.minimum(np.maximum(moved, -2.0), 2.0)).ravel())

    def begin(self, i: int, shared: Array, own: Array | None, seen: Marginal | None) -> None:
        """Search for modes from those of the i-th point of a call, whose outcome `last` gave."""
        if seen is not None:
            rows = slice(i * self._modes.size, (i + 1) * self._modes.size)
            if np.isfinite(seen.mode[rows]).all():
                self._modes, self._drift, self._base = seen.mode[rows], seen.drift[rows], (shared, own)

    @property
    def last(self) -> Marginal | None:
        """What the last call found, all points end to end; None where it took them one by one."""
        return self._last

    def modes_at(self, shared: Array, own: Array | None) -> Array:
        """The modes at a point, shape (k,)."""
        if self._base is None or float(np.abs(shared - self._base[0]).max()) > 1e-5:
            self(shared[None, :], None if own is None else own[None, :])
            return self._modes
        # so near to where the last call found them, they have drifted in a straight line
        return self._start(shared[None, :], own)

    def __call__(self, shared: Array, own: Array | None) -> Evaluations:
        """Values and slopes at each of the points (B, G) with own parameters (B, k) or None."""
        copies, (k, _, p) = shared.shape[0], self._integrand.X.shape
        if copies > 1 and copies * self._integrand.likelihood.cells * self._integrand.nodes > _ROOM:
            parts = [self(shared[i : i + 1], None if own is None else own[i : i + 1]) for i in range(copies)]
            self._last = None
            return together(parts)
        if copies not in self._stacks:
            self._stacks[copies] = self._integrand.repeated(copies)
        rows, used = np.repeat(shared, k, axis=0), p + 1 if self._held is None else p
        tau = rows[:, p] if self._held is None else self._held
        out = marginal_likelihood(
            self._stacks[copies], rows[:, :p], tau, None if own is None else own.ravel(), self._start(shared, own)
        )
        self._last = out
        values, slopes = out.value.reshape(copies, k).sum(axis=1), out.gradient.reshape(copies, k, -1)
        if math.isfinite(values[0]):
            self._modes, self._drift = out.mode[:k], out.drift[:k]
            self._base = shared[0], None if own is None else own[0]
        return Evaluations(values, slopes[:, :, :used].sum(axis=1), None if own is None else slopes[:, :, p + 1])


def _peaks_at_zero(integrand: Integrand, fixed: FixedFit) -> bool:
    """Whether τ = 0 is a peak: the second derivative in τ there, where all mixed ones vanish, is below 0."""
    eta = integrand.X @ fixed.beta
    if fixed.own is not None and integrand.local is not None:
        eta = eta + fixed.own[:, None] * integrand.local
    first, second, _ = (d[:, :, 0] for d in integrand.likelihood.derivatives(eta[:, :, None]))
    return float(((first @ integrand.c) ** 2).sum() + (second @ integrand.c**2).sum()) < 0


def mixed_fit(integrand: Integrand, fixed: FixedFit, spreads: tuple[float, ...] = (0.3, 1.0, 3.0)) -> MixedFit:
    """The maximum-likelihood fit with a random effect, from the best of several starts for τ, and from others if it ends at 0.

    Where τ = 0 is a peak, the searches look for a second one further out, and each is broken off where it comes down
    to the start of the one before.

    Parameters
    ----------
    integrand : the studies and the random effect's place in them.
    fixed : the fit without it, where the search starts.
    spreads : values of τ to start from, rising.

    Raises
    ------
    ConvergenceError
        Where the search does not end.
    MethodError
        Where the likelihood has no maximum.
    """
    batch = MarginalBatch(integrand)
    surface = Differences(batch, batch.small)
    starts = np.array([[*fixed.beta, tau] for tau in spreads])
    bent = surface.bent_at(starts, fixed.own)
    seen, each = batch.last, 1 + (2 if batch.small else 1) * (starts.shape[1] + (fixed.own is not None))
    best = max(range(len(spreads)), key=lambda i: bent[i][0].value if math.isfinite(bent[i][0].value) else -math.inf)
    zero = _peaks_at_zero(integrand, fixed)
    found: Optimum | None = None
    steps = 0
    for i in range(best, len(spreads)):
        least = 0.0 if not zero else (spreads[i - 1] if i > best else 0.1)
        batch.begin(i * each, starts[i], fixed.own, seen)
        other = maximum(
            surface, starts[i], fixed.own, first=bent[i], least=least, extrapolate=surface.exact and fixed.own is None
        )
        steps += other.iterations
        if other.left:
            continue
        found = other if found is None or other.value > found.value + 1e-9 else found
        # The likelihood can have a second peak far from 0; a search that ends at 0 is repeated from further out.
        if abs(float(found.shared[-1])) >= 1e-4 and found.value >= fixed.log_likelihood + 1e-9:
            break
    if found is None or abs(float(found.shared[-1])) < 1e-4 or found.value < fixed.log_likelihood + 1e-9:
        return _at_zero(integrand, fixed, steps)
    tau = abs(float(found.shared[-1]))
    covariance = _inverse(found.information)
    return MixedFit(
        beta=found.shared[:-1],
        covariance=covariance[:-1, :-1],
        tau2=tau * tau,
        log_likelihood=found.value,
        nodes=integrand.nodes,
        iterations=steps,
        gradient=found.gradient,
        se_tau2=float(2 * tau * np.sqrt(covariance[-1, -1])),
        own=found.own,
        modes=batch.modes_at(found.shared, found.own) * np.sign(found.shared[-1]),
    )


def _at_zero(integrand: Integrand, fixed: FixedFit, steps: int) -> MixedFit:
    """The fit on the boundary τ² = 0, where it is the fit without the random effect."""
    k = integrand.X.shape[0]
    return MixedFit(
        beta=fixed.beta,
        covariance=fixed.covariance,
        tau2=0.0,
        log_likelihood=fixed.log_likelihood,
        nodes=integrand.nodes,
        iterations=steps,
        gradient=fixed.gradient,
        own=fixed.own,
        modes=np.zeros(k),
    )


def mixed_fit_at(integrand: Integrand, fixed: FixedFit, tau2: float) -> MixedFit:
    """The maximum-likelihood fit with the variance of the random effect held at `tau2`."""
    tau = float(np.sqrt(tau2))
    batch = MarginalBatch(integrand, tau)
    found = maximum(Differences(batch, batch.small), fixed.beta, fixed.own)
    return MixedFit(
        found.shared, _inverse(found.information), tau2, found.value, integrand.nodes, found.iterations,
        found.gradient, own=found.own, modes=batch.modes_at(found.shared, found.own),
    )  # fmt: skip


def two_way_fit(integrand: TwoWayIntegrand, start: Array, spreads: tuple[float, float] = (1.0, 0.5)) -> MixedFit:
    """The maximum-likelihood fit with random study levels and random treatment effects, independent of each other.

    `start` holds the fixed effects to start from; `spreads` the standard deviations of levels and effects.
    """
    surface = Differences(two_way_batch(integrand), integrand.nodes == 1 and integrand.X.size <= 1000)
    found = maximum(surface, np.append(start, spreads))
    sigma, tau = (abs(float(value)) for value in found.shared[-2:])
    # A standard deviation at 0 has no slope and no information of its own.
    free = np.append(np.ones(start.size, dtype=bool), [sigma >= 1e-4, tau >= 1e-4])
    covariance = _inverse(found.information[np.ix_(free, free)])
    return MixedFit(
        found.shared[: start.size], covariance[: start.size, : start.size], tau * tau if tau >= 1e-4 else 0.0,
        found.value, integrand.nodes, found.iterations, found.gradient,
        se_tau2=float(2 * tau * np.sqrt(covariance[-1, -1])) if tau >= 1e-4 else float("nan"),
        sigma2=sigma * sigma if sigma >= 1e-4 else 0.0,
    )  # fmt: skip


def saturated_binomial(x: Array, n: Array, offset: Array) -> Saturated:
    """One logit for each study: x events among n, logit = effect + offset."""
    inside = (x > 0) & (x < n)
    safe_x, safe_rest = np.where(inside, x, 1.0), np.where(inside, n - x, 1.0)
    y = np.log(safe_x / safe_rest) - offset
    edge = np.where(x <= 0, -np.inf, np.inf)
    p = np.clip(x / n, 1e-300, 1 - 1e-16)
    like = Binomial(x[:, None], n[:, None], np.zeros((x.size, 1)))
    logs = np.where(inside, like.value(np.log(p / (1 - p))[:, None, None])[:, 0, 0], 0.0)
    return Saturated(float(logs.sum()), np.where(inside, y, edge), np.where(inside, 1 / safe_x + 1 / safe_rest, np.inf))


def saturated_poisson(x: Array, t: Array) -> Saturated:
    """One log rate for each study: x events over time t."""
    some = x > 0
    y = np.where(some, np.log(np.where(some, x, 1.0) / t), -np.inf)
    like = Poisson(x[:, None], np.log(t)[:, None])
    logs = np.where(some, like.value(np.where(some, y, 0.0)[:, None, None])[:, 0, 0], 0.0)
    return Saturated(float(logs.sum()), y, np.where(some, 1 / np.where(some, x, 1.0), np.inf))


def saturated_hypergeometric(likelihood: Hypergeometric) -> Saturated:
    """One log odds ratio for each study, by conditional maximum likelihood."""
    a = likelihood.a
    inside = (a > likelihood.low) & (a < likelihood.high)
    y = np.zeros(a.size)
    for _ in range(200):
        first, second, _ = (d[:, 0, 0] for d in likelihood.derivatives(y[:, None, None]))
        move = np.where(inside, np.clip(first / np.maximum(-second, 1e-12), -2.0, 2.0), 0.0)
        y = y + move
        if np.abs(move).max() < 1e-11:
            break
    second = likelihood.derivatives(y[:, None, None])[1][:, 0, 0]
    logs = np.where(inside, likelihood.value(y[:, None, None])[:, 0, 0], 0.0)
    edge = np.where(a <= likelihood.low, -np.inf, np.inf)
    v = np.where(inside, 1 / np.where(inside, -second, 1.0), np.inf)
    return Saturated(float(logs.sum()), np.where(inside, y, edge), v)
