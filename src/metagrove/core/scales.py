"""Scales: how an effect is analysed and how it is reported, by the field's code (`sm`).

Back-transforms take the value on the analysis scale and the sample size (or time at risk) that the double-arcsine and
the Freeman-Tukey rate need; the others ignore it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.registry import Registry
from metagrove.core.values import Array

__all__ = ["SAMPLE_SIZES", "SCALES", "Scale", "double_arcsine", "scale"]


@dataclass(frozen=True, slots=True)
class Scale:
    """One analysis scale.

    Parameters
    ----------
    label : the quantity as reported ("Proportion", "Odds ratio").
    back : reporting-scale value of (analysis-scale value, n).
    needs_n : whether `back` depends on n.
    ratio : whether the reported value is a ratio (drawn on a log axis, no effect at 1).
    transformed : whether analysis and reporting scale differ.
    bounds : the smallest and largest value the reporting scale allows.
    """

    label: str
    back: Callable[[Array, Array], Array]
    needs_n: bool = False
    ratio: bool = False
    transformed: bool = True
    bounds: tuple[float, float] = (-np.inf, np.inf)


def _same(x: Array, n: Array) -> Array:
    return x


def _exp(x: Array, n: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(x), dtype=float)


def _expit(x: Array, n: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=float)


def _arcsine(x: Array, n: Array) -> Array:
    return np.asarray(np.sin(np.clip(x, 0.0, np.pi / 2)) ** 2, dtype=float)


def double_arcsine(events: ArrayLike, n: ArrayLike) -> Array:
    """Freeman-Tukey double arcsine of `events` among `n`, in radians (mean of the two angles).

    Freeman MF, Tukey JW. Ann Math Stat 1950;21:607-11. doi:10.1214/aoms/1177729756
    """
    e, size = np.asarray(events, dtype=float), np.asarray(n, dtype=float)
    more = size + 1
    shares = np.array([e / more, (e + 1) / more])
    angles = np.arcsin(np.sqrt(np.minimum(np.maximum(shares, 0.0), 1.0)))
    return np.asarray(0.5 * (angles[0] + angles[1]), dtype=float)


def _double_arcsine_back(x: Array, n: Array) -> Array:
    """Proportion behind a double arcsine at sample size n.

    Miller JJ. The inverse of the Freeman-Tukey double arcsine transformation. Am Stat 1978;32:138.
    doi:10.1080/00031305.1978.10479283. Outside the range that n allows the proportion is 0 or 1.
    """
    low, high = double_arcsine(np.zeros_like(n), n), double_arcsine(n, n)
    inside = np.clip(x, low, high)
    sine = np.sin(2 * inside)
    inner = sine + (sine - 1.0 / sine) / n
    p = 0.5 * (1.0 - np.sign(np.cos(2 * inside)) * np.sqrt(np.clip(1.0 - inner**2, 0.0, None)))
    return np.asarray(np.where(x <= low, 0.0, np.where(x >= high, 1.0, p)), dtype=float)


def _square(x: Array, n: Array) -> Array:
    return np.asarray(np.clip(x, 0.0, None) ** 2, dtype=float)


def _freeman_tukey_rate_back(x: Array, t: Array) -> Array:
    """Rate behind the mean of sqrt(e/t) and sqrt((e+1)/t), at time t: the exact inverse, 0 below its range."""
    low = 0.5 * np.sqrt(1.0 / t)
    inside = np.maximum(x, low)
    with np.errstate(over="ignore"):
        rate = (inside - 0.25 / (t * inside)) ** 2
    return np.asarray(np.where(x <= low, 0.0, rate), dtype=float)


def _tanh(x: Array, n: Array) -> Array:
    return np.asarray(np.tanh(x), dtype=float)


def _efficacy(x: Array, n: Array) -> Array:
    return np.asarray(100.0 * (1.0 - _exp(x, n)), dtype=float)


SCALES = Registry[Scale]("effect measure")

_PROPORTION, _POSITIVE = (0.0, 1.0), (0.0, np.inf)
_FREEMAN_TUKEY = "Freeman MF, Tukey JW. Ann Math Stat 1950;21:607-11. doi:10.1214/aoms/1177729756"
_WARTON = "Warton DI, Hui FKC. Ecology 2011;92:3-10. doi:10.1890/10-0340.1"
_HIGGINS = "Higgins JPT, Li T, Deeks JJ. Cochrane Handbook, chapter 6. 2019. doi:10.1002/9781119536604.ch6"
_FLEISS = "Fleiss JL. Stat Methods Med Res 1993;2:121-45. doi:10.1177/096228029300200202"
_BAGOS = "Bagos PG, Nikolopoulos GK. Int J Biostat 2009;5(1):21. doi:10.2202/1557-4679.1168"
_HEDGES = "Hedges LV, Gurevitch J, Curtis PS. Ecology 1999;80:1150-6. doi:10.2307/177062"
_NAKAGAWA = "Nakagawa S, et al. Methods Ecol Evol 2015;6:143-52. doi:10.1111/2041-210X.12309"

for _code, _scale, _title, _cite in (
    ("", Scale("Effect", _same, transformed=False), "generic effect", _HIGGINS),
    ("PRAW", Scale("Proportion", _same, transformed=False), "raw proportion", _WARTON),
    ("PLN", Scale("Proportion", _exp, bounds=_POSITIVE), "log proportion", _WARTON),
    ("PLOGIT", Scale("Proportion", _expit, bounds=_PROPORTION), "logit proportion", _WARTON),
    ("PAS", Scale("Proportion", _arcsine, bounds=_PROPORTION), "arcsine proportion", _WARTON),
    (
        "PFT",
        Scale("Proportion", _double_arcsine_back, needs_n=True, bounds=_PROPORTION),
        "Freeman-Tukey double arcsine proportion",
        _FREEMAN_TUKEY,
    ),
    ("IR", Scale("Incidence rate", _same, transformed=False), "raw incidence rate", _BAGOS),
    ("IRLN", Scale("Incidence rate", _exp, bounds=_POSITIVE), "log incidence rate", _BAGOS),
    ("IRS", Scale("Incidence rate", _square, bounds=_POSITIVE), "square-root incidence rate", _BAGOS),
    (
        "IRFT",
        Scale("Incidence rate", _freeman_tukey_rate_back, needs_n=True, bounds=_POSITIVE),
        "Freeman-Tukey double square-root rate",
        _FREEMAN_TUKEY,
    ),
    ("MRAW", Scale("Mean", _same, transformed=False), "raw mean", _HIGGINS),
    ("MLN", Scale("Mean", _exp, bounds=_POSITIVE), "log mean", _HEDGES),
    ("ZCOR", Scale("Correlation", _tanh, bounds=(-1.0, 1.0)), "Fisher's z of a correlation", _FLEISS),
    ("COR", Scale("Correlation", _same, transformed=False), "raw correlation", _FLEISS),
    ("UCOR", Scale("Correlation", _same, transformed=False), "bias-corrected correlation", _FLEISS),
    ("OR", Scale("Odds ratio", _exp, ratio=True, bounds=_POSITIVE), "log odds ratio", _FLEISS),
    ("RR", Scale("Risk ratio", _exp, ratio=True, bounds=_POSITIVE), "log risk ratio", _FLEISS),
    ("RD", Scale("Risk difference", _same, transformed=False), "risk difference", _FLEISS),
    ("ASD", Scale("Arcsine difference", _same, transformed=False), "arcsine difference", _WARTON),
    ("DOR", Scale("Diagnostic odds ratio", _exp, ratio=True, bounds=_POSITIVE), "log diagnostic odds ratio", _FLEISS),
    ("VE", Scale("Vaccine efficacy (%)", _efficacy, bounds=(-np.inf, 100.0)), "vaccine efficacy", _FLEISS),
    ("HR", Scale("Hazard ratio", _exp, ratio=True, bounds=_POSITIVE), "log hazard ratio", _HIGGINS),
    ("IRR", Scale("Incidence rate ratio", _exp, ratio=True, bounds=_POSITIVE), "log incidence rate ratio", _BAGOS),
    ("IRD", Scale("Incidence rate difference", _same, transformed=False), "incidence rate difference", _BAGOS),
    (
        "IRSD",
        Scale("Square-root rate difference", _same, transformed=False),
        "difference of square-root incidence rates",
        _BAGOS,
    ),
    ("MD", Scale("Mean difference", _same, transformed=False), "mean difference", _FLEISS),
    ("SMD", Scale("Standardised mean difference", _same, transformed=False), "standardised mean difference", _FLEISS),
    ("ROM", Scale("Ratio of means", _exp, ratio=True, bounds=_POSITIVE), "log ratio of means", _HEDGES),
    ("VR", Scale("Variability ratio", _exp, ratio=True, bounds=_POSITIVE), "log variability ratio", _NAKAGAWA),
    (
        "CVR",
        Scale("Coefficient of variation ratio", _exp, ratio=True, bounds=_POSITIVE),
        "log coefficient of variation ratio",
        _NAKAGAWA,
    ),
):
    SCALES.put(_code, _scale, title=_title, cite=_cite)

_GENERIC = SCALES[""]


def scale(sm: str) -> Scale:
    """The scale of a measure code; a code of the user's own is analysed and reported as it is."""
    return SCALES.get(sm, _GENERIC)


