"""The names of the rows of a table: the words before the counts, without other columns, from two lines where need be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from metagrove.figures.page import Word
from metagrove.figures.table.lines import CountLine

__all__ = ["labelled", "title", "unticked", "untitled"]

# letter heights: from a name to its first count, between its words, from a name to another column, off the names' column
_FARTHEST, _APART, _COLUMN, _ASTRAY = 14.0, 2.2, 1.1, 1.5
# letter heights between the two lines of a name at most
_LEADING = 1.75
_TICK = re.compile(r"\s*[-–—]$")
_FIGURES = re.compile(r"^[(\[]?\d[\d.,·]*%?(?:/\d+)?[)\]]?$")
_HEADED = re.compile(
    r"(?i)^\W*(?:no|nos|number|numbers|patients|subjects|pts|persons|people)\b\.?\s*(?:of \w+ )?at\s*risk\b[\s:.]*"
)
_TITLE = re.compile(
    r"(?i)\b(?:no|nos|number|numbers|patients|subjects|pts|persons|people)?\.?\s*(?:of \w+ )?at\s*risk\b|"
    r"^\W*\(?(?:number|no\.?|n)?\s*(?:of )?(?:cumulative )?(?:censored|events?|deaths?)\)?\W*$"
)


def title(text: str) -> bool:
    """Whether words are the heading of a table and no name.

    >>> title("No. at risk"), title("(number censored)"), title("High risk")
    (True, True, False)
    """
    return _TITLE.search(text) is not None


def untitled(label: str) -> str:
    """The name of an arm without the heading of the table before it and without leaders behind it.

    >>> untitled("No. at risk Placebo ...."), untitled("Number at risk"), untitled("Low risk:")
    ('Placebo', '', 'Low risk')
    """
    return _HEADED.sub("", label).strip(" .:;…_")


def unticked(labels: Sequence[str]) -> list[str]:
    """The names of all rows without the tick of an axis that was read as a dash behind each.

    >>> unticked(["Low risk -", "High risk-"]), unticked(["HER2-", "HER2+"]), unticked(["-"])
    (['Low risk', 'High risk'], ['HER2-', 'HER2+'], [''])
    """
    ticked = all(_TICK.search(label) for label in labels) and len(labels) > 1
    return [
        _TICK.sub("", label) if ticked or label.endswith(" -") or not any(map(str.isalnum, label)) else label
        for label in labels
    ]


def labelled(lines: Sequence[CountLine]) -> list[CountLine]:
    """The lines with counts under their names alone; lines without counts stay as they are.

    A name is the last words before the counts that stand together, other columns of numbers left out. Names stand in one
    column, which finds those far from their counts. A line without counts close under a row, or above and under one without
    a name, belongs to its name. Where nothing stands before the counts of any row, names stand behind them.
    """
    named = [replace(line, words=tuple(_adjoining(line))) if line.counts else line for line in lines]
    if not any(c.isalpha() for line in named if line.counts for w in line.words for c in w.text):
        behind = _named_behind(named)
        if behind:
            return behind
        if _totals(named, lines):
            lines = [replace(line, words=()) if line.counts else line for line in lines]
            named = lines
    lefts = [line.words[0].x0 for line in named if line.counts and line.words]
    rows = [line for line in lines if line.counts and line.words]
    if not lefts and len(rows) == sum(bool(line.counts) for line in lines) > 1:
        # names in one column may stand far from their counts
        firsts = [line.words[0].x0 for line in rows]
        lefts = firsts if np.ptp(firsts) < _ASTRAY * rows[0].size else []
    if lefts:
        edge = float(np.median(lefts))
        named = [_in_column(line, other, edge) for line, other in zip(named, lines, strict=True)]
    named = _continued(named)
    return [replace(n, label=" ".join(w.text for w in n.words)) if n.counts else n for n in named]


def _totals(named: Sequence[CountLine], whole: Sequence[CountLine]) -> bool:
    """Whether the words before the counts are the last of several columns of numbers, or numbers of patients, and no names."""
    rows = [(n, w) for n, w in zip(named, whole, strict=True) if n.counts and n.words]
    several = all(len(w.words) > 1 and all(_FIGURES.match(v.text) for v in w.words) for _, w in rows)
    last = [(n.words[-1].text, n.counts[0].n) for n, _ in rows]
    return len(rows) > 1 and (several or all(text.isdigit() and int(text) >= count for text, count in last))


def _adjoining(line: CountLine) -> list[Word]:
    """The last words before the counts that stand together; words of another column of text or numbers are dropped."""
    before = list(line.words)
    while len(before) > 1 and _FIGURES.match(before[-1].text) and _named(before[:-1]):
        if before[-1].x0 - before[-2].x1 < _COLUMN * before[-1].size:
            break
        before.pop()
    out: list[Word] = []
    edge = line.counts[0].box[0] if len(before) == len(line.words) else before[-1].x1
    for word in reversed(before):
        if edge - word.x1 > (_FARTHEST if not out else _APART) * word.size:
            break
        out.insert(0, word)
        edge = word.x0
    return out


def _named_behind(lines: Sequence[CountLine]) -> list[CountLine]:
    """The lines under the names that stand behind their counts, in one column, where most rows have one there; else none.

    Names of a single sign must be in every row and all different.
    """
    rows = [line for line in lines if line.counts]
    after = [[w for w in line.every if w.x0 > line.counts[-1].box[2] and _spoken(w)] for line in rows]
    near = [own[0] for own, line in zip(after, rows, strict=True) if own and _close_behind(own[0], line)]
    if 2 * len(near) < len(rows) or not near:
        return []
    edge = float(np.median([w.x0 for w in near]))
    single = len({w.text for w in near}) == len(near) == len(rows) > 1 and all(len(w.text) == 1 for w in near)
    out = []
    for line in lines:
        name = _column_words(line, edge) if line.counts else []
        text = " ".join(w.text for w in name)
        told = (_named(name) and not title(text)) or (single and name)
        out.append(replace(line, words=tuple(name), label=text) if told else _unnamed(line))
    if not any(line.words for line in out if line.counts):
        return []
    return [_with_second_line(line, out, edge) for line in out]


def _unnamed(line: CountLine) -> CountLine:
    return replace(line, words=(), label="") if line.counts else line


def _spoken(word: Word) -> bool:
    return any(c.isalnum() for c in word.text)


def _close_behind(word: Word, line: CountLine) -> bool:
    """Whether a word stands as near behind the last count as a name does."""
    return word.x0 - line.counts[-1].box[2] < _FARTHEST * word.size


def _column_words(line: CountLine, edge: float) -> list[Word]:
    """The words of a line from the left edge of a column on, up to the next wide gap; those of a row behind its counts."""
    end = line.counts[-1].box[2] if line.counts else -np.inf
    own = [w for w in line.every if w.x0 > max(edge - _ASTRAY * w.size, end) and _spoken(w)]
    if not own or (not line.counts and abs(own[0].x0 - edge) > _ASTRAY * own[0].size):
        return []
    return own[: next((k + 1 for k, (a, b) in enumerate(pairwise(own)) if b.x0 - a.x1 > _APART * b.size), len(own))]


def _with_second_line(row: CountLine, lines: Sequence[CountLine], edge: float) -> CountLine:
    """A row under the two lines of its name behind it: the second one under the first, or one above and one under the row."""
    if not row.counts:
        return row
    beside = {line.height: _column_words(line, edge) for line in lines if not line.counts}
    near = {h: w for h, w in beside.items() if w and abs(h - row.height) < _LEADING * w[0].size}
    above = [h for h in near if h < row.height]
    under = [h for h in near if h > row.height]
    closer = [h for h in under if all(abs(h - r.height) >= h - row.height for r in lines if r.counts)]
    if not closer or bool(above) == bool(row.words):
        return row
    words = (*(near[max(above)] if above else row.words), *near[min(closer)])
    return replace(row, words=words, label=" ".join(w.text for w in words))


def _named(words: Sequence[Word]) -> bool:
    return any(sum(c.isalpha() for c in w.text) > 1 for w in words)


def _in_column(line: CountLine, whole: CountLine, edge: float) -> CountLine:
    """A row without a name with the words that begin where those of the other rows do."""
    if not line.counts or line.words:
        return line
    own = [w for w in whole.words if w.x0 > edge - _ASTRAY * w.size]
    if not own or abs(own[0].x0 - edge) > _ASTRAY * own[0].size:
        return line
    kept = own[:1]
    for a, b in pairwise(own):
        if b.x0 - a.x1 > _APART * b.size:
            break
        kept.append(b)
    return replace(line, words=tuple(kept))


def _continued(lines: Sequence[CountLine]) -> list[CountLine]:
    """The rows with the second lines of their names."""
    out = list(lines)
    rows = [k for k, line in enumerate(out) if line.counts]
    for place, k in enumerate(rows):
        row = out[k]
        above = out[k - 1] if k and not out[k - 1].counts else None
        below = out[k + 1] if k + 1 < len(out) and not out[k + 1].counts else None
        after = out[rows[place + 1]].height if place + 1 < len(rows) else np.inf
        if below is None or not _line_of_name(below, row):
            continue
        if not row.words:
            if above is not None and _line_of_name(above, row):
                out[k] = replace(row, words=(*above.words, *below.words))
        elif after - below.height > 1.15 * (below.height - row.height) and _under(below, row):
            out[k] = replace(row, words=(*row.words, *below.words))
    return out


def _line_of_name(line: CountLine, row: CountLine) -> bool:
    """Whether a line without counts, close to a row, may be part of its name."""
    if line.counts or title(line.label) or not _named(line.words):
        return False
    size = line.size
    near = abs(line.height - row.height) < _LEADING * size
    return near and line.words[-1].x1 < row.counts[0].box[0] + 0.5 * size


def _under(line: CountLine, row: CountLine) -> bool:
    """Whether a line begins below the name of a row, or indented a little, or ends with it."""
    size = line.size
    left, right = line.words[0].x0 - row.words[0].x0, line.words[-1].x1 - row.words[-1].x1
    return -0.5 * size < left < 2.5 * size or abs(right) < 0.5 * size
