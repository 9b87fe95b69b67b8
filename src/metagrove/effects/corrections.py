"""Corrections for empty cells, by metafor's names, and the sentence that says what was done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.effects.arms import PersonTimes, Proportions, Rates, Tables

__all__ = ["ADD_TO", "Addition", "Correction", "corrected_person_times", "corrected_single", "corrected_tables"]

#: Which studies get the addition; each entry says it in a sentence.
ADD_TO: Registry[str] = Registry("rule for empty cells")
_GART = "Gart JJ, Zweifel JR. Biometrika 1967;54:181-7. doi:10.1093/biomet/54.1-2.181"
ADD_TO.put("only0", "the studies with an empty cell", title="only studies with an empty cell", cite=_GART)
ADD_TO.put("if0all", "all studies, as one had an empty cell", title="all studies if any has an empty cell", cite=_GART)
ADD_TO.put("all", "all studies", title="all studies", cite=_GART)
ADD_TO.put("none", "no study", title="no study", cite=_GART)


@dataclass(frozen=True, slots=True)
class Correction:
    """metafor's rule: `add` to each cell of the studies that `to` names; `drop00` leaves out double-zero studies."""

    add: float = 0.5
    to: str = "only0"
    drop00: bool = False

    def __post_init__(self) -> None:
        if self.to not in ADD_TO:
            raise UnknownName(ADD_TO.kind, self.to, ADD_TO)
        if not (np.isfinite(self.add) and self.add >= 0):
            raise MethodError(f"add is {self.add}; what is added to empty cells is 0 or more")

    def increments(self, empty: np.ndarray) -> Array:
        """What each study gets, shape (k,), where `empty` marks studies with an empty cell."""
        if self.to == "all" or (self.to == "if0all" and empty.any()):
            return np.full(empty.shape, self.add)
        if self.to == "only0":
            return np.where(empty, self.add, 0.0)
        return np.zeros(empty.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """What was added to the cells of each study (shape (k,)), and a sentence that says so; "" where nothing was."""

    amount: Array
    sentence: str


def stated(amount: Array, what: str) -> Addition:
    """The addition with its sentence; `what` names the cells, such as "each cell"."""
    given = np.flatnonzero(amount > 0)
    if not given.size:
        return Addition(amount, "")
    sizes = np.unique(amount[given])
    size = f"{sizes[0]:g}" if sizes.size == 1 else f"{sizes[0]:.3g} to {sizes[-1]:.3g}"
    where = "all studies" if given.size == amount.size else f"{given.size} of {amount.size} studies"
    return Addition(amount, f"{size} was added to {what} in {where}.")


def corrected_tables(tables: Tables, rule: Correction, *, apply: bool = True) -> tuple[Tables, Addition, np.ndarray]:
    """The tables after the rule, what was added, and True where a study is left out as double-zero (`drop00`)."""
    dropped = tables.uninformative & rule.drop00
    amount = rule.increments(tables.zero & ~tables.missing & ~dropped) if apply else np.zeros(tables.k)
    amount = np.where(dropped, 0.0, amount)
    return tables.plus(amount), stated(amount, "each cell"), dropped


def corrected_person_times(
    data: PersonTimes, rule: Correction, *, apply: bool = True
) -> tuple[PersonTimes, Addition, np.ndarray]:
    """Person-times after the rule, what was added, and True where a study without events is left out (`drop00`)."""
    dropped = (data.x1 == 0) & (data.x2 == 0) & rule.drop00
    empty = ((data.x1 == 0) | (data.x2 == 0)) & ~dropped
    amount = np.where(dropped, 0.0, rule.increments(empty)) if apply else np.zeros(data.k)
    return (
        PersonTimes(data.x1 + amount, data.x2 + amount, data.t1, data.t2),
        stated(amount, "the events of both arms"),
        dropped,
    )


def corrected_single(
    data: Proportions | Rates, rule: Correction, *, apply: bool = True
) -> tuple[Proportions | Rates, Addition]:
    """One-group counts after the rule: added to events and non-events, or to the events of a rate."""
    if not apply:
        return data, Addition(np.zeros(data.k), "")
    if isinstance(data, Rates):
        amount = rule.increments(data.x == 0)
        return Rates(data.x + amount, data.t), stated(amount, "the events")
    amount = rule.increments((data.x == 0) | (data.x == data.n))
    return Proportions(data.x + amount, data.n + 2 * amount), stated(amount, "events and non-events")
