"""Signs of bias: tests of asymmetry and of excess significance, fail-safe numbers, odd studies; R's functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.doors.bias_scripts import after_meta, after_model, of_effects, stata_after
from metagrove.doors.columns import Columns
from metagrove.doors.funnels import funnel_of, heterogeneity_of, model_settings
from metagrove.doors.generic import metagen
from metagrove.pooling.bias.asymmetry import AsymmetryTest, asymmetry_test
from metagrove.pooling.bias.excess import ExcessSignificance, excess_significance
from metagrove.pooling.bias.fail_safe import FailSafe, fail_safe_number, known_type
from metagrove.pooling.bias.funnel_data import FunnelData
from metagrove.pooling.bias.gosh import Gosh, gosh_diagnostics
from metagrove.pooling.bias.lfk_index import LfkIndex, lfk_index
from metagrove.pooling.bias.outliers import OutlierTest, outlier_test
from metagrove.pooling.bias.p_curve import PCurve, p_curve
from metagrove.pooling.bias.regression_tests import RankTest, RegressionTest, rank_test, regression_test
from metagrove.pooling.bias.trim_fill import TrimFill
from metagrove.pooling.contributions import contributions
from metagrove.pooling.regression.model import Regression
from metagrove.pooling.results import MetaResult
from metagrove.pooling.sensitivity import Baujat

__all__ = ["baujat", "fsn", "gosh", "lfkindex", "metabias", "outliers", "pcurve", "ranktest", "regtest", "tes"]


def metabias(
    x: Any,
    method: str | None = None,
    *,
    method_bias: str | None = None,
    seTE: Any = None,
    vi: Any = None,
    k_min: int = 10,
    correct: bool = False,
    data: Any = None,
) -> AsymmetryTest:
    """A test for small-study effects, after a meta-analysis or of effects `x` with standard errors.

    Parameters
    ----------
    x : a result, or effects of shape (k,) (a column name with `data`).
    method, method_bias : "Egger", "Begg", "Thompson", "Harbord", "Peters", "Macaskill", "Schwarzer", "Deeks",
        "Pustejovsky" or "LinChu"; by default Harbord's for odds ratios, Deeks' for diagnostic ones, Pustejovsky's for
        standardised mean differences, Egger's otherwise. For risk ratios "Harbord" has R's variance of the score (arms
        as if of one size) and "Harbord2009" the published one; for odds ratios the two are one.
    seTE, vi : standard errors or variances of plain effects.
    k_min : with fewer studies the test is not done, and the result says so.
    correct : continuity correction of the rank tests.

    Raises
    ------
    MethodError where the test does not suit the measure.

    >>> import metagrove as mg
    >>> test = mg.metabias([0.1, 0.9, 0.4, 0.6, 0.2], "Egger", seTE=[0.1, 0.5, 0.2, 0.4, 0.15], k_min=5)
    >>> round(test.pval, 4), test.df
    (0.0062, 3)
    """
    funnel = funnel_of(x, vi, seTE, data=data)
    name = method or method_bias or ""
    test = asymmetry_test(funnel, name, k_min=k_min, correct=correct)
    if test.method == "Harbord" and name.lower() != "harbord2009" and funnel.measure == "RR":
        test = _as_in_meta(funnel, test)
    asked = {"method_bias": test.method, "k_min": k_min, "correct": correct or None}
    stata = {"Egger": "meta bias, egger", "Begg": "meta bias, begg"}.get(test.method, "")
    code = stata_after(x, funnel, stata) if stata else ""
    test = replace(test, script=after_meta(x, funnel, "metabias", asked, stata=code))
    if isinstance(x, MetaResult) and x.studies.subgroup is not None:
        return replace(test, reason=f"{test.reason} The subgroups were taken together.".strip())
    return test


def _as_in_meta(funnel: FunnelData, test: AsymmetryTest) -> AsymmetryTest:
    """Harbord's test of risk ratios with the variances that R's meta takes, and what the published ones give."""
    if test.found is None:
        return test
    note = (
        "R's meta takes the score's variance as if both arms were of one size, and so does this; with the arms as they "
        f'are (Harbord 2009) p = {test.pval:.4f} (method "Harbord2009").'
    )
    balanced = asymmetry_test(funnel, "HarbordBalanced", k_min=test.k_min)
    return replace(balanced, method="Harbord", reason=f"{test.reason} {note}".strip())


def regtest(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    ni: Any = None,
    *,
    model: str = "rma",
    predictor: str = "sei",
    method: str | None = None,
    test: str | None = None,
    level: float | None = None,
    data: Any = None,
    subset: Any = None,
) -> RegressionTest:
    """The regression test of funnel asymmetry, as metafor's `regtest`.

    Parameters
    ----------
    x : a result, or effects of shape (k,).
    vi, sei, ni : variances or standard errors, and sample sizes, of plain effects.
    model : "rma" (mixed effects) or "lm" (weighted regression with dispersion; with "sei" the classical Egger test).
    predictor : "sei", "vi", "ni", "ninv", "sqrtni" or "sqrtninv".
    method, test, level : as in `rma`; by default those of the result.
    """
    kind, tested, coverage = model_settings(x, method, test, level)
    moderators = x.X if isinstance(x, Regression) else None
    funnel = funnel_of(x, vi, sei, ni, data=data, subset=subset)
    found = regression_test(
        funnel, predictor=predictor, model=model, method=kind, test=tested, level=coverage, moderators=moderators
    )
    asked = {"model": model, "predictor": predictor}
    return replace(found, script=after_model(x, funnel, "regtest", asked, method=kind, test=tested))


def ranktest(
    x: Any, vi: Any = None, sei: Any = None, *, exact: bool = True, data: Any = None, subset: Any = None
) -> RankTest:
    """Begg and Mazumdar's rank correlation test, with the exact p-value where there are no ties."""
    funnel = funnel_of(x, vi, sei, data=data, subset=subset)
    return replace(rank_test(funnel, exact=exact), script=of_effects(funnel, "ranktest", {"exact": exact}))


