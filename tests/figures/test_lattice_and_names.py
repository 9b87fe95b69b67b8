"""Rows found cell by cell where rows must stand, and small signs that tell arms apart."""

from dataclasses import replace

import numpy as np
import pytest

from metagrove.figures.hints import Hints
from metagrove.figures.page import Word
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.table.evidence import Ground
from metagrove.figures.table.lattice import with_lost_rows
from metagrove.figures.table.lines import CountLine
from metagrove.figures.table.risk_table import risk_rows
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.table.tying import named_and_counted
from metagrove.figures.writing.cells import centred_runs, cut_from_name, inked_run
from metagrove.figures.writing.ocr import Sight
from metagrove.figures.writing.signs import with_equals
from metagrove.figures.writing.words import phrases

TIMES = (0.0, 12.0, 24.0, 36.0)
X = axis_through([100, 300, 500, 700], TIMES, tolerance=2)
GROUND = Ground(X, axis_through([400, 200, 0], [0, 0.5, 1], tolerance=2), 1.0)


def read_row(label, counts, height):
    cells = tuple(
        Cell(t, n, None, True, (92 + 200 * k, height - 5, 108 + 200 * k, height + 5), str(n))
        for k, (t, n) in enumerate(zip(TIMES, counts, strict=True))
    )
    return RiskRow(label, (0, 0, 0), cells, height, 0, 10.0)


def finder(printed):
    """A reader that sees the counts printed at heights, each as likely as it is told."""

    def find(across, down, size):
        for height, counts in printed.items():
            k = round((across - 100) / 200)
            if abs(down - height) < 3 and abs(across - 100 - 200 * k) < 20 and counts[k] is not None:
                n, p = counts[k]
                return Sight(((n, p),), (across - 8, height - 5, across + 8, height + 5))
        return None

    return find


def line(height, text):
    word = Word(text, 10.0, height - 5, 10.0 + 8 * len(text), height + 5)
    return CountLine((word,), text, (), height, every=(word,))


def test_a_row_that_was_not_read_is_seen_where_the_next_row_must_stand():
    rows = [read_row("A", (90, 60, 40, 20), 500.0), read_row("B", (80, 50, 30, 10), 520.0)]
    lost = {540.0: [(70, 0.9), (44, 0.6), (21, 0.5), (9, 0.8)]}
    out = with_lost_rows(rows, [line(540.0, "Gr0up C")], X, finder(lost))
    assert [r.label for r in out] == ["A", "B", "Gr0up C"]
    assert [c.n for c in out[2].cells] == [70, 44, 21, 9]
    assert not any(c.sure for c in out[2].cells)


@pytest.mark.parametrize(
    ("label", "counts"),
    [
        ("Events", [(3, 0.9), (14, 0.9), (21, 0.9), (30, 0.9)]),
        ("C", [(70, 0.9), None, None, (9, 0.9)]),
        ("C", [(70, 0.05), (44, 0.05), (21, 0.1), (9, 0.02)]),
        ("(number censored)", [(70, 0.9), (44, 0.9), (21, 0.9), (9, 0.9)]),
    ],
)
def test_what_rises_is_full_of_gaps_is_hardly_read_or_is_titled_is_no_row(label, counts):
    rows = [read_row("A", (90, 60, 40, 20), 500.0), read_row("B", (80, 50, 30, 10), 520.0)]
    assert len(with_lost_rows(rows, [line(540.0, label)], X, finder({540.0: counts}))) == 2


def test_without_a_finder_nothing_is_looked_for():
    rows = [read_row("A", (90, 60, 40, 20), 500.0)]
    assert with_lost_rows(rows, [line(514.0, "B")], X, None) == rows


