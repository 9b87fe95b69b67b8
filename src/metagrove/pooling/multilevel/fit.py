"""Multilevel and multivariate models: several effects per study, with known sampling covariance and random effects.

Konstantopoulos S. Res Synth Methods 2011;2:61-76. doi:10.1002/jrsm.35. Berkey CS, et al. Stat Med 1998;17:2537-2550.
doi:10.1002/(SICI)1097-0258(19981130)17:22<2537::AID-SIM953>3.0.CO;2-C.
Cases: `mv_konstantopoulos2011`, `mv_berkey1998`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import ConvergenceError, DataError, MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.pooling.multilevel.marginal_likelihood import Climb, Component, Evaluation, Marginal, climb
from metagrove.pooling.regression.design import Design, check_rank
from metagrove.pooling.regression.linear_model import EQUAL_EFFECTS

__all__ = ["Fixed", "MixedFit", "containment", "maximum", "mixed_fit", "refitted"]


#: How many points off an edge are climbed from.
_TRIED = 3


@dataclass(frozen=True, slots=True)
class Fixed:
    """Variances and correlations held at given values; None leaves one free. Empty tuples leave all free."""

    sigma2: tuple[float | None, ...] = ()
    tau2: tuple[float | None, ...] = ()
    rho: tuple[float | None, ...] = ()
    gamma2: tuple[float | None, ...] = ()
    phi: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MixedFit:
    """A fitted mixed model.

    Parameters
    ----------
    like : its likelihood, with the data.
    plain, inner : components without and with an inner factor.
    lower, upper : the box of the parameters, shape (n,); equal where one is held fixed.
    theta : parameters at the maximum.
    at : the likelihood there.
    method : "REML" or "ML" (equal effects are fitted with method "EE": no random effects).
    weights : the user's weight matrix (k, k), None for the inverse of the marginal covariance.
    """

    like: Marginal
    plain: tuple[Component, ...]
    inner: tuple[Component, ...]
    lower: Array
    upper: Array
    theta: Array
    at: Evaluation
    method: str
    weights: Array | None = None

    @property
    def b(self) -> Array:
        """Coefficients, shape (p,)."""
        return self.at.b

    @property
    def vb(self) -> Array:
        """Covariance of the coefficients, shape (p, p)."""
        return self.at.vb

    @property
    def free(self) -> int:
        """Number of estimated variance parameters."""
        return int((self.lower < self.upper).sum())

    @property
    def M(self) -> Array:
        """Marginal covariance, shape (k, k)."""
        return self.like.covariance(self.theta)

    def parameters_of(self, component: int) -> Array:
        """The parameters of one component (plain ones first)."""
        return self.theta[self.like.cuts[component]]


def _held(values: Sequence[float | None], n: int, name: str) -> list[float | None]:
    if not values:
        return [None] * n
    if len(values) == 1 and n > 1:
        values = [values[0]] * n
    if len(values) != n:
        raise DataError(f"{name} has {len(values)} values; the model has {n}")
    return [None if v is None or v != v else float(v) for v in values]


def _box(like: Marginal, plain: int, fixed: Fixed) -> tuple[Array, Array]:
    """The parameters' bounds with the fixed ones closed in."""
    lower, upper = like.lower.copy(), like.upper.copy()
    for c, value in enumerate(_held(fixed.sigma2, plain, "sigma2")):
        if value is not None:
            lower[like.cuts[c]] = upper[like.cuts[c]] = value
    given = ((fixed.tau2, fixed.rho), (fixed.gamma2, fixed.phi))
    for c, (variances, correlations) in zip(range(plain, len(like.components)), given, strict=False):
        _close_in(like, c, variances, correlations, (lower, upper))
    return lower, upper


