"""Likelihoods of counts given a linear predictor, for the generalised linear mixed models."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.values import Array

__all__ = ["Binomial", "Hypergeometric", "Poisson"]


@dataclass(frozen=True, slots=True, eq=False)
class Binomial:
    """`x` events among `n` with logit p = eta + offset; all of shape (k, A)."""

    x: Array
    n: Array
    offset: Array
    constant: Array = field(init=False)

    def __post_init__(self) -> None:
        from scipy.special import gammaln

        choose = gammaln(self.n + 1) - gammaln(self.x + 1) - gammaln(self.n - self.x + 1)
        object.__setattr__(self, "constant", choose)

    def value(self, eta: Array) -> Array:
        """Log-likelihood with the binomial coefficient."""
        e = eta + self.offset[:, :, None]
        return np.asarray(
            self.x[:, :, None] * e - self.n[:, :, None] * np.logaddexp(0.0, e) + self.constant[:, :, None]
        )

    def slope(self, eta: Array) -> Array:
        """Observed minus expected events."""
        from scipy.special import expit

        return np.asarray(self.x[:, :, None] - self.n[:, :, None] * expit(eta + self.offset[:, :, None]))

    def derivatives(self, eta: Array) -> tuple[Array, Array, Array]:
        """The derivatives x - np, -np(1 - p) and -np(1 - p)(1 - 2p)."""
        from scipy.special import expit

        p = expit(eta + self.offset[:, :, None])
        second = -self.n[:, :, None] * p * (1.0 - p)
        return self.x[:, :, None] - self.n[:, :, None] * p, second, second * (1.0 - 2.0 * p)


@dataclass(frozen=True, slots=True, eq=False)
class Poisson:
    """`x` events with log mean eta + offset (the log of person-time); both of shape (k, A)."""

    x: Array
    offset: Array
    constant: Array = field(init=False)

    def __post_init__(self) -> None:
        from scipy.special import gammaln

        object.__setattr__(self, "constant", -gammaln(self.x + 1))

    def _mean(self, eta: Array) -> Array:
        # Above e^700 the mean is beyond a double; such trial points are turned away by their likelihood.
        return np.asarray(np.exp(np.minimum(eta + self.offset[:, :, None], 700.0)))

    def value(self, eta: Array) -> Array:
        """Log-likelihood with the factorial."""
        e = eta + self.offset[:, :, None]
        return np.asarray(self.x[:, :, None] * e - self._mean(eta) + self.constant[:, :, None])

    def slope(self, eta: Array) -> Array:
        """Observed minus expected events."""
        return np.asarray(self.x[:, :, None] - self._mean(eta))

    def derivatives(self, eta: Array) -> tuple[Array, Array, Array]:
        """The derivatives x - m, -m, -m."""
        mean = self._mean(eta)
        return self.x[:, :, None] - mean, -mean, -mean


class Hypergeometric:
    """Events of the first arm given all events: Fisher's noncentral distribution with log odds ratio eta.

    Parameters
    ----------
    a : events of the first arm, shape (k,).
    n1, n2 : sizes of the arms, shape (k,).
    events : events of both arms, shape (k,).
    """

    __slots__ = ("a", "log_weights", "support")

    def __init__(self, a: ArrayLike, n1: ArrayLike, n2: ArrayLike, events: ArrayLike) -> None:
        from scipy.special import gammaln

        size1, size2, m = (np.asarray(v, dtype=float) for v in (n1, n2, events))
        self.a = np.asarray(a, dtype=float)[:, None, None]
        low, high = np.maximum(0.0, m - size2), np.minimum(size1, m)
        width = int((high - low).max()) + 1
        j = low[:, None] + np.arange(width)[None, :]
        inside = j <= high[:, None]
        j = np.where(inside, j, high[:, None])
        first, second = (size1[:, None], size2[:, None]), m[:, None] - j
        log_w = gammaln(first[0] + 1) - gammaln(j + 1) - gammaln(first[0] - j + 1)
        log_w = log_w + gammaln(first[1] + 1) - gammaln(second + 1) - gammaln(first[1] - second + 1)
        self.support = j[:, :, None]
        self.log_weights = np.where(inside, log_w, -np.inf)[:, :, None]

    def _terms(self, eta: Array) -> tuple[Array, Array]:
        logs = self.log_weights + self.support * eta
        top = logs.max(axis=1, keepdims=True)
        return np.exp(logs - top), top

    def value(self, eta: Array) -> Array:
        """Log-probability of the first arm's events."""
        weights = self.log_weights[:, :, 0]
        at = np.take_along_axis(weights, (self.a - self.support[:, :1])[:, :, 0].astype(int), axis=1)
        terms, top = self._terms(eta)
        return np.asarray(at[:, :, None] + self.a * eta - top - np.log(terms.sum(axis=1, keepdims=True)))

    def slope(self, eta: Array) -> Array:
        """Observed minus expected events."""
        terms, _ = self._terms(eta)
        return np.asarray(self.a - (terms * self.support).sum(axis=1, keepdims=True) / terms.sum(axis=1, keepdims=True))

    def derivatives(self, eta: Array) -> tuple[Array, Array, Array]:
        """Observed minus expected, minus the variance, minus the third cumulant."""
        terms, _ = self._terms(eta)
        terms = terms / terms.sum(axis=1, keepdims=True)
        mean = (terms * self.support).sum(axis=1, keepdims=True)
        away = self.support - mean
        square = terms * away * away
        return self.a - mean, -square.sum(axis=1, keepdims=True), -(square * away).sum(axis=1, keepdims=True)
