"""Contradictions inside a review folder: numbers that cannot all be true, found before anyone pools them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, groupby

from metagrove.core.errors import DataError, MetagroveError
from metagrove.core.units import convert_time, time_unit
from metagrove.review import comparison_checks, published_checks, survival_checks
from metagrove.review.comparison_rows import comparison_faults
from metagrove.review.findings import CHECKS, Finding, check, finding_of_fault
from metagrove.review.flow import flow_faults, flow_row_faults
from metagrove.review.folder import Review
from metagrove.review.search_strategy import strategy_of
from metagrove.review.tables import Row

__all__ = ["findings_of", "row_faults", "sorted_findings"]

_CHECK_ROOMS = (comparison_checks, published_checks, survival_checks)  # their checks enter the register when imported

_POPULATIONS = (("n_enrolled", "enrolled"), ("n_evaluable", "evaluable"), ("n_safety", "safety"))
_CONTROL = re.compile(r"\b(dcr|cbr|disease[ -]control|clinical[ -]benefit)", re.IGNORECASE)
_RESPONSE = re.compile(r"\b(orr|rr|objective[ -]respon|overall[ -]respon|response)", re.IGNORECASE)
_RATIO = re.compile(r"^(or|rr|hr|irr|odds ratio|risk ratio|relative risk|hazard ratio|rate ratio)\b", re.IGNORECASE)
_NOT_REPORTED = re.compile(r"not[ -](reported|stated|available|given|listed)|unreported|\bNR\b|unknown", re.IGNORECASE)
#: First response assessments are at six to eight weeks; half the patients free of progression then are controlled.
_FIRST_SCAN_DAYS = 42.0


def row_faults(review: Review) -> list[DataError]:
    """Every row that cannot be meant: those of the tables, then comparisons, curves and numbers at risk that break laws."""
    faults = [*review.faults, *comparison_faults(review.rows("comparisons"))]
    for name, law in (("curves", survival_checks.curve_faults), ("at_risk", survival_checks.at_risk_faults)):
        rows = sorted(review.rows(name), key=_arm)
        for _, group in groupby(rows, key=_arm):
            faults += law(tuple(group))
    return faults + flow_row_faults(review.rows("flow"))


def _arm(row: Row) -> tuple[str, str]:
    return row.text("endpoint").lower(), row.text("study").lower()


def findings_of(review: Review) -> list[Finding]:
    """All findings, errors first, then warnings, then notes; within each in the order of the checks."""
    found = [finding_of_fault(fault) for fault in row_faults(review)]
    for rule in CHECKS.values():
        found += rule(review)
    return sorted_findings(found)


def sorted_findings(found: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; otherwise in their order."""
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda finding: order[finding.severity])


def _place(row: Row, column: str = "") -> str:
    return f"{row.file}, row {row.number}" + (f", column '{column}'" if column else "")


@check("totals-differ")
def _totals_differ(review: Review) -> Iterator[Finding]:
    """Different numbers of patients for one study in different tables."""
    sums: dict[str, dict[str, int]] = defaultdict(dict)
    for study in review.rows("studies"):
        name = study.text("study")
        seen = {label: study[column] for column, label in _POPULATIONS if study[column] is not None}
        for table, label in (("responses", "responses"), ("adverse_events", "adverse events")):
            totals = {r["n"] for r in review.rows(table) if _same(r, name) and r["n"] is not None}
            if len(totals) == 1:
                seen[label] = totals.pop()
            elif len(totals) > 1:
                shown = ", ".join(map(str, sorted(totals)))
                yield Finding(
                    "totals-differ",
                    "warning",
                    name,
                    f"{table}.csv",
                    shown,
                    "one total per table",
                    f"{name}: {table}.csv gives {shown} patients in different rows.",
                )
        for label, n in seen.items():
            sums[label][name] = n
        if len(set(seen.values())) > 1:
            shown = ", ".join(f"{label} {n}" for label, n in seen.items())
            more = seen.get("safety", 0) > seen.get("enrolled", 10**9)
            extra = " More people were watched for harms than were enrolled." if more else ""
            yield Finding(
                "totals-differ",
                "warning",
                name,
                _place(study),
                shown,
                "one number, or a reason for each",
                f"{name}: the tables count different patients ({shown}).{extra}",
            )
    whole = {label: sum(by.values()) for label, by in sums.items() if len(by) == len(review.rows("studies"))}
    if len(set(whole.values())) > 1:
        shown = ", ".join(f"{label} {n}" for label, n in whole.items())
        yield Finding(
            "totals-differ",
            "warning",
            "",
            "all studies",
            shown,
            "one sum, or a reason for each",
            f"All studies together: the tables add up to different numbers ({shown}).",
        )


def _same(row: Row, study: str) -> bool:
    return row.text("study").lower() == study.lower()


