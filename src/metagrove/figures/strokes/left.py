"""Strokes of a drawing that no curve explains: where there are none, the drawing itself says how many arms it shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.page import RGB, Stroke
from metagrove.figures.strokes.staircases import Staircase

__all__ = ["all_explained", "beyond_end", "outlined_dashes", "unread_bars"]

# points: how far a stroke may lie off a curve, and how large a censor mark or an arrow's head is at most
_OFF, _MARK = 1.0, 14.0
# of the plot's width: a straight level or upright line as long as that is a grid or guide line; what may be left
_RULE, _LEFT = 0.25, 0.05
# points: how far lines that go on behind a curve's end must go down to be no frame and no key
_DROPS = 3.0
# corners of a bar, the first twice; points: its pen at most; how much longer it is; how many make a line; how uneven they are
_BAR, _THIN, _LONG, _BARS, _UNEVEN = 6, 4.0, 1.3, 4, 0.2
# how exactly a dash is as wide as its pen, of that, how many make a line, and the share of a path's pieces that they are
_PEN, _DASHES, _MOSTLY = 0.03, 8, 0.6


def all_explained(strokes: Sequence[Stroke], curves: Sequence[Array], frame: tuple[float, float, float, float]) -> bool:
    """Whether every stroke inside a plot is a curve, a mark, a level or upright line, or filled.

    Parameters
    ----------
    curves : corners of the curves, limits included, shape (points, 2) each.
    frame : left, top, right, bottom of the plot.
    """
    left, top, right, bottom = frame
    spare = 0.0
    for stroke in strokes:
        x0, y0, x1, y1 = stroke.box
        wide, tall = x1 - x0, y1 - y0
        inside = left - 1 <= (x0 + x1) / 2 <= right + 1 and top - 1 <= (y0 + y1) / 2 <= bottom + 1
        if stroke.colour is None or not inside or max(wide, tall) <= _MARK:
            continue
        if min(wide, tall) < 0.5 and max(wide, tall) > _RULE * (right - left):
            continue
        if stroke.closed and wide > 0.9 * (right - left):
            continue
        middle = (stroke.points[1:] + stroke.points[:-1]) / 2
        off = np.min([_distance(middle, curve) for curve in curves], axis=0)
        spare += float(np.linalg.norm(np.diff(stroke.points, axis=0), axis=1)[off > _OFF].sum())
    return spare < _LEFT * (right - left)


def outlined_dashes(strokes: Sequence[Stroke], frame: tuple[float, float, float, float]) -> int:
    """How many dashes inside a plot are drawn as filled outlines, as some printers of pages do with dashed lines.

    Such a line is one path of many closed pieces, each as long one way as the pen is wide. What its corners between two
    dashes were is lost. Letters drawn as paths are as wide as any pen only now and then.
    """
    left, top, right, bottom = frame
    pieces: dict[int, list[bool]] = {}
    for stroke in strokes:
        x0, y0, x1, y1 = stroke.box
        inside = left - 1 <= (x0 + x1) / 2 <= right + 1 and top - 1 <= (y0 + y1) / 2 <= bottom + 1
        if stroke.colour is not None or stroke.fill is None or not inside or stroke.width <= 0:
            continue
        alike = min(abs(x1 - x0 - stroke.width), abs(y1 - y0 - stroke.width)) < _PEN * stroke.width
        pieces.setdefault(stroke.path, []).append(alike)
    return sum(sum(alike) for alike in pieces.values() if sum(alike) >= max(_DASHES, _MOSTLY * len(alike)))


def unread_bars(strokes: Sequence[Stroke], frame: tuple[float, float, float, float]) -> int:
    """How many thin bars of one ink and pen inside a plot run along and across by uneven lengths, as the pieces of a step line do.

    Grids and frames are longer than they may be, marks alike in length.
    """
    left, top, right, bottom = frame
    inks: dict[tuple[RGB, float], list[tuple[float, float]]] = {}
    for stroke in strokes:
        x0, y0, x1, y1 = stroke.box
        wide, tall = x1 - x0, y1 - y0
        inside = left - 1 <= (x0 + x1) / 2 <= right + 1 and top - 1 <= (y0 + y1) / 2 <= bottom + 1
        pen = min(wide, tall)
        if (
            stroke.colour is None
            and stroke.fill is not None
            and inside
            and len(stroke.points) <= _BAR
            and 0 < pen <= _THIN
        ):
            inks.setdefault((stroke.fill, round(pen, 2)), []).append((wide, tall))
    found = 0
    for sizes in inks.values():
        size = np.array(sizes)
        own = size[(size[:, 0] < _RULE * (right - left)) & (size[:, 1] < _RULE * (bottom - top))]
        along, across = own[own[:, 0] > _LONG * own[:, 1], 0], own[own[:, 1] > _LONG * own[:, 0], 1]
        if min(len(along), len(across)) >= _BARS and min(np.std(v) / np.mean(v) for v in (along, across)) > _UNEVEN:
            found += len(along) + len(across)
    return found


def beyond_end(strokes: Sequence[Stroke], curve: Staircase, others: Sequence[Array], right: float) -> float:
    """How far lines that look like a curve go on, right and along, behind its end: the share of the curve's own width.

    Parameters
    ----------
    others : corners of the other curves, limits included, shape (points, 2) each.
    right : the right end of the plot.
    """
    end, low = float(curve.points[-1, 0]), float(curve.points[0, 1])
    level = drop = 0.0
    for stroke in strokes:
        x0, y0, x1, y1 = stroke.box
        alike = stroke.colour == curve.colour and stroke.dash == curve.dash and abs(stroke.width - curve.width) < 0.05
        if not alike or stroke.closed or stroke.fill is not None or x0 < end - _OFF or x1 > right + _OFF:
            continue
        middle = (stroke.points[1:] + stroke.points[:-1]) / 2
        if not (y0 - low) * (-1 if curve.rising else 1) > 0 or y1 - y0 > 20 * _MARK:
            continue
        if min((float(_distance(middle, other).max()) for other in others), default=np.inf) < _OFF:
            continue
        step = np.abs(np.diff(stroke.points, axis=0)).sum(axis=0)
        level, drop = level + float(step[0]), drop + float(step[1])
    return level / max(end - float(curve.points[0, 0]), 1.0) if drop > _DROPS else 0.0


def _distance(points: Array, line: Array) -> Array:
    """How far each point lies from a line of corners, shape (points,)."""
    a, b = line[:-1], line[1:]
    step = b - a
    length = np.maximum((step**2).sum(axis=1), 1e-12)
    along = np.clip(((points[:, None] - a) * step).sum(axis=2) / length, 0, 1)
    nearest = a + along[..., None] * step
    return np.asarray(np.sqrt(((points[:, None] - nearest) ** 2).sum(axis=2)).min(axis=1))
