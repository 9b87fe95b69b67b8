import pytest

from metagrove.core.errors import DataError
from metagrove.review.columns import TABLES, column_mapping
from metagrove.review.tables import decoded, parse_table, read_rows

RESPONSES = TABLES["responses"]


def table(text, **options):
    return parse_table(RESPONSES, text.encode(), **options)


def fault(text, **options):
    (only,) = table(text, **options).faults
    return str(only)


def test_columns_are_found_by_synonym():
    read = table("Endpoint;First author;Responders;Sample size\nORR;Lee;2;8\n")
    assert dict(read.mapping) == {
        "Endpoint": "outcome",
        "First author": "study",
        "Responders": "events",
        "Sample size": "n",
    }
    row = read.rows[0]
    assert (row["outcome"], row["study"], row["events"], row["n"], row.number) == ("ORR", "Lee", 2, 8, 2)


def test_a_given_mapping_wins():
    read = table("outcome,study,events,evaluable n,n\nORR,Lee,2,8,11\n", given={"evaluable n": "n"})
    assert read.rows[0]["n"] == 8
    with pytest.raises(DataError, match="not in the header"):
        table("outcome,study,events\nORR,Lee,2/8\n", given={"patients": "n"})


def test_unknown_columns_are_kept_as_text():
    assert table("outcome,study,events,n,country\nORR,Lee,2,8,Korea\n").rows[0].text("country") == "Korea"


def test_sources_come_along():
    row = table("outcome,study,events,n,document,locator\nORR,Lee,2/8,,Lee 2020,Table 3\n").rows[0]
    assert str(row.source) == "Lee 2020, Table 3"
    assert len(row.source.digest) == 64


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ORR,Lee,9,8", "responses.csv, row 3, column 'events': 9 events among 8"),
        ("ORR,Lee,-2,8", "responses.csv, row 3, column 'events': '-2' is negative"),
        ("ORR,Lee,2.5,8", "responses.csv, row 3, column 'events': '2.5' is a fraction"),
        ("ORR,Kim,1,8", "responses.csv, row 3, column 'outcome': 'ORR, Kim' stands in row 2 already"),
        ("ORR,Lee,2,eight", "responses.csv, row 3, column 'n': 'eight' is not a number"),
        ("ORR,,2,8", "responses.csv, row 3, column 'study': is empty"),
    ],
)
def test_a_bad_row_is_named(line, message):
    assert message in fault(f"outcome,study,events,n\nORR,Kim,1,10\n{line}\n")


def test_an_unknown_study_is_named_with_the_nearest():
    text = "outcome,study,events,n\nORR,Whirth,1,8\n"
    assert "row 2, column 'study': 'Whirth' is not in studies.csv; nearest: 'Wirth'" in fault(
        text, known_studies=["Ha", "Wirth"]
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the table is empty"),
        (b"outcome,study,events,n\n", "there is a header but no row"),
        (
            "outcome,study,events,n\nORR,Müller,1,2\n".encode("cp1252"),
            "row 2, column 'study': byte 0xfc near .* is not UTF-8",
        ),
        (b"PK\x03\x04rest", "this is a workbook"),
        (b"outcome,study,events,n\nORR,Lee,1,2,surplus\n", "row 2: 5 cells under 4 columns"),
        (b"outcome,study,n\nORR,Lee,2\n", "row 1: no column 'events'"),
    ],
)
def test_an_unreadable_file_is_refused_in_one_line(content, message):
    with pytest.raises(DataError, match=message) as caught:
        parse_table(RESPONSES, content)
    assert "\n" not in str(caught.value)


def test_bom_semicolons_tabs_and_blank_lines_are_understood():
    for delimiter in ",;\t":
        text = "\ufeff" + "\n".join(
            ["", delimiter.join(["study", "outcome", "events"]), "", delimiter.join(["Lee", "ORR", "2/8"])]
        )
        header, rows = read_rows(text.encode(), "x.csv")
        assert header == ["study", "outcome", "events"]
        assert rows == [(4, ["Lee", "ORR", "2/8"])]


def test_decoded_strips_the_byte_order_mark():
    assert decoded(b"\xef\xbb\xbfa", "f") == "a"


@pytest.mark.parametrize("layout", TABLES.values(), ids=TABLES)
def test_no_two_columns_share_a_name(layout):
    names = [column.name for column in layout.columns]
    assert len(names) == len(set(names))
    assert column_mapping(layout, names) == {name: name for name in names}
