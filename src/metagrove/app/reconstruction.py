"""Digitized curves in a table, rebuilt into patients arm by arm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from metagrove.app.inputs import at_risk_table, curve_table, marks_table, rows_by_arm, totals_table
from metagrove.app.products import csv_bytes
from metagrove.core.errors import DataError, MetagroveError
from metagrove.core.results import plain
from metagrove.review.storage import write_folder
from metagrove.review.tables import Row

if TYPE_CHECKING:
    from metagrove.survival.reconstruction.rebuilt import RebuiltPatients

__all__ = ["PrintedDifference", "ReconstructInputs", "reconstruct_curves"]


#: How far beyond its curve, as a share of it, a mark may have been read.
SLACK = 0.03


@dataclass(frozen=True, slots=True)
class ReconstructInputs:
    """The files: curves, and what else the paper printed."""

    curves: Path
    at_risk: Path | None = None
    totals: Path | None = None
    marks: Path | None = None


@dataclass(frozen=True, slots=True)
class PrintedDifference:
    """What a paper prints about the difference of two arms, as text: "0.66 (0.50-0.87)"; "<0.001".

    Parameters
    ----------
    control : the arm the other is compared with; the first of the file if empty.
    adjusted : whether the hazard ratio was stratified or adjusted, so that one of two arms alone differs a little.
    """

    hr: str = ""
    p: str = ""
    control: str = ""
    adjusted: bool = False

    @property
    def numbers(self) -> float | tuple[float, ...] | None:
        """The hazard ratio, perhaps with its limits; None where none is printed."""
        if not self.hr.strip():
            return None
        text = re.sub(r"95 ?%|\bCI\b|\bto\b", " ", self.hr)
        found = re.findall(r"\d*\.?\d+", text)
        rest = re.sub(r"\d*\.?\d+|[\s,;:()\[\]–-]", "", text)
        if rest or text.lstrip().startswith(("-", "–")) or len(found) not in (1, 3):
            raise DataError(f"the hazard ratio is '{self.hr}'; write 0.66, or with its limits 0.66 (0.50-0.87)")
        values = tuple(float(x) for x in found)
        return values[0] if len(values) == 1 else values

    def roles(self, arms: list[str], file: Path) -> tuple[str, str]:
        """The control arm and the other one."""
        if len(arms) != 2:
            named = f": {', '.join(a or 'unnamed' for a in arms)}"
            raise DataError(f"a hazard ratio or p compares two arms; the file has {len(arms)}{named}", file=file.name)
        if self.control and self.control not in arms:
            raise DataError(f"arm '{self.control}' has no curve; arms: {', '.join(arms)}", file=file.name)
        control = self.control or arms[0]
        return control, next(a for a in arms if a != control)


#: Standard error between a stratified or adjusted log hazard ratio and the plain one of the same patients.
ADJUSTED = 0.05


def _for_arm(facts: Mapping[str, Any], arm: str, arms: list[str], file: Path | None) -> Any:
    """The arm's entry; one unnamed entry belongs to one arm; an entry of no arm is refused."""
    if not facts:
        return None
    strange = [name for name in facts if name not in arms and name]
    if strange and not (len(facts) == 1 and len(arms) == 1):
        near = get_close_matches(strange[0], arms, n=1, cutoff=0.4)
        hint = f"nearest: '{near[0]}'" if near else f"arms: {', '.join(arms)}"
        raise DataError(f"arm '{strange[0]}' has no curve; {hint}", file=file.name if file else None, column="arm")
    if arm in facts:
        return facts[arm]
    return next(iter(facts.values())) if len(facts) == 1 and (len(arms) == 1 or "" in facts) else None


def _check_rows(inputs: ReconstructInputs, curves: Mapping[str, list[tuple[float, float]]]) -> None:
    """Refuse a row of the numbers at risk, totals or marks that no patients of its arm can have."""
    for row in _rows(inputs.at_risk, "at_risk"):
        if row["time"] is not None and row["time"] < 0:
            raise row.error(f"time is {row['time']:g}; times start at 0", "time")
        if row["time"] == 0 and row["n"] == 0:
            raise row.error("0 patients are at risk at time 0; an arm has at least one", "n")
    for row in _rows(inputs.totals, "totals"):
        if row["n"] is None or row["n"] == 0:
            raise row.error(f"n is {row.text('n') or 'empty'}; an arm has at least one patient", "n")
    ends = {arm: max(time for time, _ in points) for arm, points in curves.items()}
    for row in _rows(inputs.marks, "marks"):
        name = row.text("arm")
        end = ends.get(name, next(iter(ends.values())) if len(ends) == 1 else None)
        if row["time"] is None:
            raise row.error("is empty; a censor mark is a time", "time")
        if end is not None and not -SLACK * end <= row["time"] <= (1 + SLACK) * end:
            whose = f" of '{name}'" if name else ""
            raise row.error(f"a censor mark{whose} is at {row['time']:g}; the curve goes from 0 to {end:g}", "time")


def _rows(path: Path | None, what: Literal["at_risk", "totals", "marks"]) -> list[Row]:
    return [row for rows in rows_by_arm(path, what).values() for row in rows] if path else []


def _frame(rows: Any, what: str) -> Any:
    """Rows of time and a second number as a frame."""
    import pandas as pd

    return pd.DataFrame(rows, columns=["time", what])


