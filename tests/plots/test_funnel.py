import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metagrove as mg
from metagrove.core.errors import DataError
from metagrove.plots.funnel import FunnelTable, egger_line, funnel_drawing
from metagrove.plots.marks import Disc, Line

LAW = settings(derandomize=True, deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
NAMES = st.text("abcdefghijklmnoprstuvwyzÄéßŁ ,.-0123456789&()$_/", min_size=1, max_size=80)


@st.composite
def tables(draw_):
    k = draw_(st.integers(1, 40))
    effect = np.array(draw_(st.lists(st.floats(-5, 5), min_size=k, max_size=k)))
    se = np.array(draw_(st.lists(st.floats(1e-3, 3), min_size=k, max_size=k)))
    return FunnelTable(
        tuple(draw_(NAMES) for _ in range(k)),
        effect,
        se,
        draw_(st.sampled_from([float("nan"), 0.2, 4.0])),
        draw_(NAMES),
        draw_(st.booleans()),
        draw_(st.sampled_from([None, 0.0])),
        egger_line(effect, se) if draw_(st.booleans()) else None,
        draw_(st.booleans()),
        ("Caution: something a reader must know. " * 3,),
        draw_(NAMES),
    )


@LAW
@given(tables(), st.sampled_from([None, 60.0, 85.0, 180.0, 300.0]))
def test_nothing_overlaps_and_nothing_is_clipped(lawful, table, width):
    drawing = funnel_drawing(table)
    lawful(drawing, width)
    page = drawing.page(width)
    for mark in page.marks:
        for x, y in getattr(mark, "points", ()):
            assert -0.5 <= x <= page.width + 0.5 and -0.5 <= y <= page.height + 0.5


def test_eggers_line_is_eggers_regression():
    rng = np.random.default_rng(1)
    se = rng.uniform(0.05, 0.6, 20)
    effect = 0.3 + 0.8 * se + rng.normal(0, se)
    start, slope = egger_line(effect, se)
    coefficients = np.polyfit(1 / se, effect / se, 1)
    assert [start, slope] == pytest.approx(list(coefficients), abs=1e-9)


def test_no_line_without_spread_of_standard_errors():
    assert egger_line(np.array([1.0, 2.0, 3.0]), np.full(3, 0.2)) is None
    assert egger_line(np.array([1.0, 2.0]), np.array([0.1, 0.2])) is None


def test_few_studies_and_proportions_are_cautioned(lawful):
    result = mg.metaprop([2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42], sm="PFT", method="Inverse")
    drawing = result.funnel()
    lawful(drawing)
    words = drawing.svg().decode()
    assert "Caution: 6 studies" in words and "depends on the proportion" in words
    many = mg.metagen(np.linspace(-1, 1, 12), np.linspace(0.1, 0.6, 12), sm="MD").funnel()
    assert "Caution" not in many.svg().decode()


def test_points_stand_where_their_numbers_say():
    result = mg.metagen([0.0, 0.4, 0.8], [0.1, 0.2, 0.4], sm="MD", common=True)
    drawing = result.funnel(contours=False, egger=False, labels=False)
    dots = [m for m in drawing.page().marks if isinstance(m, Disc)]
    assert dots[1].x - dots[0].x == pytest.approx(dots[2].x - dots[1].x)
    assert dots[2].y - dots[0].y == pytest.approx(3 * (dots[1].y - dots[0].y))
    assert [row["seTE"] for row in drawing.data()] == [0.1, 0.2, 0.4]
    scale = (dots[1].x - dots[0].x) / 0.4
    tall = [m for m in drawing.page().marks if isinstance(m, Line) and m.width == 0.9 and len(m.points) == 2]
    assert (tall[-1].points[0][0] - dots[0].x) / scale == pytest.approx(result.TE_common)


def test_a_study_without_standard_error_is_refused():
    with pytest.raises(DataError, match="Lee: effect 1 with standard error 0"):
        FunnelTable(("Lee",), np.array([1.0]), np.array([0.0]), 1.0, "MD")
