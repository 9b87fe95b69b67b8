"""Results of `rma_mh` and `rma_peto`: a common effect from counts, under metafor's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metagrove.core.errors import MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.effects.arms import Columns, PersonTimes, Tables
from metagrove.effects.corrections import Correction, corrected_person_times, corrected_tables
from metagrove.effects.escalation import EffectSizes, effect_sizes
from metagrove.effects.measures import MEASURES
from metagrove.pooling.counts.refits import count_refits, deleted_residuals, standardised_residuals
from metagrove.pooling.counts.scripts import Counted, r_call, stata_esize
from metagrove.pooling.counts.tables import (
    COUNT_METHODS,
    ChiSquare,
    CountEstimate,
    cochran_mantel_haenszel,
    homogeneity,
    mantel_haenszel,
    mantel_haenszel_rates,
    mantel_haenszel_rates_test,
    peto,
)
from metagrove.pooling.regression.case_diagnostics import RefitTable, Residuals, order_of
from metagrove.pooling.regression.coefficients import view
from metagrove.pooling.regression.predictions import Predictions, transformed
from metagrove.pooling.wording import p_text

__all__ = ["CountResult", "mantel_haenszel_result", "peto_result"]

_NAN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class CountResult(Result):
    """A common effect from counts; scalars are floats, NaN where a quantity does not exist.

    Parameters
    ----------
    b, se, zval, pval, ci_lb, ci_ub : the estimate on the analysis scale, its standard error, test and limits.
    QE, QE_df, QEp : heterogeneity of the single effects around it.
    I2, H2 : share and ratio made from QE; I2 is a fraction.
    MH, CO, TA, BD : tests: Mantel-Haenszel's (hypergeometric variance), Cochran's (binomial), Tarone's, Breslow-Day's.
    effects : the single effects behind QE.
    k, k_yi, k_pos : studies; those with an effect; those that carry weight.
    weights : the studies' weights, shape (k,).
    measure, method, level : as asked.
    """

    b: float
    se: float
    QE: float
    QE_df: int
    effects: EffectSizes
    weights: Array
    measure: str
    method: str
    level: float = 0.95
    tests: tuple[ChiSquare | None, ChiSquare | None, ChiSquare | None, ChiSquare | None] = (None, None, None, None)
    correct: bool = True
    source: Counted | None = None

    def to_r(self) -> str:
        """R code that repeats this analysis."""
        if self.source is None:
            raise MethodError("this result does not hold its counts; make it with rma_mh or rma_peto")
        more = {"level": f"{100 * self.level:g}"}
        if self.method == "MH":
            more |= {"measure": f'"{self.measure}"', "correct": str(self.correct).upper()}
        return r_call("rma.mh" if self.method == "MH" else "rma.peto", self.source, self.slab, more=more)

    def to_stata(self) -> str:
        """Stata code that repeats this analysis; raises MethodError where Stata has no such effect."""
        if self.source is None:
            raise MethodError("this result does not hold its counts; make it with rma_mh or rma_peto")
        return stata_esize(self.source, self.slab, self.measure, self.method, self.level)

    @property
    def k(self) -> int:
        """All studies with counts."""
        return int(self.weights.size)

    @property
    def k_yi(self) -> int:
        """Studies with an effect of their own."""
        return int(np.isfinite(self.effects.yi).sum())

    @property
    def k_pos(self) -> int:
        """Studies that carry weight."""
        return int((self.weights > 0).sum())

    @property
    def yi(self) -> Array:
        """Single effects on the analysis scale, shape (k,), NaN where a study has none."""
        return self.effects.yi

    @property
    def vi(self) -> Array:
        """Their sampling variances, shape (k,)."""
        return self.effects.vi

    @property
    def slab(self) -> tuple[str, ...]:
        """The studies' labels."""
        return self.effects.slab

    @property
    def zval(self) -> float:
        """Wald statistic of no effect; without a standard error 0 for no effect and infinite for any other."""
        if self.se > 0:
            return self.b / self.se
        return 0.0 if self.b == 0 else float(np.copysign(np.inf, self.b))

    @property
    def pval(self) -> float:
        """Its two-sided p value."""
        return float(2 * special.ndtr(-abs(self.zval)))

    @property
    def ci_lb(self) -> float:
        """Lower limit at `level`."""
        return self.b - float(special.ndtri(0.5 + self.level / 2)) * self.se

    @property
    def ci_ub(self) -> float:
        """Upper limit at `level`."""
        return self.b + float(special.ndtri(0.5 + self.level / 2)) * self.se

    @property
    def tau2(self) -> float:
        """0: the model has one common effect."""
        return 0.0

    @property
    def QEp(self) -> float:
        """P value of the heterogeneity."""
        return float(special.chdtrc(self.QE_df, self.QE)) if self.QE_df > 0 else 1.0

    @property
    def I2(self) -> float:
        """Share of the variation beyond chance, a fraction."""
        return max(0.0, (self.QE - self.QE_df) / self.QE) if self.QE_df > 0 and self.QE > 0 else 0.0

    @property
    def H2(self) -> float:
        """QE over its degrees of freedom."""
        return self.QE / self.QE_df if self.QE_df > 0 else _NAN

    def _statistic(self, i: int) -> float:
        test = self.tests[i]
        return test.statistic if test is not None else _NAN

    def _p(self, i: int) -> float:
        test = self.tests[i]
        return test.p if test is not None else _NAN

    @property
    def MH(self) -> float:
        """Mantel-Haenszel's chi-square of no effect (1 df), NaN where the measure has none."""
        return self._statistic(0)

    @property
    def MHp(self) -> float:
        """P value of MH."""
        return self._p(0)

    @property
    def CO(self) -> float:
        """Cochran's chi-square of no effect (1 df), NaN where the measure has none."""
        return self._statistic(1)

    @property
    def COp(self) -> float:
        """P value of CO."""
        return self._p(1)

    @property
    def TA(self) -> float:
        """Tarone's chi-square of homogeneous odds ratios, NaN for other measures."""
        return self._statistic(2)

    @property
    def TAp(self) -> float:
        """P value of TA."""
        return self._p(2)

    @property
    def BD(self) -> float:
        """Breslow and Day's chi-square of homogeneous odds ratios, NaN for other measures."""
        return self._statistic(3)

    @property
    def BDp(self) -> float:
        """P value of BD."""
        return self._p(3)

    @property
    def back(self) -> dict[str, float]:
        """Estimate and limits on the reporting scale."""
        turn = np.exp if MEASURES[self.measure].ratio else (lambda x: x)
        return {"b": float(turn(self.b)), "ci_lb": float(turn(self.ci_lb)), "ci_ub": float(turn(self.ci_ub))}

    def _of(self, keep: NDArray[np.intp]) -> CountResult:
        """The same analysis of the studies at positions."""
        if self.source is None:
            raise MethodError("this result does not hold its counts; make it with rma_mh or rma_peto")
        columns = self.source.counts.columns().values()
        counts = type(self.source.counts)(*(values[keep] for values in columns))
        slab = tuple(self.slab[i] for i in keep)
        show, weigh = self.source.rules
        if self.method == "MH":
            return mantel_haenszel_result(
                counts, self.measure, weigh=weigh, show=show, level=self.level, correct=self.correct, slab=slab
            )
        assert isinstance(counts, Tables)
        return peto_result(counts, weigh=weigh, show=show, level=self.level, slab=slab)

    def leave_one_out(self) -> RefitTable:
        """The estimate without each study."""
        everyone = np.arange(self.k)
        sets = [np.delete(everyone, i) for i in everyone]
        return count_refits(self, sets, tuple(f"without {name}" for name in self.slab), self._of)

    leave1out = leave_one_out

    def cumulative(self, order: Any = None) -> RefitTable:
        """The estimate as studies are added in the order of `order` (values to sort by)."""
        index = order_of(order, self.k)
        labels = tuple(f"+ {self.slab[i]}" for i in index)
        return count_refits(self, [index[: i + 1] for i in range(self.k)], labels, self._of)

    cumul = cumulative

    def rstandard(self) -> Residuals:
        """Standardised residuals of the single effects."""
        return standardised_residuals(self)

    def rstudent(self) -> Residuals:
        """Deleted residuals of the single effects."""
        return deleted_residuals(self, self._of)

    def predict(self, *, level: float | None = None, transf: Any = None) -> Predictions:
        """The estimate with its limits, transformed where asked; there is no prediction interval."""
        share = self.level if level is None else level / 100 if level > 1 else level
        half = float(special.ndtri(0.5 + share / 2)) * self.se
        b, none = np.array([self.b]), np.array([_NAN])
        found = Predictions(("1",), b, np.array([self.se]), b - half, b + half, none, none, np.ones((1, 1)), None)
        return transformed(found, transf)

    def __getattr__(self, name: str) -> Any:
        """A view of the result by its name: forest, funnel."""
        return view(self, name)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per study with its effect and weight in percent, then the pooled effect."""
        share = 100 * self.weights / self.weights.sum()
        found: list[dict[str, Any]] = [
            {"kind": "study", "study": label, "yi": float(y), "vi": float(v), "weight": float(w), "reason": reason}
            for label, y, v, w, reason in zip(
                self.slab, self.yi, self.vi, share, self.effects.reasons, strict=True
            )
        ]  # fmt: skip
        line = {"kind": "common", "study": "Common effect", "yi": self.b, "vi": self.se**2, "weight": 100.0}
        return [*found, {**line, "reason": "", "I2_fraction": self.I2}]

    def summary(self) -> str:
        """Estimate, heterogeneity and tests as text."""
        back = self.back
        lines = [
            f"{COUNT_METHODS.entry(self.method).title[0].upper()}{COUNT_METHODS.entry(self.method).title[1:]}: "
            f"{self.k} studies, {self.k_yi} with an effect of their own",
            f"{self.measure} {back['b']:.4f} [{back['ci_lb']:.4f}; {back['ci_ub']:.4f}], p = {p_text(self.pval)}",
            f"Heterogeneity: Q = {self.QE:.2f}, df = {self.QE_df}, p = {p_text(self.QEp)}; I2 = {100 * self.I2:.1f}%",
        ]
        names = ("Mantel-Haenszel test", "Cochran's test", "Tarone's test of homogeneity", "Breslow-Day test")
        for name, test in zip(names, self.tests, strict=True):
            if test is not None:
                lines.append(f"{name}: {test.statistic:.3f}, df = {test.df}, p = {p_text(test.p)}")
        return "\n".join([*lines, *([self.effects.correction] if self.effects.correction else [])])

    def explain(self) -> Explanation:
        """The methods sentence with its references."""
        entry, measure = COUNT_METHODS.entry(self.method), MEASURES.entry(self.measure)
        text = f"The {measure.title} was pooled by {entry.title}, assuming a common effect."
        return Explanation(text, (entry.cite, measure.cite))


def _spread(effects: EffectSizes, estimate: float) -> tuple[float, int]:
    seen = np.isfinite(effects.yi) & np.isfinite(effects.vi) & (np.nan_to_num(effects.vi) > 0)
    if not seen.any():
        return 0.0, 0
    return float(((effects.yi[seen] - estimate) ** 2 / effects.vi[seen]).sum()), int(seen.sum()) - 1


def mantel_haenszel_result(
    data: Columns,
    measure: str,
    *,
    weigh: Correction,
    show: Correction,
    level: float = 0.95,
    correct: bool = True,
    slab: tuple[str, ...] | None = None,
) -> CountResult:
    """The Mantel-Haenszel analysis of 2x2 tables ("OR", "RR", "RD") or person-times ("IRR", "IRD").

    Parameters
    ----------
    data : complete counts, shape (k,).
    weigh : what is added to cells before pooling (nothing, as a rule).
    show : what is added before the single effects are computed.
    level : of the limits.
    correct : continuity correction of the tests.
    """
    effects = effect_sizes(measure, data, rule=show, slab=slab)
    tests: tuple[ChiSquare | None, ChiSquare | None, ChiSquare | None, ChiSquare | None] = (None, None, None, None)
    if isinstance(data, Tables):
        pooled = _with(data, weigh)
        found: CountEstimate = mantel_haenszel(pooled, measure)
        if measure == "OR":
            tests = _odds_tests(pooled, found.estimate, correct=correct)
    elif isinstance(data, PersonTimes):
        counted = _counted(data, weigh)
        found = mantel_haenszel_rates(counted, measure)
        if measure == "IRR":
            tests = (mantel_haenszel_rates_test(counted, correct=correct), None, None, None)
    else:
        raise MethodError(f"the Mantel-Haenszel method does not pool '{measure}'; it pools OR, RR, RD, IRR and IRD")
    q, df = _spread(effects, found.estimate)
    return CountResult(
        found.estimate, found.se, q, df, effects, found.weights, measure, "MH", level, tests,
        correct=correct, source=Counted(data, (show, weigh)),
    )  # fmt: skip


def _with(tables: Tables, rule: Correction) -> Tables:
    """The tables after the rule; those it leaves out have no counts."""
    more, _, dropped = corrected_tables(tables, rule)
    return more.plus(np.where(dropped, np.nan, 0.0))


def _counted(data: PersonTimes, rule: Correction) -> PersonTimes:
    more, _, dropped = corrected_person_times(data, rule)
    return PersonTimes(*(np.where(dropped, np.nan, column) for column in more.columns().values()))


def _odds_tests(
    tables: Tables, estimate: float, *, correct: bool
) -> tuple[ChiSquare | None, ChiSquare | None, ChiSquare | None, ChiSquare | None]:
    mh = cochran_mantel_haenszel(tables, correct=correct)
    cochran = cochran_mantel_haenszel(tables, correct=correct, variance="Cochran")
    if int((~tables.uninformative).sum()) < 2:
        return mh, cochran, None, None
    breslow_day, tarone = homogeneity(tables, estimate)
    return mh, cochran, tarone, breslow_day


def peto_result(
    tables: Tables,
    *,
    weigh: Correction,
    show: Correction,
    level: float = 0.95,
    slab: tuple[str, ...] | None = None,
) -> CountResult:
    """Peto's analysis of 2x2 tables; `weigh` is what is added before pooling, `show` before single effects are listed."""
    pooled = _with(tables, weigh)
    found = peto(pooled)
    effects = effect_sizes("PETO", tables, rule=show, slab=slab)
    plain = effect_sizes("PETO", pooled, rule=Correction(0.0, "none", True), slab=slab)
    q, df = _spread(plain, found.estimate)
    return CountResult(
        found.estimate, found.se, q, df, effects, found.weights, "PETO", "Peto", level,
        source=Counted(tables, (show, weigh)),
    )  # fmt: skip
