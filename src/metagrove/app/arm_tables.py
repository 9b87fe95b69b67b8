"""What is printed about the arms of one file of curves, in tables: totals, medians, rates, numbers at risk, censor marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

from metagrove.app.curve_tables import ARM, ArmCurve, folded
from metagrove.app.inputs import TIME, faultless, read_file, read_table
from metagrove.core.errors import DataError
from metagrove.review.columns import Column, TableLayout
from metagrove.review.curve_rows import at_risk_faults
from metagrove.review.tables import Row, Sheet, Table, parse_sheet

__all__ = ["ArmFacts", "arm_facts", "known_arm"]

#: How far beyond its curve, as a share of it, a mark may have been read.
SLACK = 0.03
#: How alike a name must be to be suggested, and how much more alike than the next one.
ALIKE, APART = 0.6, 0.05

_RISK = Column("n", "count", True, ("n_risk", "at_risk", "number_at_risk", "nrisk", "n.risk"))
_AT_RISK = TableLayout("at_risk", (ARM, TIME, _RISK), ("arm", "time"))
_TOTALS = (
    ARM,
    Column("n", "count", True, ("total", "patients", "n_total", "size")),
    Column("events", "count", False, ("event", "deaths", "n_events")),
)
#: Endings of the columns with the limits of a median or rate, those of survival.csv first.
_LOW = ("_ci_low", "_ci_lower", "_lower", "_low", "_lcl")
_HIGH = ("_ci_high", "_ci_upper", "_upper", "_high", "_ucl")
_RATE = re.compile(r"(?:rate|survival|surv)_(?:at_)?(\d+(?:[._,]\d+)?)((?:_[a-z]+)*)")
_MARKS = TableLayout("marks", (ARM, Column("time", "number", True, ("t", "x", "time_exact", "time_noisy"))), ())


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """What is printed about one arm; None where it is not."""

    n: int | None = None
    events: int | None = None
    at_risk: list[tuple[float, int]] | None = None
    marks: list[float] | None = None
    median: tuple[float | None, float | None, float | None] | None = None
    rates: dict[float, tuple[float | None, float | None, float | None]] | None = None


def _summary(name: str) -> tuple[Column, ...]:
    """The columns of a printed estimate and of its limits."""
    return (
        Column(name, "estimate"),
        Column(f"{name}{_LOW[0]}", "estimate", False, tuple(name + end for end in _LOW[1:])),
        Column(f"{name}{_HIGH[0]}", "estimate", False, tuple(name + end for end in _HIGH[1:])),
    )


def _totals_layout(sheet: Sheet) -> tuple[TableLayout, dict[str, float], dict[str, str]]:
    """The layout of a table of totals, the time of each rate's column, and which heading is which of them."""
    times: dict[str, float] = {}
    given: dict[str, str] = {}
    ends = {"": "", **dict.fromkeys(_LOW, _LOW[0]), **dict.fromkeys(_HIGH, _HIGH[0])}
    for heading in sheet.header:
        found = _RATE.fullmatch("_".join(heading.lower().split()))
        if found is None or found[2] not in ends:
            continue
        time = float(found[1].replace("_", ".").replace(",", "."))
        name = f"rate_{time:g}{ends[found[2]]}"
        if name in given.values():
            raise DataError(f"two columns are '{name}'", file=sheet.file, row=1, column=heading)
        given[heading] = name
        times[f"rate_{time:g}"] = time
    rates = tuple(column for name in times for column in _summary(name))
    return TableLayout("totals", (*_TOTALS, *_summary("median"), *rates), ("arm",)), times, given


def _alike(name: str, arms: Sequence[str]) -> str:
    """The arm whose name is plainly the nearest; empty where there is none."""
    ranked = sorted(((SequenceMatcher(None, folded(name), folded(arm)).ratio(), arm) for arm in arms), reverse=True)
    best, second = ranked[0][0], ranked[1][0] if len(ranked) > 1 else 0.0
    return ranked[0][1] if best >= ALIKE and best - second > APART else ""


def known_arm(name: str, arms: Sequence[str]) -> str:
    """The arm of that name, blanks and capitals ignored.

    Raises
    ------
    DataError
        There is no curve of such an arm; lists the arms there are, and the nearest where one is.
    """
    found = [arm for arm in arms if arm == name] or [arm for arm in arms if folded(arm) == folded(name)]
    if found:
        return found[0]
    near = _alike(name, arms)
    hint = f"nearest: '{near}'; " if near else ""
    raise DataError(f"arm '{name}' has no curve; {hint}arms: {', '.join(arms)}")


@dataclass(slots=True)
class _Names:
    """Whose row each row is. A curve without a name is of the one arm that the tables name."""

    arms: Sequence[str]
    only: str = ""

    def of(self, row: Row) -> str:
        """The arm of a row.

        Raises
        ------
        DataError
            It has no curve, or the row does not say which of several arms it is.
        """
        name = row.text("arm")
        if not name and len(self.arms) > 1:
            raise row.error(f"says no arm; the curves have {len(self.arms)}: {', '.join(self.arms)}", "arm")
        if not name:
            return self.arms[0]
        if list(self.arms) == [""]:
            self.only = self.only or name
            if folded(name) != folded(self.only):
                raise row.error(
                    f"arm '{name}' beside '{self.only}'; the curve is that of one arm without a name", "arm"
                )
            return ""
        try:
            return known_arm(name, self.arms)
        except DataError as error:
            raise row.error(error.message, "arm", "unknown-arm") from None


