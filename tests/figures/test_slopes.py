"""Steps of deaths are told from lines that slope."""

import io

import numpy as np
import pytest

from metagrove.figures.digitizing import figures_in
from metagrove.figures.doubts.slopes import patients_by_evenness, sloping_share

WIDE, TALL = 480, 320


def deaths(n, seed, scale=0.5):
    """A curve of n uncensored patients in whole columns: where it falls, and its height in pixels."""
    times = np.sort(np.random.default_rng(seed).exponential(scale, n))
    column = np.floor(times[times < 1] * WIDE)
    columns, last = np.unique(column, return_index=True)
    left = 1 - (np.append(last[1:], len(column))) / n
    return np.append(0.0, columns), np.append(1.0, left) * TALL


@pytest.mark.parametrize("n", [60, 200, 700])
def test_deaths_in_windows_tell_their_number(n):
    found = [patients_by_evenness(*deaths(n, seed), TALL) for seed in range(12)]
    assert 0.4 * n < np.median(found) < 2.5 * n
    assert max(found) < 5 * n


def test_lines_without_chance_are_of_no_number_of_patients():
    column = np.arange(WIDE, dtype=float)
    for height in (TALL * np.exp(-column / 200), np.interp(column, [0, 120, 300, 479], [320, 200, 150, 60])):
        assert sloping_share(column, height) == pytest.approx(1)
        assert patients_by_evenness(column, height, TALL) > 3000


def test_few_steps_are_no_slope():
    assert sloping_share(*deaths(40, 1)) == 0
    assert patients_by_evenness(np.array([0.0, 9.0]), np.array([320.0, 300.0]), TALL) == 0


def picture(lines, stepped):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, (x, y) in lines.items():
        axes.plot(x, y, label=name, drawstyle="steps-post" if stepped else "default")
    axes.set(xlim=(0, 24), ylim=(0, 1.05), xlabel="Months", ylabel="Survival")
    axes.legend()
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def test_points_that_were_joined_go_to_a_person_and_their_steps_do_not():
    pytest.importorskip("rapidocr_onnxruntime")
    rng = np.random.default_rng(5)
    lines = {}
    for name, scale in (("Drug", 16.0), ("Placebo", 8.0)):
        times = np.sort(rng.exponential(scale, 30))
        left = 1 - np.arange(1, 31) / 30
        seen = times < 23
        lines[name] = (np.r_[0, times[seen], 23.5], np.r_[1, left[seen], left[seen][-1]])
    joined = figures_in(picture(lines, stepped=False), threads=1)[0].reading
    stepped = figures_in(picture(lines, stepped=True), threads=1)[0].reading
    assert joined.status == "needs-review"
    assert any("slopes evenly" in reason for reason in joined.reasons)
    assert (stepped.status, stepped.reasons) == ("ok", ())
