"""One analysis of a review that compares two arms: its section, its figures, its tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from metagrove.app.absolute import summary_line
from metagrove.app.bias import beside_forest
from metagrove.app.comparing import comparisons
from metagrove.app.contrasts import Compared, Silent, compared_studies, forms_of, pooled_contrast
from metagrove.app.numbers import effect, effect_interval, p_value, percent
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
from metagrove.core.errors import MetagroveError
from metagrove.core.scales import scale
from metagrove.report.document import Cell, Column, Figure, Section, SourceLine, Table
from metagrove.review.folder import Review
from metagrove.review.spec import ComparisonAnalysis

__all__ = ["product"]

#: What a ratio is a ratio of, and what a difference is counted in.
_RATIO_OF = {
    "OR": "odds", "RR": "risk", "HR": "hazard", "IRR": "rate", "ROM": "mean", "DOR": "diagnostic odds",
    "VR": "standard deviation", "CVR": "coefficient of variation",
}  # fmt: skip
_DIFFERENCE_OF = {"RD": "risk", "MD": "mean", "SMD": "mean"}
_ARMS = ("event_e", "n_e", "event_c", "n_c")


def _shown(analysis: ComparisonAnalysis) -> Shown:
    return Shown(effect, effect_interval, "random" if analysis.random else "common")


def _sums(studies: Sequence[Compared]) -> tuple[str, ...]:
    forms = forms_of(studies)
    return _ARMS if forms == {"counts"} else ("n_e", "n_c") if forms == {"means"} else ()


def _key(analysis: ComparisonAnalysis, study: Compared) -> str:
    return f"{analysis.name}-{study.row.number}"


def _weight(pooled: Any, model: str, i: int) -> float:
    """The study's share of the shown model's weights; NaN where it has none (not pooled, or a GLMM)."""
    weights = [float(w) for w in getattr(pooled, f"w_{model}")]
    total = sum(w for w in weights if math.isfinite(w))
    return weights[i] / total if total > 0 and pooled.studies.pooled[i] else math.nan


def _studies_table(analysis: ComparisonAnalysis, studies: Sequence[Compared], pooled: Any) -> Table:
    split, model = bool(analysis.subgroup), _shown(analysis).model
    armed = any(study.arm("e") or study.arm("c") for study in studies)
    reported = any(study.form == "reported" for study in studies)
    rows = []
    for i, study in enumerate(studies):
        source = _key(analysis, study)
        cells = [Cell(study.label)] + ([Cell(study.subgroup)] if split else [])
        cells += [Cell(study.arm(arm), source) for arm in ("e", "c")] if armed else []
        cells += [Cell(study.printed if study.form == "reported" else "", source)] if reported else []
        weight = _weight(pooled, model, i)
        cells += [
            Cell(effect(float(pooled.back.TE[i]))),
            Cell(effect_interval(float(pooled.back.lower[i]), float(pooled.back.upper[i]))),
            Cell(percent(weight) if pooled.studies.pooled[i] else "not pooled"),
        ]
        rows.append(tuple(cells))
    labels = analysis.labels
    columns = [Column("Study")] + ([Column(analysis.subgroup.capitalize())] if split else [])
    columns += [Column(_heading(name), "right") for name in (labels.experimental, labels.control)] if armed else []
    columns += [Column("As reported", "right")] if reported else []
    columns += [Column(pooled.scale.label, "right"), Column(f"{analysis.level:.0%} CI", "right")]
    notes = tuple(note for note in pooled.notes if " is not pooled" in note or note.startswith("Increments"))
    return Table("Studies", (*columns, Column("Weight", "right")), tuple(rows), notes)


def _heading(text: str) -> str:
    return text[:1].upper() + text[1:]


def _variants(analysis: ComparisonAnalysis, pooled: Any) -> list[tuple[str, ComparisonAnalysis]]:
    """Other defensible ways to the same question, by what is different in them."""
    found: list[tuple[str, dict[str, Any]]] = []
    if analysis.random and pooled.method != "GLMM":
        if analysis.method_random_ci == "classic":
            found.append(("With Hartung-Knapp limits", {"method_random_ci": "HK"}))
        for code, name in (("PM", "Paule-Mandel"), ("DL", "DerSimonian-Laird")):
            if analysis.method_tau != code:
                found.append((f"With the {name} τ²", {"method_tau": code}))
    if pooled.method != "GLMM":
        other = {"common": True, "random": False} if analysis.random else {"common": False, "random": True}
        found.append(("Common effect" if analysis.random else "Random effects", other))
    for sm, name in (("OR", "odds ratio"), ("RR", "risk ratio")):
        if pooled.door == "metabin" and analysis.sm in ("OR", "RR") and sm != analysis.sm:
            found.append(
                (
                    f"As {name}",
                    {"sm": sm, "method": "" if analysis.method in ("Peto", "GLMM", "SSW") else analysis.method},
                )
            )
    if pooled.door == "metabin" and analysis.sm == "OR" and analysis.method != "Peto" and _empty_cells(pooled):
        found.append(("Peto odds ratio, common effect", {"method": "Peto", "common": True, "random": False}))
    return [(name, analysis.model_copy(update=change)) for name, change in found]


def _empty_cells(pooled: Any) -> bool:
    return any(
        events in (0, n) for arm in ("e", "c") for events, n in zip(getattr(pooled, f"event_{arm}"), getattr(pooled, f"n_{arm}"), strict=True)
    )  # fmt: skip


def _line_of(name: str, analysis: ComparisonAnalysis, studies: Sequence[Compared]) -> tuple[Cell, ...]:
    try:
        pooled = pooled_contrast(analysis, studies, subgroups=False)
    except MetagroveError as error:
        return failed_line(name, str(error))
    return sensitivity_line(name, pooled, int(pooled.k), _shown(analysis))


def _sensitivity(analysis: ComparisonAnalysis, studies: Sequence[Compared], pooled: Any) -> Table:
    """The pooled value by other methods, and without each study."""
    rows = [sensitivity_line("As analysed", pooled, int(pooled.k), _shown(analysis))]
    if pooled.k > 1:
        rows += [_line_of(name, other, studies) for name, other in _variants(analysis, pooled)]
    if analysis.leave_one_out and pooled.k > 2:
        twice = Counter(study.label for study in studies)
        for i, study in enumerate(studies):
            if pooled.studies.pooled[i]:
                which = f" ({study.row.text('subgroup') or study.subgroup})" if twice[study.label] > 1 else ""
                kept = [*studies[:i], *studies[i + 1 :]]
                rows.append(_line_of(f"Without {study.label}{which}", analysis, kept))
    return sensitivity_table(rows, analysis.level)


def _tests(pooled: Any) -> tuple[tuple[str, ...], str]:
    """The tests for small-study effects that suit the measure, and what to know of them."""
    if pooled.door == "metabin" and pooled.sm == "OR":
        note = "The standard error of a log odds ratio depends on the effect itself, which Egger's and Begg's tests take for asymmetry; Harbord's and Peters' do not."
        return ("Harbord", "Peters", "Egger", "Begg"), note
    if pooled.sm == "SMD" and pooled.door == "metacont":
        note = "The standard error of a standardised difference depends on the effect itself; Pustejovsky's test leaves that part out."
        return ("Pustejovsky", "Egger", "Begg"), note
    note = "Small studies may differ for other reasons than selective publication: other patients, other doses, other quality."
    return ("Egger", "Begg", "Thompson"), note


def _change(ratio: float) -> str:
    """A ratio in words: how much lower or higher."""
    if ratio >= 2:
        return f"{ratio:.1f} times as high"
    return f"{100 * (1 - ratio):.0f}% lower" if ratio < 1 else f"{100 * (ratio - 1):.0f}% higher"


def _step(difference: float, sm: str) -> str:
    """A difference in words."""
    size, unit = abs(difference), ""
    if sm == "RD":
        size, unit = 100 * size, " percentage points"
    elif sm == "SMD":
        unit = " standard deviations"
    return f"{effect(size)}{unit} {'lower' if difference < 0 else 'higher'}"


def _in_words(analysis: ComparisonAnalysis, value: float, low: float, high: float) -> str:
    """What the pooled effect means for someone who does not read ratios; empty where the measure has no such words."""
    sm, labels = analysis.sm, analysis.labels
    if not all(math.isfinite(x) for x in (value, low, high)):
        return ""
    if sm in _RATIO_OF:
        what, says, null = _RATIO_OF[sm], [_change(x) for x in (value, low, high)], 1.0
    elif sm in _DIFFERENCE_OF:
        what, says, null = _DIFFERENCE_OF[sm], [_step(x, sm) for x in (value, low, high)], 0.0
    else:
        return ""
    verb = "were" if what.endswith("odds") else "was"
    than = "as" if says[0].endswith("as high") else "than"
    said = f"The {what} {verb} {says[0]} with {labels.experimental} {than} with {labels.control}"
    if low < null < high:
        return f"{said}, but the interval runs from {says[1]} to {says[2]} and includes no difference."
    return f"{said} (interval: {says[1]} to {says[2]})."


def _kept(pooled: Any, studies: Sequence[Compared]) -> list[Compared]:
    """The studies that are pooled."""
    return [study for study, pooled_too in zip(studies, pooled.studies.pooled, strict=True) if pooled_too]


def _totals(studies: Sequence[Compared]) -> str:
    """How many patients, with how many events, in each arm; as far as every study says so."""
    sums = {name: [study.row[name] for study in studies] for name in _ARMS}
    if all(value is not None for values in sums.values() for value in values) and forms_of(studies) == {"counts"}:
        e, n, c, m = (sum(sums[name]) for name in _ARMS)
        return f"{e} of {n} against {c} of {m} patients in "
    if all(value is not None for name in ("n_e", "n_c") for value in sums[name]):
        return f"{sum(sums['n_e'])} against {sum(sums['n_c'])} patients in "
    return ""


def _headline(pooled: Any, analysis: ComparisonAnalysis, studies: Sequence[Compared]) -> tuple[str, ...]:
    studies = _kept(pooled, studies)
    shown, back, k = _shown(analysis), pooled.back, len({study.study for study in studies})
    value, low, high = (float(shown.of(back, name)) for name in ("TE", "lower", "upper"))
    heterogeneity = f"; I² {percent(pooled.I2, 0)}" if pooled.k > 1 else ""
    lines = [
        f"{pooled.scale.label} {effect(value)} ({analysis.level:.0%} CI {effect_interval(low, high)}; p {_p(float(shown.of(pooled, 'pval')))}), "
        f"{analysis.labels.experimental} against {analysis.labels.control}: "
        f"{_totals(studies)}{k} {'studies' if k != 1 else 'study'}{heterogeneity}.",
        _in_words(analysis, value, low, high),
    ]
    if pooled.k > 2 and analysis.prediction and analysis.random and math.isfinite(back.lower_predict):
        lines.append(
            f"In a new trial the true {pooled.scale.label.lower()} would lie between {effect(back.lower_predict)} and "
            f"{effect(back.upper_predict)} with {analysis.level:.0%} probability (prediction interval)."
        )
    return tuple(line for line in lines if line)


def _p(value: float) -> str:
    text = p_value(value)
    return text if text.startswith(("<", "–")) else f"= {text}"


def _cautions(
    pooled: Any, analysis: ComparisonAnalysis, studies: Sequence[Compared], silent: Sequence[Silent]
) -> tuple[str, ...]:
    notes = [analysis.note] if analysis.note else []
    if silent:
        names = ", ".join(f"{one.label} (row {one.row.number})" for one in silent)
        notes.append(f"Without numbers for this outcome, and therefore not here: {names}. Silence is not zero.")
    if len(forms_of(studies)) > 1:
        notes.append(
            "Some studies give counts or means, others only an effect; all were brought to one scale and pooled by inverse variance."
        )
    twice = [name for name, times in Counter(study.label for study in studies).items() if times > 1]
    if twice:
        notes.append(f"More than one line: {', '.join(twice)}. The lines of one study must not share patients.")
    if math.isfinite(pooled.I2) and pooled.I2 > 0.75 and analysis.random and math.isfinite(pooled.back.lower_predict):
        width = effect_interval(pooled.back.lower_predict, pooled.back.upper_predict)
        notes.append(
            f"I² is {percent(pooled.I2, 0)} and the prediction interval runs from {width}: the pooled value alone says little."
        )
    if 1 < pooled.k < 10 and analysis.random and analysis.method_random_ci == "classic" and pooled.method != "GLMM":
        notes.append(
            f"With {pooled.k} studies the classic interval tends to be too narrow; a table below gives the Hartung-Knapp limits beside it."
        )
    return tuple(notes)


def _sources(analysis: ComparisonAnalysis, studies: Sequence[Compared]) -> tuple[SourceLine, ...]:
    lines = []
    for study in studies:
        used = study.printed if study.form != "reported" else f"{study.TE:.4g}, SE {study.seTE:.4g}"
        source = study.row.source
        lines.append(
            SourceLine(
                _key(analysis, study),
                f"{study.label}, {analysis.outcome}",
                study.printed,
                used,
                source.document,
                source.locator,
                study.row.file,
                study.row.number,
            )
        )
    return tuple(lines)


def _drawings(pooled: Any, analysis: ComparisonAnalysis, beside: Mapping[str, Any]) -> dict[str, Any]:
    """The forest plot under the arms' own names, and the funnel of three studies or more."""
    labels = analysis.labels
    named = (("label_e", _heading(labels.experimental)), ("label_c", _heading(labels.control)))
    drawn = replace(pooled, settings=replace(pooled.settings, options=(*pooled.settings.options, *named)), _kept={})
    drawings = {analysis.name: drawn.forest(directions=(labels.left, labels.right), **beside)}
    if pooled.k > 2:
        drawings[f"{analysis.name}-funnel"] = pooled.funnel()
    return drawings


