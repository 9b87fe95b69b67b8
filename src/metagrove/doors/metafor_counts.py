"""metafor's doors to counts: `rma_mh`, `rma_peto`, `rma_glmm`, with its argument names and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array
from metagrove.doors.frame_columns import Frame, column, labels, numbers
from metagrove.effects.arms import Columns, PersonTimes, Proportions, Rates, Tables
from metagrove.effects.corrections import Correction
from metagrove.effects.escalation import effect_sizes
from metagrove.pooling.counts.glmm import informative
from metagrove.pooling.counts.glmm_result import GlmmResult
from metagrove.pooling.counts.models import count_model, glmm_fit
from metagrove.pooling.counts.results import CountResult, mantel_haenszel_result, peto_result
from metagrove.pooling.counts.scripts import Counted
from metagrove.pooling.regression.design import formula_design, matrix_design
from metagrove.pooling.regression.formula import terms

__all__ = ["rma_glmm", "rma_mh", "rma_peto"]


def rma_mh(
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
    measure: str = "OR",
    *,
    data: Frame | None = None,
    slab: Any = None,
    subset: Any = None,
    add: float | Sequence[float] = 0.5,
    to: str | Sequence[str] = "only0",
    drop00: bool | Sequence[bool] = True,
    correct: bool = True,
    level: float = 95,
) -> CountResult:
    """The Mantel-Haenszel estimate of a common effect from counts.

    Parameters
    ----------
    ai, bi, ci, di, n1i, n2i : 2x2 tables (`bi` or `n1i`, `di` or `n2i`) for "OR", "RR" and "RD".
    x1i, x2i, t1i, t2i : events and person-time for "IRR" and "IRD".
    data : a table whose columns the arguments may name.
    add, to, drop00 : as in `escalc`, for the single effects; a pair gives a second rule for the pooled tables, to
        which nothing is added by default.
    correct : continuity correction of the tests.
    level : of the limits, in percent or as a proportion.

    References
    ----------
    Mantel N, Haenszel W. J Natl Cancer Inst 1959;22:719-48. doi:10.1093/jnci/22.4.719

    Pinned by the reference cases `bin_*` and `irr_nielweise2008`.

    >>> fit = rma_mh([4, 6, 3], [119, 300, 228], [11, 29, 11], [128, 274, 209])
    >>> round(fit.b, 4), round(fit.QE, 4)
    (-1.4135, 0.9398)
    """
    if measure not in ("OR", "RR", "RD", "IRR", "IRD"):
        raise MethodError(f"measure '{measure}' has no Mantel-Haenszel estimate; known: OR, RR, RD, IRR, IRD")
    given, names = _read(data, slab, subset, _arms(ai, bi, ci, di, n1i, n2i, x1i, x2i, t1i, t2i))
    counts, names, _ = _complete(measure, given, names)
    show, weigh = _rules(add, to, drop00)
    return mantel_haenszel_result(
        counts, measure, weigh=weigh, show=show, level=_share(level), correct=correct, slab=names
    )


def rma_peto(
    ai: Any = None,
    bi: Any = None,
    ci: Any = None,
    di: Any = None,
    n1i: Any = None,
    n2i: Any = None,
    *,
    data: Frame | None = None,
    slab: Any = None,
    subset: Any = None,
    add: float | Sequence[float] = 0.5,
    to: str | Sequence[str] = "only0",
    drop00: bool | Sequence[bool] = True,
    level: float = 95,
) -> CountResult:
    """Peto's one-step estimate of a common odds ratio; arguments as in `rma_mh`.

    References
    ----------
    Yusuf S, et al. Prog Cardiovasc Dis 1985;27:335-71. doi:10.1016/S0033-0620(85)80003-7

    Pinned by the reference cases `bin_*`.

    >>> round(rma_peto([4, 6, 3], [119, 300, 228], [11, 29, 11], [128, 274, 209]).b, 4)
    -1.2373
    """
    given, names = _read(data, slab, subset, _arms(ai, bi, ci, di, n1i, n2i, None, None, None, None))
    counts, names, _ = _complete("OR", given, names)
    assert isinstance(counts, Tables)
    show, weigh = _rules(add, to, drop00)
    return peto_result(counts, weigh=weigh, show=show, level=_share(level), slab=names)


_GLMM_MEASURES = ("OR", "IRR", "PLO", "IRLN")


def rma_glmm(
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
    xi: Any = None,
    mi: Any = None,
    ti: Any = None,
    ni: Any = None,
    mods: Any = None,
    measure: str | None = None,
    *,
    intercept: bool = True,
    data: Frame | None = None,
    slab: Any = None,
    subset: Any = None,
    add: float = 0.5,
    to: str = "only0",
    drop00: bool = True,
    model: str = "UM.FS",
    method: str = "ML",
    coding: float = 0.5,
    test: str = "z",
    level: float = 95,
    nAGQ: int | None = None,
) -> GlmmResult:
    """A generalised linear mixed model of counts, by maximum likelihood and our own quadrature.

    Parameters
    ----------
    ai ... t2i : two arms, as in `rma_mh`; measure "OR" or "IRR".
    xi, mi, ni, ti : one group: events with non-events or sizes (measure "PLO"), or with person-time ("IRLN").
    mods : covariates: a formula ("~ x + factor(g)"), columns of `data` by name, or a matrix of shape (k, p).
    measure : "OR", "IRR", "PLO" or "IRLN"; must be given.
    add, to, drop00 : for the studies' own effects, and whether two-armed studies without events are left out (True).
    model : "UM.FS", "UM.RS", "CM.EL" or "CM.AL" for two arms.
    method : "ML", or "EE" (also "FE", "CE") for the model without heterogeneity.
    coding : of the treatment in the random part: `coding` in the first arm, `coding` - 1 in the second.
    test : "z", or "t" with k - p degrees of freedom.
    level : of the limits, in percent or as a proportion.
    nAGQ : quadrature points. If absent 7; 1 for "UM.RS" (as metafor); 21 for "CM.EL" of tables. "UM.RS" takes more
        points per axis where they are asked for.

    Raises
    ------
    MethodError
        Where the likelihood has no maximum, such as with all events in one arm, with the reason.
    ConvergenceError
        Where the search does not end.

    References
    ----------
    Stijnen T, et al. Stat Med 2010;29:3046-67. doi:10.1002/sim.4040
    Jackson D, et al. Stat Med 2018;37:1059-85. doi:10.1002/sim.7588

    Pinned by the reference cases `bin_bcg`, `irr_nielweise2008`, `prop_*`, `seed_*` and `rate_smoking`.

    >>> fit = rma_glmm(xi=[2, 0, 2, 4, 1, 5], ni=[8, 15, 20, 17, 34, 42], measure="PLO")
    >>> round(float(fit.b[0]), 4), round(fit.tau2, 3)
    (-2.1958, 0.181)
    """
    if measure not in _GLMM_MEASURES:
        raise MethodError(f"measure '{measure}' has no GLMM; known: {', '.join(_GLMM_MEASURES)}")
    if nAGQ is not None and not (int(nAGQ) == nAGQ and 1 <= nAGQ <= 100):
        raise MethodError(f"nAGQ is {nAGQ}; a number of quadrature points is whole, from 1 to 100")
    if method not in ("ML", "EE", "FE", "CE") or test not in ("z", "t"):
        raise MethodError(f"method '{method}', test '{test}'; known: ML, EE, FE, CE and z, t")
    raw = _arms(ai, bi, ci, di, n1i, n2i, x1i, x2i, t1i, t2i) | {"xi": xi, "mi": mi, "ti": ti, "ni": ni}
    given, names = _read(data, slab, subset, raw)
    kept_rows = _row_mask(column(subset, data, "subset"), raw, data)
    counts, kept, seen = _complete(measure, given, names)
    design, terms = _design(mods, data, kept_rows, seen, intercept=intercept)
    keep = informative(counts)
    all_names = names or tuple(str(i + 1) for i in range(seen.size))
    excluded = [(all_names[i], "a count is missing") for i in np.flatnonzero(~seen)]
    excluded += [(kept[i], "no events, or only events, in both arms") for i in np.flatnonzero(~keep)]
    if not keep.any():
        raise MethodError("no study says anything about the effect")
    used = type(counts)(*(values[keep] for values in counts.columns().values()))
    problem = count_model(
        used, model if measure in ("OR", "IRR") else "", nodes=None if nAGQ is None else int(nAGQ), coding=coding,
        x=design[keep],
    )  # fmt: skip
    effects = effect_sizes(
        measure, used, rule=Correction(add, to, drop00), slab=tuple(n for n, k in zip(kept, keep, strict=True) if k)
    )
    two = measure in ("OR", "IRR")
    return GlmmResult(
        glmm_fit(problem), effects, design[keep], terms, measure, model if two else "",
        "ML" if method == "ML" else "EE", test, _share(level), 2 if two and model.startswith("UM") else 1,
        tuple(excluded), source=Counted(used, (Correction(add, to, drop00),), _given(nAGQ, coding)),
    )  # fmt: skip


def _given(nodes: Any, coding: Any) -> tuple[tuple[str, str], ...]:
    """Arguments of R's function that were given and change the fit."""
    found = [] if nodes is None else [("nAGQ", f"{int(nodes)}")]
    return tuple(found if coding == 0.5 else [*found, ("coding", f"{float(coding):g}")])


