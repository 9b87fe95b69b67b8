"""Tables as programs and people leave them: own columns, glued names, lost brackets, illegible cells, numerals in order."""

from dataclasses import replace

import numpy as np
import pytest

from metagrove.figures.hints import Hints
from metagrove.figures.page import Word
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.table.blanks import with_blanks
from metagrove.figures.table.columns import column_axis
from metagrove.figures.table.doubted_counts import centred
from metagrove.figures.table.evidence import Ground
from metagrove.figures.table.likelihood import interval_of, losses_and_drops
from metagrove.figures.table.posterior import settled_by_curve
from metagrove.figures.table.recount import expected_times, recounted
from metagrove.figures.table.risk_table import risk_rows
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.table.tying import named_and_counted
from metagrove.figures.writing.cells import crowded
from metagrove.figures.writing.naming import in_numerals
from metagrove.figures.writing.ocr import Sight
from metagrove.figures.writing.words import phrases, romans

TICKS = (100.0, 200.0, 300.0, 400.0, 500.0)
TIMES = (0.0, 6.0, 12.0, 18.0, 24.0)
X = replace(axis_through(TICKS, TIMES, tolerance=2), band=(445.0, 455.0))
GROUND = Ground(X, axis_through([400, 200, 0], [0, 0.5, 1], tolerance=2), 1.0)
COUNTS = (90, 72, 51, 30, 8)


def said(text, middle, height, size=10.0):
    wide = 0.6 * size * len(text)
    return Word(text, middle - wide / 2, height - size / 2, middle + wide / 2, height + size / 2, score=0.95)


def line(label, counts, height, places=TICKS):
    return [
        said(label, 30.0, height),
        *(said(str(n), p, height) for n, p in zip(counts, places, strict=True) if n is not None),
    ]


def times_and_counts(row):
    return {c.time: c.n for c in row.cells}


OWN = tuple(98 + 112.0 * k for k in range(5))


def test_counts_in_columns_of_their_own_belong_to_the_ticks_in_turn():
    words = [*line("A", COUNTS, 500.0, OWN), *line("B", (60, 40, None, 12, 3), 520.0, OWN)]
    x = column_axis(words, X, below=405)
    assert np.allclose(x.pixels, OWN)
    assert float(x.value(OWN[2])) == pytest.approx(12.0)
    rows = risk_rows(words, x, below=405)
    assert times_and_counts(rows[0]) == dict(zip(TIMES, COUNTS, strict=True))
    assert times_and_counts(rows[1]) == {0.0: 60, 6.0: 40, 18.0: 12, 24.0: 3}


@pytest.mark.parametrize(
    "words",
    [
        line("A", COUNTS, 500.0),
        line("A", COUNTS, 500.0, [t + 22 for t in TICKS]),
        line("A", (8, 30, 51, 72, 90), 500.0, OWN),
        line("A", (90, 72, 51, 30, None), 500.0, OWN),
        [*line("A", COUNTS, 500.0, OWN), *line("B", (70, 50, 41, 20, 4), 520.0)],
        line("A", COUNTS, 500.0, (98.0, 190.0, 322.0, 434.0, 546.0)),
    ],
    ids=["under the ticks", "all aside", "rising", "too few", "another line under the ticks", "uneven"],
)
def test_columns_of_their_own_are_believed_only_where_all_speaks_for_them(words):
    assert column_axis(words, X, below=405) is X


def test_a_count_glued_to_the_dash_behind_its_name_is_cut_off_with_its_brackets():
    row = [said("A-90(0)", 88.0, 500.0), *(said(f"{n} (1)", t, 500.0) for n, t in zip(COUNTS, TICKS, strict=True))]
    del row[1]
    (found,) = risk_rows(row, X, below=405)
    assert found.label == "A"
    assert times_and_counts(found)[0.0] == 90


def test_pairs_whose_brackets_were_lost_are_pairs_beside_one_whose_were_not():
    row = [said("Drug", 20.0, 500.0)]
    for k, (n, t) in enumerate(zip(COUNTS, TICKS, strict=True)):
        row += [said(str(n), t - 10, 500.0), said("(9)" if k == 4 else "9", t + 10, 500.0)]
    (found,) = risk_rows(row, X, below=405)
    assert [c.n for c in found.cells] == list(COUNTS)
    assert [c.text for c in found.cells] == ["90 9", "72 9", "51 9", "30 9", "8 (9)"]
    assert all(c.sure for c in found.cells)


def read_row(label, counts, height=500.0, aside=()):
    cells = tuple(
        Cell(t, n, None, True, (p - 8 - 9 * (p in aside), height - 5, p + 8 - 9 * (p in aside), height + 5), str(n))
        for t, n, p in zip(TIMES, counts, TICKS, strict=True)
        if n is not None
    )
    return RiskRow(label, (0, 0, 0), cells, height, 0, 10.0)


