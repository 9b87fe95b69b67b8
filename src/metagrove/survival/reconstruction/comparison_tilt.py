"""How far each patient at risk and each death of one arm moves the log hazard ratio of two arms, the other arm given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.paths.plan import CENSOR, CONSUME, DROP, LOOK, Plan
from metagrove.survival.paths.search import Tilt

__all__ = ["OtherArm", "comparison_tilt", "levelled"]


@dataclass(frozen=True, slots=True, eq=False)
class OtherArm:
    """The arm beside: its patients sorted by time, the log hazard ratio, and whether it is the treated one."""

    time: Array
    event: NDArray[np.bool_]
    loghr: float
    treated: bool

    def at_risk(self, t: Array) -> Array:
        """Patients of the other arm at risk at each of `t`."""
        return np.asarray(self.time.size - np.searchsorted(self.time, t, side="left"), dtype=np.float64)

    def share(self, own: Array, t: Array) -> Array:
        """The chance that a death at `t` is one of this arm, with `own` at risk in it."""
        factor = np.exp(-self.loghr if self.treated else self.loghr)
        mine = factor * np.maximum(own, 0.5)
        return np.asarray(mine / (mine + np.maximum(self.at_risk(t), 1e-9)), dtype=np.float64)


def comparison_tilt(plan: Plan, centre: Array, n: int, end: float, other: OtherArm) -> Tilt:
    """The log hazard ratio as a linear function of a path of this arm, about the path `centre`.

    Cox's score, the sum over all deaths of (death in the treated arm) - (its chance), is a sum over the states of one
    arm's path, the other arm given; divided by the information it is, to first order, the change of the estimate.

    Parameters
    ----------
    centre : shape (k,), numbers at risk after each operation of `plan`, in the mean. n : patients of this arm.
    end : end of this arm's follow-up.

    Notes
    -----
    Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220. doi:10.1111/j.2517-6161.1972.tb00899.x
    """
    sign = -1.0 if other.treated else 1.0
    k = plan.kind.size
    before = np.concatenate(([float(n)], centre[:-1]))
    drop = np.flatnonzero(plan.kind == DROP)
    deaths = np.maximum(before[drop] - centre[drop], 0.0)
    mine = other.share(before[drop], plan.stop[drop])
    steep = mine * (1 - mine) / np.maximum(before[drop], 0.5)
    toll, pull = np.zeros(k), np.zeros(k + 1)  # pull[o]: of the state before operation o
    toll[drop] = 1 - mine
    np.subtract.at(pull, drop, deaths * steep)
    seen = other.time[other.event & (other.time <= end)]
    gap, along = _places(plan, seen, end)
    here = np.append(before, 1.0)[gap] + (np.append(centre, 1.0)[gap] - np.append(before, centre[-1])[gap]) * along
    theirs = other.share(here, seen)
    steep_there = theirs * (1 - theirs) / np.maximum(here, 0.5)
    np.subtract.at(pull, gap, (1 - along) * steep_there)
    inner = gap < k
    np.subtract.at(pull, gap[inner] + 1, (along * steep_there)[inner])
    information = float(np.sum(deaths * mine * (1 - mine)) + np.sum(theirs * (1 - theirs)))
    scale = sign / max(information, 1e-6)
    return Tilt(scale * pull[1:], scale * toll, centre)


def _places(plan: Plan, seen: Array, end: float) -> tuple[NDArray[np.int64], Array]:
    """The stretch of censoring in which each time lies (k: behind the last) and how far along it."""
    gaps = np.flatnonzero(plan.kind == CENSOR)
    k = plan.kind.size
    last = np.searchsorted(plan.stop[gaps], seen, side="left")
    gap = np.append(gaps, k)[last]
    start = np.append(plan.start, plan.stop[-1] if k else 0.0)[gap]
    stop = np.append(plan.stop, end)[gap]
    along = np.clip((seen - start) / np.maximum(stop - start, 1e-12), 0.0, 1.0)
    return gap, np.where(stop > start, along, 0.5)


def levelled(tilt: Tilt, plan: Plan, n: int, *, counted: bool) -> Tilt:
    """The same tilt, each leave-taking weighed against what the patient was expected to add otherwise.

    The log weight of every whole path changes by one constant, but that of a path's beginning holds what its end is
    expected to bring, so that a beam keeps the right beginnings.

    Parameters
    ----------
    n : patients. counted : whether the number of deaths is given.
    """
    before = np.concatenate(([float(n)], tilt.centre[:-1]))
    leaving = np.isin(plan.kind, (CENSOR, DROP, CONSUME))
    gone = np.where(leaving, np.maximum(before - tilt.centre, 0.0), 0.0)
    each = tilt.toll - np.cumsum(tilt.pull[::-1])[::-1]
    if counted:
        return _against_totals(tilt, plan, gone, each)
    value = np.zeros(plan.kind.size + 1)
    chance = _chances_to_leave(plan, before, gone)
    for o in range(plan.kind.size - 1, -1, -1):
        value[o] = chance[o] * each[o] + (1 - chance[o]) * value[o + 1]
    return Tilt(np.diff(value), np.where(leaving, each - value[:-1], 0.0), tilt.centre)


def _against_totals(tilt: Tilt, plan: Plan, gone: Array, each: Array) -> Tilt:
    """Leave-takings weighed against the others: all deaths together are given, and all who leave before a number at risk."""
    drop = plan.kind == DROP
    seen = np.isin(plan.kind, (LOOK,)) & np.append(True, np.diff(plan.a * (plan.kind == LOOK)) != 0)
    stretch = np.cumsum(seen)
    design = np.zeros((plan.kind.size + 1, int(stretch[-1]) + 2))
    design[np.arange(plan.kind.size), stretch] = 1.0
    design[-1, -2] = 1.0  # those left at the end
    design[:-1, -1] = drop
    load = np.sqrt(np.append(gone, max(float(tilt.centre[-1]), 0.0)) + 1e-9)
    target = np.append(each, 0.0)
    fitted = design @ np.linalg.lstsq(design * load[:, None], target * load, rcond=None)[0]
    left = np.where(np.isin(plan.kind, (CENSOR, DROP, CONSUME)), (target - fitted)[:-1], 0.0)
    return Tilt(np.zeros(plan.kind.size), left, tilt.centre)


def _chances_to_leave(plan: Plan, before: Array, gone: Array) -> Array:
    """Share of those who must leave by the next number at risk (or the end) that leaves in each operation."""
    chance, floor = np.zeros(plan.kind.size), 0.0
    for o in range(plan.kind.size - 1, -1, -1):
        if plan.kind[o] == LOOK:
            floor = plan.a[o]
        chance[o] = min(gone[o] / max(before[o] - floor, gone[o], 1e-9), 1.0)
    return chance
