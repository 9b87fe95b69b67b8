"""The counts of a PRISMA 2020 flow, checked: what goes into a box comes out of it or is excluded with a reason.

Page MJ, McKenzie JE, Bossuyt PM, et al. The PRISMA 2020 statement: an updated guideline for reporting systematic
reviews. BMJ 2021;372:n71 (doi:10.1136/bmj.n71), CC BY 4.0. Units: records until screening, reports from retrieval,
studies at inclusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from metagrove.core.errors import DataError, UnknownName

__all__ = ["BOXES", "FlowCounts", "flow_counts"]

#: Each box of the flow and what it says; the names are those of the PRISMA 2020 template.
BOXES: Mapping[str, str] = MappingProxyType(
    {
        "previous_studies": "Studies included in previous version of review",
        "identified": "Records identified from",
        "removed_before": "Records removed before screening",
        "screened": "Records screened",
        "excluded": "Records excluded",
        "sought": "Reports sought for retrieval",
        "not_retrieved": "Reports not retrieved",
        "assessed": "Reports assessed for eligibility",
        "reports_excluded": "Reports excluded",
        "other_identified": "Records identified from",
        "other_sought": "Reports sought for retrieval",
        "other_not_retrieved": "Reports not retrieved",
        "other_assessed": "Reports assessed for eligibility",
        "other_excluded": "Reports excluded",
        "included": "New studies included in review",
        "total": "Total studies included in review",
    }
)

_STUDIES = ("previous_studies", "included", "total")


@dataclass(frozen=True, slots=True)
class FlowCounts:
    """A flow whose arithmetic closes: for each box its lines, each a label and a number.

    A box with one line without a label is a plain count. Boxes that the review does not have are absent.
    """

    boxes: Mapping[str, tuple[tuple[str, int], ...]]

    def total(self, box: str) -> int:
        """The sum of a box's lines, 0 where it is absent; of studies where it counts studies and reports."""
        lines = self.boxes.get(box, ())
        if box in _STUDIES:
            return lines[0][1] if lines else 0
        return sum(n for _, n in lines)

    def reports(self, box: str) -> int:
        """The reports of a box that counts studies and reports; the studies where reports are not given."""
        lines = self.boxes.get(box, ())
        return lines[-1][1] if lines else 0

    def __contains__(self, box: object) -> bool:
        return box in self.boxes

    def records(self) -> list[dict[str, Any]]:
        """The numbers behind the diagram, one dict for each line of each box."""
        return [{"box": box, "label": label, "n": n} for box, lines in self.boxes.items() for label, n in lines]


def flow_counts(boxes: Mapping[str, Any]) -> FlowCounts:
    """The counts of a flow, after every sum was checked.

    Parameters
    ----------
    boxes : for each name of `BOXES` a number, or a mapping from label to number (sources, reasons; for boxes that count
        studies the keys "studies" and "reports"). `sought`, `assessed` and exclusions that were not given follow from
        the others; None and absent are the same.

    Raises
    ------
    UnknownName : a box that the flow does not have.
    DataError : a number that is not a count, a box that is needed and missing, or a sum that does not close.

    >>> flow_counts({"identified": 10, "removed_before": 2, "screened": 7, "included": 7})
    Traceback (most recent call last):
    ...
    metagrove.core.errors.DataError: identified 10 - removed_before 2 = 8, but screened is 7
    """
    read = {}
    for name, value in boxes.items():
        if name not in BOXES:
            raise UnknownName("box of the PRISMA flow", name, BOXES)
        if value is not None:
            read[name] = _lines(name, value)
    for name in ("identified", "screened", "included"):
        if name not in read:
            raise DataError(f"the flow lacks '{name}' ({BOXES[name].lower()})")
    flow = FlowCounts(MappingProxyType(_completed(read)))
    _check(flow)
    return flow


