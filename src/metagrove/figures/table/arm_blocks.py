"""Tables with a block for each arm: its name on a line of its own, then lines of people at risk, censored and events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from metagrove.figures.page import Word
from metagrove.figures.table.lines import CountLine
from metagrove.figures.table.rows import Cell, RiskRow

__all__ = ["named_by_block"]

_AT_RISK = re.compile(r"(?i)^(no\.?|n|number|numbers|patients|subjects|pts)?\s*(of\s+\w+\s+)?at\s*risk:?$")
_OTHER = re.compile(
    r"(?i)^(cum(ulative|\.)?\s*)?(no\.?\s*|n\s*|number\s*)?(of\s*)?(censored|events?|deaths?|failures?|losses|lost):?$"
)
# sums that must be the number of patients, of those in a row
_MOST = 0.75
# from a block's heading to its first line at most, in letter heights and in the way to the next line
_ABOVE, _PITCH = 4.0, 1.3
# letter heights between the words of a name at most
_SPACE = 1.0


def named_by_block(rows: Sequence[RiskRow], lines: Sequence[CountLine]) -> list[RiskRow]:
    """The rows of people at risk, each under the name printed above its block; other tables are returned as they are.

    Where lines of censored and of events follow, a count is sure if the three add up to the same number of patients as in
    most columns, and unsure if they do not.
    """
    own = [r for r in rows if _AT_RISK.match(r.label)]
    if not own or any(not _AT_RISK.match(r.label) and not _OTHER.match(r.label) for r in rows):
        return list(rows)
    ends = [r.height for r in own[1:]] + [float("inf")]
    out = []
    for row, end in zip(own, ends, strict=True):
        heading = _heading(row, lines)
        if not heading:
            out.append(row)
            continue
        label = " ".join(w.text for w in heading)
        below = [line for line in lines if row.height < line.height < end and _OTHER.match(line.label)]
        cells = _added_up(row.cells, [line.counts for line in below[:2]])
        out.append(replace(row, label=label, colour=heading[-1].colour, cells=cells))
    return out


def _heading(row: RiskRow, lines: Sequence[CountLine]) -> list[Word]:
    """The words of the name on a line of its own above a row, which begins before the first count ends.

    The title of the axis begins further right.
    """
    begin = row.cells[0].box[2]
    below = [line.height - row.height for line in lines if line.counts and line.height > row.height]
    reach = max(_ABOVE * (row.size or 1.0), _PITCH * min(below, default=0.0))
    for line in sorted(lines, key=lambda line: -line.height):
        if line.counts or not 0 < row.height - line.height < reach:
            continue
        every = sorted((line.every or line.words), key=lambda w: w.x0)
        if not every or every[0].x0 > begin:
            continue
        end = next((k for k, (a, b) in enumerate(pairwise(every), 1) if b.x0 - a.x1 > _SPACE * b.size), len(every))
        own = every[:end]
        text = "".join(w.text for w in own)
        if sum(c.isalnum() for c in text) > 1 and any(c.isalpha() for c in text):
            return own
    return []


def _added_up(cells: tuple[Cell, ...], others: Sequence[tuple[Cell, ...]]) -> tuple[Cell, ...]:
    """The cells, sure where at risk, censored and events add up to the number of patients."""
    if len(others) != 2:
        return cells
    tables = [{c.time: c.n for c in line} for line in others]
    sums = [c.n + tables[0][c.time] + tables[1][c.time] if all(c.time in t for t in tables) else None for c in cells]
    known = [s for s in sums if s is not None]
    if len(known) < 2:
        return cells
    patients = max(set(known), key=known.count)
    if known.count(patients) < max(2, _MOST * len(known)):
        return cells
    return tuple(c if s is None else replace(c, sure=s == patients) for c, s in zip(cells, sums, strict=True))
