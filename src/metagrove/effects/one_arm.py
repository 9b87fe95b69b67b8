"""One arm of one study as an effect: proportions, incidence rates, means and correlations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from metagrove.core.errors import DataError, MethodError
from metagrove.core.registry import Registry
from metagrove.core.scales import double_arcsine
from metagrove.core.values import Array
from metagrove.effects.proportion_limits import PROPORTION_INTERVALS, Pair

__all__ = [
    "CORRELATIONS",
    "MEANS",
    "METHOD_INCR",
    "PROPORTIONS",
    "RATES",
    "OneArm",
    "correlation_effects",
    "increments",
    "mean_effects",
    "proportion_effects",
    "rate_effects",
]  # fmt: skip

_NAN = float("nan")
PROPORTIONS = ("PLOGIT", "PAS", "PFT", "PLN", "PRAW")
RATES = ("IR", "IRLN", "IRS", "IRFT")
MEANS = ("MRAW", "MLN")
CORRELATIONS = ("ZCOR", "COR", "UCOR")


@dataclass(frozen=True, slots=True, eq=False)
class OneArm:
    """Effects on the analysis scale, arrays of shape (k,).

    Parameters
    ----------
    TE, seTE : effect and standard error; NaN where the measure does not exist for a study.
    limits : gives the study limits on the analysis scale; infinite where the transformed limit is.
    incr_event : what was added to the events of each study.
    """

    TE: Array
    seTE: Array
    limits: Callable[[], Pair]
    incr_event: Array

    @property
    def lower(self) -> Array:
        """Lower study limits on the analysis scale."""
        return self.limits()[0]

    @property
    def upper(self) -> Array:
        """Upper study limits on the analysis scale."""
        return self.limits()[1]


METHOD_INCR = Registry[Callable[[Array, Array], Array]]("way of adding increments")
_GART = "Gart JJ, Zweifel JR. Biometrika 1967;54:181-7. doi:10.1093/biomet/54.1-2.181"
_SWEETING = "Sweeting MJ, Sutton AJ, Lambert PC. Stat Med 2004;23:1351-75. doi:10.1002/sim.1761"
METHOD_INCR.put("only0", lambda sparse, incr: np.where(sparse, incr, 0.0), title="studies that need it", cite=_GART)
METHOD_INCR.put("if0all", lambda sparse, incr: incr * float(sparse.any()), title="all if one needs it", cite=_SWEETING)
METHOD_INCR.put("all", lambda sparse, incr: incr, title="all studies", cite=_SWEETING)
METHOD_INCR.put("user", lambda sparse, incr: incr, title="the increments given, study by study", cite=_SWEETING)


def increments(sparse: Array, incr: Array | float, method_incr: str) -> Array:
    """What to add to each study's events, shape of `sparse` (True where a count makes the measure degenerate)."""
    given = np.asarray(incr, dtype=float)
    if given.shape != sparse.shape:
        given = np.broadcast_to(given, sparse.shape)
    if not all(value >= 0 for value in given.tolist()):
        raise DataError(f"incr is {given.min():g}; an increment is 0 or above")
    return np.asarray(METHOD_INCR[method_incr](sparse, given), dtype=float) * 1.0


def _wald_pair(te: Array, se: Array, level: float) -> Pair:
    with np.errstate(invalid="ignore"):  # an effect and an error that are both infinite have no limits
        half = float(special.ndtri((1 + level) / 2)) * se
        return te - half, te + half


def _log(x: Array) -> Array:
    """Natural logarithm, minus infinity at 0."""
    return np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), -np.inf)


def _logit(p: Array) -> Array:
    return _log(p) - _log(1 - p)


