"""Tables of numbers at risk as papers print them: names in two lines, other columns, sums, dashes, pairs, blocks."""

from dataclasses import replace

import numpy as np
import pytest

from metagrove.figures.page import Word
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.table.blanks import with_blanks
from metagrove.figures.table.labels import title
from metagrove.figures.table.recount import recounted
from metagrove.figures.table.risk_table import risk_rows
from metagrove.figures.table.rows import towards_plot
from metagrove.figures.writing.ocr import Sight

X = replace(axis_through([200, 300, 400, 500], (0.0, 12.0, 24.0, 36.0), tolerance=2), band=(440.0, 452.0))
TICKS = (200, 300, 400, 500)


def said(text, left, height, size=10.0):
    """Words of a phrase, six tenths of their height wide a letter."""
    out = []
    for part in text.split():
        right = left + 0.6 * size * len(part)
        out.append(Word(part, left, height - size / 2, right, height + size / 2, second=part))
        left = right + 0.4 * size
    return out


def counts(values, height, size=10.0):
    out = []
    for tick, value in zip(TICKS, values, strict=True):
        wide = 0.6 * size * len(value)
        out.append(Word(value, tick - wide / 2, height - size / 2, tick + wide / 2, height + size / 2, second=value))
    return out


def rows_of(*words):
    return risk_rows([w for group in words for w in group], X, below=453.0)


def test_a_name_goes_on_in_a_second_line():
    rows = rows_of(
        said("Pembrolizumab plus", 10, 480),
        counts(("154", "136", "121", "110"), 480),
        said("chemotherapy", 10, 493),
        said("Placebo plus", 10, 515),
        counts(("151", "123", "106", "64"), 515),
        said("chemotherapy", 10, 528),
    )
    assert [r.label for r in rows] == ["Pembrolizumab plus chemotherapy", "Placebo plus chemotherapy"]


def test_counts_between_the_two_lines_of_a_name_have_both():
    rows = rows_of(
        said("Drug A with", 10, 474),
        counts(("154", "136", "121", "110"), 481),
        said("radiation", 10, 488),
        said("Drug B with", 10, 514),
        counts(("151", "123", "106", "64"), 521),
        said("radiation", 10, 528),
    )
    assert [r.label for r in rows] == ["Drug A with radiation", "Drug B with radiation"]


def test_a_column_of_events_is_no_part_of_the_names():
    rows = rows_of(
        said("Drug A", 10, 480), said("57/154", 110, 480), counts(("154", "136", "121", "110"), 480),
        said("Arm 2", 10, 500), said("80/151", 110, 500), counts(("151", "123", "106", "64"), 500),
    )  # fmt: skip
    assert [r.label for r in rows] == ["Drug A", "Arm 2"]
    assert [[c.n for c in r.cells] for r in rows] == [[154, 136, 121, 110], [151, 123, 106, 64]]


@pytest.mark.parametrize("total", [("305", "259", "227", "174"), ("305", "259", "226", "170")])
def test_the_sum_of_all_rows_is_no_arm(total):
    rows = rows_of(
        said("Drug", 10, 480), counts(("154", "136", "121", "110"), 480),
        said("Placebo", 10, 500), counts(("151", "123", "106", "64"), 500),
        said("All", 10, 520), counts(total, 520),
    )  # fmt: skip
    assert len(rows) == (2 if total[2] == "227" else 3)


def test_a_dash_is_an_empty_cell_and_no_gap():
    rows = rows_of(
        said("Drug", 10, 480), counts(("154", "136", "—", "110"), 480),
        said("Placebo", 10, 500), counts(("151", "123", "106", "NA"), 500),
    )  # fmt: skip
    assert [r.holes for r in rows] == [0, 0]
    assert [r.empty for r in rows] == [(24.0,), (36.0,)]
    unread = rows_of(said("Drug", 10, 480), [w for w in counts(("154", "136", "?", "110"), 480) if w.text != "?"])
    assert unread[0].holes == 1


@pytest.mark.parametrize("shown", [False, True])
def test_a_row_may_end_before_the_others_where_the_page_is_blank(shown):
    rows = rows_of(
        said("Drug", 10, 480), counts(("154", "136", "121", "110"), 480),
        said("Placebo", 10, 500), counts(("151", "123", "106", "64"), 500)[:3],
    )  # fmt: skip
    dark = np.zeros((600, 600), np.float32)
    if shown:
        dark[496:504, 496:503] = 1.0
    ended = with_blanks(rows, X, dark)[1]
    assert (ended.empty, ended.holes) == (((), 1) if shown else ((36.0,), 0))
    # what the words of a drawing lack is blank
    assert with_blanks(rows, X, None)[1].holes == 0
    assert with_blanks([], X, dark) == []


