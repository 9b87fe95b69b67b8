"""Entries of a legend that are of curves fitted to the data: they are no arms, in drawings and in pictures alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["without_fits"]

Entry = TypeVar("Entry")

_FIT = re.compile(
    r"(?i)\b(weibull|exponential|gompertz|log-?normal|log-?logistic|generali[sz]ed gamma|gamma|splines?|royston|extrapolat\w*|"
    r"parametric|(?:model|curve)?[ -]?fit(?:ted)?|modell?ed)\b"
)
_DRUG = re.compile(r"(?i)interferon|IFN|gamma[ -]?\w*(?:knife|globulin|\d)")


def without_fits(entries: Iterable[Entry], name: Callable[[Entry], str]) -> list[Entry]:
    """The entries that are of patients, by their names.

    >>> without_fits(["Surgery - Weibull", "Lobectomy, fitted", "Interferon gamma-1b", "Surgery - KM"], str)
    ['Interferon gamma-1b', 'Surgery - KM']
    """
    return [e for e in entries if not _FIT.search(name(e)) or _DRUG.search(name(e))]
