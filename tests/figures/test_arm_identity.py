"""Arms in one hue keep their identity, curves beside printed names stay, legends go."""

import numpy as np
import pytest

from metagrove.figures.doubts.identity import _fits_other
from metagrove.figures.legend.clearing import enclosed, unframed
from metagrove.figures.legend.keys import Sample
from metagrove.figures.lines.evidence import ArmLook, canvas
from metagrove.figures.lines.tracing import traced
from metagrove.figures.lines.tracking import Dash

NAVY, STEEL = (8, 48, 107), (33, 113, 181)


def staircase(page, ink, drops, share):
    """A one-pixel line with soft edges of `share` drawn over a white page; its row in each column."""
    row = np.full(page.shape[1], 20)
    for column, fall in drops:
        row[column:] += fall
    soft = 255 - share * (255 - np.array(ink, dtype=float))
    for c in range(page.shape[1]):
        top = row[c - 1] if c else row[c]
        for r in range(top - 1, row[c] + 2):
            if page[r, c].sum() > soft.sum():
                page[r, c] = soft
        page[top : row[c] + 1, c] = ink
    return row


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_thin_lines_of_one_hue_are_not_taken_for_each_other(share):
    page = np.full((200, 300, 3), 255, dtype=np.uint8)
    high = staircase(page, STEEL, [(30, 8), (120, 20), (200, 15)], share)
    low = staircase(page, NAVY, [(15, 14), (60, 40), (150, 60)], share)
    looks = [ArmLook(c, 1.4, Dash(), "solid", 0.75) for c in (NAVY, STEEL)]
    trace = traced(canvas(page, [NAVY, STEEL]), looks, start=20.5)
    for path, row in zip(trace.paths, (low, high), strict=True):
        assert len(path.leave) == 300
        assert np.abs(path.leave - row).mean() < 1.0


def test_a_frame_is_taken_off_and_a_filled_band_is_not():
    ink = np.zeros((120, 200), dtype=np.float32)
    sample = Sample("Drug A", (0, 0, 0), "solid", Dash(), (60.0, 50.0, 130.0, 62.0), 2.0, 80.0)
    ink[40, 50:141] = ink[72, 50:141] = 1
    ink[40:73, 50] = ink[40:73, 140] = 1
    erased = np.zeros(ink.shape, bool)
    unframed(erased, ink, [sample])
    assert erased[40, 60:130].all()
    band = np.zeros_like(ink)
    band[30:100, 20:190] = 0.3
    erased = np.zeros(ink.shape, bool)
    unframed(erased, band, [sample])
    assert not erased.any()


def test_only_ink_that_ends_within_a_box_is_taken_off():
    ink = np.zeros((80, 200), dtype=np.float32)
    ink[30:33, 20:60] = 1  # a legend's own line
    ink[50:53, 20:199] = 1  # a curve that passes
    gone = enclosed(ink, [(15.0, 24.0, 100.0, 60.0)])
    assert gone[31, 20:60].all()
    assert not gone[51, 120:].any()
    assert not gone[51, 30:90].any()


@pytest.mark.parametrize(
    ("long", "short", "other"),
    [
        # dashes under crowds of marks: in stretches of five periods the short pattern fits almost any ink better
        ((0.28, 0.19), (0.28, 0.36), True),
        ((0.28, 0.21), (0.28, 0.20), True),
        ((0.45, 0.11), (0.54, 0.19), False),
    ],
)
def test_a_pattern_is_another_arms_where_it_fits_better_in_stretches_of_one_length(long, short, other):
    own, rival = Dash(3.3, 4.9), Dash(15.0, 7.0)

    def fits(dash, *, stretch=0):
        assert stretch in (0, round(2 * rival.period))
        return (short if stretch else long)[dash == rival]

    assert _fits_other(fits, own, rival) is other
    # a solid line shows dashes only where these fit well
    assert not _fits_other(fits, Dash(), rival)
