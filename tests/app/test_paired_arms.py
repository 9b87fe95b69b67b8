"""Two arms of one trial whose hazard ratio a review folder holds are rebuilt together."""

import numpy as np
import pytest

from metagrove.app.arms import arm_inputs, pair_of, rebuilt_arm
from metagrove.app.workflow import rebuild
from metagrove.review.folder import open_review
from metagrove.survival.reconstruction.comparison_kernels import compared

PROTOCOL = """\
version = 1
title = "Two arms"
[[analysis]]
name = "os"
kind = "survival"
endpoint = "OS"
until = 12
draws = 20
"""
CONTROL = [(0, 100), (2, 80), (5, 60), (7, 40), (12, 20), (15, 20)]
TREATED = [(0, 100), (3, 90), (6, 70), (9, 60), (14, 40), (18, 40)]
TABLES = {
    "studies.csv": "study,trial_id,n_enrolled\nNew,T-1,10\nOld,T-1,10\nOther,T-2,10\n",
    "curves.csv": "study,endpoint,time,survival\n"
    + "".join(
        f"{arm},OS,{t},{s}\n"
        for arm, curve in (("New", TREATED), ("Old", CONTROL), ("Other", CONTROL))
        for t, s in curve
    ),
    "comparisons.csv": "outcome,study,hr,lower,upper\nOS,New,0.60,0.19,1.90\n",
}


def review_of(folder, **changed):
    folder.mkdir()
    (folder / "review.toml").write_text(PROTOCOL)
    for name, text in (TABLES | {f"{k}.csv": v for k, v in changed.items()}).items():
        (folder / name).write_text(text)
    review = open_review(folder)
    return review, review.spec.analysis[0]


def test_the_two_arms_show_the_printed_hazard_ratio_and_the_others_stay_alone(tmp_path):
    many = TABLES["studies.csv"].replace(",10", ",40")
    printed = "outcome,study,hr,lower,upper\nOS,New,0.40,0.22,0.73\n"
    review, analysis = review_of(tmp_path / "r", comparisons=printed, studies=many)
    pair = pair_of(review, analysis, "Old")
    assert (pair.control, pair.treated, pair.hr) == ("Old", "New", (0.40, 0.22, 0.73))
    assert pair_of(review, analysis, "Other") is None
    arms = [rebuilt_arm(review, analysis, name).carry for name in ("Old", "New")]
    sets = [(np.array([a["time"]]), np.array([a["event"]], dtype=bool)) for a in arms]
    loghr = compared(sets[0], sets[1], np.zeros((1, 2), dtype=np.int64))[0, 0]
    apart, _ = review_of(tmp_path / "apart", comparisons="outcome,study,hr\nPFS,New,0.40\n", studies=many)
    plain = [rebuilt_arm(apart, analysis, name).carry for name in ("Old", "New")]
    sets = [(np.array([a["time"]]), np.array([a["event"]], dtype=bool)) for a in plain]
    before = compared(sets[0], sets[1], np.zeros((1, 2), dtype=np.int64))[0, 0]
    # The ratio may have been adjusted, so the arms are drawn towards it, not onto it.
    assert abs(loghr - np.log(0.4)) < 0.85 * abs(before - np.log(0.4))
    assert len(arms[0]["draws"]) == 20


def test_what_is_printed_between_the_arms_is_material_of_both(tmp_path):
    review, analysis = review_of(tmp_path / "one")
    other, _ = review_of(tmp_path / "two", comparisons=TABLES["comparisons.csv"].replace("0.60", "0.70"))
    for name in ("New", "Old"):
        assert arm_inputs(review, analysis, name) != arm_inputs(other, analysis, name)
    assert arm_inputs(review, analysis, "Other") == arm_inputs(other, analysis, "Other")


@pytest.mark.parametrize(
    "changed",
    [
        {"comparisons": "outcome,study,te,se\nOS,New,0.6,0.5\n"},  # no column says that it is a hazard ratio
        {"comparisons": "outcome,study,or\nOS,New,0.6\n"},
        {"comparisons": "outcome,study,hr\nOS,T-1,0.6\n"},  # no study of that name
        {"comparisons": "outcome,study,hr,n_e,n_c\nOS,New,0.6,12,9\n"},  # of other patients
        {"comparisons": "outcome,study,hr\nOS,New,0.6\nOS,Old,1.4\n"},
        {"studies": "study,trial_id,n_enrolled\nNew,T-1,10\nOld,T-1,10\nOther,T-1,10\n"},  # three arms
        {"studies": "study,n_enrolled\nNew,10\nOld,10\nOther,10\n"},
    ],
)
def test_arms_stay_alone_where_the_folder_does_not_say_who_is_compared(tmp_path, changed):
    review, analysis = review_of(tmp_path / "r", **changed)
    assert all(pair_of(review, analysis, name) is None for name in ("New", "Old", "Other"))


def test_the_treated_arm_is_told_by_its_size(tmp_path):
    review, analysis = review_of(
        tmp_path / "r",
        studies="study,trial_id,n_enrolled\nNew,T-1,10\nOld,T-1,20\nOther,T-2,10\n",
        comparisons="outcome,study,hr,n_e,n_c\nOS,Old,0.60,10,20\n",
    )
    assert pair_of(review, analysis, "Old").treated == "New"


def test_the_report_says_which_arms_were_rebuilt_together(tmp_path):
    review_of(tmp_path / "r")
    rebuild(tmp_path / "r")
    said = "two arms of one trial together, so that they show the hazard ratio printed between them: New and Old"
    assert said in (tmp_path / "r" / "out" / "report.html").read_text(encoding="utf-8")
