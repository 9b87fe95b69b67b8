"""Whether each curve is its own arm's: drawn in that arm's dashes and colour, and a line at all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.findings import Finding
from metagrove.figures.lines.dashes import dash_fit, gaps_along
from metagrove.figures.lines.evidence import ArmLook, Canvas, Inked, gains, inked
from metagrove.figures.lines.hues import fitting_order
from metagrove.figures.lines.tracking import Dash, Path
from metagrove.figures.page import colour_distance

__all__ = ["COLOURS", "DASHES", "EDGES"]

# contrast between dashes and gaps: above the first a solid line is none, below the second a dashed one is none;
# another arm's pattern must explain a dashed line clearly worse than its own
_PLAIN, _FAINT_DASH, _RIVAL = 0.45, 0.15, 0.7
# periods of the longer of two patterns, in stretches of which they are compared once more
_PERIODS = 2
_ALIKE = 60.0
# a curve is looked at in so many stretches; how much nearer another arm's colour must be there, in levels of 255
_PARTS, _NEARER = 4, 40.0
# a line differs from both its sides; where one side differs so much less than the other, or so little, it is an edge
_ONE_SIDED, _LITTLE = 0.3, 25.0
# of its length: a shorter piece of a band's edge, a few hundredths off, changes the mean by less than a hundredth
_MOST = 0.08
_FEWEST = 20
# pixels, and line widths
_REACH, _PER_WIDTH = 10, 4.0
# an area is as wide as it is deep, but for this share; the ground on its other side begins within so many pixels of the line
_BROAD, _AT_ONCE = 0.6, 6

# gaps in a solid line: on 200 figures right ones had one at most
_GAPS = 3

_GAPPED = "'{arm}' should be a solid line and shows {count} gaps"
_OTHER_DASHES = "'{arm}' is drawn in the dashes of '{other}'"
_NO_DASHES = "'{arm}' does not show its own dashes"
_OTHER_COLOUR = "'{arm}' is drawn in the colour of '{other}'"
_PIECE = "'{arm}' is drawn in the colour of '{other}' from {time} to {until}"
_EDGE = "'{arm}' runs along the edge of an area for {share} % of its length"


def _dashes(seen: TracedPlot) -> list[Finding]:
    """Doubts whether arms of one ink were told apart by their dashes: each must fit its own pattern best."""
    out = []
    looks = seen.looks
    far: Inked | None = None
    for i, look in enumerate(looks):
        rivals = [
            j
            for j, other in enumerate(looks)
            if j != i and colour_distance(other.colour, look.colour) < _ALIKE and other.dash != look.dash
        ]
        if not rivals:
            continue
        far = far or inked(seen.field, looks)
        gain = gains(seen.field, looks, i, [None] * len(looks), far)
        hidden = seen.foreign[i] | seen.field.unclear
        own = dash_fit(seen.trace.paths[i], gain, hidden, look.dash)
        count = 0 if look.dash.off else gaps_along(seen.trace.paths[i], gain, hidden)
        if count >= _GAPS:
            out.append(Finding(_GAPPED.format(arm=seen.arms[i].name, count=count)))
        for j in rivals:
            fits = partial(dash_fit, seen.trace.paths[i], gain, hidden)
            if _fits_other(fits, look.dash, looks[j].dash):
                out.append(Finding(_OTHER_DASHES.format(arm=seen.arms[i].name, other=seen.arms[j].name)))
            elif look.dash.off and own < _FAINT_DASH:
                out.append(Finding(_NO_DASHES.format(arm=seen.arms[i].name)))
    return list(dict.fromkeys(out))


def _fits_other(fits: Callable[..., float], own: Dash, other: Dash) -> bool:
    """Whether a curve shows another arm's dashes; in short stretches of one length crowds of marks are least like dashes."""
    if not own.off:
        return fits(other) > _PLAIN
    if fits(other) > _RIVAL * fits(own):
        return True
    stretch = round(_PERIODS * max(own.period, other.period))
    return bool(other.off) and fits(other, stretch=stretch) > fits(own, stretch=stretch)


def _colours(seen: TracedPlot) -> list[Finding]:
    """Doubts where the inks along the curves, or along a stretch of one, fit other arms' colours better.

    Small pictures blur the lines of a legend, so that a colour read there may be as near to one curve as to another.
    """
    order = fitting_order(seen.field, seen.foreign, seen.looks, seen.trace.paths)
    owner = {k: j for j, k in enumerate(order)}
    moved = [
        Finding(_OTHER_COLOUR.format(arm=arm.name, other=seen.arms[owner[i]].name))
        for i, arm in enumerate(seen.arms)
        if owner[i] != i
    ]
    if moved:
        return moved
    # where two change places both are seen in a foreign colour; one alone may be blurred
    pieces = [f for i in range(len(seen.arms)) for f in _stretch(seen, i)]
    return pieces if len(pieces) > 1 else []