def test_a_count_aside_has_lost_a_digit_but_not_in_a_table_of_pairs():
    rows = [read_row("A", COUNTS, aside=(300.0,)), read_row("B", COUNTS, 520.0)]
    assert [c.sure for c in centred(rows, X)[0].cells] == [True, True, False, True, True]
    pairs = replace(rows[1], cells=tuple(replace(c, text=f"{c.n} 3") for c in rows[1].cells))
    assert all(c.sure for c in centred([rows[0], pairs], X)[0].cells)


def test_lost_columns_between_uneven_ones_are_looked_for():
    rows = [read_row("A", (90, None, 51, None, None)), read_row("B", (80, None, None, 20, None), 520.0)]
    assert expected_times(rows, X) == list(TIMES[:4])

    def find(across, down, size):
        k = round((across - 100) / 100)
        return Sight(((COUNTS[k] - (down > 510), 0.999),), (across - 8, down - 5, across + 8, down + 5))

    assert [c.n for c in recounted(rows, X, find)[0].cells] == list(COUNTS)


def test_a_column_that_is_blank_in_all_rows_is_no_gap_but_ink_in_one_is():
    rows = [read_row("A", (90, None, 51, 30, None)), read_row("B", (80, None, 41, 20, None), 520.0)]
    paper = np.zeros((600, 600), np.float32)
    assert [r.holes for r in with_blanks(rows, X, paper)] == [0, 0]
    assert [r.holes for r in with_blanks(rows, X, None)] == [0, 0]
    paper[515:525, 195:205] = 1.0
    assert [r.holes for r in with_blanks(rows, X, paper)] == [1, 1]


def test_what_no_reader_can_make_out_is_a_gap_and_no_count():
    row = read_row("A", (90, 72, None, 30, 8))
    other = read_row("B", (80, 60, 40, 20, 10), 520.0)

    def find(across, down, size):
        return Sight(((7, 0.3), (1, 0.1)), (across - 8, down - 5, across + 8, down + 5))

    filled = recounted([row, other], X, find)
    assert [c.n for c in filled[0].cells] == [90, 72, 30, 8]
    assert filled[0].holes == 1


def curve(ends, *levels):
    times = np.linspace(0.0, ends, len(levels))
    return ArmReading(
        "A", (0, 0, 0), "solid", times, np.array(levels), np.full(len(levels), 0.05), np.full(len(levels), 0.002)
    )


def test_an_illegible_cell_makes_no_doubt_of_counts_that_both_readers_gave():
    arm = curve(24.0, 1.0, 0.9, 0.8, 0.7, 0.7)
    row = read_row("A", COUNTS)
    blur = replace(row.cells[2], sure=False, n=2, values=((2, 0.05), (0, 0.02)))
    out = settled_by_curve(replace(row, cells=(*row.cells[:2], blur, *row.cells[3:])), arm)
    assert [c.sure for c in out.cells] == [True, True, False, True, True]


def test_nobody_left_at_the_end_of_the_curve_may_have_stayed_up_to_there():
    steps = [1.0 - 0.005 * k for k in range(60)]
    until = curve(24.0, *[1.0] * 2, *steps)
    n = np.array(200.0)
    zero, some = (float(losses_and_drops(interval_of(0.0, 24.0, until), n, np.array(left))) for left in (0.0, 100.0))
    on = curve(48.0, *[1.0] * 2, *steps, *[steps[-1]] * 62)
    still = float(losses_and_drops(interval_of(0.0, 24.0, on), n, np.array(0.0)))
    assert interval_of(0.0, 24.0, until).ends and not interval_of(0.0, 24.0, on).ends
    assert zero > some - 6
    assert zero > still + 2


def test_letters_of_another_line_crowd_a_number_but_names_and_brackets_do_not():
    digits = [(100, 50, 106, 60), (108, 50, 114, 60)]
    beside = {
        "letter of a line above": (93, 42, 99, 58),
        "letter of a line below": (104, 52, 118, 66),
        "name": (93, 50, 98, 60),
        "descender": (93, 52, 98, 63),
        "bracket": (116, 48, 118, 63),
        "axis": (97, 30, 98, 80),
        "far": (80, 40, 86, 60),
    }
    found = {k for k, b in beside.items() if crowded([*digits, b], digits, 10.0)}
    assert found == {"letter of a line above", "letter of a line below"}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["Cohort", "Cohort II", "Cohort III", "Cohort V", "CohortV"], "I II III IV V"),
        (["Stage I", "Stage II", "Stage E"], "I II III"),
        (["Stage 1", "Stage Il", "Stage III", "Stage IV"], "I II III IV"),
    ],
)
def test_numerals_of_a_column_are_those_of_their_places(names, told):
    assert in_numerals(names) == [f"{names[0].split()[0]} {t}" for t in told.split()]


