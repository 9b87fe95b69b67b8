"""Axes: limits that suit the numbers, round ticks that fit their space, and positions in points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log, log10
from typing import TypeAlias

from metagrove.core.errors import DataError
from metagrove.plots.marks import text_width

__all__ = ["Axis", "Texts", "fitting_ticks", "limits_for", "round_ticks", "tick_texts"]

Texts: TypeAlias = Callable[[Sequence[float]], list[str]]


@dataclass(frozen=True, slots=True)
class Axis:
    """A line of values from `low` to `high`, drawn from `start` over `length` points (negative runs upwards)."""

    low: float
    high: float
    start: float
    length: float
    logarithmic: bool = False

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise DataError(f"an axis from {self.low:g} to {self.high:g}; its ends are finite and the second is higher")
        if self.logarithmic and self.low <= 0:
            raise DataError(f"a logarithmic axis from {self.low:g}; it starts above 0")

    def at(self, value: float) -> float:
        """The position of `value` in points."""
        return self.start + self.length * self.share(value)

    def share(self, value: float) -> float:
        """How far along the axis `value` lies: 0 at `low`, 1 at `high`."""
        if not self.logarithmic:
            return (value - self.low) / (self.high - self.low)
        if value <= 0:
            return float("-inf")
        return log(value / self.low) / log(self.high / self.low)


def _steps(low: float, high: float) -> Iterable[float]:
    """Round steps, finest first, that give between about 30 and 1 ticks."""
    rank = floor(log10((high - low) / 30))
    for power in range(rank, rank + 4):
        yield from (m * 10.0**power for m in (1, 2, 2.5, 5))


def round_ticks(low: float, high: float, step: float) -> list[float]:
    """Multiples of `step` between `low` and `high`.

    >>> round_ticks(0, 1, 0.25)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    slack = 1e-9 * (high - low)
    first, last = ceil((low - slack) / step), floor((high + slack) / step)
    decimals = max(0, 2 - floor(log10(step)))
    return [round(i * step, decimals) + 0.0 for i in range(first, last + 1)]


def tick_texts(ticks: Sequence[float], *, logarithmic: bool = False) -> list[str]:
    """The labels of ticks: all with the decimals that the finest needs, each as short as can be on a logarithmic axis.

    >>> tick_texts([0, 0.25, 0.5]), tick_texts([0.5, 1, 2], logarithmic=True), tick_texts([-2.0, 0.0])
    (['0', '0.25', '0.50'], ['0.5', '1', '2'], ['−2', '0'])
    """
    if logarithmic or any(t and not 1e-5 <= abs(t) < 1e7 for t in ticks):
        return [f"{t:.6g}".replace("-", "−") for t in ticks]
    need = max((len(f"{t:.8f}".rstrip("0").split(".")[1]) for t in ticks), default=0)
    return ["0" if t == 0 else f"{t:.{need}f}".replace("-", "−") for t in ticks]


def _log_ladders(low: float, high: float) -> Iterable[list[float]]:
    """Tick sets for a logarithmic axis, densest first: 1-2-5, quarters and doubles, decades, every n-th decade."""
    first, last = floor(log10(low)) - 1, ceil(log10(high)) + 1
    yield [m * 10.0**p for p in range(first, last) for m in (1, 2, 5)]
    yield [2.0**p for p in range(floor(log(low, 2)) - 1, ceil(log(high, 2)) + 2)]
    yield [4.0**p for p in range(floor(log(low, 4)) - 1, ceil(log(high, 4)) + 2)]
    for every in (1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 192):
        yield [10.0**p for p in range(every * floor(first / every), last + every, every)]


def fitting_ticks(axis: Axis, size: float, *, texts: Texts, most: int = 7, gap: float = 1.0) -> list[float]:
    """The densest round ticks whose labels keep `gap` ems of air along a horizontal axis; at most `most` of them.

    `texts` writes the labels; `size` is its size in points.
    """
    ladders = [round_ticks(axis.low, axis.high, step) for step in _steps(axis.low, axis.high)]
    if axis.logarithmic:
        wide = axis.high / axis.low > 2.5
        decades = [
            [t for t in set_ if axis.low * 0.999 <= t <= axis.high * 1.001]
            for set_ in _log_ladders(axis.low, axis.high)
        ]
        ladders = decades + ladders if wide else ladders
    fitting = (
        ticks
        for least in (3, 2)
        for ticks in ladders
        if least <= len(ticks) <= most and _roomy(axis, ticks, [text_width(t, size) for t in texts(ticks)], gap * size)
    )
    found = next(fitting, None)
    if found is not None:
        return found
    ends = [axis.low, axis.high]
    return ends if _roomy(axis, ends, [text_width(t, size) for t in texts(ends)], 2.0) else ends[:1]


def _roomy(axis: Axis, ticks: Sequence[float], widths: Sequence[float], gap: float) -> bool:
    places = [axis.at(t) for t in ticks]
    pairs = zip(places, places[1:], widths, widths[1:], strict=False)
    return all(b - a >= (wa + wb) / 2 + gap for a, b, wa, wb in pairs)


def limits_for(
    estimates: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    *,
    logarithmic: bool,
    keep: Sequence[float] = (),
) -> tuple[float, float]:
    """Limits that show every estimate and `keep`, and the intervals unless some are far longer than the rest.

    An interval may stretch the axis beyond the estimates by as much as they span (or by 1.5 typical half-widths);
    what is longer will be cut and marked by an arrow.
    """
    to = log if logarithmic else float
    fit = [v for v in (*estimates, *keep) if isfinite(v) and (v > 0 or not logarithmic)]
    ends = [(a, b) for a, b in intervals if isfinite(a) and isfinite(b) and (a > 0 or not logarithmic)]
    core = [to(v) for v in fit] or [to(v) for pair in ends for v in pair] or [0.0]
    widths = sorted(to(b) - to(a) for a, b in ends) or [1.0]
    reach = max(max(core) - min(core), 1.5 * widths[len(widths) // 2], 1e-9 * max(1.0, abs(core[0])))
    low = min([max(to(a), min(core) - reach) for a, _ in ends] + [min(core)])
    high = max([min(to(b), max(core) + reach) for _, b in ends] + [max(core)])
    if any(not isfinite(b) for _, b in intervals):
        high = max(high, max(core) + reach)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    pad = 0.03 * (high - low)
    low, high = low - pad, high + pad
    if not logarithmic:
        return low, high
    from math import exp

    return exp(max(low, -600.0)), exp(min(high, 600.0))