def proportion_effects(
    events: Array,
    n: Array,
    sm: str,
    *,
    incr: Array | float = 0.5,
    method_incr: str = "only0",
    method_ci: str = "CP",
    level: float = 0.95,
) -> OneArm:
    """Transformed proportions of `events` among `n`.

    Parameters
    ----------
    sm : PRAW, PLN, PLOGIT, PAS or PFT.
    incr : added to the events of studies with 0 or n events where the transformation needs it (not PAS, PFT).
    method_incr : a code of METHOD_INCR.
    method_ci : a code of PROPORTION_INTERVALS, or "NAsm" for normal limits on the analysis scale.

    Pinned by the reference case `prop_ci_grid`.
    """
    if sm not in PROPORTIONS:
        raise MethodError(f"sm '{sm}' is not a measure of a proportion; known: {', '.join(PROPORTIONS)}")
    degenerate = ((events == 0) | (events == n)) & (sm not in ("PAS", "PFT"))
    add = np.zeros_like(n) if sm in ("PAS", "PFT") else increments(degenerate, incr, method_incr)
    te, se = _proportion(events, n, sm, add)
    if method_ci == "NAsm":
        return OneArm(te, se, lambda: _wald_pair(te, se, level), add)
    interval = PROPORTION_INTERVALS[method_ci]
    forward: dict[str, Callable[[Array], Array]] = {
        "PRAW": lambda p: p,
        "PLN": _log,
        "PLOGIT": _logit,
        "PAS": lambda p: np.asarray(np.arcsin(np.sqrt(p)), dtype=float),
        "PFT": lambda p: double_arcsine(counts[1] * p, counts[1]),
    }
    counts = events.copy(), n.copy()  # the limits are asked for later

    def limits() -> Pair:
        lower, upper = interval(*counts, level)
        return forward[sm](lower), forward[sm](upper)

    return OneArm(te, se, limits, add)


def _proportion(e: Array, n: Array, sm: str, add: Array) -> Pair:
    if sm == "PRAW":
        return e / n, np.sqrt((e + add) * (n - e + add) / (n + 2 * add) ** 3)
    if sm == "PAS":
        return np.asarray(np.arcsin(np.sqrt(e / n)), dtype=float), np.sqrt(1 / (4 * n))
    if sm == "PFT":
        return double_arcsine(e, n), np.sqrt(1 / (4 * n + 2))
    with np.errstate(divide="ignore"):  # without increments a study of none or all has an infinite error
        return _log_proportion(e, n, sm, add)


def _log_proportion(e: Array, n: Array, sm: str, add: Array) -> Pair:
    if sm == "PLN":
        # with all n events the increment would cancel in 1/e - 1/n, so it stays out of the first term
        return _log((e + add) / (n + add)), np.sqrt(1 / (e + np.where(e == n, 0.0, add)) - 1 / (n + add))
    return _log((e + add) / (n - e + add)), np.sqrt(1 / (e + add) + 1 / (n - e + add))


def rate_effects(
    events: Array,
    time: Array,
    sm: str,
    *,
    incr: Array | float = 0.5,
    method_incr: str = "only0",
    method_ci: str = "NAsm",
    level: float = 0.95,
) -> OneArm:
    """Transformed incidence rates of `events` over `time` at risk.

    Parameters
    ----------
    sm : IR, IRLN, IRS or IRFT; `incr` is added to no events for IR and IRLN.
    method_ci : "NAsm" (normal on the analysis scale) or "Poisson" (exact).
    """
    if sm not in RATES:
        raise MethodError(f"sm '{sm}' is not a measure of a rate; known: {', '.join(RATES)}")
    if method_ci not in ("NAsm", "Poisson"):
        raise MethodError(f"method_ci '{method_ci}' is not an interval of a rate; known: NAsm, Poisson")
    degenerate = (events == 0) & (sm in ("IR", "IRLN"))
    add = np.zeros_like(time) if sm in ("IRS", "IRFT") else increments(degenerate, incr, method_incr)
    te, se = _rate(events, time, sm, add)
    if method_ci == "NAsm":
        return OneArm(te, se, lambda: _wald_pair(te, se, level), add)
    low, high = poisson_limits(events, level)
    limits = _rate(low, time, sm, np.zeros_like(time))[0], _rate(high, time, sm, np.zeros_like(time))[0]
    return OneArm(te, se, lambda: limits, add)


