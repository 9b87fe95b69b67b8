"""metafor's door to effects: `escalc`, with its argument names and defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array
from metagrove.doors.frame_columns import Frame, column, labels, numbers, table_columns
from metagrove.effects.arms import (
    Changes,
    Columns,
    Correlations,
    OneMeans,
    PersonTimes,
    Proportions,
    Rates,
    Reliabilities,
    Tables,
    TwoMeans,
)
from metagrove.effects.corrections import Correction
from metagrove.effects.escalation import EffectSizes, effect_sizes, given_effects
from metagrove.effects.measures import MEASURES, MeasureOptions

__all__ = ["escalc"]

Given = dict[str, Array | None]


def escalc(
    measure: str,
    ai: Any = None,
    bi: Any = None,
    ci: Any = None,
    di: Any = None,
    n1i: Any = None,
    n2i: Any = None,
    x1i: Any = None,
    x2i: Any = None,
    t1i: Any = None,
    t2i: Any = None,
    m1i: Any = None,
    m2i: Any = None,
    sd1i: Any = None,
    sd2i: Any = None,
    xi: Any = None,
    mi: Any = None,
    ri: Any = None,
    ti: Any = None,
    sdi: Any = None,
    ni: Any = None,
    yi: Any = None,
    vi: Any = None,
    sei: Any = None,
    *,
    data: Frame | None = None,
    slab: Any = None,
    subset: Any = None,
    add: float | None = None,
    to: str = "only0",
    drop00: bool = False,
    vtype: str | None = None,
    correct: bool = True,
    var_names: Sequence[str] = ("yi", "vi"),
    append: bool = True,
    flip: bool = False,
) -> EffectSizes:
    """Effect sizes and sampling variances of many studies, with metafor's argument names and defaults.

    Parameters
    ----------
    measure : a code of MEASURES ("OR", "SMD", "PLO", "ZCOR" …) or "GEN" for given `yi` and `vi` (or `sei`).
    ai, bi, ci, di, n1i, n2i : 2x2 tables (`bi` or `n1i`, `di` or `n2i`); pairs for the measures that start with MP.
    x1i, x2i, t1i, t2i : events and person-time in two arms.
    m1i, m2i, sd1i, sd2i, n1i, n2i : means in two arms, or of one group measured twice with `ri` and `ni`.
    xi, mi, ti, ni : events with non-events or size or person-time of one group.
    mi, sdi, ni : mean, SD and size of one group.
    ri, ni : correlations; `ai`, `mi`, `ni` : alphas, items and people of reliabilities.
    di, n1i, n2i : standardised differences in place of means and SDs, for SMD and its relatives.
    data : a table; the arguments above may then name its columns. `append` keeps its columns in the result.
    subset : a logical or index array of the studies to keep.
    add, to, drop00 : what is added to cells (by default 0.5, and nothing for measures that exist with empty cells), to
        which studies ("only0", "all", "if0all", "none"), and whether double-zero studies are left without an effect.
    vtype : type of sampling variance; the measure's own default if absent.
    correct : remove small-sample bias (SMD, ROM and relatives).
    var_names : the names of the estimate and the variance in the result's table.
    flip : the sign of every effect turned.

    Returns
    -------
    EffectSizes
        With `yi`, `vi`, `rows()`, `to_frame()`, `limits(level)`; NaN with a reason where a study has no such effect.

    References
    ----------
    Viechtbauer W. J Stat Softw 2010;36(3):1-48. doi:10.18637/jss.v036.i03
    """
    raw = {"ai": ai, "bi": bi, "ci": ci, "di": di, "n1i": n1i, "n2i": n2i, "x1i": x1i, "x2i": x2i, "t1i": t1i}
    raw |= {"t2i": t2i, "m1i": m1i, "m2i": m2i, "sd1i": sd1i, "sd2i": sd2i, "xi": xi, "mi": mi, "ri": ri, "ti": ti}
    raw |= {"sdi": sdi, "ni": ni, "yi": yi, "vi": vi, "sei": sei}
    given: Given = {name: numbers(value, data, name) for name, value in raw.items()}
    names = labels(slab, data, "slab")
    keep = _kept(column(subset, data, "subset"), max((v.size for v in given.values() if v is not None), default=0))
    if keep is not None:
        given = {name: value[keep] if value is not None else None for name, value in given.items()}
        names = tuple(np.array(names, dtype=object)[keep]) if names is not None else None
    if measure == "GEN":
        out = _given(given, names)
    else:
        entry = MEASURES[measure]
        options = MeasureOptions(vtype or entry.vtypes[0], correct)
        if entry.family == "means" and given["di"] is not None and given["m1i"] is None:
            out = _from_standardised(measure, given, options, names)
        else:
            arms = _FAMILIES[entry.family](measure, given)
            rule = Correction(0.5 if add is None else add, to, drop00)
            out = effect_sizes(measure, arms, rule=rule, options=options, slab=names, always=add is not None)
    columns = table_columns(data, keep) if append else None
    return replace(out, yi=-out.yi if flip else out.yi, columns=columns, names=(var_names[0], var_names[1]))


def _kept(subset: Any, k: int) -> Any:
    if subset is None:
        return None
    flags = np.asarray(subset)
    if flags.dtype != bool:
        chosen = np.zeros(k, dtype=bool)
        chosen[flags.astype(int)] = True
        return chosen
    if flags.size != k:
        raise DataError(f"subset has {flags.size} entries for {k} studies")
    return flags


def _need(measure: str, given: Given, *names: str) -> list[Array]:
    absent = [name for name in names if given[name] is None]
    if absent:
        raise DataError(f"measure '{measure}' needs {', '.join(names)}; missing: {', '.join(absent)}")
    return [value for name in names if (value := given[name]) is not None]


def _tables(measure: str, given: Given) -> Columns:
    a, c = _need(measure, given, "ai", "ci")
    if given["bi"] is None and given["n1i"] is None:
        _need(measure, given, "bi", "di")
    if given["bi"] is not None:
        b, d = _need(measure, given, "bi", "di")
        return Tables(a, b, c, d)
    n1, n2 = _need(measure, given, "n1i", "n2i")
    return Tables.from_arms(a, n1, c, n2)


def _proportions(measure: str, given: Given) -> Columns:
    (x,) = _need(measure, given, "xi")
    if given["ni"] is None and given["mi"] is not None:
        return Proportions(x, x + given["mi"])
    return Proportions(x, _need(measure, given, "ni")[0])


def _changes(measure: str, given: Given) -> Columns:
    # SMCR takes one SD only; the SD of the second measurement is then never used.
    if given["sd2i"] is None and measure == "SMCR" and given["sd1i"] is not None:
        given = given | {"sd2i": given["sd1i"]}
    return Changes(*_need(measure, given, "ni", "m1i", "m2i", "sd1i", "sd2i", "ri"))


_FAMILIES: dict[str, Callable[[str, Given], Columns]] = {
    "tables": _tables,
    "proportions": _proportions,
    "person-time": lambda m, g: PersonTimes(*_need(m, g, "x1i", "x2i", "t1i", "t2i")),
    "means": lambda m, g: TwoMeans(*_need(m, g, "n1i", "m1i", "sd1i", "n2i", "m2i", "sd2i")),
    "rates": lambda m, g: Rates(*_need(m, g, "xi", "ti")),
    "one mean": lambda m, g: OneMeans(*_need(m, g, "ni", "mi", "sdi")),
    "changes": _changes,
    "correlations": lambda m, g: Correlations(*_need(m, g, "ri", "ni")),
    "reliabilities": lambda m, g: Reliabilities(*_need(m, g, "ai", "mi", "ni")),
}


def _from_standardised(measure: str, given: Given, options: MeasureOptions, names: Sequence[str] | None) -> EffectSizes:
    if measure not in ("SMD", "D2OR", "D2ORN", "D2ORL", "RPB", "RBIS"):
        raise MethodError(f"measure '{measure}' cannot start from a standardised difference (di)")
    d, n1, n2 = _need(measure, given, "di", "n1i", "n2i")
    zeros, ones = np.zeros_like(d), np.ones_like(d)
    return effect_sizes(measure, TwoMeans(n1, d, ones, n2, zeros, ones), options=options, slab=names)


def _given(given: Given, names: Sequence[str] | None) -> EffectSizes:
    (y,) = _need("GEN", given, "yi")
    if given["vi"] is not None:
        return given_effects(y, given["vi"], names)
    (se,) = _need("GEN", given, "sei")
    if (se < 0).any():
        raise DataError(f"study {int(np.flatnonzero(se < 0)[0]) + 1}: a standard error is below 0")
    return given_effects(y, se**2, names)
