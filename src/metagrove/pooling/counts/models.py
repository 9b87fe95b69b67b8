"""Generalised linear mixed models for counts: one stage, exact likelihoods, our own quadrature.

Models for one group are the binomial-normal and the Poisson-normal; for two groups "UM.FS" (unconditional, fixed study
effects), "UM.RS" (unconditional, random study effects), "CM.EL" (conditional, exact likelihood) and "CM.AL"
(conditional, approximate likelihood).

References
----------
Stijnen T, Hamza TH, Özdemir P. Stat Med 2010;29:3046-67. doi:10.1002/sim.4040
Turner RM, et al. Stat Med 2000;19:3417-32. doi:10.1002/1097-0258(20001230)19:24<3417::AID-SIM614>3.0.CO;2-L
Jackson D, et al. Stat Med 2018;37:1059-85. doi:10.1002/sim.7588
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metagrove.core.errors import MethodError
from metagrove.core.registry import Registry
from metagrove.core.values import Array
from metagrove.effects.arms import Columns, PersonTimes, Proportions, Rates, Tables
from metagrove.pooling.counts.likelihoods import Binomial, Hypergeometric, Poisson
from metagrove.pooling.counts.mixed_model import (
    FixedFit,
    MixedFit,
    Saturated,
    fixed_fit,
    mixed_fit,
    mixed_fit_at,
    saturated_binomial,
    saturated_hypergeometric,
    saturated_poisson,
    two_way_fit,
)
from metagrove.pooling.counts.quadrature import Integrand, Likelihood
from metagrove.pooling.counts.two_way_heterogeneity import random_level_heterogeneity
from metagrove.pooling.counts.two_way_quadrature import TwoWayIntegrand

__all__ = ["GLMM_MODELS", "CountModel", "GlmmFit", "count_model", "glmm_fit"]

_STIJNEN = "Stijnen T, et al. Stat Med 2010;29:3046-67. doi:10.1002/sim.4040"
_JACKSON = "Jackson D, et al. Stat Med 2018;37:1059-85. doi:10.1002/sim.7588"
GLMM_MODELS: Registry[str] = Registry("model of a two-group GLMM")
GLMM_MODELS.put("UM.FS", "unconditional", title="an unconditional model with fixed study effects", cite=_JACKSON)
GLMM_MODELS.put("UM.RS", "unconditional", title="an unconditional model with random study effects", cite=_JACKSON)
GLMM_MODELS.put("CM.EL", "conditional", title="a conditional model with the exact likelihood", cite=_STIJNEN)
GLMM_MODELS.put("CM.AL", "conditional", title="a conditional model with an approximate likelihood", cite=_STIJNEN)

#: Points for the exact conditional likelihood of odds ratios, whose integrand is far from normal in small tables.
EXACT_NODES = 21


_ONE_SIDED = "one arm is without events (or without non-events) in every study"


@dataclass(frozen=True, slots=True, eq=False)
class CountModel:
    """One likelihood problem: what is integrated, where to start, and the fit with one effect per study.

    `levels` is the log-likelihood of both arms where study levels are random (UM.RS), else None; `first` the first arm
    of each study by itself. `unbounded` says why
    the likelihood has no maximum, "" where it has one, and `towards` is the infinity that the effect runs to.
    """

    integrand: Integrand
    start: Array
    own: Array | None
    saturated: Saturated
    levels: Likelihood | None = None
    first: Saturated | None = None
    unbounded: str = ""
    towards: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class GlmmFit:
    """Both fits of a GLMM and its tests of heterogeneity.

    Parameters
    ----------
    fixed : without heterogeneity.
    mixed : with it.
    QE_Wld, QE_LRT, QE_df : Wald and likelihood-ratio statistics of heterogeneity on QE_df degrees of freedom.
    saturated : log-likelihood of one effect per study.
    at_modes : log-likelihood given the random effects at their modes; NaN for random study levels.
    """

    fixed: FixedFit
    mixed: MixedFit
    QE_Wld: float
    QE_LRT: float
    QE_df: int
    saturated: float
    at_modes: float = float("nan")


def _ones(k: int, x: Array | None) -> Array:
    """The design (k, P): an intercept, or the columns given."""
    return np.ones((k, 1)) if x is None else x


def _edge(low: bool, high: bool, what: str) -> tuple[str, float]:
    if low:
        return f"{what}: the effect runs to minus infinity", -np.inf
    return (f"{what}: the effect runs to infinity", np.inf) if high else ("", float("nan"))


def _one_group(likelihood: Likelihood, x: Array, start: float, saturated: Saturated, nodes: int) -> CountModel:
    beta = np.zeros(x.shape[1])
    beta[0] = start
    return CountModel(Integrand(likelihood, x[:, None, :], np.ones(1), None, nodes), beta, None, saturated)


def _proportions(data: Proportions, x: Array, nodes: int) -> CountModel:
    zero = np.zeros(data.k)
    low, high = bool((data.x == 0).all()), bool((data.x == data.n).all())
    reason, towards = _edge(low, high, "nobody had the event" if low else "everybody had the event")
    events, rest = float(data.x.sum()), float((data.n - data.x).sum())
    start = np.log((events + 0.5) / (rest + 0.5)) if reason else np.log(events / rest)
    likelihood = Binomial(data.x[:, None], data.n[:, None], zero[:, None])
    model = _one_group(likelihood, x, float(start), saturated_binomial(data.x, data.n, zero), nodes)
    return CountModel(model.integrand, model.start, None, model.saturated, None, None, reason, towards)


def _rates(data: Rates, x: Array, nodes: int) -> CountModel:
    reason, towards = _edge(bool((data.x == 0).all()), False, "nobody had the event")
    start = float(np.log(max(float(data.x.sum()), 0.5) / data.t.sum()))
    likelihood = Poisson(data.x[:, None], np.log(data.t)[:, None])
    model = _one_group(likelihood, x, start, saturated_poisson(data.x, data.t), nodes)
    return CountModel(model.integrand, model.start, None, model.saturated, None, None, reason, towards)


def _conditional(events: Array, total: Array, offset: Array, x: Array, nodes: int) -> CountModel:
    reason, towards = _edge(
        bool((events == 0).all()),
        bool((events == total).all()),
        "one arm is without events in every study",
    )
    likelihood = Binomial(events[:, None], total[:, None], offset[:, None])
    model = _one_group(likelihood, x, 0.0, saturated_binomial(events, total, offset), nodes)
    return CountModel(model.integrand, model.start, None, model.saturated, None, None, reason, towards)


def _exact_tables(t: Tables, x: Array, nodes: int) -> CountModel:
    likelihood = Hypergeometric(t.a, t.n1, t.n2, t.a + t.c)
    low, high = bool((t.a == likelihood.low).all()), bool((t.a == likelihood.high).all())
    reason, towards = _edge(low, high, _ONE_SIDED)
    model = _one_group(likelihood, x, 0.0, saturated_hypergeometric(likelihood), nodes)
    return CountModel(model.integrand, model.start, None, model.saturated, None, None, reason, towards)


def _both_arms(x: Array) -> Array:
    """The design (k, 2, P) where covariates act in the first arm."""
    return np.stack([x, np.zeros_like(x)], axis=1)


def _unconditional(
    likelihood: Likelihood,
    arms: Sequence[Saturated],
    levels: Array,
    x: Array,
    coding: float,
    nodes: int,
    *,
    random: bool,
) -> CountModel:
    c, saturated = np.array([coding, coding - 1.0]), _arm_effects(arms[0], arms[1])
    seen = np.isfinite(saturated.y)
    one_side = not seen.any()
    low, high = one_side and bool((saturated.y < 0).all()), one_side and bool((saturated.y > 0).all())
    reason, towards = _edge(low, high, _ONE_SIDED)
    integrand = Integrand(likelihood, _both_arms(x), c, np.ones(2), nodes)
    start = np.zeros(x.shape[1])
    return CountModel(integrand, start, levels, saturated, likelihood if random else None, arms[0], reason, towards)


def _arm_effects(first: Saturated, second: Saturated) -> Saturated:
    """One effect per study as the difference of two saturated arms; infinite where an arm is at its edge.

    NaN where both arms are at the same edge, which says nothing about the effect.
    """
    inside = np.isfinite(first.y) & np.isfinite(second.y)
    y = np.where(inside, first.y, 0.0) - np.where(inside, second.y, 0.0)
    side = np.where(np.isfinite(first.y), 0.0, np.sign(first.y))
    side = side - np.where(np.isfinite(second.y), 0.0, np.sign(second.y))
    edge = np.select([side < 0, side > 0], [-np.inf, np.inf], np.nan)
    return Saturated(first.log_likelihood + second.log_likelihood, np.where(inside, y, edge), first.v + second.v)


def count_model(
    data: Columns, model: str = "", *, nodes: int | None = None, coding: float = 0.5, x: Array | None = None
) -> CountModel:
    """The likelihood problem of one group (Proportions, Rates) or of two (Tables, PersonTimes) under `model`.

    Parameters
    ----------
    data : complete counts, shape (k,).
    model : a code of GLMM_MODELS for two groups.
    nodes : quadrature points; 7 if absent, 1 for UM.RS, 21 for the exact conditional likelihood of tables.
    coding : of the treatment in the random part, `coding` in the first arm and `coding` - 1 in the second.
    x : covariates with their intercept, shape (k, P).
    """
    design = _ones(data.k, x)
    if isinstance(data, Proportions):
        return _proportions(data, design, nodes or 7)
    if isinstance(data, Rates):
        return _rates(data, design, nodes or 7)
    GLMM_MODELS.entry(model)
    if isinstance(data, Tables):
        return _tables_model(data, model, design, nodes, coding)
    if isinstance(data, PersonTimes):
        return _times_model(data, model, design, nodes, coding)
    raise MethodError(f"no GLMM for {type(data).__name__}")


def _tables_model(t: Tables, model: str, x: Array, nodes: int | None, coding: float) -> CountModel:
    if model == "CM.EL":
        return _exact_tables(t, x, nodes or EXACT_NODES)
    if model == "CM.AL":
        return _conditional(t.a, t.a + t.c, np.log(t.n1 / t.n2), x, nodes or 7)
    events, sizes = np.column_stack([t.a, t.c]), np.column_stack([t.n1, t.n2])
    arms = [saturated_binomial(events[:, j], sizes[:, j], np.zeros(t.k)) for j in (0, 1)]
    likelihood = Binomial(events, sizes, np.zeros((t.k, 2)))
    levels = np.log((t.a + t.c + 0.5) / (t.b + t.d + 0.5))
    random = model == "UM.RS"
    return _unconditional(likelihood, arms, levels, x, coding, nodes or (1 if random else 7), random=random)


def _times_model(d: PersonTimes, model: str, x: Array, nodes: int | None, coding: float) -> CountModel:
    if model in ("CM.EL", "CM.AL"):
        return _conditional(d.x1, d.x1 + d.x2, np.log(d.t1 / d.t2), x, nodes or 7)
    events, times = np.column_stack([d.x1, d.x2]), np.column_stack([d.t1, d.t2])
    arms = [saturated_poisson(events[:, j], times[:, j]) for j in (0, 1)]
    levels = np.log((d.x1 + d.x2 + 0.5) / (d.t1 + d.t2))
    random = model == "UM.RS"
    likelihood = Poisson(events, np.log(times))
    return _unconditional(likelihood, arms, levels, x, coding, nodes or (1 if random else 7), random=random)


def _wald(saturated: Saturated, x: Array) -> tuple[float, float]:
    """Residual heterogeneity of the saturated effects around the design, and the moment estimate of tau2 it gives.

    Effects at infinity weigh nothing.
    """
    seen = np.isfinite(saturated.y) & np.isfinite(saturated.v)
    if not seen.any():
        return 0.0, 0.0
    y, v, x = saturated.y[seen], saturated.v[seen], x[seen]
    w = 1 / v
    beta = w @ y / w.sum() * np.ones(1) if _one_mean(x) else _regressed(y, w, x)
    q, total = float(w @ (y - x @ beta) ** 2), float(w.sum())
    spread = total - float(w @ w) / total
    return q, max(0.0, (q - y.size + x.shape[1]) / spread) if spread > 1e-12 * total else 0.0


def _one_mean(x: Array) -> bool:
    return x.shape[1] == 1 and bool((x == 1).all())


def _regressed(y: Array, w: Array, x: Array) -> Array:
    return np.asarray(np.linalg.lstsq(x * np.sqrt(w)[:, None], y * np.sqrt(w), rcond=None)[0])


def glmm_fit(problem: CountModel, *, tau2: float | None = None, heterogeneity: bool = True) -> GlmmFit:
    """The fits of a count model, with its tests of heterogeneity.

    Parameters
    ----------
    problem : from `count_model`.
    tau2 : hold the variance between studies at this value.
    heterogeneity : for random study levels, fit the model with one effect per study as well (it takes longest).

    Raises
    ------
    MethodError
        Where the likelihood has no maximum, with the reason.
    ConvergenceError
        Where a search does not end.
    """
    if problem.unbounded:
        raise MethodError(f"the GLMM has no maximum: {problem.unbounded}")
    integrand = problem.integrand
    arm = integrand.X[:, 0, :]
    df = arm.shape[0] - arm.shape[1]
    if problem.levels is not None:
        if tau2 is not None:
            raise MethodError("a model with random study levels (UM.RS) cannot hold tau2 at a given value; use UM.FS")
        return _random_levels(problem, problem.levels, df, heterogeneity=heterogeneity)
    fixed = fixed_fit(integrand, problem.start, problem.own)
    wald, moment = _wald(problem.saturated, arm)
    if df < 1:
        mixed = mixed_fit_at(integrand, fixed, 0.0)
    elif tau2 is None:
        mixed = mixed_fit(integrand, fixed, _spreads(float(np.sqrt(moment))))
    else:
        mixed = mixed_fit_at(integrand, fixed, tau2)
    lrt = max(0.0, 2 * (problem.saturated.log_likelihood - fixed.log_likelihood))
    top = problem.saturated.log_likelihood
    return GlmmFit(fixed, mixed, wald, lrt, df, top, _at_modes(integrand, mixed))


def _spreads(moment: float) -> tuple[float, ...]:
    """Values of τ to start from: three across what is plausible, and the moment estimate where it is above 0."""
    return tuple(sorted((0.3, 1.0, 3.0, *((min(max(moment, 0.05), 5.0),) if moment > 0 else ()))))


def _at_modes(integrand: Integrand, mixed: MixedFit) -> float:
    """The log-likelihood given each study's random effect at its mode."""
    modes = mixed.modes if mixed.modes is not None else np.zeros(integrand.X.shape[0])
    eta = integrand.X @ mixed.beta + np.sqrt(mixed.tau2) * modes[:, None] * integrand.c
    if mixed.own is not None and integrand.local is not None:
        eta = eta + mixed.own[:, None] * integrand.local
    return float(integrand.likelihood.value(eta[:, :, None]).sum())


