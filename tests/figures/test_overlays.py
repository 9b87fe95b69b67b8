"""Overlays: inks that tell arms apart, and lines that lie on those of the figure, in a scan that leans too."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from metagrove.figures.files.image import Picture
from metagrove.figures.files.overlay import arm_inks, overlay_png
from metagrove.figures.reading import ArmReading, FigureReading
from metagrove.figures.scales.axes import axis_through

BLACK, BLUE, RED = (20, 20, 20), (0, 110, 200), (220, 30, 40)


def hue(ink):
    return cv2.cvtColor(np.uint8([[ink]]), cv2.COLOR_RGB2HSV)[0, 0, 0]


def test_arms_keep_their_own_colour():
    pale_blue = (120, 190, 250)
    inks = arm_inks([RED, pale_blue])
    assert abs(int(hue(inks[0])) - int(hue(RED))) <= 3
    assert abs(int(hue(inks[1])) - int(hue(pale_blue))) <= 3
    assert max(inks[1]) < 240, "dark enough to be seen"


def test_black_and_equal_arms_get_inks_that_no_other_arm_has():
    first, second, third = arm_inks([BLACK, BLUE, BLACK])
    assert abs(int(hue(second)) - int(hue(BLUE))) <= 3
    assert len({first, second, third}) == 3
    assert min(np.linalg.norm(np.subtract(a, b)) for a, b in ((first, second), (first, third), (second, third))) >= 90


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=6))
def test_every_arm_has_an_ink_of_its_own(colours):
    inks = arm_inks(colours)
    assert len(set(inks)) == len(inks) == len(colours)


@pytest.mark.parametrize("angle", [0.0, 1.2, -0.8])
@pytest.mark.parametrize("side", [400, 2600])
def test_the_curve_is_drawn_where_it_was_printed(angle, side):
    k = side / 400
    upright = np.full((side, side, 3), 255, np.uint8)
    left, low, right, high = 60 * k, 340 * k, 360 * k, 40 * k
    x = axis_through([left, right], [0.0, 10.0], tolerance=1)
    y = axis_through([low, high], [0.0, 1.0], tolerance=1)
    time, level = np.array([0.0, 3.0, 7.0, 10.0]), np.array([1.0, 0.6, 0.3, 0.3])
    arm = ArmReading("Überwachung ≥ 2", BLUE, "solid", time, level, 0 * time + 0.01, 0 * time + 0.01)
    corners = np.column_stack([np.repeat(x.pixel(time), 2)[1:], np.repeat(y.pixel(level), 2)[:-1]])
    cv2.polylines(upright, [np.round(corners).astype(np.int32)], False, (0, 0, 0), max(2, round(2 * k)))
    centre = (side / 2, side / 2)
    leaning = cv2.warpAffine(
        upright, cv2.getRotationMatrix2D(centre, angle, 1.0), (side, side), borderValue=(255, 255, 255)
    )
    picture = Picture(upright, 1.0, angle, (side / 2 + 0.5, side / 2 + 0.5))
    # As a reading gives them: places along either axis line, in pixels of the file.
    x = x.refitted([picture.there(p, low)[0] for p in x.pixels])
    y = y.refitted([picture.there(left, p)[1] for p in y.pixels])
    reading = FigureReading((arm,), x, y, 1.0, "raster", "ok", (), rotation=angle)
    shown = np.asarray(Image.open(io.BytesIO(overlay_png(leaning, reading))).convert("RGB")).astype(int)
    grow = 2 if side < 1600 else 1
    figure = shown[shown.shape[0] - grow * side :]
    drawn = (figure[..., 2] - figure[..., 0] > 60) & (figure.max(axis=2) < 230)
    assert drawn.sum() > 400 * k
    printed = cv2.resize(leaning, None, fx=grow, fy=grow)[..., 0] < 160
    near = cv2.dilate(printed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert np.mean(near[drawn]) > 0.97
    key = shown[: shown.shape[0] - grow * side]
    assert np.mean(key.min(axis=2) < 200) > 0.005, "the name is above the figure"
