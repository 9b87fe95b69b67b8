"""Arms that nothing lists: black lines told apart by dashes, and names printed beside the curves."""

import io
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints
from metagrove.figures.legend.arrows import arrows_from
from metagrove.figures.legend.curve_labels import labels_beside
from metagrove.figures.page import Word
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import axis_through
from metagrove.figures.table.evidence import Ground
from metagrove.figures.writing.ocr import can_read
from seen_lines import blank_page, draw, traced_lines

ocr = pytest.mark.skipif(not can_read(), reason="needs the extra 'ocr'")
X = axis_through([100.0, 300.0, 500.0], [0.0, 12.0, 24.0], tolerance=2)
Y = axis_through([400.0, 250.0, 100.0], [0.0, 0.5, 1.0], tolerance=2)
GROUND = Ground(X, Y, 1.0)


def arm(last):
    time = np.linspace(0, 24, 25)
    level = np.maximum(1 - (1 - last) * time / 24, 0)
    error = np.full(25, 0.01)
    return ArmReading("", (0, 0, 0), "solid", time, level, error, error, np.zeros(0))


def word(text, x, y, size=12.0):
    return Word(text, x, y - size / 2, x + 0.6 * size * len(text), y + size / 2, score=0.98)


def height(last, x):
    return 400 - 300 * (1 - (1 - last) * (x - 100) / 400)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.floats(0.55, 0.8), st.floats(0.1, 0.3), st.integers(300, 420), st.integers(300, 420), st.booleans())
def test_each_curve_takes_the_name_beside_it(upper, lower, first, second, exchanged):
    names = ["Placebo", "Drug"][:: -1 if exchanged else 1]
    words = [word(names[0], first, height(upper, first) - 14), word(names[1], second, height(lower, second) - 14)]
    assert labels_beside([arm(upper), arm(lower)], words, GROUND) == (2, names)
    assert labels_beside([arm(lower), arm(upper)], words[::-1], GROUND) == (2, names[::-1])


def test_names_behind_the_ends_of_curves_are_theirs():
    beside = [word("Placebo", 530, height(0.6, 500)), word("Drug", 530, height(0.4, 500))]
    assert labels_beside([arm(0.4), arm(0.6)], beside, GROUND) == (2, ["Drug", "Placebo"])
    far = [replace(w, x0=w.x0 + 400, x1=w.x1 + 400) for w in beside]
    assert labels_beside([arm(0.4), arm(0.6)], far, GROUND) == (0, None)


def test_names_between_two_curves_name_none():
    middle = (height(0.6, 300) + height(0.5, 300)) / 2
    words = [word("Placebo", 300, middle), word("Drug", 420, (height(0.6, 420) + height(0.5, 420)) / 2)]
    near, labels = labels_beside([arm(0.6), arm(0.5)], words, GROUND)
    assert near == 2
    assert labels is None


@pytest.mark.parametrize("text", ["P < 0.001", "HR 0.72", "Log-rank test", "54%", "p=0.03", "No. at risk"])
def test_results_are_no_names(text):
    words = [word("Placebo", 300, height(0.6, 300) - 14), word(text, 200, 300)]
    assert labels_beside([arm(0.6)], words, GROUND) == (1, ["Placebo"])


def test_a_name_without_a_curve_confirms_nothing():
    words = [word("Placebo", 300, height(0.6, 300) - 14), word("Drug", 300, 330)]
    near, labels = labels_beside([arm(0.6)], words, GROUND)
    assert labels is None
    assert near == 1


def drawn(styles, names):
    """Black curves told apart by their strokes, names beside them, no legend; the levels of each."""
    mpl.use("Agg")
    page = Figure(figsize=(6.0, 4.4), dpi=150)
    axes = page.add_axes((0.14, 0.14, 0.82, 0.8))
    truth = []
    for k, (style, name) in enumerate(zip(styles, names, strict=True)):
        rng = np.random.default_rng(k + 7)
        when = np.sort(rng.exponential((50, 22, 10)[k], 60))
        keep = when < 36
        level = np.concatenate([[1.0], (1 - np.arange(1, 61) / 60)[keep]])
        times = np.concatenate([[0.0], when[keep]])
        axes.step(np.append(times, 36), np.append(level, level[-1]), where="post", color="black", ls=style, lw=1.4)
        truth.append((times, level))
        place = 12 + 5 * k
        axes.text(place, level[np.searchsorted(times, place) - 1] + 0.05, name, va="center")
    axes.set_xlim(0, 37)
    axes.set_ylim(0, 1.03)
    axes.set_xticks(range(0, 37, 6))
    axes.set_xlabel("Months")
    axes.set_ylabel("Survival")
    out = io.BytesIO()
    page.savefig(out, format="png")
    return out.getvalue(), truth


