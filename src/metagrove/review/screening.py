"""Screening as a fold over its log: who decided what on which work, what is open, and where reviewers disagree.

A work is a group of duplicate records; a decision on any of its records is a decision on the work, so that duplicates found
late carry their decisions over. Decisions belong to the reviewer: nobody's are shown before all who must decide have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from metagrove.review.agreement import Agreement, cohen_kappa
from metagrove.review.duplicates.clusters import Duplicates, find_duplicates
from metagrove.review.log import Decision, Entry, Pairing, Setting, Tally
from metagrove.review.records.reading import Record

__all__ = ["STAGES", "Outcome", "Screening", "fold_screening", "record_seal"]

#: The stages in order, and what a work needs to reach the next.
STAGES = ("title_abstract", "retrieval", "full_text")
_ARBITERS = ("adjudicat", "consensus", "arbit", "resol")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where one work stands at one stage.

    `verdict` is include, exclude, not_retrieved, pending or conflict; `reason` is the reason that counts; `missing` are
    the decisions still wanted; `by` are the decisions, empty while blinding holds.
    """

    verdict: str
    reason: str = ""
    missing: int = 0
    by: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Screening:
    """The state of screening: works, their outcome at each stage, open questions and what no longer fits.

    `outcomes[stage][work]` holds the works that reached the stage; `studies` groups included works into studies;
    `adrift` are entries of the log whose record is not there any more or says something else now; `tallies` are records
    known by their number alone, which take part in the flow and in nothing else.
    """

    duplicates: Duplicates
    outcomes: Mapping[str, Mapping[str, Outcome]]
    required: Mapping[str, int]
    studies: tuple[tuple[str, ...], ...]
    adrift: tuple[Entry, ...]
    decisions: tuple[Decision, ...]
    tallies: tuple[Tally, ...] = ()

    def works(self, stage: str, *verdicts: str) -> list[str]:
        """The works that stand so at a stage, in the order of the search."""
        return [work for work, outcome in self.outcomes[stage].items() if outcome.verdict in verdicts]

    def queue(self, stage: str, reviewer: str) -> list[str]:
        """The works that `reviewer` has still to decide at a stage; says nothing of others' decisions."""
        work_of = self._work_of()
        done = {work_of[d.record] for d in self.decisions if d.stage == stage and _same_person(d.reviewer, reviewer)}
        return [
            work
            for work, outcome in self.outcomes[stage].items()
            if work not in done and outcome.verdict in ("pending", "conflict")
        ]

    def _work_of(self) -> dict[str, str]:
        return {r.record_id: c for r, c in zip(self.duplicates.records, self.duplicates.cluster_of, strict=True)}

    def agreements(self, stage: str) -> dict[tuple[str, str], Agreement]:
        """Cohen's kappa for each pair of reviewers, on the works both judged; arbiters do not count."""
        work_of = self._work_of()
        judged: dict[str, dict[str, str]] = {}
        for decision in self.decisions:
            if decision.stage == stage and not _arbiter(decision.reviewer):
                judged.setdefault(decision.reviewer, {})[work_of[decision.record]] = _side(decision.decision)
        found = {}
        for one, other in combinations(sorted(judged), 2):
            both = sorted(judged[one].keys() & judged[other].keys())
            if both:
                found[one, other] = cohen_kappa([judged[one][w] for w in both], [judged[other][w] for w in both])
        return found


