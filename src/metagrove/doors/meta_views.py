"""R meta's functions on its results: `metareg`, `metacum`, `metainf`, `metabind`, `update`, `nnt`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.doors.columns import Columns
from metagrove.doors.metafor_counts import rma_glmm
from metagrove.pooling.bound_analyses import BoundAnalyses, bound_analyses
from metagrove.pooling.counts.glmm_result import GlmmResult
from metagrove.pooling.number_needed import NumberNeeded, number_needed
from metagrove.pooling.regression.design import formula_design
from metagrove.pooling.regression.formula import terms
from metagrove.pooling.regression.linear_model import Settings
from metagrove.pooling.regression.model import Regression, regression
from metagrove.pooling.results import MetaResult, meta_analysis
from metagrove.pooling.sensitivity import Refits

__all__ = ["metabind", "metacum", "metainf", "metareg", "nnt", "update"]

_TESTS = {("classic", ""): "z", ("HK", ""): "knha", ("HK", "se"): "adhoc"}


def _analysis(x: Any, what: str) -> MetaResult:
    if not isinstance(x, MetaResult):
        raise MethodError(
            f"{what} takes the result of a meta door; for a {type(x).__name__} ask the model itself (rma)"
        )
    return x


def metareg(
    x: MetaResult,
    formula: str | Sequence[str] = "",
    *,
    data: Any = None,
    method_tau: str | None = None,
    hakn: bool | None = None,
    level_ma: float | None = None,
    intercept: bool = True,
) -> Regression | GlmmResult:
    """The meta-regression of an analysis on covariates; of a mixed model of counts, the mixed model with covariates.

    Parameters
    ----------
    x : a result of a meta door that pools by inverse variance (Mantel-Haenszel results are refitted so).
    formula : "~ x + factor(g)", or names of columns; "" takes the subgroups.
    data : a table with the covariates, one row for each study of the analysis (excluded ones too). Without it, the
        analysis's own columns and "subgroup" are known.
    method_tau, level_ma : by default those of the analysis.
    hakn : Hartung-Knapp tests; None takes them where the analysis does.
    intercept : False leaves the intercept out.

    References
    ----------
    Thompson SG, Higgins JPT. Stat Med 2002;21:1559-73. doi:10.1002/sim.1187

    >>> import metagrove as mg
    >>> m = mg.metagen([0.2, 0.5, 0.9, 1.1], [0.2, 0.17, 0.22, 0.2], sm="MD")
    >>> fit = metareg(m, "~ dose", data={"dose": [1.0, 2.0, 3.0, 4.0]})
    >>> [round(float(value), 3) for value in fit.b]
    [-0.103, 0.309]
    """
    s, pooled = _analysis(x, "metareg").settings, x.studies.pooled
    if x.studies.columns.get("cluster") is not None:
        raise MethodError("a three-level analysis has no metareg(); fit it with rma_mv and mods")
    held: dict[str, Any] = dict(x.studies.columns)
    if x.studies.subgroup is not None:
        held["subgroup"] = np.array(x.studies.subgroup, dtype=object)
    if data is not None:
        held |= {str(name): data[name] for name in data}
    text = formula if isinstance(formula, str) else " + ".join(f"`{name}`" for name in formula)
    text = text or ("~ subgroup" if "subgroup" in held else "")
    if not text:
        raise DataError("give covariates: a formula such as '~ year', with data= a table that holds them")
    text = text if "~" in text else f"~ {text}"
    source, k = Columns(held), pooled.size
    picked = {}
    for name in terms(text).columns:
        values = np.asarray(source.raw(name, "metareg"), dtype=object)
        if values.shape != (k,):
            raise DataError(f"{values.size} values for {k} studies", column=name)
        picked[name] = _typed(values[pooled], name, [lab for lab, keep in zip(x.studlab, pooled, strict=True) if keep])
    asked = s.method_random_ci == "HK" if hakn is None else hakn
    test = _TESTS.get(("HK", s.adhoc_hakn_ci), "knha") if asked else "z"
    level = s.level_ma if level_ma is None else level_ma
    if s.method == "GLMM":
        return _mixed(x, text, picked, intercept=intercept, test="t" if asked else "z", level=level)
    design = formula_design(text, picked, int(pooled.sum()), intercept=intercept)
    method = method_tau or s.method_tau
    fixed = None if s.tau_preset is None else s.tau_preset**2
    studies = x.pooled
    settings = Settings(method, test, level, fixed)
    fit = regression(studies.TE, studies.seTE**2, design=design, settings=settings, slab=studies.studlab)
    return replace(fit, measure=s.sm, origin=(held, np.flatnonzero(pooled), k))


_COUNTED = {
    "metaprop": ("PLO", {"xi": "event", "ni": "n"}),
    "metarate": ("IRLN", {"xi": "event", "ti": "time"}),
    "metabin": ("OR", {"ai": "event_e", "n1i": "n_e", "ci": "event_c", "n2i": "n_c"}),
    "metainc": ("IRR", {"x1i": "event_e", "t1i": "time_e", "x2i": "event_c", "t2i": "time_c"}),
}


def _mixed(x: MetaResult, formula: str, covariates: dict[str, Any], **options: Any) -> GlmmResult:
    """The mixed model of counts behind `x` with covariates."""
    s, columns = x.settings, x.pooled.columns
    measure, names = _COUNTED[s.door]
    cells: dict[str, Any] = {argument: np.asarray(columns[name], dtype=float) for argument, name in names.items()}
    model = str(dict(s.options).get("model_glmm") or "UM.FS")
    return rma_glmm(
        **cells, mods=formula, data=covariates, measure=measure, slab=x.pooled.studlab, model=model, **options
    )


def _typed(values: Any, name: str, labels: Sequence[str]) -> Any:
    """Values of a covariate as numbers where they are; DataError names a study without one."""
    for label, value in zip(labels, values, strict=True):
        if value is None or value != value or value == "":
            raise DataError(f"{label}: {name} is missing; leave the study out of the analysis", column=name)
    try:
        return values.astype(float)
    except (TypeError, ValueError):
        return np.array([str(value) for value in values], dtype=object)


def metacum(x: MetaResult, pooled: str = "", *, sortvar: Any = None) -> Refits:
    """The cumulative meta-analysis: studies added in table order, or by rising `sortvar` (one value per study).

    `pooled` is "random" or "common"; "" takes the random one where the analysis shows it. `plot()` draws the forest.

    Lau J, Antman EM, Jimenez-Silva J, et al. N Engl J Med 1992;327:248-54. doi:10.1056/NEJM199207233270406

    >>> import metagrove as mg
    >>> m = mg.metagen([0.2, 0.5, 0.9], [0.2, 0.17, 0.22], studlab=["A", "B", "C"])
    >>> metacum(m, sortvar=[3, 1, 2]).studlab
    ('Adding B', 'Adding C', 'Adding A')
    """
    which = pooled or ("random" if _analysis(x, "metacum").settings.random else "common")
    order = None
    if sortvar is not None:
        order = np.asarray(Columns(dict(x.studies.columns)).raw(sortvar, "sortvar"))
        if order.shape == x.studies.pooled.shape:
            order = order[x.studies.pooled]
    return x.cumulative(which, order=order)


def metainf(x: MetaResult, pooled: str = "") -> Refits:
    """The analysis without each study in turn; `pooled` as in `metacum`. `plot()` draws the forest.

    Viechtbauer W, Cheung MWL. Res Synth Methods 2010;1:112-25. doi:10.1002/jrsm.11

    >>> import metagrove as mg
    >>> m = mg.metagen([0.2, 0.5, 0.9], [0.2, 0.17, 0.22], studlab=["A", "B", "C"])
    >>> metainf(m).studlab[0]
    'Omitting A'
    """
    return _analysis(x, "metainf").leave_one_out(pooled or ("random" if x.settings.random else "common"))


def metabind(*args: MetaResult, name: Sequence[str] | None = None, pooled: str = "random") -> BoundAnalyses:
    """Several analyses of one measure in one table and one forest plot, subgroups above their analysis.

    Parameters
    ----------
    args : results of meta doors, all with the same `sm`.
    name : what the analyses are called.
    pooled : "random" or "common".

    >>> import metagrove as mg
    >>> first = mg.metagen([0.2, 0.5, 0.9], [0.2, 0.17, 0.22])
    >>> second = mg.metagen([0.1, 0.3], [0.2, 0.17])
    >>> [row["k"] for row in metabind(first, second, name=["OS", "PFS"]).rows()]
    [3, 2]
    """
    return bound_analyses(args, name, pooled=pooled)


_FIXED = ("sm", "method", "door", "options")


def update(x: MetaResult, *, subgroup: Any = None, exclude: Any = None, **settings: Any) -> MetaResult:
    """The same studies analysed with other settings, as R meta's `update`.

    Parameters
    ----------
    subgroup : a group for each study of the table; "" takes the subgroups away.
    exclude : studies to show but not to pool, as in `metagen`, in addition to those already left out.
    settings : any of `Settings`, such as `method_tau`, `method_random_ci`, `level_ma`, `common`, `prediction`.

    Raises
    ------
    MethodError : a setting that asks for other effects (`sm`, `method`); call the door again for those.
    UnknownName : a setting that does not exist.

    >>> import metagrove as mg
    >>> m = mg.metagen([0.2, 0.5, 0.9], [0.2, 0.17, 0.22])
    >>> update(m, method_tau="DL", prediction=True).method_tau
    'DL'
    """
    found, k = _analysis(x, "update"), x.studies.pooled.size
    known = [f.name for f in fields(found.settings)]
    for name in settings:
        if name in _FIXED:
            raise MethodError(f"'{name}' makes other effects; call {found.settings.door} again")
        if name not in known:
            raise UnknownName("setting", name, [item for item in known if item not in _FIXED])
    if "method_tau" in settings and "method_tau_ci" not in settings:
        settings["method_tau_ci"] = None
    studies, source = found.studies, Columns(dict(found.studies.columns))
    if subgroup is not None:
        empty = isinstance(subgroup, str) and not subgroup
        studies = replace(studies, subgroup=None if empty else source.texts(subgroup, "subgroup", k))
    if exclude is not None:
        reasons = zip(studies.reasons, source.excluded(exclude, k), strict=True)
        studies = replace(studies, reasons=tuple(old or new for old, new in reasons))
    return meta_analysis(studies, replace(found.settings, **settings), found.model)


def nnt(x: Any, p_c: Any = None, *, sm: str | None = None, lower: Any = None, upper: Any = None) -> NumberNeeded:
    """Numbers needed to treat from a pooled effect, as R meta's `nnt`.

    Parameters
    ----------
    x : a result with sm "RD", "RR", "OR", "HR" or "ASD", or an effect on the analysis scale with `sm`, `lower`, `upper`.
    p_c : risks without the treatment; by default the smallest, middle and largest risk of the control arms.

    >>> import metagrove as mg
    >>> m = mg.metabin([4, 6, 3], [123, 306, 231], [11, 29, 11], [139, 303, 220], sm="RR")
    >>> round(float(nnt(m, 0.1).nnt[0]), 1)
    13.5
    """
    if not isinstance(x, MetaResult):
        if sm is None:
            raise DataError("an effect by itself needs sm, and p_c")
        effect = float(np.asarray(x, dtype=float))
        ends = [effect if end is None else float(end) for end in (lower, upper)]
        return number_needed(sm, [("effect", effect, ends[0], ends[1])], _risks(p_c, None))
    s = x.settings
    models = [which for which in ("common", "random") if getattr(s, which)]
    estimates = [(f"{which} effect", *_interval(getattr(x.fit, which))) for which in models]
    return number_needed(s.sm, estimates, _risks(p_c, x))


def _interval(estimate: Any) -> tuple[float, float, float]:
    return float(estimate.TE), float(estimate.lower), float(estimate.upper)


def _risks(p_c: Any, x: MetaResult | None) -> Any:
    if p_c is not None:
        return p_c
    columns = {} if x is None else x.pooled.columns
    if "event_c" not in columns or "n_c" not in columns:
        raise DataError("give p_c: the risks without the treatment")
    risks = np.asarray(columns["event_c"] / columns["n_c"], dtype=float)
    found = np.array([risks.min(), np.median(risks), risks.max()])
    return np.unique(found[(found > 0) & (found < 1)])
