"""A common effect from counts repeated on sets of its studies, and the residuals that follow.

Viechtbauer W, Cheung MWL. Res Synth Methods 2010;1:112-25. doi:10.1002/jrsm.11. Lau J, et al. N Engl J Med
1992;327:248-54. doi:10.1056/NEJM199207233270406.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.pooling.regression.case_diagnostics import RefitTable, Residuals

__all__ = ["count_refits", "deleted_residuals", "standardised_residuals"]

Refit = Callable[[NDArray[np.intp]], Any]


def count_refits(whole: Any, sets: Sequence[NDArray[np.intp]], labels: tuple[str, ...], refit: Refit) -> RefitTable:
    """The estimate of each set of studies; NaN for sets that say nothing about the effect.

    `whole` is the result of all studies and `refit` gives the result of the studies at positions.
    """
    rows = []
    for keep in sets:
        try:
            found = refit(keep)
        except MethodError:
            rows.append((np.nan,) * 11)
            continue
        rows.append((
            found.b, found.se, found.zval, found.pval, found.ci_lb, found.ci_ub, found.QE, found.QEp, 0.0, found.I2,
            found.H2,
        ))  # fmt: skip
    found = RefitTable(labels, *np.array(rows, dtype=float).T)
    return replace(found, whole=(whole.b, whole.ci_lb, whole.ci_ub), level=whole.level, measure=whole.measure)


def standardised_residuals(whole: Any) -> Residuals:
    """Effects less the estimate, over their own standard errors; NaN where a study has no effect of its own."""
    resid, se = whole.yi - whole.b, np.sqrt(whole.vi)
    return Residuals(whole.slab, resid, se, resid / se)


def deleted_residuals(whole: Any, refit: Refit) -> Residuals:
    """Effects less the estimate without them, over the standard error of that difference."""
    k = whole.k
    resid, se, reasons = np.full(k, np.nan), np.full(k, np.nan), []
    for i in range(k):
        try:
            other = refit(np.delete(np.arange(k), i))
        except MethodError as error:
            reasons.append(f"{whole.slab[i]}: {error}")
            continue
        resid[i] = whole.yi[i] - other.b
        se[i] = np.sqrt(whole.vi[i] + other.se**2)
    z: Array = resid / se
    return Residuals(whole.slab, resid, se, z, tuple(reasons))
