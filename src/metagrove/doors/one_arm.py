"""`metaprop`, `metarate`, `metamean`, `metacor`: single-arm meta-analysis with R's arguments and defaults."""

from __future__ import annotations

from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.values import Array
from metagrove.doors.columns import Columns, one_of, settings_of
from metagrove.doors.quantiles import moments
from metagrove.effects.one_arm import (
    OneArm,
    correlation_effects,
    increments,
    mean_effects,
    proportion_effects,
    rate_effects,
)
from metagrove.pooling.counts.glmm import one_arm_model
from metagrove.pooling.model import InverseVariance, Model
from metagrove.pooling.multilevel.three_level import ThreeLevel
from metagrove.pooling.results import MetaResult, meta_analysis
from metagrove.pooling.settings import Settings, covered
from metagrove.pooling.studies import studies_of

__all__ = ["metacor", "metamean", "metaprop", "metarate"]


def metaprop(
    event: Any,
    n: Any,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    cluster: Any = None,
    method: str | None = None,
    sm: str = "PLOGIT",
    incr: Any = 0.5,
    method_incr: str = "only0",
    method_ci: str = "CP",
    level: float = 0.95,
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
    null_effect: float | None = None,
    backtransf: bool = True,
    pscale: float = 1,
    subgroup: Any = None,
    subgroup_name: str | None = None,
) -> MetaResult:
    """Meta-analysis of single proportions: `event` among `n`.

    Parameters
    ----------
    event, n : counts, shape (k,); a study without one of them is listed but not pooled.
    cluster : what effects share: a three-level model (method "Inverse").
    method : "Inverse" or "GLMM"; None is R's rule: "GLMM" for sm "PLOGIT", else "Inverse".
    sm : "PLOGIT", "PFT", "PAS", "PLN" or "PRAW".
    incr, method_incr : what is added to studies with 0 or n events ("only0", "if0all", "all", "user").
    method_ci : study limits: "CP", "WS", "WSCC", "AC", "SA", "SACC" or "NAsm".
    null_effect : a proportion to test against, or None for no test.
    pscale : multiplier of printed proportions, for views.
    Others : as in `metagen`.

    Pinned by the reference cases `seed_atc_*`, `prop_*`.

    >>> m = metaprop([2, 0, 2, 4, 1, 5], [8, 15, 20, 17, 34, 42], sm="PFT")
    >>> round(m.back.TE_random, 4), round(m.tau2, 4)
    (0.0873, 0.0092)
    """
    method = method or ("GLMM" if sm == "PLOGIT" else "Inverse")
    one_of("method", method, ("Inverse", "GLMM"))
    source = Columns(data, subset)
    events = source.counts(event, "event")
    size = source.counts(n, "n", events.size)
    labels = source.texts(studlab, "studlab", events.size)
    _check_counts(events, size, labels)
    known = np.isfinite(events) & np.isfinite(size)
    steps = source.numbers(incr, "incr", events.size)
    increments(np.zeros(events.size), steps, method_incr)
    covered("level", level)
    effects = proportion_effects(
        np.where(known, events, 0.0), np.where(known, size, 1.0), sm, incr=steps, method_incr=method_incr,
        method_ci=method_ci, level=level,
    )  # fmt: skip
    settings = settings_of(
        sm=sm, method=method, method_tau=method_tau or ("ML" if method == "GLMM" else "REML"),
        method_tau_ci=method_tau_ci, method_random_ci=method_random_ci, adhoc_hakn_ci=adhoc_hakn_ci,
        method_predict=method_predict, adhoc_hakn_pi=adhoc_hakn_pi, method_I2=method_I2, level=level,
        level_ma=level_ma, level_predict=level_predict, level_hetstat=level_hetstat, common=common, random=random,
        prediction=prediction, tau_common=tau_common, tau_preset=tau_preset,
        null_effect=_null_proportion(null_effect, sm, size[known]), backtransf=backtransf,
        subgroup_name=source.name_of(subgroup) if subgroup_name is None else subgroup_name, door="metaprop",
        options=(("method_ci", method_ci), ("method_incr", method_incr), ("incr", _plain(incr)), ("pscale", pscale)),
    )  # fmt: skip
    return _single_arm(
        effects, known, settings, source, labels, subgroup, exclude, cluster, {"event": events, "n": size}, size
    )