def poisson_limits(events: Array, level: float) -> Pair:
    """Exact limits of a Poisson count.

    Garwood F. Biometrika 1936;28:437-42. doi:10.1093/biomet/28.3-4.437
    """
    tail = (1 - level) / 2
    lower = np.where(events > 0, special.gammaincinv(np.maximum(events, 1e-300), tail), 0.0)
    return lower, np.asarray(special.gammaincinv(events + 1, 1 - tail), dtype=float)


def _rate(e: Array, t: Array, sm: str, add: Array) -> Pair:
    if sm == "IR":
        return e / t, np.sqrt((e + add) / t**2)
    if sm == "IRLN":
        with np.errstate(divide="ignore"):
            return _log((e + add) / t), np.sqrt(1 / (e + add))
    root = np.sqrt(e / t)
    te = root if sm == "IRS" else 0.5 * (root + np.sqrt((e + 1) / t))
    return te, np.sqrt(1 / (4 * t))


def mean_effects(n: Array, mean: Array, sd: Array, sm: str, *, method_ci: str = "z", level: float = 0.95) -> OneArm:
    """Means or log means; a log mean exists for means above 0 only (NaN otherwise).

    Parameters
    ----------
    sm : MRAW or MLN.
    method_ci : "z" for normal study limits, "t" for Student's with n - 1 degrees of freedom.
    """
    if sm not in MEANS:
        raise MethodError(f"sm '{sm}' is not a measure of a mean; known: {', '.join(MEANS)}")
    if method_ci not in ("z", "t"):
        raise MethodError(f"method_ci '{method_ci}' is not an interval of a mean; known: t, z")
    if sm == "MRAW":
        te, se = mean, sd / np.sqrt(n)
    else:
        positive = np.where(mean > 0, mean, _NAN)
        te, se = np.log(positive), sd / np.sqrt(n) / positive
    df = np.maximum(n - 1, 1e-300) if method_ci == "t" else np.full_like(n, np.inf)
    tail = (1 + level) / 2
    quantile = special.stdtrit(df, tail) if method_ci == "t" else np.full_like(n, special.ndtri(tail))
    return OneArm(te, se, lambda: (te - quantile * se, te + quantile * se), np.zeros_like(n))


def correlation_effects(cor: Array, n: Array, sm: str, *, level: float = 0.95) -> OneArm:
    """Correlations: Fisher's z, raw, or bias-corrected.

    Parameters
    ----------
    sm : ZCOR (n > 3), COR or UCOR (Olkin and Pratt's correction; variance as for COR around the corrected value).

    Olkin I, Pratt JW. Ann Math Stat 1958;29:201-11. doi:10.1214/aoms/1177706717. Pinned by `cor_molloy2014`.
    """
    if sm not in CORRELATIONS:
        raise MethodError(f"sm '{sm}' is not a measure of a correlation; known: {', '.join(CORRELATIONS)}")
    if sm == "ZCOR":
        size = np.where(n > 3, n, _NAN)
        te, se = np.arctanh(np.where(np.abs(cor) < 1, cor, _NAN)), np.sqrt(1 / (size - 3))
    else:
        size = np.where(n > (1 if sm == "COR" else 4), n, _NAN)
        te = cor if sm == "COR" else cor * _olkin_pratt(cor, size)
        se = (1 - te**2) / np.sqrt(size - 1)
    return OneArm(te, se, lambda: _wald_pair(te, se, level), np.zeros_like(n))


def _olkin_pratt(cor: Array, n: Array) -> Array:
    """The hypergeometric factor F(1/2, 1/2; (n - 2)/2; 1 - r²), by its series where that converges fast."""
    c, z = (n - 2) / 2, 1 - cor**2
    j = np.arange(80.0)[:, None]
    long = c > 12
    factors = (j + 0.5) ** 2 / ((np.where(long, c, 20.0) + j) * (j + 1)) * z
    series = 1 + np.cumprod(factors, axis=0).sum(axis=0)
    return np.where(long, series, special.hyp2f1(0.5, 0.5, np.where(long, 3.0, c), z))
