"""The maximum of a sum of studies' log-likelihoods: shared parameters, and perhaps one parameter of each study's own.

Newton's method on exact gradients. Minus the Hessian has the shape of an arrow, so it costs as many gradients as there
are shared parameters, however many studies there are; where it comes from differences, all of them are one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, TypeAlias

import numpy as np

from metagrove.core.errors import ConvergenceError
from metagrove.core.values import Array

__all__ = ["Batch", "Blocks", "Differences", "Evaluation", "Evaluations", "Optimum", "Surface", "maximum", "together"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The summed log-likelihood, its gradient in the shared parameters (G,) and in each study's own (k,)."""

    value: float
    shared: Array
    own: Array | None


#: Minus the Hessian: shared (G, G), cross (k, G) and own (k,), the last two None without own parameters.
Blocks: TypeAlias = "tuple[Array, Array | None, Array | None]"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluations:
    """The same at several points: values (B,), gradients in the shared (B, G) and in the own parameters (B, k)."""

    values: Array
    shared: Array
    own: Array | None

    def __getitem__(self, i: int) -> Evaluation:
        return Evaluation(float(self.values[i]), self.shared[i], None if self.own is None else self.own[i])


def together(parts: Sequence[Evaluations]) -> Evaluations:
    """Evaluations end to end."""
    owns = [part.own for part in parts if part.own is not None]
    return Evaluations(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.shared for part in parts]),
        np.concatenate(owns) if owns else None,
    )


#: Evaluations at several points at once: shared parameters (B, G), own parameters (B, k) or None.
Batch = Callable[[Array, "Array | None"], Evaluations]


class Surface(Protocol):
    """What is climbed; `exact` says whether the curvature of `bent` is good enough for standard errors."""

    @property
    def exact(self) -> bool:
        """Whether `bent` and `curvature` agree."""
        ...

    def at(self, shared: Array, own: Array | None) -> Evaluation:
        """Value and slopes at a point."""
        ...

    def bent(self, shared: Array, own: Array | None) -> tuple[Evaluation, Blocks]:
        """The same and the curvature, well enough for a step."""
        ...

    def curvature(self, shared: Array, own: Array | None) -> Blocks:
        """Minus the Hessian, well enough for standard errors."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """A surface whose curvature comes from differences of gradients, all asked of `batch` in one call.

    `exact`: central differences for every step, which pay where a call costs more than what is in it.
    """

    batch: Batch
    exact: bool = False

    def at(self, shared: Array, own: Array | None) -> Evaluation:
        """Value and slopes at a point."""
        return self.batch(shared[None, :], None if own is None else own[None, :])[0]

    def bent(self, shared: Array, own: Array | None) -> tuple[Evaluation, Blocks]:
        """Value, slopes and differences."""
        return self.bent_at(shared[None, :], own)[0]

    def bent_at(self, points: Array, own: Array | None) -> list[tuple[Evaluation, Blocks]]:
        """The same at several points (n, G) with the same own parameters, in one call."""
        near, owns, wide = self._around(points, own)
        found = self.batch(near, owns)
        each = near.shape[0] // points.shape[0]
        sides = 2 if self.exact else 1
        return [
            (found[i * each], _slopes(found, slice(i * each, (i + 1) * each), wide[i], own, sides))
            for i in range(points.shape[0])
        ]

    def _around(self, points: Array, own: Array | None) -> tuple[Array, Array | None, Array]:
        """Each point and those one step away in each shared parameter, then in all own ones together; and the steps."""
        g = points.shape[1]
        moves, own_moves = _moves(g, own is not None, self.exact)
        step = _WIDE if self.exact else _NARROW
        wide = step * np.maximum(1.0, np.abs(points))
        near = (points[:, None, :] + wide[:, None, :] * moves).reshape(-1, g)
        if own is None:
            return near, None, wide
        owns = own + own_moves * (step * np.maximum(1.0, np.abs(own)))
        return near, owns if points.shape[0] == 1 else np.concatenate([owns] * points.shape[0]), wide

    def curvature(self, shared: Array, own: Array | None) -> Blocks:
        """Central differences."""
        return (self if self.exact else Differences(self.batch, exact=True)).bent(shared, own)[1]


_FAR = 8.0  # logits and log rates beyond this in a search that does not end
_NARROW, _WIDE = 1e-6, 1e-4  # of forward and of central differences


@cache
def _moves(g: int, own: bool, both: bool) -> tuple[Array, Array]:
    """Which way to step from a point, (n, G), and in the own parameters, (n, 1): not at all first, then behind, then ahead."""
    each = np.zeros((g + 1 if own else g, g))
    each[:g] = np.eye(g)
    mine = np.zeros((len(each), 1))
    mine[g:] = 1.0
    zero = np.zeros((1, g)), np.zeros((1, 1))
    if both:
        return np.concatenate([zero[0], -each, each]), np.concatenate([zero[1], -mine, mine])
    return np.concatenate([zero[0], each]), np.concatenate([zero[1], mine])


def _slopes(found: Evaluations, part: slice, wide: Array, own: Array | None, sides: int) -> Blocks:
    """Minus the Hessian from evaluations at a point and around it, one step ahead, or first behind and then ahead."""
    g, wide = wide.size, sides * wide
    slopes = found.shared[part]
    each = (len(slopes) - 1) // sides
    behind = slopes[1 : g + 1] if sides == 2 else slopes[0]
    big = (behind - slopes[-each : len(slopes) - each + g]) / wide[:, None]
    big = 0.5 * (big + big.T)
    if own is None or found.own is None:
        return big, None, None
    mine = found.own[part]
    falls = (mine[1 : g + 2] if sides == 2 else mine[0]) - mine[-each:]
    own_wide = sides * (_WIDE if sides == 2 else _NARROW) * np.maximum(1.0, np.abs(own))
    return big, falls[:g].T / wide, falls[g] / own_wide


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where the maximum is, and the curvature there.

    `information` is minus the Hessian in the shared parameters after each study's own has been profiled out, (G, G);
    `own_information` and `cross` are its other blocks, (k,) and (k, G). `gradient` is the largest slope left.
    `left` says that the search was broken off on its way down to the least size of the last shared parameter.
    """

    shared: Array
    own: Array | None
    value: float
    information: Array
    own_information: Array | None
    cross: Array | None
    gradient: float
    iterations: int
    left: bool = False


