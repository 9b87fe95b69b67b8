"""Tables per study, arm and comparison, against metafor's layout."""

import numpy as np
import pandas as pd
import pytest

import metagrove as mg
from metagrove.core.errors import DataError

DIABETES = pd.DataFrame(
    {
        "study": ["De Fronzo"] * 2 + ["Lewin"] * 2 + ["Willms"] * 3 + ["Davidson"],
        "comment": "change",
        "treatment": [
            "metformin",
            "placebo",
            "metformin",
            "placebo",
            "metformin",
            "acarbose",
            "placebo",
            "rosiglitazone",
        ],
        "ni": [213, 209, 431, 144, 29, 31, 29, 117],
        "mi": [-1.7, 0.2, -0.74, 0.08, -2.5, -2.3, -1.3, -1.2],
        "sdi": [1.459, 1.446, 1.106, 1.004, 0.862, 1.782, 1.831, 1.097],
    }
)


def test_long_tables_of_counts_means_and_person_time():
    counts = {"ai": [4, 6], "bi": [119, 300], "ci": [11, 29], "n2i": [139, 303]}
    assert mg.to_long(**counts, slab=["x", "y"]).to_dict("list") == {
        "study": ["x", "x", "y", "y"], "group": [1, 2, 1, 2], "out1": [4, 11, 6, 29], "out2": [119, 128, 300, 274],
    }  # fmt: skip
    cells = mg.to_long(**counts, vlong=True)
    assert cells.values.tolist()[:4] == [[1, 1, 1, 4], [1, 1, 2, 119], [1, 2, 1, 11], [1, 2, 2, 128]]
    means = mg.to_long(m1i=[1, 2], m2i=[3, 4], sd1i=[1, 1], sd2i=[2, 2.5], n1i=[10, 20], n2i=[11, 21], group=("t", "c"))
    assert means.values.tolist() == [[1, "t", 1, 1, 10], [1, "c", 3, 2, 11], [2, "t", 2, 1, 20], [2, "c", 4, 2.5, 21]]
    table = pd.DataFrame({"a": [1, 2], "t": [1.5, 1], "b": [3, 4], "u": [2, 2]})
    rates = mg.to_long(x1i="a", t1i="t", x2i="b", t2i="u", data=table)
    assert rates.values.tolist() == [[1, 1, 1, 1.5], [1, 2, 3, 2], [2, 1, 2, 1], [2, 2, 4, 2]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ai": [1], "ci": [2]}, "make no table of two arms"),
        ({}, "no column"),
        ({"ai": [1, 2], "bi": [1, 2], "ci": [2], "di": [3]}, "1 and 2 rows"),
        ({"x1i": [1], "t1i": [1], "x2i": [2], "t2i": [3], "vlong": True}, "vlong takes counts"),
        ({"ai": [1], "bi": [1], "ci": [2], "di": [3], "slab": ["a", "b"]}, "2 labels for 1 studies"),
    ],
)
def test_long_tables_say_what_is_missing(given, said):
    with pytest.raises(DataError, match=said):
        mg.to_long(**given)


def test_wide_tables_pair_each_arm_with_the_reference():
    wide = mg.to_wide(DIABETES, "study", "treatment", ref="placebo", grpvars=["ni", "mi", "sdi"])
    assert wide["study"].tolist() == ["De Fronzo", "Lewin", "Willms", "Willms"]  # one arm is no comparison
    assert wide["treatment_1"].tolist() == ["metformin", "metformin", "metformin", "acarbose"]
    assert set(wide["treatment_2"]) == {"placebo"}
    assert wide["mi_1"].tolist() == [-1.7, -0.74, -2.5, -2.3]
    assert wide["mi_2"].tolist() == [0.2, 0.08, -1.3, -1.3]
    assert wide["comment"].tolist() == ["change"] * 4
    assert wide["id"].tolist() == [1, 2, 3, 3]
    assert wide["design"].iloc[-1] == "metformin-acarbose-placebo"
    # without grpvars the columns that vary within a study are the arms'
    assert mg.to_wide(DIABETES, "study", "treatment", ref="placebo").equals(wide)
    with pytest.raises(DataError, match="no arm is called 'sham'"):
        mg.to_wide(DIABETES, "study", "treatment", ref="sham")
    with pytest.raises(DataError, match="'Lewin' has the arm 'placebo' twice"):
        mg.to_wide(pd.concat([DIABETES, DIABETES.iloc[[3]]]), "study", "treatment")


