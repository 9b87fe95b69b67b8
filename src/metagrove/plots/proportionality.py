"""Cox's model drawn: curves of its groups or a forest of its covariates, and the course of its log hazard ratios."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from metagrove.core.values import Array
from metagrove.plots.canvas import Drawing
from metagrove.plots.comparison_panels import covariates_forest
from metagrove.plots.curve_panel import time_words
from metagrove.plots.curve_source import survival_plot
from metagrove.plots.frame import KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.marks import Disc, Line, Mark, Page, Shape, tidy
from metagrove.plots.style import Style, style_of
from metagrove.survival.splines import spline_basis

if TYPE_CHECKING:
    from metagrove.survival.cox import Cox, ProportionalityTest

__all__ = ["hazard_ratio_plot", "proportionality_plot"]


def hazard_ratio_plot(result: Cox, style: Style | str | None = None) -> Drawing:
    """The curves of the two groups of Cox's model with the hazard ratio; a forest of hazard ratios for other covariates."""
    values = np.unique(np.round(result.design.x[:, 0], 9)).size
    return survival_plot(result, style) if result.b.size == 1 and values == 2 else covariates_forest(result, style)


def proportionality_plot(
    result: ProportionalityTest, style: Style | str | None = None, *, title: str = "", unit: str = ""
) -> Drawing:
    """The scaled Schoenfeld residuals of each covariate over time with a smooth course, which is level where hazards are proportional.

    The course is a natural spline with four degrees of freedom, as R's `plot.cox.zph` draws it.
    """
    look = style_of(style)
    rows = tuple(
        {"covariate": j + 1, "time": float(t), "residual": float(r[j])}
        for j in range(result.b.size)
        for t, r in zip(result.time, result.residuals, strict=True)
    )
    return Drawing(lambda width: _page(result, look, width, title, unit), look, rows)


def _page(result: ProportionalityTest, style: Style, width: float | None, title: str, unit: str) -> Page:
    s, palette, p = style.size, style.palette, result.b.size
    columns = 1 if p == 1 else 2
    wide = max(width if width is not None else (46 if columns == 1 else 66) * s, 30 * s * columns)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(title, style, left, right, 0.8 * s)
    entries = [
        KeyEntry("Scaled Schoenfeld residual", palette.square, "dot", opacity=0.75),
        KeyEntry("Course of the log hazard ratio", palette.summary, "line", 1.6),
        KeyEntry("95% band", palette.summary, "band", opacity=0.16),
        KeyEntry("Log hazard ratio of the model", palette.prediction, "line", 0.9, (2.0, 1.6)),
    ]
    key, top = key_rows(entries, style, left, right, top)
    drawn: list[Mark] = [*marks, *key]
    gap = 2.0 * s
    across = (right - left - gap * (columns - 1)) / columns
    bottom = top
    for j in range(p):
        if j % columns == 0:
            top = bottom + 0.8 * s
        box = (left + (j % columns) * (across + gap), top, across, 0.6 * across)
        panel, end = _panel(result, j, style, box, unit)
        drawn += panel
        bottom = max(bottom, end)
    foot, bottom = foot_lines(_said(result), style, left, right, bottom + 0.4 * s)
    return Page(wide, bottom + 0.8 * s, (*drawn, *foot), tidy(title or "Scaled Schoenfeld residuals"))


def _said(result: ProportionalityTest) -> list[str]:
    """The tests in words."""
    whole = f"Test of proportional hazards ({result.transform}): χ² = {result.chisq:.2f}, df = {result.df}, p = {result.p:.3g}."
    each = [f"Covariate {row['covariate']}: χ² = {row['chisq']:.2f}, p = {row['p']:.3g}." for row in result.rows()[:-1]]
    return [whole, *([" ".join(each)] if result.df > 1 else [])]


def _course(time: Array, values: Array) -> tuple[Array, Array, Array] | None:
    """Times, a smooth course through `values`, and half the width of its 95% band; None for too few times."""
    places = np.quantile(np.unique(time), np.linspace(0, 1, 4))
    if np.unique(time).size < 8 or np.diff(places).min() <= 0:
        return None
    span = places[-1] - places[0]
    knots = (places - places[0]) / span
    basis, _ = spline_basis((time - places[0]) / span, knots)
    b, _, _, _ = np.linalg.lstsq(basis, values, rcond=None)
    spread = float(((values - basis @ b) ** 2).sum()) / max(time.size - basis.shape[1], 1)
    at = np.linspace(places[0], places[-1], 81)
    rows, _ = spline_basis((at - places[0]) / span, knots)
    inverse = np.linalg.pinv(basis.T @ basis)
    half = 1.96 * sqrt(spread) * np.sqrt(np.einsum("ip,pq,iq->i", rows, inverse, rows))
    return at, rows @ b, half


def _panel(
    result: ProportionalityTest, j: int, style: Style, box: tuple[float, float, float, float], unit: str
) -> tuple[list[Mark], float]:
    s, palette = style.size, style.palette
    time, values = result.time, result.residuals[:, j]
    course = _course(time, values)
    reach = [float(values.min()), float(values.max()), float(result.b[j])]
    if course is not None:
        reach += [float((course[1] - course[2]).min()), float((course[1] + course[2]).max())]
    slack = 0.05 * (max(reach) - min(reach) or 1.0)
    name = "Log hazard ratio over time" if result.b.size == 1 else f"Log hazard ratio, covariate {j + 1}"
    low, high = min(reach) - slack, max(reach) + slack
    frame = framed(
        style,
        Side(0.0, 1.03 * float(time.max()), time_words(unit)),
        Side(low, high, name),
        box=box,
    )
    marks: list[Mark] = []
    if course is not None:
        at, middle, half = (part.tolist() for part in course)
        up = [m + h for m, h in zip(middle, half, strict=True)]
        down = [m - h for m, h in zip(middle, half, strict=True)]
        marks.append(Shape(frame.path(at, up) + frame.path(at, down)[::-1], palette.summary, opacity=0.16))
    marks += [
        Disc(*frame.point(float(t), float(v)), 0.26 * s, palette.square, opacity=0.75)
        for t, v in zip(time, values, strict=True)
    ]
    level = float(result.b[j])
    marks.append(Line(frame.path((frame.x.low, frame.x.high), (level, level)), palette.prediction, 0.9, (2.0, 1.6)))
    if course is not None:
        marks.append(Line(frame.path(at, middle), palette.summary, 1.6))
    return [*marks, *frame.marks], frame.bottom
