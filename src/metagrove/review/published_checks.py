"""Checks on what a published review prints: shares, intervals, pooled values and their tails."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import groupby, pairwise

from metagrove.core.errors import DataError
from metagrove.review.cells import is_missing, number
from metagrove.review.findings import Finding, check
from metagrove.review.folder import Review
from metagrove.review.spec import SurvivalAnalysis
from metagrove.review.survival_checks import months_of
from metagrove.review.tables import Row

__all__ = ["QUANTITIES", "printed_number"]

#: What published.csv may compare.
QUANTITIES = frozenset(
    ["estimate", "ci_low", "ci_high", "predict_low", "predict_high", "I2", "tau2", "Q", "p_heterogeneity", "Q_between"]
    + ["df_between", "p_between", "k", "events", "n", "rate", "median", "median_low", "median_high", "mean"]
)


def _place(row: Row, column: str = "") -> str:
    return f"{row.file}, row {row.number}" + (f", column '{column}'" if column else "")


def printed_number(row: Row, column: str = "printed") -> float | None:
    """The number in a printed cell, per cent as a proportion; None where there is none or it is a bound such as `<0.01`."""
    text = row.text(column)
    if is_missing(text) or text[:1] in "<>≤≥":
        return None
    try:
        value = number(text, row.notation)
    except DataError:
        return None
    return value / 100 if text.rstrip().endswith("%") else value


@check("printed-share")
def _printed_share(review: Review) -> Iterator[Finding]:
    """A printed share that is not events over total."""
    for row in review.rows("responses"):
        if row["printed"] is None or row["events"] is None or not row["n"]:
            continue
        share = row["events"] / row["n"]
        text = row.notation.plain(row.text("printed")).rstrip("% ")
        digits = len(text.partition(".")[2]) + (2 if "%" in row.text("printed") else 0)
        if abs(share - row["printed"]) > 0.5 * 10.0**-digits + 1e-9:
            shown = f"{row.text('printed')} printed, {row['events']}/{row['n']} = {share:.4g}"
            yield Finding(
                "printed-share",
                "warning",
                row.text("study"),
                _place(row, "printed"),
                shown,
                f"{share:.{max(digits, 2)}f}",
                f"{row.text('study')}: {row.text('outcome')} {shown}.",
            )


def _survival_rates(review: Review) -> Iterator[tuple[str, list[Row]]]:
    rows = [r for r in review.rows("published") if r.text("quantity").lower() == "rate" and r["time"] is not None]
    for name, group in groupby(
        sorted(rows, key=lambda r: (r.text("analysis"), r["time"])), key=lambda r: r.text("analysis")
    ):
        yield name, [row for row in group if printed_number(row) is not None]


@check("tail-rests-on-few")
def _tail_rests_on_few(review: Review) -> Iterator[Finding]:
    """A pooled curve that falls by nearly half after it was flat: the end rests on very few patients."""
    for name, rows in _survival_rates(review):
        values = [printed_number(row) or 0.0 for row in rows]
        for i, (before, after) in enumerate(pairwise(values)):
            if before <= 0 or after / before > 0.6 or i == 0 or values[i - 1] <= 0 or before / values[i - 1] < 0.85:
                continue
            shown = f"{before:.2%} at {rows[i]['time']:g}, {after:.2%} at {rows[i + 1]['time']:g}"
            half = " exactly half" if abs(after / before - 0.5) < 0.002 else ""
            yield Finding(
                "tail-rests-on-few",
                "warning",
                "",
                _place(rows[i + 1], "printed"),
                shown,
                "numbers at risk beside the curve",
                f"{name}: the pooled curve is nearly flat, then falls to{half or ' a fraction'} ({shown}); its tail rests on very few patients.",
            )


@check("pooled-against-members")
def _pooled_against_members(review: Review) -> Iterator[Finding]:
    """A pooled median that most of its members lie on one side of."""
    endpoints = {a.name: a.endpoint for a in review.spec.analysis if isinstance(a, SurvivalAnalysis)}
    for row in review.rows("published"):
        pooled = printed_number(row)
        endpoint = endpoints.get(row.text("analysis"))
        if row.text("quantity").lower() != "median" or pooled is None or endpoint is None:
            continue
        members = [
            (r.text("study"), months_of(r, review.spec.time_unit))
            for r in review.rows("survival")
            if r.text("endpoint") == endpoint and r.text("statistic").lower() == "median"
        ]
        known = [(study, value) for study, value in members if value is not None]
        below = [study for study, value in known if value < pooled]
        if len(known) >= 4 and not 0.25 < len(below) / len(known) < 0.75:
            shown = f"{pooled:g} pooled, {', '.join(f'{study} {value:.2f}' for study, value in known)}"
            yield Finding(
                "pooled-against-members",
                "note",
                "",
                _place(row, "printed"),
                shown,
                "a value among its members",
                f"{row.text('analysis')}: {len(below)} of {len(known)} reported medians lie below the pooled one ({shown}).",
            )


@check("published-unknown")
def _published_unknown(review: Review) -> Iterator[Finding]:
    """A printed number of an analysis or a quantity that is not there."""
    known = {analysis.name for analysis in review.spec.analysis}
    for row in review.rows("published"):
        for column, there in (("analysis", known), ("quantity", QUANTITIES)):
            name = row.text(column)
            if name in there:
                continue
            near = get_close_matches(name, sorted(there), n=1, cutoff=0.5)
            yield Finding(
                "published-unknown",
                "warning",
                "",
                _place(row, column),
                name,
                f"'{near[0]}'" if near else ", ".join(sorted(there)),
                f"published.csv names the {column} '{name}', which does not exist; its number stands beside nothing.",
            )


@check("interval-missing")
def _interval_missing(review: Review) -> Iterator[Finding]:
    """A pooled estimate whose interval is said not to exist."""
    for row in review.rows("published"):
        if row.text("quantity").lower().endswith("_low") and is_missing(row.text("printed")):
            what = row.text("quantity").removesuffix("_low")
            yield Finding(
                "interval-missing",
                "note",
                "",
                _place(row, "printed"),
                "no interval",
                "an interval, or why there is none",
                f"{row.text('analysis')}: the {what} is printed without an interval.",
            )
