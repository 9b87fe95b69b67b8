"""Legends in pictures whose keys bear a symbol in their middle, which readers take for letters: `-o- Placebo`, `-■ - Drug`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.colours import middle_colour
from metagrove.figures.files.image import Pixels
from metagrove.figures.legend.hidden_dashes import dashes_shown
from metagrove.figures.legend.keys import Sample, alike, ink_colour
from metagrove.figures.lines.symbols import Symbol, symbol_of
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import RGB, Word
from metagrove.figures.runs import runs_of
from metagrove.figures.writing.words import cut_to

__all__ = ["marker_keys"]

# how far ink is from paper, of 255; every which row and column tells the paper
_SEEN, _EVERY = 45, 4
# letter heights: how high a symbol is at least and most, how long half a key is at most, the gap between two dashes
_LOW, _HIGH, _LONGEST, _GAP = 0.25, 1.4, 5.0, 0.9
# pixels of the same at least, and of the ground inside a ring at most, in squared letter heights
_LEAST, _LEAST_GAP, _HOLE = 4, 8, 1.0
# a symbol is so much higher than its line, in line widths and in pixels; how broad it is, of its height
_HIGHER, _MORE = 1.6, 1.5
_BROAD = (0.5, 2.0)
# share of a symbol's rows that its ink takes in one run: crosses and stars fall apart
_ONE_RUN = 0.75
# its left and right halves have this much in common
_EVEN = 0.7
# of half a key: line that shows beside the symbol at least
_ARM = 0.2
# letters of a word that a symbol between two strokes may be one of
_LETTERS = 3
# of a key: a word that is shorter is not the key read as one
_PART = 0.75
# pixels that keys of one legend differ by, and the way to a name in lengths of the key
_SIZE, _ENDS, _NEAR = 2.5, 1.5, 0.8


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    """A key's box in pixels, the middle of its symbol, its colour, how thick its line is, its dashes and its symbol."""

    left: int
    top: int
    right: int
    foot: int
    centre: float
    row: int
    colour: RGB
    width: float
    style: str
    dash: Dash
    symbol: Symbol

    @property
    def half(self) -> float:
        """How far its line reaches left of the middle: a pattern of dashes begins there, and may end in a gap."""
        return self.centre - self.left


def marker_keys(rgb: Pixels, names: Sequence[Word]) -> list[Sample]:
    """The entries of a legend with symbols on its lines; empty where there are no two such keys, as long as each other, each with a name.

    Parameters
    ----------
    rgb : the picture.
    names : phrases of the picture, which may hold several names with what was read for their keys.
    """
    level = [w.size for w in names if not w.angle]
    found = _keys(rgb, float(np.median(level))) if level else []
    written = [p for w in names if not w.angle for p in _parts(w) if len(p.text) >= _LETTERS]
    found = [k for k in found if not any(_letter_of(k, w) for w in written)]
    best: list[Sample] = []
    for anchor in found:
        group = _group(anchor, found)
        entries = [_entry(k, group, names) for k in group]
        whole = [e for e in entries if e is not None]
        apart = not any(alike(a, b) for a, b in combinations(whole, 2))
        named = all(_naming(e.name) for e in whole) or _in_turn([e.name for e in whole])
        if len(whole) == len(group) > max(len(best), 1) and apart and named:
            best = whole
    return sorted(best, key=lambda s: (round(s.box[1] / 8), s.box[0]))


def _letter_of(key: _Key, word: Word) -> bool:
    """Whether what looks like a key stands inside a word that goes on beyond it, or holds one; a key may itself be read as a word."""
    if not word.y0 < key.row < word.y1:
        return False
    beyond = word.x0 < key.left - _SIZE or word.x1 > key.right + _SIZE
    part = key.left - _SIZE < word.x0 < word.x1 < key.left + _PART * (key.right - key.left)
    return (word.x0 < key.centre < word.x1 and beyond) or (part and all(c.isalnum() for c in word.text))


def _group(anchor: _Key, keys: Sequence[_Key]) -> list[_Key]:
    """The keys as long as one that stand in its column or row, or in a block of both."""
    # lines without dashes end in a cap that dashes have not
    even = [k for k in keys if abs(k.half - anchor.half) <= _ENDS + max(k.width, anchor.width) / 2]
    group = [anchor]
    while True:
        more = [k for k in even if k not in group and any(_in_line(k, o) for o in group)]
        if not more:
            return group
        group += more


def _in_line(a: _Key, b: _Key) -> bool:
    return abs(a.row - b.row) <= _SIZE or abs(a.centre - b.centre) <= _SIZE


