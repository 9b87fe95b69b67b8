"""What stands where curves begin: the side of a frame and a grid line at time 0 are no falls."""

import numpy as np
import pytest

from metagrove.figures.doubts.reading_checks import ARMS, Read
from metagrove.figures.hints import Hints
from metagrove.figures.hypotheses import Supposition, _void
from metagrove.figures.legend.clearing import axis_mask
from metagrove.figures.reading import ArmReading, FigureReading
from metagrove.figures.scales.axes import axis_through
from seen_lines import FOOT, TOP, blank_page, draw, traced_lines


def test_a_pale_line_at_time_0_is_masked_and_an_area_is_not():
    dark = np.zeros((250, 500), np.float32)
    dark[:, 0] = 0.09
    dark[100, :] = 0.6
    assert axis_mask(dark, 243)[:, :4].all(axis=0).tolist() == [True, False, False, False]
    dark[:, :60] = 0.09
    assert not axis_mask(dark, 243).any()
    curve = np.zeros((250, 500), np.float32)
    curve[7:150, 0:2] = 0.4
    assert not axis_mask(curve, 243).any()


@pytest.mark.parametrize(
    ("early", "said"), [(0.0, ["'Drug' falls to 0 at once, as the side of a frame does"]), (0.5, [])]
)
def test_a_curve_that_is_gone_at_once_is_doubted(early, said):
    x = axis_through([100.0, 300.0, 500.0], [0.0, 12.0, 24.0], tolerance=2)
    y = axis_through([400.0, 250.0, 100.0], [0.0, 0.5, 1.0], tolerance=2)
    time, level = np.array([0.0, 0.05, 20.0, 23.0]), np.array([1.0, early, 0.0, 0.0])
    arm = ArmReading("Drug", (0, 0, 0), "solid", time, level, np.full(4, 0.05), np.full(4, 0.002))
    reading = FigureReading((arm,), x, y, 1.0, "raster", "ok", ())
    assert [f.message for f in ARMS.find(Read(reading, (1,), Hints(), ()))] == said


def test_a_line_that_falls_along_the_side_of_the_frame_draws_nothing():
    page = blank_page()
    draw(page, [(0, TOP), (100, 60), (200, 110), (490, 210)], (200, 40, 40))
    page[TOP - 1 : FOOT, 0:2] = page[FOOT - 2 : FOOT, :500] = (0, 150, 160)
    seen = traced_lines(page, [(200, 40, 40), (0, 150, 160)])
    # the plot of a picture ends a margin below its axis
    one = Supposition((), seen.field, seen.trace, np.zeros(page.shape[:2], bool))
    assert [_void(one, k) for k in (0, 1)] == [False, True]
