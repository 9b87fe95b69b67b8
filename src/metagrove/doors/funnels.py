"""What stands behind an argument of the bias doors: the funnel, the settings and the heterogeneity."""

from __future__ import annotations

from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array
from metagrove.doors.columns import Columns
from metagrove.pooling.bias.funnel_data import FunnelData, funnel_data
from metagrove.pooling.bias.trim_fill import TrimFill
from metagrove.pooling.bias.weighted_line import residual_tau2
from metagrove.pooling.regression.model import Regression
from metagrove.pooling.results import MetaResult

__all__ = ["funnel_of", "heterogeneity_of", "model_settings", "proportion"]


def proportion(level: float) -> float:
    """A confidence level as a proportion, from 95 or 0.95."""
    return level / 100 if level > 1 else level


def _of_meta(x: MetaResult) -> FunnelData:
    pooled = x.pooled
    column = {name: np.asarray(values, dtype=float) for name, values in pooled.columns.items() if _numeric(values)}
    one_arm = "event" in column and "n" in column
    return funnel_data(
        pooled.TE,
        pooled.seTE**2,
        n=column.get("n"),
        tables=(
            column["event"] if one_arm else column.get("event_e"),
            column["n"] if one_arm else column.get("n_e"),
            None if one_arm else column.get("event_c"),
            None if one_arm else column.get("n_c"),
        ),
        measure=x.settings.sm,
        labels=pooled.studlab,
        method_tau=x.settings.method_tau,
    )


def _numeric(values: Any) -> bool:
    return bool(np.issubdtype(np.asarray(values).dtype, np.number))


def _of_regression(x: Regression, ni: Any, columns: Columns) -> FunnelData:
    n: Array | None = None
    if ni is not None:
        n = columns.numbers(ni, "ni")
        if x.origin is not None and n.size == x.origin[2] != x.k:
            n = n[x.origin[1]]
        if n.size != x.k:
            raise DataError(f"{n.size} sample sizes for {x.k} studies", column="ni")
    elif x.origin is not None and x.origin[0] is not None:
        held = {str(name) for name in x.origin[0]}
        names = ["ni"] if "ni" in held else ["n1i", "n2i"] if {"n1i", "n2i"} <= held else []
        if names:
            sizes = [np.asarray(x.origin[0][name], dtype=float)[x.origin[1]] for name in names]
            n = np.sum(sizes, axis=0)
    return funnel_data(x.yi, x.vi, n=n, labels=tuple(x.slab))


def funnel_of(
    x: Any, vi: Any = None, sei: Any = None, ni: Any = None, *, data: Any = None, subset: Any = None
) -> FunnelData:
    """The funnel behind a result, or of effects `x` with variances or standard errors."""
    columns = Columns(data, subset)
    if isinstance(x, TrimFill):
        x = x.fit
    if isinstance(x, MetaResult):
        return _of_meta(x)
    if isinstance(x, Regression):
        return _of_regression(x, ni, columns)
    if hasattr(x, "summary") and hasattr(x, "explain"):
        raise MethodError(
            f"a {type(x).__name__} has no single funnel of independent studies; give effects and variances"
        )
    y = columns.numbers(x, "yi")
    if (vi is None) == (sei is None):
        raise DataError("give effects with their sampling variances (vi) or their standard errors (sei, seTE)")
    v = columns.numbers(vi, "vi", y.size) if vi is not None else columns.numbers(sei, "sei", y.size) ** 2
    return funnel_data(y, v, n=columns.optional(ni, "ni", y.size))


def model_settings(x: Any, method: str | None, test: str | None, level: float | None) -> tuple[str, str, float]:
    """Estimator of tau², test of coefficients and level: those asked for, else those of the result `x`."""
    if isinstance(x, TrimFill):
        x = x.fit
    found = ("REML", "z", 0.95)
    if isinstance(x, Regression):
        found = (x.method, "knha" if x.test == "adhoc" else x.test, x.level)
    elif isinstance(x, MetaResult):
        hartung = x.settings.method_random_ci == "HK"
        found = (x.settings.method_tau, "knha" if hartung else "z", x.settings.level_ma)
    return method or found[0], test or found[1], found[2] if level is None else proportion(level)


def heterogeneity_of(x: Any, funnel: FunnelData, method: str) -> float:
    """The heterogeneity of a result, or of the funnel by `method`; 0 for fewer than two studies."""
    if isinstance(x, MetaResult | Regression):
        value = float(x.fit.tau2.value if isinstance(x, MetaResult) else x.tau2)
        return value if np.isfinite(value) else 0.0
    return residual_tau2(funnel.y, funnel.v, np.ones((funnel.k, 1)), method) if funnel.k > 1 else 0.0
