"""Patients where no curve was printed: only a median with its interval, or rates. Wide, and marked as such."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.survival.curve_input import DigitizedCurve
from metagrove.survival.printed_facts import Facts, printed_facts
from metagrove.survival.rebuilt import Draws, Guess, RebuiltPatients

__all__ = ["reconstruct_summary"]

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

    Survival is taken to be Weibull. Each draw has its own shape (log-normal around 1, standard deviation .35 on the log
    scale, where fewer than two points pin it) and its own scale within the sampling error of the printed values, so
    the draws are as wide as so little information makes them.

    Parameters
    ----------
    n, events : printed totals; without `events`, all deaths within `follow_up` count.
    median : a number or (median, lower, upper). rates : `{time: survival}`.
    follow_up : longest follow-up; default twice the longest printed time.

    Raises
    ------
    DataError : when neither a median nor a rate strictly between 0 and 1 is given.
    """
    span = _span(median, rates, follow_up)
    line = DigitizedCurve(np.array([0.0, span]), np.ones(2), "clicks", 1)
    facts = printed_facts(line, n=n, events=events, median=median, rates=rates)
    points = _points(facts)
    if not points.size:
        raise DataError("a median or a rate between 0 and 1 is needed where no curve is printed")
    generator = rng if isinstance(rng, np.random.Generator) else np.random.default_rng(1 if rng is None else rng)
    share = (np.arange(facts.n) + 0.5) / facts.n
    point = _patients(1 - share, *_weibull(points, 1.0), span, facts, None)
    sets = [_draw(points, facts, span, generator) for _ in range(draws)]
    sampled = Draws(np.array([s[0] for s in sets]), np.array([s[1] for s in sets])) if draws else None
    text = "no curve is printed: all times are a guess around the printed median or rates"
    return RebuiltPatients(
        point[0],
        point[1],
        "summary",
        (WEIBULL,),
        None,
        facts,
        sampled=sampled,
        contradictions=facts.contradictions,
        guesses=(Guess(0.0, span, "everything", text),),
    )


def _span(median: Any, rates: Any, follow_up: float | None) -> float:
    if follow_up is not None:
        if not follow_up > 0:
            raise DataError(f"follow-up is {follow_up:g}; it lies above 0")
        return float(follow_up)
    known = [
        float(x) for x in np.ravel(median if median is not None else []) if x is not None and np.isfinite(float(x))
    ]
    known += [float(t) for t in (rates or {})]
    if not known:
        raise DataError("a median or a rate between 0 and 1 is needed where no curve is printed")
    return 2 * max(known)


def _points(facts: Facts) -> Array:
    """Printed points of the curve: rows of time, survival and its standard error; shape (p, 3)."""
    rows = []
    if facts.median is not None and facts.median.estimate:
        error = float(np.sqrt(0.25 / facts.n))
        rows.append((facts.median.estimate, 0.5, error))
    for t, rate in facts.rates.items():
        if rate.estimate is not None and 0 < rate.estimate < 1 and t > 0:
            rows.append((t, rate.estimate, float(np.sqrt(rate.estimate * (1 - rate.estimate) / facts.n))))
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _weibull(points: Array, shape: float) -> tuple[float, float]:
    """Shape and scale through the points: by least squares on log(-log S) where there are several."""
    x, y = np.log(points[:, 0]), np.log(-np.log(np.clip(points[:, 1], 1e-6, 1 - 1e-6)))
    if np.unique(x).size > 1:
        shape = float(np.clip(np.polyfit(x, y, 1)[0], 0.3, 4.0))
    return shape, float(np.exp(np.mean(x - y / shape)))


def _patients(
    survival: Array, shape: float, scale: float, span: float, facts: Facts, rng: np.random.Generator | None
) -> tuple[Array, NDArray[np.bool_]]:
    """Times at given survival values, censored at the end of follow-up, with the printed number of events."""
    time = np.maximum(scale * (-np.log(survival)) ** (1 / shape), 1e-6 * span)
    event = time <= span
    time = np.minimum(time, span)
    if facts.events is not None:
        order = np.argsort(time) if rng is None else rng.permutation(time.size)
        dead = np.flatnonzero(event[order])
        extra = dead.size - facts.events
        if extra > 0:  # the latest deaths become censorings, so that the printed median stays
            event[order[dead[-extra:]] if rng is None else order[dead[:extra]]] = False
        elif extra < 0:
            event[order[np.flatnonzero(~event[order])[:-extra]]] = True
    order = np.lexsort((~event, time))
    return time[order], event[order]


def _draw(points: Array, facts: Facts, span: float, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    moved = points.copy()
    moved[:, 1] = np.clip(points[:, 1] + points[:, 2] * rng.standard_normal(len(points)), 0.02, 0.98)
    shape, scale = _weibull(moved, float(np.exp(0.35 * rng.standard_normal())))
    return _patients(rng.uniform(1e-9, 1.0, facts.n), shape, scale, span, facts, rng)
