"""The marginal likelihood of effects with known sampling covariance V and random effects: M = V + sum of components.

A component is (Z G(theta) Z') ∘ S with S telling which effects share it. Effects that depend on one another form
blocks; everything is computed block by block, blocks of one size together. Gradient and expected information follow
Harville DA. J Am Stat Assoc 1977;72:320-338. doi:10.1080/01621459.1977.10480998.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import ConvergenceError
from metagrove.core.values import Array
from metagrove.pooling.structures import Structure

__all__ = ["Climb", "Component", "Evaluation", "Marginal", "climb"]

_STEP = 1e-30


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """Random effects of one kind.

    Parameters
    ----------
    name : the grouping, as in "district/school".
    Z : shape (k, J), which inner level (or slope) each effect has.
    S : shape (k, k), 1 where two effects share the outer level (or the levels' known correlation).
    structure : how G follows from its parameters.
    times : shape (J,), the inner levels' positions.
    levels : the inner levels' names.
    outer : the outer level's index of each effect, shape (k,).
    groups : the outer levels' names.
    """

    name: str
    Z: Array
    S: Array
    structure: Structure
    times: Array
    levels: tuple[str, ...]
    outer: NDArray[np.intp]
    groups: tuple[str, ...]

    @property
    def J(self) -> int:
        """Number of inner levels."""
        return int(self.Z.shape[1])

    def G(self, theta: Array) -> Array:
        """The covariance of the inner levels, shape (J, J)."""
        return self.structure.matrix(theta.astype(complex), self.times).real

    def slopes(self, theta: Array) -> list[Array]:
        """Derivative of G by each parameter."""
        found = []
        for j in range(theta.size):
            moved = theta.astype(complex)
            moved[j] += 1j * _STEP
            found.append(self.structure.matrix(moved, self.times).imag / _STEP)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Blocks of one size m: rows (n, m), and V, y, X, each component's Z and S cut to them."""

    rows: NDArray[np.intp]
    V: Array
    y: Array
    X: Array
    Z: tuple[Array, ...]
    S: tuple[Array, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The likelihood at one point: value, gradient (n,), expected information (n, n), coefficients and covariance."""

    ll: float
    gradient: Array
    information: Array
    b: Array
    vb: Array


class Marginal:
    """The marginal likelihood of one data set under one set of components."""

    __slots__ = ("V", "X", "batches", "components", "cuts", "logdet_x", "lower", "restricted", "upper", "y")

    def __init__(self, y: Array, V: Array, X: Array, components: Sequence[Component], *, restricted: bool) -> None:
        self.y, self.V, self.X, self.restricted = y, V, X, restricted
        self.components = tuple(components)
        boxes = [c.structure.box(c.J) for c in self.components]
        self.lower = np.concatenate([box.lower for box in boxes]) if boxes else np.empty(0)
        self.upper = np.concatenate([box.upper for box in boxes]) if boxes else np.empty(0)
        sizes = [box.lower.size for box in boxes]
        ends = np.cumsum([0, *sizes])
        self.cuts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.logdet_x = float(np.linalg.slogdet(X.T @ X)[1])
        self.batches = self._batches()

    def _batches(self) -> list[_Batch]:
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import connected_components

        linked = self.V != 0
        for c in self.components:
            linked = linked | (c.S != 0)
        number = connected_components(csr_matrix(linked), directed=False)[1]
        blocks: dict[int, list[NDArray[np.intp]]] = {}
        order = np.argsort(number, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
            blocks.setdefault(rows.size, []).append(rows)
        return [self._batch(np.array(rows)) for _, rows in sorted(blocks.items())]

    def _batch(self, rows: NDArray[np.intp]) -> _Batch:
        pairs = rows[:, :, None], rows[:, None, :]
        Z = tuple(c.Z[rows] for c in self.components)
        S = tuple(c.S[pairs] for c in self.components)
        return _Batch(rows, self.V[pairs], self.y[rows], self.X[rows], Z, S)

    def covariance(self, theta: Array) -> Array:
        """M, shape (k, k)."""
        M = self.V.copy()
        for c, cut in zip(self.components, self.cuts, strict=True):
            M += (c.Z @ c.G(theta[cut]) @ c.Z.T) * c.S
        return M

    def __call__(self, theta: Array) -> Evaluation | None:
        """Value and derivatives at `theta`; None where M is not positive definite."""
        p, n = self.X.shape[1], theta.size
        G = [c.G(theta[cut]) for c, cut in zip(self.components, self.cuts, strict=True)]
        dG = [c.slopes(theta[cut]) for c, cut in zip(self.components, self.cuts, strict=True)]
        xwx, xwy, ywy, logdet = np.zeros((p, p)), np.zeros(p), 0.0, 0.0
        kept = []
        for batch in self.batches:
            M = batch.V.copy()
            for g, z, s in zip(G, batch.Z, batch.S, strict=True):
                M += (z @ g @ z.transpose(0, 2, 1)) * s
            try:
                L = np.linalg.cholesky(M)
            except np.linalg.LinAlgError:
                return None
            W = np.linalg.inv(M)
            WX, Wy = W @ batch.X, np.einsum("bij,bj->bi", W, batch.y)
            xwx += np.einsum("bij,bik->jk", batch.X, WX)
            xwy += np.einsum("bij,bi->j", batch.X, Wy)
            ywy += float((batch.y * Wy).sum())
            logdet += 2 * float(np.log(np.diagonal(L, axis1=1, axis2=2)).sum())
            kept.append((W, WX, Wy))
        vb = np.asarray(np.linalg.inv(xwx), dtype=float)
        b = vb @ xwy
        gradient, information = np.zeros(n), np.zeros((n, n))
        rss = 0.0
        inner = np.zeros((n, p, p))  # X'W D_j W X
        for batch, (W, WX, Wy) in zip(self.batches, kept, strict=True):
            Wr = Wy - WX @ b
            rss += float(((batch.y - batch.X @ b) * Wr).sum())
            if n == 0:
                continue
            D = self._derivatives(batch, dG)
            WD = W[None] @ D
            gradient += 0.5 * np.einsum("bi,jbil,bl->j", Wr, D, Wr, optimize=True)
            gradient -= 0.5 * np.einsum("jbii->j", WD)
            information += 0.5 * np.einsum("jbil,hbli->jh", WD, WD, optimize=True)
            if self.restricted:
                DWX = D @ WX[None]
                inner += np.einsum("bip,jbiq->jpq", WX, DWX, optimize=True)
                information -= np.einsum("jbip,bil,hblq,qp->jh", DWX, W, DWX, vb, optimize=True)
        k = self.y.size
        ll = -0.5 * (k * float(np.log(2 * np.pi)) + logdet + rss)
        if self.restricted:
            ll += 0.5 * (p * float(np.log(2 * np.pi)) + self.logdet_x - float(np.linalg.slogdet(xwx)[1]))
            turned = vb[None] @ inner
            gradient += 0.5 * np.einsum("jpp->j", turned)
            information += 0.5 * np.einsum("jpq,hqp->jh", turned, turned)
        return Evaluation(ll, gradient, information, b, vb)

    @staticmethod
    def _derivatives(batch: _Batch, dG: list[list[Array]]) -> Array:
        """dM/dtheta_j of the blocks, shape (n parameters, blocks, m, m)."""
        found = []
        for slopes, z, s in zip(dG, batch.Z, batch.S, strict=True):
            found += [(z @ g @ z.transpose(0, 2, 1)) * s for g in slopes]
        return np.array(found)


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """A maximum: the parameters, the likelihood there, and the largest Newton decrement left."""

    theta: Array
    at: Evaluation
    decrement: float


def _free(theta: Array, gradient: Array, lower: Array, upper: Array) -> NDArray[np.bool_]:
    stuck = ((theta <= lower) & (gradient <= 0)) | ((theta >= upper) & (gradient >= 0))
    return ~stuck


def _observed(
    like: Callable[[Array], Evaluation | None], theta: Array, free: NDArray[np.bool_], lower: Array, upper: Array
) -> Array | None:
    """Minus the Hessian over the free parameters, by differences of the gradient; one-sided next to a bound."""
    index = np.flatnonzero(free)
    columns = []
    for j in index:
        h = 1e-5 * max(abs(theta[j]), 1e-3)
        ends, values = [], []
        for step in (h, -h):
            point = theta.copy()
            point[j] = min(max(point[j] + step, lower[j]), upper[j])
            at = like(point)
            if at is None:
                return None
            ends.append(point[j])
            values.append(at.gradient[index])
        columns.append(-(values[0] - values[1]) / (ends[0] - ends[1]))
    H = np.array(columns)
    return np.asarray(0.5 * (H + H.T))


def _newton_step(H: Array, g: Array) -> Array | None:
    scale = np.sqrt(np.abs(np.diag(H)) + 1e-300)
    try:
        np.linalg.cholesky(H / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        return None
    return np.linalg.solve(H / np.outer(scale, scale), g / scale) / scale


def climb(
    like: Callable[[Array], Evaluation | None],
    start: Array,
    lower: Array,
    upper: Array,
    *,
    close: float = 1e-17,
    steps: int = 300,
) -> Climb:
    """The maximum of a likelihood within a box, from `start`, by projected Newton steps.

    Fisher scoring far from the maximum, the observed information near it; each step is shortened until the likelihood
    rises. Ends where the Newton decrement (twice the likelihood still to be gained) is below `close`.
    """
    theta = np.clip(start, lower, upper)
    here = like(theta)
    if here is None:
        raise ConvergenceError("the starting covariance is not positive definite")
    decrement, damping, slow = float("inf"), 0.0, 0
    for _ in range(steps):
        free = _free(theta, here.gradient, lower, upper)
        if not free.any():
            return Climb(theta, here, 0.0)
        g = here.gradient[free]
        fisher = here.information[np.ix_(free, free)]
        step = None
        if decrement < 1e-2 or slow > 8:
            H = _observed(like, theta, free, lower, upper)
            step = _newton_step(H, g) if H is not None else None
        if step is None:
            diagonal = np.diag(fisher) + 1e-12 * max(float(np.diag(fisher).max()), 1e-300)
            step = _newton_step(fisher + np.diag((1e-9 + damping) * diagonal), g)
        if step is None:
            step = g / (np.diag(fisher) + 1e-12)
        decrement = float(g @ step)
        if 0 <= decrement < close:
            return Climb(theta, here, decrement)
        full = np.zeros_like(theta)
        full[free] = step
        share = 1.0
        moved: tuple[Array, Evaluation] | None = None
        while share > 1e-12:
            point = np.clip(theta + share * full, lower, upper)
            there = like(point)
            if there is not None and there.ll >= here.ll - 1e-13 * (1 + abs(here.ll)):
                moved = point, there
                break
            share /= 4
        if moved is None:
            if decrement < 1e-8:
                return Climb(theta, here, decrement)
            damping = max(10 * damping, 1e-3)
            if damping > 1e8:
                break
            continue
        damping = damping / 10 if share == 1.0 else max(damping, 1e-3)
        slow = slow + 1 if moved[1].ll - here.ll < 1e-3 else 0
        if decrement < 1e-12 and np.abs(moved[0] - theta).max() <= 1e-12 * max(1.0, np.abs(theta).max()):
            return Climb(*moved, decrement)
        theta, here = moved
    if decrement < 1e-9:
        return Climb(theta, here, decrement)
    raise ConvergenceError(f"the likelihood did not settle after {steps} steps; log-likelihood stood at {here.ll:.8f}")
