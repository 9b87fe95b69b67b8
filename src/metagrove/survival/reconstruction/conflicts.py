"""Printed facts that cannot all hold, named in words, and stretches of follow-up that the paper leaves open."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.curve_input import DigitizedCurve
from metagrove.survival.evidence.printed_facts import Contradiction, Facts
from metagrove.survival.evidence.steps import DROP, Reading, steps_of
from metagrove.survival.paths.censoring import mean_levels
from metagrove.survival.reconstruction.printed_limits import narrow_median, narrow_rates
from metagrove.survival.reconstruction.rebuilt import Draws, Guess

__all__ = ["conflicts", "left_out", "open_stretches"]


class _Range:
    """The lowest and highest survival that the curve allows just before a time."""

    def __init__(self, reading: Reading) -> None:
        # Between two places on a curve the fall may have come just after the first or just before the second.
        self.since, self.time = reading.since.tolist(), reading.time.tolist()
        self.level = [1.0, *mean_levels(reading).tolist()]
        self.slack = 3 * reading.sigma_s
        self.shift = max(3 * reading.sigma_t, 0.003 * reading.end)
        self.end = reading.end

    def low(self, t: float) -> float:
        return max(self.level[bisect_right(self.since, t + self.shift)] - self.slack, 0.0) if t > 0 else 1.0

    def high(self, t: float) -> float:
        return min(self.level[bisect_left(self.time, t - self.shift)] + self.slack, 1.0) if t > 0 else 1.0


def conflicts(
    curve: DigitizedCurve, facts: Facts, *, sigma: float | None = None, first: Reading | None = None
) -> tuple[Contradiction, ...]:
    """Printed facts that no patient set can meet together, each with the facts involved and the reason in words.

    Parameters
    ----------
    sigma : standard error of a survival reading where it has been estimated, see `steps.steps_of`. first : the curve as
        read without it, where it has been.
    """
    reading = first if first is not None and sigma is None else steps_of(curve, facts, sigma=sigma)
    span = _Range(reading)
    found = list(facts.contradictions)
    found += _risk_conflicts(span, facts)
    found += _event_conflicts(span, facts, reading)
    found += _summary_conflicts(span, facts)
    if facts.marks is not None and facts.events is not None and facts.marks.size > facts.n - facts.events:
        text = (
            f"{facts.marks.size} censor marks but only {facts.n - facts.events} of {facts.n} patients without an event"
        )
        found.append(Contradiction(("marks", "events", "n"), text))
    elif facts.marks is not None and facts.marks.size > facts.n - _falls(reading):
        text = (
            f"{facts.marks.size} censor marks are too many: the curve falls {_falls(reading)} times, which leaves"
            f" {max(facts.n - _falls(reading), 0)} of {facts.n} patients without an event"
        )
        found.append(Contradiction(("marks", "curve", "n"), text))
    return tuple(found)


def _falls(reading: Reading) -> int:
    """Fewest drops of the curve: a last click at its end may be that end, read a little lower than the drop before it."""
    if reading.columns or reading.loose:
        return 0
    if not reading.sigma_t or reading.time.size < 2:
        return reading.time.size
    fall = float(reading.level[-2] - reading.level[-1])
    at_end = float(reading.time[-1]) >= reading.end - 3 * reading.sigma_t
    return reading.time.size - int(at_end and fall < 2 * DROP * reading.sigma_s)


def _risk_conflicts(span: _Range, facts: Facts) -> list[Contradiction]:
    """Numbers at risk that fall more slowly than the curve."""
    found = []
    times = [0.0, *facts.risk_time.tolist()]
    counts = [facts.n, *facts.risk_n.tolist()]
    for (t, n), (u, k) in pairwise(zip(times, counts, strict=True)):
        most = n * min(span.high(u) / max(span.low(t), 1e-9), 1.0)
        if n > 0 and k > most + 0.5 and k <= n:
            text = f"{k} at risk at {u:g} is too many: of {n} at {t:g} the curve leaves at most {int(most + 0.5)}"
            found.append(Contradiction((f"at risk at {u:g}", "curve"), text))
    return found


def _event_conflicts(span: _Range, facts: Facts, reading: Reading) -> list[Contradiction]:
    """Total events outside what the curve and the numbers at risk allow."""
    if facts.events is None:
        return []
    end = reading.end * 1.01
    last_low = span.low(end)
    for t, k in zip(facts.risk_time.tolist(), facts.risk_n.tolist(), strict=True):
        later = k * (1 - last_low / max(span.high(t), 1e-9))
        if facts.events > facts.n - k + later + 0.5:
            text = f"{facts.events} events cannot leave {k} at risk at {t:g}: at most {int(facts.n - k + later + 0.5)} of {facts.n} patients can have died"
            return [Contradiction(("events", f"at risk at {t:g}", "n"), text)]
    most = least = 0.0
    times = [0.0, *facts.risk_time.tolist(), end]
    counts = [facts.n, *facts.risk_n.tolist(), 0]
    for (t, n), (u, k) in pairwise(zip(times, counts, strict=True)):
        most += n * (1 - span.low(u) / max(span.high(t), 1e-9))
        if u < end and span.high(u) > 0:
            least += max(k * (span.low(t) / span.high(u) - 1), 0.0)
    falls = _falls(reading)
    if facts.events > most + 0.5:
        text = f"{facts.events} events are too many: the curve and the numbers at risk allow at most {int(most + 0.5)}"
        return [Contradiction(("events", "curve", "numbers at risk"), text)]
    if facts.events < max(int(least - 0.5), falls):
        text = f"{facts.events} events are too few: the curve shows at least {max(int(least - 0.5), falls)}"
        return [Contradiction(("events", "curve"), text)]
    return []


def _summary_conflicts(span: _Range, facts: Facts) -> list[Contradiction]:
    """A printed median, rate or limit off the curve, or limits too narrow for so few patients."""
    found = [*narrow_median(facts, span.low, span.high), *narrow_rates(facts)]
    if facts.median is not None and facts.median.estimate is not None:
        t, half = facts.median.estimate, facts.median.half_unit
        if not span.low(t + half) - 0.005 <= 0.5 <= span.high(t - half) + 0.005:
            text = (
                f"the printed median is {t:g} but the curve there lies between {span.low(t):.3f} and {span.high(t):.3f}"
            )
            found.append(Contradiction(("median", "curve"), text))
    for t, rate in facts.rates.items():
        r = rate.estimate
        if r is not None and t > span.end + span.shift and max(r, span.low(span.end)) > 0.006:
            text = f"survival at {t:g} is printed as {r:g} but the curve ends before, at {span.end:g}"
            found.append(Contradiction((f"survival at {t:g}", "curve"), text))
        elif r is not None and not span.low(t) - 0.006 <= r <= span.high(t) + 0.006:
            text = f"survival at {t:g} is printed as {r:g} but the curve lies between {span.low(t):.3f} and {span.high(t):.3f}"
            found.append(Contradiction((f"survival at {t:g}", "curve"), text))
    return found


def left_out(fallback: str, facts: Facts, known: tuple[Contradiction, ...]) -> tuple[Contradiction, ...]:
    """The contradictions known so far and, where a fact had to go to find any path, that fact."""
    if not fallback:
        return known
    others = ["the curve", f"n = {facts.n}"] + ([f"{facts.events} events"] if facts.events is not None else [])
    text = f"{fallback} cannot be met together with {', '.join(others)}; rebuilt without it"
    if fallback == "reading error":
        text = f"{', '.join(others)} agree only if the curve was read with large errors"
    return (*known, Contradiction((fallback, *others), text))


def open_stretches(facts: Facts, draws: Draws, end: float) -> tuple[Guess, ...]:
    """Stretches between numbers at risk (or fifths of the follow-up) where plausible patient sets differ.

    A stretch is named where the numbers of deaths, or of patients censored, that 90 % of the draws hold span more than
    two patients and more than a tenth of the arm's own number there.
    """
    inner = facts.risk_time[(facts.risk_time > 0) & (facts.risk_time < end)]
    edges = inner if inner.size else np.linspace(0, end, 6)[1:-1]
    limits = np.concatenate(([0.0], edges, [np.inf]))
    found = []
    for start, stop in pairwise(limits.tolist()):
        inside = (draws.time >= start) & (draws.time < stop)
        for what, flag in (("deaths", draws.event), ("censored", ~draws.event)):
            text = _spread(inside & flag, what)
            if text:
                last = min(stop, end)
                found.append(Guess(start, last, what, f"from {start:.4g} to {last:.4g} {text}"))
    return tuple(found)


def _spread(counted: NDArray[np.bool_], what: str) -> str:
    counts: Array = np.sort(counted.sum(axis=1)).astype(np.float64)
    # The quantiles by hand: np.quantile costs a hundred times as much for so few numbers.
    low, middle, high = np.interp(np.array((0.05, 0.5, 0.95)) * (counts.size - 1), np.arange(counts.size), counts)
    if high - low <= max(2.0, 0.1 * middle):
        return ""
    return f"the number {what if what == 'censored' else 'of deaths'} is a guess: {low:.0f} to {high:.0f} fit what is printed"
