"""Means and SDs from medians, quartiles and ranges; estimates and variances from Wald intervals and p values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.effects.guarded import broadcast
from metagrove.effects.log_normal import log_normal_moments, log_scale_moments
from metagrove.effects.quantile_fits import SKEWED_RULES, Quantiles
from metagrove.effects.skewness import skewness_test

__all__ = [
    "MEAN_RULES",
    "SD_RULES",
    "FiveNumbers",
    "MomentsFromQuantiles",
    "five_number_moments",
    "moment_rules",
    "moments_from_quantiles",
    "wald_effects",
]


@dataclass(frozen=True, slots=True)
class FiveNumbers:
    """One study's reported quantiles in rising order, NaN where not reported, among `n` people (>= 2)."""

    low: float
    q1: float
    median: float
    q3: float
    high: float
    n: float

    def __post_init__(self) -> None:
        seen = [v for v in (self.low, self.q1, self.median, self.q3, self.high) if np.isfinite(v)]
        if any(b < a for a, b in pairwise(seen)):
            shown = ", ".join(f"{v:g}" for v in seen)
            raise DataError(f"quantiles {shown} fall; minimum, quartiles, median and maximum rise")
        if not self.n >= 2:
            raise DataError(f"n is {self.n:g}; a range or quartiles need at least two people")

    @property
    def case(self) -> str:
        """Which set was reported: "range", "quartiles", "all" or "" for neither."""
        have_range = np.isfinite(self.low) and np.isfinite(self.high)
        have_quartiles = np.isfinite(self.q1) and np.isfinite(self.q3)
        if not np.isfinite(self.median) or not (have_range or have_quartiles):
            return ""
        return "all" if have_range and have_quartiles else ("range" if have_range else "quartiles")


Rule = Callable[[FiveNumbers], float]
MEAN_RULES: Registry[Rule] = Registry("rule for the mean")
SD_RULES: Registry[Rule] = Registry("rule for the SD")

_LUO = "Luo D, et al. Stat Methods Med Res 2018;27:1785-805. doi:10.1177/0962280216669183"
_WAN = "Wan X, et al. BMC Med Res Methodol 2014;14:135. doi:10.1186/1471-2288-14-135"
_SHI = "Shi J, et al. Res Synth Methods 2020;11:641-54. doi:10.1002/jrsm.1429"
_HOZO = "Hozo SP, et al. BMC Med Res Methodol 2005;5:13. doi:10.1186/1471-2288-5-13"
_BLAND = "Bland M. J Stat Theory Appl 2015;14:12-22. doi:10.2991/jsta.2015.14.1.2"
_COCHRANE = "Higgins JPT, et al. Cochrane Handbook, 2nd ed. 2019. doi:10.1002/9781119536604"


@MEAN_RULES.add("Luo", title="the optimally weighted mean of mid-range, mid-quartile range and median", cite=_LUO)
def luo_mean(q: FiveNumbers) -> float:
    """The mean by Luo 2018: weights of the parts chosen for the sample size."""
    n = q.n
    if q.case == "range":
        w = float(4 / (4 + n**0.75))
        return w * (q.low + q.high) / 2 + (1 - w) * q.median
    if q.case == "quartiles":
        w = 0.7 + 0.39 / n
        return w * (q.q1 + q.q3) / 2 + (1 - w) * q.median
    w1, w2 = float(2.2 / (2.2 + n**0.75)), float(0.7 - 0.72 / n**0.55)
    return w1 * (q.low + q.high) / 2 + w2 * (q.q1 + q.q3) / 2 + (1 - w1 - w2) * q.median


@MEAN_RULES.add("Wan", title="the mean of the reported quantiles", cite=_WAN)
def wan_mean(q: FiveNumbers) -> float:
    """The mean by Wan 2014 (and, for a range, Hozo 2005)."""
    if q.case == "range":
        return (q.low + 2 * q.median + q.high) / 4
    if q.case == "quartiles":
        return (q.q1 + q.median + q.q3) / 3
    return (q.low + 2 * q.q1 + 2 * q.median + 2 * q.q3 + q.high) / 8


