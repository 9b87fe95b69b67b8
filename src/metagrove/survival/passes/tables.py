"""What the compiled recursions over a hidden path take and leave: the columns of operations, states and edges."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ARRIVE",
    "CARRY",
    "CENSOR",
    "CENTRE",
    "CONSUME",
    "COUNT",
    "DIED",
    "DROP",
    "DYING",
    "FIRST",
    "FORCE",
    "HAZARD",
    "KIND",
    "LEVEL",
    "LINE",
    "LOOK",
    "LOTS",
    "LOW",
    "MASS",
    "MOST",
    "NEXT",
    "ORIGIN",
    "OUTLOOK",
    "PULL",
    "SCORE",
    "SEEN",
    "SOURCE",
    "SPREAD",
    "STAYING",
    "TAG",
    "TOLL",
    "UNSEEN",
    "UP",
    "WEIGHT",
    "A",
    "B",
    "Beam",
    "C",
    "Edges",
    "Limits",
    "N",
    "Table",
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
#: seen : DROP: smallest fall that makes a drop of its own; fewer deaths than cause it are unlikely, by `UNSEEN` each. CENSOR: the
#:     power of the share still followed that is its prior.
KIND, A, B, C, HAZARD, LOW, MOST, CENTRE, SPREAD, MASS, DYING, STAYING, COUNT, PULL, TOLL, SEEN = range(16)
#: Columns behind those, where there are any: mean, slope and curvature of the log likelihood of all that follows (see
#: normal_states), by which states are then kept, where they are too many by lot. The last holds what the lots begin with.
OUTLOOK, LOTS = 16, 28
#: Weight of each death too few for a drop that can be seen.
UNSEEN = 0.1
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
