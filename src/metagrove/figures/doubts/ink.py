"""Ink that no traced curve explains, and curves that no ink of their own shows."""

from __future__ import annotations

import numpy as np

from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.findings import Finding
from metagrove.figures.lines.limits import limit_lines
from metagrove.figures.lines.stripes import marked

__all__ = ["DROPS", "OWN_INK", "UNEXPLAINED"]

# shares of the ink: far from every curve, beside one
_MOST_FAR, _MOST_BESIDE = 0.04, 0.3
# an arm's mean gain along its line, the share of it that others must leave free, and of the time axis that it takes
_FAINT, _SHOWN, _SHORT = 0.1, 0.25, 0.25
# survival
_DEEP = 0.09

_FAR = "{share} % of the ink in the plot belongs to no curve that was found"
_BESIDE = "{share} % of the ink lies beside the curves that were found"
_PALE = "'{arm}' is faint along its own line"
_HIDDEN = "'{arm}' is hidden behind other curves for {share} % of its length"
_STOPS = "'{arm}' ends after {share} % of the time axis"
_UNSEEN = "'{arm}' drops by {drop} at {time}, where its upright line does not show"


def _unexplained(seen: TracedPlot) -> list[Finding]:
    """Doubts from the ink that traces, confidence limits and censor marks leave over."""
    import cv2

    inked = seen.inked
    distance = np.full(inked.shape, 1e9, dtype=np.float32)
    for cover in seen.trace.covers:
        distance = np.minimum(distance, cv2.distanceTransform((cover != 2).astype(np.uint8), cv2.DIST_L2, 3))
    for arm, path in zip(seen.arms, seen.trace.paths, strict=True):
        if arm.survival[-1] == 0 < arm.survival[-2]:
            distance[path.leave[-1] :, max(path.last - 2, 0) :] = 0
    inked &= ~limit_lines(seen.field, inked & (distance > 2), seen.looks, seen.trace.paths)
    total = max(int(inked.sum()), 1)
    width = max(look.width for look in seen.looks)
    inked &= ~marked(inked, seen.core, max(12.0, 0.09 * len(inked)))
    far = float((inked & (distance > max(9.0, 2.2 * width + 2, 0.018 * len(inked)))).sum() / total)
    near = float((inked & (distance > 2)).sum() / total)
    out = []
    if far > _MOST_FAR:
        out.append(Finding(_FAR.format(share=f"{100 * far:.0f}")))
    if near > _MOST_BESIDE:
        out.append(Finding(_BESIDE.format(share=f"{100 * near:.0f}")))
    return out


def _own_ink(seen: TracedPlot) -> list[Finding]:
    """Doubts about arms that show too little of their own line."""
    out = []
    wide = seen.plot.columns[1] - seen.plot.columns[0]
    for i, (arm, look) in enumerate(zip(seen.arms, seen.looks, strict=True)):
        shown, length = seen.trace.visible[i], len(seen.trace.paths[i].leave)
        if seen.trace.strength[i] < (_FAINT if look.style == "solid" else 0.0):
            out.append(Finding(_PALE.format(arm=arm.name)))
        if shown < _SHOWN:
            out.append(Finding(_HIDDEN.format(arm=arm.name, share=f"{100 * (1 - shown):.0f}")))
        if length < _SHORT * wide:
            out.append(Finding(_STOPS.format(arm=arm.name, share=f"{100 * length / wide:.0f}")))
    return out


def _drops(seen: TracedPlot) -> list[Finding]:
    """Doubts about deep drops that no ink of their own shows: a tenth of the patients at an unproven time."""
    out = []
    plot = seen.plot
    for arm, steps in zip(seen.arms, seen.trace.steps, strict=True):
        for column, depth in steps.unseen:
            level = float(np.interp(column, steps.begin, steps.height))
            drop = float(plot.survival(np.array(level)) - plot.survival(np.array(level + depth)))
            if drop > _DEEP:
                time = float(plot.time(np.array(column)))
                out.append(Finding(_UNSEEN.format(arm=arm.name, drop=f"{drop:.2f}", time=f"{time:g}")))
    return out


UNEXPLAINED = Check(
    "unexplained ink",
    "ink in the plot that belongs to no curve, confidence limit, mark or word",
    (_FAR, _BESIDE),
    _unexplained,
)
OWN_INK = Check(
    "own ink",
    "a curve that is pale along its line, lies behind others or is too short to be a curve",
    (_PALE, _HIDDEN, _STOPS),
    _own_ink,
)
DROPS = Check("drops", "a deep drop without the upright line that it would draw", (_UNSEEN,), _drops)