def _of_arms(table: Table, layout: TableLayout, names: _Names) -> dict[str, tuple[Row, ...]]:
    """The rows of each arm that has a curve."""
    arms: dict[str, list[Row]] = {}
    seen: dict[tuple[str, ...], int] = {}
    for row in table.rows:
        arm = names.of(row)
        key = (arm, *(str(row[name]) for name in layout.key if name != "arm"))
        if layout.key and seen.setdefault(key, row.number) != row.number:
            what = ", ".join(part for part in (arm, *(row.text(name) for name in layout.key if name != "arm")) if part)
            said = f"'{what}' stands in row {seen[key]} already; one row each"
            raise row.error(said, layout.key[0], "duplicate-row")
        arms.setdefault(arm, []).append(row)
    return {arm: tuple(rows) for arm, rows in arms.items()}


def _printed(row: Row, name: str, *, rate: bool) -> tuple[float | None, float | None, float | None] | None:
    """A printed estimate and its limits, in its own cell or in those beside it; None where none is printed.

    Raises
    ------
    DataError
        Limits that do not hold the estimate, a rate that is no share, a median that is not above 0.
    """
    middle, low, high = (row[name + end] for end in ("", _LOW[0], _HIGH[0]))
    if middle is None and low is None and high is None:
        return None
    parts = [None if part is None else part.value for part in (middle, low, high)]
    if middle is not None and low is None and high is None:
        parts[1:] = middle.low, middle.high
    known = [part for part in parts if part is not None]
    cells = [part for part in (middle, low, high) if part is not None]
    if any(cell.unit not in (("", "%") if rate else ("",)) for cell in cells):
        raise row.error(f"'{cells[0].text}' carries a unit; write it in the unit of the curves", name)
    percent = rate and (max(known) > 1 or any(cell.unit == "%" for cell in cells))
    parts = [part if part is None or not percent else round(part / 100, 9) for part in parts]
    known = [part for part in parts if part is not None]
    if rate and not 0 <= min(known) <= max(known) <= 1:
        raise row.error(f"'{row.text(name)}' is no survival; it lies between 0 and 1, or 0 and 100 %", name)
    if not rate and min(known) < 0:
        raise row.error(f"'{row.text(name)}' is no median; it is a time, 0 or more", name)
    ordered = [part for part in (parts[1], parts[0], parts[2]) if part is not None]
    if ordered != sorted(ordered):
        raise row.error(f"{' to '.join(f'{part:g}' for part in ordered)} is no interval around its estimate", name)
    return parts[0], parts[1], parts[2]


def _totals(row: Row, times: Mapping[str, float]) -> ArmFacts:
    if row["n"] is None or row["n"] == 0:
        raise row.error(f"n is {row.text('n') or 'empty'}; an arm has at least one patient", "n")
    if row["events"] is not None and row["events"] > row["n"]:
        message = f"{row['events']} events among {row['n']}; events cannot exceed the total"
        raise row.error(message, "events", "events-above-n")
    rates = {times[name]: value for name in times if (value := _printed(row, name, rate=True)) is not None}
    median = _printed(row, "median", rate=False)
    return ArmFacts(row["n"], row["events"], median=median, rates=rates or None)


def _at_risk(rows: tuple[Row, ...]) -> list[tuple[float, int]]:
    """One arm's numbers at risk (time, n); empty cells are left out."""
    for row in rows:
        if row["time"] is None or row["time"] < 0:
            raise row.error(f"time is {row.text('time') or 'empty'}; it is a number, 0 or more", "time")
        if row["time"] == 0 and row["n"] == 0:
            raise row.error("0 patients are at risk at time 0; an arm has at least one", "n")
    for fault in at_risk_faults(rows):
        raise fault
    return [(row["time"], row["n"]) for row in rows if row["n"] is not None]


def _marks(rows: Iterable[Row], curve: ArmCurve) -> list[float]:
    """One arm's censor marks, each on its curve."""
    end = max(time for time, _ in curve.points)
    for row in rows:
        if row["time"] is None:
            raise row.error("is empty; a censor mark is a time", "time")
        if not -SLACK * end <= row["time"] <= (1 + SLACK) * end:
            whose = f" of '{row.text('arm')}'" if row.text("arm") else ""
            raise row.error(f"a censor mark{whose} is at {row['time']:g}; the curve goes from 0 to {end:g}", "time")
    return [row["time"] for row in rows]


def arm_facts(
    curves: Mapping[str, ArmCurve], *, at_risk: Path | None, totals: Path | None, marks: Path | None
) -> dict[str, ArmFacts]:
    """What is printed about each arm of `curves`.

    Raises
    ------
    DataError
        A row of an arm without a curve, a row that does not say whose it is where there are several arms, or one that no
        patients of its arm can have; names file, row and column.
    """
    names = _Names(list(curves))
    facts = dict.fromkeys(curves, ArmFacts())
    if totals:
        sheet = read_file(totals)
        layout, times, given = _totals_layout(sheet)
        for arm, (row, *_) in _of_arms(faultless(parse_sheet(layout, sheet, given=given)), layout, names).items():
            facts[arm] = _totals(row, times)
    if at_risk:
        for arm, rows in _of_arms(read_table(at_risk, _AT_RISK), _AT_RISK, names).items():
            facts[arm] = replace(facts[arm], at_risk=_at_risk(rows) or None)
    if marks:
        for arm, rows in _of_arms(read_table(marks, _MARKS), _MARKS, names).items():
            facts[arm] = replace(facts[arm], marks=_marks(rows, curves[arm]))
    return facts
