"""Selection models: the effect when significant studies were more likely to be seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr, ndtri

from metagrove.core.errors import ConvergenceError, MethodError
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.descent import lowest_point
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.selection_functions import (
    SELECTION_FUNCTIONS,
    VEVEA_HEDGES,
    SelectionFunction,
    step_function,
)
from metagrove.pooling.bias.selection_likelihood import SelectionLikelihood, p_values, selection_likelihood
from metagrove.pooling.bias.weighted_line import residual_tau2, weighted_line

__all__ = ["SelectionModel", "selection_model"]

HEDGES = (
    "Hedges LV (1992) Modeling publication selection effects in meta-analysis. Statistical Science 7:246-255. "
    "doi:10.1214/ss/1177011364"
)
#: Below these the parameter sits on its bound: it is held there when standard errors are computed.
_TAU2_FLOOR = 1e-4
_DELTA_FLOOR = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class SelectionModel(Result):
    """A selection model under metafor's names.

    `b`, `se`, `zval`, `pval`, `ci_lb`, `ci_ub` have one element per coefficient, the `delta` ones one per parameter of
    the selection function (NaN-free: None where a parameter is fixed or on its bound). `LRT` compares with the model
    without selection, `LRT_tau2` with the selection model without heterogeneity (None under equal effects). `notes`
    says what is unsafe about the fit.
    """

    type: str
    alternative: str
    k: int
    level: float
    coef_names: tuple[str, ...]
    b: Array
    se: Array
    vb: Array
    tau2: float
    se_tau2: float | None
    delta: Array
    se_delta: tuple[float | None, ...]
    delta_null: Array
    ll: float
    ll_unadjusted: float
    LRT: float
    LRTdf: int
    LRTp: float | None
    LRT_tau2: float | None
    steps: tuple[float, ...]
    ptable: tuple[int, ...]
    notes: tuple[str, ...]
    script: Script | None = None

    @property
    def zval(self) -> Array:
        """Wald statistics of the coefficients."""
        return self.b / self.se

    @property
    def pval(self) -> Array:
        """Two-sided p-values of the coefficients."""
        return np.asarray(2 * ndtr(-np.abs(self.zval)), dtype=np.float64)

    @property
    def ci_lb(self) -> Array:
        """Lower confidence limits of the coefficients."""
        return self.b - float(ndtri((1 + self.level) / 2)) * self.se

    @property
    def ci_ub(self) -> Array:
        """Upper confidence limits of the coefficients."""
        return self.b + float(ndtri((1 + self.level) / 2)) * self.se

    @property
    def zval_delta(self) -> tuple[float | None, ...]:
        """Wald statistics of the selection parameters against no selection."""
        triples = zip(self.delta, self.delta_null, self.se_delta, strict=True)
        return tuple(None if se is None else float((d - null) / se) for d, null, se in triples)

    @property
    def pval_delta(self) -> tuple[float | None, ...]:
        """Two-sided p-values of the selection parameters."""
        return tuple(None if z is None else float(2 * ndtr(-abs(z))) for z in self.zval_delta)

    @property
    def LRTp_tau2(self) -> float | None:
        """The p-value of heterogeneity under selection."""
        return None if self.LRT_tau2 is None else float(chdtrc(1, self.LRT_tau2))

    def rows(self) -> list[dict[str, Any]]:
        """One row per coefficient, one for tau² and one per selection parameter."""
        found = [
            {"term": name, "estimate": float(b), "se": float(se), "ci_lb": float(lo), "ci_ub": float(hi)}
            for name, b, se, lo, hi in zip(self.coef_names, self.b, self.se, self.ci_lb, self.ci_ub, strict=True)
        ]
        found.append({"term": "tau2", "estimate": self.tau2, "se": self.se_tau2, "ci_lb": None, "ci_ub": None})
        for i, (d, se) in enumerate(zip(self.delta, self.se_delta, strict=True), 1):
            found.append({"term": f"delta.{i}", "estimate": float(d), "se": se, "ci_lb": None, "ci_ub": None})
        return found

    def summary(self) -> str:
        """Estimates with their standard errors, and the test of selection."""
        lines = [f"Selection model ({self.type}, alternative {self.alternative}), k = {self.k}"]
        for row in self.rows():
            se = "fixed" if row["se"] is None else f"SE {row['se']:.4f}"
            limits = "" if row["ci_lb"] is None else f" [{row['ci_lb']:.4f}; {row['ci_ub']:.4f}]"
            lines.append(f"{row['term']:8s} {row['estimate']:8.4f} ({se}){limits}")
        if self.LRTp is not None:
            lines.append(f"Selection: LRT = {self.LRT:.4f}, df = {self.LRTdf}, p = {self.LRTp:.4f}")
        return "\n".join([*lines, *self.notes])

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        if self.type == "stepfun":
            cuts = ", ".join(f"{step:g}" for step in self.steps)
            return Explanation(
                f"Selective publication was modelled by a step function of the p-value with cut points {cuts}, fitted "
                "by maximum likelihood.",
                (HEDGES, VEVEA_HEDGES),
            )
        entry = SELECTION_FUNCTIONS.entry(self.type)
        return Explanation(
            f"Selective publication was modelled by a {entry.title} function of the p-value, fitted by maximum "
            "likelihood.",
            (HEDGES, entry.cite),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """Which parameters are free: coefficients always, tau² where `heterogeneous`, deltas where `fixed` is NaN."""

    likelihood: SelectionLikelihood
    heterogeneous: bool
    fixed: Array
    tau2_floor: float

    @property
    def free(self) -> NDArray[np.intp]:
        return np.flatnonzero(np.isnan(self.fixed))

    def parts(self, theta: Array) -> tuple[Array, float, Array]:
        p = self.likelihood.X.shape[1]
        delta = self.fixed.copy()
        delta[self.free] = theta[p + self.heterogeneous :]
        return theta[:p], float(theta[p]) if self.heterogeneous else 0.0, delta

    def loss(self, theta: Array) -> tuple[float, Array]:
        """The negative log-likelihood and its gradient."""
        value, by_b, by_tau2, by_delta = self.likelihood.value(*self.parts(theta))
        heterogeneity = [by_tau2] if self.heterogeneous else []
        return -value, -np.concatenate((by_b, heterogeneity, by_delta[self.free]))

    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper bounds of the free parameters."""
        function, p = self.likelihood.function, self.likelihood.X.shape[1]
        low, high = [-np.inf] * p, [np.inf] * p
        if self.heterogeneous:
            low, high = [*low, 0.0], [*high, np.inf]
        low += [function.lower[i] for i in self.free]
        high += [function.upper[i] for i in self.free]
        return np.array(low), np.array(high)

    def best(self, starts: list[Array]) -> tuple[Array, float]:
        """The parameters of the largest log-likelihood found from all starts, and that log-likelihood."""
        found = [self._descended(start) for start in starts]
        usable = [theta for theta in found if np.isfinite(self.loss(theta)[0])]
        if not usable:
            raise ConvergenceError("the selection model has no finite likelihood from any starting point")
        theta = min(usable, key=lambda point: self.loss(point)[0])
        for _ in range(2):
            theta = self._polished(self._descended(theta))
        return theta, -self.loss(theta)[0]

    def _descended(self, start: Array) -> Array:
        return lowest_point(self.loss, start, *self.bounds())[0]

    def interior(self, theta: Array) -> NDArray[np.intp]:
        """Indices of the parameters away from their bounds."""
        p = self.likelihood.X.shape[1]
        inside = np.ones(theta.size, bool)
        if self.heterogeneous:
            inside[p] = theta[p] >= min(self.tau2_floor, float(self.likelihood.v.min()) / 10)
        function = self.likelihood.function
        for j, i in enumerate(self.free, p + self.heterogeneous):
            floor = max(function.lower[i], _DELTA_FLOOR if function.lower[i] > 0 or function.cuts else 1e-7)
            inside[j] = floor < theta[j] < function.upper[i] * (1 - 1e-6)
        return np.flatnonzero(inside)

    def hessian(self, theta: Array, index: NDArray[np.intp]) -> Array:
        """Second derivatives of the loss by the parameters `index`, from differences of its gradient."""
        matrix = np.empty((index.size, index.size))
        for row, i in enumerate(index):
            step = np.zeros(theta.size)
            step[i] = 1e-5 * max(abs(theta[i]), 0.05)
            if self.heterogeneous and i == self.likelihood.X.shape[1]:
                step[i] = min(step[i], 0.5 * theta[i])
            up, down = self.loss(theta + step)[1], self.loss(theta - step)[1]
            matrix[row] = (up - down)[index] / (2 * step[i])
        return (matrix + matrix.T) / 2

    def _polished(self, theta: Array) -> Array:
        """`theta` after Newton steps among the interior parameters, each taken only if it gains."""
        for _ in range(20):
            index = self.interior(theta)
            value, gradient = self.loss(theta)
            try:
                move = np.linalg.solve(self.hessian(theta, index), gradient[index])
            except np.linalg.LinAlgError:
                return theta
            trial = theta.copy()
            trial[index] -= move
            low, high = self.bounds()
            trial = np.minimum(np.maximum(trial, low), high)
            if not self.loss(trial)[0] < value:
                return theta
            theta = trial
        return theta


