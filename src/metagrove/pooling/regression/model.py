"""Meta-regression: the result of one linear model, with metafor's names for every quantity.

Case: `metareg_bcg`; equal and random effects without moderators: `tau2_raudenbush1985`, `subgroup_bcg`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.results import Explanation
from metagrove.core.values import Array
from metagrove.pooling.intervals import Limits, quadratic_limits, tau2_limits
from metagrove.pooling.regression import case_diagnostics, contrasts, scripts
from metagrove.pooling.regression.case_diagnostics import Influence, RefitTable, Residuals, heterogeneity, order_of
from metagrove.pooling.regression.coefficients import Coefficients, Intervals
from metagrove.pooling.regression.columns import text_table
from metagrove.pooling.regression.contrasts import Compared
from metagrove.pooling.regression.design import Design, check_rank
from metagrove.pooling.regression.effects_model import EffectsModel
from metagrove.pooling.regression.linear_model import (
    FitStatistics,
    LinearFit,
    Settings,
    critical_value,
    fit_statistics,
    linear_fit,
)
from metagrove.pooling.regression.permutation import Permutation, permutation_test
from metagrove.pooling.regression.predictions import (
    Predictions,
    best_predictions,
    predictions,
    random_effects,
    transformed,
)
from metagrove.pooling.regression.robust import Origin, WorkingModel
from metagrove.pooling.tau2 import TAU2
from metagrove.pooling.tau2 import Design as Weighted

__all__ = ["Regression", "regression"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Regression(EffectsModel):
    """A meta-analytic linear model. Scalars are floats, coefficients arrays of shape (p,), NaN where there is no value.

    Parameters
    ----------
    fit : the fitted model.
    design : its columns.
    slab : the studies' labels, k of them.
    btt : indices of the coefficients that the omnibus test QM is about.
    excluded : for each study left out, its label and why.
    notes : what else a reader must know.
    origin : the table the studies came from, the rows used, and how many rows it had.
    measure : the code of the effect measure, "" where it is not known.
    """

    fit: LinearFit
    design: Design
    slab: tuple[str, ...]
    btt: tuple[int, ...]
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    origin: Origin | None = None
    measure: str = ""
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    def placed(self, excluded: tuple[str, ...], origin: Origin | None, measure: str) -> Regression:
        """The same result with the table its studies came from, what was left out of it and the effect measure."""
        return Regression(self.fit, self.design, self.slab, self.btt, excluded, self.notes, origin, measure, self._memo)

    # data and settings
    @property
    def yi(self) -> Array:
        """Effects, shape (k,)."""
        return self.fit.y

    @property
    def vi(self) -> Array:
        """Sampling variances, shape (k,)."""
        return self.fit.v

    @property
    def method(self) -> str:
        """The estimator of tau2, "EE" for equal effects."""
        return self.fit.settings.method

    @property
    def test(self) -> str:
        """How coefficients are tested: "z", "t", "knha" or "adhoc"."""
        return self.fit.settings.test

    @property
    def level(self) -> float:
        """Confidence level, a proportion."""
        return self.fit.settings.level

    def _coefficients(self) -> Coefficients:
        freedom = np.array([self.fit.ddf] * self.p)
        return Coefficients(self.fit.b, self.fit.vb, freedom, self.design.names, self.design.intercept)

    def _statistics(self, restricted: bool) -> FitStatistics:
        return fit_statistics(self.fit, restricted=restricted)

    def _working(self) -> WorkingModel:
        return WorkingModel(self.yi, self.X, self.M, np.diag(self.fit.A), self.b, self.coef_names)

    @property
    def ddf(self) -> float:
        """Degrees of freedom of the tests, NaN where they are normal."""
        return self.fit.ddf if np.isfinite(self.fit.ddf) else float("nan")

    @property
    def s2w(self) -> float:
        """The Knapp-Hartung factor in `vb`, else 1."""
        return self.fit.s2w

    # heterogeneity
    @property
    def tau2(self) -> float:
        """(Residual) between-study variance."""
        return self.fit.tau2

    @property
    def se_tau2(self) -> float:
        """Its standard error."""
        return self.fit.se_tau2

    @property
    def tau(self) -> float:
        """(Residual) between-study standard deviation."""
        return float(np.sqrt(self.tau2))

    def _het(self, key: str) -> float:
        return float(self._once("het", lambda: heterogeneity(self.fit))[key])

    @property
    def I2(self) -> float:
        """Share of unaccounted variability that is heterogeneity, as a fraction."""
        return self._het("I2")

    @property
    def H2(self) -> float:
        """Unaccounted variability over sampling variability."""
        return self._het("H2")

    @property
    def vt(self) -> float:
        """The typical sampling variance behind I2 (Higgins and Thompson 2002)."""
        return self._het("vt")

    @property
    def QE(self) -> float:
        """Q of residual heterogeneity."""
        return self._het("QE")

    @property
    def QE_p(self) -> float:
        """Its p-value."""
        return self._het("QEp")

    QEp = QE_p

    @property
    def R2(self) -> float:
        """Share of the heterogeneity that the moderators account for, percent; NaN without moderators.

        0 where the model without moderators has no heterogeneity to account for, as in metafor. For equal effects the
        adjusted R² of the weighted regression.
        """
        return float(self._once("R2", self._r2))

    def _r2(self) -> float:
        ones = np.ones((self.k, 1))
        spans = np.linalg.matrix_rank(np.column_stack([self.X / np.linalg.norm(self.X, axis=0), ones])) == self.p
        if self.p == 1 or not spans or self.fit.settings.tau2 is not None:
            return float("nan")
        if self.method == "EE":
            a = self.fit.A
            mean = float(a @ self.yi / a.sum())
            left, total = float(a @ self.fit.residuals**2), float(a @ (self.yi - mean) ** 2)
            return 100 * max(0.0, 1 - left / total * (self.k - 1) / (self.k - self.p)) if total > 0 else float("nan")
        null = linear_fit(self.yi, self.vi, ones, replace(self.fit.settings, test="z")).tau2
        return 100 * max(0.0, (null - self.tau2) / null) if null > 0 else 0.0

    # omnibus test

    # likelihood

    # studies

    @property
    def M(self) -> Array:
        """Marginal covariance of the effects, shape (k, k)."""
        return np.diag(self.fit.total)

    def hatvalues(self) -> Array:
        """Leverages, shape (k,)."""
        return np.diag(case_diagnostics.hat_matrix(self.fit)).copy()

    def weights(self, type: str = "diagonal") -> Array:  # noqa: A002
        """Weights in percent, shape (k,), or with type="matrix" the weight matrix, shape (k, k)."""
        kinds = {"diagonal": case_diagnostics.weights, "matrix": case_diagnostics.weight_matrix}
        if type not in kinds:
            raise UnknownName("type of weights", type, kinds)
        return kinds[type](self.fit)

    def rstandard(self) -> Residuals:
        """Internally standardised residuals."""
        return case_diagnostics.standardised_residuals(self.fit, self.slab)

    def rstudent(self) -> Residuals:
        """Externally standardised (deleted) residuals."""
        return case_diagnostics.deleted_residuals(self.fit, self.slab)

    def influence(self) -> Influence:
        """Case deletion diagnostics."""
        return case_diagnostics.influence(self.fit, self.slab, self.coef_names)

    def cooks_distance(self) -> Array:
        """Cook's distances, shape (k,)."""
        return self.influence().cook_d

    def dfbetas(self) -> Array:
        """DFBETAS, shape (k, p)."""
        return self.influence().dfbs

    def leave_one_out(self) -> RefitTable:
        """The pooled estimate without each study."""
        everyone = np.arange(self.k)
        labels = tuple(f"without {name}" for name in self.slab)
        found = case_diagnostics.refits(self.fit, (np.delete(everyone, i) for i in everyone), labels)
        return replace(found, measure=self.measure)

    leave1out = leave_one_out

    def cumulative(self, order: ArrayLike | None = None) -> RefitTable:
        """The pooled estimate as studies are added in the order of `order` (values to sort by)."""
        index = order_of(order, self.k)
        labels = tuple(f"+ {self.slab[i]}" for i in index)
        found = case_diagnostics.refits(self.fit, (index[: i + 1] for i in range(self.k)), labels)
        return replace(found, measure=self.measure)

    cumul = cumulative

    # predictions

    def predict(
        self,
        newmods: Any = None,
        *,
        intercept: bool | None = None,
        level: float | None = None,
        predtype: str = "default",
        transf: Callable[[Any], Any] | None = None,
    ) -> Predictions:
        """Predicted mean effects with confidence and prediction intervals.

        Parameters
        ----------
        newmods : moderator values: a vector, a matrix of the design's columns, or a frame or dict of raw columns; by
            default the studies' own (one row for a model without moderators).
        intercept : False leaves the intercept out of rows given without it.
        level : confidence level, 0.95 or 95.
        predtype : a code of PREDICTION.
        transf : a monotone function to show the results through.
        """
        if newmods is None:
            rows, labels = (np.ones((1, 1)), None) if self.int_only else (self.X, self.slab)
        else:
            if self.int_only:
                raise DataError("newmods was given, but the model has no moderators")
            rows, labels = self._new_rows(newmods, intercept), None
        chance = _level(self.level if level is None else level)
        return transformed(predictions(self.fit, rows, level=chance, predtype=predtype, labels=labels), transf)

    def blup(self, *, level: float | None = None, transf: Callable[[Any], Any] | None = None) -> Predictions:
        """Best linear unbiased predictions of the studies' true effects."""
        chance = _level(self.level if level is None else level)
        return transformed(best_predictions(self.fit, self.slab, level=chance), transf)

    def ranef(self, *, level: float | None = None, transf: Callable[[Any], Any] | None = None) -> Predictions:
        """Predicted deviations of the true effects from the model."""
        chance = _level(self.level if level is None else level)
        return transformed(random_effects(self.fit, self.slab, level=chance), transf)

    # tests and intervals
    def confint(
        self,
        *,
        type: str | None = None,  # noqa: A002
        fixed: bool = False,
        random: bool = True,
        level: float | None = None,
    ) -> Intervals:
        """Intervals of tau2, tau, I2 (in per cent, as metafor's table has it) and H2, and with `fixed` also of the coefficients.

        `type` is a code of TAU2_INTERVALS, or "GENQ" for the exact distribution of the Q that a moment estimator (DL, HE,
        GENQ) is made of, which is the default after method="GENQ"; else the default is "QP".
        """
        chance = _level(self.level if level is None else level)
        rows: list[tuple[str, float, float, float]] = []
        if fixed:
            crit = critical_value(chance, self.fit.ddf)
            limits = zip(self.coef_names, self.b, self.b - crit * self.se, self.b + crit * self.se, strict=True)
            rows += [(name, float(at), float(low), float(high)) for name, at, low, high in limits]
        kind = type or ("GENQ" if self.method == "GENQ" else "QP")
        if random:
            if self.k == 1:
                raise MethodError("one study says nothing of the between-study variance")
            low, high = self._tau2_limits(kind, chance)
            vt = heterogeneity(replace(self.fit, settings=replace(self.fit.settings, method="REML")))["vt"]
            for name, of in _SCALES.items():
                rows.append((name, of(self.tau2, vt), of(low, vt), of(high, vt)))
        names, values = [row[0] for row in rows], np.array([row[1:] for row in rows], dtype=float).reshape(-1, 3)
        return Intervals(tuple(names), values[:, 0], values[:, 1], values[:, 2], kind)

    def _tau2_limits(self, kind: str, level: float) -> Limits:
        weighted = Weighted(self.yi, self.vi, None if self.int_only else self.X)
        if kind != "GENQ":
            return tau2_limits(weighted, method_ci=kind, method_tau=self.method, level=level)
        weights = {"DL": 1 / self.vi, "HE": np.ones(self.k), "GENQ": self.fit.settings.weights}
        if self.method not in weights:
            raise MethodError(f"type='GENQ' belongs to the moment estimators DL, HE and GENQ, not to {self.method}")
        return quadratic_limits(weighted, level, np.asarray(weights[self.method]))

    @property
    def compared(self) -> Compared:
        """What a likelihood-ratio test needs of this model."""
        if self.method not in ("EE", "ML", "REML"):
            raise MethodError(f"method '{self.method}' has no likelihood; fit both models by ML or REML")
        parameters = self.p + (0 if self.method == "EE" or self.fit.settings.tau2 is not None else 1)
        return Compared(self.fit_stats, parameters, self.method == "REML", self.X, self.yi, self.QE, self.tau2)

    def refitted(self, method: str) -> Regression:
        """The same model by another method."""
        fit = linear_fit(self.yi, self.vi, self.X, replace(self.fit.settings, method=method))
        return Regression(fit, self.design, self.slab, self.btt, self.excluded, self.notes, self.origin)

    def permutest(
        self,
        *,
        exact: bool = False,
        iter: int = 1000,  # noqa: A002
        rng: np.random.Generator | None = None,
    ) -> Permutation:
        """Permutation tests of the coefficients; see `permutation_test`."""
        return permutation_test(self.fit, self.coef_names, self.btt, exact=exact, iterations=iter, rng=rng)

    # telling
    def summary(self) -> str:
        """The model as text."""
        kind = "Equal-effects" if self.method == "EE" else ("Random-effects" if self.int_only else "Mixed-effects")
        lines = [f"{kind} model (k = {self.k}; {_named(self.method)})", ""]
        if self.method != "EE":
            lines.append(f"tau2 {self.tau2:.4f} (SE {self.se_tau2:.4f})   I2 {100 * self.I2:.1f}%   H2 {self.H2:.2f}")
        if np.isfinite(self.R2):
            lines.append(f"R2 {self.R2:.1f}% of the heterogeneity accounted for")
        if self.QE_df:
            lines.append(f"Residual heterogeneity: QE({self.QE_df}) = {self.QE:.4f}, p = {self.QE_p:.4g}")
        if not self.int_only:
            lines.append(contrasts.wald(self.coefficients, [i + 1 for i in self.btt]).summary())
        lines += ["", text_table(self.rows()), *(f"Note: {note}" for note in (*self.notes, *self.excluded))]
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return scripts.methods_sentence(
            self.method,
            self.test,
            () if self.int_only else self.coef_names[1 if self.design.intercept else 0 :],
            self.level,
        )

    def to_r(self) -> str:
        """R code that reproduces this fit with metafor."""
        return scripts.r_script(self.fit, self.slab, self.coef_names, self.design.intercept)

    def to_stata(self) -> str:
        """Stata code that reproduces this fit."""
        return scripts.stata_script(self.fit, self.coef_names, self.design.intercept)


