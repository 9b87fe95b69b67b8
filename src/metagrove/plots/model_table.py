"""What the forest plot of a linear model shows: `rma`, its multilevel kin, and the filled analyses made from them."""

from __future__ import annotations

from math import exp, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.values import Array
from metagrove.plots.forest_table import ForestBlock, ForestRow, ForestTable
from metagrove.plots.style import Notation

if TYPE_CHECKING:
    from metagrove.pooling.multilevel.models import MixedModel
    from metagrove.pooling.regression.model import Regression

__all__ = ["coefficient_table", "weight_shares"]


def coefficient_table(
    result: Regression | MixedModel, notation: Notation, *, ratio: bool = False, effect: str = ""
) -> ForestTable:
    """What the forest plot of a linear model shows: its effects, and the mean where the model is one mean.

    `ratio` says that effects are logarithms of ratios, which are then shown as ratios on a logarithmic axis.
    """
    from scipy import special

    z = float(special.ndtri(0.5 + result.level / 2))

    def shown(value: float) -> float:
        return exp(min(max(value, -700.0), 700.0)) if ratio else float(value)

    share = weight_shares(result)
    rows = []
    for i, label in enumerate(result.slab):
        y, half = float(result.yi[i]), z * float(np.sqrt(result.vi[i]))
        rows.append(ForestRow(label, shown(y), shown(y - half), shown(y + half), weights=(float(share[i]),)))
    footer = [result.explain().sentence]
    footer += ["The model has moderators: its fitted values are in the bubble plot."] if not result.int_only else []
    footer += [f"Left out: {'; '.join(result.excluded)}."] if result.excluded else []
    return ForestTable(
        (ForestBlock(tuple(rows)),),
        effect or ("Ratio" if ratio else "Effect"),
        summaries=_mean(result, shown) if result.int_only else (),
        notes=(_residual(result, notation),),
        weight_headings=("weight",),
        logarithmic=ratio,
        reference=1.0 if ratio else 0.0,
        level=result.level,
        footer=tuple(footer),
    )


def weight_shares(result: Regression | MixedModel) -> Array:
    """Weights in percent; by sampling variance alone where the model's own do not exist."""
    weights = np.asarray(result.weights(), dtype=float).ravel()
    if weights.size == len(result.slab) and (weights >= 0).all() and weights.sum() > 0:
        return np.asarray(100 * weights / weights.sum())
    precision = 1 / np.asarray(result.vi, dtype=float)
    return np.asarray(100 * precision / precision.sum())


def _mean(result: Regression | MixedModel, shown: Any) -> tuple[ForestRow, ...]:
    middle, low, high = (shown(float(v[0])) for v in (result.b, result.ci_lb, result.ci_ub))
    common = result.method in ("EE", "FE", "CE")
    name, kind = ("Equal effects model", "common") if common else ("Random effects model", "random")
    rows = [ForestRow(name, middle, low, high, kind, (100.0,))]
    if common:
        return tuple(rows)
    predicted = result.predict()
    ends = float(predicted.pi_lb[0]), float(predicted.pi_ub[0])
    if all(isfinite(v) for v in ends):
        label = f"{100 * result.level:g}% prediction interval"
        rows.append(ForestRow(label, lower=shown(ends[0]), upper=shown(ends[1]), kind="prediction"))
    return tuple(rows)


def _residual(result: Any, note: Notation) -> str:
    """Q of (residual) heterogeneity, and tau² and I² where the model has one of each."""
    items = []
    if np.ndim(result.tau2) == 0 and result.method not in ("EE", "FE", "CE"):
        items = [f"I² = {100 * result.I2:.0f}%", f"{note.tau2} = {result.tau2:.4f}"]
    if result.QE_df > 0:
        items.append(f"Q = {result.QE:.2f}, df = {result.QE_df} ({note.p_value(float(result.QE_p))})")
    kind = "Heterogeneity" if result.int_only else "Residual heterogeneity"
    return f"{kind}: " + ", ".join(item.replace(" ", "\u00a0") for item in items)