def metarate(
    event: Any,
    time: Any,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    cluster: Any = None,
    n: Any = None,
    method: str = "Inverse",
    sm: str = "IRLN",
    incr: Any = 0.5,
    method_incr: str = "only0",
    method_ci: str = "NAsm",
    level: float = 0.95,
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
    null_effect: float | None = None,
    backtransf: bool = True,
    irscale: float = 1,
    irunit: str = "person-years",
    subgroup: Any = None,
    subgroup_name: str | None = None,
) -> MetaResult:
    """Meta-analysis of single incidence rates: `event` over `time` at risk.

    Parameters
    ----------
    event, time : counts and times at risk (> 0), shape (k,).
    method : "Inverse" or "GLMM" (for sm "IRLN").
    sm : "IRLN", "IR", "IRS" or "IRFT".
    method_ci : study limits: "NAsm" or "Poisson".
    null_effect : a rate to test against, or None.
    irscale, irunit : multiplier and unit of printed rates, for views.
    Others : as in `metaprop`.

    Pinned by the reference case `rate_smoking`.

    >>> round(metarate([12, 30, 7], [400, 910, 350]).back.TE_common, 4)
    0.03
    """
    one_of("method", method, ("Inverse", "GLMM"))
    source = Columns(data, subset)
    events = source.counts(event, "event")
    at_risk = source.numbers(time, "time", events.size)
    labels = source.texts(studlab, "studlab", events.size)
    _check_positive(at_risk, "time", labels)
    known = np.isfinite(events) & np.isfinite(at_risk)
    steps = source.numbers(incr, "incr", events.size)
    increments(np.zeros(events.size), steps, method_incr)
    covered("level", level)
    effects = rate_effects(
        np.where(known, events, 0.0), np.where(known, at_risk, 1.0), sm, incr=steps, method_incr=method_incr,
        method_ci=method_ci, level=level,
    )  # fmt: skip
    null = _NAN
    if null_effect is not None:
        zero = np.zeros(1)
        harmonic = np.array([1 / np.mean(1 / at_risk[known])])
        null = float(rate_effects(null_effect * harmonic, harmonic, sm, incr=zero).TE[0])
    settings = settings_of(
        sm=sm, method=method, method_tau=method_tau or ("ML" if method == "GLMM" else "REML"),
        method_tau_ci=method_tau_ci, method_random_ci=method_random_ci, adhoc_hakn_ci=adhoc_hakn_ci,
        method_predict=method_predict, adhoc_hakn_pi=adhoc_hakn_pi, method_I2=method_I2, level=level,
        level_ma=level_ma, level_predict=level_predict, level_hetstat=level_hetstat, common=common, random=random,
        prediction=prediction, tau_common=tau_common, tau_preset=tau_preset, null_effect=null, backtransf=backtransf,
        subgroup_name=source.name_of(subgroup) if subgroup_name is None else subgroup_name, door="metarate",
        options=(("method_ci", method_ci), ("method_incr", method_incr), ("incr", _plain(incr)),
                 ("irscale", irscale), ("irunit", irunit)),
    )  # fmt: skip
    columns = {"event": events, "time": at_risk}
    if n is not None:
        columns["n"] = source.counts(n, "n", events.size)
    return _single_arm(effects, known, settings, source, labels, subgroup, exclude, cluster, columns, at_risk)


