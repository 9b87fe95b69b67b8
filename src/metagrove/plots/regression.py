"""The bubble plot of a meta-regression: effects against a moderator, with the fitted line and its band.

Bubbles after Thompson SG, Higgins JPT. How should meta-regression analyses be undertaken and interpreted? Stat Med
2002;21:1559-73 (doi:10.1002/sim.1187): areas in proportion to the precision of each study.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.plots.axes import limits_for
from metagrove.plots.canvas import Drawing
from metagrove.plots.forest_source import forest
from metagrove.plots.frame import Frame, KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.labels import Spot, place_labels
from metagrove.plots.marks import Disc, Line, Mark, Page, Shape, tidy
from metagrove.plots.model_table import weight_shares
from metagrove.plots.reported_scale import shown_scale
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.regression.model import Regression

__all__ = ["BubbleTable", "bubble", "regplot", "regression_plot"]


def regression_plot(result: Regression, style: Style | str | None = None) -> Drawing:
    """The bubble plot of a model with one quantitative moderator, the forest of its effects otherwise."""
    moderators = [j for j in range(result.p) if not (result.design.intercept and j == 0)]
    if len(moderators) == 1 and np.unique(result.X[:, moderators[0]]).size > 2:
        return bubble(result, style=style)
    return forest(result, style)


def bubble(
    result: Regression,
    moderator: str = "",
    style: Style | str | None = None,
    *,
    ratio: bool | None = None,
    prediction: bool = False,
    labels: bool | None = None,
    effect: str = "",
    title: str = "",
) -> Drawing:
    """The bubble plot of a meta-regression: effects against a moderator, with the fitted line and its band.

    Parameters
    ----------
    moderator : a column of the model by its name; "" where there is only one. Other columns are held at their means.
    ratio : whether effects are logarithms of ratios, to be shown as ratios; None decides by the measure.
    prediction : whether limits for a new study are drawn.
    labels : whether bubbles carry their labels; None does so for up to 15 studies.

    Raises
    ------
    MethodError : a model without moderators.
    UnknownName : a moderator that the model does not have.
    """
    names = [name for j, name in enumerate(result.coef_names) if not (result.design.intercept and j == 0)]
    if not names:
        raise MethodError("a bubble plot needs a moderator; the model has none")
    if not moderator and len(names) > 1:
        raise MethodError(f"the model has several moderators; name one of {', '.join(names)}")
    chosen = moderator or names[0]
    if chosen not in names:
        raise UnknownName("moderator", chosen, names)
    j = list(result.coef_names).index(chosen)
    x = np.asarray(result.X[:, j], dtype=float)
    line = np.linspace(x.min(), x.max(), 41)
    rows = np.tile(result.X.mean(axis=0), (line.size, 1))
    rows[:, j] = line
    fitted = result.predict(rows)
    bands = [(fitted.ci_lb, fitted.ci_ub)] + ([(fitted.pi_lb, fitted.pi_ub)] if prediction else [])
    shown = shown_scale(result, ratio, effect)
    name = shown.name if shown.ratio or shown.reference is not None else shown_scale(result, False, effect).name
    named = len(result.slab) <= 15 if labels is None else labels
    table = BubbleTable(
        result.slab if named else ("",) * len(result.slab),
        x,
        np.asarray(result.yi),
        weight_shares(result),
        line,
        fitted.pred,
        tuple(bands),
        (chosen, name),
        shown.ratio,
        result.level,
        ("The other moderators are held at their means.",) if len(names) > 1 else (),
        title,
    )
    columns = zip(result.slab, x, result.yi, result.vi, strict=True)
    data = tuple({"label": lab, chosen: float(a), "TE": float(y), "seTE": float(v) ** 0.5} for lab, a, y, v in columns)
    look = style_of(style)
    return Drawing(lambda width: _page(table, look, width), look, data)


#: metafor's name.
regplot = bubble


@dataclass(frozen=True, slots=True, eq=False)
class BubbleTable:
    """What a bubble plot shows, on the analysis scale.

    Parameters
    ----------
    labels, x, y, weights : one for each of k studies; an empty label is not drawn, weights are in percent.
    line, fitted : shape (m,), the fitted line; `bands` its confidence and, where wanted, prediction limits.
    names : of the moderator and of the effect.
    ratio : whether effects are logarithms of ratios, to be written as ratios.
    """

    labels: tuple[str, ...]
    x: Array
    y: Array
    weights: Array
    line: Array
    fitted: Array
    bands: tuple[tuple[Array, Array], ...]
    names: tuple[str, str]
    ratio: bool = False
    level: float = 0.95
    notes: tuple[str, ...] = ()
    title: str = ""

    def shown(self, value: float) -> float:
        """An effect as it is written on the axis."""
        return exp(min(max(float(value), -700.0), 700.0)) if self.ratio else float(value)


def _page(table: BubbleTable, style: Style, width: float | None) -> Page:
    s = style.size
    wide = max(width if width is not None else 46 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(table.title, style, left, right, 0.8 * s)
    key, top = key_rows(_key(table, style), style, left, right, top)
    frame = _frame(table, style, (left, top + 0.8 * s, right - left, 0.6 * (right - left)))
    drawn = _fit(table, frame, style)
    fit, spots = list(drawn), []
    for i in np.argsort(-table.weights):
        px, py = frame.point(float(table.x[i]), table.shown(table.y[i]))
        radius = max(1.1 * s * float(np.sqrt(table.weights[i] / table.weights.max())), 0.2 * s)
        drawn.append(Disc(px, py, radius, style.palette.square, style.palette.ink, 0.4, 0.45))
        spots.append(Spot(px, py, table.labels[i], radius))
    x, y = frame.x, frame.y
    area = (x.start + 1, y.at(y.high) + 1, x.start + x.length, y.at(y.low) - 1)
    names, listed = place_labels(spots, style, area, fit)
    said = [*(["; ".join(listed) + "."] if listed else []), *table.notes]
    foot, bottom = foot_lines(said, style, left, right, frame.bottom + 0.4 * s)
    everything = (*marks, *key, *drawn, *names, *frame.marks, *foot)
    title = table.title or f"Bubble plot: {table.names[1]} by {table.names[0]}"
    return Page(wide, bottom + 0.8 * s, everything, tidy(title))


def _frame(table: BubbleTable, style: Style, box: tuple[float, float, float, float]) -> Frame:
    span = float(np.ptp(table.line)) or 1.0
    pairs = [(a, b) for lower, upper in table.bands for a, b in zip(lower, upper, strict=True)]
    low, high = limits_for(
        [table.shown(y) for y in table.y],
        [(table.shown(a), table.shown(b)) for a, b in pairs],
        logarithmic=table.ratio,
    )
    ends = float(table.line[0]) - 0.06 * span, float(table.line[-1]) + 0.06 * span
    return framed(style, Side(*ends, table.names[0]), Side(low, high, table.names[1], table.ratio), box=box)


def _fit(table: BubbleTable, frame: Frame, style: Style) -> list[Mark]:
    """The fitted line over its bands, cut at the frame."""

    def path(values: Array) -> tuple[tuple[float, float], ...]:
        inside = [min(max(table.shown(v), frame.y.low), frame.y.high) for v in values]
        return frame.path([float(a) for a in table.line], inside)

    lower, upper = table.bands[0]
    marks: list[Mark] = [Shape(path(lower) + path(upper)[::-1], style.palette.summary, opacity=0.14)]
    for pair in table.bands[1:]:
        marks += [Line(path(limit), style.palette.prediction, 0.8, (2.0, 1.6)) for limit in pair]
    return [*marks, Line(path(table.fitted), style.palette.summary, 1.4)]


def _key(table: BubbleTable, style: Style) -> list[KeyEntry]:
    level = f"{100 * table.level:g}%"
    entries = [
        KeyEntry("Fitted line", style.palette.summary, "line", 1.4),
        KeyEntry(f"{level} confidence band", style.palette.summary, "band", opacity=0.2),
    ]
    if len(table.bands) > 1:
        entries.append(KeyEntry(f"{level} prediction limits", style.palette.prediction, "line", 0.8, (2.0, 1.6)))
    return entries
