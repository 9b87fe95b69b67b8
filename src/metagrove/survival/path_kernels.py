"""Compiled recursions over the hidden path (number at risk, deaths so far, survival) behind a Kaplan-Meier curve.

A path passes through operations in time order: censoring in a gap, a drop of the curve, a printed number at risk, a
censor mark. The forward pass keeps the weight of every state that can still explain the curve; the backward pass draws
whole paths. Kept apart because importing it compiles (once; the result is cached on disk).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

__all__ = [
    "ARRIVE",
    "CENSOR",
    "CONSUME",
    "DROP",
    "FORCE",
    "LOOK",
    "SCORE",
    "Limits",
    "Operations",
    "forward",
    "sampled",
]

CENSOR, DROP, LOOK, FORCE, ARRIVE, CONSUME, SCORE = 0, 1, 2, 3, 4, 5, 6


class Operations(NamedTuple):
    """The operations in time order, one array each, shape (k,).

    kind : CENSOR, DROP, LOOK (a number at risk may be seen now), FORCE (it must have been seen), ARRIVE (marks whose
        side of a drop is unknown), CONSUME (such marks become censorings), SCORE (marks against those left at the end).
    a, b, c : CENSOR: chance of a clump, its ratio, censorings that are sure. DROP: level read, its standard error, ratio of the deaths
        beyond the first. LOOK: count, weight. ARRIVE: marks. CONSUME: chance each, marks that may remain.
        SCORE: marks, ratio for each patient more, ratio for each less.
    hazard : DROP: -1 where a death is sure, else the deaths per patient expected since the last reading.
    low : smallest number at risk after the operation that leaves patients for all that follows.
    most : most deaths up to and including the operation.
    centre, spread : pull of the number at risk after a CENSOR in a max-product pass.
    mass : DROP: a second, larger ratio, for drops of many deaths at once.
    dying : share of those at risk expected to die later. staying, count : share expected to be at risk at the next
        printed number, and that number (-1: none). All three only steer what is kept.
    """

    kind: Any
    a: Any
    b: Any
    c: Any
    hazard: Any
    low: Any
    most: Any
    centre: Any
    spread: Any
    mass: Any
    dying: Any
    staying: Any
    count: Any


class Limits(NamedTuple):
    """What bounds a pass.

    n : patients. events : total deaths or -1. alive : 1 where the curve ends above 0. bin : width within which levels
    are one state. reach : standard errors a level may be off. cut : smallest weight kept, relative to the best, and
    chain_cut the same within a gap. keep : most states kept. peak : 1 for max-product, 0 for sum-product. nodes, edges :
    room. bits : size of the look-up table.
    """

    n: int
    events: int
    alive: int
    bin: float
    reach: float
    cut: float
    chain_cut: float
    keep: int
    peak: int
    nodes: int
    edges: int
    bits: int


class Beam(NamedTuple):
    n: Any
    died: Any
    tag: Any
    level: Any
    weight: Any
    source: Any
    carry: Any
    up: Any
    first: Any
    line: Any


class Edges(NamedTuple):
    source: Any
    weight: Any
    next: Any


class Table(NamedTuple):
    key: Any
    node: Any
    stamp: Any


@njit(cache=True)
def _beam(nodes: Any, edges: Any, bits: Any) -> Any:
    i4, f8 = np.int32, np.float64
    beam = Beam(
        np.empty(nodes, i4),
        np.empty(nodes, i4),
        np.empty(nodes, i4),
        np.empty(nodes, f8),
        np.empty(nodes, f8),
        np.empty(nodes, f8),
        np.empty(nodes, f8),
        np.empty(nodes, i4),
        np.empty(nodes, i4),
        np.empty(nodes, i4),
    )
    links = Edges(np.empty(edges, i4), np.empty(edges, f8), np.empty(edges, i4))
    size = 1 << bits
    table = Table(np.empty(size, np.uint64), np.empty(size, i4), np.zeros(size, i4))
    return beam, links, table


@njit(cache=True)
def _node(beam: Any, table: Any, count: Any, stamp: Any, n: Any, died: Any, tag: Any, level: Any, width: Any) -> Any:
    """The node with these values in the layer that `stamp` names, made if absent; -1 without room."""
    bin_ = np.uint64(level / width + 0.5)
    key = (((np.uint64(n) << np.uint64(16)) | np.uint64(died)) << np.uint64(8) | np.uint64(tag)) << np.uint64(24) | bin_
    size = table.key.size
    mask = np.uint64(size - 1)
    slot = ((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
    while table.stamp[slot] == stamp:
        if table.key[slot] == key:
            return table.node[slot]
        slot = (slot + np.uint64(1)) & mask
    v = count[0]
    if v >= beam.n.size or v - count[2] > size // 2:
        return -1
    count[0] = v + 1
    table.stamp[slot], table.key[slot], table.node[slot] = stamp, key, v
    beam.n[v], beam.died[v], beam.tag[v], beam.level[v] = n, died, tag, level
    beam.weight[v], beam.source[v], beam.carry[v] = 0.0, 0.0, 0.0
    beam.up[v], beam.first[v] = -1, -1
    return v


@njit(cache=True)
def _join(beam: Any, links: Any, count: Any, v: Any, s: Any, weight: Any, level: Any, peak: Any) -> Any:
    """Weight `weight` from node `s` into node `v`; False without room."""
    e = count[1]
    if e >= links.source.size:
        return False
    count[1] = e + 1
    links.source[e], links.weight[e], links.next[e] = s, weight, beam.first[v]
    beam.first[v] = e
    if peak == 0:
        beam.weight[v] += weight
        beam.level[v] += (level - beam.level[v]) * weight / beam.weight[v]
    elif weight > beam.weight[v]:
        beam.weight[v], beam.level[v] = weight, level
    return True


@njit(cache=True)
def _censor(
    beam: Any, table: Any, count: Any, stamp: Any, ops: Any, lim: Any, o: Any, start: Any, stop: Any, heads: Any
) -> Any:
    """Every number censored in a gap: a clumped count, walked down one patient at a time."""
    w, q = ops.a[o], ops.b[o]
    stay, leave = 1.0 - w + w * (1.0 - q), w * (1.0 - q)
    low, top, lowest, sure = ops.low[o], 0, lim.n, int(ops.c[o])
    for s in range(start, stop):
        if beam.weight[s] <= 0.0:
            continue
        n = beam.n[s] - sure
        if n < 0 or (lim.events >= 0 and n + beam.died[s] < lim.events + lim.alive):
            continue
        v = _node(beam, table, count, stamp, n, beam.died[s], beam.tag[s], beam.level[s], lim.bin)
        if v < 0:
            return False
        beam.source[v], beam.first[v] = beam.weight[s], s
        beam.line[v], heads[n] = heads[n], v
        top, lowest = max(top, n), min(lowest, n)
    n = top
    while n >= 0:
        v = heads[n]
        heads[n] = -1
        while v >= 0:
            a, c = beam.source[v], beam.carry[v]
            if lim.peak == 0:
                beam.weight[v] = stay * a + c if n >= low else 0.0
                down = q * (c + leave * a)
            else:
                z = (n - ops.centre[o]) / ops.spread[o]
                beam.weight[v] = max(a, c) * np.exp(-0.5 * z * z) if n >= low else 0.0
                down = max(a, c) if n > ops.centre[o] - 6.0 * ops.spread[o] else 0.0
            spare = n - 1 + beam.died[v] - lim.events - lim.alive >= 0 or lim.events < 0
            if n - 1 >= low and spare and down > lim.chain_cut:
                u = _node(beam, table, count, stamp, n - 1, beam.died[v], beam.tag[v], beam.level[v], lim.bin)
                if u < 0:
                    return False
                if beam.source[u] <= 0.0:
                    beam.line[u], heads[n - 1] = heads[n - 1], u
                elif lim.peak == 0:
                    share = down / (down + stay * beam.source[u])
                    beam.level[u] += (beam.level[v] - beam.level[u]) * share
                elif down > beam.source[u]:
                    beam.level[u] = beam.level[v]
                beam.carry[u], beam.up[u] = down, v
                lowest = min(lowest, n - 1)
            v = beam.line[v]
        n -= 1
        if n < lowest:
            break
    return True


@njit(cache=True)
def _drop(
    beam: Any, links: Any, table: Any, count: Any, stamp: Any, ops: Any, lim: Any, o: Any, start: Any, stop: Any
) -> Any:
    """Every number of deaths that brings a state near the level read."""
    y, sigma, q, hazard = ops.a[o], ops.b[o], ops.c[o], ops.hazard[o]
    mass = ops.mass[o]
    off, low, most = lim.reach * sigma, ops.low[o], ops.most[o]
    least = 1 if hazard < 0.0 else 0
    for s in range(start, stop):
        w = beam.weight[s]
        if w <= lim.cut * 1e-2:
            continue
        n, level, died = beam.n[s], beam.level[s], beam.died[s]
        if n <= 0 or level <= 0.0:
            if least == 0 and abs(level - y) <= off:
                z = (level - y) / sigma
                v = _node(beam, table, count, stamp, n, died, beam.tag[s], level, lim.bin)
                if v < 0 or not _join(beam, links, count, v, s, w * np.exp(-0.5 * z * z), level, lim.peak):
                    return False
            continue
        first = max(least, int(np.ceil(n * (1.0 - (y + off) / level) - 1e-9)))
        last = min(n - low, int(np.floor(n * (1.0 - (y - off) / level) + 1e-9)))
        if lim.events >= 0:
            last = min(last, most - died)
        for d in range(first, last + 1):
            after = level * (n - d) / n
            z = (after - y) / sigma
            weight = w * np.exp(-0.5 * z * z)
            if d > 0:
                weight *= 0.8 * (1.0 - q) * q ** (d - 1) + 0.2 * (1.0 - mass) * mass ** (d - 1)
            if hazard >= 0.0:
                some = hazard * n / (1.0 + hazard * n)
                weight *= 1.0 - some if d == 0 else some
            if weight <= 1e-300:
                continue
            v = _node(beam, table, count, stamp, n - d, died + d if lim.events >= 0 else 0, beam.tag[s], after, lim.bin)
            if v < 0 or not _join(beam, links, count, v, s, weight, after, lim.peak):
                return False
    return True


@njit(cache=True)
def _move(
    beam: Any, links: Any, table: Any, count: Any, stamp: Any, lim: Any, s: Any, n: Any, tag: Any, weight: Any
) -> Any:
    if n < 0 or weight <= 0.0:
        return True
    v = _node(beam, table, count, stamp, n, beam.died[s], tag, beam.level[s], lim.bin)
    return v >= 0 and _join(beam, links, count, v, s, weight, beam.level[s], lim.peak)


@njit(cache=True)
def _facts(
    beam: Any, links: Any, table: Any, count: Any, stamp: Any, ops: Any, lim: Any, o: Any, start: Any, stop: Any
) -> Any:
    """Printed numbers at risk and censor marks. The tag holds 2 * marks pending + (number at risk seen)."""
    kind, a, b = ops.kind[o], ops.a[o], ops.b[o]
    for s in range(start, stop):
        w, n, tag = beam.weight[s], beam.n[s], beam.tag[s]
        if w <= 0.0:
            continue
        seen, pending = tag % 2, tag // 2
        fine = True
        if kind == LOOK:
            fine = _move(beam, links, table, count, stamp, lim, s, n, tag, w)
            if fine and seen == 0 and n == int(a):
                fine = _move(beam, links, table, count, stamp, lim, s, n, tag + 1, w * b)
        elif kind == FORCE:
            if seen == 1:
                fine = _move(beam, links, table, count, stamp, lim, s, n, tag - 1, w)
        elif kind == ARRIVE:
            fine = _move(beam, links, table, count, stamp, lim, s, n, tag + 2 * int(a), w)
        elif kind == SCORE:
            more = n - int(a)
            fine = _move(
                beam, links, table, count, stamp, lim, s, n, tag, w * (b**more if more >= 0 else ops.c[o] ** -more)
            )
        elif a < 0.0:
            fine = _move(beam, links, table, count, stamp, lim, s, n, tag - 2 * pending, w)
        else:
            for j in range(pending + 1):
                if pending - j <= int(b) and n - j >= ops.low[o]:
                    weight = w * a**j * ((1.0 - a) if j < pending else 1.0)
                    fine = fine and _move(beam, links, table, count, stamp, lim, s, n - j, tag - 2 * j, weight)
        if not fine:
            return False
    return True


@njit(cache=True)
def _uniform(state: Any) -> Any:
    """The next number in [0, 1) of a SplitMix64 sequence."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True)