def _keys(rgb: Pixels, size: float) -> list[_Key]:
    """The pieces of ink that are symbols on level lines, whole or in dashes; `size` is the height of letters."""
    import cv2

    paper = middle_colour(rgb[::_EVERY, ::_EVERY])
    off = cv2.absdiff(rgb, np.broadcast_to(paper.astype(np.uint8), rgb.shape).copy())
    far = np.maximum(np.maximum(off[..., 0], off[..., 1]), off[..., 2])
    seen = far > _SEEN
    filled = _filled(seen, _HOLE * size * size)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(filled.astype(np.uint8), connectivity=8)
    x, y, w, h = (stats[:, k] for k in range(4))
    fits = (w <= 2 * _LONGEST * size) & (h >= max(_LEAST, _LOW * size)) & (h <= _HIGH * size)
    fits[0] = False
    out = []
    for k in np.flatnonzero(fits):
        place = slice(int(y[k]), int(y[k] + h[k])), slice(int(x[k]), int(x[k] + w[k]))
        own = np.asarray(labels)[place] == k
        key = _key(own, place, filled, size)
        if key is not None:
            out.append(_drawn(key, rgb, far, np.asarray(paper, dtype=float)))
    return [k for k in out if k is not None]


def _filled(seen: NDArray[np.bool_], most: float) -> NDArray[np.bool_]:
    """The ink with the ground inside small rings."""
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats((~seen).astype(np.uint8), connectivity=4)
    small = stats[:, 4] <= most
    small[0] = False
    return np.asarray(seen | small[labels])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a symbol and its line stand: rows and columns of the symbol, the line's ends, row and thickness."""

    rows: tuple[int, int]
    columns: tuple[int, int]
    ends: tuple[int, int]
    row: int
    thick: float


def _key(
    own: NDArray[np.bool_],
    place: tuple[slice, slice],
    filled: NDArray[np.bool_],
    size: float,
) -> _Place | None:
    """The place of a key whose symbol a piece of ink bears, None where it is none; `own` is the piece within its box."""
    high, wide = own.shape
    tall = own.sum(axis=0)
    thin = float(np.quantile(tall, 0.2))
    bears = tall > max(_HIGHER * thin, thin + _MORE) if _HIGHER * thin < high else np.ones(wide, bool)
    # soft edges thicken a line here and there
    humps = [(a, b) for a, b in runs_of(bears) if tall[a:b].max() > (thin + high) / 2]
    if len(humps) != 1:
        return None
    a, b = _feet(tall, humps[0], thin)
    rows = np.flatnonzero(own[:, a:b].any(axis=1))
    top, foot = int(rows[0]), int(rows[-1]) + 1
    if not _BROAD[0] <= (b - a) / (foot - top) <= _BROAD[1] or foot - top < max(_LEAST, _LOW * size):
        return None
    shape = own[top:foot, humps[0][0] : humps[0][1]]
    if (shape & shape[:, ::-1]).sum() < _EVEN * (shape | shape[:, ::-1]).sum() or not _convex(shape):
        return None
    r0, c0 = place[0].start, place[1].start
    first, last = c0 + a, c0 + b
    middle, slack = r0 + (top + foot) / 2, 0.25 * (foot - top)
    best: tuple[int, _Place] | None = None
    for row in range(round(middle - slack), round(middle + slack) + 1):
        arms = _arms(filled, row, (first, last), size, (foot - top) / _HIGHER)
        if arms is not None and (best is None or arms[0] > best[0]):
            best = arms[0], _Place((r0 + top, r0 + foot), (first, last), *arms[1:])
    return best[1] if best is not None and _whole(best[1], size) else None


def _feet(tall: NDArray[np.int_], hump: tuple[int, int], thin: float) -> tuple[int, int]:
    """The columns of a symbol with those beside its hump that are still higher than the line, and its soft edges."""
    a, b = hump
    most = b - a
    while a > 0 and hump[0] - a < most and tall[a - 1] > thin + 1:
        a -= 1
    while b < len(tall) and b - hump[1] < most and tall[b] > thin + 1:
        b += 1
    return (max(a - 1, 0), min(b + 1, len(tall))) if thin < tall.max() / _HIGHER else (a, b)


def _convex(shape: NDArray[np.bool_]) -> bool:
    """Whether nearly every row of a shape is one run of ink."""
    turns = np.abs(np.diff(np.pad(shape, ((0, 0), (1, 1))).astype(np.int8), axis=1)).sum(axis=1)
    return float((turns <= 2).mean()) >= _ONE_RUN


def _whole(place: _Place, size: float) -> bool:
    """Whether the line of a key reaches about as far right of its symbol as left; dashes may end in a gap."""
    a, b = place.columns
    before, behind = a - place.ends[0], place.ends[1] - b
    half = (b - a) / 2 + before
    gap = max(_GAP * size, _LEAST_GAP)
    return (
        half <= _LONGEST * size
        and before >= _ARM * half
        and -_SIZE - place.thick / 2 <= before - behind <= gap
        and behind > 0
    )


