"""How the studies were selected: the flow, who screened and how well they agreed, what was excluded and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metagrove.app.flow import Flow, databases_of, drawn_flow, flow_remarks, typed_boxes
from metagrove.app.products import Product, csv_bytes, row_material
from metagrove.app.screening import screening_of, search_exports
from metagrove.core.errors import DataError
from metagrove.report.document import Cell, Column, Figure, Section, Table
from metagrove.review.duplicates.clusters import merged_record
from metagrove.review.findings import Finding
from metagrove.review.flow import flow_boxes, flow_faults
from metagrove.review.folder import Review
from metagrove.review.inclusion import Inclusion, included_studies
from metagrove.review.log import LOG, Decision, Tally
from metagrove.review.records.reading import Record
from metagrove.review.screened_flow import screened_flow
from metagrove.review.screening import Screening
from metagrove.review.storage import digest_of

__all__ = ["material", "product", "selection_findings"]

_PRISMA = (
    "Page MJ, McKenzie JE, Bossuyt PM, et al. The PRISMA 2020 statement: an updated guideline for reporting systematic "
    "reviews. BMJ 2021;372:n71. doi:10.1136/bmj.n71"
)
_COHEN = "Cohen J. A coefficient of agreement for nominal scales. Educ Psychol Meas 1960;20:37-46. doi:10.1177/001316446002000104"
_CAPTION = "PRISMA 2020 flow diagram of the records, from identification to inclusion."
_STAGES = {"title_abstract": "Title and abstract", "retrieval": "Retrieval", "full_text": "Full text"}
#: So many excluded reports are listed in the report; the table in out/ has them all.
_LISTED = 60


def material(review: Review) -> list[Any]:
    """All that the selection depends on: the exports, the log, flow.csv, and the columns that name studies and records."""
    told = ("study", "label", "year", "record", "doi")
    rows = [[row.number, [row.text(name) for name in told]] for row in review.rows("studies")]
    log = review.path / LOG
    files = [log, *search_exports(review.path)] if log.is_file() else []
    read = [(path.relative_to(review.path).as_posix(), digest_of(path.read_bytes())) for path in files]
    return [row_material(review.rows("flow")), rows, read, review.spec.search.files]


def product(review: Review) -> Product:
    """The diagram, the section and the findings, from the decisions, or from flow.csv where there is no log."""
    if not (review.path / LOG).is_file():
        faults = flow_faults(review.rows("flow"))
        if faults:
            return _section(review, None, Flow({}, computed=False), " ".join(fault.message for fault in faults))
        boxes = {box: _lines(dict(reasons)) for box, reasons in flow_boxes(review.rows("flow")).items()}
        return _section(review, None, Flow(boxes, computed=False), "")
    screening, flow, problem = _screened(review)
    return _section(review, screening, flow, problem)


def selection_findings(review: Review) -> list[Finding]:
    """What does not fit between the log, the exports, flow.csv and studies.csv; nothing where there is no log."""
    if not (review.path / LOG).is_file():
        return []
    screening, flow, problem = _screened(review)
    if screening is None:
        return [Finding("flow-open", "warning", "", LOG, problem, "a search and a log that can be read", problem)]
    return _findings(screening, _inclusion(review, screening), flow, problem)


def _screened(review: Review) -> tuple[Screening | None, Flow, str]:
    """The state of screening, its flow, and why there is no flow; no state where the log or the search cannot be read."""
    screening = None
    try:
        screening = screening_of(review.path)
        boxes = screened_flow(screening, databases_of(review.path))
        remarks = flow_remarks(review.path, screening, boxes, typed_boxes(review.path))
    except DataError as error:
        return screening, Flow({}, computed=True), str(error)
    return screening, Flow(boxes, computed=True, remarks=remarks), ""


def _lines(reasons: dict[str, int]) -> dict[str, int] | int:
    """A box's lines; one number where it has no reasons."""
    return reasons[""] if set(reasons) == {""} else reasons


