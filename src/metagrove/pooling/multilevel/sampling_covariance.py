"""Sampling covariance of effects that share people, from correlations that are known or assumed.

An effect is a measurement (or a difference of two) in groups at times; effects of one cluster are correlated through
the outcomes' correlation rho, the autocorrelation phi per unit of time, and groups in common.
Gleser LJ, Olkin I. Stochastically dependent effect sizes. In: Cooper H, Hedges LV, Valentine JC. The Handbook of
Research Synthesis and Meta-Analysis. 2nd ed. 2009:357-376. Case: `mv_berkey1998` (CHE_rho06).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array

__all__ = ["Dependence", "block_diagonal", "nearest_correlation", "sampling_covariance"]

Labels = NDArray[np.object_]
#: Stands for the second group where none is named.
_SHARED = object()


@dataclass(frozen=True, slots=True, eq=False)
class Dependence:
    """What makes effects of one cluster depend on one another; all columns have shape (k,), None where not used.

    Parameters
    ----------
    obs, type : which measurement of a construct, and which construct.
    rho : correlation between different obs or types: a number, a mapping of mappings (or frame) by label, or, with both
        obs and type, a pair: within a construct and between constructs.
    grp1, grp2 : the groups an effect contrasts; without `grp2`, all effects of a cluster share their second group.
    time1, time2 : the times of the two conditions.
    w1, w2 : the groups' sizes; equal by default.
    phi : correlation of measurements one unit of time apart, in (-1, 1).
    """

    obs: Labels | None = None
    type: Labels | None = None
    rho: Any = None
    grp1: Labels | None = None
    grp2: Labels | None = None
    time1: Array | None = None
    time2: Array | None = None
    w1: Array | None = None
    w2: Array | None = None
    phi: float | None = None

    def __post_init__(self) -> None:
        if (self.obs is not None or self.type is not None) and self.rho is None:
            raise MethodError("obs or type is given without rho, the correlation between different ones")
        if self.time1 is not None and self.phi is None:
            raise MethodError("time1 is given without phi, the correlation of measurements one unit of time apart")
        if self.time1 is None and self.time2 is not None:
            raise MethodError("time2 is given without time1")
        if self.grp1 is None and self.grp2 is not None:
            raise MethodError("grp2 is given without grp1")
        if self.phi is not None and not -1 <= self.phi <= 1:
            raise MethodError(f"phi is {self.phi:g}; a correlation lies between -1 and 1")
        if all(part is None for part in (self.obs, self.type, self.grp1, self.time1)):
            raise MethodError(
                "say what makes effects of one cluster differ: obs, type, time1 or grp1 (with rho or phi)"
            )


def _lookup(rho: Any, a: Any, b: Any, what: str) -> float:
    """The correlation of labels a and b: a number, or an entry of a frame or mapping of mappings."""
    if np.ndim(rho) == 0 and not isinstance(rho, Mapping) and not hasattr(rho, "columns"):
        value = float(rho)
    else:
        table = rho.to_dict() if hasattr(rho, "to_dict") else rho
        if not isinstance(table, Mapping):
            raise DataError(f"rho by {what} needs labels: a DataFrame or a mapping of mappings")
        named = {str(x): {str(y): value for y, value in row.items()} for x, row in table.items()}
        try:
            value = float(named[str(a)][str(b)])
        except KeyError:
            raise DataError(f"rho has no entry for {what} '{a}' with '{b}'") from None
    if not -1 <= value <= 1:
        raise MethodError(f"rho is {value:g}; a correlation lies between -1 and 1")
    return value


def _outcome_correlation(d: Dependence, i: int, j: int) -> float:
    if d.obs is not None and d.type is not None:
        if np.size(d.rho) != 2 and not (isinstance(d.rho, (list, tuple)) and len(d.rho) == 2):
            raise MethodError("with both obs and type, rho is a pair: within a construct, and between constructs")
        within, between = d.rho
        if d.type[i] != d.type[j]:
            return _lookup(between, d.type[i], d.type[j], "type")
        return 1.0 if d.obs[i] == d.obs[j] else _lookup(within, d.obs[i], d.obs[j], "obs")
    labels, what = (d.obs, "obs") if d.obs is not None else (d.type, "type")
    if labels is None or labels[i] == labels[j]:
        return 1.0
    return _lookup(d.rho, labels[i], labels[j], what)


@dataclass(frozen=True, slots=True)
class _Condition:
    """One of the one or two conditions of an effect: sign, group, time, standard error up to a factor."""

    sign: float
    group: Any
    time: float
    root: float


def _conditions(d: Dependence, i: int) -> list[_Condition]:
    time1 = 0.0 if d.time1 is None else float(d.time1[i])
    group1 = None if d.grp1 is None else d.grp1[i]
    if d.grp1 is None:
        return [_Condition(1.0, group1, time1, 1.0)]
    group2 = _SHARED if d.grp2 is None else d.grp2[i]
    time2 = time1 if d.time2 is None else float(d.time2[i])
    roots = [1.0 if w is None else 1 / np.sqrt(w[i]) for w in (d.w1, d.w2)]
    return [_Condition(1.0, group1, time1, roots[0]), _Condition(-1.0, group2, time2, roots[1])]


def _shared(d: Dependence, one: Sequence[_Condition], two: Sequence[_Condition]) -> float:
    """Covariance of two effects from the conditions they share, up to a factor."""
    total = 0.0
    for a in one:
        for b in two:
            if a.group == b.group:
                gap = abs(a.time - b.time)
                auto = 1.0 if d.phi is None or gap == 0 else float(d.phi) ** gap
                total += a.sign * b.sign * a.root * b.root * auto
    return total


def _correlations(d: Dependence, rows: NDArray[np.intp]) -> Array:
    conditions = [_conditions(d, int(i)) for i in rows]
    own = [_shared(d, c, c) for c in conditions]
    R = np.eye(rows.size)
    for a in range(rows.size):
        for b in range(a):
            scale = np.sqrt(own[a] * own[b])
            if scale <= 0:
                raise DataError(f"effect {int(rows[a]) + 1} contrasts a group with itself at one time")
            share = _shared(d, conditions[a], conditions[b]) / scale
            R[a, b] = R[b, a] = _outcome_correlation(d, int(rows[a]), int(rows[b])) * share
    return R


def nearest_correlation(R: Array) -> Array:
    """The nearest correlation matrix with smallest eigenvalue 1e-8, by alternating projections.

    Higham NJ. IMA J Numer Anal 2002;22:329-343. doi:10.1093/imanum/22.3.329
    """
    X, correction = R.copy(), np.zeros_like(R)
    for _ in range(1000):
        start = X
        shifted = X - correction
        values, vectors = np.linalg.eigh(shifted)
        positive = (vectors * np.maximum(values, 1e-8 * values[-1])) @ vectors.T
        correction = positive - shifted
        X = positive.copy()
        np.fill_diagonal(X, 1.0)
        if np.abs(X - start).max() < 1e-12:
            break
    values, vectors = np.linalg.eigh(X)
    lifted = (vectors * np.maximum(values, 1e-8)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return np.asarray(lifted / np.outer(scale, scale))


def sampling_covariance(
    vi: Array, cluster: Labels, dependence: Dependence | Array, *, checkpd: bool = True, nearpd: bool = False
) -> Array:
    """The sampling covariance, shape (k, k), of effects with variances `vi`; clusters are independent.

    Parameters
    ----------
    dependence : what correlates the effects of a cluster; or rows of the clusters' correlation matrices, shape
        (k, largest cluster), of which the lower triangle is read.
    checkpd : refuse clusters whose matrix is not positive definite.
    nearpd : replace such a matrix by the nearest one instead.
    """
    V = np.zeros((vi.size, vi.size))
    for label in dict.fromkeys(cluster):
        rows = np.flatnonzero(cluster == label)
        if isinstance(dependence, Dependence):
            R = _correlations(dependence, rows)
        else:
            if rows.size > dependence.shape[1]:
                raise DataError(f"cluster '{label}' has {rows.size} effects, rvars only {dependence.shape[1]} columns")
            lower = np.tril(dependence[rows][:, : rows.size], -1)
            R = lower + lower.T + np.eye(rows.size)
        if not np.isfinite(R).all():
            raise DataError(f"cluster '{label}': a correlation is missing")
        if (checkpd or nearpd) and np.linalg.eigvalsh(R)[0] <= 1e-12:
            if not nearpd:
                raise MethodError(
                    f"cluster '{label}': its correlations are not those of any data (not positive definite); look for "
                    "effects that are described alike, or set nearpd=True"
                )
            R = nearest_correlation(R)
        root = np.sqrt(vi[rows])
        V[np.ix_(rows, rows)] = R * np.outer(root, root)
    np.fill_diagonal(V, vi)
    return V


def block_diagonal(blocks: Sequence[Any]) -> Array:
    """One matrix from blocks along its diagonal; numbers count as blocks of one."""
    parts = [np.atleast_2d(np.asarray(block, dtype=float)) for block in blocks]
    for part in parts:
        if part.shape[0] != part.shape[1]:
            raise DataError(f"a block of V has shape {part.shape}; blocks are square")
    k = sum(part.shape[0] for part in parts)
    V = np.zeros((k, k))
    at = 0
    for part in parts:
        n = part.shape[0]
        V[at : at + n, at : at + n] = part
        at += n
    return V
