"""Log hazard ratios from whatever a trial report printed.

Each function takes one form of reporting and returns a `ReportedHazardRatio`: arms are "experimental" and "control",
and a ratio below 1 favours the experimental arm.

References
----------
Parmar MKB, et al. Stat Med 1998;17:2815-34. doi:10.1002/(SICI)1097-0258(19981230)17:24<2815::AID-SIM110>3.0.CO;2-8
Tierney JF, et al. Trials 2007;8:16. doi:10.1186/1745-6215-8-16
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metagrove.core.errors import DataError
from metagrove.core.results import Explanation, Result

__all__ = ["FORMS", "ReportedHazardRatio", "from_events", "from_excess", "from_interval", "from_log_rank"]
__all__ += ["from_medians", "from_milestones", "from_observed_and_expected", "from_p_value", "from_standard_error"]

PARMAR = (
    "Parmar MKB, et al. Stat Med 1998;17:2815-34. "
    "doi:10.1002/(SICI)1097-0258(19981230)17:24<2815::AID-SIM110>3.0.CO;2-8"
)
TIERNEY = "Tierney JF, et al. Trials 2007;8:16. doi:10.1186/1745-6215-8-16"

#: Forms of reporting, from the most to the least informative, and how a sentence names them.
FORMS = {
    "interval": "the hazard ratio and its confidence interval",
    "standard error": "the log hazard ratio and its standard error",
    "excess": "observed minus expected events and the log-rank variance",
    "observed and expected": "observed and expected events of both arms",
    "p value": "the hazard ratio and its p value",
    "events": "the hazard ratio and the number of events",
    "log-rank": "the log-rank test and the number of events",
    "curves": "the survival curves and the follow-up",
    "milestones": "survival at one time in both arms",
    "medians": "median survival in both arms, assuming constant hazards",
}


@dataclass(frozen=True, slots=True)
class ReportedHazardRatio(Result):
    """A log hazard ratio `log_hr` with standard error `se` (> 0), the `form` it was read from, and `notes`."""

    log_hr: float
    se: float
    form: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (np.isfinite(self.log_hr) and np.isfinite(self.se) and self.se > 0):
            raise DataError(f"log hazard ratio {self.log_hr:g} with standard error {self.se:g}; both must be finite")

    @property
    def hr(self) -> float:
        """The hazard ratio."""
        return float(np.exp(self.log_hr))

    @property
    def v(self) -> float:
        """The sampling variance of the log hazard ratio."""
        return self.se**2

    def limits(self, level: float = 0.95) -> tuple[float, float]:
        """Limits of the hazard ratio at `level`."""
        z = _z_of_level(level)
        return float(np.exp(self.log_hr - z * self.se)), float(np.exp(self.log_hr + z * self.se))

    def noted(self, *notes: str) -> ReportedHazardRatio:
        """The same with further notes."""
        return replace(self, notes=self.notes + notes)

    def rows(self) -> list[dict[str, Any]]:
        """One row: hazard ratio, limits, yi, vi, the form it came from, notes."""
        lower, upper = self.limits()
        row = {"hr": self.hr, "lower": lower, "upper": upper, "yi": self.log_hr, "vi": self.v}
        return [{**row, "form": self.form, "notes": "; ".join(self.notes)}]

    def summary(self) -> str:
        """One line, and a line for each note."""
        lower, upper = self.limits()
        line = f"HR {self.hr:.3f} [{lower:.3f}; {upper:.3f}] from {FORMS[self.form]}"
        return "\n".join([line, *self.notes])

    def explain(self) -> Explanation:
        """Which form of reporting the hazard ratio was derived from."""
        return Explanation(f"The log hazard ratio and its variance were derived from {FORMS[self.form]}.",
                           (PARMAR, TIERNEY))  # fmt: skip


def _z_of_level(level: float) -> float:
    from scipy.special import ndtri

    if not 0 < level < 1:
        raise DataError(f"the level of the interval is {level:g}; it lies between 0 and 1 (95% is 0.95)")
    return float(ndtri(0.5 + level / 2))


def _z_of_p(p: float) -> float:
    from scipy.special import ndtri

    if not 0 < p <= 1:
        raise DataError(f"p is {p:g}; a p value lies above 0 and at most 1 ('p < 0.001' is not a number to use)")
    return float(-ndtri(p / 2))


def _above_zero(values: Mapping[str, float | None]) -> None:
    for name, value in values.items():
        if value is not None and not (np.isfinite(value) and value > 0):
            raise DataError(f"{name} is {value:g}; it must be above 0")


def from_interval(lower: float, upper: float, hr: float | None = None, *, level: float = 0.95) -> ReportedHazardRatio:
    """The log hazard ratio from its limits at `level`; the middle of the limits where `hr` was not printed.

    A printed ratio that is far from the middle of its limits on the log scale is noted: one of the three is misprinted
    or the interval is not of Wald's kind.
    """
    _above_zero({"lower limit": lower, "upper limit": upper, "hazard ratio": hr})
    if not lower < upper:
        raise DataError(f"limits {lower:g} to {upper:g}; the lower limit is below the upper")
    if hr is not None and not lower <= hr <= upper:
        raise DataError(f"hazard ratio {hr:g} outside its own limits {lower:g} to {upper:g}")
    se = float((np.log(upper) - np.log(lower)) / (2 * _z_of_level(level)))
    middle = float((np.log(lower) + np.log(upper)) / 2)
    y = middle if hr is None else float(np.log(hr))
    result = ReportedHazardRatio(y, se, "interval")
    if abs(y - middle) > 0.2 * se:
        return result.noted(
            f"The hazard ratio {np.exp(y):.3g} is not in the middle of {lower:g} to {upper:g} ({np.exp(middle):.3g})."
        )
    return result


def from_standard_error(log_hr: float, se: float) -> ReportedHazardRatio:
    """The log hazard ratio as printed with its standard error."""
    _above_zero({"standard error": se})
    return ReportedHazardRatio(log_hr, se, "standard error")


def from_excess(excess: float, v: float) -> ReportedHazardRatio:
    """The log hazard ratio (O - E) / V of the experimental arm with variance 1 / V."""
    _above_zero({"V": v})
    return ReportedHazardRatio(excess / v, float(1 / np.sqrt(v)), "excess")


def from_observed_and_expected(
    observed_e: float, expected_e: float, observed_c: float, expected_c: float
) -> ReportedHazardRatio:
    """The log of the ratio of observed to expected events, variance 1/E₁ + 1/E₂ (Parmar 1998, section 3.2)."""
    _above_zero(
        {"expected e": expected_e, "expected c": expected_c, "observed e": observed_e, "observed c": observed_c}
    )
    y = np.log(observed_e / expected_e) - np.log(observed_c / expected_c)
    return ReportedHazardRatio(float(y), float(np.sqrt(1 / expected_e + 1 / expected_c)), "observed and expected")


def from_p_value(hr: float, p: float) -> ReportedHazardRatio:
    """The log hazard ratio with the standard error that gives its two-sided p value."""
    _above_zero({"hazard ratio": hr})
    z, y = _z_of_p(p), float(np.log(hr))
    if z <= 0 or y == 0:
        raise DataError(f"hazard ratio {hr:g} with p {p:g} says nothing about its precision")
    return ReportedHazardRatio(y, abs(y) / z, "p value")


def log_rank_variance(
    events: float | None = None,
    *,
    events_e: float | None = None,
    events_c: float | None = None,
    n_e: float | None = None,
    n_c: float | None = None,
) -> float:
    """The log-rank variance V from events: e₁e₂/e by arm, else e·n₁n₂/n² by allocation, else e/4 for 1:1."""
    _above_zero({"events": events, "n e": n_e, "n c": n_c, "events e": events_e, "events c": events_c})
    if events_e is not None and events_c is not None:
        return events_e * events_c / (events_e + events_c)
    if events is None:
        raise DataError("the number of events is needed, in total or in each arm")
    if n_e is not None and n_c is not None:
        if events > n_e + n_c:
            raise DataError(f"{events:g} events among {n_e + n_c:g} people")
        return events * n_e * n_c / (n_e + n_c) ** 2
    return events / 4


def from_events(hr: float, v: float) -> ReportedHazardRatio:
    """The log hazard ratio with variance 1/V, V from `log_rank_variance`."""
    _above_zero({"hazard ratio": hr, "V": v})
    return ReportedHazardRatio(float(np.log(hr)), float(1 / np.sqrt(v)), "events")


def from_log_rank(
    v: float, *, p: float | None = None, chisq: float | None = None, favours: str = "experimental"
) -> ReportedHazardRatio:
    """The log hazard ratio ±√(χ²/V) from a log-rank p value (two-sided) or χ² (1 df); `favours` gives the sign."""
    if favours not in ("experimental", "control"):
        raise DataError(f"favours is '{favours}'; it is 'experimental' or 'control'")
    if (p is None) == (chisq is None):
        raise DataError("a log-rank p value or a log-rank chi-square, one of the two")
    if chisq is not None and not chisq >= 0:
        raise DataError(f"the log-rank chi-square is {chisq:g}; it is not below 0")
    z = _z_of_p(p) if p is not None else float(np.sqrt(chisq if chisq is not None else 0.0))
    sign = -1 if favours == "experimental" else 1
    return ReportedHazardRatio(float(sign * z / np.sqrt(v)), float(1 / np.sqrt(v)), "log-rank")


def from_medians(median_e: float, median_c: float, events_e: float, events_c: float) -> ReportedHazardRatio:
    """The log ratio of control to experimental median, variance 1/e₁ + 1/e₂, if both hazards are constant."""
    _above_zero({"median e": median_e, "median c": median_c, "events e": events_e, "events c": events_c})
    y, se = float(np.log(median_c / median_e)), float(np.sqrt(1 / events_e + 1 / events_c))
    return ReportedHazardRatio(y, se, "medians").noted("Assumes constant hazards in both arms.")


def _log_cumulative_hazard(s: float, n: float | None, limits: tuple[float, float] | None, level: float) -> Any:
    if not 0 < s < 1:
        raise DataError(f"survival is {s:g}; at a milestone it lies between 0 and 1")
    if limits is not None:
        low, high = limits
        if not 0 < low <= s <= high < 1:
            raise DataError(f"survival {s:g} with limits {low:g} to {high:g}; 0 < lower <= survival <= upper < 1")
        spread = np.log(-np.log(low)) - np.log(-np.log(high))
        return np.log(-np.log(s)), (spread / (2 * _z_of_level(level))) ** 2
    if n is None:
        raise DataError("a milestone needs the people at risk or the limits of its survival")
    _above_zero({"n": n})
    return np.log(-np.log(s)), (1 - s) / (n * s * np.log(s) ** 2)


def from_milestones(
    survival_e: float,
    survival_c: float,
    *,
    n_e: float | None = None,
    n_c: float | None = None,
    limits_e: tuple[float, float] | None = None,
    limits_c: tuple[float, float] | None = None,
    level: float = 0.95,
) -> ReportedHazardRatio:
    """The log ratio of cumulative hazards at one time, from survival (0 to 1) with limits or people at risk.

    Without limits the variance takes everybody as followed to the milestone (binomial), which is a lower bound.
    """
    y1, v1 = _log_cumulative_hazard(survival_e, n_e, limits_e, level)
    y2, v2 = _log_cumulative_hazard(survival_c, n_c, limits_c, level)
    result = ReportedHazardRatio(float(y1 - y2), float(np.sqrt(v1 + v2)), "milestones")
    if limits_e is None or limits_c is None:
        return result.noted("Takes everybody as followed up to the milestone; the standard error may be too small.")
    return result
