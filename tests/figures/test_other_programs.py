"""What programs other than the usual ones draw differently: text anchors, half pixels, keys, dotted grids, pages round panels."""

import numpy as np
import pytest

from metagrove.figures.digitizing import figures_in
from metagrove.figures.doubts.furniture import dotted_grid
from metagrove.figures.files.svg import svg_page
from metagrove.figures.legend.marked_keys import unmarked
from metagrove.figures.legend.unusual_keys import keys_after, patch_keys
from metagrove.figures.page import Word, rgb_colour
from metagrove.figures.scales.axes import Axis, row_axes
from metagrove.figures.scales.frame import levelled
from metagrove.figures.scales.grid import ungridded
from metagrove.figures.scales.tick_marks import with_flush

STEPS = ((0, 1.0), (2, 0.9), (5, 0.7), (9, 0.45), (16, 0.3), (20, 0.3))


def across(t):
    return 60 + 20 * t


def down(s):
    return 20 + 300 * (1 - s)


def stairs(steps):
    path = f"M{across(steps[0][0])},{down(steps[0][1])}"
    for t, s in steps[1:]:
        path += f"L{across(t)},{path.rsplit(',', 1)[1]}L{across(t)},{down(s)}"
    return path


def d3_page(arms, *, half=0.5, names=()):
    """A drawing with d3's axes: ticks half a pixel off, labels set by `dy` in em."""
    ticks = "".join(
        f'<g transform="translate({across(t) + half},320)"><line y2="6" stroke="currentColor"/>'
        f'<text y="9" dy="0.71em" text-anchor="middle">{t}</text></g>'
        for t in (0, 5, 10, 15, 20)
    )
    ticks += "".join(
        f'<g transform="translate(60,{down(s) + half})"><line x2="-6" stroke="currentColor"/>'
        f'<text x="-9" dy="0.32em" text-anchor="end">{s:g}</text></g>'
        for s in (0, 0.25, 0.5, 0.75, 1)
    )
    lines = "".join(
        f'<path fill="none" stroke="{colour}" stroke-width="1.5" d="{stairs(steps)}"/>' for colour, steps in arms
    )
    keys = "".join(
        f'<text x="380" y="{40 + 18 * k}" text-anchor="end">{name}</text>'
        f'<line x1="386" x2="416" y1="{36 + 18 * k}" y2="{36 + 18 * k}" stroke="{colour}" stroke-width="1.5"/>'
        for k, (name, (colour, _)) in enumerate(zip(names, arms, strict=False))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="500" height="380" font-size="10" font-family="sans-serif">'
        f"{ticks}{lines}{keys}</svg>"
    ).encode()


@pytest.mark.parametrize("half", [0.0, 0.5])
def test_axes_half_a_pixel_off_are_put_where_curves_begin(half):
    arms = (("crimson", STEPS), ("steelblue", [(t, s**0.5) for t, s in STEPS]))
    reading = figures_in(d3_page(arms, half=half))[0].reading
    assert reading.status == "ok", reading.reasons
    by_colour = {a.colour: a for a in reading.arms}
    assert set(by_colour) == {(220, 20, 60), (70, 130, 180)}
    for (_, steps), colour in zip(arms, by_colour, strict=True):
        inner = np.array([t + 0.1 for t, _ in steps[:-1]])
        assert np.abs(by_colour[colour].at(inner) - [s for _, s in steps[:-1]]).max() < 1e-6


def test_keys_after_their_names_name_the_curves_of_a_drawing():
    arms = (("crimson", STEPS), ("steelblue", [(t, s**0.5) for t, s in STEPS]))
    reading = figures_in(d3_page(arms, names=("Placebo", "Drug")))[0].reading
    assert {a.name: a.colour for a in reading.arms} == {"Placebo": (220, 20, 60), "Drug": (70, 130, 180)}


