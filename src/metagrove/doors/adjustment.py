"""The effect if small-study effects, missing studies or selection are allowed for: R's functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError, UnknownName
from metagrove.core.values import Array
from metagrove.doors.bias_scripts import after_meta, after_model, stata_after
from metagrove.doors.funnels import funnel_of, heterogeneity_of, model_settings
from metagrove.doors.generic import metagen
from metagrove.pooling.bias.copas_model import CopasModel, copas_model
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.limit_model import LimitMeta, limit_meta
from metagrove.pooling.bias.regression_tests import PetPeese, pet_peese_estimate
from metagrove.pooling.bias.selection import SelectionModel, selection_model
from metagrove.pooling.bias.selection_functions import SELECTION_FUNCTIONS
from metagrove.pooling.bias.trim_fill import FilledFunnel, TrimFill, filled_funnel
from metagrove.pooling.bias.weighted_line import residual_tau2, weighted_line
from metagrove.pooling.henmi_copas import HenmiCopas, henmi_copas
from metagrove.pooling.regression.model import Regression, regression
from metagrove.pooling.results import MetaResult, meta_analysis
from metagrove.pooling.studies import Studies, studies_of

__all__ = ["copas", "hc", "limitmeta", "pet_peese", "selmodel", "trimfill"]


def _missing_side(funnel: FunnelData, method: str, side: str | None, left: bool | None) -> str:
    """Where studies are missing: as asked, else left where larger standard errors go with larger effects."""
    if side is not None:
        return side
    if left is not None:
        return "left" if left else "right"
    X = np.column_stack((np.ones(funnel.k), funnel.se))
    try:
        tau2 = residual_tau2(funnel.y, funnel.v, X, method) if funnel.k > 2 else 0.0
        slope = float(weighted_line(funnel.y, X, 1 / (funnel.v + tau2)).b[1])
    except MethodError:
        return "left"
    return "right" if slope < 0 else "left"


def trimfill(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    *,
    estimator: str | None = None,
    type: str = "L",  # noqa: A002
    side: str | None = None,
    left: bool | None = None,
    ma_common: bool = True,
    n_iter_max: int = 100,
    data: Any = None,
) -> TrimFill:
    """Trim and fill: the studies a symmetric funnel would have, and the pooled result with them.

    Parameters
    ----------
    x : a result of the meta doors or of `rma` without moderators, or effects with variances.
    estimator : "L0", "R0" or "Q0", as in metafor.
    type : "L" or "R", as in meta.
    side, left : where studies are missing ("left" or "right"); by default from Egger's regression.
    ma_common : after the meta doors, whether the funnel's centre is the common effect (as R's default is) or the
        random-effects mean.

    >>> import metagrove as mg
    >>> filled = mg.metagen([0.1, 0.2, 0.4, 0.9, 1.4], [0.1, 0.2, 0.3, 0.5, 0.7]).trimfill()
    >>> filled.k0, filled.side
    (3, 'left')
    """
    codes = {"L": "L0", "R": "R0"}
    if type not in codes and estimator is None:
        raise UnknownName("type of trim and fill", type, codes)
    if isinstance(x, TrimFill):
        raise MethodError("these studies have been filled already")
    if not isinstance(x, MetaResult | Regression):
        funnel = funnel_of(x, vi, sei, data=data)
        x = metagen(funnel.y, funnel.se, funnel.labels)
    funnel = funnel_of(x)
    kind = estimator or ("L0" if isinstance(x, Regression) else codes[type])
    method, _, _ = model_settings(x, None, None, None)
    if isinstance(x, Regression):
        if not x.int_only:
            raise MethodError("trim and fill is made for models without moderators")
        if not x.fit.default_weights:
            raise MethodError("trim and fill is made for inverse-variance weights")
        middle = method
    else:
        middle = "CE" if ma_common else method

    def centre(y: Array, v: Array) -> float:
        if y.size < 2:
            return float(y[0])
        w = 1 / (v + residual_tau2(y, v, np.ones((y.size, 1)), middle))
        return float(w @ y) / float(w.sum())

    where = _missing_side(funnel, method if isinstance(x, Regression) else "CE", side, left)
    filling = filled_funnel(funnel, centre, estimator=kind, side=where, max_iterations=n_iter_max)
    if isinstance(x, Regression):
        asked = {"side": where, "estimator": kind}
        script = after_model(x, funnel, "trimfill", asked, method=method, test=x.test)
        return TrimFill(_refitted_regression(x, filling), filling, script)
    wanted = {"left": where == "left", "type": kind[0], "ma_common": ma_common}
    stata = stata_after(x, funnel, f"meta trimfill, estimator({'linear' if kind[0] == 'L' else 'run'}) {where}")
    return TrimFill(_refitted_meta(x, filling), filling, after_meta(x, funnel, "trimfill", wanted, stata=stata))


def _refitted_regression(x: Regression, filling: FilledFunnel) -> Regression:
    one = replace(x.design, X=np.ones((filling.y.size, 1)))
    return regression(filling.y, filling.v, design=one, settings=x.fit.settings, slab=filling.labels)


def _refitted_meta(x: MetaResult, filling: FilledFunnel) -> MetaResult:
    """The filled studies pooled by inverse variance with the settings of `x`."""
    from scipy.special import ndtri

    se = np.sqrt(filling.v)
    reach = float(ndtri((1 + x.settings.level) / 2))
    size = None
    if x.pooled.size is not None:
        names = {name: i for i, name in enumerate(x.pooled.studlab)}
        sources = [names[label.removeprefix("Filled: ")] for label in filling.labels]
        size = x.pooled.size[sources]
    studies: Studies = studies_of(
        filling.y,
        se,
        limits=lambda te, error: (te - reach * error, te + reach * error),
        studlab=filling.labels,
        size=size,
    )
    settings = replace(x.settings, method="Inverse", door="trimfill", subgroup_name="", options=())
    return meta_analysis(studies, settings)


def limitmeta(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    *,
    method_adjust: str = "beta0",
    method: str | None = None,
    level: float | None = None,
    data: Any = None,
) -> LimitMeta:
    """The limit meta-analysis, as metasens' `limitmeta`; `method_adjust` is "beta0", "betalim" or "mulim"."""
    kind, _, coverage = model_settings(x, method, None, level)
    funnel = funnel_of(x, vi, sei, data=data)
    found = limit_meta(funnel, heterogeneity_of(x, funnel, kind), method_adjust=method_adjust, level=coverage)
    script = after_meta(x, funnel, "limitmeta", {"method_adjust": method_adjust}, library="metasens")
    return replace(found, script=script)