def _promise(beam: Any, ops: Any, lim: Any, o: Any, v: Any) -> Any:
    """How well a state can still meet the total of deaths and the next number at risk, from 0 to 1."""
    n, z2 = beam.n[v], 0.0
    if lim.events >= 0:
        share = ops.dying[o]
        loose = 0.25 * n * min(share, 1.0 - share)
        z = lim.events - beam.died[v] - n * share
        z2 += z * z / (1.0 + n * share * (1.0 - share) + loose * loose)
    if ops.count[o] >= 0:
        share = ops.staying[o]
        loose = 0.15 * n * min(share, 1.0 - share)
        z = ops.count[o] - n * share
        z2 += z * z / (1.0 + 2.0 * n * share * (1.0 - share) + loose * loose)
    return np.exp(-0.5 * z2) + 1e-12


@njit(cache=True)
def _scaled(beam: Any, start: Any, stop: Any) -> Any:
    """Weights scaled to a best of 1; returns the scale (0: nothing left)."""
    best = 0.0
    for v in range(start, stop):
        best = max(best, beam.weight[v])
    if best > 0.0:
        for v in range(start, stop):
            beam.weight[v] /= best
    return best


@njit(cache=True)
def _scored(beam: Any, ops: Any, lim: Any, o: Any, start: Any, stop: Any) -> Any:
    """Weights seen with what must still come, left in `carry`; hopeless ones dropped. Returns states left and the best."""
    best, left = 0.0, 0
    for v in range(start, stop):
        beam.carry[v] = 0.0
        if beam.weight[v] > 0.0:
            beam.carry[v] = beam.weight[v] * _promise(beam, ops, lim, o, v)
            best = max(best, beam.carry[v])
    for v in range(start, stop):
        if beam.carry[v] < lim.cut * best:
            beam.weight[v], beam.carry[v] = 0.0, 0.0
        else:
            left += 1
    return left, best


