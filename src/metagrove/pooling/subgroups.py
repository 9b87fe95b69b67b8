"""Estimates within groups of studies, and the tests between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.pooling.heterogeneity import Heterogeneity, heterogeneity
from metagrove.pooling.model import Fit, Model
from metagrove.pooling.prediction import Prediction
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies
from metagrove.pooling.tau2 import Tau2

__all__ = ["Between", "Subgroups", "subgroups"]

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Between:
    """Test for differences between groups: Q on `df` degrees of freedom (NaN p-value for fewer than two groups)."""

    Q: float
    df: int
    pval: float


@dataclass(frozen=True, slots=True, eq=False)
class Subgroups:
    """Groups in order of first appearance; groups without a pooled study are not listed.

    Parameters
    ----------
    levels, k : the groups and how many studies of each are pooled.
    fits, predictions, heterogeneities : one per group.
    common, random : tests between the groups.
    within : Q summed over the groups, with its heterogeneity statistics.
    tau2 : the tau2 common to all groups where the settings ask for one, else NaN.
    n_harmonic : harmonic mean of the sample sizes in each group, NaN where the scale needs none.
    sizes : sample sizes of the studies of each group, None where the scale needs none.
    """

    levels: tuple[str, ...]
    k: tuple[int, ...]
    fits: tuple[Fit, ...]
    predictions: tuple[Prediction, ...]
    heterogeneities: tuple[Heterogeneity, ...]
    common: Between
    random: Between
    within: Heterogeneity
    tau2: Tau2
    n_harmonic: Array
    sizes: tuple[Array | None, ...]


def _between(te: Array, se: Array) -> Between:
    # A group in which nobody (or everybody) had the event has an infinite effect on a log scale and no weight.
    seen = np.isfinite(te) & np.isfinite(se)
    te, se = te[seen], se[seen]
    df = te.size - 1
    q = _spread(te, se) if te.size else _NAN
    return Between(q, df, float(special.chdtrc(df, q)) if df > 0 else _NAN)


def _spread(te: Array, se: Array) -> float:
    """Weighted squares around the mean; a group without a standard error fixes the mean, and two that differ are too many."""
    exact = se == 0
    if not exact.any():
        w = 1 / se**2
        return float(w @ (te - w @ te / w.sum()) ** 2)
    centre = te[exact][0]
    if (np.abs(te[exact] - centre) > 1e-12 * (1 + abs(centre))).any():
        return float("inf")
    return float((((te[~exact] - centre) / se[~exact]) ** 2).sum())


def subgroups(studies: Studies, settings: Settings, model: Model) -> Subgroups:
    """Each group of the pooled `studies` fitted by itself, with its own or one common tau2.

    Between-group tests treat the group estimates as studies in a common-effect analysis (Borenstein M, Hedges LV,
    Higgins JPT, Rothstein HR. Introduction to Meta-Analysis. 2009, chapter 19. doi:10.1002/9780470743386). A group of
    one study keeps its own estimate and a normal interval. Pinned by `subgroup_bcg` and the `seed_atc` cases.
    """
    if studies.subgroup is None:
        raise MethodError("no subgroup was given for these studies")
    levels = tuple(dict.fromkeys(studies.subgroup))
    groups = np.array([levels.index(group) for group in studies.subgroup], dtype=np.intp)
    shared = model.common_tau2(studies, settings, groups) if settings.tau_common else None
    parts = [studies.take(np.flatnonzero(groups == g)) for g in range(len(levels))]
    fits = tuple(model.fit(part, settings, shared) for part in parts)
    within_q, within_df = sum(fit.Q for fit in fits), sum(fit.df_Q for fit in fits)
    level = settings.heterogeneity_level
    return Subgroups(
        levels,
        tuple(len(part.studlab) for part in parts),
        fits,
        tuple(model.predict(fit, settings) for fit in fits),
        tuple(heterogeneity(fit.Q, fit.df_Q, level=level) for fit in fits),
        _between(np.array([f.common.TE for f in fits]), np.array([f.common.seTE for f in fits])),
        _between(np.array([f.random.TE for f in fits]), np.array([f.random.seTE for f in fits])),
        heterogeneity(within_q, within_df, level=level),
        shared or Tau2(_NAN, _NAN),
        np.array([_NAN if part.size is None else part.size.size / np.sum(1 / part.size) for part in parts]),
        tuple(part.size for part in parts),
    )
