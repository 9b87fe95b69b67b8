"""Every check of a reading says what it looks for, catches it, and lets what is right alone."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.doubts.checks import READING_CHECKS, TRACE_CHECKS, trace_doubts
from metagrove.figures.doubts.ends import ENDS
from metagrove.figures.doubts.furniture import frame_pieces, letters_beside
from metagrove.figures.doubts.ink import DROPS, UNEXPLAINED, confirmed_by_ink, witnesses_of
from metagrove.figures.doubts.reading_checks import ARMS, SCALES, TABLE, Read
from metagrove.figures.hints import Hints
from metagrove.figures.lines.evidence import canvas
from metagrove.figures.page import Word
from metagrove.figures.reading import FigureReading
from metagrove.figures.scales.axes import axis_through
from seen_lines import blank_page, draw, traced_lines

CHECKS = (*TRACE_CHECKS, *READING_CHECKS)


def test_each_check_has_its_own_name():
    assert len({c.name for c in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_no_sentence_is_two_checks(check):
    for sentence in check.says:
        example = re.sub(r"\{\w*\}", "7", sentence)
        assert [c.name for c in CHECKS if c.said(example)] == [check.name]
    assert check.looks_for


def test_a_name_with_signs_in_it_is_still_that_sentence():
    assert [c.name for c in CHECKS if c.said("'A (n=3).*' is faint along its own line")] == ["own ink"]


RED, BLUE, GREY = (200, 40, 40), (40, 70, 190), (150, 150, 150)
FALL = [(0, 20), (100, 60), (200, 110), (300, 160), (400, 210), (490, 210)]
LOWER = [(0, 20), (60, 100), (160, 170), (260, 230), (380, 270), (490, 270)]


def said(check, seen):
    return [f.message for f in check.find(seen)]


def drawn(*lines):
    page = blank_page()
    for steps, colour in lines:
        draw(page, steps, colour)
    return page


def test_two_lines_that_explain_all_ink_raise_no_doubt_and_confirm_their_number():
    seen = traced_lines(drawn((LOWER, BLUE), (FALL, RED)), [RED, BLUE])
    assert [f.message for f in trace_doubts(seen)] == []
    assert witnesses_of(seen, ()) == (2,)
    assert witnesses_of(seen, (3,)) == (3,)


def test_a_line_that_was_not_found_is_unexplained_and_confirms_nothing():
    seen = traced_lines(drawn((LOWER, BLUE), (FALL, RED)), [RED])
    assert said(UNEXPLAINED, seen)
    assert witnesses_of(seen, ()) == ()


def test_two_lines_of_one_ink_confirm_their_number_only_where_they_keep_apart():
    crossing = [(0, 20), (40, 130), (300, 140), (490, 140)]
    apart = traced_lines(drawn((LOWER, BLUE), (FALL, BLUE)), [BLUE, (44, 74, 194)])
    assert confirmed_by_ink(apart) or apart.trace.visible[1] < 0.6
    met = traced_lines(drawn((crossing, BLUE), (FALL, BLUE)), [BLUE, (44, 74, 194)])
    assert not confirmed_by_ink(met)


@pytest.mark.parametrize("above", [True, False])
def test_a_mark_on_the_end_is_no_drop_and_a_drop_is_read(above):
    page = drawn((FALL, RED))
    page[210:240, 489:492] = RED
    if above:
        page[180:210, 489:492] = RED
    seen = traced_lines(page, [RED])
    assert said(ENDS, seen) == []
    last = seen.arms[0].survival[-1]
    assert last == pytest.approx((320 - 210.5) / 300 if above else (320 - 239) / 300, abs=0.012)


@pytest.mark.parametrize("tail", [RED, (215, 120, 120)])
def test_a_last_level_in_a_paler_colour_is_doubted(tail):
    page = blank_page()
    draw(page, FALL, tail)
    until = page.copy()
    draw(page, FALL[:-2] + [(396, 160)], RED)
    page[:, 404:] = until[:, 404:]
    doubts = said(ENDS, traced_lines(page, [RED]))
    assert [d.split(",")[0] for d in doubts] == ([] if tail == RED else ["'Arm 1' shows after its last drop"]), doubts


@pytest.mark.parametrize("shared", [True, False])
def test_a_drop_hidden_behind_another_arms_drop_is_timed_by_its_levels(shared):
    upper = [(0, 20), (250, 160), (490, 160)]
    lower = [(0, 20), (60, 80), (250, 140), (490, 140)]
    page = blank_page()
    draw(page, lower, BLUE)
    if shared:
        draw(page, upper, RED)
    else:
        # nothing hides the upright line, and it does not show
        page[86:136, 247:255] = 255
    seen = traced_lines(page, [BLUE, RED] if shared else [BLUE])
    assert len(seen.trace.steps[0].unseen)
    assert bool(said(DROPS, seen)) != shared


def framed(sides, steps=FALL):
    page = drawn((steps, RED))
    for side, where in {
        "top": (slice(40, 42), slice(330, 480)),
        "foot": (slice(100, 102), slice(330, 480)),
        "left": (slice(40, 102), slice(330, 332)),
        "right": (slice(40, 102), slice(478, 480)),
    }.items():
        if side in sides:
            page[where] = GREY
    prose = np.zeros(page.shape[:2], bool)
    prose[55:90, 345:465] = True
    return page, prose


@pytest.mark.parametrize("sides", [("top", "right"), ("right", "foot"), ("top",), ("top", "right", "foot", "left")])
def test_what_is_left_of_a_legends_frame_needs_no_curve(sides):
    page, prose = framed(sides)
    assert said(UNEXPLAINED, traced_lines(page, [RED], prose=prose)) == []
    # the same lines with nothing written in them are ink that something must explain
    assert said(UNEXPLAINED, traced_lines(page, [RED])) or "left" in sides


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(30, 120), st.integers(8, 60)), min_size=3, max_size=5))
def test_no_staircase_is_a_frame(falls):
    ink = np.zeros((400, 700), bool)
    row, column = 20, 10
    for length, depth in falls:
        ink[row : row + 2, column : column + length] = True
        column += length
        ink[row : row + depth + 2, column : column + 2] = True
        row += depth
    ink[row : row + 2, column : column + 60] = True
    writing = np.ones((400, 700), bool)
    assert not frame_pieces(ink, np.zeros((400, 700), bool), writing).any()


def test_letters_that_were_not_read_beside_words_need_no_curve():
    prose = np.zeros((200, 400), bool)
    prose[150:164, 100:180] = True
    ink = np.zeros((200, 400), bool)
    for left in (60, 72, 84, 186, 198):
        ink[152:162, left : left + 7] = True
        ink[154:160, left + 2 : left + 5] = False
    away = np.zeros_like(ink)
    away[152:162, 250:257] = True
    line = np.zeros_like(ink)
    line[140:142, 20:220] = line[157:159, 215:320] = True
    found = letters_beside(ink | away | line, prose)
    assert found[ink].all()
    assert not found[away | line].any()


def test_a_line_that_never_falls_is_no_curve():
    page = drawn((FALL, RED))
    page[19:22, :500] = BLUE
    seen = traced_lines(page, [RED, BLUE])
    x, y = seen.plot.scales.x, seen.plot.scales.y
    reading = FigureReading(seen.arms, x, y, 1.0, "raster", "ok", ())
    assert [f.message for f in ARMS.find(Read(reading, (2,), Hints(), ()))] == ["'Arm 2' never falls"]


def test_thick_lines_whose_colour_passes_for_paper_are_ink():
    page = drawn((FALL, RED))
    draw(page, [(0, 20), (80, 120), (300, 200), (490, 240), (500, 240)], BLUE, width=9)
    looks = traced_lines(page, [RED])
    thick = replace(looks, field=canvas(page, [RED], looks.field.blank))
    assert any(np.linalg.norm(p - np.array(BLUE)) < 20 for p in thick.field.paper)
    assert said(UNEXPLAINED, thick)


def test_the_key_of_a_legend_cut_by_the_head_of_the_plot_goes_with_its_name():
    prose = np.zeros((200, 400), bool)
    prose[0:14, 240:330] = True
    ink = np.zeros((200, 400), bool)
    ink[3:6, 190:228] = True
    assert letters_beside(ink, prose)[ink].all()
    lower = np.roll(ink, 100, axis=0)
    assert not letters_beside(lower, np.roll(prose, 100, axis=0)).any()


@pytest.mark.parametrize(
    ("words", "announced"),
    [
        (["No.", "at", "risk"], True),
        (["Number", "at", "risk", "(censored)"], True),
        (["High", "risk"], False),
        (["patients", "who", "are", "at", "risk", "were", "followed", "for", "ten", "years"], False),
        (["Months"], False),
    ],
)
def test_a_table_that_is_announced_and_not_read_is_doubted(words, announced):
    axis = axis_through([100.0, 300.0, 500.0], [0.0, 12.0, 24.0], tolerance=2)
    reading = FigureReading((), axis, axis, 1.0, "raster", "ok", (), (), frame=(100.0, 50.0, 500.0, 400.0))
    starts = np.cumsum([20.0, *(8.0 * len(w) + 6 for w in words)])
    line = tuple(Word(w, x, 460.0, x + 8.0 * len(w), 474.0) for w, x in zip(words, starts, strict=False))
    assert bool(said(TABLE, Read(reading, (), Hints(), line))) == announced
    far = tuple(replace(w, y0=w.y0 + 800, y1=w.y1 + 800) for w in line)
    assert said(TABLE, Read(reading, (), Hints(), far)) == []


@pytest.mark.parametrize(
    ("step", "count", "aside", "doubted"),
    [
        pytest.param(150.0, 6, 0.0, False, id="many labels over many pixels"),
        pytest.param(60.0, 6, 0.0, True, id="over few pixels"),
        pytest.param(300.0, 4, 0.0, True, id="few labels"),
        pytest.param(150.0, 6, 2.0, True, id="not straight"),
    ],
)
def test_labels_without_tick_marks_count_where_they_stand_straight_over_many_pixels(step, count, aside, doubted):
    places = 100 + step * np.arange(count)
    ticked = replace(axis_through(places, 6.0 * np.arange(count), tolerance=4), on_ticks=count)
    places[0] += aside
    bare = axis_through(places[::-1], np.arange(count) / (count - 1), tolerance=4)
    reading = FigureReading((), ticked, bare, 1.0, "raster", "ok", ())
    assert bool(said(SCALES, Read(reading, (), Hints(), ()))) == doubted
