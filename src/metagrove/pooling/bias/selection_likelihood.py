"""The likelihood of effects that were seen only because they were selected, with its gradient."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from metagrove.core.errors import UnknownName
from metagrove.core.values import Array
from metagrove.pooling.bias.selection_functions import SelectionFunction

__all__ = ["SelectionLikelihood", "p_values", "selection_likelihood"]

#: Beyond this |z| the p-value, and so the weight, no longer changes in double precision.
_FAR = 8.5
_NODES_PER_UNIT = 12
_ROOT_TWO_PI = float(np.sqrt(2 * np.pi))
ALTERNATIVES = ("greater", "less", "two.sided")


def p_values(z: Array, alternative: str) -> Array:
    """p-values of test statistics `z`, any shape, for the alternative "greater", "less" or "two.sided"."""
    if alternative == "greater":
        return np.asarray(ndtr(-z), dtype=np.float64)
    if alternative == "less":
        return np.asarray(ndtr(z), dtype=np.float64)
    if alternative == "two.sided":
        return np.asarray(2 * ndtr(-np.abs(z)), dtype=np.float64)
    raise UnknownName("alternative", alternative, ALTERNATIVES)


def _quantiles(p: float, alternative: str) -> list[float]:
    """The test statistics whose p-value is `p`."""
    if alternative == "greater":
        return [-float(ndtri(p))]
    if alternative == "less":
        return [float(ndtri(p))]
    edge = -float(ndtri(p / 2))
    return [-edge, edge]


@dataclass(frozen=True, slots=True, eq=False)
class SelectionLikelihood:
    """The selection likelihood of given effects, as a function of coefficients, tau² and delta.

    Test statistics z are integrated over quadrature `nodes` (with `node_weights`) where the weight is smooth, and over
    intervals `low` to `high` where it is constant at the weight of `flat_p`.
    """

    y: Array
    v: Array
    X: Array
    function: SelectionFunction
    seen_p: Array
    seen_always: NDArray[np.bool_]
    prec: Array
    nodes: Array
    node_weights: Array
    node_p: Array
    low: Array
    high: Array
    flat_p: Array
    flat_always: NDArray[np.bool_]

    def value(self, b: Array, tau2: float, delta: Array) -> tuple[float, Array, float, Array]:
        """The log-likelihood and its gradients by `b`, `tau2` and `delta`."""
        s, variance = np.sqrt(self.v), self.v + tau2
        mu = self.X @ b
        m, r = mu / s, np.sqrt(variance / self.v)
        total, by_m, by_r, by_delta = self._normaliser(m, r, delta)
        seen, seen_slopes = self._weights(self.seen_p, self.seen_always, delta, self.prec)
        residual = self.y - mu
        value = -0.5 * (np.log(2 * np.pi * variance) + residual**2 / variance) + seen - np.log(total)
        by_mu = residual / variance - by_m / (s * total)
        by_tau2 = 0.5 * (residual**2 / variance - 1) / variance - by_r / (2 * r * self.v * total)
        slopes = (seen_slopes - by_delta / total).sum(axis=1)
        return float(value.sum()), self.X.T @ by_mu, float(by_tau2.sum()), slopes

    def _weights(self, p: Array, always: NDArray[np.bool_], delta: Array, prec: Array) -> tuple[Array, Array]:
        log_w, slopes = self.function.log_weight(p, delta, prec)
        return np.where(always, 0.0, log_w), np.where(always, 0.0, slopes)

    def _normaliser(self, m: Array, r: Array, delta: Array) -> tuple[Array, Array, Array, Array]:
        """The chance of being seen per study, shape (k,), and its derivatives by mean, spread and delta."""
        total = np.zeros(m.size)
        by_m, by_r, by_delta = np.zeros(m.size), np.zeros(m.size), np.zeros((delta.size, m.size))
        prec = self.prec[:, None]
        m, r = m[:, None], r[:, None]
        if self.nodes.size:
            log_w, slopes = self.function.log_weight(self.node_p[None, :], delta, prec)
            z = (self.nodes - m) / r
            mass = np.exp(log_w - 0.5 * z * z) * (self.node_weights / (r * _ROOT_TWO_PI))
            total += mass.sum(axis=1)
            by_m += (mass * z / r).sum(axis=1)
            by_r += (mass * (z * z - 1) / r).sum(axis=1)
            by_delta += (mass * slopes).sum(axis=2)
        if self.low.size:
            log_w, slopes = self._weights(self.flat_p[None, :], self.flat_always[None, :], delta, prec)
            (a, edge_a, at_a), (b, edge_b, at_b) = (_ends(edge, m, r) for edge in (self.low, self.high))
            w, share = np.exp(log_w), np.where(a > 0, ndtr(-a) - ndtr(-b), ndtr(b) - ndtr(a))
            total += (w * share).sum(axis=1)
            by_m += (w * (edge_a - edge_b) / r).sum(axis=1)
            by_r += (w * (at_a - at_b) / r).sum(axis=1)
            by_delta += (w * share * slopes).sum(axis=2)
        return np.maximum(total, 1e-290), by_m, by_r, by_delta


def _ends(edge: Array, m: Array, r: Array) -> tuple[Array, Array, Array]:
    """Standardised ends of intervals, the density there, and the end times the density (0 at infinity)."""
    z = (edge - m) / r
    density = np.exp(-0.5 * np.minimum(z * z, 1400.0)) / _ROOT_TWO_PI
    return z, density, np.where(np.isfinite(z), np.nan_to_num(z), 0.0) * density


def _grid(start: float, stop: float) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on panels of at most unit width."""
    x, w = np.polynomial.legendre.leggauss(_NODES_PER_UNIT)
    panels = np.linspace(start, stop, int(np.ceil(stop - start)) + 1)
    half = np.diff(panels)[:, None] / 2
    middle = (panels[1:] + panels[:-1])[:, None] / 2
    return (middle + half * x).ravel(), (half * w).ravel()


