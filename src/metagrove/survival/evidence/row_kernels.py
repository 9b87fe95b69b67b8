"""Compiled likelihoods of the moves from row to row. Kept apart because importing it compiles (once; the result is cached)."""

from __future__ import annotations

from math import ceil, exp, floor, lgamma, log, pi, sqrt
from typing import Any

import numpy as np
from numba import njit

__all__ = ["moves_weighed"]

#: Share of rows that are no drop though clicks are one per drop, or lie elsewhere than where their kind says.
STRAY = 0.04
#: Smallest fall that a person clicks as a drop of its own.
SMALLEST = (0.0, 0.0025, 0.006)
#: Further deaths expected in one drop, but for those that the width of a line joins.
TIED = (0.05, 0.3)
#: How evenly places are chosen: the shape of the gamma distribution of the way from one to the next.
EVENNESS = (1.0, 6.0, 60.0, 1e4)
#: Most deaths on either side of the likeliest number that are weighed.
WIDEST = 40


@njit(cache=True, error_model="numpy", nogil=True)
def _poisson(k: Any, mean: Any) -> Any:
    return exp(k * log(mean) - mean - lgamma(k + 1.0))


@njit(cache=True, error_model="numpy", nogil=True)
def _summed(weight: Any, first: Any, number: Any, least: Any, mean: Any) -> Any:
    """The sum of `weight` (of first, first + 1 ... deaths) over a Poisson number of deaths beyond `least`."""
    start = max(first, least)
    total, chance = 0.0, _poisson(start - least, mean)
    for d in range(start, first + number):
        total += weight[d - first] * chance
        chance *= mean / (d - least + 1.0)
    return total


@njit(cache=True, error_model="numpy", nogil=True)
def _deaths(weight: Any, fall: Any, ng: Any, sigma: Any) -> Any:
    """Fills `weight` with the likelihood of a fall under each number of deaths; the first number and how many there are."""
    # The number at risk is itself uncertain, the more so the fewer there are.
    vague = 0.1 + 0.5 / sqrt(ng)
    usual = max(fall, 0.0) * ng
    half = min(ceil(2.5 * sqrt(2 * (sigma * ng) ** 2 + (vague * usual) ** 2)) + 1, WIDEST)
    first = max(floor(usual) - half, 0)
    number = floor(usual) + half + 2 - first
    for j in range(number):
        d = first + j
        spread = sqrt(2 * sigma * sigma + (vague * d / ng) ** 2)
        z = (fall - d / ng) / spread
        weight[j] = exp(-0.5 * z * z) / spread
    return first, number


@njit(cache=True, error_model="numpy", nogil=True)
def _turning(flat: Any, edge: Any) -> Any:
    """Log likelihood of moves that are flats and edges by turns, with one slip at most."""
    odd, even = 0.0, 0.0
    for i in range(flat.size):
        odd += edge[i] if i % 2 else flat[i]
        even += flat[i] if i % 2 else edge[i]
    best, ahead, behind = odd, 0.0, 0.0
    for i in range(flat.size):
        ahead += edge[i] if i % 2 else flat[i]
        behind += flat[i] if i % 2 else edge[i]
        best = max(best, ahead + even - behind - log(2.0 * flat.size))
    return best


@njit(cache=True, error_model="numpy", nogil=True)
def moves_weighed(
    time: Any, fall: Any, spacing: Any, rate: Any, ng: Any, sigma: Any, sigma_t: Any, axis: Any, steps: Any
) -> Any:
    """Log likelihoods of rows as places, as drops, as drops on a grid of times, and as corners; see row_kinds.Moves."""
    m = fall.size
    weight = np.empty(2 * WIDEST + 4)
    even, drops = np.zeros(len(EVENNESS)), np.zeros(len(SMALLEST) * (len(TIED) + 1))
    grids, flat, edge = np.zeros(steps.size), np.empty(m), np.empty(m)
    for i in range(m):
        gap = time[i + 1] - time[i]
        first, number = _deaths(weight, fall[i], ng[i], sigma)
        none = exp(-0.25 * (fall[i] / sigma) ** 2) / (sqrt(2.0) * sigma)
        anywhere = exp(-gap / spacing[i]) / spacing[i]
        stray = STRAY * none * anywhere + 1e-300
        seen = log(_summed(weight, first, number, 0, max(rate[i] * gap, 1e-6)) + 1e-12)
        x = max(gap / spacing[i], 0.02)
        for k, a in enumerate(EVENNESS):
            g = exp(a * log(a) + (a - 1) * log(x) - a * x - lgamma(a)) / spacing[i]
            even[k] += seen + log((1 - STRAY) * g + STRAY * anywhere)
        joined = min(rate[i] * axis / 150, 2.0) + TIED[0]
        for k, smallest in enumerate(SMALLEST):
            least = max(ceil(smallest * ng[i] - 0.3), 1)
            wait = exp(-rate[i] * gap) * rate[i]
            if least > 1:
                wait = rate[i] * _poisson(least - 1.0, rate[i] * max(gap, 0.5 * sigma_t))
            for j in range(len(TIED) + 1):
                tied = TIED[j] if j < len(TIED) else joined
                share = _summed(weight, first, number, least, tied)
                drops[3 * k + j] += log((1 - STRAY) * wait * share + stray)
        for k in range(steps.size):
            step = steps[k]
            passed = max(round(gap / step), 1.0)
            off = (time[i + 1] - step * round(time[i + 1] / step)) / sigma_t
            near = exp(-0.5 * off * off - rate[i] * step * (passed - 1)) / (sigma_t * sqrt(2 * pi))
            share = _summed(weight, first, number, 0, rate[i] * step)
            share -= weight[0] * exp(-rate[i] * step) if first == 0 else 0.0
            grids[k] += log((1 - STRAY) * near * max(share, 0.0) + stray)
        flat[i] = log(rate[i] * exp(-rate[i] * gap) * none + stray)
        narrow = exp(-0.25 * (gap / sigma_t) ** 2) / (sigma_t * sqrt(pi))
        edge[i] = log(narrow * _summed(weight, first, number, 1, 0.15) + stray)
    on_grid = grids.max() if steps.size else -np.inf
    return np.array([even.max(), drops.max(), on_grid, _turning(flat, edge)])
