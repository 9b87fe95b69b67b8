"""Families of survival distributions: cumulative hazard and log hazard of each, on unconstrained parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = ["FAMILIES", "Family"]

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
    rescale : (parameters, unit) to the parameters when time is multiplied by `unit`.
    """

    parameters: tuple[str, ...]
    start: Callable[[float], Array]
    cumulative: Callable[[Array, Array], Array]
    log_hazard: Callable[[Array, Array], Array]
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
        _shifted(0, -1),
    ),
    title="exponential",
    cite=_COLLETT,
)


def _weibull_cumulative(b: Array, t: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(np.exp(b[0]) * (_log(t) - b[1])))


FAMILIES.put(
    "weibull",
    Family(
        ("log shape", "log scale"),
        lambda rate: np.array([0.0, -np.log(rate)]),
        _weibull_cumulative,
        lambda b, t: b[0] - b[1] + (np.exp(b[0]) - 1) * (_log(t) - b[1]),
        _shifted(1, 1),
    ),
    title="Weibull",
    cite=_COLLETT,
)


def _gompertz_cumulative(b: Array, t: Array) -> Array:
    with np.errstate(over="ignore"):
        growth = np.expm1(b[0] * t) / b[0] if abs(b[0]) > 1e-8 else t * (1 + b[0] * t / 2)
        return np.asarray(np.exp(b[1]) * growth)


def _gompertz_rescale(b: Array, unit: float) -> Array:
    return np.array([b[0] / unit, b[1] - np.log(unit)])


FAMILIES.put(
    "gompertz",
    Family(
        ("shape", "log rate"),
        lambda rate: np.array([0.0, np.log(rate)]),
        _gompertz_cumulative,
        lambda b, t: b[1] + b[0] * t,
        _gompertz_rescale,
    ),
    title="Gompertz",
    cite=_COLLETT,
)


def _normal_cumulative(z: Array) -> Array:
    from scipy.special import log_ndtr

    return np.asarray(-log_ndtr(-z))


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


FAMILIES.put(
    "log-logistic",
    Family(
        ("log shape", "log scale"),
        lambda rate: np.array([0.2, -np.log(rate) - 0.4]),
        _logistic_cumulative,
        _logistic_hazard,
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


FAMILIES.put(
    "generalized-gamma",
    Family(
        ("location", "log scale", "shape Q"),
        lambda rate: np.array([-np.log(rate) - 0.2, 0.0, 0.5]),
        _gamma_cumulative,
        _gamma_hazard,
        _shifted(0, 1),
    ),
    title="generalized gamma",
    cite=_PRENTICE,
)
