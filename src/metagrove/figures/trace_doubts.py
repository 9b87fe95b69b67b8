"""Doubts about traces: dashes of another arm, drops without ink, ink without a curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.findings import Finding
from metagrove.figures.lines.dashes import dash_fit
from metagrove.figures.lines.evidence import ArmLook, Canvas, gains
from metagrove.figures.lines.limits import limit_lines
from metagrove.figures.lines.stripes import marked
from metagrove.figures.lines.tracing import Trace
from metagrove.figures.page import colour_distance
from metagrove.figures.plot import MARGIN, Plot
from metagrove.figures.reading import ArmReading

__all__ = ["dash_doubts", "goes_on", "hidden_drops", "ink_doubts", "run_on"]

# contrast between dashes and gaps: above the first a solid line is none, below the second a dashed one is none;
# another arm's pattern must explain a dashed line clearly worse than its own
_PLAIN, _FAINT_DASH, _RIVAL = 0.45, 0.15, 0.7
_DEEP = 0.09
# pixels of a level piece that is no letter
_PIECE = 14
# how many pixels right of the plot are looked at, and how near an arm's colour is met there
_BEYOND, _OWN = 14, 60.0


def dash_doubts(field: Canvas, trace: Trace, looks: Sequence[ArmLook], arms: Sequence[ArmReading]) -> list[Finding]:
    """Doubts whether arms of one ink were told apart by their dashes: each must fit its own pattern best."""
    out = []
    for i, look in enumerate(looks):
        rivals = [
            j
            for j, other in enumerate(looks)
            if j != i and colour_distance(other.colour, look.colour) < 60 and other.dash != look.dash
        ]
        if not rivals:
            continue
        gain = gains(field, looks, i, [None] * len(looks))
        hidden = trace.foreign(i) | field.blank
        own = dash_fit(trace.paths[i], gain, hidden, look.dash)
        for j in rivals:
            other = dash_fit(trace.paths[i], gain, hidden, looks[j].dash)
            if other > (_RIVAL * own if look.dash.off else _PLAIN):
                out.append(Finding(f"'{arms[i].name}' is drawn in the dashes of '{arms[j].name}'"))
            elif look.dash.off and own < _FAINT_DASH:
                out.append(Finding(f"'{arms[i].name}' does not show its own dashes"))
    return list(dict.fromkeys(out))


def run_on(
    rgb: NDArray[np.uint8], plot: Plot, trace: Trace, looks: Sequence[ArmLook], arms: Sequence[ArmReading]
) -> list[Finding]:
    """Doubts about curves that go on in the picture to the right of the plot: labels of the axis were lost there."""
    out: list[Finding] = []
    beyond = rgb[:, plot.columns[1] : plot.columns[1] + _BEYOND].astype(np.float32)
    if beyond.shape[1] < _BEYOND:
        return out
    for arm, look, path, steps in zip(arms, looks, trace.paths, trace.steps, strict=True):
        if path.last < plot.columns[1] - plot.columns[0] - 4:
            continue
        height = float(steps.height[-1])
        row = round((plot.rows[1] - height if plot.rising else plot.rows[0] + height) - 0.5)
        reach = round(look.width) + 1
        block = beyond[max(row - reach, 0) : row + reach + 1]
        inked = (np.linalg.norm(block - np.array(look.colour, dtype=np.float32), axis=2) < _OWN).any(axis=0)
        if inked.mean() > 0.8:
            out.append(Finding(f"'{arm.name}' runs on to the right of the last label that was read"))
    return out


def goes_on(
    field: Canvas,
    prose: NDArray[np.bool_],
    own: Sequence[NDArray[np.float32]],
    trace: Trace,
    looks: Sequence[ArmLook],
    arms: Sequence[ArmReading],
) -> list[Finding]:
    """Doubts about curves right of whose end a level piece of line in their own ink lies, as behind a legend.

    `own` is the ink of each arm that no other covers, `prose` where words stand; shapes (rows, columns).
    """
    import cv2

    out = []
    covered = np.any([c > 0 for c in trace.covers], axis=0)
    for arm, look, path, ink in zip(arms, looks, trace.paths, own, strict=True):
        long = round(max(_PIECE, 4 * look.width, 1.5 * look.dash.on))
        free = (ink > 0.5) & ~field.blank & ~prose & ~covered
        free[:, : path.last + 3] = False
        if path.last + long >= free.shape[1]:
            continue
        level = cv2.morphologyEx(free.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
        tall = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((round(2 * look.width) + 3, 1), np.uint8))
        # a falling curve lies lower there
        lines = (level > tall)[int(path.leave[-1]) - 2 :] if int(path.leave[-1]) > 2 else level > tall
        if lines.any():
            out.append(Finding(f"'{arm.name}' ends at {float(arm.end):g}, and a line of its colour goes on behind"))
    return out


def hidden_drops(trace: Trace, arms: Sequence[ArmReading], plot: Plot) -> list[Finding]:
    """Doubts about deep drops that no ink of their own shows: a tenth of the patients at an unproven time."""
    out = []
    for arm, steps in zip(arms, trace.steps, strict=True):
        for column, depth in steps.unseen:
            level = float(np.interp(column, steps.begin, steps.height))
            drop = float(plot.survival(np.array(level)) - plot.survival(np.array(level + depth)))
            if drop > _DEEP:
                time = float(plot.time(np.array(column)))
                out.append(
                    Finding(f"'{arm.name}' drops by {drop:.2f} at {time:g}, where its upright line does not show")
                )
    return out


def ink_doubts(
    field: Canvas,
    prose: NDArray[np.bool_],
    trace: Trace,
    looks: Sequence[ArmLook],
    arms: Sequence[ArmReading],
    plot: Plot,
) -> list[Finding]:
    """Doubts from what the traces and the `prose` leave unexplained and from how well each arm shows its own ink."""
    import cv2

    out = []
    inked = (field.e_paper > 70.0**2) & ~field.blank & ~prose
    distance = np.full(inked.shape, 1e9, dtype=np.float32)
    for cover in trace.covers:
        distance = np.minimum(distance, cv2.distanceTransform((cover != 2).astype(np.uint8), cv2.DIST_L2, 3))
    for arm, path in zip(arms, trace.paths, strict=True):
        if arm.survival[-1] == 0 < arm.survival[-2]:
            distance[path.leave[-1] :, max(path.last - 2, 0) :] = 0
    inked &= ~limit_lines(field, inked & (distance > 2), looks, trace.paths)
    total = max(int(inked.sum()), 1)
    width = max(look.width for look in looks)
    cover = np.any([c == 2 for c in trace.covers], axis=0)
    inked &= ~marked(inked, cover, max(12.0, 0.09 * len(inked)))
    far = float((inked & (distance > max(9.0, 2.2 * width + 2, 0.018 * len(inked)))).sum() / total)
    near = float((inked & (distance > 2)).sum() / total)
    if far > 0.04:
        out.append(Finding(f"{100 * far:.0f} % of the ink in the plot belongs to no curve that was found"))
    if near > 0.3:
        out.append(Finding(f"{100 * near:.0f} % of the ink lies beside the curves that were found"))
    wide = plot.columns[1] - plot.columns[0]
    foot = len(inked) - MARGIN - 1
    for arm, path, look in zip(arms, trace.paths, looks, strict=True):
        cut = not plot.rising and float(plot.survival(np.array(float(foot)))) > 0.03
        if cut and path.leave[-1] + look.width + 2 > foot:
            out.append(Finding(f"'{arm.name}' runs into the foot of the plot at {float(arm.survival[-1]):.2f}"))
    for arm, path, power, shown, look in zip(arms, trace.paths, trace.strength, trace.visible, looks, strict=True):
        if power < (0.1 if look.style == "solid" else 0.0):
            out.append(Finding(f"'{arm.name}' is faint along its own line"))
        if shown < 0.25:
            out.append(
                Finding(f"'{arm.name}' is hidden behind other curves for {100 * (1 - shown):.0f} % of its length")
            )
        if len(path.leave) < 0.25 * wide:
            out.append(Finding(f"'{arm.name}' ends after {100 * len(path.leave) / wide:.0f} % of the time axis"))
    return out
