"""Screening in a review folder: its search read, decisions taken into the log, its state and its flow."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from metagrove.app.records import import_files
from metagrove.core.errors import DataError
from metagrove.review.flow import flow_boxes, flow_faults
from metagrove.review.log import LOG, Decision, Entry, Export, Pairing, Setting, append_log, read_log
from metagrove.review.records.reading import Import
from metagrove.review.screened_flow import screened_flow
from metagrove.review.screening import STAGES, Screening, fold_screening, record_seal
from metagrove.review.storage import write_atomically
from metagrove.review.tables import read_rows

__all__ = [
    "Flow",
    "drawn_flow",
    "flow_of_folder",
    "flow_table",
    "import_decisions",
    "pair_records",
    "read_search",
    "screening_of",
    "screening_report",
    "set_reviewers",
    "write_flow",
]  # fmt: skip

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
_NO_EXPORT = (".md", ".toml", ".jsonl", ".log", ".sha256")


def _exports(folder: Path) -> list[Path]:
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
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in _exports(folder)
    }


def _changed(folder: Path, entries: Sequence[Entry]) -> dict[str, str]:
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
    files = _exports(folder)
    if not files:
        raise DataError("no exports in search/; put the files of your databases there", file=str(folder))
    return import_files(files)


def screening_of(folder: Path) -> Screening:
    """The state of screening of a folder."""
    return fold_screening(read_search(folder).records, read_log(folder))


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
    seen = [Export(at, file, digest) for file, digest in _changed(folder, entries).items()]
    new = _new(made, entries)
    append_log(folder, [*seen, *new])
    return len(new)


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


def screening_report(screening: Screening, *, reviewer: str | None = None) -> dict[str, Any]:
    """The state of screening in JSON's own types; for one reviewer also what is left to decide.

    Decisions are listed for conflicts alone, where everyone who must decide has.
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
            stages[stage]["queue"] = screening.queue(stage, reviewer)
    return {
        "records": len(screening.duplicates.records),
        "works": len(set(screening.duplicates.cluster_of)),
        "questions": [
            {"record_a": q.record_a, "record_b": q.record_b, "why": q.why} for q in screening.duplicates.questions
        ],
        "adrift": [getattr(entry, "record", "") for entry in screening.adrift],
        "stages": stages,
    }


@dataclass(frozen=True, slots=True)
class Flow:
    """The boxes of the flow, whether they were computed or typed, and remarks a person should see."""

    boxes: Mapping[str, Any]
    computed: bool
    remarks: tuple[str, ...] = ()


def _typed(folder: Path) -> dict[str, Any] | None:
    """The boxes of flow.csv; None where there is no such file."""
    from metagrove.review.columns import TABLES
    from metagrove.review.tables import parse_table

    path = folder / "flow.csv"
    if not path.is_file():
        return None
    table = parse_table(TABLES["flow"], path.read_bytes())
    if table.faults:
        raise table.faults[0]
    faults = flow_faults(table.rows)
    if faults:
        raise DataError(faults[0].message, file=faults[0].where)
    return {
        box: reasons[""] if set(reasons) == {""} else dict(reasons) for box, reasons in flow_boxes(table.rows).items()
    }


def _sum(value: Any) -> int:
    return sum(value.values()) if isinstance(value, Mapping) else value


def flow_of_folder(folder: Path) -> Flow:
    """The flow of a folder: computed where there is a screening log, else as typed in flow.csv.

    Raises
    ------
    DataError
        The numbers do not close; names the records, or the rows of flow.csv.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", file=str(folder))
    typed = _typed(folder)
    if not (folder / LOG).is_file():
        if typed is None:
            raise DataError(
                f"neither {LOG} nor flow.csv; 'metagrove screen DIR --import CSV' starts the log", file=str(folder)
            )
        return Flow(typed, computed=False)
    screening = screening_of(folder)
    boxes = screened_flow(screening)
    remarks = [
        f"{file} has {'changed' if digest else 'gone'} since decisions were last taken in"
        for file, digest in _changed(folder, read_log(folder)).items()
    ]
    if screening.duplicates.questions:
        remarks.append(f"{len(screening.duplicates.questions)} pairs may be duplicates and wait for an answer")
    for box, value in (typed or {}).items():
        if box in boxes and box != "included" and _sum(boxes[box]) != _sum(value):
            remarks.append(f"flow.csv says {box} {_sum(value)}; the decisions give {_sum(boxes[box])}")
    return Flow(boxes, computed=True, remarks=tuple(remarks))


def drawn_flow(flow: Flow, ending: str) -> bytes:
    """The PRISMA 2020 diagram as svg, pdf or png."""
    from metagrove.plots.flow import flow as prisma_flow

    drawing = prisma_flow(dict(flow.boxes))
    makers = {"svg": drawing.svg, "pdf": drawing.pdf, "png": drawing.png}
    if ending not in makers:
        raise DataError(f"the diagram can be drawn as svg, pdf or png, not '{ending}'")
    return makers[ending]()


def write_flow(flow: Flow, path: Path) -> None:
    """The diagram written to `path`; its ending says the form."""
    write_atomically(path, drawn_flow(flow, path.suffix.lower().lstrip(".")))


def flow_table(flow: Flow) -> str:
    """The boxes as CSV text: box, label, n."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["box", "label", "n"])
    for box, value in flow.boxes.items():
        for label, n in value.items() if isinstance(value, Mapping) else [("", value)]:
            writer.writerow([box, label, n])
    return stream.getvalue()
