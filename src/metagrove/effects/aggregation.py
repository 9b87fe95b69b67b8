"""Dependent effects of one cluster joined into one, with the variance that their correlation gives it.

Hedges LV, Olkin I. Statistical Methods for Meta-Analysis. 1985. doi:10.1016/C2009-0-03396-0; Borenstein M, Hedges LV,
Higgins JPT, Rothstein HR. Introduction to Meta-Analysis. 2009, chapter 24. doi:10.1002/9780470743386.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array

__all__ = ["STRUCTURES", "Aggregated", "aggregated", "cluster_covariance"]

#: Correlations within a cluster, as metafor names them.
STRUCTURES = ("ID", "CS", "CAR", "CS+CAR", "CS*CAR")


@dataclass(frozen=True, slots=True, eq=False)
class Aggregated:
    """One effect for each cluster: `y`, `v` and the members' rows, in order of first appearance."""

    clusters: tuple[str, ...]
    y: Array
    v: Array
    rows: tuple[NDArray[np.intp], ...]


def cluster_covariance(
    v: Array, struct: str, *, rho: float | None, phi: float | None, obs: Sequence[str] | None, time: Array | None
) -> Array:
    """The sampling covariance of one cluster's effects, shape (m, m), from variances `v` and a structure.

    "CS": correlation `rho`; "CAR": `phi` to the power of the distance in `time`; "CS+CAR": rho + (1 - rho) times that
    power; "CS*CAR": that power, times rho where two effects differ in `obs` (the outcome).
    """
    if struct not in STRUCTURES:
        raise MethodError(f"struct is '{struct}'; known: {', '.join(STRUCTURES)}")
    m = v.size
    corr = np.eye(m)
    if struct != "ID":
        corr = _correlations(struct, m, rho, phi, obs, time)
    found = np.sqrt(np.outer(v, v)) * corr
    if np.linalg.eigvalsh(corr)[0] < 1e-12:
        raise DataError("the correlations within a cluster are not positive definite; lower rho or phi")
    return np.asarray(found)


def _correlations(
    struct: str, m: int, rho: float | None, phi: float | None, obs: Sequence[str] | None, time: Array | None
) -> Array:
    for name, value, wanted in (("rho", rho, "CS" in struct), ("phi", phi, "CAR" in struct)):
        if wanted and value is None:
            raise DataError(f"struct '{struct}' needs {name}")
        if wanted and value is not None and not -1 <= value <= 1:
            raise DataError(f"{name} is {value:g}; a correlation lies between -1 and 1")
    level = float(rho or 0.0)
    if struct == "CS":
        corr = np.full((m, m), level)
    else:
        if time is None:
            raise DataError(f"struct '{struct}' needs time")
        decay = np.power(float(phi or 0.0), np.abs(time[:, None] - time[None, :]))
        corr = decay
        if struct == "CS+CAR":
            corr = level + (1 - level) * decay
        elif struct == "CS*CAR":
            if obs is None:
                raise DataError("struct 'CS*CAR' needs obs")
            corr = np.where(np.array([[a == b for b in obs] for a in obs]), decay, level * decay)
    np.fill_diagonal(corr, 1.0)
    return np.asarray(corr)


def aggregated(
    y: Array, V: Sequence[Array], members: Sequence[NDArray[np.intp]], names: Sequence[str], *, weighted: bool = True
) -> Aggregated:
    """The mean of each cluster's effects: by generalised least squares, or (not `weighted`) the plain mean.

    `V` is each cluster's covariance and `members` the rows that belong to it.
    """
    means, variances = [], []
    for name, cov, rows in zip(names, V, members, strict=True):
        ones = np.ones(rows.size)
        if weighted:
            try:
                w = np.linalg.solve(cov, ones)
            except np.linalg.LinAlgError:
                raise DataError(f"cluster {name}: the covariance of its effects is singular") from None
            total = float(ones @ w)
            if not total > 0:
                raise DataError(f"cluster {name}: the covariance of its effects is not positive definite")
            means.append(float(w @ y[rows]) / total)
            variances.append(1 / total)
        else:
            means.append(float(y[rows].mean()))
            variances.append(float(cov.sum()) / rows.size**2)
    return Aggregated(tuple(names), np.array(means), np.array(variances), tuple(members))