def _section(review: Review, screening: Screening | None, flow: Flow, problem: str) -> Product:
    files: dict[str, bytes] = {}
    if not problem:
        files = {f"figures/flow.{ending}": drawn_flow(flow, ending) for ending in ("svg", "pdf", "png")}
    tables: list[Table] = []
    carry: dict[str, Any] = {"boxes": dict(flow.boxes), "included": [], "findings": []}
    if problem:
        carry["problem"] = problem
    sentences, references = [_from_decisions(flow, screening)], [_PRISMA]
    cautions = [problem] if problem else []
    if screening is not None:
        inclusion = _inclusion(review, screening)
        carry["included"] = _included(inclusion)
        carry["findings"] = [finding.row() for finding in _findings(screening, inclusion, flow, problem)]
        tables = [
            table for table in (_stages(screening), _reports(screening), _counted(screening)) if table is not None
        ]
        files["tables/excluded_reports.csv"] = _excluded_file(screening)
        sentences += _agreement(screening)
        references += [_COHEN] if screening.decisions and any(screening.agreements(stage) for stage in _STAGES) else []
        cautions += _cautions(screening, flow)
    section = Section(
        name="review-selection",
        title="Study selection",
        kind="selection",
        headline=_headline(flow),
        methods=" ".join(sentences),
        references=tuple(references),
        tables=tuple(tables),
        figures=() if problem else (Figure("flow", _CAPTION),),
        cautions=tuple(cautions),
    )
    return Product(section, files, carry)


def _total(value: Any) -> int:
    return sum(value.values()) if isinstance(value, Mapping) else int(value)


def _headline(flow: Flow) -> tuple[str, ...]:
    boxes = flow.boxes
    if not boxes or not {"identified", "screened", "included"} <= boxes.keys():
        return ()
    included = boxes["included"]
    studies = included["studies"] if isinstance(included, Mapping) and "studies" in included else _total(included)
    parts = [f"{_total(boxes['identified'])} records identified"]
    if "removed_before" in boxes:
        parts.append(f"{_total(boxes['removed_before'])} removed before screening")
    parts.append(f"{_total(boxes['screened'])} screened")
    if "assessed" in boxes:
        parts.append(f"{_total(boxes['assessed'])} reports assessed")
    return (f"{', '.join(parts)}, {studies} {'study' if studies == 1 else 'studies'} included.",)


def _from_decisions(flow: Flow, screening: Screening | None) -> str:
    if not flow.computed:
        return "The numbers of the flow are those of flow.csv, whose sums were checked."
    told = "The numbers of the flow were counted from the records and the decisions on them, and its sums were checked."
    if screening is None or not screening.duplicates.records:
        return told
    rules = (
        "Duplicate records were found by explained rules on title, authors, year, place in print and identifiers; "
        "what the rules left open was asked."
    )
    return f"{rules} {told}"


def _reviewers(decisions: Iterable[Decision], stage: str) -> list[str]:
    return list(dict.fromkeys(d.reviewer for d in decisions if d.stage == stage))


def _agreement(screening: Screening) -> list[str]:
    said = []
    for stage, name in _STAGES.items():
        needed = screening.required[stage]
        if needed > 1:
            said.append(f"{name}: each record was judged by {needed} reviewers, blinded until all had decided.")
        for (one, other), found in screening.agreements(stage).items():
            if found.kappa is not None:
                said.append(
                    f"{one} and {other} agreed on {found.agreed:.0%} of {found.n} "
                    f"(kappa {found.kappa:.2f}, 95% CI {found.lower:.2f} to {found.upper:.2f})."
                )
    return said


def _cautions(screening: Screening, flow: Flow) -> list[str]:
    said = [f"{remark[0].upper()}{remark[1:]}." for remark in flow.remarks]
    counted = sum(tally.n for tally in screening.tallies)
    if counted:
        total = counted + len(screening.duplicates.records)
        documents = ", ".join(dict.fromkeys(t.document for t in screening.tallies if t.document))
        said.append(
            f"{counted} of the {total} records are known by their number alone{f' ({documents})' if documents else ''}: "
            "their titles, their databases one by one and the decisions on each are not in this folder and cannot be checked."
        )
    return said


def _stages(screening: Screening) -> Table | None:
    rows = []
    for stage, name in _STAGES.items():
        outcomes = [outcome.verdict for outcome in screening.outcomes[stage].values()]
        if not outcomes:
            continue
        counts = [str(outcomes.count(v)) for v in ("include", "exclude", "not_retrieved", "pending", "conflict")]
        people = ", ".join(_reviewers(screening.decisions, stage)) or "nobody"
        rows.append(tuple(Cell(text) for text in (name, *counts, people)))
    if not rows:
        return None
    heads = ("Included", "Excluded", "Not retrieved", "Open", "In conflict")
    columns = (Column("Stage"), *(Column(head, "right") for head in heads), Column("Decided by"))
    return Table("Screening, works known one by one", columns, tuple(rows))


