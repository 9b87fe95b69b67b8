"""How strongly each pixel speaks for each arm: a picture as paper plus lines, whatever the order of drawing.

A pixel is background or covered by some arm. The gain of saying "arm i covers it" is the drop in squared colour error,
scaled so that a fully covered pixel gives 1, paper -1, and a thin line's soft edge something between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.colours import largest, tallied
from metagrove.figures.lines.symbols import Marks
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import RGB

__all__ = ["ArmLook", "Canvas", "above_tints", "arm_width", "canvas", "coverage", "gains", "inked", "line_evidence"]

_OTHER_ARM = -0.1
# the gain of a pixel of a symbol for the arm that bears it, and for another of the same ink that does not
_OWN_MARK, _OTHER_MARK = 1.5, -0.5
_ALIKE_GREYS = 40.0
_FEW = 40
_PALEST = 0.2
_LEAST_CONTRAST = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """The plot's pixels as float32 RGB, shape (rows, columns, 3), with `paper` the flat colours behind the lines.

    `blank` marks rows and columns of axis lines, which speak for no arm; `e_paper` is each pixel's squared distance to
    the nearest flat colour, `nearest` the number of that colour, `power` its own squared length; `marks` are the symbols
    by which arms of one ink are told apart.
    """

    rgb: NDArray[np.float32]
    paper: NDArray[np.float32]
    e_paper: NDArray[np.float32]
    blank: NDArray[np.bool_]
    power: NDArray[np.float32]
    nearest: NDArray[np.uint8]
    marks: Marks | None = None

    @property
    def unclear(self) -> NDArray[np.bool_]:
        """Where neither dashes nor gaps can be seen: axis lines and symbols."""
        return self.blank if self.marks is None else np.asarray(self.blank | self.marks.taken)

    def error(self, ink: NDArray[np.float32]) -> NDArray[np.float32]:
        """Each pixel's squared distance to a colour; shape (rows, columns)."""
        return _squared(self.rgb, self.power, ink)

    @property
    def main(self) -> NDArray[np.float32]:
        """The commonest background colour."""
        return np.asarray(self.paper[0])


@dataclass(frozen=True, slots=True)
class ArmLook:
    """What an arm looks like: its ink, its line width in pixels, its dash pattern and the name of its style.

    `reach` is the share of its full ink that a thin line shows at its darkest; 0 where that was not measured. `symbol` is
    the number of the kind of its marks where they tell it from arms of the same ink, else 0.
    """

    colour: RGB
    width: float
    dash: Dash
    style: str
    reach: float = 0.0
    symbol: int = 0


def canvas(
    rgb: NDArray[np.uint8], arms: Sequence[RGB], blank: NDArray[np.bool_] | None = None, marks: Marks | None = None
) -> Canvas:
    """The plot made ready: flat colours (paper, panels, bands) found as what survives an erosion wider than lines."""
    pixels = rgb.astype(np.float32)
    paper = _flat_colours(rgb, arms)
    power = np.asarray(np.einsum("rcx,rcx->rc", pixels, pixels), dtype=np.float32)
    error = np.full(rgb.shape[:2], np.inf, dtype=np.float32)
    nearest = np.zeros(rgb.shape[:2], dtype=np.uint8)
    for place, flat in enumerate(paper):
        own = _squared(pixels, power, flat)
        nearest[own < error] = place
        error = np.minimum(error, own)
    hidden = np.zeros(rgb.shape[:2], dtype=bool) if blank is None else blank
    return Canvas(pixels, paper, error, hidden, power, nearest, marks)


