"""The product-limit curve of one group of patients, with intervals, quantiles and restricted mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array, SurvivalCurve
from metagrove.survival.restricted_mean import RestrictedMean, step_mean
from metagrove.survival.risk_sets import patient_times, risk_sets

__all__ = ["KaplanMeier", "Transform", "survival_curve"]

Transform: TypeAlias = Literal["log", "log-log", "plain"]

#: Two survival values closer than this are the same level when a quantile is read off a step (R uses the same).
_LEVEL = math.sqrt(np.finfo(float).eps)

_KAPLAN = (
    "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481. "
    "doi:10.1080/01621459.1958.10501452"
)
_GREENWOOD = (
    "Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data. 2nd ed. Wiley 2002. "
    "doi:10.1002/9781118032985"
)
_BROOKMEYER = (
    "Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics 1982;38:29-41. "
    "doi:10.2307/2530286"
)


@dataclass(frozen=True, slots=True, eq=False)
class KaplanMeier(Result):
    """A product-limit estimate of survival; one entry for each distinct time, events or not.

    Parameters
    ----------
    time : shape (m,), increasing.
    n_risk, n_event, n_censor : shape (m,), counts just before and at each time.
    survival : shape (m,), the estimate just after each time.
    greenwood : shape (m,), Greenwood's sum, the variance of log survival; infinite where survival is 0.
    hazard, hazard_variance : shape (m,), Nelson and Aalen's cumulative hazard and its variance.
    level, transform : of the intervals.
    """

    time: Array
    n_risk: Array
    n_event: Array
    n_censor: Array
    survival: Array
    greenwood: Array
    hazard: Array
    hazard_variance: Array
    level: float = 0.95
    transform: Transform = "log"

    @property
    def n(self) -> int:
        """Number of patients."""
        return int(self.n_risk[0])

    @property
    def events(self) -> int:
        """Number of events."""
        return int(self.n_event.sum())

    @property
    def std_err(self) -> Array:
        """Greenwood's standard error of survival, shape (m,); 0 where survival is 0."""
        alive = self.survival > 0
        return np.where(alive, self.survival * np.sqrt(np.where(alive, self.greenwood, 0.0)), 0.0)

    def _index(self, t: ArrayLike) -> np.ndarray:
        times = np.asarray(t, dtype=float)
        if times.size and (not np.isfinite(times).all() or times.min() < 0):
            raise DataError("survival is asked for at a time that is negative or not a number")
        # A hair of slack, so that a time that came out of arithmetic still meets the event it names.
        return np.asarray(np.searchsorted(self.time, times + 1e-9 * float(self.time[-1]), side="right"))

    def _read(self, values: Array, t: ArrayLike, before: float) -> Any:
        found = np.concatenate(([before], values))[self._index(t)]
        return float(found) if np.ndim(found) == 0 else found

    def at(self, t: ArrayLike) -> Any:
        """Survival just after each time in `t`: a float for a number, an array of the same shape otherwise.

        Beyond the last time the last value holds; `n_risk_at` says that nobody was left.
        """
        return self._read(self.survival, t, 1.0)

    def std_err_at(self, t: ArrayLike) -> Any:
        """Greenwood's standard error of survival at each time in `t`."""
        return self._read(self.std_err, t, 0.0)

    def hazard_at(self, t: ArrayLike) -> Any:
        """Nelson and Aalen's cumulative hazard at each time in `t`."""
        return self._read(self.hazard, t, 0.0)

    def n_risk_at(self, t: ArrayLike) -> Any:
        """Number under observation just before each time in `t` (those whose time is `t` or later)."""
        times = np.asarray(t, dtype=float)
        index = np.searchsorted(self.time, times - 1e-9 * float(self.time[-1]), side="left")
        found = np.append(self.n_risk, 0.0)[index]
        return int(found) if np.ndim(found) == 0 else found.astype(np.int64)

    def interval(self, transform: Transform | None = None, level: float | None = None) -> tuple[Array, Array]:
        """Pointwise limits of survival, two arrays of shape (m,), within [0, 1].

        Before the first event both are 1. Where survival is 0 Greenwood's variance does not exist, and neither do
        the limits: NaN there.
        """
        return confidence_limits(
            self.survival, self.greenwood, transform=transform or self.transform, level=level or self.level
        )

    def interval_at(self, t: ArrayLike, transform: Transform | None = None, level: float | None = None) -> Any:
        """Limits of survival at each time in `t`, a pair shaped as `at` returns them."""
        lower, upper = self.interval(transform, level)
        return self._read(lower, t, 1.0), self._read(upper, t, 1.0)

    def quantile(self, p: float = 0.5) -> float:
        """The time by which a fraction `p` (0 < p < 1) has had the event; NaN when it is not reached.

        Where the curve is flat at exactly 1 - p it is the middle of the flat piece, as in R.
        """
        return step_quantile(self.time, self.survival, p)

    def quantile_ci(
        self, p: float = 0.5, *, transform: Transform | None = None, level: float | None = None
    ) -> tuple[float, float]:
        """Limits of `quantile(p)`, read off the limits of the curve; NaN for a limit that is not reached."""
        lower, upper = self.interval(transform, level)
        return step_quantile(self.time, lower, p), step_quantile(self.time, upper, p)

    @property
    def median(self) -> float:
        """Median survival by R's rule (the middle of a flat piece at 0.5); NaN when it is not reached."""
        return self.quantile(0.5)

    def median_ci(self, transform: Transform | None = None, level: float | None = None) -> tuple[float, float]:
        """Limits of the median; NaN for a limit that is not reached."""
        return self.quantile_ci(0.5, transform=transform, level=level)

    def restricted_mean(self, tau: float | None = None, *, carry: bool = False) -> RestrictedMean:
        """Mean survival time up to `tau` (the last time when not given) with its standard error.

        A `tau` after the last time is refused unless survival has reached 0, for nothing is known beyond; with `carry`
        the last value is held up to it.
        """
        last = float(self.time[-1])
        horizon = last if tau is None else float(tau)
        if not horizon > 0 or not math.isfinite(horizon):
            raise DataError(f"the horizon of a restricted mean is {horizon:g}; it is a time above 0")
        if horizon > last * (1 + 1e-9) and self.survival[-1] > 0 and not carry:
            raise MethodError(f"restricted mean to {horizon:g}: the curve ends at {last:g} with survival above 0")
        return step_mean(self.time, self.survival, self.n_risk, self.n_event, tau=horizon, level=self.level)

    @property
    def curve(self) -> SurvivalCurve:
        """The estimate as a plain step function."""
        return SurvivalCurve(self.time, self.survival)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per distinct time."""
        lower, upper = self.interval()
        columns = (self.time, self.n_risk, self.n_event, self.n_censor, self.survival, self.std_err, lower, upper)
        names = ("time", "n_risk", "n_event", "n_censor", "survival", "std_err", "lower", "upper")
        return [dict(zip(names, map(float, line), strict=True)) for line in zip(*columns, strict=True)]

    def summary(self) -> str:
        """Patients, events, and the median with its interval."""
        low, high = self.median_ci()
        shown = ["not reached" if math.isnan(value) else f"{value:.4g}" for value in (self.median, low, high)]
        return (
            f"{self.n} patients, {self.events} events; median {shown[0]} "
            f"({self.level:.0%} CI {shown[1]} to {shown[2]}, {self.transform})"
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Survival was estimated by the product-limit method of Kaplan and Meier with Greenwood's variance and "
            f"{self.level:.0%} intervals on the {self.transform} scale; the interval of the median was read off "
            "the limits of the curve (Brookmeyer and Crowley).",
            (_KAPLAN, _GREENWOOD, _BROOKMEYER),
        )


def survival_curve(
    time: ArrayLike, event: ArrayLike, *, level: float = 0.95, transform: Transform = "log"
) -> KaplanMeier:
    """The Kaplan-Meier estimate of patients who each were followed for `time`.

    Parameters
    ----------
    time : shape (n,), follow-up in any unit, >= 0.
    event : shape (n,), 1 or True where follow-up ended in the event, 0 or False where it was censored.
    level : of the intervals, between 0 and 1.
    transform : scale on which intervals are symmetric.

    Raises
    ------
    DataError : lengths that differ, a flag other than 0 or 1, a negative or missing time, no patients.

    Notes
    -----
    Pinned by the cases of `survival/cases/*/truth.json` (R survival).

    >>> curve = survival_curve([1, 2, 3, 4], [1, 0, 1, 1])
    >>> curve.at([0, 1, 3]).tolist(), curve.median
    ([1.0, 0.75, 0.375], 3.0)
    """
    if not 0 < level < 1:
        raise DataError(f"level is {level:g}; it lies between 0 and 1")
    if transform not in get_args(Transform):
        raise UnknownName("interval transform", transform, get_args(Transform))
    sets = risk_sets(patient_times(time, event))
    died, n_risk = sets.n_event, sets.n_risk
    survivors = n_risk - died
    share = np.divide(died, n_risk * survivors, out=np.full(died.shape, np.inf), where=survivors > 0)
    return KaplanMeier(
        sets.time,
        n_risk,
        died,
        sets.n_censor,
        np.cumprod(survivors / n_risk, dtype=np.float64),
        np.cumsum(np.where(died > 0, share, 0.0)),
        np.cumsum(died / n_risk),
        np.cumsum(died / n_risk**2),
        level,
        transform,
    )


def confidence_limits(survival: Array, greenwood: Array, *, transform: Transform, level: float) -> tuple[Array, Array]:
    """Pointwise limits of a survival curve from the variance of its logarithm.

    Parameters
    ----------
    survival, greenwood : shape (m,), the curve and Greenwood's sum.
    transform : "log" (exp(log S +- z se)), "log-log" (of -log S) or "plain"; limits are kept within [0, 1].
    """
    from scipy.special import ndtri

    if transform not in get_args(Transform):
        raise UnknownName("interval transform", transform, get_args(Transform))
    z = float(ndtri(0.5 + level / 2))
    inside = survival > 0
    s = np.where(inside, survival, 0.5)
    se = np.sqrt(np.where(inside, greenwood, 0.0))
    if transform == "plain":
        lower, upper = s - z * s * se, s + z * s * se
    elif transform == "log":
        lower, upper = s * np.exp(-z * se), s * np.exp(z * se)
    else:
        falling = s < 1
        log_s = np.where(falling, np.log(s), -1.0)
        width = np.where(falling, z * se / -log_s, 0.0)
        lower = np.where(falling, np.exp(log_s * np.exp(width)), 1.0)
        upper = np.where(falling, np.exp(log_s * np.exp(-width)), 1.0)
    lower, upper = np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)
    return np.where(inside, lower, np.nan), np.where(inside, upper, np.nan)


def step_quantile(time: Array, survival: Array, p: float) -> float:
    """The time at which a falling step function meets 1 - p; NaN when it never does.

    A piece that is flat at exactly 1 - p gives its middle; the last piece ends with the last time. Values that do not
    exist (NaN) are passed over.
    """
    if not 0 < p < 1:
        raise DataError(f"the quantile asked for is {p:g}; it lies between 0 and 1")
    known = np.isfinite(survival)
    time, survival = time[known], survival[known]
    target = 1.0 - p
    reached = np.flatnonzero(survival <= target + _LEVEL)
    if not reached.size:
        return math.nan
    first = float(time[reached[0]])
    below = np.flatnonzero(survival < target - _LEVEL)
    beyond = float(time[below[0]]) if below.size else float(time[-1])
    return (first + beyond) / 2 if abs(float(survival[reached[0]]) - target) <= _LEVEL else first
