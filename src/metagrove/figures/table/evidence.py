"""What speaks for a row of counts being a curve's: its name, its colour, where the name stands, its counts, the order.

Each kind of evidence is a matrix of log likelihoods, shape (rows, arms), up to constants of rows and of arms; the sum over
an assignment compares assignments. The weights are our own, set so that the rules which they replaced come out alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.page import RGB, Word, colour_distance
from metagrove.figures.reading import ArmReading
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.doubted_counts import allowed_by_curve
from metagrove.figures.table.likelihood import count_evidence
from metagrove.figures.table.rows import RiskRow, towards_plot
from metagrove.figures.writing.naming import likeness, named_like, numbered, plain_name

__all__ = ["Ground", "allowed", "by_colour", "by_counts", "by_name", "by_place", "in_order", "ordered"]

_GREY = 40
# a name read alike, and for each tenth of likeness above what chance gives; of numerals less is to be believed
_ALIKE, _TENTH, _CHANCE, _NUMERALS = 7.0, 1.5, 0.6, 0.35
# for each time that a colour, or a name on the page, is twice as far from one arm as from the nearest
_TWICE = 3.0
_WORST, _BLURRED, _FARTHEST = -6.0, 15.0, 3.0
_PALEST, _PALE_LETTERS = 110.0, 10.0
# counts alone never weigh more than this, for one misread digit may turn them
_MOST, _FORBIDDEN = -10.0, -6.0
# that a table is printed in the order of its legend, by the number of arms
_LISTED = (0.0, 0.0, 2.0, 3.0)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where curves lie on the page: the two axes, what 100 % is on the y axis, and whether curves are drawn rising."""

    x: Axis
    y: Axis
    scale: float
    rising: bool = False

    def heights(self, arm: ArmReading, columns: Array) -> Array:
        """The height on the page at which the arm's curve runs in each column; NaN beyond its end."""
        time = self.x.value(columns)
        level = arm.at(time)
        height = self.y.pixel((1 - level if self.rising else level) * self.scale)
        return np.where(time <= arm.end, height, np.nan)


def by_name(rows: Sequence[RiskRow], arms: Sequence[ArmReading]) -> Array:
    """How alike the printed names are; nothing for a row or an arm without one."""
    known = [a.name for a in arms]
    weight = _NUMERALS if numbered(known) or numbered([r.label for r in rows]) else 1.0
    out = np.zeros((len(rows), len(arms)))
    for k, row in enumerate(rows):
        for i, name in enumerate(known):
            if plain_name(row.label) and plain_name(name):
                alike = likeness(row.label, name)
                steps = 10 * (alike - _CHANCE) * _TENTH
                out[k, i] = weight * (_ALIKE if alike == 1 else max(steps, -2 * _TENTH))
    return out


def by_colour(rows: Sequence[RiskRow], arms: Sequence[ArmReading], names: Sequence[Word] = ()) -> Array:
    """How near in colour row and curve are; where some rows are coloured, those that are not are no coloured curve's.

    The colour of a row is its own or, where all rows are black or grey, that in which its name stands in the plot.
    """
    out = np.zeros((len(rows), len(arms)))
    colours = [r.colour for r in rows]
    coloured = [c is not None and _saturation(c) > _GREY for c in colours]
    if not any(coloured):
        colours = _elsewhere(rows, names)
        grey = _greyness(names)
        coloured = [c is not None and _saturation(c) > grey for c in colours]
    for k, colour in enumerate(colours if any(coloured) else []):
        if colour is None:
            continue
        if not coloured[k]:
            out[k] = [-_TWICE if _saturation(a.colour) > _GREY else 0.0 for a in arms]
            continue
        far = np.array([colour_distance(a.colour, colour) for a in arms])
        if far.min() < _PALEST:
            out[k] = _doublings(far, _BLURRED)
    return out


def _elsewhere(rows: Sequence[RiskRow], names: Sequence[Word]) -> list[RGB | None]:
    """The colour in which each row's name is printed beside the table, where it is printed once."""
    labels, names = [r.label for r in rows], towards_plot(names, rows)
    out: list[RGB | None] = []
    for k in range(len(rows)):
        seen = [w.colour for w in names if w.colour is not None and named_like(w.text, labels) == k]
        out.append(seen[0] if len(seen) == 1 else None)
    return out


def _greyness(names: Sequence[Word]) -> float:
    """How far from grey the letters of a page are that are meant to be black: small coloured ones are as pale as that."""
    known = [_saturation(w.colour) for w in names if w.colour is not None]
    usual = float(np.median(known)) if known else 0.0
    return min(max(_PALE_LETTERS + 3 * usual, 2 * _PALE_LETTERS), float(_GREY))


