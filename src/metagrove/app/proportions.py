"""One analysis of proportions of a review: responses, disease control, prevalence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from metagrove.app.bias import beside_forest
from metagrove.app.comparing import comparisons
from metagrove.app.numbers import percent, percent_interval
from metagrove.app.pooled_sections import (
    Shown,
    bias_table,
    drawn_files,
    failed_line,
    quantity_of,
    result_file,
    scale_numbers,
    sensitivity_line,
    sensitivity_table,
    subgroup_quantity,
)
from metagrove.app.products import Product, csv_bytes
from metagrove.core.errors import DataError
from metagrove.report.document import Cell, Column, Figure, Section, SourceLine, Table
from metagrove.review.folder import Review
from metagrove.review.spec import ProportionAnalysis
from metagrove.review.tables import Row

__all__ = ["Arm", "arms_of_analysis", "pooled_arms", "product"]

_SUMS = ("events", "n")
_TESTS = ("Egger", "Begg", "Thompson")
_TEST_NOTE = (
    "On transformed proportions the standard error depends on the size of the study by construction; read these tests "
    "with care."
)


@dataclass(frozen=True, slots=True)
class Arm:
    """One study's counts in one analysis, with the row they were read from."""

    study: str
    label: str
    events: int
    n: int
    subgroup: str
    row: Row


def _shown(analysis: ProportionAnalysis) -> Shown:
    return Shown(percent, percent_interval, "random" if analysis.random else "common")


def _population(row: Row) -> str:
    return row["population"] or "evaluable"


def _other_denominator(review: Review, arm: Arm, population: str) -> Arm:
    """The arm with the number of another population under its events, for the table of sensitivity.

    Raises
    ------
    DataError
        The number is not known, or smaller than the events.
    """
    study = review.study(arm.study)
    n = study[f"n_{population}"] if study is not None else None
    if n is None:
        raise arm.row.error(f"{arm.study}: no number of {population} patients; give n_{population} in studies.csv", "n")
    if arm.events > n:
        message = f"{arm.events} events among {n} {population} patients; events cannot exceed the total"
        raise arm.row.error(message, "events")
    return replace(arm, n=int(n))


def _n_of(review: Review, row: Row, population: str) -> int:
    """The row's own total, else the study's number of the population."""
    if row["n"] is not None:
        return int(row["n"])
    study = review.study(row.text("study"))
    if study is None or study[f"n_{population}"] is None:
        message = (
            f"{row.text('study')}: no number of {population} patients; give n here or n_{population} in studies.csv"
        )
        raise row.error(message, "n")
    n = int(study[f"n_{population}"])
    if row["events"] > n:
        message = f"{row['events']} events among {n} {population} patients; events cannot exceed the total"
        raise row.error(message, "events", "events-above-n")
    return n


def _reported(review: Review, analysis: ProportionAnalysis) -> list[Row]:
    gone = {exclusion.study.lower() for exclusion in analysis.exclude}
    wanted = analysis.outcome.lower()
    return [
        row
        for row in review.rows("responses")
        if row.text("outcome").lower() == wanted and row.text("study").lower() not in gone and row["events"] is not None
    ]


def other_populations(review: Review, analysis: ProportionAnalysis) -> tuple[tuple[str, str], ...]:
    """Studies left out because they report the outcome among other patients only, with the reason."""
    rows = _reported(review, analysis)
    kept = {row.text("study") for row in rows if _population(row) == analysis.population}
    return tuple(
        (
            review.label(row.text("study")),
            f"reported among {_population(row)} patients, not among {analysis.population}",
        )
        for row in rows
        if row.text("study") not in kept
    )


def arms_of_analysis(review: Review, analysis: ProportionAnalysis) -> list[Arm]:
    """The studies of an analysis with their counts among its population; counts of other populations stay out.

    Raises
    ------
    DataError
        No study is left, or a denominator is missing.
    """
    arms = []
    for row in _reported(review, analysis):
        if _population(row) != analysis.population:
            continue
        study = row.text("study")
        about = review.study(study)
        subgroup = about.text(analysis.subgroup) if about is not None and analysis.subgroup else ""
        n = _n_of(review, row, analysis.population)
        if n == 0:
            raise row.error("is 0; a study has at least one patient", "n")
        arms.append(Arm(study, review.label(study), row["events"], n, subgroup, row))
    if not arms:
        among = f" among {analysis.population} patients"
        raise DataError(f"no study is left that reports {analysis.outcome}{among}", file="responses.csv")
    return arms


