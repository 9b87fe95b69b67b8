"""How likely numbers at risk are under each curve: losses that its drops ask for, and drops of whole persons.

Between two counts at least the curve's drop leaves, and each drop is a whole number of the persons then at risk
(Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452). Censoring is left open: the next count is as likely to be
any number from 0 to what the drops leave. The construction is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from metagrove.figures.reading import ArmReading, RiskCell
from metagrove.figures.table.rows import Cell

__all__ = ["count_evidence"]

_LEAST_ERROR = 0.0015
_WORST = -12.0
_MOST_DEATHS = 60


def count_evidence(cells: Sequence[Cell | RiskCell], arm: ArmReading) -> float:
    """The log likelihood of the counts and of the curve's drops between them, up to a constant of the curve.

    Each interval counts for at most a factor of exp(12) against, so that one misread number does not decide alone.
    """
    error = max(float(np.median(arm.survival_error)), _LEAST_ERROR)
    late = 2 * float(np.median(arm.time_error))
    total = 0.0
    for first, after in pairwise(cells):
        if first.n <= 0:
            total += _WORST * (after.n > 0)
            continue
        start = 1.0 if first.time <= 0 else float(arm.at(np.array(first.time - late)))
        end = float(arm.at(np.array(after.time - late)))
        total += max(_losses(first.n, after.n, (start, end), error) + _drops(first, after, arm, error), _WORST)
    last = cells[-1] if cells else None
    if last is not None and last.n > 0 and last.time > arm.end + 0.01 * max(last.time, arm.end) + late:
        total += _WORST
    return total


def _losses(n: int, left: int, levels: tuple[float, float], error: float) -> float:
    """The log likelihood of `left` people out of `n`, any number up to what the drop leaves."""
    from scipy.special import log_ndtr

    start, end = levels
    if start <= error:
        return 0.0
    most = n * end / start
    # deaths at the tick itself are on either side of it
    spread = 0.7 + 1.5 * n * error / start
    return float(log_ndtr((most + 0.5 - left) / spread)) - float(np.log(most + spread + 1))


def _drops(first: Cell | RiskCell, after: Cell | RiskCell, arm: ArmReading, error: float) -> float:
    """The log likelihood of the sizes of the drops between two ticks, each a whole number of persons."""
    steps = np.flatnonzero((arm.time > first.time) & (arm.time < after.time) & (np.arange(len(arm.time)) > 0))
    steps = steps[steps < len(arm.time) - 1]
    if not len(steps):
        return 0.0
    apart = 6 * float(np.median(arm.time_error))
    groups = np.split(steps, np.flatnonzero(np.diff(arm.time[steps]) > apart) + 1)
    before = np.array([arm.survival[g[0] - 1] for g in groups])
    drop = before - np.array([arm.survival[g[-1]] for g in groups])
    seen = (drop > 0) & (before > error)
    before, drop = before[seen], drop[seen]
    if not len(drop):
        return 0.0
    when = np.array([arm.time[g[0]] for g in groups])[seen]
    share = (when - first.time) / max(after.time - first.time, 1e-9)
    people = np.maximum(first.n + share * (after.n - first.n), 1.0)
    person = before / people
    deaths = np.arange(1, _MOST_DEATHS + 1)
    mean = max(float(drop.sum() / person.mean()) / len(drop), 1.05)
    weight = np.log(1 / mean) + (deaths - 1) * np.log1p(-1 / mean)
    unsure = 0.3 * abs(first.n - after.n) / people
    size = deaths[None, :] * person[:, None]
    spread = np.sqrt((1.4 * error) ** 2 + (size * unsure[:, None]) ** 2)
    density = weight[None, :] - 0.5 * ((drop[:, None] - size) / spread) ** 2 - np.log(spread)
    # a drop may be none: a kink of the line or a mark's edge
    stray = np.log(0.02) - np.log(0.1)
    each = np.logaddexp(np.logaddexp.reduce(density, axis=1), stray)
    return float(each.sum())
