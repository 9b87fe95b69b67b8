"""Between-study variance: twelve estimators, for one mean or a linear predictor, converged to machine precision.

With W = diag(weights) and P = W - WX(X'WX)^-1 X'W, every estimator is a statement about y'Py, tr(P) and tr(PP). The
traces are formed from an orthonormal basis Q of the columns of W^(1/2) X, so no k x k matrix is ever built.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from metagrove.core.errors import ConvergenceError, MethodError
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.pooling import one_mean
from metagrove.pooling.compiled import loaded

__all__ = [
    "TAU2",
    "Design",
    "Projection",
    "Tau2",
    "log_likelihood",
    "moment_se",
    "tau2_estimate",
    "tau2_of",
    "variance_at_q",
]

_STEPS = 200
_PATIENCE = 60  # after so many steps only halving is left, which always ends
_CLOSE = 1e-9  # Newton's error after a step this small is below 1e-15
_HEAVY = 0.999  # above this leverage, 1 - h loses digits that matter
_FEW = 40  # up to here scalar arithmetic beats NumPy


class Tau2(NamedTuple):
    """A between-study variance and its standard error (NaN where none is defined)."""

    value: float
    se: float


@dataclass(frozen=True, slots=True)
class Design:
    """Effects `y` and variances `v` of shape (k,) with a design matrix `X` of shape (k, p) of full rank.

    `X` None stands for one common mean (p = 1). `weights` (k,) are used by GENQ only.
    """

    y: Array
    v: Array
    X: Array | None = None
    weights: Array | None = None
    _memo: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def k(self) -> int:
        """Number of studies."""
        return int(self.y.size)

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return 1 if self.X is None else int(self.X.shape[1])

    @property
    def scalar(self) -> bool:
        """Whether scalar arithmetic is the faster one: one mean, few studies."""
        return self.X is None and self.y.size <= _FEW

    @property
    def base(self) -> float:
        """The effect of the most precise study."""
        found: float | None = self._memo.get("base")
        if found is None:
            found = self._memo["base"] = float(self.y[self.v.argmin()])
        return found

    @property
    def rows(self) -> tuple[list[float], list[float]]:
        """Effects less that of the most precise study, and variances, as lists that start with this study."""
        found: tuple[list[float], list[float]] | None = self._memo.get("rows")
        if found is None:
            y, v = self.y.tolist(), self.v.tolist()
            best = v.index(min(v))
            base = self._memo["base"] = y[best]
            y = [effect - base for effect in y]
            y[0], y[best], v[0], v[best] = y[best], y[0], v[best], v[0]
            found = self._memo["rows"] = y, v
        return found

    def sums(self, tau2: float) -> one_mean.Sums:
        """Sums over the rows of one mean at `tau2`, made once."""
        found: one_mean.Sums | None = self._memo.get(tau2)
        if found is None:
            found = self._memo[tau2] = one_mean.sums_at(*self.rows, tau2)
        return found

    def at(self, w: Array) -> Projection:
        """The projection for weights `w` of shape (k,)."""
        s = np.sqrt(w)
        q = (s / np.sqrt(w.sum()))[:, None] if self.X is None else np.linalg.qr(self.X * s[:, None])[0]
        sy = s * self.y
        return Projection(w, s, q, sy - q @ (q.T @ sy))


@dataclass(frozen=True, slots=True)
class Projection:
    """P at given weights: `w` and its root `s` (k,), basis `q` (k, p), weighted residuals `e` = W^(-1/2) P y."""

    w: Array
    s: Array
    q: Array
    e: Array

    @property
    def rss(self) -> float:
        """y'Py, the generalised Q."""
        return float(self.e @ self.e)

    @property
    def py(self) -> Array:
        """P y, shape (k,)."""
        return self.s * self.e

    @property
    def ypppy(self) -> float:
        """The cubic form y'PPPy."""
        z = self.s * self.py
        coordinates = self.q.T @ z
        return float(z @ z - coordinates @ coordinates)

    @property
    def leverage(self) -> Array:
        """Diagonal of the hat matrix, shape (k,)."""
        return np.asarray((self.q**2).sum(axis=1), dtype=float)

    @property
    def slack(self) -> Array:
        """One less the leverages, shape (k,), to full precision also where a study carries nearly all the weight."""
        h = self.leverage
        left = 1 - h
        for i in np.flatnonzero(h > _HEAVY):
            # I - QQ' is a projection: its diagonal r obeys r - r^2 = sum of squares of the rest of its row
            others = np.delete(self.q @ self.q[i], i)
            left[i] = float(others @ others) / h[i]
        return left

    def trace(self, d: Array | float = 1.0) -> float:
        """tr(P D) for diagonal D."""
        return float((self.w * d * self.slack).sum())

    def trace2(self, d: Array | float = 1.0, f: Array | float = 1.0) -> float:
        """tr(P D P F) for diagonal D and F."""
        a, b = self.w * d, self.w * f
        if (self.leverage > _HEAVY).any():
            square = (self.q @ self.q.T) ** 2
            np.fill_diagonal(square, self.slack**2)
            return float(a @ square @ b)
        left, right = self.q.T @ (a[:, None] * self.q), self.q.T @ (b[:, None] * self.q)
        return float((a * b * (1 - 2 * self.leverage)).sum() + (left * right).sum())


