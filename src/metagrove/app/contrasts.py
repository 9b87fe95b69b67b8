"""Two arms of each study of a review, pooled: what is known of each study, and the analysis of all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metagrove.core.errors import DataError, MethodError
from metagrove.review.columns import named_ratio
from metagrove.review.comparison_checks import comparison_rows_of
from metagrove.review.comparison_rows import (
    COUNT_MEASURES,
    MEAN_MEASURES,
    Form,
    effect_of,
    form_of,
    has_numbers,
    reported_of,
)
from metagrove.review.folder import Review
from metagrove.review.spec import ComparisonAnalysis
from metagrove.review.tables import Row

__all__ = ["Compared", "Silent", "compared_studies", "forms_of", "measure_of", "pooled_contrast"]

_MANTEL_HAENSZEL = ("OR", "RR", "RD", "DOR", "VE")


@dataclass(frozen=True, slots=True)
class Compared:
    """One study's two arms (or its reported effect) in one analysis, with the row they were read from."""

    study: str
    label: str
    subgroup: str
    form: Form
    row: Row
    TE: float = math.nan
    seTE: float = math.nan

    @property
    def printed(self) -> str:
        """What the paper printed, in one line."""
        if self.form == "reported":
            return reported_of(self.row).text
        return " against ".join(text for text in (self.arm("e"), self.arm("c")) if text)

    def arm(self, which: str) -> str:
        """One arm ("e" or "c") as text: events among patients, or mean (SD) of patients; empty where not reported."""
        row, n = self.row, self.row[f"n_{which}"]
        if self.form == "counts" or (row[f"event_{which}"] is not None and n is not None):
            return f"{row[f'event_{which}']}/{n}"
        if self.form == "means":
            return f"{row[f'mean_{which}']:g} ({row[f'sd_{which}']:g}), n = {n}"
        return f"n = {n}" if n is not None else ""


@dataclass(frozen=True, slots=True)
class Silent:
    """A study whose row says nothing about the outcome."""

    label: str
    row: Row


def measure_of(analysis: ComparisonAnalysis, rows: Sequence[Row]) -> str:
    """The analysis's measure; without one, risk ratios of counts, mean differences of means, else a plain effect."""
    if analysis.sm:
        return analysis.sm
    for measure, form in (("RR", "counts"), ("MD", "means")):
        known = [row for row in rows if has_numbers(row)]
        if known and all(form_of(row, measure) == form for row in known):
            return measure
    return ""


def _subgroup(review: Review, analysis: ComparisonAnalysis, row: Row) -> str:
    """The row's subgroup, from its own column where comparisons.csv has it, else from its study."""
    if not analysis.subgroup:
        return ""
    about = review.study(row.text("study"))
    return row.text(analysis.subgroup) or (about.text(analysis.subgroup) if about is not None else "")


def compared_studies(
    review: Review, analysis: ComparisonAnalysis
) -> tuple[ComparisonAnalysis, list[Compared], list[Silent]]:
    """The analysis with its measure settled, its studies, and those whose rows hold no number.

    Raises
    ------
    DataError
        No study is left, a row cannot give the measure, or a printed ratio is not above 0.
    """
    gone = {exclusion.study.lower() for exclusion in analysis.exclude}
    rows = [row for row in comparison_rows_of(review, analysis.outcome) if row.text("study").lower() not in gone]
    analysis = analysis.model_copy(update={"sm": measure_of(analysis, rows)})
    mapping = review.tables["comparisons"].mapping
    ratios = any(ours == "te" and named_ratio(theirs) for theirs, ours in mapping.items())
    studies: list[Compared] = []
    silent: list[Silent] = []
    for row in rows:
        label = review.label(row.text("study"))
        form = form_of(row, analysis.sm)
        if not form:
            if has_numbers(row):
                raise row.error(f"{row.text('study')}: {_lacking(row, analysis.sm)}", _column(analysis.sm))
            silent.append(Silent(label, row))
            continue
        te, se = (math.nan, math.nan)
        if form == "reported":
            te, se = effect_of(row, analysis.sm, given=analysis.scale, ratios=ratios)
        studies.append(Compared(row.text("study"), label, _subgroup(review, analysis, row), form, row, te, se))
    if not studies:
        raise DataError(f"no study is left that reports {analysis.outcome}", file="comparisons.csv")
    return analysis, studies, silent


