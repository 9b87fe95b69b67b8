"""Permutation tests of a linear model: moderators shuffled against the studies, or effects' signs flipped.

Higgins JPT, Thompson SG. Controlling the risk of spurious findings from meta-regression. Stat Med 2004;23:1663-1682.
doi:10.1002/sim.1752. Follmann DA, Proschan MA. Biometrics 1999;55:732-737. doi:10.1111/j.0006-341X.1999.00732.x
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from typing import ClassVar

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.pooling.regression.columns import ColumnResult
from metagrove.pooling.regression.linear_model import LinearFit, linear_fit, omnibus

__all__ = ["Permutation", "permutation_test"]

_MOST = 500_000
#: Statistics this close count as equal: refits of permuted data repeat the arithmetic in another order.
_TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Permutation(ColumnResult):
    """Permutation p-values of coefficients (`pval`, shape (p,)) and of the omnibus test (`QMp`).

    `zval` and `QM` are the observed statistics, `iterations` how many arrangements were used, `exact` whether these
    were all; `zval_perm` (iterations, p) and `QM_perm` (iterations,) the statistics' distributions.
    """

    labels: tuple[str, ...]
    estimate: Array
    zval: Array
    pval: Array
    QM: float
    QMp: float
    iterations: int
    exact: bool
    zval_perm: Array
    QM_perm: Array

    COLUMNS: ClassVar[tuple[str, ...]] = ("estimate", "zval", "pval")
    TITLE: ClassVar[str] = "Permutation test"
    SENTENCE: ClassVar[str] = "P-values were obtained by a permutation test."
    REFERENCES: ClassVar[tuple[str, ...]] = (
        "Higgins JPT, Thompson SG. Stat Med 2004;23:1663-1682. doi:10.1002/sim.1752",
        "Follmann DA, Proschan MA. Biometrics 1999;55:732-737. doi:10.1111/j.0006-341X.1999.00732.x",
    )


def _distinct_orders(codes: list[int]) -> Iterator[list[int]]:
    """Every distinct arrangement of `codes`, in lexicographic order."""
    a = sorted(codes)
    while True:
        yield a
        i = len(a) - 2
        while i >= 0 and a[i] >= a[i + 1]:
            i -= 1
        if i < 0:
            return
        j = len(a) - 1
        while a[j] <= a[i]:
            j -= 1
        a[i], a[j] = a[j], a[i]
        a[i + 1 :] = reversed(a[i + 1 :])


def _arrangements(
    fit: LinearFit, exact: bool, iterations: int, rng: np.random.Generator | None
) -> tuple[Iterator[tuple[Array, Array]], int, bool]:
    """Effects and designs under the null, the observed ones first unless all are listed; how many; whether all."""
    flips = fit.p == 1
    if flips:
        total = 2**fit.k
    else:
        rows, codes = np.unique(fit.X, axis=0, return_inverse=True)
        codes = codes.ravel()
        total = factorial(fit.k) // prod(factorial(int(n)) for n in np.bincount(codes))
    if exact and total > _MOST:
        raise MethodError(f"an exact test needs {total:.3g} arrangements; leave exact=False and set iter")
    if exact or total <= iterations:
        if flips:
            return ((fit.y * np.array(signs), fit.X) for signs in product((1.0, -1.0), repeat=fit.k)), total, True
        return ((fit.y, rows[order]) for order in _distinct_orders(codes.tolist())), total, True
    if rng is None:
        raise MethodError("a random permutation test needs a generator: rng=numpy.random.default_rng(seed)")
    return _random(fit, flips, iterations, rng), iterations, False


def _random(fit: LinearFit, flips: bool, iterations: int, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    yield fit.y, fit.X
    for _ in range(iterations - 1):
        if flips:
            yield fit.y * rng.choice((-1.0, 1.0), fit.k), fit.X
        else:
            yield fit.y, fit.X[rng.permutation(fit.k)]


def permutation_test(
    fit: LinearFit,
    names: Sequence[str],
    btt: Sequence[int],
    *,
    exact: bool = False,
    iterations: int = 1000,
    rng: np.random.Generator | None = None,
) -> Permutation:
    """The permutation test of a linear model's coefficients.

    All distinct arrangements are used where there are no more than `iterations`, or where `exact` is set; else
    `iterations` of which the first is the observed one, so that no p-value is 0. Two-sided p-values count arrangements
    whose statistic is at least as large in absolute value.
    """
    arrangements, count, whole = _arrangements(fit, exact, iterations, rng)
    z = fit.b / np.sqrt(np.diag(fit.vb))
    index = list(btt)
    qm = omnibus(fit.b[index], fit.vb[np.ix_(index, index)], fit.ddf)[0]
    zs, qms = np.empty((count, fit.p)), np.empty(count)
    for i, (y, X) in enumerate(arrangements):
        other = linear_fit(y, fit.v, X, fit.settings)
        zs[i] = other.b / np.sqrt(np.diag(other.vb))
        qms[i] = omnibus(other.b[index], other.vb[np.ix_(index, index)], other.ddf)[0]
    pval = (np.abs(zs) >= np.abs(z) * (1 - _TIE)).mean(axis=0)
    return Permutation(
        labels=tuple(names),
        estimate=fit.b,
        zval=z,
        pval=pval,
        QM=qm,
        QMp=float((qms >= qm * (1 - _TIE)).mean()),
        iterations=count,
        exact=whole,
        zval_perm=zs,
        QM_perm=qms,
    )
