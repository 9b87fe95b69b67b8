"""The Copas selection model: how the effect changes as small studies are assumed to be published less often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr, ndtri

from metagrove.core.errors import ConvergenceError, MethodError
from metagrove.core.results import Explanation, Result, Script
from metagrove.core.values import Array
from metagrove.pooling.bias.contours import level_crossings, round_levels
from metagrove.pooling.bias.copas_likelihood import CopasFit, copas_fit, copas_log_likelihood, publication_probability
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.weighted_line import weighted_line

__all__ = ["CopasModel", "CopasPath", "copas_model"]

COPAS_SHI = (
    "Copas J, Shi JQ (2000) Meta-analysis, funnel plots and sensitivity analysis. Biostatistics 1:247-262. "
    "doi:10.1093/biostatistics/1.3.247"
)
CARPENTER = (
    "Carpenter JR, Schwarzer G, Rücker G, Künstler R (2009) Empirical evaluation showed that the Copas selection model "
    "provided a useful summary in 80% of meta-analyses. Journal of Clinical Epidemiology 62:624-631. "
    "doi:10.1016/j.jclinepi.2008.12.002"
)
CARPENTER_R = (
    "Carpenter J, Rücker G, Schwarzer G (2009) copas: an R package for fitting the Copas selection model. The R "
    "Journal 1(2):31-36. doi:10.32614/RJ-2009-012"
)
#: The selection considered: without it the least precise study is published with probit 2 + gamma1 / se; with most of
#: it that study has probit -0.25 and the most precise one 1.04 (Carpenter et al. 2009).
_GAMMA0_HIGH, _PROBIT_LEAST, _PROBIT_GAIN = 2.0, -0.25, 1.29


@dataclass(frozen=True, slots=True, eq=False)
class CopasPath:
    """Fits along the line of increasing selection, arrays of shape (m,); the first has no selection.

    `publprob` is the publication probability of the least precise study, `N_unpubl` the expected number of unpublished
    studies, `pval_rsb` the p-value of selection that is left (a likelihood-ratio test of a trend with the standard
    error).
    """

    gamma0: Array
    gamma1: Array
    TE: Array
    seTE: Array
    rho: Array
    tau: Array
    publprob: Array
    N_unpubl: Array
    pval_rsb: Array
    log_likelihood: Array


@dataclass(frozen=True, slots=True, eq=False)
class CopasModel(Result):
    """A Copas selection analysis, in the terms of R's `copas`.

    `path` has the fits; `TE_contour` (shape (ngrid, ngrid)) the effect over the grid `gamma0` by `gamma1`; `slope` the
    direction of increasing selection. The adjusted estimate is None where selection is left at every degree looked at.
    """

    k: int
    level: float
    left: bool
    rho_bound: float
    sign_rsb: float
    TE_random: float
    seTE_random: float
    tau: float
    gamma0: Array
    gamma1: Array
    TE_contour: Array
    levels: Array
    slope: float
    path: CopasPath
    chosen: int | None
    notes: tuple[str, ...]
    script: Script | None = None

    @property
    def gamma0_range(self) -> tuple[float, float]:
        """The range of gamma0."""
        return float(self.gamma0[0]), float(self.gamma0[-1])

    @property
    def gamma1_range(self) -> tuple[float, float]:
        """The range of gamma1."""
        return float(self.gamma1[0]), float(self.gamma1[-1])

    @property
    def TE_slope(self) -> Array:
        """Effects along the path."""
        return self.path.TE

    @property
    def seTE_slope(self) -> Array:
        """Their standard errors."""
        return self.path.seTE

    @property
    def rho_slope(self) -> Array:
        """Correlations along the path; without selection rho has no bearing and stands at its start."""
        return self.path.rho

    @property
    def tau_slope(self) -> Array:
        """Heterogeneity (a standard deviation) along the path."""
        return self.path.tau

    @property
    def publprob(self) -> Array:
        """Publication probability of the least precise study along the path."""
        return self.path.publprob

    @property
    def N_unpubl(self) -> Array:
        """Expected number of unpublished studies along the path."""
        return self.path.N_unpubl

    @property
    def pval_rsb(self) -> Array:
        """P-values of residual selection bias along the path."""
        return self.path.pval_rsb

    @property
    def TE_adjust(self) -> float | None:
        """The effect at the least selection that leaves no residual selection bias."""
        return None if self.chosen is None else float(self.path.TE[self.chosen])

    @property
    def seTE_adjust(self) -> float | None:
        """Its standard error."""
        return None if self.chosen is None else float(self.path.seTE[self.chosen])

    def _limit(self, sign: float) -> float | None:
        if self.TE_adjust is None or self.seTE_adjust is None:
            return None
        return self.TE_adjust + sign * float(ndtri((1 + self.level) / 2)) * self.seTE_adjust

    @property
    def lower_adjust(self) -> float | None:
        """Its lower confidence limit."""
        return self._limit(-1.0)

    @property
    def upper_adjust(self) -> float | None:
        """Its upper confidence limit."""
        return self._limit(1.0)

    @property
    def pval_adjust(self) -> float | None:
        """Its two-sided p-value."""
        if self.TE_adjust is None or self.seTE_adjust is None:
            return None
        return float(2 * ndtr(-abs(self.TE_adjust / self.seTE_adjust)))

    def rows(self) -> list[dict[str, Any]]:
        """One row per degree of selection."""
        names = ("publprob", "TE", "seTE", "rho", "tau", "N_unpubl", "pval_rsb", "gamma0", "gamma1")
        columns = [getattr(self.path, name) for name in names]
        return [dict(zip(names, map(float, row), strict=True)) for row in zip(*columns, strict=True)]

    def summary(self) -> str:
        """The path as a table and the adjusted effect."""
        lines = [f"Copas selection model, k = {self.k}", "publprob      TE   seTE  p(residual bias)  unpublished"]
        lines += [
            f"{publprob:8.2f} {effect:7.4f} {se:6.4f} {rest:17.4f} {unpublished:12.1f}"
            for publprob, effect, se, rest, unpublished in zip(
                self.publprob, self.TE_slope, self.seTE_slope, self.pval_rsb, self.N_unpubl, strict=True
            )
        ]
        if self.chosen is None:
            lines.append(
                f"Adjusted: none; residual selection bias (p <= {self.sign_rsb:g}) at every degree of selection."
            )
        else:
            limits = f"[{self.lower_adjust:.4f}; {self.upper_adjust:.4f}]"
            lines.append(f"Adjusted: {self.TE_adjust:.4f} {limits}, p = {self.pval_adjust:.4f}")
        return "\n".join([*lines, *self.notes])

    def explain(self) -> Explanation:
        """The methods sentence and its references."""
        return Explanation(
            "Sensitivity to publication bias was examined by the Copas selection model; the adjusted effect is that of "
            f"the least selection without evidence of residual selection bias (p > {self.sign_rsb:g}).",
            (COPAS_SHI, CARPENTER, CARPENTER_R),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Studies:
    """What every fit of one analysis shares: effects in units of `unit`; gamma is given in the outcome's own unit."""

    y: Array
    se: Array
    TE_random: float
    tau: float
    rho_bound: float
    sign: float
    unit: float

    def own(self, gamma: tuple[float, float]) -> tuple[float, float]:
        """`gamma` for standard errors in units of `unit`."""
        return gamma[0], gamma[1] / self.unit

    def fit(self, gamma: tuple[float, float]) -> CopasFit:
        """The fit at `gamma` from the usual start: the random-effects mean and tau, and rho half way to its bound.

        The likelihood can have a second mode at the bound of rho; starting from one place keeps to one branch.
        """
        start = np.array([self.TE_random, self.sign * self.rho_bound / 2, self.tau, 0.0])
        return copas_fit(self.y, self.se, self.own(gamma), [start], rho_bound=self.rho_bound)

    def trend(self, gamma: tuple[float, float], fit: CopasFit) -> CopasFit:
        """The fit at `gamma` with a trend in the standard error: the higher of those from the usual start and `fit`."""
        usual = np.array([self.TE_random, self.sign * self.rho_bound / 2, self.tau, 0.0])
        starts = [usual, np.array([fit.mu, fit.rho, fit.tau, 0.0])]
        return copas_fit(self.y, self.se, self.own(gamma), starts, rho_bound=self.rho_bound, trend=True)

    def other_mode(self, gamma: tuple[float, float]) -> CopasFit:
        """The best fit from elsewhere: rho at the other side and near its bounds, or hardly any heterogeneity."""
        corners = [(-0.5, self.tau), (-0.99, self.tau), (0.99, self.tau), (0.5, 0.1), (-0.5, 0.1)]
        starts = [np.array([self.TE_random, rho * self.rho_bound, tau, 0.0]) for rho, tau in corners]
        return copas_fit(self.y, self.se, self.own(gamma), starts, rho_bound=self.rho_bound)