Estimator = Callable[[Design], Tau2]
TAU2 = Registry[Estimator]("tau2 estimator")

_VEE = "Veroniki AA, et al. Res Synth Methods 2016;7:55-79. doi:10.1002/jrsm.1164"


def moment_se(design: Design, pr: Projection, divisor: float, tau2: float, factor: float = 1.0) -> float:
    """Standard error of factor * y'Py / divisor, from the variance of a quadratic form in normal variables."""
    v = design.v
    variance = 2 * pr.trace2(v, v) + 4 * tau2 * pr.trace2(v) + 2 * tau2**2 * pr.trace2()
    return float(abs(factor / divisor) * np.sqrt(max(variance, 0.0)))


def _generalised_moment(design: Design, w: Array) -> Tau2:
    pr = design.at(w)
    divisor = pr.trace()
    value = max(0.0, (pr.rss - pr.trace(design.v)) / divisor)
    return Tau2(value, moment_se(design, pr, divisor, value))


@TAU2.add(
    "DL",
    title="DerSimonian-Laird",
    cite="DerSimonian R, Laird N. Control Clin Trials 1986;7:177-88. doi:10.1016/0197-2456(86)90046-2",
)
def der_simonian_laird(design: Design) -> Tau2:
    """Method-of-moments estimate with the common-effect weights."""
    if not design.scalar:
        return _generalised_moment(design, 1 / design.v)
    s = design.sums(0.0)
    value = max(0.0, (s.q - (design.k - 1)) / s.trace)
    return Tau2(value, _inverse_variance_se(design, s, s.trace, value))


def _inverse_variance_se(design: Design, s: one_mean.Sums, divisor: float, tau2: float, factor: float = 1.0) -> float:
    """`moment_se` of one mean with weights 1/v, where PVP = P: the traces are k - 1, tr(P) and tr(PP)."""
    variance = 2.0 * (design.k - 1) + 4.0 * tau2 * s.trace + 2.0 * tau2 * tau2 * s.trace2
    return factor * math.sqrt(variance) / divisor


@TAU2.add(
    "DL2",
    title="two-step DerSimonian-Laird",
    cite="DerSimonian R, Kacker R. Contemp Clin Trials 2007;28:105-14. doi:10.1016/j.cct.2006.04.004",
)
def two_step_der_simonian_laird(design: Design) -> Tau2:
    """Method-of-moments estimate with the random-effects weights of a first DerSimonian-Laird step."""
    return _generalised_moment(design, 1 / (design.v + der_simonian_laird(design).value))


@TAU2.add(
    "HE",
    title="Hedges-Olkin",
    cite="Hedges LV, Olkin I. Statistical Methods for Meta-Analysis. 1985. doi:10.1016/C2009-0-03396-0",
)
def hedges_olkin(design: Design) -> Tau2:
    """Method-of-moments estimate with equal weights."""
    return _generalised_moment(design, np.ones_like(design.y))