def pooled_arms(analysis: ProportionAnalysis, arms: list[Arm], *, subgroups: bool = True) -> Any:
    """The meta-analysis of the arms as the analysis asks for it."""
    from metagrove.doors.one_arm import metaprop

    split = subgroups and analysis.subgroup and any(arm.subgroup for arm in arms)
    return metaprop(
        [arm.events for arm in arms],
        [arm.n for arm in arms],
        studlab=[arm.label for arm in arms],
        subgroup=[arm.subgroup or "not stated" for arm in arms] if split else None,
        sm=analysis.sm,
        method=analysis.method,
        method_tau="ML" if analysis.method == "GLMM" else analysis.method_tau,
        method_ci=analysis.method_ci,
        method_random_ci=analysis.method_random_ci,
        tau_common=analysis.tau_common,
        common=analysis.common,
        random=analysis.random,
        prediction=analysis.prediction,
        level=analysis.level,
        level_ma=analysis.level,
    )


def _with_hartung_knapp(analysis: ProportionAnalysis, arms: list[Arm]) -> Any:
    return pooled_arms(analysis.model_copy(update={"method_random_ci": "HK"}), arms, subgroups=False)


def _key(analysis: ProportionAnalysis, arm: Arm) -> str:
    return f"{analysis.name}-{arm.study}".replace(" ", "_")


def _studies_table(analysis: ProportionAnalysis, arms: list[Arm], pooled: Any) -> Table:
    split = bool(analysis.subgroup)
    weights = _shown(analysis).of(pooled, "w")
    share = 100 * weights / weights.sum()
    rows = []
    for i, arm in enumerate(arms):
        source = _key(analysis, arm)
        cells = [Cell(arm.label)] + ([Cell(arm.subgroup)] if split else [])
        cells += [
            Cell(f"{arm.events}/{arm.n}", source),
            Cell(percent(arm.events / arm.n)),
            Cell(percent_interval(float(pooled.back.lower[i]), float(pooled.back.upper[i]))),
            Cell(f"{share[i]:.1f}%"),
        ]
        rows.append(tuple(cells))
    columns = [Column("Study")] + ([Column(analysis.subgroup.capitalize())] if split else [])
    columns += [Column("Events/patients", "right"), Column("Proportion", "right")]
    columns += [Column(f"{analysis.level:.0%} CI ({analysis.method_ci})", "right"), Column("Weight", "right")]
    return Table("Studies", tuple(columns), tuple(rows))


def _sensitivity(review: Review, analysis: ProportionAnalysis, arms: list[Arm], pooled: Any) -> Table:
    """The pooled value under other denominators, and without each study."""
    rows: list[tuple[Cell, ...]] = [sensitivity_line("As analysed", pooled, len(arms), _shown(analysis))]
    if analysis.method == "Inverse" and analysis.method_random_ci == "classic" and len(arms) > 1:
        with_hk = _with_hartung_knapp(analysis, arms)
        rows.append(sensitivity_line("With Hartung-Knapp limits", with_hk, len(arms), _shown(analysis)))
    for population in analysis.denominators:
        try:
            others = [_other_denominator(review, arm, population) for arm in arms]
        except DataError as error:
            rows.append(failed_line(f"{population.capitalize()} patients", error.message))
            continue
        other = pooled_arms(analysis, others, subgroups=False)
        name = f"{population.capitalize()} patients (n = {sum(arm.n for arm in others)})"
        rows.append(sensitivity_line(name, other, len(others), _shown(analysis)))
    if analysis.leave_one_out and len(arms) > 2:
        for i, arm in enumerate(arms):
            kept = arms[:i] + arms[i + 1 :]
            without = pooled_arms(analysis, kept, subgroups=False)
            rows.append(sensitivity_line(f"Without {arm.label}", without, len(kept), _shown(analysis)))
    return sensitivity_table(rows, analysis.level)


