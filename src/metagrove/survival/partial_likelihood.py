"""Cox's partial likelihood on sorted patients: value, score, information and residuals by cumulative sums."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from metagrove.core.values import Array, PatientTimes
from metagrove.survival.risk_sets import tie_starts

__all__ = ["CoxData", "Likelihood", "cox_data", "likelihood", "running_sums", "score_residuals"]


@dataclass(frozen=True, slots=True, eq=False)
class CoxData:
    """Patients sorted by stratum and time, with the places of their tied times.

    Parameters
    ----------
    x : shape (n, p), covariates less their means.
    died : shape (n,), events.
    order : shape (n,), the place of each sorted patient in the input.
    start : shape (m,), where each distinct time of a stratum begins.
    bounds : shape (strata + 1,), where the distinct times of each stratum begin, and m.
    row_time : shape (d,), for each death (and its step through ties) the index of its time.
    row_share : shape (d,), the share of the tied deaths already taken out of the risk set (Efron); 0 for Breslow.
    """

    x: Array
    died: Array
    order: np.ndarray
    start: np.ndarray
    bounds: np.ndarray
    row_time: np.ndarray
    row_share: Array

    @property
    def place(self) -> np.ndarray:
        """For each sorted patient the index of its distinct time, shape (n,)."""
        return np.repeat(np.arange(self.start.size), np.diff(np.append(self.start, self.died.size)))


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """The partial likelihood at one coefficient vector.

    Parameters
    ----------
    value : its logarithm.
    score, information : shapes (p,) and (p, p).
    total : shape (d,), the risk set's sum of exp(x b) for each row.
    mean : shape (d, p), the risk set's weighted mean of x for each row.
    risk : shape (n,), exp(x b).
    """

    value: float
    score: Array
    information: Array
    total: Array
    mean: Array
    risk: Array


def cox_data(patients: PatientTimes, x: Array, stratum: np.ndarray, *, efron: bool = True) -> CoxData:
    """Patients prepared for the likelihood; `x` of shape (n, p), `stratum` integer codes of shape (n,)."""
    if stratum.any():
        order = np.lexsort((patients.time, stratum))
        edges = np.flatnonzero(np.diff(stratum[order], prepend=-1))
        bounds = np.append(edges, order.size)
        pieces = [tie_starts(patients.time[order[a:b]]) + a for a, b in pairwise(bounds)]
        start = np.concatenate(pieces)
        layers = np.cumsum([0, *(piece.size for piece in pieces)])
    else:
        order = np.argsort(patients.time, kind="stable")
        start = tie_starts(patients.time[order])
        layers = np.array([0, start.size])
    died = patients.event[order].astype(float)
    deaths = np.add.reduceat(died, start).astype(int)
    row_time = np.repeat(np.arange(start.size), deaths)
    row_share = np.zeros(row_time.size)
    if efron:
        step = np.arange(row_time.size) - np.repeat(np.cumsum(deaths) - deaths, deaths)
        row_share = step / deaths[row_time]
    return CoxData(x[order] - x.mean(axis=0), died, order, start, layers, row_time, row_share)


def _at_risk(data: CoxData, values: Array) -> Array:
    """Sums of `values` (n, q) over each risk set, shape (m, q)."""
    return running_sums(np.add.reduceat(values, data.start), data.bounds, backwards=True)


def running_sums(values: Array, bounds: np.ndarray, *, backwards: bool = False) -> Array:
    """Running sums of rows within each stretch between `bounds`; no difference of sums, so that nothing cancels."""
    step = -1 if backwards else 1
    found = np.empty_like(values)
    for a, b in pairwise(bounds):
        np.cumsum(values[a:b][::step], axis=0, out=found[a:b][::step])
    return found


def likelihood(data: CoxData, b: Array, offset: Array | None = None) -> Likelihood:
    """The partial likelihood at `b`; `offset` (n,) is added to x b, in sorted order.

    Cox (1972), doi:10.1111/j.2517-6161.1972.tb00899.x; ties as in Efron (1977), doi:10.1080/01621459.1977.10480613.
    """
    p = data.x.shape[1]
    eta = data.x @ b if offset is None else data.x @ b + offset
    risk = np.exp(eta)
    values = np.concatenate((np.ones((risk.size, 1)), data.x), axis=1) * risk[:, None]
    sums = _at_risk(data, values)[data.row_time]
    tied = np.flatnonzero(data.row_share > 0)
    if tied.size:
        dying = np.add.reduceat(values * data.died[:, None], data.start)
        sums[tied] -= data.row_share[tied, None] * dying[data.row_time[tied]]
    total, mean = sums[:, 0], sums[:, 1 : 1 + p] / sums[:, :1]
    # Each patient counts in the second moments by the hazard it was exposed to, so that no risk set needs its own.
    second = data.x.T @ (data.x * (risk * _exposure(data, total))[:, None])
    value = float(data.died @ eta - np.log(total).sum())
    return Likelihood(value, data.died @ data.x - mean.sum(axis=0), second - mean.T @ mean, total, mean, risk)


def _exposure(data: CoxData, total: Array) -> Array:
    """Cumulative baseline hazard of each patient, shape (n,); less for one who dies in a tie, by Efron's steps."""
    m = data.start.size
    hazard = np.bincount(data.row_time, weights=1 / total, minlength=m).astype(np.float64)
    taken = np.bincount(data.row_time, weights=data.row_share / total, minlength=m).astype(np.float64)
    place = data.place
    exposed: Array = running_sums(hazard, data.bounds)[place] - data.died * taken[place]
    return exposed


def score_residuals(data: CoxData, at: Likelihood) -> Array:
    """Each patient's part of the score, shape (n, p), in the order of the input; the sum over patients is the score.

    Therneau, Grambsch and Fleming (1990), doi:10.1093/biomet/77.1.147, with Efron's step through ties.
    """
    m = data.start.size
    hazard = np.column_stack((1 / at.total, at.mean / at.total[:, None]))
    by_time = _sum_rows(hazard, data.row_time, m)
    taken = _sum_rows(hazard * data.row_share[:, None], data.row_time, m)
    deaths = np.maximum(np.bincount(data.row_time, minlength=m), 1)
    mean = _sum_rows(at.mean, data.row_time, m) / deaths[:, None]
    running = running_sums(by_time, data.bounds)
    place = data.place
    own = running[place] - data.died[:, None] * taken[place]
    found = data.died[:, None] * (data.x - mean[place]) - at.risk[:, None] * (data.x * own[:, :1] - own[:, 1:])
    residuals: Array = np.empty(found.shape)
    residuals[data.order] = found
    return residuals


def _sum_rows(values: Array, index: np.ndarray, size: int) -> Array:
    sums: Array = np.column_stack([np.bincount(index, weights=column, minlength=size) for column in values.T])
    return sums
