"""The distribution-free summary survival curve of several studies (Combescure, Foucher and Jackson 2014)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.results import Explanation, Result
from metagrove.core.sockets import socket
from metagrove.core.values import Array
from metagrove.pooling.curves.fit import (
    ArcsineCells,
    ArcsineFit,
    arcsine_cells,
    arcsine_fit,
    between_covariance,
    cochran_q,
    inconsistency,
)
from metagrove.pooling.curves.grid import CurveGrid, StudyCurve, curve_grid
from metagrove.pooling.curves.intervals import (
    Bounded,
    Crossing,
    arcsine_survival,
    area,
    fall_to,
    greenwood_limits,
    log_covariance,
    log_log_curves,
    log_log_limits,
    observed_curves,
    percentile_band,
    percentile_limits,
    simulated_curves,
)

__all__ = ["CurveSettings", "PooledCurve", "chi_square_tail", "curve_of_fit", "pooled_curve", "summary_curve"]

#: Seed of the simulated limits when no generator is given; fixed so that a report repeats.
SEED = 1

COMBESCURE = (
    "Combescure C, Foucher Y, Jackson D. Meta-analysis of single-arm survival studies: a distribution-free approach "
    "for estimating summary survival curves with random effects. Stat Med 2014;33:2521-2537. doi:10.1002/sim.6111"
)
JACKSON = (
    "Jackson D, White IR, Thompson SG. Extending DerSimonian and Laird's methodology to perform multivariate random "
    "effects meta-analyses. Stat Med 2010;29:1282-1297. doi:10.1002/sim.3602"
)


@dataclass(frozen=True, slots=True)
class CurveSettings:
    """How a summary curve is made.

    Parameters
    ----------
    model : "random" or "fixed".
    correction : (a, c): p becomes (n p + a) / (n + c) before the arcsine; None for none.
    compat : "msurv" for the variance (1/n without a correction), limits above 1 and refusals of that program.
    level : of all intervals.
    interval : "greenwood" (log scale) or "monte-carlo" (percentiles of simulated curves) for `lower` and `upper`.
    draws : number of simulated curves.
    """

    model: Literal["random", "fixed"] = "random"
    correction: tuple[float, float] | None = (0.25, 0.5)
    compat: Literal["msurv"] | None = None
    level: float = 0.95
    interval: Literal["greenwood", "monte-carlo"] = "greenwood"
    draws: int = 10_000

    def __post_init__(self) -> None:
        if self.model not in ("random", "fixed"):
            raise UnknownName("model", self.model, ("random", "fixed"))
        if self.compat not in (None, "msurv"):
            raise UnknownName("program to be compatible with", self.compat, ("msurv",))
        if self.interval not in ("greenwood", "monte-carlo"):
            raise UnknownName("interval", self.interval, ("greenwood", "monte-carlo"))
        if not 0 < self.level < 1:
            raise DataError(f"level is {self.level:g}; it lies between 0 and 1")
        if self.draws < 100:
            raise MethodError(f"{self.draws} draws cannot give limits; at least 100 are needed")
        if self.correction is not None:
            if len(self.correction) != 2 or not 0 < self.correction[0] < self.correction[1]:
                raise MethodError(f"correction is {self.correction}; it is a pair (a, c) with 0 < a < c, or None")
            object.__setattr__(self, "correction", (float(self.correction[0]), float(self.correction[1])))


@dataclass(frozen=True, slots=True, eq=False)
class PooledCurve(Result):
    """A summary survival curve over J grid times from k studies.

    Parameters
    ----------
    time, survival, lower, upper : shape (J,); the curve is 1 at time 0.
    n_risk, studies : shape (J,), people at risk at the start of each interval, and studies that contribute.
    Q, df_Q, pval_Q : heterogeneity over all cells against the fixed curve; cells less times degrees of freedom.
    H2, I2 : Q over cells less studies, as the method defines it, and 1 - 1/H2 as a fraction, 0 or above; both NaN, with
        the reason in `notes`, for one study or where every study has one cell.
    I2_time : shape (J,), I² of each interval's conditional survival; 0 with one study.
    median, median_lower, median_upper : where the curve, straight between grid times, falls to 0.5; NaN for what does
        not exist, and then `median_reason` says why (it is empty otherwise).
    mean, mean_lower, mean_upper : area from 0 to the last time.
    fit : the pooled vector on the arcsine scale, its covariance and that between studies.
    draws : shape (J, m), the simulated curves behind the simulated limits.
    grid, cells : what went in, on the survival and on the arcsine scale.
    notes : sentences about what was completed, left out or replaced.
    """

    time: Array
    survival: Array
    lower: Array
    upper: Array
    n_risk: Array
    studies: np.ndarray
    Q: float
    df_Q: int
    pval_Q: float
    H2: float
    I2: float
    I2_time: Array
    median: float
    median_lower: float
    median_upper: float
    median_reason: str
    mean: float
    mean_lower: float
    mean_upper: float
    settings: CurveSettings
    fit: ArcsineFit = field(repr=False)
    draws: Array = field(repr=False)
    grid: CurveGrid = field(repr=False)
    cells: ArcsineCells = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The model, random or fixed."""
        return self.settings.model

    @property
    def level(self) -> float:
        """Level of the intervals."""
        return self.settings.level

    @property
    def curves(self) -> tuple[StudyCurve, ...]:
        """The studies' own curves, for drawing beside the pooled one."""
        return self.grid.curves

    def at(self, t: ArrayLike) -> Any:
        """Pooled survival at each time in `t`, straight between grid times; DataError after the last."""
        times = np.asarray(t, dtype=float)
        if times.size and not (times.min() >= 0 and times.max() <= self.time[-1] * (1 + 1e-9)):
            raise DataError(f"the pooled curve is known from 0 to {self.time[-1]:g}; a time outside was asked for")
        found = np.interp(times, np.append(0.0, self.time), np.append(1.0, self.survival))
        return float(found) if np.ndim(found) == 0 else found

    def quantile(self, p: float = 0.5) -> Crossing:
        """The time by which a fraction `p` has had the event: estimate, lower, upper, and why one does not exist."""
        if not 0 < p < 1:
            raise DataError(f"the quantile asked for is {p:g}; it lies between 0 and 1")
        return fall_to(self.time, self.survival, self.draws, level=self.level, target=1 - p)

    def restricted_mean(self, tau: float | None = None) -> Bounded:
        """The area under the curve up to `tau` (the last time) with its simulated limits."""
        horizon = float(self.time[-1]) if tau is None else float(tau)
        if not 0 < horizon <= self.time[-1] * (1 + 1e-9):
            raise MethodError(f"restricted mean to {horizon:g}: the pooled curve reaches from 0 to {self.time[-1]:g}")
        limits = percentile_limits(area(self.time, self.draws, horizon), self.level)
        return Bounded(float(area(self.time, self.survival, horizon)), *limits)

    def simulated_band(self, level: float | None = None) -> tuple[Array, Array]:
        """Percentiles of the simulated curves at each time, two arrays of shape (J,)."""
        return percentile_band(self.draws, level or self.level)

    def prediction(
        self,
        level: float | None = None,
        *,
        patients: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Array]:
        """The band for the true curve of a new trial, two arrays of shape (J,).

        The pooled vector gets the covariance between studies added to its own and Student's t with k - 1 degrees of
        freedom (Higgins, Thompson and Spiegelhalter 2009, doi:10.1111/j.1467-985X.2008.00552.x, carried over to
        vectors); limits are symmetric on the log(-log) scale, or percentiles of simulated curves where the pooled
        curve's are, and hold its limits. With `patients` it is the band for the observed curve of a trial of that many, none
        of them censored: percentiles of 10,000 such trials.
        """
        k = len(self.grid.studies)
        if self.model == "fixed" or k < 3:
            raise MethodError("a prediction band needs the random model and at least 3 studies")
        coverage, source = level or self.level, np.random.default_rng(SEED) if rng is None else rng
        total = replace(self.fit, cov=self.fit.cov + self.fit.tau2)
        if self.settings.interval == "monte-carlo":
            curves = simulated_curves(total.b, total.cov, source, draws=self.settings.draws, df=k - 1, fold=False)
        else:
            curves = log_log_curves(self.survival, log_covariance(total), source, draws=self.settings.draws, df=k - 1)
        if patients is not None:
            return percentile_band(observed_curves(curves, patients, source), coverage)
        if self.settings.interval == "monte-carlo":
            return percentile_band(curves, coverage)
        lower, upper = log_log_limits(self.survival, log_covariance(total), coverage, df=k - 1)
        return np.minimum(lower, self.lower), np.maximum(upper, self.upper)

    def reliable_until(self, at_risk: float = 10.0) -> float:
        """The last time with at least `at_risk` people at the start of its interval; 0 if there is none.

        Beyond it the curve rests on few people; views fade it and say so.
        """
        enough = np.flatnonzero(self.n_risk >= at_risk)
        return float(self.time[enough[-1]]) if enough.size else 0.0

    def leave_one_out(self) -> Any:
        """The curve again without each study in turn."""
        return socket("leave_one_out_curve")(self)

    def rows(self) -> list[dict[str, Any]]:
        """One line per grid time: time, survival, lower, upper, n_risk, studies, sparse (after `reliable_until()`)."""
        columns = (self.time, self.survival, self.lower, self.upper, self.n_risk)
        lines = zip(*columns, self.studies, self.time > self.reliable_until(), strict=True)
        names = ("time", "survival", "lower", "upper", "n_risk")
        return [
            {**dict(zip(names, map(float, line[:5]), strict=True)), "studies": int(line[5]), "sparse": bool(line[6])}
            for line in lines
        ]

    def heterogeneity(self) -> list[dict[str, Any]]:
        """One line per grid time: studies, Q, its degrees of freedom, I² (a fraction) and tau² on the arcsine scale."""
        fixed = arcsine_fit(self.cells, None)
        q, tau2 = cochran_q(self.cells, fixed.b), np.diag(self.fit.tau2)
        return [
            {
                "time": float(self.time[j]),
                "studies": int(self.studies[j]),
                "Q": float(q[j]),
                "df": int(self.studies[j]) - 1,
                "I2": float(self.I2_time[j]),
                "tau2": float(tau2[j]),
            }
            for j in range(self.time.size)
        ]

    def summary(self) -> str:
        """The median, the mean and heterogeneity as text."""
        median = [
            f"{x:.4g}" if math.isfinite(x) else "none" for x in (self.median, self.median_lower, self.median_upper)
        ]
        spread = f"I² = {self.I2:.1%}" if math.isfinite(self.I2) else "no I²"
        lines = [
            f"Summary survival curve, {self.model} effects, {len(self.grid.studies)} studies, "
            f"{self.n_risk[0]:.0f} patients, times to {self.time[-1]:g}",
            f"median {median[0]} ({self.level:.0%} CI {median[1]} to {median[2]})",
            f"mean to {self.time[-1]:g}: {self.mean:.4g} ({self.mean_lower:.4g} to {self.mean_upper:.4g})",
            f"Q = {self.Q:.2f} (df {self.df_Q}, p = {self.pval_Q:.3g}), {spread}",
        ]
        if self.model == "random" and len(self.grid.studies) >= 3:
            i = int(np.searchsorted(self.time, self.median)) if math.isfinite(self.median) else self.time.size - 1
            low, high = (float(band[i]) for band in self.prediction())
            lines.append(
                f"true survival at {self.time[i]:g} in a new trial: {low:.3f} to {high:.3f} ({self.level:.0%} prediction)"
            )
        thin = self.reliable_until()
        if thin < self.time[-1]:
            lines.append(f"fewer than 10 people at risk after {thin:g}")
        return "\n".join([*lines, *([f"median: {self.median_reason}"] if self.median_reason else []), *self.notes])

    def explain(self) -> Explanation:
        """The methods sentence for these settings, and its references."""
        s = self.settings
        given = (
            "no continuity correction"
            if s.correction is None
            else (f"the continuity correction (n p + {s.correction[0]:g}) / (n + {s.correction[1]:g})")
        )
        between = (
            "random effects whose covariance between studies was estimated by the multivariate method of moments"
            if s.model == "random"
            else "fixed effects"
        )
        limits = (
            "Greenwood's variance on the log scale"
            if s.interval == "greenwood"
            else f"percentiles of {s.draws} simulated curves"
        )
        compat = " The variance without correction was 1/n, as in msurv." if s.compat and s.correction is None else ""
        return Explanation(
            "Survival was pooled without a distribution (Combescure et al.): conditional survival over each interval "
            f"was pooled on the arcsine scale with {given} and {between}; {s.level:.0%} limits came from {limits}, "
            f"those of the median and mean from {s.draws} simulated curves.{compat}",
            (COMBESCURE, JACKSON) if s.model == "random" else (COMBESCURE,),
        )


