"""The tables of a review folder: their columns, the names people give those columns, and which column is meant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from metagrove.core.errors import DataError

__all__ = ["RATIO_NAMES", "TABLES", "Column", "TableLayout", "column_mapping", "named_ratio"]

Kind = Literal["population", "text", "count", "number", "proportion", "events", "estimate", "flag"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: our name, what its cells hold, whether it must be there, its other names, and the total of events."""

    name: str
    kind: Kind = "text"
    required: bool = False
    also: tuple[str, ...] = ()
    total: str = "n"


@dataclass(frozen=True, slots=True)
class TableLayout:
    """One table: its file, its columns, and the columns that together identify a row."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def file(self) -> str:
        """The file's name inside the review folder."""
        return f"{self.name}.csv"


_STUDY = Column(
    "study", "text", True, ("studlab", "trial", "trial_name", "study_name", "author", "first_author", "study_id")
)
_SOURCE = (
    Column("document", "text", False, ("source", "reference", "report", "paper")),
    Column("locator", "text", False, ("where", "page", "place", "source_section", "table_or_figure")),
    Column("note", "text", False, ("notes", "comment", "comments", "remark")),
)
_N = Column("n", "count", False, ("total", "n_total", "patients", "sample_size", "denominator", "size", "n_patients"))
_ENDPOINT = Column("endpoint", "text", True, ("outcome", "event_type"))
_TIME = Column("time", "number", True, ("t", "months", "time_months", "x"))

#: Headings under which an effect is a ratio itself, not its logarithm.
RATIO_NAMES = ("hr", "hazard_ratio", "or", "odds_ratio", "rr", "risk_ratio", "relative_risk", "irr", "rate_ratio")  # fmt: skip
_DIFFERENCE_NAMES = ("md", "mean_difference", "smd", "rd", "risk_difference", "difference", "wmd")
_LOG_NAMES = ("log_hr", "ln_hr", "log_or", "ln_or", "log_rr", "ln_rr", "log_te", "log_effect", "ln_effect")
_LOG_ERRORS = tuple(f"se_{name}" for name in _LOG_NAMES) + tuple(f"{name}_se" for name in _LOG_NAMES)