def test_contrasts_sum_to_zero_and_fit_a_network():
    wide = mg.to_wide(DIABETES, "study", "treatment", ref="placebo")
    X = mg.contrmat(wide, "treatment_1", "treatment_2", last="placebo")
    assert list(X) == ["acarbose", "metformin", "placebo"]
    assert (X.sum(axis=1) == 0).all()
    assert X["metformin"].tolist() == [1, 1, 1, 0]
    both = mg.contrmat(wide, "treatment_1", "treatment_2", append=True)
    assert list(both)[: wide.shape[1]] == list(wide)
    with pytest.raises(DataError, match="no treatment is called"):
        mg.contrmat(wide, "treatment_1", "treatment_2", last="sham")


def test_pairwise_from_long_and_wide_tables_agree():
    long = mg.pairwise("treatment", mean="mi", sd="sdi", n="ni", studlab="study", data=DIABETES)
    assert long["studlab"].value_counts().to_dict() == {"Willms": 3, "De Fronzo": 1, "Lewin": 1}
    assert long["arms"].tolist() == [2, 2, 3, 3, 3]
    effects = mg.escalc("MD", m1i=[-2.5], sd1i=[0.862], n1i=[29], m2i=[-2.3], sd2i=[1.782], n2i=[31])
    assert long["TE"].iloc[2] == pytest.approx(effects.yi[0])
    assert long["seTE"].iloc[2] ** 2 == pytest.approx(effects.vi[0])
    rows = [DIABETES[DIABETES["study"] == name].reset_index(drop=True) for name in ("De Fronzo", "Lewin", "Willms")]

    def column(name, j):
        return [table[name][j] if j < len(table) else None for table in rows]

    sides = {arg: [column(name, j) for j in range(3)] for arg, name in (("mean", "mi"), ("sd", "sdi"), ("n", "ni"))}
    wide = mg.pairwise([column("treatment", j) for j in range(3)], **sides, studlab=["De Fronzo", "Lewin", "Willms"])
    pd.testing.assert_frame_equal(wide, long)


def test_comparisons_of_three_arms_are_consistent():
    """The three contrasts of one trial add up, and their covariance is that of the shared arms."""
    table = mg.pairwise(["a", "b", "c"], event=[4, 6, 9], n=[50, 60, 55], studlab=[1, 1, 1])
    ab, ac, bc = table["TE"]
    assert ab + bc == pytest.approx(ac)
    zero = mg.pairwise(["a", "b"], event=[0, 6], n=[50, 60], studlab=[1, 1])
    assert np.isfinite(zero["seTE"]).all()
    assert mg.pairwise(["a", "b"], event=[3, 6], time=[50, 60], studlab=[1, 1])["TE"][0] == pytest.approx(np.log(0.6))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"event": [1, 2], "studlab": [1, 1]}, "make no arm"),
        ({"event": [1, 2], "n": [5, 5]}, "studlab says"),
        ({"event": [1, 2], "n": [5, 5], "studlab": [1, 2]}, "no study has two arms"),
        ({"event": [1, 2], "n": [5, 5, 5], "studlab": [1, 1]}, "has not the shape"),
    ],
)
def test_pairwise_says_what_does_not_fit(given, said):
    with pytest.raises(DataError, match=said):
        mg.pairwise(["a", "b"], **given)
    with pytest.raises(DataError, match="an arm twice"):
        mg.pairwise(["a", "a"], event=[1, 2], n=[5, 5], studlab=[1, 1])
