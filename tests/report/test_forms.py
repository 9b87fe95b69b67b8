"""The three forms of a report hold what they were given, whatever signs are in it."""

import io
import zipfile

import pytest

from metagrove.report.document import Cell, Column, Report, Section, Table
from metagrove.report.html import html_report
from metagrove.report.layout import alone, column_shares, grouped
from metagrove.report.typeset import pdf_report, typst_source
from metagrove.report.word import word_report

NASTY = 'a "quote" \\ back #set $x$ [b] <script>alert(1)</script> & 王小明 — {{ jinja }} *bold* _it_ @ref = head'


def report(*sections):
    return Report(NASTY, NASTY, (NASTY,), (), sections, (), (("a.csv", "0" * 64),), "0.1", "1" * 64)


def section(kind="bias", name="one", **more):
    table = Table(
        NASTY,
        (Column("What"), Column("How much", "right")),
        ((Cell(NASTY),), (Cell("x"), Cell(NASTY)), (Cell("y"), Cell("2"))),
        (NASTY,),
        heads=(0,),
    )
    return Section(name, "Title", kind, headline=(NASTY,), methods=NASTY, cautions=(NASTY,), tables=(table,), **more)


SEARCH = section("search", "search", code=(("PubMed", 'line "one" \\ #x\n  line two'),))


def test_html_escapes_everything():
    page = html_report(report(section(), SEARCH), {})
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert") >= 8
    assert '<tr class="head"><td colspan="2">' in page
    assert "line &#34;one&#34; \\ #x" in page


def test_the_typesetter_takes_every_sign():
    content = pdf_report(report(section(), SEARCH), {})
    assert content.startswith(b"%PDF")
    source = typst_source(report(section(), SEARCH))
    assert "table.cell(colspan: 2" in source
    assert source.count("#raw(") == 2


def test_word_keeps_headings_and_merged_rows():
    import docx

    document = docx.Document(io.BytesIO(word_report(report(section(), SEARCH), {})))
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert NASTY in texts
    assert any("line two" in text for text in texts)
    first = document.tables[0]
    assert first.rows[1].cells[0].text == first.rows[1].cells[1].text == NASTY
    styles = zipfile.ZipFile(io.BytesIO(word_report(report(section()), {}))).read("word/styles.xml").decode()
    assert "Calibri" not in styles.split("</w:docDefaults>")[1]


@pytest.mark.parametrize("kind", ["search", "selection", "characteristics", "bias", "certainty", "survival", "novel"])
def test_chapters_come_in_the_order_of_a_report(kind):
    kinds = ["certainty", "harms", kind, "bias", "search"]
    titles = [title for title, _ in grouped([section(k, f"{k}{i}") for i, k in enumerate(kinds)])]
    order = ["Search", "Study selection", "Included studies", "Risk of bias", "Comparisons", "Responses", "Survival", "Harms", "Novel", "Certainty of the evidence"]  # fmt: skip
    assert titles == sorted(titles, key=order.index)


def test_a_chapter_of_one_section_of_its_name_has_no_second_heading():
    assert alone("Search", [Section("a", "Search", "search")])
    assert not alone("Search", [Section("a", "Other", "search")])


def test_column_shares_are_shares_and_spanning_rows_do_not_count():
    table = section().tables[0]
    shares = column_shares(table)
    assert sum(shares) == pytest.approx(1)
    assert all(share > 0 for share in shares)
    longer = Table("c", table.columns, (*table.rows, (Cell("z" * 500),)), heads=(0, 3))
    assert column_shares(longer) == shares
