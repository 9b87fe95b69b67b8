"""Survival at several times pooled at once: ln(-ln S) with the covariance that times of one trial share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.pooling.curves.trial_patients import TrialPatients, trial_patients
from metagrove.survival.kaplan_meier import survival_curve

__all__ = ["MultivariateSurvival", "multivariate_survival"]

_ARENDS = (
    "Arends LR, Hunink MGM, Stijnen T. Meta-analysis of summary survival curve data. Stat Med 2008;27:4381-4396. "
    "doi:10.1002/sim.3311"
)


@dataclass(frozen=True, slots=True, eq=False)
class MultivariateSurvival(Result):
    """Pooled survival at J times with a random intercept for each trial.

    Parameters
    ----------
    time, survival, lower, upper : shape (J,).
    b, cov : shapes (J,) and (J, J), pooled ln(-ln S) and its covariance.
    sigma2 : variance of the trials' intercepts on that scale.
    predict_lower, predict_upper : shape (J,), limits for the survival of a new trial.
    studies : shape (J,), trials that contribute to each time.
    loglik : restricted log likelihood.
    notes : what was left out and why.
    """

    time: Array
    survival: Array
    lower: Array
    upper: Array
    b: Array
    cov: Array
    sigma2: float
    predict_lower: Array
    predict_upper: Array
    studies: np.ndarray
    loglik: float
    level: float = 0.95
    notes: tuple[str, ...] = field(default=())

    @property
    def se(self) -> Array:
        """Standard errors of `b`."""
        return np.sqrt(np.diag(self.cov))

    def rows(self) -> list[dict[str, Any]]:
        """One line per time."""
        names = ("time", "survival", "lower", "upper", "predict_lower", "predict_upper", "studies")
        columns = [getattr(self, name) for name in names]
        return [dict(zip(names, map(float, line), strict=True)) for line in zip(*columns, strict=True)]

    def summary(self) -> str:
        """Survival at each time as text."""
        lines = [
            f"{t:g}: {s:.3f} ({low:.3f} to {high:.3f})"
            for t, s, low, high in zip(self.time, self.survival, self.lower, self.upper, strict=True)
        ]
        return "\n".join([*lines, f"variance between trials {self.sigma2:.3g} on ln(-ln S)", *self.notes])

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Survival at several times was pooled as ln(-ln S) in a multivariate model with one mean for each time, "
            "the covariance of times within a trial by Greenwood's formula, and a random intercept for each trial "
            "(REML).",
            (_ARENDS,),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """One trial's usable times: their indices, ln(-ln S) and covariance."""

    index: np.ndarray
    y: Array
    v: Array


def _cells(trials: TrialPatients, i: int, times: Array, carry: bool) -> tuple[_Cells, list[str]]:
    time, event, _ = trials.of(i)
    curve = survival_curve(time, event)
    s = np.asarray(curve.at(times))
    variance = np.concatenate(([0.0], curve.greenwood))[np.searchsorted(curve.time, times * (1 + 1e-12), side="right")]
    notes: list[str] = []
    keep: list[int] = []
    for j, t in enumerate(times):
        if t > curve.time[-1] * (1 + 1e-9) and not carry:
            notes.append(f"{trials.studies[i]}: follow-up ends at {curve.time[-1]:g}; nothing from {t:g} on.")
            break
        if s[j] >= 1 or s[j] <= 0:
            notes.append(f"{trials.studies[i]}: survival is {s[j]:g} at {t:g} and has no ln(-ln S).")
        elif keep and s[j] == s[keep[-1]]:
            # The same value twice makes the covariance singular.
            notes.append(f"{trials.studies[i]}: no event between {times[keep[-1]]:g} and {t:g}; {t:g} left out.")
        else:
            keep.append(j)
    index = np.array(keep, dtype=int)
    log_s, g = np.log(s[index]), variance[index]
    earlier = np.minimum(g[:, None], g[None, :])  # Greenwood's sum of the earlier of two times
    return _Cells(index, np.log(-log_s), earlier / np.outer(log_s, log_s)), notes


