"""A drawing whose strokes are all explained says how many arms it shows; a line that was not read is left over."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.doubts.dashes import BEYOND_END, LINES, UNPLACED_DROP, UNREAD_DASHES
from metagrove.figures.page import Stroke
from metagrove.figures.strokes.left import all_explained, beyond_end, outlined_dashes, unread_bars
from metagrove.figures.strokes.staircases import staircases

FRAME = (50.0, 20.0, 450.0, 320.0)
BLACK = (0, 0, 0)


def staircase(seed, drops=12):
    rng = np.random.default_rng(seed)
    at = np.sort(rng.uniform(60, 430, drops))
    down = 20 + np.cumsum(rng.uniform(5, 20, drops))
    corners = [(50.0, 20.0)]
    for x, y in zip(at, down, strict=True):
        corners += [(x, corners[-1][1]), (x, y)]
    return np.array([*corners, (440.0, corners[-1][1])])


def furniture():
    grid = [Stroke(np.array([(50.0, y), (450.0, y)]), (200, 200, 200), 0.5) for y in (95.0, 170.0, 245.0)]
    frame = Stroke(np.array([(50.0, 20), (450, 20), (450, 320), (50, 320), (50, 20)]), BLACK, 1.0, closed=True)
    mark = Stroke(np.array([(200.0, 60.0), (200.0, 68.0)]), BLACK, 1.0)
    outside = Stroke(np.array([(10.0, 350.0), (30.0, 400.0), (300.0, 420.0)]), BLACK, 1.0)
    return [*grid, frame, mark, outside]


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.booleans())
def test_curves_with_grid_frame_and_marks_are_all_there_is(seed, broken):
    first, second = staircase(seed), staircase(seed + 1)
    strokes = [Stroke(second, (200, 30, 30), 1.0), *furniture()]
    strokes += (
        [Stroke(first[k : k + 2], BLACK, 1.0) for k in range(len(first) - 1)] if broken else [Stroke(first, BLACK, 1.0)]
    )
    assert all_explained(strokes, [first, second], FRAME)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.booleans())
def test_a_curve_that_was_not_read_is_left_over(seed, broken):
    first, second = staircase(seed), staircase(seed + 1)
    lost = [second[k : k + 2] for k in range(len(second) - 1)] if broken else [second]
    strokes = [Stroke(first, BLACK, 1.0), *(Stroke(piece, (200, 30, 30), 1.0) for piece in lost), *furniture()]
    assert not all_explained(strokes, [first], FRAME)


@pytest.mark.parametrize("colour", [None, BLACK])
def test_a_smooth_line_is_left_over_and_an_area_is_not(colour):
    x = np.linspace(50, 440, 80)
    smooth = np.column_stack([x, 20 + 200 * (1 - np.exp(-(x - 50) / 200))])
    strokes = [Stroke(staircase(4), BLACK, 1.0), Stroke(smooth, colour, 1.0, fill=(220, 220, 240))]
    assert all_explained(strokes, [staircase(4)], FRAME) == (colour is None)


def outlines(boxes, width=1.5, path=7):
    """Filled rectangles of one path, as printed dashes."""
    return [
        Stroke(np.array([(a, b), (c, b), (c, d), (a, d), (a, b)]), None, width, (), BLACK, True, path)
        for a, b, c, d in boxes
    ]


def test_dashes_drawn_as_outlines_are_seen():
    level = [(60.0 + 9 * k, 80.0, 66.0 + 9 * k, 81.5) for k in range(12)]
    upright = [(200.0, 90.0 + 9 * k, 201.5, 96.0 + 9 * k) for k in range(3)]
    assert outlined_dashes(outlines(level + upright), FRAME) == 15


@pytest.mark.parametrize(
    "boxes",
    [
        pytest.param([(60.0 + 9 * k, 80.0, 66.0 + 9 * k, 81.5) for k in range(4)], id="a key of the legend"),
        pytest.param([(60.0 + 9 * k, 400.0, 66.0 + 9 * k, 401.5) for k in range(12)], id="outside the plot"),
        pytest.param([(60.0 + 7 * k, 80.0, 62.0 + 7 * k + k % 4, 87.0) for k in range(20)], id="letters"),
    ],
)
def test_other_filled_pieces_are_no_dashes(boxes):
    assert outlined_dashes(outlines(boxes), FRAME) == 0


def bars(corners, pen=1.2):
    for a, b in pairwise(corners):
        low, high = np.minimum(a, b), np.maximum(a, b)
        grow = np.array([0, pen / 2]) if high[0] - low[0] > high[1] - low[1] else np.array([pen / 2, 0])
        yield (*(low - grow), *(high + grow))


def test_a_step_line_in_bars_that_was_not_read_is_seen():
    assert unread_bars(outlines(bars(staircase(3, drops=20)), path=1), FRAME) > 20
    grid = [(50.0, y, 450.0, y + 0.8) for y in range(40, 320, 40)] + [
        (x, 20.0, x + 0.8, 320.0) for x in range(60, 450, 40)
    ]
    assert unread_bars(outlines(grid), FRAME) == 0
    marks = [
        box for x in range(60, 400, 20) for box in ((x - 3.0, 99.6, x + 3.0, 100.4), (x - 0.4, 97.0, x + 0.4, 103.0))
    ]
    assert unread_bars(outlines(marks), FRAME) == 0


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_a_line_that_goes_on_behind_a_curve_is_seen(seed):
    whole = staircase(seed)
    cut = 2 * int(len(whole) // 4) + 1
    (curve,) = staircases([Stroke(whole[:cut], BLACK, 1.0)])
    rest = [Stroke(whole[k : k + 2], BLACK, 1.0) for k in range(cut + 1, len(whole) - 1)]
    other = staircase(seed + 1)
    strokes = [Stroke(whole[:cut], BLACK, 1.0), *furniture(), Stroke(other, (200, 30, 30), 1.0)]
    assert beyond_end(strokes, curve, [other], FRAME[2]) == 0
    assert beyond_end([*strokes, *rest], curve, [other], FRAME[2]) > 0.03


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        ((UNREAD_DASHES, 40.0), "a line is drawn as 40 filled pieces, and was not read"),
        ((UNPLACED_DROP, 0.08), "a drop of 0.08 stands somewhere between two dashes"),
        ((UNPLACED_DROP, 0.02), None),
        ((BEYOND_END, 0.2), "lines that look like a curve go on behind its end"),
        ((BEYOND_END, 0.01), None),
    ],
)
def test_what_a_drawing_leaves_over_is_a_doubt(measured, says):
    read = SimpleNamespace(reading=SimpleNamespace(checks=(measured,)))
    found = [f.message for f in LINES.find(read)]
    assert found == ([] if says is None else [says])
    assert all(LINES.said(message) for message in found)