@check("mixed-units")
def _mixed_units(review: Review) -> Iterator[Finding]:
    """Times of one endpoint printed in different units, and one number printed in two units."""
    medians = [r for r in review.rows("survival") if r.text("unit") and r["value"] is not None]
    for endpoint, group in groupby(sorted(medians, key=lambda r: r.text("endpoint")), key=lambda r: r.text("endpoint")):
        by_unit: dict[str, list[str]] = defaultdict(list)
        for row in group:
            if row.text("statistic").lower() == "median":
                by_unit[_unit(row)].append(row.text("study"))
        if len(by_unit) > 1:
            shown = "; ".join(f"{unit}: {', '.join(names)}" for unit, names in sorted(by_unit.items()))
            rare = min(by_unit, key=lambda unit: len(by_unit[unit]))
            yield Finding(
                "mixed-units",
                "warning",
                ", ".join(by_unit[rare]),
                "survival.csv",
                shown,
                "one unit",
                f"{endpoint}: medians are printed in different units ({shown}); they are converted to "
                f"{review.spec.time_unit} and the printed value is kept.",
            )
    for one, two in combinations(medians, 2):
        if one["value"].value == two["value"].value and _unit(one) != _unit(two) and one["value"].value > 0:
            shown = f"{one.text('value')} {_unit(one)} and {two.text('value')} {_unit(two)}"
            yield Finding(
                "mixed-units",
                "warning",
                two.text("study"),
                _place(two, "unit"),
                shown,
                "check the unit",
                f"{one.text('study')} and {two.text('study')}: the same number in two units ({shown}).",
            )


def _unit(row: Row) -> str:
    try:
        return time_unit(row.text("unit"))
    except MetagroveError:
        return row.text("unit")


@check("flow-does-not-close")
def _flow_does_not_close(review: Review) -> Iterator[Finding]:
    """Flow counts whose differences are not what the next box says."""
    for fault in flow_faults(review.rows("flow")):
        yield Finding("flow-does-not-close", "error", "", fault.where, fault.found, fault.expected, fault.message)


@check("zero-contradicted")
def _zero_contradicted(review: Review) -> Iterator[Finding]:
    """A count of zero that another number of the same study denies."""
    for row in review.rows("responses"):
        if row["events"] != 0 or not row["n"]:
            continue
        study, outcome = row.text("study"), row.text("outcome")
        shown = f"0/{row['n']}"
        if _CONTROL.search(outcome):
            for median in _medians(review, study, "PFS"):
                days = convert_time(median["value"].value, median.text("unit") or review.spec.time_unit, "days")
                if days >= _FIRST_SCAN_DAYS:
                    printed = f"median {median.text('endpoint')} {median.text('value')} {median.text('unit')}".strip()
                    yield Finding(
                        "zero-contradicted",
                        "warning",
                        study,
                        _place(row, "events"),
                        shown,
                        "a count above zero, or an empty cell",
                        f"{study}: {outcome} {shown} beside a {printed}: half the patients were free of progression "
                        "then, so stable disease was probably not reported and is shown as zero.",
                    )
        printed_share = row["printed"]
        if printed_share:
            yield Finding(
                "zero-contradicted",
                "warning",
                study,
                _place(row, "printed"),
                f"{shown} and {printed_share:g}",
                "one of them",
                f"{study}: {outcome} counts {shown}, but a share of {printed_share:g} is printed.",
            )
        for other in review.rows("responses"):
            if (
                _CONTROL.search(outcome)
                and _RESPONSE.search(other.text("outcome"))
                and _same(other, study)
                and (other["events"] or 0) > 0
            ):
                yield Finding(
                    "zero-contradicted",
                    "warning",
                    study,
                    _place(row, "events"),
                    shown,
                    f"at least {other['events']}",
                    f"{study}: {outcome} {shown} although {other['events']} patients responded.",
                )


def _medians(review: Review, study: str, endpoint: str) -> list[Row]:
    return [
        r
        for r in review.rows("survival")
        if _same(r, study)
        and r.text("statistic").lower() == "median"
        and r.text("endpoint").upper() in (endpoint, "TTP")
        and r["value"] is not None
    ]


@check("response-exceeds-control")
def _response_exceeds_control(review: Review) -> Iterator[Finding]:
    """More responders than patients with disease control."""
    for control in review.rows("responses"):
        if not _CONTROL.search(control.text("outcome")) or not control["events"]:
            continue
        for response in review.rows("responses"):
            paired = _same(response, control.text("study")) and response["n"] == control["n"]
            if paired and _is_response(response) and (response["events"] or 0) > control["events"]:
                shown = f"{response['events']} responders, {control['events']} with disease control"
                yield Finding(
                    "response-exceeds-control",
                    "error",
                    control.text("study"),
                    _place(control, "events"),
                    shown,
                    "control at least the responses",
                    f"{control.text('study')}: {shown}; every responder has disease control.",
                )


