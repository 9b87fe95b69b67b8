"""The log hazard ratio from two printed survival curves and the follow-up, interval by interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.effects.guarded import broadcast
from metagrove.effects.reported import ReportedHazardRatio

__all__ = ["FollowUp", "from_curves"]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The shortest and longest follow-up of people still alive, 0 <= shortest < longest, in the curves' unit."""

    shortest: float
    longest: float

    def __post_init__(self) -> None:
        if not 0 <= self.shortest < self.longest:
            raise DataError(f"follow-up from {self.shortest:g} to {self.longest:g}; 0 <= shortest < longest")

    def censored_share(self, start: float, end: float) -> float:
        """The share of people free of events at `start` whose follow-up ends before `end`, uniform censoring."""
        if end <= self.shortest:
            return 0.0
        if start >= self.longest:
            return 1.0
        first = max(start, self.shortest)
        return min((min(end, self.longest) - first) / (self.longest - first) if self.longest > first else 1.0, 1.0)


def interval_events(time: Array, survival: Array, n: float, follow_up: FollowUp) -> tuple[Array, Array]:
    """Effective people at risk and events in each interval that ends at `time[i]` (Parmar 1998, section 5)."""
    at_risk, at_start, start, before = np.zeros(time.size), n, 0.0, 1.0
    events = np.zeros(time.size)
    for i in range(time.size):
        # Half of the interval's censored are taken as never at risk in it.
        share = follow_up.censored_share(start, float(time[i])) * 0.5
        at_risk[i] = at_start * (1 - share)
        fall = (before - survival[i]) / before if before > 0 else 0.0
        events[i] = at_risk[i] * fall
        at_start = max(at_start * (1 - 2 * share) - events[i] * (1 - share), 0.0)
        start, before = float(time[i]), float(survival[i])
    return at_risk, events


def from_curves(
    time: ArrayLike,
    survival_e: ArrayLike,
    survival_c: ArrayLike,
    *,
    n_e: float,
    n_c: float,
    follow_up: FollowUp,
) -> ReportedHazardRatio:
    """The log hazard ratio pooled over intervals of two curves read at the same times.

    Parameters
    ----------
    time : ends of the intervals, rising, above 0; short enough that none holds more than a fifth of the events.
    survival_e, survival_c : survival at those times, proportions that never rise.
    n_e, n_c : people randomised.
    follow_up : shortest and longest follow-up; censoring between them is taken as uniform.

    References
    ----------
    Parmar MKB, et al. Stat Med 1998;17:2815-34 (section 5); Tierney JF, et al. Trials 2007;8:16.
    """
    t, s1, s2 = broadcast(time, survival_e, survival_c)
    if t.size < 2 or (np.diff(t) <= 0).any() or t[0] <= 0:
        raise DataError("the times of the intervals rise from above 0, and there are at least two")
    for arm, s in (("experimental", s1), ("control", s2)):
        if (s < 0).any() or (s > 1).any() or (np.diff(s) > 1e-12).any():
            raise DataError(f"{arm} arm: survival lies between 0 and 1 and never rises")
    r1, d1 = interval_events(t, s1, n_e, follow_up)
    r2, d2 = interval_events(t, s2, n_c, follow_up)
    use = (r1 > 0) & (r2 > 0) & (d1 + d2 > 0)
    # An interval without events in one arm still informs; Parmar puts a very small number of events there.
    e1, e2 = np.maximum(d1[use], 1e-6), np.maximum(d2[use], 1e-6)
    if e1.size == 0 or d1.sum() <= 0 or d2.sum() <= 0:
        raise DataError("no events in one of the arms; the curves give no hazard ratio")
    y = np.log(e1 / r1[use]) - np.log(e2 / r2[use])
    v = 1 / e1 - 1 / r1[use] + 1 / e2 - 1 / r2[use]
    keep = v > 0
    w = 1 / v[keep]
    result = ReportedHazardRatio(float(w @ y[keep] / w.sum()), float(1 / np.sqrt(w.sum())), "curves")
    return result.noted(f"{d1.sum():.1f} and {d2.sum():.1f} events estimated from the curves.")
