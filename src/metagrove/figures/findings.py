"""Doubts about a reading, each in one line for a person."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One doubt, in one line for a person; `grave` ones make a figure needs-review."""

    message: str
    grave: bool = True
