"""What the rows of a curve are, weighed with what is printed beside it: one per drop, both corners, or places anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import erfc
from typing import Literal, TypeAlias

import numpy as np

from metagrove.core.errors import UnknownName
from metagrove.core.values import Array
from metagrove.survival.evidence.curve_input import DigitizedCurve, Kind, is_corners
from metagrove.survival.evidence.lattice import STEPS
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import CLICK_S, CLICK_T, DROP

__all__ = ["STATED", "RowKind", "recognised", "row_weights"]

RowKind: TypeAlias = Literal["drops", "corners", "places", "trace"]
#: What a user may call the rows, and how they are then read.
STATED: dict[str, Kind] = {"drops": "clicks", "corners": "exact", "places": "points", "trace": "trace"}

#: Patients up to which deaths are counted singly; the curve of more is weighed as if they were as many.
MANY = 400
#: Reading errors that are tried, as multiples of the usual error of a click.
ERRORS = (1.0, 0.5, 2.0, 0.25)
#: Courses of censoring that are tried where only n is known: how fast patients leave, and how late.
LEAVING = ((1.0, 1.0), (0.0, 1.0), (2.5, 1.0), (4.5, 1.0), (2.0, 3.0), (1.5, 0.4))
#: Rows on either side from which the fall of the curve and the crowding of rows are taken.
WINDOW = 3
#: Fewest moves that are weighed; log likelihood by which rows must be likelier as no drops; as drops, so that no more is tried.
FEWEST, MARGIN, CLEAR = 4, 12.0, 25.0
#: Rises expected of a hand from which on rows without any are none of a hand's.
RISES = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """The ways from row to row, in order of time and of level, but for the last, which may lead to the end of the curve.

    Parameters
    ----------
    time, level : shape (m + 1,), from (0, 1) on. fall : shape (m,).
    spacing, slope : shape (m,), usual distance in time, and usual fall by time, near each move.
    """

    time: Array
    level: Array
    fall: Array
    spacing: Array
    slope: Array


def recognised(
    curve: DigitizedCurve, facts: Facts, stated: str | None = None, *, known: bool = False
) -> DigitizedCurve:
    """The curve with the kind that its rows most likely have under the printed facts, or that a user has `stated`.

    Where rows are one per drop, the time to the next row and the fall to it have nothing to do with each other: the fall
    is that of one death or of a few, and never nothing. Between places anywhere the number of deaths goes with the time
    between them, and flats have none. Both corners take turns in moving along and down.

    Parameters
    ----------
    stated : "drops", "corners", "places" or "trace"; None where the rows are to tell.
    known : whether the curve came with its kind.
    """
    if stated is not None:
        if stated not in STATED:
            raise UnknownName("kind of rows", stated, STATED)
        kind = STATED[stated]
        if stated == "drops" and curve.kind == "digitized":
            return curve
        # Corners that a hand has clicked lie neither above nor beside one another: they are places on the curve.
        return replace(
            curve, kind="points" if stated == "corners" and not is_corners(curve.time, curve.survival) else kind
        )
    if known or curve.kind != "clicks" or _stepped(curve):
        return curve
    weight = row_weights(curve, facts)
    if not weight:
        return curve
    anywhere = max(weight["places"], weight["corners"])
    return replace(curve, kind="points") if anywhere > max(weight["drops"], weight["grid"]) + MARGIN else curve


def _stepped(curve: DigitizedCurve) -> bool:
    """Whether the rows are the steps of a staircase that a program has read: each falls, however little.

    A hand that errs by more than many of the falls would at times have clicked the later row higher, and places anywhere
    lie on flats too.
    """
    fall = -np.diff(curve.survival)
    fall = fall[: int(np.max(np.flatnonzero(fall), initial=-1)) + 1]  # the last rows may say where the line ends
    return bool(np.all(fall > 0)) and sum(0.5 * erfc(f / (2 * CLICK_S)) for f in fall.tolist()) > RISES


def row_weights(curve: DigitizedCurve, facts: Facts) -> dict[str, float]:
    """Log likelihoods of the rows as "places", "drops", drops on a "grid" of times, and "corners"; empty for few rows."""
    from metagrove.survival.evidence.row_kernels import moves_weighed

    moves = _moves(curve)
    if moves is None:
        return {}
    best = np.full(4, -np.inf)
    grid = STEPS[curve.end / 5 > STEPS]
    for ng in _at_risk_by_level(moves, facts, curve.end):
        rate = np.maximum(moves.slope * ng, 0.02 / curve.end)
        for scale in ERRORS:
            sigma, sigma_t = CLICK_S * scale, CLICK_T * scale * facts.axis
            steps = grid[grid > 3 * sigma_t]
            found = moves_weighed(moves.time, moves.fall, moves.spacing, rate, ng, sigma, sigma_t, facts.axis, steps)
            best = np.maximum(best, found)
            if max(best[1], best[2]) - max(best[0], best[3]) > CLEAR:
                return _named(best)
    return _named(best)


def _named(best: Array) -> dict[str, float]:
    return dict(zip(("places", "drops", "grid", "corners"), best.tolist(), strict=True))


def _moves(curve: DigitizedCurve) -> Moves | None:
    """The moves of a curve, None where they are few."""
    time, level = np.sort(curve.time), np.sort(curve.survival)[::-1]
    first = int(time[0] <= 0.005 * curve.end and level[0] >= 1 - DROP * CLICK_S)
    # The fall to 0 is one of any number who were left.
    last = min(time.size - 1, int(np.sum(level > 2.5 * CLICK_S)))
    time, level = np.append(0.0, time[first:last]), np.append(1.0, level[first:last])
    if time.size <= FEWEST:
        return None
    fall = -np.diff(level)
    along, down = _nearby(np.diff(time)), _nearby(fall)
    spacing = np.maximum(along, 1e-9 * curve.end)
    return Moves(time, level, fall, spacing, down / spacing)


def _nearby(values: Array) -> Array:
    """The mean of each value and its neighbours."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    here = np.arange(values.size)
    low, high = np.maximum(here - WINDOW, 0), np.minimum(here + WINDOW + 1, values.size)
    return np.asarray((total[high] - total[low]) / (high - low))


