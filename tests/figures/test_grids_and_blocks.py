"""Grid lines, panels' edges, tables with a block for each arm, flush counts and Roman numerals."""

from dataclasses import replace

import numpy as np
import pytest

from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints
from metagrove.figures.page import Word
from metagrove.figures.reading import ArmReading, RiskCell
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.scales.frame import dark_lines, panel_edges, tick_places
from metagrove.figures.scales.grid import ungridded
from metagrove.figures.table.arm_blocks import named_by_block
from metagrove.figures.table.doubted_counts import centred, out_of_line, too_fine
from metagrove.figures.table.lines import CountLine
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.writing.naming import numbered
from metagrove.figures.writing.ocr import can_read
from metagrove.figures.writing.words import romans

X = axis_through([50, 150, 250, 350], [0, 10, 20, 30], tolerance=2)
Y = axis_through([260, 210, 160, 110, 60], [0, 0.25, 0.5, 0.75, 1], tolerance=2)
CURVE = np.array([31, 119, 180])


def plot(paper=255, grid=None, dashes=1):
    """A curve that falls at columns 100 to 300, over a grid at the labels."""
    page = np.full((320, 400, 3), paper, np.uint8)
    if grid is not None:
        for row in (60, 110, 160, 210):
            page[row : row + 2, 20:390][:, np.arange(370) % (6 * dashes) < 4 * dashes] = grid
        for column in (50, 150, 250, 350):
            page[40:260, column : column + 2][np.arange(220) % (6 * dashes) < 4 * dashes] = grid
    for k, column in enumerate(range(100, 300, 20)):
        page[60 + 18 * k : 63 + 18 * k, column : column + 21] = CURVE
        page[60 + 18 * k : 81 + 18 * k, column + 20 : column + 23] = CURVE
    return page


@pytest.mark.parametrize(
    ("paper", "grid", "dashes"), [(255, 204, 100), (255, 176, 100), (229, 255, 100), (238, 178, 1)]
)
def test_grids_go_and_the_curve_stays(paper, grid, dashes):
    cleared = ungridded(plot(paper, grid, dashes), X, Y)
    bare = plot(paper)
    curve = (bare == CURVE).all(axis=2)
    assert (cleared[curve] == CURVE).all()
    inside = np.zeros(curve.shape, bool)
    inside[45:255, 25:385] = True
    near = np.zeros(curve.shape, bool)
    rows, columns = np.nonzero(curve)
    for move in range(-6, 7):
        near[np.clip(rows + move, 0, 319), columns] = near[rows, np.clip(columns + move, 0, 399)] = True
    left = np.abs(cleared.astype(int) - paper).max(axis=2) > 12
    assert not (left & inside & ~near).any()


def test_a_plot_without_a_grid_is_left_as_it_is():
    page = plot()
    page[110:113, 50:350] = (90, 90, 90)  # a level line in one row alone, as dark as a curve
    assert ungridded(page, X, Y) is page


def test_grain_of_the_paper_is_no_grid():
    grain = np.random.default_rng(5).normal(0, 9, (320, 400, 1))
    page = np.clip(plot(242) + grain, 0, 255).astype(np.uint8)
    # labels that begin late leave room for frames beyond them
    x = axis_through([150, 250, 350], [10, 20, 30], tolerance=2)
    assert ungridded(page, x, Y) is page


def test_edges_of_a_panel():
    page = np.full((100, 200, 3), 255, np.uint8)
    page[20:80] = (234, 234, 242)
    page[40:42] = 255
    page[20:80, 90:110] = (200, 30, 30)
    assert panel_edges(page, level=True, begin=10, end=190) == pytest.approx([20, 80], abs=0.51)


def cell(time, n, middle=None, right=None, sure=True):
    wide = 7 * len(str(n))
    left = middle - wide / 2 if middle is not None else right - wide
    return Cell(time, n, None, sure, (left, 0, left + wide, 10), str(n))