def _close_in(
    like: Marginal,
    c: int,
    variances: Sequence[float | None],
    correlations: Sequence[float | None],
    box: tuple[Array, Array],
) -> None:
    """Close the box of component c around the values it is to hold."""
    component = like.components[c]
    kinds = component.structure.box(component.J).kinds
    first = like.cuts[c].start
    scales = [i for i, kind in enumerate(kinds) if kind in ("variance", "sd")]
    others = [i for i, kind in enumerate(kinds) if kind in ("rho", "angle")]
    if "angle" in kinds and len(others) > 1 and any(value is not None for value in correlations):
        raise MethodError("correlations of an unstructured matrix of more than two levels cannot be held fixed")
    for spots, values, name in ((scales, variances, "tau2"), (others, correlations, "rho")):
        for i, value in zip(spots, _held(values, len(spots), name), strict=True):
            if value is not None:
                if not (-1 <= value <= 1 if name == "rho" else value >= 0):
                    raise DataError(f"{name} is held at {value:g}; {'a correlation' if name == 'rho' else 'a variance'} "
                                    f"is {'between -1 and 1' if name == 'rho' else '0 or above'}")  # fmt: skip
                at = (
                    float(np.sqrt(value))
                    if kinds[i] == "sd"
                    else float(np.arcsin(value))
                    if kinds[i] == "angle"
                    else value
                )
                box[0][first + i] = box[1][first + i] = at


def _starts(like: Marginal) -> list[Array]:
    """Starting points: the surplus variance shared evenly or given mostly to one component, correlations varied."""
    y, X = like.y, like.X
    resid = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    crude = float(resid @ resid) / max(1, y.size - X.shape[1])
    typical = float(np.median(np.diag(like.V)))
    total = max(crude - float(np.mean(np.diag(like.V))), 0.2 * crude, 0.05 * typical)
    n = len(like.components)
    shares = [np.full(n, 1 / n)]
    if n > 1:
        shares += [np.where(np.arange(n) == c, 0.9, 0.1 / (n - 1)) for c in range(min(n, 4))]
    correlated = any(c.J > 1 for c in like.components)
    starts: list[Array] = []
    for share, rho in product(shares, (0.5, 0.0, -0.4) if correlated else (0.5,)):
        parts = [c.structure.start(total * s, c.J, rho) for c, s in zip(like.components, share, strict=True)]
        starts.append(np.concatenate(parts))
    for component, cut in zip(like.components, like.cuts, strict=True):
        kinds = component.structure.box(component.J).kinds
        spread = [i for i, kind in enumerate(kinds) if kind == "sd"] if kinds.count("angle") <= 1 else []
        for i in spread if len(spread) <= 4 else ():  # unequal variances: each in turn the small one
            lopsided = starts[0].copy()
            lopsided[cut.start + i] *= 0.2
            starts.append(lopsided)
    return _over_ranges(like, starts)


def _over_ranges(like: Marginal, starts: list[Array]) -> list[Array]:
    """The starts and, where correlations fall with distance, others at ranges of every scale that the distances have.

    A start whose range is far from the one that the data tell can lead to a lower peak; of many ranges those are taken
    at which the likelihood is higher than at the ranges next to them.
    """
    more: list[Array] = []
    for c, component in enumerate(like.components):
        if component.distances is None:
            continue
        apart, place = component.distances[component.distances > 0], like.cuts[c].start + 1
        grid = np.geomspace(0.3 * apart.min(), 3 * apart.max(), 24)
        for base in starts[:: max(1, len(starts) // 3)]:
            rows = np.tile(np.clip(base, like.lower, like.upper), (grid.size, 1))
            rows[:, place] = grid
            ll = np.array([-np.inf if (at := like(row)) is None else at.ll for row in rows])
            padded = np.concatenate([[-np.inf], ll, [-np.inf]])
            peaks = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:]) & np.isfinite(ll))
            more += [rows[i] for i in peaks[np.argsort(-ll[peaks])][:3]]
    return [*more, *starts]


def maximum(like: Marginal, starts: Sequence[Array], lower: Array, upper: Array) -> Climb:
    """The highest of the maxima reached from `starts`; ConvergenceError if none was."""
    best: Climb | None = None
    failure: ConvergenceError | None = None
    for start in starts:
        try:
            found = climb(like, start, (lower, upper), known=None if best is None else best.theta)
        except ConvergenceError as error:
            failure = error
            continue
        if found is not None and (best is None or found.at.ll > best.at.ll + 1e-9):
            best = found
    if best is None:
        raise failure or ConvergenceError("the likelihood has no maximum")
    return best


