"""Rows of comparisons.csv: what a row holds (counts, means or a reported effect), its laws, and its effect with its error."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from metagrove.core.errors import DataError
from metagrove.core.scales import scale
from metagrove.review.tables import Row

__all__ = [
    "COUNT_MEASURES",
    "MEAN_MEASURES",
    "Form",
    "Reported",
    "comparison_faults",
    "effect_of",
    "form_of",
    "has_numbers",
    "reported_of",
]

Form = Literal["counts", "means", "reported", ""]

#: Measures that are made from counts of two arms, and those made from means.
COUNT_MEASURES = ("OR", "RR", "RD", "ASD", "DOR", "VE")
MEAN_MEASURES = ("MD", "SMD", "ROM")

_COUNTS = ("event_e", "n_e", "event_c", "n_c")
_MEANS = ("mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c")
#: A standard error and limits printed beside it agree when they differ by less than this share.
_AGREE = 0.15


@dataclass(frozen=True, slots=True)
class Reported:
    """An effect as printed: its value, limits at `level` (0.5 to 1) and standard error; None where not printed."""

    value: float | None
    low: float | None
    high: float | None
    se: float | None
    level: float

    @property
    def text(self) -> str:
        """The effect as a reader would print it."""
        value = "" if self.value is None else f"{self.value:g}"
        if self.low is not None and self.high is not None:
            return f"{value} ({self.low:g} to {self.high:g})".strip()
        return f"{value} (SE {self.se:g})" if self.se is not None else value


def _whole(row: Row, names: Iterable[str]) -> bool:
    return all(row[name] is not None for name in names)


def reported_of(row: Row) -> Reported:
    """The row's reported effect; limits from their columns, else from inside the effect's own cell."""
    te = row["te"]
    low = row["lower"] if row["lower"] is not None else te.low if te is not None else None
    high = row["upper"] if row["upper"] is not None else te.high if te is not None else None
    level = row["level"] if row["level"] is not None else 0.95
    return Reported(None if te is None else te.value, low, high, row["se"], level / 100 if level > 1 else level)


def _has_effect(row: Row) -> bool:
    found = reported_of(row)
    between = found.low is not None and found.high is not None
    return between or (found.value is not None and found.se is not None)


def has_numbers(row: Row) -> bool:
    """Whether the row says anything about an outcome, beyond the sizes of its arms."""
    names = (*(name for name in (*_COUNTS, *_MEANS) if not name.startswith("n_")), "te", "se", "lower", "upper")
    return any(row[name] is not None for name in names)


def form_of(row: Row, sm: str) -> Form:
    """What the effect `sm` of the row is made from; empty where the row cannot give it."""
    if sm in COUNT_MEASURES and _whole(row, _COUNTS):
        return "counts"
    if sm in MEAN_MEASURES and _whole(row, _MEANS):
        return "means"
    return "reported" if _has_effect(row) else ""


def comparison_faults(rows: Iterable[Row]) -> list[DataError]:
    """The first fault of each row: an arm of nobody, a number that is missing beside others, limits that cannot be."""
    return [fault for row in rows for fault in (_arms(row) or _reported(row) or _gaps(row))[:1]]


def _arms(row: Row) -> list[DataError]:
    faults = [
        row.error("is 0; an arm has at least one patient (empty where nothing is reported)", name)
        for name in ("n_e", "n_c")
        if row[name] == 0
    ]
    faults += [
        row.error(f"is {row[name]:g}; a standard deviation is 0 or more", name, "negative-sd")
        for name in ("sd_e", "sd_c")
        if row[name] is not None and row[name] < 0
    ]
    return faults


def _reported(row: Row) -> list[DataError]:
    found, study = reported_of(row), row.text("study")
    if found.se is not None and found.se <= 0:
        return [row.error(f"is {found.se:g}; a standard error is above 0", "se", "standard-error")]
    if not 0.5 < found.level < 1:
        return [row.error(f"is {row.text('level')}; a level lies between 0.5 and 1, or 50 and 100", "level")]
    for name, one, other in (("lower", found.low, found.high), ("upper", found.high, found.low)):
        if one is None and other is not None and found.se is None:
            return [row.error("is missing; an interval has two limits", name)]
    if found.low is None or found.high is None:
        return []
    if found.low >= found.high:
        shown = f"the lower limit {found.low:g} is not below the upper {found.high:g}"
        return [row.error(shown, "lower", "limits-swapped")]
    if found.value is not None and not found.low <= found.value <= found.high:
        shown = f"{study}: the interval {found.low:g} to {found.high:g} does not contain its estimate {found.value:g}"
        return [row.error(shown, "te", "interval-excludes-estimate")]
    return []


def _gaps(row: Row) -> list[DataError]:
    """A form that was begun and not ended, where no other is whole."""
    if _whole(row, _COUNTS) or _whole(row, _MEANS) or _has_effect(row):
        return []
    for names, what in ((_COUNTS, "counts"), (_MEANS, "means")):
        own = [name for name in names if not name.startswith("n_")]
        if any(row[name] is not None for name in own):
            gap = next(name for name in names if row[name] is None)
            return [row.error(f"is missing; a comparison of {what} needs {', '.join(names)}", gap, "missing-number")]
    if row["te"] is not None:
        return [row.error("is missing; an effect needs its standard error, or lower and upper", "se", "missing-number")]
    if row["se"] is not None:
        return [row.error("is missing; a standard error needs its effect", "te", "missing-number")]
    return []


def _forward(value: float, sm: str) -> float:
    """A printed value on the analysis scale; NaN where there is none."""
    if sm == "ZCOR":
        return math.atanh(value) if abs(value) < 1 else math.nan
    if sm == "VE":
        value = 1 - value / 100
    elif not scale(sm).ratio:
        return value
    return math.log(value) if value > 0 else math.nan


def effect_of(
    row: Row, sm: str, *, given: Literal["", "printed", "log"] = "", ratios: bool = False
) -> tuple[float, float]:
    """Effect and standard error of a reported effect, on the analysis scale of `sm`.

    A standard error is always on the analysis scale, limits are as printed. An effect beside limits is as printed; an
    effect beside a standard error alone is on the analysis scale, unless its column is named after the ratio (`ratios`).
    Where all of them are there, the scale on which they agree is taken. `given` settles it: "printed" or "log".

    Raises
    ------
    DataError
        A printed ratio that is not above 0 (or a correlation outside -1 to 1); names the row.
    """
    found = reported_of(row)
    z = NormalDist().inv_cdf(0.5 + found.level / 2)
    between = found.low is not None and found.high is not None
    forward = given != "log" and (given == "printed" or ratios or (between and not _limits_are_logs(found, sm, z)))

    def at(value: float | None, column: str) -> float:
        if value is None:
            return math.nan
        moved = _forward(value, sm) if forward else value
        if math.isnan(moved):
            right = "a correlation lies between -1 and 1" if sm == "ZCOR" else "a printed ratio is above 0"
            more = f'; {right} (scale = "log" in review.toml says that these are logarithms)'
            raise row.error(f"{row.text('study')}: {sm} is {value:g}{more}", column, "effect-scale")
        return moved

    te = at(found.value, "te")
    if not between or (found.se is not None and found.value is not None and not forward):
        return te, math.nan if found.se is None else found.se
    low, high = sorted((at(found.low, "lower"), at(found.high, "upper")))
    return (0.5 * (low + high) if math.isnan(te) else te), (high - low) / (2 * z)


def _limits_are_logs(found: Reported, sm: str, z: float) -> bool:
    """Whether limits printed beside a standard error fit it as they stand, and do not as ratios."""
    if found.se is None or found.low is None or found.high is None or not scale(sm).ratio:
        return False
    plain = abs((found.high - found.low) / (2 * z * found.se) - 1) < _AGREE
    if found.low <= 0:
        return plain
    return plain and abs(math.log(found.high / found.low) / (2 * z * found.se) - 1) >= _AGREE
