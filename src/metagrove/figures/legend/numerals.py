"""Roman numerals at the end of names, told by their strokes where the reader lost or miscounted them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.page import Word
from metagrove.figures.runs import runs_of
from metagrove.figures.table.rows import RiskRow
from metagrove.figures.writing.naming import plain_name

__all__ = ["Tail", "numeral", "relabelled", "with_numerals"]

# in letter heights: how far names of a column begin off it, and what is still one line
_OFF, _LINE = 0.35, 0.4
# letters of the word that names share, and of what follows it, at least and at most
_STEM, _TAIL = 3, 5
# in heights of a capital: a space between words at least, one that ends the name, how far beyond the box it is looked for
_SPACE, _END, _BEYOND = 0.42, 0.95, 2.2
# a narrower space at least, and how much wider it is than the gaps between letters
_NARROW, _CLEARLY = 0.25, 1.25
# what counts as ink of a letter, of the darkest; the share of a numeral's height that its head and its foot take
_INK, _SLICE = 0.4, 0.22
# signs that strokes of numerals are read as
_STROKES = set("EIlL1|!iVvXxtTJjEfrH'\"”“‘’-–—.:;, ")
# in heights of a capital, without serifs, with narrow and with wide ones: the widths of one stroke, from stroke to stroke, of a V, and what a
# stroke beside it adds; the share of a V that its foot is short of
_FACES = ((0.15, 0.40, 0.85, 0.28), (0.33, 0.44, 0.85, 0.34), (0.42, 0.50, 1.08, 0.45))
_SLANT = 0.36
_MISS = 0.2
_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")


@dataclass(frozen=True, slots=True)
class Tail:
    """The ink behind the word that names share: its width, what its foot is short of at both ends, and where it ends.

    The first three in heights of a capital, `end` in pixels of the page.
    """

    wide: float
    left: float
    right: float
    end: float = 0.0


def with_numerals(names: Sequence[Word], ink: NDArray[np.float32]) -> list[Word]:
    """The phrases, names of one column or row that are alike but for a numeral spelled as their pictures show it.

    Parameters
    ----------
    names : phrases of the page.
    ink : how far each pixel is from the paper, 0 to 1.

    Looked at only where two such names were read alike or one not as a numeral behind the word that they share; believed
    only where all of them show different numerals, one of which was read so, and no sign was read that is no stroke.
    """
    out = list(names)
    for members, stem in _series(names):
        texts = [_rest(names[k].text, stem) for k in members]
        if not _doubtful(texts):
            continue
        texts = [t or _behind(names[k], names) for k, t in zip(members, texts, strict=True)]
        if any(_sure(t, names[k]) for k, t in zip(members, texts, strict=True)):
            continue
        tails = [_tail(names[k], stem, ink) for k in members]
        spelled = _spelled([t for t in tails if t is not None])
        if len(spelled) < len(members) or not any(_folded(t) == s for t, s in zip(texts, spelled, strict=True)):
            continue
        for k, said in zip(members, spelled, strict=True):
            word, tail = names[k], _tail(names[k], stem, ink)
            reach = max(word.x1, tail.end) if tail else word.x1
            out[k] = replace(word, text=f"{stem} {said}", x1=reach, second=None)
    return out


def relabelled(rows: Sequence[RiskRow], before: Sequence[Word], after: Sequence[Word]) -> list[RiskRow]:
    """The rows of numbers at risk whose names were spelled anew, under the new spelling."""
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a.text != b.text]
    out = []
    for row in rows:
        own = [
            b for a, b in changed if plain_name(a.text) == plain_name(row.label) and abs(a.cy - row.height) < a.size / 2
        ]
        out.append(replace(row, label=own[0].text) if len(own) == 1 else row)
    return out


def _series(names: Sequence[Word]) -> list[tuple[list[int], str]]:
    """The names, by index, that stand in one column or one row and begin with the same words, and these words."""
    level = [k for k, w in enumerate(names) if not w.angle and sum(c.isalpha() for c in w.text) >= _STEM]
    out: list[tuple[list[int], str]] = []
    for k in level:
        if any(k in members for members, _ in out):
            continue
        near = [j for j in level if _beside(names[j], names[k])]
        shared = [(_sharing(stem, near, names), stem) for stem in _stems(names[k].text)]
        # of as many names those that share most
        own, stem = max(shared, key=lambda s: (len(s[0]), len(s[1])), default=([], ""))
        if len(own) > 1:
            out.append((own, stem))
    return out


def _stems(text: str) -> list[str]:
    """What a name may share with others: its first word or words, all of letters and no numerals."""
    words = text.split()
    plain = [w.isalpha() and _folded(w) not in _NUMERALS for w in words]
    count = plain.index(False) if False in plain else len(words)
    return [" ".join(words[:k]) for k in range(1, count + 1) if len(words[0]) >= _STEM]


def _sharing(stem: str, near: Sequence[int], names: Sequence[Word]) -> list[int]:
    """The names that begin with a stem and have no more behind it than a numeral."""
    texts = [names[j].text for j in near]
    return [
        j
        for j, text in zip(near, texts, strict=True)
        if _unspaced(text).startswith(_unspaced(stem)) and len(_rest(text, stem)) <= _TAIL
    ]


def _beside(a: Word, b: Word) -> bool:
    """Whether two phrases stand in one column, or on one line."""
    size = max(a.size, b.size)
    return abs(a.x0 - b.x0) <= max(_OFF * size, 2.0) or abs(a.cy - b.cy) <= _LINE * min(a.size, b.size)


def _rest(text: str, stem: str) -> str:
    """What follows the words of a stem in a text, in which the spaces between them may have been lost."""
    left = len(_unspaced(stem))
    for k, sign in enumerate(text):
        if not left:
            return text[k:].strip()
        left -= not sign.isspace()
    return ""


def _unspaced(text: str) -> str:
    return "".join(text.split()).lower()


def _behind(word: Word, names: Sequence[Word]) -> str:
    """What was read right behind a phrase, as a phrase of its own; empty where nothing was."""
    near = [
        w
        for w in names
        if 0 < w.x0 - word.x1 < _BEYOND / 2 * word.size and abs(w.cy - word.cy) < _LINE * word.size and not w.angle
    ]
    return min(near, key=lambda w: w.x0).text if near else ""


def _sure(text: str, word: Word) -> bool:
    """Whether a sign that is no stroke of a numeral was read there by both readers."""
    return bool(set(text) - _STROKES) and (word.second is None or text in word.second)


def _doubtful(texts: Sequence[str]) -> bool:
    """Whether what follows a shared word is read alike or as nothing, or is no numeral where others are."""
    told = [_folded(t) for t in texts]
    known = [t in _NUMERALS for t in told]
    return len(set(told)) < len(told) or not all(told) or (any(known) and not all(known))


def _folded(text: str) -> str:
    """What was read, with the signs that look like one stroke taken for one."""
    return text.upper().translate(str.maketrans("L1|!", "IIII")).strip(" .,:;-")


def _tail(word: Word, stem: str, ink: NDArray[np.float32]) -> Tail | None:
    """What stands behind the words that names share, up to the next wide gap; None where nothing does."""
    top, foot = max(int(word.y0) - 1, 0), int(word.y1) + 2
    left = max(int(word.x0) - 1, 0)
    block = ink[top:foot, left : int(word.x1 + _BEYOND * word.size)]
    if not block.size or float(block.max()) < _INK / 2:
        return None
    block = block / float(np.quantile(block[:, : int(word.x1) - left], 0.98) + 1e-6)
    runs = runs_of(block.max(axis=0) > _INK)
    if not runs:
        return None
    first = np.flatnonzero((block[:, runs[0][0] : runs[0][1]] > _INK).any(axis=1))
    high = float(first[-1] - first[0] + 1)
    spaces = _spaces(runs, high, len(stem.split()))
    if not spaces:
        return None
    at = spaces[-1]
    end = next((i for i in range(at + 1, len(runs)) if runs[i][0] - runs[i - 1][1] > _END * high), len(runs))
    part = block[first[0] : first[-1] + 1, runs[at][0] : runs[end - 1][1]]
    tall = max(1, round(_SLICE * high))
    # one row at the edge is mixed with paper
    foot_ink = np.flatnonzero(part[-tall - 1 : -1 if high > 6 else None].max(axis=0) > _INK)
    if not len(foot_ink):
        return None
    short = float(foot_ink[0]), float(part.shape[1] - 1 - foot_ink[-1])
    return Tail(_width(part) / high, short[0] / high, short[1] / high, float(left + runs[end - 1][1]))


def _spaces(runs: Sequence[tuple[int, int]], high: float, count: int) -> list[int]:
    """Before which of the runs of ink a name of one word more has its spaces: the first wide gaps, or the widest; none if unclear."""
    gaps = [b[0] - a[1] for a, b in pairwise(runs)]
    own = next((k for k, gap in enumerate(gaps) if gap > _END * high), len(gaps))
    wide = [k + 1 for k, gap in enumerate(gaps[:own]) if gap > _SPACE * high]
    if len(wide) >= count:
        return wide[:count]
    order = sorted(range(own), key=lambda k: -gaps[k])
    least = gaps[order[count - 1]] if len(order) >= count else 0
    after = gaps[order[count]] if len(order) > count else 0
    clear = least > _NARROW * high and least > _CLEARLY * after
    return sorted(k + 1 for k in order[:count]) if clear else []


def _width(part: NDArray[np.float32]) -> float:
    """How wide a piece of ink is, in pixels, soft columns at its ends by their share."""
    profile = np.clip(part.max(axis=0), 0.0, 1.0)
    return float(len(profile) - 2 + profile[0] + profile[-1]) if len(profile) > 1 else float(profile[0])


def _spelled(tails: Sequence[Tail]) -> list[str]:
    """The numerals that all tails show in one of the faces, all different; empty where they show none."""
    best: tuple[float, list[str]] = np.inf, []
    for face in _FACES:
        told = [numeral(t, face) for t in tails]
        names = [name for name, miss in told if miss < _MISS]
        total = sum(miss for _, miss in told)
        if len(names) == len(tails) and len(set(names)) == len(names) and total < best[0]:
            best = total, names
    return best[1]


def numeral(tail: Tail, face: tuple[float, float, float, float]) -> tuple[str, float]:
    """The numeral that a piece of ink shows, and how far off its widths are, in heights of a capital.

    `face` gives the widths of a stroke, from stroke to stroke, of a V and of what a stroke beside it adds. A V is narrow
    at its foot; strokes are not.
    """
    stroke, pitch, vee, more = face
    seen = np.array([tail.wide, tail.left, tail.right])
    out: list[tuple[str, float]] = []
    for name in _NUMERALS:
        before, after = len(name.split("V")[0]), len(name.split("V")[-1])
        if "V" not in name:
            shape: Array = np.array([stroke + pitch * (len(name) - 1), 0.0, 0.0])
        else:
            slant, strokes = _SLANT * vee, before + after
            wide = vee + (more + pitch * (strokes - 1) if strokes else 0.0)
            shape = np.array([wide, 0.0 if before else slant, 0.0 if after else slant])
        out.append((name, float(np.abs(seen - shape).max())))
    return min(out, key=lambda p: p[1])
