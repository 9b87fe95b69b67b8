"""The forest plot of several analyses side by side: one line each, their subgroups above them."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from metagrove.plots.canvas import Drawing
from metagrove.plots.forest import forest_drawing
from metagrove.plots.forest_source import reference_of
from metagrove.plots.forest_table import ForestBlock, ForestColumn, ForestRow, ForestTable
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.bound_analyses import BoundAnalyses

__all__ = ["bound_forest"]


def bound_forest(bound: BoundAnalyses, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """The forest plot of bound analyses; analyses with subgroups are blocks with a diamond of their own."""
    note = style_of(style).notation
    source = bound.sources[0]
    blocks: list[ForestBlock] = []
    loose: list[ForestRow] = []
    for home in dict.fromkeys(bound.analysis):
        own = [i for i, name in enumerate(bound.analysis) if name == home]
        if len(own) == 1:
            loose.append(_row(bound, own[0], note))
            continue
        if loose:
            blocks.append(ForestBlock(tuple(loose)))
            loose = []
        rows = tuple(_row(bound, i, note) for i in own[:-1])
        blocks.append(ForestBlock(rows, home, (_row(bound, own[-1], note, bound.pooled, "All studies"),)))
    if loose:
        blocks.append(ForestBlock(tuple(loose)))
    table = ForestTable(
        tuple(blocks),
        source.scale.label,
        (ForestColumn("Studies"), ForestColumn(note.tau2), ForestColumn("I²")),
        logarithmic=source.scale.ratio,
        reference=reference_of(source),
        title=title,
        label_heading="Analysis",
        level=source.settings.level_ma,
        footer=_methods(bound),
    )
    return forest_drawing(table, style=style)


def _methods(bound: BoundAnalyses) -> tuple[str, ...]:
    sentences = {source.explain().sentence for source in bound.sources}
    return tuple(sentences) if len(sentences) == 1 else ("The analyses differ in their methods.",)


def _row(bound: BoundAnalyses, i: int, note: object, kind: str = "study", label: str = "") -> ForestRow:
    middle, low, high = (float(v) for v in bound.shown[i])
    tau2, i2 = float(bound.tau2[i]), float(bound.I2[i])
    cells = (
        f"{int(bound.k[i])}",
        f"{tau2:.4f}" if isfinite(tau2) else "",
        f"{100 * i2:.0f}%" if isfinite(i2) else "",
    )
    return ForestRow(label or bound.names[i], middle, min(low, high), max(low, high), kind, cells=cells)
