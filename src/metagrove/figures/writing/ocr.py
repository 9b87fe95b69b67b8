"""Writing in a picture as words, read by a small recognition network that runs offline (PP-OCRv4, ONNX).

The network comes with the optional package `rapidocr-onnxruntime`; nothing is fetched. Every number is read twice by the
network, from two differently scaled crops, and once by comparing its glyphs with the figure's other digits; where the
glyphs contradict the network, or only the network has spoken and disagrees with itself, `Word.second` differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.files.image import Pixels
from metagrove.figures.page import RGB, Word
from metagrove.figures.writing.glyphs import agreed, glyph_readings
from metagrove.figures.writing.lettering import Box, TextBox, enlarged, text_boxes, writing
from metagrove.figures.writing.words import pointed

__all__ = ["Finder", "can_read", "number_finder", "picture_words"]

#: The number printed round a place (across, down) in letters of a height, None where there is none.
Finder: TypeAlias = Callable[[float, float, float], Word | None]

_HEIGHT = 48
_BATCH = 24
_COARSE = 9.5
_TEACHES = 0.9
_DECIMAL = re.compile(r"\d?[.,]\d{1,3}|\d{1,3}%?")
_MODEL = "models/ch_PP-OCRv4_rec_infer.onnx"


def can_read() -> bool:
    """Whether the recognition network is installed."""
    return _model_path() is not None


def _model_path() -> Path | None:
    found = find_spec("rapidocr_onnxruntime")
    if found is None or found.origin is None or find_spec("onnxruntime") is None:
        return None
    path = Path(found.origin).parent / _MODEL
    return path if path.exists() else None


@dataclass(frozen=True, slots=True)
class _Reader:
    session: Any
    letters: tuple[str, ...]
    allowed: NDArray[np.bool_]
    numeric: NDArray[np.bool_]


@cache
def _reader(threads: int) -> _Reader | None:
    path = _model_path()
    if path is None:
        return None
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    letters = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    known = ("", *letters, " ")
    # figures are labelled in Latin letters; without the mask a zero is now and then an ideographic full stop
    allowed = np.array([len(c) == 0 or ord(c[0]) < 0x250 or c in "–—−·≤≥" for c in known])
    numeric = np.array([len(c) == 0 or c in "0123456789.,·%()-−–" for c in known])
    return _Reader(session, known, allowed, numeric)


def picture_words(rgb: Pixels, *, threads: int = 2) -> list[Word]:
    """Every word in the picture with its box, its colour and two readings; empty where no reader is installed."""
    reader = _reader(threads)
    if reader is None:
        return []
    ink = writing(rgb)
    boxes = text_boxes(ink)
    if _letter_height(boxes) < _COARSE:
        boxes = _finer(text_boxes(_doubled(ink)))
    boxes = [b for b in boxes if b.size <= 60][:900]
    first = _read(reader, [_crop(ink, b, pad=0.22, stretch=1.0) for b in boxes])
    counts = [i for i, (text, figures, _) in enumerate(first) if any(c.isdigit() for c in text + figures)]
    again_of = dict(
        zip(counts, _read(reader, [_crop(ink, boxes[i], pad=0.08, stretch=1.2) for i in counts]), strict=True)
    )
    texts: list[tuple[str, str]] = []
    for index, (text, figures, score) in enumerate(first):
        again, again_figures, again_score = again_of.get(index, (text, figures, 0.0))
        numeric = _looks_numeric(text) or (_looks_numeric(again) and again_score > score)
        texts.append((figures, again_figures) if numeric and figures else (text, again))
    texts = _zeros(boxes, texts)
    by_glyph = glyph_readings(ink, boxes, [t for t, _ in texts], [score > _TEACHES for _, _, score in first])
    vague = _VAGUE if enlarged(rgb) else 0.0
    found: list[tuple[TextBox, Word]] = []
    for box, pair, glyphs, (_, _, score) in zip(boxes, texts, by_glyph, first, strict=True):
        text, again = (re.sub(r"^(\d{1,3}) (\d{3})$", r"\1,\2", t) for t in agreed(*pair, glyphs))
        if not (text and score > 0.3) and _bars(box):
            text, again, score = "|" * len(box.pieces), "", _BARS
        if text and score > 0.3:
            left, top, right, bottom = (float(v) for v in box.box)
            again = "" if box.size < vague and text.isdigit() else again
            word = Word(text, left, top, right, bottom, box.angle, score, _colour(rgb, ink, box), again)
            found.append((box, word))
    return pointed(_settled(found))


# pixels: digits of an enlarged picture below that were drawn so small that all readers may see the same wrong one
_VAGUE = 12.0
# how surely upright strokes that no reader knows are strokes
_BARS = 0.35
# the width of one digit, in its height, at most
_TOGETHER = 0.95


def number_finder(rgb: Pixels, *, threads: int = 2, scale: float = 1.0) -> Finder:
    """A reader of numbers at places where they are expected: their pieces are chosen by the place, not by their gaps.

    The word it finds holds two readings by digits alone, at two scales. Places are in units of `scale` pixels.
    """
    reader = _reader(threads)

    @cache
    def pieces() -> tuple[NDArray[np.float32], list[Box]]:
        ink = writing(rgb)
        return ink, [p for b in text_boxes(ink) if b.angle == 0 for p in b.pieces]

    @cache
    def vague() -> float:
        return _VAGUE if enlarged(rgb) else 0.0

    def find(across: float, down: float, size: float) -> Word | None:
        if reader is None:
            return None
        ink, known = pieces()
        run = _centred(known, across * scale, down * scale, size * scale)
        if not run:
            return None
        box = TextBox(
            (min(p[0] for p in run), min(p[1] for p in run), max(p[2] for p in run), max(p[3] for p in run)),
            0,
            tuple(run),
        )
        crops = [_crop(ink, box, pad=0.22, stretch=1.0), _crop(ink, box, pad=0.1, stretch=1.2)]
        (_, text, score), (_, again, _) = _read(reader, crops)
        if not text.isdigit():
            return None
        again = again if _one_each(run, text) and box.size >= vague() else ""
        left, top, right, bottom = (v / scale for v in box.box)
        return Word(text, left, top, right, bottom, 0, score, _colour(rgb, ink, box), again)

    return find


def _bars(box: TextBox) -> bool:
    """Whether a word is one to three upright strokes of one height: a Roman numeral, if a name stands before it."""
    high = [p[3] - p[1] for p in box.pieces]
    thin = all(p[2] - p[0] < 0.35 * h for p, h in zip(box.pieces, high, strict=True))
    return box.angle == 0 and len(box.pieces) <= 3 and thin and max(high) - min(high) <= 1 and min(high) >= 6


def _one_each(pieces: Sequence[Box], text: str) -> bool:
    """Whether there are as many digits as pieces; pieces that may be two digits drawn together leave that open."""
    wide = [p[2] - p[0] for p in pieces]
    return len(pieces) == len(text) or max(wide) > _TOGETHER * max(p[3] - p[1] for p in pieces)


def _centred(known: Sequence[Box], across: float, down: float, size: float) -> list[Box]:
    """The run of neighbouring pieces on a line whose middle is nearest to a place; empty where none is near."""
    row = sorted(
        p
        for p in set(known)
        if abs((p[1] + p[3]) / 2 - down) < 0.5 * size
        and 0.55 * size < p[3] - p[1] < 1.5 * size
        and abs((p[0] + p[2]) / 2 - across) < 4 * size
    )
    best: tuple[float, list[Box]] = (0.4 * size, [])
    for i in range(len(row)):
        for j in range(i, min(i + 6, len(row))):
            if j > i and row[j][0] - row[j - 1][2] > 0.45 * size:
                break
            # the middle digit of three stands in the middle too
            off = abs((row[i][0] + row[j][2]) / 2 - across) - 0.2 * size * (j - i + 1)
            if off < best[0]:
                best = off, row[i : j + 1]
    return best[1]


def _settled(found: list[tuple[TextBox, Word]]) -> list[Word]:
    """Each piece of ink in one word.

    Text that reads upwards yields to the upright words it shares pieces with, unless it was read with more confidence.
    """
    owner: dict[tuple[int, int, int, int], int] = {}
    for index, (box, word) in enumerate(found):
        if word.angle == 0:
            owner.update(dict.fromkeys(box.pieces, index))
    dropped: set[int] = set()
    for index, (box, word) in enumerate(found):
        if word.angle == 0:
            continue
        rivals = {owner[p] for p in box.pieces if p in owner}
        letters = sum(len(found[i][1].text) for i in rivals)
        trust = sum(found[i][1].score * len(found[i][1].text) for i in rivals) / max(letters, 1)
        # letters never stand alone above each other, so a pile of single ones is turned text
        piled = 1 < len(rivals) == letters
        margin = 0.15 if piled else 0.02 * (letters > 4 * len(rivals))
        if (len(word.text) >= 3 or (piled and len(word.text) == 2)) and word.score > trust - margin:
            dropped |= rivals
        else:
            dropped.add(index)
    for index in [i for i in dropped if _in_turned_column(found, i, dropped)]:
        dropped.discard(index)
        dropped |= {owner[p] for p in found[index][0].pieces if p in owner}
    return [word for index, (_, word) in enumerate(found) if index not in dropped]


def _in_turned_column(found: Sequence[tuple[TextBox, Word]], index: int, dropped: set[int]) -> bool:
    """Whether a turned number stands in line with two turned numbers that were taken, its letters as high as theirs."""
    word = found[index][1]
    if not word.angle or not _DECIMAL.fullmatch(word.text):
        return False
    fellows = [
        w
        for i, (_, w) in enumerate(found)
        if i not in dropped
        and w.angle == word.angle
        and _DECIMAL.fullmatch(w.text)
        and abs(w.cx - word.cx) < 0.25 * w.size
        and abs(w.size - word.size) < 0.25 * w.size
    ]
    return len(fellows) > 1


def _letter_height(boxes: Sequence[TextBox]) -> float:
    """The usual height of the letters; large where there are too few to say."""
    tall = [b.size for b in boxes if len(b.pieces) > 1 and b.angle == 0]
    return float(np.median(tall)) if len(tall) > 4 else 99.0


def _doubled(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.resize(ink, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))


def _finer(boxes: list[TextBox]) -> list[TextBox]:
    """Boxes found on the doubled picture, back in its own pixels."""

    def half(b: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        return b[0] // 2, b[1] // 2, -(-b[2] // 2), -(-b[3] // 2)

    return [TextBox(half(b.box), b.angle, tuple(half(p) for p in b.pieces)) for b in boxes]


def _zeros(boxes: Sequence[TextBox], texts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The readings, a lone `o` as tall as the figure's digits taken for a zero."""
    digits = [b.size for b, (text, _) in zip(boxes, texts, strict=True) if text.isdigit() and b.angle == 0]
    if len(digits) < 4:
        return texts
    least = 0.86 * float(np.median(digits))

    def plain(text: str) -> str:
        return "0" if text in ("o", "O") else text

    return [
        (plain(text), plain(again)) if b.angle == 0 and len(b.pieces) == 1 and b.size >= least else (text, again)
        for b, (text, again) in zip(boxes, texts, strict=True)
    ]


