"""R's flat names (`.` as `_`) and where each number lives."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
from scipy import special

from metagrove.effects.arms import Tables
from metagrove.effects.proportion_limits import binomial_test
from metagrove.pooling.counts.tables import cochran_mantel_haenszel

__all__ = ["LOCATIONS", "NAMES"]

_Getter = Callable[[Any], Any]


def _per_group(path: str, kind: str) -> _Getter:
    get = attrgetter(path)
    return lambda result: np.array([get(item) for item in getattr(result.groups, kind)], dtype=float)


def _root(name: str) -> _Getter:
    def get(result: Any) -> Any:
        root = np.sqrt(NAMES[name](result))
        return float(root) if np.ndim(root) == 0 else root

    return get


def _tau2(result: Any) -> Any:
    return np.array(result.fit.parts) if result.fit.parts else result.fit.tau2.value


def _tau2_limit(side: str) -> _Getter:
    def get(result: Any) -> Any:
        if result.fit.parts:
            return np.array([getattr(limits, side) for limits in result.tau2_part_limits])
        return getattr(result.tau2_limits, side)

    return get


def _clusters(result: Any) -> int:
    cluster = result.pooled.columns.get("cluster")
    return len(result.pooled.studlab) if cluster is None else int(np.unique(cluster).size)


def _weights(which: str) -> _Getter:
    def get(result: Any) -> Any:
        full = np.zeros(len(result.studies.studlab))
        full[result.studies.pooled] = getattr(result.fit, which)
        return full

    return get


def _study_statistic(result: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (result.studies.TE - result.settings.null_effect) / result.studies.seTE


def _study_pval(result: Any) -> Any:
    """Two-sided p-values of the studies: exact for proportions with Clopper-Pearson limits, else normal."""
    s, studies = result.settings, result.studies
    if s.door != "metaprop" or dict(s.options).get("method_ci") != "CP" or np.isnan(s.null_effect):
        return 2 * special.ndtr(-np.abs(_study_statistic(result)))
    null = result.back.at(s.null_effect, result.n_harmonic_mean)
    pairs = zip(studies.columns["event"], studies.columns["n"], strict=True)
    return np.array([binomial_test(e, n, null) if np.isfinite(e + n) else np.nan for e, n in pairs])


def _q(result: Any) -> Any:
    return np.array([result.fit.Q, *result.fit.extra_Q]) if result.fit.extra_Q else result.fit.Q


def _df_q(result: Any) -> Any:
    return np.full(1 + len(result.fit.extra_Q), result.fit.df_Q) if result.fit.extra_Q else result.fit.df_Q


def _pval_q(result: Any) -> Any:
    if not result.fit.extra_Q:
        return result.heterogeneity.pval_Q
    return special.chdtrc(result.fit.df_Q, _q(result))


def _q_cmh(result: Any) -> float:
    c = result.studies.columns
    if "n_e" not in c or "event_e" not in c:
        raise AttributeError("Q_CMH needs 2x2 tables")
    tables = Tables.from_arms(c["event_e"], c["n_e"], c["event_c"], c["n_c"])
    return cochran_mantel_haenszel(tables, variance="Cochran").statistic


def _tau2_i2(result: Any) -> float:
    from metagrove.pooling.heterogeneity import tau2_share

    return tau2_share(result.fit.design, result.fit.tau2.value, result.tau2_limits).value


NAMES: dict[str, _Getter] = {
    "studlab": attrgetter("studies.studlab"),
    "TE": attrgetter("studies.TE"),
    "seTE": attrgetter("studies.seTE"),
    "lower": attrgetter("studies.lower"),
    "upper": attrgetter("studies.upper"),
    "subgroup": attrgetter("studies.subgroup"),
    "excluded": attrgetter("studies.excluded"),
    "statistic": _study_statistic,
    "pval": _study_pval,
    "w_common": _weights("w_common"),
    "w_random": _weights("w_random"),
    "k": lambda result: len(result.pooled.studlab),
    "k_study": _clusters,
    "k_all": lambda result: len(result.studies.studlab),
    "df_random": attrgetter("fit.random.df"),
    "df_common": attrgetter("fit.common.df"),
    "tau2": _tau2,
    "se_tau2": attrgetter("fit.tau2.se"),
    "lower_tau2": _tau2_limit("lower"),
    "upper_tau2": _tau2_limit("upper"),
    "tau": _root("tau2"),
    "lower_tau": _root("lower_tau2"),
    "upper_tau": _root("upper_tau2"),
    "Q": _q,
    "df_Q": _df_q,
    "pval_Q": _pval_q,
    "Q_CMH": _q_cmh,
    "I2_tau2": _tau2_i2,
    "Rb": attrgetter("rb.value"),
    "lower_Rb": attrgetter("rb.lower"),
    "upper_Rb": attrgetter("rb.upper"),
    "seTE_predict": attrgetter("predicted.seTE"),
    "df_predict": attrgetter("predicted.df"),
    "lower_predict": attrgetter("predicted.lower"),
    "upper_predict": attrgetter("predicted.upper"),
    "subgroup_levels": attrgetter("groups.levels"),
    "k_w": lambda result: np.array(result.groups.k),
    "df_random_w": _per_group("random.df", "fits"),
    "tau2_w": _per_group("tau2.value", "fits"),
    "lower_tau2_w": lambda result: np.array([limits.lower for limits in result.group_tau2_limits]),
    "upper_tau2_w": lambda result: np.array([limits.upper for limits in result.group_tau2_limits]),
    "Rb_w": lambda result: np.array([share.value for share in result.group_rb]),
    "lower_Rb_w": lambda result: np.array([share.lower for share in result.group_rb]),
    "upper_Rb_w": lambda result: np.array([share.upper for share in result.group_rb]),
    "tau_w": lambda result: np.sqrt(NAMES["tau2_w"](result)),
    "se_tau2_w": _per_group("tau2.se", "fits"),
    "Q_w": _per_group("Q", "fits"),
    "pval_Q_w": _per_group("pval_Q", "heterogeneities"),
    "seTE_predict_w": _per_group("seTE", "predictions"),
    "df_predict_w": _per_group("df", "predictions"),
    "lower_predict_w": _per_group("lower", "predictions"),
    "upper_predict_w": _per_group("upper", "predictions"),
    "t_harmonic_mean": attrgetter("n_harmonic_mean"),
    "n_harmonic_mean_w": attrgetter("groups.n_harmonic"),
    "Q_w_common": attrgetter("groups.within.Q"),
    "Q_w_random": attrgetter("groups.within.Q"),
    "df_Q_w": attrgetter("groups.within.df_Q"),
    "pval_Q_w_common": attrgetter("groups.within.pval_Q"),
    "tau2_resid": attrgetter("groups.tau2.value"),
    "tau_resid": _root("tau2_resid"),
    "I2_resid": attrgetter("groups.within.I2"),
    "lower_I2_resid": attrgetter("groups.within.lower_I2"),
    "upper_I2_resid": attrgetter("groups.within.upper_I2"),
    "H_resid": attrgetter("groups.within.H"),
    "lower_H_resid": attrgetter("groups.within.lower_H"),
    "upper_H_resid": attrgetter("groups.within.upper_H"),
}
for _which in ("common", "random"):
    for _part in ("TE", "seTE", "lower", "upper", "statistic", "pval"):
        NAMES[f"{_part}_{_which}"] = attrgetter(f"fit.{_which}.{_part}")
        NAMES[f"{_part}_{_which}_w"] = _per_group(f"{_which}.{_part}", "fits")
    for _name, _field in (("Q_b", "Q"), ("df_Q_b", "df"), ("pval_Q_b", "pval")):
        NAMES[f"{_name}_{_which}"] = attrgetter(f"groups.{_which}.{_field}")
for _part in ("H", "lower_H", "upper_H", "I2", "lower_I2", "upper_I2"):
    NAMES[_part] = attrgetter(f"heterogeneity.{_part}")
    NAMES[f"{_part}_w"] = _per_group(_part, "heterogeneities")

#: Names that a change of scale carries over.
LOCATIONS = frozenset(
    ["TE", "lower", "upper", "lower_predict", "upper_predict", "lower_predict_w", "upper_predict_w"]
    + [f"{part}_{which}{w}" for part in ("TE", "lower", "upper") for which in ("common", "random") for w in ("", "_w")]
)
