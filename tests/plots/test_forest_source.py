import csv
import re

import numpy as np
import pytest

import metagrove as mg
from known import reference, reference_json
from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.plots.marks import Shape, Text


@pytest.fixture(scope="module")
def seed():
    case = reference_json("meta/seed_atc_orr.json")
    data = case["data"]
    return mg.metaprop(
        data["event"],
        data["n"],
        studlab=data["study"],
        subgroup=data["drug"],
        sm="PFT",
        method="Inverse",
        common=False,
        prediction=True,
    )


def words(drawing):
    return re.findall(r"<text [^>]*>([^<]*)</text>", drawing.svg().decode())


def texts_in_line_with(drawing, label):
    marks = [m for m in drawing.page().marks if isinstance(m, Text)]
    y = [m.y for m in marks if m.text == label][-1]
    return [m.text for m in sorted((m for m in marks if abs(m.y - y) < 0.01), key=lambda m: m.x)]


def test_printed_numbers_are_those_of_the_published_figure(lawful, seed):
    drawing = seed.forest()
    for width in (None, 85, 180):
        lawful(drawing, width)
    with reference("atc/responses.csv").open(encoding="utf-8") as handle:
        printed = [row for row in csv.DictReader(handle) if row["outcome"] == "ORR"]
    for row in printed:
        numbers = [float(row[f"printed_{part}"]) for part in ("proportion", "ci_low", "ci_high")]
        line = texts_in_line_with(drawing, row["study"])
        wanted = [f"{numbers[0]:.2f}", f"[{numbers[1]:.2f};", f"{numbers[2]:.2f}]"]
        assert line[1:6] == [row["events"], row["total"], *wanted]
    assert texts_in_line_with(drawing, "Random effects model")[1:] == ["14", "136", "0.09", "[0.02;", "0.17]", "100.0%"]
    assert texts_in_line_with(drawing, "95% prediction interval")[1:] == ["[0.00;", "0.33]"]
    text = " ".join(words(drawing))
    assert "I² = 46% [0%; 79%], τ² = 0.0092" in text
    assert "χ² = 4.36, df = 3 (p = 0.23)" in text


def test_one_study_has_no_diamond_unless_asked_for(seed):
    def diamonds(drawing):
        found = [m for m in drawing.page().marks if isinstance(m, Shape) and len(m.points) == 4]
        return sum(m.points[0][1] == m.points[2][1] for m in found)

    assert diamonds(seed.forest()) == 2
    assert diamonds(seed.forest(pool_single=True)) == 5
    assert words(seed.forest()).count("One study; not pooled") == 3


def test_views_can_differ_from_the_analysis(seed):
    drawing = seed.forest("BMJ", common=True, prediction=False, percent=True, sort_by="estimate", methods=False)
    text = words(drawing)
    assert "Common effect model" in text and "95% prediction interval" not in text
    assert "8.7" in text and not any("Freeman" in word for word in text)
    rows = [row for row in drawing.data() if row["kind"] == "study" and row["block"] == "Lenvatinib"]
    assert [row["estimate"] for row in rows] == sorted(row["estimate"] for row in rows)


def test_ratios_have_a_logarithmic_axis_and_directions(lawful):
    case = reference_json("meta/bin_bcg.json")["data"]
    a, n1, c, n2 = (np.array(case[key], dtype=float) for key in ("event.e", "n.e", "event.c", "n.c"))
    effect = np.log(a * (n2 - c) / ((n1 - a) * c))
    error = np.sqrt(1 / a + 1 / (n1 - a) + 1 / c + 1 / (n2 - c))
    result = mg.metagen(effect, error, sm="OR")
    drawing = result.forest(directions=("favours vaccine", "favours none"))
    for width in (None, 85, 180):
        lawful(drawing, width)
    text = words(drawing)
    assert "← favours vaccine" in text and "favours none →" in text and "Odds ratio" in text
    ticks = [float(word) for word in text if re.fullmatch(r"0\.\d|[125]", word)]
    assert 1.0 in ticks and any("Test for overall effect" in word for word in text)
    assert f"{result.back.TE_random:.2f}" in text