def fsn(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    *,
    type: str | None = None,  # noqa: A002
    alpha: float = 0.05,
    target: float | None = None,
    method: str | None = None,
    data: Any = None,
    subset: Any = None,
) -> FailSafe:
    """A fail-safe number, as metafor's `fsn`.

    Parameters
    ----------
    x : a result (then `type` is "General" by default), or effects, for Orwin's method also without variances.
    type : "Rosenthal", "Orwin", "Rosenberg" or "General".
    alpha, target : the p-value to exceed, or the mean effect to fall to (Orwin, General).
    method : estimator of tau² for "General".

    >>> import metagrove as mg
    >>> mg.fsn([0.5, 0.4, 0.6], [0.02, 0.03, 0.02]).fsnum
    35
    """
    fitted = isinstance(x, MetaResult | Regression | TrimFill)
    chosen = known_type(type) if type else ("General" if fitted else "Rosenthal")
    if isinstance(x, Regression) and not x.int_only:
        raise MethodError("a fail-safe number is made for models without moderators")
    if chosen == "Orwin" and not fitted and vi is None and sei is None:
        y = Columns(data, subset).numbers(x, "yi")
        return fail_safe_number(y[np.isfinite(y)], None, type_=chosen, alpha=alpha, target=target)
    funnel = funnel_of(x, vi, sei, data=data, subset=subset)
    kind, _, _ = model_settings(x, method, None, None)
    tau2 = heterogeneity_of(None if method else x, funnel, kind) if chosen == "General" else 0.0
    found = fail_safe_number(funnel.y, funnel.v, type_=chosen, alpha=alpha, target=target, tau2=tau2)
    asked = {"type": chosen, "alpha": alpha, "target": target}
    if chosen == "General":
        return replace(found, script=after_model(x, funnel, "fsn", asked, method=kind))
    return replace(found, script=of_effects(funnel, "fsn", asked))


