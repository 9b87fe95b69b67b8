"""What is printed about the arms of one file of curves, in tables: totals, numbers at risk and censor marks by arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

from metagrove.app.curve_tables import ARM, ArmCurve, folded
from metagrove.app.inputs import TIME, read_table
from metagrove.core.errors import DataError
from metagrove.review.columns import Column, TableLayout
from metagrove.review.curve_rows import at_risk_faults
from metagrove.review.tables import Row

__all__ = ["ArmFacts", "arm_facts", "known_arm"]

#: How far beyond its curve, as a share of it, a mark may have been read.
SLACK = 0.03
#: How alike a name must be to be suggested, and how much more alike than the next one.
ALIKE, APART = 0.6, 0.05

_RISK = Column("n", "count", True, ("n_risk", "at_risk", "number_at_risk", "nrisk", "n.risk"))
_AT_RISK = TableLayout("at_risk", (ARM, TIME, _RISK), ("arm", "time"))
_TOTALS = TableLayout(
    "totals",
    (
        ARM,
        Column("n", "count", True, ("total", "patients", "n_total", "size")),
        Column("events", "count", False, ("event", "deaths", "n_events")),
    ),
    ("arm",),
)
_MARKS = TableLayout("marks", (ARM, Column("time", "number", True, ("t", "x", "time_exact", "time_noisy"))), ())


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """What is printed about one arm; None where it is not."""

    n: int | None = None
    events: int | None = None
    at_risk: list[tuple[float, int]] | None = None
    marks: list[float] | None = None


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


def _of_arms(path: Path | None, layout: TableLayout, names: _Names) -> dict[str, tuple[Row, ...]]:
    """The rows of each arm that has a curve."""
    arms: dict[str, list[Row]] = {}
    seen: dict[tuple[str, ...], int] = {}
    for row in read_table(path, layout).rows if path else ():
        arm = names.of(row)
        key = (arm, *(str(row[name]) for name in layout.key if name != "arm"))
        if layout.key and seen.setdefault(key, row.number) != row.number:
            what = ", ".join(part for part in (arm, *(row.text(name) for name in layout.key if name != "arm")) if part)
            said = f"'{what}' stands in row {seen[key]} already; one row each"
            raise row.error(said, layout.key[0], "duplicate-row")
        arms.setdefault(arm, []).append(row)
    return {arm: tuple(rows) for arm, rows in arms.items()}


def _totals(row: Row) -> ArmFacts:
    if row["n"] is None or row["n"] == 0:
        raise row.error(f"n is {row.text('n') or 'empty'}; an arm has at least one patient", "n")
    if row["events"] is not None and row["events"] > row["n"]:
        message = f"{row['events']} events among {row['n']}; events cannot exceed the total"
        raise row.error(message, "events", "events-above-n")
    return ArmFacts(row["n"], row["events"])


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
    for arm, (row, *_) in _of_arms(totals, _TOTALS, names).items():
        facts[arm] = _totals(row)
    for arm, rows in _of_arms(at_risk, _AT_RISK, names).items():
        facts[arm] = replace(facts[arm], at_risk=_at_risk(rows) or None)
    for arm, rows in _of_arms(marks, _MARKS, names).items():
        facts[arm] = replace(facts[arm], marks=_marks(rows, curves[arm]))
    return facts