def test_a_study_that_cannot_be_pooled_is_named(lawful):
    result = mg.metagen([0.1, 0.3, float("nan")], [0.1, 0.2, 0.1], studlab=["A", "B", "Lost 2020"], sm="MD")
    drawing = result.forest()
    lawful(drawing)
    assert texts_in_line_with(drawing, "Lost 2020") == ["Lost 2020", "not estimable"]
    assert any("Lost 2020 is not pooled" in word for word in words(drawing))


@pytest.mark.parametrize("k", [1, 2, 100])
def test_any_number_of_studies(lawful, k):
    rng = np.random.default_rng(3)
    lawful(mg.metaprop(rng.integers(0, 9, k), np.full(k, 12), sm="PLOGIT", method="Inverse", prediction=True).forest())


def test_columns_and_judgements_are_checked(lawful, seed):
    bias = {"Ha": ("Low", "High"), "Wirth": ("Some concerns", "Low")}
    drawing = seed.forest(
        "JAMA", columns={"Dose": [400, 800, 400, 24, 24, 24]}, bias=bias, bias_domains=("Selection", "Outcome")
    )
    lawful(drawing, 180)
    assert "Dose" in words(drawing) and "High" in words(drawing)
    with pytest.raises(DataError, match=r"Dose.*2 entries for 6 studies"):
        seed.forest(columns={"Dose": [1, 2]})
    with pytest.raises(DataError, match="judgements for Nobody"):
        seed.forest(bias={"Nobody": ("Low",)})
    with pytest.raises(UnknownName, match="Known: estimate, label, weight"):
        seed.forest(sort_by="year")
    with pytest.raises(MethodError, match="percentages suit proportions"):
        mg.metagen([0.1, 0.2], [0.1, 0.1]).forest(percent=True)


def test_plot_dispatches_on_the_type_of_result(seed):
    assert seed.plot().svg() == seed.forest().svg()
    with pytest.raises(MethodError, match="no plot for a int"):
        mg.core.sockets.socket("plot")(3)


@pytest.mark.parametrize("style", ["plain", "JAMA", "BMJ", "RevMan5"])
def test_two_arms_stand_under_their_own_headings(lawful, style):
    case = reference_json("meta/bin_bcg.json")["data"]
    columns = [case[key] for key in ("event.e", "n.e", "event.c", "n.c")]
    result = mg.metabin(*columns, studlab=case["study"], sm="RR", prediction=True)
    drawing = result.forest(style, directions=("Favours vaccine", "Favours control"))
    for width in (None, 85, 180):
        lawful(drawing, width)
    marks = [m for m in drawing.page(180).marks if isinstance(m, Text)]
    heads = {m.text: m.x for m in marks if m.text in ("Experimental", "Control")}
    events, totals = ([m.x for m in marks if m.text == word] for word in ("Events", "Total"))
    assert events[0] < heads["Experimental"] < totals[0] < events[1] < heads["Control"] < totals[1]
    row = drawing.data()[0]
    assert [row[f"{arm} {what}"] for arm in ("Experimental", "Control") for what in ("Events", "Total")] == [
        str(column[0]) for column in columns
    ]
    sums = texts_in_line_with(drawing, "Common effect model")
    assert {str(sum(column)) for column in columns} <= set(sums)
    assert drawing.smallest_text(180) >= 6


def test_means_keep_their_decimals(lawful):
    result = mg.metacont([10, 20], [1.25, 2], [0.5, 1], [11, 21], [1, 1.5], [0.5, 1], studlab=["A", "B"])
    drawing = result.forest()
    lawful(drawing, 150)
    assert [row["Experimental Mean"] for row in drawing.data()][:2] == ["1.25", "2.00"]


def test_shared_headings_are_not_broken_inside_a_word():
    result = mg.metabin([1, 0, 50], [10, 12, 100], [0, 3, 2], [11, 12, 100], sm="OR")
    for width in (None, 120, 180):
        assert ">Experimental<" in result.forest().svg(width_mm=width).decode()
