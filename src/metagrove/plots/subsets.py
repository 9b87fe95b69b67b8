"""The GOSH plot: the pooled effect and I² of subsets of the studies, so that clusters show.

Olkin I, Dahabreh IJ, Trikalinos TA. GOSH - a graphical display of study heterogeneity. Res Synth Methods 2012;3:214-23
(doi:10.1002/jrsm.1053).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metagrove.plots.axes import limits_for
from metagrove.plots.canvas import Drawing
from metagrove.plots.frame import KeyEntry, Side, foot_lines, framed, key_rows, title_lines
from metagrove.plots.marks import Disc, Mark, Page, tidy
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.bias.gosh import Gosh

__all__ = ["gosh_plot"]

#: Dots drawn at most; more could not be told apart.
_MOST = 3000
_SEED = 1


def gosh_plot(
    found: Gosh, style: Style | str | None = None, *, study: str = "", ratio: bool = False, title: str = ""
) -> Drawing:
    """The effects of subsets against their I²; `study` colours the subsets that hold it.

    Subsets of one study have no I² and are left out. `ratio` shows logarithms of ratios as ratios. `data()` gives every
    subset that is drawn.
    """
    without = found.without(study) if study else np.zeros(found.size.shape, dtype=bool)
    several = np.flatnonzero((found.size > 1) & np.isfinite(found.estimate) & np.isfinite(found.I2))
    # Subsets stand in binary order, where every second one would always lack the same study: so the draw is random.
    drawn = np.sort(np.random.default_rng(_SEED).permutation(several)[:_MOST])
    look = style_of(style)
    table = tuple(
        {
            "size": int(found.size[i]),
            "estimate": float(found.estimate[i]),
            "I2_fraction": float(found.I2[i]),
            "holds": bool(not without[i]) if study else None,
        }
        for i in drawn
    )
    words = (study, title or "")
    return Drawing(lambda width: _page(found, drawn, without, words, ratio, look, width), look, table)


def _page(
    found: Gosh,
    drawn: NDArray[np.intp],
    without: NDArray[np.bool_],
    words: tuple[str, str],
    ratio: bool,
    style: Style,
    width: float | None,
) -> Page:
    s, (study, title) = style.size, words
    wide = max(width if width is not None else 46 * s, 30 * s)
    left, right = 0.8 * s, wide - 0.8 * s
    marks, top = title_lines(title, style, left, right, 0.8 * s)
    inside, outside = style.palette.square, style.palette.prediction
    entries = [KeyEntry(f"with {study}", inside, "dot"), KeyEntry(f"without {study}", outside, "dot")] if study else []
    key, top = key_rows(entries, style, left, right, top)
    values = np.exp(np.clip(found.estimate, -600, 600)) if ratio else found.estimate
    low, high = limits_for([float(v) for v in values[drawn]], [], logarithmic=ratio)
    across = Side(low, high, f"Pooled {'ratio' if ratio else 'effect'} of a subset ({found.method})", ratio)
    upward = Side(0.0, 100.0, "I² (%)", ticks=(0.0, 20.0, 40.0, 60.0, 80.0, 100.0))
    frame = framed(style, across, upward, box=(left, top + 0.8 * s, right - left, 0.6 * (right - left)))
    r = 0.26 * s if drawn.size < 300 else 0.15 * s
    dots: list[Mark] = [
        Disc(
            *frame.point(float(values[i]), 100 * float(found.I2[i])), r, outside if without[i] else inside, opacity=0.5
        )
        for i in drawn
    ]
    whole = (
        f"all {found.size.size} subsets" if found.complete else f"{found.size.size} random subsets (seed {found.seed})"
    )
    said = [f"{drawn.size} of {whole} of {found.k} studies are shown; subsets of one study have no I²."]
    foot, bottom = foot_lines(said, style, left, right, frame.bottom + 0.4 * s)
    everything = (*marks, *key, *dots, *frame.marks, *foot)
    return Page(wide, bottom + 0.8 * s, everything, tidy(title or "GOSH plot: effect and I² of subsets of the studies"))
