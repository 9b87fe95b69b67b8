import numpy as np
import pytest

from known import reference, reference_json
from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints
from metagrove.figures.writing.ocr import can_read

# figure, allowed mean and largest |S' - S|: one pixel is 0.002 to 0.005 of survival in these pictures
HINTED = {
    "km002_lifelines.png": (0.0015, 0.01),
    "km005_prism.png": (0.0015, 0.01),
    "km008_nejm.png": (0.0015, 0.01),
    "km013_prism.jpg": (0.002, 0.01),
    "km016_nejm.jpg": (0.002, 0.01),
    "km023_lancet.jpg": (0.003, 0.02),
}


def difference(arm, truth, span):
    """|S' - S| on a fine grid, times within 0.6 % of the axis from a step left out of the largest."""
    steps = np.array(truth["steps"])
    grid = np.linspace(0, truth["last_time"], 2001)
    level = steps[np.searchsorted(steps[:, 0], grid, side="right") - 1, 1]
    gap = np.abs(arm.at(grid) - level)
    away = np.abs(grid[:, None] - steps[None, 1:, 0]).min(axis=1) > 0.006 * span
    return gap.mean(), gap[away].max()


def hints_of(truth):
    turn = np.array(truth["axes"]["pixel_affine"])
    units = truth["axes"]["y"]["units_per_proportion"]
    x = [[float((turn @ [t, 0, 1])[0]), t] for t in truth["axes"]["x"]["ticks"]]
    y = [[float((turn @ [0, t, 1])[1]), t / units] for t in truth["axes"]["y"]["ticks"]]
    arms = [{"name": a["name"], "color": a["color"]} for a in truth["arms"]]
    return {"axes": {"x": x, "y": y}, "arms": arms}


@pytest.mark.parametrize("name", HINTED)
def test_raster_figure_with_axes_and_colours_given(name):
    path = reference(f"figures/{name}")
    truth = reference_json(f"figures/{path.stem}.json")
    reading = figures_in(path.read_bytes(), read_hints(hints_of(truth)), threads=1)[0].reading
    assert [a.name for a in reading.arms] == [a["name"] for a in truth["arms"]]
    for expected in truth["arms"]:
        mean, worst = difference(reading.arm(expected["name"]), expected, truth["axes"]["x"]["ticks"][-1])
        assert mean < HINTED[name][0]
        assert worst < HINTED[name][1]


@pytest.mark.skipif(not can_read(), reason="needs the extra 'ocr'")
@pytest.mark.parametrize("name", ["km006_jco.png", "km013_prism.jpg"])
def test_raster_figure_without_hints(name):
    path = reference(f"figures/{name}")
    truth = reference_json(f"figures/{path.stem}.json")
    reading = figures_in(path.read_bytes(), threads=1)[0].reading
    assert (reading.status, reading.reasons) == ("ok", ())
    assert {a.name for a in reading.arms} == {a["name"] for a in truth["arms"]}
    for expected in truth["arms"]:
        mean, worst = difference(reading.arm(expected["name"]), expected, truth["axes"]["x"]["ticks"][-1])
        assert mean < 0.002
        assert worst < 0.02
    table = truth["at_risk"]
    if table:
        printed = {(r["arm"], t): n for r in table["rows"] for t, n in zip(table["times"], r["n"], strict=True)}
        assert {(c.arm, c.time): c.n for c in reading.cells} == printed


def test_same_bytes_and_hints_give_the_same_numbers():
    path = reference("figures/km005_prism.png")
    hints = read_hints(hints_of(reference_json("figures/km005_prism.json")))
    first, second = (figures_in(path.read_bytes(), hints, threads=1)[0].reading for _ in range(2))
    assert first.rows() == second.rows()
    assert first.document() == second.document()
