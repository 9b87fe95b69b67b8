"""metafor's doors: `rma`, `rma_mv`, `robust`, `vcalc`, `permutest` and the functions that ask a fitted model.

Names, codes and defaults are those of metafor 5.1 (Viechtbauer W. J Stat Softw 2010;36(3):1-48.
doi:10.18637/jss.v036.i03), with `.` as `_`; levels are read as 95 or 0.95.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.doors.columns import Columns
from metagrove.doors.linear_views import linear_model_of
from metagrove.doors.metafor_effects import escalc
from metagrove.effects.escalation import EffectSizes
from metagrove.pooling.multilevel.fit import Fixed, mixed_fit
from metagrove.pooling.multilevel.models import MixedModel, mixed_model
from metagrove.pooling.multilevel.random_effects import components, parsed_terms, structures_for
from metagrove.pooling.multilevel.sampling_covariance import Dependence, block_diagonal, sampling_covariance
from metagrove.pooling.multilevel.user_weights import weighted_fit
from metagrove.pooling.regression.design import ONE_MEAN, Design, formula_design, matrix_design
from metagrove.pooling.regression.formula import Terms, sides, terms
from metagrove.pooling.regression.linear_model import Settings
from metagrove.pooling.regression.location_scale import LocationScale, location_scale
from metagrove.pooling.regression.model import Regression, regression
from metagrove.pooling.regression.permutation import Permutation
from metagrove.pooling.regression.robust import Robust
from metagrove.pooling.results import MetaResult
from metagrove.pooling.studies import all_finite, numbered

__all__ = ["permutest", "rma", "rma_mv", "robust", "vcalc"]


def _level(level: float) -> float:
    return level / 100 if level > 1 else level


def _absent(values: Any) -> NDArray[np.bool_]:
    """Where a column of any kind has no value."""
    if hasattr(values, "isna"):
        return np.asarray(values.isna(), dtype=bool)
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return np.asarray(np.isnan(array))
    if array.dtype.kind == "O":
        return np.array([item is None or (isinstance(item, float) and item != item) for item in array], dtype=bool)
    return np.zeros(array.shape[0], dtype=bool)


def _taken(values: Any, rows: NDArray[np.intp]) -> Any:
    """The named rows of a column, its categories kept."""
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    return np.asarray(values)[rows]


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The studies of a call: all n rows, which are used, and why the others are not."""

    n: int
    keep: NDArray[np.intp]
    labels: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def slab(self) -> tuple[str, ...]:
        if self.keep.size == self.n:
            return self.labels
        return tuple(self.labels[i] for i in self.keep)


@lru_cache(maxsize=64)
def _everyone(n: int) -> NDArray[np.intp]:
    rows = np.arange(n)
    rows.setflags(write=False)
    return rows


def _table(columns: Columns, slab: Any, subset: Any, n: int, missing: Mapping[str, NDArray[np.bool_]]) -> _Table:
    labels = columns.texts(slab, "slab", n) or numbered(n)
    if subset is None and not missing:
        return _Table(n, _everyone(n), labels, ())
    wanted = np.ones(n, dtype=bool)
    if subset is not None:
        chosen = np.asarray(columns.raw(subset, "subset"))
        if chosen.dtype == bool and chosen.shape != (n,):
            raise DataError(f"subset has {chosen.size} values for {n} rows")
        wanted = np.zeros(n, dtype=bool)
        wanted[chosen] = True
    excluded = []
    complete = wanted.copy()
    for name, gaps in missing.items():
        excluded += [f"{labels[i]} left out: {name} is missing" for i in np.flatnonzero(gaps & complete)]
        complete &= ~gaps
    return _Table(n, np.flatnonzero(complete), labels, tuple(excluded))


@dataclass(frozen=True, slots=True, eq=False)
class _Moderators:
    """A `mods` or `scale` argument read: a formula with its raw columns, or a matrix; and where values are missing."""

    formula: str | None
    raw: Mapping[str, Any]
    matrix: Array | None
    names: tuple[str, ...] | None
    missing: Mapping[str, NDArray[np.bool_]]

    def design(self, rows: NDArray[np.intp], intercept: bool) -> Design:
        if self.matrix is not None:
            return matrix_design(self.matrix[rows], rows.size, intercept=intercept, names=self.names)
        formula = self.formula or ONE_MEAN
        picked = {name: _taken(values, rows) for name, values in self.raw.items()}
        return formula_design(formula, picked, rows.size, intercept=intercept)


