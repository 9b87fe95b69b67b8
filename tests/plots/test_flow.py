import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from known import reference, reference_json
from metagrove.core.errors import DataError, UnknownName
from metagrove.plots.flow import flow, flow_drawing
from metagrove.plots.flow_counts import BOXES, flow_counts

LAW = settings(derandomize=True, deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
NAMES = st.text("abcdefghijklmnoprstuvwyzÄéßŁ ,.-0123456789&()$_", min_size=1, max_size=80)


@pytest.fixture(scope="module")
def atc():
    with reference("atc/prisma.csv").open(encoding="utf-8") as handle:
        n = {row["item"]: int(row["n"]) for row in csv.DictReader(handle) if row["kind"] == "flow"}
    reasons = {item.split(": ")[1]: v for item, v in n.items() if item.startswith("full-text")}
    return {
        "identified": {"Databases": n["records identified"]},
        "removed_before": {"Duplicate records": n["duplicates removed"]},
        "screened": 780,
        "excluded": n["irrelevant on title/abstract"],
        "sought": 191,
        "not_retrieved": 0,
        "assessed": 191,
        "reports_excluded": reasons,
        "included": {"studies": n["studies included"], "reports": n["studies included"]},
    }


def test_boxes_are_those_of_the_template():
    template = {box["id"] for box in reference_json("records/facts/prisma2020_flow.json")["boxes"]}
    assert set(BOXES) == template


def test_the_example_closes_and_shows_every_reason(lawful, atc):
    drawing = flow(atc)
    lawful(drawing)
    lawful(drawing, 85)
    words = drawing.svg().decode()
    assert "(n = 1171)" in words and "PRISMA 2020" in words and "CC BY 4.0" in words
    for reason, n in atc["reports_excluded"].items():
        assert f"{reason} (n = {n})" in words
    assert {(r["box"], r["n"]) for r in drawing.data()} >= {("screened", 780), ("excluded", 589)}


@pytest.mark.parametrize(
    ("box", "value", "message"),
    [
        ("screened", 781, "identified 1171 - removed_before 391 = 780, but screened is 781"),
        ("excluded", 588, "screened 780 - excluded 588 = 192, but sought is 191"),
        ("assessed", 190, "sought 191 - not_retrieved 0 = 191, but assessed is 190"),
        (
            "included",
            {"studies": 6, "reports": 7},
            r"assessed 191 - reports_excluded 185 = 6, but reports in included are 7",
        ),
        ("included", {"studies": 7, "reports": 6}, "included: 7 studies in 6 reports"),
        ("excluded", -1, "excluded is -1"),
        ("excluded", 2.5, "excluded is 2.5"),
        ("identified", None, "lacks 'identified'"),
    ],
)
def test_numbers_that_do_not_close_are_refused(atc, box, value, message):
    with pytest.raises(DataError, match=message):
        flow_counts({**atc, box: value})


def test_an_unknown_box_is_refused(atc):
    with pytest.raises(UnknownName, match="nearest: screened"):
        flow_counts({**atc, "screend": 3})


def test_boxes_not_given_follow_from_their_neighbours(atc):
    short = {k: v for k, v in atc.items() if k not in ("sought", "assessed", "not_retrieved", "removed_before")}
    counts = flow_counts(short)
    assert [counts.total(b) for b in ("removed_before", "sought", "assessed", "not_retrieved")] == [391, 191, 191, 0]


@st.composite
def flows(draw_):
    count = st.integers(0, 4000)
    parts = lambda: draw_(st.dictionaries(NAMES, count, min_size=1, max_size=9))  # noqa: E731
    reasons, removed, included = parts(), parts(), draw_(st.integers(1, 40))
    boxes = {"reports_excluded": reasons, "removed_before": removed}
    assessed = included + sum(reasons.values())
    if draw_(st.booleans()):
        other = {"x": draw_(count), "Citation searching": draw_(count)}
        out = {"Reason": draw_(st.integers(0, sum(other.values())))}
        boxes |= {"other_identified": other, "other_sought": sum(other.values()), "other_assessed": sum(other.values())}
        boxes |= {"other_excluded": out, "other_not_retrieved": 0}
        included += sum(other.values()) - sum(out.values())
    missed, excluded = draw_(count), draw_(count)
    sought = assessed + missed
    boxes |= {"assessed": assessed, "sought": sought, "not_retrieved": missed, "screened": sought + excluded}
    boxes |= {"excluded": excluded, "identified": {draw_(NAMES): sought + excluded + sum(removed.values())}}
    boxes["included"] = {"studies": max(included // 2, 0), "reports": included}
    if draw_(st.booleans()):
        boxes |= {"previous_studies": {"studies": 3}, "total": {"studies": 3 + max(included // 2, 0)}}
    return boxes


@LAW
@given(flows(), st.sampled_from([None, 60.0, 85.0, 180.0, 300.0]))
def test_nothing_overlaps_and_nothing_is_clipped(lawful, boxes, width):
    lawful(flow(boxes), width)


def test_bytes_are_the_same_on_repeat(atc):
    assert flow(atc).svg() == flow_drawing(flow_counts(atc)).svg()
