"""Whose row and whose name: bars of colour before rows, arrows to curves, counts and drops, keys under censor marks."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagrove.figures.doubts.identity import EDGES
from metagrove.figures.legend.marked_keys import unmarked
from metagrove.figures.legend.pointers import pointers
from metagrove.figures.legend.samples import legend_samples, unlined
from metagrove.figures.lines.evidence import ArmLook
from metagrove.figures.lines.tracking import Dash, Path
from metagrove.figures.page import Word
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.scales.frame import darkness
from metagrove.figures.table.likelihood import count_evidence
from metagrove.figures.table.risk_table import risk_rows
from metagrove.figures.table.rows import Cell, RiskRow
from metagrove.figures.table.swatches import Patch, coloured_patches, keyed
from metagrove.figures.table.tying import tied
from metagrove.figures.writing.naming import name_alone
from metagrove.figures.writing.words import phrases, tenths, tokens
from seen_lines import seen_lines

TIMES = (0.0, 12.0, 24.0, 36.0)
X = replace(axis_through([100, 300, 500, 700], TIMES, tolerance=2), band=(440.0, 455.0))
COLOURS = ((200, 30, 30), (30, 90, 200), (20, 150, 60))


def arm(name, colour, level=0.5):
    time = np.linspace(0, 36, 40)
    return ArmReading(name, colour, "solid", time, level ** (time / 36), np.full(40, 0.05), np.full(40, 0.002))


def row(counts, height, label="", colour=(0, 0, 0), wide=8.0):
    cells = tuple(
        Cell(t, n, None, True, (100 + 200 * k - wide, height - 5, 100 + 200 * k + wide, height + 5), str(n))
        for k, (t, n) in enumerate(zip(TIMES, counts, strict=True))
    )
    return RiskRow(label, colour, cells, height, 0, 10.0)


def words_of(line, height, second=None):
    return [
        Word(t, x, height - 6, x + 7 * len(t), height + 6, 0, 1.0, (0, 0, 0), t if second is None else second)
        for t, x in line
    ]


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.permutations([0, 1, 2]))
def test_a_bar_of_colour_before_a_row_names_its_arm(order):
    picture = np.full((120, 760, 3), 255, np.uint8)
    rows = [row((50, 40, 30, 20), 20.0 + 30 * k) for k in range(3)]
    for k, i in enumerate(order):
        picture[17 + 30 * k : 23 + 30 * k, 60:80] = COLOURS[i]
    cv2.putText(picture, "Rd", (20, 55), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (200, 30, 30), 1)
    named = keyed(rows, coloured_patches(rows, picture))
    arms = [arm(name, c) for name, c in zip("abc", COLOURS, strict=True)]
    tie = tied(named, arms)
    assert (tie.how, tie.sure, tie.order) == ("colour", True, tuple(order))


def test_bars_out_of_line_or_missing_name_nothing():
    rows = [row((50, 40, 30, 20), 20.0), row((50, 40, 30, 20), 50.0)]
    astray = [Patch((60, 17, 80, 23), COLOURS[0]), Patch((30, 47, 50, 53), COLOURS[1])]
    assert [r.colour for r in keyed(rows, astray)] == [(0, 0, 0)] * 2
    assert [r.colour for r in keyed(rows, astray[:1])] == [(0, 0, 0)] * 2


def test_one_black_arm_has_the_row_that_is_not_coloured():
    rows = [row((50, 40, 30, 20), 20.0, colour=(210, 60, 50)), row((50, 40, 30, 20), 50.0, colour=(20, 20, 20))]
    assert tied(rows, [arm("a", (0, 0, 0)), arm("b", COLOURS[0])]).order == (1, 0)
    # a colour between two arms is neither's
    middling = [row((50, 40, 30, 20), 20.0, colour=(115, 60, 115)), row((50, 40, 30, 20), 50.0, colour=(20, 20, 20))]
    assert tied(middling, [arm("a", COLOURS[0]), arm("b", COLOURS[1])]).how != "colour"


def test_counts_that_touch_a_grid_line_or_fall_apart_are_whole():
    line = words_of([("Drug", 10)], 500) + words_of([("150·", 88), ("-110", 286), ("68-", 490), ("4", 697)], 500)
    split = words_of([("Both", 10)], 530) + words_of([("1", 88)], 530) + words_of([("50", 98)], 530)
    split += words_of([("90", 293), ("7", 497), ("3", 697)], 530)
    first, second = risk_rows([*line, *split], X, below=456)
    assert [c.n for c in first.cells] == [150, 110, 68, 4] and all(c.sure for c in first.cells)
    assert [c.n for c in second.cells] == [150, 90, 7, 3]
    assert (first.label, second.label) == ("Drug", "Both")


def test_a_scrap_of_the_axis_is_no_row():
    scrap = words_of([("11", 296), ("1", 497), ("1", 697)], 470)
    lines = [w for k in range(2) for w in words_of([("50", 93), ("40", 293), ("30", 493), ("20", 693)], 540 + 25 * k)]
    assert [r.height for r in risk_rows([*scrap, *lines], X, below=456)] == [540.0, 565.0]


def key_line(pattern, mark, size=14, wide=60):
    """A legend's line of 48 pixels in the middle of a block, dashes as (on, off), with a mark through its middle."""
    block = np.zeros((2 * size + 1, wide), np.float32)
    on, off = pattern
    inked = np.array([(c % (on + off)) < on for c in range(48)])
    block[size - 2 : size + 3, 6:54][:, inked] = 1.0
    plain = block.copy()
    if mark:
        block[size - 10 : size + 11, 29:31] = 1.0
    if mark == "+":
        block[size - 1 : size + 1, 20:40] = 1.0
    return block, plain


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.sampled_from([(48, 0), (14, 10), (12, 6), (9, 9), (30, 12)]), st.sampled_from(["|", "+"]))
def test_a_mark_through_a_sample_line_is_taken_off(pattern, mark):
    block, plain = key_line(pattern, mark)
    middle = unmarked(block)[14] > 0.5
    assert (middle != (plain[14] > 0.5)).sum() <= 2
    assert unmarked(block)[:11].max() < 0.5


