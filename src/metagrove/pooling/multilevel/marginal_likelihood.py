"""The marginal likelihood of effects with known sampling covariance V and random effects: M = V + sum of components.

A component is (Z G(theta) Z') ∘ S with S telling which effects share it. Effects that depend on one another form
blocks; everything is computed block by block, blocks of one size together. The gradient follows Harville DA. J Am Stat
Assoc 1977;72:320-338. doi:10.1080/01621459.1977.10480998, the average information, which needs no product of matrices,
Gilmour AR, Thompson R, Cullis BR. Biometrics 1995;51:1440-1450. doi:10.2307/2533274.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import ConvergenceError
from metagrove.core.values import Array
from metagrove.pooling.multilevel.structures import Structure

__all__ = ["Climb", "Component", "Evaluation", "Marginal", "climb"]

_STEP = 1e-30
_STEPS = 150


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """Random effects of one kind.

    Parameters
    ----------
    name : the grouping, as in "district/school".
    Z : shape (k, J), which inner level (or slope) each effect has.
    structure : how G follows from its parameters.
    times : shape (J,), the inner levels' positions.
    levels : the inner levels' names.
    outer : the outer level's index of each effect, shape (k,).
    groups : the outer levels' names.
    known : the outer levels' known correlation, shape (levels, levels), or None for independent levels.
    distances : of a spatial structure, how far the inner levels are apart, shape (J, J).
    """

    name: str
    Z: Array
    structure: Structure
    times: Array
    levels: tuple[str, ...]
    outer: NDArray[np.intp]
    groups: tuple[str, ...]
    known: Array | None = None
    distances: Array | None = None

    def shared(self, rows: NDArray[np.intp], others: NDArray[np.intp]) -> Array:
        """S between effects: 1 where two share the outer level, or the levels' known correlation; broadcasts."""
        one, two = self.outer[rows], self.outer[others]
        if self.known is not None:
            return np.asarray(self.known[one, two])
        return np.asarray(one == two, dtype=float)

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
    """The likelihood at one point: value, gradient (n,), average information (n, n), coefficients and covariance.

    `least` (n,) is what each parameter's expected information is at least.
    """

    ll: float
    gradient: Array
    information: Array
    b: Array
    vb: Array
    least: Array


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
        number = self._connected()
        blocks: dict[int, list[NDArray[np.intp]]] = {}
        order = np.argsort(number, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
            blocks.setdefault(rows.size, []).append(rows)
        return [self._batch(np.array(rows)) for _, rows in sorted(blocks.items())]

    def _connected(self) -> NDArray[np.intp]:
        """A number for each effect, the same for effects that depend on one another, directly or through others."""
        one, two = np.nonzero(np.triu(self.V, 1))
        pairs = [(one, two)]
        for c in self.components:
            if c.known is not None:
                a, b = np.nonzero(np.triu(c.known[np.ix_(c.outer, c.outer)], 1))
                pairs.append((a, b))
        number = np.arange(self.y.size)
        while True:
            before = number.copy()
            for c in self.components:
                least = np.full(int(c.outer.max()) + 1, number.size)
                np.minimum.at(least, c.outer, number)
                number = least[c.outer]
            for a, b in pairs:
                np.minimum.at(number, a, number[b])
                np.minimum.at(number, b, number[a])
            if np.array_equal(before, number):
                return number

    def _batch(self, rows: NDArray[np.intp]) -> _Batch:
        pairs = rows[:, :, None], rows[:, None, :]
        Z = tuple(c.Z[rows] for c in self.components)
        S = tuple(c.shared(*pairs) for c in self.components)
        return _Batch(rows, self.V[pairs], self.y[rows], self.X[rows], Z, S)

    def covariance(self, theta: Array) -> Array:
        """M, shape (k, k)."""
        M = self.V.copy()
        everyone = np.arange(self.y.size)
        for c, cut in zip(self.components, self.cuts, strict=True):
            M += _spread(c.Z, c.G(theta[cut]), c.shared(everyone[:, None], everyone[None, :]))
        return M

    def _slopes(self, theta: Array) -> list[tuple[int, Array]]:
        """For each parameter its component's number and the derivative of that component's G."""
        pairs = zip(self.components, self.cuts, strict=True)
        return [(i, g) for i, (c, cut) in enumerate(pairs) for g in c.slopes(theta[cut])]

    def _inverses(self, theta: Array) -> tuple[list[Array], float] | None:
        """The inverse of M block by block and the log-determinant of M; None where M is not positive definite."""
        G = [c.G(theta[cut]) for c, cut in zip(self.components, self.cuts, strict=True)]
        inverses: list[Array] = []
        logdet = 0.0
        for batch in self.batches:
            M = batch.V.copy()
            for g, z, s in zip(G, batch.Z, batch.S, strict=True):
                M += _spread(z, g, s)
            try:
                L = np.linalg.cholesky(M)
                inverses.append(np.asarray(np.linalg.inv(M), dtype=float))
            except np.linalg.LinAlgError:
                return None
            logdet += 2 * float(np.log(np.diagonal(L, axis1=1, axis2=2)).sum())
        return inverses, logdet

    def __call__(self, theta: Array) -> Evaluation | None:
        """Value and derivatives at `theta`; None where M is not positive definite."""
        found = self._inverses(theta)
        if found is None:
            return None
        inverses, logdet = found
        k, p = self.X.shape
        n = theta.size
        WX = [W @ batch.X for W, batch in zip(inverses, self.batches, strict=True)]
        xwx = sum((np.einsum("bij,bik->jk", b.X, wx) for b, wx in zip(self.batches, WX, strict=True)), np.zeros((p, p)))
        xwy = sum((np.einsum("bij,bi->j", wx, b.y) for b, wx in zip(self.batches, WX, strict=True)), np.zeros(p))
        try:
            vb = np.asarray(np.linalg.inv(xwx), dtype=float)
        except np.linalg.LinAlgError:
            return None
        b = vb @ xwy
        slopes = self._slopes(theta)
        rss, gradient, average, projected = 0.0, np.zeros(n), np.zeros((n, n)), np.zeros((n, p))
        traces = np.zeros(n)
        for batch, W, wx in zip(self.batches, inverses, WX, strict=True):
            r = batch.y - batch.X @ b
            Wr = np.einsum("bij,bj->bi", W, r)
            rss += float((r * Wr).sum())
            q = np.empty((n, *r.shape))
            for j, (c, g) in enumerate(slopes):
                D = _spread(batch.Z[c], g, batch.S[c])
                q[j] = np.einsum("bij,bj->bi", D, Wr)
                traces[j] += float(np.vdot(W, D)) - (float(np.vdot(wx @ vb, D @ wx)) if self.restricted else 0.0)
                gradient[j] += 0.5 * float((Wr * q[j]).sum())
            projected += np.einsum("bip,jbi->jp", wx, q)
            average += 0.5 * np.einsum("jbi,hbi->jh", q, np.einsum("bil,hbl->hbi", W, q))
        gradient -= 0.5 * traces
        average -= 0.5 * projected @ vb @ projected.T
        ll = -0.5 * (k * float(np.log(2 * np.pi)) + logdet + rss)
        if self.restricted:
            ll += 0.5 * (p * float(np.log(2 * np.pi)) + self.logdet_x - float(np.linalg.slogdet(xwx)[1]))
        # tr(PDPD) >= tr(PD)^2 / rank by the Cauchy-Schwarz inequality
        return Evaluation(ll, gradient, average, b, vb, traces**2 / (2 * k))

    def expected_information(self, theta: Array, *, restricted: bool) -> Array:
        """Half tr(P D_i P D_j), shape (n, n), with P the inverse of M where not `restricted`."""
        found = self._inverses(theta)
        n, p = theta.size, self.X.shape[1]
        information, inner, xwx = np.zeros((n, n)), np.zeros((n, p, p)), np.zeros((p, p))
        crossed = np.zeros((n, n, p, p))
        for batch, W in zip(self.batches, found[0] if found else [], strict=bool(found)):
            D = np.array([_spread(batch.Z[c], g, batch.S[c]) for c, g in self._slopes(theta)])
            WD, WX = W[None] @ D, W @ batch.X
            information += 0.5 * np.einsum("jbil,hbli->jh", WD, WD, optimize=True)
            xwx += np.einsum("bip,biq->pq", batch.X, WX)
            DWX = D @ WX[None]
            inner += np.einsum("bip,jbiq->jpq", WX, DWX, optimize=True)
            crossed += np.einsum("jbip,bil,hblq->jhpq", DWX, W, DWX, optimize=True)
        if restricted:
            vb = np.linalg.inv(xwx)
            turned = vb[None] @ inner
            information += 0.5 * np.einsum("jpq,hqp->jh", turned, turned) - np.einsum("jhpq,qp->jh", crossed, vb)
        return information


def _spread(Z: Array, G: Array, S: Array) -> Array:
    """(Z G Z') ∘ S, for one block or a batch of blocks."""
    if G.shape == (1, 1):
        return np.asarray(G[0, 0] * (Z * np.swapaxes(Z, -1, -2)) * S)
    return np.asarray((Z @ G @ np.swapaxes(Z, -1, -2)) * S)


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """A maximum: the parameters, the likelihood there, and the largest Newton decrement left."""

    theta: Array
    at: Evaluation
    decrement: float


def _free(theta: Array, gradient: Array, lower: Array, upper: Array) -> NDArray[np.bool_]:
    stuck = ((theta <= lower) & (gradient <= 0)) | ((theta >= upper) & (gradient >= 0))
    return ~stuck


def _observed(like: Marginal, theta: Array, free: NDArray[np.bool_], lower: Array, upper: Array) -> Array | None:
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
    scale = np.sqrt(np.abs(np.diag(H)))
    if not (scale > 1e-100).all() or not np.isfinite(scale).all():
        return None
    try:
        np.linalg.cholesky(H / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        return None
    return np.linalg.solve(H / np.outer(scale, scale), g / scale) / scale


def climb(
    like: Marginal,
    start: Array,
    box: tuple[Array, Array],
    *,
    close: float = 1e-17,
    known: Array | None = None,
) -> Climb | None:
    """The maximum of a likelihood within a box (lower, upper), from `start`, by projected Newton steps.

    The average information stands for the Hessian, or the observed information where that is slow; each step is
    shortened until the likelihood rises. Ends where the Newton decrement (twice the likelihood still to be gained) is
    below `close` times the likelihood's own size, which bounds its digits; None as soon as the point comes near the
    `known` maximum.
    """
    lower, upper = box
    theta = np.clip(start, lower, upper)
    here = like(theta)
    if here is None:
        raise ConvergenceError("the starting covariance is not positive definite")
    decrement, damping, slow = float("inf"), 0.0, 0
    for _ in range(_STEPS):
        free = _free(theta, here.gradient, lower, upper)
        if not free.any():
            return Climb(theta, here, 0.0)
        if known is not None and (np.abs(theta - known) <= 0.02 * np.abs(known) + 1e-6).all():
            return None
        step = _step(like, theta, here, free, box, damping, slow > 8)
        decrement = float(here.gradient[free] @ step[free])
        rounding = 1 + abs(here.ll)
        if 0 <= decrement < close * rounding:
            return Climb(theta, here, decrement)
        moved, share = _moved(like, theta, here, step, box)
        if moved is None:
            if decrement < 1e-9 * rounding:
                return Climb(theta, here, decrement)
            damping = max(10 * damping, 1e-3)
            if damping > 1e8:
                break
            continue
        damping = damping / 10 if share == 1.0 else max(damping, 1e-3)
        slow += 1
        if decrement < 1e-12 and np.abs(moved[0] - theta).max() <= 1e-12 * max(1.0, np.abs(theta).max()):
            return Climb(*moved, decrement)
        theta, here = moved
    if decrement < 1e-9 * (1 + abs(here.ll)):
        return Climb(theta, here, decrement)
    raise ConvergenceError(f"the likelihood did not settle after {_STEPS} steps; log-likelihood stood at {here.ll:.8f}")


def _step(
    like: Marginal,
    theta: Array,
    here: Evaluation,
    free: NDArray[np.bool_],
    box: tuple[Array, Array],
    damping: float,
    observed: bool,
) -> Array:
    """A step that points uphill, zero for parameters held at a bound."""
    g = here.gradient[free]
    step = None
    if observed:
        H = _observed(like, theta, free, *box)
        step = _newton_step(H, g) if H is not None else None
    if step is None:
        average = here.information[np.ix_(free, free)]
        if (np.diag(average) < 0.1 * here.least[free]).any():  # residuals too small to carry the average information
            average = like.expected_information(theta, restricted=like.restricted)[np.ix_(free, free)]
        diagonal = np.diag(average) + 1e-12 * max(float(np.diag(average).max()), 1e-300)
        step = _newton_step(average + np.diag((1e-9 + damping) * diagonal), g)
    if step is None:
        step = g / (here.least[free] + np.diag(here.information)[free] + 1e-300)
    full = np.zeros_like(theta)
    full[free] = step
    return full


def _moved(
    like: Marginal, theta: Array, here: Evaluation, step: Array, box: tuple[Array, Array]
) -> tuple[tuple[Array, Evaluation] | None, float]:
    """The first point along the step, cut to the box, where the likelihood is no lower; and the share of the step."""
    share = 1.0
    while share > 1e-12:
        point = np.clip(theta + share * step, *box)
        there = like(point)
        if there is not None and there.ll >= here.ll - 1e-13 * (1 + abs(here.ll)):
            return (point, there), share
        share /= 4
    return None, share
