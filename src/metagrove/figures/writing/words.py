"""Words joined into phrases and phrases cut into words, so that names and numbers can be found on a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from metagrove.figures.page import Word, colour_distance

__all__ = ["cut_to", "legible", "phrases", "pointed", "romans", "statistics", "tenths", "tokens"]


def legible(words: Sequence[Word]) -> list[Word]:
    """The words without strokes taken for letters: too wide for one or two letters, or a lone letter read unsurely."""
    return [
        w
        for w in words
        if w.angle
        or len(w.text) > 2
        or (
            w.x1 - w.x0 <= _WIDEST * len(w.text) * w.size
            and not (w.text.isalpha() and len(w.text) == 1 and w.score < 0.5)
        )
    ]


def pointed(words: Sequence[Word]) -> list[Word]:
    """The words, a lone zero joined with digits close behind it: `0` and `40` are 0.40, whose point was not seen."""
    out = list(words)
    for zero in [w for w in words if w.text in ("0", "O", "o") and w.angle == 0]:
        behind = [
            w
            for w in out
            if w.text.isdigit()
            and len(w.text) < 4
            and 0.1 * w.size < w.x0 - zero.x1 < 0.8 * w.size
            and abs(w.cy - zero.cy) < 0.25 * w.size
            and abs(w.size - zero.size) < 0.3 * w.size
        ]
        before = any(-0.2 < (zero.x0 - w.x1) / zero.size < 0.8 and abs(w.cy - zero.cy) < zero.size / 2 for w in words)
        if len(behind) == 1 and not before:
            out = [w for w in out if w is not zero and w is not behind[0]]
            out.append(_decimal(zero, behind[0]))
    return out


def tenths(words: Sequence[Word]) -> list[Word]:
    """The words, digits in a column below a 1 read as decimals where they stand at these: `.8`, `0.8` and `.75` whose points were lost.

    Three labels must stand where a scale has them that begins at the 1.
    """
    out = list(words)
    for one in [w for w in words if w.text in ("1", "1.", "1.0", "1.00") and w.angle == 0]:
        size = one.size
        right = max(one.x1, one.x0 + _WIDE * size)
        column = [
            (w, share)
            for w in out
            if (share := _share(w.text)) is not None
            and w.angle == 0
            and w.cy > one.cy + size
            and abs(w.size - size) < 0.35 * size
            and one.x0 - 0.5 * size < w.x0
            and w.x1 < right + 0.3 * size
        ]
        lengths = sorted((w.cy - one.cy) / (1 - share) for w, share in column)
        whole = lengths[len(lengths) // 2] if lengths else 0.0
        fits = [(w, v) for w, v in column if abs(one.cy + (1 - v) * whole - w.cy) < _EVEN * size]
        lost = [w for w, _ in fits if w.text.isdigit()]
        if len({v for _, v in fits}) < max(3, len(fits)) or not lost or whole < 5 * size:
            continue
        noughts = [w for w in out if w.text in ("0", "0.", ".") and any(_nought_of(w, d) for d in lost)]
        out = [w for w in out if not any(w is o for o in (*lost, *noughts, one))]
        out += [_decimal(replace(one, text="0", y0=d.y0, y1=d.y1, score=d.score, second=None), d) for d in lost]
        out.append(one if "0" in one.text else replace(one, text="1.0", second=None))
    return out


def _share(text: str) -> float | None:
    """The share of 1 that a label states with its point or without it; None where it states none.

    >>> _share("8"), _share("75"), _share(".25"), _share("0.6"), _share("12.5"), _share("0")
    (0.8, 0.75, 0.25, 0.6, None, None)
    """
    found = _SHARE.fullmatch(text)
    return int(found[1]) / 10 ** len(found[1]) if found and int(found[1]) else None


def _nought_of(nought: Word, digit: Word) -> bool:
    """Whether a 0 or a point stands before a digit of its row."""
    return abs(nought.cy - digit.cy) < 0.5 * digit.size and -0.2 < (digit.x0 - nought.x1) / digit.size < _WIDE


def romans(words: Sequence[Word]) -> list[Word]:
    """The words, bare strokes behind a name taken for Roman numerals: `Stage` and `"` are Stage II.

    How many strokes there are, the width tells; what was read surely as another sign stays.
    """
    out = []
    for word in words:
        ended = _QUOTED.match(word.text) if word.angle == 0 else None
        if ended:
            strokes = sum(2 if sign in '"”“' else 1 for sign in ended[2] or ended[3])
            word = replace(word, text=f"{ended[1]} {'I' * strokes}", second=None)
        elif word.angle == 0 and _strokes(word) and (word.score < 0.75 or not word.text.isdigit()):
            high = max(word.y1 - word.y0, 1.0)
            strokes = 1 + round(((word.x1 - word.x0) / high - _STROKE) / _PITCH)
            if strokes <= 3 and any(_names(w, word) for w in words):
                word = replace(word, text="I" * strokes, second=None, score=max(word.score, 0.75))
        out.append(word)
    return out


def _strokes(word: Word) -> bool:
    """Whether a word is read as strokes, or as one letter, unsurely, that is as narrow as a stroke."""
    narrow = len(word.text) == 1 and word.score < 0.75 and word.x1 - word.x0 < _NARROW * (word.y1 - word.y0)
    return not set(word.text) - _STROKES or narrow


def _names(name: Word, numeral: Word) -> bool:
    """Whether a word of letters stands just before a numeral, as high as it."""
    size = numeral.y1 - numeral.y0
    near = 0.1 * size < numeral.x0 - name.x1 < size and abs(name.y0 - numeral.y0) < 0.3 * size
    return near and len(name.text) > 2 and name.text.isalpha() and name.angle == 0


def _decimal(zero: Word, part: Word) -> Word:
    second = None if part.second is None else f"0.{part.second}"
    top, foot = min(zero.y0, part.y0), max(zero.y1, part.y1)
    score = min(max(zero.score, 0.7), part.score)
    return replace(part, text=f"0.{part.text}", x0=zero.x0, y0=top, y1=foot, score=score, second=second)


_WIDEST = 2.2
# letter heights that `0.9` is wide in typed letters, and that labels of an even scale are off their places at most
_WIDE, _EVEN = 3.2, 0.25
_SHARE = re.compile(r"(?:0?[.,])?(\d{1,2})")
# strokes of Roman numerals: what they are read as, how wide one is and how far apart they stand, in their height
_STROKES = set("1Il|!'\"”“‘’i-–—")
_QUOTED = re.compile(r"([A-Za-z]{3,})(?: ?(['\"”“|]{1,2})| ([Il|]{1,3}))$")
_STROKE, _PITCH = 0.2, 0.38
_NARROW = 0.28
# by how many letter heights a lone letter may stand further from the word before it
_LONE = 0.12
# letter heights between an open bracket's word and the one that closes it, at most
_OPEN = 2.2
_DECIMAL = re.compile(r"\d{1,4}\.\d\d")
_PERCENT = re.compile(r"(?<=\d)\s+%")
# the space between a number and its sign of percent at most, in letter heights
_NEAR = 0.9
_GLUED = re.compile(r"(?:\d{1,4}\.\d\d){2,4}")


def tokens(words: Sequence[Word]) -> list[Word]:
    """Words without spaces inside; a phrase is cut at its spaces, each part placed by its share of the letters."""
    out: list[Word] = []
    for word in map(_parted, words):
        parts = _PERCENT.sub("%", word.text).split()
        if len(parts) < 2:
            whole = parts[0] if parts else ""
            out.append(replace(word, text=whole) if word.text != whole else word)
            continue
        seconds = (word.second or "").split()
        total = sum(map(_advance, word.text))
        at = 0
        for index, part in enumerate(parts):
            at, end = _place(word.text, part, at)
            first = sum(map(_advance, word.text[:at])) / total
            at = end
            last = sum(map(_advance, word.text[:at])) / total
            second = None
            if word.second is not None:
                second = seconds[index] if len(seconds) == len(parts) else ""
            out.append(replace(_slice(word, first, last), text=part, second=second))
    return _percents([w for w in out if w.text])


def _place(text: str, part: str, start: int) -> tuple[int, int]:
    """Where a part begins and ends in a text that may have spaces before its sign of percent."""
    at = text.index(part.rstrip("%") or part, start)
    end = at + len(part.rstrip("%") or part)
    return at, text.index("%", end) + 1 if part[:-1] and part.endswith("%") else end


def _percents(words: Sequence[Word]) -> list[Word]:
    """The words, each sign of percent joined with the number that it follows, so that a label's middle is that of both."""
    out = list(words)
    for sign in [w for w in words if w.text == "%"]:
        rings = [w for w in out if w is not sign and _ring(w, sign)]
        for value in [w for w in out if w.text.isdigit() and w not in rings]:
            turned = value.angle == 90 or (value.angle == 0 and bool(rings))
            parts = [sign, *rings] if turned else [sign]
            if turned:
                behind, off = value.y0 - max(w.y1 for w in parts), sign.cx - value.cx
            else:
                behind, off = sign.x0 - value.x1, sign.cy - value.cy
            size = (sign.x1 - sign.x0) if turned else sign.y1 - sign.y0
            if -0.3 * size <= behind < _NEAR * size and abs(off) < 0.3 * size:
                out = [w for w in out if w is not value and w not in parts]
                out.append(_signed(value, parts, 90 if turned else sign.angle))
                break
    return out


