"""Compiled recursions over the hidden path (number at risk, deaths so far, survival) behind a Kaplan-Meier curve.

A path passes through operations in time order: censoring in a gap, a drop of the curve, a printed number at risk, a
censor mark. The forward pass keeps the weight of every state that can still explain the curve; the backward pass draws
whole paths. Kept apart because importing it compiles (once; the result is cached on disk).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "ARRIVE",
    "CENSOR",
    "CONSUME",
    "DROP",
    "FORCE",
    "LOOK",
    "SCORE",
    "Limits",
    "forward",
    "forward_each",
]

Table: TypeAlias = NDArray[np.float64]

CENSOR, DROP, LOOK, FORCE, ARRIVE, CONSUME, SCORE = 0, 1, 2, 3, 4, 5, 6
#: Operations come as a table, shape (k, 16), in time order, with these columns:
#: kind : CENSOR, DROP, LOOK (a number at risk may be seen now), FORCE (it must have been seen), ARRIVE (marks whose side of a
#:     drop is unknown), CONSUME (such marks become censorings), SCORE (marks against those left at the end).
#: a, b, c : CENSOR: chance of a clump, its ratio, censorings that are sure. DROP: level read, its standard error, ratio of the
#:     deaths beyond the first. LOOK: count, weight. ARRIVE: marks. CONSUME: chance each, marks that may remain.
#:     SCORE: marks, ratio for each patient more, ratio for each less.
#: hazard : DROP: -1 where a death is sure, 0 where none may be seen, else the deaths per patient expected since the last
#:     reading.
#: low : smallest number at risk after the operation that leaves patients for all that follows.
#: most : most deaths up to and including the operation.
#: centre, spread : pull of the number at risk after a CENSOR in a max-product pass.
#: mass : DROP: a second, larger ratio, for drops of many deaths at once.
#: dying : share of those at risk expected to die later. staying, count : share expected to be at risk at the next printed
#:     number, and that number (-1: none). All three only steer what is kept.
#: pull, toll : log weight of each patient at risk after the operation beyond `centre`, and of each patient who leaves in it
#:     (but for a CENSOR, whose own chances hold that), as evidence from outside the arm tilts them.
#: seen : DROP: smallest fall that makes a drop of its own; fewer deaths than cause it are unlikely, by `UNSEEN` each.
KIND, A, B, C, HAZARD, LOW, MOST, CENTRE, SPREAD, MASS, DYING, STAYING, COUNT, PULL, TOLL, SEEN = range(16)
#: Columns that weigh paths; the others steer what is kept.
WEIGHED = (KIND, A, B, C, HAZARD, LOW, MOST, CENTRE, SPREAD, MASS, PULL, TOLL, SEEN)
#: Share of the operations that two tables must have in common at their beginning for it to be gone through once.
SHARED = 0.3
#: Weight of each death too few for a drop that can be seen.
UNSEEN = 0.1
#: States dropped from a layer at once from which on their room is used again.
MANY = 150
#: Columns of `Beam.whole`, `Beam.real` and `Edges.whole`.
N, DIED, TAG, UP, FIRST, LINE = range(6)
LEVEL, WEIGHT, SOURCE, CARRY = range(4)
ORIGIN, NEXT = range(2)


class Limits(NamedTuple):
    """What bounds a pass.

    n : patients. events : total deaths or -1. alive : 1 where the curve ends above 0. bin : width within which levels
    are one state. reach : standard errors a level may be off. cut : smallest weight kept, relative to the best, and
    chain_cut the same within a gap. keep : most states kept. peak : 1 for max-product, 0 for sum-product. light : 1 where
    only the evidence is asked for; then a layer is forgotten as soon as the next one stands. nodes, edges : room to begin
    with. most : room at most. bits : size of the look-up table.
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
    light: int
    nodes: int
    edges: int
    bits: int
    most: int