def test_a_curve_drawn_from_its_first_time_on_begins_at_one():
    late = ((0.4, 0.97), *STEPS[1:])
    reading = figures_in(d3_page((("crimson", late), ("steelblue", STEPS))))[0].reading
    arm = next(a for a in reading.arms if a.colour == (220, 20, 60))
    assert arm.time[0] == 0 and arm.survival[0] == 1
    assert arm.at(np.array([0.2, 0.5])) == pytest.approx([1.0, 0.97], abs=1e-6)


def test_a_curve_that_begins_far_below_one_is_no_survival():
    low = ((0.4, 0.8), *((t, 0.8 * s) for t, s in STEPS[1:]))
    reading = figures_in(d3_page((("crimson", low), ("steelblue", STEPS))))[0].reading
    assert (220, 20, 60) not in {a.colour for a in reading.arms}


def test_text_is_placed_by_em_and_baseline_and_lines_without_width_are_not_drawn():
    page = svg_page(
        b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"><g style="font: 20px serif">'
        b'<text x="10" y="50">a</text><text x="10" y="50" dy="0.5em">b</text>'
        b'<text x="10" y="50" dominant-baseline="hanging">c</text></g>'
        b'<line x1="0" x2="50" y1="5" y2="5" stroke="red" stroke-width="0"/></svg>'
    )
    a, b, c = page.words
    assert a.size == pytest.approx(0.72 * 20 * 0.75)
    assert b.y1 - a.y1 == pytest.approx(0.5 * 20 * 0.75)
    assert c.y0 == pytest.approx(50 * 0.75, abs=1)
    assert all(s.colour is None for s in page.strokes)


def test_names_of_colours():
    assert rgb_colour("RebeccaPurple") == (102, 51, 153)
    assert rgb_colour("nocolour") is None


def label(text, middle, *, left=None, right=None):
    wide = 6.0 * len(text)
    x0 = left if left is not None else right - wide if right is not None else middle - wide / 2
    return Word(text, x0, 100, x0 + wide, 108)


def test_labels_set_flush_with_the_ends_of_the_axis_are_found_at_their_ticks():
    ticks = [50, 100, 150, 200, 250]
    words = [label("0", 0, left=50), *(label(str(6 * k), ticks[k]) for k in (1, 2, 3)), label("24", 0, right=250)]
    axis = max(row_axes(words, tolerance=1.6), key=lambda a: len(a.values))
    whole = with_flush(axis, words, ticks, across=True, reach=0.3)
    assert whole.values == (0, 6, 12, 18, 24)
    assert whole.pixels == pytest.approx(ticks)
    assert with_flush(axis, words, [], across=True, reach=0.3) is axis


def test_a_last_nought_that_was_lost_is_supplied_only_where_a_tick_expects_it():
    ticks = [50.0, 100, 150, 200]
    words = [label("0", 50), label("20", 100), label("4", 150), label("60", 200)]
    axis = Axis((50.0, 100.0, 200.0), (0.0, 20.0, 60.0), 0.4, -20.0, 0.0, False, 3, (99.0, 109.0), 1)
    assert with_flush(axis, words, ticks, across=True, reach=0.3).values == (0, 20, 40, 60)
    other = [*words[:2], label("7", 150), words[3]]
    assert with_flush(axis, other, ticks, across=True, reach=0.3) is axis


def picture():
    return np.full((200, 400, 3), 255, dtype=np.uint8)


def named(text, left, middle):
    return Word(text, left, middle - 5, left + 6 * len(text), middle + 5)


def seen(rgb):
    return np.asarray((255 - rgb.min(axis=2)) / 255, dtype=np.float32)


@pytest.mark.parametrize("flush", [False, True])
def test_lines_right_of_their_names_are_a_legend(flush):
    rgb, names = picture(), []
    for k, (text, colour) in enumerate((("Control", (200, 0, 0)), ("Combination", (0, 0, 200)))):
        rgb[40 + 20 * k : 42 + 20 * k, 250:290] = colour
        names.append(named(text, 174 if flush else 240 - 6 * len(text), 41 + 20 * k))
    found = keys_after(rgb, seen(rgb), names)
    assert [(s.name, s.colour) for s in found] == [("Control", (200, 0, 0)), ("Combination", (0, 0, 200))]
    assert all(s.box[0] < w.x0 + 1 and s.box[2] > 290 for s, w in zip(found, names, strict=True))


