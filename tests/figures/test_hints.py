import pytest

from known import reference
from metagrove.core.errors import MetagroveError
from metagrove.figures.digitizing import figures_in
from metagrove.figures.hints import read_hints


def test_percent_and_proportion():
    percent = read_hints({"axes": {"y": [[400, 0], [100, 100]]}})
    assert percent.y.value(250) == pytest.approx(50)
    assert percent.y.pairs == [[400.0, 0.0], [100.0, 100.0]]
    assert read_hints(None).y is None


def test_log_axis_needs_three_pairs():
    log = read_hints({"axes": {"x": [[0, 1], [100, 10], [200, 100]]}}).x
    assert log.log
    assert log.value(150) == pytest.approx(10**1.5)


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ({"axis": {}}, "axis"),
        ({"axes": {"z": []}}, "x"),
        ({"axes": {"x": [[1, 2]]}}, "at least two"),
        ({"axes": {"x": [[1, 2], [1, 3]]}}, "two different"),
        ({"axes": {"x": [[0, 0], [50, 10], [100, 11]]}}, "no straight"),
        ({"axes": {"y": [[0, 0], [50, 300]]}}, "proportions"),
        ({"arms": [{"colour": "#fff"}]}, "colour"),
        ({"arms": [{"color": "bluish"}]}, "#rrggbb"),
        ({"arms": [{"style": "wavy"}]}, "wavy"),
        ({"arms": 3}, "list"),
        ({"region": [5, 5, 1, 1]}, "region"),
        ({"page": 0}, "page"),
        ({"direction": "up"}, "direction"),
        ([1], "object"),
    ],
)
def test_impossible_hints_name_the_part(hints, message):
    with pytest.raises(MetagroveError, match=message):
        read_hints(hints)


@pytest.mark.parametrize("file", ["vector/kmv05p_nejm.pdf", "vector/kmv04p_lancet.pdf"])
def test_two_hinted_points_keep_every_number_at_risk(file):
    content = reference(f"figures/{file}").read_bytes()
    alone = figures_in(content)[0].reading
    told = figures_in(content, read_hints({"axes": alone.axes}))[0].reading
    assert told.status == "ok"
    assert len(alone.cells) > 10
    assert [(c.arm, c.time, c.n) for c in told.cells] == [(c.arm, c.time, c.n) for c in alone.cells]
    x = [[pixel, 2 * value] for pixel, value in alone.axes["x"]]
    other = figures_in(content, read_hints({"axes": {"x": x, "y": alone.axes["y"]}}))[0].reading
    assert [(c.time, c.n) for c in other.cells] == [(pytest.approx(2 * c.time), c.n) for c in alone.cells]


def test_two_hinted_points_of_a_picture_keep_every_number_at_risk():
    pytest.importorskip("rapidocr_onnxruntime")
    content = reference("figures/km008_nejm.png").read_bytes()
    alone = figures_in(content)[0].reading
    told = figures_in(content, read_hints({"axes": alone.axes}))[0].reading
    assert [(c.arm, c.time, c.n) for c in told.cells] == [(c.arm, c.time, c.n) for c in alone.cells]