def _random_levels(problem: CountModel, likelihood: Likelihood, df: int, *, heterogeneity: bool) -> GlmmFit:
    nodes, c = problem.integrand.nodes, problem.integrand.c
    levels = problem.own if problem.own is not None else np.zeros(1)
    x = problem.integrand.X
    both = np.concatenate([np.ones((*x.shape[:2], 1)), x], axis=2)
    flat = Integrand(likelihood, both, np.ones(2), None, nodes)
    start = np.append(float(levels.mean()), np.zeros(x.shape[2]))
    one_way = mixed_fit(flat, fixed_fit(flat, start, None), (0.5, 1.5))
    spread = float(np.sqrt(max(one_way.tau2, 0.01)))
    mixed = two_way_fit(TwoWayIntegrand(likelihood, both, c, nodes), one_way.beta, (spread, 0.5))
    fixed = FixedFit(one_way.beta[1:], one_way.covariance[1:, 1:], one_way.log_likelihood)
    tests = (float("nan"), float("nan"), float("nan")) if df > 0 else (0.0, 0.0, float("nan"))
    if heterogeneity and df > 0 and problem.first is not None:
        tests = random_level_heterogeneity(likelihood, problem.first, one_way, nodes, x[:, 0, :])
    shown = MixedFit(
        mixed.beta[1:], mixed.covariance[1:, 1:], mixed.tau2, mixed.log_likelihood, nodes, mixed.iterations,
        mixed.gradient, mixed.se_tau2, mixed.sigma2,
    )  # fmt: skip
    return GlmmFit(fixed, shown, tests[0], tests[1], df, tests[2])
