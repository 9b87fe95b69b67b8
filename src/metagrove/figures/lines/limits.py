"""Confidence limits drawn as lines in a picture: companions above and below a curve that drop where it drops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.lines.evidence import ArmLook, Canvas
from metagrove.figures.lines.tracking import Path

__all__ = ["limit_lines"]

_HUE, _RIVAL = 0.93, 0.02
# a limit is inked in a quarter of its columns at least, and its distance to the curve changes by less than half of what
# the curve falls; a curve of other patients falls at other times
_SHOWN, _OWN_WAY, _ALONE = 0.25, 0.5, 0.15
_BALANCE = 3.0
# limits of one curve are as far off on both sides, up to this logarithm of a factor in this share of the columns
_TOGETHER, _MOSTLY, _CLEAR = 0.35, 0.7, 3.0
_BLOCK, _LOOK_BACK = 12, 6
_PER_ROW, _BREAK = 0.3, 25.0
# columns between dashes
_GAP = 20


@dataclass(frozen=True, slots=True, eq=False)
class _Companion:
    """A line on one side of a curve: its columns, how far off it runs there, in rows, and whether it drops alike."""

    columns: NDArray[np.intp]
    off: Array
    alike: bool


def limit_lines(
    field: Canvas, unexplained: NDArray[np.bool_], looks: Sequence[ArmLook], paths: Sequence[Path]
) -> NDArray[np.bool_]:
    """The pixels of confidence limits that are drawn as lines.

    Parameters
    ----------
    unexplained : ink that belongs to no traced curve, shape (rows, columns).

    An arm has limits where lines of its own colour run on both sides of it, begin with it at 1, and keep their distance
    while it falls. One side alone is no limit, since it might be another curve.
    """
    out = np.zeros(unexplained.shape, dtype=bool)
    likeness = [_likeness(field, look) for look in looks]
    most = np.maximum.reduce(likeness)
    for look, path, like in zip(looks, paths, likeness, strict=True):
        ink = unexplained & (like > _HUE) & (like > most - _RIVAL)
        above, below = (_companion(ink, path, look.width, side) for side in (-1, 1))
        if not (above.alike or below.alike):
            continue
        both = np.intersect1d(above.columns // _BLOCK, below.columns // _BLOCK)
        up, down = (np.array([float(np.mean(c.off[c.columns // _BLOCK == b])) for b in both]) for c in (above, below))
        ratio = up / np.maximum(down, 0.5)
        middle = float(np.median(ratio)) if len(both) > 3 else 0.0
        # one limit may wander where it is lost among dashes and crossings, not a pair that widens together well off the
        # curve (beside it stand its marks) and along most of it
        together = float((np.abs(np.log(ratio / middle)) < _TOGETHER).mean()) if middle > 0 else 0.0
        clear = middle > 0 and min(float(np.median(up)), float(np.median(down))) > _CLEAR * look.width + 4
        paired = together > _MOSTLY and clear and len(both) * _BLOCK > _MOSTLY * len(path.leave)
        if 1 / _BALANCE < middle < _BALANCE and ((above.alike and below.alike) or paired):
            out |= _drawn(ink, path, look.width, above, -1) | _drawn(ink, path, look.width, below, 1)
    return out


def _likeness(field: Canvas, look: ArmLook) -> NDArray[np.float32]:
    """The cosine between each pixel and the arm's ink as seen from the paper: thin lines are paler, not another hue."""
    ink = np.array(look.colour, dtype=np.float32) - field.main
    along = field.rgb @ ink - np.float32(field.main @ ink)
    length = np.sqrt(np.maximum(field.error(field.main), 1.0)) * max(float(np.linalg.norm(ink)), 1.0)
    return np.asarray(along / length, dtype=np.float32)


def _companion(ink: NDArray[np.bool_], path: Path, width: float, side: int) -> _Companion:
    """The line that runs beside a curve on one side (-1 above, 1 below): the one seen longest at a steady distance."""
    level = np.asarray(path.leave, dtype=float)
    if ink[:, path.first : path.first + len(level)].any(axis=0).mean() < _SHOWN:
        return _Companion(np.zeros(0, dtype=np.intp), np.zeros(0), alike=False)
    pieces = _pieces(ink[:, path.first : path.first + len(level)], path.leave, side, tallest=width + 3)
    at, apart = _steadiest([(i, found) for i, found in enumerate(pieces) if len(found)])
    columns = at + path.first
    if len(at) < max(12, _SHOWN * len(level)):
        return _Companion(columns, apart, alike=False)
    block = at // _BLOCK
    held, off = (np.array([np.median(v[block == k]) for k in np.unique(block)]) for v in (level[at], apart))
    fallen, strayed = float(np.abs(np.diff(held)).sum()), float(np.abs(np.diff(off)).sum())
    steady = fallen > 12 and strayed < _OWN_WAY * fallen
    return _Companion(columns, apart, alike=steady or _moves_with(level[at], level[at] + side * apart))


