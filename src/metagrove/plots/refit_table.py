"""The forest plot of a linear model repeated on sets of its studies, left out one by one or added one by one."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from metagrove.plots.canvas import Drawing
from metagrove.plots.forest import forest_drawing
from metagrove.plots.forest_table import ForestBlock, ForestColumn, ForestRow, ForestTable
from metagrove.plots.reported_scale import shown_scale
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.regression.case_diagnostics import RefitTable

__all__ = ["refit_table_drawing"]


def refit_table_drawing(
    refits: RefitTable,
    style: Style | str | None = None,
    *,
    ratio: bool | None = None,
    effect: str = "",
    title: str = "",
) -> Drawing:
    """The estimates of `refits` with their limits, over the estimate from all studies.

    `ratio` says that effects are logarithms of ratios, to be shown as ratios; None decides by the measure.
    """
    shown, note = shown_scale(refits, ratio, effect), style_of(style).notation

    def ends(*values: float) -> tuple[float, float, float]:
        middle, low, high = (shown.back(float(v)) for v in values)
        return middle, min(low, high), max(low, high)

    lines = zip(refits.labels, refits.estimate, refits.ci_lb, refits.ci_ub, refits.tau2, refits.I2, strict=True)
    rows = tuple(
        ForestRow(label, *ends(*values), cells=(f"{tau2:.4f}", f"{100 * i2:.0f}%"))
        for label, *values, tau2, i2 in lines
    )
    whole = (ForestRow("All studies", *ends(*refits.whole), "random"),) if isfinite(refits.whole[0]) else ()
    table = ForestTable(
        (ForestBlock(rows),),
        shown.name,
        (ForestColumn(note.tau2), ForestColumn("I²")),
        whole,
        logarithmic=shown.ratio,
        reference=shown.reference,
        title=title,
        level=refits.level,
        label_heading="Analysis",
        footer=(refits.explain().sentence,),
    )
    return forest_drawing(table, style=style)
