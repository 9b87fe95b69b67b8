"""One survival analysis of a review: rebuilt patients pooled into a summary curve."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metagrove.app.arms import arm_name, arm_rows, arms_of, doubtful_arms, pair_of, printed_median
from metagrove.app.comparing import comparisons
from metagrove.app.numbers import interval, p_value, percent, percent_interval
from metagrove.app.products import Product, csv_bytes
from metagrove.app.survival_budget import budget_lines, budget_table, budget_words, doubtful_times, reading_table
from metagrove.core.errors import DataError
from metagrove.core.results import plain
from metagrove.report.document import Cell, Column, Figure, Section, SourceLine, Table
from metagrove.review.folder import Review
from metagrove.review.spec import SurvivalAnalysis

if TYPE_CHECKING:
    from metagrove.pooling.curves.reading import DigitizingSensitivity

__all__ = ["product"]

_ENDPOINTS = {
    "OS": "Overall survival",
    "PFS": "Progression-free survival",
    "DFS": "Disease-free survival",
    "EFS": "Event-free survival",
    "RFS": "Relapse-free survival",
    "TTP": "Time to progression",
}


def _carried(
    analysis: SurvivalAnalysis, review: Review, patients: Mapping[str, Product]
) -> dict[str, Mapping[str, Any]]:
    """What was rebuilt for each study of the analysis, by study."""
    made = {}
    for study in arms_of(review, analysis):
        made[study] = patients[arm_name(analysis, study)].carry
    return made


def _horizon(analysis: SurvivalAnalysis, arms: Mapping[str, Mapping[str, Any]]) -> float:
    return analysis.until or max(max(arm["time"]) for arm in arms.values())


@dataclass(frozen=True, slots=True)
class _Pooled:
    """The summary curve, and what reconstruction cost where draws were asked for."""

    curve: Any
    explanation: Any
    draws: int = 0
    share_median: float = math.nan
    share_mean: float = math.nan
    reading: DigitizingSensitivity | None = None


def _pooled(review: Review, analysis: SurvivalAnalysis, arms: Mapping[str, Mapping[str, Any]], until: float) -> _Pooled:
    """The arms pooled on the analysis's grid; over all draws of reconstructed patients where there are any."""
    from metagrove.pooling.curves.grid import curve_grid, grid_table
    from metagrove.pooling.curves.imputation import imputed_curve
    from metagrove.pooling.curves.reading import digitizing_sensitivity
    from metagrove.pooling.curves.summary import CurveSettings, pooled_curve

    correction = None if analysis.correction == "none" else analysis.correction
    settings = CurveSettings(analysis.model, correction, analysis.compat, analysis.level)
    if analysis.draws > 1:
        drawn = {review.label(study): _draws(arm) for study, arm in arms.items()}
        imputed = imputed_curve(drawn, analysis.step, horizon=until, settings=settings)
        reading = digitizing_sensitivity(drawn, analysis.step, horizon=until, settings=settings)
        shares = imputed.share_median, imputed.share_mean
        return _Pooled(imputed.curve, imputed.explain(), imputed.draws, *shares, reading)
    named = {review.label(study): (arm["time"], arm["event"]) for study, arm in arms.items()}
    table = grid_table(named, analysis.step, horizon=until)
    grid = curve_grid(table["study"], table["time"], table["n_risk"], table["survival"])
    curve = pooled_curve(grid, settings)
    return _Pooled(curve, curve.explain())


def _draws(arm: Mapping[str, Any]) -> Mapping[str, Any]:
    """All draws of one arm as columns."""
    import numpy as np

    times = [np.asarray(time) for time, _ in arm["draws"]]
    return {
        "draw": np.repeat(np.arange(len(times)), [time.size for time in times]),
        "time": np.concatenate(times),
        "event": np.concatenate([np.asarray(event) for _, event in arm["draws"]]),
    }


def _rates(pooled: Any, every: float, unit: str) -> Table:
    """Pooled survival at steps of `every`, with limits, numbers at risk and studies."""
    rows = [
        (
            Cell(f"{row['time']:g}"),
            Cell(percent(row["survival"], 2)),
            Cell(percent_interval(row["lower"], row["upper"])),
            Cell(f"{row['n_risk']:.0f}"),
            Cell(f"{row['studies']:.0f}"),
        )
        for row in pooled.rows()
        if math.isclose(row["time"] / every, round(row["time"] / every), abs_tol=1e-9)
    ]
    columns = (
        Column(unit.capitalize(), "right"),
        Column("Survival", "right"),
        Column(f"{pooled.level:.0%} CI", "right"),
        Column("At risk before", "right"),
        Column("Studies", "right"),
    )
    few = [row for row in pooled.rows() if row["n_risk"] < 10]
    notes = (
        (f"Fewer than 10 patients are at risk from {few[0]['time']:g} {unit} on; the curve there rests on them.",)
        if few
        else ()
    )
    return Table(f"Pooled survival at steps of {every:g} {unit}", columns, tuple(rows), notes)


