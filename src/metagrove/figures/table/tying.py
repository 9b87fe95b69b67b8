"""Whose numbers at risk are whose: each row of the table tied to a curve, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.findings import Finding
from metagrove.figures.hints import Hints
from metagrove.figures.page import RGB, Word, colour_distance
from metagrove.figures.reading import ArmReading, RiskCell
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.doubted_counts import allowed_by_curve
from metagrove.figures.table.likelihood import best_order, count_evidence
from metagrove.figures.table.rows import RiskRow
from metagrove.figures.writing.naming import named_like, numbered, paired_by_spelling, plain_name

__all__ = ["Ground", "Tie", "named_and_counted", "respelled", "tied"]

_GREY = 40
# a name beside a curve must be this much nearer to it than to any other, and no further off than three lines of text
_NEARER, _FARTHEST = 0.55, 3.0
# log likelihoods: in 1,400 simulated tables of 2 to 4 arms with unlike censoring, no assignment ahead by 5 was wrong
_AHEAD, _CLEAR, _CLEAR_IN_ORDER = 1.0, 6.0, 4.0
_MOST_ARMS = 6


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


@dataclass(frozen=True, slots=True)
class Tie:
    """For each row the index of its arm (None: of no curve), how that is known, and whether it is `sure`."""

    order: tuple[int | None, ...]
    how: str
    sure: bool = True


def respelled(rows: Sequence[RiskRow], names: Sequence[Word]) -> list[RiskRow]:
    """The rows of numbers at risk, their labels spelled as elsewhere on the page where that is printed larger.

    A label takes the spelling of a phrase whose letters all but agree with it and with no other label.
    """
    labels = [r.label for r in rows]
    out = list(rows)
    for k, row in enumerate(rows):
        others = [w for w in names if abs(w.cy - row.height) > 0.6 * max(w.size, 4.0) and w.score > 0.85]
        spelled = [w for w in others if named_like(w.text, labels) == k]
        best = max(spelled, key=lambda w: (w.size, w.score), default=None)
        if best is not None and best.size > row.size and plain_name(best.text) != plain_name(row.label):
            out[k] = replace(row, label=best.text)
    return out


def tied(
    rows: Sequence[RiskRow], arms: Sequence[ArmReading], names: Sequence[Word] = (), ground: Ground | None = None
) -> Tie:
    """For each row its arm, by the best evidence there is.

    By there being one arm, by the printed name, by the colour of the row, by the numbers 1, 2, … of a legend, by its
    label standing beside a curve whose drops and end it allows, or because counts and curves are far likelier under
    one assignment than under any other. Otherwise the most likely assignment is given as unsure.
    """
    if len(rows) != len(arms):
        return _some_tied(rows, arms)
    if len(arms) == 1:
        return Tie((0,), "one arm")
    known = [a.name for a in arms]
    exact = [plain_name(n) for n in known]
    labels = [plain_name(r.label) for r in rows]
    if len(set(exact)) == len(exact) and sorted(exact) == sorted(labels):
        return Tie(tuple(exact.index(label) for label in labels), "name")
    # where one numeral was misread, so may others be, and the spelling says nothing
    spells = not numbered(known) and not numbered([r.label for r in rows])
    near = [named_like(r.label, known) if spells else None for r in rows]
    near = [i if near.count(i) == 1 else None for i in near]
    if None not in near and len(set(near)) == len(near):
        return Tie(tuple(near), "name")
    spelled = paired_by_spelling([r.label for r in rows], known) if spells else None
    if spelled is not None:
        return Tie(spelled, "name")
    inorder = tuple(range(len(arms)))
    agree = sum(i == k for k, i in enumerate(near))
    listed = agree >= max(2, len(arms) - 2) and all(i in (None, k) for k, i in enumerate(near))
    if listed and all(_allowed(r, a) for r, a in zip(rows, arms, strict=True)):
        return Tie(inorder, "order")
    rest = [i for i in range(len(arms)) if i not in near]
    unused = [k for k, i in enumerate(near) if i is None]
    if len(rest) == len(unused) == 1 and labels[unused[0]]:
        # all names but one are known, so the last row is the last arm's
        return Tie(tuple(rest[0] if i is None else i for i in near), "the rest")
    coloured = _by_colour(rows, arms)
    if coloured is not None:
        return Tie(coloured, "colour")
    if labels == [str(i + 1) for i in range(len(arms))]:
        return Tie(tuple(range(len(arms))), "number")
    beside = _by_place(rows, arms, names, ground) if ground is not None else None
    if beside is not None and all(_allowed(r, arms[i]) for r, i in zip(rows, beside, strict=True)):
        return Tie(beside, "place")
    return _by_curves(rows, arms, beside, _listed(rows, arms, names))


def _by_place(
    rows: Sequence[RiskRow], arms: Sequence[ArmReading], names: Sequence[Word], ground: Ground
) -> tuple[int, ...] | None:
    """The arm beside which each row's label stands in the plot; None where one stands beside none or between two."""
    out = []
    labels = [r.label for r in rows]
    for k in range(len(rows)):
        spots = [w for w in names if w.cy < min(r.height for r in rows) and named_like(w.text, labels) == k]
        off = np.array([[_gap(w, ground.heights(a, np.linspace(w.x0, w.x1, 9))) for a in arms] for w in spots])
        if len(spots) != 1:
            return None
        order = np.argsort(off[0])
        if off[0][order[0]] > max(_NEARER * off[0][order[1]], 0) or off[0][order[0]] > _FARTHEST * spots[0].size:
            return None
        out.append(int(order[0]))
    return tuple(out) if len(set(out)) == len(out) else None


