"""Cox's model with a gamma frailty shared by the patients of a trial."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import ConvergenceError, DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.survival.cox import covariates
from metagrove.survival.partial_likelihood import CoxData, cox_data, likelihood
from metagrove.survival.risk_sets import group_codes, patient_times

__all__ = ["Frailty", "shared_frailty"]

_THERNEAU = (
    "Therneau TM, Grambsch PM, Pankratz VS. Penalized survival models and frailty. J Comput Graph Stat "
    "2003;12:156-175. doi:10.1198/1061860031365"
)
_DUCHATEAU = (
    "Duchateau L, Janssen P, Lindsey P, Legrand C, Nguti R, Sylvester R. The shared frailty model and the power for "
    "heterogeneity tests in multicenter trials. Comput Stat Data Anal 2002;40:603-620. "
    "doi:10.1016/S0167-9473(02)00057-9"
)

#: Variances of the frailty that are searched; below the first there is none to speak of.
_THETA = (1e-6, 50.0)


@dataclass(frozen=True, slots=True, eq=False)
class Frailty(Result):
    """A hazard ratio with a gamma frailty of mean 1 shared within clusters.

    Parameters
    ----------
    b, cov : shapes (p,) and (p, p), log hazard ratios and covariance given `theta`.
    theta : variance of the frailty.
    log_frailty : shape (k,), for each cluster in sorted order.
    clusters : the k labels.
    loglik : marginal log likelihoods without frailty and at the maximum.
    """

    b: Array
    cov: Array
    theta: float
    log_frailty: Array
    clusters: tuple[Any, ...]
    loglik: tuple[float, float]
    n: int
    events: int
    level: float = 0.95

    @property
    def loghr(self) -> float:
        """Log hazard ratio of the one covariate."""
        if self.b.size != 1:
            raise MethodError(f"{self.b.size} covariates were fitted; read them from b and cov")
        return float(self.b[0])

    @property
    def se(self) -> float:
        """Its standard error, given theta."""
        if self.b.size != 1:
            raise MethodError(f"{self.b.size} covariates were fitted; read them from b and cov")
        return math.sqrt(float(self.cov[0, 0]))

    @property
    def p_theta(self) -> float:
        """P value of the likelihood-ratio test of no frailty, half of that of chi² on 1 df (theta on its boundary)."""
        from scipy.special import chdtrc

        ratio = max(2 * (self.loglik[1] - self.loglik[0]), 0.0)
        return 0.5 * float(chdtrc(1, ratio)) if ratio > 0 else 1.0

    def rows(self) -> list[dict[str, Any]]:
        """One line per cluster: its frailty, the factor on its hazard."""
        lines = zip(self.clusters, self.log_frailty, strict=True)
        return [{"cluster": name, "frailty": math.exp(w)} for name, w in lines]

    def summary(self) -> str:
        """Hazard ratios and the frailty's variance as text."""
        shown = ", ".join(f"{math.exp(b):.3g}" for b in self.b)
        return (
            f"HR {shown}, frailty variance {self.theta:.3g} over {len(self.clusters)} clusters (p {self.p_theta:.3g})"
        )

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Patients were analysed together by Cox's model with a gamma frailty shared within trials, its variance "
            "estimated by marginal likelihood.",
            (_DUCHATEAU, _THERNEAU),
        )


