"""The flow of records of a review, drawn from its counts."""

from __future__ import annotations

from metagrove.app.products import Product
from metagrove.review.flow import flow_boxes, flow_faults
from metagrove.review.folder import Review

__all__ = ["product"]


def _lines(reasons: dict[str, int]) -> dict[str, int] | int:
    """A box's lines; one number where it has no reasons."""
    return reasons[""] if set(reasons) == {""} else reasons


def product(review: Review) -> Product:
    """The PRISMA 2020 diagram, or why it cannot be drawn."""
    from metagrove.plots.flow import flow as prisma_flow

    rows = review.rows("flow")
    faults = flow_faults(rows)
    if faults:
        return Product(carry={"problem": " ".join(fault.message for fault in faults)})
    boxes = {box: _lines(dict(reasons)) for box, reasons in flow_boxes(rows).items()}
    drawing = prisma_flow(boxes)
    files = {"figures/flow.svg": drawing.svg(), "figures/flow.pdf": drawing.pdf(), "figures/flow.png": drawing.png()}
    return Product(files=files, carry={"boxes": boxes})
