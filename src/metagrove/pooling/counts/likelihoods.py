"""Likelihoods of counts given a linear predictor, for the generalised linear mixed models."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln, log_expit

from metagrove.core.values import Array

__all__ = ["Binomial", "Hypergeometric", "Poisson"]


@dataclass(frozen=True, slots=True, eq=False)
class Binomial:
    """`x` events among `n` with logit p = eta + offset; all of shape (k, A), as the log coefficients in `constant`."""

    x: Array
    n: Array
    offset: Array
    constant: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not self.constant.size:
            choose = gammaln(self.n + 1) - gammaln(self.x + 1) - gammaln(self.n - self.x + 1)
            object.__setattr__(self, "constant", choose)

    @property
    def cells(self) -> int:
        """Numbers that one node of every study takes."""
        return self.x.size

    def repeated(self, copies: int) -> Binomial:
        """The same studies, so many times one after another."""
        return Binomial(*(np.concatenate([c] * copies) for c in (self.x, self.n, self.offset, self.constant)))

    def value(self, eta: Array) -> Array:
        """Log-likelihood with the binomial coefficient."""
        e = eta + self.offset[:, :, None]
        return np.asarray(
            self.x[:, :, None] * e - self.n[:, :, None] * np.logaddexp(0.0, e) + self.constant[:, :, None]
        )

    def slope(self, eta: Array) -> Array:
        """Observed minus expected events."""
        return np.asarray(self.x[:, :, None] - self.n[:, :, None] * expit(eta + self.offset[:, :, None]))

    def value_and_slope(self, eta: Array) -> tuple[Array, Array]:
        """Log-likelihood and first derivative."""
        e = eta + self.offset[:, :, None]
        x, n = self.x[:, :, None], self.n[:, :, None]
        return n * log_expit(e) - (n - x) * e + self.constant[:, :, None], x - n * expit(e)

    def derivatives(self, eta: Array) -> tuple[Array, Array, Array]:
        """The derivatives x - np, -np(1 - p) and -np(1 - p)(1 - 2p)."""
        p = expit(eta + self.offset[:, :, None])
        second = -self.n[:, :, None] * p * (1.0 - p)
        return self.x[:, :, None] - self.n[:, :, None] * p, second, second * (1.0 - 2.0 * p)


@dataclass(frozen=True, slots=True, eq=False)
class Poisson:
    """`x` events with log mean eta + offset (the log of person-time); of shape (k, A), as minus log x! in `constant`."""

    x: Array
    offset: Array
    constant: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not self.constant.size:
            object.__setattr__(self, "constant", -gammaln(self.x + 1))

    @property
    def cells(self) -> int:
        """Numbers that one node of every study takes."""
        return self.x.size

    def repeated(self, copies: int) -> Poisson:
        """The same studies, so many times one after another."""
        return Poisson(*(np.concatenate([column] * copies) for column in (self.x, self.offset, self.constant)))

    def _mean(self, eta: Array) -> Array:
        # Above e^300 products of means leave a double; such trial points are turned away by their likelihood.
        return np.asarray(np.exp(np.minimum(eta + self.offset[:, :, None], 300.0)))

    def value(self, eta: Array) -> Array:
        """Log-likelihood with the factorial."""
        e = eta + self.offset[:, :, None]
        return np.asarray(self.x[:, :, None] * e - self._mean(eta) + self.constant[:, :, None])

    def slope(self, eta: Array) -> Array:
        """Observed minus expected events."""
        return np.asarray(self.x[:, :, None] - self._mean(eta))

    def value_and_slope(self, eta: Array) -> tuple[Array, Array]:
        """Log-likelihood and first derivative from one exponential."""
        mean, x = self._mean(eta), self.x[:, :, None]
        return x * (eta + self.offset[:, :, None]) - mean + self.constant[:, :, None], x - mean

    def derivatives(self, eta: Array) -> tuple[Array, Array, Array]:
        """The derivatives x - m, -m, -m."""
        mean = self._mean(eta)
        return self.x[:, :, None] - mean, -mean, -mean


class Hypergeometric:
    """Events of the first arm given all events: Fisher's noncentral distribution with log odds ratio eta.

    The supports of all studies lie end to end, so wide tables do not make narrow ones slow.

    Parameters
    ----------
    a : events of the first arm, shape (k,).
    n1, n2 : sizes of the arms, shape (k,).
    events : events of both arms, shape (k,).
    """

    __slots__ = ("_at", "_first", "_j", "_log_w", "_study", "a", "high", "low", "margins")

    def __init__(self, a: ArrayLike, n1: ArrayLike, n2: ArrayLike, events: ArrayLike) -> None:
        size1, size2, m = (np.asarray(v, dtype=float) for v in (n1, n2, events))
        self.a, self.margins = np.asarray(a, dtype=float), (size1, size2, m)
        self.low, self.high = np.maximum(0.0, m - size2), np.minimum(size1, m)
        widths = (self.high - self.low).astype(int) + 1
        self._first = np.concatenate([[0], np.cumsum(widths)[:-1]])
        self._study = np.repeat(np.arange(self.a.size), widths)
        j = np.arange(widths.sum()) - self._first[self._study] + self.low[self._study]
        left, right, rest = size1[self._study], size2[self._study], m[self._study] - j
        self._log_w = gammaln(left + 1) - gammaln(j + 1) - gammaln(left - j + 1)
        self._log_w += gammaln(right + 1) - gammaln(rest + 1) - gammaln(right - rest + 1)
        self._j = j
        self._at = self._log_w[self._first + (self.a - self.low).astype(int)]

    @property
    def cells(self) -> int:
        """Numbers that one node of every study takes."""
        return int(self._j.size)

    def repeated(self, copies: int) -> Hypergeometric:
        """The same studies, so many times one after another."""
        return Hypergeometric(*(np.tile(column, copies) for column in (self.a, *self.margins)))

    def _sums(self, eta: Array, powers: int) -> tuple[Array, list[Array]]:
        """The log normalising constants (k, nodes) and the first `powers` moments about the observed events."""
        e = eta[:, 0, :]
        logs = self._log_w[:, None] + self._j[:, None] * e[self._study]
        top = np.maximum.reduceat(logs, self._first, axis=0)
        terms = np.exp(logs - top[self._study])
        total = np.add.reduceat(terms, self._first, axis=0)
        away = (self._j - self.a[self._study])[:, None]
        moments = []
        for _ in range(powers):
            terms = terms * away
            moments.append(np.add.reduceat(terms, self._first, axis=0) / total)
        return top + np.log(total), moments

    def value(self, eta: Array) -> Array:
        """Log-probability of the first arm's events."""
        constant, _ = self._sums(eta, 0)
        return np.asarray(self._at[:, None] + self.a[:, None] * eta[:, 0, :] - constant)[:, None, :]

    def slope(self, eta: Array) -> Array:
        """Observed minus expected events."""
        return -self._sums(eta, 1)[1][0][:, None, :]

    def value_and_slope(self, eta: Array) -> tuple[Array, Array]:
        """Log-probability and first derivative from one sum."""
        constant, (mean,) = self._sums(eta, 1)
        value = self._at[:, None] + self.a[:, None] * eta[:, 0, :] - constant
        return np.asarray(value)[:, None, :], -mean[:, None, :]

    def derivatives(self, eta: Array) -> tuple[Array, Array, Array]:
        """Observed minus expected, minus the variance, minus the third cumulant."""
        _, (m1, m2, m3) = self._sums(eta, 3)
        second, third = m2 - m1**2, m3 - 3 * m1 * m2 + 2 * m1**3
        return -m1[:, None, :], -second[:, None, :], -third[:, None, :]
