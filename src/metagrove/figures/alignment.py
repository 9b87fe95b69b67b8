"""Numbers at risk judged by where they stand: a count that has lost a digit is off the middle of its column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metagrove.figures.axes import Axis
from metagrove.figures.risk_table import RiskRow

__all__ = ["centred"]

_FEWEST = 5
# in letter heights: how exactly centred counts stand, and half of what a lost digit moves the middle
_EXACT, _LOST = 0.08, 0.2


def centred(rows: Sequence[RiskRow], x: Axis) -> list[RiskRow]:
    """The rows with those counts unsure that stand off the middle of their columns where all others are centred."""
    cells = [c for r in rows for c in r.cells if c.censored is None]
    if len(cells) < _FEWEST:
        return list(rows)
    size = float(np.median([c.box[3] - c.box[1] for c in cells]))
    off = np.array([(c.box[0] + c.box[2]) / 2 - float(x.pixel(c.time)) for c in cells]) / max(size, 1.0)
    middle = float(np.median(off))
    if float(np.median(np.abs(off - middle))) > _EXACT:
        return list(rows)
    astray = {id(c) for c, o in zip(cells, off, strict=True) if abs(o - middle) > _LOST}
    return [replace(r, cells=tuple(replace(c, sure=c.sure and id(c) not in astray) for c in r.cells)) for r in rows]