def test_lines_without_a_mark_stay_as_they_are():
    block, plain = key_line((14, 10), "")
    assert np.array_equal(unmarked(block), plain)


def scene_of_arrows(pairs):
    """Three level curves and arrows given as (from, to) in columns and rows."""
    curves = [np.zeros((300, 400), bool) for _ in range(3)]
    for curve, level in zip(curves, (60, 150, 240), strict=True):
        curve[level - 1 : level + 2] = True
    inked = np.any(curves, axis=0).astype(np.uint8)
    for start, end in pairs:
        cv2.arrowedLine(inked, start, end, 1, 1, tipLength=0.15)
    near = cv2.dilate(np.any(curves, axis=0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return (inked > 0) & ~near, inked > 0, curves


def test_an_arrow_leads_from_its_name_to_its_curve_also_through_another():
    loose, inked, curves = scene_of_arrows([((120, 112), (80, 62)), ((300, 112), (250, 238))])
    names = [Word("Drug", 105, 114, 140, 126), Word("Placebo", 280, 98, 325, 110), Word("p = 0.03", 20, 180, 70, 192)]
    found = pointers(loose, inked, curves, names)
    assert [(p.name, p.curve) for p in found] == [(0, 0), (1, 2)]
    assert all((p.ink & loose).sum() > 20 for p in found)


def test_a_line_that_ends_between_two_curves_names_neither():
    loose, inked, curves = scene_of_arrows([((120, 30), (120, 60))])
    curves[1] = np.roll(curves[0], 3, axis=0)
    found = pointers(loose, inked, curves, [Word("Drug", 105, 16, 140, 28)])
    assert [p.curve for p in found] == [None]


def followed(rng, n, half, leave):
    """The counts and the Kaplan-Meier curve of simulated patients."""
    death, out = half / np.log(2) * rng.exponential(size=n), rng.uniform(leave, 40, n)
    time, event = np.minimum(np.minimum(death, out), 36), (death <= out) & (death <= 36)
    died = np.unique(time[event])
    level = np.cumprod([1 - ((time == t) & event).sum() / (time >= t).sum() for t in died])
    steps, levels = np.concatenate([[0], died, [time.max()]]), np.concatenate([[1], level, level[-1:]])
    cells = [Cell(t, int((time >= t).sum()), None, True, (0, 0, 1, 1), "") for t in TIMES]
    error = np.full(len(steps), 0.002)
    return cells, ArmReading("", (0, 0, 0), "solid", steps, levels, np.full(len(steps), 0.02), error)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.permutations([0, 1, 2]))
def test_counts_are_likeliest_under_their_own_curves(seed, order):
    rng = np.random.default_rng(seed)
    shapes = zip((40, 90, 160), (10, 18, 30), (5, 20, 12), strict=True)
    pairs = [followed(rng, n, half, leave) for n, half, leave in shapes]
    rows = [RiskRow("", None, tuple(pairs[k][0]), 20.0 + 20 * j) for j, k in enumerate(order)]
    tie = tied(rows, [a for _, a in pairs])
    assert (tie.order, tie.how, tie.sure) == (tuple(order), "drops", True)


def test_counts_that_any_curve_allows_alike_are_not_tied():
    rng = np.random.default_rng(3)
    cells, curve = followed(rng, 400, 30, 20)
    rows = [RiskRow("", None, tuple(cells), h) for h in (20.0, 40.0)]
    tie = tied(rows, [curve, curve])
    assert not tie.sure


@pytest.mark.parametrize("late", [0.0, 6.0])
def test_people_at_risk_after_the_end_of_a_curve_speak_against_it(late):
    rng = np.random.default_rng(5)
    cells, curve = followed(rng, 60, 30, 20)
    short = ArmReading(
        "", (0, 0, 0), "solid", curve.time[:9], curve.survival[:9], curve.time_error[:9], curve.survival_error[:9]
    )
    late_cells = [*cells[:3], Cell(36.0 - late, 5, None, True, (0, 0, 1, 1), "")]
    assert count_evidence(late_cells, short) < count_evidence(late_cells, curve) - 5


def seen(level, colour, band=None):
    """A page with a level line of 3 pixels, or only the edge of a band, and the path along it."""
    rgb = np.full((200, 300, 3), 255, np.uint8)
    if band is not None:
        rgb[level:, :] = band
    if band is None or band != colour:
        rgb[level - 1 : level + 2] = colour
    rows = np.full(300, level, dtype=np.int64)
    path = Path(0, rows, rows.copy(), np.ones(300, bool), 0.0)
    return rgb, path


@pytest.mark.parametrize(("band", "doubted"), [(None, False), ((220, 200, 235), False), ((150, 95, 165), True)])
def test_the_edge_of_a_band_is_no_line(band, doubted):
    colour = (150, 95, 165)
    page, path = seen(100, colour, band)
    found = EDGES.find(seen_lines(page, [ArmLook(colour, 3.0, Dash(), "solid")], [path], [arm("a", colour)]))
    assert bool(found) == doubted


def test_doubt_about_the_censored_is_none_about_the_count():
    def cells(first, second):
        places = [88, 288, 488, 688]
        line = [w for x in places for w in words_of([("50", x)], 500)]
        line += words_of([("(3)", 110)], 500) + words_of([(first, 310)], 500, second) + words_of([("(9)", 510)], 500)
        (found,) = risk_rows(line, X, below=456)
        return [(c.n, c.censored, c.sure) for c in found.cells]

    assert cells("(2)", "(2)")[:2] == [(50, 3, True), (50, 2, True)]
    assert cells("(2)", "(7)")[:2] == [(50, 3, True), (50, None, True)]
    (found,) = risk_rows(
        [w for k, x in enumerate((88, 288, 488)) for w in words_of([("50", x)], 500, ("50", "60")[k == 1])],
        X,
        below=456,
    )
    assert [c.sure for c in found.cells] == [True, False, True]


def test_a_path_of_one_column_is_no_edge():
    colour = (150, 95, 165)
    page, path = seen(100, colour, colour)
    short = replace(path, enter=path.enter[:1], leave=path.leave[:1], inked=path.inked[:1])
    assert not EDGES.find(seen_lines(page, [ArmLook(colour, 3.0, Dash(), "solid")], [short], [arm("a", colour)]))


def legend(entries, *, left=60, top=30, pitch=24, paper=255):
    """A picture with a legend in a column: for each entry the colour and the inked stretches of its key, 40 long."""
    picture = np.full((200, 400, 3), paper, np.uint8)
    words = []
    for k, (name, colour, stretches) in enumerate(entries):
        row = top + pitch * k
        for a, b in stretches:
            picture[row - 1 : row + 2, left + a : left + b] = colour
        cv2.putText(picture, name, (left + 52, row + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1)
        words.append(Word(name, left + 52, row - 6, left + 52 + 8 * len(name), row + 6))
    return picture, words


WHOLE, DASHES, DOTS = [(0, 40)], [(0, 9), (15, 24), (30, 39)], [(k, k + 3) for k in range(0, 38, 7)]
DASH_DOT = [(1, 13), (17, 20), (24, 36)]


def test_keys_are_found_where_those_of_the_other_entries_stand():
    black = (0, 0, 0)
    names = ["Control", "Surgery", "Delayed", "Observation"]
    drawn = zip(names, [black] * 4, [WHOLE, DASHES, DASH_DOT, DOTS], strict=True)
    picture, words = legend(drawn)
    found = legend_samples(picture, darkness(picture), words, names)
    assert [s.name for s in found] == names
    assert [s.style for s in found] == ["solid", "dashed", "dashed", "dotted"]
    # dashes and dots in turn are no plain dashes
    assert found[2].dash.period > 1.3 * found[1].dash.period


def test_marks_of_censoring_and_dashes_read_as_signs_are_no_arms():
    names = ["Control", "Surgery", "Control-censored", "C---------T"]
    drawn = zip(names, [(31, 31, 255), (31, 142, 31), (0, 0, 200), (120, 120, 120)], [WHOLE] * 4, strict=True)
    picture, words = legend(drawn)
    assert [s.name for s in legend_samples(picture, darkness(picture), words, ())] == names[:2]


def test_a_name_that_was_not_read_is_looked_for_at_its_turn():
    names = ["Control", "Surgery", "Delayed"]
    picture, words = legend(zip(names, COLOURS, [WHOLE] * 3, strict=True))
    # a curve runs through the key and its name
    cv2.line(picture, (0, 70), (399, 84), (20, 20, 20), 2)
    seen = [words[0], words[1]]
    found = legend_samples(picture, darkness(picture), seen, names)
    assert [s.name for s in found] == names
    assert np.abs(np.array(found[2].colour) - COLOURS[2]).max() < 30
    # without a table nothing promises a third entry
    assert len(legend_samples(picture, darkness(picture), seen, ())) == 2


def test_names_without_a_key_where_it_should_stand_are_no_entries():
    names = ["Control", "Surgery", "Delayed"]
    drawn = list(zip(names, COLOURS, [WHOLE, WHOLE, [(0, 6)]], strict=True))
    picture, words = legend(drawn)
    assert [s.name for s in legend_samples(picture, darkness(picture), words, ())] == names[:2]


def test_entries_in_two_columns_are_one_legend():
    picture, words = legend(zip("Aspirin Bisoprolol".split(), COLOURS[:2], [WHOLE] * 2, strict=True))
    beside, more = legend(zip(["Cilazapril", "Digoxin"], [COLOURS[2], (0, 0, 0)], [WHOLE] * 2, strict=True), left=230)
    both = np.minimum(picture, beside)
    found = legend_samples(both, darkness(both), [*words, *more], ())
    assert [s.name for s in found] == ["Aspirin", "Cilazapril", "Bisoprolol", "Digoxin"]


def test_of_two_columns_of_names_the_one_with_lines_before_it_is_the_legend():
    names = ["Low risk", "High risk"]
    picture, words = legend(zip(names, COLOURS[:2], [WHOLE] * 2, strict=True))
    table, rows = legend(zip(names, [(0, 0, 0)] * 2, [[(12, 26)], [(12, 18), (20, 26)]], strict=True), top=130)
    both = np.minimum(picture, table)
    surer = [replace(w, score=1.0) for w in rows] + [replace(w, score=0.9) for w in words]
    found = legend_samples(both, darkness(both), surer, names)
    assert np.abs(np.array([s.colour for s in found]) - COLOURS[:2]).max() < 30


def test_a_sign_read_badly_does_not_spoil_a_name():
    parts = [("Stage", 0, 28, 1.0), ("I", 31, 33, 0.75), ("(N", 37, 48, 1.0), ("=", 52, 58, 0.3), ("27)", 61, 76, 1.0)]
    words = [Word(text, a, 20, b, 30, score=score) for text, a, b, score in parts]
    (found,) = phrases(words)
    assert found.text == "Stage I (N = 27)" and found.score == 0.75
    # nor does one that was not read, within a bracket
    (lost,) = phrases([w for w in words if w.text != "="])
    assert lost.text == "Stage I (N 27)" and name_alone(lost.text) == "Stage I"
    assert len(phrases([replace(w, text=w.text.strip("()")) for w in words if w.text != "="])) == 2


def test_an_upturned_sign_of_percent_belongs_to_its_number_where_one_of_its_rings_was_read():
    sign, ring, value = Word("%", 294, 364, 312, 380), Word("0", 304, 359, 312, 368), Word("0", 294, 389, 312, 401)
    (found,) = tokens([sign, ring, value])
    assert (found.text, found.angle, found.y0, found.y1) == ("0%", 90, 359, 401)


def test_a_scrap_level_with_one_entry_is_no_column_of_the_legend():
    names = ["Control", "Surgery"]
    picture, words = legend(zip(names, COLOURS[:2], [WHOLE] * 2, strict=True), left=230)
    scrap, more = legend([("Ee", COLOURS[2], [(18, 36)])], top=54)
    both = np.minimum(picture, scrap)
    assert [s.name for s in legend_samples(both, darkness(both), [*words, *more], ())] == names


def test_numbers_name_arms_where_they_follow_each_other_behind_keys():
    picture, words = legend(zip("012", COLOURS, [WHOLE] * 3, strict=True))
    assert [s.name for s in legend_samples(picture, darkness(picture), words, ())] == ["0", "1", "2"]
    # numbers that do not follow each other are no groups, and squares no lines
    other = [replace(w, text=t) for w, t in zip(words, ("3", "17", "40"), strict=True)]
    assert legend_samples(picture, darkness(picture), other, ()) == []
    squares, words = legend(zip("012", COLOURS, [[(28, 40)]] * 3, strict=True))
    assert legend_samples(squares, darkness(squares), words, ()) == []


def test_letters_in_turn_name_arms_though_a_scrap_of_a_curve_has_a_line_before_it():
    picture, words = legend([("A", COLOURS[0], WHOLE), ("B", COLOURS[1], [(0, 9), (15, 24), (30, 34)])])
    scrap, more = legend([("rTT", COLOURS[2], WHOLE)], left=230, top=150)
    both = np.minimum(picture, scrap)
    found = legend_samples(both, darkness(both), [*words, *more], ())
    assert [(s.name, s.style) for s in found] == [("A", "solid"), ("B", "dashed")]


def test_keys_behind_the_word_censored_are_marks():
    names = ["sex=I", "sex=II"]
    picture, words = legend(zip(names, COLOURS[:2], [WHOLE] * 2, strict=True))
    marks, more = legend(zip(names, [(0, 0, 0)] * 2, [WHOLE] * 2, strict=True), left=230)
    both = np.minimum(picture, marks)
    said = [Word("Censored", w.x0 - 40, w.y0, w.x0 - 8, w.y1) for w in more]
    assert [s.name for s in legend_samples(both, darkness(both), [*words, *more, *said], ())] == names


def test_a_letter_and_a_number_in_the_column_of_a_legend_are_a_name():
    names = ["T1", "T2", "T3/T4"]
    picture, words = legend(zip(names, COLOURS, [WHOLE] * 3, strict=True))
    assert [s.name for s in legend_samples(picture, darkness(picture), words, ())] == names


ONE = Word("1", 51, 38, 57, 48)


def scale(texts, *, left=66, pitch=36, top=ONE):
    return [top, *(Word(t, left, 38 + pitch * k, left + 7, 48 + pitch * k) for t, k in texts)]


def test_tenths_whose_points_were_lost_are_read_by_their_places():
    found = tenths(scale([("9", 1), ("8", 2), ("5", 5), ("1", 9)]) + [Word("0", 50, 74, 57, 84)])
    assert sorted(w.text for w in found) == ["0.1", "0.5", "0.8", "0.9", "1.0"]
    assert all(w.x0 <= 51 for w in found)
    quarters = [Word("75", 60, 128, 73, 138), Word("5", 66, 218, 73, 228), Word(".25", 56, 308, 73, 318)]
    assert sorted(w.text for w in tenths([ONE, *quarters])) == [".25", "0.5", "0.75", "1.0"]
    whole = Word("1.0", 40, 38, 73, 48)
    assert "0.8" in [w.text for w in tenths(scale([("8", 2), ("6", 4), ("4", 6)], top=whole))]


@pytest.mark.parametrize(
    "texts",
    [
        [("9", 1), ("8", 2)],
        [("9", 1), ("8", 3), ("7", 5)],
        [("9", 1), ("9", 2), ("9", 3)],
        [("2", 1), ("3", 2), ("4", 3)],
    ],
)
def test_other_digits_below_a_one_stay_what_they_are(texts):
    words = scale(texts)
    assert tenths(words) == words


def test_the_scraps_of_a_heading_are_no_legend():
    picture, words = legend(zip(["er a", "ris"], COLOURS[:2], [WHOLE] * 2, strict=True), pitch=60)
    assert len(legend_samples(picture, darkness(picture), words, ())) == 2
    heading = [Word("um", 20, 24, 40, 36), replace(words[0], y0=24, y1=36), Word("ris", 300, 24, 330, 36)]
    assert [s.name for s in legend_samples(picture, darkness(picture), [*heading, words[1]], ())] == ["ris"]


@pytest.mark.parametrize("labels", [(), ("Drug A plus radiation", "Drug B plus radiation")])
def test_a_name_in_two_lines_is_one_entry(labels):
    picture, words = legend(zip(["Drug A plus", "Drug B plus"], COLOURS[:2], [WHOLE] * 2, strict=True), pitch=44)
    second = [replace(w, text="radiation", y0=w.y0 + 16, y1=w.y1 + 16) for w in words]
    found = legend_samples(picture, darkness(picture), [*words, *second], labels)
    # nothing tells a last line from a remark under the legend but the table
    assert [s.name for s in found] == ["Drug A plus radiation", "Drug B plus radiation" if labels else "Drug B plus"]
    assert unlined(found, [*words, *second]) == []


def test_a_name_halfway_between_two_entries_is_no_second_line():
    picture, words = legend(zip(["Surgery", "Placebo"], COLOURS[:2], [WHOLE] * 2, strict=True), pitch=32)
    lost = replace(words[0], text="Radiation", y0=words[0].y0 + 16, y1=words[0].y1 + 16)
    found = legend_samples(picture, darkness(picture), [*words, lost], ())
    assert [s.name for s in found] == ["Surgery", "Placebo"]
    assert len(unlined(found, [*words, lost])) == 1
