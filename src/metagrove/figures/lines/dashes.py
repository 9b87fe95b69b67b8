"""Dash patterns in a picture: runs of ink and gap along thin level lines, the legend's sample included."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.tracking import Dash, Path

__all__ = ["dash_fit", "dash_patterns", "gaps_along"]

# ink below that is none
_BARE = 0.35


def dash_patterns(cover: NDArray[np.float32], width: float) -> dict[str, Dash]:
    """The commonest dashed and the commonest dotted pattern of an ink, where the picture shows any.

    Parameters
    ----------
    cover : share of each pixel covered by the ink, shape (rows, columns); the whole picture, so that the legend votes.
    width : line width in pixels; dots are at most 2.2 widths long.
    """
    votes: dict[str, list[tuple[float, float]]] = {"dashed": [], "dotted": []}
    thin = _thin(cover, width)
    for row in np.flatnonzero(thin.any(axis=1)):
        for on, gap, after, inside in _triples(cover[row], thin[row]):
            if abs(on - after) > max(1.3, 0.2 * on) or gap < 1.0 or gap > 4 * on + 2 or inside > 0.45:
                continue
            kind = "dotted" if on <= 2.2 * max(width, 1.0) else "dashed"
            votes[kind].append(((on + after) / 2, gap))
    return {kind: pattern for kind, pairs in votes.items() if (pattern := _mode(pairs)) is not None}


def _thin(cover: NDArray[np.float32], width: float) -> NDArray[np.bool_]:
    """Ink whose upright run is no taller than a line: letters and upright strokes fall away."""
    inked = cover > 0.35
    tallest = int(np.ceil(width)) + 2
    run = np.zeros(cover.shape, dtype=np.int32)
    count = np.zeros(cover.shape[1], dtype=np.int32)
    for r in range(cover.shape[0]):
        count = np.where(inked[r], count + 1, 0)
        run[r] = count
    for r in range(cover.shape[0] - 2, -1, -1):
        run[r] = np.where(inked[r] & inked[r + 1], run[r + 1], run[r])
    return np.asarray(inked & (run <= tallest))


def _triples(cover: NDArray[np.float32], thin: NDArray[np.bool_]) -> list[tuple[float, float, float, float]]:
    """Neighbouring runs of a row: length, gap, length and the ink left in the gap, lengths from summed coverage."""
    change = np.diff(np.concatenate([[0], thin.astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    if len(begins) < 2:
        return []
    runs = list(zip(begins.tolist(), ends.tolist(), strict=True))
    lengths = [_soft_length(cover, a, b, float(cover[a:b].max())) for a, b in runs]
    out = []
    for ((a, b), (c, d)), (on, after) in zip(pairwise(runs), pairwise(lengths), strict=True):
        gap = (c + d) / 2 - (a + b) / 2 - (on + after) / 2
        out.append((on, gap, after, float(cover[b:c].min())))
    return out


def _soft_length(cover: NDArray[np.float32], begin: int, end: int, peak: float) -> float:
    """The length of a run with its soft ends counted by their share."""
    low, high = max(begin - 1, 0), min(end + 1, len(cover))
    return float(np.minimum(cover[low:high] / max(peak, 0.3), 1.0).sum())


def _mode(pairs: list[tuple[float, float]]) -> Dash | None:
    if len(pairs) < 6:
        return None
    table = np.array(pairs)
    period = table.sum(axis=1)
    grid = np.arange(period.min(), period.max() + 0.25, 0.25)
    weight = np.array([np.exp(-0.5 * ((period - g) / 0.4) ** 2).sum() for g in grid])
    peak = grid[int(np.argmax(weight))]
    near = np.abs(period - peak) < 0.8
    if near.sum() < 6:
        return None
    on, total = float(np.median(table[near, 0])), float(np.mean(period[near]))
    return Dash(on, total - on)


def dash_fit(
    path: Path, gain: NDArray[np.float32], hidden: NDArray[np.bool_], dash: Dash, *, stretch: int = 0
) -> float:
    """How well a pattern explains the ink along a path: mean ink where it has dashes less where it has gaps.

    The phase is free in every stretch of so many pixels (0: five periods), since corners upset it; shorter ones fit any
    ink better, so that patterns are compared in equal ones. 1 is a perfect fit, 0 none. The path is taken along its arc,
    hidden pixels left out.
    """
    along = _along(path, np.where(hidden, np.nan, np.clip((gain + 1) / 2, 0, 1)))
    stretch = stretch or round(5 * dash.period)
    if not dash.off or len(along) < stretch:
        return 0.0
    shifts = np.arange(0, dash.period, 0.5)
    inked = np.mod(np.arange(stretch)[None, :] + shifts[:, None], dash.period) < dash.on
    total, weight = 0.0, 0
    for start in range(0, len(along) - stretch + 1, stretch):
        piece = along[start : start + stretch]
        seen = ~np.isnan(piece)
        on, off = inked & seen, ~inked & seen
        if seen.sum() < 0.6 * stretch or not on.any(axis=1).all() or not off.any(axis=1).all():
            continue
        ink = np.where(seen, piece, 0)
        contrast = (on * ink).sum(axis=1) / on.sum(axis=1) - (off * ink).sum(axis=1) / off.sum(axis=1)
        total += float(contrast.max()) * int(seen.sum())
        weight += int(seen.sum())
    return total / weight if weight else 0.0


def gaps_along(path: Path, gain: NDArray[np.float32], hidden: NDArray[np.bool_]) -> int:
    """How often the ink along a path ends and begins again, where the path is not hidden and no ink is within a pixel."""
    import cv2

    ink = np.clip((gain + 1) / 2, 0, 1).astype(np.float32)
    near = cv2.dilate(ink, np.ones((3, 3), np.uint8))
    along = _along(path, np.where(hidden, np.nan, near))
    off = np.diff(np.concatenate([[0], (along < _BARE).astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(off == 1), np.flatnonzero(off == -1)
    inside = (begins > 0) & (ends < len(along))
    begins, ends = begins[inside], ends[inside]
    return int((np.isfinite(along[begins - 1]) & np.isfinite(along[ends])).sum())


def _along(path: Path, ink: NDArray[np.float32]) -> Array:
    """The ink of a path's pixels in the order in which a pen would draw them."""
    out: list[float] = []
    for i in range(len(path.leave)):
        c = path.first + i
        out.extend(float(v) for v in ink[path.enter[i] : path.leave[i] + 1, c])
    return np.array(out)
