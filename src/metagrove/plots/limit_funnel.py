"""The funnel of a limit meta-analysis: observed effects, the line of adjusted means, and the effects shrunk towards it.

Rücker G, Schwarzer G, Carpenter JR, Binder H, Schumacher M. Treatment-effect estimates adjusted for small-study effects
via a limit meta-analysis. Biostatistics 2011;12:122-42 (doi:10.1093/biostatistics/kxq046).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.labels import Spot, place_labels
from metagrove.plots.marks import Disc, Line, Mark, Page, tidy
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.bias.limit_model import LimitMeta

__all__ = ["limit_funnel"]


def limit_funnel(
    found: LimitMeta, style: Style | str | None = None, *, labels: bool | None = None, title: str = ""
) -> Drawing:
    """Observed effects against their standard errors with the fitted small-study effect, and the limit effects.

    `labels` says whether studies carry their labels; None does so for up to 15 studies.
    """
    look = style_of(style)
    named = len(found.labels) <= 15 if labels is None else labels
    rows = tuple(found.rows())
    return Drawing(lambda width: _page(found, named, look, width, title), look, rows)


def _page(found: LimitMeta, named: bool, style: Style, width: float | None, title: str) -> Page:
    s, palette = style.size, style.palette
    wide = max(width if width is not None else 46 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(title, style, left, right, 0.8 * s)
    entries = [
        KeyEntry("Observed", palette.square, "dot"),
        KeyEntry("In the limit", palette.prediction, "ring"),
        KeyEntry("Mean by standard error", palette.prediction, "line", 1.0, (1.5, 1.5)),
        KeyEntry("Unadjusted", palette.reference, "line", 0.9, (4.0, 2.0)),
        KeyEntry("Adjusted", palette.summary, "line", 1.2),
    ]
    key, top = key_rows(entries, style, left, right, top)
    deepest = 1.06 * float(found.seTE.max())
    se = np.linspace(0.0, deepest, 41)
    line = found.beta_r + found.alpha_r * np.sqrt(se**2 + found.tau**2)
    every = [*found.TE, *found.TE_limit, found.TE_random, found.TE_adjust]
    pad = 0.07 * (max(every) - min(every) or 1.0)
    low, high = min(every) - pad, max(every) + pad
    frame = framed(
        style,
        Side(low, high, "Effect"),
        Side(-deepest, 0.0, "Standard error", texts=lambda ticks: [f"{abs(t):.3g}" for t in ticks]),
        box=(left, top + 0.8 * s, right - left, 0.62 * (right - left)),
    )
    inside = (line >= low) & (line <= high)
    drawn: list[Mark] = []
    if inside.sum() > 1:
        path = frame.path(line[inside].tolist(), (-se[inside]).tolist())
        drawn.append(Line(path, palette.prediction, 1.0, (1.5, 1.5)))
    for value, colour, dash in (
        (found.TE_random, palette.reference, (4.0, 2.0)), (found.TE_adjust, palette.summary, ()),
    ):  # fmt: skip
        drawn.append(Line(frame.path((value, value), (-deepest, 0.0)), colour, 1.1, dash))
    points = [frame.point(float(y), -float(e)) for y, e in zip(found.TE, found.seTE, strict=True)]
    limits = [frame.point(float(y), -float(e)) for y, e in zip(found.TE_limit, found.seTE, strict=True)]
    dots: list[Mark] = [Disc(x, y, 0.3 * s, "#ffffff", palette.prediction, 0.8) for x, y in limits]
    dots += [Disc(x, y, 0.36 * s, palette.square, "#ffffff", 0.4, 0.9) for x, y in points]
    drawn += [Line((one, other), palette.rule, 0.5) for one, other in zip(points, limits, strict=True) if one != other]
    spots = [Spot(x, y, found.labels[i] if named else "", 0.36 * s) for i, (x, y) in enumerate(points)]
    spots += [Spot(x, y, "", 0.3 * s) for x, y in limits]
    area = (frame.x.start + 1, frame.y.at(0.0) + 1, frame.x.start + frame.x.length, frame.y.at(-deepest) - 1)
    names, listed = place_labels(spots, style, area, drawn)
    foot, bottom = foot_lines(["; ".join(listed) + "."] if listed else [], style, left, right, frame.bottom + 0.4 * s)
    everything = (*marks, *key, *drawn, *dots, *names, *frame.marks, *foot)
    return Page(wide, bottom + 0.8 * s, everything, tidy(title or "Funnel of the limit meta-analysis"))