@MEAN_RULES.add("Hozo/Bland", title="the mean of the reported quantiles", cite=_BLAND)
def bland_mean(q: FiveNumbers) -> float:
    """The mean by Hozo 2005 for a range, Wan 2014 for quartiles, Bland 2015 for five numbers."""
    return wan_mean(q)


@MEAN_RULES.add("median", title="the median itself", cite=_COCHRANE)
def median_as_mean(q: FiveNumbers) -> float:
    """The median taken as the mean (symmetric data)."""
    return q.median


def _normal_quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(p))


def _range_divisor(n: float) -> float:
    return 2 * _normal_quantile((n - 0.375) / (n + 0.25))


def _quartile_divisor(n: float) -> float:
    return 2 * _normal_quantile((0.75 * n - 0.125) / (n + 0.25))


@SD_RULES.add("Shi", title="the optimally weighted SD of range and quartile range", cite=_SHI)
def shi_sd(q: FiveNumbers) -> float:
    """The SD by Shi 2020 from five numbers; with fewer, as Wan 2014."""
    if q.case != "all":
        return wan_sd(q)
    tilt = float(0.07 * q.n**0.6)
    from_range = (q.high - q.low) / _range_divisor(q.n)
    from_quartiles = (q.q3 - q.q1) / _quartile_divisor(q.n)
    return (tilt * from_quartiles + from_range) / (1 + tilt)


@SD_RULES.add("Wan", title="the SD whose expected range or quartile range was reported", cite=_WAN)
def wan_sd(q: FiveNumbers) -> float:
    """The SD by Wan 2014: range and quartile range over their expectations under normality, averaged if both."""
    from_range = (q.high - q.low) / _range_divisor(q.n)
    from_quartiles = (q.q3 - q.q1) / _quartile_divisor(q.n)
    if q.case == "range":
        return from_range
    return from_quartiles if q.case == "quartiles" else (from_range + from_quartiles) / 2


def _expected_order_statistic(rank: int, n: int) -> float:
    """The expectation of the `rank`-th smallest of `n` standard normals, by Gauss-Legendre quadrature."""
    from scipy.special import gammaln, log_ndtr

    nodes, weights = np.polynomial.legendre.leggauss(200)
    z = 9 * nodes
    log_density = gammaln(n + 1) - gammaln(rank) - gammaln(n - rank + 1) - z * z / 2 - np.log(2 * np.pi) / 2
    log_density = log_density + (rank - 1) * log_ndtr(z) + (n - rank) * log_ndtr(-z)
    return float(9 * (weights @ (z * np.exp(log_density))))


@SD_RULES.add("Wan tables", title="the SD by the printed tables of divisors", cite=_WAN)
def wan_table_sd(q: FiveNumbers) -> float:
    """The SD by Wan 2014 with the paper's tables (three decimals) up to n = 50 for ranges, 201 for quartiles.

    The tables hold twice the expectations of normal order statistics; beyond them the paper's formulas are used.
    """
    n, quarter = int(q.n), int(np.ceil((q.n - 1) / 4))
    wide = round(2 * _expected_order_statistic(n, n), 3) if n <= 50 else _range_divisor(q.n)
    middle = _quartile_divisor(q.n)
    if quarter <= 50:
        middle = round(2 * _expected_order_statistic(3 * quarter + 1, 4 * quarter + 1), 3)
    from_range, from_quartiles = (q.high - q.low) / wide, (q.q3 - q.q1) / middle
    if q.case == "range":
        return from_range
    return from_quartiles if q.case == "quartiles" else (from_range + from_quartiles) / 2


@SD_RULES.add("Shi tables", title="the optimally weighted SD, by printed tables if only one spread is given", cite=_SHI)
def shi_table_sd(q: FiveNumbers) -> float:
    """The SD by Shi 2020 from five numbers; with fewer, by the tables of Wan 2014."""
    return shi_sd(q) if q.case == "all" else wan_table_sd(q)


@SD_RULES.add("Hozo", title="the range over a divisor that depends on n", cite=_HOZO)
def hozo_sd(q: FiveNumbers) -> float:
    """The SD by Hozo 2005 from a range; quartiles over 1.35."""
    if q.case == "quartiles":
        return cochrane_sd(q)
    if q.n <= 15:
        return float(np.sqrt(((q.low - 2 * q.median + q.high) ** 2 / 4 + (q.high - q.low) ** 2) / 12))
    return (q.high - q.low) / (4 if q.n <= 70 else 6)


