"""RevMan 5 files: what they hold comes out, and what is no such file is refused in one line."""

from pathlib import Path

import pytest

from metagrove.core.errors import DataError
from metagrove.review.revman import read_revman

SAMPLE = Path(__file__).parent / "data" / "aspirin.rm5"
DATA = (
    '<DICH_OUTCOME EFFECT_MEASURE="{measure}" METHOD="{method}"><NAME>{name}</NAME>'
    '<DICH_DATA EVENTS_1="1" EVENTS_2="2" STUDY_ID="STD-A-2001" TOTAL_1="9" TOTAL_2="9"/></DICH_OUTCOME>'
)


def small(*outcomes, head="", title="T", names="A 2001"):
    body = "".join(outcomes) or DATA.format(measure="OR", method="MH", name="Death")
    return (
        f"{head}<COCHRANE_REVIEW><COVER_SHEET><TITLE>{title}</TITLE></COVER_SHEET><INCLUDED_STUDIES>"
        f'<STUDY ID="STD-A-2001" NAME="{names}" YEAR="2001"/></INCLUDED_STUDIES>'
        f"<COMPARISON><NAME>X</NAME>{body}</COMPARISON></COCHRANE_REVIEW>"
    )


@pytest.fixture(scope="module")
def review():
    return read_revman(SAMPLE.read_bytes(), SAMPLE.name)


def test_studies_with_their_years(review):
    assert review.title == "Aspirin after myocardial infarction"
    assert len(review.studies) == 10
    assert ("Müller 2001", "2001") in review.studies
    assert "Gone 1999" not in dict(review.studies)


def test_outcomes_as_revman_pooled_them(review):
    death, bleeding, pain, hazard = review.outcomes
    assert [o.measure for o in review.outcomes] == ["OR", "RR", "MD", "HR"]
    assert [o.method for o in review.outcomes] == ["MH", "MH", "Inverse", "Inverse"]
    assert [o.random for o in review.outcomes] == [False, True, True, False]
    assert death.name == "Death from any cause: Aspirin versus placebo"
    assert hazard.name == "Death from any cause: Aspirin versus nothing"
    assert death.labels == ("Aspirin", "Placebo", "Favours aspirin", "Favours placebo")
    assert death.printed == {"estimate": "0.90", "ci_low": "0.84", "ci_high": "0.96", "Q": "9.95", "I2": "40%"}
    assert bleeding.printed == {}
    assert bleeding.subgroups
    assert not pain.subgroups


def test_data_of_each_kind(review):
    death, bleeding, pain, hazard = review.outcomes
    assert {k: death.rows[6][k] for k in ("study", "event_e", "n_e", "event_c", "n_c")} == {
        "study": "ISIS-2 1988", "event_e": "1570", "n_e": "8587", "event_c": "1720", "n_c": "8600",
    }  # fmt: skip
    assert death.rows[3]["note"] == "Two arms & two doses"
    assert [row["subgroup"] for row in bleeding.rows] == ["Low dose"] * 2 + ["High dose"] * 3
    assert (pain.rows[2]["study"], pain.rows[2]["mean_e"], pain.rows[2]["sd_c"]) == ("Müller 2001", "2.2", "1.1")
    # The last one has no ESTIMATE, only the ratio that RevMan shows.
    assert [float(row["te"]) for row in hazard.rows] == pytest.approx([-0.287682, -0.105361, -0.510826], abs=1e-6)
    assert [row["n_e"] for row in hazard.rows] == ["", "", "40"]


def test_a_study_without_data_is_empty_and_told(review):
    silent = review.outcomes[0].rows[-1]
    assert (silent["study"], silent["event_e"], silent["n_e"]) == ("Silent 2007", "", "")
    assert any("no data of Silent 2007" in line for line in review.told)
    assert any("'Costs'" in line for line in review.told)