def _members(review: Review, analysis: SurvivalAnalysis, arms: Mapping[str, Mapping[str, Any]]) -> Table:
    """Each study's rebuilt patients beside what its paper printed."""
    from metagrove.survival.kaplan_meier import survival_curve

    rows = []
    for study, arm in arms.items():
        curve = survival_curve(arm["time"], arm["event"])
        low, high = curve.median_ci(transform="log-log")
        printed = printed_median(review, analysis.endpoint, study)
        worst = max((abs(f["difference"]) for f in arm["report"]["fit"] if "largest" in f["fact"]), default=math.nan)
        source = f"{analysis.name}-{study}-median" if printed else ""
        rows.append(
            (
                Cell(review.label(study)),
                Cell(str(len(arm["time"]))),
                Cell(str(sum(arm["event"]))),
                Cell(f"{curve.median:.2f}" if math.isfinite(curve.median) else "not reached"),
                Cell(interval(low, high)),
                Cell(printed[1] if printed else "not printed", source),
                Cell(percent(worst, 2)),
            )
        )
    columns = (
        Column("Study"),
        Column("Patients", "right"),
        Column("Events", "right"),
        Column(f"Median, {review.spec.time_unit}", "right"),
        Column("95% CI (log-log)", "right"),
        Column("Median as printed", "right"),
        Column("Largest misfit of curve", "right"),
    )
    notes = ["Patients were rebuilt from each digitized curve; the misfit is measured against the curve as digitized."]
    rounded = [f"{review.label(s)} ({arm['lattice'][0]:.3g})" for s, arm in arms.items() if arm["lattice"]]
    if rounded:
        notes.append(
            f"Times that were rounded before they were drawn were put back onto the multiples of their step, in "
            f"{review.spec.time_unit}: {', '.join(rounded)}."
        )
    return Table("Rebuilt studies", columns, tuple(rows), tuple(notes))


def _sources(review: Review, analysis: SurvivalAnalysis, arms: Mapping[str, Any]) -> tuple[SourceLine, ...]:
    lines = []
    for study in arms:
        label = review.label(study)
        for row in arm_rows(review, "survival", analysis.endpoint, study):
            if row["value"] is None:
                continue
            statistic = row.text("statistic").lower()
            used = f"{row['value'].value:g}"
            if statistic == "median":
                median = printed_median(review, analysis.endpoint, study)
                used = f"{median[0]:.3f} {review.spec.time_unit}" if median else used
            shown = f"{row.text('value')} {row.text('unit')}".strip()
            at = f" at {row['time']:g}" if row["time"] is not None else ""
            key = f"{analysis.name}-{study}-{statistic}"
            what = f"{label}, {analysis.endpoint} {statistic}{at}"
            source = row.source
            lines.append(SourceLine(key, what, shown, used, source.document, source.locator, row.file, row.number))
        for name, what in (
            ("curves", "digitized curve"),
            ("at_risk", "numbers at risk"),
            ("censor_marks", "censor marks"),
        ):
            rows = arm_rows(review, name, analysis.endpoint, study)
            if rows:
                source = rows[0].source
                count = f"{len(rows)} points"
                lines.append(
                    SourceLine(
                        f"{analysis.name}-{study}-{name}",
                        f"{label}, {analysis.endpoint} {what}",
                        count,
                        count,
                        source.document,
                        source.locator,
                        rows[0].file,
                        rows[0].number,
                    )
                )
    return tuple(lines)


def _value_of(pooled: Any, quantity: str, time: float | None) -> tuple[float | None, str]:
    """Our number for a quantity of published.csv, or why there is none."""
    if quantity == "rate":
        if time is None or time > pooled.time[-1]:
            return None, "beyond the curve"
        return float(pooled.at(time)), ""
    names = {
        "median": "median",
        "median_low": "median_lower",
        "median_high": "median_upper",
        "mean": "mean",
        "I2": "I2",
        "Q": "Q",
    }
    if quantity not in names:
        raise DataError(
            f"'{quantity}' is no quantity of a survival analysis; known: rate, {', '.join(names)}", file="published.csv"
        )
    value = float(getattr(pooled, names[quantity]))
    return (value, "") if math.isfinite(value) else (None, pooled.median_reason or "does not exist")


