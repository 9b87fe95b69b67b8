"""Points of a survival curve that a paper prints without the curve: which of them patients can show together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from metagrove.core.values import Array
from metagrove.survival.evidence.printed_facts import Contradiction, Facts, Interval
from metagrove.survival.reconstruction.rebuilt import Patients, levels_at, median_of, product_limit

__all__ = ["PrintedPoint", "printed_points", "unrounded"]

#: Patients up to whom every level that they can show is listed.
FEW = 14
#: Last digit assumed where trailing zeros of a rate may have been lost.
COARSEST = 0.005


@dataclass(frozen=True, slots=True)
class PrintedPoint:
    """A median or a rate: survival `level` at `time`.

    Parameters
    ----------
    half, reach : half a unit of the last digit of the level (0 for a median) and of the time (0 for a rate).
    lenient : the same as `half` where trailing zeros may have been lost.
    """

    name: str
    time: float
    level: float
    half: float = 0.0
    reach: float = 0.0
    lenient: float = 0.0

    @property
    def is_median(self) -> bool:
        """Whether it is the median: then the time was read off the curve, else the level."""
        return self.name == "median"

    @property
    def told(self) -> str:
        """The point in words."""
        return f"a median of {self.time:g}" if self.is_median else f"survival of {self.level:g} at {self.time:g}"

    def shown_by(self, patients: Patients) -> bool:
        """Whether the patients' own curve gives this point when rounded."""
        if self.is_median:
            found = median_of(*patients)
            return found is not None and abs(found - self.time) <= 1.001 * self.reach + 1e-9
        level = float(levels_at(product_limit(*patients), np.array(self.time)))
        return abs(level - self.level) <= self.half + 1e-9


def printed_points(facts: Facts, end: float) -> tuple[list[PrintedPoint], tuple[Contradiction, ...]]:
    """Printed points in the order of time that can hold together, and what contradicts them.

    Parameters
    ----------
    end : of follow-up.
    """
    kept: list[PrintedPoint] = []
    found: list[Contradiction] = []
    for point in sorted(_points(facts), key=lambda p: (p.time, -p.level)):
        text = _impossible(point, kept, facts, end)
        if text:
            others = ("follow-up",) if point.time > end else _others(point, kept, facts)
            found.append(Contradiction((point.name, *others), text))
        else:
            kept.append(point)
    if facts.median is not None and facts.median.estimate is None:
        low = next((p for p in kept if p.level + p.lenient < 0.5), None)
        if low is not None:
            text = f"the median is printed as not reached but {low.name} as {low.level:g}"
            found.append(Contradiction(("median", low.name), text))
    return kept, tuple(found)


def _points(facts: Facts) -> list[PrintedPoint]:
    found = []
    if facts.median is not None and facts.median.estimate:
        found.append(PrintedPoint("median", facts.median.estimate, 0.5, reach=facts.median.half_unit))
    for t, rate in facts.rates.items():
        if rate.estimate is not None and t > 0:
            alone = Interval(rate.estimate).half_unit
            half = rate.half_unit
            found.append(
                PrintedPoint(
                    f"survival at {t:g}", t, rate.estimate, min(half, COARSEST), lenient=min(max(half, alone), 0.05)
                )
            )
    return found


def _others(point: PrintedPoint, kept: list[PrintedPoint], facts: Facts) -> tuple[str, ...]:
    if kept and _rises(kept[-1], point):
        return (kept[-1].name,)
    return ("n",) if facts.events is None else ("n", "events")


def _rises(before: PrintedPoint, after: PrintedPoint) -> bool:
    """Whether survival would rise between two points, however they were rounded."""
    if after.is_median and before.time >= after.time - after.reach:
        return False
    if before.is_median and after.time <= before.time + before.reach:
        return False
    return after.level - after.lenient > before.level + before.lenient + 1e-9


def _impossible(point: PrintedPoint, kept: list[PrintedPoint], facts: Facts, end: float) -> str:
    """Why a point cannot hold beside those kept, empty if it can."""
    if point.time > end * (1 + 1e-9):
        return f"{point.told} is printed but follow-up ends at {end:g}"
    if kept and _rises(kept[-1], point):
        return f"{kept[-1].told} and {point.told} are printed; survival never rises"
    if facts.events == 0 and point.level + point.lenient < 1:
        return f"{point.told} is printed but there were no events"
    if point.is_median:
        return ""
    nearest = _nearest_level(point.level, facts.n, facts.events)
    if abs(nearest - point.level) <= point.lenient + 1e-9:
        return ""
    deaths = "" if facts.events is None else f" with {facts.events} events"
    who = f"{facts.n} patient{'s' if facts.n != 1 else ''}"
    return f"{point.told} is printed; the nearest that {who}{deaths} can show is {nearest:.3g}"


def _nearest_level(level: float, n: int, events: int | None) -> float:
    """The survival nearest to `level` that a Kaplan-Meier curve of `n` patients can show.

    Deaths one by one, among r at risk, take survival down by the factors 1 - 1/r, and ties are the same product.
    """
    if events == n:
        return round(level * n) / n
    if n > FEW:
        most = 1 - 1 / n
        return level if level <= most else (1.0 if 1 - level < level - most else most)
    known = _levels(n, events)
    return float(known[np.argmin(np.abs(known - level))])


def _levels(n: int, events: int | None) -> Array:
    """Every survival that `n` patients can show, of whom `events` die in the end."""
    at_risk = np.arange(1, n + 1)
    dies = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    level = np.where(dies, 1 - 1 / at_risk, 1.0).prod(axis=1)
    if events is None:
        return np.asarray(level)
    count = dies.sum(axis=1)
    last = np.where(dies.any(axis=1), np.argmax(dies, axis=1) + 1, n + 1)
    left = n - last + 1 - count  # censored before the last of these deaths
    return np.asarray(level[(count <= events) & (left <= n - events)])


def unrounded(point: PrintedPoint, rng: np.random.Generator) -> PrintedPoint:
    """A value that rounds to the printed one."""
    if point.is_median:
        reach = min(point.reach, 0.2 * point.time)
        return replace(point, time=point.time + reach * float(rng.uniform(-1, 1)))
    half = min(point.half, 0.9 * point.level, 0.9 * (1 - point.level))
    return replace(point, level=point.level + half * float(rng.uniform(-1, 1)))