def copas_model(
    funnel: FunnelData,
    tau2: float,
    *,
    gamma0_range: tuple[float, float] | None = None,
    gamma1_range: tuple[float, float] | None = None,
    ngrid: int = 20,
    nlevels: int = 10,
    levels: Array | None = None,
    slope: float | None = None,
    left: bool | None = None,
    rho_bound: float = 0.9999,
    sign_rsb: float = 0.1,
    level: float = 0.95,
) -> CopasModel:
    """The Copas selection analysis of studies whose random-effects heterogeneity is `tau2`.

    Parameters
    ----------
    gamma0_range, gamma1_range : the selection looked at; by default from the standard errors.
    ngrid, nlevels, levels : grid points per axis, about how many contours are fitted, or at which effects.
    slope : direction of increasing selection in the (gamma0, gamma1) plane; by default at right angles to the contours
        of equal effect (axes scaled to equal length), their slopes averaged with their number of points as weight.
    left : whether studies are missing on the left; by default by the sign of Egger's regression.
    rho_bound : bound of the correlation, below 1.
    sign_rsb : significance level of residual selection bias.

    Raises MethodError for fewer than 3 studies or equal standard errors.

    References
    ----------
    Carpenter JR, Schwarzer G, Rücker G, Künstler R (2009) Journal of Clinical Epidemiology 62:624-631.
    doi:10.1016/j.jclinepi.2008.12.002
    """
    _suits(funnel, rho_bound, ngrid)
    unit = float(np.median(funnel.se))  # fits are made in this unit, so that the outcome's own does not matter
    range0, range1 = _ranges(funnel.se, gamma0_range, gamma1_range)
    missing_left = _missing_left(funnel) if left is None else left
    w = 1 / (funnel.v + tau2)
    random = float(w @ funnel.y) / float(w.sum())
    sign = 1.0 if missing_left else -1.0
    studies = _Studies(funnel.y / unit, funnel.se / unit, random / unit, np.sqrt(tau2) / unit, rho_bound, sign, unit)
    gamma0, gamma1 = np.linspace(*range0, ngrid), np.linspace(*range1, ngrid)
    contour = _surface(studies, gamma0, gamma1)
    drawn = round_levels(float(contour.min()), float(contour.max()), nlevels) if levels is None else levels
    lines, found = _contour_lines(gamma0, gamma1, contour, drawn)
    notes: tuple[str, ...] = ()
    if slope is None and not found:
        notes = ("The effect hardly depends on the selection looked at, so no direction of selection could be found.",)
    direction = slope if slope is not None else _direction(lines, range0, range1) if found else np.nan
    points = _intersections(lines, direction, range0, range1) if found else []
    path, trouble = _path(studies, points)
    return CopasModel(
        k=funnel.k,
        level=level,
        left=missing_left,
        rho_bound=rho_bound,
        sign_rsb=sign_rsb,
        TE_random=random,
        seTE_random=float(1 / np.sqrt(w.sum())),
        tau=float(np.sqrt(tau2)),
        gamma0=gamma0,
        gamma1=gamma1,
        TE_contour=contour,
        levels=drawn,
        slope=direction,
        path=path,
        chosen=next((i for i, p in enumerate(path.pval_rsb) if p > sign_rsb), None),
        notes=notes + trouble,
    )


