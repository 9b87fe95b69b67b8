"""What is believed about censoring before the path is solved: shapes of the share still under follow-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from metagrove.core.values import Array
from metagrove.survival.evidence.lattice import Lattice, recorded_grid
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading, falling

__all__ = ["Shape", "hidden_share", "mean_levels", "shape_from_marks", "shapes", "solved_for_events"]

#: Deaths that a course of censoring may be off those printed: this many, and this share of them; the steepest trend tried.
MISSED, STEEPEST = (1.0, 0.01), 20.0
#: Share of the time up to the first number at risk in which such a wave leaves.
WAVE = 0.1
#: Log weight of a curve that is cut where many are still followed, with the normalisation of its wide distribution.
CUT_PRIOR = -4.0
#: Width within which one mark hides the next, and how far around a mark their density is taken, in pixels of 900.
MARK_PIXELS, AROUND = 2.0, 10.0
#: Largest share of the axis that marks are taken to cover: a row of touching marks tells no more.
MOST_LOAD = 0.85
#: Censorings at exactly the time of another, for each mark.
TIED_MARKS = 0.05
#: Hidden marks tried, as multiples of their usual number, and how their logarithm loses weight (a t distribution's tails).
HIDDEN = (0.3, 1.0, 2.5, 6.0, 15.0, 40.0, 100.0)
HIDDEN_PRIOR = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The cumulative censoring hazard at `time`, linear between; `name` says which belief it is.

    With `single` each drop is believed to be one death but for a few; else as many as the number at risk suggests. With
    `cut` the curve is cut where many are still followed, so that the last mark may hide any number; `hidden`
    multiplies the censorings hidden under marks, and they grow with the power `steep` of what crowding suggests. `prior` is
    the log weight beside the evidence. A fall under `blind` is not seen as a drop; deaths are gathered until they make one.
    """

    name: str
    time: Array
    hazard: Array
    single: bool = False
    cut: bool = False
    hidden: float = 1.0
    steep: float = 1.0
    prior: float = 0.0
    blind: float = 0.0

    def at(self, t: Array) -> Array:
        """Cumulative censoring hazard at each of `t`."""
        return np.interp(t, self.time, self.hazard)


def mean_levels(reading: Reading) -> Array:
    """Levels that never rise, within [0, 1], after each step; shape (m,)."""
    level = falling(reading.level, 1 / reading.error**2) if reading.columns else reading.level
    return np.clip(level, 0.0, 1.0)


def shapes(reading: Reading, facts: Facts) -> list[Shape]:
    """Shapes of censoring that agree with the numbers at risk and the events; one or several to be weighed."""
    found = _plain_shapes(reading, facts)
    if facts.marks is None or reading.ends_at_zero:
        return found
    return found + [replace(s, cut=True, prior=s.prior + CUT_PRIOR) for s in found]


def _plain_shapes(reading: Reading, facts: Facts) -> list[Shape]:
    level = mean_levels(reading)
    if facts.marks is not None and facts.events is None and not facts.risk_time.size:
        # The marks themselves say where; only the share of hidden censorings is open.
        share = hidden_share(facts.marks, reading, recorded_grid(reading, facts))
        found = [shape_from_marks(reading, level, facts, share, x) for x in HIDDEN]
        return [replace(s, prior=-HIDDEN_PRIOR * float(np.log1p(np.log(s.hidden) ** 2))) for s in found]
    if facts.risk_time.size:
        known = _from_risk_table(reading, level, facts)
        start = float(known.time[-1])
        left = reading.end - start
        if left <= 1e-9 * reading.end or not np.any(reading.time > start):
            return [_counted(_tail(known, reading.end, 1.0), reading, level, facts)]
        if facts.events is not None:
            # The total bounds the tail, but loosely: a few deaths more or less there mean many censorings.
            solved = solved_for_events(lambda h: _tail(known, reading.end, h), reading, level, facts)
            tails = [solved, *(_tail(known, reading.end, h) for h in (0.3, 1.0, 3.0))]
            return [_counted(shape, reading, level, facts) for shape in tails] + _waves(solved, reading, level, facts)
        return [_tail(known, reading.end, h) for h in (0.05, 0.5, 1.5, 4.0)]
    if facts.events is not None:
        return [solved_for_events(family, reading, level, facts) for family in _families(reading.end)]
    return _guessed(reading.end)


