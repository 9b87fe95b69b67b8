"""Where a surface on a grid crosses a level, and the round levels worth drawing."""

from __future__ import annotations

import numpy as np

from metagrove.core.values import Array

__all__ = ["level_crossings", "round_levels"]


def round_levels(low: float, high: float, n: int) -> Array:
    """About `n` + 1 equally spaced round values (multiples of 1, 2 or 5 times a power of 10) that cover the range.

    The next larger unit is taken where the number of intervals comes nearer to `n` by it, with a leaning towards larger
    units, as R's `pretty` does (Becker RA, Chambers JM, Wilks AR 1988, The New S Language).
    """
    cell = (high - low) / n
    if not cell > 0:
        return np.array([low])
    base = 10.0 ** np.floor(np.log10(cell))
    unit = base
    for factor, lean in ((2, 1.5), (5, 2.75), (10, 1.5)):
        if factor * base - cell < lean * (cell - unit):
            unit = factor * base
    first, last = np.floor(low / unit + 1e-7), np.ceil(high / unit - 1e-7)
    return np.asarray(np.arange(first, last + 0.5) * unit, dtype=np.float64)


def level_crossings(x: Array, y: Array, surface: Array, level: float) -> Array:
    """Points (m, 2) where the lines of the grid `x` (shape (p,)) by `y` (shape (q,)) meet the `level` of the surface.

    `surface` has shape (p, q); between grid points it is taken as linear along the lines of the grid.
    """
    above = surface - level
    points = []
    i, j = np.nonzero(above[:-1] * above[1:] < 0)
    share = above[i, j] / (above[i, j] - above[i + 1, j])
    points.append(np.column_stack((x[i] + share * (x[i + 1] - x[i]), y[j])))
    i, j = np.nonzero(above[:, :-1] * above[:, 1:] < 0)
    share = above[i, j] / (above[i, j] - above[i, j + 1])
    points.append(np.column_stack((x[i], y[j] + share * (y[j + 1] - y[j]))))
    return np.concatenate(points)