def metamean(
    n: Any,
    mean: Any = None,
    sd: Any = None,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    cluster: Any = None,
    median: Any = None,
    q1: Any = None,
    q3: Any = None,
    min: Any = None,  # noqa: A002
    max: Any = None,  # noqa: A002
    method_mean: str = "Luo",
    method_sd: str = "Shi",
    sm: str = "MRAW",
    method_ci: str = "z",
    level: float = 0.95,
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
    null_effect: float | None = None,
    backtransf: bool = True,
    subgroup: Any = None,
    subgroup_name: str | None = None,
) -> MetaResult:
    """Meta-analysis of single means.

    Parameters
    ----------
    n, mean, sd : sample sizes, means and standard deviations, shape (k,).
    median, q1, q3, min, max : quantiles that give a mean and a standard deviation where those are missing, by
        `method_mean` ("Luo", "Wan") and `method_sd` ("Shi", "Wan", "Hozo", "Bland", "Cochrane").
    sm : "MRAW" or "MLN"; a log mean does not exist for means of 0 or below, which are then not pooled.
    median, q1, q3, min, max : quantiles that give a mean or an SD where it is missing, by `method_mean` ("Luo", "Wan")
        and `method_sd` ("Shi", "Wan", "Hozo", "Bland", "Cochrane").
    method_ci : study limits: "z" or "t".
    null_effect : a mean to test against, or None.
    Others : as in `metaprop`.

    Pinned by the reference case `mean_furukawa2003`.

    >>> round(metamean([25, 31, 18], [3.1, 2.8, 3.6], [1.0, 0.9, 1.4]).TE_common, 4)
    3.0049
    """
    source = Columns(data, subset)
    size = source.counts(n, "n")
    means, sds = moments(source, size, mean, sd, (min, q1, median, q3, max), rules=(method_mean, method_sd))
    labels = source.texts(studlab, "studlab", size.size)
    _check_positive(sds, "sd", labels)
    known = np.isfinite(size) & np.isfinite(means) & np.isfinite(sds) & (np.nan_to_num(size) > 0)
    effects = mean_effects(
        np.where(known, size, 1.0), np.where(known, means, 1.0), np.where(known, sds, 1.0), sm,
        method_ci=method_ci, level=level,
    )  # fmt: skip
    null = _NAN
    if null_effect is not None:
        if sm == "MLN" and not null_effect > 0:
            raise MethodError(f"null_effect is {null_effect:g}; a log mean is tested against a mean above 0")
        null = float(np.log(null_effect)) if sm == "MLN" else float(null_effect)
    settings = settings_of(
        sm=sm, method_tau=method_tau, method_tau_ci=method_tau_ci, method_random_ci=method_random_ci,
        adhoc_hakn_ci=adhoc_hakn_ci, method_predict=method_predict, adhoc_hakn_pi=adhoc_hakn_pi, method_I2=method_I2,
        level=level, level_ma=level_ma, level_predict=level_predict, level_hetstat=level_hetstat, common=common,
        random=random, prediction=prediction, tau_common=tau_common, tau_preset=tau_preset, null_effect=null,
        subgroup_name=source.name_of(subgroup) if subgroup_name is None else subgroup_name, backtransf=backtransf,
        door="metamean", options=(("method_ci", method_ci),),
    )  # fmt: skip
    columns = {"n": size, "mean": means, "sd": sds}
    return _single_arm(effects, known, settings, source, labels, subgroup, exclude, cluster, columns, None)


def metacor(
    cor: Any,
    n: Any,
    studlab: Any = None,
    *,
    data: Any = None,
    subset: Any = None,
    exclude: Any = None,
    cluster: Any = None,
    sm: str = "ZCOR",
    level: float = 0.95,
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
    subgroup: Any = None,
    subgroup_name: str | None = None,
) -> MetaResult:
    """Meta-analysis of correlations.

    Parameters
    ----------
    cor, n : correlations between -1 and 1 and sample sizes, shape (k,).
    sm : "ZCOR", "COR" or "UCOR".
    null_effect : a correlation to test against.
    Others : as in `metaprop`.

    Pinned by the reference case `cor_molloy2014`.

    >>> round(metacor([0.19, 0.16, 0.34], [109, 749, 55]).back.TE_common, 4)
    0.1743
    """
    source = Columns(data, subset)
    r = source.numbers(cor, "cor")
    size = source.counts(n, "n", r.size)
    labels = source.texts(studlab, "studlab", r.size)
    for i in np.flatnonzero(np.abs(np.nan_to_num(r)) > 1):
        raise DataError(f"{_label(labels, i)}: correlation {r[i]:g}; correlations lie between -1 and 1")
    known = np.isfinite(r) & np.isfinite(size)
    effects = correlation_effects(np.where(known, r, 0.0), np.where(known, size, 4.0), sm, level=level)
    if not -1 < null_effect < 1:
        raise MethodError(f"null_effect is {null_effect!r}; a correlation lies between -1 and 1")
    settings = settings_of(
        sm=sm, method_tau=method_tau, method_tau_ci=method_tau_ci, method_random_ci=method_random_ci,
        adhoc_hakn_ci=adhoc_hakn_ci, method_predict=method_predict, adhoc_hakn_pi=adhoc_hakn_pi, method_I2=method_I2,
        level=level, level_ma=level_ma, level_predict=level_predict, level_hetstat=level_hetstat, common=common,
        random=random, prediction=prediction, tau_common=tau_common, tau_preset=tau_preset,
        null_effect=float(np.arctanh(null_effect)) if sm == "ZCOR" else float(null_effect),
        subgroup_name=source.name_of(subgroup) if subgroup_name is None else subgroup_name, backtransf=backtransf,
        door="metacor",
    )  # fmt: skip
    return _single_arm(
        effects, known, settings, source, labels, subgroup, exclude, cluster, {"cor": r, "n": size}, None
    )


