"""`metagen`: meta-analysis of effects with standard errors, with R's arguments and defaults."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metagrove.core.errors import DataError, MethodError
from metagrove.core.scales import scale
from metagrove.core.values import Array
from metagrove.doors.approximations import Approximations
from metagrove.doors.columns import Columns, named_arms, one_of, settings_of
from metagrove.doors.quantiles import moments, table_rule
from metagrove.effects.conversions import MEAN_RULES, SD_RULES
from metagrove.pooling.estimate import normal_quantile
from metagrove.pooling.model import Model
from metagrove.pooling.results import MetaResult, meta_analysis
from metagrove.pooling.studies import studies_of
from metagrove.pooling.user_weights import OwnTerms

__all__ = ["metagen"]

_NAN = float("nan")


def metagen(
    TE: Any = None,
    seTE: Any = None,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    cluster: Any = None,
    weights: Any = None,
    weights_common: Any = None,
    weights_random: Any = None,
    sm: str = "",
    method_ci: str | None = None,
    level: float = 0.95,
    common: bool = True,
    random: bool = True,
    prediction: bool = False,
    method_tau: str = "REML",
    method_tau_ci: str | None = None,
    level_hetstat: float | None = None,
    tau_preset: float | None = None,
    TE_tau: float | None = None,
    tau_common: bool = False,
    method_I2: str = "Q",
    level_ma: float = 0.95,
    method_random_ci: str = "classic",
    adhoc_hakn_ci: str = "",
    level_predict: float = 0.95,
    method_predict: str = "V",
    adhoc_hakn_pi: str = "",
    null_effect: float = 0.0,
    n_e: Any = None,
    n_c: Any = None,
    pval: Any = None,
    df: Any = None,
    lower: Any = None,
    upper: Any = None,
    level_ci: float = 0.95,
    median: Any = None,
    q1: Any = None,
    q3: Any = None,
    min: Any = None,  # noqa: A002
    max: Any = None,  # noqa: A002
    method_mean: str = "Luo",
    method_sd: str = "Shi",
    approx_TE: Any = "",
    approx_seTE: Any = "",
    transf: bool = True,
    backtransf: bool = True,
    label_e: str = "",
    label_c: str = "",
    label_left: str = "",
    label_right: str = "",
    subgroup: Any = None,
    subgroup_name: str | None = None,
) -> MetaResult:
    """Meta-analysis of effects `TE` with standard errors `seTE`.

    Parameters
    ----------
    TE, seTE : effects and standard errors on the analysis scale (logs for ratios), shape (k,).
    studlab, subgroup : labels, shape (k,).
    data : a DataFrame or mapping; arguments may then be column names.
    subset, exclude : rows to use; rows to show but not to pool.
    cluster : what effects share (a paper, a cohort): a three-level model, whose tau2 has a part between clusters and one
        within.
    sm : effect measure ("OR", "HR", "MD", ...), which decides the reporting scale.
    lower, upper : printed limits at `level_ci`; give the standard error where `seTE` is missing, and the effect (their
        middle) where `TE` is. They stay the study's limits where `level` is `level_ci`.
    pval : printed two-sided p-values; give the standard error where nothing better is there.
    median, q1, q3, min, max : quantiles of the effect among n_e (+ n_c) people, which give effect and standard error
        where nothing else does, by `method_mean` and `method_sd` as in `metamean`.
    approx_TE, approx_seTE : which of these a study's effect or standard error is made from, whatever else it reports:
        "ci", "iqr.range", "iqr", "range" and, for standard errors, "pval"; one text or one for each study, "" for the
        order above.
    weights, weights_common, weights_random : weights of the user's own for the pooled effects (both, or one of them);
        they leave tau2 and Q as they are, and there is no prediction interval then.
    TE_tau : with method_tau "DL", the effect around which the moments are taken.
    df : degrees of freedom of t-based limits and p-values.
    transf : False if effects and limits are printed ratios (or correlations), to be transformed first.
    method_ci : "z" or "t" (with `df`) for study limits.
    label_e, label_c, label_left, label_right : names of the arms and of the sides of no effect, for views.
    method_tau ... adhoc_hakn_pi : see `metagrove.pooling.settings.Settings`.

    Raises
    ------
    DataError for columns that do not fit or no study to pool; MethodError or UnknownName for unknown options.

    Pinned by the reference cases `hk_pi_*`, `tau2_ci_*`, `subgroup_bcg` and `hr_steurer2006`.

    >>> m = metagen([-0.9, -1.6, -1.3], [0.57, 0.44, 0.64], sm="RR")
    >>> round(m.back.TE_random, 3)
    0.265
    """
    one_of("method_ci", method_ci, (None, "z", "t"))
    MEAN_RULES.entry(method_mean)
    SD_RULES.entry(table_rule(method_sd))
    source = Columns(data, subset)
    first = TE if TE is not None else next((a for a in (seTE, lower, upper, pval, median) if a is not None), None)
    if first is None:
        raise DataError("metagen needs TE and seTE, or limits, or p-values")
    k = source.numbers(first, "TE").size
    effect, se = source.optional(TE, "TE", k), source.optional(seTE, "seTE", k)
    low, high = source.optional(lower, "lower", k), source.optional(upper, "upper", k)
    if not transf:
        effect, low, high = (None if a is None else _forward(a, sm) for a in (effect, low, high))
    freedom = source.optional(df, "df", k)
    p = source.optional(pval, "pval", k)
    effect, se = _completed(effect, se, low, high, p, freedom, level_ci, k)
    quantiles = (min, q1, median, q3, max)
    groups_of_people = [source.numbers(n, "n", k) for n in (n_e, n_c) if n is not None]
    people = np.sum(groups_of_people, axis=0) if groups_of_people else None
    if any(value is not None for value in quantiles):
        if people is None:
            raise DataError("quantiles need the number of people: n_e, n_c or both")
        mean, sd = moments(source, people, None, None, quantiles, rules=(method_mean, method_sd))
        effect = np.where(np.isnan(effect), mean, effect)
        se = np.where(np.isnan(se), sd / np.sqrt(people), se)
    if not (isinstance(approx_TE, str) and isinstance(approx_seTE, str) and approx_TE == approx_seTE == ""):
        ways = Approximations(
            source, low, high, p, quantiles, people, (method_mean, method_sd),
            lambda lower, upper: _of_limits(lower, upper, freedom, level_ci),
            lambda te, pvalues: _of_p(te, pvalues, freedom),
        )  # fmt: skip
        effect = ways.effects(effect, approx_TE)
        se = ways.errors(effect, se, approx_seTE)
    reach = _quantile(level, freedom if method_ci != "z" else None)
    printed = _printed(low, high) if level == level_ci else None
    columns: dict[str, NDArray[Any]] = {
        name: source.numbers(value, name, k) for name, value in (("n_e", n_e), ("n_c", n_c)) if value is not None
    }
    groups = source.texts(subgroup, "subgroup", k)
    clusters = source.texts(cluster, "cluster", k)
    if clusters is not None:
        columns["cluster"] = np.array(clusters)
    own = {"weights_common": weights_common, "weights_random": weights_random}
    for name, value in own.items():
        if (value := weights if value is None else value) is not None:
            columns[name] = source.numbers(value, name, k)
    model = _model(clusters is not None, any(name in columns for name in own), TE_tau)
    settings = settings_of(
        sm=sm, method_tau=method_tau, method_tau_ci=method_tau_ci, method_random_ci=method_random_ci,
        adhoc_hakn_ci=adhoc_hakn_ci, method_predict=method_predict, adhoc_hakn_pi=adhoc_hakn_pi, method_I2=method_I2,
        level=level, level_ma=level_ma, level_predict=level_predict, level_hetstat=level_hetstat, common=common,
        random=random, prediction=prediction, tau_common=tau_common, tau_preset=tau_preset, null_effect=null_effect,
        subgroup_name=source.name_of(subgroup) if subgroup_name is None else subgroup_name, backtransf=backtransf,
        door="metagen", options=(("TE_tau", TE_tau), *named_arms(label_e, label_c, label_left, label_right)),
    )  # fmt: skip
    studies = studies_of(
        effect, se, limits=lambda TE, seTE: _limits(TE, seTE, reach, printed),
        studlab=source.texts(studlab, "studlab", k), subgroup=groups, reasons=source.excluded(exclude, k),
        columns=columns,
    )  # fmt: skip
    return meta_analysis(studies, settings, model)


def _model(nested: bool, weighted: bool, centre: float | None) -> Model | None:
    if nested:
        if weighted or centre is not None:
            raise MethodError("a three-level model takes neither user weights nor TE_tau; use rma_mv with W")
        from metagrove.pooling.multilevel.three_level import ThreeLevel

        return ThreeLevel()
    return OwnTerms(centre) if weighted or centre is not None else None


def _limits(effect: Array, se: Array, reach: Array | float, printed: tuple[Array, Array] | None) -> tuple[Array, Array]:
    """Study limits, the printed pair where there is one; what is infinite or missing gives NaN."""
    with np.errstate(invalid="ignore"):
        half = reach * se
        ends = effect - half, effect + half
    if printed is None:
        return ends
    whole = np.isfinite(printed[0])
    return np.where(whole, printed[0], ends[0]), np.where(whole, printed[1], ends[1])


def _of_limits(low: Array, high: Array, df: Array | None, level: float) -> Array:
    """Standard errors from the width of intervals."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(high - low) / (2 * _quantile(level, df)))