_STUDIES = TableLayout(
    "studies",
    (
        _STUDY,
        Column("trial_id", "text", False, ("id", "registry_id", "nct")),
        Column("label", "text", False, ("display_name", "short_name")),
        Column("record", "text", False, ("record_id", "record_ids", "records")),
        Column("year", "count", False, ("publication_year", "pub_year")),
        Column("drug", "text", False, ("drugs", "treatment", "intervention", "agent")),
        Column("class", "text", False, ("drug_class",)),
        Column("targets", "text", False, ("target",)),
        Column("design", "text", False, ("study_design",)),
        Column("phase", "text"),
        Column("line", "text", False, ("line_of_treatment", "prior_treatment")),
        Column("period", "text", False, ("enrolment_years", "enrollment_years", "recruitment")),
        Column("dose", "text", False, ("dosage", "regimen")),
        Column("median_age", "number", False, ("age_median", "age")),
        Column("age_low", "number", False, ("age_min",)),
        Column("age_high", "number", False, ("age_max",)),
        Column("n_enrolled", "count", False, ("enrolled", "n_included", "randomised", "randomized")),
        Column(
            "n_evaluable",
            "count",
            False,
            ("evaluable", "n_evaluable_response", "n_response", "n_analysed", "n_analyzed"),
        ),
        Column("n_safety", "count", False, ("safety", "n_toxicity", "safety_population")),
        Column("halted", "text", False, ("stopped_early", "terminated")),
        Column("halt_reason", "text", False, ("reason_halted",)),
        Column("population", "text", False, ("disease", "condition")),
        Column("population_scope", "text", False, ("figures_scope",)),
        *_SOURCE,
    ),
    ("study",),
)
_RESPONSES = TableLayout(
    "responses",
    (
        Column("outcome", "text", True, ("endpoint", "measure", "outcome_name")),
        _STUDY,
        Column("events", "events", True, ("event", "responders", "r", "x", "cases", "n_events", "count")),
        _N,
        Column("population", "population", False, ("analysis_set", "denominator_set")),
        Column("printed", "proportion", False, ("printed_proportion", "proportion_printed", "rate", "printed_rate")),
        Column("printed_low", "proportion", False, ("printed_ci_low", "ci_low", "lower", "lcl")),
        Column("printed_high", "proportion", False, ("printed_ci_high", "ci_high", "upper", "ucl")),
        Column("printed_label", "text", False, ("printed_effect_label", "effect_label", "label_in_source")),
        *_SOURCE,
    ),
    ("outcome", "study", "population"),
)
_SURVIVAL = TableLayout(
    "survival",
    (
        _STUDY,
        _ENDPOINT,
        Column("statistic", "text", True, ("stat", "quantity")),
        Column("time", "number", False, ("time_months", "at_time", "at")),
        Column("value", "estimate", False, ("estimate", "result")),
        Column("unit", "text", False, ("units", "time_unit")),
        Column("ci_low", "number", False, ("lower", "lcl", "ci_lower")),
        Column("ci_high", "number", False, ("upper", "ucl", "ci_upper")),
        Column("ci_level", "number", False, ("ci_level_pct", "confidence", "level")),
        *_SOURCE,
    ),
    ("study", "endpoint", "statistic", "time"),
)
_HARMS = TableLayout(
    "adverse_events",
    (
        _STUDY,
        Column("term", "text", True, ("event", "adverse_event", "ae", "event_as_printed", "toxicity")),
        Column("harmonized_term", "text", False, ("harmonised_term", "preferred_term", "meddra_pt")),
        Column("group", "text", False, ("event_group", "soc", "system_organ_class", "body_system", "category")),
        Column("grade", "text", False, ("grades", "severity", "ctcae_grade")),
        Column("attribution", "text", False, ("relatedness", "causality")),
        Column("events", "events", True, ("n_events", "count", "cases", "number")),
        _N,
        *_SOURCE,
    ),
    ("study", "term", "grade"),
)
_AT_RISK = TableLayout(
    "at_risk",
    (_STUDY, _ENDPOINT, _TIME, Column("n", "count", True, ("n_risk", "at_risk", "number_at_risk", "nrisk")), *_SOURCE),
    ("study", "endpoint", "time"),
)
_CURVES = TableLayout(
    "curves",
    (
        _STUDY,
        _ENDPOINT,
        _TIME,
        Column("survival", "number", True, ("surv", "s", "y", "survival_probability")),
        *_SOURCE,
    ),
    (),
)
_MARKS = TableLayout("censor_marks", (_STUDY, _ENDPOINT, _TIME, *_SOURCE), ())
_FLOW = TableLayout(
    "flow",
    (
        Column("box", "text", True, ("step", "item", "stage")),
        Column("reason", "text", False, ("detail", "database")),
        Column("n", "count", True, ("number", "count", "records")),
        *_SOURCE,
    ),
    ("box", "reason"),
)
_PUBLISHED = TableLayout(
    "published",
    (
        Column("analysis", "text", True, ("outcome",)),
        Column("subgroup", "text"),
        Column("quantity", "text", True, ("statistic", "what")),
        Column("time", "number", False, ("at",)),
        Column("printed", "flag", True, ("value", "printed_value")),
        *_SOURCE,
    ),
    ("analysis", "subgroup", "quantity", "time"),
)
_DISCONTINUATIONS = TableLayout(
    "discontinuations",
    (_STUDY, Column("reason", "text", True), Column("events", "events", True, ("count",)), _N, *_SOURCE),
    ("study", "reason"),
)

_ARMS = {
    "e": ("t", "exp", "experimental", "treat", "treated", "treatment", "int", "intervention", "active", "1"),
    "c": ("ctrl", "ctl", "con", "control", "controls", "placebo", "comparator", "comparison", "2"),
}


def _of_arm(name: str, arm: str, kind: Kind, words: Sequence[str], *, also: Sequence[str] = ()) -> Column:
    """The column of one arm, under every name that a word and the arm's names make, in either order."""
    ends = (arm, *_ARMS[arm])
    spelled = [f"{word}_{end}" for word in words for end in ends]
    spelled += [f"{end}_{word}" for word in words for end in ends if not end.isdigit() and len(end) > 1]
    total = f"n_{arm}" if kind == "events" else "n"
    return Column(f"{name}_{arm}", kind, False, (*(s for s in spelled if s != f"{name}_{arm}"), *also), total)


