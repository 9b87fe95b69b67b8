"""What a paper prints beside a Kaplan-Meier curve: totals, numbers at risk, censor marks, median, rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array, RiskTable
from metagrove.survival.evidence.arguments import real_number
from metagrove.survival.evidence.curve_input import TIMES, DigitizedCurve, two_columns

__all__ = ["Contradiction", "Facts", "Interval", "printed_facts"]

COUNTS = ("n", "n_risk", "nrisk", "at_risk", "number_at_risk", "number")
NEVER = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Printed facts that cannot all hold, and why, in words."""

    facts: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A printed estimate with its confidence limits; None where it was not reached or not printed.

    Parameters
    ----------
    rounding : half a unit of the last digit where the numbers do not show it, as after a change of unit.
    """

    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float = 0.95
    rounding: float | None = None

    @property
    def half_unit(self) -> float:
        """Half a unit of the last digit with which the numbers are printed."""
        if self.rounding is not None:
            return self.rounding
        known = [x for x in (self.estimate, self.lower, self.upper) if x is not None]
        digits = (d for d in range(6) if all(abs(x - round(x, d)) < 1e-9 for x in known))
        return 0.5 * 10.0 ** -next(digits, 6)


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Everything printed about one arm, checked.

    Parameters
    ----------
    n : patients; `n_guessed` says whether they had to be inferred from a late number at risk.
    events : total events or None.
    risk_time, risk_n : shape (k,), numbers at risk (time >= risk_time) after time 0, within the curve's reach.
    marks : times of the censor marks, sorted; None where the figure shows none.
    median : printed median with interval or None.
    rates : printed survival at times, `{time: Interval}`.
    axis : length of the time axis as far as it is known; clicks err in proportion to it.
    time_error : half-width of the reading error of a time, where the reading of the figure gave it.
    contradictions : found among the facts themselves.
    counted : whether the total of events is a condition on the path; with thousands of patients it only shapes beliefs.
    """

    n: int
    events: int | None = None
    risk_time: Array = field(default_factory=lambda: NEVER)
    risk_n: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    marks: Array | None = None
    median: Interval | None = None
    rates: Mapping[float, Interval] = field(default_factory=dict)
    n_guessed: bool = False
    axis: float = 0.0
    time_error: float | None = None
    contradictions: tuple[Contradiction, ...] = ()
    counted: bool = True

    @property
    def deaths(self) -> int | None:
        """The total of events where it is a condition on the path."""
        return self.events if self.counted else None


def printed_facts(
    curve: DigitizedCurve,
    at_risk: Any = None,
    *,
    n: float | None = None,
    events: float | None = None,
    marks: Any = None,
    median: Any = None,
    rates: Any = None,
    axis: float | None = None,
    time_error: float | None = None,
) -> Facts:
    """The printed facts of one arm, in one checked value.

    Raises DataError for what no patient set could show: numbers at risk that rise, more events than patients,
    fractions of a patient, neither `n` nor numbers at risk.
    """
    if time_error is not None:
        said = "it is the half-width of a reading error and lies above 0"
        time_error = real_number(time_error, "time_error", low=0.0, what=said)
    if axis is not None:
        axis = real_number(axis, "axis", low=0.0, what="it is where the time axis ends and lies above 0")
    contradictions: list[Contradiction] = []
    time, count = _risk_table(at_risk)
    total, guessed = _patients(curve, time, count, n)
    if time.size and time[0] <= 0 and count[0] != total:
        text = f"{int(count[0])} patients are at risk at time 0 but n is {total}"
        contradictions.append(Contradiction(("n", "at risk at 0"), text))
    deaths = None if events is None else _whole(events, "events")
    if deaths is not None and deaths > total:
        raise DataError(f"{deaths} events among {total} patients; events lie between 0 and n")
    reach = max(1.02 * curve.end, float(time[-1]) if time.size else 0.0, axis or 0.0)
    late = time > 0
    time, count = _within(curve, time[late], count[late], contradictions)
    if count.size and count[0] > total:
        text = f"{count[0]} are at risk at {time[0]:g} but n is {total}"
        contradictions.append(Contradiction(("n", f"at risk at {time[0]:g}"), text))
    return Facts(
        total,
        deaths,
        time,
        count,
        marks=_marks(marks, curve),
        median=_interval(median),
        rates=_rates(rates),
        n_guessed=guessed,
        axis=reach,
        time_error=time_error,
        contradictions=tuple(contradictions),
    )


def _whole(value: Any, name: str) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(f"{name} is {value!r}; a whole number is needed") from None
    if not np.isfinite(number) or number != int(number) or number < 0:
        raise DataError(f"{name} is {value:g}; a whole number that is not negative is needed")
    return int(number)


def _risk_table(at_risk: Any) -> tuple[Array, NDArray[np.int64]]:
    """Times and counts of the printed numbers; missing cells are left out."""
    if at_risk is None:
        return NEVER, np.zeros(0, dtype=np.int64)
    if isinstance(at_risk, RiskTable):
        return np.array(at_risk.time), np.array(at_risk.n)
    time, count = two_columns(at_risk, TIMES, COUNTS, "the at-risk table")
    known = np.isfinite(time) & np.isfinite(count)
    order = np.argsort(time[known], kind="stable")
    time, count = time[known][order], count[known][order]
    if np.any(time < 0):
        raise DataError(f"the at-risk table has time {time.min():g}; times start at 0")
    if np.any(count != np.floor(count)):
        raise DataError(f"{count[count != np.floor(count)][0]:g} are at risk; a whole number is needed")
    table = RiskTable(time, count.astype(np.int64))
    return np.array(table.time), np.array(table.n)


