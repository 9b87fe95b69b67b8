"""Confidence limits drawn as dashed lines: traced as if they were arms, and known by keeping either side of their curve.

R's survival, prodlim and GGally draw a single curve, and many authors several, with dashed limits above and below. No
legend lists them; taken for arms they would be two more groups of patients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.legend.arms import ArmSpec
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.lines.tracking import Path
from metagrove.figures.page import colour_distance

__all__ = ["limited", "part_of", "stroke_of"]

# a limit keeps its side of the curve in nearly all columns, within a pixel, lies clearly off it on the average, and
# begins with it
_SIDE, _BEGINS = 0.97, 0.06
# it moves only where the curve drops: of all its changes of height, at most this share elsewhere
_ALONE = 0.25
# both are seen along this share of the curve and of their own dashes, and in so many columns
_LONG, _SHOWN, _COLUMNS = 0.5, 0.25, 20
_SAME_INK = 60.0
# of the columns where neither limit is cut at 1 or 0, of which there must be some, this share must have limits as far off
# above as below, within so many pixels or this share of the distance
_JUDGED, _AS_FAR, _PIXELS, _NEAR = 0.2, 0.75, 3.0, 0.2
# stretches of the time axis, the correlation with which their hazards must change, and how many stretches must tell
_BLOCKS, _IN_STEP, _FEWEST = 20, 0.75, 5


def limited(specs: Sequence[ArmSpec], trace: Trace, survival: Callable[[Array], Array]) -> dict[int, tuple[int, int]]:
    """The arms that have limits among the other traced lines, with the indices of the upper and the lower one.

    Parameters
    ----------
    survival : the survival at a row of the plot.

    Limits share the ink of their curve and are drawn in other dashes. A line that bears a name is none. At each time one
    limit follows from the other and the curve: they are as far off on the plain, the log or the log-log scale.
    """
    found: dict[int, tuple[int, int]] = {}
    taken: set[int] = set()
    for i, spec in enumerate(specs):
        others = [
            j
            for j, other in enumerate(specs)
            if j != i
            and j not in taken
            and not other.name
            and other.look.dash.off
            and other.look.style != spec.look.style
            and colour_distance(other.look.colour, spec.look.colour) < _SAME_INK
        ]
        for upper in others:
            for lower in others:
                gap = max(specs[upper].look.dash.off, specs[lower].look.dash.off)
                if upper != lower and i not in found and _between(trace, (i, upper, lower), gap, survival):
                    found[i] = (upper, lower)
                    taken |= {upper, lower}
    return {i: pair for i, pair in found.items() if i not in taken}


def _between(trace: Trace, lines: tuple[int, int, int], gap: float, survival: Callable[[Array], Array]) -> bool:
    """Whether two lines lie on the two sides of a curve as its limits do."""
    arm, upper, lower = lines
    curve = trace.paths[arm]
    if min(trace.visible[upper], trace.visible[lower]) < _SHOWN:
        return False
    if not all(_beside(curve, trace.paths[k], side, gap) for k, side in ((upper, -1), (lower, 1))):
        return False
    shared = min(len(trace.paths[k].leave) for k in lines)
    rows = [np.asarray(trace.paths[k].leave[:shared], dtype=float) + 0.5 for k in (upper, arm, lower)]
    above, level, below = (np.asarray(survival(r)) for r in rows)
    pixel = abs(float(np.diff(survival(np.array([0.0, 1.0])))[0]))
    if not _symmetric(above, level, below, pixel=pixel):
        return False
    wide = max(round(shared / _BLOCKS), round(2 * gap))
    return min(_in_step(level, above, wide, pixel), _in_step(level, below, wide, pixel)) > _IN_STEP


def _in_step(curve: Array, limit: Array, wide: int, pixel: float) -> float:
    """How far a limit falls faster and slower when its curve does: the correlation of the changes of their hazards.

    Hazards are of stretches of `wide` columns. Those of other patients change by chance, each by its own.
    """
    ends = np.arange(0, len(curve), wide)
    h, k = (-np.log(np.clip(v[ends], pixel, 1.0)) for v in (curve, limit))
    seen = (limit[ends] < 1 - pixel) & (limit[ends] > _PIXELS * pixel)
    use = seen[2:] & seen[:-2]
    if use.sum() < _FEWEST:
        return 0.0
    x, y = np.diff(np.diff(h))[use], np.diff(np.diff(k))[use]
    spread = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / spread if spread > 0 else 0.0


def _symmetric(upper: Array, curve: Array, lower: Array, *, pixel: float) -> bool:
    """Whether limits are as far from their curve above as below, on one of the scales on which limits are calculated."""
    edge = _PIXELS * pixel
    use = (upper < 1 - edge) & (lower > edge) & (curve < 1 - edge) & (curve - lower > 0)
    if use.mean() < _JUDGED:
        return False
    a, s, b = upper[use], curve[use], lower[use]
    scales = (2 * s - b, s**2 / b, np.exp(-np.exp(2 * np.log(-np.log(s)) - np.log(-np.log(b)))))
    near = np.maximum(edge, _NEAR * (s - b))
    return max(float((np.abs(a - as_far) < near).mean()) for as_far in scales) > _AS_FAR


def _beside(curve: Path, line: Path, side: int, gap: float) -> bool:
    shared = min(len(curve.leave), len(line.leave))
    if shared < max(_LONG * len(curve.leave), _COLUMNS) or abs(line.first - curve.first) > _BEGINS * len(curve.leave):
        return False
    level, row = np.asarray(curve.leave[:shared], dtype=float), np.asarray(line.leave[:shared], dtype=float)
    off = side * (row - level)
    if (off >= -1).mean() < _SIDE or off[shared // 4 :].mean() < 3:
        return False
    dropped = np.abs(np.diff(level)) >= 1
    reach = round(gap + 2)
    near = np.convolve(dropped, np.ones(2 * reach + 1))[reach : reach + dropped.size] > 0
    moved = np.abs(np.diff(row))
    return bool(moved[~near].sum() <= _ALONE * max(float(moved.sum()), 8.0))


def part_of(trace: Trace, kept: Sequence[int]) -> Trace:
    """The trace of some of the arms, found beside the others."""
    return Trace(
        tuple(trace.paths[k] for k in kept),
        tuple(trace.steps[k] for k in kept),
        tuple(trace.covers[k] for k in kept),
        tuple(trace.strength[k] for k in kept),
        tuple(trace.visible[k] for k in kept),
    )


def stroke_of(trace: Trace, lines: Sequence[int], width: float) -> NDArray[np.bool_]:
    """The pixels that some of the lines take, with their soft edges; shape of the plot."""
    import cv2

    reach = 2 * round(width / 2 + 2) + 1
    core = np.any([trace.covers[k] > 0 for k in lines], axis=0).astype(np.uint8)
    return np.asarray(cv2.dilate(core, np.ones((reach, reach), np.uint8)) > 0)
