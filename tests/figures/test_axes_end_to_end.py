"""Unusual axes from a drawn figure to the CSV, found by the reader and given as hints."""

import csv
import io

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from metagrove.app.figures import digitize_files
from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints

HEIGHT = 5.0


def patients(seed, n, scale):
    times = np.sort(1.3 + np.random.default_rng(seed).weibull(1.1, n) * scale)
    return times, 1 - np.arange(1, n + 1) / n


def drawn(kind, *, last, ticks, unit="months", low=0.0, percent=False, log=False, inverted=False, incidence=False):
    """The file's bytes, each arm's (times, levels), and the axes as hints in the file's own coordinates."""
    figure = Figure(figsize=(6.4, HEIGHT))
    axes = figure.add_axes((0.15, 0.3, 0.8, 0.6))
    truth, k = {}, 100 if percent else 1
    for seed, (name, share, colour) in enumerate((("Drug A", 0.5, "#1f4e9c"), ("Control", 0.3, "#c0392b"))):
        when, level = patients(seed, 40, share * last)
        keep = (when < last) & (level > low)
        when, level = when[keep], level[keep]
        end = last if low == 0 else min(when[-1] + 0.03 * last, last)
        x = np.concatenate(([1.0 if log else 0.0], when, [end]))
        y = np.concatenate(([1.0], level, [level[-1]]))
        axes.step(x, k * (1 - y if incidence else y), where="post", color=colour, label=name, linewidth=1.5)
        truth[name] = when, level
    if log:
        axes.set_xscale("log")
        axes.set_xlim(1, last)
        axes.minorticks_off()
    else:
        axes.set_xlim(0, last)
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_ylim(*((1.02 * k, low * k) if inverted else (low * k, 1.02 * k)))
    axes.set_xlabel(f"Time ({unit})")
    axes.set_ylabel("Cumulative incidence" if incidence else "Survival")
    axes.legend(frameon=False, loc="upper right")
    out = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):
        figure.savefig(out, format=kind, **({"dpi": 130} if kind == "png" else {}))
    scale = 1.3 if kind == "png" else 0.72

    def places(values, horizontal):
        points = [axes.transData.transform((v, 1) if horizontal else (2, v * k)) for v in values]
        return [
            [float(p[0] if horizontal else 100 * HEIGHT - p[1]) * scale, v] for p, v in zip(points, values, strict=True)
        ]

    hints = {"axes": {"x": places(ticks, True), "y": places((max(low, 0.0), 1.0), False)}}
    return out.getvalue(), truth, hints


def largest_error(arm, truth):
    """Between the drops, far enough from both that a pixel does not matter."""
    when, level = truth
    gap = np.flatnonzero(np.diff(when) > 0.012 * when[-1])
    middle = (when[gap] + when[gap + 1]) / 2
    middle, level = middle[middle < arm.end], level[gap][middle < arm.end]
    assert middle.size > 3
    return float(np.abs(arm.at(middle) - level).max())


CASES = {
    "truncated": {"last": 24, "ticks": range(0, 25, 6), "low": 0.4},
    "truncated percent, weeks": {"last": 24, "ticks": range(0, 25, 6), "low": 0.5, "percent": True, "unit": "weeks"},
    "days": {"last": 1000, "ticks": range(0, 1001, 250), "unit": "days"},
    "years": {"last": 5, "ticks": range(6), "unit": "years"},
    "incidence": {"last": 60, "ticks": range(0, 61, 12), "incidence": True},
}


@pytest.mark.parametrize("kind", ["svg", "pdf"])
@pytest.mark.parametrize("name", CASES)
def test_unusual_axes_are_found_in_drawings(name, kind):
    content, truth, _ = drawn(kind, **CASES[name])
    reading = figures_in(content, threads=1)[0].reading
    assert (reading.status, reading.unit) == ("ok", CASES[name].get("unit", "months"))
    assert {a.name for a in reading.arms} == set(truth)
    for arm in reading.arms:
        assert largest_error(arm, truth[arm.name]) < 0.001


@pytest.mark.parametrize("name", ["truncated", "years"])
def test_unusual_axes_are_found_in_pictures(name):
    pytest.importorskip("rapidocr_onnxruntime")
    content, truth, _ = drawn("png", **CASES[name])
    reading = figures_in(content, threads=1)[0].reading
    assert (reading.status, reading.unit) == ("ok", CASES[name].get("unit", "months"))
    for arm in reading.arms:
        assert largest_error(arm, truth[arm.name]) < 0.012


