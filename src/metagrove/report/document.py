"""What a report is made of: sections of tables, figures, sentences and sources, as plain values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Cell", "Column", "Comparison", "Figure", "Report", "Section", "SourceLine", "Table"]


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its heading and how its cells line up."""

    label: str
    align: Literal["left", "right", "center"] = "left"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and the key of the source it was read from (empty where it was computed)."""

    text: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption and the notes under it; a row that begins with `heads` spans as a heading."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    heads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure by the name of its files (without ending), with its caption."""

    name: str
    caption: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A printed number beside ours."""

    quantity: str
    printed: str
    ours: str
    verdict: str
    difference: str
    where: str


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One number that entered: its key, what it is, as printed, as used, and where it was read."""

    key: str
    what: str
    printed: str
    used: str
    document: str
    locator: str
    file: str
    row: int


@dataclass(frozen=True, slots=True)
class Section:
    """One analysis as the report shows it."""

    name: str
    title: str
    kind: str
    headline: tuple[str, ...] = ()
    methods: str = ""
    references: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    cautions: tuple[str, ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    sources: tuple[SourceLine, ...] = ()
    synthetic: bool = False
    code: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The section as JSON's own types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Section:
        """The section that `to_dict` wrote."""
        return cls(
            **{
                **raw,
                "headline": tuple(raw["headline"]),
                "references": tuple(raw["references"]),
                "settings": tuple((k, v) for k, v in raw["settings"]),
                "tables": tuple(_table(t) for t in raw["tables"]),
                "figures": tuple(Figure(**f) for f in raw["figures"]),
                "cautions": tuple(raw["cautions"]),
                "excluded": tuple((k, v) for k, v in raw["excluded"]),
                "comparisons": tuple(Comparison(**c) for c in raw["comparisons"]),
                "sources": tuple(SourceLine(**s) for s in raw["sources"]),
                "code": tuple((k, v) for k, v in raw["code"]),
            }
        )


def _table(raw: Mapping[str, Any]) -> Table:
    return Table(
        raw["caption"],
        tuple(Column(**c) for c in raw["columns"]),
        tuple(tuple(Cell(**c) for c in row) for row in raw["rows"]),
        tuple(raw["notes"]),
        tuple(raw["heads"]),
    )


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report: the question, the sections (search, selection and studies too), the problems, and what made it."""

    title: str
    question: str
    authors: tuple[str, ...]
    published: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    findings: tuple[Mapping[str, str], ...]
    files: tuple[tuple[str, str], ...]
    version: str
    digest: str
    synthetic: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
