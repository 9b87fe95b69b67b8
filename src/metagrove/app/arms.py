"""Arms of survival curves: what a review folder knows of each, and the patients rebuilt from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from metagrove.app.paired_arms import PrintedPair, printed_pair
from metagrove.app.products import Product, row_material
from metagrove.core.errors import DataError, MetagroveError
from metagrove.core.units import convert_time
from metagrove.review.curve_rows import survival_scale
from metagrove.review.figure_rows import FigureState
from metagrove.review.folder import Review
from metagrove.review.spec import SurvivalAnalysis
from metagrove.review.tables import Row

if TYPE_CHECKING:
    from metagrove.survival.reconstruction.rebuilt import RebuiltPatients

__all__ = [
    "arm_inputs",
    "arm_name",
    "arm_rows",
    "arms_of",
    "doubtful_arms",
    "doubtful_figures",
    "pair_of",
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
    figure = _figure_of(review, analysis.endpoint, study)
    drawn = [figure.unit, figure.axis_end, figure.arm] if figure is not None else []
    pair = pair_of(review, analysis, study)
    if pair is not None:
        # The other arm is rebuilt with it.
        partner = pair.control if study == pair.treated else pair.treated
        rows += [row_material(arm_rows(review, name, analysis.endpoint, partner)) for name in tables]
        drawn += [pair.text, pair.treated, total_of(review, analysis.endpoint, partner, "n")]
        figure = _figure_of(review, analysis.endpoint, partner)
        drawn += [figure.unit, figure.axis_end, figure.arm] if figure is not None else []
    return [
        study,
        analysis.method,
        analysis.draws,
        analysis.seed,
        analysis.endpoint,
        review.spec.time_unit,
        rows,
        drawn,
    ]


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


def pair_of(review: Review, analysis: SurvivalAnalysis, study: str) -> PrintedPair | None:
    """The two arms that are rebuilt together since a hazard ratio is printed between them; None for an arm by itself."""
    if analysis.method != "likelihood" or "comparisons" not in review.tables:
        return None
    return printed_pair(
        review,
        analysis.endpoint,
        study,
        arms_of(review, analysis),
        lambda name: total_of(review, analysis.endpoint, name, "n"),
    )


#: Standard error between a log hazard ratio as printed, perhaps stratified or adjusted, and the plain one of the patients.
ADJUSTED = 0.05


def rebuilt_arm(review: Review, analysis: SurvivalAnalysis, study: str) -> Product:
    """The patients of one arm, with the draws that say how sure they are, and the report of the fit."""
    endpoint = analysis.endpoint
    pair = pair_of(review, analysis, study)
    known = {s: _known(review, analysis, s) for s in ([study] if pair is None else [pair.control, pair.treated])}
    try:
        rebuilt, more = _alone(analysis, study, known) if pair is None else _beside(analysis, study, known, pair)
    except MetagroveError as error:
        raise error.within(f"{study}, {endpoint} curve") from error
    figure = _figure_of(review, endpoint, study)
    lattice = rebuilt.lattice
    report = rebuilt.report
    report["contradictions"] += more
    carry: dict[str, Any] = {
        "study": study,
        **_columns(rebuilt.time, rebuilt.event),
        "report": report,
        "time_error": _time_error(rebuilt, figure, review.spec.time_unit) or None,
        "survival_error": float(figure.arm["survival_error"]) if figure and figure.arm else _finite(rebuilt.sigma),
        "lattice": [lattice.step, lattice.drops, lattice.near] if lattice is not None else None,
        "together": f"{pair.treated} against {pair.control}: {pair.text}" if pair is not None else None,
    }
    if rebuilt.sampled is not None:
        drawn = zip(rebuilt.sampled.time, rebuilt.sampled.event, strict=True)
        carry["draws"] = [list(_columns(t, e).values()) for t, e in drawn]
    return Product(carry=carry)


def _known(review: Review, analysis: SurvivalAnalysis, study: str) -> dict[str, Any]:
    """The curve of one arm and all that the folder knows of it, as `reconstruct` takes it."""
    import pandas as pd

    endpoint = analysis.endpoint
    rows = arm_rows(review, "curves", endpoint, study)
    scale = survival_scale(rows)
    curve = pd.DataFrame({"time": [r["time"] for r in rows], "survival": [r["survival"] / scale for r in rows]})
    known = [r for r in arm_rows(review, "at_risk", endpoint, study) if r["n"] is not None]
    at_risk = pd.DataFrame({"time": [r["time"] for r in known], "n": [r["n"] for r in known]}) if known else None
    figure = _figure_of(review, endpoint, study)
    patients = total_of(review, endpoint, study, "n")
    if patients is None and at_risk is None:
        raise DataError(
            f"{study}, {endpoint}: how many patients there were is not known; "
            "add a row with statistic n, or numbers at risk to at_risk.csv",
            file="survival.csv",
        )
    return {
        "curve": curve,
        "at_risk": at_risk,
        "n": patients,
        "events": total_of(review, endpoint, study, "events"),
        "marks": [r["time"] for r in arm_rows(review, "censor_marks", endpoint, study)] or None,
        **_printed_summaries(review, endpoint, study),
        "axis": _axis_end(figure, review.spec.time_unit),
        "time_error": _figure_error(figure, review.spec.time_unit),
    }


_Rebuilt: TypeAlias = "tuple[RebuiltPatients, list[dict[str, Any]]]"


def _alone(analysis: SurvivalAnalysis, study: str, known: Mapping[str, dict[str, Any]]) -> _Rebuilt:
    """One arm rebuilt by itself; nothing more contradicts."""
    import numpy as np

    from metagrove.survival.reconstruction.one_arm import reconstruct

    rng = np.random.default_rng([analysis.seed, *study.encode(), *analysis.endpoint.encode()])
    return reconstruct(**known[study], method=analysis.method, draws=analysis.draws, rng=rng), []


def _beside(analysis: SurvivalAnalysis, study: str, known: Mapping[str, dict[str, Any]], pair: PrintedPair) -> _Rebuilt:
    """One of two arms rebuilt together, and what of the printed hazard ratio contradicts their curves."""
    import numpy as np

    from metagrove.survival.reconstruction.two_arms import reconstruct_arms

    rng = np.random.default_rng([analysis.seed, *pair.control.encode(), *analysis.endpoint.encode()])
    made = reconstruct_arms(
        known[pair.control],
        known[pair.treated],
        hr=pair.hr,
        hr_error=ADJUSTED,
        draws=analysis.draws,
        rng=rng,
    )
    told = [{"facts": list(c.facts), "message": c.message} for c in made.contradictions]
    return made.control if study == pair.control else made.treated, told


def _columns(time: Any, event: Any) -> dict[str, list[Any]]:
    """Patients as plain numbers."""
    return {"time": [float(t) for t in time], "event": [int(e) for e in event]}


def _figure_of(review: Review, endpoint: str, study: str) -> FigureState | None:
    """The figure that an arm's curve was read from, if any."""
    wanted = endpoint.lower(), study.lower()
    found = (s for s in review.figures if (s.source.endpoint.lower(), s.source.study.lower()) == wanted)
    return next((state for state in found if state.usable), None)


