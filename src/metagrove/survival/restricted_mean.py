"""Mean survival time up to a horizon, and the contrast of two groups."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.survival.scripts import restricted_mean_script

__all__ = ["RestrictedMean", "RestrictedMeanContrast", "restricted_mean_contrast", "step_mean"]

_ROYSTON = (
    "Royston P, Parmar MKB. Restricted mean survival time: an alternative to the hazard ratio for the design and "
    "analysis of randomized trials with a time-to-event outcome. BMC Med Res Methodol 2013;13:152. "
    "doi:10.1186/1471-2288-13-152"
)
_UNO = (
    "Uno H, Claggett B, Tian L, et al. Moving beyond the hazard ratio in quantifying the between-group difference in "
    "survival analysis. J Clin Oncol 2014;32:2380-2385. doi:10.1200/JCO.2014.55.2208"
)


def _z(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + level / 2))


@dataclass(frozen=True, slots=True)
class RestrictedMean(Result):
    """The area under a survival curve up to `tau`, with the standard error of Greenwood's type; in units of time."""

    estimate: float
    se: float
    tau: float
    level: float = 0.95

    @property
    def ci(self) -> tuple[float, float]:
        """Normal limits of the mean."""
        half = _z(self.level) * self.se
        return self.estimate - half, self.estimate + half

    @property
    def lost(self) -> float:
        """Mean time lost up to `tau`."""
        return self.tau - self.estimate

    def rows(self) -> list[dict[str, Any]]:
        """One line: tau, estimate, se and limits."""
        lower, upper = self.ci
        return [{"tau": self.tau, "estimate": self.estimate, "se": self.se, "lower": lower, "upper": upper}]

    def summary(self) -> str:
        """The mean with its interval."""
        lower, upper = self.ci
        return f"mean survival up to {self.tau:g}: {self.estimate:.4g} ({self.level:.0%} CI {lower:.4g} to {upper:.4g})"

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            f"Restricted mean survival time up to {self.tau:g} was the area under the Kaplan-Meier curve.", (_ROYSTON,)
        )


def step_mean(
    time: Array, survival: Array, n_risk: Array, n_event: Array, *, tau: float, level: float = 0.95
) -> RestrictedMean:
    """The area under a product-limit curve up to `tau` with its standard error.

    The variance sums, over event times up to `tau`, the squared area still to come times d / (n (n - d)); a time at
    which everybody dies has no area after it and adds nothing.
    """
    inside = time <= tau * (1 + 1e-12)
    t, s, n, d = time[inside], survival[inside], n_risk[inside], n_event[inside]
    edges = np.concatenate(([0.0], t, [tau]))
    pieces = np.diff(edges) * np.concatenate(([1.0], s))
    to_come = np.cumsum(pieces[::-1])[::-1][1:]
    survivors = n - d
    share = np.divide(d, n * survivors, out=np.zeros_like(d), where=survivors > 0)
    return RestrictedMean(float(pieces.sum()), math.sqrt(float((to_come**2 * share).sum())), tau, level)