def _profiled(big: Array, cross: Array | None, own: Array | None) -> Array:
    if cross is None or own is None:
        return big
    return np.asarray(big - cross.T @ (cross / own[:, None]))


def _step(here: Evaluation, blocks: Blocks) -> tuple[Array, Array | None]:
    big, cross, own = blocks
    gradient = here.shared
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
    surface: Surface,
    shared: Array,
    own: Array | None = None,
    *,
    first: tuple[Evaluation, Blocks] | None = None,
    least: float = 0.0,
    extrapolate: bool = False,
    limit: int = 200,
) -> Optimum:
    """The maximum reached from the given start.

    Ends with a step from an accurate Hessian that moves no parameter by more than 1e-6 of the scale, for Newton's steps
    square the distance; or with one that has nothing to gain: where the best tau is 0 the likelihood can be flat in it
    to third order.

    Parameters
    ----------
    surface : what is climbed.
    shared, own : where to start.
    first : evaluation and curvature there, if known.
    least : the search is broken off where a full step takes the last shared parameter below it.
    extrapolate : take a last step that is short enough for granted, with the curvature in a straight line; for
        well-conditioned surfaces, whose standard errors then have seven digits.
    limit : steps.

    Raises
    ------
    ConvergenceError
        After `limit` steps, saying where it stood.
    """
    here, blocks = first or surface.bent(shared, own)
    behind: tuple[Blocks, Array] | None = None
    settled = False
    for iteration in range(1, limit + 1):
        step = _step(here, blocks)
        if least > 0 and float(shared[-1] + step[0][-1]) < least:
            return _optimum(shared, own, here, blocks, iteration, left=True)
        if extrapolate and behind is not None and _steady(blocks, behind[0]) and _close(shared, here, step):
            return _optimum(*_taken(shared, own, here, step), _ahead(blocks, behind, shared, step[0]), iteration)
        behind = blocks, shared
        shared, own, here, bent, moved, gain = _moved(surface, shared, own, here, step, bend=not settled)
        blocks = blocks if bent is None else bent
        flat = gain <= 1e-13 * (1.0 + abs(here.value))
        if not settled and not surface.exact:
            if moved <= 2e-4 or flat:
                # The maximum is within 1e-6 from here and has this Hessian.
                blocks, settled = surface.curvature(shared, own), True
        elif moved <= 1e-6 * (1.0 + float(np.abs(shared).max())) or flat:
            return _optimum(shared, own, here, blocks, iteration)
        elif settled and moved > 2e-4:
            settled = False
            here, blocks = surface.bent(shared, own)
    far = "; the likelihood seems to rise without end" if float(np.abs(shared).max()) > _FAR else ""
    raise ConvergenceError(f"no maximum after {limit} steps; the last one was at {np.round(shared, 4).tolist()}{far}")