def hidden_share(marks: Array, reading: Reading, lattice: Lattice | None) -> Array:
    """Censorings expected to hide under each mark, by the marks around it; shape of `marks`.

    A mark that would touch the one before is not drawn, and none is drawn twice at one recorded time, as a counter misses
    what comes within its dead time: marks at a density d hide d w / (1 - d w) each (Müller JW. Dead-time problems. Nucl
    Instrum Methods 1973;112:47-57. doi:10.1016/0029-554X(73)90773-8). The width w is two pixels of 900, or the step of the
    grid of times where drops and marks show one.
    """
    pixel = reading.end / 900
    width = max(MARK_PIXELS * pixel, lattice.step if lattice is not None else 0.0)
    around = max(AROUND * pixel, 2.5 * width)
    near = np.sum(np.abs(marks[:, None] - marks) <= around, axis=1) - 1
    load = np.minimum(near * width / (2 * around), MOST_LOAD)
    return np.asarray(TIED_MARKS + load / (1 - load), dtype=np.float64)


def shape_from_marks(reading: Reading, level: Array, facts: Facts, share: Array, hidden: float) -> Shape:
    """Each mark takes one patient off, and those hidden under it `hidden` times their usual number, `share`."""
    marks = facts.marks if facts.marks is not None else share[:0]
    before = np.concatenate(([1.0], level))[np.searchsorted(reading.time, marks, side="left")]
    gone = (1 + hidden * share) / np.maximum(facts.n * before, 0.5)
    followed = np.clip(1 - np.cumsum(gone), 0.5 / facts.n, 1.0)
    time = np.concatenate(([0.0], marks, [reading.end]))
    hazard = np.concatenate(([0.0], -np.log(followed)))
    return Shape(f"marks, hidden x {hidden:g}", time, np.append(hazard, hazard[-1]), hidden=hidden)


def _from_risk_table(reading: Reading, level: Array, facts: Facts) -> Shape:
    before = np.concatenate(([1.0], level))[np.searchsorted(reading.time, facts.risk_time, side="left")]
    share = facts.risk_n / np.maximum(facts.n * before, 0.3)
    share = np.minimum.accumulate(np.clip(share, 0.2 / facts.n, 1.0))
    keep = facts.risk_n > 0
    if not keep.all():  # the first 0 says that the last patient left before it
        keep[int(np.argmin(keep))] = True
    return Shape(
        "numbers at risk",
        np.concatenate(([0.0], facts.risk_time[keep])),
        np.concatenate(([0.0], -np.log(share[keep]))),
    )


def _missed(shape: Shape, reading: Reading, level: Array, facts: Facts) -> float:
    """Deaths that a course of censoring expects beyond those printed; 0 where none are printed or it is near enough."""
    if facts.events is None:
        return 0.0
    fall = facts.n * -np.diff(np.concatenate(([1.0], level)))
    more = float(np.exp(-shape.at(reading.time)) @ fall) - facts.events
    return more if abs(more) > MISSED[0] + MISSED[1] * facts.events else 0.0


def _counted(shape: Shape, reading: Reading, level: Array, facts: Facts) -> Shape:
    """The shape, or, where its deaths are far from those printed, one of which more leave early or late between its times.

    The number at risk at either end of a stretch does not say when in it patients left; the deaths do: the more of them,
    the later.
    """
    if not _missed(shape, reading, level, facts):
        return shape
    return solved_for_events(lambda x: _trending(shape, STEEPEST * (1 - x / 6)), reading, level, facts)


def _waves(shape: Shape, reading: Reading, level: Array, facts: Facts) -> list[Shape]:
    """The shape with a wave of patients who leave at the very beginning, where the printed deaths are fewer than its own.

    As where those without any assessment after the first are taken to have left at once.
    """
    if _missed(shape, reading, level, facts) <= 0 or shape.time.size < 2:
        return []
    first = float(shape.hazard[1])
    time = np.insert(shape.time, 1, WAVE * float(shape.time[1]))

    def family(x: float) -> Shape:
        return replace(shape, name=f"{shape.name}, wave", time=time, hazard=np.insert(shape.hazard, 1, first * x / 12))

    return [solved_for_events(family, reading, level, facts)]