@pytest.mark.parametrize(
    "names",
    [
        ["Stage II", "Stage III", "Stage IV"],
        ["Stage I", "Stage II", "Stage IV"],
        ["Drug A", "Drug B", "Drug C"],
        ["Cohort I", "Cohort I", "Cohort I"],
        ["I", "II", "III"],
        ["Stage I", "Stage II"],
    ],
)
def test_other_names_stay_as_they_were_read(names):
    assert in_numerals(names) == names


def test_a_legend_whose_strokes_were_miscounted_takes_the_numerals_of_its_table():
    arms = [
        replace(curve(24.0, 1.0, 0.9 - 0.2 * k, 0.5 - 0.15 * k), name=n)
        for k, n in enumerate(["Stage I", "Stage I", "Stage III"])
    ]
    rows = [read_row(n, COUNTS, 500.0 + 20 * k) for k, n in enumerate(["Stage I", "Stage II", "Stage III"])]
    named, _, findings = named_and_counted(arms, rows, Hints(), [], GROUND)
    assert [a.name for a in named] == ["Stage I", "Stage II", "Stage III"]
    assert not findings
    others = [replace(r, label=n) for r, n in zip(rows, ["Stage I", "Stage I", "Stage III"], strict=True)]
    assert named_and_counted(arms, others, Hints(), [], GROUND)[2]


def test_ticks_above_the_labels_of_the_axis_are_no_row_where_rows_stand_below():
    words = [
        *(said(str(n), t, 430.0) for n, t in zip((55, 44, 33, 22, 11), TICKS, strict=True)),
        *line("A", COUNTS, 500.0),
    ]
    assert [r.label for r in risk_rows(words, X, below=405)] == ["A"]
    assert len(risk_rows(words[:5], X, below=405)) == 1


def test_numbers_that_rise_and_were_never_read_surely_are_no_row():
    words = [replace(w, second="") for w in line("+e", (4, 4, None, 49, None), 500.0)]
    assert risk_rows(words, X, below=405) == []


def test_numbers_between_the_ticks_that_stand_under_none_are_told():
    words = [*line("A", COUNTS, 500.0), said("61", 250.0, 500.0), said("0.71", 560.0, 500.0), said("12", 590.0, 500.0)]
    (row,) = risk_rows(words, X, below=405)
    assert times_and_counts(row) == dict(zip(TIMES, COUNTS, strict=True))
    assert row.strays == 1
    findings = named_and_counted([curve(24.0, 1.0, 0.8, 0.5)], [row], Hints(), [], GROUND)[2]
    assert [f.message for f in findings if "under no tick" in f.message] == [
        "1 numbers beside those at risk of 'A' stand under no tick"
    ]
    (plain,) = risk_rows(line("A", COUNTS, 500.0), X, below=405)
    assert plain.strays == 0


def test_second_numbers_of_cells_are_no_strays_though_their_brackets_were_lost():
    words = line("A", COUNTS, 500.0, [t - 6 for t in TICKS])
    words += [said(text, t + 10, 500.0) for text, t in zip(("0", "(3", "9"), TICKS[:3], strict=True)]
    (row,) = risk_rows(words, X, below=405)
    assert (times_and_counts(row), row.strays) == (dict(zip(TIMES, COUNTS, strict=True)), 0)
    assert [c.text for c in row.cells] == ["90", "72 (3", "51", "30", "8"]


def test_names_behind_the_counts_are_names_where_none_stand_before():
    def behind(name, counts, height):
        return [*line("", counts, height)[1:], *(said(w, 545.0 + 35 * k, height) for k, w in enumerate(name.split()))]

    words = [*behind("Drug A", COUNTS, 500.0), *behind("Drug B", (80, 60, 40, 20, None), 520.0)]
    assert [r.label for r in risk_rows(words, X, below=405)] == ["Drug A", "Drug B"]
    named = [*line("Placebo", COUNTS, 500.0), *line("Verum", (80, 60, 40, 20, 4), 520.0), said("HR", 560.0, 500.0)]
    assert [r.label for r in risk_rows(named, X, below=405)] == ["Placebo", "Verum"]


def test_the_mark_on_a_key_does_not_part_a_name_from_its_numeral():
    words = [said("tt", x, 300.0 + k) for k, x in enumerate((200.0, 260.0, 320.0))]
    name = Word("Stage", 144, 81, 253, 118, score=0.9)
    numeral, mark = Word("I", 271, 79, 275, 107, score=0.9), Word("|", 33, 88, 34, 99, score=0.4)
    assert "Stage I" in [p.text for p in phrases([*words, numeral, mark, name])]


def test_a_letter_as_narrow_as_a_stroke_behind_a_name_is_a_numeral():
    name = Word("Stage", 629, 42, 682, 61, score=0.9)
    assert [w.text for w in romans([name, Word("t", 691, 42, 694, 57, score=0.58)])] == ["Stage", "I"]
    assert [w.text for w in romans([name, Word("t", 691, 42, 698, 57, score=0.58)])] == ["Stage", "t"]
    assert [w.text for w in romans([name, Word("t", 691, 42, 694, 57, score=0.98)])] == ["Stage", "t"]
