"""GLMMs as models of a meta-analysis: what the doors pool with `method="GLMM"`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metagrove.core.errors import MethodError
from metagrove.core.values import Array
from metagrove.effects.arms import Columns, PersonTimes, Proportions, Rates, Tables
from metagrove.pooling.counts.models import GLMM_MODELS, CountModel, GlmmFit, count_model, glmm_fit
from metagrove.pooling.estimate import Estimate, wald
from metagrove.pooling.model import Fit, indicators
from metagrove.pooling.prediction import PREDICTION, Prediction
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies
from metagrove.pooling.tau2 import Tau2

__all__ = ["GlmmPooling", "informative", "one_arm_model", "two_arm_model"]

_NAN = float("nan")


def counts_of(studies: Studies) -> Columns:
    """What was counted in the studies: proportions, rates, 2x2 tables or person-times, by their columns."""
    c = {
        name: np.asarray(column, dtype=float) for name, column in studies.columns.items() if column.dtype.kind in "fiu"
    }
    if "event_e" in c and "time_e" in c:
        return PersonTimes(c["event_e"], c["event_c"], c["time_e"], c["time_c"])
    if "event_e" in c:
        return Tables.from_arms(c["event_e"], c["n_e"], c["event_c"], c["n_c"])
    if "time" in c:
        return Rates(c["event"], c["time"])
    return Proportions(c["event"], c["n"])


def informative(data: Columns) -> NDArray[np.bool_]:
    """True where a study says anything about the effect; two arms without events (or with events only) do not."""
    if isinstance(data, Tables):
        return ~data.uninformative
    if isinstance(data, PersonTimes):
        return np.asarray((data.x1 > 0) | (data.x2 > 0))
    return np.ones(data.k, dtype=bool)


def _subset(data: Columns, keep: NDArray[np.bool_]) -> Columns:
    return data if keep.all() else type(data)(*(column[keep] for column in data.columns().values()))


def _exact_limits(data: Columns, towards: float, level: float) -> tuple[float, float]:
    """Exact limits of a pooled proportion or rate that has no events (or nothing else), on the analysis scale."""
    tail = (1 - level) / 2
    if isinstance(data, Rates):
        return -np.inf, float(np.log(special.gammaincinv(1.0, 1 - tail) / data.t.sum()))
    if isinstance(data, Proportions):
        limit = float(1 - tail ** (1 / data.n.sum()))
        logit = float(np.log(limit / (1 - limit)))
        return (-np.inf, logit) if towards < 0 else (-logit, np.inf)
    return -np.inf, np.inf


@dataclass(frozen=True, slots=True)
class GlmmPooling:
    """A GLMM fitted by maximum likelihood; limits by Wald, prediction by t with k - 1 degrees of freedom.

    Parameters
    ----------
    model : a code of GLMM_MODELS for two arms, "" for one.
    nodes : quadrature points, None for the model's own default.
    """

    model: str = ""
    nodes: int | None = None

    def _problem(self, studies: Studies, x: Array | None = None) -> CountModel:
        data = counts_of(studies)
        keep = informative(data)
        if not keep.any():
            raise MethodError("no study says anything about the effect: no events (or only events) in both arms")
        return count_model(_subset(data, keep), self.model, nodes=self.nodes, x=None if x is None else x[keep])

    def fit(self, studies: Studies, settings: Settings, tau2: Tau2 | None = None) -> Fit:
        """Common-effect and random-effects estimates; where nobody (or everybody) had the event, exact limits.

        With a hundred per cent or none the likelihood has no maximum: the estimate is infinite on the analysis scale
        (0 or 1, as a proportion), its limits are exact for the pooled counts, and tau2 is not known.
        """
        problem = self._problem(studies)
        k = len(studies.studlab)
        none = np.full(k, _NAN)
        if problem.unbounded:
            edge = self._edge(studies, problem, settings)
            return Fit(edge, edge, Tau2(_NAN, _NAN), 0.0, k - 1, none, none, None, (0.0,))
        held = settings.tau_preset**2 if settings.tau_preset is not None else None
        if tau2 is not None and np.isfinite(tau2.value):
            held = tau2.value
        found = glmm_fit(problem, tau2=held)
        common = wald(
            float(found.fixed.beta[0]), float(np.sqrt(found.fixed.covariance[0, 0])),
            level=settings.level_ma, null=settings.null_effect,
        )  # fmt: skip
        variance = Tau2(found.mixed.tau2, found.mixed.se_tau2) if k > 1 or held is not None else Tau2(_NAN, _NAN)
        q = (found.QE_Wld, found.QE_LRT) if k > 1 else (0.0, 0.0)
        return Fit(common, self._random(found, settings, k), variance, q[0], k - 1, none, none, None, (q[1],))

    def _edge(self, studies: Studies, problem: CountModel, settings: Settings) -> Estimate:
        data = counts_of(studies)
        if not isinstance(data, (Proportions, Rates)):
            raise MethodError(f"the GLMM has no maximum: {problem.unbounded}")
        low, high = _exact_limits(data, problem.towards, settings.level_ma)
        return Estimate(problem.towards, np.inf, low, high, _NAN, _NAN, np.inf)

    def _random(self, found: GlmmFit, settings: Settings, k: int) -> Estimate:
        if settings.method_random_ci not in ("classic", "HK"):
            raise MethodError(f"method_random_ci '{settings.method_random_ci}' is not defined for a GLMM; "
                              "known: classic, HK")  # fmt: skip
        df = float(k - 1) if settings.method_random_ci == "HK" and k > 1 else float("inf")
        return wald(
            float(found.mixed.beta[0]), float(np.sqrt(found.mixed.covariance[0, 0])), df=df,
            level=settings.level_ma, null=settings.null_effect,
        )  # fmt: skip

    def common_tau2(self, studies: Studies, settings: Settings, groups: NDArray[np.intp]) -> Tau2:
        """One tau2 within groups, from the model with an effect for each group."""
        problem = self._problem(studies, indicators(groups))
        if problem.levels is not None:
            raise MethodError("a model with random study levels (UM.RS) has no common tau2 of subgroups; use UM.FS")
        if problem.integrand.X.shape[0] <= problem.integrand.X.shape[2]:
            return Tau2(_NAN, _NAN)
        mixed = glmm_fit(problem, heterogeneity=False).mixed
        return Tau2(mixed.tau2, mixed.se_tau2)

    def predict(self, fit: Fit, settings: Settings) -> Prediction:
        """Prediction interval from tau2 and the standard error, with the quantile of the settings' rule."""
        rule = PREDICTION[settings.method_predict]
        if rule.interval == "NNF" or (rule.cost is None and not rule.normal):
            raise MethodError(f"method_predict '{settings.method_predict}' is not defined for a GLMM; known: V, HTS, S")
        df = np.inf if rule.normal or rule.cost is None else fit.df_Q + 1 - abs(rule.cost)
        if df < 1 or fit.df_Q < 1 or not np.isfinite(fit.random.seTE) or not np.isfinite(fit.tau2.value):
            return Prediction(_NAN, _NAN, _NAN, _NAN)
        se = float(np.sqrt(fit.random.seTE**2 + fit.tau2.value))
        share = 0.5 + settings.level_predict / 2
        half = float(special.ndtri(share) if np.isinf(df) else special.stdtrit(df, share)) * se
        return Prediction(se, df, fit.random.TE - half, fit.random.TE + half)


def one_arm_model(settings: Settings) -> GlmmPooling:
    """The GLMM of one arm: binomial-normal for logits, Poisson-normal for log rates."""
    if settings.sm not in ("PLOGIT", "IRLN"):
        raise MethodError(f"a GLMM needs sm 'PLOGIT' (or 'IRLN' for rates), not '{settings.sm}'")
    return GlmmPooling()


def two_arm_model(settings: Settings, model: str = "UM.FS") -> GlmmPooling:
    """The GLMM of two arms: for odds ratios and incidence-rate ratios."""
    if settings.sm not in ("OR", "IRR"):
        raise MethodError(f"a GLMM of two arms needs sm 'OR' (or 'IRR' for person-time), not '{settings.sm}'")
    GLMM_MODELS.entry(model)
    return GlmmPooling(model)