def selection_model(
    funnel: FunnelData,
    type_: str,
    *,
    X: Array | None = None,
    equal_effects: bool = False,
    alternative: str = "greater",
    steps: tuple[float, ...] = (),
    delta: tuple[float | None, ...] = (),
    prec: str | None = None,
    scaleprec: bool = True,
    level: float = 0.95,
    coef_names: tuple[str, ...] = (),
) -> SelectionModel:
    """The maximum-likelihood fit of a selection model.

    Parameters
    ----------
    type_ : "stepfun" or a key of SELECTION_FUNCTIONS.
    X : design matrix, shape (k, p); an intercept where not given.
    equal_effects : whether tau² is 0 rather than estimated.
    steps : cut points of a step function; for smooth functions at most one, up to which every study is seen.
    delta : parameters of the selection function held fixed; None where one is to be estimated.
    prec : "sei", "vi", "ninv" or "sqrtninv": a measure of imprecision that multiplies delta (Preston et al. 2004).

    Raises MethodError where there are fewer studies than parameters or the cut points leave nothing to compare.

    References
    ----------
    Hedges LV (1992) Statistical Science 7:246-255. doi:10.1214/ss/1177011364
    Vevea JL, Hedges LV (1995) Psychometrika 60:419-435. doi:10.1007/BF02294384
    """
    function, threshold = _function(type_, steps)
    unit = float(np.median(funnel.se))  # fitted in this unit, so that the outcome's own does not matter
    scaled = replace(funnel, y=funnel.y / unit, v=funnel.v / unit**2)
    design = np.ones((funnel.k, 1)) if X is None else X
    fixed = _fixed(function, delta, type_)
    likelihood = selection_likelihood(
        scaled.y,
        scaled.v,
        design,
        function,
        alternative=alternative,
        threshold=threshold,
        prec=None if prec is None else _precision(funnel, prec, scaled=scaleprec),
    )
    _enough(funnel.k, design.shape[1] + (not equal_effects) + int(np.isnan(fixed).sum()))
    cuts = function.cuts or (() if threshold is None else (threshold, 1.0))
    table = _table(likelihood, cuts, funnel, alternative)
    notes = _sparse(table, cuts, fixed, threshold)
    b, tau2, ll_plain = _unadjusted(scaled, design, equal_effects=equal_effects)
    floor = _TAU2_FLOOR / unit**2
    search = _Search(likelihood, not equal_effects, fixed, floor)
    theta, ll = search.best(_starts(search, b, tau2))
    without = None
    if not equal_effects:
        b0, _, _ = _unadjusted(scaled, design, equal_effects=True)
        bare = _Search(likelihood, False, fixed, floor)
        starts = [*_starts(bare, b0, 0.0), np.delete(theta, design.shape[1])]
        without = max(0.0, 2 * (ll - bare.best(starts)[1]))
    free = int(np.isnan(fixed).sum())
    lrt = 2 * (ll - ll_plain)
    cov, on_bound = _covariance(search, theta)
    p = design.shape[1]
    b, tau2, deltas = search.parts(theta)
    se = [None if i in on_bound else float(np.sqrt(cov[i, i])) for i in range(theta.size)]
    shift = funnel.k * float(np.log(unit))
    place = {int(i): se[p + (not equal_effects) + j] for j, i in enumerate(search.free)}
    return SelectionModel(
        type=type_,
        alternative=alternative,
        k=funnel.k,
        level=level,
        coef_names=coef_names or (("intrcpt",) if p == 1 else tuple(f"b{i}" for i in range(p))),
        b=b * unit,
        se=np.sqrt(np.diag(cov)[:p]) * unit,
        vb=cov[:p, :p] * unit**2,
        tau2=tau2 * unit**2,
        se_tau2=None if equal_effects or se[p] is None else float(np.sqrt(cov[p, p])) * unit**2,
        delta=deltas,
        se_delta=tuple(place.get(i) for i in range(deltas.size)),
        delta_null=np.array(function.null),
        ll=ll - shift,
        ll_unadjusted=ll_plain - shift,
        LRT=max(0.0, lrt),
        LRTdf=free,
        LRTp=float(chdtrc(free, max(0.0, lrt))) if free else None,
        LRT_tau2=without,
        steps=tuple(cuts),
        ptable=table,
        notes=notes,
    )


