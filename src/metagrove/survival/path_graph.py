"""The states of one pass over a hidden path, weighed anew under other beliefs: each belief then costs a tenth of a pass.

A pass spends its time on finding states and how they follow one another. Beliefs about censoring and reading errors that
lie near the one under which it was made lead through the same states with other weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from metagrove.survival.drawing_kernels import sampled_gains
from metagrove.survival.path_tables import (
    CARRY,
    CENSOR,
    DIED,
    DROP,
    FIRST,
    HAZARD,
    KIND,
    LEVEL,
    MASS,
    NEXT,
    ORIGIN,
    SCORE,
    SEEN,
    SOURCE,
    UNSEEN,
    UP,
    WEIGHT,
    A,
    B,
    Beam,
    C,
    Edges,
    N,
    Table,
)

__all__ = ["Graph"]

_compiled = njit(cache=True, error_model="numpy", nogil=True)


@_compiled
def _arranged(whole: Any, real: Any, edges: Any, load: Any, starts: Any, op: Any, made: Any, parts: Any) -> None:
    """What stays of a pass whatever the weights, into `parts` (see `Graph`) and `made`: the first edge of each operation."""
    target, order, fixed, ratio = parts
    e = 0
    for o in range(op.shape[0]):
        start, stop = starts[o + 1], starts[o + 2]
        made[o] = e
        if op[o, KIND] == CENSOR:
            # By falling number at risk: who is one less follows from who is one more.
            most, least = 0, 2**31 - 1
            for v in range(start, stop):
                most, least = max(most, whole[v, N]), min(least, whole[v, N])
            place = np.zeros(max(most - least, 0) + 2, np.int64)
            for v in range(start, stop):
                place[most - whole[v, N] + 1] += 1
            for i in range(1, place.size):
                place[i] += place[i - 1]
            for v in range(start, stop):
                i = most - whole[v, N]
                order[start + place[i]] = v
                place[i] += 1
                s = whole[v, FIRST]
                ratio[v] = real[v, SOURCE] / real[s, WEIGHT] if s >= 0 else 0.0
            continue
        for v in range(start, stop):
            link = whole[v, FIRST]
            while link >= 0:
                target[link] = v
                fixed[link] = load[link] / real[edges[link, ORIGIN], WEIGHT]
                e = max(e, link + 1)
                link = edges[link, NEXT]
    made[op.shape[0]] = e


@_compiled
def _emitted(whole: Any, real: Any, edges: Any, op: Any, made: Any, target: Any, fixed: Any) -> None:
    """The chance of the level read behind every edge of a drop, into `fixed`."""
    for o in range(op.shape[0]):
        if op[o, KIND] != DROP:
            continue
        y, scale = op[o, A], 1.0 / op[o, B]
        for e in range(made[o], made[o + 1]):
            if target[e] < 0:
                continue
            s = edges[e, ORIGIN]
            n, level = whole[s, N], real[s, LEVEL]
            if n > 0 and level > 0.0:
                level = level * whole[target[e], N] / n
            z = (level - y) * scale
            fixed[e] = np.exp(-0.5 * z * z)


@_compiled
def _gap_weighed(whole: Any, real: Any, order: Any, ratio: Any, alive: Any, row: Any, start: Any, stop: Any) -> None:
    """Weights of the states after a gap, by falling number at risk."""
    q, leave = row[B], row[A] * (1.0 - row[B])
    stay = 1.0 - row[A] + leave
    for i in range(start, stop):
        v = order[i]
        s, u = whole[v, FIRST], whole[v, UP]
        a = real[s, WEIGHT] * ratio[v] if s >= 0 else 0.0
        c = q * (real[u, CARRY] + leave * real[u, SOURCE]) if u >= 0 else 0.0
        real[v, SOURCE], real[v, CARRY] = a, c
        real[v, WEIGHT] = stay * a + c if alive[v] else 0.0


@_compiled
def _drop_weighed(
    whole: Any, real: Any, edges: Any, load: Any, target: Any, fixed: Any, alive: Any, row: Any, first: Any, last: Any
) -> None:
    """Weights of the states after a drop."""
    hazard, seen = row[HAZARD], row[SEEN]
    usual, many, table = 0.8 * (1.0 - row[C]), 0.2 * (1.0 - row[MASS]), np.empty(64)
    for i in range(table.size):
        table[i] = usual + many
        usual, many = usual * row[C], many * row[MASS]
    for e in range(first, last):
        s, v = edges[e, ORIGIN], target[e]
        if v < 0:
            continue
        x, n, level, enough = real[s, WEIGHT] * fixed[e], whole[s, N], real[s, LEVEL], 1
        if n > 0 and level > 0.0:
            d = n - whole[v, N]
            if seen > 0.0:
                enough = max(1, min(int(np.ceil(seen * n / level - 0.1)), n))
            if d > 0 and d < enough:
                x *= table[0] * UNSEEN ** (enough - d)
            elif d > 0:
                x *= table[min(d - enough, 63)]
            if hazard >= 0.0:
                x *= (1.0 if d == 0 else hazard * n) / (1.0 + hazard * n)
        load[e] = x
        if alive[v]:
            real[v, WEIGHT] += x


@_compiled
def _fact_weighed(
    whole: Any, real: Any, edges: Any, load: Any, target: Any, fixed: Any, alive: Any, row: Any, first: Any, last: Any
) -> None:
    """Weights of the states after a fact."""
    score, marks, more, less = row[KIND] == SCORE, int(row[A]), row[B], row[C]
    for e in range(first, last):
        s, v = edges[e, ORIGIN], target[e]
        if v < 0:
            continue
        x = real[s, WEIGHT] * fixed[e]
        if score:
            beyond = whole[s, N] - marks
            x = real[s, WEIGHT] * (more**beyond if beyond >= 0 else less ** (-beyond))
        load[e] = x
        if alive[v]:
            real[v, WEIGHT] += x


@_compiled
def _weighed(
    whole: Any, real: Any, edges: Any, load: Any, starts: Any, op: Any, made: Any, parts: Any, alive: Any, events: Any
) -> Any:
    """The log evidence of the operations on the states of the graph, whose weights are made theirs."""
    target, order, fixed, ratio = parts
    evidence, k = 0.0, op.shape[0]
    real[0, WEIGHT] = 1.0
    for o in range(k):
        start, stop, kind = starts[o + 1], starts[o + 2], op[o, KIND]
        if kind == CENSOR:
            _gap_weighed(whole, real, order, ratio, alive, op[o], start, stop)
        else:
            for v in range(start, stop):
                real[v, WEIGHT] = 0.0
            if kind == DROP:
                _drop_weighed(whole, real, edges, load, target, fixed, alive, op[o], made[o], made[o + 1])
            else:
                _fact_weighed(whole, real, edges, load, target, fixed, alive, op[o], made[o], made[o + 1])
        scale = 0.0
        for v in range(start, stop):
            scale = max(scale, real[v, WEIGHT])
        if scale <= 0.0:
            return -np.inf
        for v in range(start, stop):
            real[v, WEIGHT] /= scale
        evidence += np.log(scale)
    last = 0.0
    for v in range(starts[k], starts[k + 1]):
        if (events >= 0 and whole[v, DIED] != events) or (real[v, LEVEL] > 1e-12) != (whole[v, N] > 0):
            real[v, WEIGHT] = 0.0
        last += real[v, WEIGHT]
    return evidence + np.log(last) if last > 0.0 else -np.inf


class Graph:
    """The states of a pass and how they follow one another.

    Parameters
    ----------
    passed : what path_kernels.forward returned. rows : the operations of that pass. events : total deaths or -1.
    """

    def __init__(self, passed: tuple[Beam, Edges, NDArray[np.int64], float, int], rows: Table, events: int) -> None:
        self.beam, self.links, self.starts, self.events = passed[0], passed[1], passed[2], events
        nodes = int(self.starts[-1])
        self.made = np.zeros(len(rows) + 1, np.int64)
        self.alive = self.beam.real[:nodes, WEIGHT] > 0.0
        # Where each edge leads (-1: to a state that was dropped), the nodes of a gap by number at risk, what of an edge's weight is always the same, and the
        # share of the state before a gap that came here.
        room = self.links.weight.size
        self.parts = np.full(room, -1, np.int32), np.empty(nodes, np.int32), np.empty(room), np.zeros(nodes)
        _arranged(*self.beam, *self.links, self.starts, rows, self.made, self.parts)
        self.error: Table | None = None

    def evidence(self, rows: Table) -> float:
        """Log evidence of other operations of the same kinds, summed over the paths of the graph."""
        drops = rows[rows[:, KIND] == DROP]
        if self.error is None or not np.array_equal(self.error, drops[:, B]):
            _emitted(*self.beam, self.links.whole, rows, self.made, self.parts[0], self.parts[2])
            self.error = drops[:, B].copy()
        return float(
            _weighed(*self.beam, *self.links, self.starts, rows, self.made, self.parts, self.alive, self.events)
        )

    def sampled(self, rows: Table, count: int, seed: int) -> tuple[NDArray[np.int32], Table]:
        """Paths drawn under operations whose evidence has just been asked for, and their gains; see `sampled_gains`."""
        paths, gain, _ = sampled_gains(self.beam, self.links, self.starts, rows, count, seed)
        return paths, gain
