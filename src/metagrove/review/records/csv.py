"""Delimited tables in the vendors' flavours: preambles, semicolons, tabs, quoted line breaks."""

from __future__ import annotations

import csv
import io
import re

from metagrove.core.errors import DataError
from metagrove.review.records.text import Entry, Reading
from metagrove.review.tables import read_rows

__all__ = ["answer_rows", "looks_like_table", "read_table"]

_NAMES = {
    "record_id": "record_id|recordid|record id",
    "title": "title|article title|document title|ti|primary title|titles|titre|titel",
    "original_title": "original title",
    "authors": "authors|author|author names|author(s)|au|author full names|creators|autoren",
    "year": "year|publication year|py|pubyear|pub year|year of publication|jahr",
    "date": "date|publication date|date of publication|create date|early access date",
    "journal": "journal|source title|journal/book|publication title|journal title|secondary title|journal name|source|so|zeitschrift",
    "journal_abbreviation": "abbreviated source title|journal abbreviation|journal abbr|iso abbreviation",
    "volume": "volume|vol|vl|band",
    "issue": "issue|number|is|no|heft",
    "pages": "pages|page|pagination|pg|page range|seiten",
    "start": "first page|page start|start page|sp|first_page|beginning page",
    "end": "last page|page end|end page|ep|last_page|ending page",
    "article_number": "art. no.|article number|article no",
    "doi": "doi|di|digital object identifier",
    "pmid": "pmid|pubmed id|medline pmid|pubmed_id|pubmedid",
    "kind": "publication type|document type|type|type of work|item type|publication_type|kind",
    "language": "language|article language|language of original document",
    "abstract": "abstract|ab|abstract note|notes abstract",
    "keywords": "keywords|author keywords|manual tags|subject",
    "accession": "accession|accession number|eid|ut (unique wos id)|embase accession id|pui|central id|an|unique id",
    "registration": "ctgov id|registration|trial registration|nct number",
    "database": "database|database name|source database|db|source file",
    "url": "url|link|urls",
    "ids": "embase id|ictrp id|cinahl id|pmcid",
}  # fmt: skip
_BY_NAME = {synonym: name for name, synonyms in _NAMES.items() for synonym in synonyms.split("|")}


def _ours(header: str) -> str | None:
    return _BY_NAME.get(" ".join(header.strip().strip('"').lower().replace("_", " ").split())) or _BY_NAME.get(
        header.strip().lower()
    )


def _header_place(lines: list[str]) -> tuple[int, str] | None:
    """The line of the header row and its delimiter: the first with a title column and another known one."""
    for number, line in enumerate(lines[:40]):
        for delimiter in (",", ";", "\t", "|"):
            if delimiter not in line:
                continue
            names = [_ours(cell) for cell in next(csv.reader([line], delimiter=delimiter), [])]
            if "title" in names and len({name for name in names if name}) >= 2:
                return number, delimiter
    return None


def looks_like_table(lines: list[str]) -> bool:
    """Whether one of the first lines is a header with a title column."""
    return _header_place(lines) is not None


def _columns(header: list[str]) -> list[str | None]:
    """Our field for each column; each field once, and the fuller name wins where two mean the same."""
    columns: list[str | None] = []
    for cell in header:
        name = _ours(cell)
        if name in columns:
            if name in ("ids", "accession"):
                name = "ids"
            elif name in ("journal",) and cell.strip().lower() in ("source title", "publication title", "journal"):
                columns[columns.index(name)] = None
            else:
                name = None
        columns.append(name)
    return columns


def _cell(text: str) -> str:
    """The text of a cell; the quote that makes a cell safe for a spreadsheet is taken off again."""
    return text[1:] if re.match(r"'[=+\-@\t\r]", text) else text


def read_table(text: str, reading: Reading) -> None:
    """The rows of a delimited export as entries; a row that is too wide to be meant is refused."""
    lines = text.splitlines()
    place = _header_place(lines)
    if place is None:
        reading.refuse(1, "no header row with a title column")
        return
    first, delimiter = place
    body = "\n".join(re.split("\r\n|\n|\r", text)[first:])
    csv.field_size_limit(10_000_000)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
    header = next(reader)
    columns = _columns(header)
    begun = reader.line_num
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            reading.refuse(first + begun + 1, f"the table breaks here: {error}")
            break
        line, begun = first + begun + 1, reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            reading.refuse(line, f"{len(cells)} cells under {len(columns)} columns; is a delimiter unquoted?")
            continue
        entry = Entry(line)
        for name, cell in zip(columns, cells, strict=False):
            if name:
                entry.add(name, _cell(cell))
        reading.entries.append(entry)
    if body.count('"') % 2 and reading.entries:
        # The reader takes all that follows for one cell: say so instead of giving it out for a record.
        swallowed = reading.entries.pop()
        reading.refuse(
            swallowed.line, "a quotation mark opens in this row and never closes; it and what follows were not read"
        )


def answer_rows(content: bytes, file: str) -> list[tuple[str, str, bool]]:
    """A person's answers to the questions on duplicates: two record ids, and whether they are one work.

    A row whose `same` is empty is not answered yet and left out.

    Raises
    ------
    DataError
        A column is missing, or `same` is neither yes nor no.
    """
    header, rows = read_rows(content, file)
    wanted = ("record_a", "record_b", "same")
    names = [name.lower() for name in header]
    for name in wanted:
        if name not in names:
            raise DataError("no such column; answers need record_a, record_b, same", file=file, row=1, column=name)
    places = [names.index(name) for name in wanted]
    answers = []
    for number, cells in rows:
        one, other, same = (_cell(cells[place].strip()) for place in places)
        if not same:
            continue
        said = {"yes": True, "y": True, "1": True, "true": True, "same": True,
                "no": False, "n": False, "0": False, "false": False, "different": False}.get(same.lower())  # fmt: skip
        if said is None:
            raise DataError(f"'{same}' is neither yes nor no", file=file, row=number, column="same")
        answers.append((one, other, said))
    return answers
