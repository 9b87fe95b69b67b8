"""Effects that share a cluster (a laboratory, a cohort, a paper): the three-level model as a model of a result.

Van den Noortgate W, López-López JA, Marín-Martínez F, Sánchez-Meca J. Three-level meta-analysis of dependent effect
sizes. Behav Res Methods 2013;45:576-94. doi:10.3758/s13428-012-0261-6
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import MethodError
from metagrove.pooling.estimate import common_effect, wald
from metagrove.pooling.intervals import Limits
from metagrove.pooling.model import Fit, InverseVariance
from metagrove.pooling.multilevel.fit import MixedFit, mixed_fit
from metagrove.pooling.multilevel.profile_limits import profile_limits
from metagrove.pooling.multilevel.random_effects import components, parsed_terms
from metagrove.pooling.prediction import Prediction, prediction_around
from metagrove.pooling.regression.design import Design as Columns
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies
from metagrove.pooling.tau2 import Design, Tau2

__all__ = ["ThreeLevel"]

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class ThreeLevel:
    """Random effects of clusters and of effects within them; the column `cluster` says which effects share one.

    tau2 has two parts, between clusters and within. Where every cluster has one effect this is the two-level model.
    """

    def fit(self, studies: Studies, settings: Settings, tau2: Tau2 | None = None) -> Fit:
        """The estimate by REML or ML; classic limits are normal, "HK" ones t with clusters - 1 degrees of freedom."""
        cluster = studies.columns["cluster"]
        count = np.unique(cluster).size
        if count == cluster.size:
            return InverseVariance().fit(studies, settings, tau2)
        if settings.method_tau not in ("REML", "ML") or tau2 is not None or settings.tau_preset is not None:
            raise MethodError("a three-level model is fitted by method_tau 'REML' or 'ML', with tau2 free")
        if settings.method_random_ci not in ("classic", "HK") or settings.adhoc_hakn_ci:
            raise MethodError("a three-level model has method_random_ci 'classic' or 'HK', without ad hoc correction")
        if count < 2:
            raise MethodError(f"all effects belong to cluster '{cluster[0]}'; a three-level model needs two clusters")
        mixed = _mixed(studies, settings.method_tau)
        y, v = studies.TE, studies.seTE**2
        level, null = settings.level_ma, settings.null_effect
        common = common_effect(y, v, level=level, null=null)
        df = float(count - 1) if settings.method_random_ci == "HK" else float("inf")
        random = wald(float(mixed.b[0]), float(mixed.vb[0, 0]) ** 0.5, df=df, level=level, null=null)
        between, within = (float(x) for x in mixed.theta[:2])
        weights = np.linalg.inv(mixed.M).sum(axis=1)
        return Fit(
            common, random, Tau2(between + within, _NAN), float((1 / v) @ (y - common.TE) ** 2), y.size - 1, 1 / v,
            weights, Design(y, v), parts=(between, within), part_limits=partial(_limits, studies, settings.method_tau),
        )  # fmt: skip

    def common_tau2(self, studies: Studies, settings: Settings, groups: NDArray[np.intp]) -> Tau2:
        """No such thing here: raises MethodError."""
        raise MethodError("tau_common is not defined for a three-level model")

    def predict(self, fit: Fit, settings: Settings) -> Prediction:
        """Prediction interval for a new effect in a new cluster."""
        if not fit.parts:
            return InverseVariance().predict(fit, settings)
        k = int(fit.df_Q) + 1
        return prediction_around(
            fit.random, fit.tau2.value, k, method=settings.method_predict, level=settings.level_predict
        )  # fmt: skip


def _mixed(studies: Studies, method: str) -> MixedFit:
    k = len(studies.studlab)
    columns = {"cluster": studies.columns["cluster"], "effect": np.arange(k)}
    plain, inner = components(parsed_terms("~ 1 | cluster/effect"), [""], columns, k)
    x = Columns(np.ones((k, 1)), ("intrcpt",), intercept=True)
    return mixed_fit(studies.TE, np.diag(studies.seTE**2), x, plain=plain, inner=inner, method=method)


def _limits(studies: Studies, method: str, level: float) -> tuple[Limits, ...]:
    mixed = _mixed(studies, method)
    return tuple(Limits(*profile_limits(mixed, j, level=level)) for j in range(2))