def _apart(
    given: Mapping[str, Mapping[str, Any]],
    file: Path,
    draws: int,
    seed: int,
    progress: Callable[[str, int, int], None] | None,
) -> dict[str, RebuiltPatients]:
    """Every arm rebuilt by itself."""
    import numpy as np

    from metagrove.survival.reconstruction.one_arm import reconstruct

    made = {}
    for i, (arm, known) in enumerate(given.items()):
        if progress:
            progress(f"rebuilding {arm}", i, len(given))
        try:
            made[arm] = reconstruct(**known, draws=draws, rng=np.random.default_rng([seed, i]))
        except MetagroveError as error:
            raise error.within(f"{file.name}, arm '{arm}'" if arm else file.name) from error
    return made


def _together(
    given: Mapping[str, Mapping[str, Any]],
    difference: PrintedDifference,
    file: Path,
    draws: int,
    seed: int,
    report: dict[str, Any],
) -> dict[str, RebuiltPatients]:
    """Two arms rebuilt so that they show the printed difference; what they show is added to the report."""
    import numpy as np

    from metagrove.survival.reconstruction.two_arms import reconstruct_arms

    control, treated = difference.roles(list(given), file)
    try:
        pair = reconstruct_arms(
            given[control],
            given[treated],
            hr=difference.numbers,
            p=difference.p.strip() or None,
            hr_error=ADJUSTED if difference.adjusted else 0.0,
            draws=draws,
            rng=np.random.default_rng([seed, 0]),
        )
    except MetagroveError as error:
        raise error.within(file.name) from error
    report["comparison"] = {
        "control": control,
        "treated": treated,
        "printed": {"hr": difference.hr, "p": difference.p, "adjusted": difference.adjusted},
        "hr": float(np.exp(pair.loghr)),
        "loghr": pair.loghr,
        "error": pair.error,
        "z": pair.z,
        "p": pair.p,
        "limits": list(pair.hr_ci),
        "cost": {control: pair.cost[0], treated: pair.cost[1]},
    }
    report["fit"] += [{"arm": f"{treated} against {control}", **row} for row in pair.fit]
    report["contradictions"] += [
        {"arm": f"{treated} against {control}", "facts": list(c.facts), "message": c.message}
        for c in pair.contradictions
    ]
    return {arm: pair.control if arm == control else pair.treated for arm in given}


def reconstruct_curves(
    inputs: ReconstructInputs,
    out: Path,
    *,
    method: str,
    draws: int,
    seed: int,
    difference: PrintedDifference | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """The report of every arm's reconstruction, after patients.csv, draws.csv and report.json stand in `out`.

    Two arms of which a hazard ratio or a log-rank p is printed (`difference`) are rebuilt together.

    Raises
    ------
    DataError
        A table that cannot be meant; names file, row and column.
    UnknownName
        A method that is not known.
    """
    curves = curve_table(inputs.curves)
    risk = at_risk_table(inputs.at_risk) if inputs.at_risk else {}
    totals = totals_table(inputs.totals) if inputs.totals else {}
    marks = marks_table(inputs.marks) if inputs.marks else {}
    _check_rows(inputs, curves)
    # arms of one file were drawn on one axis; readings err in proportion to it
    axis = max(time for points in curves.values() for time, _ in points)
    arms = list(curves)
    patients: list[list[Any]] = []
    drawn: list[list[Any]] = []
    report: dict[str, Any] = {
        "method": method,
        "draws": draws,
        "seed": seed,
        "arms": [],
        "fit": [],
        "contradictions": [],
        "guesses": [],
    }
    given = {}
    for arm in arms:
        n, events = _for_arm(totals, arm, arms, inputs.totals) or (None, None)
        at_risk = _for_arm(risk, arm, arms, inputs.at_risk)
        if n is None and not at_risk:
            known = "" if not (inputs.totals or inputs.at_risk) else f"; the tables given have none for '{arm}'"
            raise DataError(
                f"how many patients there were is not known{known}; give --totals with n, or --at-risk",
                file=f"{inputs.curves.name}, arm '{arm}'" if arm else inputs.curves.name,
            )
        given[arm] = {
            "curve": _frame(curves[arm], "survival"),
            "at_risk": _frame(at_risk, "n") if at_risk else None,
            "n": n,
            "events": events,
            "marks": _for_arm(marks, arm, arms, inputs.marks),
            "axis": axis,
            "method": method,
        }
    if difference is None:
        made = _apart(given, inputs.curves, draws, seed, progress)
    else:
        made = _together(given, difference, inputs.curves, draws, seed, report)
    for arm, rebuilt in made.items():
        table = rebuilt.patients
        patients += [[arm, t, int(e)] for t, e in zip(table["time"], table["event"], strict=True)]
        if draws:
            more = rebuilt.draws
            assert more is not None
            drawn += [
                [int(d), arm, t, int(e)] for d, t, e in zip(more["draw"], more["time"], more["event"], strict=True)
            ]
        told = rebuilt.report
        report["arms"].append({"arm": arm, "n": len(table), "events": int(table["event"].sum())})
        for part in ("fit", "contradictions", "guesses"):
            report[part] += [{"arm": arm, **line} for line in told[part]]
    files = {
        "patients.csv": csv_bytes(["arm", "time", "event"], patients),
        "report.json": (json.dumps(plain(report), indent=2, ensure_ascii=False) + "\n").encode(),
    }
    if draws:
        files["draws.csv"] = csv_bytes(["draw", "arm", "time", "event"], drawn)
    write_folder(out, files)
    return {**report, "files": sorted(files)}
