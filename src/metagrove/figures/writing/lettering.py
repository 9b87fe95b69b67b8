"""Where a picture has writing: connected pieces of ink of letter size, gathered into words, upright or turned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.files.colours import largest
from metagrove.figures.files.image import Pixels

__all__ = ["TALLEST", "Box", "TextBox", "text_boxes", "writing"]

Box: TypeAlias = tuple[int, int, int, int]

_GAP = 0.36
# ones stand as far apart as other digits, but their ink is thin
_THIN_GAP = 0.1
_FURTHEST = _GAP + 2 * _THIN_GAP
_LARGE = 12
#: How tall a letter is at most, in pixels.
TALLEST = 46
_SHORTEST = 5
_REACH = 25
_BLURRED, _PLAIN = 0.62, 90.0
_PALEST, _PALE = 20.0, 140.0


@dataclass(frozen=True, slots=True)
class TextBox:
    """A word's box in pixels (left, top, right, bottom), how it reads (0 or 90), and its pieces in order."""

    box: Box
    angle: int
    pieces: tuple[Box, ...]

    @property
    def size(self) -> int:
        """The height of its letters."""
        left, top, right, bottom = self.box
        return right - left if self.angle else bottom - top


def writing(rgb: Pixels) -> NDArray[np.float32]:
    """How strongly each pixel is inked against the paper round it, 0 to 1, with long straight lines taken out."""
    import cv2

    ink = _against_paper(rgb)
    if _steepness(ink) < _BLURRED:
        soft = cv2.GaussianBlur(rgb, (0, 0), 1.0)
        ink = _against_paper(np.asarray(cv2.addWeighted(rgb, 2.0, soft, -1.0, 0), dtype=np.uint8))
    pale = _pale_lines(ink, max(48, round(0.05 * max(rgb.shape[:2]))))
    # pale letters count as much as black ones: ink is judged against the darkest within a letter's reach
    near = cv2.dilate(cv2.medianBlur(ink.astype(np.uint8), 3), np.ones((25, 25), np.uint8)).astype(np.float32)
    ink = np.clip(ink / np.maximum(near, 42.0), 0, 1)
    mask = (ink > 0.3).astype(np.uint8)
    long = max(48, round(0.05 * max(rgb.shape[:2])))
    lines = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
    upright = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
    lines = np.maximum(lines, upright)
    return np.asarray(np.where((lines > 0) | pale, 0, ink), dtype=np.float32)


def _steepness(ink: NDArray[np.float32]) -> float:
    """How much of a stroke's ink comes within one pixel at its edge, as a median; low where a picture was enlarged."""
    import cv2

    near = cv2.dilate(ink, np.ones((9, 9), np.uint8))
    jump = np.maximum(np.abs(np.diff(ink, axis=1))[:-1], np.abs(np.diff(ink, axis=0))[:, :-1])
    steepest, near = cv2.dilate(jump, np.ones((9, 9), np.uint8)), near[:-1, :-1]
    strokes = (ink[:-1, :-1] > 0.6 * near) & (near > _PLAIN)
    return float(np.median(steepest[strokes] / near[strokes])) if strokes.any() else 1.0


def _against_paper(rgb: Pixels) -> NDArray[np.float32]:
    """How far each pixel is from the paper that shows beside it, 0 to 255, on the channel that differs most.

    Paper is what is left when strokes thinner than a letter's reach are closed over (opened, where the paper is the
    darker side), so that writing on bands, panels and filled boxes is judged against these.
    """
    import cv2

    soft = cv2.medianBlur(rgb, 3)
    near = np.ones((_REACH, _REACH), np.uint8)
    dark = cv2.morphologyEx(soft, cv2.MORPH_CLOSE, near, borderType=cv2.BORDER_REPLICATE).astype(np.int16) - rgb
    small = cv2.resize(rgb, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    wide = np.ones((13, 13), np.uint8)
    paper = cv2.medianBlur(small, 21).astype(np.int16)
    brightest, darkest = (f(small, wide).astype(np.int16) for f in (cv2.dilate, cv2.erode))
    inverse = (largest(brightest - paper) > largest(paper - darkest)).astype(np.uint8)
    ink = largest(dark)
    if inverse.any():
        light = rgb.astype(np.int16) - cv2.morphologyEx(soft, cv2.MORPH_OPEN, near, borderType=cv2.BORDER_REPLICATE)
        turned = cv2.resize(inverse, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_NEAREST) > 0
        ink = np.where(turned, largest(light), ink)
    # what most of the page shows is the grain of its paper, not ink
    grain = float(np.median(ink[::3, ::3]))
    return np.asarray(np.maximum(ink - grain, 0), dtype=np.float32)


def _pale_lines(ink: NDArray[np.float32], long: int) -> NDArray[np.bool_]:
    """Straight thin lines paler than writing, such as the frame of a legend: they would tie letters together."""
    import cv2

    pale = (ink > _PALEST) & (ink < _PALE)
    out = np.zeros(pale.shape, dtype=bool)
    for axis in (0, 1):
        beside = np.maximum(np.roll(ink, 5, axis=axis), np.roll(ink, -5, axis=axis))
        thin = (pale & (beside < 0.5 * ink + 4)).astype(np.uint8)
        shape = (1, long) if axis == 0 else (long, 1)
        out |= cv2.morphologyEx(thin, cv2.MORPH_OPEN, np.ones(shape, np.uint8)) > 0
    return out


def text_boxes(ink: NDArray[np.float32]) -> list[TextBox]:
    """The words of a picture, from `writing`: pieces on one baseline less than a third of a letter apart.

    Upright words and words that read upwards are found independently: a piece may be claimed by one of each kind, and
    reading must settle which it is.
    """
    import cv2

    mask = (ink > 0.35).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    boxes: list[Box] = []
    for i in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[i])
        if max(w, h) <= 3 * TALLEST and min(w, h) <= TALLEST and area >= 2:
            boxes.append((x, y, x + w, y + h))
    upright = _words(boxes, turned=False)
    turned = [w for w in _words(boxes, turned=True) if len(w.pieces) > (1 if _lying(w) or _run(w) else 2)]
    return [w for w in upright + turned if w.size >= _SHORTEST]