def _ring(word: Word, sign: Word) -> bool:
    """Whether a word is one of the rings of an upturned sign of percent, which letters that stand upright are read as."""
    ring = word.text in ("0", "o", "O") and word.angle == sign.angle == 0
    inside = word.x0 > sign.x0 - 2 and word.x1 < sign.x1 + 2 and word.x1 - word.x0 < 0.7 * (sign.x1 - sign.x0)
    return ring and inside and max(word.y0 - sign.y1, sign.y0 - word.y1) < 0.1 * sign.size


def _signed(value: Word, parts: Sequence[Word], angle: int) -> Word:
    second = None if value.second is None else f"{value.second}%"
    x, y = [v for w in (value, *parts) for v in (w.x0, w.x1)], [v for w in (value, *parts) for v in (w.y0, w.y1)]
    score = min(w.score for w in (value, *parts))
    return Word(f"{value.text}%", min(x), min(y), max(x), max(y), angle, score, value.colour, second)


def _parted(word: Word) -> Word:
    """The word with a space between decimals that stand too close: `166.67333.33` is two labels."""
    if not _GLUED.fullmatch(word.text):
        return word
    second = word.second if word.second != word.text else " ".join(_DECIMAL.findall(word.text))
    return replace(word, text=" ".join(_DECIMAL.findall(word.text)), second=second)


