"""Groups of patients compared: log-rank tests and restricted mean survival time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array, PatientTimes
from metagrove.survival.kaplan_meier import KaplanMeier, survival_curve
from metagrove.survival.restricted_mean import RestrictedMeanContrast, restricted_mean_contrast
from metagrove.survival.risk_sets import group_codes, patient_times, tie_starts
from metagrove.survival.scripts import log_rank_script

__all__ = ["LogRank", "log_rank", "restricted_mean_difference"]

_MANTEL = (
    "Mantel N. Evaluation of survival data and two new rank order statistics arising in its consideration. "
    "Cancer Chemother Rep 1966;50:163-170. PMID 5910392"
)
_HARRINGTON = (
    "Harrington DP, Fleming TR. A class of rank test procedures for censored survival data. Biometrika "
    "1982;69:553-566. doi:10.1093/biomet/69.3.553"
)


@dataclass(frozen=True, slots=True, eq=False)
class LogRank(Result):
    """A log-rank test of g groups.

    Parameters
    ----------
    groups : the g labels, sorted; arrays follow their order.
    n : shape (g,), patients.
    observed, expected : shape (g,), events seen and expected were the groups alike, weighted.
    variance : shape (g, g), covariance of observed less expected.
    chisq, df, p : the test.
    rho, gamma : exponents of the weight S^rho (1 - S)^gamma; both 0 for the plain test.
    patients, code, layer : who was compared, each patient's place in `groups`, and stratum (None without strata).
    """

    groups: tuple[Any, ...]
    n: np.ndarray
    observed: Array
    expected: Array
    variance: Array
    chisq: float
    df: int
    p: float
    rho: float = 0.0
    gamma: float = 0.0
    patients: PatientTimes = field(repr=False, kw_only=True)
    code: np.ndarray = field(repr=False, kw_only=True)
    layer: np.ndarray | None = field(repr=False, kw_only=True, default=None)

    @property
    def script(self) -> Script:
        """The same test as code in R and Stata; MethodError where R has no such weights."""
        columns: dict[str, Any] = {
            "time": self.patients.time,
            "event": self.patients.event.astype(int),
            "group": np.array([str(label) for label in self.groups])[self.code],
        }
        if self.layer is not None:
            columns["stratum"] = self.layer + 1
        return log_rank_script(columns, rho=self.rho, gamma=self.gamma, strata=self.layer is not None)

    @property
    def curves(self) -> dict[Any, KaplanMeier]:
        """The Kaplan-Meier curve of each group."""
        t, e = self.patients.time, self.patients.event
        return {label: survival_curve(t[self.code == g], e[self.code == g]) for g, label in enumerate(self.groups)}

    @property
    def loghr(self) -> float:
        """Peto's one-step estimate of the log hazard ratio, second group against first, (O - E) / V."""
        self._two_groups()
        return float((self.observed[1] - self.expected[1]) / self.variance[1, 1])

    @property
    def se(self) -> float:
        """Standard error of `loghr`, one over the root of V."""
        self._two_groups()
        return 1 / math.sqrt(float(self.variance[1, 1]))

    def _two_groups(self) -> None:
        if len(self.groups) != 2 or self.rho or self.gamma:
            raise MethodError("the one-step log hazard ratio comes from the plain log-rank test of two groups")

    def rows(self) -> list[dict[str, Any]]:
        """One line per group: n, observed, expected."""
        lines = zip(self.groups, self.n, self.observed, self.expected, strict=True)
        return [{"group": g, "n": int(n), "observed": float(o), "expected": float(e)} for g, n, o, e in lines]

    def summary(self) -> str:
        """The test as text."""
        name = (
            "log-rank"
            if not (self.rho or self.gamma)
            else f"weighted log-rank (rho {self.rho:g}, gamma {self.gamma:g})"
        )
        return f"{name} test: chi² = {self.chisq:.4g} on {self.df} df, p = {self.p:.3g}"

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        if not (self.rho or self.gamma):
            return Explanation("Survival was compared by the log-rank test.", (_MANTEL,))
        return Explanation(
            f"Survival was compared by the log-rank test with weights of the family of Harrington and Fleming "
            f"(rho {self.rho:g}, gamma {self.gamma:g}).",
            (_MANTEL, _HARRINGTON),
        )


