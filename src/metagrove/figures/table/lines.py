"""Lines of words under a plot, each cut into what stands before its counts and the counts under ticks of the time axis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.page import Word
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.rows import Cell
from metagrove.figures.writing.words import cut_to, tokens

__all__ = ["CountLine", "count_line", "count_places", "lines_of"]

_COUNT = re.compile(r"^(\d{1,3}(?:,\d{3})+|\d{1,6})(?:[.,·]?[(\[](\d{1,6})[)\]]|/(\d{1,6}))?$")
_CENSORED = re.compile(r"^[(\[](\d{1,6})[)\]]?$")
_EMPTY = re.compile(r"(?i)^([-–—]{1,3}|n/?a|n\.?a\.?|nr|\.{2,3}|…)$")
_TOUCHING = ".·,:;'`-–—_"
_LONGEST = 5
# letter heights between the two numbers of a cell at most; other cells stand this many times further off
_TOGETHER, _FURTHER = 1.3, 1.5
# letter heights from a count to the number in brackets behind it at most
_BEHIND = 1.6


@dataclass(frozen=True, slots=True)
class CountLine:
    """A line under the plot: the words before its counts, them as text, the counts by time, and where it stands.

    `places` are the numbers of the counts' ticks, `shift` is how far right of them the counts stand, `every` are all
    words of the line, `empty` the times at which a dash or `NA` stands for a count. `strays` counts numbers between the
    first and the last tick that stand under none.
    """

    words: tuple[Word, ...]
    label: str
    counts: tuple[Cell, ...]
    height: float
    places: tuple[int, ...] = ()
    shift: float = 0.0
    every: tuple[Word, ...] = ()
    empty: tuple[float, ...] = ()
    strays: int = 0

    @property
    def size(self) -> float:
        """The height of the letters before the counts, of all letters where there are none."""
        return float(np.median([w.size for w in self.words or self.every]))


@dataclass(frozen=True, slots=True)
class _Count:
    """One or two numbers of a cell and the words that hold them."""

    n: int
    more: int | None
    words: tuple[Word, ...]

    @property
    def middle(self) -> float:
        return (self.words[0].x0 + self.words[-1].x1) / 2


def lines_of(words: Sequence[Word]) -> list[list[Word]]:
    """Upright words in lines, top to bottom, each left to right."""
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda w: w.cy):
        if lines and word.cy - float(np.mean([w.cy for w in lines[-1]])) < 0.45 * word.size:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda w: w.x0) for line in lines]


def count_line(line: Sequence[Word], x: Axis) -> CountLine:
    """The line with those of its counts that stand under ticks, all shifted alike; without counts where these are few."""
    line = _united([_cleaned(w) for w in _unglued(line, x)], x)
    height = float(np.median([w.cy for w in line]))
    plain = CountLine(tuple(line), " ".join(w.text for w in line), (), height, every=tuple(line))
    counts = _counts(line)
    ticks, times = count_places(x)
    if len(counts) < 2:
        return plain
    size = float(np.median([w.size for w in line]))
    nearest, off, shift = _shifted([c.middle for c in counts], ticks, min(0.3 * x.spacing, 2.5 * size))
    if not np.isfinite(shift):
        return plain
    wide = max(1.2 * size, 0.12 * x.spacing)
    chosen: dict[int, int] = {}
    for i in np.flatnonzero(np.abs(off - shift) < wide):
        t = int(nearest[i])
        if t not in chosen or abs(off[i] - shift) < abs(off[chosen[t]] - shift):
            chosen[t] = int(i)
    if len(chosen) < (2 if len(ticks) < 4 else 3):
        return plain
    places = sorted(chosen)
    first = counts[chosen[places[0]]].words[0]
    # a name may be printed into the first count
    before = [w for w in line if w.cx < first.x0 and (w.x1 <= first.x0 + 0.5 or w.text[:1].isalpha())]
    before = [w for w in before if w.x1 > min(ticks) - 12 * x.spacing]
    cells = _falling(tuple(_cell(float(times[t]), counts[chosen[t]]) for t in places))
    dashes = [w for w in line if _EMPTY.match(w.text) and w.cx > first.x0]
    empty = tuple(float(times[k]) for k, t in enumerate(ticks) if any(abs(w.cx - t - shift) < wide for w in dashes))
    label = " ".join(w.text for w in before)
    strays = _strays(counts, [counts[i] for i in chosen.values()], off - shift, wide)
    return CountLine(tuple(before), label, cells, height, tuple(places), shift, tuple(line), empty, strays)


def _strays(counts: Sequence[_Count], chosen: Sequence[_Count], off: Array, wide: float) -> int:
    """How many numbers between the first and the last chosen one are `wide` off their ticks, and no second number of a cell."""
    ends = [c.words[-1].x1 for c in chosen]
    out = 0
    for count, far in zip(counts, off, strict=True):
        first = count.words[0]
        second = any(0 <= first.x0 - end < _BEHIND * first.size for end in ends)
        out += bool(abs(far) >= wide and not second and min(ends) < count.middle < max(ends))
    return out


def _falling(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """The cells; of events over people at risk, as in `3/155`, the second number, which falls while the first rises."""
    first, second = [c.n for c in cells], [c.censored for c in cells]
    if None in second or not any("/" in c.text for c in cells):
        return cells
    rises = first[0] < first[-1] or first[0] == 0
    falls = all(a >= b for a, b in pairwise([n for n in second if n is not None]))
    if not (rises and falls):
        return cells
    return tuple(replace(c, n=c.censored, censored=None) for c in cells if c.censored is not None)


def _shifted(middle: Sequence[float], ticks: Array, reach: float) -> tuple[Array, Array, float]:
    """For each count the nearest tick and how far right of it it stands, and the usual such distance; NaN where none is near."""
    gap = np.asarray(middle)[:, None] - ticks[None, :]
    nearest = np.abs(gap).argmin(axis=1)
    off = gap[np.arange(len(gap)), nearest]
    close = np.abs(off) < reach
    return nearest, off, float(np.median(off[close])) if close.any() else float("nan")


def _bare(text: str) -> str:
    """A count without what touches it on the page: tick marks and grid lines are read as points and hyphens."""
    return text.replace(" ", "").strip(_TOUCHING)


def _cleaned(word: Word) -> Word:
    """The word as a bare count, where it is one in both readings of a picture."""
    if word.second is None or word.text.isdigit() or not _COUNT.match(_bare(word.text)):
        return word
    plain = replace(word, text=word.text.replace(" ", ""))
    return replace(cut_to(plain, _bare(plain.text)), second=_bare(word.second))


def _united(line: Sequence[Word], x: Axis) -> list[Word]:
    """The line with the pieces of a count put together: `1 50` under one tick, with less than a digit between them."""
    ticks = count_places(x)[0]
    out: list[Word] = []
    for word in line:
        last = out[-1] if out else None
        if (
            last is not None
            and last.text.isdigit()
            and word.text.isdigit()
            and len(last.text + word.text) <= _LONGEST
            and 0 < word.x0 - last.x1 < 0.55 * min(last.size, word.size)
        ):
            both = (last.x0 + word.x1) / 2
            nearest = float(ticks[int(np.abs(ticks - both).argmin())])
            if abs(both - nearest) < min(abs(last.cx - nearest), abs(word.cx - nearest)):
                second = None if None in (last.second, word.second) else f"{last.second}{word.second}"
                box = replace(last, x1=word.x1, y0=min(last.y0, word.y0), y1=max(last.y1, word.y1))
                out[-1] = replace(box, text=last.text + word.text, second=second)
                continue
        out.append(word)
    return out


def _counts(line: Sequence[Word]) -> list[_Count]:
    """Counts of a line: `12`, `12 (3)`, `12(3)`, `12/3`, and `12 3` where all counts come in such pairs."""
    out: list[_Count] = []
    for word in line:
        plain = _COUNT.match(word.text.replace(" ", ""))
        inside = _CENSORED.match(word.text)
        if plain:
            more = plain[2] or plain[3]
            out.append(_Count(int(plain[1].replace(",", "")), int(more) if more else None, (word,)))
        elif inside and out and out[-1].more is None and word.x0 - out[-1].words[-1].x1 < _BEHIND * word.size:
            last = out.pop()
            out.append(_Count(last.n, int(inside[1]), (*last.words, word)))
    return _paired(out)


def _paired(counts: list[_Count]) -> list[_Count]:
    """The counts two by two where they stand so, brackets between them not having been read."""
    whole = [c for c in counts if c.more is not None]
    counts = [c for c in counts if c.more is None]
    if len(counts) < 6:
        return sorted([*whole, *counts], key=lambda c: c.middle)
    gaps = np.array([b.words[0].x0 - a.words[-1].x1 for a, b in pairwise(counts)])
    size = float(np.median([c.words[0].size for c in counts]))
    for first in (0, 1):
        inner, outer = gaps[first::2], np.delete(gaps, np.arange(first, len(gaps), 2))
        pairs = [(counts[k], counts[k + 1]) for k in range(first, len(counts) - 1, 2)]
        if len(pairs) < 3 or inner.max() > _TOGETHER * size or outer.min() < _FURTHER * inner.max():
            continue
        rest = [*counts[:first], *([counts[-1]] if (len(counts) - first) % 2 else [])]
        both = [_Count(a.n, b.n, (*a.words, *b.words)) for a, b in pairs]
        return sorted([*whole, *rest, *both], key=lambda c: c.middle)
    return sorted([*whole, *counts], key=lambda c: c.middle)


def count_places(x: Axis) -> tuple[Array, Array]:
    """Where counts may stand and for which times: under the labels, and where a label at 0 or the end was missed."""
    order = np.argsort(x.pixels)
    ticks, times = np.asarray(x.pixels)[order], np.asarray(x.values)[order]
    if x.log or len(times) < 2:
        return ticks, times
    step = float(np.diff(times).min())
    # labels are rounded: 166.67, 333.33, …
    lowest = 0.0 if abs(times[0] - step) < 2e-3 * step else times[0]
    full = np.arange(round((times[-1] - lowest) / step) + 1) * step + lowest
    fitted = x.pixel(full)
    nearest = np.abs(fitted[:, None] - ticks[None, :]).argmin(axis=1)
    known = np.abs(fitted - ticks[nearest]) < 0.2 * x.spacing
    return np.where(known, ticks[nearest], fitted), np.where(known, times[nearest], full)


def _unglued(line: Sequence[Word], x: Axis) -> list[Word]:
    """The line with a count that touches the name before it cut off: `A755` under the first tick is `A` and `755`."""
    first = float(count_places(x)[0][0])
    wide = max(1.2 * float(np.median([w.size for w in line])), 0.12 * x.spacing)
    if any(_COUNT.match(w.text) and abs(w.cx - first) < wide for w in line):
        return list(line)
    out: list[Word] = []
    for word in line:
        found = re.fullmatch(r"(.*?[^\d,.])(\d{1,5}(?:[(\[]\d{1,5}[)\]])?)", word.text)
        if found is None or not word.x0 < first < word.x1 + wide or word.angle:
            out.append(word)
            continue
        head, tail = tokens([replace(word, text=f"{found[1]} {found[2]}", second=_parted(word.second, found[1]))])
        if abs(tail.cx - first) < wide:
            # digits lost where name and count touch leave no trace, so one reading of a picture is not enough
            head = replace(head, text=head.text.rstrip("-–—=|_") or head.text)
            out.extend((head, tail if tail.second is None else replace(tail, second="")))
        else:
            out.append(word)
    return out


def _parted(second: str | None, head: str) -> str | None:
    """The second reading of a glued word, cut after the same number of letters."""
    if second is None:
        return None
    return f"{second[: len(head)]} {second[len(head) :]}" if len(second) > len(head) else ""


def _cell(time: float, count: _Count) -> Cell:
    """The cell of a count; it is sure where both readings give it, and the censored in brackets only count so too."""
    held = count.words
    second = held[0].text if held[0].second is None else held[0].second
    # readers of digits know no stroke between two numbers
    again = _COUNT.match(
        second.replace(" ", "")[: held[0].text.replace(" ", "").find("/") if "/" in held[0].text else None]
    )
    sure = again is not None and int(again[1].replace(",", "")) == count.n
    alike = all(w.second is None or w.second == w.text for w in held)
    box = (min(w.x0 for w in held), min(w.y0 for w in held), max(w.x1 for w in held), max(w.y1 for w in held))
    return Cell(time, count.n, count.more if alike else None, sure, box, " ".join(w.text for w in held))
