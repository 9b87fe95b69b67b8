"""Tests for small-study effects: whether the funnel plot is lopsided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import ndtr, stdtr, xlogy

from metagrove.core.errors import MethodError
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.rank_correlation import rank_correlation
from metagrove.pooling.bias.weighted_line import WeightedLine, residual_tau2, weighted_line

__all__ = ["BIAS_TESTS", "TEST_SYNONYMS", "BiasStatistic", "hypergeometric_moments", "mantel_haenszel_odds_ratio"]


@dataclass(frozen=True, slots=True)
class BiasStatistic:
    """What one test of asymmetry found.

    `estimate` is the asymmetry (a slope, an intercept or a rank score) and `se` its standard error; `df` is None where
    the reference distribution is normal; `intercept`, `se_intercept` and `tau2` (the residual variance: additive for
    Thompson-Sharp, multiplicative elsewhere) are None for rank tests.
    """

    estimate: float
    se: float
    statistic: float
    pval: float
    df: int | None = None
    intercept: float | None = None
    se_intercept: float | None = None
    tau2: float | None = None


BiasTest: TypeAlias = Callable[[FunnelData], BiasStatistic]

#: Tests by name; each takes the funnel and gives a BiasStatistic, or says in a MethodError why it does not suit.
BIAS_TESTS: Registry[BiasTest] = Registry("test for small-study effects")

#: Other names under which the tests are known (among them those of earlier versions of R's meta).
TEST_SYNONYMS = {
    "rank": "Begg",
    "linreg": "Egger",
    "mm": "Thompson",
    "count": "Schwarzer",
    "score": "Harbord",
    "harbord2009": "Harbord",
    "begg-mazumdar": "Begg",
    "thompson-sharp": "Thompson",
    "pustejovsky-rodgers": "Pustejovsky",
    "lin-chu": "LinChu",
    "skewness": "LinChu",
}


def _line_test(line: WeightedLine, *, multiplicative: bool, tau2: float) -> BiasStatistic:
    """Student's t test of the slope."""
    se = line.se(multiplicative=multiplicative)
    if not se[1] > 0:
        raise MethodError("the effects lie exactly on a line, so the test has no standard error")
    t = float(line.b[1] / se[1])
    return BiasStatistic(
        estimate=float(line.b[1]),
        se=float(se[1]),
        statistic=t,
        pval=float(2 * stdtr(line.df, -abs(t))),
        df=line.df,
        intercept=float(line.b[0]),
        se_intercept=float(se[0]),
        tau2=tau2,
    )


def _dispersed(y: Array, x: Array, w: Array) -> BiasStatistic:
    line = weighted_line(y, np.column_stack((np.ones(y.size), x)), w)
    return _line_test(line, multiplicative=True, tau2=line.dispersion)


def _rank_test(x: Array, y: Array) -> BiasStatistic:
    found = rank_correlation(x, y)
    return BiasStatistic(found.s, found.se, found.z, found.pval_normal)


@BIAS_TESTS.add(
    "Egger",
    title="Egger's test (regression of the effect on its standard error)",
    cite="Egger M, Davey Smith G, Schneider M, Minder C (1997) Bias in meta-analysis detected by a simple, graphical "
    "test. BMJ 315:629-634. doi:10.1136/bmj.315.7109.629",
)
def egger(funnel: FunnelData) -> BiasStatistic:
    """The slope of the effect on its standard error, weights 1/v, dispersion that multiplies."""
    return _dispersed(funnel.y, funnel.se, 1 / funnel.v)


@BIAS_TESTS.add(
    "Thompson",
    title="the Thompson-Sharp test (regression on the standard error with additive heterogeneity)",
    cite="Thompson SG, Sharp SJ (1999) Explaining heterogeneity in meta-analysis: a comparison of methods. Statistics "
    "in Medicine 18:2693-2708. doi:10.1002/(SICI)1097-0258(19991030)18:20<2693::AID-SIM235>3.0.CO;2-V",
)
def thompson(funnel: FunnelData) -> BiasStatistic:
    """The slope of the effect on its standard error, weights 1/(v + tau²), tau² as in the analysis."""
    if np.ptp(funnel.se) <= 1e-12 * float(funnel.se.max()):
        raise MethodError("the standard error is the same for all studies; there is nothing to regress on")
    X = np.column_stack((np.ones(funnel.k), funnel.se))
    tau2 = residual_tau2(funnel.y, funnel.v, X, funnel.method_tau)
    line = weighted_line(funnel.y, X, 1 / (funnel.v + tau2))
    return _line_test(line, multiplicative=False, tau2=tau2)


@BIAS_TESTS.add(
    "Begg",
    title="Begg and Mazumdar's rank correlation test",
    cite="Begg CB, Mazumdar M (1994) Operating characteristics of a rank correlation test for publication bias. "
    "Biometrics 50:1088-1101. doi:10.2307/2533446",
)
def begg(funnel: FunnelData) -> BiasStatistic:
    """Kendall's score of standardised deviations from the common effect with the variances."""
    return _rank_test(standardised_deviations(funnel), funnel.v)


