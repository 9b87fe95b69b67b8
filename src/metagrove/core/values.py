"""Values: what was observed, and where it was read. Each checks itself once, at birth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metagrove.core.errors import DataError

__all__ = ["Arm", "Array", "Counts", "Means", "PatientTimes", "PersonTime", "RiskTable", "Source", "SurvivalCurve"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a number was read: the document, the place in it, and the digest of the file that carried it here.

    >>> str(Source("Wirth 2021", "Table 2"))
    'Wirth 2021, Table 2'
    """

    document: str
    locator: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.document}, {self.locator}" if self.locator else self.document


@dataclass(frozen=True, slots=True)
class Counts:
    """`events` among `n` people: whole numbers, 0 <= events <= n, n >= 1."""

    events: int
    n: int

    def __post_init__(self) -> None:
        for name, value in (("events", self.events), ("n", self.n)):
            if value != int(value):
                raise DataError(f"{name} is {value}; a count is a whole number")
        if self.n < 1:
            raise DataError(f"n is {self.n}; a study has at least one person")
        if not 0 <= self.events <= self.n:
            raise DataError(f"{self.events} events among {self.n}; events lie between 0 and n")


@dataclass(frozen=True, slots=True)
class Means:
    """A mean with its standard deviation (> 0, in the units of the mean) among `n` people."""

    n: int
    mean: float
    sd: float

    def __post_init__(self) -> None:
        if self.n < 1 or not np.isfinite(self.mean) or not self.sd > 0:
            raise DataError(f"n {self.n}, mean {self.mean}, SD {self.sd}; n is at least 1 and SD above 0")


@dataclass(frozen=True, slots=True)
class PersonTime:
    """`events` over `time` at risk (> 0)."""

    events: int
    time: float

    def __post_init__(self) -> None:
        if self.events < 0 or self.events != int(self.events) or not self.time > 0:
            raise DataError(f"{self.events} events in {self.time}; events are whole and time is above 0")


def _frozen(values: ArrayLike) -> Array:
    array = np.array(values, dtype=np.float64, ndmin=1, copy=True)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalCurve:
    """A survival step function: `survival[i]` holds from `time[i]` to `time[i + 1]`.

    Parameters
    ----------
    time : shape (m,), not falling, >= 0, in `unit`.
    survival : shape (m,), proportions in [0, 1], never rising.
    unit : the unit of time.
    source : where the curve was read.
    """

    time: Array
    survival: Array
    unit: str = "months"
    source: Source = field(default=Source(""))

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", _frozen(self.time))
        object.__setattr__(self, "survival", _frozen(self.survival))
        where = f"{self.source}: " if self.source.document else ""
        if self.time.shape != self.survival.shape or self.time.ndim != 1 or not self.time.size:
            raise DataError(f"{where}{self.time.size} times for {self.survival.size} survival values")
        if not (np.isfinite(self.time).all() and np.isfinite(self.survival).all()):
            raise DataError(f"{where}a time or survival value is missing")
        if (np.diff(self.time) < 0).any() or self.time[0] < 0:
            raise DataError(f"{where}times start at 0 or later and never fall")
        if self.survival.max() > 1 or self.survival.min() < 0:
            bad = self.survival[(self.survival > 1) | (self.survival < 0)][0]
            raise DataError(f"{where}survival is {bad:g}; it lies between 0 and 1")
        rise = np.flatnonzero(np.diff(self.survival) > 0)
        if rise.size:
            i = int(rise[0])
            low, high, when = self.survival[i], self.survival[i + 1], self.time[i + 1]
            raise DataError(f"{where}survival rises from {low:g} to {high:g} at {when:g} {self.unit}")

    def at(self, t: ArrayLike) -> Array:
        """Survival just after each time in `t`, 1 before the first step; shape of `t`."""
        index = np.searchsorted(self.time, np.asarray(t, dtype=float), side="right")
        return np.concatenate(([1.0], self.survival))[index]


@dataclass(frozen=True, slots=True, eq=False)
class RiskTable:
    """Printed numbers at risk: `n[i]` people are under observation just before `time[i]`."""

    time: Array
    n: NDArray[np.int64]
    source: Source = field(default=Source(""))

    def __post_init__(self) -> None:
        counts = np.asarray(self.n, dtype=float)
        object.__setattr__(self, "time", _frozen(self.time))
        where = f"{self.source}: " if self.source.document else ""
        if self.time.shape != counts.shape or counts.ndim != 1:
            raise DataError(f"{where}{self.time.size} times for {counts.size} numbers at risk")
        if (counts < 0).any() or (counts != np.floor(counts)).any():
            raise DataError(f"{where}numbers at risk are whole and not negative")
        if (np.diff(self.time) <= 0).any():
            raise DataError(f"{where}times of the numbers at risk must increase")
        rise = np.flatnonzero(np.diff(counts) > 0)
        if rise.size:
            i = int(rise[0])
            raise DataError(
                f"{where}numbers at risk rise from {counts[i]:g} to {counts[i + 1]:g} at {self.time[i + 1]:g}"
            )
        whole = counts.astype(np.int64)
        whole.setflags(write=False)
        object.__setattr__(self, "n", whole)


@dataclass(frozen=True, slots=True, eq=False)
class PatientTimes:
    """One row a patient: `time` under observation (> 0 or 0) and `event` (True where it ended in an event)."""

    time: Array
    event: NDArray[np.bool_]
    unit: str = "months"
    source: Source = field(default=Source(""))

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", _frozen(self.time))
        event = np.array(self.event, ndmin=1, copy=True)
        if self.time.ndim != 1:
            raise DataError(f"times have shape {self.time.shape}; one number a patient is needed")
        if event.shape != self.time.shape:
            raise DataError(f"{self.time.size} times for {event.size} event flags")
        if not np.isin(event, (0, 1)).all():
            raise DataError("event flags are 0 or 1")
        if not np.isfinite(self.time).all() or (self.time < 0).any():
            raise DataError("times are finite and not negative")
        flags = event.astype(np.bool_)
        flags.setflags(write=False)
        object.__setattr__(self, "event", flags)


@dataclass(frozen=True, slots=True)
class Arm:
    """One group of one study: a label, one outcome of one kind, and where it was read."""

    label: str
    outcome: Counts | Means | PersonTime | SurvivalCurve | PatientTimes
    source: Source
