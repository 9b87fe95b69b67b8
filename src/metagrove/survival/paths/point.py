"""The likeliest of the hidden paths near the mean of those drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.survival.evidence.curve_input import middle
from metagrove.survival.evidence.printed_facts import Facts
from metagrove.survival.evidence.steps import Reading
from metagrove.survival.paths.plan import Plan, Weights
from metagrove.survival.paths.search import Beam, limits_of, operations_of, passed_through

__all__ = ["NEAREST", "point_of", "pulled_point"]

#: How near to the mean a point is held at least, in patients, and at most, in standard deviations of the draws.
NEAREST = (0.6, 0.5)


def point_of(
    plan: Plan,
    weights: Weights,
    drawn: NDArray[np.int32],
    reading: Reading,
    facts: Facts,
    beam: Beam,
) -> NDArray[np.int32]:
    """The likeliest path among those whose numbers at risk stay near the mean of the draws."""
    after = drawn[:, 1:]
    near = (after.mean(axis=0), np.maximum(NEAREST[0], NEAREST[1] * after.std(axis=0)))
    point = pulled_point(plan, weights, near, lambda: drawn, reading, facts, beam)
    return drawn[:1] if point is None else point


def pulled_point(
    plan: Plan,
    weights: Weights,
    near: tuple[Array, Array],
    draw: Callable[[], NDArray[np.int32] | None],
    reading: Reading,
    facts: Facts,
    beam: Beam,
    *,
    enough: float = -np.inf,
) -> NDArray[np.int32] | None:
    """The likeliest path near a centre with a spread, shape (1, k + 1), else the one of those drawn that is nearest to it.

    Parameters
    ----------
    near : centre and spread, shape (k,) each. draw : gives the paths drawn, shape (draws, k + 1); None where there are none.
    enough : half the squared distance from the levels read, in standard errors, up to which the path need not be compared
        with those drawn.
    """
    from metagrove.survival.passes.drawing import misfits, sampled

    centre, spread = near
    operations = operations_of(plan, weights, near=near)
    run = passed_through(operations, limits_of(reading, facts, beam, plan.kind.size, peak=True))
    pulled = None
    if run[4] == plan.kind.size:
        pulled = np.asarray(sampled(run[0], run[1], run[2], operations, 1, 1, 1)[0])
        fit = float(misfits(operations, pulled)[0])
        if fit <= enough:
            return pulled
    drawn = draw()
    if drawn is None or (pulled is not None and fit <= middle(misfits(operations, drawn)) + 3):
        return pulled
    nearest = int(np.argmin((((drawn[:, 1:] - centre) / spread) ** 2).sum(axis=1)))
    return drawn[nearest : nearest + 1]
