"""The normal quantile plot of standardised residuals, with a band in which the points of a fitting model lie.

Wang MC, Bushman BJ. Using the normal quantile plot to explore meta-analytic data sets. Psychol Methods 1998;3:46-54
(doi:10.1037/1082-989X.3.1.46). The band holds each order statistic of normal residuals with the stated chance (Beta
quantiles; David HA, Nagaraja HN. Order Statistics. 2003. doi:10.1002/0471722162).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.labels import Spot, place_labels
from metagrove.plots.marks import Disc, Line, Mark, Page, Shape, tidy
from metagrove.plots.style import Style, style_of

__all__ = ["QuantileTable", "qqnorm"]


@dataclass(frozen=True, slots=True, eq=False)
class QuantileTable:
    """What a normal quantile plot shows: ordered residuals, the quantiles expected of them, and the band (k,) each."""

    labels: tuple[str, ...]
    residuals: Array
    expected: Array
    lower: Array
    upper: Array
    name: str
    level: float
    title: str = ""

    @property
    def outside(self) -> tuple[str, ...]:
        """Studies beyond the band."""
        out = (self.residuals < self.lower) | (self.residuals > self.upper)
        return tuple(label for label, far in zip(self.labels, out, strict=True) if far)


def qqnorm(
    result: Any,
    style: Style | str | None = None,
    *,
    type: str = "rstandard",  # noqa: A002
    level: float = 0.95,
    title: str = "",
) -> Drawing:
    """The normal quantile plot of a model's residuals; studies outside the band are named.

    Parameters
    ----------
    result : of `rma`, `rma_mv` or a meta door that pools by inverse variance.
    type : "rstandard" or "rstudent" (deleted) residuals.
    level : the chance of each point to lie in the band (95 is 0.95).

    Raises
    ------
    MethodError : fewer than three residuals, or a model without them.
    """
    if type not in ("rstandard", "rstudent"):
        raise UnknownName("type of residuals", type, ("rstandard", "rstudent"))
    share = level / 100 if level > 1 else level
    if not 0 < share < 1:
        raise MethodError(f"level is {level}; a level lies between 0 and 1, such as 0.95")
    z = np.asarray(_residuals(result, type), dtype=float)
    keep = np.isfinite(z)
    labels = getattr(result, "slab", None) or result.pooled.studlab
    if keep.sum() < 3:
        raise MethodError(f"{int(keep.sum())} residuals; a normal quantile plot needs three at least")
    table = _table(tuple(np.array(labels, dtype=object)[keep]), z[keep], type, share, title)
    look = style_of(style)
    columns = zip(table.labels, table.expected, table.residuals, table.lower, table.upper, strict=True)
    rows = tuple(
        {"label": lab, "expected": float(x), "residual": float(y), "lower": float(a), "upper": float(b)}
        for lab, x, y, a, b in columns
    )
    return Drawing(lambda width: _page(table, look, width), look, rows)


def _residuals(result: Any, kind: str) -> Any:
    ask = getattr(result, kind, None)
    if ask is None:
        raise MethodError(f"a {type(result).__name__} has no {kind}()")
    return ask().z


def _table(labels: tuple[str, ...], z: Array, kind: str, level: float, title: str) -> QuantileTable:
    from scipy import special

    k = z.size
    order = np.argsort(z, kind="stable")
    rank = np.arange(1, k + 1)
    # plotting positions of R's qqnorm (Blom's below eleven points)
    a = 3 / 8 if k <= 10 else 1 / 2
    expected = special.ndtri((rank - a) / (k + 1 - 2 * a))
    tail = (1 - level) / 2
    lower = np.asarray(special.ndtri(special.betaincinv(rank, k - rank + 1, tail)), dtype=float)
    upper = np.asarray(special.ndtri(special.betaincinv(rank, k - rank + 1, 1 - tail)), dtype=float)
    name = "Standardised residual" if kind == "rstandard" else "Deleted standardised residual"
    return QuantileTable(tuple(labels[i] for i in order), z[order], expected, lower, upper, name, level, title)


def _page(table: QuantileTable, style: Style, width: float | None) -> Page:
    s, palette = style.size, style.palette
    wide = max(width if width is not None else 42 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(table.title, style, left, right, 0.8 * s)
    level = f"{100 * table.level:g}%"
    entries = [
        KeyEntry("Normal", palette.summary, "line", 1.0),
        KeyEntry(f"{level} band", palette.summary, "band", opacity=0.14),
    ]
    key, top = key_rows(entries, style, left, right, top)
    x = table.expected
    reach = 1.12 * float(np.abs(x).max())
    high = 1.05 * max(float(np.abs(table.residuals).max()), float(np.abs(table.upper).max()), reach)
    frame = framed(
        style, Side(-reach, reach, "Expected normal quantile"), Side(-high, high, table.name),
        box=(left, top + 0.8 * s, right - left, 0.78 * (right - left)),
    )  # fmt: skip
    band = frame.path(x.tolist(), table.upper.tolist()) + frame.path(x.tolist(), table.lower.tolist())[::-1]
    drawn: list[Mark] = [Shape(band, palette.summary, opacity=0.14)]
    drawn.append(Line(frame.path((-reach, reach), (-reach, reach)), palette.summary, 1.0))
    far = set(table.outside)
    places = [frame.point(float(a), float(b)) for a, b in zip(x, table.residuals, strict=True)]
    dots = [
        Disc(px, py, 0.36 * s, palette.prediction if label in far else palette.square, "#ffffff", 0.4, 0.9)
        for (px, py), label in zip(places, table.labels, strict=True)
    ]
    ranked = np.argsort(-np.abs(table.residuals))
    named = set(ranked[:6]) | {i for i, label in enumerate(table.labels) if label in far}
    spots = [Spot(places[i][0], places[i][1], table.labels[i] if i in named else "", 0.36 * s) for i in ranked]
    area = (frame.x.start + 1, frame.y.at(high) + 1, frame.x.start + frame.x.length, frame.y.at(-high) - 1)
    names, listed = place_labels(spots, style, area, drawn)
    said = ["; ".join(listed) + "."] if listed else []
    foot, bottom = foot_lines(said, style, left, right, frame.bottom + 0.4 * s)
    everything = (*marks, *key, *drawn, *dots, *names, *frame.marks, *foot)
    return Page(wide, bottom + 0.8 * s, everything, tidy(table.title or "Normal quantile plot of the residuals"))
