"""The radial (Galbraith) plot: standardised effects against precision, where a slope is an effect.

Galbraith RF. A note on graphical presentation of estimated odds ratios from several clinical trials. Stat Med
1988;7:889-94 (doi:10.1002/sim.4780070807).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.scales import SCALES
from metagrove.core.values import Array
from metagrove.plots.axes import Axis, fitting_ticks, tick_texts
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import Frame, KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.labels import Spot, place_labels
from metagrove.plots.marks import CAPITAL, Disc, Line, Mark, Page, Shape, Text, text_width, tidy
from metagrove.plots.model_table import one_mean
from metagrove.plots.reported_scale import Shown, shown_scale
from metagrove.plots.style import Style, style_of

__all__ = ["RadialTable", "galbraith", "radial"]


@dataclass(frozen=True, slots=True, eq=False)
class RadialTable:
    """What a radial plot shows: effects with the standard errors that weigh them, and the estimate with its limits.

    `labels`, `effect`, `se` : one for each of k studies, on the analysis scale; `se` includes the between-study
    variance where the model has one. `estimate` : middle, lower and upper. `shown` : how effects are written.
    """

    labels: tuple[str, ...]
    effect: Array
    se: Array
    estimate: tuple[float, float, float]
    shown: Shown
    notes: tuple[str, ...] = ()
    title: str = ""


def radial(
    result: Any,
    style: Style | str | None = None,
    *,
    model: str = "",
    labels: bool | None = None,
    ratio: bool | None = None,
    title: str = "",
) -> Drawing:
    """The radial plot of a meta-analysis with one mean; its right axis reads off the effect of any study.

    Parameters
    ----------
    result : of a meta door, `rma`, `rma_mh` or `rma_peto`.
    model : of the meta doors: "common" or "random"; "" takes the common one where the analysis shows it.
    labels : whether points carry their labels; None does so for up to 15 studies.
    ratio : of `rma`: whether effects are logarithms of ratios, written as ratios; None decides by the measure.

    Raises
    ------
    MethodError : a model with moderators, or one without an estimate.
    """
    table = _of_meta(result, model) if hasattr(result, "studies") else _of_model(result, ratio)
    look = style_of(style)
    named = len(table.labels) <= 15 if labels is None else labels
    rows = tuple(
        {"label": label, "precision": float(1 / se), "standardised": float(y / se), "TE": float(y)}
        for label, y, se in zip(table.labels, table.effect, table.se, strict=True)
    )
    drawn = RadialTable(
        table.labels if named else ("",) * len(table.labels),
        table.effect, table.se, table.estimate, table.shown, table.notes, title,
    )  # fmt: skip
    return Drawing(lambda width: _page(drawn, look, width), look, rows)


galbraith = radial


def _of_meta(result: Any, model: str) -> RadialTable:
    s = result.settings
    which = model or ("common" if s.common else "random")
    if which not in ("common", "random"):
        raise MethodError(f"model is '{which}'; known: common, random")
    tau2 = result.fit.tau2.value if which == "random" and np.isfinite(result.fit.tau2.value) else 0.0
    found = getattr(result.fit, which)
    code = s.sm if s.sm in SCALES else ""

    class _Measured:
        measure = code

    note = f"Standard errors include the between-study variance (τ² = {tau2:.4f})." if tau2 > 0 else ""
    return RadialTable(
        result.pooled.studlab,
        result.pooled.TE,
        np.sqrt(result.pooled.seTE**2 + tau2),
        (found.TE, found.lower, found.upper),
        shown_scale(_Measured()),
        (note,) if note else (),
    )


def _of_model(result: Any, ratio: bool | None) -> RadialTable:
    if not one_mean(result) or not hasattr(result, "yi") or np.size(getattr(result, "tau2", 0.0)) > 1:
        raise MethodError("a radial plot shows effects around one mean of independent studies; this model has none")
    y, v = np.asarray(result.yi, dtype=float), np.asarray(result.vi, dtype=float)
    tau2 = float(np.ravel(getattr(result, "tau2", 0.0))[0])
    keep = np.isfinite(y) & (v > 0)
    labels = tuple(label for label, there in zip(result.slab, keep, strict=True) if there)
    ends = [float(np.ravel(part)[0]) for part in (result.b, result.ci_lb, result.ci_ub)]
    note = f"Standard errors include the between-study variance (τ² = {tau2:.4f})." if tau2 > 0 else ""
    return RadialTable(
        labels, y[keep], np.sqrt(v[keep] + tau2), (ends[0], ends[1], ends[2]), shown_scale(result, ratio),
        (note,) if note else (),
    )  # fmt: skip


def _page(table: RadialTable, style: Style, width: float | None) -> Page:
    s = style.size
    wide = max(width if width is not None else 46 * s, 32 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(table.title, style, left, right, 0.8 * s)
    key, top = key_rows(_key(style), style, left, right, top)
    x, y = 1 / table.se, table.effect / table.se
    reach = 1.08 * float(x.max())
    ends = [e * reach for e in table.estimate if np.isfinite(e)]
    low, high = min(0.0, *(y - 0.6), *ends, -2.5), max(0.0, *(y + 0.6), *ends, 2.5)
    pad = 0.04 * (high - low)
    room = 6.4 * s
    box = (left, top + 0.8 * s, right - left - room, 0.72 * (right - left - room))
    across = Side(0.0, reach, "Precision (1 / standard error)")
    frame = framed(style, across, Side(low - pad, high + pad, "Effect / standard error"), box=box)
    drawn = _rays(table, frame, style, reach)
    spots = [
        Spot(*frame.point(float(a), float(b)), table.labels[i], 0.36 * s)
        for i, (a, b) in enumerate(zip(x, y, strict=True))
    ]
    order = np.argsort(-x)
    dots = [Disc(spots[i].x, spots[i].y, 0.36 * s, style.palette.square, "#ffffff", 0.4, 0.9) for i in order]
    area = (frame.x.start + 2, frame.y.at(high + pad) + 1, frame.x.start + frame.x.length, frame.y.at(low - pad) - 1)
    names, listed = place_labels([spots[i] for i in order], style, area, drawn)
    right_axis = _effect_axis(table, frame, style, reach, right)
    foot, bottom = foot_lines(
        [*(["; ".join(listed) + "."] if listed else []), *table.notes], style, left, right, frame.bottom + 0.4 * s
    )
    everything = (*marks, *key, *drawn, *dots, *names, *frame.marks, *right_axis, *foot)
    return Page(wide, bottom + 0.8 * s, everything, tidy(table.title or "Radial plot"))


def _clipped(frame: Frame, points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    return tuple(frame.point(a, min(max(b, frame.y.low), frame.y.high)) for a, b in points)


def _rays(table: RadialTable, frame: Frame, style: Style, reach: float) -> list[Mark]:
    """The ray of the estimate with its limits, the band of ± 1.96 around it, and the ray of no effect."""
    middle, lower, upper = table.estimate
    palette = style.palette
    x = np.linspace(0.0, reach, 61)

    def line(slope: float, shift: float = 0.0) -> list[tuple[float, float]]:
        return [(float(a), float(slope * a + shift)) for a in x]

    band = _clipped(frame, line(middle, 1.96)) + _clipped(frame, line(middle, -1.96))[::-1]
    marks: list[Mark] = [Shape(band, palette.faint)]
    zero = _clipped(frame, [(0.0, 0.0), (reach, 0.0)])
    marks.append(Line(zero, palette.reference, 0.6, (2.0, 2.0)))
    if np.isfinite(lower) and np.isfinite(upper):
        wedge = _clipped(frame, line(lower)) + _clipped(frame, line(upper))[::-1]
        marks.append(Shape(wedge, palette.summary, opacity=0.18))
    marks.append(Line(_clipped(frame, [(0.0, 0.0), (reach, middle * reach)]), palette.summary, 1.2))
    return marks


def _effect_axis(table: RadialTable, frame: Frame, style: Style, reach: float, right: float) -> list[Mark]:
    """The axis at the right: the effect whose ray passes there."""
    s, shown, colour = style.size, table.shown, style.palette.ink
    place = frame.x.start + frame.x.length + 0.9 * s
    ends = shown.back(frame.y.low / reach), shown.back(frame.y.high / reach)
    low, high = min(ends), max(ends)
    upright = Axis(low, high, 0.0, abs(frame.y.length), shown.ratio)
    ticks = fitting_ticks(upright, s, texts=lambda t: ["0"] * len(t), most=8, gap=1.4)
    back_low, back_high = ends
    marks: list[Mark] = [Line(((place, frame.y.start), (place, frame.y.start + frame.y.length)), colour, 0.6)]
    widest = 0.0
    grid = np.linspace(frame.y.low / reach, frame.y.high / reach, 2001)
    values = np.array([shown.back(float(g)) for g in grid])
    for tick, words in zip(ticks, tick_texts(ticks, logarithmic=shown.ratio), strict=True):
        order = np.argsort(values)
        analysis = float(np.interp(tick, values[order], grid[order]))
        y = frame.y.at(analysis * reach)
        marks.append(Line(((place, y), (place + 0.35 * s, y)), colour, 0.6))
        marks.append(Text(place + 0.6 * s, y + CAPITAL / 2 * s, words, s, colour))
        widest = max(widest, text_width(words, s))
    middle = frame.y.start + frame.y.length / 2
    spot = min(place + 1.0 * s + widest + 1.0 * s, right)
    marks.append(Text(spot, middle, table.shown.name, s, colour, anchor="middle", turn=90))
    return marks if back_low != back_high else []


def _key(style: Style) -> list[KeyEntry]:
    palette = style.palette
    return [
        KeyEntry("Pooled estimate", palette.summary, "line", 1.2),
        KeyEntry("its limits", palette.summary, "band", opacity=0.18),
        KeyEntry("± 1.96", palette.faint, "band"),
        KeyEntry("No effect", palette.reference, "line", 0.6, (2.0, 2.0)),
    ]
