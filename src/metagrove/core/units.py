"""Units of time, converted through days; the printed value stays beside the converted one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from metagrove.core.errors import UnknownName

__all__ = ["DAYS_PER", "convert_time", "time_unit"]

#: Days in each unit. A month is a twelfth of 365.25 days, the convention of most trial reports.
DAYS_PER: Mapping[str, float] = MappingProxyType({"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25})

_SPELLINGS = {
    "days": ("d", "day", "days", "dy"),
    "weeks": ("w", "wk", "wks", "week", "weeks"),
    "months": ("m", "mo", "mos", "mon", "mths", "mth", "month", "months"),
    "years": ("y", "yr", "yrs", "year", "years", "a"),
}
_UNIT_OF = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}


def time_unit(text: str) -> str:
    """The unit's full name in the plural.

    >>> time_unit(" Mo. "), time_unit("wk")
    ('months', 'weeks')
    """
    try:
        return _UNIT_OF[text.strip().rstrip(".").lower()]
    except KeyError:
        raise UnknownName("unit of time", text, DAYS_PER) from None


def convert_time(value: float, unit: str, to: str = "months") -> float:
    """`value` in `unit`, expressed in `to`.

    >>> round(convert_time(62, "days"), 3), convert_time(14.5, "weeks", "days")
    (2.037, 101.5)
    """
    return value * DAYS_PER[time_unit(unit)] / DAYS_PER[time_unit(to)]
