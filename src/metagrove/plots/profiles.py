"""Profile likelihoods drawn: one panel for each variance or correlation, with the estimate and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.marks import Line, Mark, Page, tidy
from metagrove.plots.style import Style, style_of
from metagrove.pooling.profile_likelihood import deviance_cut

if TYPE_CHECKING:
    from metagrove.pooling.profile_likelihood import Profile, ProfileLikelihood

__all__ = ["profile_plot"]


def profile_plot(found: ProfileLikelihood, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """The profiles of a model, two panels to a row; the dotted line cuts each curve at its limits."""
    look = style_of(style)
    return Drawing(lambda width: _page(found, look, width, title), look, tuple(found.rows()))


def _page(found: ProfileLikelihood, style: Style, width: float | None, title: str) -> Page:
    s, palette = style.size, style.palette
    columns = 1 if len(found.profiles) == 1 else 2
    wide = max(width if width is not None else (44 if columns == 1 else 62) * s, 30 * s * columns)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(title, style, left, right, 0.8 * s)
    level = f"{100 * found.level:g}%"
    entries = [
        KeyEntry("Profile log-likelihood", palette.summary, "line", 1.2),
        KeyEntry("Estimate", palette.prediction, "line", 0.8),
        KeyEntry(f"{level} limits", palette.reference, "line", 0.7, (1.5, 1.5)),
    ]
    key, top = key_rows(entries, style, left, right, top)
    drawn: list[Mark] = [*marks, *key]
    gap = 2.0 * s
    across = (right - left - gap * (columns - 1)) / columns
    bottom = top
    for i, profile in enumerate(found.profiles):
        if i % columns == 0:
            top = bottom + 0.8 * s
        box = (left + (i % columns) * (across + gap), top, across, 0.62 * across)
        panel, end = _panel(profile, found.level, style, box)
        drawn += panel
        bottom = max(bottom, end)
    flat = [p.name for p in found.profiles if p.peaks > 1]
    said = [f"More than one peak: {', '.join(flat)}."] if flat else []
    foot, bottom = foot_lines(said, style, left, right, bottom + 0.4 * s)
    return Page(wide, bottom + 0.8 * s, (*drawn, *foot), tidy(title or "Profile likelihood"))


def _panel(
    profile: Profile, level: float, style: Style, box: tuple[float, float, float, float]
) -> tuple[list[Mark], float]:
    palette = style.palette
    known = np.isfinite(profile.ll)
    x, ll = profile.values[known], profile.ll[known]
    cut = profile.highest - deviance_cut(level)
    low = min(float(ll.min()), cut - 0.3) if ll.size else cut - 0.3
    low = max(low, profile.highest - 5.0)
    frame = framed(
        style,
        Side(float(x.min()), float(x.max()) if np.ptp(x) > 0 else float(x.min()) + 1e-6, profile.name),
        Side(low, profile.highest + 0.06 * (profile.highest - low), "Log-likelihood"),
        box=box,
    )
    marks: list[Mark] = [Line(frame.path((frame.x.low, frame.x.high), (cut, cut)), palette.reference, 0.7, (1.5, 1.5))]
    inside = [v for v in (profile.lower, profile.upper) if np.isfinite(v) and frame.x.low <= v <= frame.x.high]
    marks += [Line(frame.path((v, v), (low, cut)), palette.reference, 0.7, (1.5, 1.5)) for v in inside]
    marks.append(Line(frame.path((profile.estimate,) * 2, (low, profile.highest)), palette.prediction, 0.8))
    shown = np.maximum(ll, low)
    marks.append(Line(frame.path(x.tolist(), shown.tolist()), palette.summary, 1.2))
    return [*marks, *frame.marks], frame.bottom