def _arms(*values: Any) -> dict[str, Any]:
    names = ("ai", "bi", "ci", "di", "n1i", "n2i", "x1i", "x2i", "t1i", "t2i")
    return dict(zip(names, values, strict=True))


def _share(level: float) -> float:
    share = level / 100 if level >= 1 else level
    if not 0 < share < 1:
        raise MethodError(f"level is {level}; a level lies between 0 and 100 percent")
    return float(share)


def _rules(add: Any, to: Any, drop00: Any) -> tuple[Correction, Correction]:
    """The rule for single effects, then the one for pooled tables (nothing added unless a pair says so)."""
    adds = list(add) if np.ndim(add) else [add, 0.0]
    tos = [to, "none"] if isinstance(to, str) else list(to)
    drops = list(drop00) if np.ndim(drop00) else [drop00, False]
    return Correction(adds[0], tos[0], bool(drops[0])), Correction(adds[1], tos[1], bool(drops[1]))


def _row_mask(subset: Any, raw: dict[str, Any], data: Frame | None) -> Any:
    if subset is None:
        return None
    k = next(v.size for name, value in raw.items() if (v := numbers(value, data, name)) is not None)
    flags = np.asarray(subset)
    if flags.dtype == bool:
        return flags
    mask = np.zeros(k, dtype=bool)
    mask[flags.astype(int)] = True
    return mask