def _quoted(name: object) -> str:
    return f"`{name}`"


def _moderators(argument: Any, columns: Columns, n: int, what: str) -> _Moderators:
    if argument is None:
        return _Moderators(ONE_MEAN, {}, None, None, {})
    if isinstance(argument, str):
        text = argument if "~" in argument else f"~ {_quoted(argument)}"
        spec: Terms = terms(text)
        raw = {name: _source(columns, name, n, what) for name in spec.columns}
        return _Moderators(text, raw, None, None, {name: _absent(values) for name, values in raw.items()})
    if isinstance(argument, (list, tuple)) and argument and all(isinstance(item, str) for item in argument):
        return _moderators("~ " + " + ".join(map(_quoted, argument)), columns, n, what)
    if hasattr(argument, "columns") or isinstance(argument, Mapping):
        names = [str(name) for name in argument]
        return _moderators(
            "~ " + " + ".join(map(_quoted, names)), Columns({str(k): argument[k] for k in argument}), n, what
        )
    matrix = np.asarray(argument, dtype=float)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or matrix.shape[0] != n:
        raise DataError(f"{what} has shape {matrix.shape}; {n} studies need {n} rows")
    return _Moderators(None, {}, matrix, None, {what: np.isnan(matrix).any(axis=1)})


def _source(columns: Columns, name: str, n: int, what: str) -> Any:
    if columns.data is None:
        raise DataError(f"{what} speaks of '{name}', but no data= was given")
    values = columns.raw(name, what)
    if np.shape(values)[0] != n:
        raise DataError(f"'{name}' has {np.shape(values)[0]} values for {n} studies", column=name)
    return values


def _effects(yi: Any, columns: Columns) -> tuple[Any, Any]:
    """The effects, and moderators written with them as "yi ~ x"."""
    if isinstance(yi, str) and "~" in yi:
        left, _ = sides(yi)
        return left, "~" + yi.split("~", 1)[1]
    return yi, None


def _computed(sizes: EffectSizes, data: Any) -> tuple[Array, Array, tuple[str, ...], Any]:
    """Effects, variances and labels that `escalc` gave, and the table they stand in."""
    return sizes.yi, sizes.vi, sizes.slab, sizes if data is None else data


def _variances(vi: Any, sei: Any, columns: Columns, n: int) -> Array:
    if (vi is None) == (sei is None):
        raise DataError("give the sampling variances vi, or the standard errors sei (one of the two)")
    values = columns.numbers(vi, "vi", n) if vi is not None else columns.numbers(sei, "sei", n)
    for i, value in enumerate(values.tolist(), 1):
        if value < 0:
            raise DataError(f"row {i}: {'vi' if vi is not None else 'sei'} is {value:g}; it is above 0")
    return values if vi is not None else values**2


def _positive(v: Array, table: _Table) -> Array:
    if 0.0 in v.tolist():
        label = table.slab[int(np.argmax(v == 0))]
        raise DataError(f"{label}: the sampling variance is 0; a study that is exact cannot be weighted")
    return v


