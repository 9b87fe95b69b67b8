"""A digitized curve brought to steps: where survival falls, to which level, and how precisely both were read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.values import Array
from metagrove.survival.curve_input import DigitizedCurve

__all__ = ["Reading", "falling", "steps_of"]

#: Standard error of a hand click, as a share of each axis: 1.2 pixels of 600 in survival, 1.35 of 900 in time.
CLICK_S, CLICK_T = 0.002, 0.0015
#: A reading that falls less than this many standard errors below its neighbour is no drop of its own.
DROP = 3.5


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Steps as read.

    Parameters
    ----------
    time, level : shape (m,), rising and never rising. With `columns` the survival seen at each time, else the level
        just after each drop.
    columns : whether rows are places on the curve (deaths may lie anywhere since the row before) or drops.
    sigma_s : standard error of a level. sigma_t : of a drop's time, in the curve's unit.
    end : end of follow-up.
    """

    time: Array
    level: Array
    columns: bool
    sigma_s: float
    sigma_t: float
    end: float

    @property
    def ends_at_zero(self) -> bool:
        """Whether the curve falls to 0, as far as the precision tells."""
        return bool(self.level.size) and float(self.level[-1]) <= max(2.5 * self.sigma_s, 1e-9)


def falling(values: Array) -> Array:
    """Least-squares fit that never rises (pool adjacent violators); shape of `values`."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values.tolist():
        mean, size = value, 1
        while means and means[-1] <= mean:
            other, count = means.pop(), sizes.pop()
            mean = (mean * size + other * count) / (size + count)
            size += count
        means.append(mean)
        sizes.append(size)
    return np.repeat(np.array(means), np.array(sizes))


def steps_of(curve: DigitizedCurve, *, sigma: float | None = None) -> Reading:
    """The steps of `curve`, read according to its kind.

    Parameters
    ----------
    sigma : standard error of a survival reading where it is known or has been estimated; else a guess from the kind of
        input: the printed digits, the scatter of a trace, or a careful hand click.
    """
    if curve.kind == "exact":
        return _corners(curve, sigma)
    if curve.kind == "clicks":
        return _clicks(curve, sigma)
    return _columns(curve, sigma)


def _corners(curve: DigitizedCurve, sigma: float | None) -> Reading:
    time, level = curve.time, np.minimum.accumulate(curve.survival)
    last = np.flatnonzero(np.append(np.diff(time) > 0, True))
    before = np.concatenate(([1.0], level[last][:-1]))
    drop = level[last] < before
    noise = sigma or max(0.6 * 10.0**-curve.decimals, 1e-7)
    return Reading(time[last][drop], level[last][drop], False, noise, 0.0, curve.end)


def _clicks(curve: DigitizedCurve, sigma: float | None) -> Reading:
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
    sigma_t = CLICK_T / CLICK_S * noise * 1.02 * end
    if level.size and level[-1] < noise:
        level = np.append(level[:-1], 0.0)
        if end - time[-1] < 6 * sigma_t:  # the fall to 0 and the end of the curve are two readings of one time
            end = float(time[-1] + end) / 2
            time = np.append(time[:-1], end)
    time = np.maximum(time, 1e-4 * end)
    return Reading(time, level, False, noise, sigma_t, end)


def _columns(curve: DigitizedCurve, sigma: float | None) -> Reading:
    time, level = curve.time, curve.survival
    if curve.kind == "points":
        time, level = np.sort(time), np.sort(level)[::-1]
        noise = sigma or CLICK_S
        sigma_t = CLICK_T / CLICK_S * noise * 1.02 * curve.end
    else:
        noise = sigma or trace_noise(level)
        sigma_t = 0.0
    keep = time > 0
    return Reading(time[keep], np.array(level[keep]), True, noise, sigma_t, curve.end)


def trace_noise(level: Array) -> float:
    """Standard error of the survival values of a trace, from the differences of neighbouring columns.

    Falls inflate a few differences, so these are trimmed; what rounding to pixel rows hides is put back.
    """
    step = np.abs(np.diff(level))
    gaps = np.diff(np.unique(level))
    gaps = gaps[gaps > 1e-9]
    quantum = float(gaps.min()) if gaps.size else 1e-4
    quiet = np.sort(step)[: max(int(0.8 * step.size), 1)]
    for _ in range(3):
        spread = float(np.sqrt(np.mean(quiet**2) / 2))
        quiet = step[step <= max(3.5 * np.sqrt(2) * spread, 1.01 * quantum)]
    return float(np.clip(max(spread, quantum / np.sqrt(12)), 1e-6, 0.02))
