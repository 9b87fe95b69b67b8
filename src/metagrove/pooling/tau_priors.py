"""What was known about the between-study standard deviation before the studies: prior distributions by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = [
    "COMPARISONS",
    "RHODES_OUTCOMES",
    "TAU_PRIORS",
    "TURNER_OUTCOMES",
    "TauPrior",
    "rhodes_prior",
    "turner_prior",
]

_LOG_PI = float(np.log(np.pi))


@dataclass(frozen=True, slots=True)
class TauPrior:
    """A prior density of the between-study standard deviation tau > 0.

    Parameters
    ----------
    label : how it is written in a sentence ("half-normal with scale 0.5").
    log_density : natural logarithm of the density at tau, arrays to arrays.
    centre : a typical tau, where an integration may start.
    proper : whether the density integrates to 1.
    cite : paper with DOI.
    """

    label: str
    log_density: Callable[[Array], Array]
    centre: float
    cite: str
    proper: bool = True


_ROVER = "Röver C, et al. Res Synth Methods 2021;12:448-74. doi:10.1002/jrsm.1475"
_POLSON = "Polson NG, Scott JG. Bayesian Anal 2012;7:887-902. doi:10.1214/12-BA730"
_GELMAN = "Gelman A. Bayesian Anal 2006;1:515-34. doi:10.1214/06-BA117A"
_TURNER = "Turner RM, Jackson D, Wei Y, Thompson SG, Higgins JPT. Stat Med 2015;34:984-98. doi:10.1002/sim.6381"
_RHODES = "Rhodes KM, Turner RM, Higgins JPT. J Clin Epidemiol 2015;68:52-60. doi:10.1016/j.jclinepi.2014.08.012"


def _scaled(scale: float) -> float:
    if not 0 < scale < np.inf:
        raise MethodError(f"the scale of a prior is {scale!r}; it must be above 0")
    return float(scale)


def _half_normal(scale: float) -> TauPrior:
    s = _scaled(scale)
    constant = 0.5 * np.log(2 / np.pi) - np.log(s)
    return TauPrior(f"half-normal with scale {s:g}", lambda t: constant - 0.5 * (t / s) ** 2, s, _ROVER)


def _half_cauchy(scale: float) -> TauPrior:
    s = _scaled(scale)
    constant = np.log(2) - _LOG_PI - np.log(s)
    return TauPrior(f"half-Cauchy with scale {s:g}", lambda t: constant - np.log1p((t / s) ** 2), s, _POLSON)


def _uniform(scale: float) -> TauPrior:
    s = _scaled(scale)
    return TauPrior("uniform and improper", np.zeros_like, s, _GELMAN, proper=False)


TAU_PRIORS = Registry[Callable[[float], TauPrior]]("prior of the between-study standard deviation")
TAU_PRIORS.put("half-normal", _half_normal, title="half-normal", cite=_ROVER)
TAU_PRIORS.put("half-Cauchy", _half_cauchy, title="half-Cauchy", cite=_POLSON)
TAU_PRIORS.put("uniform", _uniform, title="uniform (improper)", cite=_GELMAN)

#: Kinds of comparison in the two papers; the last three are one kind for Rhodes and colleagues.
COMPARISONS = (
    "pharmacological vs. placebo / control",
    "pharmacological vs. pharmacological",
    "non-pharmacological vs. placebo / control",
    "non-pharmacological vs. pharmacological",
    "non-pharmacological vs. non-pharmacological",
)
TURNER_OUTCOMES = (
    "all-cause mortality",
    "obstetric",
    "cause-specific mortality / major morbidity",
    "resource use / hospital stay / process",
    "surgical / device success or failure",
    "withdrawals / drop-outs",
    "internal / structure-related",
    "general physical health",
    "adverse events",
    "infection / onset of disease",
    "signs / symptoms",
    "pain",
    "quality of life / functioning",
    "mental health",
    "biological markers",
    "subjective (various)",
)
# Turner and colleagues, table IV: minus the mean, and the standard deviation, of log tau². These and Rhodes' entries
# agree between two published transcriptions, the R packages bayesmeta and rnmamod.
_TURNER_MEAN = (
    (3.95, 3.52, 3.71, 2.34, 2.14, 2.99, 2.71, 2.29, 1.87, 2.49, 2.06, 1.83, 2.54, 2.12, 1.77, 2.70),
    (4.18, 3.75, 3.95, 2.58, 2.37, 3.23, 2.94, 2.53, 2.10, 2.73, 2.29, 2.06, 2.78, 2.35, 2.00, 2.93),
    (4.17, 3.74, 3.93, 2.56, 2.36, 3.21, 2.93, 2.51, 2.10, 2.71, 2.28, 2.05, 2.77, 2.34, 1.99, 2.92),
    (2.92, 2.49, 2.68, 1.31, 1.11, 1.96, 1.67, 1.26, 0.84, 1.46, 1.03, 0.80, 1.51, 1.09, 0.74, 1.67),
    (3.50, 3.08, 3.27, 1.90, 1.69, 2.55, 2.26, 1.85, 1.43, 2.05, 1.61, 1.38, 2.10, 1.67, 1.33, 2.26),
)
_TURNER_SD = (
    (1.34, 1.74, 1.74, 1.74, 1.74, 1.74, 1.74, 1.53, 1.52, 1.52, 1.51, 1.52, 1.54, 1.53, 1.52, 1.52),
    (1.41, 1.79, 1.79, 1.79, 1.79, 1.79, 1.79, 1.58, 1.58, 1.58, 1.58, 1.58, 1.60, 1.60, 1.58, 1.58),
    (1.55, 1.91, 1.91, 1.91, 1.91, 1.91, 1.92, 1.72, 1.71, 1.71, 1.71, 1.71, 1.73, 1.72, 1.71, 1.71),
    (1.02, 1.50, 1.51, 1.50, 1.50, 1.51, 1.51, 1.25, 1.24, 1.24, 1.24, 1.25, 1.27, 1.27, 1.24, 1.25),
    (1.26, 1.68, 1.68, 1.68, 1.68, 1.68, 1.68, 1.46, 1.45, 1.45, 1.45, 1.45, 1.47, 1.47, 1.45, 1.45),
)
RHODES_OUTCOMES = (
    "obstetric",
    "resource use / hospital stay / process",
    "internal / external structure-related",
    "physical health, adverse events, pain, quality of life",
    "signs / symptoms, infection, onset of disease",
    "mental health",
    "biological marker",
    "subjective (various)",
)
_NAN = float("nan")
# Rhodes and colleagues, table 3 and its two appendix tables: minus the location, and the scale, of log tau² under a t
# distribution with 5 degrees of freedom. NaN: printed values that break the additive pattern of their table.
_RHODES_LOCATION = {
    "other": (
        (4.13, 2.55, 2.43, 3.16, 3.00, 2.99, 3.41, 2.76),
        (4.40, 2.83, 2.70, 3.44, 3.27, 3.27, 3.68, 3.03),
        (3.99, 2.41, 2.29, 3.02, 2.86, _NAN, 3.27, 2.62),
    ),
    "respiratory": (
        (6.03, 4.46, 4.33, 5.07, 4.90, 4.90, 5.31, 4.66),
        (6.31, 4.73, 4.61, 5.34, 5.18, 5.17, 5.59, 4.94),
        (5.89, 4.32, 4.19, 4.93, 4.76, 4.76, 5.17, 4.52),
    ),
    "cancer": (
        (1.57, -0.01, _NAN, 0.60, 0.44, 0.43, 0.85, 0.20),
        (1.85, 0.27, 0.14, 0.88, 0.71, 0.71, 1.13, 0.48),
        (1.43, -0.15, -0.27, 0.46, 0.30, 0.29, 0.71, 0.06),
    ),
}
_RHODES_SCALE = {
    "other": (
        (2.34, 2.73, 2.50, 2.50, 2.50, 2.16, 2.83, 2.58),
        (2.31, 2.70, 2.46, 2.44, 2.47, 2.14, 2.78, 2.59),
        (2.11, 2.57, 2.32, 2.27, 2.33, 1.93, 2.66, 2.41),
    ),
    "respiratory": (
        (2.36, 2.74, 2.51, 2.51, 2.50, 2.17, 2.83, 2.59),
        (2.31, 2.70, 2.46, 2.45, 2.47, 2.14, 2.78, 2.59),
        (2.21, 2.57, 2.33, 2.28, 2.33, 1.94, 2.66, 2.41),
    ),
    "cancer": (
        (2.45, 2.83, 2.61, 2.61, 2.60, 2.28, 2.93, 2.68),
        (2.41, 2.79, 2.56, 2.55, 2.57, 2.25, 2.87, 2.68),
        (2.24, 2.68, 2.45, 2.40, 2.46, 2.08, 2.78, 2.53),
    ),
}


def _place(kind: str, name: str, known: tuple[str, ...]) -> int:
    if name not in known:
        raise UnknownName(kind, name, known)
    return known.index(name)


def turner_prior(outcome: str, comparison: str) -> TauPrior:
    """Log-normal prior of tau² for log odds ratios, from 14,886 Cochrane meta-analyses.

    Parameters
    ----------
    outcome : one of TURNER_OUTCOMES.
    comparison : one of COMPARISONS.

    Turner RM, et al. Stat Med 2015;34:984-98. doi:10.1002/sim.6381

    >>> turner_prior("all-cause mortality", "pharmacological vs. placebo / control").label
    'log-normal with mean -3.95 and SD 1.34 of log tau²'
    """
    i, j = _place("comparison", comparison, COMPARISONS), _place("outcome", outcome, TURNER_OUTCOMES)
    mean, sd = -_TURNER_MEAN[i][j], _TURNER_SD[i][j]
    constant = np.log(2) - np.log(sd) - 0.5 * np.log(2 * np.pi)

    def log_density(t: Array) -> Array:
        return np.asarray(constant - np.log(t) - 0.5 * ((2 * np.log(t) - mean) / sd) ** 2, dtype=float)

    label = f"log-normal with mean {mean:g} and SD {sd:g} of log tau²"
    return TauPrior(label, log_density, float(np.exp(mean / 2)), _TURNER)


def rhodes_prior(outcome: str | None = None, comparison: str = COMPARISONS[0], *, area: str = "other") -> TauPrior:
    """Log-t prior of tau² for standardised mean differences, from 6,492 Cochrane meta-analyses.

    Parameters
    ----------
    outcome : one of RHODES_OUTCOMES, or None for the general setting.
    comparison : one of COMPARISONS.
    area : "cancer", "respiratory" or "other".

    Raises
    ------
    MethodError for two settings whose printed values contradict the rest of their table.

    Rhodes KM, Turner RM, Higgins JPT. J Clin Epidemiol 2015;68:52-60. doi:10.1016/j.jclinepi.2014.08.012
    """
    if outcome is None:
        location, spread = -3.44, 2.59
    else:
        if area not in _RHODES_LOCATION:
            raise UnknownName("medical area", area, _RHODES_LOCATION)
        i = min(_place("comparison", comparison, COMPARISONS), 2)
        j = _place("outcome", outcome, RHODES_OUTCOMES)
        location, spread = -_RHODES_LOCATION[area][i][j], _RHODES_SCALE[area][i][j]
    if np.isnan(location):
        raise MethodError(f"the prior printed for '{outcome}' ({comparison}, {area}) contradicts the rest of its table")
    constant = np.log(2 / spread) - float(special.betaln(0.5, 2.5)) - 0.5 * np.log(5)

    def log_density(t: Array) -> Array:
        x = (2 * np.log(t) - location) / spread
        return np.asarray(constant - np.log(t) - 3 * np.log1p(x**2 / 5), dtype=float)

    label = f"log-t with location {location:g}, scale {spread:g} and 5 degrees of freedom of log tau²"
    return TauPrior(label, log_density, float(np.exp(location / 2)), _RHODES)