def rma(
    yi: Any = None,
    vi: Any = None,
    *,
    sei: Any = None,
    weights: Any = None,
    mods: Any = None,
    scale: Any = None,
    measure: str = "GEN",
    vtype: str | None = None,
    intercept: bool = True,
    data: Any = None,
    slab: Any = None,
    subset: Any = None,
    method: str = "REML",
    weighted: bool = True,
    test: str = "z",
    level: float = 95,
    btt: Any = None,
    tau2: float | None = None,
    **counts: Any,
) -> Regression | LocationScale:
    """Equal-, random- and mixed-effects models of effects `yi` with sampling variances `vi`.

    Parameters
    ----------
    yi : effects, shape (k,), a column of `data`, a formula "yi ~ x", or the result of `escalc`.
    vi, sei : sampling variances, or standard errors.
    weights : user weights; by default the inverse marginal variances.
    mods : moderators: a formula ("~ x + factor(g)"), columns of `data` by name, a matrix or a frame.
    scale : moderators of log tau2, for a location-scale model (REML or ML).
    measure : "GEN", effects as they are; any other code of `escalc` takes effects from `counts` with `vtype`.
    counts : what `escalc` takes for that measure: `ai`, `n1i`, `m1i`, `xi`, `add`, `to`, `drop00` ...
    intercept : False leaves the intercept out.
    data : a frame or mapping that holds the columns.
    slab : the studies' labels.
    subset : rows to use, a mask or positions.
    method : "REML", "DL", another code of TAU2, or "EE" ("FE", "CE").
    weighted : False fits by ordinary least squares.
    test : "z", "t", "knha" ("hksj") or "adhoc".
    level : confidence level, 95 or 0.95.
    btt : coefficients of the omnibus test, by position from 1 or by a part of their names.
    tau2 : a between-study variance to hold fixed.

    Raises
    ------
    DataError, MethodError, UnknownName.

    Pinned by `metareg_bcg`, `tau2_raudenbush1985`, `subgroup_bcg`.

    >>> import metagrove as mg
    >>> fit = mg.rma([0.2, 0.5, 0.9, 1.1], [0.04, 0.03, 0.05, 0.04], mods=[1.0, 2.0, 3.0, 4.0])
    >>> [round(float(value), 3) for value in fit.b]
    [-0.103, 0.309]
    """
    if measure != "GEN":
        yi = escalc(measure, data=data, slab=slab, vtype=vtype, **counts)
    elif counts:
        raise UnknownName("argument of rma for measure 'GEN'", next(iter(counts)), ("yi", "vi", "sei"))
    code = yi.measure if isinstance(yi, EffectSizes) else data.measure if isinstance(data, EffectSizes) else ""
    if isinstance(yi, EffectSizes):
        yi, vi, slab, data = _computed(yi, data)
    columns = Columns(data)
    yi, written = _effects(yi, columns)
    y = columns.numbers(yi, "yi")
    n = y.size
    if written is not None and mods is not None:
        raise DataError("moderators were given twice: in the formula of yi and as mods")
    v = _variances(vi, sei, columns, n)
    location = _moderators(written if written is not None else mods, columns, n, "mods")
    spread = _moderators(scale, columns, n, "scale") if scale is not None else None
    w = columns.optional(weights, "weights", n)
    gaps = {} if all_finite(y, v) else {"the effect": ~np.isfinite(y), "its variance": ~np.isfinite(v)}
    gaps |= {name: gap for part in (location, spread) if part is not None for name, gap in part.missing.items()}
    if w is not None:
        gaps["its weight"] = ~np.isfinite(w)
    table = _table(columns, slab, subset, n, gaps)
    if table.keep.size == 0:
        raise MethodError("no studies with an effect and a variance; at least one is needed")
    rows = table.keep
    if w is not None and ((w[rows] < 0).any() or not w[rows].sum() > 0):
        raise DataError("weights are 0 or more, and not all 0")
    settings = Settings(method, test, _level(level), tau2, None if w is None else w[rows], weighted)
    design = location.design(rows, intercept)
    y, v = y[rows], _positive(v[rows], table)
    if spread is not None:
        model = location_scale(y, v, design=design, scale=spread.design(rows, True), settings=settings, slab=table.slab)
        return replace(model, excluded=table.excluded, measure=code)
    fit = regression(y, v, design=design, settings=settings, slab=table.slab, btt=btt)
    return fit.placed(table.excluded, (data, rows, n), code)


def _known_covariance(V: Any, columns: Columns, n: int) -> Array:
    """V as a matrix: given as one, as variances, or as a list of blocks."""
    if isinstance(V, str) or (np.ndim(V) == 1 and not _blocks(V)):
        return np.diag(columns.numbers(V, "V", n))
    matrix = block_diagonal(V) if _blocks(V) else np.asarray(V, dtype=float)
    if matrix.shape != (n, n):
        raise DataError(f"V has shape {matrix.shape}; {n} effects need ({n}, {n})")
    return matrix


def _blocks(V: Any) -> bool:
    return isinstance(V, (list, tuple)) and any(np.ndim(block) == 2 for block in V)


