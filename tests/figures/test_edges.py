import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.lines.marks import mark_places
from metagrove.figures.lines.readout import steps_of
from metagrove.figures.lines.tracking import Path


def drawn(drops, pen, marks=()):
    """A staircase of 300 columns drawn with a square pen of `pen` pixels: its ink, its true row in each column."""
    row = np.full(300, 20, dtype=np.int32)
    for column, fall in drops:
        row[column:] += fall
    ink = np.zeros((int(row.max()) + 30, 300), dtype=np.float32)
    half = pen // 2
    for c in range(300):
        top = row[c - 1] if c else row[c]
        ink[top - half : row[c] + half + 1, max(c - half, 0) : c + half + 1] = 1
    for column in marks:
        ink[row[column] - half - 5 : row[column] + half + 6, column - 1 : column + 1] = 1
    return ink, row


def read(ink, row, pen):
    enter = np.concatenate([row[:1], row[:-1]]).astype(np.int32)
    path = Path(0, enter, row, np.ones(len(row), bool), 0.0)
    return path, steps_of(path, 2 * ink - 1, np.zeros(ink.shape, bool), float(pen))


def level(steps, columns):
    return steps.height[np.searchsorted(steps.begin, columns, side="right") - 1]


@settings(derandomize=True, deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.integers(10, 280), st.integers(1, 9)), min_size=1, max_size=40), st.sampled_from([3, 5, 7])
)
def test_steps_finer_than_the_pen_are_read(drops, pen):
    ink, row = drawn(drops, pen)
    _, steps = read(ink, row, pen)
    off = np.abs(level(steps, np.arange(5, 290) + 0.5) - (row[5:290] + 0.5))
    assert off.mean() < 0.3


@pytest.mark.parametrize("late", [0, 4])
def test_marks_do_not_move_the_curve_even_where_the_path_lags(late):
    drops = [(40, 6), (90, 4), (96, 5), (200, 12)]
    marks = (30, 60, 93, 150, 205, 250)
    ink, row = drawn(drops, 3, marks)
    lagging = np.concatenate([np.full(late, row[0]), row[: len(row) - late]]).astype(np.int32)
    lagging = np.where(np.abs(lagging - row) <= 6, lagging, row).astype(np.int32)
    _, steps = read(ink, lagging, 3)
    off = np.abs(level(steps, np.arange(5, 290) + 0.5) - (row[5:290] + 0.5))
    assert off.mean() < 0.4


def test_the_line_between_crowded_marks_is_kept():
    drops = [(c, 1 + c % 3) for c in range(12, 280, 7)]
    ink, row = drawn(drops, 3, tuple(range(14, 290, 3)))
    _, steps = read(ink, row, 3)
    off = np.abs(level(steps, np.arange(5, 290) + 0.5) - (row[5:290] + 0.5))
    assert off.mean() < 0.1


def test_marks_beside_drops_are_found_and_drops_are_none():
    marks = (30, 60, 150, 208, 250)
    ink, row = drawn([(40, 6), (90, 4), (200, 12)], 3, marks)
    path, steps = read(ink, row, 3)
    found = mark_places(path, steps, ink, 3.0)
    assert len(found) == len(marks)
    assert np.abs(np.sort(found) - np.array(marks)).max() < 1.0


def test_a_deep_drop_behind_another_line_is_told():
    ink, row = drawn([(100, 40)], 3)
    hidden = np.zeros(ink.shape, bool)
    hidden[:, 96:105] = True
    enter = np.concatenate([row[:1], row[:-1]]).astype(np.int32)
    path = Path(0, enter, row, np.ones(len(row), bool), 0.0)
    seen = steps_of(path, 2 * ink - 1, np.zeros(ink.shape, bool), 3.0)
    unseen = steps_of(path, 2 * ink - 1, hidden, 3.0)
    assert len(seen.unseen) == 0
    assert unseen.unseen[:, 1] == pytest.approx([40], abs=1)


def test_tinted_bands_are_no_line():
    ink, row = drawn([(100, 10), (180, 14)], 3)
    ink[row.min() :, 120:] = np.maximum(ink[row.min() :, 120:], 0.3)
    _, steps = read(ink, row, 3)
    off = np.abs(level(steps, np.arange(5, 290) + 0.5) - (row[5:290] + 0.5))
    assert off.mean() < 0.3


@pytest.mark.parametrize("cover", [1.0, 0.6])
def test_thin_and_short_marks_are_found_where_the_line_is_level(cover):
    marks = (30, 44, 60, 150, 178, 250)
    ink, row = drawn([(40, 6), (90, 4), (200, 12)], 3, ())
    for column in marks:
        level = row[column]
        ink[level - 4 : level + 5, column] = np.maximum(ink[level - 4 : level + 5, column], cover)
    path, steps = read(ink, row, 3)
    found = mark_places(path, steps, ink, 3.0)
    assert np.abs(found[:, None] - (np.array(marks) + 0.5)).min(axis=1).max() < 1.0
    assert len(found) >= len(marks) - 1


def test_marks_on_a_line_that_is_never_level_are_found():
    drops = [(c, 2) for c in range(10, 290, 6)]
    marks = tuple(range(25, 285, 18))
    ink, row = drawn(drops, 3, marks)
    path, steps = read(ink, row, 3)
    found = mark_places(path, steps, ink, 3.0)
    assert len(found) >= 0.6 * len(marks)
    assert np.abs(found[:, None] - np.array(marks)).min(axis=1).max() < 1.6


def test_marks_that_touch_are_told_by_the_dip_between_them():
    ink, row = drawn([(40, 6), (200, 12)], 3, (60, 90, 120, 230, 260))
    for column in (150, 153, 156):
        ink[row[column] - 6 : row[column] + 7, column - 1 : column + 1] = 1
        ink[row[column] - 4 : row[column] + 5, column + 1] = 1
    path, steps = read(ink, row, 3)
    found = mark_places(path, steps, ink, 3.0)
    assert [c for c in found if 140 < c < 170] == pytest.approx([150, 153, 156], abs=0.7)


def test_a_staircase_without_marks_shows_none_even_on_a_tinted_band():
    drops = [(c, 2) for c in range(12, 280, 9)]
    ink, row = drawn(drops, 3, ())
    ripple = np.random.default_rng(3).uniform(0, 0.3, ink.shape).astype(np.float32)
    path, steps = read(ink, row, 3)
    assert not len(mark_places(path, steps, np.maximum(ink, ripple), 3.0))


@pytest.mark.parametrize("covered", [False, True])
def test_a_drop_seen_in_part_is_doubted_unless_another_stroke_hides_the_rest(covered):
    ink, row = drawn([(150, 60)], 3)
    hidden = np.zeros(ink.shape, bool)
    ink[22:55, 140:160] = 0
    hidden[22:55, 146:155] = covered
    enter = np.concatenate([row[:1], row[:-1]]).astype(np.int32)
    steps = steps_of(Path(0, enter, row, np.ones(300, bool), 0.0), 2 * ink - 1, hidden, 3.0)
    assert bool(len(steps.unseen)) is not covered