def _break_points(function: SelectionFunction, alternative: str, threshold: float | None) -> list[float]:
    if function.cuts:
        points = [z for cut in function.cuts[:-1] for z in _quantiles(cut, alternative)]
    else:
        tails = max(function.p_min, float(ndtr(-_FAR)))
        points = [z for p in (tails, 1 - tails) for z in _quantiles(p, alternative)] if function.p_min else []
        points += [-_FAR, _FAR, *([0.0] if alternative == "two.sided" else [])]
        points += [] if threshold is None else _quantiles(threshold, alternative)
    return sorted({round(z, 12) for z in points if abs(z) <= _FAR})


def selection_likelihood(
    y: Array,
    v: Array,
    X: Array,
    function: SelectionFunction,
    *,
    alternative: str = "greater",
    threshold: float | None = None,
    prec: Array | None = None,
) -> SelectionLikelihood:
    """The likelihood of `y` under selection by `function`.

    Parameters
    ----------
    y, v : effects and variances, shape (k,).
    X : design matrix, shape (k, p).
    threshold : p-values up to this one are always seen (weight 1), for smooth functions.
    prec : precision measure of each study in the function, shape (k,), 1 where not given.
    """
    edges = [-np.inf, *_break_points(function, alternative, threshold), np.inf]
    clip = function.p_min
    pieces, flats = [], []
    for low, high in itertools.pairwise(edges):
        inside = np.array([_inside(low, high)])
        p = float(p_values(inside, alternative)[0])
        always = threshold is not None and p <= threshold
        flat = bool(function.cuts) or always or not np.isfinite(low + high) or p < clip or p > 1 - clip
        if flat:
            flats.append((low, high, min(max(p, clip), 1 - clip), always))
        else:
            pieces.append(_grid(low, high))
    nodes = np.concatenate([piece[0] for piece in pieces]) if pieces else np.zeros(0)
    weights = np.concatenate([piece[1] for piece in pieces]) if pieces else np.zeros(0)
    table = np.array([flat[:3] for flat in flats], dtype=np.float64).reshape(-1, 3)
    seen = p_values(y / np.sqrt(v), alternative)
    return SelectionLikelihood(
        y=y,
        v=v,
        X=X,
        function=function,
        seen_p=np.clip(seen, clip, 1 - clip),
        seen_always=np.zeros(y.size, bool) if threshold is None else seen <= threshold,
        prec=np.ones(y.size) if prec is None else prec,
        nodes=nodes,
        node_weights=weights,
        node_p=np.clip(p_values(nodes, alternative), clip, 1 - clip),
        low=table[:, 0],
        high=table[:, 1],
        flat_p=table[:, 2],
        flat_always=np.array([flat[3] for flat in flats], dtype=bool),
    )


def _inside(low: float, high: float) -> float:
    """A point within an interval, one unit beyond a finite end where the other is infinite."""
    if np.isinf(low):
        return high - 1 if np.isfinite(high) else 0.0
    return low + 1 if np.isinf(high) else (low + high) / 2
