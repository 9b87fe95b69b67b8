"""A reader of digits: a small network of our own, trained on drawn numbers alone, that says how sure it is.

It shares nothing with the network of `ocr`: not its data, not its cut of the picture, not its weights. `digits.npz` holds the
weights, made by `benchmarks/train_digit_reader.py` from a seed. Seven layers of convolutions read a strip from left to right
(Graves et al. 2006, doi:10.1145/1143844.1143891); all likely texts are kept with their probabilities, so that others may weigh them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.writing.strips import TALL

__all__ = ["SIGNS", "SURE", "Reading", "as_count", "averaged", "bare_count", "read_digits", "weighed"]

#: What the reader knows; the question mark stands for any letter.
SIGNS = "0123456789()[],.-%?"
#: The probability from which on a reading is taken for certain.
SURE = 0.995
# how often another reader is wrong where this one is in doubt, in letters up to so many pixels high and in larger ones, and
# the probability of what it alone thought of; the likeliest values on drawn pages of faces that were kept aside
_SMALL, _ERRS_SMALL, _ERRS, _UNTHOUGHT = 8, 0.2, 0.1, 1e-4
_BATCH = 32
_BEAM = 16
_LEAST = 1e-4
_KEPT = 12
# layers after which pairs of rows, or of rows and columns, are made one
_POOLED = {0: (2, 2), 1: (2, 1), 2: (2, 1)}
# the layer that takes all three rows that are left and leaves one
_GATHERED = 4

Block = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """The texts that a strip may hold with their probabilities, likeliest first; empty where nothing was seen."""

    texts: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """The likeliest text."""
        return self.texts[0][0] if self.texts else ""

    @property
    def probability(self) -> float:
        """The probability of the likeliest text."""
        return self.texts[0][1] if self.texts else 0.0


def read_digits(strips: Sequence[NDArray[np.uint8]]) -> list[Reading]:
    """What each strip (see `strips`) says."""
    out = [Reading(())] * len(strips)
    order = sorted(range(len(strips)), key=lambda i: strips[i].shape[1])
    for at in range(0, len(order), _BATCH):
        own = order[at : at + _BATCH]
        wide = max(strips[i].shape[1] for i in own)
        block = np.zeros((len(own), TALL, wide + wide % 2, 1), dtype=np.float32)
        for k, i in enumerate(own):
            block[k, :, : strips[i].shape[1], 0] = strips[i] / np.float32(255)
        scores = _scores(block)
        for k, i in enumerate(own):
            out[i] = _likeliest(scores[k, : -(-strips[i].shape[1] // 2)])
    return out


def weighed(reading: Reading, other: str, *, tall: float = 12.0) -> tuple[tuple[str, float], ...]:
    """The texts with their probabilities after another reader, independent of this one, has said `other` (or nothing).

    What is missing to a sum of one belongs to texts that neither thought of. Both err more alike in letters that are only a
    few pixels `tall`.
    """
    errs = _ERRS_SMALL if tall <= _SMALL else _ERRS
    chances = dict(reading.texts)
    if not other:
        return reading.texts
    chances.setdefault(other, _UNTHOUGHT)
    rest = max(1 - sum(chances.values()), 0.0) * errs
    chances = {t: p * (1.0 if t == other else errs) for t, p in chances.items()}
    total = sum(chances.values()) + rest
    return tuple((t, p / total) for t, p in sorted(chances.items(), key=lambda c: (-c[1], c[0])))


def averaged(readings: Sequence[Reading]) -> Reading:
    """The mean of readings of one word: each text with its mean probability."""
    chances: dict[str, float] = {}
    for reading in readings:
        for text, chance in reading.texts:
            chances[text] = chances.get(text, 0.0) + chance / len(readings)
    return Reading(tuple(sorted(chances.items(), key=lambda c: (-c[1], c[0]))))


def as_count(reading: Reading) -> Reading:
    """The reading of what can only be a count: `.25` and `25%` are 25 beside a speck, `25(3)` is 25 with more behind it."""
    chances: dict[str, float] = {}
    for text, chance in reading.texts:
        chances[bare_count(text)] = chances.get(bare_count(text), 0.0) + chance
    return Reading(tuple(sorted(chances.items(), key=lambda c: (-c[1], c[0]))))


def bare_count(text: str) -> str:
    """What stands before a bracket, without marks of punctuation."""
    return re.sub("[.,%-]", "", text.partition("(")[0])


@cache
def _layers() -> tuple[tuple[Block, Block], ...]:
    with as_file(files(__package__) / "digits.npz") as path, np.load(path) as held:
        count = len(held.files) // 2
        return tuple((held[f"kernel{k}"].astype(np.float32), held[f"bias{k}"].astype(np.float32)) for k in range(count))


def _scores(block: Block) -> Array:
    """The probability of each sign (the first is none) in each pair of columns, shape (strips, pairs, signs)."""
    layers = _layers()
    for k, (kernel, bias) in enumerate(layers):
        block = _convolved(block, kernel, bias, padded=k != _GATHERED)
        if k < len(layers) - 1:
            np.maximum(block, 0, out=block)
        if k in _POOLED:
            block = _pooled(block, *_POOLED[k])
    plain = block[:, 0].astype(np.float64)
    plain = np.exp(plain - plain.max(axis=2, keepdims=True))
    return np.asarray(plain / plain.sum(axis=2, keepdims=True))


def _convolved(block: Block, kernel: Block, bias: Block, *, padded: bool) -> Block:
    """A convolution, padded with zeros at left and right and, if asked for, above and below."""
    out, into, high, wide = kernel.shape
    rows = high // 2 if padded else 0
    framed = np.pad(block, ((0, 0), (rows, rows), (wide // 2, wide // 2), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(framed, (high, wide), axis=(1, 2))
    flat = np.ascontiguousarray(views).reshape(-1, into * high * wide)
    return (flat @ kernel.reshape(out, -1).T + bias).reshape(*views.shape[:3], out)


def _pooled(block: Block, high: int, wide: int) -> Block:
    strips, rows, columns, signs = block.shape
    return np.asarray(block.reshape(strips, rows // high, high, columns // wide, wide, signs).max(axis=(2, 4)))


def _likeliest(scores: Array) -> Reading:
    """The likeliest texts by a beam over prefixes: each prefix with the chances that it ends in none or in its last sign."""
    beam: dict[str, tuple[float, float]] = {"": (1.0, 0.0)}
    for row in scores.tolist():
        likely = {SIGNS[c - 1]: chance for c, chance in enumerate(row) if c and chance > _LEAST}
        none = row[0]
        if not likely:
            beam = {text: ((blank + last) * none, 0.0) for text, (blank, last) in beam.items()}
            continue
        grown: dict[str, tuple[float, float]] = {}
        for text, (blank, last) in beam.items():
            end, either = text[-1:], blank + last
            before = grown.get(text, (0.0, 0.0))
            grown[text] = before[0] + either * none, before[1] + last * likely.get(end, 0.0)
            for sign, chance in likely.items():
                before = grown.get(text + sign, (0.0, 0.0))
                grown[text + sign] = before[0], before[1] + (blank if end == sign else either) * chance
        if len(grown) > _BEAM:
            ranked = sorted((-blank - last, text) for text, (blank, last) in grown.items())[:_BEAM]
            grown = {text: grown[text] for _, text in ranked}
        beam = grown
    ranked = sorted(((sum(p), t) for t, p in beam.items()), key=lambda g: (-g[0], g[1]))[:_KEPT]
    return Reading(tuple((t, p) for p, t in ranked))
