"""Symbols that tell arms apart: their shape as a key of the legend shows it, and where they stand on the curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.lines.tracking import Path

__all__ = ["TWO_SYMBOLS", "Mark", "Marks", "Symbol", "marks_of", "passed", "symbol_of", "unlike"]

#: Two symbols that differ by more than this share of their ink are not one.
TWO_SYMBOLS = 0.15
# a symbol stands where its picture explains this much of what bare paper would leave unexplained, and is told from another where
# it fits better by this share of what the two differ by
_THERE, _TOLD = 0.65, 0.3
# of a symbol's size: how near two may stand, and what of it round its middle counts for its arm
_APART, _HEART = 0.5, 0.6
# of each kind: where keys are filled and fewer such symbols than that are found, they are rings
_FEW = 1.5
# how much ink counts where a symbol has none: lines and other symbols may be there
_BESIDE = 0.35
# what the line beside a symbol may cover is less of a pixel than this
_INSIDE = 0.5
# share of its ink that must be there: a step has less
_WHOLE = 0.85
# a symbol is on a curve that passes its middle within so much of its size, and within so many pixels
_ON, _NEAR = 0.25, 1.5
# pixels round a symbol that belong to its picture
_RIM = 1


@dataclass(frozen=True, slots=True, eq=False)
class Symbol:
    """The picture of a symbol: the share of each pixel that its ink covers, shape (rows, columns), sides odd.

    Its middle is where the curve passes; `tells` is 0 where a line may lie beside it, else 1; `box` are the rows above and
    below and the columns left and right of the middle that the symbol itself takes.
    """

    cover: NDArray[np.float32]
    tells: NDArray[np.float32]
    box: tuple[int, int, int, int]

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns from the middle to the rim of the picture."""
        return len(self.cover) // 2, self.cover.shape[1] // 2


def symbol_of(
    cover: NDArray[np.float32], row: int, columns: tuple[int, int], rows: tuple[int, int], thick: float
) -> Symbol:
    """The symbol in given rows and columns of a picture, on a line of that thickness along `row`."""
    middle = (columns[0] + columns[1] - 1) // 2
    up, down = row - rows[0], rows[1] - 1 - row
    left, right = middle - columns[0], columns[1] - 1 - middle
    high, wide = max(up, down) + _RIM, max(left, right) + _RIM
    padded = np.pad(cover, ((high, high), (wide, wide)))
    cut = padded[row : row + 2 * high + 1, middle : middle + 2 * wide + 1].astype(np.float32)
    inside = np.zeros(cut.shape, bool)
    inside[high - up : high + down + 1, wide - left : wide + right + 1] = True
    cut[~inside] = 0
    half = int(thick / 2)
    tells = np.ones(cut.shape, np.float32)
    sides = [_sides(cut[k]) for k in (high - half - 1, high + half + 1)]
    # beside the symbol lies the line: how far the symbol goes there is between how far it goes above and below
    first, last = (round(float(np.mean([side[k] for side in sides]))) for k in (0, 1))
    beside = np.ones(cut.shape[1], bool)
    beside[first : last + 1] = False
    cut[high - half : high + half + 1, beside] = 0
    tells[high - half - 1 : high + half + 2, beside] = 0
    upright = slice(wide - half, wide + half + 1)
    # steps run down from a symbol and up from it
    tells[:, upright] *= inside[:, upright]
    return Symbol(cut, tells, (up, down, left, right))