def test_judgements(review):
    assert review.bias == {
        ("MRC-1 1974", "Random sequence generation"): "Low",
        ("CDP 1976", "Random sequence generation"): "Unclear",
        ("MRC-2 1979", "Random sequence generation"): "High",
        ("MRC-1 1974", "Blinding (Death)"): "High",
    }


@pytest.mark.parametrize(
    ("text", "codec", "told"),
    [
        (small(head='<?xml version="1.0" encoding="UTF-8"?>', names="Müller 2001"), "utf-8", 0),
        (small(names="Müller 2001"), "utf-8", 0),
        (small(names="Müller 2001"), "utf-8-sig", 0),
        (small(head='<?xml version="1.0" encoding="UTF-16"?>', names="Müller 2001"), "utf-16", 0),
        (small(head='<?xml version="1.0" encoding="ISO-8859-1"?>', names="Müller 2001"), "latin-1", 0),
        (small(head='<?xml version="1.0" encoding="UTF-8"?>', names="Müller 2001"), "cp1252", 1),
    ],
)
def test_encodings(text, codec, told):
    review = read_revman(text.encode(codec))
    assert review.studies == (("Müller 2001", "2001"),)
    assert len(review.told) == told


def test_bare_ampersands_and_named_characters_are_put_right():
    review = read_revman(small(title="Salt &amp; water & more&nbsp;&eacute;").encode())
    assert review.title == "Salt & water & more é"
    assert len(review.told) == 1


@pytest.mark.parametrize(
    ("measure", "method", "found"),
    [("PETO_OR", "PETO", ("OR", "Peto")), ("RD", "IV", ("RD", "Inverse")), ("RR", "MH", ("RR", "MH"))],
)
def test_measures_and_methods(measure, method, found):
    (outcome,) = read_revman(small(DATA.format(measure=measure, method=method, name="D")).encode()).outcomes
    assert (outcome.measure, outcome.method) == found


def test_observed_minus_expected():
    text = (
        '<IPD_OUTCOME METHOD="EXP_O_E_VAR" RANDOM="NO"><NAME>OS</NAME><EFFECT_MEASURE>Hazard ratio</EFFECT_MEASURE>'
        '<IPD_DATA O_E="-4.0" VAR="16.0" STUDY_ID="STD-A-2001" TOTAL_1="50" TOTAL_2="51"/></IPD_OUTCOME>'
    )
    (outcome,) = read_revman(small(text).encode()).outcomes
    assert (outcome.measure, outcome.rows[0]["te"], outcome.rows[0]["se"]) == ("HR", "-0.25", "0.25")


def test_two_outcomes_of_one_name_are_told_apart():
    one = DATA.format(measure="OR", method="MH", name="Death")
    names = [outcome.name for outcome in read_revman(small(one, one).encode()).outcomes]
    assert names == ["Death: X", "Death: X (2)"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"   \n", "the file is empty"),
        (b"PK\x03\x04rest", "compressed package"),
        (b"not xml at all", "is not well-formed XML"),
        (SAMPLE.read_bytes()[:2000], "is not well-formed XML"),
        (b"<html><body/></html>", "is XML but no RevMan review: it begins with <html>"),
        (b"<COCHRANE_REVIEW/>", "holds no data of two arms"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><COCHRANE_REVIEW>&b;</COCHRANE_REVIEW>', "entities"),
        (b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><COCHRANE_REVIEW>&c;</COCHRANE_REVIEW>', "entities"),
        ('<!DOCTYPE a [<!ENTITY b "bb">]><COCHRANE_REVIEW>&b;</COCHRANE_REVIEW>'.encode("utf-16"), "entities"),
    ],
)
def test_what_is_no_review_is_refused_in_one_line(content, said):
    with pytest.raises(DataError) as error:
        read_revman(content, "my.rm5")
    message = str(error.value)
    assert message.startswith("my.rm5: ")
    assert said in message
    assert "\n" not in message


def test_an_external_document_type_is_not_fetched():
    text = small(head='<!DOCTYPE COCHRANE_REVIEW SYSTEM "file:///etc/passwd">')
    assert read_revman(text.encode()).title == "T"