def record_seal(record: Record) -> str:
    """A short digest of what the record is: title, year and DOI. A decision keeps it, to notice a changed export."""
    told = "\x1f".join((record.title.lower(), str(record.year or ""), record.doi))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _same_person(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()


def _arbiter(reviewer: str) -> bool:
    return reviewer.strip().lower().startswith(_ARBITERS)


def _side(decision: str) -> str:
    """Include or exclude: who is not sure sends the record on."""
    return "exclude" if decision in ("exclude", "not_retrieved") else "include"


class _Places:
    """Where the records of the log are now: by id where the record still says the same, else by what it says."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.seals = {record.record_id: record_seal(record) for record in records}
        self.by_seal: dict[tuple[str, str], list[str]] = {}
        for record in records:
            self.by_seal.setdefault((record.file, self.seals[record.record_id]), []).append(record.record_id)
        self.files = {record.file for record in records}

    def now(self, record: str, seal: str) -> str | None:
        if record in self.seals and (not seal or self.seals[record] == seal):
            return record
        moved = self.by_seal.get((record.rpartition(":")[0], seal), [])
        return moved[0] if len(moved) == 1 else None


def _placed(entries: Iterable[Entry], places: _Places) -> tuple[list[Decision], list[Pairing], list[Entry]]:
    decisions: list[Decision] = []
    pairs: list[Pairing] = []
    adrift: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Decision):
            record = places.now(entry.record, entry.seal)
            if record is None:
                adrift.append(entry)
            else:
                decisions.append(
                    Decision(entry.at, record, entry.stage, entry.reviewer, entry.decision, entry.reason, entry.seal)
                )
        elif isinstance(entry, Pairing):
            one, other = places.now(entry.record, entry.seal), places.now(entry.other, entry.other_seal)
            if one is None or other is None:
                adrift.append(entry)
            else:
                pairs.append(Pairing(entry.at, one, other, entry.reviewer, entry.link))
    return decisions, pairs, adrift


def _required(settings: Mapping[str, int], decisions: Sequence[Decision], work_of: Mapping[str, str]) -> dict[str, int]:
    """How many must decide at each stage: as set, else two where two reviewers judged some work together, else one."""
    needed = {}
    for stage in STAGES:
        if stage in settings:
            needed[stage] = settings[stage]
            continue
        seen: dict[str, set[str]] = {}
        for decision in decisions:
            if decision.stage == stage and not _arbiter(decision.reviewer):
                seen.setdefault(work_of[decision.record], set()).add(decision.reviewer.strip().lower())
        needed[stage] = 2 if stage != "retrieval" and any(len(people) > 1 for people in seen.values()) else 1
    return needed


def _outcome(decisions: Sequence[Decision], required: int) -> Outcome:
    """The outcome of one work at one stage from the decisions on it, in the order of the log."""
    latest: dict[str, dict[str, Decision]] = {}
    for decision in decisions:
        own = latest.setdefault(decision.reviewer.strip().lower(), {})
        own.pop(decision.record, None)
        own[decision.record] = decision
    settled: list[tuple[Decision, bool]] = []
    for own in latest.values():
        last = list(own.values())[-1]
        settled.append((last, len({(_side(d.decision), _reason(d)) for d in own.values()}) > 1))
    arbiters = [decision for decision, _ in settled if _arbiter(decision.reviewer)]
    if arbiters:
        return _verdict(arbiters[-1], decisions)
    people = [decision for decision, _ in settled]
    if len(people) < required:
        return Outcome("pending", missing=required - len(people))
    first, later = people[:required], people[required:]
    # One person who decided differently on two copies of a work disagrees with himself.
    torn = any(changed for _, changed in settled)
    if _agree(first) and _agree(people) and not torn:
        return _verdict(people[0], decisions)
    if later and not torn and not _agree(first):
        return _verdict(later[-1], decisions)
    return Outcome("conflict", by=tuple(decisions))


def _reason(decision: Decision) -> str:
    """The reason that counts: the first of several."""
    return decision.reason.split(";")[0].strip() if decision.decision == "exclude" else ""


def _agree(decisions: Sequence[Decision]) -> bool:
    sides = {_side(decision.decision) for decision in decisions}
    reasons = {_reason(decision).lower() for decision in decisions if decision.stage == "full_text"}
    return len(sides) == 1 and len(reasons) <= 1


def _verdict(decision: Decision, decisions: Sequence[Decision]) -> Outcome:
    verdict = decision.decision if decision.decision in ("exclude", "not_retrieved") else "include"
    return Outcome(verdict, _reason(decision), by=tuple(decisions))


def _stages(
    works: Iterable[str], by_stage: Mapping[str, Mapping[str, list[Decision]]], required: Mapping[str, int]
) -> dict[str, dict[str, Outcome]]:
    """The outcome of each work at each stage that it reached. A later decision implies the earlier steps."""
    outcomes: dict[str, dict[str, Outcome]] = {stage: {} for stage in STAGES}
    for work in works:
        title, fetched, full = (by_stage[stage].get(work, []) for stage in STAGES)
        if title or not (full or fetched):
            outcomes["title_abstract"][work] = _outcome(title, required["title_abstract"])
        else:
            outcomes["title_abstract"][work] = Outcome("include")
        if outcomes["title_abstract"][work].verdict != "include":
            continue
        outcomes["retrieval"][work] = _outcome(fetched, 1) if fetched else Outcome("include")
        if outcomes["retrieval"][work].verdict == "include":
            outcomes["full_text"][work] = _outcome(full, required["full_text"])
    return outcomes


def _grouped_studies(included: Sequence[str], pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    group = {work: {work} for work in included}
    for one, other in pairs:
        if one in group and other in group and group[one] is not group[other]:
            joined = group[one] | group[other]
            for work in joined:
                group[work] = joined
    order = {work: place for place, work in enumerate(included)}
    return tuple(dict.fromkeys(tuple(sorted(group[work], key=order.__getitem__)) for work in included))


def fold_screening(records: Sequence[Record], entries: Sequence[Entry]) -> Screening:
    """The state of screening from the records of the search and the entries of the log."""
    decisions, pairs, adrift = _placed(entries, _Places(records))
    answers: dict[tuple[str, str], bool] = {}
    for pair in pairs:
        if pair.link in ("duplicate", "distinct"):
            key = (min(pair.record, pair.other), max(pair.record, pair.other))
            answers[key] = pair.link == "duplicate"
    duplicates = find_duplicates(records, answers=[(one, other, same) for (one, other), same in answers.items()])
    work_of = {r.record_id: c for r, c in zip(duplicates.records, duplicates.cluster_of, strict=True)}
    settings = {entry.stage: entry.reviewers for entry in entries if isinstance(entry, Setting)}
    required = _required(settings, decisions, work_of)
    by_stage: dict[str, dict[str, list[Decision]]] = {stage: {} for stage in STAGES}
    for decision in decisions:
        by_stage[decision.stage].setdefault(work_of[decision.record], []).append(decision)
    outcomes = _stages(dict.fromkeys(duplicates.cluster_of), by_stage, required)
    included = [work for work, outcome in outcomes["full_text"].items() if outcome.verdict == "include"]
    told = [(work_of[pair.record], work_of[pair.other]) for pair in pairs if pair.link == "study"]
    return Screening(
        duplicates,
        outcomes,
        required,
        _grouped_studies(included, told),
        tuple(adrift),
        tuple(decisions),
        _tallies(entries),
    )


def _tallies(entries: Sequence[Entry]) -> tuple[Tally, ...]:
    """The tallies that hold: the last of each kind, in the order in which the kinds came; those of 0 are gone."""
    last = {entry.what: entry for entry in entries if isinstance(entry, Tally)}
    return tuple(tally for tally in last.values() if tally.n)
