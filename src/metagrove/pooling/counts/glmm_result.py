"""The result of `rma_glmm`: a generalised linear mixed model of counts, under metafor's names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.effects.escalation import EffectSizes
from metagrove.effects.measures import MEASURES
from metagrove.pooling.counts.models import GLMM_MODELS, GlmmFit
from metagrove.pooling.counts.scripts import Counted, r_call, stata_binomial_model
from metagrove.pooling.regression.coefficients import view
from metagrove.pooling.regression.predictions import Predictions, new_rows, transformed
from metagrove.pooling.wording import p_text

__all__ = ["FitStatistics", "GlmmResult"]

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class FitStatistics:
    """Log-likelihood `ll`, deviance `dev` from one effect per study, and information criteria."""

    ll: float
    dev: float
    AIC: float
    BIC: float
    AICc: float

    def __getitem__(self, name: str) -> float:
        return float(getattr(self, name))


def fit_statistics(ll: float, saturated: float, parameters: int, n: int) -> FitStatistics:
    """Fit statistics of a log-likelihood with so many `parameters` from `n` counts."""
    enough = max(n, parameters + 2)
    corrected = -2 * ll + 2 * parameters * enough / (enough - parameters - 1)
    return FitStatistics(
        ll, -2 * (ll - saturated), -2 * ll + 2 * parameters, -2 * ll + parameters * float(np.log(n)), corrected
    )


@dataclass(frozen=True, slots=True, eq=False)
class GlmmResult(Result):
    """A GLMM of counts. Coefficients are arrays of shape (p,); scalars are floats, NaN where there is no value.

    Parameters
    ----------
    fit : both fits and the tests of heterogeneity.
    effects : the studies' own effects, which the model does not use, for tables and I2.
    X : design, shape (k, p).
    coef_names : names of the coefficients.
    measure, model, method : codes as asked; `model` is "" for one group, `method` "ML" or "EE".
    test, level : "z" or "t", and the coverage of limits.
    arms : counts per study that enter the likelihood, 1 or 2.
    excluded : label and reason of each study left out.
    """

    fit: GlmmFit
    effects: EffectSizes
    X: Array
    coef_names: tuple[str, ...]
    measure: str
    model: str
    method: str = "ML"
    test: str = "z"
    level: float = 0.95
    arms: int = 1
    excluded: tuple[tuple[str, str], ...] = ()
    source: Counted | None = None

    def __post_init__(self) -> None:
        if self.test == "t" and self.k <= self.p:
            raise MethodError(f"test 't' needs more studies than coefficients; here are {self.k} and {self.p}")

    def to_r(self) -> str:
        """R code that repeats this analysis."""
        if self.source is None:
            raise MethodError("this result does not hold its counts; make it with rma_glmm")
        more = {"measure": f'"{self.measure}"', "method": f'"{self.method}"', "test": f'"{self.test}"'}
        more |= {"model": f'"{self.model}"'} if self.model else {}
        mods = self.X if self.p > 1 else None
        return r_call(
            "rma.glmm", self.source, self.effects.slab, more=more | {"level": f"{100 * self.level:g}"}, mods=mods
        )

    def to_stata(self) -> str:
        """Stata code that repeats this analysis; raises MethodError where Stata has no one command for it."""
        if self.source is None or self.p > 1 or self.method != "ML":
            raise MethodError("Stata code is given for one-arm mixed models without covariates")
        return stata_binomial_model(self.source, self.effects.slab, self.measure, self.level)

    @property
    def k(self) -> int:
        """Studies in the model."""
        return int(self.X.shape[0])

    @property
    def p(self) -> int:
        """Coefficients."""
        return int(self.X.shape[1])

    @property
    def b(self) -> Array:
        """Coefficients on the analysis scale."""
        return self.fit.mixed.beta if self.method == "ML" else self.fit.fixed.beta

    @property
    def beta(self) -> Array:
        """The same as `b`."""
        return self.b

    @property
    def vb(self) -> Array:
        """Their covariance, shape (p, p)."""
        return self.fit.mixed.covariance if self.method == "ML" else self.fit.fixed.covariance

    @property
    def se(self) -> Array:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diag(self.vb))

    @property
    def zval(self) -> Array:
        """Wald statistics of the coefficients."""
        return np.asarray(self.b / self.se)

    @property
    def ddf(self) -> float:
        """Degrees of freedom of tests and limits, infinite for test "z"."""
        return float(self.k - self.p) if self.test == "t" else float("inf")

    @property
    def pval(self) -> Array:
        """Two-sided p values of the coefficients."""
        z = np.abs(self.zval)
        return np.asarray(2 * (special.ndtr(-z) if np.isinf(self.ddf) else special.stdtr(self.ddf, -z)))

    @property
    def _quantile(self) -> float:
        share = 0.5 + self.level / 2
        return float(special.ndtri(share) if np.isinf(self.ddf) else special.stdtrit(self.ddf, share))

    @property
    def ci_lb(self) -> Array:
        """Lower limits of the coefficients."""
        return np.asarray(self.b - self._quantile * self.se)

    @property
    def ci_ub(self) -> Array:
        """Upper limits of the coefficients."""
        return np.asarray(self.b + self._quantile * self.se)

    @property
    def tau2(self) -> float:
        """Variance of the effect between studies, by maximum likelihood."""
        return self.fit.mixed.tau2 if self.method == "ML" else 0.0

    @property
    def tau(self) -> float:
        """Its square root."""
        return float(np.sqrt(self.tau2))

    @property
    def se_tau2(self) -> float:
        """Standard error of tau2, NaN at 0."""
        return self.fit.mixed.se_tau2 if self.method == "ML" else _NAN

    @property
    def sigma2(self) -> float:
        """Variance of the study levels (model "UM.RS"), else NaN."""
        return _NAN if self.fit.mixed.sigma2 is None else self.fit.mixed.sigma2

    @property
    def nAGQ(self) -> int:
        """Quadrature points used."""
        return self.fit.mixed.nodes

    @property
    def converged(self) -> bool:
        """True: a fit that does not converge is refused with a ConvergenceError."""
        return bool(self.fit.mixed.gradient < 1e-3)

    @property
    def iterations(self) -> int:
        """Newton steps to the maximum."""
        return self.fit.mixed.iterations

    @property
    def QE_Wld(self) -> float:
        """Wald statistic of heterogeneity."""
        return self.fit.QE_Wld

    @property
    def QE_LRT(self) -> float:
        """Likelihood-ratio statistic of heterogeneity."""
        return self.fit.QE_LRT

    @property
    def QE_df(self) -> int:
        """Degrees of freedom of both."""
        return self.fit.QE_df

    @property
    def QEp_Wld(self) -> float:
        """P value of QE_Wld."""
        return float(special.chdtrc(self.QE_df, self.QE_Wld)) if self.QE_df > 0 else 1.0

    @property
    def QEp_LRT(self) -> float:
        """P value of QE_LRT."""
        return float(special.chdtrc(self.QE_df, self.QE_LRT)) if self.QE_df > 0 else 1.0

    @property
    def QM(self) -> float:
        """Wald statistic of all coefficients but the intercept (of the intercept where it is alone)."""
        j = np.arange(1, self.p) if self.p > 1 else np.arange(1)
        return float(self.b[j] @ np.linalg.solve(self.vb[np.ix_(j, j)], self.b[j]))

    @property
    def QMp(self) -> float:
        """Its p value."""
        return float(special.chdtrc(max(self.p - 1, 1), self.QM))

    @property
    def _typical(self) -> float:
        """Typical sampling variance of the studies' own effects around the design (Higgins & Thompson 2002)."""
        seen = np.isfinite(self.effects.yi) & np.isfinite(self.effects.vi)
        x, w = self.X[seen], 1 / self.effects.vi[seen]
        if x.shape[0] <= self.p:
            return _NAN
        xw = x * w[:, None]
        trace = w.sum() - np.trace(np.linalg.solve(x.T @ xw, xw.T @ xw))
        return float((x.shape[0] - self.p) / trace)

    @property
    def I2(self) -> float:
        """The share tau2 / (tau2 + typical sampling variance), a fraction."""
        return self.tau2 / (self.tau2 + self._typical)

    @property
    def H2(self) -> float:
        """1 + tau2 / typical sampling variance."""
        return self.tau2 / self._typical + 1

    @property
    def parameters(self) -> int:
        """Parameters of the likelihood: coefficients, variances, study levels."""
        levels = {"UM.FS": self.k, "UM.RS": 2}.get(self.model, 0)
        return self.p + levels + (1 if self.method == "ML" else 0)

    @property
    def log_likelihood(self) -> float:
        """The marginal log-likelihood at the maximum, all constants included."""
        return self.fit.mixed.log_likelihood if self.method == "ML" else self.fit.fixed.log_likelihood

    @property
    def fit_marginal(self) -> FitStatistics:
        """Fit statistics of the marginal likelihood: the ones to compare models by."""
        return fit_statistics(self.log_likelihood, self.fit.saturated, self.parameters, self.k * self.arms)

    @property
    def fit_ML(self) -> FitStatistics:
        """Fit statistics as metafor prints them.

        For models that metafor fits with lme4 they rest on the deviance at the modes of the random effects instead of
        the integral over them, and are not for comparing models; `fit_marginal` is.
        """
        exact = self.model == "UM.RS" or (self.model == "CM.EL" and self.measure == "OR") or self.method != "ML"
        ll = self.log_likelihood if exact else self.fit.at_modes
        return fit_statistics(ll, self.fit.saturated, self.parameters, self.k * self.arms)

    @property
    def yi(self) -> Array:
        """The studies' own effects, shape (k,)."""
        return self.effects.yi

    @property
    def vi(self) -> Array:
        """Their sampling variances."""
        return self.effects.vi

    @property
    def slab(self) -> tuple[str, ...]:
        """Labels of the studies in the model."""
        return self.effects.slab

    def predict(
        self, newmods: Any = None, *, level: float | None = None, transf: Callable[[Any], Any] | None = None
    ) -> Any:
        """The estimate with limits and a prediction interval (metafor's `pred`, `ci_lb`, `pi_lb` …).

        A dict for a model of one mean without `newmods`; else Predictions: of the studies, or of rows of covariates
        `newmods` (numbers, without the intercept). `level` is a proportion, or in percent.
        """
        share = self.level if level is None else level / 100 if level > 1 else level
        tail = 0.5 + share / 2
        q = float(special.ndtri(tail) if np.isinf(self.ddf) else special.stdtrit(self.ddf, tail))
        if self.p == 1 and newmods is None and transf is None:
            b, se = float(self.b[0]), float(self.se[0])
            wide = float(np.sqrt(se**2 + self.tau2))
            return {
                "pred": b, "se": se, "ci_lb": b - q * se, "ci_ub": b + q * se,
                "pi_lb": b - q * wide, "pi_ub": b + q * wide,
            }  # fmt: skip
        rows, labels = self.X, self.slab
        if newmods is not None:
            rows = new_rows(newmods, self.p, has_intercept=self.coef_names[0] == "intrcpt")
            labels = tuple(str(i + 1) for i in range(rows.shape[0]))
        elif self.p == 1:
            rows, labels = np.ones((1, 1)), ("1",)
        pred, vcov = rows @ self.b, rows @ self.vb @ rows.T
        error = np.sqrt(np.diag(vcov))
        reach = q * np.sqrt(error**2 + self.tau2)
        found = Predictions(
            labels, pred, error, pred - q * error, pred + q * error, pred - reach, pred + reach, rows, vcov
        )
        return transformed(found, transf)

    def __getattr__(self, name: str) -> Any:
        """A view of the result by its name: forest, funnel."""
        return view(self, name)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per coefficient."""
        return [
            {
                "term": name, "estimate": float(self.b[j]), "se": float(self.se[j]), "zval": float(self.zval[j]),
                "pval": float(self.pval[j]), "ci_lb": float(self.ci_lb[j]), "ci_ub": float(self.ci_ub[j]),
                "tau2": self.tau2, "I2_fraction": self.I2, "k": self.k,
            }
            for j, name in enumerate(self.coef_names)
        ]  # fmt: skip

    def summary(self) -> str:
        """Model, heterogeneity and coefficients as text."""
        name = f", {GLMM_MODELS.entry(self.model).title}" if self.model else ""
        spread = f" (SE {self.se_tau2:.4f})" if np.isfinite(self.se_tau2) else ""
        lines = [
            f"GLMM of the {MEASURES.entry(self.measure).title}{name}: {self.k} studies, {self.nAGQ} quadrature points, "
            f"{self.iterations} steps",
            f"tau2 = {self.tau2:.4f}{spread}; I2 = {100 * self.I2:.1f}%; log-likelihood {self.log_likelihood:.4f}",
            f"Heterogeneity, df = {self.QE_df}: Wald {self.QE_Wld:.2f}, p = {p_text(self.QEp_Wld)}; "
            f"LRT {self.QE_LRT:.2f}, p = {p_text(self.QEp_LRT)}",
        ]
        lines += [
            f"{row['term']}: {row['estimate']:.4f} (SE {row['se']:.4f}) [{row['ci_lb']:.4f}; {row['ci_ub']:.4f}], "
            f"p = {p_text(row['pval'])}"
            for row in self.rows()
        ]
        return "\n".join([*lines, *(f"{label} is left out: {why}." for label, why in self.excluded)])

    def explain(self) -> Explanation:
        """The methods sentence with its references."""
        stijnen = "Stijnen T, et al. Stat Med 2010;29:3046-67. doi:10.1002/sim.4040"
        kind = GLMM_MODELS.entry(self.model).title if self.model else "a one-stage model"
        rule = (
            "the Laplace approximation"
            if self.nAGQ == 1
            else (f"adaptive Gauss-Hermite quadrature with {self.nAGQ} points")
        )
        text = (
            f"The {MEASURES.entry(self.measure).title} was estimated by a generalised linear mixed model ({kind}), by "
            f"maximum likelihood with {rule}."
        )
        cites = (stijnen, *((GLMM_MODELS.entry(self.model).cite,) if self.model else ()))
        return Explanation(text, tuple(dict.fromkeys((*cites, "Liu Q, Pierce DA. Biometrika 1994;81:624-9. "
                                                      "doi:10.1093/biomet/81.3.624"))))  # fmt: skip