def _column(sm: str) -> str:
    return "event_e" if sm in COUNT_MEASURES else "mean_e" if sm in MEAN_MEASURES else "te"


def _lacking(row: Row, sm: str) -> str:
    """Why a row cannot give the measure."""
    there = "counts" if row["event_e"] is not None else "means" if row["mean_e"] is not None else "an effect"
    if sm in COUNT_MEASURES:
        return f"sm = '{sm}' needs event_e, n_e, event_c and n_c, or te with its error; the row has {there}"
    if sm in MEAN_MEASURES:
        return f"sm = '{sm}' needs means, SDs and sizes, or te with its error; the row has {there}"
    name = f"sm = '{sm}'" if sm else "an analysis without sm"
    return f"{name} needs te with se, or with lower and upper; the row has {there}"


def forms_of(studies: Sequence[Compared]) -> set[Form]:
    """The forms that the studies come in."""
    return {study.form for study in studies}


def _method(analysis: ComparisonAnalysis, forms: set[Form]) -> str:
    if forms == {"counts"}:
        return analysis.method or ("MH" if analysis.sm in _MANTEL_HAENSZEL else "Inverse")
    if analysis.method not in ("", "Inverse"):
        what = " and ".join(sorted(forms))
        raise MethodError(f"method = '{analysis.method}' pools counts; the studies come as {what}, so write 'Inverse'")
    return "Inverse"


def _column_of(studies: Sequence[Compared], name: str) -> list[Any]:
    return [study.row[name] for study in studies]


def _made(analysis: ComparisonAnalysis, studies: Sequence[Compared], form: Form, method: str, options: Any) -> Any:
    """The analysis of studies of one form through its door."""
    from metagrove.doors.generic import metagen
    from metagrove.doors.two_arm import metabin, metacont

    cochrane = analysis.compat == "RevMan5"
    if form == "counts":
        counts = [_column_of(studies, name) for name in ("event_e", "n_e", "event_c", "n_c")]
        return metabin(*counts, sm=analysis.sm, method=method, RR_Cochrane=cochrane, **options)
    if form == "means":
        means = [_column_of(studies, name) for name in ("n_e", "mean_e", "sd_e", "n_c", "mean_c", "sd_c")]
        return metacont(*means, sm=analysis.sm, exact_smd=not cochrane, **options)
    return metagen([s.TE for s in studies], [s.seTE for s in studies], sm=analysis.sm, **options)


def _with_effects(analysis: ComparisonAnalysis, studies: Sequence[Compared]) -> list[Compared]:
    """The same studies, each with its effect on the analysis scale, whatever it came as."""
    found: dict[int, tuple[float, float]] = {}
    for form in forms_of(studies) - {"reported"}:
        members = [study for study in studies if study.form == form]
        made = _made(analysis, members, form, "Inverse", {"studlab": [study.label for study in members]})
        found |= {study.row.number: (float(made.TE[i]), float(made.seTE[i])) for i, study in enumerate(members)}
    return [
        Compared(s.study, s.label, s.subgroup, "reported", s.row, *found.get(s.row.number, (s.TE, s.seTE)))
        for s in studies
    ]


def pooled_contrast(analysis: ComparisonAnalysis, studies: Sequence[Compared], *, subgroups: bool = True) -> Any:
    """The meta-analysis of the studies: counts by `metabin`, means by `metacont`, anything else or a mixture by `metagen`.

    Raises
    ------
    MethodError
        A method that pools counts, asked for studies that come as something else.
    """
    forms = forms_of(studies)
    method = _method(analysis, forms)
    split = subgroups and analysis.subgroup and any(study.subgroup for study in studies)
    options: dict[str, Any] = {
        "studlab": [study.label for study in studies],
        "subgroup": [study.subgroup or "not stated" for study in studies] if split else None,
        "subgroup_name": analysis.subgroup if split else None,
        "method_tau": "ML" if method == "GLMM" else analysis.method_tau,
        "method_random_ci": analysis.method_random_ci,
        "tau_common": analysis.tau_common,
        "common": analysis.common,
        "random": analysis.random,
        "prediction": analysis.prediction and analysis.random,
        "level": analysis.level,
        "level_ma": analysis.level,
        "level_predict": analysis.level,
    }
    if len(forms) > 1:
        return _made(analysis, _with_effects(analysis, studies), "reported", "Inverse", options)
    return _made(analysis, studies, next(iter(forms)), method, options)
