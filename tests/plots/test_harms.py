import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from known import reference
from metagrove.core.errors import DataError
from metagrove.core.values import Counts
from metagrove.plots.canvas import draw
from metagrove.plots.harms import HarmRow, HarmsTable, harms_drawing, harms_table, shade
from metagrove.plots.marks import Shape, Text
from metagrove.plots.style import Style

LAW = settings(derandomize=True, deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
NAMES = st.text("abcdefghijklmnoprstuvwyzÄéßŁ ,.-0123456789&()$_/", min_size=1, max_size=80)


@pytest.fixture(scope="module")
def facts():
    with reference("atc/adverse_events.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return [
        {
            "study": r["study"],
            "term": r["harmonised_term"],
            "group": r["event_group"],
            "events": r["events"],
            "n": r["total"],
        }
        for r in rows
    ]


def test_blank_means_not_reported_and_never_zero(lawful, facts):
    drawing = harms_drawing(harms_table(facts))
    lawful(drawing)
    lawful(drawing, 85)
    marks = drawing.page().marks
    table = harms_table(facts)
    hatched = [m for m in marks if isinstance(m, Shape) and m.hatch]
    unknown = sum(cell is None for row in table.rows for cell in row.cells)
    assert unknown == len(table.rows) * 6 - len(facts)
    assert len(hatched) == unknown + 1  # and one in the key
    assert not any(isinstance(m, Text) and m.text.startswith("0/") for m in marks)
    assert sum(not row["reported"] for row in drawing.data()) == unknown


def test_crude_sums_take_only_studies_that_report(facts):
    row = next(r for r in harms_table(facts).rows if r.term == "hypertension")
    assert row.crude == (20, 116) and row.reporting == 4


def test_shade_deepens_with_the_rate():
    depths = [int(shade(rate, Style())[0][1:3], 16) for rate in (0, 0.1, 0.3, 0.5, 1.0)]
    assert depths == sorted(depths, reverse=True) and depths[0] > 240 and depths[3] == depths[4]


@st.composite
def tables(draw_):
    k = draw_(st.integers(1, 12))
    rows = []
    for _ in range(draw_(st.integers(1, 15))):
        cell = st.sampled_from([None, None, Counts(0, 8), Counts(3, 11), Counts(120, 4000)])
        cells = [draw_(cell) for _ in range(k)]
        cells[draw_(st.integers(0, k - 1))] = Counts(1, 10)
        pooled = draw_(st.sampled_from([None, (0.1, 0.02, 0.3), (float("nan"),) * 3]))
        rows.append(
            HarmRow(draw_(NAMES), tuple(cells), draw_(st.sampled_from(["", "blood", "skin"])), pooled, "one study")
        )
    return HarmsTable(tuple(draw_(NAMES) for _ in range(k)), tuple(rows), draw_(NAMES), footer=("note " * 30,))


@LAW
@given(tables(), st.sampled_from([None, 60.0, 85.0, 180.0, 300.0]))
def test_nothing_overlaps_and_nothing_is_clipped(lawful, table, width):
    lawful(draw(table), width)


def test_refusals_name_study_and_term():
    with pytest.raises(DataError, match="Lee: 'rash' is reported twice"):
        harms_table([{"study": "Lee", "term": "rash", "events": 1, "n": 5}] * 2)
    with pytest.raises(DataError, match="rash: 1 cells for 2 studies"):
        HarmsTable(("A", "B"), (HarmRow("rash", (Counts(1, 2),)),))
    with pytest.raises(DataError, match="rash: no study reports it"):
        HarmsTable(("A",), (HarmRow("rash", (None,)),))