def summary_curve(
    study: Iterable[Any],
    time: ArrayLike,
    n_risk: ArrayLike,
    survival: ArrayLike,
    *,
    model: Literal["random", "fixed"] = "random",
    correction: tuple[float, float] | None = (0.25, 0.5),
    compat: Literal["msurv"] | None = None,
    level: float = 0.95,
    interval: Literal["greenwood", "monte-carlo"] = "greenwood",
    draws: int = 10_000,
    rng: np.random.Generator | None = None,
) -> PooledCurve:
    """The summary survival curve of several studies, from one row per study and grid time.

    Parameters
    ----------
    study, time, n_risk, survival : columns of equal length; `n_risk` is the number at risk at the START of the interval
        that ends at `time`, `survival` a proportion.
    model, correction, compat, level, interval, draws : see CurveSettings.
    rng : source of the simulated curves; a fixed seed when not given.

    Raises
    ------
    DataError : naming study and time, for survival outside [0, 1] or rising, a missing or negative n_risk, two rows for
        one time.
    MethodError : with compat="msurv", for a study that skips a grid time of the others.

    Notes
    -----
    Combescure, Foucher and Jackson (2014), doi:10.1002/sim.6111. Studies may end at different times. A study that skips
    a grid time is completed by a constant hazard over the stretch, and `notes` says so. Without a correction the
    variance of asin sqrt(p) is 1/(4n); msurv takes 1/n. Pinned by `survival/msurv/` in compat mode.

    >>> pooled = summary_curve(["A", "A", "B", "B"], [1, 2, 1, 2], [20, 12, 30, 20], [0.6, 0.4, 0.7, 0.3])
    >>> pooled.survival.round(3).tolist(), round(pooled.median, 2)
    ([0.652, 0.347], 1.5)
    """
    settings = CurveSettings(model, correction, compat, level, interval, draws)
    grid = curve_grid(study, time, n_risk, survival, gaps="refuse" if compat == "msurv" else "fill")
    return pooled_curve(grid, settings, rng)