def _advance(letter: str) -> float:
    """The width of a letter in a common sans-serif type, as a share of the size."""
    if letter in "ijl.,:;'|!· ":
        return 0.28
    if letter in "()[]frtI-/":
        return 0.34
    if letter in "mwMW%@":
        return 0.86
    return 0.67 if letter.isupper() else 0.556


def cut_to(word: Word, text: str) -> Word:
    """The word reduced to a part of its text, its box in proportion."""
    total = sum(map(_advance, word.text))
    at = word.text.index(text)
    first = sum(map(_advance, word.text[:at])) / total
    last = sum(map(_advance, word.text[: at + len(text)])) / total
    return replace(_slice(word, first, last), text=text)


def _slice(word: Word, first: float, last: float) -> Word:
    if word.angle == 0:
        wide = word.x1 - word.x0
        return replace(word, x0=word.x0 + first * wide, x1=word.x0 + last * wide)
    tall = word.y1 - word.y0
    if word.angle == 90:
        return replace(word, y0=word.y1 - last * tall, y1=word.y1 - first * tall)
    return replace(word, y0=word.y0 + first * tall, y1=word.y0 + last * tall)


def statistics(words: Sequence[Word]) -> list[tuple[float, float, float, float]]:
    """The boxes of p values: a lone `p` with a number behind it, and the sign between them whether it was read or not."""
    out = []
    for word in words:
        if word.angle or word.text.rstrip(" =<>≤").lower() != "p" or word.score < 0.8:
            continue
        behind = [
            w
            for w in words
            if 0 <= w.x0 - word.x1 < 3.5 * word.size
            and abs(w.cy - word.cy) < 0.7 * word.size
            and w.text.lstrip("=<>≤ ")[:2] in ("0.", "0,", "0·", ".0")
        ]
        out += [(word.x0, min(word.y0, w.y0), w.x1, max(word.y1, w.y1)) for w in behind[:1]]
    return out


