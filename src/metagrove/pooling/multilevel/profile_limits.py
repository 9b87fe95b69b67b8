"""Profile-likelihood limits of the variances and correlations of a mixed model.

A value lies within the limits where the likelihood, maximised over everything else, is lower than its maximum by no
more than half a chi-squared quantile. Hardy RJ, Thompson SG. Stat Med 1996;15:619-29.
doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A. Case: `mv_konstantopoulos2011`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import special

from metagrove.core.errors import ConvergenceError
from metagrove.core.values import Array
from metagrove.pooling.multilevel.fit import MixedFit
from metagrove.pooling.multilevel.marginal_likelihood import Component, Marginal, climb
from metagrove.pooling.multilevel.structures import STRUCTURES, angles_of
from metagrove.pooling.regression.coefficients import Intervals
from metagrove.pooling.roots import bracketed_root

__all__ = ["profile_intervals", "profile_limits", "profile_values"]

_NAN = float("nan")


class _Profile:
    """The profile likelihood of parameter `j`, less its level; remembers the nearest maxima as starting points."""

    __slots__ = ("fit", "floor", "j", "known")

    def __init__(self, fit: MixedFit, j: int, level: float) -> None:
        self.fit, self.j = fit, j
        self.floor = fit.at.ll - 0.5 * float(special.chdtri(1, 1 - level))
        self.known: dict[float, Array] = {float(fit.theta[j]): fit.theta}

    def __call__(self, x: float) -> float:
        lower, upper = self.fit.lower.copy(), self.fit.upper.copy()
        lower[self.j] = upper[self.j] = x
        nearest = min(self.known, key=lambda at: abs(at - x))
        start = self.known[nearest].copy()
        start[self.j] = x
        inside = (start <= lower) & (lower < upper)  # a variance that stood at its bound may be wanted now
        start[inside] = np.where(
            np.isfinite(upper[inside]), 0.9 * lower[inside] + 0.1 * upper[inside], lower[inside] + 1e-3
        )
        at = climb(self.fit.like, start, (lower, upper), close=1e-11)
        assert at is not None
        self.known[x] = at.theta
        return at.at.ll - self.floor


def _lower(above: Callable[[float], float], at: float, bound: float) -> float:
    if at <= bound or above(bound) >= 0:
        return bound
    return bracketed_root(above, bound, at, close=1e-9)


def _upper(above: Callable[[float], float], at: float, bound: float, step: float) -> float:
    """The upper limit; NaN where the likelihood never falls far enough."""
    if np.isfinite(bound):
        return bound if at >= bound or above(bound) >= 0 else bracketed_root(above, at, bound, close=1e-9)
    inside = at
    for _ in range(60):
        outside = inside + step
        if above(outside) < 0:
            return bracketed_root(above, inside, outside, close=1e-9)
        inside, step = outside, 2 * step
    return _NAN


def profile_limits(fit: MixedFit, j: int, *, level: float = 0.95) -> tuple[float, float]:
    """Limits of parameter `j`, on its own scale; NaN where one cannot be reached."""
    above = _Profile(fit, j, level)
    at, low, high = float(fit.theta[j]), float(fit.lower[j]), float(fit.upper[j])
    spread = 1 / np.sqrt(max(float(fit.at.information[j, j]), 1e-300))
    step = float(np.clip(2 * spread, 1e-3 * max(at, 1e-8), 1e3 * max(abs(at), float(np.diag(fit.like.V).max()))))
    try:
        lower = _lower(above, at, low)
    except ConvergenceError:
        lower = _NAN
    try:
        return lower, _upper(above, at, high, step)
    except ConvergenceError:
        return lower, _NAN


def profile_values(fit: MixedFit, j: int, grid: Array) -> Array:
    """The log-likelihood maximised over all else at each value of parameter `j`; NaN where no maximum is found."""
    above = _Profile(fit, j, 0.95)
    found = np.full(grid.shape, _NAN)
    order = np.argsort(np.abs(grid - float(fit.theta[j])), kind="stable")
    for i in order:  # outwards from the maximum, so that each start is near
        try:
            found[i] = above(float(grid[i])) + above.floor
        except ConvergenceError:
            continue
    return found


def _reordered(fit: MixedFit, c: int, first: tuple[int, int]) -> MixedFit:
    """The same unstructured model with two inner levels put first, so that one angle alone is their correlation."""
    component = fit.like.components[c]
    order = [*first, *(i for i in range(component.J) if i not in first)]
    G = component.G(fit.parameters_of(c))
    sd = np.sqrt(np.diag(G))
    corr = G / np.outer(sd, sd)
    moved = replace(component, Z=component.Z[:, order], levels=tuple(component.levels[i] for i in order))
    theta = fit.theta.copy()
    theta[fit.like.cuts[c]] = np.concatenate([sd[order], angles_of(corr[np.ix_(order, order)])])
    parts = [moved if i == c else other for i, other in enumerate(fit.like.components)]
    like = Marginal(fit.like.y, fit.like.V, fit.like.X, parts, restricted=fit.like.restricted)
    at = like(theta)
    return replace(fit, like=like, theta=theta, at=at if at is not None else fit.at)


Row = tuple[str, float, float, float]


def _variance_rows(fit: MixedFit, j: int, name: str, level: float, squared: bool) -> list[Row]:
    low, high = profile_limits(fit, j, level=level)
    at = float(fit.theta[j])
    values = [x * x if squared else x for x in (at, low, high)]
    roots = [float(np.sqrt(x)) for x in values]
    root = name.replace("sigma2", "sigma").replace("tau2", "tau").replace("gamma2", "gamma")
    return [(name, *values), (root, *roots)]  # type: ignore[list-item]


def _component_rows(fit: MixedFit, c: int, names: tuple[str, str], level: float) -> list[Row]:
    component: Component = fit.like.components[c]
    kinds = component.structure.box(component.J).kinds
    first = fit.like.cuts[c].start
    variances = [i for i, kind in enumerate(kinds) if kind in ("variance", "sd")]
    rows: list[Row] = []
    for number, i in enumerate(variances, 1):
        if fit.lower[first + i] < fit.upper[first + i]:
            label = f"{names[0]}.{number}" if len(variances) > 1 else names[0]
            rows += _variance_rows(fit, first + i, label, level, kinds[i] == "sd")
    others = [i for i, kind in enumerate(kinds) if kind == "rho"]
    for i in others:
        if fit.lower[first + i] < fit.upper[first + i]:
            rows.append((names[1], float(fit.theta[first + i]), *profile_limits(fit, first + i, level=level)))
    if component.structure is STRUCTURES["UN"] and fit.lower[first + component.J] < fit.upper[first + component.J]:
        rows += _pair_rows(fit, c, names[1], level)
    return rows if component.distances is None else _open_ended(rows, float(fit.upper[first + 1]), names[1])


def _open_ended(rows: list[Row], bound: float, name: str) -> list[Row]:
    """The rows of a spatial structure: a range that reaches its bound has no upper limit, and then no variance has one."""
    ends = [high for label, _, _, high in rows if label == name]
    if not ends or not ends[0] > 0.999 * bound:
        return rows
    return [(label, at, low, _NAN) for label, at, low, _ in rows]


def _pair_rows(fit: MixedFit, c: int, name: str, level: float) -> list[Row]:
    J = fit.like.components[c].J
    pairs = [(a, b) for a in range(J) for b in range(a + 1, J)]
    rows: list[Row] = []
    for a, b in pairs:
        label = name if J == 2 else f"{name}.{b + 1}{a + 1}"
        try:
            turned = fit if J == 2 else _reordered(fit, c, (a, b))
        except np.linalg.LinAlgError:
            corr = fit.like.components[c].structure.parts(fit.parameters_of(c), J).rho
            rows.append((label, float(corr[pairs.index((a, b))]), _NAN, _NAN))
            continue
        j = turned.like.cuts[c].start + J
        low, high = profile_limits(turned, j, level=level)
        rows.append((label, float(np.sin(turned.theta[j])), float(np.sin(low)), float(np.sin(high))))
    return rows


def profile_intervals(fit: MixedFit, *, level: float = 0.95) -> Intervals:
    """Profile-likelihood limits of every variance (and its root) and every correlation that was estimated."""
    rows: list[Row] = []
    for c in range(len(fit.plain)):
        label = f"sigma2.{c + 1}" if len(fit.plain) > 1 else "sigma2"
        j = fit.like.cuts[c].start
        if fit.lower[j] < fit.upper[j]:
            rows += _variance_rows(fit, j, label, level, False)
    for c, names in zip(
        range(len(fit.plain), len(fit.like.components)), (("tau2", "rho"), ("gamma2", "phi")), strict=False
    ):
        rows += _component_rows(fit, c, names, level)
    table = np.array([row[1:] for row in rows], dtype=float).reshape(-1, 3)
    return Intervals(tuple(row[0] for row in rows), table[:, 0], table[:, 1], table[:, 2], "PL")
