"""Confidence limits drawn as dashed lines: traced as if they were arms, and known by keeping either side of their curve.

R's survival, prodlim and GGally draw a single curve, and many authors several, with dashed limits above and below. No
legend lists them; taken for arms they would be two more groups of patients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
# both are seen along this share of the curve, and of their own dashes
_LONG, _SHOWN = 0.5, 0.25
_SAME_INK = 60.0


def limited(specs: Sequence[ArmSpec], trace: Trace) -> dict[int, tuple[int, int]]:
    """The arms that have limits among the other traced lines, with the indices of the upper and the lower one.

    Limits share the ink of their curve and are drawn in other dashes. A line that bears a name is none.
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
                if upper != lower and i not in found and _between(trace, i, upper, lower, gap):
                    found[i] = (upper, lower)
                    taken |= {upper, lower}
    return {i: pair for i, pair in found.items() if i not in taken}


def _between(trace: Trace, arm: int, upper: int, lower: int, gap: float) -> bool:
    """Whether two lines lie on the two sides of a curve as its limits do."""
    curve = trace.paths[arm]
    if min(trace.visible[upper], trace.visible[lower]) < _SHOWN:
        return False
    return all(_beside(curve, trace.paths[k], side, gap) for k, side in ((upper, -1), (lower, 1)))


def _beside(curve: Path, line: Path, side: int, gap: float) -> bool:
    shared = min(len(curve.leave), len(line.leave))
    if shared < _LONG * len(curve.leave) or abs(line.first - curve.first) > _BEGINS * len(curve.leave):
        return False
    level, row = np.asarray(curve.leave[:shared], dtype=float), np.asarray(line.leave[:shared], dtype=float)
    off = side * (row - level)
    if (off >= -1).mean() < _SIDE or off[shared // 4 :].mean() < 3:
        return False
    dropped = np.abs(np.diff(level)) >= 1
    near = np.convolve(dropped, np.ones(2 * round(gap + 2) + 1), "same") > 0
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
