"""The error tree: what can go wrong, as classes a caller can tell apart.

* MetagroveError
  x DataError          a value in the input is impossible            (also a ValueError)
  x SpecError          a file that people write asks for nonsense    (also a ValueError)
  x UnknownName        a name is not in its registry                 (also a ValueError)
  x MethodError        a method does not apply to these numbers      (also a ValueError)
  x ConvergenceError   an iteration ended without an answer
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self

__all__ = ["ConvergenceError", "DataError", "MetagroveError", "MethodError", "SpecError", "UnknownName"]


class MetagroveError(Exception):
    """Anything metagrove refuses to do; the message is one line meant for a person."""

    def within(self, place: str) -> Self:
        """The same error, its message preceded by where it happened.

        >>> str(MethodError("too few studies").within("analysis 'orr'"))
        "analysis 'orr': too few studies"
        """
        kind = type(self)
        error = kind.__new__(kind)
        error.__dict__.update(self.__dict__)
        error.args = (f"{place}: {self}",)
        return error


class DataError(MetagroveError, ValueError):
    """An impossible or unreadable value in the input.

    Parameters
    ----------
    message : what was found and what would be right.
    file, row, column : the place, where there is one; `row` counts as a spreadsheet does (the header is row 1).
    rule : the short name of what was broken, for lists of findings.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        rule: str = "unreadable",
    ) -> None:
        place = [file or "", f"row {row}" if row is not None else "", f"column '{column}'" if column else ""]
        where = ", ".join(part for part in place if part)
        super().__init__(f"{where}: {message}" if where else message)
        self.message, self.file, self.row, self.column, self.rule = message, file, row, column, rule


class SpecError(MetagroveError, ValueError):
    """A protocol, option or hint that cannot be meant; names the file and line where there is one."""


class UnknownName(MetagroveError, ValueError):
    """A name that a registry does not hold; the message lists what is known and the nearest.

    >>> raise UnknownName("tau2 estimator", "REM", ["DL", "REML"])
    Traceback (most recent call last):
    ...
    metagrove.core.errors.UnknownName: No tau2 estimator 'REM'; nearest: REML. Known: DL, REML.
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(str(name).lower(), {n.lower(): n for n in names}, n=1, cutoff=0.5)
        original = {n.lower(): n for n in names}
        hint = f" nearest: {original[near[0]]}." if near else ""
        super().__init__(f"No {kind} '{name}';{hint} Known: {', '.join(names)}.")
        self.kind, self.name, self.known = kind, name, tuple(names)


class MethodError(MetagroveError, ValueError):
    """A method that does not apply here, with the reason (too few studies, wrong measure, zero cells)."""


class ConvergenceError(MetagroveError, ArithmeticError):
    """An iteration that ended without an answer; says what was tried and where it stood."""
