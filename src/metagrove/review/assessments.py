"""risk_of_bias.csv read: one row a judgement, or one row a study with a column for each domain, as robvis and RevMan write it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from metagrove.core.errors import DataError, UnknownName
from metagrove.review.bias_tools import TOOLS, Tool, domain_of, free_tool, tool_named
from metagrove.review.risk_of_bias import Assessment, Judgement, assess
from metagrove.review.tables import Row

__all__ = ["OWN_DOMAINS", "BiasGroup", "bias_groups"]

#: What a tool is called whose domains the reviewer named.
OWN_DOMAINS = "own domains"

_LONG = ("domain", "judgement")
_FIXED = frozenset(
    ("study", "tool", "outcome", "domain", "judgement", "support", "overall", "reason", "document", "locator", "note", "weight")
)  # fmt: skip
_OVERALL = re.compile(r"\Aoverall\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BiasGroup:
    """The assessments of one tool, for one outcome or (empty) for all; `rows` holds the row behind each judgement."""

    tool_name: str
    tool: Tool
    outcome: str
    assessments: tuple[Assessment, ...]
    rows: Mapping[str, Row]


def _domains_of(rows: Sequence[Row]) -> list[str]:
    """The domains in the order in which they come."""
    if all(rows[0].texts.get(name) is not None for name in _LONG):
        named = [row.text("domain") for row in rows if row.text("domain") and not _OVERALL.match(row.text("domain"))]
        return list(dict.fromkeys(named))
    return [name for name in rows[0].texts if name.lower() not in _FIXED and any(row.text(name) for row in rows)]


def _tool_of(rows: Sequence[Row], told: str) -> tuple[str, Tool]:
    """The tool of some rows: as they say, as review.toml says, the one whose domains they are, or the reviewer's own."""
    if told:
        try:
            name = tool_named(told)
        except UnknownName as error:
            if rows[0].text("tool"):
                raise rows[0].error(str(error), "tool", "bias-unreadable") from None
            raise
        return name, TOOLS[name]
    domains = _domains_of(rows)
    if not domains:
        message = "names no domain; write one row a judgement (study, tool, domain, judgement) or one column a domain"
        raise rows[0].error(message, "domain", "bias-unreadable")
    fits = [
        name
        for name, tool in TOOLS.items()
        if {domain_of(tool, domain) for domain in domains} == set(tool.domains)
        and not any(re.fullmatch(r"(?i)d?\d+", domain) for domain in domains)
    ]
    if len(fits) == 1:
        return fits[0], TOOLS[fits[0]]
    if all(re.fullmatch(r"(?i)d?\d+", domain) for domain in domains):
        message = (
            "domains by number need their tool; name it in a column 'tool' or in review.toml as [risk_of_bias] tool"
        )
        raise rows[0].error(message, "tool", "bias-unreadable")
    return OWN_DOMAINS, free_tool(domains)


def _at(row: Row, error: DataError, column: str) -> DataError:
    return row.error(error.message, column, "bias-unreadable")


def _long(study: str, rows: Sequence[Row], name: str, tool: Tool) -> tuple[Assessment, dict[str, Row]]:
    """The assessment of one study whose judgements stand in one row each."""
    judged, places, overall, reason = [], {}, "", ""
    for row in rows:
        if _OVERALL.match(row.text("domain")):
            overall, reason = row.text("judgement"), row.text("support") or row.text("reason")
            continue
        overall, reason = row.text("overall") or overall, row.text("reason") or reason
        domain = domain_of(tool, row.text("domain"))
        one = Judgement(row.text("domain"), row.text("judgement"), row.text("support"), _place(row))
        if domain is None or domain in places or not row.text("judgement"):
            column = "judgement" if domain is not None and domain not in places else "domain"
            _refuse(study, one, domain, name, tool, row, column)
        places[domain or ""] = row
        try:
            assess(study, name, [replace(one, domain=domain or "")], tool=_one_domain(tool, domain or ""))
        except DataError as error:
            raise _at(row, error, "judgement") from None
        judged.append(one)
    try:
        return assess(study, name, judged, overall=overall, reason=reason, tool=tool), places
    except DataError as error:
        raise _at(rows[-1], error, "domain" if "lacks" in error.message else "overall") from None


def _refuse(study: str, one: Judgement, domain: str | None, name: str, tool: Tool, row: Row, column: str) -> None:
    if domain is not None and not one.level:
        raise row.error(
            f"{study}: '{domain}' has no judgement; one of {', '.join(tool.levels)}", column, "bias-unreadable"
        )
    if domain is not None:
        raise row.error(f"{study}: '{domain}' is judged twice", column, "bias-unreadable")
    try:
        assess(study, name, [one], tool=tool)
    except DataError as error:
        raise _at(row, error, column) from None


def _one_domain(tool: Tool, domain: str) -> Tool:
    """The tool with one of its domains alone, to check a single judgement."""
    return Tool((domain,), tool.levels, tool.overall, tool.for_designs, tool.link, tool.comparator)


def _place(row: Row) -> str:
    return ", ".join(part for part in (row.text("document"), row.text("locator")) if part)


def _wide(study: str, row: Row, name: str, tool: Tool) -> tuple[Assessment, dict[str, Row]]:
    """The assessment of one study whose judgements stand in one column each."""
    judged = []
    for column, text in row.texts.items():
        domain = None if column.lower() in _FIXED else domain_of(tool, column)
        if domain is None or not text.strip():
            continue
        one = Judgement(domain, text, row.text("support"), _place(row))
        try:
            assess(study, name, [one], tool=_one_domain(tool, domain))
        except DataError as error:
            raise _at(row, error, column) from None
        judged.append(one)
    try:
        made = assess(study, name, judged, overall=row.text("overall"), reason=row.text("reason"), tool=tool)
    except DataError as error:
        raise _at(row, error, "overall" if "lacks" not in error.message else "study") from None
    return made, {judgement.domain: row for judgement in judged}


def bias_groups(rows: Sequence[Row], *, tool: str = "") -> tuple[list[BiasGroup], list[DataError]]:
    """The assessments of risk_of_bias.csv by tool and outcome, and the rows that cannot be meant.

    Parameters
    ----------
    rows : the table; `study, tool, domain, judgement` one row a judgement, or `study` and one column a domain.
    tool : the tool where the rows name none.
    """
    by_group: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_group.setdefault((row.text("tool").lower(), row.text("outcome").lower()), []).append(row)
    groups, faults = [], []
    for members in by_group.values():
        try:
            name, meant = _tool_of(members, members[0].text("tool") or tool)
        except DataError as error:
            faults.append(error)
            continue
        long = all(members[0].texts.get(column) is not None for column in _LONG)
        by_study: dict[str, list[Row]] = {}
        for row in members:
            by_study.setdefault(row.text("study").lower(), []).append(row)
        made: list[Assessment] = []
        places: dict[str, Row] = {}
        for own in by_study.values():
            study = own[0].text("study")
            try:
                one, found = _long(study, own, name, meant) if long else _wide(study, own[0], name, meant)
            except DataError as error:
                faults.append(error)
                continue
            made.append(one)
            places |= {f"{study.lower()}\x1f{domain}": row for domain, row in found.items()}
        if made:
            groups.append(BiasGroup(name, meant, members[0].text("outcome"), tuple(made), places))
    return groups, faults
