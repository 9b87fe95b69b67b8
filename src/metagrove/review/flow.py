"""The flow of records as counts, and whether its arithmetic closes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from metagrove.review.tables import Row

__all__ = ["FlowFault", "flow_boxes", "flow_faults"]

#: Each step: the box before, what leaves, and the box after (PRISMA 2020, doi:10.1136/bmj.n71).
_STEPS = (
    ("identified", "removed_before", "screened"),
    ("screened", "excluded", "sought"),
    ("sought", "not_retrieved", "assessed"),
    ("assessed", "reports_excluded", "included"),
)


@dataclass(frozen=True, slots=True)
class FlowFault:
    """One difference that is not what the next box says."""

    where: str
    found: str
    expected: str
    message: str


def flow_boxes(rows: Sequence[Row]) -> Mapping[str, Mapping[str, int]]:
    """Counts by box and reason: `{"reports_excluded": {"case report": 10, …}, …}`; a box with one number has reason ''."""
    boxes: dict[str, dict[str, int]] = {}
    for row in rows:
        if row["n"] is not None:
            boxes.setdefault(row.text("box").lower(), {})[row.text("reason")] = row["n"]
    return MappingProxyType({box: MappingProxyType(reasons) for box, reasons in boxes.items()})


def flow_faults(rows: Sequence[Row]) -> list[FlowFault]:
    """The steps whose arithmetic does not close; none where a box is not given."""
    boxes = flow_boxes(rows)
    total = {box: sum(reasons.values()) for box, reasons in boxes.items()}
    faults = []
    for before, leaving, after in _STEPS:
        if before not in total or after not in total:
            continue
        left = total[before] - total.get(leaving, 0)
        if left == total[after]:
            continue
        # Several reports may belong to one included study, so fewer studies than reports is no contradiction.
        if after == "included" and "included_reports" in total and total["included_reports"] == left:
            continue
        places = [row.number for row in rows if row.text("box").lower() in (before, leaving, after)]
        shown = f"{total[before]} {before} - {total.get(leaving, 0)} {leaving} = {left}"
        faults.append(
            FlowFault(
                f"flow.csv, rows {', '.join(map(str, places))}",
                f"{after} {total[after]}",
                f"{after} {left}",
                f"The flow does not close: {shown}, but {after} is {total[after]}.",
            )
        )
    return faults
