"""Times recorded in whole days, weeks, months or tenths: the grid on which deaths and censorings lie, found from the drops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.curve_input import middle
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import CLICK_T, Reading

__all__ = ["DIGITS", "GRIDS", "Lattice", "lattice_of", "recorded_grid", "rounding_of"]

#: Grids by their step in the unit of the axis.
GRIDS = (
    (30.4375, "months on an axis of days"),
    (7.0, "weeks on an axis of days"),
    (1.0, "whole units of the axis"),
    (0.5, "halves of the axis's unit"),
    (0.25, "quarters of the axis's unit"),
    (7 / 30.4375, "weeks on an axis of months"),
    (7 / 30.44, "weeks on an axis of months"),
    (1 / 7, "days on an axis of weeks"),
    (0.1, "tenths of the axis's unit"),
    (1 / 12, "months on an axis of years"),
    (1 / 30.4375, "days on an axis of months"),
    (1 / 30.44, "days on an axis of months"),
    (7 / 365.25, "weeks on an axis of years"),
    (1 / 365.25, "days on an axis of years"),
)
#: Their steps alone.
STEPS = np.array([step for step, _ in GRIDS])
#: Chance of believing a grid where there is none, at most.
RISK = 0.003
#: Share of drops that lie off their grid: small ones are read a pixel further off, merged ones between.
STRAY = 0.05
#: Log likelihood by which a variant of a grid must be better than the plain one, as both arms of a figure share theirs.
PLAIN = 4.0
#: Step in reading errors (standard deviations, or widths of an interval) below which a grid cannot be seen.
FINEST = 1.5
#: Digits after the point with which times are taken to be written where that is not known.
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Lattice:
    """Recorded times are multiples of `step`, in the unit of the curve; `name` says what that is.

    Parameters
    ----------
    reach : how far a time that was read may lie from the one recorded; 0 where the curve gives times as they are.
    digits : digits after the point with which times are written; all of one grid, so that equal times stay equal.
    drops, near : drops that were looked at, and those of them within `reach` (or the written digits) of a multiple.
    """

    step: float
    name: str
    reach: float = 0.0
    drops: int = 0
    near: int = 0
    digits: int = 9

    def nearest(self, t: Array) -> Array:
        """The closest grid time, never before the first."""
        # 0.1 * 240 is a little more than 24; a grid time asked for later must find the patient at it.
        return np.asarray(np.round(np.maximum(np.round(t / self.step), 1.0) * self.step, self.digits))

    def before(self, t: Array) -> Array:
        """The last grid time that is not later."""
        return np.asarray(np.round(np.floor(t / self.step + 1e-4) * self.step, self.digits))

    def placed(self, t: Array) -> Array:
        """Times as recorded: those within `reach` of a grid time are moved onto it."""
        on = self.nearest(t)
        return np.asarray(np.where(np.abs(on - t) <= self.reach + 1e-9, on, t))


def recorded_grid(reading: Reading, facts: Facts, decimals: int = DIGITS) -> Lattice | None:
    """The grid on which drops and censor marks most likely lie, see `lattice_of`."""
    return lattice_of(reading, decimals, time_error=facts.time_error, marks=_marks_read(reading, facts, decimals))


def _marks_read(reading: Reading, facts: Facts, decimals: int) -> tuple[Array, float] | None:
    """Times of the marks and their standard error: 0 where they share the digits of an exact curve; None without marks."""
    marks = facts.marks
    if marks is None or marks.size < 3:
        return None
    exact = not reading.columns and reading.sigma_t <= 0
    if exact and np.all(np.abs(marks - np.round(marks, decimals)) < 1e-9):
        return marks, 0.0
    return marks, max(reading.sigma_t, CLICK_T * facts.axis)


def lattice_of(
    reading: Reading, decimals: int, *, time_error: float | None = None, marks: tuple[Array, float] | None = None
) -> Lattice | None:
    """The grid on which the drops most likely lie, or None where the readings do not show one.

    Were times not rounded, a drop would lie anywhere between two multiples of the step; on a grid it lies within its
    reading error of one, but for a few strays. The product of the likelihood ratios over the drops exceeds x by chance
    with a probability of at most 1 / x (Markov's inequality), for any number of drops; a grid is believed where x is three
    hundred times the number of grids tried. The use of the ratio here is ours.

    Parameters
    ----------
    decimals : digits after the point with which the times of an exact curve were written.
    time_error : half-width of the reading error of a time where the figure's reading gave it.
    marks : times of censor marks, which lie on the same grid, and their standard error.
    """
    sure = _sure(reading)
    time, since = reading.time[sure], reading.since[sure]
    if not time.size or time.size + (marks[0].size if marks is not None else 0) < 3:
        return None
    best, most = None, np.log(len(GRIDS) / RISK)
    rows = _rows(reading, (time, since), decimals, time_error)
    near = rows.near(STEPS)
    marked = None if marks is None else _marks_rows(*marks, reading.end)
    close = np.zeros(0) if marked is None else _marks_near(marked)
    for i in np.flatnonzero(near >= (1 - 3 * STRAY) * time.size).tolist():
        step, name = GRIDS[i]
        if marked is not None and close[i] < (1 - 3 * STRAY) * marked.size:
            continue
        gain = float(np.sum(np.log((1 - STRAY) * rows.ratio(step) + STRAY)))
        if marked is not None:
            gain += float(np.sum(np.log((1 - STRAY) * marked.ratio(step) + STRAY)))
        # Months of 30.44 days are told from those of 30.4375 by exact times only.
        ahead = PLAIN if best is not None and best.name == name else 0.0
        if gain > most + ahead:
            best, most = Lattice(step, name, rows.reach(step), int(time.size), int(near[i]), _digits(reading)), gain
    return best


def _marks_rows(marks: Array, sigma: float, end: float) -> _Within | _Scattered:
    """What is known of the times of the marks: those written with few digits may lie anywhere within the last of them."""
    if sigma <= 0:
        return _Within(marks, np.full(marks.size, 0.006 + 1e-7 * end))
    half = rounding_of(marks)
    return _Within(marks, np.full(marks.size, half)) if half > 2 * sigma else _Scattered(marks, sigma)


def rounding_of(marks: Array) -> float:
    """Half a unit of the last digit with which times are written."""
    digits = next((d for d in range(DIGITS) if np.all(np.abs(marks - np.round(marks, d)) < 1e-9)), DIGITS)
    return 0.5 * 10.0**-digits


def _marks_near(marked: _Within | _Scattered) -> NDArray[np.int64]:
    """How many marks may lie near a multiple of each step, shape (grids,); all where the grid cannot be seen."""
    near = marked.near(STEPS)
    if isinstance(marked, _Scattered):
        near[FINEST * marked.sigma > STEPS] = marked.size
    return near


@dataclass(frozen=True, slots=True, eq=False)
class _Scattered:
    """Times read with a normal error `sigma`, shape (m,)."""

    time: Array
    sigma: float

    @property
    def size(self) -> int:
        """Number of times."""
        return self.time.size

    def near(self, steps: Array) -> NDArray[np.int64]:
        """How many times lie near a multiple of each step, shape (s,); none where the grid cannot be seen."""
        found = np.zeros(steps.size, dtype=np.int64)
        seen = steps >= FINEST * self.sigma
        step = steps[seen, None]
        found[seen] = (np.abs(self.time - step * np.round(self.time / step)) <= 3 * self.sigma).sum(axis=1)
        return found

    def ratio(self, step: float) -> Array:
        """Likelihood of each time on the grid over that without one."""
        if step < FINEST * self.sigma:
            return np.ones(self.time.size)
        off = self.time - step * np.round(self.time / step)
        shifted = off[:, None] + step * np.arange(-2, 3)
        density = np.exp(-0.5 * (shifted / self.sigma) ** 2).sum(axis=1) / (self.sigma * np.sqrt(2 * np.pi))
        return np.asarray(step * density)

    def reach(self, step: float) -> float:
        """How far a time may lie from the one recorded."""
        return step / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Within:
    """Times known to lie within `half` of `middle`, shape (m,) each; `written` : error with which the edges are written."""

    middle: Array
    half: Array
    written: float = 0.0
    known: float = 0.0

    @property
    def size(self) -> int:
        """Number of times."""
        return self.middle.size

    def _inside(self, step: Array | float) -> Array:
        slack = np.maximum(1e-7, self.written / step)
        # A column is seen before the death: its left edge is not in it, or edges that meet the grid would count twice.
        late = self.middle + self.half
        inside = np.floor(late / step + slack) - np.floor((self.middle - self.half) / step + slack)
        return np.where(late < step * (1 - slack), 0, inside)

    def near(self, steps: Array) -> NDArray[np.int64]:
        """How many times may be a multiple of each step, shape (s,)."""
        return np.asarray((self._inside(steps[:, None]) > 0).sum(axis=1), dtype=np.int64)

    def ratio(self, step: float) -> Array:
        """Likelihood of each time on the grid over that without one."""
        ratio = self._inside(step) * step / np.maximum(2 * self.half, 1e-12)
        return np.where(step < FINEST * 2 * self.half, 1.0, ratio)

    def reach(self, step: float) -> float:
        """How far a time may lie from the one recorded."""
        return self.known


def _rows(reading: Reading, rows: tuple[Array, Array], decimals: int, time_error: float | None) -> _Within | _Scattered:
    """What is known of the times of the drops."""
    time, since = rows
    written = 0.6 * 10.0 ** -max(decimals, 2) + 1e-7 * reading.end
    if reading.columns:
        half = np.maximum((time - since) / 2, time_error or 0.0)
        return _Within((time + since) / 2, half, written, middle(half))
    if time_error is not None:
        return _Within(time, np.full(time.size, time_error), known=time_error)
    if reading.sigma_t <= 0:
        return _Within(time, np.full(time.size, written))
    return _Scattered(time, reading.sigma_t)


def _digits(reading: Reading) -> int:
    """Digits after the point of the times of an exact curve, at most 9; 9 for other curves."""
    if reading.columns or reading.sigma_t > 0:
        return 9
    return next((d for d in range(9) if np.all(np.abs(reading.time - np.round(reading.time, d)) < 1e-10)), 9)


def _sure(reading: Reading) -> NDArray[np.bool_]:
    """Which rows are drops beyond the error of reading."""
    if not reading.columns:
        return np.ones(reading.time.size, dtype=bool)
    before = np.concatenate(([1.0], reading.level[:-1]))
    error = np.hypot(reading.error, np.concatenate(([0.0], reading.error[:-1])))
    return np.asarray(before - reading.level > 6 * error)