_EVENT_WORDS = ("event", "events", "n_events", "cases", "responders", "deaths")
_TOTAL_WORDS = (
    "n",
    "total",
    "totals",
    "patients",
    "size",
    "sample_size",
    "n_total",
    "participants",
    "randomised",
    "randomized",
)
_COMPARISONS = TableLayout(
    "comparisons",
    (
        Column("outcome", "text", True, ("endpoint", "outcome_name")),
        _STUDY,
        Column("subgroup", "text", False, ("group", "stratum", "byvar")),
        _of_arm("n", "e", "count", _TOTAL_WORDS, also=("n1i",)),
        _of_arm("n", "c", "count", _TOTAL_WORDS, also=("n2i",)),
        _of_arm("event", "e", "events", _EVENT_WORDS),
        _of_arm("event", "c", "events", _EVENT_WORDS),
        _of_arm("mean", "e", "number", ("mean", "means", "average"), also=("m1i",)),
        _of_arm("mean", "c", "number", ("mean", "means", "average"), also=("m2i",)),
        _of_arm("sd", "e", "number", ("sd", "sds", "std", "stdev", "standard_deviation"), also=("sd1i",)),
        _of_arm("sd", "c", "number", ("sd", "sds", "std", "stdev", "standard_deviation"), also=("sd2i",)),
        Column("te", "estimate", False, ("effect", "effect_size", "estimate", "yi", *RATIO_NAMES, *_DIFFERENCE_NAMES, *_LOG_NAMES)),
        Column("se", "number", False, ("sete", "se_te", "sei", "standard_error", "std_error", "stderr", "se_log", *_LOG_ERRORS)),
        Column("lower", "number", False, ("ci_low", "ci_lower", "lcl", "low", "lower_ci", "lower_limit", "ci_l", "lower_95", "ci_start")),
        Column("upper", "number", False, ("ci_high", "ci_upper", "ucl", "high", "upper_ci", "upper_limit", "ci_u", "upper_95", "ci_end")),
        Column("level", "number", False, ("ci_level", "ci_level_pct", "confidence", "confidence_level")),
        *_SOURCE,
    ),
    ("outcome", "study", "subgroup"),
)  # fmt: skip

#: Every table a review folder may hold, by name.
TABLES: Mapping[str, TableLayout] = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            _STUDIES, _RESPONSES, _SURVIVAL, _HARMS, _AT_RISK, _CURVES, _MARKS, _FLOW, _PUBLISHED, _DISCONTINUATIONS,
            _COMPARISONS,
        )
    }
)  # fmt: skip


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def named_ratio(name: str) -> bool:
    """Whether a heading says that its numbers are ratios and not their logarithms.

    >>> named_ratio("Hazard ratio"), named_ratio("logHR"), named_ratio("TE")
    (True, False, False)
    """
    return _bare(name) in {_bare(known) for known in RATIO_NAMES}


def column_mapping(
    layout: TableLayout, header: Sequence[str], given: Mapping[str, str] | None = None, *, file: str = ""
) -> dict[str, str]:
    """Our column name for each of the header's names; a header name that fits nothing is left out.

    Parameters
    ----------
    layout : the table.
    header : the names in the file, as written.
    given : the reader's own choice, header name to our name; it wins over every synonym.

    Raises
    ------
    DataError
        Two header names fit one column, a required column is missing, or `given` names what is not there.

    Examples
    --------
    >>> column_mapping(TABLES["responses"], ["Outcome", "Trial", "Responders", "N total"])
    {'Outcome': 'outcome', 'Trial': 'study', 'Responders': 'events', 'N total': 'n'}
    """
    file = file or layout.file
    ours = {column.name for column in layout.columns}
    mapping: dict[str, str] = {}
    for theirs, name in (given or {}).items():
        if theirs not in header:
            raise DataError(f"the mapping names a column '{theirs}', which is not in the header", file=file, row=1)
        if name not in ours:
            raise DataError(f"'{theirs}' is mapped to '{name}'; known: {', '.join(sorted(ours))}", file=file, row=1)
        mapping[theirs] = name
    by_bare = {_bare(theirs): theirs for theirs in header if theirs not in mapping}
    for column in layout.columns:
        if column.name in mapping.values():
            continue
        for spelling in (column.name, *column.also):
            theirs = by_bare.get(_bare(spelling), "")
            if theirs and theirs not in mapping:
                mapping[theirs] = column.name
                break
    for column in layout.columns:
        if column.required and column.name not in mapping.values():
            also = f" (also read: {', '.join(column.also)})" if column.also else ""
            raise DataError(f"no column '{column.name}'{also}; the header has {', '.join(header)}", file=file, row=1)
    repeated = [name for name in header if name and list(header).count(name) > 1]
    if repeated:
        raise DataError("the header has this column twice", file=file, row=1, column=repeated[0])
    return {theirs: mapping[theirs] for theirs in header if theirs in mapping}
