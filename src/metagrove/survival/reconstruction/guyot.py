"""The iterative reconstruction of Guyot, Ades, Ouwens and Welton (2012), as published and with bounded censoring.

Written from the paper: within each interval between printed numbers at risk, patients are censored evenly, deaths
follow from the falls of the curve, and the number censored is corrected until the next number at risk is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.curve_input import DigitizedCurve
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import falling, steps_of

__all__ = ["guyot_patients"]

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Interval:
    """Clicks between two numbers at risk: click times and levels, the interval's limits, patients at its start."""

    start: float
    stop: float
    time: Array
    level: Array


def guyot_patients(curve: DigitizedCurve, facts: Facts, *, bounded: bool) -> tuple[Array, NDArray[np.bool_]]:
    """Patient times and event flags, sorted by time, shape (n,) each.

    Parameters
    ----------
    bounded : keep the number censored in an interval between 0 and what the printed numbers leave, and meet every
        printed number; the published algorithm instead gives up a number at risk that it cannot meet.

    References
    ----------
    Guyot P, Ades AE, Ouwens MJ, Welton NJ. Enhanced secondary analysis of survival data: reconstructing the data from
    published Kaplan-Meier survival curves. BMC Med Res Methodol 2012;12:9. doi:10.1186/1471-2288-12-9
    """
    clicks = _clicks(curve, facts)
    spans = _intervals(curve, clicks, facts)
    n, reached = facts.n, 1.0
    times: list[Array] = []
    flags: list[NDArray[np.bool_]] = []
    censored_before = 0
    for i, span in enumerate(spans):
        last = i + 1 == len(spans)
        target = None if last else int(facts.risk_n[i])
        guess = _first_guess(span, n, reached, target or 0)
        if last:
            guess = _last_guess(span, facts, n, censored_before)
            left = None if facts.events is None else facts.events - sum(int(f.sum()) for f in flags)
            guess = guess if left is None else _tuned_guess(span, n, reached, guess, left)
        deaths, censor_times, reached_after = _interval_path(span, n, reached, guess, target, bounded)
        times += [np.repeat(span.time, deaths), censor_times]
        flags += [np.ones(int(deaths.sum()), dtype=bool), np.zeros(censor_times.size, dtype=bool)]
        n -= int(deaths.sum()) + censor_times.size
        censored_before += censor_times.size
        reached = reached_after
    times.append(np.full(n, curve.end))
    flags.append(np.zeros(n, dtype=bool))
    time, event = np.concatenate(times), np.concatenate(flags)
    _reach_the_end(time, event, curve, clicks)
    if facts.events is not None:
        time, event = _with_events(time, event, clicks, facts)
    order = np.lexsort((~event, time))
    return time[order], event[order]


def _reach_the_end(time: Array, event: NDArray[np.bool_], curve: DigitizedCurve, clicks: tuple[Array, Array]) -> None:
    """The last patient put where the curve ends: an event if it falls to 0 there, else censored (in place)."""
    falls = bool(clicks[1].size) and clicks[1][-1] <= 0
    end = float(clicks[0][-1]) if falls else curve.end
    who = int(np.lexsort((event if falls else ~event, time))[-1])
    if time[who] < end or event[who] != falls:
        time[who], event[who] = end, falls
    if falls:
        np.minimum(time, end, out=time)


def _clicks(curve: DigitizedCurve, facts: Facts) -> tuple[Array, Array]:
    reading = steps_of(curve, facts)
    if reading.columns:
        level = falling(reading.level, 1 / reading.error**2)
        if level.size and reading.level[-1] <= 2.5 * reading.sigma_s:
            level[-1] = 0.0
        return reading.time, np.clip(level, 0.0, 1.0)
    return reading.time, reading.level


def _intervals(curve: DigitizedCurve, clicks: tuple[Array, Array], facts: Facts) -> list[_Interval]:
    time, level = clicks
    edges = np.concatenate(([0.0], facts.risk_time, [np.inf]))
    spans = []
    for start, stop in pairwise(edges):
        inside = (time >= start) & (time < stop)
        spans.append(_Interval(float(start), float(min(stop, curve.end)), time[inside], level[inside]))
    return spans


def _first_guess(span: _Interval, n: int, reached: float, target: int) -> int:
    """Step 1 of the paper: who was censored if the curve's fall across the interval were all deaths."""
    fall = float(span.level[-1]) / reached if span.level.size and reached > 0 else 1.0
    return round(n * fall - target)


def _last_guess(span: _Interval, facts: Facts, n: int, censored: int) -> int:
    """Step 6: in the last interval, the earlier rate of censoring goes on."""
    if not facts.risk_time.size or span.start <= 0:
        return 0
    return int(min(round(censored * (span.stop - span.start) / span.start), n))


