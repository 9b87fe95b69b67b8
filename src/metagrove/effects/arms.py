"""What escalating an effect needs: one value per kind of data, whole columns at a time.

Each value checks itself once, at birth, and names the study (counted from 1) where a number is impossible. NaN marks a
number that was not reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.effects.guarded import broadcast

Mask: TypeAlias = NDArray[np.bool_]

__all__ = [
    "Changes",
    "Columns",
    "Correlations",
    "Mask",
    "OneMeans",
    "PersonTimes",
    "Proportions",
    "Rates",
    "Reliabilities",
    "Tables",
    "TwoMeans",
]


def _study(index: int) -> str:
    return f"study {index + 1}"


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


class Columns:
    """Columns of one length; subclasses say what each holds."""

    __slots__ = ()

    def columns(self) -> dict[str, Array]:
        """The columns by name, each of shape (k,)."""
        return {name: getattr(self, name) for name in _names(type(self))}  # type: ignore[arg-type]

    def _settle(self) -> None:
        names = _names(type(self))  # type: ignore[arg-type]
        for name, column in zip(names, broadcast(*(getattr(self, n) for n in names)), strict=True):
            values = column.tolist()
            if math.inf in values or -math.inf in values:
                raise DataError(f"{_study(int(np.flatnonzero(np.isinf(column))[0]))}: {name} is infinite")
            column.setflags(write=False)
            object.__setattr__(self, name, column)

    def _require(self, bad: Mask, what: str) -> None:
        places = np.flatnonzero(bad)
        if places.size:
            i = int(places[0])
            seen = ", ".join(f"{name} {column[i]:g}" for name, column in self.columns().items())
            raise DataError(f"{_study(i)}: {what}; found {seen}")

    @property
    def k(self) -> int:
        """The number of studies."""
        return int(getattr(self, _names(type(self))[0]).size)  # type: ignore[arg-type]

    @property
    def missing(self) -> Mask:
        """True where any number of the study was not reported; shape (k,)."""
        return np.asarray(np.isnan(np.vstack(list(self.columns().values()))).any(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Tables(Columns):
    """2x2 tables: `a` events and `b` non-events in the first arm, `c` and `d` in the second; all >= 0, shape (k,)."""

    a: Array
    b: Array
    c: Array
    d: Array

    def __post_init__(self) -> None:
        self._settle()
        low = (self.a < 0) | (self.b < 0) | (self.c < 0) | (self.d < 0)
        self._require(low, "a count is below 0 (more events than people?)")

    @classmethod
    def from_arms(cls, event_e: ArrayLike, n_e: ArrayLike, event_c: ArrayLike, n_c: ArrayLike) -> Tables:
        """Tables from events and group sizes; DataError where events exceed the group."""
        e, ne, c, nc = broadcast(event_e, n_e, event_c, n_c)
        for events, size in ((e, ne), (c, nc)):
            bad = np.flatnonzero((events > size) | (events < 0))
            if bad.size:
                i = int(bad[0])
                raise DataError(f"{_study(i)}: {events[i]:g} events among {size[i]:g}; events lie between 0 and n")
        return cls(e, ne - e, c, nc - c)

    @property
    def n1(self) -> Array:
        """Size of the first arm."""
        return self.a + self.b

    @property
    def n2(self) -> Array:
        """Size of the second arm."""
        return self.c + self.d

    @property
    def n(self) -> Array:
        """Size of both arms together."""
        return self.n1 + self.n2

    @property
    def zero(self) -> Mask:
        """True where any of the four cells is empty."""
        return np.asarray((self.a == 0) | (self.b == 0) | (self.c == 0) | (self.d == 0))

    @property
    def uninformative(self) -> Mask:
        """True where nobody, or everybody, had the event in both arms."""
        return np.asarray(((self.a == 0) & (self.c == 0)) | ((self.b == 0) & (self.d == 0)))

    def plus(self, e: Array, c: Array | None = None) -> Tables:
        """The tables with `e` added to both cells of the first arm and `c` (default `e`) to both of the second."""
        other = e if c is None else c
        return Tables(self.a + e, self.b + e, self.c + other, self.d + other)


@dataclass(frozen=True, slots=True, eq=False)
class PersonTimes(Columns):
    """Events `x1`, `x2` (>= 0) over person-time `t1`, `t2` (> 0) in two arms, shape (k,)."""

    x1: Array
    x2: Array
    t1: Array
    t2: Array

    def __post_init__(self) -> None:
        self._settle()
        self._require((self.x1 < 0) | (self.x2 < 0), "events are below 0")
        self._require((self.t1 <= 0) | (self.t2 <= 0), "person-time must be above 0")


@dataclass(frozen=True, slots=True, eq=False)
class TwoMeans(Columns):
    """Size, mean and standard deviation (>= 0) in two arms, shape (k,)."""

    n1: Array
    m1: Array
    sd1: Array
    n2: Array
    m2: Array
    sd2: Array

    def __post_init__(self) -> None:
        self._settle()
        self._require((self.n1 < 1) | (self.n2 < 1), "an arm has at least one person")
        self._require((self.sd1 < 0) | (self.sd2 < 0), "a standard deviation is below 0")


@dataclass(frozen=True, slots=True, eq=False)
class Proportions(Columns):
    """`x` events among `n` people, 0 <= x <= n, shape (k,)."""

    x: Array
    n: Array

    def __post_init__(self) -> None:
        self._settle()
        self._require((self.x < 0) | (self.x > self.n), "events lie between 0 and n")


@dataclass(frozen=True, slots=True, eq=False)
class Rates(Columns):
    """`x` events (>= 0) over person-time `t` (> 0), shape (k,)."""

    x: Array
    t: Array

    def __post_init__(self) -> None:
        self._settle()
        self._require(self.x < 0, "events are below 0")
        self._require(self.t <= 0, "person-time must be above 0")


@dataclass(frozen=True, slots=True, eq=False)
class OneMeans(Columns):
    """Size, mean and standard deviation (>= 0) of one group, shape (k,)."""

    n: Array
    m: Array
    sd: Array

    def __post_init__(self) -> None:
        self._settle()
        self._require(self.n < 1, "a group has at least one person")
        self._require(self.sd < 0, "a standard deviation is below 0")


@dataclass(frozen=True, slots=True, eq=False)
class Changes(Columns):
    """The same `n` people measured twice: means, standard deviations and their correlation `r`, shape (k,)."""

    n: Array
    m1: Array
    m2: Array
    sd1: Array
    sd2: Array
    r: Array

    def __post_init__(self) -> None:
        self._settle()
        self._require(self.n < 1, "a group has at least one person")
        self._require((self.sd1 < 0) | (self.sd2 < 0), "a standard deviation is below 0")
        self._require(np.abs(self.r) > 1, "a correlation lies between -1 and 1")


@dataclass(frozen=True, slots=True, eq=False)
class Correlations(Columns):
    """Correlations `r` in [-1, 1] among `n` people, shape (k,)."""

    r: Array
    n: Array

    def __post_init__(self) -> None:
        self._settle()
        self._require(np.abs(self.r) > 1, "a correlation lies between -1 and 1")
        self._require(self.n < 1, "a group has at least one person")


@dataclass(frozen=True, slots=True, eq=False)
class Reliabilities(Columns):
    """Cronbach's `alpha` (<= 1) of `items` (>= 2) items among `n` people, shape (k,)."""

    alpha: Array
    items: Array
    n: Array

    def __post_init__(self) -> None:
        self._settle()
        self._require(self.alpha > 1, "alpha is at most 1")
        self._require(self.items < 2, "a scale has at least two items")
        self._require(self.n < 1, "a group has at least one person")