def _suits(funnel: FunnelData, rho_bound: float, ngrid: int) -> None:
    if funnel.k < 3:
        raise MethodError(f"the Copas selection model needs at least 3 studies; there are {funnel.k}")
    if not 0 < rho_bound < 1:
        raise MethodError(f"rho_bound is {rho_bound:g}; a correlation's bound lies between 0 and 1")
    if ngrid < 3:
        raise MethodError(f"ngrid is {ngrid}; contours need a grid of at least 3 by 3")
    if funnel.se.max() - funnel.se.min() <= 1e-10 * funnel.se.max():
        raise MethodError("all standard errors are the same, so selection by precision cannot be told")


def _ranges(
    se: Array, range0: tuple[float, float] | None, range1: tuple[float, float] | None
) -> tuple[tuple[float, float], tuple[float, float]]:
    high1 = _PROBIT_GAIN / (1 / float(se.min()) - 1 / float(se.max()))
    found1 = (0.0, high1) if range1 is None else range1
    found0 = (_PROBIT_LEAST - found1[1] / float(se.max()), _GAMMA0_HIGH) if range0 is None else range0
    for name, (low, high) in (("gamma0_range", found0), ("gamma1_range", found1)):
        if not low < high:
            raise MethodError(f"{name} is ({low:g}, {high:g}); the first must be the smaller")
    return (float(found0[0]), float(found0[1])), (float(found1[0]), float(found1[1]))


