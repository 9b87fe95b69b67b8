"""Staircases drawn here by oversampling, blurred and read back by the fit; what is hidden and what marks cover stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.lines.pen import Ink, Pen, fitted_steps, pen_of
from metagrove.figures.lines.readout import grid_phase

FINE = 8
WIDE, TALL = 160, 90


def drawn(begin, height, width, blur):
    """The share of each pixel under a square pen that draws a falling staircase, by counting points, then blurred."""
    import cv2

    x = (np.arange(WIDE * FINE) + 0.5) / FINE
    y = (np.arange(TALL * FINE) + 0.5) / FINE

    def row(at):
        return height[np.clip(np.searchsorted(begin, at, side="right") - 1, 0, None)]

    top, bottom = row(x - width / 2) - width / 2, row(x + width / 2) + width / 2
    inked = (y[:, None] > top) & (y[:, None] < bottom)
    cover = inked.reshape(TALL, FINE, WIDE, FINE).mean(axis=(1, 3))
    return cv2.GaussianBlur(cover, (0, 0), blur) if blur else cover


def stairs(seed, count):
    rng = np.random.default_rng(seed)
    begin = np.concatenate([[0.0], np.cumsum(rng.uniform(6, 18, count))])
    height = 12 + np.concatenate([[0.0], np.cumsum(rng.uniform(1.0, 7.0, count))])
    return begin, height


def apart(begin, height, other, level):
    """Mean distance in rows of two staircases."""
    at = np.arange(4, 140, 0.05)
    a = height[np.searchsorted(begin, at, side="right") - 1]
    return float(np.abs(a - level[np.searchsorted(other, at, side="right") - 1]).mean())


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from([1.6, 2.4, 4.3]), st.sampled_from([0.0, 0.6, 1.0]))
def test_a_staircase_read_roughly_is_read_exactly(seed, width, blur):
    begin, height = stairs(seed, 8)
    ink = Ink(drawn(begin, height, width, blur), np.ones((TALL, WIDE), bool))
    rng = np.random.default_rng(seed + 1)
    rough = np.append(0.0, begin[1:] + rng.uniform(-0.9, 0.9, len(begin) - 1))
    level = height + np.append(0.0, rng.uniform(-0.4, 0.4, len(height) - 1))
    found, rows, _ = fitted_steps(ink, rough, level, 155.0, Pen(width, max(blur, 0.05), max(blur, 0.05)))
    after = apart(begin, height, found, rows)
    assert after < 0.12
    assert after < 0.5 * apart(begin, height, rough, level)


@pytest.mark.parametrize("blur", [0.45, 0.9, 1.1])
def test_a_drop_smeared_over_columns_is_one_step(blur):
    begin, height = np.array([0.0, 60.4]), np.array([20.3, 48.7])
    ink = Ink(drawn(begin, height, 2.4, blur), np.ones((TALL, WIDE), bool))
    smeared = np.array([0.0, 59.2, 60.0, 60.8, 61.6]), np.array([20.3, 27.0, 34.5, 42.0, 48.7])
    found, rows, _ = fitted_steps(ink, *smeared, 155.0, Pen(2.4, blur, blur))
    assert len(found) == 2
    assert found[1] == pytest.approx(60.4, abs=0.1)
    assert rows == pytest.approx(height, abs=0.1)


def test_two_drops_two_pixels_apart_are_told_from_one():
    begin, height = np.array([0.0, 60.0, 62.0]), np.array([20.0, 38.0, 56.0])
    ink = Ink(drawn(begin, height, 1.8, 0.4), np.ones((TALL, WIDE), bool))
    found, rows, _ = fitted_steps(ink, np.array([0.0, 60.8]), height[[0, 2]], 155.0, Pen(1.8, 0.4, 0.4))
    assert found == pytest.approx(begin, abs=0.15)
    assert rows == pytest.approx(height, abs=0.3)


def test_what_is_hidden_stays_as_it_was_traced():
    begin, height = stairs(3, 8)
    known = np.ones((TALL, WIDE), bool)
    known[:, 30:90] = False
    ink = Ink(drawn(begin, height, 2.4, 0.5), known)
    rough = begin + np.where((begin > 36) & (begin < 84), 1.5, 0.0)
    found, _, _ = fitted_steps(ink, rough, height, 155.0, Pen(2.4, 0.5, 0.5))
    hidden = rough[(rough > 36) & (rough < 84)]
    assert found[(found > 36) & (found < 86)] == pytest.approx(hidden)


def test_censor_marks_move_nothing():
    begin, height = stairs(5, 7)
    cover = drawn(begin, height, 2.4, 0.5)
    for column in (20, 33, 71, 110):
        row = int(height[np.searchsorted(begin, column, side="right") - 1])
        cover[row - 5 : row + 7, column : column + 2] = 1
    ink = Ink(cover, np.ones((TALL, WIDE), bool))
    found, rows, _ = fitted_steps(ink, begin, height, 155.0, Pen(2.4, 0.5, 0.5))
    assert apart(begin, height, found, rows) < 0.25


@pytest.mark.parametrize(("width", "blur"), [(1.3, 0.45), (2.4, 0.9), (3.6, 0.6)])
def test_the_pen_is_known_by_its_level_pieces(width, blur):
    begin, height = np.array([0.0, 60.0, 110.0]), np.array([20.3, 40.6, 52.1])
    ink = Ink(drawn(begin, height, width, blur), np.ones((TALL, WIDE), bool))
    pen, count = pen_of(ink, begin, height, 155.0, (width - 0.3, width + 0.4))
    assert pen.width == pytest.approx(width, abs=0.1)
    assert pen.down == pytest.approx(blur, abs=0.2)
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
    found, rows, _ = fitted_steps(ink, begin, height, 170.0, Pen(3.0, 0.5, 0.5))
    assert found == pytest.approx(begin, abs=0.3)
    assert rows == pytest.approx(height, abs=0.6)
