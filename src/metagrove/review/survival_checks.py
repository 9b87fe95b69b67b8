"""Checks on printed survival: medians, intervals, rates, curves and numbers at risk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby

from metagrove.core.errors import MetagroveError
from metagrove.core.units import convert_time, time_unit
from metagrove.review.cells import Estimate
from metagrove.review.curve_rows import at_risk_faults, curve_faults, survival_scale
from metagrove.review.figure_rows import FigureState
from metagrove.review.findings import Finding, check
from metagrove.review.folder import Review
from metagrove.review.tables import Row

__all__ = ["at_risk_faults", "curve_faults", "limits_of", "months_of"]


def _place(row: Row, column: str = "") -> str:
    return f"{row.file}, row {row.number}" + (f", column '{column}'" if column else "")


def months_of(row: Row, unit: str) -> float | None:
    """The row's time in `unit`; None where there is no value or its unit is unknown."""
    if row["value"] is None:
        return None
    try:
        return convert_time(row["value"].value, row.text("unit") or row["value"].unit or unit, unit)
    except MetagroveError:
        return None


def limits_of(row: Row) -> tuple[float | None, float | None]:
    """The printed limits, from their columns or from inside the value's own cell."""
    value = row["value"]
    inside = (value.low, value.high) if isinstance(value, Estimate) else (None, None)
    low = row["ci_low"] if row["ci_low"] is not None else inside[0]
    high = row["ci_high"] if row["ci_high"] is not None else inside[1]
    return low, high


@check("interval-excludes-estimate")
def _interval_excludes_estimate(review: Review) -> Iterator[Finding]:
    """An interval that does not contain its own estimate."""
    for row in review.rows("survival"):
        if row["value"] is not None:
            yield from _outside(row, "value", row["value"].value, *limits_of(row), what=row.text("endpoint"))
    for row in review.rows("responses"):
        if row["printed"] is not None:
            limits = row["printed_low"], row["printed_high"]
            yield from _outside(row, "printed", row["printed"], *limits, what=row.text("outcome"))


def _outside(
    row: Row, column: str, value: float, low: float | None, high: float | None, *, what: str
) -> Iterator[Finding]:
    study = row.text("study")
    slack = 1e-9
    if (low is not None and value < low - slack) or (high is not None and value > high + slack):
        shown = f"{value:g} ({'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'})"
        yield Finding(
            "interval-excludes-estimate",
            "error",
            study,
            _place(row, column),
            shown,
            "low <= estimate <= high",
            f"{study}: the interval of {what} does not contain its estimate: {shown}.",
        )


@check("survival-order")
def _survival_order(review: Review) -> Iterator[Finding]:
    """Progression-free survival that lasts longer than overall survival."""
    medians: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in review.rows("survival"):
        if row.text("statistic").lower() == "median" and row["value"] is not None:
            medians[row.text("study")][row.text("endpoint").upper()] = row
    for study, by in medians.items():
        if "PFS" in by and "OS" in by:
            pfs, os = months_of(by["PFS"], review.spec.time_unit), months_of(by["OS"], review.spec.time_unit)
            if pfs is not None and os is not None and pfs > os:
                shown = f"PFS {pfs:.1f}, OS {os:.1f} {review.spec.time_unit}"
                yield Finding(
                    "survival-order",
                    "error",
                    study,
                    _place(by["PFS"], "value"),
                    shown,
                    "PFS at most OS",
                    f"{study}: {shown}; nobody progresses after death, so check the unit or the columns.",
                )


def _converted(row: Row, unit: str) -> float | None:
    try:
        return convert_time(row["time"], row.text("unit") or unit, unit)
    except MetagroveError:
        return None


@check("unit-unknown")
def _unit_unknown(review: Review) -> Iterator[Finding]:
    """A unit of time that is none."""
    for row in review.rows("survival"):
        text = row.text("unit")
        if not text or text.strip() == "%":
            continue
        try:
            time_unit(text)
        except MetagroveError as error:
            message = f"{row.text('study')}: {error}"
            yield Finding(
                "unit-unknown",
                "error",
                row.text("study"),
                _place(row, "unit"),
                text,
                "days, weeks, months or years",
                message,
            )