def _arms(
    filled: NDArray[np.bool_], row: int, columns: tuple[int, int], size: float, highest: float
) -> tuple[int, tuple[int, int], int, float] | None:
    """How many columns a line along a row inks left and right of a symbol, its ends, its middle row and its thickness."""
    reach, gap = round(_LONGEST * size) + 2, max(_GAP * size, _LEAST_GAP)
    ends: list[int] = []
    heights: list[int] = []
    middles: list[float] = []
    for way, begin in ((-1, columns[0] - 1), (1, columns[1])):
        end, blank, fresh = begin - way, 0, 0
        # the name behind a key begins where its line has ended
        reach = round(columns[0] - ends[0] + _SIZE) if ends else reach
        for c in range(begin, begin + way * reach, way):
            if not 0 <= c < filled.shape[1]:
                break
            high, middle = _extent(filled[:, c], row)
            if high == 0:
                blank, fresh = blank + 1, 0
                if blank > gap:
                    break
                continue
            if high > highest:
                break
            fresh += 1
            # one column is the side of a frame
            end, blank = c if fresh > 1 or abs(end - c) == 1 else end, 0
            heights.append(high)
            middles.append(middle)
        ends.append(end)
    if not heights:
        return None
    return len(heights), (ends[0], ends[1] + 1), round(float(np.median(middles))), float(np.median(heights))


def _extent(column: NDArray[np.bool_], row: int) -> tuple[int, float]:
    """How high the run of ink is that takes a row of a column, or one of its neighbours, and its middle."""
    for r in (row, row - 1, row + 1):
        if 0 <= r < len(column) and column[r]:
            top = foot = r
            while top > 0 and column[top - 1] and r - top < 40:
                top -= 1
            while foot < len(column) - 1 and column[foot + 1] and foot - r < 40:
                foot += 1
            return foot - top + 1, (top + foot) / 2
    return 0, float(row)


def _drawn(place: _Place, rgb: Pixels, far: NDArray[np.uint8], paper: Array) -> _Key | None:
    """The key at a place with its colour, its dashes and its symbol; None where its line shows no pattern."""
    (top, foot), (a, b), (left, right) = place.rows, place.columns, place.ends
    colour = ink_colour(rgb[top:foot, a:b], paper)
    full = max(float(np.max(np.abs(np.array(colour) - paper))), 1.0)
    cover = np.clip(far / full, 0, 1).astype(np.float32)
    centre = (a + b) / 2
    long = int(2 * (centre - left))
    line = cover[max(place.row - 1, 0) : place.row + 2, left : left + long].max(axis=0)
    hidden = np.zeros(len(line), bool)
    hidden[max(a - left, 0) : b - left] = True
    level = float(np.quantile(line[~hidden], 0.8)) if not hidden.all() else 0.0
    found = dashes_shown(np.clip(line / max(level, 0.2), 0, 1), hidden, place.thick)
    if found is None:
        return None
    style, dash = found
    symbol = symbol_of(cover, place.row, (a, b), (top, foot), place.thick)
    end = right if style == "solid" else left + long
    return _Key(left, top, end, foot, centre, place.row, colour, place.thick, style, dash, symbol)


def _entry(key: _Key, keys: Sequence[_Key], names: Sequence[Word]) -> Sample | None:
    """The entry of a key: the words level with it from its end to the next key; None where there are none."""
    long = key.right - key.left
    after = [k.left for k in keys if k.left > key.right and abs(k.row - key.row) <= _SIZE]
    until = min(after, default=np.inf)
    level = [w for w in names if not w.angle and w.y0 < key.row + 0.5 < w.y1]
    parts = [part for w in level for part in _parts(w) if key.right - 1 < part.cx < until]
    parts = sorted((p for p in parts if any(c.isalnum() for c in p.text)), key=lambda p: p.x0)
    if not parts or parts[0].x0 - key.right > _NEAR * long:
        return None
    kept = parts[:1]
    for part in parts[1:]:
        if part.x0 - kept[-1].x1 > 1.5 * part.size:
            break
        kept.append(part)
    box: Array = np.array([[p.x0, p.y0, p.x1, p.y1] for p in kept])
    top, foot = min(float(box[:, 1].min()), key.top), max(float(box[:, 3].max()), key.foot)
    place = (key.left - 1.0, float(top), float(box[:, 2].max()), float(foot))
    name = " ".join(p.text for p in kept).rstrip(" -–—.:")
    start = max(kept[0].x0, key.right + 1.0)
    return Sample(name, key.colour, key.style, key.dash, place, key.width, start, float(long), symbol=key.symbol)


def _naming(text: str) -> bool:
    """Whether a text can be a name: two letters, or a letter and a number."""
    letters = sum(c.isalpha() for c in text)
    return letters > 1 or (letters == 1 and any(c.isdigit() for c in text))


def _in_turn(names: Sequence[str]) -> bool:
    """Whether names are numbers or letters that follow each other: groups 0, 1 and 2, arms A and B."""
    if not all(len(n) == 1 and n.isalnum() and (n.isdigit() or n.isupper()) for n in names):
        return False
    codes = sorted(ord(n) for n in names)
    return codes == list(range(codes[0], codes[0] + len(codes)))


def _parts(word: Word) -> list[Word]:
    """The words of a phrase, each where its letters stand."""
    texts = word.text.split()
    return [cut_to(word, t) for t in texts] if len(set(texts)) == len(texts) else [word]
