"""Times at which the patients of a hidden path were censored: at marks, hidden under marks, or anywhere in their stretch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.lattice import Lattice
from metagrove.survival.paths.censoring import MARK_PIXELS
from metagrove.survival.paths.plan import CENSOR, CONSUME, Plan

__all__ = [
    "Gaps",
    "Owners",
    "PlacedMarks",
    "Whole",
    "censored_patients",
    "last_patients",
    "owners_placed",
    "placed_marks",
]

Whole: TypeAlias = NDArray[np.int64]
#: Draw and operation of each patient, place among those of the same operation, and how many these are.
Owners: TypeAlias = tuple[Whole, Whole, Whole, Whole]

#: Standard deviation of the log-linear trend of censoring over the whole follow-up.
TREND = 6.0
#: Chance that a share of those left at the last drop is followed up to the end of the curve, as where it is cut there.
CUT = 0.5
#: The same where marks lie behind the last drop, at least.
CUT_MARKED = 0.1
#: Standard deviation of the logarithm of a mark's width, which the figure does not tell, around `MARK_PIXELS` of 900.
WIDTH_ERROR = 0.4
#: Chance that of marks drawn into one another the first was read, so that those hidden left later; else it is their middle.
FIRST_READ = 0.5
#: Shape of the gamma distribution by which marks of one crowding differ in what they hide, as visits do in who comes.
CLUMPS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Where the stretch of each operation begins and ends in each draw; shapes (draws, k).

    A path says who left before which death; the stretches move with the deaths so that the patients keep that order.
    """

    start: Array
    stop: Array


def owners_placed(counts: Whole) -> Owners:
    """Draw and operation of every patient counted in `counts`, shape (draws, k); place among those of the same operation, and how many these are."""
    flat = counts.ravel()
    cell = np.repeat(np.arange(flat.size), flat)
    place = np.arange(cell.size) - np.repeat(np.cumsum(flat) - flat, flat)
    return cell // counts.shape[1], cell % counts.shape[1], place, flat[cell]


@dataclass(frozen=True, slots=True, eq=False)
class PlacedMarks:
    """Where the marks lie along each path and how many of the censorings not seen each of them hides.

    Parameters
    ----------
    gap : shape (draws, m), rising. time : shape (draws, m). load : shape (draws, m + 1), cumulative shares of what they hide.
    width : shape (draws,), the distance within which a mark hides the next. early : shape (draws,), how far before the mark.
    """

    gap: Whole
    time: Array
    load: Array
    width: Array
    early: Array


def placed_marks(
    plan: Plan, change: Whole, axis: float, lattice: Lattice | None, rng: np.random.Generator | None
) -> PlacedMarks | None:
    """The marks along each path, None without marks.

    Parameters
    ----------
    change : shape (draws, k), patients who leave in each operation. axis : length of the time axis.
    """
    marks = plan.marks
    if marks is None or not marks.time.size:
        return None
    consumed = np.zeros((len(change), marks.sure.size), dtype=np.int64)
    waited = np.flatnonzero(plan.kind == CONSUME)
    consumed[:, plan.gap[waited]] = change[:, waited]
    gap = np.maximum.accumulate(marks.gaps_of(consumed), axis=1)
    time = np.broadcast_to(marks.time, gap.shape)
    share = np.broadcast_to(marks.share, gap.shape)
    early = width = np.full(len(change), MARK_PIXELS * axis / 900)
    if rng is not None:
        time = time + marks.error * rng.standard_normal(gap.shape)
        steep = rng.random((len(change), 1))  # how far they follow the crowding of marks
        share = share**steep * rng.gamma(CLUMPS, size=gap.shape) + 1e-12
        width = width * np.exp(WIDTH_ERROR * rng.standard_normal(len(change)))
        early = np.where(rng.random(len(change)) < FIRST_READ, 0.0, width)
    if lattice is not None:
        time = lattice.nearest(time)
    load = np.concatenate((np.zeros((len(change), 1)), np.cumsum(share, axis=1)), axis=1)
    return PlacedMarks(gap, np.asarray(time), load, width, early)


