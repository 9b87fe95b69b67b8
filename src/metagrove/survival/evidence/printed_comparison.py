"""What a paper prints about the difference of two arms: the hazard ratio with its limits and the log-rank p."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.survival.evidence.arguments import real_number
from metagrove.survival.evidence.comparison_text import PrintedP, p_of_text, ratio_of_text
from metagrove.survival.evidence.printed_facts import Interval

__all__ = ["HR", "LIMITS", "LOG_RANK", "PrintedComparison", "Window", "printed_comparison", "printed_ratio"]

HR, LIMITS, LOG_RANK = "hazard ratio", "limits of the hazard ratio", "log-rank p"
#: How sharply a hazard ratio is held to those that round to the printed one, in half units of its last digit.
SOFT = 0.1
#: Programs differ in the variance by about this share: Wald or profile limits, ties.
SPREAD_ERROR = 0.01
#: And in the z behind a p value: likelihood-ratio, Wald or score test, continuity. It does not depend on the digits of p.
Z_ERROR = 0.02
#: Last digits assumed where trailing zeros may have been lost.
COARSEST = 0.005


@dataclass(frozen=True, slots=True)
class Window:
    """Values that agree with what was printed: `low` to `high`, and the standard error `soft` beyond."""

    low: float
    high: float
    soft: float

    def excess(self, value: Array | float) -> Array:
        """How far values lie outside, with sign; shape of `value`."""
        v = np.asarray(value, dtype=np.float64)
        return np.asarray(v - np.clip(v, self.low, self.high))

    def log_weight(self, value: Array | float) -> Array:
        """Log weight of values: nothing is lost inside; shape of `value`."""
        return np.asarray(-0.5 * (self.excess(value) / self.soft) ** 2)


@dataclass(frozen=True, slots=True)
class PrintedComparison:
    """What was printed about two arms, as windows: of the log hazard ratio, its standard error, and |z| of the log-rank test.

    Parameters
    ----------
    printed : the facts in words, by name.
    """

    loghr: Window | None = None
    error: Window | None = None
    z: Window | None = None
    printed: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> list[str]:
        """Which facts are printed."""
        return [name for name, w in ((HR, self.loghr), (LIMITS, self.error), (LOG_RANK, self.z)) if w is not None]

    def told(self, name: str) -> str:
        """One fact as printed."""
        return dict(self.printed)[name]

    def softened(self, factor: float) -> PrintedComparison:
        """The same, with hazard ratios and limits beyond their windows `factor` times as likely off.

        The error of z is what programs differ by, wide already: softened it would let any test pass for any other.
        """
        wider = [None if w is None else Window(w.low, w.high, factor * w.soft) for w in (self.loghr, self.error)]
        return PrintedComparison(wider[0], wider[1], self.z, self.printed)

    def without(self, name: str) -> PrintedComparison:
        """The same with one fact fewer."""
        return PrintedComparison(
            None if name == HR else self.loghr,
            None if name == LIMITS else self.error,
            None if name == LOG_RANK else self.z,
            self.printed,
        )

    def log_weight(self, values: Array) -> Array:
        """Log weight of pairs with `values` (pairs, 3) of log hazard ratio, standard error and z; shape (pairs,)."""
        weight = np.zeros(values.shape[0])
        if self.loghr is not None:
            weight += self.loghr.log_weight(values[:, 0])
        if self.error is not None:
            weight += self.error.log_weight(values[:, 1])
        if self.z is not None:
            weight += self.z.log_weight(np.abs(values[:, 2]))
        return weight


def printed_comparison(
    hr: float | str | Sequence[float | None] | None,
    p: float | str | None,
    *,
    hr_error: float = 0.0,
    level: float = 0.95,
) -> PrintedComparison:
    """The printed comparison, checked; see `reconstruct_arms` for the arguments."""
    hr_error = real_number(hr_error, "hr_error", what="it is a standard error of a log hazard ratio, 0 or more")
    if hr_error < 0:
        raise DataError(f"hr_error is {hr_error:g}; it is a standard error of a log hazard ratio, 0 or more")
    told: list[tuple[str, str]] = []
    loghr = error = None
    interval = printed_ratio(hr)
    if interval is not None and interval.estimate is not None:
        value, half = interval.estimate, min(interval.half_unit, COARSEST * max(1.0, interval.estimate))
        half = min(half, 0.4 * value)
        low, high = float(np.log(value - half)), float(np.log(value + half))
        loghr = Window(low, high, float(np.hypot(SOFT * (high - low) / 2, hr_error)))
        told.append((HR, f"hazard ratio {value:g}"))
        error = _spread(interval, level)
        if error is not None:
            told.append((LIMITS, f"hazard ratio's limits {interval.lower:g} to {interval.upper:g}"))
    z = None
    if p is not None:
        said = _printed_p(p)
        z = _score(said)
        told.append((LOG_RANK, f"log-rank p {said.sign.strip('=')}{said.value:g}"))
    return PrintedComparison(loghr, error, z, tuple(told))


def printed_ratio(hr: float | str | Sequence[float | None] | None) -> Interval | None:
    """A printed hazard ratio with its limits, checked; None where none is printed."""
    if hr is None:
        return None
    if isinstance(hr, str):
        hr = ratio_of_text(hr)
    parts = [hr] if isinstance(hr, int | float) or np.ndim(hr) == 0 else list(hr)  # type: ignore[arg-type]
    if len(parts) not in (1, 3):
        raise DataError(f"{hr!r} is no hazard ratio; give a number or (estimate, lower, upper)")
    known = [_known(x, hr) for x in parts] + [None, None]
    for x in known:
        if x is not None and not x > 0:
            raise DataError(f"the hazard ratio is {x:g}; it lies above 0")
    value, lower, upper = known[:3]
    if value is None:
        raise DataError(f"{hr!r} has no estimate; give a number or (estimate, lower, upper)")
    if (lower is not None and lower > value) or (upper is not None and upper < value):
        raise DataError(f"the interval {lower} to {upper} does not contain its estimate {value}")
    return Interval(value, lower, upper)


def _known(x: object, hr: object) -> float | None:
    try:
        value = float("nan") if x is None else float(x)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError(f"{hr!r} is no hazard ratio; give a number or (estimate, lower, upper)") from None
    return value if np.isfinite(value) else None


def _spread(interval: Interval, level: float) -> Window | None:
    """Standard errors of the log hazard ratio that give the printed limits when rounded."""
    if interval.lower is None or interval.upper is None:
        return None
    half = min(interval.half_unit, COARSEST * max(1.0, interval.upper))
    width = 2 * NormalDist().inv_cdf(0.5 + level / 2)
    low = np.log(max(interval.upper - half, interval.lower) / (interval.lower + half)) / width
    high = np.log((interval.upper + half) / max(interval.lower - half, 0.2 * interval.lower)) / width
    middle = (low + high) / 2
    return Window(float(max(low, 0.0)), float(high), float(SPREAD_ERROR * middle + 1e-6))


def _printed_p(p: float | str) -> PrintedP:
    try:
        said = p_of_text(p) if isinstance(p, str) else PrintedP("=", float(p))
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"p is {p!r}; a number between 0 and 1, or a bound such as '<0.001', is needed") from None
    if not 0 <= said.value <= 1:
        raise DataError(f"p is {said.value:g}; it lies between 0 and 1")
    return said


def _score(p: PrintedP) -> Window:
    """Values of |z| that give a printed two-sided p when rounded; "<0.001" and ">0.05" are bounds."""
    value = p.value
    normal = NormalDist()

    def z_of(x: float) -> float:
        return -normal.inv_cdf(min(max(x, 1e-15), 1.0) / 2)

    if p.sign == ">":
        return Window(0.0, z_of(value), Z_ERROR)
    if p.sign == "<" or value == 0:
        return Window(z_of(max(value, 1e-4)), float("inf"), Z_ERROR)
    half = min(Interval(value).half_unit, 0.005)
    return Window(max(z_of(value + half), 0.0), z_of(max(value - half, 0.05 * value)), Z_ERROR)
