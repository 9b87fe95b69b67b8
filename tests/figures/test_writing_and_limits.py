"""Writing told from what it stands on, legends from what surrounds them, confidence limits from curves."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.legend.samples import legend_samples, unlined
from metagrove.figures.lines.evidence import ArmLook, canvas
from metagrove.figures.lines.limits import limit_lines
from metagrove.figures.lines.tracking import Dash, Path
from metagrove.figures.page import Word
from metagrove.figures.scales.axes import column_axes
from metagrove.figures.scales.frame import dark_lines
from metagrove.figures.writing.lettering import text_boxes, writing
from metagrove.figures.writing.ocr import Written, can_read, picture_words
from metagrove.figures.writing.words import legible


def lettered(page, text, at, ink=(20, 20, 20)):
    cv2.putText(page, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, 2, cv2.LINE_AA)
    return page


def words_at(rgb, row):
    return [b for b in text_boxes(writing(rgb)) if b.angle == 0 and b.box[1] <= row <= b.box[3] and len(b.pieces) > 1]


@pytest.mark.parametrize("band", [(255, 255, 255), (210, 225, 240), (190, 190, 190)])
def test_letters_are_cut_out_alike_on_paper_band_and_filled_box(band):
    page = np.full((240, 700, 3), 255, np.uint8)
    page[60:140, 100:600] = band
    (box,) = words_at(lettered(page, "Median", (150, 110)), 100)
    assert len(box.pieces) >= 6
    assert box.box[0] == pytest.approx(151, abs=4)


@pytest.mark.skipif(not can_read(), reason="needs the extra 'ocr'")
def test_large_labels_are_read_beside_many_small_marks():
    page = np.full((700, 900, 3), 255, np.uint8)
    for k, text in enumerate(("100", "90", "80")):
        cv2.putText(page, text, (40, 120 + 200 * k), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 2, cv2.LINE_AA)
    for k in range(60):
        x, y = 150 + 12 * k, 100 + 8 * k
        page[y : y + 7, x : x + 2] = page[y + 1 : y + 8, x + 4 : x + 6] = (180, 0, 0)
    assert {"100", "90", "80"} <= {w.text for w in picture_words(Written(page), threads=1)}


def test_white_letters_on_dark_paper():
    page = np.full((240, 700, 3), (11, 42, 91), np.uint8)
    (box,) = words_at(lettered(page, "Median", (150, 110), (255, 255, 255)), 100)
    assert len(box.pieces) >= 6


def test_the_pale_frame_of_a_legend_is_no_letter():
    page = np.full((240, 700, 3), 255, np.uint8)
    page[80:130, [140, 141, 420, 421]] = 204
    page[[80, 81, 129, 130], 140:422] = 204
    page[104:107, 150:200] = (194, 165, 207)
    found = words_at(lettered(page, "Placebo", (215, 113)), 105)
    assert [b.box[0] for b in found] == [pytest.approx(217, abs=4)]


def test_strokes_are_not_legible():
    assert legible([Word("T", 10, 10, 40, 15), Word("Low", 60, 8, 90, 20), Word("1", 50, 8, 54, 20)])[0].text == "Low"


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.integers(150, 225), st.integers(2, 5))
def test_legend_lines_are_found_dark_and_pale(grey, thick):
    page = np.full((300, 600, 3), 255, np.uint8)
    for k, ink in enumerate([(20, 40, 160), (grey, grey - 20, grey)]):
        row = 100 + 40 * k
        page[row : row + thick, 300:345] = ink
    names = [Word(n, 360, 93 + 40 * k, 430, 109 + 40 * k) for k, n in enumerate(["Drug", "Placebo"])]
    ink = (255 - page.min(axis=2)).astype(np.float32) / 255
    if np.linalg.norm([255 - grey, 275 - grey, 255 - grey]) < 45:
        return
    found = legend_samples(page, ink, names)
    assert [(s.name, s.style) for s in found] == [("Drug", "solid"), ("Placebo", "solid")]
    between = [*names, Word("Both", 360, 113, 400, 129)]
    assert not unlined(found, names)
    assert [f.message for f in unlined(found, between)] == ["'Both' stands in the legend without a line"]


def test_axis_lines_of_two_figures_in_one_column_are_two():
    dark = np.zeros((900, 400), np.float32)
    dark[50:350, 100:102] = dark[500:850, 100:102] = 1
    found = dark_lines(dark, level=False, least=200)
    assert sorted((line.begin, line.end) for line in found) == [(50, 350), (500, 850)]


def test_decimals_that_lost_their_point_still_make_a_scale():
    labels = ["10", "08", "0.6", "04", "0.2", "0.0"]
    words = [Word(t, 80, 95 + 60 * k, 100, 105 + 60 * k, score=0.95) for k, t in enumerate(labels)]
    (axis,) = column_axes(words, tolerance=2)
    assert sorted(axis.values) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert axis.left_out == 0


def drawn(levels, colour=(200, 30, 30), dashed=False):
    """Ink of step lines on white paper; `levels` holds one array of rows per line."""
    page = np.full((400, 600, 3), 255, np.uint8)
    for rows in levels:
        for c, (before, row) in enumerate(zip(np.append(rows[:1], rows[:-1]), rows, strict=True)):
            if not dashed or (c + int(row)) % 8 < 5:
                page[min(before, row) : max(before, row) + 2, c] = colour
    return page


def staircase(drops, size, first=20):
    at = np.zeros(600, dtype=int)
    at[drops] = size
    return first + np.cumsum(at)


def found_limits(curve, others, dashed):
    path = Path(0, np.append(curve[:1], curve[:-1]), curve, np.ones(600, bool), 0.0)
    page = np.minimum(drawn([curve]), drawn(others, (215, 90, 90), dashed))
    field = canvas(page, [(200, 30, 30)])
    look = ArmLook((200, 30, 30), 2.0, Dash(), "solid")
    away = np.abs(np.arange(400)[:, None] - curve[None, :]) > 4
    inked = (page.min(axis=2) < 150) & away
    return inked, limit_lines(field, inked, [look], [path])


@pytest.mark.parametrize("dashed", [True, False])
def test_lines_that_drop_with_the_curve_on_both_sides_are_its_limits(dashed):
    drops = np.arange(30, 580, 40)
    curve = staircase(drops, 16)
    spread = (6 + np.arange(600) / 20).astype(int)
    upper, lower = np.maximum(curve - spread, 20), curve + spread
    inked, limits = found_limits(curve, [upper, lower], dashed)
    assert limits[inked].mean() > 0.9


def test_one_side_alone_and_curves_of_their_own_are_no_limits():
    drops = np.arange(30, 580, 40)
    curve = staircase(drops, 16)
    inked, limits = found_limits(curve, [curve + 25], False)
    assert inked.any()
    assert not limits.any()
    # two other arms, above and below, that fall at other times
    rng = np.random.default_rng(3)
    own = [np.sort(rng.choice(580, 5, replace=False)) for _ in range(2)]
    inked, limits = found_limits(curve, [staircase(own[0], 30), staircase(own[1], 72)], False)
    assert not limits.any()
