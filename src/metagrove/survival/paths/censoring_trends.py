"""Shapes of censoring drawn at random from what the printed facts leave open: trends between numbers at risk, waves, tails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from metagrove.core.values import Array
from metagrove.survival.evidence.lattice import recorded_grid
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.paths.censoring import Shape, hidden_share, mean_levels, shape_from_marks, solved_for_events
from metagrove.survival.paths.weights import VISIBLE

__all__ = ["drawn_shapes"]

#: Standard deviation of the log-linear trend of censoring across one interval of the at-risk table.
TILT = 2.0
#: Chance that censoring begins within an interval, or ends there, as where a trial is analysed or a visit is due.
WAVE = 0.3
#: Chance that censoring behind the last number at risk takes (nearly) everybody off, as at a data cut-off.
CUTOFF = 0.5
#: Standard deviation of the logarithm of hidden marks' number beside the usual one.
HIDDEN = 0.7
#: Standard deviation of the logarithm of the power with which hidden marks follow the crowding of marks: their width, and
#: thus how soon they touch, is not known.
STEEP = 0.4
#: Standard deviation of the logarithm of the smallest fall that is clicked, where one death may be smaller.
EYE = 0.25
#: Share of patients still followed at the end of a wave that takes nearly everybody off.
LEFT = 0.02
#: Shares of an interval at which its course is told.
GRID = np.linspace(0.0, 1.0, 13)


def drawn_shapes(
    beliefs: list[Shape], reading: Reading, facts: Facts, count: int, rng: np.random.Generator
) -> list[Shape]:
    """`count` shapes of censoring drawn around `beliefs`, all of which agree with the numbers at risk and the events.

    The cumulative hazard is known at the numbers at risk alone; between them it has a trend that follows its neighbours
    but for a normal deviation, or begins or ends within. Behind the last one, and without any, family and size are drawn.
    """
    found = []
    share = (
        hidden_share(facts.marks, reading, recorded_grid(reading, facts)) if facts.marks is not None else np.zeros(0)
    )
    for _ in range(count):
        base = beliefs[int(rng.integers(len(beliefs)))]
        if base.blind > 0:
            base = replace(base, blind=VISIBLE * float(np.exp(EYE * rng.standard_normal())))
        if facts.marks is not None:
            base = replace(base, steep=float(np.exp(STEEP * rng.standard_normal())))
        if facts.marks is not None and not facts.risk_time.size and facts.events is None:
            # The marks say where; how many more they hide is drawn.
            size = base.hidden * float(np.exp(HIDDEN * rng.standard_normal()))
            shape = shape_from_marks(reading, mean_levels(reading), facts, share, size)
            found.append(replace(base, name=shape.name, hazard=shape.hazard, hidden=size))
        elif facts.risk_time.size:
            found.append(_between(base, reading, facts, rng))
        else:
            found.append(_free(base, reading, facts, rng))
    return found


def _free(base: Shape, reading: Reading, facts: Facts, rng: np.random.Generator) -> Shape:
    """A drawn family, solved for the events where they are known."""
    family, size = _family(reading.end, rng)
    level = mean_levels(reading)
    shape = solved_for_events(family, reading, level, facts) if facts.events is not None else family(size)
    return replace(base, name=shape.name, time=shape.time, hazard=shape.hazard)


def _family(end: float, rng: np.random.Generator) -> tuple[Callable[[float], Shape], float]:
    """A family of shapes and a drawn size: constant, early, at a cut-off after spread entry, or two of them."""
    time = np.linspace(0.0, end, 101)
    share = time / end
    kind = int(rng.integers(4))
    early = np.minimum(share / rng.uniform(0.1, 0.7), 1.0)
    onset = rng.uniform(0.0, 0.85) * (rng.random() < 0.6)
    late = np.maximum(share - onset, 0.0) / (1 - onset)
    rate = _log_uniform(0.06, 4.0, rng)

    def cut_off(x: float) -> Array:
        return np.asarray(-np.log1p(-(1 - LEFT) * late ** (8.0 / (x + 0.02))))

    if kind == 0:
        return (lambda x: Shape("drawn rate", time, x * late)), rate
    if kind == 1:
        return (lambda x: Shape("drawn early", time, x * early)), rate
    if kind == 2:
        return (lambda x: Shape("drawn cut-off", time, cut_off(x))), 8.0 / _log_uniform(0.5, 8.0, rng)
    fixed = cut_off(8.0 / _log_uniform(0.7, 6.0, rng))
    return (lambda x: Shape("drawn early and cut-off", time, x * early + fixed)), rate / 3


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _between(base: Shape, reading: Reading, facts: Facts, rng: np.random.Generator) -> Shape:
    """The shape with another course between the numbers at risk and another tail."""
    knots = np.concatenate(([0.0], facts.risk_time[facts.risk_time < reading.end]))
    hazard = base.at(knots)
    width, more = knots[1:] - knots[:-1], hazard[1:] - hazard[:-1]
    rate = np.log((more + 0.5 / facts.n) / width) if width.size else np.zeros(0)
    slope = np.minimum(np.maximum(np.gradient(rate), -2.0), 2.0) if rate.size > 1 else np.zeros(rate.size)
    time, cumulative = [np.zeros(1)], [np.zeros(1)]
    for i, trend in enumerate(slope.tolist()):
        time.append(knots[i] + width[i] * GRID[1:])
        cumulative.append(hazard[i] + more[i] * _course(GRID, trend, rng)[1:])
    past, before = np.concatenate(time), np.concatenate(cumulative)
    left = reading.end - float(knots[-1])
    if left <= 1e-9 * reading.end:
        return replace(base, name="drawn trends", time=past, hazard=before)
    ahead = float(knots[-1]) + left * GRID[1:]
    tail, size = _tail(GRID[1:], base.at(np.array([reading.end]))[0] - hazard[-1], rng)

    through = np.concatenate((past, ahead))

    def family(x: float) -> Shape:
        return Shape("drawn trends", through, np.concatenate((before, before[-1] + tail(x))))

    shape = family(size)
    if facts.events is not None and rng.random() < 0.5:
        shape = solved_for_events(family, reading, mean_levels(reading), facts)
    return replace(base, name=shape.name, time=shape.time, hazard=shape.hazard)


def _course(u: Array, slope: float, rng: np.random.Generator) -> Array:
    """Share of an interval's censoring up to each share `u` of its length, from 0 to 1."""
    if rng.random() < WAVE:
        first, last = np.sort(rng.random(2))
        first, last = (first, 1.0) if rng.random() < 0.5 else (0.0, last)
        return np.minimum(np.maximum((u - first) / max(last - first, 0.05), 0.0), 1.0)
    tilt = slope + TILT * rng.standard_normal()
    return np.asarray(np.expm1(tilt * u) / np.expm1(tilt)) if abs(tilt) > 1e-6 else u


def _tail(u: Array, usual: float, rng: np.random.Generator) -> tuple[Callable[[float], Array], float]:
    """Cumulative hazard behind the last number at risk as a function of its size, and a drawn size."""
    course = _course(u, 0.0, rng)
    if rng.random() < CUTOFF:
        onset = rng.uniform(0.0, 0.8) * (rng.random() < 0.6)
        late = np.maximum(u - onset, 0.0) / (1 - onset)
        return (lambda x: np.asarray(-np.log1p(-(1 - LEFT) * late ** (4.0 / (x + 0.02))))), float(
            4 / rng.uniform(0.5, 4)
        )
    return (lambda x: x * course), max(usual, 0.05) * float(np.exp(rng.standard_normal()))
