"""Whose numbers at risk are whose: each row of the table tied to a curve, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from metagrove.core.values import Array
from metagrove.figures.assignment import assigned
from metagrove.figures.findings import Finding
from metagrove.figures.hints import Hints
from metagrove.figures.page import Word, colour_distance
from metagrove.figures.reading import ArmReading, RiskCell
from metagrove.figures.table.evidence import (
    Ground,
    by_colour,
    by_counts,
    by_name,
    by_place,
    in_order,
    ordered,
)
from metagrove.figures.table.posterior import settled_by_curve
from metagrove.figures.table.rows import RiskRow
from metagrove.figures.writing.naming import in_numerals, likeness, name_alone, named_like, numbered, plain_name

__all__ = ["Tie", "named_and_counted", "respelled", "tied"]

# how far the best assignment must be ahead of the next, as a log likelihood: one in 150 is wrong
_AHEAD = 5.0
# how far it must stay ahead with the counts of a time left out at which one may be misread
_STILL = 1.0
# what all names read alike in both places weigh, and what ties a row where rows and curves differ in number
_ALL_ALIKE, _TELLS = 7.0, 2.0
# how alike the label of a row and a name must be that a letter or a numeral was lost from
_SHARED = 0.6


#: For each kind of evidence about an assignment as a whole the assignment and its weight.
_Whole: TypeAlias = dict[str, tuple[tuple[int, ...] | None, float]]


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
        if best is None or best.size <= row.size:
            continue
        spelling = name_alone(best.text)
        if plain_name(spelling) != plain_name(row.label):
            out[k] = replace(row, label=spelling)
    return out


def tied(
    rows: Sequence[RiskRow], arms: Sequence[ArmReading], names: Sequence[Word] = (), ground: Ground | None = None
) -> Tie:
    """For each row its arm: the assignment for which most speaks, sure where no other comes near it.

    What speaks: the printed name, the colour, the place of the name beside a curve, counts and drops, and the order of the
    legend, which tables mostly keep. `how` names what decides most against the next best assignment.
    """
    kinds = {"name": by_name(rows, arms), "colour": by_colour(rows, arms, names)}
    if len(rows) != len(arms):
        return _some_tied(kinds["name"], kinds["colour"])
    if len(arms) == 1:
        return Tie((0,), "one arm")
    kinds["place"] = by_place(rows, arms, names, ground)
    kinds["drops"] = by_counts(rows, arms)
    whole: _Whole = {
        "name": (_all_alike(rows, arms), _ALL_ALIKE),
        "order": (ordered(rows, arms, names), in_order(len(arms))),
    }
    best, after, ahead = _first(np.sum(list(kinds.values()), axis=0), whole)
    parts = {kind: _sum(matrix, best) - _sum(matrix, after) for kind, matrix in kinds.items()}
    for kind, (listed, weight) in whole.items():
        parts[kind] = parts.get(kind, 0.0) + weight * ((listed == best) - (listed == after))
    how = max(parts, key=lambda kind: parts[kind])
    told = np.sum([matrix for kind, matrix in kinds.items() if kind != "drops"], axis=0)
    if ahead > _AHEAD and (_first(told, whole)[2] > _AHEAD or _holds(best, told, whole, rows, arms)):
        return Tie(best, how)
    return Tie(best, "the rows of numbers at risk name no arm; they were tied by order and drops alone", sure=False)


def _holds(
    best: tuple[int, ...], told: Array, whole: _Whole, rows: Sequence[RiskRow], arms: Sequence[ArmReading]
) -> bool:
    """Whether no doubtful count decides: with those of its time left out the same assignment is still ahead."""
    for time in {c.time for r in rows for c in r.cells if not c.sure}:
        first, _, ahead = _first(told + by_counts(rows, arms, without=time), whole)
        if first != best or ahead < _STILL:
            return False
    return True


def _first(evidence: Array, whole: _Whole) -> tuple[tuple[int, ...], tuple[int, ...], float]:
    """The best assignment, the next, and by how much the first is ahead; `whole` weighs assignments as a whole."""

    def worth(order: tuple[int, ...]) -> float:
        return _sum(evidence, order) + sum(weight for listed, weight in whole.values() if listed == order)

    known = [order for order, _ in whole.values() if order is not None]
    best, after = sorted({*_likeliest(evidence), *known}, key=lambda order: (-worth(order), order))[:2]
    return best, after, worth(best) - worth(after)


def _sum(evidence: Array, order: Sequence[int]) -> float:
    return float(evidence[np.arange(len(order)), list(order)].sum())


def _likeliest(evidence: Array) -> list[tuple[int, ...]]:
    """The assignment of largest sum, and for each of its pairs the best one without it; the next best is among them."""
    first = tuple(int(i) for i in assigned(-evidence)[1])
    out = [first]
    for k, i in enumerate(first):
        without = -evidence.copy()
        without[k, i] = 1e6
        out.append(tuple(int(j) for j in assigned(without)[1]))
    return out


def _all_alike(rows: Sequence[RiskRow], arms: Sequence[ArmReading]) -> tuple[int, ...] | None:
    """The assignment under which each row is printed under exactly the name of its arm, all of them different."""
    known = [plain_name(a.name) for a in arms]
    labels = [plain_name(r.label) for r in rows]
    if len(set(known)) < len(known) or sorted(known) != sorted(labels):
        return None
    return tuple(known.index(label) for label in labels)


def _some_tied(name: Array, colour: Array) -> Tie:
    """The rows that a name or a colour ties to a curve, where there are more or fewer rows than curves."""
    rows, arms = name.shape
    order: list[int | None] = []
    for speaks, named in zip(name + colour, name, strict=True):
        best = int(speaks.argmax()) if arms else 0
        clear = arms > 0 and np.sum(speaks > speaks[best] - _TELLS) == 1 and (arms > 1 or named[best] > 0)
        order.append(best if clear and named[best] >= 0 else None)
    out = tuple(i if i is not None and order.count(i) == 1 else None for i in order)
    return Tie(out, f"{rows} rows of numbers at risk for {arms} curves", sure=False)


def named_and_counted(
    arms: list[ArmReading], rows: Sequence[RiskRow], hints: Hints, names: Sequence[Word], ground: Ground
) -> tuple[list[ArmReading], list[RiskCell], list[Finding]]:
    """The arms under distinct names, the cells of the table with the arm each belongs to, and what is doubtful.

    An arm that no legend names takes the label of its row; a row of no curve keeps its cells under its own label.
    """
    if not rows:
        return _unique_names(arms, hints), [], []
    arms = _numeralled(arms, rows)
    tie = tied(rows, arms, names, ground)
    if any(not a.name for a in arms) and tie.sure:
        labels = {i: r.label for r, i in zip(rows, tie.order, strict=True)}
        arms = [a if a.name else replace(a, name=labels.get(i, "")) for i, a in enumerate(arms)]
    if tie.sure:
        arms = _told_apart(arms, {i: r.label for r, i in zip(rows, tie.order, strict=True) if i is not None})
    arms = _unique_names(arms, hints)
    findings = [] if tie.sure else [Finding(tie.how)]
    known = [a.name for a in arms]
    cells: list[RiskCell] = []
    pairs = sorted(zip(tie.order, range(len(rows)), strict=True), key=lambda p: (p[0] is None, p[0] or 0, p[1]))
    for i, k in pairs:
        row = rows[k] if i is None or not tie.sure else settled_by_curve(rows[k], arms[i])
        label = known[i] if i is not None else _free(row.label or f"Row {k + 1}", known)
        if row.holes:
            findings.append(Finding(f"numbers at risk of '{label}' have gaps"))
        if row.strays:
            findings.append(Finding(f"{row.strays} numbers beside those at risk of '{label}' stand under no tick"))
        whose = tie.sure or (i is not None and len(rows) != len(arms))
        cells += [RiskCell(label, c.time, c.n, c.censored, c.sure and whose, c.box, c.text) for c in row.cells]
    return arms, cells, findings


def _numeralled(arms: list[ArmReading], rows: Sequence[RiskRow]) -> list[ArmReading]:
    """The arms under the numerals of their places in the legend, where the table lists just these."""
    listed = in_numerals([a.name for a in arms])
    if [plain_name(n) for n in listed] != [plain_name(r.label) for r in rows] or not numbered(listed):
        return arms
    return [replace(a, name=name) for a, name in zip(arms, listed, strict=True)]


def _told_apart(arms: list[ArmReading], labels: dict[int, str]) -> list[ArmReading]:
    """The arms, those that share a name in the legend under the labels of their rows, where these differ and are like it."""
    names = [plain_name(a.name) for a in arms]
    whole = len({plain_name(label) for label in labels.values()}) == len(arms) == len(labels)
    if not whole or len(set(names)) == len(names):
        return arms
    shared = [names.count(name) > 1 for name in names]
    like = all(likeness(labels[i], a.name) > _SHARED for i, a in enumerate(arms) if shared[i])
    return [replace(a, name=labels[i]) if like and shared[i] else a for i, a in enumerate(arms)]


def _free(label: str, names: Sequence[str]) -> str:
    """The label of a row that belongs to no curve, told from the names of the arms."""
    return label if label not in names else f"{label} (row)"


def _unique_names(arms: Sequence[ArmReading], hints: Hints) -> list[ArmReading]:
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