def censored_patients(
    plan: Plan,
    change: Whole,
    gaps: Gaps,
    marks: PlacedMarks | None,
    lattice: Lattice | None,
    rng: np.random.Generator | None,
) -> tuple[Whole, Array]:
    """Draw and time of every patient censored before the last stretch."""
    counts = np.where(plan.kind == CENSOR, change, 0)
    waited = np.flatnonzero(plan.kind == CONSUME)
    counts[:, waited - 1] += change[:, waited]
    who, time = [], []
    if marks is not None:
        draw, o, at = _at_marks(plan, marks)
        start, stop = gaps.start[draw, o], gaps.stop[draw, o]
        who, time = [draw], [_on_grid(_within(at, start, stop), start, stop, lattice)]
        np.subtract.at(counts, (draw, o), 1)
        counts = np.maximum(counts, 0)
    owners = owners_placed(counts)
    draw, o, place, count = owners
    start, stop = gaps.start[draw, o], gaps.stop[draw, o]
    share = (place + 1.0) / (count + 1.0) if rng is None else rng.random(o.size)
    if rng is not None:
        end = float(plan.stop[-1]) if plan.stop.size else 1.0
        share = _tilted(share, (stop - start) / end, draw * plan.kind.size + o, rng)
    at = _spread(share, start, stop, lattice)
    if marks is not None and o.size:
        at = _under_marks(plan, marks, owners, (start, stop, at), lattice, rng)
        at = _on_grid(at, start, stop, lattice)
    who.append(draw)
    time.append(at)
    return np.concatenate(who), np.concatenate(time)


def _within(at: Array, start: Array, stop: Array) -> Array:
    """Times in their stretch: those off its end lie just before the death there, at which they are no longer at risk."""
    return np.where(at >= stop, stop - 1e-6 * (stop - start), np.maximum(at, start))


def _at_marks(plan: Plan, marks: PlacedMarks) -> tuple[Whole, Whole, Array]:
    """Draw, operation and time of the patients seen as marks before the last stretch."""
    assert plan.marks is not None
    carrier = np.zeros(plan.marks.sure.size, dtype=np.int64)
    waits = np.append(plan.kind[1:] == CONSUME, False)
    holds = np.flatnonzero((plan.kind == CENSOR) & ((plan.c > 0) | waits))
    carrier[plan.gap[holds]] = holds
    draw, j = np.nonzero(marks.gap < carrier.size - 1)
    return draw, carrier[marks.gap[draw, j]], marks.time[draw, j]


def _under_marks(
    plan: Plan,
    marks: PlacedMarks,
    owners: Owners,
    known: tuple[Array, Array, Array],
    lattice: Lattice | None,
    rng: np.random.Generator | None,
) -> Array:
    """Times of patients censored without a mark of their own: close to one of those in their stretch, or as they are.

    Parameters
    ----------
    known : start and stop of each patient's stretch, and a time without regard to marks.
    """
    draw, o, place, count = owners
    start, stop, even = known
    rows, m = marks.gap.shape
    gaps = int(plan.marks.sure.size) if plan.marks is not None else 1
    keys = (marks.gap + (gaps + 1) * np.arange(rows)[:, None]).ravel()
    wanted = plan.gap[o] + (gaps + 1) * draw
    first = np.searchsorted(keys, wanted, side="left") - m * draw
    last = np.searchsorted(keys, wanted, side="right") - m * draw
    none = first >= last
    # Without a mark in the stretch, one beyond its ends may hide the patient: the nearer of the two.
    before, after = np.maximum(first - 1, 0), np.minimum(last, m - 1)
    nearer = np.where(start - marks.time[draw, before] <= marks.time[draw, after] - stop, before, after)
    nearer = np.where(first == 0, after, np.where(first == m, before, nearer))
    first, last = np.where(none, nearer, first), np.where(none, nearer + 1, last)
    part = (place + 0.5) / count if rng is None else rng.random(o.size)
    inner = marks.time[draw, _hiding(marks, draw, (first, last), part)]
    reach = marks.width[draw] + 3 * (plan.marks.error if plan.marks is not None else 0.0)
    off = np.maximum(start - inner, inner - stop)
    if rng is not None:
        inner = inner + _beside(marks, draw, lattice, rng)
        # A mark close before a death, or after it, also hides who left on its other side.
        wide = first - (start - marks.time[draw, before] < marks.width[draw]) * (before < first)
        past = last + (marks.time[draw, after] - stop < marks.width[draw]) * (after >= last)
        outer = marks.time[draw, _hiding(marks, draw, (wide, past), rng.random(o.size))]
        outer = outer + _beside(marks, draw, lattice, rng)
        inner = np.where((outer >= start) & (outer < stop), outer, inner)
    return np.where(none & (off > reach), even, _within(inner, start, stop))


