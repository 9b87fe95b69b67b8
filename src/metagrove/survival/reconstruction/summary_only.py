"""Patients where no curve was printed: only a median with its interval, or rates. Wide, and marked as such."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.survival.evidence.arguments import draws_wanted, random_generator, real_number
from metagrove.survival.evidence.curve_input import DigitizedCurve
from metagrove.survival.evidence.printed_facts import Contradiction, Facts, Interval, printed_facts
from metagrove.survival.paths.leaving_order import in_order
from metagrove.survival.reconstruction.printed_limits import narrow_rates
from metagrove.survival.reconstruction.rebuilt import (
    Draws,
    Guess,
    Patients,
    RebuiltPatients,
    levels_at,
    median_of,
    product_limit,
)
from metagrove.survival.reconstruction.summary_points import PrintedPoint, printed_points, unrounded

__all__ = ["reconstruct_summary"]

#: Standard deviation of the logarithm of the Weibull shape, before, between and behind the printed points.
SHAPE = 0.4
#: Standard deviation of the log odds with which the hazard between two printed points falls early or late.
BEND = 0.6
#: Chance that the hazard falls behind the last printed point, as where some are cured; the factor is uniform.
FALLING = 0.4
#: Sets made for each one kept where printed limits tell them apart, and how often at most where too few show what is printed.
SURPLUS, ROUNDS = 5, 8
#: Share of the sets wanted below which what is printed is said to be hardly possible; above it some are taken twice.
RARE = 0.25
#: Relative error with which the standard error of a set must agree with the printed limits.
LIMIT_ERROR = 0.08

WEIBULL = (
    "Weibull W. A statistical distribution function of wide applicability. J Appl Mech 1951;18:293-297. "
    "doi:10.1115/1.4010337"
)


def reconstruct_summary(
    n: int,
    *,
    events: int | None = None,
    median: Any = None,
    rates: Any = None,
    follow_up: float | None = None,
    draws: int = 100,
    rng: np.random.Generator | int | None = None,
) -> RebuiltPatients:
    """Patients consistent with a printed median or printed rates alone.

    Survival runs through the printed points, Weibull between them and beyond, with shapes drawn around 1 (one point) or
    the slope of the points; behind the last point the hazard may fall. Who is censored and when is drawn from dropout,
    staggered entry and follow-up to one common end, as many as the printed events ask for. Each set is then stretched
    in time until its own Kaplan-Meier curve shows what is printed; sets whose levels or median, R's rule, do not round to it are
    left out. Printed limits choose among the rest. What contradicts is named, and the sets are made without it.

    Parameters
    ----------
    n, events : printed totals; without `events`, their number is drawn too.
    median : a number or (median, lower, upper). rates : `{time: survival}` or `{time: (survival, lower, upper)}`.
    follow_up : longest follow-up; default twice the longest printed time.

    Raises
    ------
    DataError : when neither a median nor a rate strictly between 0 and 1 is given, or none within follow-up.
    """
    span = _span(median, rates, follow_up)
    line = DigitizedCurve(np.array([0.0, span]), np.ones(2), "clicks", 1)
    facts = printed_facts(line, n=n, events=events, median=median, rates=rates)
    points, found = printed_points(facts, span)
    lost = [text for text in (c.message for c in found) if "follow-up ends" in text]
    if not points and lost:
        raise DataError(f"{lost[0]}; a median or a rate within follow-up is needed where no curve is printed")
    draws, generator = draws_wanted(draws), random_generator(rng)
    asked = _Asked(facts, tuple(points), _shape(points, facts, span), span, free=follow_up is None)
    sets, rare = _sets(asked, max(draws, 40), generator)
    point = _central(sets)
    sampled = Draws(np.array([s[0] for s in sets[:draws]]), np.array([s[1] for s in sets[:draws]])) if draws else None
    text = "no curve is printed: all times are a guess around the printed median or rates"
    return RebuiltPatients(
        point[0].copy(),
        point[1].copy(),
        "summary",
        (WEIBULL,),
        None,
        facts,
        sampled=sampled,
        contradictions=(*facts.contradictions, *found, *narrow_rates(facts), *rare),
        guesses=(Guess(0.0, span, "everything", text),),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a set is to show: `points` that can hold, `shape` the inner ones of the hazard, follow-up to `span`.

    `free`: whether the end of follow-up is a guess, so that the last patient may leave earlier.
    """

    facts: Facts
    points: tuple[PrintedPoint, ...]
    shape: tuple[PrintedPoint, ...]
    span: float
    free: bool


def _central(sets: list[Patients]) -> Patients:
    """The set whose survival lies nearest to the middle of all."""
    grid = np.linspace(0, max(float(t[-1]) for t, _ in sets), 60)
    levels = np.array([levels_at(product_limit(t, e), grid) for t, e in sets])
    deaths = np.array([e.sum() for _, e in sets], dtype=np.float64)
    off = np.abs(levels - np.median(levels, axis=0)).mean(axis=1) + np.abs(deaths - np.median(deaths)) / sets[0][0].size
    return sets[int(np.argmin(off))]


