"""Chances of censorings and deaths that a belief about censoring gives to the operations of a hidden path."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.lattice import Lattice
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.paths.censor_marks import MarkPlan
from metagrove.survival.paths.censoring import Shape, mean_levels
from metagrove.survival.paths.plan import CENSOR, DROP, LOOK, SCORE, WITNESS, Ground, Plan, Weights

#: Starts and stops of the stretches for censoring, steps, stops of the operations, and ticks.
Times: TypeAlias = tuple[Array, Array, Array, Array, Array]

__all__ = ["VISIBLE", "weights_each", "weights_of"]

#: Ratio of two deaths to one in a drop where nearly all are single.
TIES = 0.05
#: Smallest fall of a curve that is seen as a drop of its own: 1.5 pixels of 600.
VISIBLE = 0.0025
#: Times their usual number that hidden marks may be to make up what the printed totals say.
MOST_HIDDEN = 1000.0
#: Step of a grid of times, as a share of follow-up, from which on it matters that patients leave at its times alone.
COARSE = 0.005
#: Share of the deaths seen in a column that holds no time of such a grid.
ASTRAY = 0.05
#: Power of the share of patients still followed at a first drop at time 0 that is its prior.
FOLLOWED = 5.0
#: Odds that a row is a drop where rows may be none.
REAL = 20.0


def _ground(plan: Plan, reading: Reading, facts: Facts) -> Ground:
    known = plan.ground.get("")
    if known is not None and known[0] is reading.level and known[1] is facts:
        return known[2]
    level = mean_levels(reading)
    steps = np.concatenate(([1.0], level))
    gap, drop = plan.kind == CENSOR, plan.kind == DROP
    past = np.searchsorted(reading.time, plan.stop, side="right")
    ticks = np.append(facts.risk_time, 0.0)
    times = (plan.start[gap], plan.stop[gap], reading.time, plan.stop, ticks)
    coarse = _coarse_grid(plan, reading)
    if coarse is not None and facts.risk_time.size:
        times = _by_grid(times, coarse, reading, facts)
    split = np.cumsum([x.size for x in times[:-1]]).tolist()
    found = Ground(
        level,
        steps[:-1] - level,
        steps[np.searchsorted(reading.time, plan.start[gap], side="right")],
        gap,
        drop,
        np.concatenate(times),
        (split[0], split[1], split[2], split[3]),
        steps[past],
        past,
        _steering_ticks(plan, facts),
        np.append(facts.risk_n.astype(np.float64), -1.0),
        steps[np.searchsorted(reading.time, ticks, side="right")],
    )
    plan.ground[""] = reading.level, facts, found
    return found


def _coarse_grid(plan: Plan, reading: Reading) -> Lattice | None:
    """The grid on which times were recorded, where it is coarse and tells on which side of a death anybody left.

    Times of clicks are too uncertain for that.
    """
    known = plan.lattice is not None and reading.sigma_t <= 0 and plan.lattice.step > COARSE * reading.end
    return plan.lattice if known else None


def _by_grid(times: Times, lattice: Lattice, reading: Reading, facts: Facts) -> Times:
    """Times at which a belief is asked for its hazard where patients leave at grid times alone, after the deaths there.

    What the belief says of an interval of the at-risk table goes to the grid times in it: up to a time it has run as far as
    the share of them that has passed.
    """
    row = lattice.placed((reading.since + reading.time) / 2 if reading.columns else reading.time)
    knots = np.concatenate(([0.0], facts.risk_time[facts.risk_time < reading.end], [reading.end]))
    knots = np.unique(knots)
    slack = 1e-4 * lattice.step
    grid = lattice.step * np.arange(1, max(round(reading.end / lattice.step), 1) + 1)
    passed = np.searchsorted(grid, knots - slack)
    passed[-1] = grid.size  # the last ones leave at the end
    share = np.diff(passed)
    found = []
    for t in times:
        at = np.minimum(np.searchsorted(reading.time, t), row.size - 1)
        when = np.where(reading.time[at] == t, row[at], t)
        j = np.clip(np.searchsorted(knots, when, side="right") - 1, 0, knots.size - 2)
        width, ahead = knots[j + 1] - knots[j], np.searchsorted(grid, when - slack) - passed[j]
        part = np.where(share[j] > 0, ahead / np.maximum(share[j], 1), (when - knots[j]) / width)
        found.append(knots[j] + np.clip(part, 0.0, 1.0) * width)
    return found[0], found[1], found[2], found[3], found[4]


def _steering_ticks(plan: Plan, facts: Facts) -> NDArray[np.int64]:
    """The number at risk that each operation is steered to, shape (k,); their number where none is left."""
    tick = np.searchsorted(facts.risk_time, plan.stop, side="left")
    # Within the reach of a tick it is unknown whether it has been seen; the one after it steers.
    near = np.flatnonzero(plan.kind == LOOK)
    if near.size:
        closest = np.argmin(np.abs(facts.risk_time - plan.start[near][:, None]), axis=1) + 1
        for shift in (-1, 0, 1, 2):
            at = near + shift
            inside = (at >= 0) & (at < tick.size)
            np.maximum.at(tick, at[inside], closest[inside])
    return np.minimum(tick, facts.risk_time.size)


def weights_of(plan: Plan, reading: Reading, facts: Facts, shape: Shape) -> Weights:
    """Chances of censorings and deaths under one shape of censoring."""
    return weights_each(plan, reading, facts, [shape])[0]


def weights_each(plan: Plan, reading: Reading, facts: Facts, shapes: list[Shape]) -> list[Weights]:
    """Chances of censorings and deaths under each shape of censoring, worked out for all at once."""
    ground = _ground(plan, reading, facts)
    hazard_at, (i, j, m, o) = np.array([shape.at(ground.times) for shape in shapes]), ground.split
    from_, to, stay = hazard_at[:, :i], hazard_at[:, i:j], np.exp(-hazard_at[:, j:m])
    size = len(shapes), plan.kind.size
    a, b, c = np.empty(size), np.empty(size), np.empty(size)
    a[:], b[:], c[:] = plan.a, plan.b, plan.c
    mu = facts.n * ground.before * np.exp(-from_) * (to - from_)
    _leaving((a, b), mu, (plan, reading, facts), shapes)
    hazard, mass, smallest = _dying((a, b, c), stay, (plan, reading, facts), shapes)
    _staying(smallest, (plan, reading, facts))
    ahead = _outlook(ground, stay, hazard_at[:, m:o], hazard_at[:, o:])
    rows = zip(a, b, c, hazard, mass, *ahead, smallest, strict=True)
    return [Weights(*row) for row in rows]


def _leaving(ab: tuple[Array, Array], mu: Array, known: tuple[Plan, Reading, Facts], shapes: list[Shape]) -> None:
    """Chance and ratio of the clumps of censorings, and odds of those left, into `ab`, shape (shapes, k) each.

    Parameters
    ----------
    mu : censorings expected in each stretch, shape (shapes, gaps).
    """
    (a, b), (plan, reading, facts) = ab, known
    gap = np.flatnonzero(_ground(plan, reading, facts).gap)
    if plan.marks is not None:
        mu = np.array([_hidden(plan, plan.marks, facts, gap, *row) for row in zip(mu, shapes, strict=True)])
    else:
        some = np.where(plan.stop[gap] > plan.start[gap], 1.0, 0.2)
        mu = np.maximum(mu, 0.015 * some / (4.0 if reading.columns else 1.0))
    # Three times the variance of a Poisson number at least: the trend of censoring within the belief is not known.
    most = 1.0 if not reading.columns and reading.sigma_t > 0 else 0.5
    clump = np.minimum(np.maximum(mu, 1e-3), most)
    ratio = mu / clump
    a[:, gap], b[:, gap] = clump, ratio / (1 + ratio)
    if plan.marks is not None:
        for row, shape in zip(b, shapes, strict=True):
            score = plan.kind == SCORE
            odds = shape.hidden * row[score] / (1 - row[score])
            row[score] = 0.95 if shape.cut else odds / (1 + odds)


def _dying(
    abc: tuple[Array, Array, Array], stay: Array, known: tuple[Plan, Reading, Facts], shapes: list[Shape]
) -> tuple[Array, Array, Array]:
    """Levels, errors and ratios of the drops into `abc`, and hazard, second ratio and smallest fall, shape (shapes, k) each.

    Parameters
    ----------
    stay : shape (shapes, m), share not censored at each step.
    """
    (a, b, c), (plan, reading, facts) = abc, known
    ground = _ground(plan, reading, facts)
    drop, hazard, mass = np.flatnonzero(ground.drop), np.full(a.shape, -1.0), np.zeros(a.shape)
    own, usual, rate = _expected_deaths(reading, ground, facts, stay)
    a[:, drop], b[:, drop] = reading.level, reading.error
    if reading.columns:
        hazard[:, drop] = rate * _on_grid(_coarse_grid(plan, reading), reading)
        own, usual = 1 + own, 1 + usual
    elif reading.loose:
        hazard[:, drop] = REAL / np.maximum(facts.n * (ground.level + ground.fall) * stay, 0.5)
    blind = np.array([shape.blind for shape in shapes])[:, None]
    smallest = np.where(ground.drop, blind, 0.0)
    smallest[:, drop[-1:]] = 0.0  # the last fall is clicked however small it is
    enough = np.maximum(np.ceil(smallest[:, drop] * facts.n * stay - 0.1), 1.0)
    single = np.array([shape.single for shape in shapes])[:, None]
    c[:, drop] = np.where(single, TIES, _ratio(usual - enough, TIES))
    mass[:, drop] = _ratio(own - enough, 2 * TIES)
    seen = plan.kind == WITNESS
    if seen.any():
        hazard[:, seen], c[:, seen], mass[:, seen] = 0.0, 0.05, 0.1
    return hazard, mass, smallest


def _staying(seen: Array, known: tuple[Plan, Reading, Facts]) -> None:
    """The prior of those still followed at the first drop into `seen`, where nothing printed tells how many left before.

    Falls of a half, a third, a quarter fit single deaths among a few left over as well as many deaths among all; but
    hardly anybody leaves a trial before its first death, the fewer the earlier that is.
    """
    plan, reading, facts = known
    printed = facts.events is not None or facts.risk_time.size or facts.marks is not None
    if printed or reading.columns or not reading.time.size:
        return
    first = np.flatnonzero(plan.kind == CENSOR)[:1]
    seen[:, first] = FOLLOWED * max(1 - reading.time[0] / reading.end, 0.0)


def _on_grid(lattice: Lattice | None, reading: Reading) -> Array:
    """How much likelier or less than usual a death is in each column, where deaths lie at grid times alone; shape (m,)."""
    if lattice is None:
        return np.ones(reading.time.size)
    middle = (reading.since + reading.time) / 2
    on = np.abs(lattice.nearest(middle) - middle) <= lattice.reach + 1e-9
    return np.where(on, 1.0, ASTRAY)


def _ratio(more: Array, least: float) -> Array:
    """Ratio of a geometric number with mean `more`, not below `least`; shape of `more`."""
    return np.asarray(np.minimum(np.maximum(more / np.maximum(more + 1, 0.1), least), 0.97))


def _outlook(ground: Ground, stay: Array, at_stops: Array, at_ticks: Array) -> tuple[Array, Array, Array]:
    """Shares of those at risk after each operation that are expected to die later and to be at the next tick, and its number.

    Shape (shapes, k) each.

    Parameters
    ----------
    stay : shape (shapes, m), share not censored at each step. at_stops, at_ticks : hazard of censoring there.
    """
    dead = np.zeros((stay.shape[0], stay.shape[1] + 1))
    np.cumsum(stay * ground.fall, axis=1, out=dead[:, 1:])
    now = np.maximum(ground.here * np.exp(-at_stops), 1e-9)
    then = np.maximum(ground.at_ticks * np.exp(-at_ticks), 1e-9)[:, ground.tick]
    dying = np.minimum(np.maximum((dead[:, -1:] - dead[:, ground.past]) / now, 0.0), 1.0)
    count = np.broadcast_to(ground.count[ground.tick], now.shape)
    return dying, np.minimum(then / now, 1.0), count


def _hidden(plan: Plan, marks: MarkPlan, facts: Facts, gap: NDArray[np.int64], mu: Array, shape: Shape) -> Array:
    """Censorings expected beside the marks seen: hidden under another mark, more where marks crowd."""
    index = plan.gap[gap]
    seen = marks.expected[index]
    hidden = seen * (marks.hidden[index] / np.maximum(seen, 1e-9)) ** shape.steep + 0.001
    if facts.risk_time.size:
        # Between two numbers at risk the belief says how many were censored; what the marks lack was hidden.
        tick = np.searchsorted(facts.risk_time, plan.stop[gap], side="left")
        for j in np.unique(tick):
            here = tick == j
            short = max(float(mu[here].sum() - seen[here].sum()), 0.02)
            hidden[here] *= min(short / max(float(hidden[here].sum()), 1e-9), MOST_HIDDEN)
    elif facts.events is not None:
        short = max(float(mu.sum() - seen.sum()), 0.02)
        hidden *= min(short / max(float(hidden.sum()), 1e-9), MOST_HIDDEN)
    else:
        hidden *= shape.hidden
    return np.maximum(hidden, 0.001)


def _expected_deaths(reading: Reading, ground: Ground, facts: Facts, stay: Array) -> tuple[Array, Array, Array]:
    """Deaths expected at each step on the mean path: from its own fall, and from the falls around it; the hazard.

    A fall carries the error of its reading, so a belief built on it alone would use the curve twice and drift towards
    more deaths; the falls around are the belief, its own fall only the exception for many deaths at once.

    Parameters
    ----------
    stay : shape (shapes, m), share not censored at each step.

    Returns
    -------
    Shapes (shapes, m), (shapes, m) and (m,).
    """
    before = ground.level + ground.fall
    fall = np.maximum(ground.fall / np.maximum(before, 1e-9), 0.0)
    at_risk = facts.n * before * stay
    own = at_risk * fall
    steps = fall.size
    if not steps:
        return own, own, fall
    if not reading.columns:
        width = min(9, steps)
        total = np.zeros((own.shape[0], steps + 1))
        np.cumsum(own, axis=1, out=total[:, 1:])
        here = np.arange(steps) - width // 2
        low, high = np.maximum(here, 0), np.minimum(here + width, steps)
        return own, (total[:, high] - total[:, low]) / (high - low), fall
    rate = np.cumsum(fall)
    half = 0.035 * reading.end
    high = np.interp(reading.time + half, reading.time, rate)
    low = np.interp(reading.time - half, np.append(0.0, reading.time), np.append(0.0, rate))
    span = np.minimum(reading.time + half, reading.end) - np.maximum(reading.time - half, 0.0)
    past = np.diff(np.append(0.0, reading.time))
    smooth = (high - low) / span * np.maximum(past, 0.0)
    least = 0.02 / facts.n / max(fall.size, 1)
    return own, at_risk * smooth, np.maximum(0.7 * smooth + 0.3 * fall, least)