def _axis_end(figure: FigureState | None, unit: str) -> float | None:
    """Where the figure's time axis ends, in `unit`; None for curves from a table."""
    return convert_time(figure.axis_end, figure.unit, unit) if figure is not None and figure.axis_end else None


def _figure_error(figure: FigureState | None, unit: str) -> float | None:
    """The half-width of the reading error of a time as the figure's reading gave it, in `unit`."""
    if figure is None or figure.arm is None:
        return None
    return convert_time(float(figure.arm["time_error"]), figure.unit, unit) or None


def _time_error(rebuilt: RebuiltPatients, figure: FigureState | None, unit: str) -> float:
    """The half-width of the reading error of a time: the figure's own, or half a column of a trace; 0 if unknown."""
    import numpy as np

    known = _figure_error(figure, unit)
    if known is not None:
        return known
    if rebuilt.curve is not None and rebuilt.curve.kind == "trace":
        return float(np.median(np.diff(rebuilt.curve.time))) / 2
    return 0.0


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _printed_summaries(review: Review, endpoint: str, study: str) -> dict[str, Any]:
    """The printed median and rates of one arm with their 95 % limits, in the review's unit, as `reconstruct` takes them."""
    from metagrove.survival.evidence.printed_facts import Interval

    found: dict[str, Any] = {}
    rates: dict[float, Any] = {}
    for row in arm_rows(review, "survival", endpoint, study):
        what, value = row.text("statistic").lower(), row["value"]
        if value is None or what not in ("median", "rate"):
            continue
        limits = [value.low, value.high] if row["ci_low"] is None else [row["ci_low"], row["ci_high"]]
        limits = limits if row["ci_level"] in (None, 0.95, 95) else [None, None]
        unit = row.text("unit") or (value.unit if what == "median" else "") or review.spec.time_unit
        parts = [value.value, *limits]
        try:
            if what == "median":
                times = [None if x is None else convert_time(x, unit, review.spec.time_unit) for x in parts]
                half = convert_time(Interval(parts[0], parts[1], parts[2]).half_unit, unit, review.spec.time_unit)
                found.setdefault("median", Interval(times[0], times[1], times[2], rounding=half))
            elif row["time"] is not None:
                if value.unit == "%":
                    parts = [None if x is None else round(x / 100, 6) for x in parts]
                rates[convert_time(row["time"], unit, review.spec.time_unit)] = _estimate(parts)
        except MetagroveError as error:
            raise row.error(str(error), "unit") from None
    return {**found, "rates": rates} if rates else found


def _estimate(parts: list[float | None]) -> Any:
    return parts[0] if parts[1] is None and parts[2] is None else tuple(parts)


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