def _trending(shape: Shape, slope: float) -> Shape:
    """The shape with a hazard that rises by the factor exp(slope) across each stretch between its times."""
    share = np.linspace(0.0, 1.0, 13)[1:]
    course = np.expm1(slope * share) / np.expm1(slope) if abs(slope) > 1e-6 else share
    time = shape.time[:-1, None] + np.diff(shape.time)[:, None] * share
    hazard = shape.hazard[:-1, None] + np.diff(shape.hazard)[:, None] * course
    return replace(
        shape,
        name=f"{shape.name}, trend {slope:.3g}",
        time=np.append(shape.time[0], time),
        hazard=np.append(shape.hazard[0], hazard),
    )


def _tail(known: Shape, end: float, rate: float) -> Shape:
    """The known shape, continued to the end with `rate` per remaining follow-up."""
    if known.time[-1] >= end:
        return known
    return Shape(
        f"{known.name}, then {rate:.3g}", np.append(known.time, end), np.append(known.hazard, known.hazard[-1] + rate)
    )


def _both(one: Shape, other: Shape) -> Shape:
    """Two causes of censoring together."""
    return Shape(f"{one.name}, {other.name}", one.time, one.hazard + other.hazard)


def _grid(end: float) -> Array:
    grid = np.arange(101.0) * (end / 100)
    grid[-1] = end
    return grid


def _constant(end: float, rate: float, start: float = 0.0) -> Shape:
    time = _grid(end)
    return Shape(f"rate {rate:.3g} from {start:g}", time, rate * np.maximum(time / end - start, 0.0) / (1 - start))


def _administrative(end: float, power: float) -> Shape:
    """Entry spread over time: the share under follow-up is 1 - .98 (t / end) ** power."""
    time = _grid(end)
    return Shape(f"entry {power:.3g}", time, -np.log(1 - 0.98 * (time / end) ** power))


def _families(end: float) -> list[Callable[[float], Shape]]:
    return [
        lambda x: _constant(end, x),
        lambda x: _constant(end, x, 0.4),
        lambda x: _administrative(end, 8.0 / (x + 0.02)),
        lambda x: _early(end, x, 0.5),
        lambda x: _early(end, x, 0.2),
        lambda x: _both(_early(end, x, 0.25), _administrative(end, 3.0)),
    ]


def _early(end: float, rate: float, until: float) -> Shape:
    time = _grid(end)
    return Shape(f"rate {rate:.3g} until {until:g}", time, rate * np.minimum(time / (until * end), 1.0))


def _guessed(end: float) -> list[Shape]:
    rates = [_constant(end, x) for x in (0.02, 0.15, 0.4, 0.9, 1.7, 3.0)]
    late = [_constant(end, x, 0.35) for x in (0.4, 1.2, 3.0)]
    early = [_early(end, x, 0.25) for x in (0.3, 0.8)]
    early += [_both(_early(end, x, 0.25), _administrative(end, 3.0)) for x in (0.3, 0.7)]
    return rates + late + early + [_administrative(end, a) for a in (0.7, 1.5, 3.0, 8.0)]


def solved_for_events(family: Callable[[float], Shape], reading: Reading, level: Array, facts: Facts) -> Shape:
    """The member of a family whose expected deaths are the printed events (expected deaths fall with the parameter)."""
    fall = facts.n * -np.diff(np.concatenate(([1.0], level)))
    target = float(facts.events or 0)

    def excess(x: float) -> float:
        """Logarithm of the deaths expected beside those printed: nearly linear in the size of a hazard."""
        deaths = float(np.exp(-family(x).at(reading.time)) @ fall)
        return float(np.log(max(deaths, 1e-300) / max(target, 1e-300)))

    low, high = 0.0, 12.0
    above, below = excess(low), excess(high)
    if above <= 0 or below >= 0:
        return family(low if above <= 0 else high)
    side = 0
    for _ in range(60):  # false position, the end that stays halved (the Illinois rule)
        x = (low * below - high * above) / (below - above)
        found = excess(x)
        if abs(found) < 1e-9 or high - low < 1e-8:
            break
        if found > 0:
            low, above, below = x, found, below / 2 if side == 1 else below
        else:
            high, below, above = x, found, above / 2 if side == -1 else above
        side = 1 if found > 0 else -1
    return family(x)
