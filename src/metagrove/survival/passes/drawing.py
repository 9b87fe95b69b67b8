"""Compiled drawing of whole paths from the states of a forward pass. Kept apart because importing it compiles (once)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from metagrove.survival.passes.tables import (
    CARRY,
    CENSOR,
    DROP,
    FIRST,
    HAZARD,
    KIND,
    LEVEL,
    NEXT,
    ORIGIN,
    SOURCE,
    UP,
    WEIGHT,
    A,
    B,
    Beam,
    Edges,
    N,
    Table,
)

__all__ = ["misfits", "sampled", "sampled_gains"]

_compiled = njit(cache=True, error_model="numpy", nogil=True)
_inlined = njit(cache=True, inline="always")


@_inlined
def _uniform(state: Any) -> Any:
    """The next number in [0, 1) of a SplitMix64 sequence."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) / 9007199254740992.0


@_compiled
def _drawn(
    whole: Any, real: Any, edges: Any, load: Any, starts: Any, op: Any, states: Any, peak: Any, n: Any, fit: Any
) -> None:
    """Paths drawn by weight (or the best one) into `n` and `fit`, see `sampled`. All move back layer by layer."""
    draws, k = n.shape[1], op.shape[0]
    at = np.empty(draws, np.int32)
    for i in range(draws):
        state, total, most = states[i : i + 1], 0.0, -1.0
        for u in range(starts[k], starts[k + 1]):
            w = real[u, WEIGHT]
            if peak == 1 and w > most:
                at[i], most = u, w
            elif peak == 0 and w > 0.0:
                total += w
                if _uniform(state) * total < w:
                    at[i] = u
    for o in range(k - 1, -1, -1):
        # Up the chain of a gap to the node whose source the path came from.
        leave = op[o, A] * (1.0 - op[o, B])
        chain, stay = op[o, KIND] == CENSOR, 1.0 - op[o, A] + leave
        read = -1 if op[o, KIND] != DROP else 1 if op[o, HAZARD] == 0.0 else 0
        y, scale = op[o, A], 0.5 / op[o, B] ** 2
        for i in range(draws):
            v, state, share = at[i], states[i : i + 1], stay
            n[o + 1, i] = whole[v, N]
            if read >= 0:
                fit[read, i] += scale * (real[v, LEVEL] - y) ** 2
            while chain:
                a, c = real[v, SOURCE], real[v, CARRY]
                if (peak == 1 and a >= c) or c <= 0.0:
                    break
                if peak == 0 and _uniform(state) * (share * a + c) < share * a:
                    break
                v, share = whole[v, UP], leave
            e = whole[v, FIRST]
            at[i], total, most = e, 0.0, -1.0
            if not chain and edges[e, NEXT] < 0:
                at[i] = edges[e, ORIGIN]
                continue
            while e >= 0 and not chain:
                w = load[e]
                total += w
                if (peak == 1 and w > most) or (peak == 0 and _uniform(state) * total < w):
                    at[i], most = edges[e, ORIGIN], w
                e = edges[e, NEXT]
    for i in range(draws):
        n[0, i] = whole[at[i], N]


def sampled(
    beam: Beam, links: Edges, starts: NDArray[np.int64], rows: Table, draws: int, seed: int, peak: int
) -> tuple[NDArray[np.int32], Table]:
    """Paths drawn by weight (or the best one), shape (draws, k + 1): numbers at risk before each operation and after the last.

    And half the squared distance of the states on each path from what was read, in standard errors, shape (2, draws): from
    the levels of drops, and from printed rates.
    """
    n, fit = np.empty((rows.shape[0] + 1, draws), np.int32), np.zeros((2, draws))
    states = np.random.SeedSequence(seed).generate_state(draws, np.uint64)
    _drawn(*beam, *links, starts, rows, states, peak, n, fit)
    return n.T, fit


@_compiled
def _misfits(op: Any, n: Any, fit: Any) -> None:
    """Half the squared distance of each path's own levels from those read, in standard errors, into `fit`, shape (draws,)."""
    own = np.ones(n.shape[1])
    for o in range(op.shape[0]):
        if op[o, KIND] == DROP:
            y, scale = op[o, A], 0.5 / op[o, B] ** 2
            for i in range(own.size):
                own[i] *= n[o + 1, i] / max(n[o, i], 1)
                fit[i] += scale * (own[i] - y) ** 2


def misfits(rows: Table, paths: NDArray[np.int32]) -> NDArray[np.float64]:
    """Half the squared distance of each path's own levels from those read, in standard errors; shape (paths,)."""
    fit = np.zeros(paths.shape[0])
    _misfits(rows, np.ascontiguousarray(paths.T), fit)
    return fit


def sampled_gains(
    beam: Beam, links: Edges, starts: NDArray[np.int64], rows: Table, draws: int, seed: int
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Paths as by `sampled`, what each was given too little of log likelihood, and half its states' squared distance from the drops.

    Shapes (draws, k + 1), (draws,), (draws,). A merged state carries a mean level; the survival along a path, the product
    of 1 - d / n, lies a little off it.
    """
    n, fit = sampled(beam, links, starts, rows, draws, seed, 0)
    return n, fit.sum(axis=0) - misfits(rows, n), fit[0]
