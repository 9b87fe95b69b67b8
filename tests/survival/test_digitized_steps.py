"""Curves as `metagrove digitize` writes them: a row at each drop, and one where the line ends."""

import numpy as np

from metagrove.survival.evidence.curve_input import digitized_curve
from metagrove.survival.kaplan_meier import survival_curve
from metagrove.survival.reconstruction.one_arm import reconstruct


def read(seed=4, n=60, error=0.0012):
    """A curve of n patients as it is read from a figure, its numbers at risk and marks, and the patients."""
    rng = np.random.default_rng(seed)
    time, event = np.sort(rng.weibull(1.2, n) * 12), rng.random(n) < 0.7
    curve = survival_curve(time, event)
    when = np.unique(time[event])
    level = np.array(curve.at(when)) + rng.uniform(-error, error, when.size)
    level = np.minimum.accumulate(np.append(1.0, level))
    steps = np.column_stack([np.append(0.0, when), level])
    steps = steps[np.append(True, np.diff(level) < 0)]
    ticks = np.arange(0, 13, 3.0)
    end = max(time.max(), steps[-1, 0] + 0.2)
    rows = np.vstack([steps, [end, steps[-1, 1]]])
    return rows, [[t, int((time >= t).sum())] for t in ticks], np.sort(time[~event]), (time, event)


def test_the_form_is_recognised_and_nothing_else_is():
    rows, *_ = read()
    assert digitized_curve(rows).kind == "digitized"
    assert digitized_curve(rows[:-1]).kind == "clicks"
    other = rows.copy()
    other[0, 1] = 0.999
    assert digitized_curve(other).kind == "clicks"


def test_deaths_stay_at_their_drops_though_a_fact_is_wrong():
    """A mark too many must not turn drops into places between which somebody died."""
    rows, risk, marks, (time, event) = read()
    wrong = np.append([0.01, 0.02, 0.03, 0.04], marks)
    rebuilt = reconstruct(rows, at_risk=risk, marks=wrong, events=int(event.sum()))
    grid = np.arange(0.05, rows[-1, 0], 0.1)
    gap = np.abs(
        np.array(survival_curve(rebuilt.time, rebuilt.event).at(grid)) - np.array(survival_curve(time, event).at(grid))
    )
    assert gap.mean() < 0.01
    drops = np.unique(rebuilt.time[rebuilt.event])
    assert np.abs(drops[:, None] - rows[:, 0]).min(axis=1).max() < 0.02
