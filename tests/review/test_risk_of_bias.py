"""Tools against the fact sheets; overall rules; GRADE."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from known import reference_json
from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.plots.bias import bias_table, traffic_light
from metagrove.review.certainty import DOWN, LEVELS, STARTS, SYMBOLS, UP, Step, certainty, findings_table
from metagrove.review.risk_of_bias import TOOLS, Judgement, assess, bias_rows, suggested_tools

FACTS = reference_json("records/facts/rob_tools.json")["tools"]
GRADE = reference_json("records/facts/grade.json")


def judged(tool, levels):
    return [Judgement(d, level, "as printed", "p. 2") for d, level in zip(TOOLS[tool].domains, levels, strict=True)]


@pytest.mark.parametrize("name", ["RoB2", "ROBINS-I"])
def test_domains_and_levels_are_those_of_the_fact_sheet(name):
    assert list(TOOLS[name].domains) == FACTS[name]["domains"]
    assert list(TOOLS[name].levels) == FACTS[name]["levels"]


def test_items_are_those_of_the_fact_sheet():
    assert list(TOOLS["MINORS"].domains) == FACTS["MINORS"]["items"]
    assert list(TOOLS["MINORS-comparative"].domains) == FACTS["MINORS"]["items"] + FACTS["MINORS"]["comparative_items"]
    for name in ("JBI-case-series", "JBI-prevalence"):
        assert list(TOOLS[name].domains) == FACTS[name]["items"]
        assert list(TOOLS[name].levels) == FACTS[name]["answers"]
    for name in ("NOS-cohort", "NOS-case-control"):
        assert len(TOOLS[name].domains) == sum(len(group) for group in FACTS[name]["groups"].values())


@pytest.mark.parametrize(
    ("tool", "levels", "overall"),
    [
        ("RoB2", ["Low"] * 5, "Low"),
        ("RoB2", ["Low", "Some concerns", "Low", "Low", "Low"], "Some concerns"),
        ("RoB2", ["High", "Some concerns", "Low", "Low", "Low"], "High"),
        ("ROBINS-I", ["Moderate", "Low", "Low", "Serious", "Low", "No information", "Low"], "Serious"),
        ("ROBINS-I", ["Moderate", "Low", "Low", "Low", "Low", "No information", "Low"], "No information"),
        ("MINORS", ["2", "2", "2", "1", "0", "2", "2", "1"], "12/16"),
        ("NOS-cohort", ["1", "1", "1", "0", "2", "1", "1", "1"], "8/9"),
    ],
)
def test_overall_rule(tool, levels, overall):
    assert assess("Ha 2010", tool, judged(tool, levels)).overall == overall


@given(levels=st.lists(st.sampled_from(TOOLS["ROBINS-I"].levels), min_size=7, max_size=7), at=st.integers(0, 6))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_a_worse_domain_never_betters_the_whole(levels, at):
    order = ("Low", "Moderate", "No information", "Serious", "Critical")
    worse = [*levels[:at], "Critical", *levels[at + 1 :]]
    before, after = (assess("s", "ROBINS-I", judged("ROBINS-I", ls)).overall for ls in (levels, worse))
    assert order.index(after) >= order.index(before)


def test_overriding_needs_a_reason_and_missing_domains_are_named():
    low = judged("RoB2", ["Low"] * 5)
    with pytest.raises(DataError, match="the rule of RoB2 gives Low; to say High needs a reason"):
        assess("X", "RoB2", low, overall="High")
    assert assess("X", "RoB2", low, overall="high", reason="several concerns").overall == "High"
    with pytest.raises(DataError, match="lacks a judgement of 'Bias in selection of the reported result'"):
        assess("X", "RoB2", low[:-1])
    with pytest.raises(DataError, match="'Medium' is no level; known: Low, Some concerns, High"):
        assess("X", "RoB2", judged("RoB2", ["Medium"] + ["Low"] * 4))
    with pytest.raises(DataError, match="add up to 16/16, not 12"):
        assess("X", "MINORS", judged("MINORS", ["2"] * 8), overall="12")
    with pytest.raises(DataError, match=r"known: 0, 1$"):
        assess("X", "NOS-cohort", judged("NOS-cohort", ["2"] + ["1"] * 7))
    with pytest.raises(UnknownName):
        assess("X", "RoB3", low)


def test_a_single_arm_is_offered_tools_without_a_comparator():
    assert suggested_tools("single-arm trial") == ("MINORS", "JBI-case-series")
    remarks = assess("X", "ROBINS-I", judged("ROBINS-I", ["Low"] * 7), single_arm=True).remarks
    assert "presumes a comparator" in remarks[0]
    bare = [Judgement(d, "Low") for d in TOOLS["RoB2"].domains]
    assert "5 judgements without a quotation" in assess("X", "RoB2", bare).remarks[0]


def test_rows_draw_as_traffic_lights():
    rows = bias_rows(
        [assess(f"S{i}", "RoB2", judged("RoB2", ["Low"] * 4 + [level])) for i, level in enumerate(("Low", "High"))]
    )
    drawing = traffic_light(bias_table(rows)).svg()
    assert drawing.count(b"#BF0000") >= 2


def test_grade_facts():
    assert list(LEVELS[::-1]) == GRADE["levels"]
    assert dict(SYMBOLS) == GRADE["symbols"]
    assert dict(STARTS) == GRADE["start"]
    assert list(DOWN) == GRADE["downgrade_domains"]
    assert list(UP) == GRADE["upgrade_domains"]


def test_certainty_moves_by_its_steps_and_says_why():
    held = certainty("randomised trials", [Step("Risk of bias", -1, "open label"), Step("Imprecision", -1, "wide")])
    assert (held.level, held.symbol, len(held.footnotes())) == ("Low", "⨁⨁◯◯", 2)
    assert certainty("other observational", [Step("Large effect", 2, "RR 6")]).level == "High"
    assert certainty("other observational", [Step("Imprecision", -3, "x")]).level == "Very low"
    with pytest.raises(DataError, match="a footnote must say why"):
        certainty("randomised trials", [Step("Imprecision", -1)])
    with pytest.raises(MethodError, match="is not raised"):
        certainty("other observational", [Step("Imprecision", -1, "x"), Step("Large effect", 1, "y")])
    with pytest.raises(UnknownName):
        certainty("randomised trials", [Step("Bias", -1, "x")])


def test_a_single_arm_row_leaves_the_relative_effect_open():
    held = certainty("other observational", [Step("Indirectness", -1, "no comparator")])
    (row,) = findings_table([{"outcome": "Response", "participants": "140 (6)", "with": "13% (5 to 24)"}], [held])
    assert (row["Relative effect (95% CI)"], row["Certainty"]) == ("not estimable", "⨁◯◯◯ Very low")
    assert row["Footnotes"].startswith("a. Lowered by 1 for indirectness (serious): no comparator")
