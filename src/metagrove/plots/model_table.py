"""What the forest plot shows of a linear model (`rma` and its kin), of cluster-robust tests, and of counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from metagrove.core.values import Array
from metagrove.plots.forest_table import ForestBlock, ForestRow, ForestTable
from metagrove.plots.reported_scale import Shown, shown_scale
from metagrove.plots.style import Notation

__all__ = ["coefficient_table", "one_mean", "weight_shares"]

_EQUAL = ("EE", "FE", "CE")


def coefficient_table(
    result: Any, notation: Notation, *, ratio: bool | None = None, effect: str = "", predictions: Any = None
) -> ForestTable:
    """What the forest plot of a model shows: its effects, its mean or means, and predicted values where given.

    Parameters
    ----------
    result : a Regression, MixedModel, LocationScale, Robust, CountResult or GlmmResult.
    ratio : whether effects are logarithms of ratios, shown as ratios; None decides by the measure.
    predictions : values of `predict`, one diamond each below the studies.
    """
    from scipy import special

    source = getattr(result, "source_model", None) or result
    z = float(special.ndtri(0.5 + result.level / 2))
    shown = shown_scale(source, ratio, effect)
    shares = weight_shares(source)
    rows = [
        _study(label, (float(y), z * float(np.sqrt(v))), float(w), shown)
        for label, y, v, w in zip(source.slab, source.yi, source.vi, shares, strict=True)
    ]
    summaries = [*_means(result, source, shown), *_predicted(predictions, shown)]
    footer = [result.explain().sentence, *_remarks(source, bool(summaries))]
    return ForestTable(
        (ForestBlock(tuple(rows)),),
        shown.name,
        summaries=tuple(summaries),
        notes=tuple(_heterogeneity(source, notation)),
        weight_headings=("weight",),
        logarithmic=shown.ratio,
        reference=shown.reference,
        level=result.level,
        footer=tuple(footer),
    )


def _study(label: str, value: tuple[float, float], weight: float, shown: Shown) -> ForestRow:
    y, half = value
    if not (isfinite(y) and isfinite(half)):
        return ForestRow(label, weights=(weight if weight > 0 else None,), note="not estimable")
    return ForestRow(label, *_ends(shown, y, y - half, y + half), weights=(weight,))


def _ends(shown: Shown, middle: float, low: float, high: float) -> tuple[float, float, float]:
    one, other = shown.back(low), shown.back(high)
    return shown.back(middle), min(one, other), max(one, other)


def weight_shares(result: Any) -> Array:
    """Weights in percent; by sampling variance alone where the model's own do not exist."""
    own = result.weights if hasattr(type(result), "weights") else None
    weights = np.asarray(own() if callable(own) else own, dtype=float).ravel() if own is not None else np.empty(0)
    if weights.size != len(result.slab) or not (weights >= 0).all() or not weights.sum() > 0:
        variance = np.asarray(result.vi, dtype=float)
        between = np.asarray(getattr(result, "tau2", 0.0), dtype=float)
        spread = variance + between if between.size in (1, variance.size) else variance
        weights = np.where(np.isfinite(spread) & (spread > 0), 1 / np.where(spread > 0, spread, 1.0), 0.0)
    return np.asarray(100 * weights / weights.sum())


def one_mean(result: Any) -> bool:
    """Whether a model has one mean and no moderators."""
    if hasattr(type(result), "int_only"):
        return bool(result.int_only)
    names = getattr(result, "coef_names", None)
    return names is None or tuple(names) == ("intrcpt",)


def _named(source: Any, common: bool) -> str:
    if type(source).__name__ == "CountResult":
        return "Common effect (Mantel-Haenszel)" if source.method == "MH" else "Common effect (Peto)"
    return "Equal effects model" if common else "Random effects model"


