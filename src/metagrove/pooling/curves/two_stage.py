"""Survival pooled in two stages: one number from each trial's patients, then a meta-analysis of the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.registry import Registry
from metagrove.core.scales import SCALES, Scale
from metagrove.core.values import Array
from metagrove.pooling.curves.trial_patients import trial_patients
from metagrove.pooling.results import MetaResult, meta_analysis
from metagrove.pooling.settings import Measured, Settings
from metagrove.pooling.studies import studies_of
from metagrove.survival.compare import restricted_mean_difference
from metagrove.survival.cox import cox
from metagrove.survival.kaplan_meier import KaplanMeier, survival_curve

__all__ = ["QUANTITIES", "Quantity", "two_stage"]

_ARENDS = (
    "Arends LR, Hunink MGM, Stijnen T. Meta-analysis of summary survival curve data. Stat Med 2008;27:4381-4396. "
    "doi:10.1002/sim.3311"
)
_WEI = (
    "Wei Y, Royston P, Tierney JF, Parmar MKB. Meta-analysis of time-to-event outcomes from randomized trials using "
    "restricted mean survival time. Stat Med 2015;34:2881-2898. doi:10.1002/sim.6556"
)
_PARMAR = (
    "Parmar MKB, Torri V, Stewart L. Extracting summary statistics to perform meta-analyses of the published "
    "literature for survival endpoints. Stat Med 1998;17:2815-2834. "
    "doi:10.1002/(SICI)1097-0258(19981230)17:24<2815::AID-SIM110>3.0.CO;2-8"
)
_MCGRATH = (
    "McGrath S, Zhao X, Qin ZZ, Steele R, Benedetti A. One-sample aggregate data meta-analysis of medians. Stat Med "
    "2019;38:969-984. doi:10.1002/sim.8013"
)


def _survival_from_gumbel(x: Array, n: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-np.exp(-x)), dtype=float)


if "SLOGLOG" not in SCALES:
    SCALES.put(
        "SLOGLOG",
        Scale("Survival", _survival_from_gumbel, bounds=(0.0, 1.0)),
        title="-ln(-ln) of survival",
        cite=_ARENDS,
    )


class _Absent(Exception):
    """Why a trial has no such number."""


@dataclass(frozen=True, slots=True)
class When:
    """The time a quantity is taken `at` (NaN for none), and whether a curve that ends earlier is carried to it."""

    at: float
    carry: bool


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that a trial's patients give.

    Parameters
    ----------
    sm : its scale, a code of SCALES.
    arms : whether it compares group 1 with group 0.
    timed : what `at` means ("milestone", "horizon"), or "" where it is not asked for.
    label : the quantity as reported, with `{at}` for the time.
    how : how a trial's number and its standard error are made.
    number : (time, event, group, when) to estimate and standard error on the analysis scale.
    """

    sm: str
    arms: bool
    timed: str
    label: str
    how: str
    number: Callable[[Array, Any, Any, When], tuple[float, float]]


QUANTITIES: Registry[Quantity] = Registry("quantity of a trial")
"""Numbers that `two_stage` takes from each trial."""


def _milestone(curve: KaplanMeier, when: When) -> tuple[float, float]:
    last, at = float(curve.time[-1]), when.at
    survival, se = float(curve.at(at)), float(curve.std_err_at(at))
    if at > last * (1 + 1e-9) and survival > 0 and not when.carry:
        raise _Absent(f"follow-up ends at {last:g}, before {at:g}")
    if se <= 0:
        what = "nobody has the event" if survival == 1 else "everybody has had the event"
        raise _Absent(f"{what} by {at:g}, so that survival has no standard error")
    return survival, se


_FROM_CURVE = "read from its Kaplan-Meier curve, with Greenwood's standard error carried over by the delta method"
_FROM_AREA = "the area under its Kaplan-Meier curve, with the standard error of that area from Greenwood's sum"
_FROM_AREAS = (
    "group 1 less group 0, from the areas under the Kaplan-Meier curves, with the standard errors of the areas from "
    "Greenwood's sums"
)
_FROM_LIMITS = (
    "with the distance between the logs of its 95% limits (Brookmeyer and Crowley, log-log scale), divided by 2 × 1.96, "
    "as the standard error"
)
_FROM_COX = "group 1 against group 0, Efron's ties, with the standard error from the information"


def _put_milestone(name: str, sm: str, title: str, change: Callable[[float, float], tuple[float, float]]) -> None:
    def number(time: Array, event: Any, group: Any, when: When) -> tuple[float, float]:
        return change(*_milestone(survival_curve(time, event), when))

    QUANTITIES.put(
        name, Quantity(sm, False, "milestone", "Survival at {at}", _FROM_CURVE, number), title=title, cite=_ARENDS
    )


_put_milestone(
    "milestone-loglog",
    "SLOGLOG",
    "survival at a time, on the log-log scale",
    lambda s, se: (-math.log(-math.log(s)), se / (s * -math.log(s))),
)
_put_milestone(
    "milestone-logit",
    "PLOGIT",
    "survival at a time, on the logit scale",
    lambda s, se: (math.log(s / (1 - s)), se / (s * (1 - s))),
)
_put_milestone(
    "milestone-arcsine",
    "PAS",
    "survival at a time, on the arcsine scale",
    lambda s, se: (math.asin(math.sqrt(s)), se / (2 * math.sqrt(s * (1 - s)))),
)
_put_milestone("milestone-raw", "PRAW", "survival at a time", lambda s, se: (s, se))


def _mean(time: Array, event: Any, group: Any, when: When) -> tuple[float, float]:
    try:
        found = survival_curve(time, event).restricted_mean(when.at, carry=when.carry)
    except MethodError as problem:
        raise _Absent(str(problem)) from None
    return found.estimate, found.se


