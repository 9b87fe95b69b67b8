"""Rows of a digitized curve and of a table of numbers at risk, checked with their row numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import accumulate, pairwise

from metagrove.core.errors import DataError
from metagrove.review.tables import Row

__all__ = ["at_risk_faults", "curve_faults", "incidence_scale", "shows_incidence", "survival_scale"]

#: Digitized curves jitter by a pixel or two; a rise beyond this (2 % of the axis) is a mistake and not noise.
RISE = 0.02
#: Clicks closer than this share of the follow-up may stand in the wrong order.
SWAP = 0.012
#: Overshoot of the top of the axis that is still noise.
ABOVE_ONE = 0.02
#: How far a cumulative incidence may fall below its own earlier part and still be one, misread.
DISORDER = 0.1


def _whose(row: Row) -> str:
    name = row.text("study") or row.text("arm")
    return f"{name}: " if name else ""


def survival_scale(rows: Iterable[Row]) -> float:
    """100 where the curve is in per cent (a per-cent sign, or a start above 1.5), else 1."""
    known = [row for row in rows if row["survival"] is not None]
    if any("%" in row.text("survival") for row in known):
        return 100.0
    start = min(known, key=lambda row: row["time"] if row["time"] is not None else math.inf, default=None)
    return 100.0 if start is not None and start["survival"] > 1.5 else 1.0


def incidence_scale(rows: Iterable[Row]) -> float:
    """100 where a cumulative incidence is in per cent (a per-cent sign, or a value above 1.5), else 1."""
    known = [row for row in rows if row["survival"] is not None]
    percent = any("%" in row.text("survival") or row["survival"] > 1.5 for row in known)
    return 100.0 if percent else 1.0


def shows_incidence(arms: Iterable[Iterable[Row]]) -> bool:
    """Whether the curves of one column are cumulative incidence: some arm rises on the whole, from the lower half, none falls."""
    turns = [_turn(rows) for rows in arms]
    return any(turn > 0 for turn in turns) and not any(turn < 0 for turn in turns)


def _turn(rows: Iterable[Row]) -> int:
    """1 where the arm's values rise on the whole, from the lower half; -1 where they fall; 0 where neither is plain."""
    known = sorted((r["time"], i, r["survival"]) for i, r in enumerate(rows) if None not in (r["time"], r["survival"]))
    levels = [level for _, _, level in known]
    scale = 100.0 if levels and max(levels) > 1.5 else 1.0
    up = sum(max(b - a, 0.0) for a, b in pairwise(levels)) / scale
    down = sum(max(a - b, 0.0) for a, b in pairwise(levels)) / scale
    if up > 2 * down and up - down > RISE and levels[0] < 0.5 * scale:
        highest = accumulate(levels, max)
        return int(max(top - level for top, level in zip(highest, levels, strict=True)) <= DISORDER * scale)
    return -1 if down > 2 * up and down - up > RISE else 0


def curve_faults(
    rows: tuple[Row, ...],
    *,
    scale: float | None = None,
    incidence: bool = False,
    rise: float = RISE,
    above: float = ABOVE_ONE,
    swap: float = SWAP,
) -> list[DataError]:
    """The first fault of one curve, if any: a missing or negative time, survival outside 0..1, or survival that rises.

    With `incidence` the rows hold cumulative incidence, 1 minus survival, which never falls.
    """
    scale = scale or (incidence_scale(rows) if incidence else survival_scale(rows))
    what = "cumulative incidence" if incidence else "survival"
    for row in rows:
        if row["time"] is None or row["time"] < 0:
            return [row.error(f"time is '{row.text('time')}'; it is a number, 0 or more", "time")]
        value = row["survival"]
        if value is None:
            return [row.error(f"is empty; give {what} as a proportion or per cent", "survival")]
        if not -above <= value / scale <= 1 + above:
            message = f"{what} is {value:g}; it lies between 0 and {scale:g}"
            return [row.error(message, "survival", "survival-out-of-range")]
    return _rise(rows, -scale if incidence else scale, rise, swap)


def _rise(rows: tuple[Row, ...], scale: float, rise: float, swap: float) -> list[DataError]:
    """The first rise that neither a pixel's jitter nor two swapped neighbours can explain; a fall where `scale` is below 0."""
    ordered = sorted(rows, key=lambda row: (row["time"], -row["survival"] / scale))
    reach = swap * (ordered[-1]["time"] - ordered[0]["time"])
    later = len(ordered)
    highest: Row | None = None
    worst: tuple[Row, Row] | None = None
    for before in reversed(ordered):
        while later > 0 and ordered[later - 1]["time"] - before["time"] > reach:
            later -= 1
            if highest is None or (ordered[later]["survival"] - highest["survival"]) / scale >= 0:
                highest = ordered[later]
        if highest is not None and (highest["survival"] - before["survival"]) / scale > rise:
            worst = before, highest
    if worst is None:
        return []
    before, after = worst
    said = ("survival rises", "a survival curve never rises")
    if scale < 0:
        said = ("cumulative incidence falls", "it never falls")
    message = (
        f"{_whose(after)}{said[0]} from {before['survival']:g} to {after['survival']:g} at {after['time']:g}; {said[1]}"
    )
    return [after.error(message, "survival", "survival-rises")]


def at_risk_faults(rows: tuple[Row, ...]) -> list[DataError]:
    """The first fault of one arm's numbers at risk: a missing cell's time, or a number that rises."""
    known = sorted((row for row in rows if row["n"] is not None), key=lambda row: row["time"])
    for before, after in pairwise(known):
        if after["n"] > before["n"]:
            message = (
                f"{_whose(after)}numbers at risk rise from {before['n']} to {after['n']} at {after['time']:g}; "
                "nobody returns to follow-up"
            )
            return [after.error(message, "n", "at-risk-rises")]
    return []