def _best(screening: Screening) -> dict[str, Record]:
    return {work: merged_record(group)[0] for work, group in screening.duplicates.works.items()}


def _cited(record: Record) -> str:
    authors = record.first_author + (" et al." if len(record.authors) > 1 else "")
    place = f"{record.journal} {record.year or ''}".strip()
    print_ = f"{record.volume}:{record.first_page}".strip(":") if record.volume or record.first_page else ""
    return ". ".join(
        part
        for part in (authors.rstrip("."), record.title.rstrip("."), ";".join(p for p in (place, print_) if p))
        if part
    )


def _reports(screening: Screening) -> Table | None:
    """The reports excluded at full text, each with its reason; many of one reason are told by their number."""
    gone = screening.works("full_text", "exclude")
    if not gone:
        return None
    best = _best(screening)
    shown = gone[:_LISTED]
    rows = tuple(
        (Cell(_cited(best[work])), Cell(screening.outcomes["full_text"][work].reason), Cell(work)) for work in shown
    )
    notes = (f"{len(gone) - _LISTED} more stand in out/tables/excluded_reports.csv.",) if len(gone) > _LISTED else ()
    return Table("Reports excluded at full text", (Column("Report"), Column("Reason"), Column("Record")), rows, notes)


def _counted(screening: Screening) -> Table | None:
    if not screening.tallies:
        return None
    rows = tuple(
        tuple(
            Cell(text) for text in (_STAGES.get(t.stage, "Identification"), _word(t), str(t.n), t.document, t.locator)
        )
        for t in screening.tallies
    )
    columns = (Column("Stage"), Column("Left for"), Column("Records", "right"), Column("Document"), Column("Place"))
    return Table("Records known by their number alone", columns, rows)


def _word(tally: Tally) -> str:
    words = {
        "duplicate": "duplicate record", "ineligible": "automation tool", "removed": "other reason",
        "not_retrieved": "not retrieved", "include": "included",
    }  # fmt: skip
    return tally.reason or words.get(
        tally.decision, "not relevant" if tally.stage == "title_abstract" else tally.decision
    )


def _excluded_file(screening: Screening) -> bytes:
    best = _best(screening)
    rows = [
        [work, best[work].title, best[work].first_author, best[work].year, best[work].doi, screening.outcomes["full_text"][work].reason]
        for work in screening.works("full_text", "exclude")
    ]  # fmt: skip
    return csv_bytes(["record_id", "title", "first_author", "year", "doi", "reason"], rows)


def _inclusion(review: Review, screening: Screening) -> Inclusion:
    works = screening.duplicates.works
    included = screening.works("full_text", "include")
    groups: list[Sequence[Record]] = [(merged_record(works[work])[0], *works[work]) for work in included]
    return included_studies(groups, review.rows("studies"))


def _included(inclusion: Inclusion) -> list[dict[str, Any]]:
    """The included works as the search section needs them."""
    found = [(study, record) for study, records in inclusion.works.items() for record in records]
    return [
        {
            "study": study, "record": record.record_id, "cited": _cited(record), "abstract": bool(record.abstract),
            "text": " ".join((record.title, record.abstract, " ".join(record.keywords))),
        }
        for study, record in [*found, *(("", record) for record in inclusion.strangers)]
    ]  # fmt: skip


def _findings(screening: Screening, inclusion: Inclusion, flow: Flow, problem: str) -> list[Finding]:
    found = []
    if problem:
        found.append(Finding("flow-open", "warning", "", LOG, problem, "a decision on every record", problem))
    if screening.works("full_text", "include"):
        for record in inclusion.strangers:
            message = (
                f"{_cited(record)} was included and no row of studies.csv fits it; name it in the column 'record'."
            )
            found.append(Finding("included-without-study", "warning", "", record.record_id, record.title, "a row of studies.csv", message))  # fmt: skip
        for study in inclusion.bare if not any(t.decision == "include" for t in screening.tallies) else ():
            message = f"{study}: studies.csv has it, but no included record fits it."
            found.append(Finding("study-without-record", "warning", study, "studies.csv", study, "an included record", message))  # fmt: skip
    found += [
        Finding("flow-differs", "warning", "", LOG, remark, "one number", f"{remark[0].upper()}{remark[1:]}.")
        for remark in flow.remarks
    ]
    return found