def test_a_first_count_cut_at_the_edge_of_a_panel_does_not_cost_its_row():
    def words(height, counts):
        return [
            Word(str(n), 100 + 200 * k - 8, height - 5, 100 + 200 * k + 8, height + 5) for k, n in enumerate(counts)
        ]

    page = words(430, TIMES_AS_PRINTED) + words(500, (5, 20, 16, 10)) + words(520, (60, 45, 23, 11))
    rows = risk_rows(page, LABELLED, below=405)
    assert [[c.n for c in r.cells] for r in rows] == [[5, 20, 16, 10], [60, 45, 23, 11]]
    assert [c.sure for c in rows[0].cells] == [False, True, True, True]
    assert len(risk_rows(words(430, TIMES_AS_PRINTED) + words(500, (5, 20, 26, 30)), LABELLED, below=405)) == 0


TIMES_AS_PRINTED = (0, 12, 24, 36)
LABELLED = replace(X, band=(425.0, 435.0))


def test_the_bars_between_two_words_are_a_sign_of_equality_and_a_hyphen_is_none():
    left, right = Word("group", 10, 10, 50, 22, colour=(9, 9, 9)), Word("0", 70, 10, 78, 22)
    ink = np.zeros((40, 100), np.float32)
    ink[13:15, 56:64] = ink[18:20, 56:64] = 1.0
    found = with_equals([left, right], ink)
    assert [w.text for w in phrases(found)] == ["group = 0"]
    ink[13:15] = 0
    assert with_equals([left, right], ink) == [left, right]


def test_a_lone_letter_may_stand_a_little_further_from_its_word():
    def pair(text, gap):
        return phrases([Word("Arm", 10, 10, 45, 23), Word(text, 45 + gap, 10, 45 + gap + 9 * len(text), 23)])

    assert [w.text for w in pair("B", 11.0)] == ["Arm B"]
    assert len(pair("Before", 11.0)) == len(pair("B", 14.0)) == 2


def curve(name, half):
    time = np.linspace(0, 36, 60)
    return ArmReading(name, (0, 0, 0), "solid", time, 0.5 ** (time / half), np.full(60, 0.1), np.full(60, 0.002))


def test_a_numeral_lost_in_the_legend_comes_back_from_the_table():
    halves = {"Stage I": 40, "Stage II": 20, "Stage III": 8}
    rows = [
        read_row(name, [round(200 * 0.5 ** (t / half)) for t in TIMES], 500.0 + 20 * k)
        for k, (name, half) in enumerate(halves.items())
    ]
    legend = [Word(text, 600, 20 + 20 * k, 660, 30 + 20 * k) for k, text in enumerate(halves)]
    arms = [curve(name, half) for name, half in zip(("Stage I", "Stage II", "Stage II"), halves.values(), strict=True)]
    named, cells, findings = named_and_counted(arms, rows, Hints(), legend, GROUND)
    assert [a.name for a in named] == list(halves)
    assert not findings
    assert {c.arm for c in cells} == set(halves)


def test_letters_that_touch_a_count_are_cut_off_where_its_middle_says():
    ink = np.zeros((30, 120), np.float32)
    for left in (26, 34, 42, 50, 58, 66):  # three letters of a name, then three digits round 62
        ink[10:20, left : left + 6] = 1.0
    ink[14, 26:72] = 0.4  # all in one piece
    run = inked_run(ink, 62.0, 15.0, 10.0)
    assert run == (26, 10, 72, 20)
    box = cut_from_name(ink, run, 61.0, 10.0)
    assert box is not None and 48 <= box[0] <= 51 and box[2] == 72
    assert cut_from_name(ink, (50, 10, 72, 20), 61.0, 10.0) is None


def test_a_bracket_belongs_to_the_count_before_it_though_it_stands_further_off():
    digits, bracket = [(10, 10, 15, 20), (17, 10, 22, 20)], [(30, 9, 33, 23), (34, 10, 39, 20), (40, 9, 43, 23)]
    runs = centred_runs([*digits, *bracket], 26.0, 15.0, 10.0)
    assert sorted(runs[0]) == sorted([*digits, *bracket])
    apart = centred_runs([*digits, (30, 10, 35, 20)], 23.0, 15.0, 10.0)
    assert (30, 10, 35, 20) not in apart[0]
