"""The result of a multilevel or multivariate model, with metafor's names. Cases as in `multilevel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metagrove.core.errors import ConvergenceError, DataError, MethodError, UnknownName
from metagrove.core.results import Explanation
from metagrove.core.values import Array
from metagrove.pooling.multilevel import diagnostics as mixed_diagnostics
from metagrove.pooling.multilevel.fit import MixedFit, containment, refitted
from metagrove.pooling.multilevel.marginal_likelihood import Marginal
from metagrove.pooling.multilevel.profile_limits import profile_intervals
from metagrove.pooling.multilevel.scripts import mixed_r_script, mixed_stata_script
from metagrove.pooling.multilevel.user_weights import weighted_fit
from metagrove.pooling.regression import contrasts
from metagrove.pooling.regression.case_diagnostics import Residuals
from metagrove.pooling.regression.coefficients import Coefficients, Intervals
from metagrove.pooling.regression.columns import text_table
from metagrove.pooling.regression.contrasts import Compared
from metagrove.pooling.regression.design import Design
from metagrove.pooling.regression.effects_model import EffectsModel
from metagrove.pooling.regression.linear_model import FitStatistics, critical_value
from metagrove.pooling.regression.predictions import Predictions, prediction_width, transformed
from metagrove.pooling.regression.robust import Origin, WorkingModel, clusters

__all__ = ["MixedModel", "mixed_model"]

_KONSTANTOPOULOS = "Konstantopoulos S. Res Synth Methods 2011;2:61-76. doi:10.1002/jrsm.35"
_BERKEY = (
    "Berkey CS, Hoaglin DC, Antczak-Bouckoms A, Mosteller F, Colditz GA. Stat Med 1998;17:2537-2550. "
    "doi:10.1002/(SICI)1097-0258(19981130)17:22<2537::AID-SIM953>3.0.CO;2-C"
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MixedModel(EffectsModel):
    """A multilevel or multivariate model. Components that the model lacks are reported as 0.

    Parameters
    ----------
    fit : the fitted model.
    design : its columns.
    slab : the effects' labels, k of them.
    test, confidence : "z" or "t", and the confidence level.
    freedom : degrees of freedom of each coefficient, infinite for "z"; shape (p,).
    btt : indices of the coefficients that QM is about.
    random, struct : the random effects as they were written.
    columns : the columns they refer to.
    excluded : for each effect left out, its label and why.
    origin : the table the effects came from, the rows used, and how many rows it had.
    measure : the code of the effect measure, "" where it is not known.
    """

    fit: MixedFit
    design: Design
    slab: tuple[str, ...]
    test: str
    confidence: float
    freedom: Array
    btt: tuple[int, ...]
    random: tuple[str, ...]
    struct: tuple[str, ...]
    columns: Mapping[str, Any]
    excluded: tuple[str, ...] = ()
    origin: Origin | None = None
    measure: str = ""
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    def _coefficients(self) -> Coefficients:
        return Coefficients(self.fit.b, self.fit.vb, self.freedom, self.design.names, self.design.intercept)

    def _working(self) -> WorkingModel:
        return WorkingModel(self.yi, self.X, self.M, self.W, self.b, self.design.names)

    @property
    def level(self) -> float:
        """Confidence level, a proportion."""
        return self.confidence

    @property
    def ddf(self) -> Array:
        """Degrees of freedom of each coefficient, NaN where its test is normal."""
        return self.dfs

    @property
    def yi(self) -> Array:
        """Effects, shape (k,)."""
        return self.fit.like.y

    @property
    def vi(self) -> Array:
        """Sampling variances, shape (k,)."""
        return np.diag(self.fit.like.V).copy()

    @property
    def V(self) -> Array:
        """Sampling covariance, shape (k, k)."""
        return self.fit.like.V

    @property
    def method(self) -> str:
        """One of "REML", "ML", "EE"."""
        return self.fit.method

    # variance components
    @property
    def sigma2(self) -> Array:
        """Variances of the terms without inner factor."""
        plain = len(self.fit.plain)
        return self.fit.theta[:plain].copy() if plain else np.zeros(1)

    def _parts(self, number: int) -> tuple[Array, Array]:
        if number >= len(self.fit.inner):
            return np.zeros(1), np.zeros(1)
        c = len(self.fit.plain) + number
        component = self.fit.like.components[c]
        parts = component.structure.parts(self.fit.parameters_of(c), component.J)
        return parts.tau2, parts.rho

    @property
    def tau2(self) -> Array:
        """Variances of the first inner factor."""
        return self._parts(0)[0]

    @property
    def rho(self) -> Array:
        """Correlations of the first inner factor, lower triangle by columns."""
        return self._parts(0)[1]

    @property
    def gamma2(self) -> Array:
        """Variances of the second inner factor."""
        return self._parts(1)[0]

    @property
    def phi(self) -> Array:
        """Correlations of the second inner factor."""
        return self._parts(1)[1]

    @property
    def G(self) -> Array:
        """Covariance of the first inner factor's levels, shape (J, J)."""
        if not self.fit.inner:
            raise MethodError("the model has no inner factor")
        c = len(self.fit.plain)
        return self.fit.like.components[c].G(self.fit.parameters_of(c))

    @property
    def s_names(self) -> tuple[str, ...]:
        """Groupings of the terms without inner factor."""
        return tuple(c.name for c in self.fit.plain)

    @property
    def s_nlevels(self) -> tuple[int, ...]:
        """Their numbers of levels."""
        return tuple(len(c.groups) for c in self.fit.plain)

    @property
    def g_levels(self) -> tuple[str, ...]:
        """Levels of the first inner factor."""
        return self.fit.inner[0].levels if self.fit.inner else ()

    @property
    def M(self) -> Array:
        """Marginal covariance, shape (k, k)."""
        found: Array = self._once("M", lambda: self.fit.M)
        return found

    @property
    def W(self) -> Array:
        """The weights: its inverse, or the user's, shape (k, k)."""
        if self.fit.weights is not None:
            return self.fit.weights
        found: Array = self._once("W", lambda: np.linalg.inv(self.M))
        return found

    # heterogeneity
    def _sampling(self) -> tuple[float, float]:
        """QE and the trace of P, both at V alone; NaN where V is singular."""
        scale = np.sqrt(np.diag(self.V))
        if np.linalg.matrix_rank(self.V / np.outer(scale, scale), hermitian=True) < self.k:
            return float("nan"), float("nan")
        W = np.linalg.inv(self.V)
        WX = W @ self.X
        P = W - WX @ np.linalg.solve(self.X.T @ WX, WX.T)
        return float(self.yi @ P @ self.yi), float(np.trace(P))

    @property
    def QE(self) -> float:
        """Q of residual heterogeneity; NaN where V is singular."""
        return float(self._once("QE", self._sampling)[0])

    @property
    def QE_p(self) -> float:
        """Its p-value."""
        return float(special.chdtrc(self.QE_df, self.QE)) if np.isfinite(self.QE) else float("nan")

    QEp = QE_p

    @property
    def I2_by_level(self) -> Array:
        """Share of variability due to each variance component, as fractions (sigma2, then tau2 and gamma2)."""
        parts = [self.sigma2] if self.fit.plain else []
        parts += [self._parts(i)[0] for i in range(len(self.fit.inner))]
        if any(part.size > 1 for part in parts[1 if self.fit.plain else 0 :]):
            raise MethodError("I2 is not one number where the inner levels have variances of their own")
        values = np.concatenate(parts) if parts else np.zeros(1)
        trace = float(self._once("QE", self._sampling)[1])
        if np.isnan(trace):
            raise MethodError("V is singular: without a typical sampling variance there is no I2")
        typical = (self.k - self.p) / trace
        return np.asarray(values / (values.sum() + typical))

    @property
    def I2_total(self) -> float:
        """Share of variability due to all random effects, as a fraction."""
        return float(self.I2_by_level.sum())

    I2 = I2_total

    # omnibus test

    # likelihood
    @property
    def parms(self) -> int:
        """Number of estimated parameters."""
        return self.p + self.fit.free

    def _statistics(self, restricted: bool) -> FitStatistics:
        like, k = self.fit.like, self.k
        at = self.fit.at
        if restricted != like.restricted:
            again = Marginal(like.y, like.V, like.X, like.components, restricted=restricted)(self.fit.theta)
            if again is None:
                raise ConvergenceError("the marginal covariance is not positive definite")
            at = again
        n = k - self.p if restricted else k
        saturated = -0.5 * k * float(np.log(2 * np.pi)) - 0.5 * float(np.linalg.slogdet(self.V)[1])
        size = max(n, self.parms + 2)
        return FitStatistics(
            ll=at.ll,
            dev=-2 * at.ll if restricted else -2 * (at.ll - saturated),
            AIC=-2 * at.ll + 2 * self.parms,
            BIC=-2 * at.ll + self.parms * float(np.log(n)),
            AICc=-2 * at.ll + 2 * self.parms * size / (size - self.parms - 1),
        )

    # effects

    def hatvalues(self) -> Array:
        """Leverages, shape (k,)."""
        return np.diag(mixed_diagnostics.hat_matrix(self.fit)).copy()

    def weights(self, type: str = "diagonal") -> Array:  # noqa: A002
        """Weights in percent, shape (k,): the diagonal of the inverse of M, or with type="rowsum" its row sums."""
        if type == "matrix":
            return self.W
        if type not in ("diagonal", "rowsum"):
            raise UnknownName("type of weights", type, ("diagonal", "rowsum", "matrix"))
        values = np.diag(self.W) if type == "diagonal" else self.W.sum(axis=1)
        return np.asarray(100 * values / values.sum())

    def rstandard(self) -> Residuals:
        """Internally standardised residuals."""
        return mixed_diagnostics.standardised_residuals(self.fit, self.slab)

    def _clusters(self, cluster: ArrayLike | str | None) -> NDArray[np.intp]:
        if cluster is None:
            return np.arange(self.k)
        return np.unique(clusters(cluster, self.k, self.origin), return_inverse=True)[1].ravel()

    def rstudent(self, cluster: ArrayLike | str | None = None) -> Residuals:
        """Externally standardised residuals: each effect (or cluster of effects) against the model of the others."""
        return mixed_diagnostics.deleted_residuals(self.fit, self.design, self._clusters(cluster), self.slab)

    def cooks_distance(self, cluster: ArrayLike | str | None = None) -> Array:
        """Cook's distances of the effects, or of clusters in order of their labels; NaN where a refit is impossible."""
        return mixed_diagnostics.cooks_distances(self.fit, self.design, self._clusters(cluster))

    def ranef(self, *, level: float | None = None) -> dict[str, Predictions]:
        """Best linear unbiased predictions of the random effects, by component (Robinson 1991)."""
        chance = _share(self.level if level is None else level)
        return mixed_diagnostics.random_effects(self.fit, level=chance, ddf=float(self.freedom.min()))

    def predict(
        self,
        newmods: Any = None,
        *,
        intercept: bool | None = None,
        level: float | None = None,
        predtype: str = "default",
        tau2_levels: Sequence[Any] | None = None,
        gamma2_levels: Sequence[Any] | None = None,
        transf: Callable[[Any], Any] | None = None,
    ) -> Predictions:
        """Predicted mean effects with confidence and prediction intervals.

        Prediction intervals add up all variance components; where inner levels have variances of their own,
        `tau2_levels` (and `gamma2_levels`) name the level of each row. Without them, there are none. `predtype` is a
        code of PREDICTION.
        """
        chance = _share(self.level if level is None else level)
        if newmods is None:
            rows, labels = (np.ones((1, 1)), ("1",)) if self.int_only else (self.X, self.slab)
        else:
            rows = self._new_rows(newmods, intercept)
            labels = tuple(str(i + 1) for i in range(rows.shape[0]))
        extra = (
            self.sigma2.sum()
            + self._inner_variance(0, tau2_levels, rows)
            + self._inner_variance(1, gamma2_levels, rows)
        )
        if self.method == "EE":
            extra = np.full(rows.shape[0], np.nan)
        pred, vcov = rows @ self.b, rows @ self.vb @ rows.T
        se = np.sqrt(np.diag(vcov))
        ddf = np.array([self.freedom[row != 0].min(initial=np.inf) for row in rows])
        crit = critical_value(chance, ddf)
        width = prediction_width(se, extra, own=ddf, residual=float(self.k - self.p), level=chance, predtype=predtype)
        result = Predictions(
            labels, pred, se, pred - crit * se, pred + crit * se, pred - width, pred + width, rows, vcov
        )
        return transformed(result, transf)

    def _inner_variance(self, number: int, levels: Sequence[Any] | None, rows: Array) -> Array:
        variances = self._parts(number)[0]
        if variances.size == 1:
            return np.full(rows.shape[0], variances[0])
        names = self.fit.inner[number].levels
        if levels is None:
            return np.full(rows.shape[0], np.nan)
        place = {name: i for i, name in enumerate(names)}
        for level in levels:
            if str(level) not in place:
                raise UnknownName("inner level", level, names)
        found = variances[[place[str(level)] for level in levels]]
        if found.size not in (1, rows.shape[0]):
            raise DataError(f"{found.size} inner levels for {rows.shape[0]} rows to predict")
        return np.asarray(np.broadcast_to(found, (rows.shape[0],)))

    # tests and intervals
    def confint(self, *, fixed: bool = False, random: bool = True, level: float | None = None) -> Intervals:
        """Profile-likelihood limits of variances and correlations, with `fixed` also Wald limits of coefficients."""
        chance = _share(self.level if level is None else level)
        crit = critical_value(chance, self.freedom)
        if not random:
            return Intervals(self.coef_names, self.b, self.b - crit * self.se, self.b + crit * self.se)
        found = profile_intervals(self.fit, level=chance)
        if not fixed:
            return found
        lower = np.concatenate([self.b - crit * self.se, found.ci_lb])
        upper = np.concatenate([self.b + crit * self.se, found.ci_ub])
        return Intervals(
            (*self.coef_names, *found.labels), np.concatenate([self.b, found.estimate]), lower, upper, "PL"
        )

    def refitted(self, method: str) -> MixedModel:
        """The same model by "ML" or "REML"."""
        fit = refitted(self.fit, method)
        return replace(self, fit=fit if self.fit.weights is None else weighted_fit(fit, self.fit.weights), _memo={})

    @property
    def compared(self) -> Compared:
        """What a likelihood-ratio test needs of this model."""
        total = float(self.sigma2.sum() + self.tau2.sum() + self.gamma2.sum())
        return Compared(self.fit_stats, self.parms, self.method == "REML", self.X, self.yi, self.QE, total)

    # telling
    def components(self) -> list[dict[str, Any]]:
        """One row per variance component or correlation: name, grouping, estimate."""
        listed = [
            {"component": f"sigma2.{i + 1}", "of": c.name, "estimate": float(self.sigma2[i])}
            for i, c in enumerate(self.fit.plain)
        ]
        for i, (c, names) in enumerate(zip(self.fit.inner, (("tau2", "rho"), ("gamma2", "phi")), strict=False)):
            for name, values in zip(names, self._parts(i), strict=True):
                many = values.size > 1
                listed += [
                    {"component": f"{name}.{j + 1}" if many else name, "of": c.name, "estimate": float(value)}
                    for j, value in enumerate(values)
                ]
        return listed

    def summary(self) -> str:
        """The model as text."""
        qm = contrasts.wald(self.coefficients, [i + 1 for i in self.btt]).summary()
        lines = [f"Multilevel model (k = {self.k}; {self.method})", "", text_table(self.components()), ""]
        q = f"QE({self.QE_df}) = {self.QE:.4f}, p = {self.QE_p:.4g}"
        lines.append(f"Residual heterogeneity: {q if np.isfinite(self.QE) else 'no QE, as V is singular'}")
        lines += [*([] if self.int_only else [qm]), "", text_table(self.rows()), *self.design.notes, *self.excluded]
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        what = "; ".join(text.lstrip("~ ") for text in self.random)
        codes = ", ".join(code for code in self.struct if code)
        with_codes = f" ({codes})" if codes else ""
        sentence = (
            f"Dependent effects were pooled by a {'multivariate' if codes else 'multilevel'} model with random effects "
            f"{what}{with_codes}, fitted by {self.method}."
        )
        return Explanation(sentence, (_BERKEY if codes else _KONSTANTOPOULOS,))

    def to_r(self) -> str:
        """R code that reproduces this fit with metafor."""
        options = f'method = "{self.method}", test = "{self.test}", level = {100 * self.level:g}'
        return mixed_r_script(self.fit, self.design, self.random, self.struct, self.columns, options)

    def to_stata(self) -> str:
        """Stata 18 code that reproduces this fit; MethodError where Stata has no such model."""
        return mixed_stata_script(self.fit, self.design)


