"""Patient times and events of hidden paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.path_model import CENSOR, CONSUME, DROP, Plan
from metagrove.survival.printed_facts import Facts
from metagrove.survival.steps import Reading

__all__ = ["patients_of"]

Whole = NDArray[np.int64]


def patients_of(
    plan: Plan,
    reading: Reading,
    facts: Facts,
    paths: NDArray[np.int32],
    rng: np.random.Generator | None = None,
) -> tuple[Array, NDArray[np.bool_]]:
    """Patients of each path, sorted by time: times and event flags, shape (paths, n).

    Parameters
    ----------
    facts : the numbers at risk that the paths meet.
    paths : shape (paths, k + 1), numbers at risk before each operation and after the last.
    rng : with it, times are drawn within what the reading leaves open; without, they take their likeliest place.
    """
    n = paths.astype(np.int64)
    change = n[:, :-1] - n[:, 1:]
    ends = _ends(reading, n.shape[0], rng)
    when = _death_times(reading, ends, rng)
    deaths = np.where(plan.kind == DROP, change, 0)
    censored = np.where(plan.kind == CENSOR, change, 0)
    waited = np.flatnonzero(plan.kind == CONSUME)
    censored[:, waited - 1] += change[:, waited]
    draw, o = _owners(deaths)
    who = [draw]
    time = [when[draw, plan.row[o]]]
    draw, o, place, count = _owners_placed(censored)
    who.append(draw)
    time.append(_censor_times(plan, o, place, count, rng))
    total_deaths = int(deaths.sum())
    tail_who, tail = _tails(plan, reading, n[:, -1], ends, rng)
    who.append(tail_who)
    time.append(tail)
    owner, times = np.concatenate(who), np.concatenate(time)
    event = np.arange(times.size) < total_deaths
    order = np.lexsort((~event, times, owner))
    shape = (n.shape[0], int(n[0, 0]))
    times = _beside_ticks(times[order].reshape(shape), facts, reading.end)
    return times, event[order].reshape(shape)


def _beside_ticks(times: Array, facts: Facts, end: float) -> Array:
    """Sorted times moved to the side of each number at risk on which the path has them, no farther than needed."""
    for t, k in zip(facts.risk_time.tolist(), facts.risk_n.tolist(), strict=True):
        split = times.shape[1] - k
        times[:, :split] = np.minimum(times[:, :split], t - 1e-6 * end)
        times[:, split:] = np.maximum(times[:, split:], t)
    return times


def _owners(counts: Whole) -> tuple[Whole, Whole]:
    """Draw and operation of every patient counted in `counts`, shape (draws, k)."""
    flat = np.repeat(np.arange(counts.size), counts.ravel())
    return flat // counts.shape[1], flat % counts.shape[1]


def _owners_placed(counts: Whole) -> tuple[Whole, Whole, Whole, Whole]:
    """The same with each patient's place among those of the same operation, and how many these are."""
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


def _death_times(reading: Reading, ends: Array, rng: np.random.Generator | None) -> Array:
    """Times of the deaths of every step, shape (draws, m)."""
    time = reading.time
    shape = (ends.size, time.size)
    if reading.columns:
        share = 0.5 if rng is None else rng.random(shape)
        when = np.broadcast_to(reading.since + (time - reading.since) * share, shape).copy()
        if time.size and (reading.ends_at_zero or time[-1] >= reading.end):
            when[:, -1] = time[-1]
        return when
    if rng is None or reading.sigma_t <= 0:
        return np.broadcast_to(time, shape)
    moved = np.sort(time + 1.2 * reading.sigma_t * rng.standard_normal(shape), axis=1)
    if reading.ends_at_zero and time.size:
        moved[:, -1] = ends
    return np.clip(moved, 1e-4 * reading.end, ends[:, None])


def _censor_times(plan: Plan, o: Whole, place: Whole, count: Whole, rng: np.random.Generator | None) -> Array:
    start, stop = plan.start[o], plan.stop[o]
    share = (place + 1.0) / (count + 1.0) if rng is None else rng.random(o.size)
    even = start + (stop - start) * share
    if plan.marks is None or not o.size:
        return np.asarray(even, dtype=np.float64)
    table, known = _marks_by_operation(plan, np.unique(o))
    many = known[o]
    fits = many > 0
    number = np.maximum(many, 1)
    # All marks are used before one stands for two patients; with too few patients they spread over the marks.
    extra = np.where(
        place < number, place, ((place - number + 0.5) * number / np.maximum(count - number, 1)).astype(int)
    )
    spread = ((place + 0.5) * number / np.maximum(count, 1)).astype(np.int64)
    index = np.clip(np.where(count >= number, extra, spread), 0, number - 1)
    at = table[o, index] if rng is None else table[o, index] + plan.marks.error * rng.standard_normal(o.size)
    return np.where(fits, np.clip(at, start, stop), even)


def _marks_by_operation(plan: Plan, used: Whole) -> tuple[Array, Whole]:
    """Marks that each operation in `used` may hold: padded table (k, most) and their number (k,)."""
    assert plan.marks is not None
    found: dict[int, list[float]] = {}
    for o in used.tolist():
        marks = plan.marks.places[int(plan.gap[o])]
        inside = [m for m in marks if plan.start[o] <= m <= plan.stop[o]]
        found[o] = inside or marks
    table = np.zeros((plan.kind.size, max(map(len, found.values()), default=0) or 1))
    known = np.zeros(plan.kind.size, dtype=np.int64)
    for o, marks in found.items():
        table[o, : len(marks)] = marks
        known[o] = len(marks)
    return table, known


def _tails(
    plan: Plan, reading: Reading, left: Whole, ends: Array, rng: np.random.Generator | None
) -> tuple[Whole, Array]:
    """Who is left after the last operation: one at the end of the curve, the others at marks or evenly before it."""
    who = np.repeat(np.arange(left.size), left)
    place = np.arange(who.size) - np.repeat(np.cumsum(left) - left, left)
    count = left[who]
    start = float(plan.stop[plan.row >= 0][-1]) if np.any(plan.row >= 0) else 0.0
    start = max(start, float(plan.start[-1])) if plan.start.size and plan.start[-1] < reading.end else start
    share = (place + 1.0) / count if rng is None else np.where(place + 1 == count, 1.0, rng.random(who.size))
    end = np.maximum(ends[who], start)
    even = start + (end - start) * share
    marks = np.array(plan.marks.places[-1]) if plan.marks is not None else np.zeros(0)
    marks = marks[:-1]  # the last mark is the end of the curve itself
    if not marks.size:
        return who, even
    others = np.maximum(count - 1, 1)
    index = np.where(others >= marks.size, place % marks.size, ((place + 0.5) * marks.size / others).astype(np.int64))
    at = marks[np.clip(index, 0, marks.size - 1)]
    if rng is not None and plan.marks is not None:
        at = at + plan.marks.error * rng.standard_normal(who.size)
    times = np.clip(at, start, end)
    return who, np.where(place + 1 == count, end, times)
