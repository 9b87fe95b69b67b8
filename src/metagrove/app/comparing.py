"""Printed numbers of a published review, looked up among ours."""

from __future__ import annotations

from collections.abc import Callable

from metagrove.core.errors import DataError
from metagrove.report.document import Comparison
from metagrove.review.folder import Review
from metagrove.review.reproduction import compared

__all__ = ["Lookup", "comparisons"]

#: Our number for (quantity, subgroup, time), or None and the reason.
Lookup = Callable[[str, str, float | None], tuple[float | None, str]]


def comparisons(review: Review, name: str, ours: Lookup) -> tuple[Comparison, ...]:
    """Every row of published.csv for the analysis `name`, beside our number.

    Raises
    ------
    DataError
        A quantity that the analysis does not have; names the row.
    """
    found = []
    for row in review.rows("published"):
        if row.text("analysis") != name:
            continue
        quantity, subgroup = row.text("quantity"), row.text("subgroup")
        try:
            value, reason = ours(quantity, subgroup, row["time"])
        except DataError as error:
            raise row.error(error.message, "quantity") from None
        at = f" at {row['time']:g}" if row["time"] is not None else ""
        label = f"{subgroup}: {quantity}{at}" if subgroup else f"{quantity}{at}"
        one = compared(label, row.text("printed"), value, where=str(row.source), reason=reason)
        found.append(Comparison(one.quantity, one.printed, one.ours, one.verdict, one.difference, one.where))
    return tuple(found)