def _function(type_: str, steps: tuple[float, ...]) -> tuple[SelectionFunction, float | None]:
    if type_ in ("stepfun", "step"):
        return step_function(steps), None
    function = SELECTION_FUNCTIONS[type_]
    below = [step for step in steps if step < 1]
    if len(below) > 1 or (below and type_ == "beta"):
        raise MethodError(f"steps={steps}: a {type_} selection function takes {'none' if type_ == 'beta' else 'one'}")
    if below and not 0 < below[0] < 1:
        raise MethodError(f"steps={steps}: the threshold is a p-value between 0 and 1")
    return function, below[0] if below else None


def _fixed(function: SelectionFunction, delta: tuple[float | None, ...], type_: str) -> Array:
    """Deltas held fixed, NaN where free; the first of a step function is always 1."""
    count = len(function.null)
    if delta and len(delta) != count:
        raise MethodError(f"{len(delta)} values of delta for a {type_} function with {count}")
    values = np.array([np.nan if d is None else float(d) for d in delta] or [np.nan] * count)
    if function.cuts and np.isnan(values[0]):
        values[0] = 1.0
    known = np.flatnonzero(~np.isnan(values))
    if any(not values[i] >= 0 or not np.isfinite(values[i]) for i in known):
        raise MethodError(f"delta={delta}: weights and rates of selection are finite and not negative")
    values[known] = np.maximum(values[known], np.array(function.lower)[known])
    return values


