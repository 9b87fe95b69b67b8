"""Whether each curve ends where it was read to end: no last drop, no cut by the plot, nothing of it further right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.findings import Finding
from metagrove.figures.plot import MARGIN

__all__ = ["ENDS"]

# survival: how deep a last drop must be, and below which level drops to the foot are looked for apart
_DEEP, _FOOT = 0.04, 0.05
# a plot whose lowest row is above this survival cuts curves off
_CUT = 0.03
# pixels of a level piece that is no letter
_PIECE = 14
# how many pixels and line widths right of the plot are looked at (a last censor mark reaches over it), how near an arm's colour is met there, in what share of the columns
_BEYOND, _WIDTHS, _OWN, _MOSTLY = 14, 5, 60.0, 0.8
# pixels from the middle of a mark to the end of its arms
_LARGEST = 40
# the share of a pixel that ink of a mark covers
_INKED = 0.4
# pixels of a line that shows its full colour, columns in which it is looked for, and the share of its colour that is too little
_FULL, _COLUMNS, _PALE = 3.0, 6, 0.75

_DROPS = "'{arm}' ends at {last} or, with a drop at its very end, at {lowest}"
_CUT_OFF = "'{arm}' runs into the foot of the plot at {level}"
_RUNS_ON = "'{arm}' runs on to the right of the last label that was read"
_GOES_ON = "'{arm}' ends at {time}, and a line of its colour goes on behind"
_PALES = "'{arm}' shows after its last drop, at {time}, only in a paler colour than before"


def _ends(seen: TracedPlot) -> list[Finding]:
    """For each arm the first doubt whether it ends where it was read to end."""
    answers = (_doubt(seen, i) for i in range(len(seen.arms)))
    return [Finding(answer) for answer in answers if answer]


def _doubt(seen: TracedPlot, index: int) -> str:
    arm, path = seen.arms[index], seen.trace.paths[index]
    last, lowest = float(arm.survival[-1]), float(seen.plot.survival(np.array(path.leave[-1] + 0.5)))
    if lowest > _FOOT and last - lowest > _DEEP and not _marked(seen, index):
        return _DROPS.format(arm=arm.name, last=f"{last:.2f}", lowest=f"{lowest:.2f}")
    if _cut_off(seen, index):
        return _CUT_OFF.format(arm=arm.name, level=f"{last:.2f}")
    if _runs_on(seen, index):
        return _RUNS_ON.format(arm=arm.name)
    if _goes_on(seen, index):
        return _GOES_ON.format(arm=arm.name, time=f"{arm.end:g}")
    if _pales(seen, index):
        return _PALES.format(
            arm=arm.name, time=f"{float(seen.plot.time(np.array(seen.trace.steps[index].begin[-1]))):g}"
        )
    return ""


def _pales(seen: TracedPlot, index: int) -> bool:
    """Whether a thick solid line after its last drop is only seen as faintly as limits of others and mixed areas are."""
    path, look, steps = seen.trace.paths[index], seen.looks[index], seen.trace.steps[index]
    if look.width < _FULL or look.style != "solid" or len(steps.begin) < 2:
        return False
    columns = np.arange(path.last + 1)
    level = steps.height[np.maximum(np.searchsorted(steps.begin, columns, side="right") - 1, 0)]
    half = look.width / 2 + 0.5
    strongest = np.full(len(columns), np.nan)
    for c in columns:
        if not seen.foreign[index][int(level[c]), c]:
            strongest[c] = seen.own[index][max(round(level[c] - half), 0) : round(level[c] + half) + 1, c].max()
    last = int(steps.begin[-1] + look.width / 2 + 1)
    before, after = (part[np.isfinite(part)] for part in (strongest[:last], strongest[last:]))
    return len(after) >= _COLUMNS <= len(before) and bool(np.median(after) < _PALE * np.median(before))


def _marked(seen: TracedPlot, index: int) -> bool:
    """Whether a censor mark stands on the end of the curve: ink of its own as far above its last level as below."""
    path, look, row = seen.trace.paths[index], seen.looks[index], float(seen.trace.steps[index].height[-1])
    deep, clear = float(path.leave[-1]) - row, look.width / 2 + 1
    columns = slice(max(path.last - 2, 0), path.last + 3)
    above = seen.own[index][max(round(row - deep), 0) : max(round(row - clear), 0), columns]
    below = seen.own[index][round(row + clear) : round(row + deep), columns]
    return bool(above.size and below.size) and all(
        float((part.max(axis=1) > _INKED).mean()) > _MOSTLY for part in (above, below)
    )


def _cut_off(seen: TracedPlot, index: int) -> bool:
    """Whether the curve reaches the lowest row of a plot whose axis begins above 0."""
    foot = len(seen.field.blank) - MARGIN - 1
    cut = not seen.plot.rising and float(seen.plot.survival(np.array(float(foot)))) > _CUT
    return cut and bool(seen.trace.paths[index].leave[-1] + seen.looks[index].width + 2 > foot)


def _runs_on(seen: TracedPlot, index: int) -> bool:
    """Whether the curve goes on in the picture to the right of the plot: labels of the axis were lost there."""
    plot, path, look = seen.plot, seen.trace.paths[index], seen.looks[index]
    wide = max(_BEYOND, round(_WIDTHS * look.width))
    beyond = seen.picture[:, plot.columns[1] : plot.columns[1] + wide].astype(np.float32)
    if beyond.shape[1] < wide or path.last < plot.columns[1] - plot.columns[0] - 4:
        return False
    height = float(seen.trace.steps[index].height[-1])
    row = round((plot.rows[1] - height if plot.rising else plot.rows[0] + height) - 0.5)
    # the further right a curve is seen, the more it may have fallen
    reach = round(look.width) + 1
    rows, columns = np.ogrid[: len(beyond), :wide]
    fallen = (row - rows if plot.rising else rows - row) + 0 * columns
    near = (fallen >= -reach) & (fallen <= reach + columns)
    inked = (_in_ink(beyond, seen, index) & near).any(axis=0)
    return bool(inked.mean() > _MOSTLY) and not _crossed(seen, index, row)


def _in_ink(pixels: NDArray[np.float32], seen: TracedPlot, index: int) -> NDArray[np.bool_]:
    """Where a picture shows an arm's ink, also as thin or soft lines do, half of it on the paper between."""
    paper = seen.field.main
    away = np.array(seen.looks[index].colour, dtype=np.float32) - paper
    off = pixels - paper
    share = off @ away / max(float(away @ away), 1.0)
    aside = np.linalg.norm(off - np.clip(share, 0, 1.2)[..., None] * away, axis=2)
    return np.asarray((share > 0.5) & (aside < _OWN))