def rma_mv(
    yi: Any = None,
    V: Any = None,
    W: Any = None,
    *,
    mods: Any = None,
    random: str | Sequence[str] | None = None,
    struct: str | Sequence[str] = "CS",
    intercept: bool = True,
    data: Any = None,
    slab: Any = None,
    subset: Any = None,
    method: str = "REML",
    test: str = "z",
    dfs: Any = "residual",
    level: float = 95,
    btt: Any = None,
    R: Mapping[str, Any] | None = None,
    sigma2: Any = None,
    tau2: Any = None,
    rho: Any = None,
    gamma2: Any = None,
    phi: Any = None,
    dist: Any = "euclidean",
) -> MixedModel:
    """Multilevel and multivariate models of effects `yi` with sampling covariance `V`.

    Parameters
    ----------
    yi : effects, shape (k,), a column of `data`, or a formula "yi ~ x".
    V : their variances (k,), covariance matrix (k, k), or a list of blocks.
    W : user weights (k,) or a weight matrix (k, k); by default the inverse of the marginal covariance. They change the
        coefficients and their covariance; variances are estimated as without them.
    mods : moderators, as in `rma`.
    random : a formula or a list of them: "~ 1 | district/school", "~ outcome | trial", "~ lon + lat | const".
    struct : the structure of each term with an inner factor: a code of STRUCTURES or, for places, of SPATIAL.
    dist : how places are apart: "euclidean", "manhattan", "maximum", "gcd" (longitude, latitude), a function of
        coordinates, or a matrix (a frame) of distances between named places; a list where several terms have places.
    method : "REML", "ML" or "EE" (no random effects).
    test, dfs : "z", or "t" with dfs "residual" (k - p), "contain" or numbers.
    R : known correlation matrices of a grouping's levels, by its name.
    sigma2, tau2, rho, gamma2, phi : variances and correlations to hold fixed; None or NaN leaves one free.
    intercept, data, slab, subset, level, btt : as in `rma`.

    Raises
    ------
    DataError, MethodError (also where variances cannot be told apart), ConvergenceError.

    Pinned by `mv_konstantopoulos2011` and `mv_berkey1998`.

    >>> import metagrove as mg
    >>> y, v = [0.1, 0.3, 0.8, 0.6, -0.2, 0.1, 0.4, 0.9], [0.02] * 8
    >>> fit = mg.rma_mv(y, v, random="~ 1 | lab/study", data={"lab": list("aabbccdd"), "study": range(8)})
    >>> fit.s_nlevels
    (4, 8)
    """
    code = yi.measure if isinstance(yi, EffectSizes) else data.measure if isinstance(data, EffectSizes) else ""
    if isinstance(yi, EffectSizes):
        yi, variances, slab, data = _computed(yi, data)
        V = variances if V is None else V
    columns = Columns(data)
    yi, written = _effects(yi, columns)
    y = columns.numbers(yi, "yi")
    n = y.size
    if V is None:
        raise DataError("give V: the sampling variances, or their covariance matrix")
    if written is not None and mods is not None:
        raise DataError("moderators were given twice: in the formula of yi and as mods")
    covariance = _known_covariance(V, columns, n)
    location = _moderators(written if written is not None else mods, columns, n, "mods")
    effects = parsed_terms(random)
    structs = structures_for(effects, struct)
    used = {name: _source(columns, name, n, "random") for term in effects for name in term.columns}
    gaps = {"the effect": ~np.isfinite(y), "its variance": ~np.isfinite(np.diag(covariance)), **location.missing}
    gaps |= {name: _absent(values) for name, values in used.items()}
    weights = _weight_matrix(W, columns, n)
    table = _table(columns, slab, subset, n, gaps)
    rows = table.keep
    if rows.size == 0:
        raise MethodError("no effects with a variance; at least two are needed")
    picked = {name: _taken(values, rows) for name, values in used.items()}
    design = location.design(rows, intercept)
    plain, inner = components(effects, structs, picked, rows.size, R, dist)
    fixed = Fixed(*(_tuple(values) for values in (sigma2, tau2, rho, gamma2, phi)))
    fit = mixed_fit(
        y[rows], covariance[np.ix_(rows, rows)], design, plain=plain, inner=inner, method=method, fixed=fixed
    )
    if weights is not None:
        fit = weighted_fit(fit, weights[np.ix_(rows, rows)])
    model = mixed_model(
        fit,
        design,
        test=test,
        dfs=dfs,
        level=_level(level),
        btt=btt,
        slab=table.slab,
        random=[term.text for term in effects],
        struct=structs,
        columns=picked,
    )
    return replace(model, excluded=table.excluded, origin=(data, rows, n), measure=code)


def _weight_matrix(W: Any, columns: Columns, n: int) -> Array | None:
    """User weights as a matrix, or None."""
    if W is None:
        return None
    if isinstance(W, str) or np.ndim(W) <= 1:
        return np.diag(columns.numbers(W, "W", n))
    matrix = np.asarray(W, dtype=float)
    if matrix.shape != (n, n):
        raise DataError(f"W has shape {matrix.shape}; {n} effects need ({n}, {n})")
    return matrix


