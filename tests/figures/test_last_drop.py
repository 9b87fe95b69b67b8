"""A last drop of a few pixels onto the axis is read; a censor mark, a line that only ends, and a grid are not taken for one."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints

LAST = 0.0277


def drawn(*, falls, mark=False, grid=False):
    """A curve that ends at 18.4, and its hints."""
    figure = Figure(figsize=(6.4, 5.0))
    axes = figure.add_axes((0.2, 0.36, 0.74, 0.54))
    when = np.array([0, 2, 5, 7, 9, 11, 13, 16.5, 18.4])
    level = np.array([1, 0.8, 0.6, 0.4, 0.2, 0.1, 0.06, LAST, 0 if falls else LAST])
    axes.step(when, level, where="post", color="#1f4e9c", linewidth=1.5)
    if mark:
        axes.plot([18.4], [LAST], "|", color="#1f4e9c", markersize=8)
    if grid:
        axes.vlines([18.4], 0, 1, color="#777777", linewidth=1)
    axes.set(xlim=(0, 24), ylim=(0, 1.03), xticks=range(0, 25, 6), yticks=np.arange(0, 1.01, 0.2))
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=140)
    scale = 140

    def pixel(x, y):
        place = axes.transData.transform((x, y)) / figure.dpi * scale
        return float(place[0]), 5.0 * scale - float(place[1])

    hints = {
        "axes": {"x": [[pixel(x, 0)[0], x] for x in (0, 24)], "y": [[pixel(0, y)[1], y] for y in (0, 1)]},
        "arms": [{"name": "A", "color": "#1f4e9c"}],
    }
    return out.getvalue(), read_hints(hints)


def test_the_drop_is_read_at_its_time():
    arm = figures_in(*drawn(falls=True), threads=1)[0].reading.arms[0]
    assert arm.survival[-1] == 0
    assert arm.time[arm.survival == 0][0] == pytest.approx(18.4, abs=0.08)
    assert arm.survival[arm.survival > 0][-1] == pytest.approx(LAST, abs=0.003)
    assert len(arm.time) == len(arm.time_error) == len(arm.survival_error)


@pytest.mark.parametrize("other", [{}, {"mark": True}, {"grid": True}])
def test_what_is_no_drop_leaves_the_level(other):
    arm = figures_in(*drawn(falls=False, **other), threads=1)[0].reading.arms[0]
    assert arm.survival[-1] == pytest.approx(LAST, abs=0.003)


def test_the_reading_that_is_judged_is_the_one_that_is_given(monkeypatch):
    from metagrove.figures import raster

    seen = []
    judged = raster.judged
    monkeypatch.setattr(
        raster, "judged", lambda reading, *args, **more: seen.append(reading) or judged(reading, *args, **more)
    )
    given = figures_in(*drawn(falls=True), threads=1)[0].reading.arms[0]
    assert seen[-1].arms[0].survival.tolist() == given.survival.tolist()
    assert given.survival[-1] == 0
