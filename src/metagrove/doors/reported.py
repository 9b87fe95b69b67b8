"""`hazard_ratio`: one trial's log hazard ratio from whatever its report printed."""

from __future__ import annotations

from typing import Any

from metagrove.core.errors import DataError
from metagrove.effects import reported
from metagrove.effects.reported import FORMS, ReportedHazardRatio
from metagrove.effects.reported_curves import FollowUp, from_curves

__all__ = ["hazard_ratio"]


def hazard_ratio(
    hr: float | None = None,
    lower: float | None = None,
    upper: float | None = None,
    *,
    level: float = 0.95,
    se: float | None = None,
    p: float | None = None,
    events: float | None = None,
    events_e: float | None = None,
    events_c: float | None = None,
    n_e: float | None = None,
    n_c: float | None = None,
    excess: float | None = None,
    v: float | None = None,
    expected_e: float | None = None,
    expected_c: float | None = None,
    chisq: float | None = None,
    favours: str | None = None,
    median_e: float | None = None,
    median_c: float | None = None,
    survival_e: Any = None,
    survival_c: Any = None,
    limits_e: tuple[float, float] | None = None,
    limits_c: tuple[float, float] | None = None,
    time: Any = None,
    follow_up: tuple[float, float] | None = None,
    form: str | None = None,
    stratified: bool = False,
) -> ReportedHazardRatio:
    """The log hazard ratio (experimental over control) and its variance, from the best form that was printed.

    Parameters
    ----------
    hr, lower, upper, level : the ratio with its limits at `level`; limits alone will do.
    se : standard error of log `hr`.
    p : p value of `hr`, or of the log-rank test where no ratio was printed (two-sided).
    events, events_e, events_c, n_e, n_c : events in total or by arm, people randomised.
    excess, v : observed minus expected events of the experimental arm and the log-rank variance.
    expected_e, expected_c : expected events by arm, with `events_e`, `events_c` observed.
    chisq : the log-rank chi-square (1 df); needs `favours`, as a p value without a ratio does.
    favours : "experimental" or "control".
    median_e, median_c : median survival, with events by arm; assumes constant hazards.
    survival_e, survival_c : survival at one time (0 to 1) with `limits_e`, `limits_c` or `n_e`, `n_c`; or, with `time`
        and `follow_up` (shortest, longest), curves read at those times.
    form : use this form (a key of FORMS), not the best.
    stratified : the ratio is adjusted or stratified; noted in the result.

    Returns
    -------
    ReportedHazardRatio
        With `log_hr`, `se`, `hr`, `limits()`, `form` and `notes`: other printed forms that contradict the one used
        (by more than a fifth of a standard error in the estimate, or a quarter in its size) are named there.

    Raises
    ------
    DataError
        Where nothing that was printed gives a hazard ratio, or a number is impossible.

    References
    ----------
    Parmar MKB, et al. Stat Med 1998;17:2815-34 (see metagrove.effects.reported); Tierney JF, et al. Trials 2007;8:16.
    doi:10.1186/1745-6215-8-16

    >>> hazard_ratio(0.79, 0.60, 1.05).summary()
    'HR 0.790 [0.597; 1.045] from the hazard ratio and its confidence interval'
    >>> round(hazard_ratio(p=0.03, events=120, n_e=150, n_c=148, favours="experimental").hr, 3)
    0.673
    """
    found: dict[str, ReportedHazardRatio] = {}
    if lower is not None and upper is not None:
        found["interval"] = reported.from_interval(lower, upper, hr, level=level)
    if hr is not None and se is not None:
        if not hr > 0:
            raise DataError(f"hazard ratio is {hr:g}; it must be above 0")
        found["standard error"] = reported.from_standard_error(_log(hr), se)
    if excess is not None and v is not None:
        found["excess"] = reported.from_excess(excess, v)
    if expected_e is not None and expected_c is not None and events_e is not None and events_c is not None:
        found["observed and expected"] = reported.from_observed_and_expected(events_e, expected_e, events_c, expected_c)
    if hr is not None and p is not None and hr != 1 and p < 1:
        found["p value"] = reported.from_p_value(hr, p)
    variance = _variance(v, events, events_e, events_c, n_e, n_c)
    if hr is not None and variance is not None:
        found["events"] = reported.from_events(hr, variance)
    if variance is not None and favours is not None and (chisq is not None or (p is not None and hr is None)):
        found["log-rank"] = reported.from_log_rank(
            variance, p=None if chisq is not None else p, chisq=chisq, favours=favours
        )
    if survival_e is not None and survival_c is not None:
        found |= _from_survival(survival_e, survival_c, n_e, n_c, limits_e, limits_c, level, time, follow_up)
    if median_e is not None and median_c is not None and events_e is not None and events_c is not None:
        found["medians"] = reported.from_medians(median_e, median_c, events_e, events_c)
    return _best(found, form, stratified=stratified)


