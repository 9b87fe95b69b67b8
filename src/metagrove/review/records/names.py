"""Authors as exports write them, as `Family, Given`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["author_name", "author_names"]

_INITIALS = re.compile(r"(?:[^\W\d_]\.?[- ]?){1,4}\Z")
_PARTICLES = frozenset("van von der den de del della di da dos du la le ter ten el al bin ibn st st. zu af av".split())
_GROUP = re.compile(
    r"(?i)\b(?:group|consortium|collaborat\w*|investigators|committee|society|network|trialists|team)\b"
)
_NOBODY = frozenset(("et al", "et al.", "others", "anonymous", "[anonymous]", "nct", "no authors listed", "n/a", ""))


def _looks_like_initials(text: str) -> bool:
    bare = re.sub(r"[.\- ]", "", text)
    return bool(_INITIALS.match(text)) and bare == bare.upper()


@lru_cache(maxsize=65536)
def author_name(text: str) -> str:
    """One author as `Family, Given`; groups stay as they are.

    >>> author_name("van der Waal Ł."), author_name("Huan T. Ha"), author_name("Ha,Huan T")
    ('van der Waal, Ł.', 'Ha, Huan T.', 'Ha, Huan T')
    """
    text = " ".join(re.sub(r"\(\d+\)|[*†‡]", "", text).split()).strip(" ,;")
    if not text or _GROUP.search(text):
        return text
    if "," in text:
        family, given = text.split(",", 1)
        return f"{family.strip()}, {given.strip(' ,')}".rstrip(", ")
    words = text.split(" ")
    if len(words) == 1:
        return text
    for split in range(1, len(words)):
        rest = " ".join(words[split:])
        if _looks_like_initials(rest) and all(len(word.strip(".")) <= 4 for word in words[split:]):
            return f"{' '.join(words[:split])}, {rest}"
    start = len(words) - 1
    while start > 1 and words[start - 1].lower() in _PARTICLES:
        start -= 1
    return f"{' '.join(words[start:])}, {' '.join(words[:start])}"


def _split(text: str) -> list[str]:
    """The authors in one text: by semicolon, bar, line or ` and `; commas where each part is a whole name."""
    for separator in (";", "|", "\n"):
        if separator in text:
            return text.split(separator)
    if " and " in text:
        parts = [
            part for chunk in text.split(" and ") for part in (chunk.split(", ") if chunk.count(",") > 1 else [chunk])
        ]
        return parts if not _alternate(parts) else _paired(parts)
    parts = re.split(r",\s+|,(?=\S)", text)
    if len(parts) == 1 or _GROUP.search(text):
        return [text]
    whole = [" " in part.strip() and _looks_like_initials(part.strip().rsplit(" ", 1)[1]) for part in parts]
    if sum(whole) * 2 > len(parts) or (all(" " in part.strip() for part in parts) and len(parts) > 2):
        return parts
    if len(parts) > 2:
        return _paired(parts) if _alternate(parts) else parts
    return [text]


def _alternate(parts: Sequence[str]) -> bool:
    return len(parts) % 2 == 0 and all(_looks_like_initials(part.strip()) for part in parts[1::2])


def _paired(parts: Sequence[str]) -> list[str]:
    return [f"{parts[i]}, {parts[i + 1]}" for i in range(0, len(parts), 2)]


def author_names(texts: Sequence[str]) -> tuple[str, ...]:
    """All authors in order, from a list of single names or from one text that holds them all."""
    singles = texts if len(texts) > 1 else [name for text in texts for name in _split(text)]
    names = [author_name(single) for single in singles if single.strip(" ,.").lower() not in _NOBODY]
    return tuple(name for name in names if name)
