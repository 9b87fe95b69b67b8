"""Curves drawn here by oversampling, blurred and read back from the drawing; what is hidden and what marks cover stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.lines.drawing import PER, Drawing, Line, tones
from metagrove.figures.lines.pen import Ink, pen_of
from metagrove.figures.lines.readout import grid_phase

FINE = 8
WIDE, TALL = 160, 90
RED, BLUE, GREEN = (192, 0, 0), (68, 114, 196), (44, 160, 44)


def inked(begin, height, width, end=WIDE):
    """Where a square pen leaves ink that draws a falling staircase, on a grid of `FINE` points a pixel."""
    x = (np.arange(WIDE * FINE) + 0.5) / FINE
    y = (np.arange(TALL * FINE) + 0.5) / FINE

    def row(at):
        return height[np.clip(np.searchsorted(begin, at, side="right") - 1, 0, None)]

    top, bottom = row(x - width / 2) - width / 2, row(x + width / 2) + width / 2
    return (y[:, None] > top) & (y[:, None] < bottom) & (x < end)


def drawn(begin, height, width, blur):
    """The share of each pixel under the pen, blurred."""
    import cv2

    cover = inked(begin, height, width).reshape(TALL, FINE, WIDE, FINE).mean(axis=(1, 3))
    return cv2.GaussianBlur(cover, (0, 0), blur) if blur else cover


def painted(curves, width, blur, marks=(), half=4.0):
    """A white picture with curves (begin, height, ink) over each other, `marks` of (curve, column) over all."""
    import cv2

    fine = np.full((TALL * FINE, WIDE * FINE, 3), 255.0, np.float32)
    for begin, height, ink in curves:
        fine[inked(begin, height, width)] = ink
    for k, column in marks:
        begin, height, ink = curves[k]
        row = height[np.searchsorted(begin, column, side="right") - 1]
        rows = slice(round((row - half) * FINE), round((row + half) * FINE))
        fine[rows, round((column - 0.6) * FINE) : round((column + 0.6) * FINE)] = ink
    picture = fine.reshape(TALL, FINE, WIDE, FINE, 3).mean(axis=(1, 3))
    picture = cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture
    return np.round(picture).astype(np.uint8)


def fitted(picture, curves, starts, width, blur, use=None):
    """The rows of each cell that the drawing of all curves ends at, from those at which it starts."""
    lines = [Line(rows.copy(), 155.0, width, 7.0, np.ones(WIDE), np.zeros(WIDE)) for rows in starts]
    inks = np.ascontiguousarray(tones(np.array([ink for *_, ink in curves], np.float32)).T)
    use = np.ones((TALL, WIDE), bool) if use is None else use
    drawing = Drawing(tones(picture), tones(np.full_like(picture, 255)), use, lines, inks, max(blur, 0.05))
    drawing.fit()
    drawing.simplify(6.0, 6)
    return [line.h for line in drawing.lines]


def cells(begin, height):
    """The rows of a staircase in the middle of each cell."""
    at = (np.arange(155 * PER) + 0.5) / PER
    return height[np.searchsorted(begin, at, side="right") - 1]


def off(rows, begin, height):
    """Mean distance in rows of cells from a staircase."""
    at = np.arange(4, 150, 0.05)
    true = height[np.searchsorted(begin, at, side="right") - 1]
    return float(np.abs(rows[(at * PER).astype(int)] - true).mean())


def stairs(seed, count):
    rng = np.random.default_rng(seed)
    begin = np.concatenate([[0.0], np.cumsum(rng.uniform(6, 18, count))])
    height = 12 + np.concatenate([[0.0], np.cumsum(rng.uniform(1.0, 7.0, count))])
    return begin, height


@settings(derandomize=True, deadline=None, max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([1.6, 2.4, 4.3]), st.sampled_from([0.0, 0.6, 1.0]))
def test_a_staircase_read_roughly_is_read_exactly(seed, width, blur):
    begin, height = stairs(seed, 8)
    rng = np.random.default_rng(seed + 1)
    rough = np.append(0.0, begin[1:] + rng.uniform(-0.9, 0.9, len(begin) - 1))
    start = cells(rough, height + np.append(0.0, rng.uniform(-0.4, 0.4, len(height) - 1)))
    curve = (begin, height, RED)
    (found,) = fitted(painted([curve], width, blur), [curve], [start], width, blur)
    assert off(found, begin, height) < 0.12
    assert off(found, begin, height) < 0.6 * off(start, begin, height)


@pytest.mark.parametrize("blur", [0.45, 0.9, 1.1])
def test_a_drop_smeared_over_columns_is_one_step(blur):
    curve = np.array([0.0, 60.4]), np.array([20.3, 48.7]), RED
    smeared = cells(np.array([0.0, 59.2, 60.0, 60.8, 61.6]), np.array([20.3, 27.0, 34.5, 42.0, 48.7]))
    (found,) = fitted(painted([curve], 2.4, blur), [curve], [smeared], 2.4, blur)
    assert len(np.unique(found)) <= 3
    assert off(found, *curve[:2]) < 0.06


def test_arms_that_cross_and_hide_each_other_are_told_apart_together():
    rng = np.random.default_rng(4)
    curves, starts = [], []
    for k, (ink, slope) in enumerate(((RED, 0.42), (BLUE, 0.36), (GREEN, 0.39))):
        begin = np.append(0.0, np.sort(rng.uniform(2, 150, 40)))
        height = 8 + 2.5 * (2 - k) * (k != 1) + slope * begin
        curves.append((begin, height, ink))
        # read coarsely: levels of ten columns, up to two rows off
        coarse = np.arange(0, 155, 10.0)
        rows = height[np.searchsorted(begin, coarse + 5, side="right") - 1] + rng.uniform(-1.2, 1.2, len(coarse))
        starts.append(cells(coarse, np.maximum.accumulate(rows)))
    picture = painted(curves, 2.4, 0.6)
    found = fitted(picture, curves, starts, 2.4, 0.6)
    for rows, start, (begin, height, _) in zip(found, starts, curves, strict=True):
        assert off(start, begin, height) > 0.8
        assert off(rows, begin, height) < 0.35


def test_what_is_hidden_stays_as_it_was_traced():
    begin, height = stairs(3, 8)
    use = np.ones((TALL, WIDE), bool)
    use[:, 30:90] = False
    curve = (begin, height, RED)
    start = cells(begin + np.where((begin > 36) & (begin < 84), 1.5, 0.0), height)
    (found,) = fitted(painted([curve], 2.4, 0.5), [curve], [start], 2.4, 0.5, use)
    hidden = slice(38 * PER, 82 * PER)
    assert np.abs(found[hidden] - start[hidden]).mean() < 0.25


def test_censor_marks_move_nothing():
    begin, height = stairs(5, 7)
    curve = (begin, height, RED)
    picture = painted([curve], 2.4, 0.5, [(0, c) for c in (20, 33, 45, 71, 90, 110)])
    (found,) = fitted(picture, [curve], [cells(begin, height)], 2.4, 0.5)
    assert off(found, begin, height) < 0.12


def test_crowded_marks_show_where_the_line_is():
    begin, height = np.arange(0, 150, 2.0), 10 + 0.8 * np.arange(75)
    curve = (begin, height, RED)
    picture = painted([curve], 2.4, 0.5, [(0, c) for c in range(6, 148, 3)])
    coarse = np.arange(0, 155, 12.0)
    start = cells(coarse, 10 + 0.4 * (coarse + 6))
    (found,) = fitted(picture, [curve], [start], 2.4, 0.5)
    assert off(found, begin, height) < 0.3 < off(start, begin, height)


@pytest.mark.parametrize(("width", "blur"), [(1.3, 0.45), (2.4, 0.9), (3.6, 0.6)])
def test_the_pen_is_known_by_its_level_pieces(width, blur):
    begin, height = np.array([0.0, 60.0, 110.0]), np.array([20.3, 40.6, 52.1])
    ink = Ink(drawn(begin, height, width, blur), np.ones((TALL, WIDE), bool))
    pen, count = pen_of(ink, begin, height, 155.0, (width - 0.3, width + 0.4))
    assert pen.width == pytest.approx(width, abs=0.1)
    assert pen.blur == pytest.approx(blur, abs=0.2)
    assert count > 50
    short = np.array([0.0, 4.0, 8.0]), np.array([20.3, 30.6, 42.1])
    assert pen_of(ink, *short, 12.0, (width, width)) is None


def test_levels_cut_by_marks_vote_once_for_the_grid():
    assert grid_phase([10.5, 20.49, 33.5]) == 0.5
    assert grid_phase([10.44]) is None


def test_lines_at_the_rim_of_a_picture_are_fitted_as_far_as_it_shows_them():
    begin, height = np.array([0.0, 40.0, 110.0]), np.array([0.6, 4.2, TALL - 0.8])
    ink = Ink(drawn(begin, height, 3.0, 0.5), np.ones((TALL, WIDE), bool))
    assert pen_of(ink, begin, height, 170.0, (3.0, 3.0)) is None
    curve = (begin, height, RED)
    (found,) = fitted(painted([curve], 3.0, 0.5), [curve], [cells(begin, height)], 3.0, 0.5)
    assert off(found, begin, height) < 0.6