def _read(
    data: Frame | None, slab: Any, subset: Any, raw: dict[str, Any]
) -> tuple[dict[str, Array | None], tuple[str, ...] | None]:
    given = {name: numbers(value, data, name) for name, value in raw.items()}
    sizes = {value.size for value in given.values() if value is not None}
    if len(sizes) > 1:
        raise DataError(f"columns of {', '.join(str(s) for s in sorted(sizes))} studies; one length is needed")
    names = labels(slab, data, "slab")
    rows = _row_mask(column(subset, data, "subset"), raw, data)
    if rows is None:
        return given, names
    kept = None if names is None else tuple(n for n, keep in zip(names, rows, strict=True) if keep)
    return {name: None if value is None else value[rows] for name, value in given.items()}, kept


def _complete(
    measure: str, given: dict[str, Array | None], names: tuple[str, ...] | None
) -> tuple[Columns, tuple[str, ...], Any]:
    """The counts of studies that reported all of them, their labels, and which those are."""
    counts = _counts(measure, given)
    seen = ~counts.missing
    if not seen.any():
        raise DataError("no study reports all its counts")
    all_names = names or tuple(str(i + 1) for i in range(counts.k))
    if len(all_names) != counts.k:
        raise DataError(f"{len(all_names)} labels for {counts.k} studies")
    whole = type(counts)(*(values[seen] for values in counts.columns().values()))
    return whole, tuple(n for n, keep in zip(all_names, seen, strict=True) if keep), seen


def _need(measure: str, given: dict[str, Array | None], *names: str) -> list[Array]:
    absent = [name for name in names if given[name] is None]
    if absent:
        raise DataError(f"measure '{measure}' needs {', '.join(names)}; missing: {', '.join(absent)}")
    return [value for name in names if (value := given[name]) is not None]


def _counts(measure: str, given: dict[str, Array | None]) -> Columns:
    if measure in ("IRR", "IRD"):
        return PersonTimes(*_need(measure, given, "x1i", "x2i", "t1i", "t2i"))
    if measure == "IRLN":
        return Rates(*_need(measure, given, "xi", "ti"))
    if measure == "PLO":
        (x,) = _need(measure, given, "xi")
        rest = given["mi"]
        return Proportions(x, x + rest if rest is not None else _need(measure, given, "ni")[0])
    if given["bi"] is not None:
        return Tables(*_need(measure, given, "ai", "bi", "ci", "di"))
    return Tables.from_arms(*_need(measure, given, "ai", "n1i", "ci", "n2i"))


def _design(mods: Any, data: Frame | None, rows: Any, seen: Any, *, intercept: bool) -> tuple[Array, tuple[str, ...]]:
    """The design of the studies in the model and the names of its columns; the intercept comes first."""
    k = int(seen.sum())
    if mods is None:
        return np.ones((k, 1)), ("intrcpt",)

    def picked(values: Any) -> Any:
        array = np.asarray(values)
        array = array if rows is None else array[rows]
        if array.shape[0] != seen.size:
            raise DataError(f"a covariate has {array.shape[0]} rows for {seen.size} studies", column="mods")
        return array[seen]

    written = isinstance(mods, str) or (isinstance(mods, (list, tuple)) and mods and isinstance(mods[0], str))
    if written:
        text = mods if isinstance(mods, str) else "~ " + " + ".join(f"`{name}`" for name in mods)
        text = text if "~" in text else f"~ `{text}`"
        raw = {name: picked(column(name, data, "mods")) for name in terms(text).columns}
        design = formula_design(text, raw, k, intercept=intercept)
    else:
        design = matrix_design(picked(mods), k, intercept=intercept, names=getattr(mods, "columns", None))
    if not np.isfinite(design.X).all():
        raise DataError("a covariate is missing; leave the study out with subset", column="mods")
    return design.X, tuple(design.names)
