"""What a check found, and the register of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from metagrove.core.errors import DataError
from metagrove.review.folder import Review

__all__ = ["CHECKS", "Check", "Finding", "check", "finding_of_fault"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem or contradiction: the rule, how bad it is, whose, where, what was found and what would be right.

    `error` stops the analysis that needs the number; `warning` changes a conclusion if it is true; `note` is worth a look.
    """

    rule: str
    severity: Severity
    study: str
    where: str
    found: str
    expected: str
    message: str

    def row(self) -> dict[str, str]:
        """The finding as a dict of texts."""
        return asdict(self)


Check: TypeAlias = Callable[[Review], Iterable[Finding]]

#: Every check by the name of its rule.
CHECKS: dict[str, Check] = {}


def check(rule: str) -> Callable[[Check], Check]:
    """Enter the decorated check under `rule`."""

    def enter(function: Check) -> Check:
        if rule in CHECKS:
            raise ValueError(f"the rule '{rule}' is taken")
        CHECKS[rule] = function
        return function

    return enter


_EXPECTED = {
    "events-above-n": "events between 0 and the total",
    "negative-count": "0 or more",
    "fractional-count": "a whole number",
    "duplicate-row": "one row each",
    "unknown-study": "a study of studies.csv",
    "totals-differ": "one total",
    "survival-out-of-range": "a proportion between 0 and 1",
    "survival-rises": "survival that never rises",
    "at-risk-rises": "numbers at risk that never rise",
    "interval-excludes-estimate": "low <= estimate <= high",
    "limits-swapped": "the lower limit below the upper",
    "standard-error": "a number above 0",
    "negative-sd": "0 or more",
    "missing-number": "all numbers of the comparison",
    "effect-scale": "a ratio above 0",
    "bias-unreadable": "a domain and a level of the tool",
    "certainty-unreadable": "a GRADE domain and its steps",
}


def finding_of_fault(fault: DataError, study: str = "") -> Finding:
    """The finding for a row that could not be meant."""
    where = ", ".join(
        part
        for part in (
            fault.file or "",
            f"row {fault.row}" if fault.row else "",
            f"column '{fault.column}'" if fault.column else "",
        )
        if part
    )
    return Finding(
        fault.rule, "error", study, where, fault.message, _EXPECTED.get(fault.rule, "a readable value"), str(fault)
    )
