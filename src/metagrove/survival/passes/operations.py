"""Compiled steps of the forward pass over a hidden path: what an operation makes of every state of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from metagrove.survival.passes.tables import (
    ARRIVE,
    CARRY,
    CENTRE,
    CONSUME,
    DIED,
    FIRST,
    FORCE,
    HAZARD,
    KIND,
    LEVEL,
    LINE,
    LOOK,
    LOW,
    MASS,
    MOST,
    NEXT,
    ORIGIN,
    PULL,
    SCORE,
    SEEN,
    SOURCE,
    SPREAD,
    TAG,
    TOLL,
    UNSEEN,
    UP,
    WEIGHT,
    A,
    B,
    C,
    N,
)

__all__ = ["censored", "dropped", "told"]

# Arrays pass between the compiled functions in few pieces and are unpacked before each loop: an array touched through a
# tuple inside a loop is counted anew each time, which costs ten times the arithmetic.
_compiled = njit(cache=True, error_model="numpy", nogil=True)
_inlined = njit(cache=True, inline="always")


@_inlined
def _slot(keys: Any, nodes: Any, whole: Any, layer: Any, key: Any, tag: Any) -> Any:
    """The slot of the state `key`, `tag` in the layer that starts at node `layer`, or the free slot where it belongs.

    A slot whose node is of an earlier layer is free.
    """
    mask = np.uint64(keys.size - 1)
    mixed = (key ^ (key >> np.uint64(32)) ^ np.uint64(tag)) * np.uint64(0x9E3779B97F4A7C15)
    slot = (mixed >> np.uint64(40)) & mask
    while nodes[slot] >= layer and (keys[slot] != key or whole[nodes[slot], TAG] != tag):
        slot = (slot + np.uint64(1)) & mask
    return slot


@_inlined
def _key(n: Any, died: Any, level: Any, width: Any) -> Any:
    """Number at risk, deaths and the level's bin in one number (20, 20 and 24 bits)."""
    return (((np.uint64(n) << np.uint64(20)) | np.uint64(died)) << np.uint64(24)) | np.uint64(level / width + 0.5)