@check("median-against-rate")
def _median_against_rate(review: Review) -> Iterator[Finding]:
    """A survival rate above one half after the median, or below it before."""
    rows = [r for r in review.rows("survival") if r["value"] is not None]
    medians = {(r.text("study"), r.text("endpoint")): r for r in rows if r.text("statistic").lower() == "median"}
    for row in rows:
        median = medians.get((row.text("study"), row.text("endpoint")))
        if row.text("statistic").lower() != "rate" or median is None or row["time"] is None:
            continue
        half = months_of(median, review.spec.time_unit)
        at = _converted(row, review.spec.time_unit)
        if at is None:
            continue
        rate = row["value"].value / (100 if row["value"].unit == "%" or row["value"].value > 1 else 1)
        if half is not None and ((at > half and rate > 0.5 + 1e-9) or (at < half and rate < 0.5 - 1e-9)):
            shown = f"{rate:.0%} at {at:g}, median {half:.1f} {review.spec.time_unit}"
            yield Finding(
                "median-against-rate",
                "warning",
                row.text("study"),
                _place(row, "value"),
                shown,
                "a rate of one half at the median",
                f"{row.text('study')}: {row.text('endpoint')} {shown} contradict each other.",
            )


@check("unit-missing")
def _unit_missing(review: Review) -> Iterator[Finding]:
    """A time without a unit beside times that have one."""
    medians = [r for r in review.rows("survival") if r.text("statistic").lower() == "median" and r["value"] is not None]
    bare = [r for r in medians if not r.text("unit") and not r["value"].unit]
    if len(bare) == len(medians):
        return
    for row in bare:
        shown = row.text("value")
        yield Finding(
            "unit-missing",
            "warning",
            row.text("study"),
            _place(row, "unit"),
            shown,
            "its unit, as printed",
            f"{row.text('study')}: median {row.text('endpoint')} {shown} has no unit, others have; "
            f"it is read as {review.spec.time_unit}.",
        )


def _curve(review: Review, row: Row) -> list[tuple[float, float]]:
    """The digitized curve of the row's arm: (time, proportion), by time."""
    mine = [r for r in review.rows("curves") if _arm(r) == _arm(row) and r["time"] is not None]
    scale = survival_scale(mine)
    return sorted((r["time"], r["survival"] / scale) for r in mine if r["survival"] is not None)


def _arm(row: Row) -> tuple[str, str]:
    return row.text("endpoint").lower(), row.text("study").lower()


@check("median-against-curve")
def _median_against_curve(review: Review) -> Iterator[Finding]:
    """A printed median that the digitized curve does not show."""
    for row in review.rows("survival"):
        printed = months_of(row, review.spec.time_unit) if row.text("statistic").lower() == "median" else None
        curve = _curve(review, row) if printed else []
        if not printed or not curve or curve[-1][1] > 0.5:
            continue
        shown_at = next(t for t, s in curve if s <= 0.5)
        reach = max(0.2 * printed, 0.03 * curve[-1][0])
        if abs(shown_at - printed) > reach:
            shown = f"{printed:.1f} printed, {shown_at:.1f} on the curve"
            yield Finding(
                "median-against-curve",
                "warning",
                row.text("study"),
                _place(row, "value"),
                shown,
                "the same time",
                f"{row.text('study')}: median {row.text('endpoint')} {shown} ({review.spec.time_unit}); check the unit and the curve.",
            )


@check("at-risk-against-curve")
def _at_risk_against_curve(review: Review) -> Iterator[Finding]:
    """More people at risk than the curve leaves alive."""
    start = {_arm(r): r["n"] for r in review.rows("at_risk") if r["time"] == 0 and r["n"] is not None}
    for row in review.rows("at_risk"):
        n, curve = start.get(_arm(row)), _curve(review, row)
        if not n or row["n"] is None or not row["time"] or not curve:
            continue
        alive = max((s for t, s in curve if t >= row["time"]), default=curve[-1][1])
        before = min((s for t, s in curve if t < row["time"]), default=1.0)
        most = n * max(alive, before) + 1 + 0.03 * n
        if row["n"] > most:
            shown = f"{row['n']} at risk at {row['time']:g}, survival {max(alive, before):.0%} of {n}"
            yield Finding(
                "at-risk-against-curve",
                "warning",
                row.text("study"),
                _place(row, "n"),
                shown,
                f"at most {int(n * max(alive, before) + 1)}",
                f"{row.text('study')}: {row.text('endpoint')} has {shown}; more people than are alive.",
            )


