"""Compiled simulation of clicks that change places. Kept apart because importing it compiles (once; the result is cached)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["disturbed"]


@njit(cache=True, error_model="numpy", nogil=True)
def _disturbed(time: Any, level: Any, sigma: Any, sigma_t: Any, score: Any, rises: Any) -> Any:
    m, left = time.size, 0.0
    t, s, u = np.empty(m), np.empty(m), np.empty(m)
    for k in range(score.shape[0]):
        for i in range(m):
            # Clicks are nearly in order, so that each finds its place a few steps back.
            when, value = time[i] + sigma_t * score[k, 0, i], level[i] + sigma * score[k, 1, i]
            j = i
            while j > 0 and t[j - 1] > when:
                t[j], s[j] = t[j - 1], s[j - 1]
                j -= 1
            t[j], s[j] = when, value
            j = i
            while j > 0 and u[j - 1] < value:
                u[j] = u[j - 1]
                j -= 1
            u[j] = value
        for i in range(m):
            if i > 0 and s[i] > s[i - 1]:
                rises[k] += s[i] - s[i - 1]
            left += (u[i] - level[i]) ** 2
    return left / (m * score.shape[0])


def disturbed(
    time: NDArray[np.float64],
    level: NDArray[np.float64],
    sigma: float,
    sigma_t: float,
    score: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """The sum of all rises in each set of clicks on a falling curve, and what is left of their error once put in order.

    Parameters
    ----------
    time, level : shape (m,), where the curve was clicked, rising and falling. sigma, sigma_t : standard errors of a click in
        survival and in time. score : shape (sets, 2, m), standard normal errors in time and survival.

    Returns
    -------
    Shape (sets,), and the mean squared distance of levels in order from the curve.
    """
    rises = np.zeros(score.shape[0])
    return rises, float(_disturbed(time, level, sigma, sigma_t, score, rises))
