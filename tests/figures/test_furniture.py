"""Frames, ruled tables, landmark lines and lines of writing need no curve; a curve that was missed is none of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.doubts.furniture import in_cells, in_line, landmarks, ruled_boxes
from metagrove.figures.page import Word

NONE = np.zeros((400, 600), dtype=bool)


def boxed(top, left, tall, wide, rules=1):
    ink = NONE.copy()
    for row in np.linspace(top, top + tall, rules + 1).round().astype(int):
        ink[row : row + 2, left : left + wide] = True
    ink[top : top + tall, left : left + 2] = True
    ink[top : top + tall, left + wide - 2 : left + wide] = True
    return ink


def staircase(seed):
    """A line of one piece that falls across the plot."""
    rng = np.random.default_rng(seed)
    ink = NONE.copy()
    row = 20
    for column in range(10, 580):
        ink[row : row + 2, column] = True
        if rng.random() < 0.08:
            drop = int(rng.integers(4, 20))
            ink[row : min(row + drop, 396), column : column + 2] = True
            row = min(row + drop, 395)
    return ink


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(15, 150), st.integers(40, 300), st.integers(30, 120), st.integers(80, 200), st.integers(1, 3))
def test_a_frame_explains_what_it_holds(top, left, tall, wide, rules):
    ink = boxed(top, left, tall, wide, rules)
    found = ruled_boxes(ink, NONE)
    assert found[top + tall // 2, left + wide // 2]
    assert not found[: top - 2].any()
    through = NONE.copy()
    through[top + tall // 2, left + 3 : left + wide] = True
    assert not ruled_boxes(ink, through).any()


def test_a_landmark_that_hangs_on_a_frame_is_no_part_of_it():
    ink = boxed(20, 100, 60, 200)
    ink[60:380, 160:162] = True
    found = ruled_boxes(ink, NONE)
    assert found[50, 200]
    assert not found[200:].any()


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_a_curve_is_neither_frame_nor_landmark(seed):
    ink = staircase(seed)
    assert not ruled_boxes(ink, NONE).any()
    assert not landmarks(ink, NONE).any()


@pytest.mark.parametrize(("rows", "marks"), [(range(20, 380, 12), True), (range(20, 120, 12), False)])
def test_dashes_above_each_other_over_the_plot_are_a_landmark(rows, marks):
    ink = NONE.copy()
    for row in rows:
        ink[row : row + 7, 200:202] = True
    assert bool(landmarks(ink, NONE).any()) is marks


def word(text, x0, x1, y=50.0, score=0.95):
    return Word(text, x0, y - 6, x1, y + 6, score=score)


def test_a_line_of_writing_takes_its_short_words_along():
    said = [word("Early therapy", 100, 180)]
    beside, far, low, rate = (
        word("(n", 190, 202),
        word("II", 300, 310),
        word("=", 190, 198, y=80),
        word("88%", 400, 425, y=200),
    )
    found = in_line(said, [*said, beside, word("= 69)", 212, 240), far, low, rate])
    assert [w.text for w in found] == ["Early therapy", "88%", "(n", "= 69)"]


def test_numbers_of_a_small_table_in_the_plot_belong_to_its_writing():
    said = [word("Surgery", 100, 160, y=70), word("Radiation", 100, 170, y=95), word("Events", 220, 260)]
    cells = [word("17", 235, 245, y=70), word("1€", 235, 245, y=95, score=0.95)]
    # a mark beside a name, a number of an axis, and a scrap read badly
    others = [word("|", 238, 240, y=95), word("60", 400, 414, y=200), word("44", 238, 246, y=70, score=0.6)]
    assert in_cells(said, [*said, *cells, *others]) == [*said, *cells]


def test_marks_read_as_ones_are_no_percentage():
    assert in_line([], [word("11%", 10, 40)]) == []