def _captions(pooled: Any, analysis: ComparisonAnalysis, studies: Sequence[Compared], title: str) -> tuple[Figure, ...]:
    small = title[0].lower() + title[1:] if title[1:2].islower() else title
    k = len({study.study for study in _kept(pooled, studies)})
    by = f" by {analysis.subgroup}" if pooled.studies.subgroup is not None else ""
    measure = pooled.scale.label.lower()
    forest = (
        f"Forest plot of {small}{by}: {measure} of {analysis.labels.experimental} against {analysis.labels.control} "
        f"in {k} {'studies' if k != 1 else 'study'}."
    )
    figures = [Figure(analysis.name, forest)]
    if pooled.k > 2:
        figures.append(Figure(f"{analysis.name}-funnel", f"Funnel plot of {small} on the analysis scale."))
    return tuple(figures)


def _settings(analysis: ComparisonAnalysis, pooled: Any) -> tuple[tuple[str, str], ...]:
    models = " and ".join(name for name, on in (("common", analysis.common), ("random", analysis.random)) if on)
    return (
        ("Outcome", analysis.outcome), ("Measure", analysis.sm or "effect as given"),
        ("Arms", f"{analysis.labels.experimental} against {analysis.labels.control}"),
        ("Model", f"{pooled.method}, {models} effects"), ("τ²", pooled.method_tau), ("Pooled interval", analysis.method_random_ci),
        ("Subgroups", analysis.subgroup or "none"), ("τ² of subgroups", "common" if analysis.tau_common else "separate"),
        ("Conventions", analysis.compat or "none"), ("Level", f"{analysis.level:g}"),
    )  # fmt: skip


