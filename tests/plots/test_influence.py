import csv
import re
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metagrove as mg
from known import reference, reference_json
from metagrove.core.errors import DataError, UnknownName
from metagrove.plots.curve_spec import Specification, SpecTable, spec_drawing
from metagrove.plots.influence import baujat_plot, cumulative_forest, leave_one_out_forest
from metagrove.plots.marks import Disc
from metagrove.plots.subsets import gosh_plot

LAW = settings(derandomize=True, deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
NAMES = st.text("abcdefghijklmnoprstuvwyzÄéßŁ ,.-0123456789&()$_/", min_size=1, max_size=80)


@pytest.fixture(scope="module")
def seed():
    data = reference_json("meta/seed_atc_orr.json")["data"]
    return mg.metaprop(data["event"], data["n"], studlab=data["study"], sm="PFT", method="Inverse", common=False)


def test_leave_one_out_shows_the_recomputed_numbers(lawful, seed):
    drawing = leave_one_out_forest(seed)
    for width in (None, 85, 180):
        lawful(drawing, width)
    with reference("atc/pooled_results.csv").open(encoding="utf-8") as handle:
        wanted = [r for r in csv.DictReader(handle) if r["outcome"] == "ORR leave-one-out"]
    rows = {row["label"]: row for row in drawing.data()}
    assert len(wanted) == 6
    for line in wanted:
        row = rows[line["subgroup"].replace("without", "Omitting")]
        for ours, theirs in (("estimate", "estimate"), ("lower", "ci_low"), ("upper", "ci_high")):
            # the table prints four decimals
            assert row[ours] == pytest.approx(float(line[f"recomputed_{theirs}"]), abs=6e-5)


def test_cumulative_ends_with_the_whole_analysis(lawful, seed):
    order = [2010, 2012, 2013, 2017, 2021, 2022]
    drawing = cumulative_forest(seed, "JAMA", order=order[::-1], percent=True)
    lawful(drawing, 180)
    rows = drawing.data()
    assert rows[0]["label"] == "Adding Higashiyama" and rows[5]["label"] == "Adding Ha"
    assert rows[5]["estimate"] == pytest.approx(seed.back.TE_random)
    with pytest.raises(UnknownName, match="Known: common, random"):
        cumulative_forest(seed, model="fixed")


def test_baujat_has_a_point_for_each_study(lawful, seed):
    drawing = baujat_plot(seed)
    lawful(drawing)
    lawful(drawing, 60)
    found = seed.baujat("common")
    assert [row["contribution"] for row in drawing.data()] == pytest.approx(list(found.x))
    dots = [m for m in drawing.page().marks if isinstance(m, Disc)]
    assert len(dots) == 6
    assert found.plot().svg() == drawing.svg()


@st.composite
def multiverses(draw_):
    sizes = draw_(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    options = [[draw_(NAMES) for _ in range(size)] for size in sizes]
    specs = []
    for combination in product(*options):
        middle, half = draw_(st.floats(0.1, 5)), draw_(st.floats(0, 0.09))
        flags = draw_(st.booleans()), draw_(st.booleans())
        specs.append(Specification(middle, middle - half, middle + 3 * half, combination, *flags))
    choices = tuple(f"{draw_(NAMES)}{i}" for i in range(len(sizes)))
    reference_ = draw_(st.sampled_from([None, 1.0]))
    return SpecTable(choices, tuple(specs), draw_(NAMES), draw_(st.booleans()), reference_, "In short. " * 12)


@LAW
@given(multiverses(), st.sampled_from([None, 60.0, 85.0, 180.0, 300.0]))
def test_specification_curves_keep_the_law(lawful, table, width):
    lawful(spec_drawing(table), width)


def test_specifications_are_sorted_and_keep_their_options():
    specs = [Specification(v, v - 0.1, v + 0.1, (o,), v == 0.3) for v, o in ((0.3, "a"), (0.1, "b"), (0.2, "a"))]
    drawing = spec_drawing(SpecTable(("choice",), tuple(specs), "Proportion"))
    rows = drawing.data()
    assert [row["choice"] for row in rows] == ["b", "a", "a"]
    assert np.diff([row["estimate"] for row in rows]).min() > 0
    with pytest.raises(DataError, match="1 options for 2 choices"):
        SpecTable(("a", "b"), (specs[0],), "Proportion")


def test_the_multiverse_of_the_example_is_drawn(lawful, seed):
    result = mg.multiverse(seed, reference=0.2)
    assert len(result.specifications) > 300
    drawing = result.plot()
    lawful(drawing, 180)
    rows = drawing.data()
    assert sum(row["holds"] for row in rows) == result.holding
    assert sum(row["main"] for row in rows) == 1
    words = re.findall(r"<text [^>]*>([^<]*)</text>", drawing.svg().decode())
    assert {"PFT", "PLOGIT", "HK", "without Wirth"} <= set(words)
    few = mg.multiverse(seed, reference=0.2, transformations=("PFT", "PAS"), leave_one_out=False).plot()
    lawful(few, 180)
    dots = [m for m in few.page().marks if isinstance(m, Disc) and m.fill != "#ffffff"]
    shown = sum(len({row[c] for row in few.data()}) > 1 for c in result.choices)
    assert len(dots) == len(few.data()) * (1 + shown) + 2  # the curve, the dots of each choice, and two in the key


def test_gosh_has_a_dot_for_each_subset(lawful, seed):
    found = mg.gosh(seed)
    drawing = gosh_plot(found, study="Bible", title="Subsets")
    lawful(drawing, 85)
    rows = drawing.data()
    assert len(rows) == 2**6 - 1 - 6
    assert sum(row["holds"] for row in rows) == 2**5 - 1
    dots = [m for m in drawing.page().marks if isinstance(m, Disc)]
    assert len(dots) == len(rows) + 2
    lawful(found.plot())
