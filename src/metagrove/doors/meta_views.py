"""R meta's functions on its results: `metareg`, `metacum`, `metainf`, `metabind`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.doors.columns import Columns
from metagrove.pooling.bound_analyses import BoundAnalyses, bound_analyses
from metagrove.pooling.regression.design import formula_design
from metagrove.pooling.regression.formula import terms
from metagrove.pooling.regression.linear_model import Settings
from metagrove.pooling.regression.model import Regression, regression
from metagrove.pooling.results import MetaResult
from metagrove.pooling.sensitivity import Refits

__all__ = ["metabind", "metacum", "metainf", "metareg"]

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
) -> Regression:
    """The meta-regression of an analysis on covariates.

    Parameters
    ----------
    x : a result of a meta door that pools by inverse variance (Mantel-Haenszel results are refitted so).
    formula : "~ x + factor(g)", or names of columns; "" takes the subgroups.
    data : a table with the covariates, one row for each study of the analysis (excluded ones too). Without it, the
        analysis's own columns and "subgroup" are known.
    method_tau, level_ma : by default those of the analysis (REML where the analysis has a mixed model of counts).
    hakn : Hartung-Knapp tests; None takes them where the analysis does.
    intercept : False leaves the intercept out.

    References
    ----------
    Thompson SG, Higgins JPT. Stat Med 2002;21:1559-73. doi:10.1002/sim.1187

    >>> import metagrove as mg
    >>> m = mg.metagen([0.2, 0.5, 0.9, 1.1], [0.2, 0.17, 0.22, 0.2], sm="MD")
    >>> fit = metareg(m, "~ dose", data={"dose": [1.0, 2.0, 3.0, 4.0]})
    >>> [round(float(value), 3) for value in fit.b]
    [-0.105, 0.31]
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
    design = formula_design(text, picked, int(pooled.sum()), intercept=intercept)
    asked = s.method_random_ci == "HK" if hakn is None else hakn
    test = _TESTS.get(("HK", s.adhoc_hakn_ci), "knha") if asked else "z"
    method = method_tau or ("REML" if s.method == "GLMM" else s.method_tau)
    level = s.level_ma if level_ma is None else level_ma
    fixed = None if s.tau_preset is None else s.tau_preset**2
    studies = x.pooled
    settings = Settings(method, test, level, fixed)
    fit = regression(studies.TE, studies.seTE**2, design=design, settings=settings, slab=studies.studlab)
    return replace(fit, measure=s.sm, origin=(held, np.flatnonzero(pooled), k))


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
