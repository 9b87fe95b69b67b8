"""Common effects from counts themselves: Mantel-Haenszel, Peto, Cochran and sample-size weights.

The tables are taken as they come: whether anything was added to empty cells is the caller's choice. Studies with
missing counts carry nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.effects.arms import PersonTimes, Tables
from metagrove.effects.guarded import ratio
from metagrove.effects.two_arm import observed_minus_expected

__all__ = [
    "COUNT_METHODS",
    "ChiSquare",
    "CountEstimate",
    "cochran_mantel_haenszel",
    "cochran_rate_ratio",
    "homogeneity",
    "mantel_haenszel",
    "mantel_haenszel_rates",
    "mantel_haenszel_rates_test",
    "peto",
    "sample_size_weighted",
]

COUNT_METHODS: Registry[str] = Registry("method for counts")
COUNT_METHODS.put(
    "MH",
    "Mantel-Haenszel",
    title="the Mantel-Haenszel method",
    cite="Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-48. doi:10.1093/jnci/22.4.719; Robins J, et al. "
    "Biometrics 1986;42:311-23. doi:10.2307/2531052; Greenland S, Robins JM. Biometrics 1985;41:55-68. "
    "doi:10.2307/2530643; Sato T, et al. Biometrics 1989;45:1323-4.",
)
COUNT_METHODS.put(
    "Peto",
    "Peto",
    title="Peto's one-step method",
    cite="Yusuf S, et al. Prog Cardiovasc Dis 1985;27:335-71. doi:10.1016/S0033-0620(85)80003-7",
)
COUNT_METHODS.put(
    "Cochran",
    "Cochran",
    title="weights by the expected events of the first arm",
    cite="Bayne-Jones S, et al. Smoking and Health. Public Health Service Publication 1103, 1964, chapter 8.",
)
COUNT_METHODS.put(
    "SSW",
    "SSW",
    title="effective sample sizes as weights",
    cite="Bakbergenuly I, et al. Res Synth Methods 2020;11:827-53. doi:10.1002/jrsm.1447",
)


@dataclass(frozen=True, slots=True, eq=False)
class CountEstimate:
    """A common effect on the analysis scale, its standard error, and the weight of each study (shape (k,))."""

    estimate: float
    se: float
    weights: Array


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """A chi-square statistic with its degrees of freedom and upper-tail p value."""

    statistic: float
    df: int
    p: float


def _chi_square(statistic: float, df: int) -> ChiSquare:
    from scipy.special import gammaincc

    return ChiSquare(float(statistic), df, float(gammaincc(df / 2, statistic / 2)) if df > 0 else 1.0)


def _complete(tables: Tables) -> Tables:
    seen = ~tables.missing & (tables.n1 > 0) & (tables.n2 > 0)
    if not seen.any():
        raise MethodError("no study has counts in both arms")
    zero = np.zeros(tables.k)
    return Tables(*(np.where(seen, column, zero) for column in tables.columns().values()))


def mantel_haenszel(tables: Tables, measure: str = "OR", *, variance: str = "Sato") -> CountEstimate:
    """The Mantel-Haenszel log odds ratio, log risk ratio or risk difference.

    Parameters
    ----------
    tables : 2x2 tables, shape (k,).
    measure : "OR", "RR" or "RD".
    variance : of a risk difference: "Sato" (1989) or "Greenland-Robins" (1985, as R meta).

    Raises
    ------
    MethodError
        Where the estimate does not exist because an arm has no events (or only events) in any study.

    References
    ----------
    Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-48. doi:10.1093/jnci/22.4.719
    Robins J, Breslow N, Greenland S. Biometrics 1986;42:311-23. doi:10.2307/2531052
    Greenland S, Robins JM. Biometrics 1985;41:55-68. doi:10.2307/2530643
    """
    t = _complete(tables)
    if measure in ("OR", "DOR"):
        return _mh_odds(t)
    if measure == "RR":
        return _mh_risks(t)
    if measure == "RD":
        return _mh_difference(t, variance)
    raise MethodError(f"the Mantel-Haenszel method does not pool '{measure}'; it pools OR, RR and RD")


def _none(what: str) -> MethodError:
    return MethodError(f"the Mantel-Haenszel estimate does not exist: {what} in every study")


def _per(values: Array, n: Array) -> Array:
    return np.divide(values, n, out=np.zeros_like(values), where=n > 0)


def _mh_odds(t: Tables) -> CountEstimate:
    r, s = _per(t.a * t.d, t.n), _per(t.b * t.c, t.n)
    big_r, big_s = float(r.sum()), float(s.sum())
    if big_r <= 0 or big_s <= 0:
        raise _none("one of the diagonal products of the tables is 0")
    p, q = _per(t.a + t.d, t.n), _per(t.b + t.c, t.n)
    v = (p @ r) / (2 * big_r**2) + (p @ s + q @ r) / (2 * big_r * big_s) + (q @ s) / (2 * big_s**2)
    return CountEstimate(float(np.log(big_r / big_s)), float(np.sqrt(v)), s)


def _mh_risks(t: Tables) -> CountEstimate:
    r, s = _per(t.a * t.n2, t.n), _per(t.c * t.n1, t.n)
    big_r, big_s = float(r.sum()), float(s.sum())
    if big_r <= 0 or big_s <= 0:
        raise _none("one arm is without events")
    v = _per(t.n1 * t.n2 * (t.a + t.c) - t.a * t.c * t.n, t.n**2).sum() / (big_r * big_s)
    return CountEstimate(float(np.log(big_r / big_s)), float(np.sqrt(v)), s)


def _mh_difference(t: Tables, variance: str) -> CountEstimate:
    w = _per(t.n1 * t.n2, t.n)
    estimate = float(_per(t.a * t.n2 - t.c * t.n1, t.n).sum() / w.sum())
    if variance == "Greenland-Robins":
        cells = _per(t.a * t.b, t.n1) * t.n2**2 + _per(t.c * t.d, t.n2) * t.n1**2
        v = _per(cells, t.n**2).sum() / w.sum() ** 2
    else:
        slope = _per(t.n1**2 * t.c - t.n2**2 * t.a + t.n1 * t.n2 * (t.n2 - t.n1) / 2, t.n**2)
        level = _per(t.a * (t.n2 - t.c) + t.c * (t.n1 - t.a), 2 * t.n)
        v = (estimate * slope.sum() + level.sum()) / w.sum() ** 2
    return CountEstimate(estimate, float(np.sqrt(max(v, 0.0))), w)


def mantel_haenszel_rates(data: PersonTimes, measure: str = "IRR") -> CountEstimate:
    """The Mantel-Haenszel log incidence-rate ratio ("IRR") or rate difference ("IRD").

    References
    ----------
    Greenland S, Robins JM. Biometrics 1985;41:55-68. doi:10.2307/2530643
    """
    seen = ~data.missing
    if not seen.any():
        raise MethodError("no study has events and person-time in both arms")
    x1, x2, t1, t2 = (column[seen] for column in data.columns().values())
    total, weights = t1 + t2, np.zeros(data.k)
    if measure == "IRR":
        r, s = x1 * t2 / total, x2 * t1 / total
        if r.sum() <= 0 or s.sum() <= 0:
            raise _none("one arm is without events")
        v = (t1 * t2 * (x1 + x2) / total**2).sum() / (r.sum() * s.sum())
        weights[seen] = s
        return CountEstimate(float(np.log(r.sum() / s.sum())), float(np.sqrt(v)), weights)
    if measure == "IRD":
        w = t1 * t2 / total
        v = ((x1 * t2**2 + x2 * t1**2) / total**2).sum() / w.sum() ** 2
        weights[seen] = w
        return CountEstimate(float(((x1 * t2 - x2 * t1) / total).sum() / w.sum()), float(np.sqrt(v)), weights)
    raise MethodError(f"the Mantel-Haenszel method does not pool '{measure}'; it pools IRR and IRD")


def peto(tables: Tables) -> CountEstimate:
    """Peto's log odds ratio: all excess events over all variance (Yusuf 1985)."""
    excess, v = observed_minus_expected(tables)
    seen = np.isfinite(excess) & np.isfinite(v) & (v > 0)
    if not seen.any():
        raise MethodError("Peto's estimate does not exist: nobody or everybody had the event in every study")
    total = float(v[seen].sum())
    return CountEstimate(float(excess[seen].sum() / total), float(1 / np.sqrt(total)), np.where(seen, v, 0.0))