def log_rank(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any],
    *,
    strata: Iterable[Any] | None = None,
    rho: float = 0.0,
    gamma: float = 0.0,
) -> LogRank:
    """The log-rank test that two or more groups have the same hazard.

    Parameters
    ----------
    time, event : shape (n,), follow-up and whether it ended in the event.
    group : shape (n,), labels of at least two groups.
    strata : shape (n,), labels within which groups are compared.
    rho, gamma : exponents of the weights S(t-)^rho (1 - S(t-))^gamma; rho = 1 is Peto and Peto's test.

    Raises
    ------
    DataError, MethodError : one group only, no events, lengths that differ.

    Notes
    -----
    Mantel (1966), PMID 5910392; Harrington and Fleming (1982), doi:10.1093/biomet/69.3.553. Pinned by `logrank` and
    `peto_peto` of `survival/cases/*/truth.json`.

    >>> test = log_rank([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 0, 1], [0, 0, 0, 1, 1, 1])
    >>> round(test.chisq, 3), round(test.p, 4)
    (5.052, 0.0246)
    """
    patients = patient_times(time, event)
    labels, code = group_codes(group, patients.time.size, "group")
    if len(labels) < 2:
        raise DataError(f"every patient is in group {labels[0]!r}; a comparison needs two groups")
    layer = np.zeros(code.size, dtype=int)
    if strata is not None:
        _, layer = group_codes(strata, code.size, "strata")
    observed, expected = np.zeros(len(labels)), np.zeros(len(labels))
    variance = np.zeros((len(labels), len(labels)))
    for one in range(int(layer.max()) + 1):
        here = layer == one
        o, e, v = _stratum(patients.time[here], patients.event[here], code[here], len(labels), (rho, gamma))
        observed, expected, variance = observed + o, expected + e, variance + v
    used = np.flatnonzero(np.diag(variance) > 0)
    if used.size < 2:
        raise MethodError("no event happens while patients of two groups are at risk; nothing can be compared")
    gap, block = (observed - expected)[used[1:]], variance[np.ix_(used[1:], used[1:])]
    # Groups that never meet in a stratum are not compared with each other: one degree of freedom less for each gap.
    scale = np.sqrt(np.diag(block))
    related = block / np.outer(scale, scale)
    df = int(np.linalg.matrix_rank(related, tol=1e-9, hermitian=True))
    inverse = np.linalg.inv(related) if df == gap.size else np.linalg.pinv(related, rcond=1e-9, hermitian=True)
    chisq = float(gap / scale @ inverse @ (gap / scale))
    from scipy.special import chdtrc

    n = np.bincount(code, minlength=len(labels))
    p = float(chdtrc(df, chisq))
    kept = None if strata is None else layer
    return LogRank(
        labels, n, observed, expected, variance, chisq, df, p, rho, gamma, patients=patients, code=code, layer=kept
    )


def _stratum(
    time: Array, event: np.ndarray, code: np.ndarray, groups: int, weight: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """Weighted events, their expectation and covariance in one stratum; shapes (g,), (g,) and (g, g)."""
    order = np.argsort(time, kind="stable")
    start = tie_starts(time[order])
    member = (code[order][:, None] == np.arange(groups)).astype(float)
    died = np.add.reduceat(member * event[order][:, None], start)
    at_risk = member.sum(axis=0) - np.concatenate((np.zeros((1, groups)), np.cumsum(member, axis=0)))[start]
    n, d = at_risk.sum(axis=1), died.sum(axis=1)
    before = np.concatenate(([1.0], np.cumprod(1 - d / n)[:-1]))
    w = before ** weight[0] * (1 - before) ** weight[1]
    share = at_risk / n[:, None]
    spread = np.where(n > 1, w**2 * d * (n - d) / np.where(n > 1, n - 1, 1.0), 0.0)
    scaled = share * spread[:, None]
    variance = np.diag(scaled.sum(axis=0)) - scaled.T @ share
    return (w[:, None] * died).sum(axis=0), (w[:, None] * d[:, None] * share).sum(axis=0), variance


def restricted_mean_difference(
    time: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    *,
    tau: float | None = None,
    level: float = 0.95,
    carry: bool = False,
) -> RestrictedMeanContrast:
    """Restricted mean survival times of group 1 and group 0 compared: difference, ratio, ratio of times lost.

    Parameters
    ----------
    time, event : shape (n,).
    group : shape (n,), 0 or 1.
    tau : the horizon; the smaller of the groups' last times when not given.
    carry : hold a curve's last value where it ends before `tau`, instead of refusing.

    Notes
    -----
    Uno et al. (2014), doi:10.1200/JCO.2014.55.2208. Pinned by `survival/rmst_two_arm.csv`.
    """
    patients = patient_times(time, event)
    labels, code = group_codes(np.asarray(group), patients.time.size, "group")
    if tuple(map(float, labels)) != (0.0, 1.0):
        raise DataError(f"group holds {', '.join(map(str, labels[:4]))}; code the two groups 0 and 1")
    curves = [survival_curve(patients.time[code == g], patients.event[code == g], level=level) for g in (0, 1)]
    horizon = min(float(curve.time[-1]) for curve in curves) if tau is None else float(tau)
    zero, one = (curve.restricted_mean(horizon, carry=carry) for curve in curves)
    return replace(restricted_mean_contrast(one, zero), curves=(curves[0], curves[1]))
