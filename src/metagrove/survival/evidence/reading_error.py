"""The likeliest error with which clicks were read, given how their likelihood goes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from metagrove.survival.evidence.steps import CLICK_S

__all__ = ["ERRORS", "RATIO", "Shown", "error_mode"]

#: What the disorder of clicks tells of their error, see click_noise.Disorder.shown.
Shown: TypeAlias = Callable[[float], tuple[float, float]]

#: Readings that the usual error of a click counts for, beside those at hand.
PRIOR_READINGS = 6.0
#: Smallest and largest standard error of a click that is considered.
ERRORS = (1e-4, 0.02)
#: Steps between the errors tried.
RATIO = 1.4
#: Uncertainty of the logarithm of the error at most.
WIDEST = 0.4


def error_mode(likelihood: Callable[[float], float], shown: Shown, base: float) -> tuple[float, float, float]:
    """The likeliest error near `base`, the share of it left in readings brought to order, and the spread of its logarithm.

    Parameters
    ----------
    likelihood : log likelihood of the readings against what is left of their error, but for a constant.
    """
    known: dict[int, float] = {}

    def score(i: int) -> float:
        if i not in known:
            sigma = base * RATIO**i
            known[i] = -np.inf
            if ERRORS[0] <= sigma <= ERRORS[1]:
                order, left = shown(sigma)
                prior = -PRIOR_READINGS * (np.log(sigma) + 0.5 * (CLICK_S / sigma) ** 2)
                known[i] = likelihood(left * sigma) + order + prior
        return known[i]

    best = 0
    for step in (1, -1):
        while score(best + step) > score(best):
            best += step
    low, mid, high = score(best - 1), score(best), score(best + 1)
    if not np.isfinite(low + mid + high):
        sigma = base * RATIO**best
        return sigma, shown(sigma)[1], float(np.log(RATIO)) / 2
    bend = max(2 * mid - low - high, 1e-3)
    shift = float(np.clip((high - low) / (2 * bend), -0.5, 0.5))
    left = [shown(base * RATIO**i)[1] for i in (best - 1, best, best + 1)]
    spread = min(float(np.log(RATIO) / np.sqrt(bend)), WIDEST)
    return base * RATIO ** (best + shift), float(np.interp(shift, (-1, 0, 1), left)), spread