def _crossed(seen: TracedPlot, index: int, row: int) -> bool:
    """Whether what lies right of the plot is the arm of a plus on the end: an upright stroke there is as high as it is long.

    Behind it hardly any ink of the curve's colour is left.
    """
    look, right = seen.looks[index], seen.plot.columns[1]
    far = _LARGEST + round(look.width)
    cut = seen.picture[max(row - far, 0) : row + far + 1, right - far // 2 : right + far].astype(np.float32)
    near = np.linalg.norm(cut - np.array(look.colour, dtype=np.float32), axis=2) < _OWN
    middle, edge = min(row, far), min(far // 2, right)
    level = near[max(middle - round(look.width) - 1, 0) : middle + round(look.width) + 2].any(axis=0)[edge:]
    long = int(level.argmin()) if not level.all() else len(level)
    reach = slice(max(edge - round(look.width) - 4, 0), edge + 2)
    above, below = near[:middle][::-1, reach], near[middle + 1 :, reach]
    high = [max(int(c.argmin()) if not c.all() else len(c) for c in half.T) for half in (above, below)]
    on = near[:, edge + long + 2 :].any(axis=0)
    return long < _LARGEST and min(high) >= 0.7 * long - 1 > 0 and not on.mean() > 1 - _MOSTLY


def _goes_on(seen: TracedPlot, index: int) -> bool:
    """Whether right of the end a level piece of line in the curve's own ink lies, as behind a legend."""
    import cv2

    look, path = seen.looks[index], seen.trace.paths[index]
    long = round(max(_PIECE, 4 * look.width, 1.5 * look.dash.on))
    free = (seen.own[index] > 0.5) & ~seen.field.blank & ~seen.told & ~seen.covered
    free[:, : path.last + 3] = False
    if path.last + long >= free.shape[1]:
        return False
    level = cv2.morphologyEx(free.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
    tall = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((round(2 * look.width) + 3, 1), np.uint8))
    # a falling curve lies lower there
    return bool((level > tall)[max(int(path.leave[-1]) - 2, 0) :].any())


ENDS = Check(
    "ends",
    "a curve that goes on, down or to the right, where it was read to end, or is hardly seen there",
    (_DROPS, _CUT_OFF, _RUNS_ON, _GOES_ON, _PALES),
    _ends,
)
