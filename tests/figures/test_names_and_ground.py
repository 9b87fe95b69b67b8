"""Names told apart by numerals, and what stands on a plot besides curves: bands, marks, guides, keys on grid lines."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.doubts.furniture import letters_beside, shaded
from metagrove.figures.doubts.identity import EDGES
from metagrove.figures.legend.clearing import grown_together, key_lines, unguided, written
from metagrove.figures.legend.entries import legend_entries
from metagrove.figures.legend.keys import Sample
from metagrove.figures.legend.marker_keys import marker_keys
from metagrove.figures.legend.numerals import relabelled, with_numerals
from metagrove.figures.legend.samples import legend_samples
from metagrove.figures.legend.searches import samples_of
from metagrove.figures.legend.shades import whole_inks
from metagrove.figures.legend.unusual_keys import patch_keys, step_keys
from metagrove.figures.lines.evidence import ArmLook, canvas
from metagrove.figures.lines.inks import Ink
from metagrove.figures.lines.tracking import Dash, Path
from metagrove.figures.page import Stroke, Word
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.scales.frame import darkness
from metagrove.figures.scales.grid import ungridded
from metagrove.figures.table.rows import RiskRow
from seen_lines import seen_lines

NUMERALS = ["I", "II", "III", "IV", "V", "VI"]
RED = (200, 40, 40)


def strokes(picture, left, foot, high, numeral):
    """A numeral drawn as a sans-serif face does: strokes and, for V, two lines that meet at the foot."""
    x, thick = left, max(1, round(0.13 * high))
    for sign in numeral:
        if sign == "I":
            picture[foot - high : foot, round(x) : round(x) + thick] = 0
            x += 0.40 * high
        else:
            x -= 0.1 * high if sign == "V" and x > left else 0.0
            wide = 0.85 * high
            for k in range(high):
                half = (wide / 2 - thick / 2) * (1 - k / (high - 1))
                for middle in (x + wide / 2 - half, x + wide / 2 + half):
                    picture[foot - high + k, round(middle - thick / 2) : round(middle - thick / 2) + thick] = 0
            x += wide + 0.13 * high


def column(numerals, read, *, high=14, left=40.0, second=None):
    """A picture with a column of names `Stage` and a numeral, and the phrases that a reader gave for them."""
    picture = np.full((60 + 40 * len(numerals), 300, 3), 255, np.uint8)
    words = []
    for k, (numeral, text) in enumerate(zip(numerals, read, strict=True)):
        foot = 40 + 40 * k
        for n in range(5):
            at = round(left + 0.7 * high * n)
            picture[foot - high : foot, at : at + round(0.55 * high)] = 0
        after = left + 0.7 * high * 5 + 0.45 * high
        strokes(picture, after, foot, high, numeral)
        end = after + (1.5 * high if text.strip() != "Stage" else -0.4 * high)
        words.append(Word(text, left, foot - high, end, foot + 3, 0, 0.9, (0, 0, 0), second))
    return picture, words


@pytest.mark.parametrize(
    ("numerals", "read"),
    [
        (NUMERALS[:3], ["Stage t", "Stage", "Stage III"]),
        (NUMERALS[:3], ["Stage I", "Stage I", "Stage 1"]),
        (NUMERALS, ["Stage l", "Stage I", "Stage I", "Stage IV", "Stage V", "Stage VI"]),
        (["III", "I", "II"], ["Stage I", "Stage I", "Stage I"]),
    ],
)
@pytest.mark.parametrize("high", [9, 14, 25])
def test_numerals_that_were_lost_are_told_by_their_strokes(numerals, read, high):
    picture, words = column(numerals, read, high=high)
    told = with_numerals(words, darkness(picture))
    assert [w.text for w in told] == [f"Stage {n}" for n in numerals]
    assert relabelled([RiskRow("stage", None, (), 40 - high / 2)], words, told)[0].label == "stage"
    first = RiskRow(read[0], None, (), words[0].cy)
    assert relabelled([first], words, told)[0].label == f"Stage {numerals[0]}"


@pytest.mark.parametrize("read", ["CHF NYHA II", "CHF NYHA .", "CHFNYHAII"])
def test_numerals_behind_two_words_are_told_by_their_strokes(read):
    high, left = 14, 40.0
    picture, words = np.full((140, 400, 3), 255, np.uint8), []
    for k, (numeral, text) in enumerate((("II", "CHF NYHA II"), ("III", read))):
        foot, at = 40 + 40 * k, left
        for letters in (3, 4):
            for _ in range(letters):
                picture[foot - high : foot, round(at) : round(at + 0.55 * high)] = 0
                at += 0.7 * high
            at += 0.35 * high
        strokes(picture, at, foot, high, numeral)
        # the frame of the legend
        picture[:, 250:252] = 0
        words.append(Word(text, left, foot - high, at + 1.2 * high, foot, 0, 0.9, (0, 0, 0)))
    told = with_numerals(words, darkness(picture))
    assert [w.text for w in told] == ["CHF NYHA II", "CHF NYHA III"]


def test_names_that_are_read_whole_or_alike_in_the_picture_stay():
    picture, words = column(NUMERALS[:3], ["Stage 1", "Stage 2", "Stage 3"])
    assert with_numerals(words, darkness(picture)) == words
    picture, words = column(["I", "I"], ["Stage I", "Stage I"])
    assert with_numerals(words, darkness(picture)) == words
    picture, words = column(["I", "II"], ["Stage A", "Stage A"])
    assert with_numerals(words, darkness(picture)) == words


def test_a_name_that_another_entry_spells_exactly_is_not_given_twice():
    picture = np.full((120, 400, 3), 255, np.uint8)
    words = []
    for k, (name, colour) in enumerate((("Arm A", RED), ("Arm B", (30, 90, 200)))):
        picture[38 + 30 * k : 41 + 30 * k, 40:80] = colour
        words.append(Word(name, 90.0, 33.0 + 30 * k, 140.0, 46.0 + 30 * k, 0, 1.0, (0, 0, 0)))
    found = legend_samples(picture, darkness(picture), words, ["Arm A-400(0)", "Arm B"])
    assert [s.name for s in found] == ["Arm A", "Arm B"]


def arm(colour):
    time = np.linspace(0, 36, 40)
    return ArmReading("a", colour, "solid", time, 0.5 ** (time / 36), np.full(40, 0.05), np.full(40, 0.002))


def level_line(row, wide=300):
    rows = np.full(wide, row, dtype=np.int64)
    return Path(0, rows, rows.copy(), np.ones(wide, bool), 0.0)


def doubted(page, row):
    look = ArmLook(RED, 3.0, Dash(), "solid")
    return bool(EDGES.find(seen_lines(page, [look], [level_line(row, page.shape[1])], [arm(RED)])))


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.integers(3, 9), st.integers(9, 20), st.integers(-2, 2))
def test_dense_marks_and_upright_strokes_are_no_area(apart, long, off):
    page = np.full((200, 300, 3), 255, np.uint8)
    page[99:102] = RED
    for c in range(4, 296, apart):
        page[100 - long : 101 + long + off, c : c + 3] = RED
    assert not doubted(page, 100)
    drops = np.full((200, 300, 3), 255, np.uint8)
    drops[99:102] = RED
    for c in range(4, 296, 12):
        drops[100:140, c : c + 4] = RED
    assert not doubted(drops, 100)


@pytest.mark.parametrize("deep", [25, 60])
@pytest.mark.parametrize("off", [0, 2])
def test_the_foot_and_the_head_of_an_area_are_doubted(deep, off):
    page = np.full((200, 300, 3), 255, np.uint8)
    page[100 - off : 100 + deep] = RED
    assert doubted(page, 100)
    assert doubted(page[::-1].copy(), 99)


def staged(picture, row=100, *, above, below, colour=RED, share=0.3):
    """The share of a band and of a line apart that is told to be a band of the line at a row."""
    tint = (255 - share * (255 - np.array(colour))).round().astype(np.uint8)
    picture[row - above : row + below + 1] = tint
    picture[row - 1 : row + 2] = colour
    picture[row + 40 : row + 43] = tint
    look = ArmLook(colour, 3.0, Dash(), "solid")
    field = canvas(picture, [colour], np.zeros(picture.shape[:2], bool))
    seen = seen_lines(picture, [look], [level_line(row, picture.shape[1])], [arm(colour)])
    core = np.zeros(picture.shape[:2], np.uint8)
    core[row - 1 : row + 2] = 2
    told = shaded(field, [look], replace(seen.trace, covers=(core,)))
    return told[row - above + 1 : row - 3].mean(), told[row + 40 : row + 43].any()


def test_a_tint_on_both_sides_of_a_curve_is_its_band_and_a_line_apart_is_none():
    blank = np.full((200, 300, 3), 255, np.uint8)
    inside, apart = staged(blank.copy(), above=14, below=16)
    assert inside > 0.9
    assert not apart
    alone, _ = staged(blank.copy(), above=14, below=1)
    assert alone == 0


X = axis_through([50, 150, 250, 350], [0, 10, 20, 30], tolerance=2)
Y = axis_through([260, 210, 160, 110, 60], [0, 0.25, 0.5, 0.75, 1], tolerance=2)


def test_black_stays_where_white_grid_lines_cross_it_on_a_grey_panel():
    page = np.full((320, 400, 3), 235, np.uint8)
    for row in (60, 110, 160, 210, 260):
        page[row - 1 : row + 1, 20:390] = 255
    for place in (50, 150, 250, 350):
        page[40:280, place - 1 : place + 1] = 255
    page[130:139, 60:340] = 0
    assert (ungridded(page, X, Y)[130:139, 60:340] == 0).all()


def test_grid_lines_beside_a_legend_that_hides_much_of_them_go_too():
    page = np.full((320, 400, 3), 255, np.uint8)
    for row in (60, 110, 160, 210, 260):
        page[row - 1 : row + 1, 20:390] = 204
    page[50:120, 170:380] = 255
    assert (ungridded(page, X, Y)[45:255, 25:385] == 255).all()


def test_a_dashed_guide_goes_on_behind_curves_and_a_level_piece_of_curve_stays():
    dark = np.zeros((200, 400), np.float32)
    for c in [*range(4, 100, 12), *range(148, 320, 12)]:
        dark[100:102, c : c + 7] = 0.7
    dark[100:102, 340:371] = 0.7
    blank = np.zeros(dark.shape, bool)
    unguided(blank, dark, 101.0, 190.0)
    assert blank[100, 150:300].mean() > 0.5
    assert not blank[100, 341:371].any()


def entry(left=40, row=50, length=30):
    return Sample("Arm", RED, "solid", Dash(), (left - 1.0, row - 8.0, 140.0, row + 8.0), 3.0, 90.0, float(length))


def test_a_key_on_a_grid_line_is_cleared_and_a_curve_through_its_place_is_not():
    ink = np.zeros((120, 200), np.float32)
    ink[49:52, 40:70] = 1.0
    ink[:, 60] = 0.3
    assert key_lines(ink, [entry()])[50, 40:70].all()
    ink[49:52, 20:120] = 1.0
    assert not key_lines(ink, [entry()]).any()


def test_a_piece_of_a_curve_before_a_word_is_no_key():
    ink = np.zeros((200, 300), np.float32)
    ink[49:52, 40:70] = 1.0
    assert not grown_together(ink, entry())
    for k in range(12):
        ink[49 + 10 * k : 52 + 10 * k, 69 + 15 * k : 87 + 15 * k] = 1.0
        ink[49 + 10 * k : 62 + 10 * k, 84 + 15 * k : 87 + 15 * k] = 1.0
    assert grown_together(ink, entry())


def test_a_p_value_that_the_second_reader_gives_is_writing():
    assert written(Word("Pc0.C01", 0, 0, 40, 8, 0, 0.8, None, "??0.001"))
    assert not written(Word("Pc0", 0, 0, 40, 8, 0, 0.8, None, "1???"))


def test_capitals_on_the_line_of_small_letters_are_letters():
    page = np.zeros((300, 300), np.uint8)
    cv2.putText(page, "T", (118, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    cv2.putText(page, "reat", (140, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    prose = np.zeros(page.shape, bool)
    prose[34:52, 40:112] = True
    left = (page > 128) & ~prose
    assert (letters_beside(left, prose) & left).sum() == left.sum()


def test_two_shades_of_one_line_are_one_ink_and_two_curves_of_one_hue_are_two():
    thin, thick, paper = (111, 33, 35), (158, 14, 16), np.full(3, 255.0)
    page = np.full((200, 400, 3), 255, np.uint8)
    for k in range(18):
        page[10 + 9 * k : 12 + 9 * k, 20 * k : 20 * k + 21] = thick if k % 3 == 0 else thin
        page[10 + 9 * k : 20 + 9 * k, 20 * k + 19 : 20 * k + 21] = thin
    inks = [Ink(thick, 240, False), Ink(thin, 900, False)]
    blank = np.zeros(page.shape[:2], bool)
    assert whole_inks(page, inks, paper, blank) == inks[1:]
    page[(page == thick).all(axis=2)] = thin
    for k in range(18):
        page[10 + 6 * k : 12 + 6 * k, 20 * k : 20 * k + 21] = thick
        page[10 + 6 * k : 17 + 6 * k, 20 * k + 19 : 20 * k + 21] = thick
    assert whole_inks(page, inks, paper, blank) == inks


def marked_legend(entries, *, key=40, down=0, dashed=False):
    """A picture with a row of keys, each a line with a ring in its middle, and what a reader makes of the row."""
    picture = np.full((120, 640, 3), 255, np.uint8)
    x, spans = 40, []
    for k, (name, colour) in enumerate(entries):
        row = 40 + down * k
        picture[row - 1 : row + 2, x : x + key] = colour
        cv2.circle(picture, (x + key // 2, row), 10, (255, 255, 255), -1)
        cv2.circle(picture, (x + key // 2, row), 9, colour, 3)
        if dashed:
            picture[row - 1 : row + 2, x - 12 : x - 4] = colour
        spans.append((x, x + key + 12, x + key + 12 + 10 * len(name), name))
        x += key + 12 + 10 * len(name) + 30
    return picture, spans


def test_keys_with_rings_are_found_where_they_are_read_as_letters():
    entries = [("Wild type", (86, 112, 193)), ("Mutant", (147, 202, 119))]
    picture, spans = marked_legend(entries)
    (a, start, end, _), (b, after, last, _) = spans
    words = [
        Word("-O- Wild", a, 33, start + 40, 50, 0, 0.6, entries[0][1]),
        Word("type", start + 50, 33, end, 50, 0, 1.0, (80, 80, 80)),
        Word("0 Mutant", b, 33, last, 50, 0, 0.6, entries[1][1]),
    ]
    found = marker_keys(picture, words)
    assert [(s.name, s.colour) for s in found] == entries
    assert [s.length for s in found] == [40.0, 40.0]
    assert found[1].start > b + 40 - 1
    assert after > found[0].box[2]


def test_lines_without_markers_dashes_and_keys_without_names_are_no_marked_keys():
    entries = [("Wild type", (86, 112, 193)), ("Mutant", (147, 202, 119))]
    picture, spans = marked_legend(entries)
    words = [Word(name, start, 33, end, 50) for _, start, end, name in spans]
    assert len(marker_keys(picture, words)) == 2
    assert marker_keys(picture, words[:1]) == []
    dashes, _ = marked_legend(entries, dashed=True)
    assert marker_keys(dashes, words) == []
    plain = np.full_like(picture, 255)
    for (left, *_), (_, colour) in zip(spans, entries, strict=True):
        plain[37:44, left : left + 40] = colour
    assert marker_keys(plain, words) == []


def test_patches_whose_names_were_boxed_with_them_are_keys():
    picture = np.full((120, 640, 3), 255, np.uint8)
    words, x = [], 40
    colours = ((0, 0, 128), (220, 20, 60), (0, 128, 0))
    for k, name in enumerate(("Control", "Treatment", "Combination")):
        picture[40:52, x : x + 40] = colours[k]
        start, end = x + 48, x + 48 + 9 * len(name)
        for letter in range(len(name)):
            picture[42:52, start + 9 * letter : start + 9 * letter + 5] = 90
        # the second box begins at its patch
        words.append(Word(name, x if k == 1 else start, 39, end, 54, 0, 0.95, (90, 90, 90)))
        x = end + 20
    picture[33:35] = 200
    found = patch_keys(picture, darkness(picture), words)
    assert [(s.name, s.colour) for s in found] == list(
        zip(("Control", "Treatment", "Combination"), colours, strict=True)
    )
    assert samples_of(picture, darkness(picture), words, []) == found


def test_stairs_are_keys_of_curves_and_marks_and_fits_have_none():
    def stair(y):
        return np.array([(100.0, y - 3), (112.0, y - 3), (112.0, y + 3), (124.0, y + 3)])

    def name(text, y):
        return Word(text, 130.0, y - 5, 130.0 + 6 * len(text), y + 5)

    lines = [Stroke(stair(20.0), (0, 90, 200), 1.0), Stroke(stair(35.0), (200, 30, 30), 1.0)]
    lines += [Stroke(np.array([(100.0, y), (124.0, y)]), RED, 1.0) for y in (55.0, 80.0, 95.0)]
    words = [
        name("low", 20),
        name("high", 35),
        name("low-", 50),
        name("censored", 60),
        name("high-censored", 80),
        name("high, Weibull", 95),
    ]
    assert [w.text for _, w in legend_entries(lines, words)] == ["low", "high"]


@pytest.mark.parametrize(("names", "known"), [("123", 3), ("AB", 2), ("135", 0), ("321", 0)])
def test_patches_before_numbers_or_letters_that_follow_each_other_are_keys(names, known):
    picture = np.full((160, 200, 3), 255, np.uint8)
    words = []
    for k, name in enumerate(names):
        top = 30 + 30 * k
        picture[top : top + 12, 40:52] = ((70, 130, 180), (178, 34, 34), (34, 139, 34))[k]
        picture[top + 1 : top + 11, 60:64] = 0
        words.append(Word(name, 59.0, top, 65.0, top + 12, 0, 0.95, (0, 0, 0)))
    found = patch_keys(picture, darkness(picture), words)
    assert [s.name for s in found] == list(names[:known])


def stepped(picture, x, y, ink, width=28, high=10, thick=2):
    """A step of a curve, as legends of SPSS have it, with its upper left corner at a place."""
    half = x + width // 2
    picture[y : y + thick, x : half + thick] = ink
    picture[y : y + high, half : half + thick] = ink
    picture[y + high - thick : y + high, half : x + width] = ink


def test_steps_of_curves_before_names_are_keys_though_one_was_read_as_letters():
    picture = np.full((160, 300, 3), 255, np.uint8)
    words = []
    for k, (name, ink) in enumerate((("Placebo", (30, 140, 230)), ("Sorafenib", (240, 80, 90)))):
        stepped(picture, 40, 30 + 18 * k, ink)
        words.append(Word(name, 80.0, 30 + 18 * k, 140.0, 40 + 18 * k, 0, 0.98, (0, 0, 0)))
    words.append(Word("Jr", 40.0, 48.0, 68.0, 58.0, 0, 0.8, (240, 80, 90)))
    for k, name in enumerate(("Placebo-censored", "Sorafenib-censored")):
        picture[70 + 18 * k : 72 + 18 * k, 40:68] = words[k].colour
        words.append(Word(name, 80.0, 66 + 18 * k, 200.0, 76 + 18 * k, 0, 0.98, (0, 0, 0)))
    ink = darkness(picture)
    assert [(s.name, s.colour) for s in step_keys(picture, ink, words)] == [
        ("Placebo", (30, 140, 230)),
        ("Sorafenib", (240, 80, 90)),
    ]
    assert samples_of(picture, ink, words, []) == step_keys(picture, ink, words)
    whole = picture.copy()
    whole[30:40, 40:68] = (30, 140, 230)
    assert step_keys(whole, darkness(whole), words) == []


def test_a_piece_of_a_curve_read_as_a_name_is_no_entry_of_a_legend_in_black():
    picture = np.full((400, 500, 3), 255, np.uint8)
    inks = ((0, 143, 213), (252, 79, 48), (229, 174, 56))
    words = []
    for k, ink in enumerate(inks):
        picture[50 + 40 * k : 56 + 40 * k, 200:260] = ink
        words.append(Word(f"Stage {'ABC'[k]}", 280.0, 43 + 40 * k, 360.0, 63 + 40 * k, 0, 0.99, (0, 0, 0)))
    picture[250:254, 200:240] = inks[2]
    scrap = Word("MIIFL", 280.0, 242.0, 340.0, 262.0, 0, 0.6, inks[2])
    entries = legend_samples(picture, darkness(picture), [*words, scrap])
    assert [s.name for s in entries] == ["Stage A", "Stage B", "Stage C"]
