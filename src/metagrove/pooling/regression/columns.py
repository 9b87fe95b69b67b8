"""Results that are a table: one labelled row per study, coefficient or component, one array per column."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from metagrove.core.results import Explanation, Result

__all__ = ["ColumnResult", "text_table"]


def _shown(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else ""
    if isinstance(value, (float, np.floating)):
        value = float(value)
        if np.isnan(value):
            return "-"
        return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3g}"
    return str(value)


def text_table(rows: list[dict[str, Any]]) -> str:
    """Rows as aligned text, numbers to four decimals, the first column left-aligned.

    >>> print(text_table([{"term": "x", "estimate": 0.25}]))
    term  estimate
    x       0.2500
    """
    if not rows:
        return "(no rows)"
    cells = [[str(key) for key in rows[0]], *([_shown(value) for value in row.values()] for row in rows)]
    width = [max(len(line[j]) for line in cells) for j in range(len(cells[0]))]
    lines = (
        "  ".join(c.ljust(w) if j == 0 else c.rjust(w) for j, (c, w) in enumerate(zip(line, width, strict=True)))
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)


class ColumnResult(Result):
    """A table. Subclasses are frozen; `labels` names the rows, `COLUMNS` the fields that are columns."""

    __slots__ = ()
    COLUMNS: ClassVar[tuple[str, ...]] = ()
    TITLE: ClassVar[str] = ""
    SENTENCE: ClassVar[str] = ""
    REFERENCES: ClassVar[tuple[str, ...]] = ()

    labels: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One dict per row: its label and the columns."""
        columns = {name: np.asarray(getattr(self, name)) for name in self.COLUMNS}
        return [
            {"label": label, **{name: values[i].item() for name, values in columns.items()}}
            for i, label in enumerate(self.labels)
        ]

    def summary(self) -> str:
        """The table as text."""
        head = f"{self.TITLE}\n" if self.TITLE else ""
        return head + text_table(self.rows())

    def explain(self) -> Explanation:
        """What the table holds, and where it was published."""
        return Explanation(self.SENTENCE, self.REFERENCES)
