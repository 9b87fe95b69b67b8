"""Single tables that commands take without a review folder: their columns, and their rows as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from metagrove.core.errors import DataError
from metagrove.review.columns import Column, TableLayout
from metagrove.review.curve_rows import curve_faults, survival_scale
from metagrove.review.tables import Row, Sheet, Table, parse_sheet, read_sheet

__all__ = ["SURVIVAL", "TIME", "faultless", "grid_table", "proportion_table", "read_file", "read_table"]

TIME = Column("time", "number", True, ("t", "x", "months", "days", "weeks", "years", "time_months"))
SURVIVAL = Column("survival", "number", True, ("surv", "s", "y", "survival_probability", "probability", "surv_rate"))

_POOL = TableLayout(
    "pool",
    (
        Column("study", "text", True, ("studlab", "trial", "author", "first_author", "study_id", "id", "name")),
        Column(
            "events", "events", True, ("event", "r", "x", "xi", "cases", "responders", "n_events", "count", "yi_events")
        ),
        Column("n", "count", False, ("total", "ni", "n_total", "patients", "sample_size", "denominator", "size")),
        Column("subgroup", "text", False, ("group", "drug", "byvar", "stratum", "class")),
    ),
    ("study", "subgroup"),
)
_GRID = TableLayout(
    "summary-curve",
    (
        Column("study", "text", True, ("arm", "studlab", "trial", "id")),
        TIME,
        Column("n_risk", "number", True, ("n", "at_risk", "number_at_risk", "nrisk", "n.risk")),
        SURVIVAL,
    ),
    ("study", "time"),
)


def read_table(path: str | Path, layout: TableLayout) -> Table:
    """The table in a file, its faults raised.

    Raises
    ------
    DataError
        The file cannot be read, or a row cannot be meant; names file, row and column.
    """
    return faultless(parse_sheet(layout, read_file(path)))


def read_file(path: str | Path) -> Sheet:
    """The texts of a delimited file.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    file = Path(path)
    try:
        return read_sheet(file.read_bytes(), file.name)
    except FileNotFoundError:
        raise DataError("there is no such file", file=str(path)) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=str(path)) from None


def faultless(table: Table) -> Table:
    """The table, its first fault raised."""
    for fault in table.faults:
        raise fault
    return table


def proportion_table(path: str | Path) -> Table:
    """Rows of `study, event, n[, subgroup]`, every one with events and a total."""
    table = read_table(path, _POOL)
    for row in table.rows:
        if row["events"] is None:
            raise row.error("is empty; give the number of events, or leave the study out", "events")
        if row["n"] is None:
            raise row.error("is missing; give the number of patients, or write events as 2/8", "n")
        if row["n"] == 0:
            raise row.error("is 0; a study has at least one patient", "n")
    return table


def _check_falls(rows: list[Row], scale: float) -> None:
    """Refuse a study in which somebody dies where nobody is at risk, or before time 0 is over."""
    level = 1.0
    for row in rows:
        survival = row["survival"] / scale
        if row["time"] == 0 and survival < 1:
            raise row.error(f"survival is {row['survival']:g} at time 0; curves start at {scale:g}", "survival")
        if row["n_risk"] == 0 and survival < level and row["time"] > 0:
            raise row.error(
                f"survival falls to {row['survival']:g} at {row['time']:g} with nobody at risk; give the number at risk at the "
                "start of the interval that ends there",
                "n_risk",
            )
        level = survival


def grid_table(path: str | Path) -> Mapping[str, list[Any]]:
    """Columns `study, time, n_risk, survival` of a table of survival at common times, survival as a proportion."""
    table = read_table(path, _GRID)
    first = min((row["time"] for row in table.rows if row["time"] is not None), default=None)
    scale = max(survival_scale(r for r in table.rows if r["time"] == first), survival_scale(table.rows))
    rows = sorted(table.rows, key=lambda row: row.text("study"))
    for _, group in groupby(rows, key=lambda row: row.text("study")):
        for fault in curve_faults(tuple(group), scale=scale, rise=1e-9, above=1e-9, swap=0.0):
            raise fault
    for row in table.rows:
        if row["n_risk"] is None:
            raise row.error("is empty; give the number at risk at the start of the interval", "n_risk")
        if row["n_risk"] < 0:
            raise row.error(f"{row['n_risk']:g} is negative; a number at risk is 0 or more", "n_risk", "negative-count")
    for _, group in groupby(rows, key=lambda row: row.text("study")):
        _check_falls(sorted(group, key=lambda row: row["time"]), scale)
    return {
        "study": [row.text("study") for row in table.rows],
        "time": [row["time"] for row in table.rows],
        "n_risk": [row["n_risk"] for row in table.rows],
        "survival": [row["survival"] / scale for row in table.rows],
    }
