"""Screening in a review folder: its search read, decisions taken into the log, its state and its flow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from metagrove.app.records import import_files
from metagrove.core.errors import DataError
from metagrove.review.cells import count
from metagrove.review.log import Decision, Entry, Export, Pairing, Setting, Tally, append_log, read_log
from metagrove.review.notation import Notation
from metagrove.review.records.reading import Import, Record
from metagrove.review.screening import STAGES, Screening, fold_screening, record_seal
from metagrove.review.screening_order import ordered_records
from metagrove.review.tables import read_rows, read_sheet

__all__ = [
    "changed_exports",
    "import_decisions",
    "import_tallies",
    "pair_records",
    "read_search",
    "screening_of",
    "screening_report",
    "search_exports",
    "set_reviewers",
]

_STAGE_NAMES = {
    "title_abstract": "title_abstract", "titleabstract": "title_abstract", "title": "title_abstract", "tiab": "title_abstract",
    "abstract": "title_abstract", "ta": "title_abstract", "screening": "title_abstract", "title_and_abstract": "title_abstract",
    "1": "title_abstract", "retrieval": "retrieval", "retrieve": "retrieval", "full_text": "full_text",
    "fulltext": "full_text", "eligibility": "full_text", "included": "full_text", "inclusion": "full_text", "2": "full_text",
    "ft": "full_text",
}  # fmt: skip
_DECISION_NAMES = {
    "include": "include", "included": "include", "yes": "include", "accept": "include", "in": "include",
    "exclude": "exclude", "excluded": "exclude", "no": "exclude", "reject": "exclude", "out": "exclude",
    "maybe": "maybe", "unsure": "maybe", "unclear": "maybe", "not_retrieved": "not_retrieved",
    "notretrieved": "not_retrieved", "unavailable": "not_retrieved", "retrieved": "retrieved",
}  # fmt: skip
_COUNTED = {
    "identification": ("duplicate", "ineligible", "removed"), "title_abstract": ("exclude",),
    "retrieval": ("not_retrieved",), "full_text": ("exclude", "include"),
}  # fmt: skip
_COUNTED_NAMES = {
    "duplicate": "duplicate", "duplicates": "duplicate", "duplicate_record": "duplicate", "duplicate_records": "duplicate",
    "ineligible": "ineligible", "automation": "ineligible", "removed": "removed", "other": "removed", **_DECISION_NAMES,
}  # fmt: skip
_NO_EXPORT = (".md", ".toml", ".jsonl", ".log", ".sha256")


def search_exports(folder: Path) -> list[Path]:
    """The files of the folder's search, in the order of their names."""
    if not folder.is_dir():
        raise DataError("there is no such folder", file=str(folder))
    files = sorted(
        path
        for path in (folder / "search").rglob("*")
        if path.is_file() and path.suffix.lower() not in _NO_EXPORT and not path.name.startswith((".", "README"))
    )
    return files or [path for path in (folder / "records.csv",) if path.is_file()]


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in search_exports(folder)
    }


def changed_exports(folder: Path, entries: Sequence[Entry]) -> dict[str, str]:
    """The exports that are not as the log last saw them, with what they are now (empty where one is gone)."""
    seen = {entry.file: entry.digest for entry in entries if isinstance(entry, Export)}
    now = _digests(folder)
    return {file: now.get(file, "") for file in sorted({*now, *seen}) if now.get(file, "") != seen.get(file, "")}


def read_search(folder: Path) -> Import:
    """The records of the folder's `search/`, or of a `records.csv` in it.

    Raises
    ------
    DataError
        There is neither, or nothing can be read.
    """
    files = search_exports(folder)
    if not files:
        raise DataError("no exports in search/; put the files of your databases there", file=str(folder))
    return import_files(files)


def screening_of(folder: Path) -> Screening:
    """The state of screening of a folder; without exports where its log knows records by their number alone."""
    entries = read_log(folder)
    if any(isinstance(entry, Tally) for entry in entries) and not search_exports(folder):
        return fold_screening((), entries)
    return fold_screening(read_search(folder).records, entries)