def hc(x: Any, vi: Any = None, sei: Any = None, *, level: float | None = None, data: Any = None) -> HenmiCopas:
    """The common-effect estimate with the interval of Henmi and Copas, as metafor's `hc`; robust to missing studies.

    References
    ----------
    Henmi M, Copas JB. Stat Med 2010;29:2969-83. doi:10.1002/sim.4029

    >>> import metagrove as mg
    >>> found = mg.hc(mg.metagen([0.1, 0.3, 0.9], [0.1, 0.14, 0.22]))
    >>> round(found.estimate, 4), round(found.lower, 4)
    (0.2557, -0.5132)
    """
    _, _, coverage = model_settings(x, None, None, level)
    if isinstance(x, Regression) and not x.int_only:
        raise MethodError("the Henmi-Copas interval is made for models without moderators")
    funnel = funnel_of(x, vi, sei, data=data)
    found = henmi_copas(funnel.y, funnel.v, level=coverage)
    return replace(found, script=after_model(x, funnel, "hc", {}, method="DL"))


def copas(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    *,
    gamma0_range: tuple[float, float] | None = None,
    gamma1_range: tuple[float, float] | None = None,
    ngrid: int = 20,
    nlevels: int = 10,
    levels: Any = None,
    slope: float | None = None,
    left: bool | None = None,
    rho_bound: float = 0.9999,
    sign_rsb: float = 0.1,
    method: str | None = None,
    level: float | None = None,
    data: Any = None,
) -> CopasModel:
    """The Copas selection model, with the arguments of metasens' `copas`."""
    kind, _, coverage = model_settings(x, method, None, level)
    funnel = funnel_of(x, vi, sei, data=data)
    found = copas_model(
        funnel,
        heterogeneity_of(x, funnel, kind),
        gamma0_range=gamma0_range,
        gamma1_range=gamma1_range,
        ngrid=ngrid,
        nlevels=nlevels,
        levels=None if levels is None else np.asarray(levels, dtype=float),
        slope=slope,
        left=left,
        rho_bound=rho_bound,
        sign_rsb=sign_rsb,
        level=coverage,
    )
    asked = {"gamma0_range": gamma0_range, "gamma1_range": gamma1_range, "ngrid": ngrid, "nlevels": nlevels}
    more = {"left": left, "rho_bound": rho_bound, "sign_rsb": sign_rsb}
    return replace(found, script=after_meta(x, funnel, "copas", asked | more, library="metasens"))