@njit(cache=True)
def _thinned(beam: Any, ops: Any, lim: Any, o: Any, start: Any, stop: Any) -> Any:
    """At most about `keep` states are kept: those with the best prospects."""
    left, best = _scored(beam, ops, lim, o, start, stop)
    if left <= lim.keep:
        return
    tally = np.zeros(64, np.int64)
    for v in range(start, stop):
        if beam.carry[v] > 0.0:
            tally[min(int(-np.log2(beam.carry[v] / best) * 2), 63)] += 1
    kept, level = 0, 0
    while level < 63 and kept + tally[level] <= lim.keep:
        kept += tally[level]
        level += 1
    cut = best * 2.0 ** (-max(level, 1) / 2)
    for v in range(start, stop):
        if beam.carry[v] < cut:
            beam.weight[v] = 0.0


@njit(cache=True)
def forward(ops: Any, lim: Any) -> Any:
    """All states by layer, the log evidence, and how far it came.

    Returns beam, edges, layer starts (k + 2,), log evidence, and the operation that nothing survived (k: none; -1 minus
    the operation: no room).
    """
    beam, links, table = _beam(lim.nodes, lim.edges, lim.bits)
    k = ops.kind.size
    starts = np.zeros(k + 2, np.int64)
    count = np.zeros(3, np.int64)
    heads = np.full(lim.n + 2, -1, np.int32)
    root = _node(beam, table, count, 1, lim.n, 0, 0, 1.0, lim.bin)
    beam.weight[root] = 1.0
    starts[1] = 1
    evidence = 0.0
    for o in range(k):
        start, stop = starts[o], starts[o + 1]
        count[2] = stop
        if ops.kind[o] == CENSOR:
            fine = _censor(beam, table, count, o + 2, ops, lim, o, start, stop, heads)
        elif ops.kind[o] == DROP:
            fine = _drop(beam, links, table, count, o + 2, ops, lim, o, start, stop)
        else:
            fine = _facts(beam, links, table, count, o + 2, ops, lim, o, start, stop)
        starts[o + 2] = count[0]
        if not fine:
            return beam, links, starts, evidence, -1 - o
        if ops.kind[o] == DROP:
            _thinned(beam, ops, lim, o, stop, count[0])
        scale = _scaled(beam, stop, count[0])
        if scale <= 0.0:
            return beam, links, starts, evidence, o
        evidence += np.log(scale)
    last = 0.0
    for v in range(starts[k], starts[k + 1]):
        if (lim.events >= 0 and beam.died[v] != lim.events) or (beam.level[v] > 1e-12) != (beam.n[v] > 0):
            beam.weight[v] = 0.0
        last = last + beam.weight[v]
    if last <= 0.0:
        return beam, links, starts, evidence, k - 1
    return beam, links, starts, evidence + np.log(last), k