def _hiding(marks: PlacedMarks, draw: Whole, span: tuple[Whole, Whole], part: Array) -> Whole:
    """For each hidden patient the mark among those of `span` (first and past the last) at the share `part` of their load."""
    rows, m = marks.gap.shape
    low, high = marks.load[draw, span[0]], marks.load[draw, span[1]]
    apart = float(marks.load.max()) + 1.0
    aim = low + (high - low) * part + apart * draw
    found = np.searchsorted((marks.load + apart * np.arange(rows)[:, None]).ravel(), aim, side="right")
    return np.asarray(np.clip(found - 1 - (m + 1) * draw, span[0], span[1] - 1), dtype=np.int64)


def _beside(marks: PlacedMarks, draw: Whole, lattice: Lattice | None, rng: np.random.Generator) -> Array:
    """How far from its mark each hidden patient left: within the mark's width, by whole steps of a grid of times."""
    early = marks.early[draw]
    off = (early + marks.width[draw]) * rng.random(draw.size) - early
    return off if lattice is None else np.asarray(np.trunc(off / lattice.step) * lattice.step)


def _on_grid(t: Array, start: Array, stop: Array, lattice: Lattice | None) -> Array:
    """Censoring times as recorded, at the grid time of their mark, within their stretch."""
    if lattice is None:
        return t
    on = lattice.nearest(t)
    slack = 1e-3 * lattice.step
    on = np.where(on >= stop - slack, lattice.nearest(on - lattice.step), on)
    return np.where(on >= start - slack, np.maximum(on, start), np.clip(t, start, np.maximum(stop, start)))


def _spread(share: Array, start: Array, stop: Array, lattice: Lattice | None) -> Array:
    """Times at a share of the way from `start` to `stop`; on a grid, at that share of its times there, whatever the rounding was.

    Those who leave at the time of a death leave after it: the first grid time belongs to the stretch, the last does not.
    """
    free = start + (stop - start) * share
    if lattice is None:
        return free
    first = np.maximum(np.ceil(start / lattice.step - 1e-4), 1.0)
    count = np.ceil(stop / lattice.step - 1e-4) - first
    on = lattice.nearest((first + np.floor(np.minimum(share, 1 - 1e-9) * count)) * lattice.step)
    return np.asarray(np.where(count > 0, np.maximum(on, start), free))


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


def _cut(left: Whole, marks: Whole | int, rng: np.random.Generator) -> Array:
    """The share of those without a mark who are followed up to the end of the curve itself, in each draw; shape (draws,).

    Curves are cut at a common time as often as they run out. Marks say that this one runs out, unless they are few for
    those who are left.
    """
    hidden, seen = np.maximum(left - marks, 0), np.asarray(marks)
    chance = np.where(seen > 0, np.maximum(CUT_MARKED, hidden / (hidden + 2.0 * seen + 1.0)), CUT)
    return np.where(rng.random(left.size) < chance, rng.random(left.size), 0.0)