def _gap(word: Word, heights: Array) -> float:
    """How far a curve passes above or below a word; infinite where it does not pass."""
    if np.isnan(heights).all():
        return float("inf")
    off = np.maximum(np.maximum(word.y0 - heights, heights - word.y1), 0.0)
    return float(np.nanmin(off))


def _by_colour(rows: Sequence[RiskRow], arms: Sequence[ArmReading]) -> tuple[int, ...] | None:
    """The arm of each row's colour; None where a row is clearly nearest to none, or two rows are nearest to one.

    One arm may be drawn in black or grey: it has the one row that is not coloured.
    """
    order = [_coloured_like(r.colour, arms) for r in rows]
    known = [i for i in order if i is not None]
    rest = [i for i in range(len(arms)) if i not in known]
    if len(set(known)) < len(known) or len(rest) > 1 or not known:
        return None
    for k, row in enumerate(rows):
        if order[k] is None:
            plain = (
                row.colour is not None
                and _saturation(row.colour) <= _GREY
                and _saturation(arms[rest[0]].colour) <= _GREY
            )
            if not plain:
                return None
            order[k] = rest[0]
    return tuple(i for i in order if i is not None)


def _coloured_like(colour: RGB | None, arms: Sequence[ArmReading]) -> int | None:
    """The arm that is clearly nearest in colour to a row that is printed in colour."""
    if colour is None or _saturation(colour) <= _GREY:
        return None
    far = np.array([colour_distance(a.colour, colour) for a in arms])
    order = np.argsort(far)
    near = far[order[0]] < 90 and (len(arms) == 1 or far[order[1]] > 1.3 * far[order[0]] + 10)
    return int(order[0]) if near else None


def _saturation(colour: RGB) -> int:
    return max(colour) - min(colour)


def _nearest(colour: RGB, arms: Sequence[ArmReading]) -> int:
    return min(range(len(arms)), key=lambda i: colour_distance(arms[i].colour, colour))


def _some_tied(rows: Sequence[RiskRow], arms: Sequence[ArmReading]) -> Tie:
    """The rows that a name or a colour ties to a curve, where there are more or fewer rows than curves."""
    names = [a.name for a in arms]
    order: list[int | None] = [named_like(r.label, names) if r.label else None for r in rows]
    for k, row in enumerate(rows):
        if order[k] is None and row.colour is not None and max(row.colour) - min(row.colour) > _GREY:
            near = _nearest(row.colour, arms)
            order[k] = near if colour_distance(arms[near].colour, row.colour) < 60 else None
    out = tuple(i if i is not None and order.count(i) == 1 else None for i in order)
    return Tie(out, f"{len(rows)} rows of numbers at risk for {len(arms)} curves", sure=False)


def _by_curves(
    rows: Sequence[RiskRow], arms: Sequence[ArmReading], beside: tuple[int, ...] | None, listed: tuple[int, ...] | None
) -> Tie:
    """The assignment under which counts and curves are likeliest, sure where no other comes near it.

    `beside` is what the places of the names say, `listed` the order of the legend, which most tables keep.
    """
    if len(arms) > _MOST_ARMS:
        return Tie((None,) * len(rows), "the rows of numbers at risk name no arm", sure=False)
    allowed = [[_allowed(r, a) for a in arms] for r in rows]
    fits = [p for p in permutations(range(len(arms))) if all(allowed[k][i] for k, i in enumerate(p))]
    best, margin = best_order(np.array([[count_evidence(r.cells, a) for a in arms] for r in rows]))
    alone = fits == [best] and margin > _AHEAD
    likely = best in fits and margin > (_CLEAR if best != listed else _CLEAR_IN_ORDER)
    if (alone or likely) and beside in (None, best):
        return Tie(best, "drops")
    guess = beside or (listed if listed is not None and margin < _CLEAR else best)
    return Tie(guess, "the rows of numbers at risk name no arm; they were tied by order and drops alone", sure=False)


