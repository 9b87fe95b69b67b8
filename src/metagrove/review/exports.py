"""Records for other programs: RIS for Zotero and Covidence, CSV for Rayyan, decisions nowhere hidden in notes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from metagrove.core.errors import UnknownName
from metagrove.review.records.reading import RECORD_COLUMNS, Record, record_row

__all__ = ["EXPORTS", "bibtex_text", "rayyan_csv", "records_csv", "ris_text", "written_records"]

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


_BIBTEX_TYPES = {"article": "article", "review": "article", "book": "book", "conference": "inproceedings"}


def _braced(text: str) -> str:
    """The text inside braces: braces that do not close are dropped, signs that TeX would act on are escaped."""
    plain = _line(text).replace("\\", "").replace("{", "").replace("}", "")
    for sign in "&%$#_":
        plain = plain.replace(sign, f"\\{sign}")
    return plain


def _key(record: Record, taken: set[str]) -> str:
    family = "".join(letter for letter in record.first_author if letter.isascii() and letter.isalnum()) or "Anon"
    key, number = f"{family}{record.year or ''}", 1
    while key in taken:
        number += 1
        key = f"{family}{record.year or ''}-{number}"
    taken.add(key)
    return key


def bibtex_text(records: Sequence[Record]) -> str:
    """The records as BibTeX in UTF-8, each under a key of its own made of first author and year."""
    taken: set[str] = set()
    entries = []
    for record in records:
        pages = "--".join(page for page in (record.first_page, record.last_page) if page)
        kind = _BIBTEX_TYPES.get(record.kind, "misc")
        place = "booktitle" if kind == "inproceedings" else "journal"
        pairs = (
            ("author", " and ".join(record.authors)), ("title", record.title), (place, record.journal),
            ("year", str(record.year or "")), ("volume", record.volume), ("number", record.issue), ("pages", pages),
            ("doi", record.doi), ("pmid", record.pmid), ("url", record.url), ("language", record.language),
            ("keywords", ", ".join(record.keywords)), ("abstract", record.abstract), ("note", record.record_id),
        )  # fmt: skip
        lines = [f"  {name} = {{{text if name in ('doi', 'url') else _braced(text)}}}" for name, text in pairs if text]
        entries.append(f"@{kind}{{{_key(record, taken)},\n" + ",\n".join(lines) + "\n}\n")
    return "\n".join(entries)


def records_csv(records: Sequence[Record]) -> str:
    """The records under our own column names; one row each, cells safe in a spreadsheet."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("record_id", *RECORD_COLUMNS))
    for record in records:
        cells = (record.record_id, *record_row(record))
        writer.writerow([_safe(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in cells])
    return stream.getvalue()


#: Programs that take our records, and how they are written for each.
EXPORTS: Mapping[str, Callable[[Sequence[Record]], str]] = MappingProxyType(
    {
        "ris": ris_text, "csv": records_csv, "bibtex": bibtex_text, "zotero": ris_text, "covidence": ris_text,
        "endnote": ris_text, "rayyan": rayyan_csv,
    }
)  # fmt: skip


def written_records(records: Sequence[Record], program: str) -> bytes:
    """The records in the form that a program imports; UTF-8."""
    if program not in EXPORTS:
        raise UnknownName("program to export records to", program, EXPORTS)
    return EXPORTS[program](records).encode()
