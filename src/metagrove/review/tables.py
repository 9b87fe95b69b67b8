"""Tables that people keep in a spreadsheet: rows of checked values, each knowing its file, row and column."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from metagrove.core.errors import DataError
from metagrove.core.values import Source
from metagrove.review import cells
from metagrove.review.columns import Column, TableLayout, column_mapping
from metagrove.review.notation import POINT, Notation, notation_of

__all__ = ["Row", "Sheet", "Table", "decoded", "parse_sheet", "parse_table", "read_rows", "read_sheet"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the spreadsheet (the header is row 1), its values, the printed texts, its file and notation."""

    number: int
    values: Mapping[str, Any]
    texts: Mapping[str, str]
    file: str
    digest: str
    notation: Notation = POINT

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def text(self, name: str) -> str:
        """The cell as written, without blanks at its ends; empty where there is none."""
        return self.texts.get(name, "").strip()

    @property
    def source(self) -> Source:
        """Where the row's numbers were read, or the row itself where its author did not say."""
        document = self.text("document") or self.file
        return Source(document, self.text("locator") or f"row {self.number}", self.digest)

    def error(self, message: str, column: str | None = None, rule: str = "unreadable") -> DataError:
        """A DataError that names this row."""
        return DataError(message, file=self.file, row=self.number, column=column, rule=rule)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A delimited text file: its name, header and numbered rows of texts, its delimiter and digest."""

    file: str
    header: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str
    digest: str

    def notation(self, places: Iterable[int] | None = None) -> Notation:
        """How the numbers of the columns at `places` (all by default) are written."""
        wanted = list(range(len(self.header)) if places is None else places)
        cell_texts = (fields[i] for _, fields in self.rows for i in wanted)
        return notation_of((token for text in cell_texts for token in cells.numbers_in(text)), self.delimiter)


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read: its rows, its column mapping, its digest, and the rows that could not be read, as errors."""

    name: str
    file: str
    rows: tuple[Row, ...]
    mapping: Mapping[str, str]
    digest: str
    faults: tuple[DataError, ...] = ()

    def where(self, wanted: Mapping[str, str]) -> tuple[Row, ...]:
        """The rows whose texts equal all of `wanted`, case ignored."""
        return tuple(r for r in self.rows if all(r.text(k).lower() == v.lower() for k, v in wanted.items()))


def decoded(content: bytes, file: str) -> str:
    """The text of a file that people wrote: UTF-8, with or without a byte-order mark.

    Raises
    ------
    DataError
        Another encoding, or a workbook in the clothes of a text file; names the row of the first bad byte.
    """
    if content[:4] == b"PK\x03\x04":
        raise DataError("this is a workbook, not text; save it as 'CSV UTF-8'", file=file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        line = content.splitlines()[row - 1] if content.splitlines() else b""
        before = content[: error.start].rsplit(b"\n", 1)[-1]
        header = content.splitlines()[0].decode("ascii", "replace").split(",") if row > 1 else []
        position = before.count(b",")
        column = header[position].strip() if position < len(header) else None
        shown = line[max(0, len(before) - 12) : len(before) + 8].decode("cp1252", "replace")
        raise DataError(
            f"byte 0x{content[error.start]:02x} near '{shown}' is not UTF-8; save the file as 'CSV UTF-8'",
            file=file, row=row, column=column,
        ) from None  # fmt: skip


def _delimiter(lines: Sequence[str]) -> str:
    """The sign that stands equally often in every line, decimal commas being rarely so; else the first line's commonest."""
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines[:50]]
    for sign in "\t;":
        if sign in bare[0] and len({line.count(sign) for line in bare}) == 1:
            return sign
    return max(",;\t", key=bare[0].count)


def _records(reader: Iterable[list[str]], file: str) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise DataError(f"cannot be read as a table ({error}); is a quotation mark left open?", file=file) from None


