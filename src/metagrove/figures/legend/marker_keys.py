"""Legends in pictures whose keys are a short line with a marker in its middle, which readers take for letters: `-o- Placebo`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.image import Pixels
from metagrove.figures.legend.keys import Sample, ink_colour
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import RGB, Word, colour_distance
from metagrove.figures.writing.words import cut_to

__all__ = ["marker_keys"]

# how far ink is from paper, of 441; pixels that a key is long at least and at most, and high at least
_SEEN, _SHORTEST, _LONGEST, _LOW = 60.0, 14, 120, 6
# its height at most, of its length; how thin it is at its ends, of its height; how alike its halves are
_HIGH, _THIN, _EVEN = 0.75, 0.45, 0.75
# pixels that keys of one legend differ by, colours that are two, the way to a name in lengths of the key
_SIZE, _TWO, _NEAR = 2.5, 25.0, 0.8
# of its length: what its ends are, and how far nothing stands beside it
_ENDS, _APART = 0.15, 0.2


@dataclass(frozen=True, slots=True)
class _Key:
    """A key's box in pixels, its colour and how thick its line is."""

    left: int
    top: int
    right: int
    foot: int
    colour: RGB
    width: float

    @property
    def middle(self) -> float:
        """Its height on the page."""
        return (self.top + self.foot) / 2


def marker_keys(rgb: Pixels, names: Sequence[Word]) -> list[Sample]:
    """The entries of a legend with markers on its lines; empty where there are no two such keys, all alike, each with a name.

    Parameters
    ----------
    rgb : the picture.
    names : phrases of the picture, which may hold several names with what was read for their keys.
    """
    found = _keys(rgb)
    best: list[Sample] = []
    for anchor in found:
        group = [
            k
            for k in found
            if abs((k.right - k.left) - (anchor.right - anchor.left)) <= _SIZE
            and abs((k.foot - k.top) - (anchor.foot - anchor.top)) <= _SIZE
            and (abs(k.middle - anchor.middle) <= _SIZE or abs(k.left - anchor.left) <= _SIZE)
        ]
        entries = [_entry(k, group, names) for k in group]
        whole = [e for e in entries if e is not None]
        apart = all(colour_distance(a.colour, b.colour) > _TWO for n, a in enumerate(whole) for b in whole[:n])
        if len(whole) == len(group) > max(len(best), 1) and apart:
            best = whole
    return sorted(best, key=lambda s: (round(s.box[1] / 8), s.box[0]))


def _keys(rgb: Pixels) -> list[_Key]:
    """The pieces of ink that are level lines with a marker in their middle, the same left and right, above and below."""
    import cv2

    pixels = rgb.astype(np.float32)
    paper = np.median(pixels.reshape(-1, 3), axis=0)
    seen = (np.linalg.norm(pixels - paper, axis=2) > _SEEN).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(seen, connectivity=8)
    x, y, w, h = (stats[:, k] for k in range(4))
    fits = (w >= _SHORTEST) & (w <= _LONGEST) & (h >= _LOW) & (h <= _HIGH * w)
    fits[0] = False
    out = []
    for k in np.flatnonzero(fits):
        place = slice(int(y[k]), int(y[k] + h[k])), slice(int(x[k]), int(x[k] + w[k]))
        own = np.asarray(labels)[place] == k
        thick = _line(own)
        if thick and not _goes_on(seen, place):
            colour = ink_colour(rgb[place], np.asarray(paper, dtype=float))
            out.append(_Key(place[1].start, place[0].start, place[1].stop, place[0].stop, colour, thick))
    return out


def _goes_on(seen: NDArray[np.uint8], place: tuple[slice, slice]) -> bool:
    """Whether ink stands level with a key close before its beginning or behind its end: further dashes of it."""
    rows, columns = place
    middle, apart = (rows.start + rows.stop) // 2, round(_APART * (columns.stop - columns.start))
    level = seen[max(middle - 1, 0) : middle + 2]
    before, after = level[:, max(columns.start - apart, 0) : columns.start - 1], level[:, columns.stop + 1 :][:, :apart]
    return bool(before.any() or after.any())


def _line(own: NDArray[np.bool_]) -> float:
    """How thick the line of a key is at its ends; 0 where the piece of ink is no line with a marker in its middle."""
    high, wide = own.shape
    ends = max(2, round(_ENDS * wide))
    columns = own.sum(axis=0)
    thick = float(np.median(np.concatenate([columns[:ends], columns[-ends:]])))
    middle = slice(high // 2 - 1, high // 2 + 2)
    at_ends = bool(own[middle, :ends].any(axis=0).all() and own[middle, -ends:].any(axis=0).all())
    halves = [float((own & flipped).sum() / (own | flipped).sum()) for flipped in (own[::-1], own[:, ::-1])]
    tall = columns[wide // 4 : wide - wide // 4]
    spread = own[:, wide // 4 : wide - wide // 4].any(axis=1).all()
    shape = thick <= _THIN * high and min(halves) > _EVEN and bool(spread) and float(tall.max()) > thick
    return thick if at_ends and shape else 0.0


def _entry(key: _Key, keys: Sequence[_Key], names: Sequence[Word]) -> Sample | None:
    """The entry of a key: the words level with it from its end to the next key; None where there are none."""
    long = key.right - key.left
    after = [k.left for k in keys if k.left > key.right and abs(k.middle - key.middle) <= _SIZE]
    until = min(after, default=np.inf)
    level = [w for w in names if not w.angle and w.y0 < key.middle < w.y1]
    parts = [part for w in level for part in _parts(w) if key.right - 1 < part.cx < until]
    parts = sorted((p for p in parts if any(c.isalnum() for c in p.text)), key=lambda p: p.x0)
    if not parts or parts[0].x0 - key.right > _NEAR * long or sum(c.isalpha() for p in parts for c in p.text) < 2:
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
    return Sample(name, key.colour, "solid", Dash(), place, key.width, max(kept[0].x0, key.right + 1.0), float(long))


def _parts(word: Word) -> list[Word]:
    """The words of a phrase, each where its letters stand."""
    texts = word.text.split()
    return [cut_to(word, t) for t in texts] if len(set(texts)) == len(texts) else [word]