def _headline(pooled: Any, unit: str, studies: int, patients: int) -> tuple[str, ...]:
    median = "not reached" if not math.isfinite(pooled.median) else f"{pooled.median:.1f} {unit}"
    limits = interval(pooled.median_lower, pooled.median_upper)
    first = f"Median {median} ({pooled.level:.0%} CI {limits}) from {studies} studies and {patients} patients."
    rates = [
        f"{percent(float(pooled.at(t)))} at {t:g}"
        for t in (6.0, 12.0, 24.0)
        if t <= pooled.time[-1] and unit == "months"
    ]
    second = f"Survival was {', '.join(rates)} {unit}." if rates else ""
    return tuple(part for part in (first, second, pooled.median_reason) if part)


def _outside_members(curve: Any, unit: str) -> tuple[str, ...]:
    """A caution where the pooled curve leaves the range of the studies that are still followed."""
    found = []
    for t, pooled in zip(curve.time, curve.survival, strict=True):
        there = [float(c.survival[c.time <= t][-1]) for c in curve.curves if c.time[-1] >= t and (c.time <= t).any()]
        if len(there) > 1 and not min(there) - 0.02 <= pooled <= max(there) + 0.02:
            found.append((float(t), float(pooled), min(there), max(there)))
    if not found:
        return ()
    (first, *_), (last, pooled, low, high) = found[0], found[-1]
    cause = (
        "The continuity correction, multiplied over intervals with few patients, pulls it down"
        if pooled < low
        else "Studies that have ended no longer hold it down"
    )
    return (
        f"From {first:g} {unit} on the pooled curve lies outside the curves of the studies still followed "
        f"({percent(pooled)} against {percent(low)} to {percent(high)} at {last:g} {unit}). {cause}; "
        "read its tail with care.",
    )


def _cost(made: _Pooled) -> tuple[str, ...]:
    """What digitizing and reconstruction add to the uncertainty of the pooled numbers."""
    if not made.draws:
        return ()
    median = f"{percent(made.share_median, 0)} of the median's and " if math.isfinite(made.share_median) else ""
    return (
        f"Reconstruction accounts for {median}{percent(made.share_mean, 0)} of the mean's variance "
        f"({made.draws} sets of plausible patients per study, combined by Rubin's rules).",
    )


def product(review: Review, analysis: SurvivalAnalysis, patients: Mapping[str, Product]) -> Product:
    """The section, figure and tables of one pooled survival curve.

    Raises
    ------
    DataError
        No study has a curve of the endpoint.
    """
    from metagrove.plots.curve_source import pooled_panel
    from metagrove.plots.curves import curves_drawing

    arms = _carried(analysis, review, patients)
    doubtful = doubtful_arms(review, analysis)
    if not arms:
        why = f"; {doubtful[0][1]}" if doubtful else ""
        raise DataError(f"no study is left with a curve of {analysis.endpoint}{why}", file="curves.csv")
    unit, until = review.spec.time_unit, _horizon(analysis, arms)
    made = _pooled(review, analysis, arms, until)
    pooled = made.curve
    budget = budget_lines(review, analysis, pooled, arms)
    title = analysis.title or analysis.endpoint
    synthetic = "curves" in review.spec.synthetic
    warning = (
        "SYNTHETIC curves, simulated to agree with printed medians and rates; no clinical result" if synthetic else ""
    )
    drawing = curves_drawing(
        pooled_panel(
            pooled, outcome=_ENDPOINTS.get(analysis.endpoint.upper(), analysis.endpoint), unit=unit, synthetic=warning
        )
    )
    explanation = made.explanation
    mark = "SYNTHETIC curves. " if synthetic else ""
    caption = (
        f"Pooled survival curve of {title[0].lower() + title[1:]} ({pooled.model} effects) with its {pooled.level:.0%} band, the curves of the "
        f"{len(arms)} studies, and numbers at risk. {mark}"
    ).strip()
    method = {
        "likelihood": "the likelihood method",
        "guyot": "the method of Guyot and colleagues",
        "bounded": "the bounded variant of the method of Guyot and colleagues",
    }
    rebuilt = f"Patients were rebuilt from the digitized curves, numbers at risk, totals and censor marks with {method[analysis.method]}"
    rebuilt += _pairs_told(review, analysis, arms)
    cautions = [analysis.note] if analysis.note else []
    if math.isfinite(pooled.I2) and pooled.I2 > 0.5:
        cautions.append(
            f"Heterogeneity is large (I² {percent(pooled.I2, 0)}): one curve does not describe every trial."
        )
    heterogeneity = f"Q {pooled.Q:.2f} (df {pooled.df_Q}, p {p_value(pooled.pval_Q)}), I² {percent(pooled.I2, 0)}"
    settings = (
        ("Endpoint", analysis.endpoint), ("Model", pooled.model), ("Grid", f"{analysis.step:g} {unit} to {until:g}"),
        ("Continuity correction", str(analysis.correction)), ("Compatibility", analysis.compat or "none"),
        ("Reconstruction", analysis.method), ("Draws", str(analysis.draws)), ("Seed", str(analysis.seed)),
        ("Heterogeneity", heterogeneity), ("Mean to the last time", f"{pooled.mean:.2f} {unit}"),
    )  # fmt: skip
    section = Section(
        name=analysis.name,
        title=title,
        kind="survival",
        headline=_headline(pooled, unit, len(arms), sum(len(a["time"]) for a in arms.values())) + _cost(made),
        methods=f"{rebuilt}. {explanation.sentence}",
        references=_method_references(analysis.method) + explanation.references,
        settings=settings,
        tables=(
            _rates(pooled, analysis.rates_every, unit),
            _members(review, analysis, arms),
            *((budget_table(budget, unit),) if budget else ()),
            *((reading_table(made.reading, unit),) if made.reading is not None else ()),
        ),
        figures=(Figure(analysis.name, caption),),
        cautions=(
            *cautions,
            *(f"{review.label(study)} is left out: {why}." for study, why in doubtful),
            *doubtful_times(review, analysis, pooled, arms),
            *_outside_members(pooled, unit),
        ),
        excluded=tuple((review.label(e.study), e.reason) for e in analysis.exclude)
        + tuple((review.label(study), why) for study, why in doubtful),
        comparisons=comparisons(review, analysis.name, lambda quantity, _, time: _value_of(pooled, quantity, time)),
        sources=_sources(review, analysis, arms),
        synthetic=synthetic,
    )
    files = _files(review, analysis, made, arms, drawing, [line.row() for line in budget])
    return Product(section, files, {"budget": budget_words(budget, unit)})


