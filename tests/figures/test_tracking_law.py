import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.lines.evidence import ArmLook, canvas
from metagrove.figures.lines.tracing import traced
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import hex_colour, rgb_colour
from metagrove.figures.scales.axes import axis_through

steps = st.lists(st.tuples(st.integers(8, 30), st.integers(4, 18)), min_size=1, max_size=8)


def drawn(shape, steps, dash=None, width=3):
    """A black step line from row 10, column 0: (run to the right, drop), with its corners."""
    page = np.full((*shape, 3), 255, np.uint8)
    row, column, along = 10, 0, 0
    levels = []
    half = width // 2

    def put(r, c, vertical):
        nonlocal along
        if dash is None or along % (dash[0] + dash[1]) < dash[0]:
            if vertical:
                page[r, max(c - half, 0) : c + half + 1] = 0
            else:
                page[r - half : r + half + 1, c] = 0
        along += 1

    for run, drop in steps:
        levels.append((column, row))
        for _ in range(run):
            put(row, column, False)
            column += 1
        for _ in range(drop):
            put(row, column, True)
            row += 1
    levels.append((column, row))
    for _ in range(25):
        put(row, column, False)
        column += 1
    return page, levels, column


@settings(derandomize=True, deadline=None, max_examples=12)
@given(steps)
def test_solid_line_is_found_to_the_pixel(steps):
    page, levels, end = drawn((180, 300), steps)
    plot = canvas(page, [(0, 0, 0)])
    trace = traced(plot, [ArmLook((0, 0, 0), 3.0, Dash(), "solid")], start=10.5)
    found = trace.steps[0]
    assert abs(found.end - end) <= 1.5
    for column, row in levels:
        at = found.height[np.searchsorted(found.begin, column + 4, side="right") - 1]
        assert abs(at - row - 0.5) <= 0.6


@settings(derandomize=True, deadline=None, max_examples=4)
@given(st.lists(st.tuples(st.integers(26, 44), st.integers(6, 18)), min_size=1, max_size=5))
def test_dashed_line_is_found_over_its_gaps(steps):
    page, levels, _ = drawn((180, 300), steps, dash=(9, 5))
    plot = canvas(page, [(0, 0, 0)])
    trace = traced(plot, [ArmLook((0, 0, 0), 3.0, Dash(9, 5), "dashed")], start=10.5)
    found = trace.steps[0]
    for column, row in levels[:-1]:
        at = found.height[np.searchsorted(found.begin, column + 13, side="right") - 1]
        assert abs(at - row - 0.5) <= 1.5


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.floats(0.01, 50), st.floats(-500, 500), st.integers(3, 12), st.integers(0, 2))
def test_axis_survives_misread_labels(slope, start, count, wrong):
    pixels = np.arange(count + wrong) * 40.0 + 100
    values = start + slope * (pixels - 100)
    rng = np.random.default_rng(count)
    bad = rng.choice(count + wrong, wrong, replace=False)
    values[bad] += slope * 40 * (2.37 + np.arange(wrong))
    axis = axis_through(pixels, values, tolerance=2.0)
    if count > wrong + 1:
        assert abs(axis.slope - slope) < 1e-6 * slope + 1e-9
        assert len(axis.values) == count


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_round_trip(colour):
    assert rgb_colour(hex_colour(colour)) == colour
