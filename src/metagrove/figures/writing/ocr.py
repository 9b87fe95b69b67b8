"""Writing in a picture as words, read by a small recognition network that runs offline (PP-OCRv4, ONNX).

The network comes with the optional package `rapidocr-onnxruntime`; nothing is fetched. Every number is read again by a
network of our own that knows digits only (`digits`); where the two do not agree, `Word.second` differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.files.image import Pixels
from metagrove.figures.page import RGB, Word
from metagrove.figures.writing.cells import centred_runs, crowded, cut_from_name, inked_run
from metagrove.figures.writing.digits import (
    SURE,
    Reading,
    as_count,
    averaged,
    bare_count,
    read_digits,
    weighed,
)
from metagrove.figures.writing.lettering import TALLEST, Box, TextBox, text_boxes, writing
from metagrove.figures.writing.signs import with_equals
from metagrove.figures.writing.strips import moved, strip
from metagrove.figures.writing.words import pointed

__all__ = ["Finder", "Sight", "Written", "can_read", "number_finder", "picture_words"]


@dataclass(frozen=True, slots=True)
class Sight:
    """A number seen at a place: the values it may have with their probabilities, likeliest first, and its box."""

    values: tuple[tuple[int, float], ...]
    box: tuple[float, float, float, float]


#: The number printed round a place (across, down) in letters of a height, None where there is none.
Finder: TypeAlias = Callable[[float, float, float], Sight | None]

_HEIGHT = 48
_BATCH, _AT_ONCE = 24, 8
_MARGIN = 0.22
_COARSE = 9.5
# the probability from which on the reader of digits goes before the other
_CERTAIN = 0.8
# how probable it must be that ink is a count before it is taken for one with a name before it, and how many parts are tried
_A_COUNT, _PARTS = 0.6, 4
# how far a count is believed that stands among other ink
_CROWDED = 0.6
# how the edges of a box (left, top, right, bottom) are moved, in pixels
_MOVES = ((0, 0, 0, 0), (-0.5, -0.5, 0.5, 0.5), (0, -0.5, 0, 0), (0, 0, 0, 0.5), (0, 0.4, 0, -0.4), (-0.5, 0, 0.5, 0))
_ALIKE = str.maketrans("−–·oOlI|!", "--.001111")
_FIGURES = re.compile(r"(?!.*[.,]$)[\d.,%()\[\]-]*\d[\d.,%()\[\]-]*")
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
    threads: int
    letters: tuple[str, ...]
    allowed: NDArray[np.intp]
    numeric: NDArray[np.intp]


@cache
def _reader(threads: int) -> _Reader | None:
    path = _model_path()
    if path is None:
        return None
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    letters = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    known = ("", *letters, " ")
    # figures are labelled in Latin letters; without the mask a zero is now and then an ideographic full stop
    allowed = np.flatnonzero([len(c) == 0 or ord(c[0]) < 0x250 or c in "–—−·≤≥" for c in known])
    numeric = np.flatnonzero([len(c) == 0 or c in "0123456789.,·%()-−–" for c in known])
    return _Reader(session, threads, known, allowed, numeric)


class Written:
    """A picture with its ink and the boxes of its words, found when they are first asked for.

    Parameters
    ----------
    rgb : the picture, shape (rows, columns, 3).
    """

    def __init__(self, rgb: Pixels) -> None:
        self.rgb = rgb

    @cached_property
    def ink(self) -> NDArray[np.float32]:
        """How strongly each pixel is inked, as `writing` says."""
        return writing(self.rgb)

    @cached_property
    def boxes(self) -> list[TextBox]:
        """The words, upright or turned; small letters are looked for at twice their size."""
        return _boxes(self.ink)


def picture_words(page: Written, *, threads: int = 2) -> list[Word]:
    """Every word in the picture with its box, its colour and two readings; empty where no reader is installed."""
    reader = _reader(threads)
    if reader is None:
        return []
    ink = page.ink
    boxes = [b for b in page.boxes if b.size <= 60][:900]
    first = _read(reader, [_crop(ink, b) for b in boxes])
    counts = [
        i for i, (text, figures, _) in enumerate(first) if _looks_numeric(text) or re.search(r"\d", text + figures)
    ]
    own = dict(zip(counts, read_digits([strip(ink, boxes[i].box, boxes[i].angle) for i in counts]), strict=True))
    texts = [_both(read, own.get(i), boxes[i].size) for i, read in enumerate(first)]
    found: list[tuple[TextBox, Word]] = []
    for box, pair, (_, _, score) in zip(boxes, texts, first, strict=True):
        text, again = (re.sub(r"^(\d{1,3}) (\d{3})$", r"\1,\2", t) for t in pair)
        if not (text and score > 0.3) and _bars(box):
            text, again, score = "|" * len(box.pieces), "", _BARS
        if text and score > 0.3:
            left, top, right, bottom = (float(v) for v in box.box)
            word = Word(text, left, top, right, bottom, box.angle, score, _colour(page.rgb, ink, box), again)
            found.append((box, word))
    return with_equals(pointed(_settled(found)), ink)


def _both(first: tuple[str, str, float], own: Reading | None, tall: float) -> tuple[str, str]:
    """A word as read, and again by the reader of digits: the same text where it agrees.

    `first` is the text, the same by digits and signs alone, and the confidence; its letters are so many pixels `tall`.
    """
    text, figures, score = first
    if own is None:
        return text, text
    numeric = _looks_numeric(text)
    text = figures if figures and numeric else text
    known = _signs(text)
    likely = weighed(own, known if _FIGURES.fullmatch(known) else "", tall=tall)
    best, chance = likely[0] if likely else ("", 0.0)
    digits = re.search(r"\d", text) is not None
    # a lone stroke may be a tick mark and a lone sign anything
    may_err = text in ("o", "O") or (len(text) > 1 and (digits or not numeric))
    if may_err and chance >= (_CERTAIN if digits else max(_CERTAIN, score)) and _FIGURES.fullmatch(best):
        text = known = best
    if dict(likely).get(known, 0.0) >= SURE:
        return text, text
    count = bare_count(known)
    certain = "(" in known and sum(p for t, p in likely if bare_count(t) == count) >= SURE
    return text, count if certain else own.text if own.text != text else ""


def _signs(text: str) -> str:
    """A text in the signs that the reader of digits knows, letters that look like digits taken for these."""
    return text.replace(" ", "").translate(_ALIKE)


# how surely upright strokes that no reader knows are strokes
_BARS = 0.35


def number_finder(page: Written, *, threads: int = 2, scale: float = 1.0) -> Finder:
    """A reader of numbers at places where they are expected: their pieces are chosen by the place, not by their gaps.

    Places are in units of `scale` pixels.
    """
    reader = _reader(threads)

    @cache
    def pieces() -> list[Box]:
        return [p for b in page.boxes if b.angle == 0 for p in b.pieces]

    def find(across: float, down: float, size: float) -> Sight | None:
        if reader is None:
            return None
        ink, known = page.ink, pieces()
        place = across * scale, down * scale, size * scale
        runs = centred_runs(known, *place)
        run = runs[0] if runs else []
        inked = inked_run(ink, *place)
        looks = [(_around(run), tuple(run))] if run else []
        if inked is not None and (not run or _a_digit_more(inked, _around(run), size * scale)):
            looks.append((inked, (inked,)))
        if not looks:
            return None
        values = _looked_at(reader, ink, looks)
        if run and crowded(known, run, size * scale):
            values = tuple((n, _CROWDED * p) for n, p in values)
        if sum(p for _, p in values) < _A_COUNT:
            # letters before it, perhaps
            for box, parts in _without_name(runs, ink, inked, place):
                alone = _looked_at(reader, ink, [(box, parts)])
                if sum(p for _, p in alone) > _CERTAIN:
                    values, looks = alone, [(box, parts)]
                    break
        left, top, right, bottom = (v / scale for v in looks[0][0])
        return Sight(values, (left, top, right, bottom)) if values else None

    return find


def _looked_at(
    reader: _Reader, ink: NDArray[np.float32], looks: Sequence[tuple[Box, tuple[Box, ...]]]
) -> tuple[tuple[int, float], ...]:
    """The counts that boxes (with their pieces) round one place may hold, with their probabilities.

    Each box counts for as much as it is read as a count at all. The reader of digits sees it with its edges moved by
    fractions of a pixel, since letters of six pixels are cut out only so exactly.
    """
    texts = _read(reader, [_crop(ink, TextBox(box, 0, pieces)) for box, pieces in looks])
    alone = [_alone(ink, box, pieces) for box, pieces in looks]
    own = read_digits([strip(part, moved(box, by)) for part, box in alone for by in _MOVES])
    seen: list[dict[int, float]] = []
    for k, (text, figures, _) in enumerate(texts):
        mean = as_count(averaged(own[k * len(_MOVES) : (k + 1) * len(_MOVES)]))
        chances: dict[int, float] = {}
        tall = looks[k][0][3] - looks[k][0][1]
        for t, p in weighed(mean, bare_count(_signs(figures or text)), tall=tall):
            # a letter at the end of a count may be a line beside it, or a digit that was not known
            bare = t.strip("?")
            if bare.isdigit():
                chances[int(bare)] = chances.get(int(bare), 0.0) + (p if bare == t else p / 2)
        seen.append(chances)
    weights = [sum(chances.values()) ** 2 for chances in seen]
    total = max(sum(weights), 1e-9)
    joined = {n for chances in seen for n in chances}
    values = [(n, sum(w * c.get(n, 0.0) for w, c in zip(weights, seen, strict=True)) / total) for n in joined]
    return tuple(sorted(values, key=lambda c: (-c[1], c[0])))


def _alone(ink: NDArray[np.float32], box: Box, pieces: Sequence[Box]) -> tuple[NDArray[np.float32], Box]:
    """The ink round a box without what stands beside its pieces, such as brackets, and the box in it."""
    tall = box[3] - box[1]
    left, top = max(box[0] - tall, 0), max(box[1] - tall, 0)
    part = ink[top : box[3] + tall, left : box[2] + tall]
    own = np.zeros(part.shape, dtype=bool)
    for a, b, c, d in pieces:
        own[max(b - 1 - top, 0) : d + 1 - top, max(a - 1 - left, 0) : c + 1 - left] = True
    return np.where(own, part, 0), (box[0] - left, box[1] - top, box[2] - left, box[3] - top)


def _without_name(
    runs: Sequence[list[Box]], ink: NDArray[np.float32], inked: Box | None, place: tuple[float, float, float]
) -> list[tuple[Box, tuple[Box, ...]]]:
    """Boxes with their pieces that lack only what stands at the left of a count, the longest first."""
    out: list[tuple[Box, tuple[Box, ...]]] = []
    if runs:
        last = max(p[2] for p in runs[0])
        parts = [run for run in runs[1:] if max(p[2] for p in run) == last and len(run) < len(runs[0])]
        out = [(_around(run), tuple(run)) for run in sorted(parts, key=len, reverse=True)[:_PARTS]]
    cut = cut_from_name(ink, inked, place[0], place[2]) if inked is not None else None
    return out if cut is None else [*out, (cut, (cut,))]


def _a_digit_more(wide: Box, run: Box, size: float) -> bool:
    """Whether a box holds a digit or the edges of digits that a run of pieces lacks, and nothing else."""
    more = max(run[0] - wide[0], wide[2] - run[2])
    lower = max(abs(wide[1] - run[1]), abs(wide[3] - run[3]))
    return (more > 1 or lower > 1) and more < size and min(wide[0] - run[0], run[2] - wide[2]) <= 0


def _around(run: Sequence[Box]) -> Box:
    return min(p[0] for p in run), min(p[1] for p in run), max(p[2] for p in run), max(p[3] for p in run)


def _bars(box: TextBox) -> bool:
    """Whether a word is one to three upright strokes of one height: a Roman numeral, if a name stands before it."""
    high = [p[3] - p[1] for p in box.pieces]
    thin = all(p[2] - p[0] < 0.35 * h for p, h in zip(box.pieces, high, strict=True))
    return box.angle == 0 and len(box.pieces) <= 3 and thin and max(high) - min(high) <= 1 and min(high) >= 6


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


def _boxes(ink: NDArray[np.float32]) -> list[TextBox]:
    """The words of a picture; small letters are looked for at twice their size."""
    boxes = text_boxes(ink)
    if _letter_height(boxes) >= _COARSE:
        return boxes
    fine = _finer(text_boxes(_doubled(ink)))
    # at twice their size large letters are larger than letters may be
    return [*fine, *(b for b in boxes if 2 * b.size > 0.9 * TALLEST and not any(_share(b, f) for f in fine))]


def _share(one: TextBox, other: TextBox) -> bool:
    """Whether a word holds more than a corner of another word of its direction."""
    left, top = max(one.box[0], other.box[0]), max(one.box[1], other.box[1])
    right, bottom = min(one.box[2], other.box[2]), min(one.box[3], other.box[3])
    return one.angle == other.angle and min(right - left, bottom - top) > 0.5 * other.size


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


def _looks_numeric(text: str) -> bool:
    """Whether a reading is digits and signs, or letters that digits are commonly mistaken for."""
    plain = text.replace(" ", "")
    return bool(plain) and all(c in "0123456789.,·%()[]-−–oOIl|!i`']" for c in plain)


def _crop(ink: NDArray[np.float32], box: TextBox) -> Pixels:
    """The word as dark letters on white, upright, 48 pixels high, with a margin of a fifth of their height."""
    import cv2

    left, top, right, bottom = box.box
    margin = max(2, round(_MARGIN * box.size))
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
    wide = max(8, round(piece.shape[1] * _HEIGHT / piece.shape[0]))
    scaled = cv2.resize(np.ascontiguousarray(piece), (wide, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * (1 - scaled), 0, 255).astype(np.uint8)


def _read(reader: _Reader, crops: Sequence[Pixels]) -> list[tuple[str, str, float]]:
    """Each crop as text, as text of digits and signs only, and the mean confidence."""
    out = []
    for own in _scored(reader, crops):
        text, level = _decoded(reader, own, reader.allowed)
        out.append((text, _decoded(reader, own, reader.numeric)[0], level))
    return out


def _scored(reader: _Reader, crops: Sequence[Pixels]) -> list[NDArray[np.float32]]:
    """The probability of each letter along each crop, shape (places, letters); crops go in batches of similar width.

    A batch is read in parts that a processor's own memory holds, on as many threads as the reader has.
    """
    name = reader.session.get_inputs()[0].name

    def read(block: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(reader.session.run(None, {name: block})[0])

    blocks: list[NDArray[np.float32]] = []
    places: list[list[int]] = []
    out: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(crops)
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
        for first in range(0, len(batch), _AT_ONCE):
            blocks.append(block[first : first + _AT_ONCE])
            places.append(batch[first : first + _AT_ONCE])
    with ThreadPoolExecutor(reader.threads) as pool:
        for own, scores in zip(places, pool.map(read, blocks), strict=True):
            for i, score in zip(own, scores, strict=True):
                out[i] = score[: crops[i].shape[1] // 8 + 2]
    return out


def _decoded(reader: _Reader, scores: NDArray[np.float32], allowed: NDArray[np.intp]) -> tuple[str, float]:
    """The best path of the network's output, repeats and blanks removed; `allowed` are the numbers of letters."""
    known = scores[:, allowed]
    place = known.argmax(axis=1)
    best, level = allowed[place], known[np.arange(len(known)), place]
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
