"""Risk of bias in a review: the judgements drawn as lights and bars, listed with their support, and beside the forest plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metagrove.app.pooled_sections import drawn_files
from metagrove.app.products import Product, csv_bytes, row_material
from metagrove.app.protocols import slug
from metagrove.plots.bias import BiasTable, bias_summary, traffic_light
from metagrove.report.document import Cell, Column, Figure, Section, Table
from metagrove.review.assessments import OWN_DOMAINS, BiasGroup, bias_groups
from metagrove.review.bias_tools import TOOLS, scored, starred
from metagrove.review.folder import Review
from metagrove.review.risk_of_bias import Assessment

__all__ = ["beside_forest", "forest_material", "material", "product"]

_ROBVIS = (
    "McGuinness LA, Higgins JPT. Risk-of-bias VISualization (robvis): an R package and Shiny web app for visualizing "
    "risk-of-bias assessments. Res Synth Methods 2021;12:55-61. doi:10.1002/jrsm.1411"
)


def _groups(review: Review) -> list[BiasGroup]:
    return bias_groups(review.rows("risk_of_bias"), tool=review.spec.risk_of_bias.tool)[0]


def _names(review: Review, studies: Sequence[str]) -> list[tuple[str, str]]:
    return [(study, review.label(study)) for study in studies]


def material(review: Review) -> list[Any]:
    """All that the section depends on."""
    names = _names(review, [row.text("study") for row in review.rows("risk_of_bias")])
    return [review.spec.risk_of_bias.model_dump(mode="json"), row_material(review.rows("risk_of_bias")), names]


def _shown(level: str, group: BiasGroup, domain: str) -> str:
    """A level as a light: a star is Yes, none is No, one of two is Unclear."""
    if not starred(group.tool):
        return level
    return "Unclear" if level == "1" and domain.startswith("Comparability") else "No" if level == "0" else "Yes"


def _overall(one: Assessment, group: BiasGroup) -> str:
    """The overall judgement as a light; empty where it is a score or a verdict in words."""
    return one.overall if one.overall in group.tool.levels and not scored(group.tool) else ""


def _table(review: Review, group: BiasGroup) -> BiasTable:
    studies = []
    same = len({one.overall for one in group.assessments}) == 1 and not scored(group.tool)
    for one in group.assessments:
        told = "" if same or _overall(one, group) or not one.overall else f", {one.overall}"
        studies.append(f"{review.label(one.study)}{told}")
    judged = tuple(tuple(_shown(j.level, group, j.domain) for j in one.judgements) for one in group.assessments)
    overall = tuple(_overall(one, group) for one in group.assessments)
    shown = overall if all(overall) else ()
    return BiasTable(tuple(studies), group.tool.domains, judged, shown, tool=_called(group))


def _called(group: BiasGroup) -> str:
    return "domains named by the reviewers" if group.tool_name == OWN_DOMAINS else group.tool_name


def beside_forest(review: Review, outcome: str, labels: Sequence[str]) -> dict[str, Any]:
    """The judgements for a forest plot, as its arguments `bias` and `bias_domains`; nothing where there are none.

    The assessment of the outcome itself goes before that of the study as a whole.
    """
    if not review.spec.risk_of_bias.forest:
        return {}
    groups = _groups(review)
    own = [group for group in groups if group.outcome.lower() == outcome.lower()]
    meant = (own or [group for group in groups if not group.outcome])[:1]
    for group in meant:
        table = {review.label(one.study): one for one in group.assessments}
        judged = {label: _lights(table[label], group) for label in labels if label in table}
        if judged:
            whole = all(_overall(one, group) for one in group.assessments)
            return {"bias": judged, "bias_domains": (*group.tool.domains, *(("Overall",) if whole else ()))}
    return {}


def _lights(one: Assessment, group: BiasGroup) -> tuple[str, ...]:
    whole = all(_overall(other, group) for other in group.assessments)
    lights = tuple(_shown(j.level, group, j.domain) for j in one.judgements)
    return (*lights, _overall(one, group)) if whole else lights


def forest_material(review: Review, outcome: str) -> list[Any]:
    """What the forest plot of an outcome takes from the judgements."""
    rows = review.rows("risk_of_bias")
    if not rows or not review.spec.risk_of_bias.forest:
        return []
    wanted = [row for row in rows if row.text("outcome").lower() in ("", outcome.lower())]
    kept = [dict(row.texts) for row in wanted]
    for texts in kept:
        for name in ("support", "document", "locator", "note"):
            texts.pop(name, None)
    return [review.spec.risk_of_bias.tool, kept]


def _rule(group: BiasGroup) -> str:
    if starred(group.tool):
        return "the stars are added up; in the figures a star is green, none is red, and one of two is yellow"
    if scored(group.tool):
        return "the points of the items are added up"
    if group.tool.overall is not None:
        return "the overall judgement follows the tool's rule unless a reason is given"
    return (
        "the overall judgement is the reviewers' own"
        if any(one.overall for one in group.assessments)
        else "no overall judgement was made"
    )


def _sentence(group: BiasGroup) -> str:
    title = TOOLS.entry(group.tool_name).title if group.tool_name in TOOLS else "domains named by the reviewers"
    of = f" for {group.outcome}" if group.outcome else ""
    return f"Risk of bias{of} was judged with {title}; {_rule(group)}."


def _judgements(review: Review, group: BiasGroup) -> Table:
    rows: list[tuple[Cell, ...]] = []
    heads = []
    for one in group.assessments:
        heads.append(len(rows))
        overall = f": {one.overall}" if one.overall else ""
        why = f" ({one.reason})" if one.reason and one.overall != one.proposed else ""
        rows.append((Cell(f"{review.label(one.study)}{overall}{why}"),))
        rows += [
            (Cell(j.domain), Cell(j.level), Cell(j.support or "no quotation"), Cell(j.locator)) for j in one.judgements
        ]
    columns = (Column("Domain"), Column("Judgement"), Column("Support"), Column("Place"))
    of = f", {group.outcome}" if group.outcome else ""
    return Table(f"Judgements with {_called(group)}{of}", columns, tuple(rows), heads=tuple(heads))


def product(review: Review) -> Product:
    """The section on risk of bias: lights and bars for each tool and outcome, and every judgement with its support."""
    figures: list[Figure] = []
    tables: list[Table] = []
    files: dict[str, bytes] = {}
    groups = _groups(review)
    for group in groups:
        name = "-".join(
            part for part in ("bias", slug(group.tool_name), slug(group.outcome) if group.outcome else "") if part
        )
        table = _table(review, group)
        of = f" for {group.outcome}" if group.outcome else ""
        files |= drawn_files({name: traffic_light(table), f"{name}-summary": bias_summary(table)})
        figures += [
            Figure(name, f"Risk of bias{of} by study and domain, judged with {_called(group)}."),
            Figure(f"{name}-summary", f"Share of the studies with each judgement of bias{of}, by domain."),
        ]
        tables.append(_judgements(review, group))
    files["tables/risk_of_bias.csv"] = _file(groups)
    cited = [TOOLS.entry(group.tool_name).cite for group in groups if group.tool_name in TOOLS]
    section = Section(
        name="review-bias",
        title="Risk of bias",
        kind="bias",
        headline=_headline(review, groups),
        methods=" ".join(_sentence(group) for group in groups),
        references=(*dict.fromkeys(cited), _ROBVIS),
        tables=tuple(tables),
        figures=tuple(figures),
    )
    return Product(section, files)


def _headline(review: Review, groups: Sequence[BiasGroup]) -> tuple[str, ...]:
    said = []
    for group in groups:
        counts: dict[str, list[str]] = {}

        def order(item: tuple[str, list[str]], levels: tuple[str, ...] = group.tool.levels) -> int:
            return levels.index(item[0]) if item[0] in levels else len(levels)

        for one in group.assessments:
            counts.setdefault(one.overall, []).append(review.label(one.study))
        if scored(group.tool):
            said.append(
                f"{_called(group)}: {', '.join(f'{review.label(o.study)} {o.overall}' for o in group.assessments)}."
            )
        elif any(counts):
            parts = [
                f"{level[0].lower()}{level[1:]} in {len(studies)}"
                for level, studies in sorted(counts.items(), key=order)
                if level
            ]
            of = f" for {group.outcome}" if group.outcome else ""
            said.append(f"Overall{of}: {', '.join(parts)} of {len(group.assessments)} studies.")
    return tuple(said)


def _file(groups: Sequence[BiasGroup]) -> bytes:
    rows = []
    for group in groups:
        for one in group.assessments:
            rows += [
                [one.study, group.tool_name, group.outcome, j.domain, j.level, j.support, j.locator]
                for j in one.judgements
            ]
            rows.append([one.study, group.tool_name, group.outcome, "Overall", one.overall, one.reason, ""])
    return csv_bytes(["study", "tool", "outcome", "domain", "judgement", "support", "place"], rows)