def _lying(word: TextBox) -> bool:
    """Whether every piece is wider than tall, as digits are that lie on their side."""
    return all(c - a > 1.15 * (d - b) for a, b, c, d in word.pieces)


def _run(word: TextBox) -> bool:
    """Whether two pieces, each as high as the line, make a turned word: digits that the picture runs together."""
    left, top, right, bottom = word.box
    full = all(c - a > 0.8 * (right - left) for a, _, c, _ in word.pieces)
    return full and bottom - top > 1.5 * (right - left)


def _words(boxes: Sequence[Box], *, turned: bool) -> list[TextBox]:
    """Words along one direction; turned text is handled by exchanging the coordinates."""
    places = [_turn(b) if turned else b for b in boxes]
    letters = sorted(
        i for i, b in enumerate(places) if _SHORTEST <= b[3] - b[1] <= TALLEST and b[2] - b[0] <= 2.2 * TALLEST
    )
    crumbs = [i for i, b in enumerate(places) if b[3] - b[1] < TALLEST // 2 and b[2] - b[0] < TALLEST // 2]
    small = {i for i in crumbs if i not in letters}
    paired = _paired([places[i] for i in letters])
    whole = {i for i, pair in zip(letters, paired, strict=True) if pair}
    lines: list[list[int]] = []
    bands: list[Box] = []
    near_by: list[int] = []
    for i in sorted([*letters, *small], key=lambda i: places[i][0]):
        best = -1
        # lines that end too far to the left for this piece do so for all that follow
        near_by = [k for k in near_by if places[i][0] - bands[k][2] < _FURTHEST * (bands[k][3] - bands[k][1])]
        for k in near_by:
            band = bands[k]
            thin = _thin(places[i]) + _thin(places[lines[k][-1]])
            # small letters are blurred into each other, so only large ones may stand further apart
            gap = _GAP + (thin if thin == 2 or band[3] - band[1] >= _LARGE else 0) * _THIN_GAP
            near = places[i][0] - band[2] < gap * (band[3] - band[1])
            # letters beside letters of their size are no dots of a larger piece, which may be a piece of a curve
            fits = (i not in whole and _crumb_fits(band, places[i])) or (i not in small and _level(band, places[i]))
            if near and fits and (best < 0 or band[2] > bands[best][2]):
                best = k
        if best >= 0:
            lines[best].append(i)
            if i not in small and _level(bands[best], places[i]):
                bands[best] = _around([bands[best], places[i]])
            else:
                low, top, high, bottom = bands[best]
                bands[best] = (low, top, max(high, places[i][2]), bottom)
        elif i not in small:
            near_by.append(len(lines))
            lines.append([i])
            bands.append(places[i])
    out = []
    for line in lines:
        pieces = sorted(places[i] for i in line)
        box = _around(pieces)
        back = tuple(_back(p) for p in pieces) if turned else tuple(pieces)
        out.append(TextBox(_back(box) if turned else box, 90 if turned else 0, back))
    return out


def _paired(letters: Sequence[Box]) -> list[bool]:
    """Whether each letter, sorted from the left, has another of its height close beside it on its line."""
    out = [False] * len(letters)
    for i, a in enumerate(letters):
        tall = a[3] - a[1]
        for k in range(i + 1, len(letters)):
            b = letters[k]
            if b[0] - a[2] > tall:
                break
            alike = 0.8 * tall <= b[3] - b[1] <= 1.25 * tall
            if alike and abs(a[1] - b[1]) <= 0.2 * tall and abs(a[3] - b[3]) <= 0.2 * tall and b[0] >= a[2] - 1:
                out[i] = out[k] = True
    return out


def _thin(b: Box) -> bool:
    """Whether a piece is a one or another upright stroke with a flag."""
    return 0.2 * (b[3] - b[1]) < b[2] - b[0] <= 0.5 * (b[3] - b[1])


def _around(boxes: Sequence[Box]) -> Box:
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)


def _level(band: Box, b: Box) -> bool:
    """Whether a letter stands on the line: overlapping it by half, of similar size."""
    overlap = min(band[3], b[3]) - max(band[1], b[1])
    tall, own = band[3] - band[1], b[3] - b[1]
    return overlap >= 0.5 * min(tall, own) and own <= 1.75 * tall and tall <= 2.4 * own


def _crumb_fits(band: Box, c: Box) -> bool:
    """Whether a small piece is a dot, comma, hyphen or accent of the line."""
    tall = band[3] - band[1]
    wide, high = c[2] - c[0], c[3] - c[1]
    small = high <= 0.5 * tall and wide <= (1.05 if high <= 0.3 * tall else 0.8) * tall
    return small and band[1] - 0.35 * tall <= c[1] and c[3] <= band[3] + 0.35 * tall


def _turn(b: Box) -> Box:
    """A box seen with the page turned clockwise by a quarter, so that text that reads upwards runs to the right."""
    return -b[3], b[0], -b[1], b[2]


def _back(b: Box) -> Box:
    return b[1], -b[2], b[3], -b[0]
