"""Arms of survival curves: what a review folder knows of each, and the patients rebuilt from it."""

from __future__ import annotations

from typing import Any

from metagrove.app.products import Product, row_material
from metagrove.core.errors import MetagroveError
from metagrove.core.units import convert_time
from metagrove.review.curve_rows import survival_scale
from metagrove.review.folder import Review
from metagrove.review.spec import SurvivalAnalysis
from metagrove.review.tables import Row

__all__ = [
    "arm_inputs",
    "arm_name",
    "arm_rows",
    "arms_of",
    "doubtful_arms",
    "doubtful_figures",
    "printed_median",
    "rebuilt_arm",
    "total_of",
]


def _mine(row: Row, endpoint: str, study: str) -> bool:
    return row.text("endpoint").lower() == endpoint.lower() and row.text("study").lower() == study.lower()


def arms_of(review: Review, analysis: SurvivalAnalysis) -> list[str]:
    """The studies with a curve of the endpoint, in the order of studies.csv (or of the curves), without those excluded."""
    gone = {exclusion.study.lower() for exclusion in analysis.exclude}
    wanted = analysis.endpoint.lower()
    there = dict.fromkeys(r.text("study") for r in review.rows("curves") if r.text("endpoint").lower() == wanted)
    order = {row.text("study").lower(): i for i, row in enumerate(review.rows("studies"))}
    names = sorted(there, key=lambda name: order.get(name.lower(), len(order)))
    return [name for name in names if name.lower() not in gone]


def doubtful_arms(review: Review, analysis: SurvivalAnalysis) -> list[tuple[str, str]]:
    """The studies whose figure of the endpoint may not be used yet, each with the figure and the first reason."""
    gone = {exclusion.study.lower() for exclusion in analysis.exclude}
    return [
        (state.source.study, f"{state.source.file} needs a person: {state.reasons[0]}")
        for state in review.figures
        if not state.usable
        and state.source.endpoint.lower() == analysis.endpoint.lower()
        and state.source.study.lower() not in gone
    ]


def doubtful_figures(review: Review) -> tuple[str, ...]:
    """Each figure that no analysis uses because nobody has confirmed its reading, with its first reason."""
    lines = (
        f"{s.source.file} ({s.source.study}, {s.source.endpoint}): {s.reasons[0]}"
        for s in review.figures
        if not s.usable
    )
    return tuple(dict.fromkeys(lines))


def arm_rows(review: Review, table: str, endpoint: str, study: str) -> tuple[Row, ...]:
    """The rows of `table` that belong to one arm."""
    return tuple(row for row in review.rows(table) if _mine(row, endpoint, study))


def arm_name(analysis: SurvivalAnalysis, study: str) -> str:
    """What rebuilding this arm in this way is called; analyses with the same settings share it."""
    drawn = f", {analysis.draws} draws" if analysis.draws else ""
    return f"patients {analysis.endpoint} {study} ({analysis.method}{drawn}, seed {analysis.seed})"


def arm_inputs(review: Review, analysis: SurvivalAnalysis, study: str) -> list[Any]:
    """All that rebuilding one arm depends on."""
    tables = ("curves", "at_risk", "censor_marks", "survival")
    rows = [row_material(arm_rows(review, name, analysis.endpoint, study)) for name in tables]
    return [study, analysis.method, analysis.draws, analysis.seed, analysis.endpoint, review.spec.time_unit, rows]


def total_of(review: Review, endpoint: str, study: str, statistic: str) -> int | None:
    """The printed number of patients (`n`) or of events (`events`) of one arm."""
    for row in arm_rows(review, "survival", endpoint, study):
        if row.text("statistic").lower() == statistic and row["value"] is not None:
            return int(row["value"].value)
    if statistic == "n":
        first = [r["n"] for r in arm_rows(review, "at_risk", endpoint, study) if r["time"] == 0 and r["n"] is not None]
        if first:
            return int(first[0])
        known = review.study(study)
        if known is not None and known["n_enrolled"] is not None:
            return int(known["n_enrolled"])
    return None


def rebuilt_arm(review: Review, analysis: SurvivalAnalysis, study: str) -> Product:
    """The patients of one arm, with the draws that say how sure they are, and the report of the fit."""
    import numpy as np
    import pandas as pd

    from metagrove.survival.reconstruct import reconstruct

    endpoint = analysis.endpoint
    rows = arm_rows(review, "curves", endpoint, study)
    scale = survival_scale(rows)
    curve = pd.DataFrame({"time": [r["time"] for r in rows], "survival": [r["survival"] / scale for r in rows]})
    known = [r for r in arm_rows(review, "at_risk", endpoint, study) if r["n"] is not None]
    at_risk = pd.DataFrame({"time": [r["time"] for r in known], "n": [r["n"] for r in known]}) if known else None
    marks = [r["time"] for r in arm_rows(review, "censor_marks", endpoint, study)] or None
    try:
        rebuilt = reconstruct(
            curve,
            at_risk=at_risk,
            n=total_of(review, endpoint, study, "n"),
            events=total_of(review, endpoint, study, "events"),
            marks=marks,
            method=analysis.method,
            draws=analysis.draws,
            rng=np.random.default_rng([analysis.seed, *study.encode(), *endpoint.encode()]),
        )
    except MetagroveError as error:
        raise error.within(f"{study}, {endpoint} curve") from error
    patients = rebuilt.patients
    carry: dict[str, Any] = {
        "study": study,
        "time": [float(t) for t in patients["time"]],
        "event": [int(e) for e in patients["event"]],
        "report": rebuilt.report,
    }
    if rebuilt.draws is not None:
        carry["draws"] = [
            [[float(t) for t in one["time"]], [int(e) for e in one["event"]]]
            for _, one in rebuilt.draws.groupby("draw")
        ]
    return Product(carry=carry)


def printed_median(review: Review, endpoint: str, study: str) -> tuple[float, str, Row] | None:
    """The printed median in the review's unit, as printed, and its row; None where none is printed."""
    for row in arm_rows(review, "survival", endpoint, study):
        if row.text("statistic").lower() == "median" and row["value"] is not None:
            unit = row.text("unit") or row["value"].unit or review.spec.time_unit
            try:
                value = convert_time(row["value"].value, unit, review.spec.time_unit)
            except MetagroveError as error:
                raise row.error(str(error), "unit") from None
            return value, f"{row.text('value')} {unit}", row
    return None
