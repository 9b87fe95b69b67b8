"""Records for other programs: RIS for Zotero and Covidence, CSV for Rayyan, decisions nowhere hidden in notes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from metagrove.core.errors import UnknownName
from metagrove.review.records.reading import Record

__all__ = ["EXPORTS", "rayyan_csv", "ris_text", "written_records"]

_TYPES = {
    "article": "JOUR",
    "conference": "CONF",
    "review": "JOUR",
    "trial": "DBASE",
    "book": "BOOK",
    "preprint": "UNPB",
}
_RAYYAN = (
    "key", "title", "year", "month", "day", "journal", "issn", "volume", "issue", "pages", "authors", "url", "language",
    "publisher", "location", "abstract", "notes", "doi", "keywords", "pubmed_id",
)  # fmt: skip


def _line(text: str) -> str:
    return " ".join(text.split())


def ris_text(records: Sequence[Record]) -> str:
    """The records as RIS with the tags that Zotero, EndNote and Covidence share; lines end in CRLF.

    Covidence refuses records whose issue or pages it cannot read; what is empty is left out.
    """
    lines: list[str] = []
    for record in records:
        lines.append(f"TY  - {_TYPES.get(record.kind, 'JOUR')}")
        lines += [f"AU  - {_line(author)}" for author in record.authors]
        pairs = (
            ("TI", record.title), ("T2", record.journal), ("J2", record.journal_abbreviation),
            ("PY", str(record.year or "")), ("VL", record.volume), ("IS", record.issue), ("SP", record.first_page),
            ("EP", record.last_page), ("DO", record.doi), ("LA", record.language), ("AB", record.abstract),
        )  # fmt: skip
        lines += [f"{tag}  - {_line(text)}" for tag, text in pairs if text]
        lines += [f"KW  - {_line(word)}" for word in record.keywords]
        if record.pmid:
            lines += [f"AN  - {record.pmid}", "DB  - PubMed"]
        elif record.accession:
            lines.append(f"AN  - {record.accession}")
        lines += [f"ID  - {record.record_id}", "ER  - ", ""]
    return "\r\n".join(lines)


def _safe(text: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def rayyan_csv(records: Sequence[Record]) -> str:
    """The records under the column names that Rayyan imports; one row each, cells safe in a spreadsheet."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(_RAYYAN)
    for record in records:
        pages = "-".join(page for page in (record.first_page, record.last_page) if page)
        cells = (
            record.record_id, record.title, str(record.year or ""), "", "", record.journal, "", record.volume, record.issue,
            pages, " and ".join(record.authors), record.url, record.language, "", "", record.abstract, "", record.doi,
            "; ".join(record.keywords), record.pmid,
        )  # fmt: skip
        writer.writerow([_safe(_line(cell)) for cell in cells])
    return stream.getvalue()


#: Programs that take our records, and how they are written for each.
EXPORTS: Mapping[str, Callable[[Sequence[Record]], str]] = MappingProxyType(
    {"zotero": ris_text, "covidence": ris_text, "endnote": ris_text, "rayyan": rayyan_csv}
)


def written_records(records: Sequence[Record], program: str) -> bytes:
    """The records in the form that a program imports; UTF-8."""
    if program not in EXPORTS:
        raise UnknownName("program to export records to", program, EXPORTS)
    return EXPORTS[program](records).encode()
