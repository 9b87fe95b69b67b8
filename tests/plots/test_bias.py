import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from known import reference_json
from metagrove.core.errors import DataError, UnknownName
from metagrove.plots.bias import BiasTable, bias_summary, bias_table, traffic_light
from metagrove.plots.bias_colours import JUDGEMENTS, judgement_of
from metagrove.plots.marks import Disc, Shape

LAW = settings(derandomize=True, deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
NAMES = st.text("abcdefghijklmnoprstuvwyzÄéßŁ ,.-0123456789&()$_/", min_size=1, max_size=80)


@st.composite
def tables(draw_):
    k, d = draw_(st.integers(1, 20)), draw_(st.integers(1, 12))
    judged = st.sampled_from(["Low", "High", "Some concerns", "No information", "Critical", "", "2", "0"])
    return BiasTable(
        tuple(draw_(NAMES) for _ in range(k)),
        tuple(draw_(NAMES) for _ in range(d)),
        tuple(tuple(draw_(judged) for _ in range(d)) for _ in range(k)),
        tuple(draw_(judged) for _ in range(k)) if draw_(st.booleans()) else (),
        tuple(draw_(st.floats(0.1, 100)) for _ in range(k)) if draw_(st.booleans()) else (),
        draw_(NAMES),
    )


@LAW
@given(tables(), st.sampled_from([None, 60.0, 85.0, 180.0, 300.0]))
def test_nothing_overlaps_and_nothing_is_clipped(lawful, table, width):
    lawful(traffic_light(table), width)
    lawful(bias_summary(table, title="By domain"), width)


def test_colours_and_symbols_are_the_conventions():
    facts = reference_json("records/facts/rob_tools.json")["plot_conventions"]
    for name, colour in facts["colours_cochrane"].items():
        assert JUDGEMENTS[judgement_of(name)][0] == colour
    for name, symbol in facts["symbols"].items():
        shown = JUDGEMENTS[judgement_of(name)][1].replace("−", "-").replace("×", "x")
        assert shown == symbol.replace("(blank)", "")


def test_every_level_of_every_tool_has_a_colour():
    tools = reference_json("records/facts/rob_tools.json")["tools"]
    for tool in tools.values():
        for level in tool.get("levels", []):
            assert judgement_of(level) in JUDGEMENTS
    assert [judgement_of(score) for score in ("2", "1", "0")] == list(JUDGEMENTS)[-3:]


ROWS = [
    {"Study": "A", "D1": "Low", "D2": "High", "Overall": "High", "Weight": 30},
    {"Study": "B", "D1": "Low", "D2": "Low", "Overall": "Low", "Weight": 10},
]


def test_one_dot_for_each_judgement():
    drawing = traffic_light(bias_table(ROWS, domains=("Selection", "Outcome"), tool="RoB 2"))
    dots = [m.fill for m in drawing.page().marks if isinstance(m, Disc)]
    assert dots[:6] == ["#02C100", "#BF0000", "#BF0000", "#02C100", "#02C100", "#02C100"]
    assert drawing.data()[0] == {"Study": "A", "Selection": "Low", "Outcome": "High", "Overall": "High"}


def test_bars_follow_the_weights():
    drawing = bias_summary(bias_table(ROWS, domains=("Selection", "Outcome")))
    outcome = drawing.data()[1]
    assert outcome == {"domain": "Outcome", "Low": pytest.approx(25), "High": pytest.approx(75)}
    bars = [m for m in drawing.page().marks if isinstance(m, Shape)]
    widths = [m.points[1][0] - m.points[0][0] for m in bars]
    assert widths[1] * 3 == pytest.approx(widths[2]) and widths[1] + widths[2] == pytest.approx(widths[0])


def test_refusals_name_the_study():
    with pytest.raises(UnknownName, match="No judgement 'Lwo'; nearest: Low"):
        bias_table([{"Study": "A", "D1": "Lwo"}])
    with pytest.raises(DataError, match="A: 1 judgements for 2 domains"):
        BiasTable(("A",), ("D1", "D2"), (("Low",),))
    with pytest.raises(DataError, match="no column 'Study'"):
        bias_table([{"D1": "Low"}])
