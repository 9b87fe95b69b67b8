"""The maximum of a sum of studies' log-likelihoods: shared parameters, and perhaps one parameter of each study's own.

Newton's method on exact gradients; the Hessian comes from differences of gradients and has the shape of an arrow, so a
step costs as many evaluations as there are shared parameters, however many studies there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from metagrove.core.errors import ConvergenceError
from metagrove.core.values import Array

__all__ = ["Evaluation", "Objective", "Optimum", "maximum"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The summed log-likelihood, its gradient in the shared parameters (k, G) and in each study's own (k,)."""

    value: float
    shared: Array
    own: Array | None


#: A function of shared parameters (G,) and own parameters (k,) or None.
Objective = Callable[[Array, "Array | None"], Evaluation]
#: Minus the Hessian: shared (G, G), cross (k, G) and own (k,), the last two None without own parameters.
Blocks: TypeAlias = "tuple[Array, Array | None, Array | None]"


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where the maximum is, and the curvature there.

    `information` is minus the Hessian in the shared parameters after each study's own has been profiled out, (G, G);
    `own_information` and `cross` are its other blocks, (k,) and (k, G). `gradient` is the largest slope left.
    """

    shared: Array
    own: Array | None
    value: float
    information: Array
    own_information: Array | None
    cross: Array | None
    gradient: float
    iterations: int


def _blocks(objective: Objective, shared: Array, own: Array | None, at: Evaluation | None, step: float) -> Blocks:
    """Minus the Hessian's blocks: shared (G, G), cross (k, G), own (k,); forward differences if `at` is given."""
    g = shared.size
    k = own.size if own is not None else 0
    big = np.empty((g, g))
    cross = np.empty((k, g)) if own is not None else None

    def slope(move_shared: Array, move_own: Array | None) -> Evaluation:
        return objective(shared + move_shared, own + move_own if own is not None and move_own is not None else own)

    for p in range(g):
        h = step * max(1.0, abs(float(shared[p])))
        ahead = np.zeros(g)
        ahead[p] = h
        up = slope(ahead, None)
        down, width = (at, h) if at is not None else (slope(-ahead, None), 2 * h)
        big[p] = (down.shared.sum(axis=0) - up.shared.sum(axis=0)) / width
        if cross is not None and up.own is not None and down.own is not None:
            cross[:, p] = (down.own - up.own) / width
    own_block = None
    if own is not None:
        h_own = step * np.maximum(1.0, np.abs(own))
        up = slope(np.zeros(g), h_own)
        down, scale = (at, h_own) if at is not None else (slope(np.zeros(g), -h_own), 2 * h_own)
        if up.own is not None and down.own is not None:
            own_block = (down.own - up.own) / scale
    return (big + big.T) / 2, cross, own_block


def _profiled(big: Array, cross: Array | None, own: Array | None) -> Array:
    if cross is None or own is None:
        return big
    return np.asarray(big - cross.T @ (cross / own[:, None]))


def _step(here: Evaluation, blocks: Blocks) -> tuple[Array, Array | None]:
    big, cross, own = blocks
    gradient = here.shared.sum(axis=0)
    if cross is not None and own is not None and here.own is not None:
        own = np.maximum(own, 1e-8)
        gradient = gradient - cross.T @ (here.own / own)
    values, vectors = np.linalg.eigh(_profiled(big, cross, own))
    # Where the surface bends upwards the step follows the slope at the same curvature's size.
    values = np.maximum(np.abs(values), 1e-8 * max(1.0, float(np.abs(values).max())))
    shared = vectors @ ((vectors.T @ gradient) / values)
    shared = shared * min(1.0, 4.0 / max(float(np.abs(shared).max()), 1e-300))
    if cross is None or own is None or here.own is None:
        return shared, None
    return shared, np.clip((here.own - cross @ shared) / own, -8.0, 8.0)


def maximum(
    objective: Objective, shared: Array, own: Array | None = None, *, tolerance: float = 1e-9, limit: int = 200
) -> Optimum:
    """The maximum reached from the given start.

    Ends when a step moves no parameter by more than `tolerance` of the scale, or has nothing to gain: where the best tau
    is 0 the likelihood can be flat in it to third order.

    Raises
    ------
    ConvergenceError
        After `limit` steps, saying where it stood.
    """
    here = objective(shared, own)
    settled: Blocks | None = None
    for iteration in range(1, limit + 1):
        blocks = settled or _blocks(objective, shared, own, here, 1e-6)
        shared, own, here, moved, gain = _moved(objective, shared, own, here, blocks)
        flat = gain <= 1e-13 * (1.0 + abs(here.value))
        scale = 1.0 + float(np.abs(shared).max())
        if settled is None:
            if moved <= 2e-4 or flat:
                # Newton's steps square the distance: the maximum is within 1e-6 from here and has this Hessian.
                settled = _blocks(objective, shared, own, None, 1e-4)
        elif moved <= tolerance * scale or flat:
            return _optimum(shared, own, here, settled, iteration)
        elif moved > 2e-4:
            settled = None
    raise ConvergenceError(f"no maximum after {limit} steps; the last one was at {np.round(shared, 4).tolist()}")


def _moved(
    objective: Objective, shared: Array, own: Array | None, here: Evaluation, blocks: Blocks
) -> tuple[Array, Array | None, Evaluation, float, float]:
    """The next point, how far it is and what was to be gained; the step is halved until the likelihood rises as it should."""
    move, move_own = _step(here, blocks)
    gain = float(here.shared.sum(axis=0) @ move)
    if here.own is not None and move_own is not None:
        gain += float(here.own @ move_own)
    size, slack = 1.0, 1e-12 * (1.0 + abs(here.value))
    while size > 1e-8:
        trial_own = own + size * move_own if own is not None and move_own is not None else own
        trial = objective(shared + size * move, trial_own)
        # A share of the promised gain, or a step across tau = 0 could land on its own mirror image for ever.
        if np.isfinite(trial.value) and trial.value >= here.value + 1e-4 * size * max(gain, 0.0) - slack:
            furthest = max(np.abs(move).max(), np.abs(move_own).max() if move_own is not None else 0.0)
            return shared + size * move, trial_own, trial, size * float(furthest), abs(gain)
        size /= 2
    if abs(gain) > 1e-7 * (1.0 + abs(here.value)):
        raise ConvergenceError(
            f"the likelihood does not rise along its own slope at {np.round(shared, 4).tolist()}; {gain:.2g} was expected"
        )
    return shared, own, here, 0.0, abs(gain)


def _optimum(shared: Array, own: Array | None, here: Evaluation, blocks: Blocks, iterations: int) -> Optimum:
    big, cross, own_block = blocks
    slope = float(np.abs(here.shared.sum(axis=0)).max())
    if here.own is not None:
        slope = max(slope, float(np.abs(here.own).max()))
    return Optimum(shared, own, here.value, _profiled(big, cross, own_block), own_block, cross, slope, iterations)
