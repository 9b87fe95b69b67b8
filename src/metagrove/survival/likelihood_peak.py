"""The maximum of a smooth log likelihood by Newton's steps, and the likelihood of a distribution of survival times."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metagrove.core.errors import ConvergenceError
from metagrove.core.values import Array
from metagrove.survival.families import Family

__all__ = ["FamilyLikelihood", "Peak", "likelihood_peak"]

#: The second derivatives are differences of exact first ones over this step, in units in which one patient informs.
_STEP = 1e-5

#: A maximum is reached where a whole Newton step is shorter than this and gains less than a hair of a log unit.
_SHORT, _GAIN = 1e-5, 1e-7


@dataclass(frozen=True, slots=True)
class Peak:
    """A maximum: parameters of shape (p,), their covariance (p, p), and the log likelihood there."""

    b: Array
    cov: Array
    loglik: float


@dataclass(frozen=True, slots=True)
class FamilyLikelihood:
    """The log likelihood of a distribution for follow-up `t` that ended in the event where `died`, both of shape (n,)."""

    form: Family
    t: Array
    died: np.ndarray

    def value(self, b: Array) -> float:
        """The log likelihood; minus infinity outside of the parameters' bounds."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = float(self.form.log_hazard(b, self.t[self.died]).sum() - self.form.cumulative(b, self.t).sum())
        return found if math.isfinite(found) else -math.inf

    def slope(self, b: Array) -> Array:
        """Its first derivatives, shape (p,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            hazard, rate = self.form.slopes(b, self.t)
        return np.asarray(rate[self.died].sum(axis=0) - hazard.sum(axis=0))

    def axes(self, b: Array) -> Array:
        """Directions in parameter space along which a patient's part of the likelihood changes about equally, (p, p)."""
        with np.errstate(over="ignore", invalid="ignore"):
            hazard, rate = self.form.slopes(b, self.t)
        rows = np.vstack((hazard, rate[self.died]))
        rows = rows / math.sqrt(rows.shape[0])
        size = np.sqrt((rows**2).sum(axis=0))
        size = np.where(size > 0, size, 1.0)
        triangle = np.asarray(np.linalg.qr(rows / size, mode="r"))
        pivots = np.abs(np.diag(triangle))
        if triangle.shape[0] < b.size or not pivots.min() > 1e-10:
            return np.diag(1 / size)
        return np.asarray(np.linalg.solve(triangle, np.eye(b.size)) / size[:, None])


def likelihood_peak(
    value: Callable[[Array], float], slope: Callable[[Array], Array], start: Array, name: str, *, axes: Array
) -> Peak:
    """The maximum of a log likelihood: Newton's steps, shortened until they gain.

    Parameters
    ----------
    value, slope : parameters of shape (p,) to the log likelihood (minus infinity out of bounds) and its derivatives.
    start : within bounds.
    name : of the model, for the error.
    axes : shape (p, p), columns along which the likelihood bends about equally; the search walks in their units.

    Raises
    ------
    ConvergenceError : no maximum, or a flat one; the message names the model.
    """
    c, height = np.zeros(start.size), value(start)

    def rise(c: Array) -> Array:
        return np.asarray(axes.T @ slope(start + axes @ c))

    for _ in range(200):
        gradient = rise(c)
        bend = np.array([rise(c + e) - rise(c - e) for e in _STEP * np.eye(c.size)]) / (2 * _STEP)
        if not (np.isfinite(bend).all() and np.isfinite(gradient).all()):
            break
        curved, ways = np.linalg.eigh(-(bend + bend.T) / 2)
        along = ways.T @ gradient
        # Uphill also where the likelihood bends the wrong way; never further than where the bend may be believed.
        step = ways @ (along / np.maximum(np.abs(curved), 1e-9 * np.abs(curved).max() + 1e-300))
        length = float(np.linalg.norm(step))
        peaked = curved[0] > 1e-9 * curved[-1] > 0
        if peaked and length < _SHORT and gradient @ step < _GAIN:
            cov = axes @ (ways / curved) @ ways.T @ axes.T
            c, height = _further(lambda c: value(start + axes @ c), c, height, step)
            return Peak(start + axes @ c, np.asarray((cov + cov.T) / 2), height)
        step = step * min(1.0, 2.0 / length) if length > 0 else step
        c, gained = _further(lambda c: value(start + axes @ c), c, height, step)
        if not gained > height:
            break
        height = gained
    raise ConvergenceError(f"{name}: the likelihood has no peak; these patients do not determine its parameters")


def _further(value: Callable[[Array], float], c: Array, height: float, step: Array) -> tuple[Array, float]:
    """The first point along the step, halved as often as needed, that is higher, and its height; else where one was."""
    for _ in range(50):
        ahead = value(c + step)
        if ahead > height:
            return c + step, ahead
        step = step / 2
    return c, height
