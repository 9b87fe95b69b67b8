"""Which pairs of records are worth comparing: those that share one of several keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from metagrove.review.duplicates.features import Features

__all__ = ["candidate_pairs"]

#: Larger blocks are cut by a second key, so that a thousand titles "Editorial" do not make half a million pairs.
_LARGEST = 40


def _keys(features: Features) -> Iterator[tuple[str, ...]]:
    """The keys under which a record may meet its duplicates."""
    key, year = features.key, str(features.year or "")
    author = features.families[0][:6] if features.families else ""
    if features.doi:
        yield "doi", features.doi
    if features.pmid:
        yield "pmid", features.pmid
    if key:
        yield "title", key[:22]
        if len(key) > 30:
            yield "end", key[-22:]
    if features.first and features.volume:
        yield "place", features.volume, features.first, year[:3]
    if author and features.first:
        yield "author page", author, features.first
    if author and year and key:
        words = [word for word in features.title.split() if len(word) > 3][:2]
        yield "author year", author, year, *words[:1]
    if len(features.families) >= 3 and year:
        yield "list", *features.families[:3], year
    if len(features.title.split()) >= 5:
        yield "words", *sorted(set(features.title.split()), key=lambda word: (-len(word), word))[:3]


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


def candidate_pairs(features: Sequence[Features]) -> list[tuple[int, int]]:
    """Pairs of positions that share a key, each once, in order."""
    blocks: dict[tuple[str, ...], list[int]] = {}
    for index, one in enumerate(features):
        for key in _keys(one):
            blocks.setdefault(key, []).append(index)
    size = len(features)
    found = {
        one * size + other for block in blocks.values() if len(block) > 1 for one, other in _within(block, features)
    }
    return [divmod(code, size) for code in sorted(found)]
