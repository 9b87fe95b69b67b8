"""Confidence limits of the between-study variance."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.pooling.quadratic_forms import chi_square_mixture_cdf
from metagrove.pooling.roots import bracketed_root, rising_bracket
from metagrove.pooling.tau2 import TAU2, Design, log_likelihood, variance_at_q

__all__ = ["TAU2_INTERVALS", "Limits", "q_distribution", "quadratic_limits", "tau2_limits"]


class Limits(NamedTuple):
    """A lower and an upper confidence limit."""

    lower: float
    upper: float


IntervalMethod = Callable[[Design, float, str], Limits]
TAU2_INTERVALS = Registry[IntervalMethod]("tau2 interval")


@TAU2_INTERVALS.add("QP", title="Q-profile", cite="Viechtbauer W. Stat Med 2007;26:37-52. doi:10.1002/sim.2514")
def q_profile(design: Design, level: float, method: str) -> Limits:
    """Variances at which the generalised Q equals its chi-squared quantiles; [0, 0] where Q is below both at 0."""
    df, tail = design.k - design.p, (1 - level) / 2
    lower = variance_at_q(design, float(special.chdtri(df, tail)))
    return Limits(lower, variance_at_q(design, float(special.chdtri(df, 1 - tail))))


def q_distribution(design: Design, w: Array) -> Callable[[float], float]:
    """P(Q <= the observed Q) as a function of tau2, for Q = y'Ay and A the projection with fixed weights `w`."""
    if design.X is None:
        shares = w / w.sum()
        observed = float(w @ (design.y - shares @ design.y) ** 2)
        return lambda t: chi_square_mixture_cdf(observed, w * (design.v + t), shares)
    xw = design.X * w[:, None]
    a = np.diag(w) - xw @ np.linalg.solve(design.X.T @ xw, xw.T)
    q, p = float(design.y @ a @ design.y), design.p

    def below(t: float) -> float:
        s = np.sqrt(design.v + t)
        return chi_square_mixture_cdf(q, np.maximum(np.linalg.eigvalsh(s[:, None] * a * s)[p:], 0.0))

    return below


def quadratic_limits(design: Design, level: float, w: Array) -> Limits:
    """Variances at which y'Ay, A the projection with fixed weights `w`, sits at its own quantiles."""
    below = q_distribution(design, w)

    def limit(share: float) -> float:
        if below(0.0) <= share:
            return 0.0
        top = rising_bracket(lambda t: below(t) - share, float(np.median(design.v)))
        return bracketed_root(lambda t: below(t) - share, 0.0, top)

    tail = (1 - level) / 2
    return Limits(limit(1 - tail), limit(tail))


@TAU2_INTERVALS.add(
    "BJ",
    title="Biggerstaff-Jackson",
    cite="Biggerstaff BJ, Jackson D. Stat Med 2008;27:6093-110. doi:10.1002/sim.3425",
)
def biggerstaff_jackson(design: Design, level: float, method: str) -> Limits:
    """Limits from the exact distribution of Cochran's Q (weights 1/v)."""
    return quadratic_limits(design, level, 1 / design.v)


@TAU2_INTERVALS.add("J", title="Jackson", cite="Jackson D. Res Synth Methods 2013;4:220-9. doi:10.1002/jrsm.1081")
def jackson(design: Design, level: float, method: str) -> Limits:
    """Limits from the exact distribution of a Q with weights 1/sqrt(v)."""
    return quadratic_limits(design, level, 1 / np.sqrt(design.v))


@TAU2_INTERVALS.add(
    "PL",
    title="profile likelihood",
    cite="Hardy RJ, Thompson SG. Stat Med 1996;15:619-29. "
    "doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A",
)
def profile_likelihood(design: Design, level: float, method: str) -> Limits:
    """Variances whose (restricted) likelihood is lower than the maximum by half a chi-squared quantile."""
    restricted = method != "ML"
    peak = TAU2["REML" if restricted else "ML"](design).value
    floor = log_likelihood(design, peak, restricted=restricted) - 0.5 * float(special.chdtri(1, 1 - level))

    def above(t: float) -> float:
        return log_likelihood(design, t, restricted=restricted) - floor

    top = rising_bracket(above, max(2 * peak, float(np.median(design.v))))
    lower = 0.0 if peak == 0 or above(0.0) >= 0 else bracketed_root(above, 0.0, peak)
    return Limits(lower, bracketed_root(above, peak, top))


def tau2_limits(design: Design, *, method_ci: str = "QP", method_tau: str = "REML", level: float = 0.95) -> Limits:
    """Confidence limits of the between-study variance; `method_ci` is a code of TAU2_INTERVALS.

    NaN limits where there are not more studies than coefficients. `method_tau` "ML" profiles the likelihood,
    any other code the restricted likelihood. Pinned by `tau2_ci_raudenbush1985` and `tau2_ci_bcg`.
    """
    interval = TAU2_INTERVALS[method_ci]
    if design.k <= design.p:
        return Limits(float("nan"), float("nan"))
    return interval(design, level, method_tau)
