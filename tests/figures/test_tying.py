"""Rows of numbers at risk tied to curves: by name, spelling, place and drops, and never silently by guess."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.hints import Hints
from metagrove.figures.page import Word
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.table.evidence import Ground
from metagrove.figures.table.recount import recounted
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.table.tying import named_and_counted, respelled, tied
from metagrove.figures.writing.naming import named_like
from metagrove.figures.writing.ocr import Sight

TIMES = (0.0, 12.0, 24.0, 36.0)
# what exponential curves with medians of 8, 14, 25 and 50 leave of a hundred people
COUNTS = ((100, 35, 12, 4), (100, 55, 30, 16), (100, 71, 51, 36), (100, 84, 71, 60))
GROUND = Ground(
    axis_through([100, 300, 500, 700], TIMES, tolerance=2), axis_through([400, 200, 0], [0, 0.5, 1], tolerance=2), 1.0
)


def arm(name, half, colour=(0, 0, 0), end=36.0):
    """An exponential curve with a median."""
    time = np.linspace(0, end, 60)
    level = 0.5 ** (time / half)
    return ArmReading(name, colour, "solid", time, level, np.full(60, 0.1), np.full(60, 0.002))


def row(label, counts, height=500.0, colour=(0, 0, 0), size=10.0):
    cells = tuple(
        Cell(t, n, None, True, (100 + 200 * k - 8, height - 5, 100 + 200 * k + 8, height + 5), str(n))
        for k, (t, n) in enumerate(zip(TIMES, counts, strict=True))
        if n is not None
    )
    return RiskRow(label, colour, cells, height, 0, size)


def test_a_misread_letter_is_no_other_name_but_another_number_is():
    known = ["Surgery", "Radiotherapy", "Surgery + RT"]
    assert [named_like(t, known) for t in ("Radlotherapy", "Surgery", "surgery+RT", "Placebo")] == [1, 0, 2, None]
    assert named_like("Group 2", ["Group 1", "Group 3"]) is None
    assert named_like("Cohort 1", ["Cohort I", "Cohort II"]) == 0


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.permutations(["Nivolumab", "Docetaxel", "Best supportive care", "Ipilimumab"]), st.integers(0, 8))
def test_spelling_ties_the_same_names_in_any_order(order, lost):
    arms = [arm(name, 20) for name in sorted(order)]
    rows = [row(name[:lost] + name[lost + 1 :], (90, 55, 30, 15), 500.0 + 20 * k) for k, name in enumerate(order)]
    tie = tied(rows, arms)
    assert (tie.order, tie.how, tie.sure) == (tuple(sorted(order).index(name) for name in order), "name", True)


def test_names_that_could_be_either_tie_nothing():
    arms = [arm("Group 1", 20), arm("Group 2", 20)]
    assert not tied([row("Group", (90, 55, 30, 15)), row("Group", (90, 55, 30, 15), 520.0)], arms).sure


def test_names_go_before_order():
    arms = [arm("Drug", 30), arm("Placebo", 10)]
    tie = tied([row("Placebo", (90, 40, 17, 7)), row("Drug", (90, 68, 50, 38))], arms)
    assert (tie.order, tie.how, tie.sure) == ((1, 0), "name", True)


def test_a_black_name_beside_its_curve_ties_the_row_where_the_drops_allow_it():
    arms = [arm("", 30, (200, 0, 0)), arm("", 28, (0, 0, 200))]
    rows = [row("Drug", (90, 65, 45, 30)), row("Placebo", (90, 65, 45, 30), 520.0)]
    # under the lower curve stands Drug, over the upper one Placebo
    upper, lower = (float(GROUND.heights(a, np.array([450.0]))[0]) for a in arms)
    words = [Word("Placebo", 420, upper - 25, 480, upper - 15), Word("Drug", 420, lower + 15, 480, lower + 25)]
    assert tied(rows, arms, words, GROUND).order == (1, 0)
    assert tied(rows, arms, words, GROUND).how == "place"
    both = [Word("Placebo", 420, upper - 25, 480, upper - 15), Word("Drug", 420, upper - 45, 480, upper - 35)]
    assert not tied(rows, arms, both, GROUND).sure


def test_rows_that_only_the_drops_could_tell_apart_are_tied_only_if_they_do():
    arms = [arm("", 40, (200, 0, 0)), arm("", 8, (0, 0, 200))]
    steep, flat = row("?", (90, 30, 10, 3)), row("!", (90, 72, 58, 45))
    assert tied([flat, steep], arms) == tied([flat, steep], arms)
    assert (tied([flat, steep], arms).order, tied([steep, flat], arms).order) == ((0, 1), (1, 0))
    assert not tied([steep, row("!", (90, 31, 10, 3))], arms).sure


def test_a_row_of_no_curve_is_kept_with_a_question():
    arms, cells, findings = named_and_counted(
        [arm("Drug", 30)],
        [row("Drug", (90, 65, 45, 30)), row("Control", (88, 30, 11, 4), 520.0)],
        Hints(),
        [],
        GROUND,
    )
    assert {(c.arm, c.sure) for c in cells} == {("Drug", True), ("Control", False)}
    assert [c.n for c in cells if c.arm == "Control"] == [88, 30, 11, 4]
    assert any("2 rows" in f.message and f.grave for f in findings)
    assert [a.name for a in arms] == ["Drug"]


def test_a_label_takes_the_spelling_that_is_printed_larger():
    words = [Word("Radiotherapy", 600, 20, 700, 34, score=0.99), Word("Surgery", 600, 40, 660, 54, score=0.99)]
    rows = [row("Radlotherapy", (9, 6, 4, 3)), row("Surgery", (9, 6, 4, 3), 520.0)]
    assert [r.label for r in respelled(rows, words)] == ["Radiotherapy", "Surgery"]
    small = [Word("Radiotherapy", 600, 20, 700, 26, score=0.99)]
    assert [r.label for r in respelled(rows, small)] == ["Radlotherapy", "Surgery"]


@pytest.mark.parametrize(("chance", "sure"), [(0.9995, True), (0.99, False)])
def test_a_missing_count_is_looked_for_at_its_tick(chance, sure):
    asked = []

    def find(across, down, size):
        asked.append((across, down))
        return Sight(((65, chance),), (across - 8, down - 5, across + 8, down + 5))

    rows = recounted([row("A", (90, None, 45, 30)), row("B", (88, 50, 40, 20), 520.0)], GROUND.x, find)
    assert asked == [(300.0, 500.0)]
    assert [(c.time, c.n, c.sure) for c in rows[0].cells][1] == (12.0, 65, sure)
    assert rows[0].holes == 0
    assert rows[1].cells == row("B", (88, 50, 40, 20), 520.0).cells


def test_a_count_that_is_nowhere_stays_a_hole():
    rows = recounted([row("A", (90, None, 45, 30)), row("B", (88, 50, 40, 20))], GROUND.x, lambda *_: None)
    assert [r.holes for r in rows] == [1, 0]


def test_counts_of_rows_that_nothing_ties_are_unsure():
    arms = [arm("", 10, (200, 0, 0)), arm("", 10.2, (0, 0, 200))]
    rows = [row("?", (90, 38, 16, 6)), row("!", (88, 37, 15, 6), 520.0)]
    _, cells, findings = named_and_counted(arms, rows, Hints(), [], GROUND)
    assert len(cells) == 8
    assert not any(c.sure for c in cells)
    assert any("name no arm" in f.message for f in findings)


def test_a_name_printed_in_the_colour_of_a_curve_ties_its_black_row():
    arms = [arm("", 21, (200, 0, 0)), arm("", 20, (0, 0, 200))]
    rows = [row("Drug", (90, 60, 40, 27)), row("Placebo", (90, 60, 40, 27), 520.0)]
    words = [
        Word("Placebo", 420, 20, 480, 30, colour=(190, 20, 20)),
        Word("Drug", 420, 60, 480, 70, colour=(20, 20, 190)),
    ]
    assert (tied(rows, arms, words).order, tied(rows, arms, words).how) == ((1, 0), "colour")
    plain = [replace(w, colour=(0, 0, 0)) for w in words]
    assert not tied(rows, arms, plain).sure
    # the labels of the rows themselves, a fraction of a pixel above the counts
    labels = [Word(r.label, 10, r.height - 5.5, 60, r.height + 4.5, colour=(0, 0, 0)) for r in rows]
    assert tied(rows, arms, [words[1], *labels]).how == "colour"


def test_the_order_of_the_legend_decides_where_names_and_counts_lean_its_way():
    known = ["Cohort I", "Cohort II", "Cohort III", "Cohort IV"]
    arms = [arm(name, half) for name, half in zip(known, (18, 20, 22, 24), strict=True)]
    read = ["Cohort I", "Cohort", "Cohort m", "Cohort IV"]
    left = [(100, *(round(100 * 0.5 ** (t / half)) - 1 for t in TIMES[1:])) for half in (18, 20, 22, 24)]
    table = [row(name, counts, 500.0 + 20 * k) for k, (name, counts) in enumerate(zip(read, left, strict=True))]
    words = [Word(name, 600, 20 + 20 * k, 660, 30 + 20 * k) for k, name in enumerate(known)]
    tie = tied(table, arms, words)
    assert (tie.order, tie.sure) == ((0, 1, 2, 3), True)
    # nor does a legend say anything whose names stand in no column and no row
    strewn = [replace(w, x0=40 * k * k, x1=40 * k * k + 60) for k, w in enumerate(words)]
    assert not tied(table, arms, strewn).sure


def test_an_order_that_the_counts_contradict_is_not_taken():
    known = ["Stage I", "Stage II", "Stage III"]
    arms = [arm(name, half) for name, half in zip(known, (50, 25, 8), strict=True)]
    words = [Word(name, 600, 20 + 20 * k, 660, 30 + 20 * k) for k, name in enumerate(known)]
    read = [row("Stage", counts, 500.0 + 20 * k) for k, counts in enumerate(COUNTS[:3])]
    tie = tied(read, arms, words)
    assert not (tie.sure and tie.order == (0, 1, 2))


@pytest.mark.parametrize("swapped", [(0, 1), (1, 0)])
def test_more_rows_than_curves_are_tied_by_name_or_colour_alone(swapped):
    arms = [arm("Drug", 30, (200, 0, 0)), arm("Placebo", 10, (0, 0, 200))]
    rows = [row("Drug", (90, 65, 45, 30)), row("Placebo", (90, 40, 17, 7)), row("Other", (50, 30, 20, 10))]
    assert tied([rows[k] for k in (*swapped, 2)], arms).order == (*swapped, None)
    assert not tied(rows, arms).sure


@pytest.mark.parametrize("read", [True, False])
def test_a_doubtful_count_alone_ties_nothing(read):
    arms = [arm("", 20, (200, 0, 0)), arm("", 8, (0, 0, 200))]
    # nearly everybody leaves early, which both curves allow, but for one number
    table = [row("?", (100, 20, 5, 1)), row("!", (100, 60, 5, 1), 520.0)]
    cells = tuple(replace(c, sure=read or c.n != 60) for c in table[1].cells)
    tie = tied([table[0], replace(table[1], cells=cells)], arms)
    assert (tie.order, tie.sure) == ((1, 0), read)
    unread = [replace(r, cells=tuple(replace(c, sure=False) for c in r.cells)) for r in table]
    more = replace(unread[1], cells=row("!", (100, 60, 38, 24)).cells)
    assert tied([unread[0], more], arms).sure