def phrases(words: Sequence[Word], *, gap: float = 0.75) -> list[Word]:
    """Upright words on one line joined where the space between them is at most `gap` letter heights."""
    lines: list[list[Word]] = []
    upright = sorted((w for w in words if w.angle == 0), key=lambda w: (w.cy, w.x0))
    # tall scraps of a curve must not tie two lines of letters together
    tallest = 1.6 * sorted(w.size for w in upright)[len(upright) // 2] if upright else 0.0
    for word in upright:
        for line in reversed(lines[-12:]):
            # not the last: marks on the keys of a legend lie between
            beside = min(line, key=lambda w: max(w.x0 - word.x1, word.x0 - w.x1))
            low, high = sorted((beside.size, word.size))
            if high > tallest and high > 1.6 * low:
                continue
            if abs(line[-1].cy - word.cy) < 0.45 * min(high, tallest):
                line.append(word)
                break
        else:
            lines.append([word])
    out: list[Word] = []
    for line in lines:
        held: list[Word] = []
        for word in sorted(line, key=lambda w: w.x0):
            # a lone letter stands away from the edges of its place
            far = (gap + _LONE * (len(word.text) == 1 and word.text.isalnum())) * max(
                word.size, held[-1].size if held else 0
            )
            far = max(far, _OPEN * word.size) if held and _closes(held[-1], word) else far
            if held and (word.x0 - held[-1].x1 > far or _unlike(held[-1], word)):
                out.append(_joined(held))
                held = []
            held.append(word)
        if held:
            out.append(_joined(held))
    return out


def _closes(a: Word, b: Word) -> bool:
    """Whether a word ends with the bracket that the one before it opened: `(N` and `12)`, the sign between them not read."""
    return b.text.endswith(")") and "(" not in b.text and a.text.rfind("(") > a.text.rfind(")")


def _unlike(a: Word, b: Word) -> bool:
    """Whether two words are printed in clearly different colours."""
    return a.colour is not None and b.colour is not None and colour_distance(a.colour, b.colour) > 130


def _capital(text: str, word: Word, held: list[Word]) -> str:
    """A lone letter as tall as the capital before it is a capital: C, O, S, V, W, X and Z look alike in both cases."""
    if len(text) == 1 and text in "cosvwxz" and held and held[0].text[:1].isupper() and word.size > 0.88 * held[0].size:
        return text.upper()
    return text


def _joined(held: list[Word]) -> Word:
    return Word(
        " ".join(_capital(w.text, w, held[:i]) for i, w in enumerate(held)),
        min(w.x0 for w in held),
        min(w.y0 for w in held),
        max(w.x1 for w in held),
        max(w.y1 for w in held),
        0,
        min([w.score for w in held if any(map(str.isalnum, w.text))] or [w.score for w in held]),
        held[0].colour,
        None if any(w.second is None for w in held) else " ".join(str(w.second) for w in held),
    )