def _means(result: Any, source: Any, shown: Shown) -> list[ForestRow]:
    """The mean with its prediction interval, or one mean for each level of a factor that is the whole model."""
    common = getattr(source, "method", "") in (*_EQUAL, "MH", "Peto")
    kind = "common" if common else "random"
    b, low, high = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (result.b, result.ci_lb, result.ci_ub))
    if one_mean(source):
        label = _named(source, common) + (f" ({result.kind})" if result is not source else "")
        mean = ForestRow(label, *_ends(shown, b[0], low[0], high[0]), kind, (100.0,))
        return [mean, *_prediction(result, source, shown, common)]
    if not _cell_means(source):
        return []
    triples = zip(source.coef_names, b, low, high, strict=True)
    return [ForestRow(f"Mean: {name}", *_ends(shown, m, a, z), kind, (None,)) for name, m, a, z in triples]


def _cell_means(source: Any) -> bool:
    """Whether each effect belongs to just one coefficient, which then is the mean of its level."""
    X = np.asarray(getattr(source, "X", np.zeros((1, 2))))
    return bool(((X == 0) | (X == 1)).all() and (X.sum(axis=1) == 1).all() and X.shape[1] <= 12)


def _prediction(result: Any, source: Any, shown: Shown, common: bool) -> list[ForestRow]:
    several = np.size(getattr(source, "tau2", 0.0)) > 1
    if common or result is not source or several or not hasattr(type(source), "predict"):
        return []
    found = source.predict()
    pair = (found["pi_lb"], found["pi_ub"]) if isinstance(found, dict) else (found.pi_lb[0], found.pi_ub[0])
    ends = float(pair[0]), float(pair[1])
    if not all(isfinite(v) for v in ends):
        return []
    _, low, high = _ends(shown, 0.0, *ends)
    return [ForestRow(f"{100 * result.level:g}% prediction interval", lower=low, upper=high, kind="prediction")]


def _predicted(predictions: Any, shown: Shown) -> list[ForestRow]:
    if predictions is None:
        return []
    columns = (predictions.pred, predictions.ci_lb, predictions.ci_ub)
    lines = zip(predictions.labels, *(np.asarray(c, dtype=float) for c in columns), strict=True)
    return [ForestRow(f"Predicted: {label}", *_ends(shown, *map(float, ends)), "random") for label, *ends in lines]


def _remarks(source: Any, with_means: bool) -> list[str]:
    said = []
    if type(source).__name__ == "GlmmResult":
        said.append("Weights are those of an inverse-variance analysis; the model itself uses the counts.")
    if not with_means:
        said.append("The model has moderators: its fitted values are in the bubble plot.")
    left_out = [item if isinstance(item, str) else ": ".join(item) for item in getattr(source, "excluded", ())]
    return [*said, f"Left out: {'; '.join(left_out)}."] if left_out else said


def _heterogeneity(source: Any, note: Notation) -> Sequence[str]:
    """Q of (residual) heterogeneity, and tau² and I² where the model has one of each."""
    items = []
    kind = type(source).__name__
    if kind == "GlmmResult":
        if source.method == "ML":
            items = [f"I² = {100 * source.I2:.0f}%", f"{note.tau2} = {source.tau2:.4f}"]
        q, df, p = source.QE_LRT, source.QE_df, source.QEp_LRT
        name = "LRT"
    else:
        q, df = source.QE, getattr(source, "QE_df", source.k - getattr(source, "p", 1))
        p, name = getattr(source, "QE_p", getattr(source, "QEp", float("nan"))), "Q"
        if kind == "CountResult":
            items = [f"I² = {100 * source.I2:.0f}%"]
        elif np.ndim(source.tau2) == 0 and source.method not in _EQUAL:
            items = [f"I² = {100 * source.I2:.0f}%", f"{note.tau2} = {source.tau2:.4f}"]
    if kind == "LocationScale":
        low, high = float(source.tau2.min()), float(source.tau2.max())
        items = [f"{note.tau2} from {low:.4f} to {high:.4f} by study"]
        p = float("nan")
    if df > 0 and isfinite(q):
        said = f" ({note.p_value(float(p))})" if isfinite(p) else ""
        items.append(f"{name} = {q:.2f}, df = {df:g}{said}")
    heading = "Heterogeneity" if one_mean(source) else "Residual heterogeneity"
    return [f"{heading}: " + ", ".join(item.replace(" ", "\u00a0") for item in items)] if items else []