@ocr
@pytest.mark.parametrize(
    ("styles", "names"),
    [
        (("-", (0, (5, 3))), ("Surgery", "Radiotherapy")),
        (("-", (0, (5, 3)), (0, (1.2, 1.8))), ("Surgery", "Chemotherapy", "Observation")),
    ],
)
def test_black_lines_without_a_legend_are_told_apart(styles, names):
    content, truth = drawn(styles, names)
    (found,) = figures_in(content, threads=1)
    arms = {a.name: a for a in found.reading.arms}
    assert len(arms) == len(names)
    grid = np.linspace(0, 35.5, 500)
    for name, (times, level) in zip(names, truth, strict=True):
        true = level[np.searchsorted(times, grid, side="right") - 1]
        near = min(float(np.abs(a.at(grid) - true).mean()) for a in arms.values())
        assert near < 0.01
        if found.reading.status == "ok":
            assert float(np.abs(arms[name].at(grid) - true).mean()) < 0.01


def painted(*, table=True, remarks=False):
    """Two coloured curves without a legend, names in their colours right of the plot, the levels of each."""
    mpl.use("Agg")
    page = Figure(figsize=(6.6, 4.6), dpi=130)
    axes = page.add_axes((0.16, 0.34, 0.6, 0.6))
    truth = {}
    for k, (name, colour) in enumerate((("Intervention", "#0072b2"), ("Control", "#d55e00"))):
        rng = np.random.default_rng(k + 3)
        when = np.sort(rng.exponential((45, 18)[k], 70))
        kept = when[when < 36]
        level = np.concatenate([[1.0], 1 - np.arange(1, len(kept) + 1) / 70])
        times = np.concatenate([[0.0], kept])
        axes.step(np.append(times, 36), np.append(level, level[-1]), where="post", color=colour, lw=1.3)
        truth[name] = times, level
        axes.text(39, level[-1], name, color=colour, va="center")
        for month in range(0, 37, 12) if table else ():
            count = 70 - int((when < month).sum())
            axes.text(month, -0.36 - 0.1 * k, str(count), ha="center", transform=axes.get_xaxis_transform())
        if table:
            axes.text(-8, -0.36 - 0.1 * k, name, transform=axes.get_xaxis_transform(), ha="left", fontsize=8)
    if remarks:
        # more black than either curve has colour
        for k in range(4):
            axes.text(1.5, 0.04 + 0.06 * k, "median not reached", fontsize=9, fontweight="bold", color="black")
    axes.set_xlim(0, 37)
    axes.set_ylim(0, 1.03)
    axes.set_xticks(range(0, 37, 12))
    axes.set_xlabel("Months")
    axes.set_ylabel("Survival")
    out = io.BytesIO()
    page.savefig(out, format="png")
    return out.getvalue(), truth


@ocr
@pytest.mark.parametrize(("table", "remarks"), [(False, False), (True, True)])
def test_names_in_their_colours_right_of_the_plot_are_the_arms(table, remarks):
    content, truth = painted(table=table, remarks=remarks)
    (found,) = figures_in(content, threads=1)
    assert (found.reading.status, found.reading.reasons) == ("ok", ())
    grid = np.linspace(0, 35.5, 500)
    for name, (times, level) in truth.items():
        read = found.reading.arm(name)
        assert float(np.abs(read.at(grid) - level[np.searchsorted(times, grid, side="right") - 1]).mean()) < 0.005
    counts = {(c.arm, c.time): c.n for c in found.reading.cells}
    assert len(counts) == (8 if table else 0)
    if table:
        assert counts["Control", 0.0] == counts["Intervention", 0.0] == 70
        assert counts["Control", 36.0] < counts["Intervention", 36.0]


