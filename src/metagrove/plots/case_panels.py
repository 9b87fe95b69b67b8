"""Case-deletion diagnostics as small panels: one for each measure, influential studies marked.

Viechtbauer W, Cheung MWL. Outlier and influence diagnostics for meta-analysis. Res Synth Methods 2010;1:112-25
(doi:10.1002/jrsm.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError
from metagrove.core.values import Array
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.marks import Disc, Line, Mark, Page, tidy
from metagrove.plots.style import Style, style_of

__all__ = ["CasePanel", "influence_plot"]

_TITLES = {
    "rstudent": "Deleted residual",
    "dffits": "DFFITS",
    "cook_d": "Cook's distance",
    "cov_r": "Covariance ratio",
    "tau2_del": "τ² without the study",
    "QE_del": "Q without the study",
    "hat": "Hat value",
    "weight": "Weight (%)",
}


@dataclass(frozen=True, slots=True, eq=False)
class CasePanel:
    """One panel: its title, a value for each study (NaN for none), and the lines drawn across."""

    title: str
    values: Array
    lines: tuple[float, ...] = ()


def influence_plot(found: Any, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """Eight panels of a result of `influence()`; the studies it calls influential are red, and named at the foot."""
    look = style_of(style)
    labels = tuple(getattr(found, "labels", None) or found.studlab)
    k = len(labels)
    p = np.shape(found.dfbs)[1] if np.ndim(found.dfbs) == 2 else 1
    cut = 3 * float(np.sqrt(p / max(k - p, 1)))
    across = {"rstudent": (-1.96, 0.0, 1.96), "dffits": (-cut, 0.0, cut), "cov_r": (1.0,), "hat": (3 * p / k,)}
    panels = [
        CasePanel(words, np.asarray(getattr(found, name), dtype=float), across.get(name, ()))
        for name, words in _TITLES.items()
    ]
    flagged = np.asarray(found.is_infl, dtype=bool)
    if not any(np.isfinite(panel.values).any() for panel in panels):
        raise DataError("there is no finite diagnostic to draw")
    rows = tuple(found.rows())
    return Drawing(lambda width: _page(panels, labels, flagged, look, width, title), look, rows)


def _page(
    panels: list[CasePanel], labels: tuple[str, ...], flagged: NDArray[np.bool_], style: Style, width: float | None,
    title: str,
) -> Page:  # fmt: skip
    s, palette = style.size, style.palette
    wide = max(width if width is not None else 62 * s, 52 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(title, style, left, right, 0.8 * s)
    entries = [KeyEntry("Study", palette.square, "dot"), KeyEntry("Influential", palette.prediction, "dot")]
    key, bottom = key_rows(entries, style, left, right, top)
    gap = 1.6 * s
    across = (right - left - gap) / 2
    drawn: list[Mark] = [*marks, *key]
    for i, panel in enumerate(panels):
        if i % 2 == 0:
            top = bottom + 0.8 * s
        more, end = _panel(panel, flagged, style, (left + (i % 2) * (across + gap), top, across, 0.34 * across))
        drawn += more
        bottom = max(bottom, end)
    named = [f"{i + 1}\u00a0{label}" for i, label in enumerate(labels)]
    foot, bottom = foot_lines(["; ".join(named) + "."], style, left, right, bottom + 0.4 * s)
    return Page(wide, bottom + 0.8 * s, (*drawn, *foot), tidy(title or "Influence of single studies"))


def _panel(
    panel: CasePanel, flagged: NDArray[np.bool_], style: Style, box: tuple[float, float, float, float]
) -> tuple[list[Mark], float]:
    palette, k = style.palette, panel.values.size
    known = panel.values[np.isfinite(panel.values)]
    ends = [*known.tolist(), *panel.lines] or [0.0, 1.0]
    spread = (max(ends) - min(ends)) or max(abs(ends[0]), 1.0)
    low, high = min(ends) - 0.12 * spread, max(ends) + 0.12 * spread
    if min(ends) >= 0:
        low = max(low, 0.0) if min(ends) > 0.12 * spread else -0.06 * spread
    every = max(1, round(k / 10))
    ticks = tuple(float(i) for i in range(1, k + 1, every))
    frame = framed(style, Side(0.4, k + 0.6, "", ticks=ticks), Side(low, high, panel.title), box=box)
    marks: list[Mark] = [
        Line(frame.path((0.4, k + 0.6), (y, y)), palette.reference, 0.6, (2.0, 2.0)) for y in panel.lines
    ]
    places = [(i, *frame.point(i + 1.0, float(y))) for i, y in enumerate(panel.values) if np.isfinite(y)]
    marks.append(Line(tuple((x, y) for _, x, y in places), palette.rule, 0.7)) if len(places) > 1 else None
    r = 0.3 * style.size if k <= 40 else 0.2 * style.size
    marks += [Disc(x, y, r, palette.prediction if flagged[i] else palette.square, "#ffffff", 0.3) for i, x, y in places]
    return [*marks, *frame.marks], frame.bottom
