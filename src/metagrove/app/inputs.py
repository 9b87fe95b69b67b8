"""Single tables that commands take without a review folder: their columns, and their rows as plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from metagrove.core.errors import DataError
from metagrove.review.cells import numbers_in
from metagrove.review.columns import Column, TableLayout, column_mapping
from metagrove.review.curve_rows import (
    at_risk_faults,
    curve_faults,
    incidence_scale,
    shows_incidence,
    survival_scale,
)
from metagrove.review.tables import Row, Sheet, Table, parse_sheet, read_sheet

__all__ = [
    "ArmCurve",
    "at_risk_table",
    "curve_table",
    "grid_table",
    "marks_table",
    "proportion_table",
    "read_table",
    "rows_by_arm",
    "totals_table",
]

_ARM = Column("arm", "text", False, ("study", "studlab", "group", "series", "curve", "treatment"))
_TIME = Column("time", "number", True, ("t", "x", "months", "days", "weeks", "years", "time_months"))
_SURVIVAL = Column("survival", "number", True, ("surv", "s", "y", "survival_probability", "probability", "surv_rate"))
#: Headings under which a curve is cumulative incidence; any other heading that says "incidence" is one as well.
_INCIDENCE = ("cuminc", "incidence", "cumulative_incidence", "cum_inc", "cif", "cumulative_event_rate")
_LEVEL = Column("survival", "number", True, (*_SURVIVAL.also, "percent", "estimate", *_INCIDENCE))
_RISK = Column("n", "count", True, ("n_risk", "at_risk", "number_at_risk", "nrisk", "n.risk"))

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
_CURVES = TableLayout("curves", (_ARM, _TIME, _LEVEL), ())
_AT_RISK = TableLayout("at_risk", (_ARM, _TIME, _RISK), ("arm", "time"))
_TOTALS = TableLayout(
    "totals",
    (
        _ARM,
        Column("n", "count", True, ("total", "patients", "n_total", "size")),
        Column("events", "count", False, ("event", "deaths", "n_events")),
    ),
    ("arm",),
)
_MARKS = TableLayout("marks", (_ARM, Column("time", "number", True, ("t", "x", "time_exact", "time_noisy"))), ())
_GRID = TableLayout(
    "summary-curve",
    (
        Column("study", "text", True, ("arm", "studlab", "trial", "id")),
        _TIME,
        Column("n_risk", "number", True, ("n", "at_risk", "number_at_risk", "nrisk", "n.risk")),
        _SURVIVAL,
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
    return _faultless(parse_sheet(layout, _sheet(path)))


def _sheet(path: str | Path) -> Sheet:
    file = Path(path)
    try:
        return read_sheet(file.read_bytes(), file.name)
    except FileNotFoundError:
        raise DataError("there is no such file", file=str(path)) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=str(path)) from None


def _faultless(table: Table) -> Table:
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


def _by_arm(table: Table) -> dict[str, tuple[Row, ...]]:
    arms = dict.fromkeys(row.text("arm") for row in table.rows)
    return {arm: tuple(row for row in table.rows if row.text("arm") == arm) for arm in arms}


def _bare_columns(sheet: Sheet) -> Sheet | None:
    """Two columns of numbers, as other digitizers write them, under our heading; None for any other table."""
    if len([name for name in sheet.header if name.strip()]) != 2 or _has_headings(sheet):
        return None
    if not all(_is_number(cell) for _, fields in sheet.rows[:5] for cell in fields[:2]):
        return None
    rows = [(number, fields[:2]) for number, fields in sheet.rows]
    # The first line is a heading of the reader's own, or already a point.
    if all(_is_number(cell) for cell in sheet.header[:2]):
        rows.insert(0, (1, sheet.header[:2]))
    return replace(sheet, header=["time", "survival"], rows=rows)


def _has_headings(sheet: Sheet) -> bool:
    try:
        return len(column_mapping(_CURVES, sheet.header)) == 2
    except DataError:
        return False


def _says_incidence(heading: str) -> bool:
    bare = re.sub(r"[^a-z]+", "", heading.lower())
    return "incidence" in bare or bare in {name.replace("_", "") for name in _INCIDENCE}


def _is_number(text: str) -> bool:
    return bool(numbers_in(text))


@dataclass(frozen=True, slots=True)
class ArmCurve:
    """One arm's points (time, survival as a proportion), and how they were read where that is no matter of course."""

    points: list[tuple[float, float]]
    notes: tuple[str, ...] = ()


