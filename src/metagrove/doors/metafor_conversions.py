"""metafor's conversions of what papers print: `conv_fivenum`, `conv_wald`, `conv_2x2`, `conv_delta`, `aggregate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.doors.columns import Columns
from metagrove.doors.frame_columns import Frame, column, numbers, table_columns
from metagrove.effects.aggregation import STRUCTURES, aggregated, cluster_covariance
from metagrove.effects.conversions import five_number_moments, wald_effects
from metagrove.effects.escalation import EffectSizes
from metagrove.effects.table_reconstruction import (
    Margins,
    table_from_chi_squared,
    table_from_odds_ratio,
    table_from_phi,
)

__all__ = ["aggregate", "conv_2x2", "conv_delta", "conv_fivenum", "conv_wald"]

_MEAN_CODES = {"luo": "Luo", "luo2016": "Luo", "wan": "Wan", "wan2014": "Wan", "hozo": "Wan", "hozo2005": "Wan"}
_MEAN_CODES |= {"bland": "Wan", "bland2015": "Wan"}
_SD_CODES = {"shi": "Shi", "shi2020": "Shi", "wan": "Wan", "wan2014": "Wan", "hozo": "Hozo", "hozo2005": "Hozo"}
_SD_CODES |= {"bland": "Bland", "bland2015": "Bland", "cochrane": "Cochrane"}
_SKEWED = {"qe": "QE", "bc": "BC", "mln": "MLN"}


def _filled(
    values: Sequence[Array],
    names: Sequence[str],
    data: Frame | None,
    include: Any,
    *,
    append: bool,
    replace: str | bool,
) -> Any:
    """A DataFrame with the `values` under `names`, beside the columns of `data`; `replace` as in metafor."""
    import pandas as pd

    if replace not in ("ifna", "all", True, False):
        raise MethodError(f"replace is {replace!r}; known: 'ifna', 'all'")
    frame = pd.DataFrame(dict(table_columns(data) or {})) if append else pd.DataFrame()
    chosen = np.ones(values[0].size, dtype=bool)
    if include is not None:
        asked = np.asarray(column(include, data, "include"))
        chosen = asked if asked.dtype == bool else np.isin(np.arange(chosen.size), asked)
        if chosen.size != values[0].size:
            raise DataError(f"{chosen.size} entries for {values[0].size} studies", column="include")
    for name, found in zip(names, values, strict=True):
        old = np.asarray(frame[name], dtype=float) if name in frame else np.full(found.shape, np.nan)
        take = chosen & np.isfinite(found)
        take &= True if replace in ("all", True) else ~np.isfinite(old)
        frame[name] = np.where(take, found, old)
    return frame


def conv_fivenum(
    min: Any = None,  # noqa: A002
    q1: Any = None,
    median: Any = None,
    q3: Any = None,
    max: Any = None,  # noqa: A002
    n: Any = None,
    *,
    data: Frame | None = None,
    include: Any = None,
    method: str | Sequence[str] = "default",
    dist: str = "norm",
    transf: bool = True,
    test: bool = False,
    var_names: Sequence[str] = ("mean", "sd"),
    append: bool = True,
    replace: str | bool = "ifna",
) -> Any:
    """A DataFrame with means and SDs from minimum, quartiles, median, maximum and n, as metafor's `conv.fivenum`.

    Parameters
    ----------
    min, q1, median, q3, max : quantiles, NaN or absent where not reported; a range, quartiles or all five are needed.
    n : people.
    data : a table whose columns the arguments may name; `append` keeps its columns (and fills gaps in columns that
        have the names of the answers; `replace="all"` replaces what is there).
    include : rows to convert, a mask or positions.
    method : "default" (Luo 2018 for the mean; Shi 2020 and Wan 2014 for the SD), "luo/wan/shi", for skewed data "qe",
        "bc" or "mln", or two codes, for mean and SD: "luo", "wan", "hozo", "bland"; "shi", "wan", "hozo", "bland",
        "cochrane".
    dist : "norm", or "lnorm" for log-normal data (Shi 2020b); with `transf=False` the answers are then of the logs.
    test : leave studies whose quantiles are those of skewed data without an answer (Shi 2023; not for "qe", "bc", "mln").

    References
    ----------
    Luo 2018 (doi:10.1177/0962280216669183); Wan 2014 (doi:10.1186/1471-2288-14-135); Shi 2020 (doi:10.1002/jrsm.1429);
    McGrath 2020 (doi:10.1177/0962280219889080); Cai 2021 (doi:10.1177/09622802211047348); Shi 2020b
    (doi:10.4310/SII.2020.v13.n4.a9); Shi 2023 (doi:10.1177/09622802231172043)
    """
    size = numbers(n, data, "n")
    if size is None:
        raise DataError("measure 'conv_fivenum' needs n; missing: n")
    empty = np.full(size.shape, np.nan)
    given = {"min": min, "q1": q1, "median": median, "q3": q3, "max": max}
    quantiles = [empty if (v := numbers(value, data, name)) is None else v for name, value in given.items()]
    mean_rule, sd_rule = _rules(method)
    found = five_number_moments(
        (quantiles[0], quantiles[1], quantiles[2], quantiles[3], quantiles[4]), size,
        mean_rule=mean_rule, sd_rule=sd_rule, dist=dist, transf=transf, test=test and mean_rule not in _SKEWED.values(),
    )  # fmt: skip
    return _filled((found.mean, found.sd), var_names, data, include, append=append, replace=replace)


def _rules(method: str | Sequence[str]) -> tuple[str, str]:
    if method in ("default", "luo/wan/shi"):
        return "Luo", "Shi"
    parts = [part.lower() for part in ([method] if isinstance(method, str) else method)]
    if len(parts) == 1 and parts[0] in _SKEWED:
        return _SKEWED[parts[0]], _SKEWED[parts[0]]
    mean = next((_MEAN_CODES[part] for part in parts if part in _MEAN_CODES), "Luo")
    sd = next((_SD_CODES[part] for part in reversed(parts) if part in _SD_CODES), "Shi")
    for part in parts:
        if part not in _MEAN_CODES | _SD_CODES:
            raise UnknownName("method", part, {"default", "luo/wan/shi", *_SKEWED, *_MEAN_CODES, *_SD_CODES})
    return mean, sd


def conv_wald(
    out: Any = None,
    ci_lb: Any = None,
    ci_ub: Any = None,
    zval: Any = None,
    pval: Any = None,
    n: Any = None,
    *,
    data: Frame | None = None,
    include: Any = None,
    level: Any = 95,
    transf: Any = None,
    check: bool = True,
    var_names: Sequence[str] | None = None,
    append: bool = True,
    replace: str | bool = "ifna",
) -> Any:
    """A DataFrame with estimates and variances from Wald limits or test statistics, as metafor's `conv.wald`.

    Parameters
    ----------
    out : reported estimates, on the scale of the limits.
    ci_lb, ci_ub : reported limits.
    zval, pval : test statistics or two-sided p values, used where limits are absent.
    n : people, kept as the column `ni` where `data` has none.
    data : a table (or the result of `escalc`) whose columns the arguments may name; gaps in its columns `yi` and `vi`
        are filled.
    include : rows to convert, a mask or positions.
    level : of the intervals, in percent or as a proportion, one or one a study.
    transf : a function to the analysis scale, such as `numpy.log` for ratios.
    check : whether estimates that do not lie half-way between their limits are named in `frame.attrs["notes"]`.
    replace : "ifna" fills gaps only, "all" replaces.
    """
    raw = {"out": out, "ci_lb": ci_lb, "ci_ub": ci_ub, "zval": zval, "pval": pval, "level": level}
    given = {name: numbers(value, data, name) for name, value in raw.items()}
    k = int(np.max([v.size for v in given.values() if v is not None]))
    empty = np.full(k, np.nan)
    y, lo, hi, z, p, share = (empty if (v := given[name]) is None else np.broadcast_to(v, k) for name in raw)
    share = np.where(share >= 1, share / 100, share)
    if transf is not None:
        y, lo, hi = (np.array([transf(x) if np.isfinite(x) else np.nan for x in v], dtype=float) for v in (y, lo, hi))
    from scipy.special import ndtr

    p = np.where(np.isfinite(p), p, 2 * ndtr(-np.abs(z)))
    known = data.names if isinstance(data, EffectSizes) else ("yi", "vi")
    names = tuple(var_names or known)
    filled = y
    if isinstance(data, EffectSizes) or (data is not None and known[0] in data):
        filled = np.where(np.isfinite(y), y, np.asarray(data[known[0]], dtype=float))
    _, variance, _ = wald_effects(lo, hi, filled, p, share)
    frame = _filled((y, variance), names, data, include, append=append, replace=replace)
    people = numbers(n, data, "n")
    if people is not None and "ni" not in frame:
        frame["ni"] = people
    frame.attrs["notes"] = _off_centre(y, lo, hi) if check else ()
    return frame


def _off_centre(y: Array, lo: Array, hi: Array) -> tuple[str, ...]:
    """Studies whose estimate is further from the middle of its limits than a tenth of their width."""
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(y - (lo + hi) / 2) > 0.1 * (hi - lo)
    return tuple(f"study {i + 1}: the estimate is not half-way between its limits" for i in np.flatnonzero(off))


def conv_2x2(
    ori: Any = None,
    ri: Any = None,
    x2i: Any = None,
    ni: Any = None,
    n1i: Any = None,
    n2i: Any = None,
    *,
    correct: Any = True,
    data: Frame | None = None,
    include: Any = None,
    var_names: Sequence[str] = ("ai", "bi", "ci", "di"),
    append: bool = True,
    replace: str | bool = "ifna",
) -> Any:
    """A DataFrame with the cells of 2x2 tables from their margins and one statistic, as metafor's `conv.2x2`.

    Parameters
    ----------
    ori, ri, x2i : odds ratios, phi coefficients, or chi-squared statistics with the sign of the association.
    ni, n1i, n2i : everybody, the first row (an arm), and the first column (all who had the event).
    correct : whether chi-squared statistics were Yates-corrected, one or one a study.
    data, include, var_names, append, replace : as in `conv_wald`.

    Raises
    ------
    DataError where a statistic and its margins contradict one another, naming the study.

    References
    ----------
    Bonett DG. Am Psychol 2007;62:254-5. doi:10.1037/0003-066X.62.3.254

    >>> conv_2x2(ori=[2.05], ni=[240], n1i=[122], n2i=[56]).iloc[0].tolist()
    [36.0, 86.0, 20.0, 98.0]
    """
    raw = {"ori": ori, "ri": ri, "x2i": x2i, "ni": ni, "n1i": n1i, "n2i": n2i, "correct": correct}
    given = {name: numbers(value, data, name) for name, value in raw.items()}
    k = int(np.max([v.size for v in given.values() if v is not None]))
    columns = [np.full(k, np.nan) if (v := given[name]) is None else np.broadcast_to(v, k) for name in raw]
    cells = np.full((4, k), np.nan)
    for i, (odds, phi, chi, total, row, first, yates) in enumerate(zip(*columns, strict=True)):
        if not (np.isfinite([total, row, first]).all() and np.isfinite([odds, phi, chi]).any()):
            continue
        try:
            margins = Margins(float(total), float(row), float(first))
            if np.isfinite(odds):
                cells[:, i] = table_from_odds_ratio(margins, float(odds))
            elif np.isfinite(phi):
                cells[:, i] = table_from_phi(margins, float(phi))
            else:
                cells[:, i] = table_from_chi_squared(margins, float(chi), corrected=bool(yates))
        except DataError as error:
            raise DataError(f"study {i + 1}: {error}") from None
    return _filled(tuple(cells), var_names, data, include, append=append, replace=replace)


def _slope(transf: Callable[..., Any], x: float, extra: dict[str, Any]) -> float:
    """The derivative by Ridders's extrapolation of central differences.

    Ridders CJF. Adv Eng Softw 1982;4:75-6. doi:10.1016/S0141-1195(82)80057-0
    """
    h, best, error = 0.05 * max(abs(x), 0.1), float("nan"), float("inf")
    rows: list[list[float]] = []
    for i in range(12):
        with np.errstate(all="ignore"):
            row = [(float(transf(x + h, **extra)) - float(transf(x - h, **extra))) / (2 * h)]
        factor = 1.0
        for j in range(i):
            factor *= 1.96
            row.append((factor * row[j] - rows[i - 1][j]) / (factor - 1))
            gap = max(abs(row[-1] - row[-2]), abs(row[-1] - rows[i - 1][j]))
            if gap <= error:
                error, best = gap, row[-1]
        rows.append(row)
        h /= 1.4
    return best


def conv_delta(
    yi: Any = None,
    vi: Any = None,
    ni: Any = None,
    *,
    data: Frame | None = None,
    include: Any = None,
    transf: Callable[..., Any],
    var_names: Sequence[str] | None = None,
    append: bool = True,
    replace: str | bool = "ifna",
    **more: Any,
) -> Any:
    """A DataFrame with transformed effects and their variances by the delta method, as metafor's `conv.delta`.

    Parameters
    ----------
    yi, vi : effects and sampling variances.
    transf : a function of an effect (and of `more`, one value each or one per study).
    ni, data, include, var_names, append, replace : as in `conv_wald`.

    Raises
    ------
    DataError where the function has no value or slope at an effect, naming the study.

    >>> import numpy as np
    >>> conv_delta([0.25], [0.0047], transf=lambda p: np.log(p / (1 - p))).round(4).iloc[0].tolist()
    [-1.0986, 0.1337]
    """
    known = data.names if isinstance(data, EffectSizes) else ("yi", "vi")
    y, v = numbers(known[0] if yi is None else yi, data, "yi"), numbers(known[1] if vi is None else vi, data, "vi")
    if y is None or v is None or y.size != v.size:
        raise DataError("conv_delta needs effects yi with as many sampling variances vi")
    extras = {name: np.broadcast_to(np.asarray(numbers(value, data, name)), y.shape) for name, value in more.items()}
    turned, spread = np.full(y.shape, np.nan), np.full(y.shape, np.nan)
    for i in np.flatnonzero(np.isfinite(y)):
        extra = {name: float(values[i]) for name, values in extras.items()}
        with np.errstate(all="ignore"):
            turned[i] = float(transf(float(y[i]), **extra))
        slope = _slope(transf, float(y[i]), extra)
        if not (np.isfinite(turned[i]) and np.isfinite(slope)):
            raise DataError(f"study {i + 1}: the transformation has no value or slope at {y[i]:g}")
        spread[i] = v[i] * slope**2
    frame = _filled((turned, spread), tuple(var_names or known), data, include, append=append, replace=replace)
    people = numbers(ni, data, "ni")
    if people is not None and "ni" not in frame:
        frame["ni"] = people
    return frame


def aggregate(
    x: Any,
    cluster: Any,
    *,
    vi: Any = None,
    data: Any = None,
    time: Any = None,
    obs: Any = None,
    V: Any = None,
    struct: str = "CS",
    rho: float | None = None,
    phi: float | None = None,
    weighted: bool = True,
    addk: bool = False,
) -> EffectSizes:
    """One effect for each cluster from several dependent ones, as metafor's `aggregate` of an `escalc` table.

    Parameters
    ----------
    x : the result of `escalc`, or effects (k,) with variances `vi`; arguments may name columns of its table or of `data`.
    cluster : what effects belong to (a study).
    struct : correlations within a cluster: "ID", "CS" (`rho`), "CAR" (`phi` by distance in `time`), "CS+CAR" or
        "CS*CAR" (with `obs`, the outcome).
    V : the sampling covariance itself, shape (k, k), such as `vcalc` gives; `struct` then does not count.
    weighted : generalised least squares; False takes plain means.
    addk : adds the number of effects as the column `ki`.

    Effects without a value are left out. Other columns are averaged where they are numbers, else the most frequent
    value is kept.

    References
    ----------
    Borenstein M, et al. Introduction to Meta-Analysis. 2009, chapter 24. doi:10.1002/9780470743386

    >>> found = aggregate([0.2, 0.4, 0.1], ["a", "a", "b"], vi=[0.04, 0.04, 0.09], rho=0.5)
    >>> found.yi.round(3).tolist(), found.vi.round(3).tolist()
    ([0.3, 0.1], [0.03, 0.09])
    """
    if struct not in STRUCTURES:
        raise UnknownName("structure of effects within clusters (struct)", struct, STRUCTURES)
    sizes = x if isinstance(x, EffectSizes) else None
    source = Columns(sizes if sizes is not None else data)
    y = sizes.yi if sizes is not None else source.numbers(x, "yi")
    k = y.size
    v = sizes.vi if sizes is not None else source.numbers(vi, "vi", k)
    labels = source.texts(cluster, "cluster", k)
    if labels is None:
        raise DataError("cluster is missing")
    known = np.isfinite(y) & np.isfinite(v)
    names = tuple(dict.fromkeys(label for label, there in zip(labels, known, strict=True) if there))
    if not names:
        raise DataError("no effect with a variance")
    members = [np.flatnonzero(known & np.array([label == name for label in labels])) for name in names]
    square = None if V is None else np.asarray(V, dtype=float)
    if square is not None and square.shape != (k, k):
        raise DataError(f"V has shape {square.shape}; {k} effects need ({k}, {k})")
    outcomes, times = source.texts(obs, "obs", k), source.optional(time, "time", k)
    covariances = []
    for name, rows in zip(names, members, strict=True):
        if square is not None:
            covariances.append(square[np.ix_(rows, rows)])
            continue
        if rows.size == 1:
            covariances.append(v[rows][:, None])
            continue
        try:
            covariances.append(cluster_covariance(
                v[rows], struct, rho=rho, phi=phi, obs=None if outcomes is None else [outcomes[i] for i in rows],
                time=None if times is None else times[rows],
            ))  # fmt: skip
        except DataError as error:
            raise DataError(f"cluster {name}: {error}") from None
    found = aggregated(y, covariances, members, names, weighted=weighted)
    table = dict(sizes.columns or {}) if sizes is not None else dict(table_columns(data) or {})
    columns: dict[str, Any] = {name: _joined(values, members) for name, values in table.items()}
    columns = {"cluster": list(names), **{key: value for key, value in columns.items() if key not in ("yi", "vi")}}
    if addk:
        columns["ki"] = [rows.size for rows in members]
    measure = sizes.measure if sizes is not None else "GEN"
    return EffectSizes(found.y, found.v, None, measure, names, ("",) * len(names), columns=columns)


def _joined(values: Sequence[Any], members: Sequence[Any]) -> list[Any]:
    """A column by cluster: means of numbers, else the value that is most frequent (the first of several)."""
    array = np.asarray(values)
    if array.dtype.kind in "iuf":
        return [float(array[rows].mean()) for rows in members]
    found = []
    for rows in members:
        own = [values[i] for i in rows]
        found.append(max(dict.fromkeys(own), key=own.count))
    return found