def product(review: Review, analysis: ComparisonAnalysis, patients: Mapping[str, Product]) -> Product:
    """The section, figures and tables of one comparison of two arms.

    Raises
    ------
    DataError
        No study is left, or a row cannot give the measure.
    MethodError
        A method that does not pool what the studies give.
    """
    analysis, studies, silent = compared_studies(review, analysis)
    pooled = pooled_contrast(analysis, studies)
    split, shown = pooled.studies.subgroup is not None, _shown(analysis)
    title = analysis.title or analysis.outcome
    bias, bias_cautions = bias_table(pooled, *_tests(pooled))
    explanation = pooled.explain()
    tables = [_studies_table(analysis, studies, pooled), _sensitivity(analysis, studies, pooled)]
    section = Section(
        name=analysis.name,
        title=title,
        kind="comparison",
        headline=_headline(pooled, analysis, studies),
        methods=explanation.sentence,
        references=explanation.references,
        settings=_settings(analysis, pooled),
        tables=tuple(tables + ([bias] if bias else [])),
        figures=_captions(pooled, analysis, studies, title),
        cautions=_cautions(pooled, analysis, studies, silent) + bias_cautions,
        excluded=tuple((review.label(e.study), e.reason) for e in analysis.exclude),
        comparisons=comparisons(
            review,
            analysis.name,
            lambda q, g, _: quantity_of(pooled, q, g, shown=shown, sums=_ARMS, split=split, what="comparison"),
        ),
        sources=_sources(analysis, studies),
        code=(("R", pooled.to_r()), ("Stata", pooled.to_stata())),
    )
    beside = beside_forest(review, analysis.outcome, [study.label for study in studies])
    files = drawn_files(_drawings(pooled, analysis, beside)) | {
        f"tables/{analysis.name}.csv": _table_file(analysis, studies, pooled),
        f"results/{analysis.name}.json": result_file(_numbers(analysis, studies, pooled, shown)),
    }
    return Product(section, files, {"finding": summary_line(pooled, analysis, _kept(pooled, studies))})


