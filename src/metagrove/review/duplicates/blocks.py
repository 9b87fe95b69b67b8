"""Which pairs of records are worth comparing: those that share one of several keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.review.duplicates.features import Features

__all__ = ["candidate_pairs"]

#: Larger blocks are cut by a second key, so that a thousand titles "Editorial" do not make half a million pairs.
_LARGEST = 40

Key: TypeAlias = tuple[str, ...] | str


def _place(one: Features) -> Key:
    return (one.volume, one.first, str(one.year or "")[:3]) if one.first and one.volume else ""


def _author_page(one: Features) -> Key:
    return (one.families[0][:6], one.first) if one.families and one.families[0] and one.first else ""


def _author_year(one: Features) -> Key:
    if not (one.families and one.families[0] and one.year and one.key):
        return ""
    word = next((word for word in one.title.split() if len(word) > 3), "")
    return one.families[0][:6], str(one.year), word


def _list(one: Features) -> Key:
    return (*one.families[:3], str(one.year)) if len(one.families) >= 3 and one.year else ""


def _words(one: Features) -> Key:
    words = one.title.split()
    return tuple(sorted(set(words), key=lambda word: (-len(word), word))[:3]) if len(words) >= 5 else ""


#: The keys under which a record may meet its duplicates; empty where it has no such key.
_KEYS: Mapping[str, Callable[[Features], Key]] = MappingProxyType(
    {
        "doi": lambda one: one.doi,
        "pmid": lambda one: one.pmid,
        "title": lambda one: one.key[:22],
        "end": lambda one: one.key[-22:] if len(one.key) > 30 else "",
        "place": _place,
        "author page": _author_page,
        "author year": _author_year,
        "list": _list,
        "words": _words,
    }
)


def _finer(features: Features) -> tuple[str, ...]:
    return (str(features.year or ""), features.families[0][:4] if features.families else "", features.first)


def _within(block: list[int], features: Sequence[Features]) -> Iterator[tuple[int, int]]:
    if len(block) <= _LARGEST:
        for i, one in enumerate(block):
            for other in block[i + 1 :]:
                yield one, other
        return
    # Neighbours in the order of the finer key meet; each with the eight that follow.
    ordered = sorted(block, key=lambda index: (_finer(features[index]), index))
    for i, one in enumerate(ordered):
        for other in ordered[i + 1 : i + 9]:
            yield (one, other) if one < other else (other, one)


def _pairs_by(key_of: Callable[[Features], Key], features: Sequence[Features]) -> NDArray[np.int64]:
    """The pairs that one key makes, as one number each: lower position times the number of records, plus the higher."""
    first: dict[Key, int] = {}
    blocks: dict[int, list[int]] = {}
    for index, one in enumerate(features):
        key = key_of(one)
        if not key:
            continue
        met = first.setdefault(key, index)
        if met != index:
            blocks.setdefault(met, [met]).append(index)
    del first
    size = len(features)
    codes = (one * size + other for block in blocks.values() for one, other in _within(block, features))
    return np.unique(np.fromiter(codes, dtype=np.int64))


def candidate_pairs(features: Sequence[Features]) -> Iterator[tuple[int, int]]:
    """Pairs of positions that share a key, each once, in order. One key is worked off after the other, to spare memory."""
    found = np.empty(0, dtype=np.int64)
    for key_of in _KEYS.values():
        found = np.union1d(found, _pairs_by(key_of, features))
    size = len(features)
    for start in range(0, len(found), 65536):
        for code in found[start : start + 65536].tolist():
            yield divmod(code, size)