def _sides(row: NDArray[np.float32]) -> tuple[int, int]:
    """The first and last inked pixel of a row; its middle where none is."""
    inked = np.flatnonzero(row >= _INSIDE)
    return (int(inked[0]), int(inked[-1])) if len(inked) else (len(row) // 2, len(row) // 2)


def unlike(a: Symbol, b: Symbol) -> float:
    """The share of two symbols' ink that they do not have in common: 0 where they look the same."""
    high, wide = (max(p, q) for p, q in zip(a.reach, b.reach, strict=True))
    first, second = (_padded(s.cover, high, wide) for s in (a, b))
    return float(np.abs(first - second).sum() / max(float(np.maximum(first, second).sum()), 1.0))


def _padded(picture: NDArray[np.float32], high: int, wide: int) -> NDArray[np.float32]:
    up, aside = high - len(picture) // 2, wide - picture.shape[1] // 2
    return np.pad(picture, ((up, up), (aside, aside)))


@dataclass(frozen=True, slots=True)
class Mark:
    """A symbol on the plot: its middle, and the number of its kind, from 1 on; 0 where the picture does not tell."""

    row: int
    column: int
    kind: int


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The symbols found on a plot whose arms of one ink bear different ones.

    `kinds` holds at each pixel round the middle of a symbol the number of its kind, else 0; `taken` says where any symbol
    stands, told or not; `size` is how wide and high they are.
    """

    symbols: tuple[Symbol, ...]
    places: tuple[Mark, ...]
    kinds: NDArray[np.int8]
    taken: NDArray[np.bool_]
    size: float

    @property
    def told(self) -> NDArray[np.int_]:
        """The number of each symbol's kind."""
        return np.array([m.kind for m in self.places], dtype=int)

    def kind(self, symbol: Symbol | None) -> int:
        """The number of a symbol; 0 for none of these."""
        return next((k + 1 for k, own in enumerate(self.symbols) if own is symbol), 0)


def marks_of(cover: NDArray[np.float32], symbols: Sequence[Symbol]) -> Marks:
    """Where the symbols stand on a plot.

    Parameters
    ----------
    cover : share of each pixel covered by their ink, shape (rows, columns).
    symbols : as the keys show them; they are looked for as they are and, where hardly any is found so, as rings.
    """
    high, wide = (max(s.reach[k] for s in symbols) for k in (0, 1))
    size = float(np.median([max(sum(s.box[:2]), sum(s.box[2:])) + 1 for s in symbols]))
    tells = np.min([_padded(s.tells - 1, high, wide) + 1 for s in symbols], axis=0)
    pictures = [_padded(s.cover, high, wide) for s in symbols]
    found = _fitted(cover, pictures, tells, size)
    if sum(kind > 0 for _, _, kind in found) < _FEW * len(symbols):
        found = _fitted(_closed(cover, size), pictures, tells, size)
    places = tuple(Mark(r, c, kind) for r, c, kind in found)
    kinds, taken = np.zeros(cover.shape, np.int8), np.zeros(cover.shape, bool)
    heart, half = max(1, round(_HEART * size / 2)), round(size / 2) + 1
    for m in places:
        taken[max(m.row - half, 0) : m.row + half + 1, max(m.column - half, 0) : m.column + half + 1] = True
        kinds[max(m.row - heart, 0) : m.row + heart + 1, max(m.column - heart, 0) : m.column + heart + 1] = m.kind
    return Marks(tuple(symbols), places, kinds, taken, size)


def _closed(cover: NDArray[np.float32], size: float) -> NDArray[np.float32]:
    """The ink with the paper inside rings no larger than symbols."""
    import cv2

    paper = (cover < _INSIDE).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(paper, connectivity=4)
    small = (stats[:, 2] < size) & (stats[:, 3] < size)
    small[0] = False
    return np.asarray(np.where(small[labels], 1, cover), dtype=np.float32)


def _fitted(
    cover: NDArray[np.float32], pictures: Sequence[NDArray[np.float32]], tells: NDArray[np.float32], size: float
) -> list[tuple[int, int, int]]:
    """Where the pictures of the kinds fit the ink, and which kind's it is; 0 where that is not clear."""
    weights = [np.asarray(tells * (_BESIDE + (1 - _BESIDE) * p), dtype=np.float32) for p in pictures]
    left = np.array([_unexplained(cover, p, w) for p, w in zip(pictures, weights, strict=True)])
    bare: NDArray[np.float32] = np.array(
        [(w * p * p).sum() for p, w in zip(pictures, weights, strict=True)], dtype=np.float32
    )
    differ = [[float((w * (a - b) ** 2).sum()) for b, w in zip(pictures, weights, strict=True)] for a in pictures]
    share = np.where(np.array([_inked(cover, p) for p in pictures]) >= _WHOLE, left / bare[:, None, None], 1)
    found = _places(share.min(axis=0), round(_APART * size))
    return [(r, c, _kind(left[:, r, c], differ)) for r, c in found]


def _unexplained(
    cover: NDArray[np.float32], picture: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The summed squared difference of a picture from the ink, its middle put at each pixel or a neighbour of it."""
    import cv2

    there = cv2.filter2D(cover * cover, cv2.CV_32F, weights, borderType=cv2.BORDER_CONSTANT)
    both = cv2.filter2D(cover, cv2.CV_32F, weights * picture, borderType=cv2.BORDER_CONSTANT)
    alone = float((weights * picture * picture).sum())
    return np.asarray(cv2.erode(there - 2 * both + alone, np.ones((3, 3), np.uint8)), dtype=np.float32)


def _inked(cover: NDArray[np.float32], picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of a symbol's ink is there, its middle put at each pixel or a neighbour of it."""
    import cv2

    scaled = np.asarray(picture / float((picture * picture).sum()), dtype=np.float32)
    shown = cv2.filter2D(cover, cv2.CV_32F, scaled, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(cv2.dilate(shown, np.ones((3, 3), np.uint8)), dtype=np.float32)


def _places(best: NDArray[np.float32], apart: int) -> list[tuple[int, int]]:
    """The pixels at which the share that the best picture leaves unexplained is least among their neighbours, and small enough."""
    import cv2

    near = np.ones((2 * apart + 1, 2 * apart + 1), np.uint8)
    top = (best <= cv2.erode(best, near)) & (best < 1 - _THERE)
    middles = cv2.connectedComponentsWithStats(top.astype(np.uint8), connectivity=8)[3]
    return [(round(float(y)), round(float(x))) for x, y in middles[1:]]


def _kind(left: NDArray[np.float32], differ: Sequence[Sequence[float]]) -> int:
    """The number of the kind whose picture leaves clearly least unexplained; 0 where two do."""
    best = int(left.argmin())
    margins = [(float(left[k] - left[best])) / max(differ[best][k], 1e-6) for k in range(len(left)) if k != best]
    return best + 1 if min(margins, default=0.0) >= _TOLD else 0


def passed(marks: Marks, path: Path) -> NDArray[np.bool_]:
    """Which symbols a curve passes through the middle of."""
    reach = max(_ON * marks.size, _NEAR)
    return np.array([_off(m, path, round(reach)) <= reach for m in marks.places], dtype=bool)


def _off(mark: Mark, path: Path, aside: int) -> float:
    """How many rows a symbol stands off a curve, at its column or one near it."""
    near = slice(max(mark.column - aside - path.first, 0), max(mark.column + aside + 1 - path.first, 0))
    top, foot = path.enter[near], path.leave[near]
    return float(np.maximum(np.maximum(top - mark.row, mark.row - foot), 0).min()) if len(top) else np.inf