def _fit(cells: Sequence[_Cells], size: int, sigma2: float) -> tuple[float, Array, Array]:
    """Restricted log likelihood, pooled vector and covariance at one variance of the intercepts."""
    information, score = np.zeros((size, size)), np.zeros(size)
    value, total = 0.0, 0
    parts = []
    for cell in cells:
        v = cell.v + sigma2
        weight = np.linalg.inv(v)
        information[np.ix_(cell.index, cell.index)] += weight
        score[cell.index] += weight @ cell.y
        value -= 0.5 * float(np.linalg.slogdet(v)[1])
        total += cell.y.size
        parts.append((cell, weight))
    cov = np.linalg.inv(information)
    b = cov @ score
    for cell, weight in parts:
        residual = cell.y - b[cell.index]
        value -= 0.5 * float(residual @ weight @ residual)
    value -= 0.5 * float(np.linalg.slogdet(information)[1]) + 0.5 * (total - size) * math.log(2 * math.pi)
    return value, b, cov.astype(np.float64)


def _best_sigma2(cells: Sequence[_Cells], size: int) -> float:
    """The variance with the highest restricted likelihood, 0 where nothing above it is better."""
    from scipy.optimize import minimize_scalar

    def cost(log_sigma2: float) -> float:
        return -_fit(cells, size, math.exp(log_sigma2))[0]

    grid = np.linspace(-14, 5, 39)
    i = int(np.argmin([cost(float(point)) for point in grid]))
    bounds = (float(grid[max(i - 1, 0)]), float(grid[min(i + 1, grid.size - 1)]))
    found: Any = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    return math.exp(found.x) if -found.fun > _fit(cells, size, 0.0)[0] else 0.0


def multivariate_survival(
    patients: Mapping[str, Any], times: Sequence[float], *, carry: bool = False, level: float = 0.95
) -> MultivariateSurvival:
    """Survival at several times pooled over trials, one mean for each time and a random intercept for each trial.

    Parameters
    ----------
    patients : for each trial (or arm) a frame with `time` and `event`, or a tuple of them.
    times : shape (J,), increasing, above 0.
    carry : hold the last value of a curve that ends before a time; otherwise the trial says nothing there.
    level : of the intervals.

    Raises
    ------
    DataError, MethodError : times out of order, a time that no trial reaches, fewer than two trials.

    Notes
    -----
    Arends, Hunink and Stijnen (2008), doi:10.1002/sim.3311, time as a factor. Pinned by
    `multivariate_loglog_random_intercept` of `survival/pooled_reference*.json`.
    """
    wanted = np.asarray(times, dtype=float)
    if wanted.ndim != 1 or not wanted.size or (np.diff(wanted) <= 0).any() or wanted[0] <= 0:
        raise DataError("times are above 0 and increase")
    trials = trial_patients(patients)
    found = [_cells(trials, i, wanted, carry) for i in range(len(trials.studies))]
    cells = [cell for cell, _ in found if cell.y.size]
    if len(cells) < 2:
        raise MethodError(f"{len(cells)} trials give survival at these times; at least 2 are needed")
    counts = np.bincount(np.concatenate([cell.index for cell in cells]), minlength=wanted.size)
    if (counts == 0).any():
        raise MethodError(f"no trial gives survival at {wanted[counts == 0][0]:g}")
    sigma2 = _best_sigma2(cells, wanted.size)
    value, b, cov = _fit(cells, wanted.size, sigma2)
    from scipy.special import ndtri

    z, se = float(ndtri(0.5 + level / 2)), np.sqrt(np.diag(cov))
    wide = np.sqrt(np.diag(cov) + sigma2)
    # Survival falls as ln(-ln S) rises, so the upper limit of one is the lower of the other.
    lower, upper, low, high = (np.exp(-np.exp(b + z * step)) for step in (se, -se, wide, -wide))
    notes = tuple(note for _, said in found for note in said)
    return MultivariateSurvival(
        wanted, np.exp(-np.exp(b)), lower, upper, b, cov, sigma2, low, high, counts, value, level, notes
    )
