"""The L'Abbé plot: the risk (or rate) in one arm against that in the other, study by study.

L'Abbé KA, Detsky AS, O'Rourke K. Meta-analysis in clinical research. Ann Intern Med 1987;107:224-33
(doi:10.7326/0003-4819-107-2-224). Curves of a constant odds ratio, risk ratio or difference after Song F. Stat Med
1999;18:2077-87 (doi:10.1002/(SICI)1097-0258(19990830)18:16<2077::AID-SIM182>3.0.CO;2-L).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import Frame, KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.labels import Spot, place_labels
from metagrove.plots.marks import Disc, Line, Mark, Page, tidy
from metagrove.plots.model_table import weight_shares
from metagrove.plots.style import Style, style_of

__all__ = ["LabbeTable", "labbe"]


def _odds(p: Array, effect: float) -> Array:
    odds = p / np.maximum(1 - p, 1e-12) * np.exp(effect)
    return np.asarray(odds / (1 + odds))


_CURVES: dict[str, Callable[[Array, float], Array]] = {
    "OR": _odds,
    "PETO": _odds,
    "DOR": _odds,
    "RR": lambda p, effect: np.asarray(p * np.exp(effect)),
    "VE": lambda p, effect: np.asarray(p * np.exp(effect)),
    "IRR": lambda p, effect: np.asarray(p * np.exp(effect)),
    "RD": lambda p, effect: np.asarray(p + effect),
    "IRD": lambda p, effect: np.asarray(p + effect),
    "ASD": lambda p, effect: np.asarray(np.sin(np.clip(np.arcsin(np.sqrt(p)) + effect, 0, np.pi / 2)) ** 2),
    "IRSD": lambda p, effect: np.asarray(np.maximum(np.sqrt(p) + effect, 0) ** 2),
}


@dataclass(frozen=True, slots=True, eq=False)
class LabbeTable:
    """What a L'Abbé plot shows.

    Parameters
    ----------
    labels, first, second, weights : one for each of k studies: risk or rate in the arm on the vertical and in the arm on
        the horizontal axis, and weights in percent; an empty label is not drawn.
    effects : estimates to be drawn as curves, on the analysis scale of `measure`, by name.
    arms : names of the two arms.
    rates : whether these are rates, which may exceed 1.
    """

    labels: tuple[str, ...]
    first: Array
    second: Array
    weights: Array
    measure: str
    effects: tuple[tuple[str, float], ...]
    arms: tuple[str, str]
    rates: bool = False
    title: str = ""

    @property
    def top(self) -> float:
        """The end of both axes."""
        high = 1.06 * float(max(self.first.max(), self.second.max()))
        return high if self.rates else min(1.0, max(high, 1e-6))


def labbe(
    result: Any,
    style: Style | str | None = None,
    *,
    labels: bool | None = None,
    arms: tuple[str, str] = ("experimental arm", "control arm"),
    title: str = "",
) -> Drawing:
    """The L'Abbé plot of an analysis of two arms counted as events.

    Parameters
    ----------
    result : of `metabin` or `metainc`, `rma_mh`, `rma_peto` or `rma_glmm` with two arms.
    labels : whether bubbles carry their labels; None does so for up to 15 studies.
    arms : what the arms are called, the one on the vertical axis first.

    Raises
    ------
    MethodError : a result without the events of two arms.
    """
    table = _of_meta(result, arms) if hasattr(result, "studies") else _of_counts(result, arms)
    named = len(table.labels) <= 15 if labels is None else labels
    shown = table.labels if named else ("",) * len(table.labels)
    look = style_of(style)
    drawn = LabbeTable(
        shown, table.first, table.second, table.weights, table.measure, table.effects, arms, table.rates, title
    )
    rows = tuple(
        {"label": label, arms[0]: float(a), arms[1]: float(b), "weight": float(w)}
        for label, a, b, w in zip(table.labels, table.first, table.second, table.weights, strict=True)
    )
    return Drawing(lambda width: _page(drawn, look, width), look, rows)


def _of_meta(result: Any, arms: tuple[str, str]) -> LabbeTable:
    columns, s = result.pooled.columns, result.settings
    size = "n" if "n_e" in columns and "time_e" not in columns else "time"
    if "event_e" not in columns or f"{size}_e" not in columns:
        raise MethodError("a L'Abbé plot needs events in two arms; this analysis has none")
    first, second = (np.asarray(columns[f"event_{a}"] / columns[f"{size}_{a}"], dtype=float) for a in ("e", "c"))
    models = [name for name in ("common", "random") if getattr(s, name)]
    effects = tuple((f"{name.capitalize()} effect", float(getattr(result.fit, name).TE)) for name in models)
    w = np.asarray(result.fit.w_random if s.random else result.fit.w_common, dtype=float)
    w = w if np.isfinite(w).all() else 1 / result.pooled.seTE**2
    weights = np.asarray(100 * w / w.sum())
    return LabbeTable(result.pooled.studlab, first, second, weights, s.sm, effects, arms, size == "time")


def _of_counts(result: Any, arms: tuple[str, str]) -> LabbeTable:
    counts = getattr(getattr(result, "source", None), "counts", None)
    named = counts.columns() if counts is not None else {}
    weights = weight_shares(result) if named else np.empty(0)
    effects = (("Pooled effect", float(np.ravel(result.b)[0])),) if np.size(getattr(result, "b", ())) == 1 else ()
    if {"a", "b", "c", "d"} <= set(named):
        first, second = named["a"] / (named["a"] + named["b"]), named["c"] / (named["c"] + named["d"])
        return LabbeTable(result.slab, first, second, weights, result.measure, effects, arms)
    if {"x1", "x2", "t1", "t2"} <= set(named):
        first, second = named["x1"] / named["t1"], named["x2"] / named["t2"]
        return LabbeTable(result.slab, first, second, weights, result.measure, effects, arms, True)
    raise MethodError("a L'Abbé plot needs events in two arms; this result has none")


def _page(table: LabbeTable, style: Style, width: float | None) -> Page:
    s = style.size
    wide = max(width if width is not None else 42 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(table.title, style, left, right, 0.8 * s)
    key, top = key_rows(_key(table, style), style, left, right, top)
    what = "Rate" if table.rates else "Risk"
    start = -0.06 * table.top  # air, so that bubbles at 0 stay off the axes
    across, upward = (Side(start, table.top, f"{what}, {arm}") for arm in table.arms[::-1])
    frame = framed(style, across, upward, box=(left, top + 0.8 * s, right - left, 0.86 * (right - left)))
    lines = _lines(table, frame, style)
    bubbles: list[Mark] = []
    spots = []
    for i in np.argsort(-table.weights):
        x, y = frame.point(float(table.second[i]), float(table.first[i]))
        radius = max(0.8 * s * float(np.sqrt(table.weights[i] / table.weights.max())), 0.22 * s)
        bubbles.append(Disc(x, y, radius, style.palette.square, style.palette.ink, 0.4, 0.45))
        spots.append(Spot(x, y, table.labels[i], radius))
    area = (frame.x.start + 1, frame.y.at(table.top) + 1, frame.x.start + frame.x.length, frame.y.at(start) - 1)
    names, listed = place_labels(spots, style, area, lines)
    foot, bottom = foot_lines(["; ".join(listed) + "."] if listed else [], style, left, right, frame.bottom + 0.4 * s)
    everything = (*marks, *key, *lines, *bubbles, *names, *frame.marks, *foot)
    return Page(wide, bottom + 0.8 * s, everything, tidy(table.title or "L'Abbé plot"))


def _colours(style: Style) -> tuple[tuple[str, tuple[float, ...]], ...]:
    palette = style.palette
    return (palette.common, (4.0, 2.0)), (palette.summary, ())


def _looks(table: LabbeTable, style: Style) -> list[tuple[str, tuple[float, ...]]]:
    common, random = _colours(style)
    return [common if name.startswith("Common") else random for name, _ in table.effects]


def _lines(table: LabbeTable, frame: Frame, style: Style) -> list[Mark]:
    """The line of equal risks, and the curve of each estimate inside the frame."""
    found: list[Mark] = [Line(frame.path((0.0, table.top), (0.0, table.top)), style.palette.reference, 0.7, (2.0, 2.0))]
    curve = _CURVES.get(table.measure)
    x = np.linspace(0.0, table.top, 241)
    for (_, effect), (colour, dash) in zip(table.effects, _looks(table, style), strict=True):
        if curve is None or not np.isfinite(effect):
            continue
        y = curve(x, effect)
        inside = (y >= 0) & (y <= table.top)
        if inside.sum() > 1:
            found.append(Line(frame.path(x[inside].tolist(), y[inside].tolist()), colour, 1.2, dash))
    return found


def _key(table: LabbeTable, style: Style) -> list[KeyEntry]:
    entries = [KeyEntry("No effect", style.palette.reference, "line", 0.7, (2.0, 2.0))]
    if table.measure in _CURVES:
        looks = _looks(table, style)
        entries += [KeyEntry(n, c, "line", 1.2, d) for (n, _), (c, d) in zip(table.effects, looks, strict=True)]
    return entries