@njit(cache=True)
def _linked(beam: Any, links: Any, v: Any, state: Any, peak: Any) -> Any:
    """A predecessor of `v`: drawn by weight, or the best."""
    e = beam.first[v]
    total, chosen, most = 0.0, links.source[e], -1.0
    while e >= 0:
        w = links.weight[e]
        if peak == 1:
            if w > most:
                most, chosen = w, links.source[e]
        else:
            total += w
            if _uniform(state) * total < w:
                chosen = links.source[e]
        e = links.next[e]
    return chosen


@njit(cache=True)
def _climbed(beam: Any, ops: Any, o: Any, v: Any, state: Any, peak: Any) -> Any:
    """Up the chain of a gap to the node whose source the path came from."""
    w, q = ops.a[o], ops.b[o]
    stay, leave = 1.0 - w + w * (1.0 - q), w * (1.0 - q)
    share = stay
    while True:
        a, c = beam.source[v], beam.carry[v]
        if peak == 1:
            if a >= c:
                return v
        elif _uniform(state) * (share * a + c) < share * a or c <= 0.0:
            return v
        share = leave
        v = beam.up[v]


@njit(cache=True)
def sampled(beam: Any, links: Any, starts: Any, ops: Any, draws: Any, seed: Any, peak: Any) -> Any:
    """Paths drawn by weight (or the best one): numbers at risk before each operation and after the last, and levels.

    Shapes (draws, k + 1).
    """
    k = ops.kind.size
    state = np.array([seed], np.uint64)
    n = np.zeros((draws, k + 1), np.int32)
    level = np.zeros((draws, k + 1))
    for i in range(draws):
        v, total, most = -1, 0.0, -1.0
        for u in range(starts[k], starts[k + 1]):
            w = beam.weight[u]
            if peak == 1:
                if w > most:
                    v, most = u, w
            elif w > 0.0:
                total += w
                if _uniform(state) * total < w:
                    v = u
        for o in range(k - 1, -1, -1):
            n[i, o + 1], level[i, o + 1] = beam.n[v], beam.level[v]
            if ops.kind[o] == CENSOR:
                v = beam.first[_climbed(beam, ops, o, v, state, peak)]
            else:
                v = _linked(beam, links, v, state, peak)
        n[i, 0], level[i, 0] = beam.n[v], beam.level[v]
    return n, level
