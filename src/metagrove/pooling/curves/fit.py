"""The summary curve on the arcsine scale: cells, between-study covariance, generalised least squares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from metagrove.core.values import Array
from metagrove.pooling.curves.grid import CurveGrid

__all__ = [
    "ArcsineCells",
    "ArcsineFit",
    "arcsine_cells",
    "arcsine_fit",
    "between_covariance",
    "cochran_q",
    "inconsistency",
]

#: The variance given to a cell that a study does not have, as Jackson, White and Thompson (2010) do it: it weighs
#: nothing in the estimate, and the established implementation carries its trace (1e-7) in the covariance.
ABSENT = 1e12


@dataclass(frozen=True, slots=True, eq=False)
class ArcsineCells:
    """Transformed conditional survival, asin sqrt(p).

    Parameters
    ----------
    y, v : shape (k, J), value and variance; an absent cell holds its column's mean with variance 1e12.
    present : shape (k, J), which cells were observed.
    """

    y: Array
    v: Array
    present: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class ArcsineFit:
    """A pooled vector on the arcsine scale.

    Parameters
    ----------
    b, cov : shapes (J,) and (J, J), the estimate and its covariance.
    tau2 : shape (J, J), covariance between studies; zero under the fixed model.
    """

    b: Array
    cov: Array
    tau2: Array


def arcsine_cells(grid: CurveGrid, correction: tuple[float, float] | None, *, msurv: bool = False) -> ArcsineCells:
    """Each study's conditional survival on the arcsine scale, with the variance 1/(4n) of that scale.

    Parameters
    ----------
    correction : (a, c): p becomes (n p + a) / (n + c) and n becomes n + c; None uses p and n as they are.
    msurv : take the variance as that program does: 1/n without a correction, a/(n + c) with one.
    """
    present = grid.present
    n = np.where(present, grid.n_risk, 1.0)
    p = np.where(present, grid.conditional, 0.5)
    if correction is None:
        y = np.arcsin(np.sqrt(p))
        v = (1.0 if msurv else 0.25) / n
    else:
        a, c = correction
        y = np.arcsin(np.sqrt((n * p + a) / (n + c)))
        v = (a if msurv else 0.25) / (n + c)
    column = np.where(present, y, 0.0).sum(axis=0) / present.sum(axis=0)
    return ArcsineCells(np.where(present, y, column), np.where(present, v, ABSENT), present)


def between_covariance(cells: ArcsineCells) -> Array:
    """The moment estimate of the covariance between studies, shape (J, J), made positive semi-definite.

    Jackson, White and Thompson (2010), doi:10.1002/sim.3602: for each pair of times, weights are the products of the
    two square-root precisions; on the diagonal this is the estimator of DerSimonian and Laird. Within a study the
    conditional survivals of different intervals are independent. Negative eigenvalues are set to 0.
    """
    s = cells.v**-0.5
    y = cells.y
    total = s.T @ s
    squares = (s**2).T @ (s**2)
    weighted = (s * y).T @ s  # sum over studies of s_i y_i s_j
    mean_i = weighted / total
    mean_j = weighted.T / total
    # Centred before multiplying, or cells of one study alone leave rounding errors over a vanishing denominator.
    middle = y.mean(axis=0)
    z = y - middle
    cross = (s * z).T @ (s * z) - total * (mean_i - middle[:, None]) * (mean_j - middle[None, :])
    denominator = total - squares / total
    counted = cells.present.T.astype(float) @ cells.present.astype(float)
    shared = counted >= 2
    np.fill_diagonal(shared, False)
    tau2 = np.where(shared, cross - 0.0, 0.0) / np.where(shared, denominator, 1.0)
    diagonal = np.array([_dersimonian(cells, j) for j in range(y.shape[1])])
    tau2[np.diag_indices_from(tau2)] = diagonal
    return _semidefinite(tau2)


def _dersimonian(cells: ArcsineCells, j: int) -> float:
    here = cells.present[:, j]
    if here.sum() < 2:
        return 0.0
    w, y = 1 / cells.v[here, j], cells.y[here, j]
    q = float((w * (y - (w @ y) / w.sum()) ** 2).sum())
    return float(q - (y.size - 1)) / (float(w.sum()) - float((w**2).sum()) / float(w.sum()))


def _semidefinite(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def arcsine_fit(cells: ArcsineCells, tau2: Array | None) -> ArcsineFit:
    """The pooled vector: by inverse variances when `tau2` is None (fixed model), else by generalised least squares."""
    weight = 1 / cells.v
    if tau2 is None:
        total = weight.sum(axis=0)
        return ArcsineFit((weight * cells.y).sum(axis=0) / total, np.diag(1 / total), np.zeros((total.size,) * 2))
    covariances = tau2[None] + cells.v[:, :, None] * np.eye(cells.v.shape[1])[None]
    weights = np.linalg.inv(covariances)
    cov = np.linalg.inv(weights.sum(axis=0))
    cov = (cov + cov.T) / 2
    return ArcsineFit(cov @ np.einsum("kij,kj->i", weights, cells.y), cov, tau2)


def cochran_q(cells: ArcsineCells, b: Array) -> Array:
    """Cochran's Q of each time about the vector `b`, shape (J,); 0 where one study has the time."""
    q: Array = np.where(cells.present, (cells.y - b) ** 2 / cells.v, 0.0).sum(axis=0)
    return np.where(cells.present.sum(axis=0) > 1, q, 0.0)


def inconsistency(cells: ArcsineCells, q: float) -> tuple[float, float, str]:
    """H² and I² of Q over all cells, and why they do not exist where they are NaN.

    H² is Q over cells less studies, as the method defines it; I² is 1 - 1/H², 0 or above.
    """
    studies, spare = cells.y.shape[0], int(cells.present.sum()) - cells.y.shape[0]
    if studies < 2:
        return math.nan, math.nan, "I² and H² do not exist: one study differs from no other."
    if spare == 0:
        return math.nan, math.nan, "I² and H² do not exist: every study has one time, and cells less studies is 0."
    return q / spare, max(0.0, 1 - spare / q) if q > 0 else 0.0, ""
