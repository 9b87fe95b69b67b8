"""Patients where no curve was printed: only a median with its interval, or rates. Wide, and marked as such."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.survival.evidence.arguments import draws_wanted, random_generator, real_number
from metagrove.survival.evidence.curve_input import DigitizedCurve
from metagrove.survival.evidence.printed_facts import Facts, Interval, printed_facts
from metagrove.survival.reconstruction.rebuilt import Draws, Guess, RebuiltPatients, levels_at, product_limit

__all__ = ["reconstruct_summary"]

#: Standard deviation of the logarithm of the Weibull shape, before, between and behind the printed points.
SHAPE = 0.4
#: Standard deviation of the log odds with which the hazard between two printed points falls early or late.
BEND = 0.6
#: Chance that the hazard falls behind the last printed point, as where some are cured; the factor is uniform.
FALLING = 0.4
#: Sets made for each one kept where printed limits tell them apart.
SURPLUS = 5
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
    in time until its own Kaplan-Meier curve shows what is printed. Printed limits choose among the sets.

    Parameters
    ----------
    n, events : printed totals; without `events`, their number is drawn too.
    median : a number or (median, lower, upper). rates : `{time: survival}` or `{time: (survival, lower, upper)}`.
    follow_up : longest follow-up; default twice the longest printed time.

    Raises
    ------
    DataError : when neither a median nor a rate strictly between 0 and 1 is given.
    """
    span = _span(median, rates, follow_up)
    line = DigitizedCurve(np.array([0.0, span]), np.ones(2), "clicks", 1)
    facts = printed_facts(line, n=n, events=events, median=median, rates=rates)
    points = _points(facts, span)
    if not points.size:
        raise DataError("a median or a rate between 0 and 1 is needed where no curve is printed")
    draws, generator = draws_wanted(draws), random_generator(rng)
    sets = _sets(points, facts, span, max(draws, 40), generator)
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
        contradictions=facts.contradictions,
        guesses=(Guess(0.0, span, "everything", text),),
    )


Patients = tuple[Array, NDArray[np.bool_]]


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


def _points(facts: Facts, span: float, rng: np.random.Generator | None = None) -> Array:
    """Printed points of the curve within follow-up: rows of time and survival, rising in time and falling; shape (p, 2).

    With `rng` each is drawn from the values that round to it.
    """

    def unrounded(value: float, half: float) -> float:
        return value if rng is None else value + half * float(rng.uniform(-1, 1))

    rows = []
    if facts.median is not None and facts.median.estimate and facts.median.estimate < span:
        half = min(facts.median.half_unit, 0.2 * facts.median.estimate, 0.9 * (span - facts.median.estimate))
        rows.append((unrounded(facts.median.estimate, half), 0.5))
    for t, rate in facts.rates.items():
        if rate.estimate is not None and 0 < rate.estimate < 1 and 0 < t < span:
            half = min(rate.half_unit, 0.005, 0.9 * rate.estimate, 0.9 * (1 - rate.estimate))
            rows.append((t, unrounded(rate.estimate, half)))
    kept: list[tuple[float, float]] = []
    for row in sorted(rows):
        if not kept or (row[0] > kept[-1][0] and row[1] < kept[-1][1] - 1e-9):
            kept.append(row)
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


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


def _set(facts: Facts, span: float, rng: np.random.Generator) -> Patients:
    """One plausible set of patients."""
    points = _points(facts, span, rng)
    died = _hazard(points, rng).inverse(rng.exponential(1.0, facts.n))
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
    return _stretched((time * span / last, event), points, span, rng), event


def _stretched(patients: Patients, points: Array, span: float, rng: np.random.Generator) -> Array:
    """Times moved so that the set's own curve shows each printed rate at its time, and its median."""
    time, event = patients
    when, level = product_limit(time, event)
    now, then = [0.0], [0.0]
    for t, s in points.tolist():
        if not level.size:
            break
        if s == 0.5 and level[-1] <= 0.5 + 1e-9:  # the median is the time of a death
            here = float(when[int(np.argmax(level <= 0.5 + 1e-9))])
        else:  # a rate is seen anywhere between two
            i = int(np.argmin(np.abs(np.append(1.0, level) - s)))
            edges = np.concatenate(([0.0], when, [span]))
            here = float(edges[i] + (edges[i + 1] - edges[i]) * rng.uniform(0.01, 0.99))
        if now[-1] < here < span and t > then[-1]:
            now.append(here)
            then.append(t)
    return np.interp(time, [*now, span], [*then, span])


def _sets(points: Array, facts: Facts, span: float, count: int, rng: np.random.Generator) -> list[Patients]:
    """Plausible sets, chosen by the printed points and limits from a surplus (sampling-importance resampling)."""
    made = [_set(facts, span, rng) for _ in range(SURPLUS * count)]
    cost = np.array([_misfit(one, points, facts) for one in made])
    keep = np.argsort(np.minimum(cost - cost.min(), 60.0) - rng.gumbel(size=cost.size), kind="stable")[:count]
    return [made[i] for i in rng.permutation(keep).tolist()]


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
        below = steps[0][steps[1] <= 0.5 + 1e-9]
        missed = not below.size or abs(float(below[0]) - median.estimate) > 1.01 * median.half_unit + 1e-9
        cost += 10.0 * missed
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