_SCALES: Mapping[str, Callable[[float, float], float]] = {
    "tau2": lambda t, vt: t,
    "tau": lambda t, vt: float(np.sqrt(t)),
    "I2": lambda t, vt: 100 * t / (t + vt),
    "H2": lambda t, vt: (t + vt) / vt,
}


def _level(level: float) -> float:
    return level / 100 if level > 1 else level


def _named(method: str) -> str:
    return "no between-study variance" if method == "EE" else f"tau2 by {TAU2.entry(method).title}"


def regression(
    y: Array,
    v: Array,
    *,
    design: Design,
    settings: Settings | None = None,
    slab: Sequence[str] | None = None,
    btt: Any = None,
) -> Regression:
    """The meta-analytic linear model of effects `y` and variances `v`, shape (k,), on a design.

    Raises
    ------
    DataError where moderators repeat one another; MethodError where there are too few studies.
    """
    if design.p > 1 or not design.intercept:
        if y.size <= design.p and y.size > 1:
            raise MethodError(
                f"{y.size} studies cannot carry {design.p} coefficients; the model needs more studies than coefficients"
            )
        check_rank(design.X, design.names)
    fit = linear_fit(y, v, design.X, settings)
    tested = (
        contrasts.chosen(btt, design.names)
        if btt is not None
        else tuple(range(1 if design.intercept and design.p > 1 else 0, design.p))
    )
    asked = settings.method if settings is not None else "REML"
    notes = (
        ("one study: fitted by equal effects",) if fit.k == 1 and asked != "EE" and fit.settings.method == "EE" else ()
    )
    labels = tuple(slab) if slab is not None else tuple(str(i + 1) for i in range(fit.k))
    return Regression(fit, design, labels, tested, (), (*notes, *design.notes))