def read_rows(content: bytes, file: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows of a delimited text file, each row with its number; raises as `read_sheet` does."""
    sheet = read_sheet(content, file)
    return sheet.header, sheet.rows


def read_sheet(content: bytes, file: str) -> Sheet:
    """The texts of a delimited text file (comma, semicolon or tab).

    Raises
    ------
    DataError
        Wrong encoding, nothing in the file, no row under the header, or a row wider than the header.
    """
    text = decoded(content, file)
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise DataError("the table is empty; it needs a header and at least one row", file=file)
    delimiter = _delimiter([line for line in lines if line.strip()])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    header: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    for number, fields in enumerate(_records(reader, file), 1):
        if not any(field.strip() for field in fields):
            continue
        if not header:
            header = [field.strip() for field in fields]
            continue
        if len(fields) > len(header) and any(field.strip() for field in fields[len(header) :]):
            raise DataError(
                f"{len(fields)} cells under {len(header)} columns; is a comma unquoted?", file=file, row=number
            )
        rows.append((number, [*fields, *[""] * (len(header) - len(fields))]))
    if not rows:
        raise DataError("the table is empty; there is a header but no row", file=file)
    return Sheet(file, header, rows, delimiter, hashlib.sha256(content).hexdigest())


#: Kinds of column whose cells hold numbers, and what reads one.
_NUMERIC: Mapping[str, Any] = MappingProxyType(
    {"count": cells.count, "number": cells.number, "proportion": cells.proportion, "estimate": cells.estimate}
)


def _value(column: Column, text: str, notation: Notation) -> Any:
    if cells.is_missing(text):
        return None
    if column.kind in _NUMERIC:
        return _NUMERIC[column.kind](text, notation)
    if column.kind == "flag":
        return notation.plain(text.strip())
    return cells.population(text) if column.kind == "population" else text.strip()


def _values(layout: TableLayout, texts: Mapping[str, str], at: Mapping[str, Any], notation: Notation) -> dict[str, Any]:
    """The values of one row; `at` says where, for the error."""
    values: dict[str, Any] = {}
    for column in layout.columns:
        if column.name not in texts or column.kind == "events":
            continue
        try:
            values[column.name] = _value(column, texts[column.name], notation)
        except DataError as error:
            raise DataError(error.message, **at, column=column.name, rule=error.rule) from None
        if column.required and values[column.name] is None and column.kind == "text":
            raise DataError("is empty; it must say which row this is", **at, column=column.name)
    for column in layout.columns:
        if column.kind != "events" or column.name not in texts:
            continue
        if cells.is_missing(texts[column.name]):
            values[column.name] = None
            continue
        try:
            events, n = cells.count_of_total(texts[column.name], values.get(column.total), notation)
        except DataError as error:
            raise DataError(error.message, **at, column=column.name, rule=error.rule) from None
        if n is not None and events > n:
            message = f"{events} events among {n}; events cannot exceed the total"
            raise DataError(message, **at, column=column.name, rule="events-above-n")
        values[column.name], values[column.total] = events, n
    return values


def _key(layout: TableLayout, row: Row) -> tuple[str, ...]:
    return tuple(row.text(name).lower() for name in layout.key)


def parse_table(
    layout: TableLayout,
    content: bytes,
    *,
    given: Mapping[str, str] | None = None,
    known_studies: Sequence[str] = (),
    file: str = "",
) -> Table:
    """The table in `content`. A row that cannot be meant becomes a fault; a file that cannot be read raises.

    Parameters
    ----------
    layout : which table it is.
    content : the bytes of the file.
    given : the reader's own column mapping, header name to ours.
    known_studies : where given, every study must be one of these.
    file : the file's name for messages; the layout's own by default.
    """
    return parse_sheet(layout, read_sheet(content, file or layout.file), given=given, known_studies=known_studies)


def parse_sheet(
    layout: TableLayout,
    sheet: Sheet,
    *,
    given: Mapping[str, str] | None = None,
    known_studies: Sequence[str] = (),
) -> Table:
    """The table that a sheet's texts make; see `parse_table`."""
    header, file, digest = sheet.header, sheet.file, sheet.digest
    mapping = column_mapping(layout, header, given, file=file)
    # A column that is not the mapped one must not pass for it.
    taken = set(mapping.values())
    places = [
        (i, mapping.get(name) or (f"{name} (unread)" if name in taken else name)) for i, name in enumerate(header)
    ]
    numeric = {column.name for column in layout.columns if column.kind not in ("text", "population")}
    notation = sheet.notation(i for i, name in places if name in numeric)
    lower = {name.lower(): name for name in known_studies}
    rows: list[Row] = []
    faults: list[DataError] = []
    first_seen: dict[tuple[str, ...], int] = {}
    for number, fields in sheet.rows:
        texts = {name: fields[i] for i, name in places}
        at = {"file": file, "row": number}
        try:
            values = _values(layout, texts, at, notation)
        except DataError as error:
            faults.append(error)
            continue
        row = Row(number, MappingProxyType(values), MappingProxyType(texts), file, digest, notation)
        if layout.key:
            key = _key(layout, row)
            if key in first_seen:
                what = ", ".join(row.text(name) for name in layout.key if row.text(name))
                faults.append(
                    row.error(
                        f"'{what}' stands in row {first_seen[key]} already; one row each",
                        layout.key[0],
                        "duplicate-row",
                    )
                )
                continue
            first_seen[key] = number
        study = row.text("study")
        if known_studies and study and study.lower() not in lower:
            near = get_close_matches(study, known_studies, n=1, cutoff=0.5)
            hint = f"; nearest: '{near[0]}'" if near else f"; known: {', '.join(known_studies)}"
            faults.append(row.error(f"'{study}' is not in studies.csv{hint}", "study", "unknown-study"))
            continue
        rows.append(row)
    return Table(layout.name, file, tuple(rows), MappingProxyType(mapping), digest, tuple(faults))