@SD_RULES.add("Bland", title="the SD from five numbers", cite=_BLAND)
def bland_sd(q: FiveNumbers) -> float:
    """The SD by Bland 2015 from five numbers; with fewer, as Hozo 2005."""
    if q.case != "all":
        return hozo_sd(q)
    squares = q.low**2 + 2 * q.q1**2 + 2 * q.median**2 + 2 * q.q3**2 + q.high**2
    products = q.low * q.q1 + q.q1 * q.median + q.median * q.q3 + q.q3 * q.high
    total = q.low + 2 * q.q1 + 2 * q.median + 2 * q.q3 + q.high
    return float(np.sqrt(max(squares / 16 + products / 8 - total**2 / 64, 0.0)))


@SD_RULES.add("Cochrane", title="the quartile range over 1.35", cite=_COCHRANE)
def cochrane_sd(q: FiveNumbers) -> float:
    """The SD as the quartile range over 1.35; from a range alone as Wan 2014."""
    return wan_sd(q) if q.case == "range" else (q.q3 - q.q1) / 1.35


def _as_normal(values: tuple[float, ...], n: float, case: str) -> tuple[float, float]:
    """Luo's mean and Wan's SD of quantiles taken as a normal sample's."""
    gap = float("nan")
    ends = {"range": (0, None, 1, None, 2), "quartiles": (None, 0, 1, 2, None)}.get(case, (0, 1, 2, 3, 4))
    low, q1, median, q3, high = (gap if i is None else values[i] for i in ends)
    five = FiveNumbers(low, q1, median, q3, high, n)
    return luo_mean(five), wan_sd(five)


def _skewed(q: FiveNumbers) -> Quantiles:
    values = tuple(v for v in (q.low, q.q1, q.median, q.q3, q.high) if np.isfinite(v))
    if q.case != "all":
        values = (q.low, q.median, q.high) if q.case == "range" else (q.q1, q.median, q.q3)
    return Quantiles(values, q.n, q.case, _as_normal)


def _mean_rule(name: str) -> Rule:
    """The rule for the mean of that name, of normal or of skewed data."""
    if name in SKEWED_RULES:
        return lambda q: SKEWED_RULES[name](_skewed(q)).mean
    if name not in MEAN_RULES:
        raise UnknownName(MEAN_RULES.kind, name, [*MEAN_RULES, *SKEWED_RULES])
    return MEAN_RULES[name]


def _sd_rule(name: str) -> Rule:
    """The rule for the SD of that name, of normal or of skewed data."""
    if name in SKEWED_RULES:
        return lambda q: SKEWED_RULES[name](_skewed(q)).sd
    if name not in SD_RULES:
        raise UnknownName(SD_RULES.kind, name, [*SD_RULES, *SKEWED_RULES])
    return SD_RULES[name]


def moment_rules(mean_rule: str, sd_rule: str) -> tuple[Rule, Rule]:
    """The rules of these names for the mean and the SD; UnknownName for another."""
    return _mean_rule(mean_rule), _sd_rule(sd_rule)


@dataclass(frozen=True, slots=True, eq=False)
class MomentsFromQuantiles:
    """Means and SDs of shape (k,), NaN where too little was reported; `cases` says what each rested on."""

    mean: Array
    sd: Array
    cases: tuple[str, ...]


def moments_from_quantiles(
    quantiles: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike, ArrayLike],
    n: ArrayLike,
    *,
    mean_rule: str = "Luo",
    sd_rule: str = "Shi",
) -> MomentsFromQuantiles:
    """Means and SDs from minimum, first quartile, median, third quartile and maximum; DataError names the study."""
    mean, sd = moment_rules(mean_rule, sd_rule)
    columns = broadcast(*quantiles, n)
    out, cases = np.full((2, columns[0].size), np.nan), []
    for i, row in enumerate(zip(*columns, strict=True)):
        if not np.isfinite(row[5]) or not np.isfinite(row[:5]).any():
            cases.append("")
            continue
        try:
            q = FiveNumbers(*row)
        except DataError as error:
            raise DataError(f"study {i + 1}: {error}") from None
        cases.append(q.case)
        try:
            out[:, i] = (mean(q), sd(q)) if q.case else (np.nan, np.nan)
        except DataError as error:
            raise DataError(f"study {i + 1}: {error}") from None
    return MomentsFromQuantiles(out[0], out[1], tuple(cases))