class Beam(NamedTuple):
    """Every state of every layer.

    whole : shape (nodes, 6): number at risk, deaths, tag, the node with one patient more in the chain of a gap, the node
        before a gap or the first edge that leads here, and the next node with as many at risk.
    real : shape (nodes, 4): level, weight scaled layer by layer, and in a gap the weights that came without a censoring
        here and from one patient more.
    """

    whole: NDArray[np.int32]
    real: NDArray[np.float64]


class Edges(NamedTuple):
    """Where a node's weight came from: the node before and the node's next edge (-1: none), shape (edges, 2); the weight."""

    whole: NDArray[np.int32]
    weight: NDArray[np.float64]


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
def _censored(
    whole: Any, real: Any, keys: Any, nodes: Any, heads: Any, op: Any, lim: Any, start: Any, ends: Any
) -> Any:
    """Every number censored in a gap: a clumped count, walked down one patient at a time. Returns whether there was room."""
    w, q, sure, low, centre, spread = op[A], op[B], int(op[C]), int(op[LOW]), op[CENTRE], op[SPREAD]
    stay, leave = 1.0 - w + w * (1.0 - q), w * (1.0 - q)
    peak, width, need = lim.peak, lim.bin, lim.events + lim.alive if lim.events >= 0 else -1
    pull, stop = op[PULL], ends[0]
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
            v = whole[v, LINE]
        n -= 1
    ends[1] = made
    return True