def pooled_curve(
    grid: CurveGrid, settings: CurveSettings | None = None, rng: np.random.Generator | None = None
) -> PooledCurve:
    """The summary curve of a grid that is already checked; what `summary_curve` does after reading its columns."""
    how = settings or CurveSettings()
    cells = arcsine_cells(grid, how.correction, msurv=how.compat == "msurv")
    fit = arcsine_fit(cells, None if how.model == "fixed" else between_covariance(cells))
    return curve_of_fit(grid, cells, fit, how, rng)


def curve_of_fit(
    grid: CurveGrid,
    cells: ArcsineCells,
    fit: ArcsineFit,
    how: CurveSettings,
    rng: np.random.Generator | None = None,
) -> PooledCurve:
    """The summary curve of a vector that is already pooled."""
    fixed = arcsine_fit(cells, None)
    survival = arcsine_survival(fit.b)
    curves = simulated_curves(fit.b, fit.cov, np.random.default_rng(SEED) if rng is None else rng, draws=how.draws)
    lower, upper, notes = _limits(grid.time, survival, fit, curves, how)
    counts = grid.present.sum(axis=0)
    q = cochran_q(cells, fixed.b)
    total, df = float(q.sum()), int(counts.sum()) - grid.time.size
    h2, i2, absent = inconsistency(cells, total)
    median = fall_to(grid.time, survival, curves, level=how.level)
    mean_low, mean_high = percentile_limits(area(grid.time, curves), how.level)
    return PooledCurve(
        time=grid.time,
        survival=survival,
        lower=lower,
        upper=upper,
        n_risk=grid.n_risk.sum(axis=0),
        studies=counts,
        Q=total,
        df_Q=df,
        pval_Q=chi_square_tail(total, df),
        H2=h2,
        I2=i2,
        I2_time=np.where(q > counts - 1, 1 - (counts - 1) / np.where(q > 0, q, 1.0), 0.0),
        median=median.estimate,
        median_lower=median.lower,
        median_upper=median.upper,
        median_reason=median.reason,
        mean=float(area(grid.time, survival)),
        mean_lower=mean_low,
        mean_upper=mean_high,
        settings=how,
        fit=fit,
        draws=curves,
        grid=grid,
        cells=cells,
        notes=grid.notes + notes + ((absent,) if absent else ()),
    )


def _limits(
    time: Array, survival: Array, fit: ArcsineFit, curves: Array, how: CurveSettings
) -> tuple[Array, Array, tuple[str, ...]]:
    """Lower and upper limits of the chosen kind; simulated ones where Greenwood's do not exist."""
    if how.interval == "monte-carlo":
        return (*percentile_band(curves, how.level), ())
    lower, upper = greenwood_limits(survival, log_covariance(fit), how.level)
    lost = np.isnan(lower)
    notes: tuple[str, ...] = ()
    if lost.any():
        low, high = percentile_band(curves[lost], how.level)
        lower[lost], upper[lost] = low, high
        notes = (f"Survival is 0 from {time[lost][0]:g} on; the limits there are percentiles of simulated curves.",)
    if how.compat is None:
        lower, upper = np.minimum(lower, survival), np.minimum(upper, 1.0)
    return lower, upper, notes


def chi_square_tail(q: float, df: int) -> float:
    """The probability of a chi-square value above `q`; 1 without degrees of freedom."""
    from scipy.special import chdtrc

    return float(chdtrc(df, q)) if df > 0 else 1.0
