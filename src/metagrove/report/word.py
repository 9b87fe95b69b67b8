"""The report as a Word document: headings, tables and figures that a co-author can edit."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from metagrove.core.errors import MethodError
from metagrove.report.document import Report, Section, Table
from metagrove.report.layout import alone, column_shares, grouped, methods_paragraphs, numbered_references

__all__ = ["word_report"]

_WIDTH_CM = 16.5
#: There on Windows and macOS; elsewhere a font of the same widths stands in for it, so that tables keep their columns.
_FONT = "Arial"


def word_report(report: Report, pngs: Mapping[str, bytes]) -> bytes:
    """The report as the bytes of a .docx file.

    Parameters
    ----------
    report : what to show.
    pngs : each figure as PNG by its name.

    Raises
    ------
    MethodError
        python-docx is not installed; says how to get it.
    """
    try:
        import docx
        from docx.shared import Cm, Pt
    except ImportError:
        raise MethodError("Word reports need python-docx: pip install 'metagrove[word]'") from None
    document = docx.Document()
    for sheet in document.sections:
        sheet.left_margin = sheet.right_margin = Cm(2.2)
        sheet.top_margin = sheet.bottom_margin = Cm(2.0)
    style = document.styles["Normal"]
    style.font.name, style.font.size = _FONT, Pt(10)
    _one_font(document)
    document.core_properties.title = report.title
    document.core_properties.author = ", ".join(report.authors) or "metagrove"
    references = numbered_references(report.sections)
    document.add_heading(report.title, 0)
    if report.question:
        document.add_paragraph(report.question)
    if report.synthetic:
        _bold(document, "SYNTHETIC. " + " ".join(report.synthetic))
    _methods(document, report, references)
    for title, sections in grouped(report.sections):
        document.add_heading(title, 1)
        for section in sections:
            _section(document, section, pngs, headed=not alone(title, sections))
    _endings(document, report, references)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def _one_font(document: Any) -> None:
    """Headings and captions in the font of the text, and none of them left alone at the foot of a page."""
    from docx.oxml.ns import qn
    from docx.shared import Pt

    for name in ("Title", "Heading 1", "Heading 2", "Caption"):
        style = document.styles[name]
        style.font.name = _FONT
        fonts = style.element.rPr.rFonts
        for part in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{part}"), None)
        style.paragraph_format.keep_with_next = name != "Title"
    document.styles["Caption"].paragraph_format.space_before = Pt(10)


def _bold(document: Any, text: str) -> None:
    document.add_paragraph().add_run(text).bold = True


def _methods(document: Any, report: Report, references: Mapping[str, int]) -> None:
    document.add_heading("Methods", 1)
    for titles, methods, cited in methods_paragraphs(report.sections):
        paragraph = document.add_paragraph()
        paragraph.add_run(f"{titles}. ").bold = True
        numbers = ", ".join(str(references[text]) for text in cited)
        paragraph.add_run(f"{methods} [{numbers}]" if numbers else methods)
    document.add_paragraph(f"Calculated with metagrove {report.version}.")


def _figure(document: Any, png: bytes, caption: str) -> None:
    from docx.shared import Cm
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        dpi = float(picture.info.get("dpi", (300.0, 300.0))[0]) or 300.0
        natural = 2.54 * picture.width / dpi
    document.add_picture(io.BytesIO(png), width=Cm(min(natural, _WIDTH_CM)))
    document.paragraphs[-1].paragraph_format.keep_with_next = True
    document.add_paragraph(caption, style="Caption").paragraph_format.keep_with_next = False


def _table(document: Any, table: Table) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt

    sides = {"left": WD_ALIGN_PARAGRAPH.LEFT, "right": WD_ALIGN_PARAGRAPH.RIGHT, "center": WD_ALIGN_PARAGRAPH.CENTER}
    document.add_paragraph(table.caption, style="Caption")
    grid = document.add_table(rows=1, cols=len(table.columns), style="Light Shading")
    grid.autofit = False
    # The style's bold first column and shaded rows help nobody who reads numbers: a heading row is all that is kept.
    look = grid._tbl.tblPr.first_child_found_in("w:tblLook")
    if look is not None:
        for name in list(look.attrib):
            del look.attrib[name]
        look.set(qn("w:val"), "0620")
    for cell, column in zip(grid.rows[0].cells, table.columns, strict=True):
        cell.text = column.label
        cell.paragraphs[0].alignment = sides[column.align]
    for i, row in enumerate(table.rows):
        cells = grid.add_row().cells
        if i in table.heads:
            whole = cells[0].merge(cells[-1])
            whole.paragraphs[0].add_run(row[0].text).bold = True
            continue
        for cell, shown, column in zip(cells, row, table.columns, strict=False):
            cell.text = shown.text
            cell.paragraphs[0].alignment = sides[column.align]
    _repeated_head(grid)
    if len(table.columns) > 7:
        _narrow_margins(grid)
    shares = column_shares(table)
    for column, share in zip(grid.columns, shares, strict=True):
        column.width = Cm(_WIDTH_CM * share)
    for line in grid.rows:
        for cell, share in zip(line.cells, shares, strict=True):
            cell.width = Cm(_WIDTH_CM * share)
            for paragraph in cell.paragraphs:
                for run in paragraph.runs:
                    run.font.size = Pt(7 if len(shares) > 7 else 8.5)
    for note in table.notes:
        document.add_paragraph(note, style="List Bullet")


def _narrow_margins(grid: Any) -> None:
    """Cells with 0.08 cm at their sides, so that words of a table with many columns stay whole."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        edge = OxmlElement(f"w:{side}")
        edge.set(qn("w:w"), "45")
        edge.set(qn("w:type"), "dxa")
        margins.append(edge)
    look = grid._tbl.tblPr.first_child_found_in("w:tblLook")
    if look is None:
        grid._tbl.tblPr.append(margins)
    else:
        look.addprevious(margins)


