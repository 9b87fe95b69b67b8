import pytest

from metagrove.core.errors import DataError
from metagrove.review.columns import TABLES
from metagrove.review.notation import Notation, notation_of
from metagrove.review.tables import parse_table


@pytest.mark.parametrize(
    ("tokens", "delimiter", "decimal", "shown"),
    [
        (["2,125", "0,812"], ";", ",", True),
        (["2,125", "0,812"], ",", ",", True),
        (["2.125", "0.812"], ";", ".", True),
        (["2,125", "7,125"], ";", ",", False),
        (["1.234,5"], ",", ",", True),
        (["1,234,567"], ";", ".", True),
        (["1 234,5"], "\t", ",", True),
        (["2,125"], "\t", "", False),
        (["2,5", "0.8"], ",", "", True),
        (["1·7"], ";", ",", False),
        (["12", "7"], ",", ".", False),
    ],
)
def test_a_file_as_a_whole_shows_its_decimal_sign(tokens, delimiter, decimal, shown):
    assert notation_of(tokens, delimiter) == Notation(decimal, shown)


@pytest.mark.parametrize(
    ("notation", "token", "whole", "value"),
    [
        (Notation(",", True), "2,125", False, 2.125),
        (Notation(",", True), "1.000", True, 1000),
        (Notation(",", True), "1.234.567,5", False, 1234567.5),
        (Notation(",", False), "2,125", False, 2.125),
        (Notation(",", False), "1.000", True, 1000),
        (Notation(".", True), "2.125", False, 2.125),
        (Notation(".", True), "1,171", True, 1171),
        (Notation(".", False), "2.125", False, 2.125),
        (Notation("", False), "1,171", True, 1171),
        (Notation("", True), "2,5", False, 2.5),
        (Notation("", True), "1\u202f234·5", False, 1234.5),
        (Notation(",", True), "1,5e-3", False, 0.0015),
    ],
)
def test_a_number_is_read_as_its_file_writes_numbers(notation, token, whole, value):
    assert notation.value(token, whole=whole) == value


@pytest.mark.parametrize(
    ("notation", "token", "whole", "said"),
    [
        (Notation(",", False), "2.125", False, "can be 2.125 or 2125, and the file does not show which; write 2125 or"),
        (Notation(",", False), "1,000", True, "'1,000' can be 1.000 or 1000, and the file does not show which; write 1000"),
        (Notation(".", False), "1.000", True, "can be 1.000 or 1000"),
        (Notation("", True), "2,125", False, "the file has decimal points and decimal commas"),
        (Notation("", False), "2,125", False, "does not show which"),
    ],
)  # fmt: skip
def test_what_the_file_leaves_open_is_refused(notation, token, whole, said):
    with pytest.raises(DataError, match=said) as caught:
        notation.value(token, whole=whole)
    assert caught.value.rule == "ambiguous-number"


def test_a_table_with_semicolons_has_decimal_commas():
    content = "study;endpoint;statistic;value;time;ci_low\nLee;OS;median;2,125;;1,250\nLee;OS;rate;0,812;1,5;\n"
    first, second = parse_table(TABLES["survival"], content.encode()).rows
    assert (first["value"].value, first["ci_low"], second["value"].value) == (2.125, 1.25, 0.812)


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_decimal_commas_are_seen_under_every_delimiter(delimiter):
    quoted = '"{}"' if delimiter == "," else "{}"
    lines = [("study", "outcome", "events", "n", "printed"), ("Lee", "ORR", "500", "1.000", "0,500")]
    lines.append(("Kim", "ORR", "1", "1.250", "0,0008"))
    content = "\n".join(delimiter.join(quoted.format(cell) for cell in line) for line in lines)
    table = parse_table(TABLES["responses"], content.encode())
    assert [row["n"] for row in table.rows] == [1000, 1250]
    assert [row["printed"] for row in table.rows] == [0.5, 0.0008]


def test_an_ambiguous_cell_is_named():
    content = b"study;endpoint;time;n\nLee;OS;0;250\nLee;OS;2.125;240\n"
    (fault,) = parse_table(TABLES["at_risk"], content).faults
    assert str(fault).startswith("at_risk.csv, row 3, column 'time': '2.125' can be 2.125 or 2125")