def cochran_rate_ratio(data: PersonTimes, y: Array) -> CountEstimate:
    """The mean log rate ratio `y` weighted by expected events of the first arm, variance 1/Σx₁ + 1/Σx₂."""
    weights = np.where(np.isfinite(y), data.x2 * data.t1 / data.t2, 0.0)
    x1, x2 = float(np.nansum(data.x1)), float(np.nansum(data.x2))
    if weights.sum() <= 0 or x1 <= 0 or x2 <= 0:
        raise MethodError("Cochran's rate ratio does not exist: an arm is without events in every study")
    estimate = float(np.nan_to_num(y) @ weights / weights.sum())
    return CountEstimate(estimate, float(np.sqrt(1 / x1 + 1 / x2)), weights)


def sample_size_weighted(y: Array, v: Array, n1: Array, n2: Array) -> CountEstimate:
    """The mean of `y` weighted by n₁n₂/(n₁ + n₂), whatever the variances `v` (Bakbergenuly 2020)."""
    seen = np.isfinite(y) & np.isfinite(v)
    if not seen.any():
        raise MethodError("no study has an effect to weight by its size")
    w = np.where(seen, ratio(n1 * n2, n1 + n2), 0.0)
    estimate = float(np.where(seen, y, 0.0) @ w / w.sum())
    return CountEstimate(estimate, float(np.sqrt(np.where(seen, v, 0.0) @ w**2) / w.sum()), w)


