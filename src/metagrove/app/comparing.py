"""Printed numbers of a published review, looked up among ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from metagrove.core.errors import DataError
from metagrove.report.document import Comparison
from metagrove.review.folder import Review
from metagrove.review.reproduction import compared

__all__ = ["Lookup", "comparisons"]

#: How the quantities of published.csv read in a table.
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "estimate": "pooled value",
        "ci_low": "lower limit",
        "ci_high": "upper limit",
        "predict_low": "prediction, lower",
        "predict_high": "prediction, upper",
        "I2": "I²",
        "tau2": "τ²",
        "Q": "Q",
        "p_heterogeneity": "p of heterogeneity",
        "Q_between": "χ² between subgroups",
        "df_between": "degrees of freedom between subgroups",
        "p_between": "p between subgroups",
        "k": "studies",
        "events": "events",
        "n": "patients",
        "p_effect": "p of the pooled value",
        "event_e": "events, first arm",
        "n_e": "patients, first arm",
        "event_c": "events, second arm",
        "n_c": "patients, second arm",
        "rate": "survival",
        "median": "median",
        "median_low": "median, lower limit",
        "median_high": "median, upper limit",
        "mean": "mean",
    }
)

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
        called = f"{LABELS.get(quantity, quantity)}{at}"
        label = f"{subgroup}: {called}" if subgroup else called
        one = compared(label, row["printed"] or row.text("printed"), value, where=str(row.source), reason=reason)
        found.append(
            (subgroup, Comparison(one.quantity, one.printed, one.ours, one.verdict, one.difference, one.where))
        )
    # The whole first, then the subgroups, each in the order of the file.
    return tuple(line for _, line in sorted(found, key=lambda pair: bool(pair[0])))