def _listed(rows: Sequence[RiskRow], arms: Sequence[ArmReading], names: Sequence[Word]) -> tuple[int, ...] | None:
    """The order of the arms in the legend: where each name is printed once above the table, all in a column or a row."""
    top = min(r.height for r in rows)
    found = [[w for w in names if w.cy < top - w.size and plain_name(w.text) == plain_name(a.name)] for a in arms]
    if any(len(f) != 1 for f in found):
        return None
    words = [f[0] for f in found]
    size = max(w.size for w in words)
    column = max(w.x0 for w in words) - min(w.x0 for w in words) < size
    level = max(w.cy for w in words) - min(w.cy for w in words) < 0.6 * size
    if column == level:
        return None
    return tuple(sorted(range(len(arms)), key=lambda i: words[i].cy if column else words[i].x0))


def _allowed(row: RiskRow, arm: ArmReading) -> bool:
    return allowed_by_curve(row.cells, arm) and _ends_with(row, arm)


def _ends_with(row: RiskRow, arm: ArmReading) -> bool:
    """Whether the row may end where the curve does: nobody is at risk after its end."""
    late = 0.01 * max(row.cells[-1].time, arm.end) + 2 * float(np.median(arm.time_error))
    return all(c.n == 0 for c in row.cells if c.time > arm.end + late)


def named_and_counted(
    arms: list[ArmReading], rows: Sequence[RiskRow], hints: Hints, names: Sequence[Word], ground: Ground
) -> tuple[list[ArmReading], list[RiskCell], list[Finding]]:
    """The arms under distinct names, the cells of the table with the arm each belongs to, and what is doubtful.

    An arm that no legend names takes the label of its row; a row of no curve keeps its cells under its own label.
    """
    if not rows:
        return unique_names(arms, hints), [], []
    tie = tied(rows, arms, names, ground)
    if any(not a.name for a in arms) and tie.sure:
        labels = {i: r.label for r, i in zip(rows, tie.order, strict=True)}
        arms = [a if a.name else replace(a, name=labels.get(i, "")) for i, a in enumerate(arms)]
    arms = unique_names(arms, hints)
    findings = [] if tie.sure else [Finding(tie.how)]
    known = [a.name for a in arms]
    cells: list[RiskCell] = []
    pairs = sorted(zip(tie.order, range(len(rows)), strict=True), key=lambda p: (p[0] is None, p[0] or 0, p[1]))
    for i, k in pairs:
        row = rows[k]
        label = known[i] if i is not None else _free(row.label or f"Row {k + 1}", known)
        if row.holes:
            findings.append(Finding(f"numbers at risk of '{label}' have gaps"))
        whose = tie.sure or (i is not None and len(rows) != len(arms))
        cells += [RiskCell(label, c.time, c.n, c.censored, c.sure and whose, c.box, c.text) for c in row.cells]
    return arms, cells, findings


def _free(label: str, names: Sequence[str]) -> str:
    """The label of a row that belongs to no curve, told from the names of the arms."""
    return label if label not in names else f"{label} (row)"


def unique_names(arms: Sequence[ArmReading], hints: Hints) -> list[ArmReading]:
    """The arms under distinct names: from the hints, else as read, else a number."""
    named = list(arms)
    if len(hints.arms) == len(arms):
        free = list(range(len(arms)))
        for hint in hints.arms:
            match = _hinted(hint.colour, hint.style, [named[i] for i in free])
            index = free.pop(match)
            named[index] = replace(named[index], name=hint.name or named[index].name)
    out: list[ArmReading] = []
    for place, arm in enumerate(named, 1):
        name = arm.name.strip() or f"Arm {place}"
        taken = {a.name for a in out}
        out.append(replace(arm, name=name if name not in taken else f"{name} ({place})"))
    return out


def _hinted(colour: tuple[int, int, int] | None, style: str | None, arms: Sequence[ArmReading]) -> int:
    def cost(arm: ArmReading) -> float:
        far = colour_distance(colour, arm.colour) if colour is not None else 0.0
        return far + (100.0 if style is not None and style != arm.style else 0.0)

    return min(range(len(arms)), key=lambda i: cost(arms[i]))