@check("figure-needs-review")
def _figure_needs_review(review: Review) -> Iterator[Finding]:
    """A figure that no analysis uses: missing, not read, or with a reading that nobody has confirmed."""
    expected = {
        "missing": "the figure's file",
        "unread": "'metagrove run', which reads it",
        "stale": "'metagrove run', which reads it again",
    }
    for state in review.figures:
        if state.usable:
            continue
        source = state.source
        reasons = "; ".join(state.reasons)
        yield Finding(
            "figure-needs-review",
            "error" if state.status == "missing" else "warning",
            source.study,
            source.file if state.status in expected else source.project,
            reasons,
            expected.get(state.status, f"a look at the overlay, then 'confirmed' in {source.project}"),
            f"{source.study}: {source.endpoint} from {source.file} is not used: {reasons}.",
        )


@check("figure-unit")
def _figure_unit(review: Review) -> Iterator[Finding]:
    """A figure whose time axis prints no unit."""
    for state in review.figures:
        if state.assumed and state.usable:
            yield Finding(
                "figure-unit",
                "warning",
                state.source.study,
                state.source.file,
                f"no unit; read as {state.unit}",
                "unit = in review.toml",
                f"{state.source.study}: the time axis of {state.source.file} prints no unit; it is read as {state.unit}.",
            )


@check("figure-against-table")
def _figure_against_table(review: Review) -> Iterator[Finding]:
    """Numbers at risk that a person typed otherwise than they were read from the figure."""
    for state in review.figures:
        typed = {r["time"]: r for r in review.rows("at_risk") if _arm(r) == _arm_of(state) and r.file == "at_risk.csv"}
        for cell in (state.arm or {}).get("at_risk", ()) if typed else ():
            time = convert_time(cell["time"], state.unit, review.spec.time_unit)
            row = next((r for t, r in typed.items() if abs(t - time) < 1e-3 * max(time, 1.0)), None)
            if row is not None and row["n"] is not None and row["n"] != cell["n"]:
                shown = f"{row['n']} in the table, {cell['n']} in {state.source.file}"
                yield Finding(
                    "figure-against-table",
                    "warning",
                    state.source.study,
                    _place(row, "n"),
                    shown,
                    "the same number",
                    f"{state.source.study}: at risk at {time:g}: {shown}; the table is used.",
                )


def _arm_of(state: FigureState) -> tuple[str, str]:
    return state.source.endpoint.lower(), state.source.study.lower()


@check("interval-level")
def _interval_level(review: Review) -> Iterator[Finding]:
    """An interval of another level than the others."""
    levels = defaultdict(list)
    for row in review.rows("survival"):
        if row["ci_level"] is not None:
            levels[row["ci_level"] if row["ci_level"] > 1 else 100 * row["ci_level"]].append(row)
    usual = max(levels, key=lambda level: len(levels[level]), default=None)
    for level, rows in levels.items():
        for row in rows if level != usual else ():
            yield Finding(
                "interval-level",
                "warning",
                row.text("study"),
                _place(row, "ci_level"),
                f"{level:g} %",
                f"{usual:g} %",
                f"{row.text('study')}: {row.text('endpoint')} has a {level:g} % interval, the others {usual:g} %.",
            )


@check("at-risk-against-n")
def _at_risk_against_n(review: Review) -> Iterator[Finding]:
    """Numbers at risk that do not start with the number of patients."""
    stated = {
        (r.text("study"), r.text("endpoint")): r["value"].value
        for r in review.rows("survival")
        if r.text("statistic").lower() == "n" and r["value"] is not None
    }
    rows = sorted(review.rows("at_risk"), key=lambda r: (r.text("study"), r.text("endpoint"), r["time"]))
    for key, group in groupby(rows, key=lambda r: (r.text("study"), r.text("endpoint"))):
        first = next(group)
        if first["time"] == 0 and key in stated and first["n"] != stated[key]:
            shown = f"{first['n']} at risk at 0, {stated[key]:g} patients"
            yield Finding(
                "at-risk-against-n",
                "warning",
                key[0],
                _place(first, "n"),
                shown,
                "the same number",
                f"{key[0]}: {key[1]} starts with {shown}.",
            )


@check("arm-against-enrolled")
def _arm_against_enrolled(review: Review) -> Iterator[Finding]:
    """A survival curve of another number of patients than were enrolled."""
    for row in review.rows("survival"):
        study = review.study(row.text("study"))
        if row.text("statistic").lower() != "n" or row["value"] is None or study is None or study["n_enrolled"] is None:
            continue
        if row["value"].value != study["n_enrolled"]:
            shown = f"{row['value'].value:g} on the curve, {study['n_enrolled']} enrolled"
            yield Finding(
                "totals-differ",
                "note",
                row.text("study"),
                _place(row, "value"),
                shown,
                "one number, or a reason",
                f"{row.text('study')}: {row.text('endpoint')} has {shown}.",
            )
