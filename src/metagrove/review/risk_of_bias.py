"""Risk-of-bias tools: their domains or items, the levels they allow, and the rule for the overall judgement.

Names of domains and levels only: the full wording of RoB 2 and ROBINS-I is CC BY-NC-ND 4.0 and stands at riskofbias.info.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from metagrove.core.errors import DataError
from metagrove.core.registry import Registry

__all__ = ["TOOLS", "Assessment", "Judgement", "Tool", "assess", "bias_rows", "suggested_tools"]

_ROBINS = ("Low", "Moderate", "Serious", "Critical", "No information")
_JBI = ("Yes", "No", "Unclear", "Not applicable")
_SCORES = ("0", "1", "2")


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement of one domain or item with what it rests on: a quotation and where it stands."""

    domain: str
    level: str
    support: str = ""
    locator: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its domains in order, the levels of each, and how they make the overall judgement.

    `overall` takes the levels in the order of the domains; None where the tool leaves the overall to the reviewer.
    `for_designs` are the designs it was made for; `link` is the official document.
    """

    domains: tuple[str, ...]
    levels: tuple[str, ...]
    overall: Callable[[Sequence[str]], str] | None
    for_designs: tuple[str, ...]
    link: str
    comparator: bool = False


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


def _rob2(levels: Sequence[str]) -> str:
    """High if any is; several concerns may add up to High, which the reviewer says by overriding."""
    if "High" in levels:
        return "High"
    return "Some concerns" if "Some concerns" in levels else "Low"


def _worst(levels: Sequence[str]) -> str:
    """The worst domain; No information only where nothing points to Serious or Critical."""
    for level in ("Critical", "Serious", "No information", "Moderate"):
        if level in levels:
            return level
    return "Low"


def _total(levels: Sequence[str]) -> str:
    return f"{sum(int(level) for level in levels)}/{2 * len(levels)}"


def _stars(levels: Sequence[str]) -> str:
    return f"{sum(int(level) for level in levels)}/9"


TOOLS: Registry[Tool] = Registry("risk-of-bias tool")
TOOLS.put(
    "RoB2",
    Tool(
        (
            "Bias arising from the randomization process", "Bias due to deviations from intended interventions",
            "Bias due to missing outcome data", "Bias in measurement of the outcome",
            "Bias in selection of the reported result",
        ),
        ("Low", "Some concerns", "High"), _rob2, ("randomised trial",), "https://www.riskofbias.info", comparator=True,
    ),
    title="the revised Cochrane tool for randomised trials (RoB 2)",
    cite="Sterne JAC, et al. RoB 2: a revised tool for assessing risk of bias in randomised trials. BMJ 2019;366:l4898. doi:10.1136/bmj.l4898",
)  # fmt: skip
TOOLS.put(
    "ROBINS-I",
    Tool(
        (
            "Bias due to confounding", "Bias in selection of participants into the study",
            "Bias in classification of interventions", "Bias due to deviations from intended interventions",
            "Bias due to missing data", "Bias in measurement of outcomes", "Bias in selection of the reported result",
        ),
        _ROBINS, _worst, ("non-randomised comparison",), "https://www.riskofbias.info", comparator=True,
    ),
    title="ROBINS-I for non-randomised studies of interventions",
    cite="Sterne JAC, et al. ROBINS-I: a tool for assessing risk of bias in non-randomised studies of interventions. BMJ 2016;355:i4919. doi:10.1136/bmj.i4919",
)  # fmt: skip
_MINORS = (
    "Clearly stated aim", "Inclusion of consecutive patients", "Prospective collection of data",
    "Endpoints appropriate to the aim", "Unbiased assessment of the study endpoint",
    "Follow-up period appropriate to the aim", "Loss to follow-up less than 5%",
    "Prospective calculation of the study size",
)  # fmt: skip
_MINORS_COMPARATIVE = (
    "Adequate control group", "Contemporary groups", "Baseline equivalence of groups", "Adequate statistical analyses",
)  # fmt: skip
_SLIM = (
    "Slim K, et al. Methodological index for non-randomized studies (MINORS): development and validation of a new "
    "instrument. ANZ J Surg 2003;73:712-716. doi:10.1046/j.1445-2197.2003.02748.x"
)
TOOLS.put(
    "MINORS",
    Tool(_MINORS, _SCORES, _total, ("single-arm trial", "case series"), "https://doi.org/10.1046/j.1445-2197.2003.02748.x"),
    title="MINORS for studies without a comparator", cite=_SLIM,
)  # fmt: skip
TOOLS.put(
    "MINORS-comparative",
    Tool(
        _MINORS + _MINORS_COMPARATIVE, _SCORES, _total, ("non-randomised comparison",),
        "https://doi.org/10.1046/j.1445-2197.2003.02748.x", comparator=True,
    ),
    title="MINORS for comparative studies", cite=_SLIM,
)  # fmt: skip
_WELLS = (
    "Wells GA, et al. The Newcastle-Ottawa Scale (NOS) for assessing the quality of nonrandomised studies in "
    "meta-analyses. Ottawa Hospital Research Institute"
)
TOOLS.put(
    "NOS-cohort",
    Tool(
        (
            "Representativeness of the exposed cohort", "Selection of the non-exposed cohort", "Ascertainment of exposure",
            "Outcome not present at start", "Comparability of cohorts", "Assessment of outcome", "Follow-up long enough",
            "Adequacy of follow-up",
        ),
        _SCORES, _stars, ("cohort study",), "https://www.ohri.ca/programs/clinical_epidemiology/oxford.asp", comparator=True,
    ),
    title="the Newcastle-Ottawa Scale for cohorts", cite=_WELLS,
)  # fmt: skip
TOOLS.put(
    "NOS-case-control",
    Tool(
        (
            "Case definition adequate", "Representativeness of the cases", "Selection of controls", "Definition of controls",
            "Comparability of cases and controls", "Ascertainment of exposure", "Same method for cases and controls",
            "Non-response rate",
        ),
        _SCORES, _stars, ("case-control study",), "https://www.ohri.ca/programs/clinical_epidemiology/oxford.asp",
        comparator=True,
    ),
    title="the Newcastle-Ottawa Scale for case-control studies", cite=_WELLS,
)  # fmt: skip
TOOLS.put(
    "JBI-case-series",
    Tool(
        (
            "Clear inclusion criteria", "Condition measured in a standard, reliable way",
            "Valid identification of the condition", "Consecutive inclusion", "Complete inclusion", "Demographics reported",
            "Clinical information reported", "Outcomes or follow-up reported",
            "Presenting site/clinic demographics reported", "Appropriate statistical analysis",
        ),
        _JBI, None, ("case series", "single-arm trial"), "https://jbi.global/critical-appraisal-tools",
    ),
    title="the JBI checklist for case series",
    cite="Munn Z, et al. Methodological quality of case series studies. JBI Evid Synth 2020;18:2127-2133. doi:10.11124/JBISRIR-D-19-00099",
)  # fmt: skip
TOOLS.put(
    "JBI-prevalence",
    Tool(
        (
            "Sample frame appropriate", "Participants sampled appropriately", "Sample size adequate",
            "Subjects and setting described in detail", "Analysis with sufficient coverage of the sample",
            "Valid methods to identify the condition", "Condition measured in a standard, reliable way for all",
            "Appropriate statistical analysis", "Response rate adequate or handled",
        ),
        _JBI, None, ("prevalence study",), "https://jbi.global/critical-appraisal-tools",
    ),
    title="the JBI checklist for prevalence studies",
    cite="Munn Z, et al. Methodological guidance for systematic reviews of observational epidemiological studies reporting prevalence. Int J Evid Based Healthc 2015;13:147-153. doi:10.1097/XEB.0000000000000054",
)  # fmt: skip

_OVERALL_JBI = ("Include", "Exclude", "Seek further info")


def suggested_tools(design: str) -> tuple[str, ...]:
    """The tools made for a design, the first the usual one.

    >>> suggested_tools("single-arm trial")
    ('MINORS', 'JBI-case-series')
    """
    return tuple(name for name, tool in TOOLS.items() if design.lower() in tool.for_designs)


def _level(tool: Tool, judgement: Judgement, study: str) -> str:
    known = {level.lower(): level for level in tool.levels}
    level = known.get(judgement.level.strip().lower())
    two = judgement.domain.startswith("Comparability")
    if level is None or (tool.overall is _stars and level == "2" and not two):
        allowed = ", ".join(tool.levels if tool.overall is not _stars or two else tool.levels[:2])
        raise DataError(f"{study}, '{judgement.domain}': '{judgement.level}' is no level; known: {allowed}")
    return level


def assess(
    study: str,
    tool_name: str,
    judgements: Sequence[Judgement],
    *,
    overall: str = "",
    reason: str = "",
    single_arm: bool = False,
) -> Assessment:
    """The assessment of a study, checked against its tool.

    Parameters
    ----------
    study, tool_name : the study, and the tool's name in `TOOLS`.
    judgements : one for each domain, in any order.
    overall : the reviewer's own overall judgement; empty takes the tool's. Where it differs, `reason` must say why.
    reason : why the overall differs from the tool's rule.
    single_arm : whether the study has no comparator; tools that presume one are remarked on.

    Raises
    ------
    UnknownName : no such tool.
    DataError : a domain that is unknown, missing or judged twice, a level the tool does not have, or an override without reason.
    """
    tool = TOOLS[tool_name]
    by_domain: dict[str, Judgement] = {}
    known = {domain.lower(): domain for domain in tool.domains}
    for judgement in judgements:
        domain = known.get(" ".join(judgement.domain.split()).lower())
        if domain is None:
            near = get_close_matches(judgement.domain.lower(), known, n=1, cutoff=0.4)
            hint = f"; nearest: '{known[near[0]]}'" if near else ""
            raise DataError(f"{study}: {tool_name} has no domain '{judgement.domain}'{hint}")
        if domain in by_domain:
            raise DataError(f"{study}: '{domain}' is judged twice")
        named = Judgement(domain, judgement.level, judgement.support, judgement.locator)
        by_domain[domain] = Judgement(domain, _level(tool, named, study), judgement.support, judgement.locator)
    missing = [domain for domain in tool.domains if domain not in by_domain]
    if missing:
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
        if not proposed:
            raise DataError(f"{study}: {name} leaves the overall judgement to you; one of {', '.join(_OVERALL_JBI)}")
        return proposed
    if tool.overall in (_total, _stars):
        if overall.replace(" ", "") not in (proposed, proposed.split("/")[0]):
            raise DataError(f"{study}: the scores add up to {proposed}, not {overall}")
        return proposed
    allowed = tool.levels if tool.overall else _OVERALL_JBI
    final = {level.lower(): level for level in allowed}.get(overall.strip().lower())
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
    bare = [judgement.domain for judgement in judged if not judgement.support.strip()]
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
        scored = TOOLS[assessment.tool].overall in (_total, _stars)
        cells: Mapping[str, Any] = {judgement.domain: judgement.level for judgement in assessment.judgements}
        rows.append({"Study": assessment.study, **cells, "Score" if scored else "Overall": assessment.overall})
    return rows