def _tuple(values: Any) -> tuple[float | None, ...]:
    if values is None:
        return ()
    return tuple(values) if np.ndim(values) else (values,)


def robust(
    x: Regression | MixedModel | MetaResult, cluster: Any, *, adjust: bool = True, clubSandwich: bool = False
) -> Robust:
    """Cluster-robust tests of a fitted model.

    Parameters
    ----------
    x : a result of `rma`, `rma_mv` or a meta door that pools by inverse variance.
    cluster : cluster of each effect: values, or the name of a column of the data the model was fitted to.
    adjust : CR1 (True) or CR0 (False); with `clubSandwich` neither.
    clubSandwich : CR2 with Satterthwaite degrees of freedom and Hotelling's T² for several coefficients.
    """
    model = linear_model_of(x) if isinstance(x, MetaResult) else x
    if not isinstance(model, Regression | MixedModel):
        raise MethodError(f"a {type(x).__name__} has no cluster-robust tests; fit the model with rma or rma_mv")
    return model.robust(cluster, adjust=adjust, clubSandwich=clubSandwich)


def permutest(
    x: Regression,
    *,
    exact: bool = False,
    iter: int = 1000,  # noqa: A002
    rng: Any = None,
) -> Permutation:
    """Permutation tests of the coefficients of a meta-regression.

    All arrangements are used where there are no more than `iter` (or `exact` is set); else `iter` random ones, for
    which `rng` (a numpy Generator or a seed) is needed.
    """
    generator = rng if rng is None or isinstance(rng, np.random.Generator) else np.random.default_rng(rng)
    return x.permutest(exact=exact, iter=iter, rng=generator)


def vcalc(
    vi: Any,
    cluster: Any,
    *,
    subgroup: Any = None,
    obs: Any = None,
    type: Any = None,  # noqa: A002
    time1: Any = None,
    time2: Any = None,
    grp1: Any = None,
    grp2: Any = None,
    w1: Any = None,
    w2: Any = None,
    data: Any = None,
    rho: Any = None,
    phi: float | None = None,
    rvars: Any = None,
    checkpd: bool = True,
    nearpd: bool = False,
) -> Array:
    """The sampling covariance of dependent effects, shape (k, k), known or imputed; see `Dependence` for the arguments.

    `rvars` names columns (or is a matrix) that hold the rows of the clusters' correlation matrices; then only `cluster`
    and `subgroup` count besides.

    >>> import metagrove as mg
    >>> mg.vcalc([0.04, 0.09, 0.01], ["a", "a", "b"], obs=[1, 2, 1], rho=0.5).round(4).tolist()
    [[0.04, 0.03, 0.0], [0.03, 0.09, 0.0], [0.0, 0.0, 0.01]]
    """
    columns = Columns(data)
    v = columns.numbers(vi, "vi")
    n = v.size
    if (v < 0).any() or np.isnan(v).any():
        raise DataError("vi is missing or negative for an effect; leave such rows out first")

    def labels(value: Any, name: str) -> Any:
        found = columns.texts(value, name, n)
        return None if found is None else np.array(found, dtype=object)

    groups = labels(cluster, "cluster")
    if groups is None:
        raise DataError("cluster is missing")
    inside = labels(subgroup, "subgroup")
    if inside is not None:
        groups = np.array([f"{a}/{b}" for a, b in zip(groups, inside, strict=True)], dtype=object)
    if rvars is not None:
        rows = [columns.numbers(name, "rvars", n) for name in rvars] if _names(rvars) else None
        matrix = np.column_stack(rows) if rows is not None else np.asarray(rvars, dtype=float)
        return sampling_covariance(v, groups, matrix, checkpd=checkpd, nearpd=nearpd)
    dependence = Dependence(
        obs=labels(obs, "obs"),
        type=labels(type, "type"),
        rho=rho,
        grp1=labels(grp1, "grp1"),
        grp2=labels(grp2, "grp2"),
        time1=columns.optional(time1, "time1", n),
        time2=columns.optional(time2, "time2", n),
        w1=columns.optional(w1, "w1", n),
        w2=columns.optional(w2, "w2", n),
        phi=phi,
    )
    return sampling_covariance(v, groups, dependence, checkpd=checkpd, nearpd=nearpd)


def _names(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(isinstance(name, str) for name in values)