def _share(level: float) -> float:
    return level / 100 if level > 1 else level


def mixed_model(
    fit: MixedFit,
    design: Design,
    *,
    test: str = "z",
    dfs: str | float | Sequence[float] = "residual",
    level: float = 0.95,
    btt: Any = None,
    slab: Sequence[str] | None = None,
    random: Sequence[str] = (),
    struct: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
) -> MixedModel:
    """The result of a fitted mixed model.

    `dfs` gives the degrees of freedom of t tests: "residual" (k - p), "contain" (see `containment`; sets test="t"), or
    numbers.
    """
    p, k = design.p, fit.like.y.size
    if dfs == "contain":
        test = "t"
    if test not in ("z", "t"):
        raise UnknownName("test of coefficients in a multilevel model", test, ("z", "t"))
    if test == "z":
        freedom = np.full(p, np.inf)
    elif isinstance(dfs, str):
        if dfs not in ("residual", "contain"):
            raise UnknownName("degrees of freedom (dfs)", dfs, ("residual", "contain"))
        groups = [c.outer for c in (*fit.plain, *fit.inner)]
        freedom = np.full(p, float(k - p)) if dfs == "residual" else containment(design.X, groups)
    else:
        freedom = np.broadcast_to(np.asarray(dfs, dtype=float), (p,)).copy()
    if (freedom <= 0).any():
        j = int(np.argmax(freedom <= 0))
        raise MethodError(f"'{design.names[j]}' has {freedom[j]:g} degrees of freedom; too few groups for a t test")
    tested = (
        contrasts.chosen(btt, design.names) if btt is not None else tuple(range(int(design.intercept and p > 1), p))
    )
    labels = tuple(slab) if slab is not None else tuple(str(i + 1) for i in range(k))
    return MixedModel(
        fit, design, labels, test, level, freedom, tested, tuple(random), tuple(struct), dict(columns or {})
    )