def test_blocks_give_rows_the_names_above_them_and_sums_settle_doubts():
    def words(text):
        return (Word(text, 0, 0, 40, 10),)

    times, risk = (0.0, 10.0, 20.0, 30.0), {"Control": (40, 30, 12, 3), "Drug": (50, 44, 20, 0)}
    censored = {"Control": (0, 4, 18, 24), "Drug": (0, 2, 20, 35)}
    events = {"Control": (0, 6, 10, 13), "Drug": (0, 4, 10, 15)}
    rows, lines = [], []
    for k, name in enumerate(risk):
        lines.append(CountLine(words(name), name, (), 100.0 * k))
        for j, (label, table) in enumerate((("At risk", risk), ("Censored", censored), ("Events", events)), 1):
            cells = tuple(cell(t, n, middle=10 * t, sure=False) for t, n in zip(times, table[name], strict=True))
            lines.append(CountLine(words(label), label, cells, 100.0 * k + 20 * j))
            if j == 1:
                rows.append(RiskRow(label, None, cells, 100.0 * k + 20, size=10))
    named = named_by_block(rows, lines)
    assert [r.label for r in named] == ["Control", "Drug"]
    assert all(c.sure for r in named for c in r.cells)
    wrong = replace(rows[0], cells=tuple(replace(c, n=21, sure=True) if c.time == 20 else c for c in rows[0].cells))
    assert [c.sure for c in named_by_block([wrong, rows[1]], lines)[0].cells] == [True, True, False, True]


def test_the_name_of_a_block_may_stand_far_above_its_lines_and_reach_beyond_its_first_count():
    far, cells = 45.0, tuple(cell(t, n, middle=10 * t + 30) for t, n in zip((0.0, 10.0), (40, 30), strict=True))
    heading = CountLine((Word("Radiochemotherapy", 30, 0, 110, 10),), "Radiochemotherapy", (), 100 - far)
    lines = [heading, CountLine((), "At risk", cells, 100.0), CountLine((), "Events", cells, 138.0)]
    rows = [RiskRow("At risk", None, cells, 100.0, size=10)]
    assert [r.label for r in named_by_block(rows, lines)] == ["Radiochemotherapy"]
    # the title of the axis begins further right
    title = replace(heading, words=(Word("Months", 60, 0, 90, 10),))
    assert [r.label for r in named_by_block(rows, [title, *lines[1:]])] == ["At risk"]


def test_other_tables_keep_their_names():
    rows = [
        RiskRow(name, None, (cell(0, 9, middle=0), cell(10, 4, middle=100)), 20.0 * k) for k, name in enumerate("AB")
    ]
    assert named_by_block(rows, []) == rows


def test_a_lost_digit_is_seen_in_centred_columns_but_flush_ones_have_lost_none():
    times, ticks = [10.0 * k for k in range(4)], [50, 150, 250, 350]
    counts = [(340, 273, 151, 70), (393, 341, 98, 8)]
    middle = [
        RiskRow("", None, tuple(cell(t, n, middle=p) for t, n, p in zip(times, row, ticks, strict=True)), 0.0)
        for row in counts
    ]
    flush = [
        RiskRow("", None, tuple(cell(t, n, right=p + 10.5) for t, n, p in zip(times, row, ticks, strict=True)), 0.0)
        for row in counts
    ]
    assert all(c.sure for r in centred(middle, X) + centred(flush, X) for c in r.cells)
    lost = replace(middle[0], cells=(*middle[0].cells[:1], cell(10.0, 73, right=150 + 10.5), *middle[0].cells[2:]))
    assert [c.sure for c in centred([lost, middle[1]], X)[0].cells] == [True, False, True, True]


@pytest.mark.parametrize(
    ("text", "wide", "score", "numeral"),
    [("1", 2, 0.6, "I"), ('"I', 6, 0.3, "II"), ("11", 10, 0.4, "III"), ("1", 6, 0.99, "1")],
)
def test_strokes_behind_a_name_are_a_numeral_unless_surely_read_otherwise(text, wide, score, numeral):
    name = Word("Stage", 0, 0, 40, 12, score=1.0)
    stroke = Word(text, 44, 1, 44 + wide, 12, score=score)
    assert [w.text for w in romans([name, stroke])] == ["Stage", numeral]
    assert [w.text for w in romans([stroke])] == [text]
    assert romans([Word("Cohort Il", 0, 0, 60, 12)])[0].text == "Cohort II"


def test_names_that_differ_by_numerals_alone():
    assert numbered(["Cohort I", "Cohort", "Cohort IV"])
    assert not numbered(["Drug A", "Drug B", "Placebo"])


@pytest.mark.skipif(not can_read(), reason="needs the extra 'ocr'")
@pytest.mark.parametrize("seed", [101, 121])
def test_figures_of_lifelines(seed):
    pytest.importorskip("lifelines")
    from benchmarks.figure_lifelines import lifelines_figure

    drawn = lifelines_figure(seed)
    reading = figures_in(drawn.content, threads=1)[0].reading
    assert (reading.status, reading.reasons) == ("ok", ())
    for arm in drawn.truth["arms"]:
        found = reading.arm(arm["name"])
        time, level = np.array(arm["steps"]).T
        grid = np.linspace(0, found.end, 500)
        true = level[np.searchsorted(time, grid, side="right") - 1]
        assert np.abs(found.at(grid) - true).mean() < 0.004
    true = {
        (r["arm"], t): n
        for r in drawn.truth["at_risk"]["rows"]
        for t, n in zip(drawn.truth["at_risk"]["times"], r["n"], strict=True)
    }
    assert {(c.arm, c.time): c.n for c in reading.cells} == true