@TAU2.add(
    "GENQ",
    title="generalised Q",
    cite="Jackson D, Turner R, Rhodes K, Viechtbauer W. BMC Med Res Methodol 2014;14:103. doi:10.1186/1471-2288-14-103",
)
def generalised_q(design: Design) -> Tau2:
    """Method-of-moments estimate with weights of the user's choice."""
    if design.weights is None:
        raise MethodError("method_tau 'GENQ' needs weights, one per study")
    return _generalised_moment(design, design.weights)


@TAU2.add(
    "HS",
    title="Hunter-Schmidt",
    cite="Hunter JE, Schmidt FL. Methods of Meta-Analysis. 2nd ed. 2004. doi:10.4135/9781412985031",
)
def hunter_schmidt(design: Design) -> Tau2:
    """Hunter-Schmidt estimate."""
    return _hunter_schmidt(design, 1.0)


@TAU2.add(
    "HSk",
    title="Hunter-Schmidt with small-sample correction",
    cite="Brannick MT, et al. Res Synth Methods 2019;10:611-31. doi:10.1002/jrsm.1372",
)
def hunter_schmidt_corrected(design: Design) -> Tau2:
    """Hunter-Schmidt estimate with k/(k - p) in front of Q."""
    return _hunter_schmidt(design, design.k / (design.k - design.p))


def _hunter_schmidt(design: Design, factor: float) -> Tau2:
    if design.scalar:
        s = design.sums(0.0)
        value = max(0.0, (factor * s.q - design.k) / s.w)
        return Tau2(value, _inverse_variance_se(design, s, s.w, value, factor))
    w = 1 / design.v
    pr = design.at(w)
    total = float(w.sum())
    value = max(0.0, (factor * pr.rss - design.k) / total)
    return Tau2(value, moment_se(design, pr, total, value, factor))


@TAU2.add(
    "SJ",
    title="Sidik-Jonkman",
    cite="Sidik K, Jonkman JN. J R Stat Soc C 2005;54:367-84. doi:10.1111/j.1467-9876.2005.00489.x",
)
def sidik_jonkman(design: Design) -> Tau2:
    """Sidik-Jonkman estimate from the crude variance of the effects; 0 if all effects are equal."""
    crude = float(np.mean((design.y - design.y.mean()) ** 2))
    if crude <= 0:
        return Tau2(0.0, float("nan"))
    pr = design.at(1 / (design.v + crude))
    divisor = (design.k - design.p) / crude
    value = pr.rss / divisor
    return Tau2(value, moment_se(design, pr, divisor, value))


def _converged(found: float, what: str) -> float:
    if found < 0:
        raise ConvergenceError(f"no between-study variance gives {what} after {_STEPS} steps")
    return found


def variance_at_q(design: Design, target: float) -> float:
    """The variance at which y'Py equals `target`, 0 where it is below `target` already at 0.

    Newton steps on 1/Q, which is nearly straight; a bracket catches steps that leave it.
    """
    if design.scalar:
        return _converged(one_mean.variance_at_q(*design.rows, target), f"Q = {target:g}")
    low, high, t = 0.0, np.inf, 0.0
    for step in range(_STEPS):
        pr = design.at(1 / (design.v + t))
        q = pr.rss
        if q <= target and step == 0:
            return 0.0
        low, high = (t, high) if q > target else (low, t)
        py = pr.py
        new = t + q * (q / target - 1.0) / float(py @ py)
        newton = low < new < high and step < _PATIENCE
        if not newton:
            new = 0.5 * (low + high) if np.isfinite(high) else 2 * t + float(design.v.max())
        if (newton and abs(new - t) <= _CLOSE * new) or (np.isfinite(high) and high - low <= 1e-15 * high):
            return new
        t = new
    raise ConvergenceError(f"no between-study variance gives Q = {target:g} after {_STEPS} steps; stood at {t:g}")


def _q_se(design: Design, tau2: float) -> float:
    w = 1 / (design.v + tau2)
    return float(design.k * np.sqrt(2 / (design.k - design.p)) / w.sum())