def _headline(pooled: Any, analysis: ProportionAnalysis, arms: list[Arm]) -> tuple[str, ...]:
    shown = _shown(analysis)
    back, k = pooled.back, len(arms)
    events, n = sum(a.events for a in arms), sum(a.n for a in arms)
    first = (
        f"{percent(shown.of(back, 'TE'), 0)} ({analysis.level:.0%} CI "
        f"{percent_interval(shown.of(back, 'lower'), shown.of(back, 'upper'), 0)}), "
        f"{events} of {n} patients in {k} {'studies' if k != 1 else 'study'}; I² {percent(pooled.I2, 0)}."
    )
    second = ""
    if k > 2 and analysis.prediction and analysis.random:
        second = f"In a new trial the true proportion would lie between {percent(back.lower_predict, 0)} and {percent(back.upper_predict, 0)} with {analysis.level:.0%} probability (prediction interval)."
    return tuple(text for text in (first, second) if text)


def _cautions(pooled: Any, analysis: ProportionAnalysis) -> tuple[str, ...]:
    notes = [analysis.note] if analysis.note else []
    if math.isfinite(pooled.I2) and pooled.I2 > 0.75 and not analysis.random:
        notes.append(f"I² is {percent(pooled.I2, 0)}: a common effect does not describe these studies.")
    elif math.isfinite(pooled.I2) and pooled.I2 > 0.75:
        width = percent_interval(pooled.back.lower_predict, pooled.back.upper_predict, 0)
        notes.append(
            f"I² is {percent(pooled.I2, 0)} and the prediction interval runs from {width}%: the pooled value alone says little."
        )
    if 2 < pooled.k < 10 and analysis.method_random_ci == "classic" and analysis.random:
        notes.append(
            f"With {pooled.k} studies the classic interval tends to be too narrow; a table below gives the Hartung-Knapp limits beside it."
        )
    return tuple(notes)


def _sources(analysis: ProportionAnalysis, arms: list[Arm]) -> tuple[SourceLine, ...]:
    lines = []
    for arm in arms:
        source = arm.row.source
        printed = f"{arm.row.text('events')}/{arm.row.text('n')}" if arm.row.text("n") else arm.row.text("events")
        lines.append(
            SourceLine(
                _key(analysis, arm),
                f"{arm.label}, {analysis.outcome}",
                printed,
                f"{arm.events}/{arm.n}",
                source.document,
                source.locator,
                arm.row.file,
                arm.row.number,
            )
        )
    return tuple(lines)


