"""Inverse-variance pooling with weights of the user's own, and tau2 around a mean of the user's own.

The estimate is the weighted mean; its variance is that of such a mean under the model, sum(w² v) / sum(w)² (Hartung J,
Knapp G, Sinha BK. Statistical Meta-Analysis with Applications. 2008, section 4.2. doi:10.1002/9780470386347). Weights
are columns of the studies, so that subgroups and leave-one-out analyses keep them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array
from metagrove.pooling.estimate import Estimate, wald
from metagrove.pooling.model import Fit, InverseVariance
from metagrove.pooling.prediction import Prediction
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies
from metagrove.pooling.tau2 import Tau2

__all__ = ["OwnTerms"]

_COLUMNS = {"common": "weights_common", "random": "weights_random"}


def _weights(studies: Studies, which: str) -> Array | None:
    column = studies.columns.get(_COLUMNS[which])
    if column is None:
        return None
    w = np.asarray(column, dtype=float)
    if not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise DataError(f"{_COLUMNS[which]} are numbers of 0 or above for every pooled study, and not all 0")
    return w


def _mean(y: Array, total: Array, w: Array, settings: Settings, factor: tuple[float, float]) -> Estimate:
    """The weighted mean of effects with variances `total`; `factor` scales the variance and gives the df."""
    te = float(w @ y / w.sum())
    se = float(np.sqrt(factor[0] * (w**2 @ total))) / float(w.sum())
    return wald(te, se, df=factor[1], level=settings.level_ma, null=settings.null_effect)


@dataclass(frozen=True, slots=True)
class OwnTerms:
    """The inverse-variance model with the user's weights, where there are columns of them, or the user's mean for tau2.

    `TE_tau` is the effect around which DerSimonian and Laird's moments are taken, or None.
    """

    TE_tau: float | None = None

    def fit(self, studies: Studies, settings: Settings, tau2: Tau2 | None = None) -> Fit:
        """The fit of the pooled studies."""
        base = InverseVariance()
        if tau2 is None and self.TE_tau is not None and settings.tau_preset is None and studies.TE.size > 1:
            tau2 = self._around(studies, settings, self.TE_tau)
        fit = base.fit(studies, settings, tau2)
        y, v = studies.TE, studies.seTE**2
        common, random = _weights(studies, "common"), _weights(studies, "random")
        if common is not None:
            fit = replace(fit, common=_mean(y, v, common, settings, (1.0, np.inf)), w_common=common)
        if random is not None:
            between = fit.tau2.value if fit.tau2.value >= 0 else 0.0
            factor = self._factor(y, v + between, settings)
            fit = replace(fit, random=_mean(y, v + between, random, settings, factor), w_random=random)
        return fit

    @staticmethod
    def _around(studies: Studies, settings: Settings, centre: float) -> Tau2:
        """DerSimonian and Laird's moment with Q around a given mean, as R meta uses it (k - 1 degrees of freedom)."""
        if settings.method_tau != "DL":
            raise MethodError(f"TE_tau is for method_tau 'DL', not '{settings.method_tau}'")
        w = 1 / studies.seTE**2
        q = float(w @ (studies.TE - centre) ** 2)
        spread = float(w.sum() - w @ w / w.sum())
        return Tau2(max(0.0, (q - (w.size - 1)) / spread), float("nan"))

    @staticmethod
    def _factor(y: Array, total: Array, settings: Settings) -> tuple[float, float]:
        """Hartung and Knapp's factor of the variance and its degrees of freedom; 1 and infinity otherwise."""
        if settings.method_random_ci == "classic" or y.size < 2:
            return 1.0, np.inf
        if settings.method_random_ci != "HK" or settings.adhoc_hakn_ci not in ("", "se"):
            raise MethodError("user weights go with method_random_ci 'classic' or 'HK' (adhoc_hakn_ci '' or 'se')")
        w = 1 / total
        mean = float(w @ y / w.sum())
        factor = float(w @ (y - mean) ** 2) / (y.size - 1)
        return (max(1.0, factor) if settings.adhoc_hakn_ci == "se" else factor), float(y.size - 1)

    def common_tau2(self, studies: Studies, settings: Settings, groups: NDArray[np.intp]) -> Tau2:
        """One tau2 within groups, as without the user's terms."""
        return InverseVariance().common_tau2(studies, settings, groups)

    def predict(self, fit: Fit, settings: Settings) -> Prediction:
        """None: with weights of the user's own the rules of prediction intervals do not hold."""
        nan = float("nan")
        return InverseVariance().predict(fit, settings) if self._plain(fit) else Prediction(nan, nan, nan, nan)

    @staticmethod
    def _plain(fit: Fit) -> bool:
        if fit.design is None:
            return False
        between = fit.tau2.value if fit.tau2.value >= 0 else 0.0
        return bool(np.allclose(fit.w_random * (fit.design.v + between), fit.w_random[0] * (fit.design.v[0] + between)))
