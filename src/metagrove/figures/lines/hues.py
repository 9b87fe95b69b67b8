"""Whether each traced curve is drawn in its own arm's colour and not in another's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.findings import Finding
from metagrove.figures.lines.evidence import ArmLook, Canvas
from metagrove.figures.lines.tracking import Path
from metagrove.figures.reading import ArmReading

__all__ = ["miscoloured"]

# how much better another assignment of colours must be, in levels of 255 an arm
_BETTER = 12.0
_MOST = 6


def miscoloured(
    field: Canvas,
    hidden: Sequence[NDArray[np.bool_]],
    looks: Sequence[ArmLook],
    paths: Sequence[Path],
    arms: Sequence[ArmReading],
) -> list[Finding]:
    """Doubts where the inks along the curves fit the arms' colours better in another order.

    Parameters
    ----------
    hidden : where strokes of other arms lie, for each arm, shape (rows, columns).

    Small pictures blur the lines of a legend, so that a colour read there may be as near to one curve as to another.
    """
    seen = [_ink(field, mask, path) for mask, path in zip(hidden, paths, strict=True)]
    known = [i for i, ink in enumerate(seen) if ink is not None]
    if not 1 < len(known) <= _MOST:
        return []
    far = np.array([[_apart(seen[i], looks[j]) for j in known] for i in known])
    best = min(permutations(range(len(known))), key=lambda p: sum(far[k, j] for k, j in enumerate(p)))
    gain = float(np.trace(far)) - sum(float(far[k, j]) for k, j in enumerate(best))
    moved = [(known[k], known[j]) for k, j in enumerate(best) if k != j]
    if gain < _BETTER * len(moved):
        return []
    return [Finding(f"'{arms[i].name}' is drawn in the colour of '{arms[j].name}'") for i, j in moved]


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
