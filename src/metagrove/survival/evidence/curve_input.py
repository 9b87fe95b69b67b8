"""Digitized Kaplan-Meier curves as they come: percent or proportion, survival or incidence, clicks or traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array, SurvivalCurve

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CurveLike", "DigitizedCurve", "Kind", "column", "digitized_curve", "is_corners", "middle", "two_columns"]

Kind: TypeAlias = Literal["exact", "digitized", "clicks", "steps", "points", "trace"]
CurveLike: TypeAlias = "SurvivalCurve | pd.DataFrame | Mapping[str, Any] | NDArray[Any] | Sequence[Any]"

TIMES = ("time", "times", "t", "x", "month", "months", "day", "days", "week", "weeks", "year", "years")
LEVELS = ("survival", "surv", "surv_percent", "s", "y", "probability", "percent", "estimate", "cuminc", "incidence")

#: How far above 1, or above an earlier part of the curve, a reading may lie and still be digitizing error.
TOLERANCE = 0.03
#: Largest error of a careful click as a share of its axis; a start farther off than this is an offset of the whole curve.
CAREFUL = 0.006
#: Fall from row to row under which a curve is flat there: three quarters of a pixel of 600.
QUIET = 0.00125
#: How far apart in time (share of the follow-up) two clicks may be that noise has swapped.
SWAP = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class DigitizedCurve:
    """One arm's curve as read from a figure, brought to survival proportions.

    Parameters
    ----------
    time : shape (m,), >= 0, never falling.
    survival : shape (m,), proportions as read, in the order of `time`; they may rise by the digitizing error.
    kind : "exact" both corners of every step; "digitized" one row per drop, as `metagrove digitize` writes them; "clicks"
        the same by hand; "steps" the same with rows among them that are no drop; "points" rows anywhere on the curve;
        "trace" one row per pixel column.
    decimals : digits after the point with which the proportions were written.
    notes : what had to be assumed about the input, in words.
    """

    time: Array
    survival: Array
    kind: Kind
    decimals: int
    notes: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        """The last time that the curve reaches."""
        return float(self.time[-1])


def column(table: Any, names: Sequence[str]) -> Any:
    """The first column of `table` called by one of `names` (any case), or None."""
    keys = {str(key).strip().lower().replace(".", "_").replace(" ", "_"): key for key in table}
    for name in names:
        if name in keys:
            return table[keys[name]]
    return None


def _numbers(values: Any, what: str) -> Array:
    try:
        return np.array(values, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        bad = next((v for v in values if not _is_number(v)), values)
        raise DataError(f"{what} holds {bad!r}; a number is needed") from None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def two_columns(table: Any, first: Sequence[str], second: Sequence[str], what: str) -> tuple[Array, Array]:
    """Two equally long columns of numbers, found by name or, without known names, by position.

    Accepts a frame, a mapping, an (m, 2) array or a pair of sequences. Missing cells come back as NaN.
    """
    if hasattr(table, "columns") or isinstance(table, Mapping):
        left, right = column(table, first), column(table, second)
        if left is None or right is None:
            keys = list(table)
            if len(keys) != 2:
                raise DataError(
                    f"{what} has columns {', '.join(map(str, keys))}; needed are '{first[0]}', '{second[0]}'"
                )
            left, right = table[keys[0]], table[keys[1]]
        return _paired(_numbers(left, what), _numbers(right, what), what)
    array = np.asarray(table, dtype=object)
    if array.ndim == 0:
        raise DataError(f"{what} is {table!r}; rows of {first[0]} and {second[0]} are needed")
    pair = isinstance(table, (list, tuple)) and len(table) == 2 and all(isinstance(x, np.ndarray) for x in table)
    if not pair and array.ndim == 2 and array.shape[1] == 2:
        return _numbers(array[:, 0], what), _numbers(array[:, 1], what)
    # Rows of three are no pair: their third number would become a time.
    if len(table) == 2 and (isinstance(table, tuple) or pair):
        return _paired(_numbers(table[0], what), _numbers(table[1], what), what)
    raise DataError(f"{what} has shape {array.shape}; two columns ({first[0]}, {second[0]}) are needed")


def _paired(left: Array, right: Array, what: str) -> tuple[Array, Array]:
    if left.size != right.size:
        raise DataError(f"{what} has {left.size} times for {right.size} values")
    return left, right


def digitized_curve(curve: CurveLike | DigitizedCurve) -> DigitizedCurve:
    """The curve as survival proportions, with the kind of input as far as its rows alone tell: see row_kinds.recognised.

    Percent scales, cumulative incidence, rows out of order, slightly rising noise and small offsets are accepted and
    noted. Missing, infinite, impossible or truly rising values raise DataError.

    >>> digitized_curve([[0, 100], [3, 80], [5, 55], [9, 55]]).survival
    array([1.  , 0.8 , 0.55, 0.55])
    """
    if isinstance(curve, DigitizedCurve):
        return curve
    if isinstance(curve, SurvivalCurve):
        time, level = np.array(curve.time), np.array(curve.survival)
    else:
        time, level = two_columns(curve, TIMES, LEVELS, "the curve")
    _check_finite(time, level)
    notes: list[str] = []
    time = _times(time, notes)
    order = _stable_order(time, level, notes)
    time, level = _once(time[order], level[order], notes)
    level = _proportions(level, time, notes)
    level = _raised(time, level, notes)
    decimals = _decimals(level)
    kind = _kind(time, level)
    _check_rises(time, level)
    return DigitizedCurve(_fixed(time), _fixed(np.clip(level, 0.0, 1.0)), kind, decimals, tuple(notes))


def middle(values: Array) -> float:
    """The median of one value or more, in a fifth of the time that NumPy takes for so few."""
    ordered = np.sort(values)
    return 0.5 * float(ordered[(values.size - 1) // 2] + ordered[values.size // 2])


def _fixed(values: Array) -> Array:
    values.setflags(write=False)
    return values


def _check_finite(time: Array, level: Array) -> None:
    if time.size < 1:
        raise DataError("the curve has no rows; at least its end is needed")
    for name, values in (("time", time), ("survival", level)):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise DataError(f"{name} is {values[bad[0]]:g} in row {int(bad[0]) + 1} of the curve; a number is needed")


def _times(time: Array, notes: list[str]) -> Array:
    longest = float(time.max())
    if longest <= 0:
        raise DataError(f"the last time of the curve is {longest:g}; follow-up must be above 0")
    lowest = float(time.min())
    if lowest < -TOLERANCE * longest:
        raise DataError(f"time is {lowest:g} in the curve; times start at 0")
    if lowest < -CAREFUL * longest:
        notes.append(f"the curve starts at {lowest:g}: all times were moved by {-lowest:g}")
        return time - lowest
    if lowest < 0:
        notes.append(f"times from {lowest:g} were read as 0")
    return np.maximum(time, 0.0)


def _stable_order(time: Array, level: Array, notes: list[str]) -> NDArray[np.int64]:
    if np.all(np.diff(time) >= 0):
        return np.arange(time.size)
    shuffled = np.mean(np.diff(time) < -SWAP * time.max()) > 0
    if shuffled:
        notes.append("rows were out of order in time and have been sorted")
    # At equal times the order of the file tells a fall from a rise; without it the higher value comes first.
    return np.lexsort((-level, time)) if shuffled else np.argsort(time, kind="stable")


def _once(time: Array, level: Array, notes: list[str]) -> tuple[Array, Array]:
    """The rows without those that repeat the one before; read as clicks they would be drops of their own."""
    again = np.concatenate(([False], (np.diff(time) == 0) & (np.diff(level) == 0)))
    if 10 * int(again.sum()) > again.size:
        notes.append(f"{int(again.sum())} of {again.size} rows repeat the one before and were left out")
    return time[~again], level[~again]


def _proportions(level: Array, time: Array, notes: list[str]) -> Array:
    top = float(level.max())
    if top > 1.5:
        if top > 100 * (1 + TOLERANCE):
            raise DataError(f"survival is {top:g} at {time[level.argmax()]:g}; it lies between 0 and 1, or 0 and 100 %")
        level = level / 100
        notes.append("survival was read as percent")
        top = top / 100
    if top > 1 + TOLERANCE:
        raise DataError(f"survival is {top:g} at {time[level.argmax()]:g}; it lies between 0 and 1, or 0 and 100 %")
    low = float(level.min())
    if low < -TOLERANCE:
        raise DataError(f"survival is {low:g} at {time[level.argmin()]:g}; it lies between 0 and 1")
    if _is_incidence(level):
        notes.append("the curve rises from 0: read as cumulative incidence, survival is 1 minus it")
        level = 1 - level
    return np.asarray(level, dtype=np.float64)


def _raised(time: Array, level: Array, notes: list[str]) -> Array:
    """Levels without the offset of a curve that starts off 1: above it anywhere, below it at time 0.

    Survival is never above 1, so that a curve which starts there is offset. Below 1 the first row may be a death, but one
    at time 0 would leave a row at 1.
    """
    start = middle(level[: min(_flat_start(level), 10)])
    offset = float(1 - start)
    if (
        (offset > 0 and time[0] > 0.002 * time[-1])
        or not CAREFUL < abs(offset) <= TOLERANCE
        or abs(float(level.max()) - start) > CAREFUL
    ):
        return level
    notes.append(f"survival starts at {start:.4g}: all values were moved by {offset:+.4g}")
    return np.asarray(np.round(level + offset, 9), dtype=np.float64)


def _flat_start(level: Array) -> int:
    """Number of rows from the first on that lie within half a click's error of it."""
    off = np.abs(level - level[0]) > 0.4 * CAREFUL
    return int(np.argmax(off)) if off.any() else level.size


