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
    if not any(line.words for line in named if line.counts):
        named = _named_behind(named)
        if any(line.words for line in named if line.counts):
            return named
    lefts = [line.words[0].x0 for line in named if line.counts and line.words]
    if lefts:
        edge = float(np.median(lefts))
        named = [_in_column(line, other, edge) for line, other in zip(named, lines, strict=True)]
    named = _continued(named)
    return [replace(n, label=" ".join(w.text for w in n.words)) if n.counts else n for n in named]


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
    """The lines under the names that stand behind their counts, in one column, where most rows have one there."""
    rows = [line for line in lines if line.counts]
    first = [next((w for w in line.every if w.x0 > line.counts[-1].box[2]), None) for line in rows]
    near = [w for w, line in zip(first, rows, strict=True) if w and w.x0 - line.counts[-1].box[2] < _FARTHEST * w.size]
    if 2 * len(near) < len(rows) or not near:
        return list(lines)
    edge = float(np.median([w.x0 for w in near]))
    out = []
    for line in lines:
        own = [w for w in line.every if line.counts and w.x0 > max(edge - _ASTRAY * w.size, line.counts[-1].box[2])]
        name = own[: next((k + 1 for k, (a, b) in enumerate(pairwise(own)) if b.x0 - a.x1 > _APART * b.size), len(own))]
        text = " ".join(w.text for w in name)
        out.append(replace(line, words=tuple(name), label=text) if _named(name) and not title(text) else line)
    return out


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