def _moves_with(level: Array, row: Array) -> bool:
    """Whether a line changes its height only where the curve drops, however much: limits near 1 are cut or turn back."""
    moved, dropped = np.abs(np.diff(row)), np.abs(np.diff(level)) >= 1
    total, alone = float(moved.sum()), float(moved[~dropped & (moved > 1)].sum())
    return total > 12 and float((~dropped).mean()) > 0.5 and alone <= _ALONE * total


def _steadiest(seen: Sequence[tuple[int, Array]]) -> tuple[NDArray[np.intp], Array]:
    """The columns and distances of the chain of pieces with most columns, changes of distance counted against it."""
    scores: list[Array] = []
    froms: list[list[tuple[int, int]]] = []
    for k, (_, runs) in enumerate(seen):
        best, origin = np.ones(len(runs)), [(-1, -1)] * len(runs)
        for j in range(max(k - _LOOK_BACK, 0), k):
            gain = scores[j][:, None] - np.minimum(_PER_ROW * np.abs(seen[j][1][:, None] - runs[None, :]), _BREAK)
            pick = gain.argmax(axis=0)
            for n, m in enumerate(pick.tolist()):
                if gain[m, n] + 1 > best[n]:
                    best[n], origin[n] = gain[m, n] + 1, (j, m)
        scores.append(best)
        froms.append(origin)
    if not scores:
        return np.zeros(0, dtype=np.intp), np.zeros(0)
    place = max(((k, n) for k, s in enumerate(scores) for n in range(len(s))), key=lambda p: scores[p[0]][p[1]])
    chain: list[tuple[int, int]] = []
    while place[0] >= 0:
        chain.append(place)
        place = froms[place[0]][place[1]]
    chain.reverse()
    return np.array([seen[k][0] for k, _ in chain]), np.array([float(seen[k][1][n]) for k, n in chain])


def _pieces(ink: NDArray[np.bool_], level: NDArray[np.int32], side: int, *, tallest: float) -> list[Array]:
    """How far from the curve the thin pieces of ink on one side stand in each column, nearest first, in rows."""
    tall, wide = ink.shape
    rows = np.arange(tall)[:, None]
    framed = np.zeros((wide, tall + 2), dtype=np.int8)
    framed[:, 1:-1] = (ink & ((rows < level) if side < 0 else (rows > level))).T
    change = np.diff(framed, axis=1)
    columns, begins = np.nonzero(change == 1)
    ends = np.nonzero(change == -1)[1]
    thin = ends - begins <= tallest
    columns = columns[thin]
    away = side * ((begins + ends)[thin] / 2 - level[columns] - 0.5)
    found = np.split(away, np.searchsorted(columns, np.arange(1, wide)))
    return [own[::-1] for own in found] if side < 0 else found


def _drawn(ink: NDArray[np.bool_], path: Path, width: float, line: _Companion, side: int) -> NDArray[np.bool_]:
    """The ink within a line's width of the companion, its upright pieces included."""
    out = np.zeros(ink.shape, dtype=bool)
    every = np.arange(path.first, path.first + len(path.leave))
    rows = np.asarray(path.leave) + side * np.interp(every, line.columns, line.off)
    reach = width / 2 + 2.5
    for c, (before, row, after) in zip(
        every.tolist(),
        zip(np.append(rows[:1], rows[:-1]), rows, np.append(rows[1:], rows[-1:]), strict=True),
        strict=True,
    ):
        low, high = min(before, row, after) - reach, max(before, row, after) + reach
        rows_in = slice(max(round(low), 0), max(round(high) + 1, 0))
        out[rows_in, c] = ink[rows_in, c]
    # an upright piece in dashes shows in no column beside it
    at = np.asarray(path.leave)[line.columns - path.first] + side * line.off
    for a, b, before, after in zip(line.columns[:-1], line.columns[1:], at[:-1], at[1:], strict=True):
        if b - a <= _GAP and abs(after - before) > reach:
            rows_in = slice(max(round(min(before, after)), 0), round(max(before, after)) + 1)
            columns = slice(max(int(a) - 2, 0), int(b) + 3)
            out[rows_in, columns] |= ink[rows_in, columns]
    return out