def test_lines_of_other_lengths_right_of_names_are_curves():
    rgb = picture()
    rgb[40:42, 250:290] = (200, 0, 0)
    rgb[60:62, 250:272] = (0, 0, 200)
    assert keys_after(rgb, seen(rgb), [named("Control", 198, 41), named("Combination", 174, 61)]) == []


def test_patches_before_names_are_a_legend():
    rgb, names = picture(), []
    for k, (text, colour) in enumerate((("Control", (200, 0, 0)), ("Treated", (0, 0, 200)))):
        rgb[35 + 20 * k : 47 + 20 * k, 250:262] = colour
        names.append(named(text, 268, 41 + 20 * k))
    found = patch_keys(rgb, seen(rgb), names)
    assert [(s.name, s.colour) for s in found] == [("Control", (200, 0, 0)), ("Treated", (0, 0, 200))]
    rgb[30:140, 262] = (0, 0, 0)
    assert patch_keys(rgb, seen(rgb), names) == []


def test_dots_along_labels_are_a_grid_and_a_dotted_curve_is_none():
    inked = np.zeros((200, 300), dtype=bool)
    for row in (50, 100, 150):
        inked[row, ::6] = True
    curve = np.zeros_like(inked)
    curve[np.linspace(10, 190, 50).astype(int), np.arange(0, 300, 6)] = True
    grid = dotted_grid(inked | curve, [50.5, 100.5, 150.5], [100.5, 200.5])
    assert (grid & inked).sum() == inked.sum()
    assert (grid & curve & ~inked).sum() < 0.15 * curve.sum()
    assert not dotted_grid(curve, [50.5, 100.5, 150.5], [100.5, 200.5]).any()


def test_a_grey_page_round_a_white_panel_becomes_white():
    rgb = np.full((200, 300, 3), 191, dtype=np.uint8)
    rgb[20:170, 40:290] = 255
    rgb[60:62, 40:290] = (200, 30, 30)
    rgb[180:186, 60:66] = 0
    out = levelled(rgb)
    assert (out[:20] == 255).all() and (out[180:186, 60:66] == 0).all()
    assert np.array_equal(out[20:170, 40:290], rgb[20:170, 40:290])
    plain = np.full((200, 300, 3), 255, dtype=np.uint8)
    assert levelled(plain) is plain


def test_dots_where_translucent_grid_lines_cross_go_with_the_grid():
    rgb = np.full((220, 320, 3), 255, dtype=np.uint8)
    rows, columns = (20, 70, 120, 170), (30, 110, 190, 270)
    for r in rows:
        rgb[r, 30:271] = 230
    for c in columns:
        rgb[20:171, c] = 230
    for r in rows:
        for c in columns:
            rgb[r, c] = 150
    rgb[40:42, 60:200] = (200, 0, 0)
    x = Axis(tuple(c + 0.5 for c in columns), (0, 1, 2, 3), 1 / 80, -30.5 / 80, 0.0)
    y = Axis(tuple(r + 0.5 for r in rows), (1.0, 0.667, 0.333, 0.0), -1 / 150, 170.5 / 150, 0.0)
    out = ungridded(rgb, x, y)
    assert (out[40:42, 60:200] == (200, 0, 0)).all()
    rest = np.ones(rgb.shape[:2], dtype=bool)
    rest[36:46, 56:204] = False
    assert (out[rest] == 255).all()


def test_a_ring_on_the_line_of_a_key_does_not_break_it():
    block = np.zeros((13, 25), dtype=np.float32)
    down, across = np.mgrid[:13, :25]
    block[6, :] = 1
    far = np.hypot(down - 6, across - 12)
    block[far < 5] = 0
    block[(far >= 4) & (far < 5.2)] = 1
    assert unmarked(block)[6].min() > 0.5
    dashes = np.zeros((13, 25), dtype=np.float32)
    dashes[5:8, :9] = dashes[5:8, 16:] = 1
    assert unmarked(dashes)[6, 10:15].max() == 0
