"""The drapery plot: p-values of every possible null hypothesis, for each study and for the pooled effect.

Rücker G, Schwarzer G. Beyond the forest plot: the drapery plot. Res Synth Methods 2021;12:13-19
(doi:10.1002/jrsm.1410). P-value functions: Infanger D, Schmidt-Trucksäss A. Stat Med 2019;38:4189-97
(doi:10.1002/sim.8293).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import Frame, KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.labels import Spot, place_labels
from metagrove.plots.marks import Line, Mark, Page, Shape, tidy
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.results import MetaResult

__all__ = ["DraperyTable", "drapery"]

_POINTS = 401


@dataclass(frozen=True, slots=True, eq=False)
class DraperyTable:
    """What a drapery plot shows: the effects tried, and the p-value of each for studies and pooled effects.

    Parameters
    ----------
    x : shape (m,), null hypotheses on the analysis scale; `shown` the same on the reporting scale.
    labels, effect, curves : of k studies: label ("" is not drawn), effect on the reporting scale, p-values (k, m).
    pooled : name and p-values (m,) of each pooled effect.
    predicted : limits of prediction on the reporting scale, or None.
    level : coverage of the limits that the horizontal line marks.
    """

    x: Array
    shown: Array
    labels: tuple[str, ...]
    effect: Array
    curves: Array
    pooled: tuple[tuple[str, Array], ...]
    name: str
    logarithmic: bool
    reference: float | None
    predicted: tuple[float, float] | None
    level: float
    title: str = ""


def _two_sided(x: Array, middle: float, se: float, df: float) -> Array:
    from scipy import special

    z = -np.abs(x - middle) / se
    return np.asarray(2 * (special.ndtr(z) if not np.isfinite(df) else special.stdtr(df, z)))


def drapery(
    result: MetaResult, style: Style | str | None = None, *, labels: bool | None = None, title: str = ""
) -> Drawing:
    """The drapery plot of a meta-analysis: where a curve crosses 1 - level are the limits of its interval.

    `labels` says whether studies carry their labels; None does so for up to 10 studies.

    Raises
    ------
    MethodError : a scale whose back-transform depends on the sample size (PFT, IRFT), or a result without studies.
    """
    if not hasattr(result, "studies"):
        raise MethodError("a drapery plot needs the result of a meta door (metagen, metabin, metaprop, ...)")
    if result.scale.needs_n:
        raise MethodError(f"a drapery plot needs a scale that does not depend on sample sizes; '{result.sm}' does")
    named = len(result.pooled.studlab) <= 10 if labels is None else labels
    table = _table(result, named, title)
    look = style_of(style)
    names = [*result.pooled.studlab, *(name for name, _ in table.pooled)]
    curves = np.vstack([table.curves, *(p for _, p in table.pooled)])
    rows = tuple(
        {"curve": name, "effect": float(x), "p": float(p)}
        for name, curve in zip(names, curves, strict=True)
        for x, p in zip(table.shown[::8], curve[::8], strict=True)
    )
    return Drawing(lambda width: _page(table, look, width), look, rows)


def _table(result: Any, named: bool, title: str) -> DraperyTable:
    studies, s = result.pooled, result.settings
    models = [name for name in ("common", "random") if getattr(s, name)]
    fits = [(name, getattr(result.fit, name)) for name in models]
    fits = [(name, fit) for name, fit in fits if fit.seTE > 0 and np.isfinite(fit.seTE)]
    inner = [(fit.TE - 3.3 * fit.seTE, fit.TE + 3.3 * fit.seTE) for _, fit in fits]
    spread = float(np.ptp(studies.TE)) + 2 * float(np.median(studies.seTE))
    middle = float(np.median(studies.TE))
    low = min([float(studies.TE.min()) - 1.2 * float(np.median(studies.seTE)), *(a for a, _ in inner)])
    high = max([float(studies.TE.max()) + 1.2 * float(np.median(studies.seTE)), *(b for _, b in inner)])
    null = s.null_effect
    if np.isfinite(null) and abs(null - middle) < 2 * spread:
        low, high = min(low, null - 0.05 * spread), max(high, null + 0.05 * spread)
    x = np.linspace(low, high, _POINTS)
    shown = np.asarray(result.back.at(x, np.nan), dtype=float)
    curves = np.array([_two_sided(x, te, se, np.inf) for te, se in zip(studies.TE, studies.seTE, strict=True)])
    pooled = tuple((name, _two_sided(x, fit.TE, fit.seTE, fit.df)) for name, fit in fits)
    predicted = None
    if s.prediction and np.isfinite(result.predicted.lower):
        a, b = (float(result.back.at(v, np.nan)) for v in (result.predicted.lower, result.predicted.upper))
        predicted = min(a, b), max(a, b)
    reference = float(result.back.at(null, np.nan)) if np.isfinite(null) else None
    return DraperyTable(
        x, shown, studies.studlab if named else ("",) * len(studies.studlab),
        np.asarray(result.back.at(studies.TE, np.nan), dtype=float), curves, pooled, result.scale.label,
        result.scale.ratio, reference, predicted, s.level_ma, title,
    )  # fmt: skip


def _page(table: DraperyTable, style: Style, width: float | None) -> Page:
    s = style.size
    wide = max(width if width is not None else 50 * s, 32 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(table.title, style, left, right, 0.8 * s)
    key, top = key_rows(_key(table, style), style, left, right, top)
    low, high = float(min(table.shown[0], table.shown[-1])), float(max(table.shown[0], table.shown[-1]))
    ticks = tuple(sorted({0.0, 0.2, 0.4, 0.6, 0.8, 1.0}))
    frame = framed(
        style,
        Side(low, high, table.name, table.logarithmic),
        Side(0.0, 1.0, "p-value", ticks=ticks),
        box=(left, top + 1.8 * s, right - left, 0.62 * (right - left)),
    )
    drawn = _drapes(table, frame, style)
    spots = [
        Spot(*frame.point(float(x), 1.0), label, 0.1) for label, x in zip(table.labels, table.effect, strict=True)
        if label and low <= x <= high
    ]  # fmt: skip
    area = (frame.x.start, frame.y.at(1.0) - 1.7 * s, frame.x.start + frame.x.length, frame.y.at(1.0) + 1.0)
    names, listed = place_labels(spots, style, area, ())
    note = (
        f"Dotted: p = {1 - table.level:.2g}, where each curve meets the limits of its {100 * table.level:g}% interval."
    )
    said = [*(["; ".join(listed) + "."] if listed else []), note]
    foot, bottom = foot_lines(said, style, left, right, frame.bottom + 0.4 * s)
    everything = (*marks, *key, *drawn, *names, *frame.marks, *foot)
    return Page(wide, bottom + 0.8 * s, everything, tidy(table.title or f"Drapery plot: {table.name}"))


def _drapes(table: DraperyTable, frame: Frame, style: Style) -> list[Mark]:
    palette = style.palette
    found: list[Mark] = []
    if table.predicted is not None:
        a, b = (min(max(v, frame.x.low), frame.x.high) for v in table.predicted)
        corners = tuple(frame.point(x, y) for x, y in ((a, 0.0), (b, 0.0), (b, 1.0), (a, 1.0)))
        found.append(Shape(corners, palette.prediction, opacity=0.10))
    if table.reference is not None and frame.x.low <= table.reference <= frame.x.high:
        found.append(Line(frame.path((table.reference,) * 2, (0.0, 1.0)), palette.reference, 0.6))
    found.append(
        Line(frame.path((frame.x.low, frame.x.high), (1 - table.level,) * 2), palette.reference, 0.6, (1.2, 1.8))
    )
    x = table.shown.tolist()
    found += [Line(frame.path(x, curve.tolist()), palette.common, 0.5) for curve in table.curves]
    for name, curve in table.pooled:
        colour = palette.summary if name == "random" else palette.prediction
        found.append(Line(frame.path(x, curve.tolist()), colour, 1.6))
    return found


def _key(table: DraperyTable, style: Style) -> list[KeyEntry]:
    palette = style.palette
    entries = [KeyEntry("Studies", palette.common, "line", 0.5)]
    for name, _ in table.pooled:
        colour = palette.summary if name == "random" else palette.prediction
        entries.append(KeyEntry(f"{name.capitalize()} effect" + ("s" if name == "random" else ""), colour, "line", 1.6))
    if table.predicted is not None:
        entries.append(KeyEntry("Prediction interval", palette.prediction, "band", opacity=0.14))
    return entries