def _cornered(component: Component, theta: Array, lower: Array, upper: Array) -> bool:
    """Whether a component with an inner factor stands at the edge of its box: a variance at 0, a correlation at its end."""
    kinds = np.array(component.structure.box(component.J).kinds)
    scales, free = np.isin(kinds, ("sd", "variance")), lower < upper
    low, high = theta <= lower + 1e-6, theta >= upper - 1e-6
    return component.J > 1 and bool((free & np.where(scales, low, low | high)).any())


def _edges(component: Component, theta: Array, lower: Array, upper: Array, typical: float) -> list[Array]:
    """Points all over a component's box: each level's variance small in turn, correlations of either sign."""
    kinds = np.array(component.structure.box(component.J).kinds)
    scales = np.flatnonzero(np.isin(kinds, ("sd", "variance")))
    turning = np.flatnonzero(~np.isin(kinds, ("sd", "variance")))
    variances = np.where(kinds[scales] == "sd", theta[scales] ** 2, theta[scales])
    level = max(float(variances.mean()), 0.1 * typical)
    sizes = [np.full(scales.size, part * level) for part in (0.3, 1.0)]
    if 1 < scales.size <= 4:
        sizes += [np.where(np.arange(scales.size) == j, 0.01, 1.0) * level for j in range(scales.size)]
    turns: list[tuple[float, ...]] = [(t,) * turning.size for t in (-0.95, 0.0, 0.95)]
    if 1 < turning.size <= 3:
        turns = list(product((-0.7, 0.7), repeat=turning.size))
    points = []
    for size, turn in product(sizes, turns if turning.size else [()]):
        point = theta.copy()
        point[scales] = np.where(kinds[scales] == "sd", np.sqrt(size), size)
        ends = np.where(np.array(turn) < 0, -lower[turning], upper[turning])
        point[turning] = np.array(turn) * ends
        points.append(np.clip(point, lower, upper))
    return points


def _ways_out(like: Marginal, theta: Array, box: tuple[Array, Array]) -> list[Array]:
    """Starting points off the edge that a search has run into; none where it ended inside the box.

    A standard deviation has no slope at 0, nor has a correlation where a variance is 0, nor an angle at its end, so an
    edge can hold a search although the likelihood rises away from it; and edges often hold several maxima. Of many
    points those where the likelihood stands highest are returned.
    """
    lower, upper = box
    typical = float(np.median(np.diag(like.V)))
    points = []
    for component, cut in zip(like.components, like.cuts, strict=True):
        if _cornered(component, theta[cut], lower[cut], upper[cut]):
            for piece in _edges(component, theta[cut], lower[cut], upper[cut], typical):
                point = theta.copy()
                point[cut] = piece
                points.append(point)
    heights = [-np.inf if at is None else at.ll for at in map(like, points)]
    best = np.argsort(heights, kind="stable")[::-1][:_TRIED]
    return [points[i] for i in best if np.isfinite(heights[i])]


def _checked_covariance(V: Array, k: int) -> Array:
    if V.shape != (k, k):
        raise DataError(f"V has shape {V.shape}; {k} effects need ({k}, {k})")
    if not np.isfinite(V).all():
        raise DataError("V has missing values")
    if not np.allclose(V, V.T, rtol=1e-8, atol=1e-12):
        raise DataError("V is not symmetric")
    if (np.diag(V) <= 0).any():
        i = int(np.argmax(np.diag(V) <= 0))
        raise DataError(f"the variance of effect {i + 1} is {V[i, i]:g}; variances are above 0")
    return np.asarray(0.5 * (V + V.T))


def _identified(like: Marginal, lower: Array, upper: Array, theta: Array) -> None:
    """Nothing where the free variances can be told apart from one another and from the coefficients."""
    free = np.flatnonzero(lower < upper)
    if free.size == 0:
        return
    info = like.expected_information(theta, restricted=like.restricted)[np.ix_(free, free)]
    before = like.expected_information(theta, restricted=False)[free, free]
    scale = np.sqrt(np.maximum(np.diag(info), 1e-300))
    used_up = np.diag(info) <= 1e-10 * before
    if used_up.any() or np.linalg.eigvalsh(info / np.outer(scale, scale))[0] < 1e-9:
        names = ", ".join(f"'{c.name}'" for c in like.components)
        what = (
            "the variance of the random effects from the coefficients" if used_up.any() else "variances or correlations"
        )
        raise MethodError(
            f"the data cannot tell {what} of {names} apart; simplify the random effects or the moderators"
        )


