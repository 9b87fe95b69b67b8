"""Compiled recursions over the hidden path (number at risk, deaths so far, survival) behind a Kaplan-Meier curve.

A path passes through operations in time order: censoring in a gap, a drop of the curve, a printed number at risk, a
censor mark. The forward pass keeps the weight of every state that can still explain the curve; the backward pass draws
whole paths. Kept apart because importing it compiles (once; the result is cached on disk).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from metagrove.survival.passes.beam import MANY, drawn_lots, gathered, thinned
from metagrove.survival.passes.operations import censored, dropped, told
from metagrove.survival.passes.tables import (
    CENSOR,
    CENTRE,
    DIED,
    DROP,
    HAZARD,
    KIND,
    LEVEL,
    LOTS,
    LOW,
    MASS,
    MOST,
    OUTLOOK,
    PULL,
    SEEN,
    SPREAD,
    TAG,
    TOLL,
    WEIGHT,
    A,
    B,
    Beam,
    C,
    Edges,
    Limits,
    N,
    Table,
)

__all__ = ["Pass", "forward", "forward_each"]

#: Columns that weigh the states and ways of paths; the others steer what is kept.
WEIGHED = np.array([KIND, A, B, C, HAZARD, LOW, MOST, CENTRE, SPREAD, MASS, PULL, TOLL, SEEN])
#: Share of the operations that two tables must have in common at their beginning for it to be gone through once.
SHARED = 0.3

_compiled = njit(cache=True, error_model="numpy", nogil=True)


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
    final, turn = k - 1, op[0, LOTS] if op.shape[1] > OUTLOOK else 0.0
    while final >= 0 and (op[final, KIND] != DROP or op[final, HAZARD] == 0.0):
        final -= 1
    if first == 0:
        whole[0, N], whole[0, DIED], whole[0, TAG], real[0, LEVEL], real[0, WEIGHT] = lim.n, 0, 0, 1.0, 1.0
        starts[0], starts[1] = 0, 1
    for o in range(first, until):
        if lim.light == 1:
            ends[2] = 0
            if starts[o + 1] > whole.shape[0] // 2:
                starts[o + 1] = gathered(whole, real, nodes, starts[o], starts[o + 1], 0, 0)
                starts[o] = 0
        begin[0], begin[1], begin[2] = o, evidence, ends[2]
        start, stop = starts[o], starts[o + 1]
        ends[0], ends[1] = stop, stop
        if op[o, KIND] == CENSOR:
            fine = censored(whole, real, keys, nodes, heads, op[o], lim, start, ends)
        elif op[o, KIND] == DROP:
            fine = dropped(whole, real, edges, load, keys, nodes, op[o], lim, start, ends)
        else:
            fine = told(whole, real, edges, load, keys, nodes, op[o], lim, start, ends)
        starts[o + 2] = ends[1]
        if not fine:
            return evidence, -1 - o
        if op.shape[1] > OUTLOOK and (op[o, KIND] == DROP or op[o, KIND] == CENSOR):
            turn = (turn + 0.6180339887498949) % 1.0
            drawn_lots(whole, real, op[o], lim, stop, ends[1], o == final, turn)
        if op[o, KIND] == DROP:
            if op.shape[1] <= OUTLOOK:
                # What was dropped counts as if it had gone on like what is kept; a belief with many states would lose most.
                evidence -= np.log(thinned(whole, real, op[o], lim, stop, ends[1], o == final))
            starts[o + 2] = gathered(whole, real, nodes, stop, ends[1], stop, MANY)
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


#: Several tables of operations, shape (tables, k, 16).
Tables: TypeAlias = NDArray[np.float64]


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

    def anew(self) -> None:
        """Stand before the first operation again, with the room that there is: memory in use costs nothing to ask for."""
        self.begin[:] = 0.0
        self.nodes[:] = -1

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
    tables: Tables, lim: Limits
) -> Iterator[tuple[int, tuple[Beam, Edges, NDArray[np.int64], float, int]]]:
    """For several tables of operations, shape (tables, k, 16), each table's number and what `forward` returns, valid until the next is asked for.

    Tables that begin alike share that part of their pass (what only steers the search is taken from the first of them).
    They come in groups, not in order.
    """
    left = list(range(len(tables)))
    if not left:
        return
    run = Pass(tables[0], lim)
    while left:
        first = left[0]
        alike = dict(zip(left, _partings(tables, np.array(left)).tolist(), strict=True))
        group = [i for i in left if alike[i] >= SHARED * len(tables[i])]
        left = [i for i in left if i not in group]
        run.anew()
        if len(group) == 1:
            yield first, _complete(run, tables[first])
            continue
        until = max(min(alike[i] for i in group) - 1, 0)
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


@_compiled
def _parted(tables: Any, left: Any, columns: Any, found: Any) -> None:
    one = tables[left[0]]
    for j in range(left.size):
        other, same, o = tables[left[j]], True, 0
        while same and o < one.shape[0]:
            for i in columns:
                same = same and one[o, i] == other[o, i]
            o += same
        found[j] = o


def _partings(tables: Tables, left: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first operation at which the weights of each table differ from those of the first in `left`; their number where none does."""
    found = np.zeros(left.size, np.int64)
    _parted(tables, left, WEIGHED, found)
    return found
