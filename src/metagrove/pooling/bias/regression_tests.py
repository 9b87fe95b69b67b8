"""Regression and rank tests of funnel asymmetry in metafor's terms, and the estimates that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.rank_correlation import rank_correlation
from metagrove.pooling.bias.small_study import BIAS_TESTS, standardised_deviations
from metagrove.pooling.bias.weighted_line import residual_tau2, weighted_line

__all__ = [
    "PREDICTORS",
    "LineFit",
    "PetPeese",
    "RankTest",
    "RegressionTest",
    "line_fit",
    "pet_peese_estimate",
    "rank_test",
    "regression_test",
]

STERNE_EGGER = (
    "Sterne JAC, Egger M (2005) Regression methods to detect publication and other bias in meta-analysis. In: "
    "Rothstein HR, Sutton AJ, Borenstein M (eds) Publication Bias in Meta-Analysis, 99-110. Wiley, Chichester. "
    "doi:10.1002/0470870168.ch6"
)
STANLEY = (
    "Stanley TD, Doucouliagos H (2014) Meta-regression approximations to reduce publication selection bias. Research "
    "Synthesis Methods 5:60-78. doi:10.1002/jrsm.1095"
)


@dataclass(frozen=True, slots=True)
class Predictor:
    """What the effect is regressed on: its name in a sentence, and whether it goes to 0 as studies grow."""

    name: str
    vanishes: bool


#: Predictors of `regtest`; those that vanish in large studies give a limit estimate.
PREDICTORS: Registry[Predictor] = Registry("predictor of the regression test")
for _code, _name, _vanishes in (
    ("sei", "standard error", True),
    ("vi", "sampling variance", True),
    ("ni", "sample size", False),
    ("ninv", "inverse of the sample size", True),
    ("sqrtni", "square root of the sample size", False),
    ("sqrtninv", "inverse square root of the sample size", True),
):
    PREDICTORS.put(_code, Predictor(_name, _vanishes), title=_name, cite=STERNE_EGGER)


def predictor_values(funnel: FunnelData, predictor: str) -> Array:
    """The values of the named predictor, shape (k,); MethodError where sample sizes are not known."""
    PREDICTORS.entry(predictor)
    if predictor == "sei":
        return funnel.se
    if predictor == "vi":
        return funnel.v
    n = funnel.totals(f"a regression test on '{predictor}'")
    powers = {"ni": 1.0, "ninv": -1.0, "sqrtni": 0.5, "sqrtninv": -0.5}
    return np.asarray(n ** powers[predictor], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class LineFit:
    """A regression of effects on moderators: coefficients `b`, their `se`, statistics, p-values and limits.

    `df` is None where the reference distribution is normal. `tau2` is the residual heterogeneity of the mixed-effects
    model, `dispersion` the residual mean square of the model with multiplicative dispersion.
    """

    b: Array
    se: Array
    statistic: Array
    pval: Array
    ci_lb: Array
    ci_ub: Array
    df: int | None
    tau2: float
    dispersion: float


def line_fit(
    y: Array,
    v: Array,
    X: Array,
    *,
    model: str = "rma",
    method: str = "REML",
    test: str = "z",
    level: float = 0.95,
) -> LineFit:
    """The regression of `y` on `X` by weighted least squares ("lm") or as a mixed-effects model ("rma").

    `test` is "z", "t" or "knha" (with the residual mean square) and matters for "rma" alone.
    """
    if model not in ("rma", "lm"):
        raise UnknownName("model of the regression test", model, ["lm", "rma"])
    if test not in ("z", "t", "knha"):
        raise UnknownName("test of coefficients", test, ["knha", "t", "z"])
    tau2 = residual_tau2(y, v, X, method) if model == "rma" else 0.0
    line = weighted_line(y, X, 1 / (v + tau2))
    scaled = model == "lm" or test == "knha"
    se = line.se(multiplicative=scaled)
    if not (se > 0).all():
        raise MethodError("the effects lie exactly on a line, so the test has no standard error")
    df = line.df if model == "lm" or test != "z" else None
    statistic = line.b / se
    if df is None:
        pval, reach = 2 * ndtr(-np.abs(statistic)), float(ndtri((1 + level) / 2))
    else:
        pval, reach = 2 * stdtr(df, -np.abs(statistic)), float(stdtrit(df, (1 + level) / 2))
    return LineFit(line.b, se, statistic, pval, line.b - reach * se, line.b + reach * se, df, tau2, line.dispersion)


@dataclass(frozen=True, slots=True, eq=False)
class RegressionTest(Result):
    """A regression test of funnel asymmetry under metafor's names.

    `zval` is the statistic (Student's t where `dfs` is a number); `est`, `ci_lb` and `ci_ub` are the effect at the
    limit of infinitely large studies, None where the predictor does not vanish there or the model has other
    moderators; `fit` is the whole regression, the predictor last.
    """

    model: str
    predictor: str
    method: str
    k: int
    zval: float
    pval: float
    dfs: int | None
    est: float | None
    ci_lb: float | None
    ci_ub: float | None
    fit: LineFit
    script: Script | None = None

    @property
    def tval(self) -> float:
        """The statistic, by the name it has with a t distribution."""
        return self.zval

    @property
    def limit_est(self) -> float | None:
        """The limit estimate."""
        return self.est

    @property
    def limit_ci_lb(self) -> float | None:
        """The lower confidence limit of the limit estimate."""
        return self.ci_lb

    @property
    def limit_ci_ub(self) -> float | None:
        """The upper confidence limit of the limit estimate."""
        return self.ci_ub

    @property
    def slope(self) -> Array:
        """The coefficients: intercept first, predictor last."""
        return self.fit.b

    def rows(self) -> list[dict[str, Any]]:
        """One row: the test and its limit estimate."""
        names = ("model", "predictor", "k", "zval", "dfs", "pval", "est", "ci_lb", "ci_ub")
        return [{name: getattr(self, name) for name in names}]

    def summary(self) -> str:
        """Statistic, p-value and limit estimate in three lines."""
        model = "weighted regression with multiplicative dispersion" if self.model == "lm" else "mixed-effects model"
        found = f"t = {self.zval:.4f}, df = {self.dfs}" if self.dfs is not None else f"z = {self.zval:.4f}"
        lines = [
            "Regression test for funnel plot asymmetry",
            f"Model: {model}; predictor: {PREDICTORS[self.predictor].name}; k = {self.k}",
            f"Test: {found}, p = {self.pval:.4f}",
        ]
        if self.est is not None:
            lines.append(f"Limit estimate: {self.est:.4f} [{self.ci_lb:.4f}; {self.ci_ub:.4f}]")
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        name = PREDICTORS[self.predictor].name
        if self.model == "lm":
            how = "weighted regression with multiplicative dispersion"
        else:
            how = f"mixed-effects meta-regression ({self.method})"
        return Explanation(
            f"Funnel plot asymmetry was tested by {how} of the effects on their {name}.",
            (BIAS_TESTS.entry("Egger").cite, STERNE_EGGER),
        )


def regression_test(
    funnel: FunnelData,
    *,
    predictor: str = "sei",
    model: str = "rma",
    method: str = "REML",
    test: str = "z",
    level: float = 0.95,
    moderators: Array | None = None,
) -> RegressionTest:
    """The regression test of the effects on `predictor`, after `moderators` if any.

    `moderators` has shape (k, p) and holds the intercept where the model has one.

    References
    ----------
    Egger M, Davey Smith G, Schneider M, Minder C (1997) BMJ 315:629-634. doi:10.1136/bmj.315.7109.629
    Sterne JAC, Egger M (2005) Regression methods to detect publication and other bias. doi:10.1002/0470870168.ch6
    """
    before = np.ones((funnel.k, 1)) if moderators is None else moderators
    X = np.column_stack((before, predictor_values(funnel, predictor)))
    fit = line_fit(funnel.y, funnel.v, X, model=model, method=method, test=test, level=level)
    limit = X.shape[1] == 2 and PREDICTORS[predictor].vanishes
    return RegressionTest(
        model=model,
        predictor=predictor,
        method=method,
        k=funnel.k,
        zval=float(fit.statistic[-1]),
        pval=float(fit.pval[-1]),
        dfs=fit.df,
        est=float(fit.b[0]) if limit else None,
        ci_lb=float(fit.ci_lb[0]) if limit else None,
        ci_ub=float(fit.ci_ub[0]) if limit else None,
        fit=fit,
    )


@dataclass(frozen=True, slots=True)
class RankTest(Result):
    """Begg and Mazumdar's rank correlation test: Kendall's `tau` and its p-value, exact where there are no ties."""

    k: int
    tau: float
    pval: float
    exact: bool
    script: Script | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One row: tau and its p-value."""
        return [{"k": self.k, "tau": self.tau, "pval": self.pval, "exact": self.exact}]

    def summary(self) -> str:
        """Tau and the p-value in a line."""
        how = "exact" if self.exact else "normal limit"
        return f"Rank correlation test for funnel plot asymmetry: tau = {self.tau:.4f}, p = {self.pval:.4f} ({how})"

    def explain(self) -> Explanation:
        """The methods sentence and its reference."""
        return Explanation(
            "Funnel plot asymmetry was tested by the rank correlation of standardised effects with their variances.",
            (BIAS_TESTS.entry("Begg").cite,),
        )


def rank_test(funnel: FunnelData, *, exact: bool = True) -> RankTest:
    """The rank correlation of standardised effects with their sampling variances.

    References
    ----------
    Begg CB, Mazumdar M (1994) Biometrics 50:1088-1101. doi:10.2307/2533446
    """
    found = rank_correlation(standardised_deviations(funnel), funnel.v)
    if exact and found.pval_exact is not None:
        return RankTest(funnel.k, found.tau_b, found.pval_exact, exact=True)
    return RankTest(funnel.k, found.tau_b, found.pval_normal, exact=False)


@dataclass(frozen=True, slots=True, eq=False)
class PetPeese(Result):
    """The effect at infinite precision: by PET (on the standard error), by PEESE (on the variance), and the one chosen.

    `estimate`, `se`, `ci_lb`, `ci_ub` and `pval` belong to `chosen` ("PET" or "PEESE").
    """

    chosen: str
    estimate: float
    se: float
    ci_lb: float
    ci_ub: float
    pval: float
    pet: RegressionTest
    peese: RegressionTest
    alpha: float
    script: Script | None = None

    def rows(self) -> list[dict[str, Any]]:
        """One row each for PET and PEESE."""
        return [
            {
                "model": name,
                "estimate": test.est,
                "se": float(test.fit.se[0]),
                "ci_lb": test.ci_lb,
                "ci_ub": test.ci_ub,
                "pval": float(test.fit.pval[0]),
                "chosen": name == self.chosen,
            }
            for name, test in (("PET", self.pet), ("PEESE", self.peese))
        ]

    def summary(self) -> str:
        """Both estimates, the chosen one marked."""
        lines = ["PET-PEESE, the effect at infinite precision"]
        for row in self.rows():
            mark = "  <- chosen" if row["chosen"] else ""
            limits = f"[{row['ci_lb']:.4f}; {row['ci_ub']:.4f}]"
            lines.append(f"{row['model']:5s} {row['estimate']:8.4f} {limits}, p = {row['pval']:.4f}{mark}")
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence and its reference."""
        return Explanation(
            "The effect was extrapolated to infinite precision by the conditional PET-PEESE estimator: the intercept "
            "of the regression on the standard error, replaced by that of the regression on the variance where the "
            f"former differed from zero (two-sided p < {self.alpha:g}).",
            (STANLEY,),
        )


def pet_peese_estimate(
    funnel: FunnelData, *, model: str = "lm", method: str = "REML", alpha: float = 0.10, level: float = 0.95
) -> PetPeese:
    """The conditional PET-PEESE estimate; `alpha` is the two-sided threshold of the PET intercept.

    References
    ----------
    Stanley TD, Doucouliagos H (2014) Research Synthesis Methods 5:60-78. doi:10.1002/jrsm.1095
    """
    pet = regression_test(funnel, predictor="sei", model=model, method=method, level=level)
    peese = regression_test(funnel, predictor="vi", model=model, method=method, level=level)
    chosen, test = ("PEESE", peese) if pet.fit.pval[0] < alpha else ("PET", pet)
    fit = test.fit
    return PetPeese(
        chosen=chosen,
        estimate=float(fit.b[0]),
        se=float(fit.se[0]),
        ci_lb=float(fit.ci_lb[0]),
        ci_ub=float(fit.ci_ub[0]),
        pval=float(fit.pval[0]),
        pet=pet,
        peese=peese,
        alpha=alpha,
    )