@ocr
def test_hinted_arms_of_a_colour_take_the_style_that_the_legend_leaves():
    mpl.use("Agg")
    page = Figure(figsize=(6.0, 4.4), dpi=130)
    axes = page.add_axes((0.14, 0.14, 0.82, 0.8))
    names = ("Invalid A", "Invalid B", "Arm A", "Arm B")
    truth = {}
    for k, name in enumerate(names):
        when = np.sort(np.random.default_rng(k + 3).exponential((14, 22, 35, 70)[k], 80))
        times = np.concatenate([[0.0], when[when < 36]])
        level = 1 - np.arange(len(times)) / 80
        truth[name] = times, level
        style, label = ("-", name) if k > 1 else ((0, (5, 3)), "_" + name)
        ends = np.append(times, 36), np.append(level, level[-1])
        axes.step(*ends, where="post", color=("#000000", "#d95f02")[k % 2], ls=style, lw=1.4, label=label)
    axes.legend(loc="lower left")
    axes.set(xlim=(0, 37), ylim=(0, 1.03), xlabel="Months", ylabel="Survival", xticks=range(0, 37, 6))
    out = io.BytesIO()
    page.savefig(out, format="png")
    arms = [{"name": n, "color": ("#000000", "#d95f02")[k % 2]} for k, n in enumerate(names)]
    (found,) = figures_in(out.getvalue(), read_hints({"arms": arms}), threads=1)
    grid = np.linspace(0, 35.5, 500)
    assert {a.name for a in found.reading.arms} == set(names)
    for arm in found.reading.arms:
        times, level = truth[arm.name]
        assert float(np.abs(arm.at(grid) - level[np.searchsorted(times, grid, side="right") - 1]).mean()) < 0.01


@ocr
def test_a_dashed_arm_hinted_by_its_colour_alone_is_traced_by_its_dashes():
    mpl.use("Agg")
    page = Figure(figsize=(6.0, 4.4), dpi=110)
    axes = page.add_axes((0.14, 0.14, 0.82, 0.8))
    truth = []
    for k, (ink, style) in enumerate((("#c02020", "-"), ("#2060c0", (0, (1.2, 1.8))))):
        when = np.sort(np.random.default_rng(k + 5).exponential((14, 40)[k], 70))
        times = np.concatenate([[0.0], when[when < 36]])
        level = 1 - np.arange(len(times)) / 70
        truth.append((times, level))
        axes.step(np.append(times, 36), np.append(level, level[-1]), where="post", color=ink, ls=style, lw=1.3)
    axes.set(xlim=(0, 37), ylim=(0, 1.03), xlabel="Months", ylabel="Survival", xticks=range(0, 37, 6))
    out = io.BytesIO()
    page.savefig(out, format="png")
    hints = {"arms": [{"name": "A", "color": "#c02020"}, {"name": "B", "color": "#2060c0"}]}
    (found,) = figures_in(out.getvalue(), read_hints(hints), threads=1)
    grid = np.linspace(0, 35.5, 500)
    for arm, (times, level) in zip(found.reading.arms, truth, strict=True):
        assert float(np.abs(arm.at(grid) - level[np.searchsorted(times, grid, side="right") - 1]).mean()) < 0.005
    assert found.reading.arms[1].style == "dotted"


@pytest.mark.parametrize(("shaft", "names"), [((30, 30, 30), ["Drug A"]), ((40, 70, 190), [])])
def test_a_row_of_marks_in_a_curves_colour_is_no_arrow_of_a_black_name(shaft, names):
    page = blank_page()
    draw(page, [(0, 20), (100, 60), (200, 110), (300, 160), (400, 210), (490, 210)], (40, 70, 190))
    # a straight thin piece between the word and the curve
    for k in range(46):
        page[108 + k, 376 - k : 379 - k] = shaft
    page[92:104, 372:430:4] = 0
    seen = traced_lines(page, [(40, 70, 190)])
    word = Word("Drug A", 372.0, 92.0, 430.0, 104.0)
    found = arrows_from([seen.plot.here(word)], seen.field, seen.trace, seen.looks)
    assert [a.name for a in found] == names