LOG = {"last": 100, "ticks": (1, 3, 10, 30, 100), "log": True}


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_log_axis_with_and_without_hints(kind):
    content, truth, hints = drawn(kind, **LOG)
    found = figures_in(content, threads=1)[0].reading
    told = figures_in(content, read_hints(hints), threads=1)[0].reading
    assert told.status == "ok"
    for reading in (found, told):
        assert reading.x.log
        for arm in reading.arms:
            assert largest_error(arm, truth[arm.name]) < 0.001


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_inverted_axis_with_hints(kind):
    content, truth, hints = drawn(kind, last=24, ticks=range(0, 25, 6), inverted=True)
    hints["arms"] = [{"name": "Drug A", "color": "#1f4e9c"}, {"name": "Control", "color": "#c0392b"}]
    figure = figures_in(content, read_hints(hints), threads=1)[0]
    reading = figure.reading
    assert reading.axes["y"][0][0] < reading.axes["y"][1][0]
    for arm in reading.arms:
        assert largest_error(arm, truth[arm.name]) < (0.012 if kind == "png" else 0.001)
    assert figure.overlay()[:4] == b"\x89PNG"


def test_axis_in_years_to_the_table(tmp_path):
    content, truth, _ = drawn("pdf", **CASES["years"])
    (tmp_path / "years.pdf").write_bytes(content)
    digitize_files([tmp_path / "years.pdf"], tmp_path / "out", jobs=1)
    rows = list(csv.DictReader((tmp_path / "out" / "years.csv").read_text().splitlines()))
    for name, (when, level) in truth.items():
        own = [(float(r["time"]), float(r["survival"])) for r in rows if r["arm"] == name]
        assert np.allclose([t for t, _ in own[1:-1]], when, atol=2e-3)
        assert np.allclose([s for _, s in own[1:-1]], level, atol=1e-3)


def test_rare_events_that_begin_late_rise_from_an_axis_that_ends_far_below_one():
    # the axis hides both curves in most of the columns that would show where they begin
    figure = Figure(figsize=(6.4, HEIGHT))
    axes = figure.add_axes((0.15, 0.3, 0.8, 0.6))
    truth = {}
    for name, colour, jumps in (
        ("Low risk", "#5c3a86", (0.9, 2.3, 5.7)),
        ("High risk", "#e08020", (0.8, 1.9, 3.4, 5.1)),
    ):
        level = 4.0 * np.arange(len(jumps) + 1)
        axes.step([jumps[0], *jumps, 7.4], [*level, level[-1]], where="post", color=colour, label=name, linewidth=1.5)
        truth[name] = np.array(jumps), 1 - level[1:] / 100
    axes.set_xlim(0, 8)
    axes.set_ylim(0, 41)
    axes.set_yticks(range(0, 41, 10))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("Years")
    axes.set_ylabel("Cumulative event rate (%)")
    axes.legend(frameon=False, loc="upper left")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=130)
    (found,) = figures_in(out.getvalue(), threads=1)
    reading = found.reading
    assert (reading.direction, reading.status) == ("incidence", "ok"), reading.reasons
    for name, (when, level) in truth.items():
        arm = reading.arm(name)
        assert np.abs(arm.at((when[:-1] + when[1:]) / 2) - level[:-1]).max() < 0.003


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_an_inset_with_axes_of_its_own_is_no_part_of_the_plot(kind):
    figure = Figure(figsize=(6.4, HEIGHT))
    axes = figure.add_axes((0.12, 0.15, 0.82, 0.8))
    axes.set(xlim=(0, 48), ylim=(0, 1), xticks=range(0, 49, 12), ylabel="Cumulative incidence", xlabel="Months")
    small = axes.inset_axes((0.3, 0.3, 0.6, 0.6))
    small.set(xlim=(0, 48), ylim=(0, 0.08), xticks=range(0, 49, 12), yticks=[0, 0.02, 0.04, 0.06, 0.08])
    truth = {}
    for seed, (name, rate, colour) in enumerate((("Drug A", 900, "#1f4e9c"), ("Control", 500, "#c0392b"))):
        when = np.sort(np.random.default_rng(seed).uniform(1, 48, 48 * 400 // rate))
        fallen = np.arange(1, len(when) + 1) / 400
        truth[name] = when, 1 - fallen
        for at in (axes, small):
            at.step([0, *when, 48], [0, *fallen, fallen[-1]], where="post", color=colour, label=name, linewidth=1.5)
    small.legend(frameon=False, loc="upper left", fontsize=8)
    out = io.BytesIO()
    figure.savefig(out, format=kind, **({"dpi": 130} if kind == "png" else {}))
    (found,) = figures_in(out.getvalue(), threads=1)
    reading = found.reading
    assert (reading.status, reading.y.values[-1]) == ("ok", 1.0)
    assert {a.name for a in reading.arms} == set(truth)
    for arm in reading.arms:
        assert largest_error(arm, truth[arm.name]) < 0.005