def _missing_left(funnel: FunnelData) -> bool:
    line = weighted_line(funnel.y, np.column_stack((np.ones(funnel.k), funnel.se)), 1 / funnel.v)
    return bool(line.b[1] > 0)


def _surface(studies: _Studies, gamma0: Array, gamma1: Array) -> Array:
    """The effect at every point of the grid."""
    effect = np.empty((gamma0.size, gamma1.size))
    for i, a in enumerate(gamma0):
        for j, b in enumerate(gamma1):
            effect[i, j] = studies.fit((float(a), float(b))).mu * studies.unit
    return effect


def _contour_lines(gamma0: Array, gamma1: Array, contour: Array, levels: Array) -> tuple[Array, bool]:
    """Intercept, slope and number of points of the straight line through each contour, shape (m, 3)."""
    rows = []
    for level in levels:
        points = level_crossings(gamma0, gamma1, contour, float(level))
        if len(points) < 3 or np.ptp(points[:, 0]) == 0:
            continue
        x = points[:, 0] - points[:, 0].mean()
        slope = float(x @ points[:, 1]) / float(x @ x)
        rows.append((points[:, 1].mean() - slope * points[:, 0].mean(), slope, len(points)))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return table, bool(len(rows)) and bool(table[:, 1] @ table[:, 2] < 0)


def _direction(lines: Array, range0: tuple[float, float], range1: tuple[float, float]) -> float:
    """The slope at right angles to the contours when both axes have the same length."""
    mean = float(lines[:, 1] @ lines[:, 2] / lines[:, 2].sum())
    return -(((range1[1] - range1[0]) / (range0[1] - range0[0])) ** 2) / mean