def _several(values: Any) -> tuple[float, ...]:
    if values is None:
        return ()
    return tuple(float(value) for value in np.atleast_1d(np.asarray(values, dtype=float)))


def _deltas(values: Any) -> tuple[float | None, ...]:
    """Fixed deltas; None and NaN leave one free."""
    if values is None:
        return ()
    items = list(values) if hasattr(values, "__iter__") else [values]
    return tuple(None if item is None or np.isnan(item) else float(item) for item in items)


def selmodel(
    x: Any,
    type: str = "",  # noqa: A002
    *,
    alternative: str = "greater",
    steps: Any = None,
    delta: Any = None,
    prec: str | None = None,
    scaleprec: bool = True,
    vi: Any = None,
    sei: Any = None,
    ni: Any = None,
    method: str | None = None,
    level: float | None = None,
    data: Any = None,
) -> SelectionModel:
    """A selection model fitted by maximum likelihood, as metafor's `selmodel`.

    Parameters
    ----------
    x : a result (moderators of `rma` are kept), or effects with `vi` or `sei`.
    type : "stepfun", "beta", "halfnorm", "negexp", "logistic", "power" or "negexppow"; abbreviations are understood.
    alternative : "greater", "less" or "two.sided": which p-values selection looked at.
    steps : cut points of a step function; for other types one p-value up to which every study is seen.
    delta : parameters to hold fixed; None or NaN where one is to be estimated.
    prec, scaleprec : a measure of imprecision ("sei", "vi", "ninv", "sqrtninv") that scales the selection.
    method : "EE" for a model without heterogeneity.

    >>> import metagrove as mg
    >>> y, v = [0.1, 0.6, 0.3, 0.9, 0.5, 1.1, 0.2, 0.7], [0.01, 0.06, 0.02, 0.1, 0.05, 0.2, 0.03, 0.08]
    >>> mg.selmodel(y, "step", vi=v, steps=0.025).ptable
    (6, 2)
    """
    known = ["stepfun", *SELECTION_FUNCTIONS]
    matches = [name for name in known if type and name.startswith(type)]
    if not matches or (len(matches) > 1 and type not in known):
        raise UnknownName("selection function", type, known)
    chosen = type if type in known else matches[0]
    kind, _, coverage = model_settings(x, method, None, level)
    regressed = isinstance(x, Regression)
    funnel = funnel_of(x, vi, sei, ni, data=data)
    found = selection_model(
        funnel,
        chosen,
        X=np.asarray(x.X) if regressed else None,
        equal_effects=kind in ("EE", "FE", "CE"),
        alternative=alternative,
        steps=_several(steps),
        delta=_deltas(delta),
        prec=prec,
        scaleprec=scaleprec,
        level=coverage,
        coef_names=tuple(x.coef_names) if regressed else (),
    )
    asked: dict[str, Any] = {"type": chosen, "alternative": alternative, "steps": _several(steps) or None, "prec": prec}
    asked |= {"delta": _deltas(delta) or None, "scaleprec": None if prec is None else scaleprec}
    equal = kind in ("EE", "FE", "CE")
    model = x.refitted("EE" if equal else "ML") if regressed and x.method not in ("ML", "EE") else x
    return replace(found, script=after_model(model, funnel, "selmodel", asked, method="EE" if equal else "ML"))


def pet_peese(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    *,
    model: str = "lm",
    method: str | None = None,
    alpha: float = 0.10,
    level: float | None = None,
    data: Any = None,
    subset: Any = None,
) -> PetPeese:
    """The conditional PET-PEESE estimate of the effect at infinite precision."""
    kind, _, coverage = model_settings(x, method, None, level)
    funnel = funnel_of(x, vi, sei, data=data, subset=subset)
    found = pet_peese_estimate(funnel, model=model, method=kind, alpha=alpha, level=coverage)
    asked = {"model": model, "predictor": "sei" if found.chosen.upper() == "PET" else "vi"}
    return replace(found, script=after_model(funnel, funnel, "regtest", asked, method=kind))