_NAN = float("nan")


def _plain(incr: Any) -> Any:
    return float(incr) if np.ndim(incr) == 0 and not isinstance(incr, str) else None


def _label(labels: tuple[str, ...] | None, i: Any) -> str:
    return labels[i] if labels else f"row {i + 2}"


def _check_counts(events: Array, n: Array, labels: tuple[str, ...] | None) -> None:
    for i, (some, everyone) in enumerate(zip(events.tolist(), n.tolist(), strict=True)):
        if some > everyone:
            raise DataError(f"{_label(labels, i)}: {some:g} events among {everyone:g}; events lie between 0 and n")
        if everyone == 0:
            raise DataError(f"{_label(labels, i)}: n is 0; a study has at least one person")


def _check_positive(values: Array, name: str, labels: tuple[str, ...] | None) -> None:
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(values <= 0)
    for i in bad[:1]:
        raise DataError(f"{_label(labels, i)}: {name} is {values[i]:g}; it must be above 0")


def _null_proportion(null: float | None, sm: str, n: Array) -> float:
    """A null proportion on the analysis scale; double arcsine at the harmonic mean of n, as the estimate is shown."""
    if null is None or np.isnan(null):
        return _NAN
    if not 0 < null < 1:
        raise MethodError(f"null_effect is {null:g}; a proportion to test against lies between 0 and 1")
    size = np.array([1 / np.mean(1 / n)]) if n.size else np.ones(1)
    return float(proportion_effects(null * size, size, sm, incr=np.zeros(1), method_ci="NAsm").TE[0])


def _model(settings: Settings, clustered: bool) -> Model:
    if settings.method == "Inverse":
        return ThreeLevel() if clustered else InverseVariance()
    if clustered:
        raise MethodError("a three-level model needs method 'Inverse'; a GLMM has no clusters here")
    if settings.sm not in ("PLOGIT", "IRLN"):
        raise MethodError(f"method 'GLMM' needs sm 'PLOGIT' (or 'IRLN' for rates), not '{settings.sm}'")
    return one_arm_model(settings)


def _single_arm(
    effects: OneArm,
    known: Any,
    settings: Settings,
    source: Columns,
    labels: tuple[str, ...] | None,
    subgroup: Any,
    exclude: Any,
    cluster: Any,
    columns: dict[str, Any],
    size: Array | None,
) -> MetaResult:
    """The analysis of single-arm effects; studies with a gap in their data are listed but not pooled."""
    k = known.size
    reasons = source.excluded(exclude, k)
    clusters = source.texts(cluster, "cluster", k)
    if clusters is not None:
        columns = columns | {"cluster": np.array(clusters)}
    if not known.all():
        reasons = tuple(why or ("" if ok else "a value is missing") for why, ok in zip(reasons, known, strict=True))
        blank = np.where(known, 0.0, _NAN)
        whole = effects.limits
        effects = OneArm(
            effects.TE + blank,
            effects.seTE + blank,
            lambda: (whole()[0] + blank, whole()[1] + blank),
            effects.incr_event,
        )
    studies = studies_of(
        effects.TE, effects.seTE, limits=lambda te, se: effects.limits(), studlab=labels,
        subgroup=source.texts(subgroup, "subgroup", k), reasons=reasons,
        columns=columns | {"incr_event": effects.incr_event}, size=size,
    )  # fmt: skip
    return meta_analysis(studies, settings, _model(settings, clusters is not None))