def _name(text: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _known(kind: str, text: str, names: Mapping[str, str], *, file: str, row: int) -> str:
    found = names.get(_name(text)) or names.get(_name(text).replace("_", ""))
    if found is None:
        shown = ", ".join(dict.fromkeys(names.values()))
        raise DataError(f"'{text}' is no {kind}; known: {shown}", file=file, row=row, column=kind)
    return found


def _decisions(content: bytes, file: str, seals: Mapping[str, str], at: str) -> list[Decision]:
    """The decisions of a CSV, each checked; the first that cannot be meant is refused with its row."""
    header, rows = read_rows(content, file)
    columns = [_name(name) for name in header]
    for needed in ("record_id", "stage", "reviewer", "decision"):
        if needed not in columns:
            raise DataError(
                "no such column; decisions need record_id, stage, reviewer, decision, reason",
                file=file,
                row=1,
                column=needed,
            )
    place = {name: columns.index(name) for name in ("record_id", "stage", "reviewer", "decision")}
    reason_at = columns.index("reason") if "reason" in columns else None
    made = []
    for number, cells in rows:
        record = cells[place["record_id"]].strip()
        record = record.removeprefix("search/")
        if record not in seals:
            near = get_close_matches(record, seals, n=1, cutoff=0.6)
            hint = f"; nearest: '{near[0]}'" if near else ""
            raise DataError(f"'{record}' is no record of the search{hint}", file=file, row=number, column="record_id")
        stage = _known("stage", cells[place["stage"]], _STAGE_NAMES, file=file, row=number)
        decision = _known("decision", cells[place["decision"]], _DECISION_NAMES, file=file, row=number)
        reviewer = " ".join(cells[place["reviewer"]].split())
        reason = " ".join(cells[reason_at].split()) if reason_at is not None else ""
        if decision in ("retrieved", "not_retrieved"):
            stage = "retrieval"
        if not reviewer:
            raise DataError("is empty; a decision belongs to a reviewer", file=file, row=number, column="reviewer")
        if stage == "full_text" and decision == "exclude" and not reason:
            raise DataError("an exclusion at full text needs its reason", file=file, row=number, column="reason")
        if stage == "full_text" and decision == "maybe":
            raise DataError("at full text a decision is include or exclude", file=file, row=number, column="decision")
        made.append(Decision(at, record, stage, reviewer, decision, reason, seals[record]))
    return made


def _new(made: Sequence[Decision], entries: Sequence[Entry]) -> list[Decision]:
    """The decisions that change something: what a reviewer said already is not said twice."""
    said: dict[tuple[str, str, str], tuple[str, str, str]] = {}
    for entry in entries:
        if isinstance(entry, Decision):
            said[entry.record, entry.stage, entry.reviewer.lower()] = (entry.decision, entry.reason, entry.seal)
    new = []
    for decision in made:
        key = (decision.record, decision.stage, decision.reviewer.lower())
        told = (decision.decision, decision.reason, decision.seal)
        if said.get(key) != told:
            said[key] = told
            new.append(decision)
    return new


def import_decisions(folder: Path, table: Path, *, at: str) -> int:
    """How many decisions of `table` were new and went into the log; all or, where a row is refused, none.

    `at` is the time of import, ISO 8601. The CSV has record_id, stage, reviewer, decision and reason.
    """
    try:
        content = table.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=str(table)) from None
    seals = {record.record_id: record_seal(record) for record in read_search(folder).records}
    made = _decisions(content, table.name, seals, at)
    entries = read_log(folder)
    seen = [Export(at, file, digest) for file, digest in changed_exports(folder, entries).items()]
    new = _new(made, entries)
    append_log(folder, [*seen, *new])
    return len(new)


def _tally(cells: Mapping[str, str], at: str, notation: Notation, *, file: str, row: int) -> Tally:
    stage = cells.get("stage", "")
    known = _STAGE_NAMES | {
        "identification": "identification",
        "identified": "identification",
        "deduplication": "identification",
    }
    stage = _known("stage", stage, known, file=file, row=row)
    decision = _known("decision", cells.get("decision", ""), _COUNTED_NAMES, file=file, row=row)
    if decision not in _COUNTED[stage]:
        known_here = ", ".join(_COUNTED[stage])
        raise DataError(f"'{decision}' at {stage}; known there: {known_here}", file=file, row=row, column="decision")
    reason = cells.get("reason", "")
    if stage == "full_text" and decision == "exclude" and not reason:
        raise DataError("an exclusion at full text needs its reason", file=file, row=row, column="reason")
    try:
        n = count(cells.get("n", ""), notation)
    except DataError as error:
        raise DataError(error.message, file=file, row=row, column="n") from None
    told = {name: cells.get(name, "") for name in ("source", "document", "locator")}
    return Tally(at, stage, decision, n, reason, **told)