def _close(shared: Array, here: Evaluation, step: tuple[Array, Array | None]) -> bool:
    """Whether a step is so short on so flat a ground that Newton's own error behind it is beyond what doubles hold."""
    move, move_own = step
    short = 2e-6 * (1.0 + float(np.abs(shared).max()))
    if float(np.abs(move).max()) > short or float(np.abs(here.shared).max()) > 1e-4:
        return False
    if here.own is None or move_own is None:
        return True
    return float(np.abs(move_own).max()) <= short and float(np.abs(here.own).max()) <= 1e-4


def _steady(blocks: Blocks, before: Blocks) -> bool:
    """Whether the last step changed the curvature by less than a hundredth."""
    return float(np.abs(blocks[0] - before[0]).max()) <= 0.01 * float(np.abs(np.diag(blocks[0])).min())


def _ahead(blocks: Blocks, behind: tuple[Blocks, Array], shared: Array, move: Array) -> Blocks:
    """The curvature after a short step, in a straight line from where the last step began through where it ended."""
    last = shared - behind[1]
    far = float(last @ last)
    share = float(move @ last) / far if far > 0 else 0.0
    big, cross, own = (
        None if now is None or then is None else now + share * (now - then)
        for now, then in zip(blocks, behind[0], strict=True)
    )
    return blocks if big is None else (big, cross, own)


def _taken(
    shared: Array, own: Array | None, here: Evaluation, step: tuple[Array, Array | None]
) -> tuple[Array, Array | None, Evaluation]:
    """The point after a short step, with the value that the curvature promises; slopes are those before it."""
    move, move_own = step
    gain = float(here.shared @ move)
    if own is None or move_own is None or here.own is None:
        return shared + move, own, Evaluation(here.value + 0.5 * gain, here.shared, here.own)
    gain += float(here.own @ move_own)
    return shared + move, own + move_own, Evaluation(here.value + 0.5 * gain, here.shared, here.own)


def _moved(
    surface: Surface,
    shared: Array,
    own: Array | None,
    here: Evaluation,
    step: tuple[Array, Array | None],
    *,
    bend: bool,
) -> tuple[Array, Array | None, Evaluation, Blocks | None, float, float]:
    """The next point, how far it is and what was to be gained; the step is halved until the likelihood rises as it should.

    With `bend` the curvature at the new point comes along.
    """
    move, move_own = step
    gain = float(here.shared @ move)
    if here.own is not None and move_own is not None:
        gain += float(here.own @ move_own)
    size, slack = 1.0, 1e-12 * (1.0 + abs(here.value))
    while size > 1e-8:
        there = shared + size * move
        there_own = own + size * move_own if own is not None and move_own is not None else own
        trial, bent = surface.bent(there, there_own) if bend else (surface.at(there, there_own), None)
        # A share of the promised gain, or a step across tau = 0 could land on its own mirror image for ever.
        if math.isfinite(trial.value) and trial.value >= here.value + 1e-4 * size * max(gain, 0.0) - slack:
            furthest = max(np.abs(move).max(), np.abs(move_own).max() if move_own is not None else 0.0)
            return there, there_own, trial, bent, size * float(furthest), abs(gain)
        size /= 2
    if abs(gain) > 1e-7 * (1.0 + abs(here.value)):
        raise ConvergenceError(
            f"the likelihood does not rise along its own slope at {np.round(shared, 4).tolist()}; {gain:.2g} was expected"
        )
    return shared, own, here, None, 0.0, abs(gain)


def _optimum(
    shared: Array, own: Array | None, here: Evaluation, blocks: Blocks, iterations: int, *, left: bool = False
) -> Optimum:
    big, cross, own_block = blocks
    slope = float(np.abs(here.shared).max())
    if here.own is not None:
        slope = max(slope, float(np.abs(here.own).max()))
    return Optimum(shared, own, here.value, _profiled(big, cross, own_block), own_block, cross, slope, iterations, left)
