"""Dashed confidence limits are no arms; other patients' dashed lines are; a solid line has no gaps; signs of percent."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from metagrove.figures.confidence_lines import limited
from metagrove.figures.digitizing import figures_in
from metagrove.figures.doubts.identity import DASHES
from metagrove.figures.legend.arms import ArmSpec
from metagrove.figures.lines.dashes import gaps_along
from metagrove.figures.lines.evidence import ArmLook
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.lines.tracking import Dash, Path
from metagrove.figures.page import Word
from metagrove.figures.reading import ArmReading
from metagrove.figures.writing.ocr import can_read
from metagrove.figures.writing.words import tokens
from seen_lines import seen_lines

ocr = pytest.mark.skipif(not can_read(), reason="needs the extra 'ocr'")
BLACK = (0, 0, 0)
SOLID = ArmSpec("", ArmLook(BLACK, 2.0, Dash(), "solid"))
DASHED = ArmSpec("", ArmLook(BLACK, 2.0, Dash(8.0, 5.0), "dashed"))
DOTTED = ArmSpec("", ArmLook(BLACK, 2.0, Dash(3.0, 4.0), "dotted"))


def path(rows):
    rows = np.asarray(rows, dtype=int)
    return Path(0, np.append(rows[:1], rows[:-1]), rows, np.ones(rows.size, bool), 0.0)


def survival(row):
    return 1 - (row - 40.5) / 400


def trace(*paths):
    return Trace(tuple(paths), (None,) * len(paths), (None,) * len(paths), (1.0,) * len(paths), (1.0,) * len(paths))


def falling(rng, drops, deep=9.0):
    """Rows of a curve that falls in `drops` of 400 columns, and these columns."""
    at = np.sort(rng.choice(np.arange(10, 400), drops, replace=False))
    rows = 40 + np.cumsum(np.isin(np.arange(400), at) * deep).astype(int)
    return rows, at


def limits(rows, at, kind):
    """Rows of limits as wide as so many deaths make them, on the plain, the log or the log-log scale."""
    level = np.clip(survival(rows), 1e-6, 1 - 1e-6)
    error = 1.96 / np.sqrt(np.maximum(np.cumsum(np.isin(np.arange(400), at)), 1))
    hazard = -np.log(level)
    if kind == "log-log":
        low, high = np.exp(-hazard * np.exp(error)), np.exp(-hazard * np.exp(-error))
    elif kind == "log":
        low, high = np.exp(-hazard * (1 + error)), np.exp(-hazard * (1 - error))
    else:
        low, high = level * (1 - error * hazard), level * (1 + error * hazard)
    back = [np.round(40 + 400 * (1 - np.clip(v, 0, 1))).astype(int) for v in (high, low)]
    return [np.maximum.accumulate(b) for b in back]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(10, 60), st.booleans(), st.sampled_from(["plain", "log", "log-log"]))
def test_lines_as_far_above_a_curve_as_below_are_its_limits(seed, drops, alike, kind):
    rows, at = falling(np.random.default_rng(seed), drops, 250 / drops)
    upper, lower = limits(rows, at, kind)
    found = limited([SOLID, DASHED, DASHED if alike else DOTTED], trace(path(rows), path(upper), path(lower)), survival)
    assert found == {0: (1, 2)}


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(8, 180), st.floats(0.3, 0.8))
def test_other_patients_on_both_sides_are_no_limits(seed, drops, ratio):
    rng = np.random.default_rng(seed)
    curves = []
    for hazard in (1.0, ratio, 2 - ratio):  # as far apart on the log scale as limits would be
        fallen = np.cumsum(rng.random(400) < drops / 400) / (0.9 * drops)
        curves.append(np.round(40 + 400 * (1 - np.exp(-hazard * fallen))).astype(int))
    rows, better, worse = curves
    found = limited(
        [SOLID, DASHED, DOTTED],
        trace(path(rows), path(np.minimum(better, rows)), path(np.maximum(worse, rows))),
        survival,
    )
    assert found == {}


def test_a_line_with_a_name_is_an_arm():
    rows, at = falling(np.random.default_rng(3), 20, 12.5)
    lines = trace(path(rows), *map(path, limits(rows, at, "plain")))
    assert limited([SOLID, DASHED, DASHED], lines, survival) == {0: (1, 2)}
    assert limited([SOLID, ArmSpec("Placebo", DASHED.look), DASHED], lines, survival) == {}


def kaplan_meier(arms, *, names=(), marks=False):
    """Steps with dashed 95 % limits, as R's survival draws one curve; the picture and the levels of each arm."""
    mpl.use("Agg")
    page = Figure(figsize=(6.0, 4.6), dpi=130)
    axes = page.add_axes((0.13, 0.14, 0.83, 0.82))
    truth = []
    for k, (seed, ink) in enumerate(arms):
        rng = np.random.default_rng(seed)
        times = np.sort(rng.exponential(30.0, 50))
        times = np.append(times[times < 48], 48.0)
        left = 50 - np.arange(times.size)
        level = np.append(np.cumprod(1 - 1 / left[:-1]), 0.0)
        level[-1] = level[-2]
        error = np.sqrt(np.cumsum(1 / (left * np.maximum(left - 1, 1))))
        error[-1] = error[-2]
        x, y, e = np.append(0.0, times), np.append(1.0, level), np.append(0.0, error)
        axes.step(x, y, where="post", color=ink, lw=1.2, label=names[k] if names else None)
        for side in (-1.96, 1.96):
            axes.step(x, np.minimum(y * np.exp(side * e), 1), where="post", color=ink, lw=1.2, ls="--")
        truth.append((x, y))
    axes.set(xlim=(0, 50), ylim=(0, 1.03), xlabel="Months", ylabel="Survival", xticks=range(0, 49, 12))
    if names:
        axes.legend(frameon=False)
    content = io.BytesIO()
    page.savefig(content, format="png")
    return content.getvalue(), truth


