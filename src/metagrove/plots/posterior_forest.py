"""The forest plot of a Bayesian analysis: what each study reported, what it is shrunk to, and the posterior mean.

Röver C. Bayesian random-effects meta-analysis using the bayesmeta R package. J Stat Softw 2020;93(6):1-51
(doi:10.18637/jss.v093.i06).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metagrove.core.scales import scale
from metagrove.plots.canvas import Drawing
from metagrove.plots.forest import forest_drawing
from metagrove.plots.forest_table import ForestBlock, ForestColumn, ForestRow, ForestTable
from metagrove.plots.style import Style, style_of

if TYPE_CHECKING:
    from metagrove.pooling.bayes import BayesResult, Mixture

__all__ = ["posterior_forest"]


def posterior_forest(found: BayesResult, style: Style | str | None = None, *, title: str = "") -> Drawing:
    """Studies as reported with their shrunken effects beside, the posterior of the mean, and that of a new study.

    Scales whose back-transform needs a sample size are shown as they were analysed.
    """
    from scipy import special

    note, known = style_of(style).notation, scale(found.sm)
    z = float(special.ndtri(0.5 + found.level / 2))

    def back(value: float) -> float:
        if known.needs_n:
            return float(value)
        return float(known.back(np.array([float(value)]), np.array([np.nan]))[0])

    def ends(middle: float, low: float, high: float) -> tuple[float, float, float]:
        one, other = back(low), back(high)
        return back(middle), min(one, other), max(one, other)

    def words(m: Mixture) -> str:
        middle, low, high = ends(m.quantile(0.5), *m.limits(found.level))
        a, b, c = (note.number(value, 2) for value in (middle, low, high))
        return f"{a} {note.opening}{b}{note.between} {c}{note.closing}"

    rows = tuple(
        ForestRow(label, *ends(float(y), float(y - z * s), float(y + z * s)), cells=(words(shrunk),))
        for label, y, s, shrunk in zip(found.studlab, found.TE, found.seTE, found.shrinkage, strict=True)
    )
    mean = ForestRow("Posterior median", *ends(found.mu.quantile(0.5), *found.mu.limits(found.level)), "random")
    _, low, high = ends(0.0, *found.predictive.limits(found.level))
    new = ForestRow(f"{100 * found.level:g}% prediction interval", lower=low, upper=high, kind="prediction")
    one_arm = known.label in ("Proportion", "Incidence rate", "Mean")
    low_tau, high_tau = found.tau_limits
    tau = f"τ = {found.tau_median:.3f} {note.opening}{low_tau:.3f}{note.between} {high_tau:.3f}{note.closing}".replace(
        " ", "\u00a0"
    )
    table = ForestTable(
        (ForestBlock(rows),),
        known.label,
        (ForestColumn("Shrunken"),),
        (mean, new),
        (f"Heterogeneity: {tau}",),
        logarithmic=known.ratio,
        reference=None if one_arm else back(0.0),
        title=title,
        level=found.level,
        footer=(found.explain().sentence,),
    )
    return forest_drawing(table, style=style)
