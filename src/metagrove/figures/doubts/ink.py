"""Ink that no traced curve explains, and curves that no ink of their own shows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.findings import Finding
from metagrove.figures.lines.limits import limit_lines
from metagrove.figures.lines.stripes import marked
from metagrove.figures.page import colour_distance

__all__ = ["DROPS", "OWN_INK", "UNEXPLAINED", "confirmed_by_ink", "witnesses_of"]

# shares of the ink: far from every curve, beside one
_MOST_FAR, _MOST_BESIDE = 0.04, 0.3
# an arm's mean gain along its line, the share of it that others must leave free, and of the time axis that it takes
_FAINT, _SHOWN, _SHORT = 0.1, 0.25, 0.25
# survival; the share of a drop's rows that must be hidden or inked; the area between curves that a hidden drop may cost
_DEEP, _ROWS, _AT_STAKE = 0.09, 0.75, 0.004
# the share of a pixel that counts as ink; rows from survival 1 that still are the beginning
_INKED, _AT_START = 0.4, 4.0
# each curve alone in these shares of its line and of the time axis, two inks so far apart of 441, or two lines of one ink
# that part within this share of the plot
_OWN_LINE, _LONG, _CLEARLY, _PARTED = 0.6, 0.4, 90.0, 0.15
# two curves nearer than their widths in this share of the plot may be one line and its soft edge, of so many pixels
_TOGETHER, _SOFT = 0.7, 2.0
# how near a colour is to that of the page, of 441
_PAGE = 40.0
# how far ink is from paper at least that no curve explains, and how much of it there may be, of what the curves take
_PALE_INK, _NONE_LEFT = 45.0, 0.02

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
    # bands need no curve to explain them, and are ink that curves brought along
    total = max(int((inked | (seen.ink & seen.bands)).sum()), 1)
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
    for i, (arm, steps) in enumerate(zip(seen.arms, seen.trace.steps, strict=True)):
        for column, depth in steps.unseen:
            level = float(steps.height[int(np.abs(steps.begin - column).argmin())]) - depth
            drop = float(plot.survival(np.array(level)) - plot.survival(np.array(level + depth)))
            if drop > _DEEP and not (_beneath(seen, i, column, level, depth) and _timed(seen, i, column, level, drop)):
                time = float(plot.time(np.array(column)))
                out.append(Finding(_UNSEEN.format(arm=arm.name, drop=f"{drop:.2f}", time=f"{time:g}")))
    return out


def _beneath(seen: TracedPlot, index: int, column: float, level: float, depth: float) -> bool:
    """Whether strokes of other arms, or ink of its own, stand in nearly every row of a drop."""
    width = seen.looks[index].width
    rows = slice(int(np.ceil(level + width)), int(np.floor(level + depth - width)))
    reach = int(np.ceil(width / 2 + 2))
    columns = slice(max(int(column) - reach, 0), int(column) + reach + 1)
    there = seen.foreign[index][rows, columns] | (seen.own[index][rows, columns] > _INKED)
    return bool(there.size and there.any(axis=1).mean() > _ROWS)


def _timed(seen: TracedPlot, index: int, column: float, level: float, drop: float) -> bool:
    """Whether the curve is seen so near a hidden drop, before it and after, that its time matters little."""
    path = seen.trace.paths[index]
    columns = np.arange(len(path.leave)) + path.first
    shown = np.any(
        [seen.own[index][np.clip(path.leave + k, 0, len(seen.own[index]) - 1), columns] > _INKED for k in (-1, 0, 1)],
        axis=0,
    )
    at = int(column)
    before, after = columns[shown & (columns < at)], columns[shown & (columns >= at)]
    # a curve begins at 1, seen or not
    first = int(before[-1]) if len(before) else path.first if level - seen.plot.start < _AT_START else -1
    wide = seen.own[index].shape[1]
    return first >= 0 and len(after) > 0 and drop * (int(after[0]) - first) / wide < _AT_STAKE


def witnesses_of(seen: TracedPlot, counts: Sequence[int]) -> tuple[int, ...]:
    """How many arms each witness counts: `counts` of the page, or, where there is none, the ink itself."""
    return tuple(counts) or ((len(seen.arms),) if confirmed_by_ink(seen) else ())


def confirmed_by_ink(seen: TracedPlot) -> bool:
    """Whether the ink itself says how many curves there are: each has a line of its own, and hardly any ink is left.

    No arm may have the colour of the page, which shows round a coloured panel. Each must show most of its line, a good part of the time axis long. Two in one ink must keep apart from each other
    once they have parted; two in clearly different inks may cross.
    """
    import cv2

    wide = seen.plot.columns[1] - seen.plot.columns[0]
    picture = seen.picture
    page = np.median(np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]), axis=0)
    for i in range(len(seen.arms)):
        if np.linalg.norm(np.array(seen.looks[i].colour) - page) < _PAGE:
            return False
        if seen.trace.visible[i] < _OWN_LINE or len(seen.trace.paths[i].leave) < _LONG * wide:
            return False
    for i, j in itertools.combinations(range(len(seen.arms)), 2):
        if _shadow(seen, i, j):
            return False
        if colour_distance(seen.looks[i].colour, seen.looks[j].colour) < _CLEARLY and not _keep_apart(seen, i, j):
            return False
    # axis lines, ticks and letters have soft edges
    known = cv2.dilate((seen.field.blank | seen.told).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    pale = (seen.field.e_paper > _PALE_INK**2) & ~known
    distance = cv2.distanceTransform((~seen.core).astype(np.uint8), cv2.DIST_L2, 3)
    width = max(look.width for look in seen.looks)
    pale &= ~marked(pale, seen.core, max(12.0, 0.09 * len(pale)))
    pale &= ~limit_lines(seen.field, seen.inked & (distance > 2), seen.looks, seen.trace.paths)
    left = pale & (distance > max(6.0, 1.5 * width + 2))
    return bool(left.sum() < _NONE_LEFT * max(int(seen.core.sum()), 1))


def _shadow(seen: TracedPlot, i: int, j: int) -> bool:
    """Whether two curves run so near each other nearly everywhere that one may be the soft edge of the other's line."""
    a, b = seen.trace.steps[i], seen.trace.steps[j]
    columns = np.arange(min(len(seen.trace.paths[i].leave), len(seen.trace.paths[j].leave)))
    heights = [s.height[np.clip(np.searchsorted(s.begin, columns, side="right") - 1, 0, None)] for s in (a, b)]
    near = np.abs(heights[0] - heights[1]) < seen.looks[i].width / 2 + seen.looks[j].width / 2 + _SOFT
    return bool(near.mean() > _TOGETHER)


def _keep_apart(seen: TracedPlot, i: int, j: int) -> bool:
    """Whether two curves, once they have parted, never come near each other again, upright strokes included."""
    a, b = seen.trace.paths[i], seen.trace.paths[j]
    n = min(len(a.leave), len(b.leave))
    gap = np.maximum(a.enter[:n], b.enter[:n]) - np.minimum(a.leave[:n], b.leave[:n])
    clear = gap > seen.looks[i].width + seen.looks[j].width
    parted = int(clear.argmax())
    return bool(clear.any() and parted < _PARTED * n and clear[parted:].all())


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
