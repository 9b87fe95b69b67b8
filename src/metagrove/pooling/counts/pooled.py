"""Mantel-Haenszel, Cochran and sample-size weights as models of a meta-analysis.

The common effect comes from the counts; random effects are those of inverse variance, as in R meta (with sample-size
weights both estimates keep those weights).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array
from metagrove.effects.arms import PersonTimes, Tables
from metagrove.effects.contrasts import pooling_tables
from metagrove.pooling.counts.tables import (
    CountEstimate,
    cochran_rate_ratio,
    mantel_haenszel,
    mantel_haenszel_rates,
    sample_size_weighted,
)
from metagrove.pooling.estimate import Estimate, wald
from metagrove.pooling.model import Fit, InverseVariance
from metagrove.pooling.prediction import Prediction
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies
from metagrove.pooling.tau2 import Tau2

__all__ = ["CountPooling"]


def _column(studies: Studies, name: str) -> Array:
    return np.asarray(studies.columns[name], dtype=float)


@dataclass(frozen=True, slots=True)
class CountPooling:
    """The common effect by a method for counts; what it does not decide is left to inverse variance.

    Parameters
    ----------
    MH_exact : leave out the increments where the Mantel-Haenszel estimate is made.
    Q_Cochrane : with DerSimonian-Laird, measure heterogeneity from the Mantel-Haenszel estimate, as RevMan does.
    """

    MH_exact: bool = False
    Q_Cochrane: bool = True

    def fit(self, studies: Studies, settings: Settings, tau2: Tau2 | None = None) -> Fit:
        """The fit of the pooled studies."""
        base = InverseVariance()
        classic = base.fit(studies, settings, tau2)
        if settings.method == "SSW":
            return self._by_size(studies, settings, classic)
        found = self._common(studies, settings)
        common = wald(found.estimate, found.se, level=settings.level_ma, null=settings.null_effect)
        fit = replace(classic, common=common, w_common=found.weights)
        if settings.method != "MH" or settings.method_tau != "DL" or not self.Q_Cochrane or studies.TE.size < 2:
            return fit
        w = 1 / studies.seTE**2
        q = float(w @ (studies.TE - found.estimate) ** 2)
        if tau2 is None and settings.tau_preset is None:
            spread = float(w.sum() - w @ w / w.sum())
            moment = max(0.0, (q - classic.df_Q) / spread)
            fit = replace(
                base.fit(studies, settings, Tau2(moment, classic.tau2.se)), common=common, w_common=found.weights
            )
        return replace(fit, Q=q)

    def _common(self, studies: Studies, settings: Settings) -> CountEstimate:
        sm = settings.sm
        if "time_e" in studies.columns:
            data = PersonTimes(*(_column(studies, name) for name in ("event_e", "event_c", "time_e", "time_c")))
            if settings.method == "Cochran":
                return cochran_rate_ratio(data, studies.TE)
            return mantel_haenszel_rates(data, "IRR" if sm == "VE" else sm)
        tables = Tables.from_arms(*(_column(studies, name) for name in ("event_e", "n_e", "event_c", "n_c")))
        corrected = tables
        if not self.MH_exact:
            corrected = pooling_tables(tables, _column(studies, "incr_e"), _column(studies, "incr_c"))
        measure = {"DOR": "OR", "VE": "RR"}.get(sm, sm)
        found = mantel_haenszel(corrected, measure, variance="Greenland-Robins")
        if measure != "RD":
            return found
        # R meta averages the uncorrected differences with the weights of the corrected tables.
        return replace(found, estimate=float(found.weights @ studies.TE / found.weights.sum()))

    def _by_size(self, studies: Studies, settings: Settings, classic: Fit) -> Fit:
        n_e, n_c = _column(studies, "n_e"), _column(studies, "n_c")
        tau2 = max(classic.tau2.value, 0.0) if np.isfinite(classic.tau2.value) else 0.0

        def mean(v: Array) -> tuple[Estimate, Array]:
            found = sample_size_weighted(studies.TE, v, n_e, n_c)
            return wald(found.estimate, found.se, level=settings.level_ma, null=settings.null_effect), found.weights

        common, w = mean(studies.seTE**2)
        random, _ = mean(studies.seTE**2 + tau2)
        return replace(classic, common=common, random=random, w_common=w, w_random=w)

    def common_tau2(self, studies: Studies, settings: Settings, groups: NDArray[np.intp]) -> Tau2:
        """One tau2 within groups, by inverse variance."""
        return InverseVariance().common_tau2(studies, settings, groups)

    def predict(self, fit: Fit, settings: Settings) -> Prediction:
        """The prediction interval of the inverse-variance random effects."""
        return InverseVariance().predict(fit, settings)