def import_tallies(folder: Path, table: Path, *, at: str) -> int:
    """How many tallies of `table` were new and went into the log; all or, where a row is refused, none.

    The CSV has stage, decision and n, and where they are known reason, source, document and locator: numbers that a source
    prints of records which nobody has.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", file=str(folder))
    try:
        sheet = read_sheet(table.read_bytes(), table.name)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=str(table)) from None
    columns = [_name(name) for name in sheet.header]
    for needed in ("stage", "decision", "n"):
        if needed not in columns:
            message = "no such column; tallies need stage, decision, n and may have reason, source, document, locator"
            raise DataError(message, file=table.name, row=1, column=needed)
    notation = sheet.notation([columns.index("n")])
    made = [
        _tally(
            {name: " ".join(cell.split()) for name, cell in zip(columns, cells, strict=False)},
            at,
            notation,
            file=table.name,
            row=number,
        )
        for number, cells in sheet.rows
    ]
    held = {entry.what: entry.n for entry in read_log(folder) if isinstance(entry, Tally)}
    new = [tally for tally in made if held.get(tally.what) != tally.n]
    return append_log(folder, new)


def pair_records(folder: Path, one: str, other: str, link: str, *, reviewer: str, at: str) -> int:
    """1 where the log gained the statement that two records are one work, two works or one study; 0 where it had it."""
    seals = {record.record_id: record_seal(record) for record in read_search(folder).records}
    for name in (one, other):
        if name not in seals:
            near = get_close_matches(name, seals, n=1, cutoff=0.6)
            raise DataError(f"'{name}' is no record of the search" + (f"; nearest: '{near[0]}'" if near else ""))
    last = [e for e in read_log(folder) if isinstance(e, Pairing) and {e.record, e.other} == {one, other}]
    told = [e for e in last if (e.link == "study") == (link == "study")]
    if told and told[-1].link == link:
        return 0
    return append_log(folder, [Pairing(at, one, other, reviewer, link, seals[one], seals[other])])


def set_reviewers(folder: Path, reviewers: int, *, at: str) -> int:
    """How many settings the log gained: so many must decide on each record at title and abstract and at full text."""
    held = {e.stage: e.reviewers for e in read_log(folder) if isinstance(e, Setting)}
    stages = [stage for stage in STAGES if stage != "retrieval" and held.get(stage) != reviewers]
    return append_log(folder, [Setting(at, stage, reviewers) for stage in stages])


def _ordered(screening: Screening, queue: Sequence[str]) -> list[str]:
    """The queue, likeliest include first, as learned from what is settled at title and abstract; nothing is left out."""
    shown: dict[str, Record] = {}
    for record, work in zip(screening.duplicates.records, screening.duplicates.cluster_of, strict=True):
        if work not in shown or (record.abstract and not shown[work].abstract):
            shown[work] = record
    decided = {
        shown[work].record_id: outcome.verdict == "include"
        for work, outcome in screening.outcomes["title_abstract"].items()
        if outcome.verdict in ("include", "exclude")
    }
    wanted = {shown[work].record_id: work for work in queue}
    taught = [record for record in shown.values() if record.record_id in decided or record.record_id in wanted]
    return [wanted[name] for name in ordered_records(taught, decided)]


def screening_report(screening: Screening, *, reviewer: str | None = None, order: bool = False) -> dict[str, Any]:
    """The state of screening in JSON's own types; for one reviewer also what is left to decide.

    Decisions are listed for conflicts alone, where everyone who must decide has. With `order` the queue begins with the
    likeliest includes (scikit-learn); nothing is left out of it.
    """
    stages: dict[str, Any] = {}
    for stage in STAGES:
        outcomes = screening.outcomes[stage]
        verdicts = [outcome.verdict for outcome in outcomes.values()]
        stages[stage] = {
            "reviewers_needed": screening.required[stage],
            **{name: verdicts.count(name) for name in ("include", "exclude", "not_retrieved", "pending", "conflict")},
            "conflicts": [
                {
                    "record_id": work,
                    "decisions": [
                        {"reviewer": d.reviewer, "decision": d.decision, "reason": d.reason} for d in outcomes[work].by
                    ],
                }
                for work in screening.works(stage, "conflict")
            ],
            "kappa": [
                {
                    "reviewers": list(pair), "n": a.n, "agreed": a.agreed, "kappa": a.kappa, "lower": a.lower,
                    "upper": a.upper, "why": a.why,
                }
                for pair, a in screening.agreements(stage).items()
            ],
        }  # fmt: skip
        if reviewer is not None:
            queue = screening.queue(stage, reviewer)
            stages[stage]["queue"] = queue
            if order and stage == "title_abstract":
                stages[stage]["queue"] = _ordered(screening, queue)
    return {
        "records": len(screening.duplicates.records),
        "works": len(set(screening.duplicates.cluster_of)),
        "questions": [
            {"record_a": q.record_a, "record_b": q.record_b, "why": q.why} for q in screening.duplicates.questions
        ],
        "adrift": [getattr(entry, "record", "") for entry in screening.adrift],
        "counted_only": [
            {
                "stage": t.stage,
                "decision": t.decision,
                "reason": t.reason,
                "n": t.n,
                "document": t.document,
                "locator": t.locator,
            }
            for t in screening.tallies
        ],
        "stages": stages,
    }
