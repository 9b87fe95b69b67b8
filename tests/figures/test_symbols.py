"""Arms of one ink are told apart by the symbols on their lines, and keys that bear symbols are read."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from metagrove.figures.doubts.symbols import SYMBOLS
from metagrove.figures.legend.arms import Scene, with_marks
from metagrove.figures.legend.hidden_dashes import dashes_shown
from metagrove.figures.legend.marker_keys import marker_keys
from metagrove.figures.lines.symbols import TWO_SYMBOLS, marks_of, unlike
from metagrove.figures.lines.tracing import trace_along
from metagrove.figures.page import Word
from seen_lines import blank_page, draw, traced_lines

BLACK = (0, 0, 0)
SHAPES = ("square", "triangle", "circle", "diamond")


def put(page, shape, column, row, reach=6):
    """A filled symbol round a pixel; `ring` is an open circle, `cross` and `plus` are strokes."""
    near = {
        "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        "triangle": [(0, -1), (1, 1), (-1, 1)],
        "diamond": [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)],
    }
    if shape in near:
        points = np.array([(round(column + reach * x), round(row + reach * y)) for x, y in near[shape]], np.int32)
        cv2.fillPoly(page, [points], BLACK)
    elif shape in ("circle", "ring"):
        cv2.circle(page, (column, row), reach, BLACK, -1)
        cv2.circle(page, (column, row), reach - 2, (255, 255, 255) if shape == "ring" else BLACK, -1)
    else:
        ends = [((-1, -1), (1, 1)), ((-1, 1), (1, -1))] if shape == "cross" else [((0, -1), (0, 1)), ((-1, 0), (1, 0))]
        for (a, b), (c, d) in ends:
            cv2.line(page, (column + reach * a, row + reach * b), (column + reach * c, row + reach * d), BLACK, 2)


def legend(shapes, *, dashes=(), long=48):
    """A column of black keys with symbols in their middle, and the words beside them."""
    page, words = np.full((40 + 28 * len(shapes), 260, 3), 255, np.uint8), []
    for k, shape in enumerate(shapes):
        row = 24 + 28 * k
        on, off = dashes[k] if k < len(dashes) else (long, 0)
        for left in range(20, 20 + long, on + off or 1):
            page[row - 1 : row + 2, left : min(left + on, 20 + long)] = 0
        put(page, shape, 20 + long // 2, row)
        words.append(Word(f"Group {'ABCD'[k]}", 20 + long + 10, row - 8, 20 + long + 90, row + 8))
    return page, words


def symbols_of(*shapes):
    return [s.symbol for s in marker_keys(*legend(shapes))]


def test_black_keys_with_symbols_are_entries_that_differ_by_them():
    found = marker_keys(*legend(SHAPES))
    assert [s.name for s in found] == ["Group A", "Group B", "Group C", "Group D"]
    assert {s.style for s in found} == {"solid"}
    for k, one in enumerate(found):
        assert [unlike(one.symbol, other.symbol) > TWO_SYMBOLS for other in found] == [j != k for j in range(4)]


def test_keys_whose_symbols_look_the_same_are_no_legend():
    assert marker_keys(*legend(("square", "square"))) == []


@pytest.mark.parametrize("strokes", ["cross", "plus"])
def test_marks_of_strokes_are_no_symbols(strokes):
    assert marker_keys(*legend((strokes, strokes, "circle"))) == []


def test_words_read_in_place_of_keys_do_not_hide_them_and_letters_are_no_keys():
    page, words = legend(("square", "triangle"))
    misread = [Word("LIT", 20, 16, 68, 32, 0, 0.7), Word("A-", 26, 46, 60, 60, 0, 0.7)]
    assert [s.name for s in marker_keys(page, [*misread, *words])] == ["Group A", "Group B"]
    assert marker_keys(page, [replace(w, x0=4.0) for w in misread] + words) == []


def test_dashes_show_beside_a_symbol():
    dashed, solid = marker_keys(*legend(("square", "triangle"), dashes=[(14, 8), (48, 0)]))
    assert (dashed.style, solid.style) == ("dashed", "solid")
    assert abs(dashed.dash.on - 14) < 2
    assert abs(dashed.dash.period - 22) < 2


@pytest.mark.parametrize(("on", "off"), [(12, 6), (4, 6), (30, 8), (9, 9)])
def test_a_pattern_that_a_symbol_hides_in_part_is_the_one_that_shows(on, off):
    line = (np.arange(54) % (on + off) < on).astype(float)
    hidden = np.zeros(54, bool)
    hidden[21:33] = True
    _, dash = dashes_shown(line, hidden, 3.0)
    # the long dash ends behind the symbol
    assert abs(dash.on - on) <= (3 if on > 21 else 1.5)
    assert abs(dash.period - on - off) <= 1.5


# two black lines that cross where neither drops: only their symbols tell which goes on where
HIGH = [(0, 20), (60, 60), (120, 90), (180, 110), (300, 190), (360, 240), (420, 270), (500, 270)]
LOW = [(0, 20), (40, 90), (100, 130), (160, 150), (240, 150), (330, 150), (400, 170), (450, 185), (500, 185)]


def plot(*lines):
    """A page with black step lines, each with its symbol at the foot of its drops and now and then between."""
    page = blank_page()
    for steps, _ in lines:
        draw(page, steps, BLACK)
    for steps, shape in lines:
        for (column, row), (then, _) in pairwise(steps[1:]):
            put(page, shape, column, row)
            put(page, shape, (column + then) // 2, row)
    return page


def marked(page, *shapes):
    return marks_of(1 - page[..., 0].astype(np.float32) / 255, symbols_of(*shapes))


def height(path, column):
    return float(path.leave[column - path.first])


@pytest.mark.parametrize(
    "shapes", [("square", "triangle"), ("circle", "triangle"), ("diamond", "square"), ("ring", "square")]
)
def test_symbols_are_found_and_told_and_steps_are_none(shapes):
    page = plot((HIGH, shapes[0]), (LOW, shapes[1]))
    found = marked(page, *shapes)
    for m in found.places:
        own = [HIGH, LOW][m.kind - 1] if m.kind else HIGH + LOW
        assert min(abs(m.row - row) for _, row in own) <= 2
    told = [m.kind for m in found.places]
    assert min(told.count(1), told.count(2)) >= 9
    assert told.count(0) <= 4
    lines = blank_page()
    draw(lines, HIGH, BLACK)
    draw(lines, LOW, BLACK)
    assert marked(lines, *shapes).places == ()


def test_open_symbols_are_found_by_the_filled_ones_of_the_keys():
    page = plot((HIGH, "square"), (LOW, "circle"))
    inside = cv2.erode((page[..., 0] < 128).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    page[inside] = 255
    found = marked(page, "square", "circle")
    told = [m.kind for m in found.places]
    assert min(told.count(1), told.count(2)) >= 5
    for m in found.places:
        own = [HIGH, LOW][m.kind - 1] if m.kind else HIGH + LOW
        assert min(abs(m.row - row) for _, row in own) <= 2


@pytest.mark.parametrize("first", [0, 1])
def test_black_lines_that_cross_keep_the_symbols_they_bear(first):
    shapes = ("square", "triangle")
    page = plot((HIGH, shapes[0]), (LOW, shapes[1]))
    order = [first, 1 - first]
    seen = traced_lines(page, [BLACK, BLACK], marks=marked(page, *(shapes[k] for k in order)))
    paths = [seen.trace.paths[order.index(k)] for k in (0, 1)]
    assert abs(height(paths[0], 460) - 270) < 3
    assert abs(height(paths[1], 480) - 185) < 3
    assert [f.message for f in SYMBOLS.find(seen)] == []


def test_lines_that_bear_each_others_symbols_are_doubted():
    shapes = ("square", "triangle")
    page = plot((HIGH, shapes[0]), (LOW, shapes[1]))
    seen = traced_lines(page, [BLACK, BLACK], marks=marked(page, *shapes))
    changed = trace_along(seen.field, seen.looks, seen.trace.paths[::-1])
    said = [f.message for f in SYMBOLS.find(replace(seen, trace=changed))]
    assert any("bears the symbols of" in s or "hardly any of its symbols" in s for s in said)


def test_lines_that_no_symbol_tells_apart_once_they_have_met_are_doubted():
    shapes = ("square", "triangle")
    page = blank_page()
    for steps, shape in ((HIGH, shapes[0]), (LOW, shapes[1])):
        draw(page, steps, BLACK)
        for (column, row), (then, _) in pairwise(steps[1:4]):
            put(page, shape, column, row)
            put(page, shape, (column + then) // 2, row)
    seen = traced_lines(page, [BLACK, BLACK], marks=marked(page, *shapes))
    assert any(s.startswith("no symbol tells") for s in (f.message for f in SYMBOLS.find(seen)))


def test_keys_of_one_ink_with_one_symbol_tell_no_marks():
    scene = Scene(
        blank_page(),
        np.zeros((1, 1), np.float32),
        blank_page(),
        np.zeros((330, 520), bool),
        (0, 0),
        np.zeros((1, 1), bool),
    )
    keys = marker_keys(*legend(("square", "square"), dashes=[(48, 0), (14, 8)]))
    assert len(keys) == 2
    assert with_marks(scene, keys).marks is None
    assert with_marks(scene, marker_keys(*legend(("square", "circle")))).marks is not None
