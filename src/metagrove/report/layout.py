"""What all forms of the report share: the order of sections, numbered references, and tables made from other parts."""

from __future__ import annotations

from collections.abc import Sequence

from metagrove.report.document import Cell, Column, Report, Section, Table

__all__ = [
    "alone",
    "column_shares",
    "comparison_tables",
    "finding_table",
    "grouped",
    "methods_paragraphs",
    "numbered_references",
    "source_table",
]

#: The chapters of a report in their order, by kind of section; kinds that are not here come before the last one.
_TITLES = {
    "search": "Search", "selection": "Study selection", "characteristics": "Included studies", "bias": "Risk of bias",
    "comparison": "Comparisons", "proportion": "Responses", "survival": "Survival", "harms": "Harms",
    "certainty": "Certainty of the evidence",
}  # fmt: skip


def grouped(sections: Sequence[Section]) -> list[tuple[str, list[Section]]]:
    """Sections under their headings: search, selection, studies, bias, comparisons, responses, survival, harms, the rest, certainty."""
    groups: dict[str, list[Section]] = {}
    for section in sections:
        groups.setdefault(_TITLES.get(section.kind, section.kind.capitalize()), []).append(section)
    *known, last = _TITLES.values()
    others = [title for title in groups if title not in (*known, last)]
    return [(title, groups[title]) for title in (*known, *others, last) if title in groups]


def alone(title: str, sections: Sequence[Section]) -> bool:
    """Whether a chapter is one section of the same name, which then needs no heading of its own."""
    return len(sections) == 1 and sections[0].title == title


def numbered_references(sections: Sequence[Section]) -> dict[str, int]:
    """Each reference with its number, in the order in which the methods cite them."""
    numbers: dict[str, int] = {}
    for section in sections:
        for text in section.references:
            numbers.setdefault(text, len(numbers) + 1)
    return numbers


def methods_paragraphs(sections: Sequence[Section]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Titles, methods and references; analyses made in the same way share one paragraph."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for section in sections:
        if section.methods:
            found.setdefault((section.methods, section.references), []).append(section.title)
    return [("; ".join(titles), methods, references) for (methods, references), titles in found.items()]


def column_shares(table: Table) -> list[float]:
    """Each column's share of the width: room for its longest word, and more for long texts where columns are few."""
    most = 34 if len(table.columns) <= 7 else 14
    weights = []
    for i, column in enumerate(table.columns):
        whole = (row for j, row in enumerate(table.rows) if j not in table.heads and i < len(row))
        texts = [column.label, *(row[i].text for row in whole)]
        word = max(len(part) for text in texts for part in [*text.split(), ""])
        weights.append(max(min(word, 24) + 5, min(max(len(text) for text in texts), most)))
    return [weight / sum(weights) for weight in weights]


def comparison_tables(report: Report) -> list[Table]:
    """One table a section: printed numbers beside ours."""
    columns = (
        Column("Quantity"),
        Column("Printed", "right"),
        Column("Ours", "right"),
        Column("Verdict"),
        Column("Difference", "right"),
        Column("Where"),
    )
    return [
        Table(
            f"{section.title} (SYNTHETIC)" if section.synthetic else section.title,
            columns,
            tuple(
                tuple(Cell(text) for text in (c.quantity, c.printed, c.ours, c.verdict, c.difference, c.where))
                for c in section.comparisons
            ),
        )
        for section in report.sections
        if section.comparisons
    ]


def finding_table(report: Report) -> Table | None:
    """The problems found; None where there are none."""
    if not report.findings:
        return None
    columns = (Column("Severity"), Column("What"), Column("Where"), Column("Expected"))
    rows = tuple(tuple(Cell(f[key]) for key in ("severity", "message", "where", "expected")) for f in report.findings)
    return Table("Contradictions and doubtful numbers in the input; none was changed", columns, rows)


def source_table(section: Section) -> Table:
    """Where each number of a section was read."""
    columns = (
        Column("Number"),
        Column("Printed", "right"),
        Column("Used", "right"),
        Column("Document"),
        Column("Place"),
        Column("Row here"),
    )
    rows = tuple(
        tuple(Cell(text) for text in (s.what, s.printed, s.used, s.document, s.locator, f"{s.file}, row {s.row}"))
        for s in section.sources
    )
    return Table(section.title, columns, rows)
