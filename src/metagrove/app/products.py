"""What one step of a review makes: a section of the report and files for `out/`, in a form the store can hold."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metagrove.report.document import Section
from metagrove.review.tables import Row

__all__ = ["Product", "csv_bytes", "row_material"]


@dataclass(frozen=True, slots=True)
class Product:
    """A section of the report (or none), files by path inside `out/`, and what later steps need of it."""

    section: Section | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    carry: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The product as JSON's own types; bytes in base64."""
        return {
            "section": self.section.to_dict() if self.section else None,
            "files": {name: base64.b64encode(content).decode() for name, content in self.files.items()},
            "carry": dict(self.carry),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Product:
        """The product that `to_dict` wrote."""
        section = Section.from_dict(raw["section"]) if raw["section"] else None
        files = {name: base64.b64decode(content) for name, content in raw["files"].items()}
        return cls(section, files, raw["carry"])


def row_material(rows: Sequence[Row]) -> list[Any]:
    """What a step that uses these rows depends on: their numbers and texts as its file writes numbers, not the rest of the file."""
    return [[row.number, row.notation.decimal, dict(row.texts)] for row in rows]


def _harmless(value: Any) -> Any:
    # A spreadsheet runs cells that start so as formulas; a leading quote makes them text. Numbers stay numbers.
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        try:
            float(value)
        except ValueError:
            return f"'{value}"
    return value


def csv_bytes(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A CSV file in UTF-8, safe to open in a spreadsheet; numbers in full, None and NaN as empty cells.

    >>> csv_bytes(["a", "b"], [["=1+1", None], [0.1, "-2"]]).decode().split()
    ['a,b', "'=1+1,", '0.1,-2']
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_harmless(name) for name in header])
    for row in rows:
        writer.writerow(["" if value is None or value != value else _harmless(value) for value in row])
    return stream.getvalue().encode()