def _span(median: Any, rates: Any, follow_up: float | None) -> float:
    if follow_up is not None:
        return real_number(follow_up, "follow-up", low=0.0, what="it lies above 0")
    printed = printed_facts(
        DigitizedCurve(np.array([0.0, 1.0]), np.ones(2), "clicks", 1), n=1, median=median, rates=rates
    )
    middle = printed.median
    known = [x for x in (middle.estimate, middle.lower, middle.upper) if x is not None] if middle is not None else []
    known += list(printed.rates)
    if not known:
        raise DataError("a median or a rate between 0 and 1 is needed where no curve is printed")
    return 2 * max(known)


def _shape(points: list[PrintedPoint], facts: Facts, span: float) -> tuple[PrintedPoint, ...]:
    """Points between 1 and 0 within follow-up, through which the hazard runs; where none can hold, the first that is printed."""
    inner = [p for p in points if 0 < p.level < 1 and p.time < span]
    if inner:
        return tuple(inner)
    printed = printed_points(replace(facts, n=10**6, events=None), np.inf)[0]
    inner = [replace(p, time=min(p.time, 0.9 * span)) for p in printed if 0 < p.level < 1]
    if not inner:
        raise DataError("a median or a rate between 0 and 1 is needed where no curve is printed")
    return tuple(inner[:1])


def _drawn(asked: _Asked, rng: np.random.Generator) -> tuple[Array, list[PrintedPoint]]:
    """Points drawn from the values that round to what is printed: rows of time and survival for the hazard, and all."""
    drawn = {p.name: unrounded(p, rng) if 0 < p.level < 1 else p for p in (*asked.shape, *asked.points)}
    kept: list[tuple[float, float]] = []
    for p in asked.shape:
        row = (drawn[p.name].time, drawn[p.name].level)
        if 0 < row[0] < asked.span and (not kept or (row[0] > kept[-1][0] and row[1] < kept[-1][1] - 1e-9)):
            kept.append(row)
    if not kept:
        kept = [(asked.shape[0].time, asked.shape[0].level)]
    return np.array(kept), [drawn[p.name] for p in asked.points]


@dataclass(frozen=True, slots=True)
class _Hazard:
    """Cumulative hazard through points, a power of time between each two: `time`, `total`, and powers before and behind.

    Behind the last point it grows `late` times as fast as its power says.
    """

    time: Array
    total: Array
    first: float
    last: float
    late: float

    def inverse(self, h: Array) -> Array:
        """Times at which the cumulative hazard is `h`."""
        log_t, log_h = np.log(self.time), np.log(self.total)
        wanted = np.log(np.maximum(h, 1e-300))
        inner = np.interp(wanted, log_h, log_t)
        early = log_t[0] + (wanted - log_h[0]) / self.first
        behind = self.total[-1] + (h - self.total[-1]) / max(self.late, 1e-9)
        late = log_t[-1] + (np.log(np.maximum(behind, self.total[-1])) - log_h[-1]) / self.last
        found = np.where(wanted < log_h[0], early, np.where(wanted > log_h[-1], late, inner))
        return np.asarray(np.exp(np.clip(found, -700, 700)), dtype=np.float64)


def _hazard(points: Array, rng: np.random.Generator) -> _Hazard:
    total = -np.log(points[:, 1])
    slope = 1.0
    if len(points) > 1:
        slope = float(np.clip(np.polyfit(np.log(points[:, 0]), np.log(total), 1)[0], 0.4, 3.0))
    first, last = slope * np.exp(SHAPE * rng.standard_normal(2))
    late = float(rng.uniform()) if rng.random() < FALLING else 1.0
    return _Hazard(*_bent(points[:, 0], total, rng), float(first), float(last), late)