def _tuned_guess(span: _Interval, n: int, reached: float, guess: int, events: int) -> int:
    """Steps 7 and 8: the number censored in the last interval, moved until its deaths are the events still missing."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if int(_deaths(span, n, reached, middle)[0].sum()) > events:
            low = middle + 1
        else:
            high = middle
    now = int(_deaths(span, n, reached, guess)[0].sum())
    return guess if now == events else low


def _interval_path(
    span: _Interval, n: int, reached: float, guess: int, target: int | None, bounded: bool
) -> tuple[Counts, Array, float]:
    """Deaths at each click, times of the censored, and the curve's level reached, for one interval."""
    most = n if target is None else max(n - target, 0)
    censored = int(np.clip(guess, 0, most if bounded else n))
    tried: dict[int, int] = {}
    while True:
        deaths, after, left = _deaths(span, n, reached, censored)
        if target is None or left == target or censored in tried:
            break
        tried[censored] = abs(left - target)
        censored = int(np.clip(censored + left - target, 0, most if bounded else n))
    if tried and target is not None and left != target:
        censored = min(tried, key=lambda c: (tried[c], c))
        deaths, after, left = _deaths(span, n, reached, censored)
    if bounded and target is not None and left != target:
        return _forced(span, n, reached, deaths, most)
    return deaths, _spread(span, min(censored, n - int(deaths.sum()))), after


def _deaths(span: _Interval, n: int, reached: float, censored: int) -> tuple[Counts, float, int]:
    """Step 3: deaths at each click for a given number censored; the level and the number of patients left."""
    gone = np.searchsorted(_spread(span, censored), span.time, side="left")
    deaths = np.zeros(span.time.size, dtype=np.int64)
    dead, curve = 0, reached
    for k, level in enumerate(span.level.tolist()):
        here = max(n - dead - int(gone[k]), 0)
        if here and curve > 0:
            d = min(max(round(here * (1 - level / curve)), 0), here)
            deaths[k], dead = d, dead + d
            curve *= 1 - d / here
    return deaths, curve, max(n - dead - censored, 0)


def _forced(span: _Interval, n: int, reached: float, deaths: Counts, most: int) -> tuple[Counts, Array, float]:
    """The interval made to end at the printed number: surplus deaths are taken back from the smallest drops first."""
    deaths = deaths.copy()
    surplus = int(deaths.sum()) - most
    for k in np.argsort(deaths, kind="stable"):
        taken = min(max(surplus, 0), int(deaths[k]))
        deaths[k] -= taken
        surplus -= taken
    times = _spread(span, most - int(deaths.sum()))
    gone = np.searchsorted(times, span.time, side="left")
    here = np.maximum(n - np.concatenate(([0], np.cumsum(deaths)[:-1])) - gone, 1) if deaths.size else np.ones(0)
    return deaths, times, reached * float(np.prod(1 - deaths / np.maximum(here, deaths)))


def _spread(span: _Interval, count: int) -> Array:
    """`count` times evenly inside the interval."""
    share = (np.arange(count) + 1.0) / (count + 1.0)
    return np.asarray(span.start + (span.stop - span.start) * share, dtype=np.float64)


def _with_events(
    time: Array, event: NDArray[np.bool_], clicks: tuple[Array, Array], facts: Facts
) -> tuple[Array, NDArray[np.bool_]]:
    """The same patients with exactly the printed events: one flag at a time changes where the curve suffers least."""
    events = facts.events or 0
    time, event = time.copy(), event.copy()
    while int(event.sum()) != events:
        more = int(event.sum()) < events
        pool = np.flatnonzero(event != more)
        places = _nearest(time[pool], clicks[0], facts.risk_time) if more else time[pool]
        chosen, first = np.unique(places, return_index=True)
        costs = [_misfit(time, event, clicks, (int(pool[i]), place)) for i, place in zip(first, chosen, strict=True)]
        best = int(np.argmin(costs))
        who = int(pool[first[best]])
        time[who], event[who] = chosen[best], more
    return time, event


def _nearest(times: Array, clicks: Array, ticks: Array) -> Array:
    """The click before each time, or after it, on the same side of every number at risk; else the time itself."""
    if not clicks.size:
        return times
    index = np.searchsorted(clicks, times, side="right")
    before, after = clicks[np.maximum(index - 1, 0)], clicks[np.minimum(index, clicks.size - 1)]
    cell = np.searchsorted(ticks, times, side="right")
    here = (index > 0) & (np.searchsorted(ticks, before, side="right") == cell)
    next_ = (index < clicks.size) & (np.searchsorted(ticks, after, side="right") == cell)
    return np.where(here, before, np.where(next_, after, times))


def _misfit(time: Array, event: NDArray[np.bool_], clicks: tuple[Array, Array], change: tuple[int, float]) -> float:
    """Sum of squared differences at the clicks after one patient's change."""
    who, place = change
    time, event = time.copy(), event.copy()
    time[who], event[who] = place, not event[who]
    order = np.sort(time)
    when, deaths = np.unique(time[event], return_counts=True)
    risk = time.size - np.searchsorted(order, when, side="left")
    level = np.concatenate(([1.0], np.cumprod(1 - deaths / risk)))
    at = level[np.searchsorted(when, clicks[0], side="right")]
    return float(np.sum((at - clicks[1]) ** 2))