def curve_table(path: str | Path) -> dict[str, ArmCurve]:
    """Each arm's curve. Two bare columns, as other digitizers write, are one arm; cumulative incidence is turned round."""
    sheet = _sheet(path)
    bare = _bare_columns(sheet)
    table = _faultless(parse_sheet(_CURVES, bare or sheet))
    heading = sheet.header[1] if bare else next(theirs for theirs, ours in table.mapping.items() if ours == "survival")
    by_arm = _by_arm(table)
    named = _says_incidence(heading)
    incidence = named or shows_incidence(by_arm.values())
    arms = {}
    for arm, rows in by_arm.items():
        for fault in curve_faults(rows, incidence=incidence):
            raise fault
        arms[arm] = _arm_curve(rows, heading if named else "", incidence=incidence)
    return arms


def _arm_curve(rows: tuple[Row, ...], heading: str, *, incidence: bool) -> ArmCurve:
    """The curve of one arm's checked rows; `heading` is the one that says what they are, if one does."""
    scale = incidence_scale(rows) if incidence else survival_scale(rows)
    notes = []
    if scale == 100:
        notes.append(f"{'cumulative incidence' if incidence else 'survival'} was read as percent")
    if incidence:
        why = f"the column is called '{heading}'" if heading else "the curve rises from 0"
        notes.append(f"{why}: read as cumulative incidence, survival is 1 minus it")
    levels = [row["survival"] / scale for row in rows]
    survival = [round(1 - level, 12) for level in levels] if incidence else levels
    return ArmCurve([(row["time"], s) for row, s in zip(rows, survival, strict=True)], tuple(notes))


def at_risk_table(path: str | Path) -> dict[str, list[tuple[float, int]]]:
    """Each arm's printed numbers at risk (time, n); empty cells are left out."""
    arms = {}
    for arm, rows in _by_arm(read_table(path, _AT_RISK)).items():
        for fault in at_risk_faults(rows):
            raise fault
        arms[arm] = [(row["time"], row["n"]) for row in rows if row["n"] is not None]
    return arms


def totals_table(path: str | Path) -> dict[str, tuple[int, int | None]]:
    """Each arm's number of patients and of events (None where not printed)."""
    totals = {}
    for row in read_table(path, _TOTALS).rows:
        if row["events"] is not None and row["events"] > row["n"]:
            message = f"{row['events']} events among {row['n']}; events cannot exceed the total"
            raise row.error(message, "events", "events-above-n")
        totals[row.text("arm")] = row["n"], row["events"]
    return totals


def marks_table(path: str | Path) -> dict[str, list[float]]:
    """Each arm's censor marks."""
    return {arm: [row["time"] for row in rows] for arm, rows in _by_arm(read_table(path, _MARKS)).items()}


def rows_by_arm(path: str | Path, what: Literal["at_risk", "totals", "marks"]) -> dict[str, tuple[Row, ...]]:
    """Each arm's rows of a table, for messages that name a row."""
    layouts = {"at_risk": _AT_RISK, "totals": _TOTALS, "marks": _MARKS}
    return _by_arm(read_table(path, layouts[what]))


def grid_table(path: str | Path) -> Mapping[str, list[Any]]:
    """Columns `study, time, n_risk, survival` of a table of survival at common times, survival as a proportion."""
    table = read_table(path, _GRID)
    first = min(row["time"] for row in table.rows if row["time"] is not None)
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
    return {
        "study": [row.text("study") for row in table.rows],
        "time": [row["time"] for row in table.rows],
        "n_risk": [row["n_risk"] for row in table.rows],
        "survival": [row["survival"] / scale for row in table.rows],
    }