def _repeated_head(grid: Any) -> None:
    """The heading row on every page that the table runs over."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    repeated = OxmlElement("w:tblHeader")
    repeated.set(qn("w:val"), "true")
    grid.rows[0]._tr.get_or_add_trPr().append(repeated)


def _section(document: Any, section: Section, pngs: Mapping[str, bytes], *, headed: bool) -> None:
    if headed:
        document.add_heading(f"{section.title} (SYNTHETIC)" if section.synthetic else section.title, 2)
    if section.synthetic:
        _bold(document, "SYNTHETIC: simulated curves; not the trials' data and no clinical result.")
    for text in (*section.headline, *section.cautions):
        document.add_paragraph(text)
    for figure in section.figures:
        _figure(document, pngs[figure.name], figure.caption)
    for table in section.tables:
        _table(document, table)
    for study, reason in section.excluded:
        document.add_paragraph(f"Left out: {study}: {reason}", style="List Bullet")
    if section.kind == "search":
        for name, text in section.code:
            _bold(document, name)
            document.paragraphs[-1].paragraph_format.keep_with_next = True
            _printed(document, text)


def _printed(document: Any, text: str) -> None:
    """Lines kept as they are, in a letter of even width."""
    from docx.shared import Pt

    run = document.add_paragraph().add_run(text)
    run.font.name, run.font.size = "Courier New", Pt(8)


def _endings(document: Any, report: Report, references: Mapping[str, int]) -> None:
    from metagrove.report.layout import comparison_tables, finding_table, source_table

    tables = comparison_tables(report)
    if tables:
        document.add_heading("Beside the published review", 1)
        for label, text in report.published:
            document.add_paragraph(f"{label}: {text}")
        for table in tables:
            _table(document, table)
    document.add_heading("Problems found", 1)
    found = finding_table(report)
    if found is None:
        document.add_paragraph("None of the checks found a contradiction.")
    else:
        _table(document, found)
    document.add_heading("Provenance", 1)
    for section in report.sections:
        if section.sources:
            _table(document, source_table(section))
    document.add_heading("References", 1)
    for text in references:
        document.add_paragraph(text, style="List Number")
