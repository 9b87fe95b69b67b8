"""Each rule finds the contradiction it is for, in the worked example or in a copy with one cell changed."""

import shutil
from pathlib import Path

import pytest

from metagrove.review.checks import findings_of
from metagrove.review.findings import CHECKS
from metagrove.review.folder import open_review

EXAMPLE = Path(__file__).parents[2] / "examples" / "atc-tki"
TABLES = (
    "review.toml",
    "studies.csv",
    "responses.csv",
    "survival.csv",
    "adverse_events.csv",
    "flow.csv",
    "published.csv",
)


@pytest.fixture
def folder(tmp_path):
    for name in (*TABLES, "curves.csv", "at_risk.csv"):
        shutil.copy(EXAMPLE / name, tmp_path / name)
    return tmp_path


def edit(folder, name, old, new):
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def found(folder, rule):
    return [finding for finding in findings_of(open_review(folder)) if finding.rule == rule]


def test_the_worked_example_s_known_contradictions(folder):
    messages = " ".join(finding.message for finding in findings_of(open_review(folder)))
    for said in (
        "enrolled 140, evaluable 136, safety 147",
        "enrolled 11, evaluable 8",
        "enrolled 42, evaluable 42, safety 50",
        "DCR 0/15 beside a median PFS 62 d",
        "12 values are labelled 'OR'",
        "days: Bible",
        "'pazopanib' is not among the search terms",
        "exactly half",
        "3 of 4 reported medians lie below",
    ):
        assert said in messages


@pytest.mark.parametrize(
    ("rule", "name", "old", "new", "said"),
    [
        ("events-above-n", "responses.csv", "ORR,Ha,2,8", "ORR,Ha,9,8", "9 events among 8"),
        ("negative-count", "responses.csv", "ORR,Ha,2,8", "ORR,Ha,-2,8", "negative"),
        ("fractional-count", "responses.csv", "ORR,Ha,2,8", "ORR,Ha,2.5,8", "fraction"),
        ("duplicate-row", "studies.csv", "Bible,2012", "Ha,2012", "stands in row 2 already"),
        ("unknown-study", "responses.csv", "ORR,Wirth,", "ORR,Whirth,", "nearest: 'Wirth'"),
        ("flow-does-not-close", "flow.csv", "case report,10", "case report,11", "186 reports_excluded = 5"),
        ("response-exceeds-control", "responses.csv", "DCR,Savvides,7,20", "DCR,Savvides,1,20", "2 responders, 1 with disease control"),
        ("printed-share", "responses.csv", "ORR,Savvides,2,20,evaluable,0.1", "ORR,Savvides,2,20,evaluable,0.2", "0.2 printed"),
        ("interval-excludes-estimate", "survival.csv", "Savvides,PFS,median,,1.9,mo,1.3", "Savvides,PFS,median,,1.9,mo,2.3", "1.9 (2.3 to 3.6)"),
        ("survival-order", "survival.csv", "Wirth,OS,median,,3.2,mo", "Wirth,OS,median,,3.2,wk", "PFS 2.6, OS 0.7"),
        ("interval-level", "survival.csv", "2.2,7.1,95", "2.2,7.1,99", "99 % interval"),
        ("mixed-units", "survival.csv", "Wirth,OS,median,,3.2,mo", "Wirth,OS,median,,10.6,wk", "the same number in two units"),
        ("missing-as-zero", "survival.csv", "Wirth,OS,median,,3.2", "Wirth,OS,median,,0", "missing value, not a time"),
        ("missing-as-zero", "adverse_events.csv", "2,34,Cao 2024,Table 3", "0,34,,", "unknown, not zero"),
        ("overlapping-cohorts", "studies.csv", "MA05", "MA04", "pool one of them"),
        ("median-against-rate", "survival.csv", "Savvides,OS,rate,12,20%", "Savvides,OS,rate,12,80%", "contradict each other"),
        ("survival-out-of-range", "curves.csv", "OS,Ha,0.0578,1,", "OS,Ha,0.0578,1.2,", "survival is 1.2"),
        ("survival-rises", "curves.csv", "OS,Ha,0.8089,0.91", "OS,Ha,0.8089,0.51", "never rises"),
        ("at-risk-rises", "at_risk.csv", "OS,Ha,6,5", "OS,Ha,6,9", "nobody returns"),
        ("at-risk-against-curve", "at_risk.csv", "OS,Ha,3,7", "OS,Ha,3,11", "more people than are alive"),
        ("unit-missing", "survival.csv", "Bible,OS,median,,111,d", "Bible,OS,median,,111,", "no unit, others have"),
        ("median-against-curve", "survival.csv", "Bible,OS,median,,111,d", "Bible,OS,median,,111,wk", "on the curve"),
        ("unit-unknown", "survival.csv", "Bible,OS,median,,111,d", "Bible,OS,median,,111,fortnights", "No unit of time"),
        ("published-unknown", "published.csv", "orr,,estimate", "orrr,,estimate", "stands beside nothing"),
        ("published-unknown", "published.csv", "orr,,estimate", "orr,,estimte", "the quantity 'estimte'"),
        ("flow-unreadable", "flow.csv", "screened,,780", "screend,,780", "nearest: 'screened'"),
        ("at-risk-against-n", "at_risk.csv", "OS,Ha,0,11", "OS,Ha,0,12", "12 at risk at 0, 11 patients"),
    ],
)  # fmt: skip
def test_one_changed_cell_is_found(folder, rule, name, old, new, said):
    before = len(found(folder, rule))
    edit(folder, name, old, new)
    after = found(folder, rule)
    assert len(after) > before
    assert any(said in finding.message for finding in after)
    assert all(finding.where and finding.expected for finding in after)


def test_a_zero_where_a_share_is_printed(folder):
    edit(folder, "responses.csv", "ORR,Bible,0,15,evaluable,0,", "ORR,Bible,0,15,evaluable,0.13,")
    assert any("a share of 0.13 is printed" in f.message for f in found(folder, "zero-contradicted"))


def test_every_rule_names_itself():
    assert all(function.__doc__ for function in CHECKS.values())
    assert len(CHECKS) >= 14
