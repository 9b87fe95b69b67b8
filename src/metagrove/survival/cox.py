"""Cox's proportional-hazards model: hazard ratio, tests, robust errors, and the test of proportionality."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import ConvergenceError, DataError, MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array, PatientTimes
from metagrove.survival.kaplan_meier import KaplanMeier, survival_curve
from metagrove.survival.partial_likelihood import (
    CoxData,
    Likelihood,
    cox_data,
    likelihood,
    running_sums,
    score_residuals,
)
from metagrove.survival.risk_sets import group_codes, patient_times
from metagrove.survival.scripts import cox_script

__all__ = ["TIME_TRANSFORMS", "Cox", "ProportionalityTest", "covariates", "cox"]

_COX = (
    "Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220. doi:10.1111/j.2517-6161.1972.tb00899.x"
)
_EFRON = (
    "Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557-565. "
    "doi:10.1080/01621459.1977.10480613"
)
_BRESLOW = "Breslow N. Covariance analysis of censored survival data. Biometrics 1974;30:89-99. doi:10.2307/2529620"
_LIN = (
    "Lin DY, Wei LJ. The robust inference for the Cox proportional hazards model. J Am Stat Assoc 1989;84:1074-1078. "
    "doi:10.1080/01621459.1989.10478874"
)
_GRAMBSCH = (
    "Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted residuals. Biometrika "
    "1994;81:515-526. doi:10.1093/biomet/81.3.515"
)

TIME_TRANSFORMS: Registry[Callable[[Array, PatientTimes], Array]] = Registry("time transform")
"""Functions of time along which a hazard ratio may drift: (times, patients) to values."""


@TIME_TRANSFORMS.add("km", title="one less the Kaplan-Meier curve of all patients", cite=_GRAMBSCH)
def _left_km(times: Array, patients: PatientTimes) -> Array:
    curve = survival_curve(patients.time, patients.event)
    before = np.searchsorted(curve.time, times - 1e-9 * float(curve.time[-1]), side="left")
    return 1 - np.concatenate(([1.0], curve.survival))[before]


@TIME_TRANSFORMS.add("identity", title="time", cite=_GRAMBSCH)
def _identity(times: Array, patients: PatientTimes) -> Array:
    return times


@TIME_TRANSFORMS.add("log", title="the logarithm of time", cite=_GRAMBSCH)
def _log(times: Array, patients: PatientTimes) -> Array:
    if times.min(initial=1.0) <= 0:
        raise MethodError("an event at time 0 has no logarithm; choose another transform")
    return np.log(times)


@TIME_TRANSFORMS.add("rank", title="the rank of time among all patients", cite=_GRAMBSCH)
def _rank(times: Array, patients: PatientTimes) -> Array:
    ordered = np.sort(patients.time)
    return (np.searchsorted(ordered, times) + np.searchsorted(ordered, times, side="right") + 1) / 2


@dataclass(frozen=True, slots=True, eq=False)
class ProportionalityTest(Result):
    """A score test that no hazard ratio drifts along a function of time.

    Parameters
    ----------
    chisq, df, p : of all p covariates together.
    transform : the function of time, a name in TIME_TRANSFORMS.
    each, each_p : shape (p,), chi² on 1 degree of freedom of each covariate alone, and its p value.
    b : shape (p,), the log hazard ratios of the model.
    time, residuals : shapes (d,) and (d, p), event times and scaled Schoenfeld residuals, whose mean is `b` and whose course is that
        of the log hazard ratio.
    """

    chisq: float
    df: int
    p: float
    transform: str
    each: Array
    each_p: Array
    b: Array
    time: Array = field(repr=False)
    residuals: Array = field(repr=False)

    def rows(self) -> list[dict[str, Any]]:
        """One line per covariate, numbered from 1, and the last for all of them ("GLOBAL")."""
        lines = [
            (str(j + 1), float(c), 1, float(p)) for j, (c, p) in enumerate(zip(self.each, self.each_p, strict=True))
        ]
        lines.append(("GLOBAL", self.chisq, self.df, self.p))
        return [{"covariate": n, "transform": self.transform, "chisq": c, "df": df, "p": p} for n, c, df, p in lines]

    def summary(self) -> str:
        """The test as text, with one line per covariate where there are several."""
        whole = (
            f"test of proportional hazards ({self.transform}): chi² = {self.chisq:.4g}, df {self.df}, p = {self.p:.3g}"
        )
        lines = [f"covariate {r['covariate']}: chi² = {r['chisq']:.4g}, p = {r['p']:.3g}" for r in self.rows()[:-1]]
        return "\n".join([whole, *(lines if self.df > 1 else [])])

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        title = TIME_TRANSFORMS.entry(self.transform).title
        return Explanation(f"Proportionality was tested against a hazard ratio linear in {title}.", (_GRAMBSCH,))


@dataclass(frozen=True, slots=True, eq=False)
class Cox(Result):
    """A fitted proportional-hazards model with p covariates.

    Parameters
    ----------
    b, cov : shapes (p,) and (p, p), log hazard ratios and their covariance, robust where asked for.
    naive_cov : shape (p, p), from the information.
    loglik : log partial likelihood at zero and at `b`.
    score_test, wald_test, lr_test : chi² on p degrees of freedom.
    n, events : patients and events.
    ties : "efron" or "breslow".
    design, centre : covariates less their means `centre`, shape (p,), as they entered.
    member : shape (n,), each patient's cluster; None without clusters.
    robust, clusters : whether `cov` is the sandwich, and over how many clusters.
    """

    b: Array
    cov: Array
    naive_cov: Array
    loglik: tuple[float, float]
    score_test: float
    wald_test: float
    lr_test: float
    n: int
    events: int
    ties: str
    level: float
    strata: int
    robust: bool
    clusters: int | None
    patients: PatientTimes = field(repr=False)
    design: CoxData = field(repr=False)
    centre: Array = field(repr=False)
    member: np.ndarray | None = field(repr=False, default=None)

    @property
    def script(self) -> Script:
        """The same model as code in R and Stata, patients in the order of strata and time."""
        data, p = self.design, self.b.size
        columns: dict[str, Any] = {
            "time": self.patients.time[data.order],
            "event": self.patients.event[data.order].astype(int),
            **{f"x{j + 1}": data.x[:, j] + self.centre[j] for j in range(p)},
        }
        if self.strata > 1:
            columns["stratum"] = np.searchsorted(data.bounds, data.place, side="right")
        if self.member is not None:
            columns["cluster"] = self.member[data.order] + 1
        return cox_script(
            columns,
            covariates=p,
            ties=self.ties,
            level=self.level,
            strata=self.strata > 1,
            cluster=self.member is not None,
            robust=self.robust,
        )

    @property
    def curves(self) -> dict[float, KaplanMeier]:
        """The Kaplan-Meier curve for each value of the one covariate, which has two; MethodError for other models."""
        self._only()
        values = np.round(self.design.x[:, 0] + self.centre[0], 12)
        known = np.unique(values)
        if known.size != 2:
            raise MethodError(f"the covariate has {known.size} values; curves are those of two groups")
        time, event = self.patients.time[self.design.order], self.patients.event[self.design.order]
        return {float(v): survival_curve(time[values == v], event[values == v], level=self.level) for v in known}

    def _only(self) -> None:
        if self.b.size != 1:
            raise MethodError(f"{self.b.size} covariates were fitted; read them from b and cov")

    @property
    def loghr(self) -> float:
        """Log hazard ratio of the one covariate (group 1 against 0)."""
        self._only()
        return float(self.b[0])

    @property
    def se(self) -> float:
        """Its standard error."""
        self._only()
        return math.sqrt(float(self.cov[0, 0]))

    @property
    def hr(self) -> float:
        """Hazard ratio."""
        return math.exp(self.loghr)

    @property
    def hr_ci(self) -> tuple[float, float]:
        """Limits of the hazard ratio."""
        from scipy.special import ndtri

        half = float(ndtri(0.5 + self.level / 2)) * self.se
        return math.exp(self.loghr - half), math.exp(self.loghr + half)

    @property
    def p(self) -> float:
        """Two-sided p value of the one covariate (Wald)."""
        from scipy.special import ndtr

        return float(2 * ndtr(-abs(self.loghr) / self.se))

    def proportionality(self, transform: str = "km") -> ProportionalityTest:
        """The score test that no log hazard ratio drifts along a transform of time; pinned by `zph_km`.

        Grambsch and Therneau (1994), doi:10.1093/biomet/81.3.515, as the score test of the added terms x g(t).
        """
        data, at = self.design, likelihood(self.design, self.b)
        sorted_time = self.patients.time[data.order]
        g = TIME_TRANSFORMS[transform](sorted_time[data.start[data.row_time]], self.patients)
        p = self.b.size
        observed = _row_covariates(data)
        residual = observed - at.mean
        score = (g[:, None] * residual).sum(axis=0)
        spread = _row_information(data, at)
        blocks = [np.tensordot(g**k, spread, axes=1) for k in range(3)]
        adjusted = blocks[2] - blocks[1] @ np.linalg.solve(blocks[0], blocks[1])
        drift = np.diag(adjusted) > 1e-9 * np.maximum(np.diag(blocks[2]), 1e-300)
        if not drift.all() or np.linalg.cond(adjusted) > 1e12:
            raise MethodError("too few event times to see whether the hazard ratio drifts")
        chisq = float(score @ np.linalg.solve(adjusted, score))
        each = score**2 / np.diag(adjusted)
        return ProportionalityTest(
            chisq,
            p,
            _tail(chisq, p),
            transform,
            each,
            np.array([_tail(float(one), 1) for one in each]),
            self.b,
            sorted_time[data.start[data.row_time]],
            self.b + residual.shape[0] * residual @ self.naive_cov,
        )

    def rows(self) -> list[dict[str, Any]]:
        """One line per covariate: log hazard ratio, se, hazard ratio and limits."""
        from scipy.special import ndtri

        z = float(ndtri(0.5 + self.level / 2))
        lines = zip(self.b, np.sqrt(np.diag(self.cov)), strict=True)
        return [
            {
                "loghr": float(b),
                "se": float(se),
                "hr": math.exp(b),
                "lower": math.exp(b - z * se),
                "upper": math.exp(b + z * se),
            }
            for b, se in lines
        ]

    def summary(self) -> str:
        """The hazard ratios as text."""
        shown = "; ".join(f"HR {r['hr']:.3g} ({r['lower']:.3g} to {r['upper']:.3g})" for r in self.rows())
        return f"{self.n} patients, {self.events} events: {shown} ({self.level:.0%} CI)"

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        strata = f", stratified ({self.strata} strata)" if self.strata > 1 else ""
        robust = ""
        if self.robust:
            over = f" clustered over {self.clusters} groups" if self.clusters else ""
            robust = f" Standard errors were robust{over}."
        return Explanation(
            f"Hazard ratios came from Cox's model{strata}, ties by {self.ties.capitalize()}'s method.{robust}",
            (_COX, _EFRON if self.ties == "efron" else _BRESLOW, *((_LIN,) if self.robust else ())),
        )


def cox(
    time: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    *,
    strata: Iterable[Any] | None = None,
    cluster: Iterable[Any] | None = None,
    robust: bool = False,
    ties: Literal["efron", "breslow"] = "efron",
    level: float = 0.95,
) -> Cox:
    """The proportional-hazards model of patients in two groups, or with p covariates.

    Parameters
    ----------
    time, event : shape (n,), follow-up and whether it ended in the event.
    group : shape (n,), 0 or 1 (or any covariate), or shape (n, p).
    strata : shape (n,), labels with a baseline hazard each.
    cluster : shape (n,), labels of patients that belong together; makes the errors robust.
    robust : sandwich errors with every patient a cluster.
    ties : how tied event times enter.

    Raises
    ------
    DataError : a covariate that does not vary or is missing.
    MethodError : an infinite hazard ratio, because all events are in one group.
    ConvergenceError : no maximum found.

    Notes
    -----
    Pinned by `cox_efron` and `cox_breslow` of `survival/cases/*/truth.json`.

    >>> fit = cox([5, 6, 7, 9, 1, 2, 3, 8], [1, 1, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1])
    >>> round(fit.loghr, 3), round(fit.se, 3)
    (1.315, 0.894)
    """
    if ties not in ("efron", "breslow"):
        raise UnknownName("method for ties", ties, ("efron", "breslow"))
    patients = patient_times(time, event)
    x = covariates(group, patients)
    stratum = np.zeros(x.shape[0], dtype=np.int64)
    if strata is not None:
        stratum = group_codes(strata, x.shape[0], "strata")[1]
    _vary_within(x, stratum)
    data = cox_data(patients, x, stratum, efron=ties == "efron")
    null, best = _maximum(data)
    naive: Array = np.linalg.inv(best[1].information).astype(np.float64)
    cov, clusters, member = naive, None, None
    if robust or cluster is not None:
        parts = score_residuals(data, best[1])
        if cluster is not None:
            member = group_codes(cluster, x.shape[0], "cluster")[1]
            clusters = int(member.max()) + 1
            if clusters <= x.shape[1]:
                raise MethodError(
                    f"{clusters} clusters; clustered errors of {x.shape[1]} covariates need more than that"
                )
            parts = np.column_stack([np.bincount(member, weights=column) for column in parts.T])
        moved = parts @ naive
        cov = moved.T @ moved
        size = np.sqrt(np.maximum(np.diag(cov), 1e-300))
        if (np.diag(cov) < 1e-16 * np.diag(naive)).any() or np.linalg.cond(cov / np.outer(size, size)) > 1e12:
            raise MethodError("the robust errors do not exist: too few patients or clusters differ in what they add")
    b = best[0]
    return Cox(
        b=b,
        cov=cov,
        naive_cov=naive,
        loglik=(null.value, best[1].value),
        score_test=float(null.score @ np.linalg.solve(null.information, null.score)),
        wald_test=float(b @ np.linalg.solve(cov, b)),
        lr_test=2 * (best[1].value - null.value),
        n=int(x.shape[0]),
        events=int(patients.event.sum()),
        ties=ties,
        level=level,
        strata=int(stratum.max()) + 1,
        robust=robust or cluster is not None,
        clusters=clusters,
        patients=patients,
        design=data,
        centre=np.asarray(x.mean(axis=0), dtype=np.float64),
        member=member,
    )


def covariates(group: ArrayLike, patients: PatientTimes) -> Array:
    """Covariates of shape (n, p), checked: they vary, none is missing, and each of two groups has an event."""
    try:
        x = np.asarray(group, dtype=float)
    except (TypeError, ValueError):
        raise DataError("group holds text; code the two groups 0 and 1") from None
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or x.shape[0] != patients.time.size:
        raise DataError(f"{patients.time.size} patients but covariates of shape {x.shape}; one row each is needed")
    if not np.isfinite(x).all():
        raise DataError(f"a covariate is missing for patient {int(np.argmax(~np.isfinite(x).all(axis=1))) + 1}")
    flat = np.flatnonzero(np.ptp(x, axis=0) == 0)
    if flat.size:
        raise DataError(f"covariate {flat[0] + 1} is {x[0, flat[0]]:g} for every patient; it must vary")
    if not patients.event.any():
        raise MethodError("no patient has the event; a hazard ratio needs events")
    for j in range(x.shape[1]):
        values = np.unique(x[:, j])
        if values.size == 2:
            for value in values:
                if not patients.event[x[:, j] == value].any():
                    raise MethodError(
                        f"no event where covariate {j + 1} is {value:g}; the hazard ratio has no estimate"
                    )
    return x


def _vary_within(x: Array, stratum: np.ndarray) -> None:
    """Refuse covariates that say nothing once each stratum has its own baseline hazard."""
    order = np.argsort(stratum, kind="stable")
    edges = np.flatnonzero(np.diff(stratum[order], prepend=-1))
    spread = np.maximum.reduceat(x[order], edges) - np.minimum.reduceat(x[order], edges)
    fixed = np.flatnonzero(spread.max(axis=0) == 0)
    if fixed.size:
        raise MethodError(
            f"covariate {fixed[0] + 1} is the same for all patients within each stratum; it has no hazard ratio there"
        )


def _maximum(data: CoxData) -> tuple[Likelihood, tuple[Array, Likelihood]]:
    """The likelihood at zero, and the maximum found by Newton's method with halved steps."""
    b = np.zeros(data.x.shape[1])
    null = now = likelihood(data, b)
    size = np.sqrt(np.diag(null.information))
    if not (size > 0).all() or np.linalg.cond(null.information / np.outer(size, size)) > 1e12:
        raise MethodError("no hazard ratio: two covariates say the same, or at every event those at risk are alike")
    root = np.linalg.inv(np.linalg.cholesky(null.information))
    for _ in range(60):
        step = np.linalg.solve(now.information, now.score)
        step = step / max(1.0, float(np.abs(data.x @ step).max()) / 5)
        while (ahead := likelihood(data, b + step)).value < now.value - 1e-10 * (1 + abs(now.value)):
            step = step / 2
        b = b + step
        gained, now = ahead.value - now.value, ahead
        # Where the likelihood rises without end it flattens: the information falls to nothing.
        if np.linalg.eigvalsh(root @ now.information @ root.T)[0] < 1e-5:
            raise MethodError("the hazard ratio grows without bound: the covariates order the events completely")
        if abs(gained) <= 1e-11 * (abs(now.value) + 1) and (np.abs(step) * size < 1e-5).all():
            return null, (b, now)
    raise ConvergenceError(f"no maximum after 60 steps; the log hazard ratio stood at {b[0]:.3g}")


def _row_covariates(data: CoxData) -> Array:
    """Covariates of the deaths in the order of the likelihood's rows, shape (d, p)."""
    return data.x[data.died > 0]


def _row_information(data: CoxData, at: Likelihood) -> Array:
    """The covariance of x over the risk set of each row, shape (d, p, p)."""
    p = data.x.shape[1]
    outer = (data.x[:, :, None] * data.x[:, None, :]).reshape(-1, p * p) * at.risk[:, None]
    sums = running_sums(np.add.reduceat(outer, data.start), data.bounds, backwards=True)[data.row_time]
    dying = np.add.reduceat(outer * data.died[:, None], data.start)[data.row_time]
    second = (sums - data.row_share[:, None] * dying) / at.total[:, None]
    return np.asarray(second.reshape(-1, p, p) - at.mean[:, :, None] * at.mean[:, None, :])


def _tail(chisq: float, df: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(df, chisq))
