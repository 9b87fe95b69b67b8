"""Numbers of a published review beside ours: equal to every printed digit, or by how much not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from metagrove.review.cells import is_missing, number

__all__ = ["Comparison", "compared"]

Verdict = Literal["match", "differs", "not computed", "not printed"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One printed number and ours: the quantity, both as text, the verdict, and where it was printed."""

    quantity: str
    printed: str
    ours: str
    verdict: Verdict
    difference: str
    where: str


def _decimals(text: str) -> int:
    found = re.search(r"[.,](\d+)", text)
    return len(found[1]) if found else 0


def compared(quantity: str, printed: str, ours: float | None, *, where: str = "", reason: str = "") -> Comparison:
    """The comparison of one printed cell with our number.

    A printed number matches when ours rounds to it at the digits printed; a printed bound (`<0.01`) when ours lies
    within it; a per-cent sign means that ours is a fraction. `reason` says why ours is missing, where it is.

    Examples
    --------
    >>> compared("I2", "46%", 0.4597).verdict, compared("p", "<0.01", 0.005).verdict
    ('match', 'match')
    >>> compared("median", "4.8", 4.63).difference
    '-0.2'
    """
    if is_missing(printed):
        shown = "none" if ours is None else f"{ours:.4g}"
        verdict: Verdict = "match" if ours is None else "differs"
        note = "" if ours is None else "the limit exists"
        return Comparison(
            quantity, printed or "none", shown if ours is not None else reason or "none", verdict, note, where
        )
    if ours is None:
        return Comparison(quantity, printed, reason or "not computed", "not computed", "", where)
    percent = printed.rstrip().endswith("%")
    scaled = 100 * ours if percent else ours
    digits = _decimals(printed)
    sign = "%" if percent else ""
    if printed[:1] in "<>":
        bound = number(printed[1:])
        inside = scaled < bound if printed[0] == "<" else scaled > bound
        return Comparison(quantity, printed, f"{scaled:.2g}{sign}", "match" if inside else "differs", "", where)
    value = number(printed)
    shown = f"{scaled:.0f}" if scaled == round(scaled) and not digits else f"{scaled:.{digits + 2}f}{sign}"
    same = abs(scaled - value) <= 0.5 * 10.0**-digits * (1 + 1e-9)
    difference = "" if same else f"{scaled - value:+.{max(digits, 1)}f}"
    return Comparison(quantity, printed, shown, "match" if same else "differs", difference, where)
