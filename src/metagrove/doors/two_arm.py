"""`metabin`, `metainc`, `metacont`: two-arm meta-analysis with R's arguments and defaults."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array
from metagrove.doors.columns import Columns, named_arms, one_of, settings_of
from metagrove.doors.quantiles import moments
from metagrove.effects.arms import PersonTimes, Tables, TwoMeans
from metagrove.effects.contrasts import (
    Contrast,
    binary_contrasts,
    continuous_contrasts,
    person_time_contrasts,
)
from metagrove.pooling.counts.glmm import two_arm_model
from metagrove.pooling.counts.models import GLMM_MODELS
from metagrove.pooling.counts.penalised import PenalisedPooling
from metagrove.pooling.counts.pooled import CountPooling
from metagrove.pooling.estimate import normal_quantile
from metagrove.pooling.model import InverseVariance, Model
from metagrove.pooling.results import MetaResult, meta_analysis
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import studies_of

__all__ = ["metabin", "metacont", "metainc"]

_NAN = float("nan")


def metabin(
    event_e: Any,
    n_e: Any,
    event_c: Any,
    n_c: Any,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    method: str | None = None,
    sm: str | None = None,
    incr: Any = 0.5,
    method_incr: str = "only0",
    allstudies: bool = False,
    level: float = 0.95,
    MH_exact: bool = False,
    RR_Cochrane: bool = False,
    Q_Cochrane: bool = True,
    model_glmm: str = "UM.FS",
    common: bool = True,
    random: bool = True,
    prediction: bool = False,
    method_tau: str | None = None,
    method_tau_ci: str | None = None,
    level_hetstat: float | None = None,
    tau_preset: float | None = None,
    tau_common: bool = False,
    method_I2: str = "Q",
    level_ma: float = 0.95,
    method_random_ci: str = "classic",
    adhoc_hakn_ci: str = "",
    level_predict: float = 0.95,
    method_predict: str = "V",
    adhoc_hakn_pi: str = "",
    null_effect: float = 0.0,
    backtransf: bool = True,
    pscale: float = 1,
    label_e: str = "",
    label_c: str = "",
    label_left: str = "",
    label_right: str = "",
    subgroup: Any = None,
    subgroup_name: str | None = None,
) -> MetaResult:
    """Meta-analysis of two arms counted as events: `event_e` among `n_e` against `event_c` among `n_c`.

    Parameters
    ----------
    event_e, n_e, event_c, n_c : counts, shape (k,); a study without one of them is listed but not pooled.
    method : "MH" (default; "Inverse" for ASD), "Inverse", "Peto", "SSW", "GLMM" or "LRP" (penalised logistic
        regression, which takes studies without events too and has no tau2).
    sm : "RR" (default), "OR" (default of Peto, SSW, GLMM and LRP), "RD", "ASD", "DOR" or "VE".
    incr, method_incr : added to each cell of studies with an empty one ("only0", "if0all", "all", "user"), a number or
        "TACC" (treatment-arm continuity correction).
    allstudies : pool studies in which nobody, or everybody, had the event, too.
    MH_exact : no increments where the Mantel-Haenszel estimate is made.
    RR_Cochrane : twice the increment to the sizes of the arms (RevMan).
    Q_Cochrane : Q from the Mantel-Haenszel estimate, where method_tau is "DL" (RevMan).
    model_glmm : "UM.FS", "UM.RS", "CM.EL" or "CM.AL".
    label_e, label_c : what the arms are called in views; label_left, label_right : what either side of no effect favours.
    Others : as in `metagen`.

    Pinned by the reference cases `bin_*`.

    >>> m = metabin([4, 6, 3, 62], [123, 306, 231, 13598], [11, 29, 11, 248], [139, 303, 220, 12867])
    >>> round(m.back.TE_common, 4)
    0.2403
    """
    method = method or ("Inverse" if tau_common or sm == "ASD" else "MH")
    one_of("method", method, ("MH", "Inverse", "Peto", "SSW", "GLMM", "LRP"))
    GLMM_MODELS.entry(model_glmm)
    sm = sm or ("OR" if method in ("Peto", "SSW", "GLMM", "LRP") else "RR")
    allstudies = allstudies or method == "LRP"
    _fitting(method, sm, {"Peto": ("OR",), "GLMM": ("OR",), "LRP": ("OR",), "MH": ("RR", "OR", "RD", "DOR", "VE")})
    source = Columns(data, subset)
    first = source.counts(event_e, "event_e")
    k = first.size
    columns = {"event_e": first}
    for name, value in (("n_e", n_e), ("event_c", event_c), ("n_c", n_c)):
        columns[name] = source.counts(value, name, k)
    labels = source.texts(studlab, "studlab", k)
    _check_arms(columns, labels)
    known = _known(columns)
    filled = {name: np.where(known, column, 1.0) for name, column in columns.items()}
    tables = Tables.from_arms(filled["event_e"], filled["n_e"], filled["event_c"], filled["n_c"])
    contrast = binary_contrasts(
        tables, sm, incr=_incr(source, incr, k), method_incr=method_incr, allstudies=allstudies,
        RR_Cochrane=RR_Cochrane, peto=method == "Peto",
    )  # fmt: skip
    settings = settings_of(
        sm=sm, method=method, method_tau=method_tau or ("ML" if method == "GLMM" else "REML"),
        method_tau_ci=method_tau_ci, method_random_ci=method_random_ci, adhoc_hakn_ci=adhoc_hakn_ci,
        method_predict=method_predict, adhoc_hakn_pi=adhoc_hakn_pi, method_I2=method_I2, level=level,
        level_ma=level_ma, level_predict=level_predict, level_hetstat=level_hetstat, common=common, random=random,
        prediction=prediction, tau_common=tau_common, tau_preset=tau_preset, null_effect=null_effect,
        subgroup_name=source.name_of(subgroup) if subgroup_name is None else subgroup_name, backtransf=backtransf,
        door="metabin",
        options=(*named_arms(label_e, label_c, label_left, label_right), ("incr", _plain(incr)),
                 ("method_incr", method_incr), ("allstudies", allstudies),
                 ("MH_exact", MH_exact), ("RR_Cochrane", RR_Cochrane), ("Q_Cochrane", Q_Cochrane), ("pscale", pscale),
                 *((("model_glmm", model_glmm),) if method == "GLMM" else ())),
    )  # fmt: skip
    if method == "GLMM":
        model: Model = two_arm_model(settings, model_glmm)
    elif method == "LRP":
        model = PenalisedPooling()
    elif method in ("MH", "SSW"):
        model = CountPooling(MH_exact=MH_exact, Q_Cochrane=Q_Cochrane)
    else:
        model = InverseVariance()
    return _two_arms(contrast, known, settings, source, labels, subgroup, exclude, columns, model)


def metainc(
    event_e: Any,
    time_e: Any,
    event_c: Any,
    time_c: Any,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    method: str = "MH",
    sm: str = "IRR",
    incr: Any = 0.5,
    method_incr: str = "only0",
    n_e: Any = None,
    n_c: Any = None,
    level: float = 0.95,
    model_glmm: str = "UM.FS",
    common: bool = True,
    random: bool = True,
    prediction: bool = False,
    method_tau: str | None = None,
    method_tau_ci: str | None = None,
    level_hetstat: float | None = None,
    tau_preset: float | None = None,
    tau_common: bool = False,
    method_I2: str = "Q",
    level_ma: float = 0.95,
    method_random_ci: str = "classic",
    adhoc_hakn_ci: str = "",
    level_predict: float = 0.95,
    method_predict: str = "V",
    adhoc_hakn_pi: str = "",
    null_effect: float = 0.0,
    backtransf: bool = True,
    irscale: float = 1,
    irunit: str = "person-years",
    label_e: str = "",
    label_c: str = "",
    label_left: str = "",
    label_right: str = "",
    subgroup: Any = None,
    subgroup_name: str | None = None,
) -> MetaResult:
    """Meta-analysis of two arms counted as events over time at risk.

    Parameters
    ----------
    event_e, time_e, event_c, time_c : counts and times at risk (> 0), shape (k,).
    method : "MH" (default; "Inverse" for sm "IRSD"), "Inverse", "Cochran" or "GLMM".
    sm : "IRR", "IRD", "IRSD" or "VE".
    incr, method_incr : added to the events of studies where an arm has none; never for "MH", "Cochran" and "GLMM"
        themselves.
    model_glmm : "UM.FS", "UM.RS" or "CM.EL".
    irscale, irunit : multiplier and unit of printed rates, for views.
    Others : as in `metabin`.

    Pinned by the reference case `irr_nielweise2008`.

    >>> round(metainc([7, 8, 3], [1344, 1600, 12012], [11, 8, 14], [1988, 1461, 10962]).back.TE_common, 4)
    0.5914
    """
    if sm == "IRSD" and method == "MH":
        method = "Inverse"
    one_of("method", method, ("MH", "Inverse", "Cochran", "GLMM"))
    GLMM_MODELS.entry(model_glmm)
    _fitting(method, sm, {"Cochran": ("IRR", "VE"), "GLMM": ("IRR",), "MH": ("IRR", "IRD", "VE")})
    source = Columns(data, subset)
    first = source.counts(event_e, "event_e")
    k = first.size
    columns = {
        "event_e": first,
        "time_e": source.numbers(time_e, "time_e", k),
        "event_c": source.counts(event_c, "event_c", k),
        "time_c": source.numbers(time_c, "time_c", k),
    }
    labels = source.texts(studlab, "studlab", k)
    _check_positive(columns, ("time_e", "time_c"), labels)
    known = _known(columns)
    filled = {name: np.where(known, column, 1.0) for name, column in columns.items()}
    times = PersonTimes(filled["event_e"], filled["event_c"], filled["time_e"], filled["time_c"])
    contrast = person_time_contrasts(times, sm, incr=_incr(source, incr, k), method_incr=method_incr)
    settings = settings_of(
        sm=sm, method=method, method_tau=method_tau or ("ML" if method == "GLMM" else "REML"),
        method_tau_ci=method_tau_ci, method_random_ci=method_random_ci, adhoc_hakn_ci=adhoc_hakn_ci,
        method_predict=method_predict, adhoc_hakn_pi=adhoc_hakn_pi, method_I2=method_I2, level=level,
        level_ma=level_ma, level_predict=level_predict, level_hetstat=level_hetstat, common=common, random=random,
        prediction=prediction, tau_common=tau_common, tau_preset=tau_preset, null_effect=null_effect,
        subgroup_name=source.name_of(subgroup) if subgroup_name is None else subgroup_name, backtransf=backtransf,
        door="metainc",
        options=(*named_arms(label_e, label_c, label_left, label_right), ("incr", _plain(incr)),
                 ("method_incr", method_incr), ("irscale", irscale), ("irunit", irunit),
                 *((("model_glmm", model_glmm),) if method == "GLMM" else ())),
    )  # fmt: skip
    for name, value in (("n_e", n_e), ("n_c", n_c)):
        if value is not None:
            columns[name] = source.counts(value, name, k)
    if method == "GLMM":
        model: Model = two_arm_model(settings, model_glmm)
    else:
        model = InverseVariance() if method == "Inverse" else CountPooling(Q_Cochrane=False)
    return _two_arms(contrast, known, settings, source, labels, subgroup, exclude, columns, model)


def metacont(
    n_e: Any,
    mean_e: Any = None,
    sd_e: Any = None,
    n_c: Any = None,
    mean_c: Any = None,
    sd_c: Any = None,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    median_e: Any = None,
    q1_e: Any = None,
    q3_e: Any = None,
    min_e: Any = None,
    max_e: Any = None,
    median_c: Any = None,
    q1_c: Any = None,
    q3_c: Any = None,
    min_c: Any = None,
    max_c: Any = None,
    method_mean: str = "Luo",
    method_sd: str = "Shi",
    sm: str = "MD",
    method_ci: str = "z",
    level: float = 0.95,
    pooledvar: bool = False,
    method_smd: str = "Hedges",
    sd_glass: str = "control",
    exact_smd: bool = True,
    common: bool = True,
    random: bool = True,
    prediction: bool = False,
    method_tau: str = "REML",
    method_tau_ci: str | None = None,
    level_hetstat: float | None = None,
    tau_preset: float | None = None,
    tau_common: bool = False,
    method_I2: str = "Q",
    level_ma: float = 0.95,
    method_random_ci: str = "classic",
    adhoc_hakn_ci: str = "",
    level_predict: float = 0.95,
    method_predict: str = "V",
    adhoc_hakn_pi: str = "",
    null_effect: float = 0.0,
    backtransf: bool = True,
    label_e: str = "",
    label_c: str = "",
    label_left: str = "",
    label_right: str = "",
    subgroup: Any = None,
    subgroup_name: str | None = None,
) -> MetaResult:
    """Meta-analysis of two arms measured on a continuous scale.

    Parameters
    ----------
    n_e, mean_e, sd_e, n_c, mean_c, sd_c : sizes, means and SDs, shape (k,).
    median_e ... max_c : quantiles that give a mean and an SD where those are missing, by `method_mean` ("Luo", "Wan")
        and `method_sd` ("Shi", "Wan", "Hozo", "Bland", "Cochrane"); for skewed data "QE-McGrath", "BC-McGrath" or "Cai"
        for both.
    sm : "MD", "SMD" or "ROM" (both means above 0).
    method_ci : study limits of mean differences: "z" or "t" (n - 2 degrees of freedom).
    pooledvar : one SD for both arms (MD, ROM).
    method_smd, sd_glass, exact_smd : "Hedges", "Cohen" or "Glass"; the SD Glass divides by ("control",
        "experimental"); exact small-sample formulas (White & Thomas 2005).
    Others : as in `metagen`.

    Pinned by the reference cases `cont_*`.

    >>> m = metacont([155, 31], [55, 27], [47, 7], [156, 32], [75, 29], [64, 4], sm="SMD")
    >>> round(m.TE_common, 4)
    -0.354
    """
    source = Columns(data, subset)
    size_e = source.counts(n_e, "n_e")
    k = size_e.size
    rules = (method_mean, method_sd)
    quantiles_e, quantiles_c = (min_e, q1_e, median_e, q3_e, max_e), (min_c, q1_c, median_c, q3_c, max_c)
    m1, s1 = moments(source, size_e, mean_e, sd_e, quantiles_e, rules=rules, arm="_e")
    size_c = source.counts(n_c, "n_c", k)
    m2, s2 = moments(source, size_c, mean_c, sd_c, quantiles_c, rules=rules, arm="_c")
    columns = {"n_e": size_e, "mean_e": m1, "sd_e": s1, "n_c": size_c, "mean_c": m2, "sd_c": s2}
    labels = source.texts(studlab, "studlab", k)
    _check_positive(columns, ("n_e", "n_c", "sd_e", "sd_c"), labels, zero_allowed=("sd_e", "sd_c"))
    known = _known(columns)
    filled = [np.where(known, column, 2.0) for column in columns.values()]
    means = TwoMeans(*filled)
    contrast = continuous_contrasts(
        means, sm, pooledvar=pooledvar, method_smd=method_smd, sd_glass=sd_glass, exact_smd=exact_smd
    )
    one_of("method_ci", method_ci, ("z", "t"))
    settings = settings_of(
        sm=sm, method_tau=method_tau, method_tau_ci=method_tau_ci, method_random_ci=method_random_ci,
        adhoc_hakn_ci=adhoc_hakn_ci, method_predict=method_predict, adhoc_hakn_pi=adhoc_hakn_pi, method_I2=method_I2,
        level=level, level_ma=level_ma, level_predict=level_predict, level_hetstat=level_hetstat, common=common,
        random=random, prediction=prediction, tau_common=tau_common, tau_preset=tau_preset, null_effect=null_effect,
        subgroup_name=source.name_of(subgroup) if subgroup_name is None else subgroup_name, backtransf=backtransf,
        door="metacont",
        options=(*named_arms(label_e, label_c, label_left, label_right), ("method_ci", method_ci), ("pooledvar", pooledvar), ("method_smd", method_smd),
                 ("sd_glass", sd_glass), ("exact_smd", exact_smd)),
    )  # fmt: skip
    df = means.n1 + means.n2 - 2 if method_ci == "t" and sm == "MD" else None
    return _two_arms(contrast, known, settings, source, labels, subgroup, exclude, columns, InverseVariance(), df)


def _plain(incr: Any) -> Any:
    if isinstance(incr, str):
        return incr
    return float(incr) if np.ndim(incr) == 0 else None


def _incr(source: Columns, incr: Any, k: int) -> Array | str:
    """Increments, one per study, or "TACC" (a column of that name would need another one)."""
    return "TACC" if isinstance(incr, str) and incr == "TACC" else source.numbers(incr, "incr", k)


def _fitting(method: str, sm: str, known: dict[str, tuple[str, ...]]) -> None:
    if method in known and sm not in known[method]:
        raise MethodError(f"method '{method}' does not pool sm '{sm}'; it pools {', '.join(known[method])}")


def _label(labels: tuple[str, ...] | None, i: Any) -> str:
    return labels[i] if labels else f"row {i + 2}"


def _known(columns: dict[str, Array]) -> Any:
    known: Any = np.True_
    for column in columns.values():
        known = known & np.isfinite(column)
    return known


def _check_arms(columns: dict[str, Array], labels: tuple[str, ...] | None) -> None:
    for arm in ("e", "c"):
        events, n = columns[f"event_{arm}"].tolist(), columns[f"n_{arm}"].tolist()
        for i, (some, everyone) in enumerate(zip(events, n, strict=True)):
            if some > everyone:
                raise DataError(
                    f"{_label(labels, i)}: event_{arm} is {some:g} among n_{arm} {everyone:g}; "
                    "events lie between 0 and n"
                )
            if everyone == 0:
                raise DataError(f"{_label(labels, i)}: n_{arm} is 0; an arm has at least one person")


def _check_positive(
    columns: dict[str, Array],
    names: tuple[str, ...],
    labels: tuple[str, ...] | None,
    zero_allowed: tuple[str, ...] = (),
) -> None:
    for name in names:
        may_be_zero = name in zero_allowed
        for i, value in enumerate(columns[name].tolist()):
            if value < 0 or (value == 0 and not may_be_zero):
                right = "0 or above" if may_be_zero else "above 0"
                raise DataError(f"{_label(labels, i)}: {name} is {value:g}; it must be {right}")


def _two_arms(
    contrast: Contrast,
    known: Any,
    settings: Settings,
    source: Columns,
    labels: tuple[str, ...] | None,
    subgroup: Any,
    exclude: Any,
    columns: dict[str, Array],
    model: Model,
    df: Array | None = None,
) -> MetaResult:
    """The analysis of two-arm effects; studies with a gap or without information are listed but not pooled."""
    k = known.size
    reasons = tuple(
        why or ("" if ok else "a value is missing") or silent
        for why, ok, silent in zip(source.excluded(exclude, k), known, contrast.silent, strict=True)
    )
    te, se = np.where(known, contrast.TE, _NAN), np.where(known, contrast.seTE, _NAN)
    tail = 0.5 + settings.level / 2
    quantile = normal_quantile(settings.level) if df is None else special.stdtrit(np.maximum(df, 1e-9), tail)
    added = {"incr_e": contrast.incr_e, "incr_c": contrast.incr_c}
    studies = studies_of(
        te, se, limits=lambda effect, error: (effect - quantile * error, effect + quantile * error), studlab=labels,
        subgroup=source.texts(subgroup, "subgroup", k), reasons=reasons,
        columns=columns | (added if settings.door != "metacont" else {}),
    )  # fmt: skip
    return meta_analysis(studies, settings, model)
