"""The certainty of the evidence after GRADE: the summary of findings, with a footnote for every step."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from metagrove.app.arms import arm_name, arms_of
from metagrove.app.products import Product, csv_bytes
from metagrove.report.document import Cell, Column, Section, Table
from metagrove.review.certainties import certainties
from metagrove.review.certainty import findings_table, footnote_letter
from metagrove.review.folder import Review
from metagrove.review.spec import SurvivalAnalysis

__all__ = ["material", "product"]

_GRADE = (
    "Guyatt GH, Oxman AD, Vist GE, et al. GRADE: an emerging consensus on rating quality of evidence and strength of "
    "recommendations. BMJ 2008;336:924-926. doi:10.1136/bmj.39489.470347.AD"
)
_TABLES = (
    "Guyatt GH, Oxman AD, Santesso N, et al. GRADE guidelines: 12. Preparing summary of findings tables, binary outcomes. "
    "J Clin Epidemiol 2013;66:158-172. doi:10.1016/j.jclinepi.2012.01.012"
)


def _survival_line(
    review: Review, analysis: SurvivalAnalysis, made: Product, patients: Mapping[str, Product]
) -> dict[str, str]:
    """Participants and the median of the pooled curve."""
    raw = made.files.get(f"results/{analysis.name}.json")
    found: Mapping[str, Any] = json.loads(raw) if raw else {}
    studies = arms_of(review, analysis)
    held = [patients[arm_name(analysis, study)].carry["time"] for study in studies]
    unit = review.spec.time_unit

    def told(name: str) -> str:
        value = found.get(name)
        return f"{value:.1f}" if isinstance(value, int | float) and math.isfinite(value) else "not reached"

    k = len(studies)
    synthetic = "SYNTHETIC: " if found.get("synthetic") else ""
    return {
        "participants": f"{sum(map(len, held))} ({k} {'study' if k == 1 else 'studies'})",
        "with": f"{synthetic}median {told('median')} {unit} ({told('median_lower')} to {told('median_upper')})",
    }


def material(review: Review, parts: Mapping[str, Product]) -> list[Any]:
    """All that the section depends on: the judgements, and the results of the analyses that were judged."""
    judged = [[name, *asdict(held).items(), comment] for name, (held, comment) in certainties(review).items()]
    made = {name: parts[f"analysis {name}"] for name in certainties(review)}
    lines = [[name, part.section.title if part.section else "", dict(part.carry.get("finding", {})),
              part.files.get(f"results/{name}.json", b"").decode()] for name, part in made.items()]  # fmt: skip
    return [judged, lines, review.spec.time_unit]


def product(review: Review, parts: Mapping[str, Product], patients: Mapping[str, Product]) -> Product:
    """The section with the summary of findings; only analyses whose certainty was judged are in it."""
    held = certainties(review)
    lines, comments = [], []
    for name, (_, comment) in held.items():
        analysis = review.analysis(name)
        made = parts[f"analysis {name}"]
        line = dict(made.carry.get("finding", {}))
        if isinstance(analysis, SurvivalAnalysis):
            line = _survival_line(review, analysis, made, patients)
        title = made.section.title if made.section else name
        lines.append({"outcome": title, "comment": comment, "participants": "not stated"} | line)
        comments.append(comment)
    rows = findings_table(lines, [certainty for certainty, _ in held.values()])
    names = [name for name in rows[0] if name not in ("Footnotes",) and (name != "Comments" or any(comments))]
    notes: list[str] = []
    body = []
    for row, (certainty, _) in zip(rows, held.values(), strict=True):
        marks = ""
        for said in certainty.footnotes():
            marks += f" {footnote_letter(len(notes))}"
            notes.append(f"{footnote_letter(len(notes))}. {said}")
        cells = [Cell(f"{row[name]}{marks}" if name == "Certainty" else row[name]) for name in names]
        body.append(tuple(cells))
    table = Table("Summary of findings", tuple(Column(name) for name in names), tuple(body), tuple(notes))
    section = Section(
        name="review-certainty",
        title="Certainty of the evidence",
        kind="certainty",
        headline=tuple(f"{row['Outcome']}: {certainty.level.lower()} certainty." for row, (certainty, _) in zip(rows, held.values(), strict=True)),
        methods="The certainty of the evidence was judged after GRADE; each step up or down has its footnote.",
        references=(_GRADE, _TABLES),
        tables=(table,),
    )  # fmt: skip
    return Product(
        section, {"tables/summary_of_findings.csv": csv_bytes(list(rows[0]), [list(row.values()) for row in rows])}
    )
