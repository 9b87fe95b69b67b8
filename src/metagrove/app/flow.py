"""The flow of records of a review, drawn from its counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metagrove.app.products import Product
from metagrove.app.screening import flow_of_folder
from metagrove.core.errors import DataError
from metagrove.review.flow import flow_boxes, flow_faults
from metagrove.review.folder import Review
from metagrove.review.log import LOG

__all__ = ["product"]


def _lines(reasons: dict[str, int]) -> dict[str, int] | int:
    """A box's lines; one number where it has no reasons."""
    return reasons[""] if set(reasons) == {""} else reasons


def product(review: Review) -> Product:
    """The PRISMA 2020 diagram from the decisions, or from flow.csv where there is no log, or why it cannot be drawn."""
    from metagrove.plots.flow import flow as prisma_flow

    if (review.path / LOG).is_file():
        try:
            computed = flow_of_folder(review.path)
        except DataError as error:
            return Product(carry={"problem": str(error)})
        return _drawn(dict(computed.boxes), prisma_flow)
    rows = review.rows("flow")
    faults = flow_faults(rows)
    if faults:
        return Product(carry={"problem": " ".join(fault.message for fault in faults)})
    boxes = {box: _lines(dict(reasons)) for box, reasons in flow_boxes(rows).items()}
    return _drawn(boxes, prisma_flow)


def _drawn(boxes: dict[str, Any], draw: Callable[[dict[str, Any]], Any]) -> Product:
    """The diagram in its three forms; boxes with one nameless line are plain numbers."""
    drawing = draw(boxes)
    files = {"figures/flow.svg": drawing.svg(), "figures/flow.pdf": drawing.pdf(), "figures/flow.png": drawing.png()}
    return Product(files=files, carry={"boxes": boxes})
