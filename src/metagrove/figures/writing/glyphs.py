"""A second reader of printed numbers that shares nothing with the first: each glyph against the figure's own digits.

The glyphs of all numbers of a figure are compared with each other. A digit is read as what most like it was read as
elsewhere, its own reading left out; so a single slip of the first reader is outvoted by the same digit in other places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.writing.lettering import TextBox

__all__ = ["UNKNOWN", "agreed", "glyph_readings"]

#: Stands for a glyph that is like no other or like two different ones.
UNKNOWN = "?"
_TALL, _WIDE = 28, 20
_SOFT = 1.2
_KNOWN = "0123456789()"
_ALIKE = {"o": "0", "O": "0", "l": "1", "I": "1", "|": "1"}
# chosen on 40 figures: 89 % of digits are named, one in a thousand wrongly
_CLEAR = 0.75
_AGAINST = 0.6
_FARTHEST = 0.36


@dataclass(frozen=True, slots=True, eq=False)
class _Glyph:
    box: int
    place: int
    label: str
    look: NDArray[np.float32]


def glyph_readings(
    ink: NDArray[np.float32], boxes: Sequence[TextBox], texts: Sequence[str], trusted: Sequence[bool]
) -> list[str | None]:
    """Each text as its glyphs read it, None where glyphs and letters do not match one to one.

    Parameters
    ----------
    ink : the picture's ink, 0 to 1, shape (rows, columns).
    boxes, texts : words and what was read in them first.
    trusted : whether a word's reading may teach others.
    """
    glyphs: list[_Glyph] = []
    parts: list[str | None] = []
    for index, (box, text) in enumerate(zip(boxes, texts, strict=True)):
        letters = "".join(text.split())
        pieces = _columns(box)
        if box.angle or len(pieces) != len(letters) or not 0 < len(letters) <= 14:
            parts.append(None)
            continue
        parts.append(letters)
        numeric = all(c in _KNOWN or c in _ALIKE or c in ".,·%" for c in letters)
        glyphs += [
            _Glyph(index, place, letter if trusted[index] and letter in _KNOWN else "", _look(ink, box, piece))
            for place, (letter, piece) in enumerate(zip(letters, pieces, strict=True))
            if letter in _KNOWN or (numeric and letter in _ALIKE)
        ]
    verdict = _verdicts(glyphs)
    out: list[str | None] = []
    for index, letters_read in enumerate(parts):
        if letters_read is None:
            out.append(None)
            continue
        own = [verdict.get((index, place), letter) for place, letter in enumerate(letters_read)]
        out.append("".join(own))
    return out


def agreed(text: str, again: str, glyphs: str | None) -> tuple[str, str]:
    """The best reading of a word and a second one, equal where two independent readers agree.

    `text` and `again` come from one reader at two scales, `glyphs` from the other, `UNKNOWN` where it cannot say.
    """
    plain, plain_again = "".join(text.split()), "".join(again.split())
    if glyphs is None or all(c == UNKNOWN for c in glyphs) or len(glyphs) != len(plain):
        return text, again
    own = "".join(_ALIKE.get(c, c) if g.isdigit() else c for c, g in zip(plain, glyphs, strict=True))
    if _fits(own, glyphs):
        text = text if own == plain else own
        return (text, text) if UNKNOWN not in glyphs else (text, again if own == plain else text)
    if len(plain_again) == len(glyphs) and _fits(plain_again, glyphs):
        return again, again
    return text, glyphs


def _fits(text: str, glyphs: str) -> bool:
    return all(g in (UNKNOWN, c) for c, g in zip(text, glyphs, strict=True))


def _columns(box: TextBox) -> list[tuple[int, int, int, int]]:
    """The pieces of a word left to right, pieces above each other joined."""
    out: list[tuple[int, int, int, int]] = []
    for piece in sorted(box.pieces):
        if out and piece[0] < out[-1][2] - 0.5 * min(piece[2] - piece[0], out[-1][2] - out[-1][0]):
            a, b, c, d = out[-1]
            out[-1] = min(a, piece[0]), min(b, piece[1]), max(c, piece[2]), max(d, piece[3])
        else:
            out.append(piece)
    return out


def _look(ink: NDArray[np.float32], box: TextBox, piece: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """A glyph softened to 28 by 20 pixels, with its width and its height on the line as extra numbers."""
    import cv2

    left, top, right, bottom = piece
    cut = ink[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1]
    cut = cut / max(float(cut.max()), 0.2)
    grown = cv2.resize(np.ascontiguousarray(cut), (_WIDE, _TALL), interpolation=cv2.INTER_LINEAR)
    small = np.asarray(cv2.GaussianBlur(grown, (0, 0), _SOFT), dtype=np.float32)
    small = small / max(float(np.sqrt((small**2).sum())), 1e-6)
    tall = max(box.size, 1)
    shape = np.array([(right - left) / max(bottom - top, 1), (bottom - top) / tall], dtype=np.float32)
    return np.concatenate([small.ravel(), 0.5 * shape]).astype(np.float32)


def _verdicts(glyphs: Sequence[_Glyph]) -> dict[tuple[int, int], str]:
    """What each glyph is by the labels of those nearest to it in other words."""
    if not glyphs:
        return {}
    looks = np.stack([g.look for g in glyphs])
    labels = np.array([g.label for g in glyphs])
    boxes = np.array([g.box for g in glyphs])
    power = (looks**2).sum(axis=1)
    far = np.sqrt(np.maximum(power[:, None] + power[None, :] - 2 * looks @ looks.T, 0))
    known = sorted(set(labels.tolist()) - {""})
    out: dict[tuple[int, int], str] = {}
    for i, glyph in enumerate(glyphs):
        out[glyph.box, glyph.place] = _nearest(far[i], labels, boxes != glyph.box, known, glyph.label)
    return out


def _nearest(far: Array, labels: NDArray[np.str_], others: NDArray[np.bool_], known: Sequence[str], read: str) -> str:
    """The label whose examples are clearly the nearest; the second nearest example counts where there are several.

    To contradict what was `read`, that reading must have two examples of its own that are much further off.
    """
    scores: list[tuple[float, str]] = []
    own_score, own_count = np.inf, 0
    for label in known:
        own = np.sort(far[others & (labels == label)])
        if len(own):
            scores.append((float(own[min(1, len(own) - 1) if len(own) > 2 else 0]), label))
            if label == read:
                own_score, own_count = scores[-1][0], len(own)
    scores.sort()
    if not scores or scores[0][0] > _FARTHEST:
        return UNKNOWN
    if read and scores[0][1] != read and (own_count < 2 or scores[0][0] > _AGAINST * own_score):
        return UNKNOWN
    clear = len(scores) == 1 or scores[0][0] < _CLEAR * scores[1][0]
    return scores[0][1] if clear else UNKNOWN