@TAU2.add(
    "PM",
    title="Paule-Mandel",
    cite="Paule RC, Mandel J. J Res Natl Bur Stand 1982;87:377-85. doi:10.6028/jres.087.022",
)
def paule_mandel(design: Design) -> Tau2:
    """Variance at which the generalised Q equals its expectation k - p."""
    value = variance_at_q(design, design.k - design.p)
    return Tau2(value, _q_se(design, value))


@TAU2.add(
    "PMM",
    title="median-unbiased Paule-Mandel",
    cite="Viechtbauer W. J Educ Behav Stat 2005;30:261-93. doi:10.3102/10769986030003261",
)
def paule_mandel_median(design: Design) -> Tau2:
    """Variance at which the generalised Q equals its median under chi-squared with k - p degrees of freedom."""
    value = variance_at_q(design, float(special.chdtri(design.k - design.p, 0.5)))
    return Tau2(value, _q_se(design, value))


@TAU2.add("EB", title="empirical Bayes", cite="Morris CN. J Am Stat Assoc 1983;78:47-55. doi:10.2307/2287098")
def empirical_bayes(design: Design) -> Tau2:
    """Empirical Bayes estimate, which solves the Paule-Mandel equation."""
    return paule_mandel(design)


def log_likelihood(design: Design, tau2: float, *, restricted: bool) -> float:
    """Log-likelihood of `tau2` with the coefficients at their weighted least-squares values.

    The restricted one keeps the constant ½ log|X'X|, as metafor reports it.
    """
    v = design.v + tau2
    pr = design.at(1 / v)
    core = -0.5 * float(np.log(v).sum()) - 0.5 * pr.rss
    if not restricted:
        return core - 0.5 * design.k * float(np.log(2 * np.pi))
    if design.X is None:
        log_det, log_det_x = float(np.log(pr.w.sum())), float(np.log(design.k))
    else:
        log_det = 2 * float(np.log(np.abs(np.diag(np.linalg.qr(design.X * pr.s[:, None])[1]))).sum())
        log_det_x = 2 * float(np.log(np.abs(np.diag(np.linalg.qr(design.X)[1]))).sum())
    return core - 0.5 * log_det + 0.5 * log_det_x - 0.5 * (design.k - design.p) * float(np.log(2 * np.pi))


class _Slope(NamedTuple):
    gradient: float
    observed: float
    expected: float


def _slope(design: Design, t: float, restricted: bool) -> _Slope:
    """Twice the score of t and twice the observed and expected information."""
    pr = design.at(1 / (design.v + t))
    py = pr.py
    quadratic = float(py @ py)
    traces = (pr.trace(), pr.trace2()) if restricted else (float(pr.w.sum()), float(pr.w @ pr.w))
    return _Slope(quadratic - traces[0], 2 * pr.ypppy - traces[1], traces[1])


def _refined_peak(design: Design, restricted: bool, start: float, low: float, high: float) -> float:
    """The stationary point in (low, high) that `start` leads to; see `one_mean.refined_peak`."""
    t = start
    for step in range(_STEPS):
        slope = _slope(design, t, restricted)
        if t == 0.0 and slope.gradient <= 0:
            return 0.0
        low, high = (t, high) if slope.gradient > 0 else (low, t)
        new = t + slope.gradient / slope.observed if slope.observed > 0 else -1.0
        newton = low < new < high and step < _PATIENCE
        new = new if newton else 0.5 * (low + high)
        if (newton and abs(new - t) <= _CLOSE * new) or high - low <= 1e-15 * high:
            return new
        t = new
    raise ConvergenceError(f"the likelihood of tau2 has no peak after {_STEPS} steps; stood at {t:g}")


def _scores(design: Design, grid: Array, restricted: bool) -> list[float]:
    """Twice the score at each point of a grid."""
    if design.X is not None:
        return [_slope(design, t, restricted).gradient for t in grid.tolist()]
    y = design.y - design.base
    table = np.empty((y.size, 3))
    table[:, 0], table[:, 1], table[:, 2] = 1.0, y, y * y
    w = 1.0 / (design.v + grid[:, None])
    scores = []
    for (s1, a1, _), (s2, b1, b2) in zip((w @ table).tolist(), (w * w @ table).tolist(), strict=True):
        m = a1 / s1
        scores.append(b2 - m * (2.0 * b1 - m * s2) - s1 + (s2 / s1 if restricted else 0.0))
    return scores


