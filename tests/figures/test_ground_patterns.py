"""What curves are drawn on and in: squared paper, hatched bands, crowds of symbols."""

import numpy as np
import pytest

from metagrove.figures.doubts.crowds import CROWDS
from metagrove.figures.doubts.hatching import hatched
from metagrove.figures.doubts.ink import UNEXPLAINED
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.scales.squared import unsquared
from seen_lines import FOOT, TOP, blank_page, draw, traced_lines

X = axis_through([0, 250, 500], [0, 5, 10], tolerance=2)
Y = axis_through([FOOT, 170, TOP], [0, 0.5, 1], tolerance=2)
FALL = [(0, 20), (100, 80), (200, 140), (300, 200), (490, 200)]
GREEN, BLACK, BLUE = (156, 204, 156), (0, 0, 0), (30, 60, 200)


def squared_page(every=10, colour=GREEN):
    page = blank_page()
    page[TOP : FOOT + 1 : every] = colour
    page[:, 0:501:every] = colour
    return page


@pytest.mark.parametrize("every", [10, 25, 50])
def test_squared_paper_is_taken_off_and_curves_stay(every):
    page, bare = squared_page(every), blank_page()
    draw(page, FALL, BLACK)
    draw(bare, FALL, BLACK)
    clear = unsquared(page, X, Y)
    inner = slice(TOP, FOOT), slice(5, 500)
    assert np.abs(clear[inner].astype(int) - bare[inner]).max() < 30
    assert (clear[inner][bare[inner] == 0] == 0).all()


def test_lines_that_cross_in_translucent_ink_leave_no_dots():
    page = blank_page().astype(float)
    for places, turned in ((range(TOP, FOOT + 1, 15), False), (range(0, 501, 25), True)):
        for place in places:
            strip = page[:, place] if turned else page[place]
            strip += 0.5 * (np.array(GREEN) - strip)
    page = page.round().astype(np.uint8)
    draw(page, FALL, BLACK)
    clear = unsquared(page, X, Y)[TOP + 200 : FOOT, 5:500]
    assert clear.min() > 250


@pytest.mark.parametrize(
    "page",
    [blank_page(), squared_page(150), squared_page(colour=(40, 40, 40)), squared_page(23)],
    ids=["plain", "lines at labels alone", "as dark as ink", "out of step with the labels"],
)
def test_what_is_no_squared_paper_stays(page):
    page = page.copy()
    draw(page, FALL, BLACK)
    assert unsquared(page, X, Y) is page


def stripes(page, rows, pitch, columns=(40, 400), slope=1):
    """Oblique strokes between two heights of a page."""
    for start in range(columns[0] - 200, columns[1], pitch):
        for k in range(rows[1] - rows[0]):
            column = start + k if slope > 0 else start + (rows[1] - rows[0]) - k
            if columns[0] <= column < columns[1]:
                page[rows[0] + k, column] = (120, 120, 120)


def test_hatching_is_a_band_and_no_ink_to_be_explained():
    page = blank_page()
    stripes(page, (150, 240), 9)
    draw(page, [(0, 20), (40, 190), (490, 190)], BLUE)
    seen = traced_lines(page, [BLUE])
    assert not UNEXPLAINED.find(seen)
    assert seen.bands.sum() > 2000


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_few_lines_that_slope_are_no_hatching(count):
    loose = np.zeros((300, 400), bool)
    for k in range(300):
        for line in range(count):
            loose[k, k + 12 * line] = True
    assert not hatched(loose).any()


def test_a_thick_staircase_is_no_hatching():
    page = blank_page()
    for k in range(10):
        page[20 + 24 * k : 23 + 24 * k, 50 * k : 50 * k + 51] = BLUE
        page[20 + 24 * k : 47 + 24 * k, 50 * k + 49 : 50 * k + 52] = BLUE
    assert not hatched(page[..., 0] < 200).any()


def test_many_oblique_strokes_side_by_side_are_hatching_also_where_two_bands_cross():
    page = blank_page()
    stripes(page, (50, 200), 9)
    stripes(page, (120, 250), 9, slope=-1)
    loose = page[..., 0] < 200
    assert (hatched(loose) & loose).sum() > 0.8 * loose.sum()


def ring(page, row, column, colour, radius=5):
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]]
    far = np.hypot(rows - row, columns - column)
    page[far <= radius] = 255
    page[np.abs(far - radius) < 1] = colour


def test_a_steep_curve_under_symbols_that_have_grown_together_is_doubted():
    steep = [(0, 20), *((3 * k, 20 + 5 * k) for k in range(1, 56)), (180, 295)]
    page, bare = blank_page(), blank_page()
    for sheet in (page, bare):
        draw(sheet, steep, BLUE)
    for column, row in steep[1:-1]:
        ring(page, row, column, BLUE)
    assert CROWDS.find(traced_lines(page, [BLUE]))
    assert not CROWDS.find(traced_lines(bare, [BLUE]))