SAMPLE_SIZES = Registry[Callable[[Array, float], float]]("sample size of a back-transform")


def _harmonic(n: Array, se: float) -> float:
    return float(n.size / np.sum(1 / n))


def _arithmetic(n: Array, se: float) -> float:
    return float(n.mean())


def _geometric(n: Array, se: float) -> float:
    return float(np.exp(np.log(n).mean()))


def _of_variance(n: Array, se: float) -> float:
    return float(1 / (4 * se**2))


_SCHWARZER = (
    "Schwarzer G, Chemaitelly H, Abu-Raddad LJ, Rücker G. Res Synth Methods 2019;10:476-83. doi:10.1002/jrsm.1348"
)
_MILLER = "Miller JJ. Am Stat 1978;32:138. doi:10.1080/00031305.1978.10479283"
_BARENDREGT = "Barendregt JJ, et al. J Epidemiol Community Health 2013;67:974-8. doi:10.1136/jech-2013-203104"
SAMPLE_SIZES.put("harmonic", _harmonic, title="harmonic mean of the sample sizes", cite=_MILLER)
SAMPLE_SIZES.put("arithmetic", _arithmetic, title="arithmetic mean of the sample sizes", cite=_SCHWARZER)
SAMPLE_SIZES.put("geometric", _geometric, title="geometric mean of the sample sizes", cite=_SCHWARZER)
SAMPLE_SIZES.put("variance", _of_variance, title="one over the variance of the pooled angle", cite=_BARENDREGT)