def test_a_count_that_loses_its_people_in_one_arm_alone_is_out_of_line():
    arm = ArmReading("A", (0, 0, 0), "solid", [0, 5, 24], [1, 0.8, 0.8], np.full(3, 0.1), np.full(3, 0.002))
    other = replace(arm, name="B")

    def counts(name, *numbers):
        return [RiskCell(name, 12.0 * k, n) for k, n in enumerate(numbers)]

    wrong = out_of_line([(counts("A", 1323, 80, 57), arm), (counts("B", 100, 68, 45), other)])
    assert [(c.arm, c.n) for c in wrong] == [("A", 1323)]
    assert not out_of_line([(counts("A", 123, 80, 57), arm), (counts("B", 100, 68, 45), other)])
    # where follow-up ends for all, nobody is out of line
    assert not out_of_line([(counts("A", 123, 80, 4), arm), (counts("B", 100, 68, 3), other)])
    # nor where the curve itself ends before the count
    longer = replace(arm, time=[0, 5, 30])
    assert [c.n for c in out_of_line([(counts("A", 123, 80, 0), longer), (counts("B", 100, 68, 45), other)])] == [80]
    assert not out_of_line([(counts("A", 123, 80, 0), arm), (counts("B", 100, 68, 45), other)])


@pytest.mark.parametrize("hidden", [True, False])
def test_a_curve_that_goes_on_behind_a_legend_is_doubted(hidden):
    page = np.full((400, 640, 3), 255, np.uint8)
    page[350:352, 48:600] = page[48:352, 48:50] = 0
    for k in range(10):
        row, column = 50 + 24 * k, 50 + 50 * k
        page[row - 1 : row + 2, column : column + 51] = CURVE
        page[row - 1 : row + 26, column + 49 : column + 52] = CURVE
    page[300:, 545:] = 255
    page[350:352, 48:600] = 0
    if hidden:
        page[150:340, 252:520] = 255
    import cv2

    content = cv2.imencode(".png", page[:, :, ::-1])[1].tobytes()
    axes = {"x": [[50, 0], [550, 10]], "y": [[350, 0], [50, 1]]}
    hints = read_hints({"axes": axes, "arms": [{"name": "A", "color": "#1f77b4"}]})
    reading = figures_in(content, hints, threads=1)[0].reading
    assert any("goes on behind" in reason for reason in reading.reasons) == hidden


def test_grid_lines_end_where_the_plot_does_beyond_the_last_label():
    page = np.full((320, 450, 3), 255, np.uint8)
    for row in (60, 110, 160, 210, 260):
        page[row : row + 2, 40:440] = 204
    assert (ungridded(page, X, Y) == 255).all()


def test_tick_marks_of_two_pixels_are_found_in_small_pictures():
    dark = np.zeros((200, 240), np.float32)
    dark[180, 30:220] = dark[20:181, 30] = 0.8
    places = [20, 52, 84, 116, 148, 180]
    for row in places:
        dark[row, 28:30] = 0.7
    (line,) = dark_lines(dark, level=False, least=100)
    found = tick_places(dark, line, outward=-1, short=True)
    assert np.abs(found[:, None] - (np.array(places) + 0.5)).min(axis=0).max() < 0.6
    # the line itself is none
    assert not len(tick_places(dark, line, outward=1, short=True)[1:-1])


def test_one_drop_a_little_under_a_person_is_no_contradiction_two_are():
    def arm(*drops):
        level = 0.5 - np.cumsum(drops)
        time = np.array([0.0, 2.0, *(12.0 + 3 * k for k in range(len(drops))), 29.0])
        survival = np.array([1.0, 0.5, *level, level[-1]])
        return ArmReading("A", (0, 0, 0), "solid", time, survival, np.full(len(time), 0.02), np.full(len(time), 0.0005))

    cells = [RiskCell("A", 0.0, 40), RiskCell("A", 10.0, 20), RiskCell("A", 30.0, 5)]
    # one of 20 people is 0.025 of 0.5
    assert too_fine(cells, arm(0.018)) is None
    assert too_fine(cells, arm(0.018, 0.018)).n == 20
    assert too_fine(cells, arm(0.01)).n == 20
    assert too_fine(cells, arm(0.025, 0.025)) is None
    # one level read off among many drops is no sign of a count that is too small
    assert too_fine(cells, arm(0.01, *[0.03] * 4)) is None