def tes(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    *,
    H0: float = 0.0,
    alternative: str = "two.sided",
    alpha: float = 0.05,
    theta: float | None = None,
    tau2: float | None = None,
    test: str | None = None,
    tes_alternative: str = "greater",
    tes_alpha: float = 0.10,
    data: Any = None,
    subset: Any = None,
) -> ExcessSignificance:
    """The test of excess significance, as metafor's `tes`; `theta` and `tau2` come from a result, else (mean, 0)."""
    funnel = funnel_of(x, vi, sei, data=data, subset=subset)
    if isinstance(x, Regression) and not x.int_only:
        raise MethodError("the test of excess significance is made for models without moderators")
    if theta is None and isinstance(x, MetaResult | Regression):
        theta = float(x.fit.random.TE) if isinstance(x, MetaResult) else float(x.b[0])
    if tau2 is None:
        tau2 = heterogeneity_of(x, funnel, "EE")
    found = excess_significance(
        funnel,
        h0=H0,
        alternative=alternative,
        alpha=alpha,
        theta=theta,
        tau2=tau2,
        test=test,
        tes_alternative=tes_alternative,
        tes_alpha=tes_alpha,
    )
    asked = {"H0": H0, "alternative": alternative, "alpha": alpha, "theta": found.theta, "tau2": found.tau2}
    more = {"test": test, "tes_alternative": tes_alternative, "tes_alpha": tes_alpha}
    return replace(found, script=of_effects(funnel, "tes", asked | more))


def lfkindex(TE: Any, seTE: Any = None, *, vi: Any = None, data: Any = None) -> LfkIndex:
    """The LFK index of a result, or of effects `TE` with standard errors `seTE`."""
    funnel = funnel_of(TE, vi, seTE, data=data)
    return replace(lfk_index(funnel), script=after_meta(TE, funnel, "lfkindex", {}, library="metasens"))


def pcurve(x: Any, vi: Any = None, sei: Any = None, *, data: Any = None, subset: Any = None) -> PCurve:
    """The p-curve of a result's studies, or of effects with variances."""
    return p_curve(funnel_of(x, vi, sei, data=data, subset=subset))


def gosh(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    *,
    subsets: int = 100_000,
    seed: int = 1,
    method: str | None = None,
    data: Any = None,
) -> Gosh:
    """The pooled effect of all subsets of studies, or of `subsets` random ones drawn with `seed` if there are more."""
    kind, _, _ = model_settings(x, method, None, None)
    if isinstance(x, Regression) and not x.int_only:
        raise MethodError("GOSH is made for models without moderators")
    funnel = funnel_of(x, vi, sei, data=data)
    found = gosh_diagnostics(funnel, method=kind, subsets=subsets, seed=seed)
    asked = {"subsets": None if found.complete else subsets}
    return replace(found, script=after_model(x, funnel, "gosh", asked, method=kind))


def outliers(
    x: Any,
    vi: Any = None,
    sei: Any = None,
    *,
    method: str | None = None,
    alpha: float = 0.05,
    level: float | None = None,
    data: Any = None,
) -> OutlierTest:
    """Outlier tests by studentised deleted residuals with Holm's correction."""
    kind, _, coverage = model_settings(x, method, None, level)
    funnel = funnel_of(x, vi, sei, data=data)
    found = outlier_test(funnel, method=kind, alpha=alpha, level=coverage)
    return replace(found, script=after_model(x, funnel, "rstudent", {}, method=kind))


def baujat(x: Any, vi: Any = None, sei: Any = None, *, pooled: str = "common", data: Any = None) -> Baujat:
    """Each study's contribution to heterogeneity (`x`) and influence on the estimate (`y`).

    After the meta doors `pooled` chooses the estimate ("common" or "random"); after `rma` it is the model's own.
    """
    if isinstance(x, TrimFill):
        x = x.fit
    if isinstance(x, Regression):
        return contributions(x.fit, tuple(x.slab))
    if isinstance(x, MetaResult):
        return x.baujat(pooled)
    funnel = funnel_of(x, vi, sei, data=data)
    return metagen(funnel.y, funnel.se, funnel.labels).baujat(pooled)
