"""Patient times and events of hidden paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.lattice import Lattice
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.paths.censored_times import (
    Gaps,
    Whole,
    censored_patients,
    last_patients,
    owners_placed,
    placed_marks,
)
from metagrove.survival.paths.leaving_order import in_order, just_before
from metagrove.survival.paths.plan import CENSOR, DROP, LOOK, Plan
from metagrove.survival.paths.weights import VISIBLE

__all__ = ["patients_of"]

#: Spread of drawn times of deaths in standard errors of a click; above 1 because sorted clicks err less than single ones.
JITTER = 1.5
#: Deaths that share their time beside those seen to do so.
TIED = 0.15


def patients_of(
    plan: Plan,
    reading: Reading,
    facts: Facts,
    paths: NDArray[np.int32],
    rng: np.random.Generator | None = None,
    *,
    lattice: Lattice | None = None,
) -> tuple[Array, NDArray[np.bool_]]:
    """Patients of each path, sorted by time: times and event flags, shape (paths, n).

    Parameters
    ----------
    facts : the numbers at risk that the paths meet.
    paths : shape (paths, k + 1), numbers at risk before each operation and after the last.
    rng : with it, times are drawn within what the reading leaves open; without, they take their likeliest place.
    lattice : the grid on which times were recorded, None for continuous times.
    """
    n = paths.astype(np.int64)
    change = n[:, :-1] - n[:, 1:]
    ends = _ends(reading, n.shape[0], rng)
    if lattice is not None:
        ends = lattice.placed(ends)
    when = _death_times(reading, ends, lattice, rng)
    if lattice is not None and not reading.columns:
        when = np.minimum(lattice.placed(when), ends[:, None])
    drops = plan.kind == DROP
    if facts.median is not None or facts.rates:
        level = np.cumprod(n[:, 1:][:, drops] / np.maximum(n[:, :-1][:, drops], 1), axis=1, dtype=np.float64)
        when = _as_printed(np.array(when), level, reading, facts)
    deaths = np.where(drops, change, 0)
    gaps = _gaps(plan, reading, when, ends)
    draw, o, place, _ = owners_placed(deaths)
    died = _unseen_earlier(when[draw, plan.row[o]], (draw, o, place), (plan, reading, n, gaps), lattice, rng)
    marks = placed_marks(plan, change, facts.axis, lattice, rng)
    early_who, early = censored_patients(plan, change, gaps, marks, lattice, rng)
    fixed = np.flatnonzero((plan.kind == DROP) | (plan.kind == LOOK))
    last = gaps.stop[:, fixed[-1]] if fixed.size else np.zeros(n.shape[0])
    late_who, late = last_patients(plan, n[:, -1], (last, ends), marks, lattice, rng)
    owner = np.concatenate((draw, early_who, late_who))
    # By draw, deaths first; then by time, so that a death comes before a censoring of the same time.
    order = np.argsort(owner.astype(np.int32), kind="stable").reshape(n.shape[0], int(n[0, 0]))
    times = np.concatenate((died, early, late))[order]
    within = np.argsort(times, axis=1, kind="stable")
    times, order = np.take_along_axis(times, within, axis=1), np.take_along_axis(order, within, axis=1)
    event = np.asarray(order < draw.size)
    if reading.sparse and lattice is None and facts.median is None and not facts.rates:
        times = _apart(times, event, reading, rng)
    return in_order(times, event, facts, reading.end), event


def _apart(times: Array, event: NDArray[np.bool_], reading: Reading, rng: np.random.Generator | None) -> Array:
    """Times with the deaths seen between two places spread over the time between them, each path's order kept.

    Parameters
    ----------
    times, event : sorted rows, shape (paths, n); deaths between two places are all at one time.
    """
    tied = event[:, 1:] & event[:, :-1] & (times[:, 1:] == times[:, :-1])
    first = ~np.pad(tied, ((0, 0), (1, 0)))
    place = np.arange(times.shape[1])
    begin = np.maximum.accumulate(np.where(first, place, 0), axis=1)
    size = np.bincount((np.cumsum(first.ravel()) - 1), minlength=1)[np.cumsum(first.ravel()) - 1].reshape(times.shape)
    edged = np.pad(times, ((0, 0), (1, 1)), constant_values=((0, 0), (0.0, reading.end)))
    row = np.minimum(np.searchsorted(reading.time, times), reading.time.size - 1)
    low = np.maximum(np.take_along_axis(edged, begin, axis=1), reading.since[row])
    high = np.minimum(np.take_along_axis(edged, begin + size + 1, axis=1), reading.time[row])
    share = (place - begin + (0.5 if rng is None else rng.random(times.shape))) / size
    # As far to either side: a patient who left close by on one would else draw all deaths to the other.
    half = np.minimum(times - low, high - times)
    return np.where(event & (size > 1) & (half > 0), times + half * (2 * share - 1), times)


def _as_printed(when: Array, level: Array, reading: Reading, facts: Facts) -> Array:
    """Times of deaths, moved within their reading error to the side of a printed rate or to the printed median.

    Parameters
    ----------
    when, level : shape (draws, m), times of the drops, never falling, and survival after each.
    """
    rows = np.arange(when.shape[0])
    reach = np.maximum(4 * reading.sigma_t, reading.time - reading.since)
    place = np.arange(when.shape[1])
    steps = np.concatenate((np.ones((when.shape[0], 1)), level), axis=1)
    for t, rate in facts.rates.items():
        near = np.flatnonzero(np.abs(reading.time - t) <= reach)
        if rate.estimate is None or not near.size:
            continue
        options = np.arange(near[0], near[-1] + 2)
        count = options[np.argmin(np.abs(steps[:, options] - rate.estimate), axis=1)]
        early = place < count[:, None]
        when = np.where(early, np.minimum(when, t), np.maximum(when, 2 * t - just_before(t, reading.end)))
    median = facts.median
    if median is None or median.estimate is None or not level.size:
        return when
    first = np.argmax(level <= 0.5 + 1e-9, axis=1)
    crosses = level[rows, first] <= 0.5 + 1e-9
    now = when[rows, first]
    pinned = np.clip(now, median.estimate - median.half_unit, median.estimate + median.half_unit)
    fine = crosses & (np.abs(pinned - now) <= reach[first]) & (pinned > 0)
    pinned = np.where(fine, pinned, now)[:, None]
    when = np.where(place < first[:, None], np.minimum(when, pinned), np.maximum(when, pinned))
    when[rows, first] = pinned[:, 0]
    return when


def _ends(reading: Reading, draws: int, rng: np.random.Generator | None) -> Array:
    """The end of follow-up in each draw, shape (draws,): as uncertain as any click."""
    if rng is None or reading.sigma_t <= 0:
        return np.full(draws, reading.end)
    # A fall to zero at the end is read twice, once as the drop and once as the end.
    error = reading.sigma_t / np.sqrt(2) if reading.ends_at_zero else reading.sigma_t
    last = float(reading.time[-1]) if reading.time.size and not reading.ends_at_zero else 0.0
    return np.maximum(reading.end + error * rng.standard_normal(draws), max(last, 0.9 * reading.end))


def _death_times(reading: Reading, ends: Array, lattice: Lattice | None, rng: np.random.Generator | None) -> Array:
    """Times of the deaths of every step, shape (draws, m)."""
    time = reading.time
    shape = (ends.size, time.size)
    if reading.columns:
        share = 0.5 if rng is None else rng.random(shape)
        middle = (reading.since + time) / 2
        when = np.broadcast_to(reading.since + (time - reading.since) * share, shape).copy()
        if lattice is not None:  # a column that holds no grid time, or some error of it, leaves the time open
            known = lattice.placed(middle)
            return np.maximum.accumulate(np.where(known == middle, when, known), axis=1)
        if time.size and (reading.ends_at_zero or time[-1] >= reading.end):
            when[:, -1] = time[-1]
        return when
    if rng is None or reading.sigma_t <= 0:
        return np.broadcast_to(time, shape)
    moved = np.sort(time + JITTER * reading.sigma_t * rng.standard_normal(shape), axis=1)
    if reading.ends_at_zero and time.size:
        moved[:, -1] = ends
    return np.clip(moved, 1e-4 * reading.end, ends[:, None])


def _unseen_earlier(
    when: Array,
    owners: tuple[Whole, Whole, Whole],
    known: tuple[Plan, Reading, Whole, Gaps],
    lattice: Lattice | None,
    rng: np.random.Generator | None,
) -> Array:
    """Times of deaths at clicked drops, those moved before the click that the eye could not tell from a flat curve.

    A drop is clicked once the curve has fallen by `VISIBLE`; with many at risk one death falls short of that, and a click
    that stands for several was preceded by those that were not seen yet.

    Parameters
    ----------
    when : time of the click of each death. owners : draw, operation and place of each death.
    """
    plan, reading, n, gaps = known
    draw, o, place = owners
    if reading.columns or reading.sigma_t <= 0 or not when.size:
        return when
    drops = np.flatnonzero(plan.kind == DROP)
    after = np.cumprod(n[:, drops + 1] / np.maximum(n[:, drops], 1), axis=1, dtype=np.float64)
    before = np.concatenate((np.ones((n.shape[0], 1)), after[:, :-1]), axis=1)
    fall = before[draw, plan.row[o]] / np.maximum(n[draw, o], 1)
    early = ((place + 1) * fall < VISIBLE) & (place + 1 < n[draw, o] - n[draw, o + 1])
    lead = np.maximum.accumulate(np.where(plan.kind == CENSOR, np.arange(plan.kind.size), 0))
    start = gaps.start[draw, lead[o]]
    share = (place + 1) * fall / VISIBLE if rng is None else rng.random(when.size)
    if rng is not None:
        # Deaths beyond what the eye needs for a drop share its time; the more of them, the likelier do the others.
        ties = np.bincount(draw, ~early & (place > 0) & ((place + 1) * fall >= VISIBLE + fall), n.shape[0])
        tied = (TIED + ties) / (1 + ties + np.bincount(draw, early, n.shape[0]))
        early &= rng.random(when.size) >= tied[draw]
    moved = start + (when - start) * share
    if lattice is not None:
        moved = np.clip(lattice.nearest(moved), start, when)
    return np.where(early, moved, when)


def _gaps(plan: Plan, reading: Reading, when: Array, ends: Array) -> Gaps:
    """The stretches of `plan` with the deaths at `when`, shape (draws, m), and follow-up to `ends`, shape (draws,)."""
    first = np.zeros((ends.size, 1))
    edges = np.concatenate((first, when, ends[:, None]), axis=1)
    fixed = np.concatenate(([0.0], reading.time, [reading.end]))
    drops = plan.kind == DROP
    past = np.cumsum(drops) - drops
    low, high = edges[:, past], edges[:, past + 1]
    start = np.where(plan.start == fixed[past], low, np.clip(plan.start, low, np.maximum(high, low)))
    stop = np.where(plan.stop == fixed[past + 1], high, np.clip(plan.stop, low, np.maximum(high, low)))
    return Gaps(start, np.maximum(stop, start))
