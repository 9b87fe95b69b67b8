"""Where on a picture the number of a cell stands: its box, found from the cell's place and not from the gaps of a line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.writing.lettering import Box

__all__ = ["centred_runs", "crowded", "cut_from_name", "inked_run"]

# the pieces of a count, with another in brackets behind it
_MOST_PIECES = 9
# ink that letters have and the ripples of compression have not; letter heights between the digits of one number at most
_INK, _GAP = 0.28, 0.45
# letter heights between a count and a bracket behind it at most
_BEFORE = 0.9
_LOWEST, _TALLEST = 0.55, 1.5
# letter heights of clear paper before a count, the height of what crowds it, and how far it reaches above or below the line
_CLEAR, _SPECK, _OFF_LINE = 0.3, 0.3, 0.4
# letter heights from which on a thin upright piece is a line, and how thin it is
_LINE, _THIN = 1.5, 0.25
# letter heights by which a count may be off the middle of its column
_CUT = 0.35


def centred_runs(known: Sequence[Box], across: float, down: float, size: float) -> list[list[Box]]:
    """The runs of neighbouring pieces whose middles are near a place, the nearest first; a piece more counts a fifth of one."""
    row = sorted(
        p
        for p in set(known)
        if abs((p[1] + p[3]) / 2 - down) < 0.5 * size
        and _LOWEST * size < p[3] - p[1] < _TALLEST * size
        and abs((p[0] + p[2]) / 2 - across) < 4 * size
    )
    found: list[tuple[float, list[Box]]] = []
    for i in range(len(row)):
        for j in range(i, min(i + _MOST_PIECES, len(row))):
            if j > i and row[j][0] - row[j - 1][2] > (_BEFORE if _bracket(row[j], row[j - 1]) else _GAP) * size:
                break
            # the middle digit of three stands in the middle too
            off = abs((row[i][0] + row[j][2]) / 2 - across) - 0.2 * size * (j - i + 1)
            if off < 0.4 * size:
                found.append((off, row[i : j + 1]))
    return [run for _, run in sorted(found, key=lambda f: f[0])]


def crowded(known: Sequence[Box], run: Sequence[Box], size: float) -> bool:
    """Whether letters of another line stand in a run or close before it.

    Words that are printed over each other leave some of their digits in pieces that are no digits. Names and brackets are on the
    line of the count itself.
    """
    left, right = min(p[0] for p in run), max(p[2] for p in run)
    top, bottom = min(p[1] for p in run), max(p[3] for p in run)
    for piece in known:
        level = min(piece[3], bottom) - max(piece[1], top)
        near = piece[2] > left - _CLEAR * size and piece[0] < right
        line = piece[3] - piece[1] > _LINE * size and piece[2] - piece[0] < _THIN * size
        off = max(top - piece[1], piece[3] - bottom) > _OFF_LINE * size
        if near and off and not line and level >= _SPECK * size and piece not in run:
            return True
    return False


def _bracket(piece: Box, before: Box) -> bool:
    """Whether a piece is taller than the digit before it and thin, as a bracket is."""
    tall, wide = piece[3] - piece[1], piece[2] - piece[0]
    return tall >= 1.15 * (before[3] - before[1]) and wide < 0.5 * tall


def cut_from_name(ink: NDArray[np.float32], run: Box, across: float, size: float) -> Box | None:
    """The right part of a run that has its middle at a place, cut where least ink is; None where that is all of the run.

    Letters of a name that touch the first digit of a count are left of the cut.
    """
    left = 2 * across - run[2]
    if left - run[0] < 0.5 * size or run[2] - left < 0.4 * size:
        return None
    columns = ink[run[1] : run[3]].sum(axis=0)
    first, last = round(left - _CUT * size), round(left + _CUT * size) + 1
    least = first + int(columns[max(first, 0) : last].argmin())
    start = least if columns[least] > _INK else least + 1
    return start, run[1], run[2], run[3]


def inked_run(ink: NDArray[np.float32], across: float, down: float, size: float) -> Box | None:
    """The box of the ink on a line whose middle is nearest to a place; None where none is near that is as high as letters.

    Digits too pale, too low or too broken to be pieces are in it.
    """
    top, left = max(round(down - 0.75 * size), 0), max(round(across - 4 * size), 0)
    band = ink[top : round(down + 0.75 * size) + 1, left : round(across + 4 * size) + 1] > _INK
    if not band.any():
        return None
    columns = np.flatnonzero(band.any(axis=0))
    runs = np.split(columns, np.flatnonzero(np.diff(columns) - 1 > _GAP * size) + 1)
    middles = np.array([left + (r[0] + r[-1] + 1) / 2 for r in runs])
    best = runs[int(np.abs(middles - across).argmin())]
    if float(np.abs(middles - across).min()) > 0.4 * size + 0.5 * (best[-1] + 1 - best[0]):
        return None
    rows = np.flatnonzero(band[:, best[0] : best[-1] + 1].any(axis=1))
    # what touches the edge of the band belongs to another line
    inner = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    own = max(inner, key=len)
    if not _LOWEST * size < len(own) < _TALLEST * size:
        return None
    return left + int(best[0]), top + int(own[0]), left + int(best[-1]) + 1, top + int(own[-1]) + 1
