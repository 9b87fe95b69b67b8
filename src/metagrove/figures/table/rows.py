"""Rows of numbers at risk as values: the counts at their ticks, and where they stand on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metagrove.figures.page import RGB, Word

__all__ = ["Cell", "RiskRow", "towards_plot"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A count at a tick: `time` of the tick, `n`, `censored` where printed in brackets, and where it stands.

    `values` are the counts that the readers think possible with their probabilities, likeliest first; empty where `n` is
    all that is known.
    """

    time: float
    n: int
    censored: int | None
    sure: bool
    box: tuple[float, float, float, float]
    text: str
    values: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One row: the words before its first count, their colour, and its cells in the order of time.

    `height` is where it stands on the page, `size` the height of its label's letters, `holes` counts ticks without a count,
    `shift` is how far right of their ticks the counts stand, `empty` the times at which a dash stands for a count,
    `strays` counts numbers of the line that stand under no tick; `over` says that the table stands over its plot.
    """

    label: str
    colour: RGB | None
    cells: tuple[Cell, ...]
    height: float
    holes: int = 0
    size: float = 0.0
    shift: float = 0.0
    empty: tuple[float, ...] = ()
    strays: int = 0
    over: bool = False

    @property
    def falls(self) -> bool:
        """Whether the counts never rise."""
        return all(a.n >= b.n for a, b in zip(self.cells, self.cells[1:], strict=False))


def towards_plot(words: Sequence[Word], rows: Sequence[RiskRow]) -> list[Word]:
    """The words on the plot's side of a table, a letter height away from it or more."""
    if rows[0].over:
        foot = max(r.height for r in rows)
        return [w for w in words if w.cy > foot + w.size]
    top = min(r.height for r in rows)
    return [w for w in words if w.cy < top - w.size]
