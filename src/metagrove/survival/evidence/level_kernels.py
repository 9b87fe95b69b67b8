"""Compiled fit of levels that never rise. Kept apart because importing it compiles (once; the result is cached)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["pooled"]


@njit(cache=True, error_model="numpy", nogil=True)
def pooled(values: Any, weights: Any) -> Any:
    """Adjacent values that rise, pooled into their weighted mean; shape (m,) each (see steps.falling)."""
    m = values.size
    mean, load, stop = np.empty(m), np.empty(m), np.empty(m, np.int64)
    blocks = 0
    for i in range(m):
        value, weight = values[i], weights[i]
        while blocks > 0 and mean[blocks - 1] <= value:
            blocks -= 1
            value = (value * weight + mean[blocks] * load[blocks]) / (weight + load[blocks])
            weight += load[blocks]
        mean[blocks], load[blocks], stop[blocks] = value, weight, i + 1
        blocks += 1
    out, start = np.empty(m), 0
    for k in range(blocks):
        out[start : stop[k]] = mean[k]
        start = stop[k]
    return out
