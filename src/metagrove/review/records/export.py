"""Any database export: its format is told from its content, never from its name."""

from __future__ import annotations

import re

from metagrove.review.records.bibtex import read_bibtex
from metagrove.review.records.csv import looks_like_table, read_table
from metagrove.review.records.fields import record_from
from metagrove.review.records.reading import Import, Record, Refusal
from metagrove.review.records.ris import looks_like_ris, read_ris
from metagrove.review.records.tagged import (
    looks_like_ciw,
    looks_like_enw,
    looks_like_medline,
    read_ciw,
    read_enw,
    read_medline,
)
from metagrove.review.records.text import Entry, Reading, export_text, lines_of
from metagrove.review.records.xml import read_xml

__all__ = ["read_export"]

_BINARY = (
    (b"PK\x03\x04", "a workbook or archive, not text; save it as 'CSV UTF-8' or export RIS"),
    (b"%PDF", "a PDF, not a citation file"),
    (b"{\\rtf", "rich text, not a citation file; export RIS instead"),
    (b"\xd0\xcf\x11\xe0", "an old Office file; save it as 'CSV UTF-8' or export RIS"),
    (b"\x1f\x8b", "a compressed file; unpack it first"),
)
_IDENTIFYING = ("record_id", "title", "original_title", "doi", "pmid", "accession", "registration")


def _read_into(content: bytes, reading: Reading) -> None:
    """Find the format and read it; a file that is none is refused as a whole."""
    for head, reason in _BINARY:
        if content.startswith(head):
            reading.refuse(1, reason)
            return
    text = export_text(content, reading)
    start = text.lstrip()[:2000]
    if not start:
        reading.refuse(1, "no records found: the file is empty")
        return
    if re.match(r"(?i)<!doctype html|<html|<head|<body", start):
        reading.refuse(1, "not a citation file but an HTML page (a log-in or error page?); no records found")
        return
    if start.startswith("<"):
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        read_xml(content if wide else content[content.find(b"<") :], reading)
        return
    lines = lines_of(text)
    if re.search(r"(?m)^[ \t]*@\w+\s*[{(]", text) and not looks_like_ris(lines):
        read_bibtex(text, reading)
    elif looks_like_table(lines[:40]) and not looks_like_ris(lines[:40]):
        read_table(text, reading)
    elif looks_like_ris(lines):
        read_ris(text, reading)
    elif looks_like_medline(lines):
        read_medline(text, reading)
    elif looks_like_ciw(lines):
        read_ciw(text, reading)
    elif looks_like_enw(lines):
        read_enw(text, reading)
    else:
        reading.refuse(
            1, "not a citation file: no RIS, MEDLINE, Web of Science, EndNote, BibTeX or table was recognised"
        )


def _identifies(entry: Entry) -> bool:
    fields = entry.fields
    return any(fields.get(name) for name in _IDENTIFYING) or (
        bool(fields.get("authors")) and bool(fields.get("year") or fields.get("journal"))
    )


def _remarks(record: Record, reading: Reading) -> None:
    if not record.title:
        reading.warn(record.line, "the record has no title")
    if record.other_ids and record.other_ids[0].startswith("doi:"):
        reading.warn(record.line, f"two DOIs, {record.doi} and {record.other_ids[0][4:]}; the first was kept")


def read_export(content: bytes, file: str) -> Import:
    r"""The records of one export of any kind.

    Parameters
    ----------
    content : the bytes of the file. RIS, MEDLINE, PubMed XML, Web of Science, EndNote XML and tagged, BibTeX, and
        delimited tables are recognised by what they contain, in any encoding.
    file : the file's name, for `record_id`, refusals and warnings.

    Examples
    --------
    >>> read_export(b"TY  - JOUR\nTI  - Lenvatinib\nSP  - 975-80\nER  - ", "a.ris").records[0].last_page
    '980'
    >>> read_export(b"", "a.ris").refused[0].reason
    'no records found: the file is empty'
    """
    reading = Reading(file)
    _read_into(content, reading)
    if not reading.entries:
        reading.refuse(1, "no records found")
    records: list[Record] = []
    refused: list[Refusal] = []
    for position, entry in enumerate(reading.entries, 1):
        if isinstance(entry, Refusal):
            refused.append(entry)
        elif not _identifies(entry):
            refused.append(Refusal(file, entry.line, "a record without title, identifier or authors"))
        else:
            records.append(record_from(entry, file, position))
            _remarks(records[-1], reading)
    return Import(tuple(records), tuple(refused), tuple(reading.warnings))
