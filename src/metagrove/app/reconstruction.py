"""Digitized curves in a table, rebuilt into patients arm by arm."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from metagrove.app.inputs import at_risk_table, curve_table, marks_table, totals_table
from metagrove.app.products import csv_bytes
from metagrove.core.errors import DataError, MetagroveError
from metagrove.core.results import plain
from metagrove.review.storage import write_folder

__all__ = ["ReconstructInputs", "reconstruct_curves"]


@dataclass(frozen=True, slots=True)
class ReconstructInputs:
    """The files: curves, and what else the paper printed."""

    curves: Path
    at_risk: Path | None = None
    totals: Path | None = None
    marks: Path | None = None


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


def reconstruct_curves(
    inputs: ReconstructInputs,
    out: Path,
    *,
    method: str,
    draws: int,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """The report of every arm's reconstruction, after patients.csv, draws.csv and report.json stand in `out`.

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
    import numpy as np
    import pandas as pd

    from metagrove.survival.reconstruct import reconstruct

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
    for i, arm in enumerate(arms):
        if progress:
            progress(f"rebuilding {arm}", i, len(arms))
        at_risk = _for_arm(risk, arm, arms, inputs.at_risk)
        n, events = _for_arm(totals, arm, arms, inputs.totals) or (None, None)
        try:
            rebuilt = reconstruct(
                pd.DataFrame(curves[arm], columns=["time", "survival"]),
                at_risk=pd.DataFrame(at_risk, columns=["time", "n"]) if at_risk else None,
                n=n,
                events=events,
                marks=_for_arm(marks, arm, arms, inputs.marks),
                method=method,
                draws=draws,
                rng=np.random.default_rng([seed, i]),
            )
        except MetagroveError as error:
            place = f"{inputs.curves.name}, arm '{arm}'" if arm else inputs.curves.name
            raise error.within(place) from error
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
