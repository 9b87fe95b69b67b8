"""Which arm each traced curve belongs to by its colour."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.evidence import ArmLook, Canvas
from metagrove.figures.lines.tracking import Path

__all__ = ["fitting_order"]

# how much better another assignment of colours must be, in levels of 255 an arm
_BETTER = 12.0
_MOST = 6


def fitting_order(
    field: Canvas, hidden: Sequence[NDArray[np.bool_]], looks: Sequence[ArmLook], paths: Sequence[Path]
) -> list[int]:
    """Which path is each arm's by the inks along them; as given where no other order is clearly better.

    Parameters
    ----------
    hidden : where strokes of other arms lie, for each path, shape (rows, columns).
    """
    order = list(range(len(paths)))
    seen = [_ink(field, mask, path) for mask, path in zip(hidden, paths, strict=True)]
    known = [i for i in order if seen[i] is not None]
    if not 1 < len(known) <= _MOST:
        return order
    far = np.array([[_apart(seen[i], looks[j]) for j in known] for i in known])
    best = min(permutations(range(len(known))), key=lambda p: sum(far[k, j] for j, k in enumerate(p)))
    gain = float(np.trace(far)) - sum(float(far[k, j]) for j, k in enumerate(best))
    moved = sum(k != j for j, k in enumerate(best))
    if gain >= _BETTER * moved:
        for j, k in enumerate(best):
            order[known[j]] = known[k]
    return order


def _ink(field: Canvas, hidden: NDArray[np.bool_], path: Path) -> Array | None:
    """The colour of the curve's core where no other stroke lies on it; None where too little of it is seen."""
    columns = np.arange(len(path.leave)) + path.first
    rows = np.asarray(path.leave)
    free = path.inked & ~hidden[rows, columns] & ~field.blank[rows, columns]
    if int(free.sum()) < 20:
        return None
    power = field.error(field.main)[rows[free], columns[free]]
    core = power >= np.quantile(power, 0.6)
    return np.asarray(np.median(field.rgb[rows[free], columns[free]][core], axis=0), dtype=float)


def _apart(ink: Array | None, look: ArmLook) -> float:
    return float(np.linalg.norm(ink - np.array(look.colour, dtype=float))) if ink is not None else 0.0
