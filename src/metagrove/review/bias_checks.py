"""What a reader should know of the judgements of bias: studies without one, tools that do not suit, judgements without support."""

from __future__ import annotations

from collections.abc import Iterator

from metagrove.review.assessments import BiasGroup, bias_groups
from metagrove.review.bias_tools import suggested_tools
from metagrove.review.findings import Finding, check
from metagrove.review.folder import Review

__all__: list[str] = []


def _groups(review: Review) -> list[BiasGroup]:
    return bias_groups(review.rows("risk_of_bias"), tool=review.spec.risk_of_bias.tool)[0]


@check("bias-not-judged")
def _not_judged(review: Review) -> Iterator[Finding]:
    """Studies without a judgement although most have one; where most have none, the table is plainly unfinished."""
    judged = {one.study.lower() for group in _groups(review) for one in group.assessments}
    rows = review.rows("studies")
    for row in rows if 2 * len(judged) > len(rows) else ():
        study = row.text("study")
        if study.lower() not in judged:
            message = f"{study}: risk of bias was not judged, although that of other studies was."
            yield Finding("bias-not-judged", "warning", study, "risk_of_bias.csv", "nothing", "a judgement", message)


@check("bias-tool")
def _unsuitable(review: Review) -> Iterator[Finding]:
    """A tool that presumes a comparator where the studies have one arm."""
    compared = {row.text("study").lower() for row in review.rows("comparisons")}
    for group in _groups(review):
        alone = [one.study for one in group.assessments if one.study.lower() not in compared]
        if group.tool.comparator and alone and not compared:
            fits = " or ".join(suggested_tools("single-arm trial"))
            message = f"{group.tool_name} presumes a comparator, and these studies have one arm; {fits} fits them."
            yield Finding("bias-tool", "warning", "", "risk_of_bias.csv", group.tool_name, fits, message)


@check("bias-without-support")
def _unsupported(review: Review) -> Iterator[Finding]:
    """Judgements without a quotation and without a place, which nobody can follow; a table without such columns is silent."""
    rows = review.rows("risk_of_bias")
    told = any(name in rows[0].texts for name in ("support", "document", "locator")) if rows else False
    for group in _groups(review) if told else ():
        bare = [
            (one.study, judgement.domain)
            for one in group.assessments
            for judgement in one.judgements
            if judgement.level and not judgement.support.strip() and not judgement.locator.strip()
        ]
        if bare:
            total = sum(len(one.judgements) for one in group.assessments)
            message = (
                f"{len(bare)} of {total} judgements with {group.tool_name} have neither a quotation nor a place; the first is "
                f"{bare[0][0]}, '{bare[0][1]}'."
            )
            yield Finding("bias-without-support", "note", "", "risk_of_bias.csv", str(len(bare)), "a quotation and its place", message)  # fmt: skip
