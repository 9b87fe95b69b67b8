"""Figures in house styles nobody tuned for, drawn here with known truth: a handful, the rest is a benchmark."""

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints
from metagrove.figures.writing.ocr import can_read

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "figure_styles.py"


@pytest.fixture(scope="module")
def figure():
    spec = importlib.util.spec_from_file_location("figure_styles", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.figure


@pytest.fixture(scope="module")
def habit_figure():
    sys.path.insert(0, str(SCRIPT.parents[1]))
    try:
        return importlib.import_module("benchmarks.figure_habits").habit_figure
    finally:
        sys.path.pop(0)


def furthest(arm, truth, span):
    """The mean and the largest |S' - S|, times close to a step left out of the largest."""
    steps = np.array(truth["steps"])
    grid = np.linspace(0, truth["last_time"], 1001)
    level = steps[np.searchsorted(steps[:, 0], grid, side="right") - 1, 1]
    gap = np.abs(arm.at(grid) - level)
    away = np.abs(grid[:, None] - steps[None, 1:, 0]).min(axis=1, initial=np.inf) > 0.006 * span
    return gap.mean(), gap[away].max(initial=0.0)


def printed(truth):
    table = truth["at_risk"]
    if not table:
        return {}
    return {(r["arm"], t): n for r in table["rows"] for t, n in zip(table["times"], r["n"], strict=True)}


@pytest.mark.parametrize(
    ("style", "ending"),
    [("bw", "pdf"), ("limits", "svg"), ("logy", "pdf"), ("truncated", "svg"), ("incidence", "pdf"), ("prism", "svg")],
)
def test_vector_style_is_read_exactly_and_called_ok(figure, style, ending):
    drawn = figure(3, style=style, ending=ending)
    reading = figures_in(drawn.content, threads=1)[0].reading
    assert (reading.status, reading.reasons) == ("ok", ())
    assert {a.name for a in reading.arms} == {a["name"] for a in drawn.truth["arms"]}
    span = max(drawn.truth["axes"]["x"]["ticks"])
    for expected in drawn.truth["arms"]:
        # the drawing program merges steps below a ninth of a point
        assert furthest(reading.arm(expected["name"]), expected, span)[1] < 0.001
    assert {(c.arm, c.time): c.n for c in reading.cells} == printed(drawn.truth)


@pytest.mark.parametrize("style", ["ggplot", "slide", "truncated"])
def test_raster_style_with_hints(figure, style):
    drawn = figure(3, style=style, level="clean")
    reading = figures_in(drawn.content, read_hints(drawn.truth["hints"]), threads=1)[0].reading
    span = max(drawn.truth["axes"]["x"]["ticks"])
    for expected in drawn.truth["arms"]:
        mean, worst = furthest(reading.arm(expected["name"]), expected, span)
        # the program that draws these rounds lines to whole pixels of about 0.002
        assert mean < 0.003
        assert worst < 0.02


@pytest.mark.skipif(not can_read(), reason="needs the extra 'ocr'")
@pytest.mark.parametrize(("style", "seed"), [("dark", 32), ("plotly", 16)])
def test_raster_style_without_hints(figure, style, seed):
    drawn = figure(seed, style=style, level="clean")
    reading = figures_in(drawn.content, threads=1)[0].reading
    assert (reading.status, reading.reasons) == ("ok", ())
    span = max(drawn.truth["axes"]["x"]["ticks"])
    for expected in drawn.truth["arms"]:
        assert furthest(reading.arm(expected["name"]), expected, span)[0] < 0.003


@pytest.mark.skipif(not can_read(), reason="needs the extra 'ocr'")
@pytest.mark.parametrize("seed", [878, 914])
def test_dashed_lines_among_solid_ones_whose_names_stand_beside_them(figure, seed):
    drawn = figure(seed)
    reading = figures_in(drawn.content, threads=1)[0].reading
    assert (reading.status, reading.reasons) == ("ok", ())
    span = max(drawn.truth["axes"]["x"]["ticks"])
    for expected in drawn.truth["arms"]:
        arm = reading.arm(expected["name"])
        assert arm.style == expected["linestyle"]
        assert furthest(arm, expected, span)[0] < 0.005


@pytest.mark.skipif(not can_read(), reason="needs the extra 'ocr'")
@pytest.mark.parametrize("style", ["onehue", "enlarged", "many"])
def test_habits_of_papers_without_hints(habit_figure, style):
    drawn = habit_figure(3, style=style, level="clean")
    reading = figures_in(drawn.content, threads=1)[0].reading
    span = max(drawn.truth["axes"]["x"]["ticks"])
    # small letters may be misread in a name, so arms are paired by the order of the legend
    names = {}
    for arm, expected in zip(reading.arms, drawn.truth["arms"], strict=True):
        assert furthest(arm, expected, span)[0] < 0.005
        names[arm.name] = expected["name"]
    true = printed(drawn.truth)
    wrong = [c for c in reading.cells if true.get((names[c.arm], c.time)) != c.n]
    assert not any(c.sure for c in wrong)
    assert len(reading.cells) > 0.9 * len(true)
