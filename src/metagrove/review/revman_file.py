"""A review as a RevMan 5 file: studies, data of every comparison, and judgements of bias, for programs that read it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

__all__ = ["RevManData", "revman_file"]

_MEASURES = {"OR": "OR", "RR": "RR", "RD": "RD", "MD": "MD", "SMD": "SMD", "HR": "HR"}
_JUDGED = {
    "Low": "YES", "Yes": "YES", "High": "NO", "Serious": "NO", "Critical": "NO", "No": "NO",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RevManData:
    """One outcome: its name, measure and method, the names of its arms, and one mapping a study.

    `kind` is DICH (event_e, n_e, event_c, n_c), CONT (mean_e, sd_e, n_e, mean_c, sd_c, n_c) or IV (te and se on the analysis
    scale); each row has `study` and may have `subgroup`. A single arm is IV: RevMan has no proportions.
    """

    name: str
    kind: str
    measure: str
    method: str
    random: bool
    level: float
    arms: tuple[str, str]
    rows: tuple[Mapping[str, object], ...]


def _id(name: str) -> str:
    """A study's identifier as RevMan makes it from the name."""
    safe = "".join(c if c.isalnum() and c.isascii() else "-" if c == " " else f"_x{ord(c):04x}_" for c in name)
    return f"STD-{safe}"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.12g}" if math.isfinite(value) else "0"
    return "0" if value is None else str(value)


def _named(parent: ElementTree.Element, tag: str, text: str) -> ElementTree.Element:
    found = ElementTree.SubElement(parent, tag)
    found.text = text
    return found


_CELLS = {
    "DICH": {"EVENTS_1": "event_e", "TOTAL_1": "n_e", "EVENTS_2": "event_c", "TOTAL_2": "n_c"},
    "CONT": {"MEAN_1": "mean_e", "SD_1": "sd_e", "TOTAL_1": "n_e", "MEAN_2": "mean_c", "SD_2": "sd_c", "TOTAL_2": "n_c"},
    "IV": {"ESTIMATE": "te", "SE": "se"},
}  # fmt: skip


def _data(parent: ElementTree.Element, kind: str, rows: Sequence[Mapping[str, object]]) -> None:
    for place, row in enumerate(rows, 1):
        cells = {theirs: _value(row.get(ours)) for theirs, ours in _CELLS[kind].items()}
        ElementTree.SubElement(
            parent, f"{kind}_DATA", {"STUDY_ID": _id(str(row["study"])), "ORDER": str(place), **cells}
        )


def _outcome(parent: ElementTree.Element, number: int, one: RevManData) -> None:
    measure = _MEASURES.get(one.measure, "")
    ratio = one.measure in ("OR", "RR", "HR", "IRR", "ROM")
    attributes = {
        "ID": f"CMP-001.{number:02d}", "NO": str(number), "METHOD": {"MH": "MH", "Peto": "PETO"}.get(one.method, "IV"),
        "RANDOM": "YES" if one.random else "NO", "CI_TOTAL": f"{100 * one.level:g}", "CI_STUDY": f"{100 * one.level:g}",
        "TOTALS": "SUB" if any(row.get("subgroup") for row in one.rows) else "YES",
    }  # fmt: skip
    if one.kind != "IV":
        attributes["EFFECT_MEASURE"] = "PETO_OR" if one.method == "Peto" else measure
    else:
        attributes["LOG_DATA"] = "YES" if ratio else "NO"
    outcome = ElementTree.SubElement(parent, f"{one.kind}_OUTCOME", attributes)
    _named(outcome, "NAME", one.name)
    _named(outcome, "GROUP_LABEL_1", one.arms[0])
    _named(outcome, "GROUP_LABEL_2", one.arms[1])
    if one.kind == "IV":
        words = {"HR": "Hazard Ratio", "OR": "Odds Ratio", "RR": "Risk Ratio", "IRR": "Rate Ratio", "MD": "Mean Difference",
                 "SMD": "Std. Mean Difference", "RD": "Risk Difference"}  # fmt: skip
        _named(outcome, "EFFECT_MEASURE", words.get(one.measure, one.measure or "Effect"))
    groups = list(dict.fromkeys(str(row.get("subgroup") or "") for row in one.rows))
    if groups == [""]:
        _data(outcome, one.kind, one.rows)
        return
    for place, name in enumerate(groups, 1):
        attributes = {"ID": f"CMP-001.{number:02d}.{place:02d}", "NO": str(place)}
        group = ElementTree.SubElement(outcome, f"{one.kind}_SUBGROUP", attributes)
        _named(group, "NAME", name or "not stated")
        _data(group, one.kind, [row for row in one.rows if str(row.get("subgroup") or "") == name])


def revman_file(
    title: str,
    studies: Sequence[tuple[str, str]],
    outcomes: Sequence[RevManData],
    bias: Mapping[tuple[str, str], tuple[str, str]],
) -> bytes:
    """The bytes of an `.rm5` file.

    Parameters
    ----------
    title : the review's.
    studies : name and year of each.
    outcomes : the data, all under one comparison.
    bias : for each study and domain the level and its support; RevMan 5 knows low, high and unclear, and so other levels
        become unclear with the level in the support.
    """
    root = ElementTree.Element("COCHRANE_REVIEW", {"TYPE": "INTERVENTION", "REVMAN_VERSION": "5.4"})
    cover = ElementTree.SubElement(root, "COVER_SHEET")
    _named(cover, "TITLE", title)
    listed = ElementTree.SubElement(ElementTree.SubElement(root, "STUDIES_AND_REFERENCES"), "STUDIES")
    included = ElementTree.SubElement(listed, "INCLUDED_STUDIES")
    for name, year in studies:
        attributes = {"ID": _id(name), "NAME": name, "DATA_SOURCE": "PUB"} | ({"YEAR": year} if year else {})
        ElementTree.SubElement(included, "STUDY", attributes)
    if bias:
        _quality(root, bias)
    analyses = ElementTree.SubElement(root, "ANALYSES_AND_DATA")
    comparison = ElementTree.SubElement(analyses, "COMPARISON", {"ID": "CMP-001", "NO": "1"})
    _named(comparison, "NAME", title)
    for number, one in enumerate(outcomes, 1):
        _outcome(comparison, number, one)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _quality(root: ElementTree.Element, bias: Mapping[tuple[str, str], tuple[str, str]]) -> None:
    items = ElementTree.SubElement(root, "QUALITY_ITEMS")
    domains = list(dict.fromkeys(domain for _, domain in bias))
    for number, domain in enumerate(domains, 1):
        item = ElementTree.SubElement(items, "QUALITY_ITEM", {"ID": f"QIT-{number:02d}", "CORE_ITEM": "NO"})
        _named(item, "NAME", domain)
        data = ElementTree.SubElement(item, "QUALITY_ITEM_DATA")
        for (study, judged), (level, support) in bias.items():
            if judged != domain:
                continue
            result = _JUDGED.get(level, "UNKNOWN")
            entry = ElementTree.SubElement(data, "QUALITY_ITEM_DATA_ENTRY", {"STUDY_ID": _id(study), "RESULT": result})
            shown = support if level in ("Low", "High", "Unclear") else f"{level}. {support}".strip()
            ElementTree.SubElement(ElementTree.SubElement(entry, "DESCRIPTION"), "P").text = shown
