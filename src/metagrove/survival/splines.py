"""Royston and Parmar's flexible families: natural cubic splines of log time on a link scale."""

from __future__ import annotations

import numpy as np

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.survival.families import Family, normal_rise

__all__ = ["ROYSTON_PARMAR", "SCALES", "spline_basis", "spline_family", "spline_knots"]

ROYSTON_PARMAR = (
    "Royston P, Parmar MKB. Flexible parametric proportional-hazards and proportional-odds models for censored "
    "survival data, with application to prognostic modelling and estimation of treatment effects. Stat Med "
    "2002;21:2175-2197. doi:10.1002/sim.1203"
)
SCALES = ("hazard", "odds", "normal")


def spline_knots(log_time: Array, inner: int) -> Array:
    """Knots at evenly spaced centiles of the log event times, the ends included; shape (inner + 2,)."""
    if inner < 0:
        raise DataError(f"{inner} inner knots; there are 0 or more")
    knots = np.quantile(log_time, np.linspace(0, 1, inner + 2))
    if np.diff(knots).min(initial=1.0) <= 1e-8 or knots[-1] - knots[0] <= 1e-8:
        raise MethodError(f"{log_time.size} event times cannot carry {inner} inner knots; two knots fall on one time")
    return np.asarray(knots)


def spline_basis(x: Array, knots: Array) -> tuple[Array, Array]:
    """The natural cubic spline's basis at `x` and its derivative, both of shape (n, inner + 2).

    Columns are 1, x, and one for each inner knot, straight beyond the ends.
    """
    low, high = knots[0], knots[-1]
    columns, slopes = [np.ones_like(x), x], [np.zeros_like(x), np.ones_like(x)]
    for knot in knots[1:-1]:
        share = (high - knot) / (high - low)
        above, first, last = (np.maximum(x - k, 0.0) for k in (knot, low, high))
        columns.append(above**3 - share * first**3 - (1 - share) * last**3)
        slopes.append(3 * (above**2 - share * first**2 - (1 - share) * last**2))
    return np.column_stack(columns), np.column_stack(slopes)


def spline_family(knots: Array, scale: str = "hazard") -> Family:
    """The family whose transformed survival is a spline of log time with the given knots.

    Parameters
    ----------
    knots : shape (m,), of log time, increasing.
    scale : "hazard" (log cumulative hazard, Weibull without inner knots), "odds" (log cumulative odds, log-logistic) or
        "normal" (probit of death, log-normal).

    Notes
    -----
    Royston and Parmar (2002), doi:10.1002/sim.1203.
    """
    if scale not in SCALES:
        raise UnknownName("scale of a spline family", scale, SCALES)

    def parts(b: Array, t: Array) -> tuple[Array, Array, Array]:
        x = np.log(np.maximum(t, 1e-300))
        basis, slope = spline_basis(x, knots)
        return x, basis @ b, slope @ b

    def cumulative(b: Array, t: Array) -> Array:
        _, eta, _ = parts(b, t)
        if scale == "hazard":
            return np.exp(np.minimum(eta, 600.0))
        if scale == "odds":
            return np.logaddexp(0.0, eta)
        from scipy.special import log_ndtr

        return np.asarray(-log_ndtr(-eta))

    def log_hazard(b: Array, t: Array) -> Array:
        x, eta, slope = parts(b, t)
        # A spline that falls is no distribution; such parameters are out of bounds.
        rise = np.where(slope > 0, np.log(np.maximum(slope, 1e-300)), -np.inf)
        if scale == "hazard":
            return rise - x + eta
        if scale == "odds":
            return rise - x + eta - np.logaddexp(0.0, eta)
        from scipy.special import log_ndtr

        return np.asarray(rise - x - 0.5 * eta**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(-eta))

    def slopes(b: Array, t: Array) -> tuple[Array, Array]:
        basis, slope = spline_basis(np.log(np.maximum(t, 1e-300)), knots)
        eta, rising = basis @ b, slope @ b
        if scale == "hazard":
            by_eta, rate = np.exp(np.minimum(eta, 600.0)), np.ones_like(eta)
        elif scale == "odds":
            from scipy.special import expit

            by_eta, rate = expit(eta), expit(-eta)
        else:
            by_eta = normal_rise(eta)
            rate = by_eta - eta
        # Asked for at all times; only at events is the spline held to rise.
        steep = slope / np.where(rising == 0, 1e-300, rising)[:, None]
        return by_eta[:, None] * basis, steep + rate[:, None] * basis

    def start(rate: float) -> Array:
        b = np.zeros(knots.size)
        b[0], b[1] = np.log(rate), 1.0
        return b

    def rescale(b: Array, unit: float) -> Array:
        raise MethodError("a spline keeps its knots in the units it was fitted in")

    names = ("constant", "log time", *(f"knot {i}" for i in range(1, knots.size - 1)))
    return Family(names, start, cumulative, log_hazard, slopes, rescale)