def _lines(name: str, value: Any) -> tuple[tuple[str, int], ...]:
    if isinstance(value, Mapping):
        pairs = [(str(label), n) for label, n in value.items() if n is not None]
    elif isinstance(value, (list, tuple)):
        pairs = [(str(label), n) for label, n in value]
    else:
        pairs = [("", value)]
    counts = []
    for label, n in pairs:
        place = f"{name}, {label}" if label else name
        if isinstance(n, bool) or not isinstance(n, (int, float)) or n != n or n < 0 or n != int(n):
            raise DataError(f"{place} is {n!r}; a count is a whole number, 0 or more")
        counts.append((label, int(n)))
    if name in _STUDIES and isinstance(value, Mapping):
        known = {label.lower(): n for label, n in counts}
        if set(known) - {"studies", "reports"} or "studies" not in known:
            raise DataError(f"{name} has {', '.join(known) or 'nothing'}; it counts 'studies' and 'reports'")
        counts = [("studies", known["studies"])] + ([("reports", known["reports"])] if "reports" in known else [])
    return tuple(counts)


def _completed(read: dict[str, tuple[tuple[str, int], ...]]) -> dict[str, tuple[tuple[str, int], ...]]:
    """The boxes in the template's order, with those that follow from their neighbours filled in."""
    flow = FlowCounts(read)
    given = dict(read)
    given.setdefault("removed_before", (("", flow.total("identified") - flow.total("screened")),))
    if "sought" not in given:
        given["sought"] = (("", flow.total("screened") - flow.total("excluded")),)
    given.setdefault("excluded", (("", flow.total("screened") - FlowCounts(given).total("sought")),))
    given.setdefault("assessed", (("", FlowCounts(given).total("sought") - flow.total("not_retrieved")),))
    given.setdefault("not_retrieved", (("", FlowCounts(given).total("sought") - FlowCounts(given).total("assessed")),))
    if "other_identified" in given:
        given.setdefault("other_sought", (("", flow.total("other_identified")),))
        left = FlowCounts(given).total("other_sought") - flow.total("other_not_retrieved")
        given.setdefault("other_assessed", (("", left),))
    for name, lines in given.items():
        if any(n < 0 for _, n in lines):
            raise DataError(f"{name} would be {lines[0][1]} by the counts around it; one of them is wrong")
    return {name: given[name] for name in BOXES if name in given}


def _check(flow: FlowCounts) -> None:
    def step(start: str, minus: str, end: str) -> None:
        left = flow.total(start) - flow.total(minus)
        if left != flow.total(end):
            raise DataError(
                f"{start} {flow.total(start)} - {minus} {flow.total(minus)} = {left}, but {end} is {flow.total(end)}"
            )

    step("identified", "removed_before", "screened")
    step("screened", "excluded", "sought")
    step("sought", "not_retrieved", "assessed")
    if "other_identified" in flow:
        found, sought = flow.total("other_identified"), flow.total("other_sought")
        if sought > found:
            raise DataError(f"other_sought is {sought}, more than other_identified {found}")
        step("other_sought", "other_not_retrieved", "other_assessed")
    _check_included(flow)


def _check_included(flow: FlowCounts) -> None:
    for box in _STUDIES:
        if flow.total(box) > flow.reports(box):
            raise DataError(f"{box}: {flow.total(box)} studies in {flow.reports(box)} reports; a study has a report")
    terms = [("assessed", 1), ("reports_excluded", -1), ("other_assessed", 1), ("other_excluded", -1)]
    used = [(name, sign) for name, sign in terms if name in flow]
    left = sum(sign * flow.total(name) for name, sign in used)
    alone = len(flow.boxes["included"]) == 1
    if left != flow.reports("included") and not (
        alone and flow.total("included") <= left and "reports_excluded" in flow
    ):
        sums = " ".join(f"{'-' if sign < 0 else '+'} {name} {flow.total(name)}" for name, sign in used).lstrip("+ ")
        raise DataError(f"{sums} = {left}, but reports in included are {flow.reports('included')}")
    if "total" in flow:
        both = flow.total("previous_studies") + flow.total("included")
        if both != flow.total("total"):
            raise DataError(
                f"previous_studies {flow.total('previous_studies')} + included {flow.total('included')} = {both}, "
                f"but total is {flow.total('total')}"
            )
