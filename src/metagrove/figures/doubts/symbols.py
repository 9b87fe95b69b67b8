"""Whether arms of one ink that bear symbols are told apart by them: each must bear its own, wherever it runs by itself."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.figures.doubts.check import Check
from metagrove.figures.doubts.traced_plot import TracedPlot
from metagrove.figures.findings import Finding
from metagrove.figures.lines.symbols import Marks, passed
from metagrove.figures.runs import runs_of

__all__ = ["SYMBOLS"]

# symbols of its own that an arm shows at least; the share of them that may stand elsewhere
_FEWEST, _ASTRAY = 2, 0.2
# of the plot: what two curves enclose between two meetings before symbols must say which is which
_AREA = 0.0025

_FEW = "'{arm}' shows hardly any of its symbols"
_ELSEWHERE = "symbols of '{arm}' stand beside its curve"
_OTHERS = "'{arm}' bears the symbols of '{other}' from {time} to {until}"
_UNTOLD = "no symbol tells '{arm}' from '{other}' from {time} to {until}"


def _symbols(seen: TracedPlot) -> list[Finding]:
    """Doubts about arms of one ink by the symbols on and beside their curves."""
    marks, looks = seen.field.marks, seen.looks
    bearing = [i for i, look in enumerate(looks) if look.symbol]
    if marks is None or len(bearing) < 2:
        return []
    out = []
    on = {i: passed(marks, seen.trace.paths[i]) for i in bearing}
    kinds = marks.told
    for i in bearing:
        own = kinds == looks[i].symbol
        told = int((own & on[i]).sum())
        if told < _FEWEST and any(looks[j].style == looks[i].style for j in bearing if j != i):
            out.append(Finding(_FEW.format(arm=seen.arms[i].name)))
        elif (own & ~on[i]).sum() > max(_ASTRAY * told, 1):
            out.append(Finding(_ELSEWHERE.format(arm=seen.arms[i].name)))
    for i, j in itertools.combinations(bearing, 2):
        out += _between(seen, marks, (i, j), (on[i], on[j]))
    return out


def _between(
    seen: TracedPlot, marks: Marks, pair: tuple[int, int], on: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> list[Finding]:
    """Doubts about two arms where they run apart: between two meetings the symbols must say which is which."""
    i, j = pair
    looks = seen.looks
    alike = looks[i].style == looks[j].style
    places: Array = np.array([m.column for m in marks.places], dtype=float)
    kinds = marks.told
    alone = on[0] ^ on[1]
    right = alone & np.where(on[0], kinds == looks[i].symbol, kinds == looks[j].symbol)
    wrong = alone & np.where(on[0], kinds == looks[j].symbol, kinds == looks[i].symbol)
    out = []
    for begin, end, area in _stretches(seen, i, j):
        there = (places >= begin) & (places <= end)
        for_, against = int((right & there).sum()), int((wrong & there).sum())
        if area < _AREA or for_ > 2 * against or (not alike and not against):
            continue
        time, until = (f"{float(seen.plot.time(np.array(float(c)))):.4g}" for c in (begin, end))
        said = _OTHERS if against else _UNTOLD
        out.append(Finding(said.format(arm=seen.arms[i].name, other=seen.arms[j].name, time=time, until=until)))
    return out


def _stretches(seen: TracedPlot, i: int, j: int) -> list[tuple[int, int, float]]:
    """The columns between two meetings of two curves, and the share of the plot that they enclose there."""
    a, b = seen.trace.paths[i], seen.trace.paths[j]
    n = min(len(a.leave), len(b.leave))
    gap = np.maximum(a.enter[:n], b.enter[:n]) - np.minimum(a.leave[:n], b.leave[:n])
    apart = gap > (seen.looks[i].width + seen.looks[j].width) / 2 + 1
    tall = (seen.plot.rows[1] - seen.plot.rows[0]) * (seen.plot.columns[1] - seen.plot.columns[0])
    between = np.abs(a.leave[:n] - b.leave[:n])
    return [(p, q, float(between[p:q].sum()) / tall) for p, q in runs_of(apart)]


SYMBOLS = Check(
    "symbols",
    "arms of one ink whose symbols stand on another's curve, or say nothing where the curves have met",
    (_FEW, _ELSEWHERE, _OTHERS, _UNTOLD),
    _symbols,
)