@pytest.mark.parametrize(("high", "wide", "holes"), [(1, 6, 0), (2, 7, 0), (9, 2, 1), (2, 2, 1), (9, 7, 1)])
def test_a_dash_that_was_not_read_is_seen(high, wide, holes):
    words = said("Drug", 10, 480), counts(("154", "136", "121", "110"), 480), said("Placebo", 10, 500)
    rows = rows_of(*words, [w for k, w in enumerate(counts(("151", "123", "106", "64"), 500)) if k != 1])
    dark = np.zeros((600, 600), np.float32)
    dark[500 - high // 2 : 500 - high // 2 + high, 300 - wide // 2 : 300 - wide // 2 + wide] = 0.9
    assert with_blanks(rows, X, dark)[1].holes == holes


def test_a_gap_between_counts_is_no_end():
    rows = rows_of(
        said("Drug", 10, 480), counts(("154", "136", "121", "110"), 480),
        said("Placebo", 10, 500), [w for k, w in enumerate(counts(("151", "123", "106", "64"), 500)) if k != 1],
    )  # fmt: skip
    assert with_blanks(rows, X, None)[1].holes == 1


def test_numbers_in_pairs_are_people_at_risk_and_censored():
    words = said("Drug", 10, 480)
    for tick, (n, lost) in zip(TICKS, (("60", "0"), ("44", "2"), ("19", "14"), ("8", "22")), strict=True):
        words += [*said(n, tick + 2 - 6 * len(n), 480), *said(lost, tick + 10, 480)]
    (row,) = rows_of(words)
    assert [(c.n, c.censored) for c in row.cells] == [(60, 0), (44, 2), (19, 14), (8, 22)]


@pytest.mark.parametrize(("cell", "n", "more"), [("1,204", 1204, None), ("88(12)", 88, 12), ("88/12", 88, 12)])
def test_forms_of_cells(cell, n, more):
    (row,) = rows_of(said("Drug", 10, 480), counts((cell, "80", "41", "20"), 480))
    assert (row.cells[0].n, row.cells[0].censored) == (n, more)


def test_events_over_people_at_risk_give_the_people():
    (row,) = rows_of(said("Drug", 10, 480), counts(("0/155", "21/122", "30/96", "41/72"), 480))
    assert [c.n for c in row.cells] == [155, 122, 96, 72]
    (row,) = rows_of(said("Drug", 10, 480), counts(("155/0", "122/21", "96/30", "72/41"), 480))
    assert [(c.n, c.censored) for c in row.cells] == [(155, 0), (122, 21), (96, 30), (72, 41)]


@pytest.mark.parametrize(("second", "sure"), [("155?0", True), ("15510", True), ("165?0", False), ("?", False)])
def test_a_reader_of_digits_alone_confirms_the_number_before_a_stroke(second, sure):
    cells = counts(("155/0", "122/21", "96/30", "72/41"), 480)
    (row,) = rows_of(said("Drug", 10, 480), [replace(cells[0], second=second), *cells[1:]])
    assert (row.cells[0].n, row.cells[0].sure) == (155, sure)
    # nor are such cells looked for as plain numbers
    assert recounted([row], X, lambda *_: pytest.fail("looked for")) == [row]


def test_names_far_from_their_counts_stand_in_the_column_of_the_others():
    rows = rows_of(
        said("Observation", 10, 480), counts(("154", "136", "121", "110"), 480),
        said("CT", 10, 500), counts(("151", "123", "106", "64"), 500),
    )  # fmt: skip
    assert [r.label for r in rows] == ["Observation", "CT"]


def test_a_name_over_its_block_may_stand_beside_the_title_of_the_axis():
    block = [
        *said("Stage I", 150, 466), *said("Days since", 320, 466),
        *said("At risk", 100, 480), *counts(("93", "68", "51", "26"), 480),
        *said("Censored", 100, 494), *counts(("0", "5", "10", "24"), 494),
        *said("Stage II", 150, 516), *said("At risk", 100, 530), *counts(("261", "215", "109", "51"), 530),
        *said("Censored", 100, 544), *counts(("0", "9", "50", "90"), 544),
    ]  # fmt: skip
    assert [r.label for r in rows_of(block)] == ["Stage I", "Stage II"]


def test_the_heading_before_a_row_is_no_part_of_its_name():
    rows = rows_of(
        said("No. at risk", 10, 480), said("Drug", 80, 480), counts(("154", "136", "121", "110"), 480),
        said("Placebo ....", 80, 500), counts(("151", "123", "106", "64"), 500),
    )  # fmt: skip
    assert [r.label for r in rows] == ["Drug", "Placebo"]
    (alone,) = rows_of(said("Number at risk", 10, 480), counts(("154", "136", "121", "110"), 480))
    assert alone.label == ""


def test_bars_that_are_written_as_signs_are_no_names():
    bars = rows_of(
        said("−", 80, 480), counts(("154", "136", "121", "110"), 480),
        said("−", 80, 500), counts(("151", "123", "106", "64"), 500),
    )  # fmt: skip
    assert [r.label for r in bars] == ["", ""]
    status = rows_of(
        said("+", 80, 480), counts(("154", "136", "121", "110"), 480),
        said("−", 80, 500), counts(("151", "123", "106", "64"), 500),
    )  # fmt: skip
    assert [r.label for r in status] == ["+", "−"]


def test_headings_are_no_names():
    assert all(title(t) for t in ("No. at risk", "Number at Risk", "Patients at risk", "(number censored)", "Events"))
    assert not any(title(t) for t in ("High risk", "Low-risk group", "Eventually treated", "Placebo"))


@pytest.mark.parametrize(
    ("gap", "heading", "rows"), [(60, "", 2), (110, "", 0), (110, "No. at risk", 2), (190, "No. at risk", 0)]
)
def test_a_table_farther_down_counts_where_its_heading_announces_it(gap, heading, rows):
    top = 452 + gap
    below = top + (20 if heading else 0)
    found = rows_of(
        said(heading, 60, top), counts(("50", "40", "30", "20"), below), counts(("45", "35", "25", "15"), below + 20)
    )
    assert len(found) == rows


OVER = (
    ("n at risk", 40, None),
    ("Placebo", 60, ("154", "136", "121", "110")),
    ("Drug", 80, ("151", "123", "106", "64")),
)


def over(*lines, above=100.0):
    words = [w for name, height, row in lines for w in (said(name, 20, height) + (counts(row, height) if row else []))]
    return risk_rows(words, X, below=453.0, above=above)


def test_a_table_may_stand_over_the_plot():
    rows = over(*OVER)
    assert [(r.label, [c.n for c in r.cells], r.over) for r in rows] == [
        ("Placebo", [154, 136, 121, 110], True),
        ("Drug", [151, 123, 106, 64], True),
    ]
    legend = [*said("Placebo", 420, 140), *said("Drug", 420, 160), *said("Drug", 20, 80)]
    assert [w.cy for w in towards_plot(legend, rows)] == [140, 160]


@pytest.mark.parametrize(
    "lines",
    [
        (("Time", 20, ("0", "12", "24", "36")), *OVER),
        (("", 60, ("154", "136", "121", "110")), ("", 80, ("151", "123", "106", "64"))),
        (("Drug", 98, ("151", "123", "106", "64")),),
    ],
    ids=["another axis above it", "neither names nor heading", "in the plot"],
)
def test_what_stands_over_a_plot_is_not_always_its_table(lines):
    assert over(*lines) == []


def test_a_table_over_the_plot_does_not_go_on_into_it():
    def find(across, height, size):
        return Sight(((90, 0.999),), (across - 8, height - 5, across + 8, height + 5))

    words = [w for name, height, row in OVER for w in (said(name, 20, height) + (counts(row, height) if row else []))]
    assert len(risk_rows(words, X, below=453.0, above=96.0, find=find)) == 2


def test_names_behind_the_counts_win_over_totals_before_them():
    rows = rows_of(
        said("172", 60, 480), said("286", 110, 480), counts(("202", "141", "100", "49"), 480), said("Arm 1", 560, 480),
        said("152", 60, 500), said("255", 110, 500), counts(("158", "96", "42", "24"), 500), said("Arm 2", 560, 500),
    )  # fmt: skip
    assert [r.label for r in rows] == ["Arm 1", "Arm 2"]
    assert [r.cells[0].n for r in rows] == [202, 158]


def test_totals_before_the_counts_are_no_names():
    rows = rows_of(
        said("286", 110, 480), counts(("202", "141", "100", "49"), 480),
        said("255", 110, 500), counts(("158", "96", "42", "24"), 500),
    )  # fmt: skip
    assert [r.label for r in rows] == ["", ""]


def test_a_name_behind_the_counts_has_two_lines():
    rows = rows_of(
        counts(("202", "141", "100", "49"), 480), said("Surgery alone", 560, 480),
        said("Surgery followed", 560, 494), counts(("158", "96", "42", "24"), 500), said("by drugs", 560, 506),
    )  # fmt: skip
    assert [r.label for r in rows] == ["Surgery alone", "Surgery followed by drugs"]


def test_digits_in_a_column_far_before_their_counts_are_names():
    rows = rows_of(
        said("1", 20, 480), counts(("154", "136", "121", "110"), 480),
        said("2", 20, 500), counts(("151", "123", "106", "64"), 500),
    )  # fmt: skip
    assert [r.label for r in rows] == ["1", "2"]
