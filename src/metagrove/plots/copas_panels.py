"""The Copas selection model drawn: the effect, and what selection is left, as more studies are thought unpublished.

Copas J, Shi JQ. Meta-analysis, funnel plots and sensitivity analysis. Biostatistics 2000;1:247-62
(doi:10.1093/biostatistics/1.3.247); Carpenter JR, Schwarzer G, Rücker G, Künstler R. J Clin Epidemiol 2009;62:624-31
(doi:10.1016/j.jclinepi.2008.12.002).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import Frame, KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.marks import Disc, Line, Mark, Page, Shape, tidy
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.bias.copas_model import CopasModel

__all__ = ["copas_plot"]


def copas_plot(found: CopasModel, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """Two panels over the publication probability of the least precise study: the effect, and the selection left.

    The adjusted estimate is where the p-value of the selection that is left first exceeds `sign_rsb`.
    """
    look = style_of(style)
    rows = tuple(
        {"publprob": float(p), "TE": float(te), "seTE": float(se), "N_unpubl": float(n), "pval_rsb": float(q)}
        for p, te, se, n, q in zip(
            found.publprob, found.TE_slope, found.seTE_slope, found.N_unpubl, found.pval_rsb, strict=True
        )
    )
    return Drawing(lambda width: _page(found, look, width, title), look, rows)


def _page(found: CopasModel, style: Style, width: float | None, title: str) -> Page:
    s, palette = style.size, style.palette
    wide = max(width if width is not None else 62 * s, 52 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(title, style, left, right, 0.8 * s)
    entries = [
        KeyEntry("Effect", palette.summary, "line", 1.3),
        KeyEntry(f"{100 * found.level:g}% limits", palette.summary, "band", opacity=0.16),
        KeyEntry("p-value of selection left", palette.prediction, "line", 1.3),
        KeyEntry("Adjusted", palette.ink, "dot"),
    ]
    key, top = key_rows(entries, style, left, right, top)
    gap = 1.8 * s
    across = (right - left - gap) / 2
    first, bottom = _effects(found, style, (left, top + 0.8 * s, across, 0.72 * across))
    second, end = _selection(found, style, (left + across + gap, top + 0.8 * s, across, 0.72 * across))
    foot, bottom = foot_lines(list(found.notes), style, left, right, max(bottom, end) + 0.4 * s)
    everything = (*marks, *key, *first, *second, *foot)
    return Page(wide, bottom + 0.8 * s, everything, tidy(title or "Copas selection model"))


def _across(found: CopasModel) -> Side:
    low, high = float(found.publprob.min()), float(found.publprob.max())
    pad = 0.04 * (high - low or 1.0)
    return Side(max(low - pad, 0.0), min(high + pad, 1.02), "Probability of publishing the least precise study")


def _path(frame: Frame, x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, float], ...]:
    order = np.argsort(x)
    inside = np.clip(y[order], frame.y.low, frame.y.high)
    return frame.path(x[order].tolist(), inside.tolist())


def _effects(found: CopasModel, style: Style, box: tuple[float, float, float, float]) -> tuple[list[Mark], float]:
    from scipy import special

    palette = style.palette
    x, te, se = (np.asarray(v, dtype=float) for v in (found.publprob, found.TE_slope, found.seTE_slope))
    half = float(special.ndtri(0.5 + found.level / 2)) * se
    low, high = float(np.nanmin(te - half)), float(np.nanmax(te + half))
    low, high = min(low, 0.0), max(high, 0.0)
    pad = 0.06 * (high - low or 1.0)
    frame = framed(style, _across(found), Side(low - pad, high + pad, "Effect"), box=box)
    band = _path(frame, x, te - half) + _path(frame, x, te + half)[::-1]
    marks: list[Mark] = [Shape(band, palette.summary, opacity=0.16)]
    marks.append(Line(frame.path((frame.x.low, frame.x.high), (0.0, 0.0)), palette.reference, 0.6, (2.0, 2.0)))
    marks.append(Line(_path(frame, x, te), palette.summary, 1.3))
    if found.chosen is not None:
        at = frame.point(float(x[found.chosen]), float(te[found.chosen]))
        marks.append(Disc(*at, 0.4 * style.size, palette.ink, "#ffffff", 0.5))
    return [*marks, *frame.marks], frame.bottom


def _selection(found: CopasModel, style: Style, box: tuple[float, float, float, float]) -> tuple[list[Mark], float]:
    palette = style.palette
    x, p = np.asarray(found.publprob, dtype=float), np.asarray(found.pval_rsb, dtype=float)
    frame = framed(style, _across(found), Side(0.0, 1.0, "p-value of the selection left"), box=box)
    cut = found.sign_rsb
    marks: list[Mark] = [
        Line(frame.path((frame.x.low, frame.x.high), (cut, cut)), palette.reference, 0.7, (1.5, 1.5)),
        Line(_path(frame, x, p), palette.prediction, 1.3),
    ]
    if found.chosen is not None:
        at = frame.point(float(x[found.chosen]), float(p[found.chosen]))
        marks.append(Disc(*at, 0.4 * style.size, palette.ink, "#ffffff", 0.5))
    return [*marks, *frame.marks], frame.bottom
