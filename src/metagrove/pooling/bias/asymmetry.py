"""A test for small-study effects as a result: with the reason where it was not done, and the caution where it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.small_study import BIAS_TESTS, TEST_SYNONYMS, BiasStatistic

__all__ = ["AsymmetryTest", "asymmetry_test", "default_test", "known_test"]

STERNE = (
    "Sterne JAC, Sutton AJ, Ioannidis JPA, et al. (2011) Recommendations for examining and interpreting funnel plot "
    "asymmetry in meta-analyses of randomised controlled trials. BMJ 343:d4002. doi:10.1136/bmj.d4002"
)

_DEFAULTS = {"OR": "Harbord", "DOR": "Deeks", "SMD": "Pustejovsky"}
_RANKS = ("Begg", "Schwarzer")


def default_test(measure: str) -> str:
    """The test that suits a measure: Harbord's for odds ratios, Deeks' for diagnostic ones, Egger's otherwise."""
    return _DEFAULTS.get(measure, "Egger")


def known_test(name: str) -> str:
    """The registered name of a test, from any spelling of it in use."""
    known = {key.lower(): key for key in BIAS_TESTS} | TEST_SYNONYMS
    try:
        return known[name.strip().lower()]
    except (KeyError, AttributeError):
        raise UnknownName("test for small-study effects", name, BIAS_TESTS) from None


@dataclass(frozen=True, slots=True, eq=False)
class AsymmetryTest(Result):
    """A test for small-study effects, in the terms of R's `metabias`.

    `found` is None where the test was not done, and `reason` then says why; otherwise `reason` holds the caution that
    belongs to the result, or nothing.
    """

    method: str
    k: int
    k_min: int
    found: BiasStatistic | None
    reason: str = ""
    script: Script | None = None

    @property
    def estimate(self) -> Array | None:
        """The asymmetry and its standard error, shape (2,)."""
        return None if self.found is None else np.array([self.found.estimate, self.found.se])

    @property
    def estimate_names(self) -> tuple[str, str]:
        """What the two numbers of `estimate` are called."""
        if self.method == "LinChu":
            return ("skewness", "se.skewness")
        return ("ks", "se.ks") if self.method in _RANKS else ("bias", "se.bias")

    @property
    def statistic(self) -> float | None:
        """The standardised asymmetry."""
        return None if self.found is None else self.found.statistic

    @property
    def pval(self) -> float | None:
        """The two-sided p-value."""
        return None if self.found is None else self.found.pval

    @property
    def df(self) -> int | None:
        """Degrees of freedom of Student's t; None for a normal reference."""
        return None if self.found is None else self.found.df

    @property
    def intercept(self) -> float | None:
        """The intercept of the regression: the effect where the predictor is 0."""
        return None if self.found is None else self.found.intercept

    @property
    def se_intercept(self) -> float | None:
        """The standard error of the intercept."""
        return None if self.found is None else self.found.se_intercept

    @property
    def tau2(self) -> float | None:
        """The residual variance: additive for Thompson-Sharp, multiplicative for the other regressions."""
        return None if self.found is None else self.found.tau2

    def rows(self) -> list[dict[str, Any]]:
        """One row: the test."""
        estimate = self.estimate
        return [
            {
                "method": self.method,
                "k": self.k,
                "estimate": None if estimate is None else float(estimate[0]),
                "se": None if estimate is None else float(estimate[1]),
                "statistic": self.statistic,
                "df": self.df,
                "pval": self.pval,
                "reason": self.reason,
            }
        ]

    def summary(self) -> str:
        """The statistic and p-value, or the reason why there are none."""
        title = BIAS_TESTS.entry(self.method).title
        if self.found is None:
            return f"{title[0].upper()}{title[1:]}: not done. {self.reason}"
        kind = f"t = {self.statistic:.2f}, df = {self.df}" if self.df is not None else f"z = {self.statistic:.2f}"
        lines = [
            f"{title[0].upper()}{title[1:]}, k = {self.k}",
            f"{kind}, p = {self.pval:.4f}; {self.estimate_names[0]} {self.found.estimate:.4f} (SE {self.found.se:.4f})",
        ]
        return "\n".join([*lines, self.reason] if self.reason else lines)

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        entry = BIAS_TESTS.entry(self.method)
        if self.found is None:
            return Explanation(f"No test for small-study effects was done: {self.reason}", (STERNE,))
        few = f" With {self.k} studies the test has little power." if self.k < 10 else ""
        return Explanation(f"Small-study effects were examined by {entry.title}.{few}", (entry.cite, STERNE))


def asymmetry_test(funnel: FunnelData, method: str = "", *, k_min: int = 10, correct: bool = False) -> AsymmetryTest:
    """The test called `method` (by default the one that suits the measure), not done below `k_min` studies.

    A test that does not suit the measure is refused (MethodError); too few studies give a result without a statistic
    that says so, as R's `metabias` does. `correct` applies a continuity correction to the rank tests.
    """
    name = known_test(method) if method else default_test(funnel.measure)
    if k_min < 3:
        raise MethodError(f"k_min is {k_min}; no test for small-study effects exists below 3 studies")
    if funnel.k < k_min:
        reason = (
            f"{funnel.k} {'study' if funnel.k == 1 else 'studies'}, fewer than k_min = {k_min}: tests for small-study "
            "effects cannot tell chance from asymmetry with so few"
        )
        hint = "." if funnel.k < 3 else f"; k_min={funnel.k} runs it anyway."
        return AsymmetryTest(name, funnel.k, k_min, None, reason + hint)
    caution = "" if funnel.k >= 10 else f"Only {funnel.k} studies: below 10 the test has little power."
    if funnel.measure in ("PFT", "IRFT", "PAS") and name in ("Egger", "Begg", "Thompson"):
        caution = f"{caution} With {funnel.measure} the variance depends on the sample size alone.".strip()
    found = BIAS_TESTS[name](funnel)
    if correct and name in _RANKS:
        z = float(np.sign(found.estimate)) * max(0.0, abs(found.estimate) - 1) / found.se
        found = replace(found, statistic=z, pval=float(2 * ndtr(-abs(z))))
    return AsymmetryTest(name, funnel.k, k_min, found, caution)
