"""Exact corners whose levels happen to be round, and those that were rounded."""

import numpy as np
import pytest

import metagrove as mg
from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.reconstruction.rebuilt import RebuiltPatients
from reconstruction_cases import corners, survival


@pytest.mark.parametrize(
    ("rows", "n", "deaths"),
    [
        ([[0, 1], [1, 1], [1, 0.9], [5, 0.9]], 100, 10),
        ([[0, 1], [1, 1], [1, 0.9], [3, 0.9], [3, 0.8], [5, 0.8]], 20, 4),
        ([[0, 1], [1, 1], [1, 0.97], [3, 0.97], [3, 0.91], [5, 0.91]], 100, 9),
    ],
)
def test_round_levels_are_met_as_they_are(rows, n, deaths):
    rebuilt = mg.reconstruct(rows, n=n)
    assert rebuilt.events == deaths
    at = np.array([2.0, 4.0])
    assert survival(rebuilt.time, rebuilt.event, at) == pytest.approx([rows[2][1], rows[-1][1]])


def test_coarse_times_under_heavy_censoring_keep_their_levels():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        died, left = 10 * rng.weibull(1.2, 20), rng.uniform(0.5, 6, 20)
        time, event = np.maximum(2 * np.round(np.minimum(died, left) / 2), 2), died <= left
        if not event.any():
            continue
        rebuilt = mg.reconstruct(np.column_stack(corners(time, event)), n=20, events=int(event.sum()))
        at = np.arange(1.0, time.max())
        assert survival(rebuilt.time, rebuilt.event, at) == pytest.approx(survival(time, event, at), abs=1e-6)


def test_levels_that_were_rounded_are_read_as_rounded():
    rng = np.random.default_rng(4)
    died, left = 10 * rng.weibull(1.2, 100), rng.uniform(3, 25, 100)
    t, s = corners(np.ceil(np.minimum(died, left)), died <= left)
    rebuilt = mg.reconstruct(np.column_stack((t, np.round(s, 2))), n=100)
    assert rebuilt.sigma == pytest.approx(0.006) and rebuilt.contradictions == ()
    assert all(row["agrees"] for row in rebuilt.fit)


def test_the_report_does_not_excuse_a_misfit_by_the_error_it_took():
    curve = digitized_curve([[0, 1], [1, 1], [1, 0.9], [5, 0.9]])
    time, event = np.append(np.full(6, 1.0), np.full(94, 5.0)), np.arange(100) < 6
    rebuilt = RebuiltPatients(time, event, "likelihood", (), curve, Facts(100), sigma=0.06)
    agrees = {row["fact"].split(" (")[0]: row["agrees"] for row in rebuilt.fit}
    assert agrees["survival at the end"]  # as far as one digit tells
    curve = digitized_curve([[0, 1], [1, 1], [1, 0.901], [5, 0.901]])
    rebuilt = RebuiltPatients(time.copy(), event.copy(), "likelihood", (), curve, Facts(100), sigma=0.06)
    agrees = {row["fact"].split(" (")[0]: row["agrees"] for row in rebuilt.fit}
    assert not agrees["survival at the end"] and not agrees["largest difference from the curve"]