def _stretch(seen: TracedPlot, index: int) -> list[Finding]:
    """The first stretch of a curve, a quarter of what is seen of it, whose ink is clearly another arm's."""
    path, own = seen.trace.paths[index], np.array(seen.looks[index].colour, dtype=float)
    rivals = [j for j, look in enumerate(seen.looks) if colour_distance(look.colour, seen.looks[index].colour) > _ALIKE]
    columns = np.arange(len(path.leave)) + path.first
    rows = np.asarray(path.leave)
    free = path.inked & ~seen.foreign[index][rows, columns] & ~seen.field.blank[rows, columns]
    for part in np.array_split(np.flatnonzero(free), _PARTS):
        if len(part) < _FEWEST or not rivals:
            continue
        # soft edges are mixed with paper: the half that stands out most is the line's core
        power = seen.field.e_paper[rows[part], columns[part]]
        core = part[power >= np.median(power)]
        ink = np.median(seen.field.rgb[rows[core], columns[core]], axis=0)
        off = float(np.linalg.norm(ink - own))
        best = min(rivals, key=lambda j: float(np.linalg.norm(ink - np.array(seen.looks[j].colour, dtype=float))))
        nearer = off - float(np.linalg.norm(ink - np.array(seen.looks[best].colour, dtype=float)))
        if off > _ALIKE and nearer > _NEARER:
            begin, end = (float(seen.plot.time(np.array(float(columns[k])))) for k in (part[0], part[-1]))
            said = _PIECE.format(
                arm=seen.arms[index].name, other=seen.arms[best].name, time=f"{begin:.4g}", until=f"{end:.4g}"
            )
            return [Finding(said)]
    return []


def _edges(seen: TracedPlot) -> list[Finding]:
    """Doubts about curves whose level pieces are no lines for more than a few columns."""
    out = []
    for arm, look, path, mask in zip(seen.arms, seen.looks, seen.trace.paths, seen.foreign, strict=True):
        share = _along_edges(seen.field, mask | seen.field.blank, look, path)
        if share > _MOST:
            out.append(Finding(_EDGE.format(arm=arm.name, share=f"{100 * share:.0f}")))
    return out


def _along_edges(field: Canvas, hidden: NDArray[np.bool_], look: ArmLook, path: Path) -> float:
    """The share of a path's columns in which it stands alone and is the edge of an area."""
    rows, columns = np.asarray(path.leave), np.arange(len(path.leave)) + path.first
    aside = round(look.width / 2 + 2.5)
    far = max(_REACH, round(_PER_WIDTH * look.width))
    if len(rows) < _FEWEST:
        return 0.0
    jumps = (rows != np.asarray(path.enter)).astype(float)
    level = np.convolve(jumps, np.ones(2 * aside + 1), "same") == 0
    inside = (rows >= aside + far) & (rows < len(hidden) - aside - far)
    use = level & inside & np.asarray(path.inked, dtype=bool)
    rows, columns = rows[use], columns[use]
    alone = ~np.any([hidden[rows + k, columns] for k in range(-aside - 1, aside + 2)], axis=0)
    rows, columns = rows[alone], columns[alone]
    if len(rows) < _FEWEST:
        return 0.0
    middle = np.stack([field.rgb[rows + k, columns] for k in (-1, 0, 1)])
    nearest = ((middle - np.array(look.colour, dtype=np.float32)) ** 2).sum(axis=2).argmin(axis=0)
    core = middle[nearest, np.arange(len(rows))]
    # an area goes on, while soft edges, marks and other lines end: a side counts as it differs anywhere near
    reach = range(aside, aside + far)
    beside = [[np.linalg.norm(core - field.rgb[rows + s * k, columns], axis=1) for k in reach] for s in (-1, 1)]
    above, below = (np.max(side, axis=0) for side in beside)
    less, more = np.minimum(above, below), np.maximum(above, below)
    edge = less < np.minimum(_ONE_SIDED * more, _LITTLE)
    inner = np.where(above < below, -1, 1)
    # what lies on the other side begins at the line; in a row of marks that have grown together it begins behind them
    outer = np.max([np.where(above < below, beside[1][k], beside[0][k]) for k in range(_AT_ONCE)], axis=0)
    edge &= less < np.minimum(_ONE_SIDED * outer, _LITTLE)
    # the upright strokes of drops and marks are no wider than lines
    aside_of = np.clip(columns + np.arange(-(far // 2), far // 2 + 1)[:, None], 0, field.rgb.shape[1] - 1)
    inside_of = field.rgb[rows + inner * (aside + far // 2), aside_of]
    wide = (np.linalg.norm(inside_of - core, axis=2) < _LITTLE).mean(axis=0) > _BROAD
    return float((edge & wide).sum() / len(path.leave))


DASHES = Check(
    "dashes",
    "a line of an ink that several arms share, drawn in the dashes of another or in none",
    (_OTHER_DASHES, _NO_DASHES, _GAPPED),
    _dashes,
)
COLOURS = Check(
    "colours", "curves, or stretches of them, whose ink is another arm's", (_OTHER_COLOUR, _PIECE), _colours
)
EDGES = Check("edges", "a curve that follows the edge of a band instead of a line", (_EDGE,), _edges)
