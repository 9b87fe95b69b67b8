"""Compiled comparison of many pairs of patient sets: Cox's log hazard ratio with its error, and the log-rank statistic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from metagrove.core.values import Array

__all__ = ["compared"]

_compiled = njit(cache=True, error_model="numpy", nogil=True)

#: Log hazard ratio beyond which an arm without events is taken to lie.
FARTHEST = 12.0


@_compiled
def _death_rows(t0: Any, e0: Any, t1: Any, e1: Any, rows: Any) -> Any:
    """At risk and dead in either arm at each time of death, into `rows` (k, 4); their number."""
    p, q, k = 0, 0, 0
    while p < t0.size or q < t1.size:
        t = t0[p] if q >= t1.size or (p < t0.size and t0[p] <= t1[q]) else t1[q]
        r0, r1, d0, d1 = t0.size - p, t1.size - q, 0, 0
        while p < t0.size and t0[p] == t:
            d0 += e0[p]
            p += 1
        while q < t1.size and t1[q] == t:
            d1 += e1[q]
            q += 1
        if d0 + d1 > 0:
            rows[k, 0], rows[k, 1], rows[k, 2], rows[k, 3] = r0, r1, d0, d1
            k += 1
    return k


@_compiled
def _efron(rows: Any, k: Any) -> Any:
    """Efron's log hazard ratio of the second arm and the information there, by Newton's steps."""
    beta, info = 0.0, 0.0
    for _ in range(40):
        score, info, hr = 0.0, 0.0, np.exp(beta)
        for i in range(k):
            r0, r1, d0, d1 = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
            d = int(d0 + d1)
            score += d1
            for j in range(d):
                f = j / d
                a = hr * (r1 - f * d1)
                share = a / (a + r0 - f * d0)
                score -= share
                info += share * (1.0 - share)
        if info <= 1e-12 or abs(beta) > FARTHEST:
            break
        step = score / info
        beta += min(max(step, -1.0), 1.0)
        if abs(step) < 1e-9:
            break
    return beta, info


@_compiled
def _pairs(t0: Any, e0: Any, t1: Any, e1: Any, pairs: Any, out: Any) -> None:
    rows = np.empty((t0.shape[1] + t1.shape[1], 4))
    for m in range(pairs.shape[0]):
        i, j = pairs[m, 0], pairs[m, 1]
        k = _death_rows(t0[i], e0[i], t1[j], e1[j], rows)
        beta, info = _efron(rows, k)
        off, spread = 0.0, 0.0
        for r in range(k):
            n, d = rows[r, 0] + rows[r, 1], rows[r, 2] + rows[r, 3]
            off += rows[r, 3] - d * rows[r, 1] / n
            if n > 1.0:
                spread += d * rows[r, 0] * rows[r, 1] * (n - d) / (n * n * (n - 1.0))
        out[m, 0] = beta
        out[m, 1] = 1.0 / np.sqrt(max(info, 1e-12))
        out[m, 2] = off / np.sqrt(spread) if spread > 0.0 else 0.0


def compared(
    control: tuple[Array, NDArray[np.bool_]], treated: tuple[Array, NDArray[np.bool_]], pairs: NDArray[np.int64]
) -> Array:
    """Log hazard ratio (treated against control), its standard error and log-rank z of each pair; shape (pairs, 3).

    Parameters
    ----------
    control, treated : times and events of patient sets, shape (sets, patients), each row sorted by time.
    pairs : shape (pairs, 2), numbers of the sets to compare.

    Notes
    -----
    Ties by Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557-565.
    doi:10.1080/01621459.1977.10480613
    """
    out = np.empty((len(pairs), 3))
    _pairs(control[0], control[1], treated[0], treated[1], pairs, out)
    return out