def last_patients(
    plan: Plan,
    left: Whole,
    span: tuple[Array, Array],
    marks: PlacedMarks | None,
    lattice: Lattice | None,
    rng: np.random.Generator | None,
) -> tuple[Whole, Array]:
    """Draw and time of those left after the last operation: one at the end of the curve, the others at marks or before it.

    Parameters
    ----------
    left : shape (draws,), patients left. span : last boundary and end of follow-up in each draw, shape (draws,).
    """
    who = np.repeat(np.arange(left.size), left)
    place = np.arange(who.size) - np.repeat(np.cumsum(left) - left, left)
    count = left[who]
    start, end = span[0][who], np.maximum(span[1], span[0])[who]
    share = (place + 1.0) / count
    last = place + 1 == count
    if rng is not None:
        length = float(plan.stop[-1]) if plan.stop.size else 1.0
        share = _tilted(rng.random(who.size), (end - start) / max(length, 1e-12), who, rng)
        cut = _cut(left, 0, rng)[who]
        share = np.where(last | (rng.random(who.size) < cut), 1.0, share)
    past = end if lattice is None else end + lattice.step
    at = np.where(share < 1, np.minimum(_spread(share, start, past, lattice), end), end)
    seen = None if marks is None else _tail_marks(plan, marks, left, span[1], lattice)
    if marks is not None and seen is not None and seen.any():
        at = _in_tail(marks, seen, (who, place, count), (start, end, at), lattice, rng)
        at = np.minimum(_on_grid(at, start, 2 * end, lattice), end)
    return who, np.where(last, end, at)


def _tail_marks(plan: Plan, marks: PlacedMarks, left: Whole, end: Array, lattice: Lattice | None) -> NDArray[np.bool_]:
    """Which marks lie behind the last boundary in each draw, but for the one that is the end of the curve itself.

    The last mark is the end where it lies within its error of it, or where as many are left as there are marks.
    """
    assert plan.marks is not None
    seen = marks.gap == plan.marks.sure.size - 1
    last = plan.marks.time[-1:] if lattice is None else lattice.nearest(plan.marks.time[-1:])
    seen[:, -1] &= (np.abs(last - end) > 3 * plan.marks.error + 1e-6 * end) & (left > seen.sum(axis=1))
    return np.asarray(seen)


def _in_tail(
    marks: PlacedMarks,
    seen: NDArray[np.bool_],
    patients: tuple[Whole, Whole, Whole],
    known: tuple[Array, Array, Array],
    lattice: Lattice | None,
    rng: np.random.Generator | None,
) -> Array:
    """Times of those left: each mark one of them, the others hidden under marks or followed to the end."""
    who, place, count = patients
    start, end, even = known
    rows, m = marks.gap.shape
    number = seen.sum(axis=1)
    many, first = number[who], m - 1 - np.argmax(seen[:, ::-1], axis=1) + 1 - number
    others = np.maximum(count - 1, 1)
    spread = ((place + 0.5) * many / others).astype(np.int64)
    index = np.where(others >= many, place, spread)
    hidden = (place >= many) & (others >= many)
    low, high = marks.load[np.arange(rows), first], marks.load[np.arange(rows), first + number]
    # The end of the curve hides as one mark more.
    part = (place - many + 0.5) / np.maximum(count - many, 1) if rng is None else rng.random(who.size)
    ahead = low[who] + (high - low)[who] * part * (many + 1) / np.maximum(many, 1)
    span = 2 * float(marks.load.max()) + 1.0
    found = np.searchsorted((marks.load + span * np.arange(rows)[:, None]).ravel(), ahead + span * who, side="right")
    found = found - 1 - (m + 1) * who - first[who]
    index = np.where(hidden, np.where(ahead >= high[who], many, found), index)
    if rng is not None:
        index = np.where(
            hidden & (rng.random(who.size) < _cut(np.bincount(who, minlength=rows), number, rng)[who]), many, index
        )
    index = np.clip(index, 0, many)
    at = np.where(index < many, marks.time[who, np.minimum(first[who] + index, m - 1)], end)
    if rng is not None:
        at = at + np.where(hidden, _beside(marks, who, lattice, rng), 0.0)
    return np.where(many > 0, np.clip(at, start, end), even)
