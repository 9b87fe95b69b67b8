"""Digitized curves in a table, rebuilt into patients arm by arm."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metagrove.app.arm_tables import arm_facts, known_arm
from metagrove.app.curve_tables import ArmCurve, curve_table
from metagrove.app.products import csv_bytes
from metagrove.core.errors import DataError, MetagroveError
from metagrove.core.results import plain
from metagrove.review.storage import write_folder

if TYPE_CHECKING:
    from metagrove.survival.reconstruction.rebuilt import RebuiltPatients

__all__ = ["PrintedDifference", "ReconstructInputs", "reconstruct_curves"]


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
    def ratio(self) -> tuple[float, ...] | None:
        """The hazard ratio, perhaps with its limits; None where none is printed."""
        from metagrove.survival.evidence.comparison_text import ratio_of_text

        return ratio_of_text(self.hr) if self.hr.strip() else None

    def check(self) -> None:
        """Nothing, where hazard ratio and p can be read.

        Raises
        ------
        DataError
            One of them cannot be meant; names the option.
        """
        from metagrove.survival.evidence.printed_comparison import printed_comparison

        for option, hr, p in (("--hr", self.hr.strip(), ""), ("--p", "", self.p.strip())):
            try:
                printed_comparison(hr or None, p or None)
            except DataError as error:
                raise error.within(option) from None

    def roles(self, arms: list[str], file: Path) -> tuple[str, str]:
        """The control arm and the other one."""
        if len(arms) != 2:
            named = f": {', '.join(a or 'unnamed' for a in arms)}"
            raise DataError(f"a hazard ratio or p compares two arms; the file has {len(arms)}{named}", file=file.name)
        try:
            control = known_arm(self.control, arms) if self.control else arms[0]
        except DataError as error:
            raise DataError(f"--control: {error.message}", file=file.name) from None
        return control, next(a for a in arms if a != control)


#: What a call writes; files of an earlier call that this one does not make are removed.
WRITTEN = frozenset[object](("patients.csv", "draws.csv", "report.json"))
#: Standard error between a stratified or adjusted log hazard ratio and the plain one of the same patients.
ADJUSTED = 0.05


#: How the rows of a curve were taken, by the kind that was recognised.
ROWS = {
    "exact": "both corners of every step",
    "digitized": "one row a drop, as digitize writes them",
    "clicks": "clicks, one a drop",
    "steps": "clicks on drops and between them",
    "points": "readings anywhere on the curve",
    "trace": "a trace, one row a pixel column",
}


def _notes(curve: ArmCurve, rebuilt: RebuiltPatients) -> list[str]:
    """How one arm's input was read, in words."""
    kind = [f"rows were read as {ROWS[rebuilt.curve.kind]}"] if rebuilt.curve is not None else []
    return list(dict.fromkeys([*curve.notes, *kind, *rebuilt.notes]))


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
            hr=difference.ratio,
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


def _given(
    inputs: ReconstructInputs, curves: Mapping[str, ArmCurve], method: str, kind: str | None
) -> dict[str, dict[str, Any]]:
    """What `reconstruct` takes for each arm."""
    facts = arm_facts(curves, at_risk=inputs.at_risk, totals=inputs.totals, marks=inputs.marks)
    # arms of one file were drawn on one axis; readings err in proportion to it
    axis = max(time for curve in curves.values() for time, _ in curve.points)
    given = {}
    for arm, known in facts.items():
        if known.n is None and not known.at_risk:
            said = "" if not (inputs.totals or inputs.at_risk) else f"; the tables given have none for '{arm}'"
            raise DataError(
                f"how many patients there were is not known{said}; give --totals with n, or --at-risk",
                file=f"{inputs.curves.name}, arm '{arm}'" if arm else inputs.curves.name,
            )
        given[arm] = {
            "curve": _frame(curves[arm].points, "survival"),
            "at_risk": _frame(known.at_risk, "n") if known.at_risk else None,
            "n": known.n,
            "events": known.events,
            "marks": known.marks,
            "median": known.median,
            "rates": known.rates,
            "axis": axis,
            "method": method,
            "kind": kind,
        }
    return given


def _add(report: dict[str, Any], arm: str, rebuilt: RebuiltPatients, curve: ArmCurve) -> None:
    """Add what is told of one arm to the report."""
    told = rebuilt.report
    report["arms"].append({"arm": arm, "n": rebuilt.n, "events": rebuilt.events})
    for part in ("fit", "contradictions", "guesses"):
        report[part] += [{"arm": arm, **line} for line in told[part]]
    report["notes"] += [{"arm": arm, "message": note} for note in _notes(curve, rebuilt)]


def reconstruct_curves(
    inputs: ReconstructInputs,
    out: Path,
    *,
    method: str,
    draws: int,
    seed: int,
    kind: str | None = None,
    difference: PrintedDifference | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """The report of every arm's reconstruction, after patients.csv, draws.csv and report.json stand in `out`.

    Two arms of which a hazard ratio or a log-rank p is printed (`difference`) are rebuilt together. `kind` says what the rows
    of the curves are, as for `reconstruct`; None where that is to be found.

    Raises
    ------
    DataError
        A table that cannot be meant; names file, row and column.
    UnknownName
        A method that is not known.
    """
    if difference is not None:
        difference.check()
    curves = curve_table(inputs.curves)
    given = _given(inputs, curves, method, kind)
    report: dict[str, Any] = {"method": method, "draws": draws, "seed": seed}
    report |= {part: [] for part in ("arms", "fit", "contradictions", "guesses", "notes")}
    if difference is None:
        made = _apart(given, inputs.curves, draws, seed, progress)
    else:
        made = _together(given, difference, inputs.curves, draws, seed, report)
    patients: list[list[Any]] = []
    drawn: list[list[Any]] = []
    for arm, rebuilt in made.items():
        table, more = rebuilt.patients, rebuilt.draws
        patients += [[arm, t, int(e)] for t, e in zip(table["time"], table["event"], strict=True)]
        if draws and more is not None:
            columns = (more["draw"], more["time"], more["event"])
            drawn += [[int(d), arm, t, int(e)] for d, t, e in zip(*columns, strict=True)]
        _add(report, arm, rebuilt, curves[arm])
    files = {
        "patients.csv": csv_bytes(["arm", "time", "event"], patients),
        "report.json": (json.dumps(plain(report), indent=2, ensure_ascii=False) + "\n").encode(),
    }
    if draws:
        files["draws.csv"] = csv_bytes(["draw", "arm", "time", "event"], drawn)
    write_folder(out, files, owned=WRITTEN if (out / "report.json").is_file() else frozenset())
    return {**report, "files": sorted(files)}
