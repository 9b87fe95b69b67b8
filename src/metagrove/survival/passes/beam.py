"""Compiled choice of the states that a forward pass keeps: those of the best prospects, or by lot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from metagrove.survival.passes.tables import (
    CARRY,
    COUNT,
    DIED,
    DYING,
    LEVEL,
    LOTS,
    OUTLOOK,
    STAYING,
    WEIGHT,
    N,
)

__all__ = ["MANY", "drawn_lots", "gathered", "thinned"]

#: States dropped from a layer at once from which on their room is used again.
MANY = 150

_compiled = njit(cache=True, error_model="numpy", nogil=True)


@_compiled
def _prospects(whole: Any, real: Any, op: Any, lim: Any, start: Any, stop: Any, last: Any) -> Any:
    """The best prospect of a layer: a weight times how well the state can still meet what follows; all go into `CARRY`.

    None after the `last` drop without the total of deaths.
    """
    dying, staying, count, best = op[DYING], op[STAYING], op[COUNT], 0.0
    loose, slack = 0.25 * min(dying, 1.0 - dying), 0.15 * min(staying, 1.0 - staying)
    for v in range(start, stop):
        n, z2 = whole[v, N], 0.0
        if lim.events >= 0:
            z = lim.events - whole[v, DIED] - n * dying
            z2 += z * z / (1.0 + n * dying * (1.0 - dying) + (loose * n) ** 2)
        if count >= 0:
            z = count - n * staying
            z2 += z * z / (1.0 + 2.0 * n * staying * (1.0 - staying) + (slack * n) ** 2)
        real[v, CARRY] = real[v, WEIGHT] * ((1.0 if z2 == 0.0 else np.exp(-0.5 * z2)) + 1e-12)
        if last and lim.events >= 0 and whole[v, DIED] != lim.events:
            real[v, CARRY] = 0.0
        best = max(best, real[v, CARRY])
    return best


@_compiled
def _looked_ahead(whole: Any, real: Any, op: Any, lim: Any, start: Any, stop: Any, last: Any, hope: Any) -> Any:
    """The sum of the prospects of a layer by the normal law of all that follows; all go into `hope`."""
    m0, m1, m2, h0, h1, h2, a00, a01, a02, a11, a12, a22 = op[OUTLOOK:LOTS]
    top, counted = -np.inf, lim.events >= 0
    for v in range(start, stop):
        hope[v - start] = -np.inf
        if real[v, WEIGHT] <= 0.0 or (last and counted and whole[v, DIED] != lim.events):
            continue
        x, z = whole[v, N] - m0, real[v, LEVEL] * lim.n - m2
        y = whole[v, DIED] - m1 if counted else 0.0
        ahead = h0 * x + h1 * y + h2 * z - x * (0.5 * a00 * x + a01 * y + a02 * z) - y * (0.5 * a11 * y + a12 * z)
        hope[v - start] = ahead - 0.5 * a22 * z * z
        top = max(top, hope[v - start])
    total = 0.0
    for v in range(start, stop):
        u = v - start
        hope[u] = real[v, WEIGHT] * np.exp(hope[u] - top) if hope[u] > -np.inf else 0.0
        total += hope[u]
    return total


@_compiled
def thinned(whole: Any, real: Any, op: Any, lim: Any, start: Any, stop: Any, last: Any) -> Any:
    """Weights without hopeless states: at most about `keep` remain, those with the best prospects.

    Returns the share of all prospects that is kept.
    """
    best, left, whole_sum, kept_sum = _prospects(whole, real, op, lim, start, stop, last), 0, 0.0, 0.0
    for v in range(start, stop):
        whole_sum += real[v, CARRY]
        if real[v, CARRY] < lim.cut * best or real[v, CARRY] <= 0.0:
            real[v, WEIGHT], real[v, CARRY] = 0.0, 0.0
        else:
            left += 1
            kept_sum += real[v, CARRY]
    if left <= lim.keep or best <= 0.0:
        return kept_sum / whole_sum if best > 0.0 else 1.0
    tally = np.zeros(64, np.int64)
    for v in range(start, stop):
        if real[v, CARRY] > 0.0:
            tally[min(int(-np.log2(real[v, CARRY] / best) * 2), 63)] += 1
    kept, halves = 0, 0
    while halves < 63 and kept + tally[halves] <= lim.keep:
        kept += tally[halves]
        halves += 1
    cut = best * 2.0 ** (-max(halves, 1) / 2)
    kept_sum = 0.0
    for v in range(start, stop):
        if real[v, CARRY] < cut:
            real[v, WEIGHT] = 0.0
        else:
            kept_sum += real[v, CARRY]
    return kept_sum / whole_sum


@_compiled
def drawn_lots(whole: Any, real: Any, op: Any, lim: Any, start: Any, stop: Any, last: Any, chance: Any) -> None:
    """Weights of which about `keep` remain: states of good prospects as they are, the others by lot and then worth more.

    No state is left out on the whole: a lot is won with a chance in proportion to the prospect, and what is kept has its
    weight divided by that chance (Fearnhead P, Clifford P. On-line inference for hidden Markov models via particle filters. J R Stat Soc B
    2003;65:887-899. doi:10.1111/1467-9868.00421).

    Parameters
    ----------
    chance : a uniform number, by which the lots are drawn (systematically).
    """
    hope = np.empty(stop - start)
    if _looked_ahead(whole, real, op, lim, start, stop, last, hope) <= 0.0:
        for v in range(start, stop):
            real[v, WEIGHT] = 0.0
        return
    # The bar above which all are kept: those below it have, together, as many lots as there is room left.
    bar = 0.0
    for _ in range(8):
        above, below = 0, 0.0
        for prospect in hope:
            if bar > 0.0 and prospect >= bar:
                above += 1
            else:
                below += prospect
        fresh = below / max(lim.keep - above, 1.0)
        if abs(fresh - bar) <= 0.02 * bar:
            break
        bar = fresh
    turn = chance
    for v in range(start, stop):
        prospect = hope[v - start]
        if prospect >= bar:
            continue
        turn += prospect / bar
        if turn >= 1.0:
            turn -= 1.0
            real[v, WEIGHT] *= bar / prospect
        else:
            real[v, WEIGHT] = 0.0


@_compiled
def gathered(whole: Any, real: Any, nodes: Any, start: Any, stop: Any, place: Any, least: Any) -> Any:
    """The end of a layer that is moved to `place` without the states dropped, or left as it is where these are fewer than `least`.

    Memory costs more than the states.
    """
    left = 0
    for v in range(start, stop):
        left += real[v, WEIGHT] > 0.0
    if stop - start - left < least:
        return stop
    u = place
    for v in range(start, stop):
        if real[v, WEIGHT] > 0.0:
            for i in range(whole.shape[1]):
                whole[u, i] = whole[v, i]
            for i in range(real.shape[1]):
                real[u, i] = real[v, i]
            u += 1
    nodes[:] = -1
    return u
