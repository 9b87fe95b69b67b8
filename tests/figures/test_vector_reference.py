import numpy as np
import pytest

from known import reference, reference_json
from metagrove.figures.digitizing import figures_in

FILES = sorted(p for p in reference("figures/vector").iterdir() if p.suffix in (".pdf", ".svg"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_vector_figure_is_read_exactly_and_called_ok(path):
    truth = reference_json(f"figures/vector/{path.stem}.json")
    figures = figures_in(path.read_bytes())
    assert len(figures) == 1
    reading = figures[0].reading
    assert (reading.status, reading.reasons, reading.source) == ("ok", (), "vector")
    assert {a.name for a in reading.arms} == {a["name"] for a in truth["arms"]}
    for expected in truth["arms"]:
        arm = reading.arm(expected["name"])
        steps = np.array(expected["steps"])
        assert len(arm.time) == len(steps) + 1, "every step, and the end of the line"
        # the files carry coordinates to six digits of a point; a plot is some 300 points wide
        span = truth["axes"]["x"]["ticks"][-1]
        np.testing.assert_allclose(arm.time[:-1], steps[:, 0], atol=1e-5 * span)
        np.testing.assert_allclose(arm.survival[:-1], steps[:, 1], atol=1e-5)
        assert arm.end == pytest.approx(expected["last_time"], abs=1e-5 * span)
        if expected["censor_marks_drawn"]:
            seen = np.unique(expected["censor_times"])
            near = np.abs(arm.marks[:, None] - seen[None, :]).min(axis=0) < 1e-3 * span
            assert near.mean() > 0.98
            assert len(arm.marks) <= len(seen)
    table = truth["at_risk"]
    if table:
        printed = {(r["arm"], t): n for r in table["rows"] for t, n in zip(table["times"], r["n"], strict=True)}
        assert {(c.arm, c.time): c.n for c in reading.cells} == printed
        assert all(c.sure for c in reading.cells)
