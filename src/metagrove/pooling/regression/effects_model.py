"""What every model of observed effects says of itself, whatever its random part: size, omnibus test, likelihood, tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.values import Array
from metagrove.pooling.regression import contrasts
from metagrove.pooling.regression.coefficients import CoefficientResult, Coefficients, view
from metagrove.pooling.regression.contrasts import Compared, Contrasts, Inflation, LikelihoodRatio, WaldTest
from metagrove.pooling.regression.design import Design
from metagrove.pooling.regression.linear_model import FitStatistics, omnibus
from metagrove.pooling.regression.predictions import new_rows
from metagrove.pooling.regression.robust import Origin, Robust, WorkingModel, clusters, robust_inference

__all__ = ["EffectsModel"]


class EffectsModel(CoefficientResult):
    """A fitted linear model of k effects with p coefficients.

    Subclasses are values that hold `design`, `slab`, `btt`, `origin` and a memo of what was computed, and give the
    estimates, the data and the likelihood.
    """

    __slots__ = ()

    design: Design
    slab: tuple[str, ...]
    btt: tuple[int, ...]
    origin: Origin | None
    _memo: dict[str, Any]

    def _once(self, key: str, value: Callable[[], Any]) -> Any:
        if key not in self._memo:
            self._memo[key] = value()
        return self._memo[key]

    # what a model gives
    def _coefficients(self) -> Coefficients:
        raise NotImplementedError

    def _statistics(self, restricted: bool) -> FitStatistics:
        raise NotImplementedError

    def _working(self) -> WorkingModel:
        raise NotImplementedError

    @property
    def yi(self) -> Array:
        """Effects, shape (k,)."""
        raise NotImplementedError

    @property
    def X(self) -> Array:
        """Design matrix, shape (k, p)."""
        return self.design.X

    @property
    def method(self) -> str:
        """The estimator of the heterogeneity."""
        raise NotImplementedError

    @property
    def compared(self) -> Compared:
        """What a likelihood-ratio test needs of this model."""
        raise NotImplementedError

    def refitted(self, method: str) -> Self:
        """The same model by another method."""
        raise NotImplementedError

    # size
    @property
    def k(self) -> int:
        """Number of effects."""
        return int(self.yi.size)

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return self.design.p

    @property
    def m(self) -> int:
        """Number of coefficients that QM tests."""
        return len(self.btt)

    @property
    def int_only(self) -> bool:
        """Whether the model is one mean."""
        return self.p == 1 and self.design.intercept

    @property
    def QE_df(self) -> int:
        """Degrees of freedom of QE, k - p."""
        return self.k - self.p

    # coefficients and their omnibus test
    @property
    def coefficients(self) -> Coefficients:
        """Coefficients with their covariance and degrees of freedom."""
        found: Coefficients | None = self._memo.get("coefficients")
        if found is None:
            found = self._memo["coefficients"] = self._coefficients()
        return found

    def _qm(self) -> tuple[float, Array, float]:
        index = list(self.btt)
        least = float(self.coefficients.ddf[index].min()) if index else float("inf")
        found: tuple[float, Array, float] = self._once(
            "QM", lambda: omnibus(self.b[index], self.vb[np.ix_(index, index)], least)
        )
        return found

    @property
    def QM(self) -> float:
        """Omnibus test of the moderators: chi-squared, or F where the tests use t."""
        return self._qm()[0]

    @property
    def QM_df(self) -> Array:
        """Its degrees of freedom: m, and those of the residual or NaN."""
        return self._qm()[1]

    @property
    def QM_p(self) -> float:
        """Its p-value."""
        return self._qm()[2]

    QMdf, QMp = QM_df, QM_p

    # likelihood
    @property
    def fit_ML(self) -> FitStatistics:
        """Fit statistics by the likelihood."""
        found: FitStatistics = self._once("ML", lambda: self._statistics(False))
        return found

    @property
    def fit_REML(self) -> FitStatistics:
        """Fit statistics by the restricted likelihood."""
        found: FitStatistics = self._once("REML", lambda: self._statistics(True))
        return found

    @property
    def fit_stats(self) -> FitStatistics:
        """Fit statistics by the method's own likelihood."""
        return self.fit_REML if self.method == "REML" else self.fit_ML

    @property
    def loglik(self) -> float:
        """The method's own log-likelihood."""
        return self.fit_stats.ll

    # effects
    @property
    def fitted(self) -> Array:
        """Fitted values Xb, shape (k,)."""
        return self.X @ self.b

    @property
    def resid(self) -> Array:
        """Residuals, shape (k,)."""
        return self.yi - self.fitted

    def _new_rows(self, newmods: Any, intercept: bool | None) -> Array:
        """Rows of the design for `newmods`: raw columns by name, or columns of the design."""
        if isinstance(newmods, Mapping) or hasattr(newmods, "columns"):
            return self.design.rows_for({str(key): newmods[key] for key in newmods})
        return new_rows(newmods, self.p, has_intercept=self.design.intercept, intercept=intercept)

    # tests
    def anova(
        self, other: Self | None = None, *, btt: Any = None, X: ArrayLike | None = None, rhs: ArrayLike = 0.0,
        refit: bool = False,
    ) -> WaldTest | Contrasts | LikelihoodRatio:  # fmt: skip
        """A Wald test of `btt`, tests of the combinations `X`, or a likelihood-ratio test against `other`.

        `refit` refits two REML models by ML first.
        """
        if other is not None:
            pair = [m.refitted("ML") if refit and m.method == "REML" else m for m in (self, other)]
            return contrasts.likelihood_ratio(pair[0].compared, pair[1].compared)
        if X is not None:
            return contrasts.combinations(self.coefficients, X, rhs=rhs, level=self.level)
        return contrasts.wald(self.coefficients, [i + 1 for i in self.btt] if btt is None else btt)

    def vif(self, btt: Any = None) -> Inflation:
        """Variance inflation factors of the moderators, or of sets of them."""
        return contrasts.inflation(self.coefficients, btt)

    def robust(self, cluster: ArrayLike, *, adjust: bool = True, clubSandwich: bool = False) -> Robust:
        """Cluster-robust tests: CR1 (CR0 with adjust=False), or CR2 with Satterthwaite degrees of freedom."""
        groups = clusters(cluster, self.k, self.origin)
        kind = "CR2" if clubSandwich else ("CR1" if adjust else "CR0")
        found = robust_inference(self._working(), groups, kind=kind, btt=self.btt, level=self.level)
        return replace(found, source_model=self, cluster=groups)

    def __getattr__(self, name: str) -> Any:
        """A plugged-in view of the result by its name: forest, funnel, and for one mean baujat, regtest, gosh, ..."""
        return view(self, name)