def _patients(curve: DigitizedCurve, time: Array, count: NDArray[np.int64], n: float | None) -> tuple[int, bool]:
    """Number of patients, and whether it had to be guessed from a late number at risk."""
    if n is not None:
        total = _whole(n, "n")
        if total < 1:
            raise DataError("n is 0; an arm has at least one patient")
        return total, False
    if not time.size:
        raise DataError("neither n nor numbers at risk are given; one of them is needed")
    if time[0] <= 0:
        if count[0] < 1:
            raise DataError("0 patients are at risk at time 0; an arm has at least one patient")
        return int(count[0]), False
    # The curve before the tick says which share has died; nobody is taken to be censored before it.
    level = curve.survival[max(int(np.searchsorted(curve.time, time[0], side="left")) - 1, 0)]
    guess = round(int(count[0]) / max(float(level), 0.02))
    return max(guess, int(count[0]), 1), True


def _within(
    curve: DigitizedCurve, time: Array, count: NDArray[np.int64], contradictions: list[Contradiction]
) -> tuple[Array, NDArray[np.int64]]:
    """The numbers at risk that the curve reaches; those behind its end must be 0."""
    slack = 0.006 * curve.end
    behind = time > curve.end + slack
    for t, k in zip(time[behind], count[behind], strict=True):
        if k > 0:
            text = f"{k} are at risk at {t:g} but the curve ends at {curve.end:g}"
            contradictions.append(Contradiction(("curve", f"at risk at {t:g}"), text))
    # Nobody at risk at or behind the end says no more than the end itself.
    trivial = (count == 0) & (time >= curve.end - slack)
    for t in time[(count == 0) & ~trivial & ~behind][:1]:
        text = f"nobody is at risk at {t:g} but the curve goes on to {curve.end:g}"
        contradictions.append(Contradiction(("curve", f"at risk at {t:g}"), text))
    keep = ~(behind | trivial)
    return time[keep], count[keep]


def _marks(marks: Any, curve: DigitizedCurve) -> Array | None:
    if marks is None:
        return None
    if hasattr(marks, "columns") or isinstance(marks, Mapping):
        keys = {str(key).lower(): key for key in marks}
        name = next((keys[k] for k in TIMES if k in keys), next(iter(marks), None))
        marks = [] if name is None else marks[name]
    try:
        times = np.sort(np.asarray(marks, dtype=np.float64).ravel())
    except (TypeError, ValueError):
        raise DataError("censor marks must be times") from None
    if not np.isfinite(times).all():
        raise DataError("a censor mark has no time")
    if times.size and (times[0] < -0.03 * curve.end or times[-1] > 1.03 * curve.end):
        bad = times[0] if times[0] < 0 else times[-1]
        raise DataError(f"a censor mark is at {bad:g}; the curve goes from 0 to {curve.end:g}")
    return np.clip(times, 0.0, curve.end)


def _interval(value: Any, *, proportion: bool = False) -> Interval | None:
    """A printed estimate: a number, `(estimate, lower, upper)`, or an Interval; NaN and None mean not reached."""
    if value is None or isinstance(value, Interval):
        return value
    parts = [value] if np.ndim(value) == 0 else list(value)
    if len(parts) not in (1, 3):
        raise DataError(f"{value!r} is not an estimate; give a number or (estimate, lower, upper)")
    read = [_part(p, percent=proportion) for p in parts] + [None, None]
    if proportion:
        read = [None if p is None else p / 100 if max(x for x in read if x is not None) > 1 else p for p in read]
    estimate, lower, upper = read[:3]
    for left, right in ((lower, estimate), (estimate, upper), (lower, upper)):
        if left is not None and right is not None and left > right:
            raise DataError(f"the interval {lower} to {upper} does not contain its estimate {estimate}")
    if any(p is not None and (p < 0 or (proportion and p > 1)) for p in (estimate, lower, upper)):
        raise DataError(f"{value!r} is out of range")
    return Interval(estimate, lower, upper)


def _part(value: Any, *, percent: bool) -> float | None:
    """A printed number, None where it was not reached; a share may be text in per cent."""
    shared = percent and isinstance(value, str) and value.rstrip().endswith("%")
    try:
        number = float("nan") if value is None else float(value.rstrip(" %") if shared else value)
    except (TypeError, ValueError):
        raise DataError(f"{value!r} is not an estimate; give a number or (estimate, lower, upper)") from None
    if not np.isfinite(number):
        return None
    return round(number / 100, 12) if shared else number


def _rates(rates: Any) -> dict[float, Interval]:
    if rates is None:
        return {}
    if not isinstance(rates, Mapping):
        time, level = two_columns(rates, TIMES, ("survival", "surv", "rate", "s", "estimate"), "the rates")
        rates = dict(zip(time.tolist(), level.tolist(), strict=True))
    read = {real_number(t, "the time of a rate"): _interval(v, proportion=True) for t, v in rates.items()}
    return {t: v for t, v in sorted(read.items()) if v is not None}