def _scalar_peak(design: Design, *, restricted: bool) -> float:
    """The maximiser for one mean of few studies; the sums at 0 and there are kept."""
    fast = loaded()
    if fast is not None:
        y, v = design.y + 0.0, design.v + 0.0
        found = fast.peak_row(y, v, restricted, np.empty(y.size), np.empty(y.size))
    else:
        found = one_mean.likelihood_peak(*design.rows, restricted)
    design._memo[0.0] = found.at_zero
    design._memo[_converged(found.tau2, "a peak of the likelihood")] = found.sums
    return found.tau2


def _likelihood_peak(design: Design, *, restricted: bool) -> float:
    """Maximiser of the (restricted) likelihood over tau2 >= 0, also where it has several peaks.

    A grid shows where the score crosses zero downwards; each crossing is refined, and the likelihood decides.
    """
    if design.scalar:
        return _scalar_peak(design, restricted=restricted)
    y, v = design.rows
    first, ratio, count = one_mean.peak_grid(min(y), max(y), v[0])
    if count == 0:
        return 0.0
    points = [0.0] + [first * ratio**i for i in range(count)]
    scores = _scores(design, np.array(points), restricted)
    centre = sum(v) / len(v)
    # from 0 the first step is exact: a falling score there ends the search at once, a rising one climbs
    found = [] if scores[0] > 0 else [_refined_peak(design, restricted, 0.0, 0.0, points[1])]
    for i in range(count):
        if scores[i] > 0 >= scores[i + 1]:
            start = one_mean.crossing(points[i], points[i + 1], scores[i], scores[i + 1], centre)
            found.append(_refined_peak(design, restricted, start, points[i], points[i + 1]))
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda t: log_likelihood(design, t, restricted=restricted))


@TAU2.add(
    "REML",
    title="restricted maximum-likelihood",
    cite="Viechtbauer W. J Educ Behav Stat 2005;30:261-93. doi:10.3102/10769986030003261",
)
def restricted_maximum_likelihood(design: Design) -> Tau2:
    """Maximiser of the restricted likelihood."""
    value = _likelihood_peak(design, restricted=True)
    if design.scalar:
        return Tau2(value, (2 / design.sums(value).trace2) ** 0.5)
    return Tau2(value, float(np.sqrt(2 / design.at(1 / (design.v + value)).trace2())))


@TAU2.add(
    "ML",
    title="maximum-likelihood",
    cite="Hardy RJ, Thompson SG. Stat Med 1996;15:619-29. "
    "doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A",
)
def maximum_likelihood(design: Design) -> Tau2:
    """Maximiser of the likelihood."""
    value = _likelihood_peak(design, restricted=False)
    if design.scalar:
        return Tau2(value, (2 / design.sums(value).w2) ** 0.5)
    w = 1 / (design.v + value)
    return Tau2(value, float(np.sqrt(2 / (w @ w))))


def tau2_estimate(
    y: Array, v: Array, method: str = "REML", *, X: Array | None = None, weights: Array | None = None
) -> Tau2:
    """Between-study variance of effects `y` with sampling variances `v`, shape (k,), both finite and v > 0.

    Parameters
    ----------
    method : a code of the registry TAU2.
    X : design matrix of shape (k, p), full rank, or None for one mean.
    weights : shape (k,), for GENQ.

    Raises
    ------
    MethodError if there are not more studies than coefficients; UnknownName for an unknown code.

    Pinned by the reference cases `tau2_raudenbush1985` and `tau2_hackshaw1998`.
    """
    if X is not None and np.linalg.matrix_rank(X) < X.shape[1]:
        columns = X.shape[1]
        raise MethodError(f"the {columns} columns of the design are linearly dependent; leave out those that repeat")
    return tau2_of(Design(y, v, X, weights), method)


def tau2_of(design: Design, method: str) -> Tau2:
    """The same for a design, whose sums over studies are then at hand for more."""
    estimator = TAU2[method]
    k, p = design.k, design.p
    if k <= p:
        raise MethodError(f"{k} studies cannot give a between-study variance with {p} coefficients")
    return estimator(design)