def _pairs_told(review: Review, analysis: SurvivalAnalysis, arms: Mapping[str, Any]) -> str:
    """The arms that were rebuilt together with the hazard ratio printed between them, as the end of a sentence."""
    pairs = {pair.treated: pair for study in arms if (pair := pair_of(review, analysis, study)) is not None}
    told = [
        f"{review.label(pair.treated)} and {review.label(pair.control)} (hazard ratio {pair.text})"
        for pair in pairs.values()
    ]
    return (
        f"; two arms of one trial together, so that they show the hazard ratio printed between them: {', '.join(told)}"
        if told
        else ""
    )


def _method_references(method: str) -> tuple[str, ...]:
    from metagrove.survival.reconstruction.one_arm import RECONSTRUCTIONS

    return (RECONSTRUCTIONS.entry(method).cite,)


def _files(
    review: Review,
    analysis: SurvivalAnalysis,
    made: _Pooled,
    arms: Mapping[str, Any],
    drawing: Any,
    budget: list[dict[str, Any]],
) -> dict[str, bytes]:
    name, pooled = analysis.name, made.curve
    names = ("time", "survival", "lower", "upper", "n_risk", "studies")
    curve = [[row[key] for key in names] for row in pooled.rows()]
    people = [[s, t, e] for s, arm in arms.items() for t, e in zip(arm["time"], arm["event"], strict=True)]
    numbers = (
        "median",
        "median_lower",
        "median_upper",
        "median_reason",
        "mean",
        "mean_lower",
        "mean_upper",
        "Q",
        "df_Q",
        "pval_Q",
        "H2",
        "I2",
    )
    result = {key: plain(getattr(pooled, key)) for key in numbers} | {
        "synthetic": "curves" in review.spec.synthetic,
        "draws": made.draws,
        "share_of_variance_by_reconstruction": {"median": made.share_median, "mean": made.share_mean},
        "error_budget": budget,
        "reading_of_figures": [] if made.reading is None else made.reading.rows(),
    }
    files = {
        f"figures/{name}.svg": drawing.svg(),
        f"figures/{name}.pdf": drawing.pdf(),
        f"figures/{name}.png": drawing.png(),
        f"tables/{name}-curve.csv": csv_bytes(names, curve),
        f"tables/{name}-patients.csv": csv_bytes(["study", "time", "event"], people),
        f"results/{name}.json": (json.dumps(plain(result), indent=2, ensure_ascii=False) + "\n").encode(),
    }
    reports = {study: arm["report"] for study, arm in arms.items()}
    files[f"results/{name}-reconstruction.json"] = (
        json.dumps(plain(reports), indent=2, ensure_ascii=False) + "\n"
    ).encode()
    return files
