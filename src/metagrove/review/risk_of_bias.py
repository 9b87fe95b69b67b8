"""Risk of bias of a study under one tool: its judgements, checked, and the overall one by the tool's rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from metagrove.core.errors import DataError
from metagrove.review.bias_tools import TOOLS, Tool, domain_of, scored, starred, suggested_tools

__all__ = ["TOOLS", "Assessment", "Judgement", "assess", "bias_rows", "suggested_tools"]

_OVERALL_JBI = ("Include", "Exclude", "Seek further info")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement of one domain or item with what it rests on: a quotation and where it stands."""

    domain: str
    level: str
    support: str = ""
    locator: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """One study under one tool: its judgements, the overall one, and remarks a reader should see.

    `proposed` is what the tool's rule gives; `overall` differs where the reviewer overrode it, `reason` then says why.
    """

    study: str
    tool: str
    judgements: tuple[Judgement, ...]
    overall: str
    proposed: str
    reason: str = ""
    remarks: tuple[str, ...] = ()


_SIGNS = {
    "+": ("Low", "Yes"), "-": ("Some concerns", "Unclear", "Moderate", "High"), "x": ("High", "Serious"), "!": ("Critical",),
    "?": ("Unclear", "No information"), "ni": ("No information",), "na": ("Not applicable",), "n/a": ("Not applicable",),
}  # fmt: skip


def _level(tool: Tool, judgement: Judgement, study: str) -> str:
    said = re.sub(r"\s+risk(?: of bias)?\Z", "", " ".join(judgement.level.split()).lower())
    two = judgement.domain.startswith("Comparability")
    levels = tool.levels if not starred(tool) or two else tool.levels[:2]
    if starred(tool) and re.fullmatch(r"[★*]{1,2}", said):
        said = str(len(said))
    for level in levels:
        if said == level.lower():
            return level
    by_sign = [level for level in _SIGNS.get(said, ()) if level in levels]
    by_letter = [level for level in levels if len(said) == 1 and level.lower().startswith(said)]
    if by_sign:
        return by_sign[0]
    if len(by_letter) == 1:
        return by_letter[0]
    raise DataError(f"{study}, '{judgement.domain}': '{judgement.level}' is no level; known: {', '.join(levels)}")


def assess(
    study: str,
    tool_name: str,
    judgements: Sequence[Judgement],
    *,
    overall: str = "",
    reason: str = "",
    single_arm: bool = False,
    tool: Tool | None = None,
) -> Assessment:
    """The assessment of a study, checked against its tool.

    Parameters
    ----------
    study, tool_name : the study, and the tool's name in `TOOLS`.
    judgements : one for each domain, in any order.
    overall : the reviewer's own overall judgement; empty takes the tool's. Where it differs, `reason` must say why.
    reason : why the overall differs from the tool's rule.
    single_arm : whether the study has no comparator; tools that presume one are remarked on.
    tool : a tool that is not in `TOOLS`.

    Raises
    ------
    UnknownName : no such tool.
    DataError : a domain that is unknown, missing or judged twice, a level the tool does not have, or an override without reason.
    """
    tool = TOOLS[tool_name] if tool is None else tool
    by_domain: dict[str, Judgement] = {}
    for judgement in judgements:
        domain = domain_of(tool, judgement.domain)
        if domain is None:
            near = get_close_matches(judgement.domain, tool.domains, n=1, cutoff=0.4)
            hint = f"; nearest: '{near[0]}'" if near else ""
            raise DataError(f"{study}: {tool_name} has no domain '{judgement.domain}'{hint}")
        if domain in by_domain:
            raise DataError(f"{study}: '{domain}' is judged twice")
        named = Judgement(domain, judgement.level, judgement.support, judgement.locator)
        by_domain[domain] = Judgement(domain, _level(tool, named, study), judgement.support, judgement.locator)
    missing = [domain for domain in tool.domains if domain not in by_domain]
    if not tool.whole:
        by_domain |= {domain: Judgement(domain, "") for domain in missing}
    elif missing:
        raise DataError(
            f"{study}: {tool_name} lacks a judgement of '{missing[0]}'"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
        )
    ordered = tuple(by_domain[domain] for domain in tool.domains)
    proposed = tool.overall([j.level for j in ordered]) if tool.overall else ""
    final = _overall(study, tool_name, tool, proposed, overall, reason)
    return Assessment(
        study, tool_name, ordered, final, proposed, reason, _remarks(study, tool_name, tool, ordered, single_arm)
    )


def _overall(study: str, name: str, tool: Tool, proposed: str, overall: str, reason: str) -> str:
    if not overall:
        return proposed
    if scored(tool):
        if overall.replace(" ", "") not in (proposed, proposed.split("/")[0]):
            raise DataError(f"{study}: the scores add up to {proposed}, not {overall}")
        return proposed
    allowed = _OVERALL_JBI if name.startswith("JBI") else tool.levels
    said = re.sub(r"\s+risk(?: of bias)?\Z", "", " ".join(overall.split()).lower())
    said = "seek further info" if said.startswith("seek") else said
    final = {level.lower(): level for level in allowed}.get(said)
    if final is None:
        raise DataError(f"{study}: '{overall}' is no overall level of {name}; known: {', '.join(allowed)}")
    if proposed and final != proposed and not reason.strip():
        raise DataError(f"{study}: the rule of {name} gives {proposed}; to say {final} needs a reason")
    return final


def _remarks(study: str, name: str, tool: Tool, judged: Sequence[Judgement], single_arm: bool) -> tuple[str, ...]:
    remarks = []
    if single_arm and tool.comparator:
        better = " or ".join(suggested_tools("single-arm trial"))
        remarks.append(f"{study}: {name} presumes a comparator, which a single-arm study lacks; {better} fits")
    bare = [judgement.domain for judgement in judged if judgement.level and not judgement.support.strip()]
    if bare:
        remarks.append(f"{study}: {len(bare)} judgements without a quotation, the first '{bare[0]}'")
    return tuple(remarks)


def bias_rows(assessments: Sequence[Assessment]) -> list[dict[str, Any]]:
    """One row a study for the traffic-light plot: study, each domain, and the overall judgement where it is a level.

    Totals and stars stay words in the column `Score`, since they have no colour of their own.
    """
    tools = {assessment.tool for assessment in assessments}
    if len(tools) > 1:
        raise DataError(f"one plot shows one tool; here are {', '.join(sorted(tools))}")
    rows = []
    for assessment in assessments:
        points = scored(TOOLS[assessment.tool])
        cells: Mapping[str, Any] = {judgement.domain: judgement.level for judgement in assessment.judgements}
        rows.append({"Study": assessment.study, **cells, "Score" if points else "Overall": assessment.overall})
    return rows