def _of_p(te: Array, p: Array, df: Array | None) -> Array:
    """Standard errors from effects and two-sided p-values, NaN where p is 0 or 1."""
    usable = (p > 0) & (p < 1)
    safe = np.where(usable, p, 0.5)
    z = -special.ndtri(safe / 2)
    if df is not None:
        z = np.where(np.isfinite(df), -special.stdtrit(np.where(np.isfinite(df), df, 1.0), safe / 2), z)
    return np.asarray(np.where(usable, np.abs(te) / z, _NAN), dtype=float)


def _printed(low: Array | None, high: Array | None) -> tuple[Array, Array] | None:
    """Study limits as printed, the lower one first; NaN where not both are there."""
    if low is None or high is None:
        return None
    whole = np.isfinite(low) & np.isfinite(high)
    return np.where(whole, np.minimum(low, high), _NAN), np.where(whole, np.maximum(low, high), _NAN)


def _quantile(level: float, df: Array | None) -> Array | float:
    normal = normal_quantile(level)
    if df is None:
        return normal
    known = np.isfinite(df)
    return np.where(known, special.stdtrit(np.where(known, df, 1.0), (1 + level) / 2), normal)


def _forward(values: Array, sm: str) -> Array:
    """Printed values on the analysis scale; ratios that are not above 0 become NaN."""
    if sm == "ZCOR":
        return np.asarray(np.arctanh(np.where(np.abs(values) < 1, values, _NAN)), dtype=float)
    if sm == "VE":
        values = 1 - values / 100
    elif not scale(sm).ratio and sm not in ("PLN", "IRLN", "MLN"):
        return values
    with np.errstate(invalid="ignore"):
        positive = np.where(values > 0, values, _NAN)
    return np.asarray(np.log(positive), dtype=float)


def _completed(
    te: Array | None, se: Array | None, low: Array | None, high: Array | None, p: Array | None, df: Array | None,
    level_ci: float, k: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Effects and standard errors with gaps filled from limits, then from p-values."""
    if te is not None and se is not None and low is None and p is None:
        return te, se
    te = np.full(k, _NAN) if te is None else te
    se = np.full(k, _NAN) if se is None else se
    if low is not None and high is not None:
        with np.errstate(invalid="ignore"):
            te = np.where(np.isnan(te), 0.5 * (low + high), te)
        se = np.where(np.isnan(se), _of_limits(low, high, df, level_ci), se)
    if p is not None:
        se = np.where(np.isnan(se), _of_p(te, p, df), se)
    return te, se
