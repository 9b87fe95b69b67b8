"""What single studies do to an analysis: leave-one-out and cumulative forests, and the plot of Baujat.

Baujat B, Mahé C, Pignon JP, Hill C. A graphical method for exploring heterogeneity in meta-analyses. Stat Med
2002;21:2641-52 (doi:10.1002/sim.1221). Cumulative forests: Lau J, Antman EM, Jimenez-Silva J, et al. N Engl J Med
1992;327:248-54 (doi:10.1056/NEJM199207233270406).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.scales import scale
from metagrove.plots.canvas import Drawing
from metagrove.plots.forest import forest_drawing
from metagrove.plots.forest_source import reference_of
from metagrove.plots.forest_table import ForestBlock, ForestColumn, ForestRow, ForestTable
from metagrove.plots.frame import Side, foot_lines, framed, title_lines
from metagrove.plots.labels import Spot, place_labels
from metagrove.plots.marks import Disc, Page, tidy
from metagrove.plots.style import Notation, Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.results import MetaResult
    from metagrove.pooling.sensitivity import Baujat, Refits

__all__ = ["baujat_drawing", "baujat_plot", "cumulative_forest", "leave_one_out_forest", "refits_drawing"]


def leave_one_out_forest(
    result: MetaResult,
    style: Style | str | None = None,
    *,
    model: str = "",
    percent: bool = False,
    title: str = "",
) -> Drawing:
    """The estimate without each study in turn, over the estimate from all.

    `model` is "common" or "random"; "" takes the random one where the analysis shows it.
    """
    return refits_drawing(result.leave_one_out(_model(result, model)), style=style, percent=percent, title=title)


def cumulative_forest(
    result: MetaResult,
    style: Style | str | None = None,
    *,
    order: ArrayLike | None = None,
    model: str = "",
    percent: bool = False,
    title: str = "",
) -> Drawing:
    """The estimate as studies are added in table order, or by increasing `order` (one value for each pooled study)."""
    ranks = None if order is None else np.asarray(order, dtype=float)
    found = result.cumulative(_model(result, model), order=ranks)
    return refits_drawing(found, style=style, percent=percent, title=title)


def _model(result: MetaResult, model: str) -> str:
    which = model or ("random" if result.settings.random else "common")
    if which not in ("common", "random"):
        raise UnknownName("model", model, ("common", "random"))
    return which


def refits_drawing(
    refits: Refits, style: Style | str | None = None, *, percent: bool = False, title: str = ""
) -> Drawing:
    """The forest plot of an analysis repeated on sets of its studies, on its reporting scale."""
    result, which, sets = refits.source, refits.pooled, refits.sets
    if result is None:
        raise MethodError("these refits do not know their analysis; make them with leave_one_out() or cumulative()")
    if percent and scale(result.settings.sm).label not in ("Proportion", "Survival"):
        raise MethodError(f"percentages suit proportions, not '{result.scale.label}'")
    note, size = style_of(style).notation, result.pooled.size
    rows = []
    for i, label in enumerate(refits.studlab):
        n = float("nan") if size is None else len(sets[i]) / float(np.sum(1 / size[sets[i]]))
        middle, low, high = (float(result.back.at(v[i], n)) for v in (refits.TE, refits.lower, refits.upper))
        cells = _cells(refits.pval[i], refits.tau2[i], refits.I2[i], note)
        rows.append(ForestRow(label, middle, min(low, high), max(low, high), cells=cells[-2:]))
    ends = [float(getattr(result.back, f"{part}_{which}")) for part in ("TE", "lower", "upper")]
    whole = _cells(float("nan"), result.tau2 if which == "random" else float("nan"), result.I2, note)
    table = ForestTable(
        (ForestBlock(tuple(rows)),),
        result.scale.label,
        (ForestColumn(note.tau2), ForestColumn("I²")),
        (ForestRow(f"All studies ({which} effects)", ends[0], ends[1], ends[2], which, cells=whole[-2:]),),
        logarithmic=result.scale.ratio,
        reference=reference_of(result),
        percent=percent,
        title=title,
        level=result.settings.level_ma,
        footer=(refits.explain().sentence,),
    )
    return forest_drawing(table, style=style)


def _cells(p: float, tau2: float, i2: float, note: Notation) -> tuple[str, str, str]:
    first = note.p_value(p) if isfinite(p) else ""
    return first, f"{tau2:.4f}" if isfinite(tau2) else "", f"{100 * i2:.0f}%" if isfinite(i2) else ""


def baujat_plot(result: MetaResult, style: Style | str | None = None, *, model: str = "common") -> Drawing:
    """Each study's contribution to Q against its influence on the estimate."""
    return baujat_drawing(result.baujat(model), style=style)


def baujat_drawing(found: Baujat, *, style: Style | str | None = None) -> Drawing:
    """The plot of Baujat: studies to the right make the heterogeneity, studies at the top move the estimate."""
    look = style_of(style)
    if not (np.isfinite(found.x).all() and np.isfinite(found.y).all()):
        raise DataError("a study has no finite contribution to Q or influence; a Baujat plot needs both")
    rows = [
        {"label": label, "contribution": float(x), "influence": float(y)}
        for label, x, y in zip(found.studlab, found.x, found.y, strict=True)
    ]
    return Drawing(lambda width: _baujat_page(rows, look, width), look, tuple(rows))


def _baujat_page(rows: Sequence[dict[str, Any]], style: Style, width: float | None) -> Page:
    s = style.size
    wide = max(width if width is not None else 46 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    ends = [1.08 * max(row[name] for row in rows) or 1.0 for name in ("contribution", "influence")]
    marks, y = title_lines("", style, left, right, 0.8 * s)
    frame = framed(
        style,
        Side(0.0, ends[0], "Contribution to heterogeneity (part of Q)"),
        Side(0.0, ends[1], "Influence on the pooled estimate"),
        box=(left, y + 0.5 * s, right - left, 0.62 * (right - left)),
    )
    ranked = sorted(rows, key=lambda row: -(row["contribution"] / ends[0] + row["influence"] / ends[1]))
    spots = [Spot(*frame.point(row["contribution"], row["influence"]), row["label"], 0.36 * s) for row in ranked]
    points = [Disc(spot.x, spot.y, spot.r, style.palette.square, "#ffffff", 0.4, 0.9) for spot in spots]
    area = (frame.x.start + 2, frame.y.at(ends[1]), frame.x.start + frame.x.length, frame.y.at(0.0) - 2)
    names, listed = place_labels(spots, style, area)
    foot, y = foot_lines(["; ".join(listed) + "."] if listed else [], style, left, right, frame.bottom + 0.4 * s)
    everything = (*marks, *points, *names, *frame.marks, *foot)
    return Page(wide, y + 0.8 * s, everything, tidy("Baujat plot: contribution to heterogeneity and influence"))
