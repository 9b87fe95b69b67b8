"""Scales from labels and tick marks that disagree a little, and labels that were read in pieces."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.files.image import Picture
from metagrove.figures.files.skew import skew_angle
from metagrove.figures.hints import Hints
from metagrove.figures.page import Word
from metagrove.figures.scales.axes import axis_through, column_axes, row_axes
from metagrove.figures.scales.calibration import plot_scales
from metagrove.figures.scales.survival_axis import from_zero
from metagrove.figures.scales.tick_marks import confirmed, continued, snapped
from metagrove.figures.writing.words import pointed


def word(text, cx, cy, size=10.0, angle=0, score=0.95):
    long = 0.56 * size * len(text)
    wide, tall = (size, long) if angle else (long, size)
    return Word(text, cx - wide / 2, cy - tall / 2, cx + wide / 2, cy + tall / 2, angle, score, second=text)


def labels(count=9, step=50.0):
    return axis_through(100 + step * np.arange(count), 6.0 * np.arange(count), tolerance=2)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(0, 8), st.floats(1.5, 2.4), st.floats(-0.4, 0.4))
def test_one_spoilt_tick_mark_does_not_bend_the_scale(which, off, shift):
    ticks = 100 + 50.0 * np.arange(9) + shift
    ticks[which] += off
    axis = snapped(labels(), ticks, reach=5)
    assert axis.pixel(0) == pytest.approx(100 + shift, abs=0.05)
    assert axis.pixel(48) == pytest.approx(500 + shift, abs=0.05)
    assert (axis.on_ticks, axis.left_out) == (9, 0)
    assert axis.residual < 0.05


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.sets(st.integers(0, 8), min_size=1, max_size=4))
def test_labels_without_a_mark_stay_where_the_line_through_the_others_meets_them(missing):
    ticks = np.delete(100.4 + 50.0 * np.arange(9), sorted(missing))
    axis = snapped(labels(), ticks, reach=5)
    assert len(axis.values) == axis.on_ticks == 9
    assert axis.left_out == 0
    assert max(axis.pixels) == pytest.approx(500.4, abs=0.01)


def test_a_label_off_the_line_through_the_marks_is_left_out():
    axis = axis_through([100, 150, 200, 250, 304.5], [0, 6, 12, 18, 24], tolerance=6)
    fitted = snapped(axis, [100, 150, 200, 250], reach=5)
    assert (fitted.on_ticks, fitted.left_out) == (4, 1)


def test_two_marks_confirm_no_other_label():
    few = axis_through([100, 150, 203, 255], [0, 6, 12, 18], tolerance=6)
    fitted = snapped(few, [100.0, 150.0], reach=5)
    assert (fitted.on_ticks, fitted.left_out) == (2, 2)


def test_a_zero_and_digits_close_behind_it_are_a_decimal():
    found = pointed([word("0", 20, 50, score=0.9), word("40", 36, 50), word("6", 120, 50)])
    assert sorted(w.text for w in found) == ["0.40", "6"]
    (joined,) = [w for w in found if w.text == "0.40"]
    assert joined.x0 == pytest.approx(20 - 2.8)
    assert joined.second == "0.40"


@pytest.mark.parametrize(
    "words",
    [
        [word("0", 20, 50), word("40", 60, 50)],
        [word("0", 20, 50), word("40", 36, 60)],
        [word("12", 12, 50), word("0", 28, 50), word("40", 44, 50)],
        [word("1", 20, 50), word("40", 36, 50)],
    ],
)
def test_numbers_that_stand_apart_are_not_joined(words):
    assert pointed(words) == words


def framed(ticks, *, wide=640, tall=420):
    """A white picture with an axis line at its foot and one at its left, with or without tick marks."""
    page = np.full((tall, wide, 3), 255, np.uint8)
    page[360, 80:601] = 0
    page[60:361, 80] = 0
    if ticks:
        for k in range(6):
            page[360:366, 80 + 104 * k] = 0
            page[360 - 60 * k, 74:81] = 0
    return page


def printed(values, xs=range(0, 60, 10)):
    across = [word(f"{t}", 80.5 + 104 * k, 376) for k, t in enumerate(xs)]
    return [*across, *(word(v, 60 - 2.8 * len(v), 360.5 - 60 * k) for k, v in enumerate(values))]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"), 1.0),
        (("0", "20", "40", "60", "80", "100"), 100.0),
        (("0.00", "0.05", "0.10", "0.15", "0.20", "0.25"), 1.0),
        (("0.00", "0.01", "0.02", "0.03", "0.04", "0.05"), 1.0),
        (("0%", "2%", "4%", "6%", "8%", "10%"), 100.0),
    ],
)
def test_an_axis_may_end_far_below_one(values, scale):
    (found,) = plot_scales(Picture(framed(True), 1.0), printed(values), Hints())
    assert found.scale == scale


def test_small_numbers_without_a_percent_sign_are_no_survival():
    assert plot_scales(Picture(framed(True), 1.0), printed(("0", "2", "4", "6", "8", "10")), Hints()) == []


@pytest.mark.parametrize(("cut", "confirmed"), [(0, True), (30, False)])
def test_an_axis_line_from_the_first_label_to_the_last_stands_for_tick_marks(cut, confirmed):
    page = framed(False)
    page[360, 601 - cut : 601] = 255
    (found,) = plot_scales(Picture(page, 1.0), printed(("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")), Hints())
    assert (found.x.on_ticks == 6) is confirmed


@pytest.mark.parametrize("angle", [-0.3, 0.6])
def test_a_slight_tilt_shows_through_the_noise_of_a_scan(angle):
    import cv2

    page = framed(True)
    turn = cv2.getRotationMatrix2D((320, 210), angle, 1.0)
    turned = cv2.warpAffine(page, turn, (640, 420), borderValue=(255, 255, 255)).astype(float)
    noise = np.random.default_rng(3).normal(0, 6, (420, 640, 1))
    found = skew_angle(np.clip(turned + noise, 0, 255).astype(np.uint8), furthest=2.5)
    assert found == pytest.approx(angle, abs=0.04)


def test_a_level_scan_is_left_alone():
    noise = np.random.default_rng(4).normal(0, 6, (420, 640, 1))
    assert skew_angle(np.clip(framed(True) + noise, 0, 255).astype(np.uint8), furthest=2.5) == 0


def test_one_misread_label_is_left_out_of_an_even_scale():
    pixels = [82.0, 180.0, 277.0, 366.0, 471.0, 568.0]
    axis = axis_through(pixels, [0, 7.2, 14.4, 21.0, 28.8, 36], tolerance=12)
    assert axis.values == (0, 7.2, 14.4, 28.8, 36)
    assert axis.even
    assert axis.left_out == 1


def test_tick_marks_carry_a_scale_on_behind_labels_that_were_not_read():
    axis = replace(axis_through([90.0, 126.0, 162.0], [0.0, 3.0, 6.0], tolerance=2), on_ticks=3)
    far = continued(axis, [90.0, 126.2, 162.0, 197.9, 234.1, 270.0])
    assert far.values == (0, 3, 6, 9, 12, 15)
    assert far.on_ticks == 6
    # one tick more may be the end of the axis line, and marks at another distance are none of its own
    assert continued(axis, [90.0, 126.0, 162.0, 198.0]) is axis
    assert continued(axis, [90.0, 126.0, 162.0, 191.0, 224.0, 257.0]) is axis


def test_a_title_taken_for_the_last_tick_mark_does_not_cost_the_others():
    # a line through four marks and one that is off at their end leaves its neighbour as far away as itself
    axis = axis_through([388, 316, 244, 172, 100, 28], [0, 0.2, 0.4, 0.6, 0.8, 1], tolerance=2)
    fitted = snapped(axis, [25.6, 100.5, 172.4, 244.5, 316.5], reach=8.6)
    assert fitted.residual < 0.1
    assert fitted.pixel(1.0) == pytest.approx(28.45, abs=0.1)


@pytest.mark.parametrize(
    ("printed", "pieces", "whole"),
    [
        ("0 8 16 24 32 40", {16: [("1", -5), ("6", 4)]}, 16.0),
        ("0 7.2 14.4 21.6 28.8 36", {21.6: [("21", -6.5), ("6", 8.5)]}, 21.6),
    ],
)
def test_digits_read_apart_are_one_label_where_that_fits_the_scale(printed, pieces, whole):
    words = []
    for k, text in enumerate(printed.split()):
        parts = pieces.get(float(text), [(text, 0.0)])
        words += [word(part, 100 + 60 * k + off, 300 + 0.4 * (k % 2), size=11) for part, off in parts]
    (axis,) = row_axes(words, tolerance=2)
    assert whole in axis.values
    assert (len(axis.values), axis.left_out) == (6, 0)


def test_labels_close_to_each_other_stay_apart():
    words = [word(str(k), 100 + 10.5 * k, 300, size=10) for k in range(8)]
    (axis,) = row_axes(words, tolerance=2)
    assert axis.values == tuple(range(8))


def test_a_nought_on_its_side_is_one_of_the_labels_that_read_upwards():
    labels = [word(str(v), 60, 450 - 2 * v, size=12, angle=90) for v in (20, 40, 60)]
    lying = Word("0", 54, 446.6, 66, 453.4, 0, 0.9)
    axis = max(column_axes([*labels, lying], tolerance=2), key=lambda a: len(a.values))
    assert axis.values == (0, 20, 40, 60)


def two_labels():
    axis = axis_through([606, 298], [25, 75], tolerance=2)
    return replace(axis, on_ticks=2, left_out=0)


def test_two_labels_on_even_tick_marks_from_nought_to_a_hundred_are_a_scale():
    axis = confirmed(two_labels(), [760.2, 606, 452, 298, 144.1])
    assert axis.values == (0, 25, 75, 100)
    assert (axis.on_ticks, axis.even) == (4, True)
    assert axis.pixel(100) == pytest.approx(144, abs=0.3)


@pytest.mark.parametrize(
    "ticks",
    [
        pytest.param([760, 606, 452, 298], id="the last mark is at 75"),
        pytest.param([760, 606, 452, 298, 160], id="not even"),
        pytest.param([606, 452, 298], id="too few"),
        pytest.param([914, 760, 606, 452, 298, 144], id="one below 0"),
    ],
)
def test_other_tick_marks_leave_two_labels_what_they_are(ticks):
    axis = two_labels()
    assert confirmed(axis, ticks) is axis


def test_a_label_without_a_mark_in_line_with_two_that_have_one_is_kept():
    axis = axis_through([221, 140, 59], [0, 0.5, 1], tolerance=2)
    fitted = snapped(axis, [59.6, 140.4], reach=9.6)
    assert fitted.values == (0, 0.5, 1)
    assert (fitted.on_ticks, fitted.left_out) == (2, 0)


def test_two_marks_beside_many_straight_labels_are_no_scale():
    axis = axis_through([273, 226, 179, 132, 85, 38.5], [0, 0.2, 0.4, 0.6, 0.8, 1.0], tolerance=2)
    # the axis below and the line of a curve that begins at 1
    assert snapped(axis, [273.0, 39.7], reach=5) is axis


def test_digits_close_under_the_axis_are_no_tick_marks():
    page = framed(False)
    for column in range(80, 601, 104):
        page[354:360, column] = 0  # tick marks point inwards
        page[362:372, column + 3] = 0  # a stroke of the label
    (found,) = plot_scales(Picture(page, 1.0), printed(("0.0", "0.2", "0.4", "0.6", "0.8", "1.0")), Hints())
    assert found.x.on_ticks == 6
    assert found.x.pixel(0.0) == pytest.approx(80.5, abs=0.1)


def test_labels_a_little_below_0_belong_to_the_scale_and_not_to_the_plot():
    axis = replace(axis_through([400, 350, 300, 250, 200, 150], [-0.2, 0, 0.2, 0.4, 0.6, 0.8], tolerance=2), on_ticks=6)
    above = from_zero(axis)
    assert (min(above.values), max(above.pixels), above.on_ticks) == (0.0, 350.0, 5)
    assert above.pixel(0.5) == axis.pixel(0.5)


@pytest.mark.parametrize("values", [[-1, -0.5, 0, 0.5, 1], [-0.2, 0, 0.2], [0, 0.2, 0.4]])
def test_an_axis_round_0_is_no_axis_of_survival(values):
    axis = axis_through(400 - 50.0 * np.arange(len(values)), values, tolerance=2)
    assert from_zero(axis) is axis


def test_a_plot_that_begins_below_0_is_found():
    page = np.full((300, 420, 3), 255, np.uint8)
    page[20:241, 60] = 0
    page[240, 60:401] = 0
    rows, columns = np.arange(20, 241, 40), np.arange(60, 401, 68)
    for row in rows:
        page[row, 55:60] = 0
    for column in columns:
        page[241:246, column] = 0
    words = [word(f"{0.25 * (4 - k):.2f}", 40, y + 0.5, 8.0) for k, y in enumerate(rows)]
    words += [word(t, x + 0.5, 256, 8.0) for t, x in zip(("0", "12", "24", "36", "48", "60"), columns, strict=True)]
    (scales,) = plot_scales(Picture(page), words, Hints())
    assert min(scales.y.values) >= 0
    assert scales.y.pixel(1.0) == pytest.approx(20.5, abs=0.3)
    assert scales.y.on_ticks == 5
