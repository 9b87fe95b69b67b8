"""Censor marks on a traced curve: short upright strokes, crosses or dots centred on a level, found by correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.evidence import above_tints
from metagrove.figures.lines.readout import Steps
from metagrove.figures.lines.tracking import Path

__all__ = ["mark_places"]


def mark_places(path: Path, steps: Steps, ink: NDArray[np.float32], width: float, *, tallest: float) -> Array:
    """Columns, to a fraction of a pixel, at which ink stands both above and below a level by the same small amount.

    Parameters
    ----------
    ink : the arm's coverage of each pixel, 0 to 1, other arms' ink removed; shape (rows, columns).
    width : line width in pixels.
    tallest : the largest half-height of a mark in pixels.

    A step reaches out to one side only; a mark reaches out to both. Marks of a curve are alike: those that are not as
    tall as most are left out, and all are where most differ, since ripples beside a line then look like marks.
    """
    ink = above_tints(ink, 2 * int(np.ceil(2 * tallest + width)) + 1)
    excess_up, excess_down = _excess(path, steps, ink, width, tallest)
    both = np.minimum(excess_up, excess_down)
    need = max(2.0, 0.5 * width)
    inked = both >= need
    change = np.diff(np.concatenate([[0], inked.astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist()
    out: list[float] = []
    tall = np.array([both[b:e].max() for b, e in zip(begins, ends, strict=True)])
    alike = _alike(tall)
    begins = [b for b, keep in zip(begins, alike, strict=True) if keep]
    ends = [e for e, keep in zip(ends, alike, strict=True) if keep]
    usual = _usual([e - b for b, e in zip(begins, ends, strict=True)], width)
    for b, e in zip(begins, ends, strict=True):
        if e - b > 12 * usual:
            continue
        weight = both[b:e]
        if e - b <= 1.8 * usual + 1:
            out.append(path.first + float((weight * (np.arange(b, e) + 0.5)).sum() / weight.sum()))
        else:
            out.extend(path.first + c for c in _peaks(both, b, e, usual))
    return np.array(out)


def _alike(tall: Array) -> list[bool]:
    """Which marks are as tall as most of them; none where fewer than six in ten are."""
    if not len(tall):
        return []
    near = np.abs(tall[:, None] - tall[None, :]) <= 0.25 * tall[None, :] + 0.5
    best = int(near.sum(axis=0).argmax())
    keep = near[:, best]
    return [bool(k) for k in keep] if keep.mean() >= 0.6 else [False] * len(tall)


def _usual(widths: list[int], width: float) -> float:
    """How wide a mark's upright stroke is: the median of the narrow ones, near the line width."""
    narrow = [w for w in widths if w <= 2.2 * width + 2]
    return max(1.0, float(np.median(narrow))) if narrow else max(1.0, width)


def _peaks(both: Array, b: int, e: int, usual: float) -> list[float]:
    """Marks that touch each other: split evenly by the usual width."""
    count = max(1, round((e - b) / (usual + 1.0)))
    if count == 1:
        return [(b + e) / 2]
    half = usual / 2
    return [float(v) for v in np.linspace(b + half, e - half, count)]


def _excess(path: Path, steps: Steps, ink: NDArray[np.float32], width: float, tallest: float) -> tuple[Array, Array]:
    """For each column of the path the ink that sticks out above and below the line's own width, in pixels."""
    columns = len(path.leave)
    places = np.arange(columns, dtype=float) + 0.5
    # the pen's upper edge is the curve half a width earlier, its lower edge the curve half a width later
    before, after = (_level_at(steps, np.asarray(places + way * steps.width / 2, dtype=float)) for way in (-1, 1))
    up, down = np.zeros(columns), np.zeros(columns)
    reach = int(np.ceil(tallest))
    for i in range(columns):
        c = path.first + i
        above = int(np.floor(before[i] - width / 2 - 0.3))
        below = int(np.ceil(after[i] + width / 2 + 0.3))
        up[i] = _reach(ink[max(above - reach, 0) : above, c][::-1])
        down[i] = _reach(ink[below : below + reach, c])
        if up[i] >= reach - 0.5 or down[i] >= reach - 0.5 or abs(up[i] - down[i]) > 0.5 * max(up[i], down[i]) + 1.0:
            up[i] = down[i] = 0.0
    return up, down


def _level_at(steps: Steps, columns: Array) -> Array:
    """The height of the curve at each column."""
    index = np.searchsorted(steps.begin, columns, side="right") - 1
    return np.asarray(steps.height[np.clip(index, 0, None)])


def _reach(ink: NDArray[np.float32]) -> float:
    """How far ink continues without a break."""
    stop = np.flatnonzero(ink < 0.3)
    end = int(stop[0]) if len(stop) else len(ink)
    return float(ink[:end].sum())
