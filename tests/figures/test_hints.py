import pytest

from metagrove.core.errors import MetagroveError
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
