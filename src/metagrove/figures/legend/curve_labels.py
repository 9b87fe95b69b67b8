"""Names printed beside the curves of a plot instead of a legend: which curve each belongs to, and whether all have one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.findings import Finding
from metagrove.figures.page import Word
from metagrove.figures.reading import ArmReading
from metagrove.figures.table.evidence import Ground

__all__ = ["called", "labels_beside"]

# letter heights: how far a name may stand from its curve; any other assignment of the names must stand this much further off
_FARTHEST, _CLEARER = 6.0, 1.4
_MOST = 6
# what a pixel behind the end of a curve counts
_BEHIND = 0.25
_NO_NAME = re.compile(
    r"\b(p|hr|ci|or|log|logrank|log-rank|rank|test|hazard|ratio|median|censored|at risk|months?|years?|weeks?|days?|gray.?s"
    r"|survival|probability|events?|nr|n\.?s)\b|%|\bp ?[=<>]",
    re.IGNORECASE,
)


def called(
    arms: list[ArmReading], names: Sequence[Word], ground: Ground, witnesses: list[int]
) -> tuple[list[ArmReading], list[int], list[Finding]]:
    """The arms under the names beside their curves, which confirm their number; a legend of one entry says nothing."""
    near, labels = labels_beside(arms, names, ground)
    if labels is not None:
        return [replace(a, name=label) for a, label in zip(arms, labels, strict=True)], [len(arms)], []
    if near > 1:
        return arms, [near], [Finding("the names beside the curves do not say clearly which is whose")]
    return arms, witnesses if len(arms) == 1 or max(witnesses, default=1) > 1 else [], []


def labels_beside(arms: Sequence[ArmReading], names: Sequence[Word], ground: Ground) -> tuple[int, list[str] | None]:
    """How many names stand beside curves, and each arm's name, in the order of the arms.

    The names are None unless every curve has one and every name a curve, all close by, and any other assignment puts them
    clearly further off. `names` are the phrases of the page; those outside the axes, and those that state a result, are no
    names.
    """
    lines = [_drawn(arm, ground) for arm in arms]
    words = _candidates(names, ground, lines)
    if not 0 < len(words) <= _MOST or not arms or len(arms) > _MOST:
        return 0, None
    off = np.array([[_gap(word, line) for line in lines] for word in words])
    size = float(np.median([w.size for w in words]))
    near = int((off.min(axis=1) <= _FARTHEST * size).sum())
    if near != len(words) or len(words) != len(arms):
        return near, None
    orders = list(itertools.permutations(range(len(arms))))
    totals = np.array([sum(off[k, i] for k, i in enumerate(order)) for order in orders])
    best = int(totals.argmin())
    rest = np.delete(totals, best)
    if max(off[k, i] for k, i in enumerate(orders[best])) > _FARTHEST * size:
        return near, None
    if len(rest) and float(rest.min()) < _CLEARER * float(totals[best]) + size / 2:
        return near, None
    called = {i: words[k].text.strip(" .:;-–—") for k, i in enumerate(orders[best])}
    return near, [called[i] for i in range(len(arms))]


def _candidates(names: Sequence[Word], ground: Ground, lines: Sequence[Array]) -> list[Word]:
    """The phrases inside the axes, or right of them and close to a curve, that may be names: letters mostly, no result, no unit."""
    left, right = min(ground.x.pixels), max(ground.x.pixels) + ground.x.spacing
    ends = ground.y.pixel([0.0, ground.scale])
    top, foot = float(np.min(ends)), min(float(np.max(ends)), max(ground.y.pixels))
    out = []
    for word in names:
        level = left < word.x0 and top - word.size < word.cy < foot
        inside = level and (
            word.cx < right or min((_gap(word, line) for line in lines), default=np.inf) < _FARTHEST * word.size
        )
        bare = re.sub(r"\(?\s*\b[nN]\s*=\s*\d+\s*\)?", "", word.text)
        letters = sum(c.isalpha() for c in bare)
        if inside and word.angle == 0 and word.score > 0.6 and letters > 2 and not _NO_NAME.search(bare):
            out.append(word)
    return out


def _drawn(arm: ArmReading, ground: Ground) -> Array:
    """Points along the curve on the page, a pixel or two apart; shape (n, 2)."""
    end = float(ground.x.pixel(arm.end))
    columns = np.arange(float(ground.x.pixel(0.0)) + 0.5, end, 1.5)
    heights = ground.heights(arm, columns)
    points = [np.column_stack([columns, heights])]
    for k in np.flatnonzero(np.abs(np.diff(heights)) > 2):
        down = np.arange(min(heights[k : k + 2]), max(heights[k : k + 2]), 1.5)
        points.append(np.column_stack([np.full(len(down), columns[k + 1]), down]))
    out = np.vstack(points)
    return np.asarray(out[np.isfinite(out).all(axis=1)])


def _gap(word: Word, line: Array) -> float:
    """The distance from a word's box to a curve, in pixels; infinite where there is none.

    A word behind the end of a curve is level with it: how far behind counts for less.
    """
    if not len(line):
        return float("inf")
    across = np.maximum(np.maximum(word.x0 - line[:, 0], line[:, 0] - word.x1), 0.0)
    across *= _BEHIND if word.x0 > line[:, 0].max() else 1.0
    down = np.maximum(np.maximum(word.y0 - line[:, 1], line[:, 1] - word.y1), 0.0)
    return float(np.hypot(across, down).min())
