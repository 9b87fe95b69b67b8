"""One analysis of proportions of a review: responses, disease control, prevalence."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metagrove.app.comparing import comparisons
from metagrove.app.numbers import p_value, percent, percent_interval, plain_number
from metagrove.app.products import Product, csv_bytes
from metagrove.core.errors import DataError, MetagroveError
from metagrove.core.results import plain
from metagrove.report.document import Cell, Column, Figure, Section, SourceLine, Table
from metagrove.review.folder import Review
from metagrove.review.spec import ProportionAnalysis
from metagrove.review.tables import Row

__all__ = ["Arm", "arms_of_analysis", "product"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One study's counts in one analysis, with the row they were read from."""

    study: str
    label: str
    events: int
    n: int
    subgroup: str
    row: Row


def _denominator(review: Review, row: Row, population: str) -> int:
    """The number of patients of the wanted population; the row's own where it is of that population."""
    said = row.text("population").lower() or "evaluable"
    if said == population and row["n"] is not None:
        return int(row["n"])
    study = review.study(row.text("study"))
    n = study[f"n_{population}"] if study is not None else None
    if n is None:
        raise row.error(
            f"{row.text('study')}: no number of {population} patients; give n_{population} in studies.csv", "n"
        )
    if row["events"] > n:
        raise row.error(
            f"{row['events']} events among {n} {population} patients; events cannot exceed the total", "events"
        )
    return int(n)


def arms_of_analysis(review: Review, analysis: ProportionAnalysis, population: str = "") -> list[Arm]:
    """The studies of an analysis with their counts among `population` (by default the analysis's own).

    Raises
    ------
    DataError
        No study is left, or a denominator is missing.
    """
    population = population or analysis.population
    gone = {exclusion.study.lower() for exclusion in analysis.exclude}
    arms: list[Arm] = []
    for row in review.rows("responses"):
        study = row.text("study")
        if row.text("outcome").lower() != analysis.outcome.lower() or study.lower() in gone or row["events"] is None:
            continue
        if any(arm.study == study for arm in arms):
            continue
        about = review.study(study)
        subgroup = about.text(analysis.subgroup) if about is not None and analysis.subgroup else ""
        arms.append(
            Arm(study, review.label(study), row["events"], _denominator(review, row, population), subgroup, row)
        )
    if not arms:
        raise DataError(f"no study is left that reports {analysis.outcome}", file="responses.csv")
    return arms


def _pooled(analysis: ProportionAnalysis, arms: list[Arm], *, subgroups: bool = True) -> Any:
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
    return _pooled(analysis.model_copy(update={"method_random_ci": "HK"}), arms, subgroups=False)


def _key(analysis: ProportionAnalysis, arm: Arm) -> str:
    return f"{analysis.name}-{arm.study}".replace(" ", "_")


def _studies_table(analysis: ProportionAnalysis, arms: list[Arm], pooled: Any) -> Table:
    split = bool(analysis.subgroup)
    share = 100 * pooled.w_random / pooled.w_random.sum()
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


def _one(value: Any) -> float:
    """A statistic; the first (Wald) where a GLMM gives Wald and likelihood-ratio forms."""
    first: float = float(value[0]) if hasattr(value, "__len__") else float(value)
    return first


def _line(name: str, pooled: Any, k: int) -> tuple[Cell, ...]:
    back = pooled.back
    prediction = percent_interval(back.lower_predict, back.upper_predict) if k > 2 else "–"
    return (
        Cell(name),
        Cell(str(k)),
        Cell(percent(back.TE_random)),
        Cell(percent_interval(back.lower_random, back.upper_random)),
        Cell(prediction),
        Cell(percent(pooled.I2, 0)),
        Cell(plain_number(pooled.tau2)),
        Cell(p_value(_one(pooled.pval_Q))),
    )


def _sensitivity(review: Review, analysis: ProportionAnalysis, arms: list[Arm], pooled: Any) -> Table:
    """The pooled value under other denominators, and without each study."""
    rows: list[tuple[Cell, ...]] = [_line("As analysed", pooled, len(arms))]
    if analysis.method == "Inverse" and analysis.method_random_ci == "classic" and len(arms) > 1:
        rows.append(_line("With Hartung-Knapp limits", _with_hartung_knapp(analysis, arms), len(arms)))
    for population in analysis.denominators:
        try:
            others = arms_of_analysis(review, analysis, population)
        except DataError as error:
            blank = tuple(Cell("–") for _ in range(6))
            rows.append((Cell(f"{population.capitalize()} patients: {error.message}"), Cell(""), *blank))
            continue
        other = _pooled(analysis, others, subgroups=False)
        rows.append(
            _line(f"{population.capitalize()} patients (n = {sum(arm.n for arm in others)})", other, len(others))
        )
    if analysis.leave_one_out and len(arms) > 2:
        for i, arm in enumerate(arms):
            kept = arms[:i] + arms[i + 1 :]
            rows.append(_line(f"Without {arm.label}", _pooled(analysis, kept, subgroups=False), len(kept)))
    columns = (
        Column("Analysis"), Column("Studies", "right"), Column("Pooled", "right"), Column(f"{analysis.level:.0%} CI", "right"),
        Column("Prediction interval", "right"), Column("I²", "right"), Column("τ²", "right"), Column("p (Q)", "right"),
    )  # fmt: skip
    return Table("How much the pooled value depends on the choices", columns, tuple(rows))