def off(arm, truth):
    at = np.linspace(0.5, 47.5, 300)
    ours = arm.survival[np.searchsorted(arm.time, at, side="right") - 1]
    return np.abs(ours - truth[1][np.searchsorted(truth[0], at, side="right") - 1]).mean()


@ocr
@pytest.mark.parametrize("ink", ["black", "#1b9e77"])
def test_one_curve_with_dashed_limits_is_one_arm(ink):
    content, truth = kaplan_meier([(5, ink)])
    (figure,) = figures_in(content)
    (arm,) = figure.reading.arms
    assert off(arm, truth[0]) < 0.005
    assert not [r for r in figure.reading.reasons if "ink" in r]


@ocr
def test_two_arms_with_dashed_limits_are_read_without_doubt():
    content, truth = kaplan_meier([(5, "#1f4fa0"), (8, "#d2691e")], names=("Placebo", "Drug A"))
    (figure,) = figures_in(content)
    assert figure.reading.status == "ok", figure.reading.reasons
    assert [a.name for a in figure.reading.arms] == ["Placebo", "Drug A"]
    assert max(off(a, t) for a, t in zip(figure.reading.arms, truth, strict=True)) < 0.005


def level_line(gaps):
    page = np.full((120, 400, 3), 255, np.uint8)
    page[60:62] = 0
    for k in range(gaps):
        page[60:62, 40 + 40 * k : 46 + 40 * k] = 255
    page[90:92] = 0
    page[90:92, ::10] = page[90:92, 1::10] = page[90:92, 2::10] = page[90:92, 3::10] = 255
    return page


@pytest.mark.parametrize("gaps", [0, 2, 5, 8])
def test_gaps_of_a_solid_line_are_counted_and_doubted(gaps):
    page = level_line(gaps)
    paths = [path(np.full(400, row)) for row in (60, 90)]
    line = np.array([0.0, 10.0])
    arms = [ArmReading(name, BLACK, "solid", line, line * 0 + 1, line, line) for name in ("A", "B")]
    looks = [SOLID.look, ArmLook(BLACK, 2.0, Dash(6.0, 4.0), "dashed")]
    ink = 1 - page[..., 0].astype(np.float32) / 127.5
    assert gaps_along(paths[0], ink, np.zeros(ink.shape, bool)) == gaps
    said = [f.message for f in DASHES.find(seen_lines(page, looks, paths, arms))]
    assert any(f"'A' should be a solid line and shows {gaps} gaps" in m for m in said) == (gaps >= 3)


def test_a_sign_of_percent_belongs_to_the_number_before_it():
    words = tokens([Word("75", 10, 100, 30, 114), Word("%", 36, 100, 48, 114), Word("50 %", 10, 200, 48, 214)])
    assert [(w.text, w.x0, w.x1) for w in sorted(words, key=lambda w: w.y0)] == [("75%", 10, 48), ("50%", 10, 48)]


def test_an_upturned_sign_of_percent_is_put_together_from_its_rings():
    # letters that stand upright show the sign's stroke and its two rings below each other, above the number
    stroke, rings = Word("%", 128, 302, 152, 317), [Word("0", 141, 295, 152, 307), Word("0", 129, 312, 140, 323)]
    (word,) = tokens([stroke, *rings, Word("75", 128, 335, 152, 370, 90)])
    assert (word.text, word.angle, word.y0, word.y1) == ("75%", 90, 295, 370)


def test_words_of_a_sentence_keep_their_places():
    first, second, third = tokens([Word("HR 0.72 alpha", 0, 0, 130, 10)])
    assert [w.text for w in (first, second, third)] == ["HR", "0.72", "alpha"]
    assert first.x1 < second.x0 < second.x1 < third.x0


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.integers(0, 10**6))
def test_lines_of_any_length_are_judged(first, second, third, seed):
    rng = np.random.default_rng(seed)
    lines = [path(40 + np.sort(rng.integers(0, 60, size))) for size in (first, second, third)]
    assert set(limited([SOLID, DASHED, DOTTED], trace(*lines), survival)) <= {0}
