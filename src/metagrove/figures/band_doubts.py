"""Doubts whether a traced curve is a line, not the edge of a band in its colour, and whether it ends where it stops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.findings import Finding
from metagrove.figures.lines.evidence import ArmLook, Canvas
from metagrove.figures.lines.tracking import Path
from metagrove.figures.plot import Plot
from metagrove.figures.reading import ArmReading

__all__ = ["band_doubts", "end_doubts"]

# a line differs from both its sides; where one side differs so much less than the other, or so little, it is an edge
_ONE_SIDED, _LITTLE = 0.3, 25.0
# of its length: a shorter piece of a band's edge, a few hundredths off, changes the mean by less than a hundredth
_MOST = 0.1
_FEWEST = 20
_REACH = 10
# survival
_DEEP = 0.04
# last drops to the foot of the plot are looked for apart
_FOOT = 0.05


def band_doubts(
    field: Canvas,
    hidden: Sequence[NDArray[np.bool_]],
    looks: Sequence[ArmLook],
    paths: Sequence[Path],
    arms: Sequence[ArmReading],
) -> list[Finding]:
    """Doubts about curves whose level pieces are no lines for more than a few columns.

    `hidden` says where strokes of other arms lie, for each arm, shape (rows, columns).
    """
    out = []
    for arm, look, path, mask in zip(arms, looks, paths, hidden, strict=True):
        share = _edges(field, mask | field.blank, look, path)
        if share > _MOST:
            out.append(Finding(f"'{arm.name}' runs along the edge of an area for {100 * share:.0f} % of its length"))
    return out


def _edges(field: Canvas, hidden: NDArray[np.bool_], look: ArmLook, path: Path) -> float:
    """The share of a path's columns in which it stands alone and is the edge of an area."""
    rows, columns = np.asarray(path.leave), np.arange(len(path.leave)) + path.first
    aside = round(look.width / 2 + 2.5)
    if len(rows) < _FEWEST:
        return 0.0
    jumps = (rows != np.asarray(path.enter)).astype(float)
    level = np.convolve(jumps, np.ones(2 * aside + 1), "same") == 0
    inside = (rows >= aside + _REACH) & (rows < len(hidden) - aside - _REACH)
    use = level & inside & np.asarray(path.inked, dtype=bool)
    rows, columns = rows[use], columns[use]
    alone = ~np.any([hidden[rows + k, columns] for k in range(-aside - 1, aside + 2)], axis=0)
    rows, columns = rows[alone], columns[alone]
    if len(rows) < _FEWEST:
        return 0.0
    middle = np.stack([field.rgb[rows + k, columns] for k in (-1, 0, 1)])
    nearest = ((middle - np.array(look.colour, dtype=np.float32)) ** 2).sum(axis=2).argmin(axis=0)
    core = middle[nearest, np.arange(len(rows))]
    # an area goes on, while soft edges and other lines end: a side counts as it differs anywhere near
    reach = range(aside, aside + _REACH)
    beside = [[np.linalg.norm(core - field.rgb[rows + s * k, columns], axis=1) for k in reach] for s in (-1, 1)]
    above, below = (np.max(side, axis=0) for side in beside)
    less, more = np.minimum(above, below), np.maximum(above, below)
    return float((less < np.minimum(_ONE_SIDED * more, _LITTLE)).sum() / len(path.leave))


def end_doubts(plot: Plot, paths: Sequence[Path], arms: Sequence[ArmReading]) -> list[Finding]:
    """Doubts about curves whose trace drops in its last column, mostly onto another curve, while the reading does not."""
    out = []
    for arm, path in zip(arms, paths, strict=True):
        last, lowest = float(arm.survival[-1]), float(plot.survival(np.array(path.leave[-1] + 0.5)))
        if lowest > _FOOT and last - lowest > _DEEP:
            out.append(Finding(f"'{arm.name}' ends at {last:.2f} or, with a drop at its very end, at {lowest:.2f}"))
    return out
