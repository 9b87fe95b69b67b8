import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.core.errors import DataError
from metagrove.review import cells


@pytest.mark.parametrize(
    ("text", "total", "expected"),
    [
        ("2/8", None, (2, 8)),
        ("2 of 8", 8, (2, 8)),
        ("25%", 8, (2, 8)),
        ("7", 20, (7, 20)),
        ("8 (24%)", 34, (8, 34)),
        ("9.1 %", 11, (1, 11)),
    ],
)
def test_counts_as_people_write_them(text, total, expected):
    assert cells.count_of_total(text, total) == expected


@pytest.mark.parametrize(
    ("text", "total", "message"),
    [
        ("2/8", 11, "says 8 in all"),
        ("26%", 8, "not a whole number of patients"),
        ("25%", None, "without a total"),
        ("-1", 8, "negative"),
        ("1.5", 8, "fraction"),
        ("two", 8, "not a number"),
        ("25%", 0, "of 0 patients"),
        ("1e400", 8, "beyond any number"),
        ("9" * 400, 8, "beyond any number"),
        ("5x", 8, "carries a unit"),
    ],
)
def test_impossible_counts_are_refused(text, total, message):
    with pytest.raises(DataError, match=message):
        cells.count_of_total(text, total)


def test_a_share_is_no_count():
    with pytest.raises(DataError, match="'70%' is a share; a count is a whole number"):
        cells.count("70%")


@pytest.mark.parametrize(
    ("text", "value", "low", "high", "unit"),
    [
        ("1.9 (1.3–3.6)", 1.9, 1.3, 3.6, ""),
        ("62 d", 62, None, None, "d"),
        ("7·4 mo (1·7 to 12·9)", 7.4, 1.7, 12.9, "mo"),
        ("11.9%", 11.9, None, None, "%"),
        ("−0.5", -0.5, None, None, ""),
        ("1,171", 1171, None, None, ""),
        ("2,5", 2.5, None, None, ""),
    ],
)
def test_estimates_as_papers_print_them(text, value, low, high, unit):
    found = cells.estimate(text)
    assert (found.value, found.low, found.high, found.unit, found.text) == (value, low, high, unit, text)


@pytest.mark.parametrize("text", ["", "NR", "\\", "n/a", "–", "Not reported", " NA "])
def test_missing_is_not_zero(text):
    assert cells.is_missing(text)


@pytest.mark.parametrize("text", ["0", "0%", "0/15", "none given"])
def test_zero_is_not_missing(text):
    assert not cells.is_missing(text)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_every_way_of_writing_a_count_means_the_same(pair):
    events, n = pair
    assert cells.count_of_total(f"{events}/{n}", None) == (events, n)
    assert cells.count_of_total(str(events), n) == (events, n)
    assert cells.count_of_total(f"{100 * events / n:.6f}%", n) == (events, n)


def test_proportions():
    assert cells.proportion("25%") == cells.proportion("0.25") == cells.proportion("2/8") == 0.25
    with pytest.raises(DataError, match="between 0 and 1"):
        cells.proportion("25")