def _subgroup_value(pooled: Any, subgroup: str, quantity: str) -> float:
    levels = [str(level).lower() for level in pooled.subgroup_levels]
    if subgroup.lower() not in levels:
        return math.nan
    i = levels.index(subgroup.lower())
    one = int(pooled.k_w[i]) == 1
    member = next(j for j, name in enumerate(pooled.subgroup) if str(name).lower() == subgroup.lower())
    values = {
        "estimate": pooled.back.TE_random_w[i],
        # A subgroup of one study is that study, with the study's own interval.
        "ci_low": pooled.back.lower[member] if one else pooled.back.lower_random_w[i],
        "ci_high": pooled.back.upper[member] if one else pooled.back.upper_random_w[i],
        "I2": pooled.I2_w[i],
        "tau2": pooled.tau2_w[i],
        "p_heterogeneity": pooled.pval_Q_w[i],
        "k": pooled.k_w[i],
        "events": sum(
            e for e, g in zip(pooled.event, pooled.subgroup, strict=True) if str(g).lower() == subgroup.lower()
        ),
        "n": sum(n for n, g in zip(pooled.n, pooled.subgroup, strict=True) if str(g).lower() == subgroup.lower()),
    }
    if quantity not in values:
        raise DataError(f"'{quantity}' is no quantity of a subgroup; known: {', '.join(values)}")
    return float(values[quantity])


def _value_of(pooled: Any, split: bool, quantity: str, subgroup: str) -> tuple[float | None, str]:
    """Our number for a quantity of published.csv."""
    if subgroup:
        value = _subgroup_value(pooled, subgroup, quantity) if split else math.nan
        return (value, "") if math.isfinite(value) else (None, "no such subgroup here")
    back = pooled.back
    makers: Mapping[str, Any] = {
        "estimate": lambda: back.TE_random,
        "ci_low": lambda: back.lower_random,
        "ci_high": lambda: back.upper_random,
        "predict_low": lambda: back.lower_predict,
        "predict_high": lambda: back.upper_predict,
        "I2": lambda: pooled.I2,
        "tau2": lambda: pooled.tau2,
        "Q": lambda: _one(pooled.Q),
        "p_heterogeneity": lambda: _one(pooled.pval_Q),
        "Q_between": lambda: pooled.Q_b_random if split else math.nan,
        "df_between": lambda: pooled.df_Q_b_random if split else math.nan,
        "p_between": lambda: pooled.pval_Q_b_random if split else math.nan,
        "k": lambda: pooled.k,
        "events": lambda: sum(pooled.event),
        "n": lambda: sum(pooled.n),
    }
    if quantity not in makers:
        raise DataError(f"'{quantity}' is no quantity of a proportion analysis; known: {', '.join(makers)}")
    value = float(makers[quantity]())
    return (value, "") if math.isfinite(value) else (None, "does not exist")


def _bias(pooled: Any) -> tuple[Table | None, tuple[str, ...]]:
    """Small-study tests with their caution: below ten studies they cannot tell bias from chance."""
    k = int(pooled.k)
    if k < 3:
        return None, (f"Small-study effects cannot be tested with {k} studies.",)
    rows = []
    for name in ("Egger", "Begg", "Thompson"):
        try:
            test = pooled.metabias(name, k_min=3)
        except MetagroveError as error:
            rows.append((Cell(name), Cell("–"), Cell("–"), Cell(str(error))))
            continue
        few = f"k = {k} below 10: too few studies to tell bias from chance" if k < 10 else ""
        statistic = f"{float(test.statistic):.2f}"
        rows.append((Cell(name), Cell(statistic), Cell(p_value(float(test.pval))), Cell(few)))
    columns = (Column("Test"), Column("Statistic", "right"), Column("p", "right"), Column("Caution"))
    notes = (
        "On transformed proportions the standard error depends on the size of the study by construction; read these tests with care.",
    )
    table = Table("Tests for small-study effects", columns, tuple(rows), notes)
    if k >= 10:
        return table, ()
    said = f"With {k} studies (fewer than 10), tests for publication bias have little power; none of them shows its absence."
    return table, (said,)


