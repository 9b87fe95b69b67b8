import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.files.skew import skew_angle
from metagrove.figures.lines.dashes import dash_fit
from metagrove.figures.lines.readout import grid_phase
from metagrove.figures.lines.tracking import Dash, Path
from metagrove.figures.scales.frame import dark_lines, ridges


def panel(paper, ink):
    page = np.full((750, 1000, 3), paper, np.uint8)
    page[100:103, 120:900] = page[620:623, 120:900] = page[380:382, 120:900] = ink
    page[100:623, 120:123] = page[100:623, 897:900] = ink
    return page


@settings(derandomize=True, deadline=None, max_examples=8)
@given(st.floats(-2.2, 2.2), st.sampled_from([((255,) * 3, (0,) * 3), ((11, 42, 91), (255,) * 3)]))
def test_a_turn_is_found_on_light_and_dark_paper(angle, colours):
    import cv2

    page = panel(*colours)
    turn = cv2.getRotationMatrix2D((500, 375), angle, 1.0)
    paper = tuple(int(v) for v in colours[0])
    turned = cv2.warpAffine(page, turn, (1000, 750), flags=cv2.INTER_CUBIC, borderValue=paper)
    found = skew_angle(turned, furthest=2.5)
    assert found == pytest.approx(angle, abs=0.025) or (found == 0 and abs(angle) < 0.1)


def test_an_upright_page_is_not_turned():
    assert skew_angle(panel((30, 30, 30), (200, 200, 200)), furthest=2.5) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("ink", [255, 200])
def test_grid_lines_stand_out_lighter_or_darker_than_their_panel(ink):
    page = np.full((200, 300, 3), 255, np.uint8)
    page[20:180, 40:280] = 230
    page[20:180, [60, 130, 200]] = ink
    found = dark_lines(ridges(page, level=False), level=False, least=100, threshold=0.025)
    assert sorted(round(line.place, 1) for line in found) == [60.5, 130.5, 200.5]


@settings(derandomize=True, deadline=None, max_examples=10)
@given(st.floats(4, 12), st.floats(3, 8), st.integers(0, 11))
def test_a_dashed_line_fits_its_own_pattern_best(on, off, start):
    along = np.arange(400)
    gain = np.full((40, 400), -1, dtype=np.float32)
    gain[20] = np.where(np.mod(along + start, on + off) < on, 1, -1)
    row = np.full(400, 20, dtype=np.int32)
    path = Path(0, row, row, np.ones(400, bool), 0.0)
    hidden = np.zeros(gain.shape, bool)
    own = dash_fit(path, gain, hidden, Dash(on, off))
    assert own > 0.8
    assert dash_fit(path, gain, hidden, Dash(1.9 * on, 1.9 * off)) < 0.7 * own
    solid = np.where(np.arange(40)[:, None] == 20, 1, gain).astype(np.float32)
    assert abs(dash_fit(path, solid, hidden, Dash(on, off))) < 0.05


@pytest.mark.parametrize(("part", "phase"), [(0.5, 0.5), (0.02, 0.0), (0.97, 0.0)])
def test_lines_fitted_to_the_pixel_grid_are_told_by_their_phase(part, phase):
    assert grid_phase([k + part for k in (3, 8, 14, 30, 41, 77)]) == phase


def test_lines_anywhere_have_no_phase():
    assert grid_phase([0.1, 5.35, 9.6, 14.85, 20.2, 31.5, 40.75]) is None
    assert grid_phase([0.5, 1.5]) is None
