"""How the numbers of one file are written: which sign is its decimal sign, and which one groups thousands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from metagrove.core.errors import DataError

__all__ = ["NUMBER", "POINT", "Notation", "notation_of"]

#: A number as people write it; blanks between thousands may be narrow or hard.
NUMBER = (
    r"[-+−]?(?:\d{1,3}(?:,\d{3}){2,}(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|\d{1,3}(?:,\d{3})+\.\d+"
    r"|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:[.,·]\d*)?|\d+(?:[.,·]\d*)?|[.,·]\d+)"
    r"(?:[eE][-+]?\d+)?"
)
_NUMBERS = re.compile(rf"(?<![\w.,·])(?:{NUMBER})(?![\d,·])")
#: One sign before three digits: a decimal sign, or thousands.
_EITHER = re.compile(r"[-+]?[1-9]\d{0,2}([.,])\d{3}$")
_GROUPS = re.compile(r"[-+]?\d{1,3}(?:(,\d{3}){2,}(\.\d+)?|(,\d{3})+\.\d+|(\.\d{3}){2,}(,\d+)?|(\.\d{3})+,\d+)$")
_BLANKS = re.compile(r"[ \u00a0\u2009\u202f]")
_OTHER = {".": ",", ",": "."}


def _bare(token: str) -> tuple[str, str]:
    """Digits and signs of a number, and its power of ten."""
    digits, e, power = _BLANKS.sub("", token.strip()).replace("−", "-").lower().partition("e")
    return digits, e + power


def _decimal_sign(digits: str) -> str:
    """The decimal sign that a number shows by its form alone: '.', ',' or '' where it shows none."""
    if _GROUPS.match(digits):
        first = next(c for c in digits if c in ".,")
        return _OTHER[first]
    if _EITHER.match(digits):
        return ""
    return next((c for c in digits if c in ".,"), "")


@dataclass(frozen=True, slots=True)
class Notation:
    """How numbers are written in one file.

    Parameters
    ----------
    decimal : the decimal sign; empty where the file leaves it open, or uses both.
    shown : whether some number of the file shows it; else it is only the custom of files so delimited.
    """

    decimal: str = "."
    shown: bool = False

    def value(self, token: str, *, whole: bool = False) -> float:
        """The number written as `token`; `whole` where only a whole number can be meant.

        Raises
        ------
        DataError
            Three digits after the only sign, and nothing in the file that tells a fraction from thousands.

        >>> POINT.value("1,171"), Notation(",", True).value("2,125"), Notation(",", True).value("1.000")
        (1171.0, 2.125, 1000.0)
        """
        value = float(self._pointed(token, whole=whole))
        if not math.isfinite(value):
            raise DataError(f"'{token[:20]}' is beyond any number that could be meant")
        return value

    def _pointed(self, token: str, *, whole: bool = False) -> str:
        """The number with a decimal point and no sign between thousands."""
        digits, power = _bare(token.replace("·", "."))
        either = None if "·" in token else _EITHER.match(digits)
        sign = _decimal_sign(digits)
        if either:
            sign = either[1] if self._is_fraction(token, either[1], whole=whole) else _OTHER[either[1]]
        if sign:
            digits = digits.replace(_OTHER[sign], "").replace(sign, ".")
        return digits + power

    def _is_fraction(self, token: str, sign: str, *, whole: bool) -> bool:
        """Whether `sign` before three digits is the decimal sign."""
        if self.shown and self.decimal:
            return sign == self.decimal
        if self.decimal == sign and not whole:
            return True
        if self.decimal == _OTHER[sign] and (whole or self.decimal == "."):
            return False
        if not self.decimal and not self.shown and whole:
            return False
        grouped, fraction = token.replace(sign, ""), token.replace(sign, ".")
        why = "has decimal points and decimal commas" if self.shown else "does not show which"
        right = grouped if whole else f"{grouped} or {fraction}0"
        raise DataError(
            f"'{token}' can be {fraction} or {grouped}, and the file {why}; write {right}", rule="ambiguous-number"
        )

    def plain(self, text: str) -> str:
        """The text with every number in it written with a decimal point.

        >>> Notation(",", True).plain("2,125 (1,5-1.000)")
        '2.125 (1.5-1000)'
        """
        return _NUMBERS.sub(lambda found: self._pointed(found[0]), text)


#: The custom of English tables, and of a number on its own.
POINT = Notation()


def notation_of(tokens: Iterable[str], delimiter: str) -> Notation:
    """The notation that the numbers of one file show together; where none does, the custom of its delimiter.

    A file with semicolons has decimal commas, one with commas decimal points; tabs say nothing.

    >>> notation_of(["0,8", "2,125"], ";"), notation_of(["1.000"], ";"), notation_of(["0.8", "1,171"], ";")
    (Notation(decimal=',', shown=True), Notation(decimal=',', shown=False), Notation(decimal='.', shown=True))
    """
    signs = {_decimal_sign(_bare(token)[0]) for token in tokens if "·" not in token} - {""}
    if signs:
        return Notation(signs.pop() if len(signs) == 1 else "", shown=True)
    return Notation({";": ",", "\t": ""}.get(delimiter, "."))
