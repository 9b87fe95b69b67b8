"""How likely numbers at risk are under each curve: losses that its drops ask for, and drops of whole persons.

Between two counts at least the curve's drop leaves, and each drop is a whole number of the persons then at risk
(Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452). Censoring is left open: the next count is as likely to be
any number from 0 to what the drops leave. The construction is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.reading import ArmReading, RiskCell
from metagrove.figures.table.rows import Cell

__all__ = ["WORST", "Interval", "count_evidence", "interval_of", "losses", "losses_and_drops"]

_LEAST_ERROR = 0.0015
#: What an interval weighs against counts at most.
WORST = -12.0
_MOST_DEATHS = 60
# how exactly drops are read, in errors of a level: two in three within half of it, one in seven outside it (generated figures)
_READ = 1.4
# how many drops are none, and how large these are
_KINKS, _KINK = 0.1, 1.5
# how far beyond a tick a curve that ends there may run, as a share of its time: marks have a width
_AT_END = 0.01
# how far drops stand apart that are told as two, in errors of time
_APART = 6


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """A curve between two ticks: its levels there, and its drops between them.

    `before` and `drop` are the level before each drop and its size, `share` where in the interval it stands, shape (drops,);
    `error` is that of a level. `ends` says that the curve ends in the interval or at its second tick.
    """

    start: float
    end: float
    before: Array
    drop: Array
    share: Array
    error: float
    ends: bool = False


def interval_of(first: float, after: float, arm: ArmReading) -> Interval:
    """The curve of an arm between two ticks."""
    error = max(float(np.median(arm.survival_error)), _LEAST_ERROR)
    late = 2 * float(np.median(arm.time_error))
    start = 1.0 if first <= 0 else float(arm.at(np.array(first - late)))
    end = float(arm.at(np.array(after - late)))
    ends = arm.end < after + _AT_END * after + late
    steps = np.flatnonzero((arm.time > first) & (arm.time < after) & (np.arange(len(arm.time)) > 0))
    steps = steps[steps < len(arm.time) - 1]
    if not len(steps):
        nothing = np.zeros(0)
        return Interval(start, end, nothing, nothing, nothing, error, ends)
    apart = _APART * float(np.median(arm.time_error))
    groups = np.split(steps, np.flatnonzero(np.diff(arm.time[steps]) > apart) + 1)
    before = np.array([arm.survival[g[0] - 1] for g in groups])
    drop = before - np.array([arm.survival[g[-1]] for g in groups])
    when = np.array([arm.time[g[0]] for g in groups])
    seen = (drop > 0) & (before > error)
    share = (when - first) / max(after - first, 1e-9)
    return Interval(start, end, before[seen], drop[seen], share[seen], error, ends)


def losses_and_drops(interval: Interval, n: Array, left: Array) -> Array:
    """The log likelihood of `left` people out of `n` and of the drops between, at least -12; shape of the two broadcast.

    Each interval counts for at most a factor of exp(12) against, so that one misread number does not decide alone.
    """
    n, left = np.broadcast_arrays(np.asarray(n, float), np.asarray(left, float))
    drops = _drops(interval, n, left)
    if interval.ends:
        # nobody left at the end of follow-up: they stayed up to there, as likely as they left one by one
        stayed = _drops(interval, n, n * interval.end / max(interval.start, interval.error))
        drops = np.where(left == 0, np.logaddexp(drops, stayed) - np.log(2), drops)
    told = losses(interval, n, left) + drops
    return np.asarray(np.where(n > 0, np.maximum(told, WORST), WORST * (left > 0)))


def count_evidence(cells: Sequence[Cell | RiskCell], arm: ArmReading) -> float:
    """The log likelihood of the counts and of the curve's drops between them, up to a constant of the curve."""
    total = 0.0
    for first, after in pairwise(cells):
        between = interval_of(first.time, after.time, arm)
        total += float(losses_and_drops(between, np.array(first.n), np.array(after.n)))
    last = cells[-1] if cells else None
    late = 2 * float(np.median(arm.time_error))
    if last is not None and last.n > 0 and last.time > arm.end + 0.01 * max(last.time, arm.end) + late:
        total += WORST
    return total


def losses(interval: Interval, n: Array, left: Array) -> Array:
    """The log likelihood of `left` people out of `n`, any number up to what the drop leaves."""
    from scipy.special import log_ndtr

    start, error = interval.start, interval.error
    if start <= error:
        return np.zeros(np.broadcast_shapes(n.shape, left.shape))
    most = n * interval.end / start
    # deaths at the tick itself are on either side of it
    spread = 0.7 + 1.5 * n * error / start
    return np.asarray(log_ndtr((most + 0.5 - left) / spread) - np.log(most + spread + 1))


def _drops(interval: Interval, n: Array, left: Array) -> Array:
    """The log likelihood of the sizes of the drops between two ticks, each a whole number of persons."""
    if not len(interval.drop):
        return np.zeros(n.shape)
    n, left = n[..., None], left[..., None]
    people = np.maximum(n + interval.share * (left - n), 1.0)
    person = interval.before / people
    most = min(int(float(interval.drop.max()) / float(person.min())) + 4, _MOST_DEATHS)
    deaths = np.arange(1, most + 1)
    mean = np.maximum(interval.drop.sum() / person.mean(axis=-1) / len(interval.drop), 1.05)[..., None, None]
    weight = np.log(1 / mean) + (deaths - 1) * np.log1p(-1 / mean)
    unsure = 0.3 * np.abs(n - left) / people
    size = deaths * person[..., None]
    spread = np.sqrt((_READ * interval.error) ** 2 + (size * unsure[..., None]) ** 2)
    density = weight - 0.5 * ((interval.drop[:, None] - size) / spread) ** 2 - np.log(spread)
    # a drop may be none: a kink of the line or a mark's edge, mostly small ones
    kink = np.log(_KINKS) - 0.5 * (interval.drop / (_KINK * interval.error)) ** 2 - np.log(_KINK * interval.error)
    stray = np.logaddexp(kink, np.log(0.02) - np.log(0.1))
    each = np.logaddexp(np.logaddexp.reduce(density, axis=-1), stray)
    return np.asarray(each.sum(axis=-1))
