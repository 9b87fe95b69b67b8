"""Thick lines, of greys whose soft edges look like paler greys and of pictures so large that lines look like areas."""

import cv2
import numpy as np
import pytest

from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints

STAIRS = {
    (0, 0, 0): ((0, 1.0), (4, 0.8), (9, 0.62), (15, 0.45), (20, 0.45)),
    (140, 140, 140): ((0, 1.0), (3, 0.9), (7, 0.85), (13, 0.7), (20, 0.7)),
    (192, 192, 192): ((0, 1.0), (2, 0.7), (6, 0.5), (11, 0.25), (20, 0.25)),
}


def drawn(*, thick, wide, soft=1.0):
    """Three grey staircases over a time axis of 20, `wide` pixels, and the hints for axes and colours."""
    tall, left, top = wide // 3, 60, 40
    page = np.full((tall + 120, wide + 120, 3), 255, np.uint8)
    for colour, steps in STAIRS.items():
        points = [(left + wide * t / 20, top + tall * (1 - s)) for t, s in steps]
        path = [points[0]]
        for (x, y), (_, before) in zip(points[1:], points, strict=False):
            path += [(x, before), (x, y)]
        cv2.polylines(page, [np.round(np.array(path) * 16).astype(int)], False, colour, thick, cv2.LINE_AA, 4)
    page = cv2.GaussianBlur(page, (0, 0), soft)
    page[tall + top : tall + top + 2, left - 2 : left + wide] = page[top : tall + top, left - 2 : left] = 0
    arms = [{"name": str(c[0]), "color": "#{:02x}{:02x}{:02x}".format(*c)} for c in STAIRS]
    axes = {
        "x": [[left + wide * t / 20, t] for t in (0, 10, 20)],
        "y": [[top + tall * (1 - s), s] for s in (0, 0.5, 1)],
    }
    return cv2.imencode(".png", page)[1].tobytes(), read_hints({"axes": axes, "arms": arms})


@pytest.mark.parametrize(("thick", "wide"), [(5, 900), (12, 1500)])
def test_thick_greys_are_traced_whatever_the_soft_edges_of_darker_ones_show(thick, wide):
    content, hints = drawn(thick=thick, wide=wide)
    (figure,) = figures_in(content, hints, threads=1)
    for colour, steps in STAIRS.items():
        arm, (times, levels) = figure.reading.arm(str(colour[0])), np.array(steps).T
        # apart from where another line or a drop lies over it
        grid = np.setdiff1d(np.arange(0.5, 19.5, 0.25), times)
        truth = levels[np.searchsorted(times, grid, side="right") - 1]
        assert np.quantile(np.abs(arm.at(grid) - truth), 0.9) < 0.004
