"""Families of survival distributions: cumulative hazard and log hazard of each, on unconstrained parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = ["FAMILIES", "Family", "normal_rise"]

_COLLETT = "Collett D. Modelling Survival Data in Medical Research. 3rd ed. CRC 2015. doi:10.1201/b18041"
_PRENTICE = (
    "Prentice RL. A log gamma model and its maximum likelihood estimation. Biometrika 1974;61:539-544. "
    "doi:10.1093/biomet/61.3.539"
)
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Family:
    """A distribution of survival times in units in which the mean follow-up is about 1.

    Parameters
    ----------
    parameters : names, in order; those on a log scale begin with "log ".
    start : values from the event rate.
    cumulative : (parameters, times) to cumulative hazard.
    log_hazard : (parameters, times) to the log of the hazard.
    slopes : (parameters, times) to the derivatives of both with respect to the parameters, each of shape (n, p).
    rescale : (parameters, unit) to the parameters when time is multiplied by `unit`.
    """

    parameters: tuple[str, ...]
    start: Callable[[float], Array]
    cumulative: Callable[[Array, Array], Array]
    log_hazard: Callable[[Array, Array], Array]
    slopes: Callable[[Array, Array], tuple[Array, Array]]
    rescale: Callable[[Array, float], Array]


FAMILIES: Registry[Family] = Registry("family of survival distributions")
"""Distributions for `parametric_survival`; parameters are unconstrained."""


def _shifted(index: int, sign: float) -> Callable[[Array, float], Array]:
    def rescale(b: Array, unit: float) -> Array:
        moved = b.copy()
        moved[index] += sign * np.log(unit)
        return moved

    return rescale


def _log(values: Array) -> Array:
    return np.log(np.maximum(values, _TINY))


FAMILIES.put(
    "exponential",
    Family(
        ("log rate",),
        lambda rate: np.log([rate]),
        lambda b, t: np.exp(b[0]) * t,
        lambda b, t: np.full(t.shape, b[0]),
        lambda b, t: (np.exp(b[0]) * t[:, None], np.ones((t.size, 1))),
        _shifted(0, -1),
    ),
    title="exponential",
    cite=_COLLETT,
)


def _weibull_cumulative(b: Array, t: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(np.exp(b[0]) * (_log(t) - b[1])))


def _weibull_slopes(b: Array, t: Array) -> tuple[Array, Array]:
    shape, z = np.exp(b[0]), _log(t) - b[1]
    hazard = _weibull_cumulative(b, t)
    turn = np.column_stack((shape * z, np.full(t.shape, -shape)))
    return hazard[:, None] * turn, turn + np.array([1.0, 0.0])


FAMILIES.put(
    "weibull",
    Family(
        ("log shape", "log scale"),
        lambda rate: np.array([0.0, -np.log(rate)]),
        _weibull_cumulative,
        lambda b, t: b[0] - b[1] + (np.exp(b[0]) - 1) * (_log(t) - b[1]),
        _weibull_slopes,
        _shifted(1, 1),
    ),
    title="Weibull",
    cite=_COLLETT,
)


def _gompertz_cumulative(b: Array, t: Array) -> Array:
    with np.errstate(over="ignore"):
        growth = np.expm1(b[0] * t) / b[0] if abs(b[0]) > 1e-8 else t * (1 + b[0] * t / 2)
        return np.asarray(np.exp(b[1]) * growth)


def _gompertz_slopes(b: Array, t: Array) -> tuple[Array, Array]:
    x = b[0] * t
    with np.errstate(over="ignore", invalid="ignore"):
        # The derivative of (e^x - 1)/x, by its series where the difference would round.
        turned = np.where(np.abs(x) < 1e-3, 0.5 + x / 3 + x**2 / 8 + x**3 / 30, 0.0)
        far = np.abs(x) >= 1e-3
        turned[far] = (np.exp(x[far]) * (x[far] - 1) + 1) / x[far] ** 2
        hazard = np.column_stack((np.exp(b[1]) * t**2 * turned, _gompertz_cumulative(b, t)))
    return hazard, np.column_stack((t, np.ones_like(t)))


def _gompertz_rescale(b: Array, unit: float) -> Array:
    return np.array([b[0] / unit, b[1] - np.log(unit)])


FAMILIES.put(
    "gompertz",
    Family(
        ("shape", "log rate"),
        lambda rate: np.array([0.0, np.log(rate)]),
        _gompertz_cumulative,
        lambda b, t: b[1] + b[0] * t,
        _gompertz_slopes,
        _gompertz_rescale,
    ),
    title="Gompertz",
    cite=_COLLETT,
)


def _normal_cumulative(z: Array) -> Array:
    from scipy.special import log_ndtr

    return np.asarray(-log_ndtr(-z))


def normal_rise(z: Array) -> Array:
    """The derivative of -log(1 - Phi(z)), the hazard of the normal distribution."""
    return np.asarray(np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) + _normal_cumulative(z)))


def _log_normal_slopes(b: Array, t: Array) -> tuple[Array, Array]:
    z = (_log(t) - b[0]) * np.exp(-b[1])
    rise = normal_rise(z)[:, None]
    turn = np.column_stack((np.full(t.shape, -np.exp(-b[1])), -z))
    return rise * turn, (rise - z[:, None]) * turn + np.array([0.0, -1.0])


def _log_normal_hazard(b: Array, t: Array) -> Array:
    z = (_log(t) - b[0]) * np.exp(-b[1])
    return np.asarray(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - b[1] - _log(t) + _normal_cumulative(z))


FAMILIES.put(
    "log-normal",
    Family(
        ("mean of log time", "log sd of log time"),
        lambda rate: np.array([-np.log(rate) - 0.5, 0.0]),
        lambda b, t: _normal_cumulative((_log(t) - b[0]) * np.exp(-b[1])),
        _log_normal_hazard,
        _log_normal_slopes,
        _shifted(0, 1),
    ),
    title="log-normal",
    cite=_COLLETT,
)


def _logistic_cumulative(b: Array, t: Array) -> Array:
    return np.asarray(np.logaddexp(0.0, np.exp(b[0]) * (_log(t) - b[1])))


def _logistic_hazard(b: Array, t: Array) -> Array:
    z = np.exp(b[0]) * (_log(t) - b[1])
    return np.asarray(b[0] + z - _log(t) - np.logaddexp(0.0, z))


def _logistic_slopes(b: Array, t: Array) -> tuple[Array, Array]:
    from scipy.special import expit

    z = np.exp(b[0]) * (_log(t) - b[1])
    turn = np.column_stack((z, np.full(t.shape, -np.exp(b[0]))))
    return expit(z)[:, None] * turn, expit(-z)[:, None] * turn + np.array([1.0, 0.0])


FAMILIES.put(
    "log-logistic",
    Family(
        ("log shape", "log scale"),
        lambda rate: np.array([0.2, -np.log(rate) - 0.4]),
        _logistic_cumulative,
        _logistic_hazard,
        _logistic_slopes,
        _shifted(1, 1),
    ),
    title="log-logistic",
    cite=_COLLETT,
)

#: Below this |Q| the generalized gamma is the log-normal to the last digit that the gamma functions keep.
_FLAT = 1e-4


def _gamma_cumulative(b: Array, t: Array) -> Array:
    from scipy.special import gammainc, gammaincc

    w, q = (_log(t) - b[0]) * np.exp(-b[1]), float(b[2])
    if abs(q) < _FLAT:
        return _normal_cumulative(w)
    a = q**-2
    u = a * np.exp(np.minimum(q * w, 600.0))
    return np.asarray(-_log(gammaincc(a, u) if q > 0 else gammainc(a, u)))


def _gamma_hazard(b: Array, t: Array) -> Array:
    from scipy.special import gammaln

    w, q = (_log(t) - b[0]) * np.exp(-b[1]), float(b[2])
    if abs(q) < _FLAT:
        return _log_normal_hazard(b, t)
    a = q**-2
    log_density = (
        np.log(abs(q)) + a * np.log(a) - gammaln(a) - b[1] - _log(t) + a * (q * w - np.exp(np.minimum(q * w, 600.0)))
    )
    return np.asarray(log_density + _gamma_cumulative(b, t))


def _gamma_slopes(b: Array, t: Array) -> tuple[Array, Array]:
    w, q = (_log(t) - b[0]) * np.exp(-b[1]), float(b[2])
    rise = np.exp(np.minimum(_gamma_hazard(b, t) + _log(t) + b[1], 600.0))
    density = -w if abs(q) < _FLAT else -np.expm1(np.minimum(q * w, 600.0)) / q
    turn = np.column_stack((np.full(t.shape, -np.exp(-b[1])), -w))
    hazard, rate = rise[:, None] * turn, (rise + density)[:, None] * turn + np.array([0.0, -1.0])
    # No closed form for Q: differences of fourth order, wide enough to step over the flat piece about 0.
    step = np.array([0.0, 0.0, 1e-3])
    by_q = [
        (8 * (f(b + step, t) - f(b - step, t)) - f(b + 2 * step, t) + f(b - 2 * step, t)) / (12 * step[2])
        for f in (_gamma_cumulative, _gamma_hazard)
    ]
    return np.column_stack((hazard, by_q[0])), np.column_stack((rate, by_q[1]))


FAMILIES.put(
    "generalized-gamma",
    Family(
        ("location", "log scale", "shape Q"),
        lambda rate: np.array([-np.log(rate) - 0.2, 0.0, 0.5]),
        _gamma_cumulative,
        _gamma_hazard,
        _gamma_slopes,
        _shifted(0, 1),
    ),
    title="generalized gamma",
    cite=_PRENTICE,
)
