"""Which printed names are one name: the same arm's in the legend, beside its curve and before its numbers at risk."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

__all__ = ["named_like", "plain_name"]

_LIKE, _APART = 0.75, 0.08


def plain_name(text: str) -> str:
    """The letters and digits of a name in lower case.

    >>> plain_name("Drug A + B (n = 12)")
    'drugabn12'
    """
    return "".join(c for c in text.lower() if c.isalnum())


def named_like(text: str, names: Sequence[str]) -> int | None:
    """The index of the one name that `text` spells, one letter in four read wrongly; None where two are as near.

    Two different numbers are two names: `Group 1` is not `Group 2`.

    >>> named_like("Radlotherapy", ["Surgery", "Radiotherapy"]), named_like("Group 3", ["Group 1", "Group 2"])
    (1, None)
    """
    own = plain_name(text)
    plain = [plain_name(n) for n in names]
    if own in plain:
        return plain.index(own) if plain.count(own) == 1 else None
    score = [SequenceMatcher(None, own, n, autojunk=False).ratio() if _same_digits(own, n) else 0.0 for n in plain]
    order = np.argsort(score)[::-1]
    if len(own) < 4 or not score or score[order[0]] < _LIKE:
        return None
    return int(order[0]) if len(order) == 1 or score[order[0]] - score[order[1]] >= _APART else None


def _same_digits(a: str, b: str) -> bool:
    p, q = ("".join(c for c in text if c.isdigit()) for text in (a, b))
    return p == q or not p or not q
