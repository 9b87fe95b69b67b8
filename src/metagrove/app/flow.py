"""The flow of records of a review: computed from its records and decisions, or as typed in flow.csv, and its diagram."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metagrove.app.screening import changed_exports, screening_of
from metagrove.core.errors import DataError
from metagrove.review.columns import TABLES
from metagrove.review.flow import flow_boxes, flow_faults
from metagrove.review.log import LOG, read_log
from metagrove.review.screened_flow import screened_flow
from metagrove.review.screening import Screening
from metagrove.review.spec import parse_review
from metagrove.review.storage import write_atomically
from metagrove.review.tables import decoded, parse_table

__all__ = [
    "Flow",
    "databases_of",
    "drawn_flow",
    "flow_of_folder",
    "flow_remarks",
    "flow_table",
    "typed_boxes",
    "write_flow",
]


@dataclass(frozen=True, slots=True)
class Flow:
    """The boxes of the flow, whether they were computed or typed, and remarks a person should see."""

    boxes: Mapping[str, Any]
    computed: bool
    remarks: tuple[str, ...] = ()


def typed_boxes(folder: Path) -> dict[str, Any] | None:
    """The boxes of flow.csv; None where there is no such file."""
    path = folder / "flow.csv"
    if not path.is_file():
        return None
    table = parse_table(TABLES["flow"], path.read_bytes())
    if table.faults:
        raise table.faults[0]
    faults = flow_faults(table.rows)
    if faults:
        raise DataError(faults[0].message, file=faults[0].where)
    return {
        box: reasons[""] if set(reasons) == {""} else dict(reasons) for box, reasons in flow_boxes(table.rows).items()
    }


def _sum(value: Any) -> int:
    return sum(value.values()) if isinstance(value, Mapping) else value


def flow_of_folder(folder: Path) -> Flow:
    """The flow of a folder: computed where there is a screening log, else as typed in flow.csv.

    Raises
    ------
    DataError
        The numbers do not close; names the records, or the rows of flow.csv.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder", file=str(folder))
    typed = typed_boxes(folder)
    if not (folder / LOG).is_file():
        if typed is None:
            raise DataError(
                f"neither {LOG} nor flow.csv; 'metagrove screen DIR --import CSV' starts the log", file=str(folder)
            )
        return Flow(typed, computed=False)
    screening = screening_of(folder)
    boxes = screened_flow(screening, databases_of(folder))
    return Flow(boxes, computed=True, remarks=flow_remarks(folder, screening, boxes, typed))


def databases_of(folder: Path) -> Mapping[str, str]:
    """Which database each file of the search came from, as review.toml says; nothing where there is no review.toml."""
    protocol = folder / "review.toml"
    if not protocol.is_file():
        return {}
    return parse_review(decoded(protocol.read_bytes(), "review.toml")).search.files


def flow_remarks(
    folder: Path, screening: Screening, boxes: Mapping[str, Any], typed: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """What a person should see beside the flow: exports that changed, open questions, and numbers of flow.csv that differ."""
    remarks = [
        f"{file} has {'changed' if digest else 'gone'} since decisions were last taken in"
        for file, digest in changed_exports(folder, read_log(folder)).items()
    ]
    if screening.duplicates.questions:
        remarks.append(f"{len(screening.duplicates.questions)} pairs may be duplicates and wait for an answer")
    for box, value in (typed or {}).items():
        ours = _sum(boxes.get(box, 0))
        if box == "included" and isinstance(boxes.get(box), Mapping):
            ours = boxes[box]["studies"]
        if box in boxes and ours != _sum(value):
            remarks.append(f"flow.csv says {box} {_sum(value)}; the decisions give {ours}")
    return tuple(remarks)


def drawn_flow(flow: Flow, ending: str) -> bytes:
    """The PRISMA 2020 diagram as svg, pdf or png."""
    from metagrove.plots.flow import flow as prisma_flow

    drawing = prisma_flow(dict(flow.boxes))
    makers = {"svg": drawing.svg, "pdf": drawing.pdf, "png": drawing.png}
    if ending not in makers:
        raise DataError(f"the diagram can be drawn as svg, pdf or png, not '{ending}'")
    return makers[ending]()


def write_flow(flow: Flow, path: Path) -> None:
    """The diagram written to `path`; its ending says the form."""
    write_atomically(path, drawn_flow(flow, path.suffix.lower().lstrip(".")))


def flow_table(flow: Flow) -> str:
    """The boxes as CSV text: box, label, n."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["box", "label", "n"])
    for box, value in flow.boxes.items():
        for label, n in value.items() if isinstance(value, Mapping) else [("", value)]:
            writer.writerow([box, label, n])
    return stream.getvalue()
