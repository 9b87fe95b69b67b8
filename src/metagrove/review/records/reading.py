"""Bibliographic records as values: what a database export said, and where in which file it said so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["RECORD_COLUMNS", "Import", "Notice", "Record", "Refusal", "joined_imports", "record_row"]

#: The columns of `records.csv` after `record_id` and `cluster_id`.
RECORD_COLUMNS = (
    "title", "authors", "year", "journal", "volume", "issue", "first_page", "last_page", "doi", "pmid",
    "type", "language", "registration", "accession", "database", "journal_abbreviation", "file", "position", "line",
    "abstract", "keywords", "url",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an export, its fields normalised; empty text (and None for the year) where it says nothing.

    `record_id` is the input's own or `file:position`; `position` counts the records of the file from 1, refused ones
    too; `line` is where the record begins. `authors` are `Family, Given`; `doi` is bare and in lower case; pages are
    in full (975-80 gives 975 and 980); `kind` is one of article, conference, review, trial, erratum, comment, book,
    preprint, other; `other_ids` are identifiers of the sources beside DOI and PMID, as `scheme:value`.
    """

    record_id: str
    file: str
    position: int
    line: int
    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    journal: str = ""
    journal_abbreviation: str = ""
    volume: str = ""
    issue: str = ""
    first_page: str = ""
    last_page: str = ""
    doi: str = ""
    pmid: str = ""
    kind: str = "article"
    language: str = ""
    registration: str = ""
    accession: str = ""
    database: str = ""
    abstract: str = ""
    keywords: tuple[str, ...] = ()
    url: str = ""
    other_ids: tuple[str, ...] = ()

    @property
    def first_author(self) -> str:
        """The family name of the first author; empty where there is none."""
        return self.authors[0].split(",")[0] if self.authors else ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record, or a whole file, that could not be read: where, and why."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something odd in a record that was read all the same."""

    file: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Import:
    """What came out of one or several exports: `len(records)` read, the rest refused, nothing lost without a line."""

    records: tuple[Record, ...]
    refused: tuple[Refusal, ...] = ()
    warnings: tuple[Notice, ...] = ()

    def report(self) -> dict[str, Any]:
        """`{read, refused: [{file, line, reason}], warnings: [{file, line, message}]}`."""
        return {
            "read": len(self.records),
            "refused": [{"file": r.file, "line": r.line, "reason": r.reason} for r in self.refused],
            "warnings": [{"file": w.file, "line": w.line, "message": w.message} for w in self.warnings],
        }


def joined_imports(imports: Iterable[Import]) -> Import:
    """Several imports as one, in their order."""
    parts = list(imports)
    return Import(
        tuple(record for part in parts for record in part.records),
        tuple(refusal for part in parts for refusal in part.refused),
        tuple(notice for part in parts for notice in part.warnings),
    )


def record_row(record: Record) -> Sequence[Any]:
    """The record's cells under `RECORD_COLUMNS`; lists are joined with `; `."""
    return (
        record.title, "; ".join(record.authors), record.year, record.journal or record.journal_abbreviation,
        record.volume, record.issue, record.first_page, record.last_page, record.doi, record.pmid, record.kind,
        record.language, record.registration, record.accession, record.database, record.journal_abbreviation,
        record.file, record.position, record.line, record.abstract, "; ".join(record.keywords), record.url,
    )  # fmt: skip
