"""A hazard ratio and a p value as journals print them, read from their text."""

from __future__ import annotations

import re
from typing import NamedTuple

from metagrove.core.errors import DataError

__all__ = ["PrintedP", "p_of_text", "ratio_of_text"]

_LEVEL = r"(?P<level>\d+(?:[.,]\d+)?)\s*(?:%|per\s?cent)"
_INTERVAL = re.compile(
    rf"(?:{_LEVEL}[\s-]*)?(?:confidence\s+(?:intervals?|limits?)|CIs?)\b|(?<=[\s(\[,;]){_LEVEL.replace('level', 'alone')}",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"^\s*(?:the\s+)?(?:hazard\s+ratio(?:\s*\(HR\))?|HR)\s*(?:of|was|is)?(?=[\s\d.,:=(]|$)", re.IGNORECASE
)
_TAIL = re.compile(
    r"[\s,;]*\(?\s*(?:log-?\s?rank\s+)?\bp(?:[\s-]*value)?\s*[=<>≤≥:]\s*[\d.,]*\d(?P<closed>\s*\))?\s*$", re.IGNORECASE
)
#: Estimate, limits: with decimal points any comma separates; with decimal commas only one before a blank.
_FORMS = tuple(
    re.compile(
        rf"[\s=:,]*(?P<estimate>{number})\s*(?:[\s,;:=(\[]+(?P<lower>{number})(?:\s*(?:-|\bto\b|;|{comma})\s*)"
        rf"(?P<upper>{number})[\s)\]]*)?[.,;\s]*"
    )
    for number, comma in ((r"(?:\d+\.?\d*|\.\d+)", ","), (r"\d+(?:,\d+)?", r",(?=\s)"))
)
_NOT_SIGNIFICANT = re.compile(r"(?:n\.?\s?s\.?|not\s+(?:statistically\s+)?significant)", re.IGNORECASE)
_P = re.compile(
    r"(?:(?:two|2)[\s-]*sided\s+)?(?:log-?\s?rank\s+)?(?:p(?:[\s-]*value)?)?\s*(?P<sign>[=<>≤≥:]?)\s*"
    r"(?P<value>\d+[.,]?\d*|[.,]\d+)\s*(?:\(?(?:two|2)[\s-]*sided\)?)?",
    re.IGNORECASE,
)


def _even(text: str) -> str:
    """The text with one kind of dash, decimal point and blank."""
    return re.sub(r"[‐‑‒–—−]", "-", text.replace("·", ".").replace("\u00a0", " ").replace("\u202f", " ")).strip()


def ratio_of_text(text: str) -> tuple[float, ...]:
    """The hazard ratio, or (estimate, lower, upper) where its limits are printed.

    Raises DataError for anything else: a sign, a share, limits at another level than 95 %, words beyond the usual.

    >>> ratio_of_text("HR 0·53 (95% CI 0·17–1·69; P=0.28)"), ratio_of_text("0,53 (0,17-1,69)"), ratio_of_text("0.5")
    ((0.53, 0.17, 1.69), (0.53, 0.17, 1.69), (0.5,))
    """
    bare = _even(text)
    tail = _TAIL.search(bare)
    if tail is not None:
        opened = tail[0].count("(") >= tail[0].count(")")
        bare = bare[: tail.start()] + ("" if opened else ")")
    for level in (found["level"] or found["alone"] for found in _INTERVAL.finditer(bare)):
        if level is not None and float(level.replace(",", ".")) != 95:
            raise DataError(f"'{text}' has limits at {level} %; limits at 95 % are needed, or the hazard ratio alone")
    bare = _NAME.sub("", _INTERVAL.sub(" ", bare))
    found = next((match for form in _FORMS if (match := form.fullmatch(bare))), None)
    if found is None:
        raise DataError(f"the hazard ratio is '{text}'; write 0.66, or with its limits 0.66 (0.50-0.87)")
    known = (found[name] for name in ("estimate", "lower", "upper"))
    return tuple(float(number.replace(",", ".")) for number in known if number is not None)


class PrintedP(NamedTuple):
    """A printed p: `sign` is "=", "<" or ">"; the number behind it."""

    sign: str
    value: float


def p_of_text(text: str) -> PrintedP:
    """A two-sided p, or the bound that is printed for it; "NS" is a p above 0.05.

    >>> p_of_text("P < 0·001"), p_of_text("0,27"), p_of_text("n.s.")
    (PrintedP(sign='<', value=0.001), PrintedP(sign='=', value=0.27), PrintedP(sign='>', value=0.05))
    """
    bare = _even(text)
    if _NOT_SIGNIFICANT.fullmatch(bare):
        return PrintedP(">", 0.05)
    found = _P.fullmatch(bare)
    if found is None:
        raise DataError(f"p is '{text}'; a number between 0 and 1, or a bound such as '<0.001', is needed")
    sign = {"≤": "<", "≥": ">", "<": "<", ">": ">"}.get(found["sign"], "=")
    return PrintedP(sign, float(found["value"].replace(",", ".")))