def _squared(pixels: NDArray[np.float32], power: NDArray[np.float32], ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared distance of each pixel to `ink`, by |p|^2 - 2 p.i + |i|^2."""
    ink = np.asarray(ink, dtype=np.float32)
    return np.asarray(np.maximum(power - 2 * (pixels @ ink) + np.float32(ink @ ink), 0), dtype=np.float32)


def _flat_colours(rgb: NDArray[np.uint8], arms: Sequence[RGB]) -> NDArray[np.float32]:
    import cv2

    # wide enough that thick lines of a large picture are no flat colour
    size = max(5, round(0.014 * min(rgb.shape[:2])) | 1)
    kernel = np.ones((size, size), np.uint8)
    spread = largest(cv2.dilate(rgb, kernel) - cv2.erode(rgb, kernel))
    flat = rgb[spread <= 14].astype(np.int32)
    if len(flat) < 50:
        flat = rgb.reshape(-1, 3).astype(np.int32)
    codes = (flat // 8) @ np.array([1 << 12, 1 << 6, 1])
    found: list[NDArray[np.float32]] = []
    names, counts = tallied(codes)
    for code in names[np.argsort(counts)[::-1]][:60]:
        members = flat[codes == code]
        if found and (len(members) < 0.003 * rgb.shape[0] * rgb.shape[1] or len(found) >= 12):
            break
        mean = members.mean(axis=0).astype(np.float32)
        near_paper = any(np.linalg.norm(mean - f) < 14 for f in found)
        is_arm = found and any(np.linalg.norm(mean - np.array(a)) < 45 for a in arms)
        if not near_paper and not is_arm:
            found.append(mean)
    return np.array(found, dtype=np.float32)


def coverage(plot: Canvas, look: ArmLook) -> NDArray[np.float32]:
    """The share of each pixel that the arm's ink covers, 0 to 1, by projection from the paper onto the ink."""
    ink = np.array(look.colour, dtype=np.float32) - plot.main
    length = max(float(ink @ ink), 1.0)
    along = plot.rgb @ ink - np.float32(plot.main @ ink)
    amount = along / length
    share = np.clip(amount, 0, 1)
    off = np.maximum(plot.error(plot.main) - 2 * share * along + share * share * length, 0)
    doubt = np.clip(1 - off / (0.2 * float(ink @ ink) + 1), 0, 1)
    return np.asarray(np.clip(amount, 0, 1) * doubt, dtype=np.float32)


def arm_width(cover: NDArray[np.float32], *, longest: int = 9) -> tuple[float, float]:
    """The line width in pixels, and the share of its ink that a line shows at its darkest; 0, 0 where there are none.

    The width is the commonest summed coverage of short runs of ink, taken down the columns and along the rows; the thinner
    counts: censor marks lengthen one of the two. Marks may also be drawn thinner than the line; what four fifths of the
    runs down the columns exceed is no mark. Areas wider than lines (bands) are taken off first.
    """
    cover = above_tints(cover, 2 * longest + 1)
    peak = _usual_peak(cover)
    if peak < _PALEST:
        return 0.0, 0.0
    down, least, count = _runs(cover, longest, peak)
    across, _, more = _runs(np.ascontiguousarray(cover.T), longest, peak)
    if not count:
        return 0.0, 0.0
    return (min(down, max(across, least)) if more >= _FEW else down) + 0.2, peak


def above_tints(cover: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Coverage that stands out of areas at least `size` pixels wide and high: bands and panels fall away."""
    import cv2

    flat = cv2.morphologyEx(np.minimum(cover, 0.7), cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    return np.asarray(np.maximum(cover - flat, 0) / (1 - flat), dtype=np.float32)


def _usual_peak(cover: NDArray[np.float32]) -> float:
    """The coverage that lines reach at their middle: the upper quartile over those pixels that top their column."""
    middle = cover[1:-1]
    top = (middle >= cover[:-2]) & (middle >= cover[2:]) & (middle > _PALEST)
    return float(np.quantile(middle[top], 0.75)) if top.sum() >= _FEW else 0.0


def _runs(cover: NDArray[np.float32], longest: int, peak: float) -> tuple[float, float, int]:
    """Commonest and lowest fifth of the summed coverage of runs down the columns up to `longest`, and their number."""
    inked = cover > 0.4 * min(peak / 0.75, 1.0)
    edge = np.zeros((1, cover.shape[1]), bool)
    change = np.diff(np.vstack([edge, inked, edge]).astype(np.int8), axis=0)
    top_c, top_r = np.nonzero((change == 1).T)
    _, end_r = np.nonzero((change == -1).T)
    if not len(top_c):
        return 0.0, 0.0, 0
    flat = np.append(cover.T.ravel(), np.float32(0))
    tall = cover.shape[0]
    edges = np.column_stack([top_c * tall + top_r, top_c * tall + end_r]).ravel()
    sums = np.add.reduceat(flat, edges)[::2]
    peaks = np.maximum.reduceat(flat, edges)[::2]
    short = (end_r - top_r <= longest) & (peaks > min(0.75, 0.8 * float(np.quantile(peaks, 0.95))))
    if not short.any():
        return 0.0, 0.0, 0
    return _mode(sums[short]), float(np.quantile(sums[short], 0.2)), int(short.sum())


def _mode(values: NDArray[np.float32]) -> float:
    """The value round which most lie, or the lower third where that is a little less."""
    grid = np.arange(0.3, float(values.max()) + 0.2, 0.1)
    votes = np.exp(-0.5 * ((values[:, None] - grid) / 0.2) ** 2).sum(axis=0)
    near = np.abs(values - grid[int(votes.argmax())]) < 0.4
    mode = float(np.median(values[near if near.any() else slice(None)]))
    third = float(np.quantile(values, 0.3))
    # marks and corners only lengthen runs, other ink only shortens them
    return third if 0.75 * mode < third < mode else mode


def effective_ink(look: ArmLook, main: NDArray[np.float32]) -> NDArray[np.float32]:
    """The darkest colour that a thin line reaches: its ink mixed with paper below 2.2 pixels of width."""
    reach = float(np.clip(look.width / 2.2, 0.55, 1.0))
    if look.reach and look.width < 2.2:
        reach = min(reach, max(look.reach, 0.3))
    if look.style == "dotted" and look.width < 2.5:
        reach *= 0.75
    return main + np.float32(reach) * (np.array(look.colour, dtype=np.float32) - main)


@dataclass(frozen=True, slots=True, eq=False)
class Inked:
    """What does not change while arms are traced: how far each pixel is from each arm's ink and from its mixtures with paper.

    Distances are squared, one array (rows, columns) for each arm, as is `contrast`, how far its ink is from the paper there.
    """

    contrast: tuple[NDArray[np.float32], ...]
    to_ink: tuple[NDArray[np.float32], ...]
    to_mixture: tuple[NDArray[np.float32], ...]


def inked(plot: Canvas, looks: Sequence[ArmLook]) -> Inked:
    """How far the pixels of a plot are from the inks of arms."""
    inks = tuple(effective_ink(look, plot.main) for look in looks)
    to_ink = tuple(_to_ink(plot, ink, look) for ink, look in zip(inks, looks, strict=True))
    contrast = tuple(_contrast(plot, ink) for ink in inks)
    mixtures = (_to_segment(plot, np.array(look.colour, dtype=np.float32)) for look in looks)
    return Inked(contrast, to_ink, tuple(mixtures) if len(looks) > 1 else ())


def _contrast(plot: Canvas, ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far an ink is from the paper of each pixel: on a tinted band it stands out less."""
    contrast = ((plot.paper - ink) ** 2).sum(axis=1)
    return np.asarray(np.maximum(contrast, max(_LEAST_CONTRAST * float(contrast[0]), 1.0))[plot.nearest])


def gains(
    plot: Canvas, looks: Sequence[ArmLook], index: int, covers: Sequence[NDArray[np.uint8] | None], far: Inked
) -> NDArray[np.float32]:
    """The gain of arm `index` at each pixel, -1 to 1, given where the other arms are thought to be drawn.

    `covers[j]` is 2 in the core of arm j's present stroke, 1 in the ring round it, 0 elsewhere, None at first.
    In a core nothing can be lost (the arm may be hidden); in a ring another arm's soft edge is no ink of ours.
    """
    own = far.to_ink[index]
    base = plot.e_paper.copy()
    rival = np.zeros(base.shape, dtype=bool)
    hidden = np.zeros(base.shape, dtype=bool)
    for j, look in enumerate(looks):
        if j == index:
            continue
        cover = covers[j]
        core = cover == 2 if cover is not None else np.zeros(base.shape, dtype=bool)
        if cover is not None:
            np.minimum(base, far.to_ink[j], out=base, where=core)
            np.minimum(base, far.to_mixture[j], out=base, where=cover == 1)
            hidden |= core
        if _compete(look.colour, looks[index].colour):
            rival |= (far.to_ink[j] < own) & (far.to_ink[j] < plot.e_paper) & ~core
    gain = np.clip((base - own) / far.contrast[index], -1, 1)
    gain = np.where(hidden, np.maximum(gain, 0), gain)
    gain = np.where(rival & ~hidden, _OTHER_ARM, gain)
    if plot.marks is not None and looks[index].symbol:
        kinds = plot.marks.kinds
        own_mark = kinds == looks[index].symbol
        gain = np.where(own_mark, _OWN_MARK, np.where((kinds > 0) & ~own_mark & ~hidden, _OTHER_MARK, gain))
    return np.asarray(np.where(plot.blank, 0, gain), dtype=np.float32)


def _to_ink(plot: Canvas, pale: NDArray[np.float32], look: ArmLook) -> NDArray[np.float32]:
    """Squared distance of each pixel to the nearest of the colours from `pale`, a thin line's darkest, to the full ink."""
    line = np.array(look.colour, dtype=np.float32) - pale
    length = float(line @ line)
    if length < 1:
        return plot.error(pale)
    along = plot.rgb @ line - np.float32(pale @ line)
    share = np.clip(along / np.float32(length), 0, 1)
    return np.asarray(
        np.maximum(plot.error(pale) - 2 * share * along + share * share * np.float32(length), 0), dtype=np.float32
    )


def _compete(a: RGB, b: RGB) -> bool:
    """Different inks; greys closer than 40 levels do not compete, since a soft black edge is grey."""
    far = float(np.linalg.norm(np.array(a, dtype=float) - np.array(b, dtype=float)))
    neutral = max(a) - min(a) < 30 and max(b) - min(b) < 30
    return far > (_ALIKE_GREYS * np.sqrt(3) if neutral else 20.0)


def _to_segment(plot: Canvas, ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared distance of each pixel to the mixtures of paper and `ink`."""
    line = ink - plot.main
    length = max(float(line @ line), 1.0)
    along = plot.rgb @ line - np.float32(plot.main @ line)
    share = np.clip(along / length, 0, 1)
    off = plot.error(plot.main) - 2 * share * along + share * share * np.float32(length)
    return np.asarray(np.maximum(off, 0), dtype=np.float32)


def line_evidence(gain: NDArray[np.float32], width: float) -> tuple[Array, Array]:
    """Gain of a level and of an upright piece of line centred on each pixel: means over the line's width."""
    import cv2

    size = max(1, round(width))
    level = cv2.blur(gain, (1, size), borderType=cv2.BORDER_REPLICATE) if size > 1 else gain
    upright = cv2.blur(gain, (size, 1), borderType=cv2.BORDER_REPLICATE) if size > 1 else gain
    return np.asarray(level), np.asarray(upright)
