"""Curves whose colours are exchanged are doubted; pale or dark inks alone are not."""

from dataclasses import replace

import numpy as np
import pytest

from metagrove.figures.doubts.identity import COLOURS
from metagrove.figures.lines.evidence import ArmLook
from metagrove.figures.lines.tracing import trace_along
from metagrove.figures.lines.tracking import Dash, Path
from metagrove.figures.reading import ArmReading
from seen_lines import blank_page, draw, seen_lines, traced_lines

RED, BLUE, GREY = (190, 40, 40), (40, 60, 190), (129, 129, 129)


def doubts(seen, known):
    """The doubts about two level lines in the inks `seen` that were traced as arms of the colours `known`."""
    page = np.full((200, 300, 3), 255, np.uint8)
    paths, arms = [], []
    for k, ink in enumerate(seen):
        row = 60 + 60 * k
        page[row : row + 3] = ink
        at = np.full(300, row + 1)
        paths.append(Path(0, at, at, np.ones(300, bool), 0.0))
        line = np.array([0.0, 10.0])
        arms.append(ArmReading(f"Arm {k + 1}", known[k], "solid", line, line * 0 + 1, line, line))
    looks = [ArmLook(colour, 3.0, Dash(), "solid") for colour in known]
    return [f.message for f in COLOURS.find(seen_lines(page, looks, paths, arms, seen))]


@pytest.mark.parametrize("known", [(RED, BLUE), ((230, 120, 120), (120, 130, 230))])
def test_curves_in_their_own_colour_raise_no_doubt(known):
    assert doubts((RED, BLUE), known) == []


def test_exchanged_colours_are_named():
    assert doubts((RED, BLUE), (BLUE, RED)) == [
        "'Arm 1' is drawn in the colour of 'Arm 2'",
        "'Arm 2' is drawn in the colour of 'Arm 1'",
    ]


def test_a_blurred_legend_colour_that_fits_the_other_curve_is_doubted():
    # a red that lost its hue in the legend, and a grey that both curves are as far from
    assert len(doubts(((55, 78, 85), (165, 60, 65)), ((153, 88, 90), GREY))) == 2


def test_arms_of_one_colour_are_left_to_their_dashes():
    assert doubts(((0, 0, 0), (0, 0, 0)), ((0, 0, 0), (0, 0, 0))) == []


@pytest.mark.parametrize("exchanged", [True, False])
def test_curves_that_change_places_half_way_are_named(exchanged):
    page = blank_page()
    draw(page, [(0, 20), (60, 60), (250, 160), (490, 160)], RED)
    draw(page, [(0, 20), (30, 110), (490, 110), (490, 110)], BLUE)
    seen = traced_lines(page, [RED, BLUE])
    if exchanged:
        upper, lower = seen.trace.paths
        cut = 300
        paths = [
            replace(a, enter=np.append(a.enter[:cut], b.enter[cut:]), leave=np.append(a.leave[:cut], b.leave[cut:]))
            for a, b in ((upper, lower), (lower, upper))
        ]
        trace = trace_along(seen.field, seen.looks, paths)
        seen = replace(seen, trace=trace, foreign=(trace.foreign(0), trace.foreign(1)))
    found = [f.message for f in COLOURS.find(seen)]
    assert len(found) == (2 if exchanged else 0)
    assert all("from" in f for f in found)