@dataclass(frozen=True, slots=True)
class RestrictedMeanContrast(Result):
    """Restricted means of two groups compared: group 1 against group 0.

    `difference` is in units of time; `ratio` compares the means and `lost_ratio` the mean times lost, each with limits
    symmetric on the log scale; the former is NaN where a whole group has the event at time 0, the latter where a group has
    lost no time, having no event. `difference_ci`, `ratio_ci`, `lost_ratio_ci` are pairs; `p`, `ratio_p` and
    `lost_ratio_p` two-sided. `curves` are those of group 0 and group 1 where they are known, for the plot.
    """

    group1: RestrictedMean
    group0: RestrictedMean
    difference: float
    se: float
    ratio: float
    log_ratio_se: float
    lost_ratio: float
    log_lost_ratio_se: float
    level: float = 0.95
    curves: tuple[Any, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def script(self) -> Script:
        """The same comparison as code in R and Stata, patients in the order of time; MethodError without the curves."""
        if self.curves is None:
            raise MethodError("the patients behind these restricted means are not known; compare groups of patients")
        time, event, group = [], [], []
        for g, curve in enumerate(self.curves):
            for kind, counts in ((1, curve.n_event), (0, curve.n_censor)):
                repeated = np.repeat(curve.time, np.asarray(counts, dtype=int))
                time.append(repeated)
                event.append(np.full(repeated.size, kind))
                group.append(np.full(repeated.size, g))
        columns = {"time": np.concatenate(time), "event": np.concatenate(event), "group": np.concatenate(group)}
        return restricted_mean_script(columns, tau=self.group1.tau, level=self.level)

    def _log_ci(self, value: float, se: float) -> tuple[float, float]:
        half = _z(self.level) * se
        return value * math.exp(-half), value * math.exp(half)

    @property
    def difference_ci(self) -> tuple[float, float]:
        """Limits of the difference."""
        half = _z(self.level) * self.se
        return self.difference - half, self.difference + half

    @property
    def ratio_ci(self) -> tuple[float, float]:
        """Limits of the ratio of means."""
        return self._log_ci(self.ratio, self.log_ratio_se)

    @property
    def lost_ratio_ci(self) -> tuple[float, float]:
        """Limits of the ratio of times lost."""
        return self._log_ci(self.lost_ratio, self.log_lost_ratio_se)

    @property
    def p(self) -> float:
        """Two-sided p value of the difference."""
        return _two_sided(self.difference, self.se)

    @property
    def ratio_p(self) -> float:
        """Two-sided p value of the ratio of means."""
        return _two_sided(math.log(self.ratio), self.log_ratio_se)

    @property
    def lost_ratio_p(self) -> float:
        """Two-sided p value of the ratio of times lost."""
        return _two_sided(math.log(self.lost_ratio), self.log_lost_ratio_se)

    def rows(self) -> list[dict[str, Any]]:
        """Three lines: difference, ratio of means, ratio of times lost."""
        found = (
            ("difference", self.difference, self.difference_ci, self.p),
            ("ratio", self.ratio, self.ratio_ci, self.ratio_p),
            ("lost_ratio", self.lost_ratio, self.lost_ratio_ci, self.lost_ratio_p),
        )
        return [
            {"contrast": name, "estimate": value, "lower": ci[0], "upper": ci[1], "p": p}
            for name, value, ci, p in found
        ]

    def summary(self) -> str:
        """The difference with its interval."""
        low, high = self.difference_ci
        return (
            f"difference in mean survival up to {self.group1.tau:g}: {self.difference:.4g} "
            f"({self.level:.0%} CI {low:.4g} to {high:.4g}), p = {self.p:.3g}"
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            f"Groups were compared by restricted mean survival time up to {self.group1.tau:g}: difference and ratio "
            "of the areas under the Kaplan-Meier curves, ratios with intervals on the log scale.",
            (_ROYSTON, _UNO),
        )


def _two_sided(value: float, se: float) -> float:
    from scipy.special import ndtr

    if math.isnan(se):
        return math.nan
    return float(2 * ndtr(-abs(value) / se)) if se > 0 else (1.0 if value == 0 else 0.0)


def restricted_mean_contrast(group1: RestrictedMean, group0: RestrictedMean) -> RestrictedMeanContrast:
    """Two restricted means to the same horizon compared; pinned by `survival/rmst_two_arm.csv` (R survRM2)."""
    if not math.isclose(group1.tau, group0.tau, rel_tol=1e-9):
        raise DataError(f"horizons {group1.tau:g} and {group0.tau:g} differ; restricted means are compared at one")
    lost = group1.lost > 0 and group0.lost > 0
    if not lost and group1.se == group0.se == 0:
        raise MethodError(f"no event in either group up to {group1.tau:g}; nothing can be compared")
    lived = group1.estimate > 0 and group0.estimate > 0
    return RestrictedMeanContrast(
        group1,
        group0,
        group1.estimate - group0.estimate,
        math.hypot(group1.se, group0.se),
        group1.estimate / group0.estimate if lived else math.nan,
        math.hypot(group1.se / group1.estimate, group0.se / group0.estimate) if lived else math.nan,
        group1.lost / group0.lost if lost else math.nan,
        math.hypot(group1.se / group1.lost, group0.se / group0.lost) if lost else math.nan,
        group1.level,
    )
