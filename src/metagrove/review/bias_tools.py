"""Risk-of-bias tools: their domains or items, the levels they allow, and the rule for the overall judgement.

Names of domains and levels only: the full wording of RoB 2 and ROBINS-I is CC BY-NC-ND 4.0 and stands at riskofbias.info.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metagrove.core.errors import UnknownName
from metagrove.core.registry import Registry

__all__ = [
    "ANY_LEVELS",
    "TOOLS",
    "Tool",
    "domain_of",
    "free_tool",
    "scored",
    "starred",
    "suggested_tools",
    "tool_named",
]

_ROBINS = ("Low", "Moderate", "Serious", "Critical", "No information")
_JBI = ("Yes", "No", "Unclear", "Not applicable")
_SCORES = ("0", "1", "2")
_CONCERNS = "Low (except for concerns about uncontrolled confounding)"
#: The levels of a tool whose domains a reviewer named.
ANY_LEVELS = (
    "Low", "Some concerns", "Moderate", "High", "Serious", "Critical", "Unclear", "No information", "Yes", "No",
    "Not applicable",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its domains in order, the levels of each, and how they make the overall judgement.

    `overall` takes the levels in the order of the domains; None where the tool leaves the overall to the reviewer.
    `for_designs` are the designs it was made for; `link` is the official document; `whole` says whether every domain must be
    judged.
    """

    domains: tuple[str, ...]
    levels: tuple[str, ...]
    overall: Callable[[Sequence[str]], str] | None
    for_designs: tuple[str, ...]
    link: str
    comparator: bool = False
    whole: bool = True


def _rob2(levels: Sequence[str]) -> str:
    """High if any is; several concerns may add up to High, which the reviewer says by overriding."""
    if "High" in levels:
        return "High"
    return "Some concerns" if "Some concerns" in levels else "Low"


def _worst(levels: Sequence[str]) -> str:
    """The worst domain; No information only where nothing points to Serious or Critical."""
    for level in ("Critical", "Serious", "No information", "Moderate", _CONCERNS):
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
TOOLS.put(
    "ROBINS-I-V2",
    Tool(
        (
            "Bias due to confounding", "Bias in classification of interventions",
            "Bias in selection of participants into the study (or into the analysis)", "Bias due to missing data",
            "Bias arising from measurement of the outcome", "Bias in selection of the reported result",
        ),
        ("Low", _CONCERNS, "Moderate", "Serious", "Critical"), _worst, ("non-randomised comparison",),
        "https://www.riskofbias.info", comparator=True,
    ),
    title="ROBINS-I version 2 (draft of November 2025) for non-randomised studies of interventions",
    cite="Sterne JAC, Higgins JPT, et al. ROBINS-I version 2, draft of 20 November 2025. https://www.riskofbias.info",
)  # fmt: skip
TOOLS.put(
    "RoB1",
    Tool(
        (
            "Random sequence generation", "Allocation concealment", "Blinding of participants and personnel",
            "Blinding of outcome assessment", "Incomplete outcome data", "Selective reporting", "Other bias",
        ),
        ("Low", "Unclear", "High"), None, ("randomised trial",), "https://doi.org/10.1136/bmj.d5928", comparator=True,
    ),
    title="the Cochrane tool for randomised trials of 2011",
    cite="Higgins JPT, et al. The Cochrane Collaboration's tool for assessing risk of bias in randomised trials. BMJ 2011;343:d5928. doi:10.1136/bmj.d5928",
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


def suggested_tools(design: str) -> tuple[str, ...]:
    """The tools made for a design, the first the usual one.

    >>> suggested_tools("single-arm trial")
    ('MINORS', 'JBI-case-series')
    """
    return tuple(name for name, tool in TOOLS.items() if design.lower() in tool.for_designs)


def free_tool(domains: Sequence[str]) -> Tool:
    """A tool whose domains a reviewer named; its overall judgement is the reviewer's own."""
    return Tool(tuple(domains), ANY_LEVELS, None, (), "", whole=False)


def starred(tool: Tool) -> bool:
    """Whether the tool gives stars."""
    return tool.overall is _stars


def scored(tool: Tool) -> bool:
    """Whether the overall judgement is a sum of points or stars."""
    return tool.overall in (_total, _stars)


def tool_named(text: str) -> str:
    """The name in `TOOLS` that is meant; raises UnknownName.

    >>> tool_named("RoB 2"), tool_named("robins-i v2"), tool_named("JBI case series checklist"), tool_named("NOS")
    ('RoB2', 'ROBINS-I-V2', 'JBI-case-series', 'NOS-cohort')
    """
    bare = re.sub(r"[^a-z0-9]", "", text.lower())
    known = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in TOOLS}
    known |= {
        "rob20": "RoB2", "robinsi2016": "ROBINS-I", "robinsiversion2": "ROBINS-I-V2", "robinsi2": "ROBINS-I-V2",
        "minorsnoncomparative": "MINORS", "newcastleottawa": "NOS-cohort", "newcastleottawascale": "NOS-cohort",
        "nos": "NOS-cohort", "nosccohort": "NOS-cohort", "noscasecontrol": "NOS-case-control", "jbi": "JBI-case-series",
        "jbicaseserieschecklist": "JBI-case-series", "jbiprevalencechecklist": "JBI-prevalence", "rob": "RoB2",
        "cochraneriskofbias": "RoB1", "rob10": "RoB1",
    }  # fmt: skip
    if bare in known:
        return known[bare]
    raise UnknownName("risk-of-bias tool", text, TOOLS)


_LITTLE = frozenset("bias due to in of the arising from risk for and a an".split())


def _tokens(text: str) -> frozenset[str]:
    bare = re.sub(r"\([^()]*\)\s*\Z", "", text.lower()).replace("isation", "ization")
    words = re.findall(r"[a-z0-9%]+", bare)
    return frozenset(word.rstrip("s") for word in words if word not in _LITTLE)


def domain_of(tool: Tool, text: str) -> str | None:
    """The tool's domain that is meant by its name, by a shorter form of it, or by its number; None where none is.

    >>> domain_of(TOOLS["RoB2"], "D2"), domain_of(TOOLS["RoB2"], "Randomisation process")
    ('Bias due to deviations from intended interventions', 'Bias arising from the randomization process')
    """
    said = " ".join(text.split()).lower()
    by_name = {domain.lower(): domain for domain in tool.domains}
    if said in by_name:
        return by_name[said]
    number = re.fullmatch(r"(?:d|q|item|domain|question)?[ ._]?(\d{1,2})", said)
    if number:
        place = int(number[1]) - 1
        return tool.domains[place] if 0 <= place < len(tool.domains) else None
    wanted = _tokens(text)
    if not wanted:
        return None
    fit = [domain for domain in tool.domains if wanted == _tokens(domain)]
    fit = fit or [domain for domain in tool.domains if wanted < _tokens(domain)]
    return fit[0] if len(fit) == 1 else None