def shared_frailty(
    time: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    *,
    cluster: Iterable[Any],
    theta: float | None = None,
    ties: Literal["efron", "breslow"] = "efron",
    level: float = 0.95,
) -> Frailty:
    """Cox's model in which the patients of a cluster share a gamma frailty of mean 1 and variance theta.

    Parameters
    ----------
    time, event, group : as for `cox`.
    cluster : shape (n,), labels of trials; at least 2.
    theta : the frailty's variance where it is given; estimated when not.

    Notes
    -----
    Penalised likelihood for given theta, theta by marginal likelihood (Therneau, Grambsch and Pankratz 2003,
    doi:10.1198/1061860031365). Pinned by `one_stage_gamma_frailty` of `survival/pooled_reference*.json` at the theta
    found there: R stops its search after ten steps, at a lower marginal likelihood than the maximum.
    """
    patients = patient_times(time, event)
    x = covariates(group, patients)
    names, member = group_codes(cluster, x.shape[0], "cluster")
    k = len(names)
    if k < 2:
        raise DataError("every patient is in one cluster; a frailty is shared within at least two")
    design = np.column_stack((x, (member[:, None] == np.arange(k)).astype(float)))
    data = cox_data(patients, design, np.zeros(x.shape[0], dtype=np.int64), efron=ties == "efron")
    deaths = np.bincount(member, weights=patients.event.astype(float), minlength=k).astype(np.float64)
    if theta is not None and not _THETA[0] <= theta <= _THETA[1]:
        raise DataError(f"theta is {theta:g}; a frailty's variance lies between {_THETA[0]:g} and {_THETA[1]:g}")
    variance = _best_theta(data, x.shape[1], deaths) if theta is None else theta
    fit = _penalised(data, x.shape[1], 1 / variance, None)
    nothing = _penalised(data, x.shape[1], 1 / _THETA[0], None)
    p = x.shape[1]
    marginal = [_marginal(value, nu, deaths) for value, nu in ((fit[1], 1 / variance), (nothing[1], 1 / _THETA[0]))]
    cov = np.linalg.inv(fit[2])[:p, :p].astype(np.float64)
    if not (np.isfinite(cov).all() and (np.diag(cov) > 0).all()):
        raise MethodError("no hazard ratio beside the frailty: within clusters those at risk at the events are alike")
    return Frailty(
        fit[0][:p], cov, variance, fit[0][p:], names, (marginal[1], marginal[0]), x.shape[0], int(deaths.sum()), level
    )


def _penalised(data: CoxData, p: int, nu: float, start: Array | None) -> tuple[Array, float, Array]:
    """The maximum of the penalised likelihood, its value, and its information."""
    b = np.zeros(data.x.shape[1]) if start is None else start.copy()

    def at(coefficients: Array) -> tuple[float, Array, Array]:
        found = likelihood(data, coefficients)
        w = coefficients[p:]
        score, information = found.score.copy(), found.information.copy()
        score[p:] += nu * (1 - np.exp(w))
        information[np.arange(p, b.size), np.arange(p, b.size)] += nu * np.exp(w)
        return found.value + nu * float((w - np.exp(w)).sum()), score, information

    value, score, information = at(b)
    for _ in range(60):
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            raise MethodError(
                "no hazard ratio: at every event those at risk are alike, or it grows without bound"
            ) from None
        step = step / max(1.0, float(np.abs(step).max()) / 3)
        while (ahead := at(b + step))[0] < value - 1e-9 * (1 + abs(value)):
            step = step / 2
        b, gained = b + step, ahead[0] - value
        value, score, information = ahead
        if abs(gained) < 1e-10 * (1 + abs(value)) and np.abs(step).max() < 1e-7:
            return b, value, information
    raise ConvergenceError(f"the penalised likelihood found no maximum for a frailty variance of {1 / nu:.3g}")


def _marginal(penalised: float, nu: float, deaths: Array) -> float:
    """The likelihood with the frailties integrated out, from the maximum of the penalised one."""
    from scipy.special import gammaln

    more = nu + deaths
    # ln G(nu + d) - ln G(nu) for the large nu of a vanishing variance is a difference of huge numbers; sum it instead.
    if nu > 1e4:
        rise = np.array([np.log(nu + np.arange(int(d))).sum() for d in deaths])
    else:
        rise = gammaln(more) - gammaln(nu)
    return penalised + float((deaths + nu - more * np.log(more) + nu * math.log(nu) + rise).sum())


def _best_theta(data: CoxData, p: int, deaths: Array) -> float:
    """The frailty variance with the highest marginal likelihood, by golden sections of its logarithm."""
    kept: dict[str, Array] = {}

    def height(log_theta: float) -> float:
        nu = math.exp(-log_theta)
        found = _penalised(data, p, nu, kept.get("b"))
        kept["b"] = found[0]
        return _marginal(found[1], nu, deaths)

    grid = np.linspace(math.log(_THETA[0]), math.log(_THETA[1]), 13)
    heights = [height(float(point)) for point in grid]
    i = int(np.argmax(heights))
    low, high = float(grid[max(i - 1, 0)]), float(grid[min(i + 1, grid.size - 1)])
    ratio = (math.sqrt(5) - 1) / 2
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = height(a), height(b)
    while high - low > 1e-7:
        if at_a > at_b:
            high, b, at_b = b, a, at_a
            a = high - ratio * (high - low)
            at_a = height(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + ratio * (high - low)
            at_b = height(b)
    return math.exp((low + high) / 2)
