"""The states of one pass over a hidden path, weighed anew under other beliefs: each belief then costs a tenth of a pass.

A pass spends its time on finding states and how they follow one another. Beliefs about censoring and reading errors that
lie near the one under which it was made lead through the same states with other weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from metagrove.survival.passes.drawing import sampled_gains
from metagrove.survival.passes.tables import (
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
def _needed(whole: Any, real: Any, edges: Any, starts: Any, op: Any, events: Any, needed: Any) -> Any:
    """Which states lead to an end that is allowed, into `needed`; weights of the other ends are made zero.

    Returns past the last edge that leads to one of them.
    """
    k, links = op.shape[0], 0
    for v in range(starts[k], starts[k + 1]):
        fine = (events < 0 or whole[v, DIED] == events) and (real[v, LEVEL] > 1e-12) == (whole[v, N] > 0)
        needed[v] = fine and real[v, WEIGHT] > 0.0
        if not needed[v]:
            real[v, WEIGHT] = 0.0
    for o in range(k - 1, -1, -1):
        chain = op[o, KIND] == CENSOR
        for v in range(starts[o + 1], starts[o + 2]):
            if not needed[v]:
                continue
            if not chain:
                link = whole[v, FIRST]
                links = max(links, link + 1)
                while link >= 0:
                    needed[edges[link, ORIGIN]] = True
                    link = edges[link, NEXT]
                continue
            # Up the chain of a gap to the first state whose own chain is known, or is to come.
            u, more = v, True
            while more:
                if whole[u, FIRST] >= 0:
                    needed[whole[u, FIRST]] = True
                u = whole[u, UP]
                more = u >= 0 and not needed[u]
                if more:
                    needed[u] = True
    return links


@_compiled
def _arranged(
    whole: Any, real: Any, edges: Any, load: Any, starts: Any, op: Any, needed: Any, firsts: Any, parts: Any
) -> None:
    """What stays of a pass whatever the weights, into `parts` and `firsts` (see `Graph`)."""
    (order, ratio, links, fixed), (spots, made) = parts, firsts
    target, e, i, past = links[:, 1], 0, 0, 0
    for o in range(op.shape[0]):
        start, stop = starts[o + 1], starts[o + 2]
        made[o], spots[o] = e, i
        if op[o, KIND] == CENSOR:
            # By falling number at risk: who is one less follows from who is one more.
            most, least = 0, 2**31 - 1
            for v in range(start, stop):
                if needed[v]:
                    most, least = max(most, whole[v, N]), min(least, whole[v, N])
            place = np.zeros(max(most - least, 0) + 2, np.int64)
            for v in range(start, stop):
                if needed[v]:
                    place[most - whole[v, N] + 1] += 1
            for j in range(1, place.size):
                place[j] += place[j - 1]
            for v in range(start, stop):
                if needed[v]:
                    j = most - whole[v, N]
                    order[spots[o] + place[j]] = v
                    place[j] += 1
                    s = whole[v, FIRST]
                    ratio[v] = real[v, SOURCE] / real[s, WEIGHT] if s >= 0 else 0.0
                    i += 1
            continue
        first = past
        for v in range(start, stop):
            if not needed[v]:
                continue
            order[i] = v
            i += 1
            link = whole[v, FIRST]
            past = max(past, link + 1)
            while link >= 0:
                target[link] = v
                link = edges[link, NEXT]
        # In the order in which they were found; never ahead of where they are read.
        for link in range(first, past):
            if target[link] >= 0:
                s = edges[link, ORIGIN]
                fixed[e] = load[link] / real[s, WEIGHT]
                links[e, 0], links[e, 1], links[e, 2] = s, target[link], link
                e += 1
    made[op.shape[0]], spots[op.shape[0]] = e, i


@_compiled
def _emitted(whole: Any, real: Any, op: Any, made: Any, links: Any, fixed: Any) -> None:
    """The chance of the level read behind every edge of a drop, into `fixed`."""
    for o in range(op.shape[0]):
        if op[o, KIND] != DROP:
            continue
        y, scale = op[o, A], 1.0 / op[o, B]
        for e in range(made[o], made[o + 1]):
            s = links[e, 0]
            n, level = whole[s, N], real[s, LEVEL]
            if n > 0 and level > 0.0:
                level = level * whole[links[e, 1], N] / n
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
def _drop_weighed(whole: Any, real: Any, load: Any, links: Any, fixed: Any, row: Any, first: Any, last: Any) -> None:
    """Weights of the states after a drop."""
    hazard, seen = row[HAZARD], row[SEEN]
    usual, many, table = 0.8 * (1.0 - row[C]), 0.2 * (1.0 - row[MASS]), np.empty(64)
    for i in range(table.size):
        table[i] = usual + many
        usual, many = usual * row[C], many * row[MASS]
    for e in range(first, last):
        s, v = links[e, 0], links[e, 1]
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
        load[links[e, 2]] = x
        real[v, WEIGHT] += x


@_compiled
def _fact_weighed(whole: Any, real: Any, load: Any, links: Any, fixed: Any, row: Any, first: Any, last: Any) -> None:
    """Weights of the states after a fact."""
    score, marks, more, less = row[KIND] == SCORE, int(row[A]), row[B], row[C]
    for e in range(first, last):
        s = links[e, 0]
        x = real[s, WEIGHT] * fixed[e]
        if score:
            beyond = whole[s, N] - marks
            x = real[s, WEIGHT] * (more**beyond if beyond >= 0 else less ** (-beyond))
        load[links[e, 2]] = x
        real[links[e, 1], WEIGHT] += x


@_compiled
def _weighed(whole: Any, real: Any, load: Any, op: Any, firsts: Any, parts: Any, alive: Any) -> Any:
    """The log evidence of the operations on the states of the graph, whose weights are made theirs."""
    (order, ratio, links, fixed), (spots, made) = parts, firsts
    evidence, k = 0.0, op.shape[0]
    real[0, WEIGHT] = 1.0
    for o in range(k):
        start, stop, kind = spots[o], spots[o + 1], op[o, KIND]
        if kind == CENSOR:
            _gap_weighed(whole, real, order, ratio, alive, op[o], start, stop)
        else:
            for i in range(start, stop):
                real[order[i], WEIGHT] = 0.0
            if kind == DROP:
                _drop_weighed(whole, real, load, links, fixed, op[o], made[o], made[o + 1])
            else:
                _fact_weighed(whole, real, load, links, fixed, op[o], made[o], made[o + 1])
        scale = 0.0
        for i in range(start, stop):
            scale = max(scale, real[order[i], WEIGHT])
        if scale <= 0.0:
            return -np.inf
        for i in range(start, stop):
            real[order[i], WEIGHT] /= scale
        evidence += np.log(scale)
    last = 0.0
    for i in range(spots[k - 1], spots[k]):
        last += real[order[i], WEIGHT]
    return evidence + np.log(last) if last > 0.0 else -np.inf


class Graph:
    """The states of a pass that lead to an end that is allowed, and how they follow one another.

    Parameters
    ----------
    passed : what forward_pass.forward returned. rows : the operations of that pass. events : total deaths or -1.
    """

    def __init__(self, passed: tuple[Beam, Edges, NDArray[np.int64], float, int], rows: Table, events: int) -> None:
        self.beam, self.links, self.starts = passed[0], passed[1], passed[2]
        nodes = int(self.starts[-1])
        self.alive, needed = self.beam.real[:nodes, WEIGHT] > 0.0, np.zeros(nodes, np.bool_)
        count = int(_needed(*self.beam, self.links.whole, self.starts, rows, events, needed))
        # The first node and the first edge of each operation; the nodes, those of a gap by number at risk, and the share of
        # the state before a gap that came there; where each edge begins and leads, its number in the pass, and what of its
        # weight is always the same.
        self.firsts = np.zeros(len(rows) + 1, np.int64), np.zeros(len(rows) + 1, np.int64)
        self.parts = np.empty(nodes, np.int32), np.zeros(nodes), np.full((count, 3), -1, np.int32), np.empty(count)
        _arranged(*self.beam, *self.links, self.starts, rows, needed, self.firsts, self.parts)
        self.drop, self.error = np.flatnonzero(rows[:, KIND] == DROP), np.zeros(0)

    def evidence(self, rows: Table) -> float:
        """Log evidence of other operations of the same kinds, summed over the paths of the graph."""
        error = rows[self.drop, B]
        if not np.array_equal(self.error, error) or not error.size:
            _emitted(*self.beam, rows, self.firsts[1], *self.parts[2:])
            self.error = error
        return float(_weighed(*self.beam, self.links.weight, rows, self.firsts, self.parts, self.alive))

    def sampled(self, rows: Table, count: int, seed: int) -> tuple[NDArray[np.int32], Table]:
        """Paths drawn under operations whose evidence has just been asked for, and their gains; see `sampled_gains`."""
        paths, gain, _ = sampled_gains(self.beam, self.links, self.starts, rows, count, seed)
        return paths, gain
