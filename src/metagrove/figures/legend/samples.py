"""Legends in pictures: the short sample line left of a name, with its colour, style and dash pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.files.colours import middle_colour
from metagrove.figures.files.image import Pixels
from metagrove.figures.findings import Finding
from metagrove.figures.legend.keys import Sample, alike, key_before, runs_of
from metagrove.figures.legend.places import completed
from metagrove.figures.lines.tracking import Dash
from metagrove.figures.page import Word, colour_distance, number
from metagrove.figures.table.lines import lines_of
from metagrove.figures.writing.naming import named_like, plain_name

__all__ = ["Sample", "in_turn", "legend_samples", "named_entries", "parted", "runs_of", "turns", "unlined"]

# names of one legend are printed in one size; descenders make boxes taller
_UNEVEN = 2.1
# what rows of censor marks are misread as
_MARKS = set("IlTtLHJiK1|!+-.,:;'\" ")
_KEY_READ = re.compile(r"^(?:\W*\w{0,2}\W* |[-+–—=|]+)([^\W\d].{2,})$")
# how alike a line must be to one of these
_HEADINGS, _HEADED = ("numberatrisk", "noatrisk", "numberatrisknumbercensored", "patientsatrisk"), 0.72
_KEY_WITHIN = re.compile(r"^(.+?) [-+–—=|]{1,2} ([^\W\d].{2,})$")
# a sign as wide as this, in letter heights, is a key
_WIDE_SIGN = 1.2
# a name of one letter and a number: Q1, T2
_CODE = re.compile(r"[A-HJ-Z] ?\d{1,2}")
# how surely a number is read that names an arm, and pixels that the keys of such a legend differ by
_SURE, _KEYS_APART, _ENDED = 0.5, 6.0, 0.7
_TURN = re.compile(r"\d{1,2}|[A-H]")
# letter heights that a line is long at least, and no square
_LINE = 1.5
_CENSORED = re.compile(r"(?i)^\W*censored\W*$")
_STATISTIC = re.compile(r"(?i)^(hr|p|log.?rank|hazard)\b|95 ?%|\bCI\b|censored")


def legend_samples(
    rgb: Pixels, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str] = ()
) -> list[Sample]:
    """The entries of the legend, top to bottom, left to right; empty where no two names stand beside sample lines.

    Parameters
    ----------
    rgb : the picture.
    ink : how far each pixel is from the paper, 0 to 1.
    names : phrases of the picture.
    labels : names of the arms as other places print them; where two of them stand beside lines, no other name counts.
    """
    found = []
    bare = _without_words(ink, names)
    paper = middle_colour(rgb[bare < 0.03]) if (bare < 0.03).any() else np.full(3, 255.0)
    headings = _headings(names)
    for word in sorted(names, key=lambda w: -w.score):
        coded = bool(_CODE.fullmatch(word.text)) and word.score > 0.8
        letters = sum(c.isalpha() for c in word.text)
        if (
            word.angle
            or (letters < 2 and not coded)
            or number(word.text) is not None
            or word.score < 0.35
            or not set(word.text) - _MARKS
            or 2 * sum(c.isalnum() for c in word.text) < len(word.text.replace(" ", ""))
            or (len({c for c in word.text if c.isalpha()}) < 2 and not coded)
            or _STATISTIC.search(word.text)
            or word in headings
            or _marks(word, names)
        ):
            continue
        sample = key_before(rgb, bare, word, paper)
        if sample is not None:
            found.append(sample)
    entries = [w for w in names if not _STATISTIC.search(w.text) and not _marks(w, names)]
    samples = completed(_listed(found, labels), rgb, ink, entries, labels)
    # a scrap of a curve read as letters is a legend of one
    in_turn = _numbers(rgb, bare, names, paper) if len(samples) < 2 else []
    return in_turn or samples


def _marks(word: Word, names: Sequence[Word]) -> bool:
    """Whether a name stands behind a word that says that its key is a mark of censoring: `o Censored Drug A`."""
    said = [w for w in names if _CENSORED.search(w.text) and abs(w.cy - word.cy) < 0.4 * word.size]
    return any(0 < word.x0 - w.x1 < 2.5 * word.size for w in said)


def _numbers(rgb: Pixels, ink: NDArray[np.float32], names: Sequence[Word], paper: Array) -> list[Sample]:
    """The entries of a legend whose names are numbers or letters in turn: groups 0, 1 and 2, arms A and B."""
    keys = [(w, key_before(rgb, ink, w, paper)) for w in turns(names)]
    group = _aligned(_dots([s for w, s in keys if s is not None and s.length > _LINE * w.size]))
    longest = max((s.length for s in group), default=0.0)
    # a key of dashes may end with a gap
    even = all(s.length >= longest - _KEYS_APART or (s.style != "solid" and s.length > _ENDED * longest) for s in group)
    return group if in_turn(group) and even else []


def turns(names: Sequence[Word]) -> list[Word]:
    """The words that are a number or a letter by itself, surely read."""
    return [w for w in names if _TURN.fullmatch(w.text) and not w.angle and w.score > _SURE]


def in_turn(group: Sequence[Sample]) -> bool:
    """Whether entries, two at least, are named by numbers or letters that follow each other as they stand."""
    places = sorted((_turn(s.name), s.box[1], s.box[0]) for s in group)
    return len(places) > 1 and all(
        b[0] == a[0] + 1 and (b[1] > a[1] + 2 or b[2] > a[2] + 2) for a, b in pairwise(places)
    )


def _turn(name: str) -> int:
    return int(name) if name.isdigit() else ord(name)


def _headings(names: Sequence[Word]) -> list[Word]:
    """The pieces of the heading of a table of numbers at risk: a line that as a whole spells one, however it fell apart."""
    out: list[Word] = []
    for line in lines_of([w for w in names if w.angle == 0]):
        text = plain_name("".join(w.text for w in line))
        if any(SequenceMatcher(None, text, h, autojunk=False).ratio() > _HEADED for h in _HEADINGS):
            out += line
    return out


def _listed(found: Sequence[Sample], labels: Sequence[str]) -> list[Sample]:
    """The entries of the legend among the names beside lines, those that other places print before all others."""
    own = {plain_name(s.name) for s in found}
    listed = [
        replace(s, name=labels[k] if plain_name(s.name) != plain_name(labels[k]) else s.name)
        for s in found
        # a name that another entry spells exactly is that one's
        if (k := named_like(s.name, labels)) is not None and plain_name(labels[k]) not in own - {plain_name(s.name)}
    ]
    known = _aligned(_dots(listed)) if len({plain_name(s.name) for s in listed}) > 1 else []
    if 0 < len(known) < len(labels):
        # a name that was read too badly to be known still counts where the legend has its line
        every = _aligned(_dots([next((k for k in listed if k.box == s.box), s) for s in found]))
        return every if len(every) == len(labels) else known
    return known or _aligned(_dots(found))


def named_entries(found: Sequence[Sample], labels: Sequence[str]) -> list[Sample]:
    """The entries of one legend among names beside keys of any kind: in one column or row, those with known names first."""
    return _listed([s for s in found if not _STATISTIC.search(s.name)], labels)


def unlined(samples: Sequence[Sample], names: Sequence[Word]) -> list[Finding]:
    """Doubts about a legend in a column: a name between two entries, in line with theirs, whose own line was not seen."""
    starts = [s.start for s in samples]
    if len(samples) < 2 or max(starts) - min(starts) > 6:
        return []
    rows = [(s.box[1] + s.box[3]) / 2 for s in samples]
    size = float(np.median([s.box[3] - s.box[1] for s in samples]))
    between = [
        w
        for w in names
        if abs(w.x0 - starts[0]) <= 6
        and min(rows) < w.cy < max(rows)
        and min(abs(w.cy - r) for r in rows) > 0.7 * size
        and not any(s.box[1] < w.cy < s.box[3] for s in samples)
        and sum(c.isalpha() for c in w.text) > 1
    ]
    return [Finding(f"'{w.text}' stands in the legend without a line") for w in between]


def _dots(found: Sequence[Sample]) -> list[Sample]:
    """The samples with short dashes called dots, judged by the usual width: pale dots look thin."""
    usual = float(np.median([s.width for s in found])) if found else 1.0
    return [replace(s, style="dotted") if s.style == "dashed" and s.dash.on <= 2.2 * usual else s for s in found]


def _without_words(ink: NDArray[np.float32], names: Sequence[Word]) -> NDArray[np.float32]:
    """The ink without what was read as words of two letters or more; strokes read at their ends may be sample lines."""
    out = ink.copy()
    for word in names:
        if sum(c.isalnum() for c in word.text) > 1 and word.score > 0.6 and set(word.text) - _MARKS:
            top, left = max(int(word.y0) - 1, 0), max(int(word.x0) - 1, 0)
            own = len(word.text.rstrip(" -–—_~=+|.")) / len(word.text)
            right = word.x1 if own > 0.95 else word.x0 + (word.x1 - word.x0) * own
            out[top : int(word.y1) + 2, left : int(right) + 2] = 0
    return out


def parted(names: Sequence[Word], rgb: Pixels) -> list[Word]:
    """The names without keys that were read as letters or signs before them: `E Placebo`, `+ Drug A`, `Group + Drug A`."""
    return [_without_key(word, rgb) for word in names]


def _without_key(word: Word, rgb: Pixels) -> Word:
    """The word from behind a key on: after the widest gap in its first half, or after a sign that is wide for one."""
    key, inner = _KEY_READ.match(word.text), _KEY_WITHIN.match(word.text)
    if word.angle or not (key or inner):
        return word
    top, bottom, left, right = int(word.y0), int(word.y1) + 1, int(word.x0), int(word.x1) + 1
    block = rgb[top:bottom, left:right].astype(np.int16)
    paper = np.median(block.reshape(-1, 3), axis=0)
    gaps = runs_of(np.abs(block - paper).max(axis=(0, 2)) < 40)
    gaps = [(a, b) for a, b in gaps if a > 0 and b < right - left]
    if key:
        wide = max(((b - a, b) for a, b in gaps if a < (right - left) / 2), default=(0, 0))
        if wide[0] > 0.25 * word.size:
            return replace(word, text=key[1], x0=float(left + wide[1]), score=max(word.score, 0.5))
    if inner:
        spaces = [(a, b) for a, b in gaps if b - a > 0.25 * word.size]
        before = len(inner[1].split())
        if len(spaces) > before == len(spaces) - len(inner[2].split()):
            sign, rest = spaces[before][0] - spaces[before - 1][1], spaces[before][1]
            if sign > _WIDE_SIGN * word.size:
                return replace(word, text=inner[2], x0=float(left + rest))
    return word


def _aligned(found: list[Sample]) -> list[Sample]:
    """The largest group of entries that stand in one column, one row or a block of both and differ in colour or style.

    Of groups as large the one with the longest keys: ticks before the rows of a table are shorter.
    """
    best: list[Sample] = []
    for anchor in found:
        size = anchor.box[3] - anchor.box[1]
        even = [s for s in found if 1 / _UNEVEN < (s.box[3] - s.box[1]) / size < _UNEVEN]
        column = [s for s in even if _in_column(s, anchor) and abs(s.box[1] - anchor.box[1]) < 14 * size]
        row = [s for s in even if _on_line(s, anchor)]
        block = _block(even, row, column)
        for group in (column, row, block):
            distinct = _distinct(_cut_short(group))
            if (len(distinct), _drawn(distinct)) > (len(best), _drawn(best) + 1):
                best = distinct
    return sorted(best, key=lambda s: (round(s.box[1] / 8), s.box[0]))


def _block(entries: Sequence[Sample], row: Sequence[Sample], column: Sequence[Sample]) -> list[Sample]:
    """The entries below those of a row and level with those of a column; none where they fill no two columns."""
    inside = [s for s in entries if any(_on_line(s, first) for first in column)]
    columns = [[s for s in inside if _in_column(s, head)] for head in row]
    full = [c for c in columns if len(c) > 1]
    return [s for c in full for s in c] if len(full) > 1 else []


def _in_column(a: Sample, b: Sample) -> bool:
    return abs(a.box[0] - b.box[0]) < 6


def _on_line(a: Sample, b: Sample) -> bool:
    return abs(a.box[1] + a.box[3] - b.box[1] - b.box[3]) < 1.3 * (b.box[3] - b.box[1])


def _drawn(samples: Sequence[Sample]) -> float:
    """The pixels of all keys together."""
    return sum(s.length for s in samples)


def _cut_short(group: list[Sample]) -> list[Sample]:
    """The group with those solid lines called dashed that end clearly before the others of their colour.

    A sample that shows one long dash ends where the gap begins, while all samples of a legend are drawn in one length.
    """
    out = []
    for s in group:
        solid = [o for o in group if o.style == "solid" and colour_distance(s.colour, o.colour) < 25]
        longest = max((o.length for o in solid), default=s.length)
        short = s.style == "solid" and s.length < 0.87 * longest and longest - s.length > max(s.width, 2.0)
        out.append(replace(s, style="dashed", dash=Dash(s.length, 0.5 * s.length)) if short else s)
    return out


def _distinct(group: list[Sample]) -> list[Sample]:
    out: list[Sample] = []
    for sample in group:
        if not any(alike(sample, o) for o in out):
            out.append(sample)
    return out
