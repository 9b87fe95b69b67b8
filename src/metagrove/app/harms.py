"""Adverse events of a review: who reported which, and the pooled share where enough did."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metagrove.app.numbers import percent, percent_interval
from metagrove.app.products import Product, csv_bytes
from metagrove.core.errors import DataError
from metagrove.core.results import plain
from metagrove.report.document import Cell, Column, Figure, Section, SourceLine, Table
from metagrove.review.folder import Review
from metagrove.review.spec import HarmsAnalysis
from metagrove.review.tables import Row

__all__ = ["product", "reported_events"]


@dataclass(frozen=True, slots=True)
class _Term:
    """One harmonised term with its rows, one a study, and what was pooled."""

    name: str
    group: str
    rows: tuple[Row, ...]
    events: int
    n: int
    pooled: tuple[float, float, float] | None


def _term_of(row: Row) -> str:
    return row.text("harmonized_term") or row.text("term")


def _rows(review: Review, analysis: HarmsAnalysis) -> list[Row]:
    gone = {exclusion.study.lower() for exclusion in analysis.exclude}
    wanted = analysis.grade.replace(" ", "").replace("≥", ">=")
    kept = []
    for row in review.rows("adverse_events"):
        grade = row.text("grade").replace(" ", "").replace("≥", ">=")
        if (
            row.text("study").lower() not in gone
            and row["events"] is not None
            and (not wanted or not grade or grade == wanted)
        ):
            if row["n"] is None:
                raise row.error("the total is missing; a harm without its denominator cannot be pooled", "n")
            kept.append(row)
    if not kept:
        raise DataError(f"no row has grade '{analysis.grade}'", file="adverse_events.csv")
    return kept


def _pooled(analysis: HarmsAnalysis, rows: list[Row]) -> Any:
    from metagrove.doors.one_arm import metaprop

    return metaprop(
        [row["events"] for row in rows], [row["n"] for row in rows], studlab=[row.text("study") for row in rows],
        sm=analysis.sm, method="Inverse", method_tau=analysis.method_tau, method_random_ci=analysis.method_random_ci,
        level=analysis.level, level_ma=analysis.level,
    )  # fmt: skip


def _terms(analysis: HarmsAnalysis, rows: list[Row]) -> list[_Term]:
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(_term_of(row).lower(), []).append(row)
    terms = []
    for members in by.values():
        studies = {row.text("study") for row in members}
        if len(studies) < len(members):
            raise members[-1].error(
                f"two rows of one study are both '{_term_of(members[-1])}'; give each its own term", "harmonized_term"
            )
        pooled = None
        if len(members) >= max(2, analysis.min_studies):
            back = _pooled(analysis, members).back
            pooled = float(back.TE_random), float(back.lower_random), float(back.upper_random)
        events, n = sum(r["events"] for r in members), sum(r["n"] for r in members)
        terms.append(_Term(_term_of(members[0]), members[0].text("group"), tuple(members), events, n, pooled))
    return sorted(terms, key=lambda term: (-term.events, term.name.lower()))


def _key(analysis: HarmsAnalysis, row: Row) -> str:
    return f"{analysis.name}-{row.number}"


def _table(review: Review, analysis: HarmsAnalysis, terms: list[_Term], studies: list[str]) -> Table:
    rows = []
    for term in terms:
        by = {row.text("study"): row for row in term.rows}
        cells = [
            Cell(f"{by[s]['events']}/{by[s]['n']}", _key(analysis, by[s])) if s in by else Cell("") for s in studies
        ]
        shown = (
            f"{percent(term.pooled[0])} ({percent_interval(*term.pooled[1:])})"
            if term.pooled
            else "one study"
            if len(by) == 1
            else "not pooled"
        )
        rows.append(
            (Cell(term.name), *cells, Cell(f"{term.events}/{term.n}"), Cell(percent(term.events / term.n)), Cell(shown))
        )
    columns = (
        Column("Adverse event"),
        *(Column(review.label(s), "right") for s in studies),
        Column("Reported, all", "right"),
        Column("Share", "right"),
        Column(f"Pooled ({analysis.level:.0%} CI)", "right"),
    )
    notes = (
        "An empty cell means that the paper does not list the event. It is unknown, never zero.",
        "Sums and pooled shares are over the studies that report the event; papers that list only their most frequent events make both too high.",
    )
    return Table("Adverse events by study", columns, tuple(rows), notes)


def product(review: Review, analysis: HarmsAnalysis, patients: Mapping[str, Product]) -> Product:
    """The section, matrix and table of the adverse events.

    Raises
    ------
    DataError
        No row has the wanted grade, a total is missing, or one study gives one term twice.
    """
    from metagrove.plots.harms import harms_drawing

    rows = _rows(review, analysis)
    terms = _terms(analysis, rows)
    order = [row.text("study") for row in review.rows("studies")] or list(dict.fromkeys(r.text("study") for r in rows))
    studies = [study for study in order if any(r.text("study").lower() == study.lower() for r in rows)]
    drawing = harms_drawing(_matrix(review, analysis, terms, studies))
    top = [term for term in terms if term.pooled][:3] or terms[:3]
    said = ", ".join(f"{term.name} {term.events}/{term.n} ({percent(term.events / term.n, 0)})" for term in top)
    title = analysis.title or "Adverse events"
    explanation = _pooled(analysis, list(terms[0].rows)).explain()
    lines = tuple(
        SourceLine(
            _key(analysis, row), f"{review.label(row.text('study'))}, {row.text('term')}", f"{row.text('events')}/{row.text('n')}",
            f"{row['events']}/{row['n']}", row.source.document, row.source.locator, row.file, row.number,
        )
        for row in rows
    )  # fmt: skip
    section = Section(
        name=analysis.name,
        title=title,
        kind="harms",
        headline=(f"Most often reported: {said}.",),
        methods=f"Each harmonised term was pooled over the studies that report it, where at least {max(2, analysis.min_studies)} do. {explanation.sentence}",
        references=explanation.references,
        settings=(
            ("Grade", analysis.grade or "any"),
            ("Transformation", analysis.sm),
            ("τ²", analysis.method_tau),
            ("Least studies", str(analysis.min_studies)),
        ),
        tables=(_table(review, analysis, terms, studies),),
        figures=(
            Figure(
                analysis.name,
                f"Adverse-event matrix: {title[0].lower() + title[1:]}, events among patients by study; hatched cells were not reported.",
            ),
        ),
        cautions=(analysis.note,) if analysis.note else (),
        excluded=tuple((review.label(e.study), e.reason) for e in analysis.exclude),
        sources=lines,
    )
    return Product(section, _files(analysis, terms, drawing))


def reported_events(review: Review, analysis: HarmsAnalysis) -> list[tuple[str, Row]]:
    """The rows of the analysis, each under its harmonised term."""
    terms = _terms(analysis, _rows(review, analysis))
    return [(term.name, row) for term in terms for row in term.rows]


def _matrix(review: Review, analysis: HarmsAnalysis, terms: list[_Term], studies: list[str]) -> Any:
    """What the drawing needs: terms by body system, studies across."""
    from metagrove.core.values import Counts
    from metagrove.plots.harms import HarmRow, HarmsTable

    rows = []
    order = list(dict.fromkeys(term.group for term in terms))
    for term in sorted(terms, key=lambda term: order.index(term.group)):
        by = {row.text("study").lower(): row for row in term.rows}
        cells = tuple(Counts(by[s.lower()]["events"], by[s.lower()]["n"]) if s.lower() in by else None for s in studies)
        note = "" if term.pooled else "one study" if len(term.rows) == 1 else "not pooled"
        rows.append(HarmRow(term.name, cells, term.group.capitalize(), term.pooled, note))
    return HarmsTable(tuple(review.label(study) for study in studies), tuple(rows))


def _files(analysis: HarmsAnalysis, terms: list[_Term], drawing: Any) -> dict[str, bytes]:
    name = analysis.name
    nothing = (math.nan, math.nan, math.nan)
    table = [[t.name, t.group, len(t.rows), t.events, t.n, t.events / t.n, *(t.pooled or nothing)] for t in terms]
    header = ["term", "group", "studies", "events", "n", "share", "pooled", "lower", "upper"]
    result = [dict(zip(header, line, strict=True)) for line in table]
    return {
        f"figures/{name}.svg": drawing.svg(),
        f"figures/{name}.pdf": drawing.pdf(),
        f"figures/{name}.png": drawing.png(),
        f"tables/{name}.csv": csv_bytes(header, table),
        f"results/{name}.json": (json.dumps(plain(result), indent=2, ensure_ascii=False) + "\n").encode(),
    }