def by_place(
    rows: Sequence[RiskRow], arms: Sequence[ArmReading], names: Sequence[Word], ground: Ground | None
) -> Array:
    """How near to each curve a row's name stands, if it is printed once in the plot and close to one."""
    out = np.zeros((len(rows), len(arms)))
    if ground is None:
        return out
    labels = [r.label for r in rows]
    names = towards_plot(names, rows)
    for k in range(len(rows)):
        spots = [w for w in names if labels[k] and named_like(w.text, labels) == k]
        if len(spots) == 1:
            word = spots[0]
            columns = np.linspace(word.x0, word.x1, 9)
            off = np.array([_gap(word, ground.heights(a, columns)) for a in arms]) / max(word.size, 1.0)
            if off.min() < _FARTHEST:
                out[k] = _doublings(off, 0.1)
    return out


def by_counts(rows: Sequence[RiskRow], arms: Sequence[ArmReading], *, without: float | None = None) -> Array:
    """How likely counts and drops are together, and whether the curve allows the counts at all; one time may be left out."""
    rows = [replace(r, cells=tuple(c for c in r.cells if c.time != without)) for r in rows]
    out = np.array([[count_evidence(r.cells, a) for a in arms] for r in rows]).reshape(len(rows), len(arms))
    # what a curve gives to all rows alike says nothing, nor what a row gives to all curves
    out = out - out.max(axis=0, keepdims=True)
    out = np.maximum(out - out.max(axis=1, keepdims=True), _MOST)
    return np.asarray(out + np.array([[0.0 if allowed(r, a) else _FORBIDDEN for a in arms] for r in rows]))


def allowed(row: RiskRow, arm: ArmReading) -> bool:
    """Whether the counts can be the curve's: enough people leave, and nobody is at risk after its end."""
    if not row.cells:
        return True
    late = 0.01 * max(row.cells[-1].time, arm.end) + 2 * float(np.median(arm.time_error))
    return allowed_by_curve(row.cells, arm) and all(c.n == 0 for c in row.cells if c.time > arm.end + late)


def in_order(count: int) -> float:
    """The log odds that a table of so many rows keeps the order of the legend."""
    return _LISTED[count] if count < len(_LISTED) else _LISTED[-1] + 1


def ordered(rows: Sequence[RiskRow], arms: Sequence[ArmReading], names: Sequence[Word]) -> tuple[int, ...] | None:
    """The order of the arms in the legend, where their names stand beside the table in a column, a row or both."""
    names = towards_plot(names, rows)
    found = [[w for w in names if plain_name(a.name) and plain_name(w.text) == plain_name(a.name)] for a in arms]
    if [plain_name(r.label) for r in rows] == [str(k + 1) for k in range(len(arms))] and not any(found):
        return tuple(range(len(arms)))
    if any(len(f) != 1 for f in found):
        return None
    words = [f[0] for f in found]
    size = max(w.size for w in words)
    if not _gridded([w.x0 for w in words], size) and not _gridded([w.cy for w in words], 0.6 * size):
        return None
    return tuple(sorted(range(len(arms)), key=lambda i: (round(words[i].cy / (0.6 * size)), words[i].x0)))


def _gridded(places: Sequence[float], tolerance: float) -> bool:
    """Whether places fall into groups of the same number, each within a tolerance and clearly apart; one apiece is none."""
    levels = np.sort(np.asarray(places))
    groups = np.split(levels, np.flatnonzero(np.diff(levels) > 2 * tolerance) + 1)
    even = len({len(g) for g in groups}) == 1 and len(groups) < len(levels)
    return even and all(float(np.ptp(g)) < tolerance for g in groups)


def _doublings(far: Array, blur: float) -> Array:
    """The evidence of distances: so much against each arm for every time that it is twice as far as the nearest."""
    near = np.where(np.isfinite(far), far, 1e6) + blur
    return np.asarray(np.maximum(-_TWICE * np.log2(near / near.min()), _WORST))


def _gap(word: Word, heights: Array) -> float:
    """How far a curve passes above or below a word; infinite where it does not pass."""
    if np.isnan(heights).all():
        return float("inf")
    off = np.maximum(np.maximum(word.y0 - heights, heights - word.y1), 0.0)
    return float(np.nanmin(off))


def _saturation(colour: RGB) -> int:
    return max(colour) - min(colour)
