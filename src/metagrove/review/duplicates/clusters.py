"""Duplicate records: groups of records that are one work, the reason for each merge, and what a person must decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from metagrove.core.errors import DataError
from metagrove.review.duplicates.blocks import candidate_pairs
from metagrove.review.duplicates.features import Features, features_of
from metagrove.review.duplicates.rules import Judgement, judge
from metagrove.review.records.reading import Record

__all__ = ["Duplicates", "Link", "find_duplicates", "merged_record"]


@dataclass(frozen=True, slots=True)
class Link:
    """Two records, by their ids, and what was found of them."""

    record_a: str
    record_b: str
    why: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The works among the records.

    `cluster_of` gives for each record, in the order of the input, the id of its work (the id of its first record);
    `merges` the pairs that made the works, `questions` the pairs that a person must decide, `related` the pairs that
    belong together without being one work (an abstract and its paper, an erratum, two parts).
    """

    records: tuple[Record, ...]
    cluster_of: tuple[str, ...]
    merges: tuple[Link, ...]
    questions: tuple[Link, ...]
    related: tuple[Link, ...]

    @property
    def works(self) -> dict[str, tuple[Record, ...]]:
        """The records of each work by the work's id, in the order of the input."""
        groups: dict[str, list[Record]] = {}
        for record, cluster in zip(self.records, self.cluster_of, strict=True):
            groups.setdefault(cluster, []).append(record)
        return {cluster: tuple(group) for cluster, group in groups.items()}


class _Groups:
    """Disjoint sets of positions that refuse to join where two members are known to be different."""

    def __init__(self, features: Sequence[Features]) -> None:
        self.features = features
        self.parent = list(range(len(features)))
        self.members: dict[int, list[int]] = {}
        self.forbidden: set[tuple[int, int]] = set()

    def root(self, index: int) -> int:
        while self.parent[index] != index:
            self.parent[index] = self.parent[self.parent[index]]
            index = self.parent[index]
        return index

    def group(self, root: int) -> list[int]:
        return self.members.get(root, [root])

    def contradiction(self, one: int, other: int) -> Judgement | None:
        """The veto between some member of one group and some member of the other."""
        for a in self.group(self.root(one)):
            for b in self.group(self.root(other)):
                pair = (a, b) if a < b else (b, a)
                if pair in self.forbidden:
                    return Judgement("different", "a person said they differ")
                if (a, b) != (one, other) and _sure_of_difference(self.features[a], self.features[b]):
                    return judge(self.features[a], self.features[b])
        return None

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        if first != second:
            self.parent[second] = first
            self.members[first] = self.group(first) + self.members.pop(second, [second])


def _sure_of_difference(a: Features, b: Features) -> bool:
    found = judge(a, b)
    return found.verdict == "different" and found.reason not in ("the titles differ", "titles or authors differ")


def _decided(answers: Iterable[tuple[str, str, bool]], place: dict[str, int]) -> list[tuple[int, int, bool]]:
    decided = []
    for one, other, same in answers:
        for name in (one, other):
            if name not in place:
                raise DataError(f"an answer names record '{name}', which is not among the records")
        decided.append((min(place[one], place[other]), max(place[one], place[other]), same))
    return decided


def find_duplicates(records: Sequence[Record], *, answers: Iterable[tuple[str, str, bool]] = ()) -> Duplicates:
    """The works among `records`; the same records in the same order give the same answer.

    Parameters
    ----------
    records : all records of the search; their ids must be distinct.
    answers : decisions of a person on pairs: two record ids, and whether they are one work. They outrank the rules.

    Raises
    ------
    DataError
        Two records with one id, or an answer about a record that is not there.
    """
    place: dict[str, int] = {}
    for index, record in enumerate(records):
        if record.record_id in place:
            raise DataError(f"two records have the id '{record.record_id}'", file=record.file)
        place[record.record_id] = index
    features = [features_of(record) for record in records]
    groups = _Groups(features)
    merges: list[tuple[int, int, str]] = []
    settled: set[tuple[int, int]] = set()
    for a, b, same in _decided(answers, place):
        settled.add((a, b))
        if same:
            groups.join(a, b)
            merges.append((a, b, "a person said they are one work"))
        else:
            groups.forbidden.add((a, b))
    same_pairs, asks, related = [], [], []
    for a, b in candidate_pairs(features):
        if (a, b) in settled:
            continue
        found = judge(features[a], features[b])
        if found.verdict == "same":
            same_pairs.append((a, b, found.reason))
        elif found.verdict == "ask":
            asks.append((a, b, found.reason))
        if found.related:
            related.append((a, b, found.related))
    for a, b, reason in same_pairs:
        if groups.root(a) == groups.root(b):
            continue
        against = groups.contradiction(a, b)
        if against is None:
            groups.join(a, b)
            merges.append((a, b, reason))
        else:
            asks.append((a, b, f"{reason}; but another copy disagrees: {against.reason}"))
    return _result(records, groups, merges, asks, related)


def _result(
    records: Sequence[Record],
    groups: _Groups,
    merges: list[tuple[int, int, str]],
    asks: list[tuple[int, int, str]],
    related: list[tuple[int, int, str]],
) -> Duplicates:
    """The links between works; one question and one relation for each pair of works."""

    def links(pairs: list[tuple[int, int, str]]) -> tuple[Link, ...]:
        seen: set[tuple[int, int]] = set()
        kept = []
        for a, b, why in sorted(pairs):
            one, other = sorted((groups.root(a), groups.root(b)))
            barred = (
                any(tuple(sorted((i, j))) in groups.forbidden for i in groups.group(one) for j in groups.group(other))
                if groups.forbidden
                else False
            )
            if one != other and (one, other) not in seen and not barred:
                seen.add((one, other))
                kept.append(Link(records[a].record_id, records[b].record_id, why))
        return tuple(kept)

    return Duplicates(
        tuple(records),
        tuple(records[groups.root(index)].record_id for index in range(len(records))),
        tuple(Link(records[a].record_id, records[b].record_id, why) for a, b, why in sorted(merges)),
        links(asks),
        links(related),
    )


def merged_record(group: Sequence[Record]) -> tuple[Record, dict[str, str]]:
    """One record with the best value of each field, and for each field the record that it came from.

    The longest title, abstract and author list win, else the first value that is there; ids of all sources stay.
    """
    first = group[0]
    best: dict[str, object] = {}
    origin: dict[str, str] = {}
    for name in (
        "title", "authors", "year", "journal", "journal_abbreviation", "volume", "issue", "first_page", "last_page",
        "doi", "pmid", "language", "registration", "accession", "abstract", "keywords", "url",
    ):  # fmt: skip
        held = [record for record in group if getattr(record, name)]
        if not held:
            continue
        wide = name in ("title", "authors", "abstract", "keywords")
        chosen = max(held, key=lambda record: len(getattr(record, name))) if wide else held[0]
        best[name], origin[name] = getattr(chosen, name), chosen.record_id
    ids = [f"{r.database or r.file}:{r.accession}" for r in group if r.accession] + [
        i for r in group for i in r.other_ids
    ]
    merged = replace(first, **best, other_ids=tuple(dict.fromkeys(ids)))  # type: ignore[arg-type]
    return merged, origin
