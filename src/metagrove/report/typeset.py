"""The report as a PDF, typeset from its parts; figures stay vectors."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from metagrove.core.errors import MethodError
from metagrove.report.document import Report, Section, Table
from metagrove.report.layout import (
    alone,
    comparison_tables,
    finding_table,
    grouped,
    methods_paragraphs,
    numbered_references,
    source_table,
)

__all__ = ["pdf_report", "typst_source"]

_PREAMBLE = """\
#set page(paper: "a4", margin: (x: 2cm, y: 2.2cm), numbering: "1 / 1")
#set text(font: ("Libertinus Serif", "DejaVu Sans"), size: 10pt, fallback: true)
#set par(justify: true, leading: 0.6em)
#set heading(numbering: none)
#show heading: set par(justify: false)
#show heading.where(level: 1): it => block(sticky: true, above: 1.8em, below: 0.9em, text(size: 15pt, fill: rgb("#0b5c6e"), it.body))
#show heading.where(level: 2): it => block(sticky: true, above: 1.4em, below: 0.7em, text(size: 12pt, it.body))
#show figure: set block(breakable: true)
#let fitted(path) = layout(size => {
  let picture = image(path)
  if measure(picture).width > size.width { image(path, width: 100%) } else { picture }
})
#set table(stroke: (x, y) => (bottom: if y == 0 { 0.8pt } else { 0.3pt + luma(200) }), inset: (x: 4pt, y: 3pt))
#show table.cell.where(y: 0): strong
#let warning(body) = block(stroke: 0.8pt + rgb("#a3262a"), inset: 6pt, width: 100%, text(fill: rgb("#a3262a"), body))
#let caution(body) = block(stroke: (left: 2pt + rgb("#9a5b00")), inset: 6pt, width: 100%, fill: rgb("#fdf6ea"), body)
"""


def _text(text: str) -> str:
    """The text as a Typst string, so that nothing in it is read as markup."""
    escaped = _escaped(text).replace("\n", " ")
    return f'#text("{escaped}")'


def _lines(text: str) -> str:
    """Lines kept as they are, in a letter of even width."""
    return " \\\n".join(f'#raw("{_escaped(line)}")' for line in text.splitlines())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _widths(table: Table) -> str:
    """Column widths: their own where the table is narrow, else shares of the page by the longest text."""
    longest = [
        max(
            [
                len(column.label),
                *(len(row[i].text) for j, row in enumerate(table.rows) if j not in table.heads and i < len(row)),
            ]
        )
        for i, column in enumerate(table.columns)
    ]
    if sum(longest) <= 90:
        return ", ".join("auto" for _ in longest)
    return ", ".join(f"{min(length, 45) + 6}fr" for length in longest)


def _table(table: Table) -> str:
    size = "7pt" if len(table.columns) > 7 else "8pt"
    align = ", ".join(column.align for column in table.columns)
    head = ", ".join(f"[{_text(column.label)}]" for column in table.columns)
    body = ",\n".join(
        f"table.cell(colspan: {len(table.columns)}, fill: luma(244))[*{_text(row[0].text)}*]"
        if i in table.heads
        else ", ".join(f"[{_text(cell.text)}]" for cell in row)
        for i, row in enumerate(table.rows)
        if i in table.heads or len(row) == len(table.columns)
    )
    notes = "".join(f"\n#text(size: 8pt)[{_text(note)}]\n" for note in table.notes)
    return (
        f"\n#block(sticky: true)[*{_text(table.caption)}*]\n#[#set text(size: {size})\n#set par(justify: false)\n"
        f"#table(columns: ({_widths(table)},), align: ({align},), table.header({head}),\n{body})]\n{notes}\n"
    )


def _figure(name: str, caption: str) -> str:
    """A figure at the top or the foot of a page; the tables of its section fill the room that it leaves."""
    return f'\n#figure(fitted("{name}.svg"), caption: [{_text(caption)}], numbering: none, supplement: none, placement: auto)\n'


def _section(section: Section, *, headed: bool) -> str:
    mark = " (SYNTHETIC)" if section.synthetic else ""
    parts = [f"\n== {_text(section.title + mark)}\n"] if headed else []
    if section.synthetic:
        parts.append(f"#warning[{_text('SYNTHETIC: simulated curves; not the trials data and no clinical result.')}]\n")
    parts += [f"{_text(text)}\n\n" for text in section.headline]
    parts += [f"#caution[{_text(text)}]\n" for text in section.cautions]
    parts += [_figure(figure.name, figure.caption) for figure in section.figures]
    parts += [_table(table) for table in section.tables]
    parts += [f"- Left out: {_text(f'{study}: {reason}')}\n" for study, reason in section.excluded]
    if section.kind == "search":
        parts += [f"\n*{_text(name)}*\n\n#text(size: 8pt)[{_lines(text)}]\n" for name, text in section.code]
    if section.figures:
        parts.append("\n#place.flush()\n")
    return "".join(parts)


def typst_source(report: Report) -> str:
    """The report in the typesetter's own language; figures are named `<name>.svg` beside it."""
    references = numbered_references(report.sections)
    parts = [
        _PREAMBLE,
        f'#block[#set par(justify: false)\n#text(size: 20pt, weight: "bold", hyphenate: false)[{_text(report.title)}]]\n\n{_text(report.question)}\n',
    ]
    if report.synthetic:
        parts.append(f"\n#warning[*SYNTHETIC* {_text(' '.join(report.synthetic))}]\n")
    parts.append("\n= Methods\n")
    for titles, methods, sources in methods_paragraphs(report.sections):
        cited = ", ".join(str(references[text]) for text in sources)
        parts.append(f"\n*{_text(titles + '.')}* {_text(methods)} {_text(f'[{cited}]' if cited else '')}\n")
    parts.append(f"\n{_text(f'Calculated with metagrove {report.version}.')}\n")
    for title, sections in grouped(report.sections):
        parts.append(f"\n= {_text(title)}\n")
        parts += [_section(section, headed=not alone(title, sections)) for section in sections]
    parts.append(_endings(report, references))
    return "".join(parts)


def _endings(report: Report, references: Mapping[str, int]) -> str:
    parts = []
    tables = comparison_tables(report)
    if tables:
        parts.append("\n= Beside the published review\n")
        parts += [f"{_text(f'{label}: {text}')}\n" for label, text in report.published]
        parts += [_table(table) for table in tables]
    found = finding_table(report)
    parts.append("\n= Problems found\n")
    parts.append(_table(found) if found else _text("None of the checks found a contradiction."))
    parts.append("\n= Provenance\n")
    parts += [_table(source_table(section)) for section in report.sections if section.sources]
    parts.append("\n= References\n")
    parts += [f"+ {_text(text)}\n" for text in references]
    return "".join(parts)


def pdf_report(report: Report, svgs: Mapping[str, bytes]) -> bytes:
    """The report as the bytes of a PDF file.

    Parameters
    ----------
    report : what to show.
    svgs : each figure as SVG by its name.

    Raises
    ------
    MethodError
        The typesetter is not installed; says how to get it.
    """
    try:
        import typst
    except ImportError:
        raise MethodError("PDF reports need typst: pip install 'metagrove[pdf]'") from None
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, content in svgs.items():
            (folder / f"{name}.svg").write_bytes(content)
        (folder / "report.typ").write_text(typst_source(report), encoding="utf-8")
        made: bytes = typst.compile(folder / "report.typ", root=folder)
    return made