def _log(x: float) -> float:
    from math import log

    return log(x)


def _variance(
    v: float | None,
    events: float | None,
    events_e: float | None,
    events_c: float | None,
    n_e: float | None,
    n_c: float | None,
) -> float | None:
    if v is not None:
        return v
    if events is None and (events_e is None or events_c is None):
        return None
    return reported.log_rank_variance(events, events_e=events_e, events_c=events_c, n_e=n_e, n_c=n_c)


def _from_survival(
    survival_e: Any,
    survival_c: Any,
    n_e: float | None,
    n_c: float | None,
    limits_e: tuple[float, float] | None,
    limits_c: tuple[float, float] | None,
    level: float,
    time: Any,
    follow_up: tuple[float, float] | None,
) -> dict[str, ReportedHazardRatio]:
    if time is None:
        if (limits_e is None and n_e is None) or (limits_c is None and n_c is None):
            raise DataError("survival at a milestone needs its limits or the people at risk in both arms")
        one = reported.from_milestones(
            float(survival_e), float(survival_c), n_e=n_e, n_c=n_c, limits_e=limits_e, limits_c=limits_c, level=level
        )
        return {"milestones": one}
    if n_e is None or n_c is None or follow_up is None:
        raise DataError("curves need n_e, n_c and follow_up (shortest, longest)")
    return {"curves": from_curves(time, survival_e, survival_c, n_e=n_e, n_c=n_c, follow_up=FollowUp(*follow_up))}


def _best(found: dict[str, ReportedHazardRatio], form: str | None, *, stratified: bool) -> ReportedHazardRatio:
    if form is not None and form not in FORMS:
        raise DataError(f"form is '{form}'; known: {', '.join(FORMS)}")
    order = [name for name in FORMS if name in found]
    if not order or (form is not None and form not in found):
        asked = f"the form '{form}'" if form is not None else "any form"
        raise DataError(
            f"what was given is not enough for {asked}: a ratio with limits, standard error, p value or events; "
            "O - E and V; a log-rank test with events and favours; survival or medians in both arms"
        )
    chosen = found[form if form is not None else order[0]]
    notes = [_contradiction(chosen, found[name]) for name in order if name != chosen.form]
    if stratified:
        notes.append("The hazard ratio is adjusted or stratified.")
    return chosen.noted(*(note for note in notes if note))


#: Forms that rest on assumptions of their own; a difference from them is no contradiction.
_ROUGH = {"medians", "milestones", "curves"}


def _contradiction(chosen: ReportedHazardRatio, other: ReportedHazardRatio) -> str:
    apart = abs(chosen.log_hr - other.log_hr) / chosen.se
    ratio = other.se / chosen.se
    if other.form in _ROUGH or (apart < 0.2 and 0.8 < ratio < 1.25):
        return ""
    low, high = other.limits()
    return f"From {FORMS[other.form]} it would be {other.hr:.3g} [{low:.3g}; {high:.3g}]."
