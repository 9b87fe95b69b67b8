"""The lowest point of a smooth function of a few bounded parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from metagrove.core.values import Array

__all__ = ["Loss", "lowest_point"]

#: A function to make small: its value and gradient at a point, shape (n,).
Loss: TypeAlias = Callable[[Array], tuple[float, Array]]


def lowest_point(
    loss: Loss, start: Array, low: Array, high: Array, *, tolerance: float = 1e-9, iterations: int = 500
) -> tuple[Array, float]:
    """The local minimum of `loss` between `low` and `high` (infinite where open) that lies downhill from `start`.

    A quasi-Newton descent (BFGS) among the parameters that are not held at a bound, each step projected onto the
    bounds and shortened until it gains. Ends where the projected gradient is below `tolerance` or no step gains; the
    caller judges the point. Deterministic.

    References
    ----------
    Nocedal J, Wright SJ (2006) Numerical Optimization, 2nd ed., ch. 6 and 16.7. doi:10.1007/978-0-387-40065-5
    """
    x = np.minimum(np.maximum(start, low), high)
    value, gradient = loss(x)
    curvature = np.eye(x.size) * max(1.0, float(np.sqrt(gradient @ gradient)))
    fresh = True
    for _ in range(iterations):
        held = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
        free = np.flatnonzero(~held)
        if not free.size or np.abs(gradient[free]).max() < tolerance:
            break
        move = np.zeros(x.size)
        move[free] = _newton_move(curvature[np.ix_(free, free)], gradient[free])
        step = _gaining_step(loss, x, (value, gradient), move, (low, high))
        if step is None:
            if fresh:
                break
            curvature, fresh = np.eye(x.size) * max(1.0, float(np.sqrt(gradient @ gradient))), True
            continue
        there, new_value, new_gradient = step
        curvature, fresh = _updated(curvature, there - x, new_gradient - gradient, fresh=fresh)
        x, value, gradient = there, new_value, new_gradient
    return x, value


def _newton_move(curvature: Array, gradient: Array) -> Array:
    """The step to the lowest point of the quadratic; plain descent where the curvature is singular."""
    try:
        return np.asarray(np.linalg.solve(curvature, -gradient), dtype=np.float64)
    except np.linalg.LinAlgError:
        return -gradient / max(1.0, float(np.abs(curvature).max()))


def _gaining_step(
    loss: Loss, x: Array, here: tuple[float, Array], move: Array, bounds: tuple[Array, Array]
) -> tuple[Array, float, Array] | None:
    """The first of ever shorter steps along `move` that lowers the loss enough; None where none does."""
    value, gradient = here
    size = 1.0
    for _ in range(40):
        there = np.minimum(np.maximum(x + size * move, bounds[0]), bounds[1])
        slope = float(gradient @ (there - x))
        if slope < 0:
            new_value, new_gradient = loss(there)
            if new_value <= value + 1e-4 * slope and new_value < value:
                return there, new_value, new_gradient
        size *= 0.4
    return None


def _updated(curvature: Array, s: Array, y: Array, *, fresh: bool) -> tuple[Array, bool]:
    """The BFGS update of the curvature by a step `s` and the change `y` of the gradient along it."""
    along = float(s @ y)
    if along <= 1e-12 * float(np.sqrt((s @ s) * (y @ y))):
        return curvature, fresh
    if fresh:
        curvature = np.eye(s.size) * (float(y @ y) / along)
    pushed = curvature @ s
    return curvature + np.outer(y, y) / along - np.outer(pushed, pushed) / float(s @ pushed), False
