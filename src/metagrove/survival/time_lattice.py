"""Times that were rounded before they were drawn: the step of their lattice, and rebuilt times put back onto it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metagrove.core.values import Array
from metagrove.survival.rebuilt import levels_at, product_limit

__all__ = ["LATTICES", "TimeLattice", "on_lattice", "time_lattice"]

#: Steps to which times are commonly rounded, by the unit of time, coarsest first.
LATTICES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "days": (30.4375, 7.0, 1.0),
        "weeks": (1.0, 1 / 7),
        "months": (1.0, 0.5, 0.25, 7 / 30.4375, 0.1, 1 / 30.4375),
        "years": (1.0, 0.5, 0.25, 1 / 12, 0.1, 7 / 365.25, 1 / 365.25),
    }
)
#: Chance of a lattice where there is none, over all steps that are tried.
_RISK = 1e-3
#: Share of the step beyond which the reading error hides the lattice.
_WIDEST = 0.35
#: Share of the drops that must agree; a small drop may be read a pixel further off.
_AGREEING = 0.9


@dataclass(frozen=True, slots=True)
class TimeLattice:
    """Times that are multiples of `step`: `near` of `drops` lie within the reading error of one, by chance in `p`."""

    step: float
    drops: int
    near: int
    p: float


def time_lattice(times: ArrayLike, error: float, unit: str = "months") -> TimeLattice | None:
    """The coarsest common rounding of `times` that chance does not explain; None where there is none to be seen.

    Parameters
    ----------
    times : distinct times of drops and marks, in `unit`; repeated ones count once.
    error : half-width of the reading error of a time, in `unit`.

    Notes
    -----
    If times were not rounded, their distance to the nearest multiple of a step L is uniform on 0 to L/2, so that each
    lies within `error` with probability 2 error / L; the binomial tail of those that do, times the number of steps
    tried, must be below 0.001, and nine in ten must lie within. Steps under `error` / 0.35 cannot be told apart. The
    test is ours; the idea that a lattice of days or weeks underlies printed curves is common knowledge.

    >>> time_lattice([0.52, 1.09, 2.31, 3.28, 4.72, 6.11, 8.19, 9.91, 11.52, 14.61, 17.7, 21.29], 0.02).step
    0.1
    """
    t = np.unique(np.asarray(times, dtype=float))
    t = t[t > 0]
    steps = [s for s in LATTICES[unit] if error <= _WIDEST * s]
    for step in steps:
        away = np.abs(t - step * np.round(t / step))
        near = int(np.sum(away <= error + 1e-9))
        p = _tail(near, t.size, min(2 * error / step, 1.0)) * len(steps)
        if t.size and near >= _AGREEING * t.size and p < _RISK:
            return TimeLattice(step, int(t.size), near, p)
    return None


def _tail(near: int, of: int, chance: float) -> float:
    """The probability of `near` or more of `of`, each with probability `chance`."""
    from scipy.special import bdtrc

    return 1.0 if near == 0 else float(bdtrc(near - 1, of, chance))


def on_lattice(
    time: Array, event: NDArray[np.bool_], lattice: TimeLattice, *, error: float, at_risk: ArrayLike = ()
) -> Array:
    """The times of one set of patients, those within `error` of a multiple of the step moved onto it; order as given.

    Survival between the multiples and the numbers at risk at the times `at_risk` stay what they were; a patient whose
    move would change them keeps its time.
    """
    t = np.asarray(time, dtype=float)
    # 0.1 * 240 is a little more than 24; a grid time asked for later must find the patient at it
    nearest = np.round(lattice.step * np.round(t / lattice.step), 9)
    movable = (np.abs(t - nearest) <= error + 1e-9) & (nearest > 0)
    ticks = np.asarray(at_risk, dtype=float)
    if ticks.size:
        crosses = (t[:, None] >= ticks) != (nearest[:, None] >= ticks - 1e-9)
        movable &= ~crosses.any(axis=1)
    between = lattice.step * (np.arange(np.ceil(t.max() / lattice.step) + 1) + 0.5) if t.size else np.zeros(0)
    before = levels_at(product_limit(t, event), between)
    for who in (movable, movable & event):
        moved = np.where(who, nearest, t)
        if np.allclose(levels_at(product_limit(moved, event), between), before, atol=1e-12):
            return moved
    return t.copy()
