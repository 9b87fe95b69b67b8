"""The linear model behind a result of the meta doors, for the questions that metafor answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.pooling.regression.design import ONE_MEAN, formula_design
from metagrove.pooling.regression.linear_model import Settings
from metagrove.pooling.regression.model import Regression, regression
from metagrove.pooling.regression.robust import Origin
from metagrove.pooling.results import MetaResult

__all__ = ["linear_model_of"]

_TESTS = {("classic", ""): "z", ("HK", ""): "knha", ("HK", "se"): "adhoc"}


def linear_model_of(x: MetaResult) -> Regression:
    """The random-effects model of the pooled studies by inverse variance, with the settings of `x`.

    Equal effects where `x` shows the common effect only.

    Raises
    ------
    MethodError
        Where the estimate is not a weighted mean of the studies' effects, or its interval has no counterpart.
    """
    s = x.settings
    if x.fit.design is None or x.fit.parts:
        raise MethodError(
            "this estimate is not a mean of independent effects weighted by inverse variance; pool with method='Inverse', "
            "or ask the model itself (rma, rma_mv, rma_glmm)"
        )
    test = _TESTS.get((s.method_random_ci, s.adhoc_hakn_ci)) if s.random else "z"
    if test is None:
        kind = " ".join(filter(None, (s.method_random_ci, s.adhoc_hakn_ci)))
        raise MethodError(f"a linear model has no '{kind}' intervals; pool with method_random_ci 'classic' or 'HK'")
    pooled = x.pooled
    one_mean = formula_design(ONE_MEAN, {}, pooled.TE.size)
    if not s.random:
        settings = Settings("EE", test, s.level_ma)
    else:
        settings = Settings(s.method_tau, test, s.level_ma, None if s.tau_preset is None else s.tau_preset**2)
    fit = regression(pooled.TE, pooled.seTE**2, design=one_mean, settings=settings, slab=pooled.studlab)
    if s.random and abs(fit.tau2 - x.fit.tau2.value) > 1e-8 * (fit.tau2 + fit.vi.min()):
        # After Mantel-Haenszel weights the moment estimators start from another Q.
        settings = replace(settings, tau2=float(x.fit.tau2.value))
        fit = regression(pooled.TE, pooled.seTE**2, design=one_mean, settings=settings, slab=pooled.studlab)
    table: dict[str, Any] = dict(x.studies.columns)
    origin: Origin = (table, np.flatnonzero(x.studies.pooled), int(x.studies.pooled.size))
    return replace(fit, origin=origin, measure=s.sm)
