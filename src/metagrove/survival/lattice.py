"""Times recorded in whole days, weeks or months: the grid on which deaths and censorings lie, found from the drops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.steps import Reading

__all__ = ["Lattice", "lattice_of"]

#: Grids by their step in the unit of the axis, coarse before fine.
GRIDS = (
    (30.4375, "months on an axis of days"),
    (7.0, "weeks on an axis of days"),
    (1.0, "whole units of the axis"),
    (7 / 30.4375, "weeks on an axis of months"),
    (7 / 30.44, "weeks on an axis of months"),
    (1 / 12, "months on an axis of years"),
    (1 / 30.4375, "days on an axis of months"),
    (1 / 30.44, "days on an axis of months"),
    (7 / 365.25, "weeks on an axis of years"),
    (1 / 365.25, "days on an axis of years"),
)
#: Log odds above which a grid is believed.
SURE = 12.0
#: Chance that a drop on a grid is read beyond its tolerance.
MISSED = 0.02


@dataclass(frozen=True, slots=True)
class Lattice:
    """Recorded times are multiples of `step`, in the unit of the curve; `name` says what that is."""

    step: float
    name: str

    def nearest(self, t: Array) -> Array:
        """The closest grid time, never before the first."""
        return np.asarray(np.maximum(np.round(t / self.step), 1.0) * self.step)

    def before(self, t: Array) -> Array:
        """The last grid time that is not later."""
        return np.asarray(np.floor(t / self.step + 1e-4) * self.step)


def lattice_of(reading: Reading, decimals: int) -> Lattice | None:
    """The coarsest grid on which all drops lie, or None where the readings do not show one.

    Drops must lie within what their reading leaves open of a grid time; a grid is believed where so many would do so by
    chance in fewer than one of 160,000 curves.

    Parameters
    ----------
    decimals : digits after the point with which the times of an exact curve were written.
    """
    sure = _sure(reading)
    time, since = reading.time[sure], reading.since[sure]
    if time.size < 3:
        return None
    tolerance = 3 * reading.sigma_t if reading.sigma_t > 0 else 0.6 * 10.0 ** -max(decimals, 2) + 1e-7 * reading.end
    for step, name in GRIDS:
        lattice = Lattice(step, name)
        if reading.columns:
            width, fits = time - since, lattice.before(time) > since
        else:
            width, fits = np.full(time.size, 2 * tolerance), np.abs(lattice.nearest(time) - time) <= tolerance
        chance = np.clip(width / step, 1e-12, 1.0)
        missed = MISSED if reading.columns or reading.sigma_t > 0 else 1e-9
        odds = float(np.sum(np.where(fits, -np.log(chance), np.log(missed))))
        if odds > SURE and np.median(chance) < 0.5:
            return lattice
    return None


def _sure(reading: Reading) -> NDArray[np.bool_]:
    """Which rows are drops beyond the error of reading."""
    if not reading.columns:
        return np.ones(reading.time.size, dtype=bool)
    before = np.concatenate(([1.0], reading.level[:-1]))
    error = np.hypot(reading.error, np.concatenate(([0.0], reading.error[:-1])))
    return np.asarray(before - reading.level > 6 * error)
