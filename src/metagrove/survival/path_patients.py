"""Patient times and events of hidden paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.lattice import Lattice
from metagrove.survival.path_model import CENSOR, CONSUME, DROP, LOOK, Plan
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import Reading

__all__ = ["patients_of"]

Whole = NDArray[np.int64]

#: Standard deviation of the log-linear trend of censoring over the whole follow-up.
TREND = 6.0
#: Spread of drawn times of deaths in standard errors of a click; above 1 because sorted clicks err less than single ones.
JITTER = 1.5
#: Chance that a share of those left at the last drop is followed up to the end of the curve, as where it is cut there.
CUT = 0.5
#: Fall of survival that a figure of 600 rows does not show: one and a half of them.
UNSEEN = 1.5 / 600
#: Half the width within which one mark hides another, as a share of follow-up.
MARK_WIDTH = 0.003


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
    censored = np.where(plan.kind == CENSOR, change, 0)
    waited = np.flatnonzero(plan.kind == CONSUME)
    censored[:, waited - 1] += change[:, waited]
    gaps = _gaps(plan, reading, when, ends)
    dying = _owners_placed(deaths)
    who = [dying[0]]
    at_drop = when[dying[0], plan.row[dying[1]]]
    time = [_merged_apart(plan, reading, n, when, dying, rng) if lattice is None else at_drop]
    owners = _owners_placed(censored)
    who.append(owners[0])
    left = _censor_times(plan, gaps, owners, reading.end, rng)
    time.append(_on_grid(left, gaps.start[owners[:2]], gaps.stop[owners[:2]], lattice))
    total_deaths = int(deaths.sum())
    fixed = np.flatnonzero((plan.kind == DROP) | (plan.kind == LOOK))
    last = gaps.stop[:, fixed[-1]] if fixed.size else np.zeros(n.shape[0])
    tail_who, tail = _tails(plan, reading, n[:, -1], (last, ends), rng)
    who.append(tail_who)
    on_grid = _on_grid(tail, last[tail_who], 2 * ends[tail_who], lattice)
    time.append(np.where(tail < ends[tail_who], on_grid, tail))
    owner, times = np.concatenate(who), np.concatenate(time)
    event = np.arange(times.size) < total_deaths
    order = np.lexsort((~event, times, owner))
    shape = (n.shape[0], int(n[0, 0]))
    times = _beside_ticks(times[order].reshape(shape), facts, reading.end)
    return times, event[order].reshape(shape)


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
        when = np.where(early, np.minimum(when, t), np.maximum(when, t + 1e-7 * reading.end))
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


def _on_grid(t: Array, start: Array, stop: Array, lattice: Lattice | None) -> Array:
    """Censoring times as recorded: at the last grid time before, within their stretch."""
    if lattice is None:
        return t
    on = lattice.before(t)
    slack = 1e-3 * lattice.step
    on = np.where(on >= stop - slack, on - lattice.step, on)
    return np.where(on >= start - slack, np.maximum(on, start), np.clip(t, start, np.maximum(stop, start)))


def _beside_ticks(times: Array, facts: Facts, end: float) -> Array:
    """Sorted times moved to the side of each number at risk on which the path has them, no farther than needed."""
    for t, k in zip(facts.risk_time.tolist(), facts.risk_n.tolist(), strict=True):
        split = times.shape[1] - k
        times[:, :split] = np.minimum(times[:, :split], t - 1e-6 * end)
        times[:, split:] = np.maximum(times[:, split:], t)
    return times


def _merged_apart(
    plan: Plan,
    reading: Reading,
    n: Whole,
    when: Array,
    dying: tuple[Whole, Whole, Whole, Whole],
    rng: np.random.Generator | None,
) -> Array:
    """Times of all deaths: at their drop, or before it where single deaths are too small to be seen apart.

    A drop is clicked where the curve has visibly fallen since the last one; the deaths before lie between the two.
    """
    draw, o, place, count = dying
    row = plan.row[o]
    at = when[draw, row]
    if reading.columns or reading.sigma_t <= 0:
        return np.asarray(at, dtype=np.float64)
    drop = np.flatnonzero(plan.kind == DROP)
    below = np.cumprod(n[:, drop + 1] / np.maximum(n[:, drop], 1), axis=1)
    above = np.concatenate((np.ones((n.shape[0], 1)), below), axis=1)
    single = above[draw, row] / np.maximum(n[draw, o], 1)
    past = np.where(row > 0, when[draw, np.maximum(row - 1, 0)], 0.0)
    # More deaths than stay unseen would have been clicked before; they are at the drop itself.
    apart = np.clip(np.ceil(UNSEEN / single - 1e-9) - 1, 0, count - 1)
    share = place / (apart + 1) if rng is None else rng.random(place.size)
    early = (place > 0) & (place <= apart)
    return np.asarray(at - np.where(early, np.maximum(at - past, 0.0) * share, 0.0), dtype=np.float64)


def _owners_placed(counts: Whole) -> tuple[Whole, Whole, Whole, Whole]:
    """Draw, operation, place among those of the same operation, and how many these are, of all in `counts`, (draws, k)."""
    flat = counts.ravel()
    cell = np.repeat(np.arange(flat.size), flat)
    place = np.arange(cell.size) - np.repeat(np.cumsum(flat) - flat, flat)
    return cell // counts.shape[1], cell % counts.shape[1], place, flat[cell]


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


@dataclass(frozen=True, slots=True, eq=False)
class _Gaps:
    """Where the stretch of each operation begins and ends in each draw; shapes (draws, k).

    A path says who left before which death; the stretches move with the deaths so that the patients keep that order.
    """

    start: Array
    stop: Array


def _gaps(plan: Plan, reading: Reading, when: Array, ends: Array) -> _Gaps:
    """The stretches of `plan` with the deaths at `when`, shape (draws, m), and follow-up to `ends`, shape (draws,)."""
    first = np.zeros((ends.size, 1))
    edges = np.concatenate((first, when, ends[:, None]), axis=1)
    fixed = np.concatenate(([0.0], reading.time, [reading.end]))
    drops = plan.kind == DROP
    past = np.cumsum(drops) - drops
    low, high = edges[:, past], edges[:, past + 1]
    start = np.where(plan.start == fixed[past], low, np.clip(plan.start, low, np.maximum(high, low)))
    stop = np.where(plan.stop == fixed[past + 1], high, np.clip(plan.stop, low, np.maximum(high, low)))
    return _Gaps(start, np.maximum(stop, start))


def _tilted(share: Array, length: Array, group: Whole, rng: np.random.Generator) -> Array:
    """Shares in [0, 1] under a trend of censoring that is unknown within a stretch and common to its patients.

    Parameters
    ----------
    length : of the stretches as shares of follow-up. group : number of the stretch of each patient.
    """
    _, place = np.unique(group, return_inverse=True)
    slope = rng.standard_normal(int(place.max()) + 1 if place.size else 0)[place] * np.minimum(TREND * length, 4.0)
    slope = np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    return np.asarray(np.log1p(share * np.expm1(slope)) / slope, dtype=np.float64)


def _censor_times(
    plan: Plan, gaps: _Gaps, owners: tuple[Whole, Whole, Whole, Whole], end: float, rng: np.random.Generator | None
) -> Array:
    draw, o, place, count = owners
    start, stop = gaps.start[draw, o], gaps.stop[draw, o]
    share = (place + 1.0) / (count + 1.0) if rng is None else rng.random(o.size)
    if rng is not None:
        share = _tilted(share, (stop - start) / end, draw * plan.kind.size + o, rng)
    even = start + (stop - start) * share
    if plan.marks is None or not o.size:
        return np.asarray(even, dtype=np.float64)
    table, crowded, known = _marks_by_operation(plan, np.unique(o))
    many = known[o]
    fits = many > 0
    number = np.maximum(many, 1)
    # All marks are used before one stands for two patients; with too few patients they spread over the marks.
    if rng is None:
        extra = ((place - number + 0.5) * number / np.maximum(count - number, 1)).astype(int)
    else:
        extra = np.sum(rng.random(o.size)[:, None] > crowded[o], axis=1)
    extra = np.where(place < number, place, extra)
    spread = ((place + 0.5) * number / np.maximum(count, 1)).astype(np.int64)
    index = np.clip(np.where(count >= number, extra, spread), 0, number - 1)
    at = table[o, index]
    if rng is not None:
        at = at + plan.marks.error * rng.standard_normal(o.size)
        # A mark that hides another lies within its width of it.
        at = at + np.where(place >= number, MARK_WIDTH * end * rng.uniform(-1, 1, o.size), 0.0)
    inside = np.clip(at, start, stop)
    # Off its stretch only by the side of a drop: just before the death, which it was still to see.
    return np.where(fits, np.where(at >= stop, stop - 1e-6 * (stop - start), inside), even)


def _marks_by_operation(plan: Plan, used: Whole) -> tuple[Array, Array, Whole]:
    """Marks that each operation in `used` may hold: padded tables of times and of `_hiding`, (k, most); their number (k,)."""
    assert plan.marks is not None
    found: dict[int, list[float]] = {}
    for o in used.tolist():
        marks = plan.marks.places[int(plan.gap[o])]
        inside = [m for m in marks if plan.start[o] <= m <= plan.stop[o]]
        found[o] = inside or marks
    shape = (plan.kind.size, max(map(len, found.values()), default=0) or 1)
    table, crowded = np.zeros(shape), np.ones(shape)
    known = np.zeros(plan.kind.size, dtype=np.int64)
    for o, marks in found.items():
        table[o, : len(marks)] = marks
        crowded[o, : len(marks)] = _hiding(np.array(marks), float(plan.stop[-1]))
        known[o] = len(marks)
    return table, crowded, known


def _hiding(marks: Array, end: float) -> Array:
    """Cumulative chances that a hidden mark lies under each of `marks`: where marks crowd, more are hidden."""
    if marks.size < 2:
        return np.ones(marks.size)
    gap = np.diff(marks)
    near = np.minimum(np.append(gap, gap[-1]), np.append(gap[0], gap))
    dense = 1 / np.maximum(near, 2 * MARK_WIDTH * end)
    chance = np.cumsum(dense) / dense.sum()
    chance[-1] = 1.0
    return np.asarray(chance, dtype=np.float64)


def _cut(left: Whole, marks: int, rng: np.random.Generator) -> Array:
    """The share of those without a mark who are followed up to the end of the curve itself, in each draw; shape (draws,).

    Curves are cut at a common time as often as they run out; the more who have no mark, the likelier.
    """
    hidden = np.maximum(left - marks, 0)
    chance = np.maximum(CUT, hidden / (hidden + 2.0 * marks + 1.0)) if marks else CUT
    return np.where(rng.random(left.size) < chance, rng.random(left.size), 0.0)


def _tails(
    plan: Plan,
    reading: Reading,
    left: Whole,
    span: tuple[Array, Array],
    rng: np.random.Generator | None,
) -> tuple[Whole, Array]:
    """Who is left after the last operation: one at the end of the curve, the others at marks or evenly before it.

    Parameters
    ----------
    left : shape (draws,), patients left. span : last boundary and end of follow-up in each draw, shape (draws,).
    """
    who = np.repeat(np.arange(left.size), left)
    place = np.arange(who.size) - np.repeat(np.cumsum(left) - left, left)
    count = left[who]
    start, end = span[0][who], np.maximum(span[1], span[0])[who]
    share = (place + 1.0) / count
    if rng is not None:
        share = _tilted(rng.random(who.size), (end - start) / reading.end, who, rng)
        cut = _cut(left, 0, rng)[who]
        share = np.where((place + 1 == count) | (rng.random(who.size) < cut), 1.0, share)
    even = start + (end - start) * share
    marks = np.array(plan.marks.places[-1]) if plan.marks is not None else np.zeros(0)
    marks = marks[:-1]  # the last mark is the end of the curve itself
    if not marks.size:
        return who, even
    others = np.maximum(count - 1, 1)
    index = np.where(others >= marks.size, place % marks.size, ((place + 0.5) * marks.size / others).astype(np.int64))
    hidden = place >= marks.size
    if rng is not None:
        chance = _hiding(np.append(marks, reading.end), reading.end)
        index = np.where(hidden, np.searchsorted(chance, rng.random(who.size)), index)
        index = np.where(hidden & (rng.random(who.size) < _cut(left, marks.size, rng)[who]), marks.size, index)
    at = np.append(marks, reading.end)[np.clip(index, 0, marks.size)]
    if rng is not None and plan.marks is not None:
        at = at + plan.marks.error * rng.standard_normal(who.size)
        at = at + np.where(hidden, MARK_WIDTH * reading.end * rng.uniform(-1, 1, who.size), 0.0)
    times = np.clip(at, start, end)
    return who, np.where(place + 1 == count, end, times)