@_compiled
def censored(whole: Any, real: Any, keys: Any, nodes: Any, heads: Any, op: Any, lim: Any, start: Any, ends: Any) -> Any:
    """Every number censored in a gap: a clumped count, walked down one patient at a time. Returns whether there was room."""
    w, q, sure, low, centre, spread = op[A], op[B], int(op[C]), int(op[LOW]), op[CENTRE], op[SPREAD]
    stay, leave = 1.0 - w + w * (1.0 - q), w * (1.0 - q)
    peak, width, need = lim.peak, lim.bin, lim.events + lim.alive if lim.events >= 0 else -1
    pull, followed, stop = op[PULL], op[SEEN], ends[0]
    room = min(whole.shape[0], stop + keys.size // 2)
    made, top, lowest = stop, 0, lim.n
    for s in range(start, stop):
        n, died, tag, level = whole[s, N] - sure, whole[s, DIED], whole[s, TAG], real[s, LEVEL]
        if real[s, WEIGHT] <= 0.0 or n < 0 or n + died < need:
            continue
        key = _key(n, died, level, width)
        slot = _slot(keys, nodes, whole, stop, key, tag)
        v = nodes[slot]
        if v >= stop:  # two levels rounded into one bin
            real[v, SOURCE] += real[s, WEIGHT]
            continue
        if made >= room:
            return False
        v, made = made, made + 1
        keys[slot], nodes[slot] = key, v
        whole[v, N], whole[v, DIED], whole[v, TAG], real[v, LEVEL] = n, died, tag, level
        real[v, SOURCE], real[v, CARRY], whole[v, UP], whole[v, FIRST] = real[s, WEIGHT], 0.0, -1, s
        whole[v, LINE], heads[n] = heads[n], v
        top, lowest = max(top, n), min(lowest, n)
    n = top
    while n >= lowest:
        v = heads[n]
        heads[n] = -1
        while v >= 0:
            a, c, died, tag, level = real[v, SOURCE], real[v, CARRY], whole[v, DIED], whole[v, TAG], real[v, LEVEL]
            if peak == 0:
                real[v, WEIGHT] = stay * a + c if n >= low else 0.0
                down = q * (c + leave * a)
            else:
                z = (n - centre) / spread
                real[v, WEIGHT] = max(a, c) * np.exp(-0.5 * z * z) if n >= low else 0.0
                down = max(a, c) if n > centre - 6.0 * spread else 0.0
            if n - 1 >= low and n - 1 + died >= need and down > lim.chain_cut:
                key = _key(n - 1, died, level, width)
                slot = _slot(keys, nodes, whole, stop, key, tag)
                u = nodes[slot]
                if u < stop:
                    if made >= room:
                        return False
                    u, made = made, made + 1
                    keys[slot], nodes[slot] = key, u
                    whole[u, N], whole[u, DIED], whole[u, TAG], real[u, LEVEL] = n - 1, died, tag, level
                    real[u, SOURCE], whole[u, FIRST] = 0.0, -1
                    whole[u, LINE], heads[n - 1] = heads[n - 1], u
                elif peak == 0:
                    real[u, LEVEL] += (level - real[u, LEVEL]) * (down / (down + stay * real[u, SOURCE]))
                elif down > real[u, SOURCE]:
                    real[u, LEVEL] = level
                real[u, CARRY], whole[u, UP] = down, v
                lowest = min(lowest, n - 1)
            if pull != 0.0:
                real[v, WEIGHT] *= np.exp(min(pull * (n - centre), 300.0))
            if followed > 0.0 and peak == 0:
                real[v, WEIGHT] *= (n / lim.n) ** followed
            v = whole[v, LINE]
        n -= 1
    ends[1] = made
    return True


@_inlined
def _told(op: Any, n: Any, tag: Any, j: Any, w: Any) -> Any:
    """Number at risk, tag and weight of a state after a fact, in its way `j`; a number of -1 where there is none.

    The ways: whether a number at risk is seen, or how many marks become censorings. The tag holds 2 * marks pending +
    (number at risk seen).
    """
    kind, a, pending = op[KIND], op[A], tag // 2
    last = 0
    if kind == LOOK and tag % 2 == 0 and n == int(a):
        last = 1
    elif kind == FORCE:
        last = tag % 2 - 1
    elif kind == CONSUME and a >= 0.0:
        last = pending
    if j > last:
        return -1, tag, -1.0
    if kind == LOOK:
        return n, tag + j, w * op[B] if j == 1 else w
    if kind == FORCE:
        return n, tag - 1, w
    if kind == ARRIVE:
        return n, tag + 2 * int(a), w
    if kind == SCORE:
        return n, tag, w * (op[B] ** (n - int(a)) if n >= int(a) else op[C] ** (int(a) - n))
    if a < 0.0:
        return n, tag % 2, w
    if pending - j > int(op[B]) or n - j < op[LOW]:
        return n, tag, 0.0
    return n - j, tag - 2 * j, w * a**j * ((1.0 - a) if j < pending else 1.0)


@_compiled
def dropped(
    whole: Any, real: Any, edges: Any, load: Any, keys: Any, nodes: Any, op: Any, lim: Any, start: Any, ends: Any
) -> Any:
    """Every number of deaths that brings a state near the level read. Returns whether there was room."""
    a, b, c, hazard, mass, low, most = op[A], op[B], op[C], op[HAZARD], op[MASS], int(op[LOW]), int(op[MOST])
    pull, toll, centre, blind = op[PULL], op[TOLL], op[CENTRE], op[SEEN]
    off, peak, width, floor = lim.reach * b, lim.peak, lim.bin, lim.cut * 1e-2
    counted, least, tilted = lim.events >= 0, 1 if hazard < 0.0 else 0, pull != 0.0 or toll != 0.0
    stop, made, e = ends[0], ends[1], ends[2]
    room, links = min(whole.shape[0], stop + keys.size // 2), load.size
    for s in range(start, stop):
        w = real[s, WEIGHT]
        if w <= floor:
            continue
        n, died, tag, level = whole[s, N], whole[s, DIED], whole[s, TAG], real[s, LEVEL]
        usual, many, enough, some = 0.8 * (1.0 - c), 0.2 * (1.0 - mass), 1, 0.0
        fixed = n <= 0 or level <= 0.0
        if fixed:
            first, last = 0, 0 if least == 0 and abs(level - a) <= off else -1
        else:
            first = max(least, int(np.ceil(n * (1.0 - (a + off) / level) - 1e-9)))
            last = min(n - low, int(np.floor(n * (1.0 - (a - off) / level) + 1e-9)))
            if counted:
                last = min(last, most - died)
            if least == 0:
                some = hazard * n / (1.0 + hazard * n)
            if blind > 0.0:
                enough = max(1, min(int(np.ceil(blind * n / level - 0.1)), n))
            if first > enough:
                usual, many = usual * c ** (first - enough), many * mass ** (first - enough)
        for d in range(first, last + 1):
            to_n, to_died, to_level = n, died, level
            if not fixed:
                to_n, to_level, to_died = n - d, level * (n - d) / n, died + d if counted else 0
            z = (to_level - a) / b
            x = w * np.exp(-0.5 * z * z)
            if d > 0 and d < enough:
                x *= (usual + many) * UNSEEN ** (enough - d)
            elif d > 0:
                x *= usual + many
                usual, many = usual * c, many * mass
            if least == 0 and not fixed:
                x *= 1.0 - some if d == 0 else some
            if tilted:
                x *= np.exp(min(pull * (to_n - centre) + toll * (n - to_n), 300.0))
            if x <= 1e-300:
                continue
            key = _key(to_n, to_died, to_level, width)
            slot = _slot(keys, nodes, whole, stop, key, tag)
            v = nodes[slot]
            if e >= links:
                return False
            edges[e, ORIGIN], load[e] = s, x
            if v < stop:
                if made >= room:
                    return False
                v, made = made, made + 1
                keys[slot], nodes[slot] = key, v
                whole[v, N], whole[v, DIED], whole[v, TAG], real[v, LEVEL] = to_n, to_died, tag, to_level
                real[v, WEIGHT], edges[e, NEXT] = x, -1
            else:
                edges[e, NEXT] = whole[v, FIRST]
                if peak == 0:
                    real[v, WEIGHT] += x
                    real[v, LEVEL] += (to_level - real[v, LEVEL]) * x / real[v, WEIGHT]
                elif x > real[v, WEIGHT]:
                    real[v, WEIGHT], real[v, LEVEL] = x, to_level
            whole[v, FIRST] = e
            e += 1
    ends[1], ends[2] = made, e
    return True


@_compiled
def told(
    whole: Any, real: Any, edges: Any, load: Any, keys: Any, nodes: Any, op: Any, lim: Any, start: Any, ends: Any
) -> Any:
    """What a fact makes of every state. Returns whether there was room."""
    pull, toll, centre, peak, width = op[PULL], op[TOLL], op[CENTRE], lim.peak, lim.bin
    stop, made, e = ends[0], ends[1], ends[2]
    room = min(whole.shape[0], stop + keys.size // 2)
    for s in range(start, stop):
        w, n, died, tag, level = real[s, WEIGHT], whole[s, N], whole[s, DIED], whole[s, TAG], real[s, LEVEL]
        if w <= 0.0:
            continue
        for d in range(2 + tag // 2):
            to_n, to_tag, x = _told(op, n, tag, d, w)
            if pull != 0.0 or toll != 0.0:
                x *= np.exp(min(pull * (to_n - centre) + toll * (n - to_n), 300.0))
            if x <= 0.0 or to_n < 0:
                continue
            key = _key(to_n, died, level, width)
            slot = _slot(keys, nodes, whole, stop, key, to_tag)
            v = nodes[slot]
            if v < stop:
                if made >= room:
                    return False
                v, made = made, made + 1
                keys[slot], nodes[slot] = key, v
                whole[v, N], whole[v, DIED], whole[v, TAG], real[v, LEVEL], real[v, WEIGHT], whole[v, FIRST] = (
                    to_n,
                    died,
                    to_tag,
                    level,
                    0.0,
                    -1,
                )
            if e >= load.size:
                return False
            edges[e, ORIGIN], load[e], edges[e, NEXT] = s, x, whole[v, FIRST]
            whole[v, FIRST] = e
            e += 1
            if peak == 0:
                real[v, WEIGHT] += x
                real[v, LEVEL] += (level - real[v, LEVEL]) * x / real[v, WEIGHT]
            elif x > real[v, WEIGHT]:
                real[v, WEIGHT], real[v, LEVEL] = x, level
    ends[1], ends[2] = made, e
    return True