def _intersections(
    lines: Array, direction: float, range0: tuple[float, float], range1: tuple[float, float]
) -> list[tuple[float, float]]:
    """Where the line from the corner of least selection meets the contours, least selection first."""
    apart = lines[:, 1] - direction
    usable = np.abs(apart) > 1e-12
    x = (range1[1] - direction * range0[1] - lines[usable, 0]) / apart[usable]
    z = range1[1] + direction * (x - range0[1])
    inside = (x >= range0[0]) & (x <= range0[1]) & (z >= range1[0]) & (z <= range1[1])
    return sorted(((float(a), float(b)) for a, b in zip(x[inside], z[inside], strict=True)), reverse=True)


#: Stands for "every study is published": a probit no double can tell from infinity.
_NO_SELECTION = (40.0, 0.0)


def _path(studies: _Studies, points: list[tuple[float, float]]) -> tuple[CopasPath, tuple[str, ...]]:
    """The fits at no selection and at `points`."""
    unit = studies.unit
    columns: list[tuple[float, ...]] = []
    flat, elsewhere = 0, []
    for i, gamma in enumerate([_NO_SELECTION, *points]):
        fit = studies.fit(gamma)
        test = studies.trend(gamma, fit)
        rho = fit.rho if i else studies.sign * studies.rho_bound / 2
        standard_error = _standard_error(studies, fit, gamma, selection=i > 0)
        if standard_error is None:
            flat += 1
            continue
        other = studies.other_mode(gamma)
        if other.log_likelihood > fit.log_likelihood + 1e-3:
            elsewhere.append(other.mu * unit)
        chance = publication_probability(studies.se, *studies.own(gamma))
        rest = float(chdtrc(1, max(0.0, 2 * (test.log_likelihood - fit.log_likelihood))))
        unpublished = float(((1 - chance) / chance).sum()) if i else 0.0
        least = float(chance[np.argmax(studies.se)]) if i else 1.0
        estimate = (fit.mu * unit, standard_error * unit, rho, fit.tau * unit)
        height = fit.log_likelihood - studies.y.size * float(np.log(unit))
        columns.append((*gamma, *estimate, least, unpublished, rest, height))
    if not columns:
        raise ConvergenceError("the Copas model has no standard error even without selection")
    table = np.array(columns, dtype=np.float64).T
    return CopasPath(*table), _doubts(flat, elsewhere)


def _doubts(flat: int, elsewhere: list[float]) -> tuple[str, ...]:
    """What a reader must know of the likelihood along the path."""
    notes = []
    if flat:
        notes.append(f"The likelihood is flat at {flat} degrees of selection, which were left out.")
    if elsewhere:
        notes.append(
            f"The likelihood has a second, higher mode at {len(elsewhere)} degrees of selection (effects from "
            f"{min(elsewhere):.4f} to {max(elsewhere):.4f}); the path keeps to the mode near the pooled effect."
        )
    return tuple(notes)


def _standard_error(studies: _Studies, fit: CopasFit, gamma: tuple[float, float], *, selection: bool) -> float | None:
    """The standard error of the effect from the observed information; None where that is not positive."""
    index = np.array([0, 1, 2] if selection else [0, 2])
    if fit.tau < 1e-6:
        index = index[index != 2]
    information = _information(studies, fit, gamma, index)
    try:
        variance = float(np.linalg.inv(information)[0, 0])
    except np.linalg.LinAlgError:
        return None
    return float(np.sqrt(variance)) if variance > 0 and np.isfinite(variance) else None


def _information(studies: _Studies, fit: CopasFit, gamma: tuple[float, float], index: NDArray[np.int_]) -> Array:
    """Minus the second derivatives of the log-likelihood by the parameters `index`."""
    theta = np.array([fit.mu, fit.rho, fit.tau, fit.slope])
    matrix = np.empty((index.size, index.size))
    for row, i in enumerate(index):
        step = np.zeros(4)
        step[i] = 1e-5
        up = copas_log_likelihood(theta + step, studies.y, studies.se, *studies.own(gamma))[1]
        down = copas_log_likelihood(theta - step, studies.y, studies.se, *studies.own(gamma))[1]
        matrix[row] = -(up - down)[index] / 2e-5
    return (matrix + matrix.T) / 2
