"""A digitized curve brought to steps: where survival falls, to which level, and how precisely both were read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.curve_input import DigitizedCurve, middle
from metagrove.survival.evidence.printed_facts import Facts

__all__ = ["Reading", "falling", "steps_of"]

#: Standard error of a hand click, as a share of each axis: 1.2 pixels of 600 in survival, 1.35 of 900 in time.
CLICK_S, CLICK_T = 0.002, 0.0015
#: A reading that falls less than this many standard errors below its neighbour is no drop of its own.
DROP = 3.5
#: Share of follow-up between two places on a curve from which on they are far apart.
SPARSE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Steps as read.

    Parameters
    ----------
    time, level : shape (m,). With `columns` the survival seen from each time on, else the level just after each drop.
    since : shape (m,), the place seen before each time: a death of the row lies between the two.
    error : shape (m,), standard error of each level.
    columns : whether rows are places on the curve (with deaths or not) or drops.
    sigma_s : standard error of a single reading of survival. sigma_t : of a drop's time, in the curve's unit.
    end : end of follow-up.
    loose : whether a drop may be no drop at all, as where a program has read the curve.
    """

    time: Array
    level: Array
    since: Array
    error: Array
    columns: bool
    sigma_s: float
    sigma_t: float
    end: float
    loose: bool = False

    @property
    def ends_at_zero(self) -> bool:
        """Whether the curve falls to 0, as far as the precision tells."""
        return bool(self.level.size) and float(self.level[-1]) <= max(2.5 * self.sigma_s, 1e-9)

    @property
    def sparse(self) -> bool:
        """Whether rows are places so far apart that deaths between two of them are none of one time."""
        if not self.columns or not self.time.size:
            return False
        return float(np.median(self.time - self.since)) >= SPARSE * self.end

    @property
    def usual_error(self) -> float:
        """The median of `error`."""
        return middle(self.error)


def falling(values: Array, weights: Array | None = None) -> Array:
    """Least-squares fit that never rises (pool adjacent violators); shape of `values`."""
    from metagrove.survival.evidence.level_kernels import pooled

    given = np.ones(values.size) if weights is None else weights
    return np.asarray(pooled(np.ascontiguousarray(values, dtype=np.float64), np.asarray(given, dtype=np.float64)))


def steps_of(curve: DigitizedCurve, facts: Facts, *, sigma: float | None = None) -> Reading:
    """The steps of `curve`, read according to its kind.

    Parameters
    ----------
    facts : patients and numbers at risk say how small a drop can be, so that quiet columns of a trace can be joined; the
        length of the time axis says how far clicks err in time.
    sigma : standard error of a survival reading where it is known or has been estimated; else a guess from the kind of
        input: the printed digits, the scatter of a trace, or a careful hand click.
    """
    if curve.kind == "exact":
        return _corners(curve, sigma)
    if curve.kind in ("clicks", "digitized", "steps"):
        read = replace(_clicks(curve, facts.axis, sigma), loose=curve.kind == "steps")
        return read if facts.time_error is None else replace(read, sigma_t=facts.time_error / np.sqrt(3))
    return _columns(curve, facts.axis, sigma) if curve.kind == "points" else _trace(curve, facts, sigma)


def _corners(curve: DigitizedCurve, sigma: float | None) -> Reading:
    time, level = curve.time, np.minimum.accumulate(curve.survival)
    last = np.flatnonzero(np.append(np.diff(time) > 0, True))
    before = np.concatenate(([1.0], level[last][:-1]))
    drop = level[last] < before
    noise = sigma or max(0.6 * 10.0**-curve.decimals, 1e-7)
    return _drops(time[last][drop], level[last][drop], noise, 0.0, curve.end)


def _clicks(curve: DigitizedCurve, axis: float, sigma: float | None) -> Reading:
    # A time error swaps neighbouring clicks; a running minimum would then destroy both levels.
    noise = sigma or CLICK_S
    time, level = np.sort(curve.time), np.sort(curve.survival)[::-1]
    end = curve.end
    if level[0] >= 1 - DROP * noise and time[0] <= 0.005 * end:
        time, level = time[1:], level[1:]
    if time.size >= 2 and level[-2] - level[-1] < DROP * noise * np.sqrt(2):
        level = np.append(level[:-2], level[-2:].mean())
        time = time[:-1]
    elif time.size == 1 and level[0] >= 1 - DROP * noise:
        time, level = time[:0], level[:0]
    sigma_t = CLICK_T / CLICK_S * noise * axis
    if level.size and level[-1] < noise:
        level = np.append(level[:-1], 0.0)
        if end - time[-1] < 6 * sigma_t:  # the fall to 0 and the end of the curve are two readings of one time
            end = float(time[-1]) if curve.kind == "digitized" else float(time[-1] + end) / 2
            time = np.append(time[:-1], end)
    time = np.maximum(time, 1e-4 * end)
    return _drops(time, level, noise, sigma_t, end)


