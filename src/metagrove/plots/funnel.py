"""Funnel plots: effects against standard errors, with regions of significance and Egger's line, and their cautions.

Sterne JAC, Sutton AJ, Ioannidis JPA, et al. Recommendations for examining and interpreting funnel plot asymmetry.
BMJ 2011;343:d4002 (doi:10.1136/bmj.d4002). Regions after Peters JL, Sutton AJ, Jones DR, et al. Contour-enhanced
meta-analysis funnel plots. J Clin Epidemiol 2008;61:991-6 (doi:10.1016/j.jclinepi.2007.11.010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.scales import SCALES, scale
from metagrove.core.values import Array
from metagrove.plots.axes import Axis, tick_texts
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import Frame, KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.labels import Spot, place_labels
from metagrove.plots.marks import Disc, Line, Mark, Page, Shape, tidy
from metagrove.plots.model_table import one_mean
from metagrove.plots.reported_scale import shown_scale
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.bias.trim_fill import TrimFill
    from metagrove.pooling.counts.glmm_result import GlmmResult
    from metagrove.pooling.counts.results import CountResult
    from metagrove.pooling.multilevel.models import MixedModel
    from metagrove.pooling.regression.location_scale import LocationScale
    from metagrove.pooling.regression.model import Regression
    from metagrove.pooling.regression.robust import Robust
    from metagrove.pooling.results import MetaResult
    from metagrove.pooling.settings import Settings

__all__ = ["FunnelTable", "egger_line", "funnel", "funnel_drawing"]

_FEW = 10
_REGIONS = ((1.6449, "#ffffff"), (1.9600, "#dfe4e9"), (2.5758, "#c9d1d8"))
_P_WORDS = ("p > 0.10", "0.05 < p < 0.10", "0.01 < p < 0.05", "p < 0.01")


@dataclass(frozen=True, slots=True, eq=False)
class FunnelTable:
    """What a funnel plot shows, on the analysis scale.

    Parameters
    ----------
    labels, effect, se : one for each study; standard errors are above 0.
    centre : the pooled estimate; NaN for none.
    name : of the effect, under the axis.
    logarithmic : whether effects are logarithms of ratios, to be written as ratios.
    null : the value of no effect for the regions of significance, None for none.
    line : Egger's line as effect at standard error 0 and slope, None for none.
    labelled : whether points carry their labels where there is room.
    cautions : sentences at the foot.
    added : True for studies that trim and fill added, drawn hollow; empty for none.
    centre_name : of the estimate, in the key.
    upward : what stands on the vertical axis; `se` holds it.
    pseudo : whether limits around the centre are drawn, which only standard errors have.
    """

    labels: tuple[str, ...]
    effect: Array
    se: Array
    centre: float
    name: str
    logarithmic: bool = False
    null: float | None = None
    line: tuple[float, float] | None = None
    labelled: bool = True
    cautions: tuple[str, ...] = ()
    title: str = ""
    added: tuple[bool, ...] = ()
    centre_name: str = "Pooled estimate"
    upward: str = "Standard error"
    pseudo: bool = True

    def __post_init__(self) -> None:
        if not len(self.labels) == self.effect.size == self.se.size or not self.labels:
            raise DataError(f"a funnel plot of {len(self.labels)} labels and {self.effect.size} effects")
        for label, effect, se in zip(self.labels, self.effect, self.se, strict=True):
            if not (isfinite(effect) and 0 < se < float("inf")):
                raise DataError(f"{label}: effect {effect:g} with standard error {se:g} has no place in a funnel plot")

    def records(self) -> list[dict[str, Any]]:
        """The points behind the plot."""
        triples = zip(self.labels, self.effect, self.se, strict=True)
        rows = [{"label": label, "TE": float(te), "seTE": float(se)} for label, te, se in triples]
        return [row | {"added": bool(self.added and self.added[i])} for i, row in enumerate(rows)]


def egger_line(effect: Array, se: Array) -> tuple[float, float] | None:
    """Effect at standard error 0 and slope of Egger's line; None for fewer than 3 studies or equal standard errors.

    The regression of effects on standard errors with weights 1/se², which is Egger's regression of effect/se on 1/se
    drawn in the funnel (Egger M, Davey Smith G, Schneider M, Minder C. BMJ 1997;315:629-34,
    doi:10.1136/bmj.315.7109.629).

    >>> egger_line(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3]))
    (0.0, 10.0)
    """
    if effect.size < 3 or np.ptp(se) < 1e-9 * se.max():
        return None
    w = 1 / se**2
    x, y = w @ se / w.sum(), w @ effect / w.sum()
    slope = float(w @ ((se - x) * (effect - y)) / (w @ (se - x) ** 2))
    return round(float(y - slope * x), 12) + 0.0, round(slope, 12)


def funnel(
    result: MetaResult | Regression | MixedModel | LocationScale | Robust | CountResult | GlmmResult | TrimFill,
    style: Style | str | None = None,
    *,
    model: str = "",
    contours: bool = True,
    egger: bool = True,
    labels: bool | None = None,
    ratio: bool | None = None,
    residuals: bool = False,
    yaxis: str = "sei",
    title: str = "",
) -> Drawing:
    """The funnel plot of a meta-analysis, on its analysis scale; studies added by trim and fill are hollow.

    Parameters
    ----------
    model : "common" or "random", whose estimate is the centre; "" takes the common one where the analysis shows it.
    contours : regions of significance, where the analysis has a value of no effect.
    egger : Egger's line, through the studies that were observed.
    labels : whether points carry their labels; None does so for up to 15 studies.
    ratio : of results of `rma` and its kin: whether effects are logarithms of ratios, to be shown as ratios; None
        decides by the measure where the result knows it.
    residuals : of models: residuals around 0 with their standard errors instead of effects, which is what suits a
        model with moderators.
    yaxis : "sei" (standard errors) or "sqrtninv" (one over the square root of the sample size), which does not depend
        on the effect and so suits proportions (Hunter 2014).

    Raises
    ------
    MethodError : a model with moderators, unless `residuals` are asked for.
    """
    filled: Any = result if type(result).__name__ == "TrimFill" else None
    source: Any = result if filled is None else filled.fit
    added = None if filled is None else np.asarray(filled.trimfill, dtype=bool)
    meta = hasattr(source, "studies")
    if meta:
        table = _of_meta(source, model, contours)
    else:
        inner = getattr(source, "source_model", None) or source
        table = _of_residuals(inner) if residuals else _of_model(source, inner, contours, ratio)
    if yaxis != "sei":
        table = _by_size(table, source, yaxis)
    seen = np.full(len(table.labels), True) if added is None or added.size != len(table.labels) else ~added
    line = egger_line(table.effect[seen], table.se[seen]) if egger and table.pseudo else None
    labelled = len(table.labels) <= 15 if labels is None else labels
    hollow = tuple(bool(v) for v in ~seen)
    return funnel_drawing(replace(table, line=line, labelled=labelled, title=title, added=hollow), style=style)


def _of_meta(result: MetaResult, model: str, contours: bool) -> FunnelTable:
    pooled, s = result.pooled, result.settings
    which = model or ("common" if s.common else "random")
    if which not in ("common", "random"):
        raise UnknownName("model", which, ("common", "random"))
    null = s.null_effect if contours and s.null_effect is not None and isfinite(s.null_effect) else None
    name = result.scale.label if result.scale.ratio or not result.scale.transformed else _scale_name(s)
    proportion = scale(s.sm).label in ("Proportion", "Survival", "Incidence rate")
    return FunnelTable(
        pooled.studlab,
        pooled.TE,
        pooled.seTE,
        getattr(result.fit, which).TE,
        name,
        result.scale.ratio,
        null,
        cautions=_cautions(result.k, proportion),
        centre_name=f"Pooled estimate ({which})",
    )


def _of_model(result: Any, source: Any, contours: bool, ratio: bool | None) -> FunnelTable:
    """The effects of a linear model or of counts around its mean; effects that do not exist are left out."""
    if not one_mean(source):
        raise MethodError("a funnel plot shows effects around one mean; this model has moderators (residuals=True)")
    shown = shown_scale(source, ratio)
    y, se = np.asarray(source.yi, dtype=float), np.sqrt(np.asarray(source.vi, dtype=float))
    there = np.isfinite(y) & np.isfinite(se)
    transformed = shown.ratio or shown.reference is not None
    name = shown.name if transformed else shown_scale(source, False).name
    proportion = str(getattr(source, "measure", "")) in _ONE_ARM
    null = 0.0 if contours and transformed else None
    labels = tuple(label for label, keep in zip(source.slab, there, strict=True) if keep)
    cautions = _cautions(int(there.sum()), proportion)
    if not there.all():
        missing = [label for label, keep in zip(source.slab, there, strict=True) if not keep]
        cautions = (*cautions, f"Without an effect of their own: {', '.join(missing)}.")
    centre = float(np.ravel(result.b)[0])
    return FunnelTable(labels, y[there], se[there], centre, name, shown.ratio, null, cautions=cautions)


def _by_size(table: FunnelTable, source: Any, yaxis: str) -> FunnelTable:
    """The funnel against sample sizes: without regions, limits and Egger's line, which rest on standard errors."""
    if yaxis != "sqrtninv":
        raise UnknownName("vertical axis of a funnel plot", yaxis, ("sei", "sqrtninv"))
    columns = source.pooled.columns if hasattr(source, "studies") else {}
    sizes = [np.asarray(columns[name], dtype=float) for name in ("n", "n_e", "n_c") if name in columns]
    if not sizes or len(sizes[0]) != len(table.labels):
        raise MethodError("this analysis does not know its sample sizes; plot against standard errors")
    n = np.sum(sizes, axis=0)
    cautions = tuple(text for text in table.cautions if "Hunter" not in text)
    return replace(table, se=1 / np.sqrt(n), upward="1 / √(sample size)", pseudo=False, null=None, cautions=cautions)