@_compiled
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
def _moved(
    whole: Any, real: Any, edges: Any, load: Any, keys: Any, nodes: Any, op: Any, lim: Any, start: Any, ends: Any
) -> Any:
    """Every number of deaths that brings a state near the level read, or what a fact makes of it.

    Returns whether there was room.
    """
    a, b, c, hazard, mass, low, most = op[A], op[B], op[C], op[HAZARD], op[MASS], int(op[LOW]), int(op[MOST])
    pull, toll, centre = op[PULL], op[TOLL], op[CENTRE]
    off, peak, width = lim.reach * b, lim.peak, lim.bin
    drop, counted, least = op[KIND] == DROP, lim.events >= 0, 1 if hazard < 0.0 else 0
    floor, least_x = (lim.cut * 1e-2, 1e-300) if drop else (0.0, 0.0)
    stop, made, e = ends[0], ends[1], ends[2]
    room = min(whole.shape[0], stop + keys.size // 2)
    for s in range(start, stop):
        w, n, died, tag, level = real[s, WEIGHT], whole[s, N], whole[s, DIED], whole[s, TAG], real[s, LEVEL]
        if w <= floor:
            continue
        fixed = n <= 0 or level <= 0.0
        first, last = 0, 1 + tag // 2
        if drop and fixed:
            last = 0 if least == 0 and abs(level - a) <= off else -1
        elif drop:
            first = max(least, int(np.ceil(n * (1.0 - (a + off) / level) - 1e-9)))
            last = min(n - low, int(np.floor(n * (1.0 - (a - off) / level) + 1e-9)))
            last = min(last, most - died) if counted else last
        some = hazard * n / (1.0 + hazard * n)
        usual, many = 0.8 * (1.0 - c), 0.2 * (1.0 - mass)
        enough = 1
        if drop and op[SEEN] > 0.0 and not fixed:
            enough = max(1, min(int(np.ceil(op[SEEN] * n / level - 0.1)), n))
        if first > enough:
            usual, many = usual * c ** (first - enough), many * mass ** (first - enough)
        for d in range(first, last + 1):
            to_n, to_died, to_tag, to_level, x = n, died, tag, level, w
            if drop:
                if not fixed:
                    to_n, to_level, to_died = n - d, level * (n - d) / n, died + d if counted else 0
                z = (to_level - a) / b
                x = w * np.exp(-0.5 * z * z)
                if d > 0 and d < enough:
                    x *= (usual + many) * UNSEEN ** (enough - d)
                elif d > 0:
                    x *= usual + many
                    usual, many = usual * c, many * mass
                if hazard >= 0.0 and not fixed:
                    x *= 1.0 - some if d == 0 else some
            else:
                to_n, to_tag, x = _told(op, n, tag, d, w)
            if pull != 0.0 or toll != 0.0:
                x *= np.exp(min(pull * (to_n - centre) + toll * (n - to_n), 300.0))
            if x <= least_x or to_n < 0:
                continue
            key = _key(to_n, to_died, to_level, width)
            slot = _slot(keys, nodes, whole, stop, key, to_tag)
            v = nodes[slot]
            if v < stop:
                if made >= room:
                    return False
                v, made = made, made + 1
                keys[slot], nodes[slot] = key, v
                whole[v, N], whole[v, DIED], whole[v, TAG], real[v, LEVEL], real[v, WEIGHT], whole[v, FIRST] = (
                    to_n,
                    to_died,
                    to_tag,
                    to_level,
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
                real[v, LEVEL] += (to_level - real[v, LEVEL]) * x / real[v, WEIGHT]
            elif x > real[v, WEIGHT]:
                real[v, WEIGHT], real[v, LEVEL] = x, to_level
    ends[1], ends[2] = made, e
    return True


@_compiled
def _thinned(whole: Any, real: Any, op: Any, lim: Any, start: Any, stop: Any, last: Any) -> Any:
    """Weights without hopeless states: at most about `keep` remain, those with the best prospects.

    A prospect is the weight times how well a state can still meet the total of deaths and the next number at risk; none
    after the `last` drop without that total. Returns the share of all prospects that is kept.
    """
    dying, staying, count = op[DYING], op[STAYING], op[COUNT]
    loose, slack = 0.25 * min(dying, 1.0 - dying), 0.15 * min(staying, 1.0 - staying)
    best, left, whole_sum, kept_sum = 0.0, 0, 0.0, 0.0
    for v in range(start, stop):
        n, z2 = whole[v, N], 0.0
        if lim.events >= 0:
            z = lim.events - whole[v, DIED] - n * dying
            z2 += z * z / (1.0 + n * dying * (1.0 - dying) + (loose * n) ** 2)
        if count >= 0:
            z = count - n * staying
            z2 += z * z / (1.0 + 2.0 * n * staying * (1.0 - staying) + (slack * n) ** 2)
        real[v, CARRY] = real[v, WEIGHT] * (np.exp(-0.5 * z2) + 1e-12)
        if last and lim.events >= 0 and whole[v, DIED] != lim.events:
            real[v, CARRY] = 0.0
        best = max(best, real[v, CARRY])
        whole_sum += real[v, CARRY]
    for v in range(start, stop):
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
def _gathered(whole: Any, real: Any, nodes: Any, start: Any, stop: Any) -> Any:
    """The end of a layer from which dropped states are taken out where they are many: memory costs more than the states."""
    left = 0
    for v in range(start, stop):
        left += real[v, WEIGHT] > 0.0
    if stop - start - left < MANY:
        return stop
    u = start
    for v in range(start, stop):
        if real[v, WEIGHT] > 0.0:
            for i in range(whole.shape[1]):
                whole[u, i] = whole[v, i]
            for i in range(real.shape[1]):
                real[u, i] = real[v, i]
            u += 1
    nodes[:] = -1
    return u


@_compiled
def _brought_forward(whole: Any, real: Any, nodes: Any, starts: Any, o: Any) -> None:
    """The layer before operation `o` alone, at the first places."""
    start, size = starts[o], starts[o + 1] - starts[o]
    for v in range(size):
        for i in range(whole.shape[1]):
            whole[v, i] = whole[start + v, i]
        for i in range(real.shape[1]):
            real[v, i] = real[start + v, i]
    nodes[:] = -1
    starts[o], starts[o + 1] = 0, size


@_compiled
def _passed(
    whole: Any,
    real: Any,
    edges: Any,
    load: Any,
    keys: Any,
    nodes: Any,
    op: Any,
    lim: Any,
    starts: Any,
    begin: Any,
    until: Any,
) -> Any:
    """The forward pass over the operations from `begin[0]` up to `until`, in place, with what `begin` holds: log evidence so far, edges.

    Returns log evidence and how far it came, see `forward`; where there was no room, or more is to follow, `begin` says
    where to go on.
    """
    k, first, evidence = op.shape[0], int(begin[0]), begin[1]
    heads, ends = np.full(lim.n + 2, -1, np.int32), np.array([1, 1, int(begin[2])])
    final = k - 1
    while final >= 0 and (op[final, KIND] != DROP or op[final, HAZARD] == 0.0):
        final -= 1
    if first == 0:
        whole[0, N], whole[0, DIED], whole[0, TAG], real[0, LEVEL], real[0, WEIGHT] = lim.n, 0, 0, 1.0, 1.0
        starts[0], starts[1] = 0, 1
    for o in range(first, until):
        if lim.light == 1:
            ends[2] = 0
            if starts[o + 1] > whole.shape[0] // 2:
                _brought_forward(whole, real, nodes, starts, o)
        begin[0], begin[1], begin[2] = o, evidence, ends[2]
        start, stop = starts[o], starts[o + 1]
        ends[0], ends[1] = stop, stop
        if op[o, KIND] == CENSOR:
            fine = _censored(whole, real, keys, nodes, heads, op[o], lim, start, ends)
        else:
            fine = _moved(whole, real, edges, load, keys, nodes, op[o], lim, start, ends)
        starts[o + 2] = ends[1]
        if not fine:
            return evidence, -1 - o
        if op[o, KIND] == DROP:
            # What was dropped counts as if it had gone on like what is kept; a belief with many states would lose most.
            evidence -= np.log(_thinned(whole, real, op[o], lim, stop, ends[1], o == final))
            starts[o + 2] = _gathered(whole, real, nodes, stop, ends[1])
            ends[1] = starts[o + 2]
        scale = 0.0
        for v in range(stop, ends[1]):
            scale = max(scale, real[v, WEIGHT])
        if scale <= 0.0:
            return evidence, o
        for v in range(stop, ends[1]):
            real[v, WEIGHT] /= scale
        evidence += np.log(scale)
    if until < k:
        begin[0], begin[1], begin[2] = until, evidence, ends[2]
        return evidence, until
    last = 0.0
    for v in range(starts[k], starts[k + 1]):
        if (lim.events >= 0 and whole[v, DIED] != lim.events) or (real[v, LEVEL] > 1e-12) != (whole[v, N] > 0):
            real[v, WEIGHT] = 0.0
        last = last + real[v, WEIGHT]
    if last <= 0.0:
        return evidence, k - 1
    return evidence + np.log(last), k


def _room(
    nodes: int, edges: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
    """`Beam.real`, `Edges.weight`, `Beam.whole` and `Edges.whole`, not yet filled.

    One piece of memory, so that the next pass gets the same again: several pieces of this size go back to the system
    each time, and to ask for their pages anew costs as much as half the pass.
    """
    memory = np.empty(7 * nodes + 2 * edges)
    real, load = memory[: 4 * nodes], memory[4 * nodes : 4 * nodes + edges]
    whole, links = memory[4 * nodes + edges : -edges].view(np.int32), memory[-edges:].view(np.int32)
    return real.reshape(nodes, 4), load, whole.reshape(nodes, 6), links.reshape(edges, 2)


class Pass:
    """A forward pass that can be held at an operation and gone on with, more than once, under other operations from there on.

    Parameters
    ----------
    rows : the operations, shape (k, 16). lim : the bounds.
    """

    def __init__(self, rows: Table, lim: Limits) -> None:
        self.lim, self.size = lim, lim.nodes
        self.room = _room(lim.nodes, lim.edges)
        self.keys, self.nodes = np.empty(1 << lim.bits, np.uint64), np.full(1 << lim.bits, -1, np.int32)
        self.starts, self.begin = np.zeros(len(rows) + 2, np.int64), np.zeros(3)
        self.held: tuple[NDArray[np.float64], int, NDArray[np.int32], NDArray[np.float64]] | None = None

    def gone(self, rows: Table, until: int) -> tuple[float, int]:
        """Log evidence and how far the pass came, see `forward`; with more room where it has to go on."""
        while True:
            real, load, whole, edges = self.room
            memory = whole, real, edges, load, self.keys, self.nodes
            evidence, reached = _passed(*memory, rows, self.lim, self.starts, self.begin, until)
            if reached >= 0 or self.size >= self.lim.most:
                return evidence, reached
            self._grown()

    def _grown(self) -> None:
        made, linked = int(self.starts[int(self.begin[0]) + 1]), int(self.begin[2])
        self.size, past = min(2 * self.size, self.lim.most), self.room
        self.room = _room(self.size, max(self.size, self.lim.edges))
        self.room[0][:made], self.room[2][:made] = past[0][:made], past[2][:made]
        self.room[1][:linked], self.room[3][:linked] = past[1][:linked], past[3][:linked]
        self.keys, self.nodes = np.empty(2 * self.keys.size, np.uint64), np.full(2 * self.keys.size, -1, np.int32)

    def hold(self) -> None:
        """Keep the layer at which the pass stands."""
        o = int(self.begin[0])
        start, stop = int(self.starts[o]), int(self.starts[o + 1])
        real, _, whole, _ = self.room
        self.held = self.begin.copy(), start, whole[start:stop].copy(), real[start:stop].copy()

    def back(self) -> None:
        """Stand again where the pass was held; of a light one only that layer is left."""
        assert self.held is not None
        begin, start, whole, real = self.held
        o, start = int(begin[0]), 0 if self.lim.light else start
        self.begin[:] = begin
        self.starts[o], self.starts[o + 1] = start, start + len(whole)
        self.room[2][start : start + len(whole)], self.room[0][start : start + len(real)] = whole, real
        self.nodes[:] = -1


def forward(rows: Table, lim: Limits) -> tuple[Beam, Edges, NDArray[np.int64], float, int]:
    """All states by layer, the log evidence, and how far it came; with more room where it has to go on.

    rows : the operations, shape (k, 16). Returns beam, edges, layer starts (k + 2,), log evidence, and the operation that nothing survived (k: none; -1 minus
    the operation: no room).
    """
    return _complete(Pass(rows, lim), rows)


def _complete(run: Pass, rows: Table) -> tuple[Beam, Edges, NDArray[np.int64], float, int]:
    evidence, reached = run.gone(rows, len(rows))
    real, load, whole, edges = run.room
    return Beam(whole, real), Edges(edges, load), run.starts, evidence, reached


def forward_each(
    tables: list[Table], lim: Limits
) -> Iterator[tuple[int, tuple[Beam, Edges, NDArray[np.int64], float, int]]]:
    """For several tables of operations, each table's number and what `forward` returns, valid until the next is asked for.

    Tables that begin alike share that part of their pass (what only steers the search is taken from the first of them).
    They come in groups, not in order.
    """
    left = list(range(len(tables)))
    while left:
        first = left[0]
        alike = {i: _parting(tables[first], tables[i]) for i in left}
        group = [i for i in left if alike[i] >= SHARED * len(tables[i])]
        left = [i for i in left if i not in group]
        if len(group) == 1:
            yield first, forward(tables[first], lim)
            continue
        until = max(min(alike[i] for i in group) - 1, 0)
        run = Pass(tables[first], lim)
        evidence, reached = run.gone(tables[first], until)
        if reached == until:
            run.hold()
        for i in group:
            if reached != until:
                yield (
                    i,
                    (Beam(run.room[2], run.room[0]), Edges(run.room[3], run.room[1]), run.starts, evidence, reached),
                )
                continue
            run.back()
            yield i, _complete(run, tables[i])


def _parting(one: Table, other: Table) -> int:
    """The first operation whose weights differ; their number where none does."""
    differ = np.any(one[:, WEIGHED] != other[:, WEIGHED], axis=1)
    return int(np.argmax(differ)) if differ.any() else len(one)
