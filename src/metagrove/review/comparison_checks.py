"""Checks on comparisons of two arms: intervals, scales, sizes of arms, standard errors in the place of deviations."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from metagrove.core.scales import scale
from metagrove.review.columns import named_ratio
from metagrove.review.comparison_rows import form_of, reported_of
from metagrove.review.findings import Finding, check
from metagrove.review.folder import Review
from metagrove.review.spec import ComparisonAnalysis
from metagrove.review.tables import Row

__all__ = ["comparison_rows_of"]


def comparison_rows_of(review: Review, outcome: str) -> list[Row]:
    """The rows of comparisons.csv of one outcome."""
    return [row for row in review.rows("comparisons") if row.text("outcome").lower() == outcome.lower()]


def _place(row: Row, column: str) -> str:
    return f"{row.file}, row {row.number}, column '{column}'"


def _ratio_rows(review: Review) -> Iterator[tuple[ComparisonAnalysis, list[Row]]]:
    """Each analysis of a ratio with the rows that report it."""
    for analysis in review.spec.analysis:
        if isinstance(analysis, ComparisonAnalysis) and scale(analysis.sm).ratio:
            rows = comparison_rows_of(review, analysis.outcome)
            yield analysis, [row for row in rows if form_of(row, analysis.sm) == "reported"]


def _half_digit(value: float) -> float:
    digits = len(f"{value:g}".partition(".")[2]) if "e" not in f"{value:g}" else 6
    return 0.5 * float(10.0**-digits)


@check("interval-not-symmetric")
def _interval_not_symmetric(review: Review) -> Iterator[Finding]:
    """A printed ratio that is not in the middle of its interval on the log scale, beyond what rounding explains."""
    for analysis, rows in _ratio_rows(review):
        for row in rows:
            found = reported_of(row)
            if analysis.scale == "log" or found.value is None or found.low is None or found.high is None:
                continue
            loose = [(v - _half_digit(v), v + _half_digit(v)) for v in (found.low, found.value, found.high)]
            if min(bounds[0] for bounds in loose) <= 0:
                continue
            (low, low2), (value, value2), (high, high2) = loose
            # A tenth of the interval's width is what asymmetric (exact, profile) limits may differ by.
            slack = math.exp(0.05 * math.log(found.high / found.low))
            if value > math.sqrt(low2 * high2) * slack or value2 < math.sqrt(low * high) / slack:
                middle = math.sqrt(found.low * found.high)
                yield Finding(
                    "interval-not-symmetric",
                    "warning",
                    row.text("study"),
                    _place(row, "te"),
                    found.text,
                    f"about {middle:.3g}",
                    f"{row.text('study')}: {analysis.sm} {found.text} lies off the middle of its interval on the log scale "
                    f"(about {middle:.3g}); one of the three numbers may be mistyped.",
                )


@check("effect-scale")
def _effect_scale(review: Review) -> Iterator[Finding]:
    """Effects beside standard errors that are taken for logarithms although none is negative."""
    ratios = any(
        named_ratio(theirs)
        for theirs, ours in (review.tables["comparisons"].mapping.items() if "comparisons" in review.tables else ())
        if ours == "te"
    )
    for analysis, rows in _ratio_rows(review):
        alone = [row for row in rows if reported_of(row).low is None and row["te"] is not None]
        if analysis.scale or ratios or len(alone) < 3 or any(row["te"].value <= 0 for row in alone):
            continue
        shown = ", ".join(f"{row['te'].value:g}" for row in alone[:4])
        yield Finding(
            "effect-scale",
            "warning",
            "",
            _place(alone[0], "te"),
            shown,
            'scale = "log" or "printed"',
            f"{analysis.name}: all effects beside a standard error are above 0 ({shown}); they are read as logarithms of "
            f'{analysis.sm}. Say scale = "printed" in review.toml if they are ratios, scale = "log" if not.',
        )


@check("arms-above-enrolled")
def _arms_above_enrolled(review: Review) -> Iterator[Finding]:
    """More patients in the two arms than the study enrolled."""
    for row in review.rows("comparisons"):
        study = review.study(row.text("study"))
        if study is None or study["n_enrolled"] is None or row["n_e"] is None or row["n_c"] is None:
            continue
        both = row["n_e"] + row["n_c"]
        if both > study["n_enrolled"]:
            shown = f"{row['n_e']} + {row['n_c']} = {both} patients, {study['n_enrolled']} enrolled"
            yield Finding(
                "totals-differ",
                "warning",
                row.text("study"),
                _place(row, "n_e"),
                shown,
                "at most the number enrolled",
                f"{row.text('study')}: {row.text('outcome')} has {shown}.",
            )


@check("deviation-or-error")
def _deviation_or_error(review: Review) -> Iterator[Finding]:
    """A standard deviation so small beside the others that it is probably a standard error."""
    by: dict[str, list[tuple[Row, str, float, int]]] = defaultdict(list)
    for row in review.rows("comparisons"):
        for arm in ("e", "c"):
            sd, n = row[f"sd_{arm}"], row[f"n_{arm}"]
            if sd and n:
                by[row.text("outcome").lower()].append((row, f"sd_{arm}", sd, n))
    for found in by.values():
        usual = median(sd for _, _, sd, _ in found)
        for row, column, sd, n in found:
            if len(found) >= 6 and n >= 10 and sd < usual / 3 and 0.5 < sd * math.sqrt(n) / usual < 2:
                shown = f"{sd:g}, the others about {usual:.3g}"
                yield Finding(
                    "deviation-or-error",
                    "warning",
                    row.text("study"),
                    _place(row, column),
                    shown,
                    f"about {sd * math.sqrt(n):.3g}",
                    f"{row.text('study')}: the standard deviation is {shown}; times the root of {n} it would fit, so it is "
                    "probably a standard error.",
                )
