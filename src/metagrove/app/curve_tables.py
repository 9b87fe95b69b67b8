"""Digitized curves in a table: arms, percent or proportion, survival or cumulative incidence, bare columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from metagrove.app.inputs import SURVIVAL, TIME, faultless, read_file
from metagrove.core.errors import DataError
from metagrove.review.cells import numbers_in
from metagrove.review.columns import Column, TableLayout, column_mapping
from metagrove.review.curve_rows import curve_faults, incidence_scale, shows_incidence, survival_scale
from metagrove.review.tables import Row, Sheet, parse_sheet

__all__ = ["ARM", "ArmCurve", "curve_table", "folded", "rows_by_arm"]

ARM = Column("arm", "text", False, ("study", "studlab", "group", "series", "curve", "treatment"))
#: Headings under which a curve is cumulative incidence; any other heading that says "incidence" is one as well.
_INCIDENCE = ("cuminc", "incidence", "cumulative_incidence", "cum_inc", "cif", "cumulative_event_rate")
_LEVEL = Column("survival", "number", True, (*SURVIVAL.also, "percent", "estimate", *_INCIDENCE))
_CURVES = TableLayout("curves", (ARM, TIME, _LEVEL), ())


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


def folded(name: str) -> str:
    """The name of an arm without what people write now so, now so: blanks and capitals.

    >>> folded("Arm  A") == folded("arm a") == folded("ArmA")
    True
    """
    return "".join(name.split()).casefold()


def rows_by_arm(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    """The rows of each arm, under the first spelling of its name."""
    spelled: dict[str, str] = {}
    arms: dict[str, list[Row]] = {}
    for row in rows:
        name = spelled.setdefault(folded(row.text("arm")), row.text("arm"))
        arms.setdefault(name, []).append(row)
    return {name: tuple(mine) for name, mine in arms.items()}


def curve_table(path: str | Path) -> dict[str, ArmCurve]:
    """Each arm's curve. Two bare columns, as other digitizers write, are one arm; cumulative incidence is turned round."""
    sheet = read_file(path)
    bare = _bare_columns(sheet)
    table = faultless(parse_sheet(_CURVES, bare or sheet))
    heading = sheet.header[1] if bare else next(theirs for theirs, ours in table.mapping.items() if ours == "survival")
    by_arm = rows_by_arm(table.rows)
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