def _table_file(analysis: ComparisonAnalysis, studies: Sequence[Compared], pooled: Any) -> bytes:
    """One row a study: what it gave, its effect on both scales, its weight."""
    names = (*_ARMS, "mean_e", "sd_e", "mean_c", "sd_c")
    used = [name for name in names if any(study.row[name] is not None for study in studies)]
    header = ["study", "subgroup", *used, "TE", "seTE", "effect", "lower", "upper", "weight"]
    model = _shown(analysis).model
    rows = []
    for i, study in enumerate(studies):
        numbers = (pooled.TE[i], pooled.seTE[i], pooled.back.TE[i], pooled.back.lower[i], pooled.back.upper[i])
        given = [study.row[name] for name in used]
        rows.append([study.study, study.subgroup, *given, *map(float, numbers), _weight(pooled, model, i)])
    return csv_bytes(header, rows)


def _numbers(analysis: ComparisonAnalysis, studies: Sequence[Compared], pooled: Any, shown: Shown) -> dict[str, Any]:
    """The result for other programs."""
    found: dict[str, Any] = {"settings": analysis.model_dump(mode="json"), "ratio": scale(analysis.sm).ratio}
    found |= scale_numbers(pooled)
    found["p_effect"] = float(shown.of(pooled, "pval"))
    if pooled.studies.subgroup is not None:
        quantities = ("k", "estimate", "ci_low", "ci_high", "I2", "tau2", *_sums(studies))
        found["subgroups"] = {
            str(level): {
                q: subgroup_quantity(pooled, str(level), q, shown=shown, sums=_sums(studies)) for q in quantities
            }
            for level in pooled.subgroup_levels
        }
        between = {"Q": "Q_b", "df": "df_Q_b", "p": "pval_Q_b"}
        found["between"] = {name: getattr(pooled, f"{ours}_{shown.model}") for name, ours in between.items()}
    return found