def standardised_deviations(funnel: FunnelData) -> Array:
    """Deviations from the inverse-variance mean over their standard errors, shape (k,)."""
    w = 1 / funnel.v
    common = float(w @ funnel.y) / float(w.sum())
    left = funnel.v - 1 / w.sum()
    if not (left > 0).all():
        raise MethodError("one study has all the weight; deviations from the common effect cannot be standardised")
    return np.asarray((funnel.y - common) / np.sqrt(left), dtype=np.float64)


@BIAS_TESTS.add(
    "Harbord",
    title="Harbord's test (regression of the efficient score on its variance)",
    cite="Harbord RM, Egger M, Sterne JAC (2006) A modified test for small-study effects in meta-analyses of "
    "controlled trials with binary endpoints. Statistics in Medicine 25:3443-3457. doi:10.1002/sim.2380",
)
def harbord(funnel: FunnelData) -> BiasStatistic:
    """The slope of Z/V on 1/sqrt(V) with weights V: scores of the log odds ratio, or of the log risk ratio for RR.

    The variance of the score of the log risk ratio is n1 n0 d / (n h) (Harbord, Harris and Sterne 2009, Stata Journal
    9:197-210).
    """
    z, v = _scores(funnel)
    return _dispersed(z / v, 1 / np.sqrt(v), v)


@BIAS_TESTS.add(
    "HarbordBalanced",
    title="Harbord's test with the variances of scores that arms of one size would have",
    cite="Harbord RM, Egger M, Sterne JAC (2006) A modified test for small-study effects in meta-analyses of "
    "controlled trials with binary endpoints. Statistics in Medicine 25:3443-3457. doi:10.1002/sim.2380",
)
def harbord_balanced(funnel: FunnelData) -> BiasStatistic:
    """Harbord's test with n / 4 for n1 n0 / n in the variance of the score, which is what R's meta has for risk ratios.

    The two agree where the arms of each study are of one size. It is here so that results in R can be followed up;
    `harbord` is the published test.
    """
    z, v = _scores(funnel)
    _, n_e, _, n_c = funnel.tables("Harbord's test")
    v = v * (n_e + n_c) ** 2 / (4 * n_e * n_c)
    return _dispersed(z / v, 1 / np.sqrt(v), v)


def _scores(funnel: FunnelData) -> tuple[Array, Array]:
    event_e, n_e, event_c, n_c = funnel.tables("Harbord's test")
    if funnel.measure not in ("", "OR", "RR", "DOR"):
        raise MethodError(f"Harbord's test is made for odds ratios and risk ratios, not for {funnel.measure}")
    total, events = n_e + n_c, event_e + event_c
    rest = total - events
    _some_of_each(funnel, events, rest, "Harbord's test")
    z = event_e - n_e * events / total
    if funnel.measure == "RR":
        return z * total / rest, n_e * n_c * events / (total * rest)
    return z, n_e * n_c * events * rest / (total**2 * (total - 1))


def _some_of_each(funnel: FunnelData, events: Array, rest: Array, test: str) -> None:
    empty = np.flatnonzero((events <= 0) | (rest <= 0))
    if empty.size:
        what = "no event in either arm" if events[empty[0]] <= 0 else "events in everybody of both arms"
        raise MethodError(f"{test}: study {funnel.labels[empty[0]]} has {what} and no information; leave it out")


@BIAS_TESTS.add(
    "Peters",
    title="Peters' test (regression on the inverse of the sample size)",
    cite="Peters JL, Sutton AJ, Jones DR, Abrams KR, Rushton L (2006) Comparison of two methods to detect publication "
    "bias in meta-analysis. JAMA 295:676-680. doi:10.1001/jama.295.6.676",
)
def peters(funnel: FunnelData) -> BiasStatistic:
    """The slope of the effect on 1/n with weights 1/(1/events + 1/non-events)."""
    if funnel.event_e is None or funnel.n_e is None:
        raise MethodError("Peters' test needs counts of events: two-arm binary outcomes or proportions")
    n = funnel.totals("Peters' test")
    events = funnel.event_e if funnel.event_c is None else funnel.event_e + funnel.event_c
    _some_of_each(funnel, events, n - events, "Peters' test")
    return _dispersed(funnel.y, 1 / n, 1 / (1 / events + 1 / (n - events)))


@BIAS_TESTS.add(
    "Macaskill",
    title="Macaskill's test (regression on the sample size)",
    cite="Macaskill P, Walter SD, Irwig L (2001) A comparison of methods to detect publication bias in meta-analysis. "
    "Statistics in Medicine 20:641-654. doi:10.1002/sim.698",
)
def macaskill(funnel: FunnelData) -> BiasStatistic:
    """The slope of the effect on the sample size, weights 1/v."""
    return _dispersed(funnel.y, funnel.totals("Macaskill's test"), 1 / funnel.v)


