"""Keys of a legend in pictures: a short line as it is drawn before a name, its colour, thickness and dashes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.colours import middle_colour
from metagrove.figures.files.image import Pixels
from metagrove.figures.legend.marked_keys import unmarked
from metagrove.figures.lines.symbols import TWO_SYMBOLS, Symbol, unlike
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import RGB, Word, colour_distance
from metagrove.figures.runs import runs_of

__all__ = ["Sample", "alike", "drawn_style", "ink_colour", "key_before", "paper_of"]

_LONGEST, _SHORTEST = 110, 9
_FAINT, _PALE = 0.14, 0.6
# a line must differ this much from the paper; less ink than this is paper
_BLANK, _BARE = 40.0, 0.03
_ONE_COLOUR, _UNLIKE = 25.0, 0.22


@dataclass(frozen=True, slots=True)
class Sample:
    """One legend entry: the name, the colour and style of its line, and the box of line and name together.

    `start` is where the name begins, `length` is the line's; `symbol` is what it bears in its middle.
    """

    name: str
    colour: RGB
    style: str
    dash: Dash
    box: tuple[float, float, float, float]
    width: float
    start: float = 0.0
    length: float = 0.0
    symbol: Symbol | None = None


def alike(a: Sample, b: Sample) -> bool:
    """Whether two keys look the same: one colour and one style, dashes of one length, no two symbols."""
    if a.symbol is not None and b.symbol is not None and unlike(a.symbol, b.symbol) > TWO_SYMBOLS:
        return False
    lengths = (a.dash.period, b.dash.period), (a.dash.on, b.dash.on)
    apart = any(abs(p - q) > _UNLIKE * max(p, q) + 1 for p, q in lengths)
    return colour_distance(a.colour, b.colour) < _ONE_COLOUR and a.style == b.style and not apart


def key_before(rgb: Pixels, ink: NDArray[np.float32], word: Word, paper: Array) -> Sample | None:
    """The entry of a name: the nearest line to its left; None where there is none."""
    size = max(word.size, 6.0)
    middle = round(word.cy - 0.5)
    half = max(2, round(0.45 * size))
    right = round(word.x0) - 1
    left = max(right - _LONGEST - round(2 * size), 0)
    if right - left < _SHORTEST or middle - half < 0 or middle + half + 1 > ink.shape[0]:
        return None
    block = ink[middle - half : middle + half + 1, left:right]
    # a legend may stand on a band
    block = np.maximum(block - np.float32(np.median(block)), 0)
    near = block[:, -round(3 * size) :]
    # a pale line is judged by its own darkness
    block = unmarked(block * max(1.0, 0.75 / max(float(near.max(initial=0.0)), 0.2)))
    runs = _row_runs(block, nearest=2.6 * size + 4, whole=2.0 * size)
    if runs is None:
        return None
    row, pieces = runs
    begin, end = pieces[0][0], pieces[-1][1]
    if not _SHORTEST <= end - begin <= _LONGEST:
        return None
    thick = _thickness(block, row, pieces)
    if thick > max(7.0, 0.6 * size):
        return None
    colour = ink_colour(rgb[middle - half + row - 1 : middle - half + row + 2, left + begin : left + end], paper)
    drawn = drawn_style(block[row], pieces, thick)
    if drawn is None:
        return None
    style, dash = drawn
    box = (left + begin - 1.0, word.y0, word.x1, word.y1)
    if float(np.linalg.norm(np.array(colour) - paper)) < _BLANK:
        return None
    return Sample(word.text.rstrip(" -–—.:"), colour, style, dash, box, thick, word.x0, float(end - begin))


def _row_runs(block: NDArray[np.float32], *, nearest: float, whole: float) -> tuple[int, list[tuple[int, int]]] | None:
    """The row with most ink that comes within `nearest` of the right end, and its runs, leftwards to a wide gap.

    A run of at least `whole` pixels is no dash but a sample by itself.
    """
    best: tuple[float, int, list[tuple[int, int]]] | None = None
    for r in range(1, block.shape[0] - 1):
        runs = runs_of(_inked(block[r], nearest))
        kept: list[tuple[int, int]] = []
        for a, b in reversed(runs):
            if kept and not _continues(kept[0], (a, b), cut=len(kept) == 1, whole=whole):
                break
            kept.insert(0, (a, b))
        total = sum(float(block[r, a:b].sum()) for a, b in kept)
        if not kept or block.shape[1] - kept[-1][1] > nearest:
            continue
        if kept[-1][1] - kept[0][0] >= _SHORTEST and (best is None or total > best[0]):
            best = total, r, kept
    return None if best is None else (best[1], best[2])


def _inked(row: NDArray[np.float32], nearest: float) -> NDArray[np.bool_]:
    """Where a row is inked like what stands nearest to its right end: pale lines do not run on into dark ones.

    A pixel or two before the name may be the edge of a dash that the sample cuts.
    """
    seen = np.flatnonzero(row > _FAINT)
    if not len(seen) or len(row) - seen[-1] > nearest:
        return np.asarray(row > 0.3)
    last = np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1)
    runs = [r for r in last[-2:] if len(r) > 2] or last[-1:]
    end = int(runs[-1][-1])
    own = float(row[max(end - 8, 0) : end + 1].max())
    if own > _PALE:
        return np.asarray(row > 0.3)
    return np.asarray((row > 0.5 * own) & (row < 1.7 * own))


def _continues(right: tuple[int, int], left: tuple[int, int], *, cut: bool, whole: float) -> bool:
    """Whether a run can be the dash before another: near it and about as long; the last may be `cut` short."""
    own, other = right[1] - right[0], left[1] - left[0]
    gap = right[0] - left[1]
    if max(own, other) > whole:
        return gap <= 2
    if cut and own < other <= _LONGEST // 2 and gap <= 1.2 * other:
        return True
    return gap <= max(8, 1.4 * own) and 0.4 * own - 1 <= other <= 2.5 * own + 1


def _thickness(block: NDArray[np.float32], row: int, pieces: list[tuple[int, int]]) -> float:
    """How thick the sample is: the median over its columns of the summed ink round its row."""
    columns = [c for a, b in pieces for c in range(a, b)]
    sums = []
    for c in columns:
        top = bottom = row
        while top > 0 and block[top - 1, c] > 0.3:
            top -= 1
        while bottom < block.shape[0] - 1 and block[bottom + 1, c] > 0.3:
            bottom += 1
        sums.append(float(block[top : bottom + 1, c].sum() / max(float(block[row, c]), 0.3)))
    return float(np.median(sums))


def paper_of(rgb: Pixels, ink: NDArray[np.float32]) -> Array:
    """The colour of the paper, of a picture and its ink (0 to 1); white where ink is everywhere."""
    bare = ink < _BARE
    return middle_colour(rgb[bare]) if bare.any() else np.full(3, 255.0)


def ink_colour(patch: Pixels, paper: Array) -> RGB:
    """The colour of the pixels of a patch, shape (rows, columns, 3), that differ most from the paper."""
    flat = patch.reshape(-1, 3).astype(float)
    far = ((flat - paper) ** 2).sum(axis=1)
    core = flat[far >= 0.8 * np.quantile(far, 0.9)]
    r, g, b = np.median(core, axis=0)
    return int(r), int(g), int(b)


def drawn_style(row: NDArray[np.float32], pieces: list[tuple[int, int]], thick: float) -> tuple[str, Dash] | None:
    """The style of a line and its dashes, from the inked stretches of its row; None where they make no pattern."""
    if len(pieces) < 2 or sum(b - a for a, b in pieces) > 0.93 * (pieces[-1][1] - pieces[0][0]):
        return "solid", Dash()
    if max(b - a for a, b in pieces) > 0.62 * (pieces[-1][1] - pieces[0][0]) and not _long_dash(pieces, thick):
        return "solid", Dash()
    if not _regular(pieces):
        return None
    inner = pieces[1:-1] if len(pieces) > 3 else pieces
    on = float(np.mean([row[max(a - 1, 0) : b + 1].sum() / max(float(row[a:b].max()), 0.3) for a, b in inner]))
    starts = [(a + b) / 2 for a, b in (inner if len(inner) > 2 else pieces)]
    period = float(np.mean(np.diff(starts)))
    if len(pieces) == 2:
        on, period = max(b - a for a, b in pieces), pieces[1][0] - pieces[0][0]
    style = "dotted" if on <= 2.2 * max(thick, 1.0) else "dashed"
    return style, Dash(on, max(period - on, 0.8))


def _long_dash(pieces: list[tuple[int, int]], thick: float) -> bool:
    """Whether a long run and a short one are a long dash and the next one, cut where the sample ends."""
    if len(pieces) != 2:
        return False
    (a, b), (c, d) = pieces
    return b - a > d - c >= 2 and c - b >= max(1.4 * thick, 4.0) and b - a <= 3.2 * (c - b)


def _regular(pieces: list[tuple[int, int]]) -> bool:
    """Whether the runs could be one dash pattern: the middle ones alike, no gap twice another."""
    lengths = np.array([b - a for a, b in pieces], dtype=float)
    gaps = np.array([c - b for (_, b), (c, _) in pairwise(pieces)], dtype=float)
    if len(lengths) == 2:
        # the box of a legend cuts its dashes
        return bool(lengths[0] >= 0.3 * lengths.max() and gaps[0] <= 1.2 * lengths.max())
    middle = lengths[1:-1]
    even = middle.max() <= 1.5 * middle.min() + 2 and gaps.max() <= 1.6 * gaps.min() + 2
    return bool(even and lengths.max() <= 1.4 * middle.max() + 2)
