"""The likeliest patients of two arms that together show the printed hazard ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.lattice import Lattice
from metagrove.survival.evidence.printed_comparison import Window
from metagrove.survival.paths.leaving_order import in_order, just_before
from metagrove.survival.paths.solution import point_near
from metagrove.survival.reconstruction.comparison_kernels import compared
from metagrove.survival.reconstruction.likely_patients import SolvedArm
from metagrove.survival.reconstruction.paired_draws import Pairs, Patients, Pool

__all__ = ["paired_point"]

#: Points that are tried on the way to the printed value.
STEPS = 10
#: Agreeing pairs among which the point is looked for where it reaches none itself.
MATCHES = 200
#: Of these, the nearest that are tried at times between their likeliest and their own.
TRIED = 120
#: Share of a window's width by which the point is to lie inside it.
INSIDE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class _Course:
    """How one arm's point moves with the printed facts.

    `centre`, `spread`: numbers at risk after each operation among the pairs that agree, shape (k,). `late`: how much later
    each patient leaves among them than in all draws, shape (n,). `slope`, `lag`: change of both for each unit by which
    the value aimed at is to change further.
    """

    arm: SolvedArm
    chosen: NDArray[np.int32]
    centre: Array
    spread: Array
    late: Array
    slope: Array
    lag: Array

    def path(self, off: float) -> NDArray[np.int32]:
        """The likeliest path when the value aimed at is moved by `off`, shape (1, k + 1)."""
        if not self.arm.paths.beliefs:
            return self.arm.paths.point
        return point_near(self.arm.paths, self.centre + off * self.slope, self.spread, self.chosen)

    def patients(self, path: NDArray[np.int32], off: float) -> Patients:
        """The patients of a path, their times moved for `off`."""
        time, event = self.arm.point(path)
        moved = _moved(self.arm, (time, event), _smooth(off * self.lag, event), self.late + off * self.lag)
        return _ordered(self.arm, moved, event)


def _ordered(arm: SolvedArm, time: Array, event: NDArray[np.bool_]) -> Patients:
    """Patients whose deaths are in their order, sorted, each censoring still before the death it was to see."""
    order = np.lexsort((~event, time))
    event = event[order]
    return in_order(time[order][None], event[None], arm.facts, float(time.max()))[0], event


def _smooth(late: Array, event: NDArray[np.bool_]) -> Array:
    """Moves of the deaths, each the mean of its neighbours': a fifteenth of them, as few draws tell single ones badly."""
    width = max(int(event.sum()) // 15, 1)
    over = np.ones(width)
    out = np.zeros(late.size)
    if event.any():
        out[event] = np.convolve(late[event], over, mode="same") / np.convolve(
            np.ones(int(event.sum())), over, mode="same"
        )
    return out


def _moved(arm: SolvedArm, patients: Patients, dying: Array, late: Array) -> Array:
    """Sorted times moved by `dying` (deaths) and `late` (censorings), in order and on their side of every printed time.

    Deaths stay within the error of their reading, censorings between the deaths around them.
    """
    time, event = patients
    end = float(time[-1])
    reach = _reach(arm)
    new = np.array(time)
    deaths = np.maximum.accumulate(np.clip(time + np.clip(dying, -reach, reach), 1e-4 * end, end)[event])
    # Deaths that share a time keep sharing it.
    _, first = np.unique(time[event], return_inverse=True)
    new[event] = deaths[np.searchsorted(first, first, side="left")]
    new[event & (time >= end)] = end
    new[event] = _beside(arm, time[event], new[event])
    number = np.cumsum(event)
    known = np.concatenate(([0.0], new[event], [np.inf]))
    low, high = known[number], known[number + 1]
    free = ~event & (time < end)
    latest = np.minimum(just_before(np.minimum(high, 2 * end), end), end)
    there = np.maximum(np.minimum(time + late, latest), low)
    if arm.lattice is not None:
        there = _recorded(arm.lattice, there, low, latest)
    new[free] = _beside(arm, time, there)[free]
    return np.asarray(new, dtype=np.float64)


def _recorded(lattice: Lattice, time: Array, low: Array, latest: Array) -> Array:
    """Times on the grid from `low` to `latest`; as they are where it has none there."""
    on = lattice.before(time)
    # A time that is almost the next one of the grid counts as that, which may be the time of a death.
    on = np.where(on > latest, lattice.before(on - lattice.step / 2), on)
    return np.where(on > 0, np.maximum(on, low), time)


def _reach(arm: SolvedArm) -> float:
    """How far a death may move: the standard error of its reading, or half a column."""
    reading = arm.paths.reading
    if arm.lattice is not None or not reading.time.size:
        return 0.0
    return float(np.median(reading.time - reading.since)) / 2 if reading.columns else reading.sigma_t


def _beside(arm: SolvedArm, before: Array, moved: Array) -> Array:
    """Times that have not crossed a printed time; a time on one stays there."""
    facts = arm.facts
    fixed = [*facts.risk_time.tolist(), *facts.rates]
    if facts.median is not None and facts.median.estimate is not None:
        half = facts.median.half_unit
        fixed += [facts.median.estimate - half, facts.median.estimate + half]
    near = 1e-6 * float(before[-1]) if before.size else 0.0
    for t in fixed:
        early = np.minimum(moved, np.maximum(before, t - near))
        moved = np.where(before < t, early, np.where(before == t, t, np.maximum(moved, t)))
    return np.asarray(moved, dtype=np.float64)


def _course(
    arm: SolvedArm, pool: Pool, numbers: NDArray[np.int64], share: Array, value: Array, total: float
) -> _Course:
    """`value`: what each set of the pool makes of the value aimed at; `total`: its variance over both arms."""
    own = np.exp(pool.weight - pool.weight.max())
    own /= own.sum()
    after = pool.paths[:, 1:].astype(np.float64)
    load = np.bincount(numbers, weights=share, minlength=len(own))
    centre = load @ after
    width = np.sqrt(np.maximum(load @ after**2 - centre**2, 0.0))
    off = own * (value - own @ value) / max(total, 1e-12)
    times = pool.sets.time
    chosen = pool.paths[np.argsort(-load, kind="stable")[:100]]
    return _Course(arm, chosen, centre, np.maximum(0.6, 0.5 * width), (load - own) @ times, off @ after, off @ times)


def paired_point(
    arms: tuple[SolvedArm, SolvedArm],
    pools: tuple[Pool, Pool],
    pairs: Pairs,
    values: tuple[Array, Array],
    aim: tuple[int, Window],
) -> tuple[Patients, Patients]:
    """The point of either arm, moved from where the agreeing pairs lie until it agrees itself, as far as it can.

    Paths and times move as their regression on the value over the draws says, each within what the curve leaves open.

    Parameters
    ----------
    values : what each set of either pool makes of the value aimed at, the other arm's point given.
    aim : which value (column of `compared`) and the window it is to reach.
    """
    share = pairs.share
    total = 0.0
    for pool, value in zip(pools, values, strict=True):
        own = np.exp(pool.weight - pool.weight.max())
        own /= own.sum()
        total += float(own @ (value - own @ value) ** 2)
    courses = [_course(arms[a], pools[a], pairs.number[:, a], share, values[a], total) for a in range(2)]
    column, window = aim
    narrow, far = Window(*_inner(window), window.soft), 6 * float(np.sqrt(total))

    def moved(off: float) -> tuple[Patients, Patients]:
        return courses[0].patients(courses[0].path(off), off), courses[1].patients(courses[1].path(off), off)

    best, at, off = _nearest(moved, far, column, narrow)
    if off:
        # A path changes in whole patients; the times close what it leaves.
        paths = [course.path(at) for course in courses]

        def retimed(more: float) -> tuple[Patients, Patients]:
            return courses[0].patients(paths[0], at + more), courses[1].patients(paths[1], at + more)

        best, at, off = _nearest(retimed, far, column, narrow)
    return best if not off else _drawn_point(courses, pools, pairs, (column, window), best)


def _nearest(
    moved: Callable[[float], tuple[Patients, Patients]], far: float, column: int, window: Window
) -> tuple[tuple[Patients, Patients], float, float]:
    """The patients nearest to the window, the move that gave them, and what they lack."""
    best, at = moved(0.0), 0.0
    least = excess = _excess(best, column, window)
    tried = [(0.0, excess)]
    for _ in range(STEPS):
        if not least:
            break
        off = _next(tried, far)
        if any(abs(off - x) < 1e-12 for x, _ in tried):
            break
        found = moved(off)
        excess = _excess(found, column, window)
        if abs(excess) < abs(least):
            best, at, least = found, off, excess
        tried.append((off, excess))
    return best, at, least


def _farthest(pool: Pool, i: int, point: Patients) -> float:
    """How far the deaths of a drawn set lie from those of the point at most, as a share of follow-up; 1 for other numbers."""
    drawn, known = pool.sets.time[i][pool.sets.event[i]], point[0][point[1]]
    if drawn.size != known.size:
        return 1.0
    return float(np.abs(drawn - known).max(initial=0.0) / point[0][-1])


def _drawn_point(
    courses: list[_Course],
    pools: tuple[Pool, Pool],
    pairs: Pairs,
    aim: tuple[int, Window],
    best: tuple[Patients, Patients],
) -> tuple[Patients, Patients]:
    """Of the pairs that agree, that whose deaths lie nearest the best point's, at likeliest times if it agrees there too."""
    column, window = aim
    fine = np.flatnonzero(np.abs(window.excess(pairs.values[:, column])) <= 0.0)
    fine = fine[np.argsort(-pairs.weight[fine], kind="stable")[:MATCHES]]
    if not fine.size:
        return best
    off = np.zeros(fine.size)
    for a in range(2):
        off = np.maximum(off, [_farthest(pools[a], i, best[a]) for i in pairs.number[fine, a].tolist()])
    order = np.argsort(off, kind="stable")[:TRIED]
    least, found = np.inf, best
    for m, far in zip(fine[order].tolist(), off[order].tolist(), strict=True):
        ends = [_ends(courses[a].arm, pools[a], int(pairs.number[m, a])) for a in range(2)]
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            if share * far >= least:
                break
            tried = (_between(courses[0].arm, *ends[0], share), _between(courses[1].arm, *ends[1], share))
            if not _excess(tried, column, window):
                least, found = share * far, tried
                break
    return found


def _ends(arm: SolvedArm, pool: Pool, i: int) -> tuple[Patients, Patients]:
    """The patients of a drawn path at their likeliest times, and as drawn."""
    return arm.point(pool.paths[i : i + 1]), (pool.sets.time[i], pool.sets.event[i])


def _between(arm: SolvedArm, one: Patients, other: Patients, share: float) -> Patients:
    """Deaths and censorings moved a share of the way from one set to the other, of the same path."""
    time, event = np.array(one[0]), one[1]
    for kind in (event, ~event):
        theirs = other[0][other[1] == event[kind][0]] if kind.any() else time[kind]
        time[kind] += share * (theirs - time[kind])
    return _ordered(arm, time, event)


def _inner(window: Window) -> tuple[float, float]:
    inner = INSIDE * (window.high - window.low) if np.isfinite(window.high - window.low) else 0.0
    return window.low + inner, window.high - inner


def _excess(points: tuple[Patients, Patients], column: int, window: Window) -> float:
    sets = [(p[0][None], p[1][None]) for p in points]
    return float(window.excess(compared(sets[0], sets[1], np.zeros((1, 2), dtype=np.int64))[0, column]))


def _next(tried: list[tuple[float, float]], far: float) -> float:
    """The next shift: by the excess itself at first, then between the nearest ones on either side."""
    below = [x for x in tried if x[1] < 0]
    above = [x for x in tried if x[1] > 0]
    if below and above:
        low, high = max(below), min(above)
        share = low[1] / (low[1] - high[1])
        return low[0] + (high[0] - low[0]) * float(np.clip(share, 0.2, 0.8))
    last = tried[-1]
    return float(np.clip(last[0] - 1.3 * last[1], -far, far))
