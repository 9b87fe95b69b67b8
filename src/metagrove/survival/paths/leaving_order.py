"""Times that keep the order of a path: who was censored before a death is seen before it, also once times are rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_facts import Facts

__all__ = ["beside_ticks", "in_order", "just_before"]

#: Share of a time by which a censoring lies before the death that follows it: two units of its sixth digit. R takes times
#: within 1e-8 for one (`timefix`), and a patient censored at the time of a death is at risk for it.
APART = 2e-5
#: The same as a share of follow-up, for times close to 0.
SHORTEST = 1e-7
#: Part of the distance that is asked for when a death is moved instead; below 1, so that what was moved once stays.
ENOUGH = 0.75


def just_before(t: Array | float, end: float) -> Array:
    """The last times at which somebody who left was not yet at risk at `t`; shape of `t`."""
    return np.asarray(t - np.maximum(APART * t, SHORTEST * end))


def beside_ticks(times: Array, facts: Facts, end: float) -> Array:
    """Sorted times moved to the side of each number at risk on which the path has them, no farther than needed."""
    for t, k in zip(facts.risk_time.tolist(), facts.risk_n.tolist(), strict=True):
        split = times.shape[1] - k
        times[:, :split] = np.minimum(times[:, :split], t - 1e-6 * end)
        times[:, split:] = np.maximum(times[:, split:], t)
    return times


def in_order(times: Array, event: NDArray[np.bool_], facts: Facts, end: float) -> Array:
    """Times beside the printed numbers at risk, each censoring before a death apart from it; shape (rows, n).

    Parameters
    ----------
    times, event : sorted rows, in the order of the path where times are equal. Who is too close to a death leaves earlier,
        and the death comes later only where a number at risk holds the other in place.
    """
    times = beside_ticks(times, facts, end)
    rows = np.flatnonzero(_close(times, event, end).any(axis=1))
    if rows.size:
        early = beside_ticks(_earlier(times[rows], event[rows], end), facts, end)
        times[rows] = _later(early, event[rows], end)
    return times


def _close(times: Array, event: NDArray[np.bool_], end: float) -> NDArray[np.bool_]:
    """Where a patient censored is too close to the death that is next, shape (rows, n - 1)."""
    return np.asarray(~event[:, :-1] & event[:, 1:] & (times[:, :-1] > just_before(times[:, 1:], end)))


def _earlier(times: Array, event: NDArray[np.bool_], end: float) -> Array:
    """Rows in which patients leave so early that every order is kept, but not before 0."""
    gap = np.where(~event[:, :-1] & event[:, 1:], times[:, 1:] - just_before(times[:, 1:], end), 0.0)
    room = np.concatenate((np.zeros((len(times), 1)), np.cumsum(gap, axis=1)), axis=1)
    latest = np.minimum.accumulate((times - room)[:, ::-1], axis=1)[:, ::-1] + room
    return np.maximum(np.where(latest < times * (1 - 1e-12), latest, times), 0.0)


def _later(times: Array, event: NDArray[np.bool_], end: float) -> Array:
    """Rows in which deaths come so late that every order is kept."""
    after = ENOUGH * (times[:, :-1] - just_before(times[:, :-1], end))
    gap = np.where(~event[:, :-1] & event[:, 1:], np.maximum(after, ENOUGH * SHORTEST * end), 0.0)
    room = np.concatenate((np.zeros((len(times), 1)), np.cumsum(gap, axis=1)), axis=1)
    first = np.maximum.accumulate(times - room, axis=1) + room
    return np.where(first > times * (1 + 1e-12), first, times)