_ONE_ARM = ("PLO", "PLN", "PR", "PAS", "PFT", "IRLN", "IR", "IRS", "IRFT", "PLOGIT", "PRAW")


def _of_residuals(source: Any) -> FunnelTable:
    if not hasattr(type(source), "rstandard"):
        raise MethodError(f"a {type(source).__name__} has no residuals for a funnel plot")
    found = source.rstandard()
    return FunnelTable(
        source.slab, found.resid, found.se, 0.0, "Residual", null=None, cautions=_cautions(source.k, False),
        centre_name="Fitted values",
    )  # fmt: skip


def _scale_name(settings: Settings) -> str:
    title = settings.measured.title if settings.measured else SCALES.entry(settings.sm).title
    return title[0].upper() + title[1:]


def _cautions(k: int, proportion: bool) -> tuple[str, ...]:
    found = []
    if k < _FEW:
        count = "1 study" if k == 1 else f"{k} studies"
        found.append(
            f"Caution: {count}. With fewer than {_FEW}, asymmetry can hardly be told from chance (Sterne 2011)."
        )
    if proportion:
        found.append(
            "Caution: the standard error of a proportion or rate depends on the proportion or rate itself, so that a "
            "funnel can lean without any bias (Hunter 2014, doi:10.1016/j.jclinepi.2014.03.003)."
        )
    return tuple(found)