def _precision(funnel: FunnelData, prec: str, *, scaled: bool) -> Array:
    if prec in ("sei", "vi"):
        values = funnel.se if prec == "sei" else funnel.v
    elif prec in ("ninv", "sqrtninv"):
        n = funnel.totals(f"prec='{prec}'")
        values = 1 / n if prec == "ninv" else 1 / np.sqrt(n)
    else:
        raise MethodError(f"prec='{prec}': the measure of precision is sei, vi, ninv or sqrtninv")
    return np.asarray(values / values.max() if scaled else values, dtype=np.float64)


def _enough(k: int, parameters: int) -> None:
    if k <= parameters:
        raise MethodError(f"{k} studies for a selection model with {parameters} parameters; it needs more studies")


def _table(
    likelihood: SelectionLikelihood, cuts: tuple[float, ...], funnel: FunnelData, alternative: str
) -> tuple[int, ...]:
    if not cuts:
        return ()
    p = p_values(funnel.y / funnel.se, alternative)
    interval = np.minimum(np.searchsorted(np.array(cuts), p, side="left"), len(cuts) - 1)
    return tuple(int((interval == i).sum()) for i in range(len(cuts)))


def _sparse(table: tuple[int, ...], cuts: tuple[float, ...], fixed: Array, threshold: float | None) -> tuple[str, ...]:
    """Notes on intervals without a study; MethodError where nothing is left to compare with."""
    free = np.isnan(fixed)
    if not table or not free.any():
        return ()
    if table[0] == 0:
        raise MethodError(
            f"no study has a p-value up to {cuts[0]:g}, so selection relative to that interval is unknown"
        )
    if threshold is not None and table[1] == 0:
        raise MethodError(f"no study has a p-value above {threshold:g}, so selection above it is unknown")
    empty = [i for i, count in enumerate(table) if count == 0 and threshold is None and free[i]]
    between = ", ".join(f"{cuts[i - 1]:g} to {cuts[i]:g}" for i in empty)
    return (f"No study has a p-value in {between}; the weight there runs to 0. Use fewer steps.",) if empty else ()


def _unadjusted(funnel: FunnelData, X: Array, *, equal_effects: bool) -> tuple[Array, float, float]:
    """Coefficients, tau² and log-likelihood of the model without selection, by maximum likelihood."""
    tau2 = 0.0 if equal_effects else residual_tau2(funnel.y, funnel.v, X, "ML")
    line = weighted_line(funnel.y, X, 1 / (funnel.v + tau2))
    total = float(np.log(2 * np.pi * (funnel.v + tau2)).sum()) + line.dispersion * line.df
    return line.b, tau2, -0.5 * total


def _starts(search: _Search, b: Array, tau2: float) -> list[Array]:
    function = search.likelihood.function
    deltas = [np.array(start)[search.free] for start in function.starts] if search.free.size else [np.zeros(0)]
    heterogeneity = [np.array([tau2 + 0.01 * float(np.median(search.likelihood.v))])] if search.heterogeneous else []
    return [np.concatenate((b, *heterogeneity, delta)) for delta in deltas]


def _covariance(search: _Search, theta: Array) -> tuple[Array, set[int]]:
    """The inverse Hessian among interior parameters, spread to full size, and the parameters on their bounds."""
    index = search.interior(theta)
    information = search.hessian(theta, index)
    try:
        inner = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        inner = np.full(information.shape, np.nan)
    if not (np.isfinite(inner).all() and (np.diag(inner) > 0).all()):
        raise ConvergenceError(
            "the selection model's likelihood is flat or not concave at its best point, so it has no standard errors; "
            "use fewer steps or another selection function"
        )
    cov = np.zeros((theta.size, theta.size))
    cov[np.ix_(index, index)] = inner
    return cov, set(range(theta.size)) - {int(i) for i in index}