def five_number_moments(
    quantiles: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike, ArrayLike],
    n: ArrayLike,
    *,
    mean_rule: str = "Luo",
    sd_rule: str = "Shi",
    dist: str = "norm",
    transf: bool = True,
    test: bool = False,
) -> MomentsFromQuantiles:
    """Means and SDs as `moments_from_quantiles` gives them, of normal ("norm") or log-normal ("lnorm") data.

    With `transf` False log-normal answers stay those of the logarithms. With `test` studies whose quantiles are skewed
    (on the scale that is taken as normal) have NaN and the case "skewed".
    """
    if dist not in ("norm", "lnorm"):
        raise MethodError(f"dist '{dist}' is not available; known: 'norm', 'lnorm'")
    plain = list(broadcast(*quantiles, n))
    columns = plain
    if dist == "lnorm":
        low = np.nanmin(np.vstack(columns[:5]), axis=0, initial=np.inf)
        if (low <= 0).any():
            i = int(np.argmax(low <= 0))
            raise DataError(f"study {i + 1}: log-normal data lie above 0; the lowest value is {low[i]:g}")
        columns = [*(np.log(column) for column in columns[:5]), columns[5]]
    found = moments_from_quantiles(
        (columns[0], columns[1], columns[2], columns[3], columns[4]), columns[5], mean_rule=mean_rule, sd_rule=sd_rule
    )
    mean, sd, cases = found.mean.copy(), found.sd.copy(), list(found.cases)
    for i, case in enumerate(found.cases):
        if not case:
            continue
        on_scale = _skewed(FiveNumbers(*(float(column[i]) for column in columns)))
        if test and skewness_test(on_scale).skewed:
            mean[i], sd[i], cases[i] = np.nan, np.nan, "skewed"
        elif dist == "lnorm":
            five = _skewed(FiveNumbers(*(float(column[i]) for column in plain)))
            turn = log_normal_moments if transf else log_scale_moments
            mean[i], sd[i] = turn(five, float(mean[i]), float(sd[i]))
    return MomentsFromQuantiles(mean, sd, tuple(cases))


def wald_effects(
    lower: ArrayLike, upper: ArrayLike, estimate: ArrayLike, pval: ArrayLike, level: ArrayLike
) -> tuple[Array, Array, tuple[str, ...]]:
    """Estimates, variances and their origin from Wald limits, or from estimates and two-sided p values.

    All on the analysis scale, NaN where not reported; `level` in (0, 1). Limits are preferred to p values; the
    estimate is the middle of the limits where it was not reported.
    """
    from scipy.special import ndtri

    lo, hi, y, p, coverage = broadcast(lower, upper, estimate, pval, level)
    if ((coverage <= 0) | (coverage >= 1)).any():
        raise MethodError("the level of an interval lies between 0 and 1 (95% is 0.95)")
    bad = np.flatnonzero(hi < lo)
    if bad.size:
        raise DataError(f"study {bad[0] + 1}: the upper limit {hi[bad[0]]:g} is below the lower {lo[bad[0]]:g}")
    bad = np.flatnonzero((p < 0) | (p > 1))
    if bad.size:
        raise DataError(f"study {bad[0] + 1}: p is {p[bad[0]]:g}; it lies between 0 and 1")
    has_limits = np.isfinite(lo) & np.isfinite(hi)
    by_p = ~has_limits & np.isfinite(y) & (p > 0) & (p < 1)
    z = np.where(by_p, -ndtri(np.where(by_p, p, 0.5) / 2), np.nan)
    se = np.where(has_limits, (hi - lo) / (2 * ndtri(0.5 + coverage / 2)), np.nan)
    se = np.where(by_p, np.divide(np.abs(y), z, out=np.full_like(y, np.nan), where=by_p), se)
    y = np.where(has_limits & ~np.isfinite(y), (lo + hi) / 2, y)
    origin = np.where(has_limits, "limits", np.where(by_p, "p value", ""))
    return y, se**2, tuple(str(o) for o in origin)
