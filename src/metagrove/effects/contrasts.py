"""Two arms as one effect in the forms of the doors `metabin`, `metainc` and `metacont`.

These differ from the forms of `escalc` where R's two packages differ: what is added to empty cells, which studies say
nothing, and which variance a standardised difference has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.effects.arms import PersonTimes, Tables, TwoMeans
from metagrove.effects.continuous import pooled_sd
from metagrove.effects.guarded import logarithm, ratio, root, small_sample_factor
from metagrove.effects.one_arm import METHOD_INCR
from metagrove.effects.two_arm import arcsine_difference, peto_log_odds_ratio, root_rate_difference

__all__ = [
    "BINARY",
    "CONTINUOUS",
    "METHOD_SMD",
    "PERSON_TIME",
    "Contrast",
    "binary_contrasts",
    "continuous_contrasts",
    "person_time_contrasts",
    "pooling_tables",
]

BINARY = ("RR", "OR", "RD", "ASD", "DOR", "VE")
PERSON_TIME = ("IRR", "IRD", "IRSD", "VE")
CONTINUOUS = ("MD", "SMD", "ROM")

METHOD_SMD: Registry[str] = Registry("standardised mean difference")
METHOD_SMD.put("Hedges", "Hedges", title="Hedges's g", cite=(
    "Hedges LV. J Educ Stat 1981;6:107-28. doi:10.3102/10769986006002107"
))  # fmt: skip
METHOD_SMD.put("Cohen", "Cohen", title="Cohen's d", cite=(
    "Cohen J. Statistical Power Analysis for the Behavioral Sciences, 2nd ed. 1988. doi:10.4324/9780203771587"
))  # fmt: skip
METHOD_SMD.put("Glass", "Glass", title="Glass's delta", cite=(
    "Glass GV. Educ Res 1976;5:3-8. doi:10.3102/0013189X005010003"
))  # fmt: skip

TACC = "TACC"


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Effects on the analysis scale, arrays of shape (k,).

    `incr_e` and `incr_c` are what was added to both cells of either arm; `silent` is "" or why a study says nothing.
    """

    TE: Array
    seTE: Array
    incr_e: Array
    incr_c: Array
    silent: tuple[str, ...]


def _increments(sparse: Array, incr: Array | str, method_incr: str, n_e: Array, n_c: Array) -> tuple[Array, Array]:
    """What to add in either arm; "TACC" shares 1 between the arms by size, which leaves a risk ratio of 1 alone."""
    rule = METHOD_INCR[method_incr]
    if isinstance(incr, str):
        if incr != TACC:
            raise MethodError(f"incr is '{incr}'; an increment is a number of 0 or above, or 'TACC'")
        total = n_e + n_c
        return rule(sparse, ratio(n_e, total)) * 1.0, rule(sparse, ratio(n_c, total)) * 1.0
    if not (incr >= 0).all():
        raise DataError(f"incr is {incr.min():g}; an increment is 0 or above")
    added = np.asarray(rule(sparse, incr) * 1.0, dtype=np.float64)
    return added, added.copy()


def _one(code: str, known: tuple[str, ...], what: str) -> None:
    if code not in known:
        raise MethodError(f"sm '{code}' is not a measure of {what}; known: {', '.join(known)}")


def binary_contrasts(
    tables: Tables,
    sm: str,
    *,
    incr: Array | str,
    method_incr: str = "only0",
    allstudies: bool = False,
    RR_Cochrane: bool = False,
    peto: bool = False,
) -> Contrast:
    """Effects of two arms counted as events.

    Parameters
    ----------
    tables : counts as reported, shape (k,).
    sm : a code of BINARY.
    incr : what is added to each cell of studies with an empty one, shape (k,), or "TACC".
    method_incr : a code of METHOD_INCR.
    allstudies : keep studies in which nobody, or everybody, had the event (for ratios).
    RR_Cochrane : add twice the increment to the sizes of the arms, as RevMan does.
    peto : Peto's one-step log odds ratio (`sm` "OR").
    """
    _one(sm, BINARY, "two risks")
    silent = _silent(tables, sm, allstudies=allstudies)
    zero = np.zeros(tables.k)
    if peto:
        found = peto_log_odds_ratio(tables)
        return Contrast(found.y, root(found.v), zero, zero, silent)
    if sm == "ASD":
        found = arcsine_difference(tables)
        return Contrast(found.y, root(found.v), zero, zero, silent)
    sparse = np.asarray(tables.zero & ~tables.missing, dtype=float)
    e, c = _increments(sparse, incr, method_incr, tables.n1, tables.n2)
    if sm in ("OR", "DOR"):
        t = Tables(tables.a + e, tables.b + e, tables.c + c, tables.d + c)
        te, v = logarithm(ratio(t.a * t.d, t.b * t.c)), ratio(1, t.a) + ratio(1, t.b) + ratio(1, t.c) + ratio(1, t.d)
    elif sm == "RD":
        te = ratio(tables.a, tables.n1) - ratio(tables.c, tables.n2)
        v = _risk_variance(tables.a, tables.b, e) + _risk_variance(tables.c, tables.d, c)
    else:
        te, v = _risk_ratio(tables, e, c, RR_Cochrane=RR_Cochrane)
    quiet = np.array([reason != "" for reason in silent])
    return Contrast(np.where(quiet, np.nan, te), np.where(quiet, np.nan, root(v)), e, c, silent)