def funnel_drawing(table: FunnelTable, *, style: Style | str | None = None) -> Drawing:
    """The funnel plot of a table."""
    look = style_of(style)
    return Drawing(lambda width: funnel_page(table, look, width), look, tuple(table.records()))


def funnel_page(table: FunnelTable, style: Style, width: float | None = None) -> Page:
    """The funnel composed for a page `width` points wide, 30 ems at least."""
    s = style.size
    wide = max(width if width is not None else 46 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, y = title_lines(table.title, style, left, right, 0.8 * s)
    key, y = key_rows(_key(table, style), style, left, right, y)
    deepest = 1.06 * float(table.se.max())
    low, high = _reach(table, deepest)
    across = Side(*_shown(table, low, high), table.name, table.logarithmic)
    upward = Side(deepest, 0.0, table.upward)
    frame = _framed(style, across, upward, (left, y + 0.8 * s, right - left, 0.62 * (right - left)))
    ground = _regions(table, frame, deepest, (low, high))
    lines = _lines(table, frame, style, deepest, (low, high))
    points = [_dot(table, i, frame, style) for i in range(len(table.labels))]
    names, unnamed = _names(table, frame, style, lines) if table.labelled else ([], [])
    said = ["; ".join(unnamed) + "."] if unnamed else []
    foot, y = foot_lines([*said, *table.cautions], style, left, right, frame.bottom + 0.4 * s)
    everything = (*ground, *marks, *key, *lines, *points, *names, *frame.marks, *foot)
    return Page(wide, y + 0.8 * s, everything, tidy(table.title or f"Funnel plot: {table.name}"))


def _dot(table: FunnelTable, i: int, frame: Frame, style: Style) -> Disc:
    x, y = frame.point(_one(table, float(table.effect[i])), float(table.se[i]))
    if table.added and table.added[i]:
        return Disc(x, y, 0.36 * style.size, "#ffffff", style.palette.square, 0.9)
    return Disc(x, y, 0.36 * style.size, style.palette.square, "#ffffff", 0.4, 0.9)


def _one(table: FunnelTable, value: float) -> float:
    return exp(min(max(value, -600.0), 600.0)) if table.logarithmic else value


def _shown(table: FunnelTable, low: float, high: float) -> tuple[float, float]:
    return _one(table, low), _one(table, high)


def _framed(style: Style, x: Side, y: Side, box: tuple[float, float, float, float]) -> Frame:
    """A frame whose vertical axis starts with 0 at the top."""
    turned = Side(-y.low, 0.0, y.title, texts=lambda ticks: tick_texts([abs(t) for t in ticks]))
    frame = framed(style, x, turned, box=box)
    return Frame(frame.x, Axis(0.0, y.low, box[1], box[3]), frame.x_ticks, frame.marks, frame.bottom)


def _reach(table: FunnelTable, deepest: float) -> tuple[float, float]:
    """The ends of the horizontal axis: every point, and the funnel's foot as far as that is not absurdly wide."""
    values = [*table.effect]
    spread = max(float(np.ptp(table.effect)), 2 * float(np.median(table.se)), 1e-9)
    if isfinite(table.centre) and table.pseudo:
        for side in (-1, 1):
            foot = table.centre + side * 1.96 * deepest
            values.append(float(np.clip(foot, table.effect.min() - spread, table.effect.max() + spread)))
    if table.null is not None and abs(table.null - float(np.median(table.effect))) < 3 * spread:
        values.append(table.null)
    pad = max(0.05 * (max(values) - min(values)), 0.1 * spread)
    return min(values) - pad, max(values) + pad


def _regions(table: FunnelTable, frame: Frame, deepest: float, ends: tuple[float, float]) -> list[Mark]:
    """Grounds shaded by the p-value a study would have there, palest around the value of no effect."""
    if table.null is None:
        return []
    low, high = ends
    box = [frame.point(_one(table, x), y) for x, y in ((low, 0), (high, 0), (high, deepest), (low, deepest))]
    marks: list[Mark] = [Shape(tuple(box), "#f0f2f4")]
    for z, fill in reversed(_REGIONS):
        marks.append(Shape(_wedge(table, frame, table.null, z, deepest, ends), fill))
    return marks


def _wedge(
    table: FunnelTable, frame: Frame, apex: float, z: float, deepest: float, ends: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """The triangle |x - apex| < z se, cut at the ends of the axis; a point where it lies outside."""
    edge = [_cut(apex, -z, deepest, ends), _cut(apex, z, deepest, ends)]
    return tuple(frame.point(_one(table, x), y) for x, y in [*edge[0], *reversed(edge[1])])


def _cut(apex: float, slope: float, deepest: float, ends: tuple[float, float]) -> list[tuple[float, float]]:
    """The line x = apex + slope se from the top to `deepest`, running down the end of the axis once it meets it."""
    low, high = ends
    start = min(max(apex, low), high)
    points = [(start, 0.0)]
    points += [(end, (end - apex) / slope) for end in ends if slope and 0 < (end - apex) / slope < deepest]
    points.append((min(max(apex + slope * deepest, low), high), deepest))
    return sorted(points, key=lambda point: point[1])


def _lines(table: FunnelTable, frame: Frame, style: Style, deepest: float, ends: tuple[float, float]) -> list[Mark]:
    """The centre, the pseudo 95% limits around it, and Egger's line, each cut at the frame."""
    found: list[Mark] = []
    drawn: list[tuple[float, float, str, float, tuple[float, ...]]] = []
    if isfinite(table.centre) and ends[0] <= table.centre <= ends[1]:
        drawn.append((table.centre, 0.0, style.palette.summary, 0.9, ()))
        both = (-1.96, 1.96) if table.pseudo else ()
        drawn += [(table.centre, z, style.palette.reference, 0.8, (3.0, 2.0)) for z in both]
    if table.line is not None:
        drawn.append((*table.line, style.palette.prediction, 1.0, (1.5, 1.5)))
    for apex, slope, colour, width, dash in drawn:
        start, end = _inside(apex, slope, deepest, ends)
        if end - start > 1e-12:
            points = [(apex + slope * se, se) for se in (start, end)]
            path = tuple(frame.point(_one(table, x), y) for x, y in points)
            found.append(Line(path, colour, width, dash))
    return found


def _inside(apex: float, slope: float, deepest: float, ends: tuple[float, float]) -> tuple[float, float]:
    """The standard errors between which the line x = apex + slope se lies inside the frame."""
    if slope == 0:
        return (0.0, deepest) if ends[0] <= apex <= ends[1] else (0.0, 0.0)
    a, b = sorted((end - apex) / slope for end in ends)
    return max(0.0, a), min(deepest, b)


def _key(table: FunnelTable, style: Style) -> list[KeyEntry]:
    palette = style.palette
    entries = []
    if isfinite(table.centre):
        entries.append(KeyEntry(table.centre_name, palette.summary, "line", 0.9))
        if table.pseudo:
            entries.append(KeyEntry("Pseudo 95% limits", palette.reference, "line", 0.8, (3.0, 2.0)))
    if table.line is not None:
        entries.append(KeyEntry("Egger's line", palette.prediction, "line", 1.0, (1.5, 1.5)))
    if any(table.added):
        entries.append(KeyEntry("Added by trim and fill", palette.square, "ring"))
    if table.null is not None:
        fills = [fill for _, fill in _REGIONS] + ["#f0f2f4"]
        entries += [KeyEntry(words, fill, "box") for words, fill in zip(_P_WORDS, fills, strict=True)]
    return entries


def _names(table: FunnelTable, frame: Frame, style: Style, lines: Sequence[Mark]) -> tuple[list[Mark], list[str]]:
    """Labels beside the points, clear of lines and of each other."""
    order = np.argsort(table.se)
    dots = [_dot(table, int(i), frame, style) for i in order]
    spots = [Spot(dot.x, dot.y, table.labels[i], dot.r) for dot, i in zip(dots, order, strict=True)]
    area = (frame.x.start + 1, frame.y.start + 1, frame.x.start + frame.x.length, frame.y.start + frame.y.length - 1)
    return place_labels(spots, style, area, lines)