def _at_risk_by_level(moves: Moves, facts: Facts, end: float) -> Iterator[Array]:
    """Numbers at risk over survival at each move, shape (m,), under the courses of censoring that facts allow."""
    n, time = min(facts.n, MANY), moves.time[:-1]
    if facts.risk_n.size:
        when = np.append(0.0, facts.risk_time)
        stepped = moves.level[np.searchsorted(moves.time, facts.risk_time, side="right") - 1]
        for level, slope in ((stepped, 0.0), (np.interp(facts.risk_time, moves.time, moves.level), 2.0)):
            share = np.clip(facts.risk_n / facts.n / np.maximum(level, 0.5 / facts.n), 1e-3, 1.0)
            left = np.log(np.append(1.0, share))
            gone = np.interp(time, when, left) + slope * left[-1] * np.maximum(time / when[-1] - 1, 0.0)
            yield np.maximum(n * np.exp(gone), 1.0)
        return
    share = np.clip(time / end, 0.0, 1.0)
    if facts.events is None:
        yield from (np.maximum(n * np.exp(-c * share**p), 1.0) for c, p in LEAVING)
        return
    for p in (1.0, 3.0, 0.4):
        yield np.maximum(n * np.exp(-_speed(moves.fall, share**p, facts.events / facts.n) * share**p), 1.0)


def _speed(fall: Array, share: Array, events: float) -> float:
    """How fast patients leave so that the falls are those of `events` by patient."""
    low, high = 0.0, 8.0
    for _ in range(12):
        c = (low + high) / 2
        low, high = (c, high) if float(fall @ np.exp(-c * share)) > events else (low, c)
    return low
