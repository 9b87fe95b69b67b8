"""Which printed names are one name: the same arm's in the legend, beside its curve and before its numbers at risk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import takewhile

import numpy as np

__all__ = ["in_numerals", "in_one_case", "likeness", "name_alone", "named_like", "numbered", "plain_name"]

_LIKE, _APART = 0.75, 0.08
_NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")
# letters that are of one shape in either case
_ONE_SHAPE = "cosuvwxz"
# letters that names with numerals share at least
_STEM = 3
_STATED = re.compile(
    r"(?i)[\s,;:(\[–—-]*\b(?:n\s*=\s*\d|(?<=[(\[])n\s*\d|median\b.*\d|hr\s*[=:,]?\s*\d|\d+\s*/\s*\d+|\d+\s+(?:events|deaths|patients)).*$"
)


def plain_name(text: str) -> str:
    """The letters and digits of a name in lower case.

    >>> plain_name("Drug A + B (n = 12)")
    'drugabn12'
    """
    return "".join(c for c in text.lower() if c.isalnum())


def name_alone(text: str) -> str:
    """A name without the numbers that a legend states behind it.

    >>> name_alone("Drug A (n = 12)"), name_alone("Drug A, median 4.2")
    ('Drug A', 'Drug A')
    """
    return _STATED.sub("", text) or text


def numbered(names: Sequence[str]) -> bool:
    """Whether some names are told apart by Roman numerals alone, whose strokes are easily lost or miscounted.

    >>> numbered(["Stage I", "Stage II"]), numbered(["Drug A", "Drug A + B"])
    (True, False)
    """
    stems = [_folded(plain_name(n)).rstrip("iv") for n in names if plain_name(n)]
    return len(set(stems)) < len(stems)


def in_numerals(names: Sequence[str]) -> list[str]:
    """The names of a column with the Roman numerals of their places, where those that were read well are told apart by these.

    At least half of the numerals, and two of them, must be read as their place asks, and none clearly as another.

    >>> in_numerals(["Cohort", "Cohort II", "Cohort III", "Cohort V", "CohortV"])
    ['Cohort I', 'Cohort II', 'Cohort III', 'Cohort IV', 'Cohort V']
    >>> in_numerals(["Stage II", "Stage III", "Stage IV"]), in_numerals(["Drug A", "Drug B", "Drug C"])
    (['Stage II', 'Stage III', 'Stage IV'], ['Drug A', 'Drug B', 'Drug C'])
    """
    plain = [_folded(plain_name(n)) for n in names]
    shared = "".join(next(iter(c)) for c in takewhile(lambda c: len(c) == 1, map(set, zip(*plain, strict=False))))
    stem = len(shared.rstrip("iv"))
    if not 3 <= len(names) <= len(_NUMERALS) or stem < _STEM or not shared[:stem].isalpha():
        return list(names)
    read = [p[stem:] for p in plain]
    asked = _NUMERALS[: len(names)]
    right = sum(r == a for r, a in zip(read, asked, strict=True))
    other = any(r != a and r in _NUMERALS and read.count(r) == 1 for r, a in zip(read, asked, strict=True))
    if right < max(2, len(names) / 2) or other or max(map(len, read)) > len(_NUMERALS[-1]):
        return list(names)
    return [
        n if r == a and n.endswith(f" {a.upper()}") else f"{_cut(n, stem)} {a.upper()}"
        for n, r, a in zip(names, read, asked, strict=True)
    ]


def in_one_case(names: Sequence[str]) -> list[str]:
    """The names with single letters behind the words that they share in capitals, where those that have another shape are.

    The size alone tells a C from a c, and a reader errs.

    >>> in_one_case(["Arm A", "Arm B", "Arm c"]), in_one_case(["Vitamin c", "Vitamin d", "Arm C"])
    (['Arm A', 'Arm B', 'Arm C'], ['Vitamin c', 'Vitamin d', 'Arm C'])
    """
    parts = [n.rpartition(" ") for n in names]
    letters = [(stem.lower(), last) for stem, _, last in parts]
    out = list(names)
    for k, (stem, last) in enumerate(letters):
        others = [o for s, o in letters if s == stem and len(o) == 1 and o.isalpha() and o.lower() not in _ONE_SHAPE]
        if stem and len(last) == 1 and last in _ONE_SHAPE and others and all(o.isupper() for o in others):
            out[k] = f"{parts[k][0]} {last.upper()}"
    return out


def _cut(name: str, letters: int) -> str:
    """A name up to so many letters or digits."""
    ends = [k + 1 for k, c in enumerate(name) if c.isalnum()]
    return name[: ends[letters - 1]]


def named_like(text: str, names: Sequence[str]) -> int | None:
    """The index of the one name that `text` spells, one letter in four read wrongly; None where two are as near.

    Two different numbers are two names: `Group 1` is not `Group 2`.

    >>> named_like("Radlotherapy", ["Surgery", "Radiotherapy"]), named_like("Group 3", ["Group 1", "Group 2"])
    (1, None)
    """
    own = _told(text)
    plain = [_told(n) for n in names]
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


def likeness(text: str, name: str) -> float:
    """How alike two printed names are, 0 to 1; 1 where they agree but for letters that look alike, 0 with other numbers.

    >>> likeness("Cohort 1", "Cohort I"), likeness("Group 3", "Group 1"), likeness("Drug A (n = 12)", "Drug A")
    (1.0, 0.0, 1.0)
    """
    a, b = _told(text), _told(name)
    if _folded(a) == _folded(b):
        return 1.0
    return _ratio(a, b)


def _told(text: str) -> str:
    """The letters and digits of a name alone."""
    return plain_name(name_alone(text)) or plain_name(text)


def _ratio(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b, autojunk=False).ratio() if _same_digits(a, b) else 0.0


def _folded(text: str) -> str:
    """The name with letters that look alike made equal: 1, l and i, 0 and o."""
    return text.translate(str.maketrans("1l0", "iio"))


def _same_digits(a: str, b: str) -> bool:
    p, q = ("".join(c for c in text if c.isdigit()) for text in (a, b))
    return p == q or not p or not q