def _is_incidence(level: Array) -> bool:
    """Whether the values rise on the whole, from near 0."""
    steps = np.diff(level)
    up, down = float(steps[steps > 0].sum()), -float(steps[steps < 0].sum())
    return up > 2 * down and up - down > 0.02 and level[0] < 0.5 and float(level[0]) <= float(level[-1])


def _check_rises(time: Array, level: Array) -> None:
    """Refuse a rise that neither noise nor two swapped clicks explain."""
    lowest = np.minimum.accumulate(level)
    before = np.searchsorted(time, time - SWAP * time[-1], side="right") - 1
    rise = np.where(before >= 0, level - lowest[np.maximum(before, 0)], 0.0)
    bad = np.flatnonzero(rise > TOLERANCE)
    if bad.size:
        i = int(bad[0])
        raise DataError(
            f"survival rises from {lowest[before[i]]:.4g} to {level[i]:.4g} at {time[i]:.6g}; it never rises"
        )


def _decimals(level: Array) -> int:
    """Digits after the point that the proportions carry, at most 9."""
    for digits in range(1, 9):
        if np.all(np.abs(level - np.round(level, digits)) < 1e-11):
            return digits
    return 9


def _kind(time: Array, level: Array) -> Kind:
    if is_corners(time, level):
        return "exact"
    if _is_digitized(time, level):
        return "digitized"
    if time.size > 60:
        gaps = np.diff(time)
        usual = middle(gaps)
        even, nearly = (float(np.mean(np.abs(gaps - usual) <= share * usual)) for share in (0.03, 0.3))
        # Drops recorded week by week, clicked one by one, are nearly as regular; but then nearly every row falls.
        if even >= 0.8 or (nearly >= 0.8 and np.mean(np.diff(level) > -QUIET) >= 0.35):
            return "trace"
    return "clicks"


def is_corners(time: Array, level: Array) -> bool:
    """Vertical edges at equal times, horizontal edges at equal levels, no rise."""
    step, gap = np.diff(level), np.diff(time)
    if np.any(step > 0):
        return False
    falls = int(np.sum(step < 0))
    vertical = int(np.sum((step < 0) & (gap == 0)))
    flat = int(np.sum((step == 0) & (gap > 0)))
    return falls > 0 and vertical >= 0.8 * falls and flat >= 0.6 * vertical


def _is_digitized(time: Array, level: Array) -> bool:
    """From (0, 1) on a strict fall in every row, and last rows that only say where the line ends."""
    if time.size < 4 or time[0] != 0 or level[0] != 1 or level[-1] != level[-2]:
        return False
    falls = int(np.sum(level > level[-1])) + 1
    return bool(np.all(np.diff(level[:falls]) < 0) and np.all(level[falls:] == level[-1]) and np.all(np.diff(time) > 0))
