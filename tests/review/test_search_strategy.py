"""A strategy in each database's syntax, and the drug that the worked example's search could not find."""

import pytest

from metagrove.core.errors import DataError, UnknownName
from metagrove.review.exports import rayyan_csv, ris_text, written_records
from metagrove.review.records.export import read_export
from metagrove.review.records.reading import Record
from metagrove.review.search_strategy import DATABASES, Concept, SearchStrategy, coverage, rendered, strategy_of

DISEASE = Concept(
    "disease",
    ("anaplastic thyroid cancer", "anaplastic thyroid carcinoma*"),
    {"mesh": ("Thyroid Carcinoma, Anaplastic",), "emtree": ("anaplastic thyroid carcinoma",)},
)
DRUG = Concept("drug", ("sorafenib", "lenvatinib", "imatinib"))
STRATEGY = SearchStrategy((DISEASE, DRUG), first_year=2000, last_year=2023, languages=("eng",))


@pytest.mark.parametrize(
    ("database", "parts"),
    [
        (
            "PubMed",
            ['"Thyroid Carcinoma, Anaplastic"[Mesh] OR', "sorafenib[tiab]", '("2000"[dp] : "2023"[dp])', "english[la]"],
        ),
        ("Embase", ["'anaplastic thyroid carcinoma'/exp OR", "lenvatinib:ti,ab,kw", "[2000-2023]/py", "[english]/lim"]),
        ("Web of Science", ['TS=("anaplastic thyroid cancer" OR', "PY=(2000-2023)", "LA=(English)"]),
        (
            "CENTRAL",
            [
                '#1 [mh "Thyroid Carcinoma, Anaplastic"]',
                "anaplastic NEXT thyroid NEXT carcinoma*",
                "#4 (#1 OR #2) AND (#3)",
            ],
        ),
        ("Scopus", ["TITLE-ABS-KEY(", "PUBYEAR > 1999 AND PUBYEAR < 2024", "LANGUAGE(english)"]),
        ("Europe PMC", ["TITLE_ABS:sorafenib", "PUB_YEAR:[2000 TO 2023]", "LANG:eng"]),
        ("ClinicalTrials.gov", ['"anaplastic thyroid cancer" OR', "AND (sorafenib OR lenvatinib"]),
    ],
)
def test_each_database_has_its_syntax(database, parts):
    text = rendered(STRATEGY, database)
    for part in parts:
        assert part in text
    assert text.count("(") == text.count(")")
    assert text.count('"') % 2 == 0


def test_every_database_is_named():
    wanted = ["PubMed", "Embase", "Web of Science", "CENTRAL", "Scopus", "Europe PMC", "ClinicalTrials.gov"]
    assert list(DATABASES) == wanted
    with pytest.raises(UnknownName):
        rendered(STRATEGY, "Pubmet")


def test_the_drug_that_was_not_searched_for_is_named():
    works = [
        ("Savvides 2013", "Phase II trial of sorafenib in patients with anaplastic thyroid carcinomas"),
        ("Bible 2012", "Phase 2 trial of pazopanib monotherapy in advanced anaplastic thyroid cancer"),
    ]
    assert [(gap.work, gap.concept) for gap in coverage(STRATEGY, works)] == [("Bible 2012", "drug")]


@pytest.mark.parametrize("terms", [(), ('"quoted"',), ("(x)",), (" ",)])
def test_terms_are_plain(terms):
    with pytest.raises(DataError):
        Concept("c", terms)


RECORD = Record(
    "a.ris:1", "a.ris", 1, 1, title="=Danger & \"quotes\", a title", authors=("Müller, J", "Li, Na"), year=2020, journal="Thyroid",
    volume="3", issue="1-2", first_page="12", last_page="18", doi="10.5555/x", pmid="123456", abstract="Text", keywords=("k1", "k2"),
)  # fmt: skip


@pytest.mark.parametrize("writer", [ris_text, rayyan_csv])
def test_what_is_written_is_read_back(writer):
    (got,) = read_export(writer([RECORD]).encode(), "b").records
    for name in "title authors year journal volume issue first_page last_page doi pmid abstract".split():
        assert getattr(got, name) == getattr(RECORD, name), name


def test_cells_are_safe_and_programs_are_known():
    assert "\"'=Danger" in rayyan_csv([RECORD])
    assert written_records([RECORD], "zotero") == written_records([RECORD], "covidence")
    with pytest.raises(UnknownName):
        written_records([RECORD], "rayan")


def test_a_strategy_is_read_from_the_protocol():
    told = {
        "concepts": {"disease": {"terms": ["anaplastic thyroid cancer"], "mesh": ["X"]}, "drug": ["sorafenib"]},
        "last_year": 2023,
    }
    strategy = strategy_of(told)
    assert '"X"[Mesh]' in rendered(strategy, "PubMed")
    assert strategy.last_year == 2023
    assert strategy_of({"terms": ["a"]}) is None
    with pytest.raises(UnknownName, match="mehs"):
        strategy_of({"concepts": {"disease": {"mehs": ["X"]}}})