def _drops(time: Array, level: Array, noise: float, sigma_t: float, end: float) -> Reading:
    return Reading(time, level, time, np.full(time.size, noise), False, noise, sigma_t, end)


def _columns(curve: DigitizedCurve, axis: float, sigma: float | None) -> Reading:
    noise = sigma or CLICK_S
    time, level = np.sort(curve.time), np.sort(curve.survival)[::-1]
    since = np.concatenate(([0.0], time[:-1]))
    keep = time > 0
    sigma_t = CLICK_T / CLICK_S * noise * axis
    ended = int(np.sum(level > 2.5 * noise))
    if ended < time.size:  # where a curve falls to 0 it ends: the death is there, not on the way to it
        since[ended] = max(since[ended], time[ended] - 2 * sigma_t)
    error = np.full(int(keep.sum()), noise)
    return Reading(time[keep], np.array(level[keep]), since[keep], error, True, noise, sigma_t, curve.end)


def _trace(curve: DigitizedCurve, facts: Facts, sigma: float | None) -> Reading:
    """Columns joined where no drop can lie between them; a joined row holds the mean level of its columns."""
    noise = sigma or trace_noise(curve.survival)
    keep = curve.time > 0
    time, level = curve.time[keep], curve.survival[keep]
    since = np.concatenate(([0.0], time[:-1]))
    start = _may_drop(level, noise, _smallest_drop(time, level, noise, facts))
    first = np.flatnonzero(start)
    size = np.diff(np.append(first, time.size))
    mean = np.add.reduceat(level, first) / size if first.size else level[:0]
    return Reading(time[first], mean, since[first], noise / np.sqrt(size), True, noise, 0.0, curve.end)


def _smallest_drop(time: Array, level: Array, noise: float, facts: Facts) -> Array:
    """The fall that one death causes at least: level / at risk, never less than 1 / n; shape of `time`."""
    counts = np.append(facts.n, facts.risk_n).astype(np.float64)
    at_risk = counts[np.searchsorted(facts.risk_time, time, side="left")]
    low = np.maximum(np.append(falling(level)[1:], 0.0) - 3 * noise, 0.0)
    # One interval later the number before is still an upper limit; at the tick itself the side is not known.
    return np.asarray(np.maximum(low / np.maximum(at_risk, 1.0), 1 / facts.n))


def _may_drop(level: Array, noise: float, smallest: Array) -> NDArray[np.bool_]:
    """Whether survival may have fallen between each column and the one before, shape of `level`.

    The means of 1, 2, 4, 8 and 16 columns on either side would differ by the smallest drop; none is ruled out that lies within
    four standard errors.
    """
    total = np.concatenate(([0.0], np.cumsum(level)))
    here = np.arange(level.size)
    may = np.ones(level.size, dtype=bool)
    for width in (1, 2, 4, 8, 16):
        left, right = np.maximum(here - width, 0), np.minimum(here + width, level.size)
        before = (total[here] - total[left]) / np.maximum(here - left, 1)
        after = (total[right] - total[here]) / (right - here)
        error = noise * np.sqrt(1 / np.maximum(here - left, 1) + 1 / (right - here))
        may &= np.where(here > 0, before, 1.0) - after > smallest - 4 * error
    may[:1] = True
    return may


def trace_noise(level: Array) -> float:
    """Standard error of the survival values of a trace, from what is left beside the best curve that never rises.

    Each level of that curve costs one and a half degrees of freedom (Meyer M, Woodroofe M. On the degrees of freedom in
    shape-restricted regression. Ann Stat 2000;28:1083-1104. doi:10.1214/aos/1015956708).
    """
    fit = falling(level)
    gaps = np.diff(np.unique(level))
    quantum = float(gaps[gaps > 1e-9].min()) if np.any(gaps > 1e-9) else 1e-4
    free = max(level.size - 1.5 * np.unique(fit).size, 0.3 * level.size)
    spread = float(np.sqrt(np.sum((level - fit) ** 2) / free))
    return float(np.clip(max(spread, quantum / np.sqrt(12)), 1e-6, 0.02))
