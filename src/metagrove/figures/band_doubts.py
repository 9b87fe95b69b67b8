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
# of its length; right readings of 50 pictures had at most 0.011
_MOST = 0.03
_FEWEST = 20
_REACH = 10
# ink of its own that shows, how far below its end a curve may show it (survival, line widths), and gaps within it
_INKED, _DEEP, _WIDTHS, _GAP = 0.4, 0.04, 2.5, 2
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


def end_doubts(
    plot: Plot,
    own: Sequence[NDArray[np.float32]],
    looks: Sequence[ArmLook],
    paths: Sequence[Path],
    arms: Sequence[ArmReading],
) -> list[Finding]:
    """Doubts about curves from whose end an upright line of their own ink runs down: a last drop, onto another curve.

    `own` is the ink of each arm that no other covers, shape (rows, columns). A censor mark reaches as far up as down.
    """
    out = []
    for arm, ink, look, path in zip(arms, own, looks, paths, strict=True):
        row, column = int(path.leave[-1]), path.first + len(path.leave) - 1
        last, lowest = float(arm.survival[-1]), float(plot.survival(np.array(row + 0.5)))
        if lowest > _FOOT and last - lowest > _DEEP:
            out.append(Finding(f"'{arm.name}' ends at {last:.2f} or, with a drop at its very end, at {lowest:.2f}"))
            continue
        half = round(look.width / 2) + 1
        strip = ink[:, max(column - 2, 0) : column + 4].max(axis=1) > _INKED
        down, up = _run(strip[row + half :]), _run(strip[: max(row - half, 0)][::-1])
        if down < _WIDTHS * look.width + 3 or up > 0.5 * down:
            continue
        level, end = (float(plot.survival(np.array(float(r)))) for r in (row, row + half + down))
        if level - end > _DEEP:
            out.append(Finding(f"'{arm.name}' ends at {level:.2f}, and a line of its colour runs down from there"))
    return out


def _run(inked: NDArray[np.bool_]) -> int:
    """How far ink reaches from the start, small gaps left out of account."""
    places = np.flatnonzero(inked)
    if not len(places) or places[0] > _GAP:
        return 0
    breaks = np.flatnonzero(np.diff(places) > _GAP + 1)
    return int(places[breaks[0]] if len(breaks) else places[-1]) + 1
