"""Two views of p-values: the p-curve of significant studies, and the selection that a model found.

Simonsohn U, Nelson LD, Simmons JP. P-curve: a key to the file-drawer. J Exp Psychol Gen 2014;143:534-47
(doi:10.1037/a0033242). Selection functions after Hedges LV. Stat Sci 1992;7:246-55 (doi:10.1214/ss/1177011364).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.marks import Disc, Line, Mark, Page, Text, tidy
from metagrove.plots.style import Style, style_of
from metagrove.pooling.bias.p_curve import expected_shares
from metagrove.pooling.bias.selection_functions import SELECTION_FUNCTIONS, step_function

if TYPE_CHECKING:
    from metagrove.pooling.bias.p_curve import PCurve
    from metagrove.pooling.bias.selection import SelectionModel

__all__ = ["p_curve_plot", "selection_plot"]

_BINS = np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05])


def p_curve_plot(found: PCurve, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """The shares of significant p-values in five classes, with those that no effect and a third of power would give."""
    look = style_of(style)
    p = np.asarray(found.pvalues, dtype=float)
    p = p[p < 0.05]
    if p.size == 0:
        raise DataError("no study is significant at 0.05; there is no p-curve to draw")
    shares = 100 * np.histogram(p, _BINS)[0] / p.size
    third = 100 * expected_shares(1 / 3, _BINS)
    rows = tuple(
        {"class": f"{low:.2f} to {high:.2f}", "observed": float(a), "no_effect": 20.0, "power_33": float(b)}
        for low, high, a, b in zip(_BINS[:-1], _BINS[1:], shares, third, strict=True)
    )
    fitted = 100 * expected_shares(found.power, _BINS)
    rows = tuple({**row, "power_estimated": float(c)} for row, c in zip(rows, fitted, strict=True))
    return Drawing(lambda width: _curve_page(shares, (third, fitted), found, look, width, title), look, rows)


def _curve_page(
    shares: Array, curves: tuple[Array, Array], found: PCurve, style: Style, width: float | None, title: str
) -> Page:
    s, palette, (third, fitted) = style.size, style.palette, curves
    wide = max(width if width is not None else 44 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(title, style, left, right, 0.8 * s)
    entries = [
        KeyEntry("Observed", palette.summary, "line", 1.4),
        KeyEntry("No effect", palette.prediction, "line", 0.9, (1.5, 1.5)),
        KeyEntry("33% power", palette.reference, "line", 0.9, (4.0, 2.0)),
        KeyEntry(f"{100 * found.power:.0f}% power (estimated)", palette.common, "line", 1.2),
    ]
    key, top = key_rows(entries, style, left, right, top)
    x = (0.01, 0.02, 0.03, 0.04, 0.05)
    high = 1.12 * max(float(shares.max()), float(third.max()), float(fitted.max()), 20.0)
    frame = framed(
        style,
        Side(0.006, 0.054, "p-value", texts=lambda ticks: [f"{tick:.2f}" for tick in ticks], ticks=x),
        Side(0.0, high, "Share of significant studies (%)"),
        box=(left, top + 0.8 * s, right - left, 0.6 * (right - left)),
    )
    drawn: list[Mark] = [
        Line(frame.path(x, [20.0] * 5), palette.prediction, 0.9, (1.5, 1.5)),
        Line(frame.path(x, third.tolist()), palette.reference, 0.9, (4.0, 2.0)),
        Line(frame.path(x, fitted.tolist()), palette.common, 1.2),
        Line(frame.path(x, shares.tolist()), palette.summary, 1.4),
    ]
    places = [frame.point(a, float(b)) for a, b in zip(x, shares, strict=True)]
    drawn += [Disc(px, py, 0.34 * s, palette.summary, "#ffffff", 0.5) for px, py in places]
    drawn += [
        Text(px, py - 0.7 * s, f"{value:.0f}%", 0.88 * s, palette.muted, anchor="middle", over=True)
        for (px, py), value in zip(places, shares, strict=True)
    ]
    said = f"{found.k_significant} of {found.k} studies are significant; {found.k_half} with p < 0.025."
    foot, bottom = foot_lines([said], style, left, right, frame.bottom + 0.4 * s)
    return Page(wide, bottom + 0.8 * s, (*marks, *key, *drawn, *frame.marks, *foot), tidy(title or "P-curve"))


def selection_plot(found: SelectionModel, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """The relative chance of publication by p-value that the selection model found; 1 is the chance it is measured by."""
    look = style_of(style)
    function = step_function(found.steps) if found.type == "stepfun" else SELECTION_FUNCTIONS[found.type]
    p = np.linspace(0.005, 0.995, 991)
    log_weight = np.asarray(function.log_weight(p, np.asarray(found.delta, dtype=float), np.ones_like(p))[0])
    w = np.exp(log_weight - (0.0 if found.type == "stepfun" else float(log_weight.max())))
    rows = tuple({"p": float(a), "weight": float(b)} for a, b in zip(p[::25], w[::25], strict=True))
    return Drawing(lambda width: _selection_page(p, w, found, look, width, title), look, rows)


def _selection_page(p: Array, w: Array, found: Any, style: Style, width: float | None, title: str) -> Page:
    s, palette = style.size, style.palette
    wide = max(width if width is not None else 44 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(title, style, left, right, 0.8 * s)
    side = {"greater": "one-sided, greater", "less": "one-sided, less"}.get(found.alternative, "two-sided")
    frame = framed(
        style,
        Side(0.0, 1.0, f"p-value ({side})"),
        Side(0.0, 1.08 * max(float(w.max()), 1.0), "Relative chance of publication"),
        box=(left, top + 0.8 * s, right - left, 0.6 * (right - left)),
    )
    drawn: list[Mark] = [Line(frame.path((0.0, 1.0), (1.0, 1.0)), palette.reference, 0.6, (2.0, 2.0))]
    drawn.append(Line(frame.path(p.tolist(), w.tolist()), palette.summary, 1.4))
    said = list(found.notes)
    foot, bottom = foot_lines(said, style, left, right, frame.bottom + 0.4 * s)
    return Page(wide, bottom + 0.8 * s, (*marks, *drawn, *frame.marks, *foot), tidy(title or "Selection function"))
