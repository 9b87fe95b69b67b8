"""The flow of records as counts, and whether its arithmetic closes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from metagrove.core.errors import DataError
from metagrove.review.tables import Row

__all__ = ["BOXES", "FlowFault", "flow_boxes", "flow_faults", "flow_row_faults"]

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


#: The boxes of the PRISMA 2020 template.
BOXES = (
    "previous_studies", "identified", "removed_before", "screened", "excluded", "sought", "not_retrieved", "assessed",
    "reports_excluded", "other_identified", "other_sought", "other_not_retrieved", "other_assessed", "other_excluded",
    "included", "total",
)  # fmt: skip


def flow_row_faults(rows: Sequence[Row]) -> list[DataError]:
    """Rows that name no box of the flow, or give no number; and boxes without which no flow can be drawn."""
    faults = []
    for row in rows:
        box = row.text("box").lower()
        if box not in BOXES:
            near = get_close_matches(box, BOXES, n=1, cutoff=0.5)
            hint = f"nearest: '{near[0]}'" if near else f"known: {', '.join(BOXES)}"
            faults.append(row.error(f"'{row.text('box')}' is no box of the flow; {hint}", "box", "flow-unreadable"))
        elif row["n"] is None:
            faults.append(row.error("is empty; a flow needs the number", "n", "flow-unreadable"))
    there = {row.text("box").lower() for row in rows}
    needed = [box for box in ("identified", "screened", "included") if rows and box not in there]
    return faults + [
        DataError(f"has no row '{box}'; a flow needs it", file="flow.csv", rule="flow-unreadable") for box in needed
    ]


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