def _silent(tables: Tables, sm: str, *, allstudies: bool) -> tuple[str, ...]:
    if sm in ("RD", "ASD") or allstudies:
        return ("",) * tables.k
    nobody = (tables.a == 0) & (tables.c == 0)
    everybody = (tables.b == 0) & (tables.d == 0)
    texts = np.select([nobody, everybody], ["nobody had the event in either arm", "everybody had the event"], "")
    return tuple(str(text) for text in texts)


def _risk_variance(events: Array, rest: Array, add: Array) -> Array:
    return ratio((events + add) * (rest + add), (events + rest + 2 * add) ** 3)


def _risk_ratio(t: Tables, e: Array, c: Array, *, RR_Cochrane: bool) -> tuple[Array, Array]:
    times = 2 if RR_Cochrane else 1
    n1, n2 = t.n1 + times * e, t.n2 + times * c
    te = logarithm(ratio(t.a + e, n1)) - logarithm(ratio(t.c + c, n2))
    # Where everybody had the event the increment would cancel in 1/a - 1/n, so it stays out of the first term.
    first = t.a + np.where((t.b == 0) & (times == 1), 0.0, e)
    second = t.c + np.where((t.d == 0) & (times == 1), 0.0, c)
    return te, ratio(1, first) - ratio(1, n1) + ratio(1, second) - ratio(1, n2)


def pooling_tables(tables: Tables, incr_e: Array, incr_c: Array) -> Tables:
    """The tables with the increments in, as a Mantel-Haenszel estimate with correction takes them."""
    return Tables(tables.a + incr_e, tables.b + incr_e, tables.c + incr_c, tables.d + incr_c)


def person_time_contrasts(data: PersonTimes, sm: str, *, incr: Array | str, method_incr: str = "only0") -> Contrast:
    """Effects of two arms counted as events over time at risk; `sm` a code of PERSON_TIME."""
    _one(sm, PERSON_TIME, "two rates")
    zero, silent = np.zeros(data.k), ("",) * data.k
    if sm == "IRSD":
        found = root_rate_difference(data)
        return Contrast(found.y, root(found.v), zero, zero, silent)
    sparse = np.asarray((data.x1 == 0) | (data.x2 == 0), dtype=float)
    e, c = _increments(sparse, incr, method_incr, data.t1, data.t2)
    x1, x2 = data.x1 + e, data.x2 + c
    if sm == "IRD":
        te = data.x1 / data.t1 - data.x2 / data.t2
        return Contrast(te, root(x1 / data.t1**2 + x2 / data.t2**2), e, c, silent)
    te = logarithm(ratio(x1, data.t1)) - logarithm(ratio(x2, data.t2))
    return Contrast(te, root(ratio(1, x1) + ratio(1, x2)), e, c, silent)


def continuous_contrasts(
    data: TwoMeans,
    sm: str,
    *,
    pooledvar: bool = False,
    method_smd: str = "Hedges",
    sd_glass: str = "control",
    exact_smd: bool = True,
) -> Contrast:
    """Effects of two arms measured on a continuous scale.

    Parameters
    ----------
    data : sizes, means and SDs, shape (k,).
    sm : "MD", "SMD" or "ROM"; a ratio of means exists where both are above 0.
    pooledvar : one SD for both arms (MD, ROM).
    method_smd : a code of METHOD_SMD.
    sd_glass : whose SD Glass's delta divides by, "control" or "experimental".
    exact_smd : exact small-sample factor and variance instead of the usual approximations.

    References
    ----------
    White IR, Thomas J. Clin Trials 2005;2:141-51. doi:10.1191/1740774505cn081oa
    """
    _one(sm, CONTINUOUS, "two means")
    zero, d = np.zeros(data.k), data
    silent: tuple[str, ...] = ("",) * d.k
    spread1, spread2 = (pooled_sd(d), pooled_sd(d)) if pooledvar else (d.sd1, d.sd2)
    if sm == "MD":
        te, v = d.m1 - d.m2, spread1**2 / d.n1 + spread2**2 / d.n2
    elif sm == "ROM":
        silent = tuple("a mean is not above 0" if low else "" for low in (d.m1 <= 0) | (d.m2 <= 0))
        te = logarithm(d.m1) - logarithm(d.m2)
        v = ratio(spread1**2, d.n1 * d.m1**2) + ratio(spread2**2, d.n2 * d.m2**2)
        v = np.where(np.isfinite(te), v, np.nan)
    else:
        METHOD_SMD.entry(method_smd)
        if sd_glass not in ("control", "experimental"):
            raise MethodError(f"sd_glass is '{sd_glass}'; known: control, experimental")
        te, v = _standardised(d, method_smd, sd_glass, exact=exact_smd)
    return Contrast(te, root(v), zero, zero, silent)


def _standardised(d: TwoMeans, method: str, sd_glass: str, *, exact: bool) -> tuple[Array, Array]:
    n, base = d.n1 + d.n2, 1 / d.n1 + 1 / d.n2
    if method == "Glass":
        sd, df = (d.sd2, d.n2 - 1) if sd_glass == "control" else (d.sd1, d.n1 - 1)
        te = ratio(d.m1 - d.m2, sd)
        return te, base + ratio(te**2, 2 * df)
    raw = ratio(d.m1 - d.m2, pooled_sd(d))
    if not exact:
        te = raw * (1 - 3 / (4 * n - 9)) if method == "Hedges" else raw
        return te, base + ratio(te**2, 2 * (n - 3.94 if method == "Hedges" else n))
    factor = small_sample_factor(n - 2)
    g = factor * raw
    return g if method == "Hedges" else raw, base + (1 - ratio(n - 4, (n - 2) * factor**2)) * g**2