def _bent(time: Array, total: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The points with one more between each two, off the power of time that joins them."""
    if time.size < 2:
        return time, total
    middle = np.sqrt(time[1:] * time[:-1])
    share = (np.sqrt(total[1:] * total[:-1]) - total[:-1]) / np.diff(total)
    odds = share / (1 - share) * np.exp(BEND * rng.standard_normal(share.size))
    between = total[:-1] + np.diff(total) * odds / (1 + odds)
    order = np.argsort(np.concatenate((time, middle)))
    return np.concatenate((time, middle))[order], np.concatenate((total, between))[order]


def _leaving(facts: Facts, span: float, died: Array, rng: np.random.Generator) -> Array:
    """Times of censoring, shape (n,): as many before death as leave the printed events, or a number drawn."""
    early = rng.exponential(1.0, facts.n)
    entry = rng.uniform(0.0, 1.0, facts.n)
    share = float(rng.uniform())
    kind = int(rng.integers(3))
    front = rng.uniform(0.0, 0.25, facts.n) * span

    def times(x: float) -> Array:
        """Censoring the heavier the larger `x`, from 0 (all to the end of follow-up) to 1."""
        rate = 6 * x**2 if kind == 0 else 0.0
        shortest = 1 - x if kind == 1 else 1 - share * x
        left = np.minimum(early * span / max(rate, 1e-9), span * (1 - entry * (1 - shortest)))
        return np.where(entry < x, np.minimum(front, left), left) if kind == 2 else left

    if facts.events is None:
        return times(float(rng.uniform()))
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        if int(np.sum(died <= times(middle))) > facts.events:
            low = middle
        else:
            high = middle
    return times(high)


def _set(asked: _Asked, rng: np.random.Generator) -> Patients:
    """One plausible set of patients."""
    facts, span = asked.facts, asked.span
    shape, points = _drawn(asked, rng)
    died = _hazard(shape, rng).inverse(rng.exponential(1.0, facts.n))
    left = np.minimum(_leaving(facts, span, died, rng), span)
    time, event = np.minimum(died, left), died <= left
    if facts.events is not None:
        extra = int(event.sum()) - facts.events
        pick = rng.permutation(np.flatnonzero(event if extra > 0 else ~event))[: abs(extra)]
        event[pick] = extra < 0
    time = np.maximum(time, 1e-6 * span)
    order = np.lexsort((~event, time))
    time, event = time[order], event[order]
    last = float(time[-1])
    placed = _stretched((time * span / last, event), points, asked, rng)
    return in_order(placed[None], event[None], facts, span)[0], event


def _stretched(patients: Patients, points: list[PrintedPoint], asked: _Asked, rng: np.random.Generator) -> Array:
    """Times moved so that the set's own curve shows each printed rate at its time, and its median."""
    time, event = patients
    span = asked.span
    steps = product_limit(time, event)
    knots, end = [(0.0, 0.0)], span
    for i, point in enumerate(points):
        if not steps[1].size:
            break
        if point.is_median:
            limit = points[i + 1].time if i + 1 < len(points) else span
            more = _median_knots(steps, point.time, span, (knots[-1][1], limit))
        else:
            more = [(_seen_at(steps, point.level, span, rng), point.time)]
        if more and more[-1][0] >= span and asked.free and point is points[-1]:  # the last to leave
            end = more.pop()[1]
        if all(knots[-1][0] < here < span and knots[-1][1] < t < span for here, t in more):
            knots += more
    if end <= knots[-1][1]:
        end = span
    now, then = zip(*knots, strict=True)
    return np.asarray(np.interp(time, [*now, span], [*then, end]), dtype=np.float64)


def _seen_at(steps: tuple[Array, Array], level: float, span: float, rng: np.random.Generator) -> float:
    """Some time at which the curve lies at the level nearest to a rate."""
    i = int(np.argmin(np.abs(np.append(1.0, steps[1]) - level)))
    edges = np.concatenate(([0.0], steps[0], [span]))
    return float(edges[i] + (edges[i + 1] - edges[i]) * rng.uniform(0.01, 0.99))


def _median_knots(
    steps: tuple[Array, Array], t: float, span: float, room: tuple[float, float]
) -> list[tuple[float, float]]:
    """Times now and then of the deaths between which the curve meets one half, so that `t` is its median; none if it does not."""
    when, level = steps
    below = np.flatnonzero(level <= 0.5 + 1e-8)
    if not below.size:
        return []
    first = float(when[below[0]])
    if level[below[0]] < 0.5 - 1e-8:
        return [(first, t)]
    # The curve is flat at one half, and its middle is the median.
    under = np.flatnonzero(level < 0.5 - 1e-8)
    if not under.size:
        return [(first, 2 * t - span)]
    second = float(when[under[0]])
    half = min((second - first) / 2 * t / ((first + second) / 2), 0.9 * (t - room[0]), 0.9 * (room[1] - t))
    return [(first, t - half), (second, t + half)]


def _sets(asked: _Asked, count: int, rng: np.random.Generator) -> tuple[list[Patients], tuple[Contradiction, ...]]:
    """Plausible sets that show what is printed, chosen by the limits from a surplus (sampling-importance resampling).

    Where hardly any shows it, that is said, and those come that miss it least.
    """
    rows = np.array([[p.time, p.level] for p in asked.points]).reshape(-1, 2)
    made: list[Patients] = []
    shown: list[list[bool]] = []
    cost: list[float] = []
    for _ in range(ROUNDS):
        more = [_set(asked, rng) for _ in range(SURPLUS * count)]
        made += more
        seen = [[p.shown_by(one) for p in asked.points] for one in more]
        shown += seen
        cost += [_misfit(one, rows[:0] if all(x) else rows, asked.facts) for one, x in zip(more, seen, strict=True)]
        fine = np.array([all(x) for x in shown])
        if fine.any() and _effective(np.array(cost)[fine]) >= count:
            break
    if fine.sum() < RARE * count:
        off = np.minimum(np.array(cost) - min(cost), 60.0) - rng.gumbel(size=len(made))
        return [made[i] for i in np.argsort(off, kind="stable")[:count].tolist()], _rare(asked, np.array(shown))
    good = rng.permutation(np.flatnonzero(fine))
    share = np.cumsum(_weights(np.array(cost)[good]))
    at = (np.arange(count) + rng.random()) / count * share[-1]
    return [made[i] for i in rng.permutation(good[np.searchsorted(share, at, side="right")]).tolist()], ()


def _weights(cost: Array) -> Array:
    return np.asarray(np.exp(cost.min() - cost), dtype=np.float64)


def _effective(cost: Array) -> float:
    """Effective number of sets (Kish's)."""
    weight = _weights(cost)
    return float(weight.sum() ** 2 / np.sum(weight**2))


def _rare(asked: _Asked, shown: NDArray[np.bool_]) -> tuple[Contradiction, ...]:
    """That hardly any set shows what is printed, with the points that are missed most."""
    share, fine = shown.mean(axis=0), int(shown.all(axis=1).sum())
    missed = [p for p, x in zip(asked.points, share.tolist(), strict=True) if x <= share.min() + 0.1]
    facts = asked.facts
    deaths = "" if facts.events is None else f" and {facts.events} events"
    how = "none" if not fine else f"only {fine}"
    text = (
        f"{how} of {len(shown)} patient sets with {facts.n} patient{'s' if facts.n != 1 else ''}{deaths} shows"
        f" {' and '.join(p.told for p in asked.points)}"
    )
    names = [p.name for p in missed] + ["n"] + (["events"] if facts.events is not None else [])
    return (Contradiction(tuple(names), text),)


def _misfit(patients: Patients, points: Array, facts: Facts) -> float:
    """Log weight a set loses by missing the printed points by more than one death, or the printed limits."""
    time, event = patients
    steps = product_limit(time, event)
    n = time.size
    cost = 0.0
    for t, s in points.tolist():
        off = min(
            abs(float(x) - s) for x in (levels_at(steps, np.array(t)), levels_at(steps, np.array(t), before=True))
        )
        cost += 0.5 * (max(off - 0.5 / n, 0.0) / (0.5 / n + 0.005)) ** 2
    printed = [(t, r) for t, r in facts.rates.items()]
    for t, rate in printed:
        cost += _limits_cost(patients, steps, t, rate)
    median = facts.median
    if median is not None and median.estimate is not None and median.estimate < time[-1]:
        low, high = (None if t is None else float(levels_at(steps, np.array(t))) for t in (median.lower, median.upper))
        error = _greenwood(patients, median.estimate) * max(float(levels_at(steps, np.array(median.estimate))), 0.05)
        # Brookmeyer and Crowley: at either limit the curve lies two standard errors off one half.
        for level, side in ((low, 1.0), (high, -1.0)):
            if level is not None and error > 0:
                cost += 0.5 * ((side * (level - 0.5) / error - 1.96) / 0.5) ** 2
        found = median_of(time, event)
        cost += 10.0 * (found is None or abs(found - median.estimate) > 1.01 * median.half_unit + 1e-9)
    return cost


def _limits_cost(patients: Patients, steps: tuple[Array, Array], t: float, rate: Interval) -> float:
    if rate.lower is None or rate.upper is None or rate.estimate is None or not 0 < rate.lower < rate.upper < 1:
        return 0.0
    s = float(np.clip(levels_at(steps, np.array(t)), 0.01, 0.99))
    error = _greenwood(patients, t)
    if error <= 0:
        return 0.0
    # The width by the transformation that fits best: plain, log, log-log.
    wide = (
        (rate.upper - rate.lower) / (2 * 1.96 * s),
        np.log(rate.upper / rate.lower) / (2 * 1.96),
        np.log(np.log(rate.lower) / np.log(rate.upper)) / (2 * 1.96) * -np.log(s),
    )
    return min(0.5 * (float(np.log(error / w)) / LIMIT_ERROR) ** 2 for w in map(float, wide))


def _greenwood(patients: Patients, t: float) -> float:
    """Greenwood's standard error of log survival at `t`; 0 where nobody has died or all have."""
    time, event = patients
    when, deaths = np.unique(time[event & (time <= t)], return_counts=True)
    risk = time.size - np.searchsorted(time, when, side="left")
    return float(np.sqrt(np.sum(deaths / (risk * np.maximum(risk - deaths, 0.5)))))