def _looks_numeric(text: str) -> bool:
    """Whether a reading is digits and signs, or letters that digits are commonly mistaken for."""
    plain = text.replace(" ", "")
    return bool(plain) and all(c in "0123456789.,·%()[]-−–oOIl|!i`']" for c in plain)


def _crop(ink: NDArray[np.float32], box: TextBox, *, pad: float, stretch: float) -> Pixels:
    """The word as dark letters on white, upright, 48 pixels high, with a margin of `pad` letter heights."""
    import cv2

    left, top, right, bottom = box.box
    margin = max(2, round(pad * box.size))
    r0, r1 = max(top - margin, 0), min(bottom + margin, ink.shape[0])
    c0, c1 = max(left - margin, 0), min(right + margin, ink.shape[1])
    piece = ink[r0:r1, c0:c1]
    own = np.zeros(piece.shape, dtype=bool)
    for a, b, c, d in box.pieces:
        own[max(b - 1 - r0, 0) : d + 1 - r0, max(a - 1 - c0, 0) : c + 1 - c0] = True
    piece = np.where(own, piece, 0)
    piece = piece / max(float(piece.max()), 0.2)
    if box.angle:
        piece = np.rot90(piece, -1)
    wide = max(8, round(stretch * piece.shape[1] * _HEIGHT / piece.shape[0]))
    scaled = cv2.resize(np.ascontiguousarray(piece), (wide, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * (1 - scaled), 0, 255).astype(np.uint8)


def _read(reader: _Reader, crops: Sequence[Pixels]) -> list[tuple[str, str, float]]:
    """Each crop as text, as text of digits and signs only, and the mean confidence; batches of similar width."""
    out: list[tuple[str, str, float]] = [("", "", 0.0)] * len(crops)
    order = sorted(range(len(crops)), key=lambda i: crops[i].shape[1])
    at = 0
    while at < len(order):
        batch = [order[at]]
        limit = 1.35 * crops[order[at]].shape[1] + 24
        while at + len(batch) < len(order) and len(batch) < _BATCH and crops[order[at + len(batch)]].shape[1] <= limit:
            batch.append(order[at + len(batch)])
        at += len(batch)
        wide = max(64, *(crops[i].shape[1] for i in batch))
        block = np.zeros((len(batch), 3, _HEIGHT, wide), dtype=np.float32)
        for k, i in enumerate(batch):
            block[k, :, :, : crops[i].shape[1]] = crops[i].astype(np.float32) / 127.5 - 1
        scores = reader.session.run(None, {reader.session.get_inputs()[0].name: block})[0]
        for k, i in enumerate(batch):
            own = scores[k][: crops[i].shape[1] // 8 + 2]
            text, level = _decoded(reader, own, reader.allowed)
            out[i] = text, _decoded(reader, own, reader.numeric)[0], level
    return out


def _decoded(reader: _Reader, scores: NDArray[np.float32], allowed: NDArray[np.bool_]) -> tuple[str, float]:
    """The best path of the network's output, repeats and blanks removed."""
    masked = np.where(allowed[: scores.shape[1]], scores, 0)
    best, level = masked.argmax(axis=1), masked.max(axis=1)
    keep = (best != 0) & np.concatenate([[True], best[1:] != best[:-1]])
    text = "".join(reader.letters[i] for i in best[keep])
    return text.strip(), float(level[keep].mean()) if keep.any() else 0.0


def _colour(rgb: Pixels, ink: NDArray[np.float32], box: TextBox) -> RGB:
    """The colour of a word: the median of its most inked pixels."""
    left, top, right, bottom = box.box
    strength = ink[top:bottom, left:right]
    core = strength >= max(0.3, 0.85 * float(strength.max()))
    r, g, b = np.median(rgb[top:bottom, left:right][core], axis=0)
    return int(r), int(g), int(b)