def cochran_mantel_haenszel(tables: Tables, *, correct: bool = False, variance: str = "Mantel") -> ChiSquare:
    """The Cochran-Mantel-Haenszel test of no effect in any study, with continuity correction if `correct`.

    `variance` is "Mantel" (hypergeometric, n - 1, as metafor) or "Cochran" (binomial, n, as R meta).

    References
    ----------
    Cochran WG. Biometrics 1954;10:417-51. doi:10.2307/3001616
    Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-48. doi:10.1093/jnci/22.4.719
    """
    excess, v = observed_minus_expected(tables)
    seen = np.isfinite(excess) & np.isfinite(v)
    if variance == "Cochran":
        v = v * ratio(tables.n - 1, tables.n)
    total, spread = abs(float(excess[seen].sum())), float(v[seen].sum())
    if spread <= 0:
        raise MethodError("the Cochran-Mantel-Haenszel test needs a study with events and non-events")
    return _chi_square(max(total - (0.5 if correct else 0.0), 0.0) ** 2 / spread, 1)


def homogeneity(tables: Tables, log_or: float) -> tuple[ChiSquare, ChiSquare]:
    """Tests that all odds ratios are exp(`log_or`): Breslow & Day's, then with Tarone's correction.

    Studies without events, or with events only, say nothing and are left out of the degrees of freedom.

    References
    ----------
    Breslow NE, Day NE. Statistical Methods in Cancer Research I. IARC 1980.
    Tarone RE. Biometrika 1985;72:91-5. doi:10.1093/biomet/72.1.91
    """
    keep = ~tables.missing & ~tables.uninformative & (tables.n1 > 0) & (tables.n2 > 0)
    if keep.sum() < 2:
        raise MethodError(f"a test of homogeneity needs two informative studies; there are {int(keep.sum())}")
    t = Tables(*(column[keep] for column in tables.columns().values()))
    fitted = _fitted_first_cell(t, float(np.exp(log_or)))
    events = t.a + t.c
    v = 1 / (1 / fitted + 1 / (t.n1 - fitted) + 1 / (events - fitted) + 1 / (t.n2 - events + fitted))
    excess = t.a - fitted
    breslow_day = float((excess**2 / v).sum())
    tarone = breslow_day - float(excess.sum() ** 2 / v.sum())
    return _chi_square(breslow_day, t.k - 1), _chi_square(max(tarone, 0.0), t.k - 1)


def _fitted_first_cell(t: Tables, odds: float) -> Array:
    """The first cell that has the margins of each table and the given odds ratio."""
    events = t.a + t.c
    if abs(odds - 1) < 1e-9:
        return events * t.n1 / t.n
    # (odds - 1) a² - (odds (n1 + events) + n2 - events) a + odds n1 events = 0, the root between the margins.
    b = odds * (t.n1 + events) + t.n2 - events
    inner = np.sqrt(np.maximum(b * b - 4 * (odds - 1) * odds * t.n1 * events, 0.0))
    return np.asarray(2 * odds * t.n1 * events / (b + inner))


def mantel_haenszel_rates_test(data: PersonTimes, *, correct: bool = False) -> ChiSquare:
    """The Mantel-Haenszel test of equal rates in the two arms of every study.

    References
    ----------
    Rothman KJ, Greenland S, Lash TL. Modern Epidemiology, 3rd ed. 2008, chapter 15.
    """
    seen = ~data.missing
    x1, x2, t1, t2 = (column[seen] for column in data.columns().values())
    total = t1 + t2
    excess = abs(float((x1 - (x1 + x2) * t1 / total).sum()))
    spread = float(((x1 + x2) * t1 * t2 / total**2).sum())
    if spread <= 0:
        raise MethodError("the Mantel-Haenszel test of rates needs events")
    return _chi_square(max(excess - (0.5 if correct else 0.0), 0.0) ** 2 / spread, 1)
