"""The report of a review: its parts put together, and written where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import metagrove
from metagrove.app.products import Product
from metagrove.core.errors import SpecError, UnknownName
from metagrove.report.document import Cell, Column, Report, Section, Table
from metagrove.review.folder import Review

__all__ = ["FORMATS", "product", "write_reports"]

#: The formats a report is written in.
FORMATS = ("html", "docx", "pdf")

_STUDY_COLUMNS = (
    ("study", "Study", "left"),
    ("design", "Design", "left"),
    ("period", "Years", "left"),
    ("drug", "Drug", "left"),
    ("dose", "Dose", "left"),
    ("median_age", "Median age", "right"),
    ("n_enrolled", "Enrolled", "right"),
    ("n_evaluable", "Evaluable", "right"),
    ("n_safety", "Safety", "right"),
    ("halted", "Halted", "left"),
)


def _age(row: Any) -> str:
    low, high = row.text("age_low"), row.text("age_high")
    return (
        f"{row.text('median_age')} ({low}–{high})"
        if row.text("median_age") and low and high
        else row.text("median_age")
    )


def _studies(review: Review) -> Table | None:
    rows = review.rows("studies")
    if not rows:
        return None
    shown = [c for c in _STUDY_COLUMNS if c[0] == "study" or any(row.text(c[0]) for row in rows)]
    body = []
    for row in rows:
        texts = {name: row.text(name) or "not reported" for name, _, _ in shown}
        texts["study"] = review.label(row.text("study"))
        texts["median_age"] = _age(row) or "not reported"
        if "halted" in texts:
            why = row.text("halt_reason")
            texts["halted"] = f"{row.text('halted')}: {why}" if row.text("halted") and why else texts["halted"]
        body.append(tuple(Cell(texts[name]) for name, _, _ in shown))
    columns = tuple(Column(label, align) for _, label, align in shown)  # type: ignore[arg-type]
    notes = ("Enrolled, evaluable and safety populations are different sets and are never put in each other's place.",)
    return Table("Included studies", columns, tuple(body), notes)


def _published(review: Review) -> tuple[tuple[str, str], ...]:
    source = review.spec.published
    if source is None:
        return ()
    doi = f" doi:{source.doi}" if source.doi else ""
    return (("Published review", (source.citation or source.document) + doi),)


def _assembled(review: Review, parts: Mapping[str, Product]) -> Report:
    sections = tuple(p.section for p in parts.values() if isinstance(p.section, Section))
    studies = _studies(review)
    if studies is not None:
        sections += (Section("review-studies", "Included studies", "characteristics", tables=(studies,)),)
    order = {"error": 0, "warning": 1, "note": 2}
    found = [finding for part in parts.values() for finding in part.carry.get("findings", ())]
    synthetic: tuple[str, ...] = ()
    if any(section.synthetic for section in sections):
        synthetic = (
            "The survival curves in this report were simulated so that they agree with printed medians and rates.",
            "They are not the trials' data; every section, figure and number that rests on them says so.",
        )
    return Report(
        title=review.spec.title,
        question=review.spec.question,
        authors=review.spec.authors,
        published=_published(review),
        sections=sections,
        findings=tuple(sorted(found, key=lambda finding: order[finding["severity"]])),
        files=tuple((table.file, table.digest) for table in review.tables.values()),
        version=metagrove.__version__,
        digest=review.digest,
        synthetic=synthetic,
    )


def _drawn(parts: Mapping[str, Product], ending: str) -> dict[str, bytes]:
    """Every figure of the parts by its name."""
    return {
        Path(name).stem: content
        for part in parts.values()
        for name, content in part.files.items()
        if name.startswith("figures/") and name.endswith(f".{ending}")
    }


def product(review: Review, parts: Mapping[str, Product], form: str = "html") -> Product:
    """The report of everything in `parts` as `form`: html, docx or pdf.

    Raises
    ------
    MethodError
        What the form needs is not installed.
    """
    report = _assembled(review, parts)
    if form == "docx":
        from metagrove.report.word import word_report

        content = word_report(report, _drawn(parts, "png"))
    elif form == "pdf":
        from metagrove.report.typeset import pdf_report

        content = pdf_report(report, _drawn(parts, "svg"))
    else:
        from metagrove.report.html import html_report

        content = html_report(report, {name: svg.decode() for name, svg in _drawn(parts, "svg").items()}).encode()
    return Product(files={f"report.{form}": content})


def write_reports(path: str | Path, formats: Sequence[str], *, progress: Any = None) -> list[Path]:
    """The absolute paths of the reports, after what is stale was made again.

    Raises
    ------
    UnknownName
        A format that is not in FORMATS.
    """
    from metagrove.app.workflow import rebuild

    wanted = [name.strip().lower() for name in formats if name.strip()]
    for name in wanted:
        if name not in FORMATS:
            raise UnknownName("report format", name, FORMATS)
    if not wanted:
        raise SpecError("no report format given; write --format html")
    made = rebuild(path, formats=wanted, progress=progress)
    return [made.report.with_suffix(f".{name}") for name in wanted]
