"""Reference: every sample export gives its records and values; damaged files behave as expected.csv says."""

import csv
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from known import reference
from metagrove.review.records.export import read_export
from metagrove.review.records.fields import doi_of, page_range
from metagrove.review.records.names import author_names

SAMPLES = reference("records/samples")
EXPECTED = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
DAMAGED = list(csv.DictReader((reference("records/malformed") / "expected.csv").read_text().splitlines()))
#: What a format does not say, or says with a page range missing its end or letters that Windows-1252 lacks.
UNSAID = {"doi", "pmid", "language", "last_page", "issue"}


def read(path):
    return read_export(path.read_bytes(), path.name)


def letters(text):
    return re.sub(r"[^a-z0-9]", "", text.lower())


def known_work(record):
    """The expected work that the record must be: by year and first page, else by title."""
    for work in EXPECTED["records"]:
        if work["year"] == record.year and (work["first_page"] or "") == record.first_page:
            return work
    raise AssertionError(f"{record.record_id} is no known work: {record.title}")


@pytest.mark.parametrize("name", EXPECTED["expected_counts"])
def test_sample_gives_its_records(name):
    got = read(SAMPLES / name)
    assert len(got.records) == EXPECTED["expected_counts"][name]
    assert got.refused == ()
    assert len({known_work(record)["key"] for record in got.records}) == len(got.records)


@pytest.mark.parametrize("name", EXPECTED["expected_counts"])
def test_sample_gives_its_values(name):
    for record in read(SAMPLES / name).records:
        work = known_work(record)
        found = {
            "year": record.year, "volume": record.volume, "issue": record.issue, "first_page": record.first_page,
            "last_page": record.last_page, "doi": record.doi, "pmid": record.pmid, "language": record.language,
            "n_authors": len(record.authors),
        }  # fmt: skip
        for field, value in found.items():
            unsaid = field in UNSAID and not value
            assert unsaid or value == (work[field] if work[field] is not None else ""), (work["key"], field)
        assert bool(record.abstract) == work["has_abstract"] or name.endswith(".enw")
        assert record.first_author == (work["first_author"] or "")
        if not name.startswith("excel"):  # its code page lacks some letters of one title
            assert letters(record.title) == letters(work["title"])


def test_titles_keep_their_text_and_lose_their_markup():
    titles = {known_work(r)["key"]: r.title for r in read(SAMPLES / "pubmed.xml").records}
    for work in EXPECTED["records"]:
        if work["key"] in titles:
            assert titles[work["key"]] == work["title"]


@pytest.mark.parametrize("row", DAMAGED, ids=lambda row: row["file"])
def test_damaged_files_lose_nothing_in_silence(row):
    got = read(reference("records/malformed") / row["file"])
    assert len(got.records) == int(row["records"])
    said = " ".join([r.reason for r in got.refused] + [w.message for w in got.warnings])
    wanted = {
        "missing_er.ris": "not closed by ER", "truncated_last.ris": "unexpected end of file", "latin1.ris": "UTF-8",
        "embase_link_line.ris": "Link to the Ovid", "empty.ris": "no records found", "html_login_page.ris": "HTML",
        "unbalanced.bib": "a2", "not_wellformed.xml": "line 1, column",
    }  # fmt: skip
    assert wanted.get(row["file"], "") in said
    if row["file"] not in wanted:
        assert said == ""
    if row["file"] == "unbalanced.bib":
        assert [r.line for r in got.refused] == [5]
    if row["file"] == "latin1.ris":
        assert got.records[0].authors == ("Müller, Jürgen T",)
    if row["file"] in ("bad_pages.ris", "embase_link_line.ris"):
        assert (got.records[0].first_page, got.records[0].last_page) == ("975", "980")
    if row["file"] == "two_dois.ris":
        assert (got.records[0].doi, got.records[0].other_ids) == ("10.5555/a.b.1", ())
    if row["file"] == "html_entities.ris":
        assert "<Gleevec> & S-1" in got.records[0].title


RIS = "TY  - JOUR\nTI  - {}\nPY  - 2010\nER  - \n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("  - ", "\t- "),
        lambda text: text.replace("  - ", " - "),
        lambda text: text.replace("TY  ", "ty  ").replace("TI  ", "ti  ").replace("ER  ", "er  "),
        lambda text: text.replace("ER  - \nTY", "ER  - \n\ufeffTY"),
        lambda text: text.replace("ER  - \n", ""),
        lambda text: text.replace("ER  - ", "ER  -"),
    ],
)
def test_ris_that_other_readers_lose(damage):
    text = damage(RIS.format("One") + RIS.format("Two"))
    got = read_export(text.encode(), "x.ris")
    assert [(r.title, r.year) for r in got.records] == [("One", 2010), ("Two", 2010)]
    assert [r.record_id for r in got.records] == ["x.ris:1", "x.ris:2"]


def test_read_and_refused_are_all_that_was_seen():
    table = "Title,Authors,Year\nA,Ha H,2010\n,,\nB,Li N,2011,x\n,,2012\n"
    got = read_export(table.encode(), "t.csv")
    assert [r.title for r in got.records] == ["A"]
    assert [r.line for r in got.refused] == [4, 5]


@given(first=st.integers(1, 99999), more=st.integers(0, 400))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_abbreviated_pages_are_given_in_full(first, more):
    last = first + more
    short = str(last)
    if len(short) == len(str(first)):
        keep = next((i for i, (a, b) in enumerate(zip(str(first), short, strict=True)) if a != b), len(short) - 1)
        short = short[keep:]
    assert page_range(f"{first}-{short}") == (str(first), str(last))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ha, H.T.; Lee, J.S.", ("Ha, H.T.", "Lee, J.S.")),
        ("Ha H.T., van der Waal Ł.", ("Ha, H.T.", "van der Waal, Ł.")),
        ("Ha HT, Lee JS, et al.", ("Ha, HT", "Lee, JS")),
        ("Ha, H. T., Lee, J. S.", ("Ha, H. T.", "Lee, J. S.")),
        ("Huan T. Ha and Keith C. Bible", ("Ha, Huan T.", "Bible, Keith C.")),
        ("Ha, Huan T", ("Ha, Huan T",)),
        ("Ha HT; SELECT Study Group", ("Ha, HT", "SELECT Study Group")),
    ],
)
def test_authors_in_one_cell(text, names):
    assert author_names([text]) == names


@pytest.mark.parametrize(
    "text", ["doi:10.1000/ABC(12)3.", "https://dx.doi.org/10.1000/abc(12)3", "10.1000/abc(12)3 [doi]"]
)
def test_doi_is_bare(text):
    assert doi_of(text) == "10.1000/abc(12)3"


@given(content=st.binary(max_size=300))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_any_bytes_are_answered(content):
    got = read_export(content, "x")
    assert got.records or got.refused


def test_a_quotation_mark_that_never_closes_is_no_record():
    got = read_export(b'title,year\nFirst,2009\n"unclosed, 2010\nnext,2011\n', "t.csv")
    assert [r.title for r in got.records] == ["First"]
    assert got.refused[0].line == 3
    assert "never closes" in got.refused[0].reason


def test_a_retracted_paper_is_still_the_paper_and_its_notice_is_not():
    text = "PMID- 1\nTI  - Sorafenib.\nDP  - 2010\nPT  - {}\n"
    kinds = [
        read_export(text.format(kind).encode(), "x").records[0].kind
        for kind in ("Retracted Publication", "Retraction of Publication", "Published Erratum")
    ]
    assert kinds == ["article", "erratum", "erratum"]