@BIAS_TESTS.add(
    "Deeks",
    title="Deeks' test (regression on the inverse square root of the effective sample size)",
    cite="Deeks JJ, Macaskill P, Irwig L (2005) The performance of tests of publication bias and other sample size "
    "effects in systematic reviews of diagnostic test accuracy was assessed. Journal of Clinical Epidemiology "
    "58:882-893. doi:10.1016/j.jclinepi.2005.01.016",
)
def deeks(funnel: FunnelData) -> BiasStatistic:
    """The slope of the effect on 1/sqrt(ESS) with weights ESS = 4 n_e n_c / (n_e + n_c)."""
    _, n_e, _, n_c = funnel.tables("Deeks' test")
    size = 4 * n_e * n_c / (n_e + n_c)
    return _dispersed(funnel.y, 1 / np.sqrt(size), size)


@BIAS_TESTS.add(
    "Pustejovsky",
    title="the Pustejovsky-Rodgers test (regression on the standard error without the effect's own part)",
    cite="Pustejovsky JE, Rodgers MA (2019) Testing for funnel plot asymmetry of standardized mean differences. "
    "Research Synthesis Methods 10:57-71. doi:10.1002/jrsm.1332",
)
def pustejovsky(funnel: FunnelData) -> BiasStatistic:
    """The slope of the standardised mean difference on sqrt(1/n_e + 1/n_c), weights 1/v."""
    if funnel.measure not in ("", "SMD"):
        raise MethodError(
            f"the Pustejovsky-Rodgers test is made for standardised mean differences, not {funnel.measure}"
        )
    n_e, n_c = funnel.arms("the Pustejovsky-Rodgers test")
    return _dispersed(funnel.y, np.sqrt(1 / n_e + 1 / n_c), 1 / funnel.v)


@BIAS_TESTS.add(
    "Schwarzer",
    title="Schwarzer's test (rank correlation of cell frequencies)",
    cite="Schwarzer G, Antes G, Schumacher M (2007) A test for publication bias in meta-analysis with sparse binary "
    "data. Statistics in Medicine 26:721-733. doi:10.1002/sim.2588",
)
def schwarzer(funnel: FunnelData) -> BiasStatistic:
    """Kendall's score of standardised cell counts with the inverse variance of the count.

    Counts are standardised by the non-central hypergeometric distribution at the Mantel-Haenszel odds ratio.
    """
    event_e, n_e, event_c, n_c = funnel.tables("Schwarzer's test")
    events = event_e + event_c
    _some_of_each(funnel, events, n_e + n_c - events, "Schwarzer's test")
    odds_ratio = mantel_haenszel_odds_ratio(event_e, n_e, event_c, n_c)
    moments = [hypergeometric_moments(*margins, odds_ratio) for margins in zip(n_e, n_c, events, strict=True)]
    mean, variance = np.array(moments).T
    return _rank_test((event_e - mean) / np.sqrt(variance), 1 / variance)


def mantel_haenszel_odds_ratio(event_e: Array, n_e: Array, event_c: Array, n_c: Array) -> float:
    """The Mantel-Haenszel odds ratio over tables, arrays of shape (k,); MethodError where it is 0 or infinite."""
    total = n_e + n_c
    top = float((event_e * (n_c - event_c) / total).sum())
    bottom = float(((n_e - event_e) * event_c / total).sum())
    if not (top > 0 and bottom > 0):
        raise MethodError("the Mantel-Haenszel odds ratio is 0 or infinite: events in one arm only")
    return top / bottom


def hypergeometric_moments(n_e: float, n_c: float, events: float, odds_ratio: float) -> tuple[float, float]:
    """Mean and variance of the events in the first arm, given the margins of the table and the odds ratio."""
    from scipy.special import gammaln

    low, high = max(0.0, events - n_c), min(n_e, events)
    x = np.arange(low, high + 0.5)
    log_p = xlogy(x, odds_ratio) - (
        gammaln(x + 1) + gammaln(n_e - x + 1) + gammaln(events - x + 1) + gammaln(n_c - events + x + 1)
    )
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = float(p @ x)
    return mean, float(p @ (x - mean) ** 2)


@BIAS_TESTS.add(
    "LinChu",
    title="Lin and Chu's skewness test",
    cite="Lin L, Chu H (2018) Quantifying publication bias in meta-analysis. Biometrics 74:785-794. "
    "doi:10.1111/biom.12817",
)
def lin_chu(funnel: FunnelData) -> BiasStatistic:
    """The skewness of the standardised deviates of Egger's regression; its null variance is 6/k."""
    y, se = funnel.y, funnel.se
    line = weighted_line(y, np.column_stack((np.ones(funnel.k), se)), 1 / funnel.v)
    deviate = (y - line.b[0] - line.b[1] * se) / se
    deviate = deviate - deviate.mean()
    second = float((deviate**2).mean())
    if not second > 0:
        raise MethodError("the effects lie exactly on a line, so their skewness is undefined")
    skewness = float((deviate**3).mean()) / second**1.5
    se_skewness = float(np.sqrt(6 / funnel.k))
    z = skewness / se_skewness
    return BiasStatistic(skewness, se_skewness, z, float(2 * ndtr(-abs(z))))
