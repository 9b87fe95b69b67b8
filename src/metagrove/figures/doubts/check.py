"""A check: one question put to a reading, what it looks for, and every sentence it can say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from metagrove.figures.findings import Finding

__all__ = ["Check"]

T = TypeVar("T")
_GAP = re.compile(r"\\\{\w*\\\}")


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """One question: its name, what it looks for in a sentence, the sentences it can say, and the function that asks.

    `says` are sentences with names in braces where a figure's own words and numbers stand.
    """

    name: str
    looks_for: str
    says: tuple[str, ...]
    find: Callable[[T], list[Finding]]

    def said(self, message: str) -> bool:
        """Whether a reason is one of this check's sentences."""
        return any(_pattern(s).fullmatch(message) for s in self.says)


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(_GAP.sub(".*", re.escape(sentence)), re.DOTALL)