def _is_response(row: Row) -> bool:
    return bool(_RESPONSE.search(row.text("outcome"))) and not _CONTROL.search(row.text("outcome"))


@check("proportion-labelled-ratio")
def _proportion_labelled_ratio(review: Review) -> Iterator[Finding]:
    """A proportion printed under the name of a ratio."""
    wrong = [r for r in review.rows("responses") if _RATIO.match(r.text("printed_label")) and _is_share(r)]
    for label, group in groupby(
        sorted(wrong, key=lambda r: r.text("printed_label")), key=lambda r: r.text("printed_label")
    ):
        rows = list(group)
        studies = ", ".join(dict.fromkeys(row.text("study") for row in rows))
        yield Finding(
            "proportion-labelled-ratio",
            "warning",
            studies,
            _place(rows[0], "printed_label"),
            label,
            "proportion",
            f"{len(rows)} values are labelled '{label}' and equal events/total of one arm: they are proportions, "
            "and a single arm has no ratio.",
        )


def _is_share(row: Row) -> bool:
    if row["printed"] is None or row["events"] is None or not row["n"]:
        return False
    return bool(abs(row["printed"] - row["events"] / row["n"]) <= 0.0051)


@check("missing-as-zero")
def _missing_as_zero(review: Review) -> Iterator[Finding]:
    """A zero where nobody reported anything."""
    for name in ("responses", "adverse_events"):
        for row in review.rows(name):
            what = row.text("outcome") or row.text("term")
            said = _NOT_REPORTED.search(row.text("note")) or _NOT_REPORTED.search(row.text("locator"))
            if row["events"] == 0 and (said or not row["n"]):
                yield _zero(
                    row,
                    "events",
                    f"{row.text('study')}: {what} is 0, but its note says that it was not reported."
                    if said
                    else f"{row.text('study')}: {what} is 0 of an unknown total.",
                )
    yield from _silent_harms(review)
    for row in review.rows("survival"):
        if row["value"] is not None and row["value"].value == 0 and row.text("statistic").lower() == "median":
            yield _zero(
                row,
                "value",
                f"{row.text('study')}: a median {row.text('endpoint')} of 0 is a missing value, not a time.",
            )
    for row in review.rows("studies"):
        for column in ("median_age", "n_enrolled", "n_evaluable", "n_safety", "year"):
            if row[column] == 0:
                yield _zero(
                    row, column, f"{row.text('study')}: {column} is 0; leave the cell empty where it is not reported."
                )


def _silent_harms(review: Review) -> Iterator[Finding]:
    """Zeros of a study whose paper lists only events that happened, where the zero names no place it was read from."""
    for row in review.rows("adverse_events"):
        if row["events"] == 0 and row["n"] and not row.text("document") and not row.text("locator"):
            yield _zero(
                row,
                "events",
                f"{row.text('study')}: {row.text('term')} is 0 without a source; an event that a paper does not list is unknown, not zero.",
            )


def _zero(row: Row, column: str, message: str) -> Finding:
    return Finding("missing-as-zero", "warning", row.text("study"), _place(row, column), "0", "an empty cell", message)


@check("search-gap")
def _search_gap(review: Review) -> Iterator[Finding]:
    """Drugs of included studies that the search's terms could not have found."""
    search = review.spec.search
    strategy = strategy_of(search.model_dump())
    concepts = [term.replace("*", "") for concept in strategy.concepts for term in concept.terms] if strategy else []
    terms = [str(term).lower() for term in (*search.terms, *concepts)]
    if not terms:
        return
    for row in review.rows("studies"):
        for drug in re.split(r"[;,+]", row.text("drug")):
            name = drug.strip()
            if name and not any(name.lower() in term or term in name.lower() for term in terms):
                yield Finding(
                    "search-gap",
                    "warning",
                    row.text("study"),
                    _place(row, "drug"),
                    name,
                    "a term that finds it",
                    f"{row.text('study')}: the drug '{name}' is not among the search terms, so the search could miss its other trials.",
                )


@check("overlapping-cohorts")
def _overlapping_cohorts(review: Review) -> Iterator[Finding]:
    """Two studies that may hold the same patients."""
    rows = review.rows("studies")
    for one, two in combinations(rows, 2):
        same_id = one.text("trial_id") and one.text("trial_id").lower() == two.text("trial_id").lower()
        said = two.text("same_study_as") and two.text("same_study_as") in (one.text("trial_id"), one.text("study"))
        if same_id or said:
            shown = one.text("trial_id") or two.text("same_study_as")
            yield Finding(
                "overlapping-cohorts",
                "warning",
                two.text("study"),
                _place(two, "trial_id"),
                shown,
                "one report per cohort",
                f"{one.text('study')} and {two.text('study')}: both are '{shown}'; pool one of them.",
            )


def rules() -> Iterable[str]:
    """The names of all rules, in the order in which they run."""
    return tuple(CHECKS)