def _headline(pooled: Any, analysis: ProportionAnalysis, arms: list[Arm]) -> tuple[str, ...]:
    back, k = pooled.back, len(arms)
    events, n = sum(a.events for a in arms), sum(a.n for a in arms)
    first = (
        f"{percent(back.TE_random, 0)} ({analysis.level:.0%} CI {percent_interval(back.lower_random, back.upper_random, 0)}), "
        f"{events} of {n} patients in {k} {'studies' if k != 1 else 'study'}; I² {percent(pooled.I2, 0)}."
    )
    second = ""
    if k > 2 and analysis.prediction:
        second = f"In a new trial the true proportion would lie between {percent(back.lower_predict, 0)} and {percent(back.upper_predict, 0)} with {analysis.level:.0%} probability (prediction interval)."
    return tuple(text for text in (first, second) if text)


def _cautions(pooled: Any, analysis: ProportionAnalysis) -> tuple[str, ...]:
    notes = [analysis.note] if analysis.note else []
    if math.isfinite(pooled.I2) and pooled.I2 > 0.75:
        width = percent_interval(pooled.back.lower_predict, pooled.back.upper_predict, 0)
        notes.append(
            f"I² is {percent(pooled.I2, 0)} and the prediction interval runs from {width}%: the pooled value alone says little."
        )
    if 2 < pooled.k < 10 and analysis.method_random_ci == "classic":
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
    pooled = _pooled(analysis, arms)
    split = bool(analysis.subgroup) and any(arm.subgroup for arm in arms)
    title = analysis.title or analysis.outcome
    bias, bias_cautions = _bias(pooled)
    explanation = pooled.explain()
    by = f" by {analysis.subgroup}" if split else ""
    caption = f"Forest plot of {title[0].lower() + title[1:]}{by}: events among {analysis.population} patients of {len(arms)} studies."
    from metagrove.plots.canvas import draw

    drawings = {analysis.name: draw(pooled)}
    figures = [Figure(analysis.name, caption)]
    if len(arms) > 2:
        drawings[f"{analysis.name}-funnel"] = pooled.funnel()
        figures.append(
            Figure(f"{analysis.name}-funnel", f"Funnel plot of {title[0].lower() + title[1:]} on the analysis scale.")
        )
    tables = [_studies_table(analysis, arms, pooled), _sensitivity(review, analysis, arms, pooled)]
    settings = (
        ("Outcome", analysis.outcome), ("Population", analysis.population), ("Transformation", analysis.sm),
        ("Model", f"{analysis.method}, random effects"), ("τ²", analysis.method_tau), ("Pooled interval", analysis.method_random_ci),
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
        excluded=tuple((review.label(e.study), e.reason) for e in analysis.exclude),
        comparisons=comparisons(review, analysis.name, lambda q, g, _: _value_of(pooled, split, q, g)),
        sources=_sources(analysis, arms),
        code=(("R", pooled.to_r()), ("Stata", pooled.to_stata())),
    )
    return Product(section, _files(analysis, arms, pooled, drawings))


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
    drawn = {
        f"figures/{figure}.{ending}": getattr(drawing, ending)()
        for figure, drawing in drawings.items()
        for ending in ("svg", "pdf", "png")
    }
    return drawn | {
        f"tables/{name}.csv": csv_bytes(
            ["study", "subgroup", "events", "n", "proportion", "lower", "upper", "weight"], rows
        ),
        f"results/{name}.json": (
            json.dumps(plain(_numbers(analysis, arms, pooled)), indent=2, ensure_ascii=False) + "\n"
        ).encode(),
    }


def _numbers(analysis: ProportionAnalysis, arms: list[Arm], pooled: Any) -> dict[str, Any]:
    """The result for other programs: analysis and reporting scale, and the same with Hartung-Knapp limits."""
    names = (
        "TE_common", "seTE_common", "lower_common", "upper_common", "TE_random", "seTE_random", "lower_random",
        "upper_random", "lower_predict", "upper_predict",
    )  # fmt: skip
    shared = ("k", "tau2", "lower_tau2", "upper_tau2", "Q", "df_Q", "pval_Q", "I2", "lower_I2", "upper_I2", "H")
    found: dict[str, Any] = {"settings": analysis.model_dump(mode="json")}
    found["analysis_scale"] = {key: getattr(pooled, key) for key in names}
    found["reporting_scale"] = {key: getattr(pooled.back, key) for key in names if not key.startswith("seTE")}
    found |= {key: getattr(pooled, key) for key in shared}
    if analysis.method == "Inverse" and len(arms) > 1:
        hk = _with_hartung_knapp(analysis, arms)
        found["hartung_knapp"] = {"lower_random": hk.back.lower_random, "upper_random": hk.back.upper_random}
    if analysis.subgroup:
        found["subgroups"] = {
            str(level): {
                q: _subgroup_value(pooled, str(level), q)
                for q in ("k", "events", "n", "estimate", "ci_low", "ci_high", "I2", "tau2")
            }
            for level in pooled.subgroup_levels
        }
        found["between"] = {"Q": pooled.Q_b_random, "df": pooled.df_Q_b_random, "p": pooled.pval_Q_b_random}
    return found