def mixed_fit(
    y: Array,
    V: Array,
    design: Design,
    *,
    plain: Sequence[Component],
    inner: Sequence[Component],
    method: str = "REML",
    fixed: Fixed | None = None,
) -> MixedFit:
    """The mixed model of effects `y` (k,) with sampling covariance `V` (k, k) on a design, by REML or ML.

    Raises
    ------
    DataError where V is not a covariance matrix; MethodError where there are too few effects or where the data cannot
    tell components apart; ConvergenceError.
    """
    if method in EQUAL_EFFECTS:
        plain, inner, method = (), (), "EE"
    elif method not in ("REML", "ML"):
        raise UnknownName("method of a multilevel model", method, ("REML", "ML", "EE"))
    k = y.size
    V = _checked_covariance(V, k)
    if k <= design.p:
        raise MethodError(
            f"{k} effects cannot carry {design.p} coefficients; the model needs more effects than coefficients"
        )
    check_rank(design.X, design.names)
    like = Marginal(y, V, design.X, [*plain, *inner], restricted=method == "REML")
    lower, upper = _box(like, len(plain), fixed or Fixed())
    if like.lower.size == 0:
        at = like(np.empty(0))
        if at is None:
            raise DataError("V is not positive definite")
        return MixedFit(like, (), (), lower, upper, np.empty(0), at, method)
    if int((lower < upper).sum()) >= k - (design.p if method == "REML" else 0):
        raise MethodError(
            f"{k} effects cannot carry {int((lower < upper).sum())} variance parameters and {design.p} coefficients"
        )
    _identified(like, lower, upper, np.clip(_starts(like)[0], lower, upper))
    return _highest(like, tuple(plain), tuple(inner), (lower, upper), method)


def _highest(
    like: Marginal, plain: tuple[Component, ...], inner: tuple[Component, ...], box: tuple[Array, Array], method: str
) -> MixedFit:
    """The model at the highest point of its likelihood within the box."""
    best = maximum(like, _starts(like), *box)
    further = _ways_out(like, best.theta, box)
    best = maximum(like, [best.theta, *further], *box) if further else best
    return MixedFit(like, plain, inner, *box, best.theta, best.at, method)


def refitted(fit: MixedFit, method: str) -> MixedFit:
    """The same model and held parameters by "REML" or "ML", weighted by the inverse of the marginal covariance."""
    if method not in ("REML", "ML"):
        raise UnknownName("method to refit a multilevel model by", method, ("REML", "ML"))
    old = fit.like
    like = Marginal(old.y, old.V, old.X, old.components, restricted=method == "REML")
    if not like.lower.size:
        raise MethodError("the model has no variance parameters to refit")
    return _highest(like, fit.plain, fit.inner, (fit.lower, fit.upper), method)


def containment(X: Array, groups: Sequence[NDArray[np.intp]]) -> Array:
    """Degrees of freedom of each coefficient by containment, shape (p,).

    A column that is constant within the levels of a grouping is contained in it and has that grouping's number of
    levels less p; the smallest counts, k - p where no grouping contains the column.
    Pinheiro JC, Bates DM. Mixed-Effects Models in S and S-PLUS. 2000, section 2.4.2. doi:10.1007/b98882
    """
    k, p = X.shape
    found = np.full(p, float(k - p))
    for codes in groups:
        levels = np.unique(codes)
        for j in range(p):
            if all(np.ptp(X[codes == level, j]) == 0 for level in levels):
                found[j] = min(found[j], float(levels.size - p))
    return found


def groupings(fit: MixedFit) -> Mapping[str, NDArray[np.intp]]:
    """The outer level of each effect, by component."""
    return {c.name: c.outer for c in (*fit.plain, *fit.inner)}
