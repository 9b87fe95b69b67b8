"""Which printed names are one name: the same arm's in the legend, beside its curve and before its numbers at risk."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import permutations

import numpy as np

__all__ = ["named_like", "numbered", "paired_by_spelling", "plain_name"]

_LIKE, _APART = 0.75, 0.08
_PAIRED, _CLEARLY = 0.6, 0.1


def plain_name(text: str) -> str:
    """The letters and digits of a name in lower case.

    >>> plain_name("Drug A + B (n = 12)")
    'drugabn12'
    """
    return "".join(c for c in text.lower() if c.isalnum())


def numbered(names: Sequence[str]) -> bool:
    """Whether some names are told apart by Roman numerals alone, whose strokes are easily lost or miscounted.

    >>> numbered(["Stage I", "Stage II"]), numbered(["Drug A", "Drug A + B"])
    (True, False)
    """
    stems = [_folded(plain_name(n)).rstrip("iv") for n in names]
    return len(set(stems)) < len(stems)


def named_like(text: str, names: Sequence[str]) -> int | None:
    """The index of the one name that `text` spells, one letter in four read wrongly; None where two are as near.

    Two different numbers are two names: `Group 1` is not `Group 2`.

    >>> named_like("Radlotherapy", ["Surgery", "Radiotherapy"]), named_like("Group 3", ["Group 1", "Group 2"])
    (1, None)
    """
    own = plain_name(text)
    plain = [plain_name(n) for n in names]
    for seen, known in ((own, plain), (_folded(own), [_folded(n) for n in plain])):
        if seen in known and known.count(seen) == 1:
            return known.index(seen)
    if own in plain:
        return None
    score = [_ratio(own, n) for n in plain]
    order = np.argsort(score)[::-1]
    if len(own) < 4 or not score or score[order[0]] < _LIKE:
        return None
    return int(order[0]) if len(order) == 1 or score[order[0]] - score[order[1]] >= _APART else None


def paired_by_spelling(texts: Sequence[str], names: Sequence[str]) -> tuple[int, ...] | None:
    """The name that each of as many texts spells, where one pairing of all is clearly the most alike.

    >>> paired_by_spelling(["Cohort 1", "Cohort II", "Cohort lV"], ["Cohort I", "Cohort II", "Cohort IV"])
    (0, 1, 2)
    """
    if len(texts) != len(names) or not 1 < len(names) <= 6 or not all(map(plain_name, texts)):
        return None
    like = [[_ratio(_folded(plain_name(t)), _folded(plain_name(n))) for n in names] for t in texts]
    ranked = sorted(
        permutations(range(len(names))), key=lambda p: sum(like[k][i] for k, i in enumerate(p)), reverse=True
    )
    best, other = (sum(like[k][i] for k, i in enumerate(p)) for p in ranked[:2])
    clear = best - other >= _CLEARLY and min(like[k][i] for k, i in enumerate(ranked[0])) >= _PAIRED
    return ranked[0] if clear else None


def _ratio(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b, autojunk=False).ratio() if _same_digits(a, b) else 0.0


def _folded(text: str) -> str:
    """The name with letters that look alike made equal: 1, l and i, 0 and o."""
    return text.translate(str.maketrans("1l0", "iio"))


def _same_digits(a: str, b: str) -> bool:
    p, q = ("".join(c for c in text if c.isdigit()) for text in (a, b))
    return p == q or not p or not q