def product(review: Review, analysis: ProportionAnalysis, patients: Mapping[str, Product]) -> Product:
    """The section, figure and tables of one analysis of proportions.

    Raises
    ------
    DataError
        No study is left, or a denominator is missing.
    """
    arms = arms_of_analysis(review, analysis)
    pooled = pooled_arms(analysis, arms)
    split = bool(analysis.subgroup) and any(arm.subgroup for arm in arms)
    title = analysis.title or analysis.outcome
    bias, bias_cautions = bias_table(pooled, _TESTS, _TEST_NOTE)
    explanation = pooled.explain()
    by = f" by {analysis.subgroup}" if split else ""
    caption = f"Forest plot of {title[0].lower() + title[1:]}{by}: events among {analysis.population} patients of {len(arms)} studies."
    from metagrove.plots.canvas import draw

    beside = beside_forest(review, analysis.outcome, [arm.label for arm in arms])
    drawings = {analysis.name: pooled.forest(**beside) if beside else draw(pooled)}
    figures = [Figure(analysis.name, caption)]
    if len(arms) > 2:
        drawings[f"{analysis.name}-funnel"] = pooled.funnel()
        figures.append(
            Figure(f"{analysis.name}-funnel", f"Funnel plot of {title[0].lower() + title[1:]} on the analysis scale.")
        )
    tables = [_studies_table(analysis, arms, pooled), _sensitivity(review, analysis, arms, pooled)]
    settings = (
        ("Outcome", analysis.outcome), ("Population", analysis.population), ("Transformation", analysis.sm),
        ("Model", f"{analysis.method}, {_shown(analysis).model} effect{'s' if analysis.random else ''}"), ("τ²", analysis.method_tau), ("Pooled interval", analysis.method_random_ci),
        ("Study interval", analysis.method_ci), ("Subgroups", analysis.subgroup or "none"),
        ("τ² of subgroups", "common" if analysis.tau_common else "separate"), ("Level", f"{analysis.level:g}"),
    )  # fmt: skip
    section = Section(
        name=analysis.name,
        title=title,
        kind="proportion",
        headline=_headline(pooled, analysis, arms),
        methods=explanation.sentence,
        references=explanation.references,
        settings=settings,
        tables=tuple(tables + ([bias] if bias else [])),
        figures=tuple(figures),
        cautions=_cautions(pooled, analysis) + bias_cautions,
        excluded=(
            *((review.label(e.study), e.reason) for e in analysis.exclude),
            *other_populations(review, analysis),
        ),
        comparisons=comparisons(
            review,
            analysis.name,
            lambda q, g, _: quantity_of(
                pooled, q, g, shown=_shown(analysis), sums=_SUMS, split=split, what="proportion"
            ),
        ),
        sources=_sources(analysis, arms),
        code=(("R", pooled.to_r()), ("Stata", pooled.to_stata())),
    )
    return Product(section, _files(analysis, arms, pooled, drawings), {"finding": _finding(analysis, arms, pooled)})


def _finding(analysis: ProportionAnalysis, arms: list[Arm], pooled: Any) -> dict[str, str]:
    """The line of a summary of findings: one arm has its absolute value and no relative one."""
    shown = _shown(analysis)
    value, low, high = (1000 * float(shown.of(pooled.back, name)) for name in ("TE", "lower", "upper"))
    n, k = sum(arm.n for arm in arms), len(arms)
    return {
        "participants": f"{n} ({k} {'study' if k == 1 else 'studies'})",
        "with": f"{value:.0f} per 1000 ({low:.0f} to {high:.0f})",
    }


def _files(analysis: ProportionAnalysis, arms: list[Arm], pooled: Any, drawings: Mapping[str, Any]) -> dict[str, bytes]:
    name = analysis.name
    rows = [
        [
            arm.study,
            arm.subgroup,
            arm.events,
            arm.n,
            arm.events / arm.n,
            float(pooled.back.lower[i]),
            float(pooled.back.upper[i]),
            float(pooled.w_random[i]),
        ]
        for i, arm in enumerate(arms)
    ]
    return drawn_files(drawings) | {
        f"tables/{name}.csv": csv_bytes(
            ["study", "subgroup", "events", "n", "proportion", "lower", "upper", "weight"], rows
        ),
        f"results/{name}.json": result_file(_numbers(analysis, arms, pooled)),
    }


def _numbers(analysis: ProportionAnalysis, arms: list[Arm], pooled: Any) -> dict[str, Any]:
    """The result for other programs: analysis and reporting scale, and the same with Hartung-Knapp limits."""
    found: dict[str, Any] = {"settings": analysis.model_dump(mode="json")} | scale_numbers(pooled)
    if analysis.method == "Inverse" and len(arms) > 1:
        hk = _with_hartung_knapp(analysis, arms)
        found["hartung_knapp"] = {"lower_random": hk.back.lower_random, "upper_random": hk.back.upper_random}
    if analysis.subgroup:
        found["subgroups"] = {
            str(level): {
                q: subgroup_quantity(pooled, str(level), q, shown=_shown(analysis), sums=_SUMS)
                for q in ("k", "events", "n", "estimate", "ci_low", "ci_high", "I2", "tau2")
            }
            for level in pooled.subgroup_levels
        }
        found["between"] = {"Q": pooled.Q_b_random, "df": pooled.df_Q_b_random, "p": pooled.pval_Q_b_random}
    return found
