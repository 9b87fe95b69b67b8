"""The grammar of a cell: what people write in a spreadsheet, and what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from metagrove.core.errors import DataError
from metagrove.review.notation import NUMBER, POINT, Notation

__all__ = [
    "Estimate", "count", "count_of_total", "estimate", "is_missing", "number", "numbers_in", "population", "proportion"
]  # fmt: skip

_MISSING = frozenset(
    ["", "nr", "na", "n/a", "n.a.", "nd", "ne", "\\", "-", "--", "–", "—", "?", ".", "none", "null", "nan",
     "not reported", "not available", "not stated", "not reached", "unknown", "missing"]
)  # fmt: skip
_RANGE = re.compile(
    rf"^\s*({NUMBER})\s*(%?)\s*([a-zA-Z]*)\.?\s*[\[(]\s*({NUMBER})\s*(?:-|–|—|to|;|,)\s*({NUMBER})\s*[\])]\s*$"
)
_PLAIN = re.compile(rf"^\s*({NUMBER})\s*(%?)\s*([a-zA-Z]*)\.?\s*$")
_OF = re.compile(r"^\s*(\d+)\s*(?:/|of)\s*(\d+)\s*(?:\(.*\))?\s*$")
_PERCENT_TAIL = re.compile(rf"^\s*({NUMBER})\s*\(\s*({NUMBER})\s*%?\s*\)\s*$")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number as printed: its value, the limits beside it, its unit or per-cent sign, and the text itself."""

    value: float
    low: float | None
    high: float | None
    unit: str
    text: str


def is_missing(text: str) -> bool:
    r"""Whether the cell says that nothing is known; never the same as zero.

    >>> [is_missing(t) for t in ("", "NR", "\\", "0")]
    [True, True, True, False]
    """
    return text.strip().lower() in _MISSING


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers that stand in a cell of numbers, as written; none where it says something else.

    >>> numbers_in("1,9 (1,3–3,6)"), numbers_in("8 (24,5%)"), numbers_in("Lee 2,5")
    (('1,9', '1,3', '3,6'), ('8', '24,5'), ())
    """
    if match := _RANGE.match(text):
        return match[1], match[4], match[5]
    if match := _PERCENT_TAIL.match(text):
        return match[1], match[2]
    match = _PLAIN.match(text)
    return (match[1],) if match else ()


def estimate(text: str, notation: Notation = POINT, *, whole: bool = False) -> Estimate:
    """A number with what is printed around it.

    >>> estimate("1.9 (1.3–3.6)").high, estimate("62 d").unit, estimate("25%").unit
    (3.6, 'd', '%')
    """
    if match := _RANGE.match(text):
        value, percent, unit, low, high = match.groups()
        read = [notation.value(token, whole=whole) for token in (value, low, high)]
        return Estimate(read[0], read[1], read[2], percent or unit, text)
    if match := _PLAIN.match(text):
        value, percent, unit = match.groups()
        return Estimate(notation.value(value, whole=whole), None, None, percent or unit, text)
    raise DataError(f"'{text}' is not a number; write a number, or leave the cell empty where nothing is reported")


def number(text: str, notation: Notation = POINT, *, whole: bool = False) -> float:
    """The number in a cell; a per-cent sign is dropped, a unit is refused (it would be lost).

    >>> number("2,5"), number("1,171")
    (2.5, 1171.0)
    """
    found = estimate(text, notation, whole=whole)
    if found.unit not in ("", "%"):
        raise DataError(f"'{text}' carries a unit here; write the number alone, in the unit of the table")
    return found.value


def proportion(text: str, notation: Notation = POINT) -> float:
    """A proportion in [0, 1], from `0.25`, `25%` or `2/8`.

    >>> proportion("25%"), proportion("2/8"), proportion("0.25")
    (0.25, 0.25, 0.25)
    """
    if match := _OF.match(text):
        events, n = int(match[1]), int(match[2])
        if not 0 <= events <= n or n == 0:
            raise DataError(f"'{text}' is not a share; the first number cannot exceed the second")
        return events / n
    found = estimate(text, notation)
    value = found.value / 100 if found.unit == "%" else found.value
    if not 0 <= value <= 1:
        raise DataError(f"'{text}' is not a proportion; it lies between 0 and 1 (or write a per-cent sign)")
    return value


_POPULATIONS = {
    "enrolled": ("enrolled", "itt", "intention to treat", "intention-to-treat", "all", "randomized", "randomised"),
    "evaluable": ("evaluable", "response evaluable", "efficacy", "response", "per protocol", "analysed", "analyzed"),
    "safety": ("safety", "treated", "as treated", "toxicity"),
}


def population(text: str) -> str:
    """Which set of patients a count is of: enrolled, evaluable or safety.

    >>> population("ITT"), population("evaluable")
    ('enrolled', 'evaluable')
    """
    said = " ".join(text.lower().replace("population", "").split())
    for name, spellings in _POPULATIONS.items():
        if said in spellings:
            return name
    near = get_close_matches(said, _POPULATIONS, n=1, cutoff=0.5)
    hint = f"; nearest: '{near[0]}'" if near else ""
    raise DataError(f"'{text}' is no population; known: {', '.join(_POPULATIONS)}{hint}", rule="unknown-population")


def count(text: str, notation: Notation = POINT) -> int:
    """A whole number that is not negative; `8 (24%)` counts as 8.

    >>> count("42"), count("8 (24%)")
    (42, 8)
    """
    match = _PERCENT_TAIL.match(text)
    if "%" in text and not match:
        raise DataError(f"'{text}' is a share; a count is a whole number", rule="fractional-count")
    value = number(match[1] if match else text, notation, whole=True)
    if value < 0:
        raise DataError(f"'{text}' is negative; a count is 0 or more", rule="negative-count")
    if value != int(value):
        raise DataError(f"'{text}' is a fraction; a count is a whole number", rule="fractional-count")
    return int(value)


def count_of_total(text: str, total: int | None, notation: Notation = POINT) -> tuple[int, int | None]:
    """Events and total from `2/8`, `25%` (with the total known), `2` or `2 of 8`.

    >>> count_of_total("2/8", None), count_of_total("25%", 8), count_of_total("2", 8)
    ((2, 8), (2, 8), (2, 8))
    """
    if match := _OF.match(text):
        events, n = int(match[1]), int(match[2])
        if total is not None and total != n:
            raise DataError(
                f"'{text}' says {n} in all, the total beside it says {total}; one of them is wrong",
                rule="totals-differ",
            )
        return events, n
    if "%" in text and not _PERCENT_TAIL.match(text):
        if total is None:
            raise DataError(f"'{text}' is a share without a total; give the number of patients beside it")
        if total == 0:
            raise DataError(f"'{text}' of 0 patients; a share needs at least one")
        shown = estimate(text, notation)
        share = shown.value / 100
        events = round(share * total)
        digits = len(re.split(r"[.,]", re.sub(r"[^\d.,]", "", text))[1]) if re.search(r"[.,]\d", text) else 0
        if abs(events / total - share) > 0.5 * 10.0 ** (-digits) / 100 + 1e-9:
            raise DataError(f"'{shown.text}' of {total} is not a whole number of patients ({share * total:.2f})")
        return events, total
    return count(text, notation), total
