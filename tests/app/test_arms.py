"""Arms of the example rebuilt with everything that survival.csv prints about them."""

from pathlib import Path

import numpy as np
import pytest

from metagrove.app.arms import rebuilt_arm
from metagrove.review.folder import open_review
from metagrove.survival.reconstruction.rebuilt import levels_at, product_limit

EXAMPLE = Path(__file__).parents[2] / "examples" / "atc-tki"


@pytest.fixture(scope="module")
def rebuilt():
    review = open_review(EXAMPLE)
    analysis = next(a for a in review.spec.analysis if a.name == "os")
    return lambda study: rebuilt_arm(review, analysis, study).carry


def level(arm, t):
    return float(levels_at(product_limit(np.array(arm["time"]), np.array(arm["event"], dtype=bool)), np.array(t)))


def test_printed_rates_and_medians_are_facts_of_the_reconstruction(rebuilt):
    facts = {row["fact"]: row for row in rebuilt("Higashiyama")["report"]["fit"]}
    assert facts["survival at 12"]["printed"] == 0.119 and facts["survival at 12"]["agrees"]
    bible = {row["fact"]: row for row in rebuilt("Bible")["report"]["fit"]}
    assert bible["median"]["printed"] == pytest.approx(111 / 30.4375)  # printed in days
    assert bible["median"]["agrees"]


def test_a_death_in_the_column_of_a_milestone_falls_on_its_grid(rebuilt):
    tahara = rebuilt("Tahara")
    assert tahara["lattice"][0] == 0.1
    assert 24.0 in tahara["time"]
    assert level(tahara, 24.0) == pytest.approx(0.11, abs=0.01)