def _log_median(time: Array, event: Any, group: Any, when: When) -> tuple[float, float]:
    """The log of the median with the standard error that its log-log limits imply."""
    curve = survival_curve(time, event, transform="log-log")
    median, (low, high) = curve.median, curve.median_ci()
    if math.isnan(median):
        raise _Absent("the median is not reached")
    if math.isnan(low) or math.isnan(high) or low <= 0:
        raise _Absent(f"a limit of the median is not reached (median {median:g})")
    from scipy.special import ndtri

    width = math.log(high) - math.log(low)
    if width <= 0:
        raise _Absent("both limits of the median are at one time")
    return math.log(median), width / (2 * float(ndtri(0.975)))


def _mean_difference(time: Array, event: Any, group: Any, when: When) -> tuple[float, float]:
    try:
        found = restricted_mean_difference(time, event, group, tau=when.at, carry=when.carry)
    except (DataError, MethodError) as problem:
        raise _Absent(str(problem)) from None
    return found.difference, found.se


def _log_hazard_ratio(time: Array, event: Any, group: Any, when: When) -> tuple[float, float]:
    try:
        found = cox(time, event, group)
    except (DataError, MethodError) as problem:
        raise _Absent(str(problem)) from None
    return found.loghr, found.se


for _name, _quantity, _title, _cite in (
    (
        "restricted-mean",
        Quantity("MRAW", False, "horizon", "Restricted mean to {at}", _FROM_AREA, _mean),
        "restricted mean survival time",
        _WEI,
    ),
    (
        "median",
        Quantity("MLN", False, "", "Median survival", _FROM_LIMITS, _log_median),
        "log of median survival",
        _MCGRATH,
    ),
    (
        "restricted-mean-difference",
        Quantity("MD", True, "horizon", "Difference in restricted mean to {at}", _FROM_AREAS, _mean_difference),
        "difference in restricted mean survival time",
        _WEI,
    ),
    (
        "hazard-ratio",
        Quantity("HR", True, "", "Hazard ratio", _FROM_COX, _log_hazard_ratio),
        "log hazard ratio of Cox's model",
        _PARMAR,
    ),
):
    QUANTITIES.put(_name, _quantity, title=_title, cite=_cite)


def _measured(quantity: str, when: When) -> Measured:
    """What each trial gave, in words."""
    entry, at = QUANTITIES.entry(quantity), f"{when.at:g}"
    asked = entry.value
    title = f"{entry.title} ({asked.timed} {at})" if asked.timed else entry.title
    carried = " A curve that ended earlier was carried on at its last value." if asked.timed and when.carry else ""
    return Measured(asked.label.format(at=at), title, f"Each trial gave its {title}, {asked.how}.{carried}", entry.cite)


def two_stage(
    patients: Mapping[str, Any],
    quantity: str,
    *,
    at: float | None = None,
    carry: bool = False,
    settings: Settings | None = None,
) -> MetaResult:
    """A meta-analysis of one number from the patients of each trial.

    Parameters
    ----------
    patients : for each trial a frame with `time`, `event` and, for quantities that compare arms, `group` of 0 and 1; or
        a tuple of these.
    quantity : a name in QUANTITIES: "milestone-loglog", "milestone-logit", "milestone-arcsine", "milestone-raw",
        "restricted-mean", "median", "restricted-mean-difference", "hazard-ratio".
    at : the milestone or the horizon, where the quantity has one.
    carry : hold the last value of a curve that ends before `at`; otherwise such a trial is left out with the reason.
    settings : how the numbers are pooled; the scale is the quantity's own.

    Returns
    -------
    The result of any meta-analysis; a trial that does not give the number is kept in it with the reason.

    Raises
    ------
    UnknownName, MethodError, DataError : an unknown quantity, a missing `at`, no trial that gives the number.

    Notes
    -----
    "milestone-loglog" analyses -ln(-ln S), which rises with survival. Pinned by `two_stage_loghr`,
    `two_stage_rmst_diff` and `milestone` of `survival/pooled_reference*.json`.

    >>> trials = {"A": ([1, 2, 3, 4], [1, 1, 0, 1]), "B": ([2, 3, 5, 6], [1, 1, 1, 0])}
    >>> round(two_stage(trials, "milestone-logit", at=2).back.TE_random, 3)
    0.616
    """
    wanted = QUANTITIES[quantity]
    if wanted.timed and at is None:
        raise MethodError(f"'{quantity}' needs a time: at= is its {wanted.timed}")
    if at is not None and not (math.isfinite(at) and at > 0):
        raise DataError(f"at is {at:g}; it is a time above 0")
    trials = trial_patients(patients, groups=wanted.arms)
    when = When(math.nan if at is None else float(at), carry)
    effects, errors, reasons, sizes = [], [], [], []
    for i in range(len(trials.studies)):
        time, event, group = trials.of(i)
        sizes.append(float(time.size))
        try:
            effect, error = wanted.number(time, event, group, when)
            reason = ""
        except _Absent as absent:
            effect = error = math.nan
            reason = str(absent)
        effects.append(effect)
        errors.append(error)
        reasons.append(reason)
    y, se = np.array(effects), np.array(errors)
    how = replace(settings or Settings(), sm=wanted.sm, door="metagen", measured=_measured(quantity, when))
    if not wanted.arms:
        how = replace(how, null_effect=math.nan)  # survival of one arm has no null
    from scipy.special import ndtri

    reach = float(ndtri(0.5 + how.level / 2))
    return meta_analysis(
        studies_of(
            y, se, limits=lambda te, error: (te - reach * error, te + reach * error), studlab=trials.studies, reasons=reasons,
            columns={"n": np.array(sizes)},
        ),
        how,
    )  # fmt: skip
